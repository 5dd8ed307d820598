//! The mapping file: how the columns of a CSV file become events.
//!
//! It knows the file's own keys and the fields of the events, and refuses what it does not understand, naming the
//! place. It has not seen the CSV file: whether the columns exist is found out by the reader.

use super::ImportError;
use super::value::{Field, Kind, Otherwise, Reading, TimeFormat, Times, Value, fields_of};
use crate::messages::Text;
use crate::messages::mapping::{self as say, Misplaced};
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
        let named = |what: &Text| ImportError::Mapping(say::file(path).before(what));
        let text = std::str::from_utf8(&bytes).map_err(|_| named(&say::not_utf8()))?;
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
        let raw: RawMapping = toml::from_str(text).map_err(|e| ImportError::Mapping(in_the_text(&e, text)))?;
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
    fn check(self) -> Result<Mapping, Text> {
        if self.source.trim().is_empty() || self.source.chars().any(char::is_control) {
            return Err(say::bad_source());
        }
        let zone = self.time_zone.as_deref().map_or(Ok(Zone::VIETNAM), |name| zone(name, &say::key("time_zone")))?;
        let times = Times {
            formats: formats(self.time.formats.as_deref(), &say::key("time.formats"))?
                .map_or_else(|| FORMATS.iter().map(|f| TimeFormat::new(f)).collect::<Result<_, _>>(), Ok)?,
            zone,
            of_day: self.time.of_day.as_deref().map(|t| of_day(t, &say::key("time.of_day"))).transpose()?,
        };
        let filters = self.filters.into_iter().enumerate();
        let filters = filters.map(|(i, c)| c.check(&say::filter(i + 1))).collect::<Result<Vec<_>, _>>()?;
        let long = self.shape == RawShape::Long;
        let rules = self.events.into_iter().enumerate();
        let rules = rules.map(|(i, table)| rule(table, i + 1, long, &times)).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            return Err(say::no_events());
        }
        let shape = if long {
            if self.case_rows.is_some() {
                return Err(say::case_rows_is_wide());
            }
            let Some(type_column) = self.type_column else {
                return Err(say::no_type_column());
            };
            let ignore = self.ignore.unwrap_or_default();
            let mut listed_values = rules.iter().filter_map(|r| r.when.as_ref()).flatten();
            if let Some(value) = listed_values.find(|v| ignore.contains(v)) {
                return Err(say::ignored_and_wanted(value));
            }
            if rules.iter().all(|r| r.when.is_none()) {
                return Err(say::no_when());
            }
            Shape::Long {
                type_column: column(&type_column, &say::key("type_column"))?,
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
                return Err(say::is_long(key));
            }
            match self.case_rows {
                None | Some(RawCaseRows::One) => Shape::One,
                Some(RawCaseRows::Repeated) => Shape::Repeated,
            }
        };
        Ok(Mapping {
            source: self.source,
            zone,
            dossier: column(&self.dossier, &say::key("dossier"))?,
            shape,
            empty: self.empty.unwrap_or_else(|| EMPTY.map(str::to_owned).to_vec()),
            csv: self.csv.check()?,
            filters,
            rules,
        })
    }
}

impl RawCsv {
    fn check(self) -> Result<Csv, Text> {
        let byte = |text: &str, key: &str, or: Option<&str>| match *text.as_bytes() {
            [b] if b.is_ascii() && !matches!(b, b'\r' | b'\n') => Ok(b),
            _ => Err(say::not_one_character(key, text, or)),
        };
        let csv = Csv {
            delimiter: match self.delimiter.as_deref() {
                None => b',',
                Some("tab") => b'\t',
                Some(text) => byte(text, "delimiter", Some("tab"))?,
            },
            quote: match self.quote.as_deref() {
                None => Some(b'"'),
                Some("none") => None,
                Some(text) => Some(byte(text, "quote", Some("none"))?),
            },
            escape: self.escape.as_deref().map(|text| byte(text, "escape", None)).transpose()?,
            header: self.header.unwrap_or(true),
            skip_lines: self.skip_lines.unwrap_or(0),
            trim: self.trim.unwrap_or(true),
            fill_short_rows: self.short_rows == Some(RawShortRows::Fill),
        };
        if csv.quote == Some(csv.delimiter) || csv.escape == Some(csv.delimiter) {
            return Err(say::quote_is_delimiter());
        }
        Ok(csv)
    }
}

impl RawCondition {
    fn check(self, place: &Text) -> Result<Condition, Text> {
        let column = column(&self.column, place)?;
        match (self.is, self.is_not) {
            (Some(values), None) => Ok(Condition { column, values, wanted: true }),
            (None, Some(values)) => Ok(Condition { column, values, wanted: false }),
            _ => Err(place.before(&say::is_or_is_not())),
        }
    }
}

/// One `[[events]]` table; `number` counts them from 1.
fn rule(mut table: toml::Table, number: usize, long: bool, times: &Times) -> Result<Rule, Text> {
    let place = say::event(number);
    let name = match table.remove("type") {
        Some(Toml::String(name)) => name,
        _ => return Err(place.before(&say::no_type())),
    };
    let place = say::event_named(number, &name);
    let event_type = match EventType::parse(&name) {
        Some(EventType::Corrected) => return Err(place.before(&say::corrections_are_sent())),
        Some(EventType::Late) => return Err(place.before(&say::late_is_the_engines())),
        Some(event_type) => event_type,
        None => return Err(place.before(&say::unknown_type())),
    };
    let when = table.remove("when").map(|v| strings(&v, &say::key_of(&place, "when"))).transpose()?;
    if when.is_some() && !long {
        return Err(place.before(&say::when_is_long()));
    }
    let only_if = match table.remove("only_if") {
        None => Vec::new(),
        Some(Toml::Array(conditions)) => conditions,
        Some(one) => vec![one],
    };
    let only_if = only_if
        .into_iter()
        .map(|value| {
            let place = say::key_of(&place, "only_if");
            let raw = value.try_into::<RawCondition>().map_err(|e| place.before(&one_line(&e)))?;
            raw.check(&place)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let known = fields_of(event_type);
    if let Some(key) = table.keys().find(|key| !known.iter().any(|f| f.name == key.as_str())) {
        let names: Vec<&str> =
            ["type", "only_if"].into_iter().chain(long.then_some("when")).chain(known.iter().map(|f| f.name)).collect();
        return Err(place.before(&say::unknown_field(key, &names)));
    }
    let mut fields = Vec::new();
    for field in known {
        match table.get(field.name) {
            Some(value) => fields.push(spec(value, field, &say::field_of(&place, field.name), times)?),
            None if field.required => {
                return Err(place.before(&say::needs_field(field.name)));
            }
            None => {}
        }
    }
    Ok(Rule { event_type, when, only_if, fields })
}

fn spec(value: &Toml, field: Field, place: &Text, times: &Times) -> Result<Spec, Text> {
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
        Toml::Table(table.clone()).try_into().map_err(|e: toml::de::Error| place.before(&one_line(&e)))?;
    let refuse = |there: bool, key: &str, why: Misplaced| {
        if there { Err(place.before(&say::misplaced(key, why))) } else { Ok(()) }
    };
    let is_time = field.kind.is_time();
    refuse(raw.formats.is_some() && !is_time, "formats", Misplaced::ForTimesAndDates)?;
    refuse(raw.time_zone.is_some() && !is_time, "time_zone", Misplaced::ForTimesAndDates)?;
    refuse(raw.of_day.is_some() && field.kind != Kind::Instant, "of_day", Misplaced::ForTimes)?;
    refuse(raw.split.is_some() && field.kind != Kind::Codes, "split", Misplaced::ForItems)?;
    if field.name == "occurred_at" {
        refuse(raw.value.is_some(), "value", Misplaced::NotForTheMoment)?;
        refuse(raw.default.is_some(), "default", Misplaced::NotForTheMoment)?;
    }
    let times = Times {
        formats: formats(raw.formats.as_deref(), &say::key_of(place, "formats"))?
            .unwrap_or_else(|| times.formats.clone()),
        zone: raw.time_zone.as_deref().map_or(Ok(times.zone), |name| zone(name, &say::key_of(place, "time_zone")))?,
        of_day: raw.of_day.as_deref().map(|t| of_day(t, &say::key_of(place, "of_day"))).transpose()?.or(times.of_day),
    };
    let map = raw.map.as_ref().map(|map| {
        let entry = |(from, to): (&String, &Toml)| Ok((from.clone(), scalar(to, &say::key_of(place, "map"))?));
        map.iter().map(entry).collect::<Result<BTreeMap<_, _>, Text>>()
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
        return Err(place.before(&say::split_empty()));
    }
    for to in reading.map.iter().flat_map(BTreeMap::values).filter(|to| !to.is_empty()) {
        literal(&reading, &Toml::String(to.clone()), &say::key_of(place, "map"))?;
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
            refuse(there, key, Misplaced::BesideAConstant)?;
        }
        let constant = literal(&reading, constant, &say::key_of(place, "value"))?;
        return Ok(Spec { field, from: From::Constant(constant) });
    }
    let Some(from) = &raw.column else {
        return Err(place.before(&say::needs_column()));
    };
    match (raw.otherwise, &reading.map) {
        (Some(Otherwise::Keep), None) => {
            return Err(place.before(&say::keep_needs_map()));
        }
        (Some(Otherwise::Empty), None) if matches!(field.kind, Kind::Code | Kind::Codes) => {
            return Err(place.before(&say::empty_needs_map()));
        }
        _ => {}
    }
    reading.default =
        raw.default.as_ref().map(|value| literal(&reading, value, &say::key_of(place, "default"))).transpose()?;
    let column = column(from, place)?;
    Ok(Spec { field, from: From::Column { column, empty: raw.empty, reading: Box::new(reading) } })
}

/// A value written in the mapping itself, in the spelling of the contract.
fn literal(reading: &Reading, value: &Toml, place: &Text) -> Result<Value, Text> {
    let code = |text: &str| {
        let printable = !text.trim().is_empty() && !text.chars().any(char::is_control);
        if printable && text.chars().count() <= MAX_CODE_CHARS {
            Ok(Code::from(text))
        } else {
            Err(place.before(&say::bad_code(text)))
        }
    };
    match (reading.kind, value) {
        (Kind::Codes, Toml::Array(_)) => {
            let codes = strings(value, place)?;
            Ok(Value::Codes(codes.iter().map(|c| code(c)).collect::<Result<_, _>>()?))
        }
        (Kind::Codes, _) => Ok(Value::Codes(vec![code(&scalar(value, place)?)?])),
        (Kind::Code, _) => Ok(Value::Code(code(&scalar(value, place)?)?)),
        _ => reading.parse(&scalar(value, place)?).map_err(|e| place.before(&e)),
    }
}

fn scalar(value: &Toml, place: &Text) -> Result<String, Text> {
    match value {
        Toml::String(text) => Ok(text.clone()),
        Toml::Boolean(value) => Ok(value.to_string()),
        Toml::Integer(value) => Ok(value.to_string()),
        _ => Err(place.before(&say::no_text())),
    }
}

fn strings(value: &Toml, place: &Text) -> Result<Vec<String>, Text> {
    match value {
        Toml::Array(values) => values.iter().map(|v| scalar(v, place)).collect(),
        _ => Err(place.before(&say::no_list())),
    }
}

fn column(value: &Toml, place: &Text) -> Result<Column, Text> {
    match value {
        Toml::String(name) => Ok(Column::Name(name.clone())),
        Toml::Integer(number) => match usize::try_from(*number) {
            Ok(number) if number > 0 => Ok(Column::Number(number)),
            _ => Err(place.before(&say::no_column_number(*number))),
        },
        _ => Err(place.before(&say::no_column())),
    }
}

fn zone(name: &str, place: &Text) -> Result<Zone, Text> {
    Zone::parse(name).ok_or_else(|| place.before(&say::no_zone(name)))
}

fn of_day(text: &str, place: &Text) -> Result<NaiveTime, Text> {
    ["%H:%M", "%H:%M:%S"]
        .iter()
        .find_map(|f| NaiveTime::parse_from_str(text, f).ok())
        .ok_or_else(|| place.before(&say::no_time_of_day(text)))
}

fn formats(names: Option<&[String]>, place: &Text) -> Result<Option<Vec<TimeFormat>>, Text> {
    let Some(names) = names else { return Ok(None) };
    if names.is_empty() {
        return Err(place.before(&say::list_empty()));
    }
    let read = names.iter().map(|n| TimeFormat::new(n).map_err(|e| place.before(&e)));
    read.collect::<Result<Vec<_>, _>>().map(Some)
}

/// What is wrong with the text of the file, and the line.
fn in_the_text(error: &toml::de::Error, text: &str) -> Text {
    let (message, said) = (message(error), error.to_string());
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => say::not_understood_at(before.matches('\n').count() + 1, &message, said.trim()),
        None => say::not_understood(&message, said.trim()),
    }
}

/// The same without the place, on one line.
fn one_line(error: &toml::de::Error) -> Text {
    say::not_understood(&message(error), &message(error))
}

fn message(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}
