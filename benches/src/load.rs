//! `load`: puts load on a running server and says how it took it.

use crate::drive::{Call, Driven, Load, drive};
use crate::mixed::{QUESTIONS_PER_SECOND, mixed, questions};
use crate::query::{Asked, Asking, QUESTIONS, ask};
use crate::sample::Sample;
use crate::{Failure, Format, print, stories, table};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(clap::Args)]
pub(crate) struct LoadArgs {
    /// The server, such as http://127.0.0.1:7070. Its log grows by everything that is sent.
    #[arg(long, value_name = "URL")]
    server: String,
    /// What to do [default: unary, or batch if --batch is given].
    #[arg(long, value_enum)]
    work: Option<Work>,
    /// Connections.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,
    /// Calls in flight over all connections; with streams, events [default: 64; stream 4096, batch 4, queries 16].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    in_flight: Option<u32>,
    /// Events a batch, each on its own [default: 1000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: Option<u32>,
    /// For how long.
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    seconds: f64,
    /// For how long before that, the same, without counting.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    warm_up: f64,
    /// Events a second (with queries, questions), latency counted from when each was due [default: as many as can be].
    #[arg(long, value_name = "R")]
    rate: Option<f64>,
    /// Questions a second beside the events of mixed work.
    #[arg(long, value_name = "R", default_value_t = QUESTIONS_PER_SECOND)]
    questions: f64,
    /// Where the events come from: the same seed sends the same dossiers, so once to each server [default: a new one].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// The kinds of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Work {
    /// One event a call.
    Unary,
    /// Streams of single events, one a connection, sent without waiting.
    Stream,
    /// Batches.
    Batch,
    /// Rates by unit, month, procedure and field, in turn, of this year.
    Queries,
    /// One event a call, and questions beside them.
    Mixed,
}

const QUANTILES: [(&str, f64); 4] = [("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("p99_9_ms", 0.999)];

impl LoadArgs {
    fn work(&self) -> Work {
        self.work.unwrap_or(if self.batch.is_some() { Work::Batch } else { Work::Unary })
    }

    fn in_flight(&self) -> Result<usize, Failure> {
        let usual = match self.work() {
            Work::Unary | Work::Mixed => 64,
            Work::Stream => 4096,
            Work::Batch => 4,
            Work::Queries => 16,
        };
        Ok(usize::try_from(self.in_flight.unwrap_or(usual))?)
    }

    fn load(&self, seed: u64, label: &str, time: Duration) -> Result<Load, Failure> {
        Ok(Load {
            call: match self.work() {
                Work::Unary | Work::Mixed | Work::Queries => Call::Unary,
                Work::Stream => Call::Stream,
                Work::Batch => Call::Batch(usize::try_from(self.batch.unwrap_or(1000))?),
            },
            connections: usize::try_from(self.connections)?,
            in_flight: self.in_flight()?,
            time,
            rate: self.rate,
            seed,
            label: format!("{label}{seed:x}-"),
        })
    }

    /// Does the work once; what came of the events, of the questions, or of both.
    async fn put(&self, url: &str, load: &Load, year: i32) -> Result<(Option<Driven>, Option<Asked>), Failure> {
        match self.work() {
            Work::Unary | Work::Stream | Work::Batch => Ok((Some(drive(url, load).await?), None)),
            Work::Mixed => {
                let asking = questions(self.questions, year, false, load.time);
                let (driven, asked) = mixed(url, load, asking).await?;
                Ok((Some(driven), Some(asked)))
            }
            Work::Queries => {
                let asking = Asking {
                    questions: &QUESTIONS,
                    year,
                    must_count: false,
                    connections: load.connections,
                    in_flight: load.in_flight,
                    time: load.time,
                    rate: self.rate,
                };
                Ok((None, Some(ask(url, asking).await?)))
            }
        }
    }
}

/// Puts the load on and prints; an error is a failure, a refusal is not.
pub(crate) async fn run(args: LoadArgs) -> Result<(), Failure> {
    if args.rate.iter().chain([&args.questions]).any(|rate| !(rate.is_finite() && *rate > 0.0)) {
        return Err("--rate and --questions must be more than 0".into());
    }
    // New at each run: the log may hold the dossiers of the last one.
    // 52 bits of the random half, which a number of JSON holds.
    let seed = args.seed.unwrap_or_else(|| uuid::Uuid::now_v7().as_u64_pair().1 >> 12);
    let url = if args.server.contains("://") { args.server.clone() } else { format!("http://{}", args.server) };
    let year = stories::today().ymd().0;
    let warm_up = Duration::try_from_secs_f64(args.warm_up)?;
    if !warm_up.is_zero() {
        let (driven, _) = args.put(&url, &args.load(seed, "w", warm_up)?, year).await?;
        if let Some(driven) = driven.filter(|d| d.errors > 0) {
            return Err(format!("{} calls failed: {}", driven.errors, driven.said.unwrap_or_default()).into());
        }
    }
    let load = args.load(seed, "m", Duration::try_from_secs_f64(args.seconds)?)?;
    let (driven, asked) = args.put(&url, &load, year).await?;
    match args.format {
        Format::Json => {
            let name = args.work().to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
            let mut report = json!({"work": name, "seed": seed});
            if let Some(driven) = &driven {
                add(&mut report, "events", &driven.sample);
                report["refused"] = json!(driven.refused);
                report["errors"] = json!(driven.errors);
                report["not_sent"] = json!(driven.not_sent);
            }
            if let Some(asked) = &asked {
                let mut queries = json!({});
                let part = if driven.is_some() { &mut queries } else { &mut report };
                add(part, "answers", &asked.answers);
                part["not_asked"] = json!(asked.not_asked);
                if driven.is_some() {
                    report["queries"] = queries;
                }
            }
            print(&report.to_string())?;
        }
        Format::Table => {
            if let Some(driven) = &driven {
                print(&said("events", &driven.sample))?;
                print(&format!(
                    "refused {} · errors {} · due and not sent {}",
                    driven.refused, driven.errors, driven.not_sent
                ))?;
            }
            if let Some(asked) = &asked {
                print(&said("answers", &asked.answers))?;
                print(&format!("due and not asked {}", asked.not_asked))?;
            }
            print(&format!("seed {seed}"))?;
        }
    }
    let Some(driven) = driven else { return Ok(()) };
    if let Some(said) = &driven.said {
        eprintln!("dunghen-benches: the first that was not recorded: {said}");
    }
    if driven.errors > 0 { Err(format!("{} calls failed", driven.errors).into()) } else { Ok(()) }
}

/// Adds a measurement to a report; `what` is what it counts.
fn add(report: &mut Value, what: &str, sample: &Sample) {
    report[what] = json!(sample.done);
    report["seconds"] = json!(sample.elapsed.as_secs_f64());
    report[format!("{what}_per_s")] = json!(sample.per_second());
    for (name, part) in QUANTILES {
        report[name] = json!(sample.quantile_ms(part));
    }
    report["max_ms"] = json!(sample.max_ms());
}

/// A measurement in two lines for people.
fn said(what: &str, sample: &Sample) -> String {
    let rate = sample.per_second().map_or_else(|| "–".to_owned(), table::per_second);
    let times = QUANTILES.map(|(name, part)| (name, sample.quantile_ms(part)));
    let times = times.into_iter().chain([("max_ms", sample.max_ms())]).map(|(name, ms)| {
        let name = name.trim_end_matches("_ms").replace("p99_9", "p99.9");
        format!("{name} {} ms", ms.map_or_else(|| "–".to_owned(), table::milliseconds))
    });
    format!(
        "{} {what} in {:.1} s: {rate} {what}/s\n{}",
        sample.done,
        sample.elapsed.as_secs_f64(),
        times.collect::<Vec<_>>().join(" · ")
    )
}
