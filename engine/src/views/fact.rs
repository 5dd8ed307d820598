//! What rates read of a dossier, in a fixed width.
//!
//! Most dossiers have one promise and were asked for papers once at most: what every question of definitions.md I.4
//! reads of them fits into one [`Line`], and a scan reads lines that lie side by side. Of the others the same is taken
//! from their history when it is asked for. Either way one [`Fact`] is judged, so there is one judgement.
//!
//! A moment that has not come is `Timestamp::MAX`, so that "by the cut" is one comparison.

use super::Row;
use super::obligation::{Owed, owed};
use crate::dossier::{Promise, Timeline};
use crate::rules::{ComparedBy, Definition, Judged};
use crate::time::{Date, Timestamp, Zone};

const NEVER: Timestamp = Timestamp::MAX;

/// A dossier as one definition sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// `R`.
    pub(super) received: Timestamp,
    /// Its end.
    pub(super) ended: Timestamp,
    /// The first hand-over of the result.
    pub(super) returned: Timestamp,
    /// When the judged promise was given; never if there is none.
    pub(super) given: Timestamp,
    /// When the judged promise was missed.
    pub(super) missed: Timestamp,
    /// The date of the judged promise.
    pub(super) due_on: Date,
    /// The date at which the clock stopped.
    pub(super) stopped_on: Date,
    /// Whether the end is processed; an exit if not.
    pub(super) processed: bool,
    /// Whether it waits at the cut after more than one request for papers.
    pub(super) waits_again: bool,
}

/// The promise that a definition judges, of those given by `c`.
pub(super) fn judged(timeline: &Timeline, definition: Definition, c: Timestamp) -> Option<&Promise> {
    match definition.judged {
        Judged::Current => timeline.current(c),
        Judged::First => timeline.first(c),
    }
}

impl Fact {
    /// Of a history as the definition compares it, looked at `c`; dates are of `zone`.
    pub(super) fn of(timeline: &Timeline, definition: Definition, zone: &Zone, c: Timestamp) -> Fact {
        let promise = judged(timeline, definition, c);
        let end = timeline.end;
        Fact {
            received: timeline.received,
            ended: end.map_or(NEVER, |e| e.at),
            returned: timeline.returned.unwrap_or(NEVER),
            given: promise.map_or(NEVER, |p| p.given),
            missed: promise.and_then(|p| p.missed).unwrap_or(NEVER),
            due_on: promise.map_or(Date::LATEST, |p| p.due.date(zone)),
            stopped_on: end.map_or(Date::LATEST, |e| zone.date(e.stopped)),
            processed: end.is_some_and(|e| e.kind.is_processed()),
            waits_again: definition.second_supplement_is_late && timeline.waits_for_second_supplement(c),
        }
    }

    /// Whether a promise had been given by `c`.
    pub(super) fn is_promised(&self, c: Timestamp) -> bool {
        self.given <= c
    }

    /// The later of hand-over and end, of a dossier that was processed; never if it has none.
    pub(super) fn handed_over(&self) -> Timestamp {
        if self.processed { self.returned.max(self.ended) } else { NEVER }
    }
}

/// A dossier with one promise and one request for papers at most; dates are of the directory's zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// By date.
    fact: Fact,
    missed_by_instant: Timestamp,
    letter_by: Timestamp,
    letter: Timestamp,
    defective: Timestamp,
    /// The keys as numbers.
    pub(super) keys: [u32; 4],
}

impl Line {
    /// Of a row, if it is that simple.
    pub(super) fn of(row: &Row, home: &Zone) -> Option<Line> {
        let (by_date, by_instant) = (row.by_date.as_ref()?, row.by_instant.as_ref()?);
        if by_date.promises.len() > 1 || by_date.requests.len() > 1 {
            return None;
        }
        let promise = by_date.promises.first();
        Some(Line {
            fact: Fact::of(by_date, crate::rules::DEFINITIONS[0], home, NEVER),
            missed_by_instant: by_instant.promises.first().and_then(|p| p.missed).unwrap_or(NEVER),
            letter_by: promise.map_or(NEVER, |p| crate::rules::letter_deadline(p.due, home)),
            letter: promise.and_then(|p| p.letter).unwrap_or(NEVER),
            defective: promise.and_then(|p| p.defective).unwrap_or(NEVER),
            keys: row.keys,
        })
    }

    /// As a definition sees it. The only promise is the first and the current one.
    pub(super) fn fact(&self, definition: Definition) -> Fact {
        match definition.compared_by {
            ComparedBy::Date => self.fact,
            ComparedBy::Instant => Fact { missed: self.missed_by_instant, ..self.fact },
        }
    }

    /// What its promise obliges to at `c`.
    pub(super) fn owed(&self, c: Timestamp) -> Option<Owed> {
        owed(self.fact.missed, self.letter_by, self.letter, self.defective, c)
    }
}
