//! `dunghen rekey`: a dossier that was recorded under a wrong code is told again under the right one, and annulled under the
//! wrong one, in one atomic batch. Nothing is edited: both stay readable.

use super::{Failure, Format, Target, format_or_default, output};
use dunghen::messages::{Lang, commands};
use dunghen::source::Source;
use dunghen::{pb, rules, wire};
use dunghen_engine::dossier::{Code, Due, Event, Statement};
use dunghen_engine::time::Date;
use dunghen_engine::{Clock, Purpose, SystemClock};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(clap::Args)]
pub(super) struct RekeyArgs {
    /// The wrong code.
    #[arg(value_name = "WRONG")]
    wrong: String,
    /// The right code, under which nothing may have been received.
    #[arg(value_name = "RIGHT")]
    right: String,
    /// Why, as a code.
    #[arg(long, value_name = "CODE", default_value = "wrong-code")]
    reason: String,
    #[command(flatten)]
    target: Target,
    /// How to print the answer.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// An event of the wrong dossier that stands, as it is to be told again.
struct Told {
    /// The id of the event as it was recorded first.
    event_id: Uuid,
    statement: Statement,
}

/// The events that stand, corrections applied; `told_whole` with what the rules had made of them.
fn standing(history: &[pb::Record], told_whole: bool) -> Option<Vec<Told>> {
    let mut decided: BTreeMap<Uuid, Option<(Statement, &pb::Record)>> = BTreeMap::new();
    let read = |record: &pb::Record| wire::statement(record.event.clone()).ok();
    // The newest correction of an event counts, unless it is annulled itself by one that came after it.
    for record in history.iter().rev() {
        let statement = read(record)?;
        let Event::Corrected { target_event_id, ref replacement, .. } = statement.event else { continue };
        if decided.contains_key(&statement.event_id) || decided.contains_key(&target_event_id) {
            continue;
        }
        let restated = replacement.as_ref().map(|r| {
            let (event, desk, actor) = (r.event.clone(), r.desk.clone(), r.actor.clone());
            (Statement { event, desk, actor, occurred_at: r.occurred_at, ..statement.clone() }, record)
        });
        decided.insert(target_event_id, restated);
    }
    let mut all = Vec::new();
    for record in history {
        let statement = read(record)?;
        if matches!(statement.event, Event::Corrected { .. } | Event::Late { .. }) {
            continue;
        }
        let event_id = statement.event_id;
        let (mut statement, source) = match decided.remove(&event_id) {
            None => (statement, record),
            Some(Some(restated)) => restated,
            Some(None) => continue,
        };
        if told_whole {
            complete(&mut statement.event, source);
        }
        all.push(Told { event_id, statement });
    }
    // Nothing but a rejection is accepted before the reception, which may have been told again after others.
    let reception = all.iter().position(|t| matches!(t.statement.event, Event::Received { .. }));
    if let Some(reception) = reception {
        let first = all[..reception].iter().filter(|t| matches!(t.statement.event, Event::Rejected { .. })).count();
        let received = all.remove(reception);
        all.insert(first, received);
    }
    Some(all)
}

/// Whether other rules than those that the dossier follows may be in force when it is told again: some were published
/// after its reception. Then what was reckoned is said, so that what was promised stays so.
async fn rules_changed(source: &Source, history: &[pb::Record]) -> Result<bool, tonic::Status> {
    let received = history.first().map_or(0, |r| r.position);
    let rules = source.list_rules(pb::ListRulesRequest::default()).await?.rules;
    Ok(rules.iter().any(|rule| rule.position.is_some_and(|position| position > received)))
}

/// Says what the rules had made of an event, since other rules may be in force when it is told again.
fn complete(event: &mut Event, record: &pb::Record) {
    let reckoned = match &record.reckoned {
        Some(pb::record::Reckoned::ReckonedDue(at)) => wire::instant(at).map(Due::Instant),
        Some(pb::record::Reckoned::ReckonedDueDate(day)) => Date::parse(day).map(Due::Date),
        None => None,
    };
    match event {
        Event::Received { due, .. } | Event::Supplemented { due } | Event::Paid { due } => *due = due.or(reckoned),
        Event::Forwarded { step_due, .. } => *step_due = step_due.or(reckoned),
        Event::PaymentRequested { stops_clock } => *stops_clock |= record.clock_stops,
        _ => {}
    }
}

pub(super) async fn run(args: RekeyArgs, lang: Lang) -> Result<u8, Failure> {
    let (wrong, right) = (args.wrong.trim(), args.right.trim());
    if wrong == right {
        return Err(Failure::usage(commands::same_code()));
    }
    let source = args.target.open(rules::options(Purpose::Write), lang).await?;
    let request = pb::GetDossierRequest { dossier: wrong.to_owned(), ..pb::GetDossierRequest::default() };
    let detail = source.get_dossier(request).await.map_err(|s| Failure::status(&s))?;
    let told_whole = rules_changed(&source, &detail.history).await.map_err(|s| Failure::status(&s))?;
    let told = standing(&detail.history, told_whole).ok_or_else(|| Failure::failed(commands::newer_server()))?;
    if told.is_empty() {
        return Err(Failure::failed(commands::nothing_stands(wrong)));
    }
    // Made of what they are about: who runs this twice at once tells nothing twice.
    let id = |what: &str, event: Uuid| {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("rekey\n{what}\n{wrong}\n{right}\n{event}").as_bytes())
    };
    let again = told.iter().map(|t| Statement {
        event_id: id("told", t.event_id),
        dossier: Code::from(right),
        ..t.statement.clone()
    });
    let now = SystemClock.now();
    // The newest first, and the reception last: until then the dossier is one.
    let annulled = told.iter().rev().map(|t| Statement {
        event_id: id("annulled", t.event_id),
        dossier: Code::from(wrong),
        occurred_at: now,
        desk: None,
        actor: None,
        event: Event::Corrected {
            target_event_id: t.event_id,
            reason_code: Code::from(args.reason.as_str()),
            replacement: None,
        },
    });
    let events: Vec<pb::BatchEvent> = again
        .chain(annulled)
        .map(|s| pb::BatchEvent { event: Some(wire::event(&s)), expected_version: None })
        .collect();
    let request = pb::RecordBatchRequest { events, mode: pb::BatchMode::Atomic.into(), imported: false };
    let answer = source.record_batch(request).await.map_err(|s| Failure::status(&s))?;
    let closing = source.clone();
    tokio::task::spawn_blocking(move || closing.close()).await.map_err(Failure::defect)??;
    // The one that was refused says why; the others of the batch were only held back.
    let refusals = answer.results.iter().filter_map(|r| match &r.result {
        Some(pb::record_result::Result::Refusal(refusal)) => Some(refusal),
        _ => None,
    });
    if let Some(refusal) = refusals.min_by_key(|r| r.reason == "BATCH_REFUSED") {
        return Err(Failure::failed(commands::not_rekeyed(refusal)));
    }
    match format_or_default(args.format) {
        Format::Json => output::json(&json!({"wrong": wrong, "right": right, "events": told.len()}))?,
        Format::Csv => output::csv(
            &["wrong", "right", "events"],
            vec![vec![wrong.to_owned(), right.to_owned(), told.len().to_string()]],
        )?,
        Format::Table => output::say(&commands::rekeyed(wrong, right, told.len()), lang)?,
    }
    Ok(0)
}
