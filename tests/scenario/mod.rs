//! Scenarios: histories of dossiers as text, and the figures they must give.
//!
//! `tests/scenarios/README.md` describes the text. This module reads it into statements and plain expectations and
//! checks them against anything that implements [`Answers`]: the pure core, an engine, or a server. It uses the
//! engine's vocabulary (statements, dates, zones) and none of its rules, so that it cannot agree with a wrong rule.
//!
//! A file is loaded once, as one population. To ask about a single dossier, every dossier gets a procedure of its own,
//! named after its code; so the same question works through every door that has the filter `procedure`.

mod law;
mod parse;
mod shuffle;

pub(crate) use shuffle::shuffled;

use dunghen_engine::dossier::{Code, Due, Statement};
use dunghen_engine::rules::Publication;
use dunghen_engine::time::Zone;
use dunghen_engine::views::{Filter, Moment};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// The definitions that `every` stands for, and by each of which obligations are asked: they are the same beside all.
pub(crate) const DEFINITIONS: [&str; 6] =
    ["resolved", "resolved-instant", "decision-766", "received", "returned", "first-promise"];

/// Who is asked.
pub(crate) trait Answers {
    /// Begins anew with an empty log in the zone `home` and these rules in force, and records the statements in this order.
    ///
    /// # Errors
    /// What was said of the first statement that was not accepted.
    fn load(&mut self, home: Zone, rules: &[Publication], statements: &[Statement]) -> Result<(), String>;

    /// Answers a question about rates.
    ///
    /// # Errors
    /// Why there is no answer.
    fn rates(&mut self, question: &Question) -> Result<Answer, String>;

    /// What a list shows of the one dossier that passes the filter.
    ///
    /// # Errors
    /// Why there is none.
    fn look(&mut self, question: &Question) -> Result<Look, String>;

    /// Answers a question for form II.06a, which has a period and one key; its definition is [`FORM`].
    ///
    /// # Errors
    /// Why there is no answer.
    fn form(&mut self, question: &Question) -> Result<Answer, String>;
}

/// What stands for a definition in a question for the form.
pub(crate) const FORM: &str = "ii-06a";

/// Flags that depend on when an event was recorded: all of a scenario is recorded afterwards, one by one or together.
const WHEN_RECORDED: [&str; 2] = ["RECORDED_LATE", "REPORTED_AFTER_PROMISE"];

/// What a list shows of a dossier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// The current promise.
    pub(crate) due: Option<Due>,
    /// The flags of all its events, by name.
    pub(crate) flags: Vec<String>,
}

/// A question, as the command line would put it.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The id of the definition.
    pub(crate) definition: String,
    pub(crate) from: Option<Moment>,
    pub(crate) to: Option<Moment>,
    /// None: as of now.
    pub(crate) as_of: Option<Moment>,
    /// The keys to group by, by name.
    pub(crate) by: Vec<String>,
    /// None: the zone of the data directory.
    pub(crate) zone: Option<Zone>,
    pub(crate) filter: Filter,
}

/// Integers by their names in JSON.
pub(crate) type Integers = BTreeMap<String, u64>;

/// The values of a group's keys; `None` where its dossiers have none.
pub(crate) type Key = Vec<Option<String>>;

/// The figures that are named, and what they must be.
type Figures = Vec<(String, Value)>;

/// The integers of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Over all.
    pub(crate) total: Integers,
    /// By group, in the order of the answer.
    pub(crate) groups: Vec<(Key, Integers)>,
}

/// A file of scenarios.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// The name of the file.
    pub(crate) file: String,
    /// What it is about.
    pub(crate) title: String,
    /// The zone of the data directory.
    pub(crate) home: Zone,
    /// The histories, in the order in which they are written.
    pub(crate) statements: Vec<Statement>,
    /// The rules in force; none if the scenario names none.
    pub(crate) rules: Vec<Publication>,
    /// What must come out.
    expectations: Vec<Expectation>,
}

/// A question and what its answer must say.
#[derive(Clone, Debug)]
struct Expectation {
    line: usize,
    question: Question,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    /// What the definition says of the one dossier.
    Letter(Letter),
    /// The current promise of the one dossier.
    Due(Option<Due>),
    /// The flags of the one dossier, but for those that tell when something was recorded.
    Flags(Vec<String>),
    /// The obligations of the one dossier.
    Apology(Obligations),
    /// How the one dossier came into the form, and what became of it, by the names of the two columns; none if it is not
    /// in hand.
    Columns(Option<[&'static str; 2]>),
    /// Figures of the total.
    Total(Figures),
    /// All rows: their keys, and figures of each.
    Rows(Vec<(Key, Figures)>),
}

/// What a definition says of one dossier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    Early,
    OnDue,
    OnTimeAndOpen,
    Late,
    NoDeadline,
    NotIn,
}

impl Letter {
    const ALL: [(Letter, &'static str); 6] = [
        (Letter::Early, "E"),
        (Letter::OnDue, "D"),
        (Letter::OnTimeAndOpen, "T"),
        (Letter::Late, "L"),
        (Letter::NoDeadline, "n"),
        (Letter::NotIn, "-"),
    ];

    /// The integers of the cohort for a dossier of this letter: cohort, on_time, late, no_deadline, early, on_due.
    fn integers(self) -> [u64; 6] {
        match self {
            Letter::Early => [1, 1, 0, 0, 1, 0],
            Letter::OnDue => [1, 1, 0, 0, 0, 1],
            Letter::OnTimeAndOpen => [1, 1, 0, 0, 0, 0],
            Letter::Late => [1, 0, 1, 0, 0, 0],
            Letter::NoDeadline => [1, 0, 0, 1, 0, 0],
            Letter::NotIn => [0; 6],
        }
    }

    /// The letter whose integers these are, if they are those of one.
    fn of(integers: &Integers) -> Option<Letter> {
        let names = ["cohort", "on_time", "late", "no_deadline", "early", "on_due"];
        let found = names.map(|name| integers.get(name).copied().unwrap_or(u64::MAX));
        Letter::ALL.into_iter().map(|(letter, _)| letter).find(|letter| letter.integers() == found)
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Letter::ALL[*self as usize].1)
    }
}

/// How many obligations of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Obligations {
    in_time: u64,
    late: u64,
    missing: u64,
    defective: u64,
    pending: u64,
}

impl Obligations {
    fn of(integers: &Integers) -> Obligations {
        let get = |name: &str| integers.get(name).copied().unwrap_or(u64::MAX);
        Obligations {
            in_time: get("apology_in_time"),
            late: get("apology_late"),
            missing: get("apology_missing"),
            defective: get("apology_defective"),
            pending: get("apology_pending"),
        }
    }
}

impl fmt::Display for Obligations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Obligations::default() {
            return f.write_str("none");
        }
        let Obligations { in_time, late, missing, defective, pending } = self;
        write!(f, "in_time {in_time}, late {late}, missing {missing} (defective {defective}), pending {pending}")
    }
}

/// What a figure must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Integer(u64),
    /// A rate, as the fraction it is made of, not reduced; `None`: not applicable.
    Rate(Option<(u64, u64)>),
}

impl Value {
    /// The figure of this name; rates are made of their integers here.
    fn of(integers: &Integers, name: &str) -> Option<Value> {
        let get = |name: &str| integers.get(name).copied();
        let rate = |part: u64, whole: u64| Value::Rate((whole > 0).then_some((part, whole)));
        match name {
            "on_time_rate" => Some(rate(get("on_time")?, get("on_time")? + get("late")?)),
            "apology_rate" => Some(rate(get("apology_in_time")?, get("apology_due")?)),
            _ => get(name).map(Value::Integer),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(n) => write!(f, "{n}"),
            Value::Rate(Some((part, whole))) => write!(f, "{part}/{whole}"),
            Value::Rate(None) => f.write_str("n/a"),
        }
    }
}

/// The procedure that is given to this dossier alone.
pub(crate) fn procedure_of(dossier: &str) -> Code {
    format!("only-{dossier}").into()
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.definition.as_str() {
            FORM => f.write_str("report ii-06a")?,
            definition => write!(f, "rates --definition {definition}")?,
        }
        let moment = |m: &Moment| match m {
            Moment::Instant(t) => t.to_string(),
            Moment::Date(d) => d.to_string(),
        };
        for (name, value) in [("from", &self.from), ("to", &self.to), ("as-of", &self.as_of)] {
            if let Some(value) = value {
                write!(f, " --{name} {}", moment(value))?;
            }
        }
        for key in &self.by {
            write!(f, " --by {key}")?;
        }
        let Filter { unit, procedure, field, channel } = &self.filter;
        for (name, value) in [("unit", unit), ("procedure", procedure), ("field", field), ("channel", channel)] {
            if let Some(value) = value {
                write!(f, " --{name} {value}")?;
            }
        }
        self.zone.map_or(Ok(()), |zone| write!(f, " --time-zone {}", zone.name()))
    }
}

/// What came of checking a scenario.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How many expectations were checked.
    pub(crate) checked: usize,
    /// Those that do not hold: file and line, question, expected, got.
    pub(crate) failures: Vec<String>,
}

impl Scenario {
    /// Reads one file of this name.
    ///
    /// # Errors
    /// File, line, and what cannot be understood; also if nothing is expected in it.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Scenario, String> {
        parse::scenario(file, text)
    }

    /// The statements in another order in which they may be recorded, or as they are written. Where rules are in force
    /// there is no other: what they make of an event depends on what was known when it was recorded.
    pub(crate) fn in_order(&self, seed: Option<u64>) -> Vec<Statement> {
        match seed {
            Some(seed) if self.rules.is_empty() => shuffled(&self.statements, seed),
            _ => self.statements.clone(),
        }
    }

    /// Records the statements in this order, then checks every expectation.
    pub(crate) fn check(&self, statements: &[Statement], answers: &mut dyn Answers) -> Report {
        let mut report = Report::default();
        if let Err(why) = answers.load(self.home, &self.rules, statements) {
            report.failures.push(format!("{} ({}): not accepted: {why}", self.file, self.title));
            return report;
        }
        for expectation in &self.expectations {
            let Expectation { line, question, wanted } = expectation;
            let dossier = question.filter.procedure.as_ref().or(question.filter.field.as_ref());
            let dossier = dossier.and_then(|p| p.strip_prefix("only-"));
            let whom = dossier.map_or_else(|| "all dossiers".to_owned(), |code| format!("dossier {code}"));
            if matches!(wanted, Wanted::Due(_) | Wanted::Flags(_)) {
                report.checked += 1;
                let found = answers.look(question).and_then(|look| wanted.seen(&look));
                let place = format!("{}:{line} ({}), {whom}", self.file, self.title);
                report.failures.extend(found.err().map(|what| format!("{place}\n    {what}")));
                continue;
            }
            let is_form = question.definition == FORM;
            let answer = if is_form { answers.form(question) } else { answers.rates(question) };
            let found = match answer {
                Ok(answer) => {
                    let mut found = if is_form { imbalances(&answer) } else { contradictions(question, &answer) };
                    found.extend(wanted.differences(&answer, &mut report.checked));
                    found
                }
                Err(why) => vec![format!("no answer: {why}")],
            };
            let (file, title) = (&self.file, &self.title);
            let place = format!("{file}:{line} ({title}), {whom}: {question}");
            report.failures.extend(found.into_iter().map(|what| format!("{place}\n    {what}")));
        }
        report
    }
}

impl Wanted {
    /// What a list must show.
    fn seen(&self, look: &Look) -> Result<(), String> {
        let same = match self {
            Wanted::Due(due) => look.due == *due,
            Wanted::Flags(flags) => {
                let of_recording = |flag: &&String| WHEN_RECORDED.contains(&flag.as_str());
                let mut shown: Vec<&String> = look.flags.iter().filter(|f| !of_recording(f)).collect();
                let mut wanted: Vec<&String> = flags.iter().collect();
                shown.sort();
                wanted.sort();
                shown == wanted
            }
            _ => false,
        };
        if same { Ok(()) } else { Err(format!("expected {self:?}, got {look:?}")) }
    }

    /// Where an answer differs from what is wanted. Adds to `checked` how much was compared.
    fn differences(&self, answer: &Answer, checked: &mut usize) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |same: bool, say: &dyn Fn() -> String| {
            *checked += 1;
            if !same {
                differences.push(say());
            }
        };
        match self {
            // Looked at before there was an answer.
            Wanted::Due(_) | Wanted::Flags(_) => {}
            Wanted::Letter(wanted) => {
                let got = Letter::of(&answer.total);
                let total = &answer.total;
                compare(got == Some(*wanted), &|| match got {
                    Some(got) => format!("expected {wanted}, got {got}"),
                    None => format!("expected {wanted}, got what no single dossier can give: {total:?}"),
                });
            }
            Wanted::Apology(wanted) => {
                let got = Obligations::of(&answer.total);
                compare(got == *wanted, &|| format!("expected apology {wanted}; got {got}"));
            }
            Wanted::Columns(wanted) => {
                let ones: BTreeSet<&str> =
                    answer.total.iter().filter(|(_, n)| **n > 0).map(|(name, _)| name.as_str()).collect();
                // Where a dossier is, the sums of its columns are, too.
                let of = |name: &'static str| [name, sum_of(name)];
                let expected: BTreeSet<&str> = wanted.iter().flatten().flat_map(|name| of(name)).collect();
                let right = ones == expected && answer.total.values().all(|n| *n <= 1);
                let total = &answer.total;
                compare(right, &|| format!("expected columns {wanted:?}, got {total:?}"));
            }
            Wanted::Total(wanted) => {
                for (name, value) in wanted {
                    let got = Value::of(&answer.total, name);
                    compare(got == Some(*value), &|| difference(name, *value, got));
                }
            }
            Wanted::Rows(wanted) => {
                let keys = |rows: Vec<&Key>| -> String {
                    let text =
                        |key: &Key| key.iter().map(|k| k.as_deref().unwrap_or("null")).collect::<Vec<_>>().join(" ");
                    rows.into_iter().map(text).collect::<Vec<_>>().join(", ")
                };
                let (want, got): (Vec<_>, Vec<_>) =
                    (wanted.iter().map(|(key, _)| key).collect(), answer.groups.iter().map(|(key, _)| key).collect());
                compare(want == got, &|| format!("expected rows {}; got {}", keys(want.clone()), keys(got.clone())));
                for (key, figures) in wanted {
                    let row = answer.groups.iter().find(|(k, _)| k == key);
                    for (name, value) in figures {
                        let got = row.and_then(|(_, integers)| Value::of(integers, name));
                        compare(got == Some(*value), &|| {
                            format!("row {}: {}", keys(vec![key]), difference(name, *value, got))
                        });
                    }
                }
            }
        }
        differences
    }
}

fn difference(name: &str, wanted: Value, got: Option<Value>) -> String {
    let got = got.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
    format!("expected {name} {wanted}, got {got}")
}

/// What every answer must satisfy, whatever it is about: the sums that the definitions promise.
fn contradictions(question: &Question, answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    let rows = answer.groups.iter().map(|(_, integers)| integers);
    for integers in rows.clone().chain([&answer.total]) {
        let get = |name: &str| integers.get(name).copied().unwrap_or(0);
        let mut holds = |what: &str, holds: bool| {
            if !holds {
                found.push(format!("{what} does not hold in {integers:?}"));
            }
        };
        holds(
            "cohort = on_time + late + no_deadline",
            get("cohort") == get("on_time") + get("late") + get("no_deadline"),
        );
        holds("early + on_due <= on_time", get("early") + get("on_due") <= get("on_time"));
        let due = get("apology_in_time") + get("apology_late") + get("apology_missing");
        holds("apology_due = in time + late + missing", get("apology_due") == due);
        holds("apology_defective <= apology_missing", get("apology_defective") <= get("apology_missing"));
        holds("open_overdue + open_no_deadline <= open", get("open_overdue") + get("open_no_deadline") <= get("open"));
        if question.definition.starts_with("resolved") {
            holds("cohort = resolved", get("cohort") == get("resolved"));
        }
        if question.definition == "decision-766" {
            holds("cohort = received", get("cohort") == get("received"));
        }
        if question.definition == "returned" {
            holds("cohort = returned", get("cohort") == get("returned"));
        }
    }
    if question.by.is_empty() {
        if !answer.groups.is_empty() {
            found.push("groups, though none were asked for".to_owned());
        }
        return found;
    }
    for (name, total) in &answer.total {
        let sum: u64 = rows.clone().filter_map(|row| row.get(name)).sum();
        if sum != *total {
            found.push(format!("the rows' {name} add up to {sum}, the total says {total}"));
        }
    }
    if rows.clone().any(|row| row.values().all(|n| *n == 0)) {
        found.push("a row in which every integer is 0".to_owned());
    }
    found
}

/// The sum of the form that a column belongs to; a column that is in none is its own.
fn sum_of(column: &'static str) -> &'static str {
    match column {
        "online" | "direct" | "carried_over" => "total_received",
        "early" | "on_due" | "overdue" | "resolved_no_deadline" => "resolved",
        "within_due" | "in_progress_overdue" | "in_progress_no_deadline" => "in_progress",
        other => other,
    }
}

/// What every form must satisfy: each row balances, and the rows add up.
fn imbalances(answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    for row in answer.groups.iter().map(|(_, row)| row).chain([&answer.total]) {
        let get = |name: &str| row.get(name).copied().unwrap_or(u64::MAX / 8);
        let sums = [
            ("(3) = (4) + (5) + (6)", get("total_received"), get("online") + get("direct") + get("carried_over")),
            (
                "(7) = (8) + (9) + (10) + those without deadline",
                get("resolved"),
                get("early") + get("on_due") + get("overdue") + get("resolved_no_deadline"),
            ),
            (
                "(11) = (12) + (13) + those without deadline",
                get("in_progress"),
                get("within_due") + get("in_progress_overdue") + get("in_progress_no_deadline"),
            ),
            (
                "(3) = (7) + (11) + withdrawn",
                get("total_received"),
                get("resolved") + get("in_progress") + get("withdrawn"),
            ),
        ];
        found.extend(
            sums.iter().filter(|(_, a, b)| a != b).map(|(what, ..)| format!("{what} does not hold in {row:?}")),
        );
    }
    for (name, total) in &answer.total {
        let sum: u64 = answer.groups.iter().filter_map(|(_, row)| row.get(name)).sum();
        if sum != *total {
            found.push(format!("the rows' {name} add up to {sum}, the total says {total}"));
        }
    }
    if answer.groups.iter().any(|(_, row)| row.values().all(|n| *n == 0)) {
        found.push("a row in which every integer is 0".to_owned());
    }
    found
}

/// All scenarios of a directory, by name.
///
/// # Errors
/// The first file that cannot be read or understood.
pub(crate) fn read_all(directory: &Path) -> Result<Vec<Scenario>, String> {
    let say = |e: std::io::Error| format!("{}: {e}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(say)? {
        let path = entry.map_err(say)?.path();
        if path.extension().is_some_and(|e| e == "txt") {
            files.push(path);
        }
    }
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Scenario::parse(&path.file_name().unwrap_or_default().to_string_lossy(), &text)
    };
    files.iter().map(read).collect()
}
