//! A server under load is killed again and again; what it acknowledged is there, once.

use crate::support::{Dice, Server, answer, event, record_of, request};
use dunghen::pb;
use dunghen::source::Source;
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_stream::StreamExt;

const KILLS: usize = 100;
const WRITERS: u64 = 4;

/// What the senders hold in hand: the id of each acknowledged event, with its position.
type Receipts = Arc<Mutex<HashMap<String, u64>>>;

fn note(receipts: &Receipts, receipt: &pb::Receipt) {
    let before = receipts.lock().unwrap().insert(receipt.event_id.clone(), receipt.position);
    assert!(before.is_none_or(|p| p == receipt.position), "{receipt:?} was at {before:?} before");
}

/// Sends single events and batches until the server dies. What was sent last without an answer is returned: the next
/// life of the server gets it again, as a desk would do it.
async fn write(source: Source, receipts: Receipts, mut dice: Dice, again: Vec<pb::Event>) -> Vec<pb::Event> {
    let mut waiting = again;
    loop {
        if waiting.is_empty() {
            let code = format!("H44.22-{:016x}", dice.roll());
            waiting = vec![
                event(json!({"dossier": code, "type": "Received", "unit": "H44.22", "due_date": "2025-09-10"})),
                event(json!({"dossier": code, "type": "SupplementRequested", "items": ["a", "b"]})),
                event(json!({"dossier": code, "type": "Supplemented", "due_date": "2025-09-12"})),
                event(json!({"dossier": code, "type": "Processed"})),
            ];
        }
        if dice.below(2) == 0 {
            let Ok(answer) = source.record(request(waiting[0].clone())).await else { return waiting };
            note(&receipts, &answer.receipt.unwrap());
            waiting.remove(0);
        } else {
            let events = waiting.iter().map(|e| pb::BatchEvent { event: Some(e.clone()), expected_version: None });
            let mode = if dice.below(2) == 0 { pb::BatchMode::Atomic } else { pb::BatchMode::Each };
            let batch = pb::RecordBatchRequest { events: events.collect(), mode: mode.into(), imported: false };
            let Ok(answer) = source.record_batch(batch).await else { return waiting };
            for result in answer.results {
                match result.result.unwrap() {
                    pb::record_result::Result::Receipt(receipt) => note(&receipts, &receipt),
                    pb::record_result::Result::Refusal(refusal) => panic!("{refusal:?}"),
                }
            }
            waiting.clear();
        }
    }
}

/// Replays everything and compares it with the receipts.
async fn check(source: &Source, receipts: &Receipts) -> u64 {
    let mut records = source.replay(pb::ReplayRequest::default()).await.unwrap();
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut next = 0;
    while let Some(record) = records.next().await {
        let record = record_of(record.unwrap());
        assert_eq!(record.position, next, "positions have no gap");
        next += 1;
        let event = record.event.unwrap();
        let twice = seen.insert(event.event_id.clone(), record.position);
        assert_eq!(twice, None, "{} is there twice", event.event_id);
    }
    for (id, position) in receipts.lock().unwrap().iter() {
        assert_eq!(seen.get(id), Some(position), "the acknowledged event {id} is lost or moved");
    }
    next
}

fn verify(data: &Path) {
    let verified = answer(&["verify", "--data", data.to_str().unwrap(), "--format", "json"], 0);
    assert_eq!(verified["ok"], json!(true), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_events_survive_a_hundred_kills() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let seed = 20_250_903;
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let receipts = Receipts::default();
    let mut again: Vec<Vec<pb::Event>> = vec![Vec::new(); usize::try_from(WRITERS).unwrap()];
    let mut in_load = 0;
    for kill in 0..KILLS {
        let mut server = Server::start(&data);
        let mut writers = Vec::new();
        for waiting in again.drain(..) {
            let source = server.connect().await;
            writers.push(tokio::spawn(write(source, Arc::clone(&receipts), Dice(dice.roll()), waiting)));
        }
        let before = receipts.lock().unwrap().len();
        tokio::time::sleep(Duration::from_micros(dice.below(120_000))).await;
        server.kill();
        for writer in writers {
            again.push(writer.await.unwrap());
        }
        in_load += usize::from(receipts.lock().unwrap().len() > before);
        if kill % 25 == 24 {
            verify(&data);
        }
    }
    let server = Server::start(&data);
    let records = check(&server.connect().await, &receipts).await;
    assert_eq!(server.stop(), Some(0));
    verify(&data);
    let acknowledged = receipts.lock().unwrap().len();
    println!(
        "{KILLS} kills, {in_load} of them with events acknowledged in that life; {acknowledged} acknowledged, {records} records"
    );
    assert!(in_load > KILLS / 2, "most kills must hit a server at work");
}
