//! Everything that is asked: rates, targets, obligations, worklists. Folds over the log, kept in memory.
//!
//! A view knows no clock, no disk and no thread. It is fed one dossier at a time, after durability, and can be made
//! again from the log at any time with the same result.

mod brief;
mod explain;
mod fact;
mod families;
mod form;
mod glance;
mod index;
mod line;
mod list;
mod margins;
mod obligation;
mod page;
mod rates;
mod register;
mod remembered;
mod scan;
mod shelf;
mod slip;
mod stays;
mod steps;
mod store;
mod table;
mod tale;
mod tally;
pub(crate) mod targets;

pub use crate::time::Moment;
pub use explain::{Explained, ExplainedLetter, ExplainedTerm, ExplainedWait, LetterEffect, WaitEffect, explain};
pub use form::{FormAnswer, FormFigures, FormKey, FormQuery};
pub use list::{DossierState, Item, ListQuery, OutcomeFilter, Page, StateFilter, Why};
pub use margins::{Keeping, Margins};
pub use obligation::{
    Obligation, ObligationCursor, ObligationFilter, ObligationItem, ObligationPage, ObligationQuery, ObligationState,
    obligations,
};
pub use rates::{Figure, Figures, Group, GroupKey, KeyValue, RatesAnswer, RatesQuery, Verdict};
pub use slip::{Held, Slip, SlipStep, StepResult, slip};
pub use targets::{JudgedTarget, Judgement, NoData, Outlook, TargetQuery, TargetYear, TargetsAnswer, met, no_data};

pub(crate) use index::Index;
pub use register::Register;
pub(crate) use register::{IN_ORDER_BEHIND, Rows, Standing};
pub use remembered::Remembered;
pub(crate) use table::StoredSegment;
pub(crate) use tale::{Strand, tag};

use crate::dossier::{Code, Comparison, Dossier, Due, Entry, Flags, Keys, Timeline};
use crate::rules::{ComparedBy, Definition, Pinned, Rulebook};
use crate::time::{Timestamp, Zone};
use line::{FOLDED, MOVED, RECEIVED, Seen};
use shelf::Shelf;
use std::sync::Arc;
use table::{Cells, Chunk, Days, Table};

/// Which dossiers a query is about. An empty filter means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A unit and all below it: whole segments, so `H29` holds `H29.22`, not `H290`; and what belongs to it by publication.
    pub unit: Option<Code>,
    /// This procedure.
    pub procedure: Option<Code>,
    /// This field.
    pub field: Option<Code>,
    /// This channel.
    pub channel: Option<Code>,
}

pub use crate::rules::unit_within;

/// A period and a cut: what counts lies in `[from, to)` and not after `c`.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Timestamp,
    to: Timestamp,
    c: Timestamp,
}

impl Window {
    fn new(from: Option<Timestamp>, to: Option<Timestamp>, as_of: Timestamp) -> Window {
        let (from, to) = (from.unwrap_or(Timestamp::MIN), to.unwrap_or(Timestamp::MAX));
        Window { from, to, c: as_of.min(to.plus(-1)) }
    }

    fn holds(&self, t: Timestamp) -> bool {
        self.from <= t && t < self.to && t <= self.c
    }
}

/// One dossier, folded: what becomes a row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its history.
    pub dossier: Arc<Dossier>,
    /// Its history folded by dates of the directory's zone; `None` if it was never received.
    pub by_date: Option<Arc<Timeline>>,
    /// Its history folded to the millisecond.
    pub by_instant: Option<Arc<Timeline>>,
}

impl Row {
    /// Folds a dossier.
    #[must_use]
    pub fn new(dossier: Arc<Dossier>, home: &Zone) -> Row {
        let standing = dossier.standing();
        let by_date = Timeline::fold(&standing, home, Comparison::Date(home)).map(Arc::new);
        // Of dates alone the last tick is the same either way, in the directory's own zone.
        let dated = standing.iter().all(|e| !matches!(e.act.due(), Some(Due::Instant(_))));
        let by_instant =
            if dated { by_date.clone() } else { Timeline::fold(&standing, home, Comparison::Instant).map(Arc::new) };
        drop(standing);
        Row { dossier, by_date, by_instant }
    }
}

/// Where dossiers count, and the rules that they follow: many share one.
#[derive(Clone, Debug)]
struct Kin {
    /// The keys as numbers: unit, procedure, field, channel.
    keys: [u32; 4],
    pinned: Arc<Pinned>,
}

/// A filter, as a scan needs it: of each kin whether it is admitted.
struct Sieve(Vec<bool>);

impl Sieve {
    fn admits(&self, kin: u32) -> bool {
        self.0.get(kin as usize).is_some_and(|admitted| *admitted)
    }
}

/// All dossiers as of some position. Cloning is cheap, and what was cloned changes no more: see [`Register`].
#[derive(Clone)]
pub struct Views {
    home: Zone,
    days: Days,
    position: u64,
    table: Table,
    /// The codes that are keys, by number; number 0 stands for none.
    names: Shelf<Code>,
    kins: Shelf<Kin>,
    rules: Arc<Rulebook>,
}

/// A row as a question comes across it.
#[derive(Clone, Copy)]
struct Sight<'v> {
    views: &'v Views,
    chunk: &'v Chunk,
    slot: usize,
}

/// A dossier's events that stand, and what a fold made of them.
struct History {
    entries: Vec<Entry>,
    timeline: Timeline,
}

impl<'v> Sight<'v> {
    fn cells(&self) -> Cells {
        self.chunk.cells(self.slot)
    }

    fn seen(&self) -> Seen {
        Seen::of(&self.cells(), self.views.days)
    }

    fn is_received(&self) -> bool {
        self.chunk.bits[self.slot] & RECEIVED != 0
    }

    fn kin(&self) -> &'v Kin {
        self.views.kin(self.chunk.kin[self.slot])
    }

    /// What its columns say, if they say all that counts at `c`.
    fn plainly(&self, c: Timestamp) -> Option<Seen> {
        let bits = self.chunk.bits[self.slot];
        if bits & FOLDED != 0 {
            return None;
        }
        let seen = self.seen();
        (bits & MOVED == 0 || seen.ended <= c).then_some(seen)
    }

    /// Its events that stand; of those that move no clock some may be left out.
    fn entries(&self) -> Vec<Entry> {
        match self.chunk.tale(self.slot) {
            Some(tale) => tale.entries(),
            None => self.seen().entries(),
        }
    }

    /// Its history by dates of the directory's zone, whole.
    fn by_date(&self) -> Option<Timeline> {
        let home = &self.views.home;
        self.folded(Comparison::Date(home), home)
    }

    fn folded(&self, by: Comparison<'_>, home: &Zone) -> Option<Timeline> {
        if !self.is_received() {
            return None;
        }
        let mut timeline = tale::blank();
        let told = self.chunk.tale(self.slot).is_some_and(|t| t.folded_by(by == Comparison::Instant, &mut timeline));
        if told { Some(timeline) } else { Timeline::fold(&self.entries(), home, by) }
    }

    /// The history as a definition compares it in a zone, with the promises as they stood at `c`.
    fn history(&self, definition: Definition, zone: &Zone, c: Timestamp) -> Option<History> {
        if !self.is_received() {
            return None;
        }
        let home = &self.views.home;
        let (by, ready) = match definition.compared_by {
            ComparedBy::Instant => (Comparison::Instant, true),
            ComparedBy::Date => (Comparison::Date(zone), zone == home),
        };
        let entries = self.entries();
        let timeline = if ready && (c == Timestamp::MAX || !Timeline::goes_on_after(&entries, c)) {
            self.folded(by, home)?
        } else {
            Timeline::fold_until(&entries, home, by, c)?
        };
        Some(History { entries, timeline })
    }

    fn code(&self) -> Code {
        self.chunk.code(self.slot)
    }

    fn flags(&self) -> Flags {
        self.cells().flags
    }

    fn keys(&self) -> Keys {
        self.views.keys_of(self.kin())
    }
}

impl Views {
    fn new(home: Zone) -> Views {
        Views {
            home,
            days: Days::of(&home),
            position: 0,
            table: Table::default(),
            names: Shelf::default(),
            kins: Shelf::default(),
            rules: Arc::new(Rulebook::new(home)),
        }
    }

    /// The rules, with all that was published.
    #[must_use]
    pub fn rules(&self) -> &Arc<Rulebook> {
        &self.rules
    }

    /// The number of records that are in every answer.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The zone of the data directory.
    #[must_use]
    pub fn home(&self) -> &Zone {
        &self.home
    }

    /// The number of dossiers known, received or only rejected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no dossier is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn kin(&self, number: u32) -> &Kin {
        &self.kins[number as usize]
    }

    /// The code of a number; none of 0.
    fn name(&self, number: u32) -> Option<&Code> {
        self.names.get((number as usize).checked_sub(1)?)
    }

    fn number(&self, code: &str) -> Option<u32> {
        let at = self.names.iter().position(|name| **name == *code)?;
        u32::try_from(at + 1).ok()
    }

    fn keys_of(&self, kin: &Kin) -> Keys {
        let [unit, procedure, field, channel] = kin.keys.map(|number| self.name(number).cloned());
        Keys { unit, procedure, field, channel }
    }

    /// The rows of a chunk.
    fn rows<'v>(&'v self, chunk: &'v Chunk) -> impl Iterator<Item = Sight<'v>> {
        (0..chunk.length).map(move |slot| Sight { views: self, chunk, slot })
    }

    /// The row of that number.
    fn sight(&self, row: u32) -> Option<Sight<'_>> {
        let (chunk, slot) = self.table.find(row)?;
        Some(Sight { views: self, chunk, slot })
    }

    /// Of each code's number whether it is that of a unit within `prefix`, or of one that belongs to it as of `c`.
    fn units_within(&self, prefix: &Code, c: Timestamp) -> Vec<bool> {
        let merged = self.rules.merged_into(prefix, self.home.date(c));
        let inside = |name: &Code| unit_within(name, prefix) || merged.iter().any(|member| unit_within(name, member));
        // 0 is no unit, and within none.
        std::iter::once(false).chain(self.names.iter().map(inside)).collect()
    }

    /// The rows that are not as they were in views from which these came, and those that were not there.
    #[must_use]
    pub fn changed_from(&self, older: &Views) -> Vec<u32> {
        self.table.changed_from(&older.table)
    }

    /// Whether a filter admits a kin; which units belong to which by publication is asked as of `c`.
    fn admits(&self, filter: &Filter, c: Timestamp) -> impl Fn(&Kin) -> bool + Sync + use<> {
        let number = |code: &Option<Code>| code.as_ref().map(|code| self.number(code).unwrap_or(u32::MAX));
        let units = filter.unit.as_ref().map(|prefix| self.units_within(prefix, c));
        let others = [number(&filter.procedure), number(&filter.field), number(&filter.channel)];
        move |kin: &Kin| {
            units.as_ref().is_none_or(|units| units.get(kin.keys[0] as usize).is_some_and(|within| *within))
                && others.iter().zip(&kin.keys[1..]).all(|(wanted, key)| wanted.is_none_or(|w| w == *key))
        }
    }

    /// A filter, kin by kin.
    fn sieve(&self, filter: &Filter, c: Timestamp) -> Sieve {
        Sieve(self.kins.iter().map(self.admits(filter, c)).collect())
    }
}
