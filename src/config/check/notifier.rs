//! `[[notifier]]`: what every notifier has is read here, the rest by the code of its kind.

use std::path::Path;

use toml::de::DeValue;

use super::{Once, secret};
use crate::config::notifier::{Notifier, NotifierKind, NotifierTable};
use crate::config::problem::{Report, nearest, shown};
use crate::config::raw::{self, Section};
use crate::config::values;
use pagewarden_core::model::Severity;

/// The types that are known by name and may come in a later version.
const LATER: &[&str] = &[
    "slack",
    "teams",
    "pagerduty",
    "email",
    "syslog",
    "splunk-hec",
    "elasticsearch",
    "jira",
    "file",
    "stdout",
];

/// Every notifier that could be read.
pub(super) fn all(root: &Section<'_>, folder: &Path, report: &mut Report<'_>) -> Vec<Notifier> {
    let mut names = Once::default();
    let sections = root.tables("notifier", "notifier", report);
    sections
        .iter()
        .filter_map(|section| one(section, folder, &mut names, report))
        .collect()
}

/// One notifier.
fn one(
    section: &Section<'_>,
    folder: &Path,
    names: &mut Once,
    report: &mut Report<'_>,
) -> Option<Notifier> {
    let name = section.need("name", "\"soc\"", report, |value| {
        values::name(value, "_.-")
    });
    if let Some(name) = &name {
        names.note("this name", name, section, "name", report);
    }
    let kinds = report.kinds();
    let example = kinds
        .first()
        .map(|kind| format!("\"{}\"", kind.name()))
        .unwrap_or_default();
    let kind = section.need("type", &example, report, |value| kind_of(value, kinds));
    let keys = keys(kind, kinds);
    let section = &section.with_keys(&keys);
    // A type that is not here has settings that are not known here.
    if kind.is_some() || section.get("type").is_none() {
        for (key, span, _) in section.entries() {
            if let Some(what) = section.unknown(key, kinds) {
                report.push(span.start, section.key(key), what);
            }
        }
    }
    let settings = if let Some(kind) = kind {
        kind.read(&mut NotifierTable::new(section, folder, report))
    } else {
        secrets(section, folder, report);
        None
    };
    let min_severity = section
        .take("min_severity", report, values::severity)
        .unwrap_or(Severity::Medium);
    section.take("include_titles", report, without_titles);
    Some(Notifier {
        name: name?,
        kind: kind?.name(),
        settings: settings?,
        min_severity,
    })
}

/// The keys of a notifier in the order of the documentation; those of every kind, where its own is not known.
fn keys(
    kind: Option<&'static dyn NotifierKind>,
    kinds: &[&'static dyn NotifierKind],
) -> Vec<&'static str> {
    let mut keys = vec!["name", "type"];
    let of_kinds = kinds
        .iter()
        .filter(|each| kind.is_none_or(|kind| kind.name() == each.name()))
        .flat_map(|each| each.keys());
    for key in of_kinds {
        if !keys.contains(&key.name) {
            keys.push(key.name);
        }
    }
    keys.extend(["min_severity", "include_titles"]);
    keys
}

/// Looks at what is a secret for some kind, so that one that stands in the config is found whatever `type` says.
fn secrets(section: &Section<'_>, folder: &Path, report: &mut Report<'_>) {
    let keys = report.kinds().iter().flat_map(|kind| kind.keys());
    for key in keys.filter(|key| key.secret) {
        secret::take(section, key.name, folder, report);
    }
}

/// The kind of a notifier, as far as this version has it.
fn kind_of(
    value: &DeValue<'_>,
    kinds: &[&'static dyn NotifierKind],
) -> Result<&'static dyn NotifierKind, String> {
    let word = values::text(value)?;
    if let Some(kind) = kinds.iter().find(|kind| kind.name() == word) {
        return Ok(*kind);
    }
    let here: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let later: Vec<&str> = LATER
        .iter()
        .copied()
        .filter(|word| !here.contains(word))
        .collect();
    if later.contains(&word) {
        let (here, later) = (raw::list(&here), raw::list(&later));
        return Err(format!(
            "`{word}` is not supported in this version, which has {here} only; planned for later: {later}"
        ));
    }
    let word = shown(word);
    let known = here.iter().chain(&later).copied();
    Err(match nearest(&word, known) {
        Some(meant) => format!(
            "`{word}` is not a type of notifier; did you mean `{meant}`? There is {}",
            raw::list(&here)
        ),
        None => format!(
            "`{word}` is not a type of notifier; there is {}",
            raw::list(&here)
        ),
    })
}

/// The setting that can only be off.
fn without_titles(value: &DeValue<'_>) -> Result<(), String> {
    if values::switch(value)? {
        return Err("must be false: page titles are not stored, so none can be sent".into());
    }
    Ok(())
}
