//! The log on disk: frames in a sled tree, keyed by the position of their first record, big-endian.
//!
//! sled 0.34.7 has six habits that this file answers: its flush is not durable on Linux (see `sync`), it panics on
//! some damage (so every call into it is made under `catch_unwind`), it opens a truncated file as an empty one (so
//! the head file stands beside it), its threads hold its file for a moment after the last handle is gone (so
//! opening tries again for a while), it never syncs its settings (so a database is made aside and moved into its place
//! when all of it is durable), and it believes a snapshot that it had only begun to write (so those are removed before
//! it looks). Reading sled's own files is left to sled.

use super::head::{self, HeadFile};
use super::{EventLog, Frames, Head, LogError, sync};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const CACHE_BYTES: u64 = 64 * 1024 * 1024;
const DATABASE: &str = "log";
/// Where a new database is made.
const DRAFT: &str = "log.new";
const HEAD: &str = "head";
/// There after a write or a sync has failed, until the log was opened again. It need not be durable: what it warns of
/// does not outlast a power cut either.
const FAILED: &str = "failed";
/// How often, and how far apart, opening tries again while sled still holds its file: 10 seconds in all.
const LOCK_TRIES: u32 = 1000;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The log of a data directory.
pub struct SledLog {
    // Emptied only by `drop`.
    handles: Option<Handles>,
    failed: PathBuf,
    head: Mutex<HeadFile>,
    head_at_open: Head,
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

/// A log of which the head knows records must have its database: sled would make an empty one in its place.
fn must_exist(database: &Path, head: &Head) -> Result<(), LogError> {
    if head.length > 0 && !database.join("db").exists() {
        let what = format!("{} is missing, the head knows of {} records", database.join("db").display(), head.length);
        return Err(LogError::Damaged { position: 0, what });
    }
    Ok(())
}

fn open_handles(path: &Path) -> Result<Handles, LogError> {
    remove_begun_snapshots(path)?;
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
    guarded("opening the log", || {
        let database = open()?;
        let frames = database.open_tree("frames")?;
        Ok(Handles { database, frames })
    })
}

/// A snapshot that sled was writing when it was stopped, or when the disk was full, would count as its newest one and
/// make it refuse the whole database. Without any snapshot sled reads its file from the beginning, to the same effect.
fn remove_begun_snapshots(database: &Path) -> std::io::Result<()> {
    if !database.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(database)? {
        let name = entry?.file_name();
        if name.to_string_lossy().starts_with("snap.") && name.to_string_lossy().ends_with(".generating") {
            std::fs::remove_file(database.join(name))?;
        }
    }
    Ok(())
}

/// Makes an empty database, whole and durable or not at all.
fn create_database(directory: &Path) -> Result<(), LogError> {
    let draft = directory.join(DRAFT);
    if draft.exists() {
        std::fs::remove_dir_all(&draft)?;
    }
    let handles = open_handles(&draft)?;
    guarded("closing the new log", || {
        handles.database.flush()?;
        drop(handles);
        Ok(())
    })?;
    for entry in std::fs::read_dir(&draft)? {
        std::fs::File::open(entry?.path())?.sync_all()?;
    }
    sync::sync_directory(&draft)?;
    std::fs::rename(&draft, directory.join(DATABASE))?;
    sync::sync_directory(directory)?;
    Ok(())
}

impl SledLog {
    /// Makes the files of an empty log in `directory`, durably.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(directory: &Path, head: &Head) -> Result<(), LogError> {
        HeadFile::create(&directory.join(HEAD), head)?;
        sync::sync_directory(directory)?;
        Ok(())
    }

    /// Whether `directory` holds a log's files, whole or not.
    #[must_use]
    pub fn exists(directory: &Path) -> bool {
        directory.join(DATABASE).exists() || directory.join(HEAD).exists()
    }

    /// Whether the head of `directory` never knew of a record.
    #[must_use]
    pub fn is_fresh(directory: &Path) -> bool {
        head::is_fresh(&directory.join(HEAD))
    }

    /// Opens the log for appending. The caller holds the directory's lock.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if sled or the head cannot be read; [`LogError::Unavailable`] if the disk fails or if
    /// this build does not sync durably.
    pub fn open(directory: &Path) -> Result<SledLog, LogError> {
        if directory.join(FAILED).exists() {
            sync::read_from_disk(directory)?;
        }
        // The head first: without it there is nothing to judge the log by, and opening sled would change the log.
        let (head, head_at_open) = HeadFile::open(&directory.join(HEAD))?;
        must_exist(&directory.join(DATABASE), &head_at_open)?;
        if !directory.join(DATABASE).exists() {
            create_database(directory)?;
        }
        let log = SledLog::open_database(directory, Mutex::new(head), head_at_open)?;
        log.prove_durable()?;
        sync::sync_directory(&directory.join(DATABASE))?;
        sync::sync_directory(directory)?;
        match std::fs::remove_file(&log.failed) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
            _ => Ok(log),
        }
    }

    /// Opens a *copy* of the log's database, made at `scratch`, beside the head of `directory`, which stays untouched.
    ///
    /// # Errors
    /// As [`SledLog::open`].
    pub fn inspect(directory: &Path, scratch: &Path) -> Result<SledLog, LogError> {
        let (_, head_at_open) = head::read(&directory.join(HEAD))?;
        must_exist(&directory.join(DATABASE), &head_at_open)?;
        if directory.join(DATABASE).exists() {
            copy_tree(&directory.join(DATABASE), &scratch.join(DATABASE))?;
        }
        std::fs::copy(directory.join(HEAD), scratch.join(HEAD))?;
        let (head, _) = HeadFile::open(&scratch.join(HEAD))?;
        SledLog::open_database(scratch, Mutex::new(head), head_at_open)
    }

    fn open_database(directory: &Path, head: Mutex<HeadFile>, head_at_open: Head) -> Result<SledLog, LogError> {
        let handles = Some(open_handles(&directory.join(DATABASE))?);
        Ok(SledLog { handles, failed: directory.join(FAILED), head, head_at_open })
    }

    fn handles(&self) -> Result<&Handles, LogError> {
        self.handles.as_ref().ok_or_else(|| LogError::Unavailable("the log is closed".to_owned()))
    }

    fn write(&self, call: impl FnOnce(&Handles) -> ::sled::Result<()>) -> Result<(), LogError> {
        let handles = self.handles()?;
        guarded("writing the log", || call(handles)).map_err(|e| {
            if let Err(e) = std::fs::File::create(&self.failed) {
                tracing::warn!("{}: {e}; restart the machine, not only the server", self.failed.display());
            }
            match e {
                // Whatever made sled fail here, nothing acknowledged is known to be damaged: the outcome is unknown.
                LogError::Damaged { what, .. } | LogError::Unavailable(what) => LogError::Unavailable(what),
            }
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
}

fn batch_of(frames: &[(u64, &[u8])]) -> ::sled::Batch {
    let mut batch = ::sled::Batch::default();
    for (first, bytes) in frames {
        batch.insert(&first.to_be_bytes(), *bytes);
    }
    batch
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn position_of(key: &[u8]) -> Result<u64, LogError> {
    key.try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| LogError::Damaged { position: 0, what: "a key of the log is not a position".to_owned() })
}

impl Drop for SledLog {
    fn drop(&mut self) {
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

impl EventLog for SledLog {
    fn append(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        self.write(|handles| {
            match frames {
                // One key is atomic by itself, and costs one sync where a batch costs two.
                [(first, bytes)] => drop(handles.frames.insert(first.to_be_bytes(), *bytes)?),
                _ => handles.frames.apply_batch(batch_of(frames))?,
            }
            handles.frames.flush()?;
            Ok(())
        })
    }

    fn store(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        self.write(|handles| handles.frames.apply_batch(batch_of(frames)))
    }

    fn sync(&self) -> Result<(), LogError> {
        self.write(|handles| handles.frames.flush().map(|_| ()))
    }

    fn frames(&self, from: u64) -> Frames<'_> {
        let tree = match self.handles() {
            Ok(handles) => &handles.frames,
            Err(e) => return Box::new(std::iter::once(Err(e))),
        };
        let start = guarded("reading the log", || {
            let key = from.to_be_bytes();
            let holds = if tree.contains_key(key)? { None } else { tree.get_lt(key)? };
            Ok(holds.map_or_else(|| key.to_vec(), |(k, _)| k.to_vec()))
        });
        let start = match start {
            Ok(start) => start,
            Err(e) => return Box::new(std::iter::once(Err(e))),
        };
        let mut range = tree.range(start..);
        let mut next = from;
        let mut failed = false;
        Box::new(std::iter::from_fn(move || {
            if failed {
                return None;
            }
            let item = guarded("reading the log", || range.next().transpose());
            let item = item.and_then(|found| match found {
                Some((key, value)) => Ok(Some((position_of(&key)?, value.to_vec()))),
                None => Ok(None),
            });
            match item {
                Ok(Some((first, bytes))) => {
                    next = first.saturating_add(1);
                    Some(Ok((first, bytes)))
                }
                Ok(None) => None,
                Err(e) => {
                    // After an error sled's iterator makes no promise; the position says how far the log was read.
                    failed = true;
                    Some(Err(match e {
                        LogError::Damaged { what, .. } => LogError::Damaged { position: next, what },
                        LogError::Unavailable(what) => LogError::Unavailable(what),
                    }))
                }
            }
        }))
    }

    fn head_at_open(&self) -> Head {
        self.head_at_open
    }

    fn write_head(&self, head: &Head, sync: bool) -> Result<(), LogError> {
        let mut file = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        file.write(head, sync)?;
        Ok(())
    }
}
