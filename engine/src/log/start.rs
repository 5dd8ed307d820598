//! Opening a log from a place whose length and digest are known, such as a snapshot's, without reading what is before.
//!
//! What is before is proven by the chain as far as its digests go; only [`Log::open`] and `verify` read it again.

use super::{EventLog, Head, Log, LogError, Tip, Walk, frame};

/// Whether the log is the one with this first digest and had, at this length, this digest: the place where a start may
/// begin. Reads two frames.
///
/// # Errors
/// What the home says; [`LogError::Damaged`] if one of the two frames is.
pub fn has_been_at(home: &dyn EventLog, genesis: super::Digest, place: &Head) -> Result<bool, LogError> {
    let link = |position| match home.frames(position).next().transpose()? {
        Some((first, bytes)) => frame::link(first, &bytes).map(|link| Some((first, link))),
        None => Ok(None),
    };
    let Some(before) = place.length.checked_sub(1) else { return Ok(place.digest == genesis) };
    let begins = link(0)?.is_some_and(|(first, link)| first == 0 && link.previous == genesis);
    Ok(begins && link(before)?.is_some_and(|(_, link)| link.end == place.length && link.digest == place.digest))
}

impl Log {
    /// Opens the log and hands to `visit` only the records from `place` on, where it [has been](has_been_at).
    ///
    /// # Errors
    /// As [`Log::open`]; [`LogError::Damaged`], too, if it has not been at `place`.
    pub fn open_from(
        home: Box<dyn EventLog>,
        genesis: super::Digest,
        place: Head,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), LogError>,
    ) -> Result<Log, LogError> {
        if !has_been_at(&*home, genesis, &place)? {
            let what = "the log has not been where its reading was to begin".to_owned();
            return Err(LogError::Damaged { position: place.length, what });
        }
        let head = home.head_at_open();
        let mut walk = Walk::new(head, genesis);
        walk.tip = Tip { length: place.length, digest: place.digest };
        // A head behind that place is not met on the way.
        walk.head_seen = head.length < place.length && has_been_at(&*home, genesis, &head)?;
        walk.look_for_head();
        for stored in home.frames(place.length) {
            let (first, bytes) = stored?;
            if first < place.length {
                continue;
            }
            let records = walk.step(first, &bytes)?;
            for (position, record) in (first..walk.tip.length).zip(&records) {
                visit(position, record)?;
            }
        }
        walk.end()?;
        let tip = walk.tip;
        Ok(Log { home, tip: std::sync::Mutex::new(tip) })
    }
}
