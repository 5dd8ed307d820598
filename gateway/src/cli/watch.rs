//! `dunghen watch`: rates against a target, obligations and the last events, live.

use super::ask::{FilterArgs, rates_table};
use super::{Failure, Target, key, output};
use dunghen::messages::commands::{Standing, standing};
use dunghen::messages::{Lang, Wrong, usage};
use dunghen::pb::replay_response::Item;
use dunghen::source::Source;
use dunghen::{json, pb, wire};
use dunghen_engine::dossier::EventType;
use dunghen_engine::time::Zone;
use dunghen_engine::views::GroupKey;
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio_stream::StreamExt;

/// How many of the last events are shown.
const EVENTS: usize = 8;

#[derive(clap::Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    target: Target,
    /// resolved, resolved-instant, decision-766, received, returned, first-promise, or one that was published.
    #[arg(long, value_name = "ID", default_value = "received")]
    definition: String,
    /// Group by unit, procedure, field, channel, day, month, quarter or year.
    #[arg(long, value_name = "KEY", value_parser = key, value_delimiter = ',', default_value = "unit")]
    by: Vec<GroupKey>,
    #[command(flatten)]
    filter: FilterArgs,
    /// What the rate is to reach, in percent: ">99" (more than) or ">=95" (at least).
    #[arg(long, value_name = "GOAL", value_parser = goal, default_value = ">99")]
    goal: Goal,
    /// The most answers a second.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
    per_second: u32,
}

/// A target: a comparison with a percentage, in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Goal {
    strict: bool,
    hundredths: u64,
}

fn goal(text: &str) -> Result<Goal, Wrong> {
    let wrong = || Wrong(usage::goal());
    let (strict, number) = match text.strip_prefix(">=") {
        Some(number) => (false, number),
        None => (true, text.strip_prefix('>').ok_or_else(wrong)?),
    };
    let (whole, part) = number.trim().split_once(['.', ',']).unwrap_or((number.trim(), ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || part.len() > 2 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 = format!("{part:0<2}").parse().map_err(|_| wrong())?;
    let hundredths = whole * 100 + part;
    if hundredths > 10_000 { Err(wrong()) } else { Ok(Goal { strict, hundredths }) }
}

impl Goal {
    /// Whether `part` of `whole` reaches it, by integers; `None` if there is nothing to judge.
    fn met(self, part: u64, whole: u64) -> Option<bool> {
        let (is, must) = (u128::from(part) * 10_000, u128::from(whole) * u128::from(self.hundredths));
        (whole > 0).then_some(if self.strict { is > must } else { is >= must })
    }

    fn sign(self) -> &'static str {
        if self.strict { ">" } else { "≥" }
    }
}

/// What is on the screen.
#[derive(Default)]
struct Screen {
    rates: Option<pb::GetRatesResponse>,
    events: VecDeque<String>,
}

pub(super) async fn run(args: WatchArgs, lang: Lang) -> Result<u8, Failure> {
    let source = args.target.ask(lang).await?;
    let question = pb::GetRatesRequest {
        definition: args.definition,
        by: args.by.iter().map(|k| k.name().to_owned()).collect(),
        filter: Some(args.filter.filter()),
        ..pb::GetRatesRequest::default()
    };
    let request = pb::WatchRatesRequest { question: Some(question), max_per_second: args.per_second };
    let failed = |s: tonic::Status| Failure::status(&s);
    let mut answers = source.watch_rates(request).await.map_err(failed)?;
    let mut screen = Screen::default();
    let first = answers.next().await.transpose().map_err(failed)?.and_then(|a| a.answer).unwrap_or_default();
    let (zone, head) = (Zone::parse(&first.time_zone).unwrap_or(Zone::UTC), first.position);
    screen.rates = Some(first);
    let mut records = follow(&source, head).await.map_err(failed)?;
    let mut interrupted = super::serve::stop_on_signal()?;
    let live = std::io::stdout().is_terminal();
    show(&screen, args.goal, live, lang)?;
    // Events are shown as they come, but no oftener than answers are.
    let mut frames = tokio::time::interval(Duration::from_secs(1) / args.per_second.clamp(1, 10));
    frames.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut unseen = false;
    loop {
        tokio::select! {
            _ = frames.tick(), if live && unseen => {
                unseen = false;
                show(&screen, args.goal, live, lang)?;
            }
            answer = answers.next() => match answer {
                Some(answer) => {
                    screen.rates = answer.map_err(failed)?.answer;
                    show(&screen, args.goal, live, lang)?;
                }
                None => return Ok(0),
            },
            record = records.next() => match record {
                Some(record) => {
                    if let Some(Item::Record(record)) = record.map_err(failed)?.item {
                        screen.events.push_back(event_line(&record, &zone, lang));
                        if screen.events.len() > EVENTS {
                            screen.events.pop_front();
                        }
                        unseen = true;
                    }
                }
                None => return Ok(0),
            },
            _ = interrupted.changed() => return Ok(0),
        }
    }
}

async fn follow(source: &Source, head: u64) -> Result<dunghen::source::Records, tonic::Status> {
    let from_position = head.saturating_sub(EVENTS as u64);
    source.replay(pb::ReplayRequest { from_position, follow: true, ..pb::ReplayRequest::default() }).await
}

/// An event on one line: when, what, which dossier, and what did not fit; of a rule, which version.
fn event_line(record: &pb::Record, zone: &Zone, lang: Lang) -> String {
    if let Some(rule) = &record.published {
        let at = record.recorded_at.as_ref().and_then(wire::instant);
        let at = at.map_or_else(String::new, |t| output::local(t, zone, lang));
        return format!("{at}  {:<20} {} {} {}", json::PUBLISHED, rule.kind, rule.code, rule.version);
    }
    let event = record.event.clone().unwrap_or_default();
    let at = event.occurred_at.as_ref().and_then(wire::instant);
    let at = at.map_or_else(String::new, |t| output::local(t, zone, lang));
    let name = wire::event_type(&event).map_or("", EventType::name);
    let unit = match json::record(record) {
        Value::Object(fields) => fields.get("unit").and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    format!("{at}  {name:<20} {} {unit} {}", event.dossier, record.flags.join(" "))
}

fn show(screen: &Screen, goal: Goal, live: bool, lang: Lang) -> Result<(), Failure> {
    let Some(rates) = &screen.rates else { return Ok(()) };
    let total = rates.total.unwrap_or_default();
    let judged = total.on_time + total.late;
    let summary = Standing {
        on_time: total.on_time,
        judged,
        met: goal.met(total.on_time, judged),
        apology_due: total.apology_due,
        apology_in_time: total.apology_in_time,
        apology_late: total.apology_late,
        apology_missing: total.apology_missing,
        apology_defective: total.apology_defective,
        apology_pending: total.apology_pending,
    };
    let summary = standing(goal.sign(), goal.hundredths, &summary).into_lang(lang);
    let table = rates_table(rates, lang);
    let mut events: Vec<&str> = screen.events.iter().map(String::as_str).collect();
    if !live {
        return output::line(&format!("{table}\n{summary}\n\n{}", events.join("\n")));
    }
    // What is higher than the terminal would push the heading out of it: the oldest events give way first, then the last
    // rows of the table.
    let height = usize::from(console::Term::stdout().size().0).max(6);
    let mut rows: Vec<&str> = table.lines().collect();
    let others = summary.lines().count() + 2;
    let room = height.saturating_sub(rows.len() + others);
    events.drain(..events.len().saturating_sub(room));
    if rows.len() + others > height {
        rows.truncate(height.saturating_sub(others + 1));
        rows.push("…");
    }
    let page = format!("{}\n{summary}\n\n{}", rows.join("\n"), events.join("\n"));
    let mut out = std::io::stdout().lock();
    write!(out, "\x1b[H{}\x1b[K\x1b[J", page.replace('\n', "\x1b[K\n"))?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_judged_by_integers() {
        let above = goal(">99").expect("goal");
        assert_eq!(above.met(99, 100), Some(false), "more than 99 % is strictly more");
        assert_eq!(above.met(991, 1000), Some(true));
        assert_eq!(goal(">=95").expect("goal").met(95, 100), Some(true));
        assert_eq!(goal(">98.5").expect("goal"), Goal { strict: true, hundredths: 9850 });
        assert_eq!(above.met(0, 0), None);
        for bad in ["99", ">", ">=", ">101", ">9x", ">99.999", "> -1", ">1e2"] {
            assert!(goal(bad).is_err(), "{bad}");
        }
    }
}
