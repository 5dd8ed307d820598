//! The limit that everything is held against: records of 160 bytes appended to a file, `fdatasync` after each group.
//!
//! Neither ids, nor rules, nor checksums, nor a reader: no system that acknowledges durably on this disk, one group
//! after the other, can be faster.

use crate::Failure;
use crate::sample::Sample;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// About what an event of ours takes on disk before compression.
pub(crate) const RECORD_BYTES: usize = 160;

/// Appends groups for this long; a call is one group with its sync.
pub(crate) fn append(path: &Path, group: usize, time: Duration) -> Result<Sample, Failure> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.sync_all()?;
    let mut bytes = vec![0_u8; group * RECORD_BYTES];
    let mut sample = Sample::new();
    let started = Instant::now();
    let mut turn = 0_u8;
    while started.elapsed() < time {
        // Not the same bytes each time: some disks are quick to store what they know.
        turn = turn.wrapping_add(1);
        bytes.iter_mut().step_by(16).for_each(|b| *b = b.wrapping_mul(31).wrapping_add(turn));
        let called = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        sample.call(group as u64, called.elapsed());
    }
    sample.elapsed = started.elapsed();
    Ok(sample)
}
