//! Everything that is asked: rates, targets, obligations, worklists. Folds over the log, kept in memory.
//!
//! A view knows no clock, no disk and no thread. It is fed one dossier at a time, after durability, and can be made
//! again from the log at any time with the same result.

mod explain;
mod fact;
mod form;
mod list;
mod obligation;
mod rates;
mod slip;
pub(crate) mod targets;

pub use crate::time::Moment;
pub use explain::{Explained, ExplainedLetter, ExplainedTerm, ExplainedWait, LetterEffect, WaitEffect, explain};
pub use form::{FormAnswer, FormFigures, FormKey, FormQuery};
pub use list::{DossierState, Item, ListQuery, OutcomeFilter, Page, StateFilter, Why};
pub use obligation::{
    Obligation, ObligationCursor, ObligationFilter, ObligationItem, ObligationPage, ObligationQuery, ObligationState,
    obligations,
};
pub use rates::{Figure, Figures, Group, GroupKey, KeyValue, RatesAnswer, RatesQuery, Verdict};
pub use slip::{Held, Slip, SlipStep, StepResult, slip};
pub use targets::{JudgedTarget, Judgement, NoData, Outlook, TargetQuery, TargetYear, TargetsAnswer, met, no_data};

use crate::dossier::{Code, Comparison, Dossier, Timeline};
use crate::rules::{ComparedBy, Definition, Rulebook};
use crate::time::{Timestamp, Zone};
use fact::Line;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

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

/// One dossier, ready to be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its history.
    pub dossier: Arc<Dossier>,
    /// Its keys as numbers: unit, procedure, field, channel.
    keys: [u32; 4],
    /// Its history folded by dates of the directory's zone; `None` if it was never received.
    pub by_date: Option<Timeline>,
    /// Its history folded to the millisecond.
    pub by_instant: Option<Timeline>,
}

impl Row {
    /// Folds a dossier. The keys are numbered when the row is put into the views.
    #[must_use]
    pub fn new(dossier: Arc<Dossier>, home: &Zone) -> Row {
        let standing = dossier.standing();
        let by_date = Timeline::fold(&standing, home, Comparison::Date(home));
        let by_instant = Timeline::fold(&standing, home, Comparison::Instant);
        drop(standing);
        Row { dossier, keys: [0; 4], by_date, by_instant }
    }

    /// The history as a definition compares it; in a foreign zone it is folded anew.
    fn timeline(&self, definition: Definition, home: &Zone, zone: &Zone) -> Option<Cow<'_, Timeline>> {
        self.timeline_at(definition, home, zone, Timestamp::MAX)
    }

    /// The same, with the promises as they stood at `c`.
    fn timeline_at(&self, definition: Definition, home: &Zone, zone: &Zone, c: Timestamp) -> Option<Cow<'_, Timeline>> {
        let entries = self.dossier.standing();
        let (ready, by) = match definition.compared_by {
            ComparedBy::Instant => (Some(&self.by_instant), Comparison::Instant),
            ComparedBy::Date => ((zone == home).then_some(&self.by_date), Comparison::Date(zone)),
        };
        match ready {
            // Figures ask for the whole history of every row: nothing is looked through for that.
            Some(ready) if c == Timestamp::MAX || !Timeline::goes_on_after(&entries, c) => {
                ready.as_ref().map(Cow::Borrowed)
            }
            _ => Timeline::fold_until(&entries, home, by, c).map(Cow::Owned),
        }
    }
}

/// Numbers for codes that repeat: 0 means none.
#[derive(Clone, Debug, Default)]
struct Symbols {
    names: Vec<Code>,
    numbers: HashMap<Code, u32>,
}

impl Symbols {
    fn number(&mut self, code: Option<&Code>) -> u32 {
        let Some(code) = code else { return 0 };
        if let Some(number) = self.numbers.get(code) {
            return *number;
        }
        self.names.push(Arc::clone(code));
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(Arc::clone(code), number);
        number
    }

    fn name(&self, number: u32) -> Option<&Code> {
        self.names.get((number as usize).checked_sub(1)?)
    }
}

/// A filter in numbers, as a scan needs it.
struct Sieve {
    /// Which numbers are units within the prefix.
    units: Option<Vec<bool>>,
    /// Procedure, field and channel; a code that no dossier has is a number that none has.
    others: [Option<u32>; 3],
}

impl Sieve {
    fn admits(&self, keys: &[u32; 4]) -> bool {
        self.units.as_ref().is_none_or(|units| units.get(keys[0] as usize).is_some_and(|within| *within))
            && self.others.iter().zip(&keys[1..]).all(|(wanted, key)| wanted.is_none_or(|w| w == *key))
    }
}

/// All dossiers, as of some position.
#[derive(Clone, Debug)]
pub struct Views {
    home: Zone,
    position: u64,
    rows: Vec<Row>,
    /// Of each row what a scan reads, if it is simple.
    lines: Vec<Option<Line>>,
    index: HashMap<Code, u32>,
    symbols: Symbols,
    rules: Arc<Rulebook>,
}

impl Views {
    /// No dossiers; `home` is the zone of the data directory.
    #[must_use]
    pub fn new(home: Zone) -> Views {
        Views {
            home,
            position: 0,
            rows: Vec::new(),
            lines: Vec::new(),
            index: HashMap::new(),
            symbols: Symbols::default(),
            rules: Arc::new(Rulebook::new(home)),
        }
    }

    /// Takes over the rules as they are at the position that the rows of a group move on to.
    pub fn set_rules(&mut self, rules: Arc<Rulebook>) {
        self.rules = rules;
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
        self.rows.len()
    }

    /// Whether no dossier is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Replaces the rows of the dossiers that a group touched, and moves on to `position`.
    pub fn apply(&mut self, position: u64, rows: Vec<Row>) {
        for mut row in rows {
            let keys = &row.dossier.keys;
            row.keys = [&keys.unit, &keys.procedure, &keys.field, &keys.channel]
                .map(|code| self.symbols.number(code.as_ref()));
            let line = Line::of(&row, &self.home);
            match self.index.get(&row.dossier.code) {
                Some(at) => {
                    self.rows[*at as usize] = row;
                    self.lines[*at as usize] = line;
                }
                None => {
                    let at = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
                    self.index.insert(Arc::clone(&row.dossier.code), at);
                    self.rows.push(row);
                    self.lines.push(line);
                }
            }
        }
        self.position = position;
    }

    /// A filter in numbers; which units belong to which by publication is asked as of `c`.
    fn sieve(&self, filter: &Filter, c: Timestamp) -> Sieve {
        let number =
            |code: &Option<Code>| code.as_ref().map(|code| self.symbols.numbers.get(code).copied().unwrap_or(u32::MAX));
        let within = |prefix: &Code| {
            let merged = self.rules.merged_into(prefix, self.home.date(c));
            let inside =
                |name: &Code| unit_within(name, prefix) || merged.iter().any(|member| unit_within(name, member));
            let units = self.symbols.names.iter().map(inside);
            // 0 is no unit, and within none.
            std::iter::once(false).chain(units).collect()
        };
        Sieve {
            units: filter.unit.as_ref().map(within),
            others: [number(&filter.procedure), number(&filter.field), number(&filter.channel)],
        }
    }

    /// The dossier of a code.
    #[must_use]
    pub fn row(&self, code: &str) -> Option<&Row> {
        self.index.get(code).and_then(|at| self.rows.get(*at as usize))
    }
}
