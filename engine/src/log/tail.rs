//! The last frames of a log, kept in memory: what can be read when the home of the frames has failed.
//!
//! A read of sled may have to write first: it splits a page that an append made too long, which a database whose disk
//! has failed refuses, whatever was asked for. Pages hold at most 16 frames, and only those at the end are concerned;
//! frames further back are read from their home as before. It knows nothing of sled beyond that number.

use super::Frames;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Enough for a page that is too long and for the half of one that was split just before.
const FRAMES: usize = 64;

/// The last frames that were appended.
#[derive(Debug, Default)]
pub(super) struct Tail {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    frames: VecDeque<(u64, Arc<[u8]>)>,
    /// The frame before them, if there is one.
    before: Option<u64>,
}

impl Tail {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps frames that follow those that are kept.
    pub(super) fn keep<'a>(&self, frames: impl IntoIterator<Item = (u64, &'a [u8])>) {
        let mut held = self.held();
        for (first, bytes) in frames {
            if held.frames.len() == FRAMES {
                held.before = held.frames.pop_front().map(|(first, _)| first);
            }
            held.frames.push_back((first, Arc::from(bytes)));
        }
    }

    /// The frame that holds `from` and those after it: those that are kept from here, the others from `home`, which is
    /// asked for none of those that are kept.
    pub(super) fn behind<'a>(&self, from: u64, home: impl FnOnce(u64) -> Frames<'a>) -> Frames<'a> {
        let held = self.held();
        let kept = held.frames.iter().cloned();
        let kept_from = |skipped| kept.skip(skipped).map(|(first, bytes)| Ok((first, bytes.to_vec())));
        let before = held.before.filter(|_| held.frames.front().is_some_and(|(first, _)| from < *first));
        let Some(before) = before else {
            let begun = held.frames.partition_point(|(first, _)| *first <= from);
            return Box::new(kept_from(begun.saturating_sub(1)).collect::<Vec<_>>().into_iter());
        };
        let kept: Vec<_> = kept_from(0).collect();
        let mut there = true;
        let mut home = home(from);
        let home = std::iter::from_fn(move || {
            let stored = if there { home.next() } else { None };
            there = stored.as_ref().is_some_and(|stored| stored.as_ref().is_ok_and(|(first, _)| *first < before));
            stored
        });
        // Nothing is served behind an error.
        let mut failed = false;
        Box::new(home.chain(kept).take_while(move |stored| {
            let serve = !failed;
            failed |= stored.is_err();
            serve
        }))
    }
}
