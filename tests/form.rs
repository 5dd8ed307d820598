//! Form II.06a and the scores as the command line gives them: a real log, a worked example, and a spreadsheet that is
//! read back.

use crate::support::{Server, answer, dunghen, event, request, shared};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The quarters of the real log, one before it and one after it, and its year.
const QUARTERS: [&str; 8] = ["2010-Q3", "2010-Q4", "2011-Q1", "2011-Q2", "2011-Q3", "2011-Q4", "2012-Q1", "2012-Q2"];
const SUMS: [&str; 4] = ["total_received", "resolved", "in_progress", "withdrawn"];

/// A data directory, and a place for files beside it.
struct Office {
    data: String,
    directory: tempfile::TempDir,
}

impl Office {
    fn new() -> Office {
        let directory = tempfile::tempdir().unwrap();
        Office { data: directory.path().join("data").to_str().unwrap().to_owned(), directory }
    }

    /// The real log.
    fn wabo() -> Option<Office> {
        let file = shared("data/wabo_receipt/receipt.csv.gz")?;
        let office = Office::new();
        let mapping = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/wabo-receipt.toml");
        let mapping = mapping.to_str().unwrap();
        answer(&["import", file.to_str().unwrap(), "--mapping", mapping, "--data", &office.data], 0);
        Some(office)
    }

    /// An office of the third quarter of 2025 with one dossier in every column of the form, and a field whose name a
    /// spreadsheet would take for a formula.
    fn told() -> Office {
        let office = Office::new();
        let mut lines = String::new();
        let mut say = |dossier: &str, kind: &str, at: &str, more: Value| {
            let mut event = json!({
                "event_id": uuid::Uuid::now_v7().to_string(), "dossier": dossier, "type": kind,
                "occurred_at": format!("2025-{at}T09:00:00+07:00"),
            });
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            lines += &format!("{event}\n");
        };
        for (dossier, received, due, field, channel, end, ended) in [
            ("early", "07-01", Some("07-10"), Some("Mỹ phẩm"), "online", "Processed", "07-09"),
            ("on-due", "07-01", Some("07-10"), Some("Mỹ phẩm"), "direct", "Processed", "07-10"),
            ("overdue", "06-30", Some("07-10"), Some("Mỹ phẩm"), "online", "Processed", "07-11"),
            ("no-due", "08-01", None, Some("=1+2"), "postal", "Processed", "08-02"),
            ("withdrawn", "08-01", Some("08-05"), Some("=1+2"), "online", "Withdrawn", "08-02"),
            ("within", "09-25", Some("10-10"), None, "direct", "", ""),
            ("missed", "09-01", Some("09-10"), Some("Mỹ phẩm"), "direct", "Processed", "10-01"),
            ("no-due-open", "09-01", None, None, "direct", "", ""),
        ] {
            let due = due.map(|day| format!("2025-{day}"));
            let unit = "H44.22";
            say(
                dossier,
                "Received",
                received,
                json!({
                    "unit": unit, "field": field, "channel": channel, "due_date": due,
                }),
            );
            if !end.is_empty() {
                say(dossier, end, ended, json!({}));
            }
        }
        let output = dunghen(&["record", "--data", &office.data], &lines);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        office
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn ask(&self, report: &str, more: &[&str]) -> Value {
        answer(&[&["report", report, "--data", &self.data], more].concat(), 0)
    }

    fn form(&self, period: &str, by: &str) -> Value {
        self.ask("ii-06a", &["--period", period, "--by", by, "--format", "json"])
    }

    /// Writes a file, and reads it.
    fn written(&self, name: &str, more: &[&str]) -> Vec<u8> {
        let file = self.file(name);
        let args = ["report", "ii-06a", "--data", &self.data, "--out", file.to_str().unwrap()];
        let output = dunghen(&[&args, more].concat(), "");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty(), "what goes into a file is not printed");
        std::fs::read(file).unwrap()
    }

    /// What is said of a wrong call, in a language.
    fn refused(&self, report: &str, more: &[&str], lang: &str) -> String {
        let output = dunghen(&[&["--lang", lang, "report", report, "--data", &self.data], more].concat(), "");
        assert_eq!(output.status.code(), Some(2), "{more:?}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    }
}

fn n(figures: &Value, name: &str) -> u64 {
    figures[name].as_u64().unwrap_or_else(|| panic!("{name} in {figures}"))
}

fn integers<const N: usize>(figures: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| n(figures, name))
}

/// An answer without the moment of its question and the rules that were named in it.
fn figures(answer: &Value) -> Value {
    let mut figures = answer.clone();
    for name in ["as_of", "regime", "tiers"] {
        figures.as_object_mut().unwrap().remove(name);
    }
    figures
}

#[test]
fn the_quarters_of_a_real_log() {
    let Some(wabo) = Office::wabo() else { return };
    let total = |period: &str| wabo.form(period, "unit")["total"].clone();
    let quarter = total("2011-Q2");
    assert_eq!(integers(&quarter, ["total_received", "online", "direct", "carried_over"]), [546, 260, 32, 254]);
    assert_eq!(integers(&quarter, ["resolved", "early", "on_due", "overdue"]), [318, 213, 26, 79]);
    assert_eq!(integers(&quarter, ["in_progress", "within_due", "in_progress_overdue"]), [228, 184, 44]);
    let beyond = ["resolved_no_deadline", "in_progress_no_deadline", "withdrawn"];
    assert_eq!(integers(&quarter, beyond), [0, 0, 0]);

    // (6) is (11) of the quarter before, row by row; every row balances.
    let forms: Vec<Value> = QUARTERS.iter().map(|period| wabo.form(period, "unit")).collect();
    let by_key = |form: &Value, name: &str| -> BTreeMap<String, u64> {
        let rows = form["rows"].as_array().unwrap().iter().map(|row| (row["key"]["unit"].to_string(), n(row, name)));
        rows.filter(|(_, n)| *n > 0).collect()
    };
    for pair in forms.windows(2) {
        assert_eq!(by_key(&pair[0], "in_progress"), by_key(&pair[1], "carried_over"), "{}", pair[1]["period"]);
    }
    for row in forms.iter().flat_map(|form| form["rows"].as_array().unwrap().iter().chain([&form["total"]])) {
        let [received, resolved, in_progress, withdrawn] = integers(row, SUMS);
        assert_eq!(received, resolved + in_progress + withdrawn, "{row}");
    }
    assert!(forms[0]["rows"].as_array().unwrap().is_empty(), "before the log began");
    assert_eq!(n(&forms[6]["total"], "in_progress"), 105, "what the log leaves open");

    // A year is its quarters, two halves, or nine months and a quarter; its dates say the same as its name.
    let names = ["online", "direct", "early", "on_due", "overdue", "withdrawn"];
    let added = |periods: &[&str]| -> [u64; 6] {
        periods.iter().map(|period| integers(&total(period), names)).fold([0; 6], |mut sums, more| {
            sums.iter_mut().zip(more).for_each(|(sum, n)| *sum += n);
            sums
        })
    };
    let year = total("2011");
    let months: Vec<String> = (1..=12).map(|month| format!("2011-{month:02}")).collect();
    let months: Vec<&str> = months.iter().map(String::as_str).collect();
    let parts =
        [&["2011-Q1", "2011-Q2", "2011-Q3", "2011-Q4"][..], &["2011-H1", "2011-H2"], &["2011-9M", "2011-Q4"], &months];
    for parts in parts {
        assert_eq!(added(parts), integers(&year, names), "{parts:?}");
    }
    assert_eq!(year, total("2011-01-01..2011-12-31"));
    let regime = |period: &str| wabo.ask("ii-06a", &["--period", period, "--cut-off-day", "15", "--by", "unit"]);
    let (first, second) = (regime("2011-Q1"), regime("2011-Q2"));
    assert_eq!((&first["first_date"], &first["last_date"]), (&json!("2010-12-15"), &json!("2011-03-14")));
    assert_eq!(first["total"], total("2010-12-15..2011-03-14"));
    assert_eq!(first["regime"], json!(null));
    let published = wabo.ask("ii-06a", &["--period", "2011-Q1", "--regime", "reporting-regime", "--by", "unit"]);
    assert_eq!(published["regime"], json!({"code": "reporting-regime", "version": 0, "cut_off_day": 15}));
    assert_eq!(figures(&published), figures(&first), "the built-in regime is the cut-off day 15");
    assert_eq!(n(&first["total"], "in_progress"), n(&second["total"], "carried_over"));
}

#[test]
fn a_past_form_stays_what_it_was() {
    let office = Office::told();
    let form = office.form("2025-Q3", "field");
    let later = office.ask("ii-06a", &["--period", "2025-Q3", "--as-of", "2026-03-01", "--format", "json"]);
    assert_eq!((&form["rows"], &form["total"]), (&later["rows"], &later["total"]));
    assert_eq!(form["period"], "2025-Q3");
    assert_eq!((&form["from"], &form["to"]), (&json!("2025-06-30T17:00:00.000Z"), &json!("2025-09-30T17:00:00.000Z")));
    let names = ["total_received", "online", "direct", "carried_over", "resolved", "early", "on_due", "overdue"];
    assert_eq!(integers(&form["total"], names), [8, 2, 5, 1, 4, 1, 1, 1]);
    let names = ["in_progress", "within_due", "in_progress_overdue", "withdrawn"];
    assert_eq!(integers(&form["total"], names), [3, 1, 1, 1]);
    let keys: Vec<&Value> = form["rows"].as_array().unwrap().iter().map(|row| &row["key"]["field"]).collect();
    assert_eq!(keys, [&json!(null), &json!("=1+2"), &json!("Mỹ phẩm")], "null first");
    // Before its end it is another one: of July, nothing of August.
    let early = office.ask("ii-06a", &["--period", "2025-Q3", "--as-of", "2025-07-10", "--format", "json"]);
    assert_eq!(integers(&early["total"], SUMS), [3, 2, 1, 0]);
    let unit = office.ask("ii-06a", &["--period", "2025-Q3", "--unit", "H44.2"]);
    assert_eq!(integers(&unit["total"], SUMS), [0; 4], "whole segments");
}

#[test]
fn the_form_as_text() {
    let office = Office::told();
    let csv = String::from_utf8(office.written("form.csv", &["--period", "2025-Q3"])).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "field,total_received,online,direct,carried_over,resolved,early,on_due,overdue,resolved_no_deadline,in_progress,\
         within_due,in_progress_overdue,in_progress_no_deadline,withdrawn"
    );
    let rows =
        [",2,0,2,0,0,0,0,0,0,2,1,0,1,0", "'=1+2,2,1,1,0,1,0,0,0,1,0,0,0,0,1", "Mỹ phẩm,4,1,2,1,3,1,1,1,0,1,0,1,0,0"];
    assert_eq!(lines[1..], rows, "and no formula");
    let args = ["--lang", "vi", "report", "ii-06a", "--data", &office.data, "--period", "2025-Q3", "--format", "table"];
    let table = String::from_utf8(dunghen(&args, "").stdout).unwrap();
    for part in [
        "II.06a, Quý III/2025 (từ ngày 01/07/2025 đến ngày 30/09/2025), tính đến 30/09/2025 23:59",
        "(10)",
        "Tổng số",
        "(16) rút,",
    ] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
    // Nothing lies beyond the form: its columns are not printed.
    let args = ["report", "ii-06a", "--data", &office.data, "--period", "2025-06", "--format", "table"];
    let table = String::from_utf8(dunghen(&args, "").stdout).unwrap();
    assert!(table.contains("Month 6 of 2025") && !table.contains("(14)"), "{table}");
    // What was there before is replaced, and nothing is left beside it.
    let first = office.written("form.json", &["--period", "2025-Q3"]);
    let second = office.written("form.json", &["--period", "2025"]);
    assert!(first != second);
    assert_eq!(serde_json::from_slice::<Value>(&second).unwrap()["period"], "2025");
    let names: Vec<String> = std::fs::read_dir(office.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

/// What stands in a spreadsheet: cells by name with their text or number, merged ranges, and the parts as XML.
struct Spreadsheet {
    cells: BTreeMap<String, String>,
    merged: Vec<String>,
    parts: BTreeMap<String, String>,
}

/// What follows `start` in a text, up to `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let from = text.find(start)? + start.len();
    text[from..].find(end).map(|to| &text[from..from + to])
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    between(element, &format!(" {name}=\""), "\"")
}

fn read_back(bytes: Vec<u8>) -> Spreadsheet {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut parts = BTreeMap::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        parts.insert(file.name().unwrap().into_owned(), text);
    }
    let unescaped = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let strings: Vec<String> = parts["xl/sharedStrings.xml"]
        .split("<si>")
        .skip(1)
        .map(|item| unescaped(between(item.split_once("<t").unwrap().1, ">", "</t>").unwrap()))
        .collect();
    let sheet = &parts["xl/worksheets/sheet1.xml"];
    let mut cells = BTreeMap::new();
    for cell in sheet.split("<c ").skip(1) {
        let cell = format!(" {}", cell.split("<c ").next().unwrap());
        let Some(value) = between(&cell, "<v>", "</v>") else { continue };
        let shared = attribute(&cell, "t") == Some("s");
        let text = if shared { strings[value.parse::<usize>().unwrap()].clone() } else { value.to_owned() };
        cells.insert(attribute(&cell, "r").unwrap().to_owned(), text);
    }
    let merged = sheet.split("<mergeCell ").skip(1).map(|m| attribute(&format!(" {m}"), "ref").unwrap().to_owned());
    Spreadsheet { cells, merged: merged.collect(), parts }
}

impl Spreadsheet {
    fn row(&self, row: u32, columns: std::ops::RangeInclusive<char>) -> Vec<&str> {
        columns.map(|column| self.cells.get(&format!("{column}{row}")).map_or("", String::as_str)).collect()
    }
}

#[test]
fn the_form_as_a_spreadsheet() {
    let office = Office::told();
    let args = ["--period", "2025-Q3", "--unit-name", "Sở Y tế & Dân số"];
    let bytes = office.written("form.xlsx", &args);
    let same = office.written("again.xlsx", &[&args[..], &["--as-of", "2026-03-01"]].concat());
    assert!(bytes == same, "the same figures are the same file, whenever it is written");
    let read = read_back(bytes);
    let of = |cell: &str| read.cells.get(cell).map_or("", String::as_str);
    assert_eq!(of("A1"), "Biểu số II.06a/VPCP/KSTT");
    assert!(of("C1").starts_with("TÌNH HÌNH, KẾT QUẢ GIẢI QUYẾT THỦ TỤC HÀNH CHÍNH"));
    assert_eq!(of("C3"), "Kỳ báo cáo: Quý III/2025 (từ ngày 01/07/2025 đến ngày 30/09/2025)");
    assert_eq!((of("K1"), of("K2")), ("Đơn vị báo cáo:", "Sở Y tế & Dân số"));
    // The header, its three levels and its numbers.
    assert_eq!(
        read.row(5, 'A'..='P').concat(),
        [
            "STT",
            "Lĩnh vực giải quyết",
            "Số lượng hồ sơ tiếp nhận",
            "Số lượng hồ sơ đã giải quyết",
            "Số lượng hồ sơ đang giải quyết",
            "Ngoài biểu mẫu"
        ]
        .concat()
    );
    assert_eq!(of("D7"), "Trực tuyến");
    for range in ["A5:A7", "C5:F5", "D6:E6", "G5:J5", "K5:M5", "N5:P5", "C1:J2", "A12:B12"] {
        assert!(read.merged.iter().any(|m| m == range), "{range} is not merged: {:?}", read.merged);
    }
    let numbers: Vec<String> = read.row(8, 'A'..='P').into_iter().map(|text| text.replace('\n', "")).collect();
    let expected = [
        "(1)",
        "(2)",
        "(3)=(4)+(5)+(6)",
        "(4)",
        "(5)",
        "(6)",
        "(7)=(8)+(9)+(10)+(14)",
        "(8)",
        "(9)",
        "(10)",
        "(11)=(12)+(13)+(15)",
        "(12)",
        "(13)",
        "(14)",
        "(15)",
        "(16)",
    ];
    assert_eq!(numbers, expected);
    // Ordinal, name, (3) to (13), and beyond: as in the answer in JSON.
    let row = |ordinal: &'static str, name: &'static str, counts: &'static str| -> Vec<&str> {
        [ordinal, name].into_iter().chain(counts.split(' ')).collect()
    };
    assert_eq!(read.row(9, 'A'..='P'), row("1", "(không ghi lĩnh vực)", "2 0 2 0 0 0 0 0 2 1 0 0 1 0"));
    assert_eq!(read.row(10, 'A'..='P'), row("2", "=1+2", "2 1 1 0 1 0 0 0 0 0 0 1 0 1"));
    assert_eq!(read.row(11, 'A'..='P'), row("3", "Mỹ phẩm", "4 1 2 1 3 1 1 1 1 0 1 0 0 0"));
    assert_eq!(read.row(12, 'A'..='P'), row("Tổng số", "", "8 2 5 1 4 1 1 1 3 1 1 1 1 1"));
    assert_eq!((of("A16"), of("H16")), ("NGƯỜI LẬP BIỂU", "THỦ TRƯỞNG ĐƠN VỊ"));
    assert!(of("H15").contains("ngày …… tháng"));
    // On paper: A4, landscape, one page wide, the header on every page, in the font of official documents.
    let sheet = &read.parts["xl/worksheets/sheet1.xml"];
    let setup = between(sheet, "<pageSetup", "/>").unwrap();
    assert_eq!((attribute(setup, "paperSize"), attribute(setup, "orientation")), (Some("9"), Some("landscape")));
    assert_eq!(attribute(setup, "fitToHeight"), Some("0"));
    assert!(sheet.contains("<pageSetUpPr fitToPage=\"1\"/>"));
    assert!(!sheet.contains("<f>"), "no formula, whatever a field is called");
    assert!(read.parts["xl/workbook.xml"].contains("_xlnm.Print_Titles"));
    assert!(between(sheet, "<oddFooter>", "</oddFooter>").unwrap().contains("23:59 ngày 30/09/2025"));
    let styles = &read.parts["xl/styles.xml"];
    assert!(styles.contains("Times New Roman") && styles.contains("quotePrefix=\"1\""));
    assert!(read.parts["docProps/core.xml"].contains("2025-09-30T16:59:59Z"), "{}", read.parts["docProps/core.xml"]);

    // Nothing beyond the form: thirteen columns. Looked at before its end, the paper says so.
    let plain = read_back(office.written("june.xlsx", &["--period", "2025-06", "--unit", "H44.22", "--by", "unit"]));
    assert_eq!(plain.cells.get("K2").map(String::as_str), Some("H44.22"), "the unit's code, if nobody says its name");
    assert_eq!(plain.cells.get("G8").map(|t| t.replace('\n', "")).as_deref(), Some("(7)=(8)+(9)+(10)"));
    assert_eq!(plain.row(9, 'A'..='P').concat(), "1H44.2211000000110");
    assert!(!plain.cells.contains_key("C4"));
    let early = read_back(office.written("early.xlsx", &["--period", "2025-Q3", "--as-of", "2025-07-10"]));
    assert_eq!(early.cells.get("C4").map(String::as_str), Some("(Số liệu tính đến 23:59 ngày 10/07/2025)"));
    let empty = read_back(office.written("empty.xlsx", &["--period", "2020"]));
    assert_eq!(empty.row(9, 'A'..='M').concat(), "Tổng số00000000000");
}

#[test]
fn what_cannot_be_reported_is_refused() {
    let office = Office::told();
    let refused = |more: &[&str]| office.refused("ii-06a", more, "en");
    assert!(refused(&["--period", "2025-Q3", "--format", "xlsx"]).contains("--out FILE.xlsx"));
    assert!(refused(&["--period", "2025-Q5"]).contains("2025-01-01..2025-03-14"));
    assert!(refused(&["--period", "2025-02-01..2025-01-01"]).contains("write 2025-01-01..2025-02-01"));
    assert!(refused(&["--period", "2025", "--cut-off-day", "31"]).contains("write 1 to 28"));
    for by in [["--cut-off-day", "15"], ["--regime", "reporting-regime"]] {
        let dates = ["--period", "2025-01-01..2025-03-14"];
        assert!(refused(&[&dates[..], &by].concat()).contains("leave --cut-off-day and --regime out"));
    }
    assert!(
        refused(&["--period", "2025", "--cut-off-day", "1", "--regime", "calendar"]).contains("cannot be used with")
    );
    let unknown = refused(&["--period", "2025", "--regime", "lunar"]);
    assert!(unknown.contains("there is no report period lunar; the codes are calendar, reporting-regime"), "{unknown}");
    let unknown = office.refused("score-766", &["--period", "2025", "--regime", "lunar"], "vi");
    assert!(
        unknown.contains("không có kỳ báo cáo nào mã lunar; các mã đã có: calendar, reporting-regime"),
        "{unknown}"
    );
    let unknown = office.refused("par-index", &["--period", "2025", "--tiers-code", "city"], "en");
    assert!(unknown.contains("there is no tiers city; the codes are par-index"), "{unknown}");
    assert!(refused(&["--period", "9999"]).contains("ends before 9999-12-31"));
    assert!(refused(&["--period", "2025", "--by", "channel"]).contains("one of field, unit"));
    let vi = office.refused("ii-06a", &["--period", "Q3"], "vi");
    assert!(vi.contains("«Q3» không phải kỳ báo cáo; hãy viết như 2025-Q3"), "{vi}");
    assert!(office.refused("par-index", &["--period", "2025", "--full", "much"], "en").contains("such as 1.0"));
    let none = office.file("none.toml");
    std::fs::write(&none, "format = 1\n").unwrap();
    let none = none.to_str().unwrap();
    assert!(
        office.refused("par-index", &["--period", "2025", "--tiers", none], "en").contains("has 0 tables [[tiers]]")
    );
    let both = ["--period", "2025", "--tiers", none, "--tiers-code", "par-index"];
    assert!(office.refused("par-index", &both, "en").contains("cannot be used with"));
    // A file that cannot be written.
    let out = office.file("no/such/folder/form.csv");
    let args = ["report", "ii-06a", "--data", &office.data, "--period", "2025", "--out", out.to_str().unwrap()];
    let output = dunghen(&args, "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be written"));
}

#[test]
fn scores() {
    let office = Office::told();
    // Received in the quarter: early, on-due, withdrawn and within are on time, missed is late, two have no promise.
    let score = office.ask("score-766", &["--period", "2025-Q3", "--format", "json"]);
    assert_eq!(integers(&score, ["on_time", "late", "no_deadline", "full"]), [4, 1, 2, 20]);
    assert_eq!((&score["score"], &score["score_exact"]), (&json!(16.0), &json!("16")));
    let nothing = office.ask("score-766", &["--period", "2020"]);
    assert_eq!((&nothing["score"], &nothing["score_exact"]), (&json!(null), &json!(null)), "never 100 % of nothing");
    let args =
        ["--lang", "vi", "report", "score-766", "--data", &office.data, "--period", "2025-Q3", "--format", "table"];
    let table = String::from_utf8(dunghen(&args, "").stdout).unwrap();
    let has = ["  4 ┆", "  5 ┆", "80,00 %", "16,00", "20,00", "không tính vào tỷ lệ: 2"];
    assert!(has.iter().all(|part| table.contains(part)), "{table}");

    // Processed in the quarter: 2 of 3 in time. Apologies: two were missed, none was apologised for.
    let marks = |more: &[&str]| office.ask("par-index", &[&["--period", "2025-Q3", "--format", "json"], more].concat());
    let default = marks(&[]);
    assert_eq!(
        integers(&default, ["on_time", "late", "no_deadline", "apology_due", "apology_in_time"]),
        [2, 1, 1, 2, 0]
    );
    assert_eq!((&default["rate_marks"]["marks"], &default["rate_marks"]["tier"]), (&json!(0.0), &json!(3)));
    assert_eq!((&default["apology_marks"]["marks"], &default["apology_marks"]["tier"]), (&json!(0.0), &json!(2)));
    let july = office.ask("par-index", &["--period", "2025-07-01..2025-07-10", "--full", "1.25"]);
    assert_eq!(july["rate_marks"]["marks_exact"], "5/4", "all on time gives the full marks");
    assert_eq!(july["apology_marks"]["marks"], json!(null), "nobody was owed one");
    let built_in = json!({"code": "par-index", "version": 0, "effective_from": "0001-01-01", "file": null});
    assert_eq!((&default["tiers"], &default["tiers"]), (&july["tiers"], &built_in));
    let by_766 = marks(&["--definition", "decision-766"]);
    assert_eq!((n(&by_766, "on_time"), n(&by_766, "late")), (4, 1));
}

/// Two versions of an office's own tiers, the second of which counts from the middle of the third quarter on, and tiers of
/// PAR INDEX that stand in the place of the built-in ones from the fourth on.
const TIERS: &str = r#"format = 1

[[tiers]]
code = "office"
effective_from = "2025-01-01"
vi = "Điểm của sở"
full = "0.5"
rate = [{ above = "66.6", marks = "rate" }]
apology = [{ at_least = 0, marks = "0.1" }]

[[tiers]]
code = "office"
effective_from = "2025-08-15"
vi = "Điểm của sở"
full = 2
rate = [{ at_least = 50, marks = "full" }]

[[tiers]]
code = "par-index"
effective_from = "2025-12-31"
vi = "Bậc điểm PAR INDEX"
full = 1
rate = [{ at_least = 0, marks = "0.25" }]

[[report_period]]
code = "reporting-regime"
effective_from = "2025-07-01"
vi = "Chốt ngày 19"
cut_off_day = 20
"#;

/// The first of them alone.
fn first_tiers() -> String {
    TIERS.split("\n[[tiers]]").take(2).collect::<Vec<_>>().join("\n[[tiers]]")
}

#[test]
fn tiers_and_regimes_are_published() {
    let office = Office::told();
    let write = |name: &str, text: &str| {
        let path = office.file(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let quarter = |more: &[&str]| office.ask("par-index", &[&["--period", "2025-Q3"], more].concat());
    let exact = |score: &Value| {
        let of = |criterion: &str| score[criterion]["marks_exact"].as_str().unwrap().to_owned();
        (of("rate_marks"), of("apology_marks"))
    };
    let is = |rate: &str, apology: &str| (rate.to_owned(), apology.to_owned());
    // From a file: nothing needs to be published.
    let file = write("first.toml", &first_tiers());
    let local = quarter(&["--tiers", &file]);
    assert_eq!(
        local["tiers"],
        json!({"code": "office", "version": null, "effective_from": "2025-01-01", "file": file.as_str()})
    );
    assert_eq!(exact(&local), is("1/3", "1/10"));
    assert_eq!(exact(&quarter(&["--tiers", &file, "--full", "0.75"])), is("1/2", "1/10"));
    let low = office.refused("par-index", &["--period", "2025-Q3", "--tiers", &file, "--full", "0.05"], "en");
    assert!(low.contains("tiers office, from the file ") && low.contains("apology: tier 1 gives more"), "{low}");

    let all = write("all.toml", TIERS);
    answer(&["publish", &all, "--data", &office.data, "--format", "json"], 0);
    // Of its versions the one that is in force on the last day of the period.
    let second = quarter(&["--tiers-code", "office"]);
    assert_eq!(second["tiers"], json!({"code": "office", "version": 2, "effective_from": "2025-08-15", "file": null}));
    assert_eq!(exact(&second), is("2", "0"));
    let july = office.ask("par-index", &["--period", "2025-07", "--tiers-code", "office"]);
    assert_eq!((&july["tiers"]["version"], &july["rate_marks"]["marks_exact"]), (&json!(1), &json!("1/3")));
    // The published tables in a file are the same tables.
    let again = office.ask("par-index", &["--period", "2025-07", "--tiers", &file]);
    assert_eq!(figures(&july), figures(&again));
    let early = office.refused("par-index", &["--period", "2024", "--tiers-code", "office"], "en");
    assert!(early.contains("tiers office was not yet in force on 2024-12-31, only from 2025-01-01 on"), "{early}");
    // A version of the built-in code counts from its own day on.
    assert_eq!(quarter(&[])["tiers"]["version"], json!(0));
    let year = office.ask("par-index", &["--period", "2025"]);
    assert_eq!((&year["tiers"]["version"], exact(&year)), (&json!(1), is("1/4", "0")));
    let table = |lang: &str, more: &[&str]| {
        let args = ["--lang", lang, "report", "par-index", "--data", &office.data, "--period", "2025-Q3"];
        String::from_utf8(dunghen(&[&args[..], &["--format", "table"], more].concat(), "").stdout).unwrap()
    };
    assert!(table("vi", &[]).contains("bậc điểm par-index, phiên bản 0 (có sẵn)"), "{}", table("vi", &[]));
    assert!(table("en", &["--tiers-code", "office"]).contains("tiers office, version 2\n"));
    assert!(table("vi", &["--tiers", &file]).contains(&format!("bậc điểm office, theo tệp {file}")));

    // A regime counts for the periods whose last month ends in its validity.
    let dates = |report: &str, period: &str| {
        let form = office.ask(report, &["--period", period, "--regime", "reporting-regime"]);
        let day = |name: &str| form[name].as_str().unwrap().to_owned();
        (day("first_date"), day("last_date"), form["regime"]["version"].as_u64().unwrap())
    };
    let expected = |first: &str, last: &str, version| (first.to_owned(), last.to_owned(), version);
    assert_eq!(dates("ii-06a", "2025-Q2"), expected("2025-03-15", "2025-06-14", 0));
    assert_eq!(dates("ii-06a", "2025-Q3"), expected("2025-06-20", "2025-09-19", 1));
    assert_eq!(dates("score-766", "2025-07"), expected("2025-06-20", "2025-07-19", 1));
    assert_eq!(dates("par-index", "2025"), expected("2024-12-20", "2025-12-19", 1));
    let by_regime = office.ask("ii-06a", &["--period", "2025-Q3", "--regime", "reporting-regime"]);
    let by_day = office.ask("ii-06a", &["--period", "2025-Q3", "--cut-off-day", "20"]);
    assert_eq!(figures(&by_regime), figures(&by_day));

    // The same from a server.
    let server = Server::start(Path::new(&office.data));
    let served = ["report", "par-index", "--server", &server.url, "--period", "2025-Q3", "--tiers-code", "office"];
    let served = answer(&served, 0);
    assert_eq!((&served["tiers"], figures(&served)), (&second["tiers"], figures(&second)));
    assert_eq!(server.stop(), Some(0));
}

/// Over gRPC: what is missing or wrong is named, a receipt's position can be waited for, and a form is the same as here.
#[tokio::test(flavor = "multi_thread")]
async fn the_form_over_grpc() {
    use dunghen::{pb, wire};
    use dunghen_engine::time::Date;
    use dunghen_engine::views::Moment;
    use tonic_types::StatusExt;
    let office = Office::told();
    let expected = office.form("2025-Q3", "unit");
    let server = Server::start(Path::new(&office.data));
    let source = server.connect().await;
    let date = |text: &str| Some(wire::time_point(Moment::Date(Date::parse(text).unwrap())));
    let question = pb::GetFormRequest {
        from: date("2025-07-01"),
        to: date("2025-10-01"),
        by: "unit".to_owned(),
        ..pb::GetFormRequest::default()
    };
    let answer = source.get_form(question.clone()).await.unwrap();
    let served = dunghen::json::form("2025-Q3", &answer);
    assert_eq!((&served["rows"], &served["total"]), (&expected["rows"], &expected["total"]));
    let wrong = [
        ("from", pb::GetFormRequest { from: None, ..question.clone() }),
        ("to", pb::GetFormRequest { to: None, ..question.clone() }),
        ("to", pb::GetFormRequest { to: date("2025-06-30"), ..question.clone() }),
        ("by", pb::GetFormRequest { by: String::new(), ..question.clone() }),
        ("by", pb::GetFormRequest { by: "month".to_owned(), ..question.clone() }),
        ("time_zone", pb::GetFormRequest { time_zone: "Hanoi".to_owned(), ..question.clone() }),
    ];
    for (field, question) in wrong {
        let missing = question.by.is_empty() || question.from.is_none() || question.to.is_none();
        let refused = source.get_form(question).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        let reason = if missing { "FIELD_MISSING" } else { "FIELD_INVALID" };
        assert_eq!(refused.get_details_error_info().unwrap().reason, reason, "{field}: {refused:?}");
        assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].field, field);
    }
    // In the form of a date, but of a day that no calendar has.
    let kind = Some(pb::time_point::Kind::Date("2025-11-31".to_owned()));
    let no_day = pb::GetFormRequest { to: Some(pb::TimePoint { kind }), ..question.clone() };
    let refused = source.get_form(no_day).await.unwrap_err();
    assert_eq!(refused.message(), "to: there is no such date; check day and month");
    // One more is received, and whoever holds the receipt sees it.
    let more = event(json!({
        "dossier": "more", "type": "Received", "unit": "H44.22", "occurred_at": "2025-09-30T23:59:59.999+07:00",
    }));
    let receipt = source.record(request(more)).await.unwrap().receipt.unwrap();
    let min_position = receipt.position + 1;
    let seen = source.get_form(pb::GetFormRequest { min_position, ..question.clone() }).await.unwrap();
    let total = |answer: &pb::GetFormResponse| answer.total.unwrap_or_default();
    assert_eq!(total(&seen).direct, total(&answer).direct + 1, "in the last tick of the quarter");
    assert_eq!(seen.position, min_position);
}
