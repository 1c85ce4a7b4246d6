//! Patterns of the config: `*` stands for anything, nothing else is special, and capitals do not matter.

use globset::{GlobBuilder, GlobMatcher};

/// A pattern, ready to be matched.
#[derive(Debug, Clone)]
pub struct Pattern(Option<GlobMatcher>);

impl Pattern {
    /// Takes a pattern as the config has it; one that is too long to be compiled matches nothing.
    pub fn new(pattern: &str) -> Self {
        let lower = pattern.to_lowercase();
        // Several stars in a row are one: to the engine they would be something else.
        let mut parts: Vec<String> = lower.split('*').map(globset::escape).collect();
        let last = parts.len() - 1;
        let mut place = 0;
        parts.retain(|part| {
            place += 1;
            !part.is_empty() || place == 1 || place == last + 1
        });
        let glob = GlobBuilder::new(&parts.join("*"))
            .literal_separator(false)
            .backslash_escape(false)
            .build();
        Self(glob.ok().map(|glob| glob.compile_matcher()))
    }

    /// Whether a whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let matcher = self.0.as_ref();
        matcher.is_some_and(|matcher| matcher.is_match(text.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_is_special() {
        for (pattern, text, hit) in [
            ("confluence_page_viewed", "confluence_page_viewed", true),
            ("confluence_page", "confluence_page_viewed", false),
            ("confluence*view*", "confluence_page_viewed", true),
            ("*viewed", "confluence_page_viewed", true),
            ("*", "", true),
            ("**", "a", true),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
            ("a/**/b", "a/b", false),
            ("a/**/b", "a/x/y/b", true),
            ("a/*", "a/x/y", true),
            ("Space *", "space exported", true),
            ("admins [eu]", "Admins [EU]", true),
            ("admins [eu]", "admins e", false),
            ("who?", "whom", false),
            ("who?", "who?", true),
            ("{a,b}", "a", false),
            (r"a\*", r"a\b", true),
            ("!a", "!a", true),
            ("Übersicht*", "übersicht 1", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), hit, "{pattern} {text}");
        }
    }
}
