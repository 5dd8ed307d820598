//! Tables: their headers, the names in their cells, the lines around them. The words are those of the official forms.

use super::Text;
use super::format::{counted, local};
use dunghen_engine::time::{Timestamp, Zone};

/// A row of short texts, Vietnamese before English.
pub(super) fn row<const N: usize>(texts: [(&str, &str); N]) -> [Text; N] {
    texts.map(|(vi, en)| Text::new(vi, en))
}

/// The row of all groups together.
#[must_use]
pub fn total() -> Text {
    Text::new("tổng", "total")
}

/// A key to group by; what is not known stays as it is.
#[must_use]
pub fn key(name: &str) -> Text {
    let vi = match name {
        "unit" => "đơn vị",
        "procedure" => "thủ tục",
        "field" => "lĩnh vực",
        "channel" => "kênh",
        "day" => "ngày",
        "month" => "tháng",
        "quarter" => "quý",
        "year" => "năm",
        other => other,
    };
    Text::new(vi, name)
}

/// The header of a table of rates, without the keys.
#[must_use]
pub fn rates() -> [Text; 12] {
    row([
        ("tiếp nhận", "received"),
        ("đã giải quyết", "resolved"),
        ("rút, dừng", "withdrawn"),
        ("trước và đúng hạn", "on time"),
        ("quá hạn", "late"),
        ("không có hạn trả", "no deadline"),
        ("tỷ lệ trước và đúng hạn", "on-time rate"),
        ("đang giải quyết", "open"),
        ("trong đó quá hạn", "overdue"),
        ("phải xin lỗi", "apologies due"),
        ("chưa xin lỗi", "missing"),
        ("tỷ lệ xin lỗi kịp thời", "apology rate"),
    ])
}

/// What an answer about rates speaks of.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The definition.
    pub definition: &'a str,
    /// The period, if there is one; either end may be open.
    pub period: (Option<Timestamp>, Option<Timestamp>),
    /// The moment at which it is looked at, if the answer says.
    pub as_of: Option<Timestamp>,
    /// The zone's name, and the zone in which times are shown.
    pub zone: (&'a str, &'a Zone),
    /// How many records are folded.
    pub position: u64,
}

/// The line above a table of rates.
#[must_use]
pub fn rates_of(asked: &Asked) -> Text {
    let Asked { definition, period, as_of, zone: (name, zone), position } = *asked;
    let at = |t: Option<Timestamp>| Text::each(|lang| t.map_or_else(String::new, |t| local(t, zone, lang)));
    let period = match period {
        (None, None) => Text::default(),
        (from, to) => {
            let (from, to) = (at(from), at(to));
            Text::new(format!("[{}, {}) ", from.vi, to.vi), format!("[{}, {}) ", from.en, to.en))
        }
    };
    let as_of = at(as_of);
    Text::new(
        format!("{definition} {}tính đến {} ({name}), vị trí {position}", period.vi, as_of.vi),
        format!("{definition} {}as of {} ({name}), position {position}", period.en, as_of.en),
    )
}

/// The header of a list of dossiers.
#[must_use]
pub fn dossiers() -> [Text; 9] {
    row([
        ("hồ sơ", "dossier"),
        ("đơn vị", "unit"),
        ("thủ tục", "procedure"),
        ("trạng thái", "state"),
        ("tiếp nhận", "received"),
        ("hẹn trả", "due"),
        ("hẹn đầu", "first due"),
        ("kết thúc", "ended"),
        ("cảnh báo", "flags"),
    ])
}

/// The column that says why a dossier counts as it does.
#[must_use]
pub fn why() -> Text {
    Text::new("vì sao", "why")
}

/// How many dossiers there are, and how to see more.
#[must_use]
pub fn dossiers_count(count: u64, next_page: &str) -> Text {
    let n = counted(count);
    let count = Text::new(format!("số hồ sơ: {}", n.vi), format!("dossiers: {}", n.en));
    match next_page {
        "" => count,
        token => Text::new(
            format!("{}; còn nữa: --page-token '{token}'", count.vi),
            format!("{}; there are more: --page-token '{token}'", count.en),
        ),
    }
}

/// The state of a dossier; what is not known stays as it is.
#[must_use]
pub fn state(state: &str) -> Text {
    let vi = match state {
        "rejected" => "từ chối tiếp nhận",
        "annulled" => "đã hủy do đính chính",
        "open" => "đang giải quyết",
        "waiting" => "chờ bổ sung",
        "late" => "quá hạn",
        "ended" => "đã kết thúc",
        "returned" => "đã trả kết quả",
        other => other,
    };
    Text::new(vi, state)
}

/// The header of the promises of a dossier.
#[must_use]
pub fn promises() -> [Text; 8] {
    row([
        ("lời hẹn", "promise"),
        ("hẹn trả", "due"),
        ("hẹn lúc", "given"),
        ("quá hạn lúc", "missed"),
        ("hiện hành", "current"),
        ("xin lỗi", "apology"),
        ("hạn gửi thư xin lỗi", "letter due by"),
        ("gửi lúc", "sent"),
    ])
}

/// The header of the history of a dossier.
#[must_use]
pub fn history() -> [Text; 6] {
    row([
        ("vị trí", "position"),
        ("xảy ra", "occurred"),
        ("ghi lúc", "recorded"),
        ("sự kiện", "event"),
        ("chi tiết", "details"),
        ("cảnh báo", "flags"),
    ])
}

/// The header of a list of obligations.
#[must_use]
pub fn obligations() -> [Text; 9] {
    row([
        ("hồ sơ", "dossier"),
        ("đơn vị", "unit"),
        ("lời hẹn", "promise"),
        ("hẹn trả", "due"),
        ("hạn gửi thư xin lỗi", "letter due by"),
        ("tình trạng", "state"),
        ("còn lại (giờ làm việc)", "left (working hours)"),
        ("gửi lúc", "sent"),
        ("lý do", "reason"),
    ])
}

/// Working time that is left, in hours with one decimal, rounded down: nobody has more than it says.
#[must_use]
pub fn hours_left(ms: i64) -> Text {
    let tenths = u128::try_from(ms).unwrap_or(0) / 360_000;
    let (hours, tenth) = (tenths / 10, tenths % 10);
    Text::new(format!("{hours},{tenth}"), format!("{hours}.{tenth}"))
}

/// A letter's reason, and whether it lies with the unit.
#[must_use]
pub fn reason(code: &str, objective: Option<bool>) -> Text {
    match objective {
        _ if code.is_empty() => Text::same(""),
        Some(true) => Text::new(format!("{code} (khách quan)"), format!("{code} (objective)")),
        Some(false) => Text::new(format!("{code} (chủ quan)"), format!("{code} (subjective)")),
        None => Text::same(code),
    }
}

/// The state of an obligation.
#[must_use]
pub fn obligation(state: &str, defective: bool) -> Text {
    match (state, defective) {
        ("forecast", _) => Text::new("dự kiến trễ hạn", "forecast"),
        ("pending", _) => Text::new("chưa đến hạn xin lỗi", "pending"),
        ("in_time", _) => Text::new("xin lỗi kịp thời", "in time"),
        ("late", _) => Text::new("xin lỗi muộn", "late"),
        (_, true) => Text::new("văn bản xin lỗi thiếu nội dung", "missing (defective)"),
        (_, false) => Text::new("chưa xin lỗi", "missing"),
    }
}

/// The same in a list: a forecast may come too late for a letter.
#[must_use]
pub fn obligation_in_list(state: &str, defective: bool, window_closed: bool) -> Text {
    let name = obligation(state, defective);
    if !window_closed {
        return name;
    }
    Text::new(format!("{} (đã hết hạn gửi thư)", name.vi), format!("{} (window closed)", name.en))
}

/// The header of the summary of an import.
#[must_use]
pub fn import() -> [Text; 5] {
    row([
        ("dòng", "rows"),
        ("hồ sơ", "dossiers"),
        ("sự kiện mới", "new events"),
        ("đã có", "already there"),
        ("bị từ chối", "rejected"),
    ])
}

/// The header of what a simulation has planted.
#[must_use]
pub fn planted() -> [Text; 14] {
    row([
        ("đơn vị", "unit"),
        ("tiếp nhận", "received"),
        ("đã giải quyết", "resolved"),
        ("rút, dừng", "withdrawn"),
        ("đang giải quyết", "open"),
        ("trước và đúng hạn", "on time"),
        ("quá hạn", "late"),
        ("tỷ lệ", "rate"),
        ("quá hạn hẹn đầu", "first missed"),
        ("phải xin lỗi", "apologies due"),
        ("kịp thời", "in time"),
        ("muộn", "late"),
        ("chưa xin lỗi", "missing"),
        ("thiếu nội dung", "defective"),
    ])
}

/// The header of the live table of the demo.
#[must_use]
pub fn demo() -> [Text; 15] {
    row([
        ("đơn vị", "unit"),
        ("lĩnh vực", "field"),
        ("nhận", "received"),
        ("đang giải quyết", "open"),
        ("trong đó quá hạn", "overdue"),
        ("trước và đúng hạn", "on time"),
        ("quá hạn", "late"),
        ("tỷ lệ", "rate"),
        ("> 99 %", "> 99 %"),
        ("xin lỗi", "apologies"),
        ("kịp", "in time"),
        ("gửi muộn", "late"),
        ("chưa gửi", "missing"),
        ("tỷ lệ", "rate"),
        ("= 100 %", "= 100 %"),
    ])
}
