//! The services as a client sees them.

use crate::support::{Server, event, record_of, request};
use dunghen::pb;
use dunghen::source::Source;
use dunghen_engine::time::Timestamp;
use serde_json::json;
use tokio_stream::StreamExt;
use tonic_types::StatusExt;

async fn rates(source: &Source, definition: &str) -> pb::GetRatesResponse {
    let question = pb::GetRatesRequest { definition: definition.to_owned(), ..pb::GetRatesRequest::default() };
    source.get_rates(question).await.unwrap()
}

fn batch(events: Vec<pb::Event>, mode: pb::BatchMode) -> pb::RecordBatchRequest {
    let events = events.into_iter().map(|e| pb::BatchEvent { event: Some(e), expected_version: None }).collect();
    pb::RecordBatchRequest { events, mode: mode.into(), imported: false }
}

fn reasons(answer: &pb::RecordBatchResponse) -> Vec<String> {
    answer
        .results
        .iter()
        .map(|r| match r.result.as_ref().unwrap() {
            pb::record_result::Result::Receipt(receipt) => format!("at {}", receipt.position),
            pb::record_result::Result::Refusal(refusal) => {
                assert!(!refusal.message_vi.is_empty() && !refusal.message_en.is_empty());
                refusal.reason.clone()
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_in_the_next_answer_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let received = event(json!({"dossier": "A-1", "type": "Received", "unit": "H44.22", "due_date": "2025-09-10"}));
    for n in 1..50_u64 {
        let one = event(json!({"dossier": format!("B-{n}"), "type": "Received", "unit": "H44.22"}));
        source.record(request(one)).await.unwrap();
        let total = rates(&source, "resolved").await.total.unwrap();
        assert_eq!(total.received, n, "whoever holds a receipt sees its effect");
    }
    let first = source.record(request(received.clone())).await.unwrap().receipt.unwrap();
    assert!(!first.duplicate);
    assert_eq!(server.stop(), Some(0));

    let server = Server::start(directory.path());
    let source = server.connect().await;
    let again = source.record(request(received.clone())).await.unwrap().receipt.unwrap();
    assert_eq!(again, pb::Receipt { duplicate: true, ..first.clone() }, "the first receipt, for ever");

    let mut other = received;
    other.desk = "Q2".to_owned();
    let refused = source.record(request(other)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::AlreadyExists);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "EVENT_ID_REUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_atomic_batch_is_all_or_none() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let received = |code: &str| event(json!({"dossier": code, "type": "Received", "unit": "H44.22"}));
    let stray = event(json!({"dossier": "unknown", "type": "Processed"}));

    let mixed = vec![received("A"), stray.clone(), received("B")];
    let answer = source.record_batch(batch(mixed.clone(), pb::BatchMode::Atomic)).await.unwrap();
    assert_eq!(reasons(&answer), ["BATCH_REFUSED", "DOSSIER_UNKNOWN", "BATCH_REFUSED"]);
    assert_eq!(rates(&source, "resolved").await.position, 0, "nothing was recorded");

    let answer = source.record_batch(batch(mixed, pb::BatchMode::Each)).await.unwrap();
    assert_eq!(reasons(&answer), ["at 0", "DOSSIER_UNKNOWN", "at 1"]);

    let many = vec![stray.clone(); 10_001];
    let refused = source.record_batch(batch(many, pb::BatchMode::Each)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "TOO_LARGE");

    let unsaid = source.record_batch(batch(vec![stray], pb::BatchMode::Unspecified)).await.unwrap_err();
    assert_eq!(unsaid.code(), tonic::Code::InvalidArgument, "the request says which");
}

#[tokio::test(flavor = "multi_thread")]
async fn expected_versions_guard_against_deciding_on_old_news() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let with =
        |version: u32, event: pb::Event| pb::RecordRequest { event: Some(event), expected_version: Some(version) };
    let received = event(json!({"dossier": "A", "type": "Received", "unit": "H44.22"}));
    let refused = source.record(with(3, received.clone())).await.unwrap_err();
    assert_eq!(refused.get_details_error_info().unwrap().reason, "VERSION_MISMATCH");
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    source.record(with(0, received.clone())).await.unwrap();
    // A repeated event is a duplicate before its version is looked at.
    assert!(source.record(with(0, received)).await.unwrap().receipt.unwrap().duplicate);
    let processed = event(json!({"dossier": "A", "type": "Processed"}));
    assert!(source.record(with(0, processed.clone())).await.is_err());
    assert_eq!(source.record(with(1, processed)).await.unwrap().receipt.unwrap().dossier_version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_is_written_within_a_second_while_the_server_runs() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    #[allow(clippy::disallowed_methods, reason = "the test needs a promise that passes soon")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let now = i64::try_from(now).unwrap();
    let (received, due) = (Timestamp(now - 1000).to_string(), Timestamp(now + 700).to_string());
    let late =
        event(json!({"dossier": "A", "type": "Received", "unit": "H44.22", "occurred_at": received, "due": due}));
    source.record(request(late)).await.unwrap();
    // The bound is for a machine that builds something else meanwhile; what the engine achieved, its record says.
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        if rates(&source, "resolved").await.position == 2 {
            break;
        }
    }
    let detail = pb::GetDossierRequest { dossier: "A".to_owned(), ..Default::default() };
    let history = source.get_dossier(detail).await.unwrap().history;
    let written = &history[1];
    let at = |t: &Option<prost_types::Timestamp>| dunghen::wire::instant(t.as_ref().unwrap()).unwrap();
    let event = written.event.as_ref().unwrap();
    assert!(matches!(event.r#type, Some(pb::event::Type::Late(_))), "{written:?}");
    assert_eq!(at(&event.occurred_at), Timestamp(now + 701), "the first millisecond after the promise");
    let delay = at(&written.recorded_at).since(at(&event.occurred_at));
    assert!((0..1000).contains(&delay), "written {delay} ms after the promise passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_without_gap_or_double() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let events: Vec<_> = (0..250)
        .map(|n| {
            let due = format!("2025-09-{:02}", 4 + n % 9);
            event(json!({"dossier": format!("D-{n}"), "type": "Received", "unit": "H44.22", "due_date": due}))
        })
        .collect();
    source.record_batch(batch(events, pb::BatchMode::Each)).await.unwrap();
    let mut question = pb::ListDossiersRequest {
        state: "late".to_owned(),
        page_size: 37,
        as_of: Some(pb::TimePoint { kind: Some(pb::time_point::Kind::Date("2025-09-10".to_owned())) }),
        ..pb::ListDossiersRequest::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = source.list_dossiers(question.clone()).await.unwrap();
        assert!(page.dossiers.len() <= 37);
        seen.extend(page.dossiers.into_iter().map(|d| (d.due_date, d.dossier, d.state)));
        if page.next_page_token.is_empty() {
            break;
        }
        question.page_token = page.next_page_token;
    }
    let expected = (0..250).filter(|n| 4 + n % 9 < 10).count();
    assert_eq!(seen.len(), expected);
    assert!(seen.iter().all(|(_, _, state)| state == "late"));
    assert!(seen.windows(2).all(|w| (&w[0].0, &w[0].1) < (&w[1].0, &w[1].1)), "due first, first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_filtered_and_can_be_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    for n in 0..40 {
        let unit = ["H29.22", "H290", "H29"][n % 3];
        let code = format!("D-{n}");
        source.record(request(event(json!({"dossier": code, "type": "Received", "unit": unit})))).await.unwrap();
        source.record(request(event(json!({"dossier": code, "type": "Processed"})))).await.unwrap();
    }
    let positions = async |question: pb::ReplayRequest| -> Vec<u64> {
        let mut records = source.replay(question).await.unwrap();
        let mut positions = Vec::new();
        while let Some(record) = records.next().await {
            positions.push(record_of(record.unwrap()).position);
        }
        positions
    };
    let all = positions(pb::ReplayRequest::default()).await;
    assert_eq!(all, (0..80).collect::<Vec<u64>>());
    let part = pb::ReplayRequest { from_position: 33, to_position: Some(50), ..pb::ReplayRequest::default() };
    assert_eq!(positions(part).await, (33..50).collect::<Vec<u64>>());
    let below = pb::ReplayRequest { unit: "H29".to_owned(), ..pb::ReplayRequest::default() };
    let expected: Vec<u64> = (0..80).filter(|p| (p / 2) % 3 != 1).collect();
    assert_eq!(positions(below).await, expected, "H29 holds H29.22, not H290");
    let ends =
        pb::ReplayRequest { types: vec!["Processed".to_owned()], dossier: "D-7".to_owned(), ..Default::default() };
    assert_eq!(positions(ends).await, [15]);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer() {
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_response};
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let Source::Remote(channel) = server.connect().await else { unreachable!("connected") };
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "dunghen.v1.DeskService", "dunghen.v1.SupervisorService", "dunghen.v1.AuditorService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service}");
    }
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::once(ask)).await.unwrap().into_inner();
    let answer: Option<server_reflection_response::MessageResponse> =
        answers.next().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    let names: Vec<String> = list.service.into_iter().map(|s| s.name).collect();
    assert!(names.contains(&"dunghen.v1.DeskService".to_owned()), "{names:?}");
}

/// What an import says again is a duplicate, whatever the id that its ordinal makes.
#[tokio::test(flavor = "multi_thread")]
async fn history_is_not_told_twice() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let asked = |id: u32, day: u32| {
        event(json!({
            "event_id": format!("0198c0de-0000-7000-8000-{id:012}"), "dossier": "A", "type": "SupplementRequested",
            "occurred_at": format!("2025-09-{day:02}T09:00:00+07:00"),
        }))
    };
    let imported =
        |events: Vec<pb::Event>| pb::RecordBatchRequest { imported: true, ..batch(events, pb::BatchMode::Each) };
    let received = event(json!({"dossier": "A", "type": "Received", "unit": "H44.22"}));
    // Twice the same in one file is twice; the file once more is nothing.
    let first = vec![received.clone(), asked(1, 5), asked(2, 5)];
    let answer = source.record_batch(imported(first.clone())).await.unwrap();
    assert_eq!(reasons(&answer), ["at 0", "at 1", "at 2"]);
    let answer = source.record_batch(imported(first)).await.unwrap();
    assert_eq!(reasons(&answer), ["at 0", "at 1", "at 2"]);
    // The file has grown in its middle, so the ordinals have shifted: what is new is refused aloud, nothing is doubled.
    let grown = vec![received, asked(1, 4), asked(2, 5), asked(3, 5), asked(4, 6)];
    let answer = source.record_batch(imported(grown)).await.unwrap();
    assert_eq!(reasons(&answer), ["at 0", "EVENT_ID_REUSED", "at 1", "at 2", "at 3"]);
}

/// A past `as_of` shows the promise as it stood: a wait that ended later has not moved it yet.
#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_shown_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let at = |day: u32| format!("2025-09-{day:02}T09:00:00+07:00");
    for value in [
        json!({"type": "Received", "occurred_at": at(3), "unit": "H44", "due_date": "2025-09-10"}),
        json!({"type": "SupplementRequested", "occurred_at": at(5)}),
        json!({"type": "Supplemented", "occurred_at": at(8), "due_date": "2025-09-30"}),
    ] {
        let mut value = value;
        value["dossier"] = json!("A");
        source.record(request(event(value))).await.unwrap();
    }
    for (day, due) in [("2025-09-04", "2025-09-10"), ("2025-09-06", "2025-09-10"), ("2025-09-09", "2025-09-30")] {
        let as_of = || Some(pb::TimePoint { kind: Some(pb::time_point::Kind::Date(day.to_owned())) });
        let detail = pb::GetDossierRequest { dossier: "A".into(), as_of: as_of(), ..Default::default() };
        let detail = source.get_dossier(detail).await.unwrap();
        assert_eq!(detail.promises[0].due_date, due, "{day}");
        let list = pb::ListDossiersRequest { as_of: as_of(), ..Default::default() };
        assert_eq!(source.list_dossiers(list).await.unwrap().dossiers[0].due_date, due, "{day}");
    }
    let soon = pb::ListDossiersRequest {
        state: "due-soon".into(),
        due_within_hours: 160,
        as_of: Some(pb::TimePoint { kind: Some(pb::time_point::Kind::Date("2025-09-04".to_owned())) }),
        ..Default::default()
    };
    assert_eq!(source.list_dossiers(soon).await.unwrap().dossiers.len(), 1);
}
