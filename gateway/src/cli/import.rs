//! `dunghen import`: history from a CSV file or an XES log, by a mapping.
//!
//! Reading and recording go on at the same time, with a bounded channel between them; what is in memory of a log is a
//! few thousand events at most, however long it is.

use super::record::record_each;
use super::{Failure, Format, IN_PART, Target, format_or_default, output, zone};
use dunghen::import::{Chunk, ImportError, Input, Mapping, Prepared, Progress, Reject};
use dunghen::messages::import as say;
use dunghen::messages::{Lang, Text, calls, tables};
use dunghen::source::Source;
use dunghen::{pb, rules, wire};
use dunghen_engine::Purpose;
use dunghen_engine::time::Zone;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// About how many events go in together; a dossier is never split.
const TOGETHER: usize = 1000;

#[derive(clap::Args)]
pub(super) struct ImportArgs {
    /// The CSV file or XES log, plain or gzipped.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the columns mean; see gateway/mappings/README.md.
    #[arg(long, value_name = "MAP.toml")]
    mapping: PathBuf,
    #[command(flatten)]
    target: Target,
    /// The time zone of a new directory [default: the mapping's]; an existing one must have it.
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    time_zone: Option<Zone>,
    /// Where to write what was not taken [default: FILE's name with .rejects.csv, in this folder].
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Accept a clock that stands before the last record.
    #[arg(long)]
    accept_clock: bool,
    /// How to print the summary.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// A bar on a terminal, nothing elsewhere (indicatif hides it where stderr is no terminal).
struct Bar {
    bar: ProgressBar,
    read: ProgressStyle,
    handed: ProgressStyle,
}

impl Bar {
    fn new(lang: Lang) -> Result<Bar, Failure> {
        let [read, dossiers, recorded] = say::progress().map(|text| text.into_lang(lang));
        let style = |template: &str| ProgressStyle::with_template(template).map_err(Failure::defect);
        let tail = format!("{{eta}}  {{msg}} {recorded}");
        let bar = Bar {
            bar: ProgressBar::new(0),
            read: style(&format!("{read} [{{bar:40}}] {{bytes}}/{{total_bytes}} {tail}"))?,
            handed: style(&format!("{dossiers} [{{bar:40}}] {{human_pos}}/{{human_len}} {tail}"))?,
        };
        bar.bar.set_style(bar.read.clone());
        bar.bar.set_message("0");
        Ok(bar)
    }

    fn show(&self, progress: Progress) {
        let (done, of) = match progress {
            Progress::Read { bytes, of } => (bytes, of),
            Progress::Handed { dossiers, of } => {
                if self.bar.length() != Some(of) {
                    self.bar.set_style(self.handed.clone());
                }
                (dossiers, of)
            }
        };
        self.bar.set_length(of.max(done));
        self.bar.set_position(done);
    }
}

pub(super) async fn run(args: ImportArgs, lang: Lang) -> Result<u8, Failure> {
    let format = format_or_default(args.format);
    let mapping = Mapping::load(&args.mapping).map_err(|e| failure(e, &args.mapping))?;
    let input = Input::open(&args.file).map_err(|e| failure(e, &args.file))?;
    let rejects = Rejects::new(&args.file, args.rejects, input.is_log(), lang);
    rejects.check([&args.file, &args.mapping])?;
    let (zone, progress) = (mapping.zone(), Bar::new(lang)?);
    let bar = progress.bar.clone();
    let (sender, mut chunks) = mpsc::channel(TOGETHER);
    let mut reading = tokio::task::spawn_blocking(move || {
        input.read(&mapping, &mut |p| progress.show(p), &mut |chunk| match sender.blocking_send(chunk) {
            Ok(()) => ControlFlow::Continue(()),
            // Recording has failed, and says why.
            Err(_) => ControlFlow::Break(()),
        })
    });
    // A file that is wrong from its first line on must not leave a new directory behind.
    let mut taken: Vec<Chunk> = chunks.recv().await.into_iter().collect();
    let early = match taken.is_empty() {
        true => Some((&mut reading).await.map_err(Failure::defect)?.map_err(|e| failure(e, &args.file))?),
        false => None,
    };
    let mut options = rules::options(Purpose::Write);
    options.zone = args.time_zone;
    options.zone_if_new = zone;
    options.accept_clock = args.accept_clock;
    let mut importer = Importer::new(args.target.open(options, lang).await?, rejects, bar, lang);
    loop {
        importer.take(&mut taken).await?;
        if chunks.recv_many(&mut taken, TOGETHER).await == 0 {
            break;
        }
    }
    importer.flush().await?;
    let read = match early {
        Some(seen) => Ok(seen),
        None => reading.await.map_err(Failure::defect)?,
    };
    let Importer { source, mut summary, mut rejects, bar, .. } = importer;
    bar.finish_and_clear();
    tokio::task::spawn_blocking(move || source.close()).await.map_err(Failure::defect)??;
    let rejects_file = rejects.finish()?;
    summary.rejected = rejects.count;
    let seen = match read {
        Ok(seen) => seen,
        Err(error) => return Err(in_the_middle(&error, &args.file, &summary, rejects_file.as_deref())),
    };
    summary.rows = seen.rows;
    if let Some(note) = seen.note {
        eprintln!("dunghen: {}", say::of_file(&args.file, &note).in_lang(lang));
    }
    print(&summary, rejects_file.as_deref(), format, lang)?;
    Ok(if summary.rejected == 0 { 0 } else { IN_PART })
}

/// What came of an import.
#[derive(Default)]
struct Summary {
    rows: u64,
    dossiers: u64,
    events: u64,
    duplicates: u64,
    rejected: u64,
}

fn failure(error: ImportError, path: &Path) -> Failure {
    let text = say::error(&error);
    match error {
        ImportError::Unreadable { .. } => Failure::failed(text),
        ImportError::Mapping(_) | ImportError::Columns(_) | ImportError::File(_) | ImportError::Broken { .. } => {
            Failure::usage(say::of_file(path, &text))
        }
    }
}

fn in_the_middle(error: &ImportError, file: &Path, done: &Summary, rejects: Option<&Path>) -> Failure {
    let Summary { dossiers, events, duplicates, rejected, .. } = *done;
    let done = say::Done { dossiers, events, duplicates, rejected };
    Failure::failed(say::in_the_middle(file, &say::error(error), done, rejects))
}

/// Records what the reader hands on.
struct Importer {
    source: Source,
    summary: Summary,
    rejects: Rejects,
    bar: ProgressBar,
    lang: Lang,
    /// Whole dossiers that go in together, so that their lateness is judged after all of their events.
    group: Vec<Prepared>,
    /// What was rejected along with them.
    rejected: Vec<Reject>,
}

impl Importer {
    fn new(source: Source, rejects: Rejects, bar: ProgressBar, lang: Lang) -> Importer {
        let summary = Summary::default();
        Importer { source, summary, rejects, bar, lang, group: Vec::new(), rejected: Vec::new() }
    }

    async fn take(&mut self, chunks: &mut Vec<Chunk>) -> Result<(), Failure> {
        for chunk in chunks.drain(..) {
            match chunk {
                Chunk::Case(case) => {
                    self.summary.dossiers += 1;
                    self.group.extend(case.events);
                }
                Chunk::Reject(reject) => self.rejected.push(reject),
            }
            if self.group.len().max(self.rejected.len()) >= TOGETHER {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let prepared = std::mem::take(&mut self.group);
        let events = prepared
            .iter()
            .map(|p| pb::BatchEvent { event: Some(wire::event(&p.statement)), expected_version: None })
            .collect();
        let results = record_each(&self.source, events, true).await.map_err(|s| Failure::status(&s))?;
        for (prepared, result) in prepared.iter().zip(results) {
            match result.result {
                Some(pb::record_result::Result::Receipt(receipt)) if receipt.duplicate => self.summary.duplicates += 1,
                Some(pb::record_result::Result::Receipt(_)) => self.summary.events += 1,
                Some(pb::record_result::Result::Refusal(refusal)) => {
                    let statement = &prepared.statement;
                    let message = if refusal.reason == "EVENT_ID_REUSED" {
                        // The ids are ours, made of ordinals: advice about ids would help nobody here.
                        say::grown(&statement.dossier, statement.event.event_type())
                    } else {
                        Text::from_elsewhere(refusal.message_vi, refusal.message_en)
                    };
                    self.rejected.push(Reject {
                        line: prepared.line,
                        dossier: Some(statement.dossier.to_string()),
                        reason: known_reason(&refusal.reason),
                        message,
                    });
                }
                None => return Err(Failure::failed(calls::event_unanswered())),
            }
        }
        let Summary { events, duplicates, .. } = &self.summary;
        self.bar.set_message(output::count(events + duplicates, self.lang));
        self.rejects.add(&mut self.rejected)
    }
}

/// The file of rejects, which is there only if there is a reject. Its rows stand by line: those of a log are written as
/// they come; those of a table, which is in memory anyway, at the end.
struct Rejects {
    path: PathBuf,
    as_they_come: bool,
    /// The language of the messages.
    lang: Lang,
    held: Vec<Reject>,
    writer: Option<csv::Writer<File>>,
    count: u64,
}

impl Rejects {
    fn new(file: &Path, named: Option<PathBuf>, as_they_come: bool, lang: Lang) -> Rejects {
        let path = named.unwrap_or_else(|| {
            let name = file.file_name().map_or_else(|| "import".into(), |n| n.to_string_lossy().into_owned());
            PathBuf::from(format!("{name}.rejects.csv"))
        });
        Rejects { path, as_they_come, lang, held: Vec::new(), writer: None, count: 0 }
    }

    /// Whether the file can be written, before anything is recorded; never one of the files that are read.
    fn check(&self, read: [&Path; 2]) -> Result<(), Failure> {
        let place = self.path.canonicalize().ok();
        if place.is_some() && read.iter().any(|file| file.canonicalize().ok() == place) {
            return Err(Failure::usage(say::rejects_are_read(&self.path)));
        }
        let tried = std::fs::OpenOptions::new().append(true).create(true).open(&self.path);
        tried.map_err(|e| Failure::failed(say::rejects_unwritable(&self.path, &e)))?;
        // Made by the attempt alone: it is to be there only if there is a reject.
        if place.is_none() { Ok(std::fs::remove_file(&self.path)?) } else { Ok(()) }
    }

    fn add(&mut self, rejects: &mut Vec<Reject>) -> Result<(), Failure> {
        self.count += rejects.len() as u64;
        self.held.append(rejects);
        if self.as_they_come { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Failure> {
        if self.held.is_empty() {
            return Ok(());
        }
        let failed = |e: csv::Error| Failure::failed(calls::system_at(&self.path, &e));
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let mut writer = csv::Writer::from_path(&self.path).map_err(failed)?;
                writer.write_record(["line", "dossier", "reason", "message"]).map_err(failed)?;
                self.writer.insert(writer)
            }
        };
        self.held.sort_by_key(|r| r.line);
        for reject in self.held.drain(..) {
            let line = reject.line.to_string();
            let dossier = output::neutral(reject.dossier.as_deref().unwrap_or_default());
            let message = output::neutral(reject.message.in_lang(self.lang));
            writer.write_record([&line, &dossier, reject.reason, &message]).map_err(failed)?;
        }
        writer.flush().map_err(|e| failed(e.into()))
    }

    /// Writes what is left; the path, if there is a file.
    fn finish(&mut self) -> Result<Option<PathBuf>, Failure> {
        self.write()?;
        Ok(self.writer.is_some().then(|| self.path.clone()))
    }
}

/// A reason of the engine as a static name.
fn known_reason(reason: &str) -> &'static str {
    const KNOWN: [&str; 12] = [
        "FIELD_MISSING",
        "FIELD_INVALID",
        "UNKNOWN_TYPE",
        "TOO_LARGE",
        "TIME_IN_FUTURE",
        "DOSSIER_UNKNOWN",
        "DOSSIER_EXISTS",
        "DOSSIER_ENDED",
        "ALREADY_RETURNED",
        "ENGINE_EVENT",
        "EVENT_ID_REUSED",
        "VERSION_MISMATCH",
    ];
    KNOWN.into_iter().find(|k| *k == reason).unwrap_or("UNKNOWN_REASON")
}

fn print(summary: &Summary, file: Option<&Path>, format: Format, lang: Lang) -> Result<(), Failure> {
    let names = ["rows", "dossiers", "events", "duplicates", "rejected"];
    let counts = [summary.rows, summary.dossiers, summary.events, summary.duplicates, summary.rejected];
    match format {
        Format::Json => output::json(&json!({
            "rows": summary.rows,
            "dossiers": summary.dossiers,
            "events": summary.events,
            "duplicates": summary.duplicates,
            "rejected": summary.rejected,
            "rejects_file": file.map(|f| f.display().to_string()),
        })),
        Format::Csv => output::csv(&names, vec![counts.map(|n| n.to_string()).to_vec()]),
        Format::Table => {
            let header = output::header(tables::import(), lang);
            let row = counts.map(|n| output::count(n, lang)).to_vec();
            output::line(&output::table(&header, 0, &[row]))?;
            match file {
                Some(file) => output::say(&say::rejects_at(file), lang),
                None => Ok(()),
            }
        }
    }
}
