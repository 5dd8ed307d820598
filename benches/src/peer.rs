//! What all peers have in common: the same events as ours in their own clothes, in a closed loop.
//!
//! A peer is asked for what it promises itself, an acknowledged event being durable; it is given neither our rules nor
//! our figures to compute.

use crate::Failure;
use crate::sample::Sample;
use crate::stories::Stories;
use dunghen::wire;
use prost::Message;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The programs of the peers that are measured, and why the others are not.
#[derive(Default)]
pub(crate) struct Peers {
    programs: BTreeMap<&'static str, PathBuf>,
    /// The peer, and why.
    pub(crate) skipped: Vec<String>,
}

impl Peers {
    /// Takes a peer that was found, unless none is wanted; `found` says why it was not.
    pub(crate) fn find(&mut self, system: &'static str, found: Result<PathBuf, String>, unwanted: bool) {
        match found {
            Ok(_) if unwanted => self.skip(system, "it was not asked for"),
            Ok(program) => drop(self.programs.insert(system, program)),
            Err(why) => self.skip(system, &why),
        }
    }

    /// The program of a peer that is measured.
    pub(crate) fn program(&self, system: &str) -> Option<PathBuf> {
        self.programs.get(system).cloned()
    }

    /// A peer that started; one that did not is skipped from now on.
    pub(crate) fn started<P>(&mut self, system: &'static str, outcome: Result<P, Failure>) -> Option<P> {
        match outcome {
            Ok(peer) => Some(peer),
            Err(failure) => {
                self.programs.remove(system);
                self.skip(system, &format!("it did not start: {failure}"));
                None
            }
        }
    }

    fn skip(&mut self, system: &str, why: &str) {
        self.skipped.push(format!("{system}: {why}"));
    }
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
