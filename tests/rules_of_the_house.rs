//! Rules about the source itself, so that they hold without anybody watching.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The longest file: beyond this it no longer fits in a head.
const LINES: usize = 900;
/// Rooms that read no clock, file, lock or thread.
const PURE: [&str; 6] = ["time", "calendar", "dossier", "rules", "record", "views"];
const IMPURE: [&str; 7] = ["std::fs", "std::thread", "SystemTime", "Instant::now", "Mutex", "RwLock", "std::net"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["engine", "gateway", "benches", "tests"] {
        walk(&root().join(folder), &mut found);
    }
    assert!(found.len() > 40, "the sources were not found");
    found
}

/// The room of a file of the engine: the first part of its path below `src`.
fn room(path: &Path) -> Option<String> {
    let below = path.strip_prefix(root().join("engine/src")).ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned()).filter(|r| r != "lib")
}

#[test]
fn every_file_says_what_it_is_and_fits_in_a_head() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!"), "{} does not say what it is", path.display());
        let lines = text.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines", path.display());
    }
}

/// The table of ARCHITECTURE.md: room, and the rooms it may use (`all` for every one).
fn table() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let code = |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    page.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, room, _, uses, _] = cells.as_slice() else { return None };
            let name = code(room).into_iter().next()?;
            Some((name, (*uses != "all").then(|| code(uses))))
        })
        .collect()
}

#[test]
fn rooms_use_only_the_rooms_they_may() {
    let table = table();
    let mut checked = 0;
    for (path, text) in sources() {
        let Some(room) = room(&path) else { continue };
        let allowed = table.get(&room).unwrap_or_else(|| panic!("{room} is not in the table of ARCHITECTURE.md"));
        let Some(allowed) = allowed else { continue };
        for used in text.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let fine = used == room || allowed.contains(&used) || used.starts_with("Engine");
            assert!(fine || !table.contains_key(&used), "{} uses {used}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} uses were seen");
}

#[test]
fn pure_rooms_are_pure() {
    let mut checked = 0;
    for (path, text) in sources() {
        if room(&path).is_none_or(|r| !PURE.contains(&r.as_str())) {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in IMPURE {
            assert!(!code.contains(word), "{} uses {word}", path.display());
        }
        checked += 1;
    }
    assert!(checked >= 10);
}

/// The engine knows no network and no async runtime.
#[test]
fn the_engine_depends_on_no_network() {
    let manifest = std::fs::read_to_string(root().join("engine/Cargo.toml")).unwrap();
    for word in ["tonic", "tokio", "axum", "clap", "serde"] {
        assert!(!manifest.contains(word), "engine/Cargo.toml names {word}");
    }
}

/// Texts for people stand in one catalogue: nothing else chooses a language, and the lines of tests do not count.
#[test]
fn languages_are_chosen_in_the_catalogue_alone() {
    let (gateway, catalogue) = (root().join("gateway/src"), root().join("gateway/src/messages"));
    let (mut checked, mut chosen) = (0, 0);
    for (path, text) in sources().into_iter().filter(|(path, _)| path.starts_with(&gateway)) {
        let code = text.split("#[cfg(test)]").next().unwrap();
        let choices = code.matches("Lang::Vi").count() + code.matches("Lang::En").count();
        if path.starts_with(&catalogue) {
            chosen += choices;
        } else {
            assert_eq!(choices, 0, "{} chooses a language; let gateway/src/messages do it", path.display());
            checked += 1;
        }
    }
    assert!(checked > 20 && chosen > 10, "{checked} files, {chosen} choices");
}

/// A directory that is opened without the rules it began with would reckon other dues, so one function names them all.
#[test]
fn engines_are_opened_with_the_rules() {
    let (mut opened, mut checked) = (0, 0);
    for (path, text) in sources() {
        let outside = ["gateway", "benches", "tests"].iter().any(|folder| path.starts_with(root().join(folder)));
        if !outside || path.ends_with("rules_of_the_house.rs") {
            continue;
        }
        opened += text.matches("Engine::open(").count() + text.matches("Engine::over(").count();
        let allowed = usize::from(path.ends_with("gateway/src/rules/mod.rs"));
        let files = text.matches("OpenOptions::new(").count();
        let made = text.matches("Options::new(").count() - files;
        assert_eq!(made, allowed, "{}: take rules::options", path.display());
        checked += 1;
    }
    assert!(checked > 20 && opened > 4, "{checked} files, {opened} engines");
}

/// The tree in the README is the real one.
#[test]
fn the_readme_names_what_is_there() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let hidden = name.starts_with('.') || name.starts_with("LICENSE");
        let generated =
            ["target", "Cargo.lock", "clippy.toml", "rustfmt.toml", "node_modules"].contains(&name.as_str());
        assert!(hidden || generated || readme.contains(&name), "README.md does not name {name}");
    }
}
