//! PostgreSQL as it comes: a cluster of its own in the scratch directory with the default settings, so that a commit is
//! durable (`fsync`, `synchronous_commit`), and one table.
//!
//! The table has the event's bytes, its dossier and a running number as its key; there is no other index, though an
//! event store would need one: it is given what is fastest. PostgreSQL refuses to run as root, so root starts it as
//! another user.

use crate::Failure;
use crate::peer::{Caller, Plain, free_port};
use crate::stories::Stories;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Config, NoTls, Statement};

/// Where distributions put what they do not put into the search path.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The superuser of the cluster.
const USER: &str = "bench";
/// Whom root becomes: the user of a distribution's package.
const UNPRIVILEGED: &str = "postgres";
/// How long it may take until it listens.
const START: Duration = Duration::from_secs(30);
const TABLE: &str = "create table event (\
    position bigint generated always as identity primary key, dossier text not null, bytes bytea not null)";
const INSERT: &str = "insert into event (dossier, bytes) values ($1, $2)";
const INSERT_BATCH: &str = "insert into event (dossier, bytes) select * from unnest($1::text[], $2::bytea[])";

/// The directory of its programs, if it is installed.
pub(crate) fn installed() -> Result<PathBuf, String> {
    let whole = |directory: &PathBuf| directory.join("postgres").is_file() && directory.join("initdb").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Not an error if there is none: then it is not installed there.
    let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    places.extend(versions.into_iter().rev());
    places
        .into_iter()
        .find(whole)
        .ok_or_else(|| format!("not installed: no postgres with initdb in PATH or {DEBIAN}/*/bin"))
}

/// Whether this process is root's.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// A program of PostgreSQL, run as somebody whom it does not refuse.
fn program(binaries: &Path, name: &str) -> Command {
    let program = binaries.join(name);
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn done(what: &str, output: &Output) -> Result<(), Failure> {
    if output.status.success() {
        return Ok(());
    }
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    Err(format!("{what} failed: {}", said.trim()).into())
}

/// A running cluster.
pub(crate) struct Postgres {
    child: Child,
    binaries: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Postgres {
    /// Makes a cluster in `data`, starts it and makes the table.
    pub(crate) async fn start(binaries: &Path, data: &Path) -> Result<Postgres, Failure> {
        std::fs::create_dir(data)?;
        if is_root() {
            done("chown", &Command::new("chown").arg(UNPRIVILEGED).arg(data).output()?)?;
        }
        let cluster = data.join("cluster");
        let mut initdb = program(binaries, "initdb");
        done("initdb", &initdb.args(["-A", "trust", "-E", "UTF8", "-U", USER, "-D"]).arg(&cluster).output()?)?;
        let port = free_port()?;
        let log = std::fs::File::create(data.join("postgres.log"))?;
        let child = program(binaries, "postgres")
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-p", &port.to_string(), "-D"])
            .arg(&cluster)
            .stderr(log.try_clone()?)
            .stdout(log)
            .spawn()?;
        let mut postgres = Postgres { child, binaries: binaries.to_owned(), data: cluster, port };
        let started = Instant::now();
        let client = loop {
            match postgres.connect().await {
                Ok(client) => break client,
                Err(failure) if started.elapsed() > START || postgres.child.try_wait()?.is_some() => {
                    let said = std::fs::read_to_string(data.join("postgres.log")).unwrap_or_default();
                    return Err(format!("it does not listen: {failure}; it said: {}", said.trim()).into());
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        // Held against settings that somebody compiled in: an acknowledgement must be worth the same as ours.
        for (setting, durable) in [("fsync", "on"), ("synchronous_commit", "on")] {
            let found: String = client.query_one(&format!("show {setting}"), &[]).await?.get(0);
            if found != durable {
                return Err(format!("{setting} is {found}").into());
            }
        }
        client.batch_execute(TABLE).await?;
        Ok(postgres)
    }

    async fn connect(&self) -> Result<Client, Failure> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user(USER).dbname("postgres");
        let (client, connection) = config.connect(NoTls).await?;
        // A connection that breaks fails the calls that wait for it; nobody else must hear of it.
        tokio::spawn(connection);
        Ok(client)
    }

    /// How many events it holds.
    pub(crate) async fn holds(&self) -> Result<u64, Failure> {
        let count: i64 = self.connect().await?.query_one("select count(*) from event", &[]).await?.get(0);
        Ok(u64::try_from(count)?)
    }

    /// So many callers, each with a connection of its own; with a batch size, each insert has as many rows.
    pub(crate) async fn callers(
        &self,
        connections: usize,
        batch: Option<usize>,
        seed: u64,
    ) -> Result<Vec<Inserter>, Failure> {
        let mut callers = Vec::new();
        for number in 0..connections {
            let client = self.connect().await?;
            let statement = client.prepare(if batch.is_some() { INSERT_BATCH } else { INSERT }).await?;
            callers.push(Inserter {
                client,
                statement,
                stories: Stories::new(seed, format!("p{number:02}")),
                batch,
                dossiers: Vec::new(),
                bytes: Vec::new(),
            });
        }
        Ok(callers)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its processes end with its first, which this asks to go at once; nothing of it is read again.
        let _ =
            program(&self.binaries, "pg_ctl").args(["stop", "-s", "-m", "immediate", "-D"]).arg(&self.data).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Inserts events, one statement after the other, each a transaction.
pub(crate) struct Inserter {
    client: Client,
    statement: Statement,
    stories: Stories,
    batch: Option<usize>,
    dossiers: Vec<String>,
    bytes: Vec<Vec<u8>>,
}

impl Caller for Inserter {
    fn prepare(&mut self) {
        self.dossiers.clear();
        self.bytes.clear();
        for _ in 0..self.batch.unwrap_or(1) {
            let plain = Plain::next(&mut self.stories);
            self.dossiers.push(plain.dossier);
            self.bytes.push(plain.bytes);
        }
    }

    async fn record(&mut self) -> Result<u64, Failure> {
        let rows = match self.batch {
            Some(_) => self.client.execute(&self.statement, &[&self.dossiers, &self.bytes]).await?,
            None => self.client.execute(&self.statement, &[&self.dossiers[0], &self.bytes[0]]).await?,
        };
        match self.dossiers.len() as u64 {
            size if size == rows => Ok(rows),
            size => Err(format!("PostgreSQL inserted {rows} rows of {size}").into()),
        }
    }
}
