//! The stored bytes of an event, written by hand: the same, byte for byte, that the generated code makes.
//!
//! Every event goes this way once, so it copies nothing twice: fields in the order of their numbers, what is the
//! default left out, each message's length filled in when the message is there. What the numbers mean is told in
//! `proto/dunghen/log/v1/record.proto`; a test holds both against each other.

use crate::dossier::{ApplicantKind, Event, Outcome, Restated};
use crate::rules::Code;
use crate::time::Due;

/// The wire types that are written.
const VARINT: u32 = 0;
const BYTES: u32 = 2;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn key(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(out, u64::from(field << 3 | wire_type));
}

/// A number that is left out if it is 0.
pub(super) fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        key(out, field, VARINT);
        varint(out, value);
    }
}

/// A signed number as two's complement; left out if it is 0.
pub(super) fn signed(out: &mut Vec<u8>, field: u32, value: i64) {
    number(out, field, value as u64);
}

/// Bytes that are left out if there are none.
pub(super) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    if !value.is_empty() {
        element(out, field, value);
    }
}

/// Bytes that are there even if they are none: an element of a list.
fn element(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    key(out, field, BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A text that is left out if it was not said.
pub(super) fn text(out: &mut Vec<u8>, field: u32, value: Option<&Code>) {
    bytes(out, field, value.map_or(&[], |code| code.as_bytes()));
}

/// A message, whose length is known when it is written.
fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, field, BYTES);
    let at = out.len();
    out.push(0);
    write(out);
    let mut length = out.len() - at - 1;
    let mut at = at;
    // Nearly every message is shorter than 128 bytes; what is longer moves.
    while length >= 0x80 {
        out[at] = length as u8 | 0x80;
        length >>= 7;
        at += 1;
        out.insert(at, 0);
    }
    out[at] = length as u8;
}

/// A due that is left out if there is none. Its date or instant is told even if it is 0.
pub(super) fn due(out: &mut Vec<u8>, field: u32, due: Option<Due>) {
    let Some(due) = due else { return };
    message(out, field, |out| match due {
        Due::Instant(t) => {
            key(out, 1, VARINT);
            varint(out, t.0 as u64);
        }
        Due::Date(d) => {
            key(out, 2, VARINT);
            // Zigzag, as `sint32` is.
            varint(out, u64::from((d.0 << 1 ^ d.0 >> 31) as u32));
        }
    });
}

/// The event, as the last field of its record.
pub(super) fn event(out: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Received { unit, procedure, field, channel, due: promise, applicant_kind } => message(out, 20, |out| {
            text(out, 1, Some(unit));
            text(out, 2, procedure.as_ref());
            text(out, 3, field.as_ref());
            text(out, 4, channel.as_ref());
            due(out, 5, *promise);
            let kind = applicant_kind.map_or(0, |kind| match kind {
                ApplicantKind::Citizen => 1,
                ApplicantKind::Enterprise => 2,
                ApplicantKind::Agency => 3,
                ApplicantKind::Other => 4,
            });
            number(out, 6, kind);
        }),
        Event::Rejected { unit, reason_code } => message(out, 21, |out| {
            text(out, 1, unit.as_ref());
            text(out, 2, reason_code.as_ref());
        }),
        Event::Forwarded { to_unit, step_due } => message(out, 22, |out| {
            text(out, 1, Some(to_unit));
            due(out, 2, *step_due);
        }),
        Event::SupplementRequested { items, reason_code } => message(out, 23, |out| {
            for item in items {
                element(out, 1, item.as_bytes());
            }
            text(out, 2, reason_code.as_ref());
        }),
        Event::Supplemented { due: promise } => message(out, 24, |out| due(out, 1, *promise)),
        Event::PaymentRequested { stops_clock } => message(out, 25, |out| number(out, 1, u64::from(*stops_clock))),
        Event::Paid { due: promise } => message(out, 26, |out| due(out, 1, *promise)),
        Event::Processed { outcome } => message(out, 27, |out| {
            let outcome = match outcome {
                Outcome::Granted => 1,
                Outcome::Refused => 2,
            };
            number(out, 1, outcome);
        }),
        Event::Late { promise, due: passed } => message(out, 28, |out| {
            number(out, 1, u64::from(*promise));
            due(out, 2, Some(*passed));
        }),
        Event::ApologySent { letter_number, reason_code, signer, sent_via, new_due } => message(out, 29, |out| {
            text(out, 1, letter_number.as_ref());
            text(out, 2, reason_code.as_ref());
            text(out, 3, signer.as_ref());
            text(out, 4, sent_via.as_ref());
            due(out, 5, *new_due);
        }),
        Event::Returned { returned_via } => message(out, 30, |out| text(out, 1, returned_via.as_ref())),
        Event::Withdrawn { reason_code } => message(out, 31, |out| text(out, 1, reason_code.as_ref())),
        Event::Stopped { reason_code } => message(out, 32, |out| text(out, 1, Some(reason_code))),
        Event::Corrected { target_event_id, reason_code, replacement } => message(out, 33, |out| {
            bytes(out, 1, target_event_id.as_bytes());
            text(out, 2, Some(reason_code));
            if let Some(restated) = replacement {
                message(out, 3, |out| self::restated(out, restated));
            }
        }),
    }
}

fn restated(out: &mut Vec<u8>, restated: &Restated) {
    signed(out, 6, restated.occurred_at.0);
    text(out, 7, restated.desk.as_ref());
    text(out, 8, restated.actor.as_ref());
    event(out, &restated.event);
}
