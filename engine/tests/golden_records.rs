//! What version 0.1.0 stored is read for ever, field by field: one record of each type, and a small data directory.
//!
//! The files in `engine/golden` were made once by the generators below and are never made anew: a test that fails here
//! has found that logs in the field can no longer be read.

#![allow(clippy::unwrap_used)]

mod common;

use common::{HOUR, TestClock, answered, asked, at, code, command, date, letter, options, processed, received, send};
use dunghen_engine::dossier::{
    ApplicantKind, Code, Command, Due, Event, EventType, Flags, Outcome, Restated, Statement,
};
use dunghen_engine::record::Record;
use dunghen_engine::rules::DEFINITIONS;
use dunghen_engine::time::{Timestamp, Zone};
use dunghen_engine::views::{Filter, GroupKey, Moment, RatesQuery};
use dunghen_engine::{Engine, Options, Purpose, ReplayFilter, verify};
use std::path::{Path, PathBuf};
use uuid::Uuid;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn text(text: &str) -> Option<Code> {
    Some(code(text))
}

fn instant(text: &str) -> Option<Due> {
    Some(Due::Instant(at(text)))
}

fn day(text: &str) -> Option<Due> {
    Some(Due::Date(date(text)))
}

/// Each type with every field set; a second one where a field has two forms.
fn events() -> Vec<Event> {
    vec![
        Event::Received {
            unit: code("H29.22.01"),
            procedure: text("1.004211.000.00.00.H29"),
            field: text("Đất đai"),
            channel: text("online"),
            due: instant("2025-09-17T10:00:00.123Z"),
            applicant_kind: Some(ApplicantKind::Enterprise),
        },
        Event::Rejected { unit: text("H29.22"), reason_code: text("incomplete") },
        Event::Forwarded { to_unit: code("H29.7"), step_due: instant("1969-12-31T23:59:59.999Z") },
        Event::SupplementRequested { items: vec![code("giấy-01"), code("02")], reason_code: text("missing-paper") },
        Event::Supplemented { due: day("1969-12-30") },
        Event::PaymentRequested { stops_clock: true },
        Event::Paid { due: day("2025-09-30") },
        Event::Processed { outcome: Outcome::Refused },
        Event::Late { promise: 2, due: Due::Date(date("2025-10-01")) },
        Event::ApologySent {
            letter_number: text("12/TXL-UBND"),
            reason_code: text("objective"),
            signer: text("Phó Chủ tịch"),
            sent_via: text("sms"),
            new_due: day("9999-12-31"),
        },
        Event::Returned { returned_via: text("postal") },
        Event::Withdrawn { reason_code: text("changed-mind") },
        Event::Stopped { reason_code: code("no-legal-basis") },
        // The least that can be said.
        Event::Received {
            unit: code("H"),
            procedure: None,
            field: None,
            channel: None,
            due: day("0001-01-01"),
            applicant_kind: None,
        },
        Event::Processed { outcome: Outcome::Granted },
        Event::PaymentRequested { stops_clock: false },
        Event::Corrected {
            target_event_id: Uuid::from_u128(0x0199_2f00_0000_7abc_8def_0123_4567_8900),
            reason_code: code("wrong-dossier"),
            replacement: None,
        },
        Event::Corrected {
            target_event_id: Uuid::from_u128(0x0199_2f00_0000_7abc_8def_0123_4567_8909),
            reason_code: code("slip"),
            replacement: Some(Box::new(Restated {
                occurred_at: at("2025-09-09T23:59:59.999Z"),
                desk: text("Quầy 4"),
                actor: text("cb-0007"),
                event: Event::Stopped { reason_code: code("no-legal-basis") },
            })),
        },
    ]
}

fn records() -> Vec<Record> {
    (0..)
        .zip(events())
        .map(|(n, event)| {
            let least = n >= 13;
            Record {
                position: 1000 + n,
                recorded_at: at("2025-09-10T02:00:00.001Z").plus(n as i64),
                dossier_version: 1 + n as u32,
                previous: (n > 0).then_some(990 + n / 2),
                author: code(if least { "" } else { "cn=quầy-3,o=h29" }),
                flags: Flags(if least { 0 } else { 1 << (n % 12) | 1 }),
                statement: Statement {
                    event_id: Uuid::from_u128(0x0199_2f00_0000_7abc_8def_0123_4567_8900 + u128::from(n)),
                    dossier: code("000.00.22.H29-250910-0001"),
                    occurred_at: at("2025-09-10T01:59:59.999Z").plus(-(n as i64) * 86_400_000),
                    desk: text("Quầy 3").filter(|_| !least),
                    actor: text("cb-0042").filter(|_| !least),
                    event,
                },
            }
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(line: &str) -> Vec<u8> {
    (0..line.len() / 2).map(|i| u8::from_str_radix(&line[2 * i..2 * i + 2], 16).unwrap()).collect()
}

#[test]
#[ignore = "made the golden file once; making it anew would forget what is stored in the field"]
fn make_records() {
    let path = golden("record-v1.hex");
    assert!(!path.exists(), "{} is there", path.display());
    let lines: Vec<String> = records().iter().map(|r| format!("{} {}\n", r.position, hex(&r.encode()))).collect();
    std::fs::write(path, lines.concat()).unwrap();
}

#[test]
fn stored_records_are_read_as_they_were_meant() {
    let text = std::fs::read_to_string(golden("record-v1.hex")).unwrap();
    let stored: Vec<(u64, Vec<u8>)> = text
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(position, hex)| (position.parse().unwrap(), unhex(hex)))
        .collect();
    let expected = records();
    assert_eq!(stored.len(), expected.len());
    let types: std::collections::HashSet<EventType> = events().iter().map(Event::event_type).collect();
    assert_eq!(types.len(), EventType::ALL.len(), "every type is there");
    for ((position, bytes), expected) in stored.iter().zip(&expected) {
        let read = Record::decode(*position, bytes).unwrap();
        assert_eq!(&read, expected);
        assert_eq!(hex(&read.encode()), hex(bytes), "what is written today is what was written then");
    }
}

/// Fields that a later version adds are passed over; a type that it adds is refused, never guessed.
#[test]
fn records_of_a_later_version() {
    let record = &records()[0];
    let mut bytes = record.encode();
    // Field 15, a varint, after all others.
    bytes.extend([15 << 3, 7]);
    assert_eq!(&Record::decode(record.position, &bytes).unwrap(), record);
    let mut late = record.clone();
    late.statement.event = Event::Returned { returned_via: None };
    let mut bytes = late.encode();
    // The event is the last field: tag (30 << 3 | 2) as a varint, and length 0. Field 99 is no type of today's.
    assert_eq!(bytes.split_off(bytes.len() - 3), [0xf2, 0x01, 0x00]);
    bytes.extend([0x9a, 0x06, 0x00]);
    assert!(Record::decode(late.position, &bytes).unwrap_err().what.contains("later version"));
}

fn begin() -> Timestamp {
    at("2025-09-10T02:00:00Z")
}

/// Ten dossiers: on time, late, waiting, with letters, withdrawn, without promise, first rejected.
fn history() -> Vec<Vec<Command>> {
    let t = |hours: i64| begin().plus(hours * HOUR);
    let by = |date: &str| received(day(date));
    let events: [(&str, i64, Event); 27] = [
        ("A1", 0, by("2025-09-17")),
        ("A2", 0, by("2025-09-17")),
        ("A3", 1, by("2025-09-12")),
        ("A4", 1, received(instant("2025-09-12T03:00:00Z"))),
        ("A5", 2, by("2025-09-12")),
        ("A6", 2, received(None)),
        ("A7", 3, by("2025-09-15")),
        ("A8", 3, Event::Rejected { unit: text("H44.22"), reason_code: text("incomplete") }),
        ("A9", 4, by("2025-09-11")),
        ("A3", 5, asked()),
        ("A4", 6, Event::PaymentRequested { stops_clock: true }),
        ("A8", 7, by("2025-09-30")),
        ("A9", 8, letter(day("2025-09-15"))),
        ("A6", 9, processed()),
        ("A4", 24, Event::Paid { due: None }),
        ("A1", 30, processed()),
        ("A7", 31, Event::Withdrawn { reason_code: text("changed-mind") }),
        ("B1", 31, by("2025-09-30")),
        ("B1", 32, Event::Forwarded { to_unit: code("H44.23"), step_due: day("2025-09-20") }),
        ("A1", 33, Event::Returned { returned_via: text("postal") }),
        ("A5", 96, processed()),
        ("A3", 97, answered(day("2025-09-19"))),
        ("A9", 98, processed()),
        ("A4", 99, processed()),
        ("A9", 150, Event::Returned { returned_via: None }),
        ("B1", 151, Event::Stopped { reason_code: code("no-basis") }),
        ("A3", 200, processed()),
    ];
    let commands: Vec<Command> = (1..).zip(events).map(|(n, (d, hours, e))| command(n, d, t(hours), e)).collect();
    commands.chunks(5).map(<[Command]>::to_vec).collect()
}

fn expected_figures(engine: &Engine) -> Vec<String> {
    let mut lines = Vec::new();
    for definition in DEFINITIONS {
        let query = RatesQuery {
            definition,
            from: Some(Moment::Date(date("2025-09-10"))),
            to: None,
            as_of: Moment::Date(date("2025-09-18")),
            by: vec![GroupKey::Day],
            filter: Filter::default(),
            zone: Some(Zone::VIETNAM),
        };
        let answer = engine.rates(&query);
        let figures: Vec<String> = answer.total.named().map(|(_, n)| n.to_string()).collect();
        lines.push(format!("{} {} in {} groups", definition.id, figures.join(" "), answer.groups.len()));
    }
    lines
}

/// With the `Late` of four promises.
const RECORDS: u64 = 31;

/// Per definition the integers in the order of the contract. Worked out by hand from `history`, but for `decision-766` and
/// `first-promise`: those came later, are as this program first gave them, and must stay so.
const FIGURES: [&str; 6] = [
    "resolved 10 6 2 2 6 3 2 1 3 0 2 1 0 4 1 0 3 0 0 in 7 groups",
    "resolved-instant 10 6 2 2 6 3 2 1 3 0 2 1 0 4 1 0 3 0 0 in 7 groups",
    "decision-766 10 6 2 2 10 6 3 1 5 0 2 1 0 4 1 0 3 0 0 in 7 groups",
    "received 10 6 2 2 8 4 3 1 3 0 2 1 0 4 1 0 3 0 0 in 7 groups",
    "returned 10 6 2 2 2 2 0 0 2 0 2 1 0 4 1 0 3 0 0 in 7 groups",
    "first-promise 10 6 2 2 7 2 4 1 2 0 2 1 0 4 1 0 3 0 0 in 7 groups",
];

#[test]
#[ignore = "made the golden directory once; making it anew would forget what is stored in the field"]
fn make_directory() {
    let path = golden("directory-v1");
    assert!(!path.exists(), "{} is there", path.display());
    let clock = TestClock::at(begin());
    let engine = Engine::open(&path, options(&clock)).unwrap();
    for commands in history() {
        clock.set(commands.last().unwrap().statement.occurred_at);
        assert!(send(&engine, commands).iter().all(Result::is_ok));
    }
    engine.close().unwrap();
    assert_eq!(expected_figures(&engine), FIGURES);
    // Who held it last is nobody's business.
    std::fs::remove_file(path.join("lock")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_stored_directory_is_opened_and_answers() {
    let home = tempfile::tempdir().unwrap();
    let (data, scratch) = (home.path().join("data"), home.path().join("scratch"));
    copy(&golden("directory-v1"), &data);
    std::fs::create_dir(&scratch).unwrap();
    let verified = verify(&data, &scratch).unwrap();
    assert_eq!((verified.findings, verified.records), (vec![], RECORDS), "before anything opened it");
    let clock = TestClock::at(history().last().unwrap().last().unwrap().statement.occurred_at);
    let engine = Engine::open(&data, Options { purpose: Purpose::Read, ..options(&clock) }).unwrap();
    assert_eq!((engine.position(), engine.zone()), (RECORDS, Zone::VIETNAM));
    assert_eq!(expected_figures(&engine), FIGURES);
    let said: Vec<Statement> = engine
        .replay(ReplayFilter::default())
        .map(|r| r.unwrap().statement)
        .filter(|s| s.event.event_type() != EventType::Late)
        .collect();
    let sent: Vec<Statement> = history().concat().into_iter().map(|c| c.statement).collect();
    assert_eq!(said, sent, "every word that was said");
    drop(engine);
    // And it goes on: what was sent is known, and a new event follows.
    let engine = Engine::open(&data, options(&clock)).unwrap();
    let answers = send(&engine, history().concat());
    assert!(answers.iter().all(|a| a.as_ref().is_ok_and(|r| r.duplicate)), "{answers:?}");
    let next = send(&engine, vec![command(99, "C1", engine.now(), received(None))]).remove(0).unwrap();
    assert_eq!(next.position, RECORDS);
}
