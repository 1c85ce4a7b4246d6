//! `[[notifier]]`.

use std::path::Path;

use toml::de::DeValue;

use super::{Once, secret};
use crate::config::problem::{Report, nearest, shown};
use crate::config::raw::{self, Section};
use crate::config::{Notifier, NotifierKind, values};
use pagewarden_core::model::Severity;

/// The types that this version has.
const HERE: &[&str] = &["webhook"];

/// The types that are known by name and not built yet.
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
    let here = section.need("type", "\"webhook\"", report, kind_of);
    // A type that is not here has settings that are not known here.
    if here.is_some() || section.get("type").is_none() {
        for (key, span, _) in section.entries() {
            if let Some(what) = raw::unknown("notifier", key) {
                report.push(span.start, section.key(key), what);
            }
        }
    }
    let url = secret::take(section, "url", folder, report);
    if here.is_some() && section.get("url").is_none() {
        let what = "is missing; write for example `url = { file = \"PATH\" }` (it is a secret: whoever has it can write there)";
        report.push(section.at, section.key("url"), what);
    }
    let secret = section
        .get("secret")
        .map(|_| secret::take(section, "secret", folder, report));
    let min_severity = section
        .take("min_severity", report, values::severity)
        .unwrap_or(Severity::Medium);
    section.take("include_titles", report, without_titles);
    let secret = match secret {
        Some(secret) => Some(secret?),
        None => None,
    };
    here?;
    Some(Notifier {
        name: name?,
        kind: NotifierKind::Webhook { url: url?, secret },
        min_severity,
    })
}

/// The type of a notifier, as far as this version has it.
fn kind_of(value: &DeValue<'_>) -> Result<(), String> {
    let word = values::text(value)?;
    if HERE.contains(&word) {
        return Ok(());
    }
    if LATER.contains(&word) {
        let (here, later) = (raw::list(HERE), raw::list(LATER));
        return Err(format!(
            "`{word}` is not in this version, which has {here} only; known for later are {later}"
        ));
    }
    let word = shown(word);
    Err(match nearest(&word, HERE.iter().chain(LATER).copied()) {
        Some(meant) => format!(
            "`{word}` is not a type of notifier; did you mean `{meant}`? There is {}",
            raw::list(HERE)
        ),
        None => format!(
            "`{word}` is not a type of notifier; there is {}",
            raw::list(HERE)
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
