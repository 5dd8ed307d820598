//! The engine as a whole: one writer, any number of readers, start-up and stop.
//!
//! The only room that starts a thread. Commands enter by a bounded queue; the writer takes all that waits, decides it,
//! appends it as one durable group, folds it into the views and only then answers. So whoever holds a receipt sees its
//! effect in every later query. A caller who is alone may be the writer for a moment ([`Turn`]).

mod codes;
mod commit;
mod dossiers;
mod history;
mod margins;
mod obligations;
mod remembered;
mod replay;
mod resume;
mod snapshot;
mod targets;
mod turns;
mod writer;

use crate::clock::{Clock, Guard, SystemClock, TOLERATED_DRIFT_MS};
use crate::directory::{Directory, DirectoryError, New};
use crate::dossier::{Code, Command, Comparison, Dossier, Due, EventType, Rejection, Timeline};
use crate::log::{EventLog, Held, Log, LogError, Roll};
use crate::record::{Decoder, Logged, Record};
use crate::rules::{Definition, Fit, Publication, RESOLVED, RuleKind, Rulebook, Unfit};
use crate::time::{Timestamp, Zone};
use crate::views::{
    FormAnswer, FormQuery, IN_ORDER_BEHIND, Item, ListQuery, Moment, Obligation, Page, Row, Rows, Slip, Views,
    obligations, slip, unit_within,
};
use codes::Codes;
use commit::{Committer, mark};
use margins::Beside;
pub use margins::MarginsState;
use replay::{Replay, Replayed};
use snapshot::{Keeper, Snapshots};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
pub use turns::Turn;
use turns::Turns;
use uuid::Uuid;
use writer::{Job, Work, Writer};

/// How many events may wait for the writer before more are refused with `OVERLOADED`.
const QUEUE_EVENTS: usize = 20_000;
/// How many dossiers are kept whole if nobody says otherwise: some 30 MB of them.
const DOSSIERS_AT_HAND: usize = 1 << 16;
/// Of how many dossiers a replay gathers events at least if nobody says otherwise: some 150 MB of them.
const DOSSIERS_IN_REPLAY: usize = 1 << 19;
/// After how many records a snapshot is written if nobody says otherwise: so many are replayed in a few seconds.
const SNAPSHOT_EVERY: u64 = 1_000_000;
/// From how many dossiers on margins are kept if nobody says otherwise: fewer are scanned in less than a millisecond.
const MARGINS_FROM: usize = 100_000;
/// How many events one batch may hold.
pub const BATCH_EVENTS: usize = 10_000;

/// What the sender of an accepted event holds in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The sender's id.
    pub event_id: Uuid,
    /// Where it stands in the log.
    pub position: u64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The dossier's version with it.
    pub dossier_version: u32,
    /// Whether it had been recorded before.
    pub duplicate: bool,
    /// What did not fit.
    pub flags: crate::dossier::Flags,
}

/// What became of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The kind of rule.
    pub kind: RuleKind,
    /// Its code.
    pub code: Code,
    /// The number of the version; 0 of one that is built in.
    pub number: u32,
    /// Where it stands in the log; nowhere if it is built in.
    pub position: Option<u64>,
    /// Whether it was there before, in the same words.
    pub duplicate: bool,
}

/// How a batch is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each event on its own.
    Each,
    /// All, or none if one is refused.
    Atomic,
}

/// Events that belong together: they are decided in order and become durable in one group.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The events.
    pub commands: Vec<Command>,
    /// How.
    pub mode: Mode,
}

/// Why a batch got no answer to its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too much is waiting; try again shortly. Nothing was recorded.
    Overloaded,
    /// More events than a batch may hold. Nothing was recorded.
    TooLarge {
        /// How many were sent.
        size: usize,
        /// How many may be.
        limit: usize,
    },
    /// A rule that cannot be applied. Nothing was published.
    Unfit {
        /// Which of those that were sent.
        index: usize,
        /// Why.
        why: Unfit,
    },
    /// The log cannot be written, says why. Whether the events were recorded is unknown; sending them again is safe.
    Unavailable(String),
}

/// What the engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Events are accepted.
    Serving,
    /// No event is accepted, for this reason.
    NotServing(String),
}

/// What an engine is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Only questions are asked: nothing is recorded, not even `Late`.
    Read,
    /// Events are recorded; a missing directory is made.
    Write,
}

/// Rules that a directory can begin with, under a name: what they say never changes, since answers depend on it.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// Its name, which the directory keeps.
    pub name: &'static str,
    /// The rules.
    pub publications: Vec<Publication>,
}

/// How to open an engine.
pub struct Options {
    /// What for.
    pub purpose: Purpose,
    /// The zone asked for: a new directory gets it, an existing one must have it.
    pub zone: Option<Zone>,
    /// The zone of a new directory if none was asked for; an existing one keeps its own.
    pub zone_if_new: Zone,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Whether a clock behind the last record is accepted.
    pub accept_clock: bool,
    /// The sets of rules that are known, the newest last: a new directory begins with that, an existing one names its own.
    pub rule_sets: Vec<RuleSet>,
    /// At about how many bytes the log goes on in a new part: [`Roll::AT`] but for tests.
    pub roll_at: u64,
    /// How many dossiers touched lately are kept whole in memory; up to twice as many. The others are found again, which
    /// takes an event of theirs some microseconds, or the reading of a few records.
    pub dossiers_at_hand: usize,
    /// Of how many dossiers a replay of the log gathers events at least before it makes rows of them; of up to twice as many.
    /// The more there are the fewer rows are made more than once.
    pub dossiers_in_replay: usize,
    /// How many dossiers come in after some others before what only decisions about those need is let go of, where they have
    /// ended: what is told about one of them later makes the writer read the log.
    pub in_order_behind: u32,
    /// After how many records a snapshot is written, from which the next start goes on. A log with fewer is read whole.
    pub snapshot_every: u64,
    /// From how many dossiers on figures are counted beforehand for the definitions that are asked for.
    pub margins_from: usize,
}

impl Options {
    /// For this purpose, with the system's clock.
    #[must_use]
    pub fn new(purpose: Purpose) -> Options {
        Options {
            purpose,
            zone: None,
            zone_if_new: Zone::VIETNAM,
            clock: Arc::new(SystemClock),
            accept_clock: false,
            rule_sets: Vec::new(),
            roll_at: Roll::AT,
            dossiers_at_hand: DOSSIERS_AT_HAND,
            dossiers_in_replay: DOSSIERS_IN_REPLAY,
            in_order_behind: IN_ORDER_BEHIND,
            snapshot_every: SNAPSHOT_EVERY,
            margins_from: MARGINS_FROM,
        }
    }
}

/// Why an engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The clock stands before the last record.
    #[error(
        "the clock says {now}, but the last record was made at {recorded}; set the clock, or accept it as it is with \
         --accept-clock"
    )]
    ClockBehind {
        /// What the clock says.
        now: Timestamp,
        /// When the last record was made.
        recorded: Timestamp,
    },
    /// The directory began with rules that this program does not know.
    #[error("the directory began with the rules {0}, which this program does not know; use the version that made it")]
    UnknownRules(String),
    /// Rules of a known set cannot be applied.
    #[error("the rules that are built in cannot be applied: {0}")]
    Unfit(#[from] Unfit),
    /// The thread of the writer.
    #[error("the writer cannot be started: {0}")]
    Thread(std::io::Error),
}

/// Which records to replay.
#[derive(Clone, Debug, Default)]
pub struct ReplayFilter {
    /// The first position.
    pub from: u64,
    /// The position before which to stop; the head if none.
    pub to: Option<u64>,
    /// Only this dossier.
    pub dossier: Option<Code>,
    /// Only dossiers of this unit and those below it.
    pub unit: Option<Code>,
    /// Only these types; all if empty.
    pub types: Vec<EventType>,
}

/// All about one dossier.
#[derive(Clone, Debug)]
pub struct Detail {
    /// As a list shows it.
    pub item: Item,
    /// Its promises, each with whether it is the current one, and when it is missed to the millisecond.
    pub promises: Vec<PromiseDetail>,
    /// Its obligations.
    pub obligations: Vec<Obligation>,
    /// Who held it, step by step.
    pub slip: Slip,
    /// Its write model, by which [`crate::views::explain`] says why it is due when it is.
    pub dossier: Arc<Dossier>,
    /// Its records.
    pub history: Vec<Record>,
    /// The number of records that the answer has folded.
    pub position: u64,
    /// The business time it is looked at.
    pub as_of: Timestamp,
}

/// A promise as an auditor sees it.
#[derive(Clone, Debug)]
pub struct PromiseDetail {
    /// 1, 2, …
    pub number: u32,
    /// When it ends, as it stands.
    pub due: Due,
    /// When it was given.
    pub given_at: Timestamp,
    /// When it was missed by date, if by the cut.
    pub missed_at: Option<Timestamp>,
    /// When it was missed to the millisecond, if by the cut.
    pub missed_at_instant: Option<Timestamp>,
    /// Who held the dossier when it was missed by date.
    pub held_by: Option<Code>,
    /// Who held it when it was missed to the millisecond.
    pub held_by_instant: Option<Code>,
    /// Whether it is the one that rates judge.
    pub current: bool,
}

/// What readers and the writer share.
pub(crate) struct Shared {
    pub(crate) log: Log,
    /// All dossiers, as they are now.
    published: RwLock<Views>,
    /// From codes to rows.
    pub(crate) codes: Codes,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) home: Zone,
    pub(crate) queued: AtomicUsize,
    /// Whether the engine is being closed.
    closing: AtomicBool,
    /// Figures counted beforehand.
    margins: Beside,
    listeners: RwLock<Vec<Listener>>,
    /// Told from time to time while a turn lasts.
    bystanders: RwLock<Vec<Box<dyn Fn() + Send + Sync>>>,
    health: Mutex<Health>,
}

/// Told the position after each group.
type Listener = Box<dyn Fn(u64) + Send + Sync>;

impl Shared {
    fn new(log: Log, register: &Rows, clock: Arc<dyn Clock>, home: Zone) -> Shared {
        Shared {
            log,
            published: RwLock::new(Views::clone(register)),
            codes: Codes::of(register),
            clock,
            home,
            queued: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            margins: Beside::default(),
            listeners: RwLock::new(Vec::new()),
            bystanders: RwLock::new(Vec::new()),
            health: Mutex::new(Health::Serving),
        }
    }

    /// Tells the listeners that the views have moved on.
    pub(crate) fn announce(&self, position: u64) {
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(position);
        }
    }

    /// Tells the bystanders that a turn lasts.
    pub(crate) fn tell_bystanders(&self) {
        for bystander in self.bystanders.read().unwrap_or_else(PoisonError::into_inner).iter() {
            bystander();
        }
    }

    pub(crate) fn set_health(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn published(&self) -> RwLockReadGuard<'_, Views> {
        // The views are replaced whole, so a poisoned lock holds none that are half made.
        self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// All dossiers as they are now; what is asked of them holds up nobody.
    pub(crate) fn views(&self) -> Views {
        self.published().clone()
    }

    /// How many records are durable and in every answer.
    pub(crate) fn position(&self) -> u64 {
        self.published().position()
    }

    /// How many rows readers know.
    pub(crate) fn rows(&self) -> usize {
        self.published().len()
    }

    /// Whether the engine is being closed.
    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Brings a row into the register; `at` is its number if it has one. Returns the number.
    pub(crate) fn put(&self, register: &mut Rows, at: Option<u32>, row: &Row) -> u32 {
        let number = register.put(at, row);
        if at.is_none() {
            self.codes.insert(&row.dossier.code, number);
        }
        number
    }

    /// Shows readers the register as it is.
    pub(crate) fn publish(&self, register: &Rows) {
        let views = Views::clone(register);
        let before = std::mem::replace(&mut *self.published.write().unwrap_or_else(PoisonError::into_inner), views);
        // What only they held is given back without the lock.
        drop(before);
    }

    /// Why no event is accepted any more.
    pub(crate) fn failed(&self) -> Option<String> {
        match &*self.health() {
            Health::Serving => None,
            Health::NotServing(why) => Some(why.clone()),
        }
    }
}

/// What runs until the engine is closed.
#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    /// Checks the log behind a snapshot.
    checking: Option<JoinHandle<()>>,
    /// Brings margins up to date.
    margins: Option<JoinHandle<()>>,
}

/// # Errors
/// [`Refused::TooLarge`].
fn fits(batch: &Batch) -> Result<(), Refused> {
    match batch.commands.len() {
        size if size > BATCH_EVENTS => Err(Refused::TooLarge { size, limit: BATCH_EVENTS }),
        _ => Ok(()),
    }
}

/// An open data directory: takes events, answers questions.
pub struct Engine {
    shared: Arc<Shared>,
    jobs: Mutex<Option<Sender<Job>>>,
    /// Nothing if only questions are asked.
    turns: Option<Arc<Turns>>,
    threads: Mutex<Threads>,
    margins_from: usize,
    resumed_from: u64,
    _directory: Option<Directory>,
}

impl Engine {
    /// Opens the data directory at `path`.
    ///
    /// # Errors
    /// [`OpenError`]; damage is named with its position, and nothing is skipped.
    pub fn open(path: &Path, options: Options) -> Result<Engine, OpenError> {
        let new = New {
            zone: options.zone.unwrap_or(options.zone_if_new),
            rules: options.rule_sets.last().map(|set| set.name),
        };
        let new = (options.purpose == Purpose::Write).then_some(new);
        let directory = Directory::open(path, options.zone, new)?;
        let home: Box<dyn EventLog> = Box::new(directory.open_log(options.roll_at)?);
        let (genesis, zone) = (directory.genesis(), directory.zone());
        let began_with = directory.rules().map(str::to_owned);
        Engine::start(home, genesis, zone, options, began_with, Some(directory))
    }

    /// Opens an engine over any home of frames.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn over(
        home: Box<dyn EventLog>,
        genesis: crate::log::Digest,
        zone: Zone,
        options: Options,
    ) -> Result<Engine, OpenError> {
        let began_with = options.rule_sets.last().map(|set| set.name.to_owned());
        Engine::start(home, genesis, zone, options, began_with, None)
    }

    fn start(
        home: Box<dyn EventLog>,
        genesis: crate::log::Digest,
        zone: Zone,
        options: Options,
        began_with: Option<String>,
        directory: Option<Directory>,
    ) -> Result<Engine, OpenError> {
        let margins_from = options.margins_from;
        let mut rules = Rulebook::new(zone);
        if let Some(name) = began_with {
            let Some(set) = options.rule_sets.iter().find(|set| set.name == name) else {
                // The log begins with this name: if it was damaged rather than made by a later version, the log tells.
                Log::open(home, genesis, |_, _| Ok(()))?;
                return Err(OpenError::UnknownRules(name));
            };
            for publication in &set.publications {
                rules.publish(publication.clone(), None)?;
            }
        }
        let mut writer = Writer::new(rules, options.dossiers_at_hand);
        let log = Log::unread(home, genesis)?;
        let mut snapshots = directory.as_ref().map(|directory| Snapshots::new(directory.path(), genesis));
        let (mut register, unchecked) = match resume::resume(&mut writer, &log, snapshots.as_mut(), zone)? {
            Some((register, mark)) => (register, Some(mark)),
            None => {
                let mut register = Rows::new(zone);
                register.set_rules(writer.rules());
                (register, None)
            }
        };
        register.put_in_order_behind(options.in_order_behind);
        let shared = Arc::new(Shared::new(log, &register, options.clock, zone));
        let recorded = unchecked.map_or(Timestamp::MIN, |mark| mark.recorded_at);
        let replay = Replay::new(&shared, register, writer.rulebook(), recorded, options.dossiers_in_replay);
        let Replayed { register, rules, recorded_at: recorded } = replay.run()?;
        writer.go_on(&register, rules, recorded);
        shared.publish(&register);
        if let Some(snapshots) = &mut snapshots
            && shared.log.length() >= snapshots.position().saturating_add(options.snapshot_every)
        {
            // Also where only questions are asked: the next is not to wait as long.
            let saved = shared
                .log
                .close()
                .map_err(|e| e.to_string())
                .and_then(|()| snapshots.save(&register, mark(&shared, recorded)).map_err(|e| e.to_string()));
            if let Err(e) = saved {
                tracing::warn!("no snapshot: {e}");
            }
        }
        let guard = Guard::new(&*shared.clock);
        let now = shared.clock.now();
        let behind = recorded.since(now) > TOLERATED_DRIFT_MS && shared.log.length() > 0;
        if options.purpose == Purpose::Write && behind && !options.accept_clock {
            return Err(OpenError::ClockBehind { now, recorded });
        }
        let (mut jobs, mut thread, mut turns) = (None, None, None);
        if options.purpose == Purpose::Write {
            let (sender, receiver): (Sender<Job>, Receiver<Job>) = channel();
            let keeper = match snapshots {
                Some(snapshots) => {
                    let shared = Arc::clone(&shared);
                    let before_each = move || shared.log.close();
                    Some(Keeper::start(snapshots, options.snapshot_every, before_each).map_err(OpenError::Thread)?)
                }
                None => None,
            };
            let recording = Arc::new(Turns::new(writer, guard, Committer::new(register, keeper, recorded)));
            turns = Some(Arc::clone(&recording));
            let shared = Arc::clone(&shared);
            let run = move || {
                let run = || turns::run(&recording, &shared, &receiver);
                let ran = catch_unwind(AssertUnwindSafe(run));
                if ran.is_err() {
                    shared.set_health(Health::NotServing("the writer stopped with a defect; restart".to_owned()));
                }
            };
            let spawned = std::thread::Builder::new().name("dunghen-writer".to_owned()).spawn(run);
            thread = Some(spawned.map_err(OpenError::Thread)?);
            jobs = Some(sender);
        } else {
            shared.set_health(Health::NotServing("opened to read only".to_owned()));
        }
        let checking = match unchecked.filter(|_| options.purpose == Purpose::Write) {
            Some(mark) => Some(resume::check_the_rest(Arc::clone(&shared), mark).map_err(OpenError::Thread)?),
            None => None,
        };
        let margins = Some(margins::keep(Arc::clone(&shared)).map_err(OpenError::Thread)?);
        let threads = Mutex::new(Threads { writer: thread, checking, margins });
        let resumed_from = unchecked.map_or(0, |mark| mark.position);
        let jobs = Mutex::new(jobs);
        Ok(Engine { shared, jobs, turns, threads, margins_from, resumed_from, _directory: directory })
    }

    /// Queues a batch; `reply` is called once, from a thread of the engine, after durability or on refusal.
    ///
    /// # Errors
    /// [`Refused`] at once if the batch is not taken; `reply` is then not called.
    pub fn submit(
        &self,
        batch: Batch,
        reply: impl FnOnce(Result<Vec<Result<Receipt, Rejection>>, Refused>) + Send + 'static,
    ) -> Result<(), Refused> {
        fits(&batch)?;
        let size = batch.commands.len();
        if let Health::NotServing(why) = &*self.shared.health() {
            return Err(Refused::Unavailable(why.clone()));
        }
        let waiting = self.shared.queued.fetch_add(size, Ordering::AcqRel);
        if waiting > 0 && waiting + size > QUEUE_EVENTS {
            self.shared.queued.fetch_sub(size, Ordering::AcqRel);
            return Err(Refused::Overloaded);
        }
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = Job { size, work: Work::Record(batch, Box::new(reply)) };
        let sent = jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !sent {
            self.shared.queued.fetch_sub(size, Ordering::AcqRel);
            return Err(Refused::Unavailable("the engine is stopping".to_owned()));
        }
        Ok(())
    }

    /// The turn to record on this thread, if nobody else records or waits to. It takes as long as the disk does, which
    /// may stall: whoever is needed elsewhere meanwhile uses [`Engine::submit`], or sees to it by [`Engine::stand_by`].
    #[must_use]
    pub fn turn(&self) -> Option<Turn<'_>> {
        self.turns.as_ref()?.take(&self.shared)
    }

    /// Records a batch and waits for the answer.
    ///
    /// # Errors
    /// [`Refused`] if there is no answer to the events.
    pub fn record(&self, batch: Batch) -> Result<Vec<Result<Receipt, Rejection>>, Refused> {
        if let Some(turn) = self.turn() {
            return turn.record(&batch);
        }
        let (answer, wait) = channel();
        self.submit(batch, move |result| {
            // The receiver waits below for as long as this call lives.
            let _ = answer.send(result);
        })?;
        wait.recv().unwrap_or_else(|_| Err(Refused::Unavailable("the writer stopped".to_owned())))
    }

    /// Publishes rules, all or none, and waits until they are durable. What was published last in the very same words is
    /// not published again.
    ///
    /// # Errors
    /// [`Refused`]; [`Refused::Unfit`] names the first rule that cannot be applied.
    pub fn publish(&self, publications: Vec<Publication>, author: Code) -> Result<Vec<Published>, Refused> {
        let fit =
            |(index, publication)| Fit::new(publication, self.shared.home).map_err(|why| Refused::Unfit { index, why });
        let rules: Vec<Fit> = publications.into_iter().enumerate().map(fit).collect::<Result<_, _>>()?;
        if let Health::NotServing(why) = &*self.shared.health() {
            return Err(Refused::Unavailable(why.clone()));
        }
        let (answer, wait) = channel();
        let size = rules.len();
        let reply = move |published| {
            // The receiver waits below for as long as this call lives.
            let _ = answer.send(published);
        };
        self.shared.queued.fetch_add(size, Ordering::AcqRel);
        let job = Job { size, work: Work::Publish(rules, author, Box::new(reply)) };
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
            self.shared.queued.fetch_sub(size, Ordering::AcqRel);
            return Err(Refused::Unavailable("the engine is stopping".to_owned()));
        }
        drop(jobs);
        wait.recv().unwrap_or_else(|_| Err(Refused::Unavailable("the writer stopped".to_owned())))
    }

    /// The rules as they are now.
    #[must_use]
    pub fn rules(&self) -> Arc<Rulebook> {
        Arc::clone(self.shared.published().rules())
    }

    /// A definition of rates by its id, the published one in force now before the built-in one.
    #[must_use]
    pub fn definition(&self, id: &str) -> Option<Definition> {
        self.rules().definition(id, self.shared.home.date(self.now()))
    }

    /// Whether events are accepted, and if not, why.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health().clone()
    }

    /// The engine's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The position of the snapshot from which start-up went on; 0 if it read the whole log.
    #[must_use]
    pub fn resumed_from(&self) -> u64 {
        self.resumed_from
    }

    /// The zone of the data directory.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.shared.home
    }

    /// The number of records that every later answer has folded.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.shared.position()
    }

    /// Calls `listener` with the position after each group from now on, from the thread that made it durable: it must
    /// be quick.
    pub fn listen(&self, listener: impl Fn(u64) + Send + Sync + 'static) {
        self.shared.listeners.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
    }

    /// Calls `bystander` every few hundredths of a second while a turn lasts longer than that (the first time it may
    /// take a fifth of a second), from a thread of the engine: it must be quick.
    pub fn stand_by(&self, bystander: impl Fn() + Send + Sync + 'static) {
        self.shared.bystanders.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(bystander));
    }

    /// The dossier of a row and its records, as of these views.
    fn history(&self, views: &Views, row: u32, code: &Code) -> Result<Option<(Dossier, Vec<Record>)>, LogError> {
        let Some(last) = views.last_record(row) else { return Ok(None) };
        let records = history::records(&self.shared.log, last)?;
        let rules = Arc::clone(views.rules());
        let dossier = history::dossier(code, &records, &mut |unit, procedure, received, position| {
            Arc::new(rules.look_up(unit, procedure, received, position))
        });
        Ok(Some((dossier, records)))
    }

    /// Form II.06a of a period.
    #[must_use]
    pub fn form(&self, query: &FormQuery) -> FormAnswer {
        self.shared.views().form(query)
    }

    /// Lists dossiers.
    #[must_use]
    pub fn list(&self, query: &ListQuery) -> Page {
        self.shared.views().list(query)
    }

    /// All about one dossier as of some moment; `None` if nothing was ever recorded of it.
    ///
    /// # Errors
    /// [`LogError`] if its history cannot be read.
    pub fn detail(&self, code: &str, as_of: Moment) -> Result<Option<Detail>, LogError> {
        let views = self.shared.views();
        let Some(row) = self.shared.codes.find(&views, code) else { return Ok(None) };
        let Some((dossier, history)) = self.history(&views, row, &Code::from(code))? else { return Ok(None) };
        let row = Row::new(Arc::new(dossier), &self.shared.home);
        let position = views.position();
        let as_of = match as_of {
            Moment::Instant(t) => t,
            Moment::Date(d) => self.shared.home.last_tick(d),
        };
        let (home, entries) = (&self.shared.home, &row.dossier.standing());
        let by_date = Timeline::fold_until(entries, home, Comparison::Date(home), as_of);
        let by_instant = Timeline::fold_until(entries, home, Comparison::Instant, as_of);
        let by_date = by_date.as_ref();
        let missed_at_instant = |i: usize| by_instant.as_ref()?.promises.get(i)?.missed.filter(|m| *m <= as_of);
        let current = by_date.and_then(|t| t.current(as_of));
        let slip = slip(&row.dossier, &history, home, as_of);
        let held_by = |missed: Option<Timestamp>| missed.and_then(|t| slip.holder_at(t)).cloned();
        let promises = by_date.into_iter().flat_map(|t| t.promises.iter().enumerate());
        let promises = promises
            .filter(|(_, p)| p.given <= as_of)
            .map(|(i, p)| PromiseDetail {
                number: u32::try_from(i + 1).unwrap_or(u32::MAX),
                due: p.due,
                given_at: p.given,
                missed_at: p.missed.filter(|m| *m <= as_of),
                missed_at_instant: missed_at_instant(i),
                held_by: held_by(p.missed.filter(|m| *m <= as_of)),
                held_by_instant: held_by(missed_at_instant(i)),
                current: current.is_some_and(|c| std::ptr::eq(c, p)),
            })
            .collect();
        let obligations =
            by_date.into_iter().flat_map(|t| obligations(t, &row.dossier.pinned, &self.shared.home, as_of)).collect();
        Ok(Some(Detail {
            item: row.item(by_date, RESOLVED, &self.shared.home, as_of),
            promises,
            obligations,
            slip,
            dossier: Arc::clone(&row.dossier),
            history,
            position,
            as_of,
        }))
    }

    fn read(&self, position: u64) -> Result<Record, LogError> {
        history::read(&self.shared.log, position)
    }

    /// The records that pass the filter, up to the head as it was when this was called.
    pub fn replay(&self, filter: ReplayFilter) -> Box<dyn Iterator<Item = Result<Logged, LogError>> + Send + '_> {
        let to = filter.to.unwrap_or(u64::MAX).min(self.position());
        // Units that belong to the one asked for by publication, as in every other question.
        let today = self.shared.home.date(self.now());
        let merged = filter.unit.as_ref().map(|unit| self.rules().merged_into(unit, today)).unwrap_or_default();
        if let Some(code) = filter.dossier.clone() {
            let views = self.shared.views();
            let last = self.shared.codes.find(&views, &code).and_then(|row| views.last_record(row));
            let records = last.map_or_else(|| Ok(Vec::new()), |last| history::records(&self.shared.log, last));
            let records = match records {
                Ok(records) => records,
                Err(e) => return Box::new(std::iter::once(Err(e))),
            };
            let range = filter.from..to;
            let records = records.into_iter().filter(move |r| range.contains(&r.position));
            let records = records.map(|record| Ok(Logged::Event(record)));
            return Box::new(records.filter(move |r| r.as_ref().map_or(true, |r| self.passes(r, &filter, &merged))));
        }
        let (from, mut decoder) = (filter.from, Decoder::new());
        let mut frames = self.shared.log.frames(from);
        let mut next = from;
        // Not one step further: behind the head may lie what a failed append left, which a log that has failed cannot
        // always read.
        let frames = std::iter::from_fn(move || {
            let held = if next < to { frames.next()? } else { return None };
            next = held.as_ref().map_or(to, Held::after);
            Some(held)
        });
        let records = frames.flat_map(move |held| match held {
            Ok(held) => {
                let wanted = held.iter().filter(|(position, _)| (from..to).contains(position));
                let damaged = |position, what| LogError::Damaged { position, what };
                wanted.map(|(p, bytes)| decoder.decode(p, bytes).map_err(|e| damaged(p, e.what))).collect()
            }
            Err(e) => vec![Err(e)],
        });
        Box::new(records.filter(move |r| r.as_ref().map_or(true, |r| self.passes(r, &filter, &merged))))
    }

    fn passes(&self, logged: &Logged, filter: &ReplayFilter, merged: &BTreeSet<Code>) -> bool {
        let Logged::Event(record) = logged else {
            // A rule is of no dossier, no unit and no type of events.
            return filter.types.is_empty() && filter.unit.is_none();
        };
        let statement = &record.statement;
        (filter.types.is_empty() || filter.types.contains(&statement.event.event_type()))
            && filter.unit.as_ref().is_none_or(|prefix| {
                let views = self.shared.published();
                let row = self.shared.codes.find_known(&views, &statement.dossier);
                let within =
                    |unit: &Code| unit_within(unit, prefix) || merged.iter().any(|member| unit_within(unit, member));
                row.and_then(|row| views.unit_of(row)).is_some_and(within)
            })
    }

    /// Stops the writer after all that was queued, and makes the head durable.
    ///
    /// # Errors
    /// What the disk says.
    pub fn close(&self) -> Result<(), LogError> {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.shared.closing.store(true, Ordering::Release);
        self.shared.margins.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = |thread: Option<JoinHandle<()>>| thread.is_none_or(|thread| thread.join().is_ok());
        if !ended(threads.margins) {
            // Questions were answered all the same.
            tracing::error!("the thread of the margins had stopped with a defect");
        }
        let checked = ended(threads.checking);
        let Some(writer) = threads.writer else { return Ok(()) };
        if writer.join().is_err() || !checked {
            return Err(LogError::Unavailable("the writer had stopped with a defect".to_owned()));
        }
        if let Health::NotServing(why) = self.health() {
            return Err(LogError::Unavailable(why));
        }
        self.shared.log.close()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(e) = self.close() {
            tracing::error!("stopping: {e}");
        }
    }
}
