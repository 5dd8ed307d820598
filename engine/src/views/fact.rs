//! What rates read of a dossier: the few moments and dates by which definitions.md I.4 judges it.
//!
//! Of most dossiers they lie in columns ([`super::line`]), of the others they are taken from the history. Either way one
//! [`Fact`] is judged, so there is one judgement.
//!
//! A moment that has not come is `Timestamp::MAX`, so that "by the cut" is one comparison.

use super::History;
use crate::dossier::{Entry, Promise, Timeline};
use crate::rules::{ComparedBy, Definition, Judged, SecondSupplement};
use crate::time::{Date, Due, Timestamp, Zone};

/// The moment of what has not come.
pub(super) const NEVER: Timestamp = Timestamp::MAX;

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
pub(super) fn latest(entries: &[Entry], timeline: &Timeline, c: Timestamp) -> Option<(Timestamp, Due)> {
    let until = timeline.end.map_or(c, |e| e.at.min(c));
    let mut carried: Vec<(Timestamp, u64, Due)> = entries
        .iter()
        .filter_map(|e| Some((e.occurred_at.max(timeline.received), e.position, e.act.due()?)))
        .filter(|(t, ..)| *t <= until)
        .collect();
    carried.sort_by_key(|(t, position, _)| (*t, *position));
    Some((carried.first()?.0, carried.last()?.2))
}

impl Fact {
    /// Of a history as the definition compares it, looked at `c`.
    pub(super) fn of(history: &History, definition: Definition, zones: Zones<'_>, c: Timestamp) -> Fact {
        let (zone, timeline) = (zones.asked, &history.timeline);
        let fact = Fact::told(timeline, definition, zone, c);
        if definition.judged != Judged::Latest {
            return fact;
        }
        let Some((given, due)) = latest(&history.entries, timeline, c) else { return fact };
        // Judged only where the clock stopped, or at the cut.
        let judged_at = timeline.end.filter(|e| e.at <= c).map_or(c, |e| e.stopped);
        let kept = match definition.compared_by {
            ComparedBy::Date => zone.date(judged_at) <= due.date(zone),
            ComparedBy::Instant => judged_at <= due.last_moment(zones.home),
        };
        Fact { given, due_on: due.date(zone), missed: if kept { NEVER } else { judged_at }, ..fact }
    }

    /// The same where a promise of the fold is judged.
    pub(super) fn told(timeline: &Timeline, definition: Definition, zone: &Zone, c: Timestamp) -> Fact {
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
