//! Mixed work: events at an even rate and, on connections of their own, questions at an even rate.

use crate::Failure;
use crate::drive::{Driven, Load, drive};
use crate::query::{Asked, Asking, QUESTIONS, ask};
use std::time::Duration;

/// How many questions a second are asked unless something else is said.
pub(crate) const QUESTIONS_PER_SECOND: f64 = 100.0;
const ASKING_CONNECTIONS: usize = 4;
/// More than are open at once unless answers take longer than a tenth of a second.
const ASKING_IN_FLIGHT: usize = 16;

/// All questions in turn, at this rate.
pub(crate) fn questions(per_second: f64, year: i32, must_count: bool, time: Duration) -> Asking<'static> {
    Asking {
        questions: &QUESTIONS,
        year,
        must_count,
        connections: ASKING_CONNECTIONS,
        in_flight: ASKING_IN_FLIGHT,
        time,
        rate: Some(per_second),
    }
}

/// Sends and asks at the same time; what came of the events, and of the questions.
pub(crate) async fn mixed(url: &str, load: &Load, asking: Asking<'_>) -> Result<(Driven, Asked), Failure> {
    let (driven, asked) = tokio::join!(drive(url, load), ask(url, asking));
    Ok((driven?, asked?))
}
