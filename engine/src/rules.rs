//! Law as data: the definitions of rates, the apology policy, and the tiers of scores.
//!
//! Pure. What a definition means is in definitions.md I.4 and I.5; here are only its choices. Later versions publish
//! these as events; the built-in ones keep their ids.

mod score;

pub use score::{
    ALL_OR_NOTHING, BadTiers, Bound, DECISION_766_FULL, Fraction, Marks, PAR_INDEX, Tier, Tiers, score_766,
};

use crate::dossier::Due;
use crate::time::{Timestamp, Zone};

/// The moment that puts a dossier into a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cohort {
    /// Its end, if it was processed.
    Processed,
    /// Its reception.
    Received,
    /// The later of hand-over and end, if it was processed.
    Returned,
    /// When it was first decided: the miss of the promise, if it was missed, else the end, if it was processed.
    Decided,
}

/// How a promise is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparedBy {
    /// By local dates: the due date counts whole.
    Date,
    /// To the millisecond.
    Instant,
}

/// Which promise is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The newest of the unbroken run: a valid letter sent in time moves it.
    Current,
    /// The first one, on the receipt.
    First,
}

/// A rate definition: the choices of definitions.md I.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name in every query.
    pub id: &'static str,
    /// Which dossiers belong to a period.
    pub cohort: Cohort,
    /// What "kept" means.
    pub compared_by: ComparedBy,
    /// Which promise is judged.
    pub judged: Judged,
    /// Whether a dossier that was withdrawn, stopped or rejected after acceptance is judged at its exit. (A cohort by
    /// the end or the hand-over has none; one by decision has those that were missed before.)
    pub judges_exits: bool,
    /// Whether waiting for a supplement after more than one request counts as late (Decision 766).
    pub second_supplement_is_late: bool,
}

/// The plainest: what was processed, by date, judged by the current promise.
pub const RESOLVED: Definition = Definition {
    id: "resolved",
    cohort: Cohort::Processed,
    compared_by: ComparedBy::Date,
    judged: Judged::Current,
    judges_exits: false,
    second_supplement_is_late: false,
};

/// The built-in definitions.
pub const DEFINITIONS: [Definition; 6] = [
    RESOLVED,
    Definition { id: "resolved-instant", compared_by: ComparedBy::Instant, ..RESOLVED },
    Definition {
        id: "decision-766",
        cohort: Cohort::Received,
        compared_by: ComparedBy::Instant,
        judges_exits: true,
        second_supplement_is_late: true,
        ..RESOLVED
    },
    Definition { id: "received", cohort: Cohort::Received, ..RESOLVED },
    Definition { id: "returned", cohort: Cohort::Returned, ..RESOLVED },
    Definition { id: "first-promise", cohort: Cohort::Decided, judged: Judged::First, ..RESOLVED },
];

/// The definition of that id.
#[must_use]
pub fn definition(id: &str) -> Option<Definition> {
    DEFINITIONS.into_iter().find(|d| d.id == id)
}

/// By when the letter for a missed promise must be sent, under `hcmc-5157` (Ho Chi Minh City, decision
/// 5157/QĐ-UBND): at the latest on the appointment date, of the zone of the data directory.
#[must_use]
pub fn letter_deadline(promise: Due, home: &Zone) -> Timestamp {
    home.last_tick(promise.date(home))
}
