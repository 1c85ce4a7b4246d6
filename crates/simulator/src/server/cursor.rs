//! Opaque cursors: whoever parses one is wrong, but ours must be read again.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// A place in a walk over the organisation's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Of which organisation.
    pub(crate) org: String,
    /// How many deliveries lie before the place, counted from the first one.
    pub(crate) place: usize,
    /// Whether the walk goes from new to old.
    pub(crate) backwards: bool,
    /// The earliest moment asked for (in milliseconds).
    pub(crate) from: i64,
    /// The latest moment asked for (in milliseconds).
    pub(crate) to: i64,
    /// Makes cursors of one place differ.
    pub(crate) nonce: u64,
}

impl Cursor {
    /// The word that a page gives.
    pub(crate) fn encode(&self) -> String {
        let Self {
            org,
            place,
            backwards,
            from,
            to,
            nonce,
        } = self;
        let way = if *backwards { "b" } else { "f" };
        BASE64_URL_SAFE_NO_PAD.encode(format!("{org}|{place}|{way}|{from}|{to}|{nonce}"))
    }

    /// The place again, if the word is one of this organisation's.
    pub(crate) fn decode(word: &str, org: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(word).ok()?).ok()?;
        let mut parts = text.split('|');
        let mut next = || parts.next();
        let cursor = Self {
            org: next()?.to_owned(),
            place: next()?.parse().ok()?,
            backwards: match next()? {
                "b" => true,
                "f" => false,
                _ => return None,
            },
            from: next()?.parse().ok()?,
            to: next()?.parse().ok()?,
            nonce: next()?.parse().ok()?,
        };
        (cursor.org == org).then_some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_again_by_its_own_organisation_only() {
        let cursor = Cursor {
            org: "o-1".into(),
            place: 42,
            backwards: true,
            from: -1,
            to: i64::MAX,
            nonce: 3,
        };
        let word = cursor.encode();
        assert_eq!(Cursor::decode(&word, "o-1"), Some(cursor));
        assert_eq!(Cursor::decode(&word, "o-2"), None);
        assert_eq!(Cursor::decode("nonsense", "o-1"), None);
    }
}
