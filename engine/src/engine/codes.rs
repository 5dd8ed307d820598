//! From codes to rows, for the writer and all readers.
//!
//! The views change as a whole from group to group, this index grows in place: a row that it knows and the views do not yet
//! is none to whoever holds the views.

use crate::views::{Index, Views};
use std::sync::{PoisonError, RwLock};

/// The rows of all codes.
pub(crate) struct Codes(RwLock<Index>);

impl Codes {
    /// Of all dossiers in these views.
    pub(super) fn of(views: &Views) -> Codes {
        let mut index = Index::new();
        views.each_code(|row, code| index.insert(code, row));
        Codes(RwLock::new(index))
    }

    /// Notes the row of a code that has none yet.
    pub(super) fn insert(&self, code: &str, row: u32) {
        // One place is written at a time: a lock that a panic poisoned guards a whole index.
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(code, row);
    }

    fn candidates(&self, code: &str) -> std::vec::IntoIter<u32> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).candidates(code)
    }

    /// The row of a code in these views.
    pub(crate) fn find(&self, views: &Views, code: &str) -> Option<u32> {
        views.which(code, self.candidates(code))
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
