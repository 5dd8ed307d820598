//! On-time rates: definitions.md I.4, all integers, by one scan over the rows.
//!
//! Every integer has a moment of its own, which decides the period and the time group it counts in. Counts are exact
//! integers; a rate is made of them only where it is shown.

use super::obligation::{ObligationState, obligations};
use super::{Filter, Moment, Row, Views, Window};
use crate::dossier::{Code, Promise, Timeline};
use crate::rules::{Cohort, Definition, Judged};
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

/// The promise that a definition judges, of those given by `c`.
pub(super) fn judged(timeline: &Timeline, definition: Definition, c: Timestamp) -> Option<&Promise> {
    match definition.judged {
        Judged::Current => timeline.current(c),
        Judged::First => timeline.first(c),
    }
}

/// Whether the promise that a definition judges was missed by `c`.
pub(super) fn is_overdue(timeline: &Timeline, definition: Definition, c: Timestamp) -> bool {
    judged(timeline, definition, c).is_some_and(|p| p.missed_by(c))
}

/// The cohort's moment and the verdict, if the dossier is in the cohort at `c`, whatever the period.
pub(super) fn judge(
    timeline: &Timeline,
    definition: Definition,
    zone: &Zone,
    c: Timestamp,
) -> Option<(Timestamp, Verdict)> {
    let end = timeline.end.filter(|e| e.at <= c);
    let processed = end.filter(|e| e.kind.is_processed());
    let promise = judged(timeline, definition, c);
    let moment = match definition.cohort {
        Cohort::Processed => processed?.at,
        Cohort::Received if end.is_none() || processed.is_some() || definition.judges_exits => timeline.received,
        Cohort::Received => return None,
        Cohort::Returned => returned_at(timeline, c)?,
        Cohort::Decided => match promise.and_then(|p| p.missed).filter(|m| *m <= c) {
            Some(missed) => missed,
            None => processed?.at,
        },
    };
    if moment > c {
        return None;
    }
    let verdict = match promise {
        None => Verdict::NoDeadline,
        Some(promise) if promise.missed_by(c) => Verdict::Late,
        Some(_) if definition.second_supplement_is_late && timeline.waits_for_second_supplement(c) => {
            Verdict::LateBySupplement
        }
        Some(promise) => match end {
            None => Verdict::OnTimeAndOpen,
            Some(end) if zone.date(end.stopped) < promise.due.date(zone) => Verdict::Early,
            Some(_) => Verdict::OnDue,
        },
    };
    Some((moment, verdict))
}

/// The later of hand-over and end, of a dossier that was processed.
pub(super) fn returned_at(timeline: &Timeline, c: Timestamp) -> Option<Timestamp> {
    let end = timeline.end.filter(|e| e.kind.is_processed())?;
    let moment = timeline.returned?.max(end.at);
    (moment <= c).then_some(moment)
}

/// Each integer that a dossier adds 1 to, with the moment at which it does.
fn contributions(
    row: &Row,
    timeline: &Timeline,
    definition: Definition,
    home: &Zone,
    zone: &Zone,
    window: Window,
    mut add: impl FnMut(Figure, Timestamp),
) {
    let c = window.c;
    if timeline.received > c {
        return;
    }
    let mut in_period = |figure, moment| {
        if window.holds(moment) {
            add(figure, moment);
        }
    };
    in_period(Figure::Received, timeline.received);
    if let Some(end) = timeline.end {
        in_period(if end.kind.is_processed() { Figure::Resolved } else { Figure::Withdrawn }, end.at);
    }
    if let Some(moment) = returned_at(timeline, c) {
        in_period(Figure::Returned, moment);
    }
    if let Some((moment, verdict)) = judge(timeline, definition, zone, c) {
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
    for obligation in row.by_date.iter().flat_map(|t| obligations(t, home, c)) {
        let state = match obligation.state {
            ObligationState::Forecast => continue,
            ObligationState::Pending => {
                // Of the stock at the cut, whatever the period.
                obligation.missed_at.into_iter().for_each(|missed| add(Figure::ApologyPending, missed));
                continue;
            }
            ObligationState::InTime => Figure::ApologyInTime,
            ObligationState::Late => Figure::ApologyLate,
            ObligationState::Missing => Figure::ApologyMissing,
        };
        if let Some(decided_at) = obligation.decided_at.filter(|a| window.holds(*a)) {
            add(Figure::ApologyDue, decided_at);
            add(state, decided_at);
            if obligation.defective {
                add(Figure::ApologyDefective, decided_at);
            }
        }
    }
    // The rest of the stock.
    if timeline.is_open(c) {
        add(Figure::Open, timeline.received);
        match judged(timeline, definition, c) {
            None => add(Figure::OpenNoDeadline, timeline.received),
            Some(promise) if promise.missed_by(c) => add(Figure::OpenOverdue, timeline.received),
            Some(_) => {}
        }
    }
}

/// A group's key as numbers, one a key asked for; time keys count periods since 1970.
type Numbers = [i32; 8];

impl Views {
    /// Answers a question about rates.
    #[must_use]
    pub fn rates(&self, query: &RatesQuery) -> RatesAnswer {
        let zone = query.zone.unwrap_or(self.home);
        let from = query.from.map(|m| m.bound(&zone));
        let to = query.to.map(|m| m.bound(&zone));
        let as_of = query.as_of.as_of(&zone);
        let window = Window::new(from, to, as_of);
        let mut total = Figures::default();
        let mut groups: HashMap<Numbers, Figures> = HashMap::new();
        let by_time = query.by.iter().any(|key| key.is_time());
        let mut added: Vec<(Figure, Timestamp)> = Vec::new();
        for row in self.rows.iter().filter(|r| query.filter.admits(&r.dossier)) {
            let Some(timeline) = row.timeline(query.definition, &self.home, &zone) else { continue };
            added.clear();
            contributions(row, &timeline, query.definition, &self.home, &zone, window, |figure, moment| {
                added.push((figure, moment));
            });
            for (figure, _) in &added {
                total.count(*figure);
            }
            if query.by.is_empty() {
                continue;
            }
            // What counts at one moment counts in one group; without time keys all of a dossier does.
            for counted in added.chunk_by(|a, b| !by_time || a.1 == b.1) {
                let group = groups.entry(numbers(row, &query.by, counted[0].1, &zone)).or_default();
                for (figure, _) in counted {
                    group.count(*figure);
                }
            }
        }
        let mut groups: Vec<Group> =
            groups.into_iter().map(|(numbers, figures)| Group { key: self.key(&query.by, numbers), figures }).collect();
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

fn numbers(row: &Row, by: &[GroupKey], moment: Timestamp, zone: &Zone) -> Numbers {
    let mut numbers = [0; 8];
    let symbol = |at: usize| i32::try_from(row.keys[at]).unwrap_or(i32::MAX);
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
