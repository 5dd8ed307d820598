//! A generation: one sled database with a stretch of the log's frames, keyed by the position of their first record,
//! big-endian.
//!
//! sled 0.34.7 has seven habits that this file answers: its flush is not durable on Linux (see `sync`), it panics on
//! some damage (so every call into it is made under `catch_unwind`), it opens a truncated file as an empty one (so
//! the head file stands beside it), its threads hold its file for a moment after the last handle is gone (so opening
//! tries again for a while), what it wrote since it was opened it reads again at the next opening, clean stop or not
//! (so a generation stays small), it takes a note of its own that a crash cut short for a damaged one (so such a note
//! is removed), and it does not sync its settings (so a generation is made under another name and synced file by file).
//! Reading sled's own files is left to sled. It does not know the other parts of a log: see `sled.rs`.

use super::{LogError, sync};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Small: what a generation holds of its frames in memory is bounded by its size, and the system caches its file, too.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// How often, and how far apart, opening tries again while sled still holds its file: 10 seconds in all.
const LOCK_TRIES: u32 = 1000;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The folder of the first generation; those after it have their number behind a dot.
const FIRST: &str = "log";
const DIGITS: usize = 10;
/// Behind the name while it is being made.
const DRAFT: &str = ".new";
/// Behind the name while it is being removed.
const REMOVED: &str = ".removed";

/// The folder of the generation with this number.
pub(super) fn folder(number: u64) -> String {
    if number == 0 { FIRST.to_owned() } else { format!("{FIRST}.{number:0DIGITS$}") }
}

fn number_of(name: &str) -> Option<u64> {
    if name == FIRST {
        return Some(0);
    }
    let digits = name.strip_prefix(FIRST)?.strip_prefix('.')?;
    let number = digits.parse().ok().filter(|n| *n > 0)?;
    (folder(number) == name).then_some(number)
}

/// What a directory holds of generations.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Those that count, by number, ascending.
    pub(super) generations: Vec<(u64, PathBuf)>,
    /// What was being made or removed when the process went.
    pub(super) leftovers: Vec<PathBuf>,
}

/// Looks for generations; changes nothing.
pub(super) fn find(directory: &Path) -> std::io::Result<Found> {
    let mut found = Found::default();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if let Some(number) = number_of(&name) {
            found.generations.push((number, entry.path()));
        } else if [DRAFT, REMOVED].iter().any(|s| name.strip_suffix(s).is_some_and(|n| number_of(n).is_some())) {
            found.leftovers.push(entry.path());
        }
    }
    found.generations.sort_unstable();
    Ok(found)
}

/// An open generation.
pub(super) struct Generation {
    path: PathBuf,
    // Emptied only by `drop` and `remove`.
    handles: Option<Handles>,
    /// How much of a roll's limit is used: the size of the file at opening, and the frames since.
    bytes: AtomicU64,
    unsynced: AtomicBool,
    syncing: Mutex<()>,
    nearly_full: AtomicBool,
    retired: AtomicBool,
}

struct Handles {
    database: ::sled::Db,
    frames: ::sled::Tree,
}

/// Runs a call into sled; its panics, which it uses for damage, become errors.
fn guarded<T>(what: &str, call: impl FnOnce() -> ::sled::Result<T>) -> Result<T, LogError> {
    let quiet = crate::quiet::Quiet::begin();
    let outcome = catch_unwind(AssertUnwindSafe(call));
    drop(quiet);
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(meaning(what, e)),
        Err(panic) => {
            let said = crate::quiet::message(&*panic);
            Err(LogError::Damaged { position: 0, what: format!("{what}: sled gave up: {said}") })
        }
    }
}

/// Whether sled's file is held, be it by a thread of its own that has yet to notice the end.
fn is_locked(e: &::sled::Error) -> bool {
    matches!(e, ::sled::Error::Io(e) if e.to_string().starts_with("could not acquire lock"))
}

/// What the system said, if it was the system that said it. sled hands on copies, of which only the words are left:
/// `Os { code: 28, … }`.
fn said_by_system(e: &std::io::Error) -> Option<std::io::Error> {
    let copied = || e.to_string().strip_prefix("Os { code: ")?.split(',').next()?.parse().ok();
    e.raw_os_error().or_else(copied).map(std::io::Error::from_raw_os_error)
}

/// Only what the system said of the disk leaves hope that the log is whole; all else sled says of what it read.
fn meaning(what: &str, e: ::sled::Error) -> LogError {
    if let ::sled::Error::Io(io) = &e
        && let Some(said) = said_by_system(io)
    {
        return LogError::Unavailable(format!("{what}: {said}"));
    }
    match e {
        e if is_locked(&e) => LogError::Unavailable(format!("{what}: {e}")),
        ::sled::Error::Corruption { .. } => {
            LogError::Damaged { position: 0, what: format!("{what}: sled found its file corrupted") }
        }
        e => LogError::Damaged { position: 0, what: format!("{what}: {e}") },
    }
}

/// While it opens, sled notes where its pages lie in `snap.N.generating`, syncs that and renames it to `snap.N`, which
/// takes the place of the note before. One that was not renamed never counted, but sled would take it for its newest.
fn remove_notes_cut_short(path: &Path) -> std::io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|n| n.starts_with("snap.") && n.ends_with(".generating")) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether the folder holds a database; sled would make an empty one in the place of one that is gone.
pub(super) fn is_there(path: &Path) -> bool {
    path.join("db").exists()
}

impl Generation {
    /// Opens the database in the folder `path`, or makes it there.
    pub(super) fn open(path: &Path) -> Result<Generation, LogError> {
        remove_notes_cut_short(path)?;
        let open = || {
            let mut tries = 1;
            loop {
                let database = ::sled::Config::new()
                    .path(path)
                    .cache_capacity(CACHE_BYTES)
                    .flush_every_ms(None)
                    .mode(::sled::Mode::HighThroughput)
                    .open();
                match database {
                    Err(e) if is_locked(&e) && tries < LOCK_TRIES => {
                        tries += 1;
                        std::thread::sleep(LOCK_PAUSE);
                    }
                    database => return database,
                }
            }
        };
        let handles = guarded("opening the log", || {
            let database = open()?;
            let frames = database.open_tree("frames")?;
            Ok(Handles { database, frames })
        })?;
        // What an empty database takes of the disk is no part of the log.
        let bytes = match guarded("reading the log", || handles.frames.first())? {
            Some(_) => std::fs::metadata(path.join("db"))?.len(),
            None => 0,
        };
        Ok(Generation {
            path: path.to_owned(),
            handles: Some(handles),
            bytes: AtomicU64::new(bytes),
            unsynced: AtomicBool::new(false),
            syncing: Mutex::default(),
            nearly_full: AtomicBool::new(false),
            retired: AtomicBool::new(false),
        })
    }

    /// Opens the database in the folder `path` for appending: a commit must be durable, and so must the folder.
    pub(super) fn open_to_append(path: &Path) -> Result<Generation, LogError> {
        let generation = Generation::open(path)?;
        generation.prove_durable()?;
        sync::sync_directory(path)?;
        Ok(generation)
    }

    /// Makes an empty generation; it appears in `directory` whole, or not at all.
    pub(super) fn create(directory: &Path, number: u64) -> Result<Generation, LogError> {
        let path = directory.join(folder(number));
        let draft = directory.join(folder(number) + DRAFT);
        if draft.exists() {
            std::fs::remove_dir_all(&draft)?;
        }
        drop(Generation::open_to_append(&draft)?);
        for entry in std::fs::read_dir(&draft)? {
            std::fs::File::open(entry?.path())?.sync_all()?;
        }
        std::fs::rename(&draft, &path)?;
        sync::sync_directory(directory)?;
        Generation::open_to_append(&path)
    }

    fn handles(&self) -> Result<&Handles, LogError> {
        self.handles.as_ref().ok_or_else(|| LogError::Unavailable("the log is closed".to_owned()))
    }

    fn write(&self, call: impl FnOnce(&Handles) -> ::sled::Result<()>) -> Result<(), LogError> {
        let handles = self.handles()?;
        guarded("writing the log", || call(handles)).map_err(|e| match e {
            // Whatever made sled fail here, nothing acknowledged is known to be damaged: the outcome is unknown.
            LogError::Damaged { what, .. } | LogError::Unavailable(what) => LogError::Unavailable(what),
        })
    }

    /// A commit must reach the function of `sync`, else an acknowledgement would promise what a power cut can break.
    fn prove_durable(&self) -> Result<(), LogError> {
        let database = &self.handles()?.database;
        let before = sync::calls();
        guarded("the canary commit", || {
            let canary = database.open_tree("canary")?;
            let opened = canary.get("opened")?.map_or(0, |v| v.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b)));
            canary.insert("opened", &(opened + 1).to_be_bytes())?;
            canary.flush()?;
            Ok(())
        })?;
        if sync::calls() == before {
            return Err(LogError::Unavailable(
                "this build does not make commits durable: sync_file_range was not linked in; rebuild it".to_owned(),
            ));
        }
        Ok(())
    }

    /// Stores frames all or none; durable with the next [`Generation::sync`].
    pub(super) fn store(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        self.unsynced.store(true, Ordering::Release);
        self.write(|handles| match frames {
            // One key is atomic by itself, and costs less than a batch.
            [(first, bytes)] => handles.frames.insert(first.to_be_bytes(), *bytes).map(drop),
            _ => handles.frames.apply_batch(batch_of(frames)),
        })?;
        // Once more: a sync that began in between may not have seen these.
        self.unsynced.store(true, Ordering::Release);
        self.count(frames);
        Ok(())
    }

    /// Makes all that was stored durable, if it is not.
    pub(super) fn sync(&self) -> Result<(), LogError> {
        // Whoever comes while it is synced for another waits for that.
        let syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.unsynced.swap(false, Ordering::AcqRel) {
            let synced = self.write(|handles| handles.frames.flush().map(|_| ()));
            if synced.is_err() {
                self.unsynced.store(true, Ordering::Release);
            }
            return synced;
        }
        drop(syncing);
        Ok(())
    }

    fn count(&self, frames: &[(u64, &[u8])]) {
        self.bytes.fetch_add(frames.iter().map(|(_, bytes)| bytes.len() as u64).sum(), Ordering::Relaxed);
    }

    /// How large it is, about, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Notes that it is nearly full; whether that is new.
    pub(super) fn note_nearly_full(&self) -> bool {
        !self.nearly_full.swap(true, Ordering::Relaxed)
    }

    /// Its first frame.
    pub(super) fn first(&self) -> Result<Option<(u64, Vec<u8>)>, LogError> {
        self.at_end(::sled::Tree::first)
    }

    /// Its last frame.
    pub(super) fn last(&self) -> Result<Option<(u64, Vec<u8>)>, LogError> {
        self.at_end(::sled::Tree::last)
    }

    fn at_end(
        &self,
        look: impl FnOnce(&::sled::Tree) -> ::sled::Result<Option<(::sled::IVec, ::sled::IVec)>>,
    ) -> Result<Option<(u64, Vec<u8>)>, LogError> {
        let handles = self.handles()?;
        let found = guarded("reading the log", || look(&handles.frames))?;
        found.map(|(key, value)| Ok((position_of(&key)?, value.to_vec()))).transpose()
    }

    /// The frame that holds `from`, if it is here, and those after it.
    pub(super) fn frames(self: &Arc<Self>, from: u64) -> Cursor {
        Cursor { generation: Arc::clone(self), step: Step::Seek, next: from }
    }

    /// Its frames are read elsewhere from now on.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether its frames are read elsewhere.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Closes it and removes its folder. A crash leaves the folder whole, or under a name that says what it is.
    pub(super) fn remove(mut self) -> Result<(), LogError> {
        self.close();
        let mut gone = self.path.clone().into_os_string();
        gone.push(REMOVED);
        std::fs::rename(&self.path, &gone)?;
        if let Some(directory) = self.path.parent() {
            sync::sync_directory(directory)?;
        }
        std::fs::remove_dir_all(&gone)?;
        Ok(())
    }

    fn close(&mut self) {
        // sled writes once more while it closes, and may give up then, too. What was acknowledged is on disk already.
        let handles = self.handles.take();
        if let Err(e) = guarded("closing the log", || {
            drop(handles);
            Ok(())
        }) {
            tracing::warn!("{e}");
        }
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.close();
    }
}

fn batch_of(frames: &[(u64, &[u8])]) -> ::sled::Batch {
    let mut batch = ::sled::Batch::default();
    for (first, bytes) in frames {
        batch.insert(&first.to_be_bytes(), *bytes);
    }
    batch
}

fn position_of(key: &[u8]) -> Result<u64, LogError> {
    key.try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| LogError::Damaged { position: 0, what: "a key of the log is not a position".to_owned() })
}

/// Frames of a generation, in order. It ends at the first error.
pub(super) struct Cursor {
    generation: Arc<Generation>,
    step: Step,
    next: u64,
}

enum Step {
    Seek,
    // Most readers want one frame: the range is made for the second.
    Range,
    Walk(Box<::sled::Iter>),
    End,
}

impl Cursor {
    fn step(&mut self) -> Result<Option<(u64, Vec<u8>)>, LogError> {
        let tree = &self.generation.handles()?.frames;
        let key = self.next.to_be_bytes();
        let found = guarded("reading the log", || match &mut self.step {
            Step::Seek => match tree.range(..=key).next_back().transpose()? {
                Some(found) => Ok(Some(found)),
                None => tree.range(key..).next().transpose(),
            },
            Step::Range => {
                let mut range = tree.range(key..);
                let found = range.next().transpose();
                self.step = Step::Walk(Box::new(range));
                found
            }
            Step::Walk(range) => range.next().transpose(),
            Step::End => Ok(None),
        })?;
        found.map(|(key, value)| Ok((position_of(&key)?, value.to_vec()))).transpose()
    }
}

impl Iterator for Cursor {
    type Item = Result<(u64, Vec<u8>), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(Some((first, bytes))) => {
                match first.checked_add(1) {
                    Some(next) => self.next = next,
                    None => self.step = Step::End,
                }
                if matches!(self.step, Step::Seek) {
                    self.step = Step::Range;
                }
                Some(Ok((first, bytes)))
            }
            Ok(None) => {
                self.step = Step::End;
                None
            }
            Err(e) => {
                // After an error sled's iterator makes no promise; the position says how far the log was read.
                self.step = Step::End;
                Some(Err(match e {
                    LogError::Damaged { what, .. } => LogError::Damaged { position: self.next, what },
                    LogError::Unavailable(what) => LogError::Unavailable(what),
                }))
            }
        }
    }
}
