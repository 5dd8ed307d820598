//! Targets as the command line and gRPC give them: a plan of two and a half years, judged year by year.

use crate::support::{Server, answer, dunghen, event, request};
use dunghen::pb;
use dunghen::rules::options;
use dunghen_engine::rules::{Comparator, Publication, Rule, Target};
use dunghen_engine::time::Date;
use dunghen_engine::{Engine, Options, Purpose};
use serde_json::{Value, json};
use std::path::Path;
use tonic_types::StatusExt;

/// A directory with a plan in its log, and 100 dossiers of 2024 of which one is late and was not apologised for. In 2025
/// six were received: two are done, three are due in June, and one is due next year.
struct Office {
    data: String,
    _directory: tempfile::TempDir,
}

impl Office {
    fn told() -> Office {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data").to_str().unwrap().to_owned();
        Office::publish(&data);
        let mut lines = String::new();
        let mut say = |dossier: &str, kind: &str, day: &str, more: Value| {
            let mut event = json!({
                "event_id": uuid::Uuid::now_v7().to_string(), "dossier": dossier, "type": kind,
                "occurred_at": format!("{day}T09:00:00+07:00"),
            });
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            lines += &format!("{event}\n");
        };
        let mut dossier = |code: &str, channel: &str, received: &str, due: &str, end: Option<&str>| {
            let more = json!({"unit": "H08.20", "channel": channel, "due_date": due});
            say(code, "Received", received, more);
            if let Some(end) = end {
                say(code, "Processed", end, json!({}));
            }
        };
        for n in 0..100 {
            let (channel, end) =
                (if n < 80 { "online" } else { "direct" }, if n == 0 { "2024-03-11" } else { "2024-03-10" });
            dossier(&format!("24-{n}"), channel, "2024-03-03", "2024-03-10", Some(end));
        }
        for (code, due, end) in [
            ("25-a", "2025-05-08", Some("2025-05-08")),
            ("25-b", "2025-05-08", Some("2025-05-07")),
            ("25-c", "2025-06-15", None),
            ("25-d", "2025-06-15", None),
            ("25-e", "2025-06-15", None),
            ("25-f", "2026-01-04", None),
        ] {
            dossier(code, "online", "2025-05-04", due, end);
        }
        let output = dunghen(&["record", "--data", &data], &lines);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        Office { data, _directory: directory }
    }

    /// Makes the directory, and publishes the plan into its log: valid from July 2023 to the end of 2025.
    fn publish(data: &str) {
        // Without the targets that are built in, so that the plan is all there is.
        let bare = Options { rule_sets: Vec::new(), ..options(Purpose::Write) };
        let engine = Engine::open(Path::new(data), bare).unwrap();
        let day = |text: &str| Date::parse(text).unwrap();
        let target =
            |code: &str, metric: &str, comparator, threshold, denominator: &str, unit: Option<&str>| Publication {
                code: code.into(),
                effective_from: day("2023-01-01"),
                rule: Rule::Target(Target {
                    source: "Kế hoạch 2023-2025".to_owned(),
                    clause: "III.3c".to_owned(),
                    metric: metric.into(),
                    comparator,
                    threshold,
                    denominator: denominator.into(),
                    unit: unit.map(Into::into),
                    from: day("2023-07-01"),
                    to: day("2025-12-31"),
                    note: String::new(),
                }),
            };
        let plan = vec![
            target("t1-above", "on_time_rate", Comparator::Above, 9_900, "resolved", None),
            target("t2-at-least", "on_time_rate", Comparator::AtLeast, 9_900, "resolved", Some("H08")),
            target("t3-received", "on_time_rate", Comparator::AtLeast, 6_000, "received", None),
            target("t4-apology", "apology_rate", Comparator::Exactly, 10_000, "apology_obligations", None),
            target("t5-online", "online_share", Comparator::Above, 8_000, "received", None),
            target("t6-digitised", "digitised_share", Comparator::AtLeast, 3_050, "resolved", None),
            target("t7-full", "online_share", Comparator::Above, 8_000, "received_full_online", Some("H09")),
        ];
        engine.publish(plan, "".into()).unwrap();
        engine.close().unwrap();
    }

    fn ask(&self, more: &[&str]) -> Value {
        answer(&[&["targets", "--data", &self.data, "--format", "json"], more].concat(), 0)
    }

    fn text(&self, more: &[&str], code: i32) -> String {
        let output = dunghen(&[&["targets", "--data", &self.data], more].concat(), "");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{more:?}\n{text}");
        text
    }
}

/// `code year part/whole verdict may_fail`, with `-` where there is no outlook.
fn rows(answer: &Value) -> Vec<String> {
    let row = |row: &Value| {
        let outlook = &row["outlook"];
        let may_fail = if outlook.is_null() { "-".to_owned() } else { outlook["may_fail"].to_string() };
        let (code, verdict) = (row["code"].as_str().unwrap(), row["verdict"].as_str().unwrap());
        format!("{code} {} {}/{} {verdict} {may_fail}", row["year"], row["part"], row["whole"])
    };
    answer["targets"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn a_plan_year_by_year() {
    let office = Office::told();
    let answer = office.ask(&["--as-of", "2025-06-10"]);
    assert_eq!(
        rows(&answer),
        [
            // Nothing was decided in the half year of 2023; one of a hundred was late in 2024; 2025 runs.
            "t1-above 2023 0/0 not_applicable -",
            "t1-above 2024 99/100 not_met -",
            "t1-above 2025 2/2 met 0",
            "t2-at-least 2023 0/0 not_applicable -",
            "t2-at-least 2024 99/100 met -",
            "t2-at-least 2025 2/2 met 0",
            // All six are in the rate as they stand: 4 of 6 are more than 60 %, 3 are not.
            "t3-received 2023 0/0 not_applicable -",
            "t3-received 2024 99/100 met -",
            "t3-received 2025 6/6 met 2",
            // Nobody is owed a letter yet, and whoever is late must get one.
            "t4-apology 2023 0/0 not_applicable -",
            "t4-apology 2024 0/1 not_met -",
            "t4-apology 2025 0/0 not_applicable 0",
            // 80 of 100 are not more than 80 %.
            "t5-online 2023 0/0 not_applicable -",
            "t5-online 2024 80/100 not_met -",
            "t5-online 2025 6/6 met -",
            "t6-digitised 2023 0/0 no_data -",
            "t6-digitised 2024 0/0 no_data -",
            "t6-digitised 2025 0/0 no_data -",
            "t7-full 2023 0/0 no_data -",
            "t7-full 2024 0/0 no_data -",
            "t7-full 2025 0/0 no_data -",
        ]
    );
    let row = |at: usize| &answer["targets"][at];
    assert_eq!((&row(0)["first_date"], &row(0)["last_date"]), (&json!("2023-07-01"), &json!("2023-12-31")));
    assert_eq!(
        (&row(0)["from"], &row(0)["to"]),
        (&json!("2023-06-30T17:00:00.000Z"), &json!("2023-12-31T17:00:00.000Z"))
    );
    assert_eq!((&row(0)["over"], &row(0)["rate"]), (&json!(true), &Value::Null), "never 100 % of nothing");
    assert_eq!((&row(1)["rate"], &row(1)["threshold"]), (&json!(0.99), &json!(0.99)), "and yet not met: by integers");
    assert_eq!((&row(2)["over"], &row(2)["cut"]), (&json!(false), &json!("2025-06-10T16:59:59.999Z")));
    assert_eq!((&row(3)["unit"], &row(0)["unit"]), (&json!("H08"), &Value::Null));
    let outlook = &row(2)["outlook"];
    let counts = ["decided", "late", "open_late", "settled", "open_due", "foreseen"].map(|name| outlook[name].as_u64());
    assert_eq!(counts, [2, 0, 0, 0, 3, 0].map(Some));
    assert_eq!(outlook["reachable"], json!(true));
    assert!(
        outlook["text_vi"].as_str().unwrap().contains("Còn được quá hạn tối đa 0 hồ sơ (trong 3). Giả định"),
        "{outlook}"
    );
    assert_eq!((&row(15)["no_data"], &row(18)["no_data"]), (&json!("metric"), &json!("denominator")));
    assert!(row(15)["no_data_text_vi"].as_str().unwrap().contains("digitised_share"));

    // The rates of the same periods are the same integers.
    for (year, from, to) in [(2024, "2024-01-01", "2025-01-01"), (2025, "2025-01-01", "2026-01-01")] {
        let args = ["rates", "--data", &office.data, "--from", from, "--to", to, "--as-of", "2025-06-10"];
        for definition in ["resolved", "received"] {
            let rates = crate::support::answer(&[&args[..], &["--definition", definition]].concat(), 0);
            let targets = answer["targets"].as_array().unwrap();
            let judged: Vec<_> =
                targets.iter().filter(|t| t["year"] == year && t["denominator"] == definition).collect();
            for target in judged.iter().filter(|t| t["metric"] == "on_time_rate") {
                let total = &rates["total"];
                assert_eq!(target["part"], total["on_time"]);
                assert_eq!(
                    target["whole"].as_u64(),
                    total["on_time"].as_u64().zip(total["late"].as_u64()).map(|(a, b)| a + b)
                );
            }
            assert!(!judged.is_empty());
        }
    }

    // Out of reach: one of 2025 is missed and still open.
    let later = office.ask(&["--as-of", "2025-06-16", "--code", "t1-above", "--year", "2025"]);
    assert_eq!(rows(&later), ["t1-above 2025 2/2 met null"], "met so far, and lost");
    let outlook = &later["targets"][0]["outlook"];
    assert_eq!((&outlook["open_late"], &outlook["reachable"]), (&json!(3), &json!(false)));
    // Before it begins, and for another unit.
    let early = office.ask(&["--as-of", "2023-06-30", "--code", "t1-above"]);
    assert_eq!(rows(&early), [2023, 2024, 2025].map(|year| format!("t1-above {year} 0/0 not_yet -")));
    let elsewhere = office.ask(&["--as-of", "2025-06-10", "--year", "2024", "--code", "t2-at-least", "--unit", "H09"]);
    assert_eq!(rows(&elsewhere), ["t2-at-least 2024 0/0 not_applicable -"]);
    assert_eq!(rows(&office.ask(&["--as-of", "2022-12-31"])), [""; 0], "no plan was in force");
}

#[test]
fn tables_and_csv() {
    let office = Office::told();
    let table = office.text(&["--as-of", "2025-06-10", "--format", "table", "--lang", "vi"], 0);
    for part in [
        "Chỉ tiêu theo từng năm, tính đến 10/06/2025 23:59 (Asia/Ho_Chi_Minh), vị trí ",
        "Kế hoạch 2023-2025, III.3c",
        "tỷ lệ trước và đúng hạn (resolved)",
        "> 99 %",
        "≥ 30,5 %",
        "= 100 %",
        "2023 (01/07/2023 đến 31/12/2023)",
        "2025 (01/01/2025 đến 10/06/2025)",
        "99/100",
        "99,00 %",
        "KHÔNG ĐẠT",
        "đạt",
        "không phát sinh",
        "chưa có dữ liệu",
        "còn được quá hạn tối đa 2 hồ sơ (trong 3)",
        "Giả định: mọi hồ sơ khác",
        "Giả định: mọi thư khác",
        "Chưa có loại sự kiện nào cho biết digitised_share.",
        "online_share tính được, nhưng không theo received_full_online: chưa có loại sự kiện nào",
    ] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
    assert_eq!(table.matches("Giả định").count(), 2, "what is assumed is said once for each kind");
    let english = office.text(&["--as-of", "2025-06-16", "--format", "table", "--code", "t1-above"], 0);
    for part in ["NOT MET", "out of reach", "≥", "on-time rate (resolved)"] {
        assert_eq!(english.contains(part), part != "≥", "{part} in\n{english}");
    }
    let early = office.text(&["--as-of", "2023-06-30", "--format", "table", "--lang", "vi"], 0);
    assert!(early.contains("chưa đến kỳ") && !early.contains("Giả định"), "{early}");
    let none = office.text(&["--as-of", "2022-12-31", "--format", "table"], 0);
    assert!(none.contains("No target is in force"), "{none}");

    let csv = office.text(&["--as-of", "2025-06-10", "--format", "csv", "--code", "t3-received"], 0);
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("code,version,source,clause,metric,comparator,threshold,denominator,unit"), "{csv}");
    assert_eq!(
        lines[3],
        "t3-received,1,Kế hoạch 2023-2025,III.3c,on_time_rate,>=,0.6,received,,,2025,2025-01-01,2025-12-31,6,6,1.0,met,,3,0,\
         0,0,3,0,2"
    );
    assert_eq!(lines.len(), 4);
    assert!(lines[1].ends_with(",0,0,,not_applicable,,,,,,,,"), "{csv}");

    // What is asked wrongly.
    let unknown = office.text(&["--code", "t9", "--lang", "vi"], 2);
    assert!(unknown.contains("không có chỉ tiêu «t9» có hiệu lực vào ngày đó"), "{unknown}");
    assert!(office.text(&["--year", "0"], 2).contains("0 is not in 1..=9999"));
    assert!(office.text(&["--as-of", "2024"], 2).contains("expected a date"));
}

/// A server says the same; it names the fields that are wrong, and waits for a position.
#[tokio::test(flavor = "multi_thread")]
async fn targets_over_grpc() {
    let office = Office::told();
    let here = office.ask(&["--as-of", "2025-06-10"]);
    let server = Server::start(Path::new(&office.data));
    let there = answer(&["targets", "--server", &server.url, "--as-of", "2025-06-10", "--format", "json"], 0);
    assert_eq!(here["targets"].as_array().unwrap().len(), 21);
    let judged = |answer: &Value| {
        let mut answer = answer["targets"].clone();
        // The server has written what is late by now.
        answer.as_array_mut().unwrap().iter_mut().for_each(|row| row["position"] = Value::Null);
        answer
    };
    assert_eq!(judged(&here), judged(&there));
    let source = server.connect().await;
    let as_of = Some(pb::TimePoint { kind: Some(pb::time_point::Kind::Date("2025-06-10".to_owned())) });
    let question = pb::ListTargetsRequest { as_of, year: 2025, code: "t1-above".to_owned(), ..Default::default() };
    for (field, question) in [
        ("year", pb::ListTargetsRequest { year: -1, ..question.clone() }),
        ("year", pb::ListTargetsRequest { year: 10_000, ..question.clone() }),
        ("code", pb::ListTargetsRequest { code: "t".to_owned(), ..question.clone() }),
    ] {
        let refused = source.list_targets(question).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].field, field);
    }
    // One of those that were due is processed: whoever holds the receipt sees it.
    let late = event(json!({"dossier": "25-c", "type": "Processed", "occurred_at": "2025-06-10T09:00:00+07:00"}));
    let receipt = source.record(request(late)).await.unwrap().receipt.unwrap();
    let min_position = receipt.position + 1;
    let seen = source.list_targets(pb::ListTargetsRequest { min_position, ..question }).await.unwrap();
    let row = &seen.targets[0];
    assert!(row.position >= min_position && seen.position >= min_position);
    assert_eq!((row.part, row.whole, row.outlook.as_ref().map(|o| o.open_due)), (3, 3, Some(2)));
}
