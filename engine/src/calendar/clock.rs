//! The working clock: how far working time has come at an instant, and when it will have come so far.
//!
//! Like `days` with milliseconds: of an instant its reading, of a reading its instant. The clock stands at night, at
//! noon and on days off, so a reading may belong to many instants; which of them is meant is said at each function.

use super::days::Days;
use super::{Calendar, CalendarError};
use crate::time::{Date, Timestamp, Zone};

/// A calendar in a zone, ready for counting. Every question costs well below a microsecond.
#[derive(Clone, Debug)]
pub struct WorkingTime {
    calendar: Calendar,
    zone: Zone,
    pub(super) days: Days,
    /// The working milliseconds of a working day.
    day_ms: i64,
}

impl WorkingTime {
    /// Lays out a calendar; its hours are those of `zone`.
    ///
    /// # Errors
    /// What is wrong with the calendar.
    pub fn new(calendar: Calendar, zone: Zone) -> Result<WorkingTime, CalendarError> {
        calendar.check()?;
        let day_ms = calendar.hours.iter().map(|span| span.length()).sum();
        Ok(WorkingTime { days: Days::new(&calendar), calendar, zone, day_ms })
    }

    /// The calendar.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The zone of its hours.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether the date is a working day.
    #[must_use]
    pub fn is_working(&self, date: Date) -> bool {
        self.days.is_working(date)
    }

    /// The date itself if it is a working day, else the next one.
    #[must_use]
    pub fn working_day_from(&self, date: Date) -> Date {
        self.days.date(self.days.number(date))
    }

    /// The `n`-th working day after the date; for 0 the date itself, whatever it is.
    #[must_use]
    pub fn working_day_after(&self, date: Date, n: u32) -> Date {
        if n == 0 { date } else { self.days.date(self.days.number(date.plus(1)) + i64::from(n) - 1) }
    }

    /// The `n`-th working day before the date; for 0 the date itself, whatever it is.
    #[must_use]
    pub fn working_day_before(&self, date: Date, n: u32) -> Date {
        if n == 0 { date } else { self.days.date(self.days.number(date) - i64::from(n)) }
    }

    /// How many working days come after `a` up to and with `b`; negative if `b` comes before `a`.
    #[must_use]
    pub fn working_days_between(&self, a: Date, b: Date) -> i64 {
        self.days.number(b.plus(1)) - self.days.number(a.plus(1))
    }

    /// Working milliseconds from `a` to `b`; negative if `b` comes before `a`.
    #[must_use]
    pub fn between(&self, a: Timestamp, b: Timestamp) -> i64 {
        self.reading(b).saturating_sub(self.reading(a))
    }

    /// The earliest instant at which so many working milliseconds have run since `at`; `at` itself for none, earlier
    /// for a negative number.
    ///
    /// [`WorkingTime::subtract`] leads back to `at` if it lies in working time, else to the next moment of it.
    #[must_use]
    pub fn add(&self, at: Timestamp, ms: i64) -> Timestamp {
        match ms {
            0 => at,
            1.. => self.first_with(self.reading(at).saturating_add(ms)),
            _ => self.subtract(at, ms.saturating_neg()),
        }
    }

    /// The latest instant since which so many working milliseconds have run at `at`; `at` itself for none, later for a
    /// negative number.
    #[must_use]
    pub fn subtract(&self, at: Timestamp, ms: i64) -> Timestamp {
        match ms {
            0 => at,
            1.. => self.last_with(self.reading(at).saturating_sub(ms)),
            _ => self.add(at, ms.saturating_neg()),
        }
    }

    /// Working milliseconds since the beginning of the calendar.
    fn reading(&self, at: Timestamp) -> i64 {
        let date = self.zone.date(at);
        let whole = self.days.number(date).saturating_mul(self.day_ms);
        if !self.is_working(date) {
            return whole;
        }
        whole.saturating_add(self.worked_by(self.zone.time_of_day(at)))
    }

    /// Working milliseconds of a working day up to a time of day.
    pub(super) fn worked_by(&self, time_of_day: i64) -> i64 {
        self.calendar.hours.iter().map(|span| (time_of_day - span.from).clamp(0, span.length())).sum()
    }

    /// The first instant with a reading.
    fn first_with(&self, reading: i64) -> Timestamp {
        // The day's own reading begins at 1 here: with nothing worked the day before has ended with it already.
        let before = reading.saturating_sub(1);
        let mut rest = before.rem_euclid(self.day_ms) + 1;
        let date = self.days.date(before.div_euclid(self.day_ms));
        for span in &self.calendar.hours {
            if rest <= span.length() {
                return self.zone.at(date, span.from + rest);
            }
            rest -= span.length();
        }
        self.zone.last_tick(date)
    }

    /// The last instant with a reading.
    fn last_with(&self, reading: i64) -> Timestamp {
        let mut rest = reading.rem_euclid(self.day_ms);
        let date = self.days.date(reading.div_euclid(self.day_ms));
        for span in &self.calendar.hours {
            if rest < span.length() {
                return self.zone.at(date, span.from + rest);
            }
            rest -= span.length();
        }
        self.zone.last_tick(date)
    }
}
