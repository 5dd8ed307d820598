//! What a decree, a province or a unit can decide: each rule as plain data, as it is published into the log.
//!
//! Pure. A [`Publication`] is one version of one rule. How it looks in a file or on disk is decided elsewhere (`gateway`,
//! `record`); which version is in force for a dossier is the [`super::Rulebook`]'s matter.

use super::score::{BadTiers, Fraction, Tier, Tiers};
use super::{Code, Cohort, ComparedBy, DEFINITIONS, Definition, Judged, SecondSupplement, unit_within};
use crate::calendar::{AfterSupplement, Calendar, Term};
use crate::time::Date;

/// One version of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its name among the rules of its kind.
    pub code: Code,
    /// From when on it counts: for what is received on this day and later.
    pub effective_from: Date,
    /// What it says.
    pub rule: Rule,
}

/// What a publication says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Working days and hours. Its own `code` and `effective_from` are those of the publication.
    Calendar(Calendar),
    /// A unit: its names, where it belongs, and which calendar and apology policy it follows.
    Unit(Unit),
    /// A procedure and its term.
    Procedure(Procedure),
    /// By when a letter of apology must be sent.
    Apology(Apology),
    /// A reason of a letter, an exit or a correction.
    Reason(Reason),
    /// A definition of rates.
    Definition(Definition),
    /// What a plan asks for.
    Target(Target),
    /// A reporting regime.
    ReportPeriod(ReportPeriod),
    /// The marks of a score.
    Tiers(TierTables),
}

/// The kinds of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the rule of its name")]
pub enum RuleKind {
    Calendar,
    Unit,
    Procedure,
    Apology,
    Reason,
    Definition,
    Target,
    ReportPeriod,
    Tiers,
}

impl RuleKind {
    /// All, with their names in files and requests.
    pub const ALL: [(RuleKind, &'static str); 9] = [
        (RuleKind::Calendar, "calendar"),
        (RuleKind::Unit, "unit"),
        (RuleKind::Procedure, "procedure"),
        (RuleKind::Apology, "apology"),
        (RuleKind::Reason, "reason"),
        (RuleKind::Definition, "definition"),
        (RuleKind::Target, "target"),
        (RuleKind::ReportPeriod, "report_period"),
        (RuleKind::Tiers, "tiers"),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<RuleKind> {
        Self::ALL.into_iter().find(|(_, n)| *n == name).map(|(k, _)| k)
    }
}

/// A name in both languages; English may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Vietnamese.
    pub vi: String,
    /// English; empty if there is none.
    pub en: String,
}

/// The code that stands for every unit which has nothing published of its own.
pub const EVERY_UNIT: &str = "*";

/// A unit. What it does not say it has from the unit above it, by the segments of its code, and at last from `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// What it is called.
    pub names: Names,
    /// Units that it belonged to besides those of its code, since units merge.
    pub parents: Vec<Parent>,
    /// The code of its calendar.
    pub calendar: Option<Code>,
    /// The code of its apology policy.
    pub apology: Option<Code>,
}

/// A unit that another belonged to for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The code of the unit above.
    pub unit: Code,
    /// Since when; always if not said.
    pub from: Option<Date>,
    /// The first day on which it did no more; still does if not said.
    pub to: Option<Date>,
}

/// A procedure (thủ tục hành chính).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Procedure {
    /// What it is called.
    pub names: Names,
    /// The group of procedures it belongs to.
    pub field: Option<Code>,
    /// Its term, phase by phase; none if only the desk knows it.
    pub phases: Vec<Term>,
    /// What becomes of the term when papers have come.
    pub after_supplement: AfterSupplement,
    /// Whether a request for payment stops the clock though the desk does not say so.
    pub payment_stops_clock: bool,
    /// How long each unit that takes part may hold a dossier.
    pub steps: Vec<StepTerm>,
}

impl Procedure {
    /// The time that a unit has for its step: what is said of it, or of the nearest unit above it.
    #[must_use]
    pub fn step_term(&self, unit: &str) -> Option<Term> {
        let mine = self.steps.iter().filter(|step| unit_within(unit, &step.unit));
        mine.max_by_key(|step| step.unit.len()).map(|step| step.term)
    }
}

/// How long a unit, or one below it, may hold a dossier that was forwarded to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepTerm {
    /// The unit's code.
    pub unit: Code,
    /// The time it has.
    pub term: Term,
}

/// A policy of apologies: definitions.md I.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apology {
    /// What it is called.
    pub names: Names,
    /// By when the letter must be sent.
    pub letter_by: LetterBy,
    /// How many letters may give a new promise before the next is flagged.
    pub reschedulings: u32,
}

/// By when the letter for a missed promise must be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterBy {
    /// So many working days before the appointment date; on it if the promise was made after that day. 0: on it.
    WorkingDaysBefore(u32),
    /// So many working days after it.
    WorkingDaysAfter(u32),
    /// So many working hours after the promise.
    WorkingHoursAfter(u32),
}

/// A reason code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What it is called.
    pub names: Names,
    /// Whether it lies outside of the unit's power (khách quan) rather than with it (chủ quan).
    pub objective: bool,
}

/// What a plan asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is written.
    pub source: String,
    /// The clause.
    pub clause: String,
    /// What is measured: `on_time_rate`, `apology_rate`, `online_share`, or something no event tells of.
    pub metric: Code,
    /// How the measure is compared.
    pub comparator: Comparator,
    /// What it is compared with: so many ten-thousandths.
    pub threshold: u32,
    /// The definition of the rate, or whatever else the measure is a share of.
    pub denominator: Code,
    /// The unit it is for, and those below; every one if not said.
    pub unit: Option<Code>,
    /// The first day of its validity.
    pub from: Date,
    /// The last day of its validity.
    pub to: Date,
    /// What else is to be known.
    pub note: String,
}

/// How a measure is compared with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparator {
    /// Strictly greater ("trên").
    Above,
    /// At least ("từ … trở lên", "tối thiểu").
    AtLeast,
    /// Exactly; of a share of all, all.
    Exactly,
}

impl Comparator {
    /// All, with their signs in files.
    pub const ALL: [(Comparator, &'static str); 3] =
        [(Comparator::Above, ">"), (Comparator::AtLeast, ">="), (Comparator::Exactly, "=")];

    /// Its sign.
    #[must_use]
    pub fn sign(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// When the periods of reports begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportPeriod {
    /// What the regime is called.
    pub names: Names,
    /// The day of the month before on which a period begins: 15 makes the first quarter 15/12 to 14/3. 1: calendar
    /// periods.
    pub cut_off_day: u32,
}

/// The marks that a score gives for on-time rates and for apologies. Its numbers are decimals as [`Fraction::decimal`]
/// reads them, the bounds of its tiers in per cent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierTables {
    /// What the score is called.
    pub names: Names,
    /// The full marks of each criterion.
    pub full: Fraction,
    /// The tiers of the on-time rate, from the highest down.
    pub rate: Vec<Tier>,
    /// The tiers of the apologies in time.
    pub apology: Vec<Tier>,
}

impl TierTables {
    /// The tiers of the rate and those of the apologies, with their own full marks or with `full`.
    ///
    /// # Errors
    /// [`Unfit::Tiers`].
    pub fn with_full(&self, full: Option<Fraction>) -> Result<(Tiers, Tiers), Unfit> {
        let full = full.unwrap_or(self.full);
        let tiers = |of, tiers: &[Tier]| Tiers::new(full, tiers).map_err(|bad| Unfit::Tiers { of, bad });
        Ok((tiers("rate", &self.rate)?, tiers("apology", &self.apology)?))
    }
}

impl Rule {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> RuleKind {
        match self {
            Rule::Calendar(_) => RuleKind::Calendar,
            Rule::Unit(_) => RuleKind::Unit,
            Rule::Procedure(_) => RuleKind::Procedure,
            Rule::Apology(_) => RuleKind::Apology,
            Rule::Reason(_) => RuleKind::Reason,
            Rule::Definition(_) => RuleKind::Definition,
            Rule::Target(_) => RuleKind::Target,
            Rule::ReportPeriod(_) => RuleKind::ReportPeriod,
            Rule::Tiers(_) => RuleKind::Tiers,
        }
    }
}

impl Publication {
    /// A calendar as a publication.
    #[must_use]
    pub fn of_calendar(calendar: Calendar) -> Publication {
        let (code, effective_from) = (calendar.code.as_str().into(), calendar.effective_from);
        Publication { code, effective_from, rule: Rule::Calendar(calendar) }
    }

    /// Whether it can be applied.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), Unfit> {
        let dated = |from: Date, to: Date| if to < from { Err(Unfit::Reversed { from, to }) } else { Ok(()) };
        if self.code.trim().is_empty() || self.code.chars().any(char::is_control) || self.code.len() > MOST_BYTES {
            return Err(Unfit::Code);
        }
        match &self.rule {
            Rule::Calendar(calendar) => Ok(calendar.check()?),
            // Everything else has from it what it does not say itself.
            Rule::Unit(unit) if *self.code == *EVERY_UNIT && (unit.calendar.is_none() || unit.apology.is_none()) => {
                Err(Unfit::EveryUnit)
            }
            Rule::Unit(unit) => {
                let mut ranges = unit.parents.iter().filter_map(|p| Some((p.from?, p.to?)));
                ranges.try_for_each(|(from, to)| dated(from, to))
            }
            Rule::Target(target) => dated(target.from, target.to),
            Rule::Tiers(tables) => tables.with_full(None).map(|_| ()),
            Rule::ReportPeriod(period) if !(1..=28).contains(&period.cut_off_day) => Err(Unfit::CutOffDay),
            Rule::Definition(_) if DEFINITIONS.iter().any(|d| *d.id == *self.code) => Err(Unfit::BuiltInDefinition),
            // A promise that changes with every event is never decided for good.
            Rule::Definition(definition)
                if definition.cohort == Cohort::Decided && definition.judged == Judged::Latest =>
            {
                Err(Unfit::NeverDecided)
            }
            Rule::Procedure(_) | Rule::Apology(_) | Rule::Reason(_) | Rule::Definition(_) | Rule::ReportPeriod(_) => {
                Ok(())
            }
        }
    }
}

/// The longest code of a rule, in bytes.
const MOST_BYTES: usize = 200;

/// Why a rule cannot be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The calendar cannot be counted with.
    #[error(transparent)]
    Calendar(#[from] crate::calendar::CalendarError),
    /// Its code is blank, too long or not printable.
    #[error("a code has 1 to 200 bytes and no control characters")]
    Code,
    /// Its last day comes before its first.
    #[error("{to} comes before {from}")]
    Reversed {
        /// The first day.
        from: Date,
        /// The last.
        to: Date,
    },
    /// The day on which periods begin is not one that every month has.
    #[error("periods begin on a day from 1 to 28")]
    CutOffDay,
    /// A definition under the id of one that is built in.
    #[error("this definition is built in and stays as it is; publish under a name of its own")]
    BuiltInDefinition,
    /// `*` has to name what every unit follows.
    #[error("the unit * must name a calendar and an apology policy")]
    EveryUnit,
    /// The latest promise is never missed for good, so it cannot put a dossier into a period.
    #[error("the cohort `decided` needs the promise `first` or `current`")]
    NeverDecided,
    /// Tiers that cannot be gone through.
    #[error("{of}: {bad}")]
    Tiers {
        /// Which of the tables, by its name in files: `rate` or `apology`.
        of: &'static str,
        /// What is wrong with it.
        bad: BadTiers,
    },
}

/// The names of the choices of a definition, in files and requests.
pub mod choices {
    use super::{Cohort, ComparedBy, Judged, SecondSupplement};

    /// Which dossiers belong to a period.
    pub const COHORTS: [(Cohort, &str); 4] = [
        (Cohort::Processed, "processed"),
        (Cohort::Received, "received"),
        (Cohort::Returned, "returned"),
        (Cohort::Decided, "decided"),
    ];
    /// What is compared.
    pub const COMPARED_BY: [(ComparedBy, &str); 2] = [(ComparedBy::Date, "date"), (ComparedBy::Instant, "instant")];
    /// Which promise.
    pub const PROMISES: [(Judged, &str); 3] =
        [(Judged::Current, "current"), (Judged::First, "first"), (Judged::Latest, "latest")];
    /// What a second request for papers means.
    pub const SECOND_SUPPLEMENTS: [(SecondSupplement, &str); 3] = [
        (SecondSupplement::Ignored, "ignored"),
        (SecondSupplement::LateWhileWaiting, "late-while-waiting"),
        (SecondSupplement::LateAlways, "late-always"),
    ];
}
