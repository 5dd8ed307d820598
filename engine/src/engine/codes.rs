//! From codes to rows, for the writer and all readers.
//!
//! The views change as a whole from group to group, this index grows in place: a row that it knows and the views do not yet
//! is none to whoever holds the views. It is made when it is first needed: figures do without it, so a start that goes on
//! from a snapshot need not wait for millions of codes.

use crate::views::{Index, Views};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

/// The rows of all codes.
pub(crate) struct Codes {
    index: OnceLock<RwLock<Index>>,
    /// What it is made of; nothing once it is made.
    of: Mutex<Option<Views>>,
}

impl Codes {
    /// Of all dossiers in these views.
    pub(super) fn of(views: &Views) -> Codes {
        Codes { index: OnceLock::new(), of: Mutex::new(Some(views.clone())) }
    }

    /// The index, made if it is not there yet; whoever needs it meanwhile waits.
    fn index(&self) -> &RwLock<Index> {
        self.index.get_or_init(|| {
            let mut index = Index::new();
            if let Some(views) = self.of.lock().unwrap_or_else(PoisonError::into_inner).take() {
                views.each_code(|row, code| index.insert(code, row));
            }
            RwLock::new(index)
        })
    }

    /// Makes the index.
    pub(super) fn prepare(&self) {
        self.index();
    }

    /// Notes the row of a code that has none yet.
    pub(super) fn insert(&self, code: &str, row: u32) {
        // One place is written at a time: a lock that a panic poisoned guards a whole index.
        self.index().write().unwrap_or_else(PoisonError::into_inner).insert(code, row);
    }

    fn candidates(&self, code: &str) -> std::vec::IntoIter<u32> {
        self.index().read().unwrap_or_else(PoisonError::into_inner).candidates(code)
    }

    /// The row of a code in these views.
    pub(crate) fn find(&self, views: &Views, code: &str) -> Option<u32> {
        views.which(code, self.candidates(code))
    }

    /// A row in these views that may be that of a code whose newest record stands at `last`: see [`Views::which_at`].
    pub(super) fn find_at(&self, views: &Views, code: &str, last: u64) -> Option<u32> {
        views.which_at(code, last, self.candidates(code))
    }

    /// The row of a code that is known to have one.
    pub(crate) fn find_known(&self, views: &Views, code: &str) -> Option<u32> {
        let mut candidates = self.candidates(code);
        match (candidates.next(), candidates.next()) {
            (only, None) => only.filter(|row| (*row as usize) < views.len()),
            // Two codes of one hash are told apart by reading them.
            _ => self.find(views, code),
        }
    }
}
