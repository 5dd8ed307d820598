//! One dossier: its facts (definitions.md I.2), its promises (I.3) and its letters (I.5).
//!
//! A [`Story`] steps through what happened, event by event, up to a cut, by one comparison. It is told anew for every cut.

use super::time::{Compared, DAY, Due, Tick, date, days_later, first_of, kept, tick};
use chrono_tz::Tz;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// An event that counts, at the tick it counts at.
#[derive(Debug)]
pub(super) struct Event {
    /// "`t = max(occurred_at, R)`".
    t: Tick,
    position: u64,
    kind: String,
    due: Option<Due>,
    /// A letter has a reason.
    reason: bool,
    /// A payment request says that it stops the clock, or the procedure does.
    stops_clock: bool,
}

/// "Kind: *processed* (granted, refused, or returned only) or *exit* (withdrawn, stopped, rejected after acceptance)."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Processed,
    Exit,
}

/// The facts of a dossier, "from its whole known history".
#[derive(Debug)]
pub(super) struct Dossier {
    pub(super) unit: Option<String>,
    pub(super) procedure: Option<String>,
    pub(super) field: Option<String>,
    pub(super) channel: Option<String>,
    /// `R`.
    pub(super) received: Tick,
    /// "Order: `t`, then position."
    events: Vec<Event>,
    /// The position of the end, and its kind.
    end: Option<(u64, Kind)>,
    /// When it was first returned.
    pub(super) returned: Option<Tick>,
}

impl Dossier {
    /// The facts in the records of one dossier. "No `Received`: counted nowhere."
    pub(super) fn of(records: &[Value]) -> Option<Dossier> {
        let records = &corrected(records);
        let is = |record: &Value, kind: &str| record["type"] == kind;
        let position = |record: &Value| record["position"].as_u64().unwrap();
        let reception = records.iter().find(|r| is(r, "Received"))?;
        let received = tick(reception["occurred_at"].as_str().unwrap());
        let mut events = Vec::new();
        for record in records {
            // "No figure depends on `Late`."
            if is(record, "Late") {
                continue;
            }
            // "A `Rejected` recorded before `Received` counts nowhere either."
            if is(record, "Rejected") && position(record) < position(reception) {
                continue;
            }
            events.push(Event {
                t: tick(record["occurred_at"].as_str().unwrap()).max(received),
                position: position(record),
                kind: record["type"].as_str().unwrap().to_owned(),
                due: Due::of(record, "due", "due_date")
                    .or_else(|| Due::of(record, "new_due", "new_due_date"))
                    // Where the desk gave none, the rules did.
                    .or_else(|| Due::of(record, "reckoned_due", "reckoned_due_date")),
                reason: record["reason_code"].is_string(),
                stops_clock: record["stops_clock"] == true || record["clock_stops"] == true,
            });
        }
        events.sort_by_key(|e| (e.t, e.position));
        // "The first of Processed, Withdrawn, Stopped, Rejected; if the log holds none of them (whatever the cut), the
        // first Returned."
        let first_end = events.iter().find_map(|e| match e.kind.as_str() {
            "Processed" => Some((e.position, Kind::Processed)),
            "Withdrawn" | "Stopped" | "Rejected" => Some((e.position, Kind::Exit)),
            _ => None,
        });
        let first_returned = events.iter().find(|e| e.kind == "Returned");
        let end = first_end.or_else(|| first_returned.map(|e| (e.position, Kind::Processed)));
        let returned = first_returned.map(|e| e.t);
        let key = |name: &str| reception[name].as_str().map(str::to_owned);
        Some(Dossier {
            unit: key("unit"),
            procedure: key("procedure"),
            field: key("field"),
            channel: key("channel"),
            received,
            events,
            end,
            returned,
        })
    }
}

/// "`Corrected` annuls an event or stands in its place (with its position for ties), for every `as_of`." What was
/// corrected last counts, unless that correction is annulled itself; so the newest are read first.
fn corrected(records: &[Value]) -> Vec<Value> {
    let id = |record: &Value, field: &str| record[field].as_str().unwrap().to_owned();
    let place = |record: &Value| record["position"].as_u64().unwrap();
    let mut decided: BTreeMap<String, &Value> = BTreeMap::new();
    for correction in records.iter().rev().filter(|r| r["type"] == "Corrected") {
        if !decided.contains_key(&id(correction, "event_id")) {
            decided.entry(id(correction, "target_event_id")).or_insert(correction);
        }
    }
    // A due was reckoned from the reception and the waits as they were told then: once one of them is corrected, an answer
    // that was told before that has none.
    let moves = ["Received", "SupplementRequested", "Supplemented", "PaymentRequested", "Paid"];
    let told = records.iter().filter(|r| moves.iter().any(|kind| r["type"] == *kind));
    let moved_at = told.filter_map(|r| decided.get(&id(r, "event_id"))).map(|c| place(c)).max();
    let mut standing = Vec::new();
    for record in records.iter().filter(|r| r["type"] != "Corrected") {
        let correction = decided.get(&id(record, "event_id")).copied();
        let mut stands = match correction {
            None => record.clone(),
            Some(correction) if correction["annul"] == true => continue,
            Some(correction) => correction["replacement"].clone(),
        };
        let source = correction.unwrap_or(record);
        let answer = stands["type"] == "Supplemented" || stands["type"] == "Paid";
        let stale = answer && moved_at.is_some_and(|at| place(source) < at);
        stands["position"] = record["position"].clone();
        for reckoned in ["reckoned_due", "reckoned_due_date", "clock_stops"] {
            // What the rules made of it when it was told.
            stands[reckoned] = if stale { Value::Null } else { source[reckoned].clone() };
        }
        standing.push(stands);
    }
    standing
}

/// A promise as it stands.
#[derive(Debug)]
pub(super) struct Promise {
    pub(super) due: Due,
    /// It was given before the one it replaces was missed (promise 1 replaces none). Both may happen within one tick; then,
    /// as everywhere, the position decides: a letter that came before the answer that ended the wait was in time.
    in_time: bool,
    pub(super) missed: Option<Tick>,
    /// When the letter that answers it was sent.
    pub(super) letter: Option<Tick>,
    /// A defective letter was sent while it was the newest.
    pub(super) defective: bool,
}

/// What a wait waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Supplement,
    Payment,
}

/// What had happened by a cut.
#[derive(Debug)]
pub(super) struct Story {
    home: Tz,
    compared: Compared,
    pub(super) promises: Vec<Promise>,
    /// What is asked for and not answered; the dossier waits while this holds anything.
    asked: BTreeSet<Asked>,
    /// When the wait began.
    wait_began: Tick,
    supplement_requests: usize,
    pub(super) ended: Option<(Tick, Kind)>,
    /// `S`, of a dossier that has ended.
    pub(super) stopped: Option<Tick>,
}

impl Story {
    /// The story of a dossier up to the cut.
    pub(super) fn of(dossier: &Dossier, compared: Compared, home: Tz, cut: Tick) -> Story {
        let mut story = Story {
            home,
            compared,
            promises: Vec::new(),
            asked: BTreeSet::new(),
            wait_began: dossier.received,
            supplement_requests: 0,
            ended: None,
            stopped: None,
        };
        let mut now = dossier.received;
        for event in dossier.events.iter().filter(|e| e.t <= cut) {
            // "The tick of a request and the tick of the end still belong to the running time."
            story.time_passes(now, event.t);
            now = event.t;
            match dossier.end {
                Some((position, kind)) if position == event.position => story.ends(now, kind),
                _ => story.happens(event),
            }
        }
        story.time_passes(now, cut);
        story
    }

    /// "Waits for a supplement after more than one `SupplementRequested`", not having ended.
    pub(super) fn waits_for_another_supplement(&self) -> bool {
        self.ended.is_none() && self.asked.contains(&Asked::Supplement) && self.supplement_requests > 1
    }

    /// "`first` = promise 1."
    pub(super) fn first(&self) -> Option<&Promise> {
        self.promises.first()
    }

    /// "`current` = the newest promise of the run 1, 2, … k in which each was given before the one it replaced was
    /// missed."
    pub(super) fn current(&self) -> Option<&Promise> {
        self.promises.iter().take_while(|p| p.in_time).last()
    }

    /// "Promise k is missed at the first moment, not before it was given or last shifted, at which the clock runs and
    /// it is not kept."
    fn time_passes(&mut self, from: Tick, to: Tick) {
        // "The clock runs from `R` to the end, except while waiting."
        if self.ended.is_some() || !self.asked.is_empty() {
            return;
        }
        let (compared, home) = (self.compared, self.home);
        for promise in &mut self.promises {
            // "What has been missed stays missed."
            if promise.missed.is_none() && !kept(to, promise.due, compared, home) {
                promise.missed = Some(first_of(from, to, |t| !kept(t, promise.due, compared, home)));
            }
        }
    }

    /// "The end, or the beginning of the wait if the dossier ended while waiting."
    fn ends(&mut self, t: Tick, kind: Kind) {
        self.stopped = Some(if self.asked.is_empty() { t } else { self.wait_began });
        self.ended = Some((t, kind));
    }

    fn happens(&mut self, event: &Event) {
        // "What follows moves no figure (but letters)."
        if self.ended.is_some() && event.kind != "ApologySent" {
            return;
        }
        match event.kind.as_str() {
            "Received" => {
                if let Some(due) = event.due {
                    self.give(due);
                }
            }
            "SupplementRequested" => {
                self.supplement_requests += 1;
                self.is_asked(event.t, Asked::Supplement);
            }
            "PaymentRequested" if event.stops_clock => self.is_asked(event.t, Asked::Payment),
            "Supplemented" => self.is_answered(event.t, Asked::Supplement, event.due),
            "Paid" => self.is_answered(event.t, Asked::Payment, event.due),
            "ApologySent" => self.letter(event),
            _ => {}
        }
    }

    fn give(&mut self, due: Due) {
        let in_time = self.promises.last().is_none_or(|replaced| replaced.missed.is_none());
        self.promises.push(Promise { due, in_time, missed: None, letter: None, defective: false });
    }

    fn is_asked(&mut self, t: Tick, what: Asked) {
        if self.asked.is_empty() {
            self.wait_began = t;
        }
        self.asked.insert(what);
    }

    /// "Ends when every kind asked for meanwhile is answered. An answer to nothing moves nothing."
    fn is_answered(&mut self, t: Tick, what: Asked, due: Option<Due>) {
        if !self.asked.remove(&what) || !self.asked.is_empty() {
            return;
        }
        let home = self.home;
        match (self.promises.last().map(|p| p.due), due) {
            // "Without one, the first due carried by an answer that ends a wait."
            (None, Some(due)) => self.give(due),
            (None, None) => {}
            // "Between two date dues: days."
            (Some(Due::Date(newest)), Some(Due::Date(new))) => {
                let days = (new - newest).num_days();
                self.shift(|due| match due {
                    Due::Date(day) => Due::Date(days_later(day, days)),
                    // "A day is 24 hours for an instant."
                    Due::Instant(at) => Due::Instant(at + days * DAY),
                });
            }
            // "Otherwise the milliseconds between last moments. A date due shifted by milliseconds becomes an instant."
            (Some(newest), Some(new)) => {
                let distance = new.last_moment(home) - newest.last_moment(home);
                self.shift(|due| Due::Instant(due.last_moment(home) + distance));
            }
            // "Time waited: that of the whole wait, for every promise; for a date due the difference of the two local
            // dates, for an instant the milliseconds."
            (Some(_), None) => {
                let began = self.wait_began;
                let days = (date(t, home) - date(began, home)).num_days();
                self.shift(|due| match due {
                    Due::Date(day) => Due::Date(days_later(day, days)),
                    Due::Instant(at) => Due::Instant(at + (t - began)),
                });
            }
        }
    }

    /// "A wait shifts every promise not yet missed by one distance."
    fn shift(&mut self, shifted: impl Fn(Due) -> Due) {
        for promise in self.promises.iter_mut().filter(|p| p.missed.is_none()) {
            promise.due = shifted(promise.due);
        }
    }

    /// "A letter is valid with a reason and, while the dossier is not ended, a new promise later than the newest
    /// promise and with a last moment later than the letter; else defective."
    fn letter(&mut self, event: &Event) {
        let home = self.home;
        let ended = self.ended.is_some();
        let newest = self.promises.last_mut();
        let promises_something = event.due.is_some_and(|new| {
            let later = newest.as_ref().is_none_or(|n| new.last_moment(home) > n.due.last_moment(home));
            later && new.last_moment(home) > event.t
        });
        let valid = event.reason && (ended || promises_something);
        if let Some(newest) = newest {
            if !valid {
                newest.defective = true;
            } else if newest.letter.is_none() {
                // "A valid letter answers the newest promise, if that is not answered yet."
                newest.letter = Some(event.t);
            }
        }
        // "Each valid letter sent before the end appends its new promise."
        if let (true, false, Some(new)) = (valid, ended, event.due) {
            self.give(new);
        }
    }
}
