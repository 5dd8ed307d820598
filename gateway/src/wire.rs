//! Between the messages of the schemas and the engine's own types. Form only; what an event means is the engine's.

mod targets;

pub use targets::targets;

use crate::messages::questions;
use crate::{messages, pb, rules, tracking};
use dunghen_engine::dossier::{
    ApplicantKind, Code, Command, Due, Event, EventType, Outcome, Rejection, Restated, Statement, Violation,
    ViolationKind,
};
use dunghen_engine::record::{Logged, Record};
use dunghen_engine::rules::Publication;
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{
    self, Figure, Figures, FormAnswer, FormFigures, FormKey, Group, GroupKey, Item, Moment, Obligation, ObligationItem,
    RatesAnswer, Verdict, Why,
};
use dunghen_engine::{Detail, Receipt};
use prost_types::Timestamp as WireTimestamp;
use std::sync::Arc;
use uuid::Uuid;

/// An instant as the schemas have it.
#[must_use]
pub fn timestamp(at: Timestamp) -> WireTimestamp {
    let nanos = i32::try_from(at.0.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
    WireTimestamp { seconds: at.0.div_euclid(1000), nanos }
}

/// An instant of the schemas, floored to milliseconds; `None` outside of the years 1 to 9999 or with wrong nanoseconds.
#[must_use]
pub fn instant(wire: &WireTimestamp) -> Option<Timestamp> {
    if !(0..1_000_000_000).contains(&wire.nanos) {
        return None;
    }
    Timestamp::checked(wire.seconds.checked_mul(1000)?.checked_add(i64::from(wire.nanos / 1_000_000))?)
}

/// An optional code: the empty string means not said.
#[must_use]
pub fn code(text: &str) -> Option<Code> {
    (!text.is_empty()).then(|| Arc::from(text))
}

fn text(code: &Option<Code>) -> String {
    code.as_deref().unwrap_or_default().to_owned()
}

/// What is wrong with a text that is no date or no instant: its form, unless that is right and there is no such day.
pub(crate) fn no_date(text: &str, form: ViolationKind) -> ViolationKind {
    if Date::is_none_of_the_calendar(text) { ViolationKind::NoSuchDate } else { form }
}

/// A due as the schemas have it, in whichever oneof it stands.
enum WireDue<'a> {
    Instant(&'a WireTimestamp),
    Date(&'a str),
}

/// Collects what is wrong while a message is read, so that a clerk sees all of it at once.
struct Reader(Vec<Violation>);

impl Reader {
    fn wrong(&mut self, field: &str, kind: ViolationKind) {
        self.0.push(Violation { field: field.to_owned(), kind });
    }

    fn due(&mut self, fields: (&str, &str), due: Option<WireDue<'_>>) -> Option<Due> {
        match due? {
            WireDue::Instant(wire) => {
                let due = instant(wire).map(Due::Instant);
                if due.is_none() {
                    self.wrong(fields.0, ViolationKind::NotAnInstant);
                }
                due
            }
            WireDue::Date(text) => {
                let due = Date::parse(text).map(Due::Date);
                if due.is_none() {
                    self.wrong(fields.1, no_date(text, ViolationKind::NotADate));
                }
                due
            }
        }
    }
}

const DUE: (&str, &str) = ("due", "due_date");

/// The fields of a restated event, which stand within another.
const WITHIN: &str = "replacement.";

impl Reader {
    fn occurred_at(&mut self, wire: Option<&WireTimestamp>) -> Timestamp {
        match wire.map(instant) {
            Some(Some(at)) => at,
            Some(None) => {
                self.wrong("occurred_at", ViolationKind::NotAnInstant);
                Timestamp(0)
            }
            None => {
                self.wrong("occurred_at", ViolationKind::Missing);
                Timestamp(0)
            }
        }
    }

    /// What happened, of the dossier.
    fn event(&mut self, told: Option<pb::event::Type>, dossier: &str) -> Option<Event> {
        use pb::event::Type as T;
        match told {
            None => {
                self.wrong("type", ViolationKind::NoType);
                None
            }
            Some(T::Received(e)) => {
                use pb::received::Promise as P;
                let due = e.promise.as_ref().map(|p| match p {
                    P::Due(t) => WireDue::Instant(t),
                    P::DueDate(d) => WireDue::Date(d),
                });
                let applicant_kind = match pb::ApplicantKind::try_from(e.applicant_kind) {
                    Ok(pb::ApplicantKind::Unspecified) => None,
                    Ok(pb::ApplicantKind::Citizen) => Some(ApplicantKind::Citizen),
                    Ok(pb::ApplicantKind::Enterprise) => Some(ApplicantKind::Enterprise),
                    Ok(pb::ApplicantKind::Agency) => Some(ApplicantKind::Agency),
                    Ok(pb::ApplicantKind::Other) => Some(ApplicantKind::Other),
                    Err(_) => {
                        self.wrong(
                            "applicant_kind",
                            ViolationKind::NotOneOf(&["citizen", "enterprise", "agency", "other"]),
                        );
                        None
                    }
                };
                Some(Event::Received {
                    unit: e.unit.into(),
                    procedure: code(&e.procedure),
                    field: code(&e.field),
                    channel: code(&e.channel),
                    due: self.due(DUE, due),
                    applicant_kind,
                })
            }
            Some(T::Rejected(e)) => Some(Event::Rejected { unit: code(&e.unit), reason_code: code(&e.reason_code) }),
            Some(T::Forwarded(e)) => {
                use pb::forwarded::Step as P;
                let due = e.step.as_ref().map(|p| match p {
                    P::StepDue(t) => WireDue::Instant(t),
                    P::StepDueDate(d) => WireDue::Date(d),
                });
                let step_due = self.due(("step_due", "step_due_date"), due);
                Some(Event::Forwarded { to_unit: e.to_unit.into(), step_due })
            }
            Some(T::SupplementRequested(e)) => Some(Event::SupplementRequested {
                items: e.items.into_iter().map(Arc::from).collect(),
                reason_code: code(&e.reason_code),
            }),
            Some(T::Supplemented(e)) => {
                use pb::supplemented::Promise as P;
                let due = e.promise.as_ref().map(|p| match p {
                    P::Due(t) => WireDue::Instant(t),
                    P::DueDate(d) => WireDue::Date(d),
                });
                Some(Event::Supplemented { due: self.due(DUE, due) })
            }
            Some(T::PaymentRequested(e)) => Some(Event::PaymentRequested { stops_clock: e.stops_clock }),
            Some(T::Paid(e)) => {
                use pb::paid::Promise as P;
                let due = e.promise.as_ref().map(|p| match p {
                    P::Due(t) => WireDue::Instant(t),
                    P::DueDate(d) => WireDue::Date(d),
                });
                Some(Event::Paid { due: self.due(DUE, due) })
            }
            Some(T::Processed(e)) => {
                let outcome = match pb::Outcome::try_from(e.outcome) {
                    Ok(pb::Outcome::Unspecified | pb::Outcome::Granted) => Outcome::Granted,
                    Ok(pb::Outcome::Refused) => Outcome::Refused,
                    Err(_) => {
                        self.wrong("outcome", ViolationKind::NotOneOf(&["granted", "refused"]));
                        Outcome::Granted
                    }
                };
                Some(Event::Processed { outcome })
            }
            Some(T::Late(e)) => {
                use pb::late::DueKind as P;
                let due = e.due_kind.as_ref().map(|p| match p {
                    P::Due(t) => WireDue::Instant(t),
                    P::DueDate(d) => WireDue::Date(d),
                });
                // The engine refuses it from outside, whatever it says; only a replayed one is sure to have a due.
                let due = self.due(DUE, due).unwrap_or(Due::Date(Date(0)));
                Some(Event::Late { promise: e.promise, due })
            }
            Some(T::ApologySent(e)) => {
                use pb::apology_sent::NewPromise as P;
                let due = e.new_promise.as_ref().map(|p| match p {
                    P::NewDue(t) => WireDue::Instant(t),
                    P::NewDueDate(d) => WireDue::Date(d),
                });
                Some(Event::ApologySent {
                    letter_number: code(&e.letter_number),
                    reason_code: code(&e.reason_code),
                    signer: code(&e.signer),
                    sent_via: code(&e.sent_via),
                    new_due: self.due(("new_due", "new_due_date"), due),
                })
            }
            Some(T::Returned(e)) => Some(Event::Returned { returned_via: code(&e.returned_via) }),
            Some(T::Withdrawn(e)) => Some(Event::Withdrawn { reason_code: code(&e.reason_code) }),
            Some(T::Stopped(e)) => Some(Event::Stopped { reason_code: e.reason_code.into() }),
            Some(T::Corrected(e)) => Some(self.corrected(*e, dossier)),
        }
    }

    /// A correction of the dossier.
    fn corrected(&mut self, e: pb::Corrected, dossier: &str) -> Event {
        use pb::corrected::Correction as C;
        let target_event_id = self.id("target_event_id", &e.target_event_id);
        let replacement = match e.correction {
            Some(C::Annul(true)) => None,
            Some(C::Replacement(event)) => self.restated(*event, dossier).map(Box::new),
            Some(C::Annul(false)) | None => {
                self.wrong("annul", ViolationKind::AnnulOrReplace);
                None
            }
        };
        Event::Corrected { target_event_id, reason_code: e.reason_code.into(), replacement }
    }

    /// What stands in the place of a corrected event. Id and dossier are those of the correction.
    fn restated(&mut self, wire: pb::Event, dossier: &str) -> Option<Restated> {
        let mut within = Reader(Vec::new());
        if !wire.dossier.is_empty() && wire.dossier != dossier {
            within.wrong("dossier", ViolationKind::OtherDossier);
        }
        let occurred_at = within.occurred_at(wire.occurred_at.as_ref());
        let event = match &wire.r#type {
            Some(pb::event::Type::Corrected(_)) => {
                within.wrong("type", ViolationKind::CorrectionOfCorrection);
                None
            }
            _ => within.event(wire.r#type, dossier),
        };
        let names = within.0.into_iter().map(|v| Violation { field: format!("{WITHIN}{}", v.field), ..v });
        self.0.extend(names);
        Some(Restated { occurred_at, desk: code(&wire.desk), actor: code(&wire.actor), event: event? })
    }

    fn id(&mut self, field: &str, text: &str) -> Uuid {
        Uuid::parse_str(text).unwrap_or_else(|_| {
            let kind = if text.is_empty() { ViolationKind::Missing } else { ViolationKind::NotAUuid };
            self.wrong(field, kind);
            Uuid::nil()
        })
    }
}

/// Reads an event. The engine checks lengths and state; here every field is brought into its type.
///
/// # Errors
/// [`Rejection::Malformed`] with every violation found.
pub fn statement(wire: Option<pb::Event>) -> Result<Statement, Rejection> {
    let mut read = Reader(Vec::new());
    let Some(wire) = wire else {
        read.wrong("event", ViolationKind::Missing);
        return Err(Rejection::Malformed(read.0));
    };
    let event_id = read.id("event_id", &wire.event_id);
    if wire.dossier.is_empty() {
        read.wrong("dossier", ViolationKind::Missing);
    }
    let occurred_at = read.occurred_at(wire.occurred_at.as_ref());
    let event = read.event(wire.r#type, &wire.dossier);
    match event {
        Some(event) if read.0.is_empty() => Ok(Statement {
            event_id,
            dossier: wire.dossier.into(),
            occurred_at,
            desk: code(&wire.desk),
            actor: code(&wire.actor),
            event,
        }),
        _ => Err(Rejection::Malformed(read.0)),
    }
}

/// A command from nobody in particular: there are no identities yet.
///
/// # Errors
/// As [`statement`].
pub fn command(event: Option<pb::Event>, expected_version: Option<u32>, imported: bool) -> Result<Command, Rejection> {
    Ok(Command { statement: statement(event)?, expected_version, author: Arc::from(""), imported })
}

/// An event as the schemas have it.
#[must_use]
pub fn event(statement: &Statement) -> pb::Event {
    pb::Event {
        event_id: statement.event_id.to_string(),
        dossier: statement.dossier.to_string(),
        occurred_at: Some(timestamp(statement.occurred_at)),
        desk: text(&statement.desk),
        actor: text(&statement.actor),
        r#type: Some(told(&statement.event)),
    }
}

/// What happened as the schemas have it.
fn told(event: &Event) -> pb::event::Type {
    use pb::event::Type as T;
    macro_rules! due {
        ($due:expr, $oneof:path, $instant:ident, $date:ident) => {{
            use $oneof as Oneof;
            $due.map(|d| match d {
                Due::Instant(t) => Oneof::$instant(timestamp(t)),
                Due::Date(d) => Oneof::$date(d.to_string()),
            })
        }};
    }
    match event {
        Event::Received { unit, procedure, field, channel, due, applicant_kind } => T::Received(pb::Received {
            unit: unit.to_string(),
            procedure: text(procedure),
            field: text(field),
            channel: text(channel),
            promise: due!(due, pb::received::Promise, Due, DueDate),
            applicant_kind: applicant_kind.map_or(pb::ApplicantKind::Unspecified, |k| match k {
                ApplicantKind::Citizen => pb::ApplicantKind::Citizen,
                ApplicantKind::Enterprise => pb::ApplicantKind::Enterprise,
                ApplicantKind::Agency => pb::ApplicantKind::Agency,
                ApplicantKind::Other => pb::ApplicantKind::Other,
            }) as i32,
        }),
        Event::Rejected { unit, reason_code } => {
            T::Rejected(pb::Rejected { unit: text(unit), reason_code: text(reason_code) })
        }
        Event::Forwarded { to_unit, step_due } => T::Forwarded(pb::Forwarded {
            to_unit: to_unit.to_string(),
            step: due!(step_due, pb::forwarded::Step, StepDue, StepDueDate),
        }),
        Event::SupplementRequested { items, reason_code } => T::SupplementRequested(pb::SupplementRequested {
            items: items.iter().map(ToString::to_string).collect(),
            reason_code: text(reason_code),
        }),
        Event::Supplemented { due } => {
            T::Supplemented(pb::Supplemented { promise: due!(due, pb::supplemented::Promise, Due, DueDate) })
        }
        Event::PaymentRequested { stops_clock } => {
            T::PaymentRequested(pb::PaymentRequested { stops_clock: *stops_clock })
        }
        Event::Paid { due } => T::Paid(pb::Paid { promise: due!(due, pb::paid::Promise, Due, DueDate) }),
        Event::Processed { outcome } => T::Processed(pb::Processed {
            outcome: match outcome {
                Outcome::Granted => pb::Outcome::Granted,
                Outcome::Refused => pb::Outcome::Refused,
            } as i32,
        }),
        Event::Late { promise, due } => {
            let due = Some(*due);
            T::Late(pb::Late { promise: *promise, due_kind: due!(due, pb::late::DueKind, Due, DueDate) })
        }
        Event::ApologySent { letter_number, reason_code, signer, sent_via, new_due } => {
            T::ApologySent(pb::ApologySent {
                letter_number: text(letter_number),
                reason_code: text(reason_code),
                signer: text(signer),
                sent_via: text(sent_via),
                new_promise: due!(new_due, pb::apology_sent::NewPromise, NewDue, NewDueDate),
            })
        }
        Event::Returned { returned_via } => T::Returned(pb::Returned { returned_via: text(returned_via) }),
        Event::Withdrawn { reason_code } => T::Withdrawn(pb::Withdrawn { reason_code: text(reason_code) }),
        Event::Stopped { reason_code } => T::Stopped(pb::Stopped { reason_code: reason_code.to_string() }),
        Event::Corrected { target_event_id, reason_code, replacement } => T::Corrected(Box::new(pb::Corrected {
            target_event_id: target_event_id.to_string(),
            reason_code: reason_code.to_string(),
            correction: Some(match replacement {
                None => pb::corrected::Correction::Annul(true),
                Some(restated) => pb::corrected::Correction::Replacement(Box::new(pb::Event {
                    occurred_at: Some(timestamp(restated.occurred_at)),
                    desk: text(&restated.desk),
                    actor: text(&restated.actor),
                    r#type: Some(told(&restated.event)),
                    ..pb::Event::default()
                })),
            }),
        })),
    }
}

/// What the log holds at a position as the schemas have it.
#[must_use]
pub fn logged(logged: &Logged) -> pb::Record {
    match logged {
        Logged::Event(event) => record(event),
        Logged::Rule(rule) => pb::Record {
            position: rule.position,
            recorded_at: Some(timestamp(rule.recorded_at)),
            dossier_version: rule.version,
            author: rule.author.to_string(),
            published: Some(published(&rule.publication, rule.version)),
            ..pb::Record::default()
        },
    }
}

/// A version of a rule as the schemas have it, with its text.
#[must_use]
pub fn published(publication: &Publication, version: u32) -> pb::Published {
    pb::Published {
        kind: publication.rule.kind().name().to_owned(),
        code: publication.code.to_string(),
        version,
        effective_from: publication.effective_from.to_string(),
        text: rules::render(publication),
    }
}

/// A record of an event as the schemas have it.
#[must_use]
pub fn record(record: &Record) -> pb::Record {
    pb::Record {
        position: record.position,
        recorded_at: Some(timestamp(record.recorded_at)),
        dossier_version: record.dossier_version,
        author: record.author.to_string(),
        flags: record.flags.names().into_iter().map(str::to_owned).collect(),
        event: Some(event(&record.statement)),
        reckoned: record.reckoned.due.map(|due| match due {
            Due::Instant(t) => pb::record::Reckoned::ReckonedDue(timestamp(t)),
            Due::Date(d) => pb::record::Reckoned::ReckonedDueDate(d.to_string()),
        }),
        clock_stops: record.reckoned.clock_stops,
        published: None,
    }
}

/// A receipt as the schemas have it.
#[must_use]
pub fn receipt(receipt: &Receipt) -> pb::Receipt {
    pb::Receipt {
        event_id: receipt.event_id.to_string(),
        position: receipt.position,
        recorded_at: Some(timestamp(receipt.recorded_at)),
        dossier_version: receipt.dossier_version,
        duplicate: receipt.duplicate,
        flags: receipt.flags.names().into_iter().map(str::to_owned).collect(),
    }
}

/// A bound of a query.
///
/// # Errors
/// What is wrong with it; the caller knows the field.
pub fn moment(point: Option<pb::TimePoint>) -> Result<Option<Moment>, messages::Text> {
    let Some(kind) = point.and_then(|p| p.kind) else { return Ok(None) };
    let moment = match &kind {
        pb::time_point::Kind::Instant(t) => instant(t).map(Moment::Instant),
        pb::time_point::Kind::Date(d) => Date::parse(d).map(Moment::Date),
    };
    moment.map(Some).ok_or_else(|| match kind {
        pb::time_point::Kind::Date(d) if Date::is_none_of_the_calendar(&d) => questions::no_such_date(),
        _ => questions::no_moment(),
    })
}

/// A bound of a query as the schemas have it.
#[must_use]
pub fn time_point(moment: Moment) -> pb::TimePoint {
    pb::TimePoint {
        kind: Some(match moment {
            Moment::Instant(t) => pb::time_point::Kind::Instant(timestamp(t)),
            Moment::Date(d) => pb::time_point::Kind::Date(d.to_string()),
        }),
    }
}

/// The cut of an answer, as of which its figures stand: what occurs after the period does not count.
#[must_use]
pub fn cut(to: Option<&WireTimestamp>, as_of: Option<&WireTimestamp>) -> Timestamp {
    let as_of = as_of.and_then(instant).unwrap_or(Timestamp::MAX);
    to.and_then(instant).map_or(as_of, |to| as_of.min(to.plus(-1)))
}

fn fraction((part, whole): (u64, u64)) -> Option<f64> {
    // Counts of dossiers stay far below 2^53, up to which a float is exact.
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The integers of a row, with their rates.
#[must_use]
pub fn figures(figures: &Figures) -> pb::Figures {
    let n = |figure| figures.get(figure);
    pb::Figures {
        received: n(Figure::Received),
        resolved: n(Figure::Resolved),
        withdrawn: n(Figure::Withdrawn),
        returned: n(Figure::Returned),
        cohort: n(Figure::Cohort),
        on_time: n(Figure::OnTime),
        late: n(Figure::Late),
        no_deadline: n(Figure::NoDeadline),
        early: n(Figure::Early),
        on_due: n(Figure::OnDue),
        open: n(Figure::Open),
        open_overdue: n(Figure::OpenOverdue),
        open_no_deadline: n(Figure::OpenNoDeadline),
        apology_due: n(Figure::ApologyDue),
        apology_in_time: n(Figure::ApologyInTime),
        apology_late: n(Figure::ApologyLate),
        apology_missing: n(Figure::ApologyMissing),
        apology_defective: n(Figure::ApologyDefective),
        apology_pending: n(Figure::ApologyPending),
        on_time_rate: fraction(figures.on_time_rate()),
        apology_rate: fraction(figures.apology_rate()),
    }
}

/// The integers of a row by their names in JSON, in the order of the contract.
#[must_use]
pub fn named(figures: &pb::Figures) -> [(&'static str, u64); Figure::COUNT] {
    Figure::ALL.map(|(figure, name)| {
        let value = match figure {
            Figure::Received => figures.received,
            Figure::Resolved => figures.resolved,
            Figure::Withdrawn => figures.withdrawn,
            Figure::Returned => figures.returned,
            Figure::Cohort => figures.cohort,
            Figure::OnTime => figures.on_time,
            Figure::Late => figures.late,
            Figure::NoDeadline => figures.no_deadline,
            Figure::Early => figures.early,
            Figure::OnDue => figures.on_due,
            Figure::Open => figures.open,
            Figure::OpenOverdue => figures.open_overdue,
            Figure::OpenNoDeadline => figures.open_no_deadline,
            Figure::ApologyDue => figures.apology_due,
            Figure::ApologyInTime => figures.apology_in_time,
            Figure::ApologyLate => figures.apology_late,
            Figure::ApologyMissing => figures.apology_missing,
            Figure::ApologyDefective => figures.apology_defective,
            Figure::ApologyPending => figures.apology_pending,
        };
        (name, value)
    })
}

/// An answer about rates as the schemas have it.
#[must_use]
pub fn rates(definition: &str, by: &[GroupKey], answer: &RatesAnswer) -> pb::GetRatesResponse {
    let group = |group: &Group| pb::RateGroup {
        key: by
            .iter()
            .zip(&group.key)
            .map(|(key, value)| pb::KeyValue {
                name: key.name().to_owned(),
                value: value.as_ref().map(ToString::to_string),
            })
            .collect(),
        figures: Some(figures(&group.figures)),
    };
    pb::GetRatesResponse {
        definition: definition.to_owned(),
        from: answer.from.map(timestamp),
        to: answer.to.map(timestamp),
        as_of: Some(timestamp(answer.as_of)),
        time_zone: answer.zone.name().to_owned(),
        position: answer.position,
        total: Some(figures(&answer.total)),
        groups: answer.groups.iter().map(group).collect(),
    }
}

/// The integers of a row of the form.
#[must_use]
pub fn form_figures(figures: &FormFigures) -> pb::FormFigures {
    pb::FormFigures {
        total_received: figures.total_received(),
        online: figures.online,
        direct: figures.direct,
        carried_over: figures.carried_over,
        resolved: figures.resolved(),
        early: figures.early,
        on_due: figures.on_due,
        overdue: figures.overdue,
        resolved_no_deadline: figures.resolved_no_deadline,
        in_progress: figures.in_progress(),
        within_due: figures.within_due,
        in_progress_overdue: figures.in_progress_overdue,
        in_progress_no_deadline: figures.in_progress_no_deadline,
        withdrawn: figures.withdrawn,
    }
}

/// The integers of a row of the form by their names in JSON, in the order of the contract.
#[must_use]
pub fn form_named(figures: &pb::FormFigures) -> [(&'static str, u64); FormFigures::COUNT] {
    [
        ("total_received", figures.total_received),
        ("online", figures.online),
        ("direct", figures.direct),
        ("carried_over", figures.carried_over),
        ("resolved", figures.resolved),
        ("early", figures.early),
        ("on_due", figures.on_due),
        ("overdue", figures.overdue),
        ("resolved_no_deadline", figures.resolved_no_deadline),
        ("in_progress", figures.in_progress),
        ("within_due", figures.within_due),
        ("in_progress_overdue", figures.in_progress_overdue),
        ("in_progress_no_deadline", figures.in_progress_no_deadline),
        ("withdrawn", figures.withdrawn),
    ]
}

/// A form as the schemas have it.
#[must_use]
pub fn form(by: FormKey, answer: &FormAnswer) -> pb::GetFormResponse {
    let rows = answer.rows.iter().map(|(value, figures)| pb::FormRow {
        key: Some(pb::KeyValue { name: by.name().to_owned(), value: value.as_ref().map(ToString::to_string) }),
        figures: Some(form_figures(figures)),
    });
    pb::GetFormResponse {
        from: Some(timestamp(answer.from)),
        to: Some(timestamp(answer.to)),
        as_of: Some(timestamp(answer.as_of)),
        time_zone: answer.zone.name().to_owned(),
        position: answer.position,
        total: Some(form_figures(&answer.total)),
        rows: rows.collect(),
    }
}

pub(crate) fn due_fields(due: Option<Due>, home: &Zone) -> (Option<WireTimestamp>, String) {
    let date = match due {
        Some(Due::Date(d)) => d.to_string(),
        _ => String::new(),
    };
    (due.map(|d| timestamp(d.last_moment(home))), date)
}

/// A dossier of a list as the schemas have it.
#[must_use]
pub fn dossier(item: &Item, home: &Zone) -> pb::Dossier {
    let (due, due_date) = due_fields(item.due, home);
    let (first_due, first_due_date) = due_fields(item.first_due, home);
    pb::Dossier {
        dossier: item.dossier.to_string(),
        unit: text(&item.unit),
        procedure: text(&item.procedure),
        field: text(&item.field),
        channel: text(&item.channel),
        state: item.state.name().to_owned(),
        waiting: item.waiting,
        received_at: item.received_at.map(timestamp),
        due,
        due_date,
        first_due,
        first_due_date,
        ended_at: item.ended_at.map(timestamp),
        flags: item.flags.names().into_iter().map(str::to_owned).collect(),
        verdict: item.why.map(|why| verdict(&why, home)),
    }
}

fn verdict(why: &Why, home: &Zone) -> pb::Verdict {
    let (outcome, rule) = match why.verdict {
        Verdict::Early => ("on_time", "early"),
        Verdict::OnDue => ("on_time", "on_due"),
        Verdict::OnTimeAndOpen => ("on_time", "open"),
        Verdict::Late => ("late", "missed"),
        Verdict::LateBySupplement => ("late", "second_supplement"),
        Verdict::NoDeadline => ("no_deadline", "no_promise"),
    };
    let (due, due_date) = due_fields(why.promise.map(|(_, due, _)| due), home);
    let text = messages::why(why, home);
    pb::Verdict {
        outcome: outcome.to_owned(),
        rule: rule.to_owned(),
        moment: Some(timestamp(why.moment)),
        promise: why.promise.map_or(0, |(number, ..)| number),
        due,
        due_date,
        missed_at: why.promise.and_then(|(_, _, missed)| missed).map(timestamp),
        stopped_at: why.stopped_at.map(timestamp),
        text_vi: text.vi,
        text_en: text.en,
    }
}

fn obligation(o: &Obligation) -> pb::Obligation {
    pb::Obligation {
        promise: o.promise,
        missed_at: o.missed_at.map(timestamp),
        deadline: Some(timestamp(o.deadline)),
        decided_at: o.decided_at.map(timestamp),
        state: o.state.name().to_owned(),
        defective: o.defective,
        letter_at: o.letter_at.map(timestamp),
    }
}

/// An obligation of a list as the schemas have it.
#[must_use]
pub fn dossier_obligation(item: &ObligationItem, home: &Zone) -> pb::DossierObligation {
    let (due, due_date) = due_fields(Some(item.obligation.due), home);
    pb::DossierObligation {
        dossier: item.dossier.to_string(),
        unit: text(&item.keys.unit),
        procedure: text(&item.keys.procedure),
        field: text(&item.keys.field),
        channel: text(&item.keys.channel),
        due,
        due_date,
        obligation: Some(obligation(&item.obligation)),
        window_closed: item.window_closed,
        left_working_ms: item.left_ms,
        reason_code: text(&item.reason_code),
        objective: item.objective,
    }
}

/// All about a dossier as the schemas have it, with why it is due when it is if that was asked for.
#[must_use]
pub fn detail(detail: &Detail, explain: bool, home: &Zone) -> pb::GetDossierResponse {
    let promises = detail.promises.iter().map(|p| {
        let (due, due_date) = due_fields(Some(p.due), home);
        pb::Promise {
            number: p.number,
            due,
            due_date,
            given_at: Some(timestamp(p.given_at)),
            missed_at: p.missed_at.map(timestamp),
            missed_at_instant: p.missed_at_instant.map(timestamp),
            current: p.current,
            held_by: text(&p.held_by),
            held_by_instant: text(&p.held_by_instant),
        }
    });
    let (step_due, step_due_date) = due_fields(detail.slip.step_due(), home);
    let explained = explain.then(|| views::explain(&detail.dossier, &detail.history, home, detail.as_of)).flatten();
    pb::GetDossierResponse {
        dossier: Some(dossier(&detail.item, home)),
        promises: promises.collect(),
        obligations: detail.obligations.iter().map(obligation).collect(),
        history: detail.history.iter().map(record).collect(),
        position: detail.position,
        as_of: Some(timestamp(detail.as_of)),
        time_zone: home.name().to_owned(),
        holder: text(&detail.slip.holder),
        step_due,
        step_due_date,
        slip: tracking::slip(&detail.slip, home),
        explanation: explained.map(|why| tracking::explanation(&why, home)),
    }
}

/// The type of an event of the schemas.
#[must_use]
pub fn event_type(event: &pb::Event) -> Option<EventType> {
    use pb::event::Type as T;
    Some(match event.r#type.as_ref()? {
        T::Received(_) => EventType::Received,
        T::Rejected(_) => EventType::Rejected,
        T::Forwarded(_) => EventType::Forwarded,
        T::SupplementRequested(_) => EventType::SupplementRequested,
        T::Supplemented(_) => EventType::Supplemented,
        T::PaymentRequested(_) => EventType::PaymentRequested,
        T::Paid(_) => EventType::Paid,
        T::Processed(_) => EventType::Processed,
        T::Late(_) => EventType::Late,
        T::ApologySent(_) => EventType::ApologySent,
        T::Returned(_) => EventType::Returned,
        T::Withdrawn(_) => EventType::Withdrawn,
        T::Stopped(_) => EventType::Stopped,
        T::Corrected(_) => EventType::Corrected,
    })
}
