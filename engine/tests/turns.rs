//! Callers who record on their own threads beside those who queue: one log comes of it, nothing acknowledged is
//! missing, and a failure or a defect under a caller ends the recording as one under the writer's thread does.

#![allow(clippy::unwrap_used)]

mod common;

use common::{
    HOME, TestClock, at, command, engine_over, id, identity, letter, memory, one, options, processed, received,
};
use dunghen_engine::log::{EventLog, Frames, Head, LogError, MemoryLog};
use dunghen_engine::{Batch, Engine, Health, Mode, Receipt, Refused, Turn};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::Duration;

const NOW: &str = "2025-03-03T09:00:00+07:00";

const WORK: u8 = 0;
const FAIL: u8 = 1;
const PANIC: u8 = 2;

/// A log in memory behind a gate that can be closed, and that can be told to fail.
struct Home {
    memory: Arc<MemoryLog>,
    closed: Mutex<bool>,
    opened: Condvar,
    /// How many appends have come to the gate.
    came: AtomicUsize,
    behaviour: AtomicU8,
}

impl Home {
    fn new() -> Arc<Home> {
        Arc::new(Home {
            memory: memory(),
            closed: Mutex::new(false),
            opened: Condvar::new(),
            came: AtomicUsize::new(0),
            behaviour: AtomicU8::new(WORK),
        })
    }

    fn engine(self: &Arc<Home>) -> Engine {
        let clock = TestClock::at(at(NOW));
        Engine::over(Box::new(Arc::clone(self)), identity(), HOME, options(&clock)).unwrap()
    }

    fn close_gate(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.opened.notify_all();
    }

    /// Waits until this many appends have come.
    fn wait_for(&self, appends: usize) {
        while self.came.load(Ordering::SeqCst) < appends {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl EventLog for Home {
    fn append(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        self.came.fetch_add(1, Ordering::SeqCst);
        let gate = self.closed.lock().unwrap();
        drop(self.opened.wait_while(gate, |closed| *closed).unwrap());
        match self.behaviour.load(Ordering::SeqCst) {
            FAIL => Err(LogError::Unavailable("no space left on device".to_owned())),
            PANIC => panic!("a defect, on purpose"),
            _ => self.memory.append(frames),
        }
    }
    fn frames(&self, from: u64) -> Frames<'_> {
        self.memory.frames(from)
    }
    fn head_at_open(&self) -> Head {
        self.memory.head_at_open()
    }
    fn write_head(&self, head: &Head, sync: bool) -> Result<(), LogError> {
        self.memory.write_head(head, sync)
    }
}

fn batch(n: u64, dossier: &str) -> Batch {
    let event = if n.is_multiple_of(2) { received(None) } else { processed() };
    Batch { commands: vec![command(n, dossier, at(NOW), event)], mode: Mode::Each }
}

/// The turn of a caller who is alone. The thread of the queue looks at the clock now and then, for a moment.
fn turn(engine: &Engine) -> Turn<'_> {
    loop {
        match engine.turn() {
            Some(turn) => return turn,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn unavailable(refused: &Refused) -> &str {
    match refused {
        Refused::Unavailable(why) => why,
        other => panic!("{other:?}"),
    }
}

/// The receipts of a thread that records its dossiers, every other way of recording in turn, until it is refused or has
/// recorded `most` of them.
fn work(engine: &Engine, thread: u64, most: u64) -> Vec<(String, Receipt)> {
    let mut receipts = Vec::new();
    for n in 0..most.saturating_mul(2) {
        let dossier = format!("D{thread}-{}", n / 2);
        let sent = batch(thread << 32 | n, &dossier);
        let answer = if n.is_multiple_of(3) {
            let (answer, wait) = channel();
            let queued = engine.submit(sent, move |result| answer.send(result).unwrap());
            queued.and_then(|()| wait.recv().unwrap_or_else(|_| Err(Refused::Unavailable("stopped".to_owned()))))
        } else {
            engine.record(sent)
        };
        match answer {
            Ok(results) => receipts.push((dossier, results.into_iter().next().unwrap().unwrap())),
            Err(refused) => {
                unavailable(&refused);
                break;
            }
        }
    }
    receipts
}

/// Every receipt is of a record of the log, in order, and of each dossier in its order.
fn check(home: &Home, receipts: &[(String, Receipt)]) {
    let clock = TestClock::at(at(NOW));
    let engine = engine_over(&home.memory, &clock);
    let records: Vec<_> = engine.replay(Default::default()).map(Result::unwrap).collect();
    assert_eq!(records.len() as u64, engine.position());
    let mut receipts: Vec<_> = receipts.iter().collect();
    receipts.sort_by_key(|(_, receipt)| receipt.position);
    assert!(receipts.windows(2).all(|two| two[0].1.position < two[1].1.position), "one record, one receipt");
    for (dossier, receipt) in receipts {
        let logged = &records[usize::try_from(receipt.position).unwrap()];
        let dunghen_engine::record::Logged::Event(record) = logged else { panic!("{logged:?}") };
        assert_eq!((record.statement.event_id, &*record.statement.dossier), (receipt.event_id, dossier.as_str()));
        assert_eq!(record.dossier_version, receipt.dossier_version);
    }
}

#[test]
fn callers_and_the_queue_make_one_log() {
    let home = Home::new();
    let engine = home.engine();
    let mut receipts = Vec::new();
    for n in 0..20 {
        let dossier = format!("T{}", n / 2);
        let receipt = turn(&engine).record(&batch(n, &dossier)).unwrap().remove(0).unwrap();
        receipts.push((dossier, receipt));
    }
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=8)
            .map(|thread| {
                scope.spawn({
                    let engine = &engine;
                    move || work(engine, thread, 200)
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    receipts.extend(together);
    assert_eq!((receipts.len(), engine.position()), (20 + 8 * 400, 20 + 8 * 400), "nobody was refused");
    engine.close().unwrap();
    check(&home, &receipts);
}

#[test]
fn what_was_acknowledged_before_a_stop_is_there_after_it() {
    for round in 0..20 {
        let home = Home::new();
        let engine = home.engine();
        let begun = Barrier::new(5);
        let receipts: Vec<_> = std::thread::scope(|scope| {
            let (engine, begun) = (&engine, &begun);
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    scope.spawn(move || {
                        begun.wait();
                        work(engine, thread, u64::from(u16::MAX))
                    })
                })
                .collect();
            begun.wait();
            std::thread::sleep(Duration::from_millis(round % 5));
            engine.close().unwrap();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(engine.turn().is_none(), "there are no turns any more");
        assert_eq!(engine.position(), receipts.len() as u64, "all that was recorded was acknowledged");
        check(&home, &receipts);
    }
}

#[test]
fn a_turn_is_one_callers_and_those_who_come_meanwhile_are_next() {
    let home = Home::new();
    let engine = home.engine();
    let mine = turn(&engine);
    assert!(engine.turn().is_none(), "it is taken");
    let (answer, wait) = channel();
    for n in [2, 4] {
        let answer = answer.clone();
        let reply = move |result: Result<Vec<_>, _>| answer.send((n, result.unwrap())).unwrap();
        engine.submit(batch(n, &format!("Q{n}")), reply).unwrap();
    }
    assert!(wait.recv_timeout(Duration::from_millis(50)).is_err(), "they wait until it is over");
    let receipt = mine.record(&batch(0, "T")).unwrap().remove(0).unwrap();
    assert_eq!((receipt.position, receipt.dossier_version), (0, 1));
    let positions: Vec<_> =
        (0..2).map(|_| wait.recv().unwrap()).map(|(n, r)| (n, r[0].clone().unwrap().position)).collect();
    assert_eq!(positions, [(2, 1), (4, 2)], "in the order in which they came");
    // A turn given back unused changes nothing. Two have just been recorded as one group: then nobody takes turns.
    drop(engine.turn());
    assert_eq!(one(&engine, command(6, "Z", at(NOW), received(None))).position, 3);
    // Nor is there a turn while something that was queued before has no answer.
    home.close_gate(true);
    let (answer, wait) = channel();
    engine.submit(batch(8, "W"), move |result| answer.send(result).unwrap()).unwrap();
    assert!(engine.turn().is_none());
    home.close_gate(false);
    assert_eq!(wait.recv().unwrap().unwrap()[0].as_ref().unwrap().position, 4);
}

#[test]
fn a_turn_keeps_the_rules_of_the_log() {
    let home = Home::new();
    let engine = home.engine();
    let record = |commands| turn(&engine).record(&Batch { commands, mode: Mode::Each });
    let first = record(vec![command(1, "A", at(NOW), received(None))]).unwrap().remove(0).unwrap();
    let again = record(vec![command(1, "A", at(NOW), received(None))]).unwrap().remove(0).unwrap();
    assert_eq!(again, Receipt { duplicate: true, ..first });
    let refused = record(vec![command(2, "B", at(NOW), letter(None))]).unwrap().remove(0);
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(engine.position(), 1, "neither left a trace");
    let too_many = (0..=10_000).map(|n| command(n, "C", at(NOW), processed())).collect();
    assert_eq!(record(too_many).unwrap_err(), Refused::TooLarge { size: 10_001, limit: 10_000 });
}

#[test]
fn an_append_that_fails_in_a_turn_ends_the_recording() {
    let home = Home::new();
    let engine = home.engine();
    one(&engine, command(0, "A", at(NOW), received(None)));
    home.behaviour.store(FAIL, Ordering::SeqCst);
    let refused = turn(&engine).record(&batch(2, "B")).unwrap_err();
    assert!(unavailable(&refused).contains("no space left on device"), "{refused:?}");
    assert!(matches!(engine.health(), Health::NotServing(why) if why.contains("no space left on device")));
    // Space coming back does not make the outcome of the failed append known.
    home.behaviour.store(WORK, Ordering::SeqCst);
    let came = home.came.load(Ordering::SeqCst);
    unavailable(&turn(&engine).record(&batch(4, "C")).unwrap_err());
    unavailable(&engine.record(batch(4, "C")).unwrap_err());
    unavailable(&engine.submit(batch(6, "D"), |_| {}).unwrap_err());
    assert_eq!((engine.position(), home.came.load(Ordering::SeqCst)), (1, came), "nothing more was tried");
    assert!(engine.close().is_err());
}

#[test]
fn a_panic_in_a_turn_is_told_to_all_who_wait() {
    let home = Home::new();
    let engine = home.engine();
    one(&engine, command(0, "A", at(NOW), received(None)));
    home.behaviour.store(PANIC, Ordering::SeqCst);
    home.close_gate(true);
    let (answer, wait) = channel();
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| turn(&engine).record(&batch(2, "B")));
        home.wait_for(2);
        engine.submit(batch(4, "C"), move |result| answer.send(result).unwrap()).unwrap();
        home.close_gate(false);
        let refused = turn.join().expect("the caller's thread goes on").unwrap_err();
        assert!(unavailable(&refused).contains("defect"), "{refused:?}");
    });
    let refused = wait.recv_timeout(Duration::from_secs(10)).expect("an answer").unwrap_err();
    assert!(unavailable(&refused).contains("defect"), "{refused:?}");
    home.behaviour.store(WORK, Ordering::SeqCst);
    assert!(engine.turn().is_none(), "what was left half done is used no more");
    assert!(matches!(engine.health(), Health::NotServing(_)));
    unavailable(&engine.record(batch(6, "D")).unwrap_err());
    assert_eq!(engine.position(), 1, "questions are answered");
    assert!(engine.close().is_err());
}

#[test]
fn bystanders_are_told_while_a_disk_stalls_in_a_turn() {
    let home = Home::new();
    let engine = home.engine();
    let (told, telling) = channel();
    engine.stand_by(move || {
        let _ = told.send(());
    });
    one(&engine, command(0, "A", at(NOW), received(None)));
    home.close_gate(true);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| {
            let receipt = turn(&engine).record(&batch(2, "B")).unwrap().remove(0).unwrap();
            done.store(true, Ordering::SeqCst);
            receipt
        });
        home.wait_for(2);
        for _ in 0..3 {
            telling.recv_timeout(Duration::from_secs(10)).expect("bystanders are told");
        }
        assert!(!done.load(Ordering::SeqCst));
        home.close_gate(false);
        assert_eq!(turn.join().unwrap().event_id, id(2));
    });
}
