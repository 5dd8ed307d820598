//! Worklists, and the dossiers behind a figure.

use super::fact::{Fact, Zones, judged, latest};
use super::obligation::{ObligationState, obligations};
use super::rates::{Verdict, judge};
use super::{Filter, History, Moment, Row, Sight, Views, Window};
use crate::dossier::{Code, Due, EventType, Flags, Keys, Timeline};
use crate::rules::{Definition, Judged};
use crate::time::{Timestamp, Zone};

/// Where a dossier stands at the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DossierState {
    /// Never received, only rejected.
    Rejected,
    /// All that was recorded of it was annulled.
    Annulled,
    /// In progress, the clock runs, the promise is not missed.
    Open,
    /// In progress, the clock stands still.
    Waiting,
    /// In progress, the promise is missed (also if waiting now).
    Late,
    /// Ended.
    Ended,
    /// Ended as processed, and the applicant has the result.
    Returned,
}

impl DossierState {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DossierState::Rejected => "rejected",
            DossierState::Annulled => "annulled",
            DossierState::Open => "open",
            DossierState::Waiting => "waiting",
            DossierState::Late => "late",
            DossierState::Ended => "ended",
            DossierState::Returned => "returned",
        }
    }
}

/// Which dossiers to list by where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFilter {
    /// In progress: received and not ended, waiting and late ones too.
    Open,
    /// In progress, the clock stands still.
    Waiting,
    /// In progress, the promise missed.
    Late,
    /// In progress, the clock runs, the promise ends soon.
    DueSoon,
    /// With an obligation that may still be met.
    ApologyPending,
    /// With an obligation that was not met.
    ApologyMissing,
    /// Ended, returned ones too.
    Ended,
    /// Processed and handed over.
    Returned,
}

impl StateFilter {
    /// All, with their names.
    pub const ALL: [(StateFilter, &'static str); 8] = [
        (StateFilter::Open, "open"),
        (StateFilter::Waiting, "waiting"),
        (StateFilter::Late, "late"),
        (StateFilter::DueSoon, "due-soon"),
        (StateFilter::ApologyPending, "apology-pending"),
        (StateFilter::ApologyMissing, "apology-missing"),
        (StateFilter::Ended, "ended"),
        (StateFilter::Returned, "returned"),
    ];

    /// The filter of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<StateFilter> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(s, _)| s)
    }

    /// Whether it is about dossiers that have not ended.
    fn is_in_progress(self) -> bool {
        matches!(self, StateFilter::Open | StateFilter::Waiting | StateFilter::Late | StateFilter::DueSoon)
    }
}

/// Which dossiers of a cohort to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeFilter {
    /// Those counted on time.
    OnTime,
    /// Those counted late.
    Late,
    /// Those without a promise.
    NoDeadline,
}

impl OutcomeFilter {
    /// All, with their names.
    pub const ALL: [(OutcomeFilter, &'static str); 3] =
        [(OutcomeFilter::OnTime, "on_time"), (OutcomeFilter::Late, "late"), (OutcomeFilter::NoDeadline, "no_deadline")];

    /// The filter of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<OutcomeFilter> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(o, _)| o)
    }

    fn admits(self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Early | Verdict::OnDue | Verdict::OnTimeAndOpen => self == OutcomeFilter::OnTime,
            Verdict::Late | Verdict::LateBySupplement => self == OutcomeFilter::Late,
            Verdict::NoDeadline => self == OutcomeFilter::NoDeadline,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Where the dossiers stand at the cut.
    pub state: Option<StateFilter>,
    /// Only the cohort of the definition in the period, with this outcome (`Some(None)`: any outcome).
    pub outcome: Option<Option<OutcomeFilter>>,
    /// The definition that compares promises.
    pub definition: Definition,
    /// The period's first tick, for `outcome`.
    pub from: Option<Moment>,
    /// The first tick after the period.
    pub to: Option<Moment>,
    /// The business time at which it is looked at.
    pub as_of: Moment,
    /// How soon is soon, in milliseconds.
    pub due_within_ms: i64,
    /// Which dossiers.
    pub filter: Filter,
    /// The zone that makes dates of instants.
    pub zone: Option<Zone>,
    /// The most dossiers to return.
    pub page_size: usize,
    /// Where the page before ended.
    pub after: Option<(Timestamp, Code)>,
}

/// A dossier of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The code.
    pub dossier: Code,
    /// The unit that answers for it.
    pub unit: Option<Code>,
    /// The procedure.
    pub procedure: Option<Code>,
    /// The field.
    pub field: Option<Code>,
    /// The channel.
    pub channel: Option<Code>,
    /// Where it stands.
    pub state: DossierState,
    /// Whether the clock stands still.
    pub waiting: bool,
    /// When it was received; `None` if it was only rejected.
    pub received_at: Option<Timestamp>,
    /// The current promise.
    pub due: Option<Due>,
    /// The first promise.
    pub first_due: Option<Due>,
    /// When it ended, if by the cut.
    pub ended_at: Option<Timestamp>,
    /// The flags of all its events.
    pub flags: Flags,
    /// Why it counts as it does, in a list of a definition's cohort.
    pub why: Option<Why>,
}

/// Why a dossier counts as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why {
    /// What the definition says.
    pub verdict: Verdict,
    /// The moment that puts it into a period.
    pub moment: Timestamp,
    /// The promise that was judged: its number (0 of a due that is judged whatever promise it made), when it ends, and when
    /// it was missed, if by the cut.
    pub promise: Option<(u32, Due, Option<Timestamp>)>,
    /// When the clock stopped, if it ended by the cut.
    pub stopped_at: Option<Timestamp>,
}

/// Why a dossier of the cohort counts as it does at `c`.
fn why_of(history: &History, definition: Definition, zones: Zones<'_>, c: Timestamp) -> Option<Why> {
    let (fact, timeline) = (Fact::of(history, definition, zones, c), &history.timeline);
    let (moment, verdict) = judge(&fact, definition, c)?;
    let promise = judged(timeline, definition, c).map(|promise| {
        let index = timeline.promises.iter().position(|p| std::ptr::eq(p, promise)).unwrap_or(0);
        (u32::try_from(index + 1).unwrap_or(u32::MAX), promise.due, promise.missed.filter(|m| *m <= c))
    });
    let latest =
        || latest(&history.entries, timeline, c).map(|(_, due)| (0, due, Some(fact.missed).filter(|m| *m <= c)));
    let promise = if definition.judged == Judged::Latest { latest() } else { promise };
    let stopped_at = timeline.end.filter(|e| e.at <= c).map(|e| e.stopped);
    Some(Why { verdict, moment, promise, stopped_at })
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The dossiers, those due first first; those without a promise last.
    pub items: Vec<Item>,
    /// Where the next page begins, if there is one.
    pub next: Option<(Timestamp, Code)>,
    /// The number of records that the answer has folded.
    pub position: u64,
    /// The business time it is looked at.
    pub as_of: Timestamp,
}

/// Where a received dossier stands at `c`, late or not by the definition's own promise and comparison.
fn state(fact: &Fact, timeline: &Timeline, c: Timestamp) -> DossierState {
    if !timeline.is_open(c) {
        return if fact.handed_over() <= c { DossierState::Returned } else { DossierState::Ended };
    }
    if fact.is_overdue(c) {
        DossierState::Late
    } else if timeline.is_waiting(c) {
        DossierState::Waiting
    } else {
        DossierState::Open
    }
}

/// What a list shows of a dossier beside its history.
struct Title {
    code: Code,
    keys: Keys,
    flags: Flags,
}

/// An item at `c`; `state` is that of a dossier that was received.
fn item(title: Title, timeline: Option<&Timeline>, state: DossierState, c: Timestamp) -> Item {
    let Title { code, keys, flags } = title;
    Item {
        dossier: code,
        unit: keys.unit,
        procedure: keys.procedure,
        field: keys.field,
        channel: keys.channel,
        state,
        waiting: timeline.is_some_and(|t| t.is_waiting(c)),
        received_at: timeline.map(|t| t.received),
        due: timeline.and_then(|t| t.current(c)).map(|p| p.due),
        first_due: timeline.and_then(|t| t.first(c)).map(|p| p.due),
        ended_at: timeline.and_then(|t| t.end).map(|e| e.at).filter(|t| *t <= c),
        flags,
        why: None,
    }
}

impl Row {
    /// The dossier as a list shows it at `c` by a definition that judges a promise of the fold; `timeline` is its history as
    /// that compares it.
    #[must_use]
    pub fn item(&self, timeline: Option<&Timeline>, definition: Definition, home: &Zone, c: Timestamp) -> Item {
        let state = match timeline {
            Some(t) => state(&Fact::told(t, definition, home, c), t, c),
            None if self.dossier.has(EventType::Rejected) => DossierState::Rejected,
            None => DossierState::Annulled,
        };
        let dossier = &self.dossier;
        let title = Title { code: Code::clone(&dossier.code), keys: dossier.keys.clone(), flags: dossier.flags };
        item(title, timeline, state, c)
    }
}

/// A dossier that a list admits, by the last moment of its current promise.
struct Found<'v> {
    due: Timestamp,
    sight: Sight<'v>,
}

impl Views {
    /// Lists dossiers.
    #[must_use]
    pub fn list(&self, query: &ListQuery) -> Page {
        let zone = query.zone.unwrap_or(self.home);
        let as_of = query.as_of.as_of(&zone);
        let window = Window::new(query.from.map(|m| m.bound(&zone)), query.to.map(|m| m.bound(&zone)), as_of);
        let c = window.c;
        let zones = Zones { home: &self.home, asked: &zone };
        let sieve = self.sieve(&query.filter, c);
        let mut found: Vec<Found<'_>> = Vec::new();
        for chunk in self.table.chunks() {
            // Those in progress at the cut are few, and most of them lie in the newest chunks.
            let in_progress = matches!(query.state, Some(s) if s.is_in_progress());
            if !chunk.matters(if in_progress { Timestamp::MAX } else { Timestamp::MIN }, c) {
                continue;
            }
            for sight in self.rows(chunk).filter(|sight| sieve.admits(chunk.kin[sight.slot])) {
                if let Some(due) = Views::admitted(query, sight, zones, window) {
                    let after = query.after.as_ref();
                    if after.is_none_or(|(t, code)| due > *t || (due == *t && sight.code() > *code)) {
                        found.push(Found { due, sight });
                    }
                }
            }
        }
        let more = found.len() > query.page_size;
        let found = first_of(found, query.page_size);
        let next = found.last().filter(|_| more).map(|(due, code, _)| (*due, Code::clone(code)));
        let items = found
            .into_iter()
            .map(|(_, code, sight)| {
                let title = Title { code, keys: sight.keys(), flags: sight.flags() };
                let history = sight.history(query.definition, &zone, c);
                let (timeline, now) = match &history {
                    Some(history) => {
                        let fact = Fact::of(history, query.definition, zones, c);
                        (Some(&history.timeline), state(&fact, &history.timeline, c))
                    }
                    None => (None, DossierState::Annulled),
                };
                let why = history.as_ref().filter(|_| query.outcome.is_some());
                let why = why.and_then(|history| why_of(history, query.definition, zones, c));
                Item { why, ..item(title, timeline, now, c) }
            })
            .collect();
        Page { items, next, position: self.position, as_of }
    }

    /// Whether a list admits a row, and when its current promise ends then.
    fn admitted(query: &ListQuery, sight: Sight<'_>, zones: Zones<'_>, window: Window) -> Option<Timestamp> {
        let (c, definition) = (window.c, query.definition);
        if !sight.is_received() {
            return None;
        }
        let plain = sight.plainly(c).filter(|_| zones.asked == zones.home && definition.judged != Judged::Latest);
        let (fact, due, waiting, missed) = match plain {
            Some(seen) => {
                if seen.received > c {
                    return None;
                }
                let missed = seen.missed(definition.compared_by, zones.home) <= c;
                (seen.fact(definition.compared_by, zones.home), seen.due, false, missed)
            }
            None => {
                let history = sight.history(definition, zones.asked, c)?;
                let timeline = &history.timeline;
                if timeline.received > c {
                    return None;
                }
                let current = timeline.current(c);
                let missed = current.is_some_and(|p| p.missed_by(c));
                let due = current.map(|p| p.due);
                (Fact::of(&history, definition, zones, c), due, timeline.is_waiting(c), missed)
            }
        };
        let open = fact.ended > c;
        let obligation = |wanted: ObligationState| {
            let pinned = &sight.kin().pinned;
            sight.by_date().is_some_and(|t| obligations(&t, pinned, zones.home, c).any(|o| o.state == wanted))
        };
        let by_state = query.state.is_none_or(|state| match state {
            StateFilter::Open => open,
            StateFilter::Waiting => waiting,
            StateFilter::Late => open && fact.is_overdue(c),
            StateFilter::DueSoon => {
                let soon = |due: Due| due.last_moment(zones.home).since(c) <= query.due_within_ms;
                open && !waiting && due.is_some_and(soon) && !missed
            }
            StateFilter::ApologyPending => obligation(ObligationState::Pending),
            StateFilter::ApologyMissing => obligation(ObligationState::Missing),
            StateFilter::Ended => !open,
            StateFilter::Returned => fact.handed_over() <= c,
        });
        let by_outcome = || {
            query.outcome.is_none_or(|outcome| {
                judge(&fact, definition, c)
                    .is_some_and(|(moment, verdict)| window.holds(moment) && outcome.is_none_or(|o| o.admits(verdict)))
            })
        };
        (by_state && by_outcome()).then(|| due.map_or(Timestamp::MAX, |due| due.last_moment(zones.home)))
    }
}

/// The first of a list, by the last moment of the promise and then by code.
fn first_of(mut found: Vec<Found<'_>>, size: usize) -> Vec<(Timestamp, Code, Sight<'_>)> {
    // Codes are read only of those that can be among the first: a due is shared by many.
    if size > 0 && found.len() > size {
        let (_, last, _) = found.select_nth_unstable_by_key(size - 1, |f| f.due);
        let last = last.due;
        found.retain(|f| f.due <= last);
    }
    let mut first: Vec<_> = found.into_iter().map(|f| (f.due, f.sight.code(), f.sight)).collect();
    first.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    first.truncate(size);
    first
}
