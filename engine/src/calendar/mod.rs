//! Working time: which days and hours an office works, when a term ends, and why.
//!
//! Pure. A [`Calendar`] is plain data, as it is published; [`WorkingTime`] is the same, checked and laid out for counting.
//! Nothing here knows a dossier, a procedure or a file: what a dossier's term is comes in as a [`Term`], and a due that
//! was computed is stored with its event, so a replay needs no calendar.
//!
//! The rules of counting, for all that follows:
//! - The day of reception is not counted. A term in days, of whichever kind, ends with the last tick of its last day.
//! - A term that ends on a day off ends with the next working day.
//! - Calendar days and months count every day; working days only those. A working Saturday is a whole working day; a
//!   Saturday on which an office only receives is none.
//! - Hours run within the office hours of working days, and end at the earliest instant at which they have run: four
//!   hours from 7:30 are over at 11:30, not after lunch.
//! - A term of no days is a same-day procedure, answered on the day of reception, or on the next working day if it was
//!   filed after the cut-off or on a day off. The cut-off moves nothing else: what is filed after it is handed over on
//!   the next working day, and that is the first day counted anyway.

mod clock;
mod days;
mod explain;
mod term;

pub use clock::WorkingTime;
pub use explain::{DayOffReason, Explanation, Step, What};
pub use term::{AfterSupplement, Term, TermError};

use crate::time::Date;

/// A local day has so many milliseconds; on the two days a year on which clocks are changed only nearly.
pub const MS_PER_DAY: i64 = 86_400_000;
/// An hour, in milliseconds.
pub const MS_PER_HOUR: i64 = 3_600_000;
/// The most days a calendar may span: two centuries.
const MOST_DAYS: i64 = 73_050;

/// The working days and hours of the offices of a country, a province or a unit, as they are published.
///
/// It knows the days `first..=last`. Outside of them nothing was announced, so only the weekly days off are taken into
/// account there; [`Explanation::known`] tells when that was so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Its name in publications.
    pub code: String,
    /// From when on it counts for dossiers received.
    pub effective_from: Date,
    /// The first day it knows.
    pub first: Date,
    /// The last day it knows.
    pub last: Date,
    /// The days of every week that are off, Monday first.
    pub weekly_days_off: [bool; 7],
    /// Named days off, ascending; they may fall on weekly days off.
    pub days_off: Vec<DayOff>,
    /// Weekly days off that are worked, ascending.
    pub working_days: Vec<WorkedDay>,
    /// The office hours of a working day, ascending.
    pub hours: Vec<Span>,
    /// Hours in which offices receive on weekly days off, Monday first; they are no working time.
    pub reception: [Vec<Span>; 7],
    /// Same-day procedures filed after this time of day are answered on the next working day; milliseconds since
    /// midnight.
    pub cut_off: i64,
}

/// A named day off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayOff {
    /// The day.
    pub date: Date,
    /// Its name in Vietnamese.
    pub vi: String,
    /// Its name in English.
    pub en: String,
    /// Why it is off.
    pub kind: DayOffKind,
}

/// Why a day is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayOffKind {
    /// A public holiday.
    Holiday,
    /// Instead of a holiday that fell on a weekly day off.
    Compensation,
    /// Off in exchange for a weekly day off that is worked.
    Swap,
}

impl DayOffKind {
    /// All of them.
    pub const ALL: [DayOffKind; 3] = [DayOffKind::Holiday, DayOffKind::Compensation, DayOffKind::Swap];

    /// Its name in publications.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DayOffKind::Holiday => "holiday",
            DayOffKind::Compensation => "compensation",
            DayOffKind::Swap => "swap",
        }
    }
}

/// A weekly day off that is worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkedDay {
    /// The day.
    pub date: Date,
    /// Its name in Vietnamese.
    pub vi: String,
    /// Its name in English.
    pub en: String,
}

/// Local time of a day, `from` to `to`, the end not included; milliseconds since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first millisecond.
    pub from: i64,
    /// The millisecond after its last.
    pub to: i64,
}

impl Span {
    /// Its length in milliseconds.
    #[must_use]
    pub fn length(self) -> i64 {
        self.to - self.from
    }
}

/// Why a calendar cannot be counted with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Its last day comes before its first.
    #[error("the last day {last} comes before the first, {first}")]
    Reversed {
        /// The first day.
        first: Date,
        /// The last day.
        last: Date,
    },
    /// It spans more than two centuries.
    #[error("{first} to {last} is more than 200 years; publish a shorter calendar")]
    TooLong {
        /// The first day.
        first: Date,
        /// The last day.
        last: Date,
    },
    /// Every day of the week is off.
    #[error("every day of the week is off; at least one must be worked")]
    NoWeekday,
    /// No office hours.
    #[error("a working day has no office hours")]
    NoHours,
    /// Office or reception hours that do not ascend within a day.
    #[error("hours must ascend within one day without overlap")]
    Hours,
    /// The cut-off is no time of a day.
    #[error("the cut-off must lie within a day")]
    CutOff,
    /// A named day lies outside of the days the calendar knows.
    #[error("{0} lies outside of the days this calendar knows")]
    Outside(Date),
    /// Named days do not ascend, or one is named twice.
    #[error("{0} is named twice or not in order; a day is off or worked, once")]
    Order(Date),
    /// A day is said to be worked that is no weekly day off, or a named day off.
    #[error("{0} cannot be a working day: it is worked anyway, or also a day off")]
    NotOff(Date),
}

impl Calendar {
    /// Whether it can be counted with.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), CalendarError> {
        let (first, last) = (self.first, self.last);
        if last < first {
            return Err(CalendarError::Reversed { first, last });
        }
        if i64::from(last.0) - i64::from(first.0) >= MOST_DAYS {
            return Err(CalendarError::TooLong { first, last });
        }
        if self.weekly_days_off.iter().all(|off| *off) {
            return Err(CalendarError::NoWeekday);
        }
        if self.hours.is_empty() {
            return Err(CalendarError::NoHours);
        }
        if ![&self.hours].into_iter().chain(&self.reception).all(|spans| ascending(spans)) {
            return Err(CalendarError::Hours);
        }
        if !(0..=MS_PER_DAY).contains(&self.cut_off) {
            return Err(CalendarError::CutOff);
        }
        let off = self.days_off.iter().map(|d| d.date);
        let worked = self.working_days.iter().map(|d| d.date);
        for dates in [off.clone().collect::<Vec<_>>(), worked.clone().collect()] {
            if let Some(pair) = dates.windows(2).find(|pair| pair[0] >= pair[1]) {
                return Err(CalendarError::Order(pair[1]));
            }
        }
        if let Some(date) = off.chain(worked.clone()).find(|d| *d < first || *d > last) {
            return Err(CalendarError::Outside(date));
        }
        match worked.into_iter().find(|d| !self.is_weekly_off(*d) || self.day_off(*d).is_some()) {
            Some(date) => Err(CalendarError::NotOff(date)),
            None => Ok(()),
        }
    }

    /// Whether the day of the week is off, whatever this day is.
    fn is_weekly_off(&self, date: Date) -> bool {
        self.weekly_days_off[date.weekday() as usize]
    }

    /// The named day off on this date.
    #[must_use]
    pub fn day_off(&self, date: Date) -> Option<&DayOff> {
        self.days_off.binary_search_by_key(&date, |d| d.date).ok().map(|i| &self.days_off[i])
    }

    /// The weekly day off on this date that is worked.
    #[must_use]
    pub fn worked_day(&self, date: Date) -> Option<&WorkedDay> {
        self.working_days.binary_search_by_key(&date, |d| d.date).ok().map(|i| &self.working_days[i])
    }

    /// Whether this day lies in the days that it knows.
    #[must_use]
    pub fn knows(&self, date: Date) -> bool {
        (self.first..=self.last).contains(&date)
    }
}

fn ascending(spans: &[Span]) -> bool {
    let mut free_from = 0;
    spans.iter().all(|span| {
        let fits = free_from <= span.from && span.from < span.to && span.to <= MS_PER_DAY;
        free_from = span.to;
        fits
    })
}
