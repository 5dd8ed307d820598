//! One dossier: what can be said of it, what is refused, and what its history means.
//!
//! Pure: no clock, no file, no lock. `decide` answers a command with events or a rejection, `Dossier::evolve` adds an
//! event, `Timeline` folds the whole history into promises, waits and the end as definitions.md I.2, I.3 and I.5 say.

mod decide;
mod event;
mod reckon;
mod state;
mod timeline;

pub use decide::{
    Decision, MAX_AHEAD_MS, MAX_CODE_CHARS, MAX_DOSSIER_CHARS, MAX_ITEMS, MAX_TEXT_BYTES, Proposal, Rejection,
    Violation, ViolationKind, alarm, check, decide, late_event_id, next_miss, overdue,
};
pub use event::{ApplicantKind, Command, Event, EventType, Flag, Flags, Outcome, Reckoned, Restated, Statement};
pub(crate) use state::answers_as_reckoned;
pub use state::{Act, Correction, Dossier, Entry, Keys, Pin, fingerprint};
pub use timeline::{Comparison, End, EndKind, Letter, Promise, SupplementRequest, Timeline, Wait};

pub use crate::rules::Code;
pub use crate::time::Due;
