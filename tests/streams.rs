//! Streams: events in, records out, answers that follow the log; slow, broken and many clients.

use crate::support::{Dice, Server, event, request};
use dunghen::pb;
use dunghen::pb::auditor_service_client::AuditorServiceClient;
use dunghen::pb::desk_service_client::DeskServiceClient;
use dunghen::pb::replay_response::Item;
use dunghen::pb::supervisor_service_client::SupervisorServiceClient;
use dunghen::source::{Connection, Source};
use serde_json::json;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic_types::StatusExt;

fn channel(source: &Source) -> Connection {
    match source {
        Source::Remote(connection) => connection.clone(),
        Source::Local(_) => unreachable!("connected"),
    }
}

fn received(code: &str) -> pb::Event {
    event(json!({"dossier": code, "type": "Received", "unit": "H44.22", "due_date": "2099-01-01"}))
}

/// Fills a log with `n` records, quickly.
async fn fill(source: &Source, n: usize) {
    for first in (0..n).step_by(5000) {
        let events = (first..n.min(first + 5000))
            .map(|i| pb::BatchEvent { event: Some(received(&format!("old-{i}"))), expected_version: None });
        let mode = pb::BatchMode::Each.into();
        source.record_batch(pb::RecordBatchRequest { events: events.collect(), mode, imported: true }).await.unwrap();
    }
}

/// Writers that push single events until told to stop; how many were acknowledged.
fn writers(source: &Source, n: usize, stop: &tokio::sync::watch::Receiver<bool>) -> Vec<tokio::task::JoinHandle<u64>> {
    (0..n)
        .map(|writer| {
            let (source, stop) = (source.clone(), stop.clone());
            tokio::spawn(async move {
                let mut sent = 0;
                while !*stop.borrow() {
                    source.record(request(received(&format!("new-{writer}-{sent}")))).await.unwrap();
                    sent += 1;
                }
                sent
            })
        })
        .collect()
}

async fn total(source: &Source) -> u64 {
    let question = pb::GetRatesRequest { definition: "resolved".into(), ..Default::default() };
    source.get_rates(question).await.unwrap().total.unwrap().received
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_a_stream_come_in_order_with_refusals_among_them() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let (send, events) = mpsc::channel(64);
    let mut desk = DeskServiceClient::new(channel(&source));
    let mut results = desk.record_stream(ReceiverStream::new(events)).await.unwrap().into_inner();
    const N: usize = 3000;
    let sending = tokio::spawn(async move {
        for i in 0..N {
            let event = match i % 10 {
                7 => event(json!({"dossier": "nobody", "type": "Processed"})),
                8 => pb::Event { event_id: "no uuid".into(), ..received("bad") },
                _ => received(&format!("D-{i}")),
            };
            send.send(pb::RecordStreamRequest { event: Some(event), expected_version: None }).await.unwrap();
        }
    });
    let mut last = None;
    for i in 0..N {
        let response = results.next().await.unwrap().unwrap();
        assert_eq!(response.sequence, i as u64);
        match response.result.unwrap() {
            pb::record_stream_response::Result::Receipt(receipt) => {
                assert!(![7, 8].contains(&(i % 10)), "{i}");
                assert!(last.is_none_or(|p| receipt.position > p), "positions follow the stream");
                last = Some(receipt.position);
            }
            pb::record_stream_response::Result::Refusal(refusal) => {
                let expected = if i % 10 == 7 { "DOSSIER_UNKNOWN" } else { "FIELD_INVALID" };
                assert_eq!(refusal.reason, expected, "{i}");
            }
        }
    }
    sending.await.unwrap();
    assert!(results.next().await.is_none(), "the stream ends when the client has ended");
    assert_eq!(total(&source).await, (N - N / 5) as u64);
}

/// What cannot be read ends the stream with an error: an end without a word would say that all was recorded.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_be_read_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let huge = pb::Event { desk: "x".repeat(17 << 20), ..received("huge") };
    let events = [received("A"), huge, received("B")];
    let requests = events.map(|e| pb::RecordStreamRequest { event: Some(e), expected_version: None });
    let mut desk = DeskServiceClient::new(channel(&source));
    let mut results = desk.record_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();
    let first = results.next().await.unwrap().unwrap();
    assert!(matches!(first.result, Some(pb::record_stream_response::Result::Receipt(_))));
    let broken = results.next().await.unwrap().unwrap_err();
    assert_eq!(broken.code(), tonic::Code::OutOfRange, "{broken:?}");
    assert_eq!(total(&source).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_slow_or_gone_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    fill(&source, 20_000).await;
    let mut readers = Vec::new();
    for _ in 0..20 {
        let mut auditor = AuditorServiceClient::new(channel(&server.connect().await));
        let question = pb::ReplayRequest { follow: true, ..Default::default() };
        let mut records = auditor.replay(question).await.unwrap().into_inner();
        records.next().await.unwrap().unwrap();
        readers.push(records); // Never read again.
    }
    for i in 0..200 {
        source.record(request(received(&format!("after-{i}")))).await.unwrap();
    }
    readers.clear();
    assert_eq!(total(&source).await, 20_200);
}

/// A follower far behind catches up while others write; cut off at random and resumed from where it was.
async fn follower_catches_up(behind: usize, writing: usize, resumes: u64) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    fill(&source, behind).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writing = writers(&source, writing, &stopped);
    let mut dice = Dice(behind as u64);
    let (mut next, mut caught_up, mut cuts) = (0_u64, false, 0);
    let mut ids = HashSet::new();
    let deadline = async |next: u64| {
        source
            .get_rates(pb::GetRatesRequest { definition: "resolved".into(), ..Default::default() })
            .await
            .unwrap()
            .position
            .max(next)
    };
    let mut target = u64::MAX;
    while next < target {
        let mut auditor = AuditorServiceClient::new(channel(&server.connect().await));
        let question = pb::ReplayRequest { from_position: next, follow: true, ..Default::default() };
        let mut records = auditor.replay(question).await.unwrap().into_inner();
        // The last life reads to the end; the others are cut off somewhere.
        let cut_at = if cuts < resumes { next + 1 + dice.below(2 * behind as u64 / resumes) } else { u64::MAX };
        while next < cut_at.min(target) {
            match records.next().await.unwrap().unwrap().item.unwrap() {
                Item::Record(record) => {
                    assert_eq!(record.position, next, "no gap, no double, order kept");
                    assert!(ids.insert(record.event.unwrap().event_id));
                    next += 1;
                }
                Item::CaughtUp(word) => {
                    assert_eq!(word.position, next);
                    caught_up = true;
                }
                Item::Heartbeat(word) => assert_eq!(word.position, next),
            }
            if caught_up && cuts >= resumes && !*stopped.borrow() {
                stop.send(true).unwrap();
            }
            if *stopped.borrow() && target == u64::MAX && writing.iter().all(tokio::task::JoinHandle::is_finished) {
                target = deadline(next).await;
            }
        }
        cuts += 1;
    }
    let mut written = 0;
    for writer in writing {
        written += writer.await.unwrap();
    }
    assert_eq!(next, behind as u64 + written, "every acknowledged event was followed");
    println!("followed {behind} old and {written} new records, cut off {resumes} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_catches_up_while_others_write() {
    follower_catches_up(30_000, 16, 5).await;
}

/// The same at full size: `cargo test --release -p dunghen --test e2e -- --ignored a_follower_a_million`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn a_follower_a_million_events_behind() {
    follower_catches_up(1_000_000, 64, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_hear_the_head_when_nothing_passes_their_filter() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    fill(&source, 10).await;
    let mut auditor = AuditorServiceClient::new(channel(&source));
    let question = pb::ReplayRequest { follow: true, dossier: "nobody".into(), ..Default::default() };
    let mut words = auditor.replay(question).await.unwrap().into_inner();
    let first = words.next().await.unwrap().unwrap().item.unwrap();
    assert_eq!(first, Item::CaughtUp(pb::CaughtUp { position: 10 }));
    source.record(request(received("D"))).await.unwrap();
    let second = words.next().await.unwrap().unwrap().item.unwrap();
    assert_eq!(second, Item::Heartbeat(pb::Heartbeat { position: 11 }), "a sign of life that carries the head");
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_hear_what_changes_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let watch = async |unit: &str| {
        let question = pb::GetRatesRequest {
            definition: "received".into(),
            filter: Some(pb::DossierFilter { unit: unit.into(), ..Default::default() }),
            ..Default::default()
        };
        let request = pb::WatchRatesRequest { question: Some(question), max_per_second: 10 };
        let channel = channel(&server.connect().await);
        SupervisorServiceClient::new(channel).watch_rates(request).await.unwrap().into_inner()
    };
    let (mut ours, mut others) = (watch("H44").await, watch("H45").await);
    let seen = |r: pb::WatchRatesResponse| r.answer.unwrap().total.unwrap().received;
    assert_eq!(seen(ours.next().await.unwrap().unwrap()), 0);
    assert_eq!(seen(others.next().await.unwrap().unwrap()), 0);
    source.record(request(received("D-1"))).await.unwrap();
    assert_eq!(seen(ours.next().await.unwrap().unwrap()), 1);
    let silence = tokio::time::timeout(Duration::from_secs(2), others.next()).await;
    assert!(silence.is_err(), "nothing changed for the other unit: {silence:?}");

    let mut late = SupervisorServiceClient::new(channel(&source))
        .watch_dossiers(pb::WatchDossiersRequest {
            question: Some(pb::ListDossiersRequest { state: "open".into(), ..Default::default() }),
            max_per_second: 10,
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(late.next().await.unwrap().unwrap().answer.unwrap().dossiers.len(), 1);
    source.record(request(event(json!({"dossier": "D-1", "type": "Processed"})))).await.unwrap();
    assert_eq!(late.next().await.unwrap().unwrap().answer.unwrap().dossiers.len(), 0);

    let nonsense = pb::WatchRatesRequest { question: Some(pb::GetRatesRequest::default()), max_per_second: 1 };
    let refused = SupervisorServiceClient::new(channel(&source)).watch_rates(nonsense).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}

/// When each reception was acknowledged, in the order of the acknowledgements.
type Acknowledged = Arc<Mutex<Vec<Instant>>>;

/// Desks that live whole dossiers, one event after the other, until told to stop.
#[allow(clippy::disallowed_methods, reason = "it measures how old an answer is")]
fn desks(
    source: &Source,
    n: usize,
    stop: &tokio::sync::watch::Receiver<bool>,
    acknowledged: &Acknowledged,
) -> Vec<tokio::task::JoinHandle<u64>> {
    let desk = async |desk: usize, source: Source, stop: tokio::sync::watch::Receiver<bool>, acks: Acknowledged| {
        let mut sent = 0;
        while !*stop.borrow() {
            let code = format!("H44.{:02}-{desk}-{sent}", desk % 20);
            let received = json!({"dossier": code, "type": "Received", "unit": format!("H44.{:02}", desk % 20),
                "procedure": format!("1.00{}", sent % 30), "channel": "online", "due_date": "2099-01-01"});
            source.record(request(event(received))).await.unwrap();
            acks.lock().unwrap().push(Instant::now());
            for end in ["Processed", "Returned"] {
                source.record(request(event(json!({"dossier": code, "type": end})))).await.unwrap();
            }
            sent += 1;
        }
        sent
    };
    (0..n).map(|i| tokio::spawn(desk(i, source.clone(), stop.clone(), Arc::clone(acknowledged)))).collect()
}

/// Many watchers, many desks: all receive the final state. An answer is stale from the moment on at which a reception
/// that it lacks was acknowledged; the stalest of all is returned.
async fn watchers_and_desks(watching: usize, desking: usize, time: Duration) -> Duration {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let acknowledged = Acknowledged::default();
    let mut watchers = Vec::new();
    let (finish, finished) = tokio::sync::watch::channel(u64::MAX);
    for i in 0..watching {
        let by = [vec![], vec!["unit".to_owned()], vec!["month".to_owned()]][i % 3].clone();
        let question = pb::GetRatesRequest { definition: "received".into(), by, ..Default::default() };
        let ask = pb::WatchRatesRequest { question: Some(question), max_per_second: 2 };
        let mut client = SupervisorServiceClient::new(channel(&server.connect().await));
        let mut answers = client.watch_rates(ask).await.unwrap().into_inner();
        let (finished, acknowledged) = (finished.clone(), Arc::clone(&acknowledged));
        watchers.push(tokio::spawn(async move {
            let (mut last, mut stalest) = (0, Duration::ZERO);
            while last < *finished.borrow() {
                let answer = answers.next().await.unwrap().unwrap().answer.unwrap();
                if let Some(lacked) = acknowledged.lock().unwrap().get(usize::try_from(last).unwrap()) {
                    stalest = stalest.max(lacked.elapsed());
                }
                last = answer.total.unwrap().received;
            }
            (last, stalest)
        }));
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let desks = desks(&source, desking, &stopped, &acknowledged);
    for part in 1..=5 {
        tokio::time::sleep(time / 5).await;
        let received = acknowledged.lock().unwrap().len();
        println!("part {part} of 5: {received} dossiers, the server holds {} MB", server.resident_mb());
    }
    stop.send(true).unwrap();
    let mut received = 0;
    for desk in desks {
        received += desk.await.unwrap();
    }
    finish.send(received).unwrap();
    // One more event, so that those who had the final state already wake up.
    source.record(request(self::received("last"))).await.unwrap();
    let mut stalest = Duration::ZERO;
    for watcher in watchers {
        let ended = tokio::time::timeout(Duration::from_secs(30), watcher).await.expect("a watcher missed the end");
        let (last, stale) = ended.unwrap();
        assert!(last >= received);
        stalest = stalest.max(stale);
    }
    println!(
        "{watching} watchers saw the end of {received} dossiers from {desking} desks; the stalest answer: {stalest:?}"
    );
    stalest
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_see_the_final_state() {
    watchers_and_desks(40, 8, Duration::from_secs(4)).await;
}

/// The same at full size: `cargo test --release -p dunghen --test e2e -- --ignored two_hundred --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes, and measures: for a machine that does nothing else"]
async fn two_hundred_watchers_and_sixty_four_desks() {
    let seconds = std::env::var("DUNGHEN_TEST_SECONDS").map_or(600, |s| s.parse().unwrap());
    let stalest = watchers_and_desks(200, 64, Duration::from_secs(seconds)).await;
    assert!(stalest < Duration::from_secs(1), "{stalest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_wait_for_their_position() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    fill(&source, 3).await;
    let question =
        |min_position| pb::GetRatesRequest { definition: "resolved".into(), min_position, ..Default::default() };
    assert_eq!(source.get_rates(question(3)).await.unwrap().position, 3);

    let mut impatient = tonic::Request::new(question(9));
    impatient.set_timeout(Duration::from_millis(300));
    let refused = SupervisorServiceClient::new(channel(&source)).get_rates(impatient).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused:?}");
    assert_eq!(refused.get_details_error_info().unwrap().reason, "NOT_YET_AT_POSITION");

    let waiting = tokio::spawn({
        let source = source.clone();
        async move { source.get_rates(question(5)).await.unwrap().position }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    for code in ["D-1", "D-2"] {
        source.record(request(received(code))).await.unwrap();
    }
    assert!(waiting.await.unwrap() >= 5);
}
