//! The tools work: every measurement once, for a moment, on little. How fast it was is nobody's concern here.

use serde_json::Value;
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

#[test]
fn compare_measures_everything_and_every_record_is_there() {
    // Beside the executable, as by default: a temporary directory may lie in memory, which is refused.
    let output = benches(&["compare", "--seconds", "0.05", "--dossiers", "300", "--format", "json"]);
    let rows = json(&output);
    let rows = rows.as_array().expect("an array");
    assert_eq!(rows.len(), 19, "{rows:#?}");
    for row in rows {
        let columns: Vec<&str> = row.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(columns, ["work", "system", "events_per_s", "p50_ms", "p99_ms", "ratio_to_file"]);
        assert!(row["events_per_s"].as_f64().is_some_and(|n| n > 0.0), "{row}");
        let writes = ["append", "overwrite", "record", "batches"]
            .iter()
            .any(|w| row["work"].as_str().is_some_and(|n| n.starts_with(w)));
        assert_eq!(row["ratio_to_file"].is_f64(), writes, "{row}");
    }
}

#[test]
fn load_closed_and_open_alone_and_in_batches() {
    let data = tempfile::tempdir().expect("a directory");
    let server = Server::start(&data.path().join("data"));
    let common = ["load", "--server", &server.url, "--seconds", "0.3", "--format", "json", "--in-flight", "4"];
    let runs: [&[&str]; 4] =
        [&[], &["--rate", "100"], &["--batch", "50", "--connections", "2"], &["--batch", "10", "--rate", "500"]];
    for more in runs {
        let report = json(&benches(&[&common, more].concat()));
        assert!(report["events"].as_u64().is_some_and(|n| n > 0), "{more:?}: {report}");
        assert_eq!((&report["refused"], &report["errors"]), (&0.into(), &0.into()), "{more:?}: {report}");
        assert!(report["max_ms"].as_f64() >= report["p50_ms"].as_f64(), "{more:?}: {report}");
    }
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
