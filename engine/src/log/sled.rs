//! The log on disk: sealed files, then one sled database that grows, in between at most a few that wait to be sealed, and
//! a journal.
//!
//! A database that has grown to the limit of [`Roll`] is full: the next append begins the next one, a *generation*
//! that was made ready beforehand. A thread copies the full one, frame by frame, into a sealed file and removes it; so
//! only what is about as large as the limit must be recovered by sled, whatever the log has become. Appends and
//! readers never wait for that thread.
//!
//! What is appended is made durable by the journal and goes into the database unsynced (`journal.rs`). A thread syncs
//! that some way behind, so that the journal never has to wait for it; opening brings into the database what it lacks.
//!
//! At each moment a power cut leaves a directory that opens whole:
//!
//! 1. That the log is in several parts is announced to the directory ([`Roll::announce`]), durably, before there is a journal or a
//!    second generation.
//! 2. A generation is made under another name, its canary committed, then it is renamed and the directory synced. It is
//!    empty until the roll: an empty one behind the others is the next. It is made only when the one before it holds
//!    frames durably, so that never two are empty.
//! 3. A roll is the first append to the next generation. All that the full one holds is durable before.
//! 4. A sealed file is written under another name, synced, renamed, its folder synced. Until then the generation counts.
//!    A draft is thrown away at opening.
//! 5. Only then is the generation renamed, the directory synced, and its files removed. If it is still there at opening,
//!    its last frame must be the one whose digest ends the sealed file, and that file is read whole; then it goes.
//!
//! Opening checks that sealed files and generations join, by position and by digest, and reads no other frames. What
//! sled is and does is known to `generation.rs`, the form of a sealed file to `sealed.rs`.

use super::generation::{self, Generation};
use super::head::{self, HeadFile};
use super::journal::{self, Journal};
use super::sealed::{self, Draft, Sealed};
use super::{Digest, EventLog, Frames, Head, LogError, frame, sync};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The head file of a data directory.
pub(super) const HEAD: &str = "head";
/// There after a write or a sync has failed, until the log was opened again. It need not be durable: what it warns of
/// does not outlast a power cut either.
const FAILED: &str = "failed";
/// How long the sealing thread waits before it looks again whether the last reader has left a generation.
const READERS_PAUSE: Duration = Duration::from_millis(100);
/// How long it waits before it tries again what failed.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10);
/// How many bytes of the journal the database may lack before it is synced. Less is synced more often; of more the disk is
/// longer busy at a time, and so is whoever appends meanwhile.
const BEHIND: u64 = 512 << 10;
/// How many generations may wait to be sealed before a log that is made in bulk waits for them.
const UNSEALED_IN_BULK: usize = 1;

/// When a log goes on in the next generation.
pub struct Roll {
    /// At how many bytes of frames, about.
    pub at: u64,
    /// Called before there is a journal or a second generation; may be called again after that, and then has nothing
    /// to do.
    pub announce: Box<dyn Fn() -> Result<(), LogError> + Send + Sync>,
}

impl Roll {
    /// How large a generation becomes, in bytes. sled looks at the size of its cache only after some 16,000 pages were
    /// read, so this bounds what the log takes of the memory; and sled recovers that much in some hundredths of a
    /// second.
    pub const AT: u64 = 32 << 20;

    /// How long the journal is made: a generation holds at least what it does.
    fn journal(&self) -> u64 {
        journal::LENGTH.min(self.at)
    }

    /// Rolls at `at` bytes, for a directory that nobody else has to be told of.
    #[must_use]
    pub fn unannounced(at: u64) -> Roll {
        Roll { at, announce: Box::new(|| Ok(())) }
    }
}

/// The log of a data directory.
pub struct SledLog {
    shared: Arc<Shared>,
    // Emptied only by `drop`.
    threads: Vec<std::thread::JoinHandle<()>>,
    /// Made with the first append.
    journal: Mutex<Option<Journal>>,
    head: Mutex<HeadFile>,
    head_at_open: Head,
}

struct Shared {
    directory: PathBuf,
    roll: Roll,
    shelf: Mutex<Shelf>,
    changed: Condvar,
    behind: Mutex<Behind>,
    behind_changed: Condvar,
    stopping: AtomicBool,
}

/// What the syncing thread was asked for, and has done: up to which end of the journal the database is durable.
#[derive(Default)]
struct Behind {
    asked: u64,
    done: u64,
    /// A sync that failed is not tried again: the system may then say that all is well.
    failed: Option<LogError>,
}

/// The parts of the log, in order. The last generation takes the appends; those before it are full.
struct Shelf {
    sealed: Vec<Arc<Sealed>>,
    generations: Vec<Part>,
    /// The next generation, empty.
    spare: Option<Arc<Generation>>,
    /// The number of the generation after all those.
    next_number: u64,
    /// Whether frames were added since opening: who only reads needs no next generation, and a directory that is only
    /// read keeps its format.
    appends: bool,
    /// Generations whose frames lie in a sealed file, until their last reader has gone.
    retired: Vec<Arc<Generation>>,
    /// Counts what the sealing thread was asked for, and what it has done of it.
    asked: u64,
    done: u64,
    trouble: Option<LogError>,
}

#[derive(Clone)]
struct Part {
    first: u64,
    generation: Arc<Generation>,
}

/// The end of what is known to join.
#[derive(Clone, Copy)]
struct Joint {
    position: u64,
    /// Not known before the first frame: whose log it is, only the directory can say.
    digest: Option<Digest>,
}

fn damaged(position: u64, what: String) -> LogError {
    LogError::Damaged { position, what }
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
        directory.join(HEAD).exists() || has_frames(directory)
    }

    /// Whether `directory` holds no frames, and a head that never knew of a record.
    #[must_use]
    pub fn is_fresh(directory: &Path) -> bool {
        !has_frames(directory) && head::is_fresh(&directory.join(HEAD))
    }

    /// Opens the log for appending. The caller holds the directory's lock.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if a part cannot be read or the parts do not join; [`LogError::Unavailable`] if the disk
    /// fails or if this build does not sync durably.
    pub fn open(directory: &Path, roll: Roll) -> Result<SledLog, LogError> {
        if directory.join(FAILED).exists() {
            sync::read_from_disk(directory)?;
        }
        // The head first: without it there is nothing to judge the log by, and opening sled would change the log.
        let (head, head_at_open) = HeadFile::open(&directory.join(HEAD))?;
        let shelf = Shelf::open(directory, &head_at_open)?;
        sync::sync_directory(directory)?;
        match std::fs::remove_file(directory.join(FAILED)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            roll,
            shelf: Mutex::new(shelf),
            changed: Condvar::new(),
            behind: Mutex::default(),
            behind_changed: Condvar::new(),
            stopping: AtomicBool::new(false),
        });
        let (threads, head) = (Vec::new(), Mutex::new(head));
        let mut log = SledLog { shared, threads, journal: Mutex::default(), head, head_at_open };
        let of_thread = Arc::clone(&log.shared);
        log.threads.push(std::thread::Builder::new().name("dunghen-seal".to_owned()).spawn(move || of_thread.run())?);
        let of_thread = Arc::clone(&log.shared);
        let syncing = std::thread::Builder::new().name("dunghen-sync".to_owned());
        log.threads.push(syncing.spawn(move || of_thread.sync_behind())?);
        log.catch_up()?;
        *log.journal() = Journal::open(directory)?;
        Ok(log)
    }

    fn journal(&self) -> MutexGuard<'_, Option<Journal>> {
        // What it says of its file changes last; a panic elsewhere leaves a journal that goes on where it was.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings into the database, durably, what only the journal holds.
    fn catch_up(&self) -> Result<(), LogError> {
        let mut end = self.shared.shelf().end()?;
        let kept = journal::read(&self.shared.directory, end.position)?;
        if kept.is_empty() {
            return Ok(());
        }
        for (first, bytes) in &kept {
            let link = frame::link(*first, bytes)?;
            end.follow(*first, Some(link.previous), "the journal")?;
            end = Joint { position: link.end, digest: Some(link.digest) };
            self.put(&[(*first, bytes.as_slice())])?;
        }
        self.sync()
    }

    /// Makes frames durable by the journal; `false` if they are too many for it.
    fn journaled(&self, frames: &[(u64, &[u8])]) -> Result<bool, LogError> {
        let mut held = self.journal();
        let journal = match &mut *held {
            Some(journal) => journal,
            none => {
                (self.shared.roll.announce)()?;
                none.insert(Journal::create(&self.shared.directory, self.shared.roll.journal())?)
            }
        };
        journal.is_elsewhere(self.shared.durable_up_to()?);
        if journal.append(frames)? {
            return Ok(true);
        }
        // What is written over must be durable in the database.
        self.sync()?;
        journal.is_elsewhere(journal.end());
        Ok(journal.append(frames)?)
    }

    /// Has the database synced if it lacks much of the journal.
    fn keep_up(&self) {
        let held = self.journal();
        if let Some(journal) = held.as_ref().filter(|journal| journal.is_behind(BEHIND)) {
            self.shared.behind().asked = journal.end();
            self.shared.behind_changed.notify_one();
        }
    }

    /// Puts frames into the database that takes them, durable with the next sync.
    fn put(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        let Some((first, _)) = frames.first() else { return Ok(()) };
        let active = self.active(*first)?;
        self.shared.noted(active.store(frames))?;
        self.look_ahead(&active, *first);
        Ok(())
    }

    /// Waits until the sealing thread has nothing left to do: what is full is sealed, the next generation is ready if
    /// it will soon be needed. Readers that stand in a generation hold it up.
    ///
    /// # Errors
    /// What keeps the thread from it; it will try again by itself.
    pub fn settle(&self) -> Result<(), LogError> {
        let mut shelf = self.shared.shelf();
        let asked = shelf.asked;
        loop {
            if let Some(trouble) = &shelf.trouble {
                return Err(trouble.clone());
            }
            if shelf.done >= asked {
                return Ok(());
            }
            shelf = self.shared.changed.wait(shelf).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many sealed files there are, and how many generations.
    #[must_use]
    pub fn parts(&self) -> (usize, usize) {
        let shelf = self.shared.shelf();
        (shelf.sealed.len(), shelf.generations.len())
    }

    /// The generation that takes frames beginning at `first`: the next one if the last is full and the next is ready.
    fn active(&self, first: u64) -> Result<Arc<Generation>, LogError> {
        let mut shelf = self.shared.shelf();
        let active = Arc::clone(&shelf.active().generation);
        if active.bytes() < self.shared.roll.at || shelf.spare.is_none() {
            return Ok(active);
        }
        // What comes after must never be durable before it.
        self.shared.noted(active.sync())?;
        let Some(generation) = shelf.spare.take() else { return Ok(active) };
        shelf.generations.push(Part { first, generation: Arc::clone(&generation) });
        Ok(generation)
    }

    /// Wakes the sealing thread if the first frames of a generation were just stored, or if it became nearly full.
    fn look_ahead(&self, active: &Generation, first: u64) {
        let mut shelf = self.shared.shelf();
        shelf.appends = true;
        let begun = shelf.generations.len() > 1 && shelf.active().first == first;
        let nearly_full = active.bytes() >= self.shared.nearly_full() && active.note_nearly_full();
        if begun || nearly_full {
            self.shared.ask(&mut shelf);
        }
    }

    /// Whoever makes a log at once is faster than the disk: it waits until the next generation is ready, and while full
    /// ones pile up.
    fn wait_in_bulk(&self) -> Result<(), LogError> {
        let mut shelf = self.shared.shelf();
        shelf.appends = true;
        loop {
            let full = shelf.active().generation.bytes() >= self.shared.roll.at;
            if full && shelf.spare.is_none() && shelf.active().generation.note_nearly_full() {
                self.shared.ask(&mut shelf);
            }
            if shelf.generations.len() <= 1 + UNSEALED_IN_BULK && (shelf.spare.is_some() || !full) {
                return Ok(());
            }
            if let Some(trouble) = &shelf.trouble {
                return Err(LogError::Unavailable(trouble.to_string()));
            }
            shelf = self.shared.changed.wait(shelf).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn has_frames(directory: &Path) -> bool {
    // What cannot be looked at is taken for a log: nobody then makes another in its place.
    generation::find(directory).map_or(directory.exists(), |found| !found.generations.is_empty())
        || directory.join(sealed::FOLDER).exists()
        || directory.join(journal::NAME).exists()
}

/// A log of which anybody knows records must have its newest database: sled would make an empty one in its place.
pub(super) fn must_exist(
    directory: &Path,
    generations: &[(u64, PathBuf)],
    sealed_end: u64,
    head: &Head,
) -> Result<(), LogError> {
    let first = directory.join(generation::folder(0));
    let missing = match generations {
        [] => Some(&first),
        some => some.iter().map(|(_, path)| path).find(|path| !generation::is_there(path)),
    };
    match missing {
        Some(path) if sealed_end > 0 || head.length > 0 || generations.len() > 1 => {
            let known = head.length.max(sealed_end);
            let what = format!("{} is missing; {known} records are known", path.join("db").display());
            Err(damaged(sealed_end, what))
        }
        _ => Ok(()),
    }
}

/// The sealed file of which the generation is the source, if it was sealed already: nothing but its removal was left.
pub(super) fn sealed_from<'a>(
    sealed: impl IntoIterator<Item = &'a Arc<Sealed>>,
    generation: &Generation,
) -> Result<Option<&'a Arc<Sealed>>, LogError> {
    let (Some((first, _)), Some((last, bytes))) = (generation.first()?, generation.last()?) else { return Ok(None) };
    let Some(same) = sealed.into_iter().find(|s| s.first() == first) else { return Ok(None) };
    let link = frame::link(last, &bytes)?;
    Ok((link.end == same.end() && link.digest == same.digest()).then_some(same))
}

impl Shelf {
    fn open(directory: &Path, head: &Head) -> Result<Shelf, LogError> {
        let mut joint = Joint { position: 0, digest: None };
        let mut sealed = Vec::new();
        for (first, path) in sealed::find(directory)?.files {
            let opened = Sealed::open(&path, first)?;
            joint.follow(first, Some(opened.before()), &path.display().to_string())?;
            joint = Joint { position: opened.end(), digest: Some(opened.digest()) };
            sealed.push(Arc::new(opened));
        }
        let found = generation::find(directory)?;
        must_exist(directory, &found.generations, joint.position, head)?;
        // Only now is anything changed. What is thrown away here never counted.
        for draft in sealed::find(directory)?.drafts {
            std::fs::remove_file(draft)?;
        }
        for leftover in found.leftovers {
            std::fs::remove_dir_all(leftover)?;
        }
        let mut shelf = Shelf {
            sealed,
            generations: Vec::new(),
            spare: None,
            next_number: 0,
            appends: false,
            retired: Vec::new(),
            asked: 1,
            done: 0,
            trouble: None,
        };
        let count = found.generations.len();
        let mut opened = Vec::new();
        for (i, (number, path)) in found.generations.into_iter().enumerate() {
            // The last that holds frames takes the next; an empty one behind it is the one after that.
            let appends = i + 2 >= count;
            let generation = if appends { Generation::open_to_append(&path) } else { Generation::open(&path) }?;
            shelf.next_number = number + 1;
            opened.push((path, Arc::new(generation)));
        }
        if opened.is_empty() {
            let path = directory.join(generation::folder(0));
            let generation = Generation::create(directory, 0)?;
            shelf.next_number = 1;
            opened.push((path, Arc::new(generation)));
        }
        for (path, generation) in opened {
            if let Some(sealed) = sealed_from(&shelf.sealed, &generation)? {
                // It goes only if what remains is whole.
                sealed.check()?;
                generation.retire();
                shelf.retired.push(generation);
                continue;
            }
            shelf.join(&mut joint, &path, generation)?;
        }
        if shelf.generations.is_empty() {
            match shelf.spare.take() {
                Some(generation) => shelf.generations.push(Part { first: joint.position, generation }),
                None => {
                    let what = "no database is there behind the sealed files".to_owned();
                    return Err(damaged(joint.position, what));
                }
            }
        }
        Ok(shelf)
    }

    fn join(&mut self, joint: &mut Joint, path: &Path, generation: Arc<Generation>) -> Result<(), LogError> {
        let path = path.display().to_string();
        if self.spare.is_some() {
            return Err(damaged(joint.position, format!("no frame is there before {path}")));
        }
        // What stood last is full, and how far it reaches is what the next must follow.
        if let Some((last, bytes)) = self.generations.last().map(|p| p.generation.last()).transpose()?.flatten() {
            let link = frame::link(last, &bytes)?;
            *joint = Joint { position: link.end, digest: Some(link.digest) };
        }
        match generation.first()? {
            None => self.spare = Some(generation),
            Some((first, bytes)) => {
                // The walk over the log names what is wrong with a frame; here only a joint is looked at.
                let previous = frame::link(first, &bytes)?.previous;
                joint.follow(first, Some(previous), &path)?;
                self.generations.push(Part { first, generation });
            }
        }
        Ok(())
    }

    /// The end of what sealed files and databases hold.
    fn end(&self) -> Result<Joint, LogError> {
        if let Some((last, bytes)) = self.active().generation.last()? {
            let link = frame::link(last, &bytes)?;
            return Ok(Joint { position: link.end, digest: Some(link.digest) });
        }
        let sealed = self.sealed.last().map(|s| Joint { position: s.end(), digest: Some(s.digest()) });
        Ok(sealed.unwrap_or(Joint { position: 0, digest: None }))
    }

    fn active(&self) -> &Part {
        // There is always one: opening made sure, and only full ones before it are taken away.
        &self.generations[self.generations.len() - 1]
    }

    /// The oldest full generation, and the position at which the next begins.
    fn oldest_full(&self) -> Option<(Part, u64)> {
        match self.generations.as_slice() {
            [oldest, next, ..] => Some((oldest.clone(), next.first)),
            _ => None,
        }
    }
}

impl Joint {
    fn follow(&self, first: u64, before: Option<Digest>, name: &str) -> Result<(), LogError> {
        if first != self.position {
            let what = format!("{name} begins at {first}, what is before it ends at {}", self.position);
            return Err(damaged(first.min(self.position), what));
        }
        if self.digest.is_some() && before != self.digest {
            return Err(damaged(first, format!("{name} does not follow what is before it")));
        }
        Ok(())
    }
}

impl Shared {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Parts are moved whole, so a panic elsewhere leaves no half-made shelf.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a note of a failure for the next opening.
    fn noted<T>(&self, outcome: Result<T, LogError>) -> Result<T, LogError> {
        if outcome.is_err()
            && let Err(e) = std::fs::File::create(self.directory.join(FAILED))
        {
            tracing::warn!("{}: {e}; restart the machine, not only the server", self.directory.join(FAILED).display());
        }
        outcome
    }

    fn nearly_full(&self) -> u64 {
        self.roll.at / 4 * 3
    }

    fn ask(&self, shelf: &mut Shelf) {
        shelf.asked += 1;
        self.changed.notify_all();
    }

    fn stops(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn behind(&self) -> MutexGuard<'_, Behind> {
        // Numbers, each of which is true by itself.
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to which end of the journal the database is durable.
    fn durable_up_to(&self) -> Result<u64, LogError> {
        let behind = self.behind();
        behind.failed.clone().map_or(Ok(behind.done), Err)
    }

    /// The syncing thread.
    fn sync_behind(&self) {
        loop {
            let asked = {
                let idle =
                    |behind: &mut Behind| (behind.asked <= behind.done || behind.failed.is_some()) && !self.stops();
                let behind = self.behind_changed.wait_while(self.behind(), idle);
                behind.unwrap_or_else(PoisonError::into_inner).asked
            };
            if self.stops() {
                return;
            }
            // What was appended by then is in this generation, or in one that was synced before this began.
            let active = Arc::clone(&self.shelf().active().generation);
            let outcome = self.noted(active.sync());
            drop(active);
            let mut behind = self.behind();
            match outcome {
                Ok(()) => behind.done = asked,
                Err(e) => {
                    tracing::error!("what was appended cannot be made durable in the database: {e}");
                    behind.failed = Some(e);
                }
            }
        }
    }

    /// The sealing thread.
    fn run(&self) {
        let mut pause = None;
        loop {
            let asked = {
                let mut shelf = self.shelf();
                if let Some(pause) = pause {
                    let waited = self.changed.wait_timeout_while(shelf, pause, |_| !self.stops());
                    shelf = waited.unwrap_or_else(PoisonError::into_inner).0;
                } else {
                    let idle = |shelf: &mut Shelf| shelf.asked == shelf.done && !self.stops();
                    let waited = self.changed.wait_while(shelf, idle);
                    shelf = waited.unwrap_or_else(PoisonError::into_inner);
                }
                shelf.asked
            };
            if self.stops() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| self.work()));
            let outcome = outcome.unwrap_or_else(|_| {
                let what = "the sealing thread met a defect, which it has printed".to_owned();
                Err(damaged(0, what))
            });
            let mut shelf = self.shelf();
            pause = match &outcome {
                Ok(()) if !shelf.retired.is_empty() => Some(READERS_PAUSE),
                Err(LogError::Unavailable(_)) => Some(TROUBLE_PAUSE),
                // What is damaged is so the next time, too: it is tried again when there is more to seal.
                Ok(()) | Err(LogError::Damaged { .. }) => None,
            };
            if pause.is_none() {
                shelf.done = asked;
            }
            shelf.trouble = outcome.err();
            if let Some(trouble) = &shelf.trouble {
                tracing::error!("the full part of the log stays as it is for now: {trouble}");
            }
            self.changed.notify_all();
        }
    }

    fn work(&self) -> Result<(), LogError> {
        self.make_spare()?;
        while let Some((part, end)) = { self.shelf().oldest_full() } {
            let Some(sealed) = self.seal(&part, end)? else { return Ok(()) };
            let mut shelf = self.shelf();
            shelf.sealed.push(Arc::new(sealed));
            let full = shelf.generations.remove(0).generation;
            full.retire();
            shelf.retired.push(full);
            self.changed.notify_all();
            drop(shelf);
            drop(part);
            self.remove_retired()?;
            self.make_spare()?;
        }
        self.remove_retired()
    }

    fn make_spare(&self) -> Result<(), LogError> {
        let (number, active) = {
            let shelf = self.shelf();
            let active = &shelf.active().generation;
            let wanted = shelf.appends && active.bytes() >= self.nearly_full();
            if shelf.spare.is_some() || !wanted {
                return Ok(());
            }
            (shelf.next_number, Arc::clone(active))
        };
        (self.roll.announce)()?;
        // Nothing else makes sure of it: what was appended since the roll may be durable only in the journal, and what
        // is stored in bulk is not yet durable anywhere.
        self.noted(active.sync())?;
        drop(active);
        let generation = Arc::new(Generation::create(&self.directory, number)?);
        let mut shelf = self.shelf();
        shelf.spare = Some(generation);
        shelf.next_number = number + 1;
        self.changed.notify_all();
        Ok(())
    }

    /// Copies a full generation into a sealed file; nothing if the log is being closed.
    fn seal(&self, part: &Part, end: u64) -> Result<Option<Sealed>, LogError> {
        let mut draft = None;
        for stored in part.generation.frames(part.first) {
            if self.stops() {
                return Ok(None);
            }
            let (first, bytes) = stored?;
            let draft = match &mut draft {
                Some(draft) => draft,
                draft => {
                    let sealed = self.shelf().sealed.last().map(|s| s.digest());
                    let before = match sealed {
                        Some(digest) => digest,
                        None => frame::link(first, &bytes)?.previous,
                    };
                    draft.insert(Draft::begin(&self.directory, part.first, before)?)
                }
            };
            draft.push(first, &bytes)?;
        }
        match draft {
            Some(draft) if draft.end() == end => draft.finish().map(Some),
            draft => {
                let reached = draft.map_or(part.first, |d| d.end());
                let what = format!("the part from {} ends at {reached}, the next begins at {end}", part.first);
                Err(damaged(reached, what))
            }
        }
    }

    /// Removes the generations that nobody reads any more.
    fn remove_retired(&self) -> Result<(), LogError> {
        let retired = std::mem::take(&mut self.shelf().retired);
        let mut kept = Vec::new();
        let mut outcome = Ok(());
        for generation in retired {
            // Nobody gets a new hold of a retired one, so the last holder stays the last.
            match Arc::try_unwrap(generation) {
                Ok(generation) => outcome = outcome.and(generation.remove()),
                Err(generation) => kept.push(generation),
            }
        }
        self.shelf().retired.append(&mut kept);
        outcome
    }

    /// The part that holds `next` or, if none does, the first behind it; and where it ends, if it is full.
    fn part(&self, next: u64) -> Source {
        let shelf = self.shelf();
        let sealed = shelf.sealed.partition_point(|s| s.end() <= next);
        if let Some(sealed) = shelf.sealed.get(sealed) {
            return Source { frames: Box::new(sealed.frames(next)), end: Some(sealed.end()), generation: None };
        }
        let behind = shelf.generations.partition_point(|p| p.first <= next);
        let generation = Arc::clone(&shelf.generations[behind.saturating_sub(1)].generation);
        let end = shelf.generations.get(behind.max(1)).map(|p| p.first);
        drop(shelf);
        Source { frames: Box::new(generation.frames(next)), end, generation: Some(generation) }
    }
}

/// Where a reader stands.
struct Source {
    frames: Frames<'static>,
    /// The position after it, if it is full.
    end: Option<u64>,
    generation: Option<Arc<Generation>>,
}

/// Reads frames through all parts. It stands in one part at a time, and leaves a generation when that was sealed.
struct Reader<'a> {
    shared: &'a Shared,
    next: u64,
    /// Whether a frame was read: then only those that begin at `next` or behind it are new.
    begun: bool,
    source: Option<Source>,
    ended: bool,
}

impl Iterator for Reader<'_> {
    type Item = Result<(u64, Vec<u8>), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            if self.source.as_ref().is_some_and(|s| s.generation.as_ref().is_some_and(|g| g.is_retired())) {
                self.source = None;
            }
            let source = self.source.get_or_insert_with(|| self.shared.part(self.next));
            match source.frames.next() {
                Some(Ok((first, _))) if self.begun && first < self.next => {}
                Some(Ok((first, bytes))) => {
                    self.begun = true;
                    match first.checked_add(1) {
                        Some(next) => self.next = next,
                        None => self.ended = true,
                    }
                    return Some(Ok((first, bytes)));
                }
                Some(Err(e)) => {
                    self.ended = true;
                    return Some(Err(e));
                }
                None => match source.end {
                    Some(end) => {
                        self.next = self.next.max(end);
                        self.source = None;
                    }
                    None => self.ended = true,
                },
            }
        }
        self.source = None;
        None
    }
}

impl Drop for SledLog {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // Under the lock: a thread either waits, or has yet to look.
        drop(self.shared.shelf());
        self.shared.changed.notify_all();
        drop(self.shared.behind());
        self.shared.behind_changed.notify_all();
        for thread in self.threads.drain(..) {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!("the thread {name} stopped with a defect");
            }
        }
    }
}

impl EventLog for SledLog {
    fn append(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        if frames.is_empty() {
            return Ok(());
        }
        let journaled = self.shared.noted(self.journaled(frames))?;
        self.put(frames)?;
        if !journaled {
            return self.sync();
        }
        self.keep_up();
        Ok(())
    }

    fn store(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        if frames.is_empty() {
            return Ok(());
        }
        self.wait_in_bulk()?;
        self.put(frames)
    }

    fn sync(&self) -> Result<(), LogError> {
        let active = Arc::clone(&self.shared.shelf().active().generation);
        self.shared.noted(active.sync())
    }

    fn frames(&self, from: u64) -> Frames<'_> {
        Box::new(Reader { shared: &self.shared, next: from, begun: false, source: None, ended: false })
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
