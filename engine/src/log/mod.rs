//! The log: records as bytes, in one gapless order, durable before they are acknowledged.
//!
//! [`Log`] frames and chains; an [`EventLog`] is where frames live: sled on disk, a map in memory for tests. Neither
//! knows what a record means. Opening reads everything once and checks every checksum, every link of the chain and the
//! head, so that damage is named with its position and is never taken for a shorter log.

mod frame;
mod head;
mod memory;
mod sled;
mod sync;
mod tail;

pub use frame::{Digest, genesis};
pub use head::Head;
pub use memory::MemoryLog;
pub use sled::SledLog;
pub use sync::{calls as sync_calls, sync_directory};

use std::sync::atomic::{AtomicBool, Ordering};

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
    tip: std::sync::Mutex<Tip>,
    tail: tail::Tail,
    /// Whether an append has failed, so that the home may no longer be able to read its own end.
    failed: AtomicBool,
}

impl Log {
    /// Reads the whole log, checks it, hands each record to `visit`, and is ready to append.
    ///
    /// # Errors
    /// [`LogError::Damaged`] with the first position that cannot be trusted, or what `visit` says.
    pub fn open(
        home: Box<dyn EventLog>,
        genesis: Digest,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), LogError>,
    ) -> Result<Log, LogError> {
        let mut walk = Walk::new(home.head_at_open(), genesis);
        let tail = tail::Tail::default();
        for stored in home.frames(0) {
            let (first, bytes) = stored?;
            let records = walk.step(first, &bytes)?;
            for (position, record) in (first..walk.tip.length).zip(&records) {
                visit(position, record)?;
            }
            tail.keep([(first, bytes.as_slice())]);
        }
        walk.end()?;
        let tip = walk.tip;
        Ok(Log { home, tip: std::sync::Mutex::new(tip), tail, failed: AtomicBool::new(false) })
    }

    /// The number of records: the position that the next one gets.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.tip().length
    }

    fn tip(&self) -> std::sync::MutexGuard<'_, Tip> {
        // A tip is replaced whole, after all that can fail; a panic elsewhere cannot leave it half written.
        self.tip.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Appends a group of records, all or none; durable when it returns.
    ///
    /// # Errors
    /// [`LogError::Unavailable`]: whether the group is on disk is unknown; the log must be opened anew.
    pub fn append(&self, records: &[Vec<u8>]) -> Result<u64, LogError> {
        let mut tip = self.tip();
        let first = tip.length;
        let (frames, digest) = frame::pack(first, records, tip.digest)?;
        let stored: Vec<(u64, &[u8])> = frames.iter().map(|f| (f.first, f.bytes.as_slice())).collect();
        self.kept(self.home.append(&stored), stored)?;
        *tip = Tip { length: first + records.len() as u64, digest };
        self.home.write_head(&Head { length: tip.length, digest }, false)?;
        Ok(first)
    }

    /// Appends a group of records, all or none, but durable only with the next [`Log::sync`]: for a log that is being
    /// made and that nobody was promised anything about.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn store(&self, records: &[Vec<u8>]) -> Result<u64, LogError> {
        let mut tip = self.tip();
        let first = tip.length;
        let (frames, digest) = frame::pack(first, records, tip.digest)?;
        let stored: Vec<(u64, &[u8])> = frames.iter().map(|f| (f.first, f.bytes.as_slice())).collect();
        self.kept(self.home.store(&stored), stored)?;
        *tip = Tip { length: first + records.len() as u64, digest };
        Ok(first)
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

    /// The records from `from` on, each with its position.
    pub fn read(&self, from: u64) -> impl Iterator<Item = Result<(u64, Vec<u8>), LogError>> + '_ {
        self.frames(from)
            .flat_map(move |stored| {
                let opened = stored.and_then(|(first, bytes)| {
                    let frame = frame::open(first, &bytes)?;
                    Ok((first..after(first, frame.records.len())?).zip(frame.records))
                });
                match opened {
                    Ok(records) => records.map(Ok).collect(),
                    Err(e) => vec![Err(e)],
                }
            })
            .filter(move |r| r.as_ref().map_or(true, |(position, _)| *position >= from))
    }

    /// The frames from their home; after a failure those at the end, which it may not be able to read, from memory.
    fn frames(&self, from: u64) -> Frames<'_> {
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
        match self.read(position).next() {
            Some(Ok((found, bytes))) if found == position => Ok(bytes),
            Some(Err(e)) => Err(e),
            _ => Err(LogError::Damaged { position, what: "the record is not there".to_owned() }),
        }
    }

    /// Makes the head durable, at a clean stop.
    ///
    /// # Errors
    /// What the disk says.
    pub fn close(&self) -> Result<(), LogError> {
        let tip = *self.tip();
        self.home.write_head(&Head { length: tip.length, digest: tip.digest }, true)
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
                note(&mut findings, e);
                break;
            }
        };
        match walk.step(first, &bytes) {
            Ok(records) => {
                for (position, record) in (first..walk.tip.length).zip(&records) {
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

/// The position after a frame. A key read from disk may be any number.
fn after(first: u64, records: usize) -> Result<u64, LogError> {
    let what = || "positions do not reach that far".to_owned();
    first.checked_add(records as u64).ok_or_else(|| LogError::Damaged { position: first, what: what() })
}

/// The checks that need a frame's neighbours: no gap, the chain, the head.
struct Walk {
    tip: Tip,
    head: Head,
    head_seen: bool,
}

impl Walk {
    fn new(head: Head, genesis: Digest) -> Walk {
        let mut walk = Walk { tip: Tip { length: 0, digest: genesis }, head, head_seen: false };
        walk.look_for_head();
        walk
    }

    fn look_for_head(&mut self) {
        self.head_seen |= self.tip == Tip { length: self.head.length, digest: self.head.digest };
    }

    fn step(&mut self, first: u64, bytes: &[u8]) -> Result<Vec<Vec<u8>>, LogError> {
        if first != self.tip.length {
            let what = format!("expected the record at {}, found the one at {first}", self.tip.length);
            return Err(LogError::Damaged { position: self.tip.length.min(first), what });
        }
        let opened = frame::open(first, bytes)?;
        let length = after(first, opened.records.len())?;
        if opened.previous != self.tip.digest {
            let what = "the frame does not follow the one before it: one of them was replaced, or the log is another's";
            return Err(LogError::Damaged { position: first, what: what.to_owned() });
        }
        self.tip = Tip { length, digest: opened.digest };
        self.look_for_head();
        Ok(opened.records)
    }

    /// Goes on behind a damaged frame, as well as that can be done.
    fn resume_after(&mut self, first: u64, bytes: &[u8]) {
        let opened = frame::open(first, bytes);
        let opened = opened.and_then(|opened| Ok((after(first, opened.records.len())?, opened.digest)));
        if let Ok((length, digest)) = opened {
            self.tip = Tip { length, digest };
            self.look_for_head();
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
