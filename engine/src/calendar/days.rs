//! Working days, numbered: of a date its number, of a number its date.
//!
//! Every question about working days (the n-th after a date, how many lie between two) is a sum of two numbers, so none
//! walks over days. The first working day from `first` on has number 0; before `first` numbers are negative. Outside of
//! `first..=last` the numbers follow from the week alone.

use super::Calendar;
use crate::time::Date;

/// 1969-12-29, a Monday, from which weeks are counted.
const MONDAY: i64 = -3;

#[derive(Clone, Debug)]
pub(super) struct Days {
    first: Date,
    last: Date,
    /// The working days of `first..=last`, ascending.
    working: Vec<Date>,
    week: Week,
}

/// The weeks of a country without holidays.
#[derive(Clone, Debug)]
struct Week {
    /// How many days of the week before this one are worked, Monday first.
    before: [i64; 7],
    /// The days of the week that are worked; there is at least one, since the calendar was checked.
    worked: Vec<i64>,
}

impl Week {
    fn number(&self, date: Date) -> i64 {
        let since = i64::from(date.0) - MONDAY;
        since.div_euclid(7) * self.worked.len() as i64 + self.before[since.rem_euclid(7) as usize]
    }

    fn date(&self, number: i64) -> Date {
        let per_week = self.worked.len() as i64;
        let day = self.worked[number.rem_euclid(per_week) as usize];
        let days = number.div_euclid(per_week).saturating_mul(7).saturating_add(MONDAY + day);
        Date(days.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32)
    }
}

impl Days {
    /// Of a calendar that was checked.
    pub(super) fn new(calendar: &Calendar) -> Days {
        let mut before = [0; 7];
        let mut worked = Vec::new();
        for (day, off) in (0..).zip(calendar.weekly_days_off) {
            before[day as usize] = worked.len() as i64;
            if !off {
                worked.push(day);
            }
        }
        let works = |date: Date| {
            calendar.worked_day(date).is_some() || !(calendar.is_weekly_off(date) || calendar.day_off(date).is_some())
        };
        let (first, last) = (calendar.first, calendar.last);
        let working = (first.0..=last.0).map(Date).filter(|d| works(*d)).collect();
        Days { first, last, working, week: Week { before, worked } }
    }

    /// How many working days lie from `first` to before `date`: the number of `date` if it is one, else that of the
    /// next one.
    pub(super) fn number(&self, date: Date) -> i64 {
        if date < self.first {
            self.week.number(date) - self.week.number(self.first)
        } else if date > self.last {
            self.working.len() as i64 + self.week.number(date) - self.week.number(self.last.plus(1))
        } else {
            self.working.partition_point(|d| *d < date) as i64
        }
    }

    /// The working day of this number.
    pub(super) fn date(&self, number: i64) -> Date {
        match usize::try_from(number) {
            Err(_) => self.week.date(self.week.number(self.first).saturating_add(number)),
            Ok(index) => self.working.get(index).copied().unwrap_or_else(|| {
                let beyond = number - self.working.len() as i64;
                self.week.date(self.week.number(self.last.plus(1)).saturating_add(beyond))
            }),
        }
    }

    /// Whether the date is a working day.
    pub(super) fn is_working(&self, date: Date) -> bool {
        if (self.first..=self.last).contains(&date) {
            return self.working.binary_search(&date).is_ok();
        }
        self.week.worked.contains(&i64::from(date.weekday()))
    }
}
