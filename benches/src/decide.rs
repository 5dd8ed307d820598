//! How long one decision takes: the writer decides every event on its one thread, so this bounds what it can record.
//! Medians over short runs, so that what else the machine does counts little. No disk and no server.

use crate::{Failure, Format, print};
use dunghen::rules;
use dunghen_engine::calendar::{AfterSupplement, Term};
use dunghen_engine::dossier::{Command, Decision, Dossier, Due, Event, Outcome, Statement, decide};
use dunghen_engine::rules::{Names, Procedure, Publication, Rule, Rulebook, Unit};
use dunghen_engine::time::{Date, Timestamp, Zone};
use serde_json::json;
use std::hint::black_box;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How many decisions one run of the clock covers.
const RUN: u32 = 64;

#[derive(clap::Args)]
pub(crate) struct DecideArgs {
    /// How long each kind is measured.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

fn command(n: u128, occurred_at: Timestamp, event: Event) -> Command {
    let statement = Statement {
        event_id: Uuid::from_u128(n),
        dossier: "H44.22-250903-0001".into(),
        occurred_at,
        desk: Some("Q3".into()),
        actor: Some("cb-0042".into()),
        event,
    };
    Command { statement, expected_version: None, author: "".into(), imported: false }
}

fn received(procedure: &str, due: Option<Due>) -> Event {
    Event::Received {
        unit: "H44.22".into(),
        procedure: Some(procedure.into()),
        field: Some("Mỹ phẩm".into()),
        channel: Some("online".into()),
        due,
        applicant_kind: None,
    }
}

/// The built-in calendar for the units below H44, and a procedure of 15 working days.
fn rulebook() -> Result<Rulebook, Failure> {
    let calendar = rules::vietnam();
    let effective_from = calendar.effective_from;
    let unit = Unit { calendar: Some(calendar.code.as_str().into()), ..Unit::default() };
    let procedure = Procedure {
        names: Names::default(),
        field: None,
        phases: vec![Term::WorkingDays(15)],
        after_supplement: AfterSupplement::Resume,
        payment_stops_clock: false,
        steps: Vec::new(),
    };
    let mut rules = Rulebook::new(Zone::VIETNAM);
    rules.publish(Publication::of_calendar(calendar), None)?;
    for (code, rule) in [("H44", Rule::Unit(unit)), ("P15", Rule::Procedure(procedure))] {
        rules.publish(Publication { code: code.into(), effective_from, rule }, None)?;
    }
    Ok(rules)
}

pub(crate) fn run(args: &DecideArgs) -> Result<(), Failure> {
    let mut rules = rulebook()?;
    let start = Timestamp::parse("2025-09-03T09:00:00+07:00").ok_or("no time")?;
    let by_date = Some(Due::Date(Date::new(2025, 9, 24).ok_or("no date")?));
    let mut with = |events: &[Event]| -> Result<Dossier, Failure> {
        let mut dossier = Dossier::new("H44.22-250903-0001".into());
        for (n, event) in (0..).zip(events) {
            let at = start.plus(n * 86_400_000);
            let known = (n > 0).then_some(&dossier);
            let Ok(Decision::Log(log)) = decide(known, &command(n as u128, at, event.clone()), at, &rules) else {
                return Err("an event of the history was not accepted".into());
            };
            for proposal in log {
                let entry = proposal.entry(n as u64, at);
                dossier.evolve(&proposal.statement.event, proposal.reckoned, entry, &mut rules);
            }
        }
        Ok(dossier)
    };
    let asked = || Event::SupplementRequested { items: vec!["01".into()], reason_code: None };
    let fresh = with(&[received("none", by_date)])?;
    let waiting = with(&[received("P15", None), asked()])?;
    let cases: [(&str, Option<&Dossier>, Event); 5] = [
        ("Received, due given", None, received("none", by_date)),
        ("Received, due reckoned", None, received("P15", None)),
        ("Processed", Some(&fresh), Event::Processed { outcome: Outcome::Granted }),
        ("SupplementRequested", Some(&fresh), asked()),
        ("Supplemented, due reckoned", Some(&waiting), Event::Supplemented { due: None }),
    ];
    let limit = Duration::try_from_secs_f64(args.seconds)?;
    let mut answer = Vec::new();
    for (name, dossier, event) in cases {
        let now = start.plus(3 * 86_400_000);
        let command = command(99, now, event);
        let mut runs = Vec::new();
        let started = Instant::now();
        while runs.is_empty() || started.elapsed() < limit {
            let run = Instant::now();
            for _ in 0..RUN {
                black_box(decide(black_box(dossier), black_box(&command), now, &rules)).map_err(|r| r.reason())?;
            }
            runs.push(run.elapsed().as_nanos() as f64 / f64::from(RUN));
        }
        runs.sort_by(f64::total_cmp);
        let (median, p99) = (runs[runs.len() / 2], runs[runs.len() * 99 / 100]);
        match args.format {
            Format::Table => print(&format!("{name:28} {median:8.0} ns median {p99:8.0} ns p99"))?,
            Format::Json => {
                answer.push(json!({"decision": name, "runs": runs.len(), "median_ns": median, "p99_ns": p99}));
            }
        }
    }
    if args.format == Format::Json {
        print(&serde_json::Value::from(answer).to_string())?;
    }
    Ok(())
}
