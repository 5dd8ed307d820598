//! What official reports are made of: periods by name, their texts, the tiers of a file, the form as a spreadsheet.
//!
//! Knows the messages of the schemas and no engine, no server and no arguments: whoever has an answer can make a form
//! of it.

pub mod period;
pub mod sheet;
pub mod texts;
pub mod tiers;

/// Whether a spreadsheet would take a text for a formula.
#[must_use]
pub fn looks_like_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}
