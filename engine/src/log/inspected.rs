//! A log as `verify` reads it: sealed files in place, copies of the databases, what only the journal holds, and a note of
//! whatever cannot be opened.
//!
//! It repairs and removes nothing and takes no frames. Where a [`super::SledLog`] would refuse to open, it says so in
//! its place among the frames and gives what can still be read behind it.

use super::generation::{self, Generation};
use super::journal::{self, Kept};
use super::sealed::{self, Sealed};
use super::sled::{must_exist, sealed_from};
use super::{EventLog, Frames, Head, LogError, frame, head};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log that is only looked at.
pub struct Inspected {
    parts: Vec<Part>,
    head: Head,
}

enum Part {
    Sealed(Arc<Sealed>),
    Generation(Arc<Generation>),
    Journal(Kept),
    Trouble(LogError),
}

impl Inspected {
    /// Opens the sealed files of `directory` and *copies* of its databases, made in `scratch`; `directory` stays as it
    /// is.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if the head cannot be read; [`LogError::Unavailable`] if a disk fails. Other damage is
    /// told among the frames.
    pub fn open(directory: &Path, scratch: &Path) -> Result<Inspected, LogError> {
        let (_, head) = head::read(&directory.join(super::sled::HEAD))?;
        let mut parts = Vec::new();
        for (first, path) in sealed::find(directory)?.files {
            match Sealed::open(&path, first) {
                Ok(sealed) => parts.push(Part::Sealed(Arc::new(sealed))),
                Err(e) => {
                    parts.push(trouble(e)?);
                    parts.push(Part::Sealed(Arc::new(Sealed::salvage(&path, first)?)));
                }
            }
        }
        let generations = generation::find(directory)?.generations;
        let sealed_end = parts.iter().filter_map(Part::sealed).map(|s| s.end()).max().unwrap_or(0);
        if let Err(e) = must_exist(directory, &generations, sealed_end, &head) {
            parts.push(trouble(e)?);
        }
        for (_, path) in generations.iter().filter(|(_, path)| generation::is_there(path)) {
            match open_copy(path, scratch) {
                Ok(generation) => {
                    let sealed = sealed_from(parts.iter().filter_map(Part::sealed), &generation);
                    if !matches!(sealed, Ok(Some(_))) {
                        parts.push(Part::Generation(Arc::new(generation)));
                    }
                }
                Err(e) => parts.push(trouble(e)?),
            }
        }
        let known = parts.iter().rev().find_map(Part::end).unwrap_or(0);
        match journal::read(directory, known) {
            Ok(kept) => parts.push(Part::Journal(kept)),
            Err(e) => parts.push(trouble(e)?),
        }
        Ok(Inspected { parts, head })
    }
}

/// Damage is told in its place; a disk that does not answer proves nothing of the log.
fn trouble(e: LogError) -> Result<Part, LogError> {
    match e {
        e @ LogError::Damaged { .. } => Ok(Part::Trouble(e)),
        e @ LogError::Unavailable(_) => Err(e),
    }
}

fn open_copy(path: &Path, scratch: &Path) -> Result<Generation, LogError> {
    let copy: PathBuf = scratch.join(path.file_name().unwrap_or_default());
    copy_tree(path, &copy)?;
    Generation::open(&copy)
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

impl Part {
    fn sealed(&self) -> Option<&Arc<Sealed>> {
        match self {
            Part::Sealed(sealed) => Some(sealed),
            Part::Generation(_) | Part::Journal(_) | Part::Trouble(_) => None,
        }
    }

    /// The position after its last record, if that can be told.
    fn end(&self) -> Option<u64> {
        match self {
            Part::Sealed(sealed) => Some(sealed.end()),
            Part::Generation(generation) => {
                let (last, bytes) = generation.last().ok()??;
                Some(frame::link(last, &bytes).ok()?.end)
            }
            Part::Journal(_) | Part::Trouble(_) => None,
        }
    }

    fn frames(&self, from: u64) -> Frames<'_> {
        match self {
            Part::Sealed(sealed) if sealed.end() <= from => Box::new(std::iter::empty()),
            Part::Sealed(sealed) => Box::new(sealed.frames(from)),
            Part::Generation(generation) => Box::new(generation.frames(from)),
            Part::Journal(kept) => {
                let wanted = kept.iter().filter(move |(first, _)| *first >= from);
                Box::new(wanted.map(|(first, bytes)| Ok((*first, bytes.clone()))))
            }
            Part::Trouble(e) => Box::new(std::iter::once(Err(e.clone()))),
        }
    }
}

fn read_only() -> LogError {
    LogError::Unavailable("this log is only looked at".to_owned())
}

impl EventLog for Inspected {
    fn append(&self, _frames: &[(u64, &[u8])]) -> Result<(), LogError> {
        Err(read_only())
    }

    fn frames(&self, from: u64) -> Frames<'_> {
        Box::new(self.parts.iter().flat_map(move |part| part.frames(from)))
    }

    fn head_at_open(&self) -> Head {
        self.head
    }

    fn write_head(&self, _head: &Head, _sync: bool) -> Result<(), LogError> {
        Err(read_only())
    }
}
