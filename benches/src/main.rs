//! Measurements of Đúng Hẹn beside the limit of the disk and beside its peers (`compare`), a load tool for a running
//! server (`load`), a long run (`soak`), and what a due (`due`), a decision (`decide`) and a question about rates (`rates`) cost, and an event in memory
//! (`allocations`).
//!
//! Nothing here is part of the product. Every number comes from work that was really done and checked: an answer that
//! is not a receipt, or a record that is missing from the log at the end, ends the run with an error.

#![allow(clippy::disallowed_methods, reason = "measuring time is what this is for")]

mod allocations;
mod compare;
mod decide;
mod disk;
mod drive;
mod due;
mod empty;
mod load;
mod local;
mod mixed;
mod pace;
mod peer;
mod postgres;
mod query;
mod rates;
mod raw;
mod sample;
mod server;
mod sleds;
mod soak;
mod stories;
mod stream;
mod table;
mod umadb;

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// What a measurement that cannot be made says.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measurements of Đúng Hẹn.
#[derive(Parser)]
#[command(name = "dunghen-benches")]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Measures the raw file, sled, the engine, the server and its peers on one disk, in one run, and prints one table.
    Compare(compare::CompareArgs),
    /// Puts load on a running server: events, questions, or both.
    Load(load::LoadArgs),
    /// Mixed work at half of the highest load for an hour, and whether p99 and memory stay as they were.
    Soak(soak::SoakArgs),
    /// Counts how often and how much memory is asked for to record an event, in process.
    Allocations(allocations::AllocationsArgs),
    /// Measures how long one due takes, in process.
    Due(due::DueArgs),
    /// Measures how long one decision takes, in process.
    Decide(decide::DecideArgs),
    /// Measures how long questions about rates take, in process, from margins and by a scan.
    Rates(rates::RatesArgs),
    /// The server of `compare`: a process of its own, so that it shares no thread with the client.
    #[command(name = "__serve", hide = true)]
    Serve {
        #[arg(long)]
        data: PathBuf,
    },
    /// The empty server of `compare`.
    #[command(name = "__empty", hide = true)]
    Empty,
}

/// How to print.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Writes to standard output; unlike `println!` it does not panic if nobody reads any more.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::from).and_then(|runtime| {
            match args.what {
                What::Compare(args) => compare::run(&runtime, &args),
                What::Due(args) => due::run(&args),
                What::Decide(args) => decide::run(&args),
                What::Rates(args) => rates::run(&args),
                What::Load(args) => runtime.block_on(load::run(args)),
                What::Soak(args) => soak::run(&runtime, &args),
                What::Allocations(args) => allocations::run(&args),
                What::Empty => runtime.block_on(empty::serve()),
                What::Serve { data } => runtime.block_on(server::serve(data)),
            }
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("dunghen-benches: {failure}");
            ExitCode::FAILURE
        }
    }
}
