//! A start that goes on from a snapshot, and the reading of what it spared behind it.

use super::commit::poison;
use super::snapshot::{Mark, Snapshots};
use super::writer::Writer;
use super::{OpenError, Shared};
use crate::log::{Log, LogError};
use crate::record::Logged;
use crate::time::Zone;
use crate::views::Rows;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Begins with the newest snapshot, if there is one that fits the log.
pub(super) fn resume(
    writer: &mut Writer,
    log: &Log,
    snapshots: Option<&mut Snapshots>,
    home: Zone,
) -> Result<Option<(Rows, Mark)>, OpenError> {
    let Some(snapshots) = snapshots else { return Ok(None) };
    let Some(found) = snapshots.find() else { return Ok(None) };
    let mark = found.mark;
    if !log.begin_at(mark.position, mark.digest)? {
        tracing::info!("the snapshot does not fit the log: the log is replayed from its beginning");
        return Ok(None);
    }
    // On a copy: if the snapshot turns out damaged, nothing of it may stay.
    let mut resumed = writer.afresh();
    for position in &found.rules {
        let bytes = log.get(*position)?;
        let logged = Logged::decode(*position, &bytes);
        match logged.map_err(|e| LogError::Damaged { position: *position, what: e.what })? {
            Logged::Rule(record) => resumed.know(&record)?,
            Logged::Event(_) => return Ok(forget(log)),
        }
    }
    match snapshots.load(found, home, &resumed.rules()) {
        Some(register) => {
            *writer = resumed;
            Ok(Some((register, mark)))
        }
        None => Ok(forget(log)),
    }
}

/// Lets the log be read from its beginning after all.
fn forget<T>(log: &Log) -> Option<T> {
    log.begin_anew();
    None
}

/// Reads what a snapshot spared start-up the reading of. Damage there ends the recording of events, as it would have at the
/// start.
pub(super) fn check_the_rest(shared: Arc<Shared>, mark: Mark) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("dunghen-check".to_owned()).spawn(move || {
        let stop = || shared.is_closing();
        // First of all what the first event would wait for.
        shared.codes.prepare();
        if let Err(e) = shared.log.check(mark.position, mark.digest, stop) {
            poison(&shared, &e.why());
        }
    })
}
