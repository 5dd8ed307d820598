//! `dunghen due`: when a term ends, and why. By the calendar in force for a unit in a directory or at a server, or, if none
//! is named, by the one that is built in.

use super::record::next_line;
use super::{Failure, Format, IN_PART, OptionalTarget, format_or_default, moment, no_date, output};
use dunghen::messages::format::date;
use dunghen::messages::{self, Lang, Text, bad_question, calls, due as words, rules as say};
use dunghen::source::Source;
use dunghen::{pb, rules};
use dunghen_engine::calendar::{Explanation, Term, WorkingTime};
use dunghen_engine::dossier::{Violation, ViolationKind};
use dunghen_engine::rules::{EVERY_UNIT, RuleKind, Rulebook};
use dunghen_engine::time::{Due, Moment, Zone};
use serde_json::{Map, Value, json};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest term in any unit: of working days about 40 years.
const MOST: u32 = 10_000;
const UNITS: &[&str] = &["hour", "working_day", "day", "month"];
const FIELDS: [&str; 3] = ["received", "term", "term_unit"];

#[derive(clap::Args)]
pub(super) struct DueArgs {
    /// When the dossier was received: a time such as 2025-09-10T09:00+07:00, or a date, which has no cut-off.
    #[arg(long, value_name = "T", required_unless_present = "batch")]
    received: Option<String>,
    /// How long the term is; 0 days is a same-day procedure.
    #[arg(long, value_name = "N", required_unless_present = "batch")]
    term: Option<String>,
    /// The unit of the term: hour, working_day, day or month.
    #[arg(long, value_name = "TERM_UNIT", required_unless_present = "batch")]
    term_unit: Option<String>,
    /// The unit that answers for the dossier; its calendar is the one in force there.
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    #[command(flatten)]
    target: OptionalTarget,
    /// Answer NDJSON lines {"received","term","term_unit"} with a line each.
    #[arg(long, conflicts_with_all = ["received", "term", "term_unit"])]
    batch: bool,
    /// The file of --batch; standard input if it is - or not named.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// How to print the answer; --batch answers in JSON only.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// What is asked.
struct Question {
    received: Moment,
    term: u32,
    term_unit: String,
}

/// What is wrong with a field.
fn violation(field: &str, kind: ViolationKind) -> Text {
    bad_question(field, &messages::violation(&Violation { field: field.to_owned(), kind }))
}

impl Question {
    /// Reads the fields of a line; the error says all that is wrong.
    fn read(fields: &Map<String, Value>) -> Result<Question, Text> {
        let mut faults = Vec::new();
        let unknown = fields.keys().filter(|key| !FIELDS.contains(&key.as_str()));
        faults.extend(unknown.map(|key| bad_question(key, &words::no_such_field(&FIELDS.join(", ")))));
        let mut given = |field: &'static str| {
            let value = fields.get(field).filter(|v| !v.is_null());
            if value.is_none() {
                faults.push(violation(field, ViolationKind::Missing));
            }
            value
        };
        let [received, term, term_unit] = FIELDS.map(&mut given);
        let found = received.map(|v| v.as_str().and_then(|text| moment(text).ok()));
        if found == Some(None) {
            let text = received.and_then(Value::as_str).unwrap_or_default();
            faults.push(bad_question("received", &no_date(text, words::not_a_reception()).0));
        }
        let unit = term_unit.map(|v| v.as_str().filter(|unit| UNITS.contains(unit)));
        if unit == Some(None) {
            faults.push(violation("term_unit", ViolationKind::NotOneOf(UNITS)));
        }
        // No hours at all would be no term; no days are a same-day procedure.
        let least = u32::from(unit == Some(Some("hour")));
        let number =
            term.map(|v| v.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (least..=MOST).contains(n)));
        if number == Some(None) {
            faults.push(bad_question("term", &words::not_a_term(least, MOST)));
        }
        match (found.flatten(), number.flatten(), unit.flatten()) {
            (Some(received), Some(term), Some(unit)) if faults.is_empty() => {
                Ok(Question { received, term, term_unit: unit.to_owned() })
            }
            _ => Err(words::all_of(&faults)),
        }
    }

    fn term(&self) -> Term {
        match self.term_unit.as_str() {
            "hour" => Term::Hours(self.term),
            "working_day" => Term::WorkingDays(self.term),
            "day" => Term::Days(self.term),
            _ => Term::Months(self.term),
        }
    }

    /// The answer of the contract: `due` is the last moment, `due_date` its date.
    fn answer(&self, due: Due, zone: &Zone) -> Value {
        let received = match self.received {
            Moment::Instant(t) => t.to_string(),
            Moment::Date(d) => d.to_string(),
        };
        json!({
            "received": received,
            "term": self.term,
            "term_unit": self.term_unit,
            "due": due.last_moment(zone).to_string(),
            "due_date": due.date(zone).to_string(),
        })
    }
}

fn too_far() -> Text {
    bad_question("term", &words::too_far())
}

/// Which calendar counts.
enum Calendars {
    /// The one that is built in, for whatever day.
    BuiltIn(Arc<WorkingTime>),
    /// Those of some place, and the unit that is asked about.
    Of(Box<Rulebook>, String),
}

impl Calendars {
    /// Those of a place: its units and calendars are brought here, and the engine's own rules say which is in force.
    async fn of(source: &Source, unit: &str) -> Result<Calendars, Failure> {
        let mut versions = Vec::new();
        let mut zone = Zone::VIETNAM;
        for kind in [RuleKind::Calendar, RuleKind::Unit] {
            let request = pb::ListRulesRequest { kind: kind.name().to_owned(), ..pb::ListRulesRequest::default() };
            let answer = source.list_rules(request).await.map_err(|s| Failure::status(&s))?;
            zone = Zone::parse(&answer.time_zone).ok_or_else(|| Failure::defect(&answer.time_zone))?;
            versions.extend(answer.rules);
        }
        let mut rules = Rulebook::new(zone);
        for version in versions {
            let text = version.rule.map(|rule| rule.text).unwrap_or_default();
            // What a later server says and this program does not understand must not be passed over: it may decide.
            let read = rules::Rules::parse(&text).map_err(|fault| Failure::failed(fault.text()))?;
            for publication in read.publications {
                rules.publish(publication, version.position).map_err(|why| Failure::failed(say::unfit(&why)))?;
            }
        }
        Ok(Calendars::Of(Box::new(rules), unit.to_owned()))
    }

    /// The zone in which dates are made.
    fn zone(&self) -> &Zone {
        match self {
            Calendars::BuiltIn(time) => time.zone(),
            Calendars::Of(rules, _) => rules.home(),
        }
    }

    /// The one for what is received then.
    fn at(&self, received: Moment) -> Result<Arc<WorkingTime>, Text> {
        match self {
            Calendars::BuiltIn(time) => Ok(Arc::clone(time)),
            Calendars::Of(rules, unit) => {
                let at = received.bound(rules.home());
                let found = rules.look_up(unit, None, at, u64::MAX).working_time;
                found.ok_or_else(|| bad_question("received", &say::no_calendar(unit, rules.home().date(at))))
            }
        }
    }
}

pub(super) async fn run(args: DueArgs, lang: Lang) -> Result<u8, Failure> {
    if args.unit.as_ref().is_some_and(|unit| unit.trim().is_empty()) {
        return Err(Failure::usage(violation("--unit", ViolationKind::NotPrintable)));
    }
    if args.batch {
        if args.format.is_some_and(|format| format != Format::Json) {
            return Err(Failure::usage(words::batch_is_json()));
        }
        let calendars = calendars(args.target, args.unit.as_deref(), lang).await?;
        return batch(&calendars, args.file, lang);
    }
    if args.file.is_some() {
        return Err(Failure::usage(words::only_batch_reads_a_file()));
    }
    // On the command line a number is a text, too.
    let term = args.term.map(|text| text.parse::<u64>().map_or(Value::String(text), Value::from));
    let fields = [args.received.map(Value::String), term, args.term_unit.map(Value::String)];
    let fields = FIELDS.iter().zip(fields).filter_map(|(name, value)| Some(((*name).to_owned(), value?))).collect();
    let question = Question::read(&fields).map_err(Failure::usage)?;
    let calendars = calendars(args.target, args.unit.as_deref(), lang).await?;
    let time = calendars.at(question.received).map_err(Failure::failed)?;
    let explained = time.explain(question.received, &[question.term()]);
    let explained = explained.map_err(|_| Failure::usage(too_far()))?;
    let answer = question.answer(explained.due, time.zone());
    match format_or_default(args.format) {
        Format::Json => output::json(&answer)?,
        Format::Csv => {
            let fields = ["received", "term", "term_unit", "due", "due_date"];
            let cell = |name: &str| answer[name].as_str().map_or_else(|| answer[name].to_string(), str::to_owned);
            output::csv(&fields, vec![fields.map(cell).to_vec()])?;
        }
        Format::Table => output::line(&table(&question, &explained, &time, args.unit.as_deref(), lang))?,
    }
    Ok(0)
}

/// Those of the place that is named, or the one that is built in.
async fn calendars(target: OptionalTarget, unit: Option<&str>, lang: Lang) -> Result<Calendars, Failure> {
    match target.ask(lang).await? {
        Some(source) => Calendars::of(&source, unit.unwrap_or(EVERY_UNIT)).await,
        None => {
            let time = WorkingTime::new(rules::vietnam(), Zone::VIETNAM);
            Ok(Calendars::BuiltIn(Arc::new(time.map_err(|e| Failure::failed(say::calendar(&e)))?)))
        }
    }
}

/// The due in local form, and the days that make it.
fn table(question: &Question, explained: &Explanation, time: &WorkingTime, unit: Option<&str>, lang: Lang) -> String {
    let term = words::term(question.term, &question.term_unit);
    let head = words::head(explained.due, question.received, time.zone(), &term, &time.calendar().code, unit);
    let rows: Vec<Vec<String>> = explained
        .steps
        .iter()
        .map(|step| {
            let (counted, why) = words::step(&step.what, time.calendar());
            vec![
                date(step.date, lang),
                words::weekday(step.date).into_lang(lang),
                counted.into_lang(lang),
                why.into_lang(lang),
            ]
        })
        .collect();
    let header = output::header(words::header(), lang);
    let mut text = format!("{}\n{}", head.in_lang(lang), output::table(&header, header.len(), &rows));
    if !explained.known {
        text.push('\n');
        text.push_str(words::unknown_days(time.calendar()).in_lang(lang));
    }
    text
}

/// Answers every line, in order; what cannot be read is refused with its line.
fn batch(calendars: &Calendars, file: Option<PathBuf>, lang: Lang) -> Result<u8, Failure> {
    let named = |e: std::io::Error| Failure::failed(calls::system_at(file.as_deref().unwrap_or(Path::new("-")), &e));
    let reader: Box<dyn Read> = match &file {
        Some(path) if path.as_os_str() != "-" => Box::new(std::fs::File::open(path).map_err(named)?),
        _ => Box::new(std::io::stdin()),
    };
    let mut reader = BufReader::new(reader);
    let mut lines = output::Lines::new();
    let (mut number, mut refused) = (0_u64, 0_u64);
    loop {
        // Whoever asks line by line and waits for the answer gets it.
        if reader.buffer().is_empty() {
            lines.flush()?;
        }
        let Some(line) = next_line(&mut reader).map_err(named)? else { break };
        number += 1;
        let answer = match line {
            Ok(text) if text.is_empty() => continue,
            Ok(text) => answer(calendars, &text).map_err(|text| ("FIELD_INVALID", text)),
            Err(rejection) => Err((rejection.reason(), messages::rejection(&rejection, calendars.zone()))),
        };
        match answer {
            Ok(answer) => lines.json(&answer)?,
            Err((reason, text)) => {
                let message = text.in_lang(lang);
                refused += 1;
                lines.json(&json!({"line": number, "reason": reason, "message": message}))?;
            }
        }
    }
    lines.end()?;
    Ok(if refused > 0 { IN_PART } else { 0 })
}

fn answer(calendars: &Calendars, line: &str) -> Result<Value, Text> {
    let not_json = |said: String| violation("line", ViolationKind::NotJson(said));
    let fields = match serde_json::from_str(line) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err(not_json("not an object".to_owned())),
        Err(e) => return Err(not_json(e.to_string())),
    };
    let question = Question::read(&fields)?;
    let time = calendars.at(question.received)?;
    let due = time.due(question.received, &[question.term()]).map_err(|_| too_far())?;
    Ok(question.answer(due, time.zone()))
}
