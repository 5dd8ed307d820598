//! Figures counted beforehand are those of a scan, to the last integer: whatever was recorded since, at whatever clock.

#![allow(clippy::unwrap_used)]

mod common;

use common::drawn::{history, recorded, start};
use common::{
    DAY, HOME, HOUR, Recounted, SECOND, TestClock, at, code, command, config, identity, memory, options, processed,
    received, records_in, recount, send,
};
use dunghen_engine::dossier::{Due, Event};
use dunghen_engine::rules::{Cohort, ComparedBy, DEFINITIONS, Definition, Judged, SecondSupplement};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{Filter, GroupKey, Keeping, Moment, RatesQuery};
use dunghen_engine::{Engine, MarginsState, Options};
use proptest::prelude::*;
use std::time::Duration;

/// A definition that no promise of the fold serves.
const LATEST: Definition = Definition {
    id: "latest",
    cohort: Cohort::Processed,
    compared_by: ComparedBy::Date,
    judged: Judged::Latest,
    judges_exits: false,
    second_supplement: SecondSupplement::Ignored,
};

fn month(text: &str) -> Option<Moment> {
    Some(Moment::Date(Date::parse(text).unwrap()))
}

/// Questions that margins with this clock must answer, `every`-th of them.
fn answerable(definition: Definition, home: Zone, clock: Timestamp, every: usize, first: usize) -> Vec<RatesQuery> {
    let begins = |text: &str| Some(Moment::Instant(home.first_tick(Date::parse(text).unwrap())));
    let periods = [
        (None, None),
        (None, month("2025-04-01")),
        (month("2025-03-01"), month("2025-04-01")),
        (begins("2025-04-01"), None),
        (month("2025-04-01"), begins("2025-05-01")),
        (month("2025-01-01"), month("2026-01-01")),
        (month("2025-05-01"), month("2025-04-01")),
    ];
    let ends = ["2025-02-28", "2025-03-31", "2025-04-30"].map(|date| Moment::Date(Date::parse(date).unwrap()));
    let beside = [-SECOND, 0, 1, 6 * HOUR, 2 * DAY, 9 * DAY, 4000 * DAY].map(|ms| Moment::Instant(clock.plus(ms)));
    let by: [&[GroupKey]; 10] = [
        &[],
        &[GroupKey::Unit],
        &[GroupKey::Procedure],
        &[GroupKey::Field],
        &[GroupKey::Channel],
        &[GroupKey::Month],
        &[GroupKey::Quarter, GroupKey::Unit],
        &[GroupKey::Year],
        &[GroupKey::Procedure, GroupKey::Month],
        &[GroupKey::Month, GroupKey::Year, GroupKey::Field],
    ];
    let none = Filter::default;
    let filters = [
        none(),
        Filter { unit: Some(code("H44")), ..none() },
        Filter { procedure: Some(code("1.001")), ..none() },
        Filter { field: Some(code("unheard of")), ..none() },
        Filter { channel: Some(code("online")), ..none() },
    ];
    let mut all = Vec::new();
    for (from, to) in periods {
        for as_of in ends.into_iter().chain(beside) {
            let c = as_of.as_of(&home).min(to.map_or(Timestamp::MAX, |to| to.bound(&home).plus(-1)));
            let next = home.date(c.plus(1));
            let ends_a_month = next.ymd().2 == 1 && home.first_tick(next) == c.plus(1);
            if c < clock.plus(-SECOND) && !ends_a_month {
                continue;
            }
            for by in by {
                for filter in &filters {
                    let keys = |key: GroupKey| match key {
                        GroupKey::Unit => filter.unit.is_some(),
                        GroupKey::Procedure => filter.procedure.is_some(),
                        GroupKey::Field => filter.field.is_some(),
                        GroupKey::Channel => filter.channel.is_some(),
                        _ => false,
                    };
                    let grouped = |key: &&GroupKey| GroupKey::ALL[..4].iter().any(|(k, _)| k == *key);
                    if *filter == none() || by.iter().filter(grouped).all(|key| keys(*key)) {
                        let (by, filter) = (by.to_vec(), filter.clone());
                        all.push(RatesQuery { definition, from, to, as_of, by, filter, zone: None });
                    }
                }
            }
        }
    }
    all.into_iter().skip(first % every).step_by(every).collect()
}

proptest! {
    #![proptest_config(config(160))]

    /// Made at any point of a history, and asked after any more of it, margins say what a scan says; so they do after they
    /// were brought up to date.
    #[test]
    fn margins_are_the_scan(
        history in history(),
        stop in any::<prop::sample::Index>(),
        hours in (-40..400_i64, 0..400_i64),
        home in prop::sample::select(vec!["Asia/Ho_Chi_Minh", "America/New_York", "America/St_Johns"]),
    ) {
        let records = recorded(&history);
        let home = Zone::parse(home).unwrap();
        let (first, rest) = records.split_at(stop.index(records.len() + 1));
        let mut recounted = Recounted::new(home);
        recounted.take(first);
        let before = recounted.views.clone();
        recounted.take(rest);
        let now = recounted.views.clone();
        let changed = now.changed_from(&before);
        let clock = start().plus(hours.0 * HOUR);
        let later = clock.plus(hours.1 * HOUR);
        for (i, definition) in DEFINITIONS.into_iter().enumerate() {
            let mut keeping = Keeping::new(&before, definition, clock, || false).unwrap();
            for query in answerable(definition, home, clock, 29, i) {
                let answer = keeping.margins().rates(&before, &query, &[]);
                prop_assert_eq!(answer, Some(before.rates(&query)), "as they were made: {:?}", query);
                let answer = keeping.margins().rates(&now, &query, &changed);
                prop_assert_eq!(answer, Some(now.rates(&query)), "with what changed since: {:?}", query);
            }
            let made = keeping.margins().clone();
            keeping.bring(&now, &changed, later);
            for query in answerable(definition, home, later, 29, i + 7) {
                let answer = keeping.margins().rates(&now, &query, &[]);
                prop_assert_eq!(answer, Some(now.rates(&query)), "brought up to date: {:?}", query);
            }
            for query in answerable(definition, home, clock, 113, i) {
                let answer = made.rates(&before, &query, &[]);
                prop_assert_eq!(answer, Some(before.rates(&query)), "what was handed out changed: {:?}", query);
            }
        }
    }

    /// Brought up to date after every group, margins are those made at the end.
    #[test]
    fn many_small_steps_are_one(history in history(), definition in prop::sample::select(DEFINITIONS.to_vec())) {
        let records = recorded(&history);
        let mut recounted = Recounted::new(HOME);
        let mut keeping = Keeping::new(&recounted.views, definition, start(), || false).unwrap();
        let mut clock = start();
        for group in records.chunk_by(|a, b| a.recorded_at == b.recorded_at) {
            recounted.take(group);
            clock = group[0].recorded_at;
            let changed = recounted.views.changed_from(keeping.margins().views());
            keeping.bring(&recounted.views, &changed, clock);
        }
        for query in answerable(definition, HOME, clock, 3, 0) {
            let answer = keeping.margins().rates(&recounted.views, &query, &[]);
            prop_assert_eq!(answer, Some(recounted.views.rates(&query)), "{:?}", query);
        }
    }
}

/// What whole months do not tell is left to the scan.
#[test]
fn margins_say_nothing_of_what_they_do_not_hold() {
    let mut recounted = Recounted::new(HOME);
    let clock = TestClock::at(at("2025-09-10T09:00:00+07:00"));
    let log = memory();
    let engine = common::engine_over(&log, &clock);
    send(&engine, vec![command(1, "a", clock_now(&clock), received(Some(Due::Date(common::date("2025-09-12")))))]);
    recounted.take(&records_in(&log));
    let (views, now) = (&recounted.views, clock_now(&clock));
    assert!(Keeping::new(views, LATEST, now, || false).is_none(), "dues that were overwritten are in no row");
    assert!(Keeping::new(views, DEFINITIONS[0], now, || true).is_none(), "stopped");
    let keeping = Keeping::new(views, DEFINITIONS[0], now, || false).unwrap();
    let plain = RatesQuery {
        definition: DEFINITIONS[0],
        from: month("2025-09-01"),
        to: month("2025-10-01"),
        as_of: Moment::Instant(now),
        by: vec![GroupKey::Unit],
        filter: Filter::default(),
        zone: None,
    };
    let answers = |query: RatesQuery| keeping.margins().rates(views, &query, &[]).is_some();
    assert!(answers(plain.clone()));
    assert!(answers(RatesQuery { zone: Some(HOME), ..plain.clone() }));
    let not = [
        ("another definition", RatesQuery { definition: DEFINITIONS[1], ..plain.clone() }),
        ("a zone", RatesQuery { zone: Some(Zone::UTC), ..plain.clone() }),
        ("part of a month", RatesQuery { from: month("2025-09-02"), ..plain.clone() }),
        ("part of a month at the end", RatesQuery { to: month("2025-09-30"), ..plain.clone() }),
        ("a cut within a month", RatesQuery { as_of: Moment::Instant(now.plus(-DAY)), ..plain.clone() }),
        ("days", RatesQuery { by: vec![GroupKey::Day], ..plain.clone() }),
        ("two keys", RatesQuery { by: vec![GroupKey::Unit, GroupKey::Field], ..plain.clone() }),
        (
            "another key filtered",
            RatesQuery { filter: Filter { channel: Some(code("online")), ..Filter::default() }, ..plain },
        ),
    ];
    for (what, query) in not {
        assert!(!answers(query), "{what}");
    }
}

fn clock_now(clock: &TestClock) -> Timestamp {
    dunghen_engine::Clock::now(clock)
}

/// Each kind of moment that changes a figure, in a month of its own.
#[test]
fn every_moment_that_changes_a_figure_is_a_step() {
    let day = |text: &str| Some(Due::Date(common::date(text)));
    let letter_without_reason = Event::ApologySent {
        letter_number: None,
        reason_code: None,
        signer: None,
        sent_via: None,
        new_due: day("2025-12-01"),
    };
    let returned = || Event::Returned { returned_via: None };
    let stories = [
        ("a", "2025-01-10", received(day("2025-02-10"))),
        ("a", "2025-03-05", common::asked()),
        ("a", "2025-04-07", common::answered(None)),
        ("a", "2025-05-09", processed()),
        ("a", "2025-06-11", common::letter(None)),
        ("a", "2025-07-13", returned()),
        ("b", "2025-01-10", received(day("2025-02-10"))),
        ("b", "2025-04-12", letter_without_reason),
        ("b", "2025-06-12", common::letter(day("2025-09-01"))),
        ("b", "2025-10-20", processed()),
        ("c", "2025-01-10", received(None)),
        ("c", "2025-02-03", common::asked()),
        ("c", "2025-03-03", common::asked()),
        ("c", "2025-05-05", common::answered(day("2025-06-06"))),
        ("c", "2025-07-01", processed()),
        ("c", "2025-09-01", returned()),
        ("d", "2025-01-10", received(day("2025-06-30"))),
        ("d", "2025-02-01", common::asked()),
        ("d", "2025-03-01", common::answered(day("2025-07-30"))),
        ("d", "2025-04-01", common::asked()),
        ("d", "2025-05-01", Event::Withdrawn { reason_code: None }),
        ("e", "2025-01-10", received(day("2025-03-01"))),
        ("e", "2025-02-01", common::letter(day("2025-05-01"))),
        ("e", "2025-04-01", common::letter(day("2025-08-01"))),
    ];
    let clock = TestClock::at(at("2025-12-31T09:00:00+07:00"));
    let log = memory();
    let engine = common::engine_over(&log, &clock);
    let commands = (0..).zip(stories).map(|(n, (dossier, day, event))| {
        command(n, dossier, HOME.first_tick(common::date(day)).plus(9 * HOUR), event)
    });
    assert!(send(&engine, commands.collect()).iter().all(Result::is_ok));
    let recounted = recount(&records_in(&log));
    let first = |month: u32| Date::new(2025, month, 1).map(Moment::Date);
    let mut figures = std::collections::BTreeSet::new();
    for definition in DEFINITIONS {
        for month in 1..=12 {
            let now = HOME.first_tick(Date::new(2025, month, 15).unwrap());
            let keeping = Keeping::new(&recounted, definition, now, || false).unwrap();
            let ends = (1..=month).filter_map(first).map(|first| Moment::Instant(first.bound(&HOME).plus(-1)));
            for as_of in ends.chain([Moment::Instant(now)]) {
                for (from, by) in [(None, GroupKey::Unit), (first(4), GroupKey::Unit), (None, GroupKey::Month)] {
                    let (by, filter) = (vec![by], Filter::default());
                    let query = RatesQuery { definition, from, to: None, as_of, by, filter, zone: None };
                    let answer = recounted.rates(&query);
                    assert_eq!(keeping.margins().rates(&recounted, &query, &[]).as_ref(), Some(&answer), "{query:?}");
                    figures.extend(answer.total.named().filter(|(_, n)| *n > 0).map(|(name, _)| name));
                }
            }
        }
    }
    assert!(figures.len() > 16, "only these came up: {figures:?}");
}

/// Waits until the thread has counted all that is recorded, a minute at most.
fn caught_up(engine: &Engine, definitions: usize) {
    for _ in 0..12_000 {
        let state = engine.margins();
        if state.definitions.len() == definitions && state.position == engine.position() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{:?} at {}", engine.margins(), engine.position());
}

/// An engine answers from margins once they are made, and what was recorded since is in the answer.
#[test]
fn an_engine_answers_from_margins_as_from_a_scan() {
    let (log, clock) = (memory(), TestClock::at(at("2025-09-29T09:00:00+07:00")));
    let options = Options { margins_from: 0, ..options(&clock) };
    let engine = Engine::over(Box::new(std::sync::Arc::clone(&log)), identity(), HOME, options).unwrap();
    let question = |definition: Definition, by: GroupKey, now: Timestamp| RatesQuery {
        definition,
        from: month("2025-07-01"),
        to: month("2025-10-01"),
        as_of: Moment::Instant(now),
        by: vec![by],
        filter: Filter::default(),
        zone: None,
    };
    let (mut sent, mut known) = (0, 0);
    let mut record = |dossiers: u64| {
        let now = clock_now(&clock);
        let due = |n: u64| Some(Due::Date(HOME.date(now).plus(i32::try_from(n % 7).unwrap() - 2)));
        let mut commands = Vec::new();
        for n in known..known + dossiers {
            let dossier = format!("000.00.01.H44-250929-{n:05}");
            commands.push(command(sent, &dossier, now.plus(-DAY), received(due(n))));
            sent += 1;
            if n % 3 == 0 {
                commands.push(command(sent, &dossier, now, processed()));
                sent += 1;
            }
        }
        known += dossiers;
        assert!(send(&engine, commands).iter().all(Result::is_ok));
    };
    let keys = [GroupKey::Unit, GroupKey::Procedure, GroupKey::Field, GroupKey::Channel, GroupKey::Month];
    let check = |definition: Definition| {
        for by in keys {
            let query = question(definition, by, clock_now(&clock));
            let answer = engine.rates(&query);
            // Meanwhile the engine may have recorded that a promise passed.
            let records = &records_in(&log)[..usize::try_from(answer.position).unwrap()];
            assert_eq!(answer, recount(records).rates(&query), "{query:?}");
            assert_eq!(engine.rates(&query).groups, engine.scanned_rates(&query).groups, "{query:?}");
        }
    };
    record(500);
    assert_eq!(engine.margins(), MarginsState::default(), "nothing is counted before the first question");
    check(DEFINITIONS[0]);
    caught_up(&engine, 1);
    let answered = engine.margins().answered;
    check(DEFINITIONS[0]);
    assert_eq!(engine.margins().answered, answered + 10);
    // More is recorded, also more than is judged one by one, and time passes: whatever the thread has done by then, nothing is
    // missing.
    for dossiers in [1, 400, 5_500, 3, 2_000] {
        record(dossiers);
        check(DEFINITIONS[0]);
        clock.advance(7 * HOUR);
        check(DEFINITIONS[0]);
    }
    caught_up(&engine, 1);
    let answered = engine.margins().answered;
    check(DEFINITIONS[0]);
    assert_eq!(engine.margins().answered, answered + 10);
    // Two definitions have margins, those asked for last.
    for definition in DEFINITIONS {
        check(definition);
    }
    caught_up(&engine, 2);
    let state = engine.margins();
    let mut ids = state.definitions.clone();
    ids.sort_unstable();
    let mut last = [DEFINITIONS[DEFINITIONS.len() - 2].id, DEFINITIONS[DEFINITIONS.len() - 1].id];
    last.sort_unstable();
    assert_eq!(ids, last);
    assert!(state.bytes > 0);
    engine.close().unwrap();
}
