//! What the tests share: a server as a child process, events as JSON, the command line, data that may be absent.

use dunghen::pb;
use dunghen::source::Source;
use dunghen::{json, wire};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The binary under test.
pub const DUNGHEN: &str = env!("CARGO_BIN_EXE_dunghen");

/// A child server; killed without mercy when dropped.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    /// Starts a server on a free port and waits until it says where it listens.
    pub fn start(data: &Path) -> Server {
        Server::start_with(data, &[])
    }

    pub fn start_with(data: &Path, args: &[&str]) -> Server {
        Server::start_by(Command::new(DUNGHEN), data, args)
    }

    /// By a command that runs the binary with the arguments that follow.
    pub fn start_by(mut command: Command, data: &Path, args: &[&str]) -> Server {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|w| w.starts_with("http://"));
        let url = url.unwrap_or_else(|| panic!("the server did not start: {line:?}")).to_owned();
        Server { child, url }
    }

    pub async fn connect(&self) -> Source {
        Source::connect(&self.url).await.unwrap()
    }

    /// What the server holds in memory, in MB; 0 where the system does not tell.
    pub fn resident_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|l| l.starts_with("VmRSS:"));
        line.and_then(|l| l.split_whitespace().nth(1)).and_then(|kb| kb.parse::<u64>().ok()).map_or(0, |kb| kb / 1024)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; there is nothing else to do about it in a test that is over.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the command line in English; stdin as given.
pub fn dunghen(args: &[&str], stdin: &str) -> Output {
    dunghen_in("C.UTF-8", args, stdin)
}

/// The same in the language of a locale, which nothing else in the environment overrules.
pub fn dunghen_in(locale: &str, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(DUNGHEN)
        .args(args)
        .env("LANG", locale)
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env_remove("DUNGHEN_LANG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = stdin.to_owned();
    let writing = std::thread::spawn(move || {
        // The command may end before it has read everything: its exit code tells.
        let _ = input.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    output
}

/// Runs the command line, expects this exit code, and parses its last line as JSON.
pub fn answer(args: &[&str], code: i32) -> Value {
    let output = dunghen(args, "");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "dunghen {args:?}\n{stdout}\n{stderr}");
    stdout.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null)
}

/// An event from the contract's JSON; an id and a time are made up if it has none.
pub fn event(mut value: Value) -> pb::Event {
    let fields = value.as_object_mut().unwrap();
    fields.entry("event_id").or_insert_with(|| uuid::Uuid::now_v7().to_string().into());
    fields.entry("occurred_at").or_insert_with(|| "2025-09-03T09:00:00+07:00".into());
    match json::line(&value.to_string()) {
        json::Line::Event(statement) => wire::event(&statement),
        other => panic!("{value} is no event: {other:?}"),
    }
}

pub fn request(event: pb::Event) -> pb::RecordRequest {
    pb::RecordRequest { event: Some(event), expected_version: None }
}

/// The record of a replay that does not follow: nothing else comes then.
pub fn record_of(response: pb::ReplayResponse) -> pb::Record {
    match response.item {
        Some(pb::replay_response::Item::Record(record)) => record,
        other => panic!("{other:?} is no record"),
    }
}

/// A file of `shared/`, which the product does not depend on: skipped loudly if absent, a failure in CI.
pub fn shared(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    if file.exists() {
        return Some(file);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is absent, and this is CI", file.display());
    eprintln!("\n*** SKIPPED: {} is absent; this test checked NOTHING ***\n", file.display());
    None
}

/// A small deterministic generator (splitmix64): a test that fails can be repeated with its seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }
}
