//! `dunghen publish`: a file of rules into the log, all of it or nothing.

use super::{Failure, Format, Target, format_or_default, output};
use dunghen::messages::{Lang, Text, calls, rules as say};
use dunghen::{json, pb, rules};
use dunghen_engine::Purpose;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct PublishArgs {
    /// The file of rules; standard input if it is -.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    target: Target,
    /// Only say what would come of it, and record nothing.
    #[arg(long)]
    dry_run: bool,
    /// Accept a clock that stands before the last record.
    #[arg(long)]
    accept_clock: bool,
    /// How to print the answer.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// Reads a file of rules, or standard input if it is `-`; of one that is far too large only as much as shows that it is.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let failed = |e: std::io::Error| Failure::failed(calls::system_at(file, &e));
    let reader: Box<dyn Read> = match file.as_os_str() == "-" {
        true => Box::new(std::io::stdin()),
        false => Box::new(std::fs::File::open(file).map_err(failed)?),
    };
    let mut text = String::new();
    reader.take(2 * rules::MOST_BYTES as u64).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// What there is to know of rules that were in order.
fn notes(answer: &pb::PublishResponse) -> impl Iterator<Item = Text> {
    answer.notes.iter().map(|note| say::note(&note.kind, &note.code, (&note.text_vi, &note.text_en)))
}

pub(super) async fn run(args: PublishArgs, lang: Lang) -> Result<u8, Failure> {
    // The file first: one that cannot be read must not make a directory.
    let file = read(&args.file)?;
    // A trial changes nothing, so it needs no directory that is open for writing.
    let mut options = rules::options(if args.dry_run { Purpose::Read } else { Purpose::Write });
    options.accept_clock = args.accept_clock;
    // Nor must one that holds a fault, which only whoever publishes it finds in full.
    rules::Rules::parse(&file).map_err(|fault| Failure::usage(say::of_file(&args.file, &fault.text())))?;
    let source = args.target.open(options, lang).await?;
    let request = pb::PublishRequest { file, dry_run: args.dry_run };
    let answer = source.publish(request).await;
    let closed = tokio::task::spawn_blocking(move || source.close()).await.map_err(Failure::defect)?;
    let answer = answer.map_err(|status| {
        let Failure { code, message } = Failure::status(&status);
        Failure { code, message: say::of_file(&args.file, &message) }
    })?;
    closed?;
    let names = ["kind", "code", "version", "position", "duplicate"];
    let position = |rule: &pb::PublishedRule| rule.position.map_or_else(String::new, |p| p.to_string());
    match format_or_default(args.format) {
        Format::Json => output::json(&json::published(&answer))?,
        Format::Csv => {
            let rows = answer.rules.iter().map(|rule| {
                let own = [rule.version.to_string(), position(rule), rule.duplicate.to_string()];
                [rule.kind.clone(), rule.code.clone()].into_iter().chain(own).collect()
            });
            output::csv(&names, rows.collect())?;
            notes(&answer).for_each(|note| eprintln!("{}", note.in_lang(lang)));
        }
        Format::Table => {
            let rows = answer.rules.iter().map(|rule| {
                vec![
                    say::kind_name(&rule.kind).into_lang(lang),
                    rule.code.clone(),
                    rule.version.to_string(),
                    position(rule),
                    say::outcome(rule.duplicate, args.dry_run).into_lang(lang),
                ]
            });
            let header = output::header(say::published_header(), lang);
            output::line(&output::table(&header, header.len(), &rows.collect::<Vec<_>>()))?;
            for note in notes(&answer) {
                output::say(&note, lang)?;
            }
        }
    }
    Ok(0)
}
