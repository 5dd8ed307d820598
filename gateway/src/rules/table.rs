//! A table of a file of rules, read strictly: every key is known, and whatever is wrong has a line.

use super::Fault;
use crate::messages::{Text, rules as say};
use dunghen_engine::rules::Fraction;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line of a byte, the first being 1.
pub(super) fn line(source: &str, at: usize) -> usize {
    1 + source.bytes().take(at).filter(|b| *b == b'\n').count()
}

/// A table, and where it stands.
pub(super) struct Table<'a> {
    source: &'a str,
    at: usize,
    table: &'a DeTable<'a>,
}

/// A value, with the key that leads to it.
pub(super) struct Cell<'a> {
    source: &'a str,
    key: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Table<'a> {
    pub(super) fn new(source: &'a str, table: &'a Spanned<DeTable<'a>>) -> Table<'a> {
        Table { source, at: table.span().start, table: table.get_ref() }
    }

    /// What is wrong with the table as a whole.
    pub(super) fn fault(&self, what: Text) -> Fault {
        Fault { line: line(self.source, self.at), what }
    }

    /// The line where it begins.
    pub(super) fn line(&self) -> usize {
        line(self.source, self.at)
    }

    /// The text of a key that may be missing; what is said must not be blank.
    pub(super) fn text_or_none(&self, key: &'a str) -> Result<Option<&'a str>, Fault> {
        self.get(key).map(|cell| cell.text()).transpose()
    }

    /// That it has no other keys.
    pub(super) fn only(&self, keys: &[&str]) -> Result<(), Fault> {
        let unknown = self.table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref()));
        // The first in the file, whatever its name.
        let Some(key) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
        let what = say::key(key.get_ref()).before(&say::unknown_key(keys));
        Err(Fault { line: line(self.source, key.span().start), what })
    }

    pub(super) fn get(&self, key: &'a str) -> Option<Cell<'a>> {
        self.table.get(key).map(|value| Cell { source: self.source, key, value })
    }

    pub(super) fn need(&self, key: &'a str) -> Result<Cell<'a>, Fault> {
        self.get(key).ok_or_else(|| self.fault(say::key(key).before(&say::required())))
    }

    /// The items of a list that may be missing.
    pub(super) fn list(&self, key: &'a str) -> Result<Vec<Cell<'a>>, Fault> {
        self.get(key).map_or_else(|| Ok(Vec::new()), |cell| cell.list())
    }
}

impl<'a> Cell<'a> {
    pub(super) fn line(&self) -> usize {
        line(self.source, self.value.span().start)
    }

    /// What is wrong with the value.
    pub(super) fn fault(&self, what: &Text) -> Fault {
        Fault { line: self.line(), what: say::key(self.key).before(what) }
    }

    fn of_type<T>(&self, value: Option<T>, must_be: impl FnOnce() -> Text) -> Result<T, Fault> {
        value.ok_or_else(|| self.fault(&must_be()))
    }

    /// A text that says something.
    pub(super) fn text(&self) -> Result<&'a str, Fault> {
        let value = self.value.get_ref().as_str().filter(|s| !s.trim().is_empty());
        self.of_type(value, say::must_be_text)
    }

    /// A whole number in decimal digits.
    pub(super) fn integer(&self) -> Result<&'a str, Fault> {
        let value = self.value.get_ref().as_integer().filter(|n| n.radix() == 10).map(|n| n.as_str());
        self.of_type(value, say::must_be_whole_number)
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, least: u32, most: u32) -> Result<u32, Fault> {
        let read = self.integer()?.parse().ok().filter(|n| (least..=most).contains(n));
        self.of_type(read, || say::must_be_number(least, most))
    }

    /// A text, or a whole number as its digits.
    pub(super) fn word(&self) -> Option<&'a str> {
        let value = self.value.get_ref();
        value.as_str().or_else(|| value.as_integer().filter(|n| n.radix() == 10).map(|n| n.as_str()))
    }

    /// A number that is whole, or stands in quotes.
    pub(super) fn decimal(&self) -> Result<Fraction, Fault> {
        self.of_type(self.word().and_then(Fraction::decimal), say::must_be_decimal)
    }

    pub(super) fn boolean(&self) -> Result<bool, Fault> {
        self.of_type(self.value.get_ref().as_bool(), say::must_be_true_or_false)
    }

    /// One of some choices, by its name.
    pub(super) fn one_of<T: Copy>(&self, choices: &[(T, &'static str)]) -> Result<T, Fault> {
        let read = |text: &str| choices.iter().find(|(_, name)| *name == text).map(|(choice, _)| *choice);
        self.parsed(read, || say::must_be_one_of(&choices.iter().map(|(_, name)| *name).collect::<Vec<_>>()))
    }

    /// A text that is read by a function; `must_be` says what it reads.
    pub(super) fn parsed<T>(
        &self,
        read: impl Fn(&str) -> Option<T>,
        must_be: impl FnOnce() -> Text,
    ) -> Result<T, Fault> {
        self.of_type(self.value.get_ref().as_str().and_then(read), must_be)
    }

    pub(super) fn list(&self) -> Result<Vec<Cell<'a>>, Fault> {
        let items = self.of_type(self.value.get_ref().as_array(), say::must_be_list)?;
        Ok(items.iter().map(|value| Cell { source: self.source, key: self.key, value }).collect())
    }

    pub(super) fn table(&self) -> Result<Table<'a>, Fault> {
        let table = self.of_type(self.value.get_ref().as_table(), say::must_be_table)?;
        Ok(Table { source: self.source, at: self.value.span().start, table })
    }
}
