//! The shapes of Atlassian's answers, read leniently: unknown fields are ignored, everything may be missing, and a part
//! of an odd type counts as missing.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::stamp::Stamp;

/// A text or a number, where there is one.
#[derive(Debug, Clone, Default)]
pub(super) struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    /// The text, unless it is missing or blank.
    pub(super) fn get(&self) -> Option<&str> {
        self.0
            .as_deref()
            .filter(|text| !text.trim_ascii().is_empty())
    }

    /// The text, empty where it is missing.
    pub(super) fn or_empty(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

/// An object, where there is one.
#[derive(Debug, Clone, Default)]
pub(super) struct Part<T>(pub(super) T);

/// The objects of an array; a lone object counts as an array of one.
#[derive(Debug, Clone)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// The elements of an array, where there is an array: what a page must have.
#[derive(Debug, Clone)]
pub(super) struct Rows<T>(pub(super) Option<Vec<T>>);

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// Draws out what a value holds, so that parsing can go on behind it.
fn skip_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// The scalars of a visitor that takes none of them.
macro_rules! no_scalars {
    ($value:ty, $none:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<$value, E> {
            Ok($none)
        }

        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok($none)
        }
    };
}

macro_rules! no_texts {
    ($value:ty, $none:expr) => {
        no_scalars!($value, $none);

        fn visit_i64<E>(self, _: i64) -> Result<$value, E> {
            Ok($none)
        }

        fn visit_u64<E>(self, _: u64) -> Result<$value, E> {
            Ok($none)
        }

        fn visit_f64<E>(self, _: f64) -> Result<$value, E> {
            Ok($none)
        }

        fn visit_str<E>(self, _: &str) -> Result<$value, E> {
            Ok($none)
        }
    };
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    no_scalars!(Text<'de>, Text(None));

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(text.into()))))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Text<'de>, A::Error> {
        skip_seq(seq).map(|()| Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text<'de>, A::Error> {
        skip_map(map).map(|()| Text(None))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct PartVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for PartVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    no_texts!(T, T::default());

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        skip_seq(seq).map(|()| T::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(PartVisitor(PhantomData))
            .map(Self)
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    no_texts!(Vec<T>, Vec::new());

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(Part(element)) = seq.next_element::<Part<T>>()? {
            list.push(element);
        }
        Ok(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|element| vec![element])
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(ListVisitor(PhantomData))
            .map(Self)
    }
}

struct RowsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RowsVisitor<T> {
    type Value = Option<Vec<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    no_texts!(Option<Vec<T>>, None);

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<Vec<T>>, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = seq.next_element()? {
            rows.push(row);
        }
        Ok(Some(rows))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<Vec<T>>, A::Error> {
        skip_map(map).map(|()| None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(RowsVisitor(PhantomData))
            .map(Self)
    }
}

/// Where a page goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Next<'a> {
    #[serde(borrow)]
    pub(super) next: Text<'a>,
}

/// A page of the admin API.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct DataPage<'a, T> {
    #[serde(default)]
    pub(super) data: Rows<T>,
    #[serde(default, borrow)]
    pub(super) links: Part<Next<'a>>,
    #[serde(default, borrow)]
    pub(super) meta: Part<Next<'a>>,
}

/// A page of the Confluence API.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct ResultsPage<'a, T> {
    #[serde(default)]
    pub(super) results: Rows<T>,
    #[serde(default, borrow)]
    pub(super) limit: Text<'a>,
    #[serde(default, borrow, rename = "_links")]
    pub(super) links: Part<Next<'a>>,
}

/// An organisation event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) attributes: Part<Attributes<'a>>,
    #[serde(borrow)]
    pub(super) message: Part<Message<'a>>,
}

/// What an organisation event says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attributes<'a> {
    pub(super) time: Stamp,
    #[serde(rename = "processedAt")]
    pub(super) processed_at: Stamp,
    #[serde(borrow)]
    pub(super) action: Text<'a>,
    #[serde(borrow)]
    pub(super) actor: Part<Actor<'a>>,
    #[serde(borrow)]
    pub(super) context: List<Object<'a>>,
    #[serde(borrow)]
    pub(super) container: List<Object<'a>>,
    #[serde(borrow)]
    pub(super) location: Part<Location<'a>>,
}

/// Who did it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Actor<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) email: Text<'a>,
    #[serde(borrow)]
    pub(super) auth: Part<Auth<'a>>,
    #[serde(borrow)]
    pub(super) app: Part<App<'a>>,
}

/// How the actor proved who it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Auth<'a> {
    #[serde(borrow, rename = "authType")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, rename = "tokenId")]
    pub(super) token: Text<'a>,
}

/// The app through which it was done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct App<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
}

/// Where on the network.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub(super) ip: Text<'a>,
}

/// What people are shown of an event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Text<'a>,
}

/// What, or where: an element of `context` or `container`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Object<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) attributes: Part<Bag<'a>>,
    #[serde(borrow)]
    pub(super) links: Part<Links<'a>>,
}

/// Where people see it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Links<'a> {
    #[serde(borrow)]
    pub(super) alt: Text<'a>,
}

/// A text, and how good its name was: the first name of several wins.
#[derive(Debug, Default)]
pub(super) struct Best<'a> {
    rank: usize,
    text: Text<'a>,
}

impl<'a> Best<'a> {
    fn offer(&mut self, rank: usize, text: Text<'a>) {
        if text.get().is_some() && (self.text.get().is_none() || rank < self.rank) {
            *self = Self { rank, text };
        }
    }

    /// The text, unless there is none.
    pub(super) fn get(&self) -> Option<&str> {
        self.text.get()
    }
}

/// The attributes of a context or container object, as far as we know names for them.
#[derive(Debug, Default)]
pub(super) struct Bag<'a> {
    pub(super) id: Best<'a>,
    pub(super) key: Best<'a>,
    pub(super) page: Best<'a>,
    pub(super) space_key: Best<'a>,
    pub(super) space_id: Best<'a>,
    pub(super) host: Best<'a>,
    pub(super) group: Best<'a>,
    pub(super) group_id: Best<'a>,
    pub(super) role: Best<'a>,
    pub(super) account: Best<'a>,
    pub(super) name: Best<'a>,
}

/// Names under which each thing has been seen or may be expected, best first. None of those for pages is documented.
const PAGE: &[&str] = &[
    "pageId",
    "pageID",
    "page_id",
    "pageid",
    "contentId",
    "contentID",
    "content_id",
    "contentid",
    "blogPostId",
    "blogpostId",
    "blogPostID",
    "blog_post_id",
    "blogId",
    "entityId",
    "entity_id",
    "objectId",
];
const SPACE_KEY: &[&str] = &["spaceKey", "space_key", "spacekey", "SpaceKey"];
const SPACE_ID: &[&str] = &["spaceId", "spaceID", "space_id", "spaceid"];
const HOST: &[&str] = &[
    "siteHostName",
    "siteHostname",
    "siteUrl",
    "siteURL",
    "hostName",
];
const GROUP: &[&str] = &["groupName", "group_name", "group"];
const GROUP_ID: &[&str] = &["groupId", "groupID", "group_id"];
const ROLE: &[&str] = &[
    "role",
    "roleName",
    "roleKey",
    "roleId",
    "role_name",
    "role_id",
    "grantedRole",
    "revokedRole",
    "roles",
];
const ACCOUNT: &[&str] = &["accountId", "account_id", "userId", "aaid"];

struct BagVisitor;

impl<'de> Visitor<'de> for BagVisitor {
    type Value = Bag<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bag<'de>, A::Error> {
        let mut bag = Bag::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            match bag.slot(name.or_empty()) {
                Some((slot, rank)) => slot.offer(rank, map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(bag)
    }
}

impl<'a> Bag<'a> {
    /// Where an attribute belongs, and how good its name is.
    fn slot(&mut self, name: &str) -> Option<(&mut Best<'a>, usize)> {
        match name {
            "id" => return Some((&mut self.id, 0)),
            "key" => return Some((&mut self.key, 0)),
            "name" => return Some((&mut self.name, 0)),
            _ => {}
        }
        let rank = |names: &[&str]| names.iter().position(|known| *known == name);
        if let Some(rank) = rank(PAGE) {
            Some((&mut self.page, rank))
        } else if let Some(rank) = rank(SPACE_KEY) {
            Some((&mut self.space_key, rank))
        } else if let Some(rank) = rank(SPACE_ID) {
            Some((&mut self.space_id, rank))
        } else if let Some(rank) = rank(HOST) {
            Some((&mut self.host, rank))
        } else if let Some(rank) = rank(GROUP) {
            Some((&mut self.group, rank))
        } else if let Some(rank) = rank(GROUP_ID) {
            Some((&mut self.group_id, rank))
        } else if let Some(rank) = rank(ROLE) {
            Some((&mut self.role, rank))
        } else {
            rank(ACCOUNT).map(|rank| (&mut self.account, rank))
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bag<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BagVisitor)
    }
}

/// A site audit record.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Audit<'a> {
    #[serde(borrow)]
    pub(super) author: Part<Author<'a>>,
    #[serde(borrow)]
    pub(super) remote_address: Text<'a>,
    pub(super) creation_date: Stamp,
    #[serde(borrow)]
    pub(super) summary: Text<'a>,
    #[serde(borrow)]
    pub(super) description: Text<'a>,
    #[serde(borrow)]
    pub(super) category: Text<'a>,
    #[serde(borrow)]
    pub(super) affected_object: Part<Affected<'a>>,
    #[serde(borrow)]
    pub(super) changed_values: List<Changed<'a>>,
    #[serde(borrow)]
    pub(super) associated_objects: List<Affected<'a>>,
}

/// Who did it. Whoever may write to the log can set all of it but the account.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Author<'a> {
    #[serde(borrow)]
    pub(super) account_id: Text<'a>,
    #[serde(borrow)]
    pub(super) account_type: Text<'a>,
    #[serde(borrow)]
    pub(super) display_name: Text<'a>,
}

/// What it was done to.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Affected<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) object_type: Text<'a>,
}

/// What changed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Changed<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) old_value: Text<'a>,
    #[serde(borrow)]
    pub(super) new_value: Text<'a>,
}

/// A kind of event that the organisation's log can hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Action<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) attributes: Part<ActionNames<'a>>,
}

/// What people are shown of a kind of event.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ActionNames<'a> {
    #[serde(borrow)]
    pub(super) display_name: Text<'a>,
}

/// A group of the Confluence API.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Group<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
}

/// A member of a group of the Confluence API.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Member<'a> {
    #[serde(borrow)]
    pub(super) account_id: Text<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_odd_type_count_as_missing_and_cost_nothing_else() {
        let odd = r#"{"id": 7, "attributes": {"time": {"x": 1}, "action": "a", "actor": "Ada",
            "context": [null, 3, "x", [1], {"id": {"x": 1}, "attributes": [1]}], "container": {"id": "c"}, "location": false},
            "message": [[]]}"#;
        let event: Event<'_> = serde_json::from_str(odd).unwrap();
        assert_eq!(event.id.get(), Some("7"));
        let attributes = &event.attributes.0;
        assert_eq!(attributes.action.get(), Some("a"));
        assert_eq!(attributes.time, Stamp(None));
        assert_eq!(attributes.context.0.len(), 5);
        assert_eq!(attributes.container.0[0].id.get(), Some("c"));
    }

    #[test]
    fn the_best_name_of_several_wins_whatever_their_order() {
        for text in [
            r#"{"entityId":"1","pageId":"2"}"#,
            r#"{"pageId":"2","entityId":"1"}"#,
            r#"{"pageId":2,"pageID":"","x":{"pageId":"9"}}"#,
        ] {
            let bag: Bag<'_> = serde_json::from_str(text).unwrap();
            assert_eq!(bag.page.get(), Some("2"), "{text}");
        }
    }

    #[test]
    fn texts_are_borrowed_where_they_can_be() {
        let event: Event<'_> = serde_json::from_str(r#"{"id":"plain"}"#).unwrap();
        assert!(matches!(event.id.0, Some(Cow::Borrowed("plain"))));
    }

    #[test]
    fn a_page_without_an_array_is_told_from_an_empty_one() {
        let page: DataPage<'_, Part<Event<'_>>> = serde_json::from_str(r#"{"data":{}}"#).unwrap();
        assert!(page.data.0.is_none());
        let page: DataPage<'_, Part<Event<'_>>> =
            serde_json::from_str(r#"{"data":[],"links":null}"#).unwrap();
        assert_eq!(page.data.0.unwrap().len(), 0);
    }
}
