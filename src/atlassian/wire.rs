//! The shapes of Atlassian's answers. Unknown fields are ignored and everything may be missing.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

pub(super) use super::lenient::{List, Part, Rows, Text};
use super::stamp::Stamp;

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
    #[serde(default, borrow)]
    pub(super) size: Text<'a>,
    #[serde(default, borrow, alias = "totalSize")]
    pub(super) total: Text<'a>,
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
    rank: u8,
    text: Text<'a>,
}

impl<'a> Best<'a> {
    /// Takes the text if its name is better than that of the one it holds.
    fn offer(&mut self, rank: u8, text: Text<'a>) {
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

/// Names under which a page's id may be expected, best first. None of them is documented.
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
/// Names for a space's key, best first.
const SPACE_KEY: &[&str] = &["spaceKey", "space_key", "spacekey", "SpaceKey"];
/// Names for a space's id, best first.
const SPACE_ID: &[&str] = &["spaceId", "spaceID", "space_id", "spaceid"];
/// Names for the host of a site, best first.
const HOST: &[&str] = &[
    "siteHostName",
    "siteHostname",
    "siteUrl",
    "siteURL",
    "hostName",
];
/// Names for a group's name, best first.
const GROUP: &[&str] = &["groupName", "group_name", "group"];
/// Names for a group's id, best first.
const GROUP_ID: &[&str] = &["groupId", "groupID", "group_id"];
/// Names for a role, best first.
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
/// Names for an account, best first.
const ACCOUNT: &[&str] = &["accountId", "account_id", "userId", "aaid"];

/// Takes attributes.
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
    fn slot(&mut self, name: &str) -> Option<(&mut Best<'a>, u8)> {
        match name {
            "id" => return Some((&mut self.id, 0)),
            "key" => return Some((&mut self.key, 0)),
            "name" => return Some((&mut self.name, 0)),
            _ => {}
        }
        let rank = |names: &[&str]| {
            let at = names.iter().position(|known| *known == name)?;
            u8::try_from(at).ok()
        };
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
    fn a_page_without_an_array_is_distinguished_from_an_empty_one() {
        let page: DataPage<'_, Part<Event<'_>>> = serde_json::from_str(r#"{"data":{}}"#).unwrap();
        assert!(page.data.0.is_none());
        let page: DataPage<'_, Part<Event<'_>>> =
            serde_json::from_str(r#"{"data":[],"links":null}"#).unwrap();
        assert_eq!(page.data.0.unwrap().len(), 0);
    }
}
