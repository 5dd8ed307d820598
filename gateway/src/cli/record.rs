//! `dunghen record`: events from NDJSON lines, an answer line for each.

use super::{Failure, IN_PART, Target, output, zone};
use dunghen::json::{self, Line};
use dunghen::messages::{self, Lang, Text, calls, commands};
use dunghen::pb;
use dunghen::rules;
use dunghen::source::Source;
use dunghen::wire;
use dunghen_engine::Purpose;
use dunghen_engine::dossier::{Rejection, Violation, ViolationKind};
use dunghen_engine::time::Zone;
use serde_json::{Value, json as value};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;

/// The most lines that are sent in one request.
const TOGETHER: usize = 500;
/// The longest line that is looked at.
const LINE_BYTES: u64 = 1 << 20;
/// How often a full server is asked again, each time after twice as long.
const TRIES: u32 = 10;

#[derive(clap::Args)]
pub(super) struct RecordArgs {
    /// The file; standard input if it is - or not named.
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    target: Target,
    /// The time zone of a new directory [default: Asia/Ho_Chi_Minh]; an existing one must have it.
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    time_zone: Option<Zone>,
    /// Accept a clock that stands before the last record.
    #[arg(long)]
    accept_clock: bool,
}

/// Reads a line without its end; `None` at the end of the file, `Some(Err)` for one that is too long or not UTF-8.
pub(super) fn next_line(reader: &mut impl BufRead) -> std::io::Result<Option<Result<String, Rejection>>> {
    let mut bytes = Vec::new();
    if reader.by_ref().take(LINE_BYTES + 1).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 > LINE_BYTES && bytes.last() != Some(&b'\n') {
        let mut rest = 0;
        loop {
            let buffer = reader.fill_buf()?;
            let end = buffer.iter().position(|b| *b == b'\n');
            let used = end.map_or(buffer.len(), |i| i + 1);
            rest += used;
            reader.consume(used);
            if end.is_some() || used == 0 {
                break;
            }
        }
        let limit = usize::try_from(LINE_BYTES).unwrap_or(usize::MAX);
        return Ok(Some(Err(Rejection::TooLarge { size: bytes.len() + rest, limit, unit: "bytes" })));
    }
    // Editors put a byte order mark before the first line; it is no part of the event.
    let text = String::from_utf8(bytes).map(|t| t.trim_start_matches('\u{feff}').trim().to_owned()).map_err(|_| {
        let kind = ViolationKind::NotJson("not UTF-8".to_owned());
        Rejection::Malformed(vec![Violation { field: "line".to_owned(), kind }])
    });
    Ok(Some(text))
}

fn refusal(line: u64, event_id: Option<String>, reason: &str, message: &str) -> Value {
    value!({"event_id": event_id, "reason": reason, "message": message, "line": line})
}

pub(super) async fn run(args: RecordArgs, lang: Lang) -> Result<u8, Failure> {
    let from_stdin = args.file.as_os_str() == "-";
    let reader: Box<dyn Read + Send> = if from_stdin {
        Box::new(std::io::stdin())
    } else {
        let file = std::fs::File::open(&args.file);
        Box::new(file.map_err(|e| Failure::failed(calls::system_at(&args.file, &e)))?)
    };
    let mut options = rules::options(Purpose::Write);
    options.zone = args.time_zone;
    options.accept_clock = args.accept_clock;
    let source = args.target.open(options, lang).await?;
    let (sender, mut lines) = mpsc::channel(2 * TOGETHER);
    let reading = std::thread::spawn(move || -> std::io::Result<()> {
        let mut reader = BufReader::new(reader);
        while let Some(line) = next_line(&mut reader)? {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
        Ok(())
    });
    let (mut refused, mut replayed) = (0_u64, Replayed::default());
    let mut taken = Vec::new();
    let mut first_line = 1;
    // What is there is sent together; nobody who types line by line waits for a full batch.
    while lines.recv_many(&mut taken, TOGETHER).await > 0 {
        let lines = std::mem::take(&mut taken);
        let next_line = first_line + lines.len() as u64;
        refused += send(&source, first_line, lines, lang, &mut replayed).await?;
        first_line = next_line;
    }
    let read = reading.join().map_err(|_| Failure::failed(commands::reader_stopped()))?;
    let closing = source.clone();
    tokio::task::spawn_blocking(move || closing.close()).await.map_err(Failure::defect)??;
    read.map_err(|e| Failure::failed(calls::system_at(&args.file, &e)))?;
    if replayed.lates > 0 {
        eprintln!("dunghen: {}", commands::lates_skipped(replayed.lates).in_lang(lang));
    }
    if replayed.rules > 0 {
        eprintln!("dunghen: {}", commands::rules_published(replayed.rules).in_lang(lang));
    }
    Ok(if refused > 0 { IN_PART } else { 0 })
}

/// Lines of a replayed file that are no desk's to say.
#[derive(Default)]
struct Replayed {
    /// Skipped: the engine writes its own.
    lates: u64,
    /// Published, each in its place.
    rules: u64,
}

/// Lines on their way.
#[derive(Default)]
struct Batch {
    events: Vec<pb::BatchEvent>,
    /// An answer that is known already, or line and id of the event whose answer is to come.
    answers: Vec<Result<Value, (u64, String)>>,
}

impl Batch {
    /// Sends what is there and prints an answer for each line, in their order; returns how many were refused.
    async fn send(&mut self, source: &Source, lang: Lang) -> Result<u64, Failure> {
        let Batch { events, answers } = std::mem::take(self);
        let results = record_each(source, events, false).await.map_err(|s| Failure::status(&s))?;
        let mut results = results.into_iter();
        let mut refused = 0;
        for answer in answers {
            let printed = match answer {
                Ok(known) => {
                    refused += 1;
                    known
                }
                Err((number, id)) => match results.next().and_then(|r| r.result) {
                    Some(pb::record_result::Result::Receipt(receipt)) => json::receipt(&receipt),
                    Some(pb::record_result::Result::Refusal(r)) => {
                        refused += 1;
                        let text = Text::from_elsewhere(r.message_vi, r.message_en);
                        refusal(number, Some(id), &r.reason, text.in_lang(lang))
                    }
                    None => return Err(Failure::failed(calls::event_unanswered())),
                },
            };
            output::json(&printed)?;
        }
        Ok(refused)
    }
}

/// Sends lines, and returns how many were refused.
async fn send(
    source: &Source,
    first_line: u64,
    lines: Vec<Result<String, Rejection>>,
    lang: Lang,
    replayed: &mut Replayed,
) -> Result<u64, Failure> {
    let zone = Zone::VIETNAM;
    let own = |line: u64, id: Option<String>, r: &Rejection| {
        refusal(line, id, r.reason(), messages::rejection(r, &zone).in_lang(lang))
    };
    let (mut batch, mut refused) = (Batch::default(), 0);
    for (number, line) in (first_line..).zip(lines) {
        match line.map(|text| (text.is_empty(), json::line(&text))) {
            Ok((true, _)) => {}
            Ok((false, Line::Event(statement))) => {
                batch.answers.push(Err((number, statement.event_id.to_string())));
                batch.events.push(pb::BatchEvent { event: Some(wire::event(&statement)), expected_version: None });
            }
            Ok((false, Line::ReplayedLate)) => replayed.lates += 1,
            Ok((false, Line::ReplayedRule(file))) => {
                // In its place: it is in force for what follows, not for what was recorded before it.
                refused += batch.send(source, lang).await?;
                let request = pb::PublishRequest { file, dry_run: false };
                source.publish(request).await.map_err(|s| Failure::status(&s))?;
                replayed.rules += 1;
            }
            Ok((false, Line::Refused(id, rejection))) => batch.answers.push(Ok(own(number, id, &rejection))),
            Err(rejection) => batch.answers.push(Ok(own(number, None, &rejection))),
        }
    }
    Ok(refused + batch.send(source, lang).await?)
}

/// Records events each on its own; waits and tries again while the server has too much waiting.
pub(super) async fn record_each(
    source: &Source,
    events: Vec<pb::BatchEvent>,
    imported: bool,
) -> Result<Vec<pb::RecordResult>, tonic::Status> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let request = pb::RecordBatchRequest { events, mode: pb::BatchMode::Each.into(), imported };
    let mut pause = Duration::from_millis(50);
    for _ in 1..TRIES {
        match source.record_batch(request.clone()).await {
            Err(status) if status.code() == tonic::Code::ResourceExhausted => {}
            other => return other.map(|r| r.results),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    source.record_batch(request).await.map(|r| r.results)
}
