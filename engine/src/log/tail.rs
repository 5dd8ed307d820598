//! The last frames of a log, kept in memory: what can be read when the home of the frames has failed.
//!
//! A read of sled may have to write first: it splits a page that an append made too long, which a database whose disk
//! has failed refuses, whatever was asked for. Pages hold at most 16 frames, and only those at the end are concerned;
//! frames further back are read from their home as before. It knows nothing of sled beyond that number.

use super::{Frames, LogError, frame};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Enough for a page that is too long and for the half of one that was split just before.
const FRAMES: usize = 64;

type Kept = VecDeque<(u64, Arc<[u8]>)>;

/// The last frames that were appended.
#[derive(Debug, Default)]
pub(super) struct Tail {
    frames: Mutex<Kept>,
}

/// Where a frame ends.
fn end(stored: &Result<(u64, Vec<u8>), LogError>) -> Result<u64, LogError> {
    let (first, bytes) = stored.as_ref().map_err(Clone::clone)?;
    Ok(frame::link(*first, bytes)?.end)
}

impl Tail {
    fn frames(&self) -> MutexGuard<'_, Kept> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps frames that follow those that are kept.
    pub(super) fn keep<'a>(&self, frames: impl IntoIterator<Item = (u64, &'a [u8])>) {
        let mut kept = self.frames();
        for (first, bytes) in frames {
            if kept.len() == FRAMES {
                kept.pop_front();
            }
            kept.push_back((first, Arc::from(bytes)));
        }
    }

    /// The frame that holds `from` and those after it: those that are kept from here, the others from `home`, which is
    /// asked for none of those that are kept.
    pub(super) fn behind<'a>(&self, from: u64, home: impl FnOnce(u64) -> Frames<'a>) -> Frames<'a> {
        let frames = self.frames();
        let Some(begin) = frames.front().map(|(first, _)| *first) else { return home(from) };
        let skipped = frames.partition_point(|(first, _)| *first <= from).saturating_sub(1);
        let kept: Vec<_> = frames.iter().skip(skipped).map(|(first, bytes)| Ok((*first, bytes.to_vec()))).collect();
        if from >= begin {
            return Box::new(kept.into_iter());
        }
        let mut home = home(from);
        // Where what was read ends; nothing is served behind an error.
        let mut read = Some(from);
        let before = std::iter::from_fn(move || {
            read.filter(|end| *end < begin)?;
            let next = home.next()?;
            let ends = end(&next);
            read = ends.as_ref().ok().copied();
            Some(ends.and(next))
        });
        let mut failed = false;
        Box::new(before.chain(kept).take_while(move |stored| {
            let serve = !failed;
            failed |= stored.is_err();
            serve
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MemoryLog, Tip, genesis};
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A hundred frames of two records each, the last of them kept; the home says of each frame that it was asked for.
    #[test]
    fn a_home_is_not_asked_for_what_is_kept() {
        let (tail, home, asked) = (Tail::default(), MemoryLog::new(genesis("tail")), AtomicU64::new(0));
        let mut packer = frame::Packer::new().expect("a packer");
        let mut tip = Tip { length: 0, digest: genesis("tail") };
        let mut stored: Vec<(u64, Vec<u8>)> = Vec::new();
        for n in 0..100_u8 {
            let packed = packer.pack(&[vec![n; 9], vec![n; 5]].iter().collect(), tip).expect("a frame");
            tip = packed.tip;
            stored.extend(packed.frames().into_iter().map(|(first, bytes)| (first, bytes.to_vec())));
        }
        for (first, bytes) in &stored {
            super::super::EventLog::append(&home, &[(*first, bytes)]).expect("appended");
            tail.keep([(*first, bytes.as_slice())]);
        }
        let read = |from: u64| -> Vec<(u64, Vec<u8>)> {
            asked.store(0, Ordering::SeqCst);
            let counted = |from| -> Frames<'_> {
                Box::new(super::super::EventLog::frames(&home, from).inspect(|f| {
                    asked.fetch_max(f.as_ref().expect("a frame").0 + 1, Ordering::SeqCst);
                }))
            };
            tail.behind(from, counted).collect::<Result<_, _>>().expect("frames")
        };
        for from in [0, 1, 2, 70, 71, 72, 73, 150, 198, 199] {
            let begun = usize::try_from(from / 2).expect("small");
            assert_eq!(read(from), stored[begun..], "from {from}");
            assert!(asked.load(Ordering::SeqCst) <= 71, "from {from}: of 100 frames the last 64 are kept");
        }
        // An error of the home ends what is served, rather than leaving a gap.
        home.tamper(|frames| frames.get_mut(&10).expect("a frame").truncate(50));
        let frames = tail.behind(8, |from| super::super::EventLog::frames(&home, from));
        let served: Vec<Option<u64>> = frames.map(|f| f.ok().map(|(first, _)| first)).collect();
        assert_eq!(served, [Some(8), None]);
    }
}
