//! Rows that are judged at a glance, by their days, count as those that are judged one by one: at bounds by day, in mid-day
//! and a tick beside, whatever the definition, the grouping, the filter and the zone. So does a count that is kept and moved
//! on by what has changed.

#![allow(clippy::unwrap_used)]

mod common;

use common::drawn::{Sent, due, history, name, recorded, start};
use common::{DAY, HOUR, Recounted, code, command, config, processed, received};
use dunghen_engine::Mode;
use dunghen_engine::dossier::Event;
use dunghen_engine::record::Record;
use dunghen_engine::rules::{Cohort, ComparedBy, DEFINITIONS, Definition, Judged, SecondSupplement};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{Filter, FormKey, FormQuery, GroupKey, Moment, RatesQuery, Remembered, Views};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;

/// The built-in definitions, and others as they may be published.
fn definitions() -> impl Strategy<Value = Definition> {
    let choices = (
        prop::sample::select(vec![Cohort::Processed, Cohort::Received, Cohort::Returned, Cohort::Decided]),
        prop::sample::select(vec![ComparedBy::Date, ComparedBy::Instant]),
        prop::sample::select(vec![Judged::Current, Judged::First, Judged::Latest]),
        any::<bool>(),
        prop::sample::select(vec![
            SecondSupplement::Ignored,
            SecondSupplement::LateWhileWaiting,
            SecondSupplement::LateAlways,
        ]),
    );
    let published = choices.prop_map(|(cohort, compared_by, judged, judges_exits, second_supplement)| Definition {
        id: "published",
        cohort,
        compared_by,
        judged,
        judges_exits,
        second_supplement,
    });
    prop_oneof![prop::sample::select(DEFINITIONS.to_vec()), published]
}

/// A bound: a date, or a moment at midnight, at noon or anywhere, and a tick to either side.
fn moment() -> impl Strategy<Value = Moment> {
    let days = -6..24_i64;
    let midnight = Zone::VIETNAM.first_tick(Zone::VIETNAM.date(start()));
    prop_oneof![
        3 => (-6..24_i32).prop_map(|n| Moment::Date(Zone::VIETNAM.date(start()).plus(n))),
        4 => (days, prop::sample::select(vec![0, 5 * HOUR, 6 * HOUR, 12 * HOUR, 18 * HOUR]), -2..=2_i64)
            .prop_map(move |(day, of_day, ticks)| Moment::Instant(midnight.plus(day * DAY + of_day + ticks))),
        2 => (-30..80_i64, -1..=1_i64).prop_map(|(n, ticks)| Moment::Instant(start().plus(n * 6 * HOUR + ticks))),
        1 => prop::sample::select(vec![Timestamp::EARLIEST, Timestamp(-1), Timestamp::LATEST]).prop_map(Moment::Instant),
    ]
}

/// Any keys, none twice.
fn groupings() -> impl Strategy<Value = Vec<GroupKey>> {
    let keys: Vec<GroupKey> = GroupKey::ALL.iter().map(|(key, _)| *key).collect();
    prop_oneof![prop::sample::subsequence(keys.clone(), 0..=1), prop::sample::subsequence(keys, 0..=3).prop_shuffle(),]
}

fn filters() -> impl Strategy<Value = Filter> {
    let none = Filter::default;
    prop::sample::select(vec![
        none(),
        none(),
        Filter { unit: Some(code("H44")), ..none() },
        Filter { procedure: Some(code("1.001")), channel: Some(code("online")), ..none() },
        Filter { field: Some(code("unheard of")), ..none() },
    ])
}

fn questions() -> impl Strategy<Value = RatesQuery> {
    let bounds = (prop::option::of(moment()), prop::option::of(moment()), moment());
    let zones = prop::option::weighted(0.1, prop::sample::select(vec![Zone::UTC, Zone::VIETNAM]));
    (definitions(), bounds, groupings(), filters(), zones).prop_map(
        |(definition, (from, to, as_of), by, filter, zone)| RatesQuery {
            definition,
            from,
            to,
            as_of,
            by,
            filter,
            zone,
        },
    )
}

fn check(views: &Views, query: &RatesQuery) -> Result<(), TestCaseError> {
    let (quick, one_by_one) = (views.rates(query), views.rates_one_by_one(query));
    prop_assert_eq!(quick.total, one_by_one.total, "{:?}", query);
    prop_assert_eq!(quick.groups, one_by_one.groups, "{:?}", query);
    let (from, to) = (query.from.unwrap_or(Moment::Date(Date(20_000))), query.to.unwrap_or(Moment::Date(Date(21_000))));
    for (by, _) in FormKey::ALL {
        let form = FormQuery { from, to, as_of: query.as_of, by, filter: query.filter.clone(), zone: query.zone };
        prop_assert_eq!(views.form(&form), views.form_one_by_one(&form), "{:?}", form);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn a_glance_is_a_judgement(
        history in history(),
        home in prop::sample::select(vec!["Asia/Ho_Chi_Minh", "Asia/Ho_Chi_Minh", "UTC", "Asia/Tokyo", "America/St_Johns"]),
        questions in prop::collection::vec(questions(), 40),
    ) {
        let mut recounted = Recounted::new(Zone::parse(home).unwrap());
        recounted.take(&recorded(&history));
        for query in &questions {
            check(&recounted.views, query)?;
        }
    }
}

/// The records of a history, as if many dossiers had gone through it at the same time: more than fit into one chunk of rows.
fn multiplied(records: &[Record], copies: usize) -> Vec<Record> {
    let copy = |record: &Record, number: usize| {
        let mut copy = record.clone();
        copy.statement.dossier = code(&format!("{}-{number}", record.statement.dossier));
        copy
    };
    records.iter().flat_map(|record| (0..copies).map(move |number| copy(record, number))).collect()
}

/// One or two dossiers of which their columns tell it all, told late and in the order of their steps.
fn plain_history() -> impl Strategy<Value = Vec<Sent>> {
    let hours = || prop::option::of((0..60_i64, -1..=1_i64));
    let dossier = ((0..60_i64, due()), hours(), hours(), prop::option::weighted(0.2, 0..200_i64));
    prop::collection::vec(dossier, 1..3).prop_map(|dossiers| {
        let mut commands = Vec::new();
        for (dossier, ((begun, due), ended, handed, letter)) in (0..).zip(dossiers) {
            let begun = start().plus(begun * HOUR);
            let mut say = |at, event| commands.push(command(commands.len() as u64, &name(dossier), at, event));
            say(begun, received(due));
            if let Some((hours, ticks)) = ended {
                let ended = begun.plus(hours * HOUR + ticks.abs());
                say(ended, processed());
                if let Some((hours, ticks)) = handed {
                    say(ended.plus(hours * HOUR + ticks.abs()), Event::Returned { returned_via: None });
                }
            }
            if let Some(hours) = letter {
                say(begun.plus(hours * HOUR), common::letter(None));
            }
        }
        vec![Sent { now: start().plus(30 * DAY), mode: Mode::Each, commands }]
    })
}

/// A cut within some hours of a day, to either side of the cuts before it.
fn cuts() -> impl Strategy<Value = Vec<Timestamp>> {
    let of_day = (
        prop::sample::select(vec![0, 0, 0, 5, 6, 11, 12, 17, 18, 23, 24]),
        prop::sample::select(vec![-2, -1, 0, 0, 1]),
    );
    (-2..14_i64, prop::collection::vec(of_day, 1..7)).prop_map(|(day, of_day)| {
        let midnight = Zone::VIETNAM.first_tick(Zone::VIETNAM.date(start()));
        of_day.into_iter().map(|(hours, ticks)| midnight.plus(day * DAY + hours * HOUR + ticks)).collect()
    })
}

#[test]
fn a_count_moves_on_with_what_changed() {
    let steps = prop::collection::vec((0..12_usize, cuts()), 1..8);
    let copies = prop::sample::select(vec![1, 1, 1, 160]);
    let homes = prop::sample::select(vec!["Asia/Ho_Chi_Minh", "Asia/Ho_Chi_Minh", "UTC", "America/St_Johns"]);
    let histories = prop_oneof![history(), plain_history()];
    let drawn = (histories, copies, homes, prop::collection::vec(questions(), 1..4), steps);
    let (moved, counted) = (Cell::new(0), Cell::new(0));
    let outcome = TestRunner::new(config(400)).run(&drawn, |(history, copies, home, questions, steps)| {
        let records = recorded(&history);
        let mut rest = records.as_slice();
        let mut recounted = Recounted::new(Zone::parse(home).unwrap());
        let mut kept: Vec<Option<Remembered>> = questions.iter().map(|_| None).collect();
        for (more, cuts) in steps {
            let (next, behind) = rest.split_at(more.min(rest.len()));
            rest = behind;
            recounted.take(&multiplied(next, copies));
            for (query, kept) in questions.iter().zip(&mut kept) {
                for cut in &cuts {
                    let query = RatesQuery { as_of: Moment::Instant(*cut), ..query.clone() };
                    let answer = kept.as_mut().and_then(|kept| kept.rates(&recounted.views, &query));
                    let answer = match answer {
                        Some(answer) => {
                            moved.set(moved.get() + 1);
                            answer
                        }
                        None => {
                            counted.set(counted.get() + 1);
                            let (answer, remembered) = Remembered::new(&recounted.views, &query);
                            *kept = remembered;
                            answer
                        }
                    };
                    prop_assert_eq!(answer, recounted.views.rates_one_by_one(&query), "{:?}", query);
                }
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
    let (moved, counted) = (moved.get(), counted.get());
    assert!(moved > 1000 && counted > 100, "{moved} counts were moved on, {counted} made anew");
}
