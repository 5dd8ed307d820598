//! A whole log made at once: simulated history, decided by the same rules as at a server, but without queue and views.
//!
//! What a server decides about a dossier depends on that dossier and on the clock, on nothing else. So a [`Chronicle`]
//! decides the whole life of one dossier on its own, in any thread, `Late` included; whoever makes the log merges the
//! chronicles by `recorded_at` and gives them to a [`Bulk`], which numbers, encodes and appends them. Nothing is
//! acknowledged on the way and nothing promised to anybody, so one durable sync at the end is enough: after a crash
//! before it the directory holds a whole, shorter log, or none.

use crate::directory::{Directory, DirectoryError, New};
use crate::dossier::{
    Code, Command, Decision, Dossier, Flags, Proposal, Reckoned, Rejection, Statement, alarm, decide, overdue,
};
use crate::log::{Log, LogError, Records, Roll, SledLog};
use crate::record::RecordRef;
use crate::rules::Rulebook;
use crate::time::{Timestamp, Zone};
use std::path::Path;
use std::sync::Arc;

/// How many groups are stored before what they hold is made durable, so that the store's memory stays bounded.
const GROUPS_PER_SYNC: u32 = 256;

/// One event of a chronicle: a record that only lacks its place in the log.
#[derive(Clone, Debug)]
pub struct Noted {
    /// When it is recorded.
    pub recorded_at: Timestamp,
    /// 1 for the dossier's first, then 2, 3, …
    pub dossier_version: u32,
    /// What does not fit.
    pub flags: Flags,
    /// What the rules in force make of it.
    pub reckoned: Reckoned,
    /// What happened.
    pub statement: Statement,
}

/// The life of one dossier, decided event by event at simulated moments.
///
/// No rule is in force for it but those that every directory has: a simulated desk gives every due itself.
pub struct Chronicle {
    rules: Rulebook,
    dossier: Dossier,
    alarm: Option<Timestamp>,
    noted: Vec<Noted>,
}

impl Chronicle {
    /// Of a dossier of which nothing is known; `home` is the zone of the data directory.
    #[must_use]
    pub fn new(code: Code, home: Zone) -> Chronicle {
        Chronicle { rules: Rulebook::new(home), dossier: Dossier::new(code), alarm: None, noted: Vec::new() }
    }

    /// Takes a command at `now`, which never decreases; what promises have passed before it get their `Late` first.
    ///
    /// # Errors
    /// The refusal, which changes nothing; saying an event twice changes nothing either.
    pub fn take(&mut self, command: &Command, now: Timestamp) -> Result<(), Rejection> {
        self.wait_until(now);
        let known = (!self.dossier.entries.is_empty()).then_some(&self.dossier);
        if let Decision::Log(proposals) = decide(known, command, now, &self.rules)? {
            for proposal in proposals {
                self.note(proposal, now);
            }
            self.set_alarm();
        }
        Ok(())
    }

    /// Lets time pass up to, not including, `now`.
    pub fn wait_until(&mut self, now: Timestamp) {
        while let Some(alarm) = self.alarm.filter(|t| *t < now) {
            let recorded = self.noted.last().map_or(alarm, |n| n.recorded_at.max(alarm));
            for late in overdue(&self.dossier, alarm, self.rules.home()) {
                self.note(late, recorded);
            }
            self.set_alarm();
        }
    }

    /// Everything noted, in order.
    #[must_use]
    pub fn into_noted(self) -> Vec<Noted> {
        self.noted
    }

    fn set_alarm(&mut self) {
        self.alarm = alarm(&self.dossier, self.rules.home());
    }

    fn note(&mut self, proposal: Proposal, now: Timestamp) {
        // Its place among the dossier's own: only the order matters to the rules.
        let entry = proposal.entry(self.dossier.entries.len() as u64, now);
        let Proposal { statement, reckoned, flags, .. } = proposal;
        self.dossier.evolve(&statement.event, reckoned, entry, &mut self.rules);
        let dossier_version = self.dossier.version();
        self.noted.push(Noted { recorded_at: now, dossier_version, flags, reckoned, statement });
    }
}

/// A data directory whose log is being made.
pub struct Bulk {
    log: Log,
    home: Arc<SledLog>,
    _directory: Directory,
    recorded: Timestamp,
    groups: u32,
}

impl Bulk {
    /// Makes a data directory at `path`; one that holds a record already is refused.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn create(path: &Path, zone: Zone) -> Result<Bulk, DirectoryError> {
        Bulk::create_rolling(path, zone, Roll::AT)
    }

    /// The same, with a log that goes on in a new part at every `roll_at` bytes.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn create_rolling(path: &Path, zone: Zone, roll_at: u64) -> Result<Bulk, DirectoryError> {
        let directory = Directory::open(path, Some(zone), Some(New { zone, rules: None }))?;
        let home = Arc::new(directory.open_log(roll_at)?);
        let log = Log::open(Box::new(Arc::clone(&home)), directory.genesis(), |_, _| {
            Err(LogError::Unavailable(format!("{} holds a log already; name an empty place", path.display())))
        })?;
        Ok(Bulk { log, home, _directory: directory, recorded: Timestamp::MIN, groups: 0 })
    }

    /// The position of the next record.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.log.length()
    }

    /// Appends a group of encoded records; `recorded` are the moments of the first and of the last.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] if the disk fails, or if the group would turn time back.
    pub fn append(&mut self, records: &Records, recorded: (Timestamp, Timestamp)) -> Result<(), LogError> {
        if recorded.0 < self.recorded || recorded.1 < recorded.0 {
            return Err(LogError::Unavailable(format!("recorded at {}, before the group before it", recorded.0)));
        }
        self.recorded = recorded.1;
        self.log.store(records)?;
        self.groups += 1;
        if self.groups.is_multiple_of(GROUPS_PER_SYNC) {
            self.log.sync()?;
        }
        Ok(())
    }

    /// Makes the log durable, whole, and seals what is full of it; returns how many records it has.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(self) -> Result<u64, LogError> {
        self.log.sync()?;
        self.home.settle()?;
        Ok(self.log.length())
    }
}

/// Adds the stored bytes of what was noted, at its place in the log, to a group.
pub fn encode(group: &mut Records, noted: &Noted, position: u64, previous: Option<u64>, author: &Code) {
    let Noted { recorded_at, dossier_version, flags, reckoned, statement } = noted;
    let (recorded_at, dossier_version, flags, reckoned) = (*recorded_at, *dossier_version, *flags, *reckoned);
    let record = RecordRef { position, recorded_at, dossier_version, previous, author, flags, reckoned, statement };
    group.push(|out| record.encode(out));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dossier::{Due, Event, EventType, Flag, Outcome};
    use crate::time::Date;
    use uuid::Uuid;

    fn say(chronicle: &mut Chronicle, n: u128, at: Timestamp, event: Event) -> Result<(), Rejection> {
        let statement = Statement {
            event_id: Uuid::from_u128(n),
            dossier: "d".into(),
            occurred_at: at,
            desk: None,
            actor: None,
            event,
        };
        chronicle.take(&Command { statement, expected_version: None, author: "".into(), imported: false }, at)
    }

    fn received(due: Date) -> Event {
        Event::Received {
            unit: "u".into(),
            procedure: None,
            field: None,
            channel: None,
            due: Some(Due::Date(due)),
            applicant_kind: None,
        }
    }

    #[test]
    fn late_is_noted_once_at_its_moment() {
        let zone = Zone::VIETNAM;
        let day = Date::new(2025, 9, 3).expect("date");
        let mut chronicle = Chronicle::new("d".into(), zone);
        say(&mut chronicle, 1, zone.first_tick(day), received(day.plus(2))).expect("received");
        let end = zone.first_tick(day.plus(5));
        say(&mut chronicle, 2, end, Event::Processed { outcome: Outcome::Granted }).expect("processed");
        let again = say(&mut chronicle, 3, end, Event::Processed { outcome: Outcome::Granted });
        assert!(matches!(again, Err(Rejection::DossierEnded { .. })), "{again:?}");
        chronicle.wait_until(Timestamp::MAX);
        let noted = chronicle.into_noted();
        let types: Vec<_> = noted.iter().map(|n| n.statement.event.event_type()).collect();
        assert_eq!(types, [EventType::Received, EventType::Late, EventType::Processed]);
        assert_eq!(noted[1].recorded_at, zone.first_tick(day.plus(3)));
        assert!(noted.iter().all(|n| !n.flags.has(Flag::RecordedLate)));
        assert!(noted.iter().zip(1..).all(|(n, version)| n.dossier_version == version));
    }

    #[test]
    fn a_log_in_use_is_left_alone_and_time_never_turns_back() {
        let place = tempfile::tempdir().expect("place");
        let zone = Zone::VIETNAM;
        let mut bulk = Bulk::create(place.path(), zone).expect("create");
        let day = Date::new(2025, 9, 3).expect("date");
        let mut chronicle = Chronicle::new("d".into(), zone);
        say(&mut chronicle, 1, zone.first_tick(day), received(day)).expect("received");
        let noted = chronicle.into_noted();
        let at = noted[0].recorded_at;
        let mut group = Records::new();
        encode(&mut group, &noted[0], 0, None, &Code::from(""));
        bulk.append(&group, (at, at)).expect("append");
        assert!(bulk.append(&group, (at.plus(-1), at)).is_err());
        assert_eq!(bulk.finish(), Ok(1));
        assert!(Bulk::create(place.path(), zone).is_err());
    }
}
