//! The frame: a few records that became durable together, and the link to the frame before.
//!
//! Layout, version 1, integers little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0 | version, 1 |
//! | 1 | compression: 0 none, 1 zstd, 2 zstd with a dictionary |
//! | 2 | the number of the dictionary; 0 without one |
//! | 3 | 0 |
//! | 4–7 | number of records |
//! | 8–11 | length of the payload before compression |
//! | 12–43 | digest of the frame before (of the first: of the log's identity) |
//! | 44–  | payload: each record as its length (LEB128) and its bytes |
//! | last 4 | CRC-32 of the position of the first record (8 bytes, big-endian) and of all before |
//!
//! The digest of a frame is SHA-256 over the same bytes as the CRC.
//!
//! A dictionary gives a small frame what a large one learns from its own records. What it was trained on is told in
//! `engine/dictionaries`; frames name theirs by number, so it never changes, and a better one becomes number 2.

use super::records::{Held, Records};
use super::{LogError, Tip};
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::io::Cursor;
use std::sync::LazyLock;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// SHA-256 of a frame, which chains it to the next.
pub type Digest = [u8; 32];

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const ZSTD_WITH_DICTIONARY: u8 = 2;
/// The only dictionary yet.
const DICTIONARY: u8 = 1;
const HEADER: usize = 44;
const CRC: usize = 4;
/// Above about this size sled keeps values apart and its memory is no longer bounded by its cache.
const STORED_LIMIT: usize = 8000;
/// How much goes into a frame before it is compressed, at most. Whoever wants one record unpacks all of it.
const PAYLOAD_TARGET: usize = 24 * 1024;
/// More than a frame can ever hold: a length beyond it is damage.
const PAYLOAD_LIMIT: usize = 1 << 20;
/// Measured on simulated records in groups of 64 and 1,000: 3 makes frames 3 % smaller and takes a quarter to two thirds
/// longer, -1 makes them 5 % larger and saves a tenth of the time.
const LEVEL: i32 = 1;

static DICTIONARY_1: &[u8] = include_bytes!("../../dictionaries/records-1.zdict");
static TO_PACK: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY_1, LEVEL));
static TO_OPEN: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY_1));

/// The first digest of a chain, made from what identifies the log.
#[must_use]
pub fn genesis(identity: &str) -> Digest {
    Sha256::digest(format!("dunghen.log.v1\n{identity}")).into()
}

/// A group as frames, ready to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    /// The tip that the first frame follows.
    pub(super) before: Tip,
    /// The tip that the last one makes.
    pub(super) tip: Tip,
    /// Every frame, one after the other.
    bytes: Vec<u8>,
    /// Of each frame the position of its first record, and where it ends.
    frames: Vec<(u64, usize)>,
}

impl Packed {
    /// The frames by the position of their first record.
    pub(super) fn frames(&self) -> Vec<(u64, &[u8])> {
        let mut begin = 0;
        let frame = |(first, end): &(u64, usize)| (*first, &self.bytes[std::mem::replace(&mut begin, *end)..*end]);
        self.frames.iter().map(frame).collect()
    }
}

/// A frame read back and checked on its own.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) previous: Digest,
    pub(super) records: Held,
}

fn sha256(first: u64, body: &[u8]) -> Digest {
    Sha256::new().chain_update(first.to_be_bytes()).chain_update(body).finalize().into()
}

fn crc(first: u64, body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&first.to_be_bytes());
    crc.update(body);
    crc.finalize()
}

/// The digest of a stored frame that was opened: of all but its CRC.
pub(super) fn digest(first: u64, bytes: &[u8]) -> Digest {
    sha256(first, &bytes[..bytes.len() - CRC])
}

/// Packs groups into frames, and keeps between them what would be costly to make anew.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    /// How much payload the newest frames could hold.
    target: usize,
}

impl Packer {
    pub(super) fn new() -> Result<Packer, LogError> {
        let made = Compressor::with_prepared_dictionary(&TO_PACK).and_then(|mut compressor| {
            // The header of the frame names the dictionary.
            compressor.include_dictid(false)?;
            Ok(compressor)
        });
        Ok(Packer { compressor: made.map_err(unavailable)?, target: PAYLOAD_TARGET })
    }

    /// The frames of a group, chained from `before`.
    pub(super) fn pack(&mut self, records: &Records, before: Tip) -> Result<Packed, LogError> {
        let (mut tip, mut from) = (before, 0);
        let (mut bytes, mut frames) = (Vec::new(), Vec::new());
        while from < records.len() {
            let begin = bytes.len();
            let mut take = records.fitting(from, self.target);
            loop {
                self.body(records.payload(from, take), take, tip.digest, &mut bytes)?;
                let stored = bytes.len() + CRC - begin;
                let more = from + take < records.len();
                if more || stored > STORED_LIMIT {
                    // What fitted this time will about fit the next: hardly a frame is compressed twice.
                    let payload = records.payload(from, take).len();
                    let fits = payload.saturating_mul(STORED_LIMIT - STORED_LIMIT / 16) / stored;
                    self.target = fits.clamp(1, PAYLOAD_TARGET);
                }
                if stored <= STORED_LIMIT || take == 1 {
                    break;
                }
                take = records.fitting(from, self.target).min(take - 1);
                bytes.truncate(begin);
            }
            let body = &bytes[begin..];
            let crc = crc(tip.length, body);
            let digest = sha256(tip.length, body);
            bytes.extend_from_slice(&crc.to_le_bytes());
            frames.push((tip.length, bytes.len()));
            tip = Tip { length: tip.length + take as u64, digest };
            from += take;
        }
        Ok(Packed { before, tip, bytes, frames })
    }

    /// Appends a frame but for its CRC.
    fn body(&mut self, payload: &[u8], count: usize, previous: Digest, bytes: &mut Vec<u8>) -> Result<(), LogError> {
        // Nothing is written that `open` would refuse to read.
        if payload.len() > PAYLOAD_LIMIT {
            return Err(unavailable("a frame is too long"));
        }
        let word = |n: usize| u32::try_from(n).map(u32::to_le_bytes).map_err(unavailable);
        let begin = bytes.len();
        bytes.reserve(HEADER + zstd::zstd_safe::compress_bound(payload.len()) + CRC);
        bytes.extend_from_slice(&[VERSION, ZSTD_WITH_DICTIONARY, DICTIONARY, 0]);
        bytes.extend_from_slice(&word(count)?);
        bytes.extend_from_slice(&word(payload.len())?);
        bytes.extend_from_slice(&previous);
        let mut rest = Cursor::new(bytes);
        rest.set_position((begin + HEADER) as u64);
        let length = self.compressor.compress_to_buffer(payload, &mut rest).map_err(unavailable)?;
        if length >= payload.len() {
            let bytes = rest.into_inner();
            bytes.truncate(begin + HEADER);
            bytes[begin + 1] = PLAIN;
            bytes[begin + 2] = 0;
            bytes.extend_from_slice(payload);
        }
        Ok(())
    }
}

fn unavailable(what: impl ToString) -> LogError {
    LogError::Unavailable(what.to_string())
}

/// What unpacks payloads. Making one takes longer than to unpack most frames, so each thread keeps its own.
struct Opener {
    plain: Decompressor<'static>,
    with_dictionary: Decompressor<'static>,
}

thread_local! {
    static OPENER: RefCell<Option<Opener>> = const { RefCell::new(None) };
}

fn unpack(compression: u8, stored: &[u8], length: usize) -> std::io::Result<Vec<u8>> {
    OPENER.with_borrow_mut(|opener| {
        let opener = match opener {
            Some(opener) => opener,
            None => opener.insert(Opener {
                plain: Decompressor::new()?,
                with_dictionary: Decompressor::with_prepared_dictionary(&TO_OPEN)?,
            }),
        };
        let decompressor =
            if compression == ZSTD_WITH_DICTIONARY { &mut opener.with_dictionary } else { &mut opener.plain };
        let mut payload = Vec::with_capacity(length);
        decompressor.decompress_to_buffer(stored, &mut payload)?;
        Ok(payload)
    })
}

/// Opens a stored frame and checks all that can be checked without its neighbours.
pub(super) fn open(first: u64, bytes: &[u8]) -> Result<Opened, LogError> {
    let damaged = |what: &str| LogError::Damaged { position: first, what: what.to_owned() };
    let crc_at =
        bytes.len().checked_sub(CRC).filter(|n| *n >= HEADER).ok_or_else(|| damaged("a frame is too short"))?;
    let (body, stored_crc) = bytes.split_at(crc_at);
    if stored_crc != crc(first, body).to_le_bytes() {
        return Err(damaged("the checksum of a frame does not fit its bytes"));
    }
    let word = |at: usize| u32::from_le_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]) as usize;
    if body[0] != VERSION {
        return Err(damaged("a frame of a later version of this program"));
    }
    let (count, length) = (word(4), word(8));
    if length > PAYLOAD_LIMIT || count > length || count == 0 {
        return Err(damaged("the lengths in a frame make no sense"));
    }
    if first.checked_add(count as u64).is_none() {
        return Err(damaged("positions do not reach that far"));
    }
    let payload = match [body[1], body[2], body[3]] {
        [PLAIN, 0, 0] => body[HEADER..].to_vec(),
        [compression @ ZSTD, 0, 0] | [compression @ ZSTD_WITH_DICTIONARY, DICTIONARY, 0] => {
            unpack(compression, &body[HEADER..], length).map_err(|_| damaged("a frame cannot be unpacked"))?
        }
        [ZSTD_WITH_DICTIONARY, _, 0] => return Err(damaged("a frame with an unknown dictionary")),
        _ => return Err(damaged("a frame in an unknown compression")),
    };
    let whole = payload.len() == length;
    let records = Held::new(first, count, payload).filter(|_| whole);
    let records = records.ok_or_else(|| damaged("the records of a frame do not fill it"))?;
    let mut previous = [0; 32];
    previous.copy_from_slice(&body[12..HEADER]);
    Ok(Opened { previous, records })
}

/// A frame's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The digest that it follows.
    pub(super) previous: Digest,
    /// Its own.
    pub(super) digest: Digest,
    /// The position after its last record.
    pub(super) end: u64,
}

/// What a stored frame says of its place, its checksum checked; its records stay packed.
pub(super) fn link(first: u64, bytes: &[u8]) -> Result<Link, LogError> {
    let damaged = |what: &str| LogError::Damaged { position: first, what: what.to_owned() };
    let crc_at = bytes.len().checked_sub(4).filter(|n| *n >= HEADER).ok_or_else(|| damaged("a frame is too short"))?;
    let (body, stored_crc) = bytes.split_at(crc_at);
    if stored_crc != crc(first, body).to_le_bytes() {
        return Err(damaged("the checksum of a frame does not fit its bytes"));
    }
    let count = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
    let end = first.checked_add(u64::from(count)).filter(|end| *end > first);
    let end = end.ok_or_else(|| damaged("the lengths in a frame make no sense"))?;
    let mut previous = [0; 32];
    previous.copy_from_slice(&body[12..HEADER]);
    Ok(Link { previous, digest: sha256(first, body), end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        let text = text.trim();
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex")).collect()
    }

    fn begin(length: u64) -> Tip {
        Tip { length, digest: genesis("x") }
    }

    fn pack(first: u64, records: &[Vec<u8>]) -> Packed {
        Packer::new().expect("zstd").pack(&records.iter().collect(), begin(first)).expect("pack")
    }

    /// Frames written by version 0.1.0 are read for ever.
    #[test]
    fn golden_frame() {
        let bytes = unhex(include_str!("../../golden/frame-v1.hex"));
        let frame = open(7, &bytes).expect("golden frame");
        let expected = [b"first record".to_vec(), b"second".to_vec()];
        assert!(frame.records.iter().eq((7..).zip(expected.iter().map(Vec::as_slice))));
        assert_eq!(frame.previous, genesis("golden"));
    }

    /// Records as they are stored: those of the golden file of records.
    fn golden_records() -> Vec<Vec<u8>> {
        let lines = include_str!("../../golden/record-v1.hex").lines();
        lines.map(|line| unhex(line.split_once(' ').expect("position and bytes").1)).collect()
    }

    #[test]
    #[ignore = "made the golden file once; making it anew would forget what is stored in the field"]
    fn make_golden_frame_with_dictionary() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/frame-v1-dictionary.hex");
        assert!(!std::path::Path::new(path).exists(), "{path} is there");
        let before = Tip { length: 1000, digest: genesis("golden") };
        let packed = Packer::new().expect("zstd").pack(&golden_records().iter().collect(), before).expect("packed");
        let hex: String = packed.frames()[0].1.iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(path, hex + "\n").expect("written");
    }

    /// Frames that name the first dictionary are read for ever, too.
    #[test]
    fn golden_frame_with_dictionary() {
        let bytes = unhex(include_str!("../../golden/frame-v1-dictionary.hex"));
        assert_eq!(bytes[..4], [VERSION, ZSTD_WITH_DICTIONARY, 1, 0]);
        let frame = open(1000, &bytes).expect("golden frame");
        assert!(frame.records.iter().eq((1000..).zip(golden_records().iter().map(Vec::as_slice))));
        assert_eq!(frame.previous, genesis("golden"));
    }

    /// A dictionary that changed could not read what names it; a better one gets the next number.
    #[test]
    fn a_dictionary_never_changes() {
        let sum = unhex("58e3fc6479133496d1c18f267fda93287fc25d67c4b56fd4f1868508ffbd18c1");
        assert_eq!(Sha256::digest(DICTIONARY_1).to_vec(), sum);
        assert!(include_str!("../../dictionaries/README.md").contains("`58e3fc64"), "the page tells the same");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let records: Vec<Vec<u8>> = (0..20_u8).map(|i| vec![i; 40]).collect();
        let packed = pack(0, &records);
        let frames = packed.frames();
        assert_eq!(frames.len(), 1);
        for bit in 0..frames[0].1.len() * 8 {
            let mut bytes = frames[0].1.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(open(0, &bytes).is_err(), "bit {bit}");
            assert!(link(0, &bytes).is_err(), "bit {bit}");
        }
        assert!(open(1, frames[0].1).is_err(), "a frame moved to another position");
    }

    #[test]
    fn what_a_later_version_writes_is_named() {
        let packed = pack(3, &[vec![1; 300]]);
        let (first, bytes) = packed.frames()[0];
        assert_eq!(bytes[..4], [VERSION, ZSTD_WITH_DICTIONARY, DICTIONARY, 0]);
        let changed = |at: usize, to: u8| {
            let mut bytes = bytes.to_vec();
            bytes[at] = to;
            let crc_at = bytes.len() - CRC;
            let crc = crc(first, &bytes[..crc_at]).to_le_bytes();
            bytes[crc_at..].copy_from_slice(&crc);
            open(first, &bytes).expect_err("nobody can know what it says").to_string()
        };
        assert!(changed(0, 2).contains("later version"), "{}", changed(0, 2));
        for (at, to) in [(1, 3), (1, 0), (1, 1), (3, 1)] {
            assert!(changed(at, to).contains("unknown compression"), "{}", changed(at, to));
        }
        for number in [0, 2] {
            assert!(changed(2, number).contains("unknown dictionary"), "{}", changed(2, number));
        }
    }

    #[test]
    fn a_large_group_becomes_several_small_frames() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        // First what cannot be compressed, then what can be a little, then a lot: no frame is too large after a change.
        let mut records: Vec<Vec<u8>> = (0..500).map(|_| (0..160).map(|_| noise()).collect()).collect();
        records.extend((0..500).map(|_| (0..160).map(|i| if i % 2 == 0 { noise() } else { 7 }).collect()));
        records.extend((0..500_usize).map(|i| vec![i as u8; 160]));
        records.extend((0..500).map(|_| (0..160).map(|_| noise()).collect()));
        let packed = pack(3, &records);
        let mut tip = packed.before;
        let mut read = Vec::new();
        for (first, bytes) in packed.frames() {
            assert!(bytes.len() <= STORED_LIMIT);
            let opened = open(first, bytes).expect("open");
            assert_eq!((first, opened.previous), (tip.length, tip.digest));
            let link = link(first, bytes).expect("link");
            assert_eq!((link.previous, link.end), (tip.digest, opened.records.after()));
            assert_eq!(link.digest, digest(first, bytes));
            tip = Tip { length: link.end, digest: link.digest };
            for (position, record) in opened.records.iter() {
                assert_eq!(position, 3 + read.len() as u64);
                read.push(record.to_vec());
            }
        }
        assert_eq!((read, tip), (records, packed.tip));
    }
}
