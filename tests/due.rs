//! The built-in calendar and `dunghen due`, against holidays and dues that an independent program computed.

use crate::support::{answer, dunghen, shared};
use dunghen::rules;
use dunghen_engine::calendar::{Calendar, DayOffKind, Term, WorkingTime};
use dunghen_engine::time::{Date, Due, Moment, Zone};
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

fn built_in() -> Calendar {
    rules::vietnam()
}

fn rows(path: &Path) -> Vec<csv::StringRecord> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    if path.extension().is_some_and(|e| e == "gz") {
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text).unwrap();
    }
    csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect()
}

/// Reception, working days and due.
fn reference() -> Option<Vec<(String, u32, String)>> {
    let rows = rows(&shared("data/vn_calendar/vn_workdays_reference.csv.gz")?);
    assert_eq!(rows.len(), 23_013);
    Some(rows.iter().map(|r| (r[0].to_owned(), r[1].parse().unwrap(), r[2].to_owned())).collect())
}

#[test]
fn the_built_in_calendar_holds_the_holidays_that_were_collected() {
    let Some(file) = shared("data/vn_calendar/vn_holidays.csv") else { return };
    let calendar = built_in();
    let kind = |kind: DayOffKind| match kind {
        DayOffKind::Holiday => "holiday",
        DayOffKind::Compensation => "compensation",
        DayOffKind::Swap => "substituted_dayoff",
    };
    let off = calendar.days_off.iter().map(|d| (d.date.to_string(), d.vi.clone(), d.en.clone(), kind(d.kind)));
    let worked = calendar.working_days.iter();
    let worked = worked.map(|d| (d.date.to_string(), d.vi.clone(), d.en.clone(), "working_weekend"));
    let mut ours: Vec<_> = off.chain(worked).collect();
    ours.sort();
    let rows = rows(&file);
    // The English names give a date as month/day/year, which is read as another date elsewhere; ours do not.
    let name = |name: &str| match name.split_once("from ") {
        Some((head, date)) => format!("{head}from {}-{}-{})", &date[6..10], &date[..2], &date[3..5]),
        None => name.to_owned(),
    };
    let mut theirs: Vec<_> =
        rows.iter().map(|r| (r[0].to_owned(), r[2].to_owned(), name(&r[3]), r[4].to_owned())).collect();
    theirs.sort();
    assert_eq!((ours.len(), theirs.len()), (176, 176));
    for ((date, vi, en, kind), theirs) in ours.into_iter().zip(theirs) {
        assert_eq!((date, vi, en, kind.to_owned()), theirs);
    }
}

#[test]
fn working_days_of_every_month() {
    let Some(file) = shared("data/vn_calendar/vn_workdays_per_month.csv") else { return };
    let time = WorkingTime::new(built_in(), Zone::VIETNAM).unwrap();
    let rows = rows(&file);
    assert_eq!(rows.len(), 12 * 12);
    for row in rows {
        let first = Date::parse(&format!("{}-01", &row[0])).unwrap();
        let (before, last) = (first.plus(-1), first.plus_months(1).unwrap().plus(-1));
        assert_eq!(time.working_days_between(before, last).to_string(), row[1], "{}", &row[0]);
    }
}

#[test]
fn the_reference_in_process() {
    let Some(rows) = reference() else { return };
    let time = WorkingTime::new(built_in(), Zone::VIETNAM).unwrap();
    for (received, n, due) in rows {
        let date = Date::parse(&received).unwrap();
        let expected = Ok(Due::Date(Date::parse(&due).unwrap()));
        let phases = [Term::WorkingDays(n)];
        assert_eq!(time.due(Moment::Date(date), &phases), expected, "{received} + {n}");
        let noon = Moment::Instant(Zone::VIETNAM.at(date, 16 * 3_600_000));
        assert_eq!(time.due(noon, &phases), expected, "{received} 16:00 + {n}: no cut-off");
        assert_eq!(time.explain(noon, &phases).map(|e| e.due), expected);
    }
}

fn lines(output: &std::process::Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_reference_through_the_command_line() {
    let Some(rows) = reference() else { return };
    let question = |(received, n, _): &(String, u32, String)| {
        json!({"received": received, "term": n, "term_unit": "working_day"}).to_string() + "\n"
    };
    let questions: String = rows.iter().map(question).collect();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("questions.ndjson");
    std::fs::write(&file, &questions).unwrap();
    let piped = dunghen(&["due", "--batch"], &questions);
    let read = dunghen(&["due", "--batch", file.to_str().unwrap(), "--format", "json"], "");
    assert_eq!((piped.status.code(), read.status.code()), (Some(0), Some(0)));
    assert_eq!(piped.stdout, read.stdout);
    let answers = lines(&piped);
    assert_eq!(answers.len(), rows.len());
    for (answer, (received, n, due)) in answers.iter().zip(&rows) {
        let expected = json!({
            "received": received, "term": n, "term_unit": "working_day",
            "due": format!("{due}T16:59:59.999Z"), "due_date": due,
        });
        assert_eq!(*answer, expected);
    }
}

#[test]
fn one_question() {
    let due = |received: &str, term: &str, unit: &str| {
        let args = ["due", "--received", received, "--term", term, "--term-unit", unit, "--unit", "H44.22"];
        let answer = answer(&[args.as_slice(), &["--format", "json"]].concat(), 0);
        (answer["due"].as_str().unwrap().to_owned(), answer["due_date"].as_str().unwrap().to_owned())
    };
    let on = |date: &str| (format!("{date}T16:59:59.999Z"), date.to_owned());
    assert_eq!(due("2023-10-27T09:32+07:00", "5", "working_day"), on("2023-11-03"));
    assert_eq!(due("2025-04-24", "3", "working_day"), on("2025-04-28"));
    assert_eq!(due("2025-04-28", "2", "working_day"), on("2025-05-05"));
    assert_eq!(due("2026-11-20", "3", "working_day"), on("2026-11-26"));
    assert_eq!(due("2025-09-10T08:00:00Z", "0", "working_day"), on("2025-09-10"), "15:00 in Vietnam");
    assert_eq!(due("2025-09-10T08:00:01Z", "0", "working_day"), on("2025-09-11"));
    assert_eq!(due("2025-04-25", "5", "day"), on("2025-05-05"));
    assert_eq!(due("2025-01-31", "1", "month"), on("2025-02-28"));
    assert_eq!(
        due("2025-09-10T07:30+07:00", "4", "hour"),
        ("2025-09-10T04:30:00.000Z".into(), "2025-09-10".into()),
        "over at 11:30"
    );
    let printed = answer(&["due", "--received", "2025-09-10T09:00+07:00", "--term", "1", "--term-unit", "day"], 0);
    assert_eq!(printed["received"], "2025-09-10T02:00:00.000Z");
}

#[test]
fn people_see_why() {
    let table = |lang: &str, received: &str, term: &str, unit: &str| {
        let args = ["due", "--received", received, "--term", term, "--term-unit", unit];
        let output = dunghen(&[args.as_slice(), &["--format", "table", "--lang", lang]].concat(), "");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let vietnamese = table("vi", "2025-04-25T16:00+07:00", "3", "working_day");
    let expected = [
        "Hẹn trả: thứ Ba 29/04/2025, đến hết ngày",
        "Tiếp nhận: 25/04/2025 16:00; thời hạn: 3 ngày làm việc; lịch: vn",
        "ngày tiếp nhận, không tính",
        "Ngày làm việc bù",
        "nghỉ hằng tuần",
    ];
    for words in expected {
        assert!(vietnamese.contains(words), "{words}\n{vietnamese}");
    }
    assert!(table("vi", "2025-04-29", "1", "working_day").contains("nghỉ: Ngày Chiến thắng"));
    let english = table("en", "2025-09-05T16:00+07:00", "8", "hour");
    for words in ["Due: Monday 2025-09-08 16:30", "weekly day off", "1 h 00 min", "8 h 00 min so far"] {
        assert!(english.contains(words), "{words}\n{english}");
    }
    assert!(table("vi", "2025-09-05T16:00+07:00", "0", "day").contains("nộp sau 15:00"));
    assert!(!english.contains("Note:"));
    assert!(table("en", "2027-12-30", "5", "working_day").contains("knows the holidays from 2016-01-01 to 2027-12-31"));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_line() {
    let questions = [
        r#"{"received":"2025-09-10","term":1,"term_unit":"working_day"}"#,
        "",
        r#"{"received":"10/9/2025","term":1,"term_unit":"working_day"}"#,
        r#"{"received":"2025-09-10","term":-1,"term_unit":"working_day"}"#,
        r#"{"received":"2025-09-10","term":1.5,"term_unit":"day"}"#,
        r#"{"received":"2025-09-10","term":"1","term_unit":"day"}"#,
        r#"{"received":"2025-09-10","term":0,"term_unit":"hour"}"#,
        r#"{"received":"2025-09-10","term":10001,"term_unit":"day"}"#,
        r#"{"received":"2025-09-10","term":1,"term_unit":"week"}"#,
        r#"{"received":"2025-09-10","term":1}"#,
        r#"{"received":"2025-09-10","term":1,"term_unit":"day","due":"2025-09-11"}"#,
        r#"{"received":"9999-12-31","term":1,"term_unit":"day"}"#,
        "[1]",
        "no JSON",
        r#"{"received":"2025-09-10T09:00:00+07:00","term":1,"term_unit":"hour"}"#,
    ];
    let output = dunghen(&["due", "--batch", "-"], &questions.join("\n"));
    assert_eq!(output.status.code(), Some(3));
    let answers = lines(&output);
    assert_eq!(answers.len(), questions.len() - 1, "an empty line asks nothing");
    let refused: Vec<&Value> = answers.iter().filter(|a| a["reason"].is_string()).collect();
    let numbers: Vec<u64> = refused.iter().map(|a| a["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (3..=14).collect::<Vec<_>>());
    for (answer, word) in refused.iter().zip([
        "received: must be a date",
        "term: must be a whole number from 0 to 10000",
        "term: must be a whole number",
        "term: must be a whole number",
        "term: must be a whole number from 1 to 10000",
        "term: must be a whole number",
        "term_unit: must be one of hour, working_day, day, month",
        "term_unit: is required",
        "due: there is no such field",
        "term: the term ends after the year 9999",
        "line: the line is not a JSON object",
        "line: the line is not a JSON object",
    ]) {
        assert_eq!(answer["reason"], "FIELD_INVALID");
        assert!(answer["message"].as_str().unwrap().starts_with(word), "{answer}");
    }
    assert_eq!(answers[13]["due"], "2025-09-10T03:00:00.000Z");
    let vietnamese = dunghen(&["due", "--batch", "--lang", "vi"], "{}");
    assert!(String::from_utf8(vietnamese.stdout).unwrap().contains("bắt buộc phải có"));
}

#[test]
fn a_wrong_call_is_told_so() {
    let good = ["due", "--received", "2025-09-10", "--term", "1", "--term-unit", "day"];
    let usage = |args: &[&str], word: &str| {
        let output = dunghen(args, "");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?} {stderr}");
        assert!(stderr.contains(word), "{stderr}");
    };
    usage(&good[..5], "--term-unit");
    usage(&[&good[..6], &["week"]].concat(), "must be one of hour");
    usage(&[&good[..4], &["one"], &good[5..]].concat(), "must be a whole number");
    usage(&[&good[..], &["--batch"]].concat(), "--batch");
    usage(&[&good[..], &["file"]].concat(), "only --batch reads a file");
    usage(&[&good[..], &["--unit", " "]].concat(), "--unit");
    usage(&["due", "--batch", "--format", "table"], "JSON only");
    let output = dunghen(&["due", "--batch", "/nowhere/at all"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere/at all"));
}
