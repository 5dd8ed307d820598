//! Files of rules: what is read, what is refused and at which line, and that what is written reads as the same.

use super::{Fault, Rules, render, sets, vietnam};
use dunghen_engine::calendar::{
    AfterSupplement, Calendar, DayOff, DayOffKind, MS_PER_HOUR, Span, Term, WorkedDay, WorkingTime,
};
use dunghen_engine::rules::{
    ALL_OR_NOTHING, Apology, Bound, Code, Comparator, DEFINITIONS, Definition, Fraction, LetterBy, Marks, Names,
    Parent, Procedure, Publication, Reason, ReportPeriod, Rule, RuleKind, StepTerm, Target, Tier, TierTables, Unit,
    choices,
};
use dunghen_engine::time::{Date, Zone};
use proptest::prelude::*;
use std::collections::BTreeSet;

const FILE: &str = r#"format = 1

[[calendar]]
code = "unit"
effective_from = "2025-01-01"
first = "2025-01-01"
last = "2025-12-31"
weekly_days_off = ["saturday", "sunday"]
hours = ["08:00-12:00", "13:00-24:00"]
reception = { saturday = ["08:00-11:30"] }
cut_off = "16:00"
days_off = [
  { date = "2025-09-02", vi = "Quốc khánh", en = "National Day", kind = "holiday" },
  { date = "2025-09-01", vi = "Quốc khánh", en = "National Day", kind = "holiday" },
]
working_days = [{ date = "2025-04-26", vi = "Làm bù", en = "Worked" }]
"#;

#[test]
fn a_file_becomes_calendars() {
    let rules = Rules::parse(FILE).unwrap();
    let [Publication { rule: Rule::Calendar(calendar), .. }] = rules.publications.as_slice() else {
        panic!("{rules:?}")
    };
    assert_eq!((calendar.code.as_str(), calendar.cut_off), ("unit", 16 * MS_PER_HOUR));
    assert_eq!(calendar.weekly_days_off, [false, false, false, false, false, true, true]);
    assert_eq!(calendar.hours[1], Span { from: 13 * MS_PER_HOUR, to: 24 * MS_PER_HOUR });
    assert_eq!(calendar.reception[5].len(), 1);
    assert!(calendar.days_off.is_sorted_by_key(|d| d.date), "in any order in the file");
    assert_eq!(calendar.working_days[0].vi, "Làm bù");
}

#[test]
fn what_is_wrong_has_a_line_and_a_reason_in_both_languages() {
    let fault = |from: &str, to: &str| {
        assert!(FILE.contains(from), "{from}");
        let fault = Rules::parse(&FILE.replacen(from, to, 1)).unwrap_err();
        let said = fault.text();
        let vietnamese = said.vi;
        assert!(vietnamese.starts_with(&format!("dòng {}: ", fault.line)), "{vietnamese}");
        assert_ne!(fault.what.vi, fault.what.en);
        said.en
    };
    let starts = |from: &str, to: &str, expected: &str| {
        let said = fault(from, to);
        assert!(said.starts_with(expected), "{said}");
    };
    starts("format = 1", "format = 2", "line 1: format: only form 1");
    starts("format = 1", "format = \"1\"", "line 1: format: must be a whole number");
    starts("format = 1", "", "line 1: format: is required");
    starts("cut_off", "cutoff", "line 11: cutoff: there is no such key; the keys are code, ");
    starts("first = \"2025-01-01\"\n", "", "line 3: first: is required");
    starts("\"2025-12-31\"", "2025-12-31", "line 7: last: must be a date in quotes");
    starts("\"2025-12-31\"", "\"2024-12-31\"", "line 3: the last day 2024-12-31 comes before");
    starts("\"sunday\"", "\"Sunday\"", "line 8: weekly_days_off: must be one of monday, ");
    starts("13:00-24:00", "13:00-24:01", "line 9: hours: must be hours such as");
    starts("13:00-24:00", "11:00-24:00", "line 3: hours must ascend");
    starts("08:00-11:30", "8:00-11:30", "line 10: saturday: must be hours such as");
    starts("kind = \"holiday\"", "kind = \"feast\"", "line 13: kind: must be one of holiday, ");
    starts("vi = \"Quốc khánh\"", "vi = \" \"", "line 13: vi: must be a text");
    starts("2025-09-01", "2025-09-02", "line 14: 2025-09-02 is named twice");
    starts("2025-09-01", "2026-09-01", "line 14: 2026-09-01 lies outside");
    starts("2025-04-26", "2025-04-25", "line 16: 2025-04-25 cannot be a working day");
    starts("hours = [", "hours = ", "line 9: is not TOML");
    starts("[[calendar]]", "[calendar]", "line 3: calendar: must be a list");
}

/// One rule of each other kind.
const OTHERS: &str = r#"format = 1

[[unit]]
code = "H44.22"
effective_from = "2025-07-01"
vi = "Sở Y tế"
parents = [
  { unit = "H25.22", from = "2025-07-01", to = "2026-01-01" },
  { unit = "plan" },
]
calendar = "mine"
apology = "soon"

[[procedure]]
code = "1.002600"
effective_from = "2025-07-01"
vi = "Cấp số tiếp nhận"
en = "Receipt number"
field = "Mỹ phẩm"
phases = ["10 working_day", "40 day"]
after_supplement = "restart"
payment_stops_clock = true
steps = [{ unit = "H44.22.01", term = "4 hour" }]

[[apology]]
code = "soon"
effective_from = "2025-07-01"
vi = "Trong bốn giờ làm việc"
letter_by = "4 hour after"
reschedulings = 2

[[reason]]
code = "flood"
effective_from = "2025-07-01"
vi = "Lũ lụt"
objective = true

[[definition]]
code = "latest"
effective_from = "2025-07-01"
cohort = "processed"
compared_by = "date"
promise = "latest"
exits = "ignored"
second_supplement = "late-always"

[[target]]
code = "plan.on-time"
effective_from = "2025-07-01"
source = "Kế hoạch 12/KH-SYT"
clause = "II.3"
metric = "on_time_rate"
comparator = ">="
threshold = "0.985"
denominator = "received"
from = "2025-01-01"
to = "2025-12-31"

[[report_period]]
code = "mid-month"
effective_from = "2025-07-01"
vi = "Chốt ngày 14"
cut_off_day = 15

[[tiers]]
code = "city"
effective_from = "2025-07-01"
vi = "Điểm của thành phố"
full = "1.5"
rate = [
  { above = "99.5", marks = "full" },
  { at_least = "80,25", marks = "0.75" },
  { at_least = 50, marks = "rate" },
]
apology = [{ at_least = 50, marks = 1 }]
"#;

#[test]
fn a_file_becomes_rules_of_every_kind_in_its_order() {
    let rules = Rules::parse(OTHERS).unwrap();
    let kinds: Vec<RuleKind> = rules.publications.iter().map(|p| p.rule.kind()).collect();
    let in_file = RuleKind::ALL.map(|(kind, _)| kind);
    assert_eq!(kinds, in_file[1..]);
    let [unit, procedure, apology, reason, definition, target, period, tiers] = rules.publications.as_slice() else {
        panic!("{kinds:?}")
    };
    let day = |text: &str| Date::parse(text).unwrap();
    assert!(rules.publications.iter().all(|p| p.effective_from == day("2025-07-01")));
    let Rule::Unit(unit) = &unit.rule else { panic!() };
    assert_eq!((unit.calendar.as_deref(), unit.apology.as_deref()), (Some("mine"), Some("soon")));
    assert_eq!(unit.parents[0].to, Some(day("2026-01-01")));
    assert_eq!((&*unit.parents[1].unit, unit.parents[1].from), ("plan", None));
    let Rule::Procedure(procedure) = &procedure.rule else { panic!() };
    assert_eq!(procedure.phases, [Term::WorkingDays(10), Term::Days(40)]);
    assert_eq!((procedure.after_supplement, procedure.payment_stops_clock), (AfterSupplement::Restart, true));
    assert_eq!(procedure.steps, [StepTerm { unit: "H44.22.01".into(), term: Term::Hours(4) }]);
    let Rule::Apology(apology) = &apology.rule else { panic!() };
    assert_eq!((apology.letter_by, apology.reschedulings), (LetterBy::WorkingHoursAfter(4), 2));
    assert!(matches!(&reason.rule, Rule::Reason(reason) if reason.objective && reason.names.vi == "Lũ lụt"));
    let Rule::Definition(definition) = &definition.rule else { panic!() };
    assert_eq!((definition.id, definition.judges_exits), ("", false), "its code is that of the publication");
    let Rule::Target(target) = &target.rule else { panic!() };
    assert_eq!((target.comparator, target.threshold, target.unit.is_none()), (Comparator::AtLeast, 9850, true));
    assert!(matches!(&period.rule, Rule::ReportPeriod(period) if period.cut_off_day == 15));
    let Rule::Tiers(tables) = &tiers.rule else { panic!() };
    let (rate, apology) = tables.with_full(None).unwrap();
    let decimal = |text| Fraction::decimal(text).unwrap();
    assert_eq!(rate.marks(9951, 10_000), Some((decimal("1.5"), 1)));
    assert_eq!(rate.marks(9950, 10_000), Some((decimal("0.75"), 2)), "above is not at least");
    assert_eq!(rate.marks(8024, 10_000), Some((decimal("1.2036"), 3)));
    assert_eq!(rate.marks(49, 100), Some((Fraction::ZERO, 0)));
    assert_eq!((apology.marks(1, 2), apology.full()), (Some((Fraction::ONE, 1)), decimal("1.5")));
    // All or nothing, unless it is said otherwise.
    let unsaid = OTHERS.replace("apology = [{ at_least = 50, marks = 1 }]\n", "");
    let last = Rules::parse(&unsaid).unwrap().publications.pop().unwrap();
    assert!(matches!(&last.rule, Rule::Tiers(tables) if tables.apology == ALL_OR_NOTHING));
}

#[test]
fn every_kind_is_read_strictly() {
    let check = |from: &str, to: &str, expected: &str| {
        assert!(OTHERS.contains(from), "{from}");
        let fault = Rules::parse(&OTHERS.replacen(from, to, 1)).unwrap_err();
        let said = fault.text();
        assert!(said.vi.starts_with(&format!("dòng {}: ", fault.line)) && fault.what.vi != fault.what.en, "{said:?}");
        assert!(said.en.starts_with(expected), "{}", said.en);
    };
    check("[[unit]]", "[[units]]", "line 3: units: there is no such key; the keys are format, calendar, unit, ");
    check("code = \"H44.22\"", "", "line 3: code: is required");
    check("\"H44.22\"", "\"H44\\u0000\"", "line 3: a code has 1 to 200 bytes");
    check("\"2025-07-01\"", "\"1/7/2025\"", "line 5: effective_from: must be a date in quotes");
    check("\"2025-07-01\"", "\"2025-02-29\"", "line 5: effective_from: there is no such date");
    check("effective_from = \"2025-07-01\"", "", "line 3: effective_from: is required");
    check("vi = \"Sở Y tế\"", "", "line 3: vi: is required");
    check("{ unit = \"plan\" }", "{ unti = \"plan\" }", "line 9: unti: there is no such key");
    check("to = \"2026-01-01\"", "to = \"2024-01-01\"", "line 3: 2024-01-01 comes before 2025-07-01");
    check("phases = [", "term = \"3 day\"\nphases = [", "line 21: phases: say term or phases, not both");
    check("\"40 day\"", "\"40 days\"", "line 20: phases: must be a term such as \"3 working_day\"");
    check("\"40 day\"", "\"10001 day\"", "line 20: phases: must be a term");
    check("\"40 day\"", "\"+4 day\"", "line 20: phases: must be a term");
    check("\"4 hour\"", "\"0 hour\"", "line 23: term: must be a term");
    check("\"restart\"", "\"again\"", "line 21: after_supplement: must be one of resume, restart");
    check(
        "payment_stops_clock = true",
        "payment_stops_clock = 1",
        "line 22: payment_stops_clock: must be true or false",
    );
    check("4 hour after", "4 hour before", "line 29: letter_by: must be \"appointment_date\", or as");
    check("reschedulings = 2", "reschedulings = -1", "line 30: reschedulings: must be a whole number from 0 to");
    check("objective = true", "objective = \"yes\"", "line 36: objective: must be true or false");
    check("\"processed\"", "\"decided\"", "line 38: the cohort `decided` needs the promise");
    check("\"late-always\"", "\"late\"", "line 45: second_supplement: must be one of ignored, late-while-waiting, ");
    check("\">=\"", "\"<\"", "line 53: comparator: must be one of >, >=, =");
    for share in ["1.0001", "0.98765", "98.5", ".5", "0.", "-0", "1e0"] {
        check("0.985", share, "line 54: threshold: must be a text from");
    }
    check("to = \"2025-12-31\"", "to = \"2024-12-31\"", "line 47: 2024-12-31 comes before 2025-01-01");
    check("cut_off_day = 15", "cut_off_day = 29", "line 63: cut_off_day: must be a whole number from 1 to 28");
    check("full = \"1.5\"", "", "line 65: full: is required");
    check("\"1.5\"", "1.5", "line 69: full: must be a whole number, or a text in quotes such as \"99.5\"");
    check("\"1.5\"", "\"0.5\"", "line 72: rate: tier 2 gives more than the full marks");
    check("full = \"1.5\"", "full = \"0.75\"", "line 75: apology: tier 1 gives more than the full marks");
    check("above = \"99.5\"", "above = 99.5", "line 71: above: must be a whole number, or a text in quotes");
    check("above = \"99.5\"", "above = \"101\"", "line 71: rate: tier 1 begins above 100 %; write per cent");
    check("above = \"99.5\"", "over = \"99.5\"", "line 71: over: there is no such key; the keys are at_least, ");
    check("above = \"99.5\", ", "", "line 71: say one of at_least and above");
    check("at_least = \"80,25\"", "at_least = 80, above = 80", "line 72: say one of at_least and above");
    check("\"80,25\"", "\"many\"", "line 72: at_least: must be a whole number, or a text in quotes");
    check("marks = \"0.75\"", "marks = \"some\"", "line 72: marks: must be \"full\", \"rate\", or a number of marks");
    check("at_least = 50, marks = \"rate\"", "at_least = 90, marks = 0", "line 73: rate: tier 3 must begin below");
    check("[{ at_least = 50, marks = 1 }]", "[]", "line 65: apology: there is no tier; write at least one");
}

#[test]
fn a_version_stands_once_in_a_file() {
    let twice = format!(
        "{OTHERS}\n[[reason]]\ncode = \"flood\"\neffective_from = \"2025-07-01\"\nvi = \"Lũ\"\nobjective = false\n"
    );
    let said = Rules::parse(&twice).unwrap_err().text();
    assert_eq!(
        said.en,
        "line 77: the reason flood effective from 2025-07-01 stands in line 32 already; say each version once"
    );
    let later = twice.replace("\"2025-07-01\"\nvi = \"Lũ\"", "\"2025-08-01\"\nvi = \"Lũ\"");
    assert_eq!(Rules::parse(&later).unwrap().publications.len(), 9);
}

#[test]
fn what_a_unit_names_must_be_there() {
    let rules = Rules::parse(OTHERS).unwrap();
    let fault = |known| rules.check_names(&known).unwrap_err();
    let calendars = |codes: &[&str]| every_directory_has(codes.iter().map(|code| (RuleKind::Calendar, (*code).into())));
    assert_eq!(
        fault(calendars(&["vietnam", "yours"])).text().en,
        "line 11: calendar: there is no calendar mine; publish it before or in the same file, or name one of vietnam, yours"
    );
    // The policy stands in the same file.
    assert_eq!(rules.check_names(&calendars(&["mine"])), Ok(()));
    let policy = (RuleKind::Apology, "mine".into());
    assert_eq!(fault(every_directory_has([policy])).line, 11, "a policy is no calendar");
}

/// The names of the definitions that need no publication, and some more.
fn every_directory_has(more: impl IntoIterator<Item = (RuleKind, Code)>) -> BTreeSet<(RuleKind, Code)> {
    let definitions = DEFINITIONS.map(|d| (RuleKind::Definition, d.id.into()));
    definitions.into_iter().chain(more).collect()
}

/// A typo in what a target is a share of is found before it is published; what no event tells of is published, with a note.
#[test]
fn what_a_target_is_a_share_of_must_be_there() {
    let with = |metric: &str, denominator: &str| -> Result<Vec<String>, Fault> {
        let file = OTHERS.replace("\"on_time_rate\"", &format!("\"{metric}\""));
        let rules = Rules::parse(&file.replace("\"received\"", &format!("\"{denominator}\"")))?;
        rules.check_names(&every_directory_has([(RuleKind::Calendar, "mine".into())]))?;
        Ok(rules.notes().into_iter().map(|(rule, text)| format!("{}: {}", rule.code, text.en)).collect())
    };
    let fault = |metric, denominator| with(metric, denominator).unwrap_err().text();
    assert_eq!(
        fault("on_time_rate", "recieved").en,
        "line 55: denominator: there is no definition recieved; publish it before or in the same file, or name one of \
         decision-766, first-promise, latest, received, resolved, resolved-instant, returned"
    );
    assert!(fault("on_time_rate", "received_full_online").vi.starts_with("dòng 55: denominator: không có định nghĩa"));
    assert!(fault("online_share", "receive").en.ends_with("returned, received_full_online"));
    assert_eq!(fault("apology_rate", "resolved").en, "line 55: denominator: must be one of apology_obligations, late");
    for (metric, denominator) in [
        ("on_time_rate", "decision-766"),
        ("on_time_rate", "latest"),
        ("apology_rate", "apology_obligations"),
        ("apology_rate", "late"),
        ("online_share", "received"),
    ] {
        assert_eq!(with(metric, denominator), Ok(Vec::new()), "{metric} of {denominator}");
    }
    let no_data = |what| Ok(vec![format!("plan.on-time: no event tells of {what} yet; the target will show no data")]);
    assert_eq!(with("satisfaction", "rated"), no_data("satisfaction"));
    assert_eq!(with("on_time_rat", "received"), no_data("on_time_rat"));
    assert_eq!(with("online_share", "received_full_online"), no_data("online_share of received_full_online"));
}

fn reads_as_itself(publication: &Publication) {
    let text = render(publication);
    let read = Rules::parse(&text).unwrap_or_else(|fault| panic!("{}\n{text}", fault.text().en));
    assert_eq!(read.publications, std::slice::from_ref(publication), "{text}");
    assert_eq!(render(&read.publications[0]), text);
}

#[test]
fn the_built_in_set_is_whole_and_reads_as_itself() {
    let set = sets().remove(0);
    assert_eq!(set.name, "vietnam-1");
    let since = Date::parse("2016-01-01").unwrap();
    for publication in &set.publications {
        // How a report is made is said for periods of any age.
        let any_age = matches!(publication.rule.kind(), RuleKind::ReportPeriod | RuleKind::Tiers);
        let since = if any_age { Date::EARLIEST } else { since };
        assert_eq!(publication.effective_from, since, "{}", publication.code);
        reads_as_itself(publication);
    }
    let of = |kind: RuleKind| set.publications.iter().filter(|p| p.rule.kind() == kind).count();
    let counts = RuleKind::ALL.map(|(kind, _)| of(kind));
    // Definitions: those of every directory need no publication.
    assert_eq!(counts, [1, 1, 15, 3, 15, 0, 23, 2, 1]);
    let built_in = Rules::parse(include_str!("../../../engine/rules/vietnam-1.toml")).unwrap();
    assert_eq!(built_in.check_names(&every_directory_has([])), Ok(()), "what it names is in it");
    assert!(WorkingTime::new(vietnam(), Zone::VIETNAM).is_ok());
}

/// All on time gives the full marks, from 95 % on they are proportional, below there are none.
#[test]
fn the_built_in_tiers_at_their_bounds() {
    let set = sets().remove(0);
    let built_in = set.publications.iter().find(|p| &*p.code == "par-index").unwrap();
    let Rule::Tiers(tables) = &built_in.rule else { panic!("{built_in:?}") };
    assert_eq!(tables.apology, ALL_OR_NOTHING);
    let (rate, apology) = tables.with_full(None).unwrap();
    assert_eq!((rate.full(), apology.full()), (Fraction::ONE, Fraction::ONE));
    let million = 1_000_000;
    for (part, marks, tier) in [
        (million, Fraction::new(1, 1), 1),
        (999_999, Fraction::new(999_999, million), 2),
        (950_000, Fraction::new(95, 100), 2),
        (949_999, Fraction::new(0, 1), 3),
        (0, Fraction::new(0, 1), 3),
    ] {
        assert_eq!(rate.marks(part, million), marks.map(|marks| (marks, tier)), "{part}");
    }
    assert_eq!(rate.marks(0, 0), None);
}

/// The examples of the pages are files that can be published.
#[test]
fn the_pages_show_rules_that_are_read() {
    let set = sets().remove(0).publications;
    let known = every_directory_has(set.iter().map(|p| (p.rule.kind(), p.code.clone())));
    let pages = [
        (include_str!("../../rules/README.md"), "```toml\n", "```", 6),
        (include_str!("../../../README.md"), "cat > city.toml <<'EOF'\n", "EOF\n", 1),
        (include_str!("../../REFERENCE.md"), "```toml\n", "```", 1),
    ];
    for (page, begin, end, count) in pages {
        let (_, rest) = page.split_once(begin).unwrap();
        let (file, _) = rest.split_once(end).unwrap();
        let rules = Rules::parse(file).unwrap_or_else(|fault| panic!("{}\n{file}", fault.text().en));
        assert_eq!(rules.publications.len(), count);
        assert_eq!(rules.check_names(&known), Ok(()));
        rules.publications.iter().for_each(reads_as_itself);
    }
}

#[test]
fn built_in_definitions_can_be_written() {
    for definition in DEFINITIONS {
        let rule = Rule::Definition(Definition { id: "", ..definition });
        let code = format!("own-{}", definition.id);
        reads_as_itself(&Publication { code: code.into(), effective_from: Date::EARLIEST, rule });
    }
}

/// A text that says something, with what TOML must escape among it.
fn said() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zạ-ỹ \"'\\\\#=\\[\\]\n\t\r\u{7f}\u{1}]{0,12}[a-z\"\\\\]", "[\\PC]{0,8}[đ.]"]
}

fn code() -> impl Strategy<Value = dunghen_engine::rules::Code> {
    "[ -~đ]{0,10}[A-Z0-9]".prop_map(|text| text.as_str().into())
}

fn day() -> impl Strategy<Value = Date> {
    (Date::EARLIEST.0..=Date::LATEST.0).prop_map(Date)
}

fn names() -> impl Strategy<Value = Names> {
    (said(), prop_oneof![Just(String::new()), said()]).prop_map(|(vi, en)| Names { vi, en })
}

fn term() -> impl Strategy<Value = Term> {
    (0..4, 0_u32..=10_000).prop_map(|(unit, n)| match unit {
        0 => Term::Hours(n.max(1)),
        1 => Term::WorkingDays(n),
        2 => Term::Days(n),
        _ => Term::Months(n),
    })
}

fn spans() -> impl Strategy<Value = Vec<Span>> {
    // Ascending minutes, two of which make a span.
    proptest::collection::btree_set(0_i64..=1440, 0..5).prop_map(|minutes| {
        let minutes: Vec<i64> = minutes.into_iter().collect();
        minutes.chunks_exact(2).map(|m| Span { from: m[0] * 60_000, to: m[1] * 60_000 }).collect()
    })
}

fn calendar() -> impl Strategy<Value = Calendar> {
    let hours = spans().prop_filter("office hours", |hours| !hours.is_empty());
    let reception = proptest::array::uniform7(spans());
    let days = proptest::collection::btree_map(0_i32..400, (said(), said(), 0_usize..3), 0..6);
    let first = Date::EARLIEST.0..Date::LATEST.0 - 400;
    (first, proptest::array::uniform6(any::<bool>()), hours, reception, 0_i64..=1440, days).prop_map(
        |(first, off, hours, reception, cut_off, days)| {
            let mut weekly_days_off = [false; 7];
            weekly_days_off[..6].copy_from_slice(&off);
            let day = |n: &i32| Date(first + n);
            let weekly = |n: &i32| weekly_days_off[day(n).weekday() as usize];
            let (worked, off): (Vec<_>, Vec<_>) = days.into_iter().partition(|(n, _)| weekly(n) && n % 2 == 0);
            Calendar {
                code: "c".to_owned(),
                effective_from: Date(first),
                first: Date(first),
                last: Date(first + 400),
                weekly_days_off,
                days_off: off
                    .into_iter()
                    .map(|(n, (vi, en, kind))| DayOff { date: day(&n), vi, en, kind: DayOffKind::ALL[kind] })
                    .collect(),
                working_days: worked.into_iter().map(|(n, (vi, en, _))| WorkedDay { date: day(&n), vi, en }).collect(),
                hours,
                reception,
                cut_off: cut_off * 60_000,
            }
        },
    )
}

fn tiers() -> impl Strategy<Value = Rule> {
    let table = || proptest::collection::btree_map(0_u64..=100_000_000, (any::<bool>(), 0..3, any::<u64>()), 1..5);
    let all_or_nothing = any::<bool>();
    (names(), 0_u64..1_000_000_000_000_000, table(), table(), all_or_nothing).prop_map(
        |(names, full, rate, apology, all_or_nothing)| {
            let tier = |(bound, (above, marks, fixed)): (u64, (bool, i32, u64))| {
                let bound = Fraction::of_millionths(bound).hundredth();
                Tier {
                    from: if above { Bound::Above(bound) } else { Bound::AtLeast(bound) },
                    marks: match marks {
                        0 => Marks::Full,
                        1 => Marks::Proportional,
                        _ => Marks::Fixed(Fraction::of_millionths(fixed % (full + 1))),
                    },
                }
            };
            let rate = rate.into_iter().rev().map(tier).collect();
            let apology = apology.into_iter().rev().map(tier).collect();
            let apology = if all_or_nothing { ALL_OR_NOTHING.to_vec() } else { apology };
            Rule::Tiers(TierTables { names, full: Fraction::of_millionths(full), rate, apology })
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    let parent = (code(), proptest::option::of(day()), proptest::option::of(day())).prop_map(|(unit, a, b)| {
        let (from, to) = if a.zip(b).is_some_and(|(a, b)| a > b) { (b, a) } else { (a, b) };
        Parent { unit, from, to }
    });
    let unit =
        (names(), proptest::collection::vec(parent, 0..3), proptest::option::of(code()), proptest::option::of(code()))
            .prop_map(|(names, parents, calendar, apology)| Rule::Unit(Unit { names, parents, calendar, apology }));
    let step = (code(), term()).prop_map(|(unit, term)| StepTerm { unit, term });
    let procedure = (
        names(),
        proptest::option::of(code()),
        proptest::collection::vec(term(), 0..4),
        any::<(bool, bool)>(),
        proptest::collection::vec(step, 0..3),
    )
        .prop_map(|(names, field, phases, (restarts, payment_stops_clock), steps)| {
            let after_supplement = if restarts { AfterSupplement::Restart } else { AfterSupplement::Resume };
            Rule::Procedure(Procedure { names, field, phases, after_supplement, payment_stops_clock, steps })
        });
    let apology = (names(), 0..3, 0_u32..=10_000, 0_u32..=1000).prop_map(|(names, kind, n, reschedulings)| {
        let letter_by = match kind {
            0 => LetterBy::WorkingDaysBefore(n % 3),
            1 => LetterBy::WorkingDaysAfter(n),
            _ => LetterBy::WorkingHoursAfter(n),
        };
        Rule::Apology(Apology { names, letter_by, reschedulings })
    });
    let reason = (names(), any::<bool>()).prop_map(|(names, objective)| Rule::Reason(Reason { names, objective }));
    let definition = (0_usize..4, 0_usize..2, 0_usize..2, any::<bool>(), 0_usize..3).prop_map(|(a, b, c, d, e)| {
        Rule::Definition(Definition {
            id: "",
            cohort: choices::COHORTS[a].0,
            compared_by: choices::COMPARED_BY[b].0,
            judged: choices::PROMISES[c].0,
            judges_exits: d,
            second_supplement: choices::SECOND_SUPPLEMENTS[e].0,
        })
    });
    let target = (
        said(),
        said(),
        code(),
        0_usize..3,
        0_u32..=10_000,
        code(),
        proptest::option::of(code()),
        day(),
        day(),
        said(),
    )
        .prop_map(|(source, clause, metric, sign, threshold, denominator, unit, a, b, note)| {
            Rule::Target(Target {
                source,
                clause,
                metric,
                comparator: Comparator::ALL[sign].0,
                threshold,
                denominator,
                unit,
                from: a.min(b),
                to: a.max(b),
                note,
            })
        });
    let period =
        (names(), 1_u32..=28).prop_map(|(names, cut_off_day)| Rule::ReportPeriod(ReportPeriod { names, cut_off_day }));
    prop_oneof![unit, procedure, apology, reason, definition, target, period, tiers()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_as_the_same(code in code(), effective_from in day(), rule in rule()) {
        reads_as_itself(&Publication { code, effective_from, rule });
    }

    #[test]
    fn a_calendar_that_is_written_reads_as_the_same(calendar in calendar()) {
        reads_as_itself(&Publication::of_calendar(calendar));
    }
}
