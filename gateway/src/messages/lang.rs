//! Which language somebody reads: from the arguments, the environment, or the metadata of a call.

use std::ffi::{OsStr, OsString};

/// A language that people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// Tiếng Việt.
    Vi,
    /// English.
    #[default]
    En,
}

impl Lang {
    /// All of them.
    pub const ALL: [Lang; 2] = [Lang::Vi, Lang::En];
    /// The one for whoever does not say.
    pub const FIRST: Lang = Lang::En;

    /// Its tag (BCP 47), as `LocalizedMessage` and `accept-language` have it.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Lang::Vi => "vi",
            Lang::En => "en",
        }
    }

    fn parse(tag: &str) -> Option<Lang> {
        Lang::ALL.into_iter().find(|lang| tag.eq_ignore_ascii_case(lang.tag()))
    }

    /// Of a locale such as `vi_VN.UTF-8`; English is also what everybody gets whose language is not here.
    #[must_use]
    pub fn of_locale(locale: &str) -> Lang {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        Lang::parse(language).unwrap_or_default()
    }

    /// Of the environment: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set and not empty.
    #[must_use]
    pub fn of_environment() -> Lang {
        let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).map_or_else(Lang::default, |l| Lang::of_locale(&l))
    }

    /// The language that an `accept-language` field (RFC 9110, section 12.5.4) prefers; English if it wants neither.
    ///
    /// A range such as `vi-VN` asks for Vietnamese. `*` stands for what is not named. Of two that are wanted equally the
    /// one that is named wins, then the one that stands first. What is malformed is passed over.
    #[must_use]
    pub fn accepted(field: &str) -> Lang {
        // By language: its weight in thousandths and its place in the list.
        let mut named: [Option<(u16, usize)>; 2] = [None; 2];
        let mut others: Option<u16> = None;
        for (place, element) in field.split(',').enumerate() {
            let mut parts = element.split(';');
            let range = parts.next().unwrap_or_default().trim();
            let weight = match (parts.next(), parts.next()) {
                (None, _) => Some(1000),
                (Some(weight), None) => weight_of(weight),
                (Some(_), Some(_)) => None,
            };
            let Some(weight) = weight else { continue };
            if range == "*" {
                others = others.max(Some(weight));
                continue;
            }
            let language = range.split('-').next().unwrap_or_default();
            for (lang, slot) in Lang::ALL.into_iter().zip(&mut named) {
                let better = slot.is_none_or(|(known, _)| weight > known);
                if language.eq_ignore_ascii_case(lang.tag()) && better {
                    *slot = Some((weight, place));
                }
            }
        }
        let wish = |(lang, slot): (Lang, Option<(u16, usize)>)| {
            let (weight, place) = slot.or(others.map(|weight| (weight, usize::MAX)))?;
            (weight > 0).then_some((std::cmp::Reverse(weight), place, lang != Lang::default(), lang))
        };
        let wishes = Lang::ALL.into_iter().zip(named).filter_map(wish);
        wishes.min_by_key(|(weight, place, other, _)| (*weight, *place, *other)).map_or_else(Lang::default, |w| w.3)
    }
}

/// The weight of an element, `q=0.8`, in thousandths; `None` if it is malformed.
fn weight_of(text: &str) -> Option<u16> {
    let (name, value) = text.trim().split_once('=')?;
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let wrong = !name.eq_ignore_ascii_case("q") || part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit());
    if wrong || !["0", "1"].contains(&whole) {
        return None;
    }
    let thousandths = format!("{whole}{part:0<3}").parse().ok()?;
    (thousandths <= 1000).then_some(thousandths)
}

/// The language of a call of the command line, before its arguments are understood: `--lang`, then `DUNGHEN_LANG`, then
/// that of the environment. A wrong value is told later, in the language that this finds.
#[must_use]
pub fn of_arguments(args: impl IntoIterator<Item = OsString>) -> Lang {
    let args = args.into_iter().map(|a| a.to_string_lossy().into_owned()).take_while(|a| a != "--");
    let args: Vec<String> = args.collect();
    let apart =
        args.iter().zip(args.iter().skip(1)).filter(|(flag, _)| *flag == "--lang").map(|(_, value)| value.as_str());
    let joined = args.iter().filter_map(|a| a.strip_prefix("--lang="));
    let said = apart.chain(joined).find_map(Lang::parse);
    let of_variable = || std::env::var_os("DUNGHEN_LANG").as_deref().and_then(OsStr::to_str).and_then(Lang::parse);
    said.or_else(of_variable).unwrap_or_else(Lang::of_environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales() {
        for vi in ["vi", "vi_VN", "vi_VN.UTF-8", "VI-vn", "vi@x"] {
            assert_eq!(Lang::of_locale(vi), Lang::Vi, "{vi}");
        }
        for en in ["", "C", "C.UTF-8", "en_US.UTF-8", "vim", "fr_FR"] {
            assert_eq!(Lang::of_locale(en), Lang::En, "{en}");
        }
    }

    #[test]
    fn what_a_field_prefers() {
        for vi in [
            "vi",
            "VI",
            "vi-VN",
            "vi-VN,vi;q=0.9,en;q=0.8",
            "en;q=0.5, vi;q=0.501",
            "en;q=0.8 , vi ; q=0.9",
            "fr, vi;q=0.1",
            "vi, en",
            "*, vi",
            "en;q=0, *",
            "en;q=0.2, *;q=0.3",
            "vi;q=0.1, vi-VN, en;q=0.9",
            "en;q=2, vi;q=0.1",
            "en;q=0.1234, vi;q=0.1",
            "en;q=1;q=1, vi;q=1.000",
            ", ,vi",
        ] {
            assert_eq!(Lang::accepted(vi), Lang::Vi, "{vi}");
        }
        for en in [
            "",
            "en",
            "en-GB",
            "*",
            "fr",
            "fr, *;q=0.1",
            "vi;q=0",
            "vi;q=0, en;q=0",
            "en, vi",
            "vi;q=0.5, en;q=0.5001, en;q=0.6",
            "vi;q=0.5, *",
            "vim",
            "vietnamese",
            "vi;q=",
            "vi;q=-1",
            "vi;level=1",
            "vi;q=1.001",
            "vi_VN",
        ] {
            assert_eq!(Lang::accepted(en), Lang::En, "{en}");
        }
    }

    #[test]
    fn arguments_come_first() {
        let of = |args: &[&str]| of_arguments(args.iter().map(OsString::from));
        assert_eq!(of(&["dunghen", "rates", "--lang", "vi"]), Lang::Vi);
        assert_eq!(of(&["dunghen", "--lang=vi", "rates"]), Lang::Vi);
        assert_eq!(of(&["dunghen", "--lang=en", "rates"]), Lang::En);
        assert_eq!(of(&["dunghen", "--lang"]), of(&["dunghen"]));
        assert_eq!(of(&["dunghen", "--", "--lang=vi"]), of(&["dunghen"]));
    }
}
