//! The words of `dunghen due`, in Vietnamese and English: what is wrong with a question, and why a due is what it is.

use crate::messages::{Lang, Text};
use dunghen_engine::calendar::{Calendar, DayOffReason, MS_PER_HOUR, What};
use dunghen_engine::time::Date;

fn text(vi: impl Into<String>, en: impl Into<String>) -> Text {
    Text { vi: vi.into(), en: en.into() }
}

/// A date as people of each language write it, `10/09/2025` or `2025-09-10`.
#[must_use]
pub fn date(date: Date) -> Text {
    let (y, m, d) = date.ymd();
    text(format!("{d:02}/{m:02}/{y}"), date.to_string())
}

/// The name of a date's day of the week.
#[must_use]
pub fn weekday(date: Date) -> Text {
    const VI: [&str; 7] = ["thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật"];
    const EN: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let day = date.weekday() as usize;
    text(VI[day], EN[day])
}

/// A reception that cannot be read.
#[must_use]
pub fn not_a_reception() -> Text {
    text(
        "phải là ngày như 2025-09-10 hoặc thời điểm như 2025-09-10T09:00+07:00, năm 1 đến 9999",
        "must be a date such as 2025-09-10 or a time such as 2025-09-10T09:00+07:00, years 1 to 9999",
    )
}

/// A term that cannot be counted.
#[must_use]
pub fn not_a_term(least: u32, most: u32) -> Text {
    text(format!("phải là số nguyên từ {least} đến {most}"), format!("must be a whole number from {least} to {most}"))
}

/// A key that a question has not.
#[must_use]
pub fn no_such_field(known: &str) -> Text {
    text(format!("không có trường này; các trường: {known}"), format!("there is no such field; the fields are {known}"))
}

/// A due that nobody will live to see.
#[must_use]
pub fn too_far() -> Text {
    text("hạn trả sau năm 9999", "the term ends after the year 9999")
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
    text(format!("{n} {vi}"), format!("{n} {en}{}", if n == 1 { "" } else { "s" }))
}

/// The head of an explanation: `due` and `received` as people read them.
#[must_use]
pub fn head(due: &str, by_date: bool, received: &str, term: &Text, calendar: &str, unit: Option<&str>) -> Text {
    let (whole_vi, whole_en) = if by_date { (", đến hết ngày", ", until the end of the day") } else { ("", "") };
    let unit = |word: &str| unit.map_or_else(String::new, |unit| format!("; {word}: {unit}"));
    text(
        format!(
            "Hẹn trả: {due}{whole_vi}\nTiếp nhận: {received}; thời hạn: {}{}; lịch: {calendar}",
            term.vi,
            unit("đơn vị")
        ),
        format!("Due: {due}{whole_en}\nReceived: {received}; term: {}{}; calendar: {calendar}", term.en, unit("unit")),
    )
}

/// That some days lie outside of the calendar.
#[must_use]
pub fn unknown_days(calendar: &Calendar) -> Text {
    let (first, last) = (date(calendar.first), date(calendar.last));
    text(
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
pub fn header(lang: Lang) -> [&'static str; 4] {
    match lang {
        Lang::Vi => ["ngày", "thứ", "tính", "vì sao"],
        Lang::En => ["date", "day", "counted", "why"],
    }
}

/// What is counted of a day, and why.
#[must_use]
pub fn step(what: &What, calendar: &Calendar) -> (Text, Text) {
    let nothing = || text("", "");
    let none = || text("–", "–");
    match what {
        What::Begins => (none(), text("ngày tiếp nhận, không tính", "day of reception, not counted")),
        What::AfterCutOff => {
            let at = time_of_day(calendar.cut_off);
            (
                none(),
                text(
                    format!("nộp sau {at}, giải quyết vào ngày làm việc tiếp theo"),
                    format!("filed after {at}, answered on the next working day"),
                ),
            )
        }
        What::Counted { number, worked, off: reason } => {
            let why = match (reason, worked) {
                (Some(reason), _) => {
                    let reason = off(reason);
                    text(format!("{}, vẫn tính", reason.vi), format!("{}, counted all the same", reason.en))
                }
                (None, Some(day)) => text(day.vi.as_str(), day.en.as_str()),
                (None, None) => nothing(),
            };
            (text(number.to_string(), number.to_string()), why)
        }
        What::Months { number, off: reason } => (term(*number, "month"), reason.as_ref().map_or_else(nothing, off)),
        What::Hours { ms, total } => {
            let (day, total) = (hours(*ms), hours(*total));
            (day, text(format!("cộng {}", total.vi), format!("{} so far", total.en)))
        }
        What::Off(reason) => (none(), off(reason)),
        What::Ends => {
            (text("hạn", "due"), text("hết hạn vào ngày làm việc này", "the term ends with this working day"))
        }
    }
}

fn off(reason: &DayOffReason) -> Text {
    match reason {
        DayOffReason::Named(day) => text(format!("nghỉ: {}", day.vi), format!("off: {}", day.en)),
        DayOffReason::Weekly => text("nghỉ hằng tuần", "weekly day off"),
        DayOffReason::ReceptionOnly => {
            text("nghỉ hằng tuần, chỉ tiếp nhận hồ sơ", "weekly day off on which dossiers are only received")
        }
    }
}

/// `15:00`.
fn time_of_day(ms: i64) -> String {
    format!("{:02}:{:02}", ms / MS_PER_HOUR, ms % MS_PER_HOUR / 60_000)
}

/// Working time to the minute, as far as it has run.
fn hours(ms: i64) -> Text {
    let (hours, minutes) = (ms / MS_PER_HOUR, ms % MS_PER_HOUR / 60_000);
    text(format!("{hours} giờ {minutes:02} phút"), format!("{hours} h {minutes:02} min"))
}
