//! How often the path of bytes asks for memory: counted, since every request is paid for with each event.
//!
//! The counts are exact and the same in every run. The allocator of this binary counts the requests of the thread that
//! measures; it knows nothing of what they are for.

#![allow(clippy::unwrap_used)]

mod common;

use common::{at, code, date, id, identity, memory};
use dunghen_engine::dossier::{Due, Event, Flags, Outcome, Reckoned, Statement};
use dunghen_engine::log::{Log, Records};
use dunghen_engine::record::{Decoder, Record};
use std::cell::Cell;
use std::sync::Arc;

#[allow(unsafe_code, reason = "an allocator is unsafe by its trait; see the comments")]
mod counting {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        pub(super) static REQUESTS: Cell<usize> = const { Cell::new(0) };
    }

    struct Counting;

    #[global_allocator]
    static COUNTING: Counting = Counting;

    fn count() {
        // A thread that ends has no counter any more; nobody measures it.
        let _ = REQUESTS.try_with(|requests| requests.set(requests.get() + 1));
    }

    // SAFETY: every call is handed to the system's allocator as it came, and its answer back; the counter is a plain
    // cell of the thread, whose first use asks for no memory, so that no call leads back here.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count();
            // SAFETY: the caller keeps the contract of `alloc`, which is the system's.
            unsafe { System.alloc(layout) }
        }
        unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
            // SAFETY: `memory` came from the system's allocator, as everything here does.
            unsafe { System.dealloc(memory, layout) }
        }
        unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            count();
            // SAFETY: as in `dealloc`.
            unsafe { System.realloc(memory, layout, size) }
        }
    }
}

/// How often `run` asks for memory, and what it gives.
fn counted<T>(run: impl FnOnce() -> T) -> (usize, T) {
    let before = counting::REQUESTS.with(Cell::get);
    let given = run();
    (counting::REQUESTS.with(Cell::get) - before, given)
}

const GROUP: usize = 1000;

/// A group as desks send it: receptions, forwards and ends of many dossiers.
fn group(first: u64) -> Vec<Record> {
    let record = |n: u64| Record {
        position: first + n,
        recorded_at: at("2025-09-10T02:00:00Z").plus(n as i64),
        dossier_version: 1 + (n % 3) as u32,
        previous: (!n.is_multiple_of(3)).then_some((first + n).saturating_sub(7 + n % 50)),
        author: code(""),
        flags: Flags::default(),
        reckoned: Reckoned::default(),
        statement: Statement {
            event_id: id(first + n),
            dossier: code(&format!("H29.22.{:02}-250910-{n:04}", n % 20)),
            occurred_at: at("2025-09-10T01:59:00Z").plus(n as i64),
            desk: Some(code(&format!("H29.22.{:02}-Q{}", n % 20, n % 4))),
            actor: Some(code(&format!("CB{:03}", n % 40))),
            event: match n % 3 {
                0 => Event::Received {
                    unit: code(&format!("H29.22.{:02}", n % 20)),
                    procedure: Some(code("1.004211")),
                    field: Some(code("Mỹ phẩm")),
                    channel: Some(code("online")),
                    due: Some(Due::Date(date("2025-09-17"))),
                    applicant_kind: None,
                },
                1 => Event::Forwarded { to_unit: code("H29.22.05"), step_due: None },
                _ => Event::Processed { outcome: Outcome::Granted },
            },
        },
    };
    (0..GROUP as u64).map(record).collect()
}

#[test]
fn memory_asked_for_by_a_thousand_events() {
    let home = memory();
    let log = Log::open(Box::new(Arc::clone(&home)), identity(), |_, _| Ok(())).unwrap();
    let mut records = Records::new();
    let mut encode = |group: &[Record]| {
        records.truncate(0);
        for record in group {
            records.push(|out| record.as_ref().encode(out));
        }
        log.append(&records).unwrap();
    };
    // Buffers grow to their size, and what is made once is made.
    encode(&group(0));
    let next = group(GROUP as u64);
    let (asked, ()) = counted(|| encode(&next));
    let frames = log.frames(GROUP as u64).count();
    assert!(frames > 3, "{frames} frames");
    // The frame in the map that stands for the disk, and a node of that now and then; and the copy of each frame that is kept
    // for the day on which the disk fails.
    assert!(asked <= 3 * frames + 4, "encoded, packed and appended: {asked} in {frames} frames");
    println!("encode, pack and append {GROUP} events: {asked} requests, {frames} frames");

    let (asked, read) = counted(|| log.frames(GROUP as u64).map(|held| held.unwrap().count()).sum::<usize>());
    assert_eq!(read, GROUP);
    // The frame from the map, and its payload.
    assert!(asked <= 2 * frames + 4, "opened: {asked} in {frames} frames");
    println!("open: {asked} requests");

    let mut decoder = Decoder::new();
    let mut decode = |held: &dunghen_engine::log::Held| {
        for (position, bytes) in held.iter() {
            decoder.decode(position, bytes).unwrap();
        }
    };
    let frames: Vec<_> = log.frames(0).map(Result::unwrap).collect();
    frames.iter().take_while(|held| held.first() < GROUP as u64).for_each(&mut decode);
    let (asked, ()) = counted(|| frames.iter().filter(|held| held.first() >= GROUP as u64).for_each(&mut decode));
    // The code of the dossier. Two codes that meet in what is remembered would take turns: none do here.
    assert_eq!(asked, GROUP, "decoded");
    println!("decode: {asked} requests");
}
