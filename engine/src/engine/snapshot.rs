//! Snapshots: the views as of some position, kept beside the log, so that start-up replays only what came after.
//!
//! ```text
//! DIR/derived/views                      what there is: position, digest of the log there, keys, rules, segments
//! DIR/derived/rows-000042-0000123456     a segment of 73,728 rows, as of that position
//! ```
//!
//! Nothing here is truth: whatever is missing, old, damaged or of another program is passed over, and the log is replayed
//! from its beginning. A segment is written again only if a row of it changed or was put in order; `views` is written last, synced and renamed, and
//! names every file with its checksum, so that a snapshot is there whole or not at all. It says nothing that the log does
//! not hold: the head is made durable before it. All integers are little-endian.

use crate::cores;
use crate::log::{Digest, LogError, sync_directory};
use crate::rules::Rulebook;
use crate::time::{Timestamp, Zone};
use crate::views::{Rows, StoredSegment, Views};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

const MAGIC: [u8; 8] = *b"dunghenv";
const VERSION: u32 = 1;
/// What the sources that fold are made of: views that others folded are not trusted.
const FOLDED_BY: &[u8; 32] = include_bytes!(concat!(env!("OUT_DIR"), "/folded_by"));
const FOLDER: &str = "derived";
const NAME: &str = "views";

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// How many records stand before it.
    pub(super) position: u64,
    /// The digest of the frame before it.
    pub(super) digest: Digest,
    /// When the record before it was recorded.
    pub(super) recorded_at: Timestamp,
}

/// A segment as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    /// The position as of which it was written, which is in its name.
    as_of: u64,
    length: u64,
    crc: u32,
}

/// The snapshots of one data directory.
#[derive(Debug)]
pub(super) struct Snapshots {
    folder: PathBuf,
    genesis: Digest,
    /// The position of the newest.
    position: u64,
    segments: Vec<Stored>,
}

/// A snapshot as it was found.
pub(super) struct Found {
    pub(super) mark: Mark,
    /// Where the rules stand in the log that were published by then.
    pub(super) rules: Vec<u64>,
    keys: Vec<u8>,
    segments: Vec<Stored>,
}

fn file_of(folder: &Path, segment: usize, as_of: u64) -> PathBuf {
    folder.join(format!("rows-{segment:06}-{as_of:010}"))
}

impl Snapshots {
    /// Of the data directory at `path`, none yet.
    pub(super) fn new(path: &Path, genesis: Digest) -> Snapshots {
        Snapshots { folder: path.join(FOLDER), genesis, position: 0, segments: Vec::new() }
    }

    /// The position of the newest.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The newest snapshot, if there is one that can be trusted.
    pub(super) fn find(&self) -> Option<Found> {
        let bytes = std::fs::read(self.folder.join(NAME)).ok()?;
        let found = read_views(&bytes, self.genesis);
        if found.is_none() {
            tracing::info!(
                "the snapshot is not one of this program and this log: the log is replayed from its beginning"
            );
        }
        found
    }

    /// The register that a snapshot holds; `rules` are those in force at its position.
    pub(super) fn load(&mut self, found: Found, home: Zone, rules: &Arc<Rulebook>) -> Option<Rows> {
        let Found { mark, keys, segments, .. } = found;
        let register =
            read_segments(&self.folder, &segments).and_then(|rows| Rows::read(home, mark.position, rules, &keys, rows));
        if register.is_none() {
            tracing::warn!("the snapshot is damaged: the log is replayed from its beginning");
            return None;
        }
        (self.position, self.segments) = (mark.position, segments);
        register
    }

    /// Writes the views as of a place in the log, whose head is durable.
    ///
    /// # Errors
    /// What the disk says; the snapshot before it is still there then.
    pub(super) fn save(&mut self, views: &Views, mark: Mark) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let mut segments = Vec::with_capacity(views.segments().len());
        for (segment, changed) in views.segments().iter().enumerate() {
            match self.segments.get(segment) {
                Some(stored) if *changed < self.position => segments.push(stored.clone()),
                _ => {
                    let bytes = views.write_segment(segment);
                    write_durably(&file_of(&self.folder, segment, mark.position), &bytes)?;
                    let (length, crc) = (bytes.len() as u64, crc32fast::hash(&bytes));
                    segments.push(Stored { as_of: mark.position, length, crc });
                }
            }
        }
        let rules = views.rules().all().filter_map(|version| version.position);
        let bytes = write_views(self.genesis, mark, rules, &views.write_keys(), &segments);
        let draft = self.folder.join(format!("{NAME}.new"));
        write_durably(&draft, &bytes)?;
        sync_directory(&self.folder)?;
        std::fs::rename(&draft, self.folder.join(NAME))?;
        sync_directory(&self.folder)?;
        (self.position, self.segments) = (mark.position, segments);
        self.sweep()
    }

    /// Removes what no snapshot names.
    fn sweep(&self) -> std::io::Result<()> {
        let named: std::collections::HashSet<PathBuf> = (0..)
            .zip(&self.segments)
            .map(|(segment, stored)| file_of(&self.folder, segment, stored.as_of))
            .chain([self.folder.join(NAME)])
            .collect();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if !named.contains(&path) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// Reads the segments on all cores.
fn read_segments(folder: &Path, segments: &[Stored]) -> Option<Vec<StoredSegment>> {
    let read = |(segment, stored): (usize, &Stored)| {
        let bytes = std::fs::read(file_of(folder, segment, stored.as_of)).ok()?;
        let whole = bytes.len() as u64 == stored.length && crc32fast::hash(&bytes) == stored.crc;
        whole.then(|| StoredSegment::read(&bytes)).flatten()
    };
    let numbered: Vec<(usize, &Stored)> = segments.iter().enumerate().collect();
    let all = cores::fold(
        &numbered,
        1,
        Vec::new,
        |all, part| all.push(read(*part)),
        |all: &mut Vec<Option<StoredSegment>>, more| all.extend(more),
    );
    all.into_iter().collect()
}

fn write_views(
    genesis: Digest,
    mark: Mark,
    rules: impl Iterator<Item = u64>,
    keys: &[u8],
    segments: &[Stored],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(FOLDED_BY);
    bytes.extend_from_slice(&genesis);
    bytes.extend_from_slice(&mark.position.to_le_bytes());
    bytes.extend_from_slice(&mark.digest);
    bytes.extend_from_slice(&mark.recorded_at.0.to_le_bytes());
    let mut rules: Vec<u64> = rules.collect();
    rules.sort_unstable();
    bytes.extend_from_slice(&(rules.len() as u64).to_le_bytes());
    rules.iter().for_each(|position| bytes.extend_from_slice(&position.to_le_bytes()));
    bytes.extend_from_slice(&(keys.len() as u64).to_le_bytes());
    bytes.extend_from_slice(keys);
    bytes.extend_from_slice(&(segments.len() as u64).to_le_bytes());
    for Stored { as_of, length, crc } in segments {
        bytes.extend_from_slice(&as_of.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&crc.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads bytes one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

fn read_views(bytes: &[u8], genesis: Digest) -> Option<Found> {
    let (bytes, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    if *crc != crc32fast::hash(bytes).to_le_bytes() {
        return None;
    }
    let mut reader = Reader(bytes);
    let ours = reader.array()? == MAGIC
        && reader.array().map(u32::from_le_bytes)? == VERSION
        && reader.array()? == *FOLDED_BY
        && reader.array()? == genesis;
    if !ours {
        return None;
    }
    let (position, digest) = (reader.number()?, reader.array()?);
    let recorded_at = Timestamp(reader.number()?.cast_signed());
    let mut rules = Vec::new();
    for _ in 0..reader.number()? {
        rules.push(reader.number()?);
    }
    let keys = usize::try_from(reader.number()?).ok()?;
    let keys = reader.take(keys)?.to_vec();
    let mut segments = Vec::new();
    for _ in 0..reader.number()? {
        let (as_of, length) = (reader.number()?, reader.number()?);
        segments.push(Stored { as_of, length, crc: reader.array().map(u32::from_le_bytes)? });
    }
    reader.0.is_empty().then_some(Found { mark: Mark { position, digest, recorded_at }, rules, keys, segments })
}

/// Writes snapshots on a thread of its own, one at a time.
pub(super) struct Keeper {
    to_write: Option<SyncSender<(Views, Mark)>>,
    thread: Option<JoinHandle<()>>,
    /// The position of the newest that was begun.
    begun: u64,
    /// How many records make the next one due.
    every: u64,
}

impl Keeper {
    /// `before_each` makes durable what a snapshot relies on.
    ///
    /// # Errors
    /// What the system says of the thread.
    pub(super) fn start(
        mut snapshots: Snapshots,
        every: u64,
        before_each: impl Fn() -> Result<(), LogError> + Send + 'static,
    ) -> std::io::Result<Keeper> {
        let begun = snapshots.position();
        let (to_write, waiting) = sync_channel::<(Views, Mark)>(1);
        let thread = std::thread::Builder::new().name("dunghen-snapshot".to_owned()).spawn(move || {
            while let Ok((views, mark)) = waiting.recv() {
                let written = before_each()
                    .map_err(|e| e.to_string())
                    .and_then(|()| snapshots.save(&views, mark).map_err(|e| e.to_string()));
                if let Err(e) = written {
                    // It costs a longer start-up and nothing else.
                    tracing::warn!("no snapshot at {}: {e}", mark.position);
                }
            }
        })?;
        Ok(Keeper { to_write: Some(to_write), thread: Some(thread), begun, every })
    }

    /// Has the views written if enough was recorded since the last time, and nothing is being written.
    pub(super) fn offer(&mut self, views: &Views, mark: impl FnOnce() -> Mark) {
        if views.position() < self.begun.saturating_add(self.every) {
            return;
        }
        let Some(to_write) = &self.to_write else { return };
        if to_write.try_send((views.clone(), mark())).is_ok() {
            self.begun = views.position();
        }
    }

    /// At a clean stop: the last snapshot, so that the next start has nothing to replay. A log that is read in no time has
    /// none.
    pub(super) fn finish(&mut self, views: &Views, mark: Mark) {
        let due = views.position() >= self.every && views.position() > self.begun;
        if let Some(to_write) = self.to_write.take().filter(|_| due)
            && to_write.send((views.clone(), mark)).is_err()
        {
            tracing::warn!("the thread that writes snapshots stopped with a defect");
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread that writes snapshots stopped with a defect");
        }
    }
}
