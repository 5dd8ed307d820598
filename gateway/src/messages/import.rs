//! Importing files: why a file, a row or an event was not taken, and what to do.

use super::format::{listed, quoted};
use super::{Text, calls};
use crate::import::ImportError;
use dunghen_engine::dossier::{EventType, MAX_DOSSIER_CHARS, Rejection, Violation, ViolationKind};
use dunghen_engine::time::Zone;
use std::fmt::Display;
use std::path::Path;

/// Why a file could not be imported, or not to its end.
#[must_use]
pub fn error(error: &ImportError) -> Text {
    match error {
        ImportError::Unreadable { path, source } => {
            let path = path.display();
            Text::new(
                format!("không đọc được {path}: {source}; hãy kiểm tra đường dẫn và quyền truy cập"),
                format!("cannot read {path}: {source}; check the path and the permissions"),
            )
        }
        ImportError::Mapping(what) => Text::new("ánh xạ", "mapping").before(what),
        ImportError::Columns(what) | ImportError::File(what) => what.clone(),
        ImportError::Broken { line, what } => Text::new(format!("dòng {line}"), format!("line {line}")).before(what),
    }
}

/// What is said of a file, with its path before it.
#[must_use]
pub fn of_file(path: &Path, what: &Text) -> Text {
    Text::same(path.display()).before(what)
}

// Files.

pub(crate) fn is_archive() -> Text {
    Text::new(
        "là bảng tính hoặc tệp nén zip; hãy xuất ra CSV mã UTF-8, hoặc giải nén nhật ký ra",
        "is a workbook or a zip archive; export it as CSV in UTF-8, or take the log out of it",
    )
}

pub(crate) fn is_utf16() -> Text {
    Text::new("là UTF-16; hãy lưu lại bằng UTF-8", "is UTF-16; save it in UTF-8")
}

pub(crate) fn no_header() -> Text {
    Text::new(
        "không có dòng tiêu đề; tệp trống, hay `csv.skip_lines` quá lớn?",
        "has no header row; is it empty, or `csv.skip_lines` too large?",
    )
}

pub(crate) fn header_not_utf8() -> Text {
    Text::new(
        "dòng tiêu đề không phải UTF-8; hãy lưu tệp thành CSV mã UTF-8",
        "the header is not UTF-8; save the file as CSV in UTF-8",
    )
}

pub(crate) fn row_not_utf8() -> Text {
    Text::new(
        "dòng không phải UTF-8; hãy lưu tệp thành CSV mã UTF-8",
        "the row is not UTF-8; save the file as CSV in UTF-8",
    )
}

pub(crate) fn not_csv(error: &impl Display) -> Text {
    Text::new(format!("không đọc được như CSV: {error}"), format!("cannot be read as CSV: {error}"))
}

/// A row of another length than the header; `lines` are its first and its last.
pub(crate) fn row_width(cells: usize, width: usize, lines: (u64, u64)) -> Text {
    let (first, last) = lines;
    let hint = if last > first {
        Text::new(
            format!("; dòng này trải từ dòng {first} đến {last}: hãy tìm dấu ngoặc kép thừa"),
            format!("; it runs from line {first} to {last}: look for a quote too many"),
        )
    } else if cells < width {
        Text::new(
            "; hãy điền cho đủ, hoặc đặt csv.short_rows = \"fill\"",
            "; complete it, or set csv.short_rows = \"fill\"",
        )
    } else {
        Text::new(
            "; hãy tìm dấu phân cách nằm trong một giá trị, giá trị đó cần ngoặc kép",
            "; look for a delimiter inside of a value, which needs quotes",
        )
    };
    Text::new(
        format!("dòng có {cells} cột thay vì {width}{}", hint.vi),
        format!("the row has {cells} columns instead of {width}{}", hint.en),
    )
}

pub(crate) fn quote_never_closed(line: u64) -> Text {
    Text::new(
        format!(
            "ngoặc kép mở ở dòng {line} không được đóng, nên phần còn lại của tệp thành một giá trị; hãy sửa dòng đó, hoặc \
             đặt csv.quote = \"none\" nếu ngoặc kép không có nghĩa gì trong tệp này"
        ),
        format!(
            "a quote opened in the row of line {line} is never closed, so the rest of the file is one value; correct that \
             row, or set csv.quote = \"none\" if quotes mean nothing in this file"
        ),
    )
}

// Logs.

pub(crate) fn markup_too_long(mb: usize) -> Text {
    Text::new(
        format!(
            "thẻ, chú thích hoặc văn bản bắt đầu ở đây dài hơn {mb} MiB; hãy tìm dấu ngoặc kép hoặc dấu '>' bị thiếu"
        ),
        format!("the tag, comment or text that begins here is longer than {mb} MiB; look for a quote or a '>' too few"),
    )
}

/// What a library says of XML in the middle of a tag.
pub(crate) fn tag_broken(error: &impl Display) -> Text {
    Text::new(format!("thẻ XML sai: {error}"), error.to_string())
}

pub(crate) fn entity_unknown(error: &impl Display) -> Text {
    Text::new(
        format!("{error}; chỉ hiểu &lt; &gt; &amp; &apos; &quot; và số như &#233;"),
        format!("{error}; only &lt; &gt; &amp; &apos; &quot; and numbers such as &#233; are understood"),
    )
}

pub(crate) fn value_too_long(mb: usize) -> Text {
    Text::new(format!("dài hơn {mb} MiB; hãy rút ngắn"), format!("is longer than {mb} MiB; shorten it"))
}

pub(crate) fn value_twice(first: &str, second: &str) -> Text {
    let (first, second) = (quoted(first), quoted(second));
    Text::new(
        format!("có hai lần, là {first} và {second}; hãy bỏ một"),
        format!("stands twice, as {first} and as {second}; remove one of them"),
    )
}

pub(crate) fn attribute(key: &str, what: &Text) -> Text {
    let key = quoted(key);
    Text::new(format!("thuộc tính {key}"), format!("attribute {key}")).before(what)
}

pub(crate) fn of_the_trace(what: &Text) -> Text {
    Text::new("vết (trace)", "the trace").before(what)
}

pub(crate) fn xml_not_utf8() -> Text {
    Text::new("không phải UTF-8; hãy lưu tệp bằng UTF-8", "is not UTF-8; save the file in UTF-8")
}

pub(crate) fn xml_broken(error: &impl Display) -> Text {
    Text::new(format!("XML bị lỗi: {error}"), format!("the XML is broken: {error}"))
}

pub(crate) fn declares(encoding: &str) -> Text {
    let encoding = quoted(encoding);
    Text::new(
        format!("tệp tự khai là {encoding}; hãy lưu bằng UTF-8"),
        format!("the file says that it is {encoding}; save it in UTF-8"),
    )
}

pub(crate) fn after_the_log(name: &str) -> Text {
    Text::new(format!("sau khi nhật ký kết thúc còn có <{name}>"), format!("after the end of the log comes a <{name}>"))
}

pub(crate) fn other_root(name: &str) -> Text {
    Text::new(
        format!("tệp là XML nhưng gốc là <{name}>, không phải <log> của XES; hãy xuất ra CSV hoặc XES"),
        format!("the file is XML, but its root is <{name}> and not the <log> of XES; export it as CSV or XES"),
    )
}

pub(crate) fn too_deep(depth: usize) -> Text {
    Text::new(format!("các phần tử lồng nhau quá {depth} tầng"), format!("elements are nested more than {depth} deep"))
}

pub(crate) fn text_outside() -> Text {
    Text::new("có văn bản nằm ngoài nhật ký", "outside of the log stands text")
}

pub(crate) fn cut_off() -> Text {
    Text::new(
        "tệp kết thúc giữa nhật ký; nó bị cắt, hoặc chỉ chép được một phần",
        "the file ends within the log; it was cut off, or copied in part",
    )
}

pub(crate) fn no_log() -> Text {
    Text::new("tệp không có <log>", "the file has no <log>")
}

/// Attributes that the mapping names and the log has nowhere, and some that it has and the mapping does not name.
pub(crate) fn absent_attributes(absent: &[&str], others: &[String]) -> Text {
    let absent = listed(absent.iter().copied());
    let also = if others.is_empty() {
        Text::default()
    } else {
        let others = listed(others.iter().map(String::as_str));
        Text::new(
            format!("; những thuộc tính có trong nhật ký mà ánh xạ không nêu: {others}"),
            format!("; of those that the mapping does not name it has {others}"),
        )
    };
    Text::new(
        format!(
            "không vết hay sự kiện nào của nhật ký có {absent}, nên các ô này trống ở mọi nơi; nếu là lỗi chính tả, hãy sửa \
             ánh xạ rồi nhập lại{}",
            also.vi
        ),
        format!(
            "no trace or event of the log has {absent}, so they were empty everywhere; if that is a mistake of spelling, \
             correct the mapping and import again{}",
            also.en
        ),
    )
}

// Rows.

pub(crate) fn no_dossier() -> Text {
    Text::new(
        "dòng không có mã hồ sơ; hãy điền vào, hoặc loại các dòng như vậy bằng bộ lọc",
        "the row has no dossier code; complete it, or drop such rows with a filter",
    )
}

pub(crate) fn bad_dossier(code: &str) -> Text {
    let code = quoted(code);
    Text::new(
        format!("dossier: {code} không phải mã gồm tối đa {MAX_DOSSIER_CHARS} ký tự in được"),
        format!("dossier: {code} is no code of at most {MAX_DOSSIER_CHARS} printable characters"),
    )
}

pub(crate) fn says_nothing() -> Text {
    Text::new(
        "dòng không cho biết việc gì đã xảy ra; hãy điền vào, hoặc thêm \"\" vào `ignore`",
        "the row does not say what happened; complete it, or add \"\" to `ignore`",
    )
}

pub(crate) fn unlisted(what: &str) -> Text {
    let what = quoted(what);
    Text::new(
        format!("không sự kiện nào liệt kê {what}; hãy thêm vào một `when` hoặc vào `ignore`"),
        format!("no event lists {what}; add it to a `when` or to `ignore`"),
    )
}

pub(crate) fn no_time(event_type: EventType) -> Text {
    Text::new(
        format!("{event_type}: occurred_at bị trống; hãy điền vào"),
        format!("{event_type}: occurred_at is empty; complete it"),
    )
}

pub(crate) fn dossier_twice(line: u64) -> Text {
    Text::new(
        format!("hồ sơ đã có ở dòng {line}; hãy bỏ một trong hai dòng, hoặc đặt case_rows = \"repeated\""),
        format!("the dossier stands on line {line} already; remove one of the rows, or set case_rows = \"repeated\""),
    )
}

/// Two rows of a dossier that contradict each other.
pub(crate) fn conflict(column: &Text, now: &str, first: &str, line: u64) -> Text {
    let (now, first) = (quoted(now), quoted(first));
    Text::new(
        format!(
            "{} ghi {now} ở đây, nhưng {first} ở dòng {line}; hãy sửa cho giống nhau, hoặc lấy giá trị từ cột khác",
            column.vi
        ),
        format!(
            "{} says {now} here, but {first} on line {line}; make them equal, or take the value from another column",
            column.en
        ),
    )
}

pub(crate) fn row_without_event() -> Text {
    Text::new(
        "dòng không tạo ra sự kiện nào: mọi occurred_at đều trống hoặc bị `only_if` loại; hãy điền vào, hoặc loại các dòng \
         như vậy bằng bộ lọc",
        "the row brings no event: every occurred_at is empty or left out by `only_if`; complete it, or drop such rows with a \
         filter",
    )
}

pub(crate) fn trace_without_event() -> Text {
    Text::new(
        "vết không có sự kiện, và thuộc tính của nó cũng không tạo ra sự kiện nào; hãy điền vào, hoặc loại các vết như vậy \
         bằng bộ lọc",
        "the trace has no events, and its own attributes bring none; complete it, or drop such traces with a filter",
    )
}

/// A column of a file by its name, or by its number where it has none.
pub(crate) fn column(name: Option<&str>, number: usize) -> Text {
    let name = name.map_or_else(|| number.to_string(), quoted);
    Text::new(format!("cột {name}"), format!("column {name}"))
}

/// What is wrong with the cell of a field.
pub(crate) fn of_field(field: &str, column: &Text, what: &Text) -> Text {
    Text::new(format!("{field} ({})", column.vi), format!("{field} ({})", column.en)).before(what)
}

pub(crate) fn field_empty(field: &str) -> Text {
    Text::new(
        format!("{field} bị trống; hãy điền vào, hoặc cho một `default`"),
        format!("{field} is empty; complete it, or give a `default`"),
    )
}

pub(crate) fn two_dues(instant: &str, date: &str) -> Text {
    Text::new(
        format!("có cả {instant} và {date}; hạn trả chỉ được là một trong hai"),
        format!("{instant} and {date} are both given; a due is one or the other"),
    )
}

/// All that is wrong with an event of a row.
pub(crate) fn of_event(event_type: EventType, wrong: &[&Text]) -> Text {
    Text::same(event_type).before(&Text::joined(wrong.iter().copied(), "; "))
}

/// What the engine has against a statement that a row makes.
pub(crate) fn rejection(rejection: &Rejection) -> Text {
    match rejection {
        Rejection::Malformed(violations) => {
            let texts: Vec<Text> = violations.iter().map(violation).collect();
            Text::joined(&texts, "; ")
        }
        Rejection::TooLarge { size, limit, unit } => Text::new(
            format!("các văn bản của nó chiếm {size} byte, chỉ được {limit}; hãy rút ngắn, hoặc lấy ít cột hơn"),
            format!("its texts take {size} {unit}, {limit} are allowed; shorten them, or map fewer columns"),
        ),
        other => super::rejection(other, &Zone::VIETNAM),
    }
}

fn violation(violation: &Violation) -> Text {
    let what = match &violation.kind {
        ViolationKind::Missing => Text::new("bị trống; hãy điền vào", "is empty; complete it"),
        ViolationKind::TooLong(limit) => Text::new(
            format!("dài quá {limit} ký tự; hãy ánh xạ sang mã ngắn hơn"),
            format!("is longer than {limit} characters; map it to a shorter code"),
        ),
        ViolationKind::NotPrintable => Text::new(
            "có dấu xuống dòng hoặc ký tự điều khiển khác; hãy ánh xạ sang một mã",
            "holds a line break or another control character; map it to a code",
        ),
        ViolationKind::TooMany(limit) => Text::new(
            format!("có hơn {limit} mục; hãy nhập ít hơn"),
            format!("has more than {limit} entries; import fewer"),
        ),
        ViolationKind::NotAnInstant | ViolationKind::NotADate => {
            Text::new("nằm ngoài các năm 1 đến 9999", "is outside of the years 1 to 9999")
        }
        ViolationKind::BothDues => {
            Text::new("được ghi cả thời điểm và ngày; hãy chỉ ghi một", "is given as a time and as a date; give one")
        }
        ViolationKind::Unknown
        | ViolationKind::UnknownType
        | ViolationKind::NoType
        | ViolationKind::NoSuchDate
        | ViolationKind::NotAUuid
        | ViolationKind::NotOneOf(_)
        | ViolationKind::NotOfType(_)
        | ViolationKind::AnnulOrReplace
        | ViolationKind::NoSuchEvent
        | ViolationKind::EngineWrote
        | ViolationKind::NotOfEventType(_)
        | ViolationKind::CorrectionOfCorrection
        | ViolationKind::OtherDossier
        | ViolationKind::NotJson(_) => super::violation(violation),
    };
    let field = &violation.field;
    Text::new(format!("{field} {}", what.vi), format!("{field} {}", what.en))
}

// Cells.

pub(crate) fn not_in_map<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Text {
    let (text, known) = (quoted(text), listed(known));
    Text::new(
        format!("{text} không có trong `map` của nó ({known}); hãy thêm vào đó, hoặc đặt `otherwise`"),
        format!("{text} is not in its map ({known}); add it there, or set `otherwise`"),
    )
}

pub(crate) fn not_one_of(text: &str, names: &[&str]) -> Text {
    let (text, names) = (quoted(text), names.join(", "));
    Text::new(
        format!("{text} không thuộc các giá trị {names}; hãy cho nó một `map`"),
        format!("{text} is not one of {names}; give it a `map`"),
    )
}

pub(crate) fn no_format_fits<'a>(text: &str, formats: impl IntoIterator<Item = &'a str>) -> Text {
    let (text, formats) = (quoted(text), listed(formats));
    Text::new(
        format!("{text} không khớp dạng nào trong các dạng {formats}; hãy sửa, hoặc thêm dạng của nó vào `formats`"),
        format!("{text} fits none of the formats {formats}; correct it, or add its format to `formats`"),
    )
}

pub(crate) fn time_never_was(text: &str, zone: &Zone) -> Text {
    let (text, zone) = (quoted(text), zone.name());
    Text::new(
        format!("{text} không tồn tại ở {zone}: đồng hồ đã được vặn qua giờ đó; hãy sửa, hoặc đổi múi giờ"),
        format!("{text} does not exist in {zone}: the clock was set forward over it; correct it, or the time zone"),
    )
}

// The command.

/// How much an import has done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Dossiers read.
    pub dossiers: u64,
    /// Events that are new.
    pub events: u64,
    /// Events that were there already.
    pub duplicates: u64,
    /// Rows or events that were rejected.
    pub rejected: u64,
}

/// A log that is broken in its middle: what stood before is recorded, and the user is told how much that is.
#[must_use]
pub fn in_the_middle(file: &Path, error: &Text, done: Done, rejects: Option<&Path>) -> Text {
    let (file, rejects) = (file.display(), rejects.map(|r| format!(" ({})", r.display())).unwrap_or_default());
    let Done { dossiers, events, duplicates, rejected } = done;
    Text::new(
        format!(
            "{file}: {}\nPhần đứng trước đã được nhập: {dossiers} hồ sơ, {events} sự kiện mới, {duplicates} đã có, {rejected} \
             bị từ chối{rejects}. Hãy sửa tệp rồi nhập lại: không có gì bị ghi hai lần.",
            error.vi
        ),
        format!(
            "{file}: {}\nWhat stands before it was imported: {dossiers} dossiers, {events} new events, {duplicates} already \
             there, {rejected} rejected{rejects}. Correct the file and import it again: nothing is recorded twice.",
            error.en
        ),
    )
}

/// What a row means whose ordinal stands for another event already: it was changed, or came in between.
#[must_use]
pub fn grown(dossier: &str, event_type: EventType) -> Text {
    Text::new(
        format!(
            "Hồ sơ {dossier}: ở vị trí này nhật ký đã có một sự kiện {event_type} khác. Dòng đã bị sửa, hoặc mới chen vào \
             trước các dòng đã nhập. Nếu là sự kiện mới, hãy ghi bằng `dunghen record`."
        ),
        format!(
            "Dossier {dossier}: in this place the log holds another {event_type} already. The row was changed, or came in \
             before rows that were imported. If it is a new event, record it with `dunghen record`."
        ),
    )
}

/// Where the rejects are.
#[must_use]
pub fn rejects_at(path: &Path) -> Text {
    let path = path.display();
    Text::new(format!("Các dòng bị từ chối và lý do: {path}"), format!("What was rejected, and why: {path}"))
}

/// A file of rejects that would overwrite what is read.
#[must_use]
pub fn rejects_are_read(path: &Path) -> Text {
    let path = path.display();
    Text::new(
        format!("{path} chính là tệp đang được nhập; hãy nêu tệp khác bằng --rejects"),
        format!("{path} is read by this import; name another file with --rejects"),
    )
}

/// A file of rejects that cannot be written.
#[must_use]
pub fn rejects_unwritable(path: &Path, error: &impl Display) -> Text {
    let said = calls::system_at(path, error);
    Text::new(
        format!("{}; không ghi được các dòng bị từ chối vào đó; hãy nêu tệp khác bằng --rejects", said.vi),
        format!("{}; what is rejected could not be written there; name another file with --rejects", said.en),
    )
}

/// What stands beside the bar of progress: reading, dossiers, events.
#[must_use]
pub fn progress() -> [Text; 3] {
    [Text::new("đọc tệp", "reading"), Text::new("hồ sơ", "dossiers"), Text::new("sự kiện", "events")]
}
