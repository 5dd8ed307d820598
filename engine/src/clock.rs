//! Where the engine gets its time from. Nothing else in the engine reads a clock.

use crate::time::Timestamp;

/// A source of time.
pub trait Clock: Send + Sync {
    /// What the wall says.
    fn now(&self) -> Timestamp;

    /// Milliseconds that really passed since some fixed moment, whatever was done to the wall clock; `None` if this
    /// clock is not to be checked (simulations, tests).
    fn elapsed_ms(&self) -> Option<i64>;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A clock before 1970 is caught by the check against the last record.
        Timestamp(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    #[cfg(target_os = "linux")]
    fn elapsed_ms(&self) -> Option<i64> {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Some(time.tv_sec * 1000 + time.tv_nsec / 1_000_000)
    }

    #[cfg(not(target_os = "linux"))]
    fn elapsed_ms(&self) -> Option<i64> {
        None
    }
}

/// How far the wall clock may drift from the time that really passed.
pub(crate) const TOLERATED_DRIFT_MS: i64 = 60_000;

/// Watches a clock for jumps: one false jump forward would write `Late` for everybody.
pub(crate) struct Guard {
    baseline: Option<(Timestamp, i64)>,
}

impl Guard {
    pub(crate) fn new(clock: &dyn Clock) -> Guard {
        Guard { baseline: clock.elapsed_ms().map(|elapsed| (clock.now(), elapsed)) }
    }

    /// By how many milliseconds the wall clock has jumped, if by more than is tolerated.
    pub(crate) fn jump(&mut self, clock: &dyn Clock) -> Option<i64> {
        let (wall, elapsed) = self.baseline?;
        let (now, elapsed_now) = (clock.now(), clock.elapsed_ms()?);
        let jump = now.since(wall) - (elapsed_now - elapsed);
        if jump.abs() > TOLERATED_DRIFT_MS {
            return Some(jump);
        }
        // Slow corrections by a time server must not add up to an alarm.
        self.baseline = Some((now, elapsed_now));
        None
    }
}
