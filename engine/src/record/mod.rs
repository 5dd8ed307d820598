//! A record and its stored bytes. The only user of protobuf in the engine.
//!
//! Bytes are made once, when an event is logged, and never again: whoever hashes, copies or exports a record uses the
//! bytes as they lie. Events are written, and read as far as they are usual, by hand (`encode`, `decode`); rules and all that
//! is unusual by the code that is generated from the schema. Decoding tolerates fields added by later versions and refuses what it cannot mean anything by.

mod decode;
mod encode;
mod rule;
#[cfg(test)]
mod tests;

pub use decode::Decoder;

use crate::dossier::{ApplicantKind, Event, Flags, Outcome, Reckoned, Restated, Statement};
use crate::rules::{Code, Publication};
use crate::time::{Date, Due, Timestamp};
use prost::Message;
use std::sync::Arc;
use uuid::Uuid;

#[allow(missing_docs, clippy::all, reason = "generated from proto/dunghen/log/v1")]
mod stored {
    include!(concat!(env!("OUT_DIR"), "/dunghen.log.v1.rs"));
}

/// One event as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log, from 0 without gaps.
    pub position: u64,
    /// When the engine recorded it; never decreases.
    pub recorded_at: Timestamp,
    /// 1 for the dossier's first record, then 2, 3, …
    pub dossier_version: u32,
    /// Where the dossier's previous record stands.
    pub previous: Option<u64>,
    /// The authenticated sender; empty until there is one.
    pub author: Code,
    /// What did not fit when it was recorded.
    pub flags: Flags,
    /// What the rules in force made of it.
    pub reckoned: Reckoned,
    /// What the desk said.
    pub statement: Statement,
}

/// A published rule as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRecord {
    /// Its place in the log, from 0 without gaps.
    pub position: u64,
    /// When the engine recorded it; never decreases.
    pub recorded_at: Timestamp,
    /// The sender's id.
    pub event_id: Uuid,
    /// 1 for the rule's first recorded version, then 2, 3, …
    pub version: u32,
    /// Where the rule's previous version stands.
    pub previous: Option<u64>,
    /// The authenticated sender; empty until there is one.
    pub author: Code,
    /// What was published.
    pub publication: Publication,
}

/// What the log holds at a position: an event of a dossier, or a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logged {
    /// An event of a dossier.
    Event(Record),
    /// A published rule.
    Rule(RuleRecord),
}

impl Logged {
    /// Reads stored bytes that lie at `position`.
    ///
    /// # Errors
    /// [`Unreadable`] if they are not a record this version understands.
    pub fn decode(position: u64, bytes: &[u8]) -> Result<Logged, Unreadable> {
        Decoder::forgetful().decode(position, bytes)
    }

    /// The event of a dossier, if it is one.
    #[must_use]
    pub fn into_event(self) -> Option<Record> {
        match self {
            Logged::Event(record) => Some(record),
            Logged::Rule(_) => None,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> u64 {
        match self {
            Logged::Event(record) => record.position,
            Logged::Rule(record) => record.position,
        }
    }

    /// When it was recorded.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        match self {
            Logged::Event(record) => record.recorded_at,
            Logged::Rule(record) => record.recorded_at,
        }
    }
}

impl RuleRecord {
    /// Its stored bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        stored::Record {
            recorded_at: self.recorded_at.0,
            event_id: self.event_id.as_bytes().to_vec(),
            dossier_version: self.version,
            previous_distance: self.previous.map_or(0, |p| self.position - p),
            occurred_at: self.recorded_at.0,
            author: self.author.to_string(),
            event: Some(stored::record::Event::Published(rule::encode(&self.publication))),
            ..stored::Record::default()
        }
        .encode_to_vec()
    }
}

/// Stored bytes that are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {position} cannot be read: {what}")]
pub struct Unreadable {
    /// Where.
    pub position: u64,
    /// What is wrong.
    pub what: String,
}

/// What a record of an event says, for whoever has no use for a [`Record`] of its own.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// Its place in the log.
    pub position: u64,
    /// When the engine records it.
    pub recorded_at: Timestamp,
    /// 1 for the dossier's first record, then 2, 3, …
    pub dossier_version: u32,
    /// Where the dossier's previous record stands.
    pub previous: Option<u64>,
    /// The authenticated sender.
    pub author: &'a Code,
    /// What does not fit.
    pub flags: Flags,
    /// What the rules in force make of it.
    pub reckoned: Reckoned,
    /// What the desk said.
    pub statement: &'a Statement,
}

impl RecordRef<'_> {
    /// Appends its stored bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Statement { event_id, dossier, occurred_at, desk, actor, event } = self.statement;
        encode::signed(out, 1, self.recorded_at.0);
        encode::bytes(out, 2, event_id.as_bytes());
        encode::text(out, 3, Some(dossier));
        encode::number(out, 4, u64::from(self.dossier_version));
        encode::number(out, 5, self.previous.map_or(0, |p| self.position - p));
        encode::signed(out, 6, occurred_at.0);
        encode::text(out, 7, desk.as_ref());
        encode::text(out, 8, actor.as_ref());
        encode::text(out, 9, Some(self.author));
        encode::number(out, 10, u64::from(self.flags.0));
        encode::due(out, 11, self.reckoned.due);
        encode::number(out, 12, u64::from(self.reckoned.clock_stops));
        encode::event(out, event);
    }
}

impl Record {
    /// The same, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> RecordRef<'_> {
        RecordRef {
            position: self.position,
            recorded_at: self.recorded_at,
            dossier_version: self.dossier_version,
            previous: self.previous,
            author: &self.author,
            flags: self.flags,
            reckoned: self.reckoned,
            statement: &self.statement,
        }
    }

    /// Its stored bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        self.as_ref().encode(&mut out);
        out
    }

    /// Reads the stored bytes of an event that lie at `position`.
    ///
    /// # Errors
    /// [`Unreadable`] if they are not an event of a dossier that this version understands.
    pub fn decode(position: u64, bytes: &[u8]) -> Result<Record, Unreadable> {
        match Logged::decode(position, bytes)? {
            Logged::Event(record) => Ok(record),
            Logged::Rule(_) => Err(Unreadable { position, what: "a rule, not an event of a dossier".to_owned() }),
        }
    }
}

/// Reads a record with the generated code: everything that can be read at all.
fn decode_any(position: u64, bytes: &[u8]) -> Result<Logged, Unreadable> {
    let unreadable = |what: String| Unreadable { position, what };
    let stored = stored::Record::decode(bytes).map_err(|e| unreadable(e.to_string()))?;
    let event_id = Uuid::from_slice(&stored.event_id).map_err(|_| unreadable("event id".to_owned()))?;
    let previous = match stored.previous_distance {
        0 => None,
        d => Some(position.checked_sub(d).ok_or_else(|| unreadable("previous record".to_owned()))?),
    };
    let recorded_at = Timestamp(stored.recorded_at);
    let event = match stored.event.ok_or_else(|| unreadable("an event of a later version".to_owned()))? {
        stored::record::Event::Published(published) => {
            return Ok(Logged::Rule(RuleRecord {
                position,
                recorded_at,
                event_id,
                version: stored.dossier_version,
                previous,
                author: stored.author.into(),
                publication: rule::decode(published).map_err(|what| unreadable(what.to_owned()))?,
            }));
        }
        event => decode_event(event).map_err(|what| unreadable(what.to_owned()))?,
    };
    Ok(Logged::Event(Record {
        position,
        recorded_at,
        dossier_version: stored.dossier_version,
        previous,
        author: stored.author.into(),
        flags: Flags(stored.flags),
        reckoned: Reckoned { due: decode_due(stored.reckoned_due), clock_stops: stored.clock_stops },
        statement: Statement {
            event_id,
            dossier: stored.dossier.into(),
            occurred_at: Timestamp(stored.occurred_at),
            desk: code(stored.desk),
            actor: code(stored.actor),
            event,
        },
    }))
}

fn text(code: Option<&Code>) -> String {
    code.map_or_else(String::new, ToString::to_string)
}

fn code(text: String) -> Option<Code> {
    (!text.is_empty()).then(|| Arc::from(text))
}

fn decode_due(due: Option<stored::Due>) -> Option<Due> {
    due?.kind.map(|kind| match kind {
        stored::due::Kind::Instant(ms) => Due::Instant(Timestamp(ms)),
        stored::due::Kind::Date(days) => Due::Date(Date(days)),
    })
}

fn decode_event(event: stored::record::Event) -> Result<Event, &'static str> {
    use stored::record::Event as E;
    let applicant_kind = |value: i32| match stored::ApplicantKind::try_from(value) {
        Ok(stored::ApplicantKind::Citizen) => Ok(Some(ApplicantKind::Citizen)),
        Ok(stored::ApplicantKind::Enterprise) => Ok(Some(ApplicantKind::Enterprise)),
        Ok(stored::ApplicantKind::Agency) => Ok(Some(ApplicantKind::Agency)),
        Ok(stored::ApplicantKind::Other) => Ok(Some(ApplicantKind::Other)),
        Ok(stored::ApplicantKind::Unspecified) => Ok(None),
        Err(_) => Err("applicant kind of a later version"),
    };
    Ok(match event {
        E::Received(e) => Event::Received {
            unit: e.unit.into(),
            procedure: code(e.procedure),
            field: code(e.field),
            channel: code(e.channel),
            due: decode_due(e.due),
            applicant_kind: applicant_kind(e.applicant_kind)?,
        },
        E::Rejected(e) => Event::Rejected { unit: code(e.unit), reason_code: code(e.reason_code) },
        E::Forwarded(e) => Event::Forwarded { to_unit: e.to_unit.into(), step_due: decode_due(e.step_due) },
        E::SupplementRequested(e) => Event::SupplementRequested {
            items: e.items.into_iter().map(Arc::from).collect(),
            reason_code: code(e.reason_code),
        },
        E::Supplemented(e) => Event::Supplemented { due: decode_due(e.due) },
        E::PaymentRequested(e) => Event::PaymentRequested { stops_clock: e.stops_clock },
        E::Paid(e) => Event::Paid { due: decode_due(e.due) },
        E::Processed(e) => Event::Processed {
            outcome: match stored::Outcome::try_from(e.outcome) {
                Ok(stored::Outcome::Refused) => Outcome::Refused,
                Ok(stored::Outcome::Granted | stored::Outcome::Unspecified) => Outcome::Granted,
                Err(_) => return Err("outcome of a later version"),
            },
        },
        E::Late(e) => Event::Late { promise: e.promise, due: decode_due(e.due).ok_or("late without a promise")? },
        E::ApologySent(e) => Event::ApologySent {
            letter_number: code(e.letter_number),
            reason_code: code(e.reason_code),
            signer: code(e.signer),
            sent_via: code(e.sent_via),
            new_due: decode_due(e.new_due),
        },
        E::Returned(e) => Event::Returned { returned_via: code(e.returned_via) },
        E::Withdrawn(e) => Event::Withdrawn { reason_code: code(e.reason_code) },
        E::Stopped(e) => Event::Stopped { reason_code: e.reason_code.into() },
        E::Published(_) => return Err("a rule where an event of a dossier belongs"),
        E::Corrected(e) => Event::Corrected {
            target_event_id: Uuid::from_slice(&e.target_event_id).map_err(|_| "corrected event id")?,
            reason_code: e.reason_code.into(),
            replacement: match e.replacement {
                None => None,
                Some(restated) => Some(Box::new(Restated {
                    occurred_at: Timestamp(restated.occurred_at),
                    desk: code(restated.desk),
                    actor: code(restated.actor),
                    event: decode_event(restated.event.ok_or("a correction of a later version")?)?,
                })),
            },
        },
    })
}
