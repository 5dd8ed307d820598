//! Snapshots: a start goes on from the newest, and does without whatever of it is missing, damaged or another's. What they
//! hold is compared with a replay of the whole log in `properties.rs`; here it is what may happen to their files.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "bounds on how long the test itself may wait")]

mod common;

use common::{DAY, HOME, Noise, TestClock, at, code, command, copy, options, processed, received, rule_set};
use dunghen_engine::dossier::{Due, Event};
use dunghen_engine::rules::{Publication, RESOLVED};
use dunghen_engine::time::Date;
use dunghen_engine::views::{Figure, Filter, GroupKey, Moment, ObligationQuery, RatesAnswer, RatesQuery};
use dunghen_engine::{Batch, Engine, Health, Mode, Options, ReplayFilter};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVERY: u64 = 50;

fn open(path: &Path, clock: &Arc<TestClock>) -> Engine {
    let options = Options { snapshot_every: EVERY, zone: Some(HOME), ..options(clock) };
    Engine::open(path, options).unwrap()
}

/// So many dossiers of several units, some of them late, some ended.
fn fill(engine: &Engine, clock: &TestClock, noise: &mut Noise, from: u64, dossiers: u64) {
    for n in from..from + dossiers {
        clock.advance(DAY / 8);
        let now = dunghen_engine::Clock::now(clock);
        let due = Due::Date(Date(HOME.date(now).0 + i32::try_from(noise.below(6)).unwrap()));
        let say = |event: Event, k: u64| {
            let say = command(10 * n + k, &format!("H44.22-{n:05}"), now, event);
            let sent = engine.record(Batch { commands: vec![say], mode: Mode::Each }).unwrap();
            assert!(sent[0].is_ok(), "{sent:?}");
        };
        say(received(Some(due)), 0);
        if noise.below(3) > 0 {
            say(processed(), 1);
        }
        if noise.below(3) == 0 {
            say(Event::Returned { returned_via: None }, 2);
        }
    }
}

fn by_month(engine: &Engine) -> RatesAnswer {
    engine.rates(&RatesQuery {
        definition: RESOLVED,
        from: None,
        to: None,
        as_of: Moment::Instant(at("2030-01-01T00:00:00Z")),
        by: vec![GroupKey::Unit, GroupKey::Month],
        filter: Filter::default(),
        zone: None,
    })
}

/// A closed directory with a snapshot of its end, its clock, and what it answers.
fn closed(place: &Path) -> (Arc<TestClock>, RatesAnswer) {
    let clock = TestClock::at(at("2025-01-02T01:00:00Z"));
    let engine = open(place, &clock);
    fill(&engine, &clock, &mut Noise(1), 0, 60);
    engine.close().unwrap();
    let answer = by_month(&engine);
    drop(engine);
    (clock, answer)
}

fn derived(place: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(place.join("derived")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_clean_stop_leaves_nothing_to_replay() {
    let place = tempfile::tempdir().unwrap();
    let (clock, answer) = closed(place.path());
    let engine = open(place.path(), &clock);
    assert_eq!((engine.resumed_from(), engine.position()), (answer.position, answer.position));
    assert_eq!(by_month(&engine), answer);
    assert_eq!(engine.replay(ReplayFilter::default()).count() as u64, answer.position);
    // Which chunks hold what is owed is in the snapshot, too.
    let owed = ObligationQuery {
        state: None,
        from: None,
        to: None,
        as_of: Moment::Instant(at("2030-01-01T00:00:00Z")),
        filter: Filter::default(),
        zone: None,
        page_size: 1000,
        after: None,
    };
    let listed = engine.obligations(&owed).unwrap().items.len() as u64;
    assert!(listed > 0);
    assert_eq!(listed, answer.total.get(Figure::ApologyDue));
}

#[test]
fn a_short_log_has_no_snapshot_and_is_read_whole() {
    let place = tempfile::tempdir().unwrap();
    let clock = TestClock::at(at("2025-01-02T01:00:00Z"));
    let engine = open(place.path(), &clock);
    fill(&engine, &clock, &mut Noise(1), 0, 5);
    engine.close().unwrap();
    assert!(engine.position() < EVERY);
    drop(engine);
    assert!(!place.path().join("derived").exists());
    assert_eq!(open(place.path(), &clock).resumed_from(), 0);
}

/// Only what changed is written again, and nothing is left lying about.
#[test]
fn snapshots_follow_each_other() {
    let place = tempfile::tempdir().unwrap();
    let (clock, before) = closed(place.path());
    let engine = open(place.path(), &clock);
    fill(&engine, &clock, &mut Noise(2), 100, 60);
    engine.close().unwrap();
    let answer = by_month(&engine);
    drop(engine);
    assert!(answer.position > before.position + EVERY);
    assert_eq!(derived(place.path()).len(), 2, "the views and one segment");
    let engine = open(place.path(), &clock);
    assert_eq!((engine.resumed_from(), by_month(&engine)), (answer.position, answer));
}

/// What came after the snapshot is replayed: a directory copied while it is served, as a crash leaves it.
#[test]
fn after_a_crash_only_the_tail_is_replayed() {
    let place = tempfile::tempdir().unwrap();
    let (clock, before) = closed(place.path());
    let engine = open(place.path(), &clock);
    fill(&engine, &clock, &mut Noise(3), 200, 10);
    let answer = by_month(&engine);
    let crashed = tempfile::tempdir().unwrap();
    copy(place.path(), crashed.path());
    let again = open(crashed.path(), &clock);
    assert_eq!((again.resumed_from(), by_month(&again)), (before.position, answer));
    drop(engine);
}

/// Every file of a snapshot, damaged at its beginning, in its middle and at its end, cut short, emptied or removed.
#[test]
fn what_is_damaged_is_passed_over() {
    let place = tempfile::tempdir().unwrap();
    let (clock, answer) = closed(place.path());
    for file in derived(place.path()) {
        let whole = fs::read(&file).unwrap();
        let flipped = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            Some(bytes)
        };
        let half = whole[..whole.len() / 2].to_vec();
        let cases =
            [flipped(0), flipped(whole.len() / 2), flipped(whole.len() - 1), Some(half), Some(Vec::new()), None];
        for (case, bytes) in cases.into_iter().enumerate() {
            match bytes {
                Some(bytes) => fs::write(&file, bytes).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            let engine = open(place.path(), &clock);
            assert_eq!((engine.resumed_from(), by_month(&engine)), (0, answer.clone()), "{file:?}, case {case}");
            engine.close().unwrap();
            drop(engine);
            fs::write(&file, &whole).unwrap();
        }
    }
}

#[test]
fn what_is_another_logs_is_passed_over() {
    let (place, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (clock, answer) = closed(place.path());
    closed(other.path());
    fs::remove_dir_all(place.path().join("derived")).unwrap();
    copy(&other.path().join("derived"), &place.path().join("derived"));
    let engine = open(place.path(), &clock);
    assert_eq!((engine.resumed_from(), by_month(&engine)), (0, answer));
}

/// A snapshot that knows more than the log: the log was brought back from an older copy.
#[test]
fn what_is_newer_than_the_log_is_passed_over() {
    let (place, older) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (clock, answer) = closed(place.path());
    copy(place.path(), older.path());
    let engine = open(place.path(), &clock);
    fill(&engine, &clock, &mut Noise(4), 300, 60);
    engine.close().unwrap();
    drop(engine);
    fs::remove_dir_all(older.path().join("derived")).unwrap();
    copy(&place.path().join("derived"), &older.path().join("derived"));
    let engine = open(older.path(), &clock);
    assert_eq!(engine.resumed_from(), 0);
    let again = by_month(&engine);
    assert_eq!((again.total, again.groups), (answer.total, answer.groups));
}

/// Rules published before a snapshot are in force after it, and promises pass that were given before it.
#[test]
fn rules_and_alarms_outlive_a_snapshot() {
    let place = tempfile::tempdir().unwrap();
    let clock = TestClock::at(at("2025-01-02T01:00:00Z"));
    let engine = open(place.path(), &clock);
    let renamed =
        |publication: Publication| Publication { effective_from: Date::parse("2025-01-03").unwrap(), ..publication };
    engine.publish(rule_set().publications.into_iter().map(renamed).collect(), code("")).unwrap();
    fill(&engine, &clock, &mut Noise(5), 0, 60);
    let due = Due::Instant(dunghen_engine::Clock::now(&*clock).plus(3 * DAY));
    let now = dunghen_engine::Clock::now(&*clock);
    let say = command(99_999, "H44.22-late", now, received(Some(due)));
    engine.record(Batch { commands: vec![say], mode: Mode::Each }).unwrap();
    let versions = engine.rules().all().count();
    engine.close().unwrap();
    let before = engine.position();
    drop(engine);
    let engine = open(place.path(), &clock);
    assert_eq!((engine.resumed_from(), engine.rules().all().count()), (before, versions));
    clock.advance(4 * DAY);
    engine.close().unwrap();
    let lates: Vec<_> = engine
        .replay(ReplayFilter { from: before, ..ReplayFilter::default() })
        .filter_map(|r| r.unwrap().into_event())
        .filter(|r| &*r.statement.dossier == "H44.22-late")
        .collect();
    assert!(
        matches!(&lates[..], [late] if matches!(late.statement.event, Event::Late { promise: 1, .. })),
        "{lates:?}"
    );
}

/// What a snapshot spares the start from reading is read behind it: damage there ends the recording, with its position.
#[test]
fn damage_behind_a_snapshot_is_found() {
    let place = tempfile::tempdir().unwrap();
    let (clock, _) = closed(place.path());
    // With it sled, which takes damage in its file for its end, would be given all frames again.
    fs::remove_file(place.path().join("journal")).unwrap();
    let database = place.path().join("log").join("db");
    let mut bytes = fs::read(&database).unwrap();
    // The first frame: its chain begins with a digest that stands nowhere else.
    let genesis = dunghen_engine::directory::read_genesis(place.path()).unwrap();
    let found: Vec<usize> = (0..bytes.len() - 32).filter(|at| bytes[*at..*at + 32] == genesis).collect();
    assert!(!found.is_empty(), "the first frame lies in the file as it is");
    for at in found {
        bytes[at + 40] ^= 1;
    }
    fs::write(&database, bytes).unwrap();
    let options = Options { snapshot_every: EVERY, zone: Some(HOME), ..options(&clock) };
    // sled may notice by itself; what must not happen is that nobody does.
    let Ok(engine) = Engine::open(place.path(), options) else { return };
    let started = Instant::now();
    while engine.health() == Health::Serving && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let Health::NotServing(why) = engine.health() else { panic!("damage went unnoticed") };
    assert!(why.starts_with("LOG_DAMAGED at position 0"), "{why}");
}
