//! Working time: dues that others computed by hand or by law, and what holds for every calendar.
//!
//! The properties are checked against the slow way, which walks day by day. The seed is fixed; PROPTEST_RNG_SEED and
//! PROPTEST_CASES explore. The 23,013 dues of the reference are checked where the built-in calendar is read.

#![allow(clippy::unwrap_used)]

use dunghen_engine::calendar::{
    AfterSupplement, Calendar, CalendarError, DayOff, DayOffKind, DayOffReason, MS_PER_HOUR, Span, Term, TermError,
    What, WorkedDay, WorkingTime,
};
use dunghen_engine::time::{Date, Due, Moment, Timestamp, Zone};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::ops::Range;

const H: i64 = MS_PER_HOUR;
const DAY: i64 = 24 * H;
const HOME: Zone = Zone::VIETNAM;

fn day(text: &str) -> Date {
    Date::parse(text).unwrap_or_else(|| panic!("{text}"))
}

/// `2025-09-10 09:30`, in Vietnam.
fn at(text: &str) -> Timestamp {
    let text = text.replace(' ', "T");
    let seconds = if text.len() == 16 { ":00" } else { "" };
    Timestamp::parse(&format!("{text}{seconds}+07:00")).unwrap_or_else(|| panic!("{text}"))
}

fn moment(text: &str) -> Moment {
    Date::parse(text).map_or_else(|| Moment::Instant(at(text)), Moment::Date)
}

fn off(date: &str, kind: DayOffKind) -> DayOff {
    DayOff { date: day(date), vi: format!("nghỉ {date}"), en: format!("off {date}"), kind }
}

/// What of the Vietnamese years 2023 to 2026 the examples need.
fn vietnam() -> Calendar {
    use DayOffKind::{Compensation, Holiday, Swap};
    let days_off = [
        ("2025-04-07", Holiday),
        ("2025-04-30", Holiday),
        ("2025-05-01", Holiday),
        ("2025-05-02", Swap),
        ("2025-09-01", Holiday),
        ("2025-09-02", Holiday),
        ("2026-02-16", Holiday),
        ("2026-02-17", Holiday),
        ("2026-02-18", Holiday),
        ("2026-02-19", Holiday),
        ("2026-02-20", Holiday),
        ("2026-04-26", Holiday),
        ("2026-04-27", Compensation),
        ("2026-04-30", Holiday),
        ("2026-05-01", Holiday),
        ("2026-11-24", Holiday),
    ];
    let mut reception: [Vec<Span>; 7] = Default::default();
    reception[5] = vec![span(7, 30, 11, 30)];
    Calendar {
        code: "vn".to_owned(),
        effective_from: day("2023-01-01"),
        first: day("2023-01-01"),
        last: day("2026-12-31"),
        weekly_days_off: [false, false, false, false, false, true, true],
        days_off: days_off.map(|(date, kind)| off(date, kind)).to_vec(),
        working_days: vec![WorkedDay { date: day("2025-04-26"), vi: "làm bù".into(), en: "worked".into() }],
        hours: vec![span(7, 30, 11, 30), span(13, 30, 17, 0)],
        reception,
        cut_off: 15 * H,
    }
}

fn span(from: i64, from_minute: i64, to: i64, to_minute: i64) -> Span {
    Span { from: from * H + from_minute * 60_000, to: to * H + to_minute * 60_000 }
}

fn time() -> WorkingTime {
    WorkingTime::new(vietnam(), HOME).unwrap()
}

/// A due as `2025-09-10` or `2025-09-10 11:30`.
fn said(due: Due) -> String {
    match due {
        Due::Date(date) => date.to_string(),
        Due::Instant(t) => {
            let minutes = HOME.time_of_day(t) / 60_000;
            assert_eq!(HOME.time_of_day(t) % 60_000, 0, "{t}");
            format!("{} {:02}:{:02}", HOME.date(t), minutes / 60, minutes % 60)
        }
    }
}

fn due(received: &str, phases: &[Term]) -> String {
    time().due(moment(received), phases).map_or_else(|e| e.to_string(), said)
}

#[test]
fn the_vectors_of_the_domain() {
    let days = |received, n| due(received, &[Term::WorkingDays(n)]);
    assert_eq!(days("2023-10-27 09:32", 5), "2023-11-03");
    assert_eq!(days("2025-04-24", 3), "2025-04-28", "Saturday 26/4 is worked");
    assert_eq!(days("2025-04-28", 2), "2025-05-05");
    assert_eq!(days("2026-11-20", 3), "2026-11-26");
    let mut without = vietnam();
    without.days_off.retain(|d| d.date != day("2026-11-24"));
    let without = WorkingTime::new(without, HOME).unwrap();
    assert_eq!(without.due(moment("2026-11-20"), &[Term::WorkingDays(3)]).map(said), Ok("2026-11-25".into()));
    assert_eq!(days("2025-09-06 10:00", 1), "2025-09-08", "received on a Saturday morning");
    assert_eq!(days("2025-09-08 16:30", 1), "2025-09-09", "the cut-off moves same-day procedures only");
    assert_eq!(time().due(moment("2025-09-08"), &[Term::WorkingDays(1)]), Ok(Due::Date(day("2025-09-09"))));
}

#[test]
fn calendar_days_and_months_count_every_day_and_end_on_a_working_one() {
    assert_eq!(due("2025-09-08 09:00", &[Term::Days(3)]), "2025-09-11");
    assert_eq!(due("2025-09-08 09:00", &[Term::Days(5)]), "2025-09-15", "a Saturday");
    assert_eq!(due("2025-04-25", &[Term::Days(5)]), "2025-05-05", "30/4 and all that follows is off");
    assert_eq!(due("2025-04-25", &[Term::Days(1)]), "2025-04-26", "a working Saturday");
    assert_eq!(due("2025-09-10", &[Term::Months(1)]), "2025-10-10");
    assert_eq!(due("2025-01-31", &[Term::Months(1)]), "2025-02-28");
    assert_eq!(due("2024-12-31", &[Term::Months(2)]), "2025-02-28");
    assert_eq!(due("2026-03-26", &[Term::Months(1)]), "2026-04-28", "a Sunday holiday and its compensation");
}

#[test]
fn hours_run_in_office_hours_and_end_as_soon_as_they_have_run() {
    let hours = |received, n| due(received, &[Term::Hours(n)]);
    assert_eq!(hours("2025-09-08 07:30", 4), "2025-09-08 11:30", "not after lunch");
    assert_eq!(hours("2025-09-08 09:30", 4), "2025-09-08 15:30", "over lunch");
    assert_eq!(hours("2025-09-08 12:00", 1), "2025-09-08 14:30", "filed at lunch");
    assert_eq!(hours("2025-09-08 16:00", 2), "2025-09-09 08:30", "over night, whatever the cut-off");
    assert_eq!(hours("2025-09-05 16:00", 8), "2025-09-08 16:30", "over a weekend: 1 h, 4 h, 3 h");
    assert_eq!(hours("2025-09-06 09:00", 4), "2025-09-08 11:30", "a Saturday morning of reception runs nothing");
    assert_eq!(hours("2025-04-25 16:00", 2), "2025-04-26 08:30", "a working Saturday runs");
    assert_eq!(hours("2025-04-29 16:00", 2), "2025-05-05 08:30", "over the holidays");
    assert_eq!(hours("2025-09-08 22:00", 15), "2025-09-10 17:00", "two whole days of 7 h 30");
    assert_eq!(hours("2025-09-08", 4), "2025-09-08 11:30", "a bare date runs from its morning");
}

#[test]
fn same_day_procedures_and_their_cut_off() {
    let same_day = |received| due(received, &[Term::WorkingDays(0)]);
    assert_eq!(same_day("2025-09-08 07:00"), "2025-09-08");
    assert_eq!(same_day("2025-09-08 15:00"), "2025-09-08", "at the cut-off is not after it");
    assert_eq!(same_day("2025-09-08 15:00:00.001"), "2025-09-09");
    assert_eq!(same_day("2025-09-08"), "2025-09-08", "a bare date has no cut-off");
    assert_eq!(same_day("2025-09-05 16:00"), "2025-09-08", "a Friday");
    assert_eq!(same_day("2025-09-06 09:00"), "2025-09-08", "a Saturday morning of reception");
    assert_eq!(same_day("2025-09-06"), "2025-09-08");
    assert_eq!(same_day("2025-04-25 15:30"), "2025-04-26", "a working Saturday");
    for none in [Term::Days(0), Term::Months(0)] {
        assert_eq!(due("2025-09-08 16:00", &[none]), "2025-09-09");
    }
}

#[test]
fn phases_follow_each_other() {
    assert_eq!(due("2025-03-10", &[Term::WorkingDays(10), Term::Days(40)]), "2025-05-05", "24/3, and 40 days: 3/5");
    assert_eq!(due("2025-09-08 09:00", &[Term::Hours(4), Term::WorkingDays(2)]), "2025-09-10");
    assert_eq!(due("2025-09-08", &[Term::WorkingDays(2), Term::Hours(4)]), "2025-09-11 11:30");
    assert_eq!(due("2025-09-08 16:00", &[Term::WorkingDays(0), Term::WorkingDays(0)]), "2025-09-09");
    assert_eq!(due("2025-09-08", &[]), TermError::NoTerm.to_string());
    let far = [Term::Days(u32::MAX), Term::Months(u32::MAX), Term::WorkingDays(u32::MAX), Term::Hours(u32::MAX)];
    for term in far {
        assert_eq!(time().due(moment("2025-09-08 09:00"), &[term]), Err(TermError::TooFar), "{term:?}");
    }
    assert_eq!(time().due(Moment::Date(Date::LATEST), &[Term::Days(1)]), Err(TermError::TooFar));
    assert!(time().due(Moment::Date(Date::EARLIEST), &[Term::Days(1)]).is_ok());
}

fn resumed(due: &str, term: Term, from: &str, to: &str) -> String {
    let due = match moment(due) {
        Moment::Date(date) => Due::Date(date),
        Moment::Instant(t) => Due::Instant(t),
    };
    time().resume(due, term, at(from)..at(to)).map_or_else(|e| e.to_string(), said)
}

#[test]
fn after_a_wait_what_was_left_is_counted_again() {
    let days = |due, from, to| resumed(due, Term::WorkingDays(5), from, to);
    assert_eq!(days("2025-09-11", "2025-09-08 09:00", "2025-09-15 09:00"), "2025-09-18", "definitions II.1, 07");
    assert_eq!(days("2025-09-11", "2025-09-05 09:00", "2025-09-08 09:00"), "2025-09-12", "definitions II.1, 09");
    assert_eq!(days("2025-09-11", "2025-09-08 09:00", "2025-09-08 16:00"), "2025-09-11", "within a day");
    assert_eq!(days("2025-04-29", "2025-04-28 09:00", "2025-05-02 09:00"), "2025-05-05", "answered on a day off");
    assert_eq!(days("2025-04-29", "2025-04-28 09:00", "2025-05-05 09:00"), "2025-05-06", "over the holidays");
    assert_eq!(days("2025-09-11", "2025-09-11 09:00", "2025-09-15 16:00"), "2025-09-15", "asked on the last day");
    assert_eq!(days("2025-09-11", "2025-09-12 09:00", "2025-09-15 09:00"), "2025-09-11", "missed before");
    assert_eq!(days("2025-09-11", "2025-09-10 09:00", "2025-09-09 09:00"), "2025-09-11", "no wait at all");
    assert_eq!(days("2025-09-11 10:00", "2025-09-08 09:00", "2025-09-15 09:00"), "2025-09-18 10:00");
    assert_eq!(
        resumed("2025-09-12", Term::Days(10), "2025-09-08 09:00", "2025-09-16 10:00"),
        "2025-09-22",
        "8 days: a Saturday"
    );
    assert_eq!(resumed("2025-10-10", Term::Months(1), "2025-09-11 09:00", "2025-09-13 10:00"), "2025-10-13");
    let hours = |due, from, to| resumed(due, Term::Hours(8), from, to);
    assert_eq!(hours("2025-09-08 16:30", "2025-09-08 14:30", "2025-09-10 10:30"), "2025-09-10 14:30", "2 h left");
    assert_eq!(hours("2025-09-08 16:30", "2025-09-08 14:30", "2025-09-08 14:45"), "2025-09-08 16:45");
    assert_eq!(hours("2025-09-08 16:30", "2025-09-08 14:30", "2025-09-13 09:00"), "2025-09-15 09:30", "a Saturday");
    assert_eq!(hours("2025-09-08 11:30", "2025-09-08 11:45", "2025-09-10 10:30"), "2025-09-08 11:30", "missed before");
    let same_day = |to| resumed("2025-09-08", Term::WorkingDays(0), "2025-09-08 09:00", to);
    assert_eq!(["2025-09-09 10:00", "2025-09-09 16:00"].map(same_day), ["2025-09-09", "2025-09-10"]);
}

#[test]
fn several_waits_phases_and_beginning_again() {
    let due = |received, phases: &[Term], waits: &[(&str, &str)], then| {
        let waits: Vec<Range<Timestamp>> = waits.iter().map(|(from, to)| at(from)..at(to)).collect();
        time().due_after(moment(received), phases, &waits, then).map_or_else(|e| e.to_string(), said)
    };
    let resume = AfterSupplement::Resume;
    let waits = [("2025-09-08 09:00", "2025-09-10 09:00"), ("2025-09-11 09:00", "2025-09-15 09:00")];
    let five = [Term::WorkingDays(5)];
    assert_eq!(due("2025-09-04 09:00", &five, &waits[..0], resume), "2025-09-11");
    assert_eq!(due("2025-09-04 09:00", &five, &waits[..1], resume), "2025-09-15", "3 left after 10/9");
    assert_eq!(due("2025-09-04 09:00", &five, &waits, resume), "2025-09-17", "2 left after 15/9");
    assert_eq!(due("2025-09-04 09:00", &five, &waits, AfterSupplement::Restart), "2025-09-22", "5 after 15/9");
    // A payment over the holidays, then papers.
    let waits = [("2025-04-28 09:00", "2025-05-05 09:00"), ("2025-05-06 10:00", "2025-05-08 09:00")];
    assert_eq!(due("2025-04-24 09:00", &five, &waits[..0], resume), "2025-05-05");
    assert_eq!(due("2025-04-24 09:00", &five, &waits[..1], resume), "2025-05-07", "2 left after 5/5");
    assert_eq!(due("2025-04-24 09:00", &five, &waits, resume), "2025-05-09", "1 left after 8/5");
    // 24/3, then 40 days. A wait in the first phase moves the second with it, one in the second moves it alone.
    let two = [Term::WorkingDays(10), Term::Days(40)];
    assert_eq!(due("2025-03-10", &two, &[("2025-03-20 09:00", "2025-03-25 09:00")], resume), "2025-05-06", "27/3");
    assert_eq!(due("2025-03-10", &two, &[("2025-04-01 09:00", "2025-04-11 09:00")], resume), "2025-05-15");
    let late = [("2025-06-01 09:00", "2025-06-10 09:00")];
    for then in [AfterSupplement::Resume, AfterSupplement::Restart] {
        assert_eq!(due("2025-03-10", &two, &late, then), "2025-05-05", "missed before: {then:?}");
    }
}

#[test]
fn deadlines_of_letters_and_time_held() {
    let time = time();
    assert_eq!(time.working_day_before(day("2025-05-05"), 1), day("2025-04-29"), "decree-61, definitions II.4");
    assert_eq!(time.working_day_after(day("2025-05-05"), 2), day("2025-05-07"), "grace-2, definitions II.5");
    assert_eq!(time.working_day_after(day("2025-05-03"), 0), day("2025-05-03"), "grace-0 is the day itself");
    let four = time.add(at("2025-04-29 16:00"), 4 * H);
    assert_eq!(said(Due::Instant(four)), "2025-05-05 10:30", "grace-4 hours");
    let end_of_day = time.add(HOME.last_tick(day("2025-04-29")), 4 * H);
    assert_eq!(said(Due::Instant(end_of_day)), "2025-05-05 11:30");
    assert_eq!(time.between(at("2025-04-29 16:00"), at("2025-05-05 09:00")), 2 * H + H / 2);
    assert_eq!(time.between(at("2025-05-05 09:00"), at("2025-04-29 16:00")), -2 * H - H / 2);
    assert_eq!(time.working_days_between(day("2025-04-24"), day("2025-05-05")), 5);
    assert_eq!(said(Due::Instant(time.subtract(at("2025-05-05 09:00"), 2 * H))), "2025-04-29 16:30");
}

#[test]
fn an_explanation_names_every_day() {
    let time = time();
    let steps = |received: &str, phases: &[Term]| -> Vec<String> {
        let explained = time.explain(moment(received), phases).unwrap();
        let word = |off: Option<DayOffReason>| match off {
            None => String::new(),
            Some(DayOffReason::Weekly) => " weekly".to_owned(),
            Some(DayOffReason::ReceptionOnly) => " reception".to_owned(),
            Some(DayOffReason::Named(d)) => format!(" {}", d.kind.name()),
        };
        let what = |what: What| match what {
            What::Begins => "begins".to_owned(),
            What::AfterCutOff => "cut-off".to_owned(),
            What::Counted { number, worked, off } => {
                format!("{number}{}{}", if worked.is_some() { " worked" } else { "" }, word(off))
            }
            What::Months { number, off } => format!("{number} months{}", word(off)),
            What::Hours { ms, total } => format!("{} min of {}", ms / 60_000, total / 60_000),
            What::Off(off) => format!("off{}", word(Some(off))),
            What::Ends => "ends".to_owned(),
        };
        explained.steps.iter().map(|s| format!("{} {} {}", s.phase, &s.date.to_string()[5..], what(s.what))).collect()
    };
    assert_eq!(
        steps("2025-04-25 09:00", &[Term::WorkingDays(4)]),
        [
            "0 04-25 begins",
            "0 04-26 1 worked",
            "0 04-27 off weekly",
            "0 04-28 2",
            "0 04-29 3",
            "0 04-30 off holiday",
            "0 05-01 off holiday",
            "0 05-02 off swap",
            "0 05-03 off reception",
            "0 05-04 off weekly",
            "0 05-05 4"
        ]
    );
    assert_eq!(
        steps("2026-04-24", &[Term::Days(2), Term::Hours(1)]),
        [
            "0 04-24 begins",
            "0 04-25 1 reception",
            "0 04-26 2 holiday",
            "0 04-27 off compensation",
            "0 04-28 ends",
            "1 04-28 begins",
            "1 04-29 60 min of 60"
        ]
    );
    assert_eq!(
        steps("2025-09-05 16:00", &[Term::Hours(8)]),
        ["0 09-05 60 min of 60", "0 09-06 off reception", "0 09-07 off weekly", "0 09-08 420 min of 480"]
    );
    assert_eq!(
        steps("2025-09-05 16:00", &[Term::WorkingDays(0)]),
        ["0 09-05 cut-off", "0 09-06 off reception", "0 09-07 off weekly", "0 09-08 ends"]
    );
    assert_eq!(steps("2026-03-26", &[Term::Months(1)])[1..3], ["0 04-26 1 months holiday", "0 04-27 off compensation"]);
    let known = |received| time.explain(moment(received), &[Term::WorkingDays(5)]).map(|e| e.known);
    assert_eq!([known("2026-12-24"), known("2026-12-25"), known("2022-12-30")], [Ok(true), Ok(false), Ok(false)]);
}

#[test]
fn outside_of_its_days_a_calendar_counts_weeks() {
    let time = time();
    // 1/1/2027 is a holiday, but this calendar ends with 2026.
    assert!(time.is_working(day("2027-01-01")) && !time.is_working(day("2027-01-02")));
    assert_eq!(time.working_day_after(day("2026-12-31"), 1), day("2027-01-01"));
    assert_eq!(time.working_day_before(day("2023-01-02"), 1), day("2022-12-30"));
    assert_eq!(time.working_days_between(day("2022-12-29"), day("2023-01-02")), 2);
}

#[test]
fn calendars_that_cannot_be_counted_with_are_refused() {
    let check = |change: fn(&mut Calendar)| {
        let mut calendar = vietnam();
        change(&mut calendar);
        WorkingTime::new(calendar, HOME).map(|_| ()).unwrap_err()
    };
    let (first, last) = (day("2023-01-01"), day("2026-12-31"));
    assert!(matches!(check(|c| c.last = day("2022-12-31")), CalendarError::Reversed { .. }));
    assert_eq!(check(|c| c.last = day("2223-01-03")), CalendarError::TooLong { first, last: day("2223-01-03") });
    assert_eq!(check(|c| c.weekly_days_off = [true; 7]), CalendarError::NoWeekday);
    assert_eq!(check(|c| c.hours.clear()), CalendarError::NoHours);
    assert_eq!(check(|c| c.hours.reverse()), CalendarError::Hours);
    assert_eq!(check(|c| c.hours[1].to = 25 * H), CalendarError::Hours);
    assert_eq!(check(|c| c.hours[0].to = c.hours[0].from), CalendarError::Hours);
    assert_eq!(check(|c| c.hours[0].from = -1), CalendarError::Hours);
    assert_eq!(check(|c| c.reception[5][0].to = 0), CalendarError::Hours);
    assert_eq!(check(|c| c.cut_off = 24 * H + 1), CalendarError::CutOff);
    assert_eq!(check(|c| c.days_off.swap(0, 1)), CalendarError::Order(day("2025-04-07")));
    assert_eq!(check(|c| c.days_off.insert(0, c.days_off[0].clone())), CalendarError::Order(day("2025-04-07")));
    assert_eq!(check(|c| c.last = day("2026-11-23")), CalendarError::Outside(day("2026-11-24")));
    assert_eq!(check(|c| c.working_days[0].date = day("2025-04-25")), CalendarError::NotOff(day("2025-04-25")));
    assert_eq!(check(|c| c.working_days[0].date = day("2026-04-26")), CalendarError::NotOff(day("2026-04-26")));
    assert!(WorkingTime::new(Calendar { last: first.plus(1260), ..vietnam() }, HOME).is_err());
    assert!(WorkingTime::new(Calendar { last, ..vietnam() }, HOME).is_ok());
}

// What holds for every calendar.

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let rng_seed = match std::env::var_os("PROPTEST_RNG_SEED") {
        Some(_) => default.rng_seed,
        None => RngSeed::Fixed(20_250_910),
    };
    ProptestConfig { rng_seed, failure_persistence: None, ..default }
}

/// Calendars of four months, which are left on both sides, in zones with and without clock changes.
fn calendars() -> impl Strategy<Value = WorkingTime> {
    let week = any::<[bool; 7]>().prop_filter("no day of the week is worked", |w| w.contains(&false));
    // Clocks are changed at night, and an office that is open then has no sure hours.
    let hours = proptest::collection::btree_set(5 * 60..24 * 60_i64, 2..7);
    let special = proptest::collection::btree_set(0..120_i32, 0..30);
    let zone = prop_oneof![Just(HOME), Just(Zone::parse("Europe/Amsterdam").unwrap())];
    (week, hours, special, zone, 0..=24 * 60_i64).prop_map(|(week, hours, special, zone, cut_off)| {
        let first = day("2025-02-03");
        let (mut days_off, mut working_days) = (Vec::new(), Vec::new());
        for n in special {
            let date = first.plus(n);
            if week[date.weekday() as usize] && n % 2 == 0 {
                working_days.push(WorkedDay { date, vi: String::new(), en: String::new() });
            } else {
                days_off.push(off(&date.to_string(), DayOffKind::Holiday));
            }
        }
        let minutes: Vec<i64> = hours.into_iter().collect();
        let hours = minutes.chunks_exact(2).map(|p| Span { from: p[0] * 60_000, to: p[1] * 60_000 }).collect();
        let calendar = Calendar {
            first,
            last: first.plus(119),
            weekly_days_off: week,
            days_off,
            working_days,
            hours,
            cut_off: cut_off * 60_000,
            ..vietnam()
        };
        WorkingTime::new(calendar, zone).unwrap()
    })
}

fn dates() -> impl Strategy<Value = Date> {
    (-60..180_i32).prop_map(|n| day("2025-02-03").plus(n))
}

fn instants() -> impl Strategy<Value = Timestamp> {
    (dates(), prop_oneof![3 => (0..24 * 60_i64).prop_map(|m| m * 60_000), 1 => 0..DAY])
        .prop_map(|(date, time)| HOME.at(date, time))
}

fn terms() -> impl Strategy<Value = Term> {
    prop_oneof![
        (0..60_u32).prop_map(Term::Hours),
        (0..40_u32).prop_map(Term::WorkingDays),
        (0..60_u32).prop_map(Term::Days),
        (0..4_u32).prop_map(Term::Months),
    ]
}

/// Whether a day is worked, by reading the calendar.
fn works(time: &WorkingTime, date: Date) -> bool {
    let calendar = time.calendar();
    calendar.working_days.iter().any(|d| d.date == date)
        || (!calendar.weekly_days_off[date.weekday() as usize] && !calendar.days_off.iter().any(|d| d.date == date))
}

/// Working milliseconds between two instants, span by span.
fn worked(time: &WorkingTime, a: Timestamp, b: Timestamp) -> i64 {
    let zone = time.zone();
    let days = (zone.date(a).0..=zone.date(b).0).map(Date).filter(|d| works(time, *d));
    days.flat_map(|d| time.calendar().hours.iter().map(move |s| (zone.at(d, s.from).max(a), zone.at(d, s.to).min(b))))
        .map(|(from, to)| to.since(from).max(0))
        .sum()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn days_are_counted_as_by_walking(time in calendars(), date in dates(), n in 1..60_u32) {
        prop_assert_eq!(time.is_working(date), works(&time, date));
        let mut after = (date.0 + 1..).map(Date).filter(|d| works(&time, *d));
        let nth = after.nth(n as usize - 1).unwrap();
        prop_assert_eq!(time.working_day_after(date, n), nth);
        prop_assert_eq!(time.working_days_between(date, nth), i64::from(n));
        prop_assert_eq!(time.working_days_between(nth, date), -i64::from(n));
        let mut before = (0..date.0).rev().map(Date).filter(|d| works(&time, *d));
        prop_assert_eq!(time.working_day_before(date, n), before.nth(n as usize - 1).unwrap());
        let from = (date.0..).map(Date).find(|d| works(&time, *d)).unwrap();
        prop_assert_eq!(time.working_day_from(date), from);
        prop_assert_eq!(time.working_day_before(time.working_day_after(from, n), n), from);
    }

    #[test]
    fn hours_are_counted_as_by_walking(time in calendars(), a in instants(), b in instants()) {
        let (a, b) = (a.min(b), a.max(b));
        prop_assert_eq!(time.between(a, b), worked(&time, a, b));
        prop_assert_eq!(time.between(b, a), -worked(&time, a, b));
    }

    #[test]
    fn adding_then_subtracting_returns_to_the_start(time in calendars(), a in instants(), ms in 1..100 * H) {
        let end = time.add(a, ms);
        prop_assert_eq!((worked(&time, a, end), worked(&time, a, end.plus(-1))), (ms, ms - 1), "the earliest");
        let start = time.subtract(end, ms);
        prop_assert_eq!((time.between(a, start), time.between(start, start.plus(1))), (0, 1));
        prop_assert!(start >= a);
        if time.between(a, a.plus(1)) == 1 {
            prop_assert_eq!(start, a, "it lay in working time");
        }
        prop_assert_eq!(time.add(start, ms), end);
        prop_assert_eq!(time.add(end, -ms), start);
        prop_assert_eq!(time.subtract(start, -ms), end);
        prop_assert_eq!((time.add(a, 0), time.subtract(a, 0)), (a, a));
    }

    /// An explanation walks where the due is computed.
    #[test]
    fn explanations_lead_to_the_due(
        time in calendars(), received in instants(), bare in any::<bool>(),
        phases in proptest::collection::vec(terms(), 1..4),
    ) {
        let zone = time.zone();
        let date = zone.date(received);
        let received = if bare { Moment::Date(date) } else { Moment::Instant(received) };
        let explained = time.explain(received, &phases).unwrap();
        prop_assert_eq!(Ok(explained.due), time.due(received, &phases));
        prop_assert_eq!(explained.steps[0].date, date);
        prop_assert_eq!(explained.steps.last().map(|s| s.date), Some(explained.due.date(zone)));
        for (phase, term) in phases.iter().enumerate() {
            let steps: Vec<_> = explained.steps.iter().filter(|s| s.phase == phase).collect();
            let counted = steps.iter().filter(|s| matches!(s.what, What::Counted { .. })).count();
            let hours: i64 = steps.iter().map(|s| if let What::Hours { ms, .. } = s.what { ms } else { 0 }).sum();
            match term {
                Term::Hours(n) => prop_assert_eq!((hours, counted), (i64::from(*n) * H, 0)),
                Term::WorkingDays(n) | Term::Days(n) => prop_assert_eq!((hours, counted), (0, *n as usize)),
                Term::Months(_) => prop_assert_eq!((hours, counted), (0, 0)),
            }
            if !matches!(term, Term::Months(_)) {
                prop_assert!(steps.windows(2).all(|s| s[0].date.plus(1) == s[1].date), "no day is left out");
            }
            for step in &steps {
                let off = !works(&time, step.date);
                match step.what {
                    What::Off(_) => prop_assert!(off),
                    What::Hours { .. } | What::Ends | What::AfterCutOff => prop_assert!(!off),
                    What::Counted { off: said, .. } | What::Months { off: said, .. } => {
                        prop_assert_eq!(said.is_some(), off);
                    }
                    What::Begins => {}
                }
            }
        }
        if explained.due.date(zone) != date && matches!(explained.due, Due::Date(_)) {
            prop_assert!(works(&time, explained.due.date(zone)));
        }
    }

    #[test]
    fn waiting_never_shortens_a_term(
        time in calendars(), received in instants(), phases in proptest::collection::vec(terms(), 1..3),
        gaps in proptest::collection::vec((0..9 * DAY, 0..20 * DAY), 1..5), longer in 0..9 * DAY,
    ) {
        let zone = time.zone();
        let mut waits: Vec<Range<Timestamp>> = Vec::new();
        let mut clock = received;
        for (run, wait) in gaps {
            let from = clock.plus(run);
            clock = from.plus(wait);
            waits.push(from..clock);
        }
        for then in [AfterSupplement::Resume, AfterSupplement::Restart] {
            let due = |waits: &[Range<Timestamp>]| {
                let due = time.due_after(Moment::Instant(received), &phases, waits, then).unwrap();
                due.last_moment(zone)
            };
            for n in 1..=waits.len() {
                let (before, after) = (due(&waits[..n - 1]), due(&waits[..n]));
                prop_assert!(before <= after, "{then:?} {before} {after}");
                if waits[n - 1].start > before {
                    prop_assert_eq!(before, after, "what was missed stays missed");
                }
                let mut stretched = waits[..n].to_vec();
                stretched[n - 1].end = stretched[n - 1].end.plus(longer);
                prop_assert!(after <= due(&stretched), "a longer wait");
            }
        }
    }

    /// What was left of a term before a wait is what is left after it.
    #[test]
    fn waiting_keeps_what_is_left(
        time in calendars(), received in instants(), n in 1..30_u32, run in 0..30 * DAY, wait in 1..40 * DAY,
    ) {
        let zone = time.zone();
        let (from, to) = (received.plus(run), received.plus(run).plus(wait));
        let due = |term| time.due(Moment::Instant(received), &[term]).unwrap();
        let days = due(Term::WorkingDays(n));
        let left = time.working_days_between(zone.date(from), days.date(zone));
        if left > 0 {
            let new = time.resume(days, Term::WorkingDays(n), from..to).unwrap();
            prop_assert_eq!(time.working_days_between(zone.date(to), new.date(zone)), left);
        }
        let hours = due(Term::Hours(n)).last_moment(zone);
        let left = time.between(from, hours);
        if left > 0 {
            let new = time.resume(Due::Instant(hours), Term::Hours(n), from..to).unwrap();
            prop_assert_eq!(time.between(to, new.last_moment(zone)), left);
        }
    }
}
