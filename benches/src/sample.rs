//! What one measurement comes to: how much was done in what time, and how long each call took.
//!
//! Latencies are kept in nanoseconds in an HDR histogram with three significant digits, one a worker, added up at the
//! end, so that measuring takes no lock.

use hdrhistogram::Histogram;
use std::time::Duration;

/// The outcome of a measurement.
#[derive(Clone)]
pub(crate) struct Sample {
    /// Events, queries or records, whatever the measurement counts.
    pub(crate) done: u64,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// How long each call took.
    latency: Histogram<u64>,
}

impl Sample {
    pub(crate) fn new() -> Sample {
        // Three digits are within what the crate takes; the range grows by itself.
        let latency = Histogram::new(3).expect("three significant digits");
        Sample { done: 0, elapsed: Duration::ZERO, latency }
    }

    /// A call that did `done` and took this long.
    pub(crate) fn call(&mut self, done: u64, took: Duration) {
        self.done += done;
        // A histogram that resizes itself takes every value; only `saturating_record` would not resize it.
        self.latency.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)).expect("a histogram that resizes");
    }

    /// What another worker did at the same time; `elapsed` is left to the caller.
    pub(crate) fn beside(&mut self, other: &Sample) {
        self.done += other.done;
        // Only a histogram of a fixed range refuses values of another.
        self.latency.add(&other.latency).expect("a histogram that resizes");
    }

    /// What the same work did at another time.
    pub(crate) fn then(&mut self, other: &Sample) {
        self.beside(other);
        self.elapsed += other.elapsed;
    }

    /// How much a second; `None` if nothing was measured.
    pub(crate) fn per_second(&self) -> Option<f64> {
        let seconds = self.elapsed.as_secs_f64();
        (self.done > 0 && seconds > 0.0).then(|| self.done as f64 / seconds)
    }

    /// The latency below which this part of the calls stayed, in milliseconds.
    pub(crate) fn quantile_ms(&self, part: f64) -> Option<f64> {
        (!self.latency.is_empty()).then(|| self.latency.value_at_quantile(part) as f64 / 1e6)
    }

    /// The longest call, in milliseconds.
    pub(crate) fn max_ms(&self) -> Option<f64> {
        self.quantile_ms(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_calls_of_all_workers() {
        let (mut one, mut other) = (Sample::new(), Sample::new());
        for ms in 1..=50 {
            one.call(2, Duration::from_millis(ms));
            other.call(2, Duration::from_millis(50 + ms));
        }
        one.beside(&other);
        one.elapsed = Duration::from_secs(4);
        let near = |found: Option<f64>, expected: f64| {
            let found = found.expect("a latency");
            assert!((found / expected - 1.0).abs() < 0.002, "{found} is not {expected}");
        };
        near(one.quantile_ms(0.5), 50.0);
        near(one.quantile_ms(0.99), 99.0);
        near(one.max_ms(), 100.0);
        near(one.per_second(), 50.0);
        one.then(&one.clone());
        near(one.per_second(), 50.0);
    }

    #[test]
    fn nothing_measured_is_no_number() {
        let nothing = Sample::new();
        assert_eq!((nothing.per_second(), nothing.quantile_ms(0.5)), (None, None));
    }
}
