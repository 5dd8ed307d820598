//! One contract for every home of frames: what is said here of the log holds in memory and on sled alike.
//!
//! A home that is added later joins `Home::all` and must pass as it is.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, identity};
use dunghen_engine::log::{EventLog, Head, Log, LogError, MemoryLog, Roll, SledLog};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// A place that can be opened again and again, as a process that restarts does.
enum Home {
    Memory(Arc<MemoryLog>),
    Sled(TempDir),
    Rolled(TempDir),
}

/// So small a limit that each larger group fills a database, which is sealed before the next group comes.
const TINY: u64 = 500;

struct Settled(SledLog);

impl EventLog for Settled {
    fn append(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        self.0.settle()?;
        self.0.append(frames)
    }
    fn frames(&self, from: u64) -> dunghen_engine::log::Frames<'_> {
        self.0.frames(from)
    }
    fn head_at_open(&self) -> Head {
        self.0.head_at_open()
    }
    fn write_head(&self, head: &Head, sync: bool) -> Result<(), LogError> {
        self.0.write_head(head, sync)
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        // Whoever opens next finds a log in as many parts as it can be.
        self.0.settle().unwrap();
    }
}

impl Home {
    fn all() -> [Home; 3] {
        let directory = || {
            let directory = tempfile::tempdir().unwrap();
            SledLog::create(directory.path(), &Head { length: 0, digest: identity() }).unwrap();
            directory
        };
        [Home::Memory(Arc::new(MemoryLog::new(identity()))), Home::Sled(directory()), Home::Rolled(directory())]
    }

    fn name(&self) -> &'static str {
        match self {
            Home::Memory(_) => "memory",
            Home::Sled(_) => "sled",
            Home::Rolled(_) => "rolled",
        }
    }

    fn home(&self) -> Box<dyn EventLog> {
        match self {
            Home::Memory(log) => Box::new(Arc::clone(log)),
            Home::Rolled(directory) => {
                Box::new(Settled(SledLog::open(directory.path(), Roll::unannounced(TINY)).unwrap()))
            }
            Home::Sled(directory) => Box::new(SledLog::open(directory.path(), Roll::unannounced(Roll::AT)).unwrap()),
        }
    }

    fn open(&self) -> (Log, Vec<Vec<u8>>) {
        opened(self.home())
    }
}

fn opened(home: Box<dyn EventLog>) -> (Log, Vec<Vec<u8>>) {
    let mut seen = Vec::new();
    let log = Log::open(home, identity(), |position, bytes| {
        assert_eq!(position, seen.len() as u64, "positions have no gap");
        seen.push(bytes.to_vec());
        Ok(())
    });
    (log.unwrap(), seen)
}

fn read(log: &Log, from: u64) -> Vec<(u64, Vec<u8>)> {
    log.read(from).collect::<Result<_, _>>().unwrap()
}

/// Appends groups of these sizes and returns everything that is in the log then.
fn fill(log: &Log, noise: &mut Noise, sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for size in sizes {
        let group: Vec<Vec<u8>> = (0..*size).map(|i| noise.bytes(i % 200 + 1)).collect();
        let before = log.length();
        assert_eq!(log.append(&group).unwrap(), before, "a group begins where the log ended");
        assert_eq!(log.length(), before + *size as u64);
        all.extend(group);
    }
    all
}

const SIZES: [usize; 9] = [1, 2, 1, 17, 1, 900, 3, 64, 1];

#[test]
fn what_was_appended_is_read_back_from_everywhere() {
    for home in Home::all() {
        let (log, seen) = home.open();
        assert_eq!((log.length(), seen.len()), (0, 0), "{}", home.name());
        let all = fill(&log, &mut Noise(1), &SIZES);
        for (position, record) in all.iter().enumerate() {
            assert_eq!(&log.get(position as u64).unwrap(), record, "{} {position}", home.name());
        }
        // Whole frames, their middles, and both sides of each border of a group.
        for from in [0, 1, 2, 3, 4, 20, 21, 22, 23, 100, 500, 921, 922, 923, 988, all.len() - 1, all.len()] {
            let expected: Vec<(u64, Vec<u8>)> = (from as u64..).zip(all[from..].iter().cloned()).collect();
            assert_eq!(read(&log, from as u64), expected, "{} from {from}", home.name());
        }
        assert!(read(&log, all.len() as u64 + 7).is_empty());
        assert!(matches!(log.get(all.len() as u64), Err(LogError::Damaged { position: 990, .. })), "not there");
    }
}

#[test]
fn reopening_gives_the_same_records_and_goes_on() {
    for home in Home::all() {
        let mut all = Vec::new();
        let mut noise = Noise(2);
        for round in 0..4 {
            let (log, seen) = home.open();
            assert_eq!(seen, all, "{} round {round}", home.name());
            all.extend(fill(&log, &mut noise, &SIZES[round..]));
            // Once with a clean stop, once as if the process had just gone.
            if round % 2 == 0 {
                log.close().unwrap();
            }
        }
        assert_eq!(home.open().1, all, "{}", home.name());
        if let Home::Rolled(directory) = &home {
            let sealed = std::fs::read_dir(directory.path().join("sealed")).unwrap().count();
            assert!(sealed > 4, "only {sealed} sealed files");
        }
    }
}

#[test]
fn an_empty_group_is_nothing() {
    for home in Home::all() {
        let (log, _) = home.open();
        assert_eq!(log.append(&[]).unwrap(), 0);
        fill(&log, &mut Noise(3), &[5]);
        assert_eq!(log.append(&[]).unwrap(), 5);
        assert_eq!((log.length(), read(&log, 0).len()), (5, 5), "{}", home.name());
        drop(log);
        assert_eq!(home.open().1.len(), 5, "{}", home.name());
    }
}

#[test]
fn large_records_and_large_groups() {
    for home in Home::all() {
        let (log, _) = home.open();
        let mut noise = Noise(4);
        // Random bytes cannot be compressed; equal bytes become next to nothing.
        let mut group: Vec<Vec<u8>> = (0..40).map(|_| noise.bytes(8 * 1024)).collect();
        group.extend((0..40_u8).map(|i| vec![i; 8 * 1024]));
        group.push(Vec::new());
        group.extend((0..5000).map(|i| noise.bytes(i % 64)));
        log.append(&group).unwrap();
        assert_eq!(read(&log, 0).into_iter().map(|(_, r)| r).collect::<Vec<_>>(), group, "{}", home.name());
        drop(log);
        let frames = home.home().frames(0).count();
        assert!(frames > 40, "{}: a large group lies in several frames, here {frames}", home.name());
        assert_eq!(home.open().1, group, "{}", home.name());
    }
}

#[test]
fn a_record_that_could_not_be_read_back_is_not_taken() {
    for home in Home::all() {
        let (log, _) = home.open();
        let all = fill(&log, &mut Noise(5), &[3]);
        assert!(log.append(&[vec![7; (1 << 20) + 1]]).is_err(), "{}", home.name());
        drop(log);
        assert_eq!(home.open().1, all, "{}", home.name());
    }
}

#[test]
fn chain_and_head_are_kept() {
    for home in Home::all() {
        let (log, _) = home.open();
        fill(&log, &mut Noise(6), &SIZES);
        log.close().unwrap();
        drop(log);
        let stored = home.home();
        let head = stored.head_at_open();
        assert_eq!(head.length, 990, "{}", home.name());
        // The digest that a frame names is bytes 12 to 43; the first names the log itself.
        let frames: Vec<(u64, Vec<u8>)> = stored.frames(0).collect::<Result<_, _>>().unwrap();
        assert_eq!(frames[0].1[12..44], identity(), "{}", home.name());
        let names: std::collections::HashSet<&[u8]> = frames.iter().map(|(_, bytes)| &bytes[12..44]).collect();
        assert_eq!(names.len(), frames.len(), "{}: each frame has a predecessor of its own", home.name());
        assert!(!names.contains(&head.digest[..]), "{}: the head names the last frame", home.name());
        drop(stored);
        // Another log's identity does not open it.
        let other = dunghen_engine::log::genesis("another log");
        let refused = Log::open(home.home(), other, |_, _| Ok(())).map(|_| ());
        assert!(matches!(refused, Err(LogError::Damaged { position: 0, .. })), "{}: {refused:?}", home.name());
    }
}

#[test]
fn an_error_of_the_visitor_is_passed_on() {
    for home in Home::all() {
        let (log, _) = home.open();
        fill(&log, &mut Noise(7), &[10]);
        drop(log);
        let stop = LogError::Damaged { position: 4, what: "no record".to_owned() };
        let refused = Log::open(home.home(), identity(), |p, _| if p == 4 { Err(stop.clone()) } else { Ok(()) });
        assert_eq!(refused.map(|_| ()).unwrap_err(), stop, "{}", home.name());
    }
}

/// A home whose disk fails when told to, before or after the frames reached it.
struct Failing {
    inner: Box<dyn EventLog>,
    before: Arc<AtomicBool>,
    head: Arc<AtomicBool>,
}

impl EventLog for Failing {
    fn append(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        if self.before.load(Ordering::SeqCst) {
            return Err(LogError::Unavailable("disk full".to_owned()));
        }
        self.inner.append(frames)
    }
    fn frames(&self, from: u64) -> dunghen_engine::log::Frames<'_> {
        self.inner.frames(from)
    }
    fn head_at_open(&self) -> Head {
        self.inner.head_at_open()
    }
    fn write_head(&self, head: &Head, sync: bool) -> Result<(), LogError> {
        if self.head.load(Ordering::SeqCst) {
            return Err(LogError::Unavailable("disk full".to_owned()));
        }
        self.inner.write_head(head, sync)
    }
}

#[test]
fn a_failed_append_harms_nothing_that_was_acknowledged() {
    for home in Home::all() {
        let (before, head) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let failing = || {
            let failing = Failing { inner: home.home(), before: Arc::clone(&before), head: Arc::clone(&head) };
            opened(Box::new(failing)).0
        };
        let log = failing();
        let mut all = fill(&log, &mut Noise(8), &[4, 40]);
        before.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            assert!(matches!(log.append(&[b"lost".to_vec()]), Err(LogError::Unavailable(_))), "{}", home.name());
            assert_eq!((log.length(), read(&log, 0).len()), (44, 44), "{}", home.name());
        }
        before.store(false, Ordering::SeqCst);
        drop(log);
        // The group that reached the disk while its head did not has an unknown outcome; it may be found again.
        let log = failing();
        head.store(true, Ordering::SeqCst);
        let group = vec![b"head was not written".to_vec()];
        assert!(log.append(&group).is_err(), "{}", home.name());
        head.store(false, Ordering::SeqCst);
        drop(log);
        all.extend(group);
        let (log, seen) = home.open();
        assert_eq!(seen, all, "{}", home.name());
        all.extend(fill(&log, &mut Noise(9), &[2]));
        drop(log);
        assert_eq!(home.open().1, all, "{}", home.name());
    }
}

#[test]
fn a_memory_log_told_to_fail_stores_nothing() {
    let memory = Arc::new(MemoryLog::new(identity()));
    let (log, _) = opened(Box::new(Arc::clone(&memory)));
    let all = fill(&log, &mut Noise(10), &[4]);
    memory.fail(true);
    assert!(matches!(log.append(&[b"x".to_vec()]), Err(LogError::Unavailable(_))));
    memory.fail(false);
    assert_eq!(opened(Box::new(memory)).1, all);
}
