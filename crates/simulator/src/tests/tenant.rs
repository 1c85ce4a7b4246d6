//! Who is let in, the site, the directory, the webhook.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_key_that_is_not_good_is_distinguished() {
    let tenant = Tenant::new(Options::default());
    let bare = tenant.client.get(tenant.url(STREAM)).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    assert_eq!(
        bare.json::<Value>().await.unwrap(),
        json!({ "code": 401, "message": "Unauthorized" })
    );
    for (key, status, word) in [
        (KeyState::Refused, 401, "Unauthorized"),
        (KeyState::NoScope, 401, "Unauthorized; scope does not match"),
        (
            KeyState::Forbidden,
            403,
            "You're not allowed to perform this request.",
        ),
        (KeyState::Good, 200, ""),
    ] {
        tenant.simulator.change(|options| options.key = key);
        let answer = tenant.org(STREAM).await;
        assert_eq!(answer.status(), status);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["message"].as_str().unwrap_or_default(), word);
    }
    let sent: Vec<_> = tenant
        .simulator
        .requests()
        .iter()
        .map(|request| (request.authorised, request.status))
        .collect();
    assert_eq!(
        sent,
        [
            (false, 401),
            (false, 401),
            (false, 401),
            (false, 403),
            (true, 200)
        ]
    );
}

#[tokio::test]
async fn each_token_opens_one_door() {
    let tenant = Tenant::new(Options::default());
    let (email, simulator) = (tenant.simulator.email(), &tenant.simulator);
    let gateway = format!("/ex/confluence/{{cloud}}{AUDIT}");
    for (path, token, status) in [
        (AUDIT, simulator.api_token(), 200),
        (AUDIT, simulator.scoped_token(), 401),
        (&gateway, simulator.scoped_token(), 200),
        (&gateway, simulator.api_token(), 401),
        (AUDIT, "wrong", 401),
    ] {
        let asked = tenant
            .client
            .get(tenant.url(path))
            .basic_auth(email, Some(token))
            .send()
            .await
            .unwrap();
        assert_eq!(asked.status(), status, "{path}");
    }
    assert_eq!(
        tenant
            .client
            .get(tenant.url(AUDIT))
            .bearer_auth(simulator.org_key())
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    tenant
        .simulator
        .change(|options| options.site = SiteState::NoAudit);
    assert_eq!(tenant.site(AUDIT).await.status(), 403);
    assert_eq!(tenant.site("/wiki/rest/api/group").await.status(), 200);
    let info = tenant
        .client
        .get(tenant.url("/_edge/tenant_info"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        info.json::<Value>().await.unwrap(),
        json!({ "cloudId": simulator.cloud_id() })
    );
}

#[tokio::test]
async fn the_audit_log_is_served_whole_newest_first_with_every_shape_of_link() {
    for audit_next in [NextLink::Rest, NextLink::Wiki, NextLink::Absolute] {
        let tenant = Tenant::new(Options {
            audit_next,
            audit_limit: 7,
            ..Options::default()
        });
        let (mut path, mut records) = (format!("{AUDIT}?limit=50"), Vec::new());
        loop {
            let page = tenant.site_json(&path).await;
            assert_eq!(page["limit"], 7);
            records.extend(page["results"].as_array().unwrap().clone());
            let Some(next) = page["_links"]["next"].as_str() else {
                break;
            };
            path = if next.starts_with("/rest") {
                format!("/wiki{next}")
            } else {
                next.to_owned()
            };
        }
        let counts = tenant.simulator.world().counts();
        assert_eq!(u32::try_from(records.len()).unwrap(), counts.audit);
        assert!(
            records.is_sorted_by_key(|record| std::cmp::Reverse(record["creationDate"].as_i64()))
        );
    }
}

#[tokio::test]
async fn the_ends_of_an_audit_window_are_inclusive_and_the_next_link_may_be_missing() {
    let tenant = Tenant::new(Options {
        audit_next: NextLink::None,
        ..Options::default()
    });
    let all = tenant.site_json(AUDIT).await;
    let newest = all["results"][0]["creationDate"].as_i64().unwrap();
    let page = tenant
        .site_json(&format!(
            "{AUDIT}?startDate={newest}&endDate={newest}&limit=1"
        ))
        .await;
    assert_eq!(page["results"].as_array().unwrap().len(), 1);
    let page = tenant.site_json(&format!("{AUDIT}?limit=2")).await;
    assert_eq!(
        (page["size"].as_i64(), page["_links"].get("next")),
        (Some(2), None)
    );
}

#[tokio::test]
async fn an_audit_record_may_be_forged_behind_the_newest() {
    let tenant = Tenant::new(Options::default());
    let at = tenant.simulator.world().settings().start.timestamp_millis();
    let record = json!({ "remoteAddress": "", "creationDate": at, "summary": "Nothing to see" });
    let post = tenant
        .client
        .post(tenant.url(AUDIT))
        .basic_auth(tenant.simulator.email(), Some(tenant.simulator.api_token()));
    assert_eq!(post.json(&record).send().await.unwrap().status(), 200);
    let page = tenant
        .site_json(&format!("{AUDIT}?startDate={at}&endDate={at}"))
        .await;
    assert_eq!(page["results"][0]["summary"], "Nothing to see");
    assert!(page["results"][0]["author"].get("accountId").is_none());
}

#[tokio::test]
async fn groups_and_members_are_those_of_the_simulated_now() {
    let tenant = Tenant::new(Options::default());
    let world = tenant.simulator.world();
    let admins = tenant
        .site_json("/wiki/rest/api/group?accessType=admin")
        .await;
    let names: Vec<_> = admins["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["name"].clone())
        .collect();
    assert_eq!(names, ["confluence-admins-acme", "site-admins"]);
    let id = admins["results"][0]["id"].as_str().unwrap();
    let path = format!("/wiki/rest/api/group/{id}/membersByGroupId");
    let mut members = Vec::new();
    for moment in [world.settings().start, world.until()] {
        tenant.simulator.show_until(moment);
        let page = tenant.site_json(&path).await;
        let ids = page["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["accountId"].as_str().unwrap().to_owned());
        members.push(ids.collect::<Vec<_>>());
    }
    assert_eq!(members.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    assert_ne!(members[0], members[1]);
    assert_eq!(
        tenant.site(&format!("{path}?limit=201")).await.status(),
        400
    );
    let unknown = tenant
        .site_json("/wiki/rest/api/group/00000000/membersByGroupId")
        .await;
    assert_eq!(unknown["results"], json!([]));
    assert_eq!(
        tenant
            .site("/wiki/rest/api/group/by-id?id=00000000")
            .await
            .status(),
        404
    );
    assert_eq!(
        tenant
            .site(&format!("/wiki/rest/api/group/by-id?id={id}"))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn the_directory_is_searched_page_by_page() {
    let tenant = Tenant::new(Options::default());
    let mut body = json!({ "limit": 7, "expand": ["platformRoles", "groups"] });
    let mut users = Vec::new();
    loop {
        let page = tenant.search(&body).await;
        users.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["links"]["next"].as_str() else {
            break;
        };
        body = json!({ "cursor": next });
    }
    let world = tenant.simulator.world();
    assert_eq!(
        users,
        *world.roster_json(world.until())["data"].as_array().unwrap()
    );
    assert_eq!(users.len(), 30);
    let too_many = tenant.search(&json!({ "limit": 101 })).await;
    assert_eq!(too_many["errors"][0]["code"], "ADMIN-400-19");
}

#[tokio::test]
async fn the_date_header_carries_the_simulated_now() {
    let tenant = Tenant::new(Options::default());
    tenant
        .simulator
        .show_until(pagewarden_core::time::moment(1_786_000_000));
    let answer = tenant
        .client
        .get(tenant.url("/_edge/tenant_info"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["date"], "Thu, 06 Aug 2026 07:06:40 GMT");
}

#[tokio::test]
async fn the_webhook_keeps_what_it_was_sent_also_what_it_refused() {
    let tenant = Tenant::new(Options::default());
    tenant
        .simulator
        .fail_next("/webhook", Fault::ServerError(500), 1);
    for status in [500, 200] {
        let sent = tenant
            .client
            .post(tenant.simulator.webhook_url())
            .header("webhook-id", "f-1.1")
            .body("{}")
            .send();
        assert_eq!(sent.await.unwrap().status(), status);
    }
    let received = tenant.simulator.received();
    assert_eq!(
        received
            .iter()
            .map(|message| message.accepted)
            .collect::<Vec<_>>(),
        [false, true]
    );
    assert!(
        received
            .iter()
            .all(|message| message.header("webhook-id") == Some("f-1.1") && message.body == b"{}")
    );
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_accept_it() {
    let tenant = Tenant::new(Options {
        gzip: true,
        ..Options::default()
    });
    assert_eq!(
        tenant.org_json(&format!("{STREAM}?limit=50")).await["data"]
            .as_array()
            .unwrap()
            .len(),
        50
    );
}

#[tokio::test]
async fn nothing_listens_once_the_simulator_has_stopped() {
    let tenant = Tenant::new(Options::default());
    assert_eq!(tenant.org(STREAM).await.status(), 200);
    let (url, client) = (tenant.url(STREAM), tenant.client.clone());
    drop(tenant.simulator);
    // The idle connection of the client ends too.
    while client.get(&url).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
}
