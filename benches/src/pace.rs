//! The moments at which calls are due, fixed beforehand: whoever waits for a slow answer does not wait less often for
//! it.

use std::collections::BTreeMap;
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long the thread sleeps that wakes those whose moment has come. The timers of tokio know whole milliseconds only,
/// so what was measured with them was mostly their lateness; a thread that wakes for each call would take the server's
/// time.
const BEAT: Duration = Duration::from_micros(200);

/// Who waits, by the moment and the order in which they came.
#[derive(Default)]
struct Waiting {
    by_moment: BTreeMap<(Instant, u64), oneshot::Sender<()>>,
    came: u64,
}

static WAITING: LazyLock<(Mutex<Waiting>, Condvar)> = LazyLock::new(|| {
    std::thread::spawn(beat);
    Default::default()
});

fn beat() {
    let (waiting, changed) = &*WAITING;
    loop {
        let held = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = changed.wait_while(held, |w| w.by_moment.is_empty()).unwrap_or_else(PoisonError::into_inner);
        let later = held.by_moment.split_off(&(Instant::now(), 0));
        let due = std::mem::replace(&mut held.by_moment, later);
        drop(held);
        for (_, waiter) in due {
            // Whoever waited may have been given up.
            let _ = waiter.send(());
        }
        std::thread::sleep(BEAT);
    }
}

/// Has the thread send when the moment has come, up to a beat later.
fn wake_at(moment: Instant) -> oneshot::Receiver<()> {
    let (waker, woken) = oneshot::channel();
    let (waiting, changed) = &*WAITING;
    let mut held = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    held.came += 1;
    let place = (moment, held.came);
    held.by_moment.insert(place, waker);
    drop(held);
    changed.notify_one();
    woken
}

/// The moments at which the calls of one of several workers are due; together they make an even rate.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    next: Instant,
    every: Duration,
}

impl Pace {
    /// The pace of worker `number` of `workers`, which make `rate` calls a second together from `started` on.
    pub(crate) fn new(started: Instant, rate: f64, number: usize, workers: usize) -> Pace {
        let every = 1.0 / rate;
        Pace {
            next: started + Duration::from_secs_f64(every * number as f64),
            every: Duration::from_secs_f64(every * workers as f64),
        }
    }

    /// Waits until the next call is due and returns when that was.
    async fn due(&mut self) -> Instant {
        let due = self.next;
        self.next += self.every;
        if due > Instant::now() {
            // The thread never ends, and sends before it lets go of the other end.
            let _ = wake_at(due).await;
        }
        due
    }
}

/// How long a worker makes what is overdue at the end, if that is more than the whole time.
const PATIENCE: Duration = Duration::from_secs(10);

/// When the calls of a worker are made, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pace: Option<Pace>,
    until: Instant,
    /// When a worker that is behind its pace gives up.
    latest: Instant,
}

impl Schedule {
    /// Calls as fast as they are answered, if there is no pace, or those that are due in this time. What was due and
    /// not made is made afterwards, for as long again or [`PATIENCE`].
    pub(crate) fn new(pace: Option<Pace>, started: Instant, time: Duration) -> Schedule {
        Schedule { pace, until: started + time, latest: started + time + time.max(PATIENCE) }
    }

    /// Waits for the next call and returns when it was due; `None` when there is none any more.
    pub(crate) async fn next(&mut self) -> Option<Instant> {
        let now = Instant::now();
        match &mut self.pace {
            None => (now < self.until).then_some(now),
            Some(pace) if pace.next < self.until && now < self.latest => Some(pace.due().await),
            Some(_) => None,
        }
    }

    /// How many calls were due and will never be made.
    pub(crate) fn left(&self) -> u64 {
        let Some(pace) = &self.pace else { return 0 };
        let left = self.until.saturating_duration_since(pace.next).as_secs_f64() / pace.every.as_secs_f64();
        left.ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_a_rate_evenly_and_what_is_late_stays_due() {
        // All due moments have passed already, as after a stall: none is left out.
        let started = Instant::now().checked_sub(Duration::from_secs(60)).expect("a clock older than a minute");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let mut due = Vec::new();
        for number in 0..4 {
            let pace = Pace::new(started, 100.0, number, 4);
            let mut schedule = Schedule::new(Some(pace), started, Duration::from_millis(115));
            // Long ago: a worker that could still make its calls.
            schedule.latest = Instant::now() + Duration::from_secs(60);
            assert_eq!(schedule.left(), 3);
            while let Some(at) = runtime.block_on(schedule.next()) {
                due.push(at - started);
            }
            assert_eq!(schedule.left(), 0);
        }
        due.sort();
        let expected: Vec<Duration> = (0..12).map(|n| Duration::from_millis(10 * n)).collect();
        assert_eq!(due, expected);
    }

    #[test]
    fn nobody_is_woken_before_the_moment_or_forgotten() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let started = Instant::now();
        // Not in the order of their moments, and two at the same.
        let waits = [30, 10, 20, 10].map(|ms| started + Duration::from_millis(ms));
        let woken = runtime.block_on(async {
            let all = waits.map(|moment| async move {
                wake_at(moment).await.expect("woken");
                (moment, Instant::now())
            });
            let [a, b, c, d] = all;
            tokio::join!(a, b, c, d)
        });
        for (moment, at) in [woken.0, woken.1, woken.2, woken.3] {
            assert!(at >= moment);
        }
    }

    #[test]
    fn a_worker_that_is_too_far_behind_gives_up_and_says_what_is_left() {
        let started = Instant::now().checked_sub(Duration::from_secs(60)).expect("a clock older than a minute");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let mut schedule = Schedule::new(Some(Pace::new(started, 10.0, 0, 1)), started, Duration::from_secs(2));
        assert_eq!(runtime.block_on(schedule.next()), None);
        assert_eq!(schedule.left(), 20);
    }
}
