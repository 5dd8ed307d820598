//! `dunghen simulate`: every integer that was planted is the one that the engine answers, into a directory and through a
//! server; the same seed makes the same log.

use crate::support::{DUNGHEN, Server, answer, dunghen};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const YEAR: [&str; 4] = ["--from", "2025-02-03", "--to", "2025-11-17"];

fn simulate(target: [&str; 2], more: &[&str]) -> Value {
    let args: Vec<&str> = [&["simulate", target[0], target[1]], &YEAR[..], more].concat();
    answer(&args, 0)
}

/// Asks for each planted query and compares every planted integer, of the total and of each unit.
fn compare(planted: &Value, target: [&str; 2]) {
    let mut compared = 0;
    for query in planted["queries"].as_array().unwrap() {
        let text = |name: &str| query[name].as_str().unwrap();
        let args = ["rates", target[0], target[1], "--format", "json", "--by", "unit"];
        let of_query = ["--definition", text("definition"), "--from", text("from"), "--to", text("to"), "--as-of"];
        let args: Vec<&str> = [&args[..], &of_query, &[text("as_of")]].concat();
        let answered = answer(&args, 0);
        let mut check = |expected: &Value, actual: &Value, what: &str| {
            for (name, n) in expected.as_object().unwrap().iter().filter(|(name, _)| *name != "key") {
                assert_eq!(&actual[name], n, "{} of {what} by {}", name, text("definition"));
                compared += 1;
            }
        };
        check(&query["total"], &answered["total"], "all");
        let (expected, actual) = (query["groups"].as_array().unwrap(), answered["groups"].as_array().unwrap());
        assert_eq!(expected.len(), actual.len(), "units by {}", text("definition"));
        for (expected, actual) in expected.iter().zip(actual) {
            assert_eq!(expected["key"], actual["key"]);
            check(expected, actual, &expected["key"].to_string());
        }
    }
    assert!(compared > 6 * 16 * 40, "only {compared} integers were compared");
}

fn replay(target: [&str; 2]) -> String {
    let output = dunghen(&["replay", target[0], target[1], "--format", "ndjson"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// How often each flag stands in a replay, and how many records there are of each type.
fn tally(replay: &str) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    let (mut flags, mut types) = (BTreeMap::new(), BTreeMap::new());
    for line in replay.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        for flag in record["flags"].as_array().unwrap() {
            *flags.entry(flag.as_str().unwrap().to_owned()).or_default() += 1;
        }
        *types.entry(record["type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    (flags, types)
}

fn compare_flags(planted: &Value, replay: &str) {
    let (flags, types) = tally(replay);
    for (flag, n) in planted["flags"].as_object().unwrap() {
        assert_eq!(flags.get(flag).copied().unwrap_or(0), n.as_u64().unwrap(), "{flag}");
    }
    assert_eq!(types["Late"], planted["late_events"].as_u64().unwrap());
    assert_eq!(types.values().sum::<u64>(), planted["records"].as_u64().unwrap());
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_is_planted_is_what_is_answered() {
    let place = tempfile::tempdir().unwrap();
    let (a, b) = (place.path().join("a"), place.path().join("b"));
    let args = ["--dossiers", "5000", "--seed", "11"];
    let planted = simulate(["--into", text(&a)], &args);
    assert_eq!(planted["dossiers"], 5000);
    let total = &planted["queries"][0]["total"];
    for name in ["late", "withdrawn", "apology_in_time", "apology_late", "apology_missing", "apology_defective"] {
        assert!(total[name].as_u64().unwrap() > 0, "no {name} was planted");
    }
    compare(&planted, ["--data", text(&a)]);
    let verified = answer(&["verify", "--data", text(&a)], 0);
    assert_eq!((&verified["ok"], &verified["records"]), (&Value::Bool(true), &planted["records"]));
    let replayed = replay(["--data", text(&a)]);
    compare_flags(&planted, &replayed);
    // The same once more: the same log and the same figures; and a directory that holds a log is left alone.
    assert_eq!(simulate(["--into", text(&b)], &args), planted);
    assert!(replayed == replay(["--data", text(&b)]), "two runs with one seed differ");
    answer(&["simulate", "--into", text(&b), "--dossiers", "10"], 1);
    assert!(replayed == replay(["--data", text(&b)]));
}

/// What was decided without an engine is what an engine decides: opened to write, it adds no `Late` of that time.
#[test]
fn a_server_takes_over_a_simulated_directory_without_a_word() {
    let place = tempfile::tempdir().unwrap();
    let path = text(place.path());
    let planted = simulate(["--into", path], &["--dossiers", "1500", "--seed", "3"]);
    let server = Server::start(place.path());
    compare(&planted, ["--server", &server.url]);
    assert_eq!(server.stop(), Some(0));
    let all = replay(["--data", path]);
    let (before, after) =
        all.split_at(all.match_indices('\n').nth(planted["records"].as_u64().unwrap() as usize - 1).unwrap().0 + 1);
    compare_flags(&planted, before);
    for line in after.lines() {
        let late: Value = serde_json::from_str(line).unwrap();
        assert_eq!(late["type"], "Late");
        // Promises that passed after the simulated time; its last tick is the end of 16 November there.
        assert!(late["occurred_at"].as_str().unwrap() >= "2025-11-16T17:00:00.000Z", "{line}");
    }
}

#[test]
fn pushed_to_a_server_the_figures_are_the_same() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(place.path());
    let args = ["--dossiers", "3000", "--seed", "5", "--connections", "3"];
    let planted = simulate(["--server", &server.url], &args);
    compare(&planted, ["--server", &server.url]);
    let (flags, types) = tally(&replay(["--server", &server.url]));
    for (flag, n) in planted["flags"].as_object().unwrap() {
        assert_eq!(flags.get(flag).copied().unwrap_or(0), n.as_u64().unwrap(), "{flag}");
    }
    // The server's clock is ahead of the story: it also writes the `Late` of promises that passed since.
    assert!(types["Late"] >= planted["late_events"].as_u64().unwrap());
    // Again, and slowly: everything was there before, nothing changes.
    let again = ["--dossiers", "3000", "--seed", "5", "--rate", "20000"];
    assert_eq!(simulate(["--server", &server.url], &again), planted);
    compare(&planted, ["--server", &server.url]);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn calls_that_make_no_sense() {
    let place = tempfile::tempdir().unwrap();
    let path = text(place.path());
    for args in [
        vec!["simulate"],
        vec!["simulate", "--into", path, "--server", "x"],
        vec!["simulate", "--into", path, "--rate", "5"],
        vec!["simulate", "--into", path, "--events", "5", "--dossiers", "5"],
        vec!["simulate", "--into", path, "--from", "2025-03-01", "--to", "2025-03-01"],
        vec!["simulate", "--into", path, "--to", "9000-01-01"],
    ] {
        let output = Command::new(DUNGHEN).args(&args).env_remove("DUNGHEN_SERVER").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    assert!(std::fs::read_dir(place.path()).unwrap().next().is_none(), "nothing was made");
    let planted = simulate(["--into", path], &["--events", "20000"]);
    let records = planted["records"].as_u64().unwrap();
    assert!((19_000..=21_000).contains(&records), "{records}");
}
