//! Other orders in which the events of a scenario may be recorded.

use dunghen_engine::dossier::{Code, Event, Statement};
use std::collections::BTreeMap;

/// A small linear congruential generator (Knuth's MMIX constants): the same seed, the same order, for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The low bits of such a generator are poor.
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// Another order in which the same may be recorded, with the same figures.
///
/// Of each dossier, all up to `Received` stays first (nothing else is accepted before it, and a `Rejected` before it is
/// not the same as one after it), and all from the first correction on stays last. What counts at the same tick keeps its order, because the position decides there. The
/// dossiers are mixed with each other freely.
pub(crate) fn shuffled(statements: &[Statement], seed: u64) -> Vec<Statement> {
    let mut dice = Dice(seed);
    let mut dossiers: BTreeMap<Code, Vec<Statement>> = BTreeMap::new();
    for statement in statements {
        dossiers.entry(statement.dossier.clone()).or_default().push(statement.clone());
    }
    for history in dossiers.values_mut() {
        let Some(reception) = history.iter().position(|s| matches!(s.event, Event::Received { .. })) else { continue };
        let received = history[reception].occurred_at;
        let counts_at = |s: &Statement| s.occurred_at.max(received);
        let mut later = history.split_off(reception + 1);
        // A correction, and what became possible by it, stays behind what it is about.
        let corrected = later.iter().position(|s| matches!(s.event, Event::Corrected { .. })).unwrap_or(later.len());
        let rest = later.split_off(corrected);
        let mut order: Vec<usize> = (0..later.len()).collect();
        dice.shuffle(&mut order);
        // Of what counts at one tick, the places are drawn, but not who stands in which.
        for at in 0..order.len() {
            let tick = counts_at(&later[order[at]]);
            let same = (at..order.len()).filter(|i| counts_at(&later[order[*i]]) == tick);
            if let Some(first) = same.min_by_key(|i| order[*i]) {
                order.swap(at, first);
            }
        }
        history.extend(order.into_iter().map(|i| later[i].clone()));
        history.extend(rest);
    }
    let mut turns: Vec<Code> = statements.iter().map(|s| s.dossier.clone()).collect();
    dice.shuffle(&mut turns);
    let mut histories: BTreeMap<Code, std::vec::IntoIter<Statement>> =
        dossiers.into_iter().map(|(code, history)| (code, history.into_iter())).collect();
    turns.iter().filter_map(|code| histories.get_mut(code)?.next()).collect()
}
