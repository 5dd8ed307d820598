//! How many dossiers add 1 to which set of figures: in each family, and in each period where periods are asked for.
//!
//! A dossier adds to several figures at once, and there are few such sets. So a set is counted, not its figures: one addition
//! a dossier, whatever it adds to.

use super::rates::Period;
use crate::time::Date;
use std::collections::HashMap;

/// The place of a day of which none is known yet.
const UNKNOWN: u32 = u32::MAX;

/// Counts while they are made.
#[derive(Clone)]
pub(super) struct Tally {
    families: usize,
    /// The sets of figures that were come across, as bits; the first is empty.
    sets: Vec<u32>,
    /// By set, and within it by the place of the period: a number for each family, or nothing as long as all are 0.
    /// A group holds less than all dossiers, whose rows have numbers of this width.
    counts: Vec<Vec<Vec<u32>>>,
    periods: Periods,
}

/// The periods that were come across; their places are the order of that.
#[derive(Clone, Default)]
struct Periods {
    numbers: Vec<i32>,
    places: HashMap<i32, u32>,
    /// The place by the day, as far as it is known.
    of_day: Vec<u32>,
}

impl Periods {
    fn place(&mut self, number: i32) -> u32 {
        let next = u32::try_from(self.numbers.len()).unwrap_or(UNKNOWN);
        *self.places.entry(number).or_insert_with(|| {
            self.numbers.push(number);
            next
        })
    }
}

impl Tally {
    pub(super) fn new(families: usize) -> Tally {
        Tally { families, sets: vec![0], counts: vec![Vec::new()], periods: Periods::default() }
    }

    /// The number of a set of figures; of an empty one 0.
    pub(super) fn set(&mut self, figures: u32) -> usize {
        self.sets.iter().position(|set| *set == figures).unwrap_or_else(|| {
            self.sets.push(figures);
            self.counts.push(Vec::new());
            self.sets.len() - 1
        })
    }

    /// The place of the period of a date.
    pub(super) fn place(&mut self, period: Period, date: Date) -> usize {
        match u16::try_from(date.0) {
            Ok(day) => self.place_of_day(period, day),
            Err(_) => self.periods.place(period.number(date)) as usize,
        }
    }

    /// The place of the period of a day that is a date.
    #[inline]
    pub(super) fn place_of_day(&mut self, period: Period, day: u16) -> usize {
        match self.periods.of_day.get(usize::from(day)) {
            Some(place) if *place != UNKNOWN => *place as usize,
            _ => self.new_day(period, day),
        }
    }

    #[cold]
    fn new_day(&mut self, period: Period, day: u16) -> usize {
        let place = self.periods.place(period.number(Date(day.into())));
        self.periods.of_day.resize(1 << 16, UNKNOWN);
        self.periods.of_day[usize::from(day)] = place;
        place as usize
    }

    /// Counts a dossier of a family that adds to a set, by the set's number and the place of the period.
    #[inline]
    pub(super) fn count(&mut self, set: usize, place: usize, family: usize) {
        match self.counts[set].get_mut(place).and_then(|counts| counts.get_mut(family)) {
            Some(n) => *n += 1,
            None => self.count_first(set, place, family),
        }
    }

    #[cold]
    fn count_first(&mut self, set: usize, place: usize, family: usize) {
        self.counts_of(set, place)[family] += 1;
    }

    fn counts_of(&mut self, set: usize, place: usize) -> &mut Vec<u32> {
        let places = &mut self.counts[set];
        if places.len() <= place {
            places.resize(place + 1, Vec::new());
        }
        places[place].resize(self.families, 0);
        &mut places[place]
    }

    /// Adds what another has counted.
    pub(super) fn merge(&mut self, other: Tally) {
        self.merge_by(&other, |sum, n| *sum += n);
    }

    /// Takes away what another has counted, all of which was counted here.
    pub(super) fn take_away(&mut self, other: &Tally) {
        self.merge_by(other, |sum, n| *sum -= n);
    }

    fn merge_by(&mut self, other: &Tally, merge: impl Fn(&mut u32, u32)) {
        let places: Vec<u32> = other.periods.numbers.iter().map(|number| self.periods.place(*number)).collect();
        for (figures, by_place) in other.sets.iter().zip(&other.counts) {
            let set = self.set(*figures);
            for (place, counts) in by_place.iter().enumerate().filter(|(_, counts)| !counts.is_empty()) {
                let place = places.get(place).map_or(0, |place| *place as usize);
                let sums = self.counts_of(set, place);
                sums.iter_mut().zip(counts).for_each(|(sum, n)| merge(sum, *n));
            }
        }
    }

    /// Numbers its families anew: each is moved to the place that `place` has for it, of so many.
    pub(super) fn renumber(&mut self, families: usize, place: &[usize]) {
        self.families = families;
        for counts in self.counts.iter_mut().flatten().filter(|counts| !counts.is_empty()) {
            let mut moved = vec![0; families];
            counts.iter().zip(place).for_each(|(n, place)| moved[*place] = *n);
            *counts = moved;
        }
    }

    /// How many numbers it holds.
    pub(super) fn cells(&self) -> usize {
        self.counts.iter().flatten().map(Vec::len).sum()
    }

    /// The places of the periods, with the number of each; where none was asked for, one place.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, i32)> + '_ {
        let none = self.periods.numbers.is_empty().then_some((0, 0));
        self.periods.numbers.iter().copied().enumerate().chain(none)
    }

    /// Hands each set with how many dossiers of a family add to it in the period of a place to `each`, unless none do.
    pub(super) fn each(&self, place: usize, mut each: impl FnMut(usize, u32, u32)) {
        // Those that add to nothing were counted, too.
        for (figures, by_place) in self.sets.iter().zip(&self.counts).skip(1) {
            let counts = by_place.get(place).map(Vec::as_slice).unwrap_or_default();
            counts.iter().enumerate().filter(|(_, n)| **n > 0).for_each(|(family, n)| each(family, *figures, *n));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(tally: &Tally) -> Vec<(i32, usize, u32, u32)> {
        let mut all = Vec::new();
        for (place, number) in tally.places() {
            tally.each(place, |family, set, n| all.push((number, family, set, n)));
        }
        all.sort_unstable();
        all
    }

    /// Two tallies that came across sets and periods in another order are one, whichever is merged into which.
    #[test]
    fn merged_is_counted_by_one() {
        let all =
            [(400, 0b11, 0), (20_000, 0b100, 1), (20_031, 0b11, 1), (20_001, 0, 0), (-5, 0b11, 0), (20_000, 0b11, 1)];
        let tally = |some: &[(i32, u32, usize)]| {
            let mut tally = Tally::new(2);
            for (day, figures, family) in some {
                let (place, set) = (tally.place(Period::Month, Date(*day)), tally.set(*figures));
                tally.count(set, place, *family);
            }
            tally
        };
        let one = counted(&tally(&all));
        assert_eq!(one.iter().map(|(.., n)| n).sum::<u32>(), 5, "{one:?}: one adds to nothing");
        for cut in 0..=all.len() {
            let (first, rest) = all.split_at(cut);
            for (a, b) in [(first, rest), (rest, first)] {
                let mut merged = tally(a);
                merged.merge(tally(b));
                assert_eq!(counted(&merged), one);
            }
        }
    }
}
