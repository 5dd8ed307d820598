//! Instants, local dates and the zone that joins them.
//!
//! One *tick* is a millisecond, the resolution of the log. This room reads no clock: what "now" is comes in as an
//! argument, so that every figure can be computed again. It knows nothing of working days; those are a calendar's.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use std::fmt;

/// A day of 24 hours, in milliseconds.
pub(crate) const MS_PER_DAY: i64 = 86_400_000;

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Before every instant that an event can carry.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// After every instant that an event can carry.
    pub const MAX: Timestamp = Timestamp(i64::MAX);
    /// The first instant an event may carry: 0001-01-01T00:00:00Z.
    pub const EARLIEST: Timestamp = Timestamp(-62_135_596_800_000);
    /// The last instant an event may carry: 9999-12-31T23:59:59.999Z.
    pub const LATEST: Timestamp = Timestamp(253_402_300_799_999);

    /// Milliseconds later (or earlier), stopping at the ends of the range.
    #[must_use]
    pub fn plus(self, milliseconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to this instant.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Parses RFC 3339 with any offset; what is finer than a millisecond is floored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Timestamp> {
        let parsed = DateTime::parse_from_rfc3339(text).ok()?;
        Timestamp::checked(parsed.timestamp_millis())
    }

    /// The instant at `ms`, if an event may carry it.
    #[must_use]
    pub fn checked(ms: i64) -> Option<Timestamp> {
        (Timestamp::EARLIEST.0..=Timestamp::LATEST.0).contains(&ms).then_some(Timestamp(ms))
    }

    fn utc(self) -> DateTime<Utc> {
        let ms = self.0.clamp(Timestamp::EARLIEST.0 - MS_PER_DAY, Timestamp::LATEST.0 + MS_PER_DAY);
        DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// Prints RFC 3339 in UTC with milliseconds, `2025-09-10T02:00:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.utc().format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

/// A local calendar date, as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

impl Date {
    /// The first date an event may carry, 0001-01-01.
    pub const EARLIEST: Date = Date(-719_162);
    /// The last date an event may carry, 9999-12-31.
    pub const LATEST: Date = Date(2_932_896);

    /// The date of a calendar year, month (1 to 12) and day.
    #[must_use]
    pub fn new(year: i32, month: u32, day: u32) -> Option<Date> {
        NaiveDate::from_ymd_opt(year, month, day).map(Date::from_naive)
    }

    /// Parses `YYYY-MM-DD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Date> {
        let (year, month, day) = written(text)?;
        let date = Date::new(year, month, day)?;
        (Date::EARLIEST..=Date::LATEST).contains(&date).then_some(date)
    }

    /// Whether a text, or the date before its time, is written as it must be but names a day that no calendar has: 31
    /// November. Whoever typed it looks for a mistake in the form otherwise.
    ///
    /// ```
    /// use dunghen_engine::time::Date;
    /// assert!(Date::is_none_of_the_calendar("2026-11-31") && Date::is_none_of_the_calendar("2025-02-29T09:00+07:00"));
    /// assert!(!Date::is_none_of_the_calendar("2026-11-30") && !Date::is_none_of_the_calendar("31/11/2026"));
    /// ```
    #[must_use]
    pub fn is_none_of_the_calendar(text: &str) -> bool {
        let (date, time) = text.split_at_checked(10).unwrap_or((text, ""));
        let ends = time.is_empty() || time.starts_with(['T', 't', ' ']);
        ends && written(date).is_some_and(|(year, month, day)| Date::new(year, month, day).is_none())
    }

    /// The date at `days` since 1970-01-01, if an event may carry it.
    #[must_use]
    pub fn checked(days: i32) -> Option<Date> {
        (Date::EARLIEST.0..=Date::LATEST.0).contains(&days).then_some(Date(days))
    }

    /// Days later (or earlier), stopping at the ends of the range.
    #[must_use]
    pub fn plus(self, days: i32) -> Date {
        Date(self.0.saturating_add(days))
    }

    /// Year, month (1 to 12) and day.
    #[must_use]
    pub fn ymd(self) -> (i32, u32, u32) {
        // Counted from 1 March of year 0, so that a leap day ends its year: the months' lengths are then a straight line
        // of 153 days in 5 months, and 400 years have 146,097 days.
        let days = i64::from(self.0) + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let number = |n: i64| u32::try_from(n).unwrap_or(0);
        (i32::try_from(era * 400 + year + carry).unwrap_or(i32::MAX), number(month), number(day))
    }

    /// Day of the week, Monday = 0.
    #[must_use]
    pub fn weekday(self) -> u32 {
        // 1970-01-01 was a Thursday.
        (i64::from(self.0) + 3).rem_euclid(7) as u32
    }

    /// The same day number so many months later, or the last day of that month if it is shorter; `None` beyond
    /// [`Date::LATEST`].
    #[must_use]
    pub fn plus_months(self, months: u32) -> Option<Date> {
        let date = self.naive().checked_add_months(chrono::Months::new(months))?;
        Date::checked(Date::from_naive(date).0)
    }

    fn from_naive(date: NaiveDate) -> Date {
        Date(date.num_days_from_ce() - 719_163)
    }

    fn naive(self) -> NaiveDate {
        let clamped = self.0.clamp(Date::EARLIEST.0 - 400, Date::LATEST.0 + 400);
        NaiveDate::from_num_days_from_ce_opt(clamped + 719_163).unwrap_or(NaiveDate::MIN)
    }
}

/// The numbers of a text `YYYY-MM-DD`, whether or not there is such a day.
fn written(text: &str) -> Option<(i32, u32, u32)> {
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = text.get(range)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    if text.len() != 10 || text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
        return None;
    }
    Some((i32::try_from(digits(0..4)?).ok()?, digits(5..7)?, digits(8..10)?))
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = self.ymd();
        write!(f, "{y:04}-{m:02}-{d:02}")
    }
}

/// The moment by which something must be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// At this instant; kept if ended at it or before.
    Instant(Timestamp),
    /// On this local date, whose last tick still counts.
    Date(Date),
}

impl Due {
    /// The last tick at which the promise is kept; `home` is the zone of the data directory.
    #[must_use]
    pub fn last_moment(self, home: &Zone) -> Timestamp {
        match self {
            Due::Instant(t) => t,
            Due::Date(d) => home.last_tick(d),
        }
    }

    /// The date of the promise: its own, or that of its instant in `zone`.
    #[must_use]
    pub fn date(self, zone: &Zone) -> Date {
        match self {
            Due::Instant(t) => zone.date(t),
            Due::Date(d) => d,
        }
    }
}

/// A moment as people write it: an instant, or a bare date of some zone, whose hour is not known or does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// This instant.
    Instant(Timestamp),
    /// As a bound of a period the date's first tick, as `as_of` its last.
    Date(Date),
}

impl Moment {
    /// The instant as a bound of a period.
    #[must_use]
    pub fn bound(self, zone: &Zone) -> Timestamp {
        match self {
            Moment::Instant(t) => t,
            Moment::Date(d) => zone.first_tick(d),
        }
    }

    /// The instant as an `as_of`.
    #[must_use]
    pub fn as_of(self, zone: &Zone) -> Timestamp {
        match self {
            Moment::Instant(t) => t,
            Moment::Date(d) => zone.last_tick(d),
        }
    }
}

/// A time zone of the IANA database, by which instants have local dates.
#[derive(Clone, Copy, Debug)]
pub struct Zone {
    tz: Tz,
    /// If the clocks of the zone were never changed since 1980: what they are ahead of UTC, in milliseconds. Saves the
    /// search in the table of changes, which would otherwise dominate folds and scans.
    steady: Option<i64>,
}

/// From here on a steady zone is steady: 1980-01-01T00:00:00Z.
const STEADY_SINCE: i64 = 315_532_800_000;
/// Up to here its table was looked at: 2100-01-01T00:00:00Z.
const STEADY_UNTIL: i64 = 4_102_444_800_000;

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.tz == other.tz
    }
}

impl Eq for Zone {}

/// What a wall-clock time without an offset stands for in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalTime {
    /// Exactly one instant.
    Once(Timestamp),
    /// Two instants, since the clock was set back; the earlier comes first.
    Twice(Timestamp, Timestamp),
    /// None, since the clock was set forward over it.
    Never,
}

impl Zone {
    /// Asia/Ho_Chi_Minh, the default of a new data directory.
    pub const VIETNAM: Zone = Zone { tz: Tz::Asia__Ho_Chi_Minh, steady: Some(7 * 3_600_000) };
    /// Coordinated Universal Time.
    pub const UTC: Zone = Zone { tz: Tz::UTC, steady: Some(0) };

    /// The zone of an IANA name such as `Europe/Amsterdam`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Zone> {
        let tz: Tz = name.parse().ok()?;
        let offset = |ms: i64| {
            let utc = DateTime::from_timestamp_millis(ms)?.naive_utc();
            Some(i64::from(tz.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * 1000)
        };
        let first = offset(STEADY_SINCE)?;
        // No zone was ever changed for less than a week.
        let mut weeks = (STEADY_SINCE..=STEADY_UNTIL).step_by(7 * 86_400_000);
        let steady = weeks.all(|ms| offset(ms) == Some(first)).then_some(first);
        Some(Zone { tz, steady })
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.tz.name()
    }

    /// What its clock on the wall is ahead of UTC, in milliseconds, if that was never changed from 1980 on.
    pub(crate) fn steady(&self) -> Option<i64> {
        self.steady
    }

    /// What to add to this instant for the clock on the wall, if the zone is steady then.
    fn steady_offset(&self, at: Timestamp) -> Option<i64> {
        self.steady.filter(|_| (STEADY_SINCE..STEADY_UNTIL).contains(&at.0))
    }

    /// The local date of an instant.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> Date {
        if let Some(offset) = self.steady_offset(at) {
            return Date(i32::try_from((at.0 + offset).div_euclid(MS_PER_DAY)).unwrap_or(i32::MAX));
        }
        Date::from_naive(at.utc().with_timezone(&self.tz).date_naive())
    }

    /// Milliseconds since local midnight, by the clock on the wall.
    #[must_use]
    pub fn time_of_day(&self, at: Timestamp) -> i64 {
        if let Some(offset) = self.steady_offset(at) {
            return (at.0 + offset).rem_euclid(MS_PER_DAY);
        }
        let local = at.utc().with_timezone(&self.tz);
        i64::from(local.num_seconds_from_midnight()) * 1000 + i64::from(local.timestamp_subsec_millis())
    }

    /// The instants that a wall-clock time of this zone stands for.
    #[must_use]
    pub fn local(&self, wall: NaiveDateTime) -> LocalTime {
        let ms = |t: DateTime<Tz>| Timestamp(t.timestamp_millis());
        match self.tz.from_local_datetime(&wall) {
            chrono::LocalResult::Single(t) => LocalTime::Once(ms(t)),
            chrono::LocalResult::Ambiguous(a, b) => LocalTime::Twice(ms(a).min(ms(b)), ms(a).max(ms(b))),
            chrono::LocalResult::None => LocalTime::Never,
        }
    }

    /// The first tick whose local date is `date` or later.
    ///
    /// Where the clock skips midnight (or a whole date, as Samoa did in 2011) this is the tick after the gap.
    #[must_use]
    pub fn first_tick(&self, date: Date) -> Timestamp {
        self.at(date, 0)
    }

    /// The instant at which the clock on the wall shows so many milliseconds since midnight of `date`: of two the
    /// earlier, and where the clock skips that time the first tick after the gap.
    #[must_use]
    pub fn at(&self, date: Date, time_of_day: i64) -> Timestamp {
        let wall_ms = (i64::from(date.0) * MS_PER_DAY).saturating_add(time_of_day);
        // A day of margin, so that the answer lies in the steady time, too.
        if let Some(offset) = self.steady.filter(|_| (STEADY_SINCE + MS_PER_DAY..STEADY_UNTIL).contains(&wall_ms)) {
            return Timestamp(wall_ms - offset);
        }
        let midnight = date.naive().and_time(chrono::NaiveTime::MIN);
        let since = chrono::TimeDelta::try_milliseconds(time_of_day);
        let wall = since.and_then(|since| midnight.checked_add_signed(since)).unwrap_or(midnight);
        match self.local(wall) {
            LocalTime::Once(t) | LocalTime::Twice(t, _) => t,
            LocalTime::Never => {
                // Offsets lie within a day of UTC, so the tick looked for does, too; local times grow across a gap.
                let middle = wall.and_utc().timestamp_millis();
                let (mut before, mut after) = (middle - MS_PER_DAY - 1, middle + MS_PER_DAY);
                while after - before > 1 {
                    let probe = before + (after - before) / 2;
                    let shown = Timestamp(probe).utc().with_timezone(&self.tz).naive_local();
                    if shown < wall { before = probe } else { after = probe }
                }
                Timestamp(after)
            }
        }
    }

    /// Whether every instant of `date` and later dates comes after every instant of the dates before it: not so where the
    /// clock is set back over the midnight between them.
    pub(crate) fn begins_once(&self, date: Date) -> bool {
        let (first, last) = (self.first_tick(date), MS_PER_DAY - 1);
        if self.steady_offset(first.plus(-1)).is_some() && self.steady_offset(first).is_some() {
            return true;
        }
        let eve = date.plus(-1).naive().and_time(chrono::NaiveTime::MIN);
        let wall = chrono::TimeDelta::try_milliseconds(last).and_then(|last| eve.checked_add_signed(last));
        wall.is_some_and(|wall| !matches!(self.local(wall), LocalTime::Twice(..)))
    }

    /// The last tick of a local date: the promise "by this date" ends with it.
    #[must_use]
    pub fn last_tick(&self, date: Date) -> Timestamp {
        self.first_tick(date.plus(1)).plus(-1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect(text)
    }

    #[test]
    fn instants_are_floored_and_printed_in_utc() {
        assert_eq!(at("2025-09-10T09:00:00.9999+07:00").to_string(), "2025-09-10T02:00:00.999Z");
        assert_eq!(at("1969-12-31T23:59:59.9999Z"), Timestamp(-1));
        assert_eq!(Timestamp::parse("2025-09-10T09:00:00"), None, "an offset is required");
        assert_eq!(Timestamp::LATEST.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::EARLIEST.to_string(), "0001-01-01T00:00:00.000Z");
    }

    #[test]
    fn dates_parse_strictly() {
        assert_eq!(Date::parse("2024-02-29").map(|d| d.to_string()), Some("2024-02-29".into()));
        for bad in ["2025-02-29", "2025-2-03", "+025-01-01", "2025-01-01T", "0000-01-01", "２025-1-1"] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
        assert_eq!(Date::parse("0001-01-01"), Some(Date::EARLIEST));
        assert_eq!(Date::parse("9999-12-31"), Some(Date::LATEST));
    }

    /// The arithmetic agrees with a library that looks years up in tables.
    #[test]
    fn dates_have_their_year_month_and_day() {
        for days in Date::EARLIEST.0 - 400..=Date::LATEST.0 + 400 {
            let library = Date(days).naive();
            assert_eq!(Date(days).ymd(), (library.year(), library.month(), library.day()), "day {days}");
        }
        let _ = (Date(i32::MIN).ymd(), Date(i32::MAX).ymd());
    }

    /// In Newfoundland the clock was set back from 00:01 to 23:01, in 2009 on the first of a month.
    #[test]
    fn a_clock_set_back_over_midnight_is_noticed() {
        let zone = Zone::parse("America/St_Johns").expect("zone");
        let date = |text: &str| Date::parse(text).expect(text);
        let first = zone.first_tick(date("2009-11-01"));
        assert_eq!(zone.date(first.plus(90_000)), date("2009-10-31"));
        assert!(!zone.begins_once(date("2009-11-01")));
        assert!(zone.begins_once(date("2009-10-01")) && zone.begins_once(date("2009-12-01")));
        assert!(Zone::VIETNAM.begins_once(date("2009-11-01")) && Zone::VIETNAM.begins_once(date("1979-11-01")));
    }

    #[test]
    fn a_date_ends_with_its_last_tick() {
        let d = Date::parse("2025-09-30").expect("date");
        assert_eq!(Zone::VIETNAM.last_tick(d), at("2025-09-30T16:59:59.999Z"));
        assert_eq!(Zone::UTC.last_tick(d), at("2025-09-30T23:59:59.999Z"));
    }

    /// The short way gives what the table of changes gives, around its ends as well.
    #[test]
    fn steady_zones_are_computed_as_the_others() {
        for name in ["Asia/Ho_Chi_Minh", "UTC", "Asia/Kolkata", "Asia/Tokyo", "Europe/Amsterdam", "America/New_York"] {
            let zone = Zone::parse(name).expect(name);
            assert_eq!(zone.steady.is_some(), !name.contains("Amsterdam") && !name.contains("York"), "{name}");
            let table = Zone { steady: None, ..zone };
            let mut ms = STEADY_SINCE - 40 * MS_PER_DAY;
            while ms < STEADY_UNTIL + 40 * MS_PER_DAY {
                let (at, date) = (Timestamp(ms), table.date(Timestamp(ms)));
                assert_eq!(zone.date(at), date, "{name} {at}");
                assert_eq!(zone.first_tick(date), table.first_tick(date), "{name} {date}");
                let inside = STEADY_SINCE + 2 * MS_PER_DAY..STEADY_UNTIL - 2 * MS_PER_DAY;
                ms += if !inside.contains(&ms) { 599_000 } else { 99_999_999 };
            }
        }
        assert_eq!(Zone::parse("Asia/Ho_Chi_Minh").map(|z| z.steady), Some(Zone::VIETNAM.steady));
    }

    #[test]
    fn midnights_that_do_not_exist() {
        let cairo = Zone::parse("Africa/Cairo").expect("zone");
        let d = Date::parse("2024-04-26").expect("date"); // 00:00 -> 01:00
        assert_eq!(cairo.first_tick(d), at("2024-04-25T22:00:00Z"));
        let apia = Zone::parse("Pacific/Apia").expect("zone");
        let skipped = Date::parse("2011-12-30").expect("date");
        assert_eq!(apia.first_tick(skipped), at("2011-12-30T10:00:00Z"));
        assert_eq!(apia.first_tick(skipped.plus(1)), at("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn times_on_the_wall() {
        const HOUR: i64 = 3_600_000;
        let zone = |name: &str| Zone::parse(name).expect(name);
        let on = |text: &str| Date::parse(text).expect(text);
        assert_eq!(Zone::VIETNAM.at(on("2025-09-10"), 15 * HOUR), at("2025-09-10T15:00:00+07:00"));
        let amsterdam = zone("Europe/Amsterdam");
        assert_eq!(amsterdam.at(on("2025-10-26"), 2 * HOUR + 1), at("2025-10-26T02:00:00.001+02:00"), "the earlier");
        let gap = at("2025-03-30T03:00:00+02:00");
        assert_eq!([2 * HOUR, 2 * HOUR + HOUR / 2, 3 * HOUR].map(|t| amsterdam.at(on("2025-03-30"), t)), [gap; 3]);
        for name in ["Asia/Ho_Chi_Minh", "Europe/Amsterdam", "America/New_York", "Asia/Kolkata"] {
            let (zone, noon) = (zone(name), 12 * HOUR + 345);
            for days in (-700_000..800_000).step_by(997) {
                let instant = zone.at(Date(days), noon);
                assert_eq!((zone.date(instant), zone.time_of_day(instant)), (Date(days), noon), "{name} {days}");
            }
        }
    }

    #[test]
    fn months_keep_the_day_number_or_end_with_their_last() {
        let later = |date: &str, months| {
            Date::parse(date).and_then(|d| d.plus_months(months)).map_or_else(String::new, |d| d.to_string())
        };
        assert_eq!(later("2025-09-10", 1), "2025-10-10");
        assert_eq!(later("2025-01-31", 1), "2025-02-28");
        assert_eq!(later("2024-01-31", 1), "2024-02-29");
        assert_eq!(later("2025-01-31", 14), "2026-03-31");
        assert_eq!(later("2025-01-31", 0), "2025-01-31");
        assert_eq!([later("9999-12-31", 1), later("2025-01-31", u32::MAX)], ["", ""]);
    }

    #[test]
    fn days_of_the_week() {
        let weekday = |text: &str| Date::parse(text).map(Date::weekday);
        assert_eq!(["2025-09-08", "2025-09-14", "1969-12-31", "0001-01-01"].map(weekday), [0, 6, 2, 0].map(Some));
    }
}
