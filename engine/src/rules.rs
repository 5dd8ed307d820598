//! Law as data: the definitions of rates, and the apology policy.
//!
//! Pure. What a definition means is in definitions.md I.4 and I.5; here are only its choices. Later versions publish
//! these as events; the built-in ones keep their ids.

use crate::dossier::Due;
use crate::time::{Timestamp, Zone};

/// The moment that puts a dossier into a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cohort {
    /// Its end, if it was processed.
    Processed,
    /// Its reception; exits by the cut are not in.
    Received,
    /// The later of hand-over and end, if it was processed.
    Returned,
}

/// How a promise is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparedBy {
    /// By local dates: the due date counts whole.
    Date,
    /// To the millisecond.
    Instant,
}

/// A rate definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name in every query.
    pub id: &'static str,
    /// Which dossiers belong to a period.
    pub cohort: Cohort,
    /// What "kept" means.
    pub compared_by: ComparedBy,
}

/// The built-in definitions.
pub const DEFINITIONS: [Definition; 4] = [
    Definition { id: "resolved", cohort: Cohort::Processed, compared_by: ComparedBy::Date },
    Definition { id: "resolved-instant", cohort: Cohort::Processed, compared_by: ComparedBy::Instant },
    Definition { id: "received", cohort: Cohort::Received, compared_by: ComparedBy::Date },
    Definition { id: "returned", cohort: Cohort::Returned, compared_by: ComparedBy::Date },
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
