//! Membership changes in the logs: who joined or left which role or group.

use std::collections::HashSet;
use std::hash::Hash;

use super::classify::{MembershipChange, MembershipOf, role_word};
use super::map::clip;
use super::{find, wire};
use pagewarden_core::model::{AccountId, Change, GrantSource, Membership};

/// The most changes of one record: one that names a thousand accounts and as many groups is not a million changes.
const MOST: usize = 1_000;

/// The memberships that an organisation event changed: every account it names, in every group or role it names.
pub(super) fn of_event(
    change: &MembershipChange,
    attributes: &wire::Attributes<'_>,
) -> Vec<Change> {
    let objects = || attributes.context.0.iter().chain(&attributes.container.0);
    let of_kind = |word: &'static str| objects().filter(move |object| is_kind(object, word));
    let sources: Vec<GrantSource> = match &change.of {
        MembershipOf::Named(role) => vec![GrantSource::Role((*role).into())],
        MembershipOf::Group => {
            let mut names: Vec<&str> = of_kind("group").filter_map(group).collect();
            if names.is_empty() {
                names = objects()
                    .filter_map(|object| named_group(&object.attributes.0))
                    .collect();
            }
            names
                .into_iter()
                .map(|name| GrantSource::Group(clip(name)))
                .collect()
        }
        MembershipOf::Role => {
            let mut names: Vec<&str> = objects()
                .filter_map(|object| object.attributes.0.role.get())
                .collect();
            if names.is_empty() {
                names = of_kind("role")
                    .filter_map(|object| object.attributes.0.name.get().or_else(|| object.id.get()))
                    .collect();
            }
            names
                .into_iter()
                .map(|name| GrantSource::Role(role_word(&clip(name))))
                .collect()
        }
    };
    let sources = once(sources);
    let accounts = attributes
        .context
        .0
        .iter()
        .filter(|object| is_account_object(object))
        .filter_map(|object| {
            let bag = &object.attributes.0;
            object.id.get().or_else(|| bag.account.get())
        });
    let accounts = once(accounts.map(find::account));
    let pairs = accounts
        .iter()
        .flat_map(|account| sources.iter().map(move |source| (account, source)));
    pairs
        .take(MOST)
        .map(|(account, source)| Change {
            account: AccountId::new(clip(account)),
            grant_source: source.clone(),
            to: change.to,
        })
        .collect()
}

/// Each once, in their order.
fn once<T: Clone + Eq + Hash>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    let mut all: Vec<T> = all.into_iter().collect();
    all.retain(|one| seen.insert(one.clone()));
    all
}

/// Whether an object is of a kind, in the singular or plural, alone or as part of a longer word.
fn is_kind(object: &wire::Object<'_>, word: &str) -> bool {
    object.kind.or_empty().to_ascii_lowercase().contains(word)
}

/// Whether an object is somebody, and not a group of them.
fn is_account_object(object: &wire::Object<'_>) -> bool {
    (is_kind(object, "user") || is_kind(object, "member")) && !is_kind(object, "group")
}

/// A group object's name, or its id.
fn group<'w>(object: &'w wire::Object<'_>) -> Option<&'w str> {
    let bag = &object.attributes.0;
    let name = bag.group.get().or_else(|| bag.name.get());
    name.or_else(|| {
        object
            .id
            .get()
            .or_else(|| bag.group_id.get())
            .map(find::last_part)
    })
}

/// The group that attributes name, or its id.
fn named_group<'w>(bag: &'w wire::Bag<'_>) -> Option<&'w str> {
    bag.group
        .get()
        .or_else(|| bag.group_id.get().map(find::last_part))
}

/// The membership that a site audit record changed, where it names both the group and the account.
pub(super) fn of_audit(to: Membership, record: &wire::Audit<'_>) -> Vec<Change> {
    let affected = &record.affected_object.0;
    let associated = record.associated_objects.0.as_slice();
    let (mut group, mut account) = (None, None);
    // `GROUP_UUID; User: ACCOUNT_ID`, `groupname:UUID`, or a plain name.
    if let Some(name) = affected.name.get().filter(|_| !is_object(affected, "user")) {
        let (head, tail) = name.split_once(';').unwrap_or((name, ""));
        group = Some(group_word(head));
        account = tail
            .split_once(':')
            .map(|(_, id)| id.trim())
            .filter(|id| is_account(id));
    }
    for object in associated.iter().chain([affected]) {
        let Some(name) = object.name.get() else {
            continue;
        };
        if is_object(object, "group") && group.is_none() {
            group = Some(group_word(name));
        } else if !is_object(object, "group") && account.is_none() {
            account = Some(name.trim()).filter(|name| is_account(name));
        }
    }
    for changed in &record.changed_values.0 {
        let name = changed.name.or_empty().to_ascii_lowercase();
        let values = [changed.new_value.get(), changed.old_value.get()];
        if name.contains("group") && group.is_none() {
            group = values.into_iter().flatten().next().map(group_word);
        } else if !name.contains("group") && account.is_none() {
            account = values
                .into_iter()
                .flatten()
                .map(str::trim)
                .find(|value| is_account(value));
        }
    }
    let (Some(group), Some(account)) = (group, account) else {
        return Vec::new();
    };
    vec![Change {
        account: AccountId::new(clip(find::account(account))),
        grant_source: GrantSource::Group(clip(group)),
        to,
    }]
}

/// Whether an object's type holds a word.
fn is_object(object: &wire::Affected<'_>, word: &str) -> bool {
    object
        .object_type
        .or_empty()
        .to_ascii_lowercase()
        .contains(word)
}

/// The name in `groupname:UUID`, the id where there is no name.
fn group_word(text: &str) -> &str {
    let text = text.trim();
    match text.rsplit_once(':') {
        Some(("", id)) => id,
        Some((name, id)) if is_uuid(id) => name.trim(),
        _ => text,
    }
}

/// Whether a text has the shape of a UUID.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Whether a text looks like an account id, and not like somebody's name.
fn is_account(text: &str) -> bool {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'/'));
    let prefixed = text.split_once(':').is_some_and(|(head, tail)| {
        !tail.is_empty() && (find::is_number(head) || matches!(head, "qm" | "ug" | "ari"))
    });
    let long = text.len() >= 20 && text.bytes().any(|byte| byte.is_ascii_digit());
    plain && (prefixed || long)
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
