//! A model health department: what happens in it during some months, invented from a seed.
//!
//! Pure: same seed, same events. The shares (how much is late, asked for papers, forgotten) are chosen to show every
//! figure at work within a minute, not to describe any real office. Working days are Monday to Friday.

use crate::cli::dice::{Dice, after, working};
use dunghen_engine::dossier::{Code, Due, Event, Outcome, Statement};
use dunghen_engine::time::{Date, Timestamp, Zone};
use std::sync::Arc;

/// Procedures: unit, code, field, working days, share in a thousand. No real code begins with 9, so the dues are the desks'
/// own: the story knows no holiday, and the rules do.
const PROCEDURES: [(&str, &str, &str, i32, u64); 6] = [
    ("H08.22.01", "9.002600", "Mỹ phẩm", 3, 330),
    ("H08.22.01", "9.003064", "Mỹ phẩm", 5, 110),
    ("H08.22.02", "9.014137", "Bảo hiểm y tế", 5, 200),
    ("H08.22.02", "9.000655", "Y tế dự phòng", 3, 120),
    ("H08.22.03", "9.012289", "Khám bệnh chữa bệnh", 22, 180),
    ("H08.22.03", "9.002238", "Mỹ phẩm", 3, 60),
];
const CHANNELS: [(&str, u64); 3] = [("online", 620), ("direct", 300), ("postal", 80)];
/// Reception points.
pub(super) const DESKS: usize = 4;

/// One event on its way from a desk.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) desk: usize,
    pub(super) statement: Statement,
    /// Sent a second time, as a desk does whose connection broke.
    pub(super) twice: bool,
}

struct Office {
    dice: Dice,
    zone: Zone,
    from: Date,
    sent: Vec<Sent>,
}

/// All events of the office from `from` on to `to`, in the order in which they happen.
pub(super) fn events(seed: u64, from: Date, to: Date, zone: Zone, dossiers_a_day: u64) -> Vec<Sent> {
    let mut office = Office { dice: Dice::new(seed), zone, from, sent: Vec::new() };
    let mut day = from;
    while day < to {
        if working(day) {
            for ordinal in 1..=dossiers_a_day {
                office.dossier(day, ordinal);
            }
        }
        day = day.plus(1);
    }
    let end = zone.first_tick(to);
    let mut sent = office.sent;
    sent.retain(|s| s.statement.occurred_at < end);
    // Stable: what a dossier's story put at the same tick keeps its order.
    sent.sort_by_key(|s| s.statement.occurred_at);
    sent
}

impl Office {
    /// A moment in office hours of a date.
    fn hour(&mut self, date: Date) -> Timestamp {
        let morning = 7 * 60 + 30;
        let minute = morning + self.dice.below(8 * 60 + 30);
        let ms = i64::try_from(minute * 60_000 + self.dice.below(60_000)).unwrap_or(0);
        self.zone.first_tick(date).plus(ms)
    }

    fn say(&mut self, desk: usize, dossier: &Code, at: Timestamp, event: Event) {
        let statement = Statement {
            event_id: self.dice.uuid(at),
            dossier: Arc::clone(dossier),
            occurred_at: at,
            desk: Some(format!("Q{:02}", desk + 1).into()),
            actor: Some(format!("CB{:03}", self.dice.below(12) + 1).into()),
            event,
        };
        let twice = self.dice.in_thousand(8);
        self.sent.push(Sent { desk, statement, twice });
    }

    /// The story of one dossier.
    fn dossier(&mut self, day: Date, ordinal: u64) {
        let (unit, procedure, field, term, _) = *self.dice.pick(&PROCEDURES, |p| p.4);
        let channel = self.dice.pick(&CHANNELS, |c| c.1).0;
        let desk = usize::try_from(self.dice.below(DESKS as u64)).unwrap_or(0);
        let (y, m, d) = day.ymd();
        let dossier: Code = format!("{unit}-{:02}{m:02}{d:02}-{ordinal:04}", y % 100).into();
        let received = self.hour(day);
        let mut due = after(day, term);
        self.say(
            desk,
            &dossier,
            received,
            Event::Received {
                unit: unit.into(),
                procedure: Some(procedure.into()),
                field: Some(field.into()),
                channel: Some(channel.into()),
                due: Some(Due::Date(due)),
                applicant_kind: None,
            },
        );
        let mut today = day;
        if self.dice.in_thousand(15) {
            let at = self.hour(after(day, 1));
            return self.say(desk, &dossier, at, Event::Withdrawn { reason_code: Some("applicant".into()) });
        }
        if self.dice.in_thousand(90) {
            today = after(today, 1);
            let asked = self.hour(today);
            let items = vec![Code::from("business-licence")];
            self.say(
                desk,
                &dossier,
                asked,
                Event::SupplementRequested { items, reason_code: Some("missing-paper".into()) },
            );
            if self.dice.in_thousand(60) {
                return; // The applicant never comes back.
            }
            let waited = 1 + self.dice.days(6);
            let answered = after(today, waited);
            due = after(due, waited);
            today = answered;
            let at = self.hour(answered);
            self.say(desk, &dossier, at, Event::Supplemented { due: Some(Due::Date(due)) });
        }
        let finished = if self.dice.in_thousand(962) {
            // In time: on the due date or up to half of the term before.
            let early = self.dice.days(2 + u64::from(term.unsigned_abs()) / 2);
            due.plus(-early).max(after(today, 1)).min(due)
        } else {
            self.late(desk, &dossier, &mut due)
        };
        let finished = if working(finished) { finished } else { after(finished, 1) };
        let at = self.hour(finished);
        let outcome = if self.dice.in_thousand(40) { Outcome::Refused } else { Outcome::Granted };
        self.say(desk, &dossier, at, Event::Processed { outcome });
        if self.dice.in_thousand(6) {
            // A colleague reports it once more: refused, since a dossier ends once.
            self.say(desk, &dossier, at.plus(90_000), Event::Processed { outcome });
        }
        if self.dice.in_thousand(900) {
            let fetched = after(finished, 1 + self.dice.days(5));
            let at = self.hour(fetched);
            let via: Code = if channel == "postal" { "postal".into() } else { "direct".into() };
            self.say(desk, &dossier, at, Event::Returned { returned_via: Some(via) });
        }
    }

    /// A dossier that misses its promise, foreseen or not: its letter, and the day on which it is finished.
    fn late(&mut self, desk: usize, dossier: &Code, due: &mut Date) -> Date {
        let delay = 1 + self.dice.days(6);
        let promised = after(*due, delay + 1);
        let letter = |n: u64, reason: bool| Event::ApologySent {
            letter_number: Some(format!("{n}/TXL").into()),
            reason_code: reason.then(|| "workload".into()),
            signer: Some("director".into()),
            sent_via: Some("sms".into()),
            new_due: Some(Due::Date(promised)),
        };
        let number = u64::from((due.0 - self.from.0).unsigned_abs()) * 10 + self.dice.below(10);
        match self.dice.below(10) {
            0..=5 => {
                // Foreseen: the letter goes out on the due date and moves the promise.
                let at = self.hour(*due);
                self.say(desk, dossier, at, letter(number, true));
            }
            6..=7 => {
                let at = self.hour(after(*due, 1));
                self.say(desk, dossier, at, letter(number, true));
            }
            8 => {
                let at = self.hour(*due);
                self.say(desk, dossier, at, letter(number, false));
            }
            _ => {} // Nobody says sorry.
        }
        after(*due, delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_the_same_twice_and_in_order() {
        let (from, to) = (Date::new(2026, 7, 1).expect("date"), Date::new(2026, 10, 1).expect("date"));
        let quarter = || events(7, from, to, Zone::VIETNAM, 20);
        let (a, b) = (quarter(), quarter());
        assert!(a.len() > 3000, "{}", a.len());
        assert!(a.iter().zip(&b).all(|(x, y)| x.statement == y.statement && x.twice == y.twice));
        assert!(a.windows(2).all(|w| w[0].statement.occurred_at <= w[1].statement.occurred_at));
        let first = after(Date::new(2026, 7, 3).expect("Friday"), 1);
        assert_eq!(first.to_string(), "2026-07-06");
    }
}
