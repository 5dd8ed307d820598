//! What is wrong with a file of rules: where it stands, and what to write instead.
//!
//! A key is a text that goes before the reason ([`Text::before`]), and a line before both.

use super::Text;
use super::format::dated;
use super::mapping::of_toml;
pub(crate) use super::questions::{no_such_date, required};
use super::tables::row;
use dunghen_engine::calendar::CalendarError;
use dunghen_engine::rules::{BadTiers, RuleKind, Unfit};
use dunghen_engine::time::Date;
use std::path::Path;

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

/// Two ways to say the same; one is enough.
pub(crate) fn not_both(one: &str, other: &str) -> Text {
    Text::new(format!("chỉ nêu một trong {one} và {other}"), format!("say {one} or {other}, not both"))
}

/// A version that stands in the file already.
pub(crate) fn twice(kind: RuleKind, code: &str, effective_from: Date, first: usize) -> Text {
    let (name, vi) = (kind.name(), kind_name(kind.name()).vi);
    Text::new(
        format!("{vi} {code} hiệu lực từ {effective_from} đã có ở dòng {first}; mỗi phiên bản chỉ ghi một lần"),
        format!(
            "the {name} {code} effective from {effective_from} stands in line {first} already; say each version once"
        ),
    )
}

/// A rule that another names, and that is not there; `known` are the names that would do.
pub(crate) fn names_nothing(kind: RuleKind, code: &str, known: &[&str]) -> Text {
    let (name, vi, known) = (kind.name(), kind_name(kind.name()).vi, known.join(", "));
    Text::new(
        format!("không có {vi} nào mã {code}; hãy công bố trước hoặc cùng trong tệp này, hoặc dùng một trong: {known}"),
        format!("there is no {name} {code}; publish it before or in the same file, or name one of {known}"),
    )
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

pub(crate) fn must_be_true_or_false() -> Text {
    Text::new("phải là true hoặc false", "must be true or false")
}

pub(crate) fn must_be_number(least: u32, most: u32) -> Text {
    Text::new(
        format!("phải là số nguyên từ {least} đến {most}"),
        format!("must be a whole number from {least} to {most}"),
    )
}

pub(crate) fn must_be_term(most: u32) -> Text {
    Text::new(
        format!("phải là thời hạn như \"3 working_day\"; đơn vị: hour, working_day, day, month; nhiều nhất {most}"),
        format!("must be a term such as \"3 working_day\"; units are hour, working_day, day, month; at most {most}"),
    )
}

pub(crate) fn must_be_letter_by() -> Text {
    Text::new(
        "phải là \"appointment_date\", hoặc như \"1 working_day before\", \"2 working_day after\", \"4 hour after\"",
        "must be \"appointment_date\", or as \"1 working_day before\", \"2 working_day after\", \"4 hour after\"",
    )
}

pub(crate) fn must_be_share() -> Text {
    Text::new(
        "phải là chuỗi từ \"0\" đến \"1\" như \"0.99\", nhiều nhất bốn chữ số thập phân",
        "must be a text from \"0\" to \"1\" such as \"0.99\", with four decimals at most",
    )
}

pub(crate) fn must_be_decimal() -> Text {
    Text::new(
        "phải là số nguyên, hoặc số thập phân trong dấu nháy như \"99.5\"",
        "must be a whole number, or a text in quotes such as \"99.5\"",
    )
}

pub(crate) fn must_be_marks() -> Text {
    Text::new(
        "phải là \"full\", \"rate\", hoặc số điểm như 1 hoặc \"0.75\"",
        "must be \"full\", \"rate\", or a number of marks such as 1 or \"0.75\"",
    )
}

/// A tier that has no bound, or two.
pub(crate) fn one_bound() -> Text {
    Text::new(
        "hãy ghi đúng một trong hai: at_least (từ … trở lên) hoặc above (trên …)",
        "say one of at_least and above",
    )
}

// Kinds and versions, as people read them.

/// A kind of rules; what is not known stays as it is.
#[must_use]
pub fn kind_name(kind: &str) -> Text {
    let (vi, en) = match kind {
        "calendar" => ("lịch làm việc", "calendar"),
        "unit" => ("đơn vị", "unit"),
        "procedure" => ("thủ tục", "procedure"),
        "apology" => ("quy định xin lỗi", "apology policy"),
        "reason" => ("lý do", "reason"),
        "definition" => ("định nghĩa tỷ lệ", "definition"),
        "target" => ("chỉ tiêu", "target"),
        "report_period" => ("kỳ báo cáo", "report period"),
        "tiers" => ("bậc điểm", "tiers"),
        other => (other, other),
    };
    Text::new(vi, en)
}

/// The header of what was published.
#[must_use]
pub fn published_header() -> [Text; 5] {
    row([("loại", "kind"), ("mã", "code"), ("phiên bản", "version"), ("vị trí", "position"), ("ghi chú", "note")])
}

/// What became of one rule that was sent.
#[must_use]
pub fn outcome(duplicate: bool, dry_run: bool) -> Text {
    match (duplicate, dry_run) {
        (true, _) => Text::new("đã có từ trước", "was there before"),
        (false, true) => Text::new("hợp lệ, chưa công bố", "fits; not published"),
        (false, false) => Text::new("đã công bố", "published"),
    }
}

/// What a server says of a rule that it takes.
#[must_use]
pub fn note(kind: &str, code: &str, (vi, en): (&str, &str)) -> Text {
    let name = kind_name(kind);
    Text::new(format!("{} {code}: {vi}", name.vi), format!("{} {code}: {en}", name.en))
}

/// The header of a list of rules.
#[must_use]
pub fn list_header() -> [Text; 6] {
    row([
        ("loại", "kind"),
        ("mã", "code"),
        ("phiên bản", "version"),
        ("hiệu lực từ", "effective from"),
        ("ghi lúc", "recorded"),
        ("tên", "name"),
    ])
}

/// Where a version came from that nobody recorded.
#[must_use]
pub fn built_in() -> Text {
    Text::new("có sẵn", "built in")
}

/// A version, as a heading.
#[must_use]
pub fn version(kind: &str, code: &str, number: u32) -> Text {
    let (name, built_in) = (kind_name(kind), built_in());
    if number == 0 {
        return Text::new(
            format!("{} {code}, phiên bản 0 ({})", name.vi, built_in.vi),
            format!("{} {code}, version 0 ({})", name.en, built_in.en),
        );
    }
    Text::new(format!("{} {code}, phiên bản {number}", name.vi), format!("{} {code}, version {number}", name.en))
}

/// What a report names and nobody published.
#[must_use]
pub fn unknown_code(kind: &str, code: &str, known: &[&str]) -> Text {
    let name = kind_name(kind);
    let known = if known.is_empty() {
        Text::new("chưa có mã nào, hãy công bố trước", "there is none, publish it first")
    } else {
        let known = known.join(", ");
        Text::new(format!("các mã đã có: {known}"), format!("the codes are {known}"))
    };
    Text::new(
        format!("không có {} nào mã {code}; {}", name.vi, known.vi),
        format!("there is no {} {code}; {}", name.en, known.en),
    )
}

/// What a report names and was in force later only.
#[must_use]
pub fn not_yet_in_force(kind: &str, code: &str, day: Date, first: &str) -> Text {
    let (name, day) = (kind_name(kind), dated(day));
    Text::new(
        format!("{} {code} chưa có hiệu lực ngày {}, chỉ từ {first}; hãy chọn mã hoặc kỳ khác", name.vi, day.vi),
        format!("{} {code} was not yet in force on {}, only from {first} on; name others", name.en, day.en),
    )
}

/// A rule of which there is no version.
#[must_use]
pub fn no_such_rule(kind: &str, code: &str) -> Text {
    let name = kind_name(kind);
    Text::new(
        format!("không có {} nào mã {code}; xem: dunghen rules list --kind {kind}", name.vi),
        format!("there is no {} {code}; see: dunghen rules list --kind {kind}", name.en),
    )
}

/// A version that a rule has not.
#[must_use]
pub fn no_such_version(kind: &str, code: &str, wanted: u32, known: &str) -> Text {
    let name = kind_name(kind);
    Text::new(
        format!("{} {code} không có phiên bản {wanted}; các phiên bản: {known}", name.vi),
        format!("{} {code} has no version {wanted}; its versions: {known}", name.en),
    )
}

/// A rule that was never changed.
#[must_use]
pub fn one_version(kind: &str, code: &str, number: u32) -> Text {
    let name = kind_name(kind);
    Text::new(
        format!("{} {code} chỉ có phiên bản {number}: không có gì để so", name.vi),
        format!("{} {code} has version {number} only: there is nothing to compare", name.en),
    )
}

/// Two versions that say the same.
#[must_use]
pub fn no_difference() -> Text {
    Text::new("hai phiên bản giống nhau", "the two versions say the same")
}

/// A unit for which nobody published a calendar.
#[must_use]
pub fn no_calendar(unit: &str, day: Date) -> Text {
    let day = dated(day);
    Text::new(
        format!("không có lịch làm việc nào hiệu lực cho {unit} ngày {}; hãy công bố lịch và đơn vị", day.vi),
        format!("no calendar is in force for {unit} on {}; publish a calendar, and the unit that follows it", day.en),
    )
}

/// What is said of a file, under its name.
#[must_use]
pub fn of_file(path: &Path, what: &Text) -> Text {
    Text::same(path.display()).before(what)
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
        Unfit::BuiltInDefinition => Text::new(
            "định nghĩa này có sẵn và không thay đổi; hãy công bố dưới tên khác",
            "this definition is built in and stays as it is; publish under a name of its own",
        ),
        Unfit::EveryUnit => Text::new(
            "đơn vị * phải nêu lịch làm việc (calendar) và quy định xin lỗi (apology)",
            "the unit * must name a calendar and an apology policy",
        ),
        Unfit::NeverDecided => Text::new(
            "nhóm hồ sơ decided cần lời hẹn first hoặc current",
            "the cohort `decided` needs the promise `first` or `current`",
        ),
        Unfit::Tiers { of, bad } => key(of).before(&bad_tiers(*bad)),
    }
}

/// Why tiers cannot be gone through, and what to write.
fn bad_tiers(bad: BadTiers) -> Text {
    match bad {
        BadTiers::None => Text::new("chưa có bậc nào; hãy ghi ít nhất một bậc", "there is no tier; write at least one"),
        BadTiers::NotDescending(n) => Text::new(
            format!("bậc {n}: mức phải thấp hơn bậc trên; hãy xếp các bậc từ cao xuống thấp"),
            format!("tier {n} must begin below the tier before it; write them from the highest down"),
        ),
        BadTiers::AboveAll(n) => Text::new(
            format!("bậc {n}: mức vượt quá 100 %; hãy ghi theo phần trăm, từ 0 đến 100"),
            format!("tier {n} begins above 100 %; write per cent, 0 to 100"),
        ),
        BadTiers::MoreThanFull(n) => Text::new(
            format!("bậc {n}: điểm cao hơn điểm tối đa; hãy sửa điểm, hoặc điểm tối đa"),
            format!("tier {n} gives more than the full marks; correct the one or the other"),
        ),
        BadTiers::NotDecimal(0) => Text::new(
            "điểm tối đa phải có nhiều nhất chín chữ số và sáu chữ số thập phân",
            "the full marks must have at most nine digits and six decimals",
        ),
        BadTiers::NotDecimal(n) => Text::new(
            format!("bậc {n}: mỗi số có nhiều nhất chín chữ số và sáu chữ số thập phân"),
            format!("tier {n}: a number has at most nine digits and six decimals"),
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
