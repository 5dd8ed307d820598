//! What the commands say beside their answers: notes, progress, the frames of findings, what to try next.

use super::format::{counted, local, percent, seconds};
use super::{Text, calls};
use crate::pb;
use dunghen_engine::dossier::EventType;
use dunghen_engine::time::{Date, Timestamp, Zone};
use std::fmt::Display;
use std::path::Path;

/// A server listens.
#[must_use]
pub fn serving(path: &Path, address: &impl Display, records: u64, zone: &Zone) -> Text {
    let (path, zone) = (path.display(), zone.name());
    Text::new(
        format!("dunghen: {path} phục vụ tại http://{address} ({records} sự kiện, {zone})"),
        format!("dunghen: {path} serves at http://{address} ({records} records, {zone})"),
    )
}

/// A server has ended in order.
#[must_use]
pub fn closed(path: &Path) -> Text {
    let path = path.display();
    Text::new(format!("dunghen: {path} đã đóng"), format!("dunghen: {path} is closed"))
}

/// Lines that `record` left out.
#[must_use]
pub fn lates_skipped(lines: u64) -> Text {
    Text::new(
        format!("đã bỏ qua {lines} dòng loại Late: hệ thống tự ghi quá hạn"),
        format!("{lines} lines of type Late were skipped: the engine writes its own"),
    )
}

/// Rules of a replayed file.
#[must_use]
pub fn rules_published(lines: u64) -> Text {
    Text::new(
        format!("{lines} dòng loại Published đã được công bố, đúng chỗ của chúng"),
        format!("{lines} lines of type Published were published, each in its place"),
    )
}

/// A thread that read lines has panicked.
#[must_use]
pub fn reader_stopped() -> Text {
    calls::defect(&"the reader stopped")
}

/// No folder for a copy of the log.
#[must_use]
pub fn no_scratch(path: &Path, error: &impl Display) -> Text {
    let path = path.display();
    Text::new(
        format!("{path}: {error}; hãy chọn nơi khác bằng --scratch"),
        format!("{path}: {error}; name another place with --scratch"),
    )
}

/// The copy of the log stays.
#[must_use]
pub fn scratch_stays(path: &Path, error: &impl Display) -> Text {
    let path = path.display();
    Text::new(format!("không xóa được {path}: {error}"), format!("{path} cannot be removed: {error}"))
}

/// `rekey` was asked to do nothing.
#[must_use]
pub fn same_code() -> Text {
    Text::new("hai mã hồ sơ giống nhau", "both codes are the same")
}

/// `rekey` of a dossier of which nothing counts any more.
#[must_use]
pub fn nothing_stands(dossier: &str) -> Text {
    Text::new(
        format!("hồ sơ {dossier} không còn sự kiện nào có hiệu lực; có thể đã đổi mã rồi"),
        format!("no event of dossier {dossier} stands; its code may have been mended already"),
    )
}

/// A history that this program does not understand.
#[must_use]
pub fn newer_server() -> Text {
    Text::new(
        "lịch sử có sự kiện mà chương trình này không hiểu; hãy dùng phiên bản của máy chủ",
        "the history holds an event that this program does not understand; use the server's version",
    )
}

/// Why `rekey` did nothing.
#[must_use]
pub fn not_rekeyed(refusal: &pb::Refusal) -> Text {
    let pb::Refusal { reason, message_vi, message_en, .. } = refusal;
    Text::new(format!("chưa đổi gì: {reason}: {message_vi}"), format!("nothing was changed: {reason}: {message_en}"))
}

/// What `rekey` did.
#[must_use]
pub fn rekeyed(wrong: &str, right: &str, events: usize) -> Text {
    let n = counted(events as u64);
    Text::new(
        format!("{} sự kiện của {wrong} được ghi lại dưới mã {right} và hủy dưới mã cũ; cả hai vẫn đọc được", n.vi),
        format!(
            "{} events of {wrong} were told again under {right} and annulled under the old code; both stay readable",
            n.en
        ),
    )
}

/// `verify` of a directory that a process is using; it reads files, so no server can be asked instead.
#[must_use]
pub fn verify_in_use(path: &Path, process: &str) -> Text {
    let path = path.display();
    Text::new(
        format!(
            "tiến trình {process} đang dùng {path}; hãy dừng tiến trình đó, hoặc kiểm tra một bản sao lưu của thư mục"
        ),
        format!("{path} is in use by process {process}; stop that, or verify a backup of the directory"),
    )
}

/// The verdict of `verify`.
#[must_use]
pub fn verified(path: &Path, intact: bool, records: u64) -> Text {
    let (path, n) = (path.display(), counted(records));
    let (vi, en) = if intact { ("nguyên vẹn", "intact") } else { ("HỎNG", "DAMAGED") };
    Text::new(format!("{path}: {vi}, đã đọc {} sự kiện", n.vi), format!("{path}: {en}, {} records read", n.en))
}

/// A finding of `verify`; what was found stays as the log says it.
#[must_use]
pub fn finding(position: u64, what: &str) -> Text {
    Text::new(format!("  tại {position}: {what}"), format!("  at {position}: {what}"))
}

/// What to do about a damaged log.
#[must_use]
pub fn damaged_advice() -> Text {
    Text::new(
        "Đừng mở để ghi; hãy giữ nguyên một bản và khôi phục từ bản sao lưu.",
        "Do not open it for writing; keep a copy as it is, and restore a backup.",
    )
}

/// The figures of a question about a target, and the obligations.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Promises kept.
    pub on_time: u64,
    /// Of so many that were judged.
    pub judged: u64,
    /// Whether that reaches the target; `None` if there is nothing to judge.
    pub met: Option<bool>,
    /// Obligations decided.
    pub apology_due: u64,
    /// Of them in time.
    pub apology_in_time: u64,
    /// Of them late.
    pub apology_late: u64,
    /// Of them missing.
    pub apology_missing: u64,
    /// Of those with a letter that does not count.
    pub apology_defective: u64,
    /// Missed, but the letter may still be in time.
    pub apology_pending: u64,
}

/// The lines of `watch` below the table; `sign` and `hundredths` of a percent are the target.
#[must_use]
pub fn standing(sign: &str, hundredths: u64, s: &Standing) -> Text {
    let goal = Text::each(|lang| format!("{sign} {}", percent(hundredths, 10_000, lang)));
    let rate = Text::each(|lang| percent(s.on_time, s.judged, lang));
    let met = match s.met {
        Some(met) => Text::each(|lang| super::format::verdict(met, lang).to_owned()),
        None => super::format::not_applicable(),
    };
    let (due, in_time, late) = (counted(s.apology_due), counted(s.apology_in_time), counted(s.apology_late));
    let (missing, defective) = (counted(s.apology_missing), counted(s.apology_defective));
    let pending = counted(s.apology_pending);
    Text::new(
        format!(
            "Chỉ tiêu {}: {}, {}\nNghĩa vụ xin lỗi {}: kịp thời {}, muộn {}, chưa xin lỗi {} (thiếu nội dung {}); chưa đến \
             hạn {}",
            goal.vi, rate.vi, met.vi, due.vi, in_time.vi, late.vi, missing.vi, defective.vi, pending.vi
        ),
        format!(
            "Target {}: {}, {}\nApologies due {}: in time {}, late {}, missing {} (defective {}); pending {}",
            goal.en, rate.en, met.en, due.en, in_time.en, late.en, missing.en, defective.en, pending.en
        ),
    )
}

/// A period of `simulate` that makes no sense.
#[must_use]
pub fn no_period(from: Date, to: Date) -> Text {
    Text::new(
        format!("--from {from} --to {to}: --from phải trước --to, và --to không được sau hôm nay"),
        format!("--from {from} --to {to}: --from comes first, and --to is no later day than today"),
    )
}

/// What a server answered to a simulation.
#[must_use]
pub fn pushed(recorded: u64, twice: u64, refused: u64) -> Text {
    let (recorded, twice, refused) = (counted(recorded), counted(twice), counted(refused));
    Text::new(
        format!("{} sự kiện đã ghi, {} đã có từ trước, {} bị từ chối", recorded.vi, twice.vi, refused.vi),
        format!("{} events recorded, {} were there before, {} refused", recorded.en, twice.en, refused.en),
    )
}

/// How fast events went.
#[must_use]
pub fn speed(events: u64, ms: u64) -> Text {
    let a_second = u64::try_from(u128::from(events) * 1000 / u128::from(ms.max(1))).unwrap_or(u64::MAX);
    let (n, a_second, s) = (counted(events), counted(a_second), seconds(ms));
    Text::new(
        format!("{} sự kiện trong {} s: {} sự kiện/s", n.vi, s.vi, a_second.vi),
        format!("{} events in {} s: {} events/s", n.en, s.en, a_second.en),
    )
}

/// The query that gives again what a simulation has planted, and the flags among it.
#[must_use]
pub fn planted(query: &str, flags: &str) -> Text {
    Text::new(
        format!("Hỏi lại bằng: {query}\nCờ đã gài: {flags}"),
        format!("Ask for the same with: {query}\nFlags planted: {flags}"),
    )
}

/// A simulation whose parts have lost each other.
#[must_use]
pub fn simulation_cut() -> Text {
    Text::new("việc mô phỏng bị ngắt giữa chừng", "the simulation was cut short")
}

/// A thread that wrote records has panicked.
#[must_use]
pub fn writer_stopped() -> Text {
    calls::defect(&"the writer stopped")
}

/// A story that the rules refuse.
#[must_use]
pub fn story_refused(dossier: &str, reason: &str, event_type: EventType) -> Text {
    calls::defect(&format!("{dossier}: {reason}: {event_type}"))
}

/// A place for a demo that is taken.
#[must_use]
pub fn demo_place_taken(path: &Path) -> Text {
    let path = path.display();
    Text::new(
        format!("{path} đã có nhật ký; hãy chọn một nơi trống"),
        format!("{path} holds a log already; name an empty place"),
    )
}

/// What a demo begins with.
#[must_use]
pub fn demo_intro(url: &str, desks: usize, events: usize) -> Text {
    let events = counted(events as u64);
    Text::new(
        format!("Đúng Hẹn: máy chủ tại {url}, {desks} quầy tiếp nhận gửi {} sự kiện của ba tháng qua gRPC.", events.vi),
        format!("Đúng Hẹn: a server at {url}; {desks} desks push {} events of three months over gRPC.", events.en),
    )
}

/// A demo that was interrupted.
#[must_use]
pub fn demo_stopped(path: &Path) -> Text {
    let path = path.display();
    Text::new(format!("\nĐã dừng; dữ liệu nằm tại {path}"), format!("\nStopped; the data stays at {path}"))
}

/// What a demo has seen so far.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The simulated moment.
    pub at: Timestamp,
    /// Where the log is.
    pub position: u64,
    /// Events recorded.
    pub recorded: u64,
    /// Sent twice.
    pub twice: u64,
    /// Refused.
    pub refused: u64,
}

/// The lines above the table of a demo.
#[must_use]
pub fn demo_head(seen: Seen, zone: &Zone) -> Text {
    let at = Text::each(|lang| local(seen.at, zone, lang));
    let (position, recorded) = (counted(seen.position), counted(seen.recorded));
    let (twice, refused) = (counted(seen.twice), counted(seen.refused));
    Text::new(
        format!(
            "{} (giờ mô phỏng) · vị trí {} · {} sự kiện đã ghi, {} gửi lặp, {} bị từ chối\nHồ sơ tiếp nhận trong kỳ (định \
             nghĩa `received`; hồ sơ đang giải quyết tính theo hiện trạng)",
            at.vi, position.vi, recorded.vi, twice.vi, refused.vi
        ),
        format!(
            "{} (simulated) · position {} · {} events recorded, {} sent twice, {} refused\nDossiers received (definition \
             `received`: those still open count as they stand)",
            at.en, position.en, recorded.en, twice.en, refused.en
        ),
    )
}

/// The line below it.
#[must_use]
pub fn demo_foot(last_refusal: &Text) -> Text {
    Text::new(format!("Từ chối gần nhất: {}", last_refusal.vi), format!("Last refusal: {}", last_refusal.en))
}

/// What to try on what a demo leaves behind: a hint, and what each of the five commands shows.
#[must_use]
pub fn demo_next() -> (Text, [Text; 5]) {
    (
        Text::new(
            "Dữ liệu nằm ở đó; hãy thử tiếp (hoặc `dunghen serve --data DIR` rồi dùng --server):",
            "The data stays there; try next (or `dunghen serve --data DIR` and ask with --server):",
        ),
        [
            Text::new("tỷ lệ theo tháng", "rates by month"),
            Text::new("ai chưa được xin lỗi", "who has not been apologised to"),
            Text::new("hồ sơ đang quá hạn", "what is late"),
            Text::new("toàn bộ lịch sử", "the whole history"),
            Text::new("kiểm tra từng byte", "check every byte"),
        ],
    )
}
