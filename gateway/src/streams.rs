//! What streams: events coming in, records going out, answers that follow the log.
//!
//! Every stream has tasks of its own and a short queue to its client, so that a slow client holds up nothing but
//! itself, and one that is gone ends them.

use crate::pb::supervisor_service_server::SupervisorService;
use crate::services::{Results, Services, ask};
use crate::{pb, status, wire};
use dunghen_engine::dossier::{Command, Rejection};
use dunghen_engine::log::LogError;
use dunghen_engine::{Batch, Mode, Refused, ReplayFilter};
use prost::Message;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// The results of a stream of events.
pub type Recorded = ReceiverStream<Result<pb::RecordStreamResponse, Status>>;
/// The records of a replay.
pub type Replayed = ReceiverStream<Result<pb::ReplayResponse, Status>>;
/// The answers of a watch.
pub type Watched<A> = ReceiverStream<Result<A, Status>>;

/// How many events of a stream are decided together at most.
const TOGETHER: usize = 512;
/// How many groups of a stream may be on their way at once.
const GROUPS_AHEAD: usize = 8;
/// How many results or records may wait for their reader.
const AHEAD: usize = 256;
/// How long a stream waits when the engine has too much waiting.
const BREATH: Duration = Duration::from_millis(5);
/// How many positions of the log are read before it is looked whether the client is still there.
const STRIDE: u64 = 4096;
/// How often a follower hears something.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often a watched question is asked though nothing was recorded: time itself makes dossiers late.
const TIME_PASSES: Duration = Duration::from_millis(500);
/// How old an answer may be that is shared between watchers.
const SHARED_FOR: Duration = Duration::from_millis(100);
/// How long an answer is kept that nobody asks for again.
const FORGET: Duration = Duration::from_secs(10);
const DEFAULT_PER_SECOND: u32 = 2;
const LARGEST_PER_SECOND: u32 = 10;

/// What is there of a stream already, without waiting: `None` if there is nothing at the moment.
async fn at_once<S: Stream + Unpin>(stream: &mut S) -> Option<Option<S::Item>> {
    std::future::poll_fn(|cx| {
        Poll::Ready(match Pin::new(&mut *stream).poll_next(cx) {
            Poll::Ready(item) => Some(item),
            Poll::Pending => None,
        })
    })
    .await
}

/// A group of a stream's events on its way: what is known of each, and the task that brings the rest.
struct Group {
    /// For each event: `Err` if its form was refused, else it is in the batch.
    known: Vec<Result<(), Rejection>>,
    decided: tokio::task::JoinHandle<Result<Results, Status>>,
    /// Why nothing more can be read behind this group, such as a message that is too large.
    broken: Option<Status>,
}

/// Records a stream of events; results come in the order of the events.
pub(crate) fn record(services: Services, incoming: Streaming<pb::RecordStreamRequest>) -> Recorded {
    let (groups, mut coming) = mpsc::channel::<Group>(GROUPS_AHEAD);
    let (results, reader) = mpsc::channel(AHEAD);
    let zone = services.zone();
    tokio::spawn(read_events(services, incoming, groups));
    tokio::spawn(async move {
        let mut sequence = 0;
        while let Some(group) = coming.recv().await {
            let decided = match group.decided.await {
                Ok(Ok(decided)) => decided,
                Ok(Err(status)) => return end(&results, status).await,
                Err(defect) => return end(&results, status::internal(&defect.to_string())).await,
            };
            let mut decided = decided.into_iter();
            for known in group.known {
                let result = known.and_then(|()| decided.next().unwrap_or(Err(Rejection::BatchRefused)));
                let result = match result {
                    Ok(receipt) => pb::record_stream_response::Result::Receipt(wire::receipt(&receipt)),
                    Err(r) => pb::record_stream_response::Result::Refusal(status::refusal(&r, &zone)),
                };
                let response = pb::RecordStreamResponse { sequence, result: Some(result) };
                if results.send(Ok(response)).await.is_err() {
                    return;
                }
                sequence += 1;
            }
            // What follows was not read: an end without a word would say that it was recorded.
            if let Some(status) = group.broken {
                return end(&results, status).await;
            }
        }
    });
    ReceiverStream::new(reader)
}

/// Says how a stream ends; a client that is gone has nothing to hear.
async fn end<T>(out: &mpsc::Sender<Result<T, Status>>, status: Status) {
    let _ = out.send(Err(status)).await;
}

/// Reads events in groups of what is there. Nothing is read while `GROUPS_AHEAD` groups are on their way: that is the
/// back-pressure.
async fn read_events(
    services: Services,
    mut incoming: Streaming<pb::RecordStreamRequest>,
    groups: mpsc::Sender<Group>,
) {
    let mut over = false;
    while !over {
        let (mut requests, mut broken) = (Vec::new(), None);
        let mut next = Some(incoming.message().await.transpose());
        while let Some(item) = next {
            match item {
                Some(Ok(request)) => requests.push(request),
                end => {
                    over = true;
                    broken = end.and_then(Result::err);
                    break;
                }
            }
            next = if requests.len() < TOGETHER { at_once(&mut incoming).await } else { None };
        }
        if requests.is_empty() && broken.is_none() {
            return;
        }
        let mut commands = Vec::with_capacity(requests.len());
        let known = requests
            .into_iter()
            .map(|r| wire::command(r.event, r.expected_version, false).map(|command| commands.push(command)))
            .collect();
        let Ok(place) = groups.reserve().await else { return };
        let (submitted, was_submitted) = oneshot::channel();
        let services = services.clone();
        let decided = tokio::spawn(async move { services.submit_patiently(commands, submitted).await });
        place.send(Group { known, decided, broken });
        // The order of the stream is the order of the queue: the next group is not queued before this one.
        let _ = was_submitted.await;
    }
}

impl Services {
    /// Queues events each on its own, waiting while the engine has too much waiting; `submitted` is told when they
    /// are queued (or refused for good).
    async fn submit_patiently(
        &self,
        commands: Vec<Command>,
        submitted: oneshot::Sender<()>,
    ) -> Result<Results, Status> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        loop {
            let refused = match self.queue(Batch { commands: commands.clone(), mode: Mode::Each }) {
                Ok(answer) => {
                    // A reader that is gone waits for nothing.
                    let _ = submitted.send(());
                    return answer.await.map_err(|r| status::of_refused(&r, &self.zone()));
                }
                Err(refused) => refused,
            };
            match refused {
                Refused::Overloaded => sleep(BREATH).await,
                other => return Err(status::of_refused(&other, &self.zone())),
            }
        }
    }
}

/// What a stretch of a replay came to.
struct Sent {
    any: bool,
    /// The client is gone, or damage was found and told.
    over: bool,
}

/// Sends the records of a stretch from a thread of their own, which a slow reader may hold up.
fn send_records(
    services: &Services,
    filter: ReplayFilter,
    out: &mpsc::Sender<Result<pb::ReplayResponse, Status>>,
) -> Sent {
    let mut sent = Sent { any: false, over: false };
    for record in services.engine().replay(filter) {
        sent.over = record.is_err();
        let record = record.map(|r| pb::replay_response::Item::Record(wire::logged(&r)));
        let message = record.map(|item| pb::ReplayResponse { item: Some(item) });
        sent.over |= out.blocking_send(message.map_err(|e: LogError| status::of_log(&e))).is_err();
        sent.any = true;
        if sent.over {
            break;
        }
    }
    sent
}

/// Replays up to the head.
pub(crate) fn replay(services: &Services, filter: ReplayFilter) -> Replayed {
    let (out, reader) = mpsc::channel(AHEAD);
    let services = services.clone();
    tokio::task::spawn_blocking(move || send_records(&services, filter, &out));
    ReceiverStream::new(reader)
}

/// Replays and goes on with what is recorded later, with a word when it has caught up and signs of life.
pub(crate) fn follow(services: &Services, filter: ReplayFilter) -> Replayed {
    let (out, reader) = mpsc::channel(AHEAD);
    tokio::spawn(run_follower(services.clone(), filter, out));
    ReceiverStream::new(reader)
}

async fn run_follower(services: Services, filter: ReplayFilter, out: mpsc::Sender<Result<pb::ReplayResponse, Status>>) {
    use pb::replay_response::Item;
    let say = async |item: Item| out.send(Ok(pb::ReplayResponse { item: Some(item) })).await;
    let mut position = services.position();
    let asked_at = services.engine().position();
    let (mut next, to) = (filter.from, filter.to.unwrap_or(u64::MAX));
    let (mut caught_up, mut last_word) = (false, Instant::now());
    while next < to {
        let head = (*position.borrow_and_update()).min(to);
        if next < head {
            let stretch = ReplayFilter { from: next, to: Some(head.min(next + STRIDE)), ..filter.clone() };
            next = head.min(next + STRIDE);
            let (reading, channel) = (services.clone(), out.clone());
            let Ok(sent) = ask(move || send_records(&reading, stretch, &channel)).await else { return };
            if sent.over {
                return;
            }
            if sent.any {
                last_word = Instant::now();
            }
        }
        if !caught_up && next >= asked_at.min(to) {
            caught_up = true;
            last_word = Instant::now();
            if say(Item::CaughtUp(pb::CaughtUp { position: next })).await.is_err() {
                return;
            }
        }
        if last_word.elapsed() >= HEARTBEAT {
            last_word = Instant::now();
            if say(Item::Heartbeat(pb::Heartbeat { position: next })).await.is_err() {
                return;
            }
        }
        if next >= *position.borrow() {
            tokio::select! {
                moved = timeout_at(last_word + HEARTBEAT, position.changed()) => {
                    if matches!(moved, Ok(Err(_))) {
                        return; // The engine is gone.
                    }
                }
                () = out.closed() => return,
            }
        }
    }
}

/// An answer and when it was made.
struct Made<A> {
    position: u64,
    at: Instant,
    answer: A,
}

/// One question's answer, made by one watcher at a time.
type Slot<A> = Arc<Mutex<Option<Made<A>>>>;

/// Answers shared between watchers that ask the same: two hundred screens cost as much as one.
pub(crate) struct Cache<A>(Mutex<HashMap<Vec<u8>, Slot<A>>>);

impl<A> Default for Cache<A> {
    fn default() -> Cache<A> {
        Cache(Mutex::new(HashMap::new()))
    }
}

impl<A: Clone> Cache<A> {
    /// The answer to a question, and the position that it is sure to have folded.
    async fn get(
        &self,
        question: Vec<u8>,
        position: u64,
        make: impl Future<Output = Result<A, Status>>,
    ) -> Result<(A, u64), Status> {
        let slot = {
            let mut slots = self.0.lock().await;
            // A slot that is locked is in use.
            slots.retain(|_, s| s.try_lock().map_or(true, |m| m.as_ref().is_none_or(|m| m.at.elapsed() < FORGET)));
            Arc::clone(slots.entry(question).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(made) = slot.as_ref() {
            let age = made.at.elapsed();
            if age < SHARED_FOR || made.position >= position && age < TIME_PASSES {
                return Ok((made.answer.clone(), made.position));
            }
        }
        let at = Instant::now();
        let answer = make.await?;
        *slot = Some(Made { position, at, answer: answer.clone() });
        Ok((answer, position))
    }
}

/// A question that can be watched.
pub(crate) trait Question: Message + Clone + Send + 'static {
    type Answer: Clone + Send + Sync + 'static;
    type Response: Send + 'static;

    /// Asks it once.
    fn ask(self, services: &Services) -> impl Future<Output = Result<Self::Answer, Status>> + Send;
    /// Whether two answers tell the same: the moment they were computed at does not matter.
    fn same(a: &Self::Answer, b: &Self::Answer) -> bool;
    fn response(answer: Self::Answer) -> Self::Response;
}

impl Question for pb::GetRatesRequest {
    type Answer = pb::GetRatesResponse;
    type Response = pb::WatchRatesResponse;

    async fn ask(self, services: &Services) -> Result<pb::GetRatesResponse, Status> {
        Ok(SupervisorService::get_rates(services, Request::new(self)).await?.into_inner())
    }

    fn same(a: &pb::GetRatesResponse, b: &pb::GetRatesResponse) -> bool {
        a.total == b.total && a.groups == b.groups
    }

    fn response(answer: pb::GetRatesResponse) -> pb::WatchRatesResponse {
        pb::WatchRatesResponse { answer: Some(answer) }
    }
}

impl Question for pb::ListDossiersRequest {
    type Answer = pb::ListDossiersResponse;
    type Response = pb::WatchDossiersResponse;

    async fn ask(self, services: &Services) -> Result<pb::ListDossiersResponse, Status> {
        Ok(SupervisorService::list_dossiers(services, Request::new(self)).await?.into_inner())
    }

    fn same(a: &pb::ListDossiersResponse, b: &pb::ListDossiersResponse) -> bool {
        a.dossiers == b.dossiers && a.next_page_token == b.next_page_token
    }

    fn response(answer: pb::ListDossiersResponse) -> pb::WatchDossiersResponse {
        pb::WatchDossiersResponse { answer: Some(answer) }
    }
}

/// Sends the answer to a question now and whenever it changes, at most so many times a second. A question that makes
/// no sense is refused at once.
pub(crate) async fn watch<Q: Question>(
    services: &Services,
    cache: Arc<Cache<Q::Answer>>,
    question: Q,
    per_second: u32,
) -> Result<Response<Watched<Q::Response>>, Status> {
    let per_second = if per_second == 0 { DEFAULT_PER_SECOND } else { per_second.min(LARGEST_PER_SECOND) };
    let pause = Duration::from_secs(1) / per_second;
    let key = question.encode_to_vec();
    let mut position = services.position();
    let services = services.clone();
    let mut seen = *position.borrow_and_update();
    let mut last = question.clone().ask(&services).await?;
    let (out, reader) = mpsc::channel(1);
    tokio::spawn(async move {
        if out.send(Ok(Q::response(last.clone()))).await.is_err() {
            return;
        }
        loop {
            // Nobody hears more than `per_second` answers; then whatever comes first: news, time, or the end. A shared
            // answer may be older than the news: then there is nothing to wait for.
            sleep(pause).await;
            if *position.borrow_and_update() == seen {
                tokio::select! {
                    moved = position.changed() => {
                        if moved.is_err() {
                            return; // The engine is gone.
                        }
                    }
                    () = sleep(TIME_PASSES) => {}
                    () = out.closed() => return,
                }
            }
            let at = *position.borrow_and_update();
            let answer = match cache.get(key.clone(), at, question.clone().ask(&services)).await {
                Ok((answer, folded)) => {
                    seen = folded;
                    answer
                }
                Err(status) => return end(&out, status).await,
            };
            if !Q::same(&last, &answer) {
                last = answer.clone();
                if out.send(Ok(Q::response(answer))).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(Response::new(ReceiverStream::new(reader)))
}
