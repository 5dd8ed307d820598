//! Rules written as they stand in a file, whole: what is printed can be published again, and reads as the same rule.
//!
//! Keys come in the order of gateway/rules/README.md, and each named day and tier has a line of its own, so that two
//! versions can be compared line by line. What is empty, or as it is anyway, is left out.

use super::calendar::WEEKDAYS;
use super::kinds::{AFTER_SUPPLEMENT, EXITS};
use super::{FORMAT, term, tiers};
use dunghen_engine::calendar::{AfterSupplement, Calendar, MS_PER_HOUR, Span};
use dunghen_engine::rules::{
    ALL_OR_NOTHING, Bound, Code, Definition, Marks, Names, Procedure, Publication, Rule, Target, Tier, TierTables,
    Unit, choices,
};
use std::fmt::Display;

/// A publication as a file of rules that holds nothing else.
#[must_use]
pub fn render(publication: &Publication) -> String {
    let Publication { code, effective_from, rule } = publication;
    let mut page = Page(format!("format = {FORMAT}\n\n[[{}]]\n", rule.kind().name()));
    page.text("code", code);
    page.text("effective_from", effective_from);
    match rule {
        Rule::Calendar(calendar) => page.calendar(calendar),
        Rule::Unit(unit) => page.unit(unit),
        Rule::Procedure(procedure) => page.procedure(procedure),
        Rule::Apology(apology) => {
            page.names(&apology.names);
            page.text("letter_by", term::render_letter_by(apology.letter_by));
            page.value("reschedulings", apology.reschedulings);
        }
        Rule::Reason(reason) => {
            page.names(&reason.names);
            page.value("objective", reason.objective);
        }
        Rule::Definition(definition) => page.definition(definition),
        Rule::Target(target) => page.target(target),
        Rule::ReportPeriod(period) => {
            page.names(&period.names);
            page.value("cut_off_day", period.cut_off_day);
        }
        Rule::Tiers(tables) => page.tiers(tables),
    }
    page.0
}

/// A text in quotes, as TOML escapes it.
fn quoted(text: impl Display) -> String {
    let mut out = String::from("\"");
    for c in text.to_string().chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `07:30`.
fn time_of_day(ms: i64) -> String {
    format!("{:02}:{:02}", ms / MS_PER_HOUR, ms % MS_PER_HOUR / 60_000)
}

fn spans(spans: &[Span]) -> String {
    let span = |s: &Span| quoted(format!("{}-{}", time_of_day(s.from), time_of_day(s.to)));
    list(spans.iter().map(span))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// The name of a choice.
fn chosen<T: PartialEq>(value: &T, all: &[(T, &'static str)]) -> &'static str {
    all.iter().find(|(choice, _)| choice == value).map_or("", |(_, name)| name)
}

struct Page(String);

impl Page {
    fn value(&mut self, key: &str, value: impl Display) {
        self.0.push_str(&format!("{key} = {value}\n"));
    }

    fn text(&mut self, key: &str, text: impl Display) {
        self.value(key, quoted(text));
    }

    /// A text that is left out if it is empty.
    fn said(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.text(key, text);
        }
    }

    fn code(&mut self, key: &str, code: Option<&Code>) {
        if let Some(code) = code {
            self.text(key, code);
        }
    }

    /// Tables, each on a line of its own; none if there are none.
    fn lines(&mut self, key: &str, tables: impl Iterator<Item = String>) {
        let tables: String = tables.map(|table| format!("  {{ {table} }},\n")).collect();
        if !tables.is_empty() {
            self.value(key, format!("[\n{tables}]"));
        }
    }

    fn names(&mut self, names: &Names) {
        self.said("vi", &names.vi);
        self.said("en", &names.en);
    }

    fn calendar(&mut self, calendar: &Calendar) {
        self.text("first", calendar.first);
        self.text("last", calendar.last);
        let off = WEEKDAYS.iter().zip(calendar.weekly_days_off).filter(|(_, off)| *off).map(|(day, _)| quoted(day));
        self.value("weekly_days_off", list(off));
        self.value("hours", spans(&calendar.hours));
        let reception = WEEKDAYS.iter().zip(&calendar.reception).filter(|(_, hours)| !hours.is_empty());
        let reception: Vec<String> = reception.map(|(day, hours)| format!("{day} = {}", spans(hours))).collect();
        if !reception.is_empty() {
            self.value("reception", format!("{{ {} }}", reception.join(", ")));
        }
        self.text("cut_off", time_of_day(calendar.cut_off));
        let named = |date: &dyn Display, vi: &str, en: &str| {
            format!("date = {}, vi = {}, en = {}", quoted(date), quoted(vi), quoted(en))
        };
        let off = calendar.days_off.iter();
        self.lines(
            "days_off",
            off.map(|d| format!("{}, kind = {}", named(&d.date, &d.vi, &d.en), quoted(d.kind.name()))),
        );
        self.lines("working_days", calendar.working_days.iter().map(|d| named(&d.date, &d.vi, &d.en)));
    }

    fn unit(&mut self, unit: &Unit) {
        self.names(&unit.names);
        self.code("calendar", unit.calendar.as_ref());
        self.code("apology", unit.apology.as_ref());
        self.lines(
            "parents",
            unit.parents.iter().map(|parent| {
                let mut fields = vec![format!("unit = {}", quoted(&parent.unit))];
                fields.extend(parent.from.map(|day| format!("from = {}", quoted(day))));
                fields.extend(parent.to.map(|day| format!("to = {}", quoted(day))));
                fields.join(", ")
            }),
        );
    }

    fn procedure(&mut self, procedure: &Procedure) {
        self.names(&procedure.names);
        self.code("field", procedure.field.as_ref());
        match procedure.phases.as_slice() {
            [] => {}
            [only] => self.text("term", term::render(*only)),
            phases => self.value("phases", list(phases.iter().map(|phase| quoted(term::render(*phase))))),
        }
        if procedure.after_supplement != AfterSupplement::default() {
            self.text("after_supplement", chosen(&procedure.after_supplement, &AFTER_SUPPLEMENT));
        }
        if procedure.payment_stops_clock {
            self.value("payment_stops_clock", true);
        }
        let step = |unit: &Code, term: String| format!("unit = {}, term = {}", quoted(unit), quoted(term));
        self.lines("steps", procedure.steps.iter().map(|s| step(&s.unit, term::render(s.term))));
    }

    fn definition(&mut self, definition: &Definition) {
        self.text("cohort", chosen(&definition.cohort, &choices::COHORTS));
        self.text("compared_by", chosen(&definition.compared_by, &choices::COMPARED_BY));
        self.text("promise", chosen(&definition.judged, &choices::PROMISES));
        self.text("exits", chosen(&definition.judges_exits, &EXITS));
        self.text("second_supplement", chosen(&definition.second_supplement, &choices::SECOND_SUPPLEMENTS));
    }

    fn target(&mut self, target: &Target) {
        self.said("source", &target.source);
        self.said("clause", &target.clause);
        self.text("metric", &target.metric);
        self.text("comparator", target.comparator.sign());
        self.text("threshold", term::render_share(target.threshold));
        self.text("denominator", &target.denominator);
        self.code("unit", target.unit.as_ref());
        self.text("from", target.from);
        self.text("to", target.to);
        self.said("note", &target.note);
    }

    fn tiers(&mut self, tables: &TierTables) {
        let tier = |tier: &Tier| {
            let (key, rate) = match tier.from {
                Bound::AtLeast(rate) => ("at_least", rate),
                Bound::Above(rate) => ("above", rate),
            };
            let marks = match tier.marks {
                Marks::Full => tiers::FULL.to_owned(),
                Marks::Proportional => tiers::PROPORTIONAL.to_owned(),
                Marks::Fixed(marks) => tiers::render(marks),
            };
            format!("{key} = {}, marks = {}", quoted(tiers::render(rate.percent())), quoted(marks))
        };
        self.names(&tables.names);
        self.text("full", tiers::render(tables.full));
        self.lines("rate", tables.rate.iter().map(tier));
        if tables.apology != ALL_OR_NOTHING {
            self.lines("apology", tables.apology.iter().map(tier));
        }
    }
}
