//! The mapping file: how the columns of a CSV file become events.
//!
//! It knows the file's own keys and the fields of the events, and refuses what it does not understand, naming the
//! place. It has not seen the CSV file: whether the columns exist is found out by the reader.

use super::value::{Field, Kind, Otherwise, Reading, TimeFormat, Times, Value, fields_of};
use super::{ImportError, listed, quoted};
use chrono::NaiveTime;
use dunghen_engine::dossier::{Code, EventType, MAX_CODE_CHARS};
use dunghen_engine::time::Zone;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Value as Toml;

/// What stands for "nothing" if the mapping does not say.
const EMPTY: [&str; 6] = ["", "-", "NULL", "null", "N/A", "NaN"];
/// How times are written if the mapping does not say: only what cannot be mistaken for another date.
const FORMATS: [&str; 6] =
    ["rfc3339", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"];

/// A mapping, checked.
#[derive(Clone, Debug)]
pub struct Mapping {
    pub(super) source: String,
    pub(super) zone: Zone,
    pub(super) dossier: Column,
    pub(super) shape: Shape,
    pub(super) empty: Vec<String>,
    pub(super) csv: Csv,
    pub(super) filters: Vec<Condition>,
    pub(super) rules: Vec<Rule>,
}

/// A column, by its name or by its number, the first being 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Name(String),
    Number(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// One dossier a row.
    One,
    /// The same, on several rows.
    Repeated,
    /// One event a row.
    Long { type_column: Column, ignore: Vec<String>, unlisted: Unlisted },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unlisted {
    Reject,
    Ignore,
}

#[derive(Clone, Debug)]
pub(super) struct Csv {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
    pub(super) header: bool,
    pub(super) skip_lines: usize,
    pub(super) trim: bool,
    pub(super) fill_short_rows: bool,
}

/// A column that must (not) hold one of some values; "" is an empty cell.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) column: Column,
    values: Vec<String>,
    wanted: bool,
}

impl Condition {
    pub(super) fn holds(&self, cell: Option<&str>) -> bool {
        self.values.iter().any(|v| v == cell.unwrap_or_default()) == self.wanted
    }
}

/// How one event arises.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) event_type: EventType,
    /// The values of the type column that bring it; `None`: it comes from the columns of the case.
    pub(super) when: Option<Vec<String>>,
    pub(super) only_if: Vec<Condition>,
    pub(super) fields: Vec<Spec>,
}

/// Where a field's value comes from.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) field: Field,
    pub(super) from: From,
}

#[derive(Clone, Debug)]
pub(super) enum From {
    Constant(Value),
    Column { column: Column, empty: Option<Vec<String>>, reading: Box<Reading> },
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// [`ImportError::Unreadable`], or [`ImportError::Mapping`] naming the file, the place and what to do.
    pub fn load(path: &Path) -> Result<Mapping, ImportError> {
        let bytes =
            std::fs::read(path).map_err(|source| ImportError::Unreadable { path: path.to_path_buf(), source })?;
        let named = |what: &str| ImportError::Mapping(format!("{}: {what}", path.display()));
        let text = std::str::from_utf8(&bytes).map_err(|_| named("is not UTF-8; save it as UTF-8"))?;
        Mapping::parse(text).map_err(|e| match e {
            ImportError::Mapping(what) => named(&what),
            other => other,
        })
    }

    /// Reads the text of a mapping file.
    ///
    /// # Errors
    /// [`ImportError::Mapping`] naming the place and what to do.
    pub fn parse(text: &str) -> Result<Mapping, ImportError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let raw: RawMapping =
            toml::from_str(text).map_err(|e| ImportError::Mapping(e.to_string().trim().to_owned()))?;
        raw.check().map_err(ImportError::Mapping)
    }

    /// The name of the source, which is part of every event id.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The zone of times without an offset.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.zone
    }
}

// The file as it is written. Columns and field values have several forms, so they are taken apart by hand: the errors
// of an untagged enum would not say which form was meant.

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMapping {
    source: String,
    shape: RawShape,
    dossier: Toml,
    time_zone: Option<String>,
    case_rows: Option<RawCaseRows>,
    empty: Option<Vec<String>>,
    type_column: Option<Toml>,
    ignore: Option<Vec<String>>,
    unlisted: Option<Unlisted>,
    #[serde(default)]
    csv: RawCsv,
    #[serde(default)]
    time: RawTime,
    #[serde(default)]
    filters: Vec<RawCondition>,
    #[serde(default)]
    events: Vec<toml::Table>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawShape {
    Wide,
    Long,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawCaseRows {
    One,
    Repeated,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawShortRows {
    Reject,
    Fill,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCsv {
    delimiter: Option<String>,
    quote: Option<String>,
    escape: Option<String>,
    header: Option<bool>,
    skip_lines: Option<usize>,
    trim: Option<bool>,
    short_rows: Option<RawShortRows>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTime {
    formats: Option<Vec<String>>,
    of_day: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCondition {
    column: Toml,
    is: Option<Vec<String>>,
    is_not: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpec {
    column: Option<Toml>,
    value: Option<Toml>,
    map: Option<BTreeMap<String, Toml>>,
    otherwise: Option<Otherwise>,
    default: Option<Toml>,
    formats: Option<Vec<String>>,
    time_zone: Option<String>,
    of_day: Option<String>,
    empty: Option<Vec<String>>,
    split: Option<String>,
}

impl RawMapping {
    fn check(self) -> Result<Mapping, String> {
        if self.source.trim().is_empty() || self.source.chars().any(char::is_control) {
            return Err("`source` must be a name on one line; it becomes part of every event id".to_owned());
        }
        let zone = self.time_zone.as_deref().map_or(Ok(Zone::VIETNAM), |name| zone(name, "`time_zone`"))?;
        let times = Times {
            formats: formats(self.time.formats.as_deref(), "`time.formats`")?
                .map_or_else(|| FORMATS.iter().map(|f| TimeFormat::new(f)).collect::<Result<_, _>>(), Ok)?,
            zone,
            of_day: self.time.of_day.as_deref().map(|t| of_day(t, "`time.of_day`")).transpose()?,
        };
        let filters = self.filters.into_iter().enumerate();
        let filters = filters.map(|(i, c)| c.check(&format!("filter {}", i + 1))).collect::<Result<Vec<_>, _>>()?;
        let long = self.shape == RawShape::Long;
        let rules = self.events.into_iter().enumerate();
        let rules = rules.map(|(i, table)| rule(table, i + 1, long, &times)).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            return Err("there is no event; write at least one [[events]] table with `type` and `occurred_at`".into());
        }
        let shape = if long {
            if self.case_rows.is_some() {
                return Err("`case_rows` belongs to shape = \"wide\"; remove it".to_owned());
            }
            let Some(type_column) = self.type_column else {
                return Err("shape = \"long\" needs `type_column`, the column that says what happened".to_owned());
            };
            let ignore = self.ignore.unwrap_or_default();
            let mut listed_values = rules.iter().filter_map(|r| r.when.as_ref()).flatten();
            if let Some(value) = listed_values.find(|v| ignore.contains(v)) {
                return Err(format!("{} stands in `ignore` and in a `when`; remove one of them", quoted(value)));
            }
            if rules.iter().all(|r| r.when.is_none()) {
                return Err("no event has a `when`, so no row would be an event; \
                     give one, or use shape = \"wide\" with case_rows = \"repeated\""
                    .to_owned());
            }
            Shape::Long {
                type_column: column(&type_column, "`type_column`")?,
                ignore,
                unlisted: self.unlisted.unwrap_or(Unlisted::Reject),
            }
        } else {
            let long_only = [
                ("type_column", self.type_column.is_some()),
                ("ignore", self.ignore.is_some()),
                ("unlisted", self.unlisted.is_some()),
            ];
            if let Some((key, _)) = long_only.iter().find(|(_, there)| *there) {
                return Err(format!("`{key}` belongs to shape = \"long\"; remove it, or change the shape"));
            }
            match self.case_rows {
                None | Some(RawCaseRows::One) => Shape::One,
                Some(RawCaseRows::Repeated) => Shape::Repeated,
            }
        };
        Ok(Mapping {
            source: self.source,
            zone,
            dossier: column(&self.dossier, "`dossier`")?,
            shape,
            empty: self.empty.unwrap_or_else(|| EMPTY.map(str::to_owned).to_vec()),
            csv: self.csv.check()?,
            filters,
            rules,
        })
    }
}

impl RawCsv {
    fn check(self) -> Result<Csv, String> {
        let byte = |text: &str, key: &str| match *text.as_bytes() {
            [b] if b.is_ascii() && !matches!(b, b'\r' | b'\n') => Ok(b),
            _ => Err(format!("`csv.{key}` is {}; it must be one ASCII character", quoted(text))),
        };
        let csv = Csv {
            delimiter: match self.delimiter.as_deref() {
                None => b',',
                Some("tab") => b'\t',
                Some(text) => byte(text, "delimiter").map_err(|e| format!("{e}, or \"tab\""))?,
            },
            quote: match self.quote.as_deref() {
                None => Some(b'"'),
                Some("none") => None,
                Some(text) => Some(byte(text, "quote").map_err(|e| format!("{e}, or \"none\""))?),
            },
            escape: self.escape.as_deref().map(|text| byte(text, "escape")).transpose()?,
            header: self.header.unwrap_or(true),
            skip_lines: self.skip_lines.unwrap_or(0),
            trim: self.trim.unwrap_or(true),
            fill_short_rows: self.short_rows == Some(RawShortRows::Fill),
        };
        if csv.quote == Some(csv.delimiter) || csv.escape == Some(csv.delimiter) {
            return Err("`csv.quote` and `csv.escape` must differ from `csv.delimiter`".to_owned());
        }
        Ok(csv)
    }
}

impl RawCondition {
    fn check(self, place: &str) -> Result<Condition, String> {
        let column = column(&self.column, place)?;
        match (self.is, self.is_not) {
            (Some(values), None) => Ok(Condition { column, values, wanted: true }),
            (None, Some(values)) => Ok(Condition { column, values, wanted: false }),
            _ => Err(format!("{place}: give either `is` or `is_not`, a list of values")),
        }
    }
}

/// One `[[events]]` table; `number` counts them from 1.
fn rule(mut table: toml::Table, number: usize, long: bool, times: &Times) -> Result<Rule, String> {
    let place = format!("event {number}");
    let name = match table.remove("type") {
        Some(Toml::String(name)) => name,
        _ => return Err(format!("{place}: needs `type`, such as \"Received\"")),
    };
    let place = format!("{place} ({name})");
    let told = |t: &&EventType| ![EventType::Late, EventType::Corrected].contains(*t);
    let takes = || listed(EventType::ALL.iter().filter(told).map(|t| t.name()));
    let event_type = match EventType::parse(&name) {
        Some(EventType::Corrected) => {
            return Err(format!("{place}: a correction names an event of the log; send it with `dunghen record`"));
        }
        Some(EventType::Late) => return Err(format!("{place}: only the engine writes Late; remove this event")),
        Some(event_type) => event_type,
        None => return Err(format!("{place}: there is no such type; the types are {}", takes())),
    };
    let when = table.remove("when").map(|v| strings(&v, &format!("{place}, `when`"))).transpose()?;
    if when.is_some() && !long {
        return Err(format!("{place}: `when` belongs to shape = \"long\"; in a wide file use `only_if`"));
    }
    let only_if = match table.remove("only_if") {
        None => Vec::new(),
        Some(Toml::Array(conditions)) => conditions,
        Some(one) => vec![one],
    };
    let only_if = only_if
        .into_iter()
        .map(|value| {
            let place = format!("{place}, `only_if`");
            let raw = value.try_into::<RawCondition>().map_err(|e| format!("{place}: {}", one_line(&e)))?;
            raw.check(&place)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let known = fields_of(event_type);
    if let Some(key) = table.keys().find(|key| !known.iter().any(|f| f.name == key.as_str())) {
        let names: Vec<&str> =
            ["type", "only_if"].into_iter().chain(long.then_some("when")).chain(known.iter().map(|f| f.name)).collect();
        return Err(format!("{place}: it has no field `{key}`; it takes {}", names.join(", ")));
    }
    let mut fields = Vec::new();
    for field in known {
        match table.get(field.name) {
            Some(value) => fields.push(spec(value, field, &format!("{place}, field `{}`", field.name), times)?),
            None if field.required => {
                return Err(format!("{place}: needs `{}`; name its column, or give a {{ value = … }}", field.name));
            }
            None => {}
        }
    }
    Ok(Rule { event_type, when, only_if, fields })
}

fn spec(value: &Toml, field: Field, place: &str, times: &Times) -> Result<Spec, String> {
    let Toml::Table(table) = value else {
        let reading = Reading {
            kind: field.kind,
            map: None,
            otherwise: Otherwise::Reject,
            default: None,
            split: None,
            times: times.clone(),
        };
        let column = column(value, place)?;
        return Ok(Spec { field, from: From::Column { column, empty: None, reading: Box::new(reading) } });
    };
    let raw: RawSpec =
        Toml::Table(table.clone()).try_into().map_err(|e: toml::de::Error| format!("{place}: {}", one_line(&e)))?;
    let refuse = |there: bool, key: &str, why: &str| {
        if there { Err(format!("{place}: `{key}` {why}; remove it")) } else { Ok(()) }
    };
    let is_time = field.kind.is_time();
    refuse(raw.formats.is_some() && !is_time, "formats", "is for times and dates only")?;
    refuse(raw.time_zone.is_some() && !is_time, "time_zone", "is for times and dates only")?;
    refuse(raw.of_day.is_some() && field.kind != Kind::Instant, "of_day", "is for times only")?;
    refuse(raw.split.is_some() && field.kind != Kind::Codes, "split", "is for `items` only")?;
    if field.name == "occurred_at" {
        let why = "is not for `occurred_at`, which must come from a column";
        refuse(raw.value.is_some(), "value", why)?;
        refuse(raw.default.is_some(), "default", why)?;
    }
    let times = Times {
        formats: formats(raw.formats.as_deref(), &format!("{place}, `formats`"))?
            .unwrap_or_else(|| times.formats.clone()),
        zone: raw.time_zone.as_deref().map_or(Ok(times.zone), |name| zone(name, &format!("{place}, `time_zone`")))?,
        of_day: raw.of_day.as_deref().map(|t| of_day(t, &format!("{place}, `of_day`"))).transpose()?.or(times.of_day),
    };
    let map = raw.map.as_ref().map(|map| {
        let entry = |(from, to): (&String, &Toml)| Ok((from.clone(), scalar(to, &format!("{place}, `map`"))?));
        map.iter().map(entry).collect::<Result<BTreeMap<_, _>, String>>()
    });
    let mut reading = Reading {
        kind: field.kind,
        map: map.transpose()?,
        otherwise: raw.otherwise.unwrap_or(Otherwise::Reject),
        default: None,
        split: raw.split.clone(),
        times,
    };
    if reading.split.as_deref() == Some("") {
        return Err(format!("{place}: `split` must not be empty; write the text between two items, such as \";\""));
    }
    for to in reading.map.iter().flat_map(BTreeMap::values).filter(|to| !to.is_empty()) {
        literal(&reading, &Toml::String(to.clone()), &format!("{place}, `map`"))?;
    }
    if let Some(constant) = &raw.value {
        let others = [
            ("column", raw.column.is_some()),
            ("map", raw.map.is_some()),
            ("otherwise", raw.otherwise.is_some()),
            ("default", raw.default.is_some()),
            ("empty", raw.empty.is_some()),
            ("split", raw.split.is_some()),
        ];
        for (key, there) in others {
            refuse(there, key, "does not go with `value`, which is the same for every row")?;
        }
        let constant = literal(&reading, constant, &format!("{place}, `value`"))?;
        return Ok(Spec { field, from: From::Constant(constant) });
    }
    let Some(from) = &raw.column else {
        return Err(format!("{place}: needs `column`, or `value` for a constant"));
    };
    match (raw.otherwise, &reading.map) {
        (Some(Otherwise::Keep), None) => {
            return Err(format!("{place}: otherwise = \"keep\" needs a `map`; remove it"));
        }
        (Some(Otherwise::Empty), None) if matches!(field.kind, Kind::Code | Kind::Codes) => {
            return Err(format!("{place}: otherwise = \"empty\" needs a `map`: without one every text is a value"));
        }
        _ => {}
    }
    reading.default =
        raw.default.as_ref().map(|value| literal(&reading, value, &format!("{place}, `default`"))).transpose()?;
    let column = column(from, place)?;
    Ok(Spec { field, from: From::Column { column, empty: raw.empty, reading: Box::new(reading) } })
}

/// A value written in the mapping itself, in the spelling of the contract.
fn literal(reading: &Reading, value: &Toml, place: &str) -> Result<Value, String> {
    let code = |text: &str| {
        let printable = !text.trim().is_empty() && !text.chars().any(char::is_control);
        if printable && text.chars().count() <= MAX_CODE_CHARS {
            Ok(Code::from(text))
        } else {
            Err(format!("{place}: {} must be printable, at most {MAX_CODE_CHARS} characters", quoted(text)))
        }
    };
    match (reading.kind, value) {
        (Kind::Codes, Toml::Array(_)) => {
            let codes = strings(value, place)?;
            Ok(Value::Codes(codes.iter().map(|c| code(c)).collect::<Result<_, _>>()?))
        }
        (Kind::Codes, _) => Ok(Value::Codes(vec![code(&scalar(value, place)?)?])),
        (Kind::Code, _) => Ok(Value::Code(code(&scalar(value, place)?)?)),
        _ => reading.parse(&scalar(value, place)?).map_err(|e| format!("{place}: {e}")),
    }
}

fn scalar(value: &Toml, place: &str) -> Result<String, String> {
    match value {
        Toml::String(text) => Ok(text.clone()),
        Toml::Boolean(value) => Ok(value.to_string()),
        Toml::Integer(value) => Ok(value.to_string()),
        _ => Err(format!("{place}: write a text in quotes")),
    }
}

fn strings(value: &Toml, place: &str) -> Result<Vec<String>, String> {
    match value {
        Toml::Array(values) => values.iter().map(|v| scalar(v, place)).collect(),
        _ => Err(format!("{place}: write a list of texts, such as [\"A\", \"B\"]")),
    }
}

fn column(value: &Toml, place: &str) -> Result<Column, String> {
    match value {
        Toml::String(name) => Ok(Column::Name(name.clone())),
        Toml::Integer(number) => match usize::try_from(*number) {
            Ok(number) if number > 0 => Ok(Column::Number(number)),
            _ => Err(format!("{place}: columns are counted from 1; {number} is none")),
        },
        _ => Err(format!("{place}: write a column's name in quotes, or its number")),
    }
}

fn zone(name: &str, place: &str) -> Result<Zone, String> {
    Zone::parse(name)
        .ok_or_else(|| format!("{place}: {} is no IANA time zone; write one like Asia/Ho_Chi_Minh", quoted(name)))
}

fn of_day(text: &str, place: &str) -> Result<NaiveTime, String> {
    ["%H:%M", "%H:%M:%S"]
        .iter()
        .find_map(|f| NaiveTime::parse_from_str(text, f).ok())
        .ok_or_else(|| format!("{place}: {} is no time of day; write HH:MM", quoted(text)))
}

fn formats(names: Option<&[String]>, place: &str) -> Result<Option<Vec<TimeFormat>>, String> {
    let Some(names) = names else { return Ok(None) };
    if names.is_empty() {
        return Err(format!("{place}: the list is empty; name a format, or remove it"));
    }
    let read = names.iter().map(|n| TimeFormat::new(n).map_err(|e| format!("{place}: {e}")));
    read.collect::<Result<Vec<_>, _>>().map(Some)
}

fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}
