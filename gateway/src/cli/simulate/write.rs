//! Where the stories go: into a new directory, at the moments they tell of, or to a server, as fast as it goes.

use super::province::{Planted, Province};
use crate::cli::Failure;
use crate::cli::record::record_each;
use dunghen::messages::{Lang, commands, format};
use dunghen::source::Source;
use dunghen::{pb, wire};
use dunghen_engine::bulk::{Bulk, Chronicle, Noted, encode};
use dunghen_engine::dossier::{Code, Command};
use dunghen_engine::log::Records;
use dunghen_engine::time::Timestamp;
use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// How many records are appended together.
const GROUP: usize = 4096;
/// How many groups may wait for the disk.
const GROUPS_AHEAD: usize = 8;
/// How many days of stories a generator may be ahead of the log.
const DAYS_AHEAD: usize = 2;
const DAY_MS: i64 = 86_400_000;
/// How many events go to a server in one request, dossiers whole.
const TOGETHER: usize = 500;

/// A day's dossiers, each with its whole life, `Late` included; and what the day planted.
struct Day {
    lives: Vec<(u64, Vec<Noted>)>,
    planted: Planted,
}

/// Records to append, with the moments of the first and the last.
type Group = (Records, (Timestamp, Timestamp));

/// The dossiers of a day, decided.
fn live(province: &Province, day: usize, author: &Code) -> Result<Day, Failure> {
    let mut planted = Planted::none(province.units.len());
    let mut lives = Vec::new();
    for nth in province.arrivals(day) {
        let mut told = province.story(day, nth, &mut planted).into_iter();
        let Some(first) = told.next() else { continue };
        let mut chronicle = Chronicle::new(Arc::clone(&first.statement.dossier), province.zone());
        for told in std::iter::once(first).chain(told) {
            let now = told.recorded_at;
            let command =
                Command { statement: told.statement, expected_version: None, author: author.clone(), imported: false };
            // A story that the rules refuse is a defect of the story.
            let said = &command.statement;
            chronicle.take(&command, now).map_err(|r| {
                let event_type = said.event.event_type();
                Failure::failed(commands::story_refused(&said.dossier, r.reason(), event_type))
            })?;
        }
        chronicle.wait_until(province.end());
        lives.push((nth, chronicle.into_noted()));
    }
    Ok(Day { lives, planted })
}

/// Makes a data directory that holds the province; returns what was planted and the number of records.
pub(super) fn into(province: &Province, path: &Path, lang: Lang) -> Result<(Planted, u64), Failure> {
    let bulk = Bulk::create(path, province.zone())?;
    let author = Code::from("");
    let generators = std::thread::available_parallelism().map_or(1, |n| n.get().saturating_sub(1).clamp(1, 8));
    std::thread::scope(|scope| {
        let mut days = Vec::new();
        for first in 0..generators {
            let (sender, receiver) = sync_channel(DAYS_AHEAD);
            days.push(receiver);
            let author = author.clone();
            scope.spawn(move || {
                for day in (first..province.length()).step_by(generators) {
                    let lived = live(province, day, &author);
                    // Whoever took the days has failed, and says why.
                    if sender.send(lived).is_err() {
                        return;
                    }
                }
            });
        }
        let (groups, to_append) = sync_channel(GROUPS_AHEAD);
        let appending = scope.spawn(move || append(bulk, &to_append));
        let merged = merge(province, &days, &groups, &author, lang);
        drop((days, groups));
        let appended = appending.join().map_err(|_| Failure::failed(commands::writer_stopped()))?;
        // The disk's reason comes first: a merge that found nobody to take its groups has none of its own.
        let records = appended?;
        Ok((merged?, records))
    })
}

fn append(mut bulk: Bulk, groups: &Receiver<Group>) -> Result<u64, Failure> {
    while let Ok((records, recorded)) = groups.recv() {
        bulk.append(&records, recorded)?;
    }
    Ok(bulk.finish()?)
}

/// What waits for its day.
struct Waiting {
    nth: u64,
    /// Whether it is the dossier's last.
    last: bool,
    noted: Option<Noted>,
}

/// Puts the lives in the order of `recorded_at`, numbers and encodes them.
fn merge(
    province: &Province,
    days: &[Receiver<Result<Day, Failure>>],
    groups: &SyncSender<Group>,
    author: &Code,
    lang: Lang,
) -> Result<Planted, Failure> {
    let gone = || Failure::failed(commands::simulation_cut());
    let begin = province.zone().first_tick(province.first_day());
    let mut planted = Planted::none(province.units.len());
    let mut calendar: Vec<Vec<Waiting>> = Vec::new();
    calendar.resize_with(province.length(), Vec::new);
    let mut previous: HashMap<u64, u64> = HashMap::new();
    let mut position = 0;
    let mut group = Records::with_capacity(GROUP);
    let (mut first, mut newest) = (begin, begin);
    let watched = std::io::stderr().is_terminal();
    for day in 0..province.length() {
        let lived = days[day % days.len()].recv().map_err(|_| gone())??;
        planted.add(&lived.planted);
        for (nth, noted) in lived.lives {
            let last = noted.len().saturating_sub(1);
            for (i, noted) in noted.into_iter().enumerate() {
                let on = usize::try_from(noted.recorded_at.since(begin) / DAY_MS).unwrap_or(day);
                calendar[on].push(Waiting { nth, last: i == last, noted: Some(noted) });
            }
        }
        // What is recorded on this day comes from dossiers of this day or of earlier ones: it is complete.
        let mut waiting = std::mem::take(&mut calendar[day]);
        let mut order: Vec<(Timestamp, u64, u32, usize)> = waiting
            .iter()
            .enumerate()
            .filter_map(|(i, w)| w.noted.as_ref().map(|n| (n.recorded_at, w.nth, n.dossier_version, i)))
            .collect();
        order.sort_unstable();
        for (recorded_at, nth, _, i) in order {
            let Some(noted) = waiting[i].noted.take() else { continue };
            let before = if waiting[i].last { previous.remove(&nth) } else { previous.insert(nth, position) };
            if group.is_empty() {
                first = recorded_at;
            }
            newest = recorded_at;
            encode(&mut group, &noted, position, before, author);
            position += 1;
            if group.len() == GROUP {
                let full = std::mem::replace(&mut group, Records::with_capacity(GROUP));
                groups.send((full, (first, newest))).map_err(|_| gone())?;
            }
        }
        if watched && day % 7 == 0 {
            let date = province.first_day().plus(i32::try_from(day).unwrap_or(0));
            eprint!("\r{} · {}", format::date(date, lang), format::count(position, lang));
        }
    }
    if watched {
        eprint!("\r\x1b[K");
    }
    if !group.is_empty() {
        groups.send((group, (first, newest))).map_err(|_| gone())?;
    }
    Ok(planted)
}

/// What a server answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    pub(super) recorded: u64,
    pub(super) duplicates: u64,
    pub(super) refused: u64,
}

/// Brings the province to a server as history: the events of a dossier together, over several connections.
pub(super) async fn push(
    province: Arc<Province>,
    url: &str,
    rate: Option<u64>,
    connections: usize,
    lang: Lang,
) -> Result<(Planted, Answers), Failure> {
    let together = rate.map_or(TOGETHER, |r| usize::try_from(r / 10).unwrap_or(TOGETHER).clamp(1, TOGETHER));
    let mut desks = JoinSet::new();
    let mut queues = Vec::new();
    for _ in 0..connections {
        let source = Source::connect_in(url, lang).await.map_err(Failure::failed)?;
        let (queue, batches) = mpsc::channel(2);
        queues.push(queue);
        desks.spawn(desk(source, batches));
    }
    let (sender, mut batches) = mpsc::channel(2 * connections);
    let telling = tokio::task::spawn_blocking(move || tell(&province, together, &sender));
    let begin = Instant::now();
    let mut sent = 0;
    let mut turn = 0;
    while let Some(batch) = batches.recv().await {
        if let Some(rate) = rate {
            // In microseconds, so that no rate is rounded away.
            sleep_until(begin + Duration::from_micros(sent * 1_000_000 / rate)).await;
        }
        sent += batch.len() as u64;
        turn = (turn + 1) % queues.len();
        let batch: Vec<pb::BatchEvent> = batch;
        if queues[turn].send(batch).await.is_err() {
            break; // That connection has failed, and says why below.
        }
    }
    drop((queues, batches));
    let planted = telling.await.map_err(Failure::defect)?;
    let mut answers = Answers::default();
    while let Some(done) = desks.join_next().await {
        let of_one = done.map_err(Failure::defect)??;
        answers.recorded += of_one.recorded;
        answers.duplicates += of_one.duplicates;
        answers.refused += of_one.refused;
    }
    Ok((planted, answers))
}

fn tell(province: &Province, together: usize, batches: &mpsc::Sender<Vec<pb::BatchEvent>>) -> Planted {
    let mut planted = Planted::none(province.units.len());
    let mut batch = Vec::new();
    for day in 0..province.length() {
        for nth in province.arrivals(day) {
            let story = province.story(day, nth, &mut planted);
            let event = |s| pb::BatchEvent { event: Some(wire::event(s)), expected_version: None };
            batch.extend(story.iter().map(|told| event(&told.statement)));
            // A connection that failed takes nothing more, and says why.
            if batch.len() >= together && batches.blocking_send(std::mem::take(&mut batch)).is_err() {
                return planted;
            }
        }
    }
    if !batch.is_empty() {
        let _ = batches.blocking_send(batch);
    }
    planted
}

/// One connection: batch after batch, each answered before the next is sent.
async fn desk(source: Source, mut batches: mpsc::Receiver<Vec<pb::BatchEvent>>) -> Result<Answers, Failure> {
    let mut answers = Answers::default();
    while let Some(batch) = batches.recv().await {
        let results = record_each(&source, batch, true).await.map_err(|s| Failure::status(&s))?;
        for result in results {
            match result.result {
                Some(pb::record_result::Result::Receipt(r)) if r.duplicate => answers.duplicates += 1,
                Some(pb::record_result::Result::Receipt(_)) => answers.recorded += 1,
                _ => answers.refused += 1,
            }
        }
    }
    Ok(answers)
}
