//! UmaDB, an event store with gRPC (crates.io: `cargo install umadb`), as it comes: its server on a database of its
//! own.
//!
//! It does `fdatasync` before it answers. An event gets a type, its dossier as a tag, by which UmaDB indexes it, and
//! the bytes. No condition is set: it checks nothing. The messages below are the few that are needed of its published
//! schema (`umadb.v1`), in our own words.

use crate::Failure;
use crate::peer::{Caller, Plain, free_port};
use crate::stories::Stories;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

/// Names the server if it is not in the search path.
const NAMED: &str = "DUNGHEN_UMADB";
/// How long it may take until it listens.
const START: Duration = Duration::from_secs(10);
const APPEND: &str = "/umadb.v1.DCB/Append";
const HEAD: &str = "/umadb.v1.DCB/Head";

#[derive(Clone, PartialEq, prost::Message)]
struct Event {
    #[prost(string, tag = "1")]
    event_type: String,
    #[prost(string, repeated, tag = "2")]
    tags: Vec<String>,
    #[prost(bytes = "vec", tag = "3")]
    data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AppendRequest {
    #[prost(message, repeated, tag = "1")]
    events: Vec<Event>,
}

/// Of `Append` and of `Head`: the position of the last event.
#[derive(Clone, PartialEq, prost::Message)]
struct Position {
    #[prost(uint64, optional, tag = "1")]
    position: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HeadRequest {}

/// The server's program, if it is installed.
pub(crate) fn installed() -> Result<PathBuf, String> {
    let named = std::env::var_os(NAMED).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    match named {
        Some(named) if named.is_file() => Ok(named),
        Some(named) => Err(format!("{NAMED} names {}, which is not there", named.display())),
        None => std::env::split_paths(&path)
            .map(|directory| directory.join("umadb"))
            .find(|program| program.is_file())
            .ok_or_else(|| format!("not installed: no umadb in PATH, and {NAMED} names none")),
    }
}

/// A running server.
pub(crate) struct Umadb {
    child: Child,
    pub(crate) url: String,
}

impl Umadb {
    /// Starts it on an empty database in `data` and waits until it listens.
    pub(crate) async fn start(program: &Path, data: &Path) -> Result<Umadb, Failure> {
        std::fs::create_dir_all(data)?;
        let address = format!("127.0.0.1:{}", free_port()?);
        // Its words go to a file: they are not this tool's answer, but explain a failure.
        let log = std::fs::File::create(data.join("umadb.log"))?;
        let child = Command::new(program)
            .args(["--listen", &address, "--db-path"])
            .arg(data.join("database"))
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log)
            .spawn()?;
        let mut server = Umadb { child, url: format!("http://{address}") };
        let started = Instant::now();
        loop {
            match crate::drive::connect(&server.url, 1).await {
                Ok(_) => return Ok(server),
                Err(failure) if started.elapsed() > START || server.child.try_wait()?.is_some() => {
                    let said = std::fs::read_to_string(data.join("umadb.log")).unwrap_or_default();
                    return Err(format!("it does not listen: {failure}; it said: {}", said.trim()).into());
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// How many events it holds: its positions are gapless from 1.
    pub(crate) async fn holds(&self) -> Result<u64, Failure> {
        let channel = crate::drive::connect(&self.url, 1).await?.remove(0);
        Ok(call(&mut Grpc::new(channel), HEAD, HeadRequest {}).await?.position.unwrap_or(0))
    }

    /// So many callers on so many connections, each for batches of this size.
    pub(crate) async fn callers(
        &self,
        connections: usize,
        in_flight: usize,
        batch: usize,
        seed: u64,
    ) -> Result<Vec<Appender>, Failure> {
        let channels = crate::drive::connect(&self.url, connections).await?;
        let appender = |number: usize| Appender {
            client: Grpc::new(channels[number % channels.len()].clone()),
            stories: Stories::new(seed, format!("u{number:02}")),
            batch,
            events: Vec::new(),
        };
        Ok((0..in_flight).map(appender).collect())
    }
}

impl Drop for Umadb {
    fn drop(&mut self) {
        // All that it acknowledged was counted; what it leaves goes with the scratch directory.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn call<R: prost::Message + 'static>(
    client: &mut Grpc<Channel>,
    path: &'static str,
    request: R,
) -> Result<Position, Failure> {
    client.ready().await?;
    let path = PathAndQuery::from_static(path);
    let codec = ProstCodec::<R, Position>::default();
    Ok(client.unary(tonic::Request::new(request), path, codec).await?.into_inner())
}

/// Appends events, one batch after the other.
pub(crate) struct Appender {
    client: Grpc<Channel>,
    stories: Stories,
    batch: usize,
    events: Vec<Event>,
}

impl Caller for Appender {
    fn prepare(&mut self) {
        self.events.extend((0..self.batch).map(|_| {
            let plain = Plain::next(&mut self.stories);
            Event { event_type: "event".to_owned(), tags: vec![plain.dossier], data: plain.bytes }
        }));
    }

    async fn record(&mut self) -> Result<u64, Failure> {
        let events = std::mem::take(&mut self.events);
        let size = events.len() as u64;
        match call(&mut self.client, APPEND, AppendRequest { events }).await?.position {
            Some(position) if position >= size => Ok(size),
            position => Err(format!("umadb acknowledged {size} events with position {position:?}").into()),
        }
    }
}
