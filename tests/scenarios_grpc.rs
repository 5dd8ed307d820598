//! The scenarios once more, as a client sees them: over gRPC, through a real server, in the written order and shuffled.

use crate::scenario::{Answer, Answers, Integers, Key, Look, Question, read_all};
use crate::support::Server;
use dunghen::pb;
use dunghen::rules::render;
use dunghen::source::Source;
use dunghen::wire;
use dunghen_engine::dossier::{Code, Due, Statement};
use dunghen_engine::rules::Publication;
use dunghen_engine::time::{Date, Zone};
use std::path::Path;
use tokio::runtime::Runtime;

/// As in the engine's own run of these files.
const AT_LEAST: usize = 4300;
const SEEDS: [u64; 2] = [5157, 766];

/// A server with one population.
struct Served {
    _server: Server,
    source: Source,
    _directory: tempfile::TempDir,
}

struct Grpc {
    runtime: Runtime,
    served: Option<Served>,
}

fn integers(figures: Option<pb::Figures>) -> Integers {
    wire::named(&figures.unwrap_or_default()).into_iter().map(|(name, n)| (name.to_owned(), n)).collect()
}

fn text(code: &Option<Code>) -> String {
    code.as_deref().unwrap_or_default().to_owned()
}

fn filter(question: &Question) -> pb::DossierFilter {
    pb::DossierFilter {
        unit: text(&question.filter.unit),
        procedure: text(&question.filter.procedure),
        field: text(&question.filter.field),
        channel: text(&question.filter.channel),
    }
}

impl Answers for Grpc {
    fn load(&mut self, home: Zone, rules: &[Publication], statements: &[Statement]) -> Result<(), String> {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start_with(directory.path(), &["--time-zone", home.name()]);
        let source = self.runtime.block_on(server.connect());
        // What names another rule comes behind it: the scenario's unit its calendar and its policy.
        for file in rules.iter().map(render) {
            let published = self.runtime.block_on(source.publish(pb::PublishRequest { file, dry_run: false }));
            published.map_err(|status| status.message().to_owned())?;
        }
        for statement in statements {
            let request = pb::RecordRequest { event: Some(wire::event(statement)), expected_version: None };
            let recorded = self.runtime.block_on(source.record(request));
            recorded.map_err(|status| format!("{}: {}", statement.dossier, status.message()))?;
        }
        self.served = Some(Served { _server: server, source, _directory: directory });
        Ok(())
    }

    fn rates(&mut self, question: &Question) -> Result<Answer, String> {
        let served = self.served.as_ref().ok_or("nothing is loaded")?;
        let request = pb::GetRatesRequest {
            definition: question.definition.clone(),
            from: question.from.map(wire::time_point),
            to: question.to.map(wire::time_point),
            as_of: question.as_of.map(wire::time_point),
            by: question.by.clone(),
            filter: Some(filter(question)),
            time_zone: question.zone.map_or_else(String::new, |z| z.name().to_owned()),
            min_position: 0,
        };
        let answer = self.runtime.block_on(served.source.get_rates(request)).map_err(|s| s.message().to_owned())?;
        let key = |group: &pb::RateGroup| -> Key { group.key.iter().map(|k| k.value.clone()).collect() };
        let groups = answer.groups.iter().map(|g| (key(g), integers(g.figures))).collect();
        Ok(Answer { total: integers(answer.total), groups })
    }

    fn look(&mut self, question: &Question) -> Result<Look, String> {
        let served = self.served.as_ref().ok_or("nothing is loaded")?;
        let request = pb::ListDossiersRequest {
            as_of: question.as_of.map(wire::time_point),
            filter: Some(filter(question)),
            ..pb::ListDossiersRequest::default()
        };
        let page = self.runtime.block_on(served.source.list_dossiers(request)).map_err(|s| s.message().to_owned())?;
        let [dossier] = page.dossiers.as_slice() else { return Err(format!("{} dossiers", page.dossiers.len())) };
        let due = match dossier.due_date.as_str() {
            "" => dossier.due.as_ref().and_then(wire::instant).map(Due::Instant),
            date => Date::parse(date).map(Due::Date),
        };
        Ok(Look { due, flags: dossier.flags.clone() })
    }

    fn form(&mut self, question: &Question) -> Result<Answer, String> {
        let served = self.served.as_ref().ok_or("nothing is loaded")?;
        let request = pb::GetFormRequest {
            from: question.from.map(wire::time_point),
            to: question.to.map(wire::time_point),
            as_of: question.as_of.map(wire::time_point),
            by: question.by.first().map_or_else(|| "unit".to_owned(), Clone::clone),
            filter: Some(filter(question)),
            time_zone: question.zone.map_or_else(String::new, |z| z.name().to_owned()),
            min_position: 0,
        };
        let answer = self.runtime.block_on(served.source.get_form(request)).map_err(|s| s.message().to_owned())?;
        let integers = |figures: Option<pb::FormFigures>| -> Integers {
            wire::form_named(&figures.unwrap_or_default()).map(|(name, n)| (name.to_owned(), n)).into()
        };
        let key = |row: &pb::FormRow| -> Key { row.key.iter().map(|k| k.value.clone()).collect() };
        let groups = answer.rows.iter().map(|row| (key(row), integers(row.figures))).collect();
        Ok(Answer { total: integers(answer.total), groups })
    }
}

#[test]
fn every_scenario_over_grpc() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let scenarios = read_all(&directory).unwrap();
    let mut grpc = Grpc { runtime: Runtime::new().unwrap(), served: None };
    let mut checked = 0;
    let mut failures = Vec::new();
    for scenario in &scenarios {
        let report = scenario.check(&scenario.statements, &mut grpc);
        checked += report.checked;
        failures.extend(report.failures);
        for seed in SEEDS {
            let report = scenario.check(&scenario.in_order(Some(seed)), &mut grpc);
            failures.extend(report.failures.into_iter().map(|f| format!("shuffled by {seed}: {f}")));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    println!("{checked} expectations over gRPC, in {} orders", 1 + SEEDS.len());
    assert!(checked >= AT_LEAST, "{checked} expectations, at least {AT_LEAST} were there");
}
