//! `Late` is the engine's own word: when it is written, how often, where it stands, and what the clock may do.
//!
//! The clock of these tests is moved by hand. Where the engine acts by itself a test waits for the record, for seconds
//! if it must; that nothing is written is shown by an empty group, which makes the engine look at its alarms at once.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "bounds on how long the test itself may take")]

mod common;

use common::{
    DAY, HOME, HOUR, SECOND, TestClock, answered, asked, at, code, command, date, engine_over, id, identity, letter,
    memory, one, options, processed, received, records_in, send,
};
use dunghen_engine::dossier::{Command, Due, Event, EventType, Flag, Flags, late_event_id};
use dunghen_engine::log::MemoryLog;
use dunghen_engine::record::Record;
use dunghen_engine::rules::definition;
use dunghen_engine::time::Timestamp;
use dunghen_engine::views::{Figure, Filter, Moment, RatesQuery};
use dunghen_engine::{Batch, Engine, Health, Mode, OpenError, Options, Purpose, Refused};
use std::sync::Arc;
use std::time::{Duration, Instant};

const D: &str = "000.00.01.H44-250310-0001";

fn start() -> Timestamp {
    at("2025-03-10T02:00:00Z")
}

fn due_in(ms: i64) -> Option<Due> {
    Some(Due::Instant(start().plus(ms)))
}

struct Desk {
    log: Arc<MemoryLog>,
    clock: Arc<TestClock>,
    engine: Engine,
}

impl Desk {
    fn with(clock: Arc<TestClock>) -> Desk {
        let log = memory();
        let engine = engine_over(&log, &clock);
        Desk { log, clock, engine }
    }

    fn new() -> Desk {
        Desk::with(TestClock::at(start()))
    }

    fn restart(self, pause: i64) -> Desk {
        self.engine.close().unwrap();
        self.clock.advance(pause);
        let engine = engine_over(&self.log, &self.clock);
        Desk { engine, ..self }
    }

    /// An event of `D` that happens now.
    fn say(&self, n: u64, event: Event) -> Record {
        let receipt = one(&self.engine, command(n, D, self.engine.now(), event));
        self.records()[receipt.position as usize].clone()
    }

    /// An empty group: the engine looks at its alarms at once.
    fn look(&self) {
        assert!(send(&self.engine, Vec::new()).is_empty());
    }

    fn records(&self) -> Vec<Record> {
        records_in(&self.log)
    }

    fn lates(&self) -> Vec<Record> {
        self.records().into_iter().filter(|r| r.statement.event.event_type() == EventType::Late).collect()
    }

    /// Waits until the engine has written that many `Late` by itself.
    fn wait_for(&self, lates: usize) -> Vec<Record> {
        let begun = Instant::now();
        loop {
            let found = self.lates();
            if found.len() >= lates {
                return found;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "only {} of {lates}", found.len());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn types(&self) -> Vec<EventType> {
        self.records().iter().map(|r| r.statement.event.event_type()).collect()
    }
}

/// What a `Late` of promise `k` that ended at `due` must say.
fn check_late(record: &Record, dossier: &str, k: u32, due: Due) {
    let statement = &record.statement;
    assert_eq!(statement.event, Event::Late { promise: k, due });
    assert_eq!(statement.event_id, late_event_id(dossier, k));
    assert_eq!(statement.occurred_at, due.last_moment(&HOME).plus(1), "the first tick after the promise");
    assert_eq!((&*statement.dossier, &statement.desk, &statement.actor), (dossier, &None, &None));
    assert_eq!((&*record.author, record.flags), ("", Flags::default()));
}

#[test]
fn within_a_second_of_an_instant() {
    let desk = Desk::with(TestClock::checked(start()));
    let due = due_in(10 * SECOND);
    desk.say(1, received(due));
    desk.clock.advance(10 * SECOND);
    desk.look();
    assert!(desk.lates().is_empty(), "the last tick of a promise keeps it");
    desk.clock.advance(1);
    let late = desk.wait_for(1).remove(0);
    check_late(&late, D, 1, due.unwrap());
    assert!(late.recorded_at.since(late.statement.occurred_at) <= SECOND);
    assert_eq!((late.position, late.previous, late.dossier_version), (1, Some(0), 2));
    for _ in 0..5 {
        desk.clock.advance(50 * SECOND);
        desk.look();
    }
    assert_eq!(desk.lates().len(), 1, "once for each promise");
    assert_eq!(desk.engine.health(), Health::Serving);
}

#[test]
fn within_a_second_while_real_time_runs() {
    let log = memory();
    let engine = Engine::over(Box::new(Arc::clone(&log)), identity(), HOME, Options::new(Purpose::Write)).unwrap();
    let due = Due::Instant(engine.now().plus(300));
    one(&engine, command(1, D, engine.now(), received(Some(due))));
    let begun = Instant::now();
    while records_in(&log).len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no Late");
        std::thread::sleep(Duration::from_millis(5));
    }
    let late = records_in(&log).remove(1);
    check_late(&late, D, 1, due);
    // Bounded generously: the promise of one second is for a machine that is not stalled by other tests.
    assert!((0..10 * SECOND).contains(&late.recorded_at.since(late.statement.occurred_at)));
}

#[test]
fn after_the_last_tick_of_a_date() {
    let desk = Desk::new();
    let due = Due::Date(date("2025-03-12"));
    desk.say(1, received(Some(due)));
    desk.clock.set(at("2025-03-12T16:59:59.999Z"));
    desk.look();
    assert!(desk.lates().is_empty());
    desk.clock.advance(1);
    let late = desk.wait_for(1).remove(0);
    check_late(&late, D, 1, due);
    assert_eq!(late.recorded_at, at("2025-03-12T17:00:00Z"));
}

#[test]
fn not_while_waiting() {
    let desk = Desk::new();
    desk.say(1, received(due_in(10 * HOUR)));
    desk.clock.advance(4 * HOUR);
    desk.say(2, asked());
    desk.clock.advance(3 * DAY);
    desk.look();
    assert!(desk.lates().is_empty(), "the clock of the dossier stands still");
    desk.say(3, answered(None));
    desk.clock.advance(6 * HOUR);
    desk.look();
    assert!(desk.lates().is_empty(), "the promise moved by the time waited");
    desk.clock.advance(1);
    let late = desk.wait_for(1).remove(0);
    check_late(&late, D, 1, due_in(10 * HOUR + 3 * DAY).unwrap());
}

#[test]
fn not_after_the_end() {
    let ends = [
        processed(),
        Event::Withdrawn { reason_code: None },
        Event::Stopped { reason_code: code("no-basis") },
        Event::Rejected { unit: None, reason_code: None },
        Event::Returned { returned_via: None },
    ];
    for end in ends {
        let desk = Desk::new();
        desk.say(1, received(due_in(HOUR)));
        desk.clock.advance(HOUR);
        desk.say(2, end.clone());
        desk.clock.advance(DAY);
        desk.look();
        let desk = desk.restart(DAY);
        desk.look();
        assert_eq!(desk.records().len(), 2, "{end:?}");
    }
}

#[test]
fn at_start_up_for_what_passed_meanwhile() {
    let desk = Desk::new();
    desk.say(1, received(due_in(HOUR)));
    desk.say(2, letter(due_in(2 * HOUR)));
    let other = "000.00.01.H44-250310-0002";
    one(&desk.engine, command(3, other, start(), received(due_in(90 * 60 * SECOND))));
    one(&desk.engine, command(4, "000.00.01.H44-250310-0003", start(), received(due_in(40 * DAY))));
    let desk = desk.restart(30 * DAY);
    let lates = desk.wait_for(3);
    desk.look();
    assert_eq!(desk.lates().len(), 3);
    let of = |dossier: &str| lates.iter().filter(|r| &*r.statement.dossier == dossier).collect::<Vec<_>>();
    check_late(of(D)[0], D, 1, due_in(HOUR).unwrap());
    check_late(of(D)[1], D, 2, due_in(2 * HOUR).unwrap());
    check_late(of(other)[0], other, 1, due_in(90 * 60 * SECOND).unwrap());
    assert!(lates.iter().all(|r| r.recorded_at == start().plus(30 * DAY)), "recorded when the engine knew");
    let desk = desk.restart(DAY);
    desk.look();
    assert_eq!(desk.lates().len(), 3, "a restart does not repeat them");
}

#[test]
fn a_morning_after_a_long_downtime() {
    let desk = Desk::new();
    let names: Vec<String> = (0..3000).map(|i| format!("M{i}")).collect();
    let commands = (10..).zip(&names).map(|(n, name)| command(n, name, start(), received(due_in(HOUR)))).collect();
    assert!(send(&desk.engine, commands).iter().all(Result::is_ok));
    let desk = desk.restart(DAY);
    // Desks are answered while the engine catches up.
    desk.say(1, received(None));
    let lates = desk.wait_for(3000);
    assert_eq!(lates.len(), 3000);
    let mut dossiers: Vec<_> = lates.iter().map(|r| r.statement.dossier.clone()).collect();
    dossiers.sort();
    dossiers.dedup();
    assert_eq!(dossiers.len(), 3000);
}

#[test]
fn just_before_the_end_that_came_after_the_promise() {
    for (end, late) in
        [(start().plus(HOUR), false), (start().plus(HOUR + 1), true), (start().plus(HOUR + 60_000), true)]
    {
        // The engine's clock still stands before the promise, so nothing but the end itself can call for `Late`.
        let desk = Desk::new();
        desk.say(1, received(due_in(HOUR)));
        desk.clock.advance(HOUR - 60_000);
        let receipt = one(&desk.engine, command(2, D, end, processed()));
        let records = desk.records();
        assert_eq!(receipt.position as usize, records.len() - 1, "the receipt is that of the event sent");
        assert_eq!((receipt.event_id, receipt.dossier_version), (id(2), records.len() as u32));
        assert_eq!(desk.lates().len(), usize::from(late), "{end}");
        if late {
            check_late(&records[1], D, 1, due_in(HOUR).unwrap());
            assert_eq!(records[1].recorded_at, records[2].recorded_at);
            assert_eq!(records[2].previous, Some(1));
        }
        // In one group, so in one frame or in none: sending it again finds it whole.
        let again = one(&desk.engine, command(2, D, end, processed()));
        assert!(again.duplicate && again.position == receipt.position);
        desk.clock.advance(DAY);
        desk.look();
        assert_eq!(desk.records().len(), records.len());
    }
}

#[test]
fn between_the_events_of_one_batch() {
    for mode in [Mode::Each, Mode::Atomic] {
        let desk = Desk::new();
        let ago = |ms: i64| start().plus(-ms);
        let other = "000.00.01.H44-250310-0002";
        let commands = vec![
            command(1, D, ago(5 * HOUR), received(Some(Due::Instant(ago(3 * HOUR))))),
            command(2, other, ago(5 * HOUR), received(Some(Due::Instant(ago(3 * HOUR))))),
            command(3, D, ago(4 * HOUR), letter(Some(Due::Instant(ago(2 * HOUR))))),
            command(4, D, ago(HOUR), processed()),
            command(5, other, ago(4 * HOUR), processed()),
        ];
        let answers = desk.engine.record(Batch { commands, mode }).unwrap();
        let positions: Vec<u64> = answers.iter().map(|a| a.as_ref().unwrap().position).collect();
        assert_eq!(positions, [0, 1, 2, 5, 6], "both promises that passed stand just before the end");
        use EventType as T;
        let types = [T::Received, T::Received, T::ApologySent, T::Late, T::Late, T::Processed, T::Processed];
        assert_eq!(desk.types(), types);
        let records = desk.records();
        check_late(&records[3], D, 1, Due::Instant(ago(3 * HOUR)));
        check_late(&records[4], D, 2, Due::Instant(ago(2 * HOUR)));
        assert!(records.iter().all(|r| r.recorded_at == start()));
        let told_after = records[6].flags.has(Flag::ReportedAfterPromise);
        assert!(!told_after, "the engine never said that this one was late");
    }
}

#[test]
fn an_end_in_time_that_is_reported_after_late() {
    let desk = Desk::new();
    desk.say(1, received(due_in(HOUR)));
    desk.clock.advance(2 * HOUR);
    desk.wait_for(1);
    let end = one(&desk.engine, command(2, D, start().plus(HOUR), processed()));
    assert!(end.flags.has(Flag::ReportedAfterPromise));
    desk.clock.advance(2 * DAY);
    desk.look();
    assert_eq!(desk.types(), [EventType::Received, EventType::Late, EventType::Processed]);
    let query = |id| RatesQuery {
        definition: definition(id).unwrap(),
        from: None,
        to: None,
        as_of: Moment::Instant(desk.engine.now()),
        by: Vec::new(),
        filter: Filter::default(),
        zone: None,
    };
    for id in ["resolved", "resolved-instant"] {
        let total = desk.engine.rates(&query(id)).total;
        assert_eq!((total.get(Figure::OnTime), total.get(Figure::Late)), (1, 0), "no figure depends on Late: {id}");
    }
    // One that ended late is not flagged, though Late is on record as well.
    let desk = Desk::new();
    desk.say(1, received(due_in(HOUR)));
    desk.clock.advance(2 * HOUR);
    desk.wait_for(1);
    assert!(!desk.say(2, processed()).flags.has(Flag::ReportedAfterPromise));
    assert_eq!(desk.lates().len(), 1);
}

#[test]
fn an_import_is_judged_as_a_whole() {
    let desk = Desk::new();
    let long_ago = start().plus(-400 * DAY);
    let due = Due::Instant(long_ago.plus(5 * DAY));
    let mut commands = Vec::new();
    for (i, end) in [Some(4), None, Some(9)].into_iter().enumerate() {
        let dossier = format!("I{i}");
        let n = commands.len() as u64;
        commands.push(Command { imported: true, ..command(n, &dossier, long_ago, received(Some(due))) });
        if let Some(days) = end {
            let end = command(n + 1, &dossier, long_ago.plus(days * DAY), processed());
            commands.push(Command { imported: true, ..end });
        }
    }
    let answers = send(&desk.engine, commands);
    let receipts: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let positions: Vec<u64> = receipts.iter().map(|r| r.position).collect();
    assert_eq!(positions, [0, 1, 2, 3, 4], "the events of the batch first");
    assert!(receipts.iter().all(|r| r.flags == Flags::default()), "an import is not recorded late");
    let mut late: Vec<(u64, String)> =
        desk.lates().iter().map(|r| (r.position, r.statement.dossier.to_string())).collect();
    late.sort();
    assert_eq!(late.iter().map(|(p, _)| *p).collect::<Vec<_>>(), [5, 6]);
    let mut dossiers: Vec<&str> = late.iter().map(|(_, d)| d.as_str()).collect();
    dossiers.sort_unstable();
    assert_eq!(dossiers, ["I1", "I2"], "what ended in time owes nothing");
    desk.lates().iter().for_each(|r| check_late(r, &r.statement.dossier, 1, due));
}

#[test]
fn several_promises_pass_one_by_one() {
    let desk = Desk::new();
    desk.say(1, received(due_in(HOUR)));
    desk.say(2, letter(due_in(3 * HOUR)));
    desk.clock.advance(HOUR + 1);
    check_late(&desk.wait_for(1)[0], D, 1, due_in(HOUR).unwrap());
    desk.say(3, letter(due_in(5 * HOUR)));
    desk.clock.advance(2 * HOUR);
    check_late(&desk.wait_for(2)[1], D, 2, due_in(3 * HOUR).unwrap());
    desk.clock.advance(HOUR);
    desk.look();
    assert_eq!(desk.lates().len(), 2);
    desk.clock.advance(HOUR);
    check_late(&desk.wait_for(3)[2], D, 3, due_in(5 * HOUR).unwrap());
    desk.clock.advance(9 * DAY);
    desk.look();
    assert_eq!(desk.lates().len(), 3);
}

#[test]
fn a_promise_that_was_past_when_it_was_given() {
    let desk = Desk::new();
    let due = Due::Instant(start().plus(-DAY));
    let reception = desk.say(1, received(Some(due)));
    assert!(reception.flags.has(Flag::DueBeforeReception));
    assert_eq!(desk.types(), [EventType::Received, EventType::Late], "in the same group");
    check_late(&desk.lates()[0], D, 1, due);
}

#[test]
fn nobody_else_writes_late() {
    let desk = Desk::new();
    desk.say(1, received(due_in(HOUR)));
    let late = command(2, D, start(), Event::Late { promise: 1, due: due_in(HOUR).unwrap() });
    let answer = send(&desk.engine, vec![late]).remove(0);
    assert_eq!(answer.unwrap_err().reason(), "ENGINE_EVENT");
}

#[test]
fn recorded_at_never_decreases() {
    let desk = Desk::with(TestClock::checked(start()));
    let first = desk.say(1, received(None));
    for (n, step) in (2..).zip([-30 * SECOND, 10 * SECOND, -20 * SECOND, 50 * SECOND, -40 * SECOND, 45 * SECOND]) {
        desk.clock.set(desk.engine.now().plus(step));
        let event = Event::Forwarded { to_unit: code("H44.1"), step_due: None };
        let record = desk.records().pop().unwrap();
        let next = one(&desk.engine, command(n, D, start(), event));
        assert_eq!(next.recorded_at, desk.engine.now().max(record.recorded_at), "step {step}");
    }
    assert_eq!(desk.engine.health(), Health::Serving, "small corrections do not add up to an alarm");
    assert_eq!(first.recorded_at, start());
}

#[test]
fn a_start_behind_the_last_record() {
    let desk = Desk::new();
    desk.say(1, received(due_in(HOUR)));
    let Desk { log, clock, engine } = desk;
    engine.close().unwrap();
    let open = |options: Options| Engine::over(Box::new(Arc::clone(&log)), identity(), HOME, options);
    clock.advance(-2 * HOUR);
    match open(options(&clock)).map(|_| ()) {
        Err(OpenError::ClockBehind { now, recorded }) => {
            assert_eq!((now, recorded), (start().plus(-2 * HOUR), start()));
        }
        other => panic!("{other:?}"),
    }
    let reader = open(Options { purpose: Purpose::Read, ..options(&clock) }).unwrap();
    assert_eq!(reader.position(), 1, "questions are answered whatever the clock says");
    assert!(matches!(reader.health(), Health::NotServing(_)));
    drop(reader);
    let engine = open(Options { accept_clock: true, ..options(&clock) }).unwrap();
    let receipt = one(&engine, command(2, D, engine.now(), asked()));
    assert_eq!(receipt.recorded_at, start(), "accepted, but time does not run backwards");
    engine.close().unwrap();
    // As much as a time server may correct is no reason to refuse.
    clock.set(start().plus(-50 * SECOND));
    assert!(open(options(&clock)).is_ok());
}

#[test]
fn a_clock_that_jumps_stops_the_writer() {
    for jump in [2 * HOUR, -2 * HOUR, 40 * DAY] {
        let desk = Desk::with(TestClock::checked(start()));
        desk.say(1, received(due_in(HOUR)));
        desk.clock.set(start().plus(jump));
        let begun = Instant::now();
        let why = loop {
            if let Health::NotServing(why) = desk.engine.health() {
                break why;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "a jump by {jump} goes unnoticed");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(why.contains("clock jumped") && why.contains(&(jump / 1000).to_string()), "{why}");
        let batch = Batch { commands: vec![command(2, D, start(), processed())], mode: Mode::Each };
        assert_eq!(desk.engine.record(batch).unwrap_err(), Refused::Unavailable(why));
        assert_eq!(desk.types(), [EventType::Received], "one false jump would be Late for everybody");
        assert!(desk.engine.close().is_err(), "it did not stop well");
        // The operator set the clock right and started anew.
        desk.clock.set(start());
        let engine = engine_over(&desk.log, &desk.clock);
        one(&engine, command(2, D, start(), processed()));
    }
}

#[test]
fn a_disk_that_fails_stops_the_writer_and_loses_nothing() {
    let desk = Desk::new();
    desk.say(1, received(due_in(HOUR)));
    desk.log.fail(true);
    let batch = Batch { commands: vec![command(2, D, start(), asked())], mode: Mode::Each };
    assert!(matches!(desk.engine.record(batch.clone()), Err(Refused::Unavailable(_))));
    assert!(matches!(desk.engine.health(), Health::NotServing(_)));
    desk.log.fail(false);
    assert!(matches!(desk.engine.record(batch), Err(Refused::Unavailable(_))), "it never guesses");
    assert_eq!(desk.engine.position(), 1, "and shows nothing that is not durable");
    drop(desk.engine);
    let engine = engine_over(&desk.log, &desk.clock);
    assert_eq!(one(&engine, command(2, D, start(), asked())).position, 1, "sending again is safe");
}
