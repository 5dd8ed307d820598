//! The head file: how long the log was, and its last digest, kept apart from the log itself.
//!
//! A store that lost its end looks like a shorter store. The head remembers, so that a shorter log is named damaged.
//! Two slots in blocks of their own are written in turn, so that a write torn by a power cut leaves the other.
//! A head may lag behind the log (it is written after the group, and synced about once a second): a longer log is
//! normal, a shorter one or one with another digest is not.

use super::Digest;
use super::LogError;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

const MAGIC: [u8; 8] = *b"dunghen1";
const SLOT: usize = 4096;
const USED: usize = 60;
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What the head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of records.
    pub length: u64,
    /// The digest of the last frame.
    pub digest: Digest,
}

/// The open head file.
#[derive(Debug)]
pub(super) struct HeadFile {
    file: File,
    turn: u64,
    synced: Instant,
}

fn encode(turn: u64, head: &Head) -> [u8; USED] {
    let mut slot = [0; USED];
    slot[..8].copy_from_slice(&MAGIC);
    slot[8..16].copy_from_slice(&turn.to_le_bytes());
    slot[16..24].copy_from_slice(&head.length.to_le_bytes());
    slot[24..56].copy_from_slice(&head.digest);
    let crc = crc32fast::hash(&slot[..56]);
    slot[56..].copy_from_slice(&crc.to_le_bytes());
    slot
}

fn decode(slot: &[u8]) -> Option<(u64, Head)> {
    let slot = slot.get(..USED)?;
    let number = |at: usize| slot[at..at + 8].try_into().map(u64::from_le_bytes).ok();
    if slot[..8] != MAGIC || slot[56..] != crc32fast::hash(&slot[..56]).to_le_bytes() {
        return None;
    }
    let digest = slot[24..56].try_into().ok()?;
    Some((number(8)?, Head { length: number(16)?, digest }))
}

/// Reads the newest valid slot, with its turn.
pub(super) fn read(path: &Path) -> Result<(u64, Head), LogError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let what = "the head file is missing, so nobody can tell whether the end of the log is";
            return Err(LogError::Damaged { position: 0, what: what.to_owned() });
        }
        Err(e) => return Err(LogError::Unavailable(format!("{}: {e}", path.display()))),
    };
    let slots = [bytes.get(..USED), bytes.get(SLOT..SLOT + USED)];
    slots.into_iter().flatten().filter_map(decode).max_by_key(|(turn, _)| *turn).ok_or_else(|| LogError::Damaged {
        position: 0,
        what: "the head file cannot be read, so nobody can tell whether the end of the log is missing".to_owned(),
    })
}

/// Whether the head never knew of a record: it is missing, was not yet written, or says so.
pub(super) fn is_fresh(path: &Path) -> bool {
    match read(path) {
        Ok((_, head)) => head.length == 0,
        Err(_) => std::fs::read(path).map_or(!path.exists(), |bytes| bytes.iter().all(|b| *b == 0)),
    }
}

#[allow(clippy::disallowed_methods, reason = "paces syncs of the head; no figure and no record depends on it")]
fn now() -> Instant {
    Instant::now()
}

impl HeadFile {
    pub(super) fn create(path: &Path, head: &Head) -> std::io::Result<()> {
        let file = File::create(path)?;
        file.set_len(2 * SLOT as u64)?;
        file.write_all_at(&encode(0, head), 0)?;
        file.sync_all()
    }

    pub(super) fn open(path: &Path) -> Result<(HeadFile, Head), LogError> {
        let (turn, head) = read(path)?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok((HeadFile { file, turn, synced: now() }, head))
    }

    /// Writes the next slot; syncs if the last sync is long enough ago or `always`.
    pub(super) fn write(&mut self, head: &Head, always: bool) -> std::io::Result<()> {
        self.turn += 1;
        self.file.write_all_at(&encode(self.turn, head), (self.turn % 2) * SLOT as u64)?;
        if always || self.synced.elapsed() >= SYNC_EVERY {
            self.file.sync_data()?;
            self.synced = now();
        }
        Ok(())
    }
}
