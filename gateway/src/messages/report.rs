//! Reports: their periods, the columns of form II.06a on a screen, the marks, and what is wrong with a call or a file of
//! tiers. The words of the form itself stand beside the sheet that is made of them, since no language changes them.

use super::Text;
use super::format::{counted, dated, local};
use super::mapping::of_toml;
use super::tables::row;
use crate::report::period::{BadPeriod, LAST_CUT_OFF_DAY, Period, Span};
use crate::report::tiers::BadFile;
use dunghen_engine::rules::BadTiers;
use dunghen_engine::time::{Timestamp, Zone};
use dunghen_engine::views::FormKey;
use std::fmt::Display;
use std::path::Path;

/// What a period is called; empty for two dates, which say it themselves.
#[must_use]
pub fn span(period: &Period) -> Text {
    let year = period.year;
    match period.span {
        Span::Month(month) => Text::new(format!("Tháng {month}/{year}"), format!("Month {month} of {year}")),
        Span::Quarter(quarter) => {
            let roman = ["I", "II", "III", "IV"][(quarter.clamp(1, 4) - 1) as usize];
            Text::new(format!("Quý {roman}/{year}"), format!("Quarter {quarter} of {year}"))
        }
        Span::Half(1) => Text::new(format!("6 tháng đầu năm {year}"), format!("First half of {year}")),
        Span::Half(_) => Text::new(format!("6 tháng cuối năm {year}"), format!("Second half of {year}")),
        Span::NineMonths => Text::new(format!("9 tháng năm {year}"), format!("First nine months of {year}")),
        Span::Year => Text::new(format!("Năm {year}"), format!("Year {year}")),
        Span::Dates => Text::default(),
    }
}

/// A period with its dates: `Quý III/2025 (từ ngày 01/07/2025 đến ngày 30/09/2025)`.
#[must_use]
pub fn period(period: &Period) -> Text {
    let (first, last) = (dated(period.first), dated(period.last));
    let dates = Text::new(
        format!("từ ngày {} đến ngày {}", first.vi, last.vi),
        format!("{} to {}, both included", first.en, last.en),
    );
    if period.span == Span::Dates {
        return dates;
    }
    let name = span(period);
    Text::new(format!("{} ({})", name.vi, dates.vi), format!("{} ({})", name.en, dates.en))
}

/// Why a text is no period, and what to write.
#[must_use]
pub fn bad_period(bad: &BadPeriod) -> Text {
    const WAYS: &str = "2025-Q3, 2025-H1, 2025-9M, 2025, 2025-03, 2025-01-01..2025-03-14";
    match bad {
        BadPeriod::Unknown(said) => Text::new(
            format!("--period: «{said}» không phải kỳ báo cáo; hãy viết như {WAYS}"),
            format!("--period: {said:?} is no period; write one such as {WAYS}"),
        ),
        BadPeriod::NoSuchDate(said) => {
            Text::same("--period").before(&Text::same(said).before(&super::questions::no_such_date()))
        }
        BadPeriod::WrongWayRound(first, last) => Text::new(
            format!(
                "--period: ngày cuối {} trước ngày đầu {}; hãy viết {last}..{first}",
                dated(*last).vi,
                dated(*first).vi
            ),
            format!("--period: it ends on {last}, before it begins on {first}; write {last}..{first}"),
        ),
        BadPeriod::OutOfRange(said) => Text::new(
            format!("--period: «{said}» vượt ngoài các năm 1 đến 9999; hãy chọn kỳ kết thúc trước 31/12/9999"),
            format!("--period: {said:?} reaches beyond the years 1 to 9999; choose one that ends before 9999-12-31"),
        ),
        BadPeriod::CutOffDay(day) => Text::new(
            format!("--cut-off-day: {day} không phải ngày mà tháng nào cũng có; hãy viết từ 1 đến {LAST_CUT_OFF_DAY}"),
            format!("--cut-off-day: not every month has a day {day}; write 1 to {LAST_CUT_OFF_DAY}"),
        ),
        BadPeriod::CutOffOfDates => Text::new(
            "--cut-off-day: kỳ báo cáo đã nêu rõ hai ngày; hãy bỏ --cut-off-day, hoặc viết kỳ như 2025-Q1",
            "--cut-off-day: the period names its dates; leave --cut-off-day out, or write a period such as 2025-Q1",
        ),
    }
}

/// A file whose name ends as no format does.
#[must_use]
pub fn unknown_ending(file: &Path, ending: &str, known: &[&str]) -> Text {
    let (file, known) = (file.display(), known.join(", "));
    Text::new(
        format!("--out: {file}: không ghi được dạng {ending}; các dạng: {known}; hãy đổi đuôi tệp, hoặc nêu --format"),
        format!("--out: {file}: {ending} is none of the formats {known}; end the name in one, or say --format"),
    )
}

/// What the reader of tiers says itself where a number is none, and the same in Vietnamese.
const IN_QUOTES: &str = "write a whole number, or a text in quotes such as \"99.5\"";
const IN_QUOTES_VI: &str = "hãy viết số nguyên, hoặc số thập phân trong dấu nháy như \"99.5\"";

/// Why a file has no tiers, and what to write.
#[must_use]
pub fn bad_tiers(file: &str, bad: &BadFile) -> Text {
    let which = |list: &str, number: usize| format!("[[{list}]] {number}");
    match bad {
        BadFile::Unreadable(why) => {
            Text::new(format!("{file}: không đọc được ({why})"), format!("{file}: cannot be read ({why})"))
        }
        BadFile::Toml { line, message, said } => {
            let place = line.map_or_else(String::new, |line| format!("dòng {line}: "));
            let why = if message == IN_QUOTES { IN_QUOTES_VI.to_owned() } else { of_toml(message) };
            Text::new(
                format!("{file}: không phải tệp bậc điểm hợp lệ; xem gateway/REFERENCE.md. {place}{why}"),
                format!("{file}: is no file of tiers; see gateway/REFERENCE.md. {said}"),
            )
        }
        BadFile::NotANumber(field, said) => Text::new(
            format!("{file}: {field}: «{said}» không phải số; hãy viết như \"95\" hoặc \"99.5\""),
            format!("{file}: {field}: {said:?} is no number; write one such as \"95\" or \"99.5\""),
        ),
        BadFile::Bound(list, number) => {
            let tier = which(list, *number);
            Text::new(
                format!("{file}: {tier}: hãy ghi đúng một trong hai: at_least (từ … trở lên) hoặc above (trên …)"),
                format!("{file}: {tier}: say one of at_least and above"),
            )
        }
        BadFile::Tiers(list, bad) => match bad {
            BadTiers::None => Text::new(
                format!("{file}: chưa có bậc nào; hãy ghi ít nhất một [[{list}]]"),
                format!("{file}: there is no tier; write at least one [[{list}]]"),
            ),
            BadTiers::NotDescending(number) => {
                let tier = which(list, *number);
                Text::new(
                    format!("{file}: {tier}: mức phải thấp hơn bậc trên; hãy xếp các bậc từ cao xuống thấp"),
                    format!("{file}: {tier}: must begin below the tier before it; write them from the highest down"),
                )
            }
            BadTiers::AboveAll(number) => {
                let tier = which(list, *number);
                Text::new(
                    format!("{file}: {tier}: mức vượt quá 100 %; hãy ghi theo phần trăm, từ 0 đến 100"),
                    format!("{file}: {tier}: begins above 100 %; write per cent, 0 to 100"),
                )
            }
            BadTiers::MoreThanFull(number) => {
                let tier = which(list, *number);
                Text::new(
                    format!("{file}: {tier}: điểm cao hơn điểm tối đa; hãy sửa điểm, hoặc điểm tối đa (full, --full)"),
                    format!("{file}: {tier}: gives more than the full marks; correct them, or full (or --full)"),
                )
            }
        },
    }
}

/// `--full` is not a number of marks.
#[must_use]
pub fn bad_full(said: &str) -> Text {
    Text::new(
        format!("--full: «{said}» không phải số điểm; hãy viết như 1.0 hoặc 1.25"),
        format!("--full: {said:?} is no number of marks; write one such as 1.0 or 1.25"),
    )
}

/// A spreadsheet is not for the screen.
#[must_use]
pub fn xlsx_needs_a_file() -> Text {
    Text::new(
        "xlsx là tệp nhị phân, không in ra màn hình; hãy thêm --out TỆP.xlsx",
        "xlsx is binary and is not printed; add --out FILE.xlsx",
    )
}

/// What does not fit into a spreadsheet; why stays as its writer says it.
#[must_use]
pub fn no_sheet(why: &impl Display) -> Text {
    Text::new(format!("không tạo được bảng tính: {why}"), format!("the spreadsheet cannot be made: {why}"))
}

/// A file cannot be written.
#[must_use]
pub fn cannot_write(file: &Path, why: &impl Display) -> Text {
    let file = file.display();
    Text::new(
        format!("{file}: không ghi được ({why}); tệp cũ, nếu có, vẫn còn nguyên"),
        format!("{file}: cannot be written ({why}); what was there before is untouched"),
    )
}

/// The screen's line above a report; the zone's name, and the zone in which `cut` is shown.
#[must_use]
pub fn heading(report: &str, of: &Period, cut: Timestamp, zone: (&str, &Zone), position: u64) -> Text {
    let (name, zone) = zone;
    let (period, cut) = (period(of), Text::each(|lang| local(cut, zone, lang)));
    Text::new(
        format!("{report}, {}, tính đến {} ({name}), vị trí {position}", period.vi, cut.vi),
        format!("{report}, {}, as of {} ({name}), position {position}", period.en, cut.en),
    )
}

/// The columns of the form on a screen: number and name, broken where they may be.
#[must_use]
pub fn columns() -> [Text; 11] {
    row([
        ("(3) tiếp\nnhận,\ntổng số", "(3)\nreceived,\ntotal"),
        ("(4) trực\ntuyến", "(4)\nonline"),
        ("(5) trực\ntiếp,\nbưu chính", "(5)\ndirect,\npostal"),
        ("(6) từ kỳ\ntrước", "(6)\ncarried\nover"),
        ("(7) đã\ngiải\nquyết", "(7)\nresolved"),
        ("(8)\ntrước\nhạn", "(8)\nearly"),
        ("(9)\nđúng\nhạn", "(9)\non due"),
        ("(10)\nquá hạn", "(10)\noverdue"),
        ("(11) đang\ngiải\nquyết", "(11) in\nprogress"),
        ("(12)\ntrong\nhạn", "(12)\nwithin\ndue"),
        ("(13)\nquá hạn", "(13)\noverdue"),
    ])
}

/// The columns beyond the form.
#[must_use]
pub fn columns_beyond() -> [Text; 3] {
    row([
        ("(14) đã\ngiải quyết,\nkhông hạn", "(14)\nresolved, no\ndeadline"),
        ("(15) đang\ngiải quyết,\nkhông hạn", "(15) in\nprogress, no\ndeadline"),
        ("(16) rút,\ndừng,\ntừ chối", "(16)\nwithdrawn,\nstopped"),
    ])
}

/// What the rows stand for.
#[must_use]
pub fn key(by: FormKey) -> Text {
    match by {
        FormKey::Field => Text::new("(2)\nlĩnh vực", "(2)\nfield"),
        FormKey::Unit => Text::new("(2)\nđơn vị", "(2)\nunit"),
    }
}

/// The row of totals.
#[must_use]
pub fn total() -> Text {
    Text::new("Tổng số", "Total")
}

/// What a score has in its table.
#[must_use]
pub fn score_columns() -> [Text; 7] {
    row([
        ("tiêu chí", "criterion"),
        ("đạt", "met"),
        ("trên tổng", "of"),
        ("tỷ lệ", "rate"),
        ("bậc", "tier"),
        ("điểm", "marks"),
        ("điểm tối đa", "full marks"),
    ])
}

/// The criterion of progress, by this definition.
#[must_use]
pub fn progress(definition: &str) -> Text {
    Text::new(format!("trước và đúng hạn ({definition})"), format!("on time ({definition})"))
}

/// The criterion of apologies.
#[must_use]
pub fn apologies() -> Text {
    Text::new("xin lỗi kịp thời", "apologies in time")
}

/// How many dossiers without a promise are in no rate.
#[must_use]
pub fn no_deadline(n: u64) -> Text {
    let n = counted(n);
    Text::new(
        format!("không có hạn trả, không tính vào tỷ lệ: {}", n.vi),
        format!("without a promise, in no rate: {}", n.en),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tiers::Published;

    #[test]
    fn periods_as_the_form_prints_them() {
        let vi = |name: &str, day| Period::parse(name, day).map(|p| period(&p).vi);
        for (name, wanted) in [
            ("2025-Q3", "Quý III/2025 (từ ngày 01/07/2025 đến ngày 30/09/2025)"),
            ("2025-H1", "6 tháng đầu năm 2025 (từ ngày 01/01/2025 đến ngày 30/06/2025)"),
            ("2025-H2", "6 tháng cuối năm 2025 (từ ngày 01/07/2025 đến ngày 31/12/2025)"),
            ("2025-9M", "9 tháng năm 2025 (từ ngày 01/01/2025 đến ngày 30/09/2025)"),
            ("2025", "Năm 2025 (từ ngày 01/01/2025 đến ngày 31/12/2025)"),
            ("2025-03", "Tháng 3/2025 (từ ngày 01/03/2025 đến ngày 31/03/2025)"),
            ("2025-01-01..2025-03-14", "từ ngày 01/01/2025 đến ngày 14/03/2025"),
        ] {
            assert_eq!(vi(name, 1).as_deref(), Ok(wanted));
        }
        assert_eq!(vi("2025-Q1", 15).as_deref(), Ok("Quý I/2025 (từ ngày 15/12/2024 đến ngày 14/03/2025)"));
    }

    #[test]
    fn a_bad_period_says_what_to_write() {
        let bad = Period::parse("2025-11-01..2025-11-31", 1).map_err(|bad| bad_period(&bad)).expect_err("no such day");
        assert_eq!(bad.en, "--period: 2025-11-31: there is no such date; check day and month");
        let bad = Period::parse("2025-05-02..2025-05-01", 1).map_err(|bad| bad_period(&bad));
        let bad = bad.expect_err("the wrong way round");
        assert!(bad.en.ends_with("write 2025-05-01..2025-05-02") && bad.vi.contains("01/05/2025"), "{bad:?}");
    }

    /// The reader's own sentence is an attribute of its type, so that this is where both meet.
    #[test]
    fn a_bad_file_of_tiers_says_where_in_both_languages() {
        let bad = |text: &str| {
            let bad = Published::parse(text, None).expect_err(text);
            bad_tiers("tiers.toml", &bad)
        };
        let float = bad("[[tiers]]\nat_least = 99.5\nmarks = \"full\"");
        assert!(float.vi.ends_with(&format!("dòng 2: {IN_QUOTES_VI}")), "{}", float.vi);
        assert!(float.en.contains("line 2") && float.en.contains(IN_QUOTES), "{}", float.en);
        let misspelt = bad("[[tiers]]\nat_last = 99\nmarks = \"full\"");
        assert!(
            misspelt.vi.contains("dòng 2: có khóa lạ `at_last`; các khóa được dùng là `at_least`"),
            "{}",
            misspelt.vi
        );
        assert!(misspelt.en.contains("unknown field `at_last`"), "{}", misspelt.en);
    }
}
