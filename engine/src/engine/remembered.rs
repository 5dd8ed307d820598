//! Which questions are remembered: those that were asked a short while ago.
//!
//! A question waits for the same question that came before it, and then costs little; different ones do not wait for each
//! other. What is forgotten lets go of the views it held. How a count is moved on is the matter of
//! [`crate::views::Remembered`].

use crate::time::Timestamp;
use crate::views::{RatesAnswer, RatesQuery, Remembered, Views};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// When it was asked last, by the engine's clock.
    at: Timestamp,
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
    /// Answers a question that is asked at `now`.
    pub(super) fn rates(&self, views: &Views, query: &RatesQuery, now: Timestamp) -> RatesAnswer {
        let count = self.count(query, now);
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
    fn count(&self, query: &RatesQuery, now: Timestamp) -> Arc<Mutex<Count>> {
        let mut asked = lock(&self.asked);
        let same = |asked: &Asked| *query == RatesQuery { as_of: query.as_of, ..asked.query.clone() };
        let one = match asked.iter().position(same) {
            Some(at) => Asked { at: now, ..asked.remove(at) },
            None => Asked { query: query.clone(), at: now, count: Arc::default() },
        };
        let count = Arc::clone(&one.count);
        asked.push(one);
        if asked.len() > MOST {
            asked.remove(0);
        }
        count
    }

    /// Forgets what was not asked for a while before `now`, nor after it: a clock may be set back.
    pub(super) fn forget(&self, now: Timestamp) {
        let long_ago = |asked: &Asked| u128::from(now.since(asked.at).unsigned_abs()) > FOR.as_millis();
        let gone: Vec<Asked> = {
            let mut asked = lock(&self.asked);
            let (gone, kept) = std::mem::take(&mut *asked).into_iter().partition(long_ago);
            *asked = kept;
            gone
        };
        // What only they held is given back without the lock.
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::DEFINITIONS;
    use crate::time::Zone;
    use crate::views::{Filter, GroupKey, Moment, Register};

    fn query(number: usize, as_of: Timestamp) -> RatesQuery {
        RatesQuery {
            definition: DEFINITIONS[0],
            from: Some(Moment::Instant(Timestamp(i64::try_from(number).expect("a small number")))),
            to: None,
            as_of: Moment::Instant(as_of),
            by: vec![GroupKey::Unit],
            filter: Filter::default(),
            zone: None,
        }
    }

    #[test]
    fn what_is_asked_is_remembered_for_a_while_and_up_to_a_number() {
        let (questions, register) = (Questions::default(), Register::new(Zone::VIETNAM));
        let known = || lock(&questions.asked).iter().filter(|a| matches!(*lock(&a.count), Count::Known(_))).count();
        let ask = |number, now: i64| questions.rates(&register, &query(number, Timestamp(now)), Timestamp(now));
        let long = i64::try_from(FOR.as_millis()).expect("short");
        ask(1, 1_000);
        ask(2, 1_000);
        ask(1, long);
        assert_eq!(known(), 2, "the same question as of another moment is one");
        questions.forget(Timestamp(1_000 + long));
        assert_eq!(known(), 2);
        questions.forget(Timestamp(1_001 + long));
        assert_eq!(known(), 1, "the second was not asked again");
        questions.forget(Timestamp(-1));
        assert_eq!(known(), 0, "asked long after, by a clock that was set back");
        (0..MOST + 5).for_each(|number| drop(ask(number, 1_000)));
        assert_eq!(known(), MOST);
    }

    #[test]
    fn what_rows_do_not_hold_is_not_remembered() {
        let (questions, register) = (Questions::default(), Register::new(Zone::VIETNAM));
        let abroad = RatesQuery { zone: Some(Zone::UTC), ..query(1, Timestamp(5)) };
        for _ in 0..2 {
            assert_eq!(questions.rates(&register, &abroad, Timestamp(5)), register.rates_one_by_one(&abroad));
            assert!(matches!(*lock(&lock(&questions.asked)[0].count), Count::Never));
        }
    }
}
