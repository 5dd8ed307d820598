//! The first of a list behind a place in it, in the memory of one page.
//!
//! Chunks are gone over in the order of the first moment that each may hold, in *waves* that grow, and each wave on all
//! cores. A core keeps no more than a page. Once one is full, whatever lies behind its end is passed over before it is
//! judged, and the chunks that begin there are not looked at. Codes lie packed, so they are read only of a chunk that holds
//! something which may be in the page. What is listed, and by which moment, is not known here.

use super::table::Chunk;
use crate::cores;
use crate::dossier::Code;
use crate::time::Timestamp;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// How many chunks are gone over before it is known how far a page reaches; then twice as many, and so on.
const FIRST_WAVE: usize = 64;
/// How many chunks a core must have to be worth a thread.
const LEAST_CHUNKS: usize = 96;

/// Where something stands in a list: its moment, its dossier, and its number there.
pub(super) type Place = (Timestamp, Code, u32);

/// Something in its place.
struct Placed<T> {
    place: Place,
    what: T,
}

impl<T> PartialEq for Placed<T> {
    fn eq(&self, other: &Placed<T>) -> bool {
        self.place == other.place
    }
}

impl<T> Eq for Placed<T> {}

impl<T> PartialOrd for Placed<T> {
    fn partial_cmp(&self, other: &Placed<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Placed<T> {
    fn cmp(&self, other: &Placed<T>) -> Ordering {
        self.place.cmp(&other.place)
    }
}

/// What was met in the chunk at hand, while nobody needs its code.
struct Met<T> {
    slot: usize,
    at: Timestamp,
    number: u32,
    what: T,
}

/// The first of what was met so far behind a place.
pub(super) struct First<'q, T> {
    /// The most to keep.
    size: usize,
    after: Option<&'q Place>,
    /// What comes later is not among the first.
    until: Timestamp,
    kept: BinaryHeap<Placed<T>>,
    met: Vec<Met<T>>,
}

impl<'q, T> First<'q, T> {
    fn new(size: usize, after: Option<&'q Place>, until: Timestamp) -> First<'q, T> {
        First { size, after, until, kept: BinaryHeap::new(), met: Vec::new() }
    }

    /// Whether something at that moment may be among the first.
    pub(super) fn may_hold(&self, at: Timestamp) -> bool {
        at <= self.until && self.after.is_none_or(|(after, ..)| at >= *after)
    }

    /// Notes what is in a slot of the chunk at hand; slots come in their order.
    pub(super) fn meet(&mut self, slot: usize, at: Timestamp, number: u32, what: T) {
        if self.may_hold(at) {
            self.met.push(Met { slot, at, number, what });
        }
    }

    /// Keeps of what was met in a chunk what is among the first.
    fn keep_met(&mut self, chunk: &Chunk) {
        if self.met.is_empty() {
            return;
        }
        let mut met = std::mem::take(&mut self.met);
        let mut next = met.drain(..).peekable();
        chunk.each_code(|slot, code| {
            while let Some(Met { at, number, what, .. }) = next.next_if(|met| met.slot == slot) {
                if self.is_among((at, code, number)) {
                    self.keep(Placed { place: (at, Code::from(code), number), what });
                }
            }
        });
        drop(next);
        self.met = met;
    }

    fn is_among(&self, place: (Timestamp, &str, u32)) -> bool {
        let of = |(at, code, number): &Place| -> Ordering { place.cmp(&(*at, code, *number)) };
        let behind = self.after.is_none_or(|after| of(after).is_gt());
        behind && (self.kept.len() < self.size || self.kept.peek().is_some_and(|last| of(&last.place).is_lt()))
    }

    fn keep(&mut self, placed: Placed<T>) {
        self.kept.push(placed);
        if self.kept.len() > self.size {
            self.kept.pop();
        }
        if self.kept.len() == self.size {
            let last = self.kept.peek().map_or(Timestamp::MAX, |last| last.place.0);
            self.until = self.until.min(last);
        }
    }

    fn merge(&mut self, other: First<'q, T>) {
        other.kept.into_iter().for_each(|placed| self.keep(placed));
    }
}

/// A page of at most `size` behind `after`, of all that `each` meets in the chunks, and where the next one begins if there
/// is one. With each chunk comes a moment before which it holds nothing.
pub(super) fn page<'v, T: Send>(
    mut chunks: Vec<(Timestamp, &'v Chunk)>,
    size: usize,
    after: Option<&Place>,
    each: impl Fn(&mut First<'_, T>, &'v Chunk) + Sync,
) -> (Vec<(Place, T)>, Option<Place>) {
    chunks.sort_by_key(|(from, _)| *from);
    // One more than a page tells whether there is a next one.
    let new = |until| First::new(size.saturating_add(1), after, until);
    let mut first = new(Timestamp::MAX);
    let (mut rest, mut wave) = (&chunks[..], FIRST_WAVE);
    while rest.first().is_some_and(|(from, _)| *from <= first.until) {
        let (now, later) = rest.split_at(wave.min(rest.len()));
        let until = first.until;
        let look = |first: &mut First<'_, T>, (from, chunk): &(Timestamp, &'v Chunk)| {
            if *from <= first.until {
                each(first, chunk);
                first.keep_met(chunk);
            }
        };
        first.merge(cores::fold(now, LEAST_CHUNKS, || new(until), look, First::merge));
        (rest, wave) = (later, wave.saturating_mul(2));
    }
    let mut found = first.kept.into_sorted_vec();
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|last| last.place.clone());
    (found.into_iter().map(|placed| (placed.place, placed.what)).collect(), next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dossier::Flags;
    use crate::views::table::{CHUNK, Cells, Span, Split, Table};

    /// Each seventh row is in no list; the others are there once or twice.
    fn is_listed(row: usize) -> bool {
        !row.is_multiple_of(7)
    }

    /// A table of many chunks whose rows have mixed moments, many of them the same; and what is listed, in order.
    fn table(chunks: usize) -> (Table, Vec<Place>) {
        let mut table = Table::default();
        let mut all = Vec::new();
        let mut state = 7_u64;
        for n in 0..chunks * CHUNK {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let code = Code::from(format!("H44-{:06}", (state >> 33) % 1_000_000 * 1000 + n as u64 % 1000));
            let row = table.push(&code);
            let moment = (n / CHUNK) as u32 / 4 + (state >> 60) as u32;
            let split = Split { day: 0, of_day: 0 };
            let cells = Cells {
                bits: 0,
                received: split,
                ended: split,
                handed: split,
                due: split,
                kin: moment,
                flags: Flags::default(),
                last: 0,
            };
            let span = Span { first: Timestamp(0), last: Timestamp(0), open: false, letters: None };
            table.set(row, &cells, span, &[]);
            if is_listed(n) {
                all.extend((0..=moment % 2).map(|number| (Timestamp(moment.into()), Code::clone(&code), number)));
            }
        }
        all.sort();
        (table, all)
    }

    #[test]
    fn pages_are_the_list_cut_in_pieces_on_however_many_cores_it_was_made() {
        let (table, all) = table(2 * FIRST_WAVE + 4 * LEAST_CHUNKS + 3);
        let numbers: Vec<(usize, &Chunk)> = table.chunks().map(|chunk| &**chunk).enumerate().collect();
        for told in [false, true] {
            let from = |n: usize| if told { Timestamp((n / 4) as i64) } else { Timestamp::MIN };
            let read = |size, after: Option<&Place>| {
                let chunks = numbers.iter().map(|(n, chunk)| (from(*n), *chunk)).collect();
                page(chunks, size, after, |first, chunk| {
                    let first_row = numbers.iter().position(|(_, c)| std::ptr::eq(*c, chunk)).unwrap() * CHUNK;
                    for slot in (0..chunk.length).filter(|slot| is_listed(first_row + slot)) {
                        let moment = chunk.kin[slot];
                        for number in 0..=moment % 2 {
                            first.meet(slot, Timestamp(moment.into()), number, slot);
                        }
                    }
                })
            };
            for size in [0, 1, 100, 5_000, all.len() - 1, all.len(), usize::MAX] {
                let (page, next) = read(size, None);
                let seen: Vec<&Place> = page.iter().map(|(place, _)| place).collect();
                let wanted = size.min(all.len());
                assert!(seen == all[..wanted].iter().collect::<Vec<_>>(), "the first {size}");
                assert_eq!(next.as_ref(), all[..wanted].last().filter(|_| size < all.len()));
            }
            for begin in [0, 1, 700, all.len() / 2, all.len() - 101, all.len() - 100, all.len() - 1] {
                let (page, next) = read(100, Some(&all[begin]));
                let end = (begin + 101).min(all.len());
                assert!(page.iter().map(|(place, _)| place).eq(&all[begin + 1..end]), "behind {begin}");
                assert_eq!(next.is_some(), end < all.len());
            }
        }
    }
}
