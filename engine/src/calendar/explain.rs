//! Why a due is what it is, day by day.
//!
//! It walks where `term` computes, so that each checks the other: the last step is the day of the due. What it found is
//! data; the words are others'.

use super::{DayOff, MS_PER_HOUR, Term, TermError, WorkedDay, WorkingTime};
use crate::time::{Date, Due, Moment};

/// A due, and how it was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// When the procedure is due.
    pub due: Due,
    /// The days from the reception to the due, in order. Of a term in months only its ends are here.
    pub steps: Vec<Step<'a>>,
    /// Whether the calendar knows all days in question; if not, holidays may be missing.
    pub known: bool,
}

/// A day of an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// The phase, the first being 0.
    pub phase: usize,
    /// The day.
    pub date: Date,
    /// What it does to the term.
    pub what: What<'a>,
}

/// What a day does to a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// The day of reception, or on which the phase before ended: it is not counted.
    Begins,
    /// The day of reception of a same-day procedure that was filed after the cut-off.
    AfterCutOff,
    /// It is counted.
    Counted {
        /// The first day counted is 1.
        number: u32,
        /// If it is a weekly day off that is worked.
        worked: Option<&'a WorkedDay>,
        /// Calendar days are counted even if they are off.
        off: Option<DayOffReason<'a>>,
    },
    /// So many months end on it.
    Months {
        /// How many.
        number: u32,
        /// If it is off, the term ends later.
        off: Option<DayOffReason<'a>>,
    },
    /// Hours run on it.
    Hours {
        /// Working milliseconds of this day, perhaps none.
        ms: i64,
        /// Those up to its end, in this phase.
        total: i64,
    },
    /// It is off, and not counted.
    Off(DayOffReason<'a>),
    /// The working day on which the term ends: the same day, or the first after days off.
    Ends,
}

/// Why a day is no working day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayOffReason<'a> {
    /// A named day off.
    Named(&'a DayOff),
    /// A weekly day off.
    Weekly,
    /// A weekly day off on which the office receives.
    ReceptionOnly,
}

impl WorkingTime {
    /// Why a date is no working day; `None` if it is one.
    #[must_use]
    pub fn off(&self, date: Date) -> Option<DayOffReason<'_>> {
        if self.is_working(date) {
            return None;
        }
        let weekly = || {
            let receives = !self.calendar().reception[date.weekday() as usize].is_empty();
            if receives { DayOffReason::ReceptionOnly } else { DayOffReason::Weekly }
        };
        Some(self.calendar().day_off(date).map_or_else(weekly, DayOffReason::Named))
    }

    /// The due of [`WorkingTime::due`], and the days that make it. There is a step for each day, so the caller decides
    /// how long a term may be.
    ///
    /// # Errors
    /// [`TermError`].
    pub fn explain(&self, received: Moment, phases: &[Term]) -> Result<Explanation<'_>, TermError> {
        let mut steps = Vec::new();
        let mut before = None;
        for (phase, term) in phases.iter().enumerate() {
            let end = self.next_end(received, before, *term)?;
            let mut walk = Walk { time: self, phase, steps: &mut steps };
            match (before, received) {
                (None, Moment::Instant(at))
                    if term.is_same_day() && self.is_after_cut_off(at) && self.is_working(self.zone().date(at)) =>
                {
                    walk.step(self.zone().date(at), What::AfterCutOff);
                    walk.until_working_day(self.zone().date(at).plus(1));
                }
                _ => walk.term(before.unwrap_or_else(|| self.start(received, *term)), *term, end),
            }
            before = Some(end);
        }
        let due = before.ok_or(TermError::NoTerm)?;
        let received = match received {
            Moment::Instant(at) => self.zone().date(at),
            Moment::Date(date) => date,
        };
        let known = self.calendar().knows(received) && self.calendar().knows(due.date(self.zone()));
        Ok(Explanation { due, steps, known })
    }
}

/// A walk over the days of a phase, which is known to end.
struct Walk<'a, 's> {
    time: &'a WorkingTime,
    phase: usize,
    steps: &'s mut Vec<Step<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn step(&mut self, date: Date, what: What<'a>) {
        self.steps.push(Step { phase: self.phase, date, what });
    }

    /// Over days off to the working day on which the term ends.
    fn until_working_day(&mut self, mut date: Date) {
        while let Some(off) = self.time.off(date) {
            self.step(date, What::Off(off));
            date = date.plus(1);
        }
        self.step(date, What::Ends);
    }

    fn term(&mut self, start: Due, term: Term, end: Due) {
        let first = start.date(self.time.zone());
        match term {
            Term::WorkingDays(0) | Term::Days(0) | Term::Months(0) => self.until_working_day(first),
            Term::Hours(n) => self.hours(start, i64::from(n) * MS_PER_HOUR, end),
            Term::WorkingDays(n) => {
                self.step(first, What::Begins);
                let (mut date, mut number) = (first, 0);
                while number < n {
                    date = date.plus(1);
                    match self.time.off(date) {
                        Some(off) => self.step(date, What::Off(off)),
                        None => {
                            number += 1;
                            let worked = self.time.calendar().worked_day(date);
                            self.step(date, What::Counted { number, worked, off: None });
                        }
                    }
                }
            }
            Term::Days(n) => {
                self.step(first, What::Begins);
                let mut date = first;
                for number in 1..=n {
                    date = date.plus(1);
                    let off = self.time.off(date);
                    self.step(date, What::Counted { number, worked: None, off });
                }
                if !self.time.is_working(date) {
                    self.until_working_day(date.plus(1));
                }
            }
            Term::Months(n) => {
                self.step(first, What::Begins);
                let date = first.plus_months(n).unwrap_or(first);
                let off = self.time.off(date);
                self.step(date, What::Months { number: n, off });
                if off.is_some() {
                    self.until_working_day(date.plus(1));
                }
            }
        }
    }

    fn hours(&mut self, start: Due, wanted: i64, end: Due) {
        let (time, zone) = (self.time, self.time.zone());
        let (from, last) = (start.last_moment(zone), end.date(zone));
        let mut date = start.date(zone);
        if matches!(start, Due::Date(_)) {
            self.step(date, What::Begins);
            date = date.plus(1);
        }
        let mut total = 0;
        while date <= last {
            match time.off(date) {
                Some(off) => self.step(date, What::Off(off)),
                None => {
                    let run = time.between(from, zone.last_tick(date)).min(wanted);
                    self.step(date, What::Hours { ms: run - total, total: run });
                    total = run;
                }
            }
            date = date.plus(1);
        }
    }
}
