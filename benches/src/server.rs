//! The server under measurement: the product's own `serve::serve` on a data directory, in a child process.
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
use tokio::sync::watch;

/// The child's side.
pub(crate) async fn serve(data: PathBuf) -> Result<(), Failure> {
    let listener = dunghen::serve::bind(([127, 0, 0, 1], 0).into()).await?;
    let engine = tokio::task::spawn_blocking(move || Engine::open(&data, rules::options(Purpose::Write)))
        .await?
        .map(Arc::new)?;
    crate::print(&format!("http://{}", listener.local_addr()?))?;
    let (stop, stopped) = watch::channel(false);
    std::thread::spawn(move || {
        // Whatever ends the input, an error too, means that nobody asks any more.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = stop.send(true);
    });
    let served = dunghen::serve::serve(listener, Arc::clone(&engine), stopped).await;
    tokio::task::spawn_blocking(move || engine.close()).await??;
    Ok(served?)
}

/// The parent's side: a running server.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) url: String,
}

impl Server {
    /// Starts a server on a free port and waits until it says where it listens.
    pub(crate) fn start(data: &Path) -> Result<Server, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["__serve", "--data"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let mut url = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut url)?;
        }
        let server = Server { child, stdin, url: url.trim().to_owned() };
        if server.url.is_empty() { Err("the server did not start".into()) } else { Ok(server) }
    }

    /// Stops it cleanly and waits for it.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        drop(self.stdin.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless the measurement failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
