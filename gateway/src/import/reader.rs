//! Row by row: which dossier, which events; then their order and their ids.
//!
//! It knows nothing of what is recorded already, nor how the rows are written in the file. A row is taken whole or
//! rejected; an event of a row likewise; nothing that the file says disappears without a reject, a filter or an `ignore`.

use super::mapping::{Shape, Unlisted};
use super::plan::{Plan, PlannedRule, Source};
use super::rows::{Row, trimmed};
use super::value::Value;
use super::{Case, Prepared, Reject};
use crate::messages::{Text, import as say};
use csv::StringRecord;
use dunghen_engine::dossier::{Code, Due, Event, EventType, MAX_DOSSIER_CHARS, Statement, check};
use dunghen_engine::time::Timestamp;
use std::collections::HashMap;
use std::sync::LazyLock;
use uuid::Uuid;

const MISSING: &str = "FIELD_MISSING";
pub(super) const INVALID: &str = "FIELD_INVALID";
/// Of the ids of imported events.
static NAMESPACE: LazyLock<Uuid> = LazyLock::new(|| Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"dunghen"));

/// An event before it has an id. One that was rejected keeps its place, so that the ids of the others stay the same
/// when the row has been corrected and the file is imported again.
struct Draft {
    event_type: EventType,
    occurred_at: Timestamp,
    line: u64,
    statement: Option<Statement>,
}

/// One dossier while the file is being read.
struct Gathered {
    dossier: Code,
    line: u64,
    /// By the plan's case slots: the first text that was not empty, and its line.
    values: Vec<Option<(String, u64)>>,
    drafts: Vec<Draft>,
}

/// The trace whose events are the rows.
#[derive(Clone, Copy)]
pub(super) struct Trace {
    pub(super) line: u64,
    /// It has no events: its one row holds its own attributes alone.
    pub(super) bare: bool,
    /// That it names no dossier has been said.
    pub(super) refused: bool,
}

/// Rows become dossiers with their events: those of a whole CSV file, or those of one trace after the other.
pub(super) struct Import<'p> {
    plan: &'p Plan<'p>,
    pub(super) rows: u64,
    pub(super) trace: Option<Trace>,
    cases: Vec<Gathered>,
    by_code: HashMap<Code, usize>,
    rejects: Vec<Reject>,
}

impl<'p> Import<'p> {
    pub(super) fn new(plan: &'p Plan<'p>) -> Import<'p> {
        Import { plan, rows: 0, trace: None, cases: Vec::new(), by_code: HashMap::new(), rejects: Vec::new() }
    }

    pub(super) fn reject(&mut self, line: u64, dossier: Option<&str>, reason: &'static str, message: Text) {
        self.rejects.push(Reject { line, dossier: dossier.map(str::to_owned), reason, message });
    }

    /// The reject of a row that names no dossier: once a trace, if it is the trace that should name it.
    fn no_dossier(&mut self, line: u64, reason: &'static str, message: Text) {
        let line = match &mut self.trace {
            Some(trace) if self.plan.is_of_trace(self.plan.dossier) => {
                if std::mem::replace(&mut trace.refused, true) {
                    return;
                }
                trace.line
            }
            _ => line,
        };
        self.reject(line, None, reason, message);
    }

    /// The dossier of a row that is broken elsewhere.
    pub(super) fn dossier_of<'c>(&self, cell: Option<&'c [u8]>) -> Option<&'c str> {
        let dossier = cell.and_then(|c| std::str::from_utf8(c).ok()).map(trimmed);
        dossier.filter(|d| !d.is_empty() && d.chars().count() <= MAX_DOSSIER_CHARS)
    }

    pub(super) fn row(&mut self, line: u64, row: Row) {
        self.rows += 1;
        let plan = self.plan;
        let cells = match row {
            Row::Cells(cells) => cells,
            Row::Broken(cells, message) => {
                let dossier = self.dossier_of(cells.get(plan.dossier));
                return self.reject(line, dossier, INVALID, message);
            }
        };
        if !plan.filters.iter().all(|(condition, slot)| condition.holds(plan.read(&cells, *slot))) {
            return;
        }
        let code = plan.cell(&cells, plan.dossier);
        if code.is_empty() || plan.mapping.empty.iter().any(|e| e == code) {
            return self.no_dossier(line, MISSING, say::no_dossier());
        }
        if code.chars().count() > MAX_DOSSIER_CHARS || code.trim().is_empty() || code.chars().any(char::is_control) {
            return self.no_dossier(line, INVALID, say::bad_dossier(code));
        }
        let mut row_rules: Vec<&PlannedRule<'p>> = Vec::new();
        let bare = self.trace.is_some_and(|t| t.bare);
        if let (Shape::Long { ignore, unlisted, .. }, Some(column), false) =
            (&plan.mapping.shape, plan.type_column, bare)
        {
            let what = plan.cell(&cells, column);
            let listed = |r: &&PlannedRule<'p>| r.rule.when.as_ref().is_some_and(|w| w.iter().any(|v| v == what));
            row_rules.extend(plan.rules.iter().filter(listed));
            if row_rules.is_empty() && *unlisted == Unlisted::Reject && !ignore.iter().any(|v| v == what) {
                let (reason, message) = if what.is_empty() {
                    (MISSING, say::says_nothing())
                } else {
                    ("UNKNOWN_TYPE", say::unlisted(what))
                };
                return self.reject(line, Some(code), reason, message);
            }
        }
        if let Some(&known) = self.by_code.get(code) {
            if let Err(message) = self.conflict(known, &cells) {
                return self.reject(line, Some(code), INVALID, message);
            }
        } else {
            let dossier: Code = code.into();
            self.by_code.insert(dossier.clone(), self.cases.len());
            let values = vec![None; plan.case_slots.len()];
            let line = self.trace.map_or(line, |t| t.line);
            self.cases.push(Gathered { dossier, line, values, drafts: Vec::new() });
        }
        let Some(&index) = self.by_code.get(code) else { return };
        let case = &mut self.cases[index];
        for (value, slot) in case.values.iter_mut().zip(&plan.case_slots) {
            if value.is_none() {
                let line = self.trace.filter(|_| plan.reads_trace(*slot)).map_or(line, |t| t.line);
                *value = plan.read(&cells, *slot).map(|text| (text.to_owned(), line));
            }
        }
        let dossier = case.dossier.clone();
        for rule in row_rules {
            if !rule.only_if.iter().all(|(condition, slot)| condition.holds(plan.read(&cells, *slot))) {
                continue;
            }
            let cell = |slot: usize| plan.read(&cells, slot);
            match draft(plan, rule, &dossier, line, &cell) {
                Some((draft, reject)) => {
                    self.cases[index].drafts.extend(draft);
                    self.rejects.extend(reject);
                }
                None => {
                    self.reject(line, Some(&dossier), MISSING, say::no_time(rule.rule.event_type));
                }
            }
        }
    }

    /// Whether a further row of a dossier says the same of it as those before.
    fn conflict(&self, known: usize, cells: &StringRecord) -> Result<(), Text> {
        let (plan, case) = (self.plan, &self.cases[known]);
        if matches!(plan.mapping.shape, Shape::One) && !plan.xes {
            return Err(say::dossier_twice(case.line));
        }
        for (value, slot) in case.values.iter().zip(&plan.case_slots) {
            if let (Some((first, line)), Some(now)) = (value, plan.read(cells, *slot))
                && first != now
            {
                return Err(say::conflict(&plan.column_name(*slot), now, first, *line));
            }
        }
        Ok(())
    }

    /// What has been gathered, and what was rejected, by line; then all of that is forgotten.
    pub(super) fn drain(&mut self) -> (Vec<Case>, Vec<Reject>) {
        let plan = self.plan;
        let wide = matches!(plan.mapping.shape, Shape::One | Shape::Repeated);
        let mut cases = Vec::with_capacity(self.cases.len());
        for mut case in std::mem::take(&mut self.cases) {
            let mut arose = false;
            for rule in plan.rules.iter().filter(|r| r.rule.when.is_none()) {
                let value = |slot: usize| {
                    let place = plan.case_slots.iter().position(|s| *s == slot)?;
                    case.values[place].as_ref()
                };
                let cell = |slot: usize| value(slot).map(|(text, _)| text.as_str());
                if !rule.only_if.iter().all(|(condition, slot)| condition.holds(cell(*slot))) {
                    continue;
                }
                let at = rule.fields.iter().find_map(|(spec, source)| match source {
                    Source::Slot(slot, _) if spec.field.name == "occurred_at" => value(*slot),
                    _ => None,
                });
                let line = at.map_or(case.line, |(_, line)| *line);
                if let Some((draft, reject)) = draft(plan, rule, &case.dossier, line, &cell) {
                    arose = true;
                    case.drafts.extend(draft);
                    self.rejects.extend(reject);
                }
            }
            if wide && !arose {
                self.reject(case.line, Some(&case.dossier), MISSING, say::row_without_event());
            } else if self.trace.is_some_and(|t| t.bare) && !arose {
                self.reject(case.line, Some(&case.dossier), MISSING, say::trace_without_event());
            }
            let events = ordered(&plan.mapping.source, &case.dossier, case.drafts);
            if !events.is_empty() {
                cases.push(Case { dossier: case.dossier, events });
            }
        }
        self.by_code.clear();
        let mut rejects = std::mem::take(&mut self.rejects);
        rejects.sort_by_key(|r| r.line);
        (cases, rejects)
    }
}

/// The events of a dossier in their final order, with their ids; see [`Case`].
fn ordered(source: &str, dossier: &str, mut drafts: Vec<Draft>) -> Vec<Prepared> {
    let received = drafts.iter().filter(|d| d.event_type == EventType::Received).map(|d| d.occurred_at).min();
    // Stable, and drafts stand in the order of the mapping within a line.
    drafts.sort_by_key(|d| {
        let rank = match d.event_type {
            EventType::Rejected if received.is_some_and(|r| d.occurred_at < r) => 0,
            EventType::Received => 1,
            _ => 2,
        };
        (rank, d.occurred_at, d.line)
    });
    let mut ordinals: HashMap<EventType, u64> = HashMap::new();
    let mut events = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let ordinal = ordinals.entry(draft.event_type).or_default();
        *ordinal += 1;
        if let Some(mut statement) = draft.statement {
            let name = format!("import\n{source}\n{dossier}\n{}\n{ordinal}", draft.event_type);
            statement.event_id = Uuid::new_v5(&NAMESPACE, name.as_bytes());
            events.push(Prepared { line: draft.line, statement });
        }
    }
    events
}

/// The event that a rule makes of some cells; `None` if its `occurred_at` is empty.
fn draft<'c>(
    plan: &Plan<'_>,
    rule: &PlannedRule<'_>,
    dossier: &Code,
    line: u64,
    cell: &dyn Fn(usize) -> Option<&'c str>,
) -> Option<(Option<Draft>, Option<Reject>)> {
    let event_type = rule.rule.event_type;
    let mut values = Values::default();
    let mut wrong: Vec<(&'static str, Text)> = Vec::new();
    for (spec, source) in &rule.fields {
        let field = spec.field;
        let value = match source {
            Source::Constant(value) => Some((*value).clone()),
            Source::Slot(slot, reading) => match reading.value(cell(*slot)) {
                Ok(value) => value,
                Err(message) => {
                    wrong.push((INVALID, say::of_field(field.name, &plan.column_name(*slot), &message)));
                    continue;
                }
            },
        };
        match value {
            Some(value) => values.0.push((field.name, value)),
            None if field.name == "occurred_at" => return None,
            None if field.required => {
                wrong.push((MISSING, say::field_empty(field.name)));
            }
            None => {}
        }
    }
    for (instant, date) in [("due", "due_date"), ("step_due", "step_due_date"), ("new_due", "new_due_date")] {
        if values.has(instant) && values.has(date) {
            wrong.push((INVALID, say::two_dues(instant, date)));
        }
    }
    let occurred_at = values.instant("occurred_at");
    let mut statement = None;
    if let (Some(occurred_at), true) = (occurred_at, wrong.is_empty()) {
        let made = Statement {
            event_id: Uuid::nil(),
            dossier: dossier.clone(),
            occurred_at,
            desk: values.code("desk"),
            actor: values.code("actor"),
            event: values.event(event_type),
        };
        match check(&made) {
            Ok(()) => statement = Some(made),
            Err(rejection) => wrong.push((rejection.reason(), say::rejection(&rejection))),
        }
    }
    let reject = wrong.first().map(|(reason, _)| Reject {
        line,
        dossier: Some(dossier.to_string()),
        reason,
        message: say::of_event(event_type, &wrong.iter().map(|(_, message)| message).collect::<Vec<_>>()),
    });
    Some((occurred_at.map(|occurred_at| Draft { event_type, occurred_at, line, statement }), reject))
}

/// The fields of one event, by name.
#[derive(Default)]
struct Values(Vec<(&'static str, Value)>);

impl Values {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn code(&self, name: &str) -> Option<Code> {
        match self.get(name) {
            Some(Value::Code(code)) => Some(code.clone()),
            _ => None,
        }
    }

    /// A required code; one that is missing was rejected before, and an empty one would be by the engine's check.
    fn needed(&self, name: &str) -> Code {
        self.code(name).unwrap_or_else(|| "".into())
    }

    fn instant(&self, name: &str) -> Option<Timestamp> {
        match self.get(name) {
            Some(Value::Instant(at)) => Some(*at),
            _ => None,
        }
    }

    fn due(&self, instant: &str, date: &str) -> Option<Due> {
        self.instant(instant).map(Due::Instant).or(match self.get(date) {
            Some(Value::Date(date)) => Some(Due::Date(*date)),
            _ => None,
        })
    }

    fn event(&self, event_type: EventType) -> Event {
        match event_type {
            EventType::Received => Event::Received {
                unit: self.needed("unit"),
                procedure: self.code("procedure"),
                field: self.code("field"),
                channel: self.code("channel"),
                due: self.due("due", "due_date"),
                applicant_kind: match self.get("applicant_kind") {
                    Some(Value::Applicant(kind)) => Some(*kind),
                    _ => None,
                },
            },
            EventType::Rejected => Event::Rejected { unit: self.code("unit"), reason_code: self.code("reason_code") },
            EventType::Forwarded => {
                Event::Forwarded { to_unit: self.needed("to_unit"), step_due: self.due("step_due", "step_due_date") }
            }
            EventType::SupplementRequested => Event::SupplementRequested {
                items: match self.get("items") {
                    Some(Value::Codes(codes)) => codes.clone(),
                    _ => Vec::new(),
                },
                reason_code: self.code("reason_code"),
            },
            EventType::Supplemented => Event::Supplemented { due: self.due("due", "due_date") },
            EventType::PaymentRequested => {
                Event::PaymentRequested { stops_clock: self.get("stops_clock") == Some(&Value::Bool(true)) }
            }
            EventType::Paid => Event::Paid { due: self.due("due", "due_date") },
            EventType::Processed => Event::Processed {
                outcome: match self.get("outcome") {
                    Some(Value::Outcome(outcome)) => *outcome,
                    _ => dunghen_engine::dossier::Outcome::default(),
                },
            },
            EventType::ApologySent => Event::ApologySent {
                letter_number: self.code("letter_number"),
                reason_code: self.code("reason_code"),
                signer: self.code("signer"),
                sent_via: self.code("sent_via"),
                new_due: self.due("new_due", "new_due_date"),
            },
            EventType::Returned => Event::Returned { returned_via: self.code("returned_via") },
            EventType::Withdrawn => Event::Withdrawn { reason_code: self.code("reason_code") },
            // A mapping cannot name the last two; written as what is left, they need no branch that panics.
            EventType::Stopped | EventType::Late | EventType::Corrected => {
                Event::Stopped { reason_code: self.needed("reason_code") }
            }
        }
    }
}
