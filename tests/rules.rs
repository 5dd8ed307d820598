//! Rules published into the log: over gRPC and into a directory, in force from their day on and never before, and what they
//! make of dues, letters and rates. And the built-in set against the facts that were collected.

use crate::support::{Server, answer, dunghen, dunghen_in, event, record_of, request, shared};
use dunghen::pb;
use dunghen::rules::sets;
use dunghen::source::Source;
use dunghen_engine::calendar::{AfterSupplement, Term};
use dunghen_engine::rules::{Comparator, Publication, Rule};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio_stream::StreamExt;
use tonic_types::StatusExt;

/// A city with a Saturday of its own, another policy for one unit, a longer term, and two definitions of its own.
const CITY: &str = r#"format = 1

[[calendar]]
code = "city"
effective_from = "2025-01-01"
first = "2025-01-01"
last = "2025-12-31"
weekly_days_off = ["sunday"]
hours = ["08:00-12:00", "13:00-17:00"]
cut_off = "16:00"
days_off = [{ date = "2025-09-02", vi = "Quốc khánh", en = "National Day", kind = "holiday" }]

[[unit]]
code = "H44.22"
effective_from = "2025-01-01"
vi = "Sở Y tế"
calendar = "city"
apology = "grace-2"

[[procedure]]
code = "1.002600"
effective_from = "2025-10-01"
vi = "Cấp số tiếp nhận"
term = "5 working_day"

[[definition]]
code = "latest"
effective_from = "2025-01-01"
cohort = "processed"
compared_by = "date"
promise = "latest"
exits = "ignored"
second_supplement = "ignored"

[[definition]]
code = "strict"
effective_from = "2025-01-01"
cohort = "processed"
compared_by = "date"
promise = "current"
exits = "ignored"
second_supplement = "late-always"
"#;

fn file(directory: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn publish(source: &Source, file: &str) -> Vec<pb::PublishedRule> {
    source.publish(pb::PublishRequest { file: file.to_owned(), dry_run: false }).await.unwrap().rules
}

async fn versions(source: &Source, kind: &str, code: &str) -> Vec<pb::RuleVersion> {
    let request = pb::ListRulesRequest { kind: kind.into(), code: code.into(), ..Default::default() };
    source.list_rules(request).await.unwrap().rules
}

/// Records an event and gives back what the log has of it.
async fn record(source: &Source, told: Value) -> pb::Record {
    let position = source.record(request(event(told))).await.unwrap().receipt.unwrap().position;
    let asked = pb::ReplayRequest { from_position: position, to_position: Some(position + 1), ..Default::default() };
    record_of(source.replay(asked).await.unwrap().next().await.unwrap().unwrap())
}

fn reckoned(record: &pb::Record) -> Option<&str> {
    match record.reckoned.as_ref()? {
        pb::record::Reckoned::ReckonedDueDate(day) => Some(day),
        pb::record::Reckoned::ReckonedDue(at) => panic!("{at} is no date"),
    }
}

fn received(dossier: &str, unit: &str, day: &str) -> Value {
    json!({"dossier": dossier, "type": "Received", "unit": unit, "procedure": "1.002600",
        "occurred_at": format!("{day}T09:00:00+07:00")})
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_in_force_from_their_day_on() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;

    // The built-in set: three working days, and National Day off on the 1st and 2nd of September.
    let before = record(&source, received("A", "H44.22", "2025-08-29")).await;
    assert_eq!(reckoned(&before), Some("2025-09-05"));
    assert_eq!(before.position, 0, "built-in rules are no records");

    // Behind the `Late` of that dossier, whose promise has long passed.
    let published = publish(&source, CITY).await;
    let told: Vec<_> = published.iter().map(|p| (p.kind.as_str(), &*p.code, p.version, p.position)).collect();
    assert_eq!(
        told,
        [
            ("calendar", "city", 1, Some(2)),
            ("unit", "H44.22", 1, Some(3)),
            ("procedure", "1.002600", 1, Some(4)),
            ("definition", "latest", 1, Some(5)),
            ("definition", "strict", 1, Some(6)),
        ]
    );

    // Received before its day, although recorded after it: the term stays what it was, in the city's calendar.
    let old_term = record(&source, received("B", "H44.22", "2025-08-29")).await;
    assert_eq!(reckoned(&old_term), Some("2025-09-03"), "Saturday, Monday and Wednesday are worked");
    let new_term = record(&source, received("C", "H44.22", "2025-10-03")).await;
    assert_eq!(reckoned(&new_term), Some("2025-10-09"), "Saturday, then Monday to Thursday");
    let elsewhere = record(&source, received("D", "H44.30", "2025-10-03")).await;
    assert_eq!(reckoned(&elsewhere), Some("2025-10-10"), "five working days of the country");

    // What the desk says stands; that it says something else is flagged.
    let mut own = received("E", "H44.30", "2025-10-03");
    own["due_date"] = json!("2025-10-13");
    let own = record(&source, own).await;
    assert_eq!((reckoned(&own), own.flags.contains(&"DUE_DIFFERS".to_owned())), (Some("2025-10-10"), true));
    assert!(!elsewhere.flags.contains(&"DUE_DIFFERS".to_owned()));

    // The due that nobody gave is the promise.
    let detail = source.get_dossier(pb::GetDossierRequest { dossier: "C".into(), ..Default::default() }).await.unwrap();
    assert_eq!(detail.promises[0].due_date, "2025-10-09");
    // H44.22 may apologise until two working days after it, as its calendar has them; H44.30 on the day itself.
    let deadline = |detail: &pb::GetDossierResponse| detail.obligations[0].deadline.unwrap().seconds;
    assert_eq!(deadline(&detail), last_second("2025-10-11"), "Friday, Saturday");
    let other = source.get_dossier(pb::GetDossierRequest { dossier: "D".into(), ..Default::default() }).await.unwrap();
    assert_eq!(deadline(&other), last_second("2025-10-10"));
    assert_eq!(server.stop(), Some(0));
}

/// The last second of a day in Vietnam.
fn last_second(day: &str) -> i64 {
    let last = dunghen_engine::time::Zone::VIETNAM.last_tick(dunghen_engine::time::Date::parse(day).unwrap());
    last.0 / 1000
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holiday_that_is_announced_late_moves_nothing_that_was_promised() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    publish(&source, CITY).await;
    let early = record(&source, received("A", "H44.22", "2025-11-20")).await;
    assert_eq!(reckoned(&early), Some("2025-11-26"), "Friday, Saturday, Monday to Wednesday");

    let announced = CITY.replace(
        "days_off = [{ date = \"2025-09-02\"",
        "days_off = [{ date = \"2025-11-24\", vi = \"Ngày Văn hóa\", en = \"Culture Day\", kind = \"holiday\" }, { date = \"2025-09-02\"",
    );
    let published = publish(&source, &announced).await;
    // All else was there already.
    let told: Vec<_> = published.iter().map(|p| (&*p.code, p.version, p.duplicate)).collect();
    let same = |code| (code, 1, true);
    assert_eq!(told, [("city", 2, false), same("H44.22"), same("1.002600"), same("latest"), same("strict")]);
    assert_eq!(published[1].position, Some(1), "a duplicate names the record that is there");

    let late = record(&source, received("B", "H44.22", "2025-11-20")).await;
    assert_eq!(reckoned(&late), Some("2025-11-27"), "received the same day, recorded after the announcement");
    // The first follows the calendar of its reception for ever: papers of Friday, back on Saturday.
    let at = |day: &str| format!("{day}T09:00:00+07:00");
    let asked = json!({"dossier": "A", "type": "SupplementRequested", "occurred_at": at("2025-11-21")});
    record(&source, asked).await;
    let back = record(&source, json!({"dossier": "A", "type": "Supplemented", "occurred_at": at("2025-11-22")})).await;
    assert_eq!(reckoned(&back), Some("2025-11-27"), "one working day later, the 24th being one");

    // Replayed, verified, and the same after a restart.
    let known = versions(&source, "calendar", "city").await;
    assert_eq!(known.iter().map(|v| v.rule.as_ref().unwrap().version).collect::<Vec<_>>(), [1, 2]);
    assert!(known.iter().all(|v| v.recorded_at.is_some() && !v.built_in));
    assert_eq!(server.stop(), Some(0));
    let path = text(directory.path());
    assert_eq!(answer(&["verify", "--data", path], 0)["ok"], true);
    let server = Server::start(directory.path());
    let source = server.connect().await;
    assert_eq!(versions(&source, "calendar", "city").await, known);
    let again = record(&source, received("C", "H44.22", "2025-11-20")).await;
    assert_eq!(reckoned(&again), Some("2025-11-27"));
    assert!(publish(&source, &announced).await.iter().all(|p| p.duplicate));
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_names_its_line_and_nothing_is_published() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    let wrong = |from: &str, to: &str| {
        assert!(CITY.contains(from), "{from}");
        pb::PublishRequest { file: CITY.replacen(from, to, 1), dry_run: false }
    };
    for (request, vi, en) in [
        (
            wrong("5 working_day", "5 days"),
            "file: dòng 24: term: phải là thời hạn như",
            "file: line 24: term: must be a term such as",
        ),
        (
            wrong("\"city\"\napology", "\"town\"\napology"),
            "file: dòng 17: calendar: không có lịch làm việc nào mã town",
            "file: line 17: calendar: there is no calendar town",
        ),
        (wrong("sunday", "sun"), "file: dòng 8: weekly_days_off: phải là", "file: line 8: weekly_days_off: must be"),
        (wrong("2025-10-01", "2025-13-01"), "file: dòng 22: effective_from", "file: line 22: effective_from"),
    ] {
        let refused = source.publish(request).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        assert_eq!(refused.get_details_error_info().unwrap().reason, "FIELD_INVALID");
        let (_, said) = dunghen::status::read(&refused);
        assert!(said.vi.starts_with(vi) && said.en.starts_with(en), "{said:?}");
        let bad = refused.get_details_bad_request().unwrap();
        assert_eq!(bad.field_violations[0].field, "file");
        assert!(bad.field_violations[0].description.starts_with("line "), "{bad:?}");
    }
    let huge = pb::PublishRequest { file: " ".repeat(300_000), dry_run: false };
    let refused = source.publish(huge).await.unwrap_err();
    assert_eq!(refused.get_details_error_info().unwrap().reason, "TOO_LARGE");
    let trial = source.publish(pb::PublishRequest { file: CITY.to_owned(), dry_run: true }).await.unwrap();
    assert!(trial.rules.iter().all(|p| p.version == 1 && p.position.is_none() && !p.duplicate));
    let none = source.list_rules(pb::ListRulesRequest::default()).await.unwrap();
    assert_eq!(none.position, 0);
    assert!(none.rules.iter().all(|v| v.built_in), "nothing was published");
    let kind = pb::ListRulesRequest { kind: "law".into(), ..Default::default() };
    assert_eq!(source.list_rules(kind).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    assert_eq!(server.stop(), Some(0));
}

/// Dossier `O`: missed its promise, whose date was then overwritten. Dossier `S`: asked for papers twice, and in time.
fn told_twice() -> Vec<Value> {
    let said = |dossier: &str, kind: &str, day: &str, more: Value| {
        let mut event =
            json!({"dossier": dossier, "type": kind, "occurred_at": format!("2025-09-{day}T09:00:00+07:00")});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    vec![
        said("O", "Received", "03", json!({"unit": "H44.22", "due_date": "2025-09-10"})),
        said("O", "Supplemented", "12", json!({"due_date": "2025-09-20"})),
        said("O", "Processed", "15", json!({})),
        said("S", "Received", "03", json!({"unit": "H44.30", "due_date": "2025-09-10"})),
        said("S", "SupplementRequested", "04", json!({})),
        said("S", "Supplemented", "05", json!({"due_date": "2025-09-11"})),
        said("S", "SupplementRequested", "08", json!({})),
        said("S", "Supplemented", "09", json!({"due_date": "2025-09-12"})),
        said("S", "Processed", "10", json!({})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_is_published_can_be_asked_for_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let source = server.connect().await;
    for told in told_twice() {
        record(&source, told).await;
    }
    let rates = |definition: &str| {
        let question = pb::GetRatesRequest { definition: definition.into(), ..Default::default() };
        let source = source.clone();
        async move { source.get_rates(question).await.map(|answer| answer.total.unwrap()) }
    };
    let unknown = rates("latest").await.unwrap_err();
    assert!(unknown.message().ends_with("returned, first-promise"), "{}", unknown.message());
    publish(&source, CITY).await;
    let unknown = rates("newest").await.unwrap_err();
    assert!(unknown.message().ends_with("first-promise, latest, strict"), "{}", unknown.message());

    let counts = |f: pb::Figures| (f.cohort, f.on_time, f.late);
    assert_eq!(counts(rates("resolved").await.unwrap()), (2, 1, 1));
    assert_eq!(counts(rates("latest").await.unwrap()), (2, 2, 0), "what was overwritten looks kept");
    assert_eq!(counts(rates("strict").await.unwrap()), (2, 0, 2), "two requests are too many, answered or not");

    // The dossiers behind the figures, and why.
    let list = |definition: &str, outcome: &str| {
        let request =
            pb::ListDossiersRequest { definition: definition.into(), outcome: outcome.into(), ..Default::default() };
        let source = source.clone();
        async move { source.list_dossiers(request).await.unwrap().dossiers }
    };
    let overwritten = list("latest", "on_time").await;
    let verdict = overwritten.iter().find(|d| d.dossier == "O").unwrap().verdict.clone().unwrap();
    assert_eq!((verdict.promise, &*verdict.due_date), (0, "2025-09-20"));
    assert!(verdict.text_vi.contains("hạn ghi sau cùng là 20/09/2025"), "{}", verdict.text_vi);
    let strict = list("strict", "late").await;
    let verdict = strict.iter().find(|d| d.dossier == "S").unwrap().verdict.clone().unwrap();
    assert_eq!(verdict.rule, "second_supplement");

    // Watched, and on the command line.
    let question = pb::GetRatesRequest { definition: "latest".into(), ..Default::default() };
    let watch = pb::WatchRatesRequest { question: Some(question), max_per_second: 1 };
    let first = source.watch_rates(watch).await.unwrap().next().await.unwrap().unwrap().answer.unwrap();
    assert_eq!((&*first.definition, first.total.unwrap().on_time), ("latest", 2));
    let asked = answer(&["rates", "--server", &server.url, "--definition", "latest"], 0);
    assert_eq!((&asked["definition"], &asked["total"]["on_time"]), (&json!("latest"), &json!(2)));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn rules_on_the_command_line() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let target = ["--data", text(&data)];
    let city = file(&place, "city.toml", CITY);
    let run = |args: &[&str]| -> String {
        let output = dunghen(args, "");
        assert_eq!(output.status.code(), Some(0), "{args:?} {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let args = |first: &[&'static str], more: &[&'static str]| -> Vec<String> {
        first.iter().chain(&target.map(|t| t.to_owned().leak() as &str)).chain(more).map(ToString::to_string).collect()
    };
    let call = |first: &[&'static str], more: &[&'static str]| -> String {
        let args = args(first, more);
        run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let json_of =
        |first: &[&'static str], more: &[&'static str]| -> Value { serde_json::from_str(&call(first, more)).unwrap() };

    // A directory is made; a trial, and a file with a fault, make none.
    let faulty = file(&place, "faulty.toml", &CITY.replace("working_day", "workday"));
    let refused = dunghen_in("vi_VN.UTF-8", &["publish", text(&faulty), target[0], target[1]], "");
    assert_eq!((refused.status.code(), data.exists()), (Some(2), false));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("faulty.toml: dòng 24: term: phải là thời hạn"), "{said}");
    answer(&["publish", text(&city), target[0], target[1], "--dry-run"], 1);
    assert!(!data.exists());

    let published = answer(&["publish", text(&city), target[0], target[1]], 0);
    assert_eq!(
        published["published"][0],
        json!({"kind": "calendar", "code": "city", "version": 1, "position": 0, "duplicate": false})
    );
    let again = dunghen(&["publish", "-", target[0], target[1], "--format", "table"], CITY);
    assert_eq!(String::from_utf8(again.stdout).unwrap().matches("was there before").count(), 5);

    let listed = json_of(&["rules", "list"], &["--kind", "unit"]);
    let codes: Vec<&str> = listed["rules"].as_array().unwrap().iter().map(|r| r["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["*", "H44.22"]);
    assert_eq!(listed["rules"][1]["name_vi"], "Sở Y tế");
    assert!(listed["rules"][1]["recorded_at"].is_string());
    let in_force = |day: &'static str| {
        let listed = json_of(&["rules", "list"], &["--kind", "procedure", "--as-of", day]);
        let of = listed["rules"].as_array().unwrap().iter().find(|r| r["code"] == "1.002600").unwrap().clone();
        of["version"].as_u64().unwrap()
    };
    assert_eq!((in_force("2025-09-30"), in_force("2025-10-01")), (0, 1));
    let table = call(&["rules", "list"], &["--format", "table", "--lang", "vi"]);
    assert!(table.contains("lịch làm việc") && table.contains("có sẵn") && table.contains("01/10/2025"), "{table}");
    assert!(table.contains("first-promise") && !table.contains("01/01/1 "), "a definition that always was has no day");

    // A target of something that no event tells of is published, and said to have no data; a typo is refused.
    let plan = |metric: &str, denominator: &str| {
        format!(
            "format = 1\n[[target]]\ncode = \"plan\"\neffective_from = \"2025-01-01\"\nsource = \"KH\"\nclause = \"1\"\n\
             metric = \"{metric}\"\ncomparator = \">\"\nthreshold = \"0.9\"\ndenominator = \"{denominator}\"\n\
             from = \"2025-01-01\"\nto = \"2025-12-31\"\n"
        )
    };
    let rated = file(&place, "rated.toml", &plan("satisfaction", "rated"));
    let note = json!([{"kind": "target", "code": "plan",
        "text_vi": "chưa có loại sự kiện nào cho biết satisfaction; chỉ tiêu sẽ hiện là chưa có dữ liệu",
        "text_en": "no event tells of satisfaction yet; the target will show no data"}]);
    let publish = ["publish", text(&rated), target[0], target[1]];
    assert_eq!(answer(&[&publish[..], &["--dry-run"]].concat(), 0)["notes"], note);
    let told = dunghen(&[&publish[..], &["--format", "table"]].concat(), "");
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("target plan: no event tells of satisfaction yet") && told.contains("published"), "{told}");
    assert_eq!(published["notes"], json!([]));
    let typo = file(&place, "typo.toml", &plan("on_time_rate", "stricts"));
    let refused = dunghen(&["publish", text(&typo), target[0], target[1]], "");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("line 10: denominator: there is no definition stricts") && said.contains("strict"), "{said}");

    // What is shown can be published again: it is what is there.
    let shown = call(&["rules", "show", "procedure", "1.002600"], &["--format", "table"]);
    assert!(shown.contains("term = \"5 working_day\""), "{shown}");
    let copy = file(&place, "copy.toml", &shown);
    assert_eq!(answer(&["publish", text(&copy), target[0], target[1]], 0)["published"][0]["duplicate"], true);
    let built_in = json_of(&["rules", "show", "procedure", "1.002600"], &["--version", "0"]);
    assert!(built_in["built_in"] == true && built_in["rule"].as_str().unwrap().contains("term = \"3 working_day\""));

    let diff = call(&["rules", "diff", "procedure", "1.002600"], &["--format", "table"]);
    assert!(diff.starts_with("--- procedure 1.002600, version 0 (built in)\n+++ procedure 1.002600, version 1\n"));
    assert!(
        diff.contains("\n- term = \"3 working_day\"\n") && diff.contains("\n+ term = \"5 working_day\"\n"),
        "{diff}"
    );
    let same = json_of(&["rules", "diff", "procedure", "1.002600"], &["--from", "1", "--to", "1"]);
    assert!(same["lines"].as_array().unwrap().iter().all(|line| line["sign"] == " "));
    for (args, word) in [
        (&["rules", "show", "procedure", "9.9"][..], "there is no procedure 9.9"),
        (&["rules", "diff", "unit", "H44.22"], "has version 1 only"),
        (&["rules", "show", "unit", "H44.22", "--version", "7"], "has no version 7; its versions: 1"),
    ] {
        let output = dunghen(&[args, &target[..]].concat(), "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(word), "{said}");
    }
    assert_eq!(dunghen(&["rules", "show", "law", "x", target[0], target[1]], "").status.code(), Some(2));

    // Dues by the calendar of a unit; without a place the built-in one counts.
    let due = |more: &[&str]| {
        let question = ["due", "--received", "2025-08-29T09:00+07:00", "--term", "3", "--term-unit", "working_day"];
        answer(&[&question[..], more].concat(), 0)["due_date"].as_str().unwrap().to_owned()
    };
    assert_eq!(due(&["--unit", "H44.22", target[0], target[1]]), "2025-09-03");
    assert_eq!(due(&["--unit", "H44.22.01", target[0], target[1]]), "2025-09-03", "a unit below it");
    assert_eq!(due(&["--unit", "H44.30", target[0], target[1]]), "2025-09-05");
    assert_eq!(due(&[target[0], target[1]]), "2025-09-05", "every unit");
    assert_eq!(due(&["--unit", "H44.22"]), "2025-09-05");
    let before = ["due", "--received", "2015-08-29", "--term", "3", "--term-unit", "day", target[0], target[1]];
    let none = dunghen(&before, "");
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8(none.stderr).unwrap().contains("no calendar is in force for * on 2015-08-29"));
}

#[test]
fn a_replay_says_the_rules_and_record_publishes_them_in_their_place() {
    let place = tempfile::tempdir().unwrap();
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    let city = file(&place, "city.toml", CITY);
    answer(&["publish", text(&city), "--data", text(&one)], 0);
    let event = json!({"event_id": uuid::Uuid::now_v7().to_string(), "dossier": "A", "type": "Received",
        "unit": "H44.22", "procedure": "1.002600", "occurred_at": "2025-10-03T09:00:00+07:00"});
    assert_eq!(dunghen(&["record", "--data", text(&one)], &event.to_string()).status.code(), Some(0));
    let replayed = String::from_utf8(dunghen(&["replay", "--data", text(&one)], "").stdout).unwrap();
    let lines: Vec<Value> = replayed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|l| l["position"].as_u64().unwrap()).collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
    let first = &lines[0];
    assert_eq!(
        (&first["type"], &first["kind"], &first["code"]),
        (&json!("Published"), &json!("calendar"), &json!("city"))
    );
    // What the log says of its rules is a file of rules.
    for rule in &lines[..5] {
        let file = file(&place, "rule.toml", rule["rule"].as_str().unwrap());
        let same = answer(&["publish", text(&file), "--data", text(&one)], 0);
        let same = &same["published"][0];
        assert_eq!((&same["position"], &same["duplicate"]), (&rule["position"], &json!(true)));
    }
    assert_eq!((&lines[5]["type"], &lines[5]["reckoned_due_date"]), (&json!("Received"), &json!("2025-10-09")));
    assert_eq!(lines[6]["type"], "Late");

    let copied = dunghen(&["record", "--data", text(&two)], &replayed);
    assert_eq!(copied.status.code(), Some(0));
    let said = String::from_utf8(copied.stderr).unwrap();
    assert!(said.contains("5 lines of type Published were published, each in its place"), "{said}");
    let both = [&one, &two].map(|data| dunghen(&["replay", "--data", text(data)], "").stdout);
    let without_time = |text: &[u8]| {
        let lines = String::from_utf8(text.to_vec()).unwrap();
        let lines = lines.lines().map(|l| {
            let mut line: Value = serde_json::from_str(l).unwrap();
            line.as_object_mut().unwrap().remove("recorded_at");
            line
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(without_time(&both[0]), without_time(&both[1]), "the same log, rules and all");
    assert!(said.contains("1 lines of type Late were skipped"), "{said}");
    assert_eq!(String::from_utf8(copied.stdout).unwrap().lines().count(), 1);
    // Without a position it is nobody's word.
    let own = dunghen(&["record", "--data", text(&two)], &json!({"type": "Published"}).to_string());
    assert_eq!(own.status.code(), Some(3));
    assert!(String::from_utf8(own.stdout).unwrap().contains("UNKNOWN_TYPE"));
    let of_events = dunghen(&["replay", "--data", text(&one), "--type", "Received"], "");
    assert_eq!(String::from_utf8(of_events.stdout).unwrap().lines().count(), 1);
}

/// The rules of the built-in set, by code.
fn built_in() -> BTreeMap<String, Publication> {
    sets().remove(0).publications.into_iter().map(|p| (p.code.to_string(), p)).collect()
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let row = |r: csv::StringRecord| header.iter().map(str::to_owned).zip(r.iter().map(str::to_owned)).collect();
    reader.records().map(|r| row(r.unwrap())).collect()
}

#[test]
fn the_built_in_procedures_are_those_that_were_collected() {
    let Some(path) = shared("data/procedures.csv") else { return };
    let rules = built_in();
    let rows = rows(&path);
    let procedures = rules.values().filter(|p| matches!(p.rule, Rule::Procedure(_))).count();
    assert_eq!((rows.len(), procedures), (15, 15));
    let term = |text: &str| {
        let (n, unit) = text.trim().split_once(' ').unwrap();
        let n = n.parse().unwrap();
        match unit {
            "working_day" => Term::WorkingDays(n),
            "day" => Term::Days(n),
            other => panic!("{other}"),
        }
    };
    for row in rows {
        let Rule::Procedure(procedure) = &rules[&row["code"]].rule else { panic!("{row:?}") };
        assert_eq!(procedure.names.vi, row["name_vi"]);
        assert_eq!(procedure.field.as_deref(), Some(&*row["field"]));
        let phases: Vec<Term> = match row["unit"].as_str() {
            "phases" => row["term"].split('+').map(term).collect(),
            unit => vec![term(&format!("{} {unit}", row["term"]))],
        };
        assert_eq!(procedure.phases, phases, "{}", row["code"]);
        let restarts = procedure.after_supplement == AfterSupplement::Restart;
        assert_eq!(restarts, row["after_supplement"] == "restart", "{}", row["code"]);
    }
}

#[test]
fn the_built_in_targets_are_those_that_were_collected() {
    let Some(path) = shared("data/targets.csv") else { return };
    let targets: Vec<_> = built_in()
        .into_values()
        .filter_map(|p| match p.rule {
            Rule::Target(target) => Some(target),
            _ => None,
        })
        .collect();
    let rows = rows(&path);
    assert_eq!((rows.len(), targets.len()), (23, 23));
    for row in rows {
        let threshold = row["threshold"].replace('.', "");
        let threshold = threshold.parse::<u32>().unwrap() * 10_u32.pow(u32::try_from(5 - threshold.len()).unwrap());
        let found = targets
            .iter()
            .filter(|t| (&*t.source, &*t.clause, &*t.metric) == (&*row["source"], &*row["clause"], &*row["metric"]));
        let [target] = found.collect::<Vec<_>>()[..] else { panic!("{row:?}") };
        let comparator = Comparator::ALL.iter().find(|(_, sign)| *sign == row["comparator"]).unwrap().0;
        assert_eq!((target.comparator, target.threshold), (comparator, threshold), "{row:?}");
        // The scopes of the table are departments, none of which has a code of units: a directory is judged as a whole.
        assert_eq!((&*target.denominator, &target.unit), (&*row["definition_or_denominator"], &None));
        assert_eq!((target.from.to_string(), target.to.to_string()), (row["from"].clone(), row["to"].clone()));
        assert_eq!(target.note, row["note"]);
    }
}
