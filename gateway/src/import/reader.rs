//! The CSV file, row by row: which columns, which dossier, which events; then their order and their ids.
//!
//! It knows nothing of what is recorded already. A row is taken whole or rejected; an event of a row likewise; nothing
//! that the file says disappears without a reject, a filter or an `ignore`.

use super::mapping::{Column, Condition, Csv, From, Mapping, Rule, Shape, Spec, Unlisted};
use super::value::{Reading, Value};
use super::{Case, ImportError, Prepared, Reject, Table, quoted};
use csv::{ByteRecord, StringRecord};
use dunghen_engine::dossier::{
    Code, Due, Event, EventType, MAX_DOSSIER_CHARS, Rejection, Statement, Violation, ViolationKind, check,
};
use dunghen_engine::time::Timestamp;
use flate2::read::MultiGzDecoder;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use uuid::Uuid;

const MISSING: &str = "FIELD_MISSING";
const INVALID: &str = "FIELD_INVALID";
/// How many rows lie between two reports of progress.
const PROGRESS_ROWS: u64 = 1000;

/// Reads a CSV file, plain or gzip, into the events that the mapping makes of it.
///
/// `progress` hears the number of rows read so far, from time to time and at the end.
///
/// # Errors
/// If the file cannot be read, is not CSV in UTF-8, or lacks a column that the mapping names. What is wrong with single
/// rows is no error: it is in [`Table::rejects`].
pub fn read(file: &Path, mapping: &Mapping, progress: &mut dyn FnMut(u64)) -> Result<Table, ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: file.to_path_buf(), source };
    let mut bytes = std::fs::read(file).map_err(unreadable)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).map_err(unreadable)?;
        bytes = plain;
    }
    let named = |what: String| ImportError::File(format!("{}: {what}", file.display()));
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(named("is a workbook or a zip archive; export it as CSV in UTF-8".to_owned()));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(named("is UTF-16; save it as CSV in UTF-8".to_owned()));
    }
    let data = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&bytes);
    let mut rows = Rows::new(data, &mapping.csv);
    let header = rows.header().map_err(&named)?;
    let plan =
        Plan::new(mapping, &header).map_err(|what| ImportError::Columns(format!("{}: {what}", file.display())))?;
    let mut import = Import::new(&plan);
    while let Some((line, row)) = rows.next_row().map_err(&named)? {
        import.rows += 1;
        import.row(line, row);
        if import.rows.is_multiple_of(PROGRESS_ROWS) {
            progress(import.rows);
        }
    }
    let table = import.finish();
    progress(table.rows);
    Ok(table)
}

/// One record of the file.
enum Row {
    Cells(StringRecord),
    /// Not UTF-8, or of another length than the header; the message, and the cells as far as they are known.
    Broken(ByteRecord, String),
}

/// The records of a file with the lines they begin on.
///
/// The whole text is in memory, as the events of it will be; so lines can be counted where records begin, which the
/// parser's own count misses by one after a CRLF.
struct Rows<'d> {
    data: &'d [u8],
    reader: csv::Reader<&'d [u8]>,
    csv: &'d Csv,
    /// Bytes of `data` whose line ends have been counted, and the line there.
    counted: usize,
    line: u64,
    /// The width of the header, or of the first row.
    width: Option<usize>,
    skipped: usize,
}

impl<'d> Rows<'d> {
    fn new(data: &'d [u8], csv: &'d Csv) -> Rows<'d> {
        let mut skipped = 0;
        for _ in 0..csv.skip_lines {
            let rest = &data[skipped..];
            skipped += rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
        }
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(csv.delimiter)
            .quoting(csv.quote.is_some())
            .quote(csv.quote.unwrap_or(b'"'))
            .escape(csv.escape)
            .from_reader(&data[skipped..]);
        Rows { data, reader, csv, counted: 0, line: 1, width: None, skipped }
    }

    /// The names of the columns, by their places; `None` if the file has no header.
    fn header(&mut self) -> Result<Option<Vec<String>>, String> {
        if !self.csv.header {
            return Ok(None);
        }
        let Some((_, _, record)) = self.record()? else {
            return Err("has no header row; is it empty, or `csv.skip_lines` too large?".to_owned());
        };
        let Ok(record) = StringRecord::from_byte_record(record) else {
            return Err("the header is not UTF-8; save the file as CSV in UTF-8".to_owned());
        };
        self.width = Some(record.len());
        Ok(Some(record.iter().map(spaced).collect()))
    }

    fn next_row(&mut self) -> Result<Option<(u64, Row)>, String> {
        loop {
            let Some((line, last_line, record)) = self.record()? else { return Ok(None) };
            let blank = |cell: &[u8]| cell.iter().all(u8::is_ascii_whitespace);
            if record.iter().all(blank) {
                continue;
            }
            let width = *self.width.get_or_insert(record.len());
            let too_long = record.len() > width && !record.iter().skip(width).all(blank);
            let too_short = record.len() < width && !self.csv.fill_short_rows;
            if too_long || too_short {
                let lines = if last_line > line {
                    format!("; it runs from line {line} to {last_line}: look for a quote too many")
                } else if too_short {
                    "; complete it, or set csv.short_rows = \"fill\"".to_owned()
                } else {
                    "; look for a delimiter inside of a value, which needs quotes".to_owned()
                };
                let message = format!("the row has {} columns instead of {width}{lines}", record.len());
                return Ok(Some((line, Row::Broken(record, message))));
            }
            return Ok(Some((
                line,
                match StringRecord::from_byte_record(record) {
                    Ok(record) => Row::Cells(record),
                    Err(e) => Row::Broken(
                        e.into_byte_record(),
                        "the row is not UTF-8; save the file as CSV in UTF-8".to_owned(),
                    ),
                },
            )));
        }
    }

    /// The next record with its first and its last line.
    fn record(&mut self) -> Result<Option<(u64, u64, ByteRecord)>, String> {
        let mut record = ByteRecord::new();
        let place = |reader: &csv::Reader<&[u8]>| usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let mut start = self.skipped.saturating_add(place(&self.reader)).min(self.data.len());
        if !self.reader.read_byte_record(&mut record).map_err(|e| format!("cannot be read as CSV: {e}"))? {
            return Ok(None);
        }
        // The line end before a record, and blank lines, belong to the record for the parser.
        while self.data.get(start).is_some_and(|b| matches!(b, b'\r' | b'\n')) {
            start += 1;
        }
        let line = self.line_at(start);
        let mut end = self.skipped.saturating_add(place(&self.reader)).clamp(start, self.data.len());
        let at_end = end == self.data.len();
        while end > start && matches!(self.data[end - 1], b'\r' | b'\n') {
            end -= 1;
        }
        let last_line = self.line_at(end);
        if let Some(quote) = self.csv.quote.filter(|_| at_end && last_line > line && self.csv.escape.is_none()) {
            // The parser takes an open quote to the end of the file for one long value: rows would vanish in it.
            if self.data[start..end].iter().filter(|b| **b == quote).count() % 2 == 1 {
                return Err(format!(
                    "a quote opened in the row of line {line} is never closed, so the rest of the file is one value; \
                     correct that row, or set csv.quote = \"none\" if quotes mean nothing in this file"
                ));
            }
        }
        Ok(Some((line, last_line, record)))
    }

    fn line_at(&mut self, at: usize) -> u64 {
        while self.counted < at {
            let (byte, next) = (self.data[self.counted], self.data.get(self.counted + 1));
            self.line += u64::from(byte == b'\n' || (byte == b'\r' && next != Some(&b'\n')));
            self.counted += 1;
        }
        self.line
    }
}

/// A name with its blanks and line breaks made one blank each: headers of workbooks are full of them.
fn spaced(name: &str) -> String {
    trimmed(name).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'))
}

/// A column in which certain texts mean nothing.
#[derive(PartialEq, Eq)]
struct Slot<'m> {
    column: usize,
    empty: &'m [String],
}

enum Source<'m> {
    Constant(&'m Value),
    /// A slot of the plan.
    Slot(usize, &'m Reading),
}

struct PlannedRule<'m> {
    rule: &'m Rule,
    fields: Vec<(&'m Spec, Source<'m>)>,
    only_if: Vec<(&'m Condition, usize)>,
}

/// A mapping with its columns found in the file.
struct Plan<'m> {
    mapping: &'m Mapping,
    header: &'m Option<Vec<String>>,
    dossier: usize,
    type_column: Option<usize>,
    filters: Vec<(&'m Condition, usize)>,
    rules: Vec<PlannedRule<'m>>,
    slots: Vec<Slot<'m>>,
    /// The slots of the events that come from the columns of the case.
    case_slots: Vec<usize>,
}

impl<'m> Plan<'m> {
    fn new(mapping: &'m Mapping, header: &'m Option<Vec<String>>) -> Result<Plan<'m>, String> {
        let mut columns = Columns { header, missing: Vec::new(), twice: Vec::new() };
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
        columns.verdict()?;
        Ok(Plan { mapping, header, dossier, type_column, filters, rules, slots, case_slots })
    }

    fn cell<'r>(&self, cells: &'r StringRecord, column: usize) -> &'r str {
        let text = cells.get(column).unwrap_or_default();
        if self.mapping.csv.trim { trimmed(text) } else { text }
    }

    /// What stands in a slot of a row; `None` if it is empty.
    fn read<'r>(&self, cells: &'r StringRecord, slot: usize) -> Option<&'r str> {
        let slot = &self.slots[slot];
        let text = self.cell(cells, slot.column);
        (!text.is_empty() && !slot.empty.iter().any(|e| e == text)).then_some(text)
    }

    fn column_name(&self, slot: usize) -> String {
        let column = self.slots[slot].column;
        match self.header.as_ref().and_then(|names| names.get(column)) {
            Some(name) if !name.is_empty() => format!("column {}", quoted(name)),
            _ => format!("column {}", column + 1),
        }
    }
}

/// The columns of a file, and what was looked for in vain.
struct Columns<'h> {
    header: &'h Option<Vec<String>>,
    missing: Vec<String>,
    twice: Vec<String>,
}

impl Columns<'_> {
    /// The place of a column; 0 if there is none, which `verdict` turns into an error.
    fn find(&mut self, column: &Column) -> usize {
        let names = self.header.as_deref();
        match column {
            Column::Number(number) => {
                if names.is_some_and(|names| *number > names.len()) {
                    self.miss(format!("number {number}"));
                }
                number - 1
            }
            Column::Name(name) => {
                let wanted = spaced(name);
                let mut places = names.into_iter().flatten().enumerate().filter(|(_, n)| **n == wanted);
                let first = places.next().map(|(i, _)| i);
                let second = places.next().map(|(i, _)| i);
                match (first, second) {
                    (None, _) => self.miss(quoted(name)),
                    (Some(a), Some(b)) => {
                        let text = format!("{} (columns {} and {})", quoted(name), a + 1, b + 1);
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

    fn miss(&mut self, what: String) {
        if !self.missing.contains(&what) {
            self.missing.push(what);
        }
    }

    fn verdict(self) -> Result<(), String> {
        let Some(names) = self.header else {
            return if self.missing.is_empty() {
                Ok(())
            } else {
                Err(format!(
                    "the mapping says csv.header = false, so columns have no names: write numbers instead of {}",
                    self.missing.join(", ")
                ))
            };
        };
        if !self.missing.is_empty() {
            let there: Vec<String> =
                names.iter().enumerate().map(|(i, name)| format!("{} {}", i + 1, quoted(name))).collect();
            let hint = if names.len() == 1 {
                "the header is a single column: is `csv.delimiter` right?"
            } else {
                "correct the mapping; a name that looks the same may be composed of other characters: \
                 copy it from the file, or write the column's number"
            };
            return Err(format!(
                "the file has no column {}; it has {}; {hint}",
                self.missing.join(", "),
                there.join(", ")
            ));
        }
        if !self.twice.is_empty() {
            return Err(format!(
                "the header has the name {} twice; write the column's number in the mapping",
                self.twice.join(", ")
            ));
        }
        Ok(())
    }
}

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

struct Import<'p> {
    plan: &'p Plan<'p>,
    rows: u64,
    cases: Vec<Gathered>,
    by_code: HashMap<Code, usize>,
    rejects: Vec<Reject>,
}

impl<'p> Import<'p> {
    fn new(plan: &'p Plan<'p>) -> Import<'p> {
        Import { plan, rows: 0, cases: Vec::new(), by_code: HashMap::new(), rejects: Vec::new() }
    }

    fn reject(&mut self, line: u64, dossier: Option<&str>, reason: &'static str, message: String) {
        self.rejects.push(Reject { line, dossier: dossier.map(str::to_owned), reason, message });
    }

    fn row(&mut self, line: u64, row: Row) {
        let plan = self.plan;
        let cells = match row {
            Row::Cells(cells) => cells,
            Row::Broken(cells, message) => {
                let dossier = cells.get(plan.dossier).and_then(|c| std::str::from_utf8(c).ok()).map(trimmed);
                let dossier = dossier.filter(|d| !d.is_empty() && d.chars().count() <= MAX_DOSSIER_CHARS);
                return self.reject(line, dossier, INVALID, message);
            }
        };
        if !plan.filters.iter().all(|(condition, slot)| condition.holds(plan.read(&cells, *slot))) {
            return;
        }
        let code = plan.cell(&cells, plan.dossier);
        if code.is_empty() || plan.mapping.empty.iter().any(|e| e == code) {
            let message = "the row has no dossier code; complete it, or drop such rows with a filter";
            return self.reject(line, None, MISSING, message.to_owned());
        }
        if code.chars().count() > MAX_DOSSIER_CHARS || code.trim().is_empty() || code.chars().any(char::is_control) {
            let message =
                format!("dossier: {} is no code of at most {MAX_DOSSIER_CHARS} printable characters", quoted(code));
            return self.reject(line, None, INVALID, message);
        }
        let mut row_rules: Vec<&PlannedRule<'p>> = Vec::new();
        if let (Shape::Long { ignore, unlisted, .. }, Some(column)) = (&plan.mapping.shape, plan.type_column) {
            let what = plan.cell(&cells, column);
            let listed = |r: &&PlannedRule<'p>| r.rule.when.as_ref().is_some_and(|w| w.iter().any(|v| v == what));
            row_rules.extend(plan.rules.iter().filter(listed));
            if row_rules.is_empty() && *unlisted == Unlisted::Reject && !ignore.iter().any(|v| v == what) {
                let (reason, message) = if what.is_empty() {
                    (MISSING, "the row does not say what happened; complete it, or add \"\" to `ignore`".to_owned())
                } else {
                    ("UNKNOWN_TYPE", format!("no event lists {}; add it to a `when` or to `ignore`", quoted(what)))
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
            self.cases.push(Gathered { dossier, line, values, drafts: Vec::new() });
        }
        let Some(&index) = self.by_code.get(code) else { return };
        let case = &mut self.cases[index];
        for (value, slot) in case.values.iter_mut().zip(&plan.case_slots) {
            if value.is_none() {
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
                    let message = format!("{}: occurred_at is empty; complete it", rule.rule.event_type);
                    self.reject(line, Some(&dossier), MISSING, message);
                }
            }
        }
    }

    /// Whether a further row of a dossier says the same of it as those before.
    fn conflict(&self, known: usize, cells: &StringRecord) -> Result<(), String> {
        let (plan, case) = (self.plan, &self.cases[known]);
        if matches!(plan.mapping.shape, Shape::One) {
            return Err(format!(
                "the dossier stands on line {} already; remove one of the rows, or set case_rows = \"repeated\"",
                case.line
            ));
        }
        for (value, slot) in case.values.iter().zip(&plan.case_slots) {
            if let (Some((first, line)), Some(now)) = (value, plan.read(cells, *slot))
                && first != now
            {
                return Err(format!(
                    "{} says {} here, but {} on line {line}; make them equal, or take the value from another column",
                    plan.column_name(*slot),
                    quoted(now),
                    quoted(first)
                ));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Table {
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
                let message = "the row brings no event: every occurred_at is empty or left out by `only_if`; \
                     complete it, or drop such rows with a filter";
                self.reject(case.line, Some(&case.dossier), MISSING, message.to_owned());
            }
            let events = ordered(&plan.mapping.source, &case.dossier, case.drafts);
            if !events.is_empty() {
                cases.push(Case { dossier: case.dossier, events });
            }
        }
        self.rejects.sort_by_key(|r| r.line);
        Table { rows: self.rows, cases, rejects: self.rejects }
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
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"dunghen");
    let mut ordinals: HashMap<EventType, u64> = HashMap::new();
    let mut events = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let ordinal = ordinals.entry(draft.event_type).or_default();
        *ordinal += 1;
        if let Some(mut statement) = draft.statement {
            let name = format!("import\n{source}\n{dossier}\n{}\n{ordinal}", draft.event_type);
            statement.event_id = Uuid::new_v5(&namespace, name.as_bytes());
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
    let mut wrong: Vec<(&'static str, String)> = Vec::new();
    for (spec, source) in &rule.fields {
        let field = spec.field;
        let value = match source {
            Source::Constant(value) => Some((*value).clone()),
            Source::Slot(slot, reading) => match reading.value(cell(*slot)) {
                Ok(value) => value,
                Err(message) => {
                    wrong.push((INVALID, format!("{} ({}): {message}", field.name, plan.column_name(*slot))));
                    continue;
                }
            },
        };
        match value {
            Some(value) => values.0.push((field.name, value)),
            None if field.name == "occurred_at" => return None,
            None if field.required => {
                let message = format!("{} is empty; complete it, or give a `default`", field.name);
                wrong.push((MISSING, message));
            }
            None => {}
        }
    }
    for (instant, date) in [("due", "due_date"), ("step_due", "step_due_date"), ("new_due", "new_due_date")] {
        if values.has(instant) && values.has(date) {
            wrong.push((INVALID, format!("{instant} and {date} are both given; a due is one or the other")));
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
            Err(rejection) => wrong.push((rejection.reason(), explained(&rejection))),
        }
    }
    let reject = wrong.first().map(|(reason, _)| Reject {
        line,
        dossier: Some(dossier.to_string()),
        reason,
        message: format!(
            "{event_type}: {}",
            wrong.iter().map(|(_, message)| message.as_str()).collect::<Vec<_>>().join("; ")
        ),
    });
    Some((occurred_at.map(|occurred_at| Draft { event_type, occurred_at, line, statement }), reject))
}

/// What the engine has against a statement.
fn explained(rejection: &Rejection) -> String {
    match rejection {
        Rejection::Malformed(violations) => violations.iter().map(violated).collect::<Vec<_>>().join("; "),
        Rejection::TooLarge { size, limit, unit } => {
            format!("its texts take {size} {unit}, {limit} are allowed; shorten them, or map fewer columns")
        }
        other => format!("{other:?}"),
    }
}

fn violated(violation: &Violation) -> String {
    let what = match &violation.kind {
        ViolationKind::Missing => "is empty; complete it".to_owned(),
        ViolationKind::TooLong(limit) => format!("is longer than {limit} characters; map it to a shorter code"),
        ViolationKind::NotPrintable => "holds a line break or another control character; map it to a code".to_owned(),
        ViolationKind::TooMany(limit) => format!("has more than {limit} entries; import fewer"),
        ViolationKind::NotAnInstant | ViolationKind::NotADate => "is outside of the years 1 to 9999".to_owned(),
        ViolationKind::BothDues => "is given as a time and as a date; give one".to_owned(),
        other => format!("is malformed ({other:?})"),
    };
    format!("{} {what}", violation.field)
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
            // A mapping cannot name `Late`; written as what is left, it needs no branch that panics.
            EventType::Stopped | EventType::Late => Event::Stopped { reason_code: self.needed("reason_code") },
        }
    }
}
