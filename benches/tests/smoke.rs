//! The tools work: every measurement once, for a moment, on little. How fast it was is nobody's concern here.

use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

const BENCHES: &str = env!("CARGO_BIN_EXE_dunghen-benches");

fn benches(args: &[&str]) -> Output {
    Command::new(BENCHES).args(args).output().expect("the tool runs")
}

fn json(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"))
}

/// A child that is gone when the test is.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(data: &std::path::Path) -> Server {
        let mut child = Command::new(BENCHES)
            .args(["__serve", "--data"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server runs");
        let mut url = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut url).expect("a line");
        Server { child, url: url.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The test is over either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What every row of a comparison must have, and the systems that some work was measured of.
fn systems(rows: &Value) -> BTreeSet<&str> {
    let rows = rows.as_array().expect("an array");
    for row in rows {
        let columns: Vec<&str> = row.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(columns, ["work", "system", "events_per_s", "p50_ms", "p99_ms", "ratio_to_file"]);
        assert!(row["events_per_s"].as_f64().is_some_and(|n| n > 0.0), "{row}");
        let work = row["work"].as_str().expect("a work");
        let writes = !work.contains("mixed")
            && ["append", "record", "batches", "4 streams"].iter().any(|begin| work.starts_with(begin));
        assert_eq!(row["ratio_to_file"].is_f64(), writes, "{row}");
        assert_eq!(row["p99_ms"].is_f64(), work != "replay of the log", "{row}");
    }
    rows.iter().map(|row| row["system"].as_str().expect("a system")).collect()
}

const OURS: [&str; 7] = [
    "dunghen, gRPC",
    "dunghen, in process",
    "empty tonic server",
    "file written over, fdatasync",
    "file, fdatasync",
    "sled, a value per event",
    "sled, frames of plain bytes",
];

#[test]
fn compare_measures_everything_and_a_peer_that_is_not_there_is_named() {
    // Beside the executable, as by default: a temporary directory may lie in memory, which is refused.
    let output = benches(&["compare", "--seconds", "0.05", "--dossiers", "300", "--format", "json"]);
    let rows = json(&output);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let systems = systems(&rows);
    for peer in ["PostgreSQL", "umadb"] {
        let skipped = stderr.lines().any(|line| line.starts_with(&format!("skipped: {peer}: ")));
        assert_ne!(systems.contains(peer), skipped, "{peer} is either measured or named as skipped: {stderr}");
    }
    let ours: Vec<&str> = systems.into_iter().filter(|system| !["PostgreSQL", "umadb"].contains(system)).collect();
    assert_eq!(ours, OURS);
    let works: BTreeSet<&str> = rows.as_array().into_iter().flatten().filter_map(|row| row["work"].as_str()).collect();
    assert_eq!(works.len(), 19, "{works:#?}");
}

#[test]
fn compare_without_peers_says_why_in_the_table() {
    let output = Command::new(BENCHES)
        .args(["compare", "--no-peers", "--seconds", "0.02", "--dossiers", "300"])
        .env("DUNGHEN_UMADB", "/nowhere/umadb")
        .output()
        .expect("the tool runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let line = |begin: &str| stdout.lines().any(|line| line.starts_with(begin));
    assert!(line("skipped: umadb: DUNGHEN_UMADB names /nowhere/umadb, which is not there"), "{stdout}");
    assert!(line("skipped: PostgreSQL: "), "{stdout}");
    assert!(line("| record, 1 in flight "), "{stdout}");
    assert!(line("record, 1 in flight: dunghen, gRPC is "), "{stdout}");
}

#[test]
fn load_of_every_kind_closed_and_open() {
    let data = tempfile::tempdir().expect("a directory");
    let server = Server::start(&data.path().join("data"));
    let common = ["load", "--server", &server.url, "--seconds", "0.3", "--warm-up", "0.1", "--format", "json"];
    let runs: [(&str, &[&str]); 9] = [
        ("unary", &["--in-flight", "4"]),
        ("unary", &["--in-flight", "4", "--rate", "100"]),
        ("batch", &["--batch", "50", "--connections", "2"]),
        ("batch", &["--work", "batch", "--batch", "10", "--rate", "500"]),
        ("stream", &["--work", "stream", "--connections", "2", "--in-flight", "64"]),
        ("stream", &["--work", "stream", "--rate", "200"]),
        ("queries", &["--work", "queries", "--in-flight", "2"]),
        ("queries", &["--work", "queries", "--rate", "50"]),
        ("mixed", &["--work", "mixed", "--rate", "100", "--questions", "50", "--in-flight", "4"]),
    ];
    for (work, more) in runs {
        let report = json(&benches(&[&common, more].concat()));
        assert_eq!(report["work"], work, "{more:?}: {report}");
        let parts: &[(&Value, &str)] = match work {
            "queries" => &[(&report, "answers")],
            "mixed" => &[(&report, "events"), (&report["queries"], "answers")],
            _ => &[(&report, "events")],
        };
        for (part, counted) in parts {
            let done = part[counted].as_u64().expect("a count");
            assert!(done > 0 && part["max_ms"].as_f64() >= part["p50_ms"].as_f64(), "{more:?}: {report}");
            if let Some(at) = more
                .iter()
                .position(|a| *a == if *counted == "answers" && work == "mixed" { "--questions" } else { "--rate" })
            {
                // By the schedule, each of the calls that are due is made, neither fewer nor more.
                let rate: f64 = more[at + 1].parse().expect("a rate");
                assert_eq!(done, (rate * 0.3) as u64, "{more:?}: {report}");
            }
        }
        if work != "queries" {
            let lost = [&report["refused"], &report["errors"], &report["not_sent"]];
            assert_eq!(lost, [&Value::from(0); 3], "{more:?}: {report}");
        }
    }
}

#[test]
fn the_same_seed_sends_the_same_dossiers() {
    let data = tempfile::tempdir().expect("a directory");
    let server = Server::start(&data.path().join("data"));
    let run = || {
        let args = ["--seed", "7", "--seconds", "0.2", "--warm-up", "0", "--rate", "50", "--format", "json"];
        json(&benches(&[&["load", "--server", &server.url][..], &args].concat()))
    };
    let first = run();
    assert_eq!((&first["events"], &first["refused"]), (&10.into(), &0.into()), "{first}");
    // The ids are the same and the times are not: the log knows each of these dossiers already.
    let second = run();
    assert_eq!((&second["events"], &second["refused"]), (&0.into(), &10.into()), "{second}");
}

#[test]
fn a_soak_says_lines_and_a_verdict() {
    let args = ["soak", "--minutes", "0.04", "--rate", "100", "--questions", "20", "--format", "json"];
    let output = benches(&args);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let said: Vec<Value> = stdout.lines().map(|l| serde_json::from_str(l).expect("a line of JSON")).collect();
    assert_eq!(said.len(), 9, "{stdout}");
    let (verdict, lines) = said.split_last().expect("a verdict");
    for line in lines {
        assert!(line["p99_ms"].as_f64() > Some(0.0) && line["resident_bytes"].as_u64() > Some(1 << 20), "{line}");
    }
    assert_eq!(verdict["acknowledged"], 240, "{verdict}");
    assert_eq!(verdict["in_the_log"], 240, "{verdict}");
    let flat = [&verdict["p99_flat"], &verdict["memory_flat"]].iter().all(|f| f.as_bool() == Some(true));
    assert_eq!(output.status.success(), flat, "{verdict}");
}

#[test]
fn allocations_are_counted_for_each_event() {
    let report = json(&benches(&["allocations", "--groups", "3", "--group", "100", "--format", "json"]));
    assert_eq!(report["events"], 300);
    // Each event is at least stored once, and no event takes a megabyte.
    let range = |name: &str, range: std::ops::Range<f64>| report[name].as_f64().is_some_and(|n| range.contains(&n));
    assert!(range("allocations_per_event", 1.0..1000.0), "{report}");
    assert!(range("bytes_per_event", 32.0..1_000_000.0), "{report}");
}

#[test]
fn dues_of_every_kind() {
    let rows = json(&benches(&["due", "--seconds", "0.01", "--format", "json"]));
    let rows = rows.as_array().expect("an array");
    assert_eq!(rows.len(), 5);
    for row in rows {
        assert!(
            row["dues"].as_u64().is_some_and(|n| n >= 4096) && row["ns"].as_f64().is_some_and(|ns| ns > 0.0),
            "{row}"
        );
    }
}

#[test]
fn decisions_of_every_kind() {
    let rows = json(&benches(&["decide", "--seconds", "0.01", "--format", "json"]));
    let rows = rows.as_array().expect("an array");
    assert_eq!(rows.len(), 5);
    for row in rows {
        assert!(row["runs"].as_u64() > Some(0) && row["median_ns"].as_f64() > Some(0.0), "{row}");
    }
}

#[test]
fn load_without_a_server_fails() {
    let output = benches(&["load", "--server", "http://127.0.0.1:1", "--seconds", "0.1"]);
    assert!(!output.status.success());
}

#[test]
fn questions_about_rates_are_answered_in_both_ways() {
    let measured =
        json(&benches(&["rates", "--dossiers", "3000", "--changed", "10", "--seconds", "0", "--format", "json"]));
    assert_eq!(measured["margins"]["dossiers"], 3_000);
    let rows = measured["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 9);
    for row in rows {
        assert!(row["groups"].as_u64().is_some_and(|n| n > 0), "{row}");
        for time in ["margins_p50_ms", "margins_p99_ms", "scan_p50_ms", "scan_p99_ms"] {
            assert!(row[time].as_f64().is_some_and(|ms| ms > 0.0), "{row}");
        }
    }
}
