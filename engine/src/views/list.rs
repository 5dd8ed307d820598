//! Worklists, and the dossiers behind a figure.

use super::fact::{Fact, Zones, judged, latest};
use super::line::{BRIEF, FOLDED};
use super::obligation::{Asked, ObligationFilter, ObligationState, obligations};
use super::page::{Place, page};
use super::rates::{Verdict, judge};
use super::table::Chunk;
use super::tale;
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

    /// The state of an obligation that it asks for.
    fn owes(self) -> Option<ObligationState> {
        match self {
            StateFilter::ApologyPending => Some(ObligationState::Pending),
            StateFilter::ApologyMissing => Some(ObligationState::Missing),
            _ => None,
        }
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

/// A list that is asked for, and what of the table need not be looked at for it.
struct Listing<'q> {
    query: &'q ListQuery,
    zones: Zones<'q>,
    window: Window,
    /// Whether the rows hold what the definition asks: in another zone, or by dues that were overwritten, they do not.
    as_held: bool,
    /// The obligations by which it admits.
    owed: Option<Asked<'q>>,
    /// The day of the cut, where days are dates.
    cut: Option<u16>,
}

/// What a list asks of a dossier at its cut.
struct Stand {
    fact: Fact,
    /// Its current promise.
    due: Option<Due>,
    waiting: bool,
    /// Whether that promise is missed.
    missed: bool,
}

impl<'q> Listing<'q> {
    fn new(views: &'q Views, query: &'q ListQuery, zone: &'q Zone, window: Window) -> Listing<'q> {
        let c = window.c;
        let owed = query.state.and_then(StateFilter::owes).map(|state| {
            let whenever = Window { from: Timestamp::MIN, to: Timestamp::MAX, c };
            Asked::in_state(views, Some(ObligationFilter::State(state)), whenever, None)
        });
        Listing {
            query,
            zones: Zones { home: &views.home, asked: zone },
            window,
            as_held: *zone == views.home && query.definition.judged != Judged::Latest,
            owed,
            cut: views.days.split(c).map(|(day, _)| day).filter(|_| views.days.are_dates()),
        }
    }

    /// Whether a chunk may hold a dossier of the list.
    fn matters(&self, chunk: &Chunk) -> bool {
        let in_progress = self.query.state.is_some_and(StateFilter::is_in_progress);
        // Those in progress at the cut are few, and most of them lie in the newest chunks.
        let from = if in_progress {
            Timestamp::MAX
        } else if self.query.outcome.is_some() && self.as_held {
            self.window.from
        } else {
            Timestamp::MIN
        };
        chunk.matters(from, self.window.c) && self.owed.as_ref().is_none_or(|asked| asked.first_in(chunk).is_some())
    }

    /// Whether the day of its end says that the list does not admit a row.
    fn ended_otherwise(&self, sight: Sight<'_>) -> bool {
        let (Some(state), Some(cut)) = (self.query.state, self.cut) else { return false };
        let (bits, ended) = (sight.chunk.bits[sight.slot], sight.chunk.ended_day[sight.slot]);
        match state {
            StateFilter::Ended | StateFilter::Returned => bits & (FOLDED | BRIEF) != FOLDED && ended > cut,
            // A line whose columns hold no end has none there, and is looked at.
            _ => state.is_in_progress() && ended < cut,
        }
    }

    fn of_columns(&self, sight: Sight<'_>) -> Option<Stand> {
        let seen = sight.plainly(self.window.c).filter(|_| self.as_held)?;
        let (by, home) = (self.query.definition.compared_by, self.zones.home);
        let missed = seen.missed(by, home) <= self.window.c;
        Some(Stand { fact: seen.fact(by, home), due: seen.due, waiting: false, missed })
    }

    fn of_history(&self, sight: Sight<'_>) -> Option<Stand> {
        let (c, definition) = (self.window.c, self.query.definition);
        let history = sight.history(definition, self.zones.asked, c)?;
        let timeline = &history.timeline;
        let current = timeline.current(c);
        Some(Stand {
            fact: Fact::of(&history, definition, self.zones, c),
            due: current.map(|p| p.due),
            waiting: timeline.is_waiting(c),
            missed: current.is_some_and(|p| p.missed_by(c)),
        })
    }

    /// When the current promise ends, by which the list is in order.
    fn place(&self, stand: &Stand) -> Timestamp {
        stand.due.map_or(Timestamp::MAX, |due| due.last_moment(self.zones.home))
    }

    /// Whether the list admits a dossier; what it owes is not asked here.
    fn admits(&self, stand: &Stand) -> bool {
        let Stand { fact, due, waiting, missed } = stand;
        let (query, c) = (self.query, self.window.c);
        let open = fact.ended > c;
        let by_state = || {
            query.state.is_none_or(|state| match state {
                StateFilter::Open => open,
                StateFilter::Waiting => *waiting,
                StateFilter::Late => open && fact.is_overdue(c),
                StateFilter::DueSoon => {
                    let soon = |due: Due| due.last_moment(self.zones.home).since(c) <= query.due_within_ms;
                    open && !waiting && due.is_some_and(soon) && !missed
                }
                StateFilter::ApologyPending | StateFilter::ApologyMissing => true,
                StateFilter::Ended => !open,
                StateFilter::Returned => fact.handed_over() <= c,
            })
        };
        let by_outcome = || {
            query.outcome.is_none_or(|outcome| {
                judge(fact, query.definition, c).is_some_and(|(moment, verdict)| {
                    self.window.holds(moment) && outcome.is_none_or(|o| o.admits(verdict))
                })
            })
        };
        fact.received <= c && by_state() && by_outcome()
    }

    /// Whether a dossier owes what the list asks for.
    fn owes(&self, sight: Sight<'_>, timeline: &mut Timeline) -> bool {
        let Some(asked) = &self.owed else { return true };
        let mut owes = false;
        asked.look(sight, timeline, |obligation| owes |= asked.admits(&obligation));
        owes
    }
}

impl ListQuery {
    /// The period and the cut, and as of when it is asked.
    fn window(&self, zone: &Zone) -> (Window, Timestamp) {
        let as_of = self.as_of.as_of(zone);
        (Window::new(self.from.map(|m| m.bound(zone)), self.to.map(|m| m.bound(zone)), as_of), as_of)
    }
}

impl Views {
    /// Lists dossiers.
    #[must_use]
    pub fn list(&self, query: &ListQuery) -> Page {
        let zone = query.zone.unwrap_or(self.home);
        let (window, as_of) = query.window(&zone);
        let (listing, sieve) = (Listing::new(self, query, &zone, window), self.sieve(&query.filter, window.c));
        let after = query.after.as_ref().map(|(due, code)| (*due, Code::clone(code), 0));
        let chunks = self.table.chunks().filter(|chunk| listing.matters(chunk));
        let chunks = chunks.map(|chunk| (Timestamp::MIN, &**chunk)).collect();
        let (found, next) = page(chunks, query.page_size, after.as_ref(), |first, chunk| {
            let mut timeline = tale::blank();
            for sight in self.rows(chunk).filter(|sight| sieve.admits(sight.chunk.kin[sight.slot])) {
                if !sight.is_received() || listing.ended_otherwise(sight) || !listing.owes(sight, &mut timeline) {
                    continue;
                }
                let Some(stand) = listing.of_columns(sight).or_else(|| listing.of_history(sight)) else { continue };
                let due = listing.place(&stand);
                if first.may_hold(due) && listing.admits(&stand) {
                    first.meet(sight.slot, due, 0, sight);
                }
            }
        });
        self.list_page(&listing, found, next, as_of)
    }

    /// The same page, for which every row is judged by its whole history, and all are sorted: what the quick one is held
    /// against.
    #[must_use]
    pub fn list_one_by_one(&self, query: &ListQuery) -> Page {
        let zone = query.zone.unwrap_or(self.home);
        let (window, as_of) = query.window(&zone);
        let (listing, sieve) = (Listing::new(self, query, &zone, window), self.sieve(&query.filter, window.c));
        let owes = |sight: Sight<'_>| {
            query.state.and_then(StateFilter::owes).is_none_or(|wanted| {
                let pinned = &sight.kin().pinned;
                sight
                    .by_date()
                    .is_some_and(|t| obligations(&t, pinned, &self.home, window.c).any(|o| o.state == wanted))
            })
        };
        let mut found: Vec<(Place, Sight<'_>)> = Vec::new();
        for sight in self.table.chunks().flat_map(|chunk| self.rows(chunk)) {
            if !sieve.admits(sight.chunk.kin[sight.slot]) {
                continue;
            }
            let Some(stand) = listing.of_history(sight).filter(|stand| listing.admits(stand)) else { continue };
            let (due, code) = (listing.place(&stand), sight.code());
            let behind = query.after.as_ref().is_none_or(|(t, after)| (due, &code) > (*t, after));
            if behind && owes(sight) {
                found.push(((due, code, 0), sight));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let more = found.len() > query.page_size;
        found.truncate(query.page_size);
        let next = found.last().filter(|_| more).map(|(place, _)| place.clone());
        self.list_page(&listing, found, next, as_of)
    }

    fn list_page(
        &self,
        listing: &Listing<'_>,
        found: Vec<(Place, Sight<'_>)>,
        next: Option<Place>,
        as_of: Timestamp,
    ) -> Page {
        let Listing { query, zones, window: Window { c, .. }, .. } = *listing;
        let items = found
            .into_iter()
            .map(|((_, code, _), sight)| {
                let title = Title { code, keys: sight.keys(), flags: sight.flags() };
                let history = sight.history(query.definition, zones.asked, c);
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
        let next = next.map(|(due, code, _)| (due, code));
        Page { items, next, position: self.position, as_of }
    }
}
