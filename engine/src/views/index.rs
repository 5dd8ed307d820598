//! From a dossier's code to its row, in eight bytes a dossier.
//!
//! The codes themselves lie packed beside the rows ([`super::table`]); an index of them would be larger than all figures.
//! So it holds of each code 44 bits of its hash, which leave a wrong row about once in a million million times; whoever
//! looks up compares the code of the row. Shards grow one at a time, so that no event waits for all to be moved. The hash
//! has a seed of its own in every process: nothing of it is stored, and no sender can aim at one shard.

use std::hash::{BuildHasher, RandomState};

const SHARD_BITS: u32 = 12;
const SMALLEST: usize = 4;

/// All rows, by the hashes of their codes.
pub(super) struct Index {
    hash: RandomState,
    shards: Vec<Shard>,
}

/// Open addressing; a place holds 32 bits of a hash and the row plus one, or zeros.
#[derive(Default)]
struct Shard {
    places: Vec<(u32, u32)>,
    used: usize,
}

/// Of a code's hash what finds it.
#[derive(Clone, Copy)]
struct Key {
    shard: usize,
    tag: u32,
}

impl Index {
    pub(super) fn new() -> Index {
        let shards = (0..1 << SHARD_BITS).map(|_| Shard::default()).collect();
        Index { hash: RandomState::new(), shards }
    }

    fn key(&self, code: &str) -> Key {
        let hash = self.hash.hash_one(code);
        Key { shard: (hash >> (64 - SHARD_BITS)) as usize, tag: (hash & 0xffff_ffff) as u32 }
    }

    /// Notes the row of a code that was not noted before.
    pub(super) fn insert(&mut self, code: &str, row: u32) {
        let key = self.key(code);
        self.shards[key.shard].insert(key.tag, row + 1);
    }

    /// The rows whose code may be this one; hardly ever more than one.
    pub(super) fn candidates(&self, code: &str) -> std::vec::IntoIter<u32> {
        let key = self.key(code);
        self.shards[key.shard].candidates(key.tag)
    }
}

/// Where to begin looking for a tag.
fn start(tag: u32, places: usize) -> usize {
    ((u64::from(tag) * places as u64) >> 32) as usize
}

impl Shard {
    fn insert(&mut self, tag: u32, row: u32) {
        if (self.used + 1) * 5 > self.places.len() * 4 {
            let larger = (self.places.len() * 3 / 2).max(SMALLEST);
            for (tag, row) in std::mem::replace(&mut self.places, vec![(0, 0); larger]) {
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
        while self.places[at].1 != 0 {
            at = (at + 1) % places;
        }
        self.places[at] = (tag, row);
    }

    fn candidates(&self, tag: u32) -> std::vec::IntoIter<u32> {
        // An empty vector takes no memory, and one that is filled at all is a hit that costs more anyway.
        let mut found = Vec::new();
        if !self.places.is_empty() {
            let mut at = start(tag, self.places.len());
            while self.places[at].1 != 0 {
                let (known, row) = self.places[at];
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
        let mut index = Index::new();
        let code = |n: u32| format!("H44.22-250903-{n:05}");
        for n in 0..60_000 {
            assert_eq!(index.candidates(&code(n)).next(), None, "{n} before it is there");
            index.insert(&code(n), n);
        }
        let mut wrong = 0;
        for n in 0..60_000 {
            let found: Vec<u32> = index.candidates(&code(n)).collect();
            assert!(found.contains(&n), "{n}");
            wrong += found.len() - 1;
        }
        assert!(wrong < 3, "{wrong} of 60,000 codes have another's hash");
    }

    #[test]
    fn equal_tags_are_all_candidates() {
        let mut shard = Shard::default();
        for row in 1..=20 {
            shard.insert(u32::MAX, row);
        }
        let mut rows: Vec<u32> = shard.candidates(u32::MAX).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..20).collect::<Vec<_>>());
        assert_eq!(shard.candidates(7).count(), 0);
    }
}
