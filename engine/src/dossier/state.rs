//! The write model of a dossier: of each event what later decisions and figures need, and nothing else.
//!
//! Texts (reasons, letter numbers, desks) stay in the log; a fingerprint of the statement stands for them, so that a
//! repeated event can be told from one that reuses its id.

use super::event::{Code, Event, EventType, Flags, Statement};
use crate::time::{Due, Timestamp};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;
use uuid::Uuid;

/// An event reduced to what moves clocks and promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Accepted, with the first promise.
    Received(Option<Due>),
    /// Acceptance refused.
    Rejected,
    /// Handed on: moves nothing.
    Forwarded,
    /// Papers asked for.
    SupplementRequested,
    /// Papers came, with the promise as it stands now.
    Supplemented(Option<Due>),
    /// A payment asked for; whether that stops the clock.
    PaymentRequested(bool),
    /// Paid, with the promise as it stands now.
    Paid(Option<Due>),
    /// Granted or refused.
    Processed,
    /// The engine wrote that this promise passed.
    Late(u32),
    /// A letter: whether it names a reason, and its new promise.
    ApologySent(bool, Option<Due>),
    /// The applicant has the result.
    Returned,
    /// The applicant withdrew.
    Withdrawn,
    /// The agency stopped.
    Stopped,
    /// An earlier event does not count as it was told: see [`Correction`].
    Corrected,
}

impl Act {
    /// What an event does.
    #[must_use]
    pub fn of(event: &Event) -> Act {
        match event {
            Event::Received { due, .. } => Act::Received(*due),
            Event::Rejected { .. } => Act::Rejected,
            Event::Forwarded { .. } => Act::Forwarded,
            Event::SupplementRequested { .. } => Act::SupplementRequested,
            Event::Supplemented { due } => Act::Supplemented(*due),
            Event::PaymentRequested { stops_clock } => Act::PaymentRequested(*stops_clock),
            Event::Paid { due } => Act::Paid(*due),
            Event::Processed { .. } => Act::Processed,
            Event::Late { promise, .. } => Act::Late(*promise),
            Event::ApologySent { reason_code, new_due, .. } => Act::ApologySent(reason_code.is_some(), *new_due),
            Event::Returned { .. } => Act::Returned,
            Event::Withdrawn { .. } => Act::Withdrawn,
            Event::Stopped { .. } => Act::Stopped,
            Event::Corrected { .. } => Act::Corrected,
        }
    }

    /// The type of the event it came from.
    #[must_use]
    pub fn event_type(self) -> EventType {
        match self {
            Act::Received(_) => EventType::Received,
            Act::Rejected => EventType::Rejected,
            Act::Forwarded => EventType::Forwarded,
            Act::SupplementRequested => EventType::SupplementRequested,
            Act::Supplemented(_) => EventType::Supplemented,
            Act::PaymentRequested(_) => EventType::PaymentRequested,
            Act::Paid(_) => EventType::Paid,
            Act::Processed => EventType::Processed,
            Act::Late(_) => EventType::Late,
            Act::ApologySent(..) => EventType::ApologySent,
            Act::Returned => EventType::Returned,
            Act::Withdrawn => EventType::Withdrawn,
            Act::Stopped => EventType::Stopped,
            Act::Corrected => EventType::Corrected,
        }
    }
}

/// One recorded event of a dossier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands in the log.
    pub position: u64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When it happened, as the desk said.
    pub occurred_at: Timestamp,
    /// The sender's id.
    pub event_id: Uuid,
    /// Digest of the statement, to compare a repeated id.
    pub fingerprint: u128,
    /// What did not fit when it was recorded.
    pub flags: Flags,
    /// What it does.
    pub act: Act,
}

/// What a recorded correction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Where it stands in the log.
    pub position: u64,
    /// Where the event stands that it corrects.
    pub target: u64,
    /// What stands in its place, and when that happened; annulled if nothing does.
    pub replacement: Option<(Timestamp, Act)>,
}

/// Where a dossier counts: the keys that its `Received` gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The unit that answers for it.
    pub unit: Option<Code>,
    /// What is applied for.
    pub procedure: Option<Code>,
    /// The group of procedures.
    pub field: Option<Code>,
    /// How it came.
    pub channel: Option<Code>,
}

/// All that is known of one dossier, in the order of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dossier {
    /// The code, verbatim.
    pub code: Code,
    /// Where it counts.
    pub keys: Keys,
    /// Its events as they were recorded, by position.
    pub entries: Vec<Entry>,
    /// What its `Corrected` do, by position.
    pub corrections: Vec<Correction>,
    /// The keys that each `Received`, or the correction of one, gave it, with the position of the record.
    receptions: Vec<(u64, Keys)>,
    /// All flags of all its events.
    pub flags: Flags,
}

impl Dossier {
    /// A dossier of which nothing is known yet.
    #[must_use]
    pub fn new(code: Code) -> Dossier {
        Dossier {
            code,
            keys: Keys::default(),
            entries: Vec::new(),
            corrections: Vec::new(),
            receptions: Vec::new(),
            flags: Flags::default(),
        }
    }

    /// Adds a recorded event. Infallible: what the log holds happened.
    pub fn evolve(&mut self, event: &Event, entry: Entry) {
        self.flags = self.flags | entry.flags;
        self.entries.push(entry);
        match event {
            Event::Received { .. } => self.receive(event, entry.position),
            Event::Rejected { unit: Some(unit), .. } if self.entries.len() == 1 => {
                self.keys.unit = Some(Arc::clone(unit));
            }
            Event::Corrected { target_event_id, replacement, .. } => {
                let target = self.entries.iter().find(|e| e.event_id == *target_event_id).map(|e| e.position);
                let Some(target) = target else { return };
                let restated = replacement.as_ref().map(|r| (r.occurred_at, Act::of(&r.event)));
                self.corrections.push(Correction { position: entry.position, target, replacement: restated });
                match replacement {
                    Some(restated) => self.receive(&restated.event, entry.position),
                    None => self.settle_keys(),
                }
            }
            Event::Rejected { .. }
            | Event::Forwarded { .. }
            | Event::SupplementRequested { .. }
            | Event::Supplemented { .. }
            | Event::PaymentRequested { .. }
            | Event::Paid { .. }
            | Event::Processed { .. }
            | Event::Late { .. }
            | Event::ApologySent { .. }
            | Event::Returned { .. }
            | Event::Withdrawn { .. }
            | Event::Stopped { .. } => {}
        }
    }

    /// Takes the keys of a reception that was recorded, or told anew, at `position`.
    fn receive(&mut self, event: &Event, position: u64) {
        if let Event::Received { unit, procedure, field, channel, .. } = event {
            let keys = Keys {
                unit: Some(Arc::clone(unit)),
                procedure: procedure.clone(),
                field: field.clone(),
                channel: channel.clone(),
            };
            self.receptions.push((position, keys));
        }
        self.settle_keys();
    }

    /// The keys are those of the reception that stands.
    fn settle_keys(&mut self) {
        let received = self.entries.iter().find(|e| matches!(self.stands(e).map(|e| e.act), Some(Act::Received(_))));
        let told_at = received.map(|e| self.correction_of(e.position).map_or(e.position, |c| c.position));
        let keys = told_at.and_then(|at| self.receptions.iter().find(|(position, _)| *position == at));
        if let Some((_, keys)) = keys {
            self.keys = keys.clone();
        }
    }

    /// The correction that decides about the event at `position`: the newest that is not annulled itself.
    fn correction_of(&self, position: u64) -> Option<&Correction> {
        // A correction's own correction stands behind it, so this ends.
        self.corrections.iter().rev().find(|c| c.target == position && self.correction_of(c.position).is_none())
    }

    /// An event as it stands, corrections applied; `None` if it is annulled or a correction. What stands in its place
    /// has its position.
    fn stands(&self, entry: &Entry) -> Option<Entry> {
        if entry.act == Act::Corrected {
            return None;
        }
        match self.correction_of(entry.position) {
            None => Some(*entry),
            Some(correction) => {
                let (occurred_at, act) = correction.replacement?;
                Some(Entry { occurred_at, act, ..*entry })
            }
        }
    }

    /// The events that stand, corrections applied, by position: what every figure is made of.
    #[must_use]
    pub fn standing(&self) -> Cow<'_, [Entry]> {
        if self.corrections.is_empty() {
            return Cow::Borrowed(&self.entries);
        }
        Cow::Owned(self.entries.iter().filter_map(|e| self.stands(e)).collect())
    }

    /// How many events it has: its version.
    #[must_use]
    pub fn version(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// The position of its newest event.
    #[must_use]
    pub fn last_position(&self) -> Option<u64> {
        self.entries.last().map(|e| e.position)
    }

    /// Whether an event of this type is on record and stands.
    #[must_use]
    pub fn has(&self, event_type: EventType) -> bool {
        self.standing().iter().any(|e| e.act.event_type() == event_type)
    }
}

/// The digest by which the contents of two statements are compared: all that was said, but for the sender's id.
///
/// Never stored; it is made anew from the log at start-up, so its form may change freely.
#[must_use]
pub fn fingerprint(statement: &Statement) -> u128 {
    let Statement { event_id: _, dossier, occurred_at, desk, actor, event } = statement;
    let mut hash = Fingerprint(Sha256::new());
    std::hash::Hash::hash(&(dossier, occurred_at, desk, actor, event), &mut hash);
    let digest = hash.0.finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    u128::from_le_bytes(first)
}

/// Feeds `derive(Hash)`, whose variable parts are prefix-free by construction, into a collision-resistant digest.
struct Fingerprint(Sha256);

impl std::hash::Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn finish(&self) -> u64 {
        // Only the digest is read. `Hash` implementations do not call this.
        0
    }
}
