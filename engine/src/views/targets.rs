//! Targets, judged year by year: definitions.md I.7; and how many may still fail in a year that is not over.
//!
//! A target is met or not by integers. What it measures is counted by the scans that answer for rates, so a target and a
//! rate of the same period never differ. It knows no words: why there is nothing to judge is a reason, not a text.

use super::fact::{Fact, Zones};
use super::line::Seen;
use super::obligation::{ObligationState, Owed, forecast, obligations};
use super::{Figure, Filter, GroupKey, History, Moment, RatesAnswer, RatesQuery, Sieve, Sight, Views};
use crate::dossier::Code;
use crate::rules::{
    Cohort, Comparator, Definition, RESOLVED, Rule, RuleKind, Rulebook, SecondSupplement, Target, Version,
};
use crate::time::{Date, Timestamp};

/// Of the years to come so many are listed at most: a target without an end has thousands.
const YEARS_AHEAD: i32 = 10;

/// What is asked.
#[derive(Clone, Debug)]
pub struct TargetQuery {
    /// Only the target of this code.
    pub code: Option<Code>,
    /// Only this year.
    pub year: Option<i32>,
    /// The unit to judge it for, and those below; the target's own if not said.
    pub unit: Option<Code>,
    /// The business time at which it is looked at.
    pub as_of: Moment,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetsAnswer {
    /// The targets in force, by code.
    pub targets: Vec<JudgedTarget>,
    /// The number of records that every year of the answer has folded, or more.
    pub position: u64,
    /// The business time it is looked at.
    pub as_of: Timestamp,
}

/// A target with the years of its validity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedTarget {
    /// Its code.
    pub code: Code,
    /// The number of its version; 0 if it is built in.
    pub version: u32,
    /// What it says.
    pub target: Target,
    /// The unit it is judged for; every one if none.
    pub unit: Option<Code>,
    /// Its years, each on its own.
    pub years: Vec<TargetYear>,
}

/// How a target stands in one year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetYear {
    /// The year.
    pub year: i32,
    /// The first day of the year, or of the validity if that begins within it.
    pub first: Date,
    /// The last day, likewise.
    pub last: Date,
    /// The first tick of the first day, in the directory's zone.
    pub from: Timestamp,
    /// The first tick after the last day.
    pub to: Timestamp,
    /// The moment as of which it is judged: the earlier of `as_of` and the last tick.
    pub cut: Timestamp,
    /// Whether the last tick has come, so that only what is recorded late can change it.
    pub over: bool,
    /// What reached the target: on time, apologised for in time, received online.
    pub part: u64,
    /// Of so many.
    pub whole: u64,
    /// Whether that meets the target.
    pub judgement: Judgement,
    /// What may still come, of a rate in a year that has begun and is not over; `None` if nothing is to come.
    pub outlook: Option<Outlook>,
    /// The number of records that are in it.
    pub position: u64,
}

/// Whether a target is met in a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is.
    Met,
    /// It is not.
    NotMet,
    /// There was nothing to judge: never 100 %.
    NotApplicable,
    /// Nothing in the log tells of it, for this reason.
    NoData(NoData),
    /// The year has not begun.
    NotYet,
}

impl Judgement {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Judgement::Met => "met",
            Judgement::NotMet => "not_met",
            Judgement::NotApplicable => "not_applicable",
            Judgement::NoData(_) => "no_data",
            Judgement::NotYet => "not_yet",
        }
    }
}

/// Why a target cannot be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoData {
    /// No event tells of what it measures.
    Metric,
    /// What it measures is known, but not the whole that it is a share of: no such definition, no such count.
    Denominator,
}

impl NoData {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            NoData::Metric => "metric",
            NoData::Denominator => "denominator",
        }
    }
}

/// What is decided in a year that is not over, and what may still come of it.
///
/// It is assumed that nothing further comes in; that what is missed and still open is counted as late in the year; that
/// all that is due by its end is decided in it; and that no promise moves, no dossier is withdrawn and none is asked for
/// papers again. So of the dossiers with a rate [`Outlook::whole`] are judged in the end, however many of them are late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// In the rate so far, without those in `open_due`; of apologies: decided.
    pub decided: u64,
    /// Of them not on time; of apologies: late or missing. An open dossier that the definition judges as it stands, and
    /// that is missed, is among them.
    pub late: u64,
    /// Not in the rate yet and sure to be late: missed, but still open, or not handed over where that is what counts.
    pub open_late: u64,
    /// Not in the rate yet and sure to be on time: processed in time and not handed over, where that is what counts; of
    /// apologies: missed, not decided, and the letter was sent.
    pub settled: u64,
    /// Open, not missed (by the definition's own comparison and promise, as it stands; also while waiting), and the
    /// promise ends by the year's end. One that ends on its last day can be late in the next year only. Of apologies:
    /// missed, no letter yet, and its deadline lies within the year.
    pub open_due: u64,
    /// Of apologies only: forecasts whose promise and letter would both be missed within the year.
    pub foreseen: u64,
}

impl Outlook {
    /// Part and whole of the rate in the end, if `failing` of what is not decided fail and all the rest does not.
    ///
    /// A forecast owes an apology only if its promise is missed. So the letters that are owed already fail first: that is
    /// the worst case, and a target that is met in it is met in any.
    #[must_use]
    pub fn in_the_end(&self, failing: u64) -> (u64, u64) {
        let owed = failing.min(self.open_due);
        let kept = (self.decided - self.late) + self.settled + (self.open_due - owed);
        (kept, self.whole() + (failing - owed))
    }

    /// How many are judged in the end, without forecasts.
    #[must_use]
    pub fn whole(&self) -> u64 {
        self.decided + self.open_late + self.settled + self.open_due
    }

    /// How many are not decided.
    #[must_use]
    pub fn undecided(&self) -> u64 {
        self.open_due + self.foreseen
    }

    /// How many of what is not decided may fail at most so that the target is met in the end; `None` if it is out of
    /// reach. Where nothing would be judged nothing fails.
    #[must_use]
    pub fn may_fail(&self, comparator: Comparator, threshold: u32) -> Option<u64> {
        let holds = |comparator, failing| {
            let (part, whole) = self.in_the_end(failing);
            met(part, whole, comparator, threshold) != Some(false)
        };
        // The more fail the lower the rate, so those numbers at which it is high enough come first: halving finds the
        // last. Only there can it be exactly as high, if a lower one is not wanted.
        let high_enough = match comparator {
            Comparator::Above => Comparator::Above,
            Comparator::AtLeast | Comparator::Exactly => Comparator::AtLeast,
        };
        if !holds(high_enough, 0) {
            return None;
        }
        let (mut good, mut bad) = (0, self.undecided().saturating_add(1));
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            if holds(high_enough, middle) { good = middle } else { bad = middle }
        }
        holds(comparator, good).then_some(good)
    }
}

/// Whether `part` of `whole` meets a threshold in ten-thousandths; `None` if `whole` is 0.
#[must_use]
pub fn met(part: u64, whole: u64, comparator: Comparator, threshold: u32) -> Option<bool> {
    let (reached, asked) = (u128::from(part) * 10_000, u128::from(whole) * u128::from(threshold));
    (whole > 0).then_some(match comparator {
        Comparator::Above => reached > asked,
        Comparator::AtLeast => reached >= asked,
        Comparator::Exactly => reached == asked,
    })
}

/// The targets in force on a day, by code: of each the version with the newest day, of those the one recorded last.
pub(crate) fn in_force<'r>(
    rules: &'r Rulebook,
    code: Option<&'r str>,
    day: Date,
) -> impl Iterator<Item = (&'r Version, &'r Target)> {
    let mut codes: Vec<&Code> = rules
        .all()
        .filter(|v| v.publication.rule.kind() == RuleKind::Target)
        .map(|v| &v.publication.code)
        .filter(move |known| code.is_none_or(|code| &***known == code))
        .collect();
    // The versions of a rule lie side by side.
    codes.dedup();
    codes.into_iter().filter_map(move |code| {
        let version = rules.in_force(RuleKind::Target, code, day, u64::MAX)?;
        match &version.publication.rule {
            Rule::Target(target) => Some((version, target)),
            _ => None,
        }
    })
}

/// The years of a target's validity, each with its first and its last day of it.
pub(crate) fn years(target: &Target, today: Date, asked: Option<i32>) -> impl Iterator<Item = (i32, Date, Date)> {
    let year = |date: Date| date.ymd().0;
    let last = match asked {
        Some(_) => year(target.to),
        None => year(target.to).min(year(today).max(year(target.from)) + YEARS_AHEAD),
    };
    let (from, to) = (target.from, target.to);
    (year(from)..=last).filter(move |year| asked.is_none_or(|asked| asked == *year)).filter_map(move |year| {
        let (first, last) = (Date::new(year, 1, 1)?, Date::new(year, 12, 31)?);
        Some((year, first.max(from), last.min(to)))
    })
}

/// What a target measures.
#[derive(Clone, Copy)]
enum Measure {
    OnTime(Definition),
    Apologies,
    Online,
}

/// Why nothing that is recorded or published could make a target measurable; `None` if it can be. Which definitions there
/// are does not matter here.
#[must_use]
pub fn no_data(target: &Target) -> Option<NoData> {
    match (&*target.metric, &*target.denominator) {
        ("on_time_rate", _) | ("apology_rate", "apology_obligations" | "late") | ("online_share", "received") => None,
        ("apology_rate" | "online_share", _) => Some(NoData::Denominator),
        _ => Some(NoData::Metric),
    }
}

fn measure(target: &Target, rules: &Rulebook, day: Date) -> Result<Measure, NoData> {
    if let Some(why) = no_data(target) {
        return Err(why);
    }
    match &*target.metric {
        "on_time_rate" => rules.definition(&target.denominator, day).map(Measure::OnTime).ok_or(NoData::Denominator),
        "apology_rate" => Ok(Measure::Apologies),
        _ => Ok(Measure::Online),
    }
}

impl Views {
    /// Judges a target for a unit in one of its years, whose first and last day of validity are given, as of a moment.
    /// A definition is the one in force at the cut.
    #[must_use]
    pub fn target_year(
        &self,
        target: &Target,
        unit: Option<&Code>,
        (year, first, last): (i32, Date, Date),
        as_of: Timestamp,
    ) -> TargetYear {
        let (from, to) = (self.home.first_tick(first), self.home.first_tick(last.plus(1)));
        let cut = as_of.min(to.plus(-1));
        let over = cut == to.plus(-1);
        let unjudged = TargetYear {
            year,
            first,
            last,
            from,
            to,
            cut,
            over,
            part: 0,
            whole: 0,
            judgement: Judgement::NotYet,
            outlook: None,
            position: self.position,
        };
        if from > as_of {
            return unjudged;
        }
        let measure = match measure(target, &self.rules, self.home.date(cut)) {
            Ok(measure) => measure,
            Err(why) => return TargetYear { judgement: Judgement::NoData(why), ..unjudged },
        };
        let filter = Filter { unit: unit.cloned(), ..Filter::default() };
        let count = |definition, by: &[GroupKey]| {
            let (from, to, as_of) = (Moment::Instant(from), Moment::Instant(to), Moment::Instant(as_of));
            let (from, to, by, filter) = (Some(from), Some(to), by.to_vec(), filter.clone());
            self.rates(&RatesQuery { definition, from, to, as_of, by, filter, zone: None })
        };
        let ((part, whole), outlook) = match measure {
            Measure::OnTime(definition) => {
                let rate = count(definition, &[]).total.on_time_rate();
                (rate, (!over).then(|| self.promises_to_come(definition, rate, &filter, &unjudged)))
            }
            Measure::Apologies => {
                let rate = count(RESOLVED, &[]).total.apology_rate();
                (rate, (!over).then(|| self.letters_to_come(rate, &filter, &unjudged)))
            }
            Measure::Online => (online(&count(RESOLVED, &[GroupKey::Channel])), None),
        };
        let judgement = match met(part, whole, target.comparator, target.threshold) {
            Some(true) => Judgement::Met,
            Some(false) => Judgement::NotMet,
            None => Judgement::NotApplicable,
        };
        let outlook = outlook.filter(|outlook| outlook.whole() + outlook.foreseen > 0);
        TargetYear { part, whole, judgement, outlook, ..unjudged }
    }

    /// The rows of which something may still come at `c`, but for those that the columns show settled.
    fn unsettled<'v>(
        &'v self,
        sieve: &'v Sieve,
        c: Timestamp,
        from: Timestamp,
        settled: impl Fn(&Sight<'v>, &Seen) -> bool,
    ) -> impl Iterator<Item = Sight<'v>> {
        let chunks = self.table.chunks().filter(move |chunk| chunk.matters(from, c));
        chunks.flat_map(|chunk| self.rows(chunk)).filter(move |sight| {
            sieve.admits(sight.chunk.kin[sight.slot]) && !sight.plainly(c).is_some_and(|seen| settled(sight, &seen))
        })
    }

    /// What may still come of a rate by a definition, whose part and whole so far are given.
    fn promises_to_come(
        &self,
        definition: Definition,
        (part, whole): (u64, u64),
        filter: &Filter,
        year: &TargetYear,
    ) -> Outlook {
        let c = year.cut;
        let (zones, sieve) = (Zones { home: &self.home, asked: &self.home }, self.sieve(filter, c));
        let mut outlook = Outlook::default();
        // Most dossiers have ended: only those whose moment is still to come are looked at closely. One that ended may still
        // have to be handed over.
        let fetched = definition.cohort == Cohort::Returned;
        let from = if fetched { Timestamp::MIN } else { Timestamp::MAX };
        let settled = |_: &Sight<'_>, seen: &Seen| seen.ended <= c && (!fetched || seen.handed <= c);
        for sight in self.unsettled(&sieve, c, from, settled) {
            let Some(history) = sight.history(definition, &self.home, c) else { continue };
            let fact = Fact::of(&history, definition, zones, c);
            let not_fetched = fetched && history.timeline.returned.is_none_or(|r| r > c);
            if fact.received > c || (fact.ended <= c && !not_fetched) {
                continue;
            }
            if !fact.is_promised(c) {
                continue;
            }
            let (open, due) = (fact.ended > c, fact.due_on <= year.last);
            let missed = fact.is_overdue(c);
            let late = missed || (definition.second_supplement == SecondSupplement::LateAlways && fact.waits_again);
            match definition.cohort {
                // Those of the year are in the rate already, as they stand.
                Cohort::Received => {
                    if due && !late && !fact.waits_again && year.from <= fact.received {
                        outlook.open_due += 1;
                    }
                }
                // Counted when it was missed, in this year or before.
                Cohort::Decided if missed => {}
                Cohort::Returned if !open && (!fact.processed || fact.handed_over() <= c) => {}
                Cohort::Returned if !open && !late => outlook.settled += 1,
                Cohort::Processed | Cohort::Returned | Cohort::Decided => {
                    if late {
                        outlook.open_late += 1;
                    } else if due {
                        outlook.open_due += 1;
                    }
                }
            }
        }
        let counted = if definition.cohort == Cohort::Received { outlook.open_due } else { 0 };
        Outlook { decided: whole.saturating_sub(counted), late: whole - part, ..outlook }
    }

    /// What may still come of the rate of apologies, whose part and whole so far are given.
    fn letters_to_come(&self, (part, whole): (u64, u64), filter: &Filter, year: &TargetYear) -> Outlook {
        let (c, home) = (year.cut, &self.home);
        let sieve = self.sieve(filter, c);
        let mut outlook = Outlook { decided: whole, late: whole - part, ..Outlook::default() };
        let settled = |sight: &Sight<'_>, seen: &Seen| {
            let pending = |owed: Owed| owed.state == ObligationState::Pending;
            seen.ended <= c && !seen.owed(&sight.kin().pinned, home, c).is_some_and(pending)
        };
        for sight in self.unsettled(&sieve, c, Timestamp::MAX, settled) {
            let Some(known) = &sight.by_date() else { continue };
            let pinned = &sight.kin().pinned;
            // What is missed by the cut moves no more, so the whole history tells of it.
            let pending = obligations(known, pinned, home, c).filter(|o| o.state == ObligationState::Pending);
            for obligation in pending.filter(|o| o.decided_at.is_some_and(|a| a < year.to)) {
                // Its deadline has not passed, so a letter that is there came in time.
                if obligation.letter_at.is_some() { outlook.settled += 1 } else { outlook.open_due += 1 }
            }
            if !known.is_open(c) {
                continue;
            }
            let Some(History { timeline, .. }) = sight.history(RESOLVED, home, c) else { continue };
            let foreseen = forecast(&timeline, pinned, home, c).and_then(|forecast| {
                let promise = timeline.promises.get((forecast.promise as usize).checked_sub(1)?)?;
                Some(promise.missed?.max(forecast.deadline.plus(1)))
            });
            outlook.foreseen += u64::from(foreseen.is_some_and(|decided_at| decided_at < year.to));
        }
        outlook
    }
}

/// Received online, of all that was received; the answer is grouped by channel.
fn online(answer: &RatesAnswer) -> (u64, u64) {
    let by_channel = answer.groups.iter().filter(|group| group.key.iter().any(|key| key.as_deref() == Some("online")));
    (by_channel.map(|group| group.figures.get(Figure::Received)).sum(), answer.total.get(Figure::Received))
}
