//! The rows of all dossiers, in columns of fixed width: about 33 bytes a dossier, and its packed code.
//!
//! Rows lie in chunks, chunks in segments, each behind an `Arc`: a clone of the table copies a few pointers, and whoever
//! has one reads what no writer changes any more; the writer copies a chunk before it changes it, if a clone still has it.
//! So neither waits for the other. No row is ever taken away.
//!
//! Moments are split into a day and the milliseconds of that day, so that a scan reads two bytes of most. What a row's
//! columns mean is the matter of [`super::line`].

use super::stays::Stays;
use super::tale::Tale;
use crate::dossier::{Code, Flags};
use crate::time::{MS_PER_DAY, Timestamp, Zone};
use std::sync::Arc;

/// How many rows a chunk holds: a little less than fits into 20 KB, which allocators have a size for.
pub(super) const CHUNK: usize = 576;
/// How many chunks a segment holds.
const SEGMENT: usize = 128;
/// How many rows a segment holds.
const SEGMENT_ROWS: usize = CHUNK * SEGMENT;
/// The day of a moment that has not come, or that a column cannot hold.
pub(super) const NO_DAY: u16 = u16::MAX;
/// Codes repeat their first halves: a fast level already finds that.
const CODES_LEVEL: i32 = 3;

/// How moments are split: at midnights that never move against UTC. Where the directory's zone is steady they are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Days {
    offset: i64,
    steady: bool,
}

impl Days {
    pub(super) fn of(home: &Zone) -> Days {
        let offset = home.steady();
        Days { offset: offset.unwrap_or(0), steady: offset.is_some() }
    }

    /// Whether the days are the dates of the directory's zone.
    pub(super) fn are_dates(self) -> bool {
        self.steady
    }

    /// By how much these days begin earlier than those of UTC, in milliseconds.
    pub(super) fn offset(self) -> i64 {
        self.offset
    }

    /// The day of a moment and the milliseconds since it began; nothing where a column cannot hold it, or where the zone
    /// is not known to be steady.
    pub(super) fn split(self, at: Timestamp) -> Option<(u16, u32)> {
        let ms = at.0.checked_add(self.offset)?;
        let day = u16::try_from(ms.div_euclid(MS_PER_DAY)).ok()?;
        // A day of margin at both ends, so that the midnights around it are steady, too.
        let holds = if self.steady { (3_660..47_400).contains(&day) } else { day < NO_DAY };
        holds.then(|| (day, u32::try_from(ms.rem_euclid(MS_PER_DAY)).unwrap_or(0)))
    }

    pub(super) fn join(self, day: u16, of_day: u32) -> Timestamp {
        if day == NO_DAY {
            return Timestamp::MAX;
        }
        Timestamp(i64::from(day) * MS_PER_DAY + i64::from(of_day) - self.offset)
    }
}

/// A moment in two columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) day: u16,
    pub(super) of_day: u32,
}

impl Split {
    pub(super) const NEVER: Split = Split { day: NO_DAY, of_day: 0 };
}

/// What the columns hold of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cells {
    pub(super) bits: u16,
    pub(super) received: Split,
    pub(super) ended: Split,
    pub(super) handed: Split,
    pub(super) due: Split,
    pub(super) kin: u32,
    pub(super) flags: Flags,
    pub(super) last: u64,
}

/// The moments of a row by which a whole chunk can be passed over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The first of all.
    pub(super) first: Timestamp,
    /// The last of all; only of a row that is not in progress.
    pub(super) last: Timestamp,
    /// Whether it is in progress.
    pub(super) open: bool,
    /// The first and the last deadline of a letter that is owed, or will be if nothing happens.
    pub(super) letters: Option<(Timestamp, Timestamp)>,
}

/// Where a tale lies among those of its chunk.
#[derive(Clone, Copy, Debug)]
struct Place {
    slot: u16,
    start: u32,
    length: u32,
}

/// The codes of a chunk's rows.
#[derive(Clone)]
enum Codes {
    /// While rows are still added.
    Plain(Vec<Code>),
    /// Of a full chunk, compressed.
    Packed(Arc<[u8]>),
}

/// Some rows, side by side.
#[derive(Clone)]
pub(super) struct Chunk {
    pub(super) length: usize,
    pub(super) bits: [u16; CHUNK],
    pub(super) received_day: [u16; CHUNK],
    pub(super) ended_day: [u16; CHUNK],
    pub(super) handed_day: [u16; CHUNK],
    pub(super) due_day: [u16; CHUNK],
    pub(super) kin: [u32; CHUNK],
    received_of_day: [u32; CHUNK],
    ended_of_day: [u32; CHUNK],
    handed_of_day: [u32; CHUNK],
    /// Only where a due is an instant.
    due_of_day: Option<Box<[u32; CHUNK]>>,
    flags: [u16; CHUNK],
    last_low: [u32; CHUNK],
    last_high: [u8; CHUNK],
    /// By slot.
    places: Vec<Place>,
    tales: Vec<u8>,
    /// How many bytes of the tales nobody refers to.
    waste: usize,
    codes: Codes,
    /// The first moment of any row, and the last of those that are not in progress.
    first: Timestamp,
    last: Timestamp,
    /// The first and the last deadline of a letter that any row owed or was about to owe.
    letters: Option<(Timestamp, Timestamp)>,
    /// How many are in progress.
    open: usize,
    /// Which are.
    is_open: [u64; CHUNK / 64],
}

impl Chunk {
    fn new() -> Chunk {
        Chunk {
            length: 0,
            bits: [0; CHUNK],
            received_day: [NO_DAY; CHUNK],
            ended_day: [NO_DAY; CHUNK],
            handed_day: [NO_DAY; CHUNK],
            due_day: [NO_DAY; CHUNK],
            kin: [0; CHUNK],
            received_of_day: [0; CHUNK],
            ended_of_day: [0; CHUNK],
            handed_of_day: [0; CHUNK],
            due_of_day: None,
            flags: [0; CHUNK],
            last_low: [0; CHUNK],
            last_high: [0; CHUNK],
            places: Vec::new(),
            tales: Vec::new(),
            waste: 0,
            codes: Codes::Plain(Vec::new()),
            first: Timestamp::MAX,
            last: Timestamp::MIN,
            letters: None,
            open: 0,
            is_open: [0; CHUNK / 64],
        }
    }

    pub(super) fn cells(&self, slot: usize) -> Cells {
        Cells {
            bits: self.bits[slot],
            received: self.received(slot),
            ended: self.ended(slot),
            handed: self.handed(slot),
            due: self.due(slot),
            kin: self.kin[slot],
            flags: Flags(u32::from(self.flags[slot])),
            last: self.last_record(slot),
        }
    }

    pub(super) fn received(&self, slot: usize) -> Split {
        Split { day: self.received_day[slot], of_day: self.received_of_day[slot] }
    }

    pub(super) fn ended(&self, slot: usize) -> Split {
        Split { day: self.ended_day[slot], of_day: self.ended_of_day[slot] }
    }

    pub(super) fn handed(&self, slot: usize) -> Split {
        Split { day: self.handed_day[slot], of_day: self.handed_of_day[slot] }
    }

    pub(super) fn due(&self, slot: usize) -> Split {
        let of_day = self.due_of_day.as_ref().map_or(0, |of_day| of_day[slot]);
        Split { day: self.due_day[slot], of_day }
    }

    fn last_record(&self, slot: usize) -> u64 {
        u64::from(self.last_high[slot]) << 32 | u64::from(self.last_low[slot])
    }

    /// Whether any row can count at the cut: has a moment in the period that begins at `from`, or is of the stock.
    pub(super) fn matters(&self, from: Timestamp, c: Timestamp) -> bool {
        self.passed(from, c).is_none()
    }

    /// For how long no row can count, if none can at the cut: none has a moment in the period that begins at `from`, or is
    /// of the stock.
    pub(super) fn passed(&self, from: Timestamp, c: Timestamp) -> Option<Stays> {
        if self.first > c {
            return Some(Stays::before(self.first));
        }
        (self.open == 0 && self.last < from && self.last <= c).then(|| Stays::from(self.last))
    }

    /// Between which deadlines all letters lie that any row owes.
    pub(super) fn letters(&self) -> Option<(Timestamp, Timestamp)> {
        self.letters
    }

    pub(super) fn tale(&self, slot: usize) -> Option<Tale<'_>> {
        let at = self.places.binary_search_by_key(&slot, |place| usize::from(place.slot)).ok()?;
        let Place { start, length, .. } = self.places[at];
        Some(Tale(&self.tales[start as usize..start as usize + length as usize]))
    }

    fn set(&mut self, slot: usize, cells: &Cells, span: Span, tale: &[u8]) {
        self.bits[slot] = cells.bits;
        (self.received_day[slot], self.received_of_day[slot]) = (cells.received.day, cells.received.of_day);
        (self.ended_day[slot], self.ended_of_day[slot]) = (cells.ended.day, cells.ended.of_day);
        (self.handed_day[slot], self.handed_of_day[slot]) = (cells.handed.day, cells.handed.of_day);
        self.due_day[slot] = cells.due.day;
        if cells.due.of_day != 0 || self.due_of_day.is_some() {
            self.due_of_day.get_or_insert_with(|| Box::new([0; CHUNK]))[slot] = cells.due.of_day;
        }
        self.kin[slot] = cells.kin;
        self.flags[slot] = (cells.flags.0 & 0xffff) as u16;
        (self.last_low[slot], self.last_high[slot]) = (cells.last as u32, (cells.last >> 32) as u8);
        let (word, bit) = (slot / 64, 1_u64 << (slot % 64));
        let was_open = self.is_open[word] & bit != 0;
        self.open = self.open + usize::from(span.open) - usize::from(was_open);
        self.is_open[word] = if span.open { self.is_open[word] | bit } else { self.is_open[word] & !bit };
        self.first = self.first.min(span.first);
        self.last = self.last.max(span.last);
        if let Some((first, last)) = span.letters {
            self.letters = self.letters.map_or(span.letters, |(f, l)| Some((f.min(first), l.max(last))));
        }
        self.put_tale(slot, tale);
    }

    fn put_tale(&mut self, slot: usize, tale: &[u8]) {
        let at = self.places.binary_search_by_key(&slot, |place| usize::from(place.slot));
        if let Ok(at) = at {
            self.waste += self.places[at].length as usize;
            if tale.is_empty() {
                self.places.remove(at);
            }
        }
        if !tale.is_empty() {
            if self.tales.len() + tale.len() > self.tales.capacity() {
                self.make_room(tale.len());
            }
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let place = Place {
                slot: u16::try_from(slot).unwrap_or(u16::MAX),
                start: number(self.tales.len()),
                length: number(tale.len()),
            };
            self.tales.extend_from_slice(tale);
            match at {
                Ok(at) => self.places[at] = place,
                Err(at) => self.places.insert(at, place),
            }
        } else if self.waste > self.tales.len() / 4 {
            self.make_room(0);
        }
    }

    /// Moves the tales together, with room for some more.
    fn make_room(&mut self, more: usize) {
        let used = self.tales.len() - self.waste.min(self.tales.len());
        let mut tales = Vec::with_capacity(used + more + if more > 0 { used / 4 + 256 } else { 0 });
        for place in &mut self.places {
            let start = place.start as usize;
            place.start = u32::try_from(tales.len()).unwrap_or(u32::MAX);
            tales.extend_from_slice(&self.tales[start..start + place.length as usize]);
        }
        (self.tales, self.waste) = (tales, 0);
    }

    /// Lets go of what of the tales of rows that have ended only decisions need, and of room to grow. `needed` says of a
    /// row's bits whether figures need its tale.
    fn put_in_order(&mut self, needed: impl Fn(u16) -> bool) {
        let places = std::mem::take(&mut self.places);
        let mut tales = Vec::with_capacity(self.tales.len() - self.waste.min(self.tales.len()));
        for Place { slot, start, length } in places {
            let told = &self.tales[start as usize..start as usize + length as usize];
            let (slot_at, from) = (usize::from(slot), tales.len());
            let is_open = self.is_open[slot_at / 64] & 1 << (slot_at % 64) != 0;
            if is_open {
                tales.extend_from_slice(told);
            } else if needed(self.bits[slot_at]) {
                Tale(told).write_settled(&mut tales);
            }
            if tales.len() > from {
                let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                self.places.push(Place { slot, start: number(from), length: number(tales.len() - from) });
            }
        }
        tales.shrink_to_fit();
        self.places.shrink_to_fit();
        (self.tales, self.waste) = (tales, 0);
    }

    /// Whether a row has this code.
    pub(super) fn has_code(&self, slot: usize, code: &str) -> bool {
        match &self.codes {
            Codes::Plain(codes) => *codes[slot] == *code,
            Codes::Packed(packed) => match self.tale(slot).and_then(|tale| tale.code().map(|told| told == code)) {
                Some(same) => same,
                None => unpack(packed).split('\n').nth(slot) == Some(code),
            },
        }
    }

    /// Whether a row may have this code, as far as can be told without unpacking codes: a row whose tale has a code has it.
    pub(super) fn may_have_code(&self, slot: usize, code: &str) -> bool {
        match &self.codes {
            Codes::Plain(codes) => *codes[slot] == *code,
            Codes::Packed(_) => self.tale(slot).and_then(|tale| tale.code().map(|told| told == code)).unwrap_or(true),
        }
    }

    /// Hands each row's code to `each`.
    pub(super) fn each_code(&self, mut each: impl FnMut(usize, &str)) {
        match &self.codes {
            Codes::Plain(codes) => codes.iter().enumerate().for_each(|(slot, code)| each(slot, code)),
            Codes::Packed(packed) => {
                unpack(packed).split('\n').take(self.length).enumerate().for_each(|(slot, code)| each(slot, code));
            }
        }
    }

    fn add(&mut self, code: &Code) {
        let Codes::Plain(codes) = &mut self.codes else { return };
        codes.push(Arc::clone(code));
        self.length += 1;
        if self.length == CHUNK {
            self.codes = pack(codes);
            self.places.shrink_to_fit();
        }
    }

    /// The code of one row.
    pub(super) fn code(&self, slot: usize) -> Code {
        match &self.codes {
            Codes::Plain(codes) => Arc::clone(&codes[slot]),
            Codes::Packed(packed) => match self.tale(slot).and_then(|tale| tale.code().map(Code::from)) {
                Some(code) => code,
                // Its own packing is read again: a difference would be a defect, and no reason to give up.
                None => unpack(packed).split('\n').nth(slot).map_or_else(|| Code::from(""), Code::from),
            },
        }
    }
}

/// A code that holds a line break, which none that was accepted does, would be told as two: such a chunk stays plain.
fn pack(codes: &[Code]) -> Codes {
    let text = codes.join("\n");
    match zstd::bulk::compress(text.as_bytes(), CODES_LEVEL) {
        Ok(packed) if codes.iter().all(|code| !code.contains('\n')) => Codes::Packed(packed.into()),
        _ => Codes::Plain(codes.to_vec()),
    }
}

fn unpack(packed: &[u8]) -> String {
    // A code has at most 64 characters.
    let text = zstd::bulk::decompress(packed, CHUNK * 64 * 5).unwrap_or_default();
    String::from_utf8(text).unwrap_or_default()
}

/// A segment as it was stored.
pub(crate) struct StoredSegment(Segment);

impl StoredSegment {
    /// From its bytes; nothing if they are not what was written.
    pub(crate) fn read(bytes: &[u8]) -> Option<StoredSegment> {
        let mut stored = Stored(bytes);
        let mut segment = Vec::with_capacity(SEGMENT);
        while !stored.0.is_empty() {
            segment.push(Arc::new(Chunk::read(&mut stored)?));
        }
        (segment.len() <= SEGMENT).then_some(StoredSegment(segment))
    }
}

/// Bytes of a snapshot that are written; integers little-endian.
#[derive(Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Bytes {
    pub(super) fn number(&mut self, n: u64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn column<const N: usize>(&mut self, values: impl Iterator<Item = [u8; N]>) {
        values.for_each(|value| self.0.extend_from_slice(&value));
    }
}

/// Bytes of a snapshot that are read.
pub(super) struct Stored<'a>(pub(super) &'a [u8]);

impl<'a> Stored<'a> {
    pub(super) fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    fn column<const N: usize>(&mut self, length: usize, mut each: impl FnMut(usize, [u8; N])) -> Option<()> {
        let (values, _) = self.take(length.checked_mul(N)?)?.as_chunks::<N>();
        values.iter().enumerate().for_each(|(slot, value)| each(slot, *value));
        Some(())
    }
}

impl Chunk {
    fn write(&self, bytes: &mut Bytes) {
        let n = self.length;
        bytes.number(n as u64);
        for column in [&self.bits, &self.received_day, &self.ended_day, &self.handed_day, &self.due_day, &self.flags] {
            bytes.column(column[..n].iter().map(|v| v.to_le_bytes()));
        }
        for column in [&self.kin, &self.received_of_day, &self.ended_of_day, &self.handed_of_day, &self.last_low] {
            bytes.column(column[..n].iter().map(|v| v.to_le_bytes()));
        }
        bytes.column(self.last_high[..n].iter().map(|v| [*v]));
        bytes.number(u64::from(self.due_of_day.is_some()));
        if let Some(column) = &self.due_of_day {
            bytes.column(column[..n].iter().map(|v| v.to_le_bytes()));
        }
        bytes.number(self.places.len() as u64);
        for place in &self.places {
            bytes.0.extend_from_slice(&place.slot.to_le_bytes());
            bytes.0.extend_from_slice(&place.length.to_le_bytes());
        }
        // The tales follow each other in the order of their rows, without what nobody refers to.
        for place in &self.places {
            bytes.0.extend_from_slice(&self.tales[place.start as usize..(place.start + place.length) as usize]);
        }
        match &self.codes {
            Codes::Plain(codes) => {
                bytes.number(0);
                bytes.bytes(codes.join("\n").as_bytes());
            }
            Codes::Packed(packed) => {
                bytes.number(1);
                bytes.bytes(packed);
            }
        }
        bytes.number(self.first.0.cast_unsigned());
        bytes.number(self.last.0.cast_unsigned());
        // None at all begin after they end.
        let (first, last) = self.letters.unwrap_or((Timestamp::MAX, Timestamp::MIN));
        bytes.number(first.0.cast_unsigned());
        bytes.number(last.0.cast_unsigned());
        bytes.column(self.is_open.iter().map(|v| v.to_le_bytes()));
    }

    fn read(stored: &mut Stored<'_>) -> Option<Chunk> {
        let n = usize::try_from(stored.number()?).ok().filter(|n| (1..=CHUNK).contains(n))?;
        let mut chunk = Chunk { length: n, ..Chunk::new() };
        for column in [
            &mut chunk.bits,
            &mut chunk.received_day,
            &mut chunk.ended_day,
            &mut chunk.handed_day,
            &mut chunk.due_day,
            &mut chunk.flags,
        ] {
            stored.column(n, |slot, v| column[slot] = u16::from_le_bytes(v))?;
        }
        for column in [
            &mut chunk.kin,
            &mut chunk.received_of_day,
            &mut chunk.ended_of_day,
            &mut chunk.handed_of_day,
            &mut chunk.last_low,
        ] {
            stored.column(n, |slot, v| column[slot] = u32::from_le_bytes(v))?;
        }
        stored.column(n, |slot, [v]| chunk.last_high[slot] = v)?;
        if stored.number()? != 0 {
            let mut column = Box::new([0; CHUNK]);
            stored.column(n, |slot, v| column[slot] = u32::from_le_bytes(v))?;
            chunk.due_of_day = Some(column);
        }
        let places = usize::try_from(stored.number()?).ok().filter(|places| *places <= n)?;
        chunk.places.reserve_exact(places);
        let mut start = 0_u32;
        stored.column::<6>(places, |_, [a, b, c, d, e, f]| {
            let (slot, length) = (u16::from_le_bytes([a, b]), u32::from_le_bytes([c, d, e, f]));
            chunk.places.push(Place { slot, start, length });
            start = start.saturating_add(length);
        })?;
        if !chunk.places.is_sorted_by(|a, b| a.slot < b.slot) {
            return None;
        }
        chunk.tales = stored.take(start as usize)?.to_vec();
        let packed = stored.number()? != 0;
        let codes = stored.bytes()?;
        chunk.codes = if packed {
            Codes::Packed(codes.into())
        } else {
            let codes: Vec<Code> = std::str::from_utf8(codes).ok()?.split('\n').map(Code::from).collect();
            Codes::Plain(Some(codes).filter(|codes| codes.len() == n)?)
        };
        chunk.first = Timestamp(stored.number()?.cast_signed());
        chunk.last = Timestamp(stored.number()?.cast_signed());
        let letters = (Timestamp(stored.number()?.cast_signed()), Timestamp(stored.number()?.cast_signed()));
        chunk.letters = Some(letters).filter(|(first, last)| first <= last);
        stored.column(CHUNK / 64, |word, v| chunk.is_open[word] = u64::from_le_bytes(v))?;
        chunk.open = chunk.is_open.iter().map(|word| word.count_ones() as usize).sum();
        Some(chunk)
    }
}

/// Some chunks, side by side.
type Segment = Vec<Arc<Chunk>>;

/// All rows.
#[derive(Clone, Default)]
pub(super) struct Table {
    segments: Vec<Arc<Segment>>,
    /// Of each segment the stamp of its last change.
    changed: Vec<u64>,
    /// What a change is stamped with.
    stamp: u64,
    length: usize,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The chunks in the order of their rows.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &Arc<Chunk>> + Clone {
        self.segments.iter().flat_map(|segment| segment.iter())
    }

    /// From now on changes carry this stamp, which never decreases.
    pub(super) fn stamp(&mut self, stamp: u64) {
        self.stamp = stamp;
    }

    /// The stamp of each segment's last change.
    pub(super) fn changed(&self) -> &[u64] {
        &self.changed
    }

    /// The bytes of a segment.
    pub(super) fn write_segment(&self, segment: usize) -> Vec<u8> {
        let mut bytes = Bytes::default();
        for chunk in self.segments[segment].iter() {
            chunk.write(&mut bytes);
        }
        bytes.0
    }

    /// Adds a segment from its bytes, stamped as it is stored; nothing if they are not what was written.
    pub(super) fn read_segment(&mut self, stored: StoredSegment) {
        self.length += stored.0.iter().map(|chunk| chunk.length).sum::<usize>();
        self.segments.push(Arc::new(stored.0));
        self.changed.push(0);
    }

    /// The chunk of a row, and its place there.
    pub(super) fn find(&self, row: u32) -> Option<(&Chunk, usize)> {
        let row = row as usize;
        let chunk = self.segments.get(row / SEGMENT_ROWS)?.get(row % SEGMENT_ROWS / CHUNK)?;
        (row % CHUNK < chunk.length).then_some((&**chunk, row % CHUNK))
    }

    pub(super) fn chunk_count(&self) -> usize {
        self.length.div_ceil(CHUNK)
    }

    /// The chunk of that number.
    pub(super) fn chunk(&self, number: usize) -> Option<&Chunk> {
        self.segments.get(number / SEGMENT)?.get(number % SEGMENT).map(|chunk| &**chunk)
    }

    /// The chunks that are not those of a table from which this one came: the number of each, what it is and what it was.
    pub(super) fn changed_chunks<'t>(
        &'t self,
        older: &'t Table,
    ) -> impl Iterator<Item = (usize, &'t Chunk, Option<&'t Chunk>)> {
        let segments = self.segments.iter().enumerate().map(|(at, segment)| (at, segment, older.segments.get(at)));
        let changed = segments.filter(|(_, now, before)| before.is_none_or(|before| !Arc::ptr_eq(now, before)));
        changed.flat_map(|(at, now, before)| {
            let chunks =
                now.iter().enumerate().map(move |(place, now)| (place, now, before.and_then(|b| b.get(place))));
            let changed = chunks.filter(|(_, now, before)| before.is_none_or(|before| !Arc::ptr_eq(now, before)));
            changed.map(move |(place, now, before)| (at * SEGMENT + place, &**now, before.map(|chunk| &**chunk)))
        })
    }

    /// The rows that are not as they were in a table from which this one came, and those that were not there.
    pub(super) fn changed_from(&self, older: &Table) -> Vec<u32> {
        let mut rows = Vec::new();
        for (number, chunk, before) in self.changed_chunks(older) {
            // A row changes by records of its own alone, and holds the position of its last.
            let same = |slot| before.is_some_and(|b| slot < b.length && b.cells(slot) == chunk.cells(slot));
            let changed = (0..chunk.length).filter(|slot| !same(*slot));
            rows.extend(changed.map(|slot| u32::try_from(number * CHUNK + slot).unwrap_or(u32::MAX)));
        }
        rows
    }

    /// Adds a row that knows only its code; returns its number.
    pub(super) fn push(&mut self, code: &Code) -> u32 {
        let row = self.length;
        if row.is_multiple_of(SEGMENT_ROWS) {
            self.segments.push(Arc::default());
            self.changed.push(self.stamp);
        }
        self.changed[row / SEGMENT_ROWS] = self.stamp;
        let segment = Arc::make_mut(&mut self.segments[row / SEGMENT_ROWS]);
        if row.is_multiple_of(CHUNK) {
            segment.push(Arc::new(Chunk::new()));
        }
        Arc::make_mut(&mut segment[row % SEGMENT_ROWS / CHUNK]).add(code);
        self.length += 1;
        u32::try_from(row).unwrap_or(u32::MAX)
    }

    /// Puts the chunk of a row in order: see [`Chunk::put_in_order`].
    pub(super) fn put_in_order(&mut self, row: u32, needed: impl Fn(u16) -> bool) {
        let row = row as usize;
        self.changed[row / SEGMENT_ROWS] = self.stamp;
        let segment = Arc::make_mut(&mut self.segments[row / SEGMENT_ROWS]);
        Arc::make_mut(&mut segment[row % SEGMENT_ROWS / CHUNK]).put_in_order(needed);
    }

    /// Replaces what a row says; no tale if that is empty.
    pub(super) fn set(&mut self, row: u32, cells: &Cells, span: Span, tale: &[u8]) {
        let row = row as usize;
        self.changed[row / SEGMENT_ROWS] = self.stamp;
        let segment = Arc::make_mut(&mut self.segments[row / SEGMENT_ROWS]);
        Arc::make_mut(&mut segment[row % SEGMENT_ROWS / CHUNK]).set(row % CHUNK, cells, span, tale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_keeps_what_is_open_or_needed_and_no_room() {
        let mut table = Table::default();
        let never = Split::NEVER;
        let cells = |bits| Cells {
            bits,
            received: never,
            ended: never,
            handed: never,
            due: never,
            kin: 0,
            flags: Flags::default(),
            last: 9,
        };
        // Neither has a code in it, so what is kept is kept as it is.
        let tale = [0, 0, 7];
        for n in 0..CHUNK as u32 + 1 {
            let row = table.push(&Code::from(format!("H44-{n:04}")));
            let open = n % 3 == 0;
            let span = Span { first: Timestamp(0), last: Timestamp(1), open, letters: None };
            table.set(row, &cells(u16::from(n % 3 == 1)), span, &tale);
        }
        let before = table.clone();
        table.stamp(77);
        table.put_in_order(5, |bits| bits == 1);
        assert_eq!(table.changed(), [77]);
        let of = |table: &Table, row: u32| table.find(row).and_then(|(chunk, slot)| Some(chunk.tale(slot)?.0.to_vec()));
        for n in 0..CHUNK as u32 + 1 {
            let kept = n % 3 != 2 || n == CHUNK as u32;
            assert_eq!(of(&table, n), kept.then(|| tale.to_vec()), "{n}");
            assert_eq!(of(&before, n), Some(tale.to_vec()), "what was published stays as it was");
        }
        let (chunk, _) = table.find(5).unwrap();
        assert_eq!(chunk.tales.capacity(), chunk.tales.len());
        assert!(chunk.has_code(5, "H44-0005") && !chunk.has_code(5, "H44-0006"));
        assert!(table.changed_from(&before).is_empty());
    }
}
