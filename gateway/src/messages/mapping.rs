//! What is wrong with a mapping: where it stands, and what to do; and how a mapping does not fit a file.
//!
//! A place, such as a field of an event, is a text that goes before the reason ([`Text::before`]).

use super::Text;
use super::format::{listed, quoted};
use dunghen_engine::dossier::{EventType, MAX_CODE_CHARS};
use std::path::Path;

// Places.

/// A key at the top of the mapping.
pub(crate) fn key(name: &str) -> Text {
    Text::same(format!("`{name}`"))
}

/// A key within a place.
pub(crate) fn key_of(place: &Text, name: &str) -> Text {
    Text::new(format!("{}, `{name}`", place.vi), format!("{}, `{name}`", place.en))
}

pub(crate) fn filter(number: usize) -> Text {
    Text::new(format!("bộ lọc {number}"), format!("filter {number}"))
}

pub(crate) fn event(number: usize) -> Text {
    Text::new(format!("sự kiện {number}"), format!("event {number}"))
}

pub(crate) fn event_named(number: usize, name: &str) -> Text {
    let place = event(number);
    Text::new(format!("{} ({name})", place.vi), format!("{} ({name})", place.en))
}

pub(crate) fn field_of(place: &Text, name: &str) -> Text {
    Text::new(format!("{}, trường `{name}`", place.vi), format!("{}, field `{name}`", place.en))
}

pub(crate) fn file(path: &Path) -> Text {
    Text::same(path.display())
}

// The file.

pub(crate) fn not_utf8() -> Text {
    Text::new("không phải UTF-8; hãy lưu bằng UTF-8", "is not UTF-8; save it as UTF-8")
}

/// What the reader of TOML says: a key that is not known, a type that is wrong. `said` is the whole of it, in English.
pub(crate) fn not_understood(message: &str, said: &str) -> Text {
    Text::new(of_toml(message), said)
}

/// The same, on a line of the mapping, the first being 1; in English the reader names the line itself.
pub(crate) fn not_understood_at(line: usize, message: &str, said: &str) -> Text {
    Text::new(format!("dòng {line}: {}", of_toml(message)), said)
}

/// The sentences of the reader that mappings meet, in Vietnamese; others stay as they are.
pub(super) fn of_toml(message: &str) -> String {
    let listing = |rest: &str, what: &str| {
        let rest = rest.replacen(", expected one of ", &format!("; {what} "), 1);
        rest.replacen(", expected ", &format!("; {what} "), 1).replace("` or `", "` hoặc `")
    };
    let known = [
        ("unknown field ", "có khóa lạ ", "các khóa được dùng là"),
        ("unknown variant ", "có giá trị lạ ", "các giá trị được dùng là"),
        ("missing field ", "thiếu khóa ", ""),
        ("duplicate key", "trùng khóa", ""),
        ("invalid type: ", "sai kiểu: ", "cần"),
    ];
    let found =
        known.iter().find_map(|(en, vi, what)| Some(format!("{vi}{}", listing(message.strip_prefix(en)?, what))));
    found.unwrap_or_else(|| message.to_owned())
}

pub(crate) fn bad_source() -> Text {
    Text::new(
        "`source` phải là tên trên một dòng; nó là một phần của mọi mã sự kiện",
        "`source` must be a name on one line; it becomes part of every event id",
    )
}

pub(crate) fn no_events() -> Text {
    Text::new(
        "chưa có sự kiện nào; hãy viết ít nhất một bảng [[events]] có `type` và `occurred_at`",
        "there is no event; write at least one [[events]] table with `type` and `occurred_at`",
    )
}

pub(crate) fn case_rows_is_wide() -> Text {
    Text::new("`case_rows` thuộc về shape = \"wide\"; hãy bỏ đi", "`case_rows` belongs to shape = \"wide\"; remove it")
}

pub(crate) fn no_type_column() -> Text {
    Text::new(
        "shape = \"long\" cần `type_column`, cột cho biết việc gì đã xảy ra",
        "shape = \"long\" needs `type_column`, the column that says what happened",
    )
}

pub(crate) fn ignored_and_wanted(value: &str) -> Text {
    let value = quoted(value);
    Text::new(
        format!("{value} có cả trong `ignore` và trong một `when`; hãy bỏ một"),
        format!("{value} stands in `ignore` and in a `when`; remove one of them"),
    )
}

pub(crate) fn no_when() -> Text {
    Text::new(
        "không sự kiện nào có `when`, nên không dòng nào thành sự kiện; hãy thêm, hoặc dùng shape = \"wide\" với case_rows = \
         \"repeated\"",
        "no event has a `when`, so no row would be an event; give one, or use shape = \"wide\" with case_rows = \"repeated\"",
    )
}

pub(crate) fn is_long(key: &str) -> Text {
    Text::new(
        format!("`{key}` thuộc về shape = \"long\"; hãy bỏ đi, hoặc đổi shape"),
        format!("`{key}` belongs to shape = \"long\"; remove it, or change the shape"),
    )
}

/// A key of `[csv]` that must be one character; `or` is a word that it may be instead.
pub(crate) fn not_one_character(key: &str, text: &str, or: Option<&str>) -> Text {
    let text = quoted(text);
    let (vi, en) = or.map_or_else(Default::default, |or| (format!(", hoặc \"{or}\""), format!(", or \"{or}\"")));
    Text::new(
        format!("`csv.{key}` là {text}; phải là một ký tự ASCII{vi}"),
        format!("`csv.{key}` is {text}; it must be one ASCII character{en}"),
    )
}

pub(crate) fn quote_is_delimiter() -> Text {
    Text::new(
        "`csv.quote` và `csv.escape` phải khác `csv.delimiter`",
        "`csv.quote` and `csv.escape` must differ from `csv.delimiter`",
    )
}

// Conditions and events.

pub(crate) fn is_or_is_not() -> Text {
    Text::new(
        "hãy cho hoặc `is` hoặc `is_not`, một danh sách giá trị",
        "give either `is` or `is_not`, a list of values",
    )
}

pub(crate) fn no_type() -> Text {
    Text::new("cần `type`, ví dụ \"Received\"", "needs `type`, such as \"Received\"")
}

pub(crate) fn late_is_the_engines() -> Text {
    Text::new("chỉ hệ thống ghi Late; hãy bỏ sự kiện này", "only the engine writes Late; remove this event")
}

pub(crate) fn corrections_are_sent() -> Text {
    Text::new(
        "đính chính phải nêu một sự kiện trong nhật ký; hãy gửi bằng `dunghen record`",
        "a correction names an event of the log; send it with `dunghen record`",
    )
}

pub(crate) fn unknown_type() -> Text {
    let told = |t: &&EventType| ![EventType::Late, EventType::Corrected].contains(*t);
    let types = listed(EventType::ALL.iter().filter(told).map(|t| t.name()));
    Text::new(
        format!("không có loại này; các loại là {types}"),
        format!("there is no such type; the types are {types}"),
    )
}

pub(crate) fn when_is_long() -> Text {
    Text::new(
        "`when` thuộc về shape = \"long\"; trong tệp dạng wide hãy dùng `only_if`",
        "`when` belongs to shape = \"long\"; in a wide file use `only_if`",
    )
}

pub(crate) fn unknown_field(name: &str, takes: &[&str]) -> Text {
    let takes = takes.join(", ");
    Text::new(
        format!("không có trường `{name}`; các trường là {takes}"),
        format!("it has no field `{name}`; it takes {takes}"),
    )
}

pub(crate) fn needs_field(name: &str) -> Text {
    Text::new(
        format!("cần `{name}`; hãy nêu cột của nó, hoặc cho {{ value = … }}"),
        format!("needs `{name}`; name its column, or give a {{ value = … }}"),
    )
}

// Fields.

/// Why a key does not belong to a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Misplaced {
    /// It is for times and dates.
    ForTimesAndDates,
    /// It is for times.
    ForTimes,
    /// It is for lists.
    ForItems,
    /// The moment of an event comes from a column.
    NotForTheMoment,
    /// A constant needs nothing else.
    BesideAConstant,
}

pub(crate) fn misplaced(key: &str, why: Misplaced) -> Text {
    let (vi, en) = match why {
        Misplaced::ForTimesAndDates => ("chỉ dùng cho thời điểm và ngày", "is for times and dates only"),
        Misplaced::ForTimes => ("chỉ dùng cho thời điểm", "is for times only"),
        Misplaced::ForItems => ("chỉ dùng cho `items`", "is for `items` only"),
        Misplaced::NotForTheMoment => (
            "không dùng cho `occurred_at`, giá trị này phải lấy từ một cột",
            "is not for `occurred_at`, which must come from a column",
        ),
        Misplaced::BesideAConstant => (
            "không đi cùng `value`, vốn như nhau cho mọi dòng",
            "does not go with `value`, which is the same for every row",
        ),
    };
    Text::new(format!("`{key}` {vi}; hãy bỏ đi"), format!("`{key}` {en}; remove it"))
}

pub(crate) fn split_empty() -> Text {
    Text::new(
        "`split` không được trống; hãy viết ký tự giữa hai mục, ví dụ \";\"",
        "`split` must not be empty; write the text between two items, such as \";\"",
    )
}

pub(crate) fn needs_column() -> Text {
    Text::new("cần `column`, hoặc `value` cho một hằng số", "needs `column`, or `value` for a constant")
}

pub(crate) fn keep_needs_map() -> Text {
    Text::new("otherwise = \"keep\" cần một `map`; hãy bỏ đi", "otherwise = \"keep\" needs a `map`; remove it")
}

pub(crate) fn empty_needs_map() -> Text {
    Text::new(
        "otherwise = \"empty\" cần một `map`: không có nó thì văn bản nào cũng là giá trị",
        "otherwise = \"empty\" needs a `map`: without one every text is a value",
    )
}

pub(crate) fn bad_code(text: &str) -> Text {
    let text = quoted(text);
    Text::new(
        format!("{text} phải in được, tối đa {MAX_CODE_CHARS} ký tự"),
        format!("{text} must be printable, at most {MAX_CODE_CHARS} characters"),
    )
}

pub(crate) fn no_text() -> Text {
    Text::new("hãy viết một văn bản trong ngoặc kép", "write a text in quotes")
}

pub(crate) fn no_list() -> Text {
    Text::new("hãy viết một danh sách văn bản, ví dụ [\"A\", \"B\"]", "write a list of texts, such as [\"A\", \"B\"]")
}

pub(crate) fn no_column_number(number: i64) -> Text {
    Text::new(
        format!("các cột được đếm từ 1; không có cột {number}"),
        format!("columns are counted from 1; {number} is none"),
    )
}

pub(crate) fn no_column() -> Text {
    Text::new("hãy viết tên cột trong ngoặc kép, hoặc số của nó", "write a column's name in quotes, or its number")
}

pub(crate) fn no_zone(name: &str) -> Text {
    let name = quoted(name);
    Text::new(
        format!("{name} không phải múi giờ IANA; hãy viết ví dụ Asia/Ho_Chi_Minh"),
        format!("{name} is no IANA time zone; write one like Asia/Ho_Chi_Minh"),
    )
}

pub(crate) fn no_time_of_day(text: &str) -> Text {
    let text = quoted(text);
    Text::new(
        format!("{text} không phải giờ trong ngày; hãy viết HH:MM"),
        format!("{text} is no time of day; write HH:MM"),
    )
}

pub(crate) fn list_empty() -> Text {
    Text::new("danh sách trống; hãy nêu một dạng, hoặc bỏ đi", "the list is empty; name a format, or remove it")
}

pub(crate) fn no_format(name: &str) -> Text {
    let name = quoted(name);
    Text::new(
        format!(
            "{name} không phải dạng thời gian; hãy viết rfc3339, unix, unix_ms, excel hoặc mẫu như '%d/%m/%Y %H:%M'"
        ),
        format!("{name} is no time format; write rfc3339, unix, unix_ms, excel or a pattern like '%d/%m/%Y %H:%M'"),
    )
}

pub(crate) fn unknown_sign(name: &str) -> Text {
    let name = quoted(name);
    Text::new(
        format!("{name} có ký hiệu % không rõ; trang hướng dẫn liệt kê tất cả"),
        format!("{name} holds an unknown % sign; the page lists them all"),
    )
}

pub(crate) fn zone_sign(name: &str) -> Text {
    let name = quoted(name);
    Text::new(
        format!("{name}: không đọc được %Z; hãy dùng `time_zone`, hoặc %z cho độ lệch giờ"),
        format!("{name}: %Z cannot be read; use `time_zone`, or %z for an offset"),
    )
}

pub(crate) fn gives_no_moment(name: &str) -> Text {
    let name = quoted(name);
    Text::new(
        format!("{name} không cho ra thời điểm; cần có năm, tháng, ngày, và với giờ thì %H (hoặc %I với %p) và %M"),
        format!("{name} cannot give a moment; it needs year, month and day, and for a time %H (or %I with %p) and %M"),
    )
}

// A mapping and the columns of a file.

/// A column that was looked for, by its number.
pub(crate) fn number(number: usize) -> Text {
    Text::new(format!("số {number}"), format!("number {number}"))
}

/// The same, by its name.
pub(crate) fn name(name: &str) -> Text {
    Text::same(quoted(name))
}

/// A name that two columns have, counted from 1.
pub(crate) fn name_at(name: &str, first: usize, second: usize) -> Text {
    let name = quoted(name);
    Text::new(format!("{name} (cột {first} và {second})"), format!("{name} (columns {first} and {second})"))
}

pub(crate) fn log_has_no_order(missing: &[Text]) -> Text {
    let missing = Text::joined(missing, ", ");
    Text::new(
        format!(
            "thuộc tính của nhật ký không có thứ tự, nên không có cột {}: hãy viết tên, ví dụ case:concept:name cho thuộc \
             tính của vết hoặc concept:name cho thuộc tính của sự kiện",
            missing.vi
        ),
        format!(
            "the attributes of a log have no order, so there is no column {}: write names, such as case:concept:name for an \
             attribute of the trace or concept:name for one of the event",
            missing.en
        ),
    )
}

pub(crate) fn no_names(missing: &[Text]) -> Text {
    let missing = Text::joined(missing, ", ");
    Text::new(
        format!("ánh xạ đặt csv.header = false nên các cột không có tên: hãy viết số thay cho {}", missing.vi),
        format!(
            "the mapping says csv.header = false, so columns have no names: write numbers instead of {}",
            missing.en
        ),
    )
}

/// Columns that a file does not have; `names` are those it has.
pub(crate) fn missing_columns(missing: &[Text], names: &[String]) -> Text {
    let there: Vec<String> = (1..).zip(names).map(|(i, name)| format!("{i} {}", quoted(name))).collect();
    let (missing, there) = (Text::joined(missing, ", "), there.join(", "));
    let hint = if names.len() == 1 {
        Text::new(
            "dòng tiêu đề chỉ có một cột: `csv.delimiter` có đúng không?",
            "the header is a single column: is `csv.delimiter` right?",
        )
    } else {
        Text::new(
            "hãy sửa ánh xạ; một tên trông giống hệt có thể gồm các ký tự khác: hãy chép từ tệp, hoặc viết số của cột",
            "correct the mapping; a name that looks the same may be composed of other characters: copy it from the file, or \
             write the column's number",
        )
    };
    Text::new(
        format!("tệp không có cột {}; các cột có là {there}; {}", missing.vi, hint.vi),
        format!("the file has no column {}; it has {there}; {}", missing.en, hint.en),
    )
}

pub(crate) fn names_twice(twice: &[Text]) -> Text {
    let twice = Text::joined(twice, ", ");
    Text::new(
        format!("dòng tiêu đề có tên {} hai lần; hãy viết số của cột trong ánh xạ", twice.vi),
        format!("the header has the name {} twice; write the column's number in the mapping", twice.en),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_reader_of_toml_says() {
        assert_eq!(
            of_toml("unknown field `x`, expected one of `a`, `b`"),
            "có khóa lạ `x`; các khóa được dùng là `a`, `b`"
        );
        assert_eq!(
            of_toml("unknown variant `x`, expected `a` or `b`"),
            "có giá trị lạ `x`; các giá trị được dùng là `a` hoặc `b`"
        );
        assert_eq!(of_toml("missing field `source`"), "thiếu khóa `source`");
        assert_eq!(of_toml("key with no value"), "key with no value");
    }
}
