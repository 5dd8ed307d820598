//! Random populations: a few dozen dossiers whose histories are crowded together on few ticks, so that what is rare in an
//! office is frequent here. Events are written as the contract's JSON, refused ones among them.

use super::time::{DAY, HOUR, Tick, date, days_later, first_tick, last_tick, text};
use super::{Bound, Question};
use crate::scenario::DEFINITIONS;
use crate::support::Dice;
use chrono::NaiveDate;
use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

/// Homes, and first days of populations: days before the clocks change, or the month, the quarter, the year ends.
/// None of them ever set its clock back over midnight into the date before (as St. John's did until 2011).
const HOMES: [(&str, &[&str]); 14] = [
    ("Asia/Ho_Chi_Minh", &["2025-09-27", "2025-12-29", "2026-02-26"]),
    ("Asia/Ho_Chi_Minh", &["2025-06-28", "2025-09-29"]),
    ("Asia/Ho_Chi_Minh", &["2025-12-30", "2026-03-30"]),
    ("Asia/Ho_Chi_Minh", &["2025-10-30"]),
    ("Europe/Amsterdam", &["2025-10-24", "2026-03-27"]),
    ("Europe/Amsterdam", &["2025-10-25", "2026-03-28"]),
    ("America/New_York", &["2025-10-31", "2026-03-06"]),
    ("Africa/Cairo", &["2025-04-23", "2025-10-29"]),
    ("America/Havana", &["2025-03-07", "2025-10-31"]),
    ("America/Santiago", &["2025-09-05", "2026-04-03"]),
    ("Australia/Lord_Howe", &["2025-10-03", "2026-04-03"]),
    ("Pacific/Apia", &["2011-12-28", "2011-12-29"]),
    ("Asia/Kathmandu", &["2025-12-29"]),
    ("UTC", &["2025-09-28"]),
];
/// Zones in which questions are asked.
const ZONES: [&str; 9] = [
    "UTC",
    "Asia/Ho_Chi_Minh",
    "Europe/Amsterdam",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Kathmandu",
    "America/New_York",
];
const UNITS: [&str; 6] = ["H29", "H29.22", "H29.22.01", "H290", "H44.22", "H44"];
/// The first is in no rule, the next two are; see `recount_test`.
const PROCEDURES: [&str; 4] = ["", "9.3", "1.002600", "2.01"];
const FIELDS: [&str; 4] = ["", "Mỹ phẩm", "Dược", "a"];
const CHANNELS: [&str; 5] = ["", "online", "direct", "postal", "fax"];
const KEYS: [&str; 8] = ["unit", "procedure", "field", "channel", "day", "month", "quarter", "year"];

/// What a dossier is likely to live through; a letter stands for an event (see [`Maker::event`]).
const LIVES: [&str; 7] =
    ["SSsPpqLLEEWTXRF", "LLLLLLSsE", "SSSsssPPppqE", "SSSsssPPppqE", "LLLLSSsssPpqE", "LLLSsSsPp", "EEWTXRRLSs"];

/// Choices by throws of dice.
trait Choices {
    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T;
    fn chance(&mut self, percent: u64) -> bool;
    fn up_to(&mut self, n: usize) -> usize;
}

impl Choices for Dice {
    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.up_to(items.len())]
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Less than `n`.
    fn up_to(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }
}

fn shuffle<T>(items: &mut [T], dice: &mut Dice) {
    for i in (1..items.len()).rev() {
        items.swap(i, dice.up_to(i + 1));
    }
}

/// Events to be recorded, and what questions about them are made of.
pub(crate) struct Population {
    pub(crate) home: Tz,
    /// In the order in which they are recorded; some will be refused.
    pub(crate) events: Vec<Value>,
    /// How many are recorded in one batch: between batches the engine writes its `Late`.
    pub(crate) batch: usize,
    days: Vec<NaiveDate>,
    grid: Vec<Tick>,
    dice: Dice,
}

impl Population {
    /// The population of this number, of this seed.
    pub(crate) fn new(seed: u64, number: u64) -> Population {
        let mut dice = Dice(Dice(seed.rotate_left(32) ^ number).roll());
        let (home, bases) = *dice.pick(&HOMES);
        let home: Tz = home.parse().unwrap();
        let base: NaiveDate = dice.pick(bases).parse().unwrap();
        let tight = dice.chance(35);
        let length = if tight { 3 } else { *dice.pick(&[3, 4, 6, 9]) };
        let days: Vec<NaiveDate> = (0..length).map(|n| days_later(base, n)).collect();
        let grid = grid(&days, home, tight, &mut dice);
        let kinds_of_due = *dice.pick(&["date", "instant", "both", "both"]);
        let mut maker = Maker { home, grid: &grid, kinds_of_due, dossier: String::new(), dice: &mut dice };

        let mut beginnings = Vec::new();
        let mut rest = Vec::new();
        for number in 0..*maker.dice.pick(&[8, 16, 24, 32]) {
            maker.dossier = format!("D{number:02}");
            let (beginning, events) = maker.history();
            beginnings.push(beginning);
            rest.extend(events);
        }
        // They are reported as they happen, as it comes, or nearly dossier by dossier.
        match dice.up_to(3) {
            0 => rest.sort_by(|a, b| a["occurred_at"].as_str().cmp(&b["occurred_at"].as_str())),
            1 => shuffle(&mut rest, &mut dice),
            _ => {}
        }
        let mut events: Vec<Value> = beginnings.into_iter().flatten().collect();
        let corrects = dice.chance(50);
        if dice.chance(50) {
            // Some dossiers are received only after much of the others was recorded.
            for event in rest {
                let after = events.iter().rposition(|e| e["dossier"] == event["dossier"]).map_or(0, |at| at + 1);
                let at = after + dice.up_to(events.len() - after + 1);
                events.insert(at, event);
            }
        } else {
            events.extend(rest);
        }
        if corrects {
            correct(&mut events, &grid, &mut dice);
        }
        let batch = *dice.pick(&[1, 5, 40, events.len()]);
        Population { home, events, batch, days, grid, dice }
    }

    /// A question, asked by every definition.
    pub(crate) fn questions(&mut self, now: Tick) -> Vec<Question> {
        let zone: Option<Tz> = self.dice.chance(50).then(|| self.dice.pick(&ZONES).parse().unwrap());
        let [from, to, as_of] = [40, 50, 75].map(|percent| self.dice.chance(percent).then(|| self.bound()));
        let tick = |bound: Bound| match bound {
            Bound::Instant(t) => t,
            Bound::Date(day) => first_tick(day, zone.unwrap_or(self.home)),
        };
        // A period the wrong way round is refused.
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) if tick(from) > tick(to) => (Some(to), Some(from)),
            period => period,
        };
        let mut by: Vec<String> = KEYS.map(str::to_owned).into();
        shuffle(&mut by, &mut self.dice);
        by.truncate(*self.dice.pick(&[0, 1, 1, 1, 2, 2, 3]));
        let mut filter = Vec::new();
        if self.dice.chance(30) {
            let (key, values): (&str, &[&str]) = *self.dice.pick(&[
                ("unit", &["H29", "H29.22", "H44", "H2", "H99"][..]),
                ("procedure", &PROCEDURES[1..]),
                ("field", &FIELDS[1..]),
                ("channel", &CHANNELS[1..]),
            ]);
            filter.push((key.to_owned(), (*self.dice.pick(values)).to_owned()));
        }
        let as_of = as_of.unwrap_or(Bound::Instant(now));
        let question = Question { definition: String::new(), from, to, as_of, by, zone, filter };
        DEFINITIONS.map(|id| Question { definition: id.to_owned(), ..question.clone() }).into()
    }

    /// A question for form II.06a: one that was asked of the rates, with a whole period and one of its keys.
    pub(crate) fn form(&mut self, now: Tick) -> Question {
        let question = self.questions(now).swap_remove(0);
        let zone = question.zone.unwrap_or(self.home);
        let tick = |bound: Bound| match bound {
            Bound::Instant(t) => t,
            Bound::Date(day) => first_tick(day, zone),
        };
        let (from, to) = (question.from.unwrap_or_else(|| self.bound()), question.to.unwrap_or_else(|| self.bound()));
        let (from, to) = if tick(from) > tick(to) { (to, from) } else { (from, to) };
        let by = vec![(*self.dice.pick(&["field", "unit"])).to_owned()];
        Question { definition: String::new(), from: Some(from), to: Some(to), by, ..question }
    }

    fn bound(&mut self) -> Bound {
        let dice = &mut self.dice;
        if dice.chance(45) {
            return Bound::Date(days_later(*dice.pick(&self.days), *dice.pick(&[0, 0, 0, 1, -1])));
        }
        Bound::Instant(dice.pick(&self.grid) + dice.pick(&[0, 0, 1, -1, HOUR]))
    }
}

/// The ticks at which things happen: ends of days, of office hours, and next to them.
fn grid(days: &[NaiveDate], home: Tz, tight: bool, dice: &mut Dice) -> Vec<Tick> {
    let mut grid: Vec<Tick> = Vec::new();
    for day in days {
        let (first, last) = (first_tick(*day, home), last_tick(*day, home));
        if tight {
            grid.extend([first - 1, first, first + 1]);
            continue;
        }
        let five = first + 17 * HOUR;
        let all = [first - 1, first, first + 1, first + 9 * HOUR, first + 10 * HOUR, five - 1, five, five + 1, last];
        grid.extend((0..*dice.pick(&[2, 3, 5])).map(|_| *dice.pick(&all)));
    }
    if tight {
        let five = first_tick(days[1], home) + 17 * HOUR;
        grid.extend([five, five + 1]);
    } else if dice.chance(40) {
        let zone: Tz = dice.pick(&ZONES).parse().unwrap();
        grid.extend(days.iter().map(|day| first_tick(*day, zone)));
        grid.push(last_tick(days[0], zone));
    }
    grid.sort_unstable();
    grid.dedup();
    grid
}

/// Puts corrections between the events: annulled ones, others told with another moment or due, corrections of corrections.
fn correct(events: &mut Vec<Value>, grid: &[Tick], dice: &mut Dice) {
    for _ in 0..1 + events.len() / *dice.pick(&[4, 8, 20]) {
        let target = dice.up_to(events.len());
        let at = target + 1 + dice.up_to(events.len() - target);
        let original = events[target].clone();
        let id = Uuid::from_u64_pair(dice.roll(), dice.roll()).to_string();
        let mut correction = json!({
            "event_id": id, "dossier": original["dossier"], "type": "Corrected", "reason_code": "slip",
            "occurred_at": original["occurred_at"], "target_event_id": original["event_id"],
        });
        if original["type"] == "Corrected" || dice.chance(35) {
            correction["annul"] = json!(true);
        } else {
            let mut restated = original;
            for own in ["event_id", "dossier"] {
                restated.as_object_mut().unwrap().remove(own);
            }
            restated["occurred_at"] = json!(text(*dice.pick(grid)));
            if restated["type"] == "Received" && dice.chance(30) {
                restated["unit"] = json!(dice.pick(&UNITS));
            }
            if dice.chance(30) {
                for due in ["due", "due_date", "new_due", "new_due_date"] {
                    restated.as_object_mut().unwrap().remove(due);
                }
            }
            correction["replacement"] = restated;
        }
        events.insert(at, correction);
    }
}

/// Makes the events of one dossier.
struct Maker<'a> {
    home: Tz,
    grid: &'a [Tick],
    kinds_of_due: &'static str,
    dossier: String,
    dice: &'a mut Dice,
}

impl Maker<'_> {
    /// What must be recorded first, and what happened then.
    fn history(&mut self) -> (Vec<Value>, Vec<Value>) {
        let n = self.grid.len();
        let began = self.dice.up_to((n * 2 / 3).max(1));
        let received = self.grid[began];
        let mut reception = self.say("Received", received);
        reception["unit"] = json!(self.dice.pick(&UNITS));
        for (name, codes) in [("procedure", &PROCEDURES[..]), ("field", &FIELDS), ("channel", &CHANNELS)] {
            let code = *self.dice.pick(codes);
            if !code.is_empty() {
                reception[name] = json!(code);
            }
        }
        // Where rules know the procedure, many a desk leaves the due to them.
        let known = PROCEDURES[2..].iter().any(|code| reception["procedure"] == *code);
        let none = if known { 50 } else { 25 };
        self.promise(&mut reception, "due", received, none);
        let mut beginning = Vec::new();
        if self.dice.chance(8) {
            let at = *self.dice.pick(self.grid);
            let mut rejection = self.say("Rejected", at);
            rejection["unit"] = json!("H29");
            beginning.push(rejection);
        }
        // Some were only rejected.
        if beginning.is_empty() || self.dice.chance(80) {
            beginning.push(reception);
        }

        let length = *self.dice.pick(&[0, 1, 2, 3, 4, 5, 6, 8, 10]);
        let span = *self.dice.pick(&[3, 6, 12, n]);
        let earliest = if self.dice.chance(85) { began } else { began.saturating_sub(4) };
        let mut times: Vec<Tick> =
            (0..length).map(|_| self.grid[(earliest + self.dice.up_to(span)).min(n - 1)]).collect();
        times.sort_unstable();
        let life: Vec<char> = self.dice.pick(&LIVES).chars().collect();
        let mut acts: Vec<char> = (0..length).map(|_| *self.dice.pick(&life)).collect();
        if self.dice.chance(60) {
            take_turns(&mut acts);
        }
        let mut later = |maker: &mut Self, act: char, percent: u64| {
            if maker.dice.chance(percent) {
                let last = times.last().copied().unwrap_or(received);
                let soon: Vec<Tick> = maker.grid.iter().copied().filter(|t| *t >= last).take(5).collect();
                acts.push(act);
                let among = if maker.dice.chance(70) { &soon } else { &maker.grid[began..] };
                times.push(*maker.dice.pick(among));
            }
        };
        later(self, 'E', 45);
        later(self, 'R', 35);
        later(self, 'L', 15);
        let events = acts.iter().zip(&times).map(|(act, t)| self.event(*act, *t)).collect();
        (beginning, events)
    }

    fn event(&mut self, act: char, t: Tick) -> Value {
        let mut event = match act {
            'S' => self.say("SupplementRequested", t),
            's' => self.say("Supplemented", t),
            'P' | 'q' => self.say("PaymentRequested", t),
            'p' => self.say("Paid", t),
            'L' => self.say("ApologySent", t),
            'W' => self.say("Withdrawn", t),
            'T' => self.say("Stopped", t),
            'X' => self.say("Rejected", t),
            'R' => self.say("Returned", t),
            'F' => self.say("Forwarded", t),
            _ => self.say("Processed", t),
        };
        match act {
            's' | 'p' => self.promise(&mut event, "due", t, 40),
            // A payment that stops the clock, and one that does not.
            'P' => event["stops_clock"] = json!(true),
            'q' => event["stops_clock"] = json!(false),
            'L' => {
                if self.dice.chance(88) {
                    event["reason_code"] = json!("busy");
                }
                let from = t + self.dice.pick(&[0, 0, DAY, DAY, 2 * DAY, 3 * DAY]);
                self.promise(&mut event, "new_due", from, 12);
            }
            'T' => event["reason_code"] = json!("fee"),
            'F' => event["to_unit"] = json!("H44.30"),
            _ => {}
        }
        event
    }

    fn say(&mut self, kind: &str, t: Tick) -> Value {
        let id = Uuid::from_u64_pair(self.dice.roll(), self.dice.roll());
        json!({"event_id": id.to_string(), "dossier": self.dossier, "type": kind, "occurred_at": text(t)})
    }

    /// Puts a due near `t`, before or after it, into an event; none in so many of a hundred.
    fn promise(&mut self, event: &mut Value, name: &str, t: Tick, none: u64) {
        if self.dice.chance(none) {
            return;
        }
        let by_date = match self.kinds_of_due {
            "date" => true,
            "instant" => false,
            _ => self.dice.chance(50),
        };
        if by_date {
            let day = days_later(date(t, self.home), *self.dice.pick(&[-1, 0, 0, 1, 1, 1, 2, 2, 3]));
            event[format!("{name}_date")] = json!(day.to_string());
            return;
        }
        let near: Vec<Tick> = self.grid.iter().copied().filter(|x| *x > t - DAY).take(14).collect();
        let near = if near.is_empty() { vec![t] } else { near };
        let due = self.dice.pick(&near) + self.dice.pick(&[0, 0, 0, 1, -1]);
        event[name] = json!(text(due));
    }
}

/// Makes requests and answers take turns, as they would in an office: what is asked for is answered before more is asked.
fn take_turns(acts: &mut [char]) {
    let mut asked: Option<char> = None;
    for act in acts {
        match (asked, *act) {
            (None, 'S' | 's') => asked = Some('S'),
            (None, 'P' | 'p') => asked = Some('P'),
            (Some(what), 'S' | 's' | 'P' | 'p') => {
                *act = what.to_ascii_lowercase();
                asked = None;
                continue;
            }
            _ => continue,
        }
        *act = act.to_ascii_uppercase();
    }
}
