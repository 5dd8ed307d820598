//! Rows judged at a glance: by the days in their columns alone, many at a time and without a branch.
//!
//! Of a row's moments a figure reads no more than whether each has come by the cut, and whether it lies in the period. That,
//! and a few yes and no, is its [`Situation`]; there are few, and each is judged once, as the [`Fact`] of a dossier made up
//! to be in it. So the rules are those of [`super::rates`] and [`super::form`], and are not known here. On the day of the cut,
//! and on that on which the period begins, the time of day is read as well. Where a line says too little, the situation is
//! [`CLOSER`]: the row is judged as a whole.

use super::Window;
use super::brief::{Brief, Outcome};
use super::fact::{Fact, NEVER};
use super::line::{BRIEF, FOLDED, INSTANT, MISSED_BY_DATE, MISSED_BY_INSTANT, OWED_AT_MISS, PROCESSED, PROMISED};
use super::obligation::{Owed, owed};
use super::stays::Stays;
use super::table::{CHUNK, Chunk, Days, NO_DAY};
use crate::rules::{ComparedBy, Definition, Judged, SecondSupplement};
use crate::time::{Date, MS_PER_DAY, Timestamp};

/// The moments of a row: received, ended, handed over, the judged promise missed, what is owed decided.
pub(super) const MOMENTS: usize = 5;
const RECEIVED: u32 = 0;
const ENDED: u32 = 1;
const HANDED: u32 = 2;
const MISSED: u32 = 3;
const OWED: u32 = 4;

/// Of each moment two bits: whether it has come by the cut, and whether it then lies in the period.
const COME: u16 = 1;
const HELD: u16 = 2;
/// The judged promise was kept, and the clock stopped before its date.
const EARLY: u16 = 1 << 10;
const IS_PROMISED: u16 = 1 << 11;
const IS_PROCESSED: u16 = 1 << 12;
/// It counts as late for a request for papers.
const WAITS: u16 = 1 << 13;

/// All that a question reads of a row, as bits.
pub(super) type Situation = u16;
/// The situation of a row that must be looked at more closely.
pub(super) const CLOSER: Situation = 1 << 14;
/// All situations are below this.
pub(super) const SITUATIONS: usize = CLOSER as usize + 1;

/// The period and the cut of dossiers that are made up.
pub(super) const MADE_UP: Window = Window { from: Timestamp(100), to: NEVER, c: Timestamp(200) };

/// When a moment is in a dossier that is made up to be in a situation.
fn made_up(situation: Situation, moment: u32) -> Timestamp {
    match situation >> (2 * moment) & (COME | HELD) {
        0 => NEVER,
        COME => Timestamp(i64::from(moment)),
        _ => MADE_UP.from.plus(i64::from(moment)),
    }
}

/// Which moment of a dossier that is made up this is.
pub(super) fn moment_of(made_up: Timestamp) -> usize {
    usize::try_from(made_up.0 % 100).unwrap_or(0)
}

/// A dossier that is in a situation, in the window [`MADE_UP`].
pub(super) fn fact_of(situation: Situation) -> Fact {
    let received = made_up(situation, RECEIVED);
    let is = |bit: u16| situation & bit != 0;
    Fact {
        received,
        ended: made_up(situation, ENDED),
        returned: made_up(situation, HANDED),
        given: if is(IS_PROMISED) { received } else { NEVER },
        missed: made_up(situation, MISSED),
        due_on: Date(1),
        stopped_on: Date(if is(EARLY) { 0 } else { 1 }),
        processed: is(IS_PROCESSED),
        waits_again: is(WAITS),
    }
}

/// What it owes there: decided at the miss, and no letter was sent.
pub(super) fn owed_of(situation: Situation) -> Option<Owed> {
    let missed = made_up(situation, OWED);
    owed(missed, missed.plus(-1), NEVER, NEVER, MADE_UP.c)
}

/// A moment in time against which days are held.
struct Split {
    /// Days since 1970, however far.
    day: i64,
    of_day: i64,
}

impl Split {
    fn of(at: Timestamp, days: Days) -> Split {
        let ms = at.0.saturating_add(days.offset());
        Split { day: ms.div_euclid(MS_PER_DAY), of_day: ms.rem_euclid(MS_PER_DAY) }
    }
}

/// A day no row has: columns begin with a later one.
const NOT_ONE: u16 = 0;

fn day(day: i64) -> u16 {
    u16::try_from(day.clamp(NOT_ONE.into(), (NO_DAY - 1).into())).unwrap_or(NOT_ONE)
}

/// A period and a cut in days.
#[derive(Clone, Copy)]
struct Bounds {
    /// The first day that is wholly in the period or after it.
    from: u16,
    /// The last day that is wholly before the cut.
    by: u16,
    /// The days that are neither: a moment there is to be looked at.
    edges: [u16; 2],
}

impl Bounds {
    fn of(from: Timestamp, c: Timestamp, days: Days) -> Bounds {
        let (from, c) = (Split::of(from, days), Split::of(c, days));
        let begins = from.of_day == 0;
        let ends = c.of_day == MS_PER_DAY - 1;
        let edge = |is: bool, at: &Split| if is { day(at.day) } else { NOT_ONE };
        Bounds {
            // A period that begins after all days holds none of them: the last is not in a column.
            from: day(if begins { from.day } else { from.day + 1 }),
            by: day(if ends { c.day } else { c.day - 1 }),
            edges: [edge(!begins, &from), edge(!ends, &c)],
        }
    }

    fn is_edge(&self, day: u16) -> bool {
        (day == self.edges[0]) | (day == self.edges[1])
    }

    /// Whether a moment of that day has come, and lies in the period, as the bits of the first moment.
    fn place(&self, day: u16) -> u16 {
        place(day, self.from, self.by)
    }
}

#[inline(always)]
fn place(day: u16, from: u16, by: u16) -> u16 {
    u16::from(day <= by) | u16::from((day <= by) & (day >= from)) << 1
}

/// A question as days.
pub(super) struct Glance {
    definition: Definition,
    window: Window,
    days: Days,
    bounds: Bounds,
    /// By how much an instant is less than the first tick behind it, so are these.
    behind_instants: Bounds,
    /// The day of the cut: what begins with it has come.
    cut: u16,
    /// Whether what is owed counts.
    owes: bool,
    /// Whether an instant as a due is to be looked at, as if its day did not tell enough.
    instants: bool,
}

/// What a brief line says.
pub(super) struct Glimpse {
    pub(super) situation: Situation,
    pub(super) brief: Brief,
    /// Whether what it owes, in the order of [`Brief::owed`], is decided in the period.
    pub(super) decided: [bool; 2],
}

impl Glance {
    /// Of a question whose moments are those of the rows; nothing if their days are no dates. `owes` says whether what is
    /// owed counts; `by_miss`, whether rows are grouped by the date of the miss.
    pub(super) fn new(definition: Definition, window: Window, days: Days, owes: bool, by_miss: bool) -> Option<Glance> {
        let by_instant = definition.compared_by == ComparedBy::Instant;
        days.are_dates().then(|| Glance {
            definition,
            window,
            days,
            bounds: Bounds::of(window.from, window.c, days),
            behind_instants: Bounds::of(window.from.plus(-1), window.c.plus(-1), days),
            cut: day(Split::of(window.c, days).day),
            owes,
            instants: by_instant && by_miss,
        })
    }

    /// The situations of all rows of a chunk; `stays` minds the moments of those that are not told by their days alone.
    pub(super) fn look(&self, chunk: &Chunk, situations: &mut [Situation; CHUNK], stays: &mut Stays) {
        let edges = match self.definition.compared_by {
            ComparedBy::Date => self.look_by::<false>(chunk, situations),
            ComparedBy::Instant => self.look_by::<true>(chunk, situations),
        };
        if edges {
            self.look_at_edges(chunk, situations, stays);
        }
    }

    /// By the days; whether any row has a moment on a day that does not tell enough.
    #[inline(always)]
    fn look_by<const BY_INSTANT: bool>(&self, chunk: &Chunk, situations: &mut [Situation; CHUNK]) -> bool {
        let Bounds { from, by, edges } = self.bounds;
        let instants = self.behind_instants;
        let (cut, missed_by) = (self.cut, if BY_INSTANT { MISSED_BY_INSTANT } else { MISSED_BY_DATE });
        let (owes, look_at_instants) = (u16::from(self.owes), u16::from(self.instants));
        let mut met = 0;
        // The compiler makes vectors of this: no branch, and columns of one width.
        for (slot, seen) in situations.iter_mut().enumerate() {
            let bits = chunk.bits[slot];
            let (received, ended) = (chunk.received_day[slot], chunk.ended_day[slot]);
            let (handed, due) = (chunk.handed_day[slot], chunk.due_day[slot]);
            // A date is missed when the next day begins.
            let next = due.wrapping_add(1);
            let begun = place(next, from, cut);
            let is = |bit: u16| u16::from(bits & bit != 0);
            let mut missed = begun;
            let mut closer = is(FOLDED);
            if BY_INSTANT {
                let instant = is(INSTANT).wrapping_neg();
                missed = (missed & !instant) | (place(due, instants.from, instants.by) & instant);
                let edge = u16::from((due == instants.edges[0]) | (due == instants.edges[1]));
                closer |= (edge | look_at_instants) & is(INSTANT);
            }
            let owed_later = is(MISSED_BY_DATE) & (is(OWED_AT_MISS) ^ 1);
            closer |= owes & owed_later & begun;
            for day in [received, ended, handed] {
                met |= u16::from((day == edges[0]) | (day == edges[1]));
            }
            let places = (place(received, from, by) << (2 * RECEIVED))
                | (place(ended, from, by) << (2 * ENDED))
                | (place(handed, from, by) << (2 * HANDED))
                | ((missed & is(missed_by).wrapping_neg()) << (2 * MISSED))
                | ((begun & (owes & is(MISSED_BY_DATE)).wrapping_neg()) << (2 * OWED));
            let early = u16::from(ended < due) * EARLY;
            let situation = places | early | (is(PROMISED) * IS_PROMISED) | (is(PROCESSED) * IS_PROCESSED);
            let closer = (closer & 1).wrapping_neg();
            *seen = (situation & !closer) | (CLOSER & closer);
        }
        met != 0
    }

    /// Places moments on the days that do not tell enough by their time of day.
    fn look_at_edges(&self, chunk: &Chunk, situations: &mut [Situation; CHUNK], stays: &mut Stays) {
        let Window { from, c, .. } = self.window;
        for (slot, situation) in situations.iter_mut().enumerate().take(chunk.length) {
            if *situation == CLOSER {
                continue;
            }
            let moments = [(RECEIVED, chunk.received(slot)), (ENDED, chunk.ended(slot)), (HANDED, chunk.handed(slot))];
            for (moment, split) in moments.into_iter().filter(|(_, split)| self.bounds.is_edge(split.day)) {
                let at = self.days.join(split.day, split.of_day);
                let place = if at > c { 0 } else { COME | if at >= from { HELD } else { 0 } };
                *situation = *situation & !((COME | HELD) << (2 * moment)) | place << (2 * moment);
                stays.mind(at, c);
            }
        }
    }

    /// What a line says that is to be looked at more closely, if it is brief and its days are enough.
    pub(super) fn glimpse(&self, chunk: &Chunk, slot: usize) -> Option<Glimpse> {
        if chunk.bits[slot] & (FOLDED | BRIEF) != FOLDED | BRIEF {
            return None;
        }
        let (brief, bounds) = (Brief::read(chunk, slot), &self.bounds);
        let mut glimpse = Glimpse { situation: 0, brief, decided: [false; 2] };
        if brief.received > self.cut {
            return Some(glimpse);
        }
        let outcome = brief.outcome(self.definition.compared_by, self.definition.judged);
        let edge = [brief.received, brief.ended, brief.handed].iter().any(|day| bounds.is_edge(*day));
        if edge || self.cut < brief.since || self.definition.judged == Judged::Latest {
            return None;
        }
        let mut situation = 0;
        for (moment, day) in [(RECEIVED, brief.received), (ENDED, brief.ended), (HANDED, brief.handed)] {
            situation |= bounds.place(day) << (2 * moment);
        }
        match outcome {
            Outcome::Missed(day) if bounds.is_edge(day) => return None,
            Outcome::Missed(day) => situation |= bounds.place(day) << (2 * MISSED),
            Outcome::Early => situation |= EARLY,
            Outcome::Kept => {}
        }
        for (decided, (day, _)) in glimpse.decided.iter_mut().zip(brief.owed().filter(|_| self.owes)) {
            if bounds.is_edge(day) {
                return None;
            }
            *decided = bounds.place(day) & HELD != 0;
        }
        let waits = match self.definition.second_supplement {
            SecondSupplement::Ignored => false,
            SecondSupplement::LateWhileWaiting => brief.waits() && bounds.place(brief.ended) & COME == 0,
            SecondSupplement::LateAlways => brief.asked_again(),
        };
        situation |= if waits { WAITS } else { 0 };
        situation |= if brief.is_promised() { IS_PROMISED } else { 0 };
        glimpse.situation = situation | if brief.is_processed() { IS_PROCESSED } else { 0 };
        Some(glimpse)
    }

    /// The days of a row's moments, in their order; of one that has not come any.
    pub(super) fn days(&self, chunk: &Chunk, slot: usize) -> [u16; MOMENTS] {
        let next = chunk.due_day[slot].wrapping_add(1);
        [chunk.received_day[slot], chunk.ended_day[slot], chunk.handed_day[slot], next, next]
    }
}

impl Glimpse {
    /// The same of a brief line, but for what it owes.
    pub(super) fn days(&self, by: ComparedBy, judged: Judged) -> [u16; MOMENTS] {
        let Brief { received, ended, handed, .. } = self.brief;
        let missed = match self.brief.outcome(by, judged) {
            Outcome::Missed(day) => day,
            Outcome::Early | Outcome::Kept => NO_DAY,
        };
        [received, ended, handed, missed, NO_DAY]
    }
}
