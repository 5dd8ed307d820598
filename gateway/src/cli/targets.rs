//! `targets`: which targets are met, year by year, and how many dossiers or letters may still fail.

use super::{Failure, Format, Target, format_or_default, moment, output};
use dunghen::messages::{Lang, Text, format, targets as texts};
use dunghen::{json, pb, wire};
use dunghen_engine::time::{Date, Zone};
use dunghen_engine::views::Moment;
use serde_json::Value;

#[derive(clap::Args)]
pub(super) struct TargetsArgs {
    #[command(flatten)]
    target: Target,
    /// Only this target.
    #[arg(long, value_name = "C")]
    code: Option<String>,
    /// Only this year [default: every year of the validity, of those to come at most ten].
    #[arg(long, value_name = "Y", value_parser = clap::value_parser!(i32).range(1..=9999))]
    year: Option<i32>,
    /// Judge them for this unit and those below it, instead of the target's own.
    #[arg(long)]
    unit: Option<String>,
    /// The business time at which it is looked at; a date means its end [default: now].
    #[arg(long, value_name = "T", value_parser = moment)]
    as_of: Option<Moment>,
    /// Wait until the log holds this many records.
    #[arg(long, value_name = "P", default_value_t = 0)]
    min_position: u64,
    /// How to print the answer.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) async fn run(args: TargetsArgs, lang: Lang) -> Result<u8, Failure> {
    let source = args.target.ask(lang).await?;
    let request = pb::ListTargetsRequest {
        code: args.code.unwrap_or_default(),
        year: args.year.unwrap_or_default(),
        unit: args.unit.unwrap_or_default(),
        as_of: args.as_of.map(wire::time_point),
        min_position: args.min_position,
    };
    let answer = source.list_targets(request).await.map_err(|s| Failure::status(&s))?;
    match format_or_default(args.format) {
        Format::Json => output::json(&json::targets(&answer))?,
        Format::Csv => csv(&answer)?,
        Format::Table => table(&answer, lang)?,
    }
    Ok(0)
}

/// The columns of CSV, named as in JSON; the last ones are those of the outlook.
const COLUMNS: [&str; 25] = [
    "code",
    "version",
    "source",
    "clause",
    "metric",
    "comparator",
    "threshold",
    "denominator",
    "unit",
    "note",
    "year",
    "first_date",
    "last_date",
    "part",
    "whole",
    "rate",
    "verdict",
    "no_data",
    "decided",
    "late",
    "open_late",
    "settled",
    "open_due",
    "foreseen",
    "may_fail",
];

fn csv(answer: &pb::ListTargetsResponse) -> Result<(), Failure> {
    let cell = |row: &Value, name: &str| match row.get(name).unwrap_or(&row["outlook"][name]) {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let answer = json::targets(answer);
    let rows = answer["targets"].as_array().into_iter().flatten();
    output::csv(&COLUMNS, rows.map(|row| COLUMNS.iter().map(|name| cell(row, name)).collect()).collect())
}

fn table(answer: &pb::ListTargetsResponse, lang: Lang) -> Result<(), Failure> {
    let zone = Zone::parse(&answer.time_zone).unwrap_or(Zone::UTC);
    if let Some(as_of) = answer.as_of.as_ref().and_then(wire::instant) {
        output::say(&texts::heading(as_of, (&answer.time_zone, &zone), answer.position), lang)?;
    }
    if answer.targets.is_empty() {
        return output::say(&texts::none(), lang);
    }
    let header = output::header(texts::columns(), lang);
    let rows: Vec<Vec<String>> = answer.targets.iter().map(|row| cells(row, &zone, lang)).collect();
    output::line(&output::table(&header, header.len(), &rows))?;
    // What is assumed, and why there are no data, once each.
    let mut said: Vec<Text> = Vec::new();
    for row in &answer.targets {
        let assumed = row.outlook.as_ref().map(|_| texts::assumed(&row.metric));
        let no_data = Text::from_elsewhere(row.no_data_text_vi.clone(), row.no_data_text_en.clone());
        for note in assumed.into_iter().chain((row.verdict == "no_data").then_some(no_data)) {
            if !said.contains(&note) {
                output::say(&note, lang)?;
                said.push(note);
            }
        }
    }
    Ok(())
}

fn cells(row: &pb::TargetYear, zone: &Zone, lang: Lang) -> Vec<String> {
    let counted = ["met", "not_met", "not_applicable"].contains(&row.verdict.as_str());
    let day = |text: &str| Date::parse(text).unwrap_or(Date(0));
    let judged_on = row.cut.as_ref().and_then(wire::instant).filter(|_| counted && !row.over).map(|cut| zone.date(cut));
    let dash = || "–".to_owned();
    let source = if row.clause.is_empty() { row.source.clone() } else { format!("{}, {}", row.source, row.clause) };
    let figures = format!("{}/{}", output::count(row.part, lang), output::count(row.whole, lang));
    let to_come = row.outlook.as_ref().map(|o| texts::may_fail(o.may_fail, o.open_due + o.foreseen, &row.metric));
    vec![
        row.code.clone(),
        source,
        texts::measure(&row.metric, &row.denominator).into_lang(lang),
        texts::asked_for(&row.comparator, row.threshold).into_lang(lang),
        texts::year(row.year, (day(&row.first_date), day(&row.last_date)), judged_on).into_lang(lang),
        if counted { figures } else { dash() },
        if counted && row.whole > 0 { format::percent(row.part, row.whole, lang) } else { dash() },
        texts::verdict(&row.verdict).into_lang(lang),
        to_come.map_or_else(dash, |text| text.into_lang(lang)),
    ]
}
