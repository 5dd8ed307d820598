//! Going over all rows: chunk by chunk, on all cores, past those that cannot matter.

use super::fact::{Fact, Zones};
use super::line::{FOLDED, RECEIVED};
use super::obligation::{Owed, owed_by};
use super::table::Chunk;
use super::{Sight, Views, tale};
use crate::cores;
use crate::dossier::Timeline;
use crate::rules::{ComparedBy, Definition, Judged};
use crate::time::Timestamp;

/// How many chunks a core must have to be worth a thread.
const LEAST_CHUNKS: usize = 96;

/// Folds chunks into one value for each core and merges those.
pub(super) fn over<T: Send>(
    chunks: &[&Chunk],
    make: impl Fn() -> T + Sync,
    each: impl Fn(&mut T, &Chunk) + Sync,
    merge: impl FnMut(&mut T, T),
) -> T {
    cores::fold(chunks, LEAST_CHUNKS, make, |value, chunk| each(value, chunk), merge)
}

/// How the rows of a question become facts.
pub(super) struct Judging<'q> {
    pub(super) definition: Definition,
    pub(super) zones: Zones<'q>,
    pub(super) c: Timestamp,
    /// Whether the rows hold what the definition asks: in another zone, or by dues that were overwritten, they are folded anew.
    as_held: bool,
}

/// Timelines that are read into again and again.
pub(super) struct Scratch {
    pub(super) by_date: Timeline,
    pub(super) by_instant: Timeline,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { by_date: tale::blank(), by_instant: tale::blank() }
    }
}

impl<'q> Judging<'q> {
    pub(super) fn new(definition: Definition, zones: Zones<'q>, c: Timestamp) -> Judging<'q> {
        let as_held = zones.asked == zones.home && definition.judged != Judged::Latest;
        Judging { definition, zones, c, as_held }
    }

    /// Whether the moments of chunks are those of the question.
    pub(super) fn as_held(&self) -> bool {
        self.as_held
    }

    /// A dossier as the definition sees it, and what it owes by its missed promises; nothing if it was never received.
    pub(super) fn each(&self, sight: Sight<'_>, scratch: &mut Scratch, mut owes: impl FnMut(Owed)) -> Option<Fact> {
        let bits = sight.chunk.bits[sight.slot];
        if bits & RECEIVED == 0 {
            return None;
        }
        let Zones { home, asked } = self.zones;
        if self.as_held && bits & FOLDED == 0 {
            let seen = sight.seen();
            if let Some(owed) = seen.owed(&sight.kin().pinned, home, self.c) {
                owes(owed);
            }
            return Some(seen.fact(self.definition.compared_by, home));
        }
        let pinned = &sight.kin().pinned;
        if self.as_held {
            let Scratch { by_date, by_instant } = scratch;
            if !sight.chunk.tale(sight.slot).is_some_and(|tale| tale.folded(by_date, by_instant)) {
                return None;
            }
            owed_by(by_date, pinned, home, self.c).for_each(owes);
            let timeline = match self.definition.compared_by {
                ComparedBy::Date => by_date,
                ComparedBy::Instant => by_instant,
            };
            return Some(Fact::told(timeline, self.definition, asked, self.c));
        }
        let by_date = sight.by_date()?;
        owed_by(&by_date, pinned, home, self.c).for_each(owes);
        let history = sight.history(self.definition, asked, Timestamp::MAX)?;
        Some(Fact::of(&history, self.definition, self.zones, self.c))
    }

    /// The same without what it owes.
    pub(super) fn fact(&self, sight: Sight<'_>, scratch: &mut Scratch) -> Option<Fact> {
        self.each(sight, scratch, |_| {})
    }
}

impl Views {
    /// The chunks that can count in a period that begins at `from`, at the cut `c`.
    pub(super) fn that_matter(&self, judging: &Judging<'_>, from: Timestamp) -> Vec<&Chunk> {
        let matters = |chunk: &&Chunk| !judging.as_held() || chunk.matters(from, judging.c);
        self.table.chunks().map(|chunk| &**chunk).filter(matters).collect()
    }
}
