//! Rules in the log: which version is in force for whom, that a later publication changes nothing that was promised, and
//! that a restart finds the same again.

#![allow(clippy::unwrap_used)]

mod common;

use common::{HOME, HOUR, TestClock, at, code, command, engine_over, memory, one, processed, rule_set};
use dunghen_engine::calendar::{Calendar, DayOff, DayOffKind, Term};
use dunghen_engine::dossier::{Code, Due, Event, Flag};
use dunghen_engine::log::MemoryLog;
use dunghen_engine::rules::{
    Cohort, ComparedBy, Definition, Judged, Parent, Procedure, Publication, RESOLVED, Rule, RuleKind, SecondSupplement,
    Unit,
};
use dunghen_engine::time::Date;
use dunghen_engine::views::{Figure, Filter, Moment, RatesQuery};
use dunghen_engine::{Engine, Published, Refused};
use std::sync::Arc;

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn publish(code: &str, from: &str, rule: Rule) -> Publication {
    Publication { code: code.into(), effective_from: day(from), rule }
}

/// The calendar of [`rule_set`], with one more day off.
fn calendar_without(date: &str, from: &str) -> Publication {
    let built_in = rule_set().publications.into_iter().find_map(|p| match p.rule {
        Rule::Calendar(calendar) => Some(calendar),
        _ => None,
    });
    let mut calendar: Calendar = built_in.unwrap();
    calendar.effective_from = day(from);
    calendar
        .days_off
        .push(DayOff { date: day(date), vi: "nghỉ".into(), en: "off".into(), kind: DayOffKind::Holiday });
    calendar.days_off.sort_by_key(|d| d.date);
    Publication::of_calendar(calendar)
}

/// A procedure like that of [`rule_set`], with another term.
fn procedure(name: &str, from: &str, term: Term) -> Publication {
    let built_in = rule_set().publications.into_iter().find_map(|p| match p.rule {
        Rule::Procedure(procedure) => Some(procedure),
        _ => None,
    });
    publish(name, from, Rule::Procedure(Procedure { phases: vec![term], ..built_in.unwrap() }))
}

struct Office {
    log: Arc<MemoryLog>,
    clock: Arc<TestClock>,
    engine: Engine,
    said: u64,
}

impl Office {
    fn open(now: &str) -> Office {
        let (log, clock) = (memory(), TestClock::at(at(now)));
        let engine = engine_over(&log, &clock);
        Office { log, clock, engine, said: 0 }
    }

    fn restart(self) -> Office {
        self.engine.close().unwrap();
        let engine = engine_over(&self.log, &self.clock);
        Office { engine, ..self }
    }

    fn publish(&self, publications: Vec<Publication>) -> Vec<Published> {
        self.engine.publish(publications, code("")).unwrap()
    }

    fn say(&mut self, dossier: &str, when: &str, event: Event) -> dunghen_engine::dossier::Flags {
        self.said += 1;
        self.clock.set(at(when));
        one(&self.engine, command(self.said, dossier, at(when), event)).flags
    }

    fn receive(&mut self, dossier: &str, when: &str, procedure: &str, due: Option<Due>) -> Option<Due> {
        let event = Event::Received {
            unit: code("H44"),
            procedure: Some(code(procedure)),
            field: None,
            channel: None,
            due,
            applicant_kind: None,
        };
        self.say(dossier, when, event);
        self.due(dossier)
    }

    fn due(&self, dossier: &str) -> Option<Due> {
        let as_of = Moment::Instant(at("2030-01-01T00:00:00Z"));
        self.engine.detail(dossier, as_of).unwrap().unwrap().item.due
    }

    fn rates(&self, definition: Definition) -> Vec<(&'static str, u64)> {
        let query = RatesQuery {
            definition,
            from: None,
            to: None,
            as_of: Moment::Date(day("2025-12-31")),
            by: Vec::new(),
            filter: Filter::default(),
            zone: None,
        };
        self.engine.rates(&query).total.named().collect()
    }

    fn received_in(&self, unit: &str, as_of: &str) -> u64 {
        let query = RatesQuery {
            definition: RESOLVED,
            from: None,
            to: None,
            as_of: Moment::Date(day(as_of)),
            by: Vec::new(),
            filter: Filter { unit: Some(code(unit)), ..Filter::default() },
            zone: None,
        };
        self.engine.rates(&query).total.get(Figure::Received)
    }
}

fn by(text: &str) -> Option<Due> {
    Some(Due::Date(day(text)))
}

/// The heart of it: whoever was promised a day keeps it, whatever is announced afterwards.
#[test]
fn a_holiday_published_after_reception_changes_nothing_promised() {
    let mut office = Office::open("2025-09-01T01:00:00Z");
    // Wednesday + 3 working days is Monday.
    assert_eq!(office.receive("before", "2025-09-03T02:00:00Z", "1.001", None), by("2025-09-08"));
    office.publish(vec![calendar_without("2025-09-05", "2025-01-01")]);
    assert_eq!(
        office.due("before"),
        by("2025-09-08"),
        "pinned, though the new version is effective before its reception"
    );
    assert_eq!(office.receive("after", "2025-09-03T03:00:00Z", "1.001", None), by("2025-09-09"));
    // What the first promised is counted on by its own calendar, too: asked on the 4th with two days left.
    office.say("before", "2025-09-04T02:00:00Z", common::asked());
    office.say("before", "2025-09-04T03:00:00Z", common::answered(None));
    assert_eq!(office.due("before"), by("2025-09-08"));
    let office = office.restart();
    assert_eq!((office.due("before"), office.due("after")), (by("2025-09-08"), by("2025-09-09")));
    let pins = |dossier: &str| {
        let detail = office.engine.detail(dossier, Moment::Date(day("2025-12-31"))).unwrap().unwrap();
        assert!(!detail.history.is_empty());
        detail.history[0].reckoned.due
    };
    assert_eq!(
        (pins("before"), pins("after")),
        (by("2025-09-08"), by("2025-09-09")),
        "the log holds what was reckoned"
    );
}

#[test]
fn the_greatest_effective_day_not_after_reception_counts_and_of_equals_the_one_recorded_last() {
    let mut office = Office::open("2025-09-01T01:00:00Z");
    office.publish(vec![
        procedure("P", "2025-09-10", Term::WorkingDays(1)),
        procedure("P", "2025-09-03", Term::WorkingDays(5)),
        procedure("P", "2025-09-03", Term::WorkingDays(2)),
        procedure("P", "2025-08-01", Term::WorkingDays(10)),
    ]);
    assert_eq!(office.receive("a", "2025-09-02T02:00:00Z", "P", None), by("2025-09-16"), "10 days");
    assert_eq!(office.receive("b", "2025-09-03T02:00:00Z", "P", None), by("2025-09-05"), "2 days, not 5");
    assert_eq!(office.receive("c", "2025-09-09T02:00:00Z", "P", None), by("2025-09-11"), "2 days still");
    // The day of reception is a local one: 10 September begins at 17:00 UTC of the 9th.
    assert_eq!(office.receive("d", "2025-09-09T17:00:00Z", "P", None), by("2025-09-11"), "1 day");
}

#[test]
fn what_is_said_again_is_not_published_again() {
    let office = Office::open("2025-09-01T01:00:00Z");
    let first = office.publish(vec![procedure("P", "2025-09-03", Term::WorkingDays(5))]);
    assert_eq!((first[0].number, first[0].position, first[0].duplicate), (1, Some(0), false));
    let again = office.publish(vec![procedure("P", "2025-09-03", Term::WorkingDays(5))]);
    assert_eq!((again[0].number, again[0].position, again[0].duplicate), (1, Some(0), true));
    let built_in = office.publish(vec![rule_set().publications[0].clone()]);
    assert_eq!((built_in[0].number, built_in[0].position, built_in[0].duplicate), (0, None, true));
    let other = office.publish(vec![procedure("P", "2025-09-03", Term::WorkingDays(6))]);
    assert_eq!((other[0].kind, other[0].number, other[0].position), (RuleKind::Procedure, 2, Some(1)));
    assert_eq!(office.engine.position(), 2);
    let office = office.restart();
    let rules = office.engine.rules();
    let numbers: Vec<u32> = rules.versions(RuleKind::Procedure, "P").iter().map(|v| v.number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn one_that_cannot_be_applied_holds_back_all() {
    let office = Office::open("2025-09-01T01:00:00Z");
    let backwards = match calendar_without("2025-09-05", "2025-01-01") {
        Publication { rule: Rule::Calendar(calendar), .. } => Calendar { last: day("2024-01-01"), ..calendar },
        other => panic!("{other:?}"),
    };
    let both = vec![procedure("P", "2025-09-03", Term::WorkingDays(5)), Publication::of_calendar(backwards)];
    let refused = office.engine.publish(both, code("")).unwrap_err();
    assert!(matches!(refused, Refused::Unfit { index: 1, .. }), "{refused:?}");
    assert_eq!(office.engine.position(), 0);
}

#[test]
fn a_corrected_reception_follows_the_rules_that_were_there() {
    let mut office = Office::open("2025-09-01T01:00:00Z");
    office.receive("a", "2025-09-03T02:00:00Z", "1.001", None);
    office.publish(vec![calendar_without("2025-09-05", "2025-01-01")]);
    // It was a day earlier in truth; the calendar that was published meanwhile still does not count for it.
    let restated = dunghen_engine::dossier::Restated {
        occurred_at: at("2025-09-02T02:00:00Z"),
        desk: None,
        actor: None,
        event: Event::Received {
            unit: code("H44"),
            procedure: Some(code("1.001")),
            field: None,
            channel: None,
            due: None,
            applicant_kind: None,
        },
    };
    let corrected = Event::Corrected {
        target_event_id: common::id(1),
        reason_code: code("slip"),
        replacement: Some(Box::new(restated)),
    };
    office.say("a", "2025-09-03T04:00:00Z", corrected);
    assert_eq!(office.due("a"), by("2025-09-05"), "Tuesday + 3: Wednesday, Thursday, Friday");
}

#[test]
fn units_that_merged_are_found_under_the_new_one() {
    let mut office = Office::open("2025-09-01T01:00:00Z");
    for (n, unit) in [(1, "H44.22"), (2, "H45"), (3, "H46.01")] {
        let event = Event::Received {
            unit: code(unit),
            procedure: None,
            field: None,
            channel: None,
            due: None,
            applicant_kind: None,
        };
        office.say(&format!("d{n}"), "2025-09-03T02:00:00Z", event);
    }
    assert_eq!(office.received_in("H44", "2025-09-10"), 1);
    let merged = |parents: Vec<(&str, Option<&str>, Option<&str>)>| {
        let parents = parents.into_iter().map(|(unit, from, to)| Parent {
            unit: code(unit),
            from: from.map(day),
            to: to.map(day),
        });
        Rule::Unit(Unit { parents: parents.collect(), ..Unit::default() })
    };
    office.publish(vec![
        publish("H45", "2025-01-01", merged(vec![("H44", Some("2025-07-01"), None)])),
        publish(
            "H46",
            "2025-01-01",
            merged(vec![("H45", Some("2025-07-01"), Some("2025-10-01")), ("H44", None, Some("2025-01-01"))]),
        ),
    ]);
    assert_eq!(office.received_in("H44", "2025-09-10"), 3, "H45, and H46.01 by way of H45");
    assert_eq!(office.received_in("H44", "2025-10-01"), 2, "H46 left H45 on that day");
    assert_eq!(office.received_in("H45", "2025-09-10"), 2);
    assert_eq!(office.restart().received_in("H44", "2025-09-10"), 3);
}

/// What other systems show: the promise overwritten by whatever came last.
#[test]
fn a_seventh_definition_is_published() {
    let mut office = Office::open("2025-09-01T01:00:00Z");
    office.receive("overwritten", "2025-09-03T02:00:00Z", "none", by("2025-09-10"));
    office.say("overwritten", "2025-09-12T02:00:00Z", common::letter(by("2025-09-19")));
    office.say("overwritten", "2025-09-15T02:00:00Z", processed());
    office.receive("kept", "2025-09-03T02:00:00Z", "none", by("2025-09-20"));
    office.say("kept", "2025-09-16T02:00:00Z", processed());
    // The newest due is before the one it overwrites, and it is missed.
    office.receive("earlier", "2025-09-03T02:00:00Z", "none", by("2025-09-30"));
    office.say("earlier", "2025-09-04T02:00:00Z", common::asked());
    office.say("earlier", "2025-09-05T02:00:00Z", common::answered(by("2025-09-10")));
    office.say("earlier", "2025-09-17T02:00:00Z", processed());
    let latest = Definition { judged: Judged::Latest, ..RESOLVED };
    let strict = Definition {
        cohort: Cohort::Received,
        compared_by: ComparedBy::Instant,
        second_supplement: SecondSupplement::LateAlways,
        ..RESOLVED
    };
    office.publish(vec![
        publish("latest", "2016-01-01", Rule::Definition(latest)),
        publish("late-always", "2016-01-01", Rule::Definition(strict)),
    ]);
    assert_eq!(office.engine.definition("nobody"), None);
    let found = office.engine.definition("latest").unwrap();
    let figure = |rates: Vec<(&'static str, u64)>, name: &str| rates.into_iter().find(|(n, _)| *n == name).unwrap().1;
    let count = |definition: Definition| {
        let rates = office.rates(definition);
        (figure(rates.clone(), "on_time"), figure(rates, "late"))
    };
    assert_eq!(count(RESOLVED), (1, 2));
    assert_eq!(count(found), (2, 1), "overwritten counts as on time there");
    office.say("kept-2", "2025-09-18T02:00:00Z", common::received(by("2025-10-20")));
    for (n, event) in
        [common::asked(), common::answered(by("2025-10-20")), common::asked(), common::answered(by("2025-10-20"))]
            .into_iter()
            .enumerate()
    {
        office.say("kept-2", &format!("2025-09-19T0{n}:00:00Z"), event);
    }
    office.say("kept-2", "2025-09-22T02:00:00Z", processed());
    let always = office.engine.definition("late-always").unwrap();
    let received = Definition { second_supplement: SecondSupplement::Ignored, ..always };
    let late = |definition| figure(office.rates(definition), "late");
    assert_eq!(late(always), late(received) + 1, "two requests, all answered and on time");
}

#[test]
fn a_due_that_differs_is_flagged_and_kept() {
    let mut office = Office::open("2025-09-01T01:00:00Z");
    let event = |due| Event::Received {
        unit: code("H44"),
        procedure: Some(code("1.001")),
        field: None,
        channel: None,
        due,
        applicant_kind: None,
    };
    assert!(office.say("a", "2025-09-03T02:00:00Z", event(by("2025-09-09"))).has(Flag::DueDiffers));
    assert!(!office.say("b", "2025-09-03T02:00:00Z", event(by("2025-09-08"))).has(Flag::DueDiffers));
    assert_eq!((office.due("a"), office.due("b")), (by("2025-09-09"), by("2025-09-08")), "the desk's word counts");
    let history = office.engine.detail("a", Moment::Date(day("2025-09-03"))).unwrap().unwrap().history;
    assert_eq!(history[0].reckoned.due, by("2025-09-08"), "and the other is kept beside it");
}

/// Steps of linked one-stop: the time that the procedure gives the unit that gets the dossier.
#[test]
fn a_step_due_is_reckoned() {
    let mut office = Office::open("2025-09-01T01:00:00Z");
    office.receive("a", "2025-09-03T02:00:00Z", "1.001", None);
    for (n, (unit, given, expected)) in [
        ("H29.1", None, Some(Due::Instant(at("2025-09-03T02:00:00Z").plus(7 * HOUR)))),
        ("H44.30", None, None),
        ("H29", by("2025-09-05"), Some(Due::Instant(at("2025-09-03T02:00:00Z").plus(7 * HOUR)))),
    ]
    .into_iter()
    .enumerate()
    {
        let forwarded = Event::Forwarded { to_unit: Code::from(unit), step_due: given };
        office.say("a", "2025-09-03T02:00:00Z", forwarded);
        let history = office.engine.detail("a", Moment::Date(day("2025-09-03"))).unwrap().unwrap().history;
        // Six hours from 9:00 with an hour for lunch.
        assert_eq!(history[n + 1].reckoned.due, expected, "{unit}");
    }
    assert_eq!(HOME.name(), "Asia/Ho_Chi_Minh");
}

/// The worklist of letters: what is left of the window in working time, and the reasons of those that were sent.
#[test]
fn forecasts_say_what_is_left_and_letters_why() {
    use dunghen_engine::rules::{Names, Reason};
    use dunghen_engine::views::{ObligationFilter, ObligationQuery, ObligationState};
    let mut office = Office::open("2025-09-01T01:00:00Z");
    let reason = |objective| Rule::Reason(Reason { names: Names::default(), objective });
    office
        .publish(vec![publish("objective", "2025-01-01", reason(true)), publish("slow", "2025-01-01", reason(false))]);
    // H29 owes the letter a working day before: for Monday 8 September that is the end of Friday 5.
    let event = Event::Received {
        unit: code("H29"),
        procedure: None,
        field: None,
        channel: None,
        due: by("2025-09-08"),
        applicant_kind: None,
    };
    for dossier in ["open", "answered", "told-anew"] {
        office.say(dossier, "2025-09-03T02:00:00Z", event.clone());
    }
    office.say("answered", "2025-09-05T02:00:00Z", common::letter(by("2025-09-15")));
    let first = office.said + 1;
    office.say("told-anew", "2025-09-05T02:00:00Z", common::letter(by("2025-09-15")));
    let Event::ApologySent { letter_number, signer, sent_via, new_due, .. } = common::letter(by("2025-09-15")) else {
        panic!("a letter");
    };
    let slow = Event::ApologySent { letter_number, reason_code: Some(code("slow")), signer, sent_via, new_due };
    let restated = dunghen_engine::dossier::Restated {
        occurred_at: at("2025-09-05T02:00:00Z"),
        desk: None,
        actor: None,
        event: slow,
    };
    let corrected = Event::Corrected {
        target_event_id: common::id(first),
        reason_code: code("slip"),
        replacement: Some(Box::new(restated)),
    };
    office.say("told-anew", "2025-09-05T03:00:00Z", corrected);
    let list = |state: Option<ObligationState>, as_of: &str| {
        let query = ObligationQuery {
            state: state.map(ObligationFilter::State),
            from: None,
            to: None,
            as_of: Moment::Instant(at(as_of)),
            filter: Filter::default(),
            zone: None,
            page_size: 10,
            after: None,
        };
        let items = office.engine.obligations(&query).unwrap().items;
        items
            .into_iter()
            .map(|i| {
                (i.dossier.to_string(), i.window_closed, i.left_ms, i.reason_code.map(|c| c.to_string()), i.objective)
            })
            .collect::<Vec<_>>()
    };
    let forecast = |as_of: &str| {
        let (_, closed, left, ..) =
            list(Some(ObligationState::Forecast), as_of).into_iter().find(|(dossier, ..)| dossier == "open").unwrap();
        (closed, left)
    };
    // Thursday 4 September 15:00 local: two hours today and eight tomorrow.
    assert_eq!(forecast("2025-09-04T08:00:00Z"), (false, Some(10 * HOUR)));
    assert_eq!(forecast("2025-09-06T02:00:00Z"), (true, None));
    let missed = list(None, "2025-09-20T02:00:00Z");
    let answered = |dossier: &str, reason: &str, objective| {
        (dossier.to_owned(), false, None, Some(reason.to_owned()), Some(objective))
    };
    assert!(missed.contains(&answered("answered", "objective", true)), "{missed:?}");
    assert!(missed.contains(&answered("told-anew", "slow", false)), "the reason as it was corrected: {missed:?}");
    assert!(missed.contains(&("open".to_owned(), false, None, None, None)), "{missed:?}");
}

/// Corrections of corrections: however long the chain, the first telling stands or falls with its length.
#[test]
fn a_long_chain_of_corrections() {
    const LINKS: u64 = 3000;
    let clock = TestClock::at(at("2025-09-20T02:00:00Z"));
    let engine = engine_over(&memory(), &clock);
    let t = at("2025-09-03T02:00:00Z");
    let mut commands = vec![command(0, "a", t, common::received(by("2025-09-10"))), command(1, "a", t, processed())];
    commands.extend((2..LINKS).map(|n| {
        let (target_event_id, reason_code) = (common::id(n - 1), code("slip"));
        command(n, "a", t, Event::Corrected { target_event_id, reason_code, replacement: None })
    }));
    assert!(common::send(&engine, commands).iter().all(Result::is_ok));
    let ended = || engine.detail("a", Moment::Date(day("2025-12-31"))).unwrap().unwrap().item.ended_at.is_some();
    // The last one annuls the one before it, and so on: an even number of links leaves the end as it was told.
    assert!(ended());
    let one_more =
        Event::Corrected { target_event_id: common::id(LINKS - 1), reason_code: code("slip"), replacement: None };
    one(&engine, command(LINKS, "a", t, one_more));
    assert!(!ended());
}
