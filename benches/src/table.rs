//! The one table that `compare` prints, and how its numbers are written.

use crate::sample::Sample;
use serde_json::{Value, json};

/// One line: some work, done by some system.
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) system: String,
    pub(crate) per_s: Option<f64>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) ratio: Option<f64>,
}

impl Row {
    /// A line of what was measured, beside the raw file if that did the like.
    pub(crate) fn new(work: &str, system: &str, sample: &Sample, file: Option<&Sample>) -> Row {
        let per_s = sample.per_second();
        Row {
            work: work.to_owned(),
            system: system.to_owned(),
            per_s,
            p50_ms: sample.quantile_ms(0.5),
            p99_ms: sample.quantile_ms(0.99),
            ratio: ratio(per_s, file.and_then(Sample::per_second)),
        }
    }
}

fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    Some(part? / whole.filter(|w| *w > 0.0)?)
}

/// A rate: whole, with thousands apart; small ones with a decimal.
pub(crate) fn per_second(rate: f64) -> String {
    if rate < 100.0 {
        return format!("{rate:.1}");
    }
    let digits = format!("{rate:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds with three digits that mean something.
pub(crate) fn milliseconds(ms: f64) -> String {
    let decimals = match ms {
        ms if ms < 10.0 => 3,
        ms if ms < 100.0 => 2,
        ms if ms < 1000.0 => 1,
        _ => 0,
    };
    format!("{ms:.decimals$}")
}

/// The table for people.
pub(crate) fn text(rows: &[Row]) -> String {
    let header = ["work", "system", "events/s", "p50 ms", "p99 ms", "ratio to file"].map(str::to_owned);
    let number = |value: Option<f64>, write: fn(f64) -> String| value.map_or_else(|| "–".to_owned(), write);
    let lines: Vec<[String; 6]> = std::iter::once(header)
        .chain(rows.iter().map(|row| {
            [
                row.work.clone(),
                row.system.clone(),
                number(row.per_s, per_second),
                number(row.p50_ms, milliseconds),
                number(row.p99_ms, milliseconds),
                number(row.ratio, |r| format!("{r:.3}")),
            ]
        }))
        .collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let bar = if column == 0 { "| " } else { " | " };
            let padded = if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            text.push_str(bar);
            text.push_str(&padded);
        }
        text.push_str(" |\n");
        if i == 0 {
            for (column, width) in widths.into_iter().enumerate() {
                let (bar, end) = (if column == 0 { "| " } else { " | " }, if column < 2 { "-" } else { ":" });
                text.push_str(bar);
                text.push_str(&"-".repeat(width - 1));
                text.push_str(end);
            }
            text.push_str(" |\n");
        }
    }
    text
}

/// How our systems stand beside each other system in the same work: a line for each work in which there is another.
pub(crate) fn beside(rows: &[Row], ours: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows.iter().filter(|row| ours.contains(&row.system.as_str())) {
        let others = rows.iter().filter(|r| r.work == row.work && !ours.contains(&r.system.as_str()));
        let times: Vec<String> = others
            .filter_map(|other| Some(format!("{:.2} x {}", ratio(row.per_s, other.per_s)?, other.system)))
            .collect();
        if !times.is_empty() {
            lines.push(format!("{}: {} is {}", row.work, row.system, times.join(", ")));
        }
    }
    lines
}

/// The table for programs.
pub(crate) fn json(rows: &[Row]) -> Value {
    let rows = rows.iter().map(|row| {
        json!({
            "work": row.work,
            "system": row.system,
            "events_per_s": row.per_s,
            "p50_ms": row.p50_ms,
            "p99_ms": row.p99_ms,
            "ratio_to_file": row.ratio,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn numbers_are_short_and_keep_their_digits() {
        let rates = [0.04, 12.34, 999.6, 1234.5, 1_047_000.2].map(per_second);
        assert_eq!(rates, ["0.0", "12.3", "1,000", "1,234", "1,047,000"]);
        let times = [0.012_34, 1.5, 12.345, 123.45, 1234.5].map(milliseconds);
        assert_eq!(times, ["0.012", "1.500", "12.35", "123.5", "1234"]);
    }

    #[test]
    fn a_ratio_needs_both_sides() {
        assert_eq!(ratio(Some(50.0), Some(200.0)), Some(0.25));
        assert_eq!(ratio(Some(50.0), None), None);
        assert_eq!(ratio(None, Some(200.0)), None);
        assert_eq!(ratio(Some(50.0), Some(0.0)), None);
    }

    #[test]
    fn ours_stand_beside_the_others_of_the_same_work() {
        let row = |work: &str, system: &str, per_s| Row {
            work: work.to_owned(),
            system: system.to_owned(),
            per_s,
            p50_ms: None,
            p99_ms: None,
            ratio: None,
        };
        let rows = [
            row("a", "file", Some(200.0)),
            row("a", "peer", Some(40.0)),
            row("a", "broken", None),
            row("a", "ours", Some(100.0)),
            row("b", "ours", Some(100.0)),
        ];
        assert_eq!(beside(&rows, &["ours", "ours, too"]), ["a: ours is 0.50 x file, 2.50 x peer"]);
    }

    #[test]
    fn a_table_has_a_dash_where_there_is_no_number_and_json_a_null() {
        let mut sample = Sample::new();
        sample.done = 3000;
        sample.elapsed = Duration::from_secs(2);
        let rows = [Row::new("replay", "dunghen", &sample, None)];
        let expected = "\
            | work   | system  | events/s | p50 ms | p99 ms | ratio to file |\n\
            | ------ | ------- | -------: | -----: | -----: | ------------: |\n\
            | replay | dunghen |    1,500 |      – |      – |             – |\n";
        assert_eq!(text(&rows), expected);
        let expected = json!([{
            "work": "replay", "system": "dunghen", "events_per_s": 1500.0,
            "p50_ms": null, "p99_ms": null, "ratio_to_file": null,
        }]);
        assert_eq!(json(&rows), expected);
    }
}
