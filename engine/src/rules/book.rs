//! The versions of every rule, and which one is in force for whom.
//!
//! Pure. In force for a dossier is, of the versions recorded before its reception, the one with the greatest
//! `effective_from` that is not after the day of reception; of several with the same day the one recorded last. So a later
//! publication never changes what was promised, and a replay finds the same versions again.

use super::law::{Apology, EVERY_UNIT, LetterBy, Procedure, Publication, Rule, RuleKind, Unfit, Unit};
use super::{Code, DEFINITIONS, Definition, HCMC_5157, unit_within};
use crate::calendar::WorkingTime;
use crate::time::{Date, Due, Timestamp, Zone};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One version of one rule, where it was recorded.
#[derive(Clone, Debug)]
pub struct Version {
    /// 1, 2, … among the recorded versions of its rule; 0 of one that is built in.
    pub number: u32,
    /// Its record; none if it is built in.
    pub position: Option<u64>,
    /// What was published.
    pub publication: Arc<Publication>,
    /// A calendar laid out for counting.
    working_time: Option<Arc<WorkingTime>>,
}

/// Which version of a rule a dossier follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The kind of rule.
    pub kind: RuleKind,
    /// Its code.
    pub code: Code,
    /// The version's number; 0 if it is built in.
    pub number: u32,
}

/// The rules that a dossier follows for all time: those in force when it was received.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// Their versions.
    pub pins: Vec<Pin>,
    /// The working time of its unit, if a calendar was in force.
    pub working_time: Option<Arc<WorkingTime>>,
    /// Its procedure.
    procedure: Option<Arc<Publication>>,
    /// The apology policy of its unit.
    pub letter_by: LetterBy,
    /// How many letters may give a new promise before the next is flagged.
    pub reschedulings: u32,
}

impl PartialEq for Pinned {
    fn eq(&self, other: &Pinned) -> bool {
        self.pins == other.pins
    }
}

impl Eq for Pinned {}

impl Pinned {
    /// What a dossier follows for which nothing was published: no calendar, and letters by the appointment date.
    #[must_use]
    pub fn nothing() -> Pinned {
        Pinned {
            pins: Vec::new(),
            working_time: None,
            procedure: None,
            letter_by: HCMC_5157.letter_by,
            reschedulings: HCMC_5157.reschedulings,
        }
    }

    /// Its procedure, if that was published.
    #[must_use]
    pub fn procedure(&self) -> Option<&Procedure> {
        match &self.procedure.as_ref()?.rule {
            Rule::Procedure(procedure) => Some(procedure),
            _ => None,
        }
    }

    /// `L` of definitions.md I.5: the last tick at which the letter for a promise is in time, which was given or last
    /// shifted at `made`. Without a calendar it is the end of the appointment date.
    #[must_use]
    pub fn letter_deadline(&self, due: Due, made: Timestamp, home: &Zone) -> Timestamp {
        let date = due.date(home);
        let (Some(working), letter_by) = (&self.working_time, self.letter_by) else { return home.last_tick(date) };
        match letter_by {
            LetterBy::WorkingDaysBefore(0) | LetterBy::WorkingDaysAfter(0) => home.last_tick(date),
            LetterBy::WorkingDaysBefore(days) => {
                let day = working.working_day_before(date, days);
                home.last_tick(if home.date(made) > day { date } else { day })
            }
            LetterBy::WorkingDaysAfter(days) => home.last_tick(working.working_day_after(date, days)),
            LetterBy::WorkingHoursAfter(hours) => {
                working.add(due.last_moment(home), i64::from(hours) * crate::calendar::MS_PER_HOUR)
            }
        }
    }
}

/// A publication that can be applied, laid out for counting.
#[derive(Clone, Debug)]
pub struct Fit {
    publication: Arc<Publication>,
    working_time: Option<Arc<WorkingTime>>,
}

impl Fit {
    /// Looks whether it can be applied where `home` is the zone.
    ///
    /// # Errors
    /// [`Unfit`] says why not.
    pub fn new(publication: Publication, home: Zone) -> Result<Fit, Unfit> {
        publication.check()?;
        let working_time = match &publication.rule {
            Rule::Calendar(calendar) => Some(Arc::new(WorkingTime::new(calendar.clone(), home)?)),
            _ => None,
        };
        Ok(Fit { publication: Arc::new(publication), working_time })
    }

    /// What is published.
    #[must_use]
    pub fn publication(&self) -> &Publication {
        &self.publication
    }
}

/// All versions of all rules.
#[derive(Clone, Debug)]
pub struct Rulebook {
    home: Zone,
    /// Of each kind, by code.
    rules: [BTreeMap<Code, Vec<Version>>; RuleKind::ALL.len()],
    /// What was pinned before: most dossiers share a handful of combinations.
    pinned: Vec<Arc<Pinned>>,
}

impl Rulebook {
    /// Without any rule but the definitions and the policy that every directory has; `home` is its zone.
    #[must_use]
    pub fn new(home: Zone) -> Rulebook {
        Rulebook { home, rules: Default::default(), pinned: vec![Arc::new(Pinned::nothing())] }
    }

    /// The zone in which days of reception are made.
    #[must_use]
    pub fn home(&self) -> &Zone {
        &self.home
    }

    /// Adds a version; `position` is its record, none if it is built in. Its number among the recorded ones.
    ///
    /// # Errors
    /// [`Unfit`] if it cannot be applied.
    pub fn publish(&mut self, publication: Publication, position: Option<u64>) -> Result<u32, Unfit> {
        Ok(self.add(Fit::new(publication, self.home)?, position))
    }

    /// The same of one that is known to be fit.
    pub fn add(&mut self, fit: Fit, position: Option<u64>) -> u32 {
        let Fit { publication, working_time } = fit;
        let of_kind = &mut self.rules[publication.rule.kind() as usize];
        let versions = of_kind.entry(publication.code.clone()).or_default();
        let before = versions.last().map_or(0, |v| v.number);
        let number = if position.is_some() { before + 1 } else { 0 };
        versions.push(Version { number, position, publication, working_time });
        number
    }

    /// The versions of a rule in the order in which they were recorded, the built-in ones first.
    #[must_use]
    pub fn versions(&self, kind: RuleKind, code: &str) -> &[Version] {
        self.rules[kind as usize].get(code).map_or(&[], Vec::as_slice)
    }

    /// Every version of every rule, by kind and code.
    pub fn all(&self) -> impl Iterator<Item = &Version> {
        self.rules.iter().flat_map(BTreeMap::values).flatten()
    }

    fn is_empty(&self) -> bool {
        self.rules.iter().all(BTreeMap::is_empty)
    }

    /// The newest version, if this publication only repeats it.
    #[must_use]
    pub fn repeated(&self, publication: &Publication) -> Option<&Version> {
        self.newest(publication.rule.kind(), &publication.code).filter(|v| *v.publication == *publication)
    }

    /// The newest recorded version of a rule, whatever it is in force for.
    #[must_use]
    pub fn newest(&self, kind: RuleKind, code: &str) -> Option<&Version> {
        self.versions(kind, code).last()
    }

    /// The version in force for what was received on `day` and recorded at `position`.
    #[must_use]
    pub fn in_force(&self, kind: RuleKind, code: &str, day: Date, position: u64) -> Option<&Version> {
        let recorded_before = self.versions(kind, code).iter().filter(|v| v.position.is_none_or(|p| p < position));
        // The last of equals is the one that was recorded last.
        recorded_before.filter(|v| v.publication.effective_from <= day).max_by_key(|v| v.publication.effective_from)
    }

    /// A definition of rates by its id: a built-in one, or the published one in force on `day`.
    #[must_use]
    pub fn definition(&self, id: &str, day: Date) -> Option<Definition> {
        let published = self.in_force(RuleKind::Definition, id, day, u64::MAX).map(|v| &v.publication.rule);
        match published {
            Some(Rule::Definition(definition)) => Some(*definition),
            _ => DEFINITIONS.into_iter().find(|d| d.id == id),
        }
    }

    /// Whether a reason that is published on `day` is objective.
    #[must_use]
    pub fn objective(&self, code: &str, day: Date) -> Option<bool> {
        match &self.in_force(RuleKind::Reason, code, day, u64::MAX)?.publication.rule {
            Rule::Reason(reason) => Some(reason.objective),
            _ => None,
        }
    }

    /// What the nearest of a unit and those above it says: by the segments of its code, then of every unit.
    fn of_unit<T>(&self, unit: &str, day: Date, position: u64, said: impl Fn(&Unit) -> Option<T>) -> Option<T> {
        let mut code = Some(unit);
        std::iter::from_fn(|| {
            let this = code?;
            code = this.rsplit_once('.').map(|(above, _)| above);
            Some(this)
        })
        .chain([EVERY_UNIT])
        .find_map(|code| match &self.in_force(RuleKind::Unit, code, day, position)?.publication.rule {
            Rule::Unit(unit) => said(unit),
            _ => None,
        })
    }

    /// The rules for a dossier of a unit and a procedure that was received at `received` and recorded at `position`.
    pub fn pin(&mut self, unit: &str, procedure: Option<&str>, received: Timestamp, position: u64) -> Arc<Pinned> {
        if self.is_empty() {
            return Arc::clone(&self.pinned[0]);
        }
        let found = self.look_up(unit, procedure, received, position);
        if let Some(known) = self.pinned.iter().find(|known| known.pins == found.pins) {
            return Arc::clone(known);
        }
        let pinned = Arc::new(found);
        self.pinned.push(Arc::clone(&pinned));
        pinned
    }

    /// The same, without keeping it.
    #[must_use]
    pub fn look_up(&self, unit: &str, procedure: Option<&str>, received: Timestamp, position: u64) -> Pinned {
        let mut found = Pinned::nothing();
        if self.is_empty() {
            return found;
        }
        let day = self.home.date(received);
        let mut pins = Vec::with_capacity(3);
        let mut in_force = |kind: RuleKind, code: &str| {
            let version = self.in_force(kind, code, day, position)?;
            pins.push(Pin { kind, code: version.publication.code.clone(), number: version.number });
            Some(version)
        };
        let calendar = self.of_unit(unit, day, position, |unit| unit.calendar.clone());
        found.working_time =
            calendar.and_then(|code| in_force(RuleKind::Calendar, &code)).and_then(|v| v.working_time.clone());
        let apology = self.of_unit(unit, day, position, |unit| unit.apology.clone());
        let apology = apology.and_then(|code| in_force(RuleKind::Apology, &code)).map(|v| &v.publication.rule);
        if let Some(Rule::Apology(Apology { letter_by, reschedulings, .. })) = apology {
            (found.letter_by, found.reschedulings) = (*letter_by, *reschedulings);
        }
        let procedure = procedure.and_then(|code| in_force(RuleKind::Procedure, code));
        found.procedure = procedure.map(|v| Arc::clone(&v.publication));
        found.pins = pins;
        found
    }

    /// The rules of these pins; nothing if one of them is not there.
    #[must_use]
    pub fn pinned_as(&self, pins: &[Pin]) -> Option<Pinned> {
        let mut found = Pinned { pins: pins.to_vec(), ..Pinned::nothing() };
        for pin in pins {
            let version = self.versions(pin.kind, &pin.code).iter().find(|v| v.number == pin.number)?;
            match &version.publication.rule {
                Rule::Calendar(_) => found.working_time = version.working_time.clone(),
                Rule::Apology(Apology { letter_by, reschedulings, .. }) => {
                    (found.letter_by, found.reschedulings) = (*letter_by, *reschedulings);
                }
                Rule::Procedure(_) => found.procedure = Some(Arc::clone(&version.publication)),
                _ => return None,
            }
        }
        Some(found)
    }

    /// The units that belong to `unit` on `day`, besides those whose codes begin with its segments.
    #[must_use]
    pub fn merged_into(&self, unit: &str, day: Date) -> BTreeSet<Code> {
        // By the unit they belong to, so that those of a unit and all below it stand together.
        let mut members: BTreeMap<&str, Vec<&Code>> = BTreeMap::new();
        for code in self.rules[RuleKind::Unit as usize].keys() {
            let Some(version) = self.in_force(RuleKind::Unit, code, day, u64::MAX) else { continue };
            let Rule::Unit(member) = &version.publication.rule else { continue };
            let now = |p: &&super::Parent| p.from.is_none_or(|from| from <= day) && p.to.is_none_or(|to| day < to);
            for parent in member.parents.iter().filter(now) {
                members.entry(&parent.unit).or_default().push(code);
            }
        }
        let mut found: BTreeSet<Code> = BTreeSet::new();
        let mut above: Vec<Code> = vec![unit.into()];
        while let Some(parent) = above.pop() {
            let below = members.range(&*parent..).take_while(|(unit, _)| unit.starts_with(&*parent));
            for member in below.filter(|(unit, _)| unit_within(unit, &parent)).flat_map(|(_, members)| members) {
                // Units that name each other as parents are each found once.
                if found.insert(Arc::clone(member)) {
                    above.push(Arc::clone(member));
                }
            }
        }
        found
    }
}
