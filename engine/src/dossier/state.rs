//! The write model of a dossier: of each event what later decisions and figures need, and nothing else.
//!
//! Texts (reasons, letter numbers, desks) stay in the log; a fingerprint of the statement stands for them, so that a
//! repeated event can be told from one that reuses its id.

use super::event::{Event, EventType, Flags, Reckoned, Statement};
use crate::rules::{Code, Pinned, Rulebook};
use crate::time::{Due, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeMap;
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
    /// What an event does: what the desk said, and what the rules add where it said nothing.
    #[must_use]
    pub fn of(event: &Event, reckoned: Reckoned) -> Act {
        let or_reckoned = |due: &Option<Due>| due.or(reckoned.due);
        match event {
            Event::Received { due, .. } => Act::Received(or_reckoned(due)),
            Event::Rejected { .. } => Act::Rejected,
            Event::Forwarded { .. } => Act::Forwarded,
            Event::SupplementRequested { .. } => Act::SupplementRequested,
            Event::Supplemented { due } => Act::Supplemented(or_reckoned(due)),
            Event::PaymentRequested { stops_clock } => Act::PaymentRequested(*stops_clock || reckoned.clock_stops),
            Event::Paid { due } => Act::Paid(or_reckoned(due)),
            Event::Processed { .. } => Act::Processed,
            Event::Late { promise, .. } => Act::Late(*promise),
            Event::ApologySent { reason_code, new_due, .. } => Act::ApologySent(reason_code.is_some(), *new_due),
            Event::Returned { .. } => Act::Returned,
            Event::Withdrawn { .. } => Act::Withdrawn,
            Event::Stopped { .. } => Act::Stopped,
            Event::Corrected { .. } => Act::Corrected,
        }
    }

    /// The due that it carries.
    #[must_use]
    pub fn due(self) -> Option<Due> {
        match self {
            Act::Received(due) | Act::Supplemented(due) | Act::Paid(due) | Act::ApologySent(_, due) => due,
            _ => None,
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

impl Entry {
    /// An entry of which only what a fold reads is known: where it stands, when it happened and what it does.
    #[must_use]
    pub fn told(position: u64, occurred_at: Timestamp, act: Act) -> Entry {
        let (recorded_at, event_id, flags) = (occurred_at, Uuid::nil(), Flags::default());
        Entry { position, recorded_at, occurred_at, event_id, fingerprint: 0, flags, act }
    }
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

/// What a `Received`, or the correction of one, makes of a dossier.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reception {
    /// Where it was told.
    position: u64,
    keys: Keys,
    pinned: Arc<Pinned>,
    reckons: bool,
}

/// Finds the rules for a unit and a procedure, received at a moment and recorded at a position.
pub type Pin<'a> = dyn FnMut(&str, Option<&str>, Timestamp, u64) -> Arc<Pinned> + 'a;

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
    /// The rules that it follows: those in force at its reception.
    pub pinned: Arc<Pinned>,
    /// Whether its promise was reckoned, since the desk gave none.
    pub reckons: bool,
    /// Where answers were told whose dues were reckoned, by position.
    reckoned: Vec<u64>,
    /// What each `Received`, or the correction of one, made of it; empty while nothing is corrected.
    receptions: Vec<Reception>,
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
            pinned: Arc::new(Pinned::nothing()),
            reckons: false,
            entries: Vec::new(),
            corrections: Vec::new(),
            reckoned: Vec::new(),
            receptions: Vec::new(),
            flags: Flags::default(),
        }
    }

    /// A dossier of which nothing was corrected, by what it did: `entries` may lack what only a repeated event asks for.
    #[must_use]
    pub fn told(
        code: Code,
        (keys, pinned): (Keys, Arc<Pinned>),
        entries: Vec<Entry>,
        (reckons, reckoned): (bool, Vec<u64>),
        flags: Flags,
    ) -> Dossier {
        let (corrections, receptions) = (Vec::new(), Vec::new());
        Dossier { code, keys, entries, corrections, pinned, reckons, reckoned, receptions, flags }
    }

    /// Adds what is recorded of any event: all there is to an event that is no reception, no refusal and no correction.
    /// `reckoned` is whether it is an answer whose due was reckoned.
    pub(crate) fn append(&mut self, entry: Entry, reckoned: bool) {
        self.flags = self.flags | entry.flags;
        self.entries.push(entry);
        if reckoned {
            self.reckoned.push(entry.position);
        }
    }

    /// Adds a recorded event. Infallible: what the log holds happened.
    pub fn evolve(&mut self, event: &Event, reckoned: Reckoned, entry: Entry, rules: &mut Rulebook) {
        self.evolve_by(event, reckoned, entry, &mut |unit, procedure, received, position| {
            rules.pin(unit, procedure, received, position)
        });
    }

    /// The same, by whatever finds the rules for a unit and a procedure that are received at a moment and recorded at a
    /// position.
    pub fn evolve_by(&mut self, event: &Event, reckoned: Reckoned, entry: Entry, rules: &mut Pin<'_>) {
        self.append(entry, answers_as_reckoned(event, reckoned));
        match event {
            Event::Received { .. } => {
                self.receive(event, reckoned, entry.occurred_at, [entry.position, entry.position], rules);
            }
            Event::Rejected { unit: Some(unit), .. } if self.entries.len() == 1 => {
                self.keys.unit = Some(Arc::clone(unit));
            }
            Event::Corrected { target_event_id, replacement, .. } => {
                let target = self.entries.iter().find(|e| e.event_id == *target_event_id).map(|e| e.position);
                let Some(target) = target else { return };
                if self.receptions.is_empty() {
                    self.receptions.extend(self.reception_as_told());
                }
                let restated = replacement.as_ref().map(|r| (r.occurred_at, Act::of(&r.event, reckoned)));
                self.corrections.push(Correction { position: entry.position, target, replacement: restated });
                match replacement {
                    Some(restated) => {
                        let at = [entry.position, target];
                        self.receive(&restated.event, reckoned, restated.occurred_at, at, rules);
                    }
                    None => self.settle(),
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

    /// Takes what a reception says that was told at one position and counts at another: the rules in force for it are
    /// those recorded before that.
    fn receive(
        &mut self,
        event: &Event,
        reckoned: Reckoned,
        received: Timestamp,
        [position, counts_at]: [u64; 2],
        rules: &mut Pin<'_>,
    ) {
        if let Event::Received { unit, procedure, field, channel, due, .. } = event {
            let keys = Keys {
                unit: Some(Arc::clone(unit)),
                procedure: procedure.clone(),
                field: field.clone(),
                channel: channel.clone(),
            };
            let pinned = rules(unit, procedure.as_deref(), received, counts_at);
            let reckons = due.is_none() && reckoned.due.is_some();
            let reception = Reception { position, keys, pinned, reckons };
            if self.corrections.is_empty() {
                return self.follow(reception);
            }
            self.receptions.push(reception);
        }
        self.settle();
    }

    /// The reception of a dossier of which nothing was corrected yet.
    fn reception_as_told(&self) -> Option<Reception> {
        let position = self.entries.iter().find(|e| matches!(e.act, Act::Received(_)))?.position;
        let (keys, pinned) = (self.keys.clone(), Arc::clone(&self.pinned));
        Some(Reception { position, keys, pinned, reckons: self.reckons })
    }

    fn follow(&mut self, reception: Reception) {
        (self.keys, self.pinned, self.reckons) = (reception.keys, reception.pinned, reception.reckons);
    }

    /// Keys and rules are those of the reception that stands.
    fn settle(&mut self) {
        let decided = self.decided();
        let stands = |e: &&Entry| matches!(stands(e, &decided).map(|e| e.act), Some(Act::Received(_)));
        let told_at = self.entries.iter().find(stands).map(|e| told_at(e.position, &decided));
        if let Some(reception) = told_at.and_then(|at| self.receptions.iter().find(|r| r.position == at)).cloned() {
            self.follow(reception);
        }
    }

    /// The correction that decides about each event that is corrected: the newest that is not annulled itself. What
    /// corrects a correction stands behind it, so the newest are looked at first.
    fn decided(&self) -> BTreeMap<u64, &Correction> {
        let mut decided = BTreeMap::new();
        for correction in self.corrections.iter().rev() {
            if !decided.contains_key(&correction.position) {
                decided.entry(correction.target).or_insert(correction);
            }
        }
        decided
    }

    /// Where the event of a position was told as it stands: there, or where it was corrected.
    #[must_use]
    pub fn told_at(&self, position: u64) -> u64 {
        told_at(position, &self.decided())
    }

    /// The events that stand, corrections applied, by position: what every figure is made of.
    #[must_use]
    pub fn standing(&self) -> Cow<'_, [Entry]> {
        if self.corrections.is_empty() {
            return Cow::Borrowed(&self.entries);
        }
        let decided = self.decided();
        let mut standing: Vec<Entry> = self.entries.iter().filter_map(|e| stands(e, &decided)).collect();
        // A due was reckoned from the reception and the waits as they stood then. Where one of them was corrected
        // afterwards it answers another history: the promise moves by the time waited instead, as without a due.
        let moves = |e: &&Entry| {
            matches!(
                e.act.event_type(),
                EventType::Received
                    | EventType::SupplementRequested
                    | EventType::Supplemented
                    | EventType::PaymentRequested
                    | EventType::Paid
            )
        };
        let corrected = self.entries.iter().filter(moves).filter_map(|e| decided.get(&e.position));
        let last = corrected.map(|c| c.position).max().unwrap_or(0);
        for entry in &mut standing {
            let told_at = told_at(entry.position, &decided);
            if told_at < last && self.reckoned.contains(&told_at) {
                entry.act = match entry.act {
                    Act::Supplemented(_) => Act::Supplemented(None),
                    Act::Paid(_) => Act::Paid(None),
                    act => act,
                };
            }
        }
        Cow::Owned(standing)
    }

    /// Where answers were told whose dues were reckoned, by position.
    #[must_use]
    pub fn reckoned(&self) -> &[u64] {
        &self.reckoned
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

/// Whether an event is an answer, or makes it one, whose due was reckoned.
pub(crate) fn answers_as_reckoned(event: &Event, reckoned: Reckoned) -> bool {
    let told = match event {
        Event::Corrected { replacement: Some(restated), .. } => &restated.event,
        event => event,
    };
    matches!(told, Event::Supplemented { due: None } | Event::Paid { due: None }) && reckoned.due.is_some()
}

/// Where the event of a position was told as it stands.
fn told_at(position: u64, decided: &BTreeMap<u64, &Correction>) -> u64 {
    decided.get(&position).map_or(position, |c| c.position)
}

/// An event as it stands, corrections applied; `None` if it is annulled or a correction. What stands in its place has its
/// position.
fn stands(entry: &Entry, decided: &BTreeMap<u64, &Correction>) -> Option<Entry> {
    if entry.act == Act::Corrected {
        return None;
    }
    match decided.get(&entry.position) {
        None => Some(*entry),
        Some(correction) => {
            let (occurred_at, act) = correction.replacement?;
            Some(Entry { occurred_at, act, ..*entry })
        }
    }
}

/// The number by which the contents of two statements are compared: all that was said, but for the sender's id.
///
/// Never stored; it is made anew from the log at start-up, so its form may change freely. It only has to tell apart what
/// is said of one dossier, under an id that comes again or in an import that tells the same day twice: of a billion such
/// pairs none meets by accident in 128 bits. It is no cryptographic digest, so whoever searches for two statements that
/// meet can find them; then the engine takes his second for a repetition of his first, as if he had not sent it.
#[must_use]
pub fn fingerprint(statement: &Statement) -> u128 {
    let Statement { event_id: _, dossier, occurred_at, desk, actor, event } = statement;
    let mut hash = Fingerprint::new();
    std::hash::Hash::hash(&(dossier, occurred_at, desk, actor, event), &mut hash);
    u128::from(hash.high) << 64 | u128::from(hash.low)
}

/// Takes what `derive(Hash)` says, whose variable parts are prefix-free by construction, a word at a time into two
/// halves that do not know of each other. Each folds the 128 bits of a product, so that every bit of a word reaches
/// every bit of the half.
struct Fingerprint {
    low: u64,
    high: u64,
}

/// Odd numbers without a pattern: the digits of π, e and the golden ratio.
const LOW: u64 = 0x243f_6a88_85a3_08d3;
const HIGH: u64 = 0xb7e1_5162_8aed_2a6b;
const TURN: u64 = 0x9e37_79b9_7f4a_7c15;

fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl Fingerprint {
    fn new() -> Fingerprint {
        Fingerprint { low: HIGH, high: LOW }
    }

    #[inline]
    fn word(&mut self, word: u64) {
        // What went before is turned first, so that a product of nothing does not forget it in both halves alike.
        self.low = folded(self.low ^ word, LOW).wrapping_add(self.low.rotate_left(29));
        self.high = folded(self.high ^ word ^ TURN, HIGH).wrapping_add(self.high.rotate_left(37));
    }
}

impl std::hash::Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.word(word.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        // The rest, and how long all was.
        let rest = words.remainder().iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.word(rest | (bytes.len() as u64) << 56);
    }
    fn write_u8(&mut self, n: u8) {
        self.word(n.into());
    }
    fn write_u32(&mut self, n: u32) {
        self.word(n.into());
    }
    fn write_u64(&mut self, n: u64) {
        self.word(n);
    }
    fn write_usize(&mut self, n: usize) {
        self.word(n as u64);
    }
    fn finish(&self) -> u64 {
        // Only the halves are read. `Hash` implementations do not call this.
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn said(dossier: &str, at: i64, desk: Option<&str>, actor: Option<&str>, event: Event) -> Statement {
        let (desk, actor) = (desk.map(Code::from), actor.map(Code::from));
        Statement { event_id: Uuid::nil(), dossier: dossier.into(), occurred_at: Timestamp(at), desk, actor, event }
    }

    fn asked(items: &[&str], reason: Option<&str>) -> Event {
        let items = items.iter().map(|item| Code::from(*item)).collect();
        Event::SupplementRequested { items, reason_code: reason.map(Code::from) }
    }

    /// Hundreds of thousands of statements that differ in next to nothing: neither they nor their halves meet.
    #[test]
    fn what_differs_in_next_to_nothing_has_another_fingerprint() {
        let returned = || Event::Returned { returned_via: None };
        let mut statements = Vec::new();
        for n in 0..50_000_i64 {
            let code = format!("H29.22-{n}");
            statements.push(said(&code, 0, None, None, returned()));
            statements.push(said("d", n + 1, None, None, returned()));
            statements.push(said("d", -1 - n, None, None, returned()));
            statements.push(said("d", 1 << 40 | n, Some("Q1"), None, returned()));
            statements.push(said("d", 0, Some(&code), None, returned()));
            statements.push(said("d", 0, None, Some(&code), returned()));
            let promise = u32::try_from(n).expect("small");
            statements.push(said("d", 0, None, None, Event::Late { promise, due: Due::Instant(Timestamp(0)) }));
            statements.push(said("d", 0, None, None, Event::Late { promise: 0, due: Due::Instant(Timestamp(n + 1)) }));
        }
        // The same letters, cut elsewhere, of every length up to two words and more.
        let letters = "aaaaaaaaaaaaaaaaaaaaaaaa";
        for cut in 1..letters.len() {
            let (head, tail) = letters.split_at(cut);
            statements.push(said(head, 0, Some(tail), None, returned()));
            statements.push(said(head, 0, None, Some(tail), returned()));
            statements.push(said("d", 0, None, None, asked(&[head, tail], None)));
            statements.push(said("d", 0, None, None, asked(&[head], Some(tail))));
            statements.push(said("d", 0, None, None, asked(&[&letters[..cut]], None)));
            statements.push(said("d", 0, None, None, asked(&vec!["a"; cut + 1], None)));
        }
        let all: Vec<u128> = statements.iter().map(fingerprint).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), statements.len());
        assert_eq!(all.iter().map(|f| *f as u64).collect::<HashSet<_>>().len(), statements.len());
        assert_eq!(all.iter().map(|f| f >> 64).collect::<HashSet<_>>().len(), statements.len());
    }

    /// About half of the bits change, whichever bit of a time changes: what is alike meets no more than what is not.
    #[test]
    fn every_bit_counts() {
        let returned = || Event::Returned { returned_via: None };
        let of = |at: i64| fingerprint(&said("H29.22.01-250901-0001", at, Some("Q1"), None, returned()));
        for base in [0, 1_757_000_000_000, -1] {
            for bit in 0..64 {
                let changed = (of(base) ^ of(base ^ 1 << bit)).count_ones();
                assert!((32..=96).contains(&changed), "bit {bit} of {base} changes {changed} bits of 128");
            }
        }
    }

    #[test]
    fn the_senders_id_does_not_count() {
        let one = said("d", 5, Some("Q1"), None, asked(&["01"], None));
        let mut other = one.clone();
        other.event_id = Uuid::from_u128(7);
        assert_eq!(fingerprint(&one), fingerprint(&other));
    }
}
