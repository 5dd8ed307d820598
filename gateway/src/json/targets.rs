//! The answer of `targets`.

use super::{text, time};
use crate::pb;
use serde_json::{Value, json};

/// The answer of `targets`: one object a target and year.
#[must_use]
pub fn targets(answer: &pb::ListTargetsResponse) -> Value {
    json!({
        "targets": answer.targets.iter().map(row).collect::<Vec<_>>(),
        "position": answer.position,
        "as_of": time(answer.as_of.as_ref()),
        "time_zone": answer.time_zone,
    })
}

fn row(row: &pb::TargetYear) -> Value {
    json!({
        "code": row.code,
        "version": row.version,
        "source": row.source,
        "clause": text(&row.clause),
        "metric": row.metric,
        "comparator": row.comparator,
        "threshold": f64::from(row.threshold) / 10_000.0,
        "threshold_ten_thousandths": row.threshold,
        "denominator": row.denominator,
        "unit": text(&row.unit),
        "note": text(&row.note),
        "year": row.year,
        "first_date": row.first_date,
        "last_date": row.last_date,
        "from": time(row.from.as_ref()),
        "to": time(row.to.as_ref()),
        "cut": time(row.cut.as_ref()),
        "over": row.over,
        "part": row.part,
        "whole": row.whole,
        "rate": row.rate,
        "verdict": row.verdict,
        "no_data": text(&row.no_data),
        "no_data_text_vi": text(&row.no_data_text_vi),
        "no_data_text_en": text(&row.no_data_text_en),
        "outlook": row.outlook.as_ref().map(outlook),
        "position": row.position,
    })
}

fn outlook(outlook: &pb::TargetOutlook) -> Value {
    json!({
        "decided": outlook.decided,
        "late": outlook.late,
        "open_late": outlook.open_late,
        "settled": outlook.settled,
        "open_due": outlook.open_due,
        "foreseen": outlook.foreseen,
        "reachable": outlook.may_fail.is_some(),
        "may_fail": outlook.may_fail,
        "text_vi": outlook.text_vi,
        "text_en": outlook.text_en,
    })
}
