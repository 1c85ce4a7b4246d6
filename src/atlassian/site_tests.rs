use super::*;
use crate::config::SecretSource;
use crate::http::Transport;
use crate::http::testing::{QUICK, SECRET, Seen, Server, json, reply, secret};
use pagewarden_core::model::Class;
use serde_json::{Value, json};

fn site_at(server: &Server, gateway: &Server, via: SiteRoute) -> Site {
    let settings = config::Site {
        url: server.url.clone(),
        email: "auditor@acme.example".into(),
        api_token: SecretSource::Env("X".into()),
        expires: None,
        via,
        gateway: gateway.url.clone(),
    };
    Site::new(
        &Transport::default(),
        &settings,
        secret(),
        QUICK,
        CancellationToken::new(),
    )
    .unwrap()
}

fn site(server: &Server) -> Site {
    site_at(server, server, SiteRoute::Site)
}

fn number(seen: &Seen, name: &str) -> usize {
    seen.query(name).unwrap().parse().unwrap()
}

/// A list of so many entries, of which the server gives at most `most` at once, with or without links.
async fn list(total: usize, most: usize, linked: bool, entry: fn(usize) -> Value) -> Server {
    Server::start(move |seen, _| {
        let (start, limit) = (number(seen, "start"), number(seen, "limit").min(most));
        let results: Vec<Value> = (start..total).take(limit).map(entry).collect();
        let mut links = json!({ "base": "https://acme.atlassian.net/wiki", "context": "/wiki" });
        if linked && start + limit < total {
            links["next"] = json!(format!("/rest/api/x?start={}", start + limit));
        }
        json(200, json!({ "results": results, "start": start, "limit": limit, "size": results.len(), "_links": links }).to_string())
    })
    .await
}

#[tokio::test]
async fn the_audit_log_is_asked_as_documented() {
    let record = json!({ "creationDate": 1_778_612_400_000_i64, "summary": "Space exported", "author": { "accountId": "712020:ada" } });
    let body = json!({ "results": [record], "limit": 1000, "size": 1, "start": 7, "_links": {} });
    let server = Server::start(move |_, _| json(200, body.to_string())).await;
    let page = site(&server)
        .audit(10, 20, 7, &Mapper::default())
        .await
        .unwrap();
    assert_eq!((page.received, page.last, page.records.len()), (1, true, 1));
    let event = &page.records[0].event;
    assert_eq!(
        (event.class, event.site.as_deref()),
        (Class::Export, Some("127.0.0.1"))
    );
    let seen = server.seen();
    assert_eq!(
        seen[0].uri,
        "/wiki/rest/api/audit?startDate=10&endDate=20&start=7&limit=1000"
    );
    assert!(
        seen[0]
            .header("authorization")
            .unwrap()
            .starts_with("Basic ")
    );
}

#[tokio::test]
async fn links_of_every_form_are_understood_and_none_is_followed_elsewhere() {
    let here = |link: String| async move {
        let server = Server::start(move |_, _| {
            json(200, json!({ "results": [{ "creationDate": 1, "summary": "x" }], "limit": 1, "_links": { "next": link } }).to_string())
        })
        .await;
        let page = site(&server).audit(1, 2, 0, &Mapper::default()).await;
        (page.map(|page| page.last), server.seen().len())
    };
    for link in [
        "/rest/api/audit?start=1",
        "/wiki/rest/api/audit?start=1",
        "rest/api/audit",
    ] {
        assert_eq!(here(link.into()).await, (Ok(false), 1), "{link}");
    }
    for link in [
        "https://elsewhere.example/wiki/rest/api/audit?start=1",
        "//elsewhere.example/x",
        "http://127.0.0.1:1/x",
    ] {
        assert_eq!(
            here(link.into()).await,
            (Err(Malformed::ForeignLink.into()), 3),
            "{link}"
        );
    }
    let server = Server::start(|seen, _| {
        let next = format!("http://{}/wiki/rest/api/audit?start=1", seen.header("host").unwrap());
        json(200, json!({ "results": [{ "creationDate": 1, "summary": "x" }], "_links": { "next": next } }).to_string())
    })
    .await;
    assert!(
        !site(&server)
            .audit(1, 2, 0, &Mapper::default())
            .await
            .unwrap()
            .last
    );
}

#[tokio::test]
async fn the_gateway_is_asked_with_the_cloud_id_and_the_site_without_the_credential() {
    let home = Server::start(|_, _| json(200, "{\"cloudId\":\"c-1\"}")).await;
    let gateway = Server::start(|_, _| {
        json(
            200,
            json!({ "results": [], "_links": { "next": "/rest/api/x" } }).to_string(),
        )
    })
    .await;
    let site = site_at(&home, &gateway, SiteRoute::Gateway);
    site.audit(1, 2, 0, &Mapper::default()).await.unwrap();
    site.groups(Some(AccessType::SiteAdmin)).await.unwrap();
    let (asked_home, asked) = (home.seen(), gateway.seen());
    assert_eq!(asked_home.len(), 1);
    assert_eq!(
        (asked_home[0].path(), asked_home[0].header("authorization")),
        ("/_edge/tenant_info", None)
    );
    assert_eq!(asked[0].path(), "/ex/confluence/c-1/wiki/rest/api/audit");
    assert_eq!(
        asked[1].uri,
        "/ex/confluence/c-1/wiki/rest/api/group?start=0&limit=200&accessType=site-admin"
    );
    assert!(
        asked
            .iter()
            .all(|seen| seen.header("authorization").unwrap().starts_with("Basic "))
    );
}

#[tokio::test]
async fn a_cloud_id_that_would_lead_elsewhere_is_not_believed() {
    for body in ["{\"cloudId\":\"../../x\"}", "{}", "{\"cloudId\":\"a b\"}"] {
        let server = Server::start(move |_, _| json(200, body)).await;
        assert!(
            matches!(
                site(&server).cloud_id().await,
                Err(Error::Http(http::Error::Malformed(Malformed::Missing(_))))
            ),
            "{body}"
        );
    }
}

#[tokio::test]
async fn lists_are_walked_by_what_came_whatever_was_asked() {
    let member =
        |number: usize| json!({ "accountId": format!("712020:m{number:04}"), "type": "known" });
    for (total, most, linked) in [
        (0, 200, false),
        (199, 200, false),
        (200, 200, false),
        (450, 200, true),
        (450, 37, false),
        (101, 25, true),
    ] {
        let server = list(total, most, linked, member).await;
        let members = site(&server).members("g-1").await.unwrap();
        assert_eq!(members.items.len(), total, "{total} {most} {linked}");
        assert_eq!(
            server.seen()[0].uri,
            "/wiki/rest/api/group/g-1/membersByGroupId?start=0&limit=200"
        );
    }
}

#[tokio::test]
async fn pages_that_hidden_members_leave_short_or_empty_do_not_end_a_list() {
    // Sixty are hidden, among them a whole page.
    let server = Server::start(|seen, _| {
        let (start, limit) = (number(seen, "start"), 50);
        let shown = (start..(start + limit).min(180)).filter(|n| !(40..100).contains(n));
        let results: Vec<Value> =
            shown.map(|n| json!({ "accountId": format!("712020:m{n:04}") })).collect();
        let mut links = json!({});
        if start + limit < 180 {
            links["next"] = json!(format!("/rest/api/x?limit=50&start={}", start + limit));
        }
        json(200, json!({ "results": results, "start": start, "limit": limit, "size": results.len(), "_links": links }).to_string())
    })
    .await;
    let members = site(&server).members("g-1").await.unwrap();
    assert_eq!(members.items.len(), 120);
}

#[tokio::test]
async fn empty_pages_with_a_link_to_more_are_not_read_for_ever() {
    let server = Server::start(|seen, _| {
        let next = format!("/rest/api/x?start={}", number(seen, "start") + 200);
        json(
            200,
            json!({ "results": [], "limit": 200, "_links": { "next": next } }).to_string(),
        )
    })
    .await;
    let error = site(&server).members("g").await.unwrap_err();
    assert_eq!(error, Malformed::Repeats.into());
}

#[tokio::test]
async fn groups_come_with_id_and_name() {
    let server = list(3, 2, true, |number| json!({ "type": "group", "name": format!("g{number}"), "id": format!("id-{number}") })).await;
    let groups = site(&server).groups(None).await.unwrap().items;
    assert_eq!(
        groups[2],
        Group {
            id: Some("id-2".into()),
            name: "g2".into()
        }
    );
    assert_eq!(groups.len(), 3);
    assert_eq!(server.seen()[0].query("accessType"), None);
}

#[tokio::test]
async fn a_server_that_ignores_where_to_start_does_not_hold_us_up() {
    let server = Server::start(|_, _| {
        json(200, json!({ "results": [{ "accountId": "712020:a" }], "limit": 1, "_links": { "next": "/rest/api/x" } }).to_string())
    })
    .await;
    assert_eq!(
        site(&server).members("g").await.unwrap_err(),
        Malformed::Repeats.into()
    );
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_unknown_group_is_distinguished_from_an_empty_one() {
    let server = Server::start(|seen, _| match seen.query("id").as_deref() {
        Some("known") => json(200, "{\"id\":\"known\"}"),
        Some("forbidden") => json(403, "{}"),
        Some("odd") => json(400, "{}"),
        _ => json(404, "{}"),
    })
    .await;
    let site = site(&server);
    assert_eq!(site.group_exists("known").await, Ok(true));
    assert_eq!(site.group_exists("gone").await, Ok(false));
    assert_eq!(site.group_exists("odd").await, Ok(false));
    assert!(site.group_exists("forbidden").await.is_err());
}

#[tokio::test]
async fn refusals_are_explained_and_show_no_secret() {
    let captcha = [("x-seraph-loginreason", "AUTHENTICATION_DENIED")];
    let failed = [
        ("content-type", "application/json"),
        ("x-seraph-loginreason", "AUTHENTICATED_FAILED"),
    ];
    let server = Server::start(move |_, number| match number {
        0 => json(
            401,
            format!("{{\"code\":401,\"message\":\"Unauthorized; scope does not match {SECRET}\"}}"),
        ),
        1 => reply(401, &captcha, "<html>"),
        // What anybody may see is no answer.
        2 => reply(200, &failed, "{\"results\":[],\"size\":0}"),
        3 => json(
            503,
            "{\"errorCode\":\"SUSPENDED_INACTIVITY\",\"errorMessage\":\"The site is suspended\"}",
        ),
        _ => json(
            403,
            "{\"message\":\"Current user not permitted to use Confluence\",\"statusCode\":403}",
        ),
    })
    .await;
    let site = site(&server);
    for says in [
        "via = \"gateway\"",
        "CAPTCHA",
        "refuses e-mail and API token",
        "SUSPENDED_INACTIVITY: The site is suspended",
        "Confluence Administrator",
    ] {
        let error = site.audit(1, 2, 0, &Mapper::default()).await.unwrap_err();
        let shown = format!("{error} {error:?} {site:?}");
        assert!(shown.contains(says), "{shown}");
        assert!(
            !shown.contains(SECRET) && !shown.contains("auditor@"),
            "{shown}"
        );
    }
}

#[test]
fn futures_can_be_spawned() {
    fn spawnable<T: Send>(_: T) {}
    fn check(site: &Site, organization: &crate::atlassian::Organization, mapper: &Mapper) {
        spawnable(site.audit(0, 1, 0, mapper));
        spawnable(site.groups(None));
        spawnable(site.group_exists("g"));
        spawnable(site.members("g"));
        spawnable(organization.actions());
        spawnable(organization.users(None));
        spawnable(organization.events(&crate::atlassian::EventsAsk::Cursor(String::new()), mapper));
        spawnable(organization.all_users(&mut |_| ()));
    }
    let _: fn(&Site, &crate::atlassian::Organization, &Mapper) = check;
}
