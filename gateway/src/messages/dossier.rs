//! The tracking slip of a dossier (phiếu kiểm soát), and why it is due when it is.

use super::Text;
use super::due::{hours, term as term_of};
use super::format::{self, dated, local};
use super::tables::row;
use dunghen_engine::calendar::{AfterSupplement, Calendar, Term, What};
use dunghen_engine::dossier::Due;
use dunghen_engine::rules::{LetterBy, Pin, Procedure, RuleKind};
use dunghen_engine::time::{Moment, Timestamp, Zone};
use dunghen_engine::views::{Explained, ExplainedLetter, ExplainedTerm, ExplainedWait, LetterEffect, WaitEffect};

fn at(t: Timestamp, zone: &Zone) -> Text {
    Text::each(|lang| local(t, zone, lang))
}

/// A due in its own form; a dash if there is none.
fn due(due: Option<Due>, zone: &Zone) -> Text {
    match due {
        None => Text::same("–"),
        Some(Due::Date(date)) => dated(date),
        Some(Due::Instant(t)) => at(t, zone),
    }
}

// The tracking slip.

/// The title of the official form.
#[must_use]
pub fn slip_title() -> Text {
    Text::new("PHIẾU KIỂM SOÁT QUÁ TRÌNH GIẢI QUYẾT HỒ SƠ", "TRACKING SLIP OF A DOSSIER")
}

/// The lines above the steps: the dossier, who answers for it, who else takes part, and what is applied for.
#[must_use]
pub fn slip_head(dossier: &str, unit: &str, others: &[&str], procedure: &str, received: &str, due: &str) -> Text {
    let or_dash = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
    let (unit, others, procedure) = (or_dash(unit), or_dash(&others.join(", ")), or_dash(procedure));
    let (received, due) = (or_dash(received), or_dash(due));
    Text::new(
        format!(
            "Mã hồ sơ: {dossier}\nCơ quan giải quyết hồ sơ: {unit}\nCơ quan phối hợp giải quyết hồ sơ: {others}\n\
             Thủ tục: {procedure}; tiếp nhận: {received}; hẹn trả: {due}"
        ),
        format!(
            "Dossier: {dossier}\nUnit in charge: {unit}\nOther units: {others}\n\
             Procedure: {procedure}; received: {received}; due: {due}"
        ),
    )
}

/// The header of the steps.
#[must_use]
pub fn slip() -> [Text; 8] {
    row([
        ("TT", "no."),
        ("bên giao", "giver"),
        ("bên nhận", "receiver"),
        ("giao, nhận lúc", "handed over"),
        ("hạn của bước", "step due"),
        ("xong lúc", "done"),
        ("kết quả", "result"),
        ("thời gian giữ", "time held"),
    ])
}

/// Who gives at the reception.
#[must_use]
pub fn applicant() -> Text {
    Text::new("người nộp hồ sơ", "applicant")
}

/// The result of a step.
#[must_use]
pub fn step_result(result: &str, after_end: bool) -> Text {
    match result {
        "early" => Text::new("trước hạn", "early"),
        "on_due" => Text::new("đúng hạn", "on due"),
        "late" => Text::new("quá hạn", "late"),
        "open" => Text::new("đang giải quyết", "open"),
        "no_deadline" if after_end => Text::new("sau khi kết thúc", "after the end"),
        "no_deadline" => Text::new("không có hạn", "no due"),
        other => Text::same(other),
    }
}

/// How long a unit held a dossier: working time, and working days as terms count them.
#[must_use]
pub fn held(ms: i64, days: i64) -> Text {
    let time = hours(ms);
    let plural = if days == 1 { "" } else { "s" };
    Text::new(format!("{} ({days} ngày làm việc)", time.vi), format!("{} ({days} working day{plural})", time.en))
}

/// Without a calendar no working time is known.
#[must_use]
pub fn held_unknown() -> Text {
    Text::new(
        "Không có lịch làm việc nào có hiệu lực cho hồ sơ này, nên không tính được thời gian giữ.",
        "No working calendar is in force for this dossier, so the time held is not known.",
    )
}

/// Who holds the dossier; nobody if the unit is empty.
#[must_use]
pub fn holder(unit: &str, step_due: &str) -> Text {
    match (unit, step_due) {
        ("", _) => Text::new("Không còn đơn vị nào giữ hồ sơ.", "No unit holds the dossier any more."),
        (unit, "") => Text::new(format!("Đang giữ hồ sơ: {unit}."), format!("It is held by {unit}.")),
        (unit, due) => Text::new(
            format!("Đang giữ hồ sơ: {unit}, hạn của bước: {due}."),
            format!("It is held by {unit}, whose step is due {due}."),
        ),
    }
}

/// Who held a dossier when a promise was missed.
#[must_use]
pub fn missed_at(promise: u32, due: &str, missed: &str, unit: &str) -> Text {
    Text::new(
        format!("Lời hẹn {promise} ({due}) quá hạn từ {missed}, khi hồ sơ ở {unit}."),
        format!("Promise {promise} ({due}) was missed at {missed}, when {unit} held the dossier."),
    )
}

// Why it is due when it is.

/// Headings of an explanation: the rules, the waits, the letters.
#[must_use]
pub fn headings() -> [Text; 3] {
    row([
        ("Quy định áp dụng, có hiệu lực khi tiếp nhận:", "Rules in force at the reception:"),
        ("Các lần chờ người nộp hồ sơ:", "Waits for the applicant:"),
        ("Văn bản xin lỗi:", "Letters of apology:"),
    ])
}

/// Before the reception nothing is due.
#[must_use]
pub fn not_received() -> Text {
    Text::new("Hồ sơ chưa được tiếp nhận, nên không có hạn trả.", "The dossier was not received, so nothing is due.")
}

/// The rules that a dossier follows: kind, version if one is in force, and what they say.
#[must_use]
pub fn rules<'a>(explained: &'a Explained) -> [(RuleKind, Option<&'a Pin>, Text); 3] {
    [RuleKind::Calendar, RuleKind::Procedure, RuleKind::Apology].map(|kind| {
        let pin = explained.pinned.pins.iter().find(|pin| pin.kind == kind);
        let what = match kind {
            RuleKind::Calendar => calendar(explained, pin),
            RuleKind::Procedure => procedure(explained, pin),
            _ => apology(explained, pin),
        };
        let name = match kind {
            RuleKind::Calendar => Text::new("lịch làm việc", "working calendar"),
            RuleKind::Procedure => Text::new("thủ tục", "procedure"),
            _ => Text::new("quy định xin lỗi", "apology policy"),
        };
        (kind, pin, name.before(&what))
    })
}

/// A rule's code and version.
fn version(pin: &Pin) -> Text {
    match pin.number {
        0 => Text::new(format!("{}, bản có sẵn", pin.code), format!("{}, built in", pin.code)),
        n => Text::new(format!("{}, phiên bản {n}", pin.code), format!("{}, version {n}", pin.code)),
    }
}

fn calendar(explained: &Explained, pin: Option<&Pin>) -> Text {
    pin.map_or_else(
        || {
            let unit = explained.unit.map_or("", |unit| unit);
            Text::new(
                format!("không có lịch nào có hiệu lực cho đơn vị {unit}"),
                format!("none is in force for unit {unit}"),
            )
        },
        version,
    )
}

fn procedure(explained: &Explained, pin: Option<&Pin>) -> Text {
    let (Some(pin), Some(procedure)) = (pin, explained.pinned.procedure()) else {
        return match explained.procedure {
            Some(code) => Text::new(
                format!("{code} chưa được công bố, hoặc chưa có hiệu lực khi tiếp nhận"),
                format!("{code} was not published, or not in force at the reception"),
            ),
            None => Text::new("hồ sơ không nêu thủ tục", "the dossier names none"),
        };
    };
    let mut said = vec![version(pin), phases(procedure)];
    if !procedure.phases.is_empty() {
        said.push(match procedure.after_supplement {
            AfterSupplement::Resume => Text::new(
                "sau khi bổ sung thì tính tiếp phần còn lại",
                "after a supplement what was left is counted on",
            ),
            AfterSupplement::Restart => {
                Text::new("sau khi bổ sung thì tính lại từ đầu", "after a supplement the whole term is counted anew")
            }
        });
    }
    Text::joined(&said, "; ")
}

fn term(term: Term) -> Text {
    match term {
        Term::Hours(n) => term_of(n, "hour"),
        Term::WorkingDays(n) => term_of(n, "working_day"),
        Term::Days(n) => term_of(n, "day"),
        Term::Months(n) => term_of(n, "month"),
    }
}

/// The term of a procedure, phase by phase.
fn phases(procedure: &Procedure) -> Text {
    if procedure.phases.is_empty() {
        return Text::new("không có thời hạn, do quầy nêu", "without a term, which the desk gives");
    }
    let phases: Vec<Text> = procedure.phases.iter().map(|phase| term(*phase)).collect();
    Text::joined(&phases, " + ")
}

fn apology(explained: &Explained, pin: Option<&Pin>) -> Text {
    let by = match explained.pinned.letter_by {
        LetterBy::WorkingDaysBefore(0) | LetterBy::WorkingDaysAfter(0) => {
            Text::new("gửi chậm nhất trong ngày hẹn trả", "the letter on the appointment date at the latest")
        }
        LetterBy::WorkingDaysBefore(n) => {
            let days = term_of(n, "working_day");
            Text::new(
                format!("gửi chậm nhất {} trước ngày hẹn trả", days.vi),
                format!("the letter {} before the appointment date at the latest", days.en),
            )
        }
        LetterBy::WorkingDaysAfter(n) => {
            let days = term_of(n, "working_day");
            Text::new(
                format!("gửi chậm nhất {} sau ngày hẹn trả", days.vi),
                format!("the letter {} after the appointment date at the latest", days.en),
            )
        }
        LetterBy::WorkingHoursAfter(n) => {
            let hours = term_of(n, "hour");
            Text::new(
                format!("gửi chậm nhất {} sau hạn trả", hours.vi),
                format!("the letter {} after the due at the latest", hours.en),
            )
        }
    };
    let policy = pin.map_or_else(
        || {
            Text::new(
                "không có quy định xin lỗi nào được công bố cho đơn vị, nên theo hcmc-5157, bản có sẵn",
                "none is published for the unit, so it is hcmc-5157, built in",
            )
        },
        version,
    );
    Text::joined([&policy, &by], "; ")
}

/// When a dossier is due by the rules, or why they give no due; and what the desk gave. Times are shown in `zone`.
#[must_use]
pub fn summary(explained: &Explained, zone: &Zone) -> Text {
    let received = at(explained.received, zone);
    let unreckoned = |vi: &str, en: &str| {
        Text::new(format!("{vi} Tiếp nhận: {}.", received.vi), format!("{en} Received: {}.", received.en))
    };
    let with_term = |due: Due| {
        let (calendar, term) = match (&explained.pinned.working_time, explained.pinned.procedure()) {
            (Some(working), Some(procedure)) => (working.calendar().code.as_str(), phases(procedure)),
            _ => ("–", Text::same("–")),
        };
        let unit = explained.unit.map(|unit| &**unit);
        let head = super::due::head(due, Moment::Instant(explained.received), zone, &term, calendar, unit);
        // What desks and letters said later is another matter.
        let by_rules = Text::new("Tính theo quy định khi tiếp nhận:", "As the rules gave it at the reception:");
        Text::joined([&by_rules, &head], "\n")
    };
    let mut lines = match &explained.term {
        ExplainedTerm::NoCalendar => vec![unreckoned(
            "Không tính được hạn trả: không có lịch làm việc nào có hiệu lực cho đơn vị của hồ sơ.",
            "No due was reckoned: no working calendar is in force for the unit of the dossier.",
        )],
        ExplainedTerm::NoProcedure => vec![unreckoned(
            "Không tính được hạn trả: thủ tục của hồ sơ không có quy định nào có hiệu lực khi tiếp nhận.",
            "No due was reckoned: no procedure is in force for the dossier.",
        )],
        ExplainedTerm::NoTerm => vec![unreckoned(
            "Không tính hạn trả: thủ tục không có thời hạn, hạn do quầy nêu.",
            "No due was reckoned: the procedure has no term, the desk gives the due.",
        )],
        ExplainedTerm::TooFar => vec![unreckoned(
            "Không tính được hạn trả: thời hạn kết thúc sau năm 9999.",
            "No due was reckoned: the term ends after the year 9999.",
        )],
        ExplainedTerm::TooLong(due) => vec![
            with_term(*due),
            Text::new("Thời hạn quá dài để kể từng ngày.", "The term is too long to be told day by day."),
        ],
        ExplainedTerm::Days(explanation) => {
            let mut lines = vec![with_term(explanation.due)];
            if let (false, Some(working)) = (explanation.known, &explained.pinned.working_time) {
                lines.push(super::due::unknown_days(working.calendar()));
            }
            lines
        }
    };
    lines.extend(of_the_desk(explained, zone));
    Text::joined(&lines, "\n")
}

/// What the desk said at the reception, beside what the rules gave.
fn of_the_desk(explained: &Explained, zone: &Zone) -> Option<Text> {
    let (given, reckoned) = (due(explained.given, zone), due(explained.reckoned, zone));
    Some(match (explained.given, explained.reckoned) {
        (None, None) => Text::new("Khi tiếp nhận quầy không nêu hạn trả.", "The desk gave no due at the reception."),
        (None, Some(_)) => Text::new(
            format!("Quầy không nêu hạn trả: lời hẹn khi tiếp nhận là {}, theo quy định.", reckoned.vi),
            format!("The desk gave no due: the promise at the reception is {}, by the rules.", reckoned.en),
        ),
        (Some(_), None) => Text::new(
            format!("Lời hẹn khi tiếp nhận là {}, do quầy nêu.", given.vi),
            format!("The promise at the reception is {}, as the desk gave it.", given.en),
        ),
        // Where either is a date, dates are compared, as for the flag DUE_DIFFERS.
        (Some(desk), Some(rules))
            if desk == rules || (any_date(desk, rules) && desk.date(zone) == rules.date(zone)) =>
        {
            Text::new(
                format!("Quầy nêu hạn trả {}, đúng theo quy định.", given.vi),
                format!("The desk gave {}, as the rules do.", given.en),
            )
        }
        (Some(_), Some(_)) => Text::new(
            format!(
                "Quầy nêu hạn trả {}, khác hạn theo quy định là {}; lời hẹn khi tiếp nhận theo quầy.",
                given.vi, reckoned.vi
            ),
            format!(
                "The desk gave {}, but by the rules it is {}; the promise at the reception is the desk's.",
                given.en, reckoned.en
            ),
        ),
    })
}

fn any_date(a: Due, b: Due) -> bool {
    matches!(a, Due::Date(_)) || matches!(b, Due::Date(_))
}

/// The name of what a day does, what is counted of it, and why; the first phase is 0.
#[must_use]
pub fn day(phase: usize, what: &What, calendar: &Calendar) -> (&'static str, Text, Text) {
    let (counted, why) = super::due::step(what, calendar);
    let name = match what {
        What::Begins => "begins",
        What::AfterCutOff => "after_cut_off",
        What::Counted { .. } => "counted",
        What::Months { .. } => "months",
        What::Hours { .. } => "hours",
        What::Off(_) => "off",
        What::Ends => "ends",
    };
    let why = match what {
        What::Begins if phase > 0 => {
            Text::new("giai đoạn trước kết thúc, không tính", "the phase before ended on it, not counted")
        }
        _ => why,
    };
    (name, counted, why)
}

/// What a wait did, in a sentence.
#[must_use]
pub fn wait(wait: &ExplainedWait, zone: &Zone) -> Text {
    let (from, to) = (at(wait.from, zone), wait.to.map_or_else(Text::default, |t| at(t, zone)));
    let (before, after) = (due(wait.before, zone), due(wait.after, zone));
    let moved = Text::new(format!("{} → {}", before.vi, after.vi), format!("{} → {}", before.en, after.en));
    let stays = |vi: &str, en: &str| Text::new(format!("{vi} ({})", before.vi), format!("{en} ({})", before.en));
    let moves = |vi: &str, en: &str| Text::new(format!("{vi}: {}", moved.vi), format!("{en}: {}", moved.en));
    let effect = match wait.effect {
        WaitEffect::Lasts => stays("đang chờ, hạn trả chưa đổi", "it lasts, the due has not moved yet"),
        WaitEffect::Ended => stays("hồ sơ kết thúc khi đang chờ, hạn trả không đổi", "the dossier ended in it"),
        WaitEffect::Given => moves("quầy nêu hạn mới", "the desk gave the due anew"),
        WaitEffect::Resumed => moves("phần còn lại của thời hạn được tính tiếp", "what was left is counted on"),
        WaitEffect::Restarted => moves("thời hạn được tính lại từ đầu", "the whole term is counted anew"),
        WaitEffect::Shifted => moves("hạn trả lùi theo thời gian chờ", "the due moves by the time waited"),
        WaitEffect::Missed => stays("đã quá hạn từ trước, hạn trả không đổi", "it had been missed before and stays"),
        WaitEffect::NoPromise => Text::new("không có hạn trả để lùi", "there is no due to move"),
    };
    if wait.to.is_none() {
        return Text::new(format!("từ {}: {}", from.vi, effect.vi), format!("since {}: {}", from.en, effect.en));
    }
    let calendar_days = u32::try_from(wait.days).map_or_else(|_| Text::same(wait.days), |n| term_of(n, "day"));
    let working = wait.working_days.and_then(|n| u32::try_from(n).ok()).map(|n| term_of(n, "working_day"));
    let long = match working {
        Some(working) => Text::joined([&calendar_days, &working], ", "),
        None => calendar_days,
    };
    Text::new(
        format!("từ {} đến {} ({}): {}", from.vi, to.vi, long.vi, effect.vi),
        format!("from {} to {} ({}): {}", from.en, to.en, long.en, effect.en),
    )
}

/// What a letter did, in a sentence.
#[must_use]
pub fn letter(letter: &ExplainedLetter, zone: &Zone) -> Text {
    let sent = at(letter.at, zone);
    let number = letter.number.as_ref().map_or_else(String::new, |number| format!(" {}", format::quoted(number)));
    let head = Text::new(format!("văn bản{number}, gửi lúc {}", sent.vi), format!("letter{number}, sent {}", sent.en));
    let (n, deadline) = (letter.promise, letter.deadline.map_or_else(Text::default, |t| at(t, zone)));
    let mut said = vec![match letter.effect {
        LetterEffect::InTime => Text::new(
            format!("hợp lệ, kịp thời cho lời hẹn {n} (hạn gửi {})", deadline.vi),
            format!("valid, in time for promise {n} (by {})", deadline.en),
        ),
        LetterEffect::Late => Text::new(
            format!("hợp lệ, nhưng muộn cho lời hẹn {n} (hạn gửi {})", deadline.vi),
            format!("valid, but late for promise {n} (by {})", deadline.en),
        ),
        LetterEffect::Defective => Text::new(
            "thiếu nội dung: không có lý do, hoặc không có hạn mới muộn hơn; không có giá trị",
            "defective: without a reason, or without a later new due; it discharges nothing",
        ),
        LetterEffect::AnswersNothing if n == 0 => {
            Text::new("hợp lệ, nhưng chưa có lời hẹn nào", "valid, but there was no promise yet")
        }
        LetterEffect::AnswersNothing => Text::new(
            format!("hợp lệ, nhưng lời hẹn {n} đã được xin lỗi trước đó"),
            format!("valid, but promise {n} was answered before"),
        ),
    }];
    let answers = matches!(letter.effect, LetterEffect::InTime | LetterEffect::Late);
    if answers && !letter.missed {
        said.push(Text::new(
            "lời hẹn đó không quá hạn, không phát sinh nghĩa vụ",
            "that promise is not missed, so none is owed",
        ));
    }
    if letter.gave_promise {
        let new = due(letter.new_due, zone);
        said.push(Text::new(format!("hẹn lại {}", new.vi), format!("new promise {}", new.en)));
    }
    head.before(&Text::joined(&said, "; "))
}
