//! What happens to a group once it is decided: it is made durable, its rows are published, and then it is answered.
//!
//! A large group goes to a thread of its own, so that the next is decided meanwhile. Groups are taken in the order in which
//! they were decided; after a failure none is taken any more, since whether the failed one is on disk is unknown.

use super::snapshot::{Keeper, Mark};
use super::writer::Decided;
use super::{Health, Shared};
use crate::log::Records;
use crate::rules::Rulebook;
use crate::time::Timestamp;
use crate::views::{Row, Rows};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A decided group on its way to durability.
pub(super) struct Staged {
    /// The encoded records.
    pub(super) records: Records,
    /// When they are recorded.
    pub(super) recorded_at: Timestamp,
    /// The rows of the dossiers that it touched, with their numbers where they have one.
    pub(super) rows: Vec<(Option<u32>, Row)>,
    /// The rules, if some were published.
    pub(super) rules: Option<Arc<Rulebook>>,
    /// Who waits, and how many places they take in the queue.
    pub(super) decided: Vec<(usize, Decided)>,
}

impl Staged {
    /// Whether there is anything to be made durable, shown or answered.
    pub(super) fn is_something(&self) -> bool {
        !self.records.is_empty() || !self.decided.is_empty() || !self.rows.is_empty()
    }
}

/// Makes groups durable, one after the other.
pub(super) struct Committer {
    register: Rows,
    /// Writes snapshots, where there is a directory.
    keeper: Option<Keeper>,
    /// When the last record was recorded.
    recorded_at: Timestamp,
    /// Why nothing is committed any more.
    failed: Option<String>,
}

impl Committer {
    pub(super) fn new(register: Rows, keeper: Option<Keeper>, recorded_at: Timestamp) -> Committer {
        Committer { register, keeper, recorded_at, failed: None }
    }

    /// Ends with a last snapshot, unless something failed.
    pub(super) fn finish(&mut self, shared: &Shared) {
        let mark = mark(shared, self.recorded_at);
        if let Some(keeper) = self.keeper.as_mut().filter(|_| self.failed.is_none()) {
            keeper.finish(&self.register, mark);
        }
    }

    /// Commits a group and answers everyone in it.
    ///
    /// # Errors
    /// Why it is not durable.
    pub(super) fn commit(&mut self, shared: &Shared, staged: Staged) -> Result<(), String> {
        let Staged { records, recorded_at, rows, rules, decided } = staged;
        if self.failed.is_none() && !records.is_empty() {
            self.recorded_at = recorded_at;
            self.failed = self.append(shared, &records, rows, rules).err();
        }
        for (size, decided) in decided {
            shared.queued.fetch_sub(size, Ordering::AcqRel);
            decided.answer(self.failed.as_deref());
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn append(
        &mut self,
        shared: &Shared,
        records: &Records,
        rows: Vec<(Option<u32>, Row)>,
        rules: Option<Arc<Rulebook>>,
    ) -> Result<(), String> {
        if let Err(e) = shared.log.append(records) {
            let why = e.why();
            // Before the refusals, so that nobody who was refused still finds the engine serving.
            poison(shared, &why);
            return Err(why);
        }
        if let Some(rules) = rules {
            self.register.set_rules(rules);
        }
        let register = &mut self.register;
        let changed: Vec<u32> = rows.iter().map(|(number, row)| shared.put(register, *number, row)).collect();
        let position = shared.log.length();
        self.register.move_on(position);
        shared.margins.note(position, changed.into_iter());
        // From here on whoever asks sees it; the answers come after.
        shared.publish(&self.register);
        shared.announce(position);
        let recorded_at = self.recorded_at;
        if let Some(keeper) = &mut self.keeper {
            keeper.offer(&self.register, || mark(shared, recorded_at));
        }
        Ok(())
    }
}

/// Where the log ends. Only the committer appends, so this is where its register stands.
pub(super) fn mark(shared: &Shared, recorded_at: Timestamp) -> Mark {
    let (position, digest) = shared.log.end();
    Mark { position, digest, recorded_at }
}

/// Accepts no more events, and says why.
pub(super) fn poison(shared: &Shared, why: &str) {
    tracing::error!("no more events are accepted: {why}");
    shared.set_health(Health::NotServing(why.to_owned()));
}
