//! How long a question about rates takes in process, answered from margins and by a scan: by unit, by field and by procedure,
//! for a quarter, a year, and the year so far.
//!
//! Of a data directory (`--data`), through the engine; or of dossiers invented in memory (`--dossiers`), through the views
//! alone. Both answers are compared: one that differs ends the run with an error.

use crate::sample::Sample;
use crate::{Failure, Format, print};
use dunghen::rules;
use dunghen_engine::dossier::{Act, Code, Dossier, Due, Entry, Event, Flags, Outcome, Reckoned};
use dunghen_engine::rules::{Definition, RESOLVED, Rulebook};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{Filter, GroupKey, Keeping, Moment, RatesAnswer, RatesQuery, Register, Row};
use dunghen_engine::{Clock, Engine, Purpose, SystemClock};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The dossiers invented are received in so many days up to today.
const DAYS: u64 = 5 * 365;
const UNITS: u64 = 600;
const PROCEDURES: u64 = 2_000;
const FIELDS: u64 = 40;
const CHANNELS: [&str; 3] = ["online", "direct", "postal"];
const DAY_MS: i64 = 86_400_000;
/// How many dossiers are brought into the register at once.
const GROUP: u64 = 4_096;

#[derive(clap::Args)]
pub(crate) struct RatesArgs {
    /// The data directory that is asked.
    #[arg(long, required_unless_present = "dossiers", conflicts_with = "dossiers")]
    data: Option<PathBuf>,
    /// Instead of a directory, so many dossiers of five years, 600 units and 2,000 procedures, invented in memory.
    #[arg(long)]
    dossiers: Option<u64>,
    /// How many rows have changed since the margins were made, of those invented.
    #[arg(long, default_value_t = 0)]
    changed: u32,
    /// How long each question is asked, in both ways.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What is asked, and what it is called.
fn questions(definition: Definition, now: Timestamp) -> Result<Vec<(String, RatesQuery)>, Failure> {
    let (year, month, _) = Zone::VIETNAM.date(now).ymd();
    let months_ago = |ago: i32| {
        let months = year * 12 + i32::try_from(month)? - 1 - ago;
        let first = Date::new(months.div_euclid(12), u32::try_from(months.rem_euclid(12))? + 1, 1);
        Ok::<_, Failure>(Some(Moment::Date(first.ok_or("no date")?)))
    };
    let periods = [
        ("a quarter", months_ago(3)?, months_ago(0)?),
        ("a year", months_ago(12)?, months_ago(0)?),
        ("eleven months and today", months_ago(11)?, None),
    ];
    let mut all = Vec::new();
    for (period, from, to) in periods {
        for by in [GroupKey::Unit, GroupKey::Field, GroupKey::Procedure] {
            let (as_of, filter) = (Moment::Instant(now), Filter::default());
            let query = RatesQuery { definition, from, to, as_of, by: vec![by], filter, zone: None };
            all.push((format!("by {}, {period}", by.name()), query));
        }
    }
    Ok(all)
}

/// Asks for this long, but at least once.
fn ask(time: Duration, mut answer: impl FnMut() -> Option<RatesAnswer>) -> Result<(Sample, RatesAnswer), Failure> {
    let (mut sample, started) = (Sample::new(), Instant::now());
    loop {
        let called = Instant::now();
        let answer = answer().ok_or("the margins do not answer")?;
        sample.call(1, called.elapsed());
        if started.elapsed() >= time {
            sample.elapsed = started.elapsed();
            return Ok((sample, answer));
        }
    }
}

fn row(name: &str, answer: &RatesAnswer, margins: &Sample, scan: &Sample) -> Value {
    let ms = |sample: &Sample, part| sample.quantile_ms(part);
    json!({
        "question": name, "groups": answer.groups.len(),
        "margins_p50_ms": ms(margins, 0.5), "margins_p99_ms": ms(margins, 0.99),
        "scan_p50_ms": ms(scan, 0.5), "scan_p99_ms": ms(scan, 0.99),
    })
}

fn same(name: &str, margins: &RatesAnswer, scan: &RatesAnswer) -> Result<(), Failure> {
    if (margins.total, &margins.groups) != (scan.total, &scan.groups) {
        return Err(format!("{name}: the margins are not the scan").into());
    }
    if margins.groups.is_empty() {
        return Err(format!("{name} counts nothing").into());
    }
    Ok(())
}

pub(crate) fn run(args: &RatesArgs) -> Result<(), Failure> {
    let time = Duration::try_from_secs_f64(args.seconds)?;
    let (facts, rows) = match (&args.data, args.dossiers) {
        (Some(data), _) => of_directory(data, time)?,
        (None, dossiers) => of_memory(dossiers.unwrap_or(0), args.changed, time)?,
    };
    if args.format == Format::Json {
        return print(&json!({"margins": facts, "rows": rows}).to_string());
    }
    print(&facts.to_string())?;
    print("question                              groups   margins p50      p99      scan p50      p99  (ms)")?;
    for row in rows {
        let ms = |name: &str| row[name].as_f64().unwrap_or_default();
        let (question, groups) = (row["question"].as_str().unwrap_or_default(), &row["groups"]);
        let (margins, scan) = ((ms("margins_p50_ms"), ms("margins_p99_ms")), (ms("scan_p50_ms"), ms("scan_p99_ms")));
        print(&format!(
            "{question:36} {groups:>7} {:13.3} {:8.3} {:13.2} {:8.2}",
            margins.0, margins.1, scan.0, scan.1
        ))?;
    }
    Ok(())
}

fn of_directory(data: &std::path::Path, time: Duration) -> Result<(Value, Vec<Value>), Failure> {
    let opened = Instant::now();
    let engine = Engine::open(data, rules::options(Purpose::Read))?;
    let opened = opened.elapsed();
    let questions = questions(RESOLVED, engine.now())?;
    let asked = Instant::now();
    // The first question says what is wanted.
    let first = engine.rates(&questions[0].1);
    if first.groups.is_empty() {
        return Err("the directory holds nothing of last quarter".into());
    }
    while engine.margins().definitions.is_empty() {
        if asked.elapsed() > Duration::from_secs(600) {
            return Err("no margins after ten minutes: the directory may have too few dossiers".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let built = asked.elapsed();
    let mut rows = Vec::new();
    for (name, query) in questions {
        let before = engine.margins().answered;
        let (margins, answer) = ask(time, || Some(engine.rates(&query)))?;
        if engine.margins().answered - before != margins.done {
            return Err(format!("{name}: a scan answered").into());
        }
        let (scan, scanned) = ask(time, || Some(engine.scanned_rates(&query)))?;
        same(&name, &answer, &scanned)?;
        rows.push(row(&name, &answer, &margins, &scan));
    }
    let facts = json!({
        "records": engine.position(), "opened_s": opened.as_secs_f64(), "built_s": built.as_secs_f64(),
        "bytes": engine.margins().bytes,
    });
    Ok((facts, rows))
}

fn of_memory(dossiers: u64, changed: u32, time: Duration) -> Result<(Value, Vec<Value>), Failure> {
    let now = SystemClock.now();
    let (mut register, mut rules) = (Register::new(Zone::VIETNAM), Rulebook::new(Zone::VIETNAM));
    let invent =
        |rules: &mut Rulebook, number| Row::new(Arc::new(dossier(number, dossiers, now, rules)), &Zone::VIETNAM);
    for first in (0..dossiers).step_by(usize::try_from(GROUP)?) {
        let rows = (first..dossiers.min(first + GROUP)).map(|number| invent(&mut rules, number)).collect();
        register.apply(first + GROUP, rows);
    }
    let started = Instant::now();
    let keeping = Keeping::new(&register, RESOLVED, now, || false).ok_or("no margins")?;
    let built = started.elapsed();
    let margins = keeping.margins();
    // Rows all over, judged again one by one.
    let step = usize::try_from((dossiers / u64::from(changed.max(1))).max(1))?;
    let all = 0..u32::try_from(dossiers)?;
    let changed: Vec<u32> = all.step_by(step).take(changed as usize).collect();
    let mut rows = Vec::new();
    for (name, query) in questions(RESOLVED, now)? {
        let (sample, answer) = ask(time, || margins.rates(&register, &query, &changed))?;
        let (scan, scanned) = ask(time, || Some(register.rates(&query)))?;
        same(&name, &answer, &scanned)?;
        rows.push(row(&name, &answer, &sample, &scan));
    }
    let facts = json!({
        "dossiers": register.len(), "built_s": built.as_secs_f64(), "bytes": margins.bytes(), "changed": changed.len(),
    });
    Ok((facts, rows))
}

/// A dossier of five years up to now, as far as it has come: of a hundred five are late, of those every other with a letter.
fn dossier(number: u64, of: u64, now: Timestamp, rules: &mut Rulebook) -> Dossier {
    let mut seed = number.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ 0x9e37_79b9_7f4a_7c15;
    let mut below = |n: u64| {
        seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(29).wrapping_add(number);
        i64::try_from((seed >> 11) % n).unwrap_or(0)
    };
    let (unit, procedure) = (below(UNITS), below(PROCEDURES));
    let day = i64::try_from((of - 1 - number) * DAYS / of.max(1)).unwrap_or(0);
    let received = now.plus(-(day + 1) * DAY_MS + below(DAY_MS as u64));
    let term = 3 + below(20);
    let due = Zone::VIETNAM.date(received).plus(i32::try_from(term).unwrap_or(0));
    let code: Code = format!("000.00.{unit:03}-{number:08}").into();
    let mut events = vec![(
        received,
        Event::Received {
            unit: format!("H08.{unit:03}").into(),
            procedure: Some(format!("1.{procedure:06}").into()),
            field: Some(format!("F{:02}", procedure.rem_euclid(FIELDS as i64)).into()),
            channel: Some(CHANNELS[usize::try_from(below(3)).unwrap_or(0)].into()),
            due: Some(Due::Date(due)),
            applicant_kind: None,
        },
    )];
    let late = below(100) < 5;
    let ended = received.plus((if late { term + 1 + below(20) } else { below(term as u64) }) * DAY_MS + 1);
    if late && below(2) == 0 {
        let sent = received.plus(term * DAY_MS + 2);
        let new_due = Some(Due::Date(due.plus(20)));
        let reason_code = Some("objective".into());
        let letter = Event::ApologySent { letter_number: None, reason_code, signer: None, sent_via: None, new_due };
        events.push((sent, letter));
    }
    if below(10) == 0 && !late {
        events.push((received.plus(1), Event::SupplementRequested { items: Vec::new(), reason_code: None }));
        events.push((received.plus(DAY_MS), Event::Supplemented { due: None }));
    }
    events.push((ended.plus(DAY_MS), Event::Processed { outcome: Outcome::Granted }));
    events.push((ended.plus(2 * DAY_MS), Event::Returned { returned_via: None }));
    let mut dossier = Dossier::new(Arc::clone(&code));
    for (at, (occurred_at, event)) in (number * 8..).zip(events).take_while(|(_, (t, _))| *t <= now) {
        let entry = Entry {
            position: at,
            recorded_at: occurred_at,
            occurred_at,
            event_id: Uuid::from_u128(u128::from(at)),
            fingerprint: Default::default(),
            flags: Flags::default(),
            act: Act::of(&event, Reckoned::default()),
        };
        dossier.evolve(&event, Reckoned::default(), entry, rules);
    }
    dossier
}
