//! Corrections as a clerk makes them: a line of NDJSON, and a dossier under a wrong code.

use crate::support::{answer, dunghen};
use serde_json::{Value, json};

const ID: &str = "0198c0de-0000-7000-8000-00000000";

fn line(n: u32, dossier: &str, event_type: &str, more: Value) -> String {
    let mut event = json!({
        "event_id": format!("{ID}{n:04}"), "dossier": dossier, "type": event_type,
        "occurred_at": format!("2025-09-03T09:{n:02}:00+07:00"),
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event.to_string() + "\n"
}

fn record(data: &str, lines: &str) -> Vec<Value> {
    let output = dunghen(&["record", "--data", data], lines);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn replay(data: &str) -> String {
    String::from_utf8(dunghen(&["replay", "--data", data], "").stdout).unwrap()
}

#[test]
fn a_slip_is_mended_and_the_original_stays_readable() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data").display().to_string();
    let late = json!({"target_event_id": format!("{ID}0002"), "reason_code": "slip", "replacement":
        {"type": "Processed", "occurred_at": "2025-09-10T16:00:00+07:00", "outcome": "refused", "desk": "Q3"}});
    let lines = line(1, "D", "Received", json!({"unit": "H44", "due_date": "2025-09-10"}))
        + &line(2, "D", "Processed", json!({"occurred_at": "2025-09-12T09:00:00+07:00"}))
        + &line(3, "D", "Corrected", late);
    let receipts = record(&data, &lines);
    assert_eq!(receipts.last().unwrap()["position"], 3, "behind the Late that the Processed owed");
    let rates = answer(&["rates", "--data", &data, "--definition", "resolved"], 0);
    assert_eq!((&rates["total"]["on_due"], &rates["total"]["late"]), (&json!(1), &json!(0)));
    let history = replay(&data);
    let records: Vec<Value> = history.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(records[2]["type"], "Processed");
    assert_eq!(records[2]["occurred_at"], "2025-09-12T02:00:00.000Z", "as it was told first");
    assert_eq!(records[3]["replacement"]["occurred_at"], "2025-09-10T09:00:00.000Z");
    assert_eq!(
        (&records[3]["replacement"]["desk"], &records[3]["replacement"]["outcome"]),
        (&json!("Q3"), &json!("refused"))
    );
    // A replayed log is recorded elsewhere with the same figures, corrections and all.
    let other = directory.path().join("other").display().to_string();
    record(&other, &history);
    let again = answer(&["rates", "--data", &other, "--definition", "resolved"], 0);
    assert_eq!(again["total"], rates["total"]);
    assert_eq!(answer(&["verify", "--data", &other], 0)["ok"], true);
}

#[test]
fn a_wrong_code_is_mended() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data").display().to_string();
    let annul = json!({"target_event_id": format!("{ID}0003"), "reason_code": "slip", "annul": true});
    let lines = line(1, "WRONG", "Received", json!({"unit": "H44", "due_date": "2025-09-10"}))
        + &line(2, "WRONG", "SupplementRequested", json!({"items": ["01"]}))
        + &line(3, "WRONG", "Withdrawn", json!({}))
        + &line(4, "WRONG", "Corrected", annul)
        + &line(5, "WRONG", "Supplemented", json!({"due_date": "2025-09-12"}))
        + &line(6, "TAKEN", "Received", json!({"unit": "H44"}));
    record(&data, &lines);
    let before = replay(&data);
    // Under a code that is taken nothing is done.
    let refused = dunghen(&["rekey", "WRONG", "TAKEN", "--data", &data], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("DOSSIER_EXISTS"), "{refused:?}");
    let lates = |text: &str| text.lines().filter(|l| !l.contains("\"Late\"")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lates(&replay(&data)), lates(&before));

    assert_eq!(answer(&["rekey", "WRONG", "RIGHT", "--data", &data], 0)["events"], 3);
    let right = answer(&["dossier", "RIGHT", "--data", &data, "--format", "json"], 0);
    assert_eq!(right["promises"].as_array().unwrap().len(), 1);
    let types: Vec<&str> = right["history"].as_array().unwrap().iter().map(|r| r["type"].as_str().unwrap()).collect();
    assert_eq!(types[..3], ["Received", "SupplementRequested", "Supplemented"], "what was annulled is not told again");
    let total = answer(&["rates", "--data", &data, "--definition", "received"], 0);
    assert_eq!(total["total"]["received"], 2, "RIGHT and TAKEN");
    let wrong = answer(&["dossier", "WRONG", "--data", &data, "--format", "json"], 0);
    assert!(wrong["history"].as_array().unwrap().len() >= 8, "the wrong one stays readable");
    let again = dunghen(&["rekey", "WRONG", "RIGHT", "--data", &data], "");
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("no event of dossier WRONG stands"), "{again:?}");
    // The wrong code is free again.
    record(&data, &line(7, "WRONG", "Received", json!({"unit": "H44"})));
}
