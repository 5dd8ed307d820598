//! A log that is slow, fails, is damaged or has a defect, as a client sees it: over gRPC, with a home of frames of the
//! test's own behind the real engine and server.

use crate::support::{event, record_of, request};
use dunghen::messages::Lang;
use dunghen::pb;
use dunghen::rules;
use dunghen::serve;
use dunghen::source::Source;
use dunghen_engine::log::{EventLog, Frames, Head, LogError, MemoryLog, genesis};
use dunghen_engine::time::Zone;
use dunghen_engine::{Engine, Purpose};
use serde_json::json;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt;

/// What the home does when asked to append.
const WORK: u8 = 0;
const FAIL: u8 = 1;
const PANIC: u8 = 2;

/// A log in memory behind a gate that can be closed, and that can be told to fail.
struct Home {
    memory: MemoryLog,
    gate: Mutex<bool>,
    opened: Condvar,
    behaviour: AtomicU8,
}

impl Home {
    fn set_gate(&self, open: bool) {
        *self.gate.lock().unwrap() = open;
        self.opened.notify_all();
    }
}

impl EventLog for Home {
    fn append(&self, frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        let gate = self.gate.lock().unwrap();
        drop(self.opened.wait_while(gate, |open| !*open).unwrap());
        match self.behaviour.load(Ordering::SeqCst) {
            FAIL => Err(LogError::Unavailable("no space left on device".to_owned())),
            PANIC => panic!("a defect, on purpose"),
            _ => self.memory.append(frames),
        }
    }
    fn frames(&self, from: u64) -> Frames<'_> {
        self.memory.frames(from)
    }
    fn head_at_open(&self) -> Head {
        self.memory.head_at_open()
    }
    fn write_head(&self, head: &Head, sync: bool) -> Result<(), LogError> {
        self.memory.write_head(head, sync)
    }
}

struct Served {
    home: Arc<Home>,
    url: String,
    source: Source,
    stop: watch::Sender<bool>,
}

impl Served {
    async fn start() -> Served {
        let home = Arc::new(Home {
            memory: MemoryLog::new(genesis("failing")),
            gate: Mutex::new(true),
            opened: Condvar::new(),
            behaviour: AtomicU8::new(WORK),
        });
        let options = rules::options(Purpose::Write);
        let engine = Engine::over(Box::new(Arc::clone(&home)), genesis("failing"), Zone::VIETNAM, options).unwrap();
        let listener = serve::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve::serve(listener, Arc::new(engine), stopped));
        let source = Source::connect(&url).await.unwrap();
        Served { home, url, source, stop }
    }

    async fn health(&self, service: &str) -> ServingStatus {
        let Source::Remote(channel) = &self.source else { unreachable!("connected") };
        let request = HealthCheckRequest { service: service.to_owned() };
        HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner().status()
    }

    /// Health is told within a moment.
    async fn wait_for(&self, service: &str, status: ServingStatus) {
        for _ in 0..100 {
            if self.health(service).await == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{service} is not {status:?}");
    }

    async fn received(&self) -> u64 {
        let question = pb::GetRatesRequest { definition: "resolved".into(), ..Default::default() };
        self.source.get_rates(question).await.unwrap().total.unwrap().received
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.home.set_gate(true);
        // The server may have ended with its runtime.
        let _ = self.stop.send(true);
    }
}

fn received(code: &str) -> pb::Event {
    event(json!({"dossier": code, "type": "Received", "unit": "H44.22"}))
}

fn reason(status: &tonic::Status) -> String {
    status.get_details_error_info().unwrap().reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_append_is_told_and_nothing_more_is_taken() {
    let served = Served::start().await;
    served.source.record(request(received("A"))).await.unwrap();
    served.home.behaviour.store(FAIL, Ordering::SeqCst);
    for code in ["B", "C"] {
        let refused = served.source.record(request(received(code))).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "LOG_UNAVAILABLE"));
        assert!(refused.message().contains("no space left on device"), "{refused:?}");
    }
    // Space coming back does not make the outcome of the failed append known.
    served.home.behaviour.store(WORK, Ordering::SeqCst);
    assert!(served.source.record(request(received("D"))).await.is_err());
    served.wait_for("", ServingStatus::NotServing).await;
    assert_eq!(served.health("dunghen.v1.DeskService").await, ServingStatus::NotServing);
    assert_eq!(served.health("dunghen.v1.SupervisorService").await, ServingStatus::Serving, "reads go on");
    assert_eq!(served.received().await, 1, "only what was acknowledged is counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_defect_of_the_writer_is_no_silent_death() {
    let served = Served::start().await;
    served.home.behaviour.store(PANIC, Ordering::SeqCst);
    let refused = served.source.record(request(received("A"))).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "LOG_UNAVAILABLE"));
    served.wait_for("", ServingStatus::NotServing).await;
    assert_eq!(served.received().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_when_to_try_again() {
    let served = Served::start().await;
    served.home.set_gate(false);
    let send = |n: usize| {
        let source = served.source.clone();
        let events =
            (0..9000).map(|i| pb::BatchEvent { event: Some(received(&format!("{n}-{i}"))), expected_version: None });
        let batch =
            pb::RecordBatchRequest { events: events.collect(), mode: pb::BatchMode::Each.into(), imported: false };
        tokio::spawn(async move { source.record_batch(batch).await })
    };
    let sent: Vec<_> = (0..5).map(send).collect();
    let mut refused = Vec::new();
    let mut waiting = Vec::new();
    for task in sent {
        // What is taken waits for the gate; what is not is told at once.
        let mut task = task;
        match tokio::time::timeout(Duration::from_secs(5), &mut task).await {
            Ok(answer) => refused.push(answer.unwrap().unwrap_err()),
            Err(_) => waiting.push(task),
        }
    }
    assert!(!refused.is_empty() && !waiting.is_empty(), "{} refused, {} wait", refused.len(), waiting.len());
    for status in &refused {
        assert_eq!((status.code(), reason(status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
        assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    }
    served.home.set_gate(true);
    let taken = waiting.len() as u64;
    for task in waiting {
        assert_eq!(task.await.unwrap().unwrap().results.len(), 9000);
    }
    assert_eq!(served.received().await, taken * 9000, "what was refused left no trace");
    served.source.record(request(received("after"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_found_while_reading_is_named() {
    let served = Served::start().await;
    for code in ["A", "B", "C"] {
        served.source.record(request(received(code))).await.unwrap();
    }
    served.home.memory.tamper(|frames| frames.get_mut(&1).unwrap()[50] ^= 1);
    let mut records = served.source.replay(pb::ReplayRequest::default()).await.unwrap();
    assert_eq!(record_of(records.next().await.unwrap().unwrap()).position, 0);
    let damaged = records.next().await.unwrap().unwrap_err();
    assert_eq!((damaged.code(), reason(&damaged).as_str()), (Code::DataLoss, "LOG_DAMAGED"));
    assert!(damaged.message().contains("position 1"), "{damaged:?}");
    assert!(records.next().await.is_none(), "nothing is served behind damage");
    // A status in the trailers of a stream speaks the language of the caller, too.
    let vietnamese = Source::connect_in(&served.url, Lang::Vi).await.unwrap();
    let mut records = vietnamese.replay(pb::ReplayRequest::default()).await.unwrap();
    assert_eq!(record_of(records.next().await.unwrap().unwrap()).position, 0);
    let damaged = records.next().await.unwrap().unwrap_err();
    assert_eq!((damaged.code(), reason(&damaged).as_str()), (Code::DataLoss, "LOG_DAMAGED"));
    assert!(damaged.message().starts_with("Nhật ký hỏng tại vị trí 1"), "{damaged:?}");
    assert_eq!(damaged.get_details_localized_message().unwrap().locale, "vi", "the first one");
    let history = pb::GetDossierRequest { dossier: "B".into(), ..Default::default() };
    assert_eq!(served.source.get_dossier(history).await.unwrap_err().code(), Code::DataLoss);
}

/// A disk that stalls for longer than a caller waits: the caller is told at its deadline, questions are answered
/// meanwhile, and what it sent, and sends again when the disk is back, is recorded once.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_waits_for_a_stalled_disk_until_its_deadline() {
    let served = Served::start().await;
    served.source.record(request(received("A"))).await.unwrap();
    served.home.set_gate(false);
    let Source::Remote(channel) = &served.source else { unreachable!("connected") };
    let sent = received("B");
    let mut asked = tonic::Request::new(request(sent.clone()));
    asked.set_timeout(Duration::from_millis(600));
    let mut desk = pb::desk_service_client::DeskServiceClient::new(channel.clone());
    let late = desk.record(asked).await.unwrap_err();
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
    assert_eq!(served.received().await, 1, "asked while the disk stalls");
    assert_eq!(served.health("").await, ServingStatus::Serving, "slow is not broken");
    served.home.set_gate(true);
    let receipt = served.source.record(request(sent)).await.unwrap().receipt.unwrap();
    assert_eq!((receipt.position, receipt.dossier_version, served.received().await), (1, 1, 2));
    assert!(receipt.duplicate, "the first was recorded when the disk was back");
}

/// Whatever thread of the server waits for the disk, others serve: on a connection that is there and on a new one. The
/// server has a runtime of its own, so that nothing of the test wakes its threads.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_served_while_the_disk_stalls_with_a_desk() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let served = runtime.spawn(Served::start()).await.unwrap();
    let asking = Source::connect(&served.url).await.unwrap();
    let recording = Source::connect(&served.url).await.unwrap();
    let question = || pb::GetRatesRequest { definition: "resolved".into(), ..Default::default() };
    let patience = Duration::from_secs(5);
    for n in 0..20_u64 {
        // From a desk that is alone, which records on the thread that serves it.
        recording.record(request(received(&format!("A{n}")))).await.unwrap();
        served.home.set_gate(false);
        let stalled = tokio::spawn({
            let recording = recording.clone();
            async move { recording.record(request(received(&format!("B{n}")))).await }
        });
        tokio::time::sleep(Duration::from_millis(n)).await;
        for source in [&asking, &recording, &Source::connect(&served.url).await.unwrap()] {
            let answer = tokio::time::timeout(patience, source.get_rates(question())).await;
            let answer = answer.unwrap_or_else(|_| panic!("no answer while the disk stalls, round {n}")).unwrap();
            assert_eq!(answer.total.unwrap().received, 2 * n + 1);
        }
        assert!(!stalled.is_finished());
        served.home.set_gate(true);
        stalled.await.unwrap().unwrap();
    }
    drop(served);
    runtime.shutdown_background();
}
