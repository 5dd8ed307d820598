//! `dunghen simulate`: a province on demand, and the figures it must give.
//!
//! The stories come from a seed; what is planted is counted while they are told, never asked of the engine. Into a new
//! directory they go at the moments they tell of, by the rules of a server but without its queue and views; to a
//! server they go as history is brought in, the events of a dossier together.

mod ledger;
mod province;
mod write;

use super::{Failure, Format, IN_PART, format_or_default, no_date, output};
use dunghen::messages::{Lang, Wrong, calls, commands, tables, usage};
use dunghen_engine::dossier::Flag;
use dunghen_engine::time::{Date, Zone};
use dunghen_engine::{Clock, SystemClock};
use ledger::{COMMON, Counts, DEFINITIONS, OWN};
use province::{Planted, Province};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// How many dossiers are told to find out how many records a dossier makes.
const PILOT: u64 = 5000;

#[derive(clap::Args)]
pub(super) struct SimulateArgs {
    #[command(flatten)]
    target: Destination,
    /// How many dossiers come in [default: 100000].
    #[arg(long, value_name = "N", conflicts_with = "events")]
    dossiers: Option<u64>,
    /// About how many records the log gets, instead of a number of dossiers.
    #[arg(long, value_name = "N")]
    events: Option<u64>,
    /// The first day [default: a year before --to].
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Option<Date>,
    /// The day after the last [default: today].
    #[arg(long, value_name = "DATE", value_parser = date)]
    to: Option<Date>,
    /// Another seed makes another province.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many events a second go to the server [default: as many as it takes].
    #[arg(long, value_name = "R", conflicts_with = "into", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: Option<u64>,
    /// How many connections to the server.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    connections: u8,
    /// How to print what was planted.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Destination {
    /// Write into this new directory, at simulated moments.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Push to a server, such as http://127.0.0.1:7070.
    #[arg(long, value_name = "URL", env = "DUNGHEN_SERVER")]
    server: Option<String>,
}

fn date(text: &str) -> Result<Date, Wrong> {
    Date::parse(text).ok_or_else(|| no_date(text, usage::date()))
}

fn year_before(date: Date) -> Date {
    let (year, month, day) = date.ymd();
    Date::new(year - 1, month, day).unwrap_or(date.plus(-365))
}

/// How many dossiers make about so many records.
fn dossiers_for(records: u64, seed: u64, zone: Zone, from: Date, to: Date) -> u64 {
    let pilot = Province::new(seed, zone, from, to, PILOT);
    let mut planted = Planted::none(pilot.units.len());
    for day in 0..pilot.length() {
        for nth in pilot.arrivals(day) {
            pilot.story(day, nth, &mut planted);
        }
    }
    let told = u128::from(planted.extras.events + planted.extras.lates).max(1);
    u64::try_from(u128::from(records) * u128::from(PILOT) / told).unwrap_or(u64::MAX)
}

pub(super) async fn run(args: SimulateArgs, lang: Lang) -> Result<u8, Failure> {
    let zone = Zone::VIETNAM;
    let clock = SystemClock;
    let today = zone.date(clock.now());
    let to = args.to.unwrap_or(today);
    let from = args.from.unwrap_or(year_before(to));
    if from >= to || to > today {
        return Err(Failure::usage(commands::no_period(from, to)));
    }
    let dossiers = match args.events {
        Some(records) => dossiers_for(records, args.seed, zone, from, to),
        None => args.dossiers.unwrap_or(100_000),
    };
    let province = Arc::new(Province::new(args.seed, zone, from, to, dossiers));
    let begun = clock.elapsed_ms().unwrap_or(0);
    let mut refused = 0;
    let (planted, records) = match (&args.target.into, &args.target.server) {
        (Some(path), None) => {
            let (path, province) = (path.clone(), Arc::clone(&province));
            let written = tokio::task::spawn_blocking(move || write::into(&province, &path, lang)).await;
            let (planted, records) = written.map_err(Failure::defect)??;
            (planted, Some(records))
        }
        (None, Some(url)) => {
            let connections = usize::from(args.connections);
            let pushed = write::push(Arc::clone(&province), url, args.rate, connections, lang).await?;
            let (planted, answers) = pushed;
            refused = answers.refused;
            let said = commands::pushed(answers.recorded, answers.duplicates, answers.refused);
            eprintln!("{}", said.in_lang(lang));
            (planted, None)
        }
        _ => return Err(Failure::usage(calls::name_a_target("--into", "--server"))),
    };
    let ms = clock.elapsed_ms().unwrap_or(0).saturating_sub(begun).max(1).unsigned_abs();
    eprintln!("{}", commands::speed(records.unwrap_or(planted.extras.events), ms).in_lang(lang));
    let plan = Plan { seed: args.seed, zone, from, to, dossiers, by_import: records.is_none() };
    match format_or_default(args.format) {
        Format::Json => output::json(&plan.json(&province, &planted))?,
        Format::Table => output::line(&plan.table(&province, &planted, lang))?,
        Format::Csv => {
            let (header, rows) = plan.rows(&province, &planted);
            output::csv(&header.iter().map(String::as_str).collect::<Vec<_>>(), rows)?;
        }
    }
    Ok(if refused > 0 { IN_PART } else { 0 })
}

/// What was asked for.
struct Plan {
    seed: u64,
    zone: Zone,
    from: Date,
    to: Date,
    dossiers: u64,
    /// Brought to a server as an import: nothing is recorded late then.
    by_import: bool,
}

/// The integers beside one definition, by their names in the contract.
fn integers(counts: &Counts, definition: usize) -> impl Iterator<Item = (&'static str, u64)> {
    COMMON.into_iter().zip(counts.common).chain(OWN.into_iter().zip(counts.own[definition]))
}

impl Plan {
    /// The units that have anything, by their codes.
    fn units<'a>(&self, province: &'a Province, planted: &'a Planted) -> Vec<(&'a str, &'a Counts)> {
        let all = province.units.iter().zip(&planted.units).filter(|(_, counts)| !counts.is_zero());
        let mut units: Vec<_> = all.map(|(unit, counts)| (&*unit.code, counts)).collect();
        units.sort_unstable_by_key(|(code, _)| *code);
        units
    }

    fn total(&self, planted: &Planted) -> Counts {
        let mut total = Counts::default();
        planted.units.iter().for_each(|counts| total.add(counts));
        total
    }

    fn json(&self, province: &Province, planted: &Planted) -> Value {
        let total = self.total(planted);
        let units = self.units(province, planted);
        let last = self.to.plus(-1).to_string();
        let row = |counts: &Counts, d: usize| -> Map<String, Value> {
            integers(counts, d).map(|(name, n)| (name.to_owned(), n.into())).collect()
        };
        let queries: Vec<Value> = DEFINITIONS
            .iter()
            .enumerate()
            .map(|(d, definition)| {
                let groups: Vec<Value> = units
                    .iter()
                    .map(|(code, counts)| {
                        let mut group = row(counts, d);
                        group.insert("key".to_owned(), json!({"unit": code}));
                        Value::Object(group)
                    })
                    .collect();
                json!({
                    "definition": definition, "from": self.from.to_string(), "to": self.to.to_string(),
                    "as_of": last, "by": ["unit"], "total": row(&total, d), "groups": groups,
                })
            })
            .collect();
        let extras = &planted.extras;
        let lates = if self.by_import { self.missed(planted) } else { extras.lates };
        json!({
            "seed": self.seed, "from": self.from.to_string(), "to": self.to.to_string(),
            "time_zone": self.zone.name(), "dossiers": self.dossiers,
            "events": extras.events, "late_events": lates, "records": extras.events + lates,
            "rejected_before_reception": extras.rejected, "waiting": extras.waiting,
            "not_fetched": extras.not_fetched, "flags": self.flags(planted), "queries": queries,
        })
    }

    /// Promises missed: each is an obligation.
    fn missed(&self, planted: &Planted) -> u64 {
        let due = COMMON.iter().position(|name| *name == "apology_due").unwrap_or(0);
        self.total(planted).common[due]
    }

    fn flags(&self, planted: &Planted) -> Map<String, Value> {
        Flag::ALL
            .into_iter()
            .zip(planted.extras.flags)
            .filter(|(flag, _)| !self.by_import || ![Flag::RecordedLate, Flag::ReportedAfterPromise].contains(flag))
            .map(|(flag, n)| (flag.name().to_owned(), n.into()))
            .collect()
    }

    /// One row for each definition and unit, the total first, with the query that gives it.
    fn rows(&self, province: &Province, planted: &Planted) -> (Vec<String>, Vec<Vec<String>>) {
        let mut header: Vec<String> = ["definition", "from", "to", "as_of", "unit"].map(str::to_owned).to_vec();
        header.extend(COMMON.iter().chain(&OWN).map(|name| (*name).to_owned()));
        let total = self.total(planted);
        let mut rows = Vec::new();
        for (d, definition) in DEFINITIONS.iter().enumerate() {
            for (unit, counts) in std::iter::once(("", &total)).chain(self.units(province, planted)) {
                let query = [definition.to_string(), self.from.to_string(), self.to.to_string()];
                let mut row = query.to_vec();
                row.extend([self.to.plus(-1).to_string(), unit.to_owned()]);
                row.extend(integers(counts, d).map(|(_, n)| n.to_string()));
                rows.push(row);
            }
        }
        (header, rows)
    }

    fn table(&self, province: &Province, planted: &Planted, lang: Lang) -> String {
        let header = output::header(tables::planted(), lang);
        let cells = |unit: &str, counts: &Counts| -> Vec<String> {
            let n = |n| output::count(n, lang);
            let [received, resolved, withdrawn, _, open, _, due, in_time, late, missing, defective] = counts.common;
            let ([_, kept, broken, ..], [_, _, first, ..]) = (counts.own[0], counts.own[DEFINITIONS.len() - 1]);
            let mut row = vec![unit.to_owned()];
            row.extend([received, resolved, withdrawn, open, kept, broken].map(n));
            row.push(output::percent(kept, kept + broken, lang));
            row.extend([first, due, in_time, late, missing, defective].map(n));
            row
        };
        let mut rows: Vec<Vec<String>> =
            self.units(province, planted).iter().map(|(unit, counts)| cells(unit, counts)).collect();
        rows.push(cells(tables::total().in_lang(lang), &self.total(planted)));
        let table = output::table(&header, 1, &rows);
        let flags: Vec<String> = self.flags(planted).iter().map(|(name, n)| format!("{name} {n}")).collect();
        let (from, to, last) = (self.from, self.to, self.to.plus(-1));
        let query = format!("dunghen rates --definition resolved --from {from} --to {to} --as-of {last} --by unit");
        let below = commands::planted(&query, &flags.join(" · "));
        format!("{table}\n{}", below.in_lang(lang))
    }
}
