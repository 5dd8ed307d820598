//! A disk as the kernel sees it: what was called on the files under a root, in one order, and the faults it is told to
//! have. Does not know what a power cut leaves of it: that is `platter`'s.
//!
//! Calls go on to the real files, which are what a process reads as long as the power is on. Only a sync ends here:
//! what it means is decided by `platter`, and so tests do not wait for a real disk.

use super::calls::{Answer, kernel};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// A file or a directory, whatever it is called at the moment.
pub(crate) type Node = u32;

/// The root of a disk, which is there for ever.
pub(crate) const ROOT: Node = 0;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Bytes were written.
    Write { file: Node, offset: u64, bytes: Vec<u8> },
    /// A file got another length.
    Resize { file: Node, length: u64 },
    /// A directory got an entry.
    Enter { directory: Node, name: String, node: Node, is_directory: bool },
    /// A directory lost an entry.
    Leave { directory: Node, name: String },
    /// An entry got another name, in the place of what had that name.
    Move { directory: Node, from: String, to: String, node: Node },
    /// A sync began: what was called before is meant by it. `data_only` is `fdatasync`.
    SyncBegun { node: Node, ticket: u64, data_only: bool },
    /// The sync with this ticket returned.
    SyncEnded { ticket: u64, well: bool },
    /// Somebody was promised that this many records are durable.
    Acknowledged(u64),
}

/// How a disk is ill. `Default` is a disk that is well.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// How many more bytes files may grow by before `ENOSPC`; without end if none.
    pub(crate) space: Option<u64>,
    /// Every write says `EIO`.
    pub(crate) writes_fail: bool,
    /// How many more syncs say `EIO`. The kernel then takes what it could not write for written: the next sync knows
    /// nothing of it, and it can be read until the kernel's memory of the file is dropped.
    pub(crate) syncs_fail: u32,
    /// Writes and syncs wait until this is taken back.
    pub(crate) stalled: bool,
    /// How long a sync takes, in microseconds: up to this, by chance.
    pub(crate) sync_micros: u64,
}

/// What lay where something was written.
struct Before {
    step: usize,
    offset: u64,
    bytes: Vec<u8>,
    length: u64,
}

struct Held {
    names: HashMap<PathBuf, Node>,
    lengths: HashMap<Node, u64>,
    next: Node,
    tickets: u64,
    steps: Vec<Step>,
    faults: Faults,
    /// What lay under the writes that no sync was meant by yet, and under those that a failed sync was meant by.
    unsynced: HashMap<Node, Vec<Before>>,
    lost: HashMap<Node, Vec<Before>>,
    /// How many calls wait for the end of a stall.
    waiting: u32,
}

/// All that happens under one root.
pub(crate) struct Disk {
    root: PathBuf,
    held: Mutex<Held>,
    changed: Condvar,
}

/// The files of disks behind the descriptors of this process.
type Descriptors = HashMap<i32, (Arc<Disk>, Node)>;

static DISKS: RwLock<Vec<Arc<Disk>>> = RwLock::new(Vec::new());
static OPEN: LazyLock<RwLock<Descriptors>> = LazyLock::new(Default::default);

/// The disk and the file behind a descriptor, if it is of any.
pub(crate) fn of(fd: i32) -> Option<(Arc<Disk>, Node)> {
    OPEN.read().unwrap_or_else(PoisonError::into_inner).get(&fd).cloned()
}

/// The descriptor is about to be closed.
pub(crate) fn forget(fd: i32) {
    if of(fd).is_some() {
        OPEN.write().unwrap_or_else(PoisonError::into_inner).remove(&fd);
    }
}

/// What lies under a root at one moment: paths relative to it, in an order in which directories come first; `None` for
/// a directory, its bytes for a file.
pub(crate) fn contents(root: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    fn walk(root: &Path, at: &Path, found: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(at).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.strip_prefix(root).unwrap().to_owned();
            if path.is_dir() {
                found.push((name, None));
                walk(root, &path, found);
            } else {
                found.push((name, Some(std::fs::read(&path).unwrap())));
            }
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found
}

impl Disk {
    /// Watches all that happens under `root`, an absolute path, from now on. What is there gets the numbers 1, 2, … in
    /// the order of [`contents`].
    pub(crate) fn under(root: &Path) -> Arc<Disk> {
        let mut names = HashMap::from([(root.to_owned(), ROOT)]);
        let mut lengths = HashMap::new();
        let mut next = ROOT + 1;
        for (name, bytes) in contents(root) {
            names.insert(root.join(name), next);
            lengths.insert(next, bytes.map_or(0, |b| b.len() as u64));
            next += 1;
        }
        let held = Held {
            names,
            lengths,
            next,
            tickets: 0,
            steps: Vec::new(),
            faults: Faults::default(),
            unsynced: HashMap::new(),
            lost: HashMap::new(),
            waiting: 0,
        };
        let disk = Arc::new(Disk { root: root.to_owned(), held: Mutex::new(held), changed: Condvar::new() });
        DISKS.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&disk));
        disk
    }

    /// The disk on which `path` lies, if it is one of a test.
    pub(crate) fn at(path: &Path) -> Option<Arc<Disk>> {
        DISKS.read().unwrap_or_else(PoisonError::into_inner).iter().find(|d| path.starts_with(&d.root)).cloned()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is watched any more; what happened.
    pub(crate) fn finish(&self) -> Vec<Step> {
        DISKS.write().unwrap_or_else(PoisonError::into_inner).retain(|d| d.root != self.root);
        OPEN.write().unwrap_or_else(PoisonError::into_inner).retain(|_, (disk, _)| disk.root != self.root);
        std::mem::take(&mut self.held().steps)
    }

    /// How many things happened so far.
    pub(crate) fn steps(&self) -> usize {
        self.held().steps.len()
    }

    /// Somebody was told that this many records are durable.
    pub(crate) fn acknowledged(&self, records: u64) {
        self.held().steps.push(Step::Acknowledged(records));
    }

    /// The disk falls ill, or gets well.
    pub(crate) fn set(&self, faults: Faults) {
        self.held().faults = faults;
        self.changed.notify_all();
    }

    /// Waits until a call waits for the end of a stall.
    pub(crate) fn wait_for_a_stalled_call(&self) {
        let mut held = self.held();
        while held.waiting == 0 {
            let (again, timed_out) =
                self.changed.wait_timeout(held, Duration::from_secs(60)).unwrap_or_else(PoisonError::into_inner);
            held = again;
            assert!(!timed_out.timed_out(), "nobody writes or syncs");
        }
    }

    /// The lock, when the disk does not stall.
    fn awake(&self) -> MutexGuard<'_, Held> {
        let mut held = self.held();
        if held.faults.stalled {
            held.waiting += 1;
            self.changed.notify_all();
            while held.faults.stalled {
                held = self.changed.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
            held.waiting -= 1;
        }
        held
    }

    pub(crate) fn write(
        &self,
        fd: i32,
        file: Node,
        bytes: &[u8],
        offset: u64,
        write: impl Fn(&[u8]) -> Answer<isize>,
    ) -> Answer<isize> {
        let mut held = self.awake();
        if held.faults.writes_fail {
            return Err(libc::EIO);
        }
        let length = held.lengths.get(&file).copied().unwrap_or(0);
        let grown = (offset + bytes.len() as u64).saturating_sub(length);
        let missing = held.faults.space.map_or(0, |space| grown.saturating_sub(space)) as usize;
        // What still fits is written, as a kernel does it: the caller has to notice the short write and try again.
        let part = &bytes[..bytes.len().saturating_sub(missing)];
        if part.is_empty() && !bytes.is_empty() {
            return Err(libc::ENOSPC);
        }
        let before = kernel::read(fd, part.len(), offset);
        let before = Before { step: held.steps.len(), offset, bytes: before, length };
        let written = write(part)?;
        held.unsynced.entry(file).or_default().push(before);
        let bytes = part[..written as usize].to_vec();
        let end = offset + bytes.len() as u64;
        if let Some(space) = &mut held.faults.space {
            *space -= end.saturating_sub(length);
        }
        held.lengths.insert(file, length.max(end));
        held.steps.push(Step::Write { file, offset, bytes });
        Ok(written)
    }

    pub(crate) fn resize(&self, file: Node, length: u64, resize: impl Fn() -> Answer<i32>) -> Answer<i32> {
        let mut held = self.awake();
        let answer = resize()?;
        held.lengths.insert(file, length);
        held.steps.push(Step::Resize { file, length });
        Ok(answer)
    }

    pub(crate) fn sync(&self, node: Node, data_only: bool) -> Answer<i32> {
        let mut held = self.held();
        held.tickets += 1;
        let ticket = held.tickets;
        let begun = held.steps.len();
        held.steps.push(Step::SyncBegun { node, ticket, data_only });
        let most = held.faults.sync_micros;
        drop(held);
        if most > 0 {
            // Other calls happen while the disk is at work.
            let micros = ticket.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
            std::thread::sleep(Duration::from_micros(micros % most));
        }
        let mut held = self.awake();
        let well = held.faults.syncs_fail == 0;
        held.faults.syncs_fail = held.faults.syncs_fail.saturating_sub(1);
        let unsynced = held.unsynced.remove(&node).unwrap_or_default();
        let (meant, later) = unsynced.into_iter().partition(|before| before.step < begun);
        held.unsynced.insert(node, later);
        if !well {
            held.lost.entry(node).or_default().append(&mut { meant });
        }
        held.steps.push(Step::SyncEnded { ticket, well });
        if well { Ok(0) } else { Err(libc::EIO) }
    }

    /// The kernel's memory of a file is dropped: what a failed sync did not write cannot be read any more.
    pub(crate) fn drop_memory(&self, fd: i32, node: Node) -> Answer<i32> {
        let mut held = self.awake();
        for before in held.lost.remove(&node).unwrap_or_default().iter().rev() {
            kernel::restore(fd, &before.bytes, before.offset, before.length)?;
            held.lengths.insert(node, before.length);
        }
        Ok(0)
    }

    pub(crate) fn open(self: &Arc<Disk>, path: &Path, flags: i32, open: impl Fn() -> Answer<i32>) -> Answer<i32> {
        let mut held = self.awake();
        let fd = open()?;
        let node = match held.names.get(path) {
            Some(node) => *node,
            None => held.enter(path, false),
        };
        if flags & libc::O_TRUNC != 0 && held.lengths.get(&node).is_some_and(|n| *n > 0) {
            held.lengths.insert(node, 0);
            held.steps.push(Step::Resize { file: node, length: 0 });
        }
        drop(held);
        OPEN.write().unwrap_or_else(PoisonError::into_inner).insert(fd, (Arc::clone(self), node));
        Ok(fd)
    }

    pub(crate) fn make_directory(&self, path: &Path, make: impl Fn() -> Answer<i32>) -> Answer<i32> {
        let mut held = self.awake();
        let answer = make()?;
        held.enter(path, true);
        Ok(answer)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path, rename: impl Fn() -> Answer<i32>) -> Answer<i32> {
        let mut held = self.awake();
        let answer = rename()?;
        let (directory, old) = held.entry(from);
        let (_, new) = held.entry(to);
        assert_eq!(from.parent(), to.parent(), "moves between directories are not modelled");
        // What lies below a directory moves with it.
        let below: Vec<PathBuf> = held.names.keys().filter(|p| p.starts_with(from)).cloned().collect();
        for path in below {
            let node = held.names.remove(&path).unwrap();
            let moved = path.strip_prefix(from).unwrap();
            let moved = if moved.as_os_str().is_empty() { to.to_owned() } else { to.join(moved) };
            held.names.insert(moved, node);
        }
        let node = held.names[to];
        held.steps.push(Step::Move { directory, from: old, to: new, node });
        Ok(answer)
    }

    pub(crate) fn remove(&self, path: &Path, remove: impl Fn() -> Answer<i32>) -> Answer<i32> {
        let mut held = self.awake();
        let answer = remove()?;
        if path == self.root {
            // The test is over.
            return Ok(answer);
        }
        let (directory, name) = held.entry(path);
        held.names.remove(path);
        held.steps.push(Step::Leave { directory, name });
        Ok(answer)
    }
}

impl Held {
    fn entry(&self, path: &Path) -> (Node, String) {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name of the engine or of sled");
        (self.names[path.parent().expect("below a root")], name.to_owned())
    }

    fn enter(&mut self, path: &Path, is_directory: bool) -> Node {
        let (directory, name) = self.entry(path);
        let node = self.next;
        self.next += 1;
        self.names.insert(path.to_owned(), node);
        self.lengths.insert(node, 0);
        self.steps.push(Step::Enter { directory, name, node, is_directory });
        node
    }
}
