//! `load`: puts load on a running server and says how it took it.

use crate::drive::{Load, drive};
use crate::{Failure, Format, print, table};
use serde_json::json;
use std::time::Duration;

#[derive(clap::Args)]
pub(crate) struct LoadArgs {
    /// The server, such as http://127.0.0.1:7070. Its log grows by everything that is sent.
    #[arg(long, value_name = "URL")]
    server: String,
    /// Connections.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,
    /// Calls in flight, over all connections.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    in_flight: u32,
    /// Events a call: batches, each event on its own; single events if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: Option<u32>,
    /// For how long.
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    seconds: f64,
    /// Events a second, latency counted from when each call was due; as many as can be if not given.
    #[arg(long, value_name = "R")]
    rate: Option<f64>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

const QUANTILES: [(&str, f64); 4] = [("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("p99_9_ms", 0.999)];

/// Puts the load on and prints; an error is a failure, a refusal is not.
pub(crate) async fn run(args: LoadArgs) -> Result<(), Failure> {
    if args.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err("--rate must be more than 0".into());
    }
    // New at each run: the log may hold the dossiers of the last one.
    let run = uuid::Uuid::now_v7();
    let load = Load {
        connections: usize::try_from(args.connections)?,
        in_flight: usize::try_from(args.in_flight)?,
        batch: usize::try_from(args.batch.unwrap_or(0))?,
        time: Duration::try_from_secs_f64(args.seconds)?,
        rate: args.rate,
        seed: run.as_u64_pair().1,
        label: format!("{:x}-", run.as_u64_pair().0),
    };
    let url = if args.server.contains("://") { args.server } else { format!("http://{}", args.server) };
    let driven = drive(&url, &load).await?;
    let sample = &driven.sample;
    match args.format {
        Format::Json => {
            let mut report = json!({
                "events": sample.done,
                "seconds": sample.elapsed.as_secs_f64(),
                "events_per_s": sample.per_second(),
            });
            for (name, part) in QUANTILES {
                report[name] = json!(sample.quantile_ms(part));
            }
            report["max_ms"] = json!(sample.max_ms());
            report["refused"] = json!(driven.refused);
            report["errors"] = json!(driven.errors);
            print(&report.to_string())?;
        }
        Format::Table => {
            let rate = sample.per_second().map_or_else(|| "–".to_owned(), table::per_second);
            print(&format!("{} events in {:.1} s: {rate} events/s", sample.done, sample.elapsed.as_secs_f64()))?;
            let times = QUANTILES.map(|(name, part)| (name, sample.quantile_ms(part)));
            let times = times.into_iter().chain([("max_ms", sample.max_ms())]).map(|(name, ms)| {
                let name = name.trim_end_matches("_ms").replace("p99_9", "p99.9");
                format!("{name} {} ms", ms.map_or_else(|| "–".to_owned(), table::milliseconds))
            });
            print(&times.collect::<Vec<_>>().join(" · "))?;
            print(&format!("refused {} · errors {}", driven.refused, driven.errors))?;
        }
    }
    if let Some(said) = &driven.said {
        eprintln!("dunghen-benches: the first that was not recorded: {said}");
    }
    if driven.errors > 0 { Err(format!("{} calls failed", driven.errors).into()) } else { Ok(()) }
}
