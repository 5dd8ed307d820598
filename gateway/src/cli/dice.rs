//! What the simulated offices share: a seeded generator and working days.
//!
//! Pure: same seed, same numbers. Working days are Monday to Friday.

use dunghen_engine::time::{Date, Timestamp};
use uuid::Uuid;

/// A small deterministic generator (splitmix64).
#[derive(Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// The n-th of many independent generators of one seed.
    pub(super) fn nth(seed: u64, n: u64) -> Dice {
        let mut dice = Dice(seed);
        dice.0 = dice.roll() ^ n.wrapping_mul(0xd134_2543_de82_ef95);
        Dice(dice.roll())
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.roll() % n.max(1)
    }

    pub(super) fn days(&mut self, n: u64) -> i32 {
        i32::try_from(self.below(n)).unwrap_or(0)
    }

    /// True in `n` of a thousand cases.
    pub(super) fn in_thousand(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }

    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T], share: fn(&T) -> u64) -> &'a T {
        let mut left = self.below(choices.iter().map(share).sum());
        for choice in choices {
            if left < share(choice) {
                return choice;
            }
            left -= share(choice);
        }
        &choices[0]
    }

    /// An event id, version 7: the time of the event, the rest drawn.
    pub(super) fn uuid(&mut self, at: Timestamp) -> Uuid {
        let random = (u128::from(self.roll()) << 64 | u128::from(self.roll())).to_be_bytes();
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&random[..10]);
        uuid::Builder::from_unix_timestamp_millis(at.0.max(0).unsigned_abs(), &bytes).into_uuid()
    }
}

pub(super) fn working(date: Date) -> bool {
    date.weekday() < 5
}

/// The n-th working day after a date; the date itself, or the next working day, if n is 0.
pub(super) fn after(date: Date, n: i32) -> Date {
    let (mut date, mut left) = (date, n);
    while left > 0 || !working(date) {
        date = date.plus(1);
        left -= i32::from(working(date));
    }
    date
}

/// The date itself, or the working day before it.
pub(super) fn working_by(mut date: Date) -> Date {
    while !working(date) {
        date = date.plus(-1);
    }
    date
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_days() {
        let friday = Date::new(2026, 7, 3).expect("Friday");
        let monday = friday.plus(3);
        assert_eq!(after(friday, 0), friday);
        assert_eq!(after(friday, 1), monday);
        assert_eq!(after(friday.plus(1), 0), monday);
        assert_eq!(working_by(friday.plus(2)), friday);
        assert_eq!(after(friday, 6), monday.plus(7));
    }

    #[test]
    fn generators_of_one_seed_differ_and_repeat() {
        let first = |seed, n| Dice::nth(seed, n).roll();
        assert_eq!(first(1, 7), first(1, 7));
        assert_ne!(first(1, 7), first(1, 8));
        assert_ne!(first(1, 7), first(2, 7));
    }
}
