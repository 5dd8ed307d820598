//! A server under measurement, in a child process: the product's own `serve::serve` on a data directory, or the one
//! that does nothing (`empty`).
//!
//! The child is this very executable with a hidden subcommand, so that nothing else has to be built. It prints its URL
//! and serves until its standard input ends: when the parent asks for it, or when the parent is gone.

use crate::Failure;
use dunghen::rules;
use dunghen_engine::{Engine, Purpose};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The child's side.
pub(crate) async fn serve(data: PathBuf) -> Result<(), Failure> {
    let listener = dunghen::serve::bind(([127, 0, 0, 1], 0).into()).await?;
    let engine = tokio::task::spawn_blocking(move || Engine::open(&data, rules::options(Purpose::Write)))
        .await?
        .map(Arc::new)?;
    crate::print(&format!("http://{}", listener.local_addr()?))?;
    let served = dunghen::serve::serve(listener, Arc::clone(&engine), told_to_stop()).await;
    tokio::task::spawn_blocking(move || engine.close()).await??;
    Ok(served?)
}

/// Turns true when nobody asks any more.
pub(crate) fn told_to_stop() -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    std::thread::spawn(move || {
        // Whatever ends the input, an error too, means that nobody asks any more.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = stop.send(true);
    });
    stopped
}

/// The parent's side: a running server.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) url: String,
    /// From the start of its process until it said where it listens, its log read.
    pub(crate) start_up: Duration,
}

impl Server {
    /// Starts the product on a data directory and a free port, and waits until it says where it listens.
    pub(crate) fn start(data: &Path) -> Result<Server, Failure> {
        Server::spawn(Command::new(std::env::current_exe()?).args(["__serve", "--data"]).arg(data))
    }

    /// Starts the server that does nothing.
    pub(crate) fn empty() -> Result<Server, Failure> {
        Server::spawn(Command::new(std::env::current_exe()?).arg("__empty"))
    }

    fn spawn(command: &mut Command) -> Result<Server, Failure> {
        let started = Instant::now();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let mut server = Server { child, stdin, url: String::new(), start_up: Duration::ZERO };
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut server.url)?;
        }
        server.start_up = started.elapsed();
        server.url.truncate(server.url.trim_end().len());
        if server.url.is_empty() { Err("the server did not start".into()) } else { Ok(server) }
    }

    /// What it holds of the machine's memory at the moment, in bytes.
    pub(crate) fn resident(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Ok(kilobytes.ok_or("the system does not say what a process holds of its memory")?.trim().parse::<u64>()? << 10)
    }

    /// Stops it cleanly and waits for it.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        drop(self.stdin.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }

    /// Ends it at once, with no chance to put anything in order (SIGKILL), and waits until it is gone.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless the measurement failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
