//! The history of a dossier, folded: its promises, when each was missed, its waits and its end.
//!
//! This is definitions.md I.2, I.3 and the letters of I.5, and the only place that knows them. The fold runs over the
//! *whole* known history in business time. A figure at an earlier cut `c` reads from the same result: a promise was
//! missed by `c` if `missed <= c`, had been given by `c` if `given <= c`, and so on. That is sound because whatever
//! happens after `c` never changes a miss at or before `c`.

use super::state::{Act, Entry};
use crate::time::{Date, Due, Timestamp, Zone};

/// How a promise is compared with a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison<'a> {
    /// To the millisecond.
    Instant,
    /// By local dates of this zone: the whole due date counts.
    Date(&'a Zone),
}

impl Comparison<'_> {
    /// The first tick at which a promise is no longer kept.
    fn broken_from(self, due: Due, home: &Zone) -> Timestamp {
        match self {
            Comparison::Instant => due.last_moment(home).plus(1),
            Comparison::Date(zone) => zone.first_tick(due.date(zone).plus(1)),
        }
    }
}

/// One promise as it stands after all shifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// When it ends.
    pub due: Due,
    /// When it was given.
    pub given: Timestamp,
    /// When it was given or last shifted.
    pub made: Timestamp,
    /// The first tick at which the clock ran and it was not kept. In the future for a dossier that is in progress:
    /// the tick at which it will be missed if nothing happens.
    pub missed: Option<Timestamp>,
    /// Whether it belongs to the run whose newest is `current`: each given before the one it replaced was missed.
    pub in_run: bool,
    /// When the valid letter that answers it was sent.
    pub letter: Option<Timestamp>,
    /// The entry of that letter, by position.
    pub answered_by: Option<u64>,
    /// When the first defective letter was sent while it was the newest promise.
    pub defective: Option<Timestamp>,
}

/// How a dossier ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    /// Granted or refused.
    Processed,
    /// Returned, though the log holds no other end.
    ReturnedOnly,
    /// Withdrawn by the applicant.
    Withdrawn,
    /// Stopped by the agency.
    Stopped,
    /// Rejected after acceptance.
    Rejected,
}

impl EndKind {
    /// Whether it counts as processed; the others are exits.
    #[must_use]
    pub fn is_processed(self) -> bool {
        matches!(self, EndKind::Processed | EndKind::ReturnedOnly)
    }
}

/// The end of a dossier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub kind: EndKind,
    /// When the clock stopped: the end, or the beginning of the wait in which it ended.
    pub stopped: Timestamp,
    /// The entry that ended it, by position.
    pub position: u64,
}

/// A time in which the clock stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The request that began it.
    pub from: Timestamp,
    /// The answer that ended it, if one has.
    pub to: Option<Timestamp>,
}

/// A request for papers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupplementRequest {
    /// When they were asked for.
    pub at: Timestamp,
    /// When they came, if they have.
    pub answered: Option<Timestamp>,
}

/// What became of a letter of apology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The entry, by position.
    pub position: u64,
    /// Whether it is valid; a defective one discharges nothing.
    pub valid: bool,
    /// Whether it gave a new promise.
    pub gave_promise: bool,
}

/// A dossier's history, folded by one comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// `R`: when it was received.
    pub received: Timestamp,
    /// Its end, whatever the cut.
    pub end: Option<End>,
    /// The first hand-over of the result.
    pub returned: Option<Timestamp>,
    /// Its promises, in the order in which they were given.
    pub promises: Vec<Promise>,
    /// Its waits.
    pub waits: Vec<Wait>,
    /// Its requests for papers before the end, in their order.
    pub requests: Vec<SupplementRequest>,
    /// Its letters.
    pub letters: Vec<Letter>,
}

impl Timeline {
    /// Of a dossier that was received then, and of which nothing else is known.
    #[must_use]
    pub fn begun(received: Timestamp) -> Timeline {
        Timeline {
            received,
            end: None,
            returned: None,
            promises: Vec::new(),
            waits: Vec::new(),
            requests: Vec::new(),
            letters: Vec::new(),
        }
    }

    /// Folds the events of a dossier that stand ([`super::Dossier::standing`]); `None` if it was never received.
    #[must_use]
    pub fn fold(entries: &[Entry], home: &Zone, by: Comparison<'_>) -> Option<Timeline> {
        Timeline::fold_until(entries, home, by, Timestamp::MAX)
    }

    /// Folds what had occurred by `c`. No figure needs this; it shows the promises as they stood, before later waits
    /// shifted them. What the whole log says decides all the same whether a `Returned` is an end.
    #[must_use]
    pub fn fold_until(entries: &[Entry], home: &Zone, by: Comparison<'_>, c: Timestamp) -> Option<Timeline> {
        let reception = entries.iter().find(|e| matches!(e.act, Act::Received(_)))?;
        Some(Fold::new(reception, home, by).run(entries, c))
    }

    /// Whether something occurred after `c`, so that promises may have been shifted since.
    #[must_use]
    pub fn goes_on_after(entries: &[Entry], c: Timestamp) -> bool {
        entries.iter().any(|e| e.occurred_at > c)
    }

    /// The newest promise of the unbroken run, among those given by `c`.
    #[must_use]
    pub fn current(&self, c: Timestamp) -> Option<&Promise> {
        self.promises.iter().rev().find(|p| p.in_run && p.given <= c)
    }

    /// The first promise, if given by `c`.
    #[must_use]
    pub fn first(&self, c: Timestamp) -> Option<&Promise> {
        self.promises.first().filter(|p| p.given <= c)
    }

    /// Whether the dossier had been received and had not ended by `c`.
    #[must_use]
    pub fn is_open(&self, c: Timestamp) -> bool {
        self.received <= c && self.end.is_none_or(|e| e.at > c)
    }

    /// Whether, open at `c`, it waited for papers after more than one request for some.
    #[must_use]
    pub fn waits_for_second_supplement(&self, c: Timestamp) -> bool {
        let asked = || self.requests.iter().filter(|r| r.at <= c);
        self.is_open(c) && asked().count() > 1 && asked().any(|r| r.answered.is_none_or(|t| t > c))
    }

    /// Whether the clock stood still at `c`, with the dossier open.
    #[must_use]
    pub fn is_waiting(&self, c: Timestamp) -> bool {
        self.is_open(c) && self.waits.iter().any(|w| w.from <= c && w.to.is_none_or(|to| to > c))
    }
}

impl Promise {
    /// Whether it had been missed by `c`.
    #[must_use]
    pub fn missed_by(&self, c: Timestamp) -> bool {
        self.missed.is_some_and(|m| m <= c)
    }
}

/// Whether an event counts beside its reception: all but the reception itself and a rejection recorded before it.
/// (Other events can stand before the reception in the log only if an earlier reception was annulled.)
fn counts(entry: &Entry, reception: &Entry) -> bool {
    entry.position > reception.position || !matches!(entry.act, Act::Received(_) | Act::Rejected)
}

/// When an event counts: never before the reception.
fn counts_at(entry: &Entry, received: Timestamp) -> Timestamp {
    entry.occurred_at.max(received)
}

/// The end, as definitions.md I.2 says: the first of the four, or else the first `Returned`.
fn end_of(entries: &[Entry], reception: &Entry) -> Option<(Timestamp, u64, EndKind)> {
    let first = |kinds: &dyn Fn(Act) -> Option<EndKind>| {
        entries
            .iter()
            .filter(|e| counts(e, reception))
            .filter_map(|e| kinds(e.act).map(|k| (counts_at(e, reception.occurred_at), e.position, k)))
            .min_by_key(|(t, position, _)| (*t, *position))
    };
    first(&|act| match act {
        Act::Processed => Some(EndKind::Processed),
        Act::Withdrawn => Some(EndKind::Withdrawn),
        Act::Stopped => Some(EndKind::Stopped),
        Act::Rejected => Some(EndKind::Rejected),
        _ => None,
    })
    .or_else(|| first(&|act| matches!(act, Act::Returned).then_some(EndKind::ReturnedOnly)))
}

/// What a wait waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Outstanding {
    from: Timestamp,
    supplement: bool,
    payment: bool,
}

/// How far a wait moves the promises.
#[derive(Clone, Copy)]
enum Distance {
    /// Whole days: between two date dues.
    Days(i32),
    /// Milliseconds between last moments.
    Ticks(i64),
    /// The time waited: local dates for a date due, milliseconds for an instant.
    Waited { days: i32, ticks: i64 },
}

struct Fold<'a> {
    home: &'a Zone,
    by: Comparison<'a>,
    reception: &'a Entry,
    timeline: Timeline,
    /// Since when the clock runs; `None` while waiting.
    running_since: Option<Timestamp>,
    outstanding: Option<Outstanding>,
}

impl<'a> Fold<'a> {
    fn new(reception: &'a Entry, home: &'a Zone, by: Comparison<'a>) -> Fold<'a> {
        let received = reception.occurred_at;
        let mut fold = Fold {
            home,
            by,
            reception,
            timeline: Timeline::begun(received),
            running_since: Some(received),
            outstanding: None,
        };
        if let Act::Received(Some(due)) = reception.act {
            fold.give(due, received, true);
        }
        fold
    }

    fn run(mut self, entries: &[Entry], c: Timestamp) -> Timeline {
        let received = self.reception.occurred_at;
        let end = end_of(entries, self.reception);
        let counted = entries.iter().filter(|e| counts(e, self.reception));
        let mut order: Vec<(Timestamp, &Entry)> = counted.map(|e| (counts_at(e, received), e)).collect();
        order.retain(|(t, _)| *t <= c);
        order.sort_by_key(|(t, e)| (*t, e.position));
        for (t, entry) in order {
            let ended = self.timeline.end.is_some();
            match entry.act {
                _ if end.is_some_and(|(_, position, _)| position == entry.position) => {
                    if let Some((at, position, kind)) = end {
                        self.finish(at, position, kind);
                    }
                }
                Act::ApologySent(reason, new_due) => self.letter(t, entry.position, reason, new_due),
                Act::SupplementRequested if !ended => self.request(t, true, false),
                Act::PaymentRequested(true) if !ended => self.request(t, false, true),
                Act::Supplemented(due) if !ended => self.answer(t, true, false, due),
                Act::Paid(due) if !ended => self.answer(t, false, true, due),
                _ => {}
            }
            if entry.act == Act::Returned && self.timeline.returned.is_none() {
                self.timeline.returned = Some(t);
            }
        }
        if self.timeline.end.is_none() {
            self.run_until(Timestamp::MAX);
            if let Some(wait) = self.outstanding {
                self.timeline.waits.push(Wait { from: wait.from, to: None });
            }
        }
        self.timeline
    }

    /// The clock, if it runs, runs up to and including `t`: finds what was missed.
    fn run_until(&mut self, t: Timestamp) {
        let Some(since) = self.running_since else { return };
        for promise in self.timeline.promises.iter_mut().filter(|p| p.missed.is_none()) {
            let missed = self.by.broken_from(promise.due, self.home).max(since).max(promise.made);
            if missed <= t {
                promise.missed = Some(missed);
            }
        }
    }

    fn give(&mut self, due: Due, t: Timestamp, in_run: bool) {
        self.timeline.promises.push(Promise {
            due,
            given: t,
            made: t,
            missed: None,
            in_run,
            letter: None,
            answered_by: None,
            defective: None,
        });
    }

    fn finish(&mut self, at: Timestamp, position: u64, kind: EndKind) {
        self.run_until(at);
        let stopped = match self.outstanding.take() {
            Some(wait) => {
                self.timeline.waits.push(Wait { from: wait.from, to: None });
                wait.from
            }
            None => at,
        };
        self.timeline.end = Some(End { at, kind, stopped, position });
        self.running_since = None;
    }

    fn request(&mut self, t: Timestamp, supplement: bool, payment: bool) {
        if supplement {
            self.timeline.requests.push(SupplementRequest { at: t, answered: None });
        }
        if self.outstanding.is_none() {
            self.run_until(t);
            self.running_since = None;
        }
        let wait = self.outstanding.get_or_insert(Outstanding { from: t, supplement: false, payment: false });
        wait.supplement |= supplement;
        wait.payment |= payment;
    }

    fn answer(&mut self, t: Timestamp, supplement: bool, payment: bool, due: Option<Due>) {
        let Some(wait) = self.outstanding.as_mut() else { return };
        if supplement {
            for request in self.timeline.requests.iter_mut().filter(|r| r.answered.is_none()) {
                request.answered = Some(t);
            }
        }
        wait.supplement &= !supplement;
        wait.payment &= !payment;
        if wait.supplement || wait.payment {
            return;
        }
        // An answer of a kind that was not asked for finds the other kind outstanding, so it returned above.
        let from = wait.from;
        self.outstanding = None;
        self.timeline.waits.push(Wait { from, to: Some(t) });
        self.running_since = Some(t);
        let Some(newest) = self.timeline.promises.last().map(|p| p.due) else {
            if let Some(due) = due {
                self.give(due, t, true);
            }
            return;
        };
        let distance = match (newest, due) {
            (Due::Date(old), Some(Due::Date(new))) => Distance::Days(new.0.saturating_sub(old.0)),
            (old, Some(new)) => Distance::Ticks(new.last_moment(self.home).since(old.last_moment(self.home))),
            (_, None) => Distance::Waited {
                days: self.home.date(t).0.saturating_sub(self.home.date(from).0),
                ticks: t.since(from),
            },
        };
        for promise in self.timeline.promises.iter_mut().filter(|p| p.missed.is_none()) {
            promise.due = shifted(promise.due, distance, self.home);
            promise.made = t;
        }
    }

    fn letter(&mut self, t: Timestamp, position: u64, reason: bool, new_due: Option<Due>) {
        let ended = self.timeline.end.is_some();
        self.run_until(t);
        let later = |due: Due| {
            let last = due.last_moment(self.home);
            last > t && self.timeline.promises.last().is_none_or(|p| last > p.due.last_moment(self.home))
        };
        let valid = reason && (ended || new_due.is_some_and(later));
        let gave_promise = valid && !ended;
        self.timeline.letters.push(Letter { position, valid, gave_promise });
        let newest = self.timeline.promises.last_mut();
        if !valid {
            if let Some(promise) = newest {
                promise.defective.get_or_insert(t);
            }
            return;
        }
        let in_run = match newest {
            Some(promise) => {
                promise.letter.get_or_insert(t);
                promise.answered_by.get_or_insert(position);
                promise.in_run && !promise.missed_by(t)
            }
            None => true,
        };
        if let (true, Some(due)) = (gave_promise, new_due) {
            self.give(due, t, in_run);
        }
    }
}

fn shifted(due: Due, distance: Distance, home: &Zone) -> Due {
    const MS_PER_DAY: i64 = 86_400_000;
    // A promise "without limit", such as 31/12/9999, stays one that can be told.
    let bounded = |due: Due| match due {
        Due::Date(d) => Due::Date(d.clamp(Date::EARLIEST, Date::LATEST)),
        Due::Instant(t) => Due::Instant(t.clamp(Timestamp::EARLIEST, Timestamp::LATEST)),
    };
    bounded(match (due, distance) {
        (Due::Date(d), Distance::Days(days) | Distance::Waited { days, .. }) => Due::Date(d.plus(days)),
        (Due::Instant(t), Distance::Days(days)) => Due::Instant(t.plus(i64::from(days).saturating_mul(MS_PER_DAY))),
        (Due::Instant(t), Distance::Waited { ticks, .. }) => Due::Instant(t.plus(ticks)),
        (due, Distance::Ticks(ticks)) => Due::Instant(due.last_moment(home).plus(ticks)),
    })
}
