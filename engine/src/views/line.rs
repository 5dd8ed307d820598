//! What the columns of a row say: most dossiers in fixed width, the others by the tale beside them.
//!
//! A line is *plain* if it has one promise at most, given with the reception and missed, if at all, at the first tick
//! behind it; no letter that counts; and, once it has ended, no wait but an answered one. That holds for most dossiers,
//! and a scan reads nothing else of them. Of the others, and of those that go on, a [`super::tale`] tells more. Either way
//! the same [`Fact`] is judged. The columns that the others do not need hold a [`super::brief`].

use super::Row;
use super::brief::Brief;
use super::fact::{Fact, NEVER};
use super::obligation::{Owed, owed};
use super::table::{Cells, Days, NO_DAY, Span, Split};
use super::tale::{self, Told};
use crate::dossier::{Act, Entry, EventType, Timeline, next_miss};
use crate::rules::{ComparedBy, Pinned, RESOLVED};
use crate::time::{Date, Due, Timestamp, Zone};

/// It was received; else it counts nowhere.
pub(super) const RECEIVED: u16 = 1;
/// A promise was given with the reception.
pub(super) const PROMISED: u16 = 1 << 1;
/// That is an instant.
pub(super) const INSTANT: u16 = 1 << 2;
/// It was missed, or will be, by date.
pub(super) const MISSED_BY_DATE: u16 = 1 << 3;
/// It was missed, or will be, to the millisecond.
pub(super) const MISSED_BY_INSTANT: u16 = 1 << 4;
/// Its end is processed; an exit if not.
pub(super) const PROCESSED: u16 = 1 << 5;
/// The columns do not tell it all: its tale holds the folded history.
pub(super) const FOLDED: u16 = 1 << 6;
/// The clock stood still at times, or an answer to nothing gave a due: as of an earlier moment, in another zone, or by the
/// latest due of all, its tale must be looked at.
pub(super) const MOVED: u16 = 1 << 7;
/// A promise was missed to the millisecond, or will be, whose `Late` is not on record.
pub(super) const RINGS: u16 = 1 << 8;
/// Of a plain line: what it owes for a promise missed by date is decided at the miss, as no letter after it is in time.
pub(super) const OWED_AT_MISS: u16 = 1 << 9;
/// Of a folded line: its columns hold a [`Brief`], which has the bits above this one, too.
pub(super) const BRIEF: u16 = 1 << 9;

/// Whether figures need the tale of a row that has ended; else only decisions do.
pub(super) fn needs_tale(bits: u16) -> bool {
    bits & (FOLDED | MOVED) != 0
}

/// What a row becomes in the table.
pub(super) struct Line {
    pub(super) cells: Cells,
    pub(super) span: Span,
}

fn split(days: Days, at: Option<Timestamp>) -> Option<Split> {
    match at {
        None => Some(Split::NEVER),
        Some(at) => days.split(at).map(|(day, of_day)| Split { day, of_day }),
    }
}

/// The first tick behind a due, by date or to the millisecond.
pub(super) fn behind(due: Due, by: ComparedBy, home: &Zone) -> Timestamp {
    match by {
        ComparedBy::Date => home.first_tick(due.date(home).plus(1)),
        ComparedBy::Instant => due.last_moment(home).plus(1),
    }
}

/// The columns of a plain line.
struct Plain {
    bits: u16,
    received: Split,
    ended: Split,
    handed: Split,
    due: Split,
}

impl Plain {
    fn of(by_date: &Timeline, by_instant: &Timeline, pinned: &Pinned, home: &Zone, days: Days) -> Option<Plain> {
        let received = by_date.received;
        let mut bits = RECEIVED;
        if by_date.promises.len() > 1 || by_instant.promises.len() > 1 || by_date.requests.len() > 1 {
            return None;
        }
        match by_date.end {
            Some(end) if end.stopped != end.at || by_date.waits.iter().any(|wait| wait.to.is_none()) => return None,
            Some(end) => bits |= if end.kind.is_processed() { PROCESSED } else { 0 },
            None if !by_date.waits.is_empty() => return None,
            None => {}
        }
        let mut due = Split::NEVER;
        if let (Some(date), Some(instant)) = (by_date.promises.first(), by_instant.promises.first()) {
            let quiet = date.letter.is_none() && date.defective.is_none();
            let same = date.due == instant.due && date.given == received && instant.given == received;
            let letter_by = |made| pinned.letter_deadline(date.due, made, home);
            if !quiet || !same || (date.made != received && letter_by(date.made) != letter_by(received)) {
                return None;
            }
            bits |= PROMISED;
            for (promise, by, bit) in
                [(date, ComparedBy::Date, MISSED_BY_DATE), (instant, ComparedBy::Instant, MISSED_BY_INSTANT)]
            {
                match promise.missed {
                    None => {}
                    Some(missed) if missed == behind(promise.due, by, home) => bits |= bit,
                    Some(_) => return None,
                }
            }
            let owed = date.missed.and_then(|missed| owed(missed, letter_by(received), NEVER, NEVER, missed));
            bits |= if owed.is_some_and(|owed| owed.decided_at == owed.missed_at) { OWED_AT_MISS } else { 0 };
            due = match date.due {
                Due::Instant(t) => {
                    bits |= INSTANT;
                    split(days, Some(t))?
                }
                Due::Date(date) => split_date(date, home, days)?,
            };
        } else if by_date.promises.len() != by_instant.promises.len() {
            return None;
        }
        let ended = by_date.end.map(|end| end.at);
        let handed = handed_over(by_date);
        Some(Plain {
            bits,
            received: split(days, Some(received))?,
            ended: split(days, ended)?,
            handed: split(days, handed)?,
            due,
        })
    }
}

/// A date as a day, if its midnights can be told.
fn split_date(date: Date, home: &Zone, days: Days) -> Option<Split> {
    let day = u16::try_from(date.0).ok().filter(|day| *day < NO_DAY)?;
    if days.are_dates() {
        // That the day can be split says that it lies in the years in which the zone is steady.
        let (first, _) = days.split(home.first_tick(date))?;
        if first != day {
            return None;
        }
    }
    Some(Split { day, of_day: 0 })
}

fn handed_over(timeline: &Timeline) -> Option<Timestamp> {
    let end = timeline.end.filter(|end| end.kind.is_processed())?;
    Some(timeline.returned?.max(end.at))
}

/// The acts that move no clock where nothing was asked for.
fn is_idle(entry: &Entry) -> bool {
    matches!(entry.act.event_type(), EventType::Received) || entry.act.due().is_none()
}

impl Line {
    /// Of a row whose keys and rules have the number `kin`; its tale is written into `tale`, empty if it needs none.
    pub(super) fn of(row: &Row, kin: u32, home: &Zone, days: Days, tale: &mut Vec<u8>) -> Line {
        tale.clear();
        let dossier = &row.dossier;
        let mut cells = Cells {
            bits: 0,
            received: Split::NEVER,
            ended: Split::NEVER,
            handed: Split::NEVER,
            due: Split::NEVER,
            kin,
            flags: dossier.flags,
            last: dossier.last_position().unwrap_or(0),
        };
        let nowhere = Span { first: Timestamp::MAX, last: Timestamp::MIN, open: false, letters: None };
        let (Some(by_date), Some(by_instant)) = (&row.by_date, &row.by_instant) else {
            return Line { cells, span: nowhere };
        };
        let standing = dossier.standing();
        let plain = Plain::of(by_date, by_instant, &dossier.pinned, home, days);
        let waited = !by_date.waits.is_empty() || !by_date.requests.is_empty();
        let moved = waited || !standing.iter().all(is_idle);
        match &plain {
            Some(plain) => {
                cells.bits = plain.bits | if moved { MOVED } else { 0 };
                (cells.received, cells.ended) = (plain.received, plain.ended);
                (cells.handed, cells.due) = (plain.handed, plain.due);
            }
            None => {
                cells.bits = RECEIVED | FOLDED;
                if let Some(brief) = Brief::of(by_date, by_instant, &dossier.pinned, home, days) {
                    brief.put(&mut cells);
                }
            }
        }
        if next_miss(&dossier.entries, by_instant).is_some() {
            cells.bits |= RINGS;
        }
        // Until the result is handed over, or the applicant is gone, more is to be expected of it.
        let settled = by_date.end.is_some_and(|end| !end.kind.is_processed() || by_date.returned.is_some());
        if !settled || moved || plain.is_none() {
            let corrected = !dossier.corrections.is_empty();
            let told = Told {
                entries: &standing,
                corrected,
                reckons: dossier.reckons,
                reckoned: dossier.reckoned(),
                code: (!settled).then_some(&*dossier.code),
                folded: plain.is_none().then_some((by_date, by_instant)),
            };
            tale::write(tale, &told);
        }
        Line { cells, span: span(by_date, by_instant, &dossier.pinned, home) }
    }
}

/// The first and the last moment at which anything about a dossier is counted.
fn span(by_date: &Timeline, by_instant: &Timeline, pinned: &Pinned, home: &Zone) -> Span {
    let mut last = by_date.received;
    for timeline in [by_date, by_instant] {
        let ends = timeline.end.map(|end| end.at).into_iter().chain(timeline.returned);
        let misses = timeline.promises.iter().flat_map(|p| p.missed.into_iter().chain([p.given]));
        last = ends.chain(misses).fold(last, Timestamp::max);
    }
    let mut letters = None;
    for promise in by_date.promises.iter().filter(|p| p.missed.is_some()) {
        let deadline = pinned.letter_deadline(promise.due, promise.made, home);
        letters = Some(
            letters.map_or((deadline, deadline), |(f, l): (Timestamp, Timestamp)| (f.min(deadline), l.max(deadline))),
        );
        last = last.max(deadline.plus(1));
        last = promise.letter.into_iter().chain(promise.defective).fold(last, Timestamp::max);
    }
    let requests = by_date.requests.iter().flat_map(|r| [Some(r.at), r.answered]).flatten();
    last = requests.fold(last, Timestamp::max);
    let open = by_date.end.is_none();
    // One in progress may count at any time to come; what it says now does not outlive its end.
    Span { first: by_date.received, last: if open { by_date.received } else { last }, open, letters }
}

/// What the columns of a plain line say.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) bits: u16,
    pub(super) received: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) handed: Timestamp,
    pub(super) due: Option<Due>,
}

impl Seen {
    pub(super) fn of(cells: &Cells, days: Days) -> Seen {
        let due = (cells.bits & PROMISED != 0).then(|| match cells.bits & INSTANT {
            0 => Due::Date(Date(i32::from(cells.due.day))),
            _ => Due::Instant(days.join(cells.due.day, cells.due.of_day)),
        });
        let join = |split: Split| days.join(split.day, split.of_day);
        Seen {
            bits: cells.bits,
            received: join(cells.received),
            ended: join(cells.ended),
            handed: join(cells.handed),
            due,
        }
    }

    pub(super) fn missed(&self, by: ComparedBy, home: &Zone) -> Timestamp {
        let bit = match by {
            ComparedBy::Date => MISSED_BY_DATE,
            ComparedBy::Instant => MISSED_BY_INSTANT,
        };
        match self.due {
            Some(due) if self.bits & bit != 0 => behind(due, by, home),
            _ => NEVER,
        }
    }

    /// As a definition that compares so sees it; dates are of the directory's zone.
    pub(super) fn fact(&self, by: ComparedBy, home: &Zone) -> Fact {
        Fact {
            received: self.received,
            ended: self.ended,
            returned: self.handed,
            given: if self.due.is_some() { self.received } else { NEVER },
            missed: self.missed(by, home),
            due_on: self.due.map_or(Date::LATEST, |due| due.date(home)),
            stopped_on: if self.ended == NEVER { Date::LATEST } else { home.date(self.ended) },
            processed: self.bits & PROCESSED != 0,
            waits_again: false,
        }
    }

    /// Until when a letter for its promise is in time, as a letter is for a promise that no answer has moved.
    pub(super) fn letter_by(&self, pinned: &Pinned, home: &Zone) -> Option<Timestamp> {
        Some(pinned.letter_deadline(self.due?, self.received, home))
    }

    /// What its promise obliges to at `c`.
    pub(super) fn owed(&self, pinned: &Pinned, home: &Zone, c: Timestamp) -> Option<Owed> {
        let missed = self.missed(RESOLVED.compared_by, home);
        if missed > c {
            return None;
        }
        owed(missed, self.letter_by(pinned, home)?, NEVER, NEVER, c)
    }

    /// Events that fold to the same: what moves no clock is left out.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::told(0, self.received, Act::Received(self.due))];
        if self.ended != NEVER {
            let act = if self.bits & PROCESSED != 0 { Act::Processed } else { Act::Withdrawn };
            entries.push(Entry::told(1, self.ended, act));
        }
        if self.handed != NEVER {
            entries.push(Entry::told(2, self.handed, Act::Returned));
        }
        entries
    }
}
