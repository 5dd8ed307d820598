//! The service of rules: a file becomes publications, and versions become text again.

use crate::messages::rules as say;
use crate::pb::rules_service_server::RulesService;
use crate::rules::{MOST_BYTES, Rules};
use crate::services::{Services, ask, moment, one_of};
use crate::{pb, status, wire};
use dunghen_engine::dossier::Rejection;
use dunghen_engine::rules::{Code, DEFINITIONS, Definition, Names, Publication, Rule, RuleKind, Rulebook};
use dunghen_engine::time::Date;
use dunghen_engine::{Engine, Published, Refused, ReplayFilter};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The field that a file of rules comes in.
const FILE: &str = "file";

#[tonic::async_trait]
impl RulesService for Services {
    async fn publish(&self, request: Request<pb::PublishRequest>) -> Result<Response<pb::PublishResponse>, Status> {
        let pb::PublishRequest { file, dry_run } = request.into_inner();
        if file.len() > MOST_BYTES {
            let rejection = Rejection::TooLarge { size: file.len(), limit: MOST_BYTES, unit: "bytes" };
            return Err(status::of_rejection(&rejection, &self.zone()));
        }
        let rules = Rules::parse(&file).map_err(|fault| status::bad_question(FILE, &fault.text()))?;
        let engine = Arc::clone(self.engine());
        let known = engine.rules();
        let built_in = DEFINITIONS.map(|d| (RuleKind::Definition, Code::from(d.id)));
        let names = known.all().map(|v| (v.publication.rule.kind(), Arc::clone(&v.publication.code)));
        rules
            .check_names(&names.chain(built_in).collect())
            .map_err(|fault| status::bad_question(FILE, &fault.text()))?;
        let publications = rules.publications.clone();
        let published = match dry_run {
            true => would_be(&known, publications),
            false => ask(move || engine.publish(publications, "".into())).await?,
        };
        let published = published.map_err(|refused| match refused {
            Refused::Unfit { index, why } => status::bad_question(FILE, &rules.fault(index, say::unfit(&why)).text()),
            other => status::of_refused(&other, &self.zone()),
        })?;
        let notes = rules.notes().into_iter().map(|(publication, text)| pb::RuleNote {
            kind: publication.rule.kind().name().to_owned(),
            code: publication.code.to_string(),
            text_vi: text.vi,
            text_en: text.en,
        });
        let notes = notes.collect();
        let rules = published.into_iter().map(|p| pb::PublishedRule {
            kind: p.kind.name().to_owned(),
            code: p.code.to_string(),
            version: p.number,
            position: p.position,
            duplicate: p.duplicate,
        });
        Ok(Response::new(pb::PublishResponse { rules: rules.collect(), notes }))
    }

    async fn list_rules(
        &self,
        request: Request<pb::ListRulesRequest>,
    ) -> Result<Response<pb::ListRulesResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.reach(request.min_position, &metadata).await?;
        let kind = match request.kind.as_str() {
            "" => None,
            name => Some(one_of("kind", name, RuleKind::parse(name), &RuleKind::ALL.map(|(_, name)| name))?),
        };
        let zone = self.zone();
        let on = moment("as_of", request.as_of)?.map(|m| zone.date(m.as_of(&zone)));
        let engine = Arc::clone(self.engine());
        let answer = ask(move || {
            let (position, rules) = (engine.position(), engine.rules());
            let wanted = |k: RuleKind, code: &str| {
                kind.is_none_or(|kind| kind == k) && (request.code.is_empty() || request.code == code)
            };
            let built_in = definitions();
            let constant = built_in.iter().map(|p| (p, 0, None));
            let known = rules.all().map(|v| (&*v.publication, v.number, v.position));
            let mut versions: Vec<_> = constant
                .chain(known)
                .filter(|(p, ..)| wanted(p.rule.kind(), &p.code))
                .filter(|(p, _, position)| on.is_none_or(|day| is_in_force(&rules, p, *position, day)))
                .collect();
            // Stable: the versions of a rule stay as they were recorded.
            versions.sort_by_key(|(p, ..)| (p.rule.kind(), Arc::clone(&p.code)));
            let told = versions.into_iter().map(|(p, number, position)| version(&engine, p, number, position));
            let rules = told.collect::<Result<_, _>>()?;
            Ok(pb::ListRulesResponse { rules, position, time_zone: zone.name().to_owned() })
        });
        answer.await?.map(Response::new)
    }
}

/// What publishing would come to, by the rules as they are.
fn would_be(known: &Rulebook, publications: Vec<Publication>) -> Result<Vec<Published>, Refused> {
    let mut rules = known.clone();
    let publish = |(index, publication): (usize, Publication)| {
        let (kind, code) = (publication.rule.kind(), Arc::clone(&publication.code));
        if let Some(same) = rules.repeated(&publication) {
            return Ok(Published { kind, code, number: same.number, position: same.position, duplicate: true });
        }
        // No position: it is not recorded. In the trial it follows all that is.
        let number = rules.publish(publication, Some(u64::MAX)).map_err(|why| Refused::Unfit { index, why })?;
        Ok(Published { kind, code, number, position: None, duplicate: false })
    };
    publications.into_iter().enumerate().map(publish).collect()
}

/// The definitions of rates that every directory has, as if they had been published before time began.
fn definitions() -> Vec<Publication> {
    let publication = |d: Definition| Publication {
        code: d.id.into(),
        effective_from: Date::EARLIEST,
        rule: Rule::Definition(Definition { id: "", ..d }),
    };
    DEFINITIONS.into_iter().map(publication).collect()
}

/// Whether what is received on this day, if all that is known was recorded before, follows this version.
fn is_in_force(rules: &Rulebook, publication: &Publication, position: Option<u64>, day: Date) -> bool {
    match rules.in_force(publication.rule.kind(), &publication.code, day, u64::MAX) {
        Some(version) => version.position == position && *version.publication == *publication,
        // Nothing was published under this id: the definition that every directory has.
        None => publication.effective_from <= day && position.is_none(),
    }
}

/// A version as the schemas have it; when it was recorded stands in the log.
fn version(
    engine: &Engine,
    publication: &Publication,
    number: u32,
    position: Option<u64>,
) -> Result<pb::RuleVersion, Status> {
    let recorded_at = position.map(|position| {
        let filter = ReplayFilter { from: position, to: Some(position + 1), ..ReplayFilter::default() };
        engine.replay(filter).next().transpose().map_err(|e| status::of_log(&e))
    });
    let recorded_at = recorded_at.transpose()?.flatten().map(|logged| wire::timestamp(logged.recorded_at()));
    let names = names(&publication.rule).cloned().unwrap_or_default();
    Ok(pb::RuleVersion {
        rule: Some(wire::published(publication, number)),
        built_in: position.is_none(),
        position,
        recorded_at,
        name_vi: names.vi,
        name_en: names.en,
    })
}

fn names(rule: &Rule) -> Option<&Names> {
    match rule {
        Rule::Unit(unit) => Some(&unit.names),
        Rule::Procedure(procedure) => Some(&procedure.names),
        Rule::Apology(apology) => Some(&apology.names),
        Rule::Reason(reason) => Some(&reason.names),
        Rule::ReportPeriod(period) => Some(&period.names),
        Rule::Tiers(tables) => Some(&tables.names),
        Rule::Calendar(_) | Rule::Definition(_) | Rule::Target(_) => None,
    }
}
