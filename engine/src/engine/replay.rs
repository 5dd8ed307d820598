//! A replay of the log at start-up: each record is taken in and checked once, and what came of it put into the register.
//!
//! A row is made of a dossier's whole history, which costs more than to take in an event. So events are gathered, in few
//! bytes, and a row is made when nothing was told of its dossier for long, and at the end. Rows that are made together are
//! made in their order, side by side as they lie. What comes out is what folding record by record makes; between two
//! records nobody sees the register. It knows no alarms and no commands: what is decided next finds its dossiers in the
//! register and in the log, as after a start from a snapshot.

use super::{OpenError, Shared, history};
use crate::dossier::{Act, Code, Dossier, Entry, Event, Flags, Reckoned, answers_as_reckoned};
use crate::log::{Log, LogError};
use crate::record::{Decoder, Logged, Record, RuleRecord};
use crate::rules::Rulebook;
use crate::time::Timestamp;
use crate::views::{Row, Rows, Standing, Strand};
use foldhash::quality::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

/// How many records are handed from the thread that reads to the one that takes in at a time.
const READ_AT_ONCE: usize = 512;
/// How many times as many may wait.
const READ_AHEAD: usize = 4;

/// A replay under way.
pub(super) struct Replay<'s> {
    shared: &'s Shared,
    register: Rows,
    rules: Rulebook,
    /// The dossiers of which events are gathered, in two generations: whoever is told of moves into the younger.
    young: Generation,
    old: Generation,
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

/// Some dossiers, by the hashes of their codes. Of two with one hash only one has a place.
#[derive(Default)]
struct Generation {
    places: HashMap<u64, u32, RandomState>,
    /// Those that were taken out have left their places.
    dossiers: Vec<Option<Gathered>>,
}

/// A dossier whose row, which it has from its first event on, is behind what was told of it.
struct Gathered {
    code: Code,
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
    flags: Flags,
    reckons: bool,
    /// Whether the ids of all its events are known: the register knows only their tags.
    ids: bool,
    strand: Strand,
}

/// A record as it is taken in.
enum Read {
    Rule(RuleRecord),
    Event(Told),
}

/// An event as it is taken in: what a fold reads, and nothing that was only said to people.
struct Told {
    code: Code,
    /// Of the code.
    hash: u64,
    version: u32,
    previous: Option<u64>,
    entry: Entry,
    /// Whether it is an answer whose due was reckoned.
    reckoned: bool,
    /// The whole event, if it says where its dossier counts, or corrects what was told before.
    moves: Option<(Event, Reckoned)>,
}

impl Told {
    fn of(record: Record, hash: &RandomState) -> Told {
        let Record { position, recorded_at, dossier_version, previous, author: _, flags, reckoned, statement } = record;
        let (code, occurred_at, event_id, event) =
            (statement.dossier, statement.occurred_at, statement.event_id, statement.event);
        // What is gathered is only folded, so nobody will ask for the fingerprint.
        let act = Act::of(&event, reckoned);
        let entry = Entry { position, recorded_at, occurred_at, event_id, fingerprint: 0, flags, act };
        let whole = matches!(event, Event::Received { .. } | Event::Rejected { .. } | Event::Corrected { .. });
        Told {
            hash: hash.hash_one(&*code),
            code,
            version: dossier_version,
            previous,
            entry,
            reckoned: answers_as_reckoned(&event, reckoned),
            moves: whole.then_some((event, reckoned)),
        }
    }
}

impl Generation {
    fn get(&self, hash: u64) -> Option<&Gathered> {
        self.dossiers[*self.places.get(&hash)? as usize].as_ref()
    }

    fn get_mut(&mut self, hash: u64) -> Option<&mut Gathered> {
        self.dossiers[*self.places.get(&hash)? as usize].as_mut()
    }

    fn take(&mut self, hash: u64) -> Option<Gathered> {
        self.dossiers[self.places.remove(&hash)? as usize].take()
    }

    /// Adds one whose hash has no place yet.
    fn add(&mut self, hash: u64, gathered: Gathered) {
        self.places.insert(hash, u32::try_from(self.dossiers.len()).unwrap_or(u32::MAX));
        self.dossiers.push(Some(gathered));
    }
}

impl Gathered {
    /// Of a whole dossier.
    fn of(row: u32, dossier: Dossier, ids: bool, register: &mut Rows) -> Gathered {
        let code = Arc::clone(&dossier.code);
        if !dossier.corrections.is_empty() {
            return Gathered { code, row, story: Story::Whole(Box::new(dossier)) };
        }
        let mut strand = Strand::new();
        for entry in &dossier.entries {
            strand.push(entry, dossier.reckoned().contains(&entry.position));
        }
        let kin = register.kin_of(&dossier.keys, &dossier.pinned);
        let (flags, reckons) = (dossier.flags, dossier.reckons);
        Gathered { code, row, story: Story::Plain(Plain { kin, flags, reckons, ids, strand }) }
    }

    /// Its version, and the position of its newest record.
    fn end(&self) -> (u32, Option<u64>) {
        match &self.story {
            Story::Plain(plain) => (plain.strand.length(), plain.strand.last()),
            Story::Whole(dossier) => (dossier.version(), dossier.last_position()),
        }
    }

    /// Whether it is the dossier of this code, whose hash is the same. The record before is of one dossier, so its position
    /// tells without a look at the code; what is wrong in a log hides behind this only if 64 bits meet by accident, too.
    fn is(&self, code: &str, previous: Option<u64>) -> bool {
        (previous.is_some() && self.end().1 == previous) || *self.code == *code
    }

    /// Makes its row.
    fn make_row(self, register: &mut Rows) {
        let home = *register.home();
        match self.story {
            Story::Plain(plain) => {
                let row = Row::new(Arc::new(plain.dossier(self.code, register)), &home);
                register.put_as(self.row, plain.kin, &row);
            }
            Story::Whole(dossier) => {
                register.put(Some(self.row), &Row::new(Arc::from(dossier), &home));
            }
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

/// Reads the log from where it was begun, and hands on what it holds. An error comes behind all that was read before it.
fn read(log: &Log, hash: &RandomState, sender: &SyncSender<Vec<Read>>) -> Result<(), LogError> {
    let (mut decoder, mut batch) = (Decoder::new(), Vec::with_capacity(READ_AT_ONCE));
    // Nobody takes in any more only after an error, which tells more than this one.
    let stopped = |_| LogError::Unavailable("the replay stopped".to_owned());
    let walked = log.walk(|position, bytes| {
        let logged = decoder.decode(position, bytes).map_err(|e| LogError::Damaged { position, what: e.what })?;
        batch.push(match logged {
            Logged::Event(record) => Read::Event(Told::of(record, hash)),
            Logged::Rule(record) => Read::Rule(record),
        });
        if batch.len() == READ_AT_ONCE {
            sender.send(std::mem::replace(&mut batch, Vec::with_capacity(READ_AT_ONCE))).map_err(stopped)?;
        }
        Ok(())
    });
    let rest = sender.send(batch).map_err(stopped);
    walked.and(rest)
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
        let (young, old) = (Generation::default(), Generation::default());
        Replay { shared, register, rules, young, old, generation, next, recorded_at }
    }

    /// Takes in all that the log holds, while a thread reads it.
    ///
    /// # Errors
    /// The first that a look at one record after the other finds.
    pub(super) fn run(mut self) -> Result<Replayed, OpenError> {
        let (shared, hash) = (self.shared, RandomState::default());
        let (sender, receiver) = sync_channel(READ_AHEAD);
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("dunghen-read".to_owned());
            let reading = move || read(&shared.log, &hash, &sender);
            let reading = thread.spawn_scoped(scope, reading).map_err(OpenError::Thread)?;
            // After an error the receiver goes, and with it the thread ends.
            receiver
                .into_iter()
                .try_for_each(|batch: Vec<Read>| batch.into_iter().try_for_each(|record| self.take(record)))?;
            Ok(reading.join().unwrap_or_else(|defect| resume_unwind(defect))?)
        })
        .map(|()| self.end())
    }

    /// Takes in a record, and checks what only a whole log can show.
    fn take(&mut self, read: Read) -> Result<(), LogError> {
        let (position, recorded_at) = match &read {
            Read::Event(told) => (told.entry.position, told.entry.recorded_at),
            Read::Rule(record) => (record.position, record.recorded_at),
        };
        let damaged = |what: String| LogError::Damaged { position, what };
        if recorded_at < self.recorded_at {
            return Err(damaged(format!("recorded at {recorded_at}, before the record before it")));
        }
        match read {
            Read::Event(told) => self.take_event(told)?,
            Read::Rule(record) => take_rule(&mut self.rules, &record).map_err(damaged)?,
        }
        (self.recorded_at, self.next) = (recorded_at, position + 1);
        if self.young.dossiers.len() >= self.generation {
            // What it takes up is taken up again by the next generation.
            let places = std::mem::take(&mut self.old.places);
            let gone = std::mem::take(&mut self.old.dossiers);
            let room = make_rows(gone, &mut self.register);
            self.old = std::mem::replace(&mut self.young, Generation { places, dossiers: room });
            self.young.places.clear();
        }
        Ok(())
    }

    /// Makes the rows that are still to be made.
    fn end(mut self) -> Replayed {
        self.register.set_rules(Arc::new(self.rules.clone()));
        for gone in [self.old.dossiers, self.young.dossiers] {
            make_rows(gone, &mut self.register);
        }
        self.register.move_on(self.next);
        Replayed { register: self.register, rules: self.rules, recorded_at: self.recorded_at }
    }

    fn take_event(&mut self, told: Told) -> Result<(), LogError> {
        let Told { code, hash, version, previous, entry, reckoned, moves } = told;
        self.find(&code, hash, previous)?;
        let gathered = self.young.get_mut(hash);
        let (known, last) = gathered.as_ref().map_or((0, None), |gathered| gathered.end());
        if known.checked_add(1) != Some(version) || last != previous {
            let what = format!("version {version} of {code} follows version {known}: its history has a gap");
            return Err(LogError::Damaged { position: entry.position, what });
        }
        let evolve = |dossier: &mut Dossier, rules: &mut Rulebook| match &moves {
            Some((event, reckoned)) => dossier.evolve(event, *reckoned, entry, rules),
            None => dossier.append(entry, reckoned),
        };
        let Some(gathered) = gathered else {
            let row = self.register.add(&code);
            self.shared.codes.insert(&code, row);
            let mut dossier = Dossier::new(code);
            evolve(&mut dossier, &mut self.rules);
            self.young.add(hash, Gathered::of(row, dossier, true, &mut self.register));
            return Ok(());
        };
        match &mut gathered.story {
            Story::Whole(dossier) => evolve(dossier, &mut self.rules),
            Story::Plain(plain) if moves.is_none() => {
                plain.flags = plain.flags | entry.flags;
                plain.strand.push(&entry, reckoned);
            }
            Story::Plain(plain) => {
                let mut ids = plain.ids;
                let mut dossier = plain.dossier(Arc::clone(&code), &self.register);
                if let (false, Act::Corrected, Some(last)) = (ids, entry.act, last) {
                    // What is corrected is found by its id.
                    let read = from_log(&code, last, self.shared, &mut self.rules)?;
                    (dossier, ids) = (read.unwrap_or(dossier), true);
                }
                evolve(&mut dossier, &mut self.rules);
                *gathered = Gathered::of(gathered.row, dossier, ids, &mut self.register);
            }
        }
        Ok(())
    }

    /// Brings what is known of a dossier among the younger, if anything is; `previous` is where the record that is taken
    /// in says that its newest stands.
    fn find(&mut self, code: &Code, hash: u64, previous: Option<u64>) -> Result<(), LogError> {
        match self.young.get(hash) {
            Some(known) if known.is(code, previous) => return Ok(()),
            // Two codes of one hash take turns.
            Some(_) => {
                if let Some(other) = self.young.take(hash) {
                    other.make_row(&mut self.register);
                }
            }
            None => {}
        }
        let gathered = match self.old.get(hash) {
            Some(known) if known.is(code, previous) => self.old.take(hash),
            _ => self.recall(code, previous)?,
        };
        if let Some(gathered) = gathered {
            self.young.add(hash, gathered);
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
        let code = Arc::clone(code);
        Ok(Some(Gathered { code, row, story: Story::Plain(plain) }))
    }
}

/// Makes the rows of these dossiers, in their order; returns the emptied list for others.
fn make_rows(mut gone: Vec<Option<Gathered>>, register: &mut Rows) -> Vec<Option<Gathered>> {
    gone.sort_unstable_by_key(|gathered| gathered.as_ref().map_or(u32::MAX, |gathered| gathered.row));
    gone.drain(..).flatten().for_each(|gathered| gathered.make_row(register));
    gone
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::dossier::{Command, Due, Outcome, Restated, Statement};
    use crate::engine::{Batch, Engine, Mode, Options, Purpose};
    use crate::log::{MemoryLog, genesis};
    use crate::time::{Date, Zone};
    use uuid::Uuid;

    const HOME: Zone = Zone::VIETNAM;

    /// A log of so many dossiers that take turns event by event, some of them corrected.
    fn recorded(dossiers: u128) -> Arc<MemoryLog> {
        let home = Arc::new(MemoryLog::new(genesis("test")));
        let options = Options { zone: Some(HOME), ..Options::new(Purpose::Write) };
        let engine = Engine::over(Box::new(Arc::clone(&home)), genesis("test"), HOME, options).expect("opens");
        let now = engine.now();
        let received = |unit: &str, days| Event::Received {
            unit: unit.into(),
            procedure: None,
            field: None,
            channel: None,
            due: Some(Due::Date(Date(HOME.date(now).0 + days))),
            applicant_kind: None,
        };
        let (asked, back) =
            (|| Event::SupplementRequested { items: Vec::new(), reason_code: None }, now.plus(-9_000_000));
        let events = |n: u128| {
            let restated = Restated { occurred_at: back, desk: None, actor: None, event: received("H44.2", 9) };
            let corrected = Event::Corrected {
                target_event_id: Uuid::from_u128(n + 1),
                reason_code: "typo".into(),
                replacement: Some(Box::new(restated)),
            };
            let third = if n.is_multiple_of(3) { corrected } else { Event::Supplemented { due: None } };
            let processed = Event::Processed { outcome: Outcome::Granted };
            [received("H44.1", 3), asked(), third, processed, Event::Returned { returned_via: None }]
        };
        for step in 0..5 {
            let command = |n: u128| {
                let event = events(n).into_iter().nth(step).expect("five");
                let (dossier, event_id) = (format!("D-{n}").into(), Uuid::from_u128(((step as u128) << 64) | (n + 1)));
                let occurred_at = back.plus(60_000 * i64::try_from(step).expect("small"));
                let statement = Statement { event_id, dossier, occurred_at, desk: None, actor: None, event };
                Command { statement, expected_version: None, author: "".into(), imported: false }
            };
            // Some stop half-way.
            let commands = (0..dossiers).filter(|n| n % 7 >= step as u128).map(command).collect();
            let sent = engine.record(Batch { commands, mode: Mode::Each }).expect("answers");
            assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        }
        engine.close().expect("closes");
        home
    }

    /// The bytes of all views after a replay in which only these bits of a hash count.
    fn replayed(home: &Arc<MemoryLog>, generation: usize, mask: u64) -> (Vec<u8>, Vec<u8>) {
        let log = Log::unread(Box::new(Arc::clone(home)), genesis("test")).expect("opens");
        let register = Rows::new(HOME);
        let shared = Shared::new(log, &register, Arc::new(SystemClock), HOME);
        let (mut replay, hash) =
            (Replay::new(&shared, register, Rulebook::new(HOME), Timestamp::MIN, generation), RandomState::default());
        let walked = shared.log.walk(|position, bytes| {
            let Logged::Event(record) = Logged::decode(position, bytes).expect("a record") else { panic!("a rule") };
            let told = Told::of(record, &hash);
            replay.take(Read::Event(Told { hash: told.hash & mask, ..told }))
        });
        assert_eq!(walked, Ok(()));
        let Replayed { register, .. } = replay.end();
        (register.write_segment(0), register.write_keys())
    }

    /// Dossiers whose codes have one hash are told apart, however many are gathered: more than a chunk of them, so that
    /// codes are packed.
    #[test]
    fn codes_of_one_hash_take_turns() {
        let home = recorded(700);
        let usual = replayed(&home, 10_000, u64::MAX);
        for (generation, mask) in [(10_000, 7), (0, u64::MAX), (100, u64::MAX), (100, 7), (3, 1), (1, 0)] {
            assert!(replayed(&home, generation, mask) == usual, "{generation} dossiers, hash & {mask}");
        }
    }
}
