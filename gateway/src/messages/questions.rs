//! What is wrong with a question, and why a dossier counts as it does.

use super::Text;
use super::format::{self, clock};
use dunghen_engine::time::Zone;
use dunghen_engine::views::{Verdict, Why};

/// A field that must be a moment.
#[must_use]
pub fn no_moment() -> Text {
    Text::new("phải là thời điểm hoặc ngày YYYY-MM-DD", "must be an instant or a date YYYY-MM-DD")
}

/// A date in the right form, of a day that no calendar has.
#[must_use]
pub fn no_such_date() -> Text {
    Text::new("không có ngày này; hãy kiểm tra ngày và tháng", "there is no such date; check day and month")
}

/// A field that must be there and be one of some names.
#[must_use]
pub fn required_of(names: &[&str]) -> Text {
    let names = names.join(", ");
    Text::new(format!("bắt buộc phải có, là một trong: {names}"), format!("is required, one of {names}"))
}

/// A field that must be there.
#[must_use]
pub fn required() -> Text {
    Text::new("bắt buộc phải có", "is required")
}

/// The end of a period that lies before its beginning.
#[must_use]
pub fn ends_before_it_begins() -> Text {
    Text::new("không được trước from", "must not be before from")
}

/// A field that must be one of some names.
#[must_use]
pub fn one_of(names: &[&str]) -> Text {
    let names = names.join(", ");
    Text::new(format!("phải là một trong: {names}"), format!("must be one of {names}"))
}

/// The same, quoting what it was.
#[must_use]
pub fn this_is_not_one_of(name: &str, names: &[&str]) -> Text {
    let names = names.join(", ");
    Text::new(format!("«{name}» phải là một trong: {names}"), format!("{name:?} must be one of {names}"))
}

/// A field that must be a time zone.
#[must_use]
pub fn no_zone() -> Text {
    Text::new("phải là múi giờ IANA, ví dụ Asia/Ho_Chi_Minh", "must be an IANA zone such as Asia/Ho_Chi_Minh")
}

/// A key to group by that was named twice.
#[must_use]
pub fn key_twice() -> Text {
    Text::new("mỗi khóa chỉ được nêu một lần", "names each key once")
}

/// A field that must be a year.
#[must_use]
pub fn no_year() -> Text {
    Text::new(
        "phải là năm từ 1 đến 9999; bỏ trống là mọi năm",
        "must be a year from 1 to 9999; leave it out for every year",
    )
}

/// A target that is not there on the day.
#[must_use]
pub fn no_target(code: &str) -> Text {
    Text::new(
        format!("không có chỉ tiêu «{code}» có hiệu lực vào ngày đó; bỏ trống để xem mọi chỉ tiêu"),
        format!("there is no target {code:?} in force on that day; leave it out to see all of them"),
    )
}

/// A token that no page gave.
#[must_use]
pub fn no_page_token() -> Text {
    Text::new("phải lấy từ next_page_token của trang trước", "must be the next_page_token of the page before")
}

/// Why a dossier counts as it does; times are shown in `zone`.
#[must_use]
pub fn why(why: &Why, zone: &Zone) -> Text {
    let stopped = why.stopped_at.map_or_else(Text::default, |t| clock(t, zone));
    let (number, due, missed) = match why.promise {
        Some((number, due, missed)) => {
            (number, format::due(due, zone), missed.map_or_else(Text::default, |t| clock(t, zone)))
        }
        None => (0, Text::default(), Text::default()),
    };
    // A definition that takes whatever due came last judges no promise of the dossier's.
    let promise = match number {
        0 => Text::new("hạn ghi sau cùng", "the latest due"),
        number => Text::new(format!("lời hẹn {number}"), format!("promise {number}")),
    };
    match why.verdict {
        Verdict::Early => Text::new(
            format!("Trước hạn: xong lúc {}, {} là {}.", stopped.vi, promise.vi, due.vi),
            format!("Early: the clock stopped at {}, {} was {}.", stopped.en, promise.en, due.en),
        ),
        Verdict::OnDue => Text::new(
            format!("Đúng hạn: xong lúc {}, {} là {}.", stopped.vi, promise.vi, due.vi),
            format!("On due: the clock stopped at {}, {} was {}.", stopped.en, promise.en, due.en),
        ),
        Verdict::OnTimeAndOpen => Text::new(
            format!("Trong hạn: đang giải quyết, {} là {}.", promise.vi, due.vi),
            format!("On time so far: in progress, {} is {}.", promise.en, due.en),
        ),
        Verdict::Late => Text::new(
            format!("Quá hạn: {} là {}, quá hạn từ {}.", promise.vi, due.vi, missed.vi),
            format!("Late: {} was {}, missed at {}.", promise.en, due.en, missed.en),
        ),
        Verdict::LateBySupplement => Text::new(
            "Quá hạn theo định nghĩa này: đã yêu cầu bổ sung hơn một lần.",
            "Late by this definition: papers were asked for more than once.",
        ),
        Verdict::NoDeadline => Text::new("Không có hạn trả.", "No promise was given."),
    }
}
