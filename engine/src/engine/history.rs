//! A dossier's whole history, read from the log: each of its records names the one before.

use crate::dossier::{Code, Dossier, Pin, Proposal, fingerprint};
use crate::log::{Log, LogError};
use crate::record::Record;
use std::sync::Arc;

/// Reads one record of a dossier.
pub(super) fn read(log: &Log, position: u64) -> Result<Record, LogError> {
    let bytes = log.get(position)?;
    Record::decode(position, &bytes).map_err(|e| LogError::Damaged { position, what: e.what })
}

/// The records of the dossier whose newest stands at `last`, the oldest first.
pub(super) fn records(log: &Log, last: u64) -> Result<Vec<Record>, LogError> {
    let mut records = vec![read(log, last)?];
    while let Some(previous) = records.last().and_then(|r| r.previous) {
        let record = read(log, previous)?;
        let newer = &records[records.len() - 1];
        let follows = record.statement.dossier == newer.statement.dossier
            && record.dossier_version.checked_add(1) == Some(newer.dossier_version);
        if !follows {
            let what = format!("the record before it of {} stands elsewhere", newer.statement.dossier);
            return Err(LogError::Damaged { position: newer.position, what });
        }
        records.push(record);
    }
    records.reverse();
    Ok(records)
}

/// The dossier that these records tell of, by the rules that `pin` finds.
pub(super) fn dossier(code: &Code, records: &[Record], pin: &mut Pin<'_>) -> Dossier {
    let mut dossier = Dossier::new(Arc::clone(code));
    for record in records {
        let proposal = Proposal {
            statement: record.statement.clone(),
            reckoned: record.reckoned,
            flags: record.flags,
            fingerprint: fingerprint(&record.statement),
        };
        let entry = proposal.entry(record.position, record.recorded_at);
        dossier.evolve_by(&record.statement.event, record.reckoned, entry, pin);
    }
    dossier
}
