//! The apology owed for a missed promise, and the list of them: definitions.md I.5.
//!
//! What happens after a cut never changes a promise that was missed by it, nor until when a letter for it was in time. So
//! what is owed at a cut is read from the whole history, as the columns or the tale have it; only what is foreseen is not.

use super::brief::{Brief, STATES};
use super::fact::NEVER;
use super::line::{BRIEF, FOLDED, MISSED_BY_DATE, RECEIVED};
use super::page::page;
use super::table::Chunk;
use super::tale;
use super::{Filter, Moment, Sight, Views, Window};
use crate::dossier::{Code, Due, Keys, Promise, Timeline};
use crate::rules::{Pinned, RESOLVED};
use crate::time::{Timestamp, Zone};

/// How an obligation stands at a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObligationState {
    /// None yet: the promise runs and nobody has apologised. In no figure.
    Forecast,
    /// The promise is missed, the letter may still be in time.
    Pending,
    /// The letter was sent by its deadline.
    InTime,
    /// The letter was sent after its deadline.
    Late,
    /// No valid letter was sent.
    Missing,
}

impl ObligationState {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ObligationState::Forecast => "forecast",
            ObligationState::Pending => "pending",
            ObligationState::InTime => "in_time",
            ObligationState::Late => "late",
            ObligationState::Missing => "missing",
        }
    }
}

/// What one missed promise obliges to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obligation {
    /// Which promise of the dossier: 1, 2, …
    pub promise: u32,
    /// The promise, as it stands.
    pub due: Due,
    /// When that promise was missed; `None` of a forecast.
    pub missed_at: Option<Timestamp>,
    /// `L`: the last tick at which the letter is in time.
    pub deadline: Timestamp,
    /// `A`: the tick at which it is decided, and which puts it into a period; `None` of a forecast.
    pub decided_at: Option<Timestamp>,
    /// How it stands.
    pub state: ObligationState,
    /// Whether a letter was sent that does not count; only of a missing one.
    pub defective: bool,
    /// When the valid letter was sent, if by the cut.
    pub letter_at: Option<Timestamp>,
    /// Where that letter stands in the log.
    pub answered_by: Option<u64>,
}

/// An obligation's standing at a cut, without the promise it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    pub(super) missed_at: Timestamp,
    pub(super) decided_at: Timestamp,
    pub(super) state: ObligationState,
    pub(super) defective: bool,
}

/// What a promise obliges to at `c`: missed at `missed`, the letter in time until `deadline`, the valid letter sent at
/// `letter`, a defective one at `defective`; a moment that has not come is `Timestamp::MAX`.
pub(super) fn owed(
    missed: Timestamp,
    deadline: Timestamp,
    letter: Timestamp,
    defective: Timestamp,
    c: Timestamp,
) -> Option<Owed> {
    if missed > c || missed == Timestamp::MAX {
        return None;
    }
    let decided_at = missed.max(deadline.plus(1));
    let state = if c < decided_at {
        ObligationState::Pending
    } else if letter > c {
        ObligationState::Missing
    } else if letter <= deadline {
        ObligationState::InTime
    } else {
        ObligationState::Late
    };
    let defective = state == ObligationState::Missing && defective <= c;
    Some(Owed { missed_at: missed, decided_at, state, defective })
}

/// The standing of what each missed promise of a dossier obliges to; `by_date` is its history folded by dates of the
/// directory's zone, `pinned` the rules it follows.
pub(super) fn owed_by<'a>(
    by_date: &'a Timeline,
    pinned: &'a Pinned,
    home: &'a Zone,
    c: Timestamp,
) -> impl Iterator<Item = Owed> + 'a {
    by_date.promises.iter().filter_map(move |promise| owed_for(promise, pinned, home, c))
}

fn owed_for(promise: &Promise, pinned: &Pinned, home: &Zone, c: Timestamp) -> Option<Owed> {
    let or_never = |t: Option<Timestamp>| t.unwrap_or(Timestamp::MAX);
    let deadline = pinned.letter_deadline(promise.due, promise.made, home);
    owed(or_never(promise.missed), deadline, or_never(promise.letter), or_never(promise.defective), c)
}

/// The obligations of a dossier at cut `c`; `by_date` is its history folded by dates of the directory's zone, `pinned` the
/// rules it follows.
pub fn obligations<'a>(
    by_date: &'a Timeline,
    pinned: &'a Pinned,
    home: &'a Zone,
    c: Timestamp,
) -> impl Iterator<Item = Obligation> + 'a {
    (1..).zip(&by_date.promises).filter_map(move |(number, promise)| {
        let owed = owed_for(promise, pinned, home, c)?;
        let deadline = pinned.letter_deadline(promise.due, promise.made, home);
        Some(Obligation {
            letter_at: promise.letter.filter(|t| *t <= c),
            answered_by: promise.answered_by.filter(|_| promise.letter.is_some_and(|t| t <= c)),
            ..Obligation::unanswered(number, promise.due, deadline, owed)
        })
    })
}

impl Obligation {
    fn unanswered(promise: u32, due: Due, deadline: Timestamp, owed: Owed) -> Obligation {
        Obligation {
            promise,
            due,
            missed_at: Some(owed.missed_at),
            deadline,
            decided_at: Some(owed.decided_at),
            state: owed.state,
            defective: owed.defective,
            letter_at: None,
            answered_by: None,
        }
    }

    fn forecast(promise: u32, due: Due, deadline: Timestamp) -> Obligation {
        Obligation {
            promise,
            due,
            missed_at: None,
            deadline,
            decided_at: None,
            state: ObligationState::Forecast,
            defective: false,
            letter_at: None,
            answered_by: None,
        }
    }
}

/// The obligation that a dossier is heading for at `c`: open, not waiting, its newest promise neither missed nor
/// answered by a letter. A worklist, never a figure.
pub(super) fn forecast(by_date: &Timeline, pinned: &Pinned, home: &Zone, c: Timestamp) -> Option<Obligation> {
    if !by_date.is_open(c) || by_date.is_waiting(c) {
        return None;
    }
    let (index, promise) = by_date.promises.iter().enumerate().rfind(|(_, p)| p.given <= c)?;
    if promise.missed_by(c) || promise.letter.is_some_and(|t| t <= c) {
        return None;
    }
    let deadline = pinned.letter_deadline(promise.due, promise.made, home);
    Some(Obligation::forecast(u32::try_from(index + 1).unwrap_or(u32::MAX), promise.due, deadline))
}

/// Which obligations to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObligationFilter {
    /// In this state.
    State(ObligationState),
    /// Missing, though a defective letter was sent.
    Defective,
}

impl ObligationFilter {
    /// All, with their names.
    pub const ALL: [(ObligationFilter, &'static str); 6] = [
        (ObligationFilter::State(ObligationState::Forecast), "forecast"),
        (ObligationFilter::State(ObligationState::Pending), "pending"),
        (ObligationFilter::State(ObligationState::InTime), "in_time"),
        (ObligationFilter::State(ObligationState::Late), "late"),
        (ObligationFilter::State(ObligationState::Missing), "missing"),
        (ObligationFilter::Defective, "defective"),
    ];

    /// The filter of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<ObligationFilter> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(f, _)| f)
    }

    fn admits(self, state: ObligationState, defective: bool) -> bool {
        match self {
            ObligationFilter::State(wanted) => state == wanted,
            ObligationFilter::Defective => defective,
        }
    }
}

/// Where a page of obligations ended: deadline, dossier, promise.
pub type ObligationCursor = (Timestamp, Code, u32);

/// What is asked.
#[derive(Clone, Debug)]
pub struct ObligationQuery {
    /// Which; all that are no forecast if not said.
    pub state: Option<ObligationFilter>,
    /// The first tick of the period in which they were decided.
    pub from: Option<Moment>,
    /// The first tick after it.
    pub to: Option<Moment>,
    /// The business time at which it is looked at.
    pub as_of: Moment,
    /// Which dossiers.
    pub filter: Filter,
    /// The zone that makes dates of the bounds.
    pub zone: Option<Zone>,
    /// The most to return.
    pub page_size: usize,
    /// Where the page before ended.
    pub after: Option<ObligationCursor>,
}

/// An obligation of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObligationItem {
    /// The dossier's code.
    pub dossier: Code,
    /// Where it counts.
    pub keys: Keys,
    /// The obligation.
    pub obligation: Obligation,
    /// Of a forecast: whether it is too late for a letter in time.
    pub window_closed: bool,
    /// The working time left until the deadline, in milliseconds; none if that has passed, a letter is there, or no
    /// calendar is in force for the dossier.
    pub left_ms: Option<i64>,
    /// Why, as the letter says.
    pub reason_code: Option<Code>,
    /// Whether that reason is published as objective (khách quan) or subjective (chủ quan); none if it is not published.
    pub objective: Option<bool>,
}

/// A page of obligations, those with the nearest deadline first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObligationPage {
    /// The obligations.
    pub items: Vec<ObligationItem>,
    /// Where the next page begins, if there is one.
    pub next: Option<ObligationCursor>,
    /// The number of records that the answer has folded.
    pub position: u64,
    /// The business time it is looked at.
    pub as_of: Timestamp,
}

/// Which obligations are asked for, and what of the table need not be looked at for that.
pub(super) struct Asked<'q> {
    views: &'q Views,
    state: Option<ObligationFilter>,
    window: Window,
    /// Whether there is a period: what is not decided lies in none.
    bounded: bool,
    after: Option<&'q ObligationCursor>,
    /// The day of the cut, where days are dates.
    cut: Option<u16>,
    /// What is decided before that day lies before the period, or its deadline before the cursor.
    earliest: u16,
}

impl<'q> Asked<'q> {
    fn new(views: &'q Views, query: &'q ObligationQuery, window: Window) -> Asked<'q> {
        let bounded = query.from.is_some() || query.to.is_some();
        Asked { bounded, ..Asked::in_state(views, query.state, window, query.after.as_ref()) }
    }

    /// Those in a state at the cut, whatever the period.
    pub(super) fn in_state(
        views: &'q Views,
        state: Option<ObligationFilter>,
        window: Window,
        after: Option<&'q ObligationCursor>,
    ) -> Asked<'q> {
        let day = |at| views.days.split(at).map(|(day, _)| day).filter(|_| views.days.are_dates());
        let earliest = [Some(window.from), after.map(|(after, ..)| *after)].into_iter().flatten().filter_map(day).max();
        let (cut, earliest) = (day(window.c), earliest.unwrap_or(0));
        Asked { views, state, window, bounded: false, after, cut, earliest }
    }

    fn is_forecast(&self) -> bool {
        self.state == Some(ObligationFilter::State(ObligationState::Forecast))
    }

    fn may_be(&self, state: ObligationState, defective: bool) -> bool {
        self.state.is_none_or(|filter| filter.admits(state, defective))
    }

    pub(super) fn admits(&self, obligation: &Obligation) -> bool {
        let in_period = match obligation.decided_at.filter(|a| *a <= self.window.c) {
            Some(a) => self.window.holds(a),
            None => !self.bounded,
        };
        in_period && self.may_be(obligation.state, obligation.defective)
    }

    /// The first deadline that a chunk may hold of what is asked; nothing if it holds none.
    pub(super) fn first_in(&self, chunk: &Chunk) -> Option<Timestamp> {
        let c = self.window.c;
        // Only what is in progress at the cut goes on being counted after it.
        let goes_on = || !self.bounded && chunk.matters(Timestamp::MAX, c);
        if self.is_forecast() {
            return goes_on().then_some(Timestamp::MIN);
        }
        let (first, last) = chunk.letters()?;
        // Decided is what is owed after its deadline; pending until then.
        let decided = STATES.iter().any(|(state, defective)| self.may_be(*state, *defective));
        let decided = decided && first < c && chunk.matters(self.window.from, c);
        let pending = || self.may_be(ObligationState::Pending, false) && last >= c && goes_on();
        let reached = self.after.is_none_or(|(after, ..)| last >= *after);
        (reached && (decided || pending())).then_some(first)
    }

    /// Hands what a row owes or foresees to `each`, but for some that is not asked; `timeline` is room to read a tale into.
    pub(super) fn look(&self, sight: Sight<'_>, timeline: &mut Timeline, each: impl FnMut(Obligation)) {
        let (chunk, slot) = (sight.chunk, sight.slot);
        let (home, pinned, c) = (&self.views.home, &sight.kin().pinned, self.window.c);
        let bits = chunk.bits[slot];
        if self.is_forecast() {
            self.foreseen(sight).into_iter().for_each(each);
        } else if bits & (RECEIVED | FOLDED) == RECEIVED {
            self.owed_by_columns(sight).into_iter().for_each(each);
        } else if bits & RECEIVED != 0
            && (bits & BRIEF == 0 || self.may_owe(&Brief::read(chunk, slot)))
            && chunk.tale(slot).is_some_and(|tale| tale.folded_by(false, timeline))
        {
            obligations(timeline, pinned, home, c).for_each(each);
        }
    }

    /// What a plain line owes: for one promise, and no letter was sent.
    fn owed_by_columns(&self, sight: Sight<'_>) -> Option<Obligation> {
        let (chunk, slot) = (sight.chunk, sight.slot);
        if chunk.bits[slot] & MISSED_BY_DATE == 0 || self.cut.is_some_and(|cut| chunk.due_day[slot] >= cut) {
            return None;
        }
        if !self.may_be(ObligationState::Pending, false) && !self.may_be(ObligationState::Missing, false) {
            return None;
        }
        let (home, seen) = (&self.views.home, sight.seen());
        let deadline = seen.letter_by(&sight.kin().pinned, home)?;
        let missed = seen.missed(RESOLVED.compared_by, home);
        let owed = owed(missed, deadline, NEVER, NEVER, self.window.c)?;
        Some(Obligation::unanswered(1, seen.due?, deadline, owed))
    }

    /// Whether a brief line may owe what is asked.
    fn may_owe(&self, brief: &Brief) -> bool {
        // Before that day something may be pending, or letters may not have been sent yet.
        let Some(cut) = self.cut.filter(|cut| *cut >= brief.since) else { return true };
        let asked = |(day, state): (u16, usize)| {
            let (state, defective) = STATES[state];
            (self.earliest..=cut).contains(&day) && self.may_be(state, defective)
        };
        brief.owed().any(asked)
    }

    /// What a row foresees. Promises are those of the cut, not as a later wait has moved them.
    fn foreseen(&self, sight: Sight<'_>) -> Option<Obligation> {
        // A line whose columns hold no end has none there, and is looked at.
        if self.cut.is_some_and(|cut| sight.chunk.ended_day[sight.slot] < cut) {
            return None;
        }
        let (home, pinned, c) = (&self.views.home, &sight.kin().pinned, self.window.c);
        let Some(seen) = sight.plainly(c) else {
            let history = sight.history(RESOLVED, home, c)?;
            return forecast(&history.timeline, pinned, home, c);
        };
        let foreseen = seen.received <= c && seen.ended > c && seen.missed(RESOLVED.compared_by, home) > c;
        let deadline = seen.letter_by(pinned, home).filter(|_| foreseen)?;
        Some(Obligation::forecast(1, seen.due?, deadline))
    }
}

impl ObligationQuery {
    /// The period and the cut, and as of when it is asked.
    fn window(&self, home: Zone) -> (Window, Timestamp) {
        let zone = self.zone.unwrap_or(home);
        let as_of = self.as_of.as_of(&zone);
        (Window::new(self.from.map(|m| m.bound(&zone)), self.to.map(|m| m.bound(&zone)), as_of), as_of)
    }
}

impl Views {
    /// Lists obligations and forecasts.
    #[must_use]
    pub fn obligations(&self, query: &ObligationQuery) -> ObligationPage {
        let (window, as_of) = query.window(self.home);
        let (asked, sieve) = (Asked::new(self, query, window), self.sieve(&query.filter, window.c));
        let chunks = self.table.chunks().filter_map(|chunk| Some((asked.first_in(chunk)?, &**chunk))).collect();
        let (found, next) = page(chunks, query.page_size, query.after.as_ref(), |first, chunk| {
            let mut timeline = tale::blank();
            for sight in self.rows(chunk).filter(|sight| sieve.admits(sight.chunk.kin[sight.slot])) {
                asked.look(sight, &mut timeline, |obligation| {
                    if asked.admits(&obligation) {
                        first.meet(sight.slot, obligation.deadline, obligation.promise, (sight, obligation));
                    }
                });
            }
        });
        self.obligation_page(found, next, window.c, as_of)
    }

    /// The same page, for which every row is judged by its whole history, and all are sorted: what the quick one is held
    /// against.
    #[must_use]
    pub fn obligations_one_by_one(&self, query: &ObligationQuery) -> ObligationPage {
        let (window, as_of) = query.window(self.home);
        let (asked, sieve) = (Asked::new(self, query, window), self.sieve(&query.filter, window.c));
        let (home, c) = (&self.home, window.c);
        let mut found: Vec<(ObligationCursor, (Sight<'_>, Obligation))> = Vec::new();
        for sight in self.table.chunks().flat_map(|chunk| self.rows(chunk)) {
            let admitted = sieve.admits(sight.chunk.kin[sight.slot]);
            let Some(history) = sight.history(RESOLVED, home, c).filter(|_| admitted) else { continue };
            let (by_date, pinned) = (&history.timeline, &sight.kin().pinned);
            let owed = obligations(by_date, pinned, home, c).filter(|_| !asked.is_forecast());
            let foreseen = forecast(by_date, pinned, home, c).filter(|_| asked.is_forecast());
            for obligation in owed.chain(foreseen).filter(|obligation| asked.admits(obligation)) {
                let cursor = (obligation.deadline, sight.code(), obligation.promise);
                if query.after.as_ref().is_none_or(|after| cursor > *after) {
                    found.push((cursor, (sight, obligation)));
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let more = found.len() > query.page_size;
        found.truncate(query.page_size);
        let next = found.last().filter(|_| more).map(|(cursor, _)| cursor.clone());
        self.obligation_page(found, next, c, as_of)
    }

    fn obligation_page(
        &self,
        found: Vec<(ObligationCursor, (Sight<'_>, Obligation))>,
        next: Option<ObligationCursor>,
        c: Timestamp,
        as_of: Timestamp,
    ) -> ObligationPage {
        let items = found
            .into_iter()
            .map(|((_, dossier, _), (sight, obligation))| ObligationItem {
                dossier,
                keys: sight.keys(),
                obligation,
                window_closed: obligation.state == ObligationState::Forecast && c > obligation.deadline,
                left_ms: sight
                    .kin()
                    .pinned
                    .working_time
                    .as_ref()
                    .filter(|_| obligation.letter_at.is_none() && c <= obligation.deadline)
                    .map(|working| working.between(c, obligation.deadline)),
                // What letters say is in the log alone.
                reason_code: None,
                objective: None,
            })
            .collect();
        ObligationPage { items, next, position: self.position, as_of }
    }
}
