//! Identifiers: opaque words of Atlassian's, and digests of ours.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

macro_rules! word {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the word as it is.
            pub fn new(word: impl Into<String>) -> Self {
                Self(word.into())
            }

            /// The word.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word!(
    /// The id of an Atlassian account: of a person, of an app, or of the site itself. Never parsed.
    AccountId
);
word!(
    /// The id of a page or blog post.
    PageId
);
word!(
    /// The key (or, where that is all there is, the id) of a space.
    SpaceKey
);
word!(
    /// What Atlassian calls an event; for a site audit record, which has no id, the hexadecimal event key.
    EventId
);
word!(
    /// What makes two findings the same: a digest of tenant, family, account and period.
    FindingId
);

/// The number of a string or an account in one state file. Means nothing outside it, so it decides no order and no output.
pub type WordId = u32;

/// What makes two copies of an event the same: sixteen bytes, unique within a stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey(pub [u8; 16]);

impl EventKey {
    /// The key of an organisation event: the bytes of its UUID, or a digest where the id has another shape.
    pub fn of_id(id: &str) -> Self {
        uuid_bytes(id).map_or_else(|| Self::digest(&[b"event", id.as_bytes()]), Self)
    }

    /// The key for a list of fields: the first half of a SHA-256 over them, each preceded by its length.
    pub fn digest(fields: &[&[u8]]) -> Self {
        Self(digest16(fields))
    }

    /// The id that this key stands for, if it was a UUID in its usual spelling.
    pub fn hex(&self) -> String {
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default())
            .collect()
    }

    /// Whether the id can be derived from this key: it is its spelling as a UUID, or in hexadecimal.
    pub fn spells(&self, id: &str) -> bool {
        match id.len() {
            36 => uuid_bytes(id) == Some(self.0),
            32 => self.hex() == id,
            _ => false,
        }
    }

    /// The usual spelling as a UUID.
    pub fn uuid(&self) -> String {
        let hex = self.hex();
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        [
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32),
        ]
        .join("-")
    }
}

impl fmt::Debug for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// Where a notifier sends to, told from any other place by a digest: the address itself is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination([u8; 16]);

impl Destination {
    /// The destination with this address.
    pub fn of(address: &str) -> Self {
        Self(digest16(&[b"destination", address.as_bytes()]))
    }

    /// The bytes that tell it from others.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The first sixteen bytes of a SHA-256 over length-prefixed fields.
pub fn digest16(fields: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(field);
    }
    let mut key = [0; 16];
    for (to, from) in key.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    key
}

/// The bytes of a UUID in its canonical lower-case spelling, so that the id can be derived from the key again.
fn uuid_bytes(id: &str) -> Option<[u8; 16]> {
    let text = id.as_bytes();
    if text.len() != 36 {
        return None;
    }
    let mut bytes = [0_u8; 16];
    let mut digits = 0_usize;
    for (at, byte) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        let slot = bytes.get_mut(digits / 2)?;
        *slot = (*slot << 4) | digit;
        digits += 1;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canonical_uuid_is_derived_again_from_its_key() {
        let id = "a1000001-0000-4000-8000-00000000abcd";
        assert_eq!(EventKey::of_id(id).uuid(), id);
    }

    #[test]
    fn other_ids_are_digested_and_stay_apart() {
        let upper = EventKey::of_id("A1000001-0000-4000-8000-00000000ABCD");
        assert_ne!(upper.uuid(), "a1000001-0000-4000-8000-00000000abcd");
        assert_ne!(EventKey::of_id("test_id"), EventKey::of_id("test_id2"));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        assert_ne!(
            EventKey::digest(&[b"ab", b"c"]),
            EventKey::digest(&[b"a", b"bc"])
        );
    }
}
