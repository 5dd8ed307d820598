//! Drives a server over gRPC with events: so many connections, so many events or batches in flight.
//!
//! Alone and in batches each of the calls in flight is a worker with dossiers of its own, which sends an event only
//! after the one before was answered; a stream is a worker that sends without waiting (`stream`). Closed loop: each
//! worker sends as soon as it can. Open loop (a rate is given): calls are due at fixed moments, and latency counts from
//! the moment a call was due, so that a server that stalls is charged for everything that should have been sent
//! meanwhile.

use crate::Failure;
use crate::pace::{Pace, Schedule};
use crate::sample::Sample;
use crate::stories::Stories;
use crate::stream;
use dunghen::pb::desk_service_client::DeskServiceClient;
use dunghen::serve::MESSAGE_BYTES;
use dunghen::{pb, wire};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How events are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `Record`, one event a call.
    Unary,
    /// `RecordStream`, one stream a connection; what is in flight is spread over them.
    Stream,
    /// `RecordBatch` (EACH) of this many.
    Batch(usize),
}

/// How much load, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) call: Call,
    pub(crate) connections: usize,
    /// Calls, or events of streams.
    pub(crate) in_flight: usize,
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
    /// Events that were due and not sent, since those before took too long.
    pub(crate) not_sent: u64,
    /// What the first refusal or error said.
    pub(crate) said: Option<String>,
}

impl Driven {
    pub(crate) fn new() -> Driven {
        Driven { sample: Sample::new(), refused: 0, errors: 0, not_sent: 0, said: None }
    }

    /// What another worker met at the same time.
    fn beside(&mut self, other: Driven) {
        self.sample.beside(&other.sample);
        self.refused += other.refused;
        self.errors += other.errors;
        self.not_sent += other.not_sent;
        self.said = self.said.take().or(other.said);
    }

    /// A call that failed.
    pub(crate) fn failed(&mut self, status: &Status) {
        self.errors += 1;
        self.said = Some(format!("{}: {}", status.code(), status.message()));
    }

    /// The receipts, one for each event that was sent, or the first reason why not.
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
    let (workers, size) = match load.call {
        Call::Unary => (load.in_flight, 1),
        Call::Stream => (load.connections, 1),
        Call::Batch(size) => (load.in_flight, size),
    };
    let mut all = JoinSet::new();
    let started = Instant::now();
    for number in 0..workers {
        let channel = channels[number % channels.len()].clone();
        let client = DeskServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
        let stories = Stories::new(load.seed, format!("{}{number:02}", load.label));
        let pace = load.rate.map(|rate| Pace::new(started, rate / size as f64, number, workers));
        let schedule = Schedule::new(pace, started, load.time);
        match load.call {
            Call::Unary => all.spawn(work(client, stories, None, schedule)),
            Call::Batch(size) => all.spawn(work(client, stories, Some(size), schedule)),
            Call::Stream => {
                all.spawn(stream::work(client, stories, load.in_flight.div_ceil(load.connections), schedule))
            }
        };
    }
    let mut driven = Driven::new();
    while let Some(one) = all.join_next().await {
        driven.beside(one?);
    }
    driven.sample.elapsed = started.elapsed();
    Ok(driven)
}

async fn work(
    mut client: DeskServiceClient<Channel>,
    mut stories: Stories,
    batch: Option<usize>,
    mut schedule: Schedule,
) -> Driven {
    let mut driven = Driven::new();
    let size = batch.unwrap_or(1);
    let mut events: Vec<pb::Event> = Vec::new();
    loop {
        // Made before they are due: making them is not the server's time.
        events.extend((0..size).map(|_| wire::event(&stories.next())));
        let Some(due) = schedule.next().await else {
            driven.not_sent = schedule.left() * size as u64;
            return driven;
        };
        let answer = send(&mut client, std::mem::take(&mut events), batch.is_some()).await;
        let took = due.elapsed();
        match answer {
            Ok((receipts, said)) => {
                driven.sample.call(receipts, took);
                driven.refused += (size as u64).saturating_sub(receipts);
                if receipts != size as u64 {
                    stories.forget();
                    driven.said = driven.said.or(said);
                }
            }
            Err(status) if refusal(&status) => {
                driven.refused += size as u64;
                driven.said = driven.said.or_else(|| Some(status.message().to_owned()));
                stories.forget();
            }
            Err(status) => {
                driven.failed(&status);
                return driven;
            }
        }
    }
}

/// Sends the events and counts the receipts, each of which must be for its event; says why if there are fewer.
async fn send(
    client: &mut DeskServiceClient<Channel>,
    mut events: Vec<pb::Event>,
    batch: bool,
) -> Result<(u64, Option<String>), Status> {
    let ids: Vec<String> = events.iter().map(|e| e.event_id.clone()).collect();
    let results = if batch {
        let events = events.into_iter().map(|e| pb::BatchEvent { event: Some(e), expected_version: None });
        let mode = pb::BatchMode::Each as i32;
        let request = pb::RecordBatchRequest { events: events.collect(), mode, imported: false };
        client.record_batch(request).await?.into_inner().results.into_iter().map(|r| r.result).collect()
    } else {
        let request = pb::RecordRequest { event: events.pop(), expected_version: None };
        let receipt = client.record(request).await?.into_inner().receipt;
        vec![receipt.map(pb::record_result::Result::Receipt)]
    };
    let mut receipts = 0;
    let mut said = None;
    if results.len() != ids.len() {
        return Err(Status::data_loss(format!("{} results for {} events", results.len(), ids.len())));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use dunghen::pb::desk_service_server::{DeskService, DeskServiceServer};
    use std::pin::Pin;
    use tokio_stream::{Stream, StreamExt};
    use tonic::transport::server::{Server, TcpIncoming};
    use tonic::{Request, Response, Streaming};

    /// A server of which no answer can be trusted: `Record` has receipts for other events, batches lack a result, and
    /// streams go wrong with their tenth, each in its way.
    #[derive(Clone, Copy, Debug)]
    enum Lying {
        OtherId,
        LostResult,
        OtherSequence,
    }

    fn receipt(event: Option<pb::Event>, wrong: bool) -> pb::Receipt {
        let event_id = if wrong { "another".to_owned() } else { event.map(|e| e.event_id).unwrap_or_default() };
        pb::Receipt { event_id, ..Default::default() }
    }

    #[tonic::async_trait]
    impl DeskService for Lying {
        async fn record(&self, r: Request<pb::RecordRequest>) -> Result<Response<pb::RecordResponse>, Status> {
            Ok(Response::new(pb::RecordResponse { receipt: Some(receipt(r.into_inner().event, true)) }))
        }

        async fn record_batch(
            &self,
            request: Request<pb::RecordBatchRequest>,
        ) -> Result<Response<pb::RecordBatchResponse>, Status> {
            // The last result is lost.
            let events = request.into_inner().events.into_iter().skip(1);
            let result = |e: pb::BatchEvent| Some(pb::record_result::Result::Receipt(receipt(e.event, false)));
            let results = events.map(|e| pb::RecordResult { result: result(e) }).collect();
            Ok(Response::new(pb::RecordBatchResponse { results }))
        }

        type RecordStreamStream = Pin<Box<dyn Stream<Item = Result<pb::RecordStreamResponse, Status>> + Send>>;

        async fn record_stream(
            &self,
            request: Request<Streaming<pb::RecordStreamRequest>>,
        ) -> Result<Response<Self::RecordStreamStream>, Status> {
            let lie = *self;
            let mut number = 0;
            let answers = request.into_inner().filter_map(move |request| {
                number += 1;
                let tenth = number == 10;
                let sequence = if tenth && matches!(lie, Lying::OtherSequence) { 7 } else { number - 1 };
                let wrong = tenth && matches!(lie, Lying::OtherId);
                let event = request.ok()?.event;
                let result = Some(pb::record_stream_response::Result::Receipt(receipt(event, wrong)));
                let lost = number >= 10 && matches!(lie, Lying::LostResult);
                (!lost).then_some(Ok(pb::RecordStreamResponse { sequence, result }))
            });
            Ok(Response::new(Box::pin(answers)))
        }
    }

    async fn driven(lie: Lying, call: Call) -> Driven {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let serving =
            Server::builder().add_service(DeskServiceServer::new(lie)).serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(serving);
        let load = Load {
            call,
            connections: 1,
            // A stream must have room for what is lost.
            in_flight: if call == Call::Stream { 64 } else { 1 },
            time: Duration::from_millis(300),
            rate: Some(100.0),
            seed: 7,
            label: "l".to_owned(),
        };
        drive(&url, &load).await.expect("a connection")
    }

    #[test]
    fn a_receipt_that_is_missing_or_for_another_event_is_an_error() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        for (lie, call, said) in [
            (Lying::OtherId, Call::Unary, "asked for"),
            (Lying::OtherId, Call::Batch(10), "9 results for 10 events"),
            (Lying::OtherId, Call::Stream, "got the receipt"),
            (Lying::LostResult, Call::Stream, "21 events unanswered"),
            (Lying::OtherSequence, Call::Stream, "result 7 follows 9 others"),
        ] {
            let driven = runtime.block_on(driven(lie, call));
            assert_eq!(driven.errors, 1, "{lie:?}, {call:?}");
            let failure = driven.clean().err().map(|f| f.to_string()).unwrap_or_default();
            assert!(failure.contains(said), "{lie:?}, {call:?}: {failure}");
        }
    }
}
