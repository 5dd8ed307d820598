//! Why a data directory, its log or a server on it cannot be used.

use super::Text;
use super::format::clock;
use super::rules::unfit;
use crate::serve::ServeError;
use dunghen_engine::OpenError;
use dunghen_engine::directory::DirectoryError;
use dunghen_engine::log::LogError;
use dunghen_engine::time::Zone;

/// Why a directory cannot be used.
#[must_use]
pub fn directory(error: &DirectoryError) -> Text {
    match error {
        DirectoryError::Missing(path) => {
            let path = path.display();
            Text::new(
                format!(
                    "không có thư mục dữ liệu tại {path}; lệnh `dunghen serve`, `import`, `record` hoặc `publish` sẽ tạo"
                ),
                format!(
                    "there is no data directory at {path}; `dunghen serve`, `import`, `record` or `publish` makes one"
                ),
            )
        }
        DirectoryError::NotEmpty(path) => {
            let path = path.display();
            Text::new(
                format!("{path} không trống và không phải thư mục dữ liệu; hãy chọn nơi mới hoặc thư mục trống"),
                format!("{path} is not empty and no data directory; name a new or an empty place"),
            )
        }
        DirectoryError::NotADirectory(path) => {
            let path = path.display();
            Text::new(format!("{path} không phải thư mục"), format!("{path} is not a directory"))
        }
        DirectoryError::InUse { path, process } => {
            let path = path.display();
            Text::new(
                format!("tiến trình {process} đang dùng {path}; hãy dùng --server"),
                format!("{path} is in use by process {process}; use --server to ask it"),
            )
        }
        DirectoryError::OtherZone { path, actual, asked } => {
            let path = path.display();
            Text::new(
                format!("múi giờ của {path} là {actual}, đã cố định khi tạo; không thể dùng {asked}"),
                format!("the time zone of {path} is {actual}, fixed when it was made; {asked} was asked for"),
            )
        }
        DirectoryError::Log(error) => log(error),
        DirectoryError::Io { path, source } => Text::same(path.display()).before(&super::calls::system(source)),
    }
}

/// Why a log cannot be used; what was found stays as the log says it.
#[must_use]
pub fn log(error: &LogError) -> Text {
    match error {
        LogError::Damaged { position, what } => Text::new(
            format!(
                "LOG_DAMAGED: nhật ký hỏng tại vị trí {position}: {what}. Hãy giữ nguyên các tệp và khôi phục từ bản sao lưu."
            ),
            format!("LOG_DAMAGED at position {position}: {what}"),
        ),
        // What the system said of the disk.
        LogError::Unavailable(why) if why.contains("(os error ") => Text::new(
            format!(
                "LOG_UNAVAILABLE: không dùng được nhật ký: {why}. Hãy kiểm tra đĩa (dung lượng, lỗi) rồi chạy lại."
            ),
            format!("LOG_UNAVAILABLE: {why}. See to the disk (space, errors) and start again."),
        ),
        LogError::Unavailable(why) => {
            Text::new(format!("LOG_UNAVAILABLE: không dùng được nhật ký: {why}"), format!("LOG_UNAVAILABLE: {why}"))
        }
    }
}

/// Why an engine does not start on a directory.
#[must_use]
pub fn open(error: &OpenError) -> Text {
    match error {
        OpenError::Directory(error) => directory(error),
        OpenError::Log(error) => log(error),
        OpenError::ClockBehind { now, recorded } => {
            let (local_now, local_recorded) = (clock(*now, &Zone::VIETNAM), clock(*recorded, &Zone::VIETNAM));
            Text::new(
                format!(
                    "đồng hồ chỉ {} nhưng bản ghi cuối được ghi lúc {}; hãy chỉnh đồng hồ, hoặc chấp nhận nó bằng \
                     --accept-clock",
                    local_now.vi, local_recorded.vi
                ),
                format!(
                    "the clock says {now}, but the last record was made at {recorded}; set the clock, or accept it as it \
                     is with --accept-clock"
                ),
            )
        }
        OpenError::UnknownRules(name) => Text::new(
            format!(
                "thư mục bắt đầu với bộ quy định {name} mà chương trình này không biết; hãy dùng phiên bản đã tạo nó"
            ),
            format!(
                "the directory began with the rules {name}, which this program does not know; use the version that made it"
            ),
        ),
        OpenError::Unfit(why) => {
            let why = unfit(why);
            Text::new(
                format!("bộ quy định có sẵn không áp dụng được: {}", why.vi),
                format!("the rules that are built in cannot be applied: {}", why.en),
            )
        }
        OpenError::Thread(error) => {
            Text::new(format!("không khởi động được bộ ghi: {error}"), format!("the writer cannot be started: {error}"))
        }
    }
}

/// Why a server does not start, or ends.
#[must_use]
pub fn serve(error: &ServeError) -> Text {
    match error {
        ServeError::NotLoopback(address) => Text::new(
            format!(
                "máy khác có thể kết nối đến {address}, mà phiên bản này chưa có mã hóa và định danh: ai cũng có thể ghi \
                 sự kiện. Hãy dùng địa chỉ 127.0.0.1 hoặc [::1]"
            ),
            format!(
                "{address} can be reached from other machines, and this version has neither encryption nor identities: \
                 anybody could record events. Listen on 127.0.0.1 or [::1]"
            ),
        ),
        ServeError::Listen(address, error) => Text::new(
            format!("không mở được cổng tại {address}: {error}"),
            format!("cannot listen on {address}: {error}"),
        ),
        ServeError::Transport(error) => {
            Text::new(format!("máy chủ gặp lỗi: {error}"), format!("the server failed: {error}"))
        }
        ServeError::Setup(error) => {
            Text::new(format!("không thiết lập được máy chủ: {error}"), format!("the server cannot be set up: {error}"))
        }
    }
}
