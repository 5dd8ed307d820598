//! Files of rules: the form in which law is published, and the set that is built in.
//!
//! TOML, `format = 1`, an array of tables for each kind of rule. What is not understood is refused with its line: a rule
//! that was misread would move dues. The engine gets plain data and knows no file; what it holds is written back in the
//! same form ([`render`]), so that whoever reads a log reads what was published. gateway/rules/README.md has the keys.

mod calendar;
mod kinds;
mod render;
mod table;
mod term;
mod tiers;

pub use render::render;

use crate::messages::{Text, rules as say, targets as words};
use dunghen_engine::calendar::Calendar;
use dunghen_engine::rules::{Code, Publication, Rule, RuleKind};
use dunghen_engine::views::no_data;
use dunghen_engine::{Options, Purpose, RuleSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use table::Table;

/// The form that is read here.
const FORMAT: &str = "1";
/// The largest file of rules, in bytes: each rule is one record of the log, and far below what a frame can hold.
pub const MOST_BYTES: usize = 256 * 1024;

/// The rules of Vietnam that come with the program.
static VIETNAM: LazyLock<Vec<Publication>> = LazyLock::new(|| {
    let read = Rules::parse(include_str!("../../../engine/rules/vietnam-1.toml"));
    match read {
        Ok(rules) => rules.publications,
        // The file is a part of the program, and a test reads it.
        Err(fault) => panic!("the rules that are built in cannot be read: {}", fault.text().en),
    }
});

/// The sets of rules that a directory can begin with, the newest last.
#[must_use]
pub fn sets() -> Vec<RuleSet> {
    vec![RuleSet { name: "vietnam-1", publications: VIETNAM.clone() }]
}

/// How to open an engine so that it knows every set of rules. Nothing else in this program makes [`Options`]: a directory
/// that was opened without its rules would reckon other dues.
#[must_use]
pub fn options(purpose: Purpose) -> Options {
    Options { rule_sets: sets(), ..Options::new(purpose) }
}

/// The calendar of Vietnam that is built in.
///
/// # Panics
/// Never in a program that was tested: the calendar is a part of it.
#[must_use]
pub fn vietnam() -> Calendar {
    let calendar = VIETNAM.iter().find_map(|p| match &p.rule {
        Rule::Calendar(calendar) => Some(calendar.clone()),
        _ => None,
    });
    match calendar {
        Some(calendar) => calendar,
        None => panic!("the rules that are built in hold no calendar"),
    }
}

/// What a file of rules holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Its rules, in the order of the file.
    pub publications: Vec<Publication>,
    /// Where each begins, and what it names.
    places: Vec<Place>,
}

/// Where a rule stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    names: Vec<Named>,
}

/// Another rule that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    line: usize,
    key: &'static str,
    kind: RuleKind,
    code: Code,
    /// What may stand there besides the codes of that kind.
    also: &'static [&'static str],
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
        // Editors put a byte order mark before the first line; it is no part of the rules.
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        let parsed = toml::de::DeTable::parse(source).map_err(|e| Fault {
            line: table::line(source, e.span().map_or(0, |span| span.start)),
            what: say::not_toml(e.message()),
        })?;
        let file = Table::new(source, &parsed);
        let mut keys = vec!["format"];
        keys.extend(RuleKind::ALL.map(|(_, name)| name));
        file.only(&keys)?;
        let format = file.need("format")?;
        if format.integer()? != FORMAT {
            return Err(format.fault(&say::only_form(FORMAT)));
        }
        let mut read = Vec::new();
        for (kind, name) in RuleKind::ALL {
            for cell in file.list(name)? {
                read.push(kinds::read(kind, &cell.table()?)?);
            }
        }
        read.sort_by_key(|(_, place)| place.line);
        let mut first = BTreeMap::new();
        for (publication, place) in &read {
            let Publication { code, effective_from, rule } = publication;
            if let Some(line) = first.insert((rule.kind(), code, *effective_from), place.line) {
                return Err(Fault { line: place.line, what: say::twice(rule.kind(), code, *effective_from, line) });
            }
        }
        let (publications, places) = read.into_iter().unzip();
        Ok(Rules { publications, places })
    }

    /// Whether every rule that is named is there: in this file, or among those `known`, of each kind by its code.
    ///
    /// # Errors
    /// The first that is not, with the names that would do.
    pub fn check_names(&self, known: &BTreeSet<(RuleKind, Code)>) -> Result<(), Fault> {
        let here: BTreeSet<_> = self.publications.iter().map(|p| (p.rule.kind(), p.code.clone())).collect();
        let there = |named: &Named| {
            let rule = (named.kind, named.code.clone());
            here.contains(&rule) || known.contains(&rule) || named.also.contains(&&*named.code)
        };
        let mut named = self.places.iter().flat_map(|place| &place.names);
        let Some(Named { line, key, kind, code, also }) = named.find(|named| !there(named)) else { return Ok(()) };
        let codes = here.union(known).filter(|(of, _)| of == kind).map(|(_, code)| &**code);
        let names: Vec<&str> = codes.chain(also.iter().copied()).collect();
        Err(Fault { line: *line, what: say::key(key).before(&say::names_nothing(*kind, code, &names)) })
    }

    /// What the publisher should know of rules that are in order: each with the text.
    #[must_use]
    pub fn notes(&self) -> Vec<(&Publication, Text)> {
        let note = |publication: &Publication| match &publication.rule {
            Rule::Target(target) => {
                no_data(target).map(|why| words::will_show_no_data(why, &target.metric, &target.denominator))
            }
            _ => None,
        };
        self.publications.iter().filter_map(|p| note(p).map(|text| (p, text))).collect()
    }

    /// What is wrong with one of the rules, at its line.
    #[must_use]
    pub fn fault(&self, index: usize, what: Text) -> Fault {
        Fault { line: self.places.get(index).map_or(1, |place| place.line), what }
    }
}

#[cfg(test)]
mod tests;
