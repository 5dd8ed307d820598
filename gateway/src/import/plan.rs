//! A mapping meets a file: which of its columns stand where.
//!
//! It has seen the header, but no row.

use super::mapping::{Column, Condition, From, Mapping, Rule, Shape, Spec};
use super::rows::{spaced, trimmed};
use super::value::{Reading, Value};
use crate::messages::{Text, import, mapping as say};
use csv::StringRecord;

/// What the names of columns begin with that hold attributes of a trace.
pub(super) const OF_TRACE: &str = "case:";

/// A column in which certain texts mean nothing.
#[derive(PartialEq, Eq)]
pub(super) struct Slot<'m> {
    column: usize,
    empty: &'m [String],
}

pub(super) enum Source<'m> {
    Constant(&'m Value),
    /// A slot of the plan.
    Slot(usize, &'m Reading),
}

pub(super) struct PlannedRule<'m> {
    pub(super) rule: &'m Rule,
    pub(super) fields: Vec<(&'m Spec, Source<'m>)>,
    pub(super) only_if: Vec<(&'m Condition, usize)>,
}

/// A mapping with its columns found in the file.
pub(super) struct Plan<'m> {
    pub(super) mapping: &'m Mapping,
    /// The names of the columns, by their places; `None` if they have none.
    pub(super) header: Option<Vec<String>>,
    /// A log of traces: `case:` columns belong to the trace.
    pub(super) xes: bool,
    pub(super) dossier: usize,
    pub(super) type_column: Option<usize>,
    pub(super) filters: Vec<(&'m Condition, usize)>,
    pub(super) rules: Vec<PlannedRule<'m>>,
    slots: Vec<Slot<'m>>,
    /// The slots of the events that come from the columns of the case.
    pub(super) case_slots: Vec<usize>,
}

impl<'m> Plan<'m> {
    /// For the columns that a CSV file has.
    pub(super) fn for_table(mapping: &'m Mapping, header: Option<Vec<String>>) -> Result<Plan<'m>, Text> {
        Plan::new(mapping, Columns { header, grows: false, missing: Vec::new(), twice: Vec::new() })
    }

    /// For a log whose columns are what the mapping names: an attribute that is not there is empty.
    pub(super) fn for_traces(mapping: &'m Mapping) -> Result<Plan<'m>, Text> {
        Plan::new(mapping, Columns { header: Some(Vec::new()), grows: true, missing: Vec::new(), twice: Vec::new() })
    }

    fn new(mapping: &'m Mapping, mut columns: Columns) -> Result<Plan<'m>, Text> {
        let mut slots: Vec<Slot<'m>> = Vec::new();
        let mut slot = |column: usize, empty: &'m [String]| {
            let slot = Slot { column, empty };
            slots.iter().position(|s| *s == slot).unwrap_or_else(|| {
                slots.push(slot);
                slots.len() - 1
            })
        };
        let dossier = columns.find(&mapping.dossier);
        let type_column = match &mapping.shape {
            Shape::Long { type_column, .. } => Some(columns.find(type_column)),
            Shape::One | Shape::Repeated => None,
        };
        let filters =
            mapping.filters.iter().map(|c| (c, slot(columns.find(&c.column), &mapping.empty))).collect::<Vec<_>>();
        let mut rules = Vec::new();
        let mut case_slots = Vec::new();
        for rule in &mapping.rules {
            let mut fields = Vec::new();
            for spec in &rule.fields {
                fields.push((
                    spec,
                    match &spec.from {
                        From::Constant(value) => Source::Constant(value),
                        From::Column { column, empty, reading } => {
                            Source::Slot(slot(columns.find(column), empty.as_ref().unwrap_or(&mapping.empty)), reading)
                        }
                    },
                ));
            }
            let only_if: Vec<_> =
                rule.only_if.iter().map(|c| (c, slot(columns.find(&c.column), &mapping.empty))).collect();
            if rule.when.is_none() {
                let of_fields = fields.iter().filter_map(|(_, source)| match source {
                    Source::Slot(slot, _) => Some(*slot),
                    Source::Constant(_) => None,
                });
                for used in of_fields.chain(only_if.iter().map(|(_, slot)| *slot)) {
                    if !case_slots.contains(&used) {
                        case_slots.push(used);
                    }
                }
            }
            rules.push(PlannedRule { rule, fields, only_if });
        }
        let xes = columns.grows;
        let header = columns.verdict()?;
        Ok(Plan { mapping, header, xes, dossier, type_column, filters, rules, slots, case_slots })
    }

    pub(super) fn cell<'r>(&self, cells: &'r StringRecord, column: usize) -> &'r str {
        let text = cells.get(column).unwrap_or_default();
        if self.xes || self.mapping.csv.trim { trimmed(text) } else { text }
    }

    /// What stands in a slot of a row; `None` if it is empty.
    pub(super) fn read<'r>(&self, cells: &'r StringRecord, slot: usize) -> Option<&'r str> {
        let slot = &self.slots[slot];
        let text = self.cell(cells, slot.column);
        (!text.is_empty() && !slot.empty.iter().any(|e| e == text)).then_some(text)
    }

    /// Whether a column is the trace's rather than the event's.
    pub(super) fn is_of_trace(&self, column: usize) -> bool {
        let name = self.header.as_ref().and_then(|names| names.get(column));
        self.xes && name.is_some_and(|name| name.starts_with(OF_TRACE))
    }

    /// The same, of a slot.
    pub(super) fn reads_trace(&self, slot: usize) -> bool {
        self.is_of_trace(self.slots[slot].column)
    }

    pub(super) fn column_name(&self, slot: usize) -> Text {
        let column = self.slots[slot].column;
        let name = self.header.as_ref().and_then(|names| names.get(column));
        import::column(name.map(String::as_str).filter(|name| !name.is_empty()), column + 1)
    }
}

/// The columns of a file, and what was looked for in vain.
struct Columns {
    header: Option<Vec<String>>,
    /// A name that is looked for is there from then on.
    grows: bool,
    missing: Vec<Text>,
    twice: Vec<Text>,
}

impl Columns {
    /// The place of a column; 0 if there is none, which `verdict` turns into an error.
    fn find(&mut self, column: &Column) -> usize {
        let names = self.header.as_deref();
        match column {
            Column::Number(number) => {
                if self.grows || names.is_some_and(|names| *number > names.len()) {
                    self.miss(say::number(*number));
                }
                number - 1
            }
            Column::Name(name) => {
                let wanted = spaced(name);
                let mut places = names.into_iter().flatten().enumerate().filter(|(_, n)| **n == wanted);
                let first = places.next().map(|(i, _)| i);
                let second = places.next().map(|(i, _)| i);
                match (first, second) {
                    (None, _) if self.grows => {
                        let names = self.header.get_or_insert_default();
                        names.push(wanted);
                        return names.len() - 1;
                    }
                    (None, _) => self.miss(say::name(name)),
                    (Some(a), Some(b)) => {
                        let text = say::name_at(name, a + 1, b + 1);
                        if !self.twice.contains(&text) {
                            self.twice.push(text);
                        }
                    }
                    (Some(_), None) => {}
                }
                first.unwrap_or(0)
            }
        }
    }

    fn miss(&mut self, what: Text) {
        if !self.missing.contains(&what) {
            self.missing.push(what);
        }
    }

    fn verdict(self) -> Result<Option<Vec<String>>, Text> {
        if self.grows && !self.missing.is_empty() {
            return Err(say::log_has_no_order(&self.missing));
        }
        let Some(names) = self.header else {
            return if self.missing.is_empty() { Ok(None) } else { Err(say::no_names(&self.missing)) };
        };
        if !self.missing.is_empty() {
            return Err(say::missing_columns(&self.missing, &names));
        }
        if !self.twice.is_empty() {
            return Err(say::names_twice(&self.twice));
        }
        Ok(Some(names))
    }
}
