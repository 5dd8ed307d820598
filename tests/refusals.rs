//! Everything that is refused, with its reason.
