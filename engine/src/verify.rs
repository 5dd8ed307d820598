//! Verification: reads everything again, what could change from a copy, and says everything that is wrong.

use crate::directory::{self, DirectoryError};
use crate::log::{Finding, Inspected, LogError, SledLog, inspect};
use crate::record::Logged;
use crate::rules::{Code, RuleKind};
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

/// Verifies the data directory at `path`; `scratch` is an empty directory on a disk with room for a copy of what is
/// not sealed.
///
/// The directory is only read: opening a sled database changes it, so its copy is opened; sealed files are read where they
/// are. It must not be in use.
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
    let log = match Inspected::open(path, scratch) {
        Ok(log) => log,
        Err(e) => return one(e),
    };
    let mut records = 0;
    let mut walk = Walk::default();
    let (position, findings) = inspect(&log, genesis, |position, bytes, findings| {
        records += 1;
        match Logged::decode(position, bytes) {
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
    rules: HashMap<(RuleKind, Code), (u32, u64)>,
}

impl Walk {
    fn step(&mut self, logged: &Logged) -> Option<String> {
        let earlier = self.last_recorded.is_some_and(|t| logged.recorded_at() < t);
        self.last_recorded = Some(logged.recorded_at());
        let (of, version, previous, before) = match logged {
            Logged::Event(record) => {
                let dossier = &record.statement.dossier;
                let here = (record.dossier_version, record.position);
                (dossier, here.0, record.previous, self.dossiers.insert(dossier.clone(), here))
            }
            Logged::Rule(record) => {
                let rule = (record.publication.rule.kind(), record.publication.code.clone());
                let here = (record.version, record.position);
                (&record.publication.code, here.0, record.previous, self.rules.insert(rule, here))
            }
        };
        if earlier {
            return Some("it was recorded before the record before it".to_owned());
        }
        let follows = match before {
            Some((before, position)) => version == before + 1 && previous == Some(position),
            None => version == 1 && previous.is_none(),
        };
        (!follows).then(|| format!("it does not follow the record before it of {of}"))
    }
}
