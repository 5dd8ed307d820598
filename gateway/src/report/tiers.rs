//! A file of tiers: the marks that a rate gives, as an authority publishes them.
//!
//! ```toml
//! name = "PAR INDEX"
//! full = "1.0"
//! [[tiers]]              # from the highest down; the first that the rate reaches gives the marks
//! at_least = "100"       # per cent; `above` for strictly more
//! marks = "full"         # or "rate": the rate times the full marks; or a number of marks
//! [[tiers]]
//! at_least = "95"
//! marks = "rate"
//! [[apology]]            # the same for apologies; all or nothing if there is none
//! at_least = "100"
//! marks = "full"
//! ```
//!
//! Numbers are written in quotes unless they are whole, so that no float ever decides.

use dunghen_engine::rules::{ALL_OR_NOTHING, BadTiers, Bound, Fraction, Marks, PAR_INDEX, Tier, Tiers};
use serde::Deserialize;
use std::path::Path;

/// The tiers of both criteria.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What they are called, if anybody said.
    pub name: Option<String>,
    /// For the rate.
    pub rate: Tiers,
    /// For the apologies.
    pub apology: Tiers,
}

/// What is wrong with a file of tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadFile {
    /// It cannot be read.
    Unreadable(String),
    /// It is not of this form.
    Toml {
        /// The line, the first being 1, if that is known.
        line: Option<usize>,
        /// What is wrong, in the reader's English.
        message: String,
        /// The same with its place and the line as it stands.
        said: String,
    },
    /// A field, and what it says instead of a number.
    NotANumber(String, String),
    /// The list and the number of a tier that has no bound, or two.
    Bound(&'static str, usize),
    /// A list of tiers that is impossible.
    Tiers(&'static str, BadTiers),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<String>,
    full: Option<Number>,
    #[serde(default)]
    tiers: Vec<FileTier>,
    apology: Option<Vec<FileTier>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTier {
    at_least: Option<Number>,
    above: Option<Number>,
    marks: Number,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "write a whole number, or a text in quotes such as \"99.5\"")]
enum Number {
    Whole(u32),
    Text(String),
}

impl Number {
    fn text(&self) -> String {
        match self {
            Number::Whole(n) => n.to_string(),
            Number::Text(text) => text.clone(),
        }
    }

    fn fraction(&self, field: &str) -> Result<Fraction, BadFile> {
        let text = self.text();
        Fraction::decimal(&text).ok_or_else(|| BadFile::NotANumber(field.to_owned(), text))
    }
}

fn not_toml(error: &toml::de::Error, toml: &str) -> BadFile {
    let before = error.span().and_then(|span| toml.get(..span.start));
    let line = before.map(|before| before.matches('\n').count() + 1);
    BadFile::Toml { line, message: error.message().replace('\n', " "), said: error.to_string().trim().to_owned() }
}

fn read(list: &'static str, tiers: &[FileTier], full: Fraction) -> Result<Tiers, BadFile> {
    let tier = |(number, tier): (usize, &FileTier)| {
        let percent = |number: &Number, field: &str| number.fraction(field).map(Fraction::hundredth);
        let from = match (&tier.at_least, &tier.above) {
            (Some(bound), None) => Bound::AtLeast(percent(bound, "at_least")?),
            (None, Some(bound)) => Bound::Above(percent(bound, "above")?),
            _ => return Err(BadFile::Bound(list, number)),
        };
        let marks = match tier.marks.text().as_str() {
            "full" => Marks::Full,
            "rate" => Marks::Proportional,
            _ => Marks::Fixed(tier.marks.fraction("marks")?),
        };
        Ok(Tier { from, marks })
    };
    let tiers = (1..).zip(tiers).map(tier).collect::<Result<Vec<Tier>, BadFile>>()?;
    Tiers::new(full, &tiers).map_err(|bad| BadFile::Tiers(list, bad))
}

impl Published {
    /// The default tiers, with these full marks.
    ///
    /// # Errors
    /// If the tiers give more than that.
    pub fn par_index(full: Fraction) -> Result<Published, BadFile> {
        let tiers = |list, tiers: &[Tier]| Tiers::new(full, tiers).map_err(|bad| BadFile::Tiers(list, bad));
        Ok(Published { name: None, rate: tiers("tiers", &PAR_INDEX)?, apology: tiers("apology", &ALL_OR_NOTHING)? })
    }

    /// The tiers of a text; `full` is stronger than what it says.
    ///
    /// # Errors
    /// [`BadFile`].
    pub fn parse(toml: &str, full: Option<Fraction>) -> Result<Published, BadFile> {
        let file: File = toml::from_str(toml).map_err(|e| not_toml(&e, toml))?;
        let said = file.full.map(|full| full.fraction("full")).transpose()?;
        let full = full.or(said).unwrap_or(Fraction::ONE);
        let apology = match &file.apology {
            Some(tiers) => read("apology", tiers, full)?,
            None => Published::par_index(full)?.apology,
        };
        Ok(Published { name: file.name, rate: read("tiers", &file.tiers, full)?, apology })
    }

    /// The tiers of a file.
    ///
    /// # Errors
    /// [`BadFile`].
    pub fn read(path: &Path, full: Option<Fraction>) -> Result<Published, BadFile> {
        let text = std::fs::read_to_string(path).map_err(|e| BadFile::Unreadable(e.to_string()))?;
        Published::parse(&text, full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = "name = \"as built in\"\n[[tiers]]\nat_least = 100\nmarks = \"full\"\n\
                           [[tiers]]\nat_least = \"95\"\nmarks = \"rate\"\n[[tiers]]\nat_least = 0\nmarks = 0\n";

    #[test]
    fn the_default_can_be_written_down() {
        let built_in = Published::par_index(Fraction::ONE).expect("tiers");
        let written = Published::parse(DEFAULT, None).expect("tiers");
        assert_eq!(written, Published { name: Some("as built in".to_owned()), ..built_in });
    }

    #[test]
    fn other_tiers() {
        let text = "full = \"1.5\"\n[[tiers]]\nabove = \"99.5\"\nmarks = \"full\"\n[[tiers]]\nat_least = \"80,25\"\n\
                    marks = \"0.75\"\n[[apology]]\nat_least = 50\nmarks = 1\n";
        let published = Published::parse(text, None).expect("tiers");
        let decimal = |text| Fraction::decimal(text).expect("a number");
        assert_eq!(published.rate.marks(9951, 10_000), Some((decimal("1.5"), 1)));
        assert_eq!(published.rate.marks(9950, 10_000), Some((decimal("0.75"), 2)));
        assert_eq!(published.rate.marks(8024, 10_000), Some((Fraction::ZERO, 0)));
        assert_eq!(published.apology.marks(1, 2), Some((Fraction::ONE, 1)));
        assert_eq!(Published::parse(text, Some(decimal("2"))).map(|p| p.rate.full()), Ok(decimal("2")));
        assert_eq!(
            Published::parse(text, Some(decimal("0.5"))),
            Err(BadFile::Tiers("apology", BadTiers::MoreThanFull(1)))
        );
    }

    #[test]
    fn what_is_no_file_of_tiers_is_refused() {
        let bad = |text: &str| format!("{:?}", Published::parse(text, None).expect_err(text));
        assert_eq!(bad(""), "Tiers(\"tiers\", None)");
        assert!(bad("[[tiers]]\nat_least = 99.5\nmarks = \"full\"").contains("in quotes"), "a float");
        assert!(bad("[[tiers]]\nat_last = 99\nmarks = \"full\"").contains("at_last"), "a misspelt name");
        assert_eq!(bad("[[tiers]]\nmarks = \"full\""), "Bound(\"tiers\", 1)");
        assert_eq!(bad("[[tiers]]\nat_least = 1\nabove = 1\nmarks = \"full\""), "Bound(\"tiers\", 1)");
        assert_eq!(bad("[[tiers]]\nat_least = \"many\"\nmarks = \"full\""), "NotANumber(\"at_least\", \"many\")");
        assert_eq!(bad("[[tiers]]\nat_least = 95\nmarks = \"some\""), "NotANumber(\"marks\", \"some\")");
        assert_eq!(bad("[[tiers]]\nat_least = 9500\nmarks = 0"), "Tiers(\"tiers\", AboveAll(1))");
        let turned = "[[tiers]]\nat_least = 90\nmarks = 0\n[[tiers]]\nat_least = 95\nmarks = \"full\"";
        assert_eq!(bad(turned), "Tiers(\"tiers\", NotDescending(2))");
    }
}
