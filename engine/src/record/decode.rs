//! Reads the stored bytes of events by hand, as the engine writes them; everything else goes the generated code's way.
//!
//! [`Decoder`] knows only what [`super::encode`] makes: fields in the order of their numbers, none twice, none unknown, no
//! correction. Whatever is unusual, be it damaged, of a later version or only rare, is left to the generated code, which
//! alone decides whether it can be read and what is wrong if not. So the two cannot disagree but about the usual, and a
//! test holds them against each other there. Codes that come again and again (units, desks, procedures) are made once.

use super::{Logged, Record, Unreadable};
use crate::dossier::{ApplicantKind, Event, Flags, Outcome, Reckoned, Statement};
use crate::rules::Code;
use crate::time::{Date, Due, Timestamp};
use std::sync::Arc;
use uuid::Uuid;

/// How many codes are remembered at most, a power of two. A province has some hundred units, desks and officers.
const REMEMBERED: usize = 4096;

/// Reads records, one after the other.
#[derive(Debug)]
pub struct Decoder {
    /// The newest code of each hash; none at all if codes are not remembered.
    codes: Vec<Option<Code>>,
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
        Decoder { codes: vec![None; REMEMBERED] }
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
        let (mut recorded_at, mut occurred_at) = (0, 0);
        let (mut event_id, mut dossier) = (None, None);
        let (mut dossier_version, mut distance, mut flags) = (0, 0, 0);
        let (mut desk, mut actor, mut author) = (None, None, None);
        let mut reckoned = Reckoned::default();
        let mut event = None;
        let mut fields = Fields::of(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Number(n)) => recorded_at = n as i64,
                (2, Value::Bytes(b)) => event_id = Some(Uuid::from_slice(b).map_err(|_| Unusual)?),
                (3, Value::Bytes(b)) => dossier = Some(new_code(b)?),
                (4, Value::Number(n)) => dossier_version = narrow(n)?,
                (5, Value::Number(n)) => distance = n,
                (6, Value::Number(n)) => occurred_at = n as i64,
                (7, Value::Bytes(b)) => desk = self.said(b)?,
                (8, Value::Bytes(b)) => actor = self.said(b)?,
                (9, Value::Bytes(b)) => author = Some(self.code(b)?),
                (10, Value::Number(n)) => flags = narrow(n)?,
                (11, Value::Bytes(b)) => reckoned.due = due(b)?,
                (12, Value::Number(n)) => reckoned.clock_stops = n != 0,
                (kind, Value::Bytes(b)) => event = Some(self.event(kind, b)?),
                _ => return Err(Unusual),
            }
        }
        let previous = match distance {
            0 => None,
            distance => Some(position.checked_sub(distance).ok_or(Unusual)?),
        };
        let author = match author {
            Some(author) => author,
            None => self.code(b"")?,
        };
        Ok(Record {
            position,
            recorded_at: Timestamp(recorded_at),
            dossier_version,
            previous,
            author,
            flags: Flags(flags),
            reckoned,
            statement: Statement {
                event_id: event_id.ok_or(Unusual)?,
                dossier: dossier.ok_or(Unusual)?,
                occurred_at: Timestamp(occurred_at),
                desk,
                actor,
                event: event.ok_or(Unusual)?,
            },
        })
    }

    fn event(&mut self, kind: u32, bytes: &[u8]) -> Result<Event, Unusual> {
        let mut fields = Fields::of(bytes);
        Ok(match kind {
            20 => {
                let (mut unit, mut procedure, mut field, mut channel) = (None, None, None, None);
                let (mut promise, mut applicant_kind) = (None, None);
                while let Some(next) = fields.next()? {
                    match next {
                        (1, Value::Bytes(b)) => unit = Some(self.code(b)?),
                        (2, Value::Bytes(b)) => procedure = self.said(b)?,
                        (3, Value::Bytes(b)) => field = self.said(b)?,
                        (4, Value::Bytes(b)) => channel = self.said(b)?,
                        (5, Value::Bytes(b)) => promise = due(b)?,
                        (6, Value::Number(1)) => applicant_kind = Some(ApplicantKind::Citizen),
                        (6, Value::Number(2)) => applicant_kind = Some(ApplicantKind::Enterprise),
                        (6, Value::Number(3)) => applicant_kind = Some(ApplicantKind::Agency),
                        (6, Value::Number(4)) => applicant_kind = Some(ApplicantKind::Other),
                        _ => return Err(Unusual),
                    }
                }
                let unit = unit.ok_or(Unusual)?;
                Event::Received { unit, procedure, field, channel, due: promise, applicant_kind }
            }
            21 => {
                let [unit, reason_code] = self.texts(fields)?;
                Event::Rejected { unit, reason_code }
            }
            22 => {
                let (mut to_unit, mut step_due) = (None, None);
                while let Some(next) = fields.next()? {
                    match next {
                        (1, Value::Bytes(b)) => to_unit = Some(self.code(b)?),
                        (2, Value::Bytes(b)) => step_due = due(b)?,
                        _ => return Err(Unusual),
                    }
                }
                Event::Forwarded { to_unit: to_unit.ok_or(Unusual)?, step_due }
            }
            23 => {
                let (mut items, mut reason_code) = (Vec::new(), None);
                while let Some(next) = fields.next_of_list(1)? {
                    match next {
                        (1, Value::Bytes(b)) => items.push(self.code(b)?),
                        (2, Value::Bytes(b)) => reason_code = self.said(b)?,
                        _ => return Err(Unusual),
                    }
                }
                Event::SupplementRequested { items, reason_code }
            }
            24 => Event::Supplemented { due: only_due(fields)? },
            25 => match only_number(fields)? {
                n @ (0 | 1) => Event::PaymentRequested { stops_clock: n == 1 },
                _ => return Err(Unusual),
            },
            26 => Event::Paid { due: only_due(fields)? },
            27 => match only_number(fields)? {
                0 | 1 => Event::Processed { outcome: Outcome::Granted },
                2 => Event::Processed { outcome: Outcome::Refused },
                _ => return Err(Unusual),
            },
            28 => {
                let (mut promise, mut passed) = (0, None);
                while let Some(next) = fields.next()? {
                    match next {
                        (1, Value::Number(n)) => promise = narrow(n)?,
                        (2, Value::Bytes(b)) => passed = due(b)?,
                        _ => return Err(Unusual),
                    }
                }
                Event::Late { promise, due: passed.ok_or(Unusual)? }
            }
            29 => {
                let (mut letter_number, mut reason_code, mut signer, mut sent_via) = (None, None, None, None);
                let mut new_due = None;
                while let Some(next) = fields.next()? {
                    match next {
                        // Hardly any two are the same.
                        (1, Value::Bytes(b)) => letter_number = Some(new_code(b)?).filter(|n| !n.is_empty()),
                        (2, Value::Bytes(b)) => reason_code = self.said(b)?,
                        (3, Value::Bytes(b)) => signer = self.said(b)?,
                        (4, Value::Bytes(b)) => sent_via = self.said(b)?,
                        (5, Value::Bytes(b)) => new_due = due(b)?,
                        _ => return Err(Unusual),
                    }
                }
                Event::ApologySent { letter_number, reason_code, signer, sent_via, new_due }
            }
            30 => {
                let [returned_via] = self.texts(fields)?;
                Event::Returned { returned_via }
            }
            31 => {
                let [reason_code] = self.texts(fields)?;
                Event::Withdrawn { reason_code }
            }
            32 => {
                let [reason_code] = self.texts(fields)?;
                Event::Stopped { reason_code: reason_code.ok_or(Unusual)? }
            }
            _ => return Err(Unusual),
        })
    }

    /// A message of texts alone, numbered from 1.
    fn texts<const N: usize>(&mut self, mut fields: Fields<'_>) -> Result<[Option<Code>; N], Unusual> {
        let mut texts = [const { None }; N];
        while let Some(next) = fields.next()? {
            let (field, Value::Bytes(b)) = next else { return Err(Unusual) };
            *texts.get_mut(field as usize - 1).ok_or(Unusual)? = self.said(b)?;
        }
        Ok(texts)
    }

    /// A code; nothing if it is empty.
    fn said(&mut self, bytes: &[u8]) -> Result<Option<Code>, Unusual> {
        if bytes.is_empty() { Ok(None) } else { self.code(bytes).map(Some) }
    }

    fn code(&mut self, bytes: &[u8]) -> Result<Code, Unusual> {
        if self.codes.is_empty() {
            return new_code(bytes);
        }
        let remembered = &mut self.codes[hash(bytes) % REMEMBERED];
        match remembered {
            Some(code) if code.as_bytes() == bytes => Ok(Arc::clone(code)),
            _ => Ok(Arc::clone(remembered.insert(new_code(bytes)?))),
        }
    }
}

fn new_code(bytes: &[u8]) -> Result<Code, Unusual> {
    std::str::from_utf8(bytes).map(Code::from).map_err(|_| Unusual)
}

/// Spreads codes over what is remembered; two that meet only take turns.
fn hash(bytes: &[u8]) -> usize {
    let mut hash = bytes.len() as u64;
    let mut mix = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        mix(word.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    mix(words.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    (hash >> 40) as usize
}

/// What the decoder leaves to the generated code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusual;

/// What a field holds.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, as long as their numbers rise.
struct Fields<'a> {
    rest: &'a [u8],
    last: u32,
}

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8]) -> Fields<'a> {
        Fields { rest: bytes, last: 0 }
    }

    fn varint(&mut self) -> Result<u64, Unusual> {
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

    /// The number of the next field, and what it holds.
    fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Unusual> {
        self.next_of_list(0)
    }

    /// The same, where one field may come several times.
    fn next_of_list(&mut self, list: u32) -> Result<Option<(u32, Value<'a>)>, Unusual> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| Unusual)?;
        let field = key >> 3;
        if field <= self.last && (field != list || field == 0) {
            return Err(Unusual);
        }
        self.last = field;
        let value = self.varint()?;
        match key & 7 {
            0 => Ok(Some((field, Value::Number(value)))),
            2 => {
                let length = usize::try_from(value).map_err(|_| Unusual)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Unusual)?;
                self.rest = rest;
                Ok(Some((field, Value::Bytes(bytes))))
            }
            _ => Err(Unusual),
        }
    }
}

fn narrow(n: u64) -> Result<u32, Unusual> {
    u32::try_from(n).map_err(|_| Unusual)
}

fn due(bytes: &[u8]) -> Result<Option<Due>, Unusual> {
    let mut fields = Fields::of(bytes);
    let due = match fields.next()? {
        None => return Ok(None),
        Some((1, Value::Number(n))) => Due::Instant(Timestamp(n as i64)),
        Some((2, Value::Number(n))) => {
            let n = narrow(n)?;
            Due::Date(Date((n >> 1) as i32 ^ -((n & 1) as i32)))
        }
        Some(_) => return Err(Unusual),
    };
    if fields.rest.is_empty() { Ok(Some(due)) } else { Err(Unusual) }
}

/// A message of one due.
fn only_due(mut fields: Fields<'_>) -> Result<Option<Due>, Unusual> {
    match fields.next()? {
        None => Ok(None),
        Some((1, Value::Bytes(b))) if fields.rest.is_empty() => due(b),
        Some(_) => Err(Unusual),
    }
}

/// A message of one number.
fn only_number(mut fields: Fields<'_>) -> Result<u64, Unusual> {
    match fields.next()? {
        None => Ok(0),
        Some((1, Value::Number(n))) if fields.rest.is_empty() => Ok(n),
        Some(_) => Err(Unusual),
    }
}
