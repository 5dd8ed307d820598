//! What a folded line says in few days: the columns that it does not need hold, from some day on, all that figures read.
//!
//! A tale takes long to read, and of the lines that have one most are long since settled. So the columns of such a line
//! hold a [`Brief`]: the days of its moments, taken from the [`Fact`] of its whole history and from what it owes, and the
//! day from whose beginning on nothing else moves a figure. A question about an earlier cut reads the tale, and so does one
//! for which the time of day matters. Only where days are dates of the directory's zone are there any.

use super::fact::{Fact, NEVER};
use super::line::{BRIEF, FOLDED, PROCESSED, PROMISED, RECEIVED};
use super::obligation::{ObligationState, owed};
use super::table::{Cells, Chunk, Days, NO_DAY, Split};
use crate::dossier::Timeline;
use crate::rules::{ComparedBy, Definition, Judged, Pinned, RESOLVED};
use crate::time::{Timestamp, Zone};

/// A moment before the end of time, by which all has come that ever will.
const AT_LAST: Timestamp = Timestamp(i64::MAX - 1);
/// Instead of the day of a miss: kept so far, and not before the due date.
const KEPT: u16 = NO_DAY;
/// Instead of the day of a miss: ended before the due date.
const EARLY: u16 = NO_DAY - 1;

/// Of a brief line: a request for papers after the first waits for its answer, unless the dossier ends.
const WAITS: u16 = 1 << 10;
/// Of a brief line: papers were asked for more than once.
const ASKED_AGAIN: u16 = 1 << 11;
/// Of a brief line: where the states of what it owes begin, two bits each.
const OWES: u16 = 12;

/// How an obligation that is decided may stand, by its two bits.
pub(super) const STATES: [(ObligationState, bool); 4] = [
    (ObligationState::InTime, false),
    (ObligationState::Late, false),
    (ObligationState::Missing, false),
    (ObligationState::Missing, true),
];

/// How a promise came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Missed on that day.
    Missed(u16),
    /// Not missed, and ended before the due date.
    Early,
    /// Not missed; if it ended, on the due date.
    Kept,
}

/// All that figures read of a dossier, as days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Brief {
    bits: u16,
    pub(super) received: u16,
    pub(super) ended: u16,
    pub(super) handed: u16,
    /// From the beginning of that day on all is as said here.
    pub(super) since: u16,
    /// By [`place`].
    outcomes: [u16; 4],
    /// The days on which what it owes is decided, at the miss or before `since`.
    owed: [u16; 2],
}

/// Where the outcome stands that a definition asks for.
fn place(by: ComparedBy, judged: Judged) -> usize {
    usize::from(by == ComparedBy::Instant) * 2 + usize::from(judged == Judged::First)
}

impl Brief {
    /// Of a history by date and by instant; nothing if it does not fit.
    pub(super) fn of(
        by_date: &Timeline,
        by_instant: &Timeline,
        pinned: &Pinned,
        home: &Zone,
        days: Days,
    ) -> Option<Brief> {
        if !days.are_dates() || by_date.requests != by_instant.requests {
            return None;
        }
        let day = |at: Timestamp| if at == NEVER { Some(NO_DAY) } else { days.split(at).map(|(day, _)| day) };
        let fact = Fact::told(by_date, RESOLVED, home, AT_LAST);
        let mut brief = Brief {
            bits: RECEIVED | FOLDED | BRIEF | if fact.processed { PROCESSED } else { 0 },
            received: day(fact.received)?,
            ended: day(fact.ended)?,
            handed: day(fact.handed_over())?,
            since: 0,
            outcomes: [KEPT; 4],
            owed: [NO_DAY; 2],
        };
        // All moments at which anything changes but by a moment whose day is told here.
        let mut settled = vec![fact.received];
        settled.extend(by_date.promises.iter().chain(&by_instant.promises).map(|promise| promise.given));
        if by_date.requests.len() > 1 {
            let waits = by_date.requests.iter().any(|request| request.answered.is_none());
            brief.bits |= ASKED_AGAIN | if waits { WAITS } else { 0 };
            settled.extend(by_date.requests.iter().flat_map(|request| [Some(request.at), request.answered]).flatten());
        }
        let promised = fact.given != NEVER;
        brief.bits |= if promised { PROMISED } else { 0 };
        for (by, timeline) in [(ComparedBy::Date, by_date), (ComparedBy::Instant, by_instant)] {
            for judged in [Judged::Current, Judged::First] {
                let fact = Fact::told(timeline, Definition { judged, ..RESOLVED }, home, AT_LAST);
                if (fact.given != NEVER) != promised {
                    return None;
                }
                brief.outcomes[place(by, judged)] = match fact.missed {
                    NEVER if fact.stopped_on < fact.due_on => EARLY,
                    NEVER => KEPT,
                    missed => day(missed)?,
                };
            }
        }
        let mut owes = 0;
        for promise in &by_date.promises {
            let Some(missed) = promise.missed else { continue };
            let deadline = pinned.letter_deadline(promise.due, promise.made, home);
            let or_never = |t: Option<Timestamp>| t.unwrap_or(NEVER);
            let owed = owed(missed, deadline, or_never(promise.letter), or_never(promise.defective), AT_LAST)?;
            settled.extend(promise.letter.into_iter().chain(promise.defective));
            // Until it is decided it is pending, which no day says.
            settled.extend((owed.decided_at != missed).then_some(owed.decided_at));
            let state = STATES.iter().position(|state| *state == (owed.state, owed.defective))?;
            *brief.owed.get_mut(owes)? = day(owed.decided_at)?;
            brief.bits |= u16::try_from(state).ok()? << (OWES + 2 * owes as u16);
            owes += 1;
        }
        brief.since = day(settled.into_iter().max()?).filter(|day| *day < EARLY)? + 1;
        Some(brief)
    }

    /// Puts it into the columns of a folded line.
    pub(super) fn put(&self, cells: &mut Cells) {
        let pair = |low: u16, high: u16| u32::from(high) << 16 | u32::from(low);
        let [current, first, current_by_instant, first_by_instant] = self.outcomes;
        cells.bits |= self.bits;
        cells.received = Split { day: self.received, of_day: pair(self.since, first) };
        cells.ended = Split { day: self.ended, of_day: pair(current_by_instant, first_by_instant) };
        cells.handed = Split { day: self.handed, of_day: pair(self.owed[0], self.owed[1]) };
        cells.due = Split { day: current, of_day: 0 };
    }

    /// As it was put into the columns of a row that is marked [`BRIEF`].
    pub(super) fn read(chunk: &Chunk, slot: usize) -> Brief {
        let (received, ended, handed) = (chunk.received(slot), chunk.ended(slot), chunk.handed(slot));
        let parts = |pair: u32| ((pair & 0xffff) as u16, (pair >> 16) as u16);
        let (since, first) = parts(received.of_day);
        let (current_by_instant, first_by_instant) = parts(ended.of_day);
        let owed = parts(handed.of_day);
        Brief {
            bits: chunk.bits[slot],
            received: received.day,
            ended: ended.day,
            handed: handed.day,
            since,
            outcomes: [chunk.due_day[slot], first, current_by_instant, first_by_instant],
            owed: [owed.0, owed.1],
        }
    }

    pub(super) fn is_promised(&self) -> bool {
        self.bits & PROMISED != 0
    }

    pub(super) fn is_processed(&self) -> bool {
        self.bits & PROCESSED != 0
    }

    /// How the promise came out that is judged so.
    pub(super) fn outcome(&self, by: ComparedBy, judged: Judged) -> Outcome {
        match self.outcomes[place(by, judged)] {
            KEPT => Outcome::Kept,
            EARLY => Outcome::Early,
            day => Outcome::Missed(day),
        }
    }

    /// Whether it waits for papers after more than one request, as long as it has not ended.
    pub(super) fn waits(&self) -> bool {
        self.bits & WAITS != 0
    }

    /// Whether papers were asked for more than once.
    pub(super) fn asked_again(&self) -> bool {
        self.bits & ASKED_AGAIN != 0
    }

    /// What it owes: the day on which each is decided, and how it stands by the number in [`STATES`].
    pub(super) fn owed(&self) -> impl Iterator<Item = (u16, usize)> + '_ {
        let states = (0..).map(|at| usize::from(self.bits >> (OWES + 2 * at) & 3));
        self.owed.iter().copied().zip(states).filter(|(day, _)| *day != NO_DAY)
    }
}
