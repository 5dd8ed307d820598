//! Who holds the writer, and when: a thread for all that waits in the queue, or a caller who finds nobody else waiting.
//!
//! Whoever records alone would lose more time by two changes of threads than by deciding, so it takes its *turn* on its
//! own thread. Those who come meanwhile wait in the queue; the thread takes all of them as one group when the turn is
//! over, and while others come nobody takes turns: one sync for many is worth more. What is decided, and what makes it
//! durable, is the same on both ways.

use super::commit::{Committer, Staged, poison};
use super::writer::{Decided, Job, Results, Work, Writer};
use super::{Batch, Receipt, Refused, Shared, fits};
use crate::clock::Guard;
use crate::dossier::Rejection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// How many events are taken into one group, batches whole.
const GROUP_EVENTS: usize = 4096;
/// How many events may wait that are not worth deciding while a group becomes durable.
const FEW: usize = 256;
/// How long the thread sleeps at most before it looks at the clock: `Late` is to be written within a second.
const NAP: Duration = Duration::from_millis(200);
/// How long at most while callers take turns: the disk may stall with one of them, and bystanders want to know.
const GLANCE: Duration = Duration::from_millis(20);
/// How many times in a row nobody must have come while another recorded before turns are taken: of few who record all
/// the time one would else go ahead alone, and cost the others a sync.
const ALONE: u32 = 8;
/// What is said after a panic.
const DEFECT: &str = "the writer stopped with a defect; restart";

/// What decides.
struct Deciding {
    writer: Writer,
    guard: Guard,
    /// How many times in a row nobody came while the one before was recorded.
    alone: u32,
}

impl Deciding {
    /// Counts a group, whose caller was alone or not.
    fn count(&mut self, alone: bool) {
        self.alone = if alone { self.alone.saturating_add(1) } else { 0 };
    }

    /// Why nothing more may be decided, after telling everybody.
    fn prevented(&mut self, shared: &Shared) -> Option<String> {
        if let Some(why) = shared.failed() {
            return Some(why);
        }
        let jump = self.guard.jump(&*shared.clock)?;
        let why = format!(
            "the clock jumped by {} s against the time that really passed; set it right and restart the server",
            jump / 1000
        );
        poison(shared, &why);
        Some(why)
    }
}

/// All it takes to record, for one at a time. A panic leaves the locks poisoned: what it left half done is used no
/// more.
pub(super) struct Turns {
    /// Nothing when the engine is closed.
    deciding: Mutex<Option<Deciding>>,
    committer: Mutex<Committer>,
    /// How many groups are on their way to the thread that makes them durable, or with it. Only who decides adds to it.
    under_way: AtomicUsize,
    /// How many turns were taken by callers.
    taken: AtomicUsize,
}

impl Turns {
    pub(super) fn new(writer: Writer, guard: Guard, committer: Committer) -> Turns {
        Turns {
            deciding: Mutex::new(Some(Deciding { writer, guard, alone: ALONE })),
            committer: Mutex::new(committer),
            under_way: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        }
    }

    /// The turn of a caller, if nobody else has it or waits for it. All that was queued before is then answered.
    pub(super) fn take<'a>(&'a self, shared: &'a Shared) -> Option<Turn<'a>> {
        // One place in the queue, whatever is recorded: those who come now see that they are not alone.
        let place = Place::first(shared)?;
        let deciding = self.deciding.try_lock().ok()?;
        let free = deciding.as_ref().is_some_and(|d| d.alone >= ALONE) && self.under_way.load(Ordering::Acquire) == 0;
        if !free {
            return None;
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        Some(Turn { turns: self, shared, deciding, _place: place })
    }

    fn committer(&self) -> MutexGuard<'_, Committer> {
        // Whoever panics with it has the turn as well, or is the thread that then takes no more groups.
        self.committer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The only place that is taken in the queue.
struct Place<'a>(&'a AtomicUsize);

impl Place<'_> {
    fn first(shared: &Shared) -> Option<Place<'_>> {
        let taken = shared.queued.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
        taken.is_ok().then(|| Place(&shared.queued))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Being the writer for one batch, on the caller's own thread. Nobody else records while it lives.
pub struct Turn<'a> {
    turns: &'a Turns,
    shared: &'a Shared,
    deciding: MutexGuard<'a, Option<Deciding>>,
    _place: Place<'a>,
}

impl Turn<'_> {
    /// Records a batch; it is durable when this returns, which takes as long as the disk does.
    ///
    /// # Errors
    /// [`Refused`] if there is no answer to the events.
    pub fn record(self, batch: &Batch) -> Result<Vec<Result<Receipt, Rejection>>, Refused> {
        fits(batch)?;
        let shared = self.shared;
        // The locks are held within, so that a panic poisons them.
        catch_unwind(AssertUnwindSafe(move || self.decide(batch)))
            .unwrap_or_else(|_| {
                poison(shared, DEFECT);
                Err(DEFECT.to_owned())
            })
            .map_err(Refused::Unavailable)
    }

    fn decide(mut self, batch: &Batch) -> Result<Results, String> {
        let (turns, shared) = (self.turns, self.shared);
        let Some(deciding) = self.deciding.as_mut() else { return Err("the engine is stopping".to_owned()) };
        if let Some(why) = deciding.prevented(shared) {
            return Err(why);
        }
        let writer = &mut deciding.writer;
        let (staged, results) = writer.decide_alone(shared, batch).map_err(|e| {
            let why = e.why();
            poison(shared, &why);
            why
        })?;
        if staged.is_something() {
            turns.committer().commit(shared, staged)?;
        }
        writer.forget(shared.rows(), shared.position());
        // Its own place is taken still.
        deciding.count(shared.queued.load(Ordering::Acquire) <= 1);
        Ok(results)
    }
}

/// The way to the thread that makes large groups durable, one at a time.
struct Passage<'s> {
    shared: &'s Shared,
    turns: &'s Turns,
    groups: SyncSender<Staged>,
}

impl Passage<'_> {
    /// Passes a group on. Where hardly anybody else waits and the thread is idle the group is committed at once:
    /// deciding few events meanwhile saves less than it costs to wake the thread, and those who come gather to a larger
    /// group.
    fn pass(&self, staged: Staged) {
        let here: usize = staged.decided.iter().map(|(size, _)| size).sum();
        let few = self.shared.queued.load(Ordering::Acquire) <= here + FEW;
        if few && self.turns.under_way.load(Ordering::Acquire) == 0 {
            // Everyone in it was told, and what follows finds the engine failed.
            let _ = self.turns.committer().commit(self.shared, staged);
            return;
        }
        self.turns.under_way.fetch_add(1, Ordering::AcqRel);
        if let Err(e) = self.groups.send(staged) {
            let why = "the thread that makes groups durable stopped with a defect; restart";
            poison(self.shared, why);
            answer(self.shared, e.0.decided, why);
        }
    }
}

/// The thread of the queue: runs until that is closed and empty, and then takes away what it takes to record.
pub(super) fn run(turns: &Turns, shared: &Shared, queue: &Receiver<Job>) {
    // No group waits between the two: while one is made durable the next is decided, and those behind it gather.
    let (groups, waiting) = sync_channel::<Staged>(0);
    std::thread::scope(|scope| {
        let commit = move || {
            while let Ok(staged) = waiting.recv() {
                // As in `pass`.
                let _ = turns.committer().commit(shared, staged);
                turns.under_way.fetch_sub(1, Ordering::AcqRel);
            }
        };
        let thread = std::thread::Builder::new().name("dunghen-log".to_owned());
        match thread.spawn_scoped(scope, commit) {
            Ok(_) => decide_all(&Passage { shared, turns, groups }, queue),
            Err(e) => {
                let why = format!("the thread that makes groups durable cannot be started: {e}");
                poison(shared, &why);
                drain(shared, queue, &why);
            }
        }
    });
    // A turn that was still taken is over when the lock is had.
    if let Ok(mut deciding) = turns.deciding.lock() {
        *deciding = None;
        turns.committer().finish(shared);
    }
}

fn decide_all(passage: &Passage<'_>, queue: &Receiver<Job>) {
    let (shared, turns) = (passage.shared, passage.turns);
    let mut nap = Duration::ZERO;
    let mut seen = 0;
    loop {
        let mut jobs = Vec::new();
        let mut closed = false;
        match queue.recv_timeout(nap) {
            Ok(job) => jobs.push(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => closed = true,
        }
        let held = match turns.deciding.try_lock() {
            Err(TryLockError::WouldBlock) => {
                shared.tell_bystanders();
                if jobs.is_empty() && !closed {
                    // Whoever has the turn looks at the alarms, too.
                    nap = GLANCE;
                    continue;
                }
                turns.deciding.lock().ok()
            }
            Err(TryLockError::Poisoned(_)) => None,
            Ok(deciding) => Some(deciding),
        };
        let Some(mut held) = held else {
            refuse(shared, jobs, DEFECT);
            return drain(shared, queue, DEFECT);
        };
        // Only this thread takes it away.
        let Some(deciding) = held.as_mut() else { return };
        // Not before: while another had the turn, more have come.
        let mut size: usize = jobs.iter().map(|j| j.size).sum();
        while size < GROUP_EVENTS {
            let Ok(job) = queue.try_recv() else { break };
            size += job.size;
            jobs.push(job);
        }
        if let Some(why) = deciding.prevented(shared) {
            refuse(shared, jobs, &why);
            drop(held);
            return drain(shared, queue, &why);
        }
        let several = jobs.len() > 1;
        let writer = &mut deciding.writer;
        loop {
            match writer.decide_group(shared, std::mem::take(&mut jobs)) {
                Ok(staged) => {
                    if staged.is_something() {
                        passage.pass(staged);
                    }
                }
                Err((e, decided)) => {
                    let why = e.why();
                    poison(shared, &why);
                    answer(shared, decided, &why);
                    drop(held);
                    return drain(shared, queue, &why);
                }
            }
            writer.forget(shared.rows(), shared.position());
            // A clean stop leaves no promise that has passed without its `Late`.
            if !closed || shared.failed().is_some() || writer.until_alarm(shared.clock.now()) != Some(0) {
                break;
            }
        }
        let alarm = writer.until_alarm(shared.clock.now()).map_or(NAP, |ms| Duration::from_millis(ms.unsigned_abs()));
        deciding.count(!several && shared.queued.load(Ordering::Acquire) == 0);
        let taken = turns.taken.load(Ordering::Relaxed);
        nap = alarm.min(if taken == seen { NAP } else { GLANCE });
        seen = taken;
        drop(held);
        if let Some(why) = shared.failed() {
            return drain(shared, queue, &why);
        }
        if closed {
            return;
        }
    }
}

/// Tells those whose group cannot be made durable.
fn answer(shared: &Shared, decided: Vec<(usize, Decided)>, why: &str) {
    for (size, decided) in decided {
        shared.queued.fetch_sub(size, Ordering::AcqRel);
        decided.answer(Some(why));
    }
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
