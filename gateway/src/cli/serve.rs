//! `dunghen serve`: a data directory over gRPC, until told to stop.

use super::{Failure, zone};
use dunghen::messages::{Lang, Text, Wrong, commands, usage};
use dunghen::{rules, serve};
use dunghen_engine::time::Zone;
use dunghen_engine::{Engine, Purpose};
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[derive(clap::Args)]
pub(super) struct ServeArgs {
    /// The data directory; made if it is not there.
    #[arg(long, value_name = "DIR", env = "DUNGHEN_DATA")]
    data: PathBuf,
    /// Where to listen: a loopback address, since there are no identities yet. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7070", value_parser = address)]
    listen: SocketAddr,
    /// The time zone of a new directory [default: Asia/Ho_Chi_Minh]; an existing one must have it.
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    time_zone: Option<Zone>,
    /// Accept a clock that stands before the last record.
    #[arg(long)]
    accept_clock: bool,
}

/// An address and a port; a name such as localhost is looked up.
fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let expected = || Wrong(usage::address());
    text.to_socket_addrs().map_err(|_| expected())?.next().ok_or_else(expected)
}

/// Says something to whoever started the server; it goes on if nobody listens any more.
fn say(text: &Text, lang: Lang) {
    let _ = writeln!(std::io::stdout(), "{}", text.in_lang(lang));
}

/// Turns true at the first SIGINT or SIGTERM.
pub(super) fn stop_on_signal() -> std::io::Result<watch::Receiver<bool>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // Nobody listens any more: then it has stopped already.
        let _ = stop.send(true);
        std::future::pending::<()>().await;
    });
    Ok(stopped)
}

pub(super) async fn run(args: ServeArgs, lang: Lang) -> Result<u8, Failure> {
    // The address first: a wrong one must not make a directory.
    let listener = serve::bind(args.listen).await?;
    let stopped = stop_on_signal()?;
    let mut options = rules::options(Purpose::Write);
    options.zone = args.time_zone;
    options.accept_clock = args.accept_clock;
    let path = args.data.clone();
    let engine = tokio::task::spawn_blocking(move || Engine::open(&path, options)).await.map_err(Failure::defect)??;
    let engine = Arc::new(engine);
    let address = listener.local_addr()?;
    say(&commands::serving(&args.data, &address, engine.position(), &engine.zone()), lang);
    let served = serve::serve(listener, Arc::clone(&engine), stopped).await;
    let closed = tokio::task::spawn_blocking(move || engine.close()).await.map_err(Failure::defect)?;
    served?;
    closed?;
    say(&commands::closed(&args.data), lang);
    Ok(0)
}
