//! Which group each dossier belongs to, but for the period: decided for each kin once, whatever the number of its dossiers.

use super::{Filter, Kin, Views};
use crate::cores;
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// How many blocks of kins a core must have to be worth a thread.
const LEAST_BLOCKS: usize = 512;
/// Up to so many families are numbered by their keys, whether they have dossiers or not.
const FEW: usize = 1 << 16;
/// The family of what a filter does not admit.
const OUTSIDE: u32 = u32::MAX;

/// The families of a question.
pub(super) struct Families {
    /// By the kin's number; empty if all dossiers are of one family.
    of_kin: Vec<u32>,
    /// The numbers of the keys of each; of a key that is not asked for, 0.
    keys: Vec<[u32; 4]>,
}

/// The values that a key takes, numbered anew.
struct Values {
    /// By the number of the code.
    place: Vec<u32>,
    codes: Vec<u32>,
}

impl Families {
    /// By the keys that are asked for, of those that the filter admits as of `c`.
    pub(super) fn of(views: &Views, filter: &Filter, c: Timestamp, asked: [bool; 4]) -> Families {
        if *filter == Filter::default() && asked == [false; 4] {
            return Families { of_kin: Vec::new(), keys: vec![[0; 4]] };
        }
        let admits = views.admits(filter, c);
        let values = values(views, asked);
        let product = values.iter().try_fold(1_usize, |product, values| product.checked_mul(values.codes.len()));
        match product.filter(|product| *product <= FEW.max(views.kins.len())) {
            Some(product) => Families::numbered(views, admits, &values, product),
            None => Families::found(views, admits, asked),
        }
    }

    /// Numbered as the places of a table with a dimension for each key.
    fn numbered(views: &Views, admits: impl Fn(&Kin) -> bool + Sync, values: &[Values; 4], product: usize) -> Families {
        let number = |n: usize| u32::try_from(n).unwrap_or(OUTSIDE);
        let family = |kin: &Kin| {
            if !admits(kin) {
                return OUTSIDE;
            }
            values.iter().zip(kin.keys).fold(0, |family, (values, key)| {
                family * number(values.codes.len()) + values.place.get(key as usize).copied().unwrap_or(0)
            })
        };
        let of_kin = cores::fold(
            views.kins.blocks(),
            LEAST_BLOCKS,
            Vec::new,
            |some: &mut Vec<u32>, block| some.extend(block.iter().map(family)),
            |all, more| all.extend(more),
        );
        let keys = (0..product).map(|mut family| {
            let mut keys = [0; 4];
            for (key, values) in keys.iter_mut().zip(values).rev() {
                *key = values.codes[family % values.codes.len()];
                family /= values.codes.len();
            }
            keys
        });
        Families { of_kin, keys: keys.collect() }
    }

    /// Numbered as they are come across: of many keys most combinations have no dossiers.
    fn found(views: &Views, admits: impl Fn(&Kin) -> bool, asked: [bool; 4]) -> Families {
        let mut families = Families { of_kin: Vec::with_capacity(views.kins.len()), keys: Vec::new() };
        let mut known: HashMap<[u32; 4], u32, RandomState> = HashMap::default();
        for kin in views.kins.iter() {
            if !admits(kin) {
                families.of_kin.push(OUTSIDE);
                continue;
            }
            let mut keys = kin.keys;
            keys.iter_mut().zip(asked).filter(|(_, asked)| !asked).for_each(|(key, _)| *key = 0);
            let next = u32::try_from(families.keys.len()).unwrap_or(OUTSIDE);
            let family = *known.entry(keys).or_insert(next);
            if family == next {
                families.keys.push(keys);
            }
            families.of_kin.push(family);
        }
        families
    }

    /// The family of a kin; none if the filter does not admit it.
    #[inline]
    pub(super) fn of_kin(&self, kin: u32) -> Option<usize> {
        match self.of_kin.get(kin as usize) {
            Some(family) => (*family != OUTSIDE).then_some(*family as usize),
            None => Some(0),
        }
    }

    /// The numbers of the keys of each family, in their order.
    pub(super) fn keys(&self) -> &[[u32; 4]] {
        &self.keys
    }
}

/// Of each key that is asked for the values that it takes; of the others one.
fn values(views: &Views, asked: [bool; 4]) -> [Values; 4] {
    let none = || asked.map(|asked| vec![false; if asked { views.names.len() + 1 } else { 0 }]);
    let seen = cores::fold(
        views.kins.blocks(),
        LEAST_BLOCKS,
        none,
        |seen, block| {
            for kin in block.iter() {
                for (seen, key) in seen.iter_mut().zip(kin.keys) {
                    if let Some(seen) = seen.get_mut(key as usize) {
                        *seen = true;
                    }
                }
            }
        },
        |all, more| {
            for (all, more) in all.iter_mut().zip(more) {
                all.iter_mut().zip(more).for_each(|(seen, more)| *seen |= more);
            }
        },
    );
    seen.map(|seen| {
        let mut values = Values { place: vec![0; seen.len()], codes: Vec::new() };
        for (code, place) in (0_u32..).zip(&mut values.place).filter(|(code, _)| seen[*code as usize]) {
            *place = u32::try_from(values.codes.len()).unwrap_or(0);
            values.codes.push(code);
        }
        if values.codes.is_empty() {
            values.codes.push(0);
        }
        values
    })
}
