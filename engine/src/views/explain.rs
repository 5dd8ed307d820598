//! Why a dossier is due when it is: the rules it follows, the days of its term, what each wait and each letter did.
//!
//! A fold over the records of one dossier, made when it is asked for. What was reckoned is stored with the events and is only
//! repeated here; the days are walked again by the calendar that the dossier is pinned to. The words are others'.

use super::slip::told;
use crate::calendar::{AfterSupplement, Explanation, TermError, WorkingTime};
use crate::dossier::{Act, Code, Comparison, Dossier, Entry, Event, Letter, Timeline};
use crate::record::Record;
use crate::rules::Pinned;
use crate::time::{Due, Moment, Timestamp, Zone};
use std::sync::Arc;

/// The most days that are told one by one: a term of ten years is told by its ends.
const MOST_DAYS: i32 = 3_660;

/// Why a dossier is due when it is.
#[derive(Clone, Debug)]
pub struct Explained<'a> {
    /// The rules it is pinned to.
    pub pinned: &'a Pinned,
    /// The unit that answers for it.
    pub unit: Option<&'a Code>,
    /// The procedure it names, published or not.
    pub procedure: Option<&'a Code>,
    /// When it was received.
    pub received: Timestamp,
    /// The due that the desk gave at the reception; it counts before what the rules give.
    pub given: Option<Due>,
    /// The due that the rules gave then, as it is recorded.
    pub reckoned: Option<Due>,
    /// The days of its term.
    pub term: ExplainedTerm<'a>,
    /// Its waits in their order.
    pub waits: Vec<ExplainedWait>,
    /// Its letters of apology in their order.
    pub letters: Vec<ExplainedLetter>,
}

/// How the term was counted, or why none was.
#[derive(Clone, Debug)]
pub enum ExplainedTerm<'a> {
    /// No calendar is in force for its unit.
    NoCalendar,
    /// It names no procedure, or one that is not in force.
    NoProcedure,
    /// Its procedure has no term: only the desk knows it.
    NoTerm,
    /// It ends after the year 9999.
    TooFar,
    /// It is too long to be told day by day; when it ends.
    TooLong(Due),
    /// Day by day.
    Days(Explanation<'a>),
}

/// What a wait for the applicant did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExplainedWait {
    /// The request that began it.
    pub from: Timestamp,
    /// The answer that ended it, if one has.
    pub to: Option<Timestamp>,
    /// What became of the newest promise.
    pub effect: WaitEffect,
    /// The newest promise before the wait.
    pub before: Option<Due>,
    /// The same after it.
    pub after: Option<Due>,
    /// Its length in days of the calendar on the wall, by the dates of its ends.
    pub days: i32,
    /// Its length in working days: those after its first day up to its last. Not known without a calendar.
    pub working_days: Option<i64>,
}

/// What a wait did to the newest promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEffect {
    /// It lasts.
    Lasts,
    /// The dossier ended in it.
    Ended,
    /// The desk said when the dossier is due now.
    Given,
    /// By the rules what was left of the term is counted on.
    Resumed,
    /// By the rules the whole term is counted anew.
    Restarted,
    /// Neither said anything: it moved by the time waited.
    Shifted,
    /// It had been missed before, so it stays.
    Missed,
    /// There is none.
    NoPromise,
}

impl WaitEffect {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            WaitEffect::Lasts => "lasts",
            WaitEffect::Ended => "ended",
            WaitEffect::Given => "given",
            WaitEffect::Resumed => "resumed",
            WaitEffect::Restarted => "restarted",
            WaitEffect::Shifted => "shifted",
            WaitEffect::Missed => "missed",
            WaitEffect::NoPromise => "no_promise",
        }
    }
}

/// What a letter of apology did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedLetter {
    /// When it was sent, or at the reception if it is stamped before.
    pub at: Timestamp,
    /// Its number.
    pub number: Option<Code>,
    /// What it did.
    pub effect: LetterEffect,
    /// The newest promise when it was sent: 1, 2, …; 0 if there was none.
    pub promise: u32,
    /// Until when a letter for that promise is in time, by the policy.
    pub deadline: Option<Timestamp>,
    /// Whether that promise was missed by then: only this makes an obligation.
    pub missed: bool,
    /// The new promise that it names.
    pub new_due: Option<Due>,
    /// Whether that became a promise.
    pub gave_promise: bool,
}

/// What a letter did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterEffect {
    /// It answers its promise in time.
    InTime,
    /// It answers its promise, but too late.
    Late,
    /// It lacks a reason or a later new promise: it answers nothing.
    Defective,
    /// It is valid, but its promise was answered before, or there was none.
    AnswersNothing,
}

impl LetterEffect {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LetterEffect::InTime => "in_time",
            LetterEffect::Late => "late",
            LetterEffect::Defective => "defective",
            LetterEffect::AnswersNothing => "answers_nothing",
        }
    }
}

/// Why a dossier is due when it is, as of some moment; `None` if it was not received by then. `records` are those of the
/// dossier, corrections among them.
#[must_use]
pub fn explain<'a>(dossier: &'a Dossier, records: &[Record], home: &Zone, as_of: Timestamp) -> Option<Explained<'a>> {
    let standing = dossier.standing();
    let by_date = Comparison::Date(home);
    let timeline = Timeline::fold_until(&standing, home, by_date, as_of).filter(|t| t.received <= as_of)?;
    let reception = standing.iter().find(|e| matches!(e.act, Act::Received(_)))?;
    let (event, reckoned) = told(dossier, records, reception.position)?;
    let story = Story { dossier, records, home, as_of, standing: &standing, timeline: &timeline };
    Some(Explained {
        pinned: &dossier.pinned,
        unit: dossier.keys.unit.as_ref(),
        procedure: dossier.keys.procedure.as_ref(),
        received: timeline.received,
        given: event.due().map(|(_, due)| due),
        reckoned: reckoned.due,
        term: term(&dossier.pinned, timeline.received),
        waits: (0..timeline.waits.len()).map(|i| story.wait(i)).collect(),
        letters: story.letters(),
    })
}

fn term(pinned: &Pinned, received: Timestamp) -> ExplainedTerm<'_> {
    let Some(working) = pinned.working_time.as_deref() else { return ExplainedTerm::NoCalendar };
    let Some(procedure) = pinned.procedure() else { return ExplainedTerm::NoProcedure };
    let explain = |working: &'_ WorkingTime| {
        let due = working.due(Moment::Instant(received), &procedure.phases)?;
        let days = due.date(working.zone()).0.saturating_sub(working.zone().date(received).0);
        Ok((due, days <= MOST_DAYS))
    };
    let explained = explain(working).and_then(|(due, short)| {
        if !short {
            return Ok(ExplainedTerm::TooLong(due));
        }
        working.explain(Moment::Instant(received), &procedure.phases).map(ExplainedTerm::Days)
    });
    match explained {
        Ok(term) => term,
        Err(TermError::NoTerm) => ExplainedTerm::NoTerm,
        Err(TermError::TooFar) => ExplainedTerm::TooFar,
    }
}

/// A dossier's history, folded, and what it is folded from.
struct Story<'a> {
    dossier: &'a Dossier,
    records: &'a [Record],
    home: &'a Zone,
    as_of: Timestamp,
    standing: &'a [Entry],
    timeline: &'a Timeline,
}

impl Story<'_> {
    fn counts_at(&self, entry: &Entry) -> Timestamp {
        entry.occurred_at.max(self.timeline.received)
    }

    /// The history up to `t`, without the events of that moment that `left_out` names.
    fn until(&self, t: Timestamp, left_out: impl Fn(&Entry) -> bool) -> Option<Timeline> {
        let mut entries = self.standing.to_vec();
        entries.retain(|e| self.counts_at(e) != t || !left_out(e));
        Timeline::fold_until(&entries, self.home, Comparison::Date(self.home), t)
    }

    fn wait(&self, index: usize) -> ExplainedWait {
        let wait = self.timeline.waits[index];
        let home = self.home;
        let newest = |timeline: Option<Timeline>| timeline.and_then(|t| t.promises.last().copied());
        let (effect, before, after) = match (wait.to, self.timeline.end) {
            (Some(to), _) => {
                let answers = |e: &Entry| matches!(e.act, Act::Supplemented(_) | Act::Paid(_));
                let answer = self.standing.iter().rfind(|e| answers(e) && self.counts_at(e) == to);
                let before = newest(self.until(to, answers));
                let after = newest(self.until(to, |_| false));
                (self.effect(answer, before.map(|p| p.missed_by(to))), before, after)
            }
            (None, end) => {
                let newest = self.timeline.promises.last().copied();
                (if end.is_some() { WaitEffect::Ended } else { WaitEffect::Lasts }, newest, newest)
            }
        };
        let length = wait.to.map(|to| (home.date(wait.from), home.date(to)));
        let working = self.dossier.pinned.working_time.as_deref();
        ExplainedWait {
            from: wait.from,
            to: wait.to,
            effect,
            before: before.map(|p| p.due),
            after: after.map(|p| p.due),
            days: length.map_or(0, |(from, to)| to.0.saturating_sub(from.0)),
            working_days: working.zip(length).map(|(working, (from, to))| working.working_days_between(from, to)),
        }
    }

    /// What an answer did to the newest promise, which was missed before or not, if there was one.
    fn effect(&self, answer: Option<&Entry>, missed: Option<bool>) -> WaitEffect {
        let told = answer.and_then(|e| told(self.dossier, self.records, e.position));
        let given = told.and_then(|(event, _)| event.due()).is_some();
        let reckoned = told.and_then(|(_, reckoned)| reckoned.due).is_some();
        let restarts = || self.dossier.pinned.procedure().map(|p| p.after_supplement) == Some(AfterSupplement::Restart);
        match missed {
            Some(true) => WaitEffect::Missed,
            _ if given => WaitEffect::Given,
            _ if reckoned && restarts() => WaitEffect::Restarted,
            _ if reckoned => WaitEffect::Resumed,
            Some(false) => WaitEffect::Shifted,
            None => WaitEffect::NoPromise,
        }
    }

    fn letters(&self) -> Vec<ExplainedLetter> {
        let one = |letter: &Letter| {
            let entry = self.standing.iter().find(|e| e.position == letter.position)?;
            let at = self.counts_at(entry);
            // What stands behind it at the same moment came after it; an end decides for the whole history.
            let later = |e: &Entry| e.position >= letter.position && !e.act.event_type().ends();
            let before = self.until(at, later)?;
            let promise = before.promises.len();
            let answered = before.promises.last().is_none_or(|p| p.letter.is_some());
            // The deadline follows the promise, which a wait after the letter may have moved.
            let now = promise.checked_sub(1).and_then(|i| self.timeline.promises.get(i));
            let deadline = now.map(|p| self.dossier.pinned.letter_deadline(p.due, p.made, self.home));
            let effect = match deadline {
                _ if !letter.valid => LetterEffect::Defective,
                Some(deadline) if !answered && at <= deadline => LetterEffect::InTime,
                Some(_) if !answered => LetterEffect::Late,
                _ => LetterEffect::AnswersNothing,
            };
            let number = match told(self.dossier, self.records, entry.position)?.0 {
                Event::ApologySent { letter_number, .. } => letter_number.as_ref().map(Arc::clone),
                _ => None,
            };
            Some(ExplainedLetter {
                at,
                number,
                effect,
                promise: u32::try_from(promise).unwrap_or(u32::MAX),
                deadline,
                missed: now.is_some_and(|p| p.missed_by(self.as_of)),
                new_due: entry.act.due(),
                gave_promise: letter.gave_promise,
            })
        };
        self.timeline.letters.iter().filter_map(one).collect()
    }
}
