//! Terms and dues: when a term ends, and when it ends after the applicant was waited for.

use super::{MS_PER_HOUR, WorkingTime};
use crate::time::{Date, Due, Moment, Timestamp};
use std::ops::Range;

/// How long a procedure, or a phase of it, may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Hours within office hours.
    Hours(u32),
    /// Working days; 0 is a same-day procedure.
    WorkingDays(u32),
    /// Calendar days; 0 is a same-day procedure.
    Days(u32),
    /// Months; 0 is a same-day procedure.
    Months(u32),
}

impl Term {
    /// Whether it is answered on the day of reception.
    pub(super) fn is_same_day(self) -> bool {
        matches!(self, Term::WorkingDays(0) | Term::Days(0) | Term::Months(0))
    }
}

/// What becomes of a term when the applicant has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterSupplement {
    /// What was left when the wait began is counted from its end.
    #[default]
    Resume,
    /// The whole term is counted from the end of the wait.
    Restart,
}

/// Why there is no due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// A procedure has at least one phase.
    #[error("a procedure needs at least one term")]
    NoTerm,
    /// It lies after the year 9999.
    #[error("the term ends after the year 9999")]
    TooFar,
}

fn bounded(due: Due) -> Result<Due, TermError> {
    let fits = match due {
        Due::Date(date) => Date::checked(date.0).is_some(),
        Due::Instant(at) => Timestamp::checked(at.0).is_some(),
    };
    if fits { Ok(due) } else { Err(TermError::TooFar) }
}

impl WorkingTime {
    /// When a procedure is due whose phases follow each other: each is counted from the end of the one before, as the
    /// first from the reception. A due in hours is an instant, any other a date.
    ///
    /// A bare date as reception was before the cut-off, and hours run from its morning: the strictest reading.
    ///
    /// # Errors
    /// [`TermError`].
    pub fn due(&self, received: Moment, phases: &[Term]) -> Result<Due, TermError> {
        let mut end = None;
        for term in phases {
            end = Some(self.next_end(received, end, *term)?);
        }
        end.ok_or(TermError::NoTerm)
    }

    fn add_ends(&self, ends: &mut Vec<Due>, received: Moment, phases: &[Term]) -> Result<(), TermError> {
        for term in phases {
            ends.push(self.next_end(received, ends.last().copied(), *term)?);
        }
        Ok(())
    }

    /// The end of a phase after the end of the one before, if there was one.
    pub(super) fn next_end(&self, received: Moment, before: Option<Due>, term: Term) -> Result<Due, TermError> {
        match before {
            None => self.first_end(received, term),
            Some(end) => self.after(end, term),
        }
    }

    /// The end of the first phase; the cut-off is a matter of reception and so of this one only.
    fn first_end(&self, received: Moment, term: Term) -> Result<Due, TermError> {
        match received {
            Moment::Instant(at) if term.is_same_day() => bounded(Due::Date(self.same_day(at))),
            _ => self.after(self.start(received, term), term),
        }
    }

    /// Where the first phase begins: hours run from the morning of a bare date, not from the end of the day as after a
    /// phase that ended with it.
    pub(super) fn start(&self, received: Moment, term: Term) -> Due {
        match (received, term) {
            (Moment::Instant(at), _) => Due::Instant(at),
            (Moment::Date(date), Term::Hours(_)) => Due::Instant(self.zone().first_tick(date)),
            (Moment::Date(date), _) => Due::Date(date),
        }
    }

    /// When a term ends that begins where something ended.
    fn after(&self, start: Due, term: Term) -> Result<Due, TermError> {
        let date = start.date(self.zone());
        let date_due = |date| bounded(Due::Date(self.working_day_from(date)));
        match term {
            Term::Hours(n) => {
                bounded(Due::Instant(self.add(start.last_moment(self.zone()), i64::from(n) * MS_PER_HOUR)))
            }
            Term::WorkingDays(n) => date_due(self.working_day_after(date, n)),
            Term::Days(n) => date_due(i32::try_from(n).map(|n| date.plus(n)).map_err(|_| TermError::TooFar)?),
            Term::Months(n) => date_due(date.plus_months(n).ok_or(TermError::TooFar)?),
        }
    }

    /// Whether what is filed at this instant is answered the next working day rather than the same day.
    pub(super) fn is_after_cut_off(&self, at: Timestamp) -> bool {
        self.zone().time_of_day(at) > self.calendar().cut_off
    }

    /// The day on which a same-day procedure filed at this instant is answered.
    fn same_day(&self, at: Timestamp) -> Date {
        let date = self.zone().date(at);
        self.working_day_from(if self.is_after_cut_off(at) { date.plus(1) } else { date })
    }

    /// When a term is due that was due at `due`, after the applicant was waited for in `wait`.
    ///
    /// Working days and hours that were left when the wait began are counted again from its end. Calendar days and
    /// months move by the calendar days of the wait, then to a working day. A date stays a date, an instant an instant.
    /// A wait that begins after the due, or ends before it begins, moves nothing; none ever shortens a term.
    ///
    /// # Errors
    /// [`TermError::TooFar`].
    pub fn resume(&self, due: Due, term: Term, wait: Range<Timestamp>) -> Result<Due, TermError> {
        let zone = self.zone();
        if wait.start > due.last_moment(zone) || wait.end <= wait.start {
            return Ok(due);
        }
        let (old, from, to) = (due.date(zone), zone.date(wait.start), zone.date(wait.end));
        let new = match term {
            Term::Hours(_) => {
                let at = self.add(wait.end, self.between(wait.start, due.last_moment(zone)));
                // Whoever gave the due chose its kind, whatever the term.
                return bounded(match due {
                    Due::Instant(old) => Due::Instant(old.max(at)),
                    Due::Date(old) => Due::Date(old.max(zone.date(at))),
                });
            }
            Term::WorkingDays(n) => match u32::try_from(self.working_days_between(from, old)) {
                // A same-day procedure that is answered late in the day is a new one of tomorrow.
                Ok(0) | Err(_) if n == 0 => self.same_day(wait.end),
                Ok(0) | Err(_) => self.working_day_from(to),
                Ok(left) => self.working_day_after(to, left),
            },
            Term::Days(_) | Term::Months(_) => {
                let waited = to.0.saturating_sub(from.0);
                self.working_day_from(old.plus(waited))
            }
        };
        let new = new.max(old);
        bounded(match due {
            Due::Date(_) => Due::Date(new),
            // The date moves, the hour stays.
            Due::Instant(at) => Due::Instant(at.max(zone.at(new, zone.time_of_day(at)))),
        })
    }

    /// When a procedure is due after all its waits, which are given in their order and do not overlap. A wait belongs
    /// to the phase in which it begins; the phases after it follow from its new end.
    ///
    /// # Errors
    /// [`TermError`].
    pub fn due_after(
        &self,
        received: Moment,
        phases: &[Term],
        waits: &[Range<Timestamp>],
        then: AfterSupplement,
    ) -> Result<Due, TermError> {
        let mut ends = Vec::with_capacity(phases.len());
        self.add_ends(&mut ends, received, phases)?;
        for wait in waits {
            // After the last end nothing runs that could stand still.
            let Some(phase) = ends.iter().position(|end| wait.start <= end.last_moment(self.zone())) else { break };
            match then {
                AfterSupplement::Restart if wait.start < wait.end => {
                    ends.clear();
                    self.add_ends(&mut ends, Moment::Instant(wait.end), phases)?;
                }
                AfterSupplement::Restart => {}
                AfterSupplement::Resume => {
                    let end = self.resume(ends[phase], phases[phase], wait.clone())?;
                    ends.truncate(phase);
                    ends.push(end);
                    self.add_ends(&mut ends, received, &phases[phase + 1..])?;
                }
            }
        }
        ends.last().copied().ok_or(TermError::NoTerm)
    }
}
