//! The rules of acceptance: contract.md section 2.
//!
//! The log records what happened; it does not police it. Only the impossible is refused; what merely does not fit is
//! accepted with a flag. Order of the checks: form, then idempotence, then the expected version, then the state.

use super::event::{Command, Event, EventType, Flag, Flags, Reckoned, Statement};
use super::reckon::reckon;
use super::state::{Act, Dossier, Entry, fingerprint};
use super::timeline::{Comparison, Timeline};
use crate::rules::{Code, Rulebook};
use crate::time::{Date, Due, Timestamp, Zone};
use std::cell::OnceCell;
use uuid::Uuid;

/// How far ahead of the engine's clock an event may claim to have happened: 5 minutes.
pub const MAX_AHEAD_MS: i64 = 5 * 60 * 1000;
/// The longest dossier code, in characters.
pub const MAX_DOSSIER_CHARS: usize = 64;
/// The longest of the other codes, in characters.
pub const MAX_CODE_CHARS: usize = 200;
/// The most papers that one request may name.
pub const MAX_ITEMS: usize = 64;
/// From when on a record is flagged as late: more than a day after it occurred.
const RECORDED_LATE_MS: i64 = 24 * 60 * 60 * 1000;
/// The most bytes that all texts of an event may take together, so that a record stays well below a frame.
pub const MAX_TEXT_BYTES: usize = 6000;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field's name in the contract.
    pub field: String,
    /// What kind of wrong.
    pub kind: ViolationKind,
}

/// What can be wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViolationKind {
    /// It is required here.
    Missing,
    /// The event has no such field.
    Unknown,
    /// Not one of the types of events.
    UnknownType,
    /// No type was said, or one that this version does not know, where the type is the field that is set.
    NoType,
    /// Not a UUID.
    NotAUuid,
    /// Not an instant as RFC 3339 with an offset, or outside of the years 1 to 9999.
    NotAnInstant,
    /// Not a date `YYYY-MM-DD`, or outside of the years 1 to 9999.
    NotADate,
    /// In the form of a date, or of an instant, but of a day that no calendar has.
    NoSuchDate,
    /// Both an instant and a date were given for one due.
    BothDues,
    /// Longer than this many characters.
    TooLong(usize),
    /// Holds control characters, or nothing but spaces.
    NotPrintable,
    /// Not one of these values.
    NotOneOf(&'static [&'static str]),
    /// Not of this JSON type.
    NotOfType(&'static str),
    /// More than this many items.
    TooMany(usize),
    /// Not JSON, or not a JSON object; what the parser said.
    NotJson(String),
    /// A correction says both that the event is annulled and what stands in its place, or neither.
    AnnulOrReplace,
    /// The dossier has no event with this id.
    NoSuchEvent,
    /// What the engine wrote itself cannot be corrected.
    EngineWrote,
    /// What stands in the place of an event must be of its type.
    NotOfEventType(EventType),
    /// A correction is annulled and told anew, not replaced.
    CorrectionOfCorrection,
    /// It names another dossier.
    OtherDossier,
}

/// Why a command was refused. A refusal changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// One or more fields are missing or malformed.
    Malformed(Vec<Violation>),
    /// The event, or the batch, is larger than the engine takes.
    TooLarge {
        /// What was sent.
        size: usize,
        /// What is allowed.
        limit: usize,
        /// Of what: `bytes` or `events`.
        unit: &'static str,
    },
    /// It claims to have happened too far ahead of the engine's clock.
    TimeInFuture {
        /// What it claims.
        occurred_at: Timestamp,
        /// The engine's clock.
        now: Timestamp,
    },
    /// Nothing was ever recorded of this dossier.
    DossierUnknown(Code),
    /// The dossier was received before.
    DossierExists {
        /// Which dossier.
        dossier: Code,
        /// When it was received.
        received_at: Timestamp,
    },
    /// The dossier has ended.
    DossierEnded {
        /// Which dossier.
        dossier: Code,
        /// By what.
        by: EventType,
        /// When.
        at: Timestamp,
    },
    /// The result was handed over before.
    AlreadyReturned {
        /// Which dossier.
        dossier: Code,
        /// When.
        at: Timestamp,
    },
    /// Only the engine writes `Late`.
    EngineEvent,
    /// The id stands for another event of this dossier.
    EventIdReused {
        /// The id.
        event_id: Uuid,
        /// Where that event stands in the log.
        position: u64,
    },
    /// The dossier has another version than expected.
    VersionMismatch {
        /// What the sender expected.
        expected: u32,
        /// What it is.
        actual: u32,
    },
    /// Another event of the atomic batch was refused, so this one was not recorded either.
    BatchRefused,
}

impl Rejection {
    /// The stable, machine-readable reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::Malformed(violations) => match violations.first().map(|v| &v.kind) {
                Some(ViolationKind::Missing) => "FIELD_MISSING",
                Some(ViolationKind::UnknownType | ViolationKind::NoType) => "UNKNOWN_TYPE",
                _ => "FIELD_INVALID",
            },
            Rejection::TooLarge { .. } => "TOO_LARGE",
            Rejection::TimeInFuture { .. } => "TIME_IN_FUTURE",
            Rejection::DossierUnknown(_) => "DOSSIER_UNKNOWN",
            Rejection::DossierExists { .. } => "DOSSIER_EXISTS",
            Rejection::DossierEnded { .. } => "DOSSIER_ENDED",
            Rejection::AlreadyReturned { .. } => "ALREADY_RETURNED",
            Rejection::EngineEvent => "ENGINE_EVENT",
            Rejection::EventIdReused { .. } => "EVENT_ID_REUSED",
            Rejection::VersionMismatch { .. } => "VERSION_MISMATCH",
            Rejection::BatchRefused => "BATCH_REFUSED",
        }
    }
}

/// An event that may be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What happened.
    pub statement: Statement,
    /// What the rules in force make of it.
    pub reckoned: Reckoned,
    /// What does not fit.
    pub flags: Flags,
    /// The digest of the statement.
    pub fingerprint: u128,
}

impl Proposal {
    /// The entry that it becomes where it is recorded.
    #[must_use]
    pub fn entry(&self, position: u64, recorded_at: Timestamp) -> Entry {
        Entry {
            position,
            recorded_at,
            occurred_at: self.statement.occurred_at,
            event_id: self.statement.event_id,
            fingerprint: self.fingerprint,
            flags: self.flags,
            act: Act::of(&self.statement.event, self.reckoned),
        }
    }
}

/// The answer to a command that is not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Said before, word for word: the entry it made then.
    Duplicate(Entry),
    /// To be logged together: what the promise owes (`Late`), then the event itself, last.
    Log(Vec<Proposal>),
}

/// The id of the `Late` of a promise: UUIDv5 over the dossier code and the promise's number.
#[must_use]
pub fn late_event_id(dossier: &str, promise: u32) -> Uuid {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"dunghen");
    Uuid::new_v5(&namespace, format!("Late\n{dossier}\n{promise}").as_bytes())
}

/// The form of a statement: what can be judged without knowing the dossier or the time.
///
/// # Errors
/// [`Rejection::Malformed`] with every violation found, or [`Rejection::TooLarge`].
pub fn check(statement: &Statement) -> Result<(), Rejection> {
    let mut form = Form::default();
    form.optional("desk", statement.desk.as_ref());
    form.optional("actor", statement.actor.as_ref());
    form.code("dossier", Some(&statement.dossier), MAX_DOSSIER_CHARS, true);
    form.instant("occurred_at", statement.occurred_at);
    form.event(&statement.event);
    if let Event::Corrected { reason_code, replacement, .. } = &statement.event {
        form.required("reason_code", reason_code);
        if let Some(restated) = replacement {
            form.within = "replacement.";
            form.optional("desk", restated.desk.as_ref());
            form.optional("actor", restated.actor.as_ref());
            form.instant("occurred_at", restated.occurred_at);
            form.event(&restated.event);
            if matches!(restated.event, Event::Corrected { .. }) {
                form.wrong("type", ViolationKind::CorrectionOfCorrection);
            }
        }
    }
    if !form.violations.is_empty() {
        return Err(Rejection::Malformed(form.violations));
    }
    if form.text_bytes > MAX_TEXT_BYTES {
        return Err(Rejection::TooLarge { size: form.text_bytes, limit: MAX_TEXT_BYTES, unit: "bytes" });
    }
    Ok(())
}

/// Collects what is wrong with the form of a statement.
#[derive(Default)]
struct Form {
    /// What the names of fields begin with.
    within: &'static str,
    violations: Vec<Violation>,
    text_bytes: usize,
}

impl Form {
    fn wrong(&mut self, field: &str, kind: ViolationKind) {
        self.violations.push(Violation { field: format!("{}{field}", self.within), kind });
    }

    fn code(&mut self, field: &str, value: Option<&Code>, limit: usize, required: bool) {
        self.text_bytes += value.map_or(0, |v| v.len());
        let kind = match value.map(|v| &**v) {
            None | Some("") if required => ViolationKind::Missing,
            None => return,
            // No text has more characters than bytes.
            Some(text) if text.len() > limit && text.chars().count() > limit => ViolationKind::TooLong(limit),
            Some(text) if text.chars().any(char::is_control) || text.trim().is_empty() => ViolationKind::NotPrintable,
            Some(_) => return,
        };
        self.wrong(field, kind);
    }

    fn optional(&mut self, field: &str, value: Option<&Code>) {
        self.code(field, value, MAX_CODE_CHARS, false);
    }

    fn required(&mut self, field: &str, value: &Code) {
        self.code(field, Some(value), MAX_CODE_CHARS, true);
    }

    fn instant(&mut self, field: &str, at: Timestamp) {
        if Timestamp::checked(at.0).is_none() {
            self.wrong(field, ViolationKind::NotAnInstant);
        }
    }

    /// The fields of an event of its own type; those of a correction are looked at by who called.
    fn event(&mut self, event: &Event) {
        match event {
            Event::Received { unit, procedure, field, channel, .. } => {
                self.required("unit", unit);
                self.optional("procedure", procedure.as_ref());
                self.optional("field", field.as_ref());
                self.optional("channel", channel.as_ref());
            }
            Event::Rejected { unit, reason_code } => {
                self.optional("unit", unit.as_ref());
                self.optional("reason_code", reason_code.as_ref());
            }
            Event::SupplementRequested { items, reason_code } => {
                self.optional("reason_code", reason_code.as_ref());
                for (i, item) in items.iter().enumerate() {
                    self.required(&format!("items[{i}]"), item);
                }
                if items.len() > MAX_ITEMS {
                    self.wrong("items", ViolationKind::TooMany(MAX_ITEMS));
                }
            }
            Event::Withdrawn { reason_code } => self.optional("reason_code", reason_code.as_ref()),
            Event::ApologySent { letter_number, reason_code, signer, sent_via, .. } => {
                self.optional("letter_number", letter_number.as_ref());
                self.optional("reason_code", reason_code.as_ref());
                self.optional("signer", signer.as_ref());
                self.optional("sent_via", sent_via.as_ref());
            }
            Event::Returned { returned_via } => self.optional("returned_via", returned_via.as_ref()),
            Event::Forwarded { to_unit, .. } => self.required("to_unit", to_unit),
            Event::Stopped { reason_code } => self.required("reason_code", reason_code),
            Event::Supplemented { .. }
            | Event::PaymentRequested { .. }
            | Event::Paid { .. }
            | Event::Processed { .. }
            | Event::Late { .. }
            | Event::Corrected { .. } => {}
        }
        if let Some((field, due)) = event.due() {
            let kind = match due {
                Due::Instant(t) => Timestamp::checked(t.0).is_none().then_some(ViolationKind::NotAnInstant),
                Due::Date(d) => Date::checked(d.0).is_none().then_some(ViolationKind::NotADate),
            };
            if let Some(kind) = kind {
                self.wrong(field, kind);
            }
        }
    }
}

/// Decides a command against what is known of its dossier. Pure: `now` is the engine's clock.
///
/// # Errors
/// The [`Rejection`] of contract.md section 2 that fits.
pub fn decide(
    dossier: Option<&Dossier>,
    command: &Command,
    now: Timestamp,
    rules: &Rulebook,
) -> Result<Decision, Rejection> {
    let (statement, home) = (&command.statement, rules.home());
    check(statement)?;
    let restated = match &statement.event {
        Event::Corrected { replacement, .. } => replacement.as_deref(),
        _ => None,
    };
    for occurred_at in std::iter::once(statement.occurred_at).chain(restated.map(|r| r.occurred_at)) {
        if occurred_at.since(now) > MAX_AHEAD_MS {
            return Err(Rejection::TimeInFuture { occurred_at, now });
        }
    }
    if matches!(statement.event, Event::Late { .. }) {
        return Err(Rejection::EngineEvent);
    }
    let fingerprint = fingerprint(statement);
    if let Some(entry) = dossier.and_then(|d| d.entries.iter().find(|e| e.event_id == statement.event_id)) {
        return if entry.fingerprint == fingerprint {
            Ok(Decision::Duplicate(*entry))
        } else {
            Err(Rejection::EventIdReused { event_id: statement.event_id, position: entry.position })
        };
    }
    let actual = dossier.map_or(0, Dossier::version);
    if let Some(expected) = command.expected_version.filter(|v| *v != actual) {
        return Err(Rejection::VersionMismatch { expected, actual });
    }
    possible(dossier, statement)?;
    let reckoned = reckon(dossier, statement, rules);
    let mut proposal = Proposal { statement: statement.clone(), reckoned, flags: Flags::default(), fingerprint };
    let told = restated.map_or(&statement.event, |r| &r.event);
    proposal.flags.set(Flag::DueDiffers, differs(told.due().map(|(_, due)| due), reckoned.due, home));
    let recorded_late = !command.imported && now.since(statement.occurred_at) > RECORDED_LATE_MS;
    proposal.flags.set(Flag::RecordedLate, recorded_late);
    let mut log = Vec::with_capacity(1);
    match dossier {
        Some(dossier) if matches!(statement.event, Event::Corrected { .. }) => {
            proposal.flags.set(Flag::DueCorrectedLate, corrects_a_passed_due(dossier, &proposal, now, rules));
        }
        Some(dossier) if dossier.has(EventType::Received) => {
            let history = History::with(dossier, statement, reckoned, home);
            proposal.flags = proposal.flags | history.flags();
            if !command.imported && history.candidate_ends() {
                log.extend(history.missed(dossier, now.max(statement.occurred_at)));
            }
        }
        _ => {
            if let Event::Received { due, .. } = &statement.event {
                let before = due.or(reckoned.due).is_some_and(|d| d.last_moment(home) < statement.occurred_at);
                proposal.flags.set(Flag::DueBeforeReception, before);
                let rejected = dossier.is_some_and(|d| d.has(EventType::Rejected));
                proposal.flags.set(Flag::AfterRejection, rejected);
            }
        }
    }
    log.push(proposal);
    Ok(Decision::Log(log))
}

/// Whether the due that a desk gave is another than the one that the rules give. Where either is a date, dates are
/// compared.
fn differs(given: Option<Due>, reckoned: Option<Due>, home: &Zone) -> bool {
    match (given, reckoned) {
        (Some(Due::Instant(given)), Some(Due::Instant(reckoned))) => given != reckoned,
        (Some(given), Some(reckoned)) => given.date(home) != reckoned.date(home),
        _ => false,
    }
}

/// Refuses what cannot be, given the state of the dossier.
fn possible(dossier: Option<&Dossier>, statement: &Statement) -> Result<(), Rejection> {
    let event_type = statement.event.event_type();
    let code = || statement.dossier.clone();
    let Some(dossier) = dossier else {
        return match &statement.event {
            Event::Received { .. } | Event::Rejected { unit: Some(_), .. } => Ok(()),
            Event::Rejected { unit: None, .. } => {
                Err(Rejection::Malformed(vec![Violation { field: "unit".to_owned(), kind: ViolationKind::Missing }]))
            }
            _ => Err(Rejection::DossierUnknown(code())),
        };
    };
    if let Event::Corrected { target_event_id, replacement, .. } = &statement.event {
        return correctable(dossier, *target_event_id, replacement.as_deref().map(|r| &r.event), statement);
    }
    let standing = dossier.standing();
    let reception = standing.iter().find(|e| matches!(e.act, Act::Received(_)));
    let Some(reception) = reception else {
        // Only a `Rejected` opens a dossier without receiving it; if that or a `Received` was annulled, nothing is known.
        return match (event_type, standing.iter().find(|e| e.act == Act::Rejected)) {
            (EventType::Received, _) => Ok(()),
            (_, Some(rejected)) => {
                let (by, at) = (EventType::Rejected, rejected.occurred_at);
                Err(Rejection::DossierEnded { dossier: code(), by, at })
            }
            (EventType::Rejected, None) => Ok(()),
            (_, None) => Err(Rejection::DossierUnknown(code())),
        };
    };
    if event_type == EventType::Received {
        return Err(Rejection::DossierExists { dossier: code(), received_at: reception.occurred_at });
    }
    let later = || standing.iter().filter(|e| e.position > reception.position || e.act != Act::Rejected);
    if event_type.ends()
        && let Some(end) = later().find(|e| e.act.event_type().ends())
    {
        let by = end.act.event_type();
        return Err(Rejection::DossierEnded { dossier: code(), by, at: end.occurred_at });
    }
    if event_type == EventType::Returned
        && let Some(returned) = later().find(|e| e.act == Act::Returned)
    {
        return Err(Rejection::AlreadyReturned { dossier: code(), at: returned.occurred_at });
    }
    Ok(())
}

/// Refuses a correction of what is not there, by what is of another type, or after which something would have happened
/// twice that can happen once.
fn correctable(
    dossier: &Dossier,
    target: Uuid,
    replacement: Option<&Event>,
    statement: &Statement,
) -> Result<(), Rejection> {
    let wrong =
        |field: &str, kind: ViolationKind| Err(Rejection::Malformed(vec![Violation { field: field.to_owned(), kind }]));
    let Some(target) = dossier.entries.iter().find(|e| e.event_id == target) else {
        return wrong("target_event_id", ViolationKind::NoSuchEvent);
    };
    let told = target.act.event_type();
    match replacement.map(Event::event_type) {
        _ if told == EventType::Late => return wrong("target_event_id", ViolationKind::EngineWrote),
        Some(_) if told == EventType::Corrected => return wrong("replacement", ViolationKind::CorrectionOfCorrection),
        Some(other) if other != told => return wrong("replacement.type", ViolationKind::NotOfEventType(told)),
        _ => {}
    }
    // Which rules are in force does not matter for what can happen once.
    let corrected = corrected(dossier, statement, Reckoned::default(), &Rulebook::new(Zone::UTC));
    let standing = corrected.standing();
    let mut receptions = standing.iter().filter(|e| matches!(e.act, Act::Received(_)));
    let (first, second) = (receptions.next(), receptions.next());
    let dossier = || dossier.code.clone();
    if let (Some(first), Some(_)) = (first, second) {
        return Err(Rejection::DossierExists { dossier: dossier(), received_at: first.occurred_at });
    }
    // Also where no reception stands at the moment: the next one must not find two ends.
    let after_reception = |e: &&Entry| first.is_some_and(|r| e.position > r.position);
    let later = || standing.iter().filter(|e| e.act != Act::Rejected || after_reception(e));
    let mut ends = later().filter(|e| e.act.event_type().ends());
    if let (Some(end), Some(_)) = (ends.next(), ends.next()) {
        let by = end.act.event_type();
        return Err(Rejection::DossierEnded { dossier: dossier(), by, at: end.occurred_at });
    }
    let mut returned = later().filter(|e| e.act == Act::Returned);
    if let (Some(returned), Some(_)) = (returned.next(), returned.next()) {
        return Err(Rejection::AlreadyReturned { dossier: dossier(), at: returned.occurred_at });
    }
    Ok(())
}

/// The dossier as it would be with this correction.
fn corrected(dossier: &Dossier, statement: &Statement, reckoned: Reckoned, rules: &Rulebook) -> Dossier {
    let mut dossier = dossier.clone();
    dossier.evolve(&statement.event, reckoned, candidate(statement, reckoned), &mut rules.clone());
    dossier
}

/// Whether a correction takes away or changes a promise that has passed.
fn corrects_a_passed_due(dossier: &Dossier, proposal: &Proposal, now: Timestamp, rules: &Rulebook) -> bool {
    let (statement, home) = (&proposal.statement, rules.home());
    let corrected = corrected(dossier, statement, proposal.reckoned, &Rulebook::new(*home));
    let after = corrected.standing();
    // Whichever event it is that stands otherwise then: the target, or what a correction that is annulled had changed.
    dossier.standing().iter().any(|before| {
        before.act.due().is_some_and(|due| due.last_moment(home) < now)
            && after.iter().find(|e| e.position == before.position).is_none_or(|e| e.act.due() != before.act.due())
    })
}

/// The position of an event that is being decided: after all others.
const CANDIDATE: u64 = u64::MAX;

/// The entry that an event would be.
fn candidate(statement: &Statement, reckoned: Reckoned) -> Entry {
    Entry {
        position: CANDIDATE,
        recorded_at: Timestamp::MAX,
        occurred_at: statement.occurred_at,
        event_id: statement.event_id,
        fingerprint: 0,
        flags: Flags::default(),
        act: Act::of(&statement.event, reckoned),
    }
}

/// A dossier's history as it would be with one event more.
struct History<'a> {
    entries: Vec<Entry>,
    /// How many letters may give a new promise before the next is flagged.
    reschedulings: u32,
    home: &'a Zone,
    received: Timestamp,
    by_instant: OnceCell<Option<Timeline>>,
}

impl<'a> History<'a> {
    fn with(dossier: &Dossier, statement: &Statement, reckoned: Reckoned, home: &'a Zone) -> History<'a> {
        let standing = dossier.standing();
        let mut entries = Vec::with_capacity(standing.len() + 1);
        entries.extend_from_slice(&standing);
        let received = entries.iter().find(|e| matches!(e.act, Act::Received(_))).map(|e| e.occurred_at);
        entries.push(candidate(statement, reckoned));
        let reschedulings = dossier.pinned.reschedulings;
        let received = received.unwrap_or(statement.occurred_at);
        History { entries, reschedulings, home, received, by_instant: OnceCell::new() }
    }

    fn newest(&self) -> &Entry {
        &self.entries[self.entries.len() - 1]
    }

    fn before(&self) -> &[Entry] {
        &self.entries[..self.entries.len() - 1]
    }

    fn by_date(&self, entries: &[Entry]) -> Option<Timeline> {
        Timeline::fold(entries, self.home, Comparison::Date(self.home))
    }

    /// The whole history to the millisecond, folded once.
    fn by_instant(&self) -> Option<&Timeline> {
        self.by_instant.get_or_init(|| Timeline::fold(&self.entries, self.home, Comparison::Instant)).as_ref()
    }

    fn candidate_ends(&self) -> bool {
        self.newest().act.event_type().ends() || self.newest().act == Act::Returned
    }

    fn logged_late(entries: &[Entry], promise: u32) -> bool {
        entries.iter().any(|e| e.act == Act::Late(promise))
    }

    /// The `Late` of every promise missed by `now` that is not on record.
    fn missed(&self, dossier: &Dossier, now: Timestamp) -> Vec<Proposal> {
        self.by_instant().map_or_else(Vec::new, |timeline| lates(dossier, timeline, now, self.home))
    }

    fn flags(&self) -> Flags {
        let mut flags = Flags::default();
        let candidate = self.newest();
        let t = candidate.occurred_at.max(self.received);
        flags.set(Flag::BeforeReception, candidate.occurred_at < self.received);
        match candidate.act {
            Act::Processed | Act::Withdrawn | Act::Stopped | Act::Rejected => {
                let kept_after_all = self.by_instant().is_some_and(|timeline| {
                    (1..)
                        .zip(&timeline.promises)
                        .any(|(k, p)| p.missed.is_none() && Self::logged_late(self.before(), k))
                });
                flags.set(Flag::ReportedAfterPromise, kept_after_all);
            }
            Act::Returned => {
                let reception = self.entries.iter().position(|e| matches!(e.act, Act::Received(_))).unwrap_or(0);
                let ended = self.before()[reception..].iter().any(|e| e.act.event_type().ends());
                flags.set(Flag::ReturnedUnprocessed, !ended);
            }
            Act::SupplementRequested
            | Act::PaymentRequested(_)
            | Act::Forwarded
            | Act::Supplemented(_)
            | Act::Paid(_) => {
                let end = self.by_date(self.before()).and_then(|timeline| timeline.end);
                flags.set(Flag::AfterEnd, end.is_some_and(|e| e.at <= t));
                let requested = |e: &Entry| e.act == Act::SupplementRequested;
                let again = requested(candidate) && self.before().iter().any(requested);
                flags.set(Flag::SupplementAgain, again);
                flags.set(Flag::AnswerWithoutRequest, self.answers_nothing());
            }
            Act::ApologySent(..) => {
                if let Some(timeline) = self.by_date(&self.entries) {
                    let this = timeline.letters.iter().find(|l| l.position == CANDIDATE);
                    flags.set(Flag::ApologyDefective, this.is_some_and(|l| !l.valid));
                    let giving = timeline.letters.iter().filter(|l| l.gave_promise).count();
                    let again = this.is_some_and(|l| l.gave_promise) && giving > self.reschedulings as usize;
                    flags.set(Flag::RescheduledAgain, again);
                    flags.set(Flag::ApologyAfterResult, timeline.end.is_some_and(|e| e.at <= t));
                }
            }
            Act::Received(_) | Act::Late(_) | Act::Corrected => {}
        }
        flags
    }

    /// Whether the candidate is an answer and no request of its kind stands open at its time.
    fn answers_nothing(&self) -> bool {
        let (request, answer) = match self.newest().act.event_type() {
            EventType::Supplemented => (EventType::SupplementRequested, EventType::Supplemented),
            EventType::Paid => (EventType::PaymentRequested, EventType::Paid),
            _ => return false,
        };
        let t = self.newest().occurred_at.max(self.received);
        let newest = self
            .before()
            .iter()
            .map(|e| (e.occurred_at.max(self.received), e.position, e.act.event_type()))
            .filter(|(.., event_type)| [request, answer].contains(event_type))
            .filter(|(at, ..)| *at <= t)
            .max_by_key(|(at, position, _)| (*at, *position));
        newest.is_none_or(|(.., event_type)| event_type != request)
    }
}

fn lates(dossier: &Dossier, timeline: &Timeline, now: Timestamp, home: &Zone) -> Vec<Proposal> {
    (1..)
        .zip(&timeline.promises)
        .filter(|(k, promise)| promise.missed_by(now) && !History::logged_late(&dossier.entries, *k))
        .map(|(k, promise)| {
            let statement = Statement {
                event_id: late_event_id(&dossier.code, k),
                dossier: dossier.code.clone(),
                occurred_at: promise.due.last_moment(home).plus(1),
                desk: None,
                actor: None,
                event: Event::Late { promise: k, due: promise.due },
            };
            let fingerprint = fingerprint(&statement);
            Proposal { statement, reckoned: Reckoned::default(), flags: Flags::default(), fingerprint }
        })
        .collect()
}

/// The `Late` events that a dossier owes by `now`: one for each promise missed to the millisecond and not on record.
#[must_use]
pub fn overdue(dossier: &Dossier, now: Timestamp, home: &Zone) -> Vec<Proposal> {
    Timeline::fold(&dossier.standing(), home, Comparison::Instant)
        .map_or_else(Vec::new, |timeline| lates(dossier, &timeline, now, home))
}

/// When the next `Late` of a dossier falls due if nothing else happens: `entries` are its events, `by_instant` its history,
/// folded.
#[must_use]
pub fn next_miss(entries: &[Entry], by_instant: &Timeline) -> Option<Timestamp> {
    (1..)
        .zip(&by_instant.promises)
        .filter(|(k, _)| !History::logged_late(entries, *k))
        .filter_map(|(_, promise)| promise.missed)
        .min()
}

/// The same for a dossier that is not folded yet; `home` is the zone of the data directory.
#[must_use]
pub fn alarm(dossier: &Dossier, home: &Zone) -> Option<Timestamp> {
    let by_instant = Timeline::fold(&dossier.standing(), home, Comparison::Instant)?;
    next_miss(&dossier.entries, &by_instant)
}
