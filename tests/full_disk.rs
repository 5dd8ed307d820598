//! A real server on a disk that gets full: what its callers are told, what still works, and that it goes on with all it
//! acknowledged when there is space again. Twice: with a limit on the size of files, which needs no rights, and on a
//! small file system, for which the test must be root.

use crate::support::{DUNGHEN, Dice, Server, answer, dunghen_in, event, record_of, request};
use dunghen::messages::Lang;
use dunghen::pb;
use dunghen::source::Source;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt;

/// A place for a data directory with room for its journal of 4 MB and as much again, until there is more.
enum Place {
    /// No file may become larger; a write beyond says `File too large`.
    Limited(tempfile::TempDir),
    /// A file system of its own; a write beyond says `No space left on device`.
    Mounted { path: PathBuf, _home: tempfile::TempDir },
}

impl Place {
    fn limited() -> Place {
        Place::Limited(tempfile::tempdir().unwrap())
    }

    /// `None` if this process may not mount.
    fn mounted() -> Option<Place> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("mounted");
        std::fs::create_dir(&path).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8300k", "none"]).arg(&path).output();
        mount.is_ok_and(|o| o.status.success()).then_some(Place::Mounted { path, _home: home })
    }

    fn data(&self) -> PathBuf {
        match self {
            Place::Limited(home) => home.path().join("data"),
            Place::Mounted { path, .. } => path.join("data"),
        }
    }

    /// What the system says when there is no room.
    fn says(&self) -> &'static str {
        match self {
            Place::Limited(_) => "File too large",
            Place::Mounted { .. } => "No space left on device",
        }
    }

    /// Runs the binary in want of room.
    fn command(&self) -> Command {
        match self {
            Place::Limited(_) => {
                // In blocks of 512 bytes. A process that exceeds it is killed unless it ignores the signal.
                let mut command = Command::new("sh");
                command.args(["-c", "trap '' XFSZ; ulimit -f 16384; exec \"$0\" \"$@\"", DUNGHEN]);
                command
            }
            Place::Mounted { .. } => Command::new(DUNGHEN),
        }
    }

    /// There is room again, for whoever is started without [`Place::command`].
    fn make_room(&self) {
        if let Place::Mounted { path, .. } = self {
            let mount = Command::new("mount").args(["-o", "remount,size=100m"]).arg(path).status().unwrap();
            assert!(mount.success());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Place::Mounted { path, .. } = self {
            // A server that a failed test left behind may hold it; lazily it goes with that server.
            let unmounted = Command::new("umount").arg("-l").arg(&*path).status();
            assert!(unmounted.is_ok_and(|s| s.success()) || std::thread::panicking(), "{} stays", path.display());
        }
    }
}

/// Health is told within a moment.
async fn is_in_health(source: &Source, service: &str, status: ServingStatus) {
    let Source::Remote(channel) = source else { unreachable!("connected") };
    for _ in 0..100 {
        let request = HealthCheckRequest { service: service.to_owned() };
        if HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner().status() == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{service} is not {status:?}");
}

/// All events that are sent, by their id, with the position where they were acknowledged.
struct Desk {
    dice: Dice,
    sent: BTreeMap<String, (pb::Event, Option<u64>)>,
}

impl Desk {
    /// A reception and a wide request for papers; what no compression makes shorter.
    fn say(&mut self) -> Vec<pb::Event> {
        let code = format!("H44.22-{}", self.sent.len());
        let items: Vec<String> =
            (0..60).map(|_| format!("{:032x}{:032x}", self.dice.roll(), self.dice.roll())).collect();
        let events = vec![
            event(json!({"dossier": code, "type": "Received", "unit": "H44.22"})),
            event(json!({"dossier": code, "type": "SupplementRequested", "items": items})),
        ];
        for event in &events {
            self.sent.insert(event.event_id.clone(), (event.clone(), None));
        }
        events
    }

    async fn send(&mut self, source: &Source, events: &[pb::Event]) -> Result<(), tonic::Status> {
        for event in events {
            let receipt = source.record(request(event.clone())).await?.receipt.unwrap();
            let known = &mut self.sent.get_mut(&receipt.event_id).unwrap().1;
            assert!(known.is_none_or(|position| position == receipt.position), "{receipt:?} was at {known:?}");
            *known = Some(receipt.position);
        }
        Ok(())
    }

    fn acknowledged(&self) -> u64 {
        self.sent.values().filter(|(_, position)| position.is_some()).count() as u64
    }

    /// Everything acknowledged is in the log where it was; how many records there are.
    async fn is_there(&self, source: &Source) -> u64 {
        let mut records = source.replay(pb::ReplayRequest::default()).await.unwrap();
        let mut found = BTreeMap::new();
        while let Some(record) = records.next().await {
            let record = record_of(record.unwrap());
            assert_eq!(record.position, found.len() as u64);
            assert_eq!(found.insert(record.event.unwrap().event_id, record.position), None, "nothing is there twice");
        }
        for (id, (_, position)) in &self.sent {
            assert!(position.is_none() || found.get(id) == position.as_ref(), "{id} was acknowledged at {position:?}");
        }
        found.len() as u64
    }
}

fn verify(data: &Path) {
    let verified = answer(&["verify", "--data", data.to_str().unwrap(), "--format", "json"], 0);
    assert_eq!(verified["ok"], json!(true), "{verified}");
}

async fn gets_full(place: &Place) {
    let data = place.data();
    let mut desk = Desk { dice: Dice(7), sent: BTreeMap::new() };
    let server = Server::start_by(place.command(), &data, &[]);
    let source = server.connect().await;
    let refused = loop {
        let events = desk.say();
        if let Err(refused) = desk.send(&source, &events).await {
            break refused;
        }
        assert!(desk.sent.len() < 10_000, "the disk does not get full");
    };
    assert!(desk.acknowledged() > 20, "{} events were acknowledged before", desk.acknowledged());

    // The caller is told what happened and what to do, in both languages.
    let reason = refused.get_details_error_info().unwrap().reason;
    assert_eq!((refused.code(), reason.as_str()), (Code::Unavailable, "LOG_UNAVAILABLE"), "{refused:?}");
    let told = refused.message();
    assert!(told.contains(place.says()) && told.contains("restarted") && told.contains("send it again"), "{told}");
    let vietnamese = Source::connect_in(&server.url, Lang::Vi).await.unwrap();
    let events = desk.say();
    let refused = desk.send(&vietnamese, &events).await.unwrap_err();
    let told = refused.message();
    assert!(told.contains(place.says()) && told.contains("khởi động lại") && told.contains("hãy gửi lại"), "{told}");
    assert_eq!(refused.code(), Code::Unavailable);

    // Health says so, and questions are answered.
    is_in_health(&source, "", ServingStatus::NotServing).await;
    is_in_health(&source, "dunghen.v1.DeskService", ServingStatus::NotServing).await;
    is_in_health(&source, "dunghen.v1.SupervisorService", ServingStatus::Serving).await;
    let (acknowledged, records) = (desk.acknowledged(), desk.is_there(&source).await);
    assert_eq!(records, acknowledged, "what was not acknowledged is not shown");
    let rates = pb::GetRatesRequest { definition: "resolved".into(), ..Default::default() };
    let received = source.get_rates(rates).await.unwrap().total.unwrap().received;
    assert_eq!(received, acknowledged.div_ceil(2));
    let last = format!("H44.22-{}", (received - 1) * 2);
    let dossier = pb::GetDossierRequest { dossier: last, ..Default::default() };
    assert!(!source.get_dossier(dossier).await.unwrap().history.is_empty());
    assert_eq!(server.stop(), Some(1), "the stop is not clean");

    // A restart in want of room serves, or says why not and what to do; either way it harms nothing.
    for _ in 0..2 {
        let mut again = place
            .command()
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .env("LANG", "C.UTF-8")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(again.stdout.take().unwrap()), &mut line).unwrap();
        if line.contains("http://") {
            again.kill().unwrap();
            again.wait().unwrap();
            println!("{}: a restart served", place.says());
            continue;
        }
        let output = again.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        println!("{}: a restart said: {said}", place.says());
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(place.says()), "{said}");
    }

    // With room it goes on: what was refused is sent again, and each event is there once.
    place.make_room();
    verify(&data);
    let server = Server::start(&data);
    let source = server.connect().await;
    is_in_health(&source, "", ServingStatus::Serving).await;
    assert!(desk.is_there(&source).await >= acknowledged);
    // Ids grow with the time at which they were made, so this is the order in which all was sent.
    let all: Vec<pb::Event> = desk.sent.values().map(|(event, _)| event.clone()).collect();
    desk.send(&source, &all).await.unwrap();
    assert_eq!(desk.is_there(&source).await, all.len() as u64);
    assert_eq!(server.stop(), Some(0));
    verify(&data);
    let dossier = dunghen_in("C.UTF-8", &["dossier", "H44.22-0", "--data", data.to_str().unwrap()], "");
    assert!(dossier.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_files_may_not_grow() {
    gets_full(&Place::limited()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_a_full_file_system() {
    match Place::mounted() {
        Some(place) => gets_full(&place).await,
        // The other test has seen the same with a limit, so that CI may go on without the right to mount.
        None => eprintln!("\n*** SKIPPED: no right to mount a file system; this test checked NOTHING ***\n"),
    }
}
