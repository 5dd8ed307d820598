//! A calendar in a file of rules.

use super::Fault;
use super::table::{Cell, Table};
use crate::messages::rules as say;
use dunghen_engine::calendar::{Calendar, CalendarError, DayOff, DayOffKind, MS_PER_DAY, MS_PER_HOUR, Span, WorkedDay};
use dunghen_engine::time::Date;
use std::collections::BTreeMap;

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Reads the table of a calendar, and checks that it can be counted with.
pub(super) fn read(table: &Table) -> Result<Calendar, Fault> {
    table.only(&[
        "code",
        "effective_from",
        "first",
        "last",
        "weekly_days_off",
        "hours",
        "reception",
        "cut_off",
        "days_off",
        "working_days",
    ])?;
    let mut weekly_days_off = [false; 7];
    for cell in table.need("weekly_days_off")?.list()? {
        weekly_days_off[weekday(&cell)?] = true;
    }
    let mut reception: [Vec<Span>; 7] = Default::default();
    if let Some(cell) = table.get("reception") {
        let days = cell.table()?;
        days.only(&WEEKDAYS)?;
        for (spans, day) in reception.iter_mut().zip(WEEKDAYS) {
            *spans = days.list(day)?.iter().map(span).collect::<Result<_, _>>()?;
        }
    }
    // Where each named day stands, for what is found out about it when all are there.
    let mut lines = BTreeMap::new();
    let mut named = |cell: &Cell, keys: &[&str]| -> Result<(Date, String, String), Fault> {
        let day = cell.table()?;
        day.only(keys)?;
        let found = date(&day.need("date")?)?;
        lines.insert(found, cell.line());
        Ok((found, day.need("vi")?.text()?.to_owned(), day.need("en")?.text()?.to_owned()))
    };
    let mut days_off = Vec::new();
    for cell in table.list("days_off")? {
        let (date, vi, en) = named(&cell, &["date", "vi", "en", "kind"])?;
        days_off.push(DayOff { date, vi, en, kind: kind(&cell.table()?.need("kind")?)? });
    }
    let mut working_days = Vec::new();
    for cell in table.list("working_days")? {
        let (date, vi, en) = named(&cell, &["date", "vi", "en"])?;
        working_days.push(WorkedDay { date, vi, en });
    }
    // People may write them in any order.
    days_off.sort_by_key(|d| d.date);
    working_days.sort_by_key(|d| d.date);
    let calendar = Calendar {
        code: table.need("code")?.text()?.to_owned(),
        effective_from: date(&table.need("effective_from")?)?,
        first: date(&table.need("first")?)?,
        last: date(&table.need("last")?)?,
        weekly_days_off,
        days_off,
        working_days,
        hours: table.need("hours")?.list()?.iter().map(span).collect::<Result<_, _>>()?,
        reception,
        cut_off: table.need("cut_off")?.parsed(time_of_day, say::must_be_time_of_day)?,
    };
    match calendar.check() {
        Ok(()) => Ok(calendar),
        Err(error) => Err(refused(table, &lines, &error)),
    }
}

fn weekday(cell: &Cell) -> Result<usize, Fault> {
    cell.parsed(|text| WEEKDAYS.iter().position(|d| *d == text), || say::must_be_one_of(&WEEKDAYS))
}

fn kind(cell: &Cell) -> Result<DayOffKind, Fault> {
    cell.parsed(
        |text| DayOffKind::ALL.into_iter().find(|kind| kind.name() == text),
        || say::must_be_one_of(&DayOffKind::ALL.map(DayOffKind::name)),
    )
}

fn date(cell: &Cell) -> Result<Date, Fault> {
    cell.parsed(Date::parse, say::must_be_date)
}

fn span(cell: &Cell) -> Result<Span, Fault> {
    let read = |text: &str| {
        let (from, to) = text.split_once('-')?;
        Some(Span { from: time_of_day(from)?, to: time_of_day(to)? })
    };
    cell.parsed(read, say::must_be_hours)
}

/// `07:30`, up to `24:00`, as milliseconds since midnight.
fn time_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| -> Option<i64> {
        (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let ms = hour * MS_PER_HOUR + minute * 60_000;
    (minute < 60 && ms <= MS_PER_DAY).then_some(ms)
}

/// Why a calendar that was read cannot be counted with, at the line of the day in question if there is one.
fn refused(table: &Table, lines: &BTreeMap<Date, usize>, error: &CalendarError) -> Fault {
    let day = match error {
        CalendarError::Outside(date) | CalendarError::Order(date) | CalendarError::NotOff(date) => Some(date),
        CalendarError::Reversed { .. }
        | CalendarError::TooLong { .. }
        | CalendarError::NoWeekday
        | CalendarError::NoHours
        | CalendarError::Hours
        | CalendarError::CutOff => None,
    };
    let mut fault = table.fault(say::calendar(error));
    if let Some(line) = day.and_then(|day| lines.get(day)) {
        fault.line = *line;
    }
    fault
}

#[cfg(test)]
mod tests {
    use crate::rules::Rules;
    use dunghen_engine::calendar::{MS_PER_HOUR, Span};

    const FILE: &str = r#"format = 1

[[calendar]]
code = "unit"
effective_from = "2025-01-01"
first = "2025-01-01"
last = "2025-12-31"
weekly_days_off = ["saturday", "sunday"]
hours = ["08:00-12:00", "13:00-24:00"]
reception = { saturday = ["08:00-11:30"] }
cut_off = "16:00"
days_off = [
  { date = "2025-09-02", vi = "Quốc khánh", en = "National Day", kind = "holiday" },
  { date = "2025-09-01", vi = "Quốc khánh", en = "National Day", kind = "holiday" },
]
working_days = [{ date = "2025-04-26", vi = "Làm bù", en = "Worked" }]
"#;

    #[test]
    fn a_file_becomes_calendars() {
        let rules = Rules::parse(FILE).unwrap();
        let [calendar] = rules.calendars.as_slice() else { panic!("{rules:?}") };
        assert_eq!((calendar.code.as_str(), calendar.cut_off), ("unit", 16 * MS_PER_HOUR));
        assert_eq!(calendar.weekly_days_off, [false, false, false, false, false, true, true]);
        assert_eq!(calendar.hours[1], Span { from: 13 * MS_PER_HOUR, to: 24 * MS_PER_HOUR });
        assert_eq!(calendar.reception[5].len(), 1);
        assert!(calendar.days_off.is_sorted_by_key(|d| d.date), "in any order in the file");
        assert_eq!(calendar.working_days[0].vi, "Làm bù");
    }

    #[test]
    fn what_is_wrong_has_a_line_and_a_reason_in_both_languages() {
        let fault = |from: &str, to: &str| {
            assert!(FILE.contains(from), "{from}");
            let fault = Rules::parse(&FILE.replacen(from, to, 1)).unwrap_err();
            let said = fault.text();
            let vietnamese = said.vi;
            assert!(vietnamese.starts_with(&format!("dòng {}: ", fault.line)), "{vietnamese}");
            assert_ne!(fault.what.vi, fault.what.en);
            said.en
        };
        let starts = |from: &str, to: &str, expected: &str| {
            let said = fault(from, to);
            assert!(said.starts_with(expected), "{said}");
        };
        starts("format = 1", "format = 2", "line 1: format: only form 1");
        starts("format = 1", "format = \"1\"", "line 1: format: must be a whole number");
        starts("format = 1", "", "line 1: format: is required");
        starts("cut_off", "cutoff", "line 11: cutoff: there is no such key; the keys are code, ");
        starts("first = \"2025-01-01\"\n", "", "line 3: first: is required");
        starts("\"2025-12-31\"", "2025-12-31", "line 7: last: must be a date in quotes");
        starts("\"2025-12-31\"", "\"2024-12-31\"", "line 3: the last day 2024-12-31 comes before");
        starts("\"sunday\"", "\"Sunday\"", "line 8: weekly_days_off: must be one of monday, ");
        starts("13:00-24:00", "13:00-24:01", "line 9: hours: must be hours such as");
        starts("13:00-24:00", "11:00-24:00", "line 3: hours must ascend");
        starts("08:00-11:30", "8:00-11:30", "line 10: saturday: must be hours such as");
        starts("kind = \"holiday\"", "kind = \"feast\"", "line 13: kind: must be one of holiday, ");
        starts("vi = \"Quốc khánh\"", "vi = \" \"", "line 13: vi: must be a text");
        starts("2025-09-01", "2025-09-02", "line 14: 2025-09-02 is named twice");
        starts("2025-09-01", "2026-09-01", "line 14: 2026-09-01 lies outside");
        starts("2025-04-26", "2025-04-25", "line 16: 2025-04-25 cannot be a working day");
        starts("hours = [", "hours = ", "line 9: is not TOML");
        starts("[[calendar]]", "[calendar]", "line 3: calendar: must be a list");
    }
}
