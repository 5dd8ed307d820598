//! Makes the samples that a dictionary of frames is trained on: `engine/dictionaries/README.md` has the commands.
//!
//! `samples OUT DIRECTORY…` takes records of data directories that `dunghen simulate` made, evenly, and writes each into a
//! file of its own as it lies in a frame. The simulated province is one and invented; so that the dictionary learns what
//! records look like and not that province, most of them are moved to other provinces and their procedures get the
//! numbers of real ones. The choice depends on the bytes alone: the same directories make the same samples.

use dunghen_engine::log::{Inspected, Log, Records};
use std::path::Path;

/// How many records are taken of each directory.
const SAMPLES: usize = 8000;
const SIMULATED: &[u8] = b"H08.";
const PROVINCES: [&[u8]; 8] = [b"H08.", b"H29.", b"H26.", b"H57.", b"H17.", b"H44.", b"H36.", b"H12."];
/// The simulated procedures are those of the health sector with a 9 in front; real ones have a 1, seldom a 2 or 3.
const SIMULATED_PROCEDURE: &[u8] = b"\x089.0";
const PROCEDURES: [&[u8]; 8] =
    [b"\x089.0", b"\x081.0", b"\x081.0", b"\x081.0", b"\x081.0", b"\x082.0", b"\x082.0", b"\x083.0"];

fn replace(record: &mut [u8], from: &[u8], to: &[u8]) {
    for at in 0..record.len().saturating_sub(from.len() - 1) {
        if record[at..].starts_with(from) {
            record[at..at + from.len()].copy_from_slice(to);
        }
    }
}

fn moved(record: &[u8]) -> Vec<u8> {
    // FNV-1a: two choices that depend on all of it.
    let hash = record.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    let mut moved = record.to_vec();
    replace(&mut moved, SIMULATED, PROVINCES[(hash >> 61) as usize]);
    replace(&mut moved, SIMULATED_PROCEDURE, PROCEDURES[(hash >> 58) as usize % 8]);
    moved
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("name the directory of the samples, then the data directories")?;
    std::fs::create_dir(&out)?;
    let scratch = tempfile::tempdir()?;
    for (nth, directory) in arguments.enumerate() {
        let copy = scratch.path().join(nth.to_string());
        std::fs::create_dir(&copy)?;
        let home = Inspected::open(Path::new(&directory), &copy)?;
        let genesis = dunghen_engine::directory::read_genesis(Path::new(&directory))?;
        let mut records = Vec::new();
        let log = Log::open(Box::new(home), genesis, |_, record| {
            records.push(moved(record));
            Ok(())
        })?;
        let step = usize::try_from(log.length())? / SAMPLES;
        for (n, record) in records.iter().step_by(step.max(1)).take(SAMPLES).enumerate() {
            let sample: Records = [record].into_iter().collect();
            std::fs::write(Path::new(&out).join(format!("{nth}-{n:05}")), sample.as_bytes())?;
        }
    }
    Ok(())
}
