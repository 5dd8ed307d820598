//! Ticks, dates and dues: definitions.md I.1 and the first paragraph of I.3.

use chrono::{DateTime, Days, NaiveDate};
use chrono_tz::Tz;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;

/// A tick, by its number since 1970-01-01T00:00:00Z.
pub(crate) type Tick = i64;
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) fn tick(text: &str) -> Tick {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

pub(crate) fn text(tick: Tick) -> String {
    DateTime::from_timestamp_millis(tick).unwrap().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The date that a calendar on a wall of the zone shows.
pub(crate) fn date(tick: Tick, zone: Tz) -> NaiveDate {
    DateTime::from_timestamp_millis(tick).unwrap().with_timezone(&zone).date_naive()
}

pub(crate) fn days_later(day: NaiveDate, days: i64) -> NaiveDate {
    let by = Days::new(days.unsigned_abs());
    if days < 0 { day.checked_sub_days(by).unwrap() } else { day.checked_add_days(by).unwrap() }
}

/// The first tick of `[from, to]` of which this is true; it is true of `to`, and of all after the first.
pub(super) fn first_of(from: Tick, to: Tick, is: impl Fn(Tick) -> bool) -> Tick {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if is(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// The first tick of a day: not computed from offsets, but looked for on the wall.
pub(crate) fn first_tick(day: NaiveDate, zone: Tz) -> Tick {
    thread_local!(static FOUND: RefCell<HashMap<(NaiveDate, Tz), Tick>> = RefCell::default());
    FOUND.with_borrow_mut(|found| {
        *found.entry((day, zone)).or_insert_with(|| {
            let utc = day.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_millis();
            first_of(utc - 30 * HOUR, utc + 30 * HOUR, |t| date(t, zone) >= day)
        })
    })
}

pub(crate) fn last_tick(day: NaiveDate, zone: Tz) -> Tick {
    first_tick(days_later(day, 1), zone) - 1
}

/// "A due is an instant, or a local date."
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Instant(Tick),
    Date(NaiveDate),
}

impl Due {
    /// The due that a record carries, in either of two fields.
    pub(super) fn of(record: &Value, instant: &str, day: &str) -> Option<Due> {
        if let Some(t) = record[instant].as_str() {
            return Some(Due::Instant(tick(t)));
        }
        record[day].as_str().map(|d| Due::Date(d.parse().unwrap()))
    }

    /// "Its last moment is the instant, or the last tick of `D`."
    pub(super) fn last_moment(self, home: Tz) -> Tick {
        match self {
            Due::Instant(t) => t,
            Due::Date(day) => last_tick(day, home),
        }
    }

    /// `date(P)`; "of a date due: `D` in every zone".
    pub(super) fn date(self, zone: Tz) -> NaiveDate {
        match self {
            Due::Instant(t) => date(t, zone),
            Due::Date(day) => day,
        }
    }
}

/// How a definition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Compared {
    ByInstant,
    /// By dates of this zone.
    ByDate(Tz),
}

/// "`kept(t, P)` = `t ≤` last moment (by instant) or `date(t) ≤ date(P)` (by date)."
pub(super) fn kept(t: Tick, promise: Due, compared: Compared, home: Tz) -> bool {
    match compared {
        Compared::ByInstant => t <= promise.last_moment(home),
        Compared::ByDate(zone) => date(t, zone) <= promise.date(zone),
    }
}
