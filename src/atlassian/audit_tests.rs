use super::*;
use serde_json::{Value, json};

fn record() -> Value {
    json!({
        "author": { "type": "user", "displayName": "Ada Example", "operations": null, "accountId": "712020:ada", "accountType": "", "publicName": "Unknown user", "isGuest": false },
        "remoteAddress": "198.51.100.7", "creationDate": 1_778_612_400_123_i64, "summary": "Space exported", "description": "",
        "category": "Spaces", "sysAdmin": false, "affectedObject": { "name": "Engineering", "objectType": "Space" },
        "changedValues": [{ "name": "format", "oldValue": "", "newValue": "xml" }, { "name": "spaceKey", "oldValue": "", "newValue": "ENG" }],
        "associatedObjects": [{ "name": "a", "objectType": "b" }, { "name": "c", "objectType": "d" }]
    })
}

fn read(value: &Value) -> AuditRecord {
    Mapper::default().audit(&value.to_string()).unwrap()
}

fn with(path: &str, value: Value) -> Value {
    let mut record = record();
    *record.pointer_mut(path).unwrap() = value;
    record
}

#[test]
fn a_full_record_is_mapped_in_all_its_parts() {
    let event = read(&record()).event;
    assert_eq!(
        (event.at.timestamp_millis(), event.class, event.actor.kind),
        (1_778_612_400_123, Class::Export, ActorKind::Person)
    );
    assert_eq!(
        (event.action.as_str(), event.address.as_deref()),
        ("Space exported", Some("198.51.100.7"))
    );
    assert_eq!(
        (event.actor.id.as_str(), event.actor.name.as_deref()),
        ("712020:ada", Some("Ada Example"))
    );
    assert_eq!(
        (event.space.as_ref().map(SpaceKey::as_str), event.site),
        (Some("ENG"), None)
    );
    assert_eq!(event.id.as_str(), event.key.hex());
}

#[test]
fn what_is_rendered_anew_does_not_make_another_record() {
    let digest = read(&record()).digest;
    for value in [
        with("/author/displayName", json!("Ada Married")),
        with("/author/publicName", json!("ada")),
        with("/author/isGuest", json!(true)),
        with("/author/accountType", json!("atlassian")),
        with("/sysAdmin", json!(true)),
        with("/description", json!("x")),
        with("/creationDate", json!("1778612400123")),
        with("/creationDate", json!("2026-05-12T19:00:00.123Z")),
        with(
            "/associatedObjects",
            json!([{ "name": "c", "objectType": "d" }, { "objectType": "b", "name": "a" }]),
        ),
    ] {
        assert_eq!(read(&value).digest, digest, "{value}");
    }
}

#[test]
fn what_identifies_it_does() {
    let digest = read(&record()).digest;
    for (path, value) in [
        ("/author/accountId", json!("712020:bob")),
        ("/creationDate", json!(1_778_612_400_124_i64)),
        ("/summary", json!("Space created")),
        ("/category", json!("Page")),
        ("/remoteAddress", json!("")),
        ("/affectedObject/name", json!("Other")),
        ("/affectedObject/objectType", json!("Page")),
        ("/changedValues/0/newValue", json!("pdf")),
        ("/changedValues", json!([])),
        ("/associatedObjects/0/name", json!("x")),
    ] {
        assert_ne!(read(&with(path, value)).digest, digest, "{path}");
    }
}

#[test]
fn twins_have_keys_of_their_own() {
    let record = read(&record());
    assert_eq!(record.event_for(0), record.event);
    let second = record.event_for(1);
    assert_ne!(second.key, record.event.key);
    assert_eq!(second.id.as_str(), second.key.hex());
    assert_eq!(second.at, record.event.at);
}

#[test]
fn only_the_account_says_who_it_was() {
    for (author, kind) in [
        (json!({ "displayName": "System" }), ActorKind::System),
        (
            json!({ "displayName": "System", "accountId": "712020:eve" }),
            ActorKind::Person,
        ),
        (json!({ "displayName": "Ada Example" }), ActorKind::Unknown),
        (
            json!({ "displayName": "", "accountId": "" }),
            ActorKind::Unknown,
        ),
        (
            json!({ "accountId": "712020:bot", "accountType": "app" }),
            ActorKind::App,
        ),
        (json!(null), ActorKind::Unknown),
    ] {
        assert_eq!(
            read(&with("/author", author.clone())).event.actor.kind,
            kind,
            "{author}"
        );
    }
}

#[test]
fn a_page_read_with_an_admin_key_is_a_view() {
    let mut value = with("/summary", json!("Page viewed with admin key"));
    value["changedValues"] = json!([{ "name": "Page ID", "oldValue": "", "newValue": "4711" }]);
    value["affectedObject"] = json!({ "name": "2024", "objectType": "Page" });
    let event = read(&value).event;
    assert_eq!(
        (event.class, event.page.as_ref().map(PageId::as_str)),
        (Class::View, Some("4711"))
    );
    value["changedValues"] = json!([]);
    assert_eq!(read(&value).event.page, None);
}

#[test]
fn categories_help_where_the_summary_says_nothing() {
    let mut value = with("/summary", json!("Defaults edited"));
    value["category"] = json!("Permissions");
    assert_eq!(read(&value).event.class, Class::Permission);
    let by_hand = Mapper::new(&[("Defaults *".into(), Class::Other)], &[]);
    assert_eq!(
        by_hand.audit(&value.to_string()).unwrap().event.class,
        Class::Other
    );
}

#[test]
fn sparse_and_odd_records_are_kept_and_hopeless_ones_reported() {
    let mapper = Mapper::default();
    assert!(
        mapper
            .audit(r#"{"creationDate":1778612400000,"summary":"x"}"#)
            .is_ok()
    );
    assert!(mapper.audit(r#"{"creationDate":1778612400000,"summary":"x","author":[],"changedValues":{},"affectedObject":"y"}"#).is_ok());
    for (json, reason) in [
        (r#"{"summary":"x"}"#, "no time that can be read"),
        (r#"{"creationDate":1778612400000}"#, "no summary"),
        ("[]", "no time that can be read"),
        ("{", "not JSON"),
    ] {
        assert_eq!(mapper.audit(json).unwrap_err().reason, reason, "{json}");
    }
}

#[test]
fn only_a_shorter_retention_is_a_matter_of_the_log() {
    let class = |changed: Value| {
        let mut record = with("/summary", json!("Audit log retention changed"));
        record["changedValues"] = changed;
        read(&record).event.class
    };
    let values = |pairs: &[(&str, &str, &str)]| -> Value {
        pairs
            .iter()
            .map(|(name, old, new)| json!({ "name": name, "oldValue": old, "newValue": new }))
            .collect()
    };
    let shorter = values(&[("Retention", "12 months", "1 month")]);
    assert_eq!(class(shorter), Class::Logging);
    let in_parts = values(&[("number", "1", "11"), ("units", "YEARS", "MONTHS")]);
    assert_eq!(class(in_parts), Class::Logging);
    assert_eq!(class(json!([])), Class::Logging);
    let longer = values(&[("Retention", "1 month", "1 year")]);
    assert_eq!(class(longer), Class::Other);
    let longer = values(&[("number", "30", "2"), ("units", "DAYS", "MONTHS")]);
    assert_eq!(class(longer), Class::Other);
}
