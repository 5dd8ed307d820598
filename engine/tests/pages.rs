//! Pages of lists are the whole list cut in pieces: that of obligations and that of dossiers, whatever is asked for, as of
//! whenever, in pages of any size and from any place on, held against a list for which every row is judged at length.

#![allow(clippy::unwrap_used)]

mod common;

use common::drawn::{history, recorded, start};
use common::{DAY, HOUR, Recounted, code, config};
use dunghen_engine::dossier::{Code, Event, Reckoned, Restated, Statement};
use dunghen_engine::record::Record;
use dunghen_engine::rules::DEFINITIONS;
use dunghen_engine::time::{Due, Timestamp, Zone};
use dunghen_engine::views::{
    Filter, Item, ListQuery, Moment, ObligationCursor, ObligationFilter, ObligationItem, ObligationQuery,
    OutcomeFilter, StateFilter, Views,
};
use proptest::prelude::*;

/// So often a history is told again, each time of other dossiers: as many chunks as that fills.
const TOLD: usize = 900;
/// So many of them at the same time, so that many dossiers have the same dues.
const TOGETHER: usize = 12;

/// A due some days later. One that is far from all others is drawn near, if wanted: chunks that hold such a one can hardly be
/// passed over.
fn later(due: Option<Due>, days: i32, near: bool) -> Option<Due> {
    let far = |due: Due| due.last_moment(&Zone::VIETNAM).since(start()).abs() > 100 * DAY;
    let week = Due::Date(Zone::VIETNAM.date(start()).plus(7));
    due.map(|due| match if near && far(due) { week } else { due } {
        Due::Date(date) => Due::Date(date.plus(days)),
        Due::Instant(at) => Due::Instant(at.plus(i64::from(days) * DAY)),
    })
}

fn told_later(event: Event, days: i32, near: bool) -> Event {
    match event {
        Event::Received { unit, procedure, field, channel, due, applicant_kind } => {
            Event::Received { unit, procedure, field, channel, due: later(due, days, near), applicant_kind }
        }
        Event::Supplemented { due } => Event::Supplemented { due: later(due, days, near) },
        Event::Paid { due } => Event::Paid { due: later(due, days, near) },
        Event::ApologySent { letter_number, reason_code, signer, sent_via, new_due } => {
            Event::ApologySent { letter_number, reason_code, signer, sent_via, new_due: later(new_due, days, near) }
        }
        Event::Corrected { target_event_id, reason_code, replacement } => {
            let replacement = replacement.map(|restated| {
                let Restated { occurred_at, desk, actor, event } = *restated;
                let occurred_at = occurred_at.plus(i64::from(days) * DAY);
                Box::new(Restated { occurred_at, desk, actor, event: told_later(event, days, near) })
            });
            Event::Corrected { target_event_id, reason_code, replacement }
        }
        other => other,
    }
}

/// The records of a history, told again and again of other dossiers, each some days later; the first has that position.
fn many(records: &[Record], first: u64, near: bool) -> Vec<Record> {
    let mut all = Vec::new();
    for n in 0..TOLD {
        let days = i32::try_from(n / TOGETHER).unwrap();
        let before = first + all.len() as u64;
        // The codes of those that are told together lie in another order than their rows.
        let name = |dossier: &Code| code(&format!("{dossier}-{:03}", (n * 7) % TOLD));
        for record in records.iter().cloned() {
            let statement = record.statement;
            all.push(Record {
                position: before + record.position,
                recorded_at: record.recorded_at.plus(i64::from(days) * DAY),
                previous: record.previous.map(|previous| before + previous),
                reckoned: Reckoned { due: later(record.reckoned.due, days, near), ..record.reckoned },
                statement: Statement {
                    dossier: name(&statement.dossier),
                    occurred_at: statement.occurred_at.plus(i64::from(days) * DAY),
                    event: told_later(statement.event, days, near),
                    ..statement
                },
                ..record
            });
        }
    }
    all
}

/// A date, or a moment at midnight, at noon or anywhere, and a tick to either side.
fn moment() -> impl Strategy<Value = Moment> {
    let midnight = Zone::VIETNAM.first_tick(Zone::VIETNAM.date(start()));
    prop_oneof![
        3 => (-6..90_i32).prop_map(|n| Moment::Date(Zone::VIETNAM.date(start()).plus(n))),
        4 => (-6..90_i64, prop::sample::select(vec![0, 5 * HOUR, 12 * HOUR]), -2..=2_i64)
            .prop_map(move |(day, of_day, ticks)| Moment::Instant(midnight.plus(day * DAY + of_day + ticks))),
        1 => prop::sample::select(vec![Timestamp::EARLIEST, Timestamp::LATEST]).prop_map(Moment::Instant),
    ]
}

fn filters() -> impl Strategy<Value = Filter> {
    let none = Filter::default;
    prop::sample::select(vec![
        none(),
        none(),
        none(),
        Filter { unit: Some(code("H44")), ..none() },
        Filter { procedure: Some(code("1.001")), ..none() },
        Filter { field: Some(code("unheard of")), ..none() },
    ])
}

/// What both lists are asked: the period, the cut, the filter, the zone, the size of a page, and which place it begins at.
type Common = (Option<Moment>, Option<Moment>, Moment, Filter, Option<Zone>, usize, prop::sample::Index, i64);

fn common() -> impl Strategy<Value = Common> {
    (
        prop::option::weighted(0.3, moment()),
        prop::option::weighted(0.3, moment()),
        moment(),
        filters(),
        prop::option::weighted(0.15, prop::sample::select(vec![Zone::UTC, Zone::VIETNAM])),
        prop::sample::select(vec![0, 1, 2, 30, 500, 10_000]),
        any::<prop::sample::Index>(),
        -1..=1_i64,
    )
}

fn obligation_questions() -> impl Strategy<Value = (ObligationQuery, prop::sample::Index, i64)> {
    let states = ObligationFilter::ALL.into_iter().map(|(state, _)| Some(state)).chain([None]).collect::<Vec<_>>();
    (prop::sample::select(states), common()).prop_map(|(state, common)| {
        let (from, to, as_of, filter, zone, page_size, begin, ticks) = common;
        (ObligationQuery { state, from, to, as_of, filter, zone, page_size, after: None }, begin, ticks)
    })
}

fn list_questions() -> impl Strategy<Value = (ListQuery, prop::sample::Index, i64)> {
    let states = StateFilter::ALL.into_iter().map(|(state, _)| Some(state)).chain([None]).collect::<Vec<_>>();
    let outcomes = OutcomeFilter::ALL.into_iter().map(|(outcome, _)| Some(outcome)).chain([None]).collect::<Vec<_>>();
    let what = (
        prop::sample::select(states),
        prop::option::weighted(0.4, prop::sample::select(outcomes)),
        prop::sample::select(DEFINITIONS.to_vec()),
        prop::sample::select(vec![HOUR, 2 * DAY, 40 * DAY]),
    );
    (what, common()).prop_map(|((state, outcome, definition, due_within_ms), common)| {
        let (from, to, as_of, filter, zone, page_size, begin, ticks) = common;
        let query = ListQuery {
            state,
            outcome,
            definition,
            from,
            to,
            as_of,
            due_within_ms,
            filter,
            zone,
            page_size,
            after: None,
        };
        (query, begin, ticks)
    })
}

/// The part of a list that is a page behind a place, and whether another follows.
fn cut<'a, T, P: PartialOrd>(
    all: &'a [T],
    place: impl Fn(&T) -> P,
    after: Option<&P>,
    size: usize,
) -> (&'a [T], Option<P>) {
    let begin = after.map_or(0, |after| all.partition_point(|item| place(item) <= *after));
    let end = all.len().min(begin.saturating_add(size));
    let page = &all[begin..end];
    (page, page.last().filter(|_| end < all.len()).map(&place))
}

fn obligations_are_cut(
    views: &Views,
    query: &ObligationQuery,
    begin: prop::sample::Index,
    ticks: i64,
) -> Result<usize, TestCaseError> {
    let all = views.obligations_one_by_one(&ObligationQuery { page_size: usize::MAX, ..query.clone() });
    let place = |item: &ObligationItem| -> ObligationCursor {
        (item.obligation.deadline, Code::clone(&item.dossier), item.obligation.promise)
    };
    prop_assert!(all.items.is_sorted_by_key(place));
    prop_assert_eq!(&all.next, &None);
    // From the front; behind any that is in the list; and from a place at which there may be none.
    let any = (!all.items.is_empty()).then(|| place(begin.get(&all.items)));
    let beside = any.clone().map(|(deadline, dossier, promise)| (deadline.plus(ticks * HOUR), dossier, promise));
    for after in [None, any, beside] {
        let page = views.obligations(&ObligationQuery { after: after.clone(), ..query.clone() });
        let (wanted, next) = cut(&all.items, place, after.as_ref(), query.page_size);
        prop_assert_eq!(&page.items, wanted, "behind {:?}: {:?}", after, query);
        prop_assert_eq!(&page.next, &next, "behind {:?}: {:?}", after, query);
        prop_assert_eq!((page.position, page.as_of), (all.position, all.as_of));
    }
    Ok(all.items.len())
}

fn lists_are_cut(
    views: &Views,
    query: &ListQuery,
    begin: prop::sample::Index,
    ticks: i64,
) -> Result<usize, TestCaseError> {
    let all = views.list_one_by_one(&ListQuery { page_size: usize::MAX, ..query.clone() });
    let home = views.home();
    let place =
        |item: &Item| (item.due.map_or(Timestamp::MAX, |due| due.last_moment(home)), Code::clone(&item.dossier));
    prop_assert!(all.items.is_sorted_by_key(place));
    prop_assert_eq!(&all.next, &None);
    let any = (!all.items.is_empty()).then(|| place(begin.get(&all.items)));
    let beside = any.clone().map(|(due, dossier)| (due.plus(ticks * HOUR), dossier));
    for after in [None, any, beside] {
        let page = views.list(&ListQuery { after: after.clone(), ..query.clone() });
        let (wanted, next) = cut(&all.items, place, after.as_ref(), query.page_size);
        prop_assert_eq!(&page.items, wanted, "behind {:?}: {:?}", after, query);
        prop_assert_eq!(&page.next, &next, "behind {:?}: {:?}", after, query);
        prop_assert_eq!((page.position, page.as_of), (all.position, all.as_of));
    }
    Ok(all.items.len())
}

proptest! {
    #![proptest_config(config(32))]

    #[test]
    fn pages_are_pieces_of_the_list(
        histories in prop::collection::vec(history(), 1..3),
        home in prop::sample::select(vec!["Asia/Ho_Chi_Minh", "Asia/Ho_Chi_Minh", "UTC", "America/St_Johns"]),
        near in prop::bool::weighted(0.7),
        obligations in prop::collection::vec(obligation_questions(), 20),
        lists in prop::collection::vec(list_questions(), 12),
    ) {
        let mut recounted = Recounted::new(Zone::parse(home).unwrap());
        // The later ones go on with the dossiers of the first, whose chunks are changed for it.
        for history in &histories {
            let records = many(&recorded(history), recounted.views.position(), near);
            recounted.take(&records);
        }
        for (query, begin, ticks) in &obligations {
            obligations_are_cut(&recounted.views, query, *begin, *ticks)?;
        }
        for (query, begin, ticks) in &lists {
            lists_are_cut(&recounted.views, query, *begin, *ticks)?;
        }
    }
}
