use crate::atlassian::Mapper;
use pagewarden_core::model::{GrantSource, Membership};
use serde_json::{Value, json};

/// Account, group or role, and way of each change, as `account>source` or `account<source`.
fn listed(changes: &[pagewarden_core::model::Change]) -> Vec<String> {
    let one = |change: &pagewarden_core::model::Change| {
        let via = match &change.grant_source {
            GrantSource::Role(role) => format!("role {role}"),
            GrantSource::Group(group) => group.clone(),
            GrantSource::Listed => "listed".into(),
        };
        let way = if change.to == Membership::Joined {
            '>'
        } else {
            '<'
        };
        format!("{}{way}{via}", change.account)
    };
    changes.iter().map(one).collect()
}

fn of_event(action: &str, context: &Value, container: &Value) -> Vec<String> {
    let event = json!({ "id": "e", "attributes": { "time": 1_778_612_400, "action": action, "context": context, "container": container } });
    listed(&Mapper::default().event(&event.to_string()).unwrap().changes)
}

fn of_audit(record: &Value) -> Vec<String> {
    let mut whole =
        json!({ "creationDate": 1_778_612_400_000_i64, "summary": "User added to group" });
    whole
        .as_object_mut()
        .unwrap()
        .extend(record.as_object().unwrap().clone());
    listed(
        &Mapper::default()
            .audit(&whole.to_string())
            .unwrap()
            .event
            .changes,
    )
}

#[test]
fn groups_are_named_by_name_then_by_id_wherever_they_stand() {
    let ada = json!({ "id": "712020:ada", "type": "users" });
    for (context, container, via) in [
        (
            json!([ada, { "type": "groups", "id": "g-1", "attributes": { "name": "admins" } }]),
            json!([]),
            "admins",
        ),
        (
            json!([ada, { "type": "group", "id": "ari:cloud:identity::group/g-1" }]),
            json!([]),
            "g-1",
        ),
        (
            json!([ada]),
            json!([{ "type": "groups", "id": "g-1", "attributes": { "groupName": "admins" } }]),
            "admins",
        ),
        (
            json!([ada]),
            json!([{ "type": "sites", "attributes": { "groupId": "g-1" } }]),
            "g-1",
        ),
    ] {
        assert_eq!(
            of_event("group_member_removed", &context, &container),
            [format!("712020:ada<{via}")]
        );
    }
}

#[test]
fn roles_are_named_by_their_word() {
    let ada = json!({ "id": "ari:cloud:identity::user/712020:ada", "type": "users", "attributes": { "role": "atlassian/site-admin" } });
    assert_eq!(
        of_event("user_granted_role", &json!([ada]), &json!([])),
        ["712020:ada>role site-admin"]
    );
    assert_eq!(
        of_event("user_revoked_role", &json!([ada]), &json!([])),
        ["712020:ada<role site-admin"]
    );
    let bob = json!({ "id": "712020:bob", "type": "users" });
    let role = json!({ "type": "roles", "attributes": { "name": "Organization admin" } });
    assert_eq!(
        of_event("user_granted_role", &json!([bob, role]), &json!([])),
        ["712020:bob>role org-admin"]
    );
    assert_eq!(
        of_event("added_org_admin", &json!([bob]), &json!([])),
        ["712020:bob>role org-admin"]
    );
}

#[test]
fn what_names_no_account_or_no_group_changes_nothing() {
    assert!(of_event("user_added_to_group", &json!([{ "type": "users", "attributes": { "email": "x@acme.example" } }, { "type": "groups", "id": "g" }]), &json!([])).is_empty());
    assert!(
        of_event(
            "user_added_to_group",
            &json!([{ "type": "users", "id": "712020:ada" }]),
            &json!([])
        )
        .is_empty()
    );
    assert!(
        of_event(
            "group_created",
            &json!([{ "type": "users", "id": "712020:ada" }, { "type": "groups", "id": "g" }]),
            &json!([])
        )
        .is_empty()
    );
    assert!(
        of_event(
            "user_added_to_group",
            &json!([{ "type": "user-group", "id": "g" }]),
            &json!([])
        )
        .is_empty()
    );
}

#[test]
fn every_spelling_of_an_audit_record_is_understood() {
    let uuid = "10453df5-f7fc-47be-8ca7-bc2949c1bd5b";
    for (record, expected) in [
        (
            json!({ "affectedObject": { "name": format!("{uuid}; User: 712020:ada"), "objectType": "" } }),
            format!("712020:ada>{uuid}"),
        ),
        (
            json!({ "affectedObject": { "name": format!("site-admins:{uuid}"), "objectType": "Group" }, "associatedObjects": [{ "name": "712020:ada", "objectType": "User" }] }),
            "712020:ada>site-admins".into(),
        ),
        (
            json!({ "affectedObject": { "name": "site-admins", "objectType": "Group" }, "associatedObjects": [{ "name": "712020:ada", "objectType": "User" }] }),
            "712020:ada>site-admins".into(),
        ),
        (
            json!({ "affectedObject": { "name": "712020:ada", "objectType": "User" }, "associatedObjects": [{ "name": "site-admins", "objectType": "Group" }] }),
            "712020:ada>site-admins".into(),
        ),
        (
            json!({ "affectedObject": { "name": "site-admins", "objectType": "" }, "changedValues": [{ "name": "User", "oldValue": "", "newValue": "557058:bd955be1-e2d3-41e4" }] }),
            "557058:bd955be1-e2d3-41e4>site-admins".into(),
        ),
        (
            json!({ "summary": "User removed from group", "affectedObject": { "name": "site-admins:not-a-uuid" }, "associatedObjects": { "name": "5b10a2844c20165700ede21g", "objectType": "User" } }),
            "5b10a2844c20165700ede21g<site-admins:not-a-uuid".into(),
        ),
    ] {
        assert_eq!(of_audit(&record), [expected], "{record}");
    }
}

#[test]
fn a_name_is_not_an_account() {
    let record = json!({ "affectedObject": { "name": "site-admins", "objectType": "Group" }, "associatedObjects": [{ "name": "Ada Example", "objectType": "User" }] });
    assert!(of_audit(&record).is_empty());
    assert!(of_audit(&json!({ "affectedObject": { "name": "", "objectType": "" } })).is_empty());
}

#[test]
fn a_record_that_names_thousands_of_accounts_and_groups_stays_small() {
    let objects: Vec<Value> = (0..3_000)
        .flat_map(|number| {
            [
                json!({ "id": format!("712020:{number}"), "type": "user" }),
                json!({ "id": format!("712020:{number}"), "type": "user" }),
                json!({ "id": format!("g-{number}"), "type": "group" }),
            ]
        })
        .collect();
    let record = json!({
        "id": "e-1",
        "attributes": { "time": 1, "action": "user_added_to_group", "context": objects },
    });
    let event = Mapper::default().event(&record.to_string()).unwrap();
    assert_eq!(event.changes.len(), super::MOST);
    assert_eq!(event.changes[999].account.as_str(), "712020:0");
}
