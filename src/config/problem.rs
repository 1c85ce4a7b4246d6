//! What is wrong with a config, where, and what would be right.

use std::fmt;
use std::path::PathBuf;

use super::notifier::NotifierKind;

/// One thing that is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from one.
    pub line: usize,
    /// The column in characters, counted from one.
    pub column: usize,
    /// The key it is about, from the outermost table on; empty where it is about no key.
    pub key: String,
    /// What is wrong and what would be right. Never holds the value of a secret.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

/// Everything that is wrong with a config, in the order of the file; at least one problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The name of the file, as it was given.
    pub source_name: String,
    /// What is wrong.
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.list.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:{problem}", self.source_name)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Why there is no config to work with.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such file: one can be written.
    #[error("there is no config at `{}`; `pagewarden init` writes one to start from", .0.display())]
    Missing(PathBuf),
    /// The file is there and cannot be read.
    #[error("the config at `{}` cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file can be read and must be changed.
    #[error(transparent)]
    Invalid(#[from] Problems),
}

/// Where problems are gathered while a config is walked.
pub(super) struct Report<'t> {
    text: &'t str,
    kinds: &'t [&'static dyn NotifierKind],
    found: Vec<Problem>,
}

impl<'t> Report<'t> {
    /// Begins with no problem; `kinds` are the kinds of notifiers that the config may name.
    pub(super) const fn new(text: &'t str, kinds: &'t [&'static dyn NotifierKind]) -> Self {
        Self {
            text,
            kinds,
            found: Vec::new(),
        }
    }

    /// The kinds of notifiers that the config may name.
    pub(super) const fn kinds(&self) -> &'t [&'static dyn NotifierKind] {
        self.kinds
    }

    /// Notes a problem at a byte of the text.
    pub(super) fn push(&mut self, at: usize, key: impl Into<String>, what: impl Into<String>) {
        let (line, column) = self.position(at);
        self.found.push(Problem {
            line,
            column,
            key: key.into(),
            what: what.into(),
        });
    }

    /// The line and the column of a byte, both counted from one; the end of the text for what lies beyond.
    pub(super) fn position(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        (line, column)
    }

    /// Leaves out what was found on lines that are already known to be broken.
    pub(super) fn drop_lines(&mut self, broken: &[Problem]) {
        self.found
            .retain(|problem| broken.iter().all(|known| known.line != problem.line));
    }

    /// What was found so far, taken out.
    pub(super) fn take(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.found)
    }

    /// Adds what was found before.
    pub(super) fn add(&mut self, problems: Vec<Problem>) {
        self.found.extend(problems);
    }

    /// Whether nothing is wrong so far.
    pub(super) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Everything that was found, in the order of the file.
    pub(super) fn finish(mut self, source_name: &str) -> Problems {
        self.found
            .sort_by_key(|problem| (problem.line, problem.column));
        self.found.dedup();
        Problems {
            source_name: source_name.to_owned(),
            list: self.found,
        }
    }
}

/// A word of the file, fit to be repeated in a message: control characters escaped, and cut where it is long.
pub(super) fn shown(word: &str) -> String {
    const MOST: usize = 40;
    let mut text: String = word
        .chars()
        .take(MOST)
        .flat_map(char::escape_debug)
        .collect();
    if word.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}

/// The candidate that was probably meant by a misspelt word.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let word = plain(&word.chars().take(64).collect::<String>());
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &plain(candidate)), candidate))
        .filter(|(steps, candidate)| *steps <= (candidate.len() / 3).clamp(1, 3))
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_its_neighbour_and_a_foreign_one_does_not() {
        let words = ["url", "email", "api_token", "expires", "via"];
        assert_eq!(nearest("api-token", words), Some("api_token"));
        assert_eq!(nearest("api_tokne", words), Some("api_token"));
        assert_eq!(nearest("emial", words), Some("email"));
        assert_eq!(nearest("ulr", words), Some("url"));
        assert_eq!(nearest("expire", words), Some("expires"));
        assert_eq!(nearest("colour", words), None);
    }

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let report = Report::new("a = 1\nö = 2\n", &[]);
        assert_eq!(report.position(0), (1, 1));
        assert_eq!(report.position(6), (2, 1));
        assert_eq!(report.position(7), (2, 1));
        assert_eq!(report.position(9), (2, 3));
        assert_eq!(report.position(999), (3, 1));
    }

    #[test]
    fn a_word_of_the_file_is_repeated_without_its_control_characters() {
        assert_eq!(shown("a\u{1b}[31m"), "a\\u{1b}[31m");
        assert_eq!(shown(&"x".repeat(50)).chars().count(), 41);
    }
}
