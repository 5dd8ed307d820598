//! What the tests of the engine share: a clock that is set by hand, short ways to say an event, and a recount of
//! everything from the bytes of a log that shares no code with the writer.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used)]

pub(crate) mod drawn;

use dunghen_engine::calendar::{AfterSupplement, Calendar, DayOff, DayOffKind, Span, Term, WorkedDay};
use dunghen_engine::dossier::{
    Act, Code, Command, Dossier, Due, Entry, Event, Outcome, Rejection, Statement, fingerprint,
};
use dunghen_engine::log::{Digest, EventLog, Log, MemoryLog, genesis};
use dunghen_engine::record::Record;
use dunghen_engine::rules::{
    Apology, EVERY_UNIT, LetterBy, Names, Procedure, Publication, Rule, Rulebook, StepTerm, Unit,
};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{Register, Row};
use dunghen_engine::{Batch, Clock, Engine, Mode, Options, Purpose, Receipt, RuleSet};
use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use uuid::Uuid;

pub(crate) const HOME: Zone = Zone::VIETNAM;
pub(crate) const SECOND: i64 = 1000;
pub(crate) const HOUR: i64 = 3600 * SECOND;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A clock that stands still until it is moved.
pub(crate) struct TestClock {
    wall: AtomicI64,
    /// Milliseconds that really passed; below 0 if nobody is to ask.
    elapsed: AtomicI64,
}

impl TestClock {
    /// A clock whose jumps nobody checks.
    pub(crate) fn at(now: Timestamp) -> Arc<TestClock> {
        Arc::new(TestClock { wall: AtomicI64::new(now.0), elapsed: AtomicI64::new(-1) })
    }

    /// A clock whose jumps can be told from time that passed.
    pub(crate) fn checked(now: Timestamp) -> Arc<TestClock> {
        Arc::new(TestClock { wall: AtomicI64::new(now.0), elapsed: AtomicI64::new(0) })
    }

    /// Time passes.
    pub(crate) fn advance(&self, ms: i64) {
        // The time that really passed first: whoever looks in between sees a lag of `ms`, as after a small step back.
        if self.elapsed.load(Ordering::SeqCst) >= 0 {
            self.elapsed.fetch_add(ms, Ordering::SeqCst);
        }
        self.wall.fetch_add(ms, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock.
    pub(crate) fn set(&self, now: Timestamp) {
        self.wall.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }
    fn elapsed_ms(&self) -> Option<i64> {
        Some(self.elapsed.load(Ordering::SeqCst)).filter(|ms| *ms >= 0)
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

pub(crate) fn date(text: &str) -> Date {
    Date::parse(text).expect(text)
}

pub(crate) fn identity() -> Digest {
    genesis("a log of the tests")
}

pub(crate) fn memory() -> Arc<MemoryLog> {
    Arc::new(MemoryLog::new(identity()))
}

pub(crate) fn options(clock: &Arc<TestClock>) -> Options {
    let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(clock);
    // So few that most dossiers of a test are found again at times, by the register and by the log.
    let new = Options::new(Purpose::Write);
    Options { clock, rule_sets: vec![rule_set()], dossiers_at_hand: 2, dossiers_in_replay: 1, ..new }
}

pub(crate) fn engine_over(log: &Arc<MemoryLog>, clock: &Arc<TestClock>) -> Engine {
    Engine::over(Box::new(Arc::clone(log)), identity(), HOME, options(clock)).expect("the log opens")
}

pub(crate) fn code(text: &str) -> Code {
    Arc::from(text)
}

/// The id of the `n`-th event that a test sends.
pub(crate) fn id(n: u64) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(n))
}

pub(crate) fn command(n: u64, dossier: &str, occurred_at: Timestamp, event: Event) -> Command {
    let statement = Statement { event_id: id(n), dossier: code(dossier), occurred_at, desk: None, actor: None, event };
    Command { statement, expected_version: None, author: code(""), imported: false }
}

pub(crate) fn received(due: Option<Due>) -> Event {
    Event::Received {
        unit: code("H44.22"),
        procedure: Some(code("1.004211")),
        field: None,
        channel: Some(code("online")),
        due,
        applicant_kind: None,
    }
}

pub(crate) fn processed() -> Event {
    Event::Processed { outcome: Outcome::Granted }
}

pub(crate) fn asked() -> Event {
    Event::SupplementRequested { items: vec![code("01")], reason_code: None }
}

pub(crate) fn answered(due: Option<Due>) -> Event {
    Event::Supplemented { due }
}

pub(crate) fn letter(new_due: Option<Due>) -> Event {
    Event::ApologySent {
        letter_number: Some(code("12/TXL")),
        reason_code: Some(code("objective")),
        signer: None,
        sent_via: None,
        new_due,
    }
}

pub(crate) type Answer = Result<Receipt, Rejection>;

pub(crate) fn send(engine: &Engine, commands: Vec<Command>) -> Vec<Answer> {
    engine.record(Batch { commands, mode: Mode::Each }).expect("the engine answers")
}

pub(crate) fn one(engine: &Engine, command: Command) -> Receipt {
    send(engine, vec![command]).remove(0).expect("accepted")
}

/// Rules for the histories that are drawn: a calendar with a holiday among them, a procedure whose term resumes and one
/// whose phases restart, where payments stop the clock, and another apology policy for some units.
pub(crate) fn rule_set() -> RuleSet {
    let since = Date::parse("2020-01-01").unwrap();
    let day = |text: &str| Date::parse(text).unwrap();
    let publish = |code: &str, rule: Rule| Publication { code: code.into(), effective_from: since, rule };
    let hour = 3_600_000;
    let calendar = Calendar {
        code: "test".into(),
        effective_from: since,
        first: day("2025-01-01"),
        last: day("2025-12-31"),
        weekly_days_off: [false, false, false, false, false, true, true],
        days_off: vec![DayOff {
            date: day("2025-04-07"),
            vi: "Giỗ Tổ".into(),
            en: "Kings".into(),
            kind: DayOffKind::Holiday,
        }],
        working_days: vec![WorkedDay { date: day("2025-04-05"), vi: "làm bù".into(), en: "worked".into() }],
        hours: vec![Span { from: 8 * hour, to: 12 * hour }, Span { from: 13 * hour, to: 17 * hour }],
        reception: Default::default(),
        cut_off: 15 * hour,
    };
    let procedure = |phases: &[Term], after_supplement, payment_stops_clock| {
        Rule::Procedure(Procedure {
            names: Names::default(),
            field: None,
            phases: phases.to_vec(),
            after_supplement,
            payment_stops_clock,
            steps: vec![StepTerm { unit: "H29".into(), term: Term::Hours(6) }],
        })
    };
    let unit = |calendar: Option<&str>, apology: Option<&str>| {
        let (calendar, apology) = (calendar.map(Into::into), apology.map(Into::into));
        Rule::Unit(Unit { names: Names::default(), parents: Vec::new(), calendar, apology })
    };
    let letters =
        |letter_by, reschedulings| Rule::Apology(Apology { names: Names::default(), letter_by, reschedulings });
    RuleSet {
        name: "test",
        publications: vec![
            Publication::of_calendar(calendar),
            publish(EVERY_UNIT, unit(Some("test"), Some("on-the-day"))),
            publish("H29", unit(None, Some("before"))),
            publish("H44.22", unit(None, Some("after"))),
            publish("H440", unit(None, Some("hours"))),
            publish("on-the-day", letters(LetterBy::WorkingDaysBefore(0), 1)),
            publish("before", letters(LetterBy::WorkingDaysBefore(1), 2)),
            publish("after", letters(LetterBy::WorkingDaysAfter(2), 0)),
            publish("hours", letters(LetterBy::WorkingHoursAfter(4), 1)),
            publish("1.001", procedure(&[Term::WorkingDays(3)], AfterSupplement::Resume, false)),
            publish("1.002", procedure(&[Term::Hours(5), Term::Days(2)], AfterSupplement::Restart, true)),
        ],
    }
}

/// The same, as an engine begins with them.
pub(crate) fn rulebook() -> Rulebook {
    let mut rules = Rulebook::new(HOME);
    for publication in rule_set().publications {
        rules.publish(publication, None).expect("rules that can be applied");
    }
    rules
}

/// Every record of a log, checked as at start-up.
pub(crate) fn records_of(home: Box<dyn EventLog>, first: Digest) -> Vec<Record> {
    let mut records = Vec::new();
    Log::open(home, first, |position, bytes| {
        records.push(Record::decode(position, bytes).expect("a record"));
        Ok(())
    })
    .expect("the log opens");
    records
}

pub(crate) fn records_in(log: &Arc<MemoryLog>) -> Vec<Record> {
    records_of(Box::new(Arc::clone(log)), identity())
}

/// The views as the records alone say them.
pub(crate) fn recount(records: &[Record]) -> Register {
    let mut recounted = Recounted::new(HOME);
    recounted.take(records);
    recounted.views
}

/// Views that are made of records, some at a time.
pub(crate) struct Recounted {
    home: Zone,
    dossiers: BTreeMap<Code, Dossier>,
    rules: Rulebook,
    taken: u64,
    pub(crate) views: Register,
}

impl Recounted {
    pub(crate) fn new(home: Zone) -> Recounted {
        let views = Register::new(home);
        Recounted { home, dossiers: BTreeMap::new(), rules: rulebook(), taken: 0, views }
    }

    pub(crate) fn take(&mut self, records: &[Record]) {
        let mut touched = BTreeSet::new();
        for record in records {
            let statement = &record.statement;
            let entry = Entry {
                position: record.position,
                recorded_at: record.recorded_at,
                occurred_at: statement.occurred_at,
                event_id: statement.event_id,
                fingerprint: fingerprint(statement),
                flags: record.flags,
                act: Act::of(&statement.event, record.reckoned),
            };
            let new = || Dossier::new(statement.dossier.clone());
            let dossier = self.dossiers.entry(statement.dossier.clone()).or_insert_with(new);
            dossier.evolve(&statement.event, record.reckoned, entry, &mut self.rules);
            touched.insert(&statement.dossier);
        }
        let rows = touched.into_iter().map(|code| Row::new(Arc::new(self.dossiers[code].clone()), &self.home));
        self.taken += records.len() as u64;
        self.views.apply(self.taken, rows.collect());
    }
}

/// So many cases, from a seed that is fixed unless the environment names another.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let rng_seed = match std::env::var_os("PROPTEST_RNG_SEED") {
        Some(_) => default.rng_seed,
        None => RngSeed::Fixed(20_250_910),
    };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    // A failing history prints itself whole, so nothing needs to be kept beside this file.
    ProptestConfig { cases, rng_seed, failure_persistence: None, max_shrink_iters: 4000, ..default }
}

/// Copies a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Numbers that look random and are the same in every run (splitmix64).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| (self.next() >> 56) as u8).collect()
    }
}
