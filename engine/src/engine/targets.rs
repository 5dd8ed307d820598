//! Targets: which are in force, and each year judged by the views.

use super::Engine;
use crate::views::targets::{in_force, years};
use crate::views::{JudgedTarget, TargetQuery, TargetsAnswer};

impl Engine {
    /// Judges the targets in force, each in every year of its validity that has begun, and tells of those to come.
    ///
    /// Each year is counted under a lock of its own, so that the writer does not wait for all of them: a year says which
    /// position it has folded.
    #[must_use]
    pub fn targets(&self, query: &TargetQuery) -> TargetsAnswer {
        let (rules, home) = (self.rules(), self.zone());
        let as_of = query.as_of.as_of(&home);
        let (position, today) = (self.position(), home.date(as_of));
        let targets = in_force(&rules, query.code.as_deref(), today).map(|(version, target)| {
            let unit = query.unit.clone().or_else(|| target.unit.clone());
            let judged = |year| self.shared.views().target_year(target, unit.as_ref(), year, as_of);
            let years = years(target, today, query.year).map(judged).collect();
            let (code, version) = (version.publication.code.clone(), version.number);
            JudgedTarget { code, version, target: target.clone(), unit, years }
        });
        TargetsAnswer { targets: targets.collect(), position, as_of }
    }
}
