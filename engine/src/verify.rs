//! Verification: reads everything again, from a copy, and says everything that is wrong.

use crate::directory::{self, DirectoryError};
use crate::dossier::Code;
use crate::log::{Finding, LogError, SledLog, inspect};
use crate::record::Record;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::path::Path;

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many records could be read.
    pub records: u64,
    /// How many records the log has.
    pub position: u64,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

/// Verifies the data directory at `path`; `scratch` is an empty directory on a disk with room for a copy of the log.
///
/// The directory is only read: opening a sled database changes it, so its copy is opened. It must not be in use.
///
/// # Errors
/// [`DirectoryError`] if there is nothing to verify. Damage is no error but a finding.
pub fn verify(path: &Path, scratch: &Path) -> Result<Verified, DirectoryError> {
    // Damage is a finding; a disk that does not answer proves nothing of the log.
    let one = |e: LogError| match e {
        LogError::Damaged { position, what } => {
            Ok(Verified { records: 0, position: 0, findings: vec![Finding { position, what }] })
        }
        e @ LogError::Unavailable(_) => Err(DirectoryError::Log(e)),
    };
    if !path.exists() {
        return Err(DirectoryError::Missing(path.to_owned()));
    }
    if let Some(process) = directory::holder(path)? {
        return Err(DirectoryError::InUse { path: path.to_owned(), process });
    }
    let genesis = match directory::read_genesis(path) {
        Ok(genesis) => genesis,
        Err(DirectoryError::Log(e)) => return one(e),
        Err(e) if SledLog::exists(path) => {
            return one(LogError::Damaged { position: 0, what: format!("what the directory is: {e}") });
        }
        Err(_) => return Err(DirectoryError::Missing(path.to_owned())),
    };
    let log = match SledLog::inspect(path, scratch) {
        Ok(log) => log,
        Err(e) => return one(e),
    };
    let mut records = 0;
    let mut walk = Walk::default();
    let (position, findings) = inspect(&log, genesis, |position, bytes, findings| {
        records += 1;
        match Record::decode(position, bytes) {
            Ok(record) => findings.extend(walk.step(&record).map(|what| Finding { position, what })),
            Err(e) => findings.push(Finding { position, what: e.what }),
        }
    });
    Ok(Verified { records, position, findings })
}

/// What holds between the records of a whole log.
#[derive(Default)]
struct Walk {
    last_recorded: Option<Timestamp>,
    dossiers: HashMap<Code, (u32, u64)>,
}

impl Walk {
    fn step(&mut self, record: &Record) -> Option<String> {
        let earlier = self.last_recorded.is_some_and(|t| record.recorded_at < t);
        self.last_recorded = Some(record.recorded_at);
        let here = (record.dossier_version, record.position);
        let before = self.dossiers.insert(record.statement.dossier.clone(), here);
        let follows = match before {
            Some((version, position)) => record.dossier_version == version + 1 && record.previous == Some(position),
            None => record.dossier_version == 1 && record.previous.is_none(),
        };
        if earlier {
            return Some("it was recorded before the record before it".to_owned());
        }
        (!follows).then(|| format!("it does not follow the record before it of {}", record.statement.dossier))
    }
}
