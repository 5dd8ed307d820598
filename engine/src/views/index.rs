//! From a dossier's code to its row, in about nine bytes a dossier.
//!
//! The codes themselves lie packed beside the rows ([`super::table`]); an index of them would be larger than all figures.
//! So it holds of each code 36 bits of its hash: among 20 million dossiers one lookup in 3,000 finds a wrong row, too. Whoever
//! looks up compares the code of the row. Shards grow one at a time, so that no event waits for all to be moved. The hash
//! has a seed of its own in every process: nothing of it is stored, and no sender can aim at one shard.

use foldhash::quality::RandomState;
use std::hash::BuildHasher;

const SHARD_BITS: u32 = 12;
const SMALLEST: usize = 8;

/// All rows, by the hashes of their codes.
pub(crate) struct Index {
    hash: RandomState,
    shards: Vec<Shard>,
}

/// Open addressing; a place holds 24 bits of a hash and the row plus one, or zeros.
#[derive(Default)]
struct Shard {
    places: Vec<[u8; 7]>,
    used: usize,
}

fn place(tag: u32, row: u32) -> [u8; 7] {
    let ([a, b, c, _], [d, e, f, g]) = (tag.to_le_bytes(), row.to_le_bytes());
    [a, b, c, d, e, f, g]
}

fn read([a, b, c, d, e, f, g]: [u8; 7]) -> (u32, u32) {
    (u32::from_le_bytes([a, b, c, 0]), u32::from_le_bytes([d, e, f, g]))
}

/// Of a code's hash what finds it.
#[derive(Clone, Copy)]
struct Key {
    shard: usize,
    tag: u32,
}

impl Index {
    pub(crate) fn new() -> Index {
        let shards = (0..1 << SHARD_BITS).map(|_| Shard::default()).collect();
        Index { hash: RandomState::default(), shards }
    }

    fn key(&self, code: &str) -> Key {
        let hash = self.hash.hash_one(code);
        Key { shard: (hash >> (64 - SHARD_BITS)) as usize, tag: (hash & 0x00ff_ffff) as u32 }
    }

    /// Notes the row of a code that was not noted before.
    pub(crate) fn insert(&mut self, code: &str, row: u32) {
        let key = self.key(code);
        self.shards[key.shard].insert(key.tag, row + 1);
    }

    /// The rows whose code may be this one; hardly ever more than one.
    pub(crate) fn candidates(&self, code: &str) -> std::vec::IntoIter<u32> {
        let key = self.key(code);
        self.shards[key.shard].candidates(key.tag)
    }
}

/// Where to begin looking for a tag.
fn start(tag: u32, places: usize) -> usize {
    ((u64::from(tag) * places as u64) >> 24) as usize
}

impl Shard {
    fn insert(&mut self, tag: u32, row: u32) {
        if (self.used + 1) * 8 > self.places.len() * 7 {
            let larger = (self.places.len() * 5 / 4).max(SMALLEST);
            for taken in std::mem::replace(&mut self.places, vec![[0; 7]; larger]) {
                let (tag, row) = read(taken);
                if row != 0 {
                    self.put(tag, row);
                }
            }
        }
        self.put(tag, row);
        self.used += 1;
    }

    fn put(&mut self, tag: u32, row: u32) {
        let places = self.places.len();
        let mut at = start(tag, places);
        while read(self.places[at]).1 != 0 {
            at = (at + 1) % places;
        }
        self.places[at] = place(tag, row);
    }

    fn candidates(&self, tag: u32) -> std::vec::IntoIter<u32> {
        // An empty vector takes no memory, and one that is filled at all is a hit that costs more anyway.
        let mut found = Vec::new();
        if !self.places.is_empty() {
            let mut at = start(tag, self.places.len());
            loop {
                let (known, row) = read(self.places[at]);
                if row == 0 {
                    break;
                }
                if known == tag {
                    found.push(row - 1);
                }
                at = (at + 1) % self.places.len();
            }
        }
        found.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_finds_its_row_and_hardly_any_other() {
        let (mut index, mut unknown) = (Index::new(), 0);
        let code = |n: u32| format!("H44.22-250903-{n:05}");
        for n in 0..60_000 {
            unknown += index.candidates(&code(n)).count();
            index.insert(&code(n), n);
        }
        assert!(unknown < 10, "{unknown} of 60,000 codes were found before they were there");
        let mut wrong = 0;
        for n in 0..60_000 {
            let found: Vec<u32> = index.candidates(&code(n)).collect();
            assert!(found.contains(&n), "{n}");
            wrong += found.len() - 1;
        }
        assert!(wrong < 10, "{wrong} of 60,000 codes have another's hash");
    }

    #[test]
    fn equal_tags_are_all_candidates() {
        let mut shard = Shard::default();
        for row in 1..=20 {
            shard.insert(0x00ff_ffff, row);
        }
        let mut rows: Vec<u32> = shard.candidates(0x00ff_ffff).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..20).collect::<Vec<_>>());
        assert_eq!(shard.candidates(7).count(), 0);
    }
}
