//! The questions: `rates`, `dossiers`, `dossier`, `obligations`, `replay`.

use super::{Failure, Format, Target, format_or_default, key, moment, output, zone};
use dunghen::messages::{Lang, Text, Wrong, calls, format, tables, usage};
use dunghen::{json, pb, tracking, wire};
use dunghen_engine::dossier::EventType;
use dunghen_engine::time::{Timestamp, Zone};
use dunghen_engine::views::{Figure, GroupKey, Moment, ObligationFilter, OutcomeFilter, StateFilter};
use serde_json::Value;
use tokio_stream::StreamExt;

/// How many dossiers are fetched at a time.
const PAGE: u32 = 10_000;

#[derive(clap::Args)]
pub(super) struct FilterArgs {
    /// Only this unit and those below it.
    #[arg(long)]
    unit: Option<String>,
    /// Only this procedure.
    #[arg(long)]
    procedure: Option<String>,
    /// Only this field.
    #[arg(long)]
    field: Option<String>,
    /// Only this channel.
    #[arg(long)]
    channel: Option<String>,
}

impl FilterArgs {
    /// The unit that was named, or nothing.
    pub(super) fn unit(&self) -> &str {
        self.unit.as_deref().unwrap_or_default()
    }

    pub(super) fn filter(self) -> pb::DossierFilter {
        pb::DossierFilter {
            unit: self.unit.unwrap_or_default(),
            procedure: self.procedure.unwrap_or_default(),
            field: self.field.unwrap_or_default(),
            channel: self.channel.unwrap_or_default(),
        }
    }
}

/// As of when, in which zone, and of how much of the log.
#[derive(clap::Args)]
pub(super) struct AsOfArgs {
    /// The business time at which it is looked at; a date means its end [default: now].
    #[arg(long, value_name = "T", value_parser = moment)]
    pub(super) as_of: Option<Moment>,
    /// The zone that makes dates of instants [default: the data directory's].
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    time_zone: Option<Zone>,
    /// Wait until the log holds this many records.
    #[arg(long, value_name = "P", default_value_t = 0)]
    pub(super) min_position: u64,
}

impl AsOfArgs {
    /// The zone that was named, as requests have it.
    pub(super) fn zone_name(&self) -> String {
        self.time_zone.map_or_else(String::new, |z| z.name().to_owned())
    }
}

#[derive(clap::Args)]
struct PeriodArgs {
    /// The first moment of the period: a date, or a time such as 2025-09-10T09:00+07:00.
    #[arg(long, value_name = "T", value_parser = moment)]
    from: Option<Moment>,
    /// The first moment after the period.
    #[arg(long, value_name = "T", value_parser = moment)]
    to: Option<Moment>,
    #[command(flatten)]
    seen: AsOfArgs,
}

/// A text that must be one of some names.
fn one_of(text: &str, known: bool, names: &[&str]) -> Result<String, Wrong> {
    known.then(|| text.to_owned()).ok_or_else(|| Wrong(usage::one_of(names)))
}

fn state(text: &str) -> Result<String, Wrong> {
    one_of(text, StateFilter::parse(text).is_some(), &StateFilter::ALL.map(|(_, name)| name))
}

fn outcome(text: &str) -> Result<String, Wrong> {
    let names = OutcomeFilter::ALL.iter().map(|(_, name)| *name).chain(["any"]).collect::<Vec<_>>();
    one_of(text, text == "any" || OutcomeFilter::parse(text).is_some(), &names)
}

fn event_type(text: &str) -> Result<String, Wrong> {
    one_of(text, EventType::parse(text).is_some(), &EventType::ALL.map(EventType::name))
}

#[derive(clap::Args)]
pub(super) struct RatesArgs {
    #[command(flatten)]
    target: Target,
    /// resolved, resolved-instant, decision-766, received, returned, first-promise, or one that was published.
    #[arg(long, value_name = "ID", default_value = "resolved")]
    definition: String,
    #[command(flatten)]
    period: PeriodArgs,
    /// Group by unit, procedure, field, channel, day, month, quarter or year; may be repeated, or joined by commas.
    #[arg(long, value_name = "KEY", value_parser = key, value_delimiter = ',')]
    by: Vec<GroupKey>,
    #[command(flatten)]
    filter: FilterArgs,
    /// How to print the answer.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) async fn rates(args: RatesArgs, lang: Lang) -> Result<u8, Failure> {
    let source = args.target.ask(lang).await?;
    let request = pb::GetRatesRequest {
        definition: args.definition,
        from: args.period.from.map(wire::time_point),
        to: args.period.to.map(wire::time_point),
        as_of: args.period.seen.as_of.map(wire::time_point),
        by: args.by.iter().map(|k| k.name().to_owned()).collect(),
        filter: Some(args.filter.filter()),
        time_zone: args.period.seen.zone_name(),
        min_position: args.period.seen.min_position,
    };
    let answer = source.get_rates(request).await.map_err(|s| Failure::status(&s))?;
    match format_or_default(args.format) {
        Format::Json => output::json(&json::rates(&answer))?,
        Format::Csv => rates_csv(&answer)?,
        Format::Table => output::line(&rates_table(&answer, lang))?,
    }
    Ok(0)
}

fn rate_text(rate: Option<f64>) -> String {
    rate.map_or_else(String::new, |r| r.to_string())
}

fn rates_csv(answer: &pb::GetRatesResponse) -> Result<(), Failure> {
    let names = Figure::ALL.map(|(_, name)| name);
    let keys: Vec<&str> =
        answer.groups.first().map_or_else(Vec::new, |g| g.key.iter().map(|k| k.name.as_str()).collect());
    let header: Vec<&str> = keys.iter().copied().chain(names).chain(["on_time_rate", "apology_rate"]).collect();
    let row = |key: Vec<String>, figures: pb::Figures| {
        let numbers = wire::named(&figures).map(|(_, n)| n.to_string());
        let rates = [rate_text(figures.on_time_rate), rate_text(figures.apology_rate)];
        key.into_iter().chain(numbers).chain(rates).collect::<Vec<String>>()
    };
    let rows = if answer.groups.is_empty() {
        vec![row(Vec::new(), answer.total.unwrap_or_default())]
    } else {
        answer
            .groups
            .iter()
            .map(|g| {
                let key = g.key.iter().map(|k| k.value.clone().unwrap_or_default()).collect();
                row(key, g.figures.unwrap_or_default())
            })
            .collect()
    };
    output::csv(&header, rows)
}

fn rates_cells(figures: &pb::Figures, lang: Lang) -> Vec<String> {
    let n = |n| output::count(n, lang);
    vec![
        n(figures.received),
        n(figures.resolved),
        n(figures.withdrawn),
        n(figures.on_time),
        n(figures.late),
        n(figures.no_deadline),
        output::percent(figures.on_time, figures.on_time + figures.late, lang),
        n(figures.open),
        n(figures.open_overdue),
        n(figures.apology_due),
        n(figures.apology_missing),
        output::percent(figures.apology_in_time, figures.apology_due, lang),
    ]
}

/// The table of rates, with a line on what it shows.
pub(super) fn rates_table(answer: &pb::GetRatesResponse, lang: Lang) -> String {
    let zone = zone_of(&answer.time_zone);
    // What occurred after the period does not count, whatever the moment it is looked at: the stock is that of the cut.
    let instant = |t: Option<&prost_types::Timestamp>| t.and_then(wire::instant);
    let cut = match (instant(answer.as_of.as_ref()), instant(answer.to.as_ref())) {
        (Some(as_of), Some(to)) => Some(as_of.min(to.plus(-1))),
        (as_of, _) => as_of,
    };
    let what = tables::rates_of(&tables::Asked {
        definition: &answer.definition,
        period: (instant(answer.from.as_ref()), instant(answer.to.as_ref())),
        as_of: cut,
        zone: (&answer.time_zone, &zone),
        position: answer.position,
    });
    let keys: Vec<String> = answer
        .groups
        .first()
        .map_or_else(Vec::new, |g| g.key.iter().map(|k| tables::key(&k.name).into_lang(lang)).collect());
    let keys = if keys.is_empty() { vec![String::new()] } else { keys };
    let header: Vec<String> = keys.iter().cloned().chain(output::header(tables::rates(), lang)).collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for group in &answer.groups {
        let key = group.key.iter().map(|k| k.value.clone().unwrap_or_else(|| "–".to_owned()));
        rows.push(key.chain(rates_cells(&group.figures.unwrap_or_default(), lang)).collect());
    }
    let key = (0..keys.len()).map(|i| if i == 0 { tables::total().into_lang(lang) } else { String::new() });
    rows.push(key.chain(rates_cells(&answer.total.unwrap_or_default(), lang)).collect());
    format!("{}\n{}", what.in_lang(lang), output::table(&header, keys.len(), &rows))
}

#[derive(clap::Args)]
pub(super) struct DossiersArgs {
    #[command(flatten)]
    target: Target,
    /// open, waiting, late, due-soon, apology-pending, apology-missing, ended or returned.
    #[arg(long, value_parser = state)]
    state: Option<String>,
    /// The definition that compares promises and makes the cohort [default: resolved].
    #[arg(long, value_name = "ID")]
    definition: Option<String>,
    /// Only the definition's cohort: on_time, late, no_deadline or any.
    #[arg(long, value_parser = outcome)]
    outcome: Option<String>,
    #[command(flatten)]
    period: PeriodArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// For due-soon: hours in which the promise ends.
    #[arg(long, value_name = "HOURS", default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..))]
    due_within: u32,
    /// Only a page of this many dossiers; all without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE)))]
    page_size: Option<u32>,
    /// The next_page_token of the page before.
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
    /// How to print the answer.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) async fn dossiers(args: DossiersArgs, lang: Lang) -> Result<u8, Failure> {
    let source = args.target.ask(lang).await?;
    let mut request = pb::ListDossiersRequest {
        state: args.state.unwrap_or_default(),
        definition: args.definition.unwrap_or_default(),
        outcome: args.outcome.unwrap_or_default(),
        from: args.period.from.map(wire::time_point),
        to: args.period.to.map(wire::time_point),
        as_of: args.period.seen.as_of.map(wire::time_point),
        filter: Some(args.filter.filter()),
        time_zone: args.period.seen.zone_name(),
        due_within_hours: args.due_within,
        page_size: args.page_size.unwrap_or(PAGE),
        page_token: args.page_token.unwrap_or_default(),
        min_position: args.period.seen.min_position,
    };
    let mut answer = source.list_dossiers(request.clone()).await.map_err(|s| Failure::status(&s))?;
    // All pages are asked as of the moment of the first.
    request.as_of = answer.as_of.map(|t| pb::TimePoint { kind: Some(pb::time_point::Kind::Instant(t)) });
    while args.page_size.is_none() && !answer.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut answer.next_page_token);
        let page = source.list_dossiers(request.clone()).await.map_err(|s| Failure::status(&s))?;
        answer.dossiers.extend(page.dossiers);
        answer.next_page_token = page.next_page_token;
    }
    match format_or_default(args.format) {
        Format::Json => output::json(&json::dossiers(&answer))?,
        Format::Csv => {
            let names = [
                "dossier",
                "unit",
                "procedure",
                "field",
                "channel",
                "state",
                "received_at",
                "due",
                "due_date",
                "first_due",
                "first_due_date",
                "ended_at",
                "flags",
            ];
            let rows = answer.dossiers.iter().map(json::dossier);
            output::csv(&names, rows.map(|d| names.iter().map(|n| cell(&d, n)).collect()).collect())?;
        }
        Format::Table => {
            output::line(&dossiers_table(&answer, lang))?;
            let shown = answer.dossiers.len() as u64;
            output::say(&tables::dossiers_count(shown, &answer.next_page_token), lang)?;
        }
    }
    Ok(0)
}

/// A field of an answer as a cell of a CSV file.
pub(super) fn cell(row: &Value, name: &str) -> String {
    match &row[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// The zone of an answer; one that this program does not know is shown in UTC.
pub(super) fn zone_of(name: &str) -> Zone {
    Zone::parse(name).unwrap_or(Zone::UTC)
}

/// A due as people read it: the date if it was promised by date, else the time.
pub(super) fn due_text(due: Option<&prost_types::Timestamp>, date: &str, zone: &Zone, lang: Lang) -> String {
    if let Some(date) = dunghen_engine::time::Date::parse(date) {
        return format::date(date, lang);
    }
    due.and_then(wire::instant).map_or_else(String::new, |t| output::local(t, zone, lang))
}

fn dossiers_table(answer: &pb::ListDossiersResponse, lang: Lang) -> String {
    let mut header = output::header(tables::dossiers(), lang);
    // Behind a figure the reason is what matters; a worklist has none.
    let why = answer.dossiers.iter().any(|d| d.verdict.is_some());
    if why {
        header.push(tables::why().into_lang(lang));
    }
    let zone = zone_of(&answer.time_zone);
    let at = |t: Option<&prost_types::Timestamp>| due_text(t, "", &zone, lang);
    let rows: Vec<Vec<String>> = answer
        .dossiers
        .iter()
        .map(|d| {
            let mut row = vec![
                d.dossier.clone(),
                d.unit.clone(),
                d.procedure.clone(),
                tables::state(&d.state).into_lang(lang),
                at(d.received_at.as_ref()),
                due_text(d.due.as_ref(), &d.due_date, &zone, lang),
                due_text(d.first_due.as_ref(), &d.first_due_date, &zone, lang),
                at(d.ended_at.as_ref()),
                d.flags.join(" "),
            ];
            if why {
                let verdict = d.verdict.clone().unwrap_or_default();
                row.push(Text::from_elsewhere(verdict.text_vi, verdict.text_en).into_lang(lang));
            }
            row
        })
        .collect();
    output::table(&header, header.len(), &rows)
}

#[derive(clap::Args)]
pub(super) struct DossierArgs {
    /// The code, verbatim.
    code: String,
    /// The tracking slip: who held it, step by step, and whether each step was in time.
    #[arg(long)]
    slip: bool,
    /// Why it is due when it is: the rules it follows, day by day, each wait and each letter.
    #[arg(long)]
    why: bool,
    #[command(flatten)]
    target: Target,
    /// The business time at which it is looked at; a date means its end [default: now].
    #[arg(long, value_name = "T", value_parser = moment)]
    as_of: Option<Moment>,
    /// Wait until the log holds this many records.
    #[arg(long, value_name = "P", default_value_t = 0)]
    min_position: u64,
    /// How to print the answer: table or json.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) async fn dossier(args: DossierArgs, lang: Lang) -> Result<u8, Failure> {
    let format = format_or_default(args.format);
    if format == Format::Csv {
        return Err(Failure::usage(calls::dossier_as_csv()));
    }
    let source = args.target.ask(lang).await?;
    let as_of = args.as_of.map(wire::time_point);
    let request =
        pb::GetDossierRequest { dossier: args.code, as_of, min_position: args.min_position, explain: args.why };
    let answer = source.get_dossier(request).await.map_err(|s| Failure::status(&s))?;
    if format == Format::Json {
        let mut out = json::detail(&answer);
        if args.slip {
            out["slip"] = tracking::slip_json(&answer.slip);
        }
        if args.why {
            out["why"] = tracking::explanation_json(answer.explanation.as_ref());
        }
        output::json(&out)?;
        return Ok(0);
    }
    if args.slip || args.why {
        let slip = args.slip.then(|| super::tracking::slip(&answer, lang));
        let why = args.why.then(|| super::tracking::why(&answer, lang));
        output::line(&slip.into_iter().chain(why).collect::<Vec<_>>().join("\n\n"))?;
        return Ok(0);
    }
    let list = pb::ListDossiersResponse {
        dossiers: answer.dossier.clone().into_iter().collect(),
        next_page_token: String::new(),
        position: answer.position,
        as_of: answer.as_of,
        time_zone: answer.time_zone.clone(),
    };
    output::line(&dossiers_table(&list, lang))?;
    let zone = zone_of(&answer.time_zone);
    let at = |t: Option<&prost_types::Timestamp>| due_text(t, "", &zone, lang);
    if !answer.promises.is_empty() {
        let header = output::header(tables::promises(), lang);
        let rows = answer.promises.iter().map(|p| {
            let owed = answer.obligations.iter().find(|o| o.promise == p.number);
            vec![
                p.number.to_string(),
                due_text(p.due.as_ref(), &p.due_date, &zone, lang),
                at(p.given_at.as_ref()),
                at(p.missed_at.as_ref()),
                if p.current { "✓".to_owned() } else { String::new() },
                owed.map_or_else(String::new, |o| tables::obligation(&o.state, o.defective).into_lang(lang)),
                owed.map_or_else(String::new, |o| at(o.deadline.as_ref())),
                owed.map_or_else(String::new, |o| at(o.letter_at.as_ref())),
            ]
        });
        output::line(&output::table(&header, header.len(), &rows.collect::<Vec<_>>()))?;
    }
    let header = output::header(tables::history(), lang);
    let general =
        ["position", "recorded_at", "dossier_version", "author", "flags", "event_id", "dossier", "type", "occurred_at"];
    let rows = answer.history.iter().map(|r| {
        let event = r.event.as_ref();
        let details = match json::record(r) {
            Value::Object(fields) => fields
                .iter()
                .filter(|(name, _)| !general.contains(&name.as_str()))
                .map(|(name, v)| format!("{name}={}", detail_text(v, &zone, lang)))
                .collect::<Vec<_>>()
                .join(" "),
            _ => String::new(),
        };
        vec![
            r.position.to_string(),
            at(event.and_then(|e| e.occurred_at.as_ref())),
            at(r.recorded_at.as_ref()),
            event.and_then(wire::event_type).map_or("", EventType::name).to_owned(),
            details,
            r.flags.join(" "),
        ]
    });
    output::line(&output::table(&header, header.len(), &rows.collect::<Vec<_>>()))?;
    Ok(0)
}

/// A value among the details of an event: instants in local time, as the columns beside.
fn detail_text(value: &Value, zone: &Zone, lang: Lang) -> String {
    match value.as_str() {
        Some(text) => Timestamp::parse(text).map_or_else(|| text.to_owned(), |t| output::local(t, zone, lang)),
        None => value.to_string(),
    }
}

fn obligation_state(text: &str) -> Result<String, Wrong> {
    one_of(text, ObligationFilter::parse(text).is_some(), &ObligationFilter::ALL.map(|(_, name)| name))
}

#[derive(clap::Args)]
pub(super) struct ObligationsArgs {
    #[command(flatten)]
    target: Target,
    /// forecast, pending, in_time, late, missing or defective; any but forecast without it.
    #[arg(long, value_parser = obligation_state)]
    state: Option<String>,
    #[command(flatten)]
    period: PeriodArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// How to print the answer.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) async fn obligations(args: ObligationsArgs, lang: Lang) -> Result<u8, Failure> {
    let source = args.target.ask(lang).await?;
    let mut request = pb::ListObligationsRequest {
        state: args.state.unwrap_or_default(),
        from: args.period.from.map(wire::time_point),
        to: args.period.to.map(wire::time_point),
        as_of: args.period.seen.as_of.map(wire::time_point),
        filter: Some(args.filter.filter()),
        time_zone: args.period.seen.zone_name(),
        page_size: PAGE,
        page_token: String::new(),
        min_position: args.period.seen.min_position,
    };
    let mut answer = source.list_obligations(request.clone()).await.map_err(|s| Failure::status(&s))?;
    request.as_of = answer.as_of.map(|t| pb::TimePoint { kind: Some(pb::time_point::Kind::Instant(t)) });
    while !answer.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut answer.next_page_token);
        let page = source.list_obligations(request.clone()).await.map_err(|s| Failure::status(&s))?;
        answer.obligations.extend(page.obligations);
        answer.next_page_token = page.next_page_token;
    }
    match format_or_default(args.format) {
        Format::Json => output::json(&json::obligations(&answer))?,
        Format::Csv => {
            let names = [
                "dossier",
                "unit",
                "procedure",
                "field",
                "channel",
                "promise",
                "state",
                "defective",
                "window_closed",
                "left_working_ms",
                "reason_code",
                "objective",
                "due",
                "due_date",
                "missed_at",
                "deadline",
                "decided_at",
                "letter_at",
            ];
            let rows = json::obligations(&answer);
            let rows = rows["obligations"].as_array().into_iter().flatten();
            output::csv(&names, rows.map(|row| names.iter().map(|n| cell(row, n)).collect()).collect())?;
        }
        Format::Table => {
            let zone = zone_of(&answer.time_zone);
            let at = |t: Option<&prost_types::Timestamp>| due_text(t, "", &zone, lang);
            let header = output::header(tables::obligations(), lang);
            let rows: Vec<Vec<String>> = answer
                .obligations
                .iter()
                .map(|row| {
                    let owed = row.obligation.clone().unwrap_or_default();
                    let state = tables::obligation_in_list(&owed.state, owed.defective, row.window_closed);
                    vec![
                        row.dossier.clone(),
                        row.unit.clone(),
                        owed.promise.to_string(),
                        due_text(row.due.as_ref(), &row.due_date, &zone, lang),
                        at(owed.deadline.as_ref()),
                        state.into_lang(lang),
                        row.left_working_ms.map_or_else(String::new, |ms| tables::hours_left(ms).into_lang(lang)),
                        at(owed.letter_at.as_ref()),
                        tables::reason(&row.reason_code, row.objective).into_lang(lang),
                    ]
                })
                .collect();
            output::line(&output::table(&header, header.len(), &rows))?;
        }
    }
    Ok(0)
}

#[derive(clap::Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    target: Target,
    /// The first position.
    #[arg(long, value_name = "P", default_value_t = 0)]
    from: u64,
    /// The position before which to stop [default: the head].
    #[arg(long, value_name = "P")]
    to: Option<u64>,
    /// Only this dossier.
    #[arg(long, value_name = "C")]
    dossier: Option<String>,
    /// Only dossiers of this unit and those below it.
    #[arg(long, value_name = "U")]
    unit: Option<String>,
    /// Only this type of events; may be repeated.
    #[arg(long = "type", value_name = "T", value_parser = event_type)]
    types: Vec<String>,
    /// Go on with what is recorded later, until interrupted.
    #[arg(long)]
    follow: bool,
    /// How to print: a record a line.
    #[arg(long, value_parser = ["ndjson"], default_value = "ndjson")]
    format: String,
}

pub(super) async fn replay(args: ReplayArgs, lang: Lang) -> Result<u8, Failure> {
    use pb::replay_response::Item;
    let source = args.target.ask(lang).await?;
    let request = pb::ReplayRequest {
        from_position: args.from,
        to_position: args.to,
        dossier: args.dossier.unwrap_or_default(),
        unit: args.unit.unwrap_or_default(),
        types: args.types,
        follow: args.follow,
        min_position: 0,
    };
    let mut records = source.replay(request).await.map_err(|s| Failure::status(&s))?;
    let mut lines = output::Lines::new();
    while let Some(record) = records.next().await {
        match record.map_err(|s| Failure::status(&s))?.item {
            Some(Item::Record(record)) => lines.json(&json::record(&record))?,
            // Whoever follows wants to see what is there before more comes.
            Some(Item::CaughtUp(_) | Item::Heartbeat(_)) | None => lines.flush()?,
        }
    }
    lines.end()?;
    Ok(0)
}
