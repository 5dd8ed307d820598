//! Keeps margins beside the views: which definitions have some, and how they are brought up to date.
//!
//! A thread of its own does it, so that neither the writer nor a question waits for more than a few copies. The writer
//! notes which rows it changes; a question takes the margins as they are and judges those rows itself. What margins say,
//! and when they say nothing, is the matter of [`crate::views::Margins`].

use super::remembered::{self, Questions};
use super::{Engine, Shared};
use crate::rules::Definition;
use crate::views::{Keeping, Margins, RatesAnswer, RatesQuery};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// For how many definitions there are margins at a time: those that were asked for last.
const DEFINITIONS: usize = 2;
/// How often margins are brought up to date, if anything changed.
const EVERY: Duration = Duration::from_millis(200);
/// After how many changes they are brought up to date at once.
const AT_ONCE: usize = 1_000;
/// How many changes are noted. Beyond that the thread finds out by itself what changed, and until then a scan answers.
const MOST_CHANGES: usize = 20_000;
/// How far the clock may be set back before margins are made anew. A scan answers until it has caught up.
const SET_BACK_MS: i64 = 60_000;

/// What became of the questions about rates, and what the margins hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarginsState {
    /// The definitions that have margins, by id.
    pub definitions: Vec<&'static str>,
    /// The number of records that they have counted; 0 if there are none.
    pub position: u64,
    /// Bytes of their cells.
    pub bytes: usize,
    /// How many questions they answered.
    pub answered: u64,
}

/// The margins, and what changed since they were made.
#[derive(Default)]
pub(super) struct Beside {
    held: Mutex<Held>,
    /// Told when there is something to do at once.
    wake: Condvar,
    answered: AtomicU64,
    /// What margins do not answer.
    questions: Questions,
}

#[derive(Default)]
struct Held {
    /// All of the same position.
    margins: Vec<Arc<Margins>>,
    /// The definitions asked for, the one asked for last at the end.
    wanted: Vec<Definition>,
    /// The rows that changed since, each with the position of which its change is in the views. Noted before those are
    /// published, so that whoever sees a change finds it here.
    changed: VecDeque<(u64, u32)>,
    /// Of changes up to this position some are not noted.
    lost: u64,
    closing: bool,
}

impl Held {
    fn is_built(&self, definition: Definition) -> bool {
        self.margins.iter().any(|margins| margins.definition() == definition)
    }

    fn want(&mut self, definition: Definition) {
        if self.wanted.last() != Some(&definition) {
            self.wanted.retain(|wanted| *wanted != definition);
            self.wanted.push(definition);
            let too_many = self.wanted.len().saturating_sub(DEFINITIONS);
            self.wanted.drain(..too_many);
        }
    }

    fn is_urgent(&self) -> bool {
        self.closing || self.wanted.iter().any(|wanted| !self.is_built(*wanted))
    }
}

impl Beside {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Every change to it is whole when the lock is given back.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes rows that are about to be published as of `position`.
    pub(super) fn note(&self, position: u64, rows: impl Iterator<Item = u32>) {
        let mut held = self.held();
        if held.margins.is_empty() && held.wanted.is_empty() {
            // Nobody asked yet; what is built later begins with what is published then.
            held.lost = position;
            return;
        }
        held.changed.extend(rows.map(|row| (position, row)));
        if held.changed.len() > MOST_CHANGES {
            held.changed.clear();
            held.lost = position;
        }
        if held.changed.len() > AT_ONCE {
            self.wake.notify_one();
        }
    }

    /// Answers from margins if they can, else by a scan. Directories with fewer dossiers than `from` have no margins.
    fn rates(&self, shared: &Shared, query: &RatesQuery, from: usize) -> RatesAnswer {
        let (views, counted) = {
            let mut held = self.held();
            // Under the lock, so that the margins are not brought up to a later position than that of the views.
            let views = shared.views();
            let mut counted = None;
            if views.len() >= from && Margins::may_answer(&views, query) {
                held.want(query.definition);
                let margins = held.margins.iter().find(|margins| margins.definition() == query.definition);
                if margins.is_none() {
                    self.wake.notify_one();
                }
                counted = margins.filter(|margins| margins.views().position() >= held.lost).map(|margins| {
                    let changed: Vec<u32> = held.changed.iter().map(|(_, row)| *row).collect();
                    (Arc::clone(margins), changed)
                });
            }
            (views, counted)
        };
        match counted.and_then(|(margins, changed)| margins.rates(&views, query, &changed)) {
            Some(answer) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                answer
            }
            None => self.questions.rates(&views, query, shared.clock.now()),
        }
    }

    pub(super) fn state(&self) -> MarginsState {
        let margins = self.held().margins.clone();
        MarginsState {
            definitions: margins.iter().map(|margins| margins.definition().id).collect(),
            position: margins.first().map_or(0, |margins| margins.views().position()),
            bytes: margins.iter().map(|margins| margins.bytes()).sum(),
            answered: self.answered.load(Ordering::Relaxed),
        }
    }

    /// Lets the thread end.
    pub(super) fn close(&self) {
        self.held().closing = true;
        self.wake.notify_all();
    }
}

impl Engine {
    /// Answers a question about rates.
    #[must_use]
    pub fn rates(&self, query: &RatesQuery) -> RatesAnswer {
        self.shared.margins.rates(&self.shared, query, self.margins_from)
    }

    /// Answers a question about rates by a scan over all dossiers, whatever was counted beforehand. The answer is the same.
    #[must_use]
    pub fn scanned_rates(&self, query: &RatesQuery) -> RatesAnswer {
        self.shared.views().rates(query)
    }

    /// What is counted beforehand for questions about rates.
    #[must_use]
    pub fn margins(&self) -> MarginsState {
        self.shared.margins.state()
    }
}

/// Starts the thread that brings margins up to date until the engine is closed.
pub(super) fn keep(shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("dunghen-margins".to_owned()).spawn(move || {
        crate::cores::give_way();
        Keeper::default().run(&shared);
    })
}

#[derive(Default)]
struct Keeper {
    kept: Vec<Keeping>,
}

impl Keeper {
    fn run(&mut self, shared: &Shared) {
        let beside = &shared.margins;
        loop {
            {
                let held = beside.held();
                let every = if held.wanted.is_empty() { remembered::FOR } else { EVERY };
                let idle = |held: &mut Held| !held.is_urgent() && held.changed.len() <= AT_ONCE;
                let waited = beside.wake.wait_timeout_while(held, every, idle);
                let held = waited.unwrap_or_else(PoisonError::into_inner).0;
                if held.closing {
                    return;
                }
            }
            self.bring(shared);
            beside.questions.forget(shared.clock.now());
        }
    }

    /// Brings what is kept up to date, and builds what is wanted.
    fn bring(&mut self, shared: &Shared) {
        let beside = &shared.margins;
        let (wanted, mut changed, lost, views) = {
            let held = beside.held();
            let changed: Vec<u32> = held.changed.iter().map(|(_, row)| *row).collect();
            (held.wanted.clone(), changed, held.lost, shared.views())
        };
        let clock = shared.clock.now();
        let before = self.kept.len();
        self.kept.retain(|kept| wanted.contains(&kept.margins().definition()));
        self.kept.retain(|kept| kept.margins().clock().since(clock) <= SET_BACK_MS);
        let mut moved = self.kept.len() != before;
        for kept in &mut self.kept {
            let position = kept.margins().views().position();
            if position < lost {
                changed = views.changed_from(kept.margins().views());
            }
            if position != views.position() || kept.is_behind(clock) {
                kept.bring(&views, &changed, clock);
                moved = true;
            }
        }
        for definition in wanted {
            if self.kept.iter().any(|kept| kept.margins().definition() == definition) {
                continue;
            }
            let stop = || shared.is_closing();
            if let Some(kept) = Keeping::new(&views, definition, clock, stop) {
                self.kept.push(kept);
                moved = true;
            }
        }
        if !moved {
            return;
        }
        let margins = self.kept.iter().map(|kept| Arc::clone(kept.margins())).collect();
        let before = {
            let mut held = beside.held();
            // A change that is noted and not yet published is in no margin.
            let counted = held.changed.partition_point(|(position, _)| *position <= views.position());
            held.changed.drain(..counted);
            std::mem::replace(&mut held.margins, margins)
        };
        // What only they held is given back without the lock.
        drop(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::DEFINITIONS;

    #[test]
    fn changes_are_noted_once_somebody_asked_and_up_to_a_number() {
        let beside = Beside::default();
        let noted = || {
            let held = beside.held();
            (Vec::from(held.changed.clone()), held.lost)
        };
        beside.note(10, 0..3);
        assert_eq!(noted(), (vec![], 10), "nobody asked");
        beside.held().want(DEFINITIONS[0]);
        beside.note(13, 0..3);
        beside.note(14, 1..2);
        assert_eq!(noted(), (vec![(13, 0), (13, 1), (13, 2), (14, 1)], 10));
        let most = u32::try_from(MOST_CHANGES).expect("a number of rows");
        beside.note(20, 0..most);
        assert_eq!(noted(), (vec![], 20), "too many");
        beside.note(21, 0..1);
        assert_eq!(noted(), (vec![(21, 0)], 20));
    }

    #[test]
    fn the_definitions_asked_for_last_are_wanted() {
        let mut held = Held::default();
        let [a, b, c] = [DEFINITIONS[0], DEFINITIONS[1], DEFINITIONS[2]];
        [a, b, a, c].into_iter().for_each(|definition| held.want(definition));
        assert_eq!(held.wanted, [a, c]);
        held.want(a);
        assert_eq!(held.wanted, [c, a]);
        assert!(held.is_urgent(), "none is built");
    }
}
