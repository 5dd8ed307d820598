//! Histories drawn by chance: few dossiers, few ticks and many odd dues, so that ties and contradictions are common.

use super::{HOME, HOUR, TestClock, at, code, command, engine_over, memory, records_in};
use dunghen_engine::dossier::{Code, Command, Due, Event, Outcome, Restated, Statement};
use dunghen_engine::record::Record;
use dunghen_engine::time::{Date, Timestamp};
use dunghen_engine::{Batch, Mode};
use proptest::prelude::*;

/// Histories begin shortly before a month, a quarter and a short holiday end.
pub(crate) fn start() -> Timestamp {
    at("2025-03-29T05:00:00Z")
}

pub(crate) const DOSSIERS: u8 = 4;
pub(crate) const STEP: i64 = 6 * HOUR;

pub(crate) fn name(dossier: u8) -> String {
    format!("000.00.01.H44-250329-{dossier:04}")
}

/// When something happens, seen from the engine's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When(i64);

pub(crate) fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        6 => Just(When(0)),
        6 => (0..40_i64).prop_map(|n| When(-n * STEP)),
        3 => (0..40_i64).prop_map(|n| When(-n * STEP - 1)),
        1 => Just(When(4 * 60_000)),
        1 => Just(When(5 * 60_000 + 1)),
    ]
}

pub(crate) fn due() -> impl Strategy<Value = Option<Due>> {
    let instant = |ms: i64| Some(Due::Instant(start().plus(ms)));
    prop_oneof![
        2 => Just(None),
        5 => (-4..14_i32).prop_map(|d| Some(Due::Date(Date(HOME.date(start()).0 + d)))),
        5 => (-16..56_i64).prop_map(move |n| instant(n * STEP)),
        2 => (-16..56_i64).prop_map(move |n| instant(n * STEP + 1)),
        2 => (-16..56_i64).prop_map(move |n| instant(n * STEP - 1)),
        1 => Just(Some(Due::Instant(Timestamp::LATEST))),
        1 => Just(Some(Due::Date(Date::LATEST))),
        1 => Just(Some(Due::Date(Date::EARLIEST))),
    ]
}

fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<Code>> {
    prop::option::of(prop::sample::select(values).prop_map(code))
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let units = &["H44.22", "H44", "H440", "H29.1"][..];
    let received = (
        prop::sample::select(units),
        maybe(&["1.001", "1.002"]),
        maybe(&["land", "civil status"]),
        maybe(&["online", "direct"]),
        due(),
    );
    prop_oneof![
        12 => received.prop_map(|(unit, procedure, field, channel, due)| {
            Event::Received { unit: code(unit), procedure, field, channel, due, applicant_kind: None }
        }),
        1 => maybe(units).prop_map(|unit| Event::Rejected { unit, reason_code: None }),
        2 => due().prop_map(|step_due| Event::Forwarded { to_unit: code("H29"), step_due }),
        5 => Just(Event::SupplementRequested { items: vec![code("03"), code("04")], reason_code: None }),
        5 => due().prop_map(|due| Event::Supplemented { due }),
        3 => any::<bool>().prop_map(|stops_clock| Event::PaymentRequested { stops_clock }),
        3 => due().prop_map(|due| Event::Paid { due }),
        3 => any::<bool>().prop_map(|granted| Event::Processed {
            outcome: if granted { Outcome::Granted } else { Outcome::Refused },
        }),
        8 => (due(), prop::option::weighted(0.85, Just(code("objective"))))
            .prop_map(|(new_due, reason_code)| Event::ApologySent {
                letter_number: None, reason_code, signer: None, sent_via: None, new_due,
            }),
        2 => Just(Event::Returned { returned_via: None }),
        1 => Just(Event::Withdrawn { reason_code: None }),
        1 => Just(Event::Stopped { reason_code: code("no-basis") }),
        1 => due().prop_map(|d| Event::Late { promise: 1, due: d.unwrap_or(Due::Date(Date(0))) }),
    ]
}

/// One thing that a sender does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Say(u8, When, Event),
    /// Sends something once more, word for word.
    Again(prop::sample::Index),
    /// Sends another event under an id that was used.
    Reuse(prop::sample::Index, Event),
    /// Annuls something that was sent, or tells it anew: the event as it was or as another, at another time.
    Correct(prop::sample::Index, When, Option<Option<Event>>),
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..DOSSIERS, when(), event()).prop_map(|(d, w, e)| Act::Say(d, w, e)),
        2 => any::<prop::sample::Index>().prop_map(Act::Again),
        1 => (any::<prop::sample::Index>(), event()).prop_map(|(i, e)| Act::Reuse(i, e)),
        4 => (any::<prop::sample::Index>(), when(), prop::option::weighted(0.6, prop::option::of(event())))
            .prop_map(|(i, w, e)| Act::Correct(i, w, e)),
    ]
}

/// What is sent at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) now: Timestamp,
    pub(crate) mode: Mode,
    pub(crate) commands: Vec<Command>,
}

pub(crate) fn history() -> impl Strategy<Value = Vec<Sent>> {
    let group = (0..8_i64, prop::bool::weighted(0.2), prop::collection::vec(act(), 1..8));
    prop::collection::vec(group, 1..9).prop_map(|groups| {
        let mut now = start();
        let mut all: Vec<Command> = Vec::new();
        let mut sent = Vec::new();
        for (steps, atomic, acts) in groups {
            now = now.plus(steps * STEP);
            let mut commands = Vec::new();
            for act in acts {
                let n = all.len() as u64;
                let new = match act {
                    Act::Say(dossier, when, event) => command(n, &name(dossier), now.plus(when.0), event),
                    Act::Again(_) | Act::Reuse(..) | Act::Correct(..) if all.is_empty() => continue,
                    Act::Again(index) => index.get(&all).clone(),
                    Act::Reuse(index, event) => {
                        let mut reused = index.get(&all).clone();
                        reused.statement.event = event;
                        reused
                    }
                    Act::Correct(index, when, told) => {
                        let Statement { event_id, dossier, event, .. } = index.get(&all).statement.clone();
                        let replacement = told.map(|other| {
                            let event = other.unwrap_or(event);
                            Box::new(Restated { occurred_at: now.plus(when.0), desk: None, actor: None, event })
                        });
                        let reason_code = code("slip");
                        let corrected = Event::Corrected { target_event_id: event_id, reason_code, replacement };
                        command(n, &dossier, now, corrected)
                    }
                };
                all.push(new.clone());
                commands.push(new);
            }
            sent.push(Sent { now, mode: if atomic { Mode::Atomic } else { Mode::Each }, commands });
        }
        sent
    })
}

/// The records of a history.
pub(crate) fn recorded(history: &[Sent]) -> Vec<Record> {
    let (log, clock) = (memory(), TestClock::at(start()));
    let engine = engine_over(&log, &clock);
    for sent in history {
        clock.set(sent.now);
        engine.record(Batch { commands: sent.commands.clone(), mode: sent.mode }).unwrap();
    }
    records_in(&log)
}
