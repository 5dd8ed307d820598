//! The one writer: decides and folds. Also the alarm clock that writes `Late`. Who holds it, and when, is not its business
//! ([`super::turns`]), nor how what it decided becomes durable ([`super::commit`]).
//!
//! An event changes the write model before it is durable, which is safe because nobody but the writer sees it, and because
//! an append that fails poisons the writer: it answers nothing more until the log is opened anew.

use super::commit::Staged;
use super::dossiers::{Dossiers, Remembered};
use super::replay::take_rule;
use super::{Batch, Mode, Published, Receipt, Refused, Shared};
use crate::dossier::{Code, Command, Decision, Entry, Proposal, Rejection, decide, fingerprint, next_miss, overdue};
use crate::log::{LogError, Records};
use crate::record::{RecordRef, RuleRecord};
use crate::rules::{Fit, Rulebook};
use crate::time::{Timestamp, Zone};
use crate::views::{Row, Views};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use uuid::Uuid;

/// How many `Late` one group may hold, so that a morning after a long downtime does not hold up the desks.
const GROUP_LATES: usize = 1024;

/// A result for each event of a batch.
pub(super) type Results = Vec<Result<Receipt, Rejection>>;

/// The same, or why there is none.
pub(super) type Answer = Result<Results, Refused>;

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
pub(super) enum Decided {
    Recorded(Results, Box<dyn FnOnce(Answer) + Send>),
    Published(Vec<Published>, Box<dyn FnOnce(Result<Vec<Published>, Refused>) + Send>),
}

impl Decided {
    /// Answers; with `why` if it is not durable.
    pub(super) fn answer(self, why: Option<&str>) {
        let failed = |why: &str| Refused::Unavailable(why.to_owned());
        match self {
            Decided::Recorded(results, reply) => reply(why.map_or(Ok(results), |why| Err(failed(why)))),
            Decided::Published(published, reply) => reply(why.map_or(Ok(published), |why| Err(failed(why)))),
        }
    }
}

/// The write model.
pub(super) struct Writer {
    home: Zone,
    rules: Rulebook,
    /// The same for readers.
    shared_rules: Arc<Rulebook>,
    dossiers: Dossiers,
    /// When the next promise of a row passes. A replay does without: they are set at its end, as the rows say.
    alarms: BTreeSet<(Timestamp, u32)>,
    /// The number of the next row.
    rows: u32,
    /// The codes of the newest rows, which the views may not have yet.
    newest: VecDeque<Code>,
    /// The position of the next record.
    next: u64,
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

/// A dossier folded again.
struct Folded {
    /// The number of its row, if it had one already.
    number: Option<u32>,
    /// The number of its row now.
    at: u32,
    row: Row,
    /// When its next promise was to pass, and when it is now.
    before: Option<Timestamp>,
    alarm: Option<Timestamp>,
}

/// What a group has come to so far.
struct Group {
    now: Timestamp,
    first: u64,
    records: Records,
    /// The dossiers that its records are of, each once.
    touched: Vec<Code>,
    /// What became of their rows.
    rows: Vec<(Option<u32>, Row)>,
    /// Whether rules are among them.
    rules: bool,
}

impl Group {
    fn new(now: Timestamp, first: u64) -> Group {
        Group { now, first, records: Records::new(), touched: Vec::new(), rows: Vec::new(), rules: false }
    }

    fn position(&self) -> u64 {
        self.first + self.records.len() as u64
    }
}

impl Writer {
    pub(super) fn new(rules: Rulebook, dossiers_at_hand: usize) -> Writer {
        Writer {
            home: *rules.home(),
            shared_rules: Arc::new(rules.clone()),
            rules,
            dossiers: Dossiers::new(dossiers_at_hand),
            alarms: BTreeSet::new(),
            rows: 0,
            newest: VecDeque::new(),
            next: 0,
            last_recorded: Timestamp::MIN,
        }
    }

    /// A writer that knows the same rules that are built in, and nothing else; this one must not know more.
    pub(super) fn afresh(&self) -> Writer {
        Writer::new(self.rules.clone(), self.dossiers.generation())
    }

    /// The rules as they are now.
    pub(super) fn rules(&self) -> Arc<Rulebook> {
        Arc::clone(&self.shared_rules)
    }

    /// Takes over where the log ends: the dossiers of which more is to come are found in `views`.
    pub(super) fn go_on(&mut self, views: &Views, rules: Rulebook, recorded_at: Timestamp) {
        self.shared_rules = Arc::new(rules.clone());
        self.rules = rules;
        self.rows = u32::try_from(views.len()).unwrap_or(u32::MAX);
        self.next = views.position();
        self.last_recorded = recorded_at;
        self.alarms = views.alarms().collect();
    }

    /// The rules, by which a replay goes on.
    pub(super) fn rulebook(&self) -> Rulebook {
        self.rules.clone()
    }

    /// Takes in a rule that a snapshot names.
    pub(super) fn know(&mut self, record: &RuleRecord) -> Result<(), LogError> {
        let damaged = |what| LogError::Damaged { position: record.position, what };
        take_rule(&mut self.rules, record).map_err(damaged)?;
        self.shared_rules = Arc::new(self.rules.clone());
        Ok(())
    }

    fn evolve(&mut self, proposal: &Proposal, position: u64, recorded_at: Timestamp, touched: &mut Vec<Code>) -> u32 {
        let statement = &proposal.statement;
        let entry = proposal.entry(position, recorded_at);
        let slot = self.dossiers.begin(&statement.dossier);
        if !std::mem::replace(&mut slot.touched, true) {
            touched.push(Arc::clone(&statement.dossier));
        }
        let dossier = Arc::make_mut(&mut slot.dossier);
        dossier.evolve(&statement.event, proposal.reckoned, entry, &mut self.rules);
        dossier.version()
    }

    /// The row of a dossier as it stands, with its number if it has one already, and its alarm set anew.
    fn refold(&mut self, code: &Code) -> Option<(Option<u32>, Row)> {
        let Folded { number, at, row, before, alarm } = self.fold_again(code)?;
        if alarm != before {
            if let Some(t) = before {
                self.alarms.remove(&(t, at));
            }
            if let Some(t) = alarm {
                self.alarms.insert((t, at));
            }
        }
        Some((number, row))
    }

    fn fold_again(&mut self, code: &Code) -> Option<Folded> {
        let slot = self.dossiers.known(code)?;
        slot.touched = false;
        let row = Row::new(Arc::clone(&slot.dossier), &self.home);
        let alarm = row.by_instant.as_ref().and_then(|timeline| next_miss(&slot.dossier.entries, timeline));
        let number = slot.row;
        let at = number.unwrap_or_else(|| {
            self.newest.push_back(Arc::clone(code));
            self.rows += 1;
            self.rows - 1
        });
        slot.row = Some(at);
        let before = std::mem::replace(&mut slot.alarm, alarm);
        Some(Folded { number, at, row, before, alarm })
    }

    /// Forgets the codes of rows that the views have by now, and dossiers that were not touched for long: those of which all
    /// stands before `position` can be found again.
    pub(super) fn forget(&mut self, known: usize, position: u64) {
        while self.rows as usize - self.newest.len() < known && self.newest.pop_front().is_some() {}
        self.dossiers.age(self.next, position);
    }

    fn code_of(&self, row: u32, shared: &Shared) -> Option<Code> {
        let first = self.rows as usize - self.newest.len();
        match (row as usize).checked_sub(first) {
            Some(at) => self.newest.get(at).cloned(),
            None => shared.views().code_of(row),
        }
    }

    fn stage(&mut self, group: &mut Group, proposal: &Proposal, author: &Code) -> Receipt {
        let position = group.position();
        let code = &proposal.statement.dossier;
        let previous = self.dossiers.known(code).and_then(|s| s.dossier.last_position());
        let dossier_version = self.evolve(proposal, position, group.now, &mut group.touched);
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
        Receipt {
            event_id: proposal.statement.event_id,
            position,
            recorded_at: group.now,
            dossier_version,
            duplicate: false,
            flags: proposal.flags,
        }
    }

    fn decide_one(
        &mut self,
        group: &mut Group,
        command: &Command,
        shared: &Shared,
        repeats: Option<(u64, usize)>,
    ) -> Result<Result<Receipt, Rejection>, LogError> {
        let slot = self.dossiers.find(&command.statement.dossier, shared, &mut self.rules)?;
        let dossier = match slot {
            Some(slot) => {
                slot.complete_for(command, shared, &mut self.rules)?;
                Some(&*slot.dossier)
            }
            None => None,
        };
        if let (Some(dossier), Some((before, times))) = (dossier, repeats) {
            let fingerprint = fingerprint(&command.statement);
            let same = dossier.entries.iter().enumerate();
            let said = same.filter(|(_, e)| e.position < before && e.fingerprint == fingerprint).nth(times);
            if let Some((index, entry)) = said {
                return Ok(Ok(receipt_again(index, entry)));
            }
        }
        let decision = match decide(dossier, command, group.now, &self.rules) {
            Ok(decision) => decision,
            Err(rejection) => return Ok(Err(rejection)),
        };
        Ok(match decision {
            Decision::Duplicate(entry) => {
                let index = dossier.and_then(|d| d.entries.iter().position(|e| e.position == entry.position));
                Ok(receipt_again(index.unwrap_or(0), &entry))
            }
            Decision::Log(proposals) => {
                let receipts: Vec<Receipt> = proposals.iter().map(|p| self.stage(group, p, &command.author)).collect();
                // `decide` puts the event itself last, behind the `Late` that it owes.
                receipts.into_iter().last().ok_or(Rejection::EngineEvent)
            }
        })
    }

    /// Decides events in order. What an import says again is a duplicate whatever its id: the ids of a file are made
    /// of ordinals, which shift when the file has grown in its middle, and history must not be told twice for that.
    fn decide_each(&mut self, group: &mut Group, commands: &[Command], shared: &Shared) -> Result<Results, LogError> {
        let before = group.position();
        let mut said: HashMap<(Code, u128), usize> = HashMap::new();
        let mut results = Vec::with_capacity(commands.len());
        for command in commands {
            let repeats = command.imported.then(|| {
                let what = (command.statement.dossier.clone(), fingerprint(&command.statement));
                let times = said.entry(what).or_default();
                *times += 1;
                (before, *times - 1)
            });
            results.push(self.decide_one(group, command, shared, repeats)?);
        }
        Ok(results)
    }

    fn decide_batch(&mut self, group: &mut Group, batch: &Batch, shared: &Shared) -> Result<Results, LogError> {
        if batch.mode == Mode::Each {
            return self.decide_each(group, &batch.commands, shared);
        }
        let mut before: HashMap<&Code, Option<Remembered>> = HashMap::new();
        for code in batch.commands.iter().map(|c| &c.statement.dossier) {
            if !before.contains_key(code) {
                let slot = self.dossiers.find(code, shared, &mut self.rules)?;
                before.insert(code, slot.map(|slot| slot.remember()));
            }
        }
        let staged = group.records.len();
        let results = self.decide_each(group, &batch.commands, shared)?;
        if results.iter().all(Result::is_ok) {
            return Ok(results);
        }
        group.records.truncate(staged);
        for (code, remembered) in before {
            self.dossiers.restore(code, remembered);
        }
        Ok(results.into_iter().map(|r| Err(r.err().unwrap_or(Rejection::BatchRefused))).collect())
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
            let position = group.position();
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
    fn fold(&mut self, group: &mut Group) {
        for code in std::mem::take(&mut group.touched) {
            if let Some(row) = self.refold(&code) {
                group.rows.push(row);
            }
        }
    }

    /// Stages the `Late` of every promise that has passed.
    fn ring(&mut self, group: &mut Group, shared: &Shared) -> Result<(), LogError> {
        let mut written = 0;
        let nobody: Code = Arc::from("");
        while written < GROUP_LATES {
            let Some((t, row)) = self.alarms.first().copied() else { return Ok(()) };
            if t > group.now {
                return Ok(());
            }
            let code = self.code_of(row, shared);
            let slot = match &code {
                Some(code) => self.dossiers.find(code, shared, &mut self.rules)?,
                None => None,
            };
            let Some(slot) = slot else {
                // Every alarm is of a row, so this would be a defect; it must not ring for ever.
                tracing::error!("the alarm of row {row} is of no dossier");
                self.alarms.pop_first();
                continue;
            };
            slot.alarm = Some(t);
            let dossier = Arc::clone(&slot.dossier);
            let lates = overdue(&dossier, group.now, &self.home);
            drop(dossier);
            if lates.is_empty() {
                // Nothing to write: the alarm is set by what the dossier says now.
                group.touched.extend(code);
            }
            for late in &lates {
                self.stage(group, late, &nobody);
            }
            written += lates.len().max(1);
            self.fold(group);
        }
        Ok(())
    }

    /// Milliseconds until the next alarm, by the engine's clock.
    pub(super) fn until_alarm(&self, now: Timestamp) -> Option<i64> {
        self.alarms.first().map(|(t, _)| t.since(now).max(0))
    }

    fn begin(&self, shared: &Shared) -> Group {
        Group::new(shared.clock.now().max(self.last_recorded), self.next)
    }

    /// What the group has come to, `Late` included.
    fn end(&mut self, mut group: Group, shared: &Shared) -> Result<Staged, LogError> {
        self.fold(&mut group);
        self.ring(&mut group, shared)?;
        self.next = group.position();
        if !group.records.is_empty() {
            self.last_recorded = group.now;
        }
        let rules = group.rules.then(|| self.rules());
        Ok(Staged { records: group.records, recorded_at: group.now, rows: group.rows, rules, decided: Vec::new() })
    }

    /// Decides a batch as a group of its own, `Late` included.
    pub(super) fn decide_alone(&mut self, shared: &Shared, batch: &Batch) -> Result<(Staged, Results), LogError> {
        let mut group = self.begin(shared);
        let results = self.decide_batch(&mut group, batch, shared)?;
        Ok((self.end(group, shared)?, results))
    }

    /// Decides a group, `Late` included. A log that cannot be read leaves those who wait to be told why.
    pub(super) fn decide_group(
        &mut self,
        shared: &Shared,
        jobs: Vec<Job>,
    ) -> Result<Staged, (LogError, Vec<(usize, Decided)>)> {
        let mut group = self.begin(shared);
        let mut decided = Vec::with_capacity(jobs.len());
        let mut failed = None;
        for Job { size, work } in jobs {
            decided.push(match work {
                Work::Record(batch, reply) => {
                    let results = match &failed {
                        None => self.decide_batch(&mut group, &batch, shared),
                        Some(_) => Ok(Vec::new()),
                    };
                    (
                        size,
                        Decided::Recorded(
                            results.unwrap_or_else(|e| {
                                failed = Some(e);
                                Vec::new()
                            }),
                            reply,
                        ),
                    )
                }
                Work::Publish(rules, author, reply) => {
                    (size, Decided::Published(self.publish(&mut group, rules, &author), reply))
                }
            });
        }
        let ended = match failed {
            None => self.end(group, shared),
            Some(e) => Err(e),
        };
        match ended {
            Ok(staged) => Ok(Staged { decided, ..staged }),
            Err(e) => Err((e, decided)),
        }
    }
}
