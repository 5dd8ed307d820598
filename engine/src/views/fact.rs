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
use crate::rules::{ComparedBy, Definition, Judged, RESOLVED, SecondSupplement};
use crate::time::{Date, Due, Timestamp, Zone};

const NEVER: Timestamp = Timestamp::MAX;

/// The zone of the directory, which ends its date dues, and the one that makes dates of instants.
#[derive(Clone, Copy)]
pub(super) struct Zones<'a> {
    pub(super) home: &'a Zone,
    pub(super) asked: &'a Zone,
}

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
        // No promise of the fold: see `latest`.
        Judged::Latest => None,
    }
}

/// The due that any event carried last by `c`, and when the first one did: what overwrites the promise elsewhere.
pub(super) fn latest(row: &Row, timeline: &Timeline, c: Timestamp) -> Option<(Timestamp, Due)> {
    let until = timeline.end.map_or(c, |e| e.at.min(c));
    let mut carried: Vec<(Timestamp, u64, Due)> = row
        .dossier
        .standing()
        .iter()
        .filter_map(|e| Some((e.occurred_at.max(timeline.received), e.position, e.act.due()?)))
        .filter(|(t, ..)| *t <= until)
        .collect();
    carried.sort_by_key(|(t, position, _)| (*t, *position));
    Some((carried.first()?.0, carried.last()?.2))
}

impl Fact {
    /// Of a row's history as the definition compares it, looked at `c`.
    pub(super) fn of(row: &Row, timeline: &Timeline, definition: Definition, zones: Zones<'_>, c: Timestamp) -> Fact {
        let zone = zones.asked;
        let fact = Fact::told(timeline, definition, zone, c);
        if definition.judged != Judged::Latest {
            return fact;
        }
        let Some((given, due)) = latest(row, timeline, c) else { return fact };
        // Judged only where the clock stopped, or at the cut.
        let judged_at = timeline.end.filter(|e| e.at <= c).map_or(c, |e| e.stopped);
        let kept = match definition.compared_by {
            ComparedBy::Date => zone.date(judged_at) <= due.date(zone),
            ComparedBy::Instant => judged_at <= due.last_moment(zones.home),
        };
        Fact { given, due_on: due.date(zone), missed: if kept { NEVER } else { judged_at }, ..fact }
    }

    fn told(timeline: &Timeline, definition: Definition, zone: &Zone, c: Timestamp) -> Fact {
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
            waits_again: match definition.second_supplement {
                SecondSupplement::Ignored => false,
                SecondSupplement::LateWhileWaiting => timeline.waits_for_second_supplement(c),
                SecondSupplement::LateAlways => timeline.requests.iter().filter(|r| r.at <= c).count() > 1,
            },
        }
    }

    /// Whether the judged promise was missed by `c`.
    pub(super) fn is_overdue(&self, c: Timestamp) -> bool {
        self.is_promised(c) && self.missed <= c
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
            fact: Fact::told(by_date, RESOLVED, home, NEVER),
            missed_by_instant: by_instant.promises.first().and_then(|p| p.missed).unwrap_or(NEVER),
            letter_by: promise.map_or(NEVER, |p| row.dossier.pinned.letter_deadline(p.due, p.made, home)),
            letter: promise.and_then(|p| p.letter).unwrap_or(NEVER),
            defective: promise.and_then(|p| p.defective).unwrap_or(NEVER),
            keys: row.keys,
        })
    }

    /// Whether what lines hold is what this definition judges.
    pub(super) fn serves(definition: Definition) -> bool {
        definition.judged != Judged::Latest
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
