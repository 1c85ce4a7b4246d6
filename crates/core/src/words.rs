//! What an action id, a name or a summary says, word by word: the ids are not documented, so the words decide.

/// Somebody or something came in.
pub const ADDED: &[&str] = &[
    "added", "add", "joined", "granted", "grant", "assigned", "assign",
];
/// Somebody or something went out.
pub const REMOVED: &[&str] = &[
    "removed",
    "remove",
    "left",
    "revoked",
    "revoke",
    "unassigned",
    "unassign",
];
/// Something became different.
pub const CHANGED: &[&str] = &[
    "changed", "updated", "update", "created", "create", "deleted", "delete", "modified", "edited",
    "set",
];
/// Reading in the past tense only: `view` alone may be what a restriction is about.
pub const SEEN_BEFORE: &[&str] = &["viewed", "opened", "visited"];

/// How a summary of the site audit log begins where the site has no text for it.
const UNTRANSLATED: &str = "audit.logging.summary.";

/// The words of an id or a name, lower case: parted at anything that is no letter or digit, and at capitals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// The words of a text; of the untranslated key of a summary, without what all of them begin with, which would say that
    /// they are about the audit log.
    pub fn of(text: &str) -> Self {
        let text = text.strip_prefix(UNTRANSLATED).unwrap_or(text);
        let mut words = vec![String::new()];
        let mut lower_before = false;
        for letter in text.chars() {
            let starts = !letter.is_alphanumeric() || (letter.is_uppercase() && lower_before);
            if starts && words.last().is_some_and(|word| !word.is_empty()) {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
                word.extend(letter.to_lowercase());
            }
            lower_before = letter.is_lowercase();
        }
        Self(words)
    }

    /// Whether one of these is among them.
    pub fn any(&self, wanted: &[&str]) -> bool {
        self.0.iter().any(|word| wanted.contains(&word.as_str()))
    }

    /// Whether one of them starts so.
    pub fn starting(&self, with: &str) -> bool {
        self.0.iter().any(|word| word.starts_with(with))
    }

    /// Whether these words stand one behind the other.
    pub fn row(&self, wanted: &[&str]) -> bool {
        self.0
            .windows(wanted.len())
            .any(|row| row.iter().eq(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_a_name_and_a_camel_case_id_have_the_same_words() {
        let words = Words::of("api_token_created");
        assert_eq!(Words::of("API token created"), words);
        assert_eq!(Words::of("apiTokenCreated"), words);
        assert!(words.row(&["api", "token"]) && !words.row(&["token", "api"]));
    }

    #[test]
    fn an_untranslated_summary_has_the_words_of_what_was_done() {
        let words = Words::of("audit.logging.summary.space.pdf.export");
        assert_eq!(words, Words::of("space PDF export"));
    }
}
