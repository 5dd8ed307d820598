//! Worklists, and the dossiers behind a figure.

use super::fact::{Fact, Zones, judged, latest};
use super::obligation::{ObligationState, obligations};
use super::rates::{Verdict, judge};
use super::{Filter, Moment, Row, Views, Window};
use crate::dossier::{Code, Due, EventType, Flags, Timeline};
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
fn why_of(row: &Row, timeline: &Timeline, definition: Definition, zones: Zones<'_>, c: Timestamp) -> Option<Why> {
    let fact = Fact::of(row, timeline, definition, zones, c);
    let (moment, verdict) = judge(&fact, definition, c)?;
    let promise = judged(timeline, definition, c).map(|promise| {
        let index = timeline.promises.iter().position(|p| std::ptr::eq(p, promise)).unwrap_or(0);
        (u32::try_from(index + 1).unwrap_or(u32::MAX), promise.due, promise.missed.filter(|m| *m <= c))
    });
    let latest = || latest(row, timeline, c).map(|(_, due)| (0, due, Some(fact.missed).filter(|m| *m <= c)));
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

impl Row {
    /// The dossier as a list shows it at `c` by a definition; `timeline` is its history as that compares it.
    #[must_use]
    pub fn item(&self, timeline: Option<&Timeline>, definition: Definition, home: &Zone, c: Timestamp) -> Item {
        self.item_in(timeline, definition, Zones { home, asked: home }, c)
    }

    fn item_in(&self, timeline: Option<&Timeline>, definition: Definition, zones: Zones<'_>, c: Timestamp) -> Item {
        let keys = self.dossier.keys.clone();
        Item {
            dossier: self.dossier.code.clone(),
            unit: keys.unit,
            procedure: keys.procedure,
            field: keys.field,
            channel: keys.channel,
            state: match timeline {
                Some(t) => state(&Fact::of(self, t, definition, zones, c), t, c),
                None if self.dossier.has(EventType::Rejected) => DossierState::Rejected,
                None => DossierState::Annulled,
            },
            waiting: timeline.is_some_and(|t| t.is_waiting(c)),
            received_at: timeline.map(|t| t.received),
            due: timeline.and_then(|t| t.current(c)).map(|p| p.due),
            first_due: timeline.and_then(|t| t.first(c)).map(|p| p.due),
            ended_at: timeline.and_then(|t| t.end).map(|e| e.at).filter(|t| *t <= c),
            flags: self.dossier.flags,
            why: None,
        }
    }
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
        let mut found: Vec<(Timestamp, &Row)> = Vec::new();
        for row in self.rows.iter().filter(|r| sieve.admits(&r.keys)) {
            let Some(timeline) = row.timeline_at(query.definition, &self.home, &zone, c) else { continue };
            if timeline.received > c || !self.admitted(query, row, &timeline, zones, window) {
                continue;
            }
            let due = timeline.current(c).map_or(Timestamp::MAX, |p| p.due.last_moment(&self.home));
            let after = query.after.as_ref();
            if after.is_none_or(|(t, code)| (due, &row.dossier.code) > (*t, code)) {
                found.push((due, row));
            }
        }
        let key = |(due, row): &(Timestamp, &Row)| (*due, row.dossier.code.clone());
        found.sort_by(|a, b| (a.0, &a.1.dossier.code).cmp(&(b.0, &b.1.dossier.code)));
        let more = found.len() > query.page_size;
        found.truncate(query.page_size);
        let next = found.last().filter(|_| more).map(key);
        let items = found
            .into_iter()
            .map(|(_, row)| {
                let timeline = row.timeline_at(query.definition, &self.home, &zone, c);
                let why = timeline.as_deref().filter(|_| query.outcome.is_some());
                let why = why.and_then(|t| why_of(row, t, query.definition, zones, c));
                Item { why, ..row.item_in(timeline.as_deref(), query.definition, zones, c) }
            })
            .collect();
        Page { items, next, position: self.position, as_of }
    }

    fn admitted(&self, query: &ListQuery, row: &Row, timeline: &Timeline, zones: Zones<'_>, window: Window) -> bool {
        let c = window.c;
        let fact = Fact::of(row, timeline, query.definition, zones, c);
        let obligation = |wanted: ObligationState| {
            row.by_date
                .as_ref()
                .is_some_and(|t| obligations(t, &row.dossier.pinned, &self.home, c).any(|o| o.state == wanted))
        };
        let by_state = query.state.is_none_or(|state| match state {
            StateFilter::Open => timeline.is_open(c),
            StateFilter::Waiting => timeline.is_waiting(c),
            StateFilter::Late => timeline.is_open(c) && fact.is_overdue(c),
            StateFilter::DueSoon => {
                let soon = |due: Due| due.last_moment(&self.home).since(c) <= query.due_within_ms;
                timeline.is_open(c)
                    && !timeline.is_waiting(c)
                    && timeline.current(c).is_some_and(|p| !p.missed_by(c) && soon(p.due))
            }
            StateFilter::ApologyPending => obligation(ObligationState::Pending),
            StateFilter::ApologyMissing => obligation(ObligationState::Missing),
            StateFilter::Ended => timeline.end.is_some_and(|e| e.at <= c),
            StateFilter::Returned => fact.handed_over() <= c,
        });
        by_state
            && query.outcome.is_none_or(|outcome| {
                judge(&fact, query.definition, c)
                    .is_some_and(|(moment, verdict)| window.holds(moment) && outcome.is_none_or(|o| o.admits(verdict)))
            })
    }
}
