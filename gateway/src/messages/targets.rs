//! Targets: what they ask for, whether it was reached, and how many may still fail.

use super::Text;
use super::format::{counted, dated, decimals, local, not_applicable, verdict as met};
use super::tables::row;
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{NoData, Outlook};

/// The metric whose measure is letters, not dossiers.
const APOLOGIES: &str = "apology_rate";

/// The line above the table.
#[must_use]
pub fn heading(as_of: Timestamp, (name, zone): (&str, &Zone), position: u64) -> Text {
    let at = Text::each(|lang| local(as_of, zone, lang));
    Text::new(
        format!("Chỉ tiêu theo từng năm, tính đến {} ({name}), vị trí {position}", at.vi),
        format!("Targets, year by year, as of {} ({name}), position {position}", at.en),
    )
}

/// The header of the table.
#[must_use]
pub fn columns() -> [Text; 9] {
    row([
        ("chỉ tiêu", "target"),
        ("văn bản, điểm", "source, clause"),
        ("nội dung", "measure"),
        ("mức", "asked for"),
        ("năm", "year"),
        ("kết quả", "figures"),
        ("tỷ lệ", "rate"),
        ("đánh giá", "verdict"),
        ("còn lại trong năm", "rest of the year"),
    ])
}

/// What is measured; a metric that is not known stays as it is.
#[must_use]
pub fn measure(metric: &str, denominator: &str) -> Text {
    let (vi, en) = match metric {
        "on_time_rate" => ("tỷ lệ trước và đúng hạn", "on-time rate"),
        APOLOGIES => ("tỷ lệ xin lỗi kịp thời", "apology rate"),
        "online_share" => ("tỷ lệ hồ sơ trực tuyến", "share received online"),
        other => (other, other),
    };
    Text::new(format!("{vi} ({denominator})"), format!("{en} ({denominator})"))
}

/// What is asked for: `> 99 %`, `≥ 99,5 %`; the threshold in ten-thousandths.
#[must_use]
pub fn asked_for(comparator: &str, threshold: u32) -> Text {
    let sign = if comparator == ">=" { "≥" } else { comparator };
    Text::each(|lang| {
        let percent = decimals(u128::from(threshold), lang);
        // 99,00 is 99; 99,50 is 99,5.
        let short = percent.trim_end_matches('0').trim_end_matches([',', '.']);
        format!("{sign} {short} %")
    })
}

/// A year; with its days if it is no whole year, and with the day it is judged on if that is not its end.
#[must_use]
pub fn year(year: i32, (first, last): (Date, Date), judged_on: Option<Date>) -> Text {
    let whole = Date::new(year, 1, 1) == Some(first) && Date::new(year, 12, 31) == Some(last);
    let (from, to) = (dated(first), dated(last));
    let days = match judged_on {
        Some(day) => {
            let day = dated(day);
            Text::new(format!("{} đến {}", from.vi, day.vi), format!("{} to {}", from.en, day.en))
        }
        None if whole => return Text::same(year),
        None => Text::new(format!("{} đến {}", from.vi, to.vi), format!("{} to {}", from.en, to.en)),
    };
    Text::new(format!("{year} ({})", days.vi), format!("{year} ({})", days.en))
}

/// The verdict of this name; what a later server says stays as it is.
#[must_use]
pub fn verdict(name: &str) -> Text {
    match name {
        "met" => Text::each(|lang| met(true, lang).to_owned()),
        "not_met" => Text::each(|lang| met(false, lang).to_owned()),
        "not_applicable" => not_applicable(),
        "no_data" => Text::new("chưa có dữ liệu", "no data"),
        "not_yet" => Text::new("chưa đến kỳ", "not yet"),
        other => Text::same(other),
    }
}

/// Why a target cannot be measured.
#[must_use]
pub fn no_data(why: NoData, metric: &str, denominator: &str) -> Text {
    match why {
        NoData::Metric => Text::new(
            format!("Chưa có loại sự kiện nào cho biết {metric}."),
            format!("No type of event tells of {metric} yet."),
        ),
        NoData::Denominator if metric == "on_time_rate" => Text::new(
            format!("Không có định nghĩa {denominator}; hãy công bố định nghĩa này, hoặc sửa chỉ tiêu."),
            format!("There is no definition {denominator}; publish it, or correct the target."),
        ),
        NoData::Denominator => Text::new(
            format!("{metric} tính được, nhưng không theo {denominator}: chưa có loại sự kiện nào cho biết."),
            format!("{metric} is measured, but not of {denominator}: no type of event tells of it yet."),
        ),
    }
}

/// The same, of a target that is being published.
#[must_use]
pub fn will_show_no_data(why: NoData, metric: &str, denominator: &str) -> Text {
    let what = match why {
        NoData::Metric => Text::same(metric),
        NoData::Denominator => Text::new(format!("{metric} theo {denominator}"), format!("{metric} of {denominator}")),
    };
    Text::new(
        format!("chưa có loại sự kiện nào cho biết {}; chỉ tiêu sẽ hiện là chưa có dữ liệu", what.vi),
        format!("no event tells of {} yet; the target will show no data", what.en),
    )
}

/// How many may still fail, in a cell: `None` if the target is out of reach; `among` so many that are not decided.
#[must_use]
pub fn may_fail(may_fail: Option<u64>, among: u64, metric: &str) -> Text {
    let Some(n) = may_fail else { return Text::new("không còn đạt được", "out of reach") };
    let (n, among_them) = (counted(n), counted(among));
    match (metric, among) {
        (APOLOGIES, 0) => Text::new("không còn thư nào đến hạn", "no letter is due any more"),
        (_, 0) => Text::new("không còn hồ sơ nào đến hạn", "no dossier is due any more"),
        (APOLOGIES, _) => Text::new(
            format!("còn được muộn hoặc thiếu tối đa {} thư (trong {})", n.vi, among_them.vi),
            format!("at most {} letters may be late or missing (of {})", n.en, among_them.en),
        ),
        _ => Text::new(
            format!("còn được quá hạn tối đa {} hồ sơ (trong {})", n.vi, among_them.vi),
            format!("at most {} dossiers may be late (of {})", n.en, among_them.en),
        ),
    }
}

/// What is decided, what is to come, how many may fail, and what is assumed: in sentences.
#[must_use]
pub fn outlook(outlook: &Outlook, allowed: Option<u64>, metric: &str) -> Text {
    let [decided, late, open_late, settled, open_due, foreseen] =
        [outlook.decided, outlook.late, outlook.open_late, outlook.settled, outlook.open_due, outlook.foreseen]
            .map(counted);
    let stands = if metric == APOLOGIES {
        Text::new(
            format!(
                "Đã xác định {} nghĩa vụ xin lỗi, trong đó {} không kịp thời; {} đã gửi thư, chưa đến hạn xin lỗi; {} chưa \
                 gửi thư, hạn trong năm; {} hồ sơ dự kiến trễ hạn trong năm.",
                decided.vi, late.vi, settled.vi, open_due.vi, foreseen.vi
            ),
            format!(
                "{} obligations are decided, {} of them not in time; {} are answered and not decided; {} have no letter \
                 yet and a deadline in the year; {} dossiers are foreseen to be late in the year.",
                decided.en, late.en, settled.en, open_due.en, foreseen.en
            ),
        )
    } else {
        Text::new(
            format!(
                "Đã xác định {} hồ sơ, trong đó {} quá hạn; chưa vào tỷ lệ: {} đã quá hạn mà chưa xong, {} đã giải \
                 quyết trước và đúng hạn mà chưa trả kết quả; {} hồ sơ chưa quá hạn, hạn trả trong năm.",
                decided.vi, late.vi, open_late.vi, settled.vi, open_due.vi
            ),
            format!(
                "{} dossiers are decided, {} of them late; not in the rate yet: {} missed and not finished, {} processed in \
                 time and not handed over; {} are not missed and due by the end of the year.",
                decided.en, late.en, open_late.en, settled.en, open_due.en
            ),
        )
    };
    let (fails, assumed) = (may_fail(allowed, outlook.undecided(), metric), assumed(metric));
    let capital = |text: &str| {
        let mut letters = text.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    Text::new(
        format!("{} {}. {}", stands.vi, capital(&fails.vi), assumed.vi),
        format!("{} {}. {}", stands.en, capital(&fails.en), assumed.en),
    )
}

/// What is assumed where it is said how many may still fail.
#[must_use]
pub fn assumed(metric: &str) -> Text {
    if metric == APOLOGIES {
        return Text::new(
            "Giả định: mọi thư khác đều gửi kịp thời, các hồ sơ dự kiến trễ hạn khác được giải quyết kịp nên không phải xin \
             lỗi, không phát sinh thêm hồ sơ, hạn trả không đổi.",
            "Assumed: every other letter is sent in time, the other dossiers foreseen end in time and owe none, nothing \
             further comes in, and no promise moves.",
        );
    }
    Text::new(
        "Giả định: mọi hồ sơ khác có hạn trả trong năm đều có kết quả trước và đúng hạn và được tính trong năm, hồ sơ đã quá \
         hạn mà chưa xong tính là quá hạn trong năm, không tiếp nhận thêm hồ sơ, hạn trả không đổi, không có hồ sơ rút.",
        "Assumed: every other dossier due by the end of the year is on time and counted in it, what is missed and not \
         finished counts as late in it, nothing further comes in, no promise moves, and none is withdrawn.",
    )
}

/// Nothing is asked for.
#[must_use]
pub fn none() -> Text {
    Text::new("Không có chỉ tiêu nào có hiệu lực cho câu hỏi này.", "No target is in force for this question.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Lang;

    fn on(text: &str) -> Date {
        Date::parse(text).expect(text)
    }

    #[test]
    fn thresholds_in_the_local_form() {
        for (comparator, threshold, vi, en) in [
            (">", 9_900, "> 99 %", "> 99 %"),
            (">=", 9_950, "≥ 99,5 %", "≥ 99.5 %"),
            (">=", 9_999, "≥ 99,99 %", "≥ 99.99 %"),
            ("=", 10_000, "= 100 %", "= 100 %"),
            (">", 0, "> 0 %", "> 0 %"),
            (">", 1_000, "> 10 %", "> 10 %"),
        ] {
            assert_eq!(asked_for(comparator, threshold), Text::new(vi, en));
        }
    }

    #[test]
    fn years_say_what_is_not_whole_about_them() {
        let whole = (on("2025-01-01"), on("2025-12-31"));
        assert_eq!(year(2025, whole, None), Text::same("2025"));
        assert_eq!(year(2025, whole, Some(on("2025-09-10"))).vi, "2025 (01/01/2025 đến 10/09/2025)");
        assert_eq!(year(2025, (on("2025-07-01"), on("2025-12-31")), None).en, "2025 (2025-07-01 to 2025-12-31)");
    }

    #[test]
    fn what_may_still_fail() {
        let cell = |n, among, metric: &str| may_fail(n, among, metric).into_lang(Lang::Vi);
        assert_eq!(cell(Some(3), 1_200, "on_time_rate"), "còn được quá hạn tối đa 3 hồ sơ (trong 1.200)");
        assert_eq!(cell(Some(0), 0, "on_time_rate"), "không còn hồ sơ nào đến hạn");
        assert_eq!(cell(None, 0, "on_time_rate"), "không còn đạt được");
        assert_eq!(cell(Some(1), 2, "apology_rate"), "còn được muộn hoặc thiếu tối đa 1 thư (trong 2)");
        let counts = Outlook { decided: 97, late: 1, open_late: 2, open_due: 40, ..Outlook::default() };
        let said = outlook(&counts, Some(3), "on_time_rate");
        assert!(
            said.vi.starts_with("Đã xác định 97 hồ sơ, trong đó 1 quá hạn; chưa vào tỷ lệ: 2 đã quá hạn"),
            "{said:?}"
        );
        assert!(said.vi.contains(". Còn được quá hạn tối đa 3 hồ sơ (trong 40). Giả định: "), "{said:?}");
        assert!(said.en.contains(". At most 3 dossiers may be late (of 40). Assumed: "), "{said:?}");
    }
}
