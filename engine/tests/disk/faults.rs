//! A disk that is full, fails or stalls under a working engine: whoever sends is told, whoever asks is answered,
//! nothing that was acknowledged is lost, and a restart on a disk that is well again heals the rest.

use super::common::{DAY, Noise, TestClock, at, id, options};
use super::disk::{Disk, Faults};
use super::load::{ALONE, BEGIN, digests, judge, rates_are_a_recount, replay, sayings, send};
use super::platter::{Platter, Syncs};
use super::power::{Life, cut};
use dunghen_engine::dossier::Command as Say;
use dunghen_engine::log::LogError;
use dunghen_engine::record::Logged;
use dunghen_engine::views::Moment;
use dunghen_engine::{Batch, Engine, Health, Mode, OpenError, Options, Purpose, Receipt, Refused};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// A directory on a disk of its own, with a few hundred records in it.
struct Desk {
    _home: TempDir,
    data: PathBuf,
    disk: Arc<Disk>,
    began: Platter,
    clock: Arc<TestClock>,
    noise: Noise,
    /// Everything that was sent and answered, and what was answered.
    receipts: BTreeMap<Uuid, Receipt>,
    /// Everything that was sent.
    sent: Vec<Vec<Say>>,
}

impl Desk {
    fn new(seed: u64) -> Desk {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("disk");
        std::fs::create_dir(&root).unwrap();
        let (began, disk) = (Platter::under(&root, Syncs::Keep), Disk::under(&root));
        let mut desk = Desk {
            _home: home,
            data: root.join("a/data"),
            disk,
            began,
            clock: TestClock::at(at(BEGIN)),
            noise: Noise(seed),
            receipts: BTreeMap::new(),
            sent: Vec::new(),
        };
        let engine = desk.open().unwrap();
        for dossiers in [1, 3, 20, 1, 60] {
            let commands = desk.say(dossiers);
            desk.send(&engine, commands).unwrap();
        }
        engine.close().unwrap();
        desk
    }

    fn open(&self) -> Result<Engine, OpenError> {
        Engine::open(&self.data, options(&self.clock))
    }

    fn say(&mut self, dossiers: u64) -> Vec<Say> {
        sayings(&mut self.noise, &self.clock, dossiers, 2000)
    }

    fn send(&mut self, engine: &Engine, commands: Vec<Say>) -> Result<(), Refused> {
        self.sent.push(commands.clone());
        let receipts = send(engine, &self.disk, commands)?;
        self.receipts.extend(receipts.into_iter().map(|r| (r.event_id, r)));
        Ok(())
    }

    /// Sends until somebody is refused; says why.
    fn send_until_refused(&mut self, engine: &Engine) -> String {
        for dossiers in [1, 2, 40].into_iter().chain(std::iter::repeat_n(200, 40)) {
            let commands = self.say(dossiers);
            match self.send(engine, commands) {
                Ok(()) => {}
                Err(Refused::Unavailable(why)) => return why,
                Err(other) => panic!("{other:?}"),
            }
        }
        panic!("nobody was refused")
    }

    /// All that was acknowledged is there as it was acknowledged.
    fn nothing_is_lost(&self, records: &[Logged]) {
        for receipt in self.receipts.values() {
            let Some(Logged::Event(record)) = records.get(receipt.position as usize) else {
                panic!("{receipt:?} is lost")
            };
            assert_eq!((record.statement.event_id, record.recorded_at), (receipt.event_id, receipt.recorded_at));
            assert_eq!(record.dossier_version, receipt.dossier_version);
        }
    }

    /// Every question is answered from what was acknowledged, and only from that.
    fn questions_are_answered(&self, engine: &Engine) {
        let records = replay(engine);
        assert_eq!(engine.position(), records.len() as u64);
        self.nothing_is_lost(&records);
        rates_are_a_recount(engine, &records);
        let Some(Logged::Event(last)) = records.last() else { panic!("no record") };
        let code = &last.statement.dossier;
        let detail = engine.detail(code, Moment::Instant(engine.now())).unwrap().unwrap();
        assert_eq!(detail.history.last(), Some(last));
    }

    /// After a failure: nothing is taken any more, whatever the disk does meanwhile, and each time with the reason.
    fn is_closed_to_events(&mut self, engine: &Engine, why: &str) {
        assert_eq!(engine.health(), Health::NotServing(why.to_owned()));
        self.disk.set(Faults::default());
        for _ in 0..3 {
            let commands = self.say(1);
            assert_eq!(self.send(engine, commands), Err(Refused::Unavailable(why.to_owned())));
        }
        self.questions_are_answered(engine);
        assert_eq!(engine.close(), Err(LogError::Unavailable(why.to_owned())), "the stop is not clean, and says so");
    }

    /// After a restart: everything that was ever sent is sent again, as desks do that had no answer. Each event is in
    /// the log once; then the power is cut a few times.
    fn a_restart_heals(mut self) {
        let engine = self.open().unwrap();
        self.questions_are_answered(&engine);
        let from = self.disk.steps();
        for commands in self.sent.clone() {
            let receipts = send(&engine, &self.disk, commands.clone()).unwrap();
            assert_eq!(receipts.len(), commands.len());
            for receipt in receipts {
                let known = self.receipts.get(&receipt.event_id);
                let known = known.map(|r| Receipt { duplicate: true, ..r.clone() });
                assert!(known.is_none_or(|r| r == receipt), "the receipt of an event changes");
                self.receipts.insert(receipt.event_id, Receipt { duplicate: false, ..receipt });
            }
        }
        let to = self.disk.steps();
        let records = replay(&engine);
        self.nothing_is_lost(&records);
        let ids: Vec<Uuid> = records.iter().filter_map(|r| Some(r.clone().into_event()?.statement.event_id)).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "nothing is there twice");
        let said: BTreeSet<Uuid> = self.sent.iter().flatten().map(|c| c.statement.event_id).collect();
        assert!(said.iter().all(|id| ids.contains(id)) && said.len() == self.receipts.len());
        engine.close().unwrap();
        drop(engine);
        let after = at(BEGIN).plus(10 * DAY);
        let life = Life { began: self.began, steps: self.disk.finish(), truth: digests(&records), after };
        for cut in cut(&life, 6, Some((from, to)), &mut self.noise) {
            assert_eq!(cut.fault(&life.truth), None, "{cut:?}");
        }
    }
}

#[test]
fn a_disk_that_gets_full_in_the_middle_of_a_group() {
    let _beside = ALONE.read();
    // Whole groups, a part of a group, a part of a frame, nothing at all.
    for (seed, space) in [(1, 0), (2, 1), (3, 700), (4, 20_000), (5, 300_000)] {
        let mut desk = Desk::new(seed);
        let engine = desk.open().unwrap();
        desk.disk.set(Faults { space: Some(space), ..Faults::default() });
        let why = desk.send_until_refused(&engine);
        assert!(why.contains("No space left on device"), "{why}");
        desk.is_closed_to_events(&engine, &why);
        drop(engine);
        desk.a_restart_heals();
    }
}

#[test]
fn a_disk_that_fails_to_write() {
    let _beside = ALONE.read();
    let mut desk = Desk::new(11);
    let engine = desk.open().unwrap();
    desk.disk.set(Faults { writes_fail: true, ..Faults::default() });
    let why = desk.send_until_refused(&engine);
    assert!(why.contains("Input/output error"), "{why}");
    desk.is_closed_to_events(&engine, &why);
    drop(engine);
    desk.a_restart_heals();
}

/// After a sync that failed the kernel calls the bytes written, though they are not: the next sync would succeed, and
/// would mean nothing. Neither this process nor the next may rely on them.
#[test]
fn a_disk_that_fails_to_sync() {
    let _beside = ALONE.read();
    for seed in 21..25 {
        let mut desk = Desk::new(seed);
        let engine = desk.open().unwrap();
        for _ in 0..seed % 3 {
            let commands = desk.say(2);
            desk.send(&engine, commands).unwrap();
        }
        desk.disk.set(Faults { syncs_fail: 1, ..Faults::default() });
        let why = desk.send_until_refused(&engine);
        assert!(why.contains("Input/output error"), "{why}");
        desk.is_closed_to_events(&engine, &why);
        drop(engine);
        desk.a_restart_heals();
    }
}

/// Several seconds without an answer from the disk: senders wait, askers do not, and then all goes on.
#[test]
fn a_disk_that_stalls_for_seconds() {
    let _alone = ALONE.write();
    let mut desk = Desk::new(31);
    let engine = Arc::new(desk.open().unwrap());
    let before = engine.position();
    desk.disk.set(Faults { stalled: true, ..Faults::default() });
    let (told, tell) = channel();
    for _ in 0..5 {
        let commands = desk.say(4);
        desk.sent.push(commands.clone());
        let (told, disk) = (told.clone(), Arc::clone(&desk.disk));
        let reply = move |result: Result<Vec<Result<Receipt, _>>, Refused>| {
            let receipts: Vec<Receipt> = result.unwrap().into_iter().map(Result::unwrap).collect();
            disk.acknowledged(receipts.iter().map(|r| r.position).max().unwrap() + 1);
            told.send(receipts).unwrap();
        };
        engine.submit(Batch { commands, mode: Mode::Atomic }, reply).unwrap();
    }
    desk.disk.wait_for_a_stalled_call();
    for _ in 0..4 {
        assert_eq!(engine.health(), Health::Serving, "slow is not broken");
        desk.questions_are_answered(&engine);
        assert_eq!(engine.position(), before, "nobody sees what is not durable");
        assert!(tell.recv_timeout(Duration::from_millis(700)).is_err(), "nobody is told what is not durable");
    }
    desk.disk.set(Faults::default());
    for _ in 0..5 {
        desk.receipts.extend(tell.recv().unwrap().into_iter().map(|r| (r.event_id, r)));
    }
    assert_eq!(engine.health(), Health::Serving);
    desk.questions_are_answered(&engine);
    engine.close().unwrap();
    drop(engine);
    desk.a_restart_heals();
}

/// A restart that finds the disk still full either serves or says why not; in either case it harms nothing.
#[test]
fn a_restart_on_a_disk_that_is_still_full() {
    let _beside = ALONE.read();
    let (mut served, mut refused) = (0, 0);
    for (seed, space) in [(41, 0), (42, 3_000), (43, 150_000)] {
        let mut desk = Desk::new(seed);
        let engine = desk.open().unwrap();
        let full = Faults { space: Some(space), ..Faults::default() };
        desk.disk.set(full);
        let why = desk.send_until_refused(&engine);
        drop(engine);
        // Not enough for a note of the process, nor for one of sled's; enough for some events more.
        for space in [0, 40, 3_000_000] {
            desk.disk.set(Faults { space: Some(space), ..full });
            match desk.open() {
                Ok(engine) => {
                    served += 1;
                    desk.questions_are_answered(&engine);
                    let why = desk.send_until_refused(&engine);
                    assert!(why.contains("No space left on device"), "{why}");
                }
                Err(e) => {
                    refused += 1;
                    assert!(e.to_string().contains("No space left on device"), "after {why:?}: {e}");
                }
            }
            let read = Engine::open(&desk.data, Options { purpose: Purpose::Read, ..options(&desk.clock) });
            match read {
                Ok(engine) => desk.questions_are_answered(&engine),
                Err(e) => assert!(e.to_string().contains("No space left on device"), "after {why:?}: {e}"),
            }
        }
        desk.disk.set(Faults::default());
        desk.a_restart_heals();
    }
    println!("on a full disk {served} restarts served until somebody sent more, {refused} said that there is no space");
    assert!(refused > 0 && served > 0, "{refused} and {served}");
}

/// A directory that could not be made for want of space is made when there is some.
#[test]
fn a_new_directory_on_a_full_disk() {
    let _beside = ALONE.read();
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("disk");
    std::fs::create_dir(&root).unwrap();
    let disk = Disk::under(&root);
    let (data, clock) = (root.join("a/data"), TestClock::at(at(BEGIN)));
    let mut refused = 0;
    for space in [0, 3, 100, 8192, 8200, 8300, 8400, 8500, 9000, 20_000] {
        disk.set(Faults { space: Some(space), ..Faults::default() });
        match Engine::open(&data, options(&clock)) {
            Ok(engine) => {
                // It was made in the end: from here on, space is for events.
                assert_eq!(engine.position(), 0);
                break;
            }
            Err(e) => {
                refused += 1;
                assert!(e.to_string().contains("No space left on device"), "{space}: {e}");
            }
        }
    }
    assert!(refused > 3, "a directory was made on a full disk");
    disk.set(Faults::default());
    let engine = Engine::open(&data, options(&clock)).unwrap();
    let say = super::common::command(1, "A", at(BEGIN), super::common::received(None));
    let receipt = super::common::one(&engine, say);
    assert_eq!((receipt.position, receipt.event_id), (0, id(1)));
    engine.close().unwrap();
    drop(engine);
    disk.finish();
    let left = tempfile::tempdir().unwrap();
    std::fs::rename(&root, left.path().join("disk")).unwrap();
    let found = judge(left.path(), at(BEGIN).plus(DAY));
    assert!(matches!(found, super::load::Found::Records(1, _)), "{found:?}");
}
