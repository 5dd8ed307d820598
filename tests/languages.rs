//! Both languages, as a clerk and a program get them: the command line by `--lang` and locale, gRPC by its metadata.

use crate::support::{Server, dunghen, dunghen_in, event};
use dunghen::pb;
use dunghen::pb::desk_service_client::DeskServiceClient;
use dunghen::pb::supervisor_service_client::SupervisorServiceClient;
use serde_json::{Value, json};
use tonic::Request;
use tonic::transport::{Channel, Endpoint};
use tonic_types::{ErrorDetail, StatusExt};

/// Letters that Vietnamese has and English has not.
fn is_vietnamese(text: &str) -> bool {
    text.chars().any(|c| "ăâđêôơưạảấầẩậắằặẹẻếềểễệịỉọỏốồổộớờởợụủứừửựỳỷáàãéèíìóòõúùýĐ".contains(c))
}

/// A call in Vietnamese, by argument and by locale, and in English; all with the same exit code. Gives stdout and
/// stderr together.
fn in_both(args: &[&str], stdin: &str, code: i32) -> (String, String) {
    let text = |output: std::process::Output| {
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8(all).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{all}");
        all
    };
    let by_argument = text(dunghen(&[&["--lang", "vi"], args].concat(), stdin));
    let by_locale = text(dunghen_in("vi_VN.UTF-8", args, stdin));
    let english = text(dunghen(args, stdin));
    assert_eq!(text(dunghen_in("vi_VN.UTF-8", &[&["--lang=en"], args].concat(), stdin)), english, "{args:?}");
    assert_eq!(by_argument, by_locale, "{args:?}");
    assert!(is_vietnamese(&by_locale), "{args:?}\n{by_locale}");
    (by_locale, english)
}

/// Calls that say something without a server, and what they must hold in each language.
#[test]
fn the_command_line_speaks_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, none, full, file) = (place("data"), place("none"), place("full"), place("file"));
    let received = json!({
        "event_id": "0198c0de-0000-7000-8000-000000000001", "dossier": "A", "type": "Received", "unit": "H44.22",
        "occurred_at": "2025-09-03T09:00:00+07:00",
    });
    assert!(dunghen(&["record", "--data", &data], &received.to_string()).status.success());
    std::fs::create_dir(&full).unwrap();
    std::fs::write(format!("{full}/letter.txt"), "x").unwrap();
    std::fs::write(&file, "x").unwrap();
    let table: Vec<(Vec<&str>, i32, &str, &str)> = vec![
        (vec!["--help"], 0, "Cách dùng: dunghen [TÙY CHỌN] <LỆNH>", "Usage: dunghen [OPTIONS] <COMMAND>"),
        (vec!["import", "--help"], 0, "Nhập tệp CSV hoặc nhật ký XES", "Import a CSV file or an XES log"),
        (vec!["help", "rates"], 0, "trước và đúng hạn", "On-time rates"),
        (vec!["rates", "-h"], 0, "[giá trị: table, json, csv]", "[possible values: table, json, csv]"),
        (vec!["rates"], 2, "thiếu các tham số bắt buộc", "required arguments were not provided"),
        (vec!["rates", "--data", &data, "--from", "1/9/2025"], 2, "cần một ngày như", "expected a date such as"),
        (vec!["rates", "--data", &data, "--to", "2026-11-31"], 2, "không có ngày này", "there is no such date"),
        (
            vec!["report", "ii-06a", "--data", &data, "--period", "2025", "--out", "q4.pdf"],
            2,
            "không ghi được dạng pdf; các dạng: table, json, csv, xlsx",
            "pdf is none of the formats table, json, csv, xlsx",
        ),
        (
            vec!["rates", "--data", &data, "--definition", "x"],
            2,
            "phải là một trong: resolved",
            "must be one of resolved",
        ),
        (vec!["rates", "--data", &none], 1, "không có thư mục dữ liệu tại", "there is no data directory at"),
        (vec!["rates", "--data", &file], 2, "không phải thư mục", "is not a directory"),
        (vec!["serve", "--data", &full, "--listen", "127.0.0.1:0"], 2, "không trống", "is not empty"),
        (vec!["serve", "--data", &data, "--listen", "0.0.0.0:0"], 2, "chưa có mã hóa", "has neither encryption"),
        (
            vec!["record", "--data", &data, "--time-zone", "Europe/Paris"],
            2,
            "đã cố định khi tạo",
            "fixed when it was made",
        ),
        (vec!["rates", "--server", "http://127.0.0.1:1"], 1, "`dunghen serve` phải đang chạy ở đó", "must run there"),
        (vec!["rates", "--server", "https://x"], 1, "chưa có mã hóa", "has no encryption yet"),
        (
            vec!["dossier", "nobody", "--data", &data],
            1,
            "Chưa tiếp nhận hồ sơ nobody",
            "Nothing was recorded of dossier",
        ),
        (vec!["dossier", "A", "--data", &data, "--format", "csv"], 2, "chỉ in dạng table", "is printed as table"),
        (vec!["dossier", "A", "--data", &data, "--format", "table"], 0, "đang giải quyết", "open"),
        (vec!["rates", "--data", &data, "--format", "table"], 0, "tỷ lệ trước và đúng hạn", "on-time rate"),
        (
            vec!["verify", "--data", &data, "--format", "table"],
            0,
            "nguyên vẹn, đã đọc 1 sự kiện",
            "intact, 1 records read",
        ),
        (vec!["record", "/no/such/file", "--data", &data], 1, "hệ thống báo lỗi", "/no/such/file: No such file"),
        (
            vec!["import", "/no/such/file", "--mapping", "/no/such/map", "--data", &data],
            1,
            "không đọc được",
            "cannot read",
        ),
        (vec!["import", &file, "--mapping", &file, "--data", &data], 2, "ánh xạ: ", "mapping: "),
        (
            vec!["simulate", "--into", &none, "--from", "2999-01-01"],
            2,
            "không được sau hôm nay",
            "no later day than today",
        ),
        (vec!["due", "--batch", "/no/such/file"], 1, "hệ thống báo lỗi", "/no/such/file: No such file"),
        (vec!["due", "--batch", "--format", "csv"], 2, "chỉ trả lời bằng JSON", "answers in JSON only"),
        (
            vec!["due", "--received", "2025-04-24", "--term", "x", "--term-unit", "day"],
            2,
            "term: phải là số nguyên từ 0",
            "term: must be a whole number from 0",
        ),
        (
            vec!["report", "help", "ii-06a"],
            0,
            "Cách dùng: dunghen report ii-06a [TÙY CHỌN]",
            "Usage: dunghen report ii-06a [OPTIONS]",
        ),
        (vec!["report"], 2, "Các lệnh:", "Commands:"),
        (
            vec!["report", "ii-06a", "--data", &data, "--period", "2025", "--by", "x"],
            2,
            "phải là một trong: field, unit",
            "expected one of field, unit",
        ),
        (
            vec!["report", "ii-06a", "--data", &data, "--period", "2025", "--out", "/.."],
            1,
            "không ghi được",
            "cannot be written",
        ),
        (
            vec!["report", "par-index", "--data", &data, "--period", "2025", "--tiers", &file],
            2,
            "dòng 1: không đúng cú pháp TOML",
            "line 1: is not TOML",
        ),
        (
            vec![
                "report",
                "score-766",
                "--data",
                &data,
                "--period",
                "2025-Q3",
                "--as-of",
                "2025-09-04",
                "--format",
                "table",
            ],
            0,
            "Quý III/2025 (từ ngày 01/07/2025",
            "Quarter 3 of 2025 (2025-07-01",
        ),
        (vec!["demo", "--data", &data, "--seconds", "1"], 1, "đồng hồ chỉ 01/", "the clock says 2"),
    ];
    for (args, code, vi, en) in table {
        let (in_vi, in_en) = in_both(&args, "", code);
        assert!(in_vi.contains(vi), "{args:?}\n{in_vi}");
        assert!(in_en.contains(en), "{args:?}\n{in_en}");
        assert!(!in_vi.contains(en), "{args:?}\n{in_vi}");
    }
    let late = json!({"type": "Late", "position": 1});
    let (in_vi, in_en) = in_both(&["record", "--data", &data], &late.to_string(), 0);
    assert!(
        in_vi.contains("đã bỏ qua 1 dòng") && in_en.contains("1 lines of type Late were skipped"),
        "{in_vi}{in_en}"
    );
    let (in_vi, in_en) = in_both(&["record", "--data", &data], "{}", 3);
    assert!(in_vi.contains("bắt buộc phải có") && in_en.contains("is required"), "{in_vi}{in_en}");
    let other = json!({"event_id": "0198c0de-0000-7000-8000-000000000002", "dossier": "B", "type": "Processed",
        "occurred_at": "2025-09-03T09:00:00+07:00"});
    let (in_vi, in_en) = in_both(&["record", "--data", &data], &other.to_string(), 3);
    assert!(in_vi.contains("Chưa tiếp nhận hồ sơ B") && in_en.contains("Nothing was recorded"), "{in_vi}{in_en}");
    let served = Server::start(std::path::Path::new(&data));
    let (in_vi, in_en) = in_both(&["rates", "--data", &data], "", 1);
    assert!(in_vi.contains("đang dùng") && in_en.contains("in use by process"), "{in_vi}{in_en}");
    assert!(in_vi.contains("hãy dùng --server") && in_en.contains("use --server"), "{in_vi}{in_en}");
    // Files are verified, not a server: another advice.
    let (in_vi, in_en) = in_both(&["verify", "--data", &data], "", 1);
    assert!(in_vi.contains("kiểm tra một bản sao lưu") && in_en.contains("verify a backup"), "{in_vi}{in_en}");
    assert!(!in_vi.contains("--server") && !in_en.contains("--server"), "{in_vi}{in_en}");
    assert_eq!(served.stop(), Some(0));
}

const MAPPING: &str = "source = \"s\"\nshape = \"wide\"\ndossier = \"code\"\n\
    [[events]]\ntype = \"Received\"\noccurred_at = \"at\"\nunit = \"unit\"\n\
    [[events]]\ntype = \"Processed\"\noccurred_at = \"end\"\n";

/// The messages of a file of rejects, of the reader and of the engine; and errors of mapping and columns.
#[test]
fn imports_speak_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, mapping, rejects) = (place("rows.csv"), place("map.toml"), place("rejects.csv"));
    let rows = ",2025-09-03,H44,\nA,yesterday,H44,\nB,2025-09-03,,\nC,,,2025-09-04\nD,2025-09-03\n";
    std::fs::write(&file, format!("code,at,unit,end\n{rows}")).unwrap();
    std::fs::write(&mapping, MAPPING).unwrap();
    let messages = |locale: &str| -> Vec<String> {
        let data = place(locale);
        let args = ["import", &file, "--mapping", &mapping, "--data", &data, "--rejects", &rejects];
        let output = dunghen_in(locale, &args, "");
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        let mut reader = csv::Reader::from_path(&rejects).unwrap();
        reader.records().map(|r| r.unwrap()[3].to_owned()).collect()
    };
    let expected = [
        ("dòng không có mã hồ sơ", "the row has no dossier code"),
        (
            "Received: occurred_at (cột 'at'): 'yesterday' không khớp dạng nào",
            "Received: occurred_at (column 'at'): 'yesterday' fits none",
        ),
        ("Received: unit bị trống", "Received: unit is empty"),
        ("Chưa tiếp nhận hồ sơ C", "Nothing was recorded of dossier C"),
        ("dòng có 2 cột thay vì 4; hãy điền cho đủ", "the row has 2 columns instead of 4; complete it"),
    ];
    let (vietnamese, english) = (messages("vi_VN.UTF-8"), messages("C.UTF-8"));
    assert_eq!((vietnamese.len(), english.len()), (expected.len(), expected.len()), "{vietnamese:?}");
    for ((vi, en), (in_vi, in_en)) in expected.iter().zip(vietnamese.iter().zip(&english)) {
        assert!(in_vi.starts_with(vi), "{in_vi}");
        assert!(in_en.starts_with(en), "{in_en}");
    }
    for (wrong, vi, en) in [
        (MAPPING.replace("\"end\"", "7"), "tệp không có cột số 7", "the file has no column number 7"),
        (
            MAPPING.replace("\"unit\"", "1.5"),
            "sự kiện 1 (Received), trường `unit`: hãy viết tên cột",
            "event 1 (Received), field `unit`: write a column",
        ),
        (MAPPING.replace("shape", "shapes"), "ánh xạ: ", "unknown field `shapes`"),
    ] {
        std::fs::write(&mapping, wrong).unwrap();
        let (in_vi, in_en) = in_both(&["import", &file, "--mapping", &mapping, "--data", &place("none")], "", 2);
        assert!(in_vi.contains(vi) && in_en.contains(en), "{in_vi}{in_en}");
    }
}

/// A request with an `accept-language` field, or without one.
fn saying<T>(field: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(field) = field {
        request.metadata_mut().insert("accept-language", field.parse().unwrap());
    }
    request
}

/// Of a status: the language of its message, of its first `LocalizedMessage`, and of the descriptions of its fields; all
/// its texts are there in both languages.
fn languages(status: &tonic::Status) -> (&'static str, String, Vec<&'static str>) {
    let language = |text: &str| if is_vietnamese(text) { "vi" } else { "en" };
    let (mut locales, mut fields) = (Vec::new(), Vec::new());
    for detail in status.get_error_details_vec() {
        match detail {
            ErrorDetail::LocalizedMessage(m) => {
                assert_eq!(language(&m.message), m.locale, "{m:?}");
                if locales.is_empty() {
                    assert_eq!(m.message, status.message());
                }
                locales.push(m.locale);
            }
            ErrorDetail::BadRequest(bad) => {
                for violation in bad.field_violations {
                    let other = violation.localized_message.unwrap();
                    assert_eq!(language(&other.message), other.locale, "{other:?}");
                    let own = language(&violation.description);
                    assert_ne!(own, other.locale, "{}", violation.description);
                    fields.push(own);
                }
            }
            _ => {}
        }
    }
    assert_eq!(locales.len(), 2, "{status:?}");
    (language(status.message()), locales[0].clone(), fields)
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_choose_the_language_of_every_service() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let channel: Channel = Endpoint::from_shared(server.url.clone()).unwrap().connect().await.unwrap();
    let (mut desk, mut supervisor) = (DeskServiceClient::new(channel.clone()), SupervisorServiceClient::new(channel));
    for (field, lang) in [
        (None, "en"),
        (Some("vi"), "vi"),
        (Some("vi-VN"), "vi"),
        (Some("en"), "en"),
        (Some("*"), "en"),
        (Some("fr, vi;q=0.3, en;q=0.2"), "vi"),
        (Some("vi;q=0.3, en;q=0.4"), "en"),
        (Some("de"), "en"),
    ] {
        let unknown = event(json!({"dossier": "nobody", "type": "Processed"}));
        let request = pb::RecordRequest { event: Some(unknown), expected_version: None };
        let status = desk.record(saying(field, request)).await.unwrap_err();
        assert_eq!(languages(&status), (lang, lang.to_owned(), vec![]), "{field:?} {status:?}");
        assert_eq!(status.get_details_error_info().unwrap().reason, "DOSSIER_UNKNOWN", "{field:?}");

        let malformed = pb::RecordRequest { event: Some(pb::Event::default()), expected_version: None };
        let status = desk.record(saying(field, malformed)).await.unwrap_err();
        let (message, first, fields) = languages(&status);
        assert_eq!((message, first.as_str()), (lang, lang), "{field:?} {status:?}");
        assert!(fields.len() >= 3 && fields.iter().all(|l| *l == lang), "{field:?} {status:?}");

        let question = pb::GetRatesRequest { definition: "guess".into(), ..Default::default() };
        let status = supervisor.get_rates(saying(field, question.clone())).await.unwrap_err();
        assert_eq!(languages(&status), (lang, lang.to_owned(), vec![lang]), "{field:?} {status:?}");
        let watch = pb::WatchRatesRequest { question: Some(question), max_per_second: 0 };
        let status = supervisor.watch_rates(saying(field, watch)).await.unwrap_err();
        assert_eq!(languages(&status).0, lang, "{field:?} {status:?}");
    }
    // Several fields count as one list.
    let mut request = saying(Some("en;q=0.1"), pb::GetDossierRequest { dossier: "x".into(), ..Default::default() });
    request.metadata_mut().append("accept-language", "vi;q=0.2".parse().unwrap());
    assert_eq!(languages(&supervisor.get_dossier(request).await.unwrap_err()).0, "vi");
    // The command line tells what it reads, and shows it.
    let output = dunghen(&["--lang", "vi", "dossier", "nobody", "--server", &server.url], "");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("DOSSIER_UNKNOWN: Chưa tiếp nhận hồ sơ nobody"), "{text}");
    let line = json!({"type": "Processed"}).to_string();
    let output = dunghen(&["--lang", "vi", "record", "--server", &server.url], &line);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(is_vietnamese(answer["message"].as_str().unwrap()), "{answer}");
}
