//! The Vietnamese of `--help`.
//!
//! The English stands in the comments of the arguments, where clap takes it from. Each line here names the command (the
//! empty text is `dunghen` itself, `*` every command that has no line of its own) and the argument (the empty text is the
//! command), or `argument=value` for one of its values. A test walks clap's tree: whatever is missing here, or is no
//! longer there, fails it; and a line for `*` may stand only for arguments that say the same in English.

/// Command, argument, Vietnamese.
pub const HELP: &[(&str, &str, &str)] = &[
    ("", "", "Đúng Hẹn: nhật ký hồ sơ chỉ ghi thêm, và tỷ lệ trước và đúng hạn được chứng minh từ đó"),
    ("*", "lang", "Ngôn ngữ của các thông báo; nếu không nêu thì theo LANG"),
    ("*", "lang=vi", "Tiếng Việt"),
    ("*", "lang=en", "Tiếng Anh"),
    ("*", "help", "In hướng dẫn này"),
    ("*", "version", "In phiên bản"),
    ("help", "", "In hướng dẫn này, hoặc hướng dẫn của một lệnh"),
    // What several commands share.
    ("*", "data", "Thư mục dữ liệu không do máy chủ nào giữ"),
    ("*", "server", "Máy chủ, ví dụ http://127.0.0.1:7070"),
    ("*", "format", "Cách in câu trả lời"),
    ("*", "format=table", "Cho người đọc"),
    ("*", "format=json", "Cho chương trình"),
    ("*", "format=csv", "Cho bảng tính"),
    ("*", "unit", "Chỉ đơn vị này và các đơn vị dưới nó"),
    ("*", "procedure", "Chỉ thủ tục này"),
    ("*", "field", "Chỉ lĩnh vực này"),
    ("*", "channel", "Chỉ kênh này"),
    ("*", "from", "Thời điểm đầu của kỳ: một ngày, hoặc thời điểm như 2025-09-10T09:00+07:00"),
    ("*", "to", "Thời điểm đầu tiên sau kỳ"),
    ("*", "as_of", "Xem tại thời điểm nghiệp vụ này; nếu chỉ nêu ngày thì là cuối ngày đó [mặc định: lúc này]"),
    ("*", "time_zone", "Múi giờ để đổi thời điểm thành ngày [mặc định: của thư mục dữ liệu]"),
    ("*", "min_position", "Chờ đến khi nhật ký có đủ số bản ghi này"),
    ("*", "accept_clock", "Chấp nhận đồng hồ chỉ sớm hơn sự kiện cuối cùng đã ghi"),
    (
        "*",
        "definition",
        "resolved, resolved-instant, decision-766, received, returned, first-promise, hoặc định nghĩa đã công bố",
    ),
    // serve
    ("serve", "", "Phục vụ một thư mục dữ liệu qua gRPC"),
    ("serve", "data", "Thư mục dữ liệu; được tạo nếu chưa có"),
    (
        "serve",
        "listen",
        "Địa chỉ lắng nghe: chỉ trên máy này, vì chưa có định danh. Cổng 0 nghĩa là lấy một cổng trống",
    ),
    ("serve", "time_zone", "Múi giờ của thư mục mới [mặc định: Asia/Ho_Chi_Minh]; thư mục đã có phải cùng múi giờ này"),
    // record
    ("record", "", "Ghi sự kiện từ các dòng NDJSON"),
    ("record", "file", "Tệp; đầu vào chuẩn nếu là - hoặc không nêu"),
    (
        "record",
        "time_zone",
        "Múi giờ của thư mục mới [mặc định: Asia/Ho_Chi_Minh]; thư mục đã có phải cùng múi giờ này",
    ),
    // import
    ("import", "", "Nhập tệp CSV hoặc nhật ký XES theo một ánh xạ"),
    ("import", "file", "Tệp CSV hoặc nhật ký XES, để nguyên hoặc nén gzip"),
    ("import", "mapping", "Ý nghĩa của các cột; xem gateway/mappings/README.md"),
    ("import", "time_zone", "Múi giờ của thư mục mới [mặc định: của ánh xạ]; thư mục đã có phải cùng múi giờ này"),
    (
        "import",
        "rejects",
        "Nơi ghi những gì không nhận được [mặc định: tên của FILE thêm .rejects.csv, trong thư mục hiện tại]",
    ),
    ("import", "format", "Cách in bản tổng kết"),
    // rates
    ("rates", "", "Tỷ lệ trước và đúng hạn, nghĩa vụ xin lỗi"),
    (
        "rates",
        "by",
        "Nhóm theo unit, procedure, field, channel, day, month, quarter hoặc year; có thể lặp lại, hoặc nối bằng dấu phẩy",
    ),
    // report
    ("report", "", "Biểu mẫu II.06a và điểm theo Quyết định 766 và PAR INDEX, cho kỳ bất kỳ"),
    ("report help", "", "In hướng dẫn này, hoặc hướng dẫn của một báo cáo"),
    (
        "*",
        "period",
        "Kỳ báo cáo: 2025-Q3, 2025-H1, 2025-9M, 2025, 2025-03, hoặc hai ngày đều thuộc kỳ, 2025-01-01..2025-03-14",
    ),
    (
        "*",
        "cut_off_day",
        "Ngày bắt đầu kỳ, trong tháng liền trước: với 15 thì 2025-Q1 là từ 15/12/2024 đến 14/3/2025 [mặc định: 1]",
    ),
    (
        "*",
        "regime",
        "Lấy ngày bắt đầu kỳ của chế độ báo cáo (report_period) có mã này, bản hiệu lực vào ngày cuối tháng cuối kỳ; ví dụ calendar, reporting-regime",
    ),
    (
        "report ii-06a",
        "",
        "Biểu II.06a: hồ sơ phải giải quyết trong kỳ, đến bằng cách nào và kết quả ra sao, theo lĩnh vực hoặc đơn vị",
    ),
    ("report ii-06a", "by", "Mỗi dòng là một lĩnh vực (field) hoặc một đơn vị (unit)"),
    ("report ii-06a", "format", "Cách in; nếu không nêu thì theo phần mở rộng của tên sau --out"),
    ("report ii-06a", "format=csv", "Cho bảng tính, không có dòng tổng số"),
    ("report ii-06a", "format=xlsx", "Chính biểu mẫu, khổ A4 ngang; cần --out"),
    ("report ii-06a", "out", "Tệp để ghi; tệp đã có sẽ bị thay"),
    ("report ii-06a", "unit_name", "Tên đơn vị báo cáo trên đầu biểu xlsx [mặc định: mã sau --unit]"),
    ("report score-766", "", "Điểm tiến độ theo Quyết định 766: 20 lần tỷ lệ `decision-766`"),
    ("report score-766", "format", "Cách in"),
    ("report par-index", "", "Điểm PAR INDEX cho tỷ lệ trước và đúng hạn và cho việc xin lỗi, theo các bậc điểm"),
    ("report par-index", "tiers", "Tệp quy định có đúng một bảng [[tiers]], dùng thay cho bậc điểm đã công bố"),
    ("report par-index", "tiers_code", "Mã của bậc điểm đã công bố, hiệu lực vào ngày cuối kỳ"),
    ("report par-index", "full", "Điểm tối đa của mỗi tiêu chí [mặc định: theo bậc điểm]"),
    ("report par-index", "format", "Cách in"),
    // targets
    ("targets", "", "Chỉ tiêu theo từng năm: đạt hay không, và còn bao nhiêu hồ sơ được quá hạn"),
    ("targets", "code", "Chỉ chỉ tiêu này"),
    ("targets", "year", "Chỉ năm này [mặc định: mọi năm hiệu lực, nhiều nhất mười năm sắp tới]"),
    ("targets", "unit", "Đánh giá cho đơn vị này và các đơn vị dưới nó, thay cho đơn vị của chỉ tiêu"),
    // dossiers
    ("dossiers", "", "Danh sách việc cần làm, và các hồ sơ đằng sau một con số"),
    ("dossiers", "state", "open, waiting, late, due-soon, apology-pending, apology-missing, ended hoặc returned"),
    ("dossiers", "definition", "Định nghĩa để so lời hẹn và chọn tập hồ sơ [mặc định: resolved]"),
    ("dossiers", "outcome", "Chỉ tập hồ sơ của định nghĩa: on_time, late, no_deadline hoặc any"),
    ("dossiers", "due_within", "Với due-soon: còn bao nhiêu giờ thì đến hạn"),
    ("dossiers", "page_size", "Chỉ một trang gồm số hồ sơ này; không nêu thì in tất cả"),
    ("dossiers", "page_token", "next_page_token của trang trước"),
    // dossier
    ("dossier", "", "Mọi điều về một hồ sơ"),
    ("dossier", "code", "Mã hồ sơ, đúng nguyên văn"),
    ("dossier", "slip", "Phiếu kiểm soát: ai giữ hồ sơ ở từng bước, và từng bước có đúng hạn không"),
    ("dossier", "why", "Vì sao hạn trả là ngày đó: quy định áp dụng, từng ngày, từng lần chờ và từng văn bản xin lỗi"),
    ("dossier", "format", "Cách in câu trả lời: table hoặc json"),
    // obligations
    ("obligations", "", "Nghĩa vụ xin lỗi đã phát sinh và dự kiến"),
    (
        "obligations",
        "state",
        "forecast, pending, in_time, late, missing hoặc defective; không nêu thì mọi loại trừ forecast",
    ),
    // due
    ("due", "", "Thời hạn kết thúc khi nào, và vì sao, theo lịch làm việc"),
    (
        "due",
        "received",
        "Thời điểm tiếp nhận: một thời điểm như 2025-09-10T09:00+07:00, hoặc một ngày, khi đó không xét giờ chốt",
    ),
    ("due", "term", "Thời hạn dài bao nhiêu; 0 ngày là thủ tục trả kết quả trong ngày"),
    (
        "due",
        "term_unit",
        "Đơn vị tính thời hạn: hour (giờ làm việc), working_day (ngày làm việc), day (ngày) hoặc month (tháng)",
    ),
    ("due", "unit", "Đơn vị giải quyết hồ sơ; theo lịch đang hiệu lực cho đơn vị đó tại nơi được hỏi"),
    ("due", "batch", "Trả lời từng dòng NDJSON {\"received\",\"term\",\"term_unit\"} bằng một dòng"),
    ("due", "file", "Tệp của --batch; đầu vào chuẩn nếu là - hoặc không nêu"),
    ("due", "format", "Cách in câu trả lời; --batch chỉ trả lời bằng JSON"),
    // watch
    ("watch", "", "Theo dõi trực tiếp tỷ lệ, nghĩa vụ và sự kiện"),
    ("watch", "by", "Nhóm theo unit, procedure, field, channel, day, month, quarter hoặc year"),
    ("watch", "goal", "Chỉ tiêu của tỷ lệ, tính bằng phần trăm: \">99\" (trên) hoặc \">=95\" (từ … trở lên)"),
    ("watch", "per_second", "Số câu trả lời nhiều nhất trong một giây"),
    // replay
    ("replay", "", "Phát lại lịch sử dưới dạng NDJSON"),
    ("replay", "from", "Vị trí đầu tiên"),
    ("replay", "to", "Dừng trước vị trí này [mặc định: cuối nhật ký]"),
    ("replay", "dossier", "Chỉ hồ sơ này"),
    ("replay", "unit", "Chỉ hồ sơ của đơn vị này và các đơn vị dưới nó"),
    ("replay", "types", "Chỉ loại sự kiện này; có thể lặp lại"),
    ("replay", "follow", "Tiếp tục với những gì được ghi sau đó, đến khi bị ngắt"),
    ("replay", "format", "Cách in: mỗi dòng một sự kiện"),
    // rekey
    ("rekey", "", "Đổi mã một hồ sơ đã ghi sai mã: ghi lại dưới mã đúng, hủy dưới mã sai; cả hai vẫn đọc được"),
    ("rekey", "wrong", "Mã sai"),
    ("rekey", "right", "Mã đúng, chưa có hồ sơ nào được tiếp nhận dưới mã này"),
    ("rekey", "reason", "Lý do, dưới dạng mã"),
    // publish
    ("publish", "", "Công bố một tệp quy định vào nhật ký"),
    ("publish", "file", "Tệp quy định; đầu vào chuẩn nếu là -"),
    ("publish", "dry_run", "Chỉ cho biết kết quả sẽ ra sao, không ghi gì"),
    // rules
    ("rules", "", "Các quy định trong nhật ký: liệt kê, xem một phiên bản, so hai phiên bản"),
    ("rules help", "", "In hướng dẫn này, hoặc hướng dẫn của một lệnh con"),
    ("rules list", "", "Liệt kê các phiên bản quy định, kể cả các quy định có sẵn"),
    (
        "rules list",
        "kind",
        "Chỉ calendar, unit, procedure, apology, reason, definition, target, report_period hoặc tiers",
    ),
    ("rules list", "as_of", "Chỉ các phiên bản hiệu lực cho hồ sơ tiếp nhận ngày này"),
    ("rules show", "", "Xem một phiên bản đúng như trong tệp quy định"),
    ("rules show", "version", "Số của phiên bản, 0 là bản có sẵn [mặc định: bản mới nhất]"),
    ("rules diff", "", "So hai phiên bản theo từng dòng"),
    ("rules diff", "from", "Số của phiên bản cũ hơn [mặc định: bản liền trước bản mới nhất]"),
    ("rules diff", "to", "Số của phiên bản mới hơn [mặc định: bản mới nhất]"),
    ("*", "kind", "calendar, unit, procedure, apology, reason, definition, target, report_period hoặc tiers"),
    ("rules show", "code", "Mã của quy định"),
    ("rules diff", "code", "Mã của quy định"),
    // verify
    ("verify", "", "Kiểm tra từng byte của một thư mục dữ liệu, không đổi gì"),
    ("verify", "data", "Thư mục dữ liệu; không được có tiến trình nào đang dùng"),
    ("verify", "scratch", "Nơi đặt bản sao của nhật ký trong lúc kiểm tra [mặc định: thư mục tạm của hệ thống]"),
    // simulate
    ("simulate", "", "Tạo một tỉnh mô phỏng: hồ sơ cả năm theo một seed, và những con số phải ra"),
    ("simulate", "into", "Ghi vào thư mục mới này, theo thời điểm mô phỏng"),
    ("simulate", "server", "Gửi đến một máy chủ, ví dụ http://127.0.0.1:7070"),
    ("simulate", "dossiers", "Số hồ sơ tiếp nhận [mặc định: 100000]"),
    ("simulate", "events", "Số sự kiện gần đúng trong nhật ký, thay cho số hồ sơ"),
    ("simulate", "from", "Ngày đầu tiên [mặc định: một năm trước --to]"),
    ("simulate", "to", "Ngày sau ngày cuối cùng [mặc định: hôm nay]"),
    ("simulate", "seed", "Seed khác tạo ra một tỉnh khác"),
    ("simulate", "rate", "Số sự kiện gửi đến máy chủ mỗi giây [mặc định: nhiều nhất có thể]"),
    ("simulate", "connections", "Số kết nối đến máy chủ"),
    ("simulate", "format", "Cách in những gì đã gài"),
    // demo
    ("demo", "", "Xem việc chính: các quầy tiếp nhận mô phỏng, tỷ lệ trực tiếp"),
    ("demo", "data", "Nơi đặt dữ liệu [mặc định: một thư mục mới trong thư mục tạm của hệ thống]"),
    ("demo", "seconds", "Kéo dài bao lâu, tính bằng giây"),
    ("demo", "dossiers_a_day", "Số hồ sơ tiếp nhận trong một ngày làm việc"),
    ("demo", "seed", "Seed khác tạo ra một sở khác"),
];

/// The Vietnamese of a command, an argument or a value; `None` if there is none.
#[must_use]
pub fn vietnamese(command: &str, argument: &str) -> Option<&'static str> {
    let of = |name: &str| HELP.iter().find(|(c, a, _)| *c == name && *a == argument).map(|(_, _, text)| *text);
    // A command of its own must have a line of its own.
    of(command).or_else(|| if argument.is_empty() { None } else { of("*") })
}
