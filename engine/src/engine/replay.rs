//! A replay of the log at start-up: each record is taken in and checked once, and what came of it put into the register.
//!
//! A row is made of a dossier's whole history, which costs more than to take in an event. So events are gathered, in few
//! bytes, and a row is made when nothing was told of its dossier for long, and at the end. Rows that are made together are
//! made in their order, side by side as they lie. What comes out is what folding record by record makes; between two
//! records nobody sees the register. It knows no alarms and no commands: what is decided next finds its dossiers in the
//! register and in the log, as after a start from a snapshot.

use super::{Shared, history};
use crate::dossier::{Act, Code, Dossier, Entry, Event, answers_as_reckoned};
use crate::log::LogError;
use crate::record::{Logged, Record, RuleRecord};
use crate::rules::Rulebook;
use crate::time::Timestamp;
use crate::views::{Row, Rows, Standing, Strand};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// A replay under way.
pub(super) struct Replay<'s> {
    shared: &'s Shared,
    register: Rows,
    rules: Rulebook,
    /// The dossiers of which events are gathered, in two generations: whoever is told of moves into the younger.
    young: HashMap<Code, Gathered, RandomState>,
    old: HashMap<Code, Gathered, RandomState>,
    /// How many a generation holds before the rows of the older one are made.
    generation: usize,
    /// The position of the next record.
    next: u64,
    recorded_at: Timestamp,
}

/// What a replay has come to.
pub(super) struct Replayed {
    pub(super) register: Rows,
    pub(super) rules: Rulebook,
    /// When the last record was recorded.
    pub(super) recorded_at: Timestamp,
}

/// A dossier whose row, which it has from its first event on, is behind what was told of it.
struct Gathered {
    row: u32,
    story: Story,
}

/// Its events.
enum Story {
    /// Nothing was corrected.
    Plain(Plain),
    /// All of it, where a correction counts on it.
    Whole(Box<Dossier>),
}

/// The events of a dossier of which nothing was corrected.
struct Plain {
    /// The number of its keys and rules.
    kin: u32,
    flags: crate::dossier::Flags,
    reckons: bool,
    /// Whether the ids of all its events are known: the register knows only their tags.
    ids: bool,
    strand: Strand,
}

impl Gathered {
    /// Of a whole dossier.
    fn of(row: u32, dossier: Dossier, ids: bool, register: &mut Rows) -> Gathered {
        if !dossier.corrections.is_empty() {
            return Gathered { row, story: Story::Whole(Box::new(dossier)) };
        }
        let mut strand = Strand::new();
        for entry in &dossier.entries {
            strand.push(entry, dossier.reckoned().contains(&entry.position));
        }
        let kin = register.kin_of(&dossier.keys, &dossier.pinned);
        let (flags, reckons) = (dossier.flags, dossier.reckons);
        Gathered { row, story: Story::Plain(Plain { kin, flags, reckons, ids, strand }) }
    }

    /// Its version, and the position of its newest record.
    fn end(&self) -> (u32, Option<u64>) {
        match &self.story {
            Story::Plain(plain) => (plain.strand.length(), plain.strand.last()),
            Story::Whole(dossier) => (dossier.version(), dossier.last_position()),
        }
    }
}

impl Plain {
    /// The dossier that it tells of; its entries lack what no fold reads.
    fn dossier(&self, code: Code, register: &Rows) -> Dossier {
        let (entries, reckoned) = self.strand.entries();
        Dossier::told(code, register.keys_and_rules(self.kin), entries, (self.reckons, reckoned), self.flags)
    }
}

impl<'s> Replay<'s> {
    /// Goes on where `register` ends, by the rules as they are there; `generation` is of how many dossiers events are
    /// gathered at least before rows are made, and about half of how many at most.
    pub(super) fn new(
        shared: &'s Shared,
        register: Rows,
        rules: Rulebook,
        recorded_at: Timestamp,
        generation: usize,
    ) -> Replay<'s> {
        let next = register.position();
        let (young, old) = (HashMap::default(), HashMap::default());
        Replay { shared, register, rules, young, old, generation, next, recorded_at }
    }

    /// Takes in a record, and checks what only a whole log can show.
    pub(super) fn take(&mut self, logged: Logged) -> Result<(), LogError> {
        let (position, recorded_at) = (logged.position(), logged.recorded_at());
        let damaged = |what: String| LogError::Damaged { position, what };
        if recorded_at < self.recorded_at {
            return Err(damaged(format!("recorded at {recorded_at}, before the record before it")));
        }
        match logged {
            Logged::Event(record) => self.take_event(record)?,
            Logged::Rule(record) => take_rule(&mut self.rules, &record).map_err(damaged)?,
        }
        (self.recorded_at, self.next) = (recorded_at, position + 1);
        if self.young.len() >= self.generation {
            let gone = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.make_rows(gone);
        }
        Ok(())
    }

    /// Makes the rows that are still to be made.
    pub(super) fn end(mut self) -> Replayed {
        self.register.set_rules(Arc::new(self.rules.clone()));
        let mut gone = std::mem::take(&mut self.old);
        gone.extend(std::mem::take(&mut self.young));
        self.make_rows(gone);
        self.register.move_on(self.next);
        Replayed { register: self.register, rules: self.rules, recorded_at: self.recorded_at }
    }

    fn make_rows(&mut self, gone: HashMap<Code, Gathered, RandomState>) {
        let mut gone: Vec<(Code, Gathered)> = gone.into_iter().collect();
        gone.sort_unstable_by_key(|(_, gathered)| gathered.row);
        let home = *self.rules.home();
        for (code, Gathered { row: at, story }) in gone {
            match story {
                Story::Plain(plain) => {
                    let row = Row::new(Arc::new(plain.dossier(code, &self.register)), &home);
                    self.register.put_as(at, plain.kin, &row);
                }
                Story::Whole(dossier) => {
                    self.register.put(Some(at), &Row::new(Arc::from(dossier), &home));
                }
            }
        }
    }

    fn take_event(&mut self, record: Record) -> Result<(), LogError> {
        self.find(&record.statement.dossier, record.previous)?;
        let Record { position, recorded_at, dossier_version, previous, author: _, flags, reckoned, statement } = record;
        let (code, event) = (statement.dossier, statement.event);
        let gathered = self.young.get_mut(&code);
        let (version, last) = gathered.as_ref().map_or((0, None), |gathered| gathered.end());
        if version.checked_add(1) != Some(dossier_version) || last != previous {
            let what = format!("version {dossier_version} of {code} follows version {version}: its history has a gap");
            return Err(LogError::Damaged { position, what });
        }
        let (occurred_at, event_id, act) = (statement.occurred_at, statement.event_id, Act::of(&event, reckoned));
        // What is gathered is only folded, so nobody will ask for the fingerprint.
        let entry = Entry { position, recorded_at, occurred_at, event_id, fingerprint: 0, flags, act };
        let Some(gathered) = gathered else {
            let row = self.register.add(&code);
            self.shared.codes.insert(&code, row);
            let mut dossier = Dossier::new(Arc::clone(&code));
            dossier.evolve(&event, reckoned, entry, &mut self.rules);
            let gathered = Gathered::of(row, dossier, true, &mut self.register);
            self.young.insert(code, gathered);
            return Ok(());
        };
        match &mut gathered.story {
            Story::Whole(dossier) => dossier.evolve(&event, reckoned, entry, &mut self.rules),
            // These say where it counts, or what was told before.
            Story::Plain(plain)
                if matches!(event, Event::Received { .. } | Event::Rejected { .. } | Event::Corrected { .. }) =>
            {
                let ids = plain.ids || matches!(event, Event::Corrected { .. });
                let mut dossier = match plain.strand.last() {
                    Some(last) if ids && !plain.ids => {
                        let found = from_log(&code, last, self.shared, &mut self.rules)?;
                        found.unwrap_or_else(|| plain.dossier(Arc::clone(&code), &self.register))
                    }
                    _ => plain.dossier(Arc::clone(&code), &self.register),
                };
                dossier.evolve(&event, reckoned, entry, &mut self.rules);
                *gathered = Gathered::of(gathered.row, dossier, ids, &mut self.register);
            }
            Story::Plain(plain) => {
                plain.flags = plain.flags | flags;
                plain.strand.push(&entry, answers_as_reckoned(&event, reckoned));
            }
        }
        Ok(())
    }

    /// Brings what is known of a dossier among the younger, if anything is; `previous` is where the record that is taken
    /// in says that its newest stands.
    fn find(&mut self, code: &Code, previous: Option<u64>) -> Result<(), LogError> {
        if self.young.contains_key(code) {
            return Ok(());
        }
        let gathered = match self.old.remove(code) {
            Some(gathered) => Some(gathered),
            None => self.recall(code, previous)?,
        };
        if let Some(gathered) = gathered {
            self.young.insert(Arc::clone(code), gathered);
        }
        Ok(())
    }

    /// Finds again a dossier whose row was made.
    fn recall(&mut self, code: &Code, previous: Option<u64>) -> Result<Option<Gathered>, LogError> {
        let codes = &self.shared.codes;
        // Without unpacking codes: either its row tells its code, or the log is read, which does.
        if let Some(row) = previous.and_then(|last| codes.find_at(&self.register, code, last))
            && let Some(gathered) = self.told_of(row, code)?
        {
            return Ok(Some(gathered));
        }
        match codes.find(&self.register, code) {
            Some(row) => self.told_of(row, code),
            None => Ok(None),
        }
    }

    /// What register and log tell of the dossier of a row, unless it has another code.
    fn told_of(&mut self, row: u32, code: &Code) -> Result<Option<Gathered>, LogError> {
        let Some(standing) = self.register.standing(row) else { return Ok(None) };
        let Standing { row, last, kin, keys: _, pinned: _, flags, known } = standing;
        let Some(known) = known else {
            let dossier = from_log(code, last, self.shared, &mut self.rules)?;
            return Ok(dossier.map(|dossier| Gathered::of(row, dossier, true, &mut self.register)));
        };
        let mut strand = Strand::new();
        for entry in &known.entries {
            strand.push(entry, known.reckoned.contains(&entry.position));
        }
        let plain = Plain { kin, flags, reckons: known.reckons, ids: false, strand };
        Ok(Some(Gathered { row, story: Story::Plain(plain) }))
    }
}

/// Reads the dossier whose newest record stands at `last`; nothing if it has another code.
fn from_log(code: &Code, last: u64, shared: &Shared, rules: &mut Rulebook) -> Result<Option<Dossier>, LogError> {
    let records = history::records(&shared.log, last)?;
    if records.iter().any(|record| record.statement.dossier != *code) {
        return Ok(None);
    }
    Ok(Some(history::dossier(code, &records, &mut |unit, procedure, received, position| {
        rules.pin(unit, procedure, received, position)
    })))
}

/// Takes in a recorded rule; says what is wrong if it does not follow the version before it.
pub(super) fn take_rule(rules: &mut Rulebook, record: &RuleRecord) -> Result<(), String> {
    let RuleRecord { publication, position, version, previous, .. } = record;
    let newest = rules.newest(publication.rule.kind(), &publication.code);
    let (number, at) = newest.map_or((0, None), |v| (v.number, v.position));
    if *version != number + 1 || *previous != at {
        return Err(format!("version {version} of {} follows version {number}", publication.code));
    }
    rules.publish(publication.clone(), Some(*position)).map_err(|why| why.to_string())?;
    Ok(())
}
