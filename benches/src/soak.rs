//! `soak`: mixed work at half of the highest load for a long time, on a server of its own, and whether it stays as it
//! was.
//!
//! It says a line a minute and ends with a verdict that holds the last quarter against the first: the p99 of receipts,
//! and the memory of the server. At the end the log is read back: it must hold every event that was acknowledged. What
//! grows with the log is said as bytes an event, but growing is growing: only what stays level is called flat.

use crate::drive::{Call, Load, drive};
use crate::mixed::{QUESTIONS_PER_SECOND, mixed, questions};
use crate::query::replay;
use crate::sample::Sample;
use crate::server::Server;
use crate::{Failure, Format, disk, print, stories, table};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::Runtime;

#[derive(clap::Args)]
pub(crate) struct SoakArgs {
    /// For how long.
    #[arg(long, value_name = "N", default_value_t = 60.0)]
    minutes: f64,
    /// Events a second [default: half of what the server takes at most, which is measured first].
    #[arg(long, value_name = "R")]
    rate: Option<f64>,
    /// Questions a second.
    #[arg(long, value_name = "R", default_value_t = QUESTIONS_PER_SECOND)]
    questions: f64,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Where the scratch directory goes; on a real disk [default: beside the executable].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

const SEED: u64 = 20_251_001;
const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 64;
/// How long the highest load is looked for.
const HIGHEST: Duration = Duration::from_secs(10);
/// A line at least this often...
const LINE: Duration = Duration::from_secs(60);
/// ...and never fewer of them, so that there are quarters to compare.
const LEAST_LINES: u32 = 8;
/// How much the last quarter may exceed the first and still be called flat: p99 on a shared machine, and memory.
const FLAT_P99: f64 = 1.5;
const FLAT_MEMORY: f64 = 1.1;

/// What one line is about.
struct Minute {
    receipts: Sample,
    answers: Sample,
    /// Events and questions that were due and not made, since the server was too slow.
    not_made: u64,
    /// Of the server, at its end, in bytes.
    resident: u64,
}

/// A quarter of the time: the p99 of its receipts in milliseconds, and the mean memory of the server in bytes.
struct Quarter {
    p99_ms: f64,
    resident: f64,
}

impl Quarter {
    fn of(minutes: &[Minute]) -> Result<Quarter, Failure> {
        let mut receipts = Sample::new();
        minutes.iter().for_each(|m| receipts.then(&m.receipts));
        Ok(Quarter {
            p99_ms: receipts.quantile_ms(0.99).ok_or("nothing was recorded in a quarter of the time")?,
            resident: minutes.iter().map(|m| m.resident as f64).sum::<f64>() / minutes.len() as f64,
        })
    }
}

/// Soaks and prints; what is not flat, or lost, is an error.
pub(crate) fn run(runtime: &Runtime, args: &SoakArgs) -> Result<(), Failure> {
    if !(args.questions.is_finite() && args.questions > 0.0 && args.rate.is_none_or(|r| r.is_finite() && r > 0.0)) {
        return Err("--rate and --questions must be more than 0".into());
    }
    let time = Duration::try_from_secs_f64(args.minutes * 60.0)?;
    let lines = u32::try_from(time.as_secs().div_ceil(LINE.as_secs()))?.max(LEAST_LINES);
    let (scratch, _) = disk::scratch(args.data.as_deref())?;
    let path = scratch.path().join("soak");
    let server = Server::start(&path)?;
    let load = |label: String, rate, time| Load {
        call: Call::Unary,
        connections: CONNECTIONS,
        in_flight: IN_FLIGHT,
        time,
        rate,
        seed: SEED,
        label,
    };
    let mut acknowledged = 0;
    let rate = match args.rate {
        Some(rate) => rate,
        None => {
            eprintln!("measuring: the highest load");
            let highest = HIGHEST.min(time);
            let sample = runtime.block_on(drive(&server.url, &load("h".to_owned(), None, highest)))?.clean()?;
            acknowledged += sample.done;
            sample.per_second().ok_or("nothing was recorded")? / 2.0
        }
    };
    eprintln!("soaking: {} events/s and {} questions/s", table::per_second(rate), table::per_second(args.questions));
    let year = stories::today().ymd().0;
    let mut minutes: Vec<Minute> = Vec::new();
    for number in 0..lines {
        let load = load(format!("m{number}-"), Some(rate), time / lines);
        let (driven, asked) =
            runtime.block_on(mixed(&server.url, &load, questions(args.questions, year, false, load.time)))?;
        let not_made = driven.not_sent + asked.not_asked;
        let receipts = driven.clean()?;
        acknowledged += receipts.done;
        let minute = Minute { receipts, answers: asked.answers, not_made, resident: server.resident()? };
        say(args.format, number, acknowledged, &minute)?;
        minutes.push(minute);
    }
    // The server that held out, and the log as it lies on disk.
    server.stop()?;
    let server = Server::start(&path)?;
    let (found, _) = runtime.block_on(replay(&server.url))?;
    server.stop()?;
    verdict(args.format, &minutes, acknowledged, found.said)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), table::milliseconds)
}

fn megabytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

/// The line of a minute.
fn say(format: Format, n: u32, acknowledged: u64, minute: &Minute) -> Result<(), Failure> {
    let (receipts, answers) = (&minute.receipts, &minute.answers);
    match format {
        Format::Json => print(
            &json!({
                "line": n + 1,
                "acknowledged": acknowledged,
                "events_per_s": receipts.per_second(),
                "p50_ms": receipts.quantile_ms(0.5),
                "p99_ms": receipts.quantile_ms(0.99),
                "max_ms": receipts.max_ms(),
                "answers_per_s": answers.per_second(),
                "answers_p99_ms": answers.quantile_ms(0.99),
                "not_made": minute.not_made,
                "resident_bytes": minute.resident,
            })
            .to_string(),
        ),
        Format::Table => print(&format!(
            "{:3}: {} events, {} events/s, p50 {} ms, p99 {} ms, longest {} ms; answers p99 {} ms; memory {:.0} MB",
            n + 1,
            table::per_second(acknowledged as f64),
            table::per_second(receipts.per_second().unwrap_or(0.0)),
            number(receipts.quantile_ms(0.5)),
            number(receipts.quantile_ms(0.99)),
            number(receipts.max_ms()),
            number(answers.quantile_ms(0.99)),
            megabytes(minute.resident as f64),
        )),
    }
}

/// Holds the last quarter against the first and what was acknowledged against the log.
fn verdict(format: Format, minutes: &[Minute], acknowledged: u64, found: u64) -> Result<(), Failure> {
    let quarter = (minutes.len() / 4).max(1);
    let (first, last) = (Quarter::of(&minutes[..quarter])?, Quarter::of(&minutes[minutes.len() - quarter..])?);
    let (p99, memory) = (last.p99_ms / first.p99_ms, last.resident / first.resident);
    let not_made: u64 = minutes.iter().map(|m| m.not_made).sum();
    // What was never sent had no latency: whoever cannot keep up is not flat.
    let flat_p99 = p99 <= FLAT_P99 && not_made == 0;
    let (flat_memory, whole) = (memory <= FLAT_MEMORY, found == acknowledged);
    // Between the middles of the quarters.
    let events: u64 = minutes[quarter..].iter().map(|m| m.receipts.done).sum();
    let grown = (last.resident - first.resident).max(0.0) / events.max(1) as f64;
    let sides = |quarter: &Quarter| -> Value { json!({"p99_ms": quarter.p99_ms, "resident_bytes": quarter.resident}) };
    match format {
        Format::Json => print(
            &json!({
                "first_quarter": sides(&first),
                "last_quarter": sides(&last),
                "p99_flat": flat_p99,
                "memory_flat": flat_memory,
                "not_made": not_made,
                "grown_bytes_per_event": grown,
                "acknowledged": acknowledged,
                "in_the_log": found,
            })
            .to_string(),
        )?,
        Format::Table => {
            let word = |flat| if flat { "flat" } else { "NOT flat" };
            let lost = if whole { "no event lost".to_owned() } else { format!("the log holds {found}: EVENTS LOST") };
            print(&format!(
                "verdict: p99 {}: first quarter {} ms, last {} ms, {not_made} calls due and not made; memory {}: \
                 first {:.0} MB, last {:.0} MB, {grown:.0} bytes an event; {} acknowledged, {lost}",
                word(flat_p99),
                table::milliseconds(first.p99_ms),
                table::milliseconds(last.p99_ms),
                word(flat_memory),
                megabytes(first.resident),
                megabytes(last.resident),
                table::per_second(acknowledged as f64),
            ))?;
        }
    }
    if flat_p99 && flat_memory && whole { Ok(()) } else { Err("it did not stay as it was; see the verdict".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(last_ms: u64, last_resident: u64) -> Vec<Minute> {
        let minute = |ms, resident| {
            let mut receipts = Sample::new();
            (0..100).for_each(|_| receipts.call(1, Duration::from_millis(ms)));
            Minute { receipts, answers: Sample::new(), not_made: 0, resident }
        };
        let mut minutes: Vec<Minute> = (0..6).map(|_| minute(10, 1000)).collect();
        minutes.extend((0..2).map(|_| minute(last_ms, last_resident)));
        minutes
    }

    #[test]
    fn only_what_stays_as_it_was_passes() {
        let passes = |minutes: Vec<Minute>, found| verdict(Format::Json, &minutes, 800, found).is_ok();
        assert!(passes(minutes(12, 1050), 800));
        assert!(!passes(minutes(12, 1050), 799), "an event is lost");
        assert!(!passes(minutes(16, 1050), 800), "p99 has grown");
        assert!(!passes(minutes(12, 1200), 800), "memory has grown");
        let mut behind = minutes(12, 1050);
        behind[3].not_made = 1;
        assert!(!passes(behind, 800), "an event was never sent");
    }
}
