//! Margins: figures counted beforehand, by one key and by month, so that the usual questions need no scan.
//!
//! A row's figures change in steps ([`super::steps`]). Of each step the margins keep the month in which it counts and the
//! month in which it comes about, added up for each unit, procedure, field and channel. A question for whole months is
//! then a sum over few cells. What changed since the margins were made is judged row by row, as a scan would: the answer is
//! that of the scan, or there is none. Who keeps them up to date, and when, is not known here.

use super::rates::{Figure, Figures, Group, Period};
use super::scan::Scratch;
use super::steps::{Counts, Steps, count, counted};
use super::{Filter, GroupKey, Kin, RatesAnswer, RatesQuery, Views, Window};
use crate::rules::{Definition, Judged};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// How many rows a question judges one by one at most; beyond that a scan answers.
const MOST_ROWS: usize = 5_000;
/// How many cells a key may have, of 80 bytes each: one with a value for nearly every dossier is left to the scan.
const MOST_CELLS: usize = 1 << 21;
/// How far back of their clock the margins answer to the millisecond. A question is looked at a moment after its "now".
const LOOK_BACK_MS: i64 = 5_000;
/// The keys that have margins, in the order of a kin's.
const KEYS: [GroupKey; 4] = [GroupKey::Unit, GroupKey::Procedure, GroupKey::Field, GroupKey::Channel];
/// The figures of the stock, which count in every period.
const STOCK: [Figure; 4] = [Figure::Open, Figure::OpenOverdue, Figure::OpenNoDeadline, Figure::ApologyPending];
/// Instead of a year: the stock over all months.
const ALL_MONTHS: i32 = i32::MIN;

/// Only the figures of the stock.
fn stock_of(counts: &Counts) -> Counts {
    let mut stock = [0; Figure::COUNT];
    STOCK.iter().for_each(|figure| stock[*figure as usize] = counts[*figure as usize]);
    stock
}

/// What had come about by the end of a month of what counts in one month.
#[derive(Clone, Copy)]
struct Cell {
    until: i32,
    counts: Counts,
}

/// What comes about in a month, as it is brought into the cells.
struct Step<'s> {
    until: i32,
    counts: &'s Counts,
    /// 1 to add it, -1 to take it away.
    sign: i32,
    /// Whether cells are sums already: until all rows are in, each holds only its own steps.
    sums: bool,
}

/// The cells of a year: of each month a run, in the order in which they came about.
#[derive(Clone)]
struct Block {
    year: i32,
    ends: [u32; 12],
    /// What is copied when a few of them change while somebody reads.
    cells: Arc<[Cell]>,
}

impl Block {
    fn new(year: i32) -> Block {
        Block { year, ends: [0; 12], cells: Arc::from([]) }
    }

    fn run(&self, month: usize) -> std::ops::Range<usize> {
        let start = if month == 0 { 0 } else { self.ends[month - 1] };
        start as usize..self.ends[month] as usize
    }

    /// The place of the cell of `until` in the run of a month; made if there is none. If cells are sums, it is made as a
    /// copy of the one before it.
    fn place(&mut self, month: usize, until: i32, sums: bool) -> usize {
        let run = self.run(month);
        let at = run.start + self.cells[run.clone()].partition_point(|cell| cell.until < until);
        if at == run.end || self.cells[at].until != until {
            let counts = if sums && at > run.start { self.cells[at - 1].counts } else { [0; Figure::COUNT] };
            let (before, after) = self.cells.split_at(at);
            self.cells = [before, &[Cell { until, counts }], after].concat().into();
            self.ends[month..].iter_mut().for_each(|end| *end += 1);
        }
        at
    }

    /// Adds a step; what came later holds it, too, if cells are sums.
    fn add(&mut self, month: usize, step: &Step<'_>) {
        let at = self.place(month, step.until, step.sums);
        let end = if step.sums { self.run(month).end } else { at + 1 };
        for cell in &mut Arc::make_mut(&mut self.cells)[at..end] {
            cell.counts.iter_mut().zip(step.counts).for_each(|(n, more)| *n += step.sign * more);
        }
    }

    /// Makes sums of cells that are none yet.
    fn sum_up(&mut self) {
        for month in 0..12 {
            let run = self.run(month);
            let run = &mut Arc::make_mut(&mut self.cells)[run];
            for at in 1..run.len() {
                let before = run[at - 1].counts;
                run[at].counts.iter_mut().zip(before).for_each(|(n, before)| *n += before);
            }
        }
    }

    /// What had come about by the end of the month `until` of what counts in a month of this year.
    fn by(&self, month: usize, until: i32) -> Option<&Counts> {
        self.cells[self.run(month)].iter().rev().find(|cell| cell.until <= until).map(|cell| &cell.counts)
    }
}

/// The cells of one value of a key, by year; those of all months come first.
type Years = Arc<[Block]>;

/// The cells of a key.
#[derive(Clone, Default)]
struct Margin {
    /// By the value's number.
    values: Vec<Option<Years>>,
    /// The values that have cells, sorted by their codes, none first.
    order: Vec<u32>,
    /// How many cells there are.
    cells: usize,
}

impl Margin {
    /// Adds to the cells of a year.
    fn add_in(&mut self, value: u32, year: i32, month: usize, step: &Step<'_>) {
        let value = value as usize;
        if self.values.len() <= value {
            self.values.resize(value + 1, None);
        }
        let years = self.values[value].get_or_insert_with(|| Arc::from([]));
        let at = years.binary_search_by_key(&year, |block| block.year).unwrap_or_else(|at| {
            let (before, after) = years.split_at(at);
            *years = [before, &[Block::new(year)], after].concat().into();
            at
        });
        let block = &mut Arc::make_mut(years)[at];
        let before = block.cells.len();
        block.add(month, step);
        self.cells += block.cells.len() - before;
    }

    fn add(&mut self, value: u32, month: i32, step: &Step<'_>) {
        let in_year = usize::try_from(month.rem_euclid(12)).unwrap_or(0);
        self.add_in(value, month.div_euclid(12), in_year, step);
        let stock = stock_of(step.counts);
        if stock.iter().any(|n| *n != 0) {
            self.add_in(value, ALL_MONTHS, 0, &Step { counts: &stock, ..*step });
        }
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.values.iter().flatten().flat_map(|years| years.iter())
    }

    /// Sorts values that came to have cells among the others.
    fn put_in_order(&mut self, views: &Views) {
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let known = self.values.iter().flatten().count();
        if known != self.order.len() {
            let held = self.values.iter().enumerate().filter(|(_, years)| years.is_some());
            self.order = held.map(|(at, _)| number(at)).collect();
            self.order.sort_by_key(|value| views.name(*value));
        }
    }
}

/// The figures of one definition, counted beforehand. What was handed out changes no more.
#[derive(Clone)]
pub struct Margins {
    definition: Definition,
    /// The dossiers that are counted, as they were.
    views: Views,
    /// What had come about by then is in the cells.
    clock: Timestamp,
    /// By key; none if it has too many cells.
    keys: [Option<Margin>; 4],
    /// Rows that changed their figures shortly before the clock, by moment: all since `since`.
    lately: Vec<(Timestamp, u32)>,
    since: Timestamp,
    /// Rows that next change their figures after the clock, by moment: all up to `until`.
    soon: Vec<(Timestamp, u32)>,
    until: Timestamp,
}

/// Margins with what it takes to bring them up to date.
pub struct Keeping {
    margins: Arc<Margins>,
    /// Of every row when its figures next change after the clock, if ever.
    ahead: BTreeSet<(Timestamp, u32)>,
    steps: Steps,
}

/// Whether a definition judges what rows hold.
fn is_held(definition: Definition) -> bool {
    definition.judged != Judged::Latest
}

/// Whether two definitions give the same figures, by whatever name.
fn same(a: Definition, b: Definition) -> bool {
    Definition { id: b.id, ..a } == b
}

/// A question for whole months and by one key.
struct Form {
    /// Which key has the cells.
    key: usize,
    /// Whether groups are by that key.
    by_key: bool,
    period: Option<Period>,
    /// The first month, and the first after the period.
    months: (i32, i32),
}

/// A question that margins may answer.
struct Asked {
    form: Form,
    window: Window,
    /// The month of the cut, if that ends one by the clock; else the cells are taken as they are.
    until: i32,
    /// At which cut the rows are in the cells that are summed.
    in_cells: Timestamp,
}

/// Figures by value and period.
type Corrections = BTreeMap<(u32, i32), [i64; Figure::COUNT]>;

impl Margins {
    /// The definition that they count by.
    #[must_use]
    pub fn definition(&self) -> Definition {
        self.definition
    }

    /// The dossiers that they count, as they were then.
    #[must_use]
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// The moment by which what had come about is counted.
    #[must_use]
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Bytes of all cells.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let blocks = self.keys.iter().flatten().flat_map(Margin::blocks);
        blocks.map(|block| size_of::<Block>() + size_of_val(&*block.cells)).sum()
    }

    /// Whether margins of that definition can answer a question of this form at all: whatever they hold by now.
    #[must_use]
    pub fn may_answer(views: &Views, query: &RatesQuery) -> bool {
        is_held(query.definition) && Margins::form(views, query).is_some()
    }

    fn form(views: &Views, query: &RatesQuery) -> Option<Form> {
        if query.zone.is_some_and(|zone| zone != views.home) || query.by.contains(&GroupKey::Day) {
            return None;
        }
        let Filter { unit, procedure, field, channel } = &query.filter;
        let filtered = [unit, procedure, field, channel].map(Option::is_some);
        let grouped = KEYS.map(|key| query.by.contains(&key));
        let mut used = (0..KEYS.len()).filter(|key| filtered[*key] || grouped[*key]);
        // Of no key all have the same total; there are few channels.
        let key = used.next().unwrap_or(KEYS.len() - 1);
        if used.next().is_some() {
            return None;
        }
        let border = |at: Timestamp| views.month_from(at);
        let bound = |bound: Option<super::Moment>, none: i32| match bound {
            None => Some(none),
            Some(moment) => border(moment.bound(&views.home)),
        };
        let months = (bound(query.from, i32::MIN)?, bound(query.to, i32::MAX)?);
        Some(Form { key, by_key: grouped[key], period: Period::of(&query.by), months })
    }

    fn asked(&self, views: &Views, query: &RatesQuery) -> Option<Asked> {
        if !same(query.definition, self.definition) {
            return None;
        }
        let form = Margins::form(views, query)?;
        let bound = |moment: super::Moment| moment.bound(&views.home);
        let window = Window::new(query.from.map(bound), query.to.map(bound), query.as_of.as_of(&views.home));
        let c = window.c;
        let ends = (c <= self.clock).then(|| views.month_from(c.plus(1))).flatten();
        let (until, in_cells) = match ends {
            Some(next) => (next - 1, c),
            None if self.since <= c && c <= self.until => (i32::MAX, self.clock),
            None => return None,
        };
        Some(Asked { form, window, until, in_cells })
    }

    /// Answers a question about `views`, which came from those of the margins; `changed` are the rows that changed since,
    /// and perhaps others. Nothing if it takes a scan to answer.
    #[must_use]
    pub fn rates(&self, views: &Views, query: &RatesQuery, changed: &[u32]) -> Option<RatesAnswer> {
        let asked = self.asked(views, query)?;
        let margin = self.keys[asked.form.key].as_ref()?;
        let rows = self.rows_to_judge(&asked, changed)?;
        let admits = views.admits_values(asked.form.key, &query.filter, asked.window.c);
        let mut corrections = self.corrections(views, &asked, &rows, &admits);
        let mut answer = RatesAnswer {
            from: query.from.map(|_| asked.window.from),
            to: query.to.map(|_| asked.window.to),
            as_of: query.as_of.as_of(&views.home),
            zone: query.zone.unwrap_or(views.home),
            position: views.position,
            total: Figures::default(),
            groups: Vec::with_capacity(if asked.form.by_key { margin.order.len() } else { 0 }),
        };
        let mut put = |value: u32, period: i32, sums: &[i64; Figure::COUNT]| {
            if sums.iter().all(|n| *n == 0) {
                return;
            }
            // What is counted is never below 0: every row is taken away only as it was added.
            let figures = Figures(sums.map(|n| u64::try_from(n).unwrap_or(0)));
            answer.total.add(&figures);
            if !query.by.is_empty() {
                let mut keys = [0; KEYS.len()];
                keys[asked.form.key] = value;
                answer.groups.push(Group { key: views.group_key(&query.by, keys, asked.form.period, period), figures });
            }
        };
        let mut sums = Sums::default();
        for value in margin.order.iter().copied().filter(|value| admits.holds(*value)) {
            if let Some(Some(years)) = margin.values.get(value as usize) {
                asked.sum(years, &mut sums);
            }
            if asked.form.by_key {
                sums.correct(&mut corrections, value);
                sums.drain(|period, sums| put(value, period, sums));
            }
        }
        // What is left: of values that have no cells, or of all if groups are not by the key.
        let in_order = query.by.len() == 1 && corrections.is_empty();
        let left: Vec<u32> = corrections.keys().map(|(value, _)| *value).collect::<BTreeSet<_>>().into_iter().collect();
        for value in left {
            sums.correct(&mut corrections, value);
            sums.drain_if(asked.form.by_key, |period, sums| put(value, period, sums));
        }
        sums.drain(|period, sums| put(0, period, sums));
        if !in_order {
            // `None` is less than any text: null comes first.
            answer.groups.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Some(answer)
    }

    /// The rows whose figures may not be those in the cells, each once.
    fn rows_to_judge(&self, asked: &Asked, changed: &[u32]) -> Option<Vec<u32>> {
        let c = asked.window.c;
        let (mut rows, near) = (changed.to_vec(), asked.in_cells != c);
        if near {
            let lately = self.lately.partition_point(|(t, _)| *t <= c);
            let soon = self.soon.partition_point(|(t, _)| *t <= c);
            rows.extend(self.lately[lately..].iter().chain(&self.soon[..soon]).map(|(_, row)| *row));
        }
        rows.sort_unstable();
        rows.dedup();
        Some(rows).filter(|rows| rows.len() <= MOST_ROWS)
    }

    /// What rows count now, less what they count in the cells.
    fn corrections(&self, views: &Views, asked: &Asked, rows: &[u32], admits: &Admitted) -> Corrections {
        let (mut corrections, mut scratch) = (Corrections::new(), Scratch::default());
        let in_cells = Window { c: asked.in_cells, ..asked.window };
        for row in rows {
            for (views, window, sign) in [(&self.views, in_cells, -1), (views, asked.window, 1)] {
                let Some(sight) = views.sight(*row) else { continue };
                let value = sight.kin().keys[asked.form.key];
                if !admits.holds(value) {
                    continue;
                }
                let value = if asked.form.by_key { value } else { 0 };
                counted(sight, self.definition, window, &mut scratch, |figures, moment| {
                    let period = asked.form.period.map_or(0, |period| period.number(views.home.date(moment)));
                    let mut counts = [0; Figure::COUNT];
                    count(&mut counts, figures);
                    let sums = corrections.entry((value, period)).or_insert([0; Figure::COUNT]);
                    sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += sign * i64::from(n));
                });
            }
        }
        corrections
    }
}

/// Sums by period, in their order.
#[derive(Default)]
struct Sums(Vec<(i32, [i64; Figure::COUNT])>);

impl Sums {
    fn of(&mut self, period: i32) -> &mut [i64; Figure::COUNT] {
        // Months are summed in their order, so it is most often the last.
        let at = match self.0.last() {
            Some((last, _)) if *last == period => self.0.len() - 1,
            _ => self.0.binary_search_by_key(&period, |(period, _)| *period).unwrap_or_else(|at| {
                self.0.insert(at, (period, [0; Figure::COUNT]));
                at
            }),
        };
        &mut self.0[at].1
    }

    fn add(&mut self, period: i32, counts: &Counts) {
        self.of(period).iter_mut().zip(counts).for_each(|(sum, n)| *sum += i64::from(*n));
    }

    fn correct(&mut self, corrections: &mut Corrections, value: u32) {
        if corrections.is_empty() {
            return;
        }
        let periods: Vec<i32> =
            corrections.range((value, i32::MIN)..=(value, i32::MAX)).map(|((_, p), _)| *p).collect();
        for period in periods {
            let counts = corrections.remove(&(value, period)).unwrap_or([0; Figure::COUNT]);
            self.of(period).iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        }
    }

    fn drain(&mut self, mut each: impl FnMut(i32, &[i64; Figure::COUNT])) {
        self.0.iter().for_each(|(period, sums)| each(*period, sums));
        self.0.clear();
    }

    fn drain_if(&mut self, drains: bool, each: impl FnMut(i32, &[i64; Figure::COUNT])) {
        if drains {
            self.drain(each);
        }
    }
}

impl Asked {
    /// Sums the cells of a value.
    fn sum(&self, years: &Years, sums: &mut Sums) {
        let (from, to) = self.form.months;
        let mut all = [0; Figure::COUNT];
        let mut stock = [0; Figure::COUNT];
        for block in years.iter() {
            if block.year == ALL_MONTHS {
                stock = block.by(0, self.until).copied().unwrap_or(stock);
                continue;
            }
            let first = block.year.saturating_mul(12);
            if self.form.period.is_none() && (to <= first || first.saturating_add(11) < from) {
                continue;
            }
            for (month, number) in (0..12).zip(first..) {
                let in_period = from <= number && number < to;
                if !in_period && self.form.period.is_none() {
                    continue;
                }
                let Some(counts) = block.by(month, self.until) else { continue };
                match self.form.period {
                    None => all.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n),
                    // The stock counts in its own month, whatever the period of the question.
                    Some(period) => {
                        sums.add(period.of_month(number), &if in_period { *counts } else { stock_of(counts) });
                    }
                }
            }
        }
        if self.form.period.is_none() {
            STOCK.iter().for_each(|figure| all[*figure as usize] = stock[*figure as usize]);
            sums.add(0, &all);
        }
    }
}

/// Which values of a key a filter admits.
enum Admitted {
    All,
    One(u32),
    These(Vec<bool>),
}

impl Admitted {
    fn holds(&self, value: u32) -> bool {
        match self {
            Admitted::All => true,
            Admitted::One(one) => *one == value,
            Admitted::These(these) => these.get(value as usize).is_some_and(|admitted| *admitted),
        }
    }
}

impl Views {
    /// The month that begins with a tick, if one does and nothing of it comes before that.
    fn month_from(&self, at: Timestamp) -> Option<i32> {
        if !(Timestamp::EARLIEST..=Timestamp::LATEST).contains(&at) {
            return None;
        }
        let date = self.home.date(at);
        let begins = date.ymd().2 == 1 && self.home.first_tick(date) == at && self.home.begins_once(date);
        begins.then(|| Period::Month.number(date))
    }

    fn admits_values(&self, key: usize, filter: &Filter, c: Timestamp) -> Admitted {
        let wanted = match key {
            0 => return filter.unit.as_ref().map_or(Admitted::All, |u| Admitted::These(self.units_within(u, c))),
            1 => &filter.procedure,
            2 => &filter.field,
            _ => &filter.channel,
        };
        wanted.as_ref().map_or(Admitted::All, |code| Admitted::One(self.number(code).unwrap_or(u32::MAX)))
    }
}

impl Keeping {
    /// Counts all dossiers by a definition, as of a clock; nothing if it judges what rows do not hold, or if `stop` says so.
    #[must_use]
    pub fn new(views: &Views, definition: Definition, clock: Timestamp, stop: impl Fn() -> bool) -> Option<Keeping> {
        if !is_held(definition) {
            return None;
        }
        let mut keys = KEYS.map(|_| Some(Margin::default()));
        let (mut ahead, mut lately, mut steps) = (BTreeSet::new(), Vec::new(), Steps::default());
        let since = clock.plus(-LOOK_BACK_MS);
        for (chunk, first) in views.table.chunks().zip((0_u32..).step_by(super::table::CHUNK)) {
            if stop() {
                return None;
            }
            for (sight, row) in views.rows(chunk).zip(first..) {
                let kin = sight.kin();
                let (last, next) = steps.each(sight, definition, clock, |month, until, counts| {
                    add(&mut keys, kin, month, &Step { until, counts, sign: 1, sums: false });
                });
                lately.extend(last.filter(|last| *last > since).map(|last| (last, row)));
                ahead.extend(next.map(|next| (next, row)));
            }
            drop_large(&mut keys);
        }
        for margin in keys.iter_mut().flatten() {
            for years in margin.values.iter_mut().flatten() {
                Arc::make_mut(years).iter_mut().for_each(Block::sum_up);
            }
            margin.put_in_order(views);
        }
        let views = views.clone();
        let (soon, until) = (Vec::new(), clock);
        let mut margins = Margins { definition, views, clock, keys, lately: Vec::new(), since, soon, until };
        margins.note(lately, &ahead);
        Some(Keeping { margins: Arc::new(margins), ahead, steps })
    }

    /// The margins as they are.
    #[must_use]
    pub fn margins(&self) -> &Arc<Margins> {
        &self.margins
    }

    /// Whether bringing them up to this clock would change them: rows change their figures by then.
    #[must_use]
    pub fn is_behind(&self, clock: Timestamp) -> bool {
        self.ahead.first().is_some_and(|(next, _)| *next <= clock)
    }

    /// Brings them up to date with `views`, which came from those they count; `changed` are the rows that changed since,
    /// and perhaps others. The clock never goes back.
    pub fn bring(&mut self, views: &Views, changed: &[u32], clock: Timestamp) {
        let (definition, before) = (self.margins.definition, self.margins.clock);
        let clock = clock.max(before);
        let mut rows: HashSet<u32> = changed.iter().copied().collect();
        let due = self.ahead.range(..=(clock, u32::MAX)).map(|(_, row)| *row);
        rows.extend(due);
        let margins = Arc::make_mut(&mut self.margins);
        let since = clock.plus(-LOOK_BACK_MS);
        let mut lately = std::mem::take(&mut margins.lately);
        lately.retain(|(at, row)| *at > since && !rows.contains(row));
        for row in rows {
            if let Some(sight) = margins.views.sight(row) {
                let kin = sight.kin();
                let (_, next) = self.steps.each(sight, definition, before, |month, until, counts| {
                    add(&mut margins.keys, kin, month, &Step { until, counts, sign: -1, sums: true });
                });
                if let Some(next) = next {
                    self.ahead.remove(&(next, row));
                }
            }
            if let Some(sight) = views.sight(row) {
                let kin = sight.kin();
                let (last, next) = self.steps.each(sight, definition, clock, |month, until, counts| {
                    add(&mut margins.keys, kin, month, &Step { until, counts, sign: 1, sums: true });
                });
                lately.extend(last.filter(|last| *last > since).map(|last| (last, row)));
                self.ahead.extend(next.map(|next| (next, row)));
            }
        }
        drop_large(&mut margins.keys);
        margins.keys.iter_mut().flatten().for_each(|margin| margin.put_in_order(views));
        margins.views = views.clone();
        margins.clock = clock;
        margins.since = margins.since.max(since);
        margins.note(lately, &self.ahead);
    }
}

impl Margins {
    /// Notes the rows whose figures change about the clock.
    fn note(&mut self, mut lately: Vec<(Timestamp, u32)>, ahead: &BTreeSet<(Timestamp, u32)>) {
        lately.sort_unstable();
        if lately.len() > MOST_ROWS {
            let left_out = lately.len() - MOST_ROWS;
            // Rows of this moment are left out, so it is the first that can be asked for.
            self.since = self.since.max(lately[left_out - 1].0);
            lately.drain(..left_out);
        }
        self.lately = lately;
        let mut soon: Vec<_> = ahead.iter().take(MOST_ROWS + 1).copied().collect();
        self.until = Timestamp::MAX;
        if soon.len() > MOST_ROWS {
            self.until = soon.pop().map_or(self.clock, |(next, _)| next.plus(-1));
        }
        self.soon = soon;
    }
}

/// Leaves keys with too many cells to the scan.
fn drop_large(keys: &mut [Option<Margin>; 4]) {
    for margin in keys {
        margin.take_if(|margin| margin.cells > MOST_CELLS);
    }
}

/// Adds a step of a row, which counts in a month, to all keys.
fn add(keys: &mut [Option<Margin>; 4], kin: &Kin, month: i32, step: &Step<'_>) {
    for (margin, value) in keys.iter_mut().zip(kin.keys) {
        if let Some(margin) = margin {
            margin.add(value, month, step);
        }
    }
}
