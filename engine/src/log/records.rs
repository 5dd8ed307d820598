//! Records that belong together, one after the other in one buffer: a group on its way in, or a frame that was read.
//!
//! The buffer holds each record as its length (LEB128) and its bytes: the payload of a frame, so that packing a group
//! copies nothing. What a record means is not known here.

/// A length is written in this many bytes at most: 28 bits, more than a frame holds.
const LENGTH_BITS: u32 = 28;

/// Records to append, all or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    payload: Vec<u8>,
    /// Where each record ends in the payload.
    ends: Vec<usize>,
}

impl Records {
    /// None yet.
    #[must_use]
    pub fn new() -> Records {
        Records::default()
    }

    /// None yet, with room for so many of usual size.
    #[must_use]
    pub fn with_capacity(records: usize) -> Records {
        Records { payload: Vec::with_capacity(128 * records), ends: Vec::with_capacity(records) }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds the record that `write` appends to the buffer it is given. It must leave alone what lies there already.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        // Nearly every record is shorter than 16 KiB, so its length takes one byte or two.
        let start = self.payload.len();
        self.payload.extend_from_slice(&[0, 0]);
        write(&mut self.payload);
        let length = self.payload.len() - start - 2;
        if length < 0x80 {
            self.payload.copy_within(start + 2.., start + 1);
            self.payload.pop();
            self.payload[start] = length as u8;
        } else {
            let mut rest = length >> 7;
            self.payload[start] = length as u8 | 0x80;
            self.payload[start + 1] = (rest & 0x7f) as u8;
            let mut at = start + 1;
            while rest >= 0x80 {
                rest >>= 7;
                self.payload[at] |= 0x80;
                at += 1;
                self.payload.insert(at, (rest & 0x7f) as u8);
            }
        }
        self.ends.push(self.payload.len());
    }

    /// Forgets all but the first `records`.
    pub fn truncate(&mut self, records: usize) {
        self.ends.truncate(records);
        self.payload.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// The bytes of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        Split { rest: &self.payload }
    }

    /// All of them as they lie in a frame before it is compressed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.payload
    }

    /// Where the `nth` begins in the payload; the end of all if it is the next to come.
    fn begin(&self, nth: usize) -> usize {
        nth.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// From the `from`-th on, how many take no more than `target` bytes of payload; at least one, if there is one.
    pub(super) fn fitting(&self, from: usize, target: usize) -> usize {
        let end = self.begin(from) + target;
        self.ends[from..].partition_point(|e| *e <= end).max(1).min(self.len() - from)
    }

    /// The payload of so many records.
    pub(super) fn payload(&self, from: usize, take: usize) -> &[u8] {
        &self.payload[self.begin(from)..self.begin(from + take)]
    }
}

impl<'a, R: AsRef<[u8]> + 'a> FromIterator<&'a R> for Records {
    fn from_iter<T: IntoIterator<Item = &'a R>>(records: T) -> Records {
        let mut all = Records::new();
        for record in records {
            all.push(|out| out.extend_from_slice(record.as_ref()));
        }
        all
    }
}

/// The records of a frame that was read, each with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    first: u64,
    count: usize,
    /// Split once before, so that it can be split.
    payload: Vec<u8>,
}

impl Held {
    /// `None` if the payload is not exactly `count` records. Positions must reach to the one after the last.
    pub(super) fn new(first: u64, count: usize, payload: Vec<u8>) -> Option<Held> {
        let mut split = Split { rest: &payload };
        let whole = split.by_ref().count() == count && split.rest.is_empty();
        whole.then_some(Held { first, count, payload })
    }

    /// The position of the first.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// How many there are: never none.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Position and bytes of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first..self.after()).zip(Split { rest: &self.payload })
    }

    /// The position after the last.
    #[must_use]
    pub fn after(&self) -> u64 {
        self.first + self.count as u64
    }
}

/// Takes a payload apart; ends where it cannot, which is before the end of the payload.
struct Split<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (mut length, mut shift) = (0_usize, 0);
        let mut rest = self.rest;
        loop {
            let (byte, tail) = rest.split_first()?;
            rest = tail;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > LENGTH_BITS {
                return None;
            }
        }
        let (record, tail) = rest.split_at_checked(length)?;
        self.rest = tail;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_size_are_read_back() {
        let sizes = [0, 1, 126, 127, 128, 129, 0x3fff, 0x4000, 0x4001, 0x1f_ffff, 0x20_0000];
        let records: Vec<Vec<u8>> = sizes.iter().map(|n| (0..*n).map(|i| (i % 251) as u8).collect()).collect();
        let all: Records = records.iter().collect();
        assert!(all.iter().eq(records.iter()));
        let held = Held::new(5, records.len(), all.payload.clone()).expect("whole");
        assert!(held.iter().eq((5..).zip(records.iter().map(Vec::as_slice))));
        assert_eq!(Held::new(5, records.len() - 1, all.payload.clone()), None);
        assert_eq!(Held::new(5, records.len(), all.payload[1..].to_vec()), None);
        let mut longer = all.payload.clone();
        longer.push(1);
        assert_eq!(Held::new(5, records.len(), longer), None);
        // Each length takes as few bytes as it can.
        let bytes: usize =
            sizes.iter().map(|n| n + [1, 128, 0x4000, 0x20_0000].iter().filter(|b| n >= *b).count().max(1)).sum();
        assert_eq!(all.payload.len(), bytes);
    }

    #[test]
    fn what_is_undone_leaves_nothing() {
        let records: Vec<Vec<u8>> = (0..300_usize).map(|n| vec![n as u8; n]).collect();
        for keep in [0, 1, 150, 299, 300, 400] {
            let mut all: Records = records.iter().collect();
            all.truncate(keep);
            assert_eq!(all, records.iter().take(keep).collect());
            all.push(|out| out.extend_from_slice(b"next"));
            assert_eq!(all.iter().last(), Some(&b"next"[..]));
            assert_eq!(all.len(), keep.min(300) + 1);
        }
    }

    #[test]
    fn as_many_as_fit() {
        let records: Records = [vec![0; 9], vec![0; 9], vec![0; 29], vec![0; 9]].iter().collect();
        assert_eq!(records.fitting(0, 9), 1, "one at least");
        assert_eq!(records.fitting(0, 20), 2);
        assert_eq!(records.fitting(0, 49), 2);
        assert_eq!(records.fitting(0, 50), 3);
        assert_eq!(records.fitting(2, 1000), 2);
        assert_eq!(records.payload(1, 1).len(), 10);
        assert_eq!(records.payload(0, 4).len(), 60);
    }
}
