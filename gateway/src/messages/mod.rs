//! Every text for people, in Vietnamese and English, side by side: the catalogue.
//!
//! A text is made here and nowhere else, as a [`Text`], by a function that takes what the text speaks of. So none can
//! exist in one language only, and none can miss an argument that the other has. The engine knows reasons, not texts; the
//! command line and the services know that they have something to say, and ask here how it is said. A test of the house
//! forbids to choose a language anywhere else.
//!
//! What is no text for people stays as it is in both: names of the contract, codes, paths, what a system or a library
//! said of its own. The English of `--help` stands in the comments of the arguments, where it is read with the code;
//! [`help`] has the Vietnamese, and a test holds both together.

pub mod calls;
pub mod commands;
pub mod directory;
pub mod dossier;
pub mod due;
pub mod format;
pub mod help;
pub mod import;
mod lang;
pub mod mapping;
pub mod questions;
mod refusals;
pub mod report;
pub mod rules;
pub mod tables;
pub mod targets;
pub mod usage;

pub use lang::{Lang, of_arguments};
pub use questions::why;
pub use refusals::{bad_question, damaged, internal, not_yet, overloaded, rejection, unavailable, violation};

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Text {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Text {
    fn new(vi: impl Into<String>, en: impl Into<String>) -> Text {
        Text { vi: vi.into(), en: en.into() }
    }

    /// The same in both: a name, a number, what a system said.
    fn same(text: impl std::fmt::Display) -> Text {
        Text::new(text.to_string(), text.to_string())
    }

    /// What differs by its form only, such as a number or a date.
    fn each(form: impl Fn(Lang) -> String) -> Text {
        Text::new(form(Lang::Vi), form(Lang::En))
    }

    /// Several texts as one.
    fn joined<'t>(texts: impl IntoIterator<Item = &'t Text>, between: &str) -> Text {
        let (vi, en): (Vec<&str>, Vec<&str>) = texts.into_iter().map(|t| (t.vi.as_str(), t.en.as_str())).unzip();
        Text::new(vi.join(between), en.join(between))
    }

    /// A text that came from elsewhere, in both languages already.
    #[must_use]
    pub fn from_elsewhere(vi: String, en: String) -> Text {
        Text { vi, en }
    }

    /// The text in one language.
    #[must_use]
    pub fn in_lang(&self, lang: Lang) -> &str {
        match lang {
            Lang::Vi => &self.vi,
            Lang::En => &self.en,
        }
    }

    /// The same, where the other is not needed any more.
    #[must_use]
    pub fn into_lang(self, lang: Lang) -> String {
        match lang {
            Lang::Vi => self.vi,
            Lang::En => self.en,
        }
    }

    /// A place, a name or a reason before what is said of it: `place: what`.
    #[must_use]
    pub fn before(&self, what: &Text) -> Text {
        Text::new(format!("{}: {}", self.vi, what.vi), format!("{}: {}", self.en, what.en))
    }
}

/// A text where Rust wants an error. It displays itself in English: whoever knows the language takes the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(pub Text);

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.en)
    }
}

impl std::error::Error for Wrong {}
