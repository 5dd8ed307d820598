//! Which questions are remembered: those that were asked a short while ago.
//!
//! A question waits for the same question that came before it, and then costs little; different ones do not wait for each
//! other. What is forgotten lets go of the views it held. How a count is moved on is the matter of
//! [`crate::views::Remembered`].

use crate::views::{RatesAnswer, RatesQuery, Remembered, Views};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many questions are remembered: those asked last.
const MOST: usize = 64;
/// For how long a question is remembered that is not asked again.
pub(super) const FOR: Duration = Duration::from_secs(30);

/// The questions that are remembered.
#[derive(Default)]
pub(super) struct Questions {
    /// The one asked last at the end.
    asked: Mutex<Vec<Asked>>,
}

struct Asked {
    query: RatesQuery,
    at: Instant,
    count: Arc<Mutex<Count>>,
}

#[derive(Default)]
enum Count {
    #[default]
    Unknown,
    Known(Box<Remembered>),
    /// Not worth it, or not possible.
    Never,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A count that a panic left half moved is not there any more: it is taken out while it is moved.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Questions {
    pub(super) fn rates(&self, views: &Views, query: &RatesQuery) -> RatesAnswer {
        let count = self.count(query);
        let mut count = lock(&count);
        match std::mem::take(&mut *count) {
            Count::Known(mut known) => {
                if let Some(answer) = known.rates(views, query) {
                    *count = Count::Known(known);
                    return answer;
                }
            }
            Count::Never => {
                *count = Count::Never;
                drop(count);
                return views.rates(query);
            }
            Count::Unknown => {}
        }
        let (answer, remembered) = Remembered::new(views, query);
        *count = remembered.map_or(Count::Never, |remembered| Count::Known(Box::new(remembered)));
        answer
    }

    /// The count of a question, which is now the one asked last.
    fn count(&self, query: &RatesQuery) -> Arc<Mutex<Count>> {
        let mut asked = lock(&self.asked);
        let same = |asked: &Asked| *query == RatesQuery { as_of: query.as_of, ..asked.query.clone() };
        let one = match asked.iter().position(same) {
            Some(at) => Asked { at: Instant::now(), ..asked.remove(at) },
            None => Asked { query: query.clone(), at: Instant::now(), count: Arc::default() },
        };
        let count = Arc::clone(&one.count);
        asked.push(one);
        if asked.len() > MOST {
            asked.remove(0);
        }
        count
    }

    /// Forgets what was not asked for a while.
    pub(super) fn forget(&self) {
        let gone: Vec<Asked> = {
            let mut asked = lock(&self.asked);
            let kept = asked.partition_point(|asked| asked.at.elapsed() > FOR);
            asked.drain(..kept).collect()
        };
        // What only they held is given back without the lock.
        drop(gone);
    }
}
