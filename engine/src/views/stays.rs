//! From when until when a count stays as it is, if only the cut moves and no row changes.
//!
//! A count reads of a moment no more than whether it has come by the cut, and of the cut itself its day. So a count stays
//! until the next moment of its rows comes, and at the latest until the day ends; and an earlier cut has it, too, back to the
//! last moment that has come, and at most to the beginning of the day.

use crate::dossier::Timeline;
use crate::time::{Timestamp, Zone};

/// The cuts at which a count is what it was at one of them: from one moment to before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stays {
    since: Timestamp,
    until: Timestamp,
}

impl Stays {
    /// The day of the cut `c` in the directory's zone. Of its first and of its last tick only that one: where moments are
    /// held against cuts by their days, those belong to another day as well.
    pub(super) fn day(c: Timestamp, home: &Zone) -> Stays {
        let date = home.date(c);
        let (first, last) = (home.first_tick(date), home.last_tick(date));
        if c <= first || c >= last { Stays { since: c, until: c.plus(1) } } else { Stays { since: first, until: last } }
    }

    /// Those before a moment.
    pub(super) fn before(until: Timestamp) -> Stays {
        Stays { since: Timestamp::MIN, until }
    }

    /// Those from a moment on.
    pub(super) fn from(since: Timestamp) -> Stays {
        Stays { since, until: Timestamp::MAX }
    }

    /// Whether it holds for a cut.
    pub(super) fn at(self, c: Timestamp) -> bool {
        self.since <= c && c < self.until
    }

    /// Minds a moment of a row that was counted at the cut `c`; one that never comes is `Timestamp::MAX`.
    #[inline]
    pub(super) fn mind(&mut self, moment: Timestamp, c: Timestamp) {
        if moment <= c {
            self.since = self.since.max(moment);
        } else {
            self.until = self.until.min(moment);
        }
    }
}

/// All moments of a history that figures read, but for those at which what is owed is decided.
pub(super) fn moments(timeline: &Timeline) -> impl Iterator<Item = Timestamp> {
    let Timeline { received, end, returned, promises, requests, .. } = timeline;
    let ends = end.iter().map(|end| end.at).chain(*returned);
    let kept = promises.iter().flat_map(|promise| {
        let letters = promise.letter.into_iter().chain(promise.defective);
        letters.chain(promise.missed).chain([promise.given])
    });
    let asked = requests.iter().flat_map(|request| request.answered.into_iter().chain([request.at]));
    ends.chain(kept).chain(asked).chain([*received])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cut at midnight belongs to the day before as well, where instants are held against a tick before it; one at the last
    /// tick to the whole of its day.
    #[test]
    fn the_ends_of_a_day_stand_for_themselves() {
        let home = Zone::VIETNAM;
        let date = home.date(Timestamp(1_743_200_000_000));
        let (first, last) = (home.first_tick(date), home.last_tick(date));
        for alone in [first, last] {
            let stays = Stays::day(alone, &home);
            assert_eq!([-1, 0, 1].map(|ticks| stays.at(alone.plus(ticks))), [false, true, false]);
        }
        let stays = Stays::day(first.plus(1), &home);
        assert_eq!(
            [first.plus(-1), first.plus(5), last.plus(-1), last].map(|c| stays.at(c)),
            [false, true, true, false]
        );
    }

    #[test]
    fn moments_on_either_side_of_the_cut_bound_it() {
        let mut stays = Stays::day(Timestamp(1_743_200_000_000), &Zone::VIETNAM);
        let c = Timestamp(1_743_200_000_000);
        for ticks in [-50, -70, 0, 90, 40, i64::MAX] {
            stays.mind(c.plus(ticks), c);
        }
        assert_eq!(stays, Stays { since: c, until: c.plus(40) });
    }
}
