//! The periods of reports: a month, a quarter, six months, nine months, a year, or any two dates.
//!
//! Both dates of a period belong to it, as the form prints them. Some offices close their books in the middle of the
//! month: with the cut-off day 15 a period runs from the 15th of the month before it to the 14th of its last month, so
//! 2025-Q1 is 15/12/2024 to 14/3/2025. Which zone makes instants of the dates is none of this file's business.

use dunghen_engine::time::Date;

/// The cut-off day of whole calendar months.
pub const CALENDAR: u32 = 1;
/// The last cut-off day: every month has it.
pub const LAST_CUT_OFF_DAY: u32 = 28;

/// What a period spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// A month, 1 to 12.
    Month(u32),
    /// A quarter, 1 to 4.
    Quarter(u32),
    /// The first or the second half of a year, 1 or 2.
    Half(u32),
    /// The first nine months.
    NineMonths,
    /// A year.
    Year,
    /// From one date to another.
    Dates,
}

/// A period of reporting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// What it spans.
    pub span: Span,
    /// The year it is named after; of two dates that of the first.
    pub year: i32,
    /// Its first date.
    pub first: Date,
    /// Its last date, which still belongs to it.
    pub last: Date,
}

/// Why a text is no period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadPeriod {
    /// It is written in no way that is known.
    Unknown(String),
    /// It ends before it begins.
    WrongWayRound(Date, Date),
    /// It reaches beyond the years 1 to 9999.
    OutOfRange(String),
    /// A cut-off day that not every month has.
    CutOffDay(u32),
    /// A date that no calendar has.
    NoSuchDate(String),
    /// A cut-off day for a period that names its own dates.
    CutOffOfDates,
}

impl Period {
    /// Reads `2025`, `2025-Q3`, `2025-H1`, `2025-9M`, `2025-03` or `2025-01-01..2025-03-14`.
    ///
    /// ```
    /// use dunghen::report::period::Period;
    /// let dates = |text, day| Period::parse(text, day).map(|p| format!("{}..{}", p.first, p.last));
    /// assert_eq!(dates("2025-Q3", 1).as_deref(), Ok("2025-07-01..2025-09-30"));
    /// assert_eq!(dates("2025-Q1", 15).as_deref(), Ok("2024-12-15..2025-03-14"));
    /// ```
    ///
    /// # Errors
    /// [`BadPeriod`].
    pub fn parse(text: &str, cut_off_day: u32) -> Result<Period, BadPeriod> {
        let unknown = || BadPeriod::Unknown(text.to_owned());
        if !(CALENDAR..=LAST_CUT_OFF_DAY).contains(&cut_off_day) {
            return Err(BadPeriod::CutOffDay(cut_off_day));
        }
        let period = if let Some((first, last)) = text.split_once("..") {
            if let Some(date) = [first, last].into_iter().find(|text| Date::is_none_of_the_calendar(text)) {
                return Err(BadPeriod::NoSuchDate(date.to_owned()));
            }
            let (first, last) = Date::parse(first).zip(Date::parse(last)).ok_or_else(unknown)?;
            if last < first {
                return Err(BadPeriod::WrongWayRound(first, last));
            }
            if cut_off_day != CALENDAR {
                return Err(BadPeriod::CutOffOfDates);
            }
            Period { span: Span::Dates, year: first.ymd().0, first, last }
        } else {
            let (year, part) = text.split_at_checked(4).ok_or_else(unknown)?;
            let year = year.bytes().all(|b| b.is_ascii_digit()).then(|| year.parse().ok()).flatten();
            let year: i32 = year.ok_or_else(unknown)?;
            let (span, months) = part_of_year(part).ok_or_else(unknown)?;
            let begins = |month| begin(year, month, cut_off_day).ok_or_else(unknown);
            Period { span, year, first: begins(*months.start())?, last: begins(*months.end() + 1)?.plus(-1) }
        };
        // The first date after it must be one, too: it is the bound of the question.
        let known = |date: Date| Date::checked(date.0).is_some();
        if known(period.first) && known(period.after()) {
            Ok(period)
        } else {
            Err(BadPeriod::OutOfRange(text.to_owned()))
        }
    }

    /// The first date after it.
    #[must_use]
    pub fn after(&self) -> Date {
        self.last.plus(1)
    }
}

/// As the command line takes it; two dates as they are.
impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let year = self.year;
        match self.span {
            Span::Month(month) => write!(f, "{year:04}-{month:02}"),
            Span::Quarter(quarter) => write!(f, "{year:04}-Q{quarter}"),
            Span::Half(half) => write!(f, "{year:04}-H{half}"),
            Span::NineMonths => write!(f, "{year:04}-9M"),
            Span::Year => write!(f, "{year:04}"),
            Span::Dates => write!(f, "{}..{}", self.first, self.last),
        }
    }
}

/// What follows the year, and its months.
fn part_of_year(text: &str) -> Option<(Span, std::ops::RangeInclusive<u32>)> {
    Some(match text.to_ascii_uppercase().as_str() {
        "" => (Span::Year, 1..=12),
        "-9M" => (Span::NineMonths, 1..=9),
        "-H1" => (Span::Half(1), 1..=6),
        "-H2" => (Span::Half(2), 7..=12),
        "-Q1" => (Span::Quarter(1), 1..=3),
        "-Q2" => (Span::Quarter(2), 4..=6),
        "-Q3" => (Span::Quarter(3), 7..=9),
        "-Q4" => (Span::Quarter(4), 10..=12),
        other => {
            let digits = other.strip_prefix('-').filter(|d| d.len() == 2 && d.bytes().all(|b| b.is_ascii_digit()))?;
            let month = digits.parse().ok().filter(|month| (1..=12).contains(month))?;
            (Span::Month(month), month..=month)
        }
    })
}

/// When a month begins, 1 to 12, or 13 for the first one of the next year.
fn begin(year: i32, month: u32, cut_off_day: u32) -> Option<Date> {
    let months = year.checked_mul(12)?.checked_add(i32::try_from(month).ok()? - 1)?;
    let months = if cut_off_day == CALENDAR { months } else { months - 1 };
    let month = u32::try_from(months.rem_euclid(12)).ok()? + 1;
    Date::new(months.div_euclid(12), month, cut_off_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(text: &str, cut_off_day: u32) -> String {
        match Period::parse(text, cut_off_day) {
            Ok(period) => format!("{period} {} {}", period.first, period.last),
            Err(bad) => format!("{bad:?}"),
        }
    }

    #[test]
    fn calendar_periods() {
        for (text, wanted) in [
            ("2025", "2025 2025-01-01 2025-12-31"),
            ("2025-Q1", "2025-Q1 2025-01-01 2025-03-31"),
            ("2025-Q2", "2025-Q2 2025-04-01 2025-06-30"),
            ("2025-q3", "2025-Q3 2025-07-01 2025-09-30"),
            ("2025-Q4", "2025-Q4 2025-10-01 2025-12-31"),
            ("2025-H1", "2025-H1 2025-01-01 2025-06-30"),
            ("2025-H2", "2025-H2 2025-07-01 2025-12-31"),
            ("2025-9M", "2025-9M 2025-01-01 2025-09-30"),
            ("2024-02", "2024-02 2024-02-01 2024-02-29"),
            ("2025-12", "2025-12 2025-12-01 2025-12-31"),
            ("2025-01-01..2025-03-14", "2025-01-01..2025-03-14 2025-01-01 2025-03-14"),
            ("2025-03-14..2025-03-14", "2025-03-14..2025-03-14 2025-03-14 2025-03-14"),
        ] {
            assert_eq!(dates(text, CALENDAR), wanted, "{text}");
        }
    }

    #[test]
    fn periods_with_a_cut_off() {
        for (text, wanted) in [
            ("2025-Q1", "2025-Q1 2024-12-15 2025-03-14"),
            ("2025-Q2", "2025-Q2 2025-03-15 2025-06-14"),
            ("2025-H2", "2025-H2 2025-06-15 2025-12-14"),
            ("2025-9M", "2025-9M 2024-12-15 2025-09-14"),
            ("2025", "2025 2024-12-15 2025-12-14"),
            ("2025-03", "2025-03 2025-02-15 2025-03-14"),
        ] {
            assert_eq!(dates(text, 15), wanted, "{text}");
        }
        assert_eq!(dates("2025-Q1", 28), "2025-Q1 2024-12-28 2025-03-27");
    }

    /// Quarters follow each other without gap, whatever the cut-off day; a year is its quarters.
    #[test]
    fn quarters_fill_the_years() {
        for day in CALENDAR..=LAST_CUT_OFF_DAY {
            let quarters: Vec<Period> = (2023..2026)
                .flat_map(|year| (1..=4).map(move |q| format!("{year}-Q{q}")))
                .map(|text| Period::parse(&text, day).expect(&text))
                .collect();
            assert!(quarters.windows(2).all(|pair| pair[0].after() == pair[1].first), "{day}");
            let year = Period::parse("2024", day).expect("a year");
            assert_eq!((year.first, year.last), (quarters[4].first, quarters[7].last), "{day}");
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        let mut texts = vec!["", "2025-", "25-Q1", "2025-Q5", "2025-Q0", "2025-H3", "2025-6M", "2025-13", "2025-00"];
        texts.extend([
            "2025-1",
            "2025Q1",
            "Quý 3",
            "năm",
            "2025-01-01",
            "2025-01-01..",
            "..2025-01-01",
            "+025",
            "a..b",
        ]);
        for text in texts {
            assert_eq!(Period::parse(text, CALENDAR), Err(BadPeriod::Unknown(text.to_owned())), "{text}");
        }
        assert_eq!(dates("2025-03-14..2025-03-13", 1), "WrongWayRound(Date(20161), Date(20160))");
        assert_eq!(dates("2025-01-01..2025-03-14", 15), "CutOffOfDates");
        for day in [0, 29, 31, u32::MAX] {
            assert_eq!(Period::parse("2025", day), Err(BadPeriod::CutOffDay(day)));
        }
        for (text, day) in [("0000", 1), ("0001", 15), ("9999", 1), ("9999-Q4", 1), ("0001-01-01..9999-12-31", 1)] {
            assert_eq!(Period::parse(text, day), Err(BadPeriod::OutOfRange(text.to_owned())), "{text}");
        }
        assert_eq!(dates("9999", 15), "9999 9998-12-15 9999-12-14");
    }
}
