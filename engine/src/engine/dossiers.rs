//! The write model: the dossiers that decisions are about, found again when they were put away.
//!
//! Those touched lately are kept whole. Of the others the register knows enough to decide about while more is expected of
//! them; for the rest, and where a decision needs what was said word for word, the log is read. So memory is bounded,
//! however many dossiers are in progress, and nothing has to be loaded at start-up.

use super::{Shared, history};
use crate::dossier::{Code, Command, Dossier, Event, alarm};
use crate::log::{Log, LogError};
use crate::rules::Rulebook;
use crate::time::Timestamp;
use crate::views::{Standing, tag};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// Where dossiers are found that were put away.
pub(super) trait Source {
    /// What the register knows of a dossier.
    fn standing(&self, code: &str) -> Option<Standing>;

    /// The log, for what it does not know.
    fn log(&self) -> &Log;
}

impl Source for Shared {
    fn standing(&self, code: &str) -> Option<Standing> {
        let views = self.published();
        views.standing(self.codes.find(&views, code)?)
    }

    fn log(&self) -> &Log {
        &self.log
    }
}

/// So many dossiers are let go of in no time.
const FEW: usize = 1000;

/// A dossier of the write model.
pub(super) struct Slot {
    pub(super) dossier: Arc<Dossier>,
    /// Its row in the register, once it has one.
    pub(super) row: Option<u32>,
    /// When its next promise passes.
    pub(super) alarm: Option<Timestamp>,
    /// Of its first entries the tags of their ids, where the entries themselves lack ids and contents.
    tags: Vec<u64>,
    /// Whether it is among those that the group touched.
    pub(super) touched: bool,
}

/// What a slot held before a batch.
pub(super) struct Remembered {
    dossier: Arc<Dossier>,
    tags: Vec<u64>,
}

/// The dossiers touched lately, in two generations: whoever is touched moves into the younger.
pub(super) struct Dossiers {
    young: HashMap<Code, Slot, RandomState>,
    old: HashMap<Code, Slot, RandomState>,
    /// How many a generation holds before it becomes the older.
    generation: usize,
    /// The position before which all records of the older generation stand.
    old_until: u64,
}

impl Dossiers {
    /// None yet; `generation` is how many are kept at least.
    pub(super) fn new(generation: usize) -> Dossiers {
        Dossiers { young: HashMap::default(), old: HashMap::default(), generation, old_until: 0 }
    }

    /// How many are kept at least.
    pub(super) fn generation(&self) -> usize {
        self.generation
    }

    /// The slot of a dossier, if anything was ever recorded of it.
    pub(super) fn find(
        &mut self,
        code: &Code,
        source: &impl Source,
        rules: &mut Rulebook,
    ) -> Result<Option<&mut Slot>, LogError> {
        if !self.young.contains_key(code) {
            let slot = match self.old.remove(code) {
                Some(slot) => Some(slot),
                None => recall(code, source, rules)?,
            };
            let Some(slot) = slot else { return Ok(None) };
            self.young.insert(Arc::clone(code), slot);
        }
        Ok(self.young.get_mut(code))
    }

    /// The slot of a dossier that was found since the group began.
    pub(super) fn known(&mut self, code: &str) -> Option<&mut Slot> {
        self.young.get_mut(code)
    }

    /// A slot for a dossier of which nothing was recorded yet.
    pub(super) fn begin(&mut self, code: &Code) -> &mut Slot {
        self.young.entry(Arc::clone(code)).or_insert_with(|| Slot {
            dossier: Arc::new(Dossier::new(Arc::clone(code))),
            row: None,
            alarm: None,
            tags: Vec::new(),
            touched: false,
        })
    }

    /// Takes back a dossier as it was before an undone batch.
    pub(super) fn restore(&mut self, code: &Code, remembered: Option<Remembered>) {
        match (remembered, self.young.get_mut(code)) {
            (Some(Remembered { dossier, tags }), Some(slot)) => (slot.dossier, slot.tags) = (dossier, tags),
            _ => {
                self.young.remove(code);
            }
        }
    }

    /// Between two groups: lets go of the older generation if the younger is full. `next` is the position of the next
    /// record; what stands before `durable` can be found again, while of the rest nobody but this room knows.
    pub(super) fn age(&mut self, next: u64, durable: u64) {
        if self.young.len() >= self.generation && durable >= self.old_until {
            self.old_until = next;
            let gone = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            if gone.len() < FEW {
                return;
            }
            // To give so many back takes some milliseconds, for which no desk is to wait.
            let freed = std::thread::Builder::new().name("dunghen-free".to_owned()).spawn(move || drop(gone));
            if let Err(e) = freed {
                tracing::warn!("dossiers are let go of on the writer's thread: {e}");
            }
        }
    }
}

/// Makes the slot of a dossier that was put away.
fn recall(code: &Code, source: &impl Source, rules: &mut Rulebook) -> Result<Option<Slot>, LogError> {
    let standing = source.standing(code);
    let Some(Standing { row, last, kin: _, keys, pinned, flags, known }) = standing else { return Ok(None) };
    let slot = match known {
        Some(known) => {
            let told =
                Dossier::told(Arc::clone(code), (keys, pinned), known.entries, (known.reckons, known.reckoned), flags);
            Slot { dossier: Arc::new(told), row: Some(row), alarm: None, tags: known.tags, touched: false }
        }
        None => {
            let dossier = from_log(code, last, source, rules)?;
            Slot { dossier: Arc::new(dossier), row: Some(row), alarm: None, tags: Vec::new(), touched: false }
        }
    };
    Ok(Some(Slot { alarm: alarm(&slot.dossier, rules.home()), ..slot }))
}

fn from_log(code: &Code, last: u64, source: &impl Source, rules: &mut Rulebook) -> Result<Dossier, LogError> {
    let records = history::records(source.log(), last)?;
    Ok(history::dossier(code, &records, &mut |unit, procedure, received, position| {
        rules.pin(unit, procedure, received, position)
    }))
}

impl Slot {
    /// What it holds, should the batch be undone.
    pub(super) fn remember(&self) -> Remembered {
        Remembered { dossier: Arc::clone(&self.dossier), tags: self.tags.clone() }
    }

    /// Reads from the log what its first entries lack, if deciding about `command` could need it.
    pub(super) fn complete_for(
        &mut self,
        command: &Command,
        source: &impl Source,
        rules: &mut Rulebook,
    ) -> Result<(), LogError> {
        let statement = &command.statement;
        let needed = !self.tags.is_empty()
            && (command.imported
                || matches!(statement.event, Event::Corrected { .. })
                || self.tags.contains(&tag(statement.event_id)));
        if needed { self.complete(source, rules) } else { Ok(()) }
    }

    fn complete(&mut self, source: &impl Source, rules: &mut Rulebook) -> Result<(), LogError> {
        let Some(last) = self.dossier.entries.get(self.tags.len() - 1).map(|e| e.position) else { return Ok(()) };
        let read = from_log(&self.dossier.code, last, source, rules)?;
        let dossier = Arc::make_mut(&mut self.dossier);
        for (entry, read) in dossier.entries.iter_mut().zip(read.entries) {
            *entry = read;
        }
        self.tags.clear();
        Ok(())
    }
}
