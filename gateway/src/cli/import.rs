//! `dunghen import`: history from a CSV file, by a mapping.

use super::record::record_each;
use super::{Failure, Format, IN_PART, Target, format_or_default, output, zone};
use dunghen::import::{self, Case, ImportError, Mapping, Reject, Table};
use dunghen::messages::Lang;
use dunghen::source::Source;
use dunghen::{pb, wire};
use dunghen_engine::time::Zone;
use dunghen_engine::{Options, Purpose};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::{Path, PathBuf};

/// About how many events go in together; a dossier is never split.
const TOGETHER: usize = 1000;

#[derive(clap::Args)]
pub(super) struct ImportArgs {
    /// The CSV file, plain or gzipped.
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
fn bar(length: Option<u64>, what: &str) -> Result<ProgressBar, Failure> {
    let (bar, template) = match length {
        Some(n) => (ProgressBar::new(n), "{msg} [{bar:40}] {human_pos}/{human_len} {per_sec} {eta}"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg} {human_pos} {per_sec}"),
    };
    bar.set_style(ProgressStyle::with_template(template).map_err(Failure::failed)?);
    bar.set_message(what.to_owned());
    Ok(bar)
}

/// What came of an import.
#[derive(Default)]
struct Summary {
    rows: u64,
    dossiers: u64,
    events: u64,
    duplicates: u64,
}

pub(super) async fn run(args: ImportArgs, lang: Lang) -> Result<u8, Failure> {
    let format = format_or_default(args.format);
    let mapping = Mapping::load(&args.mapping).map_err(|e| failure(e, &args.mapping))?;
    let (reading, recording) = match lang {
        Lang::Vi => ("đọc dòng", "ghi sự kiện"),
        Lang::En => ("rows read", "events recorded"),
    };
    let zone = mapping.zone();
    let (file, spinner) = (args.file.clone(), bar(None, reading)?);
    let progress = spinner.clone();
    let read =
        tokio::task::spawn_blocking(move || import::read(&file, &mapping, &mut |rows| progress.set_position(rows)));
    let table = read.await.map_err(Failure::failed)?.map_err(|e| failure(e, &args.file))?;
    spinner.finish_and_clear();

    let mut options = Options::new(Purpose::Write);
    options.zone = args.time_zone;
    options.zone_if_new = zone;
    options.accept_clock = args.accept_clock;
    let source = args.target.open(options).await?;
    let Table { rows, cases, mut rejects } = table;
    let mut summary = Summary { rows, dossiers: cases.len() as u64, ..Summary::default() };
    let progress = bar(Some(cases.iter().map(|c| c.events.len() as u64).sum()), recording)?;
    let mut group: Vec<Case> = Vec::new();
    let mut size = 0;
    for case in cases {
        size += case.events.len();
        group.push(case);
        if size >= TOGETHER {
            send(&source, &mut group, &mut summary, &mut rejects, &progress, lang).await?;
            size = 0;
        }
    }
    send(&source, &mut group, &mut summary, &mut rejects, &progress, lang).await?;
    progress.finish_and_clear();
    tokio::task::spawn_blocking(move || source.close()).await.map_err(Failure::failed)??;

    rejects.sort_by_key(|r| r.line);
    let rejects_file = if rejects.is_empty() { None } else { Some(write_rejects(&args.file, args.rejects, &rejects)?) };
    print(&summary, &rejects, rejects_file.as_deref(), format, lang)?;
    Ok(if rejects.is_empty() { 0 } else { IN_PART })
}

fn failure(error: ImportError, path: &Path) -> Failure {
    match error {
        ImportError::Unreadable { .. } => Failure::failed(error),
        other => Failure { code: super::USAGE, message: format!("{}: {other}", path.display()) },
    }
}

/// Records whole dossiers together, so that their lateness is judged after all of their events.
async fn send(
    source: &Source,
    group: &mut Vec<Case>,
    summary: &mut Summary,
    rejects: &mut Vec<Reject>,
    progress: &ProgressBar,
    lang: Lang,
) -> Result<(), Failure> {
    let prepared: Vec<_> = group.drain(..).flat_map(|case| case.events).collect();
    let events = prepared
        .iter()
        .map(|p| pb::BatchEvent { event: Some(wire::event(&p.statement)), expected_version: None })
        .collect();
    let results = record_each(source, events, true).await.map_err(|s| Failure::status(&s, lang))?;
    for (prepared, result) in prepared.iter().zip(results) {
        match result.result {
            Some(pb::record_result::Result::Receipt(receipt)) if receipt.duplicate => summary.duplicates += 1,
            Some(pb::record_result::Result::Receipt(_)) => summary.events += 1,
            Some(pb::record_result::Result::Refusal(refusal)) => {
                let text = if lang == Lang::Vi { refusal.message_vi } else { refusal.message_en };
                rejects.push(Reject {
                    line: prepared.line,
                    dossier: Some(prepared.statement.dossier.to_string()),
                    reason: known_reason(&refusal.reason),
                    message: text,
                });
            }
            None => return Err(Failure::failed("the server left an event without an answer")),
        }
        progress.inc(1);
    }
    Ok(())
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

fn write_rejects(file: &Path, named: Option<PathBuf>, rejects: &[Reject]) -> Result<PathBuf, Failure> {
    let path = named.unwrap_or_else(|| {
        let name = file.file_name().map_or_else(|| "import".into(), |n| n.to_string_lossy().into_owned());
        PathBuf::from(format!("{name}.rejects.csv"))
    });
    let failed = |e: &dyn std::fmt::Display| Failure::failed(format!("{}: {e}", path.display()));
    let mut writer = csv::Writer::from_path(&path).map_err(|e| failed(&e))?;
    writer.write_record(["line", "dossier", "reason", "message"]).map_err(|e| failed(&e))?;
    for reject in rejects {
        let line = reject.line.to_string();
        let dossier = output::neutral(reject.dossier.as_deref().unwrap_or_default());
        let message = output::neutral(&reject.message);
        writer.write_record([&line, &dossier, reject.reason, &message]).map_err(|e| failed(&e))?;
    }
    writer.flush().map_err(|e| failed(&e))?;
    Ok(path)
}

fn print(
    summary: &Summary,
    rejects: &[Reject],
    file: Option<&Path>,
    format: Format,
    lang: Lang,
) -> Result<(), Failure> {
    let names = ["rows", "dossiers", "events", "duplicates", "rejected"];
    let counts = [summary.rows, summary.dossiers, summary.events, summary.duplicates, rejects.len() as u64];
    match format {
        Format::Json => output::json(&json!({
            "rows": summary.rows,
            "dossiers": summary.dossiers,
            "events": summary.events,
            "duplicates": summary.duplicates,
            "rejected": rejects.len(),
            "rejects_file": file.map(|f| f.display().to_string()),
        })),
        Format::Csv => output::csv(&names, vec![counts.map(|n| n.to_string()).to_vec()]),
        Format::Table => {
            let header = match lang {
                Lang::Vi => ["dòng", "hồ sơ", "sự kiện mới", "đã có", "bị từ chối"],
                Lang::En => ["rows", "dossiers", "new events", "already there", "rejected"],
            };
            let row = counts.map(|n| output::count(n, lang)).to_vec();
            output::line(&output::table(&header.map(str::to_owned), 0, &[row]))?;
            match (file, lang) {
                (Some(file), Lang::Vi) => output::line(&format!("Các dòng bị từ chối: {}", file.display())),
                (Some(file), Lang::En) => output::line(&format!("What was rejected, and why: {}", file.display())),
                (None, _) => Ok(()),
            }
        }
    }
}
