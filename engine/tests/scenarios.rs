//! Runs the scenarios of `tests/scenarios` through the core: once folded by hand, without thread and log, once through
//! a whole engine over a log in memory; with the events in the order in which they are written, and in others.

#[path = "../../tests/scenario/mod.rs"]
mod scenario;

use dunghen_engine::dossier::{
    Code, Command, Decision, Dossier, Event, Proposal, Rejection, Restated, Statement, decide, overdue,
};
use dunghen_engine::log::{MemoryLog, genesis};
use dunghen_engine::rules::{Publication, RESOLVED, Rulebook, definition};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{
    FormAnswer, FormFigures, FormKey, FormQuery, GroupKey, ListQuery, Moment, Page, RatesAnswer, RatesQuery, Register,
    Row,
};
use dunghen_engine::{Batch, Clock, Engine, Mode, Options, Purpose, Receipt, RuleSet};
use scenario::{Answer, Answers, Integers, Look, Question, Scenario, shuffled};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// How many expectations there are at least, each counted once a run. A file that goes missing must not go unnoticed.
const AT_LEAST: usize = 4300;
/// Seeds of the orders in which the events are recorded besides the written one.
const SEEDS: [u64; 5] = [1, 2, 3, 5157, 766];

/// The clock: after all that happens in the scenarios.
fn now() -> Timestamp {
    Timestamp::parse("2026-06-01T09:00:00+07:00").expect("a moment")
}

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        now()
    }

    fn elapsed_ms(&self) -> Option<i64> {
        None
    }
}

fn command(statement: &Statement) -> Command {
    Command { statement: statement.clone(), expected_version: None, author: "".into(), imported: false }
}

fn say(statement: &Statement, rejection: &Rejection) -> String {
    let Statement { dossier, occurred_at, event, .. } = statement;
    format!("{} of {dossier} at {occurred_at}: {}: {rejection:?}", event.event_type(), rejection.reason())
}

fn query(question: &Question) -> Result<RatesQuery, String> {
    let Question { definition: id, from, to, as_of, by, zone, filter } = question;
    let key = |name: &String| GroupKey::parse(name).ok_or_else(|| format!("no key {name}"));
    Ok(RatesQuery {
        definition: definition(id).ok_or_else(|| format!("no definition {id}"))?,
        from: *from,
        to: *to,
        as_of: as_of.unwrap_or(Moment::Instant(now())),
        by: by.iter().map(key).collect::<Result<_, _>>()?,
        filter: filter.clone(),
        zone: *zone,
    })
}

fn list_query(question: &Question) -> ListQuery {
    ListQuery {
        state: None,
        outcome: None,
        definition: RESOLVED,
        from: None,
        to: None,
        as_of: question.as_of.unwrap_or(Moment::Instant(now())),
        due_within_ms: 0,
        filter: question.filter.clone(),
        zone: None,
        page_size: 2,
        after: None,
    }
}

fn seen(page: Page) -> Result<Look, String> {
    match page.items.as_slice() {
        [item] => Ok(Look { due: item.due, flags: item.flags.names().into_iter().map(str::to_owned).collect() }),
        items => Err(format!("{} dossiers", items.len())),
    }
}

fn answer(rates: &RatesAnswer) -> Answer {
    let integers = |figures: &dunghen_engine::views::Figures| -> Integers {
        figures.named().map(|(name, n)| (name.to_owned(), n)).collect()
    };
    let key = |value: &Option<Code>| value.as_deref().map(str::to_owned);
    let groups = rates.groups.iter().map(|g| (g.key.iter().map(key).collect(), integers(&g.figures))).collect();
    Answer { total: integers(&rates.total), groups }
}

fn form_query(question: &Question) -> Result<FormQuery, String> {
    let Question { from, to, as_of, by, zone, filter, .. } = question;
    let key = by.first().map_or("unit", String::as_str);
    Ok(FormQuery {
        from: from.ok_or("a form needs a period")?,
        to: to.ok_or("a form needs a period")?,
        as_of: as_of.unwrap_or(Moment::Instant(now())),
        by: FormKey::parse(key).ok_or_else(|| format!("no key {key} of a form"))?,
        filter: filter.clone(),
        zone: *zone,
    })
}

fn form_answer(form: &FormAnswer) -> Answer {
    let integers = |figures: &FormFigures| -> Integers { figures.named().map(|(name, n)| (name.to_owned(), n)).into() };
    let groups = form.rows.iter().map(|(key, figures)| (vec![key.as_deref().map(str::to_owned)], integers(figures)));
    Answer { total: integers(&form.total), groups: groups.collect() }
}

/// When `Late` is recorded by the fold without an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lates {
    /// Only where a decision brings it along.
    Decided,
    /// After every event, all that the dossier owes by now: as an engine does that is never behind.
    AtOnce,
}

/// The pure core: decisions, folds and views, called one after another.
struct Folded {
    lates: Lates,
    dossiers: BTreeMap<Code, Dossier>,
    position: u64,
    rules: Rulebook,
    views: Register,
}

impl Folded {
    fn new(lates: Lates) -> Folded {
        Folded {
            lates,
            dossiers: BTreeMap::new(),
            position: 0,
            rules: Rulebook::new(Zone::VIETNAM),
            views: Register::new(Zone::VIETNAM),
        }
    }

    fn evolve(&mut self, proposal: &Proposal) {
        let statement = &proposal.statement;
        let code = statement.dossier.clone();
        let dossier = self.dossiers.entry(code.clone()).or_insert_with(|| Dossier::new(code));
        let entry = proposal.entry(self.position, now());
        dossier.evolve(&statement.event, proposal.reckoned, entry, &mut self.rules);
        self.position += 1;
    }
}

impl Answers for Folded {
    fn load(&mut self, home: Zone, rules: &[Publication], statements: &[Statement]) -> Result<(), String> {
        *self = Folded { rules: Rulebook::new(home), views: Register::new(home), ..Folded::new(self.lates) };
        for publication in rules {
            self.rules.publish(publication.clone(), None).map_err(|e| e.to_string())?;
        }
        for statement in statements {
            let dossier = self.dossiers.get(&statement.dossier);
            let proposals = match decide(dossier, &command(statement), now(), &self.rules) {
                Ok(Decision::Log(proposals)) => proposals,
                Ok(Decision::Duplicate(_)) => return Err(format!("{} is a duplicate", statement.event_id)),
                Err(rejection) => return Err(say(statement, &rejection)),
            };
            proposals.iter().for_each(|p| self.evolve(p));
            if self.lates == Lates::AtOnce {
                let owed = self.dossiers.get(&statement.dossier).map(|d| overdue(d, now(), &home));
                owed.iter().flatten().for_each(|p| self.evolve(p));
            }
            let row = self.dossiers.get(&statement.dossier).map(|d| Row::new(Arc::new(d.clone()), &home));
            self.views.apply(self.position, row.into_iter().collect());
        }
        Ok(())
    }

    fn rates(&mut self, question: &Question) -> Result<Answer, String> {
        Ok(answer(&self.views.rates(&query(question)?)))
    }

    fn look(&mut self, question: &Question) -> Result<Look, String> {
        seen(self.views.list(&list_query(question)))
    }

    fn form(&mut self, question: &Question) -> Result<Answer, String> {
        Ok(form_answer(&self.views.form(&form_query(question)?)))
    }
}

/// How the events reach the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// All in one batch: no `Late` comes between them.
    Together,
    /// Each on its own: the engine writes the `Late` that are owed before the next one comes.
    OneByOne,
}

/// A whole engine over a log in memory.
struct Whole {
    sent: Sent,
    engine: Option<Engine>,
}

impl Answers for Whole {
    fn load(&mut self, home: Zone, rules: &[Publication], statements: &[Statement]) -> Result<(), String> {
        let genesis = genesis("scenario");
        let log = Box::new(MemoryLog::new(genesis));
        let rule_sets = vec![RuleSet { name: "scenario", publications: rules.to_vec() }];
        let options = Options { clock: Arc::new(Standing), rule_sets, ..Options::new(Purpose::Write) };
        let engine = Engine::over(log, genesis, home, options).map_err(|e| e.to_string())?;
        let size = if self.sent == Sent::Together { statements.len() } else { 1 };
        for group in statements.chunks(size) {
            let batch = Batch { commands: group.iter().map(command).collect(), mode: Mode::Each };
            let receipts = engine.record(batch).map_err(|e| format!("{e:?}"))?;
            for (statement, receipt) in group.iter().zip(receipts) {
                match receipt {
                    Ok(Receipt { duplicate: false, .. }) => {}
                    Ok(receipt) => return Err(format!("{} is a duplicate", receipt.event_id)),
                    Err(rejection) => return Err(say(statement, &rejection)),
                }
            }
        }
        self.engine = Some(engine);
        Ok(())
    }

    fn rates(&mut self, question: &Question) -> Result<Answer, String> {
        let engine = self.engine.as_ref().ok_or("nothing was loaded")?;
        Ok(answer(&engine.rates(&query(question)?)))
    }

    fn look(&mut self, question: &Question) -> Result<Look, String> {
        let engine = self.engine.as_ref().ok_or("nothing was loaded")?;
        seen(engine.list(&list_query(question)))
    }

    fn form(&mut self, question: &Question) -> Result<Answer, String> {
        let engine = self.engine.as_ref().ok_or("nothing was loaded")?;
        Ok(form_answer(&engine.form(&form_query(question)?)))
    }
}

fn scenarios() -> Vec<Scenario> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let scenarios = scenario::read_all(&directory).unwrap_or_else(|why| panic!("{why}"));
    assert!(!scenarios.is_empty(), "no scenario in {}", directory.display());
    scenarios
}

/// Checks every file in the written order and in every shuffled one; a fresh `Answers` each time.
fn run(name: &str, fresh: &dyn Fn() -> Box<dyn Answers>) {
    let mut failures = Vec::new();
    for seed in [None].into_iter().chain(SEEDS.map(Some)) {
        let order = seed.map_or_else(|| "as written".to_owned(), |seed| format!("shuffled by {seed}"));
        let mut checked = 0;
        for scenario in scenarios() {
            let statements = scenario.in_order(seed);
            assert_eq!(statements.len(), scenario.statements.len(), "no event is lost");
            let report = scenario.check(&statements, &mut *fresh());
            checked += report.checked;
            failures.extend(report.failures.into_iter().map(|f| format!("{name}, {order}: {f}")));
        }
        println!("{name}, {order}: {checked} expectations");
        if failures.is_empty() {
            assert!(checked >= AT_LEAST, "{name}, {order}: only {checked} of at least {AT_LEAST} expectations");
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_pure_core_gives_the_figures() {
    run("folded", &|| Box::new(Folded::new(Lates::Decided)));
}

#[test]
fn no_figure_depends_on_late() {
    run("folded with every Late", &|| Box::new(Folded::new(Lates::AtOnce)));
}

#[test]
fn an_engine_gives_the_figures() {
    run("engine, one batch", &|| Box::new(Whole { sent: Sent::Together, engine: None }));
}

#[test]
fn an_engine_gives_the_figures_event_by_event() {
    run("engine, one by one", &|| Box::new(Whole { sent: Sent::OneByOne, engine: None }));
}

/// The orders are really other orders, and what must stay in place does.
#[test]
fn shuffling_keeps_what_must_be_kept() {
    for scenario in scenarios() {
        let written = &scenario.statements;
        let dossiers: std::collections::BTreeSet<&Code> = written.iter().map(|s| &s.dossier).collect();
        let moved = SEEDS.into_iter().any(|seed| shuffled(written, seed) != *written);
        assert!(moved || dossiers.len() < 3, "{}", scenario.file);
        for seed in SEEDS {
            let other = shuffled(written, seed);
            let codes: std::collections::BTreeSet<&Code> = written.iter().map(|s| &s.dossier).collect();
            for code in codes {
                let of = |all: &[Statement]| -> Vec<Statement> {
                    all.iter().filter(|s| s.dossier == *code).cloned().collect()
                };
                let (before, after) = (of(written), of(&other));
                let reception = before.iter().position(|s| matches!(s.event, Event::Received { .. }));
                let kept = reception.map_or(before.len(), |at| at + 1);
                assert_eq!(before[..kept], after[..kept], "{} of {}", code, scenario.file);
                let received = reception.map_or(Timestamp::MIN, |at| before[at].occurred_at);
                let in_time = |mut all: Vec<Statement>| {
                    all.sort_by_key(|s| s.occurred_at.max(received));
                    all
                };
                let (before, after) = (in_time(before.split_off_at(kept)), in_time(after.split_off_at(kept)));
                assert_eq!(before, after, "{} of {}: order of a tick", code, scenario.file);
            }
        }
    }
}

/// What follows a place of a list.
trait SplitOffAt {
    fn split_off_at(self, at: usize) -> Self;
}

impl SplitOffAt for Vec<Statement> {
    fn split_off_at(mut self, at: usize) -> Self {
        self.split_off(at)
    }
}

/// II.5.9: dossier 25 of the population is corrected to another unit in November. From then on it stands in its new row,
/// in the form of the quarter before, too.
#[test]
fn a_correction_moves_a_dossier_to_its_new_row() {
    let scenarios = scenarios();
    let population = scenarios.iter().find(|s| s.file == "population.txt").expect("the population");
    let mut whole = Whole { sent: Sent::Together, engine: None };
    whole.load(population.home, &[], &population.statements).expect("accepted");
    let engine = whole.engine.expect("an engine");
    let day = |text: &str| Moment::Date(Date::parse(text).expect(text));
    let quarter = FormQuery {
        from: day("2025-07-01"),
        to: day("2025-10-01"),
        as_of: day("2025-09-30"),
        by: FormKey::Unit,
        filter: dunghen_engine::views::Filter::default(),
        zone: None,
    };
    let rows = || -> Vec<(String, [u64; 4])> {
        let sums = |f: &FormFigures| [f.total_received(), f.resolved(), f.in_progress(), f.withdrawn];
        let name = |key: &Option<Code>| key.as_deref().unwrap_or("null").to_owned();
        engine.form(&quarter).rows.iter().map(|(key, figures)| (name(key), sums(figures))).collect()
    };
    assert_eq!(rows(), [("H44.22".to_owned(), [22, 14, 6, 2])]);
    let is_reception = |s: &&Statement| &*s.dossier == "25" && matches!(s.event, Event::Received { .. });
    let told = population.statements.iter().find(is_reception).expect("its reception");
    let mut event = told.event.clone();
    if let Event::Received { unit, .. } = &mut event {
        *unit = "H44.30".into();
    }
    let restated = Restated { occurred_at: told.occurred_at, desk: None, actor: None, event };
    let correction = Statement {
        event_id: uuid::Uuid::from_u128(25),
        occurred_at: Timestamp::parse("2025-11-05T09:00:00+07:00").expect("a moment"),
        event: Event::Corrected {
            target_event_id: told.event_id,
            reason_code: "unit".into(),
            replacement: Some(Box::new(restated)),
        },
        ..told.clone()
    };
    let answers = engine.record(Batch { commands: vec![command(&correction)], mode: Mode::Each }).expect("an answer");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(rows(), [("H44.22".to_owned(), [21, 13, 6, 2]), ("H44.30".to_owned(), [1, 1, 0, 0])]);
}

const SMALL: &str = "title Small\nzone Asia/Ho_Chi_Minh\nyear 2025\nunit H44.22\n\
                     dossier A direct\n  in 3/9 due 10/9\n  end 10/9 16:00\n";

/// The checks have teeth: of a wrong expectation the report says where, what was expected, and what came.
#[test]
fn a_wrong_expectation_is_reported() {
    let wrong = "  expect 2025-09-01..2025-10-01 as of 2025-09-11T00:00Z resolved=E received=D apology=missing form=5,8\n\
                 figures resolved 2025-09-01..2025-10-01\n  cohort 1 early 1 on_time_rate 0/1 apology_rate n/a\n\
                 figures resolved ever by month\n  2025-08 received 0\n  2025-09 received 1 resolved 2\n\
                 form 2025-09-01..2025-10-01 by unit\n  H44.22 total_received 1 direct 1 early 1\n";
    let scenario = Scenario::parse("small.txt", &format!("{SMALL}{wrong}")).expect("a scenario");
    let report = scenario.check(&scenario.statements, &mut Folded::new(Lates::Decided));
    assert_eq!(report.checked, 1 + 1 + 6 + 1 + 4 + 1 + 3 + 1 + 3);
    let failures = report.failures.join("\n");
    for line in [
        "small.txt:8 (Small), dossier A: rates --definition resolved --from 2025-09-01 --to 2025-10-01 --as-of \
         2025-09-11T00:00:00.000Z --procedure only-A\n    expected E, got D",
        "expected apology in_time 0, late 0, missing 1 (defective 0), pending 0; got none",
        "small.txt:9 (Small), all dossiers: rates --definition resolved --from 2025-09-01 --to 2025-10-01\n    expected \
         early 1, got 0",
        "expected on_time_rate 0/1, got 1/1",
        "expected rows 2025-08, 2025-09; got 2025-09",
        "row 2025-08: expected received 0, got nothing",
        "row 2025-09: expected resolved 2, got 1",
        "dossier A: report ii-06a --from 2025-09-01 --to 2025-10-01 --as-of 2025-09-11T00:00:00.000Z --procedure only-A\n    \
         expected columns Some([\"direct\", \"early\"]), got {",
        "report ii-06a --from 2025-09-01 --to 2025-10-01 --by unit\n    row H44.22: expected early 1, got 0",
    ] {
        assert!(failures.contains(line), "{line}\nis not in\n{failures}");
    }
    assert_eq!(report.failures.len(), 1 + 6 + 1 + 2 + 3 + 1, "{failures}");
}

#[test]
fn an_event_that_is_refused_is_reported() {
    let text = format!("{SMALL}  end 11/9\n  expect ever resolved=D\n");
    let scenario = Scenario::parse("small.txt", &text).expect("a scenario");
    for mut answers in [
        Box::new(Folded::new(Lates::Decided)) as Box<dyn Answers>,
        Box::new(Whole { sent: Sent::Together, engine: None }),
    ] {
        let report = scenario.check(&scenario.statements, &mut *answers);
        assert_eq!(report.checked, 0);
        assert!(report.failures.join("\n").contains("DOSSIER_ENDED"), "{:?}", report.failures);
    }
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    let cases = [
        ("", "small.txt: nothing is expected in this file"),
        ("figures resolved ever\n", "small.txt: line 8: `figures` without figures"),
        ("  expect ever\n", "small.txt:8: nothing is expected here"),
        ("  expect ever resolved=X\n", "small.txt:8: `X` is not one of E D T L n -"),
        ("  expect ever solved=E\n", "small.txt:8: `solved` is not a definition"),
        ("  expect September resolved=E\n", "small.txt:8: `September` is not a period"),
        ("  expect ever apology=perhaps\n", "small.txt:8: `perhaps` is not a kind of obligation"),
        ("  ending 9/9\n", "small.txt:8: `ending` is not understood here"),
        ("  ret 31/9\n", "small.txt:8: `31/9` is not a date"),
        ("  ret 1/9 24:00\n", "small.txt:8: `24:00` is not a time"),
        ("  ret 1/9 late\n", "small.txt:8: `late` is not understood here"),
        ("  in 1/9\n", "small.txt:8: say `due` and when, or `no due`"),
        ("  let 1/9 without\n", "small.txt:8: `without` what?"),
        ("dossier A\n", "small.txt:8: dossier A is told twice"),
        ("figures resolved ever\n  cohrt 1\n", "small.txt:9: `cohrt` is not a figure"),
        ("figures resolved ever\n  on_time_rate 1\n", "small.txt:9: `1` is not what on_time_rate can be"),
        ("figures resolved ever dossier B\n", "small.txt:8: dossier B is not told before"),
        ("  expect ever form=5,9\n", "small.txt:8: a form needs a period"),
        ("  expect 2025-09-01..2025-10-01 form=5\n", "small.txt:8: `5` is not two columns"),
        ("  expect 2025-09-01..2025-10-01 form=5,11\n", "small.txt:8: `11` is not a column here"),
        ("form ever\n", "small.txt:8: a form needs a period"),
        ("form 2025-09-01..2025-10-01\n", "small.txt: line 8: `form` without figures"),
        ("form 2025-09-01..2025-10-01 by month\n", "small.txt:8: the rows of a form are by unit or by field"),
        ("form 2025-09-01..2025-10-01\n  on_time 1\n", "small.txt:9: `on_time` is not a figure"),
    ];
    for (more, wanted) in cases {
        let why = Scenario::parse("small.txt", &format!("{SMALL}{more}")).map(|_| ()).expect_err(more);
        assert!(why.starts_with(wanted), "{more}: {why}");
    }
}

/// The notations of a moment, against instants written out.
#[test]
fn moments_are_read_as_meant() {
    let text = format!(
        "{SMALL}dossier B\n  in 3/9 due 10/9 17:00\n  let 4/9 7:05 -> 2025-09-12\n  ask 2025-09-05T16:00:00.001\n  \
         sup 2025-09-05T17:30Z\n  expect ever resolved=-\n"
    );
    let scenario = Scenario::parse("small.txt", &text).expect("a scenario");
    let of_b: Vec<&Statement> = scenario.statements.iter().filter(|s| &*s.dossier == "B").collect();
    let times: Vec<String> = of_b.iter().map(|s| s.occurred_at.to_string()).collect();
    assert_eq!(
        times,
        [
            "2025-09-03T02:00:00.000Z",
            "2025-09-04T00:05:00.000Z",
            "2025-09-05T09:00:00.001Z",
            "2025-09-05T17:30:00.000Z"
        ]
    );
    let due = |i: usize| of_b[i].event.due().map(|(_, due)| due);
    let instant = Timestamp::parse("2025-09-10T17:00:00+07:00").expect("a moment");
    assert_eq!(due(0), Some(dunghen_engine::dossier::Due::Instant(instant)));
    assert_eq!(due(1), Date::new(2025, 9, 12).map(dunghen_engine::dossier::Due::Date));
}
