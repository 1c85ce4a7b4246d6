//! How much an export or a download takes with it.

use serde::{Deserialize, Serialize};

use super::Class;

/// How much an export or a download takes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// A backup of the whole site.
    Site,
    /// A whole space.
    Space,
    /// A page, a file, or something that the record does not name.
    Piece,
}

impl Extent {
    /// By the words of the action; where they are silent (an action that the config classed), by what the record names.
    /// None where nothing was exported or downloaded.
    pub fn of(class: Class, action: &str, names_page: bool, names_space: bool) -> Option<Self> {
        if !matches!(class, Class::Export | Class::Download) {
            return None;
        }
        let action = action.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| action.contains(word));
        Some(if says(&["backup"]) {
            Self::Site
        } else if says(&["space"]) {
            Self::Space
        } else if says(&["page", "blog", "attachment", "file", "content"]) {
            Self::Piece
        } else if says(&["site"]) {
            Self::Site
        } else if class == Class::Export && names_space && !names_page {
            Self::Space
        } else {
            Self::Piece
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_an_action_tell_how_much_left() {
        for (class, action, expected) in [
            (
                Class::Export,
                "confluence_site_backup_created",
                Extent::Site,
            ),
            (
                Class::Download,
                "confluence_backup_downloaded",
                Extent::Site,
            ),
            (Class::Export, "Site exported", Extent::Site),
            (Class::Export, "Space exported", Extent::Space),
            (
                Class::Download,
                "confluence_space_export_downloaded",
                Extent::Space,
            ),
            (
                Class::Download,
                "confluence_page_export_downloaded",
                Extent::Piece,
            ),
            (
                Class::Download,
                "confluence_attachment_downloaded",
                Extent::Piece,
            ),
            (Class::Download, "something_new", Extent::Piece),
        ] {
            assert_eq!(
                Extent::of(class, action, false, false),
                Some(expected),
                "{action}"
            );
        }
    }

    #[test]
    fn where_the_words_are_silent_what_is_named_decides() {
        let of = |page, space| Extent::of(Class::Export, "zebra", page, space);
        assert_eq!(of(false, true), Some(Extent::Space));
        assert_eq!(of(true, true), Some(Extent::Piece));
        assert_eq!(Extent::of(Class::View, "Viewed page", true, true), None);
    }
}
