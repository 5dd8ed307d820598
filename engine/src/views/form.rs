//! Official form II.06a: definitions.md I.6, all columns, by one scan over the rows.
//!
//! Every dossier in hand is counted twice in the row of its key: once by how it came into the period, once by what
//! became of it. The sums of the form are made of these counts, so a row whose two sides differ shows a defect here.

use super::fact::{Fact, Zones};
use super::families::Families;
use super::scan::{Judging, Question};
use super::{Filter, KeyValue, Moment, Views, Window};
use crate::rules::{Definition, RESOLVED};
use crate::time::{Timestamp, Zone};
use std::collections::BTreeMap;

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

    /// Counts `n` dossiers, each on both sides.
    fn count(&mut self, sides: u32, online: bool, n: u64) {
        for side in 0..SIDES {
            let sum = match side {
                _ if sides & 1 << side == 0 => continue,
                NEW if online => &mut self.online,
                NEW => &mut self.direct,
                CARRIED_OVER => &mut self.carried_over,
                WITHDRAWN => &mut self.withdrawn,
                RESOLVED_NO_DEADLINE => &mut self.resolved_no_deadline,
                OVERDUE => &mut self.overdue,
                EARLY => &mut self.early,
                ON_DUE => &mut self.on_due,
                IN_PROGRESS_NO_DEADLINE => &mut self.in_progress_no_deadline,
                IN_PROGRESS_OVERDUE => &mut self.in_progress_overdue,
                _ => &mut self.within_due,
            };
            *sum += n;
        }
    }
}

/// How a dossier came into the period.
const NEW: u32 = 0;
const CARRIED_OVER: u32 = 1;
/// What became of it.
const WITHDRAWN: u32 = 2;
const RESOLVED_NO_DEADLINE: u32 = 3;
const OVERDUE: u32 = 4;
const EARLY: u32 = 5;
const ON_DUE: u32 = 6;
const IN_PROGRESS_NO_DEADLINE: u32 = 7;
const IN_PROGRESS_OVERDUE: u32 = 8;
const WITHIN_DUE: u32 = 9;
const SIDES: u32 = 10;

/// The two sides on which a dossier is counted, as bits; none if it was not in hand in the period.
fn sides(fact: &Fact, window: Window) -> u32 {
    let c = window.c;
    // What ended after the cut is open, whatever comes.
    let ended = fact.ended <= c;
    if fact.received > c || (ended && fact.ended < window.from) {
        return 0;
    }
    let came = if fact.received < window.from { CARRIED_OVER } else { NEW };
    let missed = fact.missed <= c;
    let became = match (ended, fact.is_promised(c)) {
        (true, _) if !fact.processed => WITHDRAWN,
        (true, false) => RESOLVED_NO_DEADLINE,
        (true, true) if missed => OVERDUE,
        (true, true) if fact.stopped_on < fact.due_on => EARLY,
        (true, true) => ON_DUE,
        (false, false) => IN_PROGRESS_NO_DEADLINE,
        (false, true) if missed => IN_PROGRESS_OVERDUE,
        (false, true) => WITHIN_DUE,
    };
    1 << came | 1 << became
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
        self.form_by(query, false)
    }

    /// The same answer, for which every dossier is judged by itself and at length: what the quick one is held against.
    #[must_use]
    pub fn form_one_by_one(&self, query: &FormQuery) -> FormAnswer {
        self.form_by(query, true)
    }

    fn form_by(&self, query: &FormQuery, one_by_one: bool) -> FormAnswer {
        let zone = query.zone.unwrap_or(self.home);
        let (from, to) = (query.from.bound(&zone), query.to.bound(&zone));
        let as_of = query.as_of.as_of(&zone);
        let window = Window::new(Some(from), Some(to), as_of);
        let online = self.number("online");
        let (unit, field) = (query.by == FormKey::Unit, query.by == FormKey::Field);
        let families = Families::of(self, &query.filter, window.c, [unit, false, field, true]);
        let question = Question {
            views: self,
            judging: Judging::new(COMPARED_AS, Zones { home: &self.home, asked: &zone }, window.c),
            window,
            families: &families,
            period: None,
            judge: |fact: &Fact, window: Window, add: &mut dyn FnMut(u32, Timestamp)| {
                add(sides(fact, window), fact.received);
            },
            owes: false,
            one_by_one,
        };
        let mut by_number: BTreeMap<u32, FormFigures> = BTreeMap::new();
        question.tally().each(0, |family, sides, n| {
            let keys = families.keys()[family];
            let row = by_number.entry(keys[query.by.place()]).or_default();
            row.count(sides, Some(keys[3]) == online, n.into());
        });
        let mut total = FormFigures::default();
        let mut rows = Vec::new();
        for (number, figures) in by_number {
            total.add(&figures);
            rows.push((self.name(number).cloned(), figures));
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
            row.count(sides(&fact, window), online, 1);
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
