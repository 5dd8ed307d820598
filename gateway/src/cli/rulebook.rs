//! `dunghen rules`: the versions of rules as they were published, and what changed between two of them.

use super::ask::{cell, due_text};
use super::{Failure, Format, Target, format_or_default, moment, output};
use dunghen::messages::{Lang, Text, Wrong, rules as say, usage};
use dunghen::source::Source;
use dunghen::{json, pb, rules, wire};
use dunghen_engine::rules::{Publication, RuleKind};
use dunghen_engine::time::{Date, Moment, Zone};
use serde_json::json as value;

/// Beyond so many pairs of lines two texts are not compared line by line: nobody would read the answer.
const MOST_PAIRS: usize = 4_000_000;

#[derive(clap::Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// List versions of rules, those that are built in among them.
    List(ListArgs),
    /// Show a version as it stands in a file of rules.
    Show(ShowArgs),
    /// Compare two versions line by line.
    Diff(DiffArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    target: Target,
    /// Only calendar, unit, procedure, apology, reason, definition, target, report_period or tiers.
    #[arg(long, value_parser = kind)]
    kind: Option<String>,
    /// Only the versions in force for what is received on this day.
    #[arg(long, value_name = "T", value_parser = moment)]
    as_of: Option<Moment>,
    /// How to print the answer.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(clap::Args)]
struct Which {
    /// calendar, unit, procedure, apology, reason, definition, target, report_period or tiers.
    #[arg(value_parser = kind)]
    kind: String,
    /// The code of the rule.
    code: String,
    #[command(flatten)]
    target: Target,
}

#[derive(clap::Args)]
struct ShowArgs {
    #[command(flatten)]
    which: Which,
    /// The number of the version, 0 for one that is built in [default: the newest].
    #[arg(long, value_name = "N")]
    version: Option<u32>,
    /// How to print the answer.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(clap::Args)]
struct DiffArgs {
    #[command(flatten)]
    which: Which,
    /// The number of the older version [default: the newest but one].
    #[arg(long, value_name = "N")]
    from: Option<u32>,
    /// The number of the newer version [default: the newest].
    #[arg(long, value_name = "N")]
    to: Option<u32>,
    /// How to print the answer.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

fn kind(text: &str) -> Result<String, Wrong> {
    let names = RuleKind::ALL.map(|(_, name)| name);
    RuleKind::parse(text).map(|kind| kind.name().to_owned()).ok_or_else(|| Wrong(usage::one_of(&names)))
}

pub(super) async fn run(args: RulesArgs, lang: Lang) -> Result<u8, Failure> {
    match args.what {
        What::List(args) => list(args, lang).await,
        What::Show(args) => show(args, lang).await,
        What::Diff(args) => diff(args, lang).await,
    }
}

async fn ask(source: &Source, request: pb::ListRulesRequest) -> Result<pb::ListRulesResponse, Failure> {
    source.list_rules(request).await.map_err(|s| Failure::status(&s))
}

/// The version of a rule that is in force on a day, and its number.
pub(super) async fn in_force(
    source: &Source,
    kind: RuleKind,
    code: &str,
    day: Date,
    min_position: u64,
) -> Result<(Publication, u32), Failure> {
    let kind_name = kind.name().to_owned();
    let of_kind = pb::ListRulesRequest { kind: kind_name, min_position, ..pb::ListRulesRequest::default() };
    let as_of = Some(wire::time_point(Moment::Date(day)));
    let request = pb::ListRulesRequest { code: code.to_owned(), as_of, ..of_kind.clone() };
    if let Some(version) = ask(source, request).await?.rules.pop() {
        let read = rules::Rules::parse(text(&version)).map_err(|fault| Failure::failed(fault.text()))?;
        let publication = read.publications.into_iter().next().ok_or_else(|| Failure::defect(text(&version)))?;
        return Ok((publication, number(&version)));
    }
    // What is there instead: later versions of this code, or other codes.
    let known: Vec<pb::Published> = ask(source, of_kind).await?.rules.into_iter().filter_map(|v| v.rule).collect();
    let later = known.iter().filter(|rule| rule.code == code).map(|rule| rule.effective_from.as_str()).min();
    let mut codes: Vec<&str> = known.iter().map(|rule| rule.code.as_str()).collect();
    codes.dedup();
    Err(Failure::usage(match later {
        Some(first) => say::not_yet_in_force(kind.name(), code, day, first),
        None => say::unknown_code(kind.name(), code, &codes),
    }))
}

const FIELDS: [&str; 9] =
    ["kind", "code", "version", "effective_from", "built_in", "position", "recorded_at", "name_vi", "name_en"];

async fn list(args: ListArgs, lang: Lang) -> Result<u8, Failure> {
    let source = args.target.ask(lang).await?;
    let request = pb::ListRulesRequest {
        kind: args.kind.unwrap_or_default(),
        as_of: args.as_of.map(wire::time_point),
        ..pb::ListRulesRequest::default()
    };
    let answer = ask(&source, request).await?;
    match format_or_default(args.format) {
        Format::Json => output::json(&json::rules(&answer))?,
        Format::Csv => {
            let rows = answer.rules.iter().map(json::rule);
            output::csv(&FIELDS, rows.map(|row| FIELDS.iter().map(|name| cell(&row, name)).collect()).collect())?;
        }
        Format::Table => {
            let zone = Zone::parse(&answer.time_zone).unwrap_or(Zone::UTC);
            let header = output::header(say::list_header(), lang);
            let rows = answer.rules.iter().map(|version| {
                let rule = version.rule.clone().unwrap_or_default();
                let recorded = match version.built_in {
                    true => say::built_in().into_lang(lang),
                    false => due_text(version.recorded_at.as_ref(), "", &zone, lang),
                };
                let (vi, en) = (&version.name_vi, &version.name_en);
                let name = Text::from_elsewhere(vi.clone(), if en.is_empty() { vi } else { en }.clone());
                vec![
                    say::kind_name(&rule.kind).into_lang(lang),
                    rule.code,
                    rule.version.to_string(),
                    effective_from(&rule.effective_from, &zone, lang),
                    recorded,
                    name.into_lang(lang),
                ]
            });
            output::line(&output::table(&header, header.len(), &rows.collect::<Vec<_>>()))?;
        }
    }
    Ok(0)
}

/// The day from which a version counts; nothing where it always did, as the definitions that every directory has.
fn effective_from(day: &str, zone: &Zone, lang: Lang) -> String {
    if Date::parse(day) == Some(Date::EARLIEST) { String::new() } else { due_text(None, day, zone, lang) }
}

/// All versions of a rule, of which there is one at least.
async fn versions(which: &Which, lang: Lang) -> Result<Vec<pb::RuleVersion>, Failure> {
    let source = which.target.ask(lang).await?;
    let request =
        pb::ListRulesRequest { kind: which.kind.clone(), code: which.code.clone(), ..pb::ListRulesRequest::default() };
    let rules = ask(&source, request).await?.rules;
    match rules.is_empty() {
        true => Err(Failure::failed(say::no_such_rule(&which.kind, &which.code))),
        false => Ok(rules),
    }
}

fn number(version: &pb::RuleVersion) -> u32 {
    version.rule.as_ref().map_or(0, |rule| rule.version)
}

fn text(version: &pb::RuleVersion) -> &str {
    version.rule.as_ref().map_or("", |rule| &rule.text)
}

/// The place of a version among all of its rule.
fn place(versions: &[pb::RuleVersion], which: &Which, wanted: u32) -> Result<usize, Failure> {
    versions.iter().rposition(|v| number(v) == wanted).ok_or_else(|| {
        let known: Vec<String> = versions.iter().map(|v| number(v).to_string()).collect();
        Failure::failed(say::no_such_version(&which.kind, &which.code, wanted, &known.join(", ")))
    })
}

async fn show(args: ShowArgs, lang: Lang) -> Result<u8, Failure> {
    let versions = versions(&args.which, lang).await?;
    let at = match args.version {
        Some(wanted) => place(&versions, &args.which, wanted)?,
        None => versions.len() - 1,
    };
    let version = &versions[at];
    match format_or_default(args.format) {
        Format::Json => output::json(&json::rule(version))?,
        Format::Csv => {
            let row = json::rule(version);
            output::csv(&FIELDS, vec![FIELDS.iter().map(|name| cell(&row, name)).collect()])?;
        }
        // As it stands in a file: it can be changed and published again.
        Format::Table => output::bytes(text(version).as_bytes())?,
    }
    Ok(0)
}

async fn diff(args: DiffArgs, lang: Lang) -> Result<u8, Failure> {
    let which = &args.which;
    let versions = versions(which, lang).await?;
    let to = match args.to {
        Some(wanted) => place(&versions, which, wanted)?,
        None => versions.len() - 1,
    };
    let from = match args.from {
        Some(wanted) => place(&versions, which, wanted)?,
        None => to
            .checked_sub(1)
            .ok_or_else(|| Failure::failed(say::one_version(&which.kind, &which.code, number(&versions[to]))))?,
    };
    let (from, to) = (&versions[from], &versions[to]);
    let lines = compare(text(from), text(to));
    match format_or_default(args.format) {
        Format::Json => {
            let lines: Vec<_> = lines.iter().map(|(sign, text)| value!({"sign": sign, "text": text})).collect();
            output::json(&value!({
                "kind": which.kind, "code": which.code, "from": number(from), "to": number(to), "lines": lines,
            }))?;
        }
        Format::Csv => {
            let rows = lines.iter().map(|(sign, text)| vec![(*sign).to_owned(), (*text).to_owned()]);
            output::csv(&["sign", "text"], rows.collect())?;
        }
        Format::Table => {
            let head = |version| say::version(&which.kind, &which.code, number(version)).into_lang(lang);
            output::line(&format!("--- {}\n+++ {}", head(from), head(to)))?;
            if lines.iter().all(|(sign, _)| *sign == " ") {
                return output::say(&say::no_difference(), lang).map(|()| 0);
            }
            for (sign, text) in lines {
                output::line(&format!("{sign} {text}"))?;
            }
        }
    }
    Ok(0)
}

/// The lines of both texts in order: `-` stands in the first alone, `+` in the second alone, a space in both.
fn compare<'t>(from: &'t str, to: &'t str) -> Vec<(&'static str, &'t str)> {
    let (mut a, mut b): (Vec<&str>, Vec<&str>) = (from.lines().collect(), to.lines().collect());
    let head = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let same: Vec<&str> = a.drain(..head).collect();
    b.drain(..head);
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let end = a.split_off(a.len() - tail);
    b.truncate(b.len() - tail);
    let mut lines: Vec<(&str, &str)> = same.into_iter().map(|line| (" ", line)).collect();
    lines.extend(between(&a, &b));
    lines.extend(end.into_iter().map(|line| (" ", line)));
    lines
}

/// The same, of texts that begin and end differently: by the longest sequence of lines that both have.
fn between<'t>(a: &[&'t str], b: &[&'t str]) -> Vec<(&'static str, &'t str)> {
    let removed = a.iter().map(|line| ("-", *line));
    let added = b.iter().map(|line| ("+", *line));
    if a.is_empty() || b.is_empty() || a.len().saturating_mul(b.len()) > MOST_PAIRS {
        return removed.chain(added).collect();
    }
    // How many lines the rests from i and j on have in common.
    let wide = b.len() + 1;
    let mut common = vec![0_u32; (a.len() + 1) * wide];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let (down, right) = (common[(i + 1) * wide + j], common[i * wide + j + 1]);
            common[i * wide + j] = if a[i] == b[j] { common[(i + 1) * wide + j + 1] + 1 } else { down.max(right) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push((" ", a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || i < a.len() && common[(i + 1) * wide + j] >= common[i * wide + j + 1] {
            lines.push(("-", a[i]));
            i += 1;
        } else {
            lines.push(("+", b[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn lines_that_both_have_stand_once() {
        let said = |from: &str, to: &str| -> String {
            compare(from, to).iter().map(|(sign, text)| format!("{sign}{text} ")).collect()
        };
        assert_eq!(said("a\nb\nc", "a\nb\nc"), " a  b  c ");
        assert_eq!(said("a\nb\nc", "a\nx\nc"), " a -b +x  c ");
        assert_eq!(said("a\nb\nc\nd", "b\nd\ne"), "-a  b -c  d +e ");
        assert_eq!(said("", "a"), "+a ");
        assert_eq!(said("a\na", "a"), " a -a ");
        // Far apart, and too long to be compared line by line: all of the one, then all of the other.
        let (old, new): (Vec<String>, Vec<String>) = (0..2100).map(|n| (format!("o{n}"), format!("n{n}"))).unzip();
        let lines = said(&old.join("\n"), &new.join("\n"));
        assert!(lines.starts_with("-o0 -o1 ") && lines.ends_with("+n2099 "));
    }
}
