//! What official reports are made of: periods by name, the form as a spreadsheet.
//!
//! Knows the messages of the schemas and no engine, no server and no arguments: whoever has an answer can make a form
//! of it. Their texts are the catalogue's; those of the form on paper, Vietnamese by law, stand with the sheet.

pub mod period;
pub mod sheet;

/// Whether a spreadsheet would take a text for a formula.
#[must_use]
pub fn looks_like_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}
