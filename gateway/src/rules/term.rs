//! Terms, and by when a letter is to be sent, as they are written in files of rules.

use dunghen_engine::calendar::Term;
use dunghen_engine::rules::LetterBy;

/// The longest term in any unit: of working days about 40 years.
pub(super) const MOST: u32 = 10_000;
/// A letter by the end of the appointment date.
const APPOINTMENT_DATE: &str = "appointment_date";

fn number(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|n| plain && *n <= MOST)
}

/// `3 working_day`.
pub(super) fn read(text: &str) -> Option<Term> {
    let (digits, unit) = text.split_once(' ')?;
    let n = number(digits)?;
    Some(match unit {
        // No hours at all would be no term; no days are a same-day procedure.
        "hour" if n > 0 => Term::Hours(n),
        "working_day" => Term::WorkingDays(n),
        "day" => Term::Days(n),
        "month" => Term::Months(n),
        _ => return None,
    })
}

pub(super) fn render(term: Term) -> String {
    match term {
        Term::Hours(n) => format!("{n} hour"),
        Term::WorkingDays(n) => format!("{n} working_day"),
        Term::Days(n) => format!("{n} day"),
        Term::Months(n) => format!("{n} month"),
    }
}

/// `1 working_day before`.
pub(super) fn read_letter_by(text: &str) -> Option<LetterBy> {
    if text == APPOINTMENT_DATE {
        return Some(LetterBy::WorkingDaysBefore(0));
    }
    let (digits, rest) = text.split_once(' ')?;
    let n = number(digits)?;
    Some(match rest {
        "working_day before" => LetterBy::WorkingDaysBefore(n),
        "working_day after" => LetterBy::WorkingDaysAfter(n),
        "hour after" => LetterBy::WorkingHoursAfter(n),
        _ => return None,
    })
}

pub(super) fn render_letter_by(letter_by: LetterBy) -> String {
    match letter_by {
        LetterBy::WorkingDaysBefore(0) => APPOINTMENT_DATE.to_owned(),
        LetterBy::WorkingDaysBefore(n) => format!("{n} working_day before"),
        LetterBy::WorkingDaysAfter(n) => format!("{n} working_day after"),
        LetterBy::WorkingHoursAfter(n) => format!("{n} hour after"),
    }
}

/// A share in ten-thousandths: `0.99` is 9,900.
pub(super) fn read_share(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |text: &str, most: usize| !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 1) || !digits(part, 4) {
        return None;
    }
    format!("{whole}{part:0<4}").parse().ok().filter(|n| *n <= 10_000)
}

pub(super) fn render_share(share: u32) -> String {
    let text = format!("{}.{:04}", share / 10_000, share % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
