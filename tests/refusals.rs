//! Everything that is refused: one table of attempts, each with its expected reason; none of them leaves a trace.

use crate::support::{DUNGHEN, Server, dunghen, event};
use dunghen::pb;
use dunghen::source::Source;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tonic::Code;
use tonic_types::{ErrorDetail, StatusExt};

const ID: &str = "0198c0de-0000-7000-8000-00000000";

/// What stands in the log before anything is tried: an open dossier, an ended and returned one, a rejected one.
fn background() -> Vec<Value> {
    let line = |n: u32, dossier: &str, event_type: &str, more: Value| {
        let mut event = json!({
            "event_id": format!("{ID}{n:04}"), "dossier": dossier, "type": event_type,
            "occurred_at": format!("2025-09-03T09:{n:02}:00+07:00"),
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    vec![
        line(1, "open", "Received", json!({"unit": "H44.22", "due_date": "2099-09-10"})),
        line(2, "ended", "Received", json!({"unit": "H44.22", "due_date": "2099-09-10"})),
        line(3, "ended", "Processed", json!({})),
        line(4, "ended", "Returned", json!({})),
        line(5, "rejected", "Rejected", json!({"unit": "H44.22"})),
        line(6, "withdrawn", "Received", json!({"unit": "H44.22"})),
        line(7, "withdrawn", "Withdrawn", json!({})),
    ]
}

/// The fields of an event that would be accepted, changed by `changes`; a change to `null` removes the field.
fn changed(event_type: &str, changes: Value) -> Value {
    let mut event = json!({
        "event_id": format!("{ID}0100"), "dossier": "open", "type": event_type, "occurred_at": "2025-09-04T09:00:00+07:00",
    });
    let fields = event.as_object_mut().unwrap();
    if event_type == "Received" {
        fields.insert("dossier".into(), "new".into());
        fields.insert("unit".into(), "H44.22".into());
    }
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    event
}

/// A correction of event `n` of the background that annuls it.
fn corrects(n: u32, changes: Value) -> String {
    let target = format!("{ID}{n:04}");
    let mut correction = json!({"target_event_id": target, "reason_code": "slip", "annul": true});
    correction.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    changed("Corrected", correction).to_string()
}

/// A correction of the reception of the open dossier by another one.
fn restates(changes: Value) -> String {
    let mut restated = changed("Received", json!({"event_id": null, "dossier": null}));
    for (name, value) in changes.as_object().unwrap() {
        restated[name] = value.clone();
    }
    corrects(1, json!({"annul": null, "replacement": restated}))
}

/// Lines of NDJSON, with the reason and a word that the message must hold: mostly the field at fault.
fn lines() -> Vec<(String, &'static str, &'static str)> {
    let long = "x".repeat(65);
    let too_long = "x".repeat(201);
    let wide: Vec<String> = (0..64).map(|n| format!("{n:0>190}")).collect();
    let many: Vec<String> = (0..65).map(|n| n.to_string()).collect();
    let on = |event_type: &str, changes: Value| changed(event_type, changes).to_string();
    vec![
        ("nonsense".into(), "FIELD_INVALID", "JSON"),
        ("[1,2]".into(), "FIELD_INVALID", "JSON"),
        ("{\"event_id\":".into(), "FIELD_INVALID", "JSON"),
        (on("Processed", json!({"type": null})), "FIELD_MISSING", "type"),
        (on("Processed", json!({"type": "Processd"})), "UNKNOWN_TYPE", "type"),
        (on("Processed", json!({"type": 7})), "FIELD_INVALID", "type"),
        (on("Processed", json!({"event_id": null})), "FIELD_MISSING", "event_id"),
        (on("Processed", json!({"event_id": "4711"})), "FIELD_INVALID", "event_id"),
        (on("Processed", json!({"dossier": null})), "FIELD_MISSING", "dossier"),
        (on("Processed", json!({"dossier": long})), "FIELD_INVALID", "dossier"),
        (on("Processed", json!({"dossier": "a\u{7}b"})), "FIELD_INVALID", "dossier"),
        (on("Processed", json!({"dossier": "   "})), "FIELD_INVALID", "dossier"),
        (on("Processed", json!({"occurred_at": null})), "FIELD_MISSING", "occurred_at"),
        (on("Processed", json!({"occurred_at": "2025-09-04T09:00:00"})), "FIELD_INVALID", "occurred_at"),
        (on("Processed", json!({"occurred_at": "2025-02-30T09:00:00Z"})), "FIELD_INVALID", "occurred_at"),
        (on("Processed", json!({"occurred_at": "04/09/2025 09:00"})), "FIELD_INVALID", "occurred_at"),
        (on("Processed", json!({"occurred_at": 1_756_951_200})), "FIELD_INVALID", "occurred_at"),
        (on("Processed", json!({"occurred_at": "2099-09-04T09:00:00Z"})), "TIME_IN_FUTURE", "5 minutes"),
        (on("Processed", json!({"outcome": "maybe"})), "FIELD_INVALID", "outcome"),
        (on("Processed", json!({"due_date": "2025-09-10"})), "FIELD_INVALID", "due_date"),
        (on("Processed", json!({"note": "free text"})), "FIELD_INVALID", "note"),
        (on("Processed", json!({"dossier": "nobody"})), "DOSSIER_UNKNOWN", "nobody"),
        (on("Late", json!({"promise": 1, "due_date": "2025-09-10"})), "ENGINE_EVENT", "engine"),
        (on("Received", json!({"unit": null})), "FIELD_MISSING", "unit"),
        (on("Received", json!({"unit": ["H44.22"]})), "FIELD_INVALID", "unit"),
        (on("Received", json!({"unit": too_long})), "FIELD_INVALID", "unit"),
        (on("Received", json!({"due": "2025-09-10T17:00:00Z", "due_date": "2025-09-10"})), "FIELD_INVALID", "both"),
        (on("Received", json!({"due": "2025-09-10"})), "FIELD_INVALID", "due"),
        (on("Received", json!({"due_date": "2025-9-10"})), "FIELD_INVALID", "due_date"),
        (on("Received", json!({"due_date": "10/09/2025"})), "FIELD_INVALID", "due_date"),
        (on("Received", json!({"due_date": "0000-01-01"})), "FIELD_INVALID", "due_date"),
        (on("Received", json!({"applicant_kind": "person"})), "FIELD_INVALID", "applicant_kind"),
        (on("Received", json!({"dossier": "open"})), "DOSSIER_EXISTS", "open"),
        (on("Rejected", json!({"dossier": "new"})), "FIELD_MISSING", "unit"),
        (on("Rejected", json!({"dossier": "rejected", "unit": "H44.22"})), "DOSSIER_ENDED", "rejected"),
        (on("Processed", json!({"dossier": "rejected"})), "DOSSIER_ENDED", "rejected"),
        (on("Processed", json!({"dossier": "ended"})), "DOSSIER_ENDED", "processed"),
        (on("Withdrawn", json!({"dossier": "ended"})), "DOSSIER_ENDED", "processed"),
        (on("Rejected", json!({"dossier": "withdrawn"})), "DOSSIER_ENDED", "withdrawn"),
        (on("Stopped", json!({})), "FIELD_MISSING", "reason_code"),
        (on("Returned", json!({"dossier": "ended"})), "ALREADY_RETURNED", "ended"),
        (on("Forwarded", json!({})), "FIELD_MISSING", "to_unit"),
        (on("Forwarded", json!({"to_unit": "H44.30", "step_due_date": "soon"})), "FIELD_INVALID", "step_due_date"),
        (on("SupplementRequested", json!({"items": "paper"})), "FIELD_INVALID", "items"),
        (on("SupplementRequested", json!({"items": [1]})), "FIELD_INVALID", "items"),
        (on("SupplementRequested", json!({"items": ["a", ""]})), "FIELD_MISSING", "items[1]"),
        (on("SupplementRequested", json!({"items": many})), "FIELD_INVALID", "items"),
        (on("SupplementRequested", json!({"items": wide})), "TOO_LARGE", "bytes"),
        (on("PaymentRequested", json!({"stops_clock": "yes"})), "FIELD_INVALID", "stops_clock"),
        (on("ApologySent", json!({"new_due": "later"})), "FIELD_INVALID", "new_due"),
        (on("ApologySent", json!({"applicant": "Nguyễn Văn A"})), "FIELD_INVALID", "applicant"),
        (on("Processed", json!({"event_id": format!("{ID}0001")})), "EVENT_ID_REUSED", "another event"),
        (corrects(1, json!({"reason_code": null})), "FIELD_MISSING", "reason_code"),
        (corrects(1, json!({"annul": null})), "FIELD_INVALID", "annul"),
        (corrects(1, json!({"replacement": {"type": "Received"}})), "FIELD_INVALID", "annul"),
        (corrects(1, json!({"target_event_id": null})), "FIELD_MISSING", "target_event_id"),
        (corrects(1, json!({"target_event_id": "4711"})), "FIELD_INVALID", "target_event_id"),
        (corrects(99, json!({})), "FIELD_INVALID", "no event with this id"),
        (corrects(2, json!({})), "FIELD_INVALID", "no event with this id"),
        (corrects(1, json!({"dossier": "nobody"})), "DOSSIER_UNKNOWN", "nobody"),
        (restates(json!({"type": "Processed", "unit": null})), "FIELD_INVALID", "Received"),
        (restates(json!({"unit": null})), "FIELD_MISSING", "replacement.unit"),
        (restates(json!({"occurred_at": null})), "FIELD_MISSING", "replacement.occurred_at"),
        (restates(json!({"occurred_at": "2099-09-04T09:00:00Z"})), "TIME_IN_FUTURE", "5 minutes"),
        (restates(json!({"due_date": "soon"})), "FIELD_INVALID", "replacement.due_date"),
        (restates(json!({"note": "free text"})), "FIELD_INVALID", "replacement.note"),
        (restates(json!({"dossier": "ended"})), "FIELD_INVALID", "replacement.dossier"),
        (restates(json!({"type": "Corrected"})), "FIELD_INVALID", "annul it"),
        (format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20)), "TOO_LARGE", "bytes"),
    ]
}

fn wire(event_type: Option<pb::event::Type>) -> pb::Event {
    pb::Event {
        event_id: format!("{ID}0101"),
        dossier: "open".into(),
        occurred_at: Some(prost_types::Timestamp { seconds: 1_756_951_200, nanos: 0 }),
        desk: String::new(),
        actor: String::new(),
        r#type: event_type,
    }
}

/// Requests that JSON cannot say, with code, reason and the field that a violation must name.
fn requests() -> Vec<(&'static str, pb::RecordRequest, Code, &'static str, Option<&'static str>)> {
    use pb::event::Type as T;
    let processed = || Some(T::Processed(pb::Processed::default()));
    let request = |event: pb::Event| pb::RecordRequest { event: Some(event), expected_version: None };
    let time = |seconds, nanos| pb::Event {
        occurred_at: Some(prost_types::Timestamp { seconds, nanos }),
        ..wire(processed())
    };
    let received = |promise| pb::Received { unit: "H44.22".into(), promise: Some(promise), ..Default::default() };
    vec![
        ("no event", pb::RecordRequest::default(), Code::InvalidArgument, "FIELD_MISSING", Some("event")),
        ("no type", request(wire(None)), Code::InvalidArgument, "UNKNOWN_TYPE", Some("type")),
        ("year 10000", request(time(253_402_300_800, 0)), Code::InvalidArgument, "FIELD_INVALID", Some("occurred_at")),
        (
            "seconds out of range",
            request(time(i64::MAX, 0)),
            Code::InvalidArgument,
            "FIELD_INVALID",
            Some("occurred_at"),
        ),
        ("negative nanos", request(time(0, -1)), Code::InvalidArgument, "FIELD_INVALID", Some("occurred_at")),
        (
            "unknown outcome",
            request(wire(Some(T::Processed(pb::Processed { outcome: 9 })))),
            Code::InvalidArgument,
            "FIELD_INVALID",
            Some("outcome"),
        ),
        (
            "an impossible date",
            request(wire(Some(T::Received(received(pb::received::Promise::DueDate("2025-13-01".into())))))),
            Code::InvalidArgument,
            "FIELD_INVALID",
            Some("due_date"),
        ),
        (
            "a stale version",
            pb::RecordRequest { event: Some(wire(processed())), expected_version: Some(7) },
            Code::FailedPrecondition,
            "VERSION_MISMATCH",
            None,
        ),
        (
            "late from outside",
            request(wire(Some(T::Late(pb::Late::default())))),
            Code::FailedPrecondition,
            "ENGINE_EVENT",
            None,
        ),
        (
            "an unknown dossier",
            request(pb::Event { dossier: "nobody".into(), ..wire(processed()) }),
            Code::NotFound,
            "DOSSIER_UNKNOWN",
            None,
        ),
        (
            "in the future",
            request(time(4_000_000_000, 0)),
            Code::InvalidArgument,
            "TIME_IN_FUTURE",
            Some("occurred_at"),
        ),
    ]
}

/// Every refusal says what, where and what to do, in both languages.
fn check_details(name: &str, status: &tonic::Status, reason: &str, field: Option<&str>) {
    let mut texts = BTreeMap::new();
    let (mut reasons, mut fields) = (Vec::new(), Vec::new());
    for detail in status.get_error_details_vec() {
        match detail {
            ErrorDetail::ErrorInfo(info) => {
                assert_eq!(info.domain, "dunghen", "{name}");
                reasons.push(info.reason);
            }
            ErrorDetail::LocalizedMessage(m) => {
                texts.insert(m.locale, m.message);
            }
            ErrorDetail::BadRequest(bad) => fields.extend(bad.field_violations.into_iter().map(|v| v.field)),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(reasons, [reason], "{name}");
    assert_eq!(texts.keys().collect::<Vec<_>>(), ["en", "vi"], "{name}");
    assert_ne!(texts["en"], texts["vi"], "{name}");
    assert_eq!(fields.first().map(String::as_str), field, "{name}");
}

const MAPPING: &str = r#"
source = "refusals"
shape = "long"
dossier = "code"
type_column = "what"

[[events]]
type = "Received"
when = ["in"]
occurred_at = "at"
unit = "unit"
due_date = "due"

[[events]]
type = "Processed"
when = ["end"]
occurred_at = "at"

[[events]]
type = "Stopped"
when = ["stop"]
occurred_at = "at"
reason_code = "unit"
"#;

/// Rows of a file that is imported, with the reason that the file of rejects must give for each; how many there are.
fn refused_rows(server: &Server) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{},in,2025-09-04T09:00:00+07:00,H44,", "x".repeat(65));
    let table: Vec<(&str, &str)> = vec![
        (",in,2025-09-04T09:00:00+07:00,H44,", "FIELD_MISSING"),
        ("new-1,in,yesterday,H44,", "FIELD_INVALID"),
        ("new-2,in,,H44,", "FIELD_MISSING"),
        ("new-3,in,2025-09-04T09:00:00+07:00,,", "FIELD_MISSING"),
        ("new-4,in,2025-09-04T09:00:00+07:00,H44,2025-02-30", "FIELD_INVALID"),
        ("new-5,leap,2025-09-04T09:00:00+07:00,H44,", "UNKNOWN_TYPE"),
        ("new-6,in,2025-09-04T09:00:00+07:00", "FIELD_INVALID"),
        (&long, "FIELD_INVALID"),
        ("open,in,2025-09-04T09:00:00+07:00,H44,", "DOSSIER_EXISTS"),
        ("open,end,2099-09-04T09:00:00+07:00,,", "TIME_IN_FUTURE"),
        ("open,stop,2025-09-04T09:00:00+07:00,,", "FIELD_MISSING"),
        ("nobody,end,2025-09-04T09:00:00+07:00,,", "DOSSIER_UNKNOWN"),
        ("ended,end,2025-09-05T09:00:00+07:00,,", "DOSSIER_ENDED"),
        ("rejected,end,2025-09-05T09:00:00+07:00,,", "DOSSIER_ENDED"),
    ];
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, mapping, rejects) = (place("rows.csv"), place("rows.toml"), place("rejects.csv"));
    let rows: String = table.iter().flat_map(|(row, _)| [row, "\n"]).collect();
    std::fs::write(&file, format!("code,what,at,unit,due\n{rows}")).unwrap();
    std::fs::write(&mapping, MAPPING).unwrap();
    let args = ["import", &file, "--mapping", &mapping, "--server", &server.url, "--rejects", &rejects];
    let output = dunghen(&args, "");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((summary["events"].clone(), summary["rejected"].clone()), (json!(0), json!(table.len())));
    let mut reader = csv::Reader::from_path(&rejects).unwrap();
    let found: Vec<(String, String)> =
        reader.records().map(Result::unwrap).map(|r| (r[0].to_owned(), r[2].to_owned())).collect();
    for (number, (row, reason)) in (2..).zip(&table) {
        assert!(found.contains(&(number.to_string(), (*reason).to_owned())), "{row}: {reason} not in {found:?}");
    }
    table.len()
}

async fn position(source: &Source) -> u64 {
    let question = pb::GetRatesRequest { definition: "resolved".into(), ..Default::default() };
    source.get_rates(question).await.unwrap().position
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_refused_leaves_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    for value in background() {
        source.record(pb::RecordRequest { event: Some(event(value)), expected_version: None }).await.unwrap();
    }
    let before = position(&source).await;
    let mut checked = 0;

    let table = lines();
    let input: String = table.iter().flat_map(|(line, ..)| [line.as_str(), "\n"]).collect();
    let output = dunghen(&["record", "--server", &server.url], &input);
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(answers.lines().count(), table.len(), "an answer for each line\n{answers}");
    for ((line, reason, word), answer) in table.iter().zip(answers.lines()) {
        let answer: Value = serde_json::from_str(answer).unwrap();
        let shown: String = line.chars().take(200).collect();
        assert_eq!(answer["reason"], json!(reason), "{shown}\n{answer}");
        assert!(answer["message"].as_str().unwrap().contains(word), "{shown}\n{answer}");
        checked += 1;
    }

    for (name, request, code, reason, field) in requests() {
        let status = source.record(request).await.expect_err(name);
        assert_eq!(status.code(), code, "{name}: {status:?}");
        check_details(name, &status, reason, field);
        let says = match name {
            "no type" => {
                "type: is not set; set one of the fields received, rejected, forwarded, supplement_requested, "
            }
            "an impossible date" => "due_date: there is no such date",
            _ => "",
        };
        assert!(status.message().contains(says), "{name}: {}", status.message());
        checked += 1;
    }

    checked += refused_rows(&server);

    assert_eq!(position(&source).await, before, "nothing was logged");
    println!("{checked} attempts refused, each with its reason");
    assert!(checked >= 60);
}

#[test]
fn invalid_utf8_is_refused_line_by_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("events.ndjson");
    let good = background()[0].to_string();
    let mut bytes = b"\xff\xfe\x00\n\n".to_vec();
    bytes.extend_from_slice(good.as_bytes());
    std::fs::write(&file, bytes).unwrap();
    let data = directory.path().join("data");
    let output = dunghen(&["record", file.to_str().unwrap(), "--data", data.to_str().unwrap()], "");
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = answers.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(answers.len(), 2, "an empty line is no event: {answers:?}");
    assert_eq!(answers[0]["reason"], json!("FIELD_INVALID"));
    assert_eq!(answers[1]["position"], json!(0));
    assert_eq!(output.status.code(), Some(3));
}

/// Calls that cannot be understood or carried out: exit code, and a word of the message.
#[test]
fn wrong_calls_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (data, none) = (data.to_str().unwrap().to_owned(), directory.path().join("none"));
    let none = none.to_str().unwrap().to_owned();
    assert!(dunghen(&["record", "--data", &data], &background()[0].to_string()).status.success());
    let calls: Vec<(Vec<&str>, i32, &str)> = vec![
        (vec!["rates"], 2, "--data"),
        (vec!["rates", "--data", &data, "--server", "http://127.0.0.1:1"], 2, "cannot be used with"),
        (vec!["rates", "--data", &data, "--definition", "guess"], 2, "must be one of resolved"),
        (vec!["rates", "--data", &data, "--by", "colour"], 2, "unit, procedure"),
        (vec!["rates", "--data", &data, "--by", "unit", "--by", "unit"], 2, "once"),
        (vec!["rates", "--data", &data, "--from", "1/9/2025"], 2, "2025-09-10"),
        (vec!["rates", "--data", &data, "--time-zone", "Hanoi"], 2, "Asia/Ho_Chi_Minh"),
        (vec!["rates", "--data", &none], 1, "no data directory"),
        (vec!["rates", "--server", "http://127.0.0.1:1"], 1, "no server answers"),
        (vec!["dossiers", "--data", &data, "--state", "lost"], 2, "due-soon"),
        (vec!["dossiers", "--data", &data, "--page-token", "x"], 2, "next_page_token"),
        (vec!["dossier", "nobody", "--data", &data], 1, "DOSSIER_UNKNOWN"),
        (vec!["replay", "--data", &data, "--type", "Lost"], 2, "SupplementRequested"),
        (vec!["serve", "--data", &data, "--listen", "0.0.0.0:0"], 2, "127.0.0.1"),
        (
            vec!["serve", "--data", &data, "--listen", "127.0.0.1:0", "--time-zone", "Europe/Paris"],
            2,
            "fixed when it was made",
        ),
        (vec!["verify", "--data", &none], 1, "no data directory"),
        (vec!["record", "/no/such/file", "--data", &data], 1, "/no/such/file"),
    ];
    for (args, code, word) in calls {
        let output = dunghen(&args, "");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{stderr}");
        assert!(stderr.contains(word), "{args:?}\n{stderr}");
        assert!(!Path::new(&none).exists(), "{args:?} made a directory");
    }
    let served = Server::start(Path::new(&data));
    let output = dunghen(&["rates", "--data", &data], "");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("in use by process") && stderr.contains("use --server"), "{stderr}");
    assert_eq!(served.stop(), Some(0), "{DUNGHEN}");
}
