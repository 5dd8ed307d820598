//! `compare`: the raw file, the engine and the server, on one disk, in one run, in one table.
//!
//! A disk is not equally fast at all times. So appending to the raw file is measured in two halves, one before and one
//! after what is held against it. Each measurement writes into a directory of its own, is warmed up before it counts,
//! and ends with a replay of its log: it must hold exactly what was acknowledged.

use crate::drive::{Load, drive};
use crate::query::{self, QUESTIONS};
use crate::sample::Sample;
use crate::server::Server;
use crate::stories::Stories;
use crate::table::{self, Row};
use crate::{Failure, Format, disk, local, print, raw};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;

const SEED: u64 = 20_251_001;
const FILE: &str = "file, fdatasync";
const ENGINE: &str = "dunghen, in process";
const SERVER: &str = "dunghen, gRPC";

#[derive(clap::Args)]
pub(crate) struct CompareArgs {
    /// About two seconds a measurement and 20,000 dossiers, instead of ten and 200,000.
    #[arg(long)]
    quick: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Where the scratch directories go; on a real disk [default: beside the executable].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Seconds a measurement.
    #[arg(long, value_name = "N")]
    seconds: Option<f64>,
    /// Dossiers in the directory that is asked and opened.
    #[arg(long, value_name = "N")]
    dossiers: Option<u64>,
}

struct Bench<'a> {
    runtime: &'a Runtime,
    scratch: &'a Path,
    time: Duration,
    rows: Vec<Row>,
}

/// What is done to the log by one of the works.
struct Work {
    /// What the table calls it.
    name: &'static str,
    /// The group that the raw file appends.
    group: usize,
    connections: usize,
    in_flight: usize,
    /// As in [`Load`].
    batch: usize,
}

const WORKS: [Work; 3] = [
    Work { name: "record, 1 in flight", group: 1, connections: 1, in_flight: 1, batch: 0 },
    Work { name: "record, 64 in flight", group: 64, connections: 4, in_flight: 64, batch: 0 },
    Work { name: "batches of 1,000", group: 1000, connections: 4, in_flight: 4, batch: 1000 },
];

/// Measures and prints.
pub(crate) fn run(runtime: &Runtime, args: &CompareArgs) -> Result<(), Failure> {
    let seconds = args.seconds.unwrap_or(if args.quick { 2.0 } else { 10.0 });
    let time = Duration::try_from_secs_f64(seconds)?;
    let dossiers = args.dossiers.unwrap_or(if args.quick { 20_000 } else { 200_000 }).max(1);
    let (scratch, file_system) = disk::scratch(args.data.as_deref())?;
    let mut bench = Bench { runtime, scratch: scratch.path(), time, rows: Vec::new() };
    for work in &WORKS {
        bench.writes(work)?;
    }
    let (records, bytes) = bench.reads(dossiers)?;
    match args.format {
        Format::Json => print(&table::json(&bench.rows).to_string()),
        Format::Table => {
            let cores = std::thread::available_parallelism().map_or(0, usize::from);
            print(&table::text(&bench.rows))?;
            print(&format!(
                "{cores} cores, shared by client and server; scratch on {file_system}; {seconds} s a measurement.\n\
                 Raw records {} bytes; ours {bytes:.0} on average before compression.\n\
                 Reads are of {} records of {} dossiers; events/s there means answers or records.",
                raw::RECORD_BYTES,
                table::per_second(records as f64),
                table::per_second(dossiers as f64),
            ))
        }
    }
}

impl Bench<'_> {
    fn warm_up(&self) -> Duration {
        self.time / 4
    }

    fn say(&self, what: &str) {
        eprintln!("measuring: {what}");
    }

    fn row(&mut self, work: &str, system: &str, sample: &Sample, file: Option<&Sample>) {
        self.rows.push(Row::new(work, system, sample, file));
    }

    fn fresh(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.scratch.join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        Ok(path)
    }

    /// One kind of writing, by the file, the engine and the server.
    fn writes(&mut self, work: &Work) -> Result<(), Failure> {
        self.say(work.name);
        let path = self.scratch.join("raw");
        raw::append(&path, work.group, self.warm_up())?;
        let mut file = raw::append(&path, work.group, self.time / 2)?;
        let engine = self.engine_writes(work)?;
        let server = self.server_writes(work)?;
        file.then(&raw::append(&path, work.group, self.time / 2)?);
        let disk = raw::overwrite(&path, work.group, self.time / 2)?;
        std::fs::remove_file(&path)?;
        let group = if work.group == 1000 { "1,000".to_owned() } else { work.group.to_string() };
        self.row(&format!("append, groups of {group}"), FILE, &file, Some(&file));
        self.row(&format!("overwrite, groups of {group}"), FILE, &disk, Some(&file));
        let name = if work.batch > 0 { format!("{}, 1 in flight", work.name) } else { work.name.to_owned() };
        self.row(&name, ENGINE, &engine, Some(&file));
        let name = match work.connections {
            1 => work.name.to_owned(),
            n if work.batch > 0 => format!("{}, {} in flight on {n} connections", work.name, work.in_flight),
            n => format!("{} on {n} connections", work.name),
        };
        self.row(&name, SERVER, &server, Some(&file));
        Ok(())
    }

    fn engine_writes(&self, work: &Work) -> Result<Sample, Failure> {
        let path = self.fresh("engine")?;
        let engine = local::open(&path)?;
        let mut desks: Vec<Stories> = (0..work.in_flight).map(|n| Stories::new(SEED, format!("e{n:02}"))).collect();
        let mut measure = |time| match work.batch {
            0 if work.in_flight > 1 => local::record_in_flight(&engine, &mut desks, time),
            batch => local::record(&engine, &mut desks[0], batch.max(1), time),
        };
        let (warm, sample) = (measure(self.warm_up())?, measure(self.time)?);
        engine.close()?;
        drop(engine);
        // The log as it lies on disk, read by the server of the product.
        self.check(&path, warm.done + sample.done)?;
        std::fs::remove_dir_all(&path)?;
        Ok(sample)
    }

    fn server_writes(&self, work: &Work) -> Result<Sample, Failure> {
        let path = self.fresh("server")?;
        let server = Server::start(&path)?;
        let load = |label: &str, time| Load {
            connections: work.connections,
            in_flight: work.in_flight,
            batch: work.batch,
            time,
            rate: None,
            seed: SEED,
            label: label.to_owned(),
        };
        let warm = self.runtime.block_on(drive(&server.url, &load("w", self.warm_up())))?.clean()?;
        let sample = self.runtime.block_on(drive(&server.url, &load("m", self.time)))?.clean()?;
        server.stop()?;
        self.check(&path, warm.done + sample.done)?;
        std::fs::remove_dir_all(&path)?;
        Ok(sample)
    }

    /// Opens the directory anew: its log must hold as many records as were acknowledged.
    fn check(&self, path: &Path, acknowledged: u64) -> Result<(), Failure> {
        let server = Server::start(path)?;
        let (found, _) = self.runtime.block_on(query::replay(&server.url))?;
        server.stop()?;
        if found.said != acknowledged {
            return Err(format!("{acknowledged} events were acknowledged, the log holds {}", found.said).into());
        }
        Ok(())
    }

    /// Questions, replay and start-up on a directory of a year; returns its records and their average size.
    fn reads(&mut self, dossiers: u64) -> Result<(u64, f64), Failure> {
        self.say("filling the directory to read");
        let path = self.fresh("year")?;
        let acknowledged = local::fill(&path, SEED, dossiers)?;
        self.check(&path, acknowledged)?;
        let server = Server::start(&path)?;
        for question in QUESTIONS {
            self.say(question.name);
            self.runtime.block_on(query::rates(&server.url, question, self.warm_up()))?;
            let sample = self.runtime.block_on(query::rates(&server.url, question, self.time))?;
            self.row(question.name, SERVER, &sample, None);
        }
        self.say("replay");
        let replay = self.runtime.block_on(query::replays(&server.url, self.time))?;
        server.stop()?;
        self.say("start-up");
        let (start_up, engine) = local::start_up(&path, self.time)?;
        for question in QUESTIONS {
            local::rates(&engine, question, self.warm_up())?;
            let sample = local::rates(&engine, question, self.time)?;
            self.row(question.name, ENGINE, &sample, None);
        }
        self.row("replay of the log", SERVER, &replay, None);
        let replay = local::replays(&engine, self.time)?;
        self.row("replay of the log", ENGINE, &replay, None);
        self.row("start-up, to read", ENGINE, &start_up, None);
        Ok((engine.position(), local::record_bytes(&engine)?))
    }
}
