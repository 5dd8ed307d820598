//! What holds for every record and all bytes: a record is read as it was written, and no bytes make reading panic.
//!
//! The seed is fixed: a red run is the fault of the change under test. PROPTEST_RNG_SEED and PROPTEST_CASES explore.

#![allow(clippy::unwrap_used)]

mod common;

use common::{config, identity};
use dunghen_engine::dossier::{ApplicantKind, Code, Due, Event, Flags, Outcome, Reckoned, Statement};
use dunghen_engine::log::{Log, MemoryLog, inspect};
use dunghen_engine::record::Record;
use dunghen_engine::time::{Date, Timestamp};
use proptest::prelude::*;
use std::sync::Arc;
use uuid::Uuid;

fn text() -> impl Strategy<Value = Code> {
    prop_oneof![Just(String::new()), "\\PC{1,12}", "[A-Z0-9.-]{1,64}"].prop_map(Code::from)
}

fn some_text() -> impl Strategy<Value = Option<Code>> {
    // An empty optional text is never stored: `check` refuses it, and stored it means absence.
    prop::option::of(text().prop_filter("not empty", |t| !t.is_empty()))
}

fn any_due() -> impl Strategy<Value = Due> {
    prop_oneof![any::<i64>().prop_map(|ms| Due::Instant(Timestamp(ms))), any::<i32>().prop_map(|d| Due::Date(Date(d)))]
}

fn any_event() -> impl Strategy<Value = Event> {
    let due = || prop::option::of(any_due());
    let kind = prop::option::of(prop::sample::select(&ApplicantKind::ALL[..]));
    prop_oneof![
        (text(), some_text(), some_text(), some_text(), due(), kind).prop_map(
            |(unit, procedure, field, channel, due, applicant_kind)| Event::Received {
                unit,
                procedure,
                field,
                channel,
                due,
                applicant_kind
            }
        ),
        (some_text(), some_text()).prop_map(|(unit, reason_code)| Event::Rejected { unit, reason_code }),
        (text(), due()).prop_map(|(to_unit, step_due)| Event::Forwarded { to_unit, step_due }),
        (prop::collection::vec(text(), 0..5), some_text())
            .prop_map(|(items, reason_code)| Event::SupplementRequested { items, reason_code }),
        due().prop_map(|due| Event::Supplemented { due }),
        any::<bool>().prop_map(|stops_clock| Event::PaymentRequested { stops_clock }),
        due().prop_map(|due| Event::Paid { due }),
        prop::sample::select(&[Outcome::Granted, Outcome::Refused][..])
            .prop_map(|outcome| Event::Processed { outcome }),
        (any::<u32>(), any_due()).prop_map(|(promise, due)| Event::Late { promise, due }),
        (some_text(), some_text(), some_text(), some_text(), due()).prop_map(
            |(letter_number, reason_code, signer, sent_via, new_due)| Event::ApologySent {
                letter_number,
                reason_code,
                signer,
                sent_via,
                new_due
            }
        ),
        some_text().prop_map(|returned_via| Event::Returned { returned_via }),
        some_text().prop_map(|reason_code| Event::Withdrawn { reason_code }),
        text().prop_map(|reason_code| Event::Stopped { reason_code }),
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    let statement = (any::<u128>(), text(), any::<i64>(), some_text(), some_text(), any_event());
    let statement = statement.prop_map(|(event_id, dossier, at, desk, actor, event)| Statement {
        event_id: Uuid::from_u128(event_id),
        dossier,
        occurred_at: Timestamp(at),
        desk,
        actor,
        event,
    });
    let reckoned = (prop::option::of(any_due()), any::<bool>());
    (any::<u64>(), any::<u64>(), any::<i64>(), any::<u32>(), text(), any::<u32>(), statement, reckoned).prop_map(
        |(position, back, recorded_at, dossier_version, author, flags, statement, (due, clock_stops))| Record {
            position,
            recorded_at: Timestamp(recorded_at),
            dossier_version,
            previous: position.checked_sub(1).map(|last| back % (last.max(1))).filter(|_| back % 5 != 0),
            author,
            flags: Flags(flags),
            reckoned: Reckoned { due, clock_stops },
            statement,
        },
    )
}

/// Opens, inspects and reads a log of these frames in every way; only errors may come of it.
fn read_everything(frames: &[(u64, Vec<u8>)]) -> Result<(), TestCaseError> {
    let log = Arc::new(MemoryLog::new(identity()));
    let open = |visit: &mut dyn FnMut(u64, &[u8])| {
        Log::open(Box::new(Arc::clone(&log)), identity(), |position, bytes| {
            visit(position, bytes);
            Ok(())
        })
    };
    let opened_before = open(&mut |_, _| {}).unwrap();
    log.tamper(|stored| stored.extend(frames.iter().cloned()));
    let _ = open(&mut |position, bytes| drop(Record::decode(position, bytes)));
    let (_, findings) = inspect(&*log, identity(), |position, bytes, _| drop(Record::decode(position, bytes)));
    // The head of this log knows of no record, so frames that chain from its identity are no damage.
    let chained = frames.iter().all(|(_, bytes)| bytes.get(12..44) == Some(&identity()[..]));
    prop_assert!(chained || !findings.is_empty());
    for from in [0, 1, 7, u64::MAX - 1, u64::MAX] {
        drop(opened_before.read(from).collect::<Vec<_>>());
        drop(opened_before.get(from));
    }
    Ok(())
}

/// Bytes that pass the checksum at this position.
fn sealed(first: u64, mut body: Vec<u8>) -> Vec<u8> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&first.to_be_bytes());
    crc.update(&body);
    body.extend(crc.finalize().to_le_bytes());
    body
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_record_is_read_as_it_was_written(record in any_record()) {
        let bytes = record.encode();
        let read = Record::decode(record.position, &bytes).unwrap();
        prop_assert_eq!(&read, &record);
        prop_assert_eq!(record.encode(), bytes, "one record, one encoding");
    }

    #[test]
    fn no_bytes_make_decoding_panic(
        record in any_record(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        position in any::<u64>(),
    ) {
        let _ = Record::decode(position, &noise);
        let mut bytes = record.encode();
        for (at, with) in flips {
            *at.get_mut(&mut bytes) ^= with;
            let _ = Record::decode(position, &bytes);
        }
        bytes.truncate(cut.index(bytes.len()));
        let _ = Record::decode(position, &bytes);
    }

    #[test]
    fn no_frame_makes_opening_panic(
        noise in prop::collection::vec(any::<u8>(), 0..120),
        compression in 0..4_u8,
        count in prop_oneof![0..5_u32, any::<u32>()],
        length in prop_oneof![0..120_u32, any::<u32>(), Just(1 << 20)],
        payload in prop_oneof![
            prop::collection::vec(0..6_u8, 0..120),
            prop::collection::vec(any::<u8>(), 0..120),
            prop::collection::vec(Just(0xff_u8), 0..12),
        ],
        chained in any::<bool>(),
        first in prop_oneof![3 => Just(0_u64), 1 => 0..9_u64, 1 => u64::MAX - 6..=u64::MAX],
        second in prop_oneof![0..9_u64, u64::MAX - 6..=u64::MAX],
    ) {
        read_everything(&[(0, noise.clone())])?;
        let mut body = vec![1, compression, 0, 0];
        let fitting = payload.len() as u32;
        for (count, length) in [(count, length), (count, fitting), (1, fitting), (fitting, fitting)] {
            body.truncate(4);
            body.extend(count.to_le_bytes());
            body.extend(length.to_le_bytes());
            body.extend(if chained { identity() } else { [3; 32] });
            body.extend(&payload);
            read_everything(&[(first, sealed(first, body.clone())), (second, sealed(second, body.clone()))])?;
        }
        read_everything(&[(first, sealed(first, noise))])?;
    }
}
