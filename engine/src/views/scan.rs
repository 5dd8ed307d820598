//! Going over all rows: chunk by chunk, on all cores, past those that cannot matter.
//!
//! Most rows are judged at a glance ([`super::glance`]) and by the situation that they are in, the others one by one. Either
//! way a question says what a [`Fact`] adds to, and knows nothing of rows.

use super::brief::STATES;
use super::fact::{Fact, Zones};
use super::families::Families;
use super::glance::{self, CLOSER, Glance, MADE_UP, MOMENTS, SITUATIONS, Situation};
use super::line::{FOLDED, RECEIVED};
use super::obligation::{Owed, owed_by};
use super::rates::{Period, obligation};
use super::stays::{self, Stays};
use super::table::{CHUNK, Chunk};
use super::tally::Tally;
use super::{Sight, Views, Window, tale};
use crate::cores;
use crate::dossier::Timeline;
use crate::rules::{Cohort, ComparedBy, Definition, Judged, RESOLVED};
use crate::time::Timestamp;

/// How many chunks a core must have to be worth a thread.
const LEAST_CHUNKS: usize = 96;

/// How the rows of a question become facts.
pub(super) struct Judging<'q> {
    pub(super) definition: Definition,
    pub(super) zones: Zones<'q>,
    pub(super) c: Timestamp,
    /// Whether the rows hold what the definition asks: in another zone, or by dues that were overwritten, they are folded anew.
    as_held: bool,
}

/// Timelines that are read into again and again.
pub(super) struct Scratch {
    pub(super) by_date: Timeline,
    pub(super) by_instant: Timeline,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { by_date: tale::blank(), by_instant: tale::blank() }
    }
}

impl<'q> Judging<'q> {
    pub(super) fn new(definition: Definition, zones: Zones<'q>, c: Timestamp) -> Judging<'q> {
        let as_held = zones.asked == zones.home && definition.judged != Judged::Latest;
        Judging { definition, zones, c, as_held }
    }

    /// Whether the moments of chunks are those of the question.
    pub(super) fn as_held(&self) -> bool {
        self.as_held
    }

    /// A dossier as the definition sees it, and what it owes by its missed promises; nothing if it was never received. The
    /// moments by which that may be something else at another cut go to `minds`, if the rows hold what the definition asks.
    pub(super) fn each(
        &self,
        sight: Sight<'_>,
        scratch: &mut Scratch,
        mut owes: impl FnMut(Owed),
        mut minds: impl FnMut(Timestamp),
    ) -> Option<Fact> {
        let bits = sight.chunk.bits[sight.slot];
        if bits & RECEIVED == 0 {
            return None;
        }
        let Zones { home, asked } = self.zones;
        if self.as_held && bits & FOLDED == 0 {
            let seen = sight.seen();
            let fact = seen.fact(self.definition.compared_by, home);
            let missed = seen.missed(RESOLVED.compared_by, home);
            [fact.received, fact.ended, fact.returned, fact.missed, missed].into_iter().for_each(&mut minds);
            if let Some(owed) = seen.owed(&sight.kin().pinned, home, self.c) {
                minds(owed.decided_at);
                owes(owed);
            }
            return Some(fact);
        }
        let pinned = &sight.kin().pinned;
        if self.as_held {
            let Scratch { by_date, by_instant } = scratch;
            if !sight.chunk.tale(sight.slot).is_some_and(|tale| tale.folded(by_date, by_instant)) {
                return None;
            }
            stays::moments(by_date).chain(stays::moments(by_instant)).for_each(&mut minds);
            owed_by(by_date, pinned, home, self.c).for_each(|owed| {
                minds(owed.decided_at);
                owes(owed);
            });
            let timeline = match self.definition.compared_by {
                ComparedBy::Date => by_date,
                ComparedBy::Instant => by_instant,
            };
            return Some(Fact::told(timeline, self.definition, asked, self.c));
        }
        let by_date = sight.by_date()?;
        owed_by(&by_date, pinned, home, self.c).for_each(owes);
        let history = sight.history(self.definition, asked, Timestamp::MAX)?;
        Some(Fact::of(&history, self.definition, self.zones, self.c))
    }
}

/// What is asked of all rows.
pub(super) struct Question<'q, J> {
    pub(super) views: &'q Views,
    pub(super) judging: Judging<'q>,
    pub(super) window: Window,
    pub(super) families: &'q Families,
    pub(super) period: Option<Period>,
    /// What a dossier adds to in a window, as sets of bits with the moments of each.
    pub(super) judge: J,
    /// Whether what it owes counts, too.
    pub(super) owes: bool,
    /// Whether every row is judged by itself.
    pub(super) one_by_one: bool,
}

/// The number of the set of figures that a situation adds to at each moment; without periods of all at the first. Numbers
/// from here on mean something else.
type Parts = [u16; MOMENTS];
/// Nobody was in that situation yet.
const UNMET: u16 = u16::MAX;
/// The row is to be looked at more closely.
const LOOK: u16 = u16::MAX - 1;
const NOTHING: Parts = [0; MOMENTS];

/// What one core has counted, and what it keeps to go on.
struct Counting {
    tally: Tally,
    scratch: Scratch,
    /// By situation.
    parts: Vec<Parts>,
    situations: Box<[Situation; CHUNK]>,
    /// Of the chunk that is being counted.
    stays: Stays,
    /// Of each chunk that was, by its number.
    stay: Vec<(usize, Stays)>,
}

/// What a dossier adds to in a window.
pub(super) trait Judge: Fn(&Fact, Window, &mut dyn FnMut(u32, Timestamp)) + Sync {}

impl<J: Fn(&Fact, Window, &mut dyn FnMut(u32, Timestamp)) + Sync> Judge for J {}

impl<J: Judge> Question<'_, J> {
    /// Counts all rows.
    pub(super) fn tally(&self) -> Tally {
        self.count_all(self.views.table.chunks().map(|chunk| &**chunk).enumerate()).0
    }

    /// Counts the rows of these chunks, each with its number; says of those that can count how long they stay as they are,
    /// by the same numbers, and of the others, too.
    pub(super) fn count_all<'c>(
        &self,
        chunks: impl Iterator<Item = (usize, &'c Chunk)>,
    ) -> (Tally, Vec<(usize, Stays)>) {
        let mut stay = Vec::new();
        let matters = |(number, chunk): &(usize, &Chunk)| {
            let passed = self.judging.as_held().then(|| chunk.passed(self.window.from, self.judging.c)).flatten();
            stay.extend(passed.map(|stays| (*number, stays)));
            passed.is_none()
        };
        let chunks: Vec<(usize, &Chunk)> = chunks.filter(matters).collect();
        if chunks.is_empty() {
            return (Tally::new(self.families.keys().len()), stay);
        }
        let day = Stays::day(self.judging.c, &self.views.home);
        let glance = if self.judging.as_held() && !self.one_by_one { self.glance() } else { None };
        let make = || {
            let mut parts = vec![[UNMET; MOMENTS]; SITUATIONS];
            parts[usize::from(CLOSER)] = [LOOK; MOMENTS];
            let (tally, situations) = (Tally::new(self.families.keys().len()), Box::new([CLOSER; CHUNK]));
            Counting { tally, scratch: Scratch::default(), parts, situations, stays: day, stay: Vec::new() }
        };
        let each = |counting: &mut Counting, (number, chunk): &(usize, &Chunk)| {
            counting.stays = day;
            self.count(counting, glance.as_ref(), chunk);
            counting.stay.push((*number, counting.stays));
        };
        let counted = cores::fold(&chunks, LEAST_CHUNKS, make, each, |all, part| {
            all.tally.merge(part.tally);
            all.stay.extend(part.stay);
        });
        stay.extend(counted.stay);
        (counted.tally, stay)
    }

    fn glance(&self) -> Option<Glance> {
        let by_miss = self.period.is_some() && self.judging.definition.cohort == Cohort::Decided;
        Glance::new(self.judging.definition, self.window, self.views.days, self.owes, by_miss)
    }

    fn count(&self, counting: &mut Counting, glance: Option<&Glance>, chunk: &Chunk) {
        if let Some(glance) = glance {
            glance.look(chunk, &mut counting.situations, &mut counting.stays);
        }
        for slot in 0..chunk.length {
            let situation = counting.situations[slot];
            let mut parts = counting.parts[usize::from(situation)];
            if parts == NOTHING {
                continue;
            }
            let Some(family) = self.families.of_kin(chunk.kin[slot]) else { continue };
            if parts[0] >= LOOK {
                match glance {
                    Some(_) if parts[0] == UNMET => parts = self.meet(counting, situation),
                    _ => {
                        self.look(counting, glance, chunk, slot, family);
                        continue;
                    }
                }
            }
            match (self.period, glance) {
                (Some(period), Some(glance)) => {
                    counting.add(period, parts, glance.days(chunk, slot), family);
                }
                _ => counting.tally.count(usize::from(parts[0]), 0, family),
            }
        }
    }

    /// Judges a situation when it is first met.
    #[cold]
    fn meet(&self, counting: &mut Counting, situation: Situation) -> Parts {
        let mut figures = [0; MOMENTS];
        let mut add = |more: u32, moment: Timestamp| {
            figures[if self.period.is_some() { glance::moment_of(moment) } else { 0 }] |= more;
        };
        (self.judge)(&glance::fact_of(situation), MADE_UP, &mut add);
        if let Some(owed) = glance::owed_of(situation) {
            obligation(owed, MADE_UP, &mut add);
        }
        let parts = figures.map(|figures| u16::try_from(counting.tally.set(figures)).unwrap_or(0));
        counting.parts[usize::from(situation)] = parts;
        parts
    }

    /// A row whose columns, seen by the day, do not tell enough.
    fn look(&self, counting: &mut Counting, glance: Option<&Glance>, chunk: &Chunk, slot: usize, family: usize) {
        let Some(glimpse) = glance.and_then(|glance| glance.glimpse(chunk, slot)) else {
            return self.judge_alone(counting, Sight { views: self.views, chunk, slot }, family);
        };
        let mut parts = counting.parts[usize::from(glimpse.situation)];
        if parts[0] == UNMET {
            parts = self.meet(counting, glimpse.situation);
        }
        let definition = self.judging.definition;
        match self.period {
            None => counting.tally.count(usize::from(parts[0]), 0, family),
            Some(period) => {
                counting.add(period, parts, glimpse.days(definition.compared_by, definition.judged), family);
            }
        }
        for ((day, state), _) in glimpse.brief.owed().zip(glimpse.decided).filter(|(_, decided)| *decided) {
            let (state, defective) = STATES[state];
            let owed = Owed { missed_at: MADE_UP.from, decided_at: MADE_UP.from, state, defective };
            obligation(owed, MADE_UP, &mut |figures, _| {
                let place = self.period.map_or(0, |period| counting.tally.place_of_day(period, day));
                let set = counting.tally.set(figures);
                counting.tally.count(set, place, family);
            });
        }
    }

    fn judge_alone(&self, counting: &mut Counting, sight: Sight<'_>, family: usize) {
        let Counting { tally, scratch, stays, .. } = counting;
        let zone = self.judging.zones.asked;
        let mut add = |figures: u32, moment: Timestamp| {
            let place = self.period.map_or(0, |period| tally.place(period, zone.date(moment)));
            let set = tally.set(figures);
            tally.count(set, place, family);
        };
        let owes = |owed| {
            if self.owes {
                obligation(owed, self.window, &mut add);
            }
        };
        let c = self.judging.c;
        if let Some(fact) = self.judging.each(sight, scratch, owes, |moment| stays.mind(moment, c)) {
            (self.judge)(&fact, self.window, &mut add);
        }
    }
}

impl Counting {
    /// Counts what a row adds to at each of its moments, which lie on these days.
    #[inline]
    fn add(&mut self, period: Period, parts: Parts, days: [u16; MOMENTS], family: usize) {
        for (set, day) in parts.into_iter().zip(days).filter(|(set, _)| *set != 0) {
            let place = self.tally.place_of_day(period, day);
            self.tally.count(usize::from(set), place, family);
        }
    }
}
