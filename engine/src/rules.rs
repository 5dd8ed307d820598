//! Law as data: calendars, procedures, policies, definitions, targets; the versions of each, and the tiers of scores.
//!
//! Pure. What a definition means is in definitions.md I.4 and I.5; here are only its choices. What is published becomes a
//! version in the [`Rulebook`]; the definitions that are built in keep their ids.

mod book;
mod law;
mod score;

pub use book::{Fit, Pin, Pinned, Rulebook, Version};
pub use law::{
    Apology, Comparator, EVERY_UNIT, LetterBy, Names, Parent, Procedure, Publication, Reason, ReportPeriod, Rule,
    RuleKind, StepTerm, Target, TierTables, Unfit, Unit, choices,
};

pub use score::{ALL_OR_NOTHING, BadTiers, Bound, DECISION_766_FULL, Fraction, Marks, Tier, Tiers, score_766};

use std::sync::Arc;

/// A code: of a unit, a procedure, a reason. Kept verbatim, never parsed.
pub type Code = Arc<str>;

/// Whether `unit` is `prefix` or below it: whole segments, so `H29` holds `H29.22`, not `H290`.
#[must_use]
pub fn unit_within(unit: &str, prefix: &str) -> bool {
    unit.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || prefix.is_empty())
}

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
    /// Whatever due any event carried last, valid or not: what systems show that overwrite the promise.
    Latest,
}

/// What more than one request for papers means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondSupplement {
    /// Nothing.
    Ignored,
    /// Late while it waits for papers (Decision 766).
    LateWhileWaiting,
    /// Late for good, the stricter reading.
    LateAlways,
}

/// A rate definition: the choices of definitions.md I.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name in every query, if it is built in; a published one is known by the code of its publication.
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
    /// What more than one request for papers means.
    pub second_supplement: SecondSupplement,
}

/// The plainest: what was processed, by date, judged by the current promise.
pub const RESOLVED: Definition = Definition {
    id: "resolved",
    cohort: Cohort::Processed,
    compared_by: ComparedBy::Date,
    judged: Judged::Current,
    judges_exits: false,
    second_supplement: SecondSupplement::Ignored,
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
        second_supplement: SecondSupplement::LateWhileWaiting,
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

/// The policy where none was published: `hcmc-5157` (Ho Chi Minh City, decision 5157/QĐ-UBND), the letter at the latest on
/// the appointment date, and one rescheduling.
pub const HCMC_5157: Apology = Apology {
    names: Names { vi: String::new(), en: String::new() },
    letter_by: LetterBy::WorkingDaysBefore(0),
    reschedulings: 1,
};
