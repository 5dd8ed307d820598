//! The arguments, and what every command shares: where to ask, how to print, how to fail.

mod ask;
mod demo;
mod dice;
mod due;
mod help;
mod import;
mod output;
mod publish;
mod record;
mod rekey;
mod report;
mod rulebook;
mod serve;
mod simulate;
mod targets;
mod tracking;
mod verify;
mod watch;

pub(crate) use help::parse;

use clap::{Parser, Subcommand, ValueEnum};
use dunghen::messages::{Lang, Text, Wrong, calls, directory, questions, usage};
use dunghen::rules;
use dunghen::serve::ServeError;
use dunghen::source::Source;
use dunghen::status;
use dunghen_engine::directory::DirectoryError;
use dunghen_engine::log::LogError;
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::{GroupKey, Moment};
use dunghen_engine::{OpenError, Options, Purpose};
use std::io::IsTerminal;
use std::path::PathBuf;

/// It did not work.
pub(crate) const FAILED: u8 = 1;
/// It was called wrongly.
pub(crate) const USAGE: u8 = 2;
/// It worked in part: something was rejected.
pub(crate) const IN_PART: u8 = 3;
/// The log is damaged.
pub(crate) const DAMAGED: u8 = 4;

/// Đúng Hẹn: an append-only log of dossiers, and the on-time rates it proves.
#[derive(Parser)]
#[command(version, about, long_about = None)]
pub(crate) struct Args {
    /// Language of texts for people; by default that of LANG.
    #[arg(long, global = true, value_enum, env = "DUNGHEN_LANG")]
    lang: Option<Lang>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a data directory over gRPC.
    Serve(serve::ServeArgs),
    /// Record events from NDJSON lines.
    Record(record::RecordArgs),
    /// Import a CSV file or an XES log by a mapping.
    Import(import::ImportArgs),
    /// On-time rates and apology obligations.
    Rates(ask::RatesArgs),
    /// Official form II.06a and the scores of Decision 766 and PAR INDEX, for any period.
    Report(report::ReportArgs),
    /// Targets, year by year: met or not, and how many dossiers may still be late.
    Targets(targets::TargetsArgs),
    /// Worklists, and the dossiers behind a figure.
    Dossiers(ask::DossiersArgs),
    /// All about one dossier.
    Dossier(ask::DossierArgs),
    /// Apologies owed and foreseen.
    Obligations(ask::ObligationsArgs),
    /// When a term ends, and why, by the working calendar.
    Due(due::DueArgs),
    /// Watch rates, obligations and events live.
    Watch(watch::WatchArgs),
    /// Replay the log as NDJSON.
    Replay(ask::ReplayArgs),
    /// Mend the code of a dossier: told again under the right one, annulled under the wrong one.
    Rekey(rekey::RekeyArgs),
    /// Publish a file of rules into the log.
    Publish(publish::PublishArgs),
    /// The rules in the log: list them, show a version, compare two.
    Rules(rulebook::RulesArgs),
    /// Check every byte of a data directory, changing none.
    Verify(verify::VerifyArgs),
    /// Make a province on demand: a seeded year of dossiers, and the figures it must give.
    Simulate(simulate::SimulateArgs),
    /// Show the main job: simulated desks, live rates.
    Demo(demo::DemoArgs),
}

/// Where to ask.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// A data directory that no server holds.
    #[arg(long, value_name = "DIR", env = "DUNGHEN_DATA")]
    data: Option<PathBuf>,
    /// A server, such as http://127.0.0.1:7070.
    #[arg(long, value_name = "URL", env = "DUNGHEN_SERVER")]
    server: Option<String>,
}

/// Where to ask, if anywhere.
#[derive(clap::Args)]
#[group(multiple = false)]
struct OptionalTarget {
    /// A data directory that no server holds.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A server, such as http://127.0.0.1:7070.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

impl OptionalTarget {
    /// Opens what is named to ask questions only.
    async fn ask(self, lang: Lang) -> Result<Option<Source>, Failure> {
        let OptionalTarget { data, server } = self;
        if data.is_none() && server.is_none() {
            return Ok(None);
        }
        Target { data, server }.ask(lang).await.map(Some)
    }
}

/// How to print an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

/// By default a table on a terminal and JSON in a pipe.
fn format_or_default(format: Option<Format>) -> Format {
    format.unwrap_or(if std::io::stdout().is_terminal() { Format::Table } else { Format::Json })
}

/// Why a command failed, and its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: u8,
    /// For stderr, in the language of whoever called.
    pub(crate) message: Text,
}

impl Failure {
    fn failed(message: Text) -> Failure {
        Failure { code: FAILED, message }
    }

    fn usage(message: Text) -> Failure {
        Failure { code: USAGE, message }
    }

    /// What must not happen: a thread that panicked, a template of ours that is wrong.
    fn defect(what: impl std::fmt::Display) -> Failure {
        Failure::failed(calls::defect(&what))
    }

    fn status(status: &tonic::Status) -> Failure {
        let (reason, text) = status::read(status);
        if reason == "Unknown" {
            return Failure::failed(calls::no_answer(status.message()));
        }
        let code = match status.code() {
            tonic::Code::InvalidArgument => USAGE,
            tonic::Code::DataLoss => DAMAGED,
            _ => FAILED,
        };
        Failure { code, message: calls::refused(&reason, &text) }
    }
}

impl From<LogError> for Failure {
    fn from(e: LogError) -> Failure {
        let code = if matches!(e, LogError::Damaged { .. }) { DAMAGED } else { FAILED };
        Failure { code, message: directory::log(&e) }
    }
}

impl From<DirectoryError> for Failure {
    fn from(e: DirectoryError) -> Failure {
        let message = directory::directory(&e);
        match e {
            DirectoryError::Log(e) => e.into(),
            DirectoryError::OtherZone { .. } | DirectoryError::NotEmpty(_) | DirectoryError::NotADirectory(_) => {
                Failure::usage(message)
            }
            DirectoryError::Missing(_) | DirectoryError::InUse { .. } | DirectoryError::Io { .. } => {
                Failure::failed(message)
            }
        }
    }
}

impl From<OpenError> for Failure {
    fn from(e: OpenError) -> Failure {
        let message = directory::open(&e);
        match e {
            OpenError::Directory(e) => e.into(),
            OpenError::Log(e) => e.into(),
            OpenError::ClockBehind { .. } | OpenError::UnknownRules(_) | OpenError::Unfit(_) | OpenError::Thread(_) => {
                Failure::failed(message)
            }
        }
    }
}

impl From<ServeError> for Failure {
    fn from(e: ServeError) -> Failure {
        let message = directory::serve(&e);
        match e {
            ServeError::NotLoopback(_) => Failure::usage(message),
            ServeError::Listen(..) | ServeError::Transport(_) | ServeError::Setup(_) => Failure::failed(message),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Failure {
        Failure::failed(calls::system(&e))
    }
}

impl Target {
    /// Opens what is named, with these options if it is a directory; a server is told the language that is read.
    async fn open(&self, options: Options, lang: Lang) -> Result<Source, Failure> {
        match (&self.data, &self.server) {
            (Some(path), None) => {
                let path = path.clone();
                let opened = tokio::task::spawn_blocking(move || Source::open(&path, options)).await;
                opened.map_err(Failure::defect)?.map_err(Failure::from)
            }
            (None, Some(url)) => Source::connect_in(url, lang).await.map_err(Failure::failed),
            _ => Err(Failure::usage(calls::name_a_target("--data", "--server"))),
        }
    }

    /// Opens what is named to ask questions only.
    async fn ask(&self, lang: Lang) -> Result<Source, Failure> {
        self.open(rules::options(Purpose::Read), lang).await
    }
}

/// Parses a moment of the command line: a bare date, or RFC 3339 whose seconds may be left out.
fn moment(text: &str) -> Result<Moment, Wrong> {
    if let Some(date) = Date::parse(text) {
        return Ok(Moment::Date(date));
    }
    let with_seconds = || {
        // 2025-09-12T12:00+07:00: the seconds belong after the minutes, at byte 16.
        let (minutes, rest) = text.split_at_checked(16)?;
        Timestamp::parse(&format!("{minutes}:00{rest}"))
    };
    let instant = Timestamp::parse(text).or_else(with_seconds).map(Moment::Instant);
    instant.ok_or_else(|| no_date(text, usage::moment()))
}

/// What is wrong with a text that is no date or no moment: `form`, unless that is right and there is no such day.
fn no_date(text: &str, form: Text) -> Wrong {
    Wrong(if Date::is_none_of_the_calendar(text) { questions::no_such_date() } else { form })
}

/// Parses a key to group by.
fn key(text: &str) -> Result<GroupKey, Wrong> {
    GroupKey::parse(text).ok_or_else(|| Wrong(usage::one_of(&GroupKey::ALL.map(|(_, name)| name))))
}

/// Parses an IANA time zone.
fn zone(text: &str) -> Result<Zone, Wrong> {
    Zone::parse(text).ok_or_else(|| Wrong(usage::zone()))
}

impl Args {
    /// The language of what is said from here on.
    pub(crate) fn lang(&self) -> Lang {
        self.lang.unwrap_or_else(Lang::of_environment)
    }
}

/// Runs a command; the exit code if it did not fail.
pub(crate) async fn run(args: Args) -> Result<u8, Failure> {
    let lang = args.lang();
    match args.command {
        Command::Serve(args) => serve::run(args, lang).await,
        Command::Record(args) => record::run(args, lang).await,
        Command::Import(args) => import::run(args, lang).await,
        Command::Rates(args) => ask::rates(args, lang).await,
        Command::Report(args) => report::run(args, lang).await,
        Command::Targets(args) => targets::run(args, lang).await,
        Command::Dossiers(args) => ask::dossiers(args, lang).await,
        Command::Dossier(args) => ask::dossier(args, lang).await,
        Command::Obligations(args) => ask::obligations(args, lang).await,
        Command::Due(args) => due::run(args, lang).await,
        Command::Watch(args) => watch::run(args, lang).await,
        Command::Replay(args) => ask::replay(args, lang).await,
        Command::Rekey(args) => rekey::run(args, lang).await,
        Command::Publish(args) => publish::run(args, lang).await,
        Command::Rules(args) => rulebook::run(args, lang).await,
        Command::Verify(args) => verify::run(args, lang).await,
        Command::Simulate(args) => simulate::run(args, lang).await,
        Command::Demo(args) => demo::run(args, lang).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn moments() {
        let at = |text: &str| moment(text).map(|m| format!("{m:?}")).ok();
        assert_eq!(moment("2025-09-12T12:00+07:00"), moment("2025-09-12T12:00:00.000+07:00"));
        assert_eq!(moment("2025-09-12T05:00Z"), moment("2025-09-12T12:00:00+07:00"));
        assert!(matches!(moment("2025-09-12"), Ok(Moment::Date(_))));
        for bad in ["", "2025", "2025-09-12T12:00", "12/9/2025", "2025-09-12T12+07:00", "đầu năm 2025 à ừ nhỉ"]
        {
            assert_eq!(at(bad), None, "{bad}");
        }
        for bad in ["2026-11-31", "2025-02-29T09:00+07:00"] {
            assert_eq!(moment(bad), Err(Wrong(questions::no_such_date())), "{bad}");
        }
    }
}
