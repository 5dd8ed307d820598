//! Targets as the schemas have them: one row a target and year.

use super::{fraction, text, timestamp};
use crate::messages::targets as texts;
use crate::pb;
use dunghen_engine::time::Zone;
use dunghen_engine::views::{JudgedTarget, Judgement, Outlook, TargetYear, TargetsAnswer};

/// An answer about targets; `home` is the zone of the data directory.
#[must_use]
pub fn targets(answer: &TargetsAnswer, home: &Zone) -> pb::ListTargetsResponse {
    pb::ListTargetsResponse {
        targets: answer.targets.iter().flat_map(|target| target.years.iter().map(|y| year(target, y))).collect(),
        position: answer.position,
        as_of: Some(timestamp(answer.as_of)),
        time_zone: home.name().to_owned(),
    }
}

fn year(judged: &JudgedTarget, year: &TargetYear) -> pb::TargetYear {
    let target = &judged.target;
    let no_data = match year.judgement {
        Judgement::NoData(why) => Some((why, texts::no_data(why, &target.metric, &target.denominator))),
        Judgement::Met | Judgement::NotMet | Judgement::NotApplicable | Judgement::NotYet => None,
    };
    let (no_data, text_of) = no_data.map_or_else(Default::default, |(why, text)| (why.name().to_owned(), text));
    pb::TargetYear {
        code: judged.code.to_string(),
        version: judged.version,
        source: target.source.clone(),
        clause: target.clause.clone(),
        metric: target.metric.to_string(),
        comparator: target.comparator.sign().to_owned(),
        threshold: target.threshold,
        denominator: target.denominator.to_string(),
        unit: text(&judged.unit),
        note: target.note.clone(),
        year: year.year,
        first_date: year.first.to_string(),
        last_date: year.last.to_string(),
        from: Some(timestamp(year.from)),
        to: Some(timestamp(year.to)),
        cut: Some(timestamp(year.cut)),
        over: year.over,
        part: year.part,
        whole: year.whole,
        rate: fraction((year.part, year.whole)),
        verdict: year.judgement.name().to_owned(),
        no_data,
        no_data_text_vi: text_of.vi,
        no_data_text_en: text_of.en,
        outlook: year.outlook.map(|outlook| self::outlook(&outlook, judged)),
        position: year.position,
    }
}

fn outlook(outlook: &Outlook, judged: &JudgedTarget) -> pb::TargetOutlook {
    let target = &judged.target;
    let may_fail = outlook.may_fail(target.comparator, target.threshold);
    let sentence = texts::outlook(outlook, may_fail, &target.metric);
    pb::TargetOutlook {
        decided: outlook.decided,
        late: outlook.late,
        open_late: outlook.open_late,
        settled: outlook.settled,
        open_due: outlook.open_due,
        foreseen: outlook.foreseen,
        may_fail,
        text_vi: sentence.vi,
        text_en: sentence.en,
    }
}
