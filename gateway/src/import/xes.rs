//! A log in XES (IEEE 1849), trace by trace.
//!
//! An event is a row; its columns are the attributes of its trace, named `case:` and their key, and its own, named by
//! their key. Only what the mapping names is kept, and one trace at a time: where the reader stands, all earlier traces
//! have been handed on. Nothing is expanded, and nothing that the file says can make a buffer grow without bound.

use super::plan::{OF_TRACE, Plan};
use super::reader::{INVALID, Import, Trace};
use super::rows::{Row, spaced};
use super::{Chunk, ImportError, Seen};
use crate::messages::calls::system;
use crate::messages::{Text, Wrong, import as say};
use csv::StringRecord;
use quick_xml::XmlVersion;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

/// The longest value of an attribute that is looked at.
const VALUE_BYTES: usize = 1 << 20;
/// The longest tag, comment or text.
const MARKUP_BYTES: usize = 16 << 20;
/// The deepest nesting.
const DEPTH: usize = 1000;
/// How many keys of each kind are remembered for [`Seen::note`].
const KEYS: usize = 40;
/// The elements that are attributes with a value of their own.
const TYPES: [&str; 6] = ["string", "date", "int", "float", "boolean", "id"];

/// Counts the lines that have been consumed, and gives no more than [`MARKUP_BYTES`] at a time.
struct Lines<R> {
    inner: BufReader<R>,
    line: u64,
    after_cr: bool,
    left: usize,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Lines<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::Error::other(Wrong(say::markup_too_long(MARKUP_BYTES >> 20))));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        for byte in self.inner.buffer().iter().take(n) {
            self.line += u64::from(*byte == b'\r' || (*byte == b'\n' && !self.after_cr));
            self.after_cr = *byte == b'\r';
        }
        self.left = self.left.saturating_sub(n);
        self.inner.consume(n);
    }
}

/// The attributes of a trace or an event that the mapping names, by their columns.
struct Cells {
    line: u64,
    values: Vec<Option<String>>,
    /// What is wrong with one of them.
    wrong: Option<Text>,
}

impl Cells {
    fn new(line: u64, columns: usize) -> Cells {
        Cells { line, values: vec![None; columns], wrong: None }
    }
}

/// The keys of traces, or those of events.
#[derive(Default)]
struct Keys {
    columns: HashMap<String, usize>,
    /// Some of those that the log has and the mapping does not name.
    others: BTreeSet<String>,
}

impl Keys {
    fn column(&mut self, key: &str) -> Option<usize> {
        let found = self.columns.get(key).or_else(|| {
            let blank = key.contains(char::is_whitespace);
            if blank { self.columns.get(&spaced(key)) } else { None }
        });
        if found.is_none() && self.others.len() < KEYS && !self.others.contains(key) {
            self.others.insert(key.to_owned());
        }
        found.copied()
    }
}

struct Log<'p> {
    plan: &'p Plan<'p>,
    import: Import<'p>,
    of_trace: Keys,
    of_event: Keys,
    /// By column: whether the log has it at all.
    seen: Vec<bool>,
    trace: Option<Cells>,
    events: Vec<Cells>,
    event: Option<Cells>,
}

/// Where an element stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Log,
    Trace,
    Event,
}

impl<'p> Log<'p> {
    fn new(plan: &'p Plan<'p>) -> Log<'p> {
        let names = plan.header.as_deref().unwrap_or_default();
        let (mut of_trace, mut of_event) = (Keys::default(), Keys::default());
        for (column, name) in names.iter().enumerate() {
            match name.strip_prefix(OF_TRACE) {
                Some(key) => of_trace.columns.insert(key.to_owned(), column),
                None => of_event.columns.insert(name.clone(), column),
            };
        }
        Log {
            plan,
            import: Import::new(plan),
            of_trace,
            of_event,
            seen: vec![false; names.len()],
            trace: None,
            events: Vec::new(),
            event: None,
        }
    }

    /// An element at a place; the place within it, or `None` if nothing in it counts.
    fn start(&mut self, tag: &BytesStart, place: Place, line: u64) -> Result<Option<Place>, Text> {
        let columns = self.seen.len();
        match (tag.local_name().as_ref(), place) {
            ("trace", Place::Log) => {
                self.trace = Some(Cells::new(line, columns));
                Ok(Some(Place::Trace))
            }
            ("event", Place::Log | Place::Trace) => {
                self.event = Some(Cells::new(line, columns));
                Ok(Some(Place::Event))
            }
            (name, Place::Trace | Place::Event) if TYPES.contains(&name) => {
                self.attribute(tag, place)?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn attribute(&mut self, tag: &BytesStart, place: Place) -> Result<(), Text> {
        let (mut key, mut value) = (None, None);
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|e| say::tag_broken(&e))?;
            match attribute.key.local_name().as_ref() {
                "key" => key = Some(attribute),
                "value" => value = Some(attribute),
                _ => {}
            }
        }
        let (keys, cells) = match place {
            Place::Trace => (&mut self.of_trace, &mut self.trace),
            _ => (&mut self.of_event, &mut self.event),
        };
        let (Some(key), Some(cells)) = (key, cells) else { return Ok(()) };
        let key = if key.value.len() > VALUE_BYTES { return Ok(()) } else { text(&key)? };
        let Some(column) = keys.column(&key) else { return Ok(()) };
        if let Some(seen) = self.seen.get_mut(column) {
            *seen = true;
        }
        let value = match value {
            None => Ok(String::new()),
            Some(value) if value.value.len() > VALUE_BYTES => Err(say::value_too_long(VALUE_BYTES >> 20)),
            Some(value) => text(&value),
        };
        let wrong = match (value, cells.values.get_mut(column)) {
            (Err(e), _) => Some(e),
            (Ok(value), Some(Some(known))) if *known != value => Some(say::value_twice(known, &value)),
            (Ok(value), Some(cell)) => {
                *cell = Some(value);
                None
            }
            (Ok(_), None) => None,
        };
        if let Some(wrong) = wrong {
            cells.wrong.get_or_insert_with(|| say::attribute(&key, &wrong));
        }
        Ok(())
    }

    /// The end of an element that counts; `true` if a trace, or an event outside of any, is complete.
    fn end(&mut self, place: Place) -> bool {
        match place {
            Place::Event => {
                self.events.extend(self.event.take());
                self.trace.is_none()
            }
            Place::Trace => true,
            Place::Log => false,
        }
    }

    /// Makes dossiers of the trace that was read, and hands them on.
    fn hand_on(&mut self, sink: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> ControlFlow<()> {
        let columns = self.seen.len();
        let mut events = std::mem::take(&mut self.events);
        let trace = self.trace.take();
        let bare = events.is_empty();
        if let Some(trace) = trace.as_ref().filter(|_| bare) {
            events.push(Cells::new(trace.line, columns));
        }
        self.import.trace = trace.as_ref().map(|t| Trace { line: t.line, bare, refused: false });
        if let Some(Cells { line, values, wrong: Some(wrong) }) = &trace {
            self.import.rows += events.len() as u64;
            let cell = values.get(self.plan.dossier).and_then(Option::as_deref).map(str::as_bytes);
            let dossier = self.import.dossier_of(cell).map(str::to_owned);
            self.import.reject(*line, dossier.as_deref(), INVALID, say::of_the_trace(wrong));
        } else {
            for event in events {
                let mut cells = StringRecord::new();
                for (column, own) in event.values.iter().enumerate() {
                    let of_trace = trace.as_ref().and_then(|t| t.values.get(column)?.as_deref());
                    cells.push_field(own.as_deref().or(of_trace).unwrap_or_default());
                }
                let row = match event.wrong {
                    None => Row::Cells(cells),
                    Some(wrong) => Row::Broken(cells.into_byte_record(), wrong),
                };
                self.import.row(event.line, row);
            }
        }
        let (cases, rejects) = self.import.drain();
        rejects.into_iter().map(Chunk::Reject).chain(cases.into_iter().map(Chunk::Case)).try_for_each(sink)
    }

    fn note(&self) -> Option<Text> {
        let names = self.plan.header.as_deref().unwrap_or_default();
        let absent: Vec<&str> =
            names.iter().zip(&self.seen).filter(|(_, seen)| !**seen).map(|(name, _)| name.as_str()).collect();
        if absent.is_empty() || self.import.rows == 0 {
            return None;
        }
        let others = self.of_trace.others.iter().map(|key| format!("{OF_TRACE}{key}"));
        let others: Vec<String> = others.chain(self.of_event.others.iter().cloned()).collect();
        Some(say::absent_attributes(&absent, &others))
    }
}

/// The text of a key or a value, its entities replaced.
fn text(attribute: &Attribute) -> Result<String, Text> {
    match attribute.normalized_value(XmlVersion::Implicit1_0) {
        Ok(text) => Ok(text.into_owned()),
        Err(e) => Err(say::entity_unknown(&e)),
    }
}

/// What is wrong with a text that cannot be read on.
fn unreadable(error: &quick_xml::Error) -> Text {
    match error {
        quick_xml::Error::Io(io) => match io.get_ref().and_then(|e| e.downcast_ref::<Wrong>()) {
            Some(Wrong(text)) => text.clone(),
            None => system(io),
        },
        quick_xml::Error::Encoding(_) => say::xml_not_utf8(),
        _ => say::xml_broken(error),
    }
}

/// Reads a log; `progress` is told after every trace.
pub(super) fn read(
    text: impl Read,
    plan: &Plan<'_>,
    progress: &mut dyn FnMut(),
    sink: &mut dyn FnMut(Chunk) -> ControlFlow<()>,
) -> Result<Seen, ImportError> {
    let lines = Lines { inner: BufReader::new(text), line: 1, after_cr: false, left: MARKUP_BYTES };
    let mut reader = Reader::from_reader(lines);
    reader.config_mut().expand_empty_elements = true;
    let mut log = Log::new(plan);
    let mut buffer = Vec::new();
    let mut depth = 0_usize;
    // The places of the elements that are open and count; what is deeper is passed over.
    let mut places: Vec<Place> = Vec::new();
    let mut ended = false;
    loop {
        buffer.clear();
        buffer.shrink_to(VALUE_BYTES);
        reader.get_mut().left = MARKUP_BYTES;
        let line = reader.get_ref().line;
        let broken = |what: Text| ImportError::Broken { line, what };
        let event = reader.read_event_into(&mut buffer).map_err(|e| broken(unreadable(&e)))?;
        match event {
            Event::Decl(declaration) => {
                if let Some(Ok(encoding)) = declaration.encoding()
                    && !["UTF-8", "UTF8", "US-ASCII", "ASCII"].iter().any(|e| encoding.eq_ignore_ascii_case(e))
                {
                    return Err(broken(say::declares(&encoding)));
                }
            }
            Event::Start(tag) => {
                if depth == 0 {
                    let name = tag.local_name();
                    if ended {
                        return Err(broken(say::after_the_log(name.as_ref())));
                    }
                    if name.as_ref() != "log" {
                        return Err(broken(say::other_root(name.as_ref())));
                    }
                    places.push(Place::Log);
                } else if places.len() == depth
                    && let Some(place) = places.last()
                    && let Some(inner) = log.start(&tag, *place, line).map_err(broken)?
                {
                    places.push(inner);
                }
                depth += 1;
                if depth > DEPTH {
                    return Err(broken(say::too_deep(DEPTH)));
                }
            }
            Event::End(_) => {
                let complete = if places.len() == depth { places.pop().is_some_and(|p| log.end(p)) } else { false };
                depth = depth.saturating_sub(1);
                ended = depth == 0;
                if complete {
                    progress();
                    if log.hand_on(sink).is_break() {
                        return Ok(Seen { rows: log.import.rows, note: None });
                    }
                }
            }
            Event::Text(text) if depth == 0 && !text.trim_ascii().is_empty() => {
                return Err(broken(say::text_outside()));
            }
            Event::CData(_) | Event::GeneralRef(_) if depth == 0 => {
                return Err(broken(say::text_outside()));
            }
            Event::Eof if depth > 0 => {
                return Err(broken(say::cut_off()));
            }
            Event::Eof if !ended => return Err(broken(say::no_log())),
            Event::Eof => break,
            _ => {}
        }
    }
    progress();
    Ok(Seen { rows: log.import.rows, note: log.note() })
}
