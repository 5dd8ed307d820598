//! The tracking slip of a dossier (phiếu kiểm soát): who held it, from when to when, and whether each step was in time.
//!
//! A fold over the records of one dossier, made when it is asked for: no rate needs the units of hand-overs and the dues of
//! steps, so no row keeps them. Whoever holds a dossier never moves it to another row; the unit of its reception answers
//! for it (definitions.md I.2). A late step and a late dossier are two things: neither follows from the other.

use crate::calendar::{Term, WorkingTime};
use crate::dossier::{Act, Code, Comparison, Dossier, Event, Reckoned, Timeline, Wait};
use crate::record::Record;
use crate::time::{Due, Timestamp, Zone};
use std::ops::Range;
use std::sync::Arc;

/// Who held a dossier, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slip {
    /// The steps in their order; none if the dossier was not received by then.
    pub steps: Vec<SlipStep>,
    /// Who holds it now; nobody once the applicant has the result, or after an exit.
    pub holder: Option<Code>,
}

/// A time in which one unit held a dossier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlipStep {
    /// Who handed it over; nobody at the reception.
    pub giver: Option<Code>,
    /// Who held it.
    pub unit: Option<Code>,
    /// Since when.
    pub from: Timestamp,
    /// Until when: the next hand-over or the end of the dossier; after that, the next hand-over or that of the result.
    pub until: Option<Timestamp>,
    /// The due of the step, as it was handed over with it.
    pub first_due: Option<Due>,
    /// The same as it stands: while the applicant is waited for the clock of a step stands still, too.
    pub due: Option<Due>,
    /// Whether it was done in time, by date.
    pub result: StepResult,
    /// How long the clock ran on it; not known without a calendar.
    pub held: Option<Held>,
    /// Whether the dossier had ended before: the clock runs no more.
    pub after_end: bool,
}

/// Whether a step was done in time, by the dates of the directory's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// Before its due date.
    Early,
    /// On it.
    OnDue,
    /// After it; or not yet done, and it has passed.
    Late,
    /// Not yet done, and it has not passed.
    Open,
    /// It has no due.
    NoDeadline,
}

impl StepResult {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StepResult::Early => "early",
            StepResult::OnDue => "on_due",
            StepResult::Late => "late",
            StepResult::Open => "open",
            StepResult::NoDeadline => "no_deadline",
        }
    }
}

/// How long a unit held a dossier by the calendar that the dossier follows, without the waits for the applicant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Working milliseconds.
    pub ms: i64,
    /// Working days, counted as terms are: the day on which it came, or on which a wait ended, is not one of them.
    pub days: i64,
}

impl Slip {
    /// Who held the dossier when something was missed at `t`: what is handed over at that very moment was held by the giver.
    #[must_use]
    pub fn holder_at(&self, t: Timestamp) -> Option<&Code> {
        let step = self.steps.iter().rfind(|step| step.from < t).or(self.steps.first())?;
        step.unit.as_ref()
    }

    /// The due of the step that is not done yet.
    #[must_use]
    pub fn step_due(&self) -> Option<Due> {
        self.steps.last().filter(|step| step.until.is_none()).and_then(|step| step.due)
    }
}

/// The event that stands at `position`, as it was told, and what the rules made of it. `records` are those of the dossier.
pub(super) fn told<'a>(dossier: &Dossier, records: &'a [Record], position: u64) -> Option<(&'a Event, Reckoned)> {
    let at = dossier.told_at(position);
    let record = records.iter().find(|r| r.position == at)?;
    match &record.statement.event {
        Event::Corrected { replacement, .. } => Some((&replacement.as_ref()?.event, record.reckoned)),
        event => Some((event, record.reckoned)),
    }
}

/// The slip of a dossier as of some moment; `records` are those of the dossier, corrections among them.
#[must_use]
pub fn slip(dossier: &Dossier, records: &[Record], home: &Zone, as_of: Timestamp) -> Slip {
    let standing = dossier.standing();
    let timeline = Timeline::fold_until(&standing, home, Comparison::Date(home), as_of);
    let Some(timeline) = timeline.filter(|t| t.received <= as_of) else { return Slip::default() };
    let mut handed: Vec<HandOver> = standing
        .iter()
        .filter(|e| e.act == Act::Forwarded && e.occurred_at <= as_of)
        .filter_map(|e| match told(dossier, records, e.position)? {
            (Event::Forwarded { to_unit, step_due }, reckoned) => Some(HandOver {
                at: e.occurred_at.max(timeline.received),
                position: e.position,
                to: Some(Arc::clone(to_unit)),
                due: step_due.or(reckoned.due),
            }),
            _ => None,
        })
        .collect();
    handed.sort_by_key(|h| (h.at, h.position));
    let reception = HandOver { at: timeline.received, position: 0, to: dossier.keys.unit.clone(), due: None };
    handed.insert(0, reception);
    let clock = Clock { dossier, home, as_of, timeline: &timeline };
    let steps: Vec<SlipStep> = handed
        .iter()
        .enumerate()
        .map(|(i, this)| {
            let giver = i.checked_sub(1).and_then(|before| handed[before].to.clone());
            clock.step(i == 0, giver, this, handed.get(i + 1).map(|next| next.at))
        })
        .collect();
    let gone = timeline.end.is_some_and(|end| !end.kind.is_processed() || timeline.returned.is_some());
    let holder = steps.last().filter(|_| !gone).and_then(|step| step.unit.clone());
    Slip { steps, holder }
}

/// The reception, or a `Forwarded`.
struct HandOver {
    at: Timestamp,
    position: u64,
    to: Option<Code>,
    due: Option<Due>,
}

/// What the steps of a dossier are measured by.
struct Clock<'a> {
    dossier: &'a Dossier,
    home: &'a Zone,
    as_of: Timestamp,
    timeline: &'a Timeline,
}

impl Clock<'_> {
    fn step(&self, first: bool, giver: Option<Code>, this: &HandOver, next: Option<Timestamp>) -> SlipStep {
        let end = self.timeline.end;
        let after_end = !first && end.is_some_and(|end| (this.at, this.position) > (end.at, end.position));
        let until = if after_end {
            next.or(self.timeline.returned.filter(|t| *t >= this.at))
        } else {
            let end = end.map(|end| end.at);
            next.into_iter().chain(end).min()
        };
        let stop = until.unwrap_or(self.as_of);
        let waits = if after_end { Vec::new() } else { waits_in(&self.timeline.waits, this.at..stop) };
        let due = this.due.map(|due| self.moved(due, this.to.as_deref(), &waits));
        let held = self
            .dossier
            .pinned
            .working_time
            .as_deref()
            .map(|working| if after_end { Held::default() } else { held(working, this.at..stop, &waits) });
        // Waiting, the step stands where the wait found it.
        let judged = waits.last().filter(|wait| !wait.answered).map_or(stop, |wait| wait.from);
        let result = match due.map(|due| self.home.date(judged).cmp(&due.date(self.home))) {
            None => StepResult::NoDeadline,
            Some(std::cmp::Ordering::Greater) => StepResult::Late,
            Some(_) if until.is_none() => StepResult::Open,
            Some(std::cmp::Ordering::Less) => StepResult::Early,
            Some(std::cmp::Ordering::Equal) => StepResult::OnDue,
        };
        let (unit, first_due) = (this.to.clone(), this.due);
        SlipStep { giver, unit, from: this.at, until, first_due, due, result, held, after_end }
    }

    /// A step's due after the waits in it: what was left of it is counted on, as the rules do with a term; without a
    /// calendar it moves by the time waited. One that had passed before stays.
    fn moved(&self, mut due: Due, unit: Option<&str>, waits: &[StepWait]) -> Due {
        let term = self.dossier.pinned.procedure().zip(unit).and_then(|(procedure, unit)| procedure.step_term(unit));
        let term = term.unwrap_or(match due {
            Due::Date(_) => Term::WorkingDays(1),
            Due::Instant(_) => Term::Hours(1),
        });
        for wait in waits.iter().filter(|wait| wait.answered) {
            let (from, to) = (wait.from, wait.to);
            let dates = (self.home.date(from), self.home.date(to));
            due = match (&self.dossier.pinned.working_time, due) {
                // A term that ends after the year 9999 stays as it was.
                (Some(working), _) => working.resume(due, term, from..to).unwrap_or(due),
                (None, Due::Date(date)) if dates.0 <= date => Due::Date(date.plus(dates.1.0 - dates.0.0)),
                (None, Due::Instant(at)) if from <= at => Due::Instant(at.plus(to.since(from))),
                (None, passed) => passed,
            };
        }
        due
    }
}

/// The part of a wait that lies in a step.
struct StepWait {
    from: Timestamp,
    to: Timestamp,
    /// Whether it ended in the step; if not, the step ended, or stands, waiting.
    answered: bool,
}

fn waits_in(waits: &[Wait], step: Range<Timestamp>) -> Vec<StepWait> {
    let of = |wait: &Wait| {
        let (from, to) = (wait.from.max(step.start), wait.to.unwrap_or(Timestamp::MAX));
        (from <= step.end && step.start < to).then_some(StepWait {
            from,
            to: to.min(step.end),
            answered: to <= step.end,
        })
    };
    waits.iter().filter_map(of).collect()
}

/// The working time of a step without the waits in it, which are in their order and do not overlap.
fn held(working: &WorkingTime, step: Range<Timestamp>, waits: &[StepWait]) -> Held {
    let date = |t| working.zone().date(t);
    let mut held = Held::default();
    let mut from = step.start;
    for (to, then) in waits.iter().map(|wait| (wait.from, wait.to)).chain([(step.end, step.end)]) {
        held.ms += working.between(from, to);
        held.days += working.working_days_between(date(from), date(to));
        from = then;
    }
    held
}
