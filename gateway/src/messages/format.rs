//! Numbers, dates and percentages as people of each language write them; and how a text of a file is quoted.

use super::{Lang, Text};
use chrono::{TimeZone, Utc};
use chrono_tz::Tz;
use dunghen_engine::dossier::Due;
use dunghen_engine::time::{Date, Timestamp, Zone};

/// A percentage of exact counts, rounded half up to two decimals.
#[must_use]
pub fn percent(part: u64, whole: u64, lang: Lang) -> String {
    if whole == 0 {
        return not_applicable().into_lang(lang);
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    format!("{} %", decimals((part * 20_000 + whole) / (2 * whole), lang))
}

/// Hundredths as a number with two decimals.
#[must_use]
pub fn decimals(hundredths: u128, lang: Lang) -> String {
    let point = match lang {
        Lang::Vi => ',',
        Lang::En => '.',
    };
    format!("{}{point}{:02}", hundredths / 100, hundredths % 100)
}

/// Where there is nothing to count.
#[must_use]
pub fn not_applicable() -> Text {
    Text::new("không phát sinh", "n/a")
}

/// Whether a target was met.
#[must_use]
pub fn verdict(met: bool, lang: Lang) -> &'static str {
    match (met, lang) {
        (true, Lang::Vi) => "đạt",
        (true, Lang::En) => "met",
        (false, Lang::Vi) => "KHÔNG ĐẠT",
        (false, Lang::En) => "NOT MET",
    }
}

/// A count with its thousands apart.
#[must_use]
pub fn count(n: u64, lang: Lang) -> String {
    let separator = match lang {
        Lang::Vi => '.',
        Lang::En => ',',
    };
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

/// A count in both languages.
pub(super) fn counted(n: u64) -> Text {
    Text::each(|lang| count(n, lang))
}

/// Milliseconds as seconds with one decimal.
pub(super) fn seconds(ms: u64) -> Text {
    Text::new(format!("{},{}", ms / 1000, ms % 1000 / 100), format!("{}.{}", ms / 1000, ms % 1000 / 100))
}

/// A local time, to the minute.
#[must_use]
pub fn local(at: Timestamp, zone: &Zone, lang: Lang) -> String {
    let minutes = zone.time_of_day(at) / 60_000;
    format!("{} {:02}:{:02}", date(zone.date(at), lang), minutes / 60, minutes % 60)
}

/// A date.
#[must_use]
pub fn date(date: Date, lang: Lang) -> String {
    let (y, m, d) = date.ymd();
    match lang {
        Lang::Vi => format!("{d:02}/{m:02}/{y}"),
        Lang::En => format!("{y:04}-{m:02}-{d:02}"),
    }
}

/// A date in both languages.
#[must_use]
pub fn dated(day: Date) -> Text {
    Text::each(|lang| date(day, lang))
}

/// An instant to the second, `10/09/2025 09:00:00` or `2025-09-10 09:00:00`, in a zone.
pub(super) fn clock(at: Timestamp, zone: &Zone) -> Text {
    let zone: Tz = zone.name().parse().unwrap_or(Tz::UTC);
    match Utc.timestamp_millis_opt(at.0) {
        chrono::LocalResult::Single(t) => {
            let local = t.with_timezone(&zone);
            Text::new(local.format("%d/%m/%Y %H:%M:%S").to_string(), local.format("%Y-%m-%d %H:%M:%S").to_string())
        }
        _ => Text::same(at),
    }
}

/// A due.
pub(super) fn due(due: Due, zone: &Zone) -> Text {
    match due {
        Due::Date(day) => dated(day),
        Due::Instant(t) => clock(t, zone),
    }
}

/// A text from a file as a message quotes it: in quotes, and cut if it is long.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("'{shown}'")
}

/// Several such texts.
pub(crate) fn listed<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_half_up() {
        assert_eq!(percent(952, 1329, Lang::En), "71.63 %");
        assert_eq!(percent(952, 1329, Lang::Vi), "71,63 %");
        assert_eq!(percent(1, 800, Lang::En), "0.13 %", "0.125 goes up");
        assert_eq!(percent(0, 0, Lang::En), "n/a");
        assert_eq!(percent(0, 0, Lang::Vi), "không phát sinh");
        assert_eq!(percent(7, 7, Lang::Vi), "100,00 %");
    }

    #[test]
    fn counts_in_both_languages() {
        assert_eq!(count(1_234_567, Lang::En), "1,234,567");
        assert_eq!(count(1_234_567, Lang::Vi), "1.234.567");
        assert_eq!(count(999, Lang::Vi), "999");
    }

    #[test]
    fn times_in_both_languages() {
        let at = Timestamp::parse("2025-09-10T02:05:59.999Z").expect("time");
        assert_eq!(local(at, &Zone::VIETNAM, Lang::Vi), "10/09/2025 09:05");
        assert_eq!(local(at, &Zone::VIETNAM, Lang::En), "2025-09-10 09:05");
        assert_eq!(seconds(12_345), Text::new("12,3", "12.3"));
    }
}
