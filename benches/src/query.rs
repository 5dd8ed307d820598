//! Questions and replays over gRPC.

use crate::Failure;
use crate::drive::connect;
use crate::pace::{Pace, Schedule};
use crate::sample::Sample;
use dunghen::pb;
use dunghen::pb::auditor_service_client::AuditorServiceClient;
use dunghen::pb::supervisor_service_client::SupervisorServiceClient;
use dunghen::serve::MESSAGE_BYTES;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::transport::Channel;

/// A question about rates: `resolved`, by one key, for a period.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// The key.
    pub(crate) by: &'static str,
    /// The first month of the period, and the first after it.
    pub(crate) months: (u32, u32),
    /// The unit that it is about, with all below it; all units if none.
    pub(crate) unit: Option<&'static str>,
    /// The channel that it is about; all if none.
    pub(crate) channel: Option<&'static str>,
}

/// The questions asked.
pub(crate) const QUESTIONS: [Question; 5] = [
    Question { name: "resolved by unit, a quarter", by: "unit", months: (7, 10), unit: None, channel: None },
    Question { name: "resolved by unit, a year", by: "unit", months: (1, 13), unit: None, channel: None },
    Question { name: "resolved by month, a year", by: "month", months: (1, 13), unit: None, channel: None },
    Question {
        name: "resolved by procedure of one unit, a year",
        by: "procedure",
        months: (1, 13),
        unit: Some("H08.20.01"),
        channel: None,
    },
    Question {
        name: "resolved by field of those online, a quarter",
        by: "field",
        months: (7, 10),
        unit: None,
        channel: Some("online"),
    },
];

impl Question {
    /// The dates of a year, the first in the period and the first after it.
    pub(crate) fn period(self, year: i32) -> [(i32, u32); 2] {
        let (first, after) = self.months;
        [first, after].map(|month| if month > 12 { (year + 1, month - 12) } else { (year, month) })
    }

    fn request(self, year: i32) -> pb::GetRatesRequest {
        let [from, to] = self.period(year).map(|(year, month)| {
            Some(pb::TimePoint { kind: Some(pb::time_point::Kind::Date(format!("{year:04}-{month:02}-01"))) })
        });
        let text = |code: Option<&str>| code.unwrap_or_default().to_owned();
        let filter = pb::DossierFilter { unit: text(self.unit), channel: text(self.channel), ..Default::default() };
        pb::GetRatesRequest {
            definition: "resolved".to_owned(),
            from,
            to,
            by: vec![self.by.to_owned()],
            filter: Some(filter),
            ..Default::default()
        }
    }
}

/// What is asked, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// In turn.
    pub(crate) questions: &'a [Question],
    /// The year of their periods.
    pub(crate) year: i32,
    /// Whether each answer must count something: of a log that is known to hold dossiers of that year.
    pub(crate) must_count: bool,
    pub(crate) connections: usize,
    /// Questions in flight, over all connections.
    pub(crate) in_flight: usize,
    pub(crate) time: Duration,
    /// Questions a second; as many as can be if none.
    pub(crate) rate: Option<f64>,
}

/// What came of it.
pub(crate) struct Asked {
    pub(crate) answers: Sample,
    /// Questions that were due and not asked, since those before took too long.
    pub(crate) not_asked: u64,
}

/// Asks and waits for all answers; one that fails is an error.
pub(crate) async fn ask(url: &str, asking: Asking<'_>) -> Result<Asked, Failure> {
    let channels = connect(url, asking.connections).await?;
    let mut workers = JoinSet::new();
    let started = Instant::now();
    for number in 0..asking.in_flight {
        let channel = channels[number % channels.len()].clone();
        let client = SupervisorServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
        let pace = asking.rate.map(|rate| Pace::new(started, rate, number, asking.in_flight));
        let schedule = Schedule::new(pace, started, asking.time);
        let requests = asking.questions.iter().map(|q| q.request(asking.year)).collect();
        workers.spawn(work(client, requests, number, asking.must_count, schedule));
    }
    let mut all = Asked { answers: Sample::new(), not_asked: 0 };
    while let Some(one) = workers.join_next().await {
        let one = one??;
        all.answers.beside(&one.answers);
        all.not_asked += one.not_asked;
    }
    all.answers.elapsed = started.elapsed();
    Ok(all)
}

async fn work(
    mut client: SupervisorServiceClient<Channel>,
    requests: Vec<pb::GetRatesRequest>,
    first: usize,
    must_count: bool,
    mut schedule: Schedule,
) -> Result<Asked, Failure> {
    let mut answers = Sample::new();
    let mut turn = first;
    while let Some(due) = schedule.next().await {
        let request = requests[turn % requests.len()].clone();
        turn += 1;
        let answer = client.get_rates(request).await?.into_inner();
        answers.call(1, due.elapsed());
        if must_count && (answer.groups.is_empty() || answer.total.is_none_or(|t| t.cohort == 0)) {
            return Err(format!("{} counts nothing", answer.definition).into());
        }
    }
    Ok(Asked { answers, not_asked: schedule.left() })
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
