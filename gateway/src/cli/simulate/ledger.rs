//! What was planted: the generator's own book of every dossier, and the integers that follow from it.
//!
//! It knows nothing of the engine's figures and works in whole local days, which is enough for stories whose promises
//! are dates and whose events come in order. So it is a second, independent count of definitions.md I.4 and I.5.

use dunghen_engine::dossier::{Event, Flag};
use dunghen_engine::time::{Date, Timestamp, Zone};

/// The rate definitions that are planted, each by what it makes of a dossier.
pub(super) const DEFINITIONS: [&str; 6] =
    ["resolved", "resolved-instant", "decision-766", "received", "returned", "first-promise"];

/// The integers that are the same beside every definition.
pub(super) const COMMON: [&str; 11] = [
    "received",
    "resolved",
    "withdrawn",
    "returned",
    "open",
    "open_no_deadline",
    "apology_due",
    "apology_in_time",
    "apology_late",
    "apology_missing",
    "apology_defective",
];

/// The integers of each definition.
pub(super) const OWN: [&str; 5] = ["cohort", "on_time", "late", "no_deadline", "open_overdue"];

/// The integers of a unit, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) common: [u64; COMMON.len()],
    pub(super) own: [[u64; OWN.len()]; DEFINITIONS.len()],
}

impl Counts {
    pub(super) fn add(&mut self, other: &Counts) {
        for (sum, n) in self.common.iter_mut().zip(other.common) {
            *sum += n;
        }
        for (sums, ns) in self.own.iter_mut().zip(other.own) {
            for (sum, n) in sums.iter_mut().zip(ns) {
                *sum += n;
            }
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        *self == Counts::default()
    }
}

/// What is counted beside the figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extras {
    /// Events of the desks.
    pub(super) events: u64,
    /// `Late` that the engine must write.
    pub(super) lates: u64,
    /// Dossiers rejected that were never received.
    pub(super) rejected: u64,
    /// Dossiers that wait for the applicant at the end.
    pub(super) waiting: u64,
    /// Processed, and never handed over by the end.
    pub(super) not_fetched: u64,
    pub(super) flags: [u64; Flag::ALL.len()],
}

impl Extras {
    pub(super) fn add(&mut self, other: &Extras) {
        self.events += other.events;
        self.lates += other.lates;
        self.rejected += other.rejected;
        self.waiting += other.waiting;
        self.not_fetched += other.not_fetched;
        for (sum, n) in self.flags.iter_mut().zip(other.flags) {
            *sum += n;
        }
    }
}

#[derive(Clone, Copy)]
struct Promised {
    by: Date,
    missed: bool,
    in_run: bool,
    answered: Option<Date>,
    defective: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Processed,
    Exit,
}

/// The book of one dossier.
pub(super) struct Ledger {
    zone: Zone,
    rejected: bool,
    received: Option<Timestamp>,
    promises: Vec<Promised>,
    /// The date on which a wait began.
    waiting: Option<Date>,
    /// Whether it waits for papers (and not for a payment).
    for_papers: bool,
    requests: u32,
    letters: u32,
    ended: Option<Ended>,
    returned: bool,
    /// `Late` logged for promises that were kept after all.
    mistaken: u64,
    extras: Extras,
}

impl Ledger {
    pub(super) fn new(zone: Zone) -> Ledger {
        Ledger {
            zone,
            rejected: false,
            received: None,
            promises: Vec::new(),
            waiting: None,
            for_papers: false,
            requests: 0,
            letters: 0,
            ended: None,
            returned: false,
            mistaken: 0,
            extras: Extras::default(),
        }
    }

    fn flag(&mut self, flag: Flag, when: bool) {
        self.extras.flags[flag as usize] += u64::from(when);
    }

    /// Promises by an earlier day than `today` are missed, if the clock runs.
    fn run_until(&mut self, today: Date) {
        if self.waiting.is_none() && self.ended.is_none() {
            for promise in self.promises.iter_mut().filter(|p| p.by < today) {
                promise.missed = true;
            }
        }
    }

    fn give(&mut self, by: Date, in_run: bool) {
        self.promises.push(Promised { by, missed: false, in_run, answered: None, defective: false });
    }

    /// Takes down an event as it is sent: it happened at `at` and is recorded at `recorded`.
    pub(super) fn note(&mut self, at: Timestamp, recorded: Timestamp, event: &Event) {
        const DAY_MS: i64 = 86_400_000;
        self.extras.events += 1;
        self.flag(Flag::RecordedLate, recorded.since(at) > DAY_MS);
        if let Some(received) = self.received {
            self.flag(Flag::BeforeReception, at < received);
        }
        let today = self.zone.date(self.received.map_or(at, |r| at.max(r)));
        let date = |due: &Option<dunghen_engine::dossier::Due>| due.map(|d| d.date(&self.zone));
        match event {
            Event::Received { due, .. } => {
                let due = date(due);
                self.flag(Flag::AfterRejection, self.rejected);
                self.received = Some(at);
                if let Some(by) = due {
                    self.give(by, true);
                }
            }
            Event::Rejected { .. } if self.received.is_none() => self.rejected = true,
            Event::SupplementRequested { .. } => {
                self.flag(Flag::SupplementAgain, self.requests > 0);
                self.requests += 1;
                self.wait(today, true);
            }
            Event::PaymentRequested { stops_clock: true } => self.wait(today, false),
            Event::Supplemented { due } | Event::Paid { due } => {
                let due = date(due);
                let papers = matches!(event, Event::Supplemented { .. });
                self.flag(Flag::AnswerWithoutRequest, papers && self.waiting.is_none());
                self.answer(today, due);
            }
            Event::ApologySent { reason_code, new_due, .. } => {
                let new_due = date(new_due);
                self.letter(today, reason_code.is_some(), new_due);
            }
            Event::Processed { .. } | Event::Withdrawn { .. } | Event::Stopped { .. } | Event::Rejected { .. } => {
                let processed = matches!(event, Event::Processed { .. });
                self.end(today, recorded, if processed { Ended::Processed } else { Ended::Exit });
                self.flag(Flag::ReportedAfterPromise, self.mistaken > 0);
            }
            Event::Returned { .. } => {
                self.flag(Flag::ReturnedUnprocessed, self.ended.is_none());
                if self.ended.is_none() {
                    self.end(today, recorded, Ended::Processed);
                }
                self.returned = true;
            }
            Event::Forwarded { .. } => self.flag(Flag::AfterEnd, self.ended.is_some()),
            // A simulated desk corrects nothing.
            Event::PaymentRequested { stops_clock: false } | Event::Late { .. } | Event::Corrected { .. } => {}
        }
    }

    fn wait(&mut self, today: Date, for_papers: bool) {
        self.run_until(today);
        self.waiting = Some(today);
        self.for_papers = for_papers;
    }

    fn answer(&mut self, today: Date, due: Option<Date>) {
        let (Some(since), Some(newest)) = (self.waiting.take(), self.promises.last()) else { return };
        let days = due.map_or(today.0 - since.0, |due| due.0 - newest.by.0);
        for promise in self.promises.iter_mut().filter(|p| !p.missed) {
            promise.by = promise.by.plus(days);
        }
    }

    fn letter(&mut self, today: Date, reason: bool, new_due: Option<Date>) {
        self.run_until(today);
        let open = self.ended.is_none();
        self.flag(Flag::ApologyAfterResult, !open);
        let Some(newest) = self.promises.last_mut() else { return };
        let later = new_due.filter(|by| *by > newest.by && *by >= today);
        if !reason || (open && later.is_none()) {
            newest.defective = true;
            return self.flag(Flag::ApologyDefective, true);
        }
        newest.answered.get_or_insert(today);
        let in_run = newest.in_run && !newest.missed;
        if let (true, Some(by)) = (open, later) {
            self.letters += 1;
            self.give(by, in_run);
            self.flag(Flag::RescheduledAgain, self.letters > 1);
        }
    }

    fn end(&mut self, today: Date, recorded: Timestamp, how: Ended) {
        self.run_until(today);
        // Until the end was reported the engine had to believe that these promises had passed.
        let reported = |by: Date| self.zone.first_tick(by.plus(1)) < recorded;
        if self.waiting.is_none() {
            self.mistaken += self.promises.iter().filter(|p| !p.missed && reported(p.by)).count() as u64;
        }
        self.ended = Some(how);
    }

    /// Closes the book at the end of `last`; adds to the counts of the dossier's unit and to the extras.
    pub(super) fn close(mut self, last: Date, counts: &mut Counts, extras: &mut Extras) {
        self.run_until(last);
        self.extras.rejected += u64::from(self.rejected && self.received.is_none());
        self.extras.lates += self.mistaken + self.promises.iter().filter(|p| p.missed).count() as u64;
        let open = self.ended.is_none();
        self.extras.waiting += u64::from(open && self.waiting.is_some());
        let processed = self.ended == Some(Ended::Processed);
        self.extras.not_fetched += u64::from(processed && !self.returned);
        extras.add(&self.extras);
        if self.received.is_none() {
            return;
        }
        let none = self.promises.is_empty();
        let exit = self.ended == Some(Ended::Exit);
        let handed = processed && self.returned;
        let [mut due, mut in_time, mut late, mut missing, mut defective] = [0; 5];
        for promise in self.promises.iter().filter(|p| p.missed) {
            due += 1;
            match promise.answered {
                Some(sent) if sent <= promise.by => in_time += 1,
                Some(_) => late += 1,
                None => {
                    missing += 1;
                    defective += u64::from(promise.defective);
                }
            }
        }
        let common = [
            1,
            u64::from(processed),
            u64::from(exit),
            u64::from(handed),
            u64::from(open),
            u64::from(open && none),
            due,
            in_time,
            late,
            missing,
            defective,
        ];
        let current = self.promises.iter().rev().find(|p| p.in_run).is_some_and(|p| p.missed);
        let first = self.promises.first().is_some_and(|p| p.missed);
        let asks_again = open && self.waiting.is_some() && self.for_papers && self.requests > 1;
        let own = DEFINITIONS.map(|definition| {
            let (counted, late) = match definition {
                "resolved" | "resolved-instant" => (processed, current),
                "decision-766" => (true, current || asks_again),
                "received" => (processed || open, current),
                "returned" => (handed, current),
                _ => (first || processed, first),
            };
            let overdue = open && if definition == "first-promise" { first } else { current };
            let (late, on_time, none) = (counted && late && !none, counted && !late && !none, counted && none);
            [counted, on_time, late, none, overdue].map(u64::from)
        });
        counts.add(&Counts { common, own });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunghen_engine::dossier::{Due, Outcome};

    fn at(zone: &Zone, date: &str) -> Timestamp {
        zone.first_tick(Date::parse(date).expect(date)).plus(9 * 3_600_000)
    }

    /// Received 3/9, due 10/9; a letter in time to 20/9; processed 18/9: definitions.md, by the newer promise.
    #[test]
    fn a_letter_in_time_moves_the_promise() {
        let zone = Zone::VIETNAM;
        let mut ledger = Ledger::new(zone);
        let due = |d: &str| Some(Due::Date(Date::parse(d).expect(d)));
        let mut note = |d: &str, event: Event| ledger.note(at(&zone, d), at(&zone, d), &event);
        note(
            "2025-09-03",
            Event::Received {
                unit: "u".into(),
                procedure: None,
                field: None,
                channel: None,
                due: due("2025-09-10"),
                applicant_kind: None,
            },
        );
        note(
            "2025-09-09",
            Event::ApologySent {
                letter_number: None,
                reason_code: Some("r".into()),
                signer: None,
                sent_via: None,
                new_due: due("2025-09-20"),
            },
        );
        note("2025-09-18", Event::Processed { outcome: Outcome::Granted });
        let (mut counts, mut extras) = (Counts::default(), Extras::default());
        ledger.close(Date::parse("2025-09-30").expect("date"), &mut counts, &mut extras);
        let own = |id: &str| counts.own[DEFINITIONS.iter().position(|d| *d == id).expect("definition")];
        assert_eq!(own("resolved"), [1, 1, 0, 0, 0]);
        assert_eq!(own("first-promise"), [1, 0, 1, 0, 0]);
        assert_eq!(counts.common[6..], [1, 1, 0, 0, 0]);
        assert_eq!(extras.lates, 1);
    }
}
