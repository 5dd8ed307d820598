//! The apology owed for a missed promise: definitions.md I.5.

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
        Some(Obligation {
            promise: number,
            due: promise.due,
            missed_at: Some(owed.missed_at),
            deadline: pinned.letter_deadline(promise.due, promise.made, home),
            decided_at: Some(owed.decided_at),
            state: owed.state,
            defective: owed.defective,
            letter_at: promise.letter.filter(|t| *t <= c),
            answered_by: promise.answered_by.filter(|_| promise.letter.is_some_and(|t| t <= c)),
        })
    })
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
    Some(Obligation {
        promise: u32::try_from(index + 1).unwrap_or(u32::MAX),
        due: promise.due,
        missed_at: None,
        deadline: pinned.letter_deadline(promise.due, promise.made, home),
        decided_at: None,
        state: ObligationState::Forecast,
        defective: false,
        letter_at: None,
        answered_by: None,
    })
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

    fn admits(self, obligation: &Obligation) -> bool {
        match self {
            ObligationFilter::State(state) => obligation.state == state,
            ObligationFilter::Defective => obligation.defective,
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

impl Views {
    /// Lists obligations and forecasts.
    #[must_use]
    pub fn obligations(&self, query: &ObligationQuery) -> ObligationPage {
        let zone = query.zone.unwrap_or(self.home);
        let as_of = query.as_of.as_of(&zone);
        let window = Window::new(query.from.map(|m| m.bound(&zone)), query.to.map(|m| m.bound(&zone)), as_of);
        let c = window.c;
        let wants_forecast = query.state == Some(ObligationFilter::State(ObligationState::Forecast));
        let bounded = query.from.is_some() || query.to.is_some();
        let mut found: Vec<(ObligationCursor, Sight<'_>, Obligation)> = Vec::new();
        let sieve = self.sieve(&query.filter, c);
        let home = &self.home;
        for chunk in self.table.chunks().filter(|chunk| chunk.matters(Timestamp::MIN, c)) {
            for sight in self.rows(chunk).filter(|sight| sieve.admits(chunk.kin[sight.slot])) {
                // Of most dossiers the columns say that nothing is owed, and nothing foreseen.
                let nothing = sight.plainly(c).is_some_and(|seen| {
                    if wants_forecast { seen.ended <= c } else { seen.missed(RESOLVED.compared_by, home) > c }
                });
                if nothing {
                    continue;
                }
                let Some(history) = sight.history(RESOLVED, home, c) else { continue };
                let (by_date, pinned) = (&history.timeline, &sight.kin().pinned);
                let owed = obligations(by_date, pinned, home, c).filter(|_| !wants_forecast);
                let foreseen = forecast(by_date, pinned, home, c).filter(|_| wants_forecast);
                for obligation in owed.chain(foreseen) {
                    let decided = obligation.decided_at.filter(|a| *a <= c);
                    let in_period = match decided {
                        Some(a) => window.holds(a),
                        None => !bounded,
                    };
                    if !in_period || !query.state.is_none_or(|f| f.admits(&obligation)) {
                        continue;
                    }
                    let cursor = (obligation.deadline, sight.code(), obligation.promise);
                    if query.after.as_ref().is_none_or(|after| cursor > *after) {
                        found.push((cursor, sight, obligation));
                    }
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let more = found.len() > query.page_size;
        found.truncate(query.page_size);
        let next = found.last().filter(|_| more).map(|(cursor, ..)| cursor.clone());
        let items = found
            .into_iter()
            .map(|((_, dossier, _), sight, obligation)| ObligationItem {
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
