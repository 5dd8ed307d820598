//! A dossier's history in few bytes: what moves its clocks, and what a fold makes of it.
//!
//! Columns of fixed width tell all about most dossiers ([`super::table`]). The others, and those of which more is expected, have
//! a [`Tale`] beside their columns: the events that stand, and where columns cannot hold it, the folded history. Whoever
//! decides about a dossier in progress needs no log for it. A tale knows no zone, no clock and no text but the code.
//!
//! Numbers are LEB128, signed ones zigzag; moments are distances to the event or the reception before, so that most take
//! three to five bytes. The form is part of a snapshot's version ([`super::store`]); the log knows nothing of it.

use crate::dossier::{Act, Due, EventType};
use crate::dossier::{End, EndKind, Entry, Promise, SupplementRequest, Timeline, Wait};
use crate::time::{Date, Timestamp};
use uuid::Uuid;

/// What a tale has, as the bits of its first byte.
const TAGS: u8 = 1;
const FOLDED: u8 = 2;
const ALIKE: u8 = 4;
const CODE: u8 = 8;
const RECKONS: u8 = 16;
/// What a sender said is not all there: corrections are applied.
const CORRECTED: u8 = 32;

/// What is told of a dossier.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    /// Its events that stand, by position.
    pub(super) entries: &'a [Entry],
    /// Whether they are all as they were recorded.
    pub(super) corrected: bool,
    /// Whether its promise was reckoned.
    pub(super) reckons: bool,
    /// Which of its answers carry a due that was reckoned, by position.
    pub(super) reckoned: &'a [u64],
    /// Its code, and with it a tag of each event's id: what decisions need.
    pub(super) code: Option<&'a str>,
    /// Its history by date and by instant, where the columns cannot hold it.
    pub(super) folded: Option<(&'a Timeline, &'a Timeline)>,
}

/// What is known of an event's id: enough to rule out that another event has the same.
pub(crate) fn tag(event_id: Uuid) -> u64 {
    let (high, low) = event_id.as_u64_pair();
    // Version 7 ids begin with the time; all of an id's bits are mixed, so that near ids differ.
    (high ^ low.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ low
}

/// An id with this tag, for the one that is not known: so a tale that is written again keeps its tags.
fn stand_in(tag: u64) -> Uuid {
    // The inverse of the multiplier, modulo 2 to the power of 64.
    Uuid::from_u64_pair(tag.wrapping_mul(0xf1de_83e1_9937_733d), 0)
}

fn put(bytes: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        bytes.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

/// About as many bytes as an event with its id takes, if its distances are large.
const LONGEST: usize = 40;

fn put_signed(bytes: &mut Vec<u8>, n: i64) {
    put(bytes, ((n << 1) ^ (n >> 63)).cast_unsigned());
}

fn put_due(bytes: &mut Vec<u8>, due: Due, near: Timestamp) {
    match due {
        Due::Date(date) => put_signed(bytes, i64::from(date.0)),
        Due::Instant(t) => put_signed(bytes, t.0.wrapping_sub(near.0)),
    }
}

fn due_kind(due: Option<Due>) -> u8 {
    match due {
        None => 0,
        Some(Due::Date(_)) => 1,
        Some(Due::Instant(_)) => 2,
    }
}

/// Writes what is told behind `bytes`.
pub(super) fn write(bytes: &mut Vec<u8>, told: &Told<'_>) {
    let alike = told.folded.is_some_and(|(by_date, by_instant)| by_date == by_instant);
    let has = |bit: u8, when: bool| if when { bit } else { 0 };
    bytes.push(
        has(TAGS | CODE, told.code.is_some())
            | has(FOLDED, told.folded.is_some())
            | has(ALIKE, alike)
            | has(RECKONS, told.reckons)
            | has(CORRECTED, told.corrected),
    );
    if let Some((by_date, by_instant)) = told.folded {
        put_timeline(bytes, by_date);
        if !alike {
            put_timeline(bytes, by_instant);
        }
    }
    if let Some(code) = told.code {
        put(bytes, code.len() as u64);
        bytes.extend_from_slice(code.as_bytes());
    }
    put(bytes, told.entries.len() as u64);
    let mut before = (0, Timestamp(0));
    for entry in told.entries {
        put_entry(bytes, entry, told.reckoned.contains(&entry.position), before);
        if told.code.is_some() {
            bytes.extend_from_slice(&tag(entry.event_id).to_le_bytes());
        }
        before = (entry.position, entry.occurred_at);
    }
}

/// Writes what a fold reads of an event, as distances to the position and the moment before; and whether it carries a due
/// that was reckoned.
fn put_entry(bytes: &mut Vec<u8>, entry: &Entry, reckoned: bool, (position, at): (u64, Timestamp)) {
    let has = |bit: u8, when: bool| if when { bit } else { 0 };
    let (event_type, due) = (entry.act.event_type(), entry.act.due());
    let marked = matches!(entry.act, Act::PaymentRequested(true) | Act::ApologySent(true, _));
    bytes.push(event_type as u8 | due_kind(due) << 4 | has(1 << 6, marked) | has(1 << 7, reckoned));
    put(bytes, entry.position.wrapping_sub(position));
    put_signed(bytes, entry.occurred_at.0.wrapping_sub(at.0));
    if let Some(due) = due {
        put_due(bytes, due, entry.occurred_at);
    }
    if let Act::Late(promise) = entry.act {
        put(bytes, u64::from(promise));
    }
}

fn put_timeline(bytes: &mut Vec<u8>, timeline: &Timeline) {
    let received = timeline.received;
    put_signed(bytes, received.0);
    let since = |bytes: &mut Vec<u8>, t: Timestamp| put_signed(bytes, t.0.wrapping_sub(received.0));
    let maybe = |bytes: &mut Vec<u8>, t: Option<Timestamp>| match t {
        None => put(bytes, 0),
        // One more, so that 0 is free; moments before the reception do not occur where this is used.
        Some(t) => put(bytes, (t.0.wrapping_sub(received.0)).cast_unsigned().wrapping_add(1)),
    };
    match timeline.end {
        None => bytes.push(0),
        Some(end) => {
            bytes.push(1 + end.kind as u8);
            since(bytes, end.at);
            since(bytes, end.stopped);
            put(bytes, end.position);
        }
    }
    maybe(bytes, timeline.returned);
    put(bytes, timeline.promises.len() as u64);
    for promise in &timeline.promises {
        bytes.push(due_kind(Some(promise.due)) | u8::from(promise.in_run) << 4);
        put_due(bytes, promise.due, received);
        since(bytes, promise.given);
        since(bytes, promise.made);
        for moment in [promise.missed, promise.letter, promise.defective] {
            maybe(bytes, moment);
        }
        put(bytes, promise.answered_by.map_or(0, |p| p + 1));
    }
    put(bytes, timeline.waits.len() as u64);
    for wait in &timeline.waits {
        since(bytes, wait.from);
        maybe(bytes, wait.to);
    }
    put(bytes, timeline.requests.len() as u64);
    for request in &timeline.requests {
        since(bytes, request.at);
        maybe(bytes, request.answered);
    }
}

/// Reads what [`write`] wrote. A tale is only ever read by the program that wrote it, or behind a snapshot's checksum: bytes
/// that end too early are a defect, and read as zeros rather than beyond the end.
#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        let (mut n, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            n |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift > 63 {
                return n;
            }
        }
    }

    fn signed(&mut self) -> i64 {
        let n = self.number();
        (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
    }

    fn due(&mut self, kind: u8, near: Timestamp) -> Option<Due> {
        match kind {
            0 => None,
            1 => Some(Due::Date(Date(i32::try_from(self.signed()).unwrap_or(0)))),
            _ => Some(Due::Instant(Timestamp(near.0.wrapping_add(self.signed())))),
        }
    }

    fn since(&mut self, received: Timestamp) -> Timestamp {
        Timestamp(received.0.wrapping_add(self.signed()))
    }

    fn maybe(&mut self, received: Timestamp) -> Option<Timestamp> {
        let n = self.number();
        (n > 0).then(|| Timestamp(received.0.wrapping_add(n.wrapping_sub(1).cast_signed())))
    }

    fn timeline(&mut self, into: &mut Timeline) {
        let received = Timestamp(self.signed());
        into.received = received;
        let kind = match self.byte() {
            0 => None,
            1 => Some(EndKind::Processed),
            2 => Some(EndKind::ReturnedOnly),
            3 => Some(EndKind::Withdrawn),
            4 => Some(EndKind::Stopped),
            _ => Some(EndKind::Rejected),
        };
        into.end = kind.map(|kind| End {
            kind,
            at: self.since(received),
            stopped: self.since(received),
            position: self.number(),
        });
        into.returned = self.maybe(received);
        into.promises.clear();
        for _ in 0..self.number() {
            let kind = self.byte();
            let due = self.due(kind & 0x0f, received).unwrap_or(Due::Instant(received));
            into.promises.push(Promise {
                due,
                in_run: kind & 0x10 != 0,
                given: self.since(received),
                made: self.since(received),
                missed: self.maybe(received),
                letter: self.maybe(received),
                defective: self.maybe(received),
                answered_by: self.number().checked_sub(1),
            });
        }
        into.waits.clear();
        for _ in 0..self.number() {
            let wait = Wait { from: self.since(received), to: self.maybe(received) };
            into.waits.push(wait);
        }
        into.requests.clear();
        for _ in 0..self.number() {
            let request = SupplementRequest { at: self.since(received), answered: self.maybe(received) };
            into.requests.push(request);
        }
        into.letters.clear();
    }
}

/// An empty timeline, to be read into.
pub(super) fn blank() -> Timeline {
    Timeline::begun(Timestamp(0))
}

/// A tale as it lies in memory.
#[derive(Clone, Copy)]
pub(super) struct Tale<'a>(pub(super) &'a [u8]);

/// A dossier of which more is expected, as its tale has it.
pub(crate) struct Known {
    /// Its events; of each only what a fold reads.
    pub(crate) entries: Vec<Entry>,
    /// The tags of their ids.
    pub(crate) tags: Vec<u64>,
    /// Whether its promise was reckoned.
    pub(crate) reckons: bool,
    /// Which answers carry a due that was reckoned, by position.
    pub(crate) reckoned: Vec<u64>,
}

/// The events of a dossier of which nothing was corrected, in few bytes, and more are added: what a replay holds of it.
pub(crate) struct Strand {
    bytes: Vec<u8>,
    length: u32,
    /// Of the newest event.
    position: u64,
    at: Timestamp,
}

impl Strand {
    /// No event yet.
    pub(crate) fn new() -> Strand {
        Strand { bytes: Vec::new(), length: 0, position: 0, at: Timestamp(0) }
    }

    /// How many events there are.
    pub(crate) fn length(&self) -> u32 {
        self.length
    }

    /// The position of the newest event; nothing of none.
    pub(crate) fn last(&self) -> Option<u64> {
        (self.length > 0).then_some(self.position)
    }

    /// Adds an event; of it what a fold reads is kept, its id, and whether its due was reckoned.
    pub(crate) fn push(&mut self, entry: &Entry, reckoned: bool) {
        if self.bytes.capacity() - self.bytes.len() < LONGEST {
            self.bytes.reserve_exact(LONGEST + LONGEST / 2);
        }
        put_entry(&mut self.bytes, entry, reckoned, (self.position, self.at));
        self.bytes.extend_from_slice(entry.event_id.as_bytes());
        (self.position, self.at) = (entry.position, entry.occurred_at);
        self.length += 1;
    }

    /// Its events, and the positions of those whose dues were reckoned.
    pub(crate) fn entries(&self) -> (Vec<Entry>, Vec<u64>) {
        let mut reader = Reader { bytes: &self.bytes };
        let (mut entries, mut reckoned) = (Vec::with_capacity(self.length as usize), Vec::new());
        let mut before = (0, Timestamp(0));
        for _ in 0..self.length {
            let (mut entry, was_reckoned) = reader.entry(before);
            before = (entry.position, entry.occurred_at);
            entry.event_id = reader.id();
            if was_reckoned {
                reckoned.push(entry.position);
            }
            entries.push(entry);
        }
        (entries, reckoned)
    }
}

impl Tale<'_> {
    fn has(&self, bit: u8) -> bool {
        self.0.first().is_some_and(|first| first & bit != 0)
    }

    /// Reads the history by date and by instant into two timelines, if it was folded; letters are not in it.
    pub(super) fn folded(&self, by_date: &mut Timeline, by_instant: &mut Timeline) -> bool {
        if !self.has(FOLDED) {
            return false;
        }
        let mut reader = Reader { bytes: &self.0[1..] };
        reader.timeline(by_date);
        if self.has(ALIKE) {
            by_instant.clone_from(by_date);
        } else {
            reader.timeline(by_instant);
        }
        true
    }

    /// Reads one of them.
    pub(super) fn folded_by(&self, instant: bool, into: &mut Timeline) -> bool {
        if !self.has(FOLDED) {
            return false;
        }
        let mut reader = Reader { bytes: &self.0[1..] };
        reader.timeline(into);
        if instant && !self.has(ALIKE) {
            reader.timeline(into);
        }
        true
    }

    fn behind_folded(&self) -> Reader<'_> {
        let mut reader = Reader { bytes: self.0.get(1..).unwrap_or_default() };
        if self.has(FOLDED) {
            let mut skipped = blank();
            reader.timeline(&mut skipped);
            if !self.has(ALIKE) {
                reader.timeline(&mut skipped);
            }
        }
        reader
    }

    /// Its code, if more is expected of it.
    pub(super) fn code(&self) -> Option<&str> {
        if !self.has(CODE) {
            return None;
        }
        let mut reader = self.behind_folded();
        let length = usize::try_from(reader.number()).ok()?;
        std::str::from_utf8(reader.bytes.get(..length)?).ok()
    }

    /// Whether corrections are applied in it.
    pub(super) fn is_corrected(&self) -> bool {
        self.has(CORRECTED)
    }

    /// Its events that stand; of each only what a fold reads.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.read(|_, _| {})
    }

    /// All that decisions need, if more is expected of it and nothing of it was corrected.
    pub(super) fn known(&self) -> Option<Known> {
        if !self.has(CODE) || self.has(CORRECTED) {
            return None;
        }
        let (mut tags, mut reckoned) = (Vec::new(), Vec::new());
        let entries = self.read(|tag, was_reckoned| {
            tags.push(tag);
            reckoned.push(was_reckoned);
        });
        let reckoned = entries.iter().zip(reckoned).filter(|(_, was)| *was).map(|(e, _)| e.position).collect();
        Some(Known { entries, tags, reckons: self.has(RECKONS), reckoned })
    }

    /// Writes it behind `bytes` without what only decisions need.
    pub(super) fn write_settled(&self, bytes: &mut Vec<u8>) {
        if !self.has(CODE) {
            return bytes.extend_from_slice(self.0);
        }
        let (mut by_date, mut by_instant) = (blank(), blank());
        let folded = self.folded(&mut by_date, &mut by_instant);
        let mut marks = Vec::new();
        let entries = self.read(|_, was_reckoned| marks.push(was_reckoned));
        let reckoned: Vec<u64> = entries.iter().zip(marks).filter(|(_, was)| *was).map(|(e, _)| e.position).collect();
        let told = Told {
            entries: &entries,
            corrected: self.has(CORRECTED),
            reckons: self.has(RECKONS),
            reckoned: &reckoned,
            code: None,
            folded: folded.then_some((&by_date, &by_instant)),
        };
        write(bytes, &told);
    }

    fn read(&self, mut each: impl FnMut(u64, bool)) -> Vec<Entry> {
        let mut reader = self.behind_folded();
        if self.has(CODE) {
            let length = usize::try_from(reader.number()).unwrap_or(usize::MAX);
            reader.bytes = reader.bytes.get(length..).unwrap_or_default();
        }
        let count = reader.number();
        let mut entries = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(reader.bytes.len()));
        let mut before = (0_u64, Timestamp(0));
        for _ in 0..count {
            let (mut entry, reckoned) = reader.entry(before);
            before = (entry.position, entry.occurred_at);
            let tag = if self.has(TAGS) { reader.tag() } else { 0 };
            entry.event_id = stand_in(tag);
            each(tag, reckoned);
            entries.push(entry);
        }
        entries
    }
}

impl Reader<'_> {
    /// Reads what [`put_entry`] wrote.
    fn entry(&mut self, (position, at): (u64, Timestamp)) -> (Entry, bool) {
        let kind = self.byte();
        let position = position.wrapping_add(self.number());
        let at = Timestamp(at.0.wrapping_add(self.signed()));
        let due = self.due(kind >> 4 & 3, at);
        let marked = kind & 1 << 6 != 0;
        let event_type = EventType::ALL.get(usize::from(kind & 0x0f)).copied().unwrap_or(EventType::Corrected);
        let act = match event_type {
            EventType::Received => Act::Received(due),
            EventType::Rejected => Act::Rejected,
            EventType::Forwarded => Act::Forwarded,
            EventType::SupplementRequested => Act::SupplementRequested,
            EventType::Supplemented => Act::Supplemented(due),
            EventType::PaymentRequested => Act::PaymentRequested(marked),
            EventType::Paid => Act::Paid(due),
            EventType::Processed => Act::Processed,
            EventType::Late => Act::Late(u32::try_from(self.number()).unwrap_or(u32::MAX)),
            EventType::ApologySent => Act::ApologySent(marked, due),
            EventType::Returned => Act::Returned,
            EventType::Withdrawn => Act::Withdrawn,
            EventType::Stopped => Act::Stopped,
            EventType::Corrected => Act::Corrected,
        };
        (Entry::told(position, at, act), kind & 1 << 7 != 0)
    }

    fn id(&mut self) -> Uuid {
        let Some((id, rest)) = self.bytes.split_first_chunk::<16>() else { return Uuid::nil() };
        self.bytes = rest;
        Uuid::from_bytes(*id)
    }

    fn tag(&mut self) -> u64 {
        let Some((tag, rest)) = self.bytes.split_first_chunk::<8>() else { return 0 };
        self.bytes = rest;
        u64::from_le_bytes(*tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dossier::Comparison;
    use crate::time::Zone;

    #[test]
    fn an_unknown_id_keeps_its_tag() {
        for id in [0, 1, 0x0190_0000_0000_7000_8000_0000_0000_0007, u128::MAX].map(Uuid::from_u128) {
            assert_eq!(tag(stand_in(tag(id))), tag(id));
        }
    }

    /// All that a fold reads comes back, and the ids do.
    #[test]
    fn a_strand_holds_what_was_pushed() {
        let dues = [None, Some(Due::Date(Date::LATEST)), Some(Due::Instant(Timestamp::EARLIEST))];
        let mut acts = vec![
            Act::Rejected,
            Act::Forwarded,
            Act::SupplementRequested,
            Act::PaymentRequested(false),
            Act::PaymentRequested(true),
            Act::Processed,
            Act::Late(u32::MAX),
            Act::Returned,
            Act::Withdrawn,
            Act::Stopped,
        ];
        for due in dues {
            acts.extend([Act::Received(due), Act::Supplemented(due), Act::Paid(due)]);
            acts.extend([Act::ApologySent(true, due), Act::ApologySent(false, due)]);
        }
        let (mut strand, mut pushed, mut marked) = (Strand::new(), Vec::new(), Vec::new());
        assert_eq!((strand.length(), strand.last(), strand.entries()), (0, None, (Vec::new(), Vec::new())));
        for (n, act) in (0_u64..).zip(acts) {
            // Moments that go back and forth, positions that go far.
            let at = Timestamp(if n % 2 == 0 { 1_756_800_000_000 } else { -7 * n.cast_signed() });
            let mut entry = Entry::told(3 + (n << 33), at, act);
            entry.event_id = Uuid::from_u128(u128::from(n) << 64 | 5);
            strand.push(&entry, n % 3 == 0);
            if n % 3 == 0 {
                marked.push(entry.position);
            }
            pushed.push(entry);
            assert_eq!((strand.length() as usize, strand.last()), (pushed.len(), Some(entry.position)));
        }
        assert_eq!(strand.entries(), (pushed, marked));
    }

    #[test]
    fn what_is_settled_is_told_as_if_it_had_never_been_open() {
        let day = |n: i64| Timestamp(1_756_800_000_000 + n * 86_400_000);
        let due = |n: i32| Some(Due::Date(Date(20_340 + n)));
        let acts = [
            Act::Received(due(5)),
            Act::SupplementRequested,
            Act::Supplemented(due(9)),
            Act::PaymentRequested(true),
            Act::Paid(None),
            Act::Late(0),
            Act::ApologySent(true, due(20)),
            Act::Processed,
        ];
        let entries: Vec<Entry> =
            (0..).zip(acts).map(|(n, act)| Entry::told(1_000 + 7 * n, day(n.cast_signed()), act)).collect();
        let by_date = Timeline::fold(&entries, &Zone::VIETNAM, Comparison::Date(&Zone::VIETNAM)).map(|mut timeline| {
            // Letters are not told.
            timeline.letters.clear();
            timeline
        });
        let by_date = by_date.as_ref();
        for (corrected, reckons, folded) in [(false, true, None), (true, false, by_date.zip(by_date))] {
            let told = Told { entries: &entries, corrected, reckons, reckoned: &[1_014], code: Some("H44-1"), folded };
            let (mut open, mut settled, mut again) = (Vec::new(), Vec::new(), Vec::new());
            write(&mut open, &told);
            write(&mut settled, &Told { code: None, ..told });
            Tale(&open).write_settled(&mut again);
            assert_eq!(again, settled);
            assert!(open.len() > settled.len() + 8 * entries.len());
            let mut twice = Vec::new();
            Tale(&again).write_settled(&mut twice);
            assert_eq!(twice, settled);
        }
    }
}
