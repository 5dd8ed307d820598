//! `dunghen`: the command line. Parses, calls, and turns the outcome into an exit code.

mod cli;

use dunghen::messages::{self, calls};
use std::process::ExitCode;

/// What one thread asks for, another gives back: an event is read by one, decided by a second and committed by a third. The
/// C library's allocator spends a third of a busy server on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Known before the arguments are understood: they may be wrong, or ask for help.
    let lang = messages::of_arguments(std::env::args_os());
    // A reader that goes away (`dunghen replay | head`) is no failure worth a message.
    let args = match cli::parse(std::env::args_os(), lang) {
        Ok(args) => args,
        Err(code) => return ExitCode::from(code),
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("DUNGHEN_LOG").unwrap_or_else(|_| {
                tracing_subscriber::EnvFilter::new("warn,dunghen=info,dunghen_engine=info,sled=off")
            }),
        )
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("dunghen: {}", calls::no_runtime(&e).in_lang(lang));
            return ExitCode::from(cli::FAILED);
        }
    };
    let outcome = runtime.block_on(cli::run(args));
    // Threads of questions that nobody waits for any more must not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("dunghen: {}", failure.message.in_lang(lang));
            ExitCode::from(failure.code)
        }
    }
}
