//! The JSON of the contract: events in, answers out. Field names and their order are what others script against.

mod targets;

pub use targets::targets;

use crate::{pb, wire};
use dunghen_engine::dossier::{
    ApplicantKind, Code, Due, Event, EventType, Outcome, Rejection, Restated, Statement, Violation, ViolationKind,
};
use dunghen_engine::time::{Date, Timestamp};
use prost_types::Timestamp as WireTimestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// The engine's fields on a replayed record; on the way in they are ignored.
const ENGINE_FIELDS: [&str; 8] = [
    "position",
    "recorded_at",
    "dossier_version",
    "author",
    "flags",
    "reckoned_due",
    "reckoned_due_date",
    "clock_stops",
];

/// What a rule is called among the types of records.
pub const PUBLISHED: &str = "Published";

/// A line of NDJSON, read.
#[derive(Debug)]
pub enum Line {
    /// An event.
    Event(Statement),
    /// A `Late` of a replayed file: the engine writes its own.
    ReplayedLate,
    /// A rule of a replayed file, as a file of rules: it is published, not recorded.
    ReplayedRule(String),
    /// Not an event; with its id if the line has one.
    Refused(Option<String>, Rejection),
}

/// Takes the fields of an object one by one, and knows which were not taken.
struct Object {
    fields: Map<String, Value>,
    wrong: Vec<Violation>,
}

impl Object {
    fn wrong(&mut self, field: &str, kind: ViolationKind) {
        self.wrong.push(Violation { field: field.to_owned(), kind });
    }

    /// The value of a field; `null` means absent.
    fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field).filter(|v| !v.is_null())
    }

    /// The text of a field; the empty text means absent.
    fn text(&mut self, field: &str) -> Option<String> {
        match self.take(field)? {
            Value::String(text) => (!text.is_empty()).then_some(text),
            _ => {
                self.wrong(field, ViolationKind::NotOfType("string"));
                None
            }
        }
    }

    fn code(&mut self, field: &str) -> Option<Code> {
        self.text(field).map(Arc::from)
    }

    fn required(&mut self, field: &str) -> Code {
        let before = self.wrong.len();
        let code = self.code(field);
        if code.is_none() && self.wrong.len() == before {
            self.wrong(field, ViolationKind::Missing);
        }
        code.unwrap_or_else(|| Arc::from(""))
    }

    fn due(&mut self, instant: &'static str, date: &'static str) -> Option<Due> {
        let (at, on) = (self.text(instant), self.text(date));
        if at.is_some() && on.is_some() {
            self.wrong(instant, ViolationKind::BothDues);
            return None;
        }
        if let Some(text) = at {
            let due = Timestamp::parse(&text).map(Due::Instant);
            if due.is_none() {
                self.wrong(instant, wire::no_date(&text, ViolationKind::NotAnInstant));
            }
            return due;
        }
        let text = on?;
        let due = Date::parse(&text).map(Due::Date);
        if due.is_none() {
            self.wrong(date, wire::no_date(&text, ViolationKind::NotADate));
        }
        due
    }

    fn one_of<T>(&mut self, field: &str, parse: fn(&str) -> Option<T>, names: &'static [&'static str]) -> Option<T> {
        let text = self.text(field)?;
        let value = parse(&text);
        if value.is_none() {
            self.wrong(field, ViolationKind::NotOneOf(names));
        }
        value
    }

    fn flag(&mut self, field: &str) -> bool {
        match self.take(field) {
            None => false,
            Some(Value::Bool(value)) => value,
            Some(_) => {
                self.wrong(field, ViolationKind::NotOfType("boolean"));
                false
            }
        }
    }

    fn id(&mut self, field: &str) -> Uuid {
        let text = self.required(field);
        Uuid::parse_str(&text).unwrap_or_else(|_| {
            if !text.is_empty() {
                self.wrong(field, ViolationKind::NotAUuid);
            }
            Uuid::nil()
        })
    }

    fn occurred_at(&mut self) -> Timestamp {
        let text = self.required("occurred_at");
        Timestamp::parse(&text).unwrap_or_else(|| {
            if !text.is_empty() {
                self.wrong("occurred_at", wire::no_date(&text, ViolationKind::NotAnInstant));
            }
            Timestamp(0)
        })
    }

    /// What was not taken belongs to no event of this type.
    fn nothing_left(&mut self) {
        let unknown: Vec<String> = self.fields.iter().filter(|(_, v)| !v.is_null()).map(|(k, _)| k.clone()).collect();
        for field in unknown {
            self.wrong(&field, ViolationKind::Unknown);
        }
    }

    fn items(&mut self, field: &str) -> Vec<Code> {
        match self.take(field) {
            None => Vec::new(),
            Some(Value::Array(values)) if values.iter().all(Value::is_string) => {
                values.iter().filter_map(Value::as_str).map(Arc::from).collect()
            }
            Some(_) => {
                self.wrong(field, ViolationKind::NotOfType("array of strings"));
                Vec::new()
            }
        }
    }
}

/// Reads a line of NDJSON as contract.md section 1 describes it.
#[must_use]
pub fn line(text: &str) -> Line {
    let fields = match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return not_json("not an object"),
        Err(e) => return not_json(&e.to_string()),
    };
    if fields.get("position").is_some_and(|p| !p.is_null()) {
        match fields.get("type").and_then(Value::as_str) {
            Some(name) if name == EventType::Late.name() => return Line::ReplayedLate,
            Some(PUBLISHED) => {
                let rule = fields.get("rule").and_then(Value::as_str).unwrap_or_default();
                return Line::ReplayedRule(rule.to_owned());
            }
            _ => {}
        }
    }
    let id = fields.get("event_id").and_then(Value::as_str).map(str::to_owned);
    let mut object = Object { fields, wrong: Vec::new() };
    for field in ENGINE_FIELDS {
        object.fields.remove(field);
    }
    match statement(&mut object) {
        Some(statement) if object.wrong.is_empty() => Line::Event(statement),
        _ => Line::Refused(id, Rejection::Malformed(object.wrong)),
    }
}

fn not_json(said: &str) -> Line {
    let kind = ViolationKind::NotJson(said.to_owned());
    Line::Refused(None, Rejection::Malformed(vec![Violation { field: "line".to_owned(), kind }]))
}

fn statement(object: &mut Object) -> Option<Statement> {
    let event_type = event_type(object)?;
    let event_id = object.id("event_id");
    let dossier = object.required("dossier");
    let occurred_at = object.occurred_at();
    let (desk, actor) = (object.code("desk"), object.code("actor"));
    let event = own_event(object, event_type, &dossier);
    object.nothing_left();
    Some(Statement { event_id, dossier, occurred_at, desk, actor, event })
}

fn event_type(object: &mut Object) -> Option<EventType> {
    let name = object.required("type");
    let event_type = EventType::parse(&name);
    if event_type.is_none() && !name.is_empty() {
        // Which fields belong to an unknown type nobody can say.
        object.wrong("type", ViolationKind::UnknownType);
    }
    event_type
}

/// What stands in the place of a corrected event: an event without an id, in an object of its own.
fn restated(outer: &mut Object, value: Value, dossier: &str) -> Option<Restated> {
    let Value::Object(fields) = value else {
        outer.wrong("replacement", ViolationKind::NotOfType("object"));
        return None;
    };
    let mut object = Object { fields, wrong: Vec::new() };
    // Whoever copies the original from a replay has these; the correction has its own.
    for field in ENGINE_FIELDS {
        object.fields.remove(field);
    }
    if object.text("event_id").is_some_and(|id| Uuid::parse_str(&id).is_err()) {
        object.wrong("event_id", ViolationKind::NotAUuid);
    }
    let restated = restated_event(&mut object, dossier);
    let names = object.wrong.into_iter().map(|v| Violation { field: format!("replacement.{}", v.field), ..v });
    outer.wrong.extend(names);
    restated
}

fn restated_event(object: &mut Object, dossier: &str) -> Option<Restated> {
    if object.text("dossier").is_some_and(|named| named != dossier) {
        object.wrong("dossier", ViolationKind::OtherDossier);
    }
    let event_type = event_type(object)?;
    if event_type == EventType::Corrected {
        object.wrong("type", ViolationKind::CorrectionOfCorrection);
        return None;
    }
    let occurred_at = object.occurred_at();
    let (desk, actor) = (object.code("desk"), object.code("actor"));
    let event = own_event(object, event_type, dossier);
    object.nothing_left();
    Some(Restated { occurred_at, desk, actor, event })
}

/// The event, of the fields of its own type.
fn own_event(object: &mut Object, event_type: EventType, dossier: &str) -> Event {
    match event_type {
        EventType::Received => Event::Received {
            unit: object.required("unit"),
            procedure: object.code("procedure"),
            field: object.code("field"),
            channel: object.code("channel"),
            due: object.due("due", "due_date"),
            applicant_kind: object.one_of(
                "applicant_kind",
                ApplicantKind::parse,
                &["citizen", "enterprise", "agency", "other"],
            ),
        },
        EventType::Rejected => Event::Rejected { unit: object.code("unit"), reason_code: object.code("reason_code") },
        EventType::Forwarded => {
            Event::Forwarded { to_unit: object.required("to_unit"), step_due: object.due("step_due", "step_due_date") }
        }
        EventType::SupplementRequested => {
            Event::SupplementRequested { items: object.items("items"), reason_code: object.code("reason_code") }
        }
        EventType::Supplemented => Event::Supplemented { due: object.due("due", "due_date") },
        EventType::PaymentRequested => Event::PaymentRequested { stops_clock: object.flag("stops_clock") },
        EventType::Paid => Event::Paid { due: object.due("due", "due_date") },
        EventType::Processed => Event::Processed {
            outcome: object.one_of("outcome", Outcome::parse, &["granted", "refused"]).unwrap_or_default(),
        },
        EventType::Late => {
            // Refused by the engine whatever it says.
            for field in ["promise", "due", "due_date"] {
                object.fields.remove(field);
            }
            Event::Late { promise: 0, due: Due::Date(Date(0)) }
        }
        EventType::ApologySent => Event::ApologySent {
            letter_number: object.code("letter_number"),
            reason_code: object.code("reason_code"),
            signer: object.code("signer"),
            sent_via: object.code("sent_via"),
            new_due: object.due("new_due", "new_due_date"),
        },
        EventType::Returned => Event::Returned { returned_via: object.code("returned_via") },
        EventType::Withdrawn => Event::Withdrawn { reason_code: object.code("reason_code") },
        EventType::Stopped => Event::Stopped { reason_code: object.required("reason_code") },
        EventType::Corrected => {
            let target_event_id = object.id("target_event_id");
            let reason_code = object.required("reason_code");
            let (annul, replacement) = (object.flag("annul"), object.take("replacement"));
            if annul == replacement.is_some() {
                object.wrong("annul", ViolationKind::AnnulOrReplace);
            }
            let replacement = replacement.and_then(|value| restated(object, value, dossier)).map(Box::new);
            Event::Corrected { target_event_id, reason_code, replacement }
        }
    }
}

pub(crate) fn time(at: Option<&WireTimestamp>) -> Value {
    at.and_then(wire::instant).map_or(Value::Null, |t| Value::String(t.to_string()))
}

pub(crate) fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) }
}

/// A record as a line of `replay`: all fields of contract.md section 1; what was not said is left out.
#[must_use]
pub fn record(record: &pb::Record) -> Value {
    let mut out = Map::new();
    if let Some(published) = &record.published {
        return json!({
            "position": record.position,
            "recorded_at": time(record.recorded_at.as_ref()),
            "author": record.author,
            "type": PUBLISHED,
            "kind": published.kind,
            "code": published.code,
            "version": published.version,
            "effective_from": published.effective_from,
            "rule": published.text,
        });
    }
    let event = record.event.clone().unwrap_or_default();
    out.insert("position".into(), record.position.into());
    out.insert("recorded_at".into(), time(record.recorded_at.as_ref()));
    out.insert("dossier_version".into(), record.dossier_version.into());
    out.insert("author".into(), Value::String(record.author.clone()));
    out.insert("flags".into(), json!(record.flags));
    out.insert("event_id".into(), Value::String(event.event_id.clone()));
    out.insert("dossier".into(), Value::String(event.dossier.clone()));
    let event_type = wire::event_type(&event).map_or("", EventType::name);
    out.insert("type".into(), Value::String(event_type.to_owned()));
    out.insert("occurred_at".into(), time(event.occurred_at.as_ref()));
    match &record.reckoned {
        Some(pb::record::Reckoned::ReckonedDue(at)) => out.insert("reckoned_due".into(), time(Some(at))),
        Some(pb::record::Reckoned::ReckonedDueDate(day)) => out.insert("reckoned_due_date".into(), json!(day)),
        None => None,
    };
    if record.clock_stops {
        out.insert("clock_stops".into(), json!(true));
    }
    // What a later server says and this program does not understand is shown by its general fields alone.
    if let Ok(statement) = wire::statement(Some(event)) {
        own_fields(&statement.event, &statement.desk, &statement.actor, &mut out);
    }
    Value::Object(out)
}

/// The fields of an event that belong to its type, and desk and actor.
fn own_fields(event: &Event, desk: &Option<Code>, actor: &Option<Code>, out: &mut Map<String, Value>) {
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    let mut codes: Vec<(&str, &Option<Code>)> = vec![("desk", desk), ("actor", actor)];
    match event {
        Event::Received { unit, procedure, field, channel, applicant_kind, .. } => {
            put("unit", json!(**unit));
            codes.extend([("procedure", procedure), ("field", field), ("channel", channel)]);
            if let Some(kind) = applicant_kind {
                put("applicant_kind", json!(kind.name()));
            }
        }
        Event::Rejected { unit, reason_code } => codes.extend([("unit", unit), ("reason_code", reason_code)]),
        Event::Forwarded { to_unit, .. } => {
            put("to_unit", json!(**to_unit));
        }
        Event::SupplementRequested { items, reason_code } => {
            if !items.is_empty() {
                put("items", items.iter().map(|item| json!(**item)).collect());
            }
            codes.push(("reason_code", reason_code));
        }
        Event::PaymentRequested { stops_clock } => {
            put("stops_clock", json!(stops_clock));
        }
        Event::Processed { outcome } => {
            put("outcome", json!(outcome.name()));
        }
        Event::Late { promise, .. } => {
            put("promise", json!(promise));
        }
        Event::ApologySent { letter_number, reason_code, signer, sent_via, .. } => codes.extend([
            ("letter_number", letter_number),
            ("reason_code", reason_code),
            ("signer", signer),
            ("sent_via", sent_via),
        ]),
        Event::Returned { returned_via } => codes.push(("returned_via", returned_via)),
        Event::Withdrawn { reason_code } => codes.push(("reason_code", reason_code)),
        Event::Stopped { reason_code } => {
            put("reason_code", json!(**reason_code));
        }
        Event::Corrected { target_event_id, reason_code, replacement } => {
            put("target_event_id", json!(target_event_id.to_string()));
            put("reason_code", json!(**reason_code));
            match replacement {
                None => put("annul", json!(true)),
                Some(restated) => {
                    let mut inner = Map::new();
                    inner.insert("type".into(), json!(restated.event.event_type().name()));
                    inner.insert("occurred_at".into(), json!(restated.occurred_at.to_string()));
                    own_fields(&restated.event, &restated.desk, &restated.actor, &mut inner);
                    put("replacement", Value::Object(inner))
                }
            };
        }
        Event::Supplemented { .. } | Event::Paid { .. } => {}
    }
    for (name, code) in codes {
        if let Some(code) = code {
            put(name, json!(**code));
        }
    }
    match event.due() {
        Some((name, Due::Instant(t))) => put(name, json!(t.to_string())),
        Some((name, Due::Date(d))) => put(name, json!(d.to_string())),
        None => None,
    };
}

/// A receipt as a line of `record`.
#[must_use]
pub fn receipt(receipt: &pb::Receipt) -> Value {
    json!({
        "event_id": receipt.event_id,
        "position": receipt.position,
        "recorded_at": time(receipt.recorded_at.as_ref()),
        "dossier_version": receipt.dossier_version,
        "duplicate": receipt.duplicate,
        "flags": receipt.flags,
    })
}

fn figures(figures: Option<&pb::Figures>) -> Map<String, Value> {
    let figures = figures.copied().unwrap_or_default();
    let mut out: Map<String, Value> =
        wire::named(&figures).into_iter().map(|(n, v)| (n.to_owned(), v.into())).collect();
    out.insert("on_time_rate".into(), json!(figures.on_time_rate));
    out.insert("apology_rate".into(), json!(figures.apology_rate));
    out
}

/// The figures of a group, after the key that they stand for.
fn keyed<'a>(key: impl IntoIterator<Item = &'a pb::KeyValue>, figures: Map<String, Value>) -> Value {
    let key: Map<String, Value> = key.into_iter().map(|k| (k.name.clone(), json!(k.value))).collect();
    let mut out = Map::new();
    out.insert("key".into(), Value::Object(key));
    out.extend(figures);
    Value::Object(out)
}

/// The answer of `rates`.
#[must_use]
pub fn rates(answer: &pb::GetRatesResponse) -> Value {
    let groups = answer.groups.iter().map(|group| keyed(&group.key, figures(group.figures.as_ref())));
    json!({
        "definition": answer.definition,
        "from": time(answer.from.as_ref()),
        "to": time(answer.to.as_ref()),
        "as_of": time(answer.as_of.as_ref()),
        "time_zone": answer.time_zone,
        "position": answer.position,
        "total": figures(answer.total.as_ref()),
        "groups": groups.collect::<Vec<_>>(),
    })
}

/// Form II.06a of a period of this name.
#[must_use]
pub fn form(period: &str, answer: &pb::GetFormResponse) -> Value {
    let integers = |figures: Option<&pb::FormFigures>| -> Map<String, Value> {
        let figures = figures.copied().unwrap_or_default();
        wire::form_named(&figures).into_iter().map(|(name, n)| (name.to_owned(), n.into())).collect()
    };
    let rows = answer.rows.iter().map(|row| keyed(&row.key, integers(row.figures.as_ref())));
    json!({
        "period": period,
        "from": time(answer.from.as_ref()),
        "to": time(answer.to.as_ref()),
        "as_of": time(answer.as_of.as_ref()),
        "time_zone": answer.time_zone,
        "position": answer.position,
        "rows": rows.collect::<Vec<_>>(),
        "total": integers(answer.total.as_ref()),
    })
}

/// A dossier of a list.
#[must_use]
pub fn dossier(dossier: &pb::Dossier) -> Value {
    json!({
        "dossier": dossier.dossier,
        "unit": text(&dossier.unit),
        "procedure": text(&dossier.procedure),
        "field": text(&dossier.field),
        "channel": text(&dossier.channel),
        "state": dossier.state,
        "waiting": dossier.waiting,
        "received_at": time(dossier.received_at.as_ref()),
        "due": time(dossier.due.as_ref()),
        "due_date": text(&dossier.due_date),
        "first_due": time(dossier.first_due.as_ref()),
        "first_due_date": text(&dossier.first_due_date),
        "ended_at": time(dossier.ended_at.as_ref()),
        "flags": dossier.flags,
        "verdict": dossier.verdict.as_ref().map(verdict),
    })
}

fn verdict(verdict: &pb::Verdict) -> Value {
    json!({
        "outcome": verdict.outcome,
        "rule": verdict.rule,
        "moment": time(verdict.moment.as_ref()),
        "promise": (verdict.promise > 0).then_some(verdict.promise),
        "due": time(verdict.due.as_ref()),
        "due_date": text(&verdict.due_date),
        "missed_at": time(verdict.missed_at.as_ref()),
        "stopped_at": time(verdict.stopped_at.as_ref()),
        "text_vi": verdict.text_vi,
        "text_en": verdict.text_en,
    })
}

fn obligation(o: &pb::Obligation) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("promise".into(), json!(o.promise));
    out.insert("missed_at".into(), time(o.missed_at.as_ref()));
    out.insert("deadline".into(), time(o.deadline.as_ref()));
    out.insert("decided_at".into(), time(o.decided_at.as_ref()));
    out.insert("state".into(), json!(o.state));
    out.insert("defective".into(), json!(o.defective));
    out.insert("letter_at".into(), time(o.letter_at.as_ref()));
    out
}

/// The answer of `obligations`.
#[must_use]
pub fn obligations(answer: &pb::ListObligationsResponse) -> Value {
    let rows = answer.obligations.iter().map(|row| {
        let mut out = Map::new();
        out.insert("dossier".into(), json!(row.dossier));
        for (name, value) in
            [("unit", &row.unit), ("procedure", &row.procedure), ("field", &row.field), ("channel", &row.channel)]
        {
            out.insert(name.into(), text(value));
        }
        out.extend(obligation(&row.obligation.clone().unwrap_or_default()));
        out.insert("due".into(), time(row.due.as_ref()));
        out.insert("due_date".into(), text(&row.due_date));
        out.insert("window_closed".into(), json!(row.window_closed));
        out.insert("left_working_ms".into(), json!(row.left_working_ms));
        out.insert("reason_code".into(), text(&row.reason_code));
        out.insert("objective".into(), json!(row.objective));
        Value::Object(out)
    });
    json!({
        "obligations": rows.collect::<Vec<_>>(),
        "next_page_token": answer.next_page_token,
        "position": answer.position,
        "as_of": time(answer.as_of.as_ref()),
        "time_zone": answer.time_zone,
    })
}

/// The answer of `dossiers`.
#[must_use]
pub fn dossiers(answer: &pb::ListDossiersResponse) -> Value {
    json!({
        "dossiers": answer.dossiers.iter().map(dossier).collect::<Vec<_>>(),
        "next_page_token": answer.next_page_token,
        "position": answer.position,
        "as_of": time(answer.as_of.as_ref()),
        "time_zone": answer.time_zone,
    })
}

/// The answer of `dossier CODE`.
#[must_use]
pub fn detail(answer: &pb::GetDossierResponse) -> Value {
    let mut out = match dossier(&answer.dossier.clone().unwrap_or_default()) {
        Value::Object(out) => out,
        other => return other,
    };
    let promises = answer.promises.iter().map(|p| {
        json!({
            "number": p.number,
            "due": time(p.due.as_ref()),
            "due_date": text(&p.due_date),
            "given_at": time(p.given_at.as_ref()),
            "missed_at": time(p.missed_at.as_ref()),
            "missed_at_instant": time(p.missed_at_instant.as_ref()),
            "current": p.current,
            "held_by": text(&p.held_by),
            "held_by_instant": text(&p.held_by_instant),
        })
    });
    out.insert("holder".into(), text(&answer.holder));
    out.insert("step_due".into(), time(answer.step_due.as_ref()));
    out.insert("step_due_date".into(), text(&answer.step_due_date));
    out.insert("promises".into(), promises.collect());
    out.insert("obligations".into(), answer.obligations.iter().map(|o| Value::Object(obligation(o))).collect());
    out.insert("history".into(), answer.history.iter().map(record).collect());
    out.insert("position".into(), answer.position.into());
    out.insert("as_of".into(), time(answer.as_of.as_ref()));
    Value::Object(out)
}

/// The answer of `publish`.
#[must_use]
pub fn published(answer: &pb::PublishResponse) -> Value {
    let rules = answer.rules.iter().map(|rule| {
        json!({
            "kind": rule.kind,
            "code": rule.code,
            "version": rule.version,
            "position": rule.position,
            "duplicate": rule.duplicate,
        })
    });
    let notes = answer
        .notes
        .iter()
        .map(|note| json!({"kind": note.kind, "code": note.code, "text_vi": note.text_vi, "text_en": note.text_en}));
    json!({ "published": rules.collect::<Vec<_>>(), "notes": notes.collect::<Vec<_>>() })
}

/// A version of a rule.
#[must_use]
pub fn rule(version: &pb::RuleVersion) -> Value {
    let rule = version.rule.clone().unwrap_or_default();
    json!({
        "kind": rule.kind,
        "code": rule.code,
        "version": rule.version,
        "effective_from": rule.effective_from,
        "built_in": version.built_in,
        "position": version.position,
        "recorded_at": time(version.recorded_at.as_ref()),
        "name_vi": text(&version.name_vi),
        "name_en": text(&version.name_en),
        "rule": rule.text,
    })
}

/// The answer of `rules list`.
#[must_use]
pub fn rules(answer: &pb::ListRulesResponse) -> Value {
    json!({
        "rules": answer.rules.iter().map(rule).collect::<Vec<_>>(),
        "position": answer.position,
        "time_zone": answer.time_zone,
    })
}
