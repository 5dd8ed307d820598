//! `report`: form II.06a, the progress score of Decision 766, and the marks of PAR INDEX.

use super::ask::{AsOfArgs, FilterArgs};
use super::{Failure, Target, output, publish, rulebook};
use clap::ValueEnum;
use dunghen::messages::{Lang, Text, Wrong, format, report as texts, rules as say, usage};
use dunghen::report::period::{CALENDAR, Period};
use dunghen::report::sheet::{Sheet, beyond, columns};
use dunghen::rules::Rules;
use dunghen::source::Source;
use dunghen::{json, pb, wire};
use dunghen_engine::rules::{
    DECISION_766_FULL, Fraction, Publication, Rule, RuleKind, TierTables, Tiers, Unfit, score_766,
};
use dunghen_engine::time::Zone;
use dunghen_engine::views::{FormKey, Moment};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    report: Report,
}

#[derive(clap::Subcommand)]
enum Report {
    /// Form II.06a: what was in hand in a period, how it came and what became of it, by field or by unit.
    #[command(name = "ii-06a")]
    Form(FormArgs),
    /// The progress score of Decision 766: 20 times the rate `decision-766`.
    #[command(name = "score-766")]
    Score766(Score766Args),
    /// The marks of PAR INDEX for the on-time rate and for apologies, by tiers.
    #[command(name = "par-index")]
    ParIndex(ParIndexArgs),
}

/// Where, of which period and of which dossiers.
#[derive(clap::Args)]
struct Asked {
    #[command(flatten)]
    target: Target,
    /// The period: 2025-Q3, 2025-H1, 2025-9M, 2025, 2025-03, or two dates that both belong to it,
    /// 2025-01-01..2025-03-14.
    #[arg(long, value_name = "PERIOD")]
    period: String,
    /// The day of the month on which periods begin, in the month before: with 15, 2025-Q1 is 15/12/2024 to 14/3/2025
    /// [default: 1].
    #[arg(long, value_name = "DAY")]
    cut_off_day: Option<u32>,
    /// Begin periods as the report_period of this code says that is in force when the last month of the period ends, such
    /// as calendar or reporting-regime.
    #[arg(long, value_name = "CODE", conflicts_with = "cut_off_day")]
    regime: Option<String>,
    #[command(flatten)]
    seen: AsOfArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Where a report asks, and of what period.
struct Opened {
    source: Source,
    period: Period,
    /// For programs: the version of the rule that said when periods begin; null if none was named.
    regime: Value,
}

impl Asked {
    /// Opens what is named. Only then is the period known, if a rule in there says when periods begin.
    async fn open(&self, lang: Lang) -> Result<Opened, Failure> {
        let parse = |cut_off_day: u32| {
            let period = Period::parse(&self.period, cut_off_day);
            period.map_err(|bad| Failure::usage(texts::bad_period(&bad)))
        };
        // Before anything is opened: what is no period at all is a wrong call.
        let period = parse(self.cut_off_day.unwrap_or(CALENDAR))?;
        let source = self.target.ask(lang).await?;
        let Some(code) = &self.regime else { return Ok(Opened { source, period, regime: Value::Null }) };
        // Which days the period has is what is asked for; its months are known, and the last of them decides.
        let of_kind = RuleKind::ReportPeriod;
        let found = rulebook::in_force(&source, of_kind, code, period.last, self.seen.min_position).await?;
        let (Publication { code, rule: Rule::ReportPeriod(regime), .. }, number) = found else {
            return Err(Failure::defect(of_kind.name()));
        };
        let period = parse(regime.cut_off_day)?;
        let regime = json!({"code": &*code, "version": number, "cut_off_day": regime.cut_off_day});
        Ok(Opened { source, period, regime })
    }

    /// The rates of the period by one definition.
    async fn rates(self, opened: &Opened, definition: String) -> Result<pb::GetRatesResponse, Failure> {
        let Opened { source, period, .. } = opened;
        let request = pb::GetRatesRequest {
            definition,
            from: Some(wire::time_point(Moment::Date(period.first))),
            to: Some(wire::time_point(Moment::Date(period.after()))),
            as_of: self.seen.as_of.map(wire::time_point),
            by: Vec::new(),
            time_zone: self.seen.zone_name(),
            min_position: self.seen.min_position,
            filter: Some(self.filter.filter()),
        };
        source.get_rates(request).await.map_err(|status| Failure::status(&status))
    }
}

/// How to print a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For spreadsheets, without the total.
    Csv,
    /// The form itself, on landscape A4; needs --out.
    Xlsx,
}

/// How to print a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ScoreFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

#[derive(clap::Args)]
struct FormArgs {
    #[command(flatten)]
    asked: Asked,
    /// What the rows stand for: field or unit.
    #[arg(long, value_name = "KEY", default_value = "field", value_parser = form_key)]
    by: FormKey,
    /// How to print it; by default as the name after --out ends.
    #[arg(long, value_enum)]
    format: Option<FormFormat>,
    /// The file to write; one that is there is replaced.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Whose form it is, for the heading of the xlsx [default: the code after --unit].
    #[arg(long, value_name = "TEXT")]
    unit_name: Option<String>,
}

#[derive(clap::Args)]
struct Score766Args {
    #[command(flatten)]
    asked: Asked,
    /// How to print it.
    #[arg(long, value_enum)]
    format: Option<ScoreFormat>,
}

/// The code of the tiers that are built in.
const PAR_INDEX: &str = "par-index";

#[derive(clap::Args)]
struct ParIndexArgs {
    #[command(flatten)]
    asked: Asked,
    /// resolved, resolved-instant, decision-766, received, returned, first-promise, or one that was published.
    #[arg(long, value_name = "ID", default_value = "resolved")]
    definition: String,
    /// A file of rules with one table [[tiers]], which counts instead of what is published.
    #[arg(long, value_name = "FILE")]
    tiers: Option<PathBuf>,
    /// The code of the published tiers, of which the version in force on the last day of the period counts.
    #[arg(long, value_name = "CODE", default_value = PAR_INDEX, conflicts_with = "tiers")]
    tiers_code: String,
    /// The full marks of each criterion [default: what the tiers say].
    #[arg(long, value_name = "MARKS")]
    full: Option<String>,
    /// How to print it.
    #[arg(long, value_enum)]
    format: Option<ScoreFormat>,
}

fn form_key(text: &str) -> Result<FormKey, Wrong> {
    FormKey::parse(text).ok_or_else(|| Wrong(usage::one_of(&FormKey::ALL.map(|(_, name)| name))))
}

pub(super) async fn run(args: ReportArgs, lang: Lang) -> Result<u8, Failure> {
    match args.report {
        Report::Form(args) => form(args, lang).await,
        Report::Score766(args) => score(args, lang).await,
        Report::ParIndex(args) => par_index(args, lang).await,
    }
}

impl FormArgs {
    /// As said, else as the name of the file ends; a name without an ending is as good as a pipe.
    fn format(&self) -> Result<FormFormat, Failure> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        if let Some((file, ending)) = self.out.as_ref().and_then(|file| Some((file, file.extension()?))) {
            let ending = ending.to_string_lossy().to_ascii_lowercase();
            let known: Vec<_> = FormFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
            let known: Vec<&str> = known.iter().map(clap::builder::PossibleValue::get_name).collect();
            return FormFormat::from_str(&ending, false)
                .map_err(|_| Failure::usage(texts::unknown_ending(file, &ending, &known)));
        }
        let screen = self.out.is_none() && std::io::stdout().is_terminal();
        Ok(if screen { FormFormat::Table } else { FormFormat::Json })
    }
}

async fn form(args: FormArgs, lang: Lang) -> Result<u8, Failure> {
    let format = args.format()?;
    if format == FormFormat::Xlsx && args.out.is_none() {
        return Err(Failure::usage(texts::xlsx_needs_a_file()));
    }
    let asked = args.asked;
    let Opened { source, period, regime } = asked.open(lang).await?;
    let request = pb::GetFormRequest {
        from: Some(wire::time_point(Moment::Date(period.first))),
        to: Some(wire::time_point(Moment::Date(period.after()))),
        as_of: asked.seen.as_of.map(wire::time_point),
        by: args.by.name().to_owned(),
        time_zone: asked.seen.zone_name(),
        min_position: asked.seen.min_position,
        filter: Some(asked.filter.filter()),
    };
    let unit = request.filter.as_ref().map_or_else(String::new, |filter| filter.unit.clone());
    let answer = source.get_form(request).await.map_err(|status| Failure::status(&status))?;
    let bytes = match format {
        FormFormat::Json => (form_json(&period, &regime, &answer).to_string() + "\n").into_bytes(),
        FormFormat::Csv => form_csv(args.by, &answer)?,
        FormFormat::Table => (form_table(&period, args.by, &answer, args.out.is_some(), lang) + "\n").into_bytes(),
        FormFormat::Xlsx => {
            let unit_name = args.unit_name.unwrap_or(unit);
            let sheet = Sheet { period: &period, by: args.by, unit_name: &unit_name, answer: &answer };
            sheet.to_bytes().map_err(|e| Failure::failed(texts::no_sheet(&e)))?
        }
    };
    match args.out {
        None => output::bytes(&bytes)?,
        Some(file) => {
            output::replace(&file, &bytes).map_err(|e| Failure::failed(texts::cannot_write(&file, &e)))?;
        }
    }
    Ok(0)
}

/// The form, with the dates of its period and the regime that gave them.
fn form_json(period: &Period, regime: &Value, answer: &pb::GetFormResponse) -> Value {
    let mut value = json::form(&period.to_string(), answer);
    value["first_date"] = json!(period.first.to_string());
    value["last_date"] = json!(period.last.to_string());
    value["regime"] = regime.clone();
    value
}

fn form_csv(by: FormKey, answer: &pb::GetFormResponse) -> Result<Vec<u8>, Failure> {
    let names = wire::form_named(&pb::FormFigures::default()).map(|(name, _)| name);
    let header: Vec<&str> = [by.name()].into_iter().chain(names).collect();
    let row = |row: &pb::FormRow| {
        let key = row.key.as_ref().and_then(|key| key.value.clone()).unwrap_or_default();
        let figures = wire::form_named(&row.figures.unwrap_or_default());
        [key].into_iter().chain(figures.map(|(_, n)| n.to_string())).collect()
    };
    output::csv_bytes(&header, answer.rows.iter().map(row).collect())
}

fn form_table(period: &Period, by: FormKey, answer: &pb::GetFormResponse, to_file: bool, lang: Lang) -> String {
    let total = answer.total.unwrap_or_default();
    let further = beyond(&total).iter().any(|n| *n > 0);
    let cells = |name: String, figures: &pb::FormFigures| -> Vec<String> {
        let counts = columns(figures).into_iter().chain(beyond(figures).into_iter().filter(|_| further));
        [name].into_iter().chain(counts.map(|n| output::count(n, lang))).collect()
    };
    let beyond_it = texts::columns_beyond().into_iter().filter(|_| further);
    let header = output::header([texts::key(by)].into_iter().chain(texts::columns()).chain(beyond_it), lang);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in &answer.rows {
        let name = row.key.as_ref().and_then(|key| key.value.clone()).unwrap_or_else(|| "–".to_owned());
        rows.push(cells(name, &row.figures.unwrap_or_default()));
    }
    rows.push(cells(texts::total().into_lang(lang), &total));
    // A file is as wide as it must be, whatever terminal happens to be there.
    let table = if to_file { output::whole(&header, 1, &rows).0 } else { output::table(&header, 1, &rows) };
    let cut = wire::cut(answer.to.as_ref(), answer.as_of.as_ref());
    format!("{}\n{table}", heading("II.06a", period, cut, &answer.time_zone, answer.position, lang))
}

fn heading(
    report: &str,
    period: &Period,
    cut: dunghen_engine::time::Timestamp,
    time_zone: &str,
    position: u64,
    lang: Lang,
) -> String {
    let zone = Zone::parse(time_zone).unwrap_or(Zone::UTC);
    texts::heading(report, period, cut, (time_zone, &zone), position).into_lang(lang)
}

/// Marks and what they are made of. `marks` is null where nothing was to be judged.
struct Criterion {
    name: Text,
    part: u64,
    whole: u64,
    /// The number of the tier that gives the marks; none where there are no tiers.
    tier: Option<usize>,
    marks: Option<Fraction>,
    full: Fraction,
}

/// A fraction as a number, for whoever does not need it exactly.
fn number(fraction: Fraction) -> f64 {
    let (part, whole) = fraction.reduced();
    part as f64 / whole as f64
}

fn exact(fraction: Fraction) -> String {
    let (part, whole) = fraction.reduced();
    if whole == 1 { part.to_string() } else { format!("{part}/{whole}") }
}

/// Two decimals, rounded half up.
fn decimals(fraction: Fraction, lang: Lang) -> String {
    format::decimals(fraction.hundredths(), lang)
}

impl Criterion {
    fn json(&self) -> Value {
        json!({
            "met": self.part,
            "of": self.whole,
            "tier": self.tier.filter(|_| self.marks.is_some()),
            "marks": self.marks.map(number),
            "marks_exact": self.marks.map(exact),
            "full": number(self.full),
        })
    }

    fn cells(&self, lang: Lang) -> Vec<String> {
        let none = || format::not_applicable().into_lang(lang);
        let tier = self.tier.filter(|_| self.marks.is_some()).map_or_else(|| "–".to_owned(), |n| n.to_string());
        vec![
            self.name.in_lang(lang).to_owned(),
            output::count(self.part, lang),
            output::count(self.whole, lang),
            output::percent(self.part, self.whole, lang),
            tier,
            self.marks.map_or_else(none, |marks| decimals(marks, lang)),
            decimals(self.full, lang),
        ]
    }
}

fn score_table(criteria: &[&Criterion], lang: Lang) -> String {
    let header = output::header(texts::score_columns(), lang);
    let rows: Vec<Vec<String>> = criteria.iter().map(|criterion| criterion.cells(lang)).collect();
    output::table(&header, 1, &rows)
}

fn score_format(format: Option<ScoreFormat>) -> ScoreFormat {
    format.unwrap_or(if std::io::stdout().is_terminal() { ScoreFormat::Table } else { ScoreFormat::Json })
}

/// What every score says of its question, and the integers of the rate.
fn score_json(report: &str, unit: &str, opened: &Opened, answer: &pb::GetRatesResponse) -> Value {
    let Opened { period, regime, .. } = opened;
    let rates = json::rates(answer);
    let total = answer.total.unwrap_or_default();
    json!({
        "report": report,
        "period": period.to_string(),
        "first_date": period.first.to_string(),
        "last_date": period.last.to_string(),
        "regime": regime,
        "from": rates["from"],
        "to": rates["to"],
        "as_of": rates["as_of"],
        "time_zone": rates["time_zone"],
        "position": rates["position"],
        "unit": (!unit.is_empty()).then_some(unit),
        "definition": answer.definition,
        "on_time": total.on_time,
        "late": total.late,
        "no_deadline": total.no_deadline,
        "on_time_rate": total.on_time_rate,
    })
}

/// The score as a table: the line above it, the criteria, and who is in no rate.
fn print_score(
    report: &str,
    period: &Period,
    answer: &pb::GetRatesResponse,
    criteria: &[&Criterion],
    lang: Lang,
) -> Result<(), Failure> {
    let cut = wire::cut(answer.to.as_ref(), answer.as_of.as_ref());
    output::line(&heading(report, period, cut, &answer.time_zone, answer.position, lang))?;
    output::line(&score_table(criteria, lang))?;
    let no_deadline = answer.total.unwrap_or_default().no_deadline;
    output::say(&texts::no_deadline(no_deadline), lang)
}

async fn score(args: Score766Args, lang: Lang) -> Result<u8, Failure> {
    let opened = args.asked.open(lang).await?;
    let unit = args.asked.filter.unit().to_owned();
    let answer = args.asked.rates(&opened, "decision-766".to_owned()).await?;
    let total = answer.total.unwrap_or_default();
    let whole = total.on_time + total.late;
    let criterion = Criterion {
        name: texts::progress("decision-766"),
        part: total.on_time,
        whole,
        tier: None,
        marks: score_766(total.on_time, whole),
        full: Fraction::new(DECISION_766_FULL, 1).unwrap_or(Fraction::ONE),
    };
    match score_format(args.format) {
        ScoreFormat::Table => print_score("score-766", &opened.period, &answer, &[&criterion], lang)?,
        ScoreFormat::Json => {
            let mut value = score_json("score-766", &unit, &opened, &answer);
            value["score"] = json!(criterion.marks.map(number));
            value["score_exact"] = json!(criterion.marks.map(exact));
            value["full"] = json!(DECISION_766_FULL);
            output::json(&value)?;
        }
    }
    Ok(0)
}

/// Tiers, and where they come from.
struct UsedTiers {
    publication: Publication,
    /// The number of the version; none if they are from a file.
    version: Option<u32>,
    /// The file, else empty.
    file: String,
}

impl UsedTiers {
    /// The only tiers of a file of rules. From when on they would count does not matter: whoever names a file wants them.
    fn of_file(file: &Path) -> Result<UsedTiers, Failure> {
        let rules = Rules::parse(&publish::read(file)?);
        let rules = rules.map_err(|fault| Failure::usage(say::of_file(file, &fault.text())))?;
        let mut tiers: Vec<Publication> =
            rules.publications.into_iter().filter(|p| p.rule.kind() == RuleKind::Tiers).collect();
        match (tiers.len(), tiers.pop()) {
            (1, Some(publication)) => Ok(UsedTiers { publication, version: None, file: file.display().to_string() }),
            (found, _) => Err(Failure::usage(texts::not_one_table(file, found))),
        }
    }

    fn tables(&self) -> Result<&TierTables, Failure> {
        match &self.publication.rule {
            Rule::Tiers(tables) => Ok(tables),
            other => Err(Failure::defect(other.kind().name())),
        }
    }

    fn text(&self) -> Text {
        texts::tiers_used(&self.publication.code, self.version, &self.file)
    }

    fn json(&self) -> Value {
        json!({
            "code": &*self.publication.code,
            "version": self.version,
            "effective_from": self.publication.effective_from.to_string(),
            "file": self.version.is_none().then_some(&self.file),
        })
    }
}

async fn par_index(args: ParIndexArgs, lang: Lang) -> Result<u8, Failure> {
    let full = args.full.map(|said| Fraction::decimal(&said).ok_or_else(|| Failure::usage(texts::bad_full(&said))));
    let full = full.transpose()?;
    let of_file = args.tiers.as_deref().map(UsedTiers::of_file).transpose()?;
    let opened = args.asked.open(lang).await?;
    let used = match of_file {
        Some(used) => used,
        None => {
            let (last, min_position) = (opened.period.last, args.asked.seen.min_position);
            let found = rulebook::in_force(&opened.source, RuleKind::Tiers, &args.tiers_code, last, min_position);
            let (publication, number) = found.await?;
            UsedTiers { publication, version: Some(number), file: String::new() }
        }
    };
    let ready = used.tables()?.with_full(full);
    let (rate, apology) = ready.map_err(|why: Unfit| Failure::usage(used.text().before(&say::unfit(&why))))?;
    let unit = args.asked.filter.unit().to_owned();
    let answer = args.asked.rates(&opened, args.definition).await?;
    let total = answer.total.unwrap_or_default();
    let criterion = |name: Text, tiers: &Tiers, part: u64, whole: u64| {
        let marks = tiers.marks(part, whole);
        let (tier, full) = (marks.map(|(_, tier)| tier), tiers.full());
        Criterion { name, part, whole, tier, marks: marks.map(|(marks, _)| marks), full }
    };
    let name = texts::progress(&answer.definition);
    let rate = criterion(name, &rate, total.on_time, total.on_time + total.late);
    let apology = criterion(texts::apologies(), &apology, total.apology_in_time, total.apology_due);
    match score_format(args.format) {
        ScoreFormat::Table => {
            print_score("par-index", &opened.period, &answer, &[&rate, &apology], lang)?;
            output::say(&used.text(), lang)?;
        }
        ScoreFormat::Json => {
            let mut value = score_json("par-index", &unit, &opened, &answer);
            value["apology_due"] = json!(total.apology_due);
            value["apology_in_time"] = json!(total.apology_in_time);
            value["tiers"] = used.json();
            value["rate_marks"] = rate.json();
            value["apology_marks"] = apology.json();
            output::json(&value)?;
        }
    }
    Ok(0)
}
