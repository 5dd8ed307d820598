//! The services: thin. They bring requests into the engine's types and answers back; nothing is decided here.
//! What streams is in `streams`, what concerns rules in `publish`.

use crate::messages::questions;
use crate::pb::auditor_service_server::AuditorService;
use crate::pb::desk_service_server::DeskService;
use crate::pb::supervisor_service_server::SupervisorService;
use crate::streams::{self, Cache, Recorded, Replayed, Watched};
use crate::{pb, status, wire};
use dunghen_engine::dossier::{Code, Command, EventType, Rejection, Violation, ViolationKind};
use dunghen_engine::rules::{DEFINITIONS, Definition, RuleKind};
use dunghen_engine::time::{Timestamp, Zone};
use dunghen_engine::views::{
    Filter, FormKey, FormQuery, GroupKey, ListQuery, Moment, ObligationCursor, ObligationFilter, ObligationQuery,
    OutcomeFilter, RatesQuery, StateFilter, TargetQuery,
};
use dunghen_engine::{Batch, Engine, Mode, Receipt, Refused, ReplayFilter};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

const DEFAULT_PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 10_000;
const DEFAULT_SOON_HOURS: u32 = 72;
/// How long a question waits for `min_position` if the call has no deadline.
const WAIT: Duration = Duration::from_secs(5);

/// A result for each event of a batch.
pub(crate) type Results = Vec<Result<Receipt, Rejection>>;

/// The services over one engine.
#[derive(Clone)]
pub struct Services {
    engine: Arc<Engine>,
    /// The position that every answer has folded by now.
    position: watch::Receiver<u64>,
    rates: Arc<Cache<pb::GetRatesResponse>>,
    lists: Arc<Cache<pb::ListDossiersResponse>>,
    /// Whether a call may record on the thread that serves it.
    takes_turns: bool,
}

/// Runs a question where it may take its time.
pub(crate) async fn ask<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> Result<T, Status> {
    tokio::task::spawn_blocking(question).await.map_err(|e| status::internal(&e.to_string()))
}

impl Services {
    /// Over this engine.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Services {
        let (sender, position) = watch::channel(engine.position());
        engine.listen(move |position| {
            sender.send_replace(position);
        });
        let takes_turns = others_serve_meanwhile(&engine);
        Services { engine, position, rates: Arc::default(), lists: Arc::default(), takes_turns }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The position that every answer has folded, as it moves on.
    pub(crate) fn position(&self) -> watch::Receiver<u64> {
        self.position.clone()
    }

    pub(crate) fn zone(&self) -> Zone {
        self.engine.zone()
    }

    /// Waits until every answer has folded this many records, within the deadline of the call.
    pub(crate) async fn reach(&self, wanted: u64, metadata: &MetadataMap) -> Result<(), Status> {
        // A tenth is left for the answer: when the deadline is over, the transport says so in its own words.
        let wait = metadata.get("grpc-timeout").and_then(|t| deadline(t.to_str().ok()?)).map_or(WAIT, |t| t / 10 * 9);
        let mut position = self.position.clone();
        let reached = tokio::time::timeout(wait, position.wait_for(|p| *p >= wanted)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            // The writer is gone: what is there now is all that will come.
            _ if self.engine.position() >= wanted => Ok(()),
            _ => Err(status::not_yet(wanted, self.engine.position())),
        }
    }

    /// Puts a batch into the queue; the answer is what then comes of it.
    pub(crate) fn queue(
        &self,
        batch: Batch,
    ) -> Result<impl Future<Output = Result<Results, Refused>> + use<>, Refused> {
        let (answer, wait) = oneshot::channel();
        self.engine.submit(batch, move |result| {
            // Whoever waited may be gone; the events are recorded all the same.
            let _ = answer.send(result);
        })?;
        let gone = || Refused::Unavailable("the writer stopped".to_owned());
        Ok(async move { wait.await.unwrap_or_else(|_| Err(gone())) })
    }

    /// Records a single event: on this thread if nobody else records, which spares two changes of threads, or by the
    /// queue.
    async fn record_one(&self, command: Command) -> Result<Results, Status> {
        let batch = Batch { commands: vec![command], mode: Mode::Each };
        if self.takes_turns && self.engine.turn().is_some() {
            // What was to run next on this thread goes first, or to another: it must not wait for the disk.
            tokio::task::yield_now().await;
            if let Some(turn) = self.engine.turn() {
                return turn.record(&batch).map_err(|refused| status::of_refused(&refused, &self.zone()));
            }
        }
        self.submit(batch).await
    }

    async fn submit(&self, batch: Batch) -> Result<Results, Status> {
        let result = match self.queue(batch) {
            Ok(answer) => answer.await,
            Err(refused) => Err(refused),
        };
        result.map_err(|refused| status::of_refused(&refused, &self.zone()))
    }

    /// The definition of that id: one that is published, or one that is built in.
    fn definition(&self, id: &str) -> Result<Definition, Status> {
        self.engine.definition(id).ok_or_else(|| {
            let rules = self.engine.rules();
            let published = rules.all().filter(|v| v.publication.rule.kind() == RuleKind::Definition);
            let mut ids: Vec<&str> = DEFINITIONS.iter().map(|d| d.id).collect();
            for version in published {
                if !ids.contains(&&*version.publication.code) {
                    ids.push(&version.publication.code);
                }
            }
            match id {
                "" => status::missing("definition", &questions::required_of(&ids)),
                _ => status::bad_question("definition", &questions::one_of(&ids)),
            }
        })
    }

    fn as_of(&self, point: Option<pb::TimePoint>) -> Result<Moment, Status> {
        Ok(moment("as_of", point)?.unwrap_or(Moment::Instant(self.engine.now())))
    }
}

/// Sees to it that connections are served while a disk stalls with one thread of the runtime; `false` if it has no
/// other.
fn others_serve_meanwhile(engine: &Engine) -> bool {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return false };
    let several = runtime.metrics().num_workers() > 1;
    if several {
        // The thread that waits for the disk may be the one that looked at the connections. A task from outside wakes
        // another, which then does.
        engine.stand_by(move || drop(runtime.spawn(async {})));
    }
    several
}

/// The value of a `grpc-timeout` header: digits and a unit.
fn deadline(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n.saturating_mul(3600)),
        "M" => Duration::from_secs(n.saturating_mul(60)),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

pub(crate) fn moment(field: &str, point: Option<pb::TimePoint>) -> Result<Option<Moment>, Status> {
    wire::moment(point).map_err(|what| status::bad_question(field, &what))
}

/// The bounds of a period, which must not be the wrong way round.
fn period(
    from: Option<pb::TimePoint>,
    to: Option<pb::TimePoint>,
    zone: &Zone,
) -> Result<(Option<Moment>, Option<Moment>), Status> {
    let (from, to) = (moment("from", from)?, moment("to", to)?);
    if let (Some(first), Some(end)) = (from, to)
        && first.bound(zone) > end.bound(zone)
    {
        return Err(status::bad_question("to", &questions::ends_before_it_begins()));
    }
    Ok((from, to))
}

pub(crate) fn one_of<T>(field: &str, name: &str, value: Option<T>, names: &[&str]) -> Result<T, Status> {
    value.ok_or_else(|| status::bad_question(field, &questions::this_is_not_one_of(name, names)))
}

fn zone(name: &str) -> Result<Option<Zone>, Status> {
    if name.is_empty() {
        return Ok(None);
    }
    Zone::parse(name).map(Some).ok_or_else(|| status::bad_question("time_zone", &questions::no_zone()))
}

fn filter(filter: Option<pb::DossierFilter>) -> Filter {
    let filter = filter.unwrap_or_default();
    Filter {
        unit: wire::code(&filter.unit),
        procedure: wire::code(&filter.procedure),
        field: wire::code(&filter.field),
        channel: wire::code(&filter.channel),
    }
}

#[tonic::async_trait]
impl DeskService for Services {
    type RecordStreamStream = Recorded;

    async fn record_stream(
        &self,
        request: Request<Streaming<pb::RecordStreamRequest>>,
    ) -> Result<Response<Recorded>, Status> {
        Ok(Response::new(streams::record(self.clone(), request.into_inner())))
    }

    async fn record(&self, request: Request<pb::RecordRequest>) -> Result<Response<pb::RecordResponse>, Status> {
        let request = request.into_inner();
        let refused = |rejection: Rejection| status::of_rejection(&rejection, &self.zone());
        let command = wire::command(request.event, request.expected_version, false).map_err(refused)?;
        let results = self.record_one(command).await?;
        let result = results.into_iter().next().ok_or_else(|| status::internal("no result for an event"))?;
        let receipt = result.map_err(refused)?;
        Ok(Response::new(pb::RecordResponse { receipt: Some(wire::receipt(&receipt)) }))
    }

    async fn record_batch(
        &self,
        request: Request<pb::RecordBatchRequest>,
    ) -> Result<Response<pb::RecordBatchResponse>, Status> {
        let request = request.into_inner();
        let mode = match pb::BatchMode::try_from(request.mode) {
            Ok(pb::BatchMode::Atomic) => Mode::Atomic,
            Ok(pb::BatchMode::Each) => Mode::Each,
            Ok(pb::BatchMode::Unspecified) | Err(_) => {
                let kind = ViolationKind::NotOneOf(&["BATCH_MODE_ATOMIC", "BATCH_MODE_EACH"]);
                let violation = Violation { field: "mode".to_owned(), kind };
                return Err(status::of_rejection(&Rejection::Malformed(vec![violation]), &self.zone()));
            }
        };
        let read: Vec<_> =
            request.events.into_iter().map(|e| wire::command(e.event, e.expected_version, request.imported)).collect();
        let malformed = read.iter().any(Result::is_err);
        let results = if malformed && mode == Mode::Atomic {
            // None goes in; each says whether it was itself at fault.
            read.into_iter().map(|r| Err(r.err().unwrap_or(Rejection::BatchRefused))).collect()
        } else {
            let (commands, slots): (Vec<_>, Vec<_>) =
                read.into_iter().fold((Vec::new(), Vec::new()), |(mut commands, mut slots), command| {
                    slots.push(command.map(|c| commands.push(c)));
                    (commands, slots)
                });
            let mut decided = self.submit(Batch { commands, mode }).await?.into_iter();
            slots
                .into_iter()
                .map(|slot| match slot {
                    Ok(()) => decided.next().unwrap_or(Err(Rejection::BatchRefused)),
                    Err(rejection) => Err(rejection),
                })
                .collect::<Vec<_>>()
        };
        let results = results
            .iter()
            .map(|result| pb::RecordResult {
                result: Some(match result {
                    Ok(receipt) => pb::record_result::Result::Receipt(wire::receipt(receipt)),
                    Err(rejection) => pb::record_result::Result::Refusal(status::refusal(rejection, &self.zone())),
                }),
            })
            .collect();
        Ok(Response::new(pb::RecordBatchResponse { results }))
    }
}

#[tonic::async_trait]
impl SupervisorService for Services {
    type WatchRatesStream = Watched<pb::WatchRatesResponse>;
    type WatchDossiersStream = Watched<pb::WatchDossiersResponse>;

    async fn get_rates(&self, request: Request<pb::GetRatesRequest>) -> Result<Response<pb::GetRatesResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.reach(request.min_position, &metadata).await?;
        let names = GroupKey::ALL.map(|(_, name)| name);
        let mut by = Vec::new();
        for name in &request.by {
            let key = one_of("by", name, GroupKey::parse(name), &names)?;
            if by.contains(&key) {
                return Err(status::bad_question("by", &questions::key_twice()));
            }
            by.push(key);
        }
        let zone = zone(&request.time_zone)?;
        let (from, to) = period(request.from, request.to, &zone.unwrap_or(self.zone()))?;
        let query = RatesQuery {
            definition: self.definition(&request.definition)?,
            from,
            to,
            as_of: self.as_of(request.as_of)?,
            by: by.clone(),
            filter: filter(request.filter),
            zone,
        };
        let engine = Arc::clone(&self.engine);
        let answer = ask(move || engine.rates(&query)).await?;
        Ok(Response::new(wire::rates(&request.definition, &by, &answer)))
    }

    async fn get_form(&self, request: Request<pb::GetFormRequest>) -> Result<Response<pb::GetFormResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.reach(request.min_position, &metadata).await?;
        let names = FormKey::ALL.map(|(_, name)| name);
        if request.by.is_empty() {
            return Err(status::missing("by", &questions::required_of(&names)));
        }
        let by = one_of("by", &request.by, FormKey::parse(&request.by), &names)?;
        let zone = zone(&request.time_zone)?;
        let period = period(request.from, request.to, &zone.unwrap_or(self.zone()))?;
        let (Some(from), Some(to)) = period else {
            let field = if period.0.is_none() { "from" } else { "to" };
            return Err(status::missing(field, &questions::required()));
        };
        let as_of = self.as_of(request.as_of)?;
        let query = FormQuery { from, to, as_of, by, filter: filter(request.filter), zone };
        let engine = Arc::clone(&self.engine);
        let answer = ask(move || engine.form(&query)).await?;
        Ok(Response::new(wire::form(by, &answer)))
    }

    async fn list_targets(
        &self,
        request: Request<pb::ListTargetsRequest>,
    ) -> Result<Response<pb::ListTargetsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.reach(request.min_position, &metadata).await?;
        let year = match request.year {
            0 => None,
            1..=9999 => Some(request.year),
            _ => return Err(status::bad_question("year", &questions::no_year())),
        };
        let (code, unit) = (wire::code(&request.code), wire::code(&request.unit));
        let query = TargetQuery { code, year, unit, as_of: self.as_of(request.as_of)? };
        let engine = Arc::clone(&self.engine);
        let answer = ask(move || engine.targets(&query)).await?;
        if !request.code.is_empty() && answer.targets.is_empty() {
            return Err(status::bad_question("code", &questions::no_target(&request.code)));
        }
        Ok(Response::new(wire::targets(&answer, &self.zone())))
    }

    async fn list_dossiers(
        &self,
        request: Request<pb::ListDossiersRequest>,
    ) -> Result<Response<pb::ListDossiersResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.reach(request.min_position, &metadata).await?;
        let state = match request.state.as_str() {
            "" => None,
            name => Some(one_of("state", name, StateFilter::parse(name), &StateFilter::ALL.map(|(_, n)| n))?),
        };
        let in_cohort = request.from.is_some() || request.to.is_some();
        let outcome = match request.outcome.as_str() {
            "" => in_cohort.then_some(None),
            "any" => Some(None),
            name => {
                Some(Some(one_of("outcome", name, OutcomeFilter::parse(name), &OutcomeFilter::ALL.map(|(_, n)| n))?))
            }
        };
        let zone = zone(&request.time_zone)?;
        let (from, to) = period(request.from, request.to, &zone.unwrap_or(self.zone()))?;
        let hours = if request.due_within_hours == 0 { DEFAULT_SOON_HOURS } else { request.due_within_hours };
        let query = ListQuery {
            state,
            outcome,
            definition: self.definition(if request.definition.is_empty() {
                "resolved"
            } else {
                &request.definition
            })?,
            from,
            to,
            as_of: self.as_of(request.as_of)?,
            due_within_ms: i64::from(hours) * 3_600_000,
            filter: filter(request.filter),
            zone,
            page_size: page_size(request.page_size),
            after: page_token(&request.page_token)?,
        };
        let engine = Arc::clone(&self.engine);
        let page = ask(move || engine.list(&query)).await?;
        let next = page.next.map(|(due, code)| format!("{}/{code}", due.0));
        Ok(Response::new(pb::ListDossiersResponse {
            dossiers: page.items.iter().map(|item| wire::dossier(item, &self.zone())).collect(),
            next_page_token: next.unwrap_or_default(),
            position: page.position,
            as_of: Some(wire::timestamp(page.as_of)),
            time_zone: self.zone().name().to_owned(),
        }))
    }

    async fn get_dossier(
        &self,
        request: Request<pb::GetDossierRequest>,
    ) -> Result<Response<pb::GetDossierResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.reach(request.min_position, &metadata).await?;
        if request.dossier.is_empty() {
            let violation = Violation { field: "dossier".to_owned(), kind: ViolationKind::Missing };
            return Err(status::of_rejection(&Rejection::Malformed(vec![violation]), &self.zone()));
        }
        let as_of = self.as_of(request.as_of)?;
        let engine = Arc::clone(&self.engine);
        let code: Code = Arc::from(request.dossier);
        let wanted = Arc::clone(&code);
        let detail = ask(move || engine.detail(&wanted, as_of)).await?.map_err(|e| status::of_log(&e))?;
        let unknown = || status::of_rejection(&Rejection::DossierUnknown(code), &self.zone());
        Ok(Response::new(wire::detail(&detail.ok_or_else(unknown)?, request.explain, &self.zone())))
    }

    async fn list_obligations(
        &self,
        request: Request<pb::ListObligationsRequest>,
    ) -> Result<Response<pb::ListObligationsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.reach(request.min_position, &metadata).await?;
        let names = ObligationFilter::ALL.map(|(_, n)| n);
        let zone = zone(&request.time_zone)?;
        let (from, to) = period(request.from, request.to, &zone.unwrap_or(self.zone()))?;
        let query = ObligationQuery {
            state: match request.state.as_str() {
                "" => None,
                name => Some(one_of("state", name, ObligationFilter::parse(name), &names)?),
            },
            from,
            to,
            as_of: self.as_of(request.as_of)?,
            filter: filter(request.filter),
            zone,
            page_size: page_size(request.page_size),
            after: obligation_token(&request.page_token)?,
        };
        let engine = Arc::clone(&self.engine);
        let page = ask(move || engine.obligations(&query)).await?.map_err(|e| status::of_log(&e))?;
        let next = page.next.map(|(deadline, code, promise)| format!("{}/{promise}/{code}", deadline.0));
        Ok(Response::new(pb::ListObligationsResponse {
            obligations: page.items.iter().map(|item| wire::dossier_obligation(item, &self.zone())).collect(),
            next_page_token: next.unwrap_or_default(),
            position: page.position,
            as_of: Some(wire::timestamp(page.as_of)),
            time_zone: self.zone().name().to_owned(),
        }))
    }

    async fn watch_rates(
        &self,
        request: Request<pb::WatchRatesRequest>,
    ) -> Result<Response<Self::WatchRatesStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let question = request.question.unwrap_or_default();
        self.reach(question.min_position, &metadata).await?;
        let cache = Arc::clone(&self.rates);
        streams::watch(self, cache, question, request.max_per_second).await
    }

    async fn watch_dossiers(
        &self,
        request: Request<pb::WatchDossiersRequest>,
    ) -> Result<Response<Self::WatchDossiersStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let question = request.question.unwrap_or_default();
        self.reach(question.min_position, &metadata).await?;
        let cache = Arc::clone(&self.lists);
        streams::watch(self, cache, question, request.max_per_second).await
    }
}

fn page_size(asked: u32) -> usize {
    match asked as usize {
        0 => DEFAULT_PAGE,
        n => n.min(LARGEST_PAGE),
    }
}

fn wrong_token() -> Status {
    status::bad_question("page_token", &questions::no_page_token())
}

/// Where the page of obligations before ended.
fn obligation_token(token: &str) -> Result<Option<ObligationCursor>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let parse = || {
        let (deadline, rest) = token.split_once('/')?;
        let (promise, code) = rest.split_once('/')?;
        Some((Timestamp(deadline.parse().ok()?), Arc::from(code), promise.parse().ok()?))
    };
    parse().map(Some).ok_or_else(wrong_token)
}

/// Where the page before ended: the last due and code of it.
fn page_token(token: &str) -> Result<Option<(Timestamp, Code)>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let parsed = token.split_once('/').and_then(|(due, code)| Some((Timestamp(due.parse().ok()?), Arc::from(code))));
    parsed.map(Some).ok_or_else(wrong_token)
}

#[tonic::async_trait]
impl AuditorService for Services {
    type ReplayStream = Replayed;

    async fn replay(&self, request: Request<pb::ReplayRequest>) -> Result<Response<Replayed>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.reach(request.min_position, &metadata).await?;
        let names = EventType::ALL.map(EventType::name);
        let types = request
            .types
            .iter()
            .map(|name| one_of("types", name, EventType::parse(name), &names))
            .collect::<Result<Vec<_>, Status>>()?;
        let filter = ReplayFilter {
            from: request.from_position,
            to: request.to_position,
            dossier: wire::code(&request.dossier),
            unit: wire::code(&request.unit),
            types,
        };
        let records = if request.follow { streams::follow(self, filter) } else { streams::replay(self, filter) };
        Ok(Response::new(records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_of_calls() {
        assert_eq!(deadline("250m"), Some(Duration::from_millis(250)));
        assert_eq!(deadline("2S"), Some(Duration::from_secs(2)));
        for bad in ["", "S", "x", "12", "-1S", "1é"] {
            assert_eq!(deadline(bad), None, "{bad}");
        }
    }
}
