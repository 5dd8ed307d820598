//! Import: a CSV file or an XES log, and a mapping, become statements, grouped by dossier.
//!
//! What it deliberately does not know: the engine, a server, a data directory. It reads and judges form alone; whoever
//! called records what comes back, and learns there whether a dossier exists, has ended or says something else already.
//! `mapping` understands the mapping file, `value` turns one cell into one field. `input` opens a file and sees what it
//! is; `rows` reads the records of CSV, `xes` the traces of a log, whose events are rows as well. `plan` finds the columns
//! of a mapping, `reader` makes dossiers and events of rows. What comes of it is handed on piece by piece: of a log, one
//! trace after the other, so that it need not fit into memory.
//! The reference for users is `gateway/mappings/README.md`; a test holds its examples against this code.

mod input;
mod mapping;
mod plan;
mod reader;
mod rows;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_xes;
mod value;
mod xes;

pub use input::Input;
pub use mapping::Mapping;

use crate::messages::{self, Text};
use dunghen_engine::dossier::{Code, Statement};
use std::io;
use std::path::PathBuf;

/// A statement that may be recorded, and where in the file it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The line of the file, the first being 1.
    pub line: u64,
    /// The statement, its id included.
    pub statement: Statement,
}

/// A row, or one event of a row, that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The line of the file, the first being 1.
    pub line: u64,
    /// The dossier, if the row names one.
    pub dossier: Option<String>,
    /// The stable reason: `FIELD_MISSING`, `FIELD_INVALID`, `UNKNOWN_TYPE`, `TOO_LARGE`.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: Text,
}

/// The events of one dossier, in the order in which they are to be recorded.
///
/// `Received` comes first, as the contract says, whatever the clocks said; the others follow by `occurred_at`, ties as
/// they stand in the file. One exception: a `Rejected` that occurred before the `Received` stays before it, since it is
/// what the applicant was told first, and behind the `Received` it would end the dossier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The dossier code.
    pub dossier: Code,
    /// Its events; never empty.
    pub events: Vec<Prepared>,
}

/// A piece of what a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// A dossier.
    Case(Case),
    /// What was not taken. It comes before the dossiers that stand with it: those of the file, or those of the trace.
    Reject(Reject),
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes that were read: of a log, of the file as it is; of a table, unpacked.
    Read {
        /// So many.
        bytes: u64,
        /// Of so many; 0 if nobody knows.
        of: u64,
    },
    /// Dossiers that were handed on, once the whole file is read.
    Handed {
        /// So many.
        dossiers: u64,
        /// Of so many.
        of: u64,
    },
}

/// What is known once a file has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Rows of data, events of a log; neither the header nor blank rows are counted.
    pub rows: u64,
    /// A sentence on attributes that the mapping names and no trace or event of the log has.
    pub note: Option<Text>,
}

/// Why a file could not be imported, or not to its end; [`messages::import::error`] says it to people.
#[derive(Debug)]
pub enum ImportError {
    /// A file could not be read.
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The mapping is wrong.
    Mapping(Text),
    /// The mapping names columns that the file does not have, or has twice.
    Columns(Text),
    /// The file is neither CSV nor XES in UTF-8, or a table breaks off.
    File(Text),
    /// A log is broken in the middle: what stands before was handed on.
    Broken {
        /// The line, the first being 1.
        line: u64,
        /// What is wrong.
        what: Text,
    },
}

impl std::fmt::Display for ImportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&messages::import::error(self).en)
    }
}

impl std::error::Error for ImportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ImportError::Unreadable { source, .. } => Some(source),
            ImportError::Mapping(_) | ImportError::Columns(_) | ImportError::File(_) | ImportError::Broken { .. } => {
                None
            }
        }
    }
}
