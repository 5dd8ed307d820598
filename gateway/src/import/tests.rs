//! Tests of the import: every key of the mapping, the ways files are broken, and the examples of the documentation.
//!
//! They know the public interface only, and the page in `gateway/mappings`.

use super::*;
use dunghen_engine::dossier::{ApplicantKind, Due, Event, EventType, Outcome};
use dunghen_engine::time::Timestamp;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use uuid::Uuid;

/// All that a file brings, gathered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) rows: u64,
    pub(super) cases: Vec<Case>,
    pub(super) rejects: Vec<Reject>,
    pub(super) note: Option<Text>,
}

pub(super) fn read(path: &Path, mapping: &Mapping) -> Result<Table, ImportError> {
    let mut table = Table::default();
    let seen = Input::open(path)?.read(mapping, &mut |_| {}, &mut |chunk| {
        match chunk {
            Chunk::Case(case) => table.cases.push(case),
            Chunk::Reject(reject) => table.rejects.push(reject),
        }
        ControlFlow::Continue(())
    })?;
    Ok(Table { rows: seen.rows, note: seen.note, ..table })
}

pub(super) fn try_import(bytes: &[u8], mapping: &str) -> Result<Table, ImportError> {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    file.write_all(bytes).expect("write");
    read(file.path(), &Mapping::parse(mapping)?)
}

pub(super) fn import(csv: &str, mapping: &str) -> Table {
    try_import(csv.as_bytes(), mapping).expect("import")
}

fn mapping_error(mapping: &str) -> String {
    match Mapping::parse(mapping) {
        Err(e) => e.to_string(),
        Ok(_) => panic!("accepted: {mapping}"),
    }
}

/// A wide mapping with a `Received`; `top` goes before, `more` into the event and after it.
pub(super) fn wide(top: &str, more: &str) -> String {
    format!(
        "source = \"s\"\nshape = \"wide\"\ndossier = \"id\"\n{top}\n\
         [[events]]\ntype = \"Received\"\noccurred_at = \"at\"\nunit = {{ value = \"U\" }}\n{more}"
    )
}

pub(super) fn long(top: &str, events: &str) -> String {
    format!("source = \"s\"\nshape = \"long\"\ndossier = \"id\"\ntype_column = \"what\"\n{top}\n{events}")
}

pub(super) fn events(table: &Table) -> Vec<&Prepared> {
    table.cases.iter().flat_map(|c| &c.events).collect()
}

fn only(table: &Table) -> &Prepared {
    assert_eq!(table.rejects, [], "rejects");
    match events(table).as_slice() {
        [one] => one,
        many => panic!("{} events", many.len()),
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

/// `occurred_at` of a cell, read with some `[time]` keys and in a zone.
fn read_time(cell: &str, zone: &str, time: &str) -> Result<String, String> {
    let mapping = wide(&format!("time_zone = \"{zone}\"\n[time]\n{time}"), "");
    let table = import(&format!("id,at\nD,\"{cell}\"\n"), &mapping);
    match table.rejects.first() {
        Some(reject) => Err(reject.message.en.clone()),
        None => Ok(only(&table).statement.occurred_at.to_string()),
    }
}

#[test]
fn times_in_all_formats() {
    let hcm = "Asia/Ho_Chi_Minh";
    for (cell, time, expected) in [
        ("2025-09-10T09:00:00.1239+07:00", "", "2025-09-10T02:00:00.123Z"),
        ("2025-09-10 09:00:00.1239+07:00", "", "2025-09-10T02:00:00.123Z"),
        ("2025-09-10 09:00:00.5", "", "2025-09-10T02:00:00.500Z"),
        ("2025-09-10T09:00", "", "2025-09-10T02:00:00.000Z"),
        ("2025-09-10", "", "2025-09-09T17:00:00.000Z"),
        ("2025-09-10", "of_day = \"07:30\"", "2025-09-10T00:30:00.000Z"),
        ("1/9/2025 9:05", "formats = [\"rfc3339\", \"%d/%m/%Y %H:%M\"]", "2025-09-01T02:05:00.000Z"),
        ("10/09/2025 2:30:00 CH", "formats = [\"%d/%m/%Y %I:%M:%S %p\"]", "2025-09-10T07:30:00.000Z"),
        ("10/09/25", "formats = [\"%d/%m/%y\"]", "2025-09-09T17:00:00.000Z"),
        ("20250910093000", "formats = [\"%Y%m%d%H%M%S\"]", "2025-09-10T02:30:00.000Z"),
        ("10/09/2025 09:00 +0200", "formats = [\"%d/%m/%Y %H:%M %z\"]", "2025-09-10T07:00:00.000Z"),
        ("1757469600.9999", "formats = [\"unix\"]", "2025-09-10T02:00:00.999Z"),
        ("-0.0001", "formats = [\"unix\"]", "1969-12-31T23:59:59.999Z"),
        ("1757469600123.9", "formats = [\"unix_ms\"]", "2025-09-10T02:00:00.123Z"),
        ("45910,375", "formats = [\"excel\"]", "2025-09-10T02:00:00.000Z"),
        ("45910", "formats = [\"excel\"]\nof_day = \"08:00\"", "2025-09-10T01:00:00.000Z"),
    ] {
        assert_eq!(read_time(cell, hcm, time).as_deref(), Ok(expected), "{cell} {time}");
    }
    for (cell, time) in [
        ("31/09/2025 08:00", "formats = [\"%d/%m/%Y %H:%M\"]"),
        ("10/09/25 08:00", "formats = [\"%d/%m/%Y %H:%M\"]"),
        ("10/09/2025 08:00:00", "formats = [\"%d/%m/%Y %H:%M\"]"),
        ("09-10-2025", ""),
        ("đầu tháng", ""),
        ("99999999999999999999", "formats = [\"unix\"]"),
        ("60", "formats = [\"excel\"]"),
        ("NaN0", "formats = [\"excel\"]"),
    ] {
        let message = read_time(cell, hcm, time).expect_err(cell);
        assert!(message.contains("fits none of the formats") && message.contains(cell), "{message}");
    }
}

#[test]
fn wall_clocks_that_go_back_and_forth() {
    let amsterdam = |cell| read_time(cell, "Europe/Amsterdam", "");
    assert_eq!(amsterdam("2011-10-30 02:30").as_deref(), Ok("2011-10-30T00:30:00.000Z"), "the earlier one");
    let message = amsterdam("2011-03-27 02:30").expect_err("gap");
    assert!(message.contains("does not exist in Europe/Amsterdam"), "{message}");
    // A day whose midnight is skipped begins after the gap.
    assert_eq!(read_time("2024-04-26", "Africa/Cairo", "").as_deref(), Ok("2024-04-25T22:00:00.000Z"));
}

#[test]
fn a_field_may_have_its_own_formats_zone_and_time_of_day() {
    let more = "due = { column = \"due\", formats = [\"%d/%m/%Y\"], of_day = \"17:00\", time_zone = \"UTC\" }";
    let table = import("id,at,due\nD,2025-09-10,11/09/2025\n", &wide("", more));
    let Event::Received { due, .. } = &only(&table).statement.event else { panic!("type") };
    assert_eq!(*due, Some(Due::Instant(at("2025-09-11T17:00:00Z"))));
}

#[test]
fn dates_due_come_from_dates_and_from_times() {
    // 20:00Z is the next day in Viet Nam.
    for (cell, expected) in
        [("2025-09-30", "2025-09-30"), ("2025-09-30 23:59", "2025-09-30"), ("2025-09-30T20:00:00Z", "2025-10-01")]
    {
        let table = import(&format!("id,at,due\nD,2025-09-10,{cell}\n"), &wide("", "due_date = \"due\""));
        let Event::Received { due: Some(Due::Date(date)), .. } = &only(&table).statement.event else { panic!("type") };
        assert_eq!(date.to_string(), expected);
    }
}

#[test]
fn one_column_may_hold_dues_of_both_kinds() {
    let more = "due = { column = \"due\", formats = [\"%d/%m/%Y %H:%M\"], otherwise = \"empty\" }\n\
                due_date = { column = \"due\", formats = [\"%d/%m/%Y\"], otherwise = \"empty\" }";
    let table = import("id,at,due\nA,2025-09-10,11/09/2025\nB,2025-09-10,11/09/2025 17:00\n", &wide("", more));
    let dues: Vec<_> = events(&table).iter().filter_map(|p| p.statement.event.due().map(|d| d.0)).collect();
    assert_eq!(dues, ["due_date", "due"]);
    let both = "due = \"due\"\ndue_date = \"due\"";
    let table = import("id,at,due\nA,2025-09-10,2025-09-11\n", &wide("", both));
    assert_eq!(table.rejects[0].reason, "FIELD_INVALID");
    assert!(table.rejects[0].message.en.contains("due and due_date are both given"));
}

#[test]
fn values_are_mapped_kept_refused_or_dropped() {
    let csv = "id,at,how\nA,2025-09-10,Quầy\nB,2025-09-10,Lạ\nC,2025-09-10,Không\nD,2025-09-10,\n";
    let channels = |rest: &str| {
        let map = "map = { \"Quầy\" = \"direct\", \"Không\" = \"\" }";
        let table = import(csv, &wide("", &format!("channel = {{ column = \"how\", {map}{rest} }}")));
        let channels: Vec<_> = events(&table)
            .iter()
            .map(|p| match &p.statement.event {
                Event::Received { channel, .. } => channel.as_deref().unwrap_or("none").to_owned(),
                _ => panic!("type"),
            })
            .collect();
        (channels, table.rejects)
    };
    assert_eq!(channels(", otherwise = \"keep\"").0, ["direct", "Lạ", "none", "none"]);
    assert_eq!(channels(", otherwise = \"empty\", default = \"x\"").0, ["direct", "x", "x", "x"]);
    let (taken, rejects) = channels("");
    assert_eq!(taken, ["direct", "none", "none"]);
    assert_eq!((rejects[0].line, rejects[0].dossier.as_deref(), rejects[0].reason), (3, Some("B"), "FIELD_INVALID"));
    assert!(rejects[0].message.en.contains("'Lạ' is not in its map ('Không', 'Quầy')"), "{}", rejects[0].message.en);
    assert!(rejects[0].message.en.starts_with("Received: channel (column 'how')"), "{}", rejects[0].message.en);
}

#[test]
fn what_means_empty_can_be_said_for_all_and_for_one() {
    let csv = "id,at,a,b\nD,2025-09-10,?,?\n";
    let codes = |top: &str, b: &str| {
        let table = import(csv, &wide(top, &format!("procedure = \"a\"\nfield = {b}")));
        match &only(&table).statement.event {
            Event::Received { procedure, field, .. } => (procedure.as_deref().is_some(), field.as_deref().is_some()),
            _ => panic!("type"),
        }
    };
    assert_eq!(codes("", "\"b\""), (true, true));
    assert_eq!(codes("empty = [\"?\"]", "\"b\""), (false, false));
    assert_eq!(codes("empty = [\"?\"]", "{ column = \"b\", empty = [] }"), (false, true));
    let table = import("id,at,a\nD,2025-09-10,NULL\n-,2025-09-10,\n", &wide("", "procedure = \"a\""));
    assert_eq!(table.rejects.len(), 1, "a dossier code that is empty");
    assert_eq!((table.rejects[0].line, table.rejects[0].reason), (3, "FIELD_MISSING"));
    assert!(matches!(&events(&table)[0].statement.event, Event::Received { procedure: None, .. }));
}

const EVERY_FIELD: &str = r#"
source = "s"
shape = "long"
dossier = "id"
type_column = "what"
[[events]]
type = "Received"
when = ["Received"]
occurred_at = "at"
desk = "a"
actor = "b"
unit = "a"
procedure = "b"
field = "a"
channel = "b"
due = { value = "2025-09-30T17:00:00+07:00" }
applicant_kind = { column = "a", map = { "a" = "enterprise" } }
[[events]]
type = "Rejected"
when = ["Rejected"]
occurred_at = "at"
unit = "a"
reason_code = "b"
[[events]]
type = "Forwarded"
when = ["Forwarded"]
occurred_at = "at"
to_unit = "a"
step_due_date = { value = "2025-09-30" }
[[events]]
type = "SupplementRequested"
when = ["SupplementRequested"]
occurred_at = "at"
items = { value = ["x", "y"] }
reason_code = { value = 7 }
[[events]]
type = "Supplemented"
when = ["Supplemented"]
occurred_at = "at"
due_date = { value = "2025-09-30" }
[[events]]
type = "PaymentRequested"
when = ["PaymentRequested"]
occurred_at = "at"
stops_clock = { value = true }
[[events]]
type = "Paid"
when = ["Paid"]
occurred_at = "at"
due = { column = "none", default = "2025-09-30T17:00:00+07:00" }
[[events]]
type = "Processed"
when = ["Processed"]
occurred_at = "at"
outcome = { value = "refused" }
[[events]]
type = "ApologySent"
when = ["ApologySent"]
occurred_at = "at"
letter_number = "a"
reason_code = "b"
signer = "a"
sent_via = "b"
new_due_date = { value = "2025-10-30" }
[[events]]
type = "Returned"
when = ["Returned"]
occurred_at = "at"
returned_via = "a"
[[events]]
type = "Withdrawn"
when = ["Withdrawn"]
occurred_at = "at"
reason_code = "a"
[[events]]
type = "Stopped"
when = ["Stopped"]
occurred_at = "at"
reason_code = "a"
"#;

#[test]
fn every_field_of_every_type() {
    let mut csv = "id,what,at,a,b,none\n".to_owned();
    for t in EventType::ALL.iter().filter(|t| ![EventType::Late, EventType::Corrected].contains(t)) {
        writeln!(csv, "D,{t},2025-09-10,a,b,").expect("write");
    }
    let table = import(&csv, EVERY_FIELD);
    assert_eq!(table.rejects, []);
    let date = |text| Due::Date(dunghen_engine::time::Date::parse(text).expect("date"));
    let instant = Some(Due::Instant(at("2025-09-30T10:00:00Z")));
    let (a, b) = (Some("a".into()), Some("b".into()));
    let expected = [
        Event::Received {
            unit: "a".into(),
            procedure: b.clone(),
            field: a.clone(),
            channel: b.clone(),
            due: instant,
            applicant_kind: Some(ApplicantKind::Enterprise),
        },
        Event::Rejected { unit: a.clone(), reason_code: b.clone() },
        Event::Forwarded { to_unit: "a".into(), step_due: Some(date("2025-09-30")) },
        Event::SupplementRequested { items: vec!["x".into(), "y".into()], reason_code: Some("7".into()) },
        Event::Supplemented { due: Some(date("2025-09-30")) },
        Event::PaymentRequested { stops_clock: true },
        Event::Paid { due: instant },
        Event::Processed { outcome: Outcome::Refused },
        Event::ApologySent {
            letter_number: a.clone(),
            reason_code: b.clone(),
            signer: a.clone(),
            sent_via: b.clone(),
            new_due: Some(date("2025-10-30")),
        },
        Event::Returned { returned_via: a.clone() },
        Event::Withdrawn { reason_code: a.clone() },
        Event::Stopped { reason_code: "a".into() },
    ];
    let events = events(&table);
    assert_eq!(events.iter().map(|p| p.statement.event.clone()).collect::<Vec<_>>(), expected);
    assert_eq!((&events[0].statement.desk, &events[0].statement.actor), (&a, &b));
}

#[test]
fn ids_are_those_of_the_contract_and_stay() {
    let csv = "id,what,at\nD,ask,2025-09-12\nD,in,2025-09-10\nD,ask,2025-09-11\n";
    let mapping = long(
        "",
        "[[events]]\ntype = \"Received\"\nwhen = [\"in\"]\noccurred_at = \"at\"\nunit = { value = \"U\" }\n\
         [[events]]\ntype = \"SupplementRequested\"\nwhen = [\"ask\"]\noccurred_at = \"at\"\n",
    );
    let table = import(csv, &mapping);
    assert_eq!(table, import(csv, &mapping));
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"dunghen");
    let id = |name: &str| Uuid::new_v5(&namespace, name.as_bytes());
    let found: Vec<_> = events(&table).iter().map(|p| (p.line, p.statement.event_id)).collect();
    assert_eq!(
        found,
        [
            (3, id("import\ns\nD\nReceived\n1")),
            (4, id("import\ns\nD\nSupplementRequested\n1")),
            (2, id("import\ns\nD\nSupplementRequested\n2")),
        ]
    );
}

#[test]
fn a_rejected_event_keeps_its_number() {
    let mapping = long(
        "",
        "[[events]]\ntype = \"SupplementRequested\"\nwhen = [\"ask\"]\noccurred_at = \"at\"\n\
         reason_code = { column = \"why\", map = { x = \"x\" } }\n",
    );
    let broken = import("id,what,at,why\nD,ask,2025-09-11,?\nD,ask,2025-09-12,x\n", &mapping);
    let mended = import("id,what,at,why\nD,ask,2025-09-11,x\nD,ask,2025-09-12,x\n", &mapping);
    assert_eq!(broken.rejects.len(), 1);
    assert_eq!(events(&broken)[0], events(&mended)[1]);
}

#[test]
fn received_comes_first_but_for_an_earlier_rejection() {
    let order = |csv: &str| {
        let mapping = long(
            "",
            "[[events]]\ntype = \"Received\"\nwhen = [\"in\"]\noccurred_at = \"at\"\nunit = { value = \"U\" }\n\
             [[events]]\ntype = \"Rejected\"\nwhen = [\"no\"]\noccurred_at = \"at\"\nunit = { value = \"U\" }\n\
             [[events]]\ntype = \"Processed\"\nwhen = [\"done\"]\noccurred_at = \"at\"\n",
        );
        let table = import(&format!("id,what,at\n{csv}"), &mapping);
        events(&table).iter().map(|p| p.statement.event.event_type().name()).collect::<Vec<_>>()
    };
    assert_eq!(order("D,done,2025-09-09\nD,in,2025-09-10\n"), ["Received", "Processed"]);
    assert_eq!(order("D,in,2025-09-10\nD,no,2025-09-09\n"), ["Rejected", "Received"]);
    assert_eq!(order("D,no,2025-09-10\nD,in,2025-09-10\n"), ["Received", "Rejected"]);
    assert_eq!(order("D,no,2025-09-11\nD,in,2025-09-10\n"), ["Received", "Rejected"]);
    assert_eq!(order("D,done,2025-09-11\nD,no,2025-09-09\n"), ["Rejected", "Processed"]);
}

#[test]
fn files_as_they_come() {
    let plain = "id,at\nA,2025-09-10\nB,2025-09-11\n";
    let expected = import(plain, &wide("", ""));
    assert_eq!(expected.rows, 2);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(plain.as_bytes()).expect("gz");
    let gz = gz.finish().expect("gz");
    let of = |bytes: &[u8], top: &str| try_import(bytes, &wide(top, "")).expect("import");
    assert_eq!(of(&gz, ""), expected, "gzip");
    assert_eq!(of(format!("\u{feff}{plain}").as_bytes(), ""), expected, "BOM");
    assert_eq!(of(plain.replace('\n', "\r\n").as_bytes(), ""), expected, "CRLF");
    assert_eq!(of(plain.trim_end().as_bytes(), ""), expected, "no last line end");
    assert_eq!(of(plain.replace('\n', "\r").as_bytes(), ""), expected, "CR");
    assert_eq!(of(plain.replace(',', ";").as_bytes(), "[csv]\ndelimiter = \";\""), expected, "semicolons");
    assert_eq!(of(plain.replace(',', "\t").as_bytes(), "[csv]\ndelimiter = \"tab\""), expected, "tabs");
    assert_eq!(of(b"id,at\nA , 2025-09-10\xc2\xa0\n B,2025-09-11\n", ""), expected, "blanks");
    assert_eq!(of(b"'id','at'\n'A',2025-09-10\nB,2025-09-11", "[csv]\nquote = \"'\""), expected, "quotes");
    assert_eq!(of(b"id,at,\nA,2025-09-10\nB,2025-09-11\n", "[csv]\nshort_rows = \"fill\""), expected, "short rows");
    assert_eq!(of(b"id,at\nA,2025-09-10,,\nB,2025-09-11\n,,\n", ""), expected, "blank columns and rows");
    // Lines are those of the file, whatever comes before.
    let lines = |table: &Table| events(table).iter().map(|p| p.line).collect::<Vec<_>>();
    assert_eq!(lines(&expected), [2, 3]);
    let titled = of("BÁO CÁO\r\nQuý III\r\n\r\nid,at\r\n\r\nA,2025-09-10\r\n".as_bytes(), "[csv]\nskip_lines = 2");
    assert_eq!(lines(&titled), [6]);
    let folded = of(b"id,at,x\r\nA,2025-09-10,\"1\r\n2\"\r\nB,2025-09-10,\r\n", "");
    assert_eq!(lines(&folded), [2, 4]);
}

#[test]
fn trim_quote_and_escape_can_be_switched() {
    let table = import("id,at\n A,2025-09-10\n", &wide("[csv]\ntrim = false", ""));
    assert_eq!(&*table.cases[0].dossier, " A");
    let table = import("id,at\n\"A,2025-09-10\n", &wide("[csv]\nquote = \"none\"", ""));
    assert_eq!(&*table.cases[0].dossier, "\"A");
    let table = import("id,at\n\"A\\\"B\",2025-09-10\n", &wide("[csv]\nescape = '\\'", ""));
    assert_eq!(&*table.cases[0].dossier, "A\"B");
}

#[test]
fn columns_without_names() {
    let mapping = "source = \"s\"\nshape = \"wide\"\ndossier = 1\n[csv]\nheader = false\n\
                   [[events]]\ntype = \"Received\"\noccurred_at = 2\nunit = { column = 3 }\n";
    let table = import("A,2025-09-10,U\nB,2025-09-10,V\n", mapping);
    assert_eq!((table.rows, events(&table).len()), (2, 2));
    let named = mapping.replace("dossier = 1", "dossier = \"id\"");
    let error = try_import(b"A,2025-09-10,U\n", &named).expect_err("names").to_string();
    assert!(error.contains("write numbers instead of 'id'"), "{error}");
}

#[test]
fn columns_that_are_not_there_or_twice() {
    let error = |csv: &str, mapping: &str| match try_import(csv.as_bytes(), mapping) {
        Err(ImportError::Columns(text)) => text.en,
        other => panic!("{other:?}"),
    };
    let text = error("id,when\n", &wide("", "procedure = \"proc\"\nfield = 9"));
    assert!(text.contains("no column 'at', 'proc', number 9; it has 1 'id', 2 'when'"), "{text}");
    assert!(error("id;at\n", &wide("", "")).contains("is `csv.delimiter` right?"));
    let text = error("id,at,at\n", &wide("", ""));
    assert!(text.contains("'at' (columns 2 and 3) twice"), "{text}");
    let by_number = wide("", "").replace("\"at\"", "3");
    assert_eq!(only(&import("id,at,at\nD,x,2025-09-10\n", &by_number)).line, 2);
    // Line breaks in a header are blanks.
    import("id,\"at\n\"\nD,2025-09-10\n", &wide("", ""));
}

#[test]
fn files_that_are_no_csv() {
    let error = |bytes: &[u8]| try_import(bytes, &wide("", "")).expect_err("file").to_string();
    assert!(error(b"").contains("no header row"));
    assert!(error(b"PK\x03\x04").contains("export it as CSV"));
    assert!(error(b"\xff\xfei\0").contains("UTF-16"));
    assert!(error(b"id,at,\xff\n").contains("the header is not UTF-8"));
    assert!(error(b"\x1f\x8bx").contains("cannot read"));
    let text = error(b"id,at\nA,2025-09-10\n\"B,2025-09-10\nC,2025-09-10\n");
    assert!(text.contains("row of line 3 is never closed"), "{text}");
    let gone = read(Path::new("/nowhere/x.csv"), &Mapping::parse(&wide("", "")).expect("mapping"));
    assert!(matches!(gone, Err(ImportError::Unreadable { .. })));
}

#[test]
fn rows_that_are_broken_are_rejected_alone() {
    let csv = b"id,at,x\nA,2025-09-10\nB,2025-09-10,\xff\nC,2025-09-10,1,2\nD,2025-09-10,\n,2025-09-10,\nE,,\n";
    let table = try_import(csv, &wide("", "")).expect("import");
    assert_eq!((table.rows, events(&table).len()), (6, 1));
    let told: Vec<_> = table.rejects.iter().map(|r| (r.line, r.dossier.as_deref(), r.reason)).collect();
    assert_eq!(
        told,
        [
            (2, Some("A"), "FIELD_INVALID"),
            (3, Some("B"), "FIELD_INVALID"),
            (4, Some("C"), "FIELD_INVALID"),
            (6, None, "FIELD_MISSING"),
            (7, Some("E"), "FIELD_MISSING"),
        ]
    );
    let long_code = "x".repeat(65);
    let table = import(&format!("id,at\n{long_code},2025-09-10\n"), &wide("", ""));
    assert_eq!((table.rejects[0].reason, table.cases.len()), ("FIELD_INVALID", 0));
}

#[test]
fn a_bad_field_rejects_its_event_only() {
    let more = "procedure = \"p\"\n[[events]]\ntype = \"Processed\"\noccurred_at = \"end\"\n\
                [[events]]\ntype = \"Stopped\"\noccurred_at = \"end\"\nreason_code = \"why\"\n";
    let csv = format!("id,at,p,end,why\nD,2025-09-10,{},2025-09-11,\n", "p".repeat(201));
    let table = import(&csv, &wide("", more));
    assert_eq!(events(&table).len(), 1, "Processed is left");
    let told: Vec<_> = table.rejects.iter().map(|r| (r.reason, r.message.en.as_str())).collect();
    assert_eq!(
        told,
        [
            ("FIELD_INVALID", "Received: procedure is longer than 200 characters; map it to a shorter code"),
            ("FIELD_MISSING", "Stopped: reason_code is empty; complete it, or give a `default`"),
        ]
    );
}

#[test]
fn one_row_a_case_or_several() {
    let csv = "id,at,p\nD,,x\nE,2025-09-10,\nD,2025-09-10,\nD,2025-09-11,x\nD,2025-09-10,y\nD,2025-09-10,x\n";
    let table = import(csv, &wide("case_rows = \"repeated\"", "procedure = \"p\""));
    assert_eq!((table.rows, table.cases.len()), (6, 2));
    assert_eq!(events(&table)[0].line, 4, "where its occurred_at stands");
    assert!(matches!(&events(&table)[0].statement.event, Event::Received { procedure: Some(p), .. } if &**p == "x"));
    let told: Vec<_> = table.rejects.iter().map(|r| (r.line, r.message.en.as_str())).collect();
    assert_eq!(told[0].0, 5);
    assert!(told[0].1.starts_with("column 'at' says '2025-09-11' here, but '2025-09-10' on line 4;"), "{}", told[0].1);
    assert!(told[1].1.starts_with("column 'p' says 'y' here, but 'x' on line 2;"), "{}", told[1].1);
    assert_eq!(told.len(), 2);
    let table = import("id,at\nD,2025-09-10\nD,2025-09-10\n", &wide("", ""));
    assert_eq!((table.rejects.len(), table.rejects[0].line), (1, 3));
    assert!(table.rejects[0].message.en.contains("stands on line 2 already"));
}

#[test]
fn filters_and_conditions() {
    let csv = "id,at,end,state\nA,2025-09-10,2025-09-11,done\nB,2025-09-10,2025-09-11,test\nC,2025-09-10,2025-09-11,\n";
    let more = "[[events]]\ntype = \"Processed\"\noccurred_at = \"end\"\n\
                only_if = [{ column = \"state\", is = [\"done\"] }, { column = \"end\", is_not = [\"\"] }]\n\
                [[filters]]\ncolumn = \"state\"\nis_not = [\"test\"]\n";
    let table = import(csv, &wide("", more));
    assert_eq!((table.rows, &table.rejects), (3, &vec![]));
    let found: Vec<_> =
        events(&table).iter().map(|p| (&*p.statement.dossier, p.statement.event.event_type())).collect();
    assert_eq!(found, [("A", EventType::Received), ("A", EventType::Processed), ("C", EventType::Received)]);
}

#[test]
fn long_files() {
    let mapping = |top: &str| {
        long(
            top,
            "[[events]]\ntype = \"Received\"\noccurred_at = \"start\"\nunit = \"unit\"\n\
             [[events]]\ntype = \"Processed\"\nwhen = [\"ký\", \"trả\"]\noccurred_at = \"at\"\n\
             [[events]]\ntype = \"Returned\"\nwhen = [\"trả\"]\noccurred_at = \"at\"\n\
             only_if = { column = \"unit\", is_not = [\"\"] }\n",
        )
    };
    let csv = "id,what,at,start,unit\nD,xem,x,2025-09-10,\nD,trả,2025-09-12,,U\nE,lạ,,,\nD,,,,\nD,ký,,,\nD,ký,2025-09-12,,V\n";
    let table = import(csv, &mapping("ignore = [\"xem\"]"));
    let found: Vec<_> = events(&table).iter().map(|p| (p.line, p.statement.event.event_type())).collect();
    assert_eq!(found, [(2, EventType::Received), (3, EventType::Processed), (3, EventType::Returned)]);
    let told: Vec<_> = table.rejects.iter().map(|r| (r.line, r.reason)).collect();
    assert_eq!(told, [(4, "UNKNOWN_TYPE"), (5, "FIELD_MISSING"), (6, "FIELD_MISSING"), (7, "FIELD_INVALID")]);
    let table = import(csv, &mapping("unlisted = \"ignore\""));
    assert_eq!(table.rejects.iter().map(|r| r.line).collect::<Vec<_>>(), [6, 7]);
}

#[test]
fn lists_are_split() {
    let events_of = |items: &str| {
        long(
            "",
            &format!(
                "[[events]]\ntype = \"SupplementRequested\"\nwhen = [\"q\"]\noccurred_at = \"at\"\nitems = {items}"
            ),
        )
    };
    let items = |spec: &str| {
        let table = import("id,what,at,i\nD,q,2025-09-10,a; b;;\n", &events_of(spec));
        match &only(&table).statement.event {
            Event::SupplementRequested { items, .. } => items.iter().map(ToString::to_string).collect::<Vec<_>>(),
            _ => panic!("type"),
        }
    };
    assert_eq!(items("\"i\""), ["a; b;;"]);
    assert_eq!(items("{ column = \"i\", split = \";\" }"), ["a", "b"]);
    assert_eq!(items("{ column = \"i\", split = \";\", map = { a = \"A\", b = \"\" } }"), ["A"]);
}

#[test]
fn progress_is_told() {
    let mut csv = "id,at\n".to_owned();
    for i in 0..2500 {
        writeln!(csv, "{i},2025-09-10").expect("write");
    }
    let mut file = tempfile::NamedTempFile::new().expect("file");
    file.write_all(csv.as_bytes()).expect("write");
    let mut told = Vec::new();
    let mapping = Mapping::parse(&wide("", "")).expect("mapping");
    let input = Input::open(file.path()).expect("open");
    input.read(&mapping, &mut |p| told.push(p), &mut |_| ControlFlow::Continue(())).expect("import");
    let of = csv.len() as u64;
    let read = told.iter().filter_map(|p| match p {
        Progress::Read { bytes, of: all } if *all == of => Some(*bytes),
        _ => None,
    });
    let read: Vec<u64> = read.collect();
    assert!(read.len() == 3 && read.is_sorted() && read[2] == of, "{read:?}");
    let handed = [1000, 2000, 2500].map(|dossiers| Progress::Handed { dossiers, of: 2500 });
    assert_eq!(told[3..], handed);
}

#[test]
fn mappings_that_are_wrong_say_where() {
    let event = |body: &str| wide("", &format!("[[events]]\n{body}"));
    for (mapping, part) in [
        (wide("colour = 1", ""), "colour"),
        (wide("time_zone = \"Hanoi\"", ""), "'Hanoi' is no IANA time zone"),
        (wide("", "").replace("\"s\"", "\" \""), "`source` must be a name"),
        (wide("", "").replace("source", "sauce"), "sauce"),
        (wide("", "").replace("\"wide\"", "\"tall\""), "tall"),
        (wide("", "").replace("\"id\"", "0"), "`dossier`: columns are counted from 1"),
        (wide("", "").replace("\"id\"", "[]"), "`dossier`: write a column's name"),
        (wide("ignore = []", ""), "`ignore` belongs to shape = \"long\""),
        (wide("[csv]\ndelimiter = \"||\"", ""), "`csv.delimiter` is '||'"),
        (wide("[csv]\nquote = \",\"", ""), "must differ from `csv.delimiter`"),
        (wide("[time]\nformats = []", ""), "`time.formats`: the list is empty"),
        (wide("[time]\nformats = [\"iso\"]", ""), "'iso' is no time format"),
        (wide("[time]\nformats = [\"%H:%M\"]", ""), "cannot give a moment"),
        (wide("[time]\nformats = [\"%d/%m/%Y %I:%M\"]", ""), "cannot give a moment"),
        (wide("[time]\nformats = [\"%d/%m/%Y %H:%M %Z\"]", ""), "%Z cannot be read"),
        (wide("[time]\nformats = [\"%d/%Q\"]", ""), "unknown % sign"),
        (wide("[time]\nof_day = \"noon\"", ""), "`time.of_day`: 'noon' is no time of day"),
        (wide("", "[[filters]]\ncolumn = \"x\"\n"), "filter 1: give either `is` or `is_not`"),
        (
            wide("", "colour = \"x\""),
            "event 1 (Received): it has no field `colour`; it takes type, only_if, occurred_at",
        ),
        (wide("", "when = [\"x\"]"), "event 1 (Received): `when` belongs to shape = \"long\""),
        (wide("", "channel = 1.5"), "event 1 (Received), field `channel`: write a column's name"),
        (wide("", "channel = { kolumn = \"x\" }"), "event 1 (Received), field `channel`: unknown field `kolumn`"),
        (wide("", "channel = {}"), "field `channel`: needs `column`, or `value`"),
        (wide("", "channel = { value = \"\" }"), "must be printable"),
        (wide("", "channel = { value = \"x\", column = \"y\" }"), "`column` does not go with `value`"),
        (wide("", "channel = { column = \"x\", formats = [\"unix\"] }"), "`formats` is for times and dates only"),
        (wide("", "channel = { column = \"x\", otherwise = \"keep\" }"), "otherwise = \"keep\" needs a `map`"),
        (wide("", "channel = { column = \"x\", otherwise = \"empty\" }"), "otherwise = \"empty\" needs a `map`"),
        (wide("", "channel = { column = \"x\", split = \";\" }"), "`split` is for `items` only"),
        (wide("", "due_date = { column = \"x\", of_day = \"17:00\" }"), "`of_day` is for times only"),
        (wide("", "due = { column = \"x\", time_zone = \"VN\" }"), "field `due`, `time_zone`: 'VN' is no IANA"),
        (wide("", "applicant_kind = { column = \"x\", map = { x = \"firm\" } }"), "'firm' is not one of citizen"),
        (event("type = \"Late\"\n"), "event 2 (Late): only the engine writes Late"),
        (event("type = \"Lost\"\n"), "event 2 (Lost): there is no such type; the types are 'Received'"),
        (event("occurred_at = \"at\"\n"), "event 2: needs `type`"),
        (event("type = \"Processed\"\n"), "event 2 (Processed): needs `occurred_at`"),
        (event("type = \"Stopped\"\noccurred_at = \"at\"\n"), "event 2 (Stopped): needs `reason_code`"),
        (event("type = \"Paid\"\noccurred_at = { value = \"2025-09-10\" }\n"), "`value` is not for `occurred_at`"),
        (event("type = \"Paid\"\noccurred_at = { column = \"x\", default = \"y\" }\n"), "`default` is not for"),
        (event("type = \"Paid\"\noccurred_at = \"x\"\nonly_if = { column = \"x\" }\n"), "event 2 (Paid), `only_if`"),
        ("source = \"s\"\nshape = \"wide\"\ndossier = \"id\"\n".to_owned(), "there is no event"),
        (long("case_rows = \"one\"", ""), "there is no event"),
        (long("", "").replace("type_column = \"what\"", ""), "there is no event"),
    ] {
        let text = mapping_error(&mapping);
        assert!(text.contains(part), "{text}\n- lacks: {part}\n{mapping}");
    }
    let paid = "[[events]]\ntype = \"Paid\"\nwhen = [\"p\"]\noccurred_at = \"at\"\n";
    for (mapping, part) in [
        (long("case_rows = \"one\"", paid), "`case_rows` belongs to shape = \"wide\""),
        (long("", paid).replace("type_column = \"what\"", ""), "needs `type_column`"),
        (long("ignore = [\"p\"]", paid), "'p' stands in `ignore` and in a `when`"),
        (long("", &paid.replace("when = [\"p\"]", "")), "no event has a `when`"),
        (long("", &paid.replace("[\"p\"]", "\"p\"")), "event 1 (Paid), `when`: write a list"),
        (long("", &format!("{paid}due = {{ column = \"x\", split = \"\" }}")), "`split` is for `items` only"),
    ] {
        let text = mapping_error(&mapping);
        assert!(text.contains(part), "{text}\n- lacks: {part}\n{mapping}");
    }
}

#[test]
fn a_mapping_file_that_is_wrong_is_named() {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    file.write_all(b"source = 1").expect("write");
    let text = Mapping::load(file.path()).expect_err("wrong").to_string();
    assert!(text.contains(&file.path().display().to_string()) && text.contains("line 1"), "{text}");
    assert!(matches!(Mapping::load(Path::new("/nowhere.toml")), Err(ImportError::Unreadable { .. })));
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), tail in "[A-E,\"\r\n0-9:/-]{0,60}") {
        let mapping = long(
            "unlisted = \"ignore\"\n[csv]\nshort_rows = \"fill\"\n[time]\nformats = [\"%d/%m/%Y %H:%M\", \"excel\", \"unix\", \"rfc3339\"]",
            "[[events]]\ntype = \"Paid\"\nwhen = [\"A\", \"\"]\noccurred_at = \"at\"\ndue_date = \"due\"\n",
        );
        let mut csv = b"id,what,at,due\n".to_vec();
        csv.extend_from_slice(tail.as_bytes());
        csv.extend(&bytes);
        let _ = try_import(&csv, &mapping);
        let _ = try_import(&bytes, &mapping);
        let _ = Mapping::parse(&String::from_utf8_lossy(&bytes));
    }
}

pub(super) fn mappings() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")
}

/// The fields of an event as the page prints them.
fn printed(statement: &Statement) -> String {
    let code = |name: &'static str, value: &Option<Code>| value.as_ref().map(|v| (name, v.to_string()));
    let mut fields: Vec<Option<(&str, String)>> = Vec::new();
    match &statement.event {
        Event::Received { unit, procedure, channel, .. } => {
            fields.extend([Some(("unit", unit.to_string())), code("procedure", procedure), code("channel", channel)]);
        }
        Event::Forwarded { to_unit, .. } => fields.push(Some(("to_unit", to_unit.to_string()))),
        Event::SupplementRequested { items, .. } => fields.push(Some(("items", items.join(" ")))),
        Event::Processed { outcome } => fields.push(Some(("outcome", outcome.name().to_owned()))),
        Event::Returned { returned_via } => fields.push(code("returned_via", returned_via)),
        _ => {}
    }
    if let Some((name, due)) = statement.event.due() {
        fields.push(Some((
            name,
            match due {
                Due::Instant(t) => t.to_string(),
                Due::Date(d) => d.to_string(),
            },
        )));
    }
    fields.push(code("actor", &statement.actor));
    fields.into_iter().flatten().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_page_says_what_the_code_does() {
    let page = std::fs::read_to_string(mappings().join("README.md")).expect("page");
    let mut lacking = String::new();
    let mut needs = |text: &str| {
        if !page.contains(text) {
            write!(lacking, "\n{text}").expect("write");
        }
    };
    for name in ["wide.csv", "long.csv", "log.xes"] {
        let stem = name.split('.').next().unwrap_or(name);
        let (csv, toml) = (format!("examples/{name}"), format!("examples/{stem}.toml"));
        for file in [&csv, &toml] {
            let text = std::fs::read_to_string(mappings().join(file)).expect("example");
            needs(&format!("\n{text}```"));
        }
        let mapping = Mapping::load(&mappings().join(toml)).expect("mapping");
        let table = read(&mappings().join(csv), &mapping).expect("import");
        let mut rows = String::new();
        for Prepared { line, statement: s } in events(&table) {
            writeln!(
                rows,
                "| {line} | {} | {} | {} | {} |",
                s.dossier,
                s.event.event_type(),
                s.occurred_at,
                printed(s)
            )
            .expect("write");
        }
        needs(&rows);
        let mut rejects = csv::Writer::from_writer(Vec::new());
        rejects.write_record(["line", "dossier", "reason", "message"]).expect("write");
        for r in &table.rejects {
            let line = r.line.to_string();
            rejects.write_record([&line, r.dossier.as_deref().unwrap_or(""), r.reason, &r.message.en]).expect("write");
        }
        let rejects = String::from_utf8(rejects.into_inner().expect("csv")).expect("UTF-8");
        needs(&rejects);
        needs(&events(&table)[0].statement.event_id.to_string());
    }
    assert!(lacking.is_empty(), "the page lacks:{lacking}");
}

#[test]
fn the_receipt_phase_of_environmental_permits() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/wabo_receipt/receipt.csv.gz");
    if !file.exists() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", file.display());
        eprintln!("SKIPPED: {} is missing, so the mapping wabo-receipt.toml is not tested", file.display());
        return;
    }
    let mapping = Mapping::load(&mappings().join("wabo-receipt.toml")).expect("mapping");
    assert_eq!((mapping.source(), mapping.zone().name()), ("wabo-receipt", "Europe/Amsterdam"));
    let table = read(&file, &mapping).expect("import");
    let of = |t: EventType| events(&table).iter().filter(|p| p.statement.event.event_type() == t).count();
    assert_eq!((table.rows, table.cases.len(), table.rejects.len()), (8577, 1434, 0));
    assert_eq!((of(EventType::Received), of(EventType::Processed), events(&table).len()), (1434, 1329, 2763));
    let kept = |case: &Case| match (&case.events[0].statement.event, case.events.get(1)) {
        (Event::Received { due: Some(Due::Instant(due)), .. }, Some(end)) => end.statement.occurred_at <= *due,
        _ => false,
    };
    assert_eq!(table.cases.iter().filter(|c| kept(c)).count(), 952, "the reference's figure by instant");
}
