//! What all peers have in common: the same events as ours in their own clothes, in a closed loop.
//!
//! A peer is asked for what it promises itself, an acknowledged event being durable; it is given neither our rules nor
//! our figures to compute.

use crate::Failure;
use crate::sample::Sample;
use crate::stories::Stories;
use dunghen::wire;
use prost::Message;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Why a peer is not measured.
pub(crate) struct Skipped {
    pub(crate) system: &'static str,
    pub(crate) why: String,
}

/// An event as a peer stores it.
pub(crate) struct Plain {
    pub(crate) dossier: String,
    /// The event as our schemas have it.
    pub(crate) bytes: Vec<u8>,
}

impl Plain {
    /// The next event of a desk.
    pub(crate) fn next(stories: &mut Stories) -> Plain {
        let event = wire::event(&stories.next());
        Plain { bytes: event.encode_to_vec(), dossier: event.dossier }
    }
}

/// One of the calls in flight to a peer.
pub(crate) trait Caller: Send + 'static {
    /// Makes events; that is not the peer's time.
    fn prepare(&mut self);
    /// Records what was prepared, and returns how many events were acknowledged.
    fn record(&mut self) -> impl Future<Output = Result<u64, Failure>> + Send;
}

/// Each of the callers records as soon as it can for this long; returns them for the next time.
pub(crate) async fn in_turn<C: Caller>(callers: Vec<C>, time: Duration) -> Result<(Sample, Vec<C>), Failure> {
    let mut workers = JoinSet::new();
    let started = Instant::now();
    for mut caller in callers {
        workers.spawn(async move {
            let mut sample = Sample::new();
            while started.elapsed() < time {
                caller.prepare();
                let called = Instant::now();
                let done = caller.record().await?;
                sample.call(done, called.elapsed());
            }
            Ok::<_, Failure>((sample, caller))
        });
    }
    let mut all = Sample::new();
    let mut callers = Vec::new();
    while let Some(one) = workers.join_next().await {
        let (sample, caller) = one??;
        all.beside(&sample);
        callers.push(caller);
    }
    all.elapsed = started.elapsed();
    Ok((all, callers))
}

/// A port of this machine that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, Failure> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
