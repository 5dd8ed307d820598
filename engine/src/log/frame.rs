//! The frame: a few records that became durable together, and the link to the frame before.
//!
//! Layout, version 1, integers little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0 | version, 1 |
//! | 1 | compression: 0 none, 1 zstd |
//! | 2–3 | 0 |
//! | 4–7 | number of records |
//! | 8–11 | length of the payload before compression |
//! | 12–43 | digest of the frame before (of the first: of the log's identity) |
//! | 44–  | payload: each record as its length (LEB128) and its bytes |
//! | last 4 | CRC-32 of the position of the first record (8 bytes, big-endian) and of all before |
//!
//! The digest of a frame is SHA-256 over the same bytes as the CRC.

use super::LogError;
use sha2::{Digest as _, Sha256};

/// SHA-256 of a frame, which chains it to the next.
pub type Digest = [u8; 32];

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const HEADER: usize = 44;
/// Above about this size sled keeps values apart and its memory is no longer bounded by its cache.
const STORED_LIMIT: usize = 8000;
/// How much goes into a frame before it is compressed.
const PAYLOAD_TARGET: usize = 24 * 1024;
/// More than a frame can ever hold: a length beyond it is damage.
const PAYLOAD_LIMIT: usize = 1 << 20;

/// The first digest of a chain, made from what identifies the log.
#[must_use]
pub fn genesis(identity: &str) -> Digest {
    Sha256::digest(format!("dunghen.log.v1\n{identity}")).into()
}

/// A frame ready to be stored.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    pub(super) first: u64,
    pub(super) bytes: Vec<u8>,
}

/// A frame read back and checked on its own.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) previous: Digest,
    pub(super) digest: Digest,
    pub(super) records: Vec<Vec<u8>>,
}

fn digest(first: u64, body: &[u8]) -> Digest {
    Sha256::new().chain_update(first.to_be_bytes()).chain_update(body).finalize().into()
}

fn crc(first: u64, body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&first.to_be_bytes());
    crc.update(body);
    crc.finalize()
}

/// Packs the records of a group into frames, chained from `tip`; returns them with the new tip.
pub(super) fn pack(first: u64, records: &[Vec<u8>], tip: Digest) -> Result<(Vec<Packed>, Digest), LogError> {
    let mut frames = Vec::new();
    let mut tip = tip;
    let mut first = first;
    let mut rest = records;
    let mut compressor = zstd::bulk::Compressor::new(1).map_err(|e| LogError::Unavailable(e.to_string()))?;
    let mut target = PAYLOAD_TARGET;
    while !rest.is_empty() {
        let mut take = 0;
        let mut size = 0;
        while take < rest.len() && (take == 0 || size + rest[take].len() <= target) {
            size += rest[take].len();
            take += 1;
        }
        let body = loop {
            let body = body(&rest[..take], tip, &mut compressor)?;
            if body.len() + 4 <= STORED_LIMIT || take == 1 {
                break body;
            }
            take = fitting(take, body.len()).clamp(1, take - 1);
        };
        // What fitted this time will about fit the next: hardly a frame is compressed twice.
        let payload = rest[..take].iter().map(Vec::len).sum();
        target = fitting(payload, body.len()).clamp(1, PAYLOAD_TARGET);
        tip = digest(first, &body);
        let crc = crc(first, &body);
        let mut bytes = body;
        bytes.extend_from_slice(&crc.to_le_bytes());
        frames.push(Packed { first, bytes });
        first += take as u64;
        rest = &rest[take..];
    }
    Ok((frames, tip))
}

/// How much of what came to `stored` bytes would just fit, with something to spare.
fn fitting(amount: usize, stored: usize) -> usize {
    amount.saturating_mul(STORED_LIMIT - STORED_LIMIT / 16) / stored.max(1)
}

fn body(
    records: &[Vec<u8>],
    previous: Digest,
    compressor: &mut zstd::bulk::Compressor<'_>,
) -> Result<Vec<u8>, LogError> {
    let mut payload = Vec::with_capacity(records.iter().map(|r| r.len() + 3).sum());
    for record in records {
        let mut length = record.len();
        while length >= 0x80 {
            payload.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        payload.push(length as u8);
        payload.extend_from_slice(record);
    }
    // Nothing is written that `open` would refuse to read.
    let too_long = || LogError::Unavailable("a frame is too long".to_owned());
    if payload.len() > PAYLOAD_LIMIT {
        return Err(too_long());
    }
    let compressed = compressor.compress(&payload).map_err(|e| LogError::Unavailable(e.to_string()))?;
    let (compression, stored) = if compressed.len() < payload.len() { (ZSTD, &compressed) } else { (PLAIN, &payload) };
    let mut body = Vec::with_capacity(HEADER + stored.len() + 4);
    body.extend_from_slice(&[VERSION, compression, 0, 0]);
    body.extend_from_slice(&u32::try_from(records.len()).map_err(|_| too_long())?.to_le_bytes());
    body.extend_from_slice(&u32::try_from(payload.len()).map_err(|_| too_long())?.to_le_bytes());
    body.extend_from_slice(&previous);
    body.extend_from_slice(stored);
    Ok(body)
}

/// Opens a stored frame and checks all that can be checked without its neighbours.
pub(super) fn open(first: u64, bytes: &[u8]) -> Result<Opened, LogError> {
    let damaged = |what: &str| LogError::Damaged { position: first, what: what.to_owned() };
    let crc_at = bytes.len().checked_sub(4).filter(|n| *n >= HEADER).ok_or_else(|| damaged("a frame is too short"))?;
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
    let payload = match body[1] {
        PLAIN => body[HEADER..].to_vec(),
        ZSTD => zstd::bulk::decompress(&body[HEADER..], length).map_err(|_| damaged("a frame cannot be unpacked"))?,
        _ => return Err(damaged("a frame in an unknown compression")),
    };
    let records = split(&payload, count).filter(|_| payload.len() == length);
    let records = records.ok_or_else(|| damaged("the records of a frame do not fill it"))?;
    let mut previous = [0; 32];
    previous.copy_from_slice(&body[12..HEADER]);
    Ok(Opened { previous, digest: digest(first, body), records })
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
    Ok(Link { previous, digest: digest(first, body), end })
}

fn split(payload: &[u8], count: usize) -> Option<Vec<Vec<u8>>> {
    let mut records = Vec::with_capacity(count);
    let mut rest = payload;
    for _ in 0..count {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let (byte, tail) = rest.split_first()?;
            rest = tail;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 28 {
                return None;
            }
        }
        let (record, tail) = rest.split_at_checked(length)?;
        records.push(record.to_vec());
        rest = tail;
    }
    rest.is_empty().then_some(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames written by version 0.1.0 are read for ever.
    #[test]
    fn golden_frame() {
        let hex = include_str!("../../golden/frame-v1.hex").trim();
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect();
        let frame = open(7, &bytes).expect("golden frame");
        assert_eq!(frame.records, [b"first record".to_vec(), b"second".to_vec()]);
        assert_eq!(frame.previous, genesis("golden"));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let records: Vec<Vec<u8>> = (0..20_u8).map(|i| vec![i; 40]).collect();
        let (frames, _) = pack(0, &records, genesis("x")).expect("pack");
        assert_eq!(frames.len(), 1);
        for bit in 0..frames[0].bytes.len() * 8 {
            let mut bytes = frames[0].bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(open(0, &bytes).is_err(), "bit {bit}");
            assert!(link(0, &bytes).is_err(), "bit {bit}");
        }
        assert!(open(1, &frames[0].bytes).is_err(), "a frame moved to another position");
    }

    #[test]
    fn a_large_group_becomes_several_small_frames() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let records: Vec<Vec<u8>> = (0..500).map(|_| (0..160).map(|_| noise()).collect()).collect();
        let (frames, _) = pack(3, &records, genesis("x")).expect("pack");
        let mut tip = genesis("x");
        let mut read = Vec::new();
        for frame in &frames {
            assert!(frame.bytes.len() <= STORED_LIMIT);
            assert_eq!(frame.first, 3 + read.len() as u64);
            let opened = open(frame.first, &frame.bytes).expect("open");
            assert_eq!(opened.previous, tip);
            let end = frame.first + opened.records.len() as u64;
            let link = link(frame.first, &frame.bytes).expect("link");
            assert_eq!((link.previous, link.digest, link.end), (tip, opened.digest, end));
            tip = opened.digest;
            read.extend(opened.records);
        }
        assert_eq!(read, records);
    }
}
