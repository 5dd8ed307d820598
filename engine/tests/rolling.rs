//! The log that rolls: whatever part a frame lies in, it is read once; whatever moment a crash chooses, the directory
//! opens whole; whatever is damaged in a sealed file is named.
//!
//! The states that a crash leaves are built from copies of a directory before and after sealing.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Noise, TestClock, at, command, copy, options, processed, received, send};
use dunghen_engine::bulk::{Bulk, Chronicle, encode};
use dunghen_engine::directory::{Directory, New, read_identity};
use dunghen_engine::dossier::Command;
use dunghen_engine::log::{Digest, EventLog, Finding, Inspected, Log, LogError, Records, Roll, SledLog, inspect};
use dunghen_engine::record::Record;
use dunghen_engine::time::Zone;
use dunghen_engine::{Engine, Health, Options, Purpose, ReplayFilter, verify};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use tempfile::TempDir;

/// So small that every group fills a generation.
const TINY: u64 = 1000;

/// A home, the log over it, and the records that opening read.
type Opened = (Arc<SledLog>, Log, Vec<Vec<u8>>);

/// A data directory whose log is filled by hand.
struct Place {
    home: TempDir,
    genesis: Digest,
}

impl Place {
    fn new() -> Place {
        let home = tempfile::tempdir().unwrap();
        let new = New { zone: Zone::VIETNAM, rules: None };
        let genesis = Directory::open(&home.path().join("data"), None, Some(new)).unwrap().genesis();
        Place { home, genesis }
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A copy, as a process that is killed now would leave it.
    fn copy(&self) -> Place {
        let home = tempfile::tempdir().unwrap();
        copy(&self.path(), &home.path().join("data"));
        Place { home, genesis: self.genesis }
    }

    fn open(&self, roll: Roll) -> Result<Opened, LogError> {
        let home = Arc::new(SledLog::open(&self.path(), roll)?);
        let mut seen = Vec::new();
        let log = Log::open(Box::new(Arc::clone(&home)), self.genesis, |position, bytes| {
            assert_eq!(position, seen.len() as u64);
            seen.push(bytes.to_vec());
            Ok(())
        })?;
        Ok((home, log, seen))
    }

    /// After a clean stop the journal holds nothing that is not elsewhere; but with it opening would mend what is to be
    /// found broken.
    fn forget_journal(&self) {
        fs::remove_file(self.path().join("journal")).unwrap();
    }

    fn inspect(&self) -> (u64, Vec<Finding>) {
        let scratch = tempfile::tempdir().unwrap();
        let before = snapshot(&self.path());
        let looked = match Inspected::open(&self.path(), scratch.path()) {
            Ok(home) => inspect(&home, self.genesis, |_, _, _| {}),
            Err(LogError::Damaged { position, what }) => (0, vec![Finding { position, what }]),
            Err(e) => panic!("{e}"),
        };
        assert_eq!(snapshot(&self.path()), before, "looking changes nothing");
        looked
    }

    fn sealed(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join("sealed")) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
        files.sort();
        files
    }

    fn generations(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|n| n.starts_with("log")).collect();
        names.sort();
        names
    }
}

fn snapshot(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(snapshot(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn group(noise: &mut Noise, size: usize) -> Vec<Vec<u8>> {
    (0..size).map(|i| noise.bytes(i % 200 + 40)).collect()
}

fn read(log: &Log) -> Vec<Vec<u8>> {
    let read = log.read(0).collect::<Result<Vec<_>, _>>().unwrap();
    assert!(read.iter().zip(0..).all(|((position, _), n)| *position == n), "every record once, in order");
    read.into_iter().map(|(_, bytes)| bytes).collect()
}

/// A directory of `groups` groups, all but the last sealed; and its records.
fn filled(groups: usize) -> (Place, Vec<Vec<u8>>) {
    let place = Place::new();
    let (home, log, _) = place.open(Roll::unannounced(TINY)).unwrap();
    let mut noise = Noise(groups as u64);
    let mut all = Vec::new();
    for n in 0..groups {
        let records = group(&mut noise, 30 + n);
        log.append(&records.iter().collect()).unwrap();
        all.extend(records);
        home.settle().unwrap();
    }
    assert_eq!(home.parts(), (groups - 1, 1));
    log.close().unwrap();
    place.forget_journal();
    (place, all)
}

/// A log that rolled once and was not sealed: its thread was kept from going on after the roll.
fn rolled_not_sealed() -> (Place, Vec<Vec<u8>>) {
    let place = Place::new();
    let announced = AtomicU32::new(0);
    let announce = move || match announced.fetch_add(1, Ordering::SeqCst) {
        // The journal, and the second generation.
        0 | 1 => Ok(()),
        _ => Err(LogError::Unavailable("not now".to_owned())),
    };
    let (home, log, _) = place.open(Roll { at: TINY, announce: Box::new(announce) }).unwrap();
    let mut noise = Noise(77);
    let mut all = Vec::new();
    for (n, size) in [5, 40, 40, 40].into_iter().enumerate() {
        let records = group(&mut noise, size);
        log.append(&records.iter().collect()).unwrap();
        all.extend(records);
        assert_eq!(home.settle().is_err(), n > 1, "the third announcement fails");
    }
    assert_eq!(home.parts(), (0, 2));
    log.close().unwrap();
    drop((log, home));
    place.forget_journal();
    assert_eq!(place.generations(), ["log", "log.0000000001"]);
    assert!(place.sealed().is_empty());
    (place, all)
}

fn whole(place: &Place, all: &[Vec<u8>], name: &str) {
    assert_eq!(place.inspect(), (all.len() as u64, vec![]), "{name}: as it was found");
    let (home, log, seen) = place.open(Roll::unannounced(TINY)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(seen, all, "{name}");
    home.settle().unwrap();
    assert_eq!(read(&log), all, "{name}: settled");
    let more = [b"one more".to_vec()];
    assert_eq!(log.append(&more.iter().collect()).unwrap(), all.len() as u64);
    home.settle().unwrap();
    let (sealed, generations) = home.parts();
    assert!(sealed > 0 && generations == 1, "{name}: {sealed} sealed, {generations} generations");
    drop((log, home));
    let left: Vec<String> = place.generations();
    assert!(left.iter().all(|n| !n.ends_with(".new") && !n.ends_with(".removed")), "{name}: {left:?}");
    assert!(place.sealed().iter().all(|f| f.extension().unwrap() == "frames"), "{name}");
    let (_, log, seen) = place.open(Roll::unannounced(TINY)).unwrap();
    assert_eq!((&seen[..all.len()], &seen[all.len()..]), (all, &more[..]), "{name}: opened again");
    drop(log);
    assert_eq!(place.inspect(), (all.len() as u64 + 1, vec![]), "{name}: in the end");
}

#[test]
fn what_is_full_is_sealed_and_the_log_is_the_same() {
    let (place, all) = filled(5);
    assert_eq!(place.sealed().len(), 4);
    assert_eq!(place.generations().len(), 2, "one that grows and the one ready to follow: {:?}", place.generations());
    let names: Vec<_> = place.sealed().iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names[..2], ["00000000000000000000.frames", "00000000000000000030.frames"]);
    whole(&place, &all, "rolled");
}

#[test]
fn every_moment_a_crash_may_choose() {
    let (rolled, all) = rolled_not_sealed();
    let sealed = rolled.copy();
    let (home, log, _) = sealed.open(Roll::unannounced(TINY)).unwrap();
    home.settle().unwrap();
    drop((log, home));
    let file = sealed.sealed()[0].clone();
    let (file_name, bytes) = (file.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&file).unwrap());
    let log_folder = snapshot(&rolled.path().join("log"));
    let (ready, _) = filled(2);
    let state = |name: &str, change: &dyn Fn(&Path)| {
        let place = rolled.copy();
        change(&place.path());
        whole(&place, &all, name);
    };
    let put = |data: &Path, name: &str, bytes: &[u8]| {
        fs::create_dir_all(data.join("sealed")).unwrap();
        fs::write(data.join("sealed").join(name), bytes).unwrap();
    };
    let draft = format!("{file_name}.new");
    state("rolled", &|_| {});
    for (name, bytes) in
        [("snap.00000000000FFFFF.generating", &b""[..]), ("snap.0000000000000107.generating", &[7; 60])]
    {
        state(&format!("sled was opening: {name}"), &|data| {
            fs::write(data.join("log").join(name), bytes).unwrap();
            fs::write(data.join("log.0000000001").join(name), bytes).unwrap();
        });
    }
    state("an empty folder", &|data| fs::create_dir(data.join("sealed")).unwrap());
    for cut in [0, 7, 56, 60, 500, bytes.len() / 2, bytes.len() - 1, bytes.len()] {
        state(&format!("a draft of {cut} bytes"), &|data| put(data, &draft, &bytes[..cut]));
    }
    state("a draft in which blocks were never written", &|data| put(data, &draft, &vec![0; bytes.len()]));
    state("sealed, the generation still there", &|data| put(data, &file_name, &bytes));
    state("the generation renamed", &|data| {
        put(data, &file_name, &bytes);
        fs::rename(data.join("log"), data.join("log.removed")).unwrap();
    });
    for gone in log_folder.keys().filter(|p| p.is_file()) {
        let gone = gone.strip_prefix(rolled.path().join("log")).unwrap();
        state(&format!("the generation half removed: no {}", gone.display()), &|data| {
            put(data, &file_name, &bytes);
            fs::rename(data.join("log"), data.join("log.removed")).unwrap();
            fs::remove_file(data.join("log.removed").join(gone)).unwrap();
        });
    }
    state("the next generation half made", &|data| {
        fs::create_dir(data.join("log.0000000002.new")).unwrap();
        fs::write(data.join("log.0000000002.new/conf"), b"").unwrap();
    });
    state("the next generation made, nothing in it", &|data| {
        let empty = ready.path().join(&ready.generations()[1]);
        copy(&empty, &data.join("log.0000000002"));
    });
    whole(&sealed, &all, "sealed");
}

/// The first roll, before the second generation has a frame.
#[test]
fn a_crash_around_the_first_roll() {
    let place = Place::new();
    let (home, log, _) = place.open(Roll::unannounced(TINY)).unwrap();
    let mut all = group(&mut Noise(5), 40);
    log.append(&all.iter().collect()).unwrap();
    home.settle().unwrap();
    assert_eq!((place.generations().len(), home.parts()), (2, (0, 1)), "the next is ready");
    log.close().unwrap();
    let ready = place.copy();
    assert_eq!(ready.inspect(), (40, vec![]));
    let more = group(&mut Noise(6), 3);
    log.append(&more.iter().collect()).unwrap();
    home.settle().unwrap();
    // The full one is sealed, and the crash came before the group that began the next was on disk: in the journal or not.
    let begun = place.copy();
    fs::remove_dir_all(begun.path().join("log.0000000001")).unwrap();
    copy(&ready.path().join("log.0000000001"), &begun.path().join("log.0000000001"));
    let journaled = begun.copy();
    fs::copy(ready.path().join("journal"), begun.path().join("journal")).unwrap();
    fs::copy(ready.path().join("head"), begun.path().join("head")).unwrap();
    whole(&begun, &all, "sealed, nothing behind it");
    whole(&journaled, &[&all[..], &more].concat(), "sealed, what is behind it in the journal");
    let (home, log, seen) = ready.open(Roll::unannounced(TINY)).unwrap();
    assert_eq!(seen, all);
    all.extend(more);
    log.append(&all[40..].iter().collect()).unwrap();
    home.settle().unwrap();
    assert_eq!(home.parts(), (1, 1), "the one that was ready is used");
    assert_eq!(read(&log), all);
}

/// Opens a damaged directory: damage must be named by opening and by looking, and looking must change nothing.
fn damaged(place: &Place, name: &str) -> (u64, Vec<Finding>) {
    let (records, findings) = place.inspect();
    assert!(!findings.is_empty(), "{name}: verify sees nothing");
    match place.open(Roll::unannounced(TINY)) {
        Err(LogError::Damaged { position, what }) => {
            assert!(position <= records.max(findings[0].position), "{name}: {position} {what}");
        }
        Err(e) => panic!("{name}: {e}"),
        Ok((_, _, seen)) => panic!("{name}: opened with {} records", seen.len()),
    }
    (records, findings)
}

#[test]
fn every_byte_of_a_sealed_file_counts() {
    let (place, all) = filled(3);
    let files = place.sealed();
    let mut noise = Noise(9);
    for (nth, file) in files.iter().enumerate() {
        let bytes = fs::read(file).unwrap();
        let (head, tail) = (0..80, bytes.len() - 120..bytes.len());
        let some = (0..40).map(|_| noise.below(bytes.len() as u64) as usize).collect::<Vec<_>>();
        // Header and end of one file, and something of all.
        let ends = head.chain(tail).filter(|_| nth == 0);
        for byte in ends.chain(some).collect::<Vec<_>>() {
            let broken = place.copy();
            let mut bytes = bytes.clone();
            bytes[byte] ^= 1 << noise.below(8);
            let target = &broken.sealed()[nth];
            fs::write(target, &bytes).unwrap();
            let (records, _) = damaged(&broken, &format!("byte {byte} of {}", target.display()));
            assert_eq!(records, all.len() as u64, "what is behind the damage is still read");
        }
        for length in [0, 8, 55, 56, 57, 400, bytes.len() / 2, bytes.len() - 68, bytes.len() - 8, bytes.len() - 1] {
            let broken = place.copy();
            fs::write(&broken.sealed()[nth], &bytes[..length]).unwrap();
            damaged(&broken, &format!("cut to {length}"));
        }
        let broken = place.copy();
        fs::write(&broken.sealed()[nth], [&bytes[..], b"x"].concat()).unwrap();
        damaged(&broken, "a byte too many");
    }
}

#[test]
fn sealed_files_that_are_not_what_or_where_they_should_be() {
    let (place, all) = filled(4);
    let (other, _) = filled(5);
    let broken = |name: &str, change: &dyn Fn(&Place)| {
        let place = place.copy();
        change(&place);
        damaged(&place, name)
    };
    for nth in 0..3 {
        let (records, findings) = broken(&format!("no {nth}"), &|p| fs::remove_file(&p.sealed()[nth]).unwrap());
        assert_eq!(records, all.len() as u64, "{findings:?}");
        broken(&format!("another log's {nth}"), &|p| {
            fs::copy(&other.sealed()[nth], &p.sealed()[nth]).unwrap();
        });
    }
    broken("no folder", &|p| fs::remove_dir_all(p.path().join("sealed")).unwrap());
    broken("two swapped", &|p| {
        let (a, b) = (fs::read(&p.sealed()[0]).unwrap(), fs::read(&p.sealed()[1]).unwrap());
        fs::write(&p.sealed()[0], b).unwrap();
        fs::write(&p.sealed()[1], a).unwrap();
    });
    broken("one twice", &|p| {
        let file = p.sealed()[1].clone();
        fs::copy(&file, file.with_file_name("00000000000000000031.frames")).unwrap();
    });
    broken("all of another log", &|p| {
        fs::remove_dir_all(p.path().join("sealed")).unwrap();
        copy(&other.path().join("sealed"), &p.path().join("sealed"));
    });
    broken("no database behind them", &|p| {
        for name in p.generations() {
            fs::remove_dir_all(p.path().join(name)).unwrap();
        }
    });
    broken("the newest database is gone, the empty one is there", &|p| {
        fs::remove_dir_all(p.path().join(&p.generations()[0])).unwrap();
    });
    broken("the newest database without its file", &|p| {
        fs::remove_file(p.path().join(&p.generations()[0]).join("db")).unwrap();
    });
    let (rolled, _) = rolled_not_sealed();
    let missing = rolled.copy();
    fs::remove_dir_all(missing.path().join("log")).unwrap();
    damaged(&missing, "the oldest of two databases is gone");
}

/// A full generation that is damaged is not sealed, and not removed.
#[test]
fn what_is_damaged_is_not_sealed() {
    let (place, all) = rolled_not_sealed();
    {
        let database = sled::Config::new().path(place.path().join("log")).flush_every_ms(None).open().unwrap();
        let tree = database.open_tree("frames").unwrap();
        let (key, value) = tree.first().unwrap().unwrap();
        let mut bytes = value.to_vec();
        // A payload byte, and a checksum that fits: only the digest in the next frame tells.
        let at = bytes.len() - 4;
        bytes[at - 1] ^= 1;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&key);
        crc.update(&bytes[..at]);
        bytes[at..].copy_from_slice(&crc.finalize().to_le_bytes());
        tree.insert(key, bytes).unwrap();
        database.flush().unwrap();
    }
    let home = Arc::new(SledLog::open(&place.path(), Roll::unannounced(TINY)).unwrap());
    assert!(matches!(home.settle(), Err(LogError::Damaged { .. })), "{:?}", home.settle());
    assert_eq!(home.parts(), (0, 2));
    drop(home);
    assert!(place.path().join("log/db").exists());
    assert!(place.sealed().is_empty(), "{:?}", place.sealed());
    let (records, findings) = place.inspect();
    assert!(!findings.is_empty() && records == all.len() as u64, "{findings:?}");
}

/// A process that is killed takes with it what sled holds in memory: whatever of a generation only the journal has made
/// durable must not leave two empty ones behind.
#[test]
fn killed_when_the_next_generation_is_ready() {
    let place = Place::new();
    let (home, log, _) = place.open(Roll::unannounced(TINY)).unwrap();
    let (mut noise, mut all, mut ready) = (Noise(12), Vec::new(), 0);
    for _ in 0..12 {
        let next = group(&mut noise, 8);
        log.append(&next.iter().collect()).unwrap();
        all.extend(next);
        home.settle().unwrap();
        ready += usize::from(place.generations().len() > home.parts().1);
        let killed = place.copy();
        let (found, findings) = killed.inspect();
        assert_eq!((found, findings), (all.len() as u64, Vec::new()));
        let (_home, _log, seen) = killed.open(Roll::unannounced(TINY)).unwrap();
        assert_eq!(seen, all);
    }
    assert!(ready > 6, "the next one was ready {ready} times");
}

/// A generation that was sealed already goes only if its sealed file is whole.
#[test]
fn the_source_stays_while_its_sealed_file_is_damaged() {
    let (rolled, all) = rolled_not_sealed();
    let sealed = rolled.copy();
    let (home, log, _) = sealed.open(Roll::unannounced(TINY)).unwrap();
    home.settle().unwrap();
    drop((log, home));
    let file = &sealed.sealed()[0];
    let mut bytes = fs::read(file).unwrap();
    bytes[300] ^= 4;
    fs::create_dir(rolled.path().join("sealed")).unwrap();
    let damaged_file = rolled.path().join("sealed").join(file.file_name().unwrap());
    fs::write(&damaged_file, &bytes).unwrap();
    damaged(&rolled, "sealed file damaged, its source still there");
    assert!(rolled.path().join("log/db").exists(), "the source is still there");
    // Whoever takes the damaged file away has everything again.
    fs::remove_file(damaged_file).unwrap();
    whole(&rolled, &all, "sealed anew");
}

const KILLED: &str = "DUNGHEN_ROLLING_KILLED";

fn record_at(position: u64) -> Vec<u8> {
    let mut bytes = position.to_be_bytes().to_vec();
    bytes.extend(Noise(position).bytes(position as usize % 90));
    bytes
}

/// The process that is killed; does nothing unless told where.
#[test]
#[ignore = "started by a test of this file, in a process of its own"]
fn append_until_killed() {
    let Some(path) = std::env::var_os(KILLED) else { return };
    let directory = Directory::open(Path::new(&path), None, None).unwrap();
    let home = directory.open_log(TINY).unwrap();
    let log = Log::open(Box::new(home), directory.genesis(), |_, _| Ok(())).unwrap();
    loop {
        let first = log.length();
        let group: Vec<Vec<u8>> = (first..first + first % 13 + 1).map(record_at).collect();
        log.append(&group.iter().collect()).unwrap();
        writeln!(std::io::stderr(), "acknowledged {}", log.length()).unwrap();
    }
}

/// A process that appends, rolls and seals all the time is killed again and again; no acknowledged record is ever lost.
#[test]
fn killed_at_any_moment() {
    let place = Place::new();
    let (mut noise, mut known, mut sealed) = (Noise(99), 0, 0);
    for round in 0..15 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "append_until_killed", "--ignored", "--nocapture", "--test-threads=1"])
            .env(KILLED, place.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = lines.next().unwrap().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(noise.below(120)));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            // The last line may have been cut.
            let line = line.unwrap();
            if line.strip_prefix("acknowledged ").is_some_and(|n| n.parse::<u64>().is_ok_and(|n| n > known)) {
                said = line;
            }
        }
        let acknowledged: u64 = said.strip_prefix("acknowledged ").unwrap_or_else(|| panic!("{said}")).parse().unwrap();
        assert!(acknowledged > known, "round {round}: {known} were there, and then only {acknowledged}");
        let (found, findings) = place.inspect();
        assert_eq!(findings, [], "round {round}");
        assert!(found >= acknowledged, "round {round}: {acknowledged} were acknowledged, {found} are there");
        let (home, log, seen) = place.open(Roll::unannounced(TINY)).unwrap();
        assert!(seen.iter().zip(0..).all(|(bytes, position)| *bytes == record_at(position)), "round {round}");
        assert_eq!(seen.len() as u64, found);
        if round % 3 == 0 {
            home.settle().unwrap();
        }
        known = found;
        sealed = home.parts().0;
        drop(log);
    }
    assert!(sealed > 15, "{sealed} sealed files");
}

#[test]
fn readers_see_every_record_once_while_the_log_rolls() {
    let place = Place::new();
    let (home, log, _) = place.open(Roll::unannounced(4000)).unwrap();
    let over = AtomicBool::new(false);
    let passes = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for seed in 0..3 {
            let (log, over, passes) = (&log, &over, &passes);
            scope.spawn(move || {
                let mut noise = Noise(seed);
                while !over.load(Ordering::SeqCst) {
                    let length = log.length();
                    let from = noise.below(length + 1);
                    let mut next = from;
                    for record in log.read(from) {
                        let (position, bytes) = record.unwrap();
                        assert_eq!(position, next, "read from {from}");
                        assert_eq!(bytes[..8], position.to_be_bytes());
                        next += 1;
                        if noise.below(200) == 0 {
                            std::thread::yield_now();
                        }
                    }
                    assert!(next >= length, "from {from} only up to {next}, {length} were there before");
                    if length > 0 {
                        let position = noise.below(length);
                        assert_eq!(log.get(position).unwrap()[..8], position.to_be_bytes());
                    }
                    passes.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut noise = Noise(4);
        for n in 0..150 {
            let first = log.length();
            let group: Vec<Vec<u8>> =
                (first..first + 20).map(|p| [&p.to_be_bytes()[..], &noise.bytes(60)].concat()).collect();
            log.append(&group.iter().collect()).unwrap();
            if n % 10 == 9 {
                home.settle().unwrap();
            }
        }
        over.store(true, Ordering::SeqCst);
    });
    home.settle().unwrap();
    let (sealed, generations) = home.parts();
    assert!(sealed >= 10 && generations == 1, "{sealed} sealed, {generations} generations");
    assert!(passes.load(Ordering::SeqCst) > 10);
    assert_eq!(read(&log).len(), 3000);
}

/// A reader that stands still in a generation keeps it, and goes on in the sealed file.
#[test]
fn a_reader_that_stands_still() {
    let place = Place::new();
    let (home, log, _) = place.open(Roll::unannounced(TINY)).unwrap();
    let mut noise = Noise(8);
    let mut all = Vec::new();
    for _ in 0..12 {
        let records = group(&mut noise, 2);
        log.append(&records.iter().collect()).unwrap();
        all.extend(records);
    }
    let mut reader = home.frames(0);
    let mut firsts: Vec<u64> = (0..3).map(|_| reader.next().unwrap().unwrap().0).collect();
    for _ in 0..3 {
        // Not settled: the reader keeps the thread from that.
        let records = group(&mut noise, 60);
        log.append(&records.iter().collect()).unwrap();
        all.extend(records);
        for _ in 0..500 {
            if home.parts().0 > 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    assert!(home.parts().0 > 0, "sealed while somebody reads");
    assert!(place.path().join("log/db").exists(), "not removed while somebody reads");
    firsts.extend(reader.map(|r| r.unwrap().0));
    let expected: Vec<u64> = home.frames(0).map(|r| r.unwrap().0).collect();
    assert_eq!(firsts, expected);
    home.settle().unwrap();
    assert!(!place.path().join("log").exists(), "the last reader has gone");
    assert_eq!(read(&log), all);
}

/// Nothing that happens beside the log holds up an append.
#[test]
fn appends_wait_for_nobody() {
    let place = Place::new();
    let (go, gone) = channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    // The journal is announced first.
    go.send(()).unwrap();
    let announce = move || gone.lock().unwrap().recv().map_err(|_| LogError::Unavailable("nobody".to_owned()));
    let (home, log, _) = place.open(Roll { at: TINY, announce: Box::new(announce) }).unwrap();
    let mut noise = Noise(11);
    let mut all = Vec::new();
    for _ in 0..8 {
        let records = group(&mut noise, 30);
        log.append(&records.iter().collect()).unwrap();
        all.extend(records);
    }
    assert_eq!(home.parts(), (0, 1), "the next is not ready, so the full one goes on");
    assert_eq!(read(&log), all);
    drop(go);
    assert!(matches!(home.settle(), Err(LogError::Unavailable(_))));
    log.append(&group(&mut noise, 1).iter().collect()).unwrap();
}

/// A disk that cannot take the sealed file: the log goes on in what it has, and says what is the matter.
#[test]
fn a_log_that_cannot_be_sealed_goes_on() {
    let place = Place::new();
    fs::write(place.path().join("sealed"), b"in the way").unwrap();
    let (home, log, _) = match place.open(Roll::unannounced(TINY)) {
        Err(e) => {
            // A file in the place of the folder is refused at once.
            assert!(matches!(e, LogError::Unavailable(_)), "{e}");
            fs::remove_file(place.path().join("sealed")).unwrap();
            place.open(Roll::unannounced(TINY)).unwrap()
        }
        Ok(opened) => opened,
    };
    let mut noise = Noise(12);
    let mut all = group(&mut noise, 30);
    log.append(&all.iter().collect()).unwrap();
    home.settle().unwrap();
    fs::write(place.path().join("sealed"), b"in the way").unwrap();
    for _ in 0..3 {
        let records = group(&mut noise, 30);
        log.append(&records.iter().collect()).unwrap();
        all.extend(records);
    }
    assert!(matches!(home.settle(), Err(LogError::Unavailable(_))));
    assert_eq!(home.parts().0, 0);
    assert_eq!(read(&log), all);
    let told = (0..5).any(|_| log.store(&group(&mut noise, 30).iter().collect()).is_err());
    assert!(told, "whoever makes a log in bulk is told");
    drop((log, home));
    fs::remove_file(place.path().join("sealed")).unwrap();
    let (home, _, _) = place.open(Roll::unannounced(TINY)).unwrap();
    home.settle().unwrap();
    assert!(home.parts().0 > 0);
}

fn format_of(path: &Path) -> String {
    let text = fs::read_to_string(path.join("dunghen.toml")).unwrap();
    text.lines().find(|l| l.starts_with("format")).unwrap().to_owned()
}

/// Events through the engine, with restarts, in a directory that rolls and in one that does not.
#[test]
fn an_engine_over_a_rolled_log() {
    let start = at("2025-03-03T02:00:00Z");
    let fill = |path: &Path, roll_at: u64| {
        let clock = TestClock::at(start);
        let mut n = 0;
        for _ in 0..4 {
            let engine = Engine::open(path, Options { roll_at, ..options(&clock) }).unwrap();
            for _ in 0..10 {
                clock.advance(60_000);
                let commands: Vec<Command> = (0..20)
                    .flat_map(|_| {
                        n += 1;
                        let code = format!("000.00.01.H44-250303-{n:04}");
                        let now = start.plus(n as i64);
                        [command(2 * n, &code, now, received(None)), command(2 * n + 1, &code, now, processed())]
                    })
                    .collect();
                assert!(send(&engine, commands).iter().all(Result::is_ok));
            }
            engine.close().unwrap();
        }
    };
    let records = |path: &Path| -> Vec<Record> {
        let clock = TestClock::at(at("2025-03-04T02:00:00Z"));
        let engine = Engine::open(path, Options { purpose: Purpose::Read, ..options(&clock) }).unwrap();
        engine.replay(ReplayFilter::default()).map(|r| r.unwrap().into_event().unwrap()).collect()
    };
    let home = tempfile::tempdir().unwrap();
    let (rolled, plain) = (home.path().join("rolled"), home.path().join("plain"));
    fill(&rolled, 3000);
    fill(&plain, Roll::AT);
    assert_eq!(format_of(&rolled), format_of(&plain));
    assert!(fs::read_dir(rolled.join("sealed")).unwrap().count() > 0, "something was sealed");
    assert!(!plain.join("sealed").exists());
    for path in [&rolled, &plain] {
        let scratch = tempfile::tempdir().unwrap();
        let verified = verify(path, scratch.path()).unwrap();
        assert_eq!((verified.findings, verified.records), (vec![], 1600), "{}", path.display());
    }
    assert_eq!(records(&rolled), records(&plain));
    assert_eq!(read_identity(&rolled).unwrap().zone, Zone::VIETNAM);
}

/// A start from a snapshot opens sealed files without reading their frames; what is damaged there is found behind it.
#[test]
fn damage_in_a_sealed_file_behind_a_snapshot_is_found() {
    let place = tempfile::tempdir().unwrap();
    let clock = TestClock::at(at("2025-03-03T02:00:00Z"));
    let open = || Engine::open(place.path(), Options { roll_at: 1500, snapshot_every: 50, ..options(&clock) });
    for round in 0..3 {
        let engine = open().unwrap();
        for n in 0..60 {
            clock.advance(60_000);
            let now = dunghen_engine::Clock::now(&*clock);
            let say = command(round * 100 + n, &format!("d{round}-{n}"), now, received(None));
            assert!(send(&engine, vec![say])[0].is_ok());
        }
        engine.close().unwrap();
    }
    Directory::open(place.path(), None, None).unwrap().open_log(Roll::AT).unwrap().settle().unwrap();
    let file = place.path().join("sealed/00000000000000000000.frames");
    let mut bytes = fs::read(&file).unwrap();
    // In the payload of the first frame, behind the header of the file, the label and the digest before.
    bytes[56 + 12 + 50] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let engine = open().unwrap();
    assert!(engine.resumed_from() > 0, "a snapshot was used");
    for _ in 0..2000 {
        if engine.health() != Health::Serving {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let Health::NotServing(why) = engine.health() else { panic!("damage went unnoticed") };
    assert!(why.starts_with("LOG_DAMAGED at position 0"), "{why}");
}

/// A directory of format 1 whose log is full already, and that is only read, stays as it is.
#[test]
fn reading_rolls_nothing() {
    let place = Place::new();
    let identity = place.path().join("dunghen.toml");
    let text = fs::read_to_string(&identity).unwrap();
    fs::write(&identity, text.replace("format = \"3\"", "format = \"1\"")).unwrap();
    let (_, log, _) = place.open(Roll::unannounced(Roll::AT)).unwrap();
    log.append(&group(&mut Noise(1), 60).iter().collect()).unwrap();
    log.close().unwrap();
    drop(log);
    let directory = Directory::open(&place.path(), None, None).unwrap();
    let home = directory.open_log(TINY).unwrap();
    home.settle().unwrap();
    assert_eq!(home.frames(0).count(), 1);
    drop(home);
    assert_eq!((place.generations(), format_of(&place.path())), (vec!["log".to_owned()], "format = \"1\"".to_owned()));
    let home = Arc::new(directory.open_log(TINY).unwrap());
    let log = Log::open(Box::new(Arc::clone(&home)), place.genesis, |_, _| Ok(())).unwrap();
    // In bulk, so that it waits for what it asked for.
    log.store(&group(&mut Noise(2), 1).iter().collect()).unwrap();
    log.sync().unwrap();
    home.settle().unwrap();
    assert_eq!(format_of(&place.path()), "format = \"3\"", "the next generation is announced before it is made");
    assert_eq!(home.parts(), (1, 1));
    assert_eq!(place.generations(), ["log.0000000001"]);
}

/// What `simulate --into` makes: the same bytes, however often the log rolls.
#[test]
fn a_log_made_in_bulk_rolls_too() {
    let zone = Zone::VIETNAM;
    let make = |path: &Path, roll_at: u64| -> Vec<Vec<u8>> {
        let mut bulk = Bulk::create_rolling(path, zone, roll_at).unwrap();
        for n in 0..400_i64 {
            let now = at("2025-03-03T02:00:00Z").plus(n * 1000);
            let mut chronicle = Chronicle::new(format!("d{n}").into(), zone);
            for (i, event) in [received(None), processed()].into_iter().enumerate() {
                chronicle.take(&command(2 * n as u64 + i as u64, &format!("d{n}"), now, event), now).unwrap();
            }
            let first = bulk.position();
            let noted = chronicle.into_noted().into_iter().zip(first..);
            let previous = |p| (p > first).then(|| p - 1);
            let mut records = Records::new();
            noted.for_each(|(n, p)| encode(&mut records, &n, p, previous(p), &"".into()));
            bulk.append(&records, (now, now)).unwrap();
        }
        assert_eq!(bulk.finish(), Ok(800));
        let directory = Directory::open(path, None, None).unwrap();
        let home = directory.open_log(Roll::AT).unwrap();
        let mut seen = Vec::new();
        Log::open(Box::new(home), directory.genesis(), |_, bytes| {
            seen.push(bytes.to_vec());
            Ok(())
        })
        .unwrap();
        seen
    };
    let home = tempfile::tempdir().unwrap();
    let (rolled, plain) = (home.path().join("rolled"), home.path().join("plain"));
    assert_eq!(make(&rolled, 5000), make(&plain, Roll::AT));
    assert!(fs::read_dir(rolled.join("sealed")).unwrap().count() > 0);
    let scratch = tempfile::tempdir().unwrap();
    assert_eq!(verify(&rolled, scratch.path()).unwrap().findings, []);
}
