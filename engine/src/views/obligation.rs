//! The apology owed for a missed promise: definitions.md I.5.

use crate::dossier::Timeline;
use crate::rules::letter_deadline;
use crate::time::{Timestamp, Zone};

/// How an obligation stands at a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObligationState {
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
    /// When that promise was missed.
    pub missed_at: Timestamp,
    /// `L`: the last tick at which the letter is in time.
    pub deadline: Timestamp,
    /// `A`: the tick at which it is decided, and which puts it into a period.
    pub decided_at: Timestamp,
    /// How it stands.
    pub state: ObligationState,
    /// Whether a letter was sent that does not count; only of a missing one.
    pub defective: bool,
    /// When the valid letter was sent, if by the cut.
    pub letter_at: Option<Timestamp>,
}

/// The obligations of a dossier at cut `c`; `by_date` is its history folded by dates of the directory's zone.
pub fn obligations<'a>(by_date: &'a Timeline, home: &'a Zone, c: Timestamp) -> impl Iterator<Item = Obligation> + 'a {
    (1..).zip(&by_date.promises).filter_map(move |(number, promise)| {
        let missed_at = promise.missed.filter(|m| *m <= c)?;
        let deadline = letter_deadline(promise.due, home);
        let decided_at = missed_at.max(deadline.plus(1));
        let letter_at = promise.letter.filter(|t| *t <= c);
        let state = match letter_at {
            _ if c < decided_at => ObligationState::Pending,
            Some(t) if t <= deadline => ObligationState::InTime,
            Some(_) => ObligationState::Late,
            None => ObligationState::Missing,
        };
        let defective = state == ObligationState::Missing && promise.defective.is_some_and(|t| t <= c);
        Some(Obligation { promise: number, missed_at, deadline, decided_at, state, defective, letter_at })
    })
}
