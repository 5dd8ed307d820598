//! Printing: JSON, CSV, tables. How numbers and dates are written is `messages::format`'s.

use super::Failure;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use dunghen::messages::calls::system;
pub(super) use dunghen::messages::format::{count, local, percent, verdict};
use dunghen::messages::{Lang, Text};
use dunghen::report::looks_like_formula;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Ends the command quietly when whoever reads our output has gone.
fn written(result: std::io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// Writes a file beside the one that is there, and only then puts it in its place: nobody ever sees half of it.
pub(super) fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = file.file_name().ok_or(std::io::ErrorKind::InvalidFilename)?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.part", std::process::id()));
    let beside = file.with_file_name(beside);
    let write = || {
        let mut part = std::fs::File::create(&beside)?;
        part.write_all(bytes)?;
        part.sync_all()?;
        std::fs::rename(&beside, file)
    };
    write().inspect_err(|_| {
        // It may never have been made; what went wrong is said already.
        let _ = std::fs::remove_file(&beside);
    })
}

/// A line.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    written(writeln!(std::io::stdout().lock(), "{text}"))
}

/// A text in a language, as a line.
pub(super) fn say(text: &Text, lang: Lang) -> Result<(), Failure> {
    line(text.in_lang(lang))
}

/// As it is.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    written(std::io::stdout().lock().write_all(bytes))
}

/// A value on one line.
pub(super) fn json(value: &serde_json::Value) -> Result<(), Failure> {
    line(&value.to_string())
}

/// Many lines, written in large pieces.
pub(super) struct Lines(std::io::BufWriter<std::io::StdoutLock<'static>>);

impl Lines {
    pub(super) fn new() -> Lines {
        Lines(std::io::BufWriter::new(std::io::stdout().lock()))
    }

    /// A value on one line.
    pub(super) fn json(&mut self, value: &serde_json::Value) -> Result<(), Failure> {
        written(writeln!(self.0, "{value}"))
    }

    /// Writes what is there.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        written(self.0.flush())
    }

    /// The end; what was not written until here would be lost without a word.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        written(self.0.flush())
    }
}

/// Cells that a spreadsheet would take for a formula are made text.
pub(super) fn neutral(cell: &str) -> String {
    if looks_like_formula(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// A header and rows.
pub(super) fn csv(header: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
    bytes(&csv_bytes(header, rows)?)
}

/// The same, for a file.
pub(super) fn csv_bytes(header: &[&str], rows: Vec<Vec<String>>) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Failure::failed(system(&e));
    writer.write_record(header).map_err(failed)?;
    for row in rows {
        writer.write_record(row.iter().map(|c| neutral(c))).map_err(failed)?;
    }
    writer.into_inner().map_err(|e| Failure::failed(system(&e)))
}

/// A header in a language.
pub(super) fn header(names: impl IntoIterator<Item = Text>, lang: Lang) -> Vec<String> {
    names.into_iter().map(|name| name.into_lang(lang)).collect()
}

/// A table whose first `keys` columns are text and the others numbers. Where it is wider than the terminal each row
/// becomes a block of lines: a number or a code that is broken across lines misleads.
pub(super) fn table(header: &[String], keys: usize, rows: &[Vec<String>]) -> String {
    fitting(header, keys, rows).unwrap_or_else(|| blocks(header, rows))
}

/// The same, or `None` where it is wider than the terminal.
pub(super) fn fitting(header: &[String], keys: usize, rows: &[Vec<String>]) -> Option<String> {
    let (text, too_wide) = whole(header, keys, rows);
    (!(too_wide && std::io::stdout().is_terminal())).then_some(text)
}

/// The same however wide it is, and whether that is wider than the terminal.
pub(super) fn whole(header: &[String], keys: usize, rows: &[Vec<String>]) -> (String, bool) {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(Cell::new));
    for row in rows {
        table.add_row(row.iter().enumerate().map(|(i, text)| {
            let alignment = if i < keys { CellAlignment::Left } else { CellAlignment::Right };
            Cell::new(text).set_alignment(alignment)
        }));
    }
    let text = table.to_string();
    let needed = text.lines().next().map_or(0, |line| line.chars().count());
    let too_wide = table.width().is_some_and(|width| needed > usize::from(width));
    (text, too_wide)
}

/// Each row as lines of name and value; what is empty is left out.
fn blocks(header: &[String], rows: &[Vec<String>]) -> String {
    // A name that is broken into lines above a column stands on one here.
    let header: Vec<String> = header.iter().map(|name| name.replace('\n', " ")).collect();
    let widest = header.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): (&String, &String)| {
        let pad = widest - name.chars().count();
        format!("  {name}{:pad$}  {value}\n", "")
    };
    let block = |row: &Vec<String>| -> String {
        header.iter().zip(row).filter(|(_, value)| !value.is_empty()).map(line).collect()
    };
    let blocks: Vec<String> = rows.iter().map(block).collect();
    blocks.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_blocks() {
        let header = ["unit".to_owned(), "on\ntime".to_owned(), "rate".to_owned()];
        let rows = [vec!["H44".into(), "7".into(), "n/a".into()], vec!["H45".into(), "8".into(), String::new()]];
        let expected = "  unit     H44\n  on time  7\n  rate     n/a\n\n  unit     H45\n  on time  8";
        assert_eq!(blocks(&header, &rows), expected);
    }

    #[test]
    fn formulas_become_text() {
        assert_eq!(neutral("=1+1"), "'=1+1");
        assert_eq!(neutral("H44.22"), "H44.22");
    }
}
