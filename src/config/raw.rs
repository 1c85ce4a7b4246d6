//! The file as it was written: tables with their places in the text, and the keys that each may hold.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::notifier::NotifierKind;
use super::problem::{Problem, Report, nearest, shown};
use super::settings;

/// Syntax errors that leave the shape of the file as it was meant, so that the rest can still be looked at.
const HARMLESS: &[&str] = &[
    "duplicate key",
    "string values must be quoted",
    "invalid basic string",
];

/// Parses the text as far as it goes; whether the rest is worth looking at is the second value.
pub(super) fn parse<'t>(text: &'t str, report: &mut Report<'_>) -> (Spanned<DeTable<'t>>, bool) {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(text.len(), |span| span.start);
        let key = error
            .span()
            .and_then(|span| text.get(span))
            .unwrap_or_default();
        let what = match error.message() {
            "duplicate key" => format!("`{}` is defined twice; keep only one", shown(key)),
            message if message.starts_with("string values must be quoted") => {
                "text must be in quotes".to_owned()
            }
            message => format!("this is not TOML: {message}"),
        };
        report.push(at, "", what);
    }
    let usable = errors.iter().all(|error| {
        HARMLESS
            .iter()
            .any(|start| error.message().starts_with(start))
    });
    (table, usable)
}

/// One table of the file.
#[derive(Clone, Copy)]
pub(super) struct Section<'d> {
    /// Its name, from the outermost table on.
    pub(super) path: &'static str,
    /// Where its header is.
    pub(super) at: usize,
    entries: &'d DeTable<'d>,
    /// The keys that it may hold, where the table of settings does not have all of them.
    keys: Option<&'d [&'static str]>,
}

impl<'d> Section<'d> {
    /// Takes a table at its word: keys that it may not hold are problems.
    pub(super) fn open(
        path: &'static str,
        at: usize,
        entries: &'d DeTable<'d>,
        report: &mut Report<'_>,
    ) -> Self {
        let section = Self::unchecked(path, at, entries);
        for (key, _) in entries {
            if let Some(what) = section.unknown(key.get_ref(), report.kinds()) {
                report.push(key.span().start, section.key(key.get_ref()), what);
            }
        }
        section
    }

    /// Takes a table whatever keys it holds.
    pub(super) const fn unchecked(path: &'static str, at: usize, entries: &'d DeTable<'d>) -> Self {
        Self {
            path,
            at,
            entries,
            keys: None,
        }
    }

    /// The same table, which may hold these keys and no others.
    pub(super) const fn with_keys<'k>(self, keys: &'k [&'static str]) -> Section<'k>
    where
        'd: 'k,
    {
        Section {
            path: self.path,
            at: self.at,
            entries: self.entries,
            keys: Some(keys),
        }
    }

    /// The keys that it may hold; nothing for a table whose keys are free.
    fn known(&self) -> Option<Vec<&'static str>> {
        let own = self.keys.map(<[_]>::to_vec);
        own.or_else(|| settings::keys_of(self.path))
    }

    /// The key that was probably meant by one that it may not hold.
    fn meant(&self, key: &str) -> Option<&'static str> {
        let known = self.known()?;
        if known.contains(&key) {
            None
        } else {
            nearest(key, known)
        }
    }

    /// What is wrong with a key in it, if anything; `kinds` are the kinds of notifiers, whose keys may be meant.
    pub(super) fn unknown(&self, key: &str, kinds: &[&'static dyn NotifierKind]) -> Option<String> {
        let known = self.known()?;
        if known.contains(&key) {
            return None;
        }
        if key == "ignore" && known.contains(&"suppress") {
            return Some("is called `suppress`".to_owned());
        }
        if let Some(meant) = self.meant(key) {
            return Some(format!("is not a setting; did you mean `{meant}`?"));
        }
        let mut tables = settings::tables();
        if let Some((table, _)) = tables.find(|(table, _)| table.rsplit('.').next() == Some(key)) {
            let header = settings::header(table);
            return Some(format!("does not belong here; write it as `{header}`"));
        }
        let of_a_kind = kinds
            .iter()
            .any(|kind| kind.keys().iter().any(|own| own.name == key));
        let homes: Vec<String> = settings::tables()
            .filter(|(path, table)| {
                let takes = table.keys.iter().any(|own| own.name == key);
                *path == table.path && (takes || (*path == "notifier" && of_a_kind))
            })
            .map(|(table, _)| format!("`{}`", settings::header(table)))
            .collect();
        Some(if homes.is_empty() {
            format!("is not a setting; valid here: {}", list(&known))
        } else {
            format!("does not belong here; move it to {}", homes.join(" or "))
        })
    }

    /// The full name of one of its keys, fit to be shown.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            shown(key)
        } else {
            format!("{}.{}", self.path, shown(key))
        }
    }

    /// The value of a key; of a misspelling of it, which is a problem already, so that what it holds is looked at too.
    pub(super) fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        let misspelt = || {
            self.entries
                .iter()
                .find(|(written, _)| self.meant(written.get_ref()) == Some(key))
        };
        self.entries
            .get(key)
            .or_else(|| misspelt().map(|(_, value)| value))
    }

    /// Where the value of a key is; where its table is, if it has none.
    pub(super) fn place(&self, key: &str) -> usize {
        self.get(key).map_or(self.at, |value| value.span().start)
    }

    /// Every entry, in the order of the file.
    pub(super) fn entries(&self) -> Vec<(&'d str, Range<usize>, &'d Spanned<DeValue<'d>>)> {
        let mut all: Vec<_> = self
            .entries
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
            .collect();
        all.sort_by_key(|(_, span, _)| span.start);
        all
    }

    /// Reads a key that may be left out.
    pub(super) fn take<T>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        read: impl FnOnce(&'d DeValue<'d>) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.get(key)?;
        match read(value.get_ref()) {
            Ok(read) => Some(read),
            Err(what) => {
                report.push(value.span().start, self.key(key), what);
                None
            }
        }
    }

    /// Reads a key that must be there; `example` is how a right one looks.
    pub(super) fn need<T>(
        &self,
        key: &str,
        example: &str,
        report: &mut Report<'_>,
        read: impl FnOnce(&'d DeValue<'d>) -> Result<T, String>,
    ) -> Option<T> {
        if self.get(key).is_none() {
            report.push(
                self.at,
                self.key(key),
                format!("is missing; write for example `{key} = {example}`"),
            );
            return None;
        }
        self.take(key, report, read)
    }

    /// The full name of a table in it, as the table of settings has it.
    pub(super) fn inner(&self, key: &str) -> &'static str {
        let is_it = |table: &str| {
            let outer = table
                .strip_suffix(key)
                .and_then(|rest| rest.strip_suffix('.'));
            outer == Some(self.path)
        };
        let found = settings::tables().find(|(table, _)| is_it(table));
        found.map_or(self.path, |(table, _)| table)
    }

    /// Opens the table under a key, if there is one.
    pub(super) fn table(
        &self,
        key: &str,
        path: &'static str,
        report: &mut Report<'_>,
    ) -> Option<Section<'d>> {
        let value = self.get(key)?;
        let at = value.span().start;
        let (entries, what) = match value.get_ref() {
            DeValue::Table(entries) => return Some(Section::open(path, at, entries, report)),
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                let first = items.iter().find_map(|item| item.get_ref().as_table());
                (
                    first,
                    format!("is one table: write its header once, as `[{path}]`"),
                )
            }
            other => (
                None,
                format!("must be a table, `[{path}]`, not {}", kind(other)),
            ),
        };
        report.push(at, path, what);
        entries.map(|entries| Section::open(path, at, entries, report))
    }

    /// Opens every table under a key that may come several times.
    pub(super) fn tables(
        &self,
        key: &str,
        path: &'static str,
        report: &mut Report<'_>,
    ) -> Vec<Section<'d>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| item_table(item, path, report))
                .collect(),
            DeValue::Table(_) => {
                report.push(
                    value.span().start,
                    path,
                    format!("may come several times: write `[[{path}]]`"),
                );
                item_table(value, path, report).into_iter().collect()
            }
            other => {
                report.push(
                    value.span().start,
                    path,
                    format!("must be a table, `[[{path}]]`, not {}", kind(other)),
                );
                Vec::new()
            }
        }
    }
}

/// One table of an array of tables. A notifier's keys depend on its type, so they are looked at there.
fn item_table<'d>(
    item: &'d Spanned<DeValue<'d>>,
    path: &'static str,
    report: &mut Report<'_>,
) -> Option<Section<'d>> {
    let at = item.span().start;
    match item.get_ref() {
        DeValue::Table(entries) if path == "notifier" => {
            Some(Section::unchecked(path, at, entries))
        }
        DeValue::Table(entries) => Some(Section::open(path, at, entries, report)),
        other => {
            report.push(
                at,
                path,
                format!("must be a table, `[[{path}]]`, not {}", kind(other)),
            );
            None
        }
    }
}

/// Words as they are listed in a message.
pub(super) fn list(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What sort of value stands there, in words.
pub(super) const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text in quotes",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Puts the syntax errors before what the walk found, less what the walk found on the same lines.
pub(super) fn merge(syntax: Vec<Problem>, report: &mut Report<'_>) {
    report.drop_lines(&syntax);
    report.add(syntax);
}
