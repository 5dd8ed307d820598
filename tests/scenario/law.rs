//! The rules that a scenario names in its head: days off, procedures with their terms, the apology policy of its unit.
//!
//! Said in a line each, so that a clerk can count the days. They become publications in force since the beginning.

use dunghen_engine::calendar::{AfterSupplement, Calendar, DayOff, DayOffKind, Span, Term, WorkedDay};
use dunghen_engine::dossier::Code;
use dunghen_engine::rules::{
    Apology, EVERY_UNIT, LetterBy, Names, Procedure, Publication, Reason, Rule, StepTerm, Unit,
};
use dunghen_engine::time::Date;

const HOUR: i64 = 3_600_000;
/// From when on all of it counts.
const SINCE: &str = "2016-01-01";

/// What the head says.
#[derive(Clone, Debug, Default)]
pub(super) struct Law {
    off: Vec<Date>,
    worked: Vec<Date>,
    procedures: Vec<(Code, Procedure)>,
    apology: Option<LetterBy>,
    /// Whether anything was said: a scenario without rules knows no calendar either.
    said: bool,
}

fn names(text: &str) -> Names {
    Names { vi: text.to_owned(), en: text.to_owned() }
}

/// `3 working_day`, `4 hour`.
fn term(words: &[&str]) -> Result<Term, String> {
    let [n, unit] = words else { return Err(format!("`{}` is not a term", words.join(" "))) };
    let n: u32 = n.parse().map_err(|_| format!("`{n}` is not a number"))?;
    match *unit {
        "hour" => Ok(Term::Hours(n)),
        "working_day" => Ok(Term::WorkingDays(n)),
        "day" => Ok(Term::Days(n)),
        "month" => Ok(Term::Months(n)),
        other => Err(format!("`{other}` is not hour, working_day, day or month")),
    }
}

impl Law {
    pub(super) fn off(&mut self, date: Date) {
        self.said = true;
        self.off.push(date);
    }

    pub(super) fn worked(&mut self, date: Date) {
        self.said = true;
        self.worked.push(date);
    }

    /// `procedure P 10 working_day + 40 day restart payment stops`
    pub(super) fn procedure(&mut self, words: &[&str]) -> Result<(), String> {
        self.said = true;
        let (code, mut rest) = words.split_first().ok_or("the code is missing")?;
        let mut after_supplement = AfterSupplement::Resume;
        let mut payment_stops_clock = false;
        if let Some(front) = rest.strip_suffix(&["payment", "stops"]) {
            (rest, payment_stops_clock) = (front, true);
        }
        if let Some(front) = rest.strip_suffix(&["restart"]) {
            (rest, after_supplement) = (front, AfterSupplement::Restart);
        }
        let phases = rest.split(|w| *w == "+").map(term).collect::<Result<_, _>>()?;
        let (field, steps) = (None, Vec::new());
        let procedure = Procedure { names: names(code), field, phases, after_supplement, payment_stops_clock, steps };
        self.procedures.push(((*code).into(), procedure));
        Ok(())
    }

    /// `step H44.30 2 working_day`: of the procedure before.
    pub(super) fn step(&mut self, words: &[&str]) -> Result<(), String> {
        let (unit, rest) = words.split_first().ok_or("the unit is missing")?;
        let (_, procedure) = self.procedures.last_mut().ok_or("`step` belongs behind a `procedure`")?;
        procedure.steps.push(StepTerm { unit: (*unit).into(), term: term(rest)? });
        Ok(())
    }

    /// `apology decree-61`, `apology grace 2 working_day`
    pub(super) fn apology(&mut self, words: &[&str]) -> Result<(), String> {
        self.said = true;
        let letter_by = match words {
            ["hcmc-5157"] => LetterBy::WorkingDaysBefore(0),
            ["decree-61"] => LetterBy::WorkingDaysBefore(1),
            ["grace", rest @ ..] => match term(rest)? {
                Term::WorkingDays(n) => LetterBy::WorkingDaysAfter(n),
                Term::Hours(n) => LetterBy::WorkingHoursAfter(n),
                Term::Days(_) | Term::Months(_) => return Err("grace is in working days or hours".to_owned()),
            },
            _ => return Err(format!("`{}` is not a policy", words.join(" "))),
        };
        if self.apology.replace(letter_by).is_some() {
            return Err("`apology` is said twice".to_owned());
        }
        Ok(())
    }

    /// All of it as publications; none if nothing was said.
    pub(super) fn publications(&self) -> Vec<Publication> {
        let Some(since) = Date::parse(SINCE).filter(|_| self.said) else { return Vec::new() };
        let publish = |code: &str, rule: Rule| Publication { code: code.into(), effective_from: since, rule };
        let mut calendar = Calendar {
            code: "scenario".to_owned(),
            effective_from: since,
            first: since,
            last: since.plus(7300),
            weekly_days_off: [false, false, false, false, false, true, true],
            days_off: self
                .off
                .iter()
                .map(|date| DayOff { date: *date, vi: "nghỉ".into(), en: "off".into(), kind: DayOffKind::Holiday })
                .collect(),
            working_days: self
                .worked
                .iter()
                .map(|date| WorkedDay { date: *date, vi: "làm bù".into(), en: "worked".into() })
                .collect(),
            hours: vec![
                Span { from: 7 * HOUR + HOUR / 2, to: 11 * HOUR + HOUR / 2 },
                Span { from: 13 * HOUR + HOUR / 2, to: 17 * HOUR },
            ],
            reception: Default::default(),
            cut_off: 15 * HOUR,
        };
        calendar.days_off.sort_by_key(|d| d.date);
        calendar.working_days.sort_by_key(|d| d.date);
        let letter_by = self.apology.unwrap_or(LetterBy::WorkingDaysBefore(0));
        let unit = Unit {
            names: names("every unit"),
            parents: Vec::new(),
            calendar: Some("scenario".into()),
            apology: Some("scenario".into()),
        };
        let mut all = vec![
            Publication::of_calendar(calendar),
            publish("scenario", Rule::Apology(Apology { names: names("policy"), letter_by, reschedulings: 1 })),
            publish(EVERY_UNIT, Rule::Unit(unit)),
            publish("test", Rule::Reason(Reason { names: names("reason"), objective: false })),
        ];
        all.extend(self.procedures.iter().map(|(code, p)| publish(code, Rule::Procedure(p.clone()))));
        all
    }
}
