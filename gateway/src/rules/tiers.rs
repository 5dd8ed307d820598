//! Tier tables in a file of rules.
//!
//! Numbers are whole, or texts in quotes, so that no float ever decides; bounds are in per cent. The first tier that a
//! rate reaches gives the marks, so they stand from the highest down.

use super::Fault;
use super::kinds::names;
use super::table::{Cell, Table};
use crate::messages::rules as say;
use dunghen_engine::rules::{ALL_OR_NOTHING, BadTiers, Bound, Fraction, Marks, Tier, TierTables, Unfit};

/// Its keys beside code and first day.
pub(super) const KEYS: [&str; 5] = ["vi", "en", "full", "rate", "apology"];
/// The full marks.
pub(super) const FULL: &str = "full";
/// The rate times the full marks.
pub(super) const PROPORTIONAL: &str = "rate";

/// Reads the tables, and checks that every tier can be reached.
pub(super) fn read(table: &Table) -> Result<TierTables, Fault> {
    let (rate, apology) = (table.need("rate")?.list()?, table.get("apology").map(|cell| cell.list()).transpose()?);
    let tiers = |cells: &[Cell]| cells.iter().map(tier).collect::<Result<Vec<Tier>, Fault>>();
    let tables = TierTables {
        names: names(table)?,
        full: table.need("full")?.decimal()?,
        rate: tiers(&rate)?,
        apology: apology.as_deref().map_or_else(|| Ok(ALL_OR_NOTHING.to_vec()), tiers)?,
    };
    match tables.with_full(None) {
        Ok(_) => Ok(tables),
        Err(why) => {
            let mut fault = table.fault(say::unfit(&why));
            if let Unfit::Tiers { of, bad } = &why {
                let cells = if *of == "apology" { apology.as_deref().unwrap_or_default() } else { &rate };
                let tier = number(*bad).checked_sub(1).and_then(|n| cells.get(n));
                fault.line = tier.or(cells.first()).map_or(fault.line, Cell::line);
            }
            Err(fault)
        }
    }
}

/// The tier in question; 0 if it is none of them.
fn number(bad: BadTiers) -> usize {
    match bad {
        BadTiers::None => 0,
        BadTiers::NotDescending(n) | BadTiers::AboveAll(n) | BadTiers::MoreThanFull(n) | BadTiers::NotDecimal(n) => n,
    }
}

fn tier(cell: &Cell) -> Result<Tier, Fault> {
    let table = cell.table()?;
    table.only(&["at_least", "above", "marks"])?;
    let percent = |cell: &Cell| cell.decimal().map(Fraction::hundredth);
    let from = match (table.get("at_least"), table.get("above")) {
        (Some(bound), None) => Bound::AtLeast(percent(&bound)?),
        (None, Some(bound)) => Bound::Above(percent(&bound)?),
        (Some(_), Some(_)) | (None, None) => return Err(table.fault(say::one_bound())),
    };
    let marks = table.need("marks")?;
    let marks = match marks.word() {
        Some(FULL) => Marks::Full,
        Some(PROPORTIONAL) => Marks::Proportional,
        said => {
            let fixed = said.and_then(Fraction::decimal);
            Marks::Fixed(fixed.ok_or_else(|| marks.fault(&say::must_be_marks()))?)
        }
    };
    Ok(Tier { from, marks })
}

/// A number as [`Fraction::decimal`] reads it; every number of tiers that were published is one.
pub(super) fn render(number: Fraction) -> String {
    let millionths = number.millionths().unwrap_or_default();
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
