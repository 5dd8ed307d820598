//! A log in memory, for tests: same contract as the one on disk, and open to tampering.

use super::{Digest, EventLog, Frames, Head, LogError};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Frames in a map. Cloning the `Arc` around it and opening again is a restart.
#[derive(Debug)]
pub struct MemoryLog {
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    frames: BTreeMap<u64, Vec<u8>>,
    head: Head,
    fail: bool,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new(genesis: Digest) -> MemoryLog {
        let head = Head { length: 0, digest: genesis };
        MemoryLog { held: Mutex::new(Held { frames: BTreeMap::new(), head, fail: false }) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the stored frames behind the log's back.
    pub fn tamper(&self, change: impl FnOnce(&mut BTreeMap<u64, Vec<u8>>)) {
        change(&mut self.held().frames);
    }

    /// Makes every append from now on fail (or succeed again), as a disk does.
    pub fn fail(&self, fail: bool) {
        self.held().fail = fail;
    }
}

impl EventLog for MemoryLog {
    fn append(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        let mut held = self.held();
        if held.fail {
            return Err(LogError::Unavailable("told to fail".to_owned()));
        }
        held.frames.extend(frames.iter().map(|(first, bytes)| (*first, bytes.to_vec())));
        Ok(())
    }

    fn frames(&self, from: u64) -> Frames<'_> {
        let mut next = Some(self.held().frames.range(..=from).next_back().map_or(from, |(first, _)| *first));
        Box::new(std::iter::from_fn(move || {
            let held = self.held();
            let (first, bytes) = held.frames.range(next?..).next()?;
            next = first.checked_add(1);
            Some(Ok((*first, bytes.clone())))
        }))
    }

    fn head_at_open(&self) -> Head {
        self.held().head
    }

    fn write_head(&self, head: &Head, _sync: bool) -> Result<(), LogError> {
        self.held().head = *head;
        Ok(())
    }
}
