//! A call that cannot be understood: what the arguments expect, and clap's own errors.
//!
//! In English clap speaks for itself, so the sentences about its errors have no user there but the tests; they stand
//! here beside the Vietnamese all the same, as everything does.

use super::Text;
use std::fmt::Display;

// What an argument expects.

/// A moment.
#[must_use]
pub fn moment() -> Text {
    Text::new(
        "cần một ngày như 2025-09-10 hoặc một thời điểm như 2025-09-10T09:00+07:00",
        "expected a date such as 2025-09-10 or a time such as 2025-09-10T09:00+07:00",
    )
}

/// A date.
#[must_use]
pub fn date() -> Text {
    Text::new("cần một ngày như 2025-09-10", "expected a date such as 2025-09-10")
}

/// One of some names.
#[must_use]
pub fn one_of(names: &[&str]) -> Text {
    let names = names.join(", ");
    Text::new(format!("phải là một trong: {names}"), format!("expected one of {names}"))
}

/// A time zone.
#[must_use]
pub fn zone() -> Text {
    Text::new("cần một múi giờ IANA như Asia/Ho_Chi_Minh", "expected an IANA time zone such as Asia/Ho_Chi_Minh")
}

/// An address.
#[must_use]
pub fn address() -> Text {
    Text::new("cần một địa chỉ và cổng như 127.0.0.1:7070", "expected an address and a port such as 127.0.0.1:7070")
}

/// A target.
#[must_use]
pub fn goal() -> Text {
    Text::new("cần một chỉ tiêu như >99, >=95 hoặc >98.5", "expected a goal such as >99, >=95 or >98.5")
}

/// A number.
#[must_use]
pub fn number() -> Text {
    Text::new("cần một số nguyên", "expected a whole number")
}

/// A number within bounds, as clap writes them.
#[must_use]
pub fn within(bounds: &str) -> Text {
    Text::new(format!("phải nằm trong khoảng {bounds}"), format!("expected a number within {bounds}"))
}

/// What a parser says that is none of ours.
#[must_use]
pub fn in_its_own_words(said: &str) -> Text {
    Text::same(said)
}

// What is wrong with a call.

/// The word before an error, and the line that says how to see more.
#[must_use]
pub fn frame() -> (Text, Text) {
    (Text::new("lỗi", "error"), Text::new("Xem thêm bằng '--help'.", "For more information, try '--help'."))
}

/// Two arguments that exclude each other, or one that stands twice (`other` is empty then).
#[must_use]
pub fn conflict(argument: &str, other: &[&str]) -> Text {
    if other.is_empty() {
        return Text::new(
            format!("chỉ được dùng '{argument}' một lần"),
            format!("the argument '{argument}' cannot be used multiple times"),
        );
    }
    let other = other.iter().map(|o| format!("'{o}'")).collect::<Vec<_>>().join(", ");
    Text::new(
        format!("không thể dùng '{argument}' cùng với {other}"),
        format!("the argument '{argument}' cannot be used with {other}"),
    )
}

/// A value that should have followed.
#[must_use]
pub fn value_missing(argument: &str) -> Text {
    Text::new(
        format!("'{argument}' cần một giá trị nhưng không có"),
        format!("a value is required for '{argument}' but none was supplied"),
    )
}

/// A value that does not fit, and why, if anybody said so.
#[must_use]
pub fn bad_value(value: &str, argument: &str, why: Option<&Text>) -> Text {
    let text = Text::new(
        format!("giá trị '{value}' không hợp lệ cho '{argument}'"),
        format!("invalid value '{value}' for '{argument}'"),
    );
    why.map_or_else(|| text.clone(), |why| text.before(why))
}

/// A flag that was given a value.
#[must_use]
pub fn value_unexpected(value: &str, argument: &str) -> Text {
    Text::new(
        format!("'{argument}' không nhận thêm giá trị '{value}'"),
        format!("unexpected value '{value}' for '{argument}' found; no more were expected"),
    )
}

/// A command that there is not.
#[must_use]
pub fn unknown_command(name: &str) -> Text {
    Text::new(format!("không có lệnh '{name}'"), format!("unrecognized subcommand '{name}'"))
}

/// An argument that there is not.
#[must_use]
pub fn unknown_argument(name: &str) -> Text {
    Text::new(format!("không có tham số '{name}' ở đây"), format!("unexpected argument '{name}' found"))
}

/// Arguments that are required.
#[must_use]
pub fn missing(arguments: &[&str]) -> Text {
    let list: String = arguments.iter().map(|a| format!("\n  {a}")).collect();
    Text::new(
        format!("thiếu các tham số bắt buộc:{list}"),
        format!("the following required arguments were not provided:{list}"),
    )
}

/// A command is required.
#[must_use]
pub fn command_missing(of: &str) -> Text {
    Text::new(
        format!("'{of}' cần một lệnh nhưng không có"),
        format!("'{of}' requires a subcommand but one was not provided"),
    )
}

/// Bytes that are no text.
#[must_use]
pub fn not_utf8() -> Text {
    Text::new("có tham số không phải UTF-8", "invalid UTF-8 was detected in one or more arguments")
}

/// The values that would be taken.
#[must_use]
pub fn possible_values(values: &[&str]) -> Text {
    let values = values.join(", ");
    Text::new(format!("[giá trị: {values}]"), format!("[possible values: {values}]"))
}

/// What looks alike.
#[must_use]
pub fn similar(names: &[&str]) -> Text {
    let names = names.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ");
    Text::new(format!("gợi ý: có phải {names}?"), format!("tip: a similar one exists: {names}"))
}

// Around the texts of `--help`.

/// How to call, a list of commands, a list of arguments, a list of options: the headings.
#[must_use]
pub fn headings() -> [Text; 4] {
    [
        Text::new("Cách dùng", "Usage"),
        Text::new("Các lệnh", "Commands"),
        Text::new("Đối số", "Arguments"),
        Text::new("Tùy chọn", "Options"),
    ]
}

/// What stands for options and for a command in the line that shows how to call.
#[must_use]
pub fn placeholders() -> [Text; 2] {
    [Text::new("[TÙY CHỌN]", "[OPTIONS]"), Text::new("LỆNH", "COMMAND")]
}

/// The value that is taken if none is given.
#[must_use]
pub fn default_value(value: &impl Display) -> Text {
    Text::new(format!("[mặc định: {value}]"), format!("[default: {value}]"))
}

/// The variable of the environment that may give the value, and what it says now.
#[must_use]
pub fn variable(name: &str, value: &str) -> Text {
    Text::new(format!("[biến môi trường: {name}={value}]"), format!("[env: {name}={value}]"))
}

/// The values of an argument in a long help, each with what it means.
#[must_use]
pub fn values(values: &[(String, String)]) -> Text {
    let list: String = values.iter().map(|(name, means)| format!("\n- {name}: {means}")).collect();
    Text::new(format!("Giá trị:{list}"), format!("Possible values:{list}"))
}
