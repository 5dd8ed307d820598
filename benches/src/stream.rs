//! A stream of single events: sent without waiting for the one before, up to so many without an answer.
//!
//! The results come in the order of the events, so each is held against the first that has none yet.

use crate::drive::Driven;
use crate::pace::Schedule;
use crate::stories::Stories;
use dunghen::pb::desk_service_client::DeskServiceClient;
use dunghen::pb::record_stream_response::Result as Recorded;
use dunghen::{pb, wire};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

/// How many events lie ready for the connection: enough for one of its frames.
const AHEAD: usize = 256;

/// The events without an answer: when each was due, and its id.
#[derive(Default)]
struct Sent(Mutex<VecDeque<(Instant, String)>>);

impl Sent {
    fn push(&self, due: Instant, id: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((due, id));
    }

    fn pop(&self) -> Option<(Instant, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Sends a stream by the schedule, with at most `window` events without an answer, and reads its results to the end.
pub(crate) async fn work(
    client: DeskServiceClient<Channel>,
    stories: Stories,
    window: usize,
    schedule: Schedule,
) -> Driven {
    let mut driven = Driven::new();
    let sent = Arc::new(Sent::default());
    let window = Arc::new(Semaphore::new(window));
    let (events, outgoing) = mpsc::channel(AHEAD);
    let sender = tokio::spawn(send(stories, schedule, Arc::clone(&window), Arc::clone(&sent), events));
    if let Err(status) = read(client, outgoing, &window, &sent, &mut driven).await {
        driven.failed(&status);
    }
    // Whoever reads no results any more must not leave the sender waiting.
    window.close();
    match sender.await {
        Ok(left) => driven.not_sent = left,
        Err(defect) => driven.failed(&Status::internal(defect.to_string())),
    }
    driven
}

/// Sends; returns how many were due and not sent.
async fn send(
    mut stories: Stories,
    mut schedule: Schedule,
    window: Arc<Semaphore>,
    sent: Arc<Sent>,
    events: mpsc::Sender<pb::RecordStreamRequest>,
) -> u64 {
    while let Some(due) = schedule.next().await {
        let event = wire::event(&stories.next());
        // Closed: the stream has failed.
        let Ok(permit) = window.acquire().await else { break };
        permit.forget();
        sent.push(due, event.event_id.clone());
        if events.send(pb::RecordStreamRequest { event: Some(event), expected_version: None }).await.is_err() {
            break;
        }
    }
    schedule.left()
}

/// Reads the results, each of which must be for the first event without one.
async fn read(
    mut client: DeskServiceClient<Channel>,
    outgoing: mpsc::Receiver<pb::RecordStreamRequest>,
    window: &Semaphore,
    sent: &Sent,
    driven: &mut Driven,
) -> Result<(), Status> {
    let mut results = client.record_stream(ReceiverStream::new(outgoing)).await?.into_inner();
    let mut sequence = 0;
    while let Some(answer) = results.message().await? {
        let (due, id) = sent.pop().ok_or_else(|| Status::data_loss("a result that nothing was sent for"))?;
        window.add_permits(1);
        if answer.sequence != sequence {
            return Err(Status::data_loss(format!("result {} follows {sequence} others", answer.sequence)));
        }
        sequence += 1;
        match answer.result {
            Some(Recorded::Receipt(r)) if r.event_id == id && !r.duplicate => driven.sample.call(1, due.elapsed()),
            Some(Recorded::Receipt(r)) => return Err(Status::data_loss(format!("sent {id}, got the receipt {r:?}"))),
            Some(Recorded::Refusal(r)) => {
                driven.refused += 1;
                driven.said.get_or_insert_with(|| format!("{}: {}", r.reason, r.message_en));
            }
            None => return Err(Status::data_loss(format!("{id} got neither a receipt nor a refusal"))),
        }
    }
    match sent.len() {
        0 => Ok(()),
        n => Err(Status::data_loss(format!("the stream ended with {n} events unanswered"))),
    }
}
