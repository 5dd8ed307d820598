//! The one writer: decides, appends, folds, answers. Also the alarm clock that writes `Late`.
//!
//! The write model holds every dossier; an event changes it before it is durable, which is safe because nobody but the
//! writer sees it, and because an append that fails poisons the writer: it answers nothing more until the log is opened
//! anew.

use super::{Batch, Health, Mode, Published, Receipt, Refused, Shared};
use crate::clock::Guard;
use crate::dossier::{
    Code, Command, Decision, Dossier, Entry, Proposal, Rejection, decide, fingerprint, next_miss, overdue,
};
use crate::log::Records;
use crate::record::{Logged, Record, RecordRef, RuleRecord};
use crate::rules::{Fit, Rulebook};
use crate::time::{Timestamp, Zone};
use crate::views::{Row, Views};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use uuid::Uuid;

/// How many events the writer takes into one group, batches whole.
const GROUP_EVENTS: usize = 4096;
/// How many `Late` one group may hold, so that a morning after a long downtime does not hold up the desks.
const GROUP_LATES: usize = 1024;
/// How long the writer sleeps at most before it looks at the clock: `Late` is to be written within a second.
const NAP: Duration = Duration::from_millis(200);

/// A result for each event of a batch, or why there is none.
pub(super) type Answer = Result<Vec<Result<Receipt, Rejection>>, Refused>;

/// Something on its way, and how many places it takes in the queue.
pub(super) struct Job {
    pub(super) size: usize,
    pub(super) work: Work,
}

/// What is to be done, and who waits for it.
pub(super) enum Work {
    /// Events of dossiers.
    Record(Batch, Box<dyn FnOnce(Answer) + Send>),
    /// Rules, and their author.
    Publish(Vec<Fit>, Code, Box<dyn FnOnce(Result<Vec<Published>, Refused>) + Send>),
}

/// What was decided, on its way to durability.
enum Decided {
    Recorded(Vec<Result<Receipt, Rejection>>, Box<dyn FnOnce(Answer) + Send>),
    Published(Vec<Published>, Box<dyn FnOnce(Result<Vec<Published>, Refused>) + Send>),
}

impl Decided {
    /// Answers; with `why` if it is not durable.
    fn answer(self, why: Option<&str>) {
        let failed = |why: &str| Refused::Unavailable(why.to_owned());
        match self {
            Decided::Recorded(results, reply) => reply(why.map_or(Ok(results), |why| Err(failed(why)))),
            Decided::Published(published, reply) => reply(why.map_or(Ok(published), |why| Err(failed(why)))),
        }
    }
}

/// A dossier of the write model, with the alarm of its next promise to pass.
struct Slot {
    dossier: Arc<Dossier>,
    alarm: Option<Timestamp>,
}

/// The write model.
pub(super) struct Writer {
    home: Zone,
    rules: Rulebook,
    /// The same for readers.
    shared_rules: Arc<Rulebook>,
    slots: HashMap<Code, Slot>,
    alarms: BTreeSet<(Timestamp, Code)>,
    last_recorded: Timestamp,
}

/// The first receipt of an entry, which is its dossier's `index`-th.
fn receipt_again(index: usize, entry: &Entry) -> Receipt {
    Receipt {
        event_id: entry.event_id,
        position: entry.position,
        recorded_at: entry.recorded_at,
        dossier_version: u32::try_from(index + 1).unwrap_or(u32::MAX),
        duplicate: true,
        flags: entry.flags,
    }
}

/// What a group has come to so far.
struct Group {
    now: Timestamp,
    first: u64,
    records: Records,
    touched: HashSet<Code>,
    /// Whether rules are among them.
    rules: bool,
}

impl Writer {
    pub(super) fn new(rules: Rulebook) -> Writer {
        Writer {
            home: *rules.home(),
            shared_rules: Arc::new(rules.clone()),
            rules,
            slots: HashMap::new(),
            alarms: BTreeSet::new(),
            last_recorded: Timestamp::MIN,
        }
    }

    /// The rules as they are now.
    pub(super) fn rules(&self) -> Arc<Rulebook> {
        Arc::clone(&self.shared_rules)
    }

    pub(super) fn last_recorded(&self) -> Timestamp {
        self.last_recorded
    }

    /// Takes in a record of the log at start-up, and checks what only a whole log can show.
    pub(super) fn replay(&mut self, logged: &Logged) -> Result<(), String> {
        if logged.recorded_at() < self.last_recorded {
            return Err(format!("recorded at {}, before the record before it", logged.recorded_at()));
        }
        match logged {
            Logged::Event(record) => self.replay_event(record),
            Logged::Rule(record) => self.replay_rule(record),
        }
    }

    fn replay_rule(&mut self, record: &RuleRecord) -> Result<(), String> {
        let RuleRecord { publication, position, version, previous, .. } = record;
        let newest = self.rules.newest(publication.rule.kind(), &publication.code);
        let (number, at) = newest.map_or((0, None), |v| (v.number, v.position));
        if *version != number + 1 || *previous != at {
            return Err(format!("version {version} of {} follows version {number}", publication.code));
        }
        self.rules.publish(publication.clone(), Some(*position)).map_err(|why| why.to_string())?;
        self.last_recorded = record.recorded_at;
        Ok(())
    }

    fn replay_event(&mut self, record: &Record) -> Result<(), String> {
        let dossier = self.slots.get(&record.statement.dossier).map(|s| &s.dossier);
        let (version, previous) = dossier.map_or((0, None), |d| (d.version(), d.last_position()));
        if record.dossier_version != version + 1 || record.previous != previous {
            return Err(format!(
                "version {} of {} follows version {version}: its history has a gap",
                record.dossier_version, record.statement.dossier
            ));
        }
        self.last_recorded = record.recorded_at;
        let proposal = Proposal {
            statement: record.statement.clone(),
            reckoned: record.reckoned,
            flags: record.flags,
            fingerprint: fingerprint(&record.statement),
        };
        self.evolve(&proposal, record.position, record.recorded_at);
        Ok(())
    }

    /// Folds every dossier into fresh views and sets the alarms, once, after the replay.
    pub(super) fn publish_all(&mut self, views: &mut Views, position: u64) {
        self.shared_rules = Arc::new(self.rules.clone());
        views.set_rules(self.rules());
        let mut codes: Vec<Code> = self.slots.keys().cloned().collect();
        codes.sort();
        let rows = codes.into_iter().filter_map(|code| self.refold(&code)).collect();
        views.apply(position, rows);
    }

    fn evolve(&mut self, proposal: &Proposal, position: u64, recorded_at: Timestamp) -> u32 {
        let statement = &proposal.statement;
        let entry = proposal.entry(position, recorded_at);
        let slot = self
            .slots
            .entry(statement.dossier.clone())
            .or_insert_with(|| Slot { dossier: Arc::new(Dossier::new(statement.dossier.clone())), alarm: None });
        let dossier = Arc::make_mut(&mut slot.dossier);
        dossier.evolve(&statement.event, proposal.reckoned, entry, &mut self.rules);
        dossier.version()
    }

    /// The row of a dossier as it stands, and its alarm set anew.
    fn refold(&mut self, code: &Code) -> Option<Row> {
        let slot = self.slots.get_mut(code)?;
        let row = Row::new(Arc::clone(&slot.dossier), &self.home);
        let alarm = row.by_instant.as_ref().and_then(|timeline| next_miss(&slot.dossier, timeline));
        if alarm != slot.alarm {
            if let Some(t) = slot.alarm {
                self.alarms.remove(&(t, code.clone()));
            }
            if let Some(t) = alarm {
                self.alarms.insert((t, code.clone()));
            }
            slot.alarm = alarm;
        }
        Some(row)
    }

    fn stage(&mut self, group: &mut Group, proposal: &Proposal, author: &Code) -> Receipt {
        let position = group.first + group.records.len() as u64;
        let code = &proposal.statement.dossier;
        let previous = self.slots.get(code).and_then(|s| s.dossier.last_position());
        let dossier_version = self.evolve(proposal, position, group.now);
        let record = RecordRef {
            position,
            recorded_at: group.now,
            dossier_version,
            previous,
            author,
            flags: proposal.flags,
            reckoned: proposal.reckoned,
            statement: &proposal.statement,
        };
        group.records.push(|out| record.encode(out));
        group.touched.insert(code.clone());
        Receipt {
            event_id: proposal.statement.event_id,
            position,
            recorded_at: group.now,
            dossier_version,
            duplicate: false,
            flags: proposal.flags,
        }
    }

    fn decide_one(&mut self, group: &mut Group, command: &Command) -> Result<Receipt, Rejection> {
        let dossier = self.slots.get(&command.statement.dossier).map(|s| &*s.dossier);
        match decide(dossier, command, group.now, &self.rules)? {
            Decision::Duplicate(entry) => {
                let index = dossier.and_then(|d| d.entries.iter().position(|e| e.position == entry.position));
                Ok(receipt_again(index.unwrap_or(0), &entry))
            }
            Decision::Log(proposals) => {
                let receipts: Vec<Receipt> = proposals.iter().map(|p| self.stage(group, p, &command.author)).collect();
                // `decide` puts the event itself last, behind the `Late` that it owes.
                receipts.into_iter().last().ok_or(Rejection::EngineEvent)
            }
        }
    }

    /// Decides events in order. What an import says again is a duplicate whatever its id: the ids of a file are made
    /// of ordinals, which shift when the file has grown in its middle, and history must not be told twice for that.
    fn decide_each(&mut self, group: &mut Group, commands: &[Command]) -> Vec<Result<Receipt, Rejection>> {
        let before = group.first + group.records.len() as u64;
        let mut said: HashMap<(Code, u128), usize> = HashMap::new();
        let mut decide = |command: &Command| {
            if command.imported {
                let fingerprint = fingerprint(&command.statement);
                let times = said.entry((command.statement.dossier.clone(), fingerprint)).or_default();
                *times += 1;
                let known = self.slots.get(&command.statement.dossier).map(|s| &s.dossier);
                let known = known.and_then(|d| {
                    let same = d.entries.iter().enumerate();
                    same.filter(|(_, e)| e.position < before && e.fingerprint == fingerprint).nth(*times - 1)
                });
                if let Some((index, entry)) = known {
                    return Ok(receipt_again(index, entry));
                }
            }
            self.decide_one(group, command)
        };
        commands.iter().map(&mut decide).collect()
    }

    fn decide_batch(&mut self, group: &mut Group, batch: &Batch) -> Vec<Result<Receipt, Rejection>> {
        if batch.mode == Mode::Each {
            return self.decide_each(group, &batch.commands);
        }
        let before: HashMap<&Code, Option<Arc<Dossier>>> = batch
            .commands
            .iter()
            .map(|c| &c.statement.dossier)
            .map(|code| (code, self.slots.get(code).map(|s| Arc::clone(&s.dossier))))
            .collect();
        let staged = group.records.len();
        let results = self.decide_each(group, &batch.commands);
        if results.iter().all(Result::is_ok) {
            return results;
        }
        group.records.truncate(staged);
        for (code, dossier) in before {
            match (dossier, self.slots.get_mut(code)) {
                (Some(dossier), Some(slot)) => slot.dossier = dossier,
                _ => {
                    self.slots.remove(code);
                }
            }
        }
        results.into_iter().map(|r| Err(r.err().unwrap_or(Rejection::BatchRefused))).collect()
    }

    /// Stages rules. Each is in force for what is received from its day on and decided after it.
    fn publish(&mut self, group: &mut Group, rules: Vec<Fit>, author: &Code) -> Vec<Published> {
        let mut published = Vec::with_capacity(rules.len());
        for fit in rules {
            let publication = fit.publication();
            let (kind, code) = (publication.rule.kind(), publication.code.clone());
            if let Some(same) = self.rules.repeated(publication) {
                let (number, position) = (same.number, same.position);
                published.push(Published { kind, code, number, position, duplicate: true });
                continue;
            }
            let (before, previous) = self.rules.newest(kind, &code).map_or((0, None), |v| (v.number, v.position));
            let position = group.first + group.records.len() as u64;
            let name = format!("{}\n{code}\n{}", kind.name(), before + 1);
            let record = RuleRecord {
                position,
                recorded_at: group.now,
                event_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
                version: before + 1,
                previous,
                author: author.clone(),
                publication: publication.clone(),
            };
            group.records.push(|out| out.extend_from_slice(&record.encode()));
            group.rules = true;
            let number = self.rules.add(fit, Some(position));
            published.push(Published { kind, code, number, position: Some(position), duplicate: false });
        }
        if group.rules {
            self.shared_rules = Arc::new(self.rules.clone());
        }
        published
    }

    /// Folds what the group touched. Touched dossiers that an undone batch left unknown have no row.
    fn fold(&mut self, group: &mut Group, rows: &mut HashMap<Code, Row>) {
        for code in std::mem::take(&mut group.touched) {
            if let Some(row) = self.refold(&code) {
                rows.insert(code, row);
            }
        }
    }

    /// Stages the `Late` of every promise that has passed.
    fn ring(&mut self, group: &mut Group, rows: &mut HashMap<Code, Row>) {
        let mut written = 0;
        let nobody: Code = Arc::from("");
        while written < GROUP_LATES {
            let Some((t, code)) = self.alarms.first().cloned() else { return };
            if t > group.now {
                return;
            }
            let Some(dossier) = self.slots.get(&code).map(|s| Arc::clone(&s.dossier)) else {
                self.alarms.pop_first();
                continue;
            };
            let lates = overdue(&dossier, group.now, &self.home);
            drop(dossier);
            rows.remove(&code);
            for late in &lates {
                self.stage(group, late, &nobody);
            }
            written += lates.len().max(1);
            self.fold(group, rows);
        }
    }

    /// Milliseconds until the next alarm, by the engine's clock.
    fn until_alarm(&self, now: Timestamp) -> Option<i64> {
        self.alarms.first().map(|(t, _)| t.since(now).max(0))
    }
}

/// The writer's thread: runs until the queue is closed and empty.
pub(super) fn run(mut writer: Writer, shared: &Shared, mut guard: Guard, queue: &Receiver<Job>) {
    loop {
        let now = shared.clock.now();
        let alarm = writer.until_alarm(now).map_or(NAP, |ms| Duration::from_millis(ms.unsigned_abs()));
        let mut jobs = Vec::new();
        let mut closed = false;
        match queue.recv_timeout(alarm.min(NAP)) {
            Ok(job) => jobs.push(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => closed = true,
        }
        let mut size: usize = jobs.iter().map(|j| j.size).sum();
        while size < GROUP_EVENTS {
            let Ok(job) = queue.try_recv() else { break };
            size += job.size;
            jobs.push(job);
        }
        if let Some(jump) = guard.jump(&*shared.clock) {
            let why = format!(
                "the clock jumped by {} s against the time that really passed; set it right and restart the server",
                jump / 1000
            );
            poison(shared, &why);
            refuse(shared, jobs, &why);
            return drain(shared, queue, &why);
        }
        let mut outcome = write_group(&mut writer, shared, jobs);
        while outcome.is_ok() && closed && writer.until_alarm(shared.clock.now()) == Some(0) {
            // A clean stop leaves no promise that has passed without its `Late`.
            outcome = write_group(&mut writer, shared, Vec::new());
        }
        if let Err(why) = outcome {
            return drain(shared, queue, &why);
        }
        if closed {
            return;
        }
    }
}

/// Decides, appends, folds and answers one group. On failure health says why, and everyone in it has been told.
fn write_group(writer: &mut Writer, shared: &Shared, jobs: Vec<Job>) -> Result<(), String> {
    let now = shared.clock.now().max(writer.last_recorded);
    let mut group =
        Group { now, first: shared.log.next(), records: Records::new(), touched: HashSet::new(), rules: false };
    let mut rows = HashMap::new();
    let decided: Vec<_> = jobs
        .into_iter()
        .map(|job| {
            let decided = match job.work {
                Work::Record(batch, reply) => Decided::Recorded(writer.decide_batch(&mut group, &batch), reply),
                Work::Publish(rules, author, reply) => {
                    Decided::Published(writer.publish(&mut group, rules, &author), reply)
                }
            };
            (job.size, decided)
        })
        .collect();
    writer.fold(&mut group, &mut rows);
    writer.ring(&mut group, &mut rows);
    if !group.records.is_empty() {
        writer.last_recorded = now;
        let appended = shared.log.pack(&group.records).and_then(|packed| shared.log.commit(&packed));
        if let Err(e) = appended {
            let why = e.to_string();
            // Before the refusals, so that nobody who was refused still finds the engine serving.
            poison(shared, &why);
            for (size, decided) in decided {
                shared.queued.fetch_sub(size, Ordering::AcqRel);
                decided.answer(Some(&why));
            }
            return Err(why);
        }
        let position = group.first + group.records.len() as u64;
        // Only the swap happens under the lock, so a reader waits for microseconds. The swap itself, and with it the
        // answers below, waits for the questions that are being counted.
        let rows = rows.into_values().collect();
        let mut views = shared.views.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if group.rules {
            views.set_rules(writer.rules());
        }
        views.apply(position, rows);
        drop(views);
        shared.announce(position);
    }
    for (size, decided) in decided {
        shared.queued.fetch_sub(size, Ordering::AcqRel);
        decided.answer(None);
    }
    Ok(())
}

fn poison(shared: &Shared, why: &str) {
    tracing::error!("no more events are accepted: {why}");
    shared.set_health(Health::NotServing(why.to_owned()));
}

fn refuse(shared: &Shared, jobs: Vec<Job>, why: &str) {
    for job in jobs {
        shared.queued.fetch_sub(job.size, Ordering::AcqRel);
        let why = Refused::Unavailable(why.to_owned());
        match job.work {
            Work::Record(_, reply) => reply(Err(why)),
            Work::Publish(_, _, reply) => reply(Err(why)),
        }
    }
}

/// After a failure: whoever still waits is told, until the engine is closed.
fn drain(shared: &Shared, queue: &Receiver<Job>, why: &str) {
    while let Ok(job) = queue.recv() {
        refuse(shared, vec![job], why);
    }
}
