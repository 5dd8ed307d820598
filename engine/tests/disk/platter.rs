//! What a disk may hold after a power cut, made from what was called on its files. Knows nothing of logs.
//!
//! - What a sync that returned was meant by is there: `fsync` and `fdatasync` of a file keep its bytes and its length,
//!   `fsync` of a directory its entries. A sync that was still running has kept nothing for certain.
//! - What was written otherwise may be there or not, sector by sector (512 bytes): a sector is as it was at some moment
//!   between its last sync and the cut, since the kernel writes back whole pages from its memory whenever it likes.
//! - The length of a file is one that it had since its last sync. What lies behind it is not there; a gap is zeros.
//! - Entries of a directory that were made, moved or removed since its last sync are there or not, each for itself.
//! - After a sync that failed, what it was meant by is lost, though the process goes on reading it until the cut.

use super::common::Noise;
use super::disk::{Node, ROOT, Step, contents};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

const SECTOR: u64 = 512;
const PAGE: u64 = 4096;

/// What a sync does, for tests that show what would be lost if it did less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syncs {
    /// What its manual page says.
    Keep,
    /// `fdatasync`, which ends every commit, does nothing.
    NoFdatasync,
    /// `fdatasync` writes what lies in a file of the length that is known already, but no new length: what
    /// `sync_file_range` does.
    FdatasyncKeepsNoLength,
}

/// Which of the things that may be there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chance {
    /// None of what was not synced.
    Nothing,
    /// All of it: what a killed process leaves.
    All,
    /// Each sector as of a moment of its own.
    Sectors,
    /// Each page of 4,096 bytes as of a moment of its own.
    Pages,
    /// Each write whole or not at all, in any order.
    Writes,
}

pub(crate) const CHANCES: [Chance; 5] = [Chance::Nothing, Chance::All, Chance::Sectors, Chance::Pages, Chance::Writes];

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Arc<Vec<u8>> },
    Resize(u64),
}

#[derive(Clone, Debug)]
enum Entry {
    Enter { name: String, node: Node },
    Leave { name: String },
    Move { from: String, to: String, node: Node },
}

/// A file or directory: what is durable, and what happened since, each with the number of its step.
#[derive(Clone, Debug)]
enum Held {
    File { durable: Vec<u8>, since: Vec<(usize, Change)> },
    Directory { durable: BTreeMap<String, Node>, since: Vec<(usize, Entry)> },
}

/// A disk that is played forward step by step.
#[derive(Clone, Debug)]
pub(crate) struct Platter {
    held: HashMap<Node, Held>,
    begun: HashMap<u64, (Node, usize, bool)>,
    step: usize,
    syncs: Syncs,
    promised: u64,
}

impl Platter {
    /// A disk on which all that lies under `root` is durable. The numbers are those that [`super::disk::Disk::under`]
    /// gives.
    pub(crate) fn under(root: &Path, syncs: Syncs) -> Platter {
        let mut held = HashMap::from([(ROOT, Held::Directory { durable: BTreeMap::new(), since: Vec::new() })]);
        let mut nodes: HashMap<std::path::PathBuf, Node> = HashMap::from([("".into(), ROOT)]);
        for (node, (path, bytes)) in (ROOT + 1..).zip(contents(root)) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let Some(Held::Directory { durable, .. }) = held.get_mut(&nodes[path.parent().unwrap()]) else {
                unreachable!("directories come first")
            };
            durable.insert(name, node);
            nodes.insert(path, node);
            held.insert(
                node,
                match bytes {
                    Some(durable) => Held::File { durable, since: Vec::new() },
                    None => Held::Directory { durable: BTreeMap::new(), since: Vec::new() },
                },
            );
        }
        Platter { held, begun: HashMap::new(), step: 0, syncs, promised: 0 }
    }

    /// How many records somebody was promised to be durable.
    pub(crate) fn promised(&self) -> u64 {
        self.promised
    }

    /// Somebody was promised that this many records are durable.
    pub(crate) fn acknowledged(&mut self, records: u64) {
        self.promised = self.promised.max(records);
    }

    /// Plays the steps up to before `to`.
    pub(crate) fn play(&mut self, steps: &[Step], to: usize) {
        for (index, step) in steps.iter().enumerate().take(to).skip(self.step) {
            self.one(index, step);
        }
        self.step = to;
    }

    fn file(&mut self, node: Node) -> &mut Vec<(usize, Change)> {
        match self.held.get_mut(&node) {
            Some(Held::File { since, .. }) => since,
            other => panic!("{node} is no file: {other:?}"),
        }
    }

    fn directory(&mut self, node: Node) -> &mut Vec<(usize, Entry)> {
        match self.held.get_mut(&node) {
            Some(Held::Directory { since, .. }) => since,
            other => panic!("{node} is no directory: {other:?}"),
        }
    }

    fn one(&mut self, index: usize, step: &Step) {
        match step {
            Step::Write { file, offset, bytes } => {
                let change = Change::Write { offset: *offset, bytes: Arc::new(bytes.clone()) };
                self.file(*file).push((index, change));
            }
            Step::Resize { file, length } => self.file(*file).push((index, Change::Resize(*length))),
            Step::Enter { directory, name, node, is_directory } => {
                let empty = match is_directory {
                    true => Held::Directory { durable: BTreeMap::new(), since: Vec::new() },
                    false => Held::File { durable: Vec::new(), since: Vec::new() },
                };
                self.held.insert(*node, empty);
                self.directory(*directory).push((index, Entry::Enter { name: name.clone(), node: *node }));
            }
            Step::Leave { directory, name } => {
                self.directory(*directory).push((index, Entry::Leave { name: name.clone() }));
            }
            Step::Move { directory, from, to, node } => {
                let entry = Entry::Move { from: from.clone(), to: to.clone(), node: *node };
                self.directory(*directory).push((index, entry));
            }
            Step::SyncBegun { node, ticket, data_only } => {
                self.begun.insert(*ticket, (*node, index, *data_only));
            }
            Step::SyncEnded { ticket, well } => {
                let (node, begun, data_only) = self.begun.remove(ticket).expect("a sync that began");
                self.synced(node, begun, data_only, *well);
            }
            Step::Acknowledged(records) => self.acknowledged(*records),
        }
    }

    fn synced(&mut self, node: Node, begun: usize, data_only: bool, well: bool) {
        if well && data_only && self.syncs == Syncs::NoFdatasync {
            return;
        }
        let only_known = data_only && self.syncs == Syncs::FdatasyncKeepsNoLength;
        match self.held.get_mut(&node) {
            Some(Held::File { durable, since }) => {
                let (mut meant, mut later) = (Vec::new(), Vec::new());
                for (index, change) in since.drain(..) {
                    if index < begun { meant.push((index, change)) } else { later.push((index, change)) }
                }
                if !well {
                    // Lost: neither durable now nor by any later sync.
                } else if only_known {
                    let length = durable.len();
                    for (index, change) in meant {
                        match &change {
                            Change::Write { offset, bytes } if *offset as usize + bytes.len() <= length => {
                                apply(durable, &change);
                            }
                            _ => later.insert(0, (index, change)),
                        }
                    }
                    later.sort_by_key(|(index, _)| *index);
                } else {
                    meant.iter().for_each(|(_, change)| apply(durable, change));
                }
                *since = later;
            }
            Some(Held::Directory { durable, since }) => {
                let meant: Vec<_> = since.iter().filter(|(index, _)| *index < begun).cloned().collect();
                since.retain(|(index, _)| *index >= begun);
                if well {
                    meant.iter().for_each(|(_, entry)| enter(durable, entry));
                }
            }
            None => panic!("{node} is nothing"),
        }
    }

    /// Writes what the disk may hold if the power is cut now into the empty directory `to`.
    pub(crate) fn cut(&self, chance: Chance, noise: &mut Noise, to: &Path) {
        self.write_directory(ROOT, chance, noise, to);
    }

    fn write_directory(&self, node: Node, chance: Chance, noise: &mut Noise, to: &Path) {
        let Some(Held::Directory { durable, since }) = self.held.get(&node) else { panic!("{node} is no directory") };
        let mut entries = durable.clone();
        for (_, entry) in since {
            let there = match chance {
                Chance::Nothing => false,
                Chance::All => true,
                Chance::Sectors | Chance::Pages | Chance::Writes => noise.below(2) == 0,
            };
            if there {
                enter(&mut entries, entry);
            }
        }
        for (name, node) in entries {
            let path = to.join(name);
            match &self.held[&node] {
                Held::File { durable, since } => {
                    std::fs::write(path, found(durable, since, chance, noise)).unwrap();
                }
                Held::Directory { .. } => {
                    std::fs::create_dir(&path).unwrap();
                    self.write_directory(node, chance, noise, &path);
                }
            }
        }
    }
}

fn enter(entries: &mut BTreeMap<String, Node>, entry: &Entry) {
    match entry {
        Entry::Enter { name, node } => drop(entries.insert(name.clone(), *node)),
        Entry::Leave { name } => drop(entries.remove(name)),
        Entry::Move { from, to, node } => {
            if entries.get(from) == Some(node) {
                entries.remove(from);
            }
            entries.insert(to.clone(), *node);
        }
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Resize(length) => bytes.resize(*length as usize, 0),
        Change::Write { offset, bytes: new } => {
            let (from, to) = (*offset as usize, *offset as usize + new.len());
            if bytes.len() < to {
                bytes.resize(to, 0);
            }
            bytes[from..to].copy_from_slice(new);
        }
    }
}

/// The bytes of a file as they may be found.
fn found(durable: &[u8], since: &[(usize, Change)], chance: Chance, noise: &mut Noise) -> Vec<u8> {
    let all = since.len() as u64;
    // The lengths that the file had, each with the number of changes behind it.
    let mut lengths = vec![(0, durable.len() as u64)];
    for (i, (_, change)) in since.iter().enumerate() {
        let before = lengths[lengths.len() - 1].1;
        let after = match change {
            Change::Resize(length) => *length,
            Change::Write { offset, bytes } => before.max(offset + bytes.len() as u64),
        };
        if after != before {
            lengths.push((i + 1, after));
        }
    }
    let (kept, length) = match chance {
        Chance::Nothing => lengths[0],
        Chance::All => lengths[lengths.len() - 1],
        Chance::Sectors | Chance::Pages | Chance::Writes => lengths[noise.below(lengths.len() as u64) as usize],
    };
    // Up to which change each sector has been written back.
    let salt = noise.next();
    let by_chance = |n: u64| Noise(salt ^ n.wrapping_mul(0x2545_f491_4f6c_dd1d)).below(all + 1);
    let mut by_write: HashMap<u64, u64> = HashMap::new();
    if chance == Chance::Writes {
        for (i, (_, change)) in (1..).zip(since) {
            let Change::Write { offset, bytes } = change else { continue };
            if !bytes.is_empty() && noise.below(2) == 0 {
                (offset / SECTOR..=(offset + bytes.len() as u64 - 1) / SECTOR).for_each(|s| _ = by_write.insert(s, i));
            }
        }
    }
    let written_back = |sector: u64| match chance {
        Chance::Nothing => 0,
        Chance::All => all,
        Chance::Sectors => by_chance(sector),
        Chance::Pages => by_chance(sector * SECTOR / PAGE),
        Chance::Writes => by_write.get(&sector).copied().unwrap_or(0),
    };
    let mut bytes = durable.to_vec();
    // A file that was made shorter, which the disk does not know yet, has its old sectors behind that length.
    let mut known = u64::MAX;
    for (i, (_, change)) in (1..).zip(since) {
        match change {
            Change::Resize(length) if i as usize <= kept => bytes.resize(*length as usize, 0),
            Change::Resize(length) => known = known.min(*length),
            Change::Write { offset, bytes: new } => {
                let end = (offset + new.len() as u64).min(known);
                let mut at = *offset;
                while at < end {
                    let next = ((at / SECTOR + 1) * SECTOR).min(end);
                    if i <= written_back(at / SECTOR) {
                        let part = new[(at - offset) as usize..(next - offset) as usize].to_vec();
                        apply(&mut bytes, &Change::Write { offset: at, bytes: Arc::new(part) });
                    }
                    at = next;
                }
            }
        }
    }
    bytes.resize(length as usize, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: Node, offset: u64, bytes: &[u8]) -> Step {
        Step::Write { file, offset, bytes: bytes.to_vec() }
    }

    /// Every state that 200 draws give of the file `f` after these steps; `None` if it is not there.
    fn states(steps: &[Step], chance: Chance) -> std::collections::BTreeSet<Option<Vec<u8>>> {
        let root = tempfile::tempdir().unwrap();
        let mut platter = Platter::under(root.path(), Syncs::Keep);
        platter.play(steps, steps.len());
        let mut noise = Noise(7);
        let draw = |noise: &mut Noise| {
            let to = tempfile::tempdir().unwrap();
            platter.cut(chance, noise, to.path());
            std::fs::read(to.path().join("f")).ok()
        };
        (0..200).map(|_| draw(&mut noise)).collect()
    }

    fn made() -> Vec<Step> {
        vec![
            Step::Enter { directory: ROOT, name: "f".into(), node: 1, is_directory: false },
            Step::SyncBegun { node: ROOT, ticket: 1, data_only: false },
            Step::SyncEnded { ticket: 1, well: true },
        ]
    }

    #[test]
    fn what_was_synced_is_there_and_the_rest_may_be() {
        let mut steps = made();
        steps.extend([
            write(1, 0, b"kept"),
            Step::SyncBegun { node: 1, ticket: 2, data_only: true },
            write(1, 2, b"new!"),
            Step::SyncEnded { ticket: 2, well: true },
        ]);
        let expected = [Chance::Nothing, Chance::All].map(|chance| states(&steps, chance));
        assert_eq!(expected[0], [Some(b"kept".to_vec())].into());
        assert_eq!(expected[1], [Some(b"kenew!".to_vec())].into());
        // Length and sector on their own: the sector without the length, the length without the sector.
        let both = [&b"kept"[..], b"kene", b"kept\0\0", b"kenew!"].map(|b| Some(b.to_vec())).into();
        assert_eq!(states(&steps, Chance::Sectors), both);
    }

    #[test]
    fn entries_need_the_sync_of_their_directory() {
        let steps = [made()[0].clone(), write(1, 0, b"x")];
        assert_eq!(states(&steps, Chance::Nothing), [None].into());
        assert!(states(&steps, Chance::Sectors).is_superset(&[None, Some(b"x".to_vec()), Some(vec![])].into()));
        let mut steps = made();
        steps.extend([
            Step::Enter { directory: ROOT, name: "g".into(), node: 2, is_directory: false },
            write(2, 0, b"g"),
            Step::SyncBegun { node: 2, ticket: 2, data_only: false },
            Step::SyncEnded { ticket: 2, well: true },
            Step::Move { directory: ROOT, from: "g".into(), to: "f".into(), node: 2 },
        ]);
        assert_eq!(states(&steps, Chance::Writes), [Some(vec![]), Some(b"g".to_vec())].into());
    }

    #[test]
    fn a_write_is_torn_between_sectors_and_not_within() {
        let mut steps = made();
        steps.extend([
            write(1, 0, &[1; 1024]),
            Step::SyncBegun { node: 1, ticket: 2, data_only: true },
            Step::SyncEnded { ticket: 2, well: true },
            write(1, 0, &[2; 1024]),
        ]);
        let halves = |a: u8, b: u8| Some([[a; 512], [b; 512]].concat());
        assert_eq!(states(&steps, Chance::Sectors), [(1, 1), (1, 2), (2, 1), (2, 2)].map(|(a, b)| halves(a, b)).into());
        assert_eq!(states(&steps, Chance::Pages), [halves(1, 1), halves(2, 2)].into());
    }

    #[test]
    fn what_a_failed_sync_was_meant_by_is_lost_for_ever() {
        let mut steps = made();
        steps.extend([
            write(1, 0, b"lost"),
            Step::SyncBegun { node: 1, ticket: 2, data_only: true },
            Step::SyncEnded { ticket: 2, well: false },
            Step::SyncBegun { node: 1, ticket: 3, data_only: true },
            Step::SyncEnded { ticket: 3, well: true },
        ]);
        assert_eq!(states(&steps, Chance::All), [Some(vec![])].into());
    }
}
