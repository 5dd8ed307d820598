//! Questions over gRPC, one after the other, to a server that has nothing else to do.

use crate::Failure;
use crate::drive::connect;
use crate::sample::Sample;
use crate::stories::YEAR;
use dunghen::pb;
use dunghen::pb::auditor_service_client::AuditorServiceClient;
use dunghen::pb::supervisor_service_client::SupervisorServiceClient;
use std::time::{Duration, Instant};

/// A question about rates: `resolved`, by one key, for a period.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// The key.
    pub(crate) by: &'static str,
    /// The first month of the period, and the first after it.
    pub(crate) months: (u32, u32),
}

/// The questions asked.
pub(crate) const QUESTIONS: [Question; 2] = [
    Question { name: "resolved by unit, a quarter", by: "unit", months: (7, 10) },
    Question { name: "resolved by month, a year", by: "month", months: (1, 13) },
];

impl Question {
    /// As dates, the first in the period and the first after it.
    pub(crate) fn period(self) -> [(i32, u32); 2] {
        [self.months.0, self.months.1].map(|month| if month > 12 { (YEAR + 1, month - 12) } else { (YEAR, month) })
    }

    fn request(self) -> pb::GetRatesRequest {
        let [from, to] = self.period().map(|(year, month)| {
            Some(pb::TimePoint { kind: Some(pb::time_point::Kind::Date(format!("{year:04}-{month:02}-01"))) })
        });
        pb::GetRatesRequest {
            definition: "resolved".to_owned(),
            from,
            to,
            by: vec![self.by.to_owned()],
            ..Default::default()
        }
    }
}

/// Asks for this long, but at least once; every answer must count something.
pub(crate) async fn rates(url: &str, question: Question, time: Duration) -> Result<Sample, Failure> {
    let channel = connect(url, 1).await?.remove(0);
    let mut client = SupervisorServiceClient::new(channel);
    let mut sample = Sample::new();
    let started = Instant::now();
    while sample.done == 0 || started.elapsed() < time {
        let request = question.request();
        let called = Instant::now();
        let answer = client.get_rates(request).await?.into_inner();
        sample.call(1, called.elapsed());
        if answer.groups.is_empty() || answer.total.is_none_or(|t| t.cohort == 0) {
            return Err(format!("{} counts nothing", question.name).into());
        }
    }
    sample.elapsed = started.elapsed();
    Ok(sample)
}

/// What a replay found.
pub(crate) struct Replayed {
    /// Records of desks.
    pub(crate) said: u64,
    /// Records of the engine: `Late`.
    pub(crate) late: u64,
}

/// Replays the whole log once and checks that no position is missing.
pub(crate) async fn replay(url: &str) -> Result<(Replayed, Duration), Failure> {
    let channel = connect(url, 1).await?.remove(0);
    let mut client = AuditorServiceClient::new(channel);
    let started = Instant::now();
    let mut records = client.replay(pb::ReplayRequest::default()).await?.into_inner();
    let mut found = Replayed { said: 0, late: 0 };
    while let Some(answer) = records.message().await? {
        let Some(pb::replay_response::Item::Record(record)) = answer.item else {
            return Err("an answer without a record".into());
        };
        if record.position != found.said + found.late {
            return Err(format!("position {} follows {}", record.position, found.said + found.late).into());
        }
        match record.event.and_then(|e| e.r#type) {
            Some(pb::event::Type::Late(_)) => found.late += 1,
            Some(_) => found.said += 1,
            None => return Err(format!("position {} says nothing", record.position).into()),
        }
    }
    Ok((found, started.elapsed()))
}

/// Replays the whole log for this long, but at least once; counts records.
pub(crate) async fn replays(url: &str, time: Duration) -> Result<Sample, Failure> {
    let mut sample = Sample::new();
    let started = Instant::now();
    while sample.done == 0 || started.elapsed() < time {
        let (found, took) = replay(url).await?;
        sample.done += found.said + found.late;
        sample.elapsed += took;
    }
    Ok(sample)
}
