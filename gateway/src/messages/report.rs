//! Reports: their periods, the columns of form II.06a on a screen, the marks, and what is wrong with a call. The words of the form itself stand beside the sheet that is made of them, since no language changes them.

use super::Text;
use super::format::{counted, dated, local};
use super::rules;
use super::tables::row;
use crate::report::period::{BadPeriod, LAST_CUT_OFF_DAY, Period, Span};
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
            "--period: kỳ báo cáo đã nêu rõ hai ngày; hãy bỏ --cut-off-day và --regime, hoặc viết kỳ như 2025-Q1",
            "--period: it names its dates; leave --cut-off-day and --regime out, or write a period such as 2025-Q1",
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

/// A file that was named for its tiers, and has none or several.
#[must_use]
pub fn not_one_table(file: &Path, found: usize) -> Text {
    let file = file.display();
    Text::new(
        format!("{file}: có {found} bảng [[tiers]]; tệp bậc điểm cần đúng một, xem gateway/rules/README.md"),
        format!("{file}: has {found} tables [[tiers]]; a file of tiers has one, see gateway/rules/README.md"),
    )
}

/// Which tiers gave the marks: a version of a code, or those of a file.
#[must_use]
pub fn tiers_used(code: &str, version: Option<u32>, file: &str) -> Text {
    match version {
        Some(number) => rules::version("tiers", code, number),
        None => Text::new(format!("bậc điểm {code}, theo tệp {file}"), format!("tiers {code}, from the file {file}")),
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
}
