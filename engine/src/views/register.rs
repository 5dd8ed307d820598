//! The register: all rows as the writer keeps them, from which readers get [`Views`].
//!
//! Only here do rows change. What is published is a clone of the views, which shares everything with the register until a
//! chunk is written again; so a question is answered as of one position, however long it takes, and holds up nobody. Which
//! row a code has is not told here but by an [`Index`], which the engine shares with its readers; a [`Register`] has both.

use super::index::Index;
use super::line::{self, Line};
use super::table::{CHUNK, Cells, Span, StoredSegment};
use super::tale::Known;
use super::{Kin, Row, Views};
use crate::dossier::{Code, Flags, Keys};
use crate::rules::{Pinned, Rulebook};
use crate::time::Zone;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

/// All dossiers, as they are now, by their rows.
pub(crate) struct Rows {
    views: Views,
    numbers: HashMap<Code, u32, RandomState>,
    kins: HashMap<([u32; 4], u32), u32>,
    /// The rules that dossiers follow, each once.
    pinned: Vec<Arc<Pinned>>,
    /// Where tales are made.
    tale: Vec<u8>,
    /// How many rows come behind a chunk before it is put in order.
    in_order_behind: u32,
}

/// By default so many rows come behind a chunk before it is put in order: half a year of a province, in which nearly all
/// results are fetched. What comes later about one of its dossiers that ended makes the writer read the log.
pub(crate) const IN_ORDER_BEHIND: u32 = 1 << 21;

/// What the register knows of a dossier without its log.
pub(crate) struct Standing {
    /// Its row.
    pub(crate) row: u32,
    /// The position of its newest record.
    pub(crate) last: u64,
    /// The number of its keys and rules.
    pub(crate) kin: u32,
    /// Where it counts.
    pub(crate) keys: Keys,
    /// The rules that it follows.
    pub(crate) pinned: Arc<Pinned>,
    /// All flags of all its events.
    pub(crate) flags: Flags,
    /// All that decisions need, if more is expected of it.
    pub(crate) known: Option<Known>,
}

impl Deref for Rows {
    type Target = Views;

    fn deref(&self) -> &Views {
        &self.views
    }
}

impl Rows {
    /// No dossiers; `home` is the zone of the data directory.
    pub(crate) fn new(home: Zone) -> Rows {
        Rows {
            views: Views::new(home),
            numbers: HashMap::default(),
            kins: HashMap::new(),
            pinned: Vec::new(),
            tale: Vec::new(),
            in_order_behind: IN_ORDER_BEHIND,
        }
    }

    /// From now on chunks are put in order when so many rows have come behind them.
    pub(crate) fn put_in_order_behind(&mut self, rows: u32) {
        self.in_order_behind = rows;
    }

    /// Takes over the rules as they are at the position that the rows of a group move on to.
    pub(crate) fn set_rules(&mut self, rules: Arc<Rulebook>) {
        self.views.rules = rules;
    }

    /// Moves on to a position: all rows that changed by then are in.
    pub(crate) fn move_on(&mut self, position: u64) {
        self.views.position = position;
        // What changes from here on is not in what is stored of this position.
        self.views.table.stamp(position);
    }

    /// Replaces a row, or adds one where there is none; returns its number.
    pub(crate) fn put(&mut self, at: Option<u32>, row: &Row) -> u32 {
        let code = &row.dossier.code;
        let at = at.unwrap_or_else(|| self.add(code));
        let kin = self.kin(at, row);
        self.put_as(at, kin, row);
        at
    }

    /// Replaces a row whose keys and rules have the number `kin`.
    pub(crate) fn put_as(&mut self, at: u32, kin: u32, row: &Row) {
        let mut tale = std::mem::take(&mut self.tale);
        let Line { cells, span } = Line::of(row, kin, &self.views.home, self.views.days, &mut tale);
        self.set(at, &cells, span, &tale);
        self.tale = tale;
    }

    /// Adds a row that knows only its code; returns its number. Where it begins a chunk, one that lies far behind is put in order: by the number
    /// of rows, so that the same log always makes the same views.
    pub(crate) fn add(&mut self, code: &Code) -> u32 {
        let at = self.views.table.push(code);
        let chunk = CHUNK as u32;
        if at.is_multiple_of(chunk)
            && let Some(last) = at.checked_sub(self.in_order_behind.saturating_add(1))
        {
            self.views.table.put_in_order(last, line::needs_tale);
        }
        at
    }

    fn set(&mut self, at: u32, cells: &Cells, span: Span, tale: &[u8]) {
        self.views.table.set(at, cells, span, tale);
    }

    /// The number of a row's keys and rules, most often the one it has.
    fn kin(&mut self, at: u32, row: &Row) -> u32 {
        let (keys, pinned) = (&row.dossier.keys, &row.dossier.pinned);
        let codes = [&keys.unit, &keys.procedure, &keys.field, &keys.channel];
        if let Some(sight) = self.views.sight(at).filter(|sight| sight.cells().last != 0 || sight.is_received()) {
            let known = sight.kin();
            let same = known.keys.iter().zip(codes).all(|(n, code)| self.views.name(*n) == code.as_ref());
            if same && Arc::ptr_eq(&known.pinned, pinned) {
                return sight.cells().kin;
            }
        }
        self.kin_of(keys, pinned)
    }

    /// The number of these keys and rules.
    pub(crate) fn kin_of(&mut self, keys: &Keys, pinned: &Arc<Pinned>) -> u32 {
        let codes = [&keys.unit, &keys.procedure, &keys.field, &keys.channel];
        let keys = codes.map(|code| code.as_ref().map_or(0, |code| self.number(code)));
        let follows = self.follows(pinned);
        let pinned = Arc::clone(&self.pinned[follows]);
        let views = &mut self.views;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        *self.kins.entry((keys, number(follows))).or_insert_with(|| number(views.kins.push(Kin { keys, pinned })))
    }

    fn number(&mut self, code: &Code) -> u32 {
        self.numbers.get(code).copied().unwrap_or_else(|| self.add_name(code))
    }

    /// Which of the rules that dossiers follow these are.
    fn follows(&mut self, pinned: &Arc<Pinned>) -> usize {
        match self.pinned.iter().position(|p| Arc::ptr_eq(p, pinned) || p == pinned) {
            Some(at) => at,
            None => {
                self.pinned.push(Arc::clone(pinned));
                self.pinned.len() - 1
            }
        }
    }

    /// Adds segments of a snapshot.
    pub(super) fn add_segments(&mut self, segments: Vec<StoredSegment>) {
        segments.into_iter().for_each(|segment| self.views.table.read_segment(segment));
    }

    /// Adds keys and rules of a snapshot, in their order.
    pub(super) fn add_kin(&mut self, kin: Kin) {
        let Kin { keys, pinned } = kin;
        let follows = self.follows(&pinned);
        let pinned = Arc::clone(&self.pinned[follows]);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.kins.insert((keys, number(follows)), number(self.views.kins.len()));
        self.views.kins.push(Kin { keys, pinned });
    }

    /// Gives a code that has none a number.
    pub(super) fn add_name(&mut self, code: &Code) -> u32 {
        let number = u32::try_from(self.views.names.push(Arc::clone(code)) + 1).unwrap_or(u32::MAX);
        self.numbers.insert(Arc::clone(code), number);
        number
    }
}

/// All dossiers, as they are now, by their codes: for whoever folds a log in one go.
pub struct Register {
    rows: Rows,
    index: Index,
}

impl Deref for Register {
    type Target = Views;

    fn deref(&self) -> &Views {
        &self.rows
    }
}

impl Register {
    /// No dossiers; `home` is the zone of the data directory.
    #[must_use]
    pub fn new(home: Zone) -> Register {
        Register { rows: Rows::new(home), index: Index::new() }
    }

    /// Takes over the rules as they are at the position that the rows of a group move on to.
    pub fn set_rules(&mut self, rules: Arc<Rulebook>) {
        self.rows.set_rules(rules);
    }

    /// Replaces the rows of these dossiers, which are known or not, and moves on to `position`.
    pub fn apply(&mut self, position: u64, rows: Vec<Row>) {
        for row in rows {
            let code = &row.dossier.code;
            let at = self.rows.which(code, self.index.candidates(code));
            let number = self.rows.put(at, &row);
            if at.is_none() {
                self.index.insert(code, number);
            }
        }
        self.rows.move_on(position);
    }
}

impl Views {
    /// Which of these rows is that of a code.
    pub(crate) fn which(&self, code: &str, mut candidates: impl Iterator<Item = u32>) -> Option<u32> {
        candidates.find(|row| self.sight(*row).is_some_and(|sight| sight.chunk.has_code(sight.slot, code)))
    }

    /// Which of these rows may be that of a code whose newest record stands at `last`: all that can be compared without
    /// unpacking codes is the same. Whoever reads that record sees whether it is.
    pub(crate) fn which_at(&self, code: &str, last: u64, mut candidates: impl Iterator<Item = u32>) -> Option<u32> {
        candidates.find(|row| {
            let sight = self.sight(*row);
            sight.is_some_and(|s| s.cells().last == last && s.chunk.may_have_code(s.slot, code))
        })
    }

    /// The keys and rules of a number.
    pub(crate) fn keys_and_rules(&self, kin: u32) -> (Keys, Arc<Pinned>) {
        let kin = self.kin(kin);
        (self.keys_of(kin), Arc::clone(&kin.pinned))
    }

    /// Hands each row's code to `each`, with its number.
    pub(crate) fn each_code(&self, mut each: impl FnMut(u32, &str)) {
        for (chunk, first) in self.table.chunks().zip((0..).step_by(CHUNK)) {
            chunk.each_code(|slot, code| each(first + u32::try_from(slot).unwrap_or(u32::MAX), code));
        }
    }

    /// What is known of the dossier of a row.
    pub(crate) fn standing(&self, row: u32) -> Option<Standing> {
        let sight = self.sight(row)?;
        let (cells, kin) = (sight.cells(), sight.kin());
        Some(Standing {
            row,
            last: cells.last,
            kin: cells.kin,
            keys: self.keys_of(kin),
            pinned: Arc::clone(&kin.pinned),
            flags: cells.flags,
            known: sight.chunk.tale(sight.slot).and_then(|tale| tale.known()),
        })
    }

    /// Whether an event of a row's dossier was corrected that counts in its figures.
    pub(crate) fn is_corrected(&self, row: u32) -> bool {
        self.sight(row).and_then(|sight| sight.chunk.tale(sight.slot)).is_some_and(|tale| tale.is_corrected())
    }

    /// The code of a row.
    pub(crate) fn code_of(&self, row: u32) -> Option<Code> {
        Some(self.sight(row)?.code())
    }

    /// The unit of a row.
    pub(crate) fn unit_of(&self, row: u32) -> Option<&Code> {
        self.name(self.sight(row)?.kin().keys[0])
    }

    /// The position of the newest record of a row's dossier.
    pub(crate) fn last_record(&self, row: u32) -> Option<u64> {
        Some(self.sight(row)?.cells().last)
    }
}
