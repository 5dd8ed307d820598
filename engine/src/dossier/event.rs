//! What can happen to a dossier: the events, the command that brings one, the flags that mark what did not fit.
//!
//! Plain values. How they look on the wire, in JSON or on disk is decided elsewhere (`gateway`, `record`).

use crate::time::{Due, Timestamp};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// A code: of a unit, a procedure, a reason. Kept verbatim, never parsed.
pub type Code = Arc<str>;

/// Who applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApplicantKind {
    /// A citizen.
    Citizen,
    /// An enterprise.
    Enterprise,
    /// Another agency.
    Agency,
    /// Anyone else.
    Other,
}

impl ApplicantKind {
    /// All of them, in the order of the national portal's codes.
    pub const ALL: [ApplicantKind; 4] =
        [ApplicantKind::Citizen, ApplicantKind::Enterprise, ApplicantKind::Agency, ApplicantKind::Other];

    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ApplicantKind::Citizen => "citizen",
            ApplicantKind::Enterprise => "enterprise",
            ApplicantKind::Agency => "agency",
            ApplicantKind::Other => "other",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<ApplicantKind> {
        Self::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// What processing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The application was granted; what a `Processed` that does not say means.
    #[default]
    Granted,
    /// It was refused; the dossier was processed all the same.
    Refused,
}

impl Outcome {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Granted => "granted",
            Outcome::Refused => "refused",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Outcome> {
        [Outcome::Granted, Outcome::Refused].into_iter().find(|o| o.name() == name)
    }
}

/// What happened, with the fields of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The dossier was accepted; the first promise is given.
    Received {
        /// The unit that answers for the dossier.
        unit: Code,
        /// What is applied for.
        procedure: Option<Code>,
        /// The group of procedures.
        field: Option<Code>,
        /// How it came: `online`, `direct`, `postal` or a local code.
        channel: Option<Code>,
        /// The promise on the receipt.
        due: Option<Due>,
        /// Who applies.
        applicant_kind: Option<ApplicantKind>,
    },
    /// Acceptance was refused.
    Rejected {
        /// The refusing unit; required where this opens the dossier.
        unit: Option<Code>,
        /// Why.
        reason_code: Option<Code>,
    },
    /// Handed to another unit.
    Forwarded {
        /// Who holds it now.
        to_unit: Code,
        /// By when that unit must be done with its step.
        step_due: Option<Due>,
    },
    /// Missing papers were asked for; the clock stops.
    SupplementRequested {
        /// Codes of the papers.
        items: Vec<Code>,
        /// Why.
        reason_code: Option<Code>,
    },
    /// The papers came.
    Supplemented {
        /// The promise as it stands now.
        due: Option<Due>,
    },
    /// A payment was asked for.
    PaymentRequested {
        /// Whether the clock stops until it is paid.
        stops_clock: bool,
    },
    /// It was paid.
    Paid {
        /// The promise as it stands now.
        due: Option<Due>,
    },
    /// Processing ended; the clock ends here.
    Processed {
        /// Granted or refused.
        outcome: Outcome,
    },
    /// A promise passed, written by the engine alone.
    Late {
        /// Which promise of the dossier: 1, 2, …
        promise: u32,
        /// That promise, as it stood when it passed.
        due: Due,
    },
    /// A letter of apology was sent.
    ApologySent {
        /// The letter's number.
        letter_number: Option<Code>,
        /// Why the dossier is late; a letter without it is defective.
        reason_code: Option<Code>,
        /// The office that signed.
        signer: Option<Code>,
        /// Post, SMS, in person, …
        sent_via: Option<Code>,
        /// The new promise.
        new_due: Option<Due>,
    },
    /// The applicant has the result.
    Returned {
        /// How.
        returned_via: Option<Code>,
    },
    /// The applicant withdrew.
    Withdrawn {
        /// Why.
        reason_code: Option<Code>,
    },
    /// The agency stopped.
    Stopped {
        /// Why.
        reason_code: Code,
    },
    /// An earlier event of the dossier is annulled, or another stands in its place; it stays on record.
    Corrected {
        /// The sender's id of the event that is corrected.
        target_event_id: Uuid,
        /// Why.
        reason_code: Code,
        /// What stands in its place; annulled if nothing does.
        replacement: Option<Box<Restated>>,
    },
}

/// What stands in the place of a corrected event: an event of the same type, told anew and whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Restated {
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The reception point that says so.
    pub desk: Option<Code>,
    /// The officer, as a code.
    pub actor: Option<Code>,
    /// What happened; never a correction itself.
    pub event: Event,
}

/// The types of events, by their names in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the event of its name")]
pub enum EventType {
    Received,
    Rejected,
    Forwarded,
    SupplementRequested,
    Supplemented,
    PaymentRequested,
    Paid,
    Processed,
    Late,
    ApologySent,
    Returned,
    Withdrawn,
    Stopped,
    Corrected,
}

impl EventType {
    /// Every type.
    pub const ALL: [EventType; 14] = [
        EventType::Received,
        EventType::Rejected,
        EventType::Forwarded,
        EventType::SupplementRequested,
        EventType::Supplemented,
        EventType::PaymentRequested,
        EventType::Paid,
        EventType::Processed,
        EventType::Late,
        EventType::ApologySent,
        EventType::Returned,
        EventType::Withdrawn,
        EventType::Stopped,
        EventType::Corrected,
    ];

    /// Its name in JSON and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EventType::Received => "Received",
            EventType::Rejected => "Rejected",
            EventType::Forwarded => "Forwarded",
            EventType::SupplementRequested => "SupplementRequested",
            EventType::Supplemented => "Supplemented",
            EventType::PaymentRequested => "PaymentRequested",
            EventType::Paid => "Paid",
            EventType::Processed => "Processed",
            EventType::Late => "Late",
            EventType::ApologySent => "ApologySent",
            EventType::Returned => "Returned",
            EventType::Withdrawn => "Withdrawn",
            EventType::Stopped => "Stopped",
            EventType::Corrected => "Corrected",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<EventType> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// Whether it ends a dossier for good: a second one is refused.
    #[must_use]
    pub fn ends(self) -> bool {
        matches!(self, EventType::Processed | EventType::Withdrawn | EventType::Stopped | EventType::Rejected)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Event {
    /// Its type.
    #[must_use]
    pub fn event_type(&self) -> EventType {
        match self {
            Event::Received { .. } => EventType::Received,
            Event::Rejected { .. } => EventType::Rejected,
            Event::Forwarded { .. } => EventType::Forwarded,
            Event::SupplementRequested { .. } => EventType::SupplementRequested,
            Event::Supplemented { .. } => EventType::Supplemented,
            Event::PaymentRequested { .. } => EventType::PaymentRequested,
            Event::Paid { .. } => EventType::Paid,
            Event::Processed { .. } => EventType::Processed,
            Event::Late { .. } => EventType::Late,
            Event::ApologySent { .. } => EventType::ApologySent,
            Event::Returned { .. } => EventType::Returned,
            Event::Withdrawn { .. } => EventType::Withdrawn,
            Event::Stopped { .. } => EventType::Stopped,
            Event::Corrected { .. } => EventType::Corrected,
        }
    }

    /// The due it carries, with the name of its field in the contract.
    #[must_use]
    pub fn due(&self) -> Option<(&'static str, Due)> {
        let (due, instant, date) = match self {
            Event::Received { due, .. } | Event::Supplemented { due } | Event::Paid { due } => {
                (*due, "due", "due_date")
            }
            Event::Late { due, .. } => (Some(*due), "due", "due_date"),
            Event::Forwarded { step_due, .. } => (*step_due, "step_due", "step_due_date"),
            Event::ApologySent { new_due, .. } => (*new_due, "new_due", "new_due_date"),
            Event::Rejected { .. }
            | Event::SupplementRequested { .. }
            | Event::PaymentRequested { .. }
            | Event::Processed { .. }
            | Event::Returned { .. }
            | Event::Withdrawn { .. }
            | Event::Stopped { .. }
            | Event::Corrected { .. } => return None,
        };
        due.map(|due| (if matches!(due, Due::Date(_)) { date } else { instant }, due))
    }
}

/// What a sender says: one event of one dossier, with the sender's own id for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Statement {
    /// The sender's id, which makes sending twice harmless.
    pub event_id: Uuid,
    /// The dossier code, verbatim.
    pub dossier: Code,
    /// When it happened, as the desk says.
    pub occurred_at: Timestamp,
    /// The reception point that says so.
    pub desk: Option<Code>,
    /// The officer, as a code.
    pub actor: Option<Code>,
    /// What happened.
    pub event: Event,
}

/// A statement on its way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What the sender says.
    pub statement: Statement,
    /// The number of events the sender believes the dossier to have; refused if it has another.
    pub expected_version: Option<u32>,
    /// The authenticated sender; empty until there is one.
    pub author: Code,
    /// History brought in by an import: not flagged as recorded late.
    pub imported: bool,
}

/// Marks on an event that did not fit. They state what was known when it was recorded and are never revised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u32);

/// One mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Flag {
    /// Occurred before `Received`.
    BeforeReception = 0,
    /// Recorded more than a day after it occurred.
    RecordedLate = 1,
    /// Received after having been rejected.
    AfterRejection = 2,
    /// The promise lies before the reception.
    DueBeforeReception = 3,
    /// Ended in time, but recorded after `Late`.
    ReportedAfterPromise = 4,
    /// Returned though nothing had ended it.
    ReturnedUnprocessed = 5,
    /// Happened after the end.
    AfterEnd = 6,
    /// A second request for papers.
    SupplementAgain = 7,
    /// An answer to a request that is not there.
    AnswerWithoutRequest = 8,
    /// A letter without reason or without a new promise that is later.
    ApologyDefective = 9,
    /// More letters with a new promise than the policy allows.
    RescheduledAgain = 10,
    /// A letter after the end.
    ApologyAfterResult = 11,
    /// A promise was corrected after it had passed.
    DueCorrectedLate = 12,
}

impl Flag {
    /// Every flag, in the order of its bit.
    pub const ALL: [Flag; 13] = [
        Flag::BeforeReception,
        Flag::RecordedLate,
        Flag::AfterRejection,
        Flag::DueBeforeReception,
        Flag::ReportedAfterPromise,
        Flag::ReturnedUnprocessed,
        Flag::AfterEnd,
        Flag::SupplementAgain,
        Flag::AnswerWithoutRequest,
        Flag::ApologyDefective,
        Flag::RescheduledAgain,
        Flag::ApologyAfterResult,
        Flag::DueCorrectedLate,
    ];

    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Flag::BeforeReception => "BEFORE_RECEPTION",
            Flag::RecordedLate => "RECORDED_LATE",
            Flag::AfterRejection => "AFTER_REJECTION",
            Flag::DueBeforeReception => "DUE_BEFORE_RECEPTION",
            Flag::ReportedAfterPromise => "REPORTED_AFTER_PROMISE",
            Flag::ReturnedUnprocessed => "RETURNED_UNPROCESSED",
            Flag::AfterEnd => "AFTER_END",
            Flag::SupplementAgain => "SUPPLEMENT_AGAIN",
            Flag::AnswerWithoutRequest => "ANSWER_WITHOUT_REQUEST",
            Flag::ApologyDefective => "APOLOGY_DEFECTIVE",
            Flag::RescheduledAgain => "RESCHEDULED_AGAIN",
            Flag::ApologyAfterResult => "APOLOGY_AFTER_RESULT",
            Flag::DueCorrectedLate => "DUE_CORRECTED_LATE",
        }
    }
}

impl Flags {
    /// Adds a flag if `when` holds.
    pub fn set(&mut self, flag: Flag, when: bool) {
        if when {
            self.0 |= 1 << (flag as u32);
        }
    }

    /// Whether the flag is there.
    #[must_use]
    pub fn has(self, flag: Flag) -> bool {
        self.0 & (1 << (flag as u32)) != 0
    }

    /// The flags, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.into_iter().filter(move |f| self.has(*f))
    }

    /// The names, in the same order.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Flag::name).collect()
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}
