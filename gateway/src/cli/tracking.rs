//! `dunghen dossier --slip` and `--why` for people: the tracking slip as the form has it, and why a due is what it is.

use super::ask::{due_text, zone_of};
use super::output;
use dunghen::messages::{Lang, Text, dossier as words, due, format};
use dunghen::pb;
use dunghen_engine::time::Date;

/// The tracking slip.
pub(super) fn slip(answer: &pb::GetDossierResponse, lang: Lang) -> String {
    let zone = zone_of(&answer.time_zone);
    let at = |t: Option<&prost_types::Timestamp>| due_text(t, "", &zone, lang);
    let dossier = answer.dossier.clone().unwrap_or_default();
    let mut others: Vec<&str> = Vec::new();
    for unit in answer.slip.iter().map(|step| step.unit.as_str()) {
        if unit != dossier.unit && !others.contains(&unit) {
            others.push(unit);
        }
    }
    let due = due_text(dossier.due.as_ref(), &dossier.due_date, &zone, lang);
    let received = at(dossier.received_at.as_ref());
    let head = words::slip_head(&dossier.dossier, &dossier.unit, &others, &dossier.procedure, &received, &due);
    let mut parts = vec![words::slip_title().into_lang(lang), head.into_lang(lang)];
    let rows: Vec<Vec<String>> = answer
        .slip
        .iter()
        .enumerate()
        .map(|(i, step)| {
            let held = step.held_ms.zip(step.held_days);
            vec![
                (i + 1).to_string(),
                if i == 0 { words::applicant().into_lang(lang) } else { step.giver.clone() },
                step.unit.clone(),
                at(step.from.as_ref()),
                due_text(step.due.as_ref(), &step.due_date, &zone, lang),
                at(step.until.as_ref()),
                words::step_result(&step.result, step.after_end).into_lang(lang),
                held.map_or_else(String::new, |(ms, days)| words::held(ms, days).into_lang(lang)),
            ]
        })
        .collect();
    let header = output::header(words::slip(), lang);
    parts.push(output::table(&header, header.len(), &rows));
    if answer.slip.iter().any(|step| step.held_ms.is_none()) {
        parts.push(words::held_unknown().into_lang(lang));
    }
    let step_due = due_text(answer.step_due.as_ref(), &answer.step_due_date, &zone, lang);
    parts.push(words::holder(&answer.holder, &step_due).into_lang(lang));
    for promise in answer.promises.iter().filter(|p| p.missed_at.is_some()) {
        let due = due_text(promise.due.as_ref(), &promise.due_date, &zone, lang);
        let missed = words::missed_at(promise.number, &due, &at(promise.missed_at.as_ref()), &promise.held_by);
        parts.push(missed.into_lang(lang));
    }
    parts.join("\n")
}

/// Why the dossier is due when it is.
pub(super) fn why(answer: &pb::GetDossierResponse, lang: Lang) -> String {
    let Some(why) = &answer.explanation else { return words::not_received().into_lang(lang) };
    let said = |vi: &str, en: &str| Text::from_elsewhere(vi.to_owned(), en.to_owned()).into_lang(lang);
    let item = |vi: &str, en: &str| format!("- {}", said(vi, en));
    let [rules, waits, letters] = words::headings().map(|heading| heading.into_lang(lang));
    let mut parts = vec![rules];
    parts.extend(why.rules.iter().map(|rule| item(&rule.text_vi, &rule.text_en)));
    parts.push(said(&why.text_vi, &why.text_en));
    if !why.days.is_empty() {
        let rows: Vec<Vec<String>> = why
            .days
            .iter()
            .map(|day| {
                let date = Date::parse(&day.date);
                vec![
                    date.map_or_else(|| day.date.clone(), |date| format::date(date, lang)),
                    date.map_or_else(String::new, |date| due::weekday(date).into_lang(lang)),
                    said(&day.counted_vi, &day.counted_en),
                    said(&day.text_vi, &day.text_en),
                ]
            })
            .collect();
        let header = output::header(due::header(), lang);
        parts.push(output::table(&header, header.len(), &rows));
    }
    if !why.waits.is_empty() {
        parts.push(waits);
        parts.extend(why.waits.iter().map(|wait| item(&wait.text_vi, &wait.text_en)));
    }
    if !why.letters.is_empty() {
        parts.push(letters);
        parts.extend(why.letters.iter().map(|letter| item(&letter.text_vi, &letter.text_en)));
    }
    parts.join("\n")
}
