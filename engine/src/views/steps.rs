//! The figures of one dossier as a function of the cut: they change at few moments, and between those stand still.
//!
//! Nothing is judged here. At each moment at which anything about the row may change it is judged as a scan would
//! ([`super::rates`], [`super::scan`]), and what differs from the moment before is the step.

use super::fact::{NEVER, Zones};
use super::line::{FOLDED, RECEIVED};
use super::obligation::owed_by;
use super::rates::{Figure, Period, contributions, obligation};
use super::scan::{Judging, Scratch};
use super::{Sight, Window, stays};
use crate::rules::{ComparedBy, Definition};
use crate::time::{Timestamp, Zone};

/// Figures that are added and taken away.
pub(super) type Counts = [i32; Figure::COUNT];

/// The month of a moment, by its date: months since the year 0.
pub(super) fn month(at: Timestamp, home: &Zone) -> i32 {
    Period::Month.number(home.date(at))
}

/// Adds the figures of a set of bits.
pub(super) fn count(counts: &mut Counts, mut figures: u32) {
    while figures != 0 {
        counts[figures.trailing_zeros() as usize] += 1;
        figures &= figures - 1;
    }
}

/// What a row adds 1 to in a window, as sets of bits with their moments.
pub(super) fn counted(
    sight: Sight<'_>,
    definition: Definition,
    window: Window,
    scratch: &mut Scratch,
    mut add: impl FnMut(u32, Timestamp),
) {
    let home = &sight.views.home;
    let judging = Judging::new(definition, Zones { home, asked: home }, window.c);
    let fact = judging.each(sight, scratch, |owed| obligation(owed, window, &mut add), |_| {});
    if let Some(fact) = fact {
        contributions(&fact, definition, window, &mut add);
    }
}

/// Works out the steps of rows, one row after the other.
#[derive(Default)]
pub(super) struct Steps {
    scratch: Scratch,
    moments: Vec<Timestamp>,
    before: Vec<(i32, Counts)>,
    now: Vec<(i32, Counts)>,
}

impl Steps {
    /// Every moment at which the figures of a row may change, in order.
    fn find(&mut self, sight: Sight<'_>, definition: Definition) {
        self.moments.clear();
        let bits = sight.chunk.bits[sight.slot];
        if bits & RECEIVED == 0 {
            return;
        }
        let (home, pinned, moments) = (&sight.views.home, &sight.kin().pinned, &mut self.moments);
        if bits & FOLDED == 0 {
            let seen = sight.seen();
            moments.extend([seen.received, seen.ended, seen.handed, seen.missed(definition.compared_by, home)]);
            if let Some(owed) = seen.owed(pinned, home, NEVER) {
                moments.extend([owed.missed_at, owed.decided_at]);
            }
        } else {
            let Scratch { by_date, by_instant } = &mut self.scratch;
            if !sight.chunk.tale(sight.slot).is_some_and(|tale| tale.folded(by_date, by_instant)) {
                return;
            }
            let timeline = match definition.compared_by {
                ComparedBy::Date => &*by_date,
                ComparedBy::Instant => &*by_instant,
            };
            moments.extend(stays::moments(timeline).chain(stays::moments(by_date)));
            moments.extend(owed_by(by_date, pinned, home, NEVER).map(|owed| owed.decided_at));
        }
        moments.retain(|t| *t != NEVER);
        moments.sort_unstable();
        moments.dedup();
    }

    /// Hands each step of a row by `clock` to `each`: the month in which the figures count, the month from whose end on
    /// they do, and what is added. Returns the last moment by `clock` at which its figures may change, and the first after.
    pub(super) fn each(
        &mut self,
        sight: Sight<'_>,
        definition: Definition,
        clock: Timestamp,
        mut each: impl FnMut(i32, i32, &Counts),
    ) -> (Option<Timestamp>, Option<Timestamp>) {
        self.find(sight, definition);
        self.before.clear();
        let home = &sight.views.home;
        let by_now = self.moments.partition_point(|t| *t <= clock);
        for at in 0..by_now {
            let until = month(self.moments[at], home);
            // Of the moments of one month only the last can be told from the others.
            if at + 1 < by_now && month(self.moments[at + 1], home) == until {
                continue;
            }
            let window = Window { from: Timestamp::MIN, to: Timestamp::MAX, c: self.moments[at] };
            let now = &mut self.now;
            now.clear();
            counted(sight, definition, window, &mut self.scratch, |figures, moment| {
                let month = month(moment, home);
                let known = now.iter().position(|(m, _)| *m == month);
                let known = known.unwrap_or_else(|| {
                    now.push((month, [0; Figure::COUNT]));
                    now.len() - 1
                });
                count(&mut now[known].1, figures);
            });
            for (m, counts) in now.iter() {
                let mut step = *counts;
                if let Some((_, before)) = self.before.iter().find(|(before, _)| before == m) {
                    step.iter_mut().zip(before).for_each(|(n, before)| *n -= before);
                }
                if step.iter().any(|n| *n != 0) {
                    each(*m, until, &step);
                }
            }
            for (m, before) in &self.before {
                if now.iter().all(|(month, _)| month != m) && before.iter().any(|n| *n != 0) {
                    each(*m, until, &before.map(|n| -n));
                }
            }
            std::mem::swap(&mut self.before, &mut self.now);
        }
        (by_now.checked_sub(1).map(|at| self.moments[at]), self.moments.get(by_now).copied())
    }
}
