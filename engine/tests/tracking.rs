//! The tracking slip and why a due is what it is, against histories reckoned by hand.
//!
//! Offices work 7:30–11:30 and 13:30–17:00, Monday to Friday; Tết 2026 is off from Monday 16/2 to Friday 20/2.

#![allow(clippy::unwrap_used)]

mod common;

use common::{TestClock, asked, at, code, command, date, engine_over, id, letter, memory, one, options, processed};
use dunghen_engine::calendar::{AfterSupplement, Calendar, DayOff, DayOffKind, Span, Term};
use dunghen_engine::dossier::{Due, Event, Restated};
use dunghen_engine::rules::{Apology, EVERY_UNIT, LetterBy, Names, Procedure, Publication, Rule, StepTerm, Unit};
use dunghen_engine::time::{Moment, Timestamp, Zone};
use dunghen_engine::views::{ExplainedTerm, SlipStep, explain};
use dunghen_engine::{Detail, Engine, RuleSet};

const HOME: Zone = Zone::VIETNAM;

fn rules() -> RuleSet {
    let since = date("2020-01-01");
    let half = 1_800_000;
    let days_off = (16..=20).map(|day| DayOff {
        date: date(&format!("2026-02-{day}")),
        vi: "Tết".into(),
        en: "Lunar New Year".into(),
        kind: DayOffKind::Holiday,
    });
    let calendar = Calendar {
        code: "vn".into(),
        effective_from: since,
        first: date("2025-01-01"),
        last: date("2026-12-31"),
        weekly_days_off: [false, false, false, false, false, true, true],
        days_off: days_off.collect(),
        working_days: Vec::new(),
        hours: vec![Span { from: 15 * half, to: 23 * half }, Span { from: 27 * half, to: 34 * half }],
        reception: Default::default(),
        cut_off: 30 * half,
    };
    let publish = |code: &str, rule: Rule| Publication { code: code.into(), effective_from: since, rule };
    let step = |unit: &str, term| StepTerm { unit: unit.into(), term };
    let procedure = |after_supplement| {
        Rule::Procedure(Procedure {
            names: Names::default(),
            field: None,
            phases: vec![Term::WorkingDays(3)],
            after_supplement,
            payment_stops_clock: false,
            steps: vec![step("H29", Term::WorkingDays(2)), step("H30", Term::Hours(4))],
        })
    };
    let unit = Unit { calendar: Some(code("vn")), apology: Some(code("on-the-day")), ..Unit::default() };
    let apology = Apology { names: Names::default(), letter_by: LetterBy::WorkingDaysBefore(0), reschedulings: 1 };
    RuleSet {
        name: "tracking",
        publications: vec![
            Publication::of_calendar(calendar),
            publish(EVERY_UNIT, Rule::Unit(unit)),
            publish("on-the-day", Rule::Apology(apology)),
            publish("1.001", procedure(AfterSupplement::Resume)),
            publish("1.002", procedure(AfterSupplement::Restart)),
        ],
    }
}

/// `2025-09-08 09:30`, in Vietnam.
fn local(text: &str) -> Timestamp {
    at(&format!("{}:00+07:00", text.replace(' ', "T")))
}

fn engine(rule_sets: Vec<RuleSet>) -> Engine {
    let clock = TestClock::at(local("2026-03-02 12:00"));
    let options = dunghen_engine::Options { rule_sets, ..options(&clock) };
    Engine::over(Box::new(memory()), common::identity(), HOME, options).unwrap()
}

fn received(unit: &str, procedure: &str, due: Option<Due>) -> Event {
    Event::Received {
        unit: code(unit),
        procedure: Some(code(procedure)),
        field: None,
        channel: None,
        due,
        applicant_kind: None,
    }
}

fn forwarded(to: &str, step_due: Option<Due>) -> Event {
    Event::Forwarded { to_unit: code(to), step_due }
}

fn answered() -> Event {
    Event::Supplemented { due: None }
}

fn by(text: &str) -> Option<Due> {
    Some(Due::Date(date(text)))
}

fn tell(engine: &Engine, history: &[(&str, Event)]) {
    for (n, (time, event)) in history.iter().enumerate() {
        one(engine, command(n as u64, "A", local(time), event.clone()));
    }
}

fn of(engine: &Engine, as_of: &str) -> Detail {
    engine.detail("A", Moment::Instant(local(as_of))).unwrap().unwrap()
}

/// The detail of a dossier with this history by these rules, at the end of the test's time.
fn after(history: &[(&str, Event)]) -> Detail {
    let engine = engine(vec![rules()]);
    tell(&engine, history);
    of(&engine, "2026-03-02 12:00")
}

fn minute(t: Timestamp) -> String {
    let minutes = HOME.time_of_day(t) / 60_000;
    format!("{} {:02}:{:02}", &HOME.date(t).to_string()[5..], minutes / 60, minutes % 60)
}

fn due(due: Due) -> String {
    match due {
        Due::Date(date) => date.to_string()[5..].to_owned(),
        Due::Instant(t) => minute(t),
    }
}

/// `H10>H29 09-08 09:00..09-09 10:00 due 09-10 early 120min 1d`
fn step(step: &SlipStep) -> String {
    format!(
        "{}>{} {}..{} due {} {} {}",
        step.giver.as_deref().unwrap_or_default(),
        step.unit.as_deref().unwrap_or_default(),
        minute(step.from),
        step.until.map_or_else(String::new, minute),
        step.due.map_or_else(|| "-".into(), due),
        step.result.name(),
        step.held.map_or_else(|| "?".into(), |held| format!("{}min {}d", held.ms / 60_000, held.days)),
    )
}

fn steps(detail: &Detail) -> Vec<String> {
    detail.slip.steps.iter().map(step).collect()
}

/// Who held it when its promises were missed by date.
fn held_by(detail: &Detail) -> Vec<Option<&str>> {
    detail.promises.iter().map(|p| p.held_by.as_deref()).collect()
}

#[test]
fn over_lunch_and_over_a_weekend() {
    let lunch = after(&[
        ("2025-09-08 09:00", received("H10", "1.001", None)),
        ("2025-09-08 10:30", forwarded("H30.01", None)),
        ("2025-09-08 14:30", processed()),
    ]);
    assert_eq!(
        steps(&lunch),
        [
            ">H10 09-08 09:00..09-08 10:30 due - no_deadline 90min 0d",
            "H10>H30.01 09-08 10:30..09-08 14:30 due 09-08 16:30 on_due 120min 0d",
        ]
    );
    assert_eq!(lunch.slip.holder.as_deref(), Some("H30.01"), "processed, not yet handed to the applicant");
    assert_eq!(lunch.slip.step_due(), None, "its step is done");
    let weekend = after(&[
        ("2025-09-05 16:00", received("H10", "1.001", None)),
        ("2025-09-05 16:30", forwarded("H29", None)),
        ("2025-09-08 09:00", processed()),
    ]);
    assert_eq!(
        steps(&weekend),
        [
            ">H10 09-05 16:00..09-05 16:30 due - no_deadline 30min 0d",
            "H10>H29 09-05 16:30..09-08 09:00 due 09-09 early 120min 1d",
        ]
    );
}

/// Due on 25/2 and processed on 24/2: on time, though H30 had until 14:30 on 23/2.
#[test]
fn a_late_step_of_a_dossier_that_is_on_time_over_tet() {
    let detail = after(&[
        ("2026-02-13 14:00", received("H10", "1.001", None)),
        ("2026-02-13 15:00", forwarded("H29", None)),
        ("2026-02-23 08:30", forwarded("H30", None)),
        ("2026-02-24 08:00", processed()),
    ]);
    assert_eq!(
        steps(&detail),
        [
            ">H10 02-13 14:00..02-13 15:00 due - no_deadline 60min 0d",
            "H10>H29 02-13 15:00..02-23 08:30 due 02-24 early 180min 1d",
            "H29>H30 02-23 08:30..02-24 08:00 due 02-23 14:30 late 420min 1d",
        ]
    );
    assert_eq!(detail.promises[0].due, Due::Date(date("2026-02-25")));
    assert_eq!(held_by(&detail), [None]);
}

#[test]
fn a_late_dossier_whose_steps_are_in_time_and_who_held_it_when_it_was_missed() {
    let history = |handed: &'static str| {
        after(&[
            ("2025-09-08 09:00", received("H10", "1.001", None)),
            (handed, forwarded("H29", None)),
            ("2025-09-15 10:00", processed()),
        ])
    };
    let detail = history("2025-09-12 09:00");
    assert_eq!(steps(&detail)[1], "H10>H29 09-12 09:00..09-15 10:00 due 09-16 early 510min 1d");
    assert_eq!(detail.promises[0].missed_at, Some(local("2025-09-12 00:00")));
    assert_eq!(held_by(&detail), [Some("H10")]);
    assert_eq!(
        held_by(&history("2025-09-12 00:00")),
        [Some("H10")],
        "handed over at that moment: the giver let it pass"
    );
    assert_eq!(held_by(&history("2025-09-11 23:59")), [Some("H29")]);
}

/// Missed at 15:00 by the clock while H10 had it, and at midnight by date while H29 had it.
#[test]
fn an_instant_is_missed_before_its_date() {
    let detail = after(&[
        ("2025-09-08 09:00", received("H10", "1.001", Some(Due::Instant(local("2025-09-10 15:00"))))),
        ("2025-09-10 16:00", forwarded("H29", None)),
    ]);
    assert_eq!(held_by(&detail), [Some("H29")]);
    assert_eq!(detail.promises[0].held_by_instant.as_deref(), Some("H10"));
}

fn with_a_wait() -> [(&'static str, Event); 5] {
    [
        ("2025-09-08 08:00", received("H10", "1.001", None)),
        ("2025-09-08 09:00", forwarded("H29", None)),
        ("2025-09-09 10:00", asked()),
        ("2025-09-15 14:00", answered()),
        ("2025-09-16 11:00", processed()),
    ]
}

/// Of the two days of H29 one was left when papers were asked for: it is counted from the answer on.
#[test]
fn a_wait_inside_a_step() {
    let detail = after(&with_a_wait());
    assert_eq!(steps(&detail)[1], "H10>H29 09-08 09:00..09-16 11:00 due 09-16 on_due 900min 2d");
    assert_eq!(detail.slip.steps[1].first_due, by("2025-09-10"));
    let engine = engine(vec![rules()]);
    tell(&engine, &with_a_wait());
    let waiting = of(&engine, "2025-09-12 09:00");
    assert_eq!(steps(&waiting)[1], "H10>H29 09-08 09:00.. due 09-10 open 510min 1d", "waiting, it is not late");
    assert_eq!((waiting.slip.holder.as_deref(), waiting.slip.step_due()), (Some("H29"), by("2025-09-10")));
    let late = of(&engine, "2025-09-08 08:30");
    assert_eq!((late.slip.holder.as_deref(), late.slip.steps.len()), (Some("H10"), 1));
    assert_eq!(of(&engine, "2025-09-08 07:59").slip, Default::default(), "not received yet");
}

#[test]
fn a_hand_over_while_the_applicant_is_waited_for() {
    let detail = after(&[
        ("2025-09-08 08:00", received("H10", "1.001", None)),
        ("2025-09-08 09:00", forwarded("H29", None)),
        ("2025-09-09 10:00", asked()),
        ("2025-09-12 09:00", forwarded("H30", None)),
        ("2025-09-15 14:00", answered()),
        ("2025-09-16 08:00", processed()),
    ]);
    assert_eq!(
        steps(&detail)[1..],
        [
            "H10>H29 09-08 09:00..09-12 09:00 due 09-10 early 510min 1d",
            "H29>H30 09-12 09:00..09-16 08:00 due 09-16 08:30 on_due 210min 1d",
        ]
    );
    let ended = after(&[
        ("2025-09-08 08:00", received("H10", "1.001", None)),
        ("2025-09-08 09:00", forwarded("H29", None)),
        ("2025-09-09 10:00", asked()),
        ("2025-09-30 09:00", processed()),
    ]);
    assert_eq!(steps(&ended)[1], "H10>H29 09-08 09:00..09-30 09:00 due 09-10 early 510min 1d", "judged at the request");
}

#[test]
fn without_a_calendar_a_due_moves_by_the_time_waited_and_no_time_is_known() {
    let engine = engine(Vec::new());
    let mut history = with_a_wait();
    history[1].1 = forwarded("H29", by("2025-09-10"));
    tell(&engine, &history);
    let detail = of(&engine, "2026-03-02 12:00");
    assert_eq!(steps(&detail)[1], "H10>H29 09-08 09:00..09-16 11:00 due 09-16 on_due ?");
    let explained = explain(&detail.dossier, &detail.history, &HOME, detail.as_of).unwrap();
    assert!(matches!(explained.term, ExplainedTerm::NoCalendar), "{:?}", explained.term);
    assert!(explained.pinned.pins.is_empty());
    assert_eq!((explained.given, explained.reckoned), (None, None));
}

#[test]
fn corrected_hand_overs() {
    let correct = |target: u64, replacement: Option<(&str, Event)>| Event::Corrected {
        target_event_id: id(target),
        reason_code: code("typo"),
        replacement: replacement
            .map(|(time, event)| Box::new(Restated { occurred_at: local(time), desk: None, actor: None, event })),
    };
    let told = [
        ("2025-09-08 09:00", received("H10", "1.001", None)),
        ("2025-09-08 10:00", forwarded("H30", None)),
        ("2025-09-08 16:00", forwarded("H40", by("2025-09-09"))),
        ("2025-09-09 09:00", processed()),
    ];
    let with = |more: &[(&'static str, Event)]| after(&[&told, more].concat());
    let again = correct(1, Some(("2025-09-08 11:00", forwarded("H29", None))));
    assert_eq!(
        steps(&with(&[("2025-09-10 09:00", again.clone())])),
        [
            ">H10 09-08 09:00..09-08 11:00 due - no_deadline 120min 0d",
            "H10>H29 09-08 11:00..09-08 16:00 due 09-10 early 180min 0d",
            "H29>H40 09-08 16:00..09-09 09:00 due 09-09 on_due 150min 1d",
        ]
    );
    let annulled = [("2025-09-10 09:00", again), ("2025-09-10 10:00", correct(1, None))];
    assert_eq!(
        steps(&with(&annulled))[..2],
        [
            ">H10 09-08 09:00..09-08 16:00 due - no_deadline 300min 0d",
            "H10>H40 09-08 16:00..09-09 09:00 due 09-09 on_due 150min 1d",
        ]
    );
    let elsewhere = correct(0, Some(("2025-09-08 09:00", received("H11", "1.001", None))));
    let detail = with(&[("2025-09-10 09:00", elsewhere)]);
    assert!(steps(&detail)[1].starts_with("H11>H30 "), "the unit of the reception as it stands holds it first");
}

#[test]
fn before_the_reception_and_after_the_end() {
    let engine = engine(vec![rules()]);
    let history = [
        ("2025-09-08 09:00", received("H10", "1.001", None)),
        ("2025-09-08 08:00", forwarded("H29", None)),
        ("2025-09-09 10:00", processed()),
        ("2025-09-09 14:00", forwarded("H01", None)),
        ("2025-09-11 09:00", Event::Returned { returned_via: None }),
    ];
    tell(&engine, &history);
    let detail = of(&engine, "2025-09-10 09:00");
    assert_eq!(
        steps(&detail),
        [
            ">H10 09-08 09:00..09-08 09:00 due - no_deadline 0min 0d",
            "H10>H29 09-08 09:00..09-09 10:00 due 09-10 early 510min 1d",
            "H29>H01 09-09 14:00.. due - no_deadline 0min 0d",
        ]
    );
    assert_eq!(detail.slip.steps.iter().map(|s| s.after_end).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(detail.slip.holder.as_deref(), Some("H01"));
    let returned = of(&engine, "2025-09-12 09:00");
    assert_eq!(steps(&returned)[2], "H29>H01 09-09 14:00..09-11 09:00 due - no_deadline 0min 0d");
    assert_eq!(returned.slip.holder, None, "the applicant has it");
}

/// The pins, what the desk and the rules gave, and the days: a version that was published counts for later receptions only.
#[test]
fn an_explanation_names_the_versions_and_the_days() {
    let engine = engine(vec![rules()]);
    let mut newer = rules().publications.remove(3);
    let Rule::Procedure(procedure) = &mut newer.rule else { panic!("{newer:?}") };
    procedure.phases = vec![Term::WorkingDays(1)];
    newer.effective_from = date("2025-09-10");
    engine.publish(vec![newer], code("")).unwrap();
    let told = |n: u64, dossier: &str, time: &str, due| {
        one(&engine, command(n, dossier, local(time), received("H10", "1.001", due)));
    };
    told(1, "A", "2026-02-13 14:00", by("2026-02-24"));
    told(2, "B", "2025-09-08 09:00", None);
    let detail = of(&engine, "2026-03-02 12:00");
    let explained = explain(&detail.dossier, &detail.history, &HOME, detail.as_of).unwrap();
    let pins: Vec<String> =
        explained.pinned.pins.iter().map(|p| format!("{} {} {}", p.kind.name(), p.code, p.number)).collect();
    assert_eq!(pins, ["calendar vn 0", "apology on-the-day 0", "procedure 1.001 1"]);
    assert_eq!((explained.given, explained.reckoned), (by("2026-02-24"), by("2026-02-23")));
    let ExplainedTerm::Days(days) = &explained.term else { panic!("{:?}", explained.term) };
    assert_eq!((Some(days.due), days.steps.len(), days.known), (explained.reckoned, 11, true), "13/2 to 23/2");
    let detail = engine.detail("B", Moment::Instant(detail.as_of)).unwrap().unwrap();
    let explained = explain(&detail.dossier, &detail.history, &HOME, detail.as_of).unwrap();
    assert_eq!(explained.pinned.pins[2].number, 0, "received before the new version counts");
    assert_eq!((explained.given, explained.reckoned), (None, by("2025-09-11")));
}

fn waits(history: &[(&str, Event)]) -> Vec<String> {
    let detail = after(history);
    let explained = explain(&detail.dossier, &detail.history, &HOME, detail.as_of).unwrap();
    let told = explained.waits.iter().map(|w| {
        let text = |d: Option<Due>| d.map_or_else(|| "-".into(), due);
        let working = w.working_days.map_or_else(|| "-".into(), |n| n.to_string());
        format!("{} {}→{} {}d {working}w", w.effect.name(), text(w.before), text(w.after), w.days)
    });
    told.collect()
}

#[test]
fn what_each_wait_did() {
    let wait = |procedure: &str, answer: Event| {
        waits(&[
            ("2025-09-08 08:00", received("H10", procedure, None)),
            ("2025-09-09 10:00", asked()),
            ("2025-09-15 14:00", answer),
        ])
    };
    assert_eq!(wait("1.001", answered()), ["resumed 09-11→09-17 6d 4w"], "two days were left");
    assert_eq!(wait("1.002", answered()), ["restarted 09-11→09-18 6d 4w"]);
    let given = wait("1.001", Event::Supplemented { due: by("2025-09-30") });
    assert_eq!(given, ["given 09-11→09-30 6d 4w"]);
    let by_desk = |asked_at: &'static str| {
        waits(&[
            ("2025-09-08 08:00", received("H10", "none", by("2025-09-11"))),
            (asked_at, asked()),
            ("2025-09-15 14:00", answered()),
            ("2025-09-16 08:00", asked()),
        ])
    };
    assert_eq!(by_desk("2025-09-09 10:00"), ["shifted 09-11→09-17 6d 4w", "lasts 09-17→09-17 0d -w"]);
    assert_eq!(by_desk("2025-09-12 10:00"), ["missed 09-11→09-11 3d 1w", "lasts 09-11→09-11 0d -w"]);
    let none = waits(&[
        ("2025-09-08 08:00", received("H10", "none", None)),
        ("2025-09-09 10:00", asked()),
        ("2025-09-15 14:00", answered()),
        ("2025-09-16 10:00", asked()),
        ("2025-09-17 10:00", processed()),
    ]);
    assert_eq!(none, ["no_promise -→- 6d 4w", "ended -→- 0d -w"]);
}

#[test]
fn what_each_letter_did() {
    let without_reason = Event::ApologySent {
        letter_number: None,
        reason_code: None,
        signer: None,
        sent_via: None,
        new_due: by("2025-09-18"),
    };
    let detail = after(&[
        ("2025-09-08 08:00", received("H10", "1.001", None)),
        ("2025-09-10 09:00", without_reason),
        ("2025-09-11 16:00", letter(by("2025-09-18"))),
        ("2025-09-22 09:00", letter(by("2025-09-26"))),
        ("2025-09-25 09:00", processed()),
        ("2025-09-26 09:00", letter(None)),
        ("2025-09-29 09:00", letter(None)),
    ]);
    let explained = explain(&detail.dossier, &detail.history, &HOME, detail.as_of).unwrap();
    let told: Vec<String> = explained
        .letters
        .iter()
        .map(|l| {
            let by = l.deadline.map_or_else(String::new, |t| HOME.date(t).to_string()[5..].to_owned());
            format!("{} {} by {by} missed {} new {}", l.effect.name(), l.promise, l.missed, l.gave_promise)
        })
        .collect();
    assert_eq!(
        told,
        [
            "defective 1 by 09-11 missed true new false",
            "in_time 1 by 09-11 missed true new true",
            "late 2 by 09-18 missed true new true",
            "in_time 3 by 09-26 missed false new false",
            "answers_nothing 3 by 09-26 missed false new false",
        ]
    );
    assert_eq!(explained.letters[1].number.as_deref(), Some("12/TXL"));
    assert_eq!(held_by(&detail), [Some("H10"), Some("H10"), None]);
}

#[test]
fn a_rejected_dossier_has_no_slip() {
    let engine = engine_over(&memory(), &TestClock::at(local("2026-03-02 12:00")));
    tell(&engine, &[("2025-09-08 09:00", Event::Rejected { unit: Some(code("H10")), reason_code: None })]);
    let detail = of(&engine, "2026-03-02 12:00");
    assert_eq!(detail.slip, Default::default());
    assert!(explain(&detail.dossier, &detail.history, &HOME, detail.as_of).is_none());
}
