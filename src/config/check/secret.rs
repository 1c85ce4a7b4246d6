//! Where a secret is, as the config says it. A secret that stands in the config itself is refused and never repeated.

use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use crate::config::SecretSource;
use crate::config::problem::{Report, shown};
use crate::config::raw::{Section, kind, list};
use crate::config::values;

/// The three ways to name a secret, for messages.
fn ways(key: &str) -> String {
    format!(
        "`{key} = {{ file = \"PATH\" }}`, `{{ env = \"NAME\" }}` or `{{ credential = \"NAME\" }}`"
    )
}

/// Reads where a secret is that may be left out; a relative path begins in `folder`.
pub(in crate::config) fn take(
    section: &Section<'_>,
    key: &str,
    folder: &Path,
    report: &mut Report<'_>,
) -> Option<SecretSource> {
    let value = section.get(key)?;
    let at = value.span().start;
    let what = match value.get_ref() {
        DeValue::Table(entries) => {
            return table(
                &Section::unchecked("secret", at, entries),
                &section.key(key),
                key,
                folder,
                report,
            );
        }
        DeValue::String(_) => format!(
            "a secret must not be written in the config (remove it, and create a new one if others could read it); say where it is: {}",
            ways(key)
        ),
        other => format!(
            "must say where the secret is, {}, not {}",
            ways(key),
            kind(other)
        ),
    };
    report.push(at, section.key(key), what);
    None
}

/// Reads where a secret is that must be there.
pub(super) fn need(
    section: &Section<'_>,
    key: &str,
    folder: &Path,
    report: &mut Report<'_>,
) -> Option<SecretSource> {
    if section.get(key).is_none() {
        let what = format!("is missing; say where the secret is: {}", ways(key));
        report.push(section.at, section.key(key), what);
    }
    take(section, key, folder, report)
}

/// Reads the table that names the place: exactly one way, and nothing else. `full` is the key as problems name it.
fn table(
    table: &Section<'_>,
    full: &str,
    key: &str,
    folder: &Path,
    report: &mut Report<'_>,
) -> Option<SecretSource> {
    let (named, others): (Vec<_>, Vec<_>) = table
        .entries()
        .into_iter()
        .partition(|(way, ..)| matches!(*way, "file" | "env" | "credential"));
    for (way, span, _) in &others {
        let ways = ways(key);
        let what = format!(
            "is not a way to name a secret, and a secret must not be written in the config; write {ways}"
        );
        report.push(span.start, format!("{full}.{}", shown(way)), what);
    }
    match named.as_slice() {
        [(way, _, place)] => one(full, way, place, folder, report).filter(|_| others.is_empty()),
        [] => {
            if others.is_empty() {
                report.push(
                    table.at,
                    full,
                    format!("must say where the secret is: {}", ways(key)),
                );
            }
            None
        }
        [_, (_, second, _), ..] => {
            let ways: Vec<&str> = named.iter().map(|(way, ..)| *way).collect();
            report.push(
                second.start,
                full,
                format!("names more than one place ({}); keep only one", list(&ways)),
            );
            None
        }
    }
}

/// Reads one of the three ways.
fn one(
    full: &str,
    way: &str,
    place: &Spanned<DeValue<'_>>,
    folder: &Path,
    report: &mut Report<'_>,
) -> Option<SecretSource> {
    let read = values::words(place.get_ref()).and_then(|word| {
        if looks_like_a_secret(&word) {
            return Err("looks like the secret itself, which must not be written in the config; write where it is".into());
        }
        match way {
            "file" => Ok(SecretSource::File(folder.join(word))),
            "env" if is_variable(&word) => Ok(SecretSource::Env(word)),
            "env" => Err("must be the name of an environment variable: letters, digits and `_`".into()),
            _ if is_credential(&word) => Ok(SecretSource::Credential(word)),
            _ => Err("must be the name of a credential: letters, digits, `_`, `.` and `-`, without `/`".to_owned()),
        }
    });
    read.map_err(|what| report.push(place.span().start, format!("{full}.{way}"), what))
        .ok()
}

/// Whether somebody wrote a secret where the name of its place belongs: Atlassian's tokens and keys, signing secrets and
/// addresses begin like this.
fn looks_like_a_secret(word: &str) -> bool {
    ["ATATT", "ATCTT", "ATSTT", "whsec_", "https://", "http://"]
        .iter()
        .any(|start| word.starts_with(start))
}

/// Whether a word can be the name of an environment variable.
fn is_variable(word: &str) -> bool {
    word.len() <= 128
        && !word.starts_with(|first: char| first.is_ascii_digit())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a word can be the name of a credential.
fn is_credential(word: &str) -> bool {
    word.len() <= 128
        && !matches!(word, "." | "..")
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
