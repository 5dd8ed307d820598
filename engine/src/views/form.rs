//! Official form II.06a: definitions.md I.6, all columns, by one scan over the rows.
//!
//! Every dossier in hand is counted twice in the row of its key: once by how it came into the period, once by what
//! became of it. The sums of the form are made of these counts, so a row whose two sides differ shows a defect here.

use super::{Filter, KeyValue, Moment, Views, Window};
use crate::dossier::Timeline;
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

    /// Counts a dossier that was received by the cut, if it was in hand in the period.
    fn count(&mut self, timeline: &Timeline, online: bool, zone: &Zone, window: Window) {
        let c = window.c;
        // What ended after the cut is open, whatever comes.
        let end = timeline.end.filter(|end| end.at <= c);
        if end.is_some_and(|end| end.at < window.from) {
            return;
        }
        let came = match (timeline.received < window.from, online) {
            (true, _) => &mut self.carried_over,
            (false, true) => &mut self.online,
            (false, false) => &mut self.direct,
        };
        *came += 1;
        let promise = timeline.current(c);
        let missed = promise.is_some_and(|p| p.missed_by(c));
        let became = match (end, promise) {
            (Some(end), _) if !end.kind.is_processed() => &mut self.withdrawn,
            (Some(_), None) => &mut self.resolved_no_deadline,
            (Some(_), Some(_)) if missed => &mut self.overdue,
            (Some(end), Some(promise)) if zone.date(end.stopped) < promise.due.date(zone) => &mut self.early,
            (Some(_), Some(_)) => &mut self.on_due,
            (None, None) => &mut self.in_progress_no_deadline,
            (None, Some(_)) if missed => &mut self.in_progress_overdue,
            (None, Some(_)) => &mut self.within_due,
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
        let online = self.symbols.numbers.get("online").copied();
        // A row for every code that the views have numbered, and one for none: what is no key of this form stays zero.
        let mut by_number = vec![FormFigures::default(); self.symbols.names.len() + 1];
        for row in self.rows.iter().filter(|row| query.filter.admits(&row.dossier)) {
            let Some(timeline) = row.timeline(COMPARED_AS, &self.home, &zone) else { continue };
            if timeline.received > window.c {
                continue;
            }
            let [_, _, _, channel] = row.keys;
            by_number[row.keys[query.by.place()] as usize].count(&timeline, Some(channel) == online, &zone, window);
        }
        let mut total = FormFigures::default();
        let mut rows = Vec::new();
        for (number, figures) in (0..).zip(&by_number).filter(|(_, figures)| **figures != FormFigures::default()) {
            total.add(figures);
            rows.push((self.symbols.name(number).cloned(), *figures));
        }
        // `None` is less than any text: null comes first.
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        FormAnswer { from, to, as_of, zone, position: self.position, total, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dossier::{Due, End, EndKind, Promise};
    use crate::time::Date;

    const HOME: Zone = Zone::VIETNAM;
    const HOUR: i64 = 3_600_000;

    /// 09:00 of a day of September 2025.
    fn at(day: i32) -> Timestamp {
        HOME.first_tick(Date::new(2025, 9, 1).expect("a date").plus(day - 1)).plus(9 * HOUR)
    }

    fn timeline(received: i32, due: Option<i32>, end: Option<(i32, EndKind)>) -> Timeline {
        let date = |day| Date::new(2025, 9, day).expect("a date");
        let mut timeline = Timeline {
            received: at(received),
            end: end.map(|(day, kind)| End { at: at(day), kind, stopped: at(day), position: 1 }),
            returned: None,
            promises: Vec::new(),
            waits: Vec::new(),
            requests: Vec::new(),
            letters: Vec::new(),
        };
        if let Some(day) = due {
            let due = Due::Date(date(u32::try_from(day).expect("a day")));
            let missed = HOME.first_tick(due.date(&HOME).plus(1));
            timeline.promises.push(Promise {
                due,
                given: at(received),
                made: at(received),
                missed: end.is_none_or(|(day, _)| at(day) >= missed).then_some(missed),
                in_run: true,
                letter: None,
                defective: None,
            });
        }
        timeline
    }

    /// Every way to come and every way to go, and the row balances.
    #[test]
    fn each_dossier_in_hand_is_counted_once_on_each_side() {
        let window = Window::new(Some(at(5)), Some(at(20)), at(30));
        let processed = |day| Some((day, EndKind::Processed));
        let mut row = FormFigures::default();
        for (online, timeline, counted) in [
            (true, timeline(6, Some(10), processed(9)), true),
            (false, timeline(6, Some(10), processed(10)), true),
            (true, timeline(1, Some(10), processed(11)), true),
            (false, timeline(1, None, processed(5)), true),
            (false, timeline(4, Some(21), None), true),
            (false, timeline(6, Some(19), processed(20)), true),
            (false, timeline(6, None, None), true),
            (false, timeline(6, Some(10), Some((8, EndKind::Withdrawn))), true),
            (false, timeline(1, Some(2), Some((12, EndKind::Stopped))), true),
            (false, timeline(1, Some(10), processed(4)), false),
        ] {
            let before = row;
            row.count(&timeline, online, &HOME, window);
            assert_eq!(row != before, counted, "{timeline:?}");
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
