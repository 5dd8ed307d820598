//! A calendar in a file of rules.

use super::Fault;
use super::kinds::date;
use super::table::{Cell, Table};
use crate::messages::rules as say;
use dunghen_engine::calendar::{Calendar, CalendarError, DayOff, DayOffKind, MS_PER_DAY, MS_PER_HOUR, Span, WorkedDay};
use dunghen_engine::time::Date;
use std::collections::BTreeMap;

pub(super) const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Its keys beside code and first day.
pub(super) const KEYS: [&str; 8] =
    ["first", "last", "weekly_days_off", "hours", "reception", "cut_off", "days_off", "working_days"];

/// Reads the table of a calendar, and checks that it can be counted with.
pub(super) fn read(table: &Table, code: &str, effective_from: Date) -> Result<Calendar, Fault> {
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
        code: code.to_owned(),
        effective_from,
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
