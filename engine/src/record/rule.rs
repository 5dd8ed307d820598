//! A published rule and its stored bytes.

use super::{code, stored, text};
use crate::calendar::{AfterSupplement, Calendar, DayOff, DayOffKind, Span, Term, WorkedDay};
use crate::rules::{
    Apology, Bound, Comparator, Definition, Fraction, LetterBy, Marks, Names, Parent, Procedure, Publication, Reason,
    ReportPeriod, Rule, StepTerm, Target, Tier, TierTables, Unit, choices,
};
use crate::time::Date;
use stored::published::Rule as R;

fn names(names: &Names) -> Option<stored::Names> {
    Some(stored::Names { vi: names.vi.clone(), en: names.en.clone() })
}

fn read_names(names: Option<stored::Names>) -> Names {
    names.map_or_else(Names::default, |n| Names { vi: n.vi, en: n.en })
}

/// The name of a choice.
fn choice<T: Copy + PartialEq>(value: T, all: &[(T, &'static str)]) -> String {
    all.iter().find(|(v, _)| *v == value).map_or_else(String::new, |(_, name)| (*name).to_owned())
}

/// The choice of a name; one that a later version adds is refused, never guessed.
fn chosen<T: Copy>(name: &str, all: &[(T, &'static str)]) -> Result<T, &'static str> {
    all.iter().find(|(_, n)| *n == name).map(|(v, _)| *v).ok_or("a rule of a later version")
}

fn span(span: &Span) -> stored::Span {
    stored::Span { from: span.from, to: span.to }
}

fn read_spans(spans: Vec<stored::Span>) -> Vec<Span> {
    spans.into_iter().map(|s| Span { from: s.from, to: s.to }).collect()
}

fn term(term: Term) -> stored::Term {
    use stored::term::Length as L;
    let length = match term {
        Term::Hours(n) => L::Hours(n),
        Term::WorkingDays(n) => L::WorkingDays(n),
        Term::Days(n) => L::Days(n),
        Term::Months(n) => L::Months(n),
    };
    stored::Term { length: Some(length) }
}

fn read_term(term: Option<stored::Term>) -> Result<Term, &'static str> {
    use stored::term::Length as L;
    Ok(match term.and_then(|t| t.length).ok_or("a term of a later version")? {
        L::Hours(n) => Term::Hours(n),
        L::WorkingDays(n) => Term::WorkingDays(n),
        L::Days(n) => Term::Days(n),
        L::Months(n) => Term::Months(n),
    })
}

fn calendar(calendar: &Calendar) -> stored::Calendar {
    let named = |date: Date, vi: &str, en: &str, kind: u32| stored::NamedDay {
        date: date.0,
        names: Some(stored::Names { vi: vi.to_owned(), en: en.to_owned() }),
        kind,
    };
    let kind = |kind| DayOffKind::ALL.iter().position(|k| *k == kind).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    stored::Calendar {
        first: calendar.first.0,
        last: calendar.last.0,
        weekly_days_off: (0..7).filter(|day| calendar.weekly_days_off[*day]).map(|day| 1 << day).sum(),
        days_off: calendar.days_off.iter().map(|d| named(d.date, &d.vi, &d.en, kind(d.kind))).collect(),
        working_days: calendar.working_days.iter().map(|d| named(d.date, &d.vi, &d.en, 0)).collect(),
        hours: calendar.hours.iter().map(span).collect(),
        reception: (0..)
            .zip(&calendar.reception)
            .filter(|(_, hours)| !hours.is_empty())
            .map(|(weekday, hours)| stored::Reception { weekday, hours: hours.iter().map(span).collect() })
            .collect(),
        cut_off: calendar.cut_off,
    }
}

fn read_calendar(code: &str, effective_from: Date, stored: stored::Calendar) -> Result<Calendar, &'static str> {
    let mut weekly_days_off = [false; 7];
    for (day, off) in weekly_days_off.iter_mut().enumerate() {
        *off = stored.weekly_days_off & (1 << day) != 0;
    }
    let mut reception: [Vec<Span>; 7] = Default::default();
    for day in stored.reception {
        *reception.get_mut(day.weekday as usize).ok_or("a weekday of a later version")? = read_spans(day.hours);
    }
    let day_off = |day: stored::NamedDay| {
        let Names { vi, en } = read_names(day.names);
        let kind = *DayOffKind::ALL.get(day.kind as usize).ok_or("a day off of a later version")?;
        Ok(DayOff { date: Date(day.date), vi, en, kind })
    };
    let worked = |day: stored::NamedDay| {
        let Names { vi, en } = read_names(day.names);
        WorkedDay { date: Date(day.date), vi, en }
    };
    Ok(Calendar {
        code: code.to_owned(),
        effective_from,
        first: Date(stored.first),
        last: Date(stored.last),
        weekly_days_off,
        days_off: stored.days_off.into_iter().map(day_off).collect::<Result<_, &'static str>>()?,
        working_days: stored.working_days.into_iter().map(worked).collect(),
        hours: read_spans(stored.hours),
        reception,
        cut_off: stored.cut_off,
    })
}

/// A number as it is stored. One that is no decimal never passes the check of a publication; stored as what no decimal
/// is, it would not pass it when it is read either.
fn millionths(fraction: Fraction) -> u64 {
    fraction.millionths().unwrap_or(u64::MAX)
}

fn tier(tier: &Tier) -> stored::Tier {
    use stored::tier::{Marks as M, Rate};
    stored::Tier {
        rate: Some(match tier.from {
            Bound::AtLeast(rate) => Rate::AtLeast(millionths(rate.percent())),
            Bound::Above(rate) => Rate::Above(millionths(rate.percent())),
        }),
        marks: Some(match tier.marks {
            Marks::Full => M::Full(true),
            Marks::Proportional => M::Proportional(true),
            Marks::Fixed(marks) => M::Fixed(millionths(marks)),
        }),
    }
}

fn read_tiers(tiers: Vec<stored::Tier>) -> Result<Vec<Tier>, &'static str> {
    use stored::tier::{Marks as M, Rate};
    let tier = |tier: stored::Tier| {
        Ok(Tier {
            from: match tier.rate.ok_or("a tier of a later version")? {
                Rate::AtLeast(n) => Bound::AtLeast(Fraction::of_millionths(n).hundredth()),
                Rate::Above(n) => Bound::Above(Fraction::of_millionths(n).hundredth()),
            },
            marks: match tier.marks.ok_or("a tier of a later version")? {
                M::Full(_) => Marks::Full,
                M::Proportional(_) => Marks::Proportional,
                M::Fixed(n) => Marks::Fixed(Fraction::of_millionths(n)),
            },
        })
    };
    tiers.into_iter().map(tier).collect()
}

/// A publication as it is stored.
pub(super) fn encode(publication: &Publication) -> stored::Published {
    let rule = match &publication.rule {
        Rule::Calendar(c) => R::Calendar(calendar(c)),
        Rule::Unit(unit) => R::Unit(stored::Unit {
            names: names(&unit.names),
            parents: unit
                .parents
                .iter()
                .map(|p| stored::Parent { unit: p.unit.to_string(), from: p.from.map(|d| d.0), to: p.to.map(|d| d.0) })
                .collect(),
            calendar: text(unit.calendar.as_ref()),
            apology: text(unit.apology.as_ref()),
        }),
        Rule::Procedure(p) => R::Procedure(stored::Procedure {
            names: names(&p.names),
            field: text(p.field.as_ref()),
            phases: p.phases.iter().map(|t| term(*t)).collect(),
            restarts: p.after_supplement == AfterSupplement::Restart,
            payment_stops_clock: p.payment_stops_clock,
            steps: p
                .steps
                .iter()
                .map(|s| stored::StepTerm { unit: s.unit.to_string(), term: Some(term(s.term)) })
                .collect(),
        }),
        Rule::Apology(a) => {
            use stored::apology::LetterBy as L;
            R::Apology(stored::Apology {
                names: names(&a.names),
                letter_by: Some(match a.letter_by {
                    LetterBy::WorkingDaysBefore(n) => L::WorkingDaysBefore(n),
                    LetterBy::WorkingDaysAfter(n) => L::WorkingDaysAfter(n),
                    LetterBy::WorkingHoursAfter(n) => L::WorkingHoursAfter(n),
                }),
                reschedulings: a.reschedulings,
            })
        }
        Rule::Reason(r) => R::Reason(stored::Reason { names: names(&r.names), objective: r.objective }),
        Rule::Definition(d) => R::Definition(stored::Definition {
            cohort: choice(d.cohort, &choices::COHORTS),
            compared_by: choice(d.compared_by, &choices::COMPARED_BY),
            promise: choice(d.judged, &choices::PROMISES),
            judges_exits: d.judges_exits,
            second_supplement: choice(d.second_supplement, &choices::SECOND_SUPPLEMENTS),
        }),
        Rule::Target(t) => R::Target(stored::Target {
            source: t.source.clone(),
            clause: t.clause.clone(),
            metric: t.metric.to_string(),
            comparator: t.comparator.sign().to_owned(),
            threshold: t.threshold,
            denominator: t.denominator.to_string(),
            unit: text(t.unit.as_ref()),
            from: t.from.0,
            to: t.to.0,
            note: t.note.clone(),
        }),
        Rule::ReportPeriod(p) => {
            R::ReportPeriod(stored::ReportPeriod { names: names(&p.names), cut_off_day: p.cut_off_day })
        }
        Rule::Tiers(t) => R::Tiers(stored::TierTables {
            names: names(&t.names),
            full: millionths(t.full),
            rate: t.rate.iter().map(tier).collect(),
            apology: t.apology.iter().map(tier).collect(),
        }),
    };
    stored::Published {
        code: publication.code.to_string(),
        effective_from: publication.effective_from.0,
        rule: Some(rule),
    }
}

/// A stored publication.
pub(super) fn decode(stored: stored::Published) -> Result<Publication, &'static str> {
    let effective_from = Date(stored.effective_from);
    let rule = match stored.rule.ok_or("a rule of a later version")? {
        R::Calendar(c) => Rule::Calendar(read_calendar(&stored.code, effective_from, c)?),
        R::Unit(unit) => Rule::Unit(Unit {
            names: read_names(unit.names),
            parents: unit
                .parents
                .into_iter()
                .map(|p| Parent { unit: p.unit.into(), from: p.from.map(Date), to: p.to.map(Date) })
                .collect(),
            calendar: code(unit.calendar),
            apology: code(unit.apology),
        }),
        R::Procedure(p) => Rule::Procedure(Procedure {
            names: read_names(p.names),
            field: code(p.field),
            phases: p.phases.into_iter().map(|t| read_term(Some(t))).collect::<Result<_, _>>()?,
            after_supplement: if p.restarts { AfterSupplement::Restart } else { AfterSupplement::Resume },
            payment_stops_clock: p.payment_stops_clock,
            steps: p
                .steps
                .into_iter()
                .map(|s| Ok(StepTerm { unit: s.unit.into(), term: read_term(s.term)? }))
                .collect::<Result<_, &'static str>>()?,
        }),
        R::Apology(a) => {
            use stored::apology::LetterBy as L;
            Rule::Apology(Apology {
                names: read_names(a.names),
                letter_by: match a.letter_by.ok_or("a policy of a later version")? {
                    L::WorkingDaysBefore(n) => LetterBy::WorkingDaysBefore(n),
                    L::WorkingDaysAfter(n) => LetterBy::WorkingDaysAfter(n),
                    L::WorkingHoursAfter(n) => LetterBy::WorkingHoursAfter(n),
                },
                reschedulings: a.reschedulings,
            })
        }
        R::Reason(r) => Rule::Reason(Reason { names: read_names(r.names), objective: r.objective }),
        R::Definition(d) => Rule::Definition(Definition {
            id: "",
            cohort: chosen(&d.cohort, &choices::COHORTS)?,
            compared_by: chosen(&d.compared_by, &choices::COMPARED_BY)?,
            judged: chosen(&d.promise, &choices::PROMISES)?,
            judges_exits: d.judges_exits,
            second_supplement: chosen(&d.second_supplement, &choices::SECOND_SUPPLEMENTS)?,
        }),
        R::Target(t) => Rule::Target(Target {
            source: t.source,
            clause: t.clause,
            metric: t.metric.into(),
            comparator: chosen(&t.comparator, &Comparator::ALL)?,
            threshold: t.threshold,
            denominator: t.denominator.into(),
            unit: code(t.unit),
            from: Date(t.from),
            to: Date(t.to),
            note: t.note,
        }),
        R::ReportPeriod(p) => {
            Rule::ReportPeriod(ReportPeriod { names: read_names(p.names), cut_off_day: p.cut_off_day })
        }
        R::Tiers(t) => Rule::Tiers(TierTables {
            names: read_names(t.names),
            full: Fraction::of_millionths(t.full),
            rate: read_tiers(t.rate)?,
            apology: read_tiers(t.apology)?,
        }),
    };
    Ok(Publication { code: stored.code.into(), effective_from, rule })
}
