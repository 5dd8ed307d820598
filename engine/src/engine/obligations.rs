//! Obligations with the reasons of their letters, which only the log holds.

use super::Engine;
use crate::dossier::Event;
use crate::log::LogError;
use crate::views::{ObligationItem, ObligationPage, ObligationQuery, Views};
use std::sync::Arc;

impl Engine {
    /// Lists obligations and forecasts, with the reasons of their letters.
    ///
    /// # Errors
    /// [`LogError`] if a letter cannot be read.
    pub fn obligations(&self, query: &ObligationQuery) -> Result<ObligationPage, LogError> {
        let views = self.shared.views();
        let mut page = views.obligations(query);
        let told_at = page.items.iter().map(|item| self.told_at(&views, item)).collect::<Result<Vec<_>, LogError>>()?;
        let rules = Arc::clone(views.rules());
        for (item, position) in page.items.iter_mut().zip(told_at) {
            let Some(position) = position else { continue };
            let event = match self.read(position)?.statement.event {
                Event::Corrected { replacement: Some(restated), .. } => restated.event,
                event => event,
            };
            if let Event::ApologySent { reason_code: Some(code), .. } = event {
                let day = self.shared.home.date(item.obligation.letter_at.unwrap_or(page.as_of));
                item.objective = rules.objective(&code, day);
                item.reason_code = Some(code);
            }
        }
        Ok(page)
    }

    /// Where the letter of an obligation was told as it stands.
    fn told_at(&self, views: &Views, item: &ObligationItem) -> Result<Option<u64>, LogError> {
        let Some(position) = item.obligation.answered_by else { return Ok(None) };
        match self.shared.codes.find_known(views, &item.dossier) {
            Some(row) if views.is_corrected(row) => {
                let known = self.history(views, row, &item.dossier)?;
                Ok(Some(known.map_or(position, |(dossier, _)| dossier.told_at(position))))
            }
            _ => Ok(Some(position)),
        }
    }
}
