//! The tree checks itself: imports point down, each neighbour is known in one place, no file grows too long.
//!
//! It reads the sources as text, without comments, strings and tests; which module is on which floor, it reads in
//! the documentation of `src/lib.rs`.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use source::{Source, paths, tokens, tree, without_tests};

/// The most lines of a file before its tests.
const MOST_LINES: usize = 600;

/// Which adapters know which, and why that is all right; all of them know the values of `config`.
const ACQUAINTED: [(&str, &str); 5] = [
    // What it leaves out is logged.
    ("storage", "telemetry"),
    // They speak HTTP.
    ("atlassian", "http"),
    ("notify", "http"),
    // A message holds a summary, and is rendered in its formats.
    ("notify", "output"),
    // The same events, from files.
    ("import", "atlassian"),
];

/// Crates that only one module knows.
const NEIGHBOURS: [(&str, &str); 3] = [
    ("reqwest", "http"),
    ("rusqlite", "storage"),
    ("sd_notify", "service"),
];

/// What values and arithmetic do without.
const OUTSIDE: [&str; 5] = ["tokio", "std::fs", "std::env", "std::net", "std::process"];

/// The crates, each with its sources.
const CRATES: [&str; 3] = ["src", "crates/core/src", "crates/simulator/src"];

/// The module of the crate's root that a path leads to, if it is a path of the crate; `*` for all of them.
fn target<'a>(source: &'a Source, path: &'a [String]) -> Option<&'a str> {
    let module = source.module();
    let ups = path.iter().take_while(|word| *word == "super").count();
    let next = |from: usize| path.get(from).map(String::as_str);
    match path.first()?.as_str() {
        "crate" => next(1),
        "pagewarden" if source.path == "main.rs" => next(1),
        // Further up than the file is deep: an inline module, whose own depth is not counted.
        "super" if ups >= module.len() => next(ups),
        "super" | "self" => module.first().copied(),
        _ => None,
    }
}

/// The floor of every module, as the documentation of the crate lists them: "1. ground: [`model`], ...".
fn floors(lib: &str) -> BTreeMap<String, usize> {
    let mut floors = BTreeMap::new();
    let mut floor = 0;
    for line in lib.lines().filter_map(|line| line.strip_prefix("//! ")) {
        match line.split_once(". ").map(|(number, _)| number.parse()) {
            Some(Ok(number)) => floor = number,
            _ if !line.starts_with("   ") => floor = 0,
            _ => {}
        }
        if floor > 0 {
            let names = line.split('`').skip(1).step_by(2);
            floors.extend(names.map(|name| (name.to_owned(), floor)));
        }
    }
    floors
}

/// Everything that is wrong with a tree, a sentence each.
fn wrong(sources: &[Source]) -> Vec<String> {
    let lib = sources
        .iter()
        .find(|source| source.path == "lib.rs")
        .unwrap();
    let floors = floors(&lib.text);
    let parsed: Vec<(&Source, Vec<String>, Vec<String>)> = sources
        .iter()
        .map(|source| {
            let (tokens, tests) = without_tests(&tokens(&source.text));
            (source, tokens, tests)
        })
        .collect();
    let test_modules: BTreeSet<String> = parsed
        .iter()
        .flat_map(|(source, _, tests)| {
            tests
                .iter()
                .map(|name| match name.trim_matches('"').strip_suffix(".rs") {
                    Some(file) => {
                        let folder = source
                            .path
                            .rsplit_once('/')
                            .map_or("", |(folder, _)| folder);
                        format!("{folder}/{file}")
                            .trim_start_matches('/')
                            .to_owned()
                    }
                    None => [source.module(), vec![name]].concat().join("/"),
                })
        })
        .collect();
    let mut wrong = Vec::new();
    for (source, tokens, _) in &parsed {
        let module = source.module();
        if (1..=module.len()).any(|depth| test_modules.contains(&module[..depth].join("/"))) {
            continue;
        }
        for path in paths(tokens) {
            wrong.extend(objection(source, &path, &floors));
        }
        wrong.extend(too_long(source));
    }
    // What looks up closes a circle too, and is named already.
    if wrong.is_empty() {
        wrong.extend(circles(&parsed, &test_modules));
    }
    let (declared, _) = without_tests(&tokens(&lib.text));
    for pair in declared.windows(2).filter(|pair| pair[0] == "mod") {
        if !floors.contains_key(&pair[1]) {
            wrong.push(format!("lib.rs: {} is on no floor", pair[1]));
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// Modules of the crate's root that import each other, each circle named once.
fn circles(
    parsed: &[(&Source, Vec<String>, Vec<String>)],
    test_modules: &BTreeSet<String>,
) -> Vec<String> {
    let mut knows: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (source, tokens, _) in parsed {
        let module = source.module();
        let Some(own) = module.first() else { continue };
        if (1..=module.len()).any(|depth| test_modules.contains(&module[..depth].join("/"))) {
            continue;
        }
        for path in paths(tokens) {
            if let Some(other) = target(source, &path).filter(|other| other != own) {
                knows.entry(own).or_default().insert(other.to_owned());
            }
        }
    }
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(next) = left.pop() {
            for other in knows.get(next.as_str()).into_iter().flatten() {
                if other == to {
                    return true;
                }
                if seen.insert(other.clone()) {
                    left.push(other.clone());
                }
            }
        }
        false
    };
    let mut found = Vec::new();
    for (own, others) in &knows {
        for other in others.iter().filter(|other| own < &other.as_str()) {
            if reaches(other, own) {
                found.push(format!("{own} and {other} import each other"));
            }
        }
    }
    found
}

/// What is wrong with a path in a source, if anything.
fn objection(source: &Source, path: &[String], floors: &BTreeMap<String, usize>) -> Option<String> {
    // The floor of the adapters, which do not know each other; below it, or without one, everything is pure.
    let adapters = ["http", "server"].iter().find_map(|name| floors.get(*name));
    let adapters = adapters.copied().unwrap_or(usize::MAX);
    let place = &source.path;
    // The crate itself, and the program around it, stand above all floors.
    let own = *source.module().first()?;
    let floor = *floors.get(own)?;
    let Some(target) = target(source, path) else {
        let written = path.join("::");
        let begins = |with: &str| written == with || written.starts_with(&format!("{with}::"));
        let stranger = NEIGHBOURS
            .iter()
            .find(|(name, home)| begins(name) && own != *home);
        if let Some((name, home)) = stranger {
            return Some(format!("{place}: only {home} knows {name}"));
        }
        let outside = OUTSIDE
            .iter()
            .find(|name| floor < adapters && begins(name))?;
        return Some(format!("{place}: {own} is pure and does without {outside}"));
    };
    if target == "*" {
        return Some(format!("{place}: takes in the whole crate"));
    }
    let other = *floors.get(target)?;
    if target == own {
        None
    } else if other > floor {
        Some(format!("{place}: {own} looks up to {target}"))
    } else if floor == adapters
        && other == adapters
        && target != "config"
        && !ACQUAINTED.contains(&(own, target))
    {
        Some(format!(
            "{place}: the adapter {own} knows the adapter {target}"
        ))
    } else {
        None
    }
}

/// Whether a file is too long before its tests.
fn too_long(source: &Source) -> Option<String> {
    let lines = source
        .text
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count();
    (lines > MOST_LINES).then(|| format!("{}: {lines} lines before its tests", source.path))
}

#[test]
fn imports_point_down_and_each_neighbour_is_known_in_one_place() {
    for (folder, known) in CRATES
        .into_iter()
        .zip(["main.rs", "lib.rs", "world/mod.rs"])
    {
        let tree = tree(folder);
        assert!(
            tree.iter().any(|source| source.path == known),
            "the sources of {folder} were not read"
        );
        assert_eq!(wrong(&tree), Vec::<String>::new(), "{folder}");
    }
}

#[test]
fn the_core_is_built_without_a_runtime_a_network_and_a_database() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let named: Vec<&str> = manifest["dependencies"]
        .as_table()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let few = [
        "chrono",
        "globset",
        "postcard",
        "rustc-hash",
        "serde",
        "sha2",
    ];
    assert_eq!(named, few);
}

/// A crate in which everything is as it should be.
fn sound() -> Vec<Source> {
    vec![
        Source::new(
            "lib.rs",
            "//! 1. ground: [`model`], [`time`]: values.\n//! 2. logic: [`detect`].\n//! 3. outside: [`config`], \
             [`http`],\n//!    [`notify`], [`storage`].\n//! 4. use cases: [`deliver`].\n//! 5. top: [`service`].\n//!\n\
             //! Not a floor: [`nothing`].\npub mod model; pub mod time; pub mod detect; pub mod config; pub mod http;\n\
             pub mod notify; pub mod storage; pub mod deliver; pub mod service;",
        ),
        Source::new(
            "main.rs",
            "use pagewarden::service; fn main() { service::run(std::env::args()) }",
        ),
        Source::new(
            "model/mod.rs",
            "use crate::time::Window; // crate::storage::Store\n",
        ),
        Source::new(
            "detect/mod.rs",
            "use super::model; /* crate::http /* reqwest::get */ */ mod one;",
        ),
        Source::new(
            "detect/one.rs",
            "use super::super::model::Event; fn f<'a>(s: &'a str) -> char { '\"' }",
        ),
        Source::new(
            "http/mod.rs",
            "use crate::config::Retry; use reqwest::{Client, redirect};",
        ),
        Source::new(
            "notify/mod.rs",
            "use crate::{config, http::{self, post}, model::Finding}; #[cfg(test)] mod kit;",
        ),
        Source::new(
            "notify/kit.rs",
            "use axum::Router; use crate::service::run;",
        ),
        Source::new(
            "storage/mod.rs",
            r##"const S: &str = "crate::http::x \" crate::http"; const R: &str = r#"" crate::http"#;"##,
        ),
        Source::new(
            "deliver.rs",
            "use super::{notify, storage}; #[cfg(test)] mod tests { use crate::service::x; }",
        ),
        Source::new(
            "service/loop.rs",
            "#[cfg(test)]\n#[path = \"loop_tests.rs\"]\nmod tests;",
        ),
        Source::new("service/loop_tests.rs", "use axum::Router;"),
        Source::new(
            "service/mod.rs",
            "use crate::deliver; fn notify() { sd_notify::notify(); tokio::x(); }",
        ),
    ]
}

#[test]
fn a_sound_crate_is_left_alone() {
    assert_eq!(wrong(&sound()), Vec::<String>::new());
}

/// Files that break a sound crate, and what is said of them.
const BREAKING: [(&str, &str, &str); 15] = [
    (
        "model/up.rs",
        "use crate::storage::Store;",
        "model/up.rs: model looks up to storage",
    ),
    (
        "model/deep.rs",
        "fn f() { crate::service::run() }",
        "model/deep.rs: model looks up to service",
    ),
    (
        "detect/up.rs",
        "use super::super::deliver::x;",
        "detect/up.rs: detect looks up to deliver",
    ),
    (
        "time.rs",
        "use super::detect;",
        "time.rs: time looks up to detect",
    ),
    (
        "time.rs",
        "pub fn now() { std::env::var(\"TZ\"); }",
        "time.rs: time is pure and does without std::env",
    ),
    (
        "model/a.rs",
        "use std::{io, fs::{self, File}};",
        "model/a.rs: model is pure and does without std::fs",
    ),
    (
        "detect/a.rs",
        "async fn f() { tokio::time::x().await }",
        "detect/a.rs: detect is pure and does without tokio",
    ),
    (
        "storage/b.rs",
        "use crate::{model::{A, B}, notify};",
        "storage/b.rs: the adapter storage knows the adapter notify",
    ),
    (
        "http/b.rs",
        "pub(crate) use crate::notify::X;",
        "http/b.rs: the adapter http knows the adapter notify",
    ),
    (
        "notify/c.rs",
        "use reqwest as r;",
        "notify/c.rs: only http knows reqwest",
    ),
    (
        "notify/d.rs",
        "type C = Vec<reqwest::Client>;",
        "notify/d.rs: only http knows reqwest",
    ),
    (
        "deliver.rs",
        "use {rusqlite::Connection, std::io};",
        "deliver.rs: only storage knows rusqlite",
    ),
    (
        "service/e.rs",
        "#[cfg(test)] use x::{y}; use reqwest::Client;",
        "service/e.rs: only http knows reqwest",
    ),
    (
        "deliver.rs",
        "use super::*;",
        "deliver.rs: takes in the whole crate",
    ),
    (
        "lib.rs",
        "//! 1. ground: [`model`].\npub mod extra;",
        "lib.rs: extra is on no floor",
    ),
];

#[test]
fn what_is_wrong_is_reported() {
    let long = "//\n".repeat(MOST_LINES + 1);
    let long = (
        "storage/long.rs",
        long.as_str(),
        "storage/long.rs: 601 lines before its tests",
    );
    for (path, text, expected) in BREAKING.into_iter().chain([long]) {
        let mut sources = sound();
        sources.retain(|source| source.path != path);
        sources.push(Source::new(path, text));
        assert_eq!(wrong(&sources), [expected], "{text}");
    }
}
