//! On-time rates: definitions.md I.4, all integers, by one scan over the rows.
//!
//! Every integer has a moment of its own, which decides the period and the time group it counts in. Counts are exact
//! integers; a rate is made of them only where it is shown.

use super::fact::{Fact, Zones};
use super::obligation::{ObligationState, Owed};
use super::scan::{self, Judging, Scratch};
use super::table::Chunk;
use super::{Filter, Kin, Moment, Views, Window};
use crate::dossier::Code;
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

/// Which group each kin belongs to, but for the period.
struct Families {
    /// By the kin's number.
    of_kin: Vec<u32>,
    /// The numbers of the keys of each.
    keys: Vec<[u32; 4]>,
}

impl Families {
    fn of(views: &Views, by: &[GroupKey]) -> Families {
        let mut families = Families { of_kin: Vec::with_capacity(views.kins.len()), keys: Vec::new() };
        let mut known: HashMap<[u32; 4], u32> = HashMap::new();
        for kin in views.kins.iter() {
            let keys = Families::keys(kin, by);
            let next = u32::try_from(families.keys.len()).unwrap_or(u32::MAX);
            let family = *known.entry(keys).or_insert(next);
            if family == next {
                families.keys.push(keys);
            }
            families.of_kin.push(family);
        }
        families
    }

    fn keys(kin: &Kin, by: &[GroupKey]) -> [u32; 4] {
        let mut keys = [0; 4];
        for (at, key) in [GroupKey::Unit, GroupKey::Procedure, GroupKey::Field, GroupKey::Channel].iter().enumerate() {
            if by.contains(key) {
                keys[at] = kin.keys[at];
            }
        }
        keys
    }
}

/// Figures while they are counted. A group holds less than all dossiers, whose rows have numbers of this width.
type Counts = [u32; Figure::COUNT];

/// Counts by family, and within it by period where periods are asked for.
struct Cells {
    /// By family; within it by the place of the period.
    cells: Vec<Vec<Counts>>,
    /// The place of each period, by its number.
    places: HashMap<i32, usize>,
    /// The period that was looked up last.
    last: (Timestamp, Timestamp, usize),
}

impl Cells {
    fn new(families: usize) -> Cells {
        let never = (Timestamp::MAX, Timestamp::MIN, 0);
        Cells { cells: vec![Vec::new(); families], places: HashMap::new(), last: never }
    }

    fn count(&mut self, family: u32, place: usize, figures: u32) {
        let family = &mut self.cells[family as usize];
        if family.len() <= place {
            family.resize(place + 1, [0; Figure::COUNT]);
        }
        let counts = &mut family[place];
        let mut figures = figures;
        while figures != 0 {
            counts[figures.trailing_zeros() as usize] += 1;
            figures &= figures - 1;
        }
    }

    /// The place of the period of a moment.
    fn place(&mut self, period: Period, moment: Timestamp, zone: &Zone) -> usize {
        let (first, end, place) = self.last;
        if first <= moment && moment < end {
            return place;
        }
        let date = zone.date(moment);
        let next = self.places.len();
        let place = *self.places.entry(period.number(date)).or_insert(next);
        // Of the period only this day is noted: where the clock is set back over midnight a date is told by its instant.
        let (first, end) = (zone.first_tick(date), zone.first_tick(date.plus(1)));
        if zone.steady().is_some() {
            self.last = (first, end, place);
        }
        place
    }

    fn merge(&mut self, other: Cells) {
        let mut here = vec![0; other.places.len().max(1)];
        for (number, place) in other.places {
            let next = self.places.len();
            here[place] = *self.places.entry(number).or_insert(next);
        }
        for (family, cells) in self.cells.iter_mut().zip(other.cells) {
            for (place, counts) in cells.into_iter().enumerate() {
                let place = here[place];
                if family.len() <= place {
                    family.resize(place + 1, [0; Figure::COUNT]);
                }
                for (sum, n) in family[place].iter_mut().zip(counts) {
                    *sum += n;
                }
            }
        }
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
        let judging = Judging::new(query.definition, Zones { home: &self.home, asked: &zone }, window.c);
        let (sieve, families) = (self.sieve(&query.filter, window.c), Families::of(self, &query.by));
        let period = Period::of(&query.by);
        let each = |(cells, scratch): &mut (Cells, Scratch), chunk: &Chunk| {
            for sight in self.rows(chunk) {
                let kin = chunk.kin[sight.slot];
                if !sieve.admits(kin) {
                    continue;
                }
                let family = families.of_kin[kin as usize];
                match period {
                    // All that one dossier adds is counted at once.
                    None => {
                        let mut figures = 0;
                        let mut owes = |owed| obligation(owed, window, &mut |figure, _| cells.count(family, 0, figure));
                        let Some(fact) = judging.each(sight, scratch, &mut owes) else { continue };
                        contributions(&fact, query.definition, window, &mut |figure, _| figures |= figure);
                        cells.count(family, 0, figures);
                    }
                    Some(period) => {
                        let mut add = |figures: u32, moment: Timestamp| {
                            let place = cells.place(period, moment, &zone);
                            cells.count(family, place, figures);
                        };
                        let owes = |owed| obligation(owed, window, &mut add);
                        let Some(fact) = judging.each(sight, scratch, owes) else { continue };
                        contributions(&fact, query.definition, window, &mut add);
                    }
                }
            }
        };
        let make = || (Cells::new(families.keys.len()), Scratch::default());
        let chunks = self.that_matter(&judging, window.from);
        let (cells, _) = scan::over(&chunks, make, each, |all, part| all.0.merge(part.0));
        let mut total = Figures::default();
        let mut groups = Vec::new();
        let mut numbers = vec![0; cells.places.len()];
        for (number, place) in &cells.places {
            numbers[*place] = *number;
        }
        for (keys, counts) in families.keys.iter().zip(&cells.cells) {
            for (place, counts) in counts.iter().enumerate().filter(|(_, counts)| counts.iter().any(|n| *n > 0)) {
                let figures = Figures(counts.map(u64::from));
                total.add(&figures);
                if !query.by.is_empty() {
                    let number = numbers.get(place).copied().unwrap_or(0);
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
