//! Events as desks send them, invented from a seed: no measurement is about events that nobody would send.
//!
//! `Stories` is what one desk sends now: dossiers are received with unit, procedure, field, channel and a promise in the
//! future, then go their ways, many at a time. Each event is valid if those before it were recorded, so a worker that
//! waits for each answer is never refused anything. `history` is a past year of whole dossiers for questions.

use dunghen_engine::dossier::{ApplicantKind, Code, Due, Event, Outcome, Statement};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::{Clock, SystemClock};
use std::sync::Arc;
use uuid::Uuid;

/// The year of `history`.
pub(crate) const YEAR: i32 = 2025;
const UNITS: u64 = 24;
const PROCEDURES: u64 = 40;
const FIELDS: [&str; 6] = ["Mỹ phẩm", "Bảo hiểm y tế", "Y tế dự phòng", "Khám bệnh, chữa bệnh", "Hộ tịch", "Đất đai"];
const CHANNELS: [&str; 3] = ["online", "direct", "postal"];
/// In how many of ten events a desk receives a new dossier; the stories below take 2.3 events more on average.
const NEW_IN_TEN: u64 = 3;

/// A small deterministic generator (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap_or(0)]
    }

    fn days(&mut self, n: u64) -> i32 {
        i32::try_from(self.below(n)).unwrap_or(0)
    }

    fn uuid(&mut self) -> Uuid {
        let bytes = (u128::from(self.roll()) << 64 | u128::from(self.roll())).to_be_bytes();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// What comes after the reception.
#[derive(Clone, Copy)]
enum Step {
    Forwarded,
    Asked,
    Brought,
    Processed,
    Returned,
    Withdrawn,
}

fn way(dice: &mut Dice) -> &'static [Step] {
    match dice.below(100) {
        0..70 => &[Step::Processed, Step::Returned],
        70..85 => &[Step::Forwarded, Step::Processed, Step::Returned],
        85..95 => &[Step::Asked, Step::Brought, Step::Processed, Step::Returned],
        _ => &[Step::Withdrawn],
    }
}

fn event(step: Step, dice: &mut Dice) -> Event {
    match step {
        Step::Forwarded => Event::Forwarded { to_unit: unit(dice.below(UNITS)), step_due: None },
        Step::Asked => {
            let items = vec![Code::from("business-licence"), Code::from("id-card")];
            Event::SupplementRequested { items, reason_code: Some("missing-paper".into()) }
        }
        Step::Brought => Event::Supplemented { due: None },
        Step::Processed if dice.below(25) == 0 => Event::Processed { outcome: Outcome::Refused },
        Step::Processed => Event::Processed { outcome: Outcome::Granted },
        Step::Returned => Event::Returned { returned_via: Some("direct".into()) },
        Step::Withdrawn => Event::Withdrawn { reason_code: Some("applicant".into()) },
    }
}

fn unit(number: u64) -> Code {
    format!("H08.{:02}.{:02}", 20 + number / 6, 1 + number % 6).into()
}

fn received(dice: &mut Dice, unit: Code, due: Date) -> Event {
    let procedure = dice.below(PROCEDURES);
    Event::Received {
        unit,
        procedure: Some(format!("1.{:06}", 2000 + 37 * procedure).into()),
        field: Some(FIELDS[usize::try_from(procedure).unwrap_or(0) % FIELDS.len()].into()),
        channel: Some(dice.pick(&CHANNELS).into()),
        due: Some(Due::Date(due)),
        applicant_kind: Some(ApplicantKind::Citizen),
    }
}

fn statement(dice: &mut Dice, dossier: Code, occurred_at: Timestamp, event: Event) -> Statement {
    Statement {
        event_id: dice.uuid(),
        dossier,
        occurred_at,
        desk: Some(format!("Q{:02}", 1 + dice.below(8)).into()),
        actor: Some(format!("CB{:03}", 1 + dice.below(40)).into()),
        event,
    }
}

/// The day of the clock, in Vietnam.
pub(crate) fn today() -> Date {
    Zone::VIETNAM.date(SystemClock.now())
}

/// What one desk sends, one event after the other, without end.
pub(crate) struct Stories {
    dice: Dice,
    label: String,
    today: Date,
    received: u64,
    open: Vec<(Code, &'static [Step])>,
}

impl Stories {
    /// A desk; two with different labels (short, unique within a log) never speak of one dossier.
    pub(crate) fn new(seed: u64, label: String) -> Stories {
        let bytes = label
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Stories { dice: Dice(seed ^ bytes), label, today: today(), received: 0, open: Vec::new() }
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Statement {
        let dice = &mut self.dice;
        let now = SystemClock.now();
        if self.open.is_empty() || dice.below(10) < NEW_IN_TEN {
            let unit = unit(dice.below(UNITS));
            let code: Code = format!("{unit}-{}-{:06}", self.label, self.received).into();
            self.received += 1;
            self.open.push((Arc::clone(&code), way(dice)));
            let due = self.today.plus(3 + dice.days(20));
            let event = received(dice, unit, due);
            return statement(dice, code, now, event);
        }
        let at = usize::try_from(dice.below(self.open.len() as u64)).unwrap_or(0);
        let (code, steps) = &mut self.open[at];
        let code = Arc::clone(code);
        let (step, rest) = steps.split_first().expect("a story that is over is not kept");
        *steps = rest;
        if rest.is_empty() {
            self.open.swap_remove(at);
        }
        let event = event(*step, dice);
        statement(dice, code, now, event)
    }

    /// After a refusal: the dossiers begun so far are left alone, since what follows might be refused for it.
    pub(crate) fn forget(&mut self) {
        self.open.clear();
    }
}

/// The whole story of dossier `number` of `count`, spread over the year: about 4 % late, a few without an end.
pub(crate) fn history(seed: u64, number: u64, count: u64) -> Vec<Statement> {
    let mut dice = Dice(seed ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93));
    let day = i32::try_from(number * 365 / count.max(1)).unwrap_or(0);
    let first = Date::new(YEAR, 1, 1).expect("the first day of a year").plus(day);
    let unit = unit(dice.below(UNITS));
    let code: Code = format!("{unit}-{YEAR}-{number:07}").into();
    let term = 3 + dice.days(20);
    let due = first.plus(term);
    let mut at = Zone::VIETNAM.first_tick(first).plus(27_000_000 + i64::from(dice.days(30_000_000)));
    let event_received = received(&mut dice, unit, due);
    let mut story = vec![statement(&mut dice, Arc::clone(&code), at, event_received)];
    let steps = if dice.below(50) == 0 { &[] } else { way(&mut dice) };
    for step in steps {
        let day_ms = 86_400_000;
        let days = match step {
            Step::Processed if dice.below(25) == 0 => i64::from(term) + 1,
            Step::Processed => i64::from(term) / 3,
            _ => 1,
        };
        at = at.plus(days * day_ms + i64::from(dice.days(600_000)));
        let event = event(*step, &mut dice);
        story.push(statement(&mut dice, Arc::clone(&code), at, event));
    }
    story
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunghen_engine::dossier::EventType;
    use std::collections::HashSet;

    #[test]
    fn a_desk_says_nothing_before_the_reception_and_nothing_twice() {
        let mut stories = Stories::new(7, "a".to_owned());
        let (mut known, mut ids, mut returned) = (HashSet::new(), HashSet::new(), 0);
        for _ in 0..20_000 {
            let said = stories.next();
            let new = known.insert(Arc::clone(&said.dossier));
            assert_eq!(new, said.event.event_type() == EventType::Received, "{said:?}");
            assert!(ids.insert(said.event_id));
            returned += usize::from(said.event.event_type() == EventType::Returned);
        }
        assert!(known.len() > 5000 && returned > 4000, "{} received, {returned} returned", known.len());
        assert!(stories.open.len() < 2000, "{} open: they pile up", stories.open.len());
    }

    #[test]
    fn a_year_is_the_same_twice() {
        let year = || (0..500).flat_map(|n| history(7, n, 500)).collect::<Vec<_>>();
        let (one, other) = (year(), year());
        assert_eq!(one, other);
        assert!(one.len() > 1500, "{}", one.len());
        let codes: HashSet<_> = one.iter().map(|s| Arc::clone(&s.dossier)).collect();
        assert_eq!(codes.len(), 500);
    }
}
