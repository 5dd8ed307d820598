//! `dunghen dossier --slip` and `--why`: the whole way from events to what a clerk reads, in both languages, and over gRPC.

use crate::support::{Server, answer, dunghen, dunghen_in};
use dunghen::pb;
use dunghen::rules::{options, vietnam};
use dunghen_engine::calendar::{AfterSupplement, Term};
use dunghen_engine::rules::{Apology, EVERY_UNIT, LetterBy, Names, Procedure, Publication, Rule, StepTerm, Unit};
use dunghen_engine::time::Date;
use dunghen_engine::{Engine, Purpose};
use serde_json::{Value, json};
use std::path::Path;

/// A directory whose rules are published: the built-in calendar for every unit, a procedure, a policy.
fn with_rules(path: &Path) {
    let engine = Engine::open(path, options(Purpose::Write)).unwrap();
    let calendar = vietnam();
    let since = Date::parse("2020-01-01").unwrap();
    let publish = |code: &str, rule: Rule| Publication { code: code.into(), effective_from: since, rule };
    let unit = Unit { calendar: Some(calendar.code.as_str().into()), apology: Some("grace".into()), ..Unit::default() };
    let procedure = Procedure {
        names: Names::default(),
        field: None,
        phases: vec![Term::WorkingDays(3)],
        after_supplement: AfterSupplement::Resume,
        payment_stops_clock: false,
        steps: vec![StepTerm { unit: "H44.30".into(), term: Term::WorkingDays(1) }],
    };
    let apology = Apology { names: Names::default(), letter_by: LetterBy::WorkingDaysAfter(2), reschedulings: 1 };
    let publications = vec![
        Publication::of_calendar(calendar),
        publish(EVERY_UNIT, Rule::Unit(unit)),
        publish("9.001", Rule::Procedure(procedure)),
        publish("grace", Rule::Apology(apology)),
    ];
    engine.publish(publications, "".into()).unwrap();
    engine.close().unwrap();
}

/// An event at a local time of 2026.
fn told(n: u32, dossier: &str, time: &str, own: &Value) -> String {
    let mut event = json!({
        "event_id": format!("0198c0de-0000-7000-8000-{n:012}"),
        "dossier": dossier,
        "occurred_at": format!("2026-{}:00+07:00", time.replace(' ', "T")),
    });
    event.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    format!("{event}\n")
}

/// Received before Tết 2026 (14/2 to 22/2 off), due on 27/2 after a wait, missed while H44.30 had it, which handed it on late.
fn history() -> String {
    let received = json!({"type": "Received", "unit": "H44.22", "procedure": "9.001", "due_date": "2026-02-26"});
    [
        told(1, "A", "02-13 14:00", &received),
        told(2, "A", "02-13 15:00", &json!({"type": "Forwarded", "to_unit": "H44.30"})),
        told(3, "A", "02-23 09:30", &json!({"type": "SupplementRequested"})),
        told(4, "A", "02-24 09:30", &json!({"type": "Supplemented"})),
        told(
            5,
            "A",
            "03-02 08:30",
            &json!({"type": "ApologySent", "letter_number": "7/TXL", "reason_code": "workload",
            "new_due_date": "2026-03-05"}),
        ),
        told(6, "A", "03-03 10:00", &json!({"type": "Forwarded", "to_unit": "H44.22"})),
        told(7, "B", "02-13 14:00", &json!({"type": "Received", "unit": "H44.22", "due_date": "2026-02-24"})),
    ]
    .concat()
}

fn recorded(path: &Path) -> String {
    with_rules(path);
    let data = path.to_str().unwrap().to_owned();
    let output = dunghen(&["record", "--data", &data], &history());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    data
}

#[test]
fn the_slip_and_the_reasons_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let data = recorded(&folder.path().join("data"));
    let ask = |more: &[&str]| {
        let args = ["dossier", "A", "--data", &data, "--as-of", "2026-03-04", "--format", "json"];
        answer(&[&args, more].concat(), 0)
    };
    let plain = ask(&[]);
    assert_eq!((&plain["holder"], &plain["step_due"]), (&json!("H44.22"), &Value::Null));
    assert_eq!(plain["promises"][0]["held_by"], "H44.30");
    assert_eq!((&plain["slip"], &plain["why"]), (&Value::Null, &Value::Null), "only if asked for");

    let steps = &ask(&["--slip"])["slip"];
    assert_eq!(steps.as_array().unwrap().len(), 3);
    let middle = json!({
        "giver": "H44.22",
        "unit": "H44.30",
        "from": "2026-02-13T08:00:00.000Z",
        "until": "2026-03-03T03:00:00.000Z",
        // One working day, of which none was left on 23/2: it ends with the day of the answer.
        "due": "2026-02-24T16:59:59.999Z",
        "due_date": "2026-02-24",
        "first_due": "2026-02-23T16:59:59.999Z",
        "first_due_date": "2026-02-23",
        "result": "late",
        // 2 h on 13/2, 2 h on 23/2, 5 h 30 on 24/2, four days of 7 h 30, 2 h 30 on 3/3.
        "held_ms": 42 * 3_600_000,
        "held_days": 6,
        "after_end": false,
    });
    assert_eq!(steps[1], middle);
    assert_eq!((&steps[0]["giver"], &steps[0]["result"]), (&Value::Null, &json!("no_deadline")));
    assert_eq!((&steps[2]["until"], &steps[2]["result"]), (&Value::Null, &json!("no_deadline")));

    let why = &ask(&["--why"])["why"];
    let rules: Vec<_> =
        why["rules"].as_array().unwrap().iter().map(|r| (&r["kind"], &r["code"], &r["version"])).collect();
    let calendar = vietnam().code;
    assert_eq!(
        rules,
        [
            // The very calendar that is built in is not published again.
            (&json!("calendar"), &json!(calendar), &json!(0)),
            (&json!("procedure"), &json!("9.001"), &json!(1)),
            (&json!("apology"), &json!("grace"), &json!(1)),
        ]
    );
    assert_eq!((&why["given_due_date"], &why["reckoned_due_date"]), (&json!("2026-02-26"), &json!("2026-02-25")));
    let days = why["days"].as_array().unwrap();
    assert_eq!(days.len(), 13, "13/2 to 25/2");
    assert_eq!((&days[0]["what"], &days[12]["what"]), (&json!("begins"), &json!("counted")));
    assert_eq!((&days[12]["date"], &days[12]["counted_en"]), (&json!("2026-02-25"), &json!("3")));
    let wait = &why["waits"][0];
    assert_eq!(
        (&wait["effect"], &wait["before_date"], &wait["working_days"]),
        (&json!("shifted"), &json!("2026-02-26"), &json!(1))
    );
    let letter = &why["letters"][0];
    assert_eq!(
        (&letter["effect"], &letter["promise"], &letter["missed"]),
        (&json!("in_time"), &json!(1), &json!(true))
    );
}

#[test]
fn the_slip_and_the_reasons_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let data = recorded(&folder.path().join("data"));
    let ask = |locale: &str, code: &str, flag: &str| {
        let args = ["dossier", code, "--data", &data, "--as-of", "2026-03-04", "--format", "table", flag];
        let output = dunghen_in(locale, &args, "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let holds = |text: &str, lines: &[&str]| {
        for line in lines {
            assert!(text.contains(line), "{line:?} is not in\n{text}");
        }
    };
    holds(
        &ask("vi_VN.UTF-8", "A", "--slip"),
        &[
            "PHIẾU KIỂM SOÁT QUÁ TRÌNH GIẢI QUYẾT HỒ SƠ\nMã hồ sơ: A\nCơ quan giải quyết hồ sơ: H44.22\n",
            "Cơ quan phối hợp giải quyết hồ sơ: H44.30\n",
            "người nộp hồ sơ",
            "13/02/2026 15:00",
            "quá hạn",
            "42 giờ 00 phút (6 ngày làm việc)",
            "Đang giữ hồ sơ: H44.22.",
            "khi hồ sơ ở H44.30.",
        ],
    );
    holds(&ask("C.UTF-8", "A", "--slip"), &["TRACKING SLIP OF A DOSSIER", "late", "42 h 00 min (6 working days)"]);
    holds(
        &ask("vi_VN.UTF-8", "A", "--why"),
        &[
            "- thủ tục: 9.001, phiên bản 1; 3 ngày làm việc; sau khi bổ sung thì tính tiếp phần còn lại\n",
            "- quy định xin lỗi: grace, phiên bản 1; gửi chậm nhất 2 ngày làm việc sau ngày hẹn trả\n",
            "Hẹn trả: thứ Tư 25/02/2026, đến hết ngày\n",
            "Quầy nêu hạn trả 26/02/2026, khác hạn theo quy định là 25/02/2026; lời hẹn khi tiếp nhận theo quầy.",
            "nghỉ: ",
            "(1 ngày, 1 ngày làm việc): hạn trả lùi theo thời gian chờ: 26/02/2026 → 27/02/2026",
            "- văn bản '7/TXL', gửi lúc 02/03/2026 08:30: hợp lệ, kịp thời cho lời hẹn 1 (hạn gửi 03/03/2026 23:59)",
        ],
    );
    holds(
        &ask("C.UTF-8", "B", "--why"),
        &[
            "- procedure: the dossier names none\n",
            "No due was reckoned: no procedure is in force for the dossier.",
            "The promise at the reception is 2026-02-24, as the desk gave it.",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_answers_both() {
    let folder = tempfile::tempdir().unwrap();
    let data = recorded(&folder.path().join("data"));
    let server = Server::start(Path::new(&data));
    let source = server.connect().await;
    let ask = |explain| pb::GetDossierRequest { dossier: "A".into(), explain, ..Default::default() };
    let plain = source.get_dossier(ask(false)).await.unwrap();
    assert_eq!((plain.holder.as_str(), plain.slip.len(), plain.explanation), ("H44.22", 3, None));
    let explained = source.get_dossier(ask(true)).await.unwrap().explanation.unwrap();
    assert_eq!((explained.days.len(), explained.waits.len(), explained.letters.len()), (13, 1, 1));
}
