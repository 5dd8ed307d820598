//! Drives a server over gRPC with events: so many connections, so many calls in flight, events alone or in batches.
//!
//! Each of the calls in flight is a worker with dossiers of its own, which sends an event only after the one before was
//! answered. Closed loop: each worker sends as soon as it can. Open loop (a rate is given): calls are due at fixed
//! moments, and latency counts from the moment a call was due, so that a server that stalls is charged for everything
//! that should have been sent meanwhile.

use crate::Failure;
use crate::sample::Sample;
use crate::stories::Stories;
use dunghen::pb::desk_service_client::DeskServiceClient;
use dunghen::serve::MESSAGE_BYTES;
use dunghen::{pb, wire};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How much load, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    /// 0: `Record`, one event a call; else `RecordBatch` (EACH) of this many.
    pub(crate) batch: usize,
    pub(crate) time: Duration,
    /// Events a second; as many as can be if none.
    pub(crate) rate: Option<f64>,
    pub(crate) seed: u64,
    /// Begins every dossier code of this run: unique within the log.
    pub(crate) label: String,
}

/// What came of it.
pub(crate) struct Driven {
    /// Receipts, and the latency of the calls that brought any.
    pub(crate) sample: Sample,
    /// Events that the rules or a full queue refused.
    pub(crate) refused: u64,
    /// Calls that failed otherwise; a worker ends at its first.
    pub(crate) errors: u64,
    /// What the first refusal or error said.
    pub(crate) said: Option<String>,
}

impl Driven {
    fn new() -> Driven {
        Driven { sample: Sample::new(), refused: 0, errors: 0, said: None }
    }

    /// All receipts, or the first reason why not.
    pub(crate) fn clean(self) -> Result<Sample, Failure> {
        match (self.refused + self.errors, self.said) {
            (0, _) => Ok(self.sample),
            (n, said) => Err(format!("{n} events got no receipt: {}", said.unwrap_or_default()).into()),
        }
    }
}

/// Connections to a server.
pub(crate) async fn connect(url: &str, connections: usize) -> Result<Vec<Channel>, Failure> {
    let mut channels = Vec::new();
    for _ in 0..connections {
        channels.push(Endpoint::from_shared(url.to_owned())?.connect().await?);
    }
    Ok(channels)
}

/// Puts the load on the server and waits for all answers.
pub(crate) async fn drive(url: &str, load: &Load) -> Result<Driven, Failure> {
    let channels = connect(url, load.connections).await?;
    let mut workers = JoinSet::new();
    let started = Instant::now();
    for number in 0..load.in_flight {
        let channel = channels[number % channels.len()].clone();
        let client = DeskServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
        let stories = Stories::new(load.seed, format!("{}{number:02}", load.label));
        let pace = load.rate.map(|rate| {
            let every = Duration::from_secs_f64(load.batch.max(1) as f64 / rate);
            let (of_all, of_this) = (u32::try_from(load.in_flight)?, u32::try_from(number)?);
            Ok::<_, Failure>(Pace { next: started + every * of_this, every: every * of_all })
        });
        workers.spawn(work(client, stories, load.batch, pace.transpose()?, started + load.time));
    }
    let mut all = Driven::new();
    while let Some(one) = workers.join_next().await {
        let one = one?;
        all.sample.beside(&one.sample);
        all.refused += one.refused;
        all.errors += one.errors;
        all.said = all.said.or(one.said);
    }
    all.sample.elapsed = started.elapsed();
    Ok(all)
}

/// The moments at which a worker's calls are due.
struct Pace {
    next: Instant,
    every: Duration,
}

impl Pace {
    /// Waits until the next call is due and returns when that was.
    async fn due(&mut self) -> Instant {
        let due = self.next;
        self.next += self.every;
        tokio::time::sleep_until(due.into()).await;
        due
    }
}

async fn work(
    mut client: DeskServiceClient<Channel>,
    mut stories: Stories,
    batch: usize,
    mut pace: Option<Pace>,
    until: Instant,
) -> Driven {
    let mut driven = Driven::new();
    while Instant::now() < until && pace.as_ref().is_none_or(|p| p.next < until) {
        let events: Vec<pb::Event> = (0..batch.max(1)).map(|_| wire::event(&stories.next())).collect();
        let size = events.len() as u64;
        let due = match &mut pace {
            Some(pace) => pace.due().await,
            None => Instant::now(),
        };
        let answer = send(&mut client, events, batch).await;
        let took = due.elapsed();
        match answer {
            Ok((receipts, said)) => {
                driven.sample.call(receipts, took);
                driven.refused += size - receipts.min(size);
                if receipts != size {
                    stories.forget();
                    driven.said = driven.said.or(said);
                }
            }
            Err(status) if refusal(&status) => {
                driven.refused += size;
                driven.said = driven.said.or_else(|| Some(status.message().to_owned()));
                stories.forget();
            }
            Err(status) => {
                driven.errors += 1;
                driven.said = Some(format!("{}: {}", status.code(), status.message()));
                return driven;
            }
        }
    }
    driven
}

/// Sends the events and counts the receipts, each of which must be for its event; says why if there are fewer.
async fn send(
    client: &mut DeskServiceClient<Channel>,
    mut events: Vec<pb::Event>,
    batch: usize,
) -> Result<(u64, Option<String>), Status> {
    let ids: Vec<String> = events.iter().map(|e| e.event_id.clone()).collect();
    let results = if batch == 0 {
        let request = pb::RecordRequest { event: events.pop(), expected_version: None };
        let receipt = client.record(request).await?.into_inner().receipt;
        vec![receipt.map(pb::record_result::Result::Receipt)]
    } else {
        let events = events.into_iter().map(|e| pb::BatchEvent { event: Some(e), expected_version: None });
        let mode = pb::BatchMode::Each as i32;
        let request = pb::RecordBatchRequest { events: events.collect(), mode, imported: false };
        client.record_batch(request).await?.into_inner().results.into_iter().map(|r| r.result).collect()
    };
    let mut receipts = 0;
    let mut said = None;
    for (id, result) in ids.iter().zip(results) {
        match result {
            Some(pb::record_result::Result::Receipt(r)) if r.event_id == *id && !r.duplicate => receipts += 1,
            Some(pb::record_result::Result::Receipt(r)) => {
                return Err(Status::data_loss(format!("asked for {id}, got the receipt {r:?}")));
            }
            Some(pb::record_result::Result::Refusal(r)) => {
                said = said.or_else(|| Some(format!("{}: {}", r.reason, r.message_en)));
            }
            None => said = said.or_else(|| Some(format!("{id} got neither a receipt nor a refusal"))),
        }
    }
    Ok((receipts, said))
}

/// Whether a call was answered as the rules or a full queue have it, rather than failed.
fn refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::ResourceExhausted
    )
}
