//! One rule of a file: the keys of each kind. What is required, and what may be left out, is decided here; whether the
//! rule makes sense, by the engine.

use super::table::{Cell, Table};
use super::{Fault, Named, Place, calendar, term, tiers};
use crate::messages::rules as say;
use dunghen_engine::calendar::{AfterSupplement, Term};
use dunghen_engine::rules::{
    Apology, Code, Comparator, Definition, Names, Parent, Procedure, Publication, Reason, ReportPeriod, Rule, RuleKind,
    StepTerm, Target, Unit, choices,
};
use dunghen_engine::time::Date;

/// What becomes of the term when papers have come.
pub(super) const AFTER_SUPPLEMENT: [(AfterSupplement, &str); 2] =
    [(AfterSupplement::Resume, "resume"), (AfterSupplement::Restart, "restart")];
/// Whether a definition judges exits.
pub(super) const EXITS: [(bool, &str); 2] = [(true, "judged"), (false, "ignored")];
/// How often a promise may be moved at most, whatever a policy says.
const MOST_RESCHEDULINGS: u32 = 1000;

/// Reads a rule of this kind, and checks it.
pub(super) fn read(kind: RuleKind, table: &Table) -> Result<(Publication, Place), Fault> {
    let mut place = Place { line: table.line(), names: Vec::new() };
    let own: &[&str] = match kind {
        RuleKind::Calendar => &calendar::KEYS,
        RuleKind::Unit => &["vi", "en", "calendar", "apology", "parents"],
        RuleKind::Procedure => {
            &["vi", "en", "field", "term", "phases", "after_supplement", "payment_stops_clock", "steps"]
        }
        RuleKind::Apology => &["vi", "en", "letter_by", "reschedulings"],
        RuleKind::Reason => &["vi", "en", "objective"],
        RuleKind::Definition => &["cohort", "compared_by", "promise", "exits", "second_supplement"],
        RuleKind::Target => {
            &["source", "clause", "metric", "comparator", "threshold", "denominator", "unit", "from", "to", "note"]
        }
        RuleKind::ReportPeriod => &["vi", "en", "cut_off_day"],
        RuleKind::Tiers => &tiers::KEYS,
    };
    table.only(&[&["code", "effective_from"], own].concat())?;
    let code = code(&table.need("code")?)?;
    let effective_from = date(&table.need("effective_from")?)?;
    let rule = match kind {
        RuleKind::Calendar => Rule::Calendar(calendar::read(table, &code, effective_from)?),
        RuleKind::Unit => Rule::Unit(unit(table, &mut place)?),
        RuleKind::Procedure => Rule::Procedure(procedure(table)?),
        RuleKind::Apology => Rule::Apology(apology(table)?),
        RuleKind::Reason => {
            Rule::Reason(Reason { names: names(table)?, objective: table.need("objective")?.boolean()? })
        }
        RuleKind::Definition => Rule::Definition(definition(table)?),
        RuleKind::Target => Rule::Target(target(table, &mut place)?),
        RuleKind::ReportPeriod => {
            let cut_off_day = table.need("cut_off_day")?.number(1, 28)?;
            Rule::ReportPeriod(ReportPeriod { names: names(table)?, cut_off_day })
        }
        RuleKind::Tiers => Rule::Tiers(tiers::read(table)?),
    };
    let publication = Publication { code, effective_from, rule };
    match publication.check() {
        Ok(()) => Ok((publication, place)),
        Err(why) => Err(table.fault(say::unfit(&why))),
    }
}

fn code(cell: &Cell) -> Result<Code, Fault> {
    Ok(cell.text()?.into())
}

pub(super) fn date(cell: &Cell) -> Result<Date, Fault> {
    if cell.text().is_ok_and(Date::is_none_of_the_calendar) {
        return Err(cell.fault(&say::no_such_date()));
    }
    cell.parsed(Date::parse, say::must_be_date)
}

pub(super) fn names(table: &Table) -> Result<Names, Fault> {
    let en = table.text_or_none("en")?.unwrap_or_default().to_owned();
    Ok(Names { vi: table.need("vi")?.text()?.to_owned(), en })
}

fn term(cell: &Cell) -> Result<Term, Fault> {
    cell.parsed(term::read, || say::must_be_term(term::MOST))
}

fn unit(table: &Table, place: &mut Place) -> Result<Unit, Fault> {
    let mut named = |key: &'static str, kind: RuleKind| -> Result<Option<Code>, Fault> {
        let Some(cell) = table.get(key) else { return Ok(None) };
        let code = code(&cell)?;
        place.names.push(Named { line: cell.line(), key, kind, code: code.clone(), also: &[] });
        Ok(Some(code))
    };
    let (calendar, apology) = (named("calendar", RuleKind::Calendar)?, named("apology", RuleKind::Apology)?);
    let mut parents = Vec::new();
    for cell in table.list("parents")? {
        let parent = cell.table()?;
        parent.only(&["unit", "from", "to"])?;
        let day = |key| parent.get(key).map(|cell| date(&cell)).transpose();
        parents.push(Parent { unit: code(&parent.need("unit")?)?, from: day("from")?, to: day("to")? });
    }
    Ok(Unit { names: names(table)?, parents, calendar, apology })
}

fn procedure(table: &Table) -> Result<Procedure, Fault> {
    let phases = match (table.get("term"), table.get("phases")) {
        (Some(_), Some(phases)) => return Err(phases.fault(&say::not_both("term", "phases"))),
        (Some(cell), None) => vec![term(&cell)?],
        (None, Some(cell)) => cell.list()?.iter().map(term).collect::<Result<_, _>>()?,
        (None, None) => Vec::new(),
    };
    let after_supplement = table.get("after_supplement").map(|cell| cell.one_of(&AFTER_SUPPLEMENT)).transpose()?;
    let payment_stops_clock = table.get("payment_stops_clock").map(|cell| cell.boolean()).transpose()?;
    let mut steps = Vec::new();
    for cell in table.list("steps")? {
        let step = cell.table()?;
        step.only(&["unit", "term"])?;
        steps.push(StepTerm { unit: code(&step.need("unit")?)?, term: term(&step.need("term")?)? });
    }
    Ok(Procedure {
        names: names(table)?,
        field: table.text_or_none("field")?.map(Code::from),
        phases,
        after_supplement: after_supplement.unwrap_or_default(),
        payment_stops_clock: payment_stops_clock.unwrap_or(false),
        steps,
    })
}

fn apology(table: &Table) -> Result<Apology, Fault> {
    Ok(Apology {
        names: names(table)?,
        letter_by: table.need("letter_by")?.parsed(term::read_letter_by, say::must_be_letter_by)?,
        reschedulings: table.need("reschedulings")?.number(0, MOST_RESCHEDULINGS)?,
    })
}

fn definition(table: &Table) -> Result<Definition, Fault> {
    Ok(Definition {
        // Known by the code of its publication.
        id: "",
        cohort: table.need("cohort")?.one_of(&choices::COHORTS)?,
        compared_by: table.need("compared_by")?.one_of(&choices::COMPARED_BY)?,
        judged: table.need("promise")?.one_of(&choices::PROMISES)?,
        judges_exits: table.need("exits")?.one_of(&EXITS)?,
        second_supplement: table.need("second_supplement")?.one_of(&choices::SECOND_SUPPLEMENTS)?,
    })
}

/// What a share of letters is a share of; both mean the same.
const OBLIGATIONS: [&str; 2] = ["apology_obligations", "late"];
/// What plans want to know of, beside definitions, and no event tells of: a target is published, and has no data.
const NOT_TOLD_YET: [&str; 1] = ["received_full_online"];

/// What a target is a share of. Where that is counted, a word with a typo would mean no data for ever, without a sign.
fn denominator(metric: &str, cell: &Cell, place: &mut Place) -> Result<Code, Fault> {
    let code = code(cell)?;
    let also: &[&str] = match metric {
        "apology_rate" if OBLIGATIONS.contains(&&*code) => return Ok(code),
        "apology_rate" => return Err(cell.fault(&say::must_be_one_of(&OBLIGATIONS))),
        "on_time_rate" => &[],
        "online_share" => &NOT_TOLD_YET,
        _ => return Ok(code),
    };
    let named = Named { line: cell.line(), key: "denominator", kind: RuleKind::Definition, code: code.clone(), also };
    place.names.push(named);
    Ok(code)
}

fn target(table: &Table, place: &mut Place) -> Result<Target, Fault> {
    let metric = code(&table.need("metric")?)?;
    Ok(Target {
        source: table.need("source")?.text()?.to_owned(),
        clause: table.need("clause")?.text()?.to_owned(),
        comparator: table.need("comparator")?.one_of(&Comparator::ALL)?,
        threshold: table.need("threshold")?.parsed(term::read_share, say::must_be_share)?,
        denominator: denominator(&metric, &table.need("denominator")?, place)?,
        metric,
        unit: table.text_or_none("unit")?.map(Code::from),
        from: date(&table.need("from")?)?,
        to: date(&table.need("to")?)?,
        note: table.text_or_none("note")?.unwrap_or_default().to_owned(),
    })
}
