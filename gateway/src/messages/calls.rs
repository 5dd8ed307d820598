//! What the command line says when a call fails: no answer, no server, a defect, a word of the system.

use super::Text;
use std::fmt::Display;
use std::path::Path;

/// What the operating system said.
#[must_use]
pub fn system(error: &impl Display) -> Text {
    Text::new(format!("hệ thống báo lỗi: {error}"), error.to_string())
}

/// The same, about a file or a folder.
#[must_use]
pub fn system_at(path: &Path, error: &impl Display) -> Text {
    Text::same(path.display()).before(&system(error))
}

/// A defect of this program.
#[must_use]
pub fn defect(what: &impl Display) -> Text {
    Text::new(
        format!("lỗi của chính chương trình: {what}; hãy báo cho người phát triển"),
        format!("a defect of this program: {what}; please report it"),
    )
}

/// The runtime does not start.
#[must_use]
pub fn no_runtime(error: &impl Display) -> Text {
    Text::new(format!("chương trình không khởi động được: {error}"), format!("the runtime does not start: {error}"))
}

/// A status that is none of ours: the connection broke, or whoever listens there is no server of this kind.
#[must_use]
pub fn no_answer(said: &str) -> Text {
    Text::new(
        format!("không có trả lời từ máy chủ; hãy gửi lại, gửi hai lần không sao ({said})"),
        format!("no answer came from the server; send it again, twice does no harm ({said})"),
    )
}

/// What a server refused: the stable reason before the text.
#[must_use]
pub fn refused(reason: &str, text: &Text) -> Text {
    Text::same(reason).before(text)
}

/// A server that leaves an event of a batch out.
#[must_use]
pub fn event_unanswered() -> Text {
    Text::new("máy chủ không trả lời cho một sự kiện", "the server left an event without an answer")
}

/// A URL that needs encryption.
#[must_use]
pub fn no_encryption(url: &str) -> Text {
    Text::new(
        format!("{url}: phiên bản này chưa có mã hóa; hãy hỏi máy chủ trên chính máy này bằng http://"),
        format!("{url}: this version has no encryption yet; ask a server on this machine with http://"),
    )
}

/// A URL that is none.
#[must_use]
pub fn no_url(url: &str, error: &impl Display) -> Text {
    Text::new(format!("{url} không phải địa chỉ máy chủ: {error}"), format!("{url} is no server URL: {error}"))
}

/// Nobody answers.
#[must_use]
pub fn no_server(url: &str, cause: &impl Display) -> Text {
    Text::new(
        format!("không có máy chủ nào trả lời tại {url} ({cause}); `dunghen serve` phải đang chạy ở đó"),
        format!("no server answers at {url} ({cause}); `dunghen serve` must run there"),
    )
}

/// Neither a directory nor a server was named.
#[must_use]
pub fn name_a_target(first: &str, second: &str) -> Text {
    Text::new(format!("hãy nêu một trong {first} và {second}"), format!("name one of {first} and {second}"))
}

/// A dossier has no CSV form.
#[must_use]
pub fn dossier_as_csv() -> Text {
    Text::new("một hồ sơ chỉ in dạng table hoặc json", "a dossier is printed as table or json")
}
