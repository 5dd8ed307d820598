//! Rows that are judged at a glance, by their days, count as those that are judged one by one: at bounds by day, in mid-day
//! and a tick beside, whatever the definition, the grouping, the filter and the zone.

#![allow(clippy::unwrap_used)]

mod common;

use common::drawn::{history, recorded, start};
use common::{DAY, HOUR, Recounted, code, config};
use dunghen_engine::rules::{Cohort, ComparedBy, DEFINITIONS, Definition, Judged, SecondSupplement};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{Filter, FormKey, FormQuery, GroupKey, Moment, RatesQuery, Views};
use proptest::prelude::*;

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
