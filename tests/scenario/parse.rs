//! Reads the text of a scenario, line by line. What it does not know it refuses, with file and line.

use super::law::Law;
use super::{DEFINITIONS, Expectation, FORM, Letter, Obligations, Question, Scenario, Value, Wanted, procedure_of};
use dunghen_engine::dossier::{Code, Due, Event, Outcome, Restated, Statement};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{Filter, Moment};
use uuid::Uuid;

/// When an event happens of which only the date is told: 09:00.
const OFFICE_HOUR_MS: i64 = 9 * 60 * 60 * 1000;
const MS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// The figures that have a name.
const FIGURES: [&str; 21] = [
    "received",
    "resolved",
    "withdrawn",
    "returned",
    "cohort",
    "on_time",
    "late",
    "no_deadline",
    "early",
    "on_due",
    "open",
    "open_overdue",
    "open_no_deadline",
    "apology_due",
    "apology_in_time",
    "apology_late",
    "apology_missing",
    "apology_defective",
    "apology_pending",
    "on_time_rate",
    "apology_rate",
];
/// The integers of the form.
const COLUMNS: [&str; 14] = [
    "total_received",
    "online",
    "direct",
    "carried_over",
    "resolved",
    "early",
    "on_due",
    "overdue",
    "resolved_no_deadline",
    "in_progress",
    "within_due",
    "in_progress_overdue",
    "in_progress_no_deadline",
    "withdrawn",
];
/// How a dossier comes into the form, and what becomes of it: as the columns are numbered, or by name beyond them.
const CAME: [(&str, &str); 3] = [("4", "online"), ("5", "direct"), ("6", "carried_over")];
const BECAME: [(&str, &str); 8] = [
    ("8", "early"),
    ("9", "on_due"),
    ("10", "overdue"),
    ("12", "within_due"),
    ("13", "in_progress_overdue"),
    ("resolved_no_deadline", "resolved_no_deadline"),
    ("in_progress_no_deadline", "in_progress_no_deadline"),
    ("withdrawn", "withdrawn"),
];
const KEYS: [&str; 8] = ["unit", "procedure", "field", "channel", "day", "month", "quarter", "year"];

pub(super) fn scenario(file: &str, text: &str) -> Result<Scenario, String> {
    let mut reader = Reader { file, ..Reader::default() };
    for (number, line) in (1..).zip(text.lines()) {
        reader.line(number, line).map_err(|why| format!("{file}:{number}: {why}\n    {}", line.trim()))?;
    }
    reader.finish().map_err(|why| format!("{file}: {why}"))
}

/// A moment as written: a date, or an instant.
type When = Moment;

/// What the line belongs to.
#[derive(Default)]
enum Block {
    #[default]
    Head,
    /// Code and channel of the dossier.
    Dossier(Code, Option<Code>),
    /// The expectations whose rows or figures follow: one a definition.
    Figures(std::ops::Range<usize>),
}

#[derive(Default)]
struct Reader<'a> {
    file: &'a str,
    title: Option<String>,
    zone: Option<Zone>,
    year: Option<i32>,
    unit: Option<Code>,
    law: Law,
    /// The dossiers that follow a procedure of the head; they are asked for by their field.
    under: Vec<Code>,
    block: Block,
    dossiers: Vec<Code>,
    statements: Vec<Statement>,
    /// Of each statement, its dossier, its verb and its id.
    verbs: Vec<(Code, String, Uuid)>,
    expectations: Vec<Expectation>,
}

/// The words of a line that are not read yet.
struct Words<'a>(std::iter::Peekable<std::vec::IntoIter<&'a str>>);

impl<'a> Words<'a> {
    fn new(line: &'a str) -> Words<'a> {
        let line = line.split('#').next().unwrap_or_default();
        Words(line.split_whitespace().collect::<Vec<_>>().into_iter().peekable())
    }

    /// Takes the next word if it is this one.
    fn take(&mut self, word: &str) -> bool {
        self.0.next_if(|w| *w == word).is_some()
    }

    fn next(&mut self, what: &str) -> Result<&'a str, String> {
        self.0.next().ok_or_else(|| format!("{what} is missing"))
    }

    fn end(mut self) -> Result<(), String> {
        self.0.next().map_or(Ok(()), |word| Err(format!("`{word}` is not understood here")))
    }
}

impl Reader<'_> {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let mut words = Words::new(line);
        let Some(first) = words.0.next() else { return Ok(()) };
        match first {
            "dossier" => return self.dossier(words),
            "figures" => return self.figures(number, words),
            "form" => return self.form(number, words),
            _ => {}
        }
        match &self.block {
            Block::Head => self.head(first, words),
            Block::Dossier(code, _) if first == "due" || first == "flags" => {
                let code = code.clone();
                self.looked_at(number, &code, first, words)
            }
            Block::Dossier(code, _) if first == "expect" => {
                let code = code.clone();
                self.expect(number, &code, words)
            }
            Block::Dossier(code, channel) => {
                let (code, channel) = (code.clone(), channel.clone());
                self.event(code, channel, first, words)
            }
            Block::Figures(which) => {
                let which = which.clone();
                // The first word belongs to the row, too.
                self.row(which, Words::new(line))
            }
        }
    }

    fn finish(self) -> Result<Scenario, String> {
        let Reader { file, title, zone, statements, expectations, law, .. } = self;
        if expectations.is_empty() {
            return Err("nothing is expected in this file".to_owned());
        }
        let empty = |wanted: &Wanted| match wanted {
            Wanted::Letter(_) | Wanted::Due(_) | Wanted::Flags(_) | Wanted::Apology(_) | Wanted::Columns(_) => false,
            Wanted::Total(figures) => figures.is_empty(),
            Wanted::Rows(rows) => rows.is_empty(),
        };
        if let Some(expectation) = expectations.iter().find(|e| empty(&e.wanted)) {
            let what = if expectation.question.definition == FORM { "form" } else { "figures" };
            return Err(format!("line {}: `{what}` without figures", expectation.line));
        }
        let title = title.ok_or("`title` is missing")?;
        let home = zone.ok_or("`zone` is missing")?;
        let rules = law.publications();
        Ok(Scenario { file: file.to_owned(), title, home, rules, statements, expectations })
    }

    fn head(&mut self, name: &str, mut words: Words<'_>) -> Result<(), String> {
        let again = match name {
            "title" => {
                let title: Vec<&str> = words.0.by_ref().collect();
                self.title.replace(title.join(" ")).is_some()
            }
            "zone" => self.zone.replace(zone(words.next("the zone")?)?).is_some(),
            "year" => {
                let year = words.next("the year")?.parse().map_err(|_| "not a year")?;
                self.year.replace(year).is_some()
            }
            "unit" => self.unit.replace(words.next("the unit")?.into()).is_some(),
            "off" | "worked" => {
                while words.0.peek().is_some() {
                    let Some(Moment::Date(date)) = self.when(&mut words, &[])? else {
                        return Err("days, please".into());
                    };
                    if name == "off" { self.law.off(date) } else { self.law.worked(date) }
                }
                return Ok(());
            }
            "procedure" | "step" | "apology" => {
                let rest: Vec<&str> = words.0.collect();
                return match name {
                    "procedure" => self.law.procedure(&rest),
                    "step" => self.law.step(&rest),
                    _ => self.law.apology(&rest),
                };
            }
            _ => return Err(format!("`{name}` is not understood here")),
        };
        if again {
            return Err(format!("`{name}` is said twice"));
        }
        words.end()
    }

    fn home(&self) -> Result<Zone, String> {
        self.zone.ok_or_else(|| "`zone` must be said first".to_owned())
    }

    fn dossier(&mut self, mut words: Words<'_>) -> Result<(), String> {
        let code: Code = words.next("the code")?.into();
        if self.dossiers.contains(&code) {
            return Err(format!("dossier {code} is told twice"));
        }
        let channel = match words.0.next() {
            None => None,
            Some(channel @ ("online" | "direct" | "postal")) => Some(channel.into()),
            Some(other) => return Err(format!("`{other}` is not a channel")),
        };
        self.dossiers.push(code.clone());
        self.block = Block::Dossier(code, channel);
        words.end()
    }

    fn event(&mut self, dossier: Code, channel: Option<Code>, verb: &str, mut words: Words<'_>) -> Result<(), String> {
        let (occurred_at, event) = match verb {
            "annul" | "correct" => self.correction(&dossier, channel, verb == "correct", &mut words)?,
            _ => self.told(&dossier, channel, verb, &mut words)?,
        };
        if let Event::Received { field: Some(_), .. } = &event
            && !self.under.contains(&dossier)
        {
            self.under.push(dossier.clone());
        }
        // The same file gives the same ids, so that a run can be compared with another.
        let name = format!("{}\n{dossier}\n{}", self.file, self.statements.len());
        let event_id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
        self.verbs.push((dossier.clone(), verb.to_owned(), event_id));
        self.statements.push(Statement { event_id, dossier, occurred_at, desk: None, actor: None, event });
        words.end()
    }

    /// `annul 20/9 end`, `correct 20/9 end -> end 11/9 16:00`: the last event of the dossier with that verb.
    fn correction(
        &self,
        dossier: &Code,
        channel: Option<Code>,
        replaces: bool,
        words: &mut Words<'_>,
    ) -> Result<(Timestamp, Event), String> {
        let occurred_at = self.occurred(words)?;
        let verb = words.next("what is corrected")?;
        let target = self.verbs.iter().rfind(|(d, v, _)| d == dossier && v == verb);
        let (.., target_event_id) = target.ok_or_else(|| format!("there is no `{verb}` before this line"))?;
        let replacement = if replaces {
            words.take("->").then_some(()).ok_or("say `->` and what stands in its place")?;
            let verb = words.next("what stands in its place")?;
            let (occurred_at, event) = self.told(dossier, channel, verb, words)?;
            Some(Box::new(Restated { occurred_at, desk: None, actor: None, event }))
        } else {
            None
        };
        let event = Event::Corrected { target_event_id: *target_event_id, reason_code: "slip".into(), replacement };
        Ok((occurred_at, event))
    }

    /// The moment of an event; one without a time happened at 09:00.
    fn occurred(&self, words: &mut Words<'_>) -> Result<Timestamp, String> {
        match self.when(words, &["stops", "refused", "without", "no", "due", "to", "under", "->"])? {
            Some(Moment::Instant(t)) => Ok(t),
            Some(Moment::Date(d)) => wall_clock(self.home()?, d, OFFICE_HOUR_MS),
            None => Err("the date is missing".to_owned()),
        }
    }

    /// An event as a line tells it.
    fn told(
        &self,
        dossier: &Code,
        channel: Option<Code>,
        verb: &str,
        words: &mut Words<'_>,
    ) -> Result<(Timestamp, Event), String> {
        let unit = self.unit.clone().ok_or("`unit` must be said first")?;
        let reason: Code = "test".into();
        let occurred_at = self.occurred(words)?;
        let event = match verb {
            "in" => {
                let due = if words.take("no") {
                    words.take("due").then_some(None).ok_or("`no` what?")?
                } else if words.take("due") {
                    Some(self.due(words)?)
                } else if words.0.peek() == Some(&"under") {
                    None
                } else {
                    return Err("say `due` and when, or `no due`".to_owned());
                };
                let unit = if words.take("at") { words.next("the unit")?.into() } else { unit };
                let (procedure, field) = if words.take("under") {
                    (Some(words.next("the procedure")?.into()), Some(procedure_of(dossier)))
                } else {
                    (Some(procedure_of(dossier)), None)
                };
                Event::Received { unit, procedure, field, channel, due, applicant_kind: None }
            }
            "ask" => Event::SupplementRequested { items: Vec::new(), reason_code: None },
            "sup" => Event::Supplemented { due: self.new_due(words)? },
            "pay" => Event::PaymentRequested { stops_clock: words.take("stops") },
            "paid" => Event::Paid { due: self.new_due(words)? },
            "let" => {
                let new_due = self.new_due(words)?;
                let without_reason = words.take("without");
                if without_reason && !words.take("reason") {
                    return Err("`without` what?".to_owned());
                }
                let reason_code = (!without_reason).then_some(reason);
                Event::ApologySent { letter_number: None, reason_code, signer: None, sent_via: None, new_due }
            }
            "end" => {
                let outcome = if words.take("refused") { Outcome::Refused } else { Outcome::Granted };
                Event::Processed { outcome }
            }
            "ret" => Event::Returned { returned_via: None },
            "withdraw" => Event::Withdrawn { reason_code: None },
            "stop" => Event::Stopped { reason_code: reason },
            "reject" => Event::Rejected { unit: Some(unit), reason_code: None },
            "forward" => {
                words.take("to").then_some(()).ok_or("say `to` and the unit")?;
                let to_unit = words.next("the unit")?.into();
                Event::Forwarded { to_unit, step_due: self.new_due(words)? }
            }
            _ => return Err(format!("`{verb}` is not understood here")),
        };
        Ok((occurred_at, event))
    }

    fn new_due(&self, words: &mut Words<'_>) -> Result<Option<Due>, String> {
        if words.take("->") || words.take("→") { self.due(words).map(Some) } else { Ok(None) }
    }

    fn due(&self, words: &mut Words<'_>) -> Result<Due, String> {
        match self.when(words, &[])? {
            Some(Moment::Instant(t)) => Ok(Due::Instant(t)),
            Some(Moment::Date(d)) => Ok(Due::Date(d)),
            None => Err("the due is missing".to_owned()),
        }
    }

    /// A moment: `3/9`, `3/9 16:30`, `2025-09-03`, `2025-09-03T16:30`, `2025-09-03T16:30:00.001Z`.
    fn when(&self, words: &mut Words<'_>, stop: &[&str]) -> Result<Option<When>, String> {
        let Some(word) = words.0.next_if(|w| !stop.contains(w)) else { return Ok(None) };
        let Some((day, month)) = word.split_once('/') else { return self.iso(word).map(Some) };
        let year = self.year.ok_or("`year` must be said first")?;
        let number = |text: &str| text.parse().map_err(|_| format!("`{word}` is not a date"));
        let date = Date::new(year, number(month)?, number(day)?).ok_or(format!("`{word}` is not a date"))?;
        match words.0.next_if(|w| w.contains(':')) {
            None => Ok(Some(Moment::Date(date))),
            Some(time) => wall_clock(self.home()?, date, time_of_day(time)?).map(|t| Some(Moment::Instant(t))),
        }
    }

    fn iso(&self, word: &str) -> Result<When, String> {
        let wrong = || format!("`{word}` is not a moment");
        let Some((date, time)) = word.split_once('T') else {
            return Date::parse(word).map(Moment::Date).ok_or_else(wrong);
        };
        let offset = time.find(['Z', '+', '-']).map(|at| time.split_at(at));
        match offset {
            None => {
                let date = Date::parse(date).ok_or_else(wrong)?;
                wall_clock(self.home()?, date, time_of_day(time)?).map(Moment::Instant)
            }
            Some((time, offset)) => {
                // RFC 3339 wants seconds, people leave them out.
                let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
                let full = format!("{date}T{time}{seconds}{offset}");
                Timestamp::parse(&full).map(Moment::Instant).ok_or_else(wrong)
            }
        }
    }

    /// `PERIOD [as of MOMENT] [zone ZONE]`: a question without definition.
    fn question(&self, words: &mut Words<'_>) -> Result<Question, String> {
        let period = words.next("the period")?;
        let (from, to) = match period.split_once("..") {
            Some((from, to)) => (Some(self.iso(from)?), Some(self.iso(to)?)),
            None if period == "ever" => (None, None),
            None => return Err(format!("`{period}` is not a period; say `FROM..TO` or `ever`")),
        };
        let as_of = if words.take("as") {
            words.take("of").then_some(()).ok_or("say `as of`")?;
            Some(self.when(words, &[])?.ok_or("as of what?")?)
        } else {
            None
        };
        let zone = if words.take("zone") { Some(zone(words.next("the zone")?)?) } else { None };
        let (definition, by, filter) = (String::new(), Vec::new(), Filter::default());
        Ok(Question { definition, from, to, as_of, by, zone, filter })
    }

    fn expect(&mut self, line: usize, dossier: &Code, mut words: Words<'_>) -> Result<(), String> {
        let mut question = self.question(&mut words)?;
        question.filter = self.only(dossier);
        let before = self.expectations.len();
        for word in words.0 {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is not understood here"))?;
            let mut push = |definition: &str, wanted: Wanted| {
                let question = Question { definition: definition.to_owned(), ..question.clone() };
                self.expectations.push(Expectation { line, question, wanted });
            };
            if name == "apology" {
                let wanted = obligations(value)?;
                DEFINITIONS.iter().for_each(|definition| push(definition, Wanted::Apology(wanted)));
            } else if name == "form" {
                in_form(&question)?;
                push(FORM, Wanted::Columns(form_columns(value)?));
            } else if DEFINITIONS.contains(&name) {
                let letter = Letter::ALL.into_iter().find(|(_, text)| *text == value);
                let (letter, _) = letter.ok_or_else(|| format!("`{value}` is not one of E D T L n -"))?;
                push(name, Wanted::Letter(letter));
            } else {
                return Err(format!("`{name}` is not a definition"));
            }
        }
        if self.expectations.len() == before {
            return Err("nothing is expected here".to_owned());
        }
        Ok(())
    }

    /// `due 28/4 [as of MOMENT]`, `due none`: the current promise; `flags DUE_DIFFERS`, `flags none`: of all its events.
    fn looked_at(&mut self, line: usize, dossier: &Code, what: &str, mut words: Words<'_>) -> Result<(), String> {
        let wanted = if what == "due" {
            Wanted::Due(if words.take("none") { None } else { Some(self.due(&mut words)?) })
        } else {
            let mut flags = Vec::new();
            while let Some(flag) = words.0.next_if(|w| *w != "as") {
                flags.extend((flag != "none").then(|| flag.to_owned()));
            }
            Wanted::Flags(flags)
        };
        let as_of = if words.take("as") {
            words.take("of").then_some(()).ok_or("say `as of`")?;
            Some(self.when(&mut words, &[])?.ok_or("as of what?")?)
        } else {
            None
        };
        let filter = self.only(dossier);
        let (definition, by) = (String::new(), Vec::new());
        let question = Question { definition, from: None, to: None, as_of, by, zone: None, filter };
        self.expectations.push(Expectation { line, question, wanted });
        words.end()
    }

    /// The filter that only this dossier passes.
    fn only(&self, dossier: &str) -> Filter {
        let own = Some(procedure_of(dossier));
        if self.under.iter().any(|d| &**d == dossier) {
            Filter { field: own, ..Filter::default() }
        } else {
            Filter { procedure: own, ..Filter::default() }
        }
    }

    fn figures(&mut self, line: usize, mut words: Words<'_>) -> Result<(), String> {
        let definitions = match words.next("the definition")? {
            "every" => DEFINITIONS.to_vec(),
            some => some.split(',').collect(),
        };
        if let Some(other) = definitions.iter().find(|d| !DEFINITIONS.contains(d)) {
            return Err(format!("`{other}` is not a definition"));
        }
        self.asked(line, &definitions, words)
    }

    fn form(&mut self, line: usize, words: Words<'_>) -> Result<(), String> {
        self.asked(line, &[FORM], words)?;
        let Block::Figures(which) = &self.block else { return Ok(()) };
        let question = &self.expectations[which.start].question;
        in_form(question)?;
        if question.by.iter().any(|key| key != "unit" && key != "field") || question.by.len() > 1 {
            return Err("the rows of a form are by unit or by field".to_owned());
        }
        Ok(())
    }

    /// The rest of `figures` and `form`: a question, whom it is about, and that its figures follow.
    fn asked(&mut self, line: usize, definitions: &[&str], mut words: Words<'_>) -> Result<(), String> {
        let mut question = self.question(&mut words)?;
        if words.take("by") {
            question.by = words.next("the keys")?.split(',').map(str::to_owned).collect();
            if let Some(other) = question.by.iter().find(|key| !KEYS.contains(&key.as_str())) {
                return Err(format!("`{other}` is not a key"));
            }
        }
        if words.take("dossier") {
            let code = words.next("the dossier")?;
            if !self.dossiers.iter().any(|d| &**d == code) {
                return Err(format!("dossier {code} is not told before"));
            }
            question.filter = self.only(code);
        }
        if words.take("channel") {
            question.filter.channel = Some(words.next("the channel")?.into());
        }
        if words.take("unit") {
            question.filter.unit = Some(words.next("the unit")?.into());
        }
        let first = self.expectations.len();
        for definition in definitions {
            let question = Question { definition: (*definition).to_owned(), ..question.clone() };
            let wanted = if question.by.is_empty() { Wanted::Total(Vec::new()) } else { Wanted::Rows(Vec::new()) };
            self.expectations.push(Expectation { line, question, wanted });
        }
        self.block = Block::Figures(first..self.expectations.len());
        words.end()
    }

    fn row(&mut self, which: std::ops::Range<usize>, mut words: Words<'_>) -> Result<(), String> {
        let mut key = Vec::new();
        let known =
            if self.expectations[which.start].question.definition == FORM { &COLUMNS[..] } else { &FIGURES[..] };
        for _ in &self.expectations[which.start].question.by {
            let value = words.next("the key")?;
            key.push((value != "null").then(|| value.to_owned()));
        }
        let mut figures = Vec::new();
        while let Some(name) = words.0.next() {
            if !known.contains(&name) {
                return Err(format!("`{name}` is not a figure"));
            }
            let text = words.next("the number")?;
            figures.push((name.to_owned(), value(name, text)?));
        }
        if figures.is_empty() {
            return Err("a row without figures".to_owned());
        }
        for expectation in &mut self.expectations[which] {
            match &mut expectation.wanted {
                Wanted::Rows(rows) => rows.push((key.clone(), figures.clone())),
                Wanted::Total(all) => all.extend(figures.iter().cloned()),
                Wanted::Letter(_) | Wanted::Due(_) | Wanted::Flags(_) | Wanted::Apology(_) | Wanted::Columns(_) => {
                    return Err("no row can follow here".to_owned());
                }
            }
        }
        Ok(())
    }
}

/// A form has a period.
fn in_form(question: &Question) -> Result<(), String> {
    question.from.and(question.to).map(|_| ()).ok_or_else(|| "a form needs a period `FROM..TO`".to_owned())
}

/// `4,8`, `5,in_progress_no_deadline`, or `none`.
fn form_columns(text: &str) -> Result<Option<[&'static str; 2]>, String> {
    if text == "none" {
        return Ok(None);
    }
    let (came, became) = text.split_once(',').ok_or_else(|| format!("`{text}` is not two columns"))?;
    let of = |columns: &[(&'static str, &'static str)], text: &str| {
        let found = columns.iter().find(|(number, _)| *number == text).map(|(_, name)| *name);
        found.ok_or_else(|| format!("`{text}` is not a column here"))
    };
    Ok(Some([of(&CAME, came)?, of(&BECAME, became)?]))
}

fn zone(name: &str) -> Result<Zone, String> {
    Zone::parse(name).ok_or_else(|| format!("`{name}` is not a time zone"))
}

/// The instant at which the wall clock of a zone shows this; refused if it never does, or twice.
fn wall_clock(zone: Zone, date: Date, time_of_day: i64) -> Result<Timestamp, String> {
    let first = zone.first_tick(date);
    let guess = first.plus(time_of_day - zone.time_of_day(first));
    let shown = |t: &Timestamp| zone.date(*t) == date && zone.time_of_day(*t) == time_of_day;
    // Where the clock is moved that day, by an hour at most, the guess is off by as much.
    let hour = 60 * 60 * 1000;
    let candidates: Vec<Timestamp> = [-hour, 0, hour].map(|ms| guess.plus(ms)).into_iter().filter(shown).collect();
    match candidates.as_slice() {
        [t] => Ok(*t),
        _ => Err(format!("the clock shows that {} times on {date}", candidates.len())),
    }
}

/// `H:MM`, `HH:MM:SS`, `HH:MM:SS.mmm`, in milliseconds.
fn time_of_day(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a time");
    let (clock, thousandths) = text.split_once('.').unwrap_or((text, "000"));
    if thousandths.len() != 3 {
        return Err(wrong());
    }
    let mut parts = clock.split(':').chain(["00"]).map(|part| part.parse::<i64>().map_err(|_| wrong()));
    let mut next = |limit: i64| match parts.next() {
        Some(Ok(n)) if (0..limit).contains(&n) => Ok(n),
        _ => Err(wrong()),
    };
    let (hours, minutes, seconds) = (next(24)?, next(60)?, next(60)?);
    let ms = thousandths.parse::<i64>().map_err(|_| wrong())?;
    let total = ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
    (0..MS_PER_DAY).contains(&total).then_some(total).ok_or_else(wrong)
}

fn obligations(text: &str) -> Result<Obligations, String> {
    let mut obligations = Obligations::default();
    if text == "none" {
        return Ok(obligations);
    }
    for one in text.split(',') {
        match one {
            "in_time" => obligations.in_time += 1,
            "late" => obligations.late += 1,
            "missing" => obligations.missing += 1,
            "missing(defective)" => {
                obligations.missing += 1;
                obligations.defective += 1;
            }
            "pending" => obligations.pending += 1,
            _ => return Err(format!("`{one}` is not a kind of obligation")),
        }
    }
    Ok(obligations)
}

fn value(name: &str, text: &str) -> Result<Value, String> {
    let wrong = || format!("`{text}` is not what {name} can be");
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    if !name.ends_with("_rate") {
        return number(text).map(Value::Integer);
    }
    if text == "n/a" {
        return Ok(Value::Rate(None));
    }
    let (part, whole) = text.split_once('/').ok_or_else(wrong)?;
    Ok(Value::Rate(Some((number(part)?, number(whole)?))))
}
