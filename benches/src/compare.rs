//! `compare`: the raw file, sled, the engine, the server and its peers, on one disk, in one run, in one table.
//!
//! A disk is not equally fast at all times. So appending to the raw file is measured in two halves, one before and one
//! after what is held against it. Each measurement writes into a directory of its own, is warmed up before it counts,
//! and ends with a look at what was stored: it must hold exactly what was acknowledged. Peers that are not installed,
//! or do not start, are named as skipped.

use crate::drive::{Call, Load, drive};
use crate::mixed::{QUESTIONS_PER_SECOND, mixed, questions};
use crate::peer::{Caller, Peers, in_turn};
use crate::postgres::{self, Postgres};
use crate::query::{self, Asking, QUESTIONS};
use crate::sample::Sample;
use crate::server::Server;
use crate::sleds::{self, Value};
use crate::stories::{Stories, YEAR};
use crate::table::{self, Row};
use crate::umadb::{self, Umadb};
use crate::{Failure, Format, disk, local, print, raw};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;

const SEED: u64 = 20_251_001;
const FILE: &str = "file, fdatasync";
const FILE_OVER: &str = "file written over, fdatasync";
const SLED_EVENTS: &str = "sled, a value per event";
const SLED_FRAMES: &str = "sled, frames of plain bytes";
const EMPTY: &str = "empty tonic server";
const POSTGRES: &str = "PostgreSQL";
const UMADB: &str = "umadb";
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
    /// Without the peers, though they are installed: only the file, sled, the empty server and this engine.
    #[arg(long)]
    no_peers: bool,
}

struct Bench<'a> {
    runtime: &'a Runtime,
    scratch: &'a Path,
    time: Duration,
    peers: Peers,
    rows: Vec<Row>,
    /// The highest rate of single events over gRPC so far.
    highest: f64,
    /// Calls of the mixed work that were due and not made.
    not_made: u64,
}

/// What is appended in process by groups of one size, and what is done over gRPC beside it.
struct Group {
    size: usize,
    name: &'static str,
    works: &'static [Work],
}

/// What is done over gRPC, or by a peer in its own way.
struct Work {
    name: &'static str,
    call: Call,
    connections: usize,
    in_flight: usize,
}

const BATCHES: &str = "batches of 1,000, 4 in flight on 4 connections";
const BATCHES_IN_FLIGHT: usize = 4;

const GROUPS: [Group; 3] = [
    Group {
        size: 1,
        name: "append, groups of 1",
        works: &[Work { name: "record, 1 in flight", call: Call::Unary, connections: 1, in_flight: 1 }],
    },
    Group {
        size: 64,
        name: "append, groups of 64",
        works: &[
            Work { name: "record, 64 in flight on 4 connections", call: Call::Unary, connections: 4, in_flight: 64 },
            Work { name: "record, 64 in flight on 64 connections", call: Call::Unary, connections: 64, in_flight: 64 },
        ],
    },
    Group {
        size: 1000,
        name: "append, groups of 1,000",
        works: &[
            Work { name: "4 streams, 4,096 events in flight", call: Call::Stream, connections: 4, in_flight: 4096 },
            Work {
                name: BATCHES,
                call: Call::Batch(1000),
                connections: BATCHES_IN_FLIGHT,
                in_flight: BATCHES_IN_FLIGHT,
            },
        ],
    },
];

/// What is said below the table.
struct Notes {
    records: u64,
    record_bytes: f64,
    disk_bytes: u64,
    /// Nothing where the system does not say it.
    resident: Option<u64>,
}

/// Measures and prints.
pub(crate) fn run(runtime: &Runtime, args: &CompareArgs) -> Result<(), Failure> {
    let seconds = args.seconds.unwrap_or(if args.quick { 2.0 } else { 10.0 });
    let time = Duration::try_from_secs_f64(seconds)?;
    let dossiers = args.dossiers.unwrap_or(if args.quick { 20_000 } else { 200_000 }).max(1);
    let (scratch, file_system) = disk::scratch(args.data.as_deref())?;
    let mut peers = Peers::default();
    peers.find(POSTGRES, postgres::installed(), args.no_peers);
    peers.find(UMADB, umadb::installed(), args.no_peers);
    let mut bench =
        Bench { runtime, scratch: scratch.path(), time, peers, rows: Vec::new(), highest: 0.0, not_made: 0 };
    for group in &GROUPS {
        bench.writes(group)?;
    }
    let notes = bench.reads(dossiers)?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut said = vec![
        format!("{cores} cores, shared by client and server; scratch on {file_system}; {seconds} s a measurement."),
        format!(
            "Records of the file and of sled have {} bytes; ours {:.0} on average before compression.",
            raw::RECORD_BYTES,
            notes.record_bytes
        ),
        format!(
            "Reads are of {} records of {} dossiers; events/s there means answers or records.",
            table::per_second(notes.records as f64),
            table::per_second(dossiers as f64)
        ),
        format!(
            "On disk {:.1} bytes a record; the server that opened them holds {} bytes of memory a dossier.",
            notes.disk_bytes as f64 / notes.records.max(1) as f64,
            notes.resident.map_or_else(|| "–".to_owned(), |r| table::per_second(r as f64 / dossiers as f64)),
        ),
    ];
    if bench.rows.iter().any(|row| row.system == POSTGRES) {
        said.push("PostgreSQL has a connection for each in flight: one carries one statement at a time.".to_owned());
    }
    if bench.not_made > 0 {
        said.push(format!("Of the mixed work {} calls were due and not made: it was too much.", bench.not_made));
    }
    said.extend(bench.peers.skipped.iter().map(|why| format!("skipped: {why}")));
    match args.format {
        Format::Json => {
            said.iter().for_each(|line| eprintln!("{line}"));
            print(&table::json(&bench.rows).to_string())
        }
        Format::Table => {
            print(&table::text(&bench.rows))?;
            said.splice(0..0, table::beside(&bench.rows, &[SERVER, ENGINE]));
            print(&said.join("\n"))
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

    /// One size of groups: the file, sled and the engine, and what is done over gRPC.
    fn writes(&mut self, group: &Group) -> Result<(), Failure> {
        self.say(group.name);
        let path = self.scratch.join("raw");
        raw::append(&path, group.size, self.warm_up())?;
        let mut file = raw::append(&path, group.size, self.time / 2)?;
        let mut measured = Vec::new();
        if group.size > 1 {
            for (system, value) in [(SLED_EVENTS, Value::Event), (SLED_FRAMES, Value::Frame)] {
                measured.push((group.name, system, self.sled_writes(value, group.size)?));
            }
        }
        measured.push((
            group.name,
            ENGINE,
            self.engine_writes(1, |e, desks, t| local::record(e, &mut desks[0], group.size, t))?,
        ));
        for work in group.works {
            self.say(work.name);
            for (system, sample) in self.over_the_wire(work)? {
                measured.push((work.name, system, sample));
            }
        }
        if group.size == 64 {
            let sample = self.engine_writes(64, local::record_in_flight)?;
            measured.push((group.works[0].name, ENGINE, sample));
        }
        if group.size == 1000 {
            let sample =
                self.engine_writes(BATCHES_IN_FLIGHT, |e, desks, t| local::batches_in_flight(e, desks, group.size, t))?;
            measured.push((BATCHES, ENGINE, sample));
        }
        file.then(&raw::append(&path, group.size, self.time / 2)?);
        let over = raw::overwrite(&path, group.size, self.time / 2)?;
        std::fs::remove_file(&path)?;
        self.row(group.name, FILE, &file, Some(&file));
        self.row(group.name, FILE_OVER, &over, Some(&file));
        // The lines of one work together, in whatever order they were measured.
        for work in std::iter::once(group.name).chain(group.works.iter().map(|w| w.name)) {
            for (_, system, sample) in measured.iter().filter(|(name, ..)| *name == work) {
                self.row(work, system, sample, Some(&file));
            }
        }
        Ok(())
    }

    fn sled_writes(&self, value: Value, group: usize) -> Result<Sample, Failure> {
        let path = self.fresh("sled")?;
        let mut sled = sleds::Appender::open(&path, value, group)?;
        let (warm, sample) = (sled.append(self.warm_up())?, sled.append(self.time)?);
        same("sled", warm.done + sample.done, sled.reopened(&path)?)?;
        std::fs::remove_dir_all(&path)?;
        Ok(sample)
    }

    fn engine_writes(
        &self,
        desks: usize,
        measure: impl Fn(&dunghen_engine::Engine, &mut [Stories], Duration) -> Result<Sample, Failure>,
    ) -> Result<Sample, Failure> {
        let path = self.fresh("engine")?;
        let engine = local::open(&path)?;
        let mut desks: Vec<Stories> = (0..desks).map(|n| Stories::new(SEED, format!("e{n:02}"))).collect();
        let warm = measure(&engine, &mut desks, self.warm_up())?;
        let sample = measure(&engine, &mut desks, self.time)?;
        engine.close()?;
        drop(engine);
        // The log as it lies on disk, read by the server of the product.
        self.check(&path, warm.done + sample.done)?;
        std::fs::remove_dir_all(&path)?;
        Ok(sample)
    }

    /// One work by all that do it over a connection.
    fn over_the_wire(&mut self, work: &Work) -> Result<Vec<(&'static str, Sample)>, Failure> {
        let mut measured = vec![(EMPTY, self.empty_writes(work)?)];
        if let Some(sample) = self.umadb_writes(work)? {
            measured.push((UMADB, sample));
        }
        if let Some(sample) = self.postgres_writes(work)? {
            measured.push((POSTGRES, sample));
        }
        let server = self.server_writes(work)?;
        if work.call == Call::Unary {
            self.highest = server.per_second().unwrap_or(0.0).max(self.highest);
        }
        measured.push((SERVER, server));
        Ok(measured)
    }

    fn load(&self, work: &Work, label: &str, time: Duration) -> Load {
        Load {
            call: work.call,
            connections: work.connections,
            in_flight: work.in_flight,
            time,
            rate: None,
            seed: SEED,
            label: label.to_owned(),
        }
    }

    /// Warms up and measures; also how much was acknowledged in all.
    fn drive(&self, server: &Server, work: &Work) -> Result<(Sample, u64), Failure> {
        let drive = |label, time| self.runtime.block_on(drive(&server.url, &self.load(work, label, time)))?.clean();
        let warm = drive("w", self.warm_up())?;
        let sample = drive("m", self.time)?;
        let acknowledged = warm.done + sample.done;
        Ok((sample, acknowledged))
    }

    fn server_writes(&self, work: &Work) -> Result<Sample, Failure> {
        let path = self.fresh("server")?;
        let server = Server::start(&path)?;
        let (sample, acknowledged) = self.drive(&server, work)?;
        server.stop()?;
        self.check(&path, acknowledged)?;
        std::fs::remove_dir_all(&path)?;
        Ok(sample)
    }

    fn empty_writes(&self, work: &Work) -> Result<Sample, Failure> {
        let server = Server::empty()?;
        let (sample, _) = self.drive(&server, work)?;
        server.stop()?;
        Ok(sample)
    }

    /// Warms up and measures a peer; also how much was acknowledged in all.
    async fn peer<C: Caller>(&self, callers: Vec<C>) -> Result<(Sample, u64), Failure> {
        let (warm, callers) = in_turn(callers, self.warm_up()).await?;
        let (sample, _) = in_turn(callers, self.time).await?;
        let acknowledged = warm.done + sample.done;
        Ok((sample, acknowledged))
    }

    /// Nothing if it is skipped, or has no such work.
    fn umadb_writes(&mut self, work: &Work) -> Result<Option<Sample>, Failure> {
        let batch = match work.call {
            Call::Unary => 1,
            Call::Batch(size) => size,
            // It has no stream of events.
            Call::Stream => return Ok(None),
        };
        let Some(program) = self.peers.program(UMADB) else { return Ok(None) };
        let path = self.fresh("umadb")?;
        let started = self.runtime.block_on(Umadb::start(&program, &path));
        let Some(umadb) = self.peers.started(UMADB, started) else { return Ok(None) };
        let sample = self.runtime.block_on(async {
            let callers = umadb.callers(work.connections, work.in_flight, batch, SEED).await?;
            let (sample, acknowledged) = self.peer(callers).await?;
            same(UMADB, acknowledged, umadb.holds().await?)?;
            Ok::<_, Failure>(sample)
        })?;
        drop(umadb);
        std::fs::remove_dir_all(&path)?;
        Ok(Some(sample))
    }

    /// Nothing if it is skipped, or has no such work.
    fn postgres_writes(&mut self, work: &Work) -> Result<Option<Sample>, Failure> {
        let batch = match work.call {
            Call::Unary => None,
            Call::Batch(size) => Some(size),
            Call::Stream => return Ok(None),
        };
        let Some(binaries) = self.peers.program(POSTGRES) else { return Ok(None) };
        let path = self.fresh("postgres")?;
        let started = self.runtime.block_on(Postgres::start(&binaries, &path));
        let Some(postgres) = self.peers.started(POSTGRES, started) else { return Ok(None) };
        let sample = self.runtime.block_on(async {
            let callers = postgres.callers(work.in_flight, batch, SEED).await?;
            let (sample, acknowledged) = self.peer(callers).await?;
            same(POSTGRES, acknowledged, postgres.holds().await?)?;
            Ok::<_, Failure>(sample)
        })?;
        drop(postgres);
        std::fs::remove_dir_all(&path)?;
        Ok(Some(sample))
    }

    /// Opens the directory anew: its log must hold as many records of desks as were acknowledged.
    fn check(&self, path: &Path, acknowledged: u64) -> Result<(), Failure> {
        let server = Server::start(path)?;
        let (found, _) = self.runtime.block_on(query::replay(&server.url))?;
        server.stop()?;
        same("dunghen", acknowledged, found.said)
    }

    /// Questions, replay, start-up and mixed work on a directory of a year.
    fn reads(&mut self, dossiers: u64) -> Result<Notes, Failure> {
        self.say("filling the directory to read");
        let path = self.fresh("year")?;
        let filled = local::fill(&path, SEED, dossiers)?;
        self.check(&path, filled)?;
        let server = Server::start(&path)?;
        let resident = server.resident().ok();
        for question in QUESTIONS {
            self.say(question.name);
            let alone = [question];
            let asking = |time| Asking {
                questions: &alone,
                year: YEAR,
                must_count: true,
                connections: 1,
                in_flight: 1,
                time,
                rate: None,
            };
            self.runtime.block_on(query::ask(&server.url, asking(self.warm_up())))?;
            let asked = self.runtime.block_on(query::ask(&server.url, asking(self.time)))?;
            self.row(question.name, SERVER, &asked.answers, None);
        }
        self.say("replay");
        let replay = self.runtime.block_on(query::replays(&server.url, self.time))?;
        server.stop()?;
        let disk_bytes = disk::taken(&path)?;
        self.say("start-up");
        let (opened, engine) = local::start_up(&path, self.time)?;
        for question in QUESTIONS {
            local::rates(&engine, question, self.warm_up())?;
            let sample = local::rates(&engine, question, self.time)?;
            self.row(question.name, ENGINE, &sample, None);
        }
        self.row("replay of the log", SERVER, &replay, None);
        let replay = local::replays(&engine, self.time)?;
        self.row("replay of the log", ENGINE, &replay, None);
        self.row("start-up, to read", ENGINE, &opened, None);
        let (records, record_bytes) = (engine.position(), local::record_bytes(&engine)?);
        engine.close()?;
        drop(engine);
        self.starts(&path, filled, records)?;
        Ok(Notes { records, record_bytes, disk_bytes, resident })
    }

    /// The server's start-up on a directory of so many records, and mixed work on it.
    fn starts(&mut self, path: &Path, filled: u64, records: u64) -> Result<(), Failure> {
        let mut clean = Sample::new();
        while clean.elapsed < self.time {
            let server = Server::start(path)?;
            clean.call(records, server.start_up);
            clean.elapsed += server.start_up;
            server.stop()?;
        }
        self.row("start-up after a clean stop", SERVER, &clean, None);
        self.say("mixed work");
        let mut said = filled;
        let mut server = Server::start(path)?;
        let half = self.highest / 2.0;
        let work = &GROUPS[1].works[0];
        for (label, time) in [("w", self.warm_up()), ("m", self.time)] {
            let load = Load { rate: Some(half), ..self.load(work, label, time) };
            let asking = questions(QUESTIONS_PER_SECOND, YEAR, true, time);
            let (driven, asked) = self.runtime.block_on(mixed(&server.url, &load, asking))?;
            self.not_made = driven.not_sent + asked.not_asked;
            let receipts = driven.clean()?;
            said += receipts.done;
            if label == "m" {
                self.row("record, at half of the highest rate, mixed", SERVER, &receipts, None);
                self.row("questions, 100 a second, mixed", SERVER, &asked.answers, None);
            }
        }
        // As a power cut leaves it: each start follows on events that nobody put in order any more.
        self.say("start-up after SIGKILL");
        let mut killed = Sample::new();
        for round in 0.. {
            let load = self.load(work, &format!("k{round}-"), self.warm_up());
            said += self.runtime.block_on(drive(&server.url, &load))?.clean()?.done;
            server.kill()?;
            server = Server::start(path)?;
            killed.call(said, server.start_up);
            killed.elapsed += server.start_up;
            if killed.elapsed >= self.time {
                break;
            }
        }
        server.stop()?;
        self.check(path, said)?;
        self.row("start-up after SIGKILL", SERVER, &killed, None);
        Ok(())
    }
}

/// What is stored must be what was acknowledged.
fn same(system: &str, acknowledged: u64, found: u64) -> Result<(), Failure> {
    if found == acknowledged {
        return Ok(());
    }
    Err(format!("{system}: {acknowledged} events were acknowledged, {found} are stored").into())
}
