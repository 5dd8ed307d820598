//! A model province: its units, its procedures, and the story of each dossier, invented from a seed.
//!
//! Pure: same seed and place in the year, same story. The shares follow published magnitudes (a good eighth of the
//! dossiers late, 13 days on average in a department); no real office is described. Procedures and terms of the
//! department are published ones; the terms of the communes are the usual ones.

use super::ledger::{Counts, Extras, Ledger};
use crate::cli::dice::{Dice, after, working, working_by};
use dunghen_engine::dossier::{ApplicantKind, Code, Due, Event, Outcome, Statement};
use dunghen_engine::time::{Date, Timestamp, Zone};
use std::sync::Arc;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// What is filed later in the day counts from the next working day.
const CUT_OFF: i64 = 15 * 60 * MINUTE;
/// Reception points of a unit.
const DESKS: u64 = 4;
const COMMUNES: u32 = 45;

/// How long a procedure takes.
#[derive(Clone, Copy)]
enum Term {
    WorkingDays(i32),
    Days(i32),
    /// Phases: working days, then days.
    Phases(i32, i32),
}

/// Procedures of the department: section, code, field, term, whether the term starts anew after a supplement, share.
const OF_DEPARTMENT: [(usize, &str, &str, Term, bool, u64); 14] = [
    (0, "1.002600", "Mỹ phẩm", Term::WorkingDays(3), false, 240),
    (0, "1.003055", "Mỹ phẩm", Term::Days(30), false, 30),
    (0, "1.003064", "Mỹ phẩm", Term::WorkingDays(5), false, 40),
    (0, "1.003073", "Mỹ phẩm", Term::Days(30), false, 30),
    (0, "1.002483", "Mỹ phẩm", Term::Days(10), false, 60),
    (0, "1.000990", "Mỹ phẩm", Term::WorkingDays(5), false, 20),
    (0, "1.002238", "Mỹ phẩm", Term::WorkingDays(3), false, 20),
    (0, "1.009566", "Mỹ phẩm", Term::WorkingDays(3), false, 40),
    (1, "1.012289", "Khám bệnh chữa bệnh", Term::Days(30), false, 220),
    (1, "1.003516", "Khám bệnh chữa bệnh", Term::Days(45), true, 30),
    (1, "1.002015", "Khám bệnh chữa bệnh", Term::Days(90), false, 10),
    (2, "2.000655", "Y tế dự phòng", Term::WorkingDays(3), false, 110),
    (3, "1.002310", "Giám định y khoa", Term::Phases(10, 40), false, 30),
    (4, "1.014137", "Bảo hiểm y tế", Term::WorkingDays(5), false, 120),
];
const OF_COMMUNES: [(&str, &str, Term, u64); 4] = [
    ("2.000815", "Chứng thực", Term::WorkingDays(0), 560),
    ("1.001193", "Hộ tịch", Term::WorkingDays(1), 200),
    ("1.004873", "Hộ tịch", Term::WorkingDays(3), 140),
    ("1.001776", "Bảo trợ xã hội", Term::WorkingDays(10), 100),
];
const SECTIONS: u32 = 5;
const REASONS: [&str; 4] = ["workload", "staff-absent", "waits-for-other-unit", "force-majeure"];
const PAPERS: [&str; 4] = ["business-licence", "diploma", "floor-plan", "label-sample"];

pub(super) struct Unit {
    pub(super) code: Code,
    desks: Vec<Code>,
    department: bool,
    /// How many of a thousand dossiers it does not finish by their promise.
    late: u64,
    /// How many of ten late dossiers get their letter in time.
    polite: u64,
}

struct Procedure {
    section: usize,
    code: Code,
    field: Code,
    term: Term,
    restarts: bool,
    share: u64,
}

/// Codes that repeat, made once.
struct Words {
    actors: Vec<Code>,
    online: Code,
    direct: Code,
    postal: Code,
    reasons: Vec<Code>,
    papers: Vec<Code>,
    missing_paper: Code,
    not_competent: Code,
    applicant: Code,
    no_answer: Code,
    director: Code,
    sms: Code,
}

/// What does not change from dossier to dossier.
pub(super) struct Province {
    seed: u64,
    zone: Zone,
    from: Date,
    to: Date,
    end: Timestamp,
    dossiers: u64,
    days: Vec<u64>,
    pub(super) units: Vec<Unit>,
    department: Vec<Procedure>,
    communes: Vec<Procedure>,
    words: Words,
}

/// One event on its way: when it is recorded, and what is said.
pub(super) struct Told {
    pub(super) recorded_at: Timestamp,
    pub(super) statement: Statement,
}

/// What was planted in some of the dossiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planted {
    pub(super) units: Vec<Counts>,
    pub(super) extras: Extras,
}

impl Planted {
    pub(super) fn none(units: usize) -> Planted {
        Planted { units: vec![Counts::default(); units], extras: Extras::default() }
    }

    pub(super) fn add(&mut self, other: &Planted) {
        for (sum, counts) in self.units.iter_mut().zip(&other.units) {
            sum.add(counts);
        }
        self.extras.add(&other.extras);
    }
}

impl Province {
    pub(super) fn new(seed: u64, zone: Zone, from: Date, to: Date, dossiers: u64) -> Province {
        let mut dice = Dice::nth(seed, u64::MAX);
        let mut unit = |code: String, department: bool| Unit {
            desks: (1..=DESKS).map(|n| Code::from(format!("{code}-Q{n}"))).collect(),
            code: code.into(),
            department,
            late: if department { 80 + dice.below(160) } else { 30 + dice.below(120) },
            polite: 3 + dice.below(5),
        };
        let mut units: Vec<Unit> = (1..=SECTIONS).map(|n| unit(format!("H08.22.{n:02}"), true)).collect();
        units.extend((1..=COMMUNES).map(|n| unit(format!("H08.{}.{n:02}", 30 + n / 15), false)));
        let codes = |words: &[&str]| words.iter().map(|w| Code::from(*w)).collect::<Vec<_>>();
        // Few dossiers come in (online) on days off.
        let mut total = 0;
        let days = (0..(to.0 - from.0).max(0)).map(|n| {
            total += if working(from.plus(n)) { 100 } else { 6 };
            total
        });
        Province {
            seed,
            zone,
            from,
            to,
            end: zone.first_tick(to),
            dossiers,
            days: days.collect(),
            units,
            department: OF_DEPARTMENT
                .iter()
                .map(|&(section, code, field, term, restarts, share)| Procedure {
                    section,
                    code: code.into(),
                    field: field.into(),
                    term,
                    restarts,
                    share,
                })
                .collect(),
            communes: OF_COMMUNES
                .iter()
                .map(|&(code, field, term, share)| Procedure {
                    section: 0,
                    code: code.into(),
                    field: field.into(),
                    term,
                    restarts: false,
                    share,
                })
                .collect(),
            words: Words {
                actors: (1..=60).map(|n| Code::from(format!("CB{n:03}"))).collect(),
                online: "online".into(),
                direct: "direct".into(),
                postal: "postal".into(),
                reasons: codes(&REASONS),
                papers: codes(&PAPERS),
                missing_paper: "missing-paper".into(),
                not_competent: "not-competent".into(),
                applicant: "applicant".into(),
                no_answer: "no-answer".into(),
                director: "director".into(),
                sms: "sms".into(),
            },
        }
    }

    pub(super) fn zone(&self) -> Zone {
        self.zone
    }

    /// The first tick that is no longer told of.
    pub(super) fn end(&self) -> Timestamp {
        self.end
    }

    pub(super) fn first_day(&self) -> Date {
        self.from
    }

    /// How many days it lasts.
    pub(super) fn length(&self) -> usize {
        self.days.len()
    }

    /// The dossiers that come in on the n-th day, by their place among all.
    pub(super) fn arrivals(&self, day: usize) -> std::ops::Range<u64> {
        let all = u128::from(self.days.last().copied().unwrap_or(1).max(1));
        let until = |weight: u64| u128::from(self.dossiers) * u128::from(weight) / all;
        let before = day.checked_sub(1).and_then(|d| self.days.get(d)).map_or(0, |w| until(*w));
        let upto = self.days.get(day).map_or(before, |w| until(*w));
        u64::try_from(before).unwrap_or(u64::MAX)..u64::try_from(upto).unwrap_or(u64::MAX)
    }

    /// The story of one dossier, and what it adds to what is planted.
    pub(super) fn story(&self, day: usize, nth: u64, planted: &mut Planted) -> Vec<Told> {
        let mut dice = Dice::nth(self.seed, nth);
        let date = self.from.plus(i32::try_from(day).unwrap_or(i32::MAX));
        let ordinal = nth - self.arrivals(day).start + 1;
        let in_department = dice.in_thousand(300);
        let (procedure, unit) = if in_department {
            let procedure = dice.pick(&self.department, |p| p.share);
            (procedure, procedure.section)
        } else {
            let communes = &self.units[SECTIONS as usize..];
            // Some communes are larger than others.
            let commune = dice.below(communes.len() as u64).min(dice.below(communes.len() as u64));
            (dice.pick(&self.communes, |p| p.share), SECTIONS as usize + usize::try_from(commune).unwrap_or(0))
        };
        let (y, m, d) = date.ymd();
        let code = format!("{}-{:02}{m:02}{d:02}-{ordinal:06}", self.units[unit].code, y % 100);
        let mut teller = Teller {
            province: self,
            unit: &self.units[unit],
            procedure,
            desk: usize::try_from(dice.below(DESKS)).unwrap_or(0),
            dice,
            code: code.into(),
            told: Vec::with_capacity(6),
            ledger: Ledger::new(self.zone),
            today: date,
            last: Timestamp::MIN,
            recorded: Timestamp::MIN,
            over: false,
        };
        teller.tell(date);
        let Teller { told, ledger, .. } = teller;
        ledger.close(self.to.plus(-1), &mut planted.units[unit], &mut planted.extras);
        told
    }
}

/// Tells one story. Its events come in the order of their times, save where the story says otherwise.
struct Teller<'a> {
    province: &'a Province,
    unit: &'a Unit,
    procedure: &'a Procedure,
    desk: usize,
    dice: Dice,
    code: Code,
    told: Vec<Told>,
    ledger: Ledger,
    /// The day the story has come to.
    today: Date,
    last: Timestamp,
    recorded: Timestamp,
    /// The province ends before the story does.
    over: bool,
}

impl Teller<'_> {
    /// A moment in office hours of a day, after all that was told: 7:30–11:30 and 13:30–17:00.
    fn moment(&mut self, date: Date) -> Timestamp {
        let minute = 7 * 60 + 30 + self.dice.days(450);
        let minute = if minute < 11 * 60 + 30 { minute } else { minute + 120 };
        let within = i64::from(self.dice.days(60_000));
        let at = self.province.zone.first_tick(date).plus(i64::from(minute) * MINUTE + within);
        self.today = date;
        if at > self.last { at } else { self.last.plus(MINUTE + within * 9) }
    }

    /// Says it at a moment; it is recorded `delay` later, and after what was recorded before.
    fn say_at(&mut self, at: Timestamp, delay: i64, event: Event) {
        let recorded_at = at.plus(delay + 20 + i64::from(self.dice.days(1500))).max(self.recorded.plus(1));
        let actor = self.dice.pick(&self.province.words.actors, |_| 1).clone();
        let event_id = self.dice.uuid(at);
        self.over |= recorded_at >= self.province.end;
        if self.over {
            return;
        }
        self.ledger.note(at, recorded_at, &event);
        (self.last, self.recorded) = (self.last.max(at), recorded_at);
        let desk = Some(self.unit.desks[self.desk].clone());
        let statement =
            Statement { event_id, dossier: Arc::clone(&self.code), occurred_at: at, desk, actor: Some(actor), event };
        self.told.push(Told { recorded_at, statement });
    }

    fn say(&mut self, date: Date, event: Event) {
        let at = self.moment(date);
        self.say_at(at, 0, event);
    }

    /// Says what ends the dossier; now and then days after it happened.
    fn finish(&mut self, date: Date, event: Event) {
        let at = self.moment(date);
        let delay = if self.dice.in_thousand(18) { DAY + i64::from(self.dice.days(4)) * DAY } else { 0 };
        self.say_at(at, delay, event);
    }

    /// The last working day by which something may be done in time.
    fn last_chance(&self, due: Date) -> Date {
        working_by(due).max(self.today)
    }

    fn due_after(&self, start: Date) -> Date {
        match self.procedure.term {
            Term::WorkingDays(n) => after(start, n),
            Term::Days(n) => after(start.plus(n), 0),
            Term::Phases(n, days) => after(after(start, n).plus(days), 0),
        }
    }

    fn tell(&mut self, day: Date) {
        let words = &self.province.words;
        let off = !working(day);
        let channel = match self.dice.below(1000) {
            _ if off => &words.online,
            0..620 => &words.online,
            620..930 => &words.direct,
            _ => &words.postal,
        };
        let online = Arc::ptr_eq(channel, &words.online);
        let mut at = if online && (off || self.dice.in_thousand(300)) {
            self.province.zone.first_tick(day).plus(i64::from(self.dice.days(86_000_000)))
        } else {
            self.moment(day)
        };
        let mut day = day;
        if self.dice.in_thousand(20) {
            let reason_code = Some(words.not_competent.clone());
            self.say_at(at, 0, Event::Rejected { unit: Some(self.unit.code.clone()), reason_code });
            if !self.dice.in_thousand(150) {
                return;
            }
            day = after(day, 1 + self.dice.days(6));
            at = self.moment(day);
        }
        let early_enough = at < self.province.zone.first_tick(day).plus(CUT_OFF);
        let start = if working(day) && early_enough { day } else { after(day, 1) };
        // A term of no days is the day itself; every other begins with the day after.
        let same_day = matches!(self.procedure.term, Term::WorkingDays(0));
        let due = self.due_after(if same_day { start } else { day });
        let promised = !self.dice.in_thousand(3);
        let applicant = match self.dice.below(100) {
            0..80 => ApplicantKind::Citizen,
            80..96 => ApplicantKind::Enterprise,
            96..98 => ApplicantKind::Agency,
            _ => ApplicantKind::Other,
        };
        let received = Event::Received {
            unit: self.unit.code.clone(),
            procedure: Some(self.procedure.code.clone()),
            field: Some(self.procedure.field.clone()),
            channel: Some(channel.clone()),
            due: promised.then_some(Due::Date(due)),
            applicant_kind: Some(applicant),
        };
        // Registered days later: then nothing but the end is told of it.
        let registered_late = self.dice.in_thousand(8);
        let delay = if registered_late { DAY + i64::from(self.dice.days(3)) * DAY } else { 0 };
        self.say_at(at, delay, received);
        self.today = start;
        if self.over || !promised || registered_late {
            return self.plain(due, promised);
        }
        if same_day && self.dice.in_thousand(4) {
            // The clocks of two systems: processed before it was received.
            self.say_at(at.plus(-40 * MINUTE), 0, Event::Processed { outcome: Outcome::Granted });
            return self.fetched();
        }
        match self.before_the_end(due) {
            Some(due) => self.ending(due),
            None => self.never_answered(),
        }
    }

    fn plain(&mut self, due: Date, promised: bool) {
        let late = promised && self.dice.in_thousand(self.unit.late);
        let day = if late { after(due, 1 + self.dice.days(5)) } else { self.last_chance(due) };
        self.finish(day, Event::Processed { outcome: Outcome::Granted });
        self.fetched();
    }

    /// Forwards, payments, supplements. The promise as it stands then; `None` if the applicant never comes back.
    fn before_the_end(&mut self, due: Date) -> Option<Date> {
        let mut due = due;
        if self.dice.in_thousand(if self.unit.department { 350 } else { 40 }) {
            for _ in 0..1 + self.dice.below(2) {
                let section = usize::try_from(self.dice.below(u64::from(SECTIONS))).unwrap_or(0);
                let to_unit = self.province.units[section].code.clone();
                let day = after(self.today, self.dice.days(2)).min(self.last_chance(due));
                self.say(day, Event::Forwarded { to_unit, step_due: Some(Due::Date(due)) });
            }
        }
        if self.dice.in_thousand(if self.unit.department { 180 } else { 60 }) {
            due = self.payment(due)?;
        }
        if self.dice.in_thousand(if self.unit.department { 130 } else { 25 }) {
            due = self.supplement(due)?;
            if self.dice.in_thousand(150) {
                due = self.supplement(due)?;
            }
        } else if self.dice.in_thousand(2) {
            // Papers nobody asked for.
            let day = self.last_chance(due);
            self.say(day, Event::Supplemented { due: None });
        }
        Some(due)
    }

    fn payment(&mut self, due: Date) -> Option<Date> {
        let stops_clock = self.dice.in_thousand(400);
        let asked = after(self.today, self.dice.days(2)).min(self.last_chance(due));
        self.say(asked, Event::PaymentRequested { stops_clock });
        if !stops_clock {
            let day = after(asked, self.dice.days(3)).min(self.last_chance(due));
            self.say(day, Event::Paid { due: None });
            return Some(due);
        }
        if self.dice.in_thousand(15) {
            return None;
        }
        let waited = self.dice.days(4);
        let due = after(due, waited);
        self.say(after(asked, waited), Event::Paid { due: Some(Due::Date(due)) });
        Some(due)
    }

    fn ask(&mut self, day: Date) {
        let words = &self.province.words;
        let items = vec![self.dice.pick(&words.papers, |_| 1).clone()];
        self.say(day, Event::SupplementRequested { items, reason_code: Some(words.missing_paper.clone()) });
    }

    fn supplement(&mut self, due: Date) -> Option<Date> {
        let chance = self.last_chance(due);
        // One in eight is asked for in the last hours.
        let asked = if self.dice.in_thousand(125) { chance } else { after(self.today, self.dice.days(3)).min(chance) };
        self.ask(asked);
        if self.dice.in_thousand(45) {
            return None;
        }
        let waited = 1 + self.dice.days(9);
        let answered = after(asked, waited);
        let (said, due) = match self.dice.below(10) {
            0 => (None, due.plus(answered.0 - asked.0)),
            _ if self.procedure.restarts => {
                let due = self.due_after(answered).max(due);
                (Some(due), due)
            }
            _ => {
                let due = after(due, waited);
                (Some(due), due)
            }
        };
        self.say(answered, Event::Supplemented { due: said.map(Due::Date) });
        Some(due)
    }

    /// The applicant never comes back: the agency stops it after two months, or nobody does anything.
    fn never_answered(&mut self) {
        if self.dice.in_thousand(400) {
            let day = after(self.today.plus(60), 0);
            let reason_code = self.province.words.no_answer.clone();
            self.finish(day, Event::Stopped { reason_code });
        }
    }

    fn ending(&mut self, due: Date) {
        let words = &self.province.words;
        let exit = match self.dice.below(1000) {
            0..15 => Event::Withdrawn { reason_code: Some(words.applicant.clone()) },
            15..21 => Event::Stopped { reason_code: words.not_competent.clone() },
            21..27 => Event::Rejected { unit: None, reason_code: Some(words.not_competent.clone()) },
            27..37 => return self.forgotten(due),
            n if n < 37 + self.unit.late => return self.late(due),
            _ => return self.in_time(due),
        };
        let day = if self.dice.in_thousand(200) { after(due, 1 + self.dice.days(10)) } else { self.between(due) };
        self.finish(day, exit);
    }

    /// A working day from today to the due date, rather near to it.
    fn between(&mut self, due: Date) -> Date {
        let gap = u64::from((due.0 - self.today.0).max(0).unsigned_abs());
        working_by(due.plus(-self.dice.days(gap / 2 + 1))).max(self.today)
    }

    fn outcome(&mut self) -> Event {
        Event::Processed { outcome: if self.dice.in_thousand(40) { Outcome::Refused } else { Outcome::Granted } }
    }

    fn in_time(&mut self, due: Date) {
        let day = self.between(due);
        if self.dice.in_thousand(3) {
            // Handed over, and never reported as processed.
            return self.finish(day, Event::Returned { returned_via: Some(self.province.words.direct.clone()) });
        }
        let processed = self.outcome();
        self.finish(day, processed);
        self.fetched();
    }

    /// The result is fetched within days, or never.
    fn fetched(&mut self) {
        if self.dice.in_thousand(3) {
            let to_unit = self.province.units[0].code.clone();
            let day = after(self.today, 1);
            self.say(day, Event::Forwarded { to_unit, step_due: None });
        }
        if self.dice.in_thousand(925) {
            let day = after(self.today, self.dice.days(6));
            let words = &self.province.words;
            let via = if self.dice.in_thousand(150) { &words.postal } else { &words.direct };
            self.say(day, Event::Returned { returned_via: Some(via.clone()) });
        }
    }

    fn letter(&mut self, day: Date, reason: bool, new_due: Option<Date>) {
        let words = &self.province.words;
        let reason_code = reason.then(|| self.dice.pick(&words.reasons, |_| 1).clone());
        let number = 1 + self.dice.below(900);
        let letter = Event::ApologySent {
            letter_number: Some(format!("{number}/TXL").into()),
            reason_code,
            signer: Some(words.director.clone()),
            sent_via: Some(words.sms.clone()),
            new_due: new_due.map(Due::Date),
        };
        self.say(day, letter);
    }

    /// Nobody ever finishes it; seldom, somebody apologises.
    fn forgotten(&mut self, due: Date) {
        match self.dice.below(10) {
            0 => self.letter(self.last_chance(due), true, Some(after(due, 10))),
            1 => self.letter(after(due, 2), true, Some(after(due, 12))),
            _ => {}
        }
    }

    /// The promise is missed, or moved by a letter in time.
    fn late(&mut self, due: Date) {
        let delay = 1 + if self.dice.in_thousand(120) { self.dice.days(40) } else { self.dice.days(8) };
        let mut done = after(due, delay);
        let mut sorry_after = false;
        match self.dice.below(10) {
            n if n < self.unit.polite => {
                let day = self.last_chance(due);
                if delay >= 3 && self.dice.in_thousand(250) {
                    // The new promise does not hold either.
                    let second = after(due, delay - 2);
                    self.letter(day, true, Some(second));
                    if self.dice.in_thousand(400) {
                        self.letter(second, true, Some(after(done, 1)));
                    }
                } else {
                    let spare = self.dice.days(3);
                    self.letter(day, true, Some(after(done, spare)));
                }
            }
            7 => {
                let day = after(due, 1);
                let kept = after(done, self.dice.days(3));
                let new_due = if delay > 1 && self.dice.in_thousand(150) { day } else { kept };
                self.letter(day, true, Some(new_due));
            }
            8 => match self.dice.below(3) {
                0 => self.letter(self.last_chance(due), false, Some(after(done, 1))),
                1 => self.letter(after(due, 1), true, None),
                _ => sorry_after = true,
            },
            _ if self.dice.in_thousand(60) => {
                // Papers are asked for when the promise has passed: that cures nothing.
                self.ask(after(due, 1));
                let answered = after(self.today, 1 + self.dice.days(4));
                self.say(answered, Event::Supplemented { due: Some(Due::Date(after(answered, 3))) });
                done = done.max(after(answered, 1));
            }
            _ => {}
        }
        let processed = self.outcome();
        self.finish(done, processed);
        if sorry_after {
            self.letter(after(done, 1), true, None);
        }
        self.fetched();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunghen_engine::dossier::EventType;
    use std::collections::BTreeSet;

    fn quarter(seed: u64) -> (Vec<Vec<Told>>, Planted) {
        let (from, to) = (Date::new(2025, 7, 1).expect("date"), Date::new(2025, 10, 1).expect("date"));
        let province = Province::new(seed, Zone::VIETNAM, from, to, 6000);
        let mut planted = Planted::none(province.units.len());
        let stories = (0..province.length())
            .flat_map(|day| province.arrivals(day).map(move |nth| (day, nth)))
            .map(|(day, nth)| province.story(day, nth, &mut planted))
            .collect();
        (stories, planted)
    }

    #[test]
    fn the_same_seed_tells_the_same_and_another_does_not() {
        let ((a, planted), (b, again), (c, _)) = (quarter(7), quarter(7), quarter(8));
        let flat = |stories: &[Vec<Told>]| -> Vec<(Timestamp, Statement)> {
            stories.iter().flatten().map(|t| (t.recorded_at, t.statement.clone())).collect()
        };
        assert_eq!(a.len(), 6000);
        assert_eq!(flat(&a), flat(&b));
        assert_eq!(planted, again);
        assert_ne!(flat(&a), flat(&c));
        assert_eq!(planted.extras.events, flat(&a).len() as u64);
    }

    #[test]
    fn stories_are_in_order_and_hold_everything() {
        let (stories, planted) = quarter(1);
        let mut types = BTreeSet::new();
        for story in &stories {
            assert!(story.windows(2).all(|w| w[0].recorded_at < w[1].recorded_at));
            assert!(story.iter().all(|t| t.statement.occurred_at <= t.recorded_at));
            types.extend(story.iter().map(|t| t.statement.event.event_type()));
        }
        // The engine alone writes Late, and a simulated desk corrects nothing.
        let told = EventType::ALL.iter().filter(|t| ![EventType::Late, EventType::Corrected].contains(t));
        assert_eq!(types, told.copied().collect(), "everything that a simulated desk tells");
        let codes: BTreeSet<&Code> = stories.iter().flatten().map(|t| &t.statement.dossier).collect();
        assert_eq!(codes.len(), stories.iter().filter(|s| !s.is_empty()).count(), "codes are unique");
        for (flag, n) in dunghen_engine::dossier::Flag::ALL.iter().zip(planted.extras.flags) {
            // No simulated desk promises a day before the reception, none corrects, and none knows the rules of a directory.
            let never = ["DUE_BEFORE_RECEPTION", "DUE_CORRECTED_LATE", "DUE_DIFFERS"].contains(&flag.name());
            assert_eq!(n == 0, never, "{}: {n}", flag.name());
        }
    }

    #[test]
    fn dossiers_are_shared_out_exactly() {
        let from = Date::new(2025, 1, 1).expect("date");
        for dossiers in [0, 1, 999, 100_003] {
            let province = Province::new(1, Zone::VIETNAM, from, from.plus(365), dossiers);
            let sum: u64 = (0..365).map(|d| province.arrivals(d)).map(|r| r.end - r.start).sum();
            assert_eq!(sum, dossiers);
        }
    }
}
