//! The tracking slip of a dossier and why it is due when it is: as the schemas and as JSON have them.

use crate::json::{text, time};
use crate::messages::dossier as words;
use crate::pb;
use crate::wire::{due_fields, timestamp};
use dunghen_engine::rules::Pinned;
use dunghen_engine::time::Zone;
use dunghen_engine::views::{Explained, ExplainedTerm, Slip};
use serde_json::{Value, json};

/// The steps of a slip as the schemas have them.
#[must_use]
pub fn slip(slip: &Slip, home: &Zone) -> Vec<pb::SlipStep> {
    let code = |code: &Option<dunghen_engine::dossier::Code>| code.as_deref().unwrap_or_default().to_owned();
    let steps = slip.steps.iter().map(|step| {
        let (due, due_date) = due_fields(step.due, home);
        let (first_due, first_due_date) = due_fields(step.first_due, home);
        pb::SlipStep {
            giver: code(&step.giver),
            unit: code(&step.unit),
            from: Some(timestamp(step.from)),
            until: step.until.map(timestamp),
            due,
            due_date,
            first_due,
            first_due_date,
            result: step.result.name().to_owned(),
            held_ms: step.held.map(|held| held.ms),
            held_days: step.held.map(|held| held.days),
            after_end: step.after_end,
        }
    });
    steps.collect()
}

/// Why a dossier is due when it is, as the schemas have it.
#[must_use]
pub fn explanation(explained: &Explained, home: &Zone) -> pb::Explanation {
    let rules = words::rules(explained).map(|(kind, pin, text)| pb::ExplainedRule {
        kind: kind.name().to_owned(),
        code: pin.map_or_else(String::new, |pin| pin.code.to_string()),
        version: pin.map(|pin| pin.number),
        text_vi: text.vi,
        text_en: text.en,
    });
    let summary = words::summary(explained, home);
    let (given_due, given_due_date) = due_fields(explained.given, home);
    let (reckoned_due, reckoned_due_date) = due_fields(explained.reckoned, home);
    let waits = explained.waits.iter().map(|wait| {
        let (before, before_date) = due_fields(wait.before, home);
        let (after, after_date) = due_fields(wait.after, home);
        let text = words::wait(wait, home);
        pb::ExplainedWait {
            from: Some(timestamp(wait.from)),
            to: wait.to.map(timestamp),
            effect: wait.effect.name().to_owned(),
            before,
            before_date,
            after,
            after_date,
            days: wait.days,
            working_days: wait.working_days,
            text_vi: text.vi,
            text_en: text.en,
        }
    });
    let letters = explained.letters.iter().map(|letter| {
        let (new_due, new_due_date) = due_fields(letter.new_due, home);
        let text = words::letter(letter, home);
        pb::ExplainedLetter {
            sent_at: Some(timestamp(letter.at)),
            letter_number: letter.number.as_deref().unwrap_or_default().to_owned(),
            effect: letter.effect.name().to_owned(),
            promise: letter.promise,
            deadline: letter.deadline.map(timestamp),
            missed: letter.missed,
            new_due,
            new_due_date,
            gave_promise: letter.gave_promise,
            text_vi: text.vi,
            text_en: text.en,
        }
    });
    pb::Explanation {
        rules: rules.to_vec(),
        text_vi: summary.vi,
        text_en: summary.en,
        given_due,
        given_due_date,
        reckoned_due,
        reckoned_due_date,
        days: days(&explained.term, explained.pinned),
        waits: waits.collect(),
        letters: letters.collect(),
    }
}

fn days(term: &ExplainedTerm, pinned: &Pinned) -> Vec<pb::ExplainedDay> {
    let (ExplainedTerm::Days(explanation), Some(working)) = (term, &pinned.working_time) else { return Vec::new() };
    let day = |step: &dunghen_engine::calendar::Step| {
        let (what, counted, why) = words::day(step.phase, &step.what, working.calendar());
        pb::ExplainedDay {
            phase: u32::try_from(step.phase + 1).unwrap_or(u32::MAX),
            date: step.date.to_string(),
            what: what.to_owned(),
            counted_vi: counted.vi,
            counted_en: counted.en,
            text_vi: why.vi,
            text_en: why.en,
        }
    };
    explanation.steps.iter().map(day).collect()
}

/// A slip in JSON.
#[must_use]
pub fn slip_json(steps: &[pb::SlipStep]) -> Value {
    let step = |step: &pb::SlipStep| {
        json!({
            "giver": text(&step.giver),
            "unit": text(&step.unit),
            "from": time(step.from.as_ref()),
            "until": time(step.until.as_ref()),
            "due": time(step.due.as_ref()),
            "due_date": text(&step.due_date),
            "first_due": time(step.first_due.as_ref()),
            "first_due_date": text(&step.first_due_date),
            "result": step.result,
            "held_ms": step.held_ms,
            "held_days": step.held_days,
            "after_end": step.after_end,
        })
    };
    steps.iter().map(step).collect()
}

/// Why a dossier is due when it is, in JSON; `null` if it was not received.
#[must_use]
pub fn explanation_json(why: Option<&pb::Explanation>) -> Value {
    let Some(why) = why else { return Value::Null };
    let rules = why.rules.iter().map(|rule| {
        json!({
            "kind": rule.kind,
            "code": text(&rule.code),
            "version": rule.version,
            "text_vi": rule.text_vi,
            "text_en": rule.text_en,
        })
    });
    let days = why.days.iter().map(|day| {
        json!({
            "phase": day.phase,
            "date": day.date,
            "what": day.what,
            "counted_vi": day.counted_vi,
            "counted_en": day.counted_en,
            "text_vi": day.text_vi,
            "text_en": day.text_en,
        })
    });
    let waits = why.waits.iter().map(|wait| {
        json!({
            "from": time(wait.from.as_ref()),
            "to": time(wait.to.as_ref()),
            "effect": wait.effect,
            "before": time(wait.before.as_ref()),
            "before_date": text(&wait.before_date),
            "after": time(wait.after.as_ref()),
            "after_date": text(&wait.after_date),
            "days": wait.days,
            "working_days": wait.working_days,
            "text_vi": wait.text_vi,
            "text_en": wait.text_en,
        })
    });
    let letters = why.letters.iter().map(|letter| {
        json!({
            "sent_at": time(letter.sent_at.as_ref()),
            "letter_number": text(&letter.letter_number),
            "effect": letter.effect,
            "promise": (letter.promise > 0).then_some(letter.promise),
            "deadline": time(letter.deadline.as_ref()),
            "missed": letter.missed,
            "new_due": time(letter.new_due.as_ref()),
            "new_due_date": text(&letter.new_due_date),
            "gave_promise": letter.gave_promise,
            "text_vi": letter.text_vi,
            "text_en": letter.text_en,
        })
    });
    json!({
        "rules": rules.collect::<Vec<_>>(),
        "text_vi": why.text_vi,
        "text_en": why.text_en,
        "given_due": time(why.given_due.as_ref()),
        "given_due_date": text(&why.given_due_date),
        "reckoned_due": time(why.reckoned_due.as_ref()),
        "reckoned_due_date": text(&why.reckoned_due_date),
        "days": days.collect::<Vec<_>>(),
        "waits": waits.collect::<Vec<_>>(),
        "letters": letters.collect::<Vec<_>>(),
    })
}
