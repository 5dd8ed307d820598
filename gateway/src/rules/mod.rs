//! Files of rules: the form in which calendars are published, and the set that is built in.
//!
//! TOML, `format = 1`, an array of tables for each kind of rule. What is not understood is refused with its line: a rule
//! that was misread would move dues. The engine gets plain data and knows no file.

mod calendar;
mod table;

use crate::messages::{Text, rules as say};
use dunghen_engine::calendar::Calendar;
use table::Table;

/// The form that is read here.
const FORMAT: &str = "1";
/// The rules of Vietnam that come with the program.
const VIETNAM: &str = include_str!("../../../engine/rules/vietnam-1.toml");

/// What a file of rules holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Its calendars, in the order of the file.
    pub calendars: Vec<Calendar>,
}

/// Why a file of rules was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, the first being 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub what: Text,
}

impl Fault {
    /// Line and reason.
    #[must_use]
    pub fn text(&self) -> Text {
        say::line(self.line).before(&self.what)
    }
}

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(source: &str) -> Result<Rules, Fault> {
        let parsed = toml::de::DeTable::parse(source).map_err(|e| Fault {
            line: table::line(source, e.span().map_or(0, |span| span.start)),
            what: say::not_toml(e.message()),
        })?;
        let file = Table::new(source, &parsed);
        file.only(&["format", "calendar"])?;
        let format = file.need("format")?;
        if format.integer()? != FORMAT {
            return Err(format.fault(&say::only_form(FORMAT)));
        }
        let mut calendars = Vec::new();
        for cell in file.list("calendar")? {
            calendars.push(calendar::read(&cell.table()?)?);
        }
        Ok(Rules { calendars })
    }

    /// The set that is built in.
    ///
    /// # Errors
    /// None in a program that was tested: the file is a part of it.
    pub fn built_in() -> Result<Rules, Fault> {
        Rules::parse(VIETNAM)
    }
}
