use super::*;
use pagewarden_core::model::{GrantSource, Membership};
use serde_json::json;

/// The least that an event must have.
fn event_of(value: &Value) -> Event {
    Mapper::default().event(&value.to_string()).unwrap()
}

fn view(attributes: &Value) -> Event {
    let mut whole = json!({ "time": "2026-05-12T19:00:00Z", "action": "confluence_page_viewed", "actor": { "id": "712020:ada" } });
    let fields = attributes.as_object().unwrap().clone();
    whole.as_object_mut().unwrap().extend(fields);
    event_of(
        &json!({ "id": "e-1", "attributes": whole, "message": { "content": "Viewed Confluence page" } }),
    )
}

fn places(event: &Event) -> (Option<&str>, Option<&str>, Option<&str>) {
    (
        event.page.as_ref().map(PageId::as_str),
        event.space.as_ref().map(SpaceKey::as_str),
        event.site.as_deref(),
    )
}

#[test]
fn a_full_event_is_mapped_in_all_its_parts() {
    let event = event_of(&json!({
        "id": "a1000001-0000-4000-8000-000000000001", "type": "events",
        "attributes": {
            "time": "2026-05-12T19:00:00.250Z", "processedAt": "2026-05-12T19:00:02Z", "action": "confluence_page_viewed",
            "actor": { "id": "712020:ada", "name": "Ada Example", "email": "ada@acme.example", "auth": { "authType": "api-token", "tokenId": "t" } },
            "context": [{ "id": "ari:cloud:confluence:c-1:page/12345", "type": "page", "attributes": { "title": "Plans", "spaceKey": "ENG" } }],
            "container": [{ "id": "s-1", "type": "sites", "attributes": { "siteHostName": "https://Acme.atlassian.net" } }],
            "location": { "ip": "198.51.100.7", "city": "" }
        },
        "relations": null, "message": { "content": "Viewed Confluence page", "format": "simple" }
    }));
    assert_eq!(
        event.key,
        EventKey::of_id("a1000001-0000-4000-8000-000000000001")
    );
    assert_eq!(event.at.timestamp_millis(), 1_778_612_400_250);
    assert_eq!(event.processed_at.unwrap().timestamp(), 1_778_612_402);
    assert_eq!(
        (event.class, event.auth, event.actor.kind),
        (Class::View, Auth::ApiToken, ActorKind::Person)
    );
    assert_eq!(event.actor.name.as_deref(), Some("Ada Example"));
    assert_eq!(event.actor.email.as_deref(), Some("ada@acme.example"));
    assert_eq!(event.address.as_deref(), Some("198.51.100.7"));
    assert_eq!(
        places(&event),
        (Some("12345"), Some("ENG"), Some("acme.atlassian.net"))
    );
}

#[test]
fn the_page_is_found_in_every_shape_that_a_view_may_have() {
    let alt = "https://acme.atlassian.net/wiki/spaces/ENG/pages/77/T";
    for (attributes, page, space) in [
        (
            json!({ "context": [{ "id": "77", "type": "page" }, { "type": "space", "id": "9", "attributes": { "key": "ENG" } }] }),
            "77",
            "ENG",
        ),
        (
            json!({ "context": [{ "id": 77, "type": "pages", "attributes": { "spaceId": 9 } }] }),
            "77",
            "9",
        ),
        (
            json!({ "context": [{ "id": "x-y", "type": "content", "attributes": { "contentId": 77, "spaceKey": "ENG" } }] }),
            "77",
            "ENG",
        ),
        (
            json!({ "context": [{ "id": "5", "type": "attachment", "attributes": { "pageId": "77" } }, { "type": "space", "id": "ari:cloud:confluence:c:space/9" }] }),
            "77",
            "9",
        ),
        (
            json!({ "context": [], "container": [{ "type": "sites", "id": "s", "attributes": { "contentId": "77", "spaceKey": "ENG" } }] }),
            "77",
            "ENG",
        ),
        (
            json!({ "container": [{ "type": "sites", "id": "s", "links": { "alt": alt } }] }),
            "77",
            "ENG",
        ),
        (
            json!({ "context": [{ "id": "0a1b-uuid", "type": "page", "links": { "alt": alt } }] }),
            "77",
            "ENG",
        ),
        (
            json!({ "context": [{ "id": "page-seventy", "type": "page", "attributes": { "spaceKey": "ENG" } }] }),
            "page-seventy",
            "ENG",
        ),
    ] {
        let event = view(&attributes);
        let (found, key, _) = places(&event);
        assert_eq!((found, key), (Some(page), Some(space)), "{attributes}");
        assert!(!is_unresolved(&event));
    }
}

#[test]
fn context_comes_before_container_and_container_before_links() {
    let event = view(&json!({
        "context": [{ "id": "1", "type": "page", "attributes": { "spaceKey": "A" } }],
        "container": [{ "type": "sites", "attributes": { "contentId": "2", "spaceKey": "B" }, "links": { "alt": "/wiki/spaces/C/pages/3" } }]
    }));
    assert_eq!(places(&event), (Some("1"), Some("A"), None));
    let event = view(&json!({
        "container": [{ "type": "sites", "attributes": { "contentId": "2", "spaceKey": "B" }, "links": { "alt": "/wiki/spaces/C/pages/3" } }]
    }));
    assert_eq!(places(&event), (Some("2"), Some("B"), None));
}

#[test]
fn a_view_that_names_no_page_is_unresolved_and_kept() {
    let event = view(&json!({ "container": [{ "type": "sites", "id": "123" }] }));
    assert!(is_unresolved(&event) && event.page.is_none());
    let export = event_of(
        &json!({ "id": "e", "attributes": { "time": 1_778_612_400, "action": "confluence_space_exported",
        "context": [{ "type": "space", "id": "9" }] } }),
    );
    assert!(export.class == Class::Export && !is_unresolved(&export));
}

#[test]
fn the_site_is_not_the_admin_hub() {
    let event = view(
        &json!({ "context": [{ "type": "users", "links": { "alt": "https://admin.atlassian.com/s/1" } }],
        "container": [{ "type": "sites", "links": { "alt": "https://acme.atlassian.net/wiki" } }] }),
    );
    assert_eq!(places(&event).2, Some("acme.atlassian.net"));
    let event = view(
        &json!({ "container": [{ "type": "orgs", "links": { "alt": "https://admin.atlassian.com/o/1" } }] }),
    );
    assert_eq!(places(&event).2, None);
}

#[test]
fn people_apps_and_the_system_are_distinguished() {
    for (actor, kind) in [
        (json!({ "id": "712020:ada" }), ActorKind::Person),
        (
            json!({ "id": "1234567890abcdefghijklmn" }),
            ActorKind::Person,
        ),
        (
            json!({ "id": "712020:ada", "auth": { "authType": "auth-token-for-3LO" } }),
            ActorKind::Person,
        ),
        (
            json!({ "id": "712020:bot", "auth": { "authType": "auth-token-for-2LO" } }),
            ActorKind::App,
        ),
        (
            json!({ "id": "712020:bot", "auth": { "authType": "connect-token" } }),
            ActorKind::App,
        ),
        (
            json!({ "id": "712020:bot", "app": { "id": "app-1" } }),
            ActorKind::App,
        ),
        (
            json!({ "id": "557058:bot", "email": "Atlassian app" }),
            ActorKind::App,
        ),
        (
            json!({ "id": "557058:bot", "email": "4b2c@connect.atlassian.com" }),
            ActorKind::App,
        ),
        (
            json!({ "id": "712020:bot", "email": "x@Bots.Prod.ATL-PaaS.net" }),
            ActorKind::App,
        ),
        (
            json!({ "id": "712020:ada", "email": "connect.atlassian.com@acme.example" }),
            ActorKind::Person,
        ),
        (
            json!({ "id": "confluence", "name": "Confluence", "email": "Atlassian app", "picture": null, "links": {} }),
            ActorKind::System,
        ),
        (json!({ "name": "Nobody" }), ActorKind::Unknown),
        (json!(null), ActorKind::Unknown),
    ] {
        assert_eq!(view(&json!({ "actor": actor })).actor.kind, kind, "{actor}");
    }
}

#[test]
fn the_way_of_proof_is_known() {
    for (auth, expected) in [
        (json!(null), Auth::Session),
        (json!({}), Auth::Session),
        (json!({ "authType": "session" }), Auth::Session),
        (json!({ "authType": "api-token" }), Auth::ApiToken),
        (json!({ "authType": "auth-token-for-2LO" }), Auth::Oauth),
        (json!({ "authType": "auth-token-for-3LO" }), Auth::Oauth),
        (json!({ "authType": "container-token" }), Auth::Oauth),
        (json!({ "authType": "something-new" }), Auth::Other),
        (json!({ "tokenId": "t-1" }), Auth::Other),
    ] {
        assert_eq!(
            view(&json!({ "actor": { "id": "712020:ada", "auth": auth } })).auth,
            expected,
            "{auth}"
        );
    }
}

#[test]
fn the_config_decides_before_the_words_and_the_words_before_the_names() {
    let named = |id: &str, name: &str| EventAction {
        id: id.into(),
        display_name: name.into(),
    };
    let actions = [
        named("cnf_c_r", "Viewed Confluence page"),
        named("cnf_x", "Voir"),
        named("jira_issue_viewed", "Viewed Confluence page"),
    ];
    let mapper = Mapper::new(
        &[
            ("confluence_page_v*".into(), Class::Search),
            ("confluence_*".into(), Class::Other),
        ],
        &actions,
    );
    for (action, class) in [
        ("confluence_page_viewed", Class::Search),
        ("confluence_blog_viewed", Class::Other),
        ("user_login", Class::SignIn),
        ("cnf_c_r", Class::View),
        ("cnf_x", Class::Other),
        ("jira_issue_viewed", Class::Other),
        ("never_seen", Class::Other),
    ] {
        assert_eq!(mapper.class(action), class, "{action}");
    }
}

#[test]
fn only_what_an_event_cannot_do_without_makes_it_unusable() {
    for (json, reason) in [
        (
            r#"{"attributes":{"time":1778612400,"action":"a"}}"#,
            "no id",
        ),
        (
            r#"{"id":"","attributes":{"time":1778612400,"action":"a"}}"#,
            "no id",
        ),
        (
            r#"{"id":"e","attributes":{"action":"a"}}"#,
            "no time that can be read",
        ),
        (
            r#"{"id":"e","attributes":{"time":"soon","action":"a"}}"#,
            "no time that can be read",
        ),
        (
            r#"{"id":"e","attributes":{"time":1778612400}}"#,
            "no action",
        ),
        (r#"{"id":"e"}"#, "no time that can be read"),
        ("null", "no id"),
        ("{\"id\":", "not JSON"),
    ] {
        let record = Mapper::default().event(json).unwrap_err();
        assert_eq!((record.reason, record.sample.as_str()), (reason, json));
    }
    assert!(
        Mapper::default()
            .event(r#"{"id":"e","attributes":{"time":1778612400,"action":"a"}}"#)
            .is_ok()
    );
    let long = format!("{{\"x\":\"{}\"}}", "é".repeat(200));
    assert!(Mapper::default().event(&long).unwrap_err().sample.len() <= 200);
}

#[test]
fn odd_parts_equal_keys_and_halves_of_characters_cost_no_record() {
    for json in [
        r#"{"id":"e","attributes":{"time":1778612400,"action":"a","actor":[1],"context":"x","location":7},"message":3}"#,
        r#"{"id":"d","id":"e","attributes":{"time":1,"time":1778612400,"action":"a"}}"#,
        r#"{"id":"e","attributes":{"time":1778612400,"action":"a","actor":{"id":"712020:ada","name":"A\ud83d"}}}"#,
    ] {
        let event = Mapper::default().event(json).unwrap();
        assert_eq!(
            (event.id.as_str(), event.at.timestamp()),
            ("e", 1_778_612_400),
            "{json}"
        );
    }
}

#[test]
fn only_halves_are_replaced() {
    for (json, whole) in [
        (r"\ud83d\ude00", r"\ud83d\ude00"),
        (r"a\ud83db", r"a\ufffdb"),
        (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
        (r"\ude00", r"\ufffd"),
        (r"\\ud83d", r"\\ud83d"),
        (r"\é\", r"\é\"),
        ("plain", "plain"),
    ] {
        assert_eq!(whole_characters(json), whole);
    }
}

#[test]
fn memberships_are_taken_from_the_event() {
    let event = event_of(
        &json!({ "id": "e", "attributes": { "time": 1_778_612_400, "action": "user_added_to_group", "context": [
        { "id": "g-1", "type": "groups", "attributes": { "name": "x", "groupName": "site-admins" } },
        { "id": "712020:bob", "type": "users", "attributes": { "name": "Bob" } },
        { "id": "712020:eve", "type": "users" } ] } }),
    );
    let accounts: Vec<&str> = event
        .changes
        .iter()
        .map(|change| change.account.as_str())
        .collect();
    assert_eq!(
        (event.class, accounts),
        (Class::Group, vec!["712020:bob", "712020:eve"])
    );
    assert!(event.changes.iter().all(|change| change.grant_source
        == GrantSource::Group("site-admins".into())
        && change.to == Membership::Joined));
}

#[test]
fn long_texts_are_clipped_between_characters() {
    assert_eq!(clip(&"é".repeat(1000)).len(), 512);
    assert_eq!(clip("short"), "short");
}

#[test]
fn a_time_more_than_a_day_after_its_processing_is_not_believed() {
    let event = |time: &str, processed: Option<&str>| {
        let value = json!({ "id": "e-1", "attributes": {
            "time": time, "processedAt": processed, "action": "confluence_page_viewed", "actor": { "id": "712020:ada" }
        } });
        Mapper::default().event(&value.to_string())
    };
    let processed = Some("2026-05-12T19:00:00Z");
    let unusable = event("2026-05-13T19:00:01Z", processed).unwrap_err();
    assert_eq!(
        unusable.reason,
        "a time more than a day after it was processed"
    );
    assert!(event("2099-01-01T00:00:00Z", processed).is_err());
    assert!(event("2026-05-13T19:00:00Z", processed).is_ok());
    // Where nobody says when it was processed, there is nothing to hold it against.
    assert!(event("2026-05-13T19:00:01Z", None).is_ok());
}
