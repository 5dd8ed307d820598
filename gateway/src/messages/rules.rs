//! What is wrong with a file of rules: where it stands, and what to write instead.
//!
//! A key is a text that goes before the reason ([`Text::before`]), and a line before both.

use super::Text;
use super::mapping::of_toml;
pub(crate) use super::questions::required;
use dunghen_engine::calendar::CalendarError;
use dunghen_engine::rules::Unfit;

// Places.

/// A line of the file, the first being 1.
pub(crate) fn line(number: usize) -> Text {
    Text::new(format!("dòng {number}"), format!("line {number}"))
}

/// A key of a table.
pub(crate) fn key(name: &str) -> Text {
    Text::same(name)
}

// Form.

/// What the reader of TOML says; what is not known stays in its English.
pub(crate) fn not_toml(said: &str) -> Text {
    Text::new(format!("không đúng cú pháp TOML: {}", of_toml(said)), format!("is not TOML: {said}"))
}

pub(crate) fn only_form(form: &str) -> Text {
    Text::new(format!("chỉ đọc được mẫu {form}"), format!("only form {form} is read here"))
}

pub(crate) fn unknown_key(known: &[&str]) -> Text {
    let known = known.join(", ");
    Text::new(format!("không có khóa này; các khóa: {known}"), format!("there is no such key; the keys are {known}"))
}

// What a value must be.

pub(crate) fn must_be_text() -> Text {
    Text::new("phải là chuỗi trong dấu nháy, không trống", "must be a text in quotes that is not blank")
}

pub(crate) fn must_be_whole_number() -> Text {
    Text::new("phải là số nguyên", "must be a whole number")
}

pub(crate) fn must_be_list() -> Text {
    Text::new("phải là danh sách", "must be a list")
}

pub(crate) fn must_be_table() -> Text {
    Text::new("phải là bảng", "must be a table")
}

pub(crate) fn must_be_one_of(names: &[&str]) -> Text {
    let names = names.join(", ");
    Text::new(format!("phải là một trong: {names}"), format!("must be one of {names}"))
}

pub(crate) fn must_be_date() -> Text {
    Text::new("phải là ngày trong dấu nháy như \"2025-09-10\"", "must be a date in quotes such as \"2025-09-10\"")
}

pub(crate) fn must_be_time_of_day() -> Text {
    Text::new("phải là giờ như \"15:00\"", "must be a time such as \"15:00\"")
}

pub(crate) fn must_be_hours() -> Text {
    Text::new("phải là khoảng giờ như \"07:30-11:30\"", "must be hours such as \"07:30-11:30\"")
}

/// Why a rule cannot be published.
#[must_use]
pub fn unfit(why: &Unfit) -> Text {
    match why {
        Unfit::Calendar(error) => calendar(error),
        Unfit::Code => Text::new(
            "mã phải có 1 đến 200 byte, không có ký tự điều khiển",
            "a code has 1 to 200 bytes and no control characters",
        ),
        Unfit::Reversed { from, to } => {
            Text::new(format!("ngày cuối {to} trước ngày đầu {from}"), format!("{to} comes before {from}"))
        }
        Unfit::CutOffDay => Text::new("kỳ báo cáo bắt đầu vào ngày 1 đến 28", "periods begin on a day from 1 to 28"),
        Unfit::NeverDecided => Text::new(
            "nhóm hồ sơ decided cần lời hẹn first hoặc current",
            "the cohort `decided` needs the promise `first` or `current`",
        ),
    }
}

/// Why a calendar cannot be counted with; dates are written as they are in the file, where they are to be found.
#[must_use]
pub fn calendar(error: &CalendarError) -> Text {
    match error {
        CalendarError::Reversed { first, last } => Text::new(
            format!("ngày cuối {last} trước ngày đầu {first}"),
            format!("the last day {last} comes before the first, {first}"),
        ),
        CalendarError::TooLong { first, last } => Text::new(
            format!("{first} đến {last} dài hơn 200 năm; hãy công bố lịch ngắn hơn"),
            format!("{first} to {last} is more than 200 years; publish a shorter calendar"),
        ),
        CalendarError::NoWeekday => Text::new(
            "mọi ngày trong tuần đều nghỉ; phải có ít nhất một ngày làm việc",
            "every day of the week is off; at least one must be worked",
        ),
        CalendarError::NoHours => Text::new("ngày làm việc không có giờ làm việc", "a working day has no office hours"),
        CalendarError::Hours => Text::new(
            "các khoảng giờ phải tăng dần trong một ngày, không chồng nhau",
            "hours must ascend within one day without overlap",
        ),
        CalendarError::CutOff => Text::new("giờ chốt phải nằm trong một ngày", "the cut-off must lie within a day"),
        CalendarError::Outside(date) => Text::new(
            format!("{date} nằm ngoài các ngày của lịch này"),
            format!("{date} lies outside of the days this calendar knows"),
        ),
        CalendarError::Order(date) => Text::new(
            format!("{date} được ghi hai lần; mỗi ngày chỉ ghi một lần"),
            format!("{date} is named twice or not in order; a day is off or worked, once"),
        ),
        CalendarError::NotOff(date) => Text::new(
            format!("{date} không thể là ngày làm việc bù: ngày đó vốn làm việc, hoặc cũng được ghi là ngày nghỉ"),
            format!("{date} cannot be a working day: it is worked anyway, or also a day off"),
        ),
    }
}
