//! The texts of refusals, in Vietnamese and English: what is wrong and what to do.
//!
//! The engine knows reasons, not texts: each reason has its text here.

use super::Text;
use super::format::clock;
use super::questions::no_such_date;
use dunghen_engine::dossier::{EventType, Rejection, Violation, ViolationKind};
use dunghen_engine::time::Zone;

/// What an end of a dossier is called.
fn end_name(event_type: EventType) -> (&'static str, &'static str) {
    match event_type {
        EventType::Processed => ("đã xử lý xong", "processed"),
        EventType::Withdrawn => ("đã rút hồ sơ", "withdrawn"),
        EventType::Stopped => ("đã dừng giải quyết", "stopped"),
        EventType::Rejected => ("đã từ chối tiếp nhận", "rejected"),
        other => (other.name(), other.name()),
    }
}

/// Why an event was refused and what to do; instants are shown in `zone`.
#[must_use]
pub fn rejection(rejection: &Rejection, zone: &Zone) -> Text {
    match rejection {
        Rejection::Malformed(violations) => {
            let texts: Vec<Text> = violations.iter().map(|v| Text::same(&v.field).before(&violation(v))).collect();
            let texts = Text::joined(&texts, "; ");
            Text::new(
                format!("Sự kiện không đúng mẫu. Hãy sửa rồi gửi lại. {}", texts.vi),
                format!("The event is malformed; correct it and send it again. {}", texts.en),
            )
        }
        Rejection::TooLarge { size, limit, unit } => {
            let unit_vi = if *unit == "events" { "sự kiện" } else { "byte" };
            Text::new(
                format!("Quá lớn: {size} {unit_vi}, tối đa {limit}. Hãy chia nhỏ rồi gửi lại."),
                format!("Too large: {size} {unit}, at most {limit} are taken. Send less at a time."),
            )
        }
        Rejection::TimeInFuture { occurred_at, now } => {
            let (said, now) = (clock(*occurred_at, zone), clock(*now, zone));
            Text::new(
                format!(
                    "Thời điểm xảy ra ({}) muộn hơn đồng hồ máy chủ ({}) quá 5 phút. Hãy kiểm tra ngày giờ đã nhập và \
                     đồng hồ của quầy.",
                    said.vi, now.vi
                ),
                format!(
                    "It claims to have happened at {}, more than 5 minutes ahead of the server's clock ({}). Check the \
                     date that was typed, and the clock of the desk.",
                    said.en, now.en
                ),
            )
        }
        Rejection::DossierUnknown(dossier) => Text::new(
            format!("Chưa tiếp nhận hồ sơ {dossier}. Hãy kiểm tra mã hồ sơ, hoặc gửi sự kiện tiếp nhận trước."),
            format!("Nothing was recorded of dossier {dossier}. Check the code, or send its Received first."),
        ),
        Rejection::DossierExists { dossier, received_at } => {
            let at = clock(*received_at, zone);
            Text::new(
                format!("Hồ sơ {dossier} đã được tiếp nhận lúc {}. Hãy dùng mã khác cho hồ sơ mới.", at.vi),
                format!("Dossier {dossier} was already received at {}. A new dossier needs a code of its own.", at.en),
            )
        }
        Rejection::DossierEnded { dossier, by, at } => {
            let ((vi, en), at) = (end_name(*by), clock(*at, zone));
            Text::new(
                format!("Hồ sơ {dossier} {vi} lúc {}, không thể kết thúc lần nữa. Hãy kiểm tra mã hồ sơ.", at.vi),
                format!("Dossier {dossier} was {en} at {} and cannot end again. Check the code.", at.en),
            )
        }
        Rejection::AlreadyReturned { dossier, at } => {
            let at = clock(*at, zone);
            Text::new(
                format!("Kết quả của hồ sơ {dossier} đã được trả lúc {}. Không cần gửi lại.", at.vi),
                format!(
                    "The result of dossier {dossier} was already handed over at {}. There is nothing to send.",
                    at.en
                ),
            )
        }
        Rejection::EngineEvent => Text::new(
            "Sự kiện quá hạn (Late) chỉ do hệ thống tự ghi. Hãy bỏ sự kiện này.",
            "Late is written by the engine alone. Leave it out.",
        ),
        Rejection::EventIdReused { event_id, position } => Text::new(
            format!("Mã sự kiện {event_id} đã dùng cho một sự kiện khác (vị trí {position}). Hãy tạo mã mới."),
            format!("Event id {event_id} stands for another event (position {position}). Make a new id."),
        ),
        Rejection::VersionMismatch { expected, actual } => Text::new(
            format!("Hồ sơ đang ở phiên bản {actual}, không phải {expected}. Hãy tải lại hồ sơ rồi quyết định."),
            format!("The dossier has version {actual}, not {expected}. Read it again, then decide."),
        ),
        Rejection::BatchRefused => Text::new(
            "Không ghi, vì một sự kiện khác trong lô bị từ chối. Hãy sửa sự kiện đó rồi gửi lại cả lô.",
            "Not recorded, since another event of the batch was refused. Correct that one and send the batch again.",
        ),
    }
}

/// What is wrong with a field.
#[must_use]
pub fn violation(violation: &Violation) -> Text {
    match &violation.kind {
        ViolationKind::Missing => Text::new("bắt buộc phải có", "is required"),
        ViolationKind::Unknown => {
            Text::new("sự kiện loại này không có trường này", "this type of event has no such field")
        }
        ViolationKind::UnknownType => Text::new(
            format!("không phải loại sự kiện; các loại: {}", types()),
            format!("is no type of event; the types are {}", types()),
        ),
        ViolationKind::NoType => Text::new(
            format!("chưa có loại sự kiện; hãy đặt một trong các trường: {}", type_fields()),
            format!("is not set; set one of the fields {}", type_fields()),
        ),
        ViolationKind::NotAUuid => Text::new(
            "phải là UUID, ví dụ 0198c0de-0000-7000-8000-000000000001",
            "must be a UUID such as 0198c0de-0000-7000-8000-000000000001",
        ),
        ViolationKind::NotAnInstant => Text::new(
            "phải là thời điểm RFC 3339 có múi giờ, năm 1 đến 9999, ví dụ 2025-09-10T09:00:00+07:00",
            "must be an RFC 3339 time with its offset, years 1 to 9999, such as 2025-09-10T09:00:00+07:00",
        ),
        ViolationKind::NotADate => Text::new(
            "phải là ngày YYYY-MM-DD, năm 1 đến 9999, ví dụ 2025-09-10",
            "must be a date YYYY-MM-DD, years 1 to 9999, such as 2025-09-10",
        ),
        ViolationKind::NoSuchDate => no_such_date(),
        ViolationKind::BothDues => {
            Text::new("chỉ được ghi thời điểm hoặc ngày, không ghi cả hai", "give an instant or a date, not both")
        }
        ViolationKind::TooLong(limit) => {
            Text::new(format!("dài quá {limit} ký tự"), format!("is longer than {limit} characters"))
        }
        ViolationKind::NotPrintable => {
            Text::new("trống hoặc có ký tự điều khiển", "is blank or holds control characters")
        }
        ViolationKind::NotOneOf(values) => {
            let values = values.join(", ");
            Text::new(format!("phải là một trong: {values}"), format!("must be one of {values}"))
        }
        ViolationKind::NotOfType(json) => {
            Text::new(format!("sai kiểu JSON, phải là {}", json_type_vi(json)), format!("must be of JSON type {json}"))
        }
        ViolationKind::TooMany(limit) => {
            Text::new(format!("nhiều hơn {limit} mục"), format!("has more than {limit} items"))
        }
        ViolationKind::AnnulOrReplace => Text::new(
            "đính chính phải ghi hoặc annul: true (hủy sự kiện), hoặc replacement (sự kiện đúng thay thế)",
            "a correction says either annul: true (the event counts no more) or replacement (the event as it should be)",
        ),
        ViolationKind::NoSuchEvent => Text::new(
            "hồ sơ này không có sự kiện mang mã đó; hãy xem lịch sử hồ sơ",
            "the dossier has no event with this id; look at its history",
        ),
        ViolationKind::EngineWrote => Text::new(
            "sự kiện quá hạn (Late) do hệ thống ghi, không đính chính được; hãy đính chính sự kiện gốc",
            "Late was written by the engine and cannot be corrected; correct the event that is wrong",
        ),
        ViolationKind::NotOfEventType(told) => Text::new(
            format!("phải cùng loại với sự kiện được đính chính: {told}"),
            format!("must be of the type of the event that is corrected: {told}"),
        ),
        ViolationKind::CorrectionOfCorrection => Text::new(
            "không thay thế được một đính chính; hãy hủy (annul) đính chính đó rồi đính chính lại",
            "a correction cannot be replaced; annul it, then correct anew",
        ),
        ViolationKind::OtherDossier => Text::new(
            "phải cùng hồ sơ; nếu sai mã hồ sơ, hãy dùng `dunghen rekey`",
            "must be the same dossier; to mend a wrong code use `dunghen rekey`",
        ),
        ViolationKind::NotJson(said) => Text::new(
            format!("dòng này không phải một đối tượng JSON ({})", not_json_vi(said)),
            format!("the line is not a JSON object ({said})"),
        ),
    }
}

fn json_type_vi(json: &str) -> &str {
    match json {
        "string" => "chuỗi",
        "boolean" => "true hoặc false",
        "array of strings" => "mảng chuỗi",
        "object" => "đối tượng",
        other => other,
    }
}

/// What our own reader of lines says; that of JSON stays as it is.
fn not_json_vi(said: &str) -> &str {
    match said {
        "not UTF-8" => "không phải UTF-8",
        "not an object" => "không phải đối tượng",
        other => other,
    }
}

fn types() -> String {
    let types: Vec<&str> = EventType::ALL.into_iter().filter(|t| *t != EventType::Late).map(EventType::name).collect();
    types.join(", ")
}

/// The fields of the schema that say the type: `supplement_requested` of `SupplementRequested`.
fn type_fields() -> String {
    let mut fields = String::new();
    for c in types().chars() {
        // A name begins the text, or comes after the blank between two.
        if c.is_ascii_uppercase() && !(fields.is_empty() || fields.ends_with(' ')) {
            fields.push('_');
        }
        fields.push(c.to_ascii_lowercase());
    }
    fields
}

/// Too much is waiting.
#[must_use]
pub fn overloaded() -> Text {
    Text::new(
        "Máy chủ đang quá tải. Chưa ghi gì; hãy gửi lại sau giây lát.",
        "The server has too much waiting. Nothing was recorded; send it again in a moment.",
    )
}

/// The log did not grow to the position that was asked for.
#[must_use]
pub fn not_yet(wanted: u64, position: u64) -> Text {
    Text::new(
        format!("Nhật ký mới có {position} sự kiện, chưa đến {wanted}. Hãy hỏi lại sau."),
        format!("The log holds {position} records, not yet {wanted}. Ask again later."),
    )
}

/// The log cannot be written.
#[must_use]
pub fn unavailable(why: &str) -> Text {
    Text::new(
        format!(
            "Nhật ký không ghi được ({why}). Máy chủ không nhận thêm sự kiện nào cho đến khi người vận hành khắc phục \
             và khởi động lại; sau đó hãy gửi lại với cùng mã sự kiện, gửi hai lần không sao."
        ),
        format!(
            "The log cannot be written ({why}). No event is accepted until whoever runs the server has mended that and \
             restarted it; then send it again with the same event id, twice does no harm."
        ),
    )
}

/// The log cannot be read.
#[must_use]
pub fn damaged(position: u64, what: &str) -> Text {
    Text::new(
        format!("Nhật ký hỏng tại vị trí {position}: {what}. Hãy dừng máy chủ và khôi phục từ bản sao lưu."),
        format!("The log is damaged at position {position}: {what}. Stop the server and restore a backup."),
    )
}

/// A question that cannot be answered as asked: the field and what is wrong with it.
#[must_use]
pub fn bad_question(field: &str, what: &Text) -> Text {
    Text::same(field).before(what)
}

/// A defect of the server.
#[must_use]
pub fn internal(what: &str) -> Text {
    Text::new(
        format!("Lỗi của chính máy chủ: {what}. Hãy báo cho người phát triển."),
        format!("a defect of the server: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_types_are_those_of_the_schema() {
        let fields = type_fields();
        assert!(fields.starts_with("received, rejected, forwarded, supplement_requested, supplemented, "), "{fields}");
        let schema = include_str!("../../../proto/dunghen/v1/event.proto");
        for field in fields.split(", ") {
            assert!(schema.contains(&format!(" {field} = ")), "{field}");
        }
    }
}
