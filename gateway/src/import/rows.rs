//! The records of a CSV file, and the lines they begin on.
//!
//! It knows the `[csv]` part of a mapping and nothing else of it.

use super::mapping::Csv;
use crate::messages::{Text, import as say};
use csv::{ByteRecord, StringRecord};

/// One record of the file.
pub(super) enum Row {
    Cells(StringRecord),
    /// Not UTF-8, or of another length than the header; the message, and the cells as far as they are known.
    Broken(ByteRecord, Text),
}

/// The records of a file with the lines they begin on.
///
/// The whole text is in memory, as the events of it will be; so lines can be counted where records begin, which the
/// parser's own count misses by one after a CRLF.
pub(super) struct Rows<'d> {
    data: &'d [u8],
    reader: csv::Reader<&'d [u8]>,
    csv: &'d Csv,
    /// Bytes of `data` whose line ends have been counted, and the line there.
    counted: usize,
    line: u64,
    /// The width of the header, or of the first row.
    width: Option<usize>,
    skipped: usize,
}

impl<'d> Rows<'d> {
    pub(super) fn new(data: &'d [u8], csv: &'d Csv) -> Rows<'d> {
        let mut skipped = 0;
        for _ in 0..csv.skip_lines {
            let rest = &data[skipped..];
            skipped += rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
        }
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(csv.delimiter)
            .quoting(csv.quote.is_some())
            .quote(csv.quote.unwrap_or(b'"'))
            .escape(csv.escape)
            .from_reader(&data[skipped..]);
        Rows { data, reader, csv, counted: 0, line: 1, width: None, skipped }
    }

    /// The names of the columns, by their places; `None` if the file has no header.
    pub(super) fn header(&mut self) -> Result<Option<Vec<String>>, Text> {
        if !self.csv.header {
            return Ok(None);
        }
        let Some((_, _, record)) = self.record()? else {
            return Err(say::no_header());
        };
        let Ok(record) = StringRecord::from_byte_record(record) else {
            return Err(say::header_not_utf8());
        };
        self.width = Some(record.len());
        Ok(Some(record.iter().map(spaced).collect()))
    }

    pub(super) fn next_row(&mut self) -> Result<Option<(u64, Row)>, Text> {
        loop {
            let Some((line, last_line, record)) = self.record()? else { return Ok(None) };
            let blank = |cell: &[u8]| cell.iter().all(u8::is_ascii_whitespace);
            if record.iter().all(blank) {
                continue;
            }
            let width = *self.width.get_or_insert(record.len());
            let too_long = record.len() > width && !record.iter().skip(width).all(blank);
            let too_short = record.len() < width && !self.csv.fill_short_rows;
            if too_long || too_short {
                let message = say::row_width(record.len(), width, (line, last_line));
                return Ok(Some((line, Row::Broken(record, message))));
            }
            return Ok(Some((
                line,
                match StringRecord::from_byte_record(record) {
                    Ok(record) => Row::Cells(record),
                    Err(e) => Row::Broken(e.into_byte_record(), say::row_not_utf8()),
                },
            )));
        }
    }

    /// The next record with its first and its last line.
    fn record(&mut self) -> Result<Option<(u64, u64, ByteRecord)>, Text> {
        let mut record = ByteRecord::new();
        let place = |reader: &csv::Reader<&[u8]>| usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let mut start = self.skipped.saturating_add(place(&self.reader)).min(self.data.len());
        if !self.reader.read_byte_record(&mut record).map_err(|e| say::not_csv(&e))? {
            return Ok(None);
        }
        // The line end before a record, and blank lines, belong to the record for the parser.
        while self.data.get(start).is_some_and(|b| matches!(b, b'\r' | b'\n')) {
            start += 1;
        }
        let line = self.line_at(start);
        let mut end = self.skipped.saturating_add(place(&self.reader)).clamp(start, self.data.len());
        let at_end = end == self.data.len();
        while end > start && matches!(self.data[end - 1], b'\r' | b'\n') {
            end -= 1;
        }
        let last_line = self.line_at(end);
        if let Some(quote) = self.csv.quote.filter(|_| at_end && last_line > line && self.csv.escape.is_none()) {
            // The parser takes an open quote to the end of the file for one long value: rows would vanish in it.
            if self.data[start..end].iter().filter(|b| **b == quote).count() % 2 == 1 {
                return Err(say::quote_never_closed(line));
            }
        }
        Ok(Some((line, last_line, record)))
    }

    /// How many bytes of the text have been walked over.
    pub(super) fn walked(&self) -> usize {
        self.counted
    }

    fn line_at(&mut self, at: usize) -> u64 {
        while self.counted < at {
            let (byte, next) = (self.data[self.counted], self.data.get(self.counted + 1));
            self.line += u64::from(byte == b'\n' || (byte == b'\r' && next != Some(&b'\n')));
            self.counted += 1;
        }
        self.line
    }
}

/// A name with its blanks and line breaks made one blank each: headers of workbooks are full of them.
pub(super) fn spaced(name: &str) -> String {
    trimmed(name).split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'))
}
