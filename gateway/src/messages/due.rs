//! `due`: what is wrong with a question, and why a due is what it is.

use super::Text;
use super::format::{dated, local};
use super::tables::row;
use dunghen_engine::calendar::{Calendar, DayOffReason, MS_PER_HOUR, What};
use dunghen_engine::time::{Date, Due, Moment, Timestamp, Zone};

/// The name of a date's day of the week.
#[must_use]
pub fn weekday(date: Date) -> Text {
    const VI: [&str; 7] = ["thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật"];
    const EN: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let day = date.weekday() as usize;
    Text::new(VI[day], EN[day])
}

/// A reception that cannot be read.
#[must_use]
pub fn not_a_reception() -> Text {
    Text::new(
        "phải là ngày như 2025-09-10 hoặc thời điểm như 2025-09-10T09:00+07:00, năm 1 đến 9999",
        "must be a date such as 2025-09-10 or a time such as 2025-09-10T09:00+07:00, years 1 to 9999",
    )
}

/// A term that cannot be counted.
#[must_use]
pub fn not_a_term(least: u32, most: u32) -> Text {
    Text::new(
        format!("phải là số nguyên từ {least} đến {most}"),
        format!("must be a whole number from {least} to {most}"),
    )
}

/// A key that a question has not.
#[must_use]
pub fn no_such_field(known: &str) -> Text {
    Text::new(
        format!("không có trường này; các trường: {known}"),
        format!("there is no such field; the fields are {known}"),
    )
}

/// A due that nobody will live to see.
#[must_use]
pub fn too_far() -> Text {
    Text::new("hạn trả sau năm 9999", "the term ends after the year 9999")
}

/// All that is wrong with a question, as one text.
#[must_use]
pub fn all_of(faults: &[Text]) -> Text {
    Text::joined(faults, "; ")
}

/// Lines get lines.
#[must_use]
pub fn batch_is_json() -> Text {
    Text::new("--batch chỉ trả lời bằng JSON; hãy bỏ --format", "--batch answers in JSON only; leave --format out")
}

/// A file without questions to be read from it.
#[must_use]
pub fn only_batch_reads_a_file() -> Text {
    Text::new(
        "chỉ --batch mới đọc tệp; hãy thêm --batch, hoặc bỏ tên tệp",
        "only --batch reads a file; add it, or leave the name out",
    )
}

/// A term in words.
#[must_use]
pub fn term(n: u32, unit: &str) -> Text {
    let (vi, en) = match unit {
        "hour" => ("giờ làm việc", "working hour"),
        "working_day" => ("ngày làm việc", "working day"),
        "day" => ("ngày", "day"),
        _ => ("tháng", "month"),
    };
    Text::new(format!("{n} {vi}"), format!("{n} {en}{}", if n == 1 { "" } else { "s" }))
}

/// The head of an explanation; times are shown in `zone`.
#[must_use]
pub fn head(due: Due, received: Moment, zone: &Zone, term: &Text, calendar: &str, unit: Option<&str>) -> Text {
    let at = |t: Timestamp| Text::each(|lang| local(t, zone, lang));
    let (day, received) = (
        weekday(due.date(zone)),
        match received {
            Moment::Instant(t) => at(t),
            Moment::Date(date) => dated(date),
        },
    );
    let (due, (whole_vi, whole_en)) = match due {
        Due::Instant(t) => (at(t), ("", "")),
        Due::Date(date) => (dated(date), (", đến hết ngày", ", until the end of the day")),
    };
    let unit = |word: &str| unit.map_or_else(String::new, |unit| format!("; {word}: {unit}"));
    Text::new(
        format!(
            "Hẹn trả: {} {}{whole_vi}\nTiếp nhận: {}; thời hạn: {}{}; lịch: {calendar}",
            day.vi,
            due.vi,
            received.vi,
            term.vi,
            unit("đơn vị")
        ),
        format!(
            "Due: {} {}{whole_en}\nReceived: {}; term: {}{}; calendar: {calendar}",
            day.en,
            due.en,
            received.en,
            term.en,
            unit("unit")
        ),
    )
}

/// That some days lie outside of the calendar.
#[must_use]
pub fn unknown_days(calendar: &Calendar) -> Text {
    let (first, last) = (dated(calendar.first), dated(calendar.last));
    Text::new(
        format!(
            "Chú ý: lịch chỉ có ngày lễ từ {} đến {}; ngoài khoảng đó chỉ trừ ngày nghỉ hằng tuần.",
            first.vi, last.vi
        ),
        format!(
            "Note: the calendar knows the holidays from {} to {}; outside only the weekly days off are taken into account.",
            first.en, last.en
        ),
    )
}

/// The header of an explanation.
#[must_use]
pub fn header() -> [Text; 4] {
    row([("ngày", "date"), ("thứ", "day"), ("tính", "counted"), ("vì sao", "why")])
}

/// What is counted of a day, and why.
#[must_use]
pub fn step(what: &What, calendar: &Calendar) -> (Text, Text) {
    let nothing = Text::default;
    let none = || Text::same("–");
    match what {
        What::Begins => (none(), Text::new("ngày tiếp nhận, không tính", "day of reception, not counted")),
        What::AfterCutOff => {
            let at = time_of_day(calendar.cut_off);
            (
                none(),
                Text::new(
                    format!("nộp sau {at}, giải quyết vào ngày làm việc tiếp theo"),
                    format!("filed after {at}, answered on the next working day"),
                ),
            )
        }
        What::Counted { number, worked, off: reason } => {
            let why = match (reason, worked) {
                (Some(reason), _) => {
                    let reason = off(reason);
                    Text::new(format!("{}, vẫn tính", reason.vi), format!("{}, counted all the same", reason.en))
                }
                (None, Some(day)) => Text::new(day.vi.as_str(), day.en.as_str()),
                (None, None) => nothing(),
            };
            (Text::same(number), why)
        }
        What::Months { number, off: reason } => (term(*number, "month"), reason.as_ref().map_or_else(nothing, off)),
        What::Hours { ms, total } => {
            let (day, total) = (hours(*ms), hours(*total));
            (day, Text::new(format!("lũy kế {}", total.vi), format!("{} so far", total.en)))
        }
        What::Off(reason) => (none(), off(reason)),
        What::Ends => {
            (Text::new("hạn", "due"), Text::new("hết hạn vào ngày làm việc này", "the term ends with this working day"))
        }
    }
}

fn off(reason: &DayOffReason) -> Text {
    match reason {
        DayOffReason::Named(day) => Text::new(format!("nghỉ: {}", day.vi), format!("off: {}", day.en)),
        DayOffReason::Weekly => Text::new("nghỉ hằng tuần", "weekly day off"),
        DayOffReason::ReceptionOnly => {
            Text::new("nghỉ hằng tuần, chỉ tiếp nhận hồ sơ", "weekly day off on which dossiers are only received")
        }
    }
}

/// `15:00`.
fn time_of_day(ms: i64) -> String {
    format!("{:02}:{:02}", ms / MS_PER_HOUR, ms % MS_PER_HOUR / 60_000)
}

/// Working time to the minute, as far as it has run.
pub(super) fn hours(ms: i64) -> Text {
    let (hours, minutes) = (ms / MS_PER_HOUR, ms % MS_PER_HOUR / 60_000);
    Text::new(format!("{hours} giờ {minutes:02} phút"), format!("{hours} h {minutes:02} min"))
}
