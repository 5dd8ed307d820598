//! How long one due takes, of each kind of term, by the built-in calendar. No disk and no server: it is computed while
//! events are recorded, so it must cost nothing beside them.

use crate::{Failure, Format, print};
use dunghen::rules;
use dunghen_engine::calendar::{MS_PER_HOUR, Term, WorkingTime};
use dunghen_engine::time::{Date, Moment, Zone};
use serde_json::json;
use std::hint::black_box;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct DueArgs {
    /// How long each kind is measured.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

const TERMS: [(&str, Term); 5] = [
    ("hour", Term::Hours(8)),
    ("working_day", Term::WorkingDays(15)),
    ("day", Term::Days(40)),
    ("month", Term::Months(3)),
    ("same day", Term::WorkingDays(0)),
];

pub(crate) fn run(args: &DueArgs) -> Result<(), Failure> {
    let calendar = rules::vietnam();
    let time = WorkingTime::new(calendar, Zone::VIETNAM)?;
    // Receptions of eleven years, at all hours, in an order that no cache foresees.
    let first = Date::new(2016, 1, 4).ok_or("no date")?;
    let receptions: Vec<Moment> = (0..4096_i32)
        .map(|n| (n * 1237 % 4000, i64::from(n) % 24))
        .map(|(day, hour)| Moment::Instant(Zone::VIETNAM.at(first.plus(day), hour * MS_PER_HOUR)))
        .collect();
    let limit = Duration::try_from_secs_f64(args.seconds)?;
    let mut answer = Vec::new();
    for (name, term) in TERMS {
        let (mut dues, started) = (0_u64, Instant::now());
        while dues == 0 || started.elapsed() < limit {
            for received in &receptions {
                black_box(time.due(black_box(*received), black_box(&[term]))?);
            }
            dues += receptions.len() as u64;
        }
        let ns = started.elapsed().as_nanos() as f64 / dues as f64;
        match args.format {
            Format::Table => print(&format!("{name:12} {ns:8.0} ns a due"))?,
            Format::Json => answer.push(json!({"term_unit": name, "dues": dues, "ns": ns})),
        }
    }
    if args.format == Format::Json {
        print(&serde_json::Value::from(answer).to_string())?;
    }
    Ok(())
}
