//! On-time rates: definitions.md I.4, all integers, by one scan over the rows.
//!
//! Every integer has a moment of its own, which decides the period and the time group it counts in. Counts are exact
//! integers; a rate is made of them only where it is shown.

use super::fact::{Fact, Zones};
use super::families::Families;
use super::obligation::{ObligationState, Owed};
use super::scan::{Judge, Judging, Question};
use super::tally::Tally;
use super::{Filter, Moment, Views, Window};
use crate::dossier::Code;
use crate::rules::{Cohort, Definition};
use crate::time::{Date, Timestamp, Zone};

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
pub struct Figures(pub(super) [u64; Figure::COUNT]);

impl Figures {
    /// One of them.
    #[must_use]
    pub fn get(&self, figure: Figure) -> u64 {
        self.0[figure as usize]
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

    /// Adds a number to all integers of a set of bits.
    fn add_set(&mut self, mut set: u32, n: u32) {
        while set != 0 {
            self.0[set.trailing_zeros() as usize] += u64::from(n);
            set &= set - 1;
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
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
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

/// The bit of a figure in a set of them.
const fn bit(figure: Figure) -> u32 {
    1 << (figure as u32)
}

const ON_TIME: u32 = bit(Figure::Cohort) | bit(Figure::OnTime);

/// The integers that a dossier adds 1 to, as sets of bits with the moment at which it does; but for its obligations.
#[inline]
pub(super) fn contributions(fact: &Fact, definition: Definition, window: Window, add: &mut impl FnMut(u32, Timestamp)) {
    let c = window.c;
    if fact.received > c {
        return;
    }
    let mut in_period = |figures, moment| {
        if window.holds(moment) {
            add(figures, moment);
        }
    };
    in_period(bit(Figure::Received), fact.received);
    in_period(bit(if fact.processed { Figure::Resolved } else { Figure::Withdrawn }), fact.ended);
    in_period(bit(Figure::Returned), fact.handed_over());
    if let Some((moment, verdict)) = judge(fact, definition, c) {
        let figures = match verdict {
            Verdict::Early => ON_TIME | bit(Figure::Early),
            Verdict::OnDue => ON_TIME | bit(Figure::OnDue),
            Verdict::OnTimeAndOpen => ON_TIME,
            Verdict::Late | Verdict::LateBySupplement => bit(Figure::Cohort) | bit(Figure::Late),
            Verdict::NoDeadline => bit(Figure::Cohort) | bit(Figure::NoDeadline),
        };
        in_period(figures, moment);
    }
    // The stock, whatever the period.
    if fact.ended > c {
        let figures = if !fact.is_promised(c) {
            bit(Figure::Open) | bit(Figure::OpenNoDeadline)
        } else if fact.missed <= c {
            bit(Figure::Open) | bit(Figure::OpenOverdue)
        } else {
            bit(Figure::Open)
        };
        add(figures, fact.received);
    }
}

/// The integers of an obligation, with their moments.
#[inline]
pub(super) fn obligation(owed: Owed, window: Window, add: &mut impl FnMut(u32, Timestamp)) {
    let state = match owed.state {
        ObligationState::Forecast => return,
        // Of the stock at the cut, whatever the period.
        ObligationState::Pending => return add(bit(Figure::ApologyPending), owed.missed_at),
        ObligationState::InTime => Figure::ApologyInTime,
        ObligationState::Late => Figure::ApologyLate,
        ObligationState::Missing => Figure::ApologyMissing,
    };
    if window.holds(owed.decided_at) {
        let defective = if owed.defective { bit(Figure::ApologyDefective) } else { 0 };
        add(bit(Figure::ApologyDue) | bit(state) | defective, owed.decided_at);
    }
}

/// The finest of the periods asked for; those above it follow from it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    Day,
    Month,
    Quarter,
    Year,
}

impl Period {
    pub(super) fn of(by: &[GroupKey]) -> Option<Period> {
        let has = |key| by.contains(&key);
        Some(match () {
            () if has(GroupKey::Day) => Period::Day,
            () if has(GroupKey::Month) => Period::Month,
            () if has(GroupKey::Quarter) => Period::Quarter,
            () if has(GroupKey::Year) => Period::Year,
            () => return None,
        })
    }

    /// Its number for a date: days, months, quarters or years since the year 0 or 1970.
    pub(super) fn number(self, date: Date) -> i32 {
        let (year, month, _) = date.ymd();
        let month = i32::try_from(month).unwrap_or(1) - 1;
        match self {
            Period::Day => date.0,
            Period::Month => year * 12 + month,
            Period::Quarter => year * 4 + month / 3,
            Period::Year => year,
        }
    }

    /// The number of the period that holds a month, of which this is the number.
    pub(super) fn of_month(self, month: i32) -> i32 {
        match self {
            // No month holds to one day: whoever asks by days does not count by months.
            Period::Day | Period::Month => month,
            Period::Quarter => month.div_euclid(3),
            Period::Year => month.div_euclid(12),
        }
    }

    /// What a key says of the period of that number.
    fn name(self, number: i32, key: GroupKey) -> KeyValue {
        let (year, month) = match self {
            Period::Day => {
                let (year, month, _) = Date(number).ymd();
                (year, i32::try_from(month).unwrap_or(1) - 1)
            }
            Period::Month => (number.div_euclid(12), number.rem_euclid(12)),
            Period::Quarter => (number.div_euclid(4), number.rem_euclid(4) * 3),
            Period::Year => (number, 0),
        };
        Some(match key {
            GroupKey::Day => Date(number).to_string().into(),
            GroupKey::Month => format!("{year:04}-{:02}", month + 1).into(),
            GroupKey::Quarter => format!("{year:04}-Q{}", month / 3 + 1).into(),
            _ => format!("{year:04}").into(),
        })
    }
}

/// What a query says of time, as moments.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) zone: Zone,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    as_of: Timestamp,
    pub(super) window: Window,
}

impl Bounds {
    /// The same period at another cut.
    pub(super) fn at(self, c: Timestamp) -> Bounds {
        Bounds { window: Window { c, ..self.window }, ..self }
    }

    pub(super) fn of(query: &RatesQuery, home: &Zone) -> Bounds {
        let zone = query.zone.unwrap_or(*home);
        let from = query.from.map(|m| m.bound(&zone));
        let to = query.to.map(|m| m.bound(&zone));
        let as_of = query.as_of.as_of(&zone);
        Bounds { zone, from, to, as_of, window: Window::new(from, to, as_of) }
    }
}

impl Views {
    /// Answers a question about rates.
    #[must_use]
    pub fn rates(&self, query: &RatesQuery) -> RatesAnswer {
        self.rates_by(query, false)
    }

    /// The same answer, for which every dossier is judged by itself and at length: what the quick one is held against.
    #[must_use]
    pub fn rates_one_by_one(&self, query: &RatesQuery) -> RatesAnswer {
        self.rates_by(query, true)
    }

    fn rates_by(&self, query: &RatesQuery, one_by_one: bool) -> RatesAnswer {
        let bounds = Bounds::of(query, &self.home);
        let families = self.families(query, bounds.window.c);
        let tally = Question { one_by_one, ..self.question(query, &bounds, &families) }.tally();
        self.answer(query, &bounds, &families, &tally)
    }

    pub(super) fn families(&self, query: &RatesQuery, c: Timestamp) -> Families {
        let keys = [GroupKey::Unit, GroupKey::Procedure, GroupKey::Field, GroupKey::Channel];
        Families::of(self, &query.filter, c, keys.map(|key| query.by.contains(&key)))
    }

    pub(super) fn question<'q>(
        &'q self,
        query: &RatesQuery,
        bounds: &'q Bounds,
        families: &'q Families,
    ) -> Question<'q, impl Judge + use<>> {
        let (window, definition) = (bounds.window, query.definition);
        Question {
            views: self,
            judging: Judging::new(definition, Zones { home: &self.home, asked: &bounds.zone }, window.c),
            window,
            families,
            period: Period::of(&query.by),
            judge: move |fact: &Fact, window: Window, mut add: &mut dyn FnMut(u32, Timestamp)| {
                contributions(fact, definition, window, &mut add);
            },
            owes: true,
            one_by_one: false,
        }
    }

    pub(super) fn answer(
        &self,
        query: &RatesQuery,
        bounds: &Bounds,
        families: &Families,
        tally: &Tally,
    ) -> RatesAnswer {
        let Bounds { zone, from, to, as_of, .. } = *bounds;
        let period = Period::of(&query.by);
        let mut total = Figures::default();
        let mut groups = Vec::new();
        for (place, number) in tally.places() {
            let mut by_family = vec![Figures::default(); families.keys().len()];
            tally.each(place, |family, set, n| by_family[family].add_set(set, n));
            for (keys, figures) in families.keys().iter().zip(by_family).filter(|(_, f)| *f != Figures::default()) {
                total.add(&figures);
                if !query.by.is_empty() {
                    groups.push(Group { key: self.group_key(&query.by, *keys, period, number), figures });
                }
            }
        }
        // `None` is less than any text: null comes first.
        groups.sort_by(|a, b| a.key.cmp(&b.key));
        RatesAnswer { from, to, as_of, zone, position: self.position, total, groups }
    }

    pub(super) fn group_key(
        &self,
        by: &[GroupKey],
        keys: [u32; 4],
        period: Option<Period>,
        number: i32,
    ) -> Vec<KeyValue> {
        let value = |key: &GroupKey| match key {
            GroupKey::Unit => self.name(keys[0]).cloned(),
            GroupKey::Procedure => self.name(keys[1]).cloned(),
            GroupKey::Field => self.name(keys[2]).cloned(),
            GroupKey::Channel => self.name(keys[3]).cloned(),
            GroupKey::Day | GroupKey::Month | GroupKey::Quarter | GroupKey::Year => {
                period.and_then(|period| period.name(number, *key))
            }
        };
        by.iter().map(value).collect()
    }
}
