//! The journal: where a group becomes durable, with one write and one sync, on its way into sled.
//!
//! sled makes a commit durable through a pool of threads and in a file that grows. The journal is one file that was
//! written out with zeros beforehand, so a sync of it notes no length and no place, and a full disk cannot refuse it.
//! Groups follow each other in it as *entries*, and go into sled unsynced. When the next one does not fit, sled
//! is synced, and the next *round* begins at the front, over what is no longer needed. So the journal never holds anything
//! but the end of the log, and opening brings into sled what sled had not made durable.
//!
//! `DIR/journal`, version 1, integers little-endian:
//!
//! | part | bytes | what |
//! | --- | --- | --- |
//! | header | 0–7 | `dhjournl` |
//! | | 8–11 | version, 1 |
//! | | 12–15 | CRC-32 of the header before |
//! | each entry, from 4096 on | 4 | `dhj1` |
//! | | 4 | length of its frames with their labels |
//! | | 4 | length of each frame |
//! | | 8 | position of its first record |
//! | | … | the frame, as `frame.rs` describes it |
//! | | 4 | CRC-32 of the entry before |
//! | | 0–7 | zeros up to a multiple of 8 |
//!
//! An entry is written only when the one before it is durable. So one that a power cut tore is the last, and whatever
//! is whole behind it is of an earlier round, which its positions show; if they do not, something in between was damaged.

use super::{LogError, frame, sync};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The file in a data directory.
pub(super) const NAME: &str = "journal";
const DRAFT: &str = "journal.new";
/// How long it is made. Longer is filled less often, at which time an append waits for sled as well; shorter is sooner read
/// at opening, and leaves less on the disk.
pub(super) const LENGTH: u64 = 4 << 20;

const OPENS: [u8; 8] = *b"dhjournl";
const VERSION: u32 = 1;
const HEADER: usize = 16;
const ENTRY: [u8; 4] = *b"dhj1";
const ENTRY_HEADER: usize = 8;
/// Before each frame: its length and position.
const LABEL: usize = 12;
const CRC: usize = 4;
/// Where the first entry begins: in a block of its own, so that the header is never written again.
const START: usize = 4096;
const ALIGNED: usize = 8;

/// The journal, ready for a round.
pub(super) struct Journal {
    file: File,
    length: u64,
    /// Where the next entry goes.
    at: u64,
    /// Where entries are put together.
    entry: Vec<u8>,
}

fn header() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&OPENS);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn unavailable(path: &Path, e: &std::io::Error) -> LogError {
    LogError::Unavailable(format!("{}: {e}", path.display()))
}

impl Journal {
    /// Makes an empty one of this length; it appears in `directory` whole, or not at all.
    pub(super) fn create(directory: &Path, length: u64) -> Result<Journal, LogError> {
        let (path, draft) = (directory.join(NAME), directory.join(DRAFT));
        let made = || {
            let file = File::create(&draft)?;
            let length = length.max(2 * START as u64);
            let mut zeros = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            zeros[..HEADER].copy_from_slice(&header());
            file.write_all_at(&zeros, 0)?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)?;
            sync::sync_directory(directory)
        };
        made().map_err(|e| unavailable(&path, &e))?;
        Journal::open(directory)?.ok_or_else(|| LogError::Unavailable(format!("{} is gone", path.display())))
    }

    /// Opens the journal of `directory`, if there is one, for a new round: all it holds must be durable elsewhere.
    pub(super) fn open(directory: &Path) -> Result<Option<Journal>, LogError> {
        let path = directory.join(NAME);
        let opened = OpenOptions::new().write(true).open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((length, file)) => Ok(Some(Journal { file, length, at: START as u64, entry: Vec::new() })),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(unavailable(&path, &e)),
        }
    }

    /// Writes frames as one entry, durable when it returns; `false`, and nothing is written, if it does not fit behind
    /// the entries of this round.
    pub(super) fn append(&mut self, frames: &[(u64, &[u8])]) -> std::io::Result<bool> {
        let labelled: usize = frames.iter().map(|(_, bytes)| LABEL + bytes.len()).sum();
        let whole = (ENTRY_HEADER + labelled + CRC).next_multiple_of(ALIGNED);
        let Some(labelled) = u32::try_from(labelled).ok().filter(|_| self.at + whole as u64 <= self.length) else {
            return Ok(false);
        };
        let entry = &mut self.entry;
        entry.clear();
        entry.extend_from_slice(&ENTRY);
        entry.extend_from_slice(&labelled.to_le_bytes());
        for (first, bytes) in frames {
            // Shorter than all of them, whose length is a number of the same width.
            entry.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            entry.extend_from_slice(&first.to_le_bytes());
            entry.extend_from_slice(bytes);
        }
        entry.extend_from_slice(&crc32fast::hash(entry).to_le_bytes());
        entry.resize(whole, 0);
        self.file.write_all_at(entry, self.at)?;
        self.file.sync_data()?;
        self.at += whole as u64;
        Ok(true)
    }

    /// Begins a new round: all it holds must be durable elsewhere.
    pub(super) fn begin_again(&mut self) {
        self.at = START as u64;
    }
}

/// Frames by the position of their first record.
pub(super) type Kept = Vec<(u64, Vec<u8>)>;

/// An entry that is whole.
struct Entry<'a> {
    frames: Vec<(u64, &'a [u8])>,
    first: u64,
    /// The position after its last record.
    end: u64,
    /// Where it ends in the file.
    behind: usize,
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|n| u32::from_le_bytes(*n))
}

fn entry(file: &[u8], at: usize) -> Option<Entry<'_>> {
    let bytes = file.get(at..)?.strip_prefix(&ENTRY)?;
    let labelled = usize::try_from(number(bytes)?).ok()?;
    let bytes = file.get(at..at.checked_add(ENTRY_HEADER + labelled + CRC)?)?;
    let (sealed, crc) = bytes.split_last_chunk::<CRC>()?;
    if crc32fast::hash(sealed) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (mut rest, mut frames, mut end) = (&sealed[ENTRY_HEADER..], Vec::new(), 0);
    while !rest.is_empty() {
        let length = usize::try_from(number(rest)?).ok()?;
        let first = u64::from_le_bytes(*rest.get(4..)?.first_chunk()?);
        let (frame, behind) = rest.get(LABEL..)?.split_at_checked(length)?;
        end = frame::link(first, frame).ok()?.end;
        frames.push((first, frame));
        rest = behind;
    }
    let (first, _) = *frames.first()?;
    Some(Entry { frames, first, end, behind: at + bytes.len().next_multiple_of(ALIGNED) })
}

/// The frames that the journal of `directory` holds behind `known`, the number of records that are elsewhere; it is not changed.
///
/// # Errors
/// [`LogError::Damaged`] if entries of the newest round are missing between others, or the file is none of this version.
pub(super) fn read(directory: &Path, known: u64) -> Result<Kept, LogError> {
    let path = directory.join(NAME);
    let file = match std::fs::read(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(unavailable(&path, &e)),
    };
    let damaged = |position, what: &str| LogError::Damaged { position, what: format!("{}: {what}", path.display()) };
    if !file.starts_with(&header()) {
        return Err(damaged(known, "this is no journal of version 1, so the end of the log may be missing"));
    }
    let (mut kept, mut at, mut reached) = (Kept::new(), START, 0);
    while let Some(entry) = entry(&file, at).filter(|entry| entry.first >= reached) {
        let new = entry.frames.iter().filter(|(first, _)| *first >= known);
        kept.extend(new.map(|(first, frame)| (*first, frame.to_vec())));
        (at, reached) = (entry.behind, entry.end);
    }
    let reached = reached.max(known);
    for at in (at..file.len()).step_by(ALIGNED) {
        if entry(&file, at).is_some_and(|entry| entry.end > reached) {
            return Err(damaged(reached, "an entry is damaged, and those behind it are not"));
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::super::{Digest, Tip, genesis};
    use super::*;

    /// Groups of two records of some length, and the frame of each.
    fn groups(count: u8, length: usize) -> Vec<(u64, Vec<u8>)> {
        let mut packer = frame::Packer::new().expect("a packer");
        let mut tip = Tip { length: 0, digest: genesis("journal") as Digest };
        let mut frames = Vec::new();
        for n in 0..count {
            let noise = |salt: u8| (0..length).map(|i| (i as u8).wrapping_mul(31 ^ n) ^ salt).collect::<Vec<u8>>();
            let packed = packer.pack(&[noise(1), noise(2)].iter().collect(), tip).expect("frames");
            tip = packed.tip;
            frames.extend(packed.frames().into_iter().map(|(first, bytes)| (first, bytes.to_vec())));
        }
        frames
    }

    fn write(journal: &mut Journal, frames: &[(u64, Vec<u8>)]) -> usize {
        frames.iter().take_while(|(first, bytes)| journal.append(&[(*first, bytes)]).expect("written")).count()
    }

    #[test]
    fn what_is_not_elsewhere_is_read_back_and_a_new_round_hides_the_one_before() {
        let home = tempfile::tempdir().expect("a directory");
        assert_eq!(read(home.path(), 0), Ok(Vec::new()), "there is none yet");
        let frames = groups(60, 40);
        let mut journal = Journal::create(home.path(), 0).expect("a journal");
        let fitted = write(&mut journal, &frames);
        assert!((5..50).contains(&fitted), "{fitted} fit into 4096 bytes");
        assert_eq!(read(home.path(), 0).as_deref(), Ok(&frames[..fitted]));
        assert_eq!(read(home.path(), frames[3].0).as_deref(), Ok(&frames[3..fitted]));
        // The round before had more entries than this one has yet.
        journal.begin_again();
        let known = frames[fitted].0;
        assert_eq!(read(home.path(), known), Ok(Vec::new()));
        let round = &frames[fitted..fitted + 3];
        assert_eq!(write(&mut journal, round), 3);
        assert_eq!(read(home.path(), known).as_deref(), Ok(round));
        // Another life goes on the same way.
        let mut journal = Journal::open(home.path()).expect("opened").expect("there");
        let round = &frames[fitted + 3..fitted + 4];
        assert_eq!(write(&mut journal, round), 1);
        assert_eq!(read(home.path(), round[0].0).as_deref(), Ok(round));
    }

    /// Every byte of the round, and of the header: what is read is the round, or its beginning where the last entry is
    /// hit, or damage by name.
    #[test]
    fn an_entry_in_the_middle_is_missed() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join(NAME);
        let frames = groups(4, 5);
        let mut journal = Journal::create(home.path(), 0).expect("a journal");
        assert_eq!(write(&mut journal, &frames), 4);
        let whole = std::fs::read(&path).expect("read");
        let last = (journal.at - START as u64) as usize / 4 * 3 + START;
        let mut named = 0;
        for at in (0..HEADER).chain(START..journal.at as usize) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).expect("written");
            match read(home.path(), 0) {
                Ok(kept) if kept == frames => assert_eq!(whole[at], 0, "at {at}: only what fills up may change"),
                Ok(kept) => assert!(at >= last - 8 && kept == frames[..3], "at {at}: {} frames", kept.len()),
                Err(LogError::Damaged { .. }) => named += 1,
                Err(e) => panic!("at {at}: {e}"),
            }
        }
        assert!(named > (last - START) / 2, "{named} flips were named");
    }
}
