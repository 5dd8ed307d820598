//! An independent recount: definitions.md Part I, slowly and literally, from the lines that `dunghen replay` prints.
//!
//! It shares nothing with the engine: no type, no rule, no way of folding. Where the engine folds a dossier once and reads
//! every cut from the result, this tells every story anew up to the cut, event by event; where the engine computes
//! ticks, this looks for them. So both are wrong only where the same mistake was made twice, or where definitions.md
//! itself can be read in two ways. Figures come out as the JSON of the contract. Obligations are those of `hcmc-5157`. It
//! knows no calendar: a due that the rules gave is taken from the line it stands on, as one that a desk gave.

mod dossier;
pub(crate) mod population;
pub(crate) mod time;

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use dossier::{Dossier, Kind, Story};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use time::{Compared, Tick, date, first_tick, last_tick, text};

/// The integers of the contract.
pub(crate) const INTEGERS: [&str; 19] = [
    "received",
    "resolved",
    "withdrawn",
    "returned",
    "cohort",
    "on_time",
    "late",
    "no_deadline",
    "early",
    "on_due",
    "open",
    "open_overdue",
    "open_no_deadline",
    "apology_due",
    "apology_in_time",
    "apology_late",
    "apology_missing",
    "apology_defective",
    "apology_pending",
];

/// The integers of form II.06a.
pub(crate) const COLUMNS: [&str; 14] = [
    "total_received",
    "online",
    "direct",
    "carried_over",
    "resolved",
    "early",
    "on_due",
    "overdue",
    "resolved_no_deadline",
    "in_progress",
    "within_due",
    "in_progress_overdue",
    "in_progress_no_deadline",
    "withdrawn",
];

/// A bound as the command line takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    Instant(Tick),
    Date(NaiveDate),
}

/// A question as the command line would put it.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) definition: String,
    pub(crate) from: Option<Bound>,
    pub(crate) to: Option<Bound>,
    pub(crate) as_of: Bound,
    pub(crate) by: Vec<String>,
    /// None: that of the data directory.
    pub(crate) zone: Option<Tz>,
    /// Keys of a dossier, and what they must be.
    pub(crate) filter: Vec<(String, String)>,
}

/// Period and cut as ticks, and the zone in which dates of instants are made.
struct Window {
    from: Option<Tick>,
    to: Option<Tick>,
    as_of: Tick,
    cut: Tick,
    zone: Tz,
}

impl Window {
    fn of(question: &Question, home: Tz) -> Window {
        let zone = question.zone.unwrap_or(home);
        // "A bare date in `--from`/`--to` is the first instant of that day; in `--as-of` the last tick of that day."
        let bound = |bound: Bound| match bound {
            Bound::Instant(t) => t,
            Bound::Date(day) => first_tick(day, zone),
        };
        let (from, to) = (question.from.map(bound), question.to.map(bound));
        let as_of = match question.as_of {
            Bound::Instant(t) => t,
            Bound::Date(day) => last_tick(day, zone),
        };
        // "`c = min(as_of, to − 1 tick)`."
        let cut = to.map_or(as_of, |to| as_of.min(to - 1));
        Window { from, to, as_of, cut, zone }
    }

    /// In `[from, to)` and `≤ c`.
    fn holds(&self, moment: Tick) -> bool {
        self.from.is_none_or(|from| moment >= from) && self.to.is_none_or(|to| moment < to) && moment <= self.cut
    }
}

/// An integer that a dossier counts in, and the moment of it.
type Count = (&'static str, Tick);

type Integers = BTreeMap<&'static str, u64>;

/// A dossier, a comparison, a cut: what a story depends on.
type Told = (usize, Compared, Tick);

/// All dossiers of some records.
pub(crate) struct Recount {
    home: Tz,
    records: usize,
    dossiers: Vec<Dossier>,
    /// Stories that were told already: the same for several definitions.
    stories: RefCell<HashMap<Told, Rc<Story>>>,
}

impl Recount {
    /// Reads NDJSON as `dunghen replay` prints it; `home` is the zone of the data directory.
    pub(crate) fn of(ndjson: &str, home: Tz) -> Recount {
        let mut histories: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for line in ndjson.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            // A rule is of no dossier; what it made of an event stands with the event.
            if record["type"] == "Published" {
                continue;
            }
            histories.entry(record["dossier"].as_str().unwrap().to_owned()).or_default().push(record);
        }
        let dossiers = histories.values().filter_map(|records| Dossier::of(records)).collect();
        Recount { home, records: ndjson.lines().count(), dossiers, stories: RefCell::default() }
    }

    /// The answer of `dunghen rates --format json`.
    pub(crate) fn rates(&self, question: &Question) -> Value {
        let window = Window::of(question, self.home);
        let mut total = Integers::new();
        let mut groups: BTreeMap<Vec<Option<String>>, Integers> = BTreeMap::new();
        for (number, dossier) in self.dossiers.iter().enumerate() {
            // "Nothing that occurred after `c` counts."
            if dossier.received > window.cut || !admits(&question.filter, dossier) {
                continue;
            }
            for (name, moment) in self.counts(number, dossier, &question.definition, &window) {
                *total.entry(name).or_default() += 1;
                if !question.by.is_empty() {
                    let key = question.by.iter().map(|key| value(key, dossier, moment, window.zone)).collect();
                    *groups.entry(key).or_default().entry(name).or_default() += 1;
                }
            }
        }
        let groups = groups.iter().map(|(values, integers)| {
            let key: Map<String, Value> = question.by.iter().cloned().zip(values.iter().map(|v| json!(v))).collect();
            let mut group = Map::from_iter([("key".to_owned(), Value::Object(key))]);
            group.extend(figures(integers));
            Value::Object(group)
        });
        json!({
            "definition": question.definition,
            "from": window.from.map(text),
            "to": window.to.map(text),
            "as_of": text(window.as_of),
            "time_zone": window.zone.name(),
            "position": self.records,
            "total": figures(&total),
            "groups": groups.collect::<Vec<_>>(),
        })
    }

    /// The answer of `dunghen report ii-06a --format json`, as far as it does not depend on how the period is written.
    /// The question has a period and one key, and no definition. I.6, column by column: each is counted on its own, the
    /// sums too, so that they can contradict each other.
    pub(crate) fn form(&self, question: &Question) -> Value {
        let window = Window::of(question, self.home);
        let (from, cut) = (window.from.unwrap(), window.cut);
        let mut total = Integers::new();
        let mut rows: BTreeMap<Option<String>, Integers> = BTreeMap::new();
        for (number, dossier) in self.dossiers.iter().enumerate() {
            if dossier.received > cut || !admits(&question.filter, dossier) {
                continue;
            }
            // "By date, promise `current`."
            let story = self.story(number, dossier, Compared::ByDate(window.zone), cut);
            // "In hand = `R ≤ c` and not ended before `from`."
            if story.ended.is_some_and(|(end, _)| end < from) {
                continue;
            }
            let promise = story.current();
            let missed = promise.is_some_and(|p| p.missed.is_some());
            let processed = story.ended.is_some_and(|(_, kind)| kind == Kind::Processed);
            let (carried, online) = (dossier.received < from, dossier.channel.as_deref() == Some("online"));
            // "`date(S) < date(P)` / the others."
            let early = promise
                .zip(story.stopped)
                .is_some_and(|(promise, stopped)| date(stopped, window.zone) < promise.due.date(window.zone));
            let columns = [
                ("total_received", true),
                ("online", !carried && online),
                ("direct", !carried && !online),
                ("carried_over", carried),
                ("resolved", processed),
                ("early", processed && promise.is_some() && !missed && early),
                ("on_due", processed && promise.is_some() && !missed && !early),
                ("overdue", processed && missed),
                ("resolved_no_deadline", processed && promise.is_none()),
                ("in_progress", story.ended.is_none()),
                ("within_due", story.ended.is_none() && promise.is_some() && !missed),
                ("in_progress_overdue", story.ended.is_none() && missed),
                ("in_progress_no_deadline", story.ended.is_none() && promise.is_none()),
                ("withdrawn", story.ended.is_some() && !processed),
            ];
            let key = value(&question.by[0], dossier, dossier.received, window.zone);
            for (column, _) in columns.iter().filter(|(_, counts)| *counts) {
                *total.entry(column).or_default() += 1;
                *rows.entry(key.clone()).or_default().entry(column).or_default() += 1;
            }
        }
        let integers = |integers: &Integers| -> Map<String, Value> {
            let get = |name: &str| integers.get(name).copied().unwrap_or(0);
            COLUMNS.iter().map(|name| ((*name).to_owned(), json!(get(name)))).collect()
        };
        let rows = rows.iter().map(|(key, counted)| {
            let key = json!({ question.by[0].clone(): key });
            let mut row = Map::from_iter([("key".to_owned(), key)]);
            row.extend(integers(counted));
            Value::Object(row)
        });
        json!({
            "from": window.from.map(text),
            "to": window.to.map(text),
            "as_of": text(window.as_of),
            "time_zone": window.zone.name(),
            "position": self.records,
            "rows": rows.collect::<Vec<_>>(),
            "total": integers(&total),
        })
    }

    fn story(&self, number: usize, dossier: &Dossier, compared: Compared, cut: Tick) -> Rc<Story> {
        let mut stories = self.stories.borrow_mut();
        let told = stories.entry((number, compared, cut));
        Rc::clone(told.or_insert_with(|| Rc::new(Story::of(dossier, compared, self.home, cut))))
    }

    /// Everything a dossier received by the cut counts in: I.4 and I.5.
    fn counts(&self, number: usize, dossier: &Dossier, definition: &str, window: &Window) -> Vec<Count> {
        // The table of I.4: compared by.
        let compared = match definition {
            "resolved-instant" | "decision-766" => Compared::ByInstant,
            "resolved" | "received" | "returned" | "first-promise" => Compared::ByDate(window.zone),
            other => panic!("{other} is no definition"),
        };
        let story = self.story(number, dossier, compared, window.cut);
        // The table of I.4: promise.
        let promise = if definition == "first-promise" { story.first() } else { story.current() };
        let missed = promise.and_then(|p| p.missed);
        let end = |kind: Kind| story.ended.filter(|(_, k)| *k == kind).map(|(t, _)| t);
        let (processed, exit) = (end(Kind::Processed), end(Kind::Exit));
        // "The later of first `Returned` and end, kind processed."
        let returned = processed.zip(dossier.returned).map(|(end, returned)| end.max(returned));

        let mut counts: Vec<Count> = Vec::new();
        let mut in_period = |name: &'static str, moment: Option<Tick>| {
            counts.extend(moment.filter(|m| window.holds(*m)).map(|m| (name, m)));
        };
        in_period("received", Some(dossier.received));
        in_period("resolved", processed);
        in_period("withdrawn", exit);
        in_period("returned", returned);

        // "The stock at `c`, whatever the period."
        if story.ended.is_none() {
            counts.push(("open", dossier.received));
            if missed.is_some() {
                counts.push(("open_overdue", dossier.received));
            }
            if promise.is_none() {
                counts.push(("open_no_deadline", dossier.received));
            }
        }

        // The table of I.4: cohort, open at c, exits.
        let moment = match definition {
            "decision-766" => Some(dossier.received),
            "received" => exit.is_none().then_some(dossier.received),
            "returned" => returned,
            "first-promise" => missed.or(processed),
            _ => processed,
        };
        if let Some(moment) = moment.filter(|m| window.holds(*m)) {
            counts.push(("cohort", moment));
            let late = missed.is_some() || definition == "decision-766" && story.waits_for_another_supplement();
            match promise {
                None => counts.push(("no_deadline", moment)),
                Some(_) if late => counts.push(("late", moment)),
                Some(promise) => {
                    counts.push(("on_time", moment));
                    // "`early`: of `on_time` and ended, `date(S) < date(P)`; `on_due`: the other ended ones."
                    if let Some(stopped) = story.stopped {
                        let early = date(stopped, window.zone) < promise.due.date(window.zone);
                        counts.push((if early { "early" } else { "on_due" }, moment));
                    }
                }
            }
        }
        counts.extend(self.obligations(number, dossier, window));
        counts
    }

    /// I.5 under `hcmc-5157`: "obligation k arises when promise k is missed (by date, in the directory's zone)".
    fn obligations(&self, number: usize, dossier: &Dossier, window: &Window) -> Vec<Count> {
        let story = self.story(number, dossier, Compared::ByDate(self.home), window.cut);
        let mut counts = Vec::new();
        for promise in &story.promises {
            let Some(missed) = promise.missed else { continue };
            // "L = end of `D`"; "`A = max(moment missed, L + 1 tick)`".
            let deadline = last_tick(promise.due.date(self.home), self.home);
            let decided = missed.max(deadline + 1);
            if window.cut < decided {
                counts.push(("apology_pending", missed));
                continue;
            }
            if !window.holds(decided) {
                continue;
            }
            counts.push(("apology_due", decided));
            match promise.letter {
                Some(letter) if letter <= deadline => counts.push(("apology_in_time", decided)),
                Some(_) => counts.push(("apology_late", decided)),
                None => {
                    counts.push(("apology_missing", decided));
                    if promise.defective {
                        counts.push(("apology_defective", decided));
                    }
                }
            }
        }
        counts
    }
}

/// All integers by their names, and the two rates.
fn figures(integers: &Integers) -> Map<String, Value> {
    let get = |name: &str| integers.get(name).copied().unwrap_or(0);
    #[allow(clippy::cast_precision_loss, reason = "counts of a test are small")]
    let rate = |part: u64, whole: u64| if whole == 0 { Value::Null } else { json!(part as f64 / whole as f64) };
    let mut figures: Map<String, Value> = INTEGERS.iter().map(|name| ((*name).to_owned(), json!(get(name)))).collect();
    figures.insert("on_time_rate".to_owned(), rate(get("on_time"), get("on_time") + get("late")));
    figures.insert("apology_rate".to_owned(), rate(get("apology_in_time"), get("apology_due")));
    figures
}

/// "A unit prefix matches whole segments (`H29` holds `H29.22`, not `H290`)."
fn admits(filter: &[(String, String)], dossier: &Dossier) -> bool {
    filter.iter().all(|(key, wanted)| match key.as_str() {
        "unit" => dossier.unit.as_ref().is_some_and(|u| u == wanted || u.starts_with(&format!("{wanted}."))),
        "procedure" => dossier.procedure.as_ref() == Some(wanted),
        "field" => dossier.field.as_ref() == Some(wanted),
        "channel" => dossier.channel.as_ref() == Some(wanted),
        other => panic!("{other} is no key of a dossier"),
    })
}

/// "The key is the dossier's; day, month, quarter, year is that of each integer's own moment, in the query's zone."
fn value(key: &str, dossier: &Dossier, moment: Tick, zone: Tz) -> Option<String> {
    let day = date(moment, zone);
    let (year, month) = (day.year(), day.month());
    match key {
        "unit" => dossier.unit.clone(),
        "procedure" => dossier.procedure.clone(),
        "field" => dossier.field.clone(),
        "channel" => dossier.channel.clone(),
        "day" => Some(day.to_string()),
        "month" => Some(format!("{year:04}-{month:02}")),
        "quarter" => Some(format!("{year:04}-Q{}", month.div_ceil(3))),
        "year" => Some(format!("{year:04}")),
        other => panic!("{other} is no key"),
    }
}
