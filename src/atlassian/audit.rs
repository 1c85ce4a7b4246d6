//! Site audit records in our form.

use serde::Deserialize as _;

use super::classify::{self, MembershipOf, Words};
use super::map::{FLATTENED, clip, is_flattened, mended, unusable};
use super::{Mapper, changes, find, wire};
use pagewarden_core::detect::LogChange;
use pagewarden_core::model::{
    AccountId, Actor, ActorKind, Auth, Class, Event, EventId, EventKey, PageId, SpaceKey, Unusable,
    id::digest16,
};

/// A site audit record. It has no id; equal twins are distinguished by how many came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// What identifies the record, its twins aside.
    pub digest: [u8; 16],
    /// The event of the first of its twins.
    pub event: Event,
}

impl AuditRecord {
    /// The event of the twin with this number; the first is 0.
    pub fn event_for(&self, ordinal: u32) -> Event {
        let key = key(&self.digest, ordinal);
        Event {
            key,
            id: EventId::new(key.hex()),
            ..self.event.clone()
        }
    }
}

/// The key of one of equal twins.
fn key(digest: &[u8; 16], ordinal: u32) -> EventKey {
    EventKey::digest(&[b"audit", digest, &ordinal.to_le_bytes()])
}

impl Mapper {
    /// Reads one site audit record from its JSON. It does not name its site.
    pub fn audit(&self, json: &str) -> Result<AuditRecord, Unusable> {
        let unusable = |reason| unusable(reason, json);
        if let Ok(wire::Part(record)) = serde_json::from_str::<wire::Part<wire::Audit<'_>>>(json) {
            let record = self.map_audit(&record).map_err(unusable)?;
            if record.event.actor.kind == ActorKind::Unknown && is_flattened(json) {
                return Err(unusable(FLATTENED));
            }
            return Ok(record);
        }
        let value = mended(json).ok_or_else(|| unusable("not JSON"))?;
        match wire::Part::<wire::Audit<'_>>::deserialize(&value) {
            Ok(wire::Part(record)) => self.map_audit(&record).map_err(unusable),
            Err(_) => Err(unusable("not JSON")),
        }
    }

    /// Maps a record, or says why it cannot be used.
    pub(super) fn map_audit(&self, record: &wire::Audit<'_>) -> Result<AuditRecord, &'static str> {
        let at = record.creation_date.0.ok_or("no time that can be read")?;
        let summary = record.summary.get().ok_or("no summary")?;
        let words = Words::of(summary);
        let class = self
            .class_by(summary, true)
            .unwrap_or_else(|| by_category(record.category.or_empty()));
        let longer = class == Class::Logging
            && LogChange::of(&words) == Some(LogChange::Retention)
            && is_longer(record);
        let class = if longer { Class::Other } else { class };
        let change =
            classify::membership_of(&words).filter(|change| change.of == MembershipOf::Group);
        let digest = digest(at.timestamp_millis(), record);
        let key = key(&digest, 0);
        let event = Event {
            key,
            id: EventId::new(key.hex()),
            at,
            processed_at: None,
            action: clip(summary),
            class,
            actor: actor(&record.author.0),
            auth: Auth::Session,
            address: record.remote_address.get().map(clip),
            site: None,
            page: page(record).map(PageId::new),
            space: space(record).map(SpaceKey::new),
            changes: change
                .map(|change| changes::of_audit(change.to, record))
                .unwrap_or_default(),
        };
        Ok(AuditRecord { digest, event })
    }
}

/// The class that a category gives to a summary that says nothing by itself.
fn by_category(category: &str) -> Class {
    match category.trim().to_ascii_lowercase().as_str() {
        "permissions" | "permission" => Class::Permission,
        "groups" => Class::Group,
        _ => Class::Other,
    }
}

/// Whether a retention that changed is not shorter than before, as far as the record has both.
fn is_longer(record: &wire::Audit<'_>) -> bool {
    let changed = &record.changed_values.0;
    let days = |pick: &dyn Fn(&wire::Changed<'_>) -> String| {
        let all: Vec<String> = changed.iter().map(pick).collect();
        days_of(&all.join(" "))
    };
    let old = days(&|changed| changed.old_value.or_empty().to_owned());
    let new = days(&|changed| changed.new_value.or_empty().to_owned());
    old.zip(new).is_some_and(|(old, new)| new >= old)
}

/// A length of time in words, such as `12 MONTHS`, in days; none where it is not one number with one unit.
fn days_of(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let (mut numbers, mut units) = (Vec::new(), Vec::new());
    for word in words.filter(|word| !word.is_empty()) {
        if let Ok(count) = word.parse::<u64>() {
            numbers.push(count);
        }
        match word.trim_end_matches('s') {
            "day" => units.push(1_u64),
            "week" => units.push(7),
            "month" => units.push(30),
            "year" => units.push(365),
            _ => {}
        }
    }
    let ([number], [unit]) = (numbers.as_slice(), units.as_slice()) else {
        return None;
    };
    number.checked_mul(*unit)
}

/// What identifies a record: not names or flags, which are rendered anew whenever it is asked for.
fn digest(millis: i64, record: &wire::Audit<'_>) -> [u8; 16] {
    let affected = &record.affected_object.0;
    let mut associated: Vec<[&str; 2]> = record
        .associated_objects
        .0
        .iter()
        .map(|object| [object.object_type.or_empty(), object.name.or_empty()])
        .collect();
    associated.sort_unstable();
    let mut changed: Vec<[&str; 3]> = record
        .changed_values
        .0
        .iter()
        .map(|changed| {
            [
                changed.name.or_empty(),
                changed.old_value.or_empty(),
                changed.new_value.or_empty(),
            ]
        })
        .collect();
    changed.sort_unstable();
    let (millis, count) = (millis.to_le_bytes(), associated.len().to_le_bytes());
    let mut fields: Vec<&[u8]> = vec![b"site-audit-record", &millis];
    fields.extend(
        [
            record.author.0.account_id.or_empty(),
            record.summary.or_empty(),
            record.category.or_empty(),
            affected.object_type.or_empty(),
            affected.name.or_empty(),
            record.remote_address.or_empty(),
        ]
        .map(str::as_bytes),
    );
    fields.push(&count);
    fields.extend(associated.iter().flatten().map(|text| text.as_bytes()));
    fields.extend(changed.iter().flatten().map(|text| text.as_bytes()));
    digest16(&fields)
}

/// Who did it. Only the account counts: whoever may write to the log can set every name in it.
fn actor(author: &wire::Author<'_>) -> Actor {
    let id = author.account_id.get().map(find::account);
    let name = author.display_name.get();
    let kind = match (id, author.account_type.or_empty()) {
        (Some(_), "app") => ActorKind::App,
        (Some(_), "customer") => ActorKind::Customer,
        (Some(_), _) => ActorKind::Person,
        (None, _) if name == Some("System") => ActorKind::System,
        (None, _) => ActorKind::Unknown,
    };
    Actor {
        kind,
        id: AccountId::new(clip(id.unwrap_or_default())),
        name: name.map(clip),
        email: None,
    }
}

/// What the record is about, with the kind of each.
fn objects<'w>(record: &'w wire::Audit<'_>) -> impl Iterator<Item = (&'w str, &'w str)> {
    let objects = [&record.affected_object.0]
        .into_iter()
        .chain(&record.associated_objects.0);
    objects.filter_map(|object| Some((object.object_type.or_empty(), object.name.get()?)))
}

/// What changed, with the name of each.
fn values<'w>(record: &'w wire::Audit<'_>) -> impl Iterator<Item = (&'w str, &'w str)> {
    record.changed_values.0.iter().filter_map(|changed| {
        Some((
            changed.name.or_empty(),
            changed
                .new_value
                .get()
                .or_else(|| changed.old_value.get())?,
        ))
    })
}

/// The page that a record is about, where it has its id. A page's title is not asked: it may be a number.
fn page(record: &wire::Audit<'_>) -> Option<String> {
    let by_id = values(record).find_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let about = ["page", "blog", "content"]
            .iter()
            .any(|word| name.contains(word))
            && name.contains("id");
        Some(find::last_part(value)).filter(|id| about && find::is_number(id))
    });
    let by_link = || {
        objects(record)
            .chain(values(record))
            .find_map(|(_, value)| find::page(value))
    };
    by_id
        .or_else(by_link)
        .or_else(|| find::page(record.description.or_empty()))
        .map(clip)
}

/// The space that a record is about: a word without blanks, which a key is and a name mostly is not.
fn space(record: &wire::Audit<'_>) -> Option<String> {
    let by_key = values(record).find_map(|(name, value)| {
        let name = name.to_ascii_lowercase().replace([' ', '_'], "");
        matches!(name.as_str(), "spacekey" | "key").then(|| clip(value))
    });
    let by_name = || {
        objects(record).find_map(|(name, value)| {
            let plain = !value.trim().contains(char::is_whitespace);
            (name.eq_ignore_ascii_case("space") && plain).then(|| clip(value.trim()))
        })
    };
    let by_link = || {
        objects(record)
            .chain(values(record))
            .find_map(|(_, value)| find::space(value))
    };
    by_key
        .or_else(by_name)
        .or_else(by_link)
        .map(|space| clip(&space))
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
