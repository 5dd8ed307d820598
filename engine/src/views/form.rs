//! Official form II.06a: definitions.md I.6, all columns, by one scan over the rows.
//!
//! Every dossier in hand is counted twice in the row of its key: once by how it came into the period, once by what
//! became of it. The sums of the form are made of these counts, so a row whose two sides differ shows a defect here.

use super::fact::{Fact, Zones};
use super::scan::{self, Judging, Scratch};
use super::table::Chunk;
use super::{Filter, KeyValue, Moment, Views, Window};
use crate::rules::{Definition, RESOLVED};
use crate::time::{Timestamp, Zone};

/// The form compares by date and judges the current promise, as this definition does.
const COMPARED_AS: Definition = RESOLVED;

/// What the rows of the form stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormKey {
    /// A field of procedures each.
    Field,
    /// A unit each.
    Unit,
}

impl FormKey {
    /// Both, with their names.
    pub const ALL: [(FormKey, &'static str); 2] = [(FormKey::Field, "field"), (FormKey::Unit, "unit")];

    /// The key of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<FormKey> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(k, _)| k)
    }

    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Where it stands among the keys of a row.
    fn place(self) -> usize {
        match self {
            FormKey::Unit => 0,
            FormKey::Field => 2,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct FormQuery {
    /// The period's first tick.
    pub from: Moment,
    /// The first tick after the period.
    pub to: Moment,
    /// The business time at which it is looked at.
    pub as_of: Moment,
    /// What the rows stand for.
    pub by: FormKey,
    /// Which dossiers.
    pub filter: Filter,
    /// The zone that makes dates of instants; the directory's if none is named.
    pub zone: Option<Zone>,
}

/// One row of the form: what was counted. The sums of the form are methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormFigures {
    /// (4) Received in the period, online.
    pub online: u64,
    /// (5) Received in the period in any other way, also in one that nobody said.
    pub direct: u64,
    /// (6) Received before the period and in hand at its beginning.
    pub carried_over: u64,
    /// (8) Processed in the period, before the due date.
    pub early: u64,
    /// (9) Processed in the period, not before the due date, the promise not missed.
    pub on_due: u64,
    /// (10) Processed in the period, the promise missed.
    pub overdue: u64,
    /// Beyond the form: processed in the period without a promise.
    pub resolved_no_deadline: u64,
    /// (12) In progress at the cut, the promise not missed; also while waiting for the applicant.
    pub within_due: u64,
    /// (13) In progress at the cut, the promise missed; also if waiting now.
    pub in_progress_overdue: u64,
    /// Beyond the form: in progress at the cut without a promise.
    pub in_progress_no_deadline: u64,
    /// Beyond the form: withdrawn, stopped or rejected after acceptance in the period.
    pub withdrawn: u64,
}

impl FormFigures {
    /// How many integers a row has.
    pub const COUNT: usize = 14;

    /// (3) In hand in the period: (4) + (5) + (6).
    #[must_use]
    pub fn total_received(&self) -> u64 {
        self.online + self.direct + self.carried_over
    }

    /// (7) Processed in the period: (8) + (9) + (10) + those without a promise.
    #[must_use]
    pub fn resolved(&self) -> u64 {
        self.early + self.on_due + self.overdue + self.resolved_no_deadline
    }

    /// (11) In progress at the cut: (12) + (13) + those without a promise. It is (6) of the next period.
    #[must_use]
    pub fn in_progress(&self) -> u64 {
        self.within_due + self.in_progress_overdue + self.in_progress_no_deadline
    }

    /// Whether all that came is accounted for: (3) = (7) + (11) + withdrawn. It holds in every row of every answer.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.total_received() == self.resolved() + self.in_progress() + self.withdrawn
    }

    /// Each integer with its name in JSON, in the order of the contract.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); FormFigures::COUNT] {
        [
            ("total_received", self.total_received()),
            ("online", self.online),
            ("direct", self.direct),
            ("carried_over", self.carried_over),
            ("resolved", self.resolved()),
            ("early", self.early),
            ("on_due", self.on_due),
            ("overdue", self.overdue),
            ("resolved_no_deadline", self.resolved_no_deadline),
            ("in_progress", self.in_progress()),
            ("within_due", self.within_due),
            ("in_progress_overdue", self.in_progress_overdue),
            ("in_progress_no_deadline", self.in_progress_no_deadline),
            ("withdrawn", self.withdrawn),
        ]
    }

    /// Adds another row.
    pub fn add(&mut self, other: &FormFigures) {
        // Taken apart whole, so that no integer can be forgotten.
        let FormFigures {
            online,
            direct,
            carried_over,
            early,
            on_due,
            overdue,
            resolved_no_deadline,
            within_due,
            in_progress_overdue,
            in_progress_no_deadline,
            withdrawn,
        } = other;
        self.online += online;
        self.direct += direct;
        self.carried_over += carried_over;
        self.early += early;
        self.on_due += on_due;
        self.overdue += overdue;
        self.resolved_no_deadline += resolved_no_deadline;
        self.within_due += within_due;
        self.in_progress_overdue += in_progress_overdue;
        self.in_progress_no_deadline += in_progress_no_deadline;
        self.withdrawn += withdrawn;
    }

    /// Counts a dossier, if it was in hand in the period.
    fn count(&mut self, fact: &Fact, online: bool, window: Window) {
        let c = window.c;
        // What ended after the cut is open, whatever comes.
        let ended = fact.ended <= c;
        if fact.received > c || (ended && fact.ended < window.from) {
            return;
        }
        let came = match (fact.received < window.from, online) {
            (true, _) => &mut self.carried_over,
            (false, true) => &mut self.online,
            (false, false) => &mut self.direct,
        };
        *came += 1;
        let missed = fact.missed <= c;
        let became = match (ended, fact.is_promised(c)) {
            (true, _) if !fact.processed => &mut self.withdrawn,
            (true, false) => &mut self.resolved_no_deadline,
            (true, true) if missed => &mut self.overdue,
            (true, true) if fact.stopped_on < fact.due_on => &mut self.early,
            (true, true) => &mut self.on_due,
            (false, false) => &mut self.in_progress_no_deadline,
            (false, true) if missed => &mut self.in_progress_overdue,
            (false, true) => &mut self.within_due,
        };
        *became += 1;
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormAnswer {
    /// The period's first tick.
    pub from: Timestamp,
    /// The first tick after it.
    pub to: Timestamp,
    /// The business time it is looked at.
    pub as_of: Timestamp,
    /// The zone that made dates of instants.
    pub zone: Zone,
    /// The number of records that the answer has folded.
    pub position: u64,
    /// Over all rows.
    pub total: FormFigures,
    /// By key, null first; no row is all zero.
    pub rows: Vec<(KeyValue, FormFigures)>,
}

impl Views {
    /// Form II.06a of a period.
    #[must_use]
    pub fn form(&self, query: &FormQuery) -> FormAnswer {
        let zone = query.zone.unwrap_or(self.home);
        let (from, to) = (query.from.bound(&zone), query.to.bound(&zone));
        let as_of = query.as_of.as_of(&zone);
        let window = Window::new(Some(from), Some(to), as_of);
        let sieve = self.sieve(&query.filter, window.c);
        let online = self.number("online");
        let judging = Judging::new(COMPARED_AS, Zones { home: &self.home, asked: &zone }, window.c);
        let each = |(by_number, scratch): &mut (Vec<FormFigures>, Scratch), chunk: &Chunk| {
            for sight in self.rows(chunk).filter(|sight| sieve.admits(chunk.kin[sight.slot])) {
                let Some(fact) = judging.fact(sight, scratch) else { continue };
                let keys = sight.kin().keys;
                by_number[keys[query.by.place()] as usize].count(&fact, Some(keys[3]) == online, window);
            }
        };
        // A row for every code that the views have numbered, and one for none: what is no key of this form stays zero.
        let make = || (vec![FormFigures::default(); self.names.len() + 1], Scratch::default());
        let chunks = self.that_matter(&judging, from);
        let (by_number, _) = scan::over(&chunks, make, each, |all, part| {
            for (sum, row) in all.0.iter_mut().zip(part.0) {
                sum.add(&row);
            }
        });
        let mut total = FormFigures::default();
        let mut rows = Vec::new();
        for (number, figures) in (0..).zip(&by_number).filter(|(_, figures)| **figures != FormFigures::default()) {
            total.add(figures);
            rows.push((self.name(number).cloned(), *figures));
        }
        // `None` is less than any text: null comes first.
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        FormAnswer { from, to, as_of, zone, position: self.position, total, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Date;

    const NEVER: Timestamp = Timestamp::MAX;

    /// A dossier of days, a tick each: received, due, ended.
    fn fact(received: i32, due: Option<i32>, ended: Option<i32>, processed: bool) -> Fact {
        let tick = |day: i32| Timestamp(day.into());
        // The day after the due date, if the clock still runs then.
        let missed = due.map(|due| due + 1).filter(|day| ended.is_none_or(|ended| ended >= *day));
        Fact {
            received: tick(received),
            ended: ended.map_or(NEVER, tick),
            returned: NEVER,
            given: due.map_or(NEVER, |_| tick(received)),
            missed: missed.map_or(NEVER, tick),
            due_on: due.map_or(Date::LATEST, Date),
            stopped_on: ended.map_or(Date::LATEST, Date),
            processed,
            waits_again: false,
        }
    }

    /// Every way to come and every way to go, and the row balances.
    #[test]
    fn each_dossier_in_hand_is_counted_once_on_each_side() {
        let window = Window::new(Some(Timestamp(5)), Some(Timestamp(20)), Timestamp(30));
        let mut row = FormFigures::default();
        for (online, fact, counted) in [
            (true, fact(6, Some(10), Some(9), true), true),
            (false, fact(6, Some(10), Some(10), true), true),
            (true, fact(1, Some(10), Some(11), true), true),
            (false, fact(1, None, Some(5), true), true),
            // Due on the last day of the period, and ended after it.
            (false, fact(4, Some(19), Some(20), true), true),
            (false, fact(6, Some(18), Some(20), true), true),
            (false, fact(6, None, None, false), true),
            (false, fact(6, Some(10), Some(8), false), true),
            (false, fact(1, Some(2), Some(12), false), true),
            // Ended before the period, received after it.
            (false, fact(1, Some(10), Some(4), true), false),
            (false, fact(20, Some(21), None, false), false),
        ] {
            let before = row;
            row.count(&fact, online, window);
            assert_eq!(row != before, counted, "{fact:?}");
            assert!(row.balances(), "{row:?}");
        }
        let expected = FormFigures {
            online: 1,
            direct: 4,
            carried_over: 4,
            early: 1,
            on_due: 1,
            overdue: 1,
            resolved_no_deadline: 1,
            within_due: 1,
            in_progress_overdue: 1,
            in_progress_no_deadline: 1,
            withdrawn: 2,
        };
        assert_eq!(row, expected);
        let mut twice = row;
        twice.add(&row);
        assert!(twice.named().iter().zip(row.named()).all(|(sum, one)| *sum == (one.0, 2 * one.1)), "{twice:?}");
    }

    #[test]
    fn a_row_that_does_not_balance_is_seen() {
        let row = FormFigures { online: 2, early: 1, ..FormFigures::default() };
        assert!(!row.balances());
    }
}
