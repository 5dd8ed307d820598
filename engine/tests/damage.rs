//! Damage is named, never passed over: a real data directory is broken in every way that comes to mind, and each time
//! opening and `verify` must either name the damage or show every record exactly as it was.
//!
//! Each case is judged in a process of its own: sled may panic in a thread of its own, hang or abort on damage, and one
//! case must not spoil the next. What the process prints is part of the verdict.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "bounds on how long the test itself may take")]

mod common;

use common::{Noise, TestClock, asked, at, command, copy, options, processed, received};
use dunghen_engine::directory::{Directory, DirectoryError, read_genesis};
use dunghen_engine::dossier::{Code, Command as Say, Due, Event};
use dunghen_engine::log::{LogError, Roll};
use dunghen_engine::record::Record;
use dunghen_engine::time::Timestamp;
use dunghen_engine::{Batch, Clock, Engine, Mode, OpenError, Options, Purpose, ReplayFilter, verify};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

const CASE: &str = "DUNGHEN_DAMAGE_CASE";
const LIMIT: Duration = Duration::from_secs(60);
const SMALL_FLIPS: u64 = 180;
const LARGE_FLIPS: u64 = 60;

/// A directory in a known state, closed, with what it holds.
struct Pristine {
    _home: TempDir,
    path: PathBuf,
    records: u64,
    digest: String,
}

/// Everything that a record says, of all records, in one digest.
fn digest(records: &[Record]) -> String {
    let mut hash = Sha256::new();
    for record in records {
        hash.update(record.position.to_be_bytes());
        hash.update(record.encode());
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Every file with its bytes and the time of its last change.
fn snapshot(path: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    files(path)
        .into_iter()
        .map(|f| {
            let changed = fs::metadata(&f).unwrap().modified().unwrap();
            let bytes = fs::read(&f).unwrap();
            (f, (bytes, changed))
        })
        .collect()
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A few hundred events in groups of different sizes, with two restarts in between.
fn fill(path: &Path, seed: u64, keep_head_after: Option<u64>) -> Option<Vec<u8>> {
    fill_rolling(path, seed, keep_head_after, Roll::AT)
}

fn fill_rolling(path: &Path, seed: u64, keep_head_after: Option<u64>, roll_at: u64) -> Option<Vec<u8>> {
    let start = at("2025-03-03T02:00:00Z");
    let clock = TestClock::at(start);
    let mut noise = Noise(seed);
    let (mut n, mut dossier, mut old_head) = (0, 0, None);
    for _ in 0..3 {
        let engine = Engine::open(path, Options { roll_at, ..options(&clock) }).unwrap();
        for _ in 0..12 {
            let size = [1, 1, 2, 5, 30][noise.below(5) as usize];
            let mut commands: Vec<Say> = Vec::new();
            for _ in 0..size {
                dossier += 1;
                let code = format!("000.00.{seed:02}.H44-250303-{dossier:04}");
                let now = Timestamp(start.0 + dossier as i64);
                let due = Due::Instant(now.plus(noise.below(10_000) as i64 * 1000));
                let mut say = |event| {
                    n += 1;
                    commands.push(command(seed << 32 | n, &code, now, event));
                };
                say(received(Some(due)));
                if noise.below(3) == 0 {
                    say(asked());
                }
                if noise.below(2) == 0 {
                    say(processed());
                }
            }
            clock.advance(60_000);
            let answers = engine.record(Batch { commands, mode: Mode::Atomic }).unwrap();
            assert!(answers.iter().all(Result::is_ok));
            if keep_head_after.is_some_and(|after| engine.position() >= after) && old_head.is_none() {
                old_head = Some(fs::read(path.join("head")).unwrap());
            }
        }
        engine.close().unwrap();
    }
    old_head
}

fn pristine(seed: u64) -> Pristine {
    stopped(|path| {
        fill(path, seed, None);
    })
}

/// A log in several parts: sealed files, and a database that grows.
fn rolled(seed: u64) -> Pristine {
    let pristine = stopped(|path| {
        fill_rolling(path, seed, None, 1500);
        let directory = Directory::open(path, None, None).unwrap();
        directory.open_log(Roll::AT).unwrap().settle().unwrap();
    });
    let sealed = fs::read_dir(pristine.path.join("sealed")).unwrap().count();
    assert!(sealed >= 2, "{sealed} sealed files");
    pristine
}

/// Some megabytes in many of sled's segments, which it reads with threads of its own.
fn large(seed: u64) -> Pristine {
    stopped(|path| {
        fill(path, seed, None);
        let clock = TestClock::at(at("2025-03-03T04:00:00Z"));
        let engine = Engine::open(path, options(&clock)).unwrap();
        let mut noise = Noise(seed);
        for batch in 0..12 {
            let commands = (0..60)
                .map(|i| {
                    let n = batch * 60 + i;
                    let mut say = command(1 << 40 | n, &format!("L{n}"), clock_now(&clock), received(None));
                    let text = |noise: &mut Noise| -> Code {
                        noise.bytes(150).iter().map(|b| char::from(b'0' + b % 64)).collect::<String>().into()
                    };
                    say.statement.desk = Some(text(&mut noise));
                    say.statement.actor = Some(text(&mut noise));
                    let Event::Received { field, procedure, channel, .. } = &mut say.statement.event else { panic!() };
                    [*field, *procedure, *channel] = [(); 3].map(|()| Some(text(&mut noise)));
                    say
                })
                .collect();
            let answers = engine.record(Batch { commands, mode: Mode::Each }).unwrap();
            assert!(answers.iter().all(Result::is_ok), "{:?}", answers[0]);
        }
        engine.close().unwrap();
    })
}

/// What a killed process leaves: sled has written no snapshot and reads its file from the beginning, as far as it can.
fn crashed(seed: u64) -> Pristine {
    let alive = tempfile::tempdir().unwrap();
    let path = alive.path().join("data");
    fill(&path, seed, None);
    let clock = TestClock::at(at("2025-03-03T04:00:00Z"));
    let engine = Engine::open(&path, options(&clock)).unwrap();
    for n in 0..40_u64 {
        let say = |i: u64| command(1 << 40 | n << 8 | i, &format!("C{n}-{i}"), clock_now(&clock), received(None));
        let commands = (0..n % 7 + 1).map(say).collect();
        assert!(engine.record(Batch { commands, mode: Mode::Each }).unwrap().iter().all(Result::is_ok));
    }
    closed(|copied| copy(&path, copied))
}

fn clock_now(clock: &TestClock) -> Timestamp {
    Clock::now(clock)
}

/// What a clean stop leaves, without its journal: that holds nothing that is not elsewhere, but with it opening would mend
/// what is to be found broken.
fn stopped(fill: impl FnOnce(&Path)) -> Pristine {
    closed(|path| {
        fill(path);
        fs::remove_file(path.join("journal")).unwrap();
    })
}

fn closed(fill: impl FnOnce(&Path)) -> Pristine {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    fill(&path);
    // Opening changes a directory, so the one that is broken later is not the one that is read here.
    let read_from = home.path().join("read");
    copy(&path, &read_from);
    let records = read(&read_from).unwrap();
    Pristine { _home: home, path, records: records.len() as u64, digest: digest(&records) }
}

fn read(path: &Path) -> Result<Vec<Record>, OpenError> {
    let clock = TestClock::at(at("2025-03-04T02:00:00Z"));
    let read = Options { purpose: Purpose::Read, ..options(&clock) };
    let engine = Engine::open(path, read)?;
    let records = engine.replay(ReplayFilter::default()).map(|r| Ok(r?.into_event().unwrap()));
    let records = records.collect::<Result<Vec<_>, LogError>>()?;
    assert_eq!(engine.position(), records.len() as u64, "the views have folded what the log holds");
    Ok(records)
}

/// What both ways of looking said.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// Every record as it was.
    Whole,
    /// Damage, named.
    Damaged,
    /// Anything else is a defect.
    Wrong(String),
}

/// The process that judges one case; does nothing unless told which.
#[test]
#[ignore = "started by the tests of this file, one process a case"]
fn judge_one_case() {
    let Some(case) = std::env::var_os(CASE) else { return };
    let case = PathBuf::from(case);
    let data = case.join("data");
    let scratch = case.join("scratch");
    fs::create_dir(&scratch).unwrap();
    let before = snapshot(&data);
    let verified = match verify(&data, &scratch) {
        Ok(v) if v.findings.is_empty() => format!("ok {} {}", v.records, v.position),
        Ok(v) => format!("findings {} at {}: {}", v.findings.len(), v.findings[0].position, v.findings[0].what),
        Err(e) => format!("error {e}"),
    };
    let unchanged = before == snapshot(&data);
    let opened = match read(&data) {
        Ok(records) => format!("records {} {}", records.len(), digest(&records)),
        Err(OpenError::Log(LogError::Damaged { position, what })) => format!("damaged {position} {what}"),
        Err(OpenError::Directory(DirectoryError::Log(LogError::Damaged { position, what }))) => {
            format!("damaged {position} {what}")
        }
        Err(e) => format!("error {e:?}"),
    };
    // A finding of sled's own is damage to whoever opens for writing, too; a shorter log must not be appended to.
    let written = if opened.starts_with("damaged") {
        let clock = TestClock::at(at("2025-03-04T02:00:00Z"));
        match Engine::open(&data, options(&clock)) {
            Ok(engine) => format!("opened with {}", engine.position()),
            Err(
                OpenError::Log(LogError::Damaged { .. })
                | OpenError::Directory(DirectoryError::Log(LogError::Damaged { .. })),
            ) => "refused".to_owned(),
            Err(e) => format!("error {e:?}"),
        }
    } else {
        "not tried".to_owned()
    };
    fs::write(case.join("said"), format!("{verified}\n{unchanged}\n{opened}\n{written}\n")).unwrap();
}

/// Lets a process of its own judge `case/data`.
fn judge(name: &str, pristine: &Pristine, case: &Path) -> Said {
    let printed = fs::File::create(case.join("printed")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "judge_one_case", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .stdout(Stdio::null())
        .stderr(printed)
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            return Said::Wrong(format!("{name}: hangs"));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let printed = fs::read_to_string(case.join("printed")).unwrap();
    let said = fs::read_to_string(case.join("said")).unwrap_or_default();
    let wrong = |why: &str| Said::Wrong(format!("{name}: {why}\n{said}\n{printed}"));
    if !status.success() {
        return wrong(&format!("the process ended with {status}"));
    }
    if printed.contains("panicked") {
        return wrong("a panic was printed");
    }
    let lines: Vec<&str> = said.lines().collect();
    let [verified, unchanged, opened, written] = lines[..] else { return wrong("no verdict") };
    if unchanged != "true" {
        return wrong("verify changed what it verified");
    }
    let whole = opened == format!("records {} {}", pristine.records, pristine.digest);
    let verified_whole = verified == format!("ok {} {}", pristine.records, pristine.records);
    match (whole, verified_whole) {
        (true, true) => Said::Whole,
        (false, false) if opened.starts_with("damaged") && written == "refused" && !verified.starts_with("ok") => {
            Said::Damaged
        }
        _ => wrong("neither whole nor named damage"),
    }
}

/// A name, and what is done to a copy of the directory.
type Case<'a> = (String, Box<dyn Fn(&Path) + Sync + 'a>);

/// Breaks copies of the directory, two at a time, and returns what was said of each.
fn break_all<'a>(pristine: &Pristine, cases: &[Case<'a>]) -> Vec<Said> {
    let next = AtomicUsize::new(0);
    let said: Vec<std::sync::Mutex<Option<Said>>> = cases.iter().map(|_| std::sync::Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((i, (name, damage))) =
                    Some(next.fetch_add(1, Ordering::SeqCst)).and_then(|i| Some((i, cases.get(i)?)))
                {
                    let case = tempfile::tempdir().unwrap();
                    let data = case.path().join("data");
                    copy(&pristine.path, &data);
                    damage(&data);
                    *said[i].lock().unwrap() = Some(judge(name, pristine, case.path()));
                }
            });
        }
    });
    let said: Vec<Said> = said.into_iter().map(|s| s.into_inner().unwrap().unwrap()).collect();
    let wrong: Vec<&Said> = said.iter().filter(|s| matches!(s, Said::Wrong(_))).collect();
    for case in &wrong {
        eprintln!("{case:?}");
    }
    assert!(wrong.is_empty(), "{} of {} cases went wrong, the first: {:?}", wrong.len(), cases.len(), wrong[0]);
    said
}

fn case<'a>(name: impl Into<String>, damage: impl Fn(&Path) + Sync + 'a) -> Case<'a> {
    (name.into(), Box::new(damage))
}

fn truncate(file: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length).unwrap();
}

fn flip(file: &Path, bit: u64) {
    let mut bytes = fs::read(file).unwrap();
    bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    fs::write(file, bytes).unwrap();
}

#[test]
fn an_untouched_copy_is_whole() {
    let pristine = pristine(1);
    assert!(pristine.records > 300, "{}", pristine.records);
    assert_eq!(break_all(&pristine, &[case("untouched", |_| {})]), [Said::Whole]);
}

#[test]
fn a_truncated_database() {
    truncations(&pristine(2));
}

#[test]
fn a_truncated_database_after_a_crash() {
    let pristine = crashed(9);
    assert!(pristine.records > 400, "{}", pristine.records);
    assert_eq!(break_all(&pristine, &[case("untouched", |_| {})]), [Said::Whole]);
    truncations(&pristine);
}

#[test]
fn flipped_bits_after_a_crash() {
    flips(&crashed(10), SMALL_FLIPS, 0xdead);
}

#[test]
fn a_truncated_large_database() {
    truncations(&large(12));
}

fn truncations(pristine: &Pristine) {
    let whole = fs::metadata(pristine.path.join("log/db")).unwrap().len();
    // What lies behind the last byte that is not 0 was never written.
    let bytes = fs::read(pristine.path.join("log/db")).unwrap();
    let used = bytes.iter().rposition(|b| *b != 0).unwrap() as u64 + 1;
    let mut lengths = vec![0, 1, 20, 511, used - 1, used - 10, used - 200, used - 1000, whole - 1];
    lengths.extend([5, 10, 25, 50, 60, 75, 90, 99].map(|percent| used * percent / 100));
    let cases: Vec<Case<'_>> = lengths
        .iter()
        .map(|n| case(format!("db cut from {whole} ({used} used) to {n}"), |data| truncate(&data.join("log/db"), *n)))
        .collect();
    let said = break_all(pristine, &cases);
    let damaged = said.iter().filter(|s| **s == Said::Damaged).count();
    assert!(damaged >= 10, "cutting away used bytes is damage: {said:?}");
    let zeroes: Vec<Case<'_>> = [4096, 65536]
        .into_iter()
        .filter(|n| *n < used)
        .map(|n| {
            case(format!("the last {n} used bytes are 0"), move |data: &Path| {
                let mut bytes = fs::read(data.join("log/db")).unwrap();
                let (from, to) = ((used - n) as usize, used as usize);
                bytes[from..to].fill(0);
                fs::write(data.join("log/db"), bytes).unwrap();
            })
        })
        .collect();
    break_all(pristine, &zeroes);
}

#[test]
fn flipped_bits() {
    flips(&pristine(3), SMALL_FLIPS, 0xf11b);
}

#[test]
fn flipped_bits_of_a_log_in_parts() {
    flips(&rolled(14), SMALL_FLIPS, 0x5ea1);
}

#[test]
fn parts_that_are_gone() {
    let pristine = rolled(15);
    let mut parts = files(&pristine.path.join("sealed"));
    let log = fs::read_dir(&pristine.path).unwrap().map(|e| e.unwrap().path());
    parts.extend(log.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with("log")));
    let cases: Vec<Case<'_>> = parts
        .iter()
        .map(|part| {
            let name = part.strip_prefix(&pristine.path).unwrap().to_owned();
            case(format!("no {}", name.display()), move |data: &Path| {
                let path = data.join(&name);
                if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
            })
        })
        .collect();
    let said = break_all(&pristine, &cases);
    let whole = said.iter().filter(|s| **s == Said::Whole).count();
    assert!(whole <= 1, "only the database that is ready and empty may be gone: {said:?}");
    assert!(said.len() - whole >= 3, "{said:?}");
}

#[test]
fn flipped_bits_of_a_large_database() {
    flips(&large(13), LARGE_FLIPS, 0xb17);
}

fn flips(pristine: &Pristine, flips: u64, seed: u64) {
    let mut noise = Noise(seed);
    // By bytes that were written, so that sled's reserve of zeros does not take most flips; and every file gets some.
    let mut places: Vec<(PathBuf, u64)> = Vec::new();
    let all: Vec<(PathBuf, Vec<u8>)> = files(&pristine.path)
        .into_iter()
        .filter(|f| !f.ends_with("lock"))
        .map(|f| (f.strip_prefix(&pristine.path).unwrap().to_owned(), fs::read(&f).unwrap()))
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    let is_large = |name: &Path| name.ends_with("db") || name.extension().is_some_and(|e| e == "frames");
    let larges = all.iter().filter(|(name, _)| is_large(name)).count() as u64;
    for (name, bytes) in &all {
        let used = bytes.iter().rposition(|b| *b != 0).map_or(1, |n| n as u64 + 1);
        let share = if is_large(name) { (flips - 60) / larges } else { 60 / (all.len() as u64 - larges) };
        places.extend((0..share).map(|_| (name.clone(), noise.below(used * 8))));
    }
    let cases: Vec<Case<'_>> = places
        .iter()
        .map(|(name, bit)| {
            let (byte, bit_of) = (bit / 8, bit % 8);
            case(format!("bit {bit_of} of byte {byte} of {}", name.display()), move |data| flip(&data.join(name), *bit))
        })
        .collect();
    let said = break_all(pristine, &cases);
    let damaged = said.iter().filter(|s| **s == Said::Damaged).count();
    eprintln!("{} flips: {damaged} damaged, {} whole", said.len(), said.len() - damaged);
    assert!(damaged > 20, "most bits of a log matter");
}

#[test]
fn missing_and_foreign_parts() {
    let pristine = pristine(4);
    let other = crate::pristine(5);
    let gone = |name: &'static str| {
        move |data: &Path| {
            let path = data.join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
    };
    let take = |name: &'static str| {
        let from = other.path.join(name);
        move |data: &Path| {
            let to = data.join(name);
            if to.is_dir() {
                fs::remove_dir_all(&to).unwrap();
                copy(&from, &to);
            } else {
                fs::copy(&from, to).unwrap();
            }
        }
    };
    let both = |a: &'static str, b: &'static str| {
        let (a, b) = (gone(a), gone(b));
        move |data: &Path| {
            a(data);
            b(data);
        }
    };
    let slots = |garbage: Vec<u64>| {
        move |data: &Path| {
            let mut bytes = fs::read(data.join("head")).unwrap();
            for slot in &garbage {
                bytes[(*slot * 4096) as usize..(*slot * 4096 + 60) as usize].fill(0xa5);
            }
            fs::write(data.join("head"), bytes).unwrap();
        }
    };
    let newest_slot = {
        let head = fs::read(pristine.path.join("head")).unwrap();
        let turn = |slot: usize| u64::from_le_bytes(head[slot * 4096 + 8..slot * 4096 + 16].try_into().unwrap());
        u64::from(turn(1) > turn(0))
    };
    let damaged: Vec<Case<'_>> = vec![
        case("no head", gone("head")),
        case("no dunghen.toml", gone("dunghen.toml")),
        case("no log folder", gone("log")),
        case("no db", gone("log/db")),
        case("no dunghen.toml, no log folder", both("dunghen.toml", "log")),
        case("no dunghen.toml, no head", both("dunghen.toml", "head")),
        case("no head, no log folder", both("head", "log")),
        case("head of another directory", take("head")),
        case("log of another directory", take("log")),
        case("identity of another directory", take("dunghen.toml")),
        case("empty head", |data: &Path| truncate(&data.join("head"), 0)),
        case("head of 59 bytes", |data: &Path| truncate(&data.join("head"), 59)),
        case("both slots garbage", slots(vec![0, 1])),
        case("head of zeros", |data: &Path| fs::write(data.join("head"), [0; 8192]).unwrap()),
        case("empty dunghen.toml", |data: &Path| truncate(&data.join("dunghen.toml"), 0)),
        case("half a dunghen.toml", |data: &Path| truncate(&data.join("dunghen.toml"), 110)),
        case("another zone", |data: &Path| {
            let text =
                fs::read_to_string(data.join("dunghen.toml")).unwrap().replace("Asia/Ho_Chi_Minh", "Asia/Bangkok");
            fs::write(data.join("dunghen.toml"), text).unwrap();
        }),
    ];
    for ((name, _), said) in damaged.iter().zip(break_all(&pristine, &damaged)) {
        assert_eq!(said, Said::Damaged, "{name}");
    }
    let harmless: Vec<Case<'_>> = vec![
        case("older slot garbage", slots(vec![1 - newest_slot])),
        // The other slot is one group older; a longer log is what a crash leaves.
        case("newest slot torn", slots(vec![newest_slot])),
        case("no lock", gone("lock")),
        case("a comment changed", |data: &Path| {
            let text = fs::read_to_string(data.join("dunghen.toml")).unwrap().replace("Do not edit", "Do nOt edit");
            fs::write(data.join("dunghen.toml"), text).unwrap();
        }),
    ];
    for ((name, _), said) in harmless.iter().zip(break_all(&pristine, &harmless)) {
        assert_eq!(said, Said::Whole, "{name}");
    }
}

/// What is not damage: a creation that a crash cut short, at each of its steps, is taken up again.
#[test]
fn a_creation_that_was_cut_short() {
    let whole = tempfile::tempdir().unwrap();
    let clock = TestClock::at(at("2025-03-03T02:00:00Z"));
    Engine::open(whole.path(), options(&clock)).unwrap().close().unwrap();
    let steps: [(&str, &[&str], Option<u64>); 6] = [
        ("only the folder", &[], None),
        ("an empty head", &["head"], Some(0)),
        ("a head that was not written", &["head"], Some(8192)),
        ("a head", &["head"], None),
        ("a head and a draft", &["head", "dunghen.toml.new"], None),
        ("all but the log folder", &["head", "dunghen.toml"], None),
    ];
    for (name, present, zeros) in steps {
        let home = tempfile::tempdir().unwrap();
        for file in present {
            match zeros {
                Some(n) => fs::write(home.path().join(file), vec![0; n as usize]).unwrap(),
                None => {
                    let from = whole.path().join(file.trim_end_matches(".new"));
                    fs::copy(from, home.path().join(file)).unwrap();
                }
            }
        }
        if present.contains(&"dunghen.toml") {
            let scratch = tempfile::tempdir().unwrap();
            let verified = verify(home.path(), scratch.path()).unwrap();
            assert_eq!((verified.findings, verified.records), (vec![], 0), "{name}");
        }
        let engine = Engine::open(home.path(), options(&clock)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(engine.position(), 0, "{name}");
    }
}

#[test]
fn an_older_head_is_what_a_crash_leaves() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    let old = fill(&path, 6, Some(150)).unwrap();
    let records = read(&path).unwrap();
    let (count, digest) = (records.len() as u64, digest(&records));
    let pristine = Pristine { _home: home, path, records: count, digest };
    let cases = [case("head of an earlier moment", |data: &Path| fs::write(data.join("head"), &old).unwrap())];
    assert_eq!(break_all(&pristine, &cases), [Said::Whole]);
}

/// Changes the frames by sled's own means, as whoever has the database can.
fn through_sled(data: &Path, change: impl FnOnce(&sled::Tree)) {
    let database = sled::Config::new().path(data.join("log")).flush_every_ms(None).open().unwrap();
    change(&database.open_tree("frames").unwrap());
    database.flush().unwrap();
    drop(database);
    // Its threads let go of the file a moment later, and verify reads it from another process.
    let file = fs::File::open(data.join("log/db")).unwrap();
    let begun = Instant::now();
    while file.try_lock().is_err() {
        assert!(begun.elapsed() < LIMIT, "sled keeps its file");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A well-formed frame as frame.rs describes it, with these records.
fn frame(first: u64, previous: &[u8], records: &[Vec<u8>]) -> (Vec<u8>, [u8; 32]) {
    let mut payload = Vec::new();
    for record in records {
        let mut length = record.len();
        while length >= 0x80 {
            payload.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        payload.push(length as u8);
        payload.extend_from_slice(record);
    }
    let mut body = vec![1, 0, 0, 0];
    body.extend((records.len() as u32).to_le_bytes());
    body.extend((payload.len() as u32).to_le_bytes());
    body.extend(previous);
    body.extend(payload);
    let digest = Sha256::new().chain_update(first.to_be_bytes()).chain_update(&body).finalize().into();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&first.to_be_bytes());
    crc.update(&body);
    body.extend(crc.finalize().to_le_bytes());
    (body, digest)
}

#[test]
fn frames_changed_by_someone_who_can() {
    let pristine = pristine(7);
    let records = read(&pristine.path).unwrap();
    let key = |n: u64| n.to_be_bytes();
    let keys = |tree: &sled::Tree| tree.iter().keys().map(|k| k.unwrap()).collect::<Vec<_>>();
    let genesis = read_genesis(&pristine.path).unwrap();
    let rechained = |upto_end: bool| {
        let records = records.clone();
        move |tree: &sled::Tree| {
            // Another event in the place of one that was recorded, in frames of ten that fit each other perfectly.
            let mut stored: Vec<Vec<u8>> = records.iter().map(Record::encode).collect();
            let mut forged = records[40].clone();
            forged.statement.occurred_at = forged.statement.occurred_at.plus(-1);
            stored[40] = forged.encode();
            if !upto_end {
                stored.truncate(50);
            }
            tree.clear().unwrap();
            let mut tip = genesis.to_vec();
            for (i, group) in stored.chunks(10).enumerate() {
                let (bytes, digest) = frame(i as u64 * 10, &tip, group);
                tree.insert(key(i as u64 * 10), bytes).unwrap();
                tip = digest.to_vec();
            }
        }
    };
    let sled_case = |name: &str, change: Box<dyn Fn(&sled::Tree) + Sync>| {
        case(name, move |data: &Path| through_sled(data, |tree| change(tree)))
    };
    let cases: Vec<Case<'_>> = vec![
        sled_case("the last frame is gone", Box::new(|t| drop(t.pop_max().unwrap()))),
        sled_case("the first frame is gone", Box::new(|t| drop(t.pop_min().unwrap()))),
        sled_case(
            "half of the frames are gone",
            Box::new(move |t| {
                let keys = keys(t);
                keys[keys.len() / 2..].iter().for_each(|k| drop(t.remove(k).unwrap()));
            }),
        ),
        sled_case("one frame in the middle is gone", Box::new(move |t| drop(t.remove(&keys(t)[9]).unwrap()))),
        sled_case("all frames are gone", Box::new(|t| t.clear().unwrap())),
        sled_case(
            "two frames are swapped",
            Box::new(move |t| {
                let keys = keys(t);
                let (a, b) = (t.get(&keys[4]).unwrap().unwrap(), t.get(&keys[5]).unwrap().unwrap());
                t.insert(&keys[4], b).unwrap();
                t.insert(&keys[5], a).unwrap();
            }),
        ),
        sled_case(
            "a frame is there twice",
            Box::new(move |t| {
                let last = t.last().unwrap().unwrap();
                t.insert(key(1_000_000), last.1).unwrap();
            }),
        ),
        sled_case("a frame is empty", Box::new(move |t| drop(t.insert(&keys(t)[3], &[]).unwrap()))),
        sled_case("a key is no position", Box::new(|t| drop(t.insert("x", "y").unwrap()))),
        sled_case(
            "a frame at the last position there is",
            Box::new(move |t| {
                t.insert(key(u64::MAX), frame(u64::MAX, &[0; 32], &[vec![1], vec![2]]).0).unwrap();
            }),
        ),
        sled_case(
            "two frames at the end of all positions",
            Box::new(move |t| {
                t.insert(key(u64::MAX - 2), frame(u64::MAX - 2, &[0; 32], &[vec![1]]).0).unwrap();
                t.insert(key(u64::MAX - 1), frame(u64::MAX - 1, &[0; 32], &[vec![1]]).0).unwrap();
            }),
        ),
        sled_case(
            "a frame that follows, but holds no record",
            Box::new({
                let count = pristine.records;
                let tip: Vec<u8> = head_digest(&pristine.path);
                move |t| drop(t.insert(key(count), frame(count, &tip, &[b"not a record".to_vec()]).0).unwrap())
            }),
        ),
        sled_case("forged and chained anew to the end", Box::new(rechained(true))),
        sled_case("forged and chained anew, shorter", Box::new(rechained(false))),
    ];
    for ((name, _), said) in cases.iter().zip(break_all(&pristine, &cases)) {
        assert_eq!(said, Said::Damaged, "{name}");
    }
}

fn head_digest(path: &Path) -> Vec<u8> {
    let head = fs::read(path.join("head")).unwrap();
    let turn = |slot: usize| u64::from_le_bytes(head[slot * 4096 + 8..slot * 4096 + 16].try_into().unwrap());
    let slot = usize::from(turn(1) > turn(0)) * 4096;
    head[slot + 24..slot + 56].to_vec()
}

#[test]
fn the_position_of_damage_is_that_of_the_frame() {
    let pristine = pristine(8);
    let copied = tempfile::tempdir().unwrap();
    let data = copied.path().join("data");
    copy(&pristine.path, &data);
    let mut at = 0;
    through_sled(&data, |tree| {
        let (key, value) = tree.iter().nth(7).unwrap().unwrap();
        at = u64::from_be_bytes(key[..].try_into().unwrap());
        let mut bytes = value.to_vec();
        bytes[50] ^= 1;
        tree.insert(key, bytes).unwrap();
    });
    match read(&data) {
        Err(OpenError::Log(LogError::Damaged { position, .. })) => assert_eq!(position, at),
        other => panic!("{other:?}"),
    }
    let scratch = tempfile::tempdir().unwrap();
    let verified = verify(&data, scratch.path()).unwrap();
    assert_eq!(verified.findings[0].position, at);
    // Behind the damage verify reads on: all but that frame's records are still seen.
    assert!(verified.records > at && verified.records < pristine.records, "{verified:?}");
}
