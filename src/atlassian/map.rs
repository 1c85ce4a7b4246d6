//! Organisation events in our form.

use std::time::Duration;

use serde::Deserialize as _;
use serde_json::Value;

use super::changes;
use super::classify::{self, MembershipChange, Words};
use super::{find, wire};
use pagewarden_core::model::{
    AccountId, Actor, ActorKind, Auth, Class, Event, EventAction, EventId, EventKey, PageId,
    SpaceKey, Unusable,
};
use pagewarden_core::pattern::Pattern;
use pagewarden_core::time::after;

/// The longest text that is kept of a record, in bytes.
const LONGEST: usize = 512;

/// How far before its own time an event may have been processed: clocks differ, but what lies farther ahead would move on
/// everything that counts back from the newest event.
const FORWARD: Duration = Duration::from_hours(24);

/// Maps records of the logs to events: which class an action is of, by the config, then by the words of its id, then
/// by those of its name.
#[derive(Debug, Clone, Default)]
pub struct Mapper {
    overrides: Vec<(Pattern, Class)>,
    /// Action ids that say nothing by themselves, with the class of their name. Sorted by id.
    named: Vec<(String, Class)>,
}

/// What is known of one action.
#[derive(Debug, Clone)]
pub(super) struct Known {
    action: String,
    pub(super) class: Class,
    pub(super) change: Option<MembershipChange>,
}

/// An action of which nothing is known.
static UNKNOWN: Known = Known {
    action: String::new(),
    class: Class::Other,
    change: None,
};

/// What was found out about actions so far, so that it is found out once per page.
#[derive(Debug, Default)]
pub(crate) struct Memo(Vec<Known>);

impl Mapper {
    /// A mapper by the config's patterns, in their order, and by what the tenant's log can hold.
    pub fn new(overrides: &[(String, Class)], actions: &[EventAction]) -> Self {
        let mut named: Vec<(String, Class)> = actions
            .iter()
            .filter(|action| classify::class_of(&Words::of(&action.id), false).is_none())
            .filter_map(|action| {
                let class = classify::class_of(&Words::of(&action.display_name), false)?;
                Some((action.id.clone(), class))
            })
            .collect();
        named.sort_unstable();
        Self {
            overrides: overrides
                .iter()
                .map(|(pattern, class)| (Pattern::new(pattern), *class))
                .collect(),
            named,
        }
    }

    /// The class of an action of the organisation's log.
    pub fn class(&self, action: &str) -> Class {
        self.class_by(action, false).unwrap_or(Class::Other)
    }

    /// The class of an action, or of a summary of the site audit log, which is always about Confluence; none where
    /// nothing says.
    pub(super) fn class_by(&self, action: &str, confluence: bool) -> Option<Class> {
        let by_hand = self
            .overrides
            .iter()
            .find(|(pattern, _)| pattern.matches(action));
        if let Some((_, class)) = by_hand {
            return Some(*class);
        }
        classify::class_of(&Words::of(action), confluence).or_else(|| {
            let at = self
                .named
                .binary_search_by(|(id, _)| id.as_str().cmp(action))
                .ok()?;
            self.named.get(at).map(|(_, class)| *class)
        })
    }

    /// Whether nothing says what an event of the site audit log is, and its summary is not in English.
    pub fn is_foreign(&self, event: &Event) -> bool {
        let summary = &event.action;
        let foreign = summary
            .chars()
            .any(|letter| letter.is_alphabetic() && !letter.is_ascii());
        foreign && event.class == Class::Other && self.class_by(summary, true).is_none()
    }

    /// What is known of an action, found out at most once per page.
    pub(super) fn known<'m>(&self, action: &str, memo: &'m mut Memo) -> &'m Known {
        let at = memo
            .0
            .iter()
            .position(|known| known.action == action)
            .unwrap_or_else(|| {
                // Foreign words must not make a page slow: what is remembered stays small.
                if memo.0.len() > 64 {
                    memo.0.clear();
                }
                let change = classify::membership_of(&Words::of(action));
                memo.0.push(Known {
                    action: action.into(),
                    class: self.class(action),
                    change,
                });
                memo.0.len() - 1
            });
        memo.0.get(at).unwrap_or(&UNKNOWN)
    }

    /// Reads one organisation event from its JSON.
    pub fn event(&self, json: &str) -> Result<Event, Unusable> {
        self.event_with(json, &mut Memo::default())
    }

    /// Reads one event, with what was found out about actions so far.
    pub(crate) fn event_with(&self, json: &str, memo: &mut Memo) -> Result<Event, Unusable> {
        let unusable = |reason| unusable(reason, json);
        if let Ok(wire::Part(event)) = serde_json::from_str::<wire::Part<wire::Event<'_>>>(json) {
            let mapped = self.map(&event, memo).map_err(unusable)?;
            if mapped.actor.kind == ActorKind::Unknown && is_flattened(json) {
                return Err(unusable(FLATTENED));
            }
            return Ok(mapped);
        }
        let value = mended(json).ok_or_else(|| unusable("not JSON"))?;
        match wire::Part::<wire::Event<'_>>::deserialize(&value) {
            Ok(wire::Part(event)) => self.map(&event, memo).map_err(unusable),
            Err(_) => Err(unusable("not JSON")),
        }
    }

    /// Maps an event, or says why it cannot be used.
    pub(super) fn map(
        &self,
        event: &wire::Event<'_>,
        memo: &mut Memo,
    ) -> Result<Event, &'static str> {
        let attributes = &event.attributes.0;
        let id = event.id.get().ok_or("no id")?;
        let at = attributes.time.0.ok_or("no time that can be read")?;
        let action = attributes.action.get().ok_or("no action")?;
        let processed = attributes.processed_at.0;
        if processed.is_some_and(|processed| at > after(processed, FORWARD)) {
            return Err("a time more than a day after it was processed");
        }
        let known = self.known(action, memo);
        let place = Place::of(event);
        Ok(Event {
            key: EventKey::of_id(id),
            id: EventId::new(clip(id)),
            at,
            processed_at: processed,
            action: clip(action),
            class: known.class,
            actor: actor(&attributes.actor.0),
            auth: auth(&attributes.actor.0.auth.0),
            address: attributes.location.0.ip.get().map(clip),
            site: place.site,
            page: place.page.map(PageId::new),
            space: place.space.map(SpaceKey::new),
            changes: known
                .change
                .as_ref()
                .map(|change| changes::of_event(change, attributes))
                .unwrap_or_default(),
        })
    }
}

/// Why a record cannot be used whose objects are text.
pub const FLATTENED: &str =
    "objects written as text, as PowerShell's ConvertTo-Json does at its -Depth";

/// Whether a tool has written the objects of a record as text.
pub(super) fn is_flattened(json: &str) -> bool {
    json.contains("\"@{") || json.contains("\"System.Object[]\"")
}

/// Whether an event is of reading, and names nothing that was read.
pub fn is_unresolved(event: &Event) -> bool {
    match event.class {
        Class::View | Class::BlogView => event.page.is_none(),
        // A whole space, or an export of one.
        Class::Export | Class::Download => event.page.is_none() && event.space.is_none(),
        Class::Search
        | Class::SignIn
        | Class::Permission
        | Class::Group
        | Class::Token
        | Class::Other
        | Class::Logging => false,
    }
}

/// Who did it.
fn actor(actor: &wire::Actor<'_>) -> Actor {
    let id = actor.id.get().map(find::account);
    let email = actor.email.get();
    let atlassian_app = email.is_some_and(|email| email.eq_ignore_ascii_case("Atlassian app"));
    let by_address = email.is_some_and(is_address_of_app);
    let scripted = matches!(
        actor.auth.0.kind.get(),
        Some("auth-token-for-2LO" | "connect-token" | "container-token")
    );
    let kind = match id {
        None => ActorKind::Unknown,
        Some(id) if is_product(id, atlassian_app) => ActorKind::System,
        Some(_) if atlassian_app || by_address || scripted || actor.app.0.id.get().is_some() => {
            ActorKind::App
        }
        Some(_) => ActorKind::Person,
    };
    Actor {
        kind,
        id: AccountId::new(clip(id.unwrap_or_default())),
        name: actor.name.get().map(clip),
        email: email.map(clip),
    }
}

/// Whether an e-mail address is one of those that Atlassian gives to the accounts of apps.
fn is_address_of_app(email: &str) -> bool {
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    ["connect.atlassian.com", "bots.prod.atl-paas.net"]
        .iter()
        .any(|of_apps| domain.trim().eq_ignore_ascii_case(of_apps))
}

/// Whether an actor is a product of Atlassian's, which acts for itself: its id is a plain word.
fn is_product(id: &str, atlassian_app: bool) -> bool {
    let word = id
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_');
    word && (atlassian_app || matches!(id, "confluence" | "jira" | "system" | "atlassian"))
}

/// How the actor proved who it is.
fn auth(auth: &wire::Auth<'_>) -> Auth {
    match auth.kind.get() {
        Some("session") => Auth::Session,
        Some("api-token") => Auth::ApiToken,
        Some("auth-token-for-2LO" | "auth-token-for-3LO" | "connect-token" | "container-token") => {
            Auth::Oauth
        }
        Some(_) => Auth::Other,
        None if auth.token.get().is_some() => Auth::Other,
        None => Auth::Session,
    }
}

/// Where something happened.
struct Place {
    page: Option<String>,
    space: Option<String>,
    site: Option<String>,
}

impl Place {
    /// Where an event happened.
    fn of(event: &wire::Event<'_>) -> Self {
        let context = event.attributes.0.context.0.as_slice();
        let container = event.attributes.0.container.0.as_slice();
        let message = event.message.0.content.or_empty();
        Self {
            page: page(context, container, message).map(clip),
            space: space_key(context, container)
                .or_else(|| space_id(context, container).map(Into::into))
                .map(|space| clip(&space)),
            site: site(context, container).map(|site| clip(&site)),
        }
    }
}

/// Whether an object is a page, a blog post, or something else that is read like one.
fn is_page(object: &wire::Object<'_>) -> bool {
    has_kind(
        object,
        &["page", "blog", "content", "whiteboard", "database", "doc"],
    )
}

/// Whether an object is a space.
fn is_space(object: &wire::Object<'_>) -> bool {
    has_kind(object, &["space"])
}

/// Whether an object's type, or a later part of it, starts with one of these.
fn has_kind(object: &wire::Object<'_>, starts: &[&str]) -> bool {
    let kind = object.kind.or_empty();
    let starts_so = |kind: &str| {
        starts.iter().any(|start| {
            kind.get(..start.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(start))
        })
    };
    starts_so(kind) || kind.split(['-', '_', ' ', '.', ':']).skip(1).any(starts_so)
}

/// The page: from context objects, container attributes, links or the message, in that order; a number if any is.
fn page<'w>(
    context: &'w [wire::Object<'_>],
    container: &'w [wire::Object<'_>],
    message: &'w str,
) -> Option<&'w str> {
    let ids = |objects: &'w [wire::Object<'_>]| objects.iter().flat_map(page_ids);
    let links = || {
        context
            .iter()
            .chain(container)
            .filter_map(|object| find::page(object.links.0.alt.get()?))
    };
    ids(context)
        .chain(ids(container))
        .find(|id| find::is_number(id))
        .or_else(|| links().next())
        .or_else(|| find::page(message))
        .or_else(|| ids(context).chain(ids(container)).next())
}

/// Every id that an object gives for a page, best first.
fn page_ids<'w>(object: &'w wire::Object<'_>) -> impl Iterator<Item = &'w str> {
    let bag = &object.attributes.0;
    let own = is_page(object);
    [
        object.id.get().filter(|_| own),
        bag.page.get(),
        bag.id.get().filter(|_| own),
    ]
    .into_iter()
    .flatten()
    .map(find::last_part)
}

/// The key of the space: from context objects, container attributes, or links, in that order.
fn space_key(context: &[wire::Object<'_>], container: &[wire::Object<'_>]) -> Option<String> {
    let both = || context.iter().chain(container);
    both()
        .find_map(|object| {
            let bag = &object.attributes.0;
            bag.space_key
                .get()
                .or_else(|| bag.key.get().filter(|_| is_space(object)))
        })
        .map(clip)
        .or_else(|| both().find_map(|object| find::space(object.links.0.alt.get()?)))
}

/// The id of the space, where it has no key.
fn space_id<'w>(
    context: &'w [wire::Object<'_>],
    container: &'w [wire::Object<'_>],
) -> Option<&'w str> {
    context
        .iter()
        .chain(container)
        .find_map(|object| {
            let bag = &object.attributes.0;
            let own = || {
                object
                    .id
                    .get()
                    .or_else(|| bag.id.get())
                    .filter(|_| is_space(object))
            };
            bag.space_id.get().or_else(own)
        })
        .map(find::last_part)
}

/// The host name of the site.
fn site(context: &[wire::Object<'_>], container: &[wire::Object<'_>]) -> Option<String> {
    let both = || container.iter().chain(context);
    both()
        .find_map(|object| find::host(object.attributes.0.host.get()?))
        .or_else(|| {
            both().find_map(|object| {
                let host = find::host(
                    object
                        .links
                        .0
                        .alt
                        .get()
                        .filter(|link| link.contains("://"))?,
                )?;
                // The admin hub and the like are no sites.
                (!host.ends_with(".atlassian.com")).then_some(host)
            })
        })
}

/// A text of a record, kept to a length that a state file can bear.
pub(super) fn clip(text: &str) -> String {
    head(text, LONGEST).into()
}

/// The beginning of a text, at most so many bytes.
fn head(text: &str, longest: usize) -> &str {
    let mut end = text.len().min(longest);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// A record that no reader could use.
pub(crate) fn unusable(reason: &'static str, json: &str) -> Unusable {
    let json = json.trim();
    Unusable {
        reason,
        sample: head(json, 200).into(),
        key: EventKey::digest(&[json.as_bytes()]),
    }
}

/// A record as a loose value: the last of equal keys counts, and halves of characters are replaced.
pub(super) fn mended(json: &str) -> Option<Value> {
    serde_json::from_str(json)
        .or_else(|_| serde_json::from_str(&whole_characters(json)))
        .ok()
}

/// JSON in which every escaped half of a surrogate pair without its other half is a replacement character.
///
/// A title cut off in the middle of a character must not hide that it was read.
fn whole_characters(json: &str) -> String {
    let mut mended = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at_checked(at).unwrap_or((rest, ""));
        mended.push_str(before);
        let take = match (half(escape), escape.get(6..).and_then(half)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            // Two bytes, so that an escaped backslash escapes nothing.
            _ => escape
                .char_indices()
                .nth(2)
                .map_or(escape.len(), |(end, _)| end),
        };
        let (kept, behind) = escape.split_at_checked(take).unwrap_or((escape, ""));
        mended.push_str(kept);
        rest = behind;
    }
    mended.push_str(rest);
    mended
}

/// The number in an escape like `\ud83d` at the beginning of a text.
fn half(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
