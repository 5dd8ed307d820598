//! On-time rates: definitions.md I.4, all integers, by one scan over the rows.
//!
//! Every integer has a moment of its own, which decides the period and the time group it counts in. Counts are exact
//! integers; a rate is made of them only where it is shown.

use super::fact::{Fact, judged};
use super::obligation::{ObligationState, Owed, owed_by};
use super::{Filter, Moment, Views, Window};
use crate::dossier::{Code, Timeline};
use crate::rules::{Cohort, Definition};
use crate::time::{Date, Timestamp, Zone};
use std::collections::HashMap;

/// The integers of an answer, in the order of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
#[allow(missing_docs, reason = "each is the integer of its name in definitions.md I.4 and I.5")]
pub enum Figure {
    Received,
    Resolved,
    Withdrawn,
    Returned,
    Cohort,
    OnTime,
    Late,
    NoDeadline,
    Early,
    OnDue,
    Open,
    OpenOverdue,
    OpenNoDeadline,
    ApologyDue,
    ApologyInTime,
    ApologyLate,
    ApologyMissing,
    ApologyDefective,
    ApologyPending,
}

impl Figure {
    /// How many there are.
    pub const COUNT: usize = 19;

    /// All, in the order of the contract, with their names in JSON.
    pub const ALL: [(Figure, &'static str); Figure::COUNT] = [
        (Figure::Received, "received"),
        (Figure::Resolved, "resolved"),
        (Figure::Withdrawn, "withdrawn"),
        (Figure::Returned, "returned"),
        (Figure::Cohort, "cohort"),
        (Figure::OnTime, "on_time"),
        (Figure::Late, "late"),
        (Figure::NoDeadline, "no_deadline"),
        (Figure::Early, "early"),
        (Figure::OnDue, "on_due"),
        (Figure::Open, "open"),
        (Figure::OpenOverdue, "open_overdue"),
        (Figure::OpenNoDeadline, "open_no_deadline"),
        (Figure::ApologyDue, "apology_due"),
        (Figure::ApologyInTime, "apology_in_time"),
        (Figure::ApologyLate, "apology_late"),
        (Figure::ApologyMissing, "apology_missing"),
        (Figure::ApologyDefective, "apology_defective"),
        (Figure::ApologyPending, "apology_pending"),
    ];
}

/// The integers of one row of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures([u64; Figure::COUNT]);

impl Figures {
    /// One of them.
    #[must_use]
    pub fn get(&self, figure: Figure) -> u64 {
        self.0[figure as usize]
    }

    fn count(&mut self, figure: Figure) {
        self.0[figure as usize] += 1;
    }

    /// Each integer with its name in JSON, in the order of the contract.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Figure::ALL.iter().map(|(figure, name)| (*name, self.get(*figure)))
    }

    /// Adds another row's integers.
    pub fn add(&mut self, other: &Figures) {
        for (sum, n) in self.0.iter_mut().zip(other.0) {
            *sum += n;
        }
    }

    /// `on_time` and `on_time + late`: the rate as an exact fraction. Not applicable if the second is 0.
    #[must_use]
    pub fn on_time_rate(&self) -> (u64, u64) {
        let on_time = self.get(Figure::OnTime);
        (on_time, on_time + self.get(Figure::Late))
    }

    /// `apology_in_time` and `apology_due`. Not applicable if the second is 0.
    #[must_use]
    pub fn apology_rate(&self) -> (u64, u64) {
        (self.get(Figure::ApologyInTime), self.get(Figure::ApologyDue))
    }
}

/// What to group by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the key of its name in the contract")]
pub enum GroupKey {
    Unit,
    Procedure,
    Field,
    Channel,
    Day,
    Month,
    Quarter,
    Year,
}

impl GroupKey {
    /// All, with their names.
    pub const ALL: [(GroupKey, &'static str); 8] = [
        (GroupKey::Unit, "unit"),
        (GroupKey::Procedure, "procedure"),
        (GroupKey::Field, "field"),
        (GroupKey::Channel, "channel"),
        (GroupKey::Day, "day"),
        (GroupKey::Month, "month"),
        (GroupKey::Quarter, "quarter"),
        (GroupKey::Year, "year"),
    ];

    /// The key of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<GroupKey> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(k, _)| k)
    }

    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn is_time(self) -> bool {
        matches!(self, GroupKey::Day | GroupKey::Month | GroupKey::Quarter | GroupKey::Year)
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct RatesQuery {
    /// By which definition.
    pub definition: Definition,
    /// The period's first tick; without it, from the beginning.
    pub from: Option<Moment>,
    /// The first tick after the period; without it, without end.
    pub to: Option<Moment>,
    /// The business time at which it is looked at.
    pub as_of: Moment,
    /// The keys to group by, none twice.
    pub by: Vec<GroupKey>,
    /// Which dossiers.
    pub filter: Filter,
    /// The zone that makes dates of instants; the directory's if none is named.
    pub zone: Option<Zone>,
}

/// A key's value in one group; `None` where the dossiers have none.
pub type KeyValue = Option<Code>;

/// One group of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The values of the keys, in the order asked for.
    pub key: Vec<KeyValue>,
    /// The integers.
    pub figures: Figures,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatesAnswer {
    /// The period's first tick, if one was named.
    pub from: Option<Timestamp>,
    /// The first tick after it, if one was named.
    pub to: Option<Timestamp>,
    /// The business time it is looked at.
    pub as_of: Timestamp,
    /// The zone that made dates of instants.
    pub zone: Zone,
    /// The number of records that the answer has folded.
    pub position: u64,
    /// Over all.
    pub total: Figures,
    /// By group, sorted by key, null first; none is all zero.
    pub groups: Vec<Group>,
}

/// What a definition says of a dossier of its cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ended before the due date.
    Early,
    /// Ended on the due date.
    OnDue,
    /// Open, the promise not missed.
    OnTimeAndOpen,
    /// The promise was missed.
    Late,
    /// It waits for papers after more than one request (Decision 766).
    LateBySupplement,
    /// No promise was given.
    NoDeadline,
}

/// Whether the promise that a definition judges was missed by `c`.
pub(super) fn is_overdue(timeline: &Timeline, definition: Definition, c: Timestamp) -> bool {
    judged(timeline, definition, c).is_some_and(|p| p.missed_by(c))
}

/// The cohort's moment and the verdict, if the dossier is in the cohort at `c`, whatever the period.
pub(super) fn judge(fact: &Fact, definition: Definition, c: Timestamp) -> Option<(Timestamp, Verdict)> {
    let ended = fact.ended <= c;
    let processed = ended && fact.processed;
    let promised = fact.is_promised(c);
    let missed = promised && fact.missed <= c;
    let moment = match definition.cohort {
        Cohort::Processed if processed => fact.ended,
        Cohort::Received if !ended || processed || definition.judges_exits => fact.received,
        Cohort::Returned => fact.handed_over(),
        Cohort::Decided if missed => fact.missed,
        Cohort::Decided if processed => fact.ended,
        Cohort::Processed | Cohort::Received | Cohort::Decided => return None,
    };
    if moment > c {
        return None;
    }
    let verdict = if !promised {
        Verdict::NoDeadline
    } else if missed {
        Verdict::Late
    } else if fact.waits_again {
        Verdict::LateBySupplement
    } else if !ended {
        Verdict::OnTimeAndOpen
    } else if fact.stopped_on < fact.due_on {
        Verdict::Early
    } else {
        Verdict::OnDue
    };
    Some((moment, verdict))
}

/// The later of hand-over and end, of a dossier that was processed.
pub(super) fn returned_at(timeline: &Timeline, c: Timestamp) -> Option<Timestamp> {
    let end = timeline.end.filter(|e| e.kind.is_processed())?;
    let moment = timeline.returned?.max(end.at);
    (moment <= c).then_some(moment)
}

/// Each integer that a dossier adds 1 to, with the moment at which it does; but for its obligations.
fn contributions(fact: &Fact, definition: Definition, window: Window, add: &mut impl FnMut(Figure, Timestamp)) {
    let c = window.c;
    if fact.received > c {
        return;
    }
    let mut in_period = |figure, moment| {
        if window.holds(moment) {
            add(figure, moment);
        }
    };
    in_period(Figure::Received, fact.received);
    in_period(if fact.processed { Figure::Resolved } else { Figure::Withdrawn }, fact.ended);
    in_period(Figure::Returned, fact.handed_over());
    if let Some((moment, verdict)) = judge(fact, definition, c) {
        in_period(Figure::Cohort, moment);
        match verdict {
            Verdict::Early => {
                in_period(Figure::OnTime, moment);
                in_period(Figure::Early, moment);
            }
            Verdict::OnDue => {
                in_period(Figure::OnTime, moment);
                in_period(Figure::OnDue, moment);
            }
            Verdict::OnTimeAndOpen => in_period(Figure::OnTime, moment),
            Verdict::Late | Verdict::LateBySupplement => in_period(Figure::Late, moment),
            Verdict::NoDeadline => in_period(Figure::NoDeadline, moment),
        }
    }
    // The stock, whatever the period.
    if fact.ended > c {
        add(Figure::Open, fact.received);
        if !fact.is_promised(c) {
            add(Figure::OpenNoDeadline, fact.received);
        } else if fact.missed <= c {
            add(Figure::OpenOverdue, fact.received);
        }
    }
}

/// The integers of an obligation, with their moments.
fn obligation(owed: Owed, window: Window, add: &mut impl FnMut(Figure, Timestamp)) {
    let state = match owed.state {
        ObligationState::Forecast => return,
        // Of the stock at the cut, whatever the period.
        ObligationState::Pending => return add(Figure::ApologyPending, owed.missed_at),
        ObligationState::InTime => Figure::ApologyInTime,
        ObligationState::Late => Figure::ApologyLate,
        ObligationState::Missing => Figure::ApologyMissing,
    };
    if window.holds(owed.decided_at) {
        add(Figure::ApologyDue, owed.decided_at);
        add(state, owed.decided_at);
        if owed.defective {
            add(Figure::ApologyDefective, owed.decided_at);
        }
    }
}

/// A group's key as numbers, one a key asked for; time keys count periods since 1970.
type Numbers = [i32; 8];

/// Figures by group. Neighbours often fall into one group, so the last one is tried before the map.
#[derive(Default)]
struct Groups {
    places: HashMap<Numbers, usize>,
    figures: Vec<(Numbers, Figures)>,
    last: usize,
}

impl Groups {
    fn at(&mut self, numbers: Numbers) -> &mut Figures {
        if self.figures.get(self.last).is_none_or(|(n, _)| *n != numbers) {
            self.last = *self.places.entry(numbers).or_insert(self.figures.len());
            if self.last == self.figures.len() {
                self.figures.push((numbers, Figures::default()));
            }
        }
        &mut self.figures[self.last].1
    }
}

impl Views {
    /// Answers a question about rates.
    #[must_use]
    pub fn rates(&self, query: &RatesQuery) -> RatesAnswer {
        let zone = query.zone.unwrap_or(self.home);
        let from = query.from.map(|m| m.bound(&zone));
        let to = query.to.map(|m| m.bound(&zone));
        let as_of = query.as_of.as_of(&zone);
        let window = Window::new(from, to, as_of);
        let sieve = self.sieve(&query.filter);
        let mut total = Figures::default();
        let mut groups = Groups::default();
        let by_time = query.by.iter().any(|key| key.is_time());
        let mut added: Vec<(Figure, Timestamp)> = Vec::with_capacity(Figure::COUNT);
        // Lines hold dates of the directory's zone.
        let at_home = zone == self.home;
        for (row, line) in self.rows.iter().zip(&self.lines) {
            let mut add = |figure, moment| added.push((figure, moment));
            let keys = match line.as_ref().filter(|_| at_home) {
                Some(line) if !sieve.admits(&line.keys) => continue,
                Some(line) => {
                    contributions(&line.fact(query.definition), query.definition, window, &mut add);
                    line.owed(window.c).into_iter().for_each(|owed| obligation(owed, window, &mut add));
                    line.keys
                }
                None if !sieve.admits(&row.keys) => continue,
                None => {
                    let Some(timeline) = row.timeline(query.definition, &self.home, &zone) else { continue };
                    let fact = Fact::of(&timeline, query.definition, &zone, window.c);
                    contributions(&fact, query.definition, window, &mut add);
                    let owed = row.by_date.iter().flat_map(|t| owed_by(t, &self.home, window.c));
                    owed.for_each(|owed| obligation(owed, window, &mut add));
                    row.keys
                }
            };
            // What counts at one moment counts in one group; without time keys all of a dossier does.
            for counted in added.chunk_by(|a, b| !by_time || a.1 == b.1).filter(|_| !query.by.is_empty()) {
                let group = groups.at(numbers(keys, &query.by, counted[0].1, &zone));
                for (figure, _) in counted {
                    group.count(*figure);
                }
            }
            for (figure, _) in added.drain(..) {
                total.count(figure);
            }
        }
        let groups = groups.figures.into_iter();
        let mut groups: Vec<Group> =
            groups.map(|(numbers, figures)| Group { key: self.key(&query.by, numbers), figures }).collect();
        // `None` is less than any text: null comes first.
        groups.sort_by(|a, b| a.key.cmp(&b.key));
        RatesAnswer { from, to, as_of, zone, position: self.position, total, groups }
    }

    fn key(&self, by: &[GroupKey], numbers: Numbers) -> Vec<KeyValue> {
        let year = |n: i32, parts: i32| n.div_euclid(parts);
        by.iter()
            .zip(numbers)
            .map(|(key, n)| match key {
                GroupKey::Unit | GroupKey::Procedure | GroupKey::Field | GroupKey::Channel => {
                    self.symbols.name(n.unsigned_abs()).cloned()
                }
                GroupKey::Day => Some(Date(n).to_string().into()),
                GroupKey::Month => Some(format!("{:04}-{:02}", year(n, 12), n.rem_euclid(12) + 1).into()),
                GroupKey::Quarter => Some(format!("{:04}-Q{}", year(n, 4), n.rem_euclid(4) + 1).into()),
                GroupKey::Year => Some(format!("{n:04}").into()),
            })
            .collect()
    }
}

fn numbers(keys: [u32; 4], by: &[GroupKey], moment: Timestamp, zone: &Zone) -> Numbers {
    let mut numbers = [0; 8];
    let symbol = |at: usize| i32::try_from(keys[at]).unwrap_or(i32::MAX);
    for (slot, key) in numbers.iter_mut().zip(by) {
        *slot = match key {
            GroupKey::Unit => symbol(0),
            GroupKey::Procedure => symbol(1),
            GroupKey::Field => symbol(2),
            GroupKey::Channel => symbol(3),
            GroupKey::Day | GroupKey::Month | GroupKey::Quarter | GroupKey::Year => {
                let date = zone.date(moment);
                let (year, month, _) = date.ymd();
                let month = i32::try_from(month).unwrap_or(1) - 1;
                match key {
                    GroupKey::Day => date.0,
                    GroupKey::Month => year * 12 + month,
                    GroupKey::Quarter => year * 4 + month / 3,
                    _ => year,
                }
            }
        };
    }
    numbers
}
