//! sled itself, with the same plain records as the raw file: what the engine's own log is made of, without the engine.
//!
//! It is opened and flushed as the engine does it, and by the same durable `sync_file_range` that the engine puts into
//! the process; without that sled would be measured at something that a power cut undoes.

use crate::Failure;
use crate::raw::RECORD_BYTES;
use crate::sample::Sample;
use dunghen_engine::log::sync_calls;
use sled::{Batch, Config, Db, Mode, Tree};
use std::path::Path;
use std::time::{Duration, Instant};

const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// About the largest value with which sled's memory stays bounded.
const RECORDS_A_FRAME: usize = 64;

/// What one value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// One record.
    Event,
    /// Up to [`RECORDS_A_FRAME`] records in a row, neither packed nor chained.
    Frame,
}

/// A database that records are appended to.
pub(crate) struct Appender {
    database: Db,
    tree: Tree,
    value: Value,
    bytes: Vec<u8>,
    turn: u8,
    next: u64,
}

impl Appender {
    /// Opens an empty database.
    pub(crate) fn open(path: &Path, value: Value, group: usize) -> Result<Appender, Failure> {
        let database = Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .mode(Mode::HighThroughput)
            .open()?;
        let tree = database.open_tree("frames")?;
        Ok(Appender { database, tree, value, bytes: vec![0; group * RECORD_BYTES], turn: 0, next: 0 })
    }

    /// Appends groups for this long; a call is one group with its sync.
    pub(crate) fn append(&mut self, time: Duration) -> Result<Sample, Failure> {
        let mut sample = Sample::new();
        let started = Instant::now();
        let group = (self.bytes.len() / RECORD_BYTES) as u64;
        let (syncs, mut calls) = (sync_calls(), 0);
        while started.elapsed() < time {
            // Not the same bytes each time, as with the raw file.
            self.turn = self.turn.wrapping_add(1);
            self.bytes.iter_mut().step_by(16).for_each(|b| *b = b.wrapping_mul(31).wrapping_add(self.turn));
            let called = Instant::now();
            self.append_group()?;
            let took = called.elapsed();
            // As with the engine, only the calls count as time, not making the records.
            sample.call(group, took);
            sample.elapsed += took;
            calls += 1;
        }
        match sync_calls() - syncs {
            synced if synced >= calls => Ok(sample),
            synced => Err(format!("{calls} groups and only {synced} durable syncs").into()),
        }
    }

    fn append_group(&mut self) -> Result<(), Failure> {
        let records = match self.value {
            Value::Event => 1,
            Value::Frame => RECORDS_A_FRAME,
        };
        let mut values = self.bytes.chunks(records * RECORD_BYTES);
        let first = self.next;
        self.next += (self.bytes.len() / RECORD_BYTES) as u64;
        match (values.next(), values.len()) {
            // One key is atomic by itself, and costs one sync where a batch costs two.
            (Some(value), 0) => drop(self.tree.insert(first.to_be_bytes(), value)?),
            (one, _) => {
                let mut batch = Batch::default();
                for (number, value) in one.into_iter().chain(values).enumerate() {
                    batch.insert(&(first + (number * records) as u64).to_be_bytes(), value);
                }
                self.tree.apply_batch(batch)?;
            }
        }
        self.tree.flush()?;
        Ok(())
    }

    /// Closes the database, reads it again from the disk and counts its records.
    pub(crate) fn reopened(self, path: &Path) -> Result<u64, Failure> {
        let (value, group) = (self.value, self.bytes.len() / RECORD_BYTES);
        drop(self.tree);
        drop(self.database);
        let again = open_again(path, value, group)?;
        let mut bytes = 0;
        for item in &again.tree {
            bytes += item?.1.len();
        }
        Ok((bytes / RECORD_BYTES) as u64)
    }
}

/// sled's threads hold its file for a moment after the last handle is gone.
fn open_again(path: &Path, value: Value, group: usize) -> Result<Appender, Failure> {
    for _ in 0..500 {
        match Appender::open(path, value, group) {
            Err(failure) if failure.to_string().contains("could not acquire lock") => {
                std::thread::sleep(Duration::from_millis(10));
            }
            outcome => return outcome,
        }
    }
    Err("sled does not let go of its file".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_there_after_a_new_opening() {
        let scratch = tempfile::tempdir().expect("a directory");
        for (name, value, group, values) in
            [("events", Value::Event, 100, 100), ("frames", Value::Frame, 100, 2), ("frame", Value::Frame, 64, 1)]
        {
            let path = scratch.path().join(name);
            let mut sled = Appender::open(&path, value, group).expect("opens");
            let syncs = sync_calls();
            for _ in 0..3 {
                sled.append_group().expect("appends");
            }
            assert!(sync_calls() >= syncs + 3, "{name}: not synced as the engine syncs");
            assert_eq!(sled.tree.len(), 3 * values, "{name}");
            assert_eq!(sled.reopened(&path).expect("reads"), 3 * group as u64, "{name}");
        }
    }
}
