//! What the path of bytes costs: encode, pack, open and decode, per event of a data directory, and how small they get.
//!
//! `cargo run --release -p dunghen-engine --example bytes -- DIRECTORY [RECORDS]` reads the first records of a log (such as
//! `dunghen simulate --into DIRECTORY` makes) and takes them through every step in memory. Time of the processor is counted,
//! and of several rounds the best: others may use the machine. It knows nothing of disks.

use dunghen_engine::dossier::fingerprint;
use dunghen_engine::log::{EventLog, Inspected, Log, LogError, MemoryLog, Records, genesis};
use dunghen_engine::record::{Decoder, Record};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::sync::Arc;

const ROUNDS: usize = 5;
const GROUPS: [usize; 4] = [1, 8, 64, 1000];

/// Nanoseconds that this thread has worked.
fn worked() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn best(events: usize, mut run: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let begin = worked();
        run();
        best = best.min(worked() - begin);
    }
    best / events as f64
}

fn load(directory: &Path, limit: usize) -> Result<Vec<Record>, Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let home = Inspected::open(directory, scratch.path())?;
    let first = dunghen_engine::directory::read_genesis(directory)?;
    let mut records = Vec::new();
    let mut decoder = Decoder::new();
    let full = LogError::Unavailable("enough".to_owned());
    let read = Log::open(Box::new(home), first, |position, bytes| {
        if records.len() == limit {
            return Err(full.clone());
        }
        let logged = decoder.decode(position, bytes).map_err(|e| LogError::Unavailable(e.to_string()))?;
        records.extend(logged.into_event());
        Ok(())
    });
    match read {
        Err(e) if e != full => Err(e.into()),
        _ => Ok(records),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("name a data directory")?;
    let limit = arguments.next().map_or(Ok(200_000), |n| n.parse())?;
    let records = load(Path::new(&directory), limit)?;
    let n = records.len();
    let encoded: Vec<Vec<u8>> = records.iter().map(Record::encode).collect();
    let bytes: usize = encoded.iter().map(Vec::len).sum();
    println!("{n} records of {:.1} bytes", bytes as f64 / n as f64);
    let mut group = Records::with_capacity(1000);
    let encode = best(n, || {
        for records in records.chunks(1000) {
            group.truncate(0);
            for record in records {
                group.push(|out| record.as_ref().encode(out));
            }
        }
    });
    println!("encode {encode:.0} ns");
    let groups: Vec<Records> = encoded.chunks(1000).map(|group| group.iter().collect()).collect();
    let decode = best(n, || {
        let mut decoder = Decoder::new();
        for (position, bytes) in (records[0].position..).zip(groups.iter().flat_map(Records::iter)) {
            assert!(decoder.decode(position, bytes).is_ok());
        }
    });
    println!("decode {decode:.0} ns");
    let compare = best(n, || {
        let all = records.iter().map(|r| fingerprint(&r.statement)).fold(0, |all, one| all ^ one);
        assert_ne!(all, 0);
    });
    println!("fingerprint {compare:.0} ns");
    for size in GROUPS {
        let groups: Vec<Records> = encoded.chunks(size).map(|group| group.iter().collect()).collect();
        let mut home = Arc::new(MemoryLog::new(genesis("bytes")));
        let pack = best(n, || {
            home = Arc::new(MemoryLog::new(genesis("bytes")));
            let log = Log::open(Box::new(Arc::clone(&home)), genesis("bytes"), |_, _| Ok(())).expect("empty");
            for group in &groups {
                log.append(group).expect("memory");
            }
        });
        let open = best(n, || {
            let mut read = 0;
            let visit = |_, bytes: &[u8]| {
                read += bytes.len();
                Ok(())
            };
            Log::open(Box::new(Arc::clone(&home)), genesis("bytes"), visit).expect("whole");
            assert_eq!(read, bytes);
        });
        let log = Log::open(Box::new(Arc::clone(&home)), genesis("bytes"), |_, _| Ok(()))?;
        let step = (n / 20_000).max(1);
        let get = best(n / step, || {
            for position in (0..n).step_by(step) {
                assert_eq!(log.get(position as u64).expect("there").len(), encoded[position].len());
            }
        });
        let (mut frames, mut stored) = (0, 0);
        for frame in home.frames(0) {
            frames += 1;
            stored += frame?.1.len();
        }
        println!(
            "groups of {size}: pack {pack:.0} ns, open {open:.0} ns, get {get:.0} ns a record, {frames} frames, {:.1} bytes",
            stored as f64 / n as f64
        );
    }
    Ok(())
}
