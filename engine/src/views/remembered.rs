//! A question about rates that is asked again and again: its count is kept, and moved on by what has changed.
//!
//! Going over all rows takes longer the more there are, but from one time to the next few of them change. So a count
//! is kept with the views it was made of. When the question comes again, only chunks that are not the same any more, and
//! those with a moment between the two cuts ([`super::stays`]), are counted: as they were, which is taken away, and
//! as they are, which is added. That is the same count, by the same rules, in another order.
//!
//! Nothing is remembered where rows do not hold what is asked, nor where the groups are very many. When the day
//! of the cut is over, or other rules hold, the count is made anew. It knows no clock: who asks again, and how often, is for
//! others to say.

use super::Views;
use super::families::Families;
use super::rates::{Bounds, RatesAnswer, RatesQuery};
use super::stays::Stays;
use super::table::Chunk;
use super::tally::Tally;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// How many numbers a count that is kept may have: some megabytes.
const MOST_CELLS: usize = 1 << 20;

/// The count of one question, as of the cut at which it was asked last.
pub struct Remembered {
    /// The question; its `as_of` does not matter.
    query: RatesQuery,
    views: Views,
    c: Timestamp,
    families: Families,
    tally: Tally,
    /// How long each chunk counts as it was counted.
    stays: Vec<Stays>,
}

impl Remembered {
    /// Answers a question, and remembers its count if that is worth it.
    #[must_use]
    pub fn new(views: &Views, query: &RatesQuery) -> (RatesAnswer, Option<Remembered>) {
        let bounds = Bounds::of(query, views.home());
        let families = views.families(query, bounds.window.c);
        let question = views.question(query, &bounds, &families);
        let as_held = question.judging.as_held();
        let (tally, stay) = question.count_all(views.table.chunks().map(|chunk| &**chunk).enumerate());
        let answer = views.answer(query, &bounds, &families, &tally);
        if !as_held || tally.cells() > MOST_CELLS {
            return (answer, None);
        }
        let mut stays = vec![Stays::day(bounds.window.c, views.home()); views.table.chunk_count()];
        stay.into_iter().for_each(|(number, of_chunk)| stays[number] = of_chunk);
        let (query, views) = (query.clone(), views.clone());
        (answer, Some(Remembered { query, views, c: bounds.window.c, families, tally, stays }))
    }

    /// Whether a question is the one remembered, be it asked as of another moment.
    #[must_use]
    pub fn is_of(&self, query: &RatesQuery) -> bool {
        *query == RatesQuery { as_of: query.as_of, ..self.query.clone() }
    }

    /// How many numbers it holds.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.tally.cells()
    }

    /// Answers the question once more: of these views, or of those it was asked of before if they are later. Nothing if it
    /// must be counted anew.
    pub fn rates(&mut self, views: &Views, query: &RatesQuery) -> Option<RatesAnswer> {
        let bounds = Bounds::of(query, views.home());
        let c = bounds.window.c;
        let same_day = c == self.c || Stays::day(self.c, views.home()).at(c);
        if !self.is_of(query) || !same_day || !Arc::ptr_eq(&self.views.rules, &views.rules) {
            return None;
        }
        let views = if views.position() > self.views.position() { views } else { &self.views.clone() };
        self.move_on(views, &bounds, c.max(self.c))?;
        if c == self.c {
            return Some(views.answer(query, &bounds, &self.families, &self.tally));
        }
        // Asked as of a moment before the last: some of what has come since had not come yet.
        let mut tally = self.tally.clone();
        let not_yet = || self.chunks(|stays| !stays.at(c));
        tally.take_away(&self.count(&bounds, self.c, not_yet()).0);
        tally.merge(self.count(&bounds, c, not_yet()).0);
        Some(views.answer(query, &bounds, &self.families, &tally))
    }

    /// The chunks whose stays are such.
    fn chunks(&self, such: impl Fn(Stays) -> bool) -> impl Iterator<Item = (usize, &Chunk)> {
        let numbers = self.stays.iter().enumerate().filter(move |(_, stays)| such(**stays));
        numbers.filter_map(|(number, _)| Some((number, self.views.table.chunk(number)?)))
    }

    /// Counts these chunks at the cut `c`.
    fn count<'v>(
        &'v self,
        bounds: &Bounds,
        c: Timestamp,
        chunks: impl Iterator<Item = (usize, &'v Chunk)>,
    ) -> (Tally, Vec<(usize, Stays)>) {
        self.views.question(&self.query, &bounds.at(c), &self.families).count_all(chunks)
    }

    /// Brings the count to these views, which are not earlier, and to the cut `c`, which is not earlier.
    fn move_on(&mut self, views: &Views, bounds: &Bounds, c: Timestamp) -> Option<()> {
        let before = std::mem::replace(&mut self.views, views.clone());
        if views.kins.len() > before.kins.len() {
            let families = views.families(&self.query, c);
            let places: HashMap<[u32; 4], usize> = families.keys().iter().zip(0..).map(|(k, n)| (*k, n)).collect();
            let place: Option<Vec<usize>> = self.families.keys().iter().map(|k| places.get(k).copied()).collect();
            self.tally.renumber(families.keys().len(), &place?);
            self.families = families;
        }
        let mut changed = vec![false; self.stays.len()];
        let (mut was, mut is) = (Vec::new(), Vec::new());
        for (number, now, before) in views.table.changed_chunks(&before.table) {
            is.push((number, now));
            was.extend(before.map(|before| (number, before)));
            if let Some(changed) = changed.get_mut(number) {
                *changed = true;
            }
        }
        let over: Vec<_> = self.chunks(|stays| !stays.at(c)).filter(|(number, _)| !changed[*number]).collect();
        was.extend(&over);
        is.extend(&over);
        let (was, _) = self.count(bounds, self.c, was.into_iter());
        let (is, stays) = self.count(bounds, c, is.into_iter());
        self.tally.take_away(&was);
        self.tally.merge(is);
        // A chunk that is new follows the others.
        self.stays.resize(views.table.chunk_count(), Stays::day(c, views.home()));
        stays.into_iter().for_each(|(number, stays)| self.stays[number] = stays);
        self.c = c;
        Some(())
    }
}
