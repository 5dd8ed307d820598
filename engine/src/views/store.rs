//! Views as bytes, and back: what a snapshot holds. Files are another's matter (`engine/snapshot.rs`).
//!
//! A snapshot is derived: bytes that do not read as they should make it none, and cost a longer replay. So nothing here
//! explains itself; it reads or it does not.

use super::line::{FOLDED, RINGS};
use super::register::Rows;
use super::table::{Bytes, Stored, StoredSegment};
use super::{Kin, Sight, Views};
use crate::dossier::{Code, Comparison, next_miss};
use crate::rules::{ComparedBy, Pin, RuleKind, Rulebook};
use crate::time::{Timestamp, Zone};
use std::sync::Arc;

impl Views {
    /// The stamp of each segment's last change: a segment that is stored with the same stamp need not be stored again.
    pub(crate) fn segments(&self) -> &[u64] {
        self.table.changed()
    }

    /// The bytes of a segment.
    pub(crate) fn write_segment(&self, segment: usize) -> Vec<u8> {
        self.table.write_segment(segment)
    }

    /// The bytes of all that is not in a segment: the keys of dossiers, and the rules that they follow.
    pub(crate) fn write_keys(&self) -> Vec<u8> {
        let mut bytes = Bytes::default();
        bytes.number(self.names.len() as u64);
        self.names.iter().for_each(|name| bytes.bytes(name.as_bytes()));
        bytes.number(self.kins.len() as u64);
        for kin in self.kins.iter() {
            kin.keys.iter().for_each(|key| bytes.number(u64::from(*key)));
            bytes.number(kin.pinned.pins.len() as u64);
            for pin in &kin.pinned.pins {
                bytes.number(pin.kind as u64);
                bytes.bytes(pin.code.as_bytes());
                bytes.number(u64::from(pin.number));
            }
        }
        bytes.0
    }

    /// The next promise to pass of every row of which one is to pass.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = (Timestamp, u32)> + '_ {
        let rows = self.table.chunks().flat_map(|chunk| self.rows(chunk));
        (0..).zip(rows).filter_map(|(row, sight)| Some((sight.rings()?, row)))
    }
}

impl Sight<'_> {
    /// When the next promise passes whose `Late` is not on record.
    fn rings(&self) -> Option<Timestamp> {
        let bits = self.chunk.bits[self.slot];
        if bits & RINGS == 0 {
            return None;
        }
        let home = &self.views.home;
        if bits & FOLDED == 0 {
            return Some(self.seen().missed(ComparedBy::Instant, home));
        }
        let entries = self.entries();
        let timeline = self.folded(Comparison::Instant, home)?;
        next_miss(&entries, &timeline)
    }
}

impl Rows {
    /// All rows from the bytes of a snapshot; `rules` are those in force at its position.
    pub(crate) fn read(
        home: Zone,
        position: u64,
        rules: &Arc<Rulebook>,
        keys: &[u8],
        segments: Vec<StoredSegment>,
    ) -> Option<Rows> {
        let mut register = Rows::new(home);
        register.set_rules(Arc::clone(rules));
        let mut stored = Stored(keys);
        let text = |stored: &mut Stored<'_>| Some(Code::from(std::str::from_utf8(stored.bytes()?).ok()?));
        for _ in 0..stored.number()? {
            register.add_name(&text(&mut stored)?);
        }
        for _ in 0..stored.number()? {
            let mut keys = [0; 4];
            for key in &mut keys {
                *key = u32::try_from(stored.number()?).ok()?;
            }
            let mut pins = Vec::new();
            for _ in 0..stored.number()? {
                let (kind, _) = *RuleKind::ALL.get(usize::try_from(stored.number()?).ok()?)?;
                let code = text(&mut stored)?;
                pins.push(Pin { kind, code, number: u32::try_from(stored.number()?).ok()? });
            }
            register.add_kin(Kin { keys, pinned: Arc::new(rules.pinned_as(&pins)?) });
        }
        register.add_segments(segments);
        register.move_on(position);
        Some(register)
    }
}
