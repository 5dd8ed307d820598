//! One cell of a file becomes one field of an event.
//!
//! Pure: it knows neither rows nor dossiers, and reads no clock. A time without an offset is a wall clock's; the zone
//! comes with the specification of the field.

use crate::messages::{Text, import as say, mapping};
use chrono::format::{Fixed, Item, Parsed, StrftimeItems};
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use dunghen_engine::dossier::{ApplicantKind, Code, EventType, Outcome};
use dunghen_engine::time::{Date, LocalTime, Timestamp, Zone};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Code,
    Codes,
    Instant,
    Date,
    Bool,
    Applicant,
    Outcome,
}

impl Kind {
    pub(super) fn is_time(self) -> bool {
        matches!(self, Kind::Instant | Kind::Date)
    }
}

/// A field of an event, by its name in the contract.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const COMMON: &[Field] =
    &[required("occurred_at", Kind::Instant), field("desk", Kind::Code), field("actor", Kind::Code)];
const DUES: &[Field] = &[field("due", Kind::Instant), field("due_date", Kind::Date)];
const REASON: &[Field] = &[field("reason_code", Kind::Code)];

/// The fields of a type: those of every event first.
pub(super) fn fields_of(event_type: EventType) -> Vec<Field> {
    let own: &[Field] = match event_type {
        EventType::Received => &[
            required("unit", Kind::Code),
            field("procedure", Kind::Code),
            field("field", Kind::Code),
            field("channel", Kind::Code),
            field("due", Kind::Instant),
            field("due_date", Kind::Date),
            field("applicant_kind", Kind::Applicant),
        ],
        EventType::Rejected => &[field("unit", Kind::Code), field("reason_code", Kind::Code)],
        EventType::Forwarded => {
            &[required("to_unit", Kind::Code), field("step_due", Kind::Instant), field("step_due_date", Kind::Date)]
        }
        EventType::SupplementRequested => &[field("items", Kind::Codes), field("reason_code", Kind::Code)],
        EventType::Supplemented | EventType::Paid => DUES,
        EventType::PaymentRequested => &[field("stops_clock", Kind::Bool)],
        EventType::Processed => &[field("outcome", Kind::Outcome)],
        EventType::Late | EventType::Corrected => &[],
        EventType::ApologySent => &[
            field("letter_number", Kind::Code),
            field("reason_code", Kind::Code),
            field("signer", Kind::Code),
            field("sent_via", Kind::Code),
            field("new_due", Kind::Instant),
            field("new_due_date", Kind::Date),
        ],
        EventType::Returned => &[field("returned_via", Kind::Code)],
        EventType::Withdrawn => REASON,
        EventType::Stopped => &[required("reason_code", Kind::Code)],
    };
    COMMON.iter().chain(own).copied().collect()
}

/// What a cell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Code(Code),
    Codes(Vec<Code>),
    Instant(Timestamp),
    Date(Date),
    Bool(bool),
    Applicant(ApplicantKind),
    Outcome(Outcome),
}

/// What to do with a value that is not in the map, or that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Otherwise {
    Keep,
    Reject,
    Empty,
}

/// How the text of a cell becomes a value.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) kind: Kind,
    /// From the spelling of the file to that of the contract; "" means empty.
    pub(super) map: Option<BTreeMap<String, String>>,
    pub(super) otherwise: Otherwise,
    pub(super) default: Option<Value>,
    pub(super) split: Option<String>,
    pub(super) times: Times,
}

impl Reading {
    /// What a cell says; `None` for the cell is an empty one. The error says what is wrong and what to do.
    pub(super) fn value(&self, cell: Option<&str>) -> Result<Option<Value>, Text> {
        let Some(cell) = cell else { return Ok(self.default.clone()) };
        if self.kind == Kind::Codes {
            let parts: Vec<&str> = match &self.split {
                Some(split) => cell.split(split.as_str()).map(str::trim).filter(|p| !p.is_empty()).collect(),
                None => vec![cell],
            };
            let mut codes = Vec::with_capacity(parts.len());
            for part in parts {
                codes.extend(self.mapped(part)?.map(Code::from));
            }
            return Ok(if codes.is_empty() { self.default.clone() } else { Some(Value::Codes(codes)) });
        }
        let Some(text) = self.mapped(cell)? else { return Ok(self.default.clone()) };
        match self.parse(text) {
            Ok(value) => Ok(Some(value)),
            Err(_) if self.otherwise == Otherwise::Empty => Ok(self.default.clone()),
            Err(message) => Err(message),
        }
    }

    fn mapped<'a>(&'a self, text: &'a str) -> Result<Option<&'a str>, Text> {
        let Some(map) = &self.map else { return Ok(Some(text)) };
        match (map.get(text), self.otherwise) {
            (Some(to), _) => Ok(Some(to.as_str()).filter(|t| !t.is_empty())),
            (None, Otherwise::Keep) => Ok(Some(text)),
            (None, Otherwise::Empty) => Ok(None),
            (None, Otherwise::Reject) => Err(say::not_in_map(text, map.keys().map(String::as_str))),
        }
    }

    /// Reads a text in the spelling of the contract, or a time in one of the formats.
    pub(super) fn parse(&self, text: &str) -> Result<Value, Text> {
        let one_of = |names: &[&str]| say::not_one_of(text, names);
        match self.kind {
            Kind::Code => Ok(Value::Code(text.into())),
            Kind::Codes => Ok(Value::Codes(vec![text.into()])),
            Kind::Instant => self.times.instant(text).map(Value::Instant),
            Kind::Date => self.times.date(text).map(Value::Date),
            Kind::Bool => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(one_of(&["true", "false"])),
            },
            Kind::Applicant => ApplicantKind::parse(text)
                .map(Value::Applicant)
                .ok_or_else(|| one_of(&ApplicantKind::ALL.map(ApplicantKind::name))),
            Kind::Outcome => Outcome::parse(text).map(Value::Outcome).ok_or_else(|| one_of(&["granted", "refused"])),
        }
    }
}

/// How the times of a column are written.
#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) formats: Vec<TimeFormat>,
    pub(super) zone: Zone,
    /// The time of day of a date without one; the start of the day if `None`.
    pub(super) of_day: Option<NaiveTime>,
}

impl Times {
    fn moment(&self, text: &str) -> Result<Moment, Text> {
        let read = self.formats.iter().find_map(|f| f.read(text));
        read.ok_or_else(|| say::no_format_fits(text, self.formats.iter().map(|f| f.name.as_str())))
    }

    fn instant(&self, text: &str) -> Result<Timestamp, Text> {
        let wall = match (self.moment(text)?, self.of_day) {
            (Moment::Instant(at), _) => return Ok(at),
            (Moment::Wall(wall), _) => wall,
            (Moment::Day(day), Some(time)) => day.and_time(time),
            (Moment::Day(day), None) => {
                return Ok(self.zone.first_tick(date(day)));
            }
        };
        match self.zone.local(wall) {
            LocalTime::Once(at) | LocalTime::Twice(at, _) => Ok(at),
            LocalTime::Never => Err(say::time_never_was(text, &self.zone)),
        }
    }

    fn date(&self, text: &str) -> Result<Date, Text> {
        Ok(match self.moment(text)? {
            Moment::Instant(at) => self.zone.date(at),
            Moment::Wall(wall) => date(wall.date()),
            Moment::Day(day) => date(day),
        })
    }
}

fn date(day: NaiveDate) -> Date {
    // Formats take years of four digits only, so the day is one an event may carry.
    Date::new(day.year(), day.month(), day.day()).unwrap_or(Date::EARLIEST)
}

/// What a text says before a zone has been asked.
enum Moment {
    Instant(Timestamp),
    Wall(NaiveDateTime),
    Day(NaiveDate),
}

/// One way to write a time.
#[derive(Clone, Debug)]
pub(super) struct TimeFormat {
    name: String,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    Rfc3339,
    /// A decimal number; the value is the milliseconds of one unit, as a power of ten.
    Epoch(u32),
    Excel,
    /// A pattern, and whether it names the half of the day.
    Pattern(Vec<Item<'static>>, bool),
}

impl TimeFormat {
    /// The format of that name, or the pattern; the error says what to do.
    pub(super) fn new(name: &str) -> Result<TimeFormat, Text> {
        let how = match name {
            "rfc3339" => How::Rfc3339,
            "unix" => How::Epoch(3),
            "unix_ms" => How::Epoch(0),
            "excel" => How::Excel,
            _ => How::Pattern(Vec::new(), false),
        };
        if !matches!(how, How::Pattern(..)) {
            return Ok(TimeFormat { name: name.to_owned(), how });
        }
        if !name.contains('%') {
            return Err(mapping::no_format(name));
        }
        let items = StrftimeItems::new(name).parse_to_owned().map_err(|_| mapping::unknown_sign(name))?;
        if items.contains(&Item::Fixed(Fixed::TimezoneName)) {
            return Err(mapping::zone_sign(name));
        }
        let half = items.iter().any(|i| matches!(i, Item::Fixed(Fixed::LowerAmPm | Fixed::UpperAmPm)));
        let format = TimeFormat { name: name.to_owned(), how: How::Pattern(items, half) };
        if !format.reads_itself() {
            return Err(mapping::gives_no_moment(name));
        }
        Ok(format)
    }

    /// Whether the pattern can read what it has written, so that a useless one is found before any row is.
    fn reads_itself(&self) -> bool {
        let How::Pattern(items, _) = &self.how else { return true };
        let Some(sample) = DateTime::from_timestamp_millis(1_009_092_946_123) else { return false };
        let Some(offset) = FixedOffset::east_opt(7 * 3600) else { return false };
        let mut text = String::new();
        let written = write!(text, "{}", sample.with_timezone(&offset).format_with_items(items.iter()));
        written.is_ok() && self.read(&text).is_some()
    }

    fn read(&self, text: &str) -> Option<Moment> {
        let moment = match &self.how {
            How::Rfc3339 => {
                // Many systems write a blank where RFC 3339 has a T.
                let date_and_time = text.get(..10).zip(text.get(10..11).filter(|c| *c == " ")).zip(text.get(11..));
                let joined = date_and_time.map(|((date, _), time)| format!("{date}T{time}"));
                Moment::Instant(Timestamp::parse(joined.as_deref().unwrap_or(text))?)
            }
            How::Epoch(digits) => Moment::Instant(Timestamp::checked(floor_decimal(text, *digits)?)?),
            How::Excel => excel(text)?,
            How::Pattern(items, half) => {
                let text = if *half { english_half(text) } else { text.to_owned() };
                pattern(&text, items)?
            }
        };
        let year = match &moment {
            Moment::Instant(at) => return Some(Moment::Instant(*at)),
            Moment::Wall(wall) => wall.year(),
            Moment::Day(day) => day.year(),
        };
        // `%Y` also takes "25", which means the year 2025 to whoever wrote it, and the year 25 to nobody.
        (1000..=9999).contains(&year).then_some(moment)
    }
}

fn pattern(text: &str, items: &[Item<'static>]) -> Option<Moment> {
    let mut parsed = Parsed::new();
    chrono::format::parse(&mut parsed, text, items.iter()).ok()?;
    let plausible = |at: i64| Timestamp::checked(at);
    if parsed.offset().is_some() {
        let at = parsed.to_datetime().ok()?;
        return (1000..=9999).contains(&at.year()).then(|| plausible(at.timestamp_millis()))?.map(Moment::Instant);
    }
    if parsed.timestamp().is_some() {
        let at = parsed.to_naive_datetime_with_offset(0).ok()?;
        return plausible(at.and_utc().timestamp_millis()).map(Moment::Instant);
    }
    let timed = parsed.hour_mod_12().is_some() || parsed.hour_div_12().is_some() || parsed.minute().is_some();
    if timed {
        parsed.to_naive_datetime_with_offset(0).ok().map(Moment::Wall)
    } else {
        parsed.to_naive_date().ok().map(Moment::Day)
    }
}

/// A Vietnamese Excel writes SA (sáng) and CH (chiều) where patterns know AM and PM.
fn english_half(text: &str) -> String {
    let english = |word: &str| match word.to_ascii_uppercase().as_str() {
        "SA" => "AM".to_owned(),
        "CH" => "PM".to_owned(),
        _ => word.to_owned(),
    };
    text.split(' ').map(english).collect::<Vec<_>>().join(" ")
}

/// A decimal number times 10^digits, rounded down.
fn floor_decimal(text: &str, digits: u32) -> Option<i64> {
    let (negative, number) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let kept: String = fraction.chars().chain("000".chars()).take(usize::try_from(digits).ok()?).collect();
    let floored: i64 = format!("{whole}{kept}").parse().ok()?;
    let lost = fraction.bytes().skip(usize::try_from(digits).ok()?).any(|b| b != b'0');
    if negative { floored.checked_neg()?.checked_sub(i64::from(lost)) } else { Some(floored) }
}

/// A serial number of Excel: days since 1899-12-30, the fraction being the time of day on the wall.
fn excel(text: &str) -> Option<Moment> {
    const MS_PER_DAY: f64 = 86_400_000.0;
    if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',') {
        return None;
    }
    let serial: f64 = text.replace(',', ".").parse().ok()?;
    // Below 61 Excel counts a 29 February 1900 that never was; from 2958466 on the year has five digits.
    if !(61.0..2_958_466.0).contains(&serial) {
        return None;
    }
    let day = NaiveDate::from_ymd_opt(1899, 12, 30)?;
    // Rounded, not floored: ten decimals of a third of a day fall just short of the second that is meant.
    #[allow(clippy::cast_possible_truncation, reason = "the range was checked")]
    let ms = (serial * MS_PER_DAY).round() as i64;
    let moment = day.and_time(NaiveTime::MIN).checked_add_signed(TimeDelta::try_milliseconds(ms)?)?;
    Some(if ms % 86_400_000 == 0 { Moment::Day(moment.date()) } else { Moment::Wall(moment) })
}
