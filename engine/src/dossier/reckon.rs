//! What the rules in force make of an event: dues where the desk gives none, and whether a payment stops the clock.
//!
//! Computed once, when the event is decided, and stored with it: a replay computes nothing and needs no calendar. What the
//! desk said is never changed by it.

use super::event::{Event, Reckoned, Statement};
use super::state::{Act, Dossier, Entry};
use super::timeline::{Comparison, Timeline};
use crate::calendar::{AfterSupplement, WorkingTime};
use crate::rules::{Pinned, Procedure, Rulebook};
use crate::time::{Due, Moment, Timestamp, Zone};

/// What the rules make of a statement about a dossier, if it is the first about it or one more.
pub(super) fn reckon(dossier: Option<&Dossier>, statement: &Statement, rules: &Rulebook) -> Reckoned {
    match (&statement.event, dossier) {
        (Event::Corrected { target_event_id, replacement: Some(restated), .. }, Some(dossier)) => {
            let Some(target) = dossier.entries.iter().find(|e| e.event_id == *target_event_id) else {
                return Reckoned::default();
            };
            let mut others = dossier.standing().into_owned();
            others.retain(|e| e.position != target.position);
            of_event(&restated.event, restated.occurred_at, target.position, Some((dossier, &others)), rules)
        }
        (event, Some(dossier)) => {
            of_event(event, statement.occurred_at, u64::MAX, Some((dossier, &dossier.standing())), rules)
        }
        (event, None) => of_event(event, statement.occurred_at, u64::MAX, None, rules),
    }
}

/// Of an event that counts at `position` beside the `others` of its dossier.
fn of_event(
    event: &Event,
    occurred_at: Timestamp,
    position: u64,
    others: Option<(&Dossier, &[Entry])>,
    rules: &Rulebook,
) -> Reckoned {
    let home = rules.home();
    let due = match (event, others) {
        (Event::Received { unit, procedure, .. }, _) => {
            let pinned = rules.look_up(unit, procedure.as_deref(), occurred_at, position);
            term_of(&pinned).and_then(|(working, procedure)| {
                // A term that ends after the year 9999 is no promise.
                working.due(Moment::Instant(occurred_at), &procedure.phases).ok()
            })
        }
        (Event::Supplemented { .. } | Event::Paid { .. }, Some((dossier, others))) if dossier.reckons => {
            term_of(&dossier.pinned)
                .and_then(|(working, procedure)| after_wait(event, occurred_at, others, home, working, procedure))
        }
        (Event::Forwarded { to_unit, .. }, Some((dossier, _))) => {
            dossier.pinned.procedure().zip(dossier.pinned.working_time.as_ref()).and_then(|(procedure, working)| {
                working.due(Moment::Instant(occurred_at), &[procedure.step_term(to_unit)?]).ok()
            })
        }
        _ => None,
    };
    let clock_stops = match (event, others) {
        (Event::PaymentRequested { .. }, Some((dossier, _))) => {
            dossier.pinned.procedure().is_some_and(|p| p.payment_stops_clock)
        }
        _ => false,
    };
    Reckoned { due, clock_stops }
}

/// Working time and procedure of a dossier, if there is a term to count.
fn term_of(pinned: &Pinned) -> Option<(&WorkingTime, &Procedure)> {
    let procedure = pinned.procedure().filter(|p| !p.phases.is_empty())?;
    Some((pinned.working_time.as_deref()?, procedure))
}

/// The promise as it stands after the wait that this answer ends; none if it ends none.
fn after_wait(
    event: &Event,
    occurred_at: Timestamp,
    others: &[Entry],
    home: &Zone,
    working: &WorkingTime,
    procedure: &Procedure,
) -> Option<Due> {
    let received = others.iter().find(|e| matches!(e.act, Act::Received(_)))?.occurred_at;
    let t = occurred_at.max(received);
    let mut entries = others.to_vec();
    let before = Timeline::fold_until(&entries, home, Comparison::Instant, t)?;
    let newest = before.promises.last()?;
    entries.push(Entry {
        position: u64::MAX,
        occurred_at,
        act: Act::of(event, Reckoned::default()),
        ..*others.first()?
    });
    let waits: Vec<_> = Timeline::fold_until(&entries, home, Comparison::Instant, t)?
        .waits
        .iter()
        .filter_map(|w| Some(w.from..w.to?))
        .collect();
    let (wait, earlier) = waits.split_last().filter(|(w, _)| w.end == t)?;
    if procedure.after_supplement == AfterSupplement::Restart {
        return working.due(Moment::Instant(t), &procedure.phases).ok();
    }
    // While the promise is what its phases make it, they are counted on; one that a letter or a desk gave is moved alone.
    let counted = |waits: &[std::ops::Range<Timestamp>]| {
        working.due_after(Moment::Instant(received), &procedure.phases, waits, AfterSupplement::Resume).ok()
    };
    if counted(earlier) == Some(newest.due) {
        return counted(&waits);
    }
    working.resume(newest.due, *procedure.phases.last()?, wait.clone()).ok()
}
