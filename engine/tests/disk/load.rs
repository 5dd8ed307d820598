//! What desks send to an engine on a disk of a test, and how a directory that was left behind is judged: in a process
//! of its own, since sled may panic in a thread of its own, hang or abort. Knows nothing of faults or cuts.

use super::common::{Noise, TestClock, answered, asked, at, command, letter, options, processed, received, recount};
use super::disk::Disk;
use dunghen_engine::dossier::{Code, Command as Say, Due, Event};
use dunghen_engine::record::{Logged, Record};
use dunghen_engine::rules::DEFINITIONS;
use dunghen_engine::time::Timestamp;
use dunghen_engine::views::{Filter, GroupKey, Moment, RatesQuery};
use dunghen_engine::{Batch, Clock, Engine, Mode, Options, Purpose, Receipt, Refused, ReplayFilter, verify};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, RwLock};
use std::time::Duration;

const CASE: &str = "DUNGHEN_DISK_CASE";
/// The business time of the judge.
const NOW: &str = "DUNGHEN_DISK_NOW";
/// A process that judges for longer than this hangs.
const LIMIT: Duration = Duration::from_secs(120);
pub(crate) const BEGIN: &str = "2025-03-03T02:00:00Z";

/// One lock of sled's is the whole process's: a database whose disk stalls holds up all others. Whoever lets a disk
/// stall is alone, the others beside each other.
pub(crate) static ALONE: RwLock<()> = RwLock::new(());

/// Ids of events, no two the same in this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn now(clock: &TestClock) -> Timestamp {
    Clock::now(clock)
}

fn text(noise: &mut Noise, length: usize) -> Code {
    noise.bytes(length).iter().map(|b| char::from(b'0' + b % 64)).collect::<String>().into()
}

/// A few dossiers with something of their lives. `wide` is about how many bytes of text, which no compression makes
/// shorter, each request has; if that is much, each dossier has one.
pub(crate) fn sayings(noise: &mut Noise, clock: &TestClock, dossiers: u64, wide: usize) -> Vec<Say> {
    let mut commands = Vec::new();
    for _ in 0..dossiers {
        let now = now(clock);
        let code = format!("H44.22-{:016x}", noise.next());
        let due = Due::Instant(now.plus(noise.below(7200) as i64 * 1000));
        let mut events = vec![received(Some(due))];
        match if wide > 1000 { 1 } else { noise.below(5) } {
            0 => events.push(processed()),
            1 => {
                let items = (0..=wide / 120).map(|_| text(noise, 120)).collect();
                events.push(Event::SupplementRequested { items, reason_code: None });
            }
            2 => events.extend([asked(), answered(None), letter(None)]),
            _ => {}
        }
        commands.extend(events.into_iter().map(|e| command(NEXT.fetch_add(1, Ordering::SeqCst), &code, now, e)));
    }
    commands
}

/// Sends a batch and notes on the disk, before the sender hears of it, up to where the log was promised to be durable.
pub(crate) fn send(engine: &Engine, disk: &Arc<Disk>, commands: Vec<Say>) -> Result<Vec<Receipt>, Refused> {
    let (answer, wait) = channel();
    let disk = Arc::clone(disk);
    engine.submit(Batch { commands, mode: Mode::Each }, move |result| {
        let result = result.map(|answers| answers.into_iter().map(|a| a.expect("accepted")).collect::<Vec<_>>());
        if let Some(last) = result.iter().flatten().map(|r| r.position).max() {
            disk.acknowledged(last + 1);
        }
        // The receiver waits below.
        let _ = answer.send(result);
    })?;
    wait.recv().expect("an answer")
}

/// Everything that records say, up to and with each of them.
pub(crate) fn digests(records: &[Logged]) -> Vec<String> {
    let mut hash = Sha256::new();
    let hex = |hash: &Sha256| hash.clone().finalize().iter().map(|b| format!("{b:02x}")).collect();
    let mut digests = vec![hex(&hash)];
    for record in records {
        hash.update(record.position().to_be_bytes());
        match record {
            Logged::Event(record) => hash.update(record.encode()),
            Logged::Rule(record) => hash.update(record.encode()),
        }
        digests.push(hex(&hash));
    }
    digests
}

pub(crate) fn replay(engine: &Engine) -> Vec<Logged> {
    engine.replay(ReplayFilter::default()).collect::<Result<_, _>>().unwrap()
}

/// That rates by every definition, grouped, are what a recount of the records says.
pub(crate) fn rates_are_a_recount(engine: &Engine, records: &[Logged]) {
    let events: Vec<Record> = records.iter().filter_map(|r| r.clone().into_event()).collect();
    let views = recount(&events);
    for definition in DEFINITIONS {
        let query = RatesQuery {
            definition,
            from: None,
            to: None,
            as_of: Moment::Instant(engine.now()),
            by: vec![GroupKey::Day],
            filter: Filter::default(),
            zone: None,
        };
        let (said, counted) = (engine.rates(&query), views.rates(&query));
        assert_eq!((said.total, said.groups), (counted.total, counted.groups), "{}", definition.id);
    }
}

/// What a directory that was left behind holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This many records, with the digest of them all; and it goes on from there.
    Records(u64, String),
    /// Never finished making: nobody can have been promised anything. It was made anew.
    New,
    /// It is refused, or what it holds contradicts itself.
    Wrong(String),
}

/// The process that judges one directory; does nothing unless told which.
#[test]
#[ignore = "started by the tests of this file, one process a case"]
fn judge_one_directory() {
    let Some(case) = std::env::var_os(CASE) else { return };
    let case = Path::new(&case);
    let (data, scratch) = (case.join("disk/a/data"), case.join("scratch"));
    std::fs::create_dir(&scratch).unwrap();
    let clock = TestClock::at(at(&std::env::var(NOW).unwrap()));
    if !data.join("dunghen.toml").exists() {
        let engine = Engine::open(&data, options(&clock)).unwrap();
        assert_eq!(engine.position(), 0);
        goes_on(engine, &data, &clock, &[]);
        return std::fs::write(case.join("found"), "new").unwrap();
    }
    let verified = verify(&data, &scratch).unwrap();
    assert_eq!(verified.findings, [], "before anything opened it");
    let engine = Engine::open(&data, Options { purpose: Purpose::Read, ..options(&clock) }).unwrap();
    let records = replay(&engine);
    assert_eq!((verified.records, engine.position()), (records.len() as u64, records.len() as u64));
    rates_are_a_recount(&engine, &records);
    drop(engine);
    let digests = digests(&records);
    let engine = Engine::open(&data, options(&clock)).unwrap();
    goes_on(engine, &data, &clock, &digests);
    std::fs::write(case.join("found"), format!("{} {}", records.len(), digests[records.len()])).unwrap();
}

/// One more event is recorded, and all that was there before is there after it.
fn goes_on(engine: Engine, data: &Path, clock: &Arc<TestClock>, before: &[String]) {
    let say = command(now(clock).0 as u64, &format!("one-more-{}", now(clock)), now(clock), received(None));
    let position = super::common::one(&engine, say).position;
    engine.close().unwrap();
    drop(engine);
    let engine = Engine::open(data, Options { purpose: Purpose::Read, ..options(clock) }).unwrap();
    let records = replay(&engine);
    let after = digests(&records);
    assert_eq!(before, &after[..before.len()], "nothing that was there has changed");
    assert!(records.len() as u64 > position && position + 1 >= before.len() as u64);
    rates_are_a_recount(&engine, &records);
}

/// Lets a process of its own judge `case/disk/a/data`, at this business time.
#[allow(clippy::disallowed_methods, reason = "bounds how long the test itself may take")]
pub(crate) fn judge(case: &Path, now: Timestamp) -> Found {
    let printed = std::fs::File::create(case.join("printed")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "load::judge_one_directory", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .env(NOW, now.to_string())
        .stdout(Stdio::null())
        .stderr(printed)
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            return Found::Wrong("hangs".to_owned());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let printed = std::fs::read_to_string(case.join("printed")).unwrap();
    let found = std::fs::read_to_string(case.join("found")).unwrap_or_default();
    if !status.success() || printed.contains("panicked") {
        return Found::Wrong(format!("{status}: {printed}"));
    }
    match found.split_once(' ') {
        Some((records, digest)) => Found::Records(records.parse().unwrap(), digest.to_owned()),
        None if found == "new" => Found::New,
        None => Found::Wrong(format!("said nothing: {found:?}")),
    }
}
