//! People and apps of a directory, with their roles and groups.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::classify::role_word;
use super::find;
use super::map::{clip, mended};
use super::wire::{Part, Text};
use pagewarden_core::model::{AccountId, Group};

/// One account of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The account.
    pub id: AccountId,
    /// Its display name. Untrusted.
    pub name: Option<String>,
    /// Its e-mail address. Untrusted.
    pub email: Option<String>,
    /// What sort of account, in Atlassian's word.
    pub account_type: Option<String>,
    /// Its platform roles, without their `atlassian/` prefix. Sorted.
    pub roles: Vec<String>,
    /// The groups it is in. Sorted.
    pub groups: Vec<Group>,
}

impl UserRecord {
    /// Reads an account from its JSON: an element of a users search, or of a roster file. None where it has no id.
    pub fn read(json: &str) -> Option<Self> {
        if let Ok(Part(user)) = serde_json::from_str::<Part<WireUser<'_>>>(json) {
            return user.record();
        }
        let value = mended(json)?;
        let Part(user) = Part::<WireUser<'_>>::deserialize(&value).ok()?;
        user.record()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireUser<'a> {
    #[serde(borrow)]
    account_id: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    email: Text<'a>,
    #[serde(borrow)]
    account_type: Text<'a>,
    #[serde(borrow)]
    platform_roles: Words<'a>,
    #[serde(borrow)]
    roles: Words<'a>,
    #[serde(borrow)]
    groups: Words<'a>,
}

impl WireUser<'_> {
    /// The account in our form.
    fn record(&self) -> Option<UserRecord> {
        let id = self.account_id.get().or_else(|| self.id.get())?;
        let roles = self.platform_roles.0.iter().chain(&self.roles.0);
        let mut roles: Vec<String> = roles
            .filter_map(|role| role.name.get().or_else(|| role.id.get()))
            .map(|role| role_word(&clip(role)))
            .collect();
        roles.sort_unstable();
        roles.dedup();
        let mut groups: Vec<Group> = self.groups.0.iter().filter_map(WireWord::group).collect();
        groups.sort_unstable();
        groups.dedup();
        Some(UserRecord {
            id: AccountId::new(clip(find::account(id))),
            name: self.name.get().map(clip),
            email: self.email.get().map(clip),
            account_type: self.account_type.get().map(clip),
            roles,
            groups,
        })
    }
}

/// A role or group: an object, or its name alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireWord<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, alias = "role")]
    name: Text<'a>,
}

impl WireWord<'_> {
    /// The group in our form.
    fn group(&self) -> Option<Group> {
        let id = self.id.get().map(find::last_part);
        let name = self.name.get().or(id)?;
        Some(Group {
            id: id.map(clip),
            name: clip(name),
        })
    }
}

/// Roles or groups.
#[derive(Debug, Default)]
struct Words<'a>(Vec<WireWord<'a>>);

/// Takes a name, or an object with one.
struct WordVisitor;

impl<'de> Visitor<'de> for WordVisitor {
    type Value = WireWord<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or an object with one")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<WireWord<'de>, E> {
        let name = Text::deserialize(serde::de::value::BorrowedStrDeserializer::new(text))?;
        Ok(WireWord {
            id: Text::default(),
            name,
        })
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<WireWord<'de>, E> {
        let name = Text::deserialize(serde::de::value::StrDeserializer::new(text))?;
        Ok(WireWord {
            id: Text::default(),
            name,
        })
    }

    fn visit_unit<E>(self) -> Result<WireWord<'de>, E> {
        Ok(WireWord::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WireWord<'de>, A::Error> {
        WireWord::deserialize(MapAccessDeserializer::new(map))
    }
}

/// One of them.
struct Word<'a>(WireWord<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor).map(Self)
    }
}

/// Takes an array of them.
struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Words<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("roles or groups")
    }

    fn visit_unit<E>(self) -> Result<Words<'de>, E> {
        Ok(Words::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Words<'de>, A::Error> {
        let mut words = Vec::new();
        while let Some(Word(word)) = seq.next_element()? {
            words.push(word);
        }
        Ok(Words(words))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Words::default())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Words<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_of_the_users_search_is_read() {
        let json = r#"{"accountId":"712020:ada","accountType":"atlassian","name":"Ada Example","email":"ada@acme.example",
            "platformRoles":["atlassian/org-admin","atlassian/ai-access"],
            "groups":[{"id":"ari:cloud:identity::group/g-1","name":"site-admins","description":null},{"id":"ari:cloud:identity::group/g-2","name":null}],
            "status":"active","links":{"self":"x"}}"#;
        let user = UserRecord::read(json).unwrap();
        assert_eq!(user.id.as_str(), "712020:ada");
        assert_eq!(
            (user.name.as_deref(), user.email.as_deref()),
            (Some("Ada Example"), Some("ada@acme.example"))
        );
        assert_eq!(user.roles, ["ai-access", "org-admin"]);
        let group = |id: &str, name: &str| Group {
            id: Some(id.into()),
            name: name.into(),
        };
        assert_eq!(
            user.groups,
            [group("g-1", "site-admins"), group("g-2", "g-2")]
        );
    }

    #[test]
    fn an_account_of_a_roster_file_is_read() {
        let user = UserRecord::read(
            r#"{"id":"712020:ada","roles":["org-admin"],"groups":["site-admins"]}"#,
        )
        .unwrap();
        assert_eq!(user.roles, ["org-admin"]);
        assert_eq!(
            user.groups,
            [Group {
                id: None,
                name: "site-admins".into()
            }]
        );
    }

    #[test]
    fn what_was_not_expanded_is_empty_and_what_has_no_id_is_nothing() {
        let user =
            UserRecord::read(r#"{"accountId":"712020:ada","platformRoles":null,"groups":{}}"#)
                .unwrap();
        assert!(user.roles.is_empty() && user.groups.is_empty());
        assert_eq!(UserRecord::read(r#"{"name":"Ada"}"#), None);
        assert_eq!(UserRecord::read("[]"), None);
    }
}
