//! What holds for every history: the live figures are those of a recount, restarts and duplicates change nothing,
//! neither do the borders of groups, an atomic batch is all or nothing, and the integers of an answer add up.
//!
//! Histories are drawn from few dossiers, few ticks and many odd dues, so that ties and contradictions are common. The
//! seed is fixed: a red run is the fault of the change under test. PROPTEST_RNG_SEED and PROPTEST_CASES explore.

#![allow(clippy::unwrap_used)]

mod common;

use common::{
    Answer, DAY, HOME, HOUR, TestClock, at, code, command, engine_over, identity, memory, options, records_in, recount,
    rule_set, send,
};
use dunghen_engine::calendar::{Calendar, Term};
use dunghen_engine::dossier::{
    ApplicantKind, Code, Command, Due, Event, EventType, Flags, Outcome, Reckoned, Rejection, Restated, Statement,
    late_event_id,
};
use dunghen_engine::log::{EventLog, Log, MemoryLog, inspect};
use dunghen_engine::record::Record;
use dunghen_engine::rules::{Apology, Cohort, DEFINITIONS, LetterBy, Procedure, Publication, Rule, Unit};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{
    Figure, Figures, Filter, FormFigures, FormKey, FormQuery, GroupKey, KeyValue, ListQuery, Moment, OutcomeFilter,
    Page, RatesAnswer, RatesQuery, StateFilter, Views,
};
use dunghen_engine::{Batch, Clock, Engine, Mode, Options, Receipt, ReplayFilter};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let rng_seed = match std::env::var_os("PROPTEST_RNG_SEED") {
        Some(_) => default.rng_seed,
        None => RngSeed::Fixed(20_250_910),
    };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    // A failing history prints itself whole, so nothing needs to be kept beside this file.
    ProptestConfig { cases, rng_seed, failure_persistence: None, max_shrink_iters: 4000, ..default }
}

/// Histories begin shortly before a month, a quarter and a short holiday end.
fn start() -> Timestamp {
    at("2025-03-29T05:00:00Z")
}

const DOSSIERS: u8 = 4;
const STEP: i64 = 6 * HOUR;

fn name(dossier: u8) -> String {
    format!("000.00.01.H44-250329-{dossier:04}")
}

/// When something happens, seen from the engine's clock.
#[derive(Clone, Copy, Debug)]
struct When(i64);

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        6 => Just(When(0)),
        6 => (0..40_i64).prop_map(|n| When(-n * STEP)),
        3 => (0..40_i64).prop_map(|n| When(-n * STEP - 1)),
        1 => Just(When(4 * 60_000)),
        1 => Just(When(5 * 60_000 + 1)),
    ]
}

fn due() -> impl Strategy<Value = Option<Due>> {
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

fn event() -> impl Strategy<Value = Event> {
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
enum Act {
    Say(u8, When, Event),
    /// Sends something once more, word for word.
    Again(prop::sample::Index),
    /// Sends another event under an id that was used.
    Reuse(prop::sample::Index, Event),
    /// Annuls something that was sent, or tells it anew: the event as it was or as another, at another time.
    Correct(prop::sample::Index, When, Option<Option<Event>>),
}

fn act() -> impl Strategy<Value = Act> {
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
struct Sent {
    now: Timestamp,
    mode: Mode,
    commands: Vec<Command>,
}

fn history() -> impl Strategy<Value = Vec<Sent>> {
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

/// Questions about everything: definitions, periods, cuts, groupings, filters and zones, `every`-th of them.
fn questions(every: usize, first: usize) -> Vec<RatesQuery> {
    let day = |n: i32| Moment::Date(Date(HOME.date(start()).0 + n));
    let tick = |n: i64| Moment::Instant(start().plus(n * STEP));
    let periods = [(None, None), (Some(day(-1)), Some(day(4))), (Some(tick(3)), Some(tick(9))), (Some(day(3)), None)];
    let cuts = [tick(5), tick(20), day(2), day(6), day(400)];
    let by: [&[GroupKey]; 6] = [
        &[],
        &[GroupKey::Unit],
        &[GroupKey::Month, GroupKey::Channel],
        &[GroupKey::Day],
        &[GroupKey::Quarter, GroupKey::Field, GroupKey::Procedure],
        &[GroupKey::Year],
    ];
    let zones = [None, Some(Zone::UTC), Zone::parse("America/New_York")];
    let filters = [Filter::default(), Filter { unit: Some(code("H44")), ..Filter::default() }];
    let mut all = Vec::new();
    for definition in DEFINITIONS {
        for (from, to) in periods {
            for as_of in cuts {
                for by in by {
                    for zone in zones {
                        let filter = filters[usize::from(all.len() % 5 == 0)].clone();
                        all.push(RatesQuery { definition, from, to, as_of, by: by.to_vec(), filter, zone });
                    }
                }
            }
        }
    }
    all.into_iter().skip(first % every).step_by(every).collect()
}

/// Forms of every kind of period, cut, filter and zone.
fn forms() -> Vec<FormQuery> {
    let day = |n: i32| Moment::Date(Date(HOME.date(start()).0 + n));
    let tick = |n: i64| Moment::Instant(start().plus(n * STEP));
    let periods = [(day(-10), day(0)), (day(0), day(3)), (day(3), day(400)), (tick(-7), tick(9)), (day(2), day(2))];
    let cuts = [tick(-3), tick(11), day(2), day(400)];
    let zones = [None, Some(Zone::UTC), Zone::parse("America/New_York")];
    let filters = [Filter::default(), Filter { unit: Some(code("H44")), ..Filter::default() }];
    let mut all = Vec::new();
    for (from, to) in periods {
        for as_of in cuts {
            let n = all.len();
            let (by, filter) = (FormKey::ALL[n % 2].0, filters[usize::from(n % 5 == 0)].clone());
            all.push(FormQuery { from, to, as_of, by, filter, zone: zones[n % 3] });
        }
    }
    all
}

fn lists() -> Vec<ListQuery> {
    let mut all = Vec::new();
    let states = StateFilter::ALL.into_iter().map(|(s, _)| (Some(s), None));
    let outcomes = OutcomeFilter::ALL.into_iter().map(|(o, _)| (None, Some(Some(o))));
    for (i, (state, outcome)) in states.chain(outcomes).chain([(None, None), (None, Some(None))]).enumerate() {
        for days in [2, 5, 400] {
            all.push(ListQuery {
                state,
                outcome,
                definition: DEFINITIONS[i % DEFINITIONS.len()],
                from: Some(Moment::Instant(start().plus(-20 * DAY))),
                to: None,
                as_of: Moment::Instant(start().plus(days * DAY)),
                due_within_ms: 2 * DAY,
                filter: Filter::default(),
                zone: None,
                page_size: 100,
                after: None,
            });
        }
    }
    all
}

/// An answer without its position.
type Figured = (Figures, Vec<(Vec<Option<Code>>, Figures)>);

fn figured(answer: RatesAnswer) -> Figured {
    (answer.total, answer.groups.into_iter().map(|g| (g.key, g.figures)).collect())
}

fn all_figures(engine: &Engine) -> Vec<Figured> {
    questions(7, 0).iter().map(|q| figured(engine.rates(q))).collect()
}

/// The lists, without positions and flags: flags say what was known at the time of recording.
fn all_lists(engine: &Engine) -> Vec<Page> {
    let plain = |mut page: Page| {
        page.position = 0;
        page.items.iter_mut().for_each(|item| item.flags = Flags::default());
        page
    };
    lists().iter().map(|q| plain(engine.list(q))).collect()
}

fn check_same(engine: &Engine, recounted: &Views, every: usize, first: usize) -> Result<(), TestCaseError> {
    for query in questions(every, first) {
        let (live, again) = (engine.rates(&query), recounted.rates(&query));
        prop_assert_eq!(&live, &again, "{:?}", query);
        if query.zone.is_none() {
            // Another zone by name with the same clock: every history is folded anew, and must say what the columns say.
            let folded = engine.rates(&RatesQuery { zone: Zone::parse("Asia/Bangkok"), ..query.clone() });
            prop_assert_eq!(figured(folded), figured(live), "{:?}", query);
        }
    }
    for query in lists() {
        prop_assert_eq!(engine.list(&query), recounted.list(&query), "{:?}", query);
    }
    for query in forms() {
        prop_assert_eq!(engine.form(&query), recounted.form(&query), "{:?}", query);
    }
    Ok(())
}

/// Everything of [`rule_set`] told otherwise, from after the histories on.
fn later_rules() -> Vec<Publication> {
    let later = Date::parse("2026-01-01").unwrap();
    let other = |publication: Publication| {
        let rule = match publication.rule {
            Rule::Calendar(calendar) => {
                let (working_days, weekly_days_off) = (Vec::new(), [true, true, true, true, true, true, false]);
                return Publication::of_calendar(Calendar {
                    effective_from: later,
                    days_off: Vec::new(),
                    working_days,
                    weekly_days_off,
                    ..calendar
                });
            }
            Rule::Unit(unit) => Rule::Unit(Unit { apology: Some(code("hours")), ..unit }),
            Rule::Procedure(procedure) => Rule::Procedure(Procedure { phases: vec![Term::Months(1)], ..procedure }),
            Rule::Apology(policy) => Rule::Apology(Apology { letter_by: LetterBy::WorkingDaysAfter(7), ..policy }),
            rule => rule,
        };
        Publication { effective_from: later, rule, ..publication }
    };
    rule_set().publications.into_iter().map(other).collect()
}

fn submit(engine: &Engine, sent: &Sent) -> Vec<Answer> {
    engine.record(Batch { commands: sent.commands.clone(), mode: sent.mode }).unwrap()
}

/// What was accepted for the first time, in order, with its receipt.
fn play(engine: &Engine, clock: &TestClock, history: &[Sent]) -> Vec<(Command, Receipt)> {
    let mut accepted = Vec::new();
    for sent in history {
        clock.set(sent.now);
        for (command, answer) in sent.commands.iter().zip(submit(engine, sent)) {
            accepted.extend(answer.ok().filter(|r| !r.duplicate).map(|r| (command.clone(), r)));
        }
    }
    accepted
}

/// A fresh engine that was told all this at a time when nothing of it lies ahead.
fn told(batches: impl IntoIterator<Item = Vec<Command>>) -> (Engine, Vec<Answer>) {
    let clock = TestClock::at(start().plus(60 * DAY));
    let engine = engine_over(&memory(), &clock);
    let answers = batches.into_iter().flat_map(|batch| send(&engine, batch)).collect();
    (engine, answers)
}

proptest! {
    #![proptest_config(config(192))]

    /// The live views are the fold of the log, after every group; and the log is in order.
    #[test]
    fn incremental_is_recount(history in history()) {
        let (log, clock) = (memory(), TestClock::at(start()));
        let engine = engine_over(&log, &clock);
        for (i, sent) in history.iter().enumerate() {
            clock.set(sent.now);
            submit(&engine, sent);
            let records = records_in(&log);
            check_same(&engine, &recount(&records), 37, i)?;
        }
        let records = records_in(&log);
        check_same(&engine, &recount(&records), 5, 0)?;
        let mut lates = HashSet::new();
        let mut ids = HashSet::new();
        for pair in records.windows(2) {
            prop_assert!(pair[0].recorded_at <= pair[1].recorded_at);
        }
        for record in &records {
            let statement = &record.statement;
            prop_assert!(ids.insert((statement.dossier.clone(), statement.event_id)), "an id twice");
            if let Event::Late { promise, .. } = statement.event {
                prop_assert!(lates.insert((statement.dossier.clone(), promise)), "a promise passes once");
                prop_assert_eq!(statement.event_id, late_event_id(&statement.dossier, promise));
            }
        }
    }

    /// Rules that count from a later day on change nothing that was received before it, whenever they are published; nor
    /// does anything that has been published already, said once more.
    #[test]
    fn a_later_publication_changes_nothing(history in history(), every in 1..4_usize) {
        let (clock, other_clock) = (TestClock::at(start()), TestClock::at(start()));
        let (engine, other) = (engine_over(&memory(), &clock), engine_over(&memory(), &other_clock));
        for (i, sent) in history.iter().enumerate() {
            clock.set(sent.now);
            other_clock.set(sent.now);
            submit(&engine, sent);
            if i % every == 0 {
                other.publish(later_rules(), code("")).unwrap();
                other.publish(rule_set().publications, code("")).unwrap();
            }
            submit(&other, sent);
        }
        prop_assert_eq!(all_figures(&engine), all_figures(&other));
        prop_assert_eq!(all_lists(&engine), all_lists(&other));
        prop_assert!(other.position() > engine.position());
    }

    /// A start that goes on from a snapshot answers as one that replays all, and goes on deciding as one that never
    /// stopped.
    #[test]
    fn a_snapshot_changes_nothing(history in history(), at in any::<prop::sample::Index>(), every in 1..6_u64) {
        let stop = at.index(history.len() + 1);
        let clock = TestClock::at(start());
        let unbroken = engine_over(&memory(), &clock);
        let place = tempfile::tempdir().unwrap();
        let options = || Options { snapshot_every: every, zone: Some(HOME), ..options(&clock) };
        let first = play(&unbroken, &clock, &history[..stop]);
        clock.set(start());
        let broken = Engine::open(place.path(), options()).unwrap();
        let again = play(&broken, &clock, &history[..stop]);
        prop_assert_eq!(&first, &again);
        broken.close().unwrap();
        drop(broken);
        let resumed = Engine::open(place.path(), options()).unwrap();
        prop_assert!(resumed.position() < every || resumed.resumed_from() + every > resumed.position());
        prop_assert_eq!(all_figures(&resumed), all_figures(&unbroken));
        let then = clock.now();
        let first = play(&unbroken, &clock, &history[stop..]);
        clock.set(then);
        let again = play(&resumed, &clock, &history[stop..]);
        prop_assert_eq!(&first, &again);
        prop_assert_eq!(all_figures(&resumed), all_figures(&unbroken));
        prop_assert_eq!(lists().iter().map(|q| resumed.list(q)).collect::<Vec<_>>(),
            lists().iter().map(|q| unbroken.list(q)).collect::<Vec<_>>());
        for d in 0..DOSSIERS {
            let as_of = Moment::Instant(clock_now(&history));
            prop_assert_eq!(format!("{:?}", resumed.detail(&name(d), as_of)), format!("{:?}", unbroken.detail(&name(d), as_of)));
        }
        let everything = |engine: &Engine| engine.replay(ReplayFilter::default()).collect::<Result<Vec<_>, _>>().unwrap();
        prop_assert_eq!(everything(&resumed), everything(&unbroken));
    }

    /// A restart changes no answer, and what is sent again gets its first receipt.
    #[test]
    fn live_is_replayed(history in history()) {
        let (log, clock) = (memory(), TestClock::at(start()));
        let engine = engine_over(&log, &clock);
        let accepted = play(&engine, &clock, &history);
        let details = |engine: &Engine| -> Vec<String> {
            let as_of = Moment::Instant(clock_now(&history));
            (0..DOSSIERS).map(|d| format!("{:?}", engine.detail(&name(d), as_of).unwrap())).collect()
        };
        let before = (all_figures(&engine), lists().iter().map(|q| engine.list(q)).collect::<Vec<_>>(), details(&engine));
        engine.close().unwrap();
        let engine = engine_over(&log, &clock);
        let after = (all_figures(&engine), lists().iter().map(|q| engine.list(q)).collect::<Vec<_>>(), details(&engine));
        prop_assert_eq!(before, after);
        let length = engine.position();
        for (command, receipt) in accepted {
            let again = send(&engine, vec![command]).remove(0).unwrap();
            prop_assert_eq!(again, Receipt { duplicate: true, ..receipt });
        }
        prop_assert_eq!(engine.position(), length);
    }

    /// One by one, in any batches, as an import, or with everything sent several times: the same figures.
    #[test]
    fn groups_and_duplicates_do_not_matter(
        history in history(),
        sizes in prop::collection::vec(1..9_usize, 1..6),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let clock = TestClock::at(start());
        let engine = engine_over(&memory(), &clock);
        let accepted: Vec<Command> = play(&engine, &clock, &history).into_iter().map(|(c, _)| c).collect();
        let expected = (all_figures(&engine), all_lists(&engine));
        let check = |how: &str, batches: Vec<Vec<Command>>| {
            let (engine, answers) = told(batches);
            prop_assert!(answers.iter().all(Result::is_ok), "{}: {:?}", how, answers);
            prop_assert_eq!(&(all_figures(&engine), all_lists(&engine)), &expected, "{}", how);
            Ok(())
        };
        check("one by one", accepted.iter().map(|c| vec![c.clone()]).collect())?;
        let mut batches = Vec::new();
        let mut rest = &accepted[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (batch, tail) = rest.split_at((*size).min(rest.len()));
            batches.push(batch.to_vec());
            rest = tail;
        }
        check("in batches", batches)?;
        let mut by_dossier: BTreeMap<Code, Vec<Command>> = BTreeMap::new();
        for command in &accepted {
            let imported = Command { imported: true, ..command.clone() };
            by_dossier.entry(command.statement.dossier.clone()).or_default().push(imported);
        }
        check("imported", by_dossier.into_values().collect())?;
        let mut repeated: Vec<Command> = Vec::new();
        for command in &accepted {
            repeated.extend([command.clone(), command.clone()]);
        }
        if !accepted.is_empty() {
            repeated.extend(again.iter().map(|i| i.get(&accepted).clone()));
        }
        check("repeated", vec![repeated])?;
    }

    /// An atomic batch with one refusal changes nothing: not the log, no figure, no version, no later decision.
    #[test]
    fn a_refused_atomic_batch_is_nothing(
        history in history(),
        extra in prop::collection::vec((0..DOSSIERS + 2, event()), 0..6),
        place in any::<prop::sample::Index>(),
    ) {
        let (log, clock) = (memory(), TestClock::at(start()));
        let engine = engine_over(&log, &clock);
        play(&engine, &clock, &history);
        let now = clock_now(&history);
        let versions = |engine: &Engine| -> Vec<usize> {
            (0..DOSSIERS + 2)
                .map(|d| engine.detail(&name(d), Moment::Instant(now)).unwrap().map_or(0, |d| d.history.len()))
                .collect()
        };
        let before = (log.frames(0).count(), engine.position(), versions(&engine), all_figures(&engine), all_lists(&engine));
        let mut commands: Vec<Command> =
            (10_000..).zip(&extra).map(|(n, (d, e))| command(n, &name(*d), now, e.clone())).collect();
        let refused = command(20_000, "nobody knows this one", now, common::processed());
        commands.insert(place.index(commands.len() + 1), refused);
        let answers = engine.record(Batch { commands: commands.clone(), mode: Mode::Atomic }).unwrap();
        prop_assert!(answers.iter().all(Result::is_err), "{:?}", answers);
        prop_assert!(answers.iter().any(|a| matches!(a, Err(Rejection::DossierUnknown(_)))));
        let after = (log.frames(0).count(), engine.position(), versions(&engine), all_figures(&engine), all_lists(&engine));
        prop_assert_eq!(&before, &after);
        // The same ids are free, the versions are what they were.
        for (d, version) in (0..DOSSIERS).zip(before.2) {
            let letter = command(30_000 + u64::from(d), &name(d), now, common::letter(None));
            let expecting = |v: usize| Command { expected_version: Some(v as u32), ..letter.clone() };
            let wrong = send(&engine, vec![expecting(version + 1)]).remove(0);
            let mismatch = matches!(wrong, Err(Rejection::VersionMismatch { actual, .. }) if actual as usize == version);
            prop_assert!(mismatch, "{:?}", wrong);
            let right = send(&engine, vec![expecting(version)]).remove(0);
            let about_version = matches!(right, Err(Rejection::VersionMismatch { .. } | Rejection::EventIdReused { .. }));
            prop_assert!(!about_version, "{:?}", right);
        }
        check_same(&engine, &recount(&records_in(&log)), 37, 3)?;
    }

    /// The integers of an answer add up as definitions.md I.4 and I.5 say.
    #[test]
    fn figures_add_up(history in history()) {
        let clock = TestClock::at(start());
        let engine = engine_over(&memory(), &clock);
        play(&engine, &clock, &history);
        for query in questions(3, 1) {
            let answer = engine.rates(&query);
            let mut sum = Figures::default();
            for group in &answer.groups {
                prop_assert_ne!(group.figures, Figures::default(), "a group that is all zero");
                sum.add(&group.figures);
            }
            if !query.by.is_empty() {
                prop_assert_eq!(sum, answer.total, "{:?}", query);
                prop_assert!(answer.groups.is_sorted_by(|a, b| a.key < b.key), "sorted, null first, none twice");
            } else {
                prop_assert!(answer.groups.is_empty());
            }
            for figures in answer.groups.iter().map(|g| &g.figures).chain([&answer.total]) {
                let f = |figure| figures.get(figure);
                use Figure as F;
                prop_assert_eq!(f(F::Cohort), f(F::OnTime) + f(F::Late) + f(F::NoDeadline));
                prop_assert_eq!(f(F::ApologyDue), f(F::ApologyInTime) + f(F::ApologyLate) + f(F::ApologyMissing));
                prop_assert!(f(F::ApologyDefective) <= f(F::ApologyMissing));
                prop_assert!(f(F::Early) + f(F::OnDue) <= f(F::OnTime));
                prop_assert!(f(F::OpenOverdue) + f(F::OpenNoDeadline) <= f(F::Open));
                match query.definition.cohort {
                    Cohort::Processed => {
                        prop_assert_eq!(f(F::Cohort), f(F::Resolved));
                        prop_assert_eq!(f(F::Early) + f(F::OnDue), f(F::OnTime));
                    }
                    Cohort::Returned => {
                        prop_assert_eq!(f(F::Cohort), f(F::Returned));
                        prop_assert_eq!(f(F::Early) + f(F::OnDue), f(F::OnTime));
                    }
                    Cohort::Received if query.definition.judges_exits => {
                        prop_assert_eq!(f(F::Cohort), f(F::Received));
                    }
                    Cohort::Received => prop_assert!(f(F::Cohort) <= f(F::Received)),
                    Cohort::Decided => prop_assert_eq!(f(F::Early) + f(F::OnDue), f(F::OnTime)),
                }
            }
        }
    }

    /// Every row of every form balances, the rows add up, and the form says what the rates say beside it.
    #[test]
    fn forms_balance(history in history()) {
        let clock = TestClock::at(start());
        let engine = engine_over(&memory(), &clock);
        play(&engine, &clock, &history);
        for query in forms() {
            let form = engine.form(&query);
            let mut sum = FormFigures::default();
            for (key, row) in &form.rows {
                prop_assert!(row.balances() && *row != FormFigures::default(), "{:?} {:?} in {:?}", key, row, query);
                sum.add(row);
            }
            prop_assert_eq!(sum, form.total, "{:?}", query);
            prop_assert!(form.rows.is_sorted_by(|a, b| a.0 < b.0), "sorted, null first, none twice");
            let FormQuery { from, to, as_of, filter, zone, .. } = query.clone();
            let definition = DEFINITIONS[0];
            let rates = engine.rates(&RatesQuery {
                definition, from: Some(from), to: Some(to), as_of, by: Vec::new(), filter, zone,
            });
            let (f, total) = (|figure| rates.total.get(figure), form.total);
            use Figure as F;
            prop_assert_eq!(total.online + total.direct, f(F::Received), "{:?}", query);
            prop_assert_eq!((total.resolved(), total.withdrawn), (f(F::Resolved), f(F::Withdrawn)), "{:?}", query);
            prop_assert_eq!((total.early, total.on_due, total.overdue), (f(F::Early), f(F::OnDue), f(F::Late)));
            prop_assert_eq!(total.resolved_no_deadline, f(F::NoDeadline));
            let stock = (total.in_progress(), total.in_progress_overdue, total.in_progress_no_deadline);
            prop_assert_eq!(stock, (f(F::Open), f(F::OpenOverdue), f(F::OpenNoDeadline)), "{:?}", query);
        }
    }

    /// Of periods that follow each other, each carries over what the one before left, row by row; and together they
    /// are the form of the whole time, but for what went from one into the next.
    #[test]
    fn forms_follow_on_each_other(
        history in history(),
        steps in prop::collection::vec((0..12_i64, -1..2_i64), 1..6),
        by in prop::sample::select(&[FormKey::Field, FormKey::Unit][..]),
    ) {
        let clock = TestClock::at(start());
        let engine = engine_over(&memory(), &clock);
        play(&engine, &clock, &history);
        let as_of = Moment::Instant(start().plus(400 * DAY));
        let form = |from: Timestamp, to: Timestamp| {
            let (from, to) = (Moment::Instant(from), Moment::Instant(to));
            engine.form(&FormQuery { from, to, as_of, by, filter: Filter::default(), zone: None })
        };
        let mut bounds = vec![start().plus(-45 * STEP), start().plus(-12 * STEP)];
        for (steps, ticks) in steps {
            bounds.push(bounds[bounds.len() - 1].plus(steps * STEP + ticks).max(bounds[bounds.len() - 1]));
        }
        let parts: Vec<_> = bounds.windows(2).map(|pair| form(pair[0], pair[1])).collect();
        let taken = |rows: &[(KeyValue, FormFigures)], take: fn(&FormFigures) -> u64| -> BTreeMap<KeyValue, u64> {
            rows.iter().map(|(key, row)| (key.clone(), take(row))).filter(|(_, n)| *n > 0).collect()
        };
        for pair in parts.windows(2) {
            let (left, carried) = (taken(&pair[0].rows, FormFigures::in_progress), taken(&pair[1].rows, |r| r.carried_over));
            prop_assert_eq!(left, carried, "{} to {}", pair[0].from, pair[1].to);
        }
        let whole = form(bounds[0], bounds[bounds.len() - 1]).total;
        let mut expected = FormFigures::default();
        for part in &parts {
            expected.add(&part.total);
        }
        let (first, last) = (parts[0].total, parts[parts.len() - 1].total);
        expected.carried_over = first.carried_over;
        expected.within_due = last.within_due;
        expected.in_progress_overdue = last.in_progress_overdue;
        expected.in_progress_no_deadline = last.in_progress_no_deadline;
        prop_assert_eq!(whole, expected, "{:?}", bounds);
    }

    /// A figure at a cut is the figure of a log that ends there.
    ///
    /// But for one rule of definitions.md I.2: a `Returned` ends a dossier only if the log holds no other end, whatever
    /// the cut. So a dossier returned by the cut and ended after it is left without its `Returned`.
    #[test]
    fn a_cut_is_a_shorter_log(mut history in history(), cut in (-4..40_i64, -1..2_i64)) {
        // A correction counts for every cut, whenever it was made.
        for sent in &mut history {
            sent.commands.retain(|c| c.statement.event.event_type() != EventType::Corrected);
        }
        let cut = start().plus(cut.0 * STEP + cut.1);
        let clock = TestClock::at(start());
        let engine = engine_over(&memory(), &clock);
        let accepted: Vec<Command> = play(&engine, &clock, &history).into_iter().map(|(c, _)| c).collect();
        let ends: HashMap<&Code, Timestamp> = accepted
            .iter()
            .filter(|c| c.statement.event.event_type().ends())
            .map(|c| (&c.statement.dossier, c.statement.occurred_at))
            .collect();
        let subtle = |c: &&Command| {
            c.statement.event.event_type() == EventType::Returned
                && ends.get(&c.statement.dossier).is_some_and(|end| *end > cut)
        };
        let whole: Vec<Command> = accepted.iter().filter(|c| !subtle(c)).cloned().collect();
        let shorter: Vec<Command> = whole.iter().filter(|c| c.statement.occurred_at <= cut).cloned().collect();
        let (whole, answers) = told([whole]);
        prop_assert!(answers.iter().all(Result::is_ok));
        // What belongs to a dossier that is received after the cut is refused here and counts nowhere there.
        let (shorter, _) = told([shorter]);
        for mut query in questions(11, 2) {
            query.as_of = Moment::Instant(cut);
            let (of_whole, of_shorter) = (figured(whole.rates(&query)), figured(shorter.rates(&query)));
            prop_assert_eq!(of_whole, of_shorter, "{:?}", query);
        }
        for mut query in forms() {
            query.as_of = Moment::Instant(cut);
            let (of_whole, of_shorter) = (whole.form(&query), shorter.form(&query));
            prop_assert_eq!((of_whole.total, of_whole.rows), (of_shorter.total, of_shorter.rows), "{:?}", query);
        }
    }
}

fn clock_now(history: &[Sent]) -> Timestamp {
    history.last().map_or(start(), |sent| sent.now)
}

fn text() -> impl Strategy<Value = Code> {
    prop_oneof![Just(String::new()), "\\PC{1,12}", "[A-Z0-9.-]{1,64}"].prop_map(Code::from)
}

fn some_text() -> impl Strategy<Value = Option<Code>> {
    // An empty optional text is never stored: `check` refuses it, and stored it means absence.
    prop::option::of(text().prop_filter("not empty", |t| !t.is_empty()))
}

fn any_due() -> impl Strategy<Value = Due> {
    prop_oneof![any::<i64>().prop_map(|ms| Due::Instant(Timestamp(ms))), any::<i32>().prop_map(|d| Due::Date(Date(d)))]
}

fn any_event() -> impl Strategy<Value = Event> {
    let due = || prop::option::of(any_due());
    let kind = prop::option::of(prop::sample::select(&ApplicantKind::ALL[..]));
    prop_oneof![
        (text(), some_text(), some_text(), some_text(), due(), kind).prop_map(
            |(unit, procedure, field, channel, due, applicant_kind)| Event::Received {
                unit,
                procedure,
                field,
                channel,
                due,
                applicant_kind
            }
        ),
        (some_text(), some_text()).prop_map(|(unit, reason_code)| Event::Rejected { unit, reason_code }),
        (text(), due()).prop_map(|(to_unit, step_due)| Event::Forwarded { to_unit, step_due }),
        (prop::collection::vec(text(), 0..5), some_text())
            .prop_map(|(items, reason_code)| Event::SupplementRequested { items, reason_code }),
        due().prop_map(|due| Event::Supplemented { due }),
        any::<bool>().prop_map(|stops_clock| Event::PaymentRequested { stops_clock }),
        due().prop_map(|due| Event::Paid { due }),
        prop::sample::select(&[Outcome::Granted, Outcome::Refused][..])
            .prop_map(|outcome| Event::Processed { outcome }),
        (any::<u32>(), any_due()).prop_map(|(promise, due)| Event::Late { promise, due }),
        (some_text(), some_text(), some_text(), some_text(), due()).prop_map(
            |(letter_number, reason_code, signer, sent_via, new_due)| Event::ApologySent {
                letter_number,
                reason_code,
                signer,
                sent_via,
                new_due
            }
        ),
        some_text().prop_map(|returned_via| Event::Returned { returned_via }),
        some_text().prop_map(|reason_code| Event::Withdrawn { reason_code }),
        text().prop_map(|reason_code| Event::Stopped { reason_code }),
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    let statement = (any::<u128>(), text(), any::<i64>(), some_text(), some_text(), any_event());
    let statement = statement.prop_map(|(event_id, dossier, at, desk, actor, event)| Statement {
        event_id: Uuid::from_u128(event_id),
        dossier,
        occurred_at: Timestamp(at),
        desk,
        actor,
        event,
    });
    let reckoned = (prop::option::of(any_due()), any::<bool>());
    (any::<u64>(), any::<u64>(), any::<i64>(), any::<u32>(), text(), any::<u32>(), statement, reckoned).prop_map(
        |(position, back, recorded_at, dossier_version, author, flags, statement, (due, clock_stops))| Record {
            position,
            recorded_at: Timestamp(recorded_at),
            dossier_version,
            previous: position.checked_sub(1).map(|last| back % (last.max(1))).filter(|_| back % 5 != 0),
            author,
            flags: Flags(flags),
            reckoned: Reckoned { due, clock_stops },
            statement,
        },
    )
}

/// Opens, inspects and reads a log of these frames in every way; only errors may come of it.
fn read_everything(frames: &[(u64, Vec<u8>)]) -> Result<(), TestCaseError> {
    let log = Arc::new(MemoryLog::new(identity()));
    let open = |visit: &mut dyn FnMut(u64, &[u8])| {
        Log::open(Box::new(Arc::clone(&log)), identity(), |position, bytes| {
            visit(position, bytes);
            Ok(())
        })
    };
    let opened_before = open(&mut |_, _| {}).unwrap();
    log.tamper(|stored| stored.extend(frames.iter().cloned()));
    let _ = open(&mut |position, bytes| drop(Record::decode(position, bytes)));
    let (_, findings) = inspect(&*log, identity(), |position, bytes, _| drop(Record::decode(position, bytes)));
    // The head of this log knows of no record, so frames that chain from its identity are no damage.
    let chained = frames.iter().all(|(_, bytes)| bytes.get(12..44) == Some(&identity()[..]));
    prop_assert!(chained || !findings.is_empty());
    for from in [0, 1, 7, u64::MAX - 1, u64::MAX] {
        drop(opened_before.read(from).collect::<Vec<_>>());
        drop(opened_before.get(from));
    }
    Ok(())
}

/// Bytes that pass the checksum at this position.
fn sealed(first: u64, mut body: Vec<u8>) -> Vec<u8> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&first.to_be_bytes());
    crc.update(&body);
    body.extend(crc.finalize().to_le_bytes());
    body
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_record_is_read_as_it_was_written(record in any_record()) {
        let bytes = record.encode();
        let read = Record::decode(record.position, &bytes).unwrap();
        prop_assert_eq!(&read, &record);
        prop_assert_eq!(record.encode(), bytes, "one record, one encoding");
    }

    #[test]
    fn no_bytes_make_decoding_panic(
        record in any_record(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        position in any::<u64>(),
    ) {
        let _ = Record::decode(position, &noise);
        let mut bytes = record.encode();
        for (at, with) in flips {
            *at.get_mut(&mut bytes) ^= with;
            let _ = Record::decode(position, &bytes);
        }
        bytes.truncate(cut.index(bytes.len()));
        let _ = Record::decode(position, &bytes);
    }

    #[test]
    fn no_frame_makes_opening_panic(
        noise in prop::collection::vec(any::<u8>(), 0..120),
        compression in 0..4_u8,
        count in prop_oneof![0..5_u32, any::<u32>()],
        length in prop_oneof![0..120_u32, any::<u32>(), Just(1 << 20)],
        payload in prop_oneof![
            prop::collection::vec(0..6_u8, 0..120),
            prop::collection::vec(any::<u8>(), 0..120),
            prop::collection::vec(Just(0xff_u8), 0..12),
        ],
        chained in any::<bool>(),
        first in prop_oneof![3 => Just(0_u64), 1 => 0..9_u64, 1 => u64::MAX - 6..=u64::MAX],
        second in prop_oneof![0..9_u64, u64::MAX - 6..=u64::MAX],
    ) {
        read_everything(&[(0, noise.clone())])?;
        let mut body = vec![1, compression, 0, 0];
        let fitting = payload.len() as u32;
        for (count, length) in [(count, length), (count, fitting), (1, fitting), (fitting, fitting)] {
            body.truncate(4);
            body.extend(count.to_le_bytes());
            body.extend(length.to_le_bytes());
            body.extend(if chained { identity() } else { [3; 32] });
            body.extend(&payload);
            read_everything(&[(first, sealed(first, body.clone())), (second, sealed(second, body.clone()))])?;
        }
        read_everything(&[(first, sealed(first, noise))])?;
    }
}

/// The generator is worth something only if most of what it draws is accepted and every case comes up.
#[test]
fn the_generator_reaches_everything() {
    use proptest::strategy::ValueTree;
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..config(1) });
    let mut reasons: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut types: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut flags: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut figures = Figures::default();
    let mut form = FormFigures::default();
    for _ in 0..240 {
        let history = history().new_tree(&mut runner).unwrap().current();
        let (log, clock) = (memory(), TestClock::at(start()));
        let engine = engine_over(&log, &clock);
        for sent in &history {
            clock.set(sent.now);
            for answer in submit(&engine, sent) {
                let reason = answer.map_or_else(|r| r.reason(), |r| if r.duplicate { "duplicate" } else { "accepted" });
                *reasons.entry(reason).or_default() += 1;
            }
        }
        for record in records_in(&log) {
            *types.entry(record.statement.event.event_type().name()).or_default() += 1;
            for flag in record.flags.names() {
                *flags.entry(flag).or_default() += 1;
            }
        }
        for query in questions(97, 0) {
            figures.add(&engine.rates(&query).total);
        }
        forms().iter().for_each(|query| form.add(&engine.form(query).total));
    }
    let all_types = EventType::ALL.iter().all(|t| types.contains_key(t.name()));
    assert!(all_types, "{types:?}");
    let expected = ["accepted", "duplicate", "DOSSIER_UNKNOWN", "DOSSIER_EXISTS", "DOSSIER_ENDED", "ALREADY_RETURNED"];
    let refused = ["ENGINE_EVENT", "EVENT_ID_REUSED", "TIME_IN_FUTURE", "BATCH_REFUSED"];
    assert!(expected.iter().chain(&refused).all(|r| reasons.contains_key(r)), "{reasons:?}");
    assert_eq!(flags.len(), dunghen_engine::dossier::Flag::ALL.len(), "{flags:?}");
    assert!(figures.named().all(|(_, n)| n > 0), "{figures:?}");
    assert!(form.named().iter().all(|(_, n)| *n > 0), "{form:?}");
}
