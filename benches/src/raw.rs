//! The limit that everything is held against: records of 160 bytes appended to a file, `fdatasync` after each group.
//!
//! Neither ids, nor rules, nor checksums, nor a reader. A file that grows makes the file system write its length, too, at
//! each sync; so the same is also measured over a file that was written before, which is the disk alone: nothing that
//! acknowledges one group after the other can be faster than that.

use crate::Failure;
use crate::sample::Sample;
use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// About what an event of ours takes on disk before compression.
pub(crate) const RECORD_BYTES: usize = 160;
/// The length of the file that is written over.
const WRITTEN_BYTES: usize = 64 << 20;

/// Appends groups to a file that grows, for this long; a call is one group with its sync.
pub(crate) fn append(path: &Path, group: usize, time: Duration) -> Result<Sample, Failure> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.sync_all()?;
    write(&mut file, group, time, u64::MAX)
}

/// Writes groups over a file that does not grow, after a warm-up.
pub(crate) fn overwrite(path: &Path, group: usize, time: Duration) -> Result<Sample, Failure> {
    std::fs::write(path, vec![1; WRITTEN_BYTES])?;
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.sync_all()?;
    // The disk may still be busy with what was just written.
    write(&mut file, group, time / 2, WRITTEN_BYTES as u64)?;
    write(&mut file, group, time, WRITTEN_BYTES as u64)
}

fn write(file: &mut File, group: usize, time: Duration, limit: u64) -> Result<Sample, Failure> {
    let mut bytes = vec![0_u8; group * RECORD_BYTES];
    let size = bytes.len() as u64;
    let mut sample = Sample::new();
    let started = Instant::now();
    let (mut turn, mut at) = (0_u8, 0);
    while started.elapsed() < time {
        // Not the same bytes each time: some disks are quick to store what they know.
        turn = turn.wrapping_add(1);
        bytes.iter_mut().step_by(16).for_each(|b| *b = b.wrapping_mul(31).wrapping_add(turn));
        if at + size > limit {
            file.rewind()?;
            at = 0;
        }
        at += size;
        let called = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        sample.call(group as u64, called.elapsed());
    }
    sample.elapsed = started.elapsed();
    Ok(sample)
}
