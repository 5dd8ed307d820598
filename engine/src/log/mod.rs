//! The log: records as bytes, in one gapless order, durable before they are acknowledged.
//!
//! [`Log`] frames and chains; an [`EventLog`] is where frames live: sled and sealed files on disk, a map in memory for
//! tests. Neither knows what a record means. Opening reads everything once and checks every checksum, every link of the chain and the
//! head, so that damage is named with its position and is never taken for a shorter log.

mod frame;
mod generation;
mod head;
mod inspected;
mod journal;
mod memory;
mod records;
mod sealed;
mod sled;
mod sync;
mod tail;

use frame::Packed;
pub use frame::{Digest, genesis};
pub use head::Head;
pub use inspected::Inspected;
pub use memory::MemoryLog;
pub use records::{Held, Records};
pub use sled::{Roll, SledLog};
pub use sync::{calls as sync_calls, sync_directory};

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why the log cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// What lies on disk is not what was written.
    #[error("LOG_DAMAGED at position {position}: {what}")]
    Damaged {
        /// The first position that cannot be trusted.
        position: u64,
        /// What was found.
        what: String,
    },
    /// The disk does not answer as it should.
    #[error("LOG_UNAVAILABLE: {0}")]
    Unavailable(String),
}

impl LogError {
    /// Why nothing more is accepted, for whoever says beside it that the log is unavailable: damage names itself and its
    /// position.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            LogError::Damaged { .. } => self.to_string(),
            LogError::Unavailable(what) => what.clone(),
        }
    }
}

impl From<std::io::Error> for LogError {
    fn from(e: std::io::Error) -> LogError {
        LogError::Unavailable(e.to_string())
    }
}

/// The stored frames from some position on, in order.
pub type Frames<'a> = Box<dyn Iterator<Item = Result<(u64, Vec<u8>), LogError>> + Send + 'a>;

/// A home for frames. It stores bytes under the position of their first record and understands neither.
pub trait EventLog: Send + Sync {
    /// Stores frames all or none; when this returns, they survive a power cut.
    ///
    /// # Errors
    /// [`LogError::Unavailable`]: the outcome is unknown, and nothing more may be appended before a new open.
    fn append(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError>;

    /// Stores frames all or none, in order, but perhaps not durably before the next [`EventLog::sync`].
    ///
    /// # Errors
    /// As [`EventLog::append`].
    fn store(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        self.append(frames)
    }

    /// Makes all that was stored survive a power cut.
    ///
    /// # Errors
    /// As [`EventLog::append`].
    fn sync(&self) -> Result<(), LogError> {
        Ok(())
    }

    /// The frame that holds `from` (or begins after it), and all that follow.
    fn frames(&self, from: u64) -> Frames<'_>;

    /// What the head said at opening.
    fn head_at_open(&self) -> Head;

    /// Notes how long the log is; `sync` makes that durable at once.
    ///
    /// # Errors
    /// What the disk says.
    fn write_head(&self, head: &Head, sync: bool) -> Result<(), LogError>;
}

impl<T: EventLog + ?Sized> EventLog for std::sync::Arc<T> {
    fn append(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        (**self).append(frames)
    }
    fn store(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        (**self).store(frames)
    }
    fn sync(&self) -> Result<(), LogError> {
        (**self).sync()
    }
    fn frames(&self, from: u64) -> Frames<'_> {
        (**self).frames(from)
    }
    fn head_at_open(&self) -> Head {
        (**self).head_at_open()
    }
    fn write_head(&self, head: &Head, sync: bool) -> Result<(), LogError> {
        (**self).write_head(head, sync)
    }
}

/// Something wrong that a walk over the log came across.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub position: u64,
    /// What.
    pub what: String,
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tip {
    length: u64,
    digest: Digest,
}

/// The log of one data directory.
pub struct Log {
    home: Box<dyn EventLog>,
    genesis: Digest,
    /// The end of what is durable.
    tip: Mutex<Tip>,
    packing: Mutex<Packing>,
    tail: tail::Tail,
    /// Whether an append has failed, so that the home may no longer be able to read its own end.
    failed: AtomicBool,
}

/// What packs, and the end of what it packed.
struct Packing {
    packer: frame::Packer,
    tip: Tip,
}

impl Packing {
    fn pack(&mut self, records: &Records) -> Result<Packed, LogError> {
        let packed = self.packer.pack(records, self.tip)?;
        self.tip = packed.tip;
        Ok(packed)
    }
}

impl Log {
    /// Reads the whole log, checks it, hands each record to `visit`, and is ready to append.
    ///
    /// # Errors
    /// [`LogError::Damaged`] with the first position that cannot be trusted, or what `visit` says.
    pub fn open(
        home: Box<dyn EventLog>,
        genesis: Digest,
        visit: impl FnMut(u64, &[u8]) -> Result<(), LogError>,
    ) -> Result<Log, LogError> {
        let log = Log::unread(home, genesis)?;
        log.walk(visit)?;
        Ok(log)
    }

    /// A log of which nothing was read yet: before anything is appended it must be walked.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] if there is no memory to pack in.
    pub fn unread(home: Box<dyn EventLog>, genesis: Digest) -> Result<Log, LogError> {
        let tip = Tip { length: 0, digest: genesis };
        let packing = Packing { packer: frame::Packer::new()?, tip };
        let (tip, packing) = (Mutex::new(tip), Mutex::new(packing));
        Ok(Log { home, genesis, tip, packing, tail: tail::Tail::default(), failed: AtomicBool::new(false) })
    }

    /// What is packed next follows this.
    fn go_on_at(&self, tip: Tip) {
        self.packing().tip = tip;
        *self.tip() = tip;
    }

    /// Lets [`Log::walk`] begin at `position`, if the frame before it ends there with this digest and the head knows of it.
    /// What stands before is then not read: [`Log::check`] does that.
    ///
    /// # Errors
    /// What the disk says. A log that is not so is none: it is then to be read from its beginning.
    pub fn begin_at(&self, position: u64, digest: Digest) -> Result<bool, LogError> {
        let Some(last) = position.checked_sub(1).filter(|_| self.home.head_at_open().length >= position) else {
            return Ok(false);
        };
        let Some(Ok((first, bytes))) = self.home.frames(last).next() else { return Ok(false) };
        let Ok(frame) = frame::open(first, &bytes) else { return Ok(false) };
        let tip = Tip { length: position, digest };
        let fits = frame::digest(first, &bytes) == digest && frame.records.after() == position;
        if fits {
            self.go_on_at(tip);
        }
        Ok(fits)
    }

    /// Lets [`Log::walk`] begin at the beginning after all.
    pub fn begin_anew(&self) {
        self.go_on_at(Tip { length: 0, digest: self.genesis });
    }

    /// Reads what stands before `position`, and checks that it is one chain from the log's identity to the frame that ends
    /// there with this digest. Stops early if `stop` says so.
    ///
    /// # Errors
    /// [`LogError::Damaged`] with the first position that cannot be trusted.
    pub fn check(&self, position: u64, digest: Digest, stop: impl Fn() -> bool) -> Result<(), LogError> {
        let mut walk = Walk::new(self.home.head_at_open(), self.genesis);
        for stored in self.home.frames(0) {
            if walk.tip.length >= position || stop() {
                break;
            }
            let (first, bytes) = stored?;
            walk.step(first, &bytes)?;
        }
        if stop() || walk.tip == (Tip { length: position, digest }) {
            return Ok(());
        }
        let what = "the log up to here is not the one that was folded".to_owned();
        Err(LogError::Damaged { position: walk.tip.length.min(position), what })
    }

    /// How many records there are, and the digest of the last frame.
    #[must_use]
    pub fn end(&self) -> (u64, Digest) {
        let tip = *self.tip();
        (tip.length, tip.digest)
    }

    /// Reads what was not read yet, checks it and hands each record to `visit`, which may read others meanwhile.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn walk(&self, mut visit: impl FnMut(u64, &[u8]) -> Result<(), LogError>) -> Result<(), LogError> {
        let mut walk = Walk::from(self.home.head_at_open(), *self.tip());
        let begun = walk.tip.length;
        for stored in self.home.frames(begun) {
            let (first, bytes) = stored?;
            if first < begun {
                // The frame before, behind which nothing stands yet.
                continue;
            }
            for (position, record) in walk.step(first, &bytes)?.iter() {
                visit(position, record)?;
            }
            self.tail.keep([(first, bytes.as_slice())]);
        }
        walk.end()?;
        self.go_on_at(walk.tip);
        Ok(())
    }

    /// The number of records: the position that the next one gets.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.tip().length
    }

    fn tip(&self) -> MutexGuard<'_, Tip> {
        // A tip is replaced whole, after all that can fail; a panic elsewhere cannot leave it half written.
        self.tip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn packing(&self) -> MutexGuard<'_, Packing> {
        // Its tip is replaced last, and a packer that was stopped half-way keeps nothing of the group.
        self.packing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a group, all or none, where the one packed before it ends; durable when it returns. Returns the position of
    /// its first record.
    ///
    /// # Errors
    /// [`LogError::Unavailable`]: whether the group is on disk is unknown; the log must be opened anew.
    fn commit(&self, packed: &Packed) -> Result<u64, LogError> {
        let first = self.put(packed, |frames| self.home.append(frames))?;
        self.home.write_head(&Head { length: packed.tip.length, digest: packed.tip.digest }, false)?;
        Ok(first)
    }

    fn put(
        &self,
        packed: &Packed,
        store: impl FnOnce(&[(u64, &[u8])]) -> Result<(), LogError>,
    ) -> Result<u64, LogError> {
        let mut tip = self.tip();
        if packed.before != *tip {
            return Err(LogError::Unavailable("a group that was packed before this one was not stored".to_owned()));
        }
        let frames = packed.frames();
        self.kept(store(&frames), frames)?;
        *tip = packed.tip;
        Ok(packed.before.length)
    }

    /// Appends a group of records, all or none; durable when it returns. Returns the position of its first record.
    ///
    /// # Errors
    /// [`LogError::Unavailable`]: whether the group is on disk is unknown; the log must be opened anew.
    pub fn append(&self, records: &Records) -> Result<u64, LogError> {
        let mut packing = self.packing();
        self.commit(&packing.pack(records)?)
    }

    /// Appends a group of records, all or none, but durable only with the next [`Log::sync`]: for a log that is being
    /// made and that nobody was promised anything about.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn store(&self, records: &Records) -> Result<u64, LogError> {
        let mut packing = self.packing();
        self.put(&packing.pack(records)?, |frames| self.home.store(frames))
    }

    /// Keeps the end of the log in memory, or notes that its home has failed.
    fn kept(&self, outcome: Result<(), LogError>, stored: Vec<(u64, &[u8])>) -> Result<(), LogError> {
        match outcome {
            Ok(()) => self.tail.keep(stored),
            Err(_) => self.failed.store(true, Ordering::Release),
        }
        outcome
    }

    /// Makes everything appended durable, and then the head, which must never know more than the log holds.
    ///
    /// # Errors
    /// What the disk says.
    pub fn sync(&self) -> Result<(), LogError> {
        let tip = *self.tip();
        self.home.sync()?;
        self.home.write_head(&Head { length: tip.length, digest: tip.digest }, true)
    }

    /// The frame that holds `from` (or begins after it) and all that follow, each checked on its own: the chain was
    /// checked at opening.
    pub fn frames(&self, from: u64) -> impl Iterator<Item = Result<Held, LogError>> + Send + '_ {
        self.stored(from).map(|stored| {
            let (first, bytes) = stored?;
            Ok(frame::open(first, &bytes)?.records)
        })
    }

    /// The records from `from` on, each with its position. Whoever needs no copy of each takes [`Log::frames`].
    pub fn read(&self, from: u64) -> impl Iterator<Item = Result<(u64, Vec<u8>), LogError>> + Send + '_ {
        self.frames(from).flat_map(move |held| match held {
            Ok(held) => {
                let wanted = held.iter().filter(|(position, _)| *position >= from);
                wanted.map(|(position, record)| Ok((position, record.to_vec()))).collect()
            }
            Err(e) => vec![Err(e)],
        })
    }

    /// The frames from their home; after a failure those at the end, which it may not be able to read, from memory.
    fn stored(&self, from: u64) -> Frames<'_> {
        if self.failed.load(Ordering::Acquire) {
            self.tail.behind(from, |from| self.home.frames(from))
        } else {
            self.home.frames(from)
        }
    }

    /// One record.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if it cannot be read, or is not there.
    pub fn get(&self, position: u64) -> Result<Vec<u8>, LogError> {
        let held = self.frames(position).next().transpose()?;
        let found = held.as_ref().and_then(|held| held.iter().find(|(found, _)| *found == position));
        let found = found.map(|(_, record)| record.to_vec());
        found.ok_or_else(|| LogError::Damaged { position, what: "the record is not there".to_owned() })
    }

    /// Leaves nothing to be caught up with, at a clean stop.
    ///
    /// # Errors
    /// What the disk says.
    pub fn close(&self) -> Result<(), LogError> {
        self.sync()
    }
}

/// Walks over a whole log and notes everything wrong instead of stopping at the first.
///
/// Hands each record that can be read to `visit`, which may add findings of its own.
pub fn inspect(
    home: &dyn EventLog,
    genesis: Digest,
    mut visit: impl FnMut(u64, &[u8], &mut Vec<Finding>),
) -> (u64, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut walk = Walk::new(home.head_at_open(), genesis);
    let note = |findings: &mut Vec<Finding>, e: LogError| {
        findings.push(match e {
            LogError::Damaged { position, what } => Finding { position, what },
            LogError::Unavailable(what) => Finding { position: u64::MAX, what },
        });
    };
    for stored in home.frames(0) {
        let (first, bytes) = match stored {
            Ok(stored) => stored,
            Err(e) => {
                // A home that can read nothing behind it ends by itself.
                note(&mut findings, e);
                continue;
            }
        };
        match walk.step(first, &bytes) {
            Ok(records) => {
                for (position, record) in records.iter() {
                    visit(position, record, &mut findings);
                }
            }
            Err(e) => {
                note(&mut findings, e);
                walk.resume_after(first, &bytes);
            }
        }
    }
    if let Err(e) = walk.end() {
        note(&mut findings, e);
    }
    for finding in &mut findings {
        finding.position = finding.position.min(walk.tip.length);
    }
    (walk.tip.length, findings)
}

/// The checks that need a frame's neighbours: no gap, the chain, the head.
struct Walk {
    tip: Tip,
    head: Head,
    head_seen: bool,
}

impl Walk {
    fn new(head: Head, genesis: Digest) -> Walk {
        Walk::from(head, Tip { length: 0, digest: genesis })
    }

    fn from(head: Head, tip: Tip) -> Walk {
        let mut walk = Walk { tip, head, head_seen: false };
        walk.look_for_head();
        walk
    }

    fn look_for_head(&mut self) {
        self.head_seen |= self.tip == Tip { length: self.head.length, digest: self.head.digest };
    }

    fn step(&mut self, first: u64, bytes: &[u8]) -> Result<Held, LogError> {
        if first != self.tip.length {
            let what = format!("expected the record at {}, found the one at {first}", self.tip.length);
            return Err(LogError::Damaged { position: self.tip.length.min(first), what });
        }
        let opened = frame::open(first, bytes)?;
        if opened.previous != self.tip.digest {
            let what = "the frame does not follow the one before it: one of them was replaced, or the log is another's";
            return Err(LogError::Damaged { position: first, what: what.to_owned() });
        }
        self.follow(&opened.records, bytes);
        Ok(opened.records)
    }

    fn follow(&mut self, records: &Held, bytes: &[u8]) {
        self.tip = Tip { length: records.after(), digest: frame::digest(records.first(), bytes) };
        self.look_for_head();
    }

    /// Goes on behind a damaged frame, as well as that can be done.
    fn resume_after(&mut self, first: u64, bytes: &[u8]) {
        if let Ok(opened) = frame::open(first, bytes) {
            self.follow(&opened.records, bytes);
        }
    }

    fn end(&self) -> Result<(), LogError> {
        let (length, noted) = (self.tip.length, self.head.length);
        if self.head_seen {
            return Ok(());
        }
        let what = if length < noted {
            format!("the log ends at {length} records, the head knows of {noted}: the rest is lost")
        } else {
            format!("the digest that the head noted at {noted} records is not the log's")
        };
        Err(LogError::Damaged { position: length.min(noted), what })
    }
}
