//! A file that is to be imported: opened, unpacked, and recognised by what stands in it.
//!
//! A table is read as a whole, since the rows of a dossier may stand anywhere; a log is read trace by trace.

use super::plan::Plan;
use super::reader::Import;
use super::rows::Rows;
use super::{Chunk, ImportError, Mapping, Progress, Seen, xes};
use crate::messages::{Text, import as say};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many rows, or dossiers, lie between two reports of progress.
const PROGRESS_ROWS: u64 = 1000;
/// How much of a file is looked at to see what it is.
const LOOKED_AT: u64 = 4096;

/// An opened file.
pub struct Input {
    path: PathBuf,
    text: Box<dyn Read + Send>,
    xes: bool,
    taken: Taken,
    length: u64,
}

/// How many bytes of the file as it is have been read.
#[derive(Clone, Default)]
struct Taken(Arc<AtomicU64>);

struct Counted<R> {
    inner: R,
    taken: Taken,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.taken.0.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// What comes first, and a reader that still has it before it.
fn peek<R: Read + Send + 'static>(mut reader: R, bytes: u64) -> io::Result<(Vec<u8>, impl Read + Send + 'static)> {
    let mut head = Vec::new();
    reader.by_ref().take(bytes).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(reader)))
}

/// Whether a text begins as XML does; a table may begin with `<`, too, but hardly with `<log `.
fn is_xml(head: &[u8]) -> bool {
    let head = head.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(head).trim_ascii_start();
    let Some(tag) = head.strip_prefix(b"<") else { return false };
    let name = tag.split(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/')).next().unwrap_or_default();
    tag.starts_with(b"?xml") || tag.starts_with(b"!") || name == b"log" || name.ends_with(b":log")
}

impl Input {
    /// Opens a file, plain or gzip, and looks at how it begins.
    ///
    /// # Errors
    /// If it cannot be read, or is certainly neither CSV nor XES in UTF-8.
    pub fn open(path: &Path) -> Result<Input, ImportError> {
        let unreadable = |source| ImportError::Unreadable { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let taken = Taken::default();
        let (head, file) = peek(Counted { inner: file, taken: taken.clone() }, 2).map_err(unreadable)?;
        let text: Box<dyn Read + Send> =
            if head == [0x1f, 0x8b] { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let (head, text) = peek(text, LOOKED_AT).map_err(unreadable)?;
        let named = |what: Text| Err(ImportError::File(say::of_file(path, &what)));
        if head.starts_with(b"PK\x03\x04") {
            return named(say::is_archive());
        }
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return named(say::is_utf16());
        }
        Ok(Input { path: path.to_path_buf(), xes: is_xml(&head), text: Box::new(text), taken, length })
    }

    /// Whether the file is read piece by piece, so that the pieces come as they stand in it.
    #[must_use]
    pub fn is_log(&self) -> bool {
        self.xes
    }

    /// Reads the file into the events that the mapping makes of it, and hands them to `sink`, which may stop it.
    ///
    /// A dossier of a table is handed on once; one of a log as often as there are traces of it.
    ///
    /// # Errors
    /// If the file cannot be read, is not CSV or XES in UTF-8, or lacks a column that the mapping names. What is wrong
    /// with single rows is no error but a [`Chunk::Reject`]. Of [`ImportError::Broken`] alone something may have been
    /// handed on before.
    pub fn read(
        self,
        mapping: &Mapping,
        progress: &mut dyn FnMut(Progress),
        sink: &mut dyn FnMut(Chunk) -> ControlFlow<()>,
    ) -> Result<Seen, ImportError> {
        if !self.xes {
            return self.table(mapping, progress, sink);
        }
        let plan = Plan::for_traces(mapping).map_err(|what| ImportError::Columns(say::of_file(&self.path, &what)))?;
        let (taken, of) = (self.taken, self.length);
        let mut told = || progress(Progress::Read { bytes: taken.0.load(Ordering::Relaxed), of });
        xes::read(self.text, &plan, &mut told, sink)
    }

    fn table(
        mut self,
        mapping: &Mapping,
        progress: &mut dyn FnMut(Progress),
        sink: &mut dyn FnMut(Chunk) -> ControlFlow<()>,
    ) -> Result<Seen, ImportError> {
        let path = self.path;
        let mut bytes = Vec::new();
        self.text.read_to_end(&mut bytes).map_err(|source| ImportError::Unreadable { path: path.clone(), source })?;
        let named = |what: Text| ImportError::File(say::of_file(&path, &what));
        let data = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&bytes);
        let of = data.len() as u64;
        let mut rows = Rows::new(data, &mapping.csv);
        let header = rows.header().map_err(&named)?;
        let plan = Plan::for_table(mapping, header).map_err(|what| ImportError::Columns(say::of_file(&path, &what)))?;
        let mut import = Import::new(&plan);
        while let Some((line, row)) = rows.next_row().map_err(&named)? {
            import.row(line, row);
            if import.rows.is_multiple_of(PROGRESS_ROWS) {
                progress(Progress::Read { bytes: rows.walked() as u64, of });
            }
        }
        progress(Progress::Read { bytes: of, of });
        let seen = Seen { rows: import.rows, note: None };
        let (cases, rejects) = import.drain();
        let dossiers = cases.len() as u64;
        for reject in rejects {
            if sink(Chunk::Reject(reject)).is_break() {
                return Ok(seen);
            }
        }
        for (handed, case) in (1..).zip(cases) {
            if sink(Chunk::Case(case)).is_break() {
                return Ok(seen);
            }
            if handed % PROGRESS_ROWS == 0 || handed == dossiers {
                progress(Progress::Handed { dossiers: handed, of: dossiers });
            }
        }
        Ok(seen)
    }
}
