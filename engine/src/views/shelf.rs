//! A list that only grows, whose clones share what they have in common.

use std::ops::Index;
use std::sync::Arc;

/// How many things lie in one block.
const BLOCK: usize = 256;

/// Things by number. A clone copies a pointer for every block.
#[derive(Clone, Debug)]
pub(super) struct Shelf<T> {
    blocks: Vec<Arc<Vec<T>>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Shelf<T> {
        Shelf { blocks: Vec::new() }
    }
}

impl<T> Shelf<T> {
    pub(super) fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.blocks.get(at / BLOCK)?.get(at % BLOCK)
    }

    /// The things in their order, some at a time.
    pub(super) fn blocks(&self) -> &[Arc<Vec<T>>] {
        &self.blocks
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flat_map(|block| block.iter())
    }
}

impl<T: Clone> Shelf<T> {
    /// Puts one more at the end; returns its number.
    pub(super) fn push(&mut self, thing: T) -> usize {
        let number = self.len();
        if number.is_multiple_of(BLOCK) {
            self.blocks.push(Arc::default());
        }
        if let Some(last) = self.blocks.last_mut() {
            Arc::make_mut(last).push(thing);
        }
        number
    }
}

impl<T> Index<usize> for Shelf<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.blocks[at / BLOCK][at % BLOCK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_keep_what_they_had() {
        let mut shelf = Shelf::default();
        for n in 0..600 {
            assert_eq!(shelf.push(n), n);
        }
        let before = shelf.clone();
        assert_eq!(shelf.push(600), 600);
        assert_eq!((before.len(), shelf.len()), (600, 601));
        assert_eq!((before.get(600), shelf[600], before[255], before[256]), (None, 600, 255, 256));
        assert_eq!(shelf.iter().sum::<usize>(), 600 * 601 / 2);
    }
}
