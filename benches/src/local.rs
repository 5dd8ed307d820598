//! The engine in this process, without gRPC: what is left of a gap here is not the wire's.

use crate::Failure;
use crate::query::Question;
use crate::sample::Sample;
use crate::stories::{Stories, YEAR, history};
use dunghen::rules;
use dunghen_engine::dossier::{Command, Statement};
use dunghen_engine::rules::definition;
use dunghen_engine::time::Date;
use dunghen_engine::views::{Filter, GroupKey, Moment, RatesQuery};
use dunghen_engine::{Batch, Engine, Mode, Purpose, ReplayFilter};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// How many events a batch of the fill may hold.
const FILL: usize = 4000;

fn command(statement: Statement, imported: bool) -> Command {
    Command { statement, expected_version: None, author: Arc::from(""), imported }
}

/// Opens a directory to record.
pub(crate) fn open(path: &Path) -> Result<Engine, Failure> {
    Ok(Engine::open(path, rules::options(Purpose::Write))?)
}

/// What a desk says next, to record.
pub(crate) fn commands(stories: &mut Stories, group: usize) -> Vec<Command> {
    (0..group).map(|_| command(stories.next(), false)).collect()
}

/// Records a group; every event must get its receipt.
pub(crate) fn record_group(engine: &Engine, commands: Vec<Command>) -> Result<(), Failure> {
    let size = commands.len();
    let results = engine.record(Batch { commands, mode: Mode::Each }).map_err(|r| format!("{r:?}"))?;
    receipts(&results, size)
}

/// Records groups one after the other for this long. Only the calls count as time, not making the events.
pub(crate) fn record(engine: &Engine, stories: &mut Stories, group: usize, time: Duration) -> Result<Sample, Failure> {
    let mut sample = Sample::new();
    let started = Instant::now();
    while started.elapsed() < time {
        let commands = commands(stories, group);
        let called = Instant::now();
        record_group(engine, commands)?;
        let took = called.elapsed();
        sample.call(group as u64, took);
        sample.elapsed += took;
    }
    Ok(sample)
}

fn receipts<R, E: std::fmt::Debug>(results: &[Result<R, E>], asked: usize) -> Result<(), Failure> {
    match results.iter().find_map(|r| r.as_ref().err()) {
        Some(rejection) => Err(format!("an event got no receipt: {rejection:?}").into()),
        None if results.len() == asked => Ok(()),
        None => Err(format!("{} results for {asked} events", results.len()).into()),
    }
}

/// Records single events, so many of them always in flight, for this long; `desks` has one desk for each.
pub(crate) fn record_in_flight(engine: &Engine, desks: &mut [Stories], time: Duration) -> Result<Sample, Failure> {
    let (answer, answers) = channel();
    let send = |number: usize, stories: &mut Stories| {
        let batch = Batch { commands: vec![command(stories.next(), false)], mode: Mode::Each };
        let answer = answer.clone();
        let called = Instant::now();
        let reply = move |result: Result<Vec<_>, _>| {
            // Nobody waits any more only if the measurement has failed.
            let _ = answer.send((number, called, result));
        };
        engine.submit(batch, reply).map_err(|r| format!("{r:?}"))
    };
    let mut sample = Sample::new();
    let started = Instant::now();
    for (number, stories) in desks.iter_mut().enumerate() {
        send(number, stories)?;
    }
    let mut in_flight = desks.len();
    while in_flight > 0 {
        let (number, called, result) = answers.recv()?;
        sample.call(1, called.elapsed());
        receipts(&result.map_err(|r| format!("{r:?}"))?, 1)?;
        if started.elapsed() < time {
            send(number, &mut desks[number])?;
        } else {
            in_flight -= 1;
        }
    }
    sample.elapsed = started.elapsed();
    Ok(sample)
}

/// How many batches are made before the clock runs.
const AHEAD: usize = 64;

/// Records batches of this size, one of each desk always in flight, for this long. Only recording counts as time: the batches
/// are made before.
pub(crate) fn batches_in_flight(
    engine: &Engine,
    desks: &mut [Stories],
    group: usize,
    time: Duration,
) -> Result<Sample, Failure> {
    let mut sample = Sample::new();
    while sample.elapsed < time {
        let mut ready: Vec<VecDeque<Vec<Command>>> =
            desks.iter_mut().map(|desk| (0..AHEAD).map(|_| commands(desk, group)).collect()).collect();
        let (answer, answers) = channel();
        let send = |number: usize, commands: Vec<Command>| {
            let answer = answer.clone();
            let called = Instant::now();
            let reply = move |result: Result<Vec<_>, _>| {
                // Nobody waits any more only if the measurement has failed.
                let _ = answer.send((number, called, result));
            };
            engine.submit(Batch { commands, mode: Mode::Each }, reply).map_err(|r| format!("{r:?}"))
        };
        let started = Instant::now();
        let mut in_flight = 0;
        for (number, batches) in ready.iter_mut().enumerate() {
            if let Some(batch) = batches.pop_front() {
                send(number, batch)?;
                in_flight += 1;
            }
        }
        while in_flight > 0 {
            let (number, called, result) = answers.recv()?;
            sample.call(group as u64, called.elapsed());
            receipts(&result.map_err(|r| format!("{r:?}"))?, group)?;
            match ready[number].pop_front() {
                Some(batch) => send(number, batch)?,
                None => in_flight -= 1,
            }
        }
        sample.elapsed += started.elapsed();
    }
    Ok(sample)
}

/// Fills a directory with a year of dossiers and returns how many events that took.
pub(crate) fn fill(path: &Path, seed: u64, dossiers: u64) -> Result<u64, Failure> {
    let engine = open(path)?;
    let mut events = 0;
    let mut commands = Vec::new();
    for number in 0..dossiers {
        commands.extend(history(seed, number, dossiers).into_iter().map(|s| command(s, true)));
        if commands.len() >= FILL || number + 1 == dossiers {
            events += commands.len() as u64;
            record_group(&engine, std::mem::take(&mut commands))?;
        }
    }
    engine.close()?;
    Ok(events)
}

/// Opens a directory to read for this long, but at least once, and returns the last engine; a call is one opening.
pub(crate) fn start_up(path: &Path, time: Duration) -> Result<(Sample, Engine), Failure> {
    let mut sample = Sample::new();
    let started = Instant::now();
    loop {
        let called = Instant::now();
        let engine = Engine::open(path, rules::options(Purpose::Read))?;
        let took = called.elapsed();
        sample.call(engine.position(), took);
        sample.elapsed += took;
        if started.elapsed() >= time {
            return Ok((sample, engine));
        }
    }
}

/// Replays the whole log for this long, but at least once.
pub(crate) fn replays(engine: &Engine, time: Duration) -> Result<Sample, Failure> {
    let mut sample = Sample::new();
    let started = Instant::now();
    while sample.done == 0 || started.elapsed() < time {
        for record in engine.replay(ReplayFilter::default()) {
            std::hint::black_box(record?);
            sample.done += 1;
        }
        sample.elapsed = started.elapsed();
    }
    Ok(sample)
}

/// The bytes of an average record, before compression.
pub(crate) fn record_bytes(engine: &Engine) -> Result<f64, Failure> {
    let (mut bytes, mut records) = (0_usize, 0_u32);
    for record in engine.replay(ReplayFilter { to: Some(10_000), ..Default::default() }) {
        bytes += record?.into_event().map_or(0, |r| r.encode().len());
        records += 1;
    }
    Ok(bytes as f64 / f64::from(records.max(1)))
}

/// Asks for this long, but at least once.
pub(crate) fn rates(engine: &Engine, question: Question, time: Duration) -> Result<Sample, Failure> {
    let [from, to] = question.period(YEAR).map(|(year, month)| Date::new(year, month, 1).map(Moment::Date));
    let query = RatesQuery {
        definition: definition("resolved").ok_or("no definition resolved")?,
        from,
        to,
        as_of: Moment::Instant(engine.now()),
        by: GroupKey::parse(question.by).into_iter().collect(),
        filter: Filter {
            unit: question.unit.map(Arc::from),
            channel: question.channel.map(Arc::from),
            ..Filter::default()
        },
        zone: None,
    };
    let mut sample = Sample::new();
    let started = Instant::now();
    while sample.done == 0 || started.elapsed() < time {
        let called = Instant::now();
        let answer = engine.rates(&query);
        sample.call(1, called.elapsed());
        if answer.groups.is_empty() {
            return Err(format!("{} counts nothing", question.name).into());
        }
    }
    sample.elapsed = started.elapsed();
    Ok(sample)
}
