//! Tests of the import from XES: what counts in a log, how it is broken, and that it is read trace by trace.

use super::tests::{Table, events, mappings, read, try_import};
use super::*;
use dunghen_engine::dossier::{Event, EventType};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::cell::Cell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

/// Events of one kind, with a case column and an event column.
const LONG: &str = "source = \"s\"\nshape = \"long\"\ndossier = \"case:concept:name\"\ntype_column = \"concept:name\"\n\
    [[events]]\ntype = \"Received\"\nwhen = [\"in\"]\noccurred_at = \"time:timestamp\"\nunit = \"case:unit\"\n\
    procedure = \"p\"\n[[events]]\ntype = \"Processed\"\nwhen = [\"done\"]\noccurred_at = \"time:timestamp\"\n";
const WIDE: &str = "source = \"s\"\nshape = \"wide\"\ndossier = \"case:concept:name\"\n\
    [[events]]\ntype = \"Received\"\noccurred_at = \"case:start\"\nunit = { value = \"U\" }\nprocedure = \"case:p\"\n";

fn import(xes: &str, mapping: &str) -> Table {
    try_import(xes.as_bytes(), mapping).unwrap_or_else(|e| panic!("{e}\n{xes}"))
}

fn log(inner: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<log>\n{inner}\n</log>\n")
}

fn event(name: &str, day: u8, more: &str) -> String {
    format!(
        "<event><string key='concept:name' value='{name}'/>\
         <date key='time:timestamp' value='2025-09-{day:02}T08:00:00.000+07:00'/>{more}</event>"
    )
}

fn trace(code: &str, events: &str) -> String {
    format!(
        "<trace><string key='concept:name' value='{code}'/><string key='unit' value='U'/>\
         <date key='start' value='2025-09-01T08:00:00+07:00'/>\n{events}</trace>\n"
    )
}

/// Line, dossier, reason.
fn told(table: &Table) -> Vec<(u64, Option<&str>, &str)> {
    table.rejects.iter().map(|r| (r.line, r.dossier.as_deref(), r.reason)).collect()
}

fn procedure(table: &Table) -> &str {
    assert_eq!(table.rejects, []);
    match &events(table)[0].statement.event {
        Event::Received { procedure: Some(procedure), .. } => procedure,
        other => panic!("{other:?}"),
    }
}

fn broken(xes: &[u8], mapping: &str) -> (u64, String) {
    match try_import(xes, mapping) {
        Err(ImportError::Broken { line, what }) => (line, what.en),
        other => panic!("{other:?}\n{}", String::from_utf8_lossy(xes)),
    }
}

#[test]
fn traces_are_cases_and_events_are_rows() {
    let xes = log(&format!(
        "{}{}",
        trace("A", &format!("{}\n{}", event("in", 1, ""), event("done", 2, ""))),
        trace("B", &event("in", 3, ""))
    ));
    let table = import(&xes, LONG);
    assert_eq!((table.rows, told(&table)), (3, vec![]));
    let found: Vec<_> =
        events(&table).iter().map(|p| (p.line, &*p.statement.dossier, p.statement.event.event_type())).collect();
    assert_eq!(found, [(4, "A", EventType::Received), (5, "A", EventType::Processed), (7, "B", EventType::Received)]);
    // Attributes of the trace alone: the lines are those of the traces.
    let table = import(&xes, WIDE);
    assert_eq!((table.rows, events(&table).len(), told(&table)), (3, 2, vec![]));
    assert_eq!(events(&table).iter().map(|p| p.line).collect::<Vec<_>>(), [3, 6]);
    assert_eq!(import(&xes, &WIDE.replace("\"wide\"", "\"wide\"\ncase_rows = \"repeated\"")), table);
    // As it is, packed, with a byte order mark, with other line ends, with a namespace: the same.
    let expected = import(&xes, LONG);
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(xes.as_bytes()).expect("gz");
    let prefixed = xes.replace("</", "</x:").replace('<', "<x:").replace("<x:/x:", "</x:").replace("<x:?", "<?");
    let prefixed = prefixed.replace("<x:log>", "<x:log xmlns:x='http://www.xes-standard.org/'>");
    for (bytes, what) in [
        (gz.finish().expect("gz"), "gzip"),
        (format!("\u{feff}{xes}").into_bytes(), "BOM"),
        (xes.replace('\n', "\r\n").into_bytes(), "CRLF"),
        (xes.replace('\n', "\r").into_bytes(), "CR"),
        (prefixed.into_bytes(), "namespace"),
    ] {
        assert_eq!(try_import(&bytes, LONG).expect(what), expected, "{what}");
    }
    // Without a declaration, and after a comment.
    assert_eq!(import(&xes.replace("<?xml version=\"1.0\"?>", "<!-- <log> -->"), LONG), expected);
    assert_eq!(import(&xes.replace("<?xml version=\"1.0\"?>", ""), LONG), expected);
}

#[test]
fn every_type_of_attribute_and_none_that_is_nested() {
    for (element, value) in [
        ("string", "Đ 1"),
        ("date", "2025-09-01T00:00:00Z"),
        ("int", "-7"),
        ("float", "2.5E7"),
        ("boolean", "true"),
        ("id", "8d9b0b3e-0e8b-4b0e-9c0c-4d1f7a2a5a55"),
    ] {
        let inner = format!("<{element} key='p' value='{value}'><string key='p' value='nested'/></{element}>");
        assert_eq!(procedure(&import(&log(&trace("A", &event("in", 1, &inner))), LONG)), value);
    }
    let list = "<list key='p'><values><string key='p' value='in'/></values></list>\
                <container key='p'><string key='p' value='in'/></container><string key='p' value='out'/>";
    assert_eq!(procedure(&import(&log(&trace("A", &event("in", 1, list))), LONG)), "out");
    // The log's own attributes, and what is declared for all traces and events, bring no values.
    let around = "<extension name='p' prefix='p' uri='p'/><classifier name='p' keys='p'/>\
                  <global scope='event'><string key='p' value='UNKNOWN'/></global><string key='p' value='log'/>";
    let table = import(&log(&format!("{around}{}", trace("A", &event("in", 1, "")))), LONG);
    assert!(matches!(&events(&table)[0].statement.event, Event::Received { procedure: None, .. }));
    // A key of the event that looks like one of the trace is neither.
    let table = import(&log(&trace("A", &event("in", 1, "<string key='case:unit' value='no'/>"))), LONG);
    assert!(matches!(&events(&table)[0].statement.event, Event::Received { unit, .. } if &**unit == "U"));
}

#[test]
fn values_as_xml_writes_them() {
    let of = |value: &str| {
        let inner = format!("<!-- c --><![CDATA[<x>]]>&lt;<string value=\"{value}\" key='p'/>");
        procedure(&import(&log(&trace("A", &event("in", 1, &inner))), LONG)).to_owned()
    };
    assert_eq!(of("a &amp; &lt;b&gt; &quot;c&apos; &#233;&#x1EBF; > d"), "a & <b> \"c' éế > d");
    assert_eq!(of("  a\n\tb "), "a  b", "line breaks in a value are blanks");
    let spaced = log(&trace("A", &event("in", 1, "<string key='p  q' value='x'/>")));
    assert_eq!(procedure(&import(&spaced, &LONG.replace("\"p\"", "\"p q\""))), "x");
}

#[test]
fn attributes_may_stand_behind_the_events() {
    let late = format!(
        "<trace>{}<string key='unit' value='U'/><string key='concept:name' value='A'/></trace>",
        event("in", 1, "")
    );
    let table = import(&log(&late), LONG);
    assert_eq!((events(&table).len(), told(&table)), (1, vec![]));
}

#[test]
fn traces_without_events() {
    let xes = log(&format!("{}<trace/>", trace("A", "")));
    let table = import(&xes, WIDE);
    assert_eq!((table.rows, events(&table).len()), (2, 1));
    assert_eq!(told(&table), [(5, None, "FIELD_MISSING")]);
    let table = import(&xes, LONG);
    assert_eq!(told(&table), [(3, Some("A"), "FIELD_MISSING"), (5, None, "FIELD_MISSING")]);
    assert!(table.rejects[0].message.en.contains("the trace has no events"), "{}", table.rejects[0].message.en);
    let both =
        format!("{LONG}[[events]]\ntype = \"Stopped\"\noccurred_at = \"case:start\"\nreason_code = {{ value = 1 }}\n");
    let table = import(&xes, &both);
    assert_eq!((events(&table).len(), told(&table)), (1, vec![(5, None, "FIELD_MISSING")]));
}

#[test]
fn events_outside_of_traces() {
    let loose = event("in", 1, "<string key='id' value='A'/>");
    let of_event = LONG.replace("case:concept:name", "id").replace("\"case:unit\"", "{ value = \"U\" }");
    let table = import(&log(&loose), &of_event);
    assert_eq!((table.rows, events(&table).len(), told(&table)), (1, 1, vec![]));
    assert_eq!(told(&import(&log(&loose), LONG)), [(3, None, "FIELD_MISSING")]);
}

#[test]
fn what_is_wrong_with_a_trace_rejects_it_alone() {
    let two = |more: &str| format!("{}\n{}", event("in", 1, more), event("done", 2, ""));
    let nameless = trace("", &two(""));
    let xes = log(&format!("{nameless}{}{}", trace("A", &two("")), trace(&"x".repeat(65), &two(""))));
    let table = import(&xes, LONG);
    assert_eq!((table.rows, events(&table).len()), (6, 2));
    assert_eq!(told(&table), [(3, None, "FIELD_MISSING"), (9, None, "FIELD_INVALID")], "once a trace");
    // Values of an event reject the event, values of the trace the trace.
    let long_value = "v".repeat((1 << 20) + 1);
    for (value, message) in [
        ("&lol;".to_owned(), "lol"),
        ("&#0;".to_owned(), "numbers such as &#233; are understood"),
        ("a&b".to_owned(), "are understood"),
        (long_value, "attribute 'p': is longer than 1 MiB"),
        ("1'/><string key='p' value='2".to_owned(), "attribute 'p': stands twice, as '1' and as '2'"),
    ] {
        let bad = format!("<string key='p' value='{value}'/>");
        let table = import(&log(&trace("A", &two(&bad))), LONG);
        assert_eq!(told(&table), [(4, Some("A"), "FIELD_INVALID")], "{message}");
        assert!(table.rejects[0].message.en.contains(message), "{}\n{message}", table.rejects[0].message.en);
        assert_eq!(events(&table).len(), 1, "{message}");
        let table = import(&log(&trace("A", &format!("{bad}{}", two("")))), WIDE);
        assert_eq!(told(&table), [(3, Some("A"), "FIELD_INVALID")], "{message}");
        assert!(table.rejects[0].message.en.starts_with("the trace: attribute 'p'"), "{}", table.rejects[0].message.en);
        // In a column that nobody asked for it does not matter.
        let table = import(&log(&trace("A", &two(&bad.replace("'p'", "'q'")))), LONG);
        assert_eq!((told(&table), events(&table).len()), (vec![], 2), "{message}");
    }
}

#[test]
fn a_dossier_in_two_traces_comes_twice_with_the_same_ids() {
    let once = trace("A", &event("in", 1, ""));
    let table = import(&log(&format!("{once}{once}")), LONG);
    let ids: Vec<_> = events(&table).iter().map(|p| p.statement.event_id).collect();
    assert_eq!((table.cases.len(), ids.len(), ids[0] == ids[1]), (2, 2, true));
    // Within a trace, several dossiers are told apart.
    let of_event = LONG.replace("case:concept:name", "id");
    let row = |id: &str| event("in", 1, &format!("<string key='id' value='{id}'/>"));
    let table = import(&log(&trace("t", &format!("{}{}{}", row("B"), row("C"), row("B")))), &of_event);
    assert_eq!(table.cases.iter().map(|c| (&*c.dossier, c.events.len())).collect::<Vec<_>>(), [("B", 2), ("C", 1)]);
}

#[test]
fn columns_that_no_trace_has_are_told() {
    let xes = log(&trace("A", &event("in", 1, "<string key='q' value='1'/>")));
    let note = import(&xes, LONG).note.expect("note").en;
    assert!(note.contains("has 'p', so") && note.contains("it has 'case:start', 'q'"), "{note}");
    assert_eq!(import(&xes.replace("'q'", "'p'"), LONG).note, None);
    let numbered = try_import(xes.as_bytes(), &LONG.replace("\"p\"", "2")).expect_err("number").to_string();
    assert!(numbered.contains("no column number 2: write names"), "{numbered}");
}

#[test]
fn filters_conditions_and_maps_work_as_for_tables() {
    let mapping = format!(
        "{LONG}only_if = {{ column = \"p\", is = [\"y\"] }}\n[[filters]]\ncolumn = \"life\"\nis = [\"complete\"]\n"
    );
    let step = |name, p: &str, life: &str| {
        event(name, 1, &format!("<string key='p' value='{p}'/><string key='life' value='{life}'/>"))
    };
    let steps = [step("in", "x", "complete"), step("lost", "x", "start"), step("done", "x", "complete")];
    let table = import(&log(&trace("A", &steps.concat())), &mapping);
    assert_eq!((table.rows, events(&table).len(), told(&table)), (3, 1, vec![]));
    let table = import(&log(&trace("A", &steps.concat().replace("start", "complete"))), &mapping);
    assert_eq!(told(&table), [(4, Some("A"), "UNKNOWN_TYPE")]);
}

#[test]
fn files_that_are_no_log_or_end_within_it() {
    let good = trace("A", &event("in", 1, ""));
    let says = |xes: &str, line: u64, what: &str| {
        let (at, text) = broken(xes.as_bytes(), LONG);
        assert!(at == line && text.contains(what), "line {at}: {text}\n- lacks: {what}\n{xes}");
    };
    says("<?xml version='1.0'?>\n<html></html>", 2, "its root is <html> and not the <log>");
    says("<!DOCTYPE html>\n<HTML><p>", 2, "its root is <HTML>");
    says("<?xml version='1.0'?>\n", 2, "has no <log>");
    says("<?xml version='1.0' encoding='ISO-8859-1'?><log/>", 1, "'ISO-8859-1'; save it in UTF-8");
    says(&format!("<log>\n{good}"), 4, "ends within the log");
    says(&format!("<log>\n{good}<trace>\n<event>\n</trace></log>"), 6, "the XML is broken");
    says(&format!("<log>\n{good}<trace a='1' a='2'"), 4, "the XML is broken");
    says(&format!("<log>\n{good}<trace><string key='a' key='b'/>"), 4, "duplicate");
    says(&format!("<log>\n{good}</log>\n<log></log>"), 5, "after the end of the log comes a <log>");
    says(&format!("<log>\n{good}</log>\nx"), 4, "outside of the log");
    says("<log></log></log>", 1, "the XML is broken");
    says(&format!("<log>\n{}", "<a>\n".repeat(2000)), 1001, "nested more than 1000 deep");
    let (line, text) = broken(&[b"<log>\n<trace>\n<string key='\xff' ".as_slice(), b"/></trace></log>"].concat(), LONG);
    assert!(line == 3 && text.contains("not UTF-8"), "{line} {text}");
    let (line, text) = broken(format!("<log>\n<string key='{}", " ".repeat(17 << 20)).as_bytes(), LONG);
    assert!(line == 2 && text.contains("longer than 16 MiB"), "{line} {text}");
    let mut gz = GzEncoder::new(Vec::new(), Compression::none());
    gz.write_all(format!("<log>{}</log>", good.repeat(100)).as_bytes()).expect("gz");
    let gz = gz.finish().expect("gz");
    let (line, _) = broken(&gz[..gz.len() / 2], LONG);
    assert!(line > 10, "{line}");
    let empty = import("<log/>", LONG);
    assert_eq!((empty.rows, empty.cases.len(), empty.note), (0, 0, None));
    // What begins with `<` may still be a table; what is a table is none of XES.
    let table = import("<id>,at\nA,2025-09-10\n", &super::tests::wide("", "").replace("\"id\"", "\"<id>\""));
    assert_eq!(events(&table).len(), 1);
    assert!(matches!(try_import(b"id,at\n", LONG), Err(ImportError::Columns(_))));
    assert!(matches!(try_import(b"", LONG), Err(ImportError::File(_))));
}

#[test]
fn entities_are_not_expanded() {
    let mut laughs = String::from("<?xml version='1.0'?><!DOCTYPE log [<!ENTITY a0 'ha'>");
    for i in 1..30 {
        write!(laughs, "<!ENTITY a{i} '{}'>", format!("&a{};", i - 1).repeat(10)).expect("write");
    }
    let bad = event("in", 1, "<string key='p' value='&a29;'/>");
    write!(laughs, "]><log>&a29;\n{}</log>", trace("A", &format!("{bad}{}", event("done", 2, "")))).expect("write");
    let table = import(&laughs, LONG);
    assert_eq!((told(&table), events(&table).len()), (vec![(3, Some("A"), "FIELD_INVALID")], 1));
}

#[test]
fn what_stands_before_a_break_is_handed_on() {
    let good = trace("A", &event("in", 1, ""));
    let mut file = tempfile::NamedTempFile::new().expect("file");
    write!(file, "<log>{good}{good}<trace></log>").expect("write");
    let mut handed = 0;
    let mapping = Mapping::parse(LONG).expect("mapping");
    let result = Input::open(file.path()).expect("open").read(&mapping, &mut |_| {}, &mut |_| {
        handed += 1;
        ControlFlow::Continue(())
    });
    assert!(matches!(result, Err(ImportError::Broken { line: 5, .. })), "{result:?}");
    assert_eq!(handed, 2);
    let mut handed = 0;
    let result = Input::open(file.path()).expect("open").read(&mapping, &mut |_| {}, &mut |_| {
        handed += 1;
        ControlFlow::Break(())
    });
    assert_eq!((handed, result.expect("stopped").rows), (1, 1), "it stops when it is told to");
}

/// Memory stays the same however long the log is: a trace is handed on before the reader reads on, and the reader keeps
/// no trace that it has handed on, as it has no place for it but the sink.
#[test]
fn a_trace_is_handed_on_before_the_next_is_read() {
    const TRACES: u64 = 100_000;
    let mut file = tempfile::NamedTempFile::new().expect("file");
    let mut gz = GzEncoder::new(&mut file, Compression::none());
    gz.write_all(b"<log>").expect("gz");
    let mut text = String::new();
    for i in 0..TRACES {
        text.clear();
        write!(
            text,
            "<trace><string key='concept:name' value='{i}'/><date key='start' value='2025-09-01T00:00:00Z'/></trace>"
        )
        .expect("write");
        gz.write_all(text.as_bytes()).expect("gz");
    }
    gz.write_all(b"</log>").expect("gz");
    gz.finish().expect("gz");
    let size = file.as_file().metadata().expect("file").len();
    let (mut handed, bytes) = (0_u64, Cell::new(0));
    let input = Input::open(file.path()).expect("open");
    assert!(input.is_log());
    let told = |p: Progress| match p {
        Progress::Read { bytes: read, of } => {
            assert_eq!(of, size);
            bytes.set(read);
        }
        Progress::Handed { .. } => panic!("{p:?}"),
    };
    let seen = input.read(&Mapping::parse(WIDE).expect("mapping"), &mut { told }, &mut |chunk| {
        handed += 1;
        let Chunk::Case(case) = chunk else { panic!("{chunk:?}") };
        assert_eq!(&*case.dossier, (handed - 1).to_string());
        // Stored, not compressed: so many bytes of the file are so many traces, but for the buffers in between.
        let ahead = bytes.get().saturating_sub(handed * size / TRACES);
        assert!(ahead < 200_000, "{ahead} bytes ahead at {handed}");
        ControlFlow::Continue(())
    });
    assert_eq!((handed, seen.expect("read").rows, bytes.get()), (TRACES, TRACES, size));
}

proptest::proptest! {
    #[test]
    fn no_log_makes_it_panic(
        tail in "(<(trace|event|string|/trace|/event|/log|list)( (key|value)=['\"][a-z:&;#0-9<é]{0,9}['\"]){0,2}/?>|[\u{0}-\u{ff}]){0,30}",
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        cut in 0_usize..600,
    ) {
        let mut xes = format!("<log>{}{tail}", trace("A", &event("in", 1, ""))).into_bytes();
        xes.extend(&bytes);
        xes.extend_from_slice(b"</log>");
        let _ = try_import(&xes, LONG);
        let _ = try_import(&xes, WIDE);
        xes.truncate(cut);
        let _ = try_import(&xes, LONG);
    }
}

/// The XES and pm4py's CSV of the same log: the same events, by either mapping, to the millisecond.
#[test]
fn the_receipt_phase_from_both_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/wabo_receipt");
    let files = ["receipt.csv.gz", "receipt.xes.gz"].map(|name| folder.join(name));
    if !files.iter().all(|f| f.exists()) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", folder.display());
        eprintln!("SKIPPED: {} is missing, so the mapping wabo-receipt-xes.toml is not tested", folder.display());
        return;
    }
    let mut results = Vec::new();
    for name in ["wabo-receipt.toml", "wabo-receipt-xes.toml"] {
        let mapping = Mapping::load(&mappings().join(name)).expect("mapping");
        for file in &files {
            let table = read(file, &mapping).expect("import");
            assert_eq!((table.rows, table.cases.len(), table.rejects.len()), (8577, 1434, 0));
            assert_eq!(table.note, None);
            let mut statements: Vec<_> = events(&table).iter().map(|p| p.statement.clone()).collect();
            statements.sort_by_key(|s| s.event_id);
            results.push(statements);
        }
    }
    assert_eq!(results[0].len(), 2763);
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}
