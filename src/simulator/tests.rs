//! What the simulator promises over HTTP.

use std::collections::{BTreeMap, HashSet};

use reqwest::{Client, Response};
use serde_json::json;

use super::*;

struct Tenant {
    simulator: Simulator,
    client: Client,
}

impl Tenant {
    fn new(options: Options) -> Self {
        let world = World::new(WorldSettings::small(1));
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            simulator: Simulator::start(world, options).unwrap(),
            client,
        }
    }

    fn url(&self, path: &str) -> String {
        let path = path
            .replace("{org}", self.simulator.org_id())
            .replace("{cloud}", self.simulator.cloud_id());
        self.simulator.base_url().join(&path).unwrap().to_string()
    }

    async fn org(&self, path: &str) -> Response {
        self.client
            .get(self.url(path))
            .bearer_auth(self.simulator.org_key())
            .send()
            .await
            .unwrap()
    }

    async fn try_org(&self, path: &str) -> Result<Response, reqwest::Error> {
        self.client
            .get(self.url(path))
            .bearer_auth(self.simulator.org_key())
            .send()
            .await
    }

    async fn site(&self, path: &str) -> Response {
        let token = self.simulator.api_token();
        self.client
            .get(self.url(path))
            .basic_auth(self.simulator.email(), Some(token))
            .send()
            .await
            .unwrap()
    }

    async fn org_json(&self, path: &str) -> Value {
        self.org(path).await.json().await.unwrap()
    }

    async fn site_json(&self, path: &str) -> Value {
        self.site(path).await.json().await.unwrap()
    }

    async fn search(&self, body: &Value) -> Value {
        let url = self.url("/admin/v2/orgs/{org}/directories/-/users/search");
        let sent = self
            .client
            .post(url)
            .bearer_auth(self.simulator.org_key())
            .json(body)
            .send();
        sent.await.unwrap().json().await.unwrap()
    }

    /// Every event from a first path on, until a page says that it is the last one, by `null` or by being empty.
    async fn walk(&self, first: &str) -> Vec<Value> {
        let (mut path, mut events) = (first.to_owned(), Vec::new());
        loop {
            let mut page = self.org_json(&path).await;
            let data = page["data"].as_array_mut().unwrap();
            let empty = data.is_empty();
            events.append(data);
            match page["meta"]["next"].as_str() {
                Some(cursor) if !empty => path = format!("{STREAM}?limit=500&cursor={cursor}"),
                _ => return events,
            }
        }
    }
}

const STREAM: &str = "/admin/v1/orgs/{org}/events-stream";
const AUDIT: &str = "/wiki/rest/api/audit";

fn ids(events: &[Value]) -> HashSet<String> {
    events
        .iter()
        .filter_map(|event| event["id"].as_str())
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn the_stream_serves_as_many_events_as_the_world_counts() {
    for last_page in [LastPage::Cursor, LastPage::Null] {
        let tenant = Tenant::new(Options {
            last_page,
            ..Options::default()
        });
        let events = tenant.walk(&format!("{STREAM}?limit=500")).await;
        let counts = tenant.simulator.world().counts();
        assert_eq!(u32::try_from(events.len()).unwrap(), counts.delivered());
        let broken = events
            .iter()
            .filter(|event| event["attributes"]["action"] == 17)
            .count();
        let without_time = events
            .iter()
            .filter(|event| event["attributes"]["time"] == "yesterday, about noon")
            .count();
        assert_eq!([broken, without_time], [2, 2]);
        assert_eq!(
            u32::try_from(ids(&events).len()).unwrap(),
            counts.events + counts.unusable - 2
        );
        let processed: Vec<_> = events
            .iter()
            .map(|event| event["attributes"]["processedAt"].as_str())
            .collect();
        assert!(processed.is_sorted());
    }
}

#[tokio::test]
async fn what_is_served_is_what_is_exported() {
    let tenant = Tenant::new(Options::default());
    let events = tenant.walk(&format!("{STREAM}?limit=500")).await;
    let mut bytes = Vec::new();
    tenant.simulator.write_access_ndjson(&mut bytes).unwrap();
    let exported = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let exported: Vec<Value> = exported
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert!(events == exported);
}

#[tokio::test]
async fn a_cursor_of_the_last_page_polls_for_what_is_new() {
    let tenant = Tenant::new(Options::default());
    let world = tenant.simulator.world();
    let (start, until) = (world.settings().start, world.until());
    let middle = start + (until - start) / 2;
    tenant.simulator.show_until(middle);
    let mut seen = ids(&tenant.walk(&format!("{STREAM}?limit=500")).await);
    let before = world.counts_until(middle);
    assert!(before.events > 100 && before.events < world.counts().events);
    let from = middle.timestamp_millis() + 1;
    let page = tenant.org_json(&format!("{STREAM}?from={from}")).await;
    assert_eq!(page["data"], json!([]));
    let cursor = page["meta"]["next"].as_str().unwrap().to_owned();
    tenant.simulator.show_until(until);
    seen.extend(ids(&tenant
        .walk(&format!("{STREAM}?limit=500&cursor={cursor}"))
        .await));
    assert_eq!(
        u32::try_from(seen.len()).unwrap(),
        world.counts().events + world.counts().unusable - 2
    );
}

#[tokio::test]
async fn a_window_means_processing_or_event_times_as_told() {
    let tenant = Tenant::new(Options::default());
    let start = tenant.simulator.world().settings().start;
    // While the indexer reads, so that there is much on its way.
    let [from, to] =
        [3, 5].map(|day| (start + chrono::TimeDelta::minutes(day * 1_440 + 93)).timestamp_millis());
    let mut walks = Vec::new();
    for (stream_time, name) in [
        (StreamTime::Processing, "processedAt"),
        (StreamTime::Event, "time"),
    ] {
        tenant
            .simulator
            .change(|options| options.stream_time = stream_time);
        tenant
            .simulator
            .change(|options| options.last_page = LastPage::Null);
        let events = tenant
            .walk(&format!("{STREAM}?limit=500&from={from}&to={to}"))
            .await;
        for event in &events {
            let Ok(at) = DateTime::parse_from_rfc3339(event["attributes"][name].as_str().unwrap())
            else {
                continue;
            };
            assert!(
                (from - 999..=to).contains(&at.timestamp_millis()),
                "{event}"
            );
        }
        walks.push(ids(&events));
    }
    assert!(walks[0].len() > 100 && walks[0] != walks[1]);
}

#[tokio::test]
async fn the_other_list_of_events_is_newest_first_and_ends_with_null() {
    let tenant = Tenant::new(Options::default());
    let first = tenant.org_json("/admin/v1/orgs/{org}/events").await;
    assert_eq!(first["data"].as_array().unwrap().len(), 30);
    assert!(first["data"][0]["attributes"].get("processedAt").is_none());
    let cursor = first["meta"]["next"].as_str().unwrap();
    let mut path = format!("/admin/v1/orgs/{{org}}/events?limit=500&cursor={cursor}");
    let mut total = 30;
    loop {
        let page = tenant.org_json(&path).await;
        total += page["data"].as_array().unwrap().len();
        match page["meta"]["next"].as_str() {
            Some(cursor) => {
                path = format!("/admin/v1/orgs/{{org}}/events?limit=500&cursor={cursor}");
            }
            None => break,
        }
    }
    assert_eq!(
        u32::try_from(total).unwrap(),
        tenant.simulator.world().counts().delivered()
    );
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_with_their_code() {
    let tenant = Tenant::new(Options::default());
    for (query, code) in [
        ("limit=501", "ADMIN-400-19"),
        ("limit=0", "ADMIN-400-19"),
        ("from=yesterday", "ADMIN-400-3"),
        ("cursor=nonsense", "ADMIN-400-1"),
    ] {
        let answer = tenant.org(&format!("{STREAM}?{query}")).await;
        assert_eq!(answer.status(), 400);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            (&body["errors"][0]["code"], &body["errors"][0]["status"]),
            (&json!(code), &json!("400"))
        );
    }
    let other = tenant
        .org("/admin/v1/orgs/00000000-0000-0000-0000-000000000000/events-stream")
        .await;
    assert_eq!(other.status(), 404);
}

#[tokio::test]
async fn a_key_that_is_not_good_is_told_apart() {
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
    let told: Vec<_> = tenant
        .simulator
        .requests()
        .iter()
        .map(|request| (request.authorised, request.status))
        .collect();
    assert_eq!(
        told,
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
async fn a_plan_without_views_has_neither_the_events_nor_the_words() {
    let tenant = Tenant::new(Options {
        plan_without_views: true,
        ..Options::default()
    });
    let events = tenant.walk(&format!("{STREAM}?limit=500")).await;
    assert!(events.len() > 50);
    let actions: HashSet<_> = events
        .iter()
        .filter_map(|event| event["attributes"]["action"].as_str())
        .collect();
    assert!(actions.contains("user_login") && actions.contains("user_added_to_group"));
    assert!(
        events
            .iter()
            .filter(|event| event["attributes"]["action"] == "confluence_page_viewed")
            .count()
            <= 4
    );
    let words = tenant.org_json("/admin/v1/orgs/{org}/event-actions").await;
    assert!(
        words["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|word| word["id"] != "confluence_page_viewed")
    );
}

#[tokio::test]
async fn the_date_header_carries_the_simulated_now() {
    let tenant = Tenant::new(Options::default());
    tenant
        .simulator
        .show_until(crate::time::moment(1_786_000_000));
    let answer = tenant
        .client
        .get(tenant.url("/_edge/tenant_info"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["date"], "Thu, 06 Aug 2026 07:06:40 GMT");
}

#[tokio::test]
async fn a_throttled_request_is_told_to_wait_in_every_form() {
    let tenant = Tenant::new(Options::default());
    let names = ["retry-after", "x-retry-after", "x-ratelimit-reset"];
    let mut told = BTreeMap::new();
    for hint in [
        Hint::Seconds,
        Hint::HttpDate,
        Hint::XRetryAfter,
        Hint::Reset,
        Hint::None,
    ] {
        tenant
            .simulator
            .fail_next("events-stream", Fault::Throttled(hint), 1);
        let answer = tenant.org(STREAM).await;
        assert_eq!(answer.status(), 429);
        let headers = names.map(|name| {
            answer
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        });
        told.insert(format!("{hint:?}"), headers);
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], 429);
    }
    assert_eq!(told["Seconds"][0].as_deref(), Some("0"));
    assert!(told["HttpDate"][0].as_deref().unwrap().ends_with("GMT"));
    assert_eq!(told["XRetryAfter"], [None, Some("0".to_owned()), None]);
    assert_eq!(
        told["Reset"][2].as_ref().map(String::len),
        Some("2026-08-17T00:00Z".len())
    );
    assert_eq!(told["None"], [None, None, None]);
    assert_eq!(tenant.org(STREAM).await.status(), 200);
}

#[tokio::test]
async fn answers_that_are_not_what_was_asked_for_come_as_ordered() {
    let tenant = Tenant::new(Options::default());
    let order = |fault| tenant.simulator.fail_next("events-stream", fault, 1);
    for (fault, status, content_type, is_json) in [
        (Fault::ServerError(500), 500, "application/json", true),
        (Fault::ServerError(502), 502, "application/json", true),
        (
            Fault::ServerErrorHtml(503),
            503,
            "text/html;charset=UTF-8",
            false,
        ),
        (Fault::HtmlOk, 200, "text/html;charset=UTF-8", false),
        (Fault::PlainText, 200, "text/plain;charset=UTF-8", false),
        (Fault::PlainAsJson, 200, "application/json", false),
        (Fault::Truncated, 200, "application/json", false),
        (Fault::Redirect, 302, "text/html;charset=UTF-8", false),
    ] {
        order(fault);
        let answer = tenant.org(STREAM).await;
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers()["content-type"].to_str().unwrap()
            ),
            (status, content_type)
        );
        if fault == Fault::Redirect {
            assert!(
                answer.headers()["location"]
                    .to_str()
                    .unwrap()
                    .starts_with("https://elsewhere.example/")
            );
        }
        let body = answer.text().await.unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&body).is_ok(),
            is_json,
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_ends_before_or_within_an_answer_or_says_nothing() {
    let tenant = Tenant::new(Options::default());
    tenant.simulator.fail_next("events-stream", Fault::Reset, 1);
    assert!(tenant.try_org(STREAM).await.is_err());
    for path in [STREAM, "/_edge/tenant_info"] {
        tenant
            .simulator
            .fail_next(path.rsplit('/').next().unwrap(), Fault::CutBody, 1);
        let answer = tenant.try_org(path).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.is_err());
    }
    tenant.simulator.fail_next("events-stream", Fault::Stall, 1);
    let asked = tenant
        .client
        .get(tenant.url(STREAM))
        .bearer_auth(tenant.simulator.org_key());
    let error = asked
        .timeout(std::time::Duration::from_millis(50))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(tenant.org(STREAM).await.status(), 200);
    let statuses: Vec<_> = tenant
        .simulator
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [0, 0, 0, 0, 200]);
}

#[tokio::test]
async fn cursors_go_wrong_in_every_way() {
    let tenant = Tenant::new(Options::default());
    let order = |fault, times| tenant.simulator.fail_next("events-stream", fault, times);
    let first = tenant.org_json(&format!("{STREAM}?limit=5")).await;
    let cursor = first["meta"]["next"].as_str().unwrap();
    let second = format!("{STREAM}?limit=5&cursor={cursor}");
    order(Fault::RepeatingCursor, 1);
    let page = tenant.org_json(&second).await;
    assert_eq!(page["meta"]["next"], cursor);
    assert_eq!(page["data"].as_array().unwrap().len(), 5);
    order(Fault::EndlessCursors, 2);
    let (one, two) = (
        tenant.org_json(&second).await,
        tenant.org_json(&second).await,
    );
    assert_eq!(one["data"], json!([]));
    assert_ne!(one["meta"]["next"], two["meta"]["next"]);
    let after = one["meta"]["next"].as_str().unwrap();
    let resumed = tenant
        .org_json(&format!("{STREAM}?limit=5&cursor={after}"))
        .await;
    assert_eq!(resumed["data"], page["data"]);
    order(Fault::RefusedCursor, 1);
    assert_eq!(
        tenant.org_json(&second).await["errors"][0]["code"],
        "ADMIN-400-1"
    );
    order(Fault::ForeignNext, 1);
    let page = tenant.org_json(&second).await;
    assert!(
        page["links"]["next"]
            .as_str()
            .unwrap()
            .starts_with("https://elsewhere.example/")
    );
    assert_eq!(page["meta"]["next"], Value::Null);
    tenant.simulator.fail_next("audit", Fault::ForeignNext, 1);
    let page = tenant.site_json(&format!("{AUDIT}?limit=1")).await;
    assert!(
        page["_links"]["next"]
            .as_str()
            .unwrap()
            .starts_with("https://elsewhere.example/")
    );
}

#[tokio::test]
async fn bodies_can_be_far_too_large_or_empty_of_people() {
    let tenant = Tenant::new(Options::default());
    tenant.simulator.change(|options| {
        options.faults.oversized = 3 << 20;
        options.faults.bomb = 5 << 20;
    });
    tenant
        .simulator
        .fail_next("tenant_info", Fault::Oversized, 1);
    assert_eq!(
        tenant
            .org("/_edge/tenant_info")
            .await
            .bytes()
            .await
            .unwrap()
            .len(),
        3 << 20
    );
    tenant
        .simulator
        .fail_next("tenant_info", Fault::GzipBomb, 1);
    assert_eq!(
        tenant
            .org("/_edge/tenant_info")
            .await
            .bytes()
            .await
            .unwrap()
            .len(),
        5 << 20
    );
    tenant
        .simulator
        .fail_next("users/search", Fault::EmptyRoster, 1);
    assert_eq!(tenant.search(&json!({})).await["data"], json!([]));
    tenant.simulator.fail_next("/group", Fault::EmptyRoster, 1);
    assert_eq!(
        tenant
            .site_json("/wiki/rest/api/group?accessType=admin")
            .await["results"],
        json!([])
    );
}

#[tokio::test]
async fn by_chance_only_the_share_that_was_asked_for_goes_wrong_and_nothing_is_lost() {
    let tenant = Tenant::new(Options {
        faults: Faults::passing(3, 0.3),
        ..Options::default()
    });
    let mut good = 0;
    for _ in 0..60 {
        let answer = tenant.try_org(&format!("{STREAM}?limit=1")).await;
        let Ok(answer) = answer else { continue };
        if answer.status() != 200 {
            continue;
        }
        let Ok(body) = answer.bytes().await else {
            continue;
        };
        good += usize::from(serde_json::from_slice::<Value>(&body).is_ok());
    }
    assert!((30..55).contains(&good), "{good}");
    let faults = tenant
        .simulator
        .requests()
        .iter()
        .filter(|request| request.fault.is_some())
        .count();
    assert!((8..28).contains(&faults), "{faults}");
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
async fn nothing_listens_once_the_simulator_is_gone() {
    let tenant = Tenant::new(Options::default());
    assert_eq!(tenant.org(STREAM).await.status(), 200);
    let (url, client) = (tenant.url(STREAM), tenant.client.clone());
    drop(tenant.simulator);
    // The idle connection of the client ends too.
    while client.get(&url).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
}
