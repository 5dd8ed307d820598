//! Reads the stored bytes of events by hand, as the engine writes them; everything else goes the generated code's way.
//!
//! [`Decoder`] knows only what `encode` makes: fields in the order of their numbers, none twice, none unknown, and no
//! correction. Whatever is unusual, be it damaged, of a later version or only rare, is left to the generated code, which
//! alone decides whether it can be read, and what is wrong if not. So the two cannot disagree but about the usual, and
//! there a test holds them against each other. Codes that come again and again (units, desks, procedures) are made once.

use super::{Logged, Record, Unreadable};
use crate::dossier::{ApplicantKind, Event, Flags, Outcome, Reckoned, Statement};
use crate::rules::Code;
use crate::time::{Date, Due, Timestamp};
use std::sync::Arc;
use uuid::Uuid;

/// How many codes are remembered at most: 2 to the power of so much. A province has some hundred units, desks and
/// officers.
const REMEMBERED_BITS: u32 = 12;

/// Reads records, one after the other.
#[derive(Debug)]
pub struct Decoder {
    /// The newest code of each hash; none at all if codes are not remembered.
    codes: Vec<Option<Remembered>>,
}

/// A code, and what tells it from others without a look at it.
#[derive(Clone, Debug)]
struct Remembered {
    ends: Ends,
    code: Code,
}

/// The length of a code and both its ends: of one of up to 16 bytes that is all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    length: usize,
    head: u64,
    tail: u64,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

impl Decoder {
    /// For many records: remembers the codes it made.
    #[must_use]
    pub fn new() -> Decoder {
        Decoder { codes: vec![None; 1 << REMEMBERED_BITS] }
    }

    /// For one record.
    pub(super) fn forgetful() -> Decoder {
        Decoder { codes: Vec::new() }
    }

    /// Reads stored bytes that lie at `position`.
    ///
    /// # Errors
    /// [`Unreadable`] if they are not a record this version understands.
    pub fn decode(&mut self, position: u64, bytes: &[u8]) -> Result<Logged, Unreadable> {
        match self.usual(position, bytes) {
            Ok(record) => Ok(Logged::Event(record)),
            Err(Unusual) => super::decode_any(position, bytes),
        }
    }

    pub(super) fn usual(&mut self, position: u64, bytes: &[u8]) -> Result<Record, Unusual> {
        let mut fields = Fields { rest: bytes };
        let recorded_at = Timestamp(fields.signed(1)?);
        let event_id = Uuid::from_slice(fields.bytes(2)?).map_err(|_| Unusual)?;
        // Hardly any two that follow each other are of one dossier.
        let dossier = new_code(fields.bytes(3)?)?;
        let dossier_version = fields.narrow(4)?;
        let previous = match fields.number(5)? {
            0 => None,
            distance => Some(position.checked_sub(distance).ok_or(Unusual)?),
        };
        let occurred_at = Timestamp(fields.signed(6)?);
        let desk = self.said(fields.bytes(7)?)?;
        let actor = self.said(fields.bytes(8)?)?;
        let author = self.code(fields.bytes(9)?)?;
        let flags = Flags(fields.narrow(10)?);
        let reckoned = Reckoned { due: due(fields.bytes(11)?)?, clock_stops: fields.number(12)? != 0 };
        let (kind, event) = fields.message()?;
        fields.end()?;
        let event = self.event(kind, event)?;
        let statement = Statement { event_id, dossier, occurred_at, desk, actor, event };
        Ok(Record { position, recorded_at, dossier_version, previous, author, flags, reckoned, statement })
    }

    fn event(&mut self, kind: u64, bytes: &[u8]) -> Result<Event, Unusual> {
        let mut fields = Fields { rest: bytes };
        let event = match kind {
            20 => Event::Received {
                unit: self.code(fields.bytes(1)?)?,
                procedure: self.said(fields.bytes(2)?)?,
                field: self.said(fields.bytes(3)?)?,
                channel: self.said(fields.bytes(4)?)?,
                due: due(fields.bytes(5)?)?,
                applicant_kind: match fields.number(6)? {
                    0 => None,
                    1 => Some(ApplicantKind::Citizen),
                    2 => Some(ApplicantKind::Enterprise),
                    3 => Some(ApplicantKind::Agency),
                    4 => Some(ApplicantKind::Other),
                    _ => return Err(Unusual),
                },
            },
            21 => Event::Rejected { unit: self.said(fields.bytes(1)?)?, reason_code: self.said(fields.bytes(2)?)? },
            22 => Event::Forwarded { to_unit: self.code(fields.bytes(1)?)?, step_due: due(fields.bytes(2)?)? },
            23 => {
                let mut items = Vec::new();
                while let Some(item) = fields.element(1)? {
                    items.push(self.code(item)?);
                }
                Event::SupplementRequested { items, reason_code: self.said(fields.bytes(2)?)? }
            }
            24 => Event::Supplemented { due: due(fields.bytes(1)?)? },
            25 => Event::PaymentRequested { stops_clock: fields.number(1)? != 0 },
            26 => Event::Paid { due: due(fields.bytes(1)?)? },
            27 => match fields.number(1)? {
                0 | 1 => Event::Processed { outcome: Outcome::Granted },
                2 => Event::Processed { outcome: Outcome::Refused },
                _ => return Err(Unusual),
            },
            28 => Event::Late { promise: fields.narrow(1)?, due: due(fields.bytes(2)?)?.ok_or(Unusual)? },
            29 => Event::ApologySent {
                // Hardly any two are the same.
                letter_number: Some(new_code(fields.bytes(1)?)?).filter(|number| !number.is_empty()),
                reason_code: self.said(fields.bytes(2)?)?,
                signer: self.said(fields.bytes(3)?)?,
                sent_via: self.said(fields.bytes(4)?)?,
                new_due: due(fields.bytes(5)?)?,
            },
            30 => Event::Returned { returned_via: self.said(fields.bytes(1)?)? },
            31 => Event::Withdrawn { reason_code: self.said(fields.bytes(1)?)? },
            32 => Event::Stopped { reason_code: self.code(fields.bytes(1)?)? },
            _ => return Err(Unusual),
        };
        fields.end()?;
        Ok(event)
    }

    /// A code; nothing if it is empty.
    fn said(&mut self, bytes: &[u8]) -> Result<Option<Code>, Unusual> {
        if bytes.is_empty() { Ok(None) } else { self.code(bytes).map(Some) }
    }

    fn code(&mut self, bytes: &[u8]) -> Result<Code, Unusual> {
        let ends = Ends::of(bytes);
        let Some(remembered) = self.codes.get_mut(ends.hash()) else { return new_code(bytes) };
        match remembered {
            Some(Remembered { ends: same, code })
                if *same == ends && (bytes.len() <= 16 || code.as_bytes() == bytes) =>
            {
                Ok(Arc::clone(code))
            }
            _ => Ok(Arc::clone(&remembered.insert(Remembered { ends, code: new_code(bytes)? }).code)),
        }
    }
}

fn new_code(bytes: &[u8]) -> Result<Code, Unusual> {
    std::str::from_utf8(bytes).map(Code::from).map_err(|_| Unusual)
}

impl Ends {
    fn of(bytes: &[u8]) -> Ends {
        let length = bytes.len();
        let (head, tail) = if let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk()) {
            (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
        } else if let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk()) {
            (u32::from_le_bytes(*head).into(), u32::from_le_bytes(*tail).into())
        } else {
            (bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0)
        };
        Ends { length, head, tail }
    }

    /// Spreads codes over what is remembered; two that meet only take turns.
    fn hash(self) -> usize {
        let word = self.head ^ self.tail.rotate_left(23) ^ self.length as u64;
        (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - REMEMBERED_BITS)) as usize
    }
}

/// What the decoder leaves to the generated code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusual;

/// The fields of a message, asked for in the order of their numbers. What is not there is the default.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Passes over a key of one byte, if it is the next.
    #[inline]
    fn key(&mut self, field: u8, wire_type: u8) -> bool {
        let there = self.rest.first() == Some(&(field << 3 | wire_type));
        if there {
            self.rest = &self.rest[1..];
        }
        there
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Unusual> {
        let (first, rest) = self.rest.split_first().ok_or(Unusual)?;
        if *first < 0x80 {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        if let Some(word) = self.rest.first_chunk() {
            // Eight bytes at once: those up to the first without its highest bit, seven bits of each.
            let word = u64::from_le_bytes(*word);
            let end = !word & 0x8080_8080_8080_8080;
            if end != 0 {
                self.rest = &self.rest[end.trailing_zeros() as usize / 8 + 1..];
                let word = word & (end ^ end.wrapping_sub(1)) & 0x7f7f_7f7f_7f7f_7f7f;
                let word = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
                let word = word & 0x0000_3fff_0000_3fff | (word & 0x3fff_0000_3fff_0000) >> 2;
                return Ok(word & 0x0fff_ffff | (word & 0x0fff_ffff_0000_0000) >> 4);
            }
        }
        self.long_varint()
    }

    /// One of more than eight bytes, or near the end.
    fn long_varint(&mut self) -> Result<u64, Unusual> {
        let mut value = 0;
        for (i, byte) in self.rest.iter().enumerate() {
            // The tenth byte holds the last bit of 64.
            if i == 9 && *byte > 1 {
                return Err(Unusual);
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(Unusual)
    }

    #[inline]
    fn number(&mut self, field: u8) -> Result<u64, Unusual> {
        if self.key(field, 0) { self.varint() } else { Ok(0) }
    }

    fn signed(&mut self, field: u8) -> Result<i64, Unusual> {
        self.number(field).map(|n| n as i64)
    }

    fn narrow(&mut self, field: u8) -> Result<u32, Unusual> {
        u32::try_from(self.number(field)?).map_err(|_| Unusual)
    }

    #[inline]
    fn bytes(&mut self, field: u8) -> Result<&'a [u8], Unusual> {
        Ok(self.element(field)?.unwrap_or_default())
    }

    /// The next of a list.
    #[inline]
    fn element(&mut self, field: u8) -> Result<Option<&'a [u8]>, Unusual> {
        if self.key(field, 2) { self.delimited().map(Some) } else { Ok(None) }
    }

    #[inline]
    fn delimited(&mut self) -> Result<&'a [u8], Unusual> {
        let length = usize::try_from(self.varint()?).map_err(|_| Unusual)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Unusual)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A message of any number: that number, and its bytes.
    fn message(&mut self) -> Result<(u64, &'a [u8]), Unusual> {
        let key = self.varint()?;
        if key & 7 != 2 {
            return Err(Unusual);
        }
        Ok((key >> 3, self.delimited()?))
    }

    fn end(&self) -> Result<(), Unusual> {
        if self.rest.is_empty() { Ok(()) } else { Err(Unusual) }
    }
}

fn due(bytes: &[u8]) -> Result<Option<Due>, Unusual> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut fields = Fields { rest: bytes };
    let due = if fields.key(1, 0) {
        Due::Instant(Timestamp(fields.varint()? as i64))
    } else if fields.key(2, 0) {
        // Zigzag, as `sint32` is.
        let n = u32::try_from(fields.varint()?).map_err(|_| Unusual)?;
        Due::Date(Date((n >> 1) as i32 ^ -((n & 1) as i32)))
    } else {
        return Err(Unusual);
    };
    fields.end()?;
    Ok(Some(due))
}
