//! The organisation's directory: who has an account, and their roles and groups as of a moment.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::world::World;
use crate::world::dice::{count, index};
use crate::world::people::Group;
use crate::world::person::Person;

impl World {
    /// Everybody in the directory at a moment with roles and groups, as one answer of `users/search`.
    pub fn roster_json(&self, at: DateTime<Utc>) -> Value {
        roster(self, at.timestamp_millis())
    }
}

/// Everybody at a moment, with roles and groups, as one answer.
pub(crate) fn roster(world: &World, at: i64) -> Value {
    let everything = Search {
        roles: true,
        groups: true,
        ..Search::default()
    };
    let data: Vec<Value> = everything
        .hits(world, at)
        .into_iter()
        .filter_map(|number| everything.user(world, number, at))
        .collect();
    json!({ "data": data, "links": {} })
}

/// What a search asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    /// Only these accounts.
    accounts: Vec<String>,
    /// Only members of one of these groups.
    member_of: Vec<String>,
    /// Only with one of these roles.
    with_role: Vec<String>,
    /// Only with one of these addresses.
    emails: Vec<String>,
    /// Only with this in the name or the address, lower case.
    term: Option<String>,
    /// Whether to list roles.
    roles: bool,
    /// Whether to list groups.
    groups: bool,
}

impl Search {
    /// Reads the body of a search, or says which part of it is refused.
    pub(crate) fn parse(body: &Value) -> Result<Self, &'static str> {
        let words = |key: &str| -> Vec<String> {
            let list = body
                .get(key)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            list.iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let expand = words("expand");
        let known = [
            "platformRoles",
            "counts.resources",
            "productAccess",
            "groups",
        ];
        if expand.iter().any(|word| !known.contains(&word.as_str())) {
            return Err("expand");
        }
        let search = Self {
            accounts: words("accountIds"),
            member_of: words("groupIds"),
            with_role: words("roleIds"),
            emails: words("emails"),
            term: body
                .get("searchTerm")
                .and_then(Value::as_str)
                .map(str::to_lowercase),
            roles: expand.iter().any(|word| word == "platformRoles"),
            groups: expand.iter().any(|word| word == "groups"),
        };
        if search.accounts.len() > 10 || search.member_of.len() > 10 || search.emails.len() > 100 {
            return Err("too many values");
        }
        if search.term.is_some() && !search.emails.is_empty() {
            return Err("emails with searchTerm");
        }
        Ok(search)
    }

    /// The numbers of everybody who is found at a moment.
    pub(crate) fn hits(&self, world: &World, at: i64) -> Vec<u32> {
        (0..count(world.people.all.len()))
            .filter(|number| {
                is_known(world, *number, at)
                    && world
                        .people
                        .get(*number)
                        .is_some_and(|person| self.finds(world, *number, person, at))
            })
            .collect()
    }

    /// Whether somebody is found.
    fn finds(&self, world: &World, number: u32, person: &Person, at: i64) -> bool {
        let among =
            |list: &[String], word: &str| list.is_empty() || list.iter().any(|of| of == word);
        let role =
            |role: &String| role == "atlassian/user" || person.roles.contains(&role.as_str());
        let member = |group: &Group| {
            self.member_of
                .iter()
                .any(|id| id == &group.id || id == &ari(group))
        };
        let text = format!("{} {}", person.name.to_lowercase(), person.email);
        among(&self.accounts, person.account.as_str())
            && among(&self.emails, &person.email)
            && (self.with_role.is_empty() || self.with_role.iter().any(role))
            && (self.member_of.is_empty() || groups(world, number, at).any(member))
            && self.term.as_ref().is_none_or(|term| text.contains(term))
    }

    /// Somebody as the directory shows it.
    pub(crate) fn user(&self, world: &World, number: u32, at: i64) -> Option<Value> {
        let person = world.people.get(number)?;
        let mut user = json!({
            "accountId": person.account,
            "accountType": "atlassian",
            "accountStatus": "active",
            "status": "active",
            "membershipStatus": "active",
            "claimStatus": "managed",
            "name": person.name,
            "nickname": person.name.split(' ').next(),
            "email": person.email,
            "emailVerified": true,
            "mfaEnabled": true,
            "timeZone": person.place.zone_name,
            "addedToOrg": "2024-01-01T00:00:00.000Z",
            "managementSource": null,
            "links": { "self": format!("https://api.atlassian.com/admin/v2/orgs/{}/directories/-/users/{}", world.org_id(), person.account) },
        });
        let map = user.as_object_mut()?;
        if self.roles {
            map.insert("platformRoles".to_owned(), json!(person.roles));
        }
        if self.groups {
            let list: Vec<Value> = groups(world, number, at)
                .map(|group| json!({ "id": ari(group), "name": group.name, "description": null }))
                .collect();
            map.insert("groups".to_owned(), Value::Array(list));
        }
        Some(user)
    }
}

/// Whether somebody has an account already.
pub(crate) fn is_known(world: &World, number: u32, at: i64) -> bool {
    let day = (at - world.settings().start_ms()).div_euclid(crate::world::habits::DAY);
    world
        .people
        .get(number)
        .is_some_and(|person| person.started == 0 || i64::from(person.started) <= day)
}

/// The groups of somebody at a moment.
fn groups(world: &World, number: u32, at: i64) -> impl Iterator<Item = &Group> {
    let is_member = move |group: &u32| world.people.is_member(number, *group, at);
    let numbers = 0..count(world.people.groups.len());
    numbers
        .filter(is_member)
        .filter_map(|group| world.people.groups.get(index(group)))
}

/// The id of a group as the directory spells it.
fn ari(group: &Group) -> String {
    format!("ari:cloud:identity::group/{}", group.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::WorldSettings;

    fn world() -> World {
        World::new(WorldSettings {
            people: 120,
            ..WorldSettings::default()
        })
    }

    #[test]
    fn the_roster_lists_roles_and_groups_as_of_the_moment() {
        let world = world();
        let joins = &world.people.all[index(world.people.admins.joins)].account;
        let admins = |at: i64| {
            let roster = roster(&world, at);
            let data = roster["data"].as_array().unwrap().clone();
            let of = data
                .iter()
                .find(|user| user["accountId"] == joins.as_str())
                .unwrap()
                .clone();
            of["groups"]
                .as_array()
                .unwrap()
                .iter()
                .any(|group| group["name"] == "confluence-admins-acme")
        };
        assert!(!admins(world.settings().start_ms()));
        assert!(admins(world.until().timestamp_millis()));
    }

    #[test]
    fn newcomers_are_not_in_the_directory_before_they_start() {
        let world = world();
        let size = |at: i64| Search::default().hits(&world, at).len();
        assert!(size(world.settings().start_ms()) < 120);
        assert_eq!(size(world.until().timestamp_millis()), 120);
    }

    #[test]
    fn a_search_is_narrowed_by_role_and_by_group() {
        let world = world();
        let at = world.until().timestamp_millis();
        let find = |body: Value| Search::parse(&body).map(|search| search.hits(&world, at).len());
        assert_eq!(find(json!({ "roleIds": ["atlassian/org-admin"] })), Ok(1));
        let group = &world.people.groups[1];
        assert_eq!(
            find(json!({ "groupIds": [ari(group)] })),
            find(json!({ "groupIds": [group.id] }))
        );
        assert_eq!(find(json!({ "groupIds": [group.id] })), Ok(2));
        assert!(find(json!({ "expand": ["everything"] })).is_err());
    }
}
