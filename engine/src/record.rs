//! A record and its stored bytes. The only user of protobuf in the engine.
//!
//! Bytes are made once, when an event is logged, and never again: whoever hashes, copies or exports a record uses the
//! bytes as they lie. Decoding tolerates fields added by later versions and refuses what it cannot mean anything by.

use crate::dossier::{ApplicantKind, Code, Due, Event, Flags, Outcome, Restated, Statement};
use crate::time::{Date, Timestamp};
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
    /// What the desk said.
    pub statement: Statement,
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

impl Record {
    /// Its stored bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        stored::Record {
            recorded_at: self.recorded_at.0,
            event_id: self.statement.event_id.as_bytes().to_vec(),
            dossier: self.statement.dossier.to_string(),
            dossier_version: self.dossier_version,
            previous_distance: self.previous.map_or(0, |p| self.position - p),
            occurred_at: self.statement.occurred_at.0,
            desk: text(self.statement.desk.as_ref()),
            actor: text(self.statement.actor.as_ref()),
            author: self.author.to_string(),
            flags: self.flags.0,
            event: Some(encode_event(&self.statement.event)),
        }
        .encode_to_vec()
    }

    /// Reads stored bytes that lie at `position`.
    ///
    /// # Errors
    /// [`Unreadable`] if they are not a record this version understands.
    pub fn decode(position: u64, bytes: &[u8]) -> Result<Record, Unreadable> {
        let unreadable = |what: String| Unreadable { position, what };
        let stored = stored::Record::decode(bytes).map_err(|e| unreadable(e.to_string()))?;
        let event_id = Uuid::from_slice(&stored.event_id).map_err(|_| unreadable("event id".to_owned()))?;
        let event = stored.event.ok_or_else(|| unreadable("an event of a later version".to_owned()))?;
        let event = decode_event(event).map_err(|what| unreadable(what.to_owned()))?;
        let previous = match stored.previous_distance {
            0 => None,
            d => Some(position.checked_sub(d).ok_or_else(|| unreadable("previous record".to_owned()))?),
        };
        Ok(Record {
            position,
            recorded_at: Timestamp(stored.recorded_at),
            dossier_version: stored.dossier_version,
            previous,
            author: stored.author.into(),
            flags: Flags(stored.flags),
            statement: Statement {
                event_id,
                dossier: stored.dossier.into(),
                occurred_at: Timestamp(stored.occurred_at),
                desk: code(stored.desk),
                actor: code(stored.actor),
                event,
            },
        })
    }
}

fn text(code: Option<&Code>) -> String {
    code.map_or_else(String::new, ToString::to_string)
}

fn code(text: String) -> Option<Code> {
    (!text.is_empty()).then(|| Arc::from(text))
}

fn encode_due(due: Due) -> stored::Due {
    stored::Due {
        kind: Some(match due {
            Due::Instant(t) => stored::due::Kind::Instant(t.0),
            Due::Date(d) => stored::due::Kind::Date(d.0),
        }),
    }
}

fn decode_due(due: Option<stored::Due>) -> Option<Due> {
    due?.kind.map(|kind| match kind {
        stored::due::Kind::Instant(ms) => Due::Instant(Timestamp(ms)),
        stored::due::Kind::Date(days) => Due::Date(Date(days)),
    })
}

fn encode_event(event: &Event) -> stored::record::Event {
    use stored::record::Event as E;
    match event {
        Event::Received { unit, procedure, field, channel, due, applicant_kind } => E::Received(stored::Received {
            unit: unit.to_string(),
            procedure: text(procedure.as_ref()),
            field: text(field.as_ref()),
            channel: text(channel.as_ref()),
            due: due.map(encode_due),
            applicant_kind: applicant_kind.map_or(stored::ApplicantKind::Unspecified, |k| match k {
                ApplicantKind::Citizen => stored::ApplicantKind::Citizen,
                ApplicantKind::Enterprise => stored::ApplicantKind::Enterprise,
                ApplicantKind::Agency => stored::ApplicantKind::Agency,
                ApplicantKind::Other => stored::ApplicantKind::Other,
            }) as i32,
        }),
        Event::Rejected { unit, reason_code } => {
            E::Rejected(stored::Rejected { unit: text(unit.as_ref()), reason_code: text(reason_code.as_ref()) })
        }
        Event::Forwarded { to_unit, step_due } => {
            E::Forwarded(stored::Forwarded { to_unit: to_unit.to_string(), step_due: step_due.map(encode_due) })
        }
        Event::SupplementRequested { items, reason_code } => E::SupplementRequested(stored::SupplementRequested {
            items: items.iter().map(ToString::to_string).collect(),
            reason_code: text(reason_code.as_ref()),
        }),
        Event::Supplemented { due } => E::Supplemented(stored::Supplemented { due: due.map(encode_due) }),
        Event::PaymentRequested { stops_clock } => {
            E::PaymentRequested(stored::PaymentRequested { stops_clock: *stops_clock })
        }
        Event::Paid { due } => E::Paid(stored::Paid { due: due.map(encode_due) }),
        Event::Processed { outcome } => E::Processed(stored::Processed {
            outcome: match outcome {
                Outcome::Granted => stored::Outcome::Granted,
                Outcome::Refused => stored::Outcome::Refused,
            } as i32,
        }),
        Event::Late { promise, due } => E::Late(stored::Late { promise: *promise, due: Some(encode_due(*due)) }),
        Event::ApologySent { letter_number, reason_code, signer, sent_via, new_due } => {
            E::ApologySent(stored::ApologySent {
                letter_number: text(letter_number.as_ref()),
                reason_code: text(reason_code.as_ref()),
                signer: text(signer.as_ref()),
                sent_via: text(sent_via.as_ref()),
                new_due: new_due.map(encode_due),
            })
        }
        Event::Returned { returned_via } => E::Returned(stored::Returned { returned_via: text(returned_via.as_ref()) }),
        Event::Withdrawn { reason_code } => E::Withdrawn(stored::Withdrawn { reason_code: text(reason_code.as_ref()) }),
        Event::Stopped { reason_code } => E::Stopped(stored::Stopped { reason_code: reason_code.to_string() }),
        Event::Corrected { target_event_id, reason_code, replacement } => E::Corrected(Box::new(stored::Corrected {
            target_event_id: target_event_id.as_bytes().to_vec(),
            reason_code: reason_code.to_string(),
            replacement: replacement.as_ref().map(|restated| {
                Box::new(stored::Record {
                    occurred_at: restated.occurred_at.0,
                    desk: text(restated.desk.as_ref()),
                    actor: text(restated.actor.as_ref()),
                    event: Some(encode_event(&restated.event)),
                    ..stored::Record::default()
                })
            }),
        })),
    }
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
