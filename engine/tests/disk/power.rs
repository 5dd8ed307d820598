//! The power is cut: at any moment, under load, while a directory is made, opened and closed. Every acknowledged event
//! is there afterwards, nothing else has changed, and the log goes on.
//!
//! `DUNGHEN_CUTS=10000 cargo test -p dunghen-engine --test disk -- --ignored --nocapture many_cuts` cuts as often as one
//! likes; `DUNGHEN_SEED` gives it another seed than the one of the day.

use super::common::{DAY, Noise, TestClock, at, options};
use super::disk::{Disk, Faults, Node, Step};
use super::load::{ALONE, BEGIN, Found, digests, judge, replay, sayings, send};
use super::platter::{CHANCES, Chance, Platter, Syncs};
use dunghen_engine::record::Logged;
use dunghen_engine::time::Timestamp;
use dunghen_engine::{Engine, Options, Receipt};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use tempfile::TempDir;

/// What a load leaves to be cut.
pub(crate) struct Life {
    /// The disk as it was when the load began.
    pub(crate) began: Platter,
    pub(crate) steps: Vec<Step>,
    /// The digest of the first 0, 1, 2, … records that were written.
    pub(crate) truth: Vec<String>,
    /// A business time after all of them.
    pub(crate) after: Timestamp,
}

/// How much is sent.
#[derive(Clone, Copy)]
struct Load {
    /// How often the engine is opened and closed.
    sessions: u64,
    /// How many batches each session sends, over three desks.
    batches: u64,
    /// How many dossiers a large batch tells of, at most.
    dossiers: u64,
    /// How many bytes of text a wide event has.
    wide: usize,
    /// At how many bytes the log goes on in a new part, and after how many records a snapshot is written.
    roll: Option<(u64, u64)>,
}

const SMALL: Load = Load { sessions: 3, batches: 24, dossiers: 6, wide: 200, roll: None };
const ROLLING: Load = Load { sessions: 3, batches: 60, dossiers: 8, wide: 2000, roll: Some((40_000, 40)) };
/// With a journal that is soon full, so that what sled has made durable is needed.
const GROWING: Load = Load { sessions: 1, batches: 100, dossiers: 8, wide: 4000, roll: Some((400_000, 1_000_000)) };
const LARGE: Load = Load { sessions: 2, batches: 180, dossiers: 8, wide: 4000, roll: None };

/// Three desks send batches large and small to the directory `root/a/data`, which is opened and closed several times.
/// The lives of a directory have numbers, from which their business time follows.
fn live(root: &Path, number: usize, seed: u64, load: Load, syncs: Syncs) -> Life {
    let _beside = ALONE.read();
    let mut began = Platter::under(root, syncs);
    let disk = Disk::under(root);
    disk.set(Faults { sync_micros: 300, ..Faults::default() });
    let data = root.join("a/data");
    let began_at = at(BEGIN).plus(number as i64 * 20 * DAY);
    let clock = TestClock::at(began_at);
    let mut records: Vec<Logged> = Vec::new();
    let receipts: Mutex<Vec<Receipt>> = Mutex::default();
    for session in 0..load.sessions {
        let mut options = options(&clock);
        if let Some((roll_at, snapshot_every)) = load.roll {
            options = Options { roll_at, snapshot_every, ..options };
        }
        let engine = Engine::open(&data, options).unwrap();
        if session == 0 {
            // What was there when the life began stays.
            began.acknowledged(engine.position());
        }
        let sent = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for desk in 0..3 {
                let (engine, disk, clock, sent, receipts) = (&engine, &disk, &clock, &sent, &receipts);
                scope.spawn(move || {
                    let mut noise = Noise(seed ^ (session << 8 | desk) << 40);
                    while sent.fetch_add(1, Ordering::SeqCst) < load.batches {
                        let dossiers = [1, 1, 2, 5, noise.below(load.dossiers) + 1][noise.below(5) as usize];
                        let commands = sayings(&mut noise, clock, dossiers, load.wide);
                        receipts.lock().unwrap().extend(send(engine, disk, commands).unwrap());
                        clock.advance(noise.below(60_000) as i64);
                    }
                });
            }
        });
        engine.close().unwrap();
        records = replay(&engine);
    }
    for receipt in receipts.into_inner().unwrap() {
        let Logged::Event(record) = &records[receipt.position as usize] else { panic!("{receipt:?} is a rule's") };
        let said = (receipt.event_id, receipt.recorded_at, receipt.dossier_version);
        assert_eq!((record.statement.event_id, record.recorded_at, record.dossier_version), said);
    }
    Life { began, steps: disk.finish(), truth: digests(&records), after: began_at.plus(10 * DAY) }
}

/// A cut, and what was found after it.
#[derive(Debug)]
pub(crate) struct Cut {
    at: usize,
    chance: Chance,
    acknowledged: u64,
    found: Found,
    left: TempDir,
}

impl Cut {
    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self, truth: &[String]) -> Option<String> {
        match &self.found {
            Found::New if self.acknowledged == 0 => None,
            Found::Records(n, digest) if *n >= self.acknowledged && truth.get(*n as usize) == Some(digest) => None,
            Found::Records(n, digest) if truth.get(*n as usize) != Some(digest) => {
                Some(format!("{n} records are there, but not those that were written"))
            }
            found => Some(format!("{} records were acknowledged, found {found:?}", self.acknowledged)),
        }
    }
}

/// Moments at which to cut, `within` some steps or all: a third anywhere, a third beside a step that makes, moves or
/// removes a file, a third beside the beginning of one of sled's segments.
fn moments(steps: &[Step], cuts: usize, within: Option<(usize, usize)>, noise: &mut Noise) -> Vec<usize> {
    let (first, last) = within.unwrap_or((0, steps.len()));
    let of_files =
        |step: &Step| matches!(step, Step::Enter { .. } | Step::Leave { .. } | Step::Move { .. } | Step::Resize { .. });
    let files: Vec<usize> = (first..last).filter(|i| of_files(&steps[*i])).collect();
    let segments: Vec<usize> = (first..last).filter(|i| begins_segment(&steps[*i]).is_some()).collect();
    let mut moments: Vec<usize> = (0..cuts)
        .map(|i| {
            let beside = [&[][..], &files, &segments][i % 3];
            match beside.len() as u64 {
                0 => first + noise.below((last - first) as u64 + 1) as usize,
                n => (beside[noise.below(n) as usize] + noise.below(6) as usize).min(last),
            }
        })
        .collect();
    moments.sort_unstable();
    moments
}

/// Cuts a life at moments by chance and lets each state be judged, two at a time, in the order of the cuts.
pub(crate) fn cut(life: &Life, cuts: usize, within: Option<(usize, usize)>, noise: &mut Noise) -> Vec<Cut> {
    let (sender, receiver) = sync_channel::<Cut>(2);
    let (receiver, judged) = (Mutex::new(receiver), Mutex::new(Vec::new()));
    let moments = moments(&life.steps, cuts, within, noise);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = receiver.lock().unwrap().recv();
                    let Ok(mut cut) = next else { return };
                    cut.found = judge(cut.left.path(), life.after);
                    judged.lock().unwrap().push(cut);
                }
            });
        }
        let mut platter = life.began.clone();
        for at in moments {
            platter.play(&life.steps, at);
            let chance = CHANCES[noise.below(CHANCES.len() as u64) as usize];
            let left = tempfile::tempdir().unwrap();
            std::fs::create_dir(left.path().join("disk")).unwrap();
            platter.cut(chance, noise, &left.path().join("disk"));
            let acknowledged = platter.promised();
            let unseen = Found::Wrong("not judged".to_owned());
            sender.send(Cut { at, chance, acknowledged, found: unseen, left }).unwrap();
        }
        drop(sender);
    });
    let mut judged = judged.into_inner().unwrap();
    judged.sort_by_key(|cut| cut.at);
    judged
}

/// Fails with everything that is wrong, and keeps what was left for whoever looks into it.
fn all_well(cuts: Vec<Cut>, life: &Life, seed: u64) {
    let mut faults = Vec::new();
    for cut in cuts {
        let Some(fault) = cut.fault(&life.truth) else { continue };
        let around = &life.steps[cut.at.saturating_sub(3)..(cut.at + 1).min(life.steps.len())];
        let around: Vec<String> = around.iter().map(|s| format!("{s:?}").chars().take(120).collect()).collect();
        let kept = cut.left.keep();
        faults.push(format!(
            "cut at {} of {} ({:?}), left in {}: {fault}\n  last steps: {around:#?}",
            cut.at,
            life.steps.len(),
            cut.chance,
            kept.display()
        ));
    }
    assert!(faults.is_empty(), "seed {seed}: {} cuts went wrong:\n{}", faults.len(), faults.join("\n"));
}

/// Where and with which header sled begins a segment of its file, if this step does.
fn begins_segment(step: &Step) -> Option<((Node, u64), &[u8])> {
    const SEGMENT: u64 = 512 * 1024;
    const HEADER: usize = 20;
    let Step::Write { file, offset, bytes } = step else { return None };
    let header = bytes.get(..HEADER).filter(|_| offset % SEGMENT == 0)?;
    // Neither the file of the head, nor a segment that is wiped.
    let other = header.starts_with(b"dunghen") || header.iter().all(|b| *b == header[0]);
    (!other).then_some(((*file, *offset), header))
}

/// How often sled began a segment of its file anew that had held another one.
fn reused_segments(steps: &[Step]) -> usize {
    let mut headers = HashMap::new();
    let begun = steps.iter().filter_map(begins_segment);
    begun.filter(|(place, header)| headers.insert(*place, *header).is_some_and(|old| old != *header)).count()
}

/// Lives one after another, each beginning with what a cut of the one before left.
fn lives(seed: u64, loads: &[Load], cuts: usize) -> (usize, usize) {
    println!("seed {seed}");
    let mut noise = Noise(seed);
    let (mut reused, mut done) = (0, 0);
    let mut home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("disk")).unwrap();
    for (number, load) in loads.iter().enumerate() {
        let life = live(&home.path().join("disk"), number, noise.next(), *load, Syncs::Keep);
        let mut judged = cut(&life, cuts, None, &mut noise);
        let unsynced = judged.iter().filter(|c| matches!(c.found, Found::Records(n, _) if n > c.acknowledged)).count();
        println!(
            "life {number}: {} steps, {} files made, {} KB written, {} records, {} segments used again; {} cuts, {unsynced} of which \
             left more than was acknowledged",
            life.steps.len(),
            life.steps.iter().filter(|s| matches!(s, Step::Enter { is_directory: false, .. })).count(),
            life.steps.iter().map(|s| if let Step::Write { bytes, .. } = s { bytes.len() } else { 0 }).sum::<usize>()
                / 1024,
            life.truth.len() - 1,
            reused_segments(&life.steps),
            judged.len()
        );
        (reused, done) = (reused + reused_segments(&life.steps), done + judged.len());
        // The next life begins with what one of the cuts left, after the judge has gone on with it.
        let heir = judged.len() / 2 + noise.below(judged.len() as u64 / 2) as usize;
        let heir = judged.swap_remove(heir);
        assert_eq!(heir.fault(&life.truth), None, "seed {seed}, at {} ({:?})", heir.at, heir.chance);
        home = heir.left;
        all_well(judged, &life, seed);
    }
    (reused, done)
}

#[test]
fn every_acknowledged_event_survives_a_power_cut() {
    let (_, cuts) = lives(20_250_903, &[SMALL, SMALL, SMALL], 60);
    assert_eq!(cuts, 180);
}

#[test]
fn and_when_segments_are_used_again() {
    let (reused, cuts) = lives(20_250_904, &[LARGE, SMALL], 30);
    assert!(reused > 3, "sled used {reused} segments again");
    assert_eq!(cuts, 60);
}

/// The log goes on in new parts while full ones are sealed and removed, and snapshots are written beside it.
#[test]
fn and_while_the_log_rolls() {
    let (_, cuts) = lives(20_250_906, &[ROLLING, ROLLING, SMALL], 40);
    assert_eq!(cuts, 120);
}

#[test]
#[ignore = "as long as one likes"]
fn many_cuts() {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |n| n.parse().unwrap_or_else(|_| panic!("{name} is no number")))
    };
    let seed = number("DUNGHEN_SEED", 1);
    let cuts = number("DUNGHEN_CUTS", 1000) as usize;
    let (reused, cuts) = lives(seed, &[SMALL, LARGE, ROLLING, LARGE, SMALL, ROLLING, LARGE, ROLLING], cuts.div_ceil(8));
    assert!(reused > 10, "sled used {reused} segments again");
    println!("{cuts} cuts, {reused} segments used again");
}

/// The same load on a disk whose syncs do less than they should: the harness must notice.
fn loss_is_found(syncs: Syncs) {
    let seed = 20_250_905;
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("disk");
    std::fs::create_dir(&root).unwrap();
    // A directory that is whole and durable, so that only what is written to it can be lost.
    live(&root, 0, seed, SMALL, Syncs::Keep);
    let life = live(&root, 1, seed + 1, GROWING, syncs);
    let mut noise = Noise(seed);
    let mut cuts = 0;
    while cuts < 300 {
        for cut in cut(&life, 6, None, &mut noise) {
            cuts += 1;
            if let Some(fault) = cut.fault(&life.truth) {
                println!("{syncs:?}: the loss is noticed at cut {cuts} ({:?}): {fault}", cut.chance);
                return;
            }
        }
    }
    panic!("{syncs:?}: {cuts} cuts, and no loss is noticed");
}

#[test]
fn without_its_sync_events_are_lost_and_that_is_noticed() {
    loss_is_found(Syncs::NoFdatasync);
}

/// What sled does by itself, without `engine/src/log/sync.rs`.
#[test]
fn with_sync_file_range_events_are_lost_and_that_is_noticed() {
    loss_is_found(Syncs::FdatasyncKeepsNoLength);
}

/// Each call is really watched: one that was not linked in would let every test here pass without having seen anything.
#[test]
fn every_kind_of_call_is_seen() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("disk");
    std::fs::create_dir(&root).unwrap();
    let life = live(&root, 0, 1, SMALL, Syncs::Keep);
    let count = |wanted: fn(&Step) -> bool| life.steps.iter().filter(|s| wanted(s)).count();
    let seen = [
        ("pwrite, write", count(|s| matches!(s, Step::Write { .. }))),
        ("ftruncate", count(|s| matches!(s, Step::Resize { .. }))),
        ("mkdir", count(|s| matches!(s, Step::Enter { is_directory: true, .. }))),
        ("open with O_CREAT", count(|s| matches!(s, Step::Enter { is_directory: false, .. }))),
        ("rename", count(|s| matches!(s, Step::Move { .. }))),
        ("unlink", count(|s| matches!(s, Step::Leave { .. }))),
        ("fdatasync", count(|s| matches!(s, Step::SyncBegun { data_only: true, .. }))),
        ("fsync", count(|s| matches!(s, Step::SyncBegun { data_only: false, .. }))),
        ("acknowledged", count(|s| matches!(s, Step::Acknowledged(_)))),
    ];
    for (call, times) in seen {
        assert!(times > 0, "{call} was not seen");
    }
    // Played to the end, with all that is in memory written back, the disk holds what the files hold.
    let mut platter = life.began.clone();
    platter.play(&life.steps, life.steps.len());
    let to = tempfile::tempdir().unwrap();
    platter.cut(Chance::All, &mut Noise(1), to.path());
    assert!(super::disk::contents(to.path()) == super::disk::contents(&root), "the trace is not what happened");
}
