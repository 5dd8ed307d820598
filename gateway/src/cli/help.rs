//! clap in the language of whoever calls: `--help`, and what is said of a call that cannot be understood.
//!
//! English is what clap makes of the comments and of its own words. For another language the tree of commands is walked
//! once it is built, and every text of it is replaced from the catalogue ([`dunghen::messages::help`]); what clap writes
//! around them is hidden and written again. Errors are told by their kind and context. What clap does not let one
//! translate: the bounds of a number (`1..=10`), the words of a kind of error that has come after this was written, and
//! the colours of an error, which are left out.

use super::{Args, USAGE};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use dunghen::messages::{Lang, Text, Wrong, help, usage};
use std::error::Error;
use std::ffi::OsString;

/// Understands a call; if it asks for help, or makes no sense, says so and gives the exit code.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>, lang: Lang) -> Result<Args, u8> {
    let matches = command(lang).try_get_matches_from(args);
    matches.and_then(|mut matches| Args::from_arg_matches_mut(&mut matches)).map_err(|e| {
        match told(&e, lang) {
            Some(text) => eprintln!("{text}"),
            // Nothing more can be said if the terminal is gone.
            None => drop(e.print()),
        }
        if e.use_stderr() { USAGE } else { 0 }
    })
}

/// The tree of commands with its texts in a language.
fn command(lang: Lang) -> Command {
    let mut command = Args::command();
    if lang != Lang::FIRST {
        // Built first: clap adds arguments and commands of its own, and copies those that are global.
        command.build();
        command = translated(command, "", lang);
    }
    command
}

/// A command and those below it; `path` is where its texts stand in the catalogue.
fn translated(command: Command, path: &str, lang: Lang) -> Command {
    let [usage_heading, commands, arguments, options] = usage::headings().map(|text| text.into_lang(lang));
    let [any_options, any_command] = usage::placeholders().map(|text| text.into_lang(lang));
    let style = *command.get_styles().get_usage();
    let template = format!("{{about-with-newline}}\n{style}{usage_heading}:{style:#} {{usage}}\n\n{{all-args}}");
    let mut command = command.subcommand_help_heading(commands).subcommand_value_name(any_command);
    let how_to_call = command.render_usage().to_string();
    let how_to_call = how_to_call.trim_start_matches("Usage:").trim().replace("[OPTIONS]", &any_options);
    command = command.help_template(template).override_usage(how_to_call);
    if let Some(about) = help::vietnamese(path, "") {
        command = command.about(about);
    }
    command
        .mut_args(|arg| {
            let heading = if arg.is_positional() { &arguments } else { &options };
            let heading = heading.clone();
            // Under a heading of its own clap sorts what has a place by name, unless it is told the place.
            let place = arg.get_index().filter(|_| arg.is_positional());
            let arg = argument(arg, path, lang).help_heading(heading);
            match place {
                Some(place) => arg.display_order(place),
                None => arg,
            }
        })
        .mut_subcommands(|inner| {
            // Below `help`, or `report help`, stand the commands beside it once more.
            let path = below(path.strip_suffix("help").unwrap_or(path).trim_end(), inner.get_name());
            translated(inner, &path, lang)
        })
}

/// The path of a command below another.
fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path} {name}") }
}

/// An argument with its text, and behind it what clap would have written there.
fn argument(arg: Arg, path: &str, lang: Lang) -> Arg {
    let Some(text) = help::vietnamese(path, arg.get_id().as_str()) else { return arg };
    let mut notes = Vec::new();
    if let Some(name) = arg.get_env() {
        let now = std::env::var_os(name).unwrap_or_default();
        notes.push(usage::variable(&name.to_string_lossy(), &now.to_string_lossy()));
    }
    let values: Vec<(String, Option<&str>)> = arg
        .get_possible_values()
        .iter()
        .map(|value| {
            let name = value.get_name();
            (name.to_owned(), help::vietnamese(path, &format!("{}={name}", arg.get_id())))
        })
        .collect();
    if arg.get_action().takes_values() && !arg.get_default_values().is_empty() {
        let defaults: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
        notes.push(usage::default_value(&defaults.join(" ")));
    }
    let takes = arg.get_action().takes_values() && !values.is_empty();
    let names =
        takes.then(|| usage::possible_values(&values.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()));
    let line = |notes: &[Text]| notes.iter().map(|note| format!(" {}", note.in_lang(lang))).collect::<String>();
    let short = format!("{text}{}{}", line(&notes), line(names.as_slice()));
    // At length each value says what it means, if it does so in English.
    let meanings: Option<Vec<_>> =
        values.into_iter().map(|(name, means)| Some((name, means?.to_owned()))).collect::<Option<Vec<_>>>();
    let long = match meanings {
        Some(meanings) if takes => {
            let notes = if notes.is_empty() { String::new() } else { format!("\n\n{}", line(&notes).trim_start()) };
            format!("{text}\n\n{}{notes}", usage::values(&meanings).in_lang(lang))
        }
        _ => short.clone(),
    };
    arg.help(short).long_help(long).hide_env(true).hide_default_value(true).hide_possible_values(true)
}

/// What is said of an error; `None` if it is no error but help, or if clap says it itself.
fn told(error: &clap::Error, lang: Lang) -> Option<String> {
    if lang == Lang::FIRST || !error.use_stderr() {
        return None;
    }
    let text = what(error)?;
    let (before, more) = usage::frame();
    let mut said = format!("{}: {}", before.in_lang(lang), text.in_lang(lang));
    let values = strings(error, ContextKind::ValidValue);
    if !values.is_empty() {
        said.push_str(&format!("\n  {}", usage::possible_values(&values).in_lang(lang)));
    }
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue] {
        let names = strings(error, kind);
        if !names.is_empty() {
            said.push_str(&format!("\n\n  {}", usage::similar(&names).in_lang(lang)));
        }
    }
    if let Some(ContextValue::StyledStr(call)) = error.get(ContextKind::Usage) {
        let [heading, ..] = usage::headings();
        let call = call.to_string();
        let call = call.trim_start_matches("Usage:").trim();
        said.push_str(&format!("\n\n{}: {call}", heading.in_lang(lang)));
    }
    said.push_str(&format!("\n\n{}", more.in_lang(lang)));
    Some(said)
}

/// The texts of a piece of context, one or several.
fn strings(error: &clap::Error, kind: ContextKind) -> Vec<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text],
        Some(ContextValue::Strings(texts)) => texts.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The sentence about an error; `None` for a kind, or a context, that is not known here.
fn what(error: &clap::Error) -> Option<Text> {
    let arguments = strings(error, ContextKind::InvalidArg);
    let argument = arguments.first().copied();
    let value = strings(error, ContextKind::InvalidValue).first().copied();
    match error.kind() {
        ErrorKind::ArgumentConflict => {
            let argument = argument?;
            let other = strings(error, ContextKind::PriorArg);
            let twice = other == [argument];
            Some(usage::conflict(argument, if twice { &[] } else { &other }))
        }
        ErrorKind::InvalidValue if value?.is_empty() => Some(usage::value_missing(argument?)),
        ErrorKind::InvalidValue => Some(usage::bad_value(value?, argument?, None)),
        ErrorKind::ValueValidation => Some(usage::bad_value(value?, argument?, reason(error).as_ref())),
        ErrorKind::TooManyValues => Some(usage::value_unexpected(value?, argument?)),
        ErrorKind::UnknownArgument => Some(usage::unknown_argument(argument?)),
        ErrorKind::InvalidSubcommand => {
            let name = strings(error, ContextKind::InvalidSubcommand).first().copied();
            Some(usage::unknown_command(name?))
        }
        ErrorKind::MissingRequiredArgument if !arguments.is_empty() => Some(usage::missing(&arguments)),
        ErrorKind::MissingSubcommand => {
            Some(usage::command_missing(strings(error, ContextKind::InvalidSubcommand).first().copied()?))
        }
        ErrorKind::InvalidUtf8 => Some(usage::not_utf8()),
        _ => None,
    }
}

/// Why a value does not fit: what its parser said, in the catalogue's words where they are known.
fn reason(error: &clap::Error) -> Option<Text> {
    let source = error.source()?;
    if let Some(Wrong(text)) = source.downcast_ref::<Wrong>() {
        return Some(text.clone());
    }
    if source.is::<std::num::ParseIntError>() {
        return Some(usage::number());
    }
    // A number outside of its bounds comes as a sentence: "0 is not in 1..=10".
    let said = source.to_string();
    Some(match said.split_once(" is not in ") {
        Some((_, bounds)) => usage::within(bounds),
        None => usage::in_its_own_words(&said),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Every command, argument and value as the catalogue names it, with its English.
    fn walk(command: &Command, path: &str, found: &mut Vec<(String, String, String)>) {
        let text = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
        found.push((path.to_owned(), String::new(), text(command.get_about())));
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            // How clap says it when there is a longer help, and when there is none.
            let english = if id == "help" { "Print help".to_owned() } else { text(arg.get_help()) };
            found.push((path.to_owned(), id.to_owned(), english));
            for value in arg.get_possible_values().iter().filter(|v| v.get_help().is_some()) {
                found.push((path.to_owned(), format!("{id}={}", value.get_name()), text(value.get_help())));
            }
        }
        for inner in command.get_subcommands().filter(|_| !path.ends_with("help")) {
            walk(inner, &below(path, inner.get_name()), found);
        }
    }

    #[test]
    fn every_text_has_its_vietnamese_and_none_is_left_over() {
        let mut command = Args::command();
        command.build();
        let mut found = Vec::new();
        walk(&command, "", &mut found);
        assert!(found.len() > 100, "{} texts", found.len());
        let mut used: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for (path, id, english) in &found {
            assert!(!english.is_empty(), "{path:?} {id:?} has no English");
            assert!(
                help::vietnamese(path, id).is_some_and(|t| !t.is_empty()),
                "{path:?} {id:?} ({english}) is missing"
            );
            let own = help::HELP.iter().find(|(c, a, _)| c == path && a == id);
            let line = own.or_else(|| help::HELP.iter().find(|(c, a, _)| *c == "*" && a == id)).expect("line");
            used.entry((line.0, line.1)).or_default().push(english);
        }
        for (command, argument, text) in help::HELP {
            let english =
                used.get(&(*command, *argument)).unwrap_or_else(|| panic!("{command:?} {argument:?} is gone"));
            assert!(english.iter().all(|e| *e == english[0]), "{argument:?} means several things: {english:?}");
            assert!(!text.ends_with('.'), "clap cuts the full stop of a comment: {text}");
            let lines = help::HELP.iter().filter(|(c, a, _)| c == command && a == argument).count();
            assert_eq!(lines, 1, "{command:?} {argument:?} stands twice");
        }
    }

    #[test]
    fn nothing_of_claps_own_is_left_in_vietnamese() {
        fn pages(command: &mut Command, found: &mut Vec<String>) {
            found.push(command.render_long_help().to_string());
            found.push(command.render_help().to_string());
            command.get_subcommands_mut().for_each(|inner| pages(inner, found));
        }
        let mut found = Vec::new();
        pages(&mut command(Lang::Vi), &mut found);
        assert!(found.len() > 25);
        for page in found {
            assert!(page.contains("Cách dùng: dunghen"), "{page}");
            for word in [
                "Usage",
                "Options",
                "Commands",
                "Arguments",
                "[default",
                "[env",
                "ossible values",
                "Print",
                "OPTIONS",
                "COMMAND",
                "For ",
                "help of",
            ] {
                assert!(!page.contains(word), "{word} in\n{page}");
            }
        }
    }

    #[test]
    fn arguments_stand_in_the_order_of_the_call() {
        for (path, names) in [("rekey", ["<WRONG>", "<RIGHT>"]), ("rules show", ["<KIND>", "<CODE>"])] {
            let mut command = command(Lang::Vi);
            let mut inner = &mut command;
            for name in path.split(' ') {
                inner = inner.find_subcommand_mut(name).expect(name);
            }
            let page = inner.render_help().to_string();
            let (_, listed) = page.split_once("Đối số:").expect("a list of arguments");
            let [first, second] = names.map(|name| listed.find(name).expect(name));
            assert!(first < second, "{page}");
        }
    }

    #[test]
    fn english_is_claps_own() {
        let page = command(Lang::En).render_long_help().to_string();
        assert!(page.contains("Usage: dunghen [OPTIONS] <COMMAND>") && page.contains("Possible values:"), "{page}");
    }

    /// Calls that make no sense, and what is said of each: in Vietnamese ours, in English as clap has it.
    #[test]
    fn errors_of_a_call() {
        let said = |args: &[&str], lang: Lang| {
            let error = command(lang).try_get_matches_from(args).expect_err("an error");
            told(&error, lang).unwrap_or_else(|| error.to_string())
        };
        for (args, vi, en) in [
            (&["dunghen", "rate"][..], "lỗi: không có lệnh 'rate'", "error: unrecognized subcommand 'rate'"),
            (
                &["dunghen", "rates", "--bye", "x"],
                "không có tham số '--bye' ở đây",
                "unexpected argument '--bye' found",
            ),
            (
                &["dunghen", "rates", "--data"],
                "'--data <DIR>' cần một giá trị",
                "a value is required for '--data <DIR>'",
            ),
            (
                &["dunghen", "rates", "--format", "xml"],
                "[giá trị: table, json, csv]",
                "[possible values: table, json, csv]",
            ),
            (
                &["dunghen", "rates"],
                "thiếu các tham số bắt buộc:\n  <--data",
                "required arguments were not provided:\n  <--data",
            ),
            (
                &["dunghen", "rates", "--data", "a", "--data", "b"],
                "chỉ được dùng '--data <DIR>' một lần",
                "multiple times",
            ),
            (&["dunghen", "rates", "--data", "a", "--server", "b"], "cùng với '--server <URL>'", "cannot be used with"),
            (
                &["dunghen", "rates", "--data", "a", "--from", "x"],
                "cần một ngày như 2025-09-10",
                "expected a date such as",
            ),
            (&["dunghen", "rates", "--data", "a", "--by", "x"], "phải là một trong: unit", "expected one of unit"),
            (&["dunghen", "demo", "--seconds", "x"], "cần một số nguyên", "invalid digit"),
            (&["dunghen", "demo", "--seconds", "0"], "phải nằm trong khoảng 1..=3600", "0 is not in 1..=3600"),
            (&["dunghen", "serve", "--accept-clock=x"], "không nhận thêm giá trị 'x'", "unexpected value 'x'"),
        ] {
            let (in_vi, in_en) = (said(args, Lang::Vi), said(args, Lang::En));
            assert!(in_vi.contains(vi), "{args:?}\n{in_vi}");
            assert!(in_en.contains(en), "{args:?}\n{in_en}");
            for word in ["error", "For more", "Usage:", "OPTIONS", "tip:"] {
                assert!(!in_vi.contains(word), "{word} in\n{in_vi}");
            }
        }
    }
}
