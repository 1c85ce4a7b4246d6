//! What one tenant says holds for that tenant, and a page belongs to its site.

use serde_json::{Value, json};

use crate::support::kit::Desk;

/// Two tenants of one config that is never asked anything, with more settings behind each.
fn two_tenants(one: &str, other: &str) -> Desk {
    let tenant = |name: &str, more: &str| {
        format!(
            "[[tenant]]\nname = \"{name}\"\n[tenant.organization]\nid = \"org-{name}\"\n\
             api_key = {{ file = \"{{dir}}/org.key\" }}\n{more}\n"
        )
    };
    let config = format!(
        "[state]\npath = \"{{dir}}/state.db\"\n{}{}",
        tenant("one", one),
        tenant("other", other)
    );
    let desk = Desk::new(&config);
    desk.keep("org.key", b"key-of-the-organisation");
    desk
}

/// Views of pages, each by somebody on a site, as a file that can be imported.
fn views(pages: impl Iterator<Item = (u32, &'static str, &'static str)>) -> Vec<u8> {
    let mut lines = String::new();
    for (n, (page, site, who)) in (0..).zip(pages) {
        let n: u32 = n;
        let at = format!(
            "2024-01-08T{:02}:{:02}:{:02}Z",
            8 + n / 3_600,
            n / 60 % 60,
            n % 60
        );
        let event = json!({
            "id": format!("00000000-0000-4000-8000-{n:012}"),
            "type": "events",
            "attributes": {
                "time": at,
                "processedAt": at,
                "action": "confluence_page_viewed",
                "actor": { "id": who, "name": who },
                "context": [{ "id": page.to_string(), "type": "page" }],
                "container": [{ "id": site, "type": "sites", "attributes": { "siteHostName": format!("https://{site}") } }],
            },
        });
        lines.push_str(&event.to_string());
        lines.push('\n');
    }
    lines.into_bytes()
}

/// What each tenant was found: detector and account.
fn found(desk: &Desk) -> Vec<(String, String, String)> {
    let out = desk.run(&["findings", "export"]).out;
    let list: Value = serde_json::from_str(&out).unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all: Vec<_> = list["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                word(&one["tenant"]),
                word(&one["detector"]),
                word(&one["account"]["id"]),
            )
        })
        .collect();
    all.sort();
    all
}

fn import_for_both(desk: &Desk, bytes: &[u8]) {
    desk.keep("views.ndjson", bytes);
    for tenant in ["one", "other"] {
        let ran = desk.run(&[
            "--tenant",
            tenant,
            "import",
            desk.path("views.ndjson").to_str().unwrap(),
        ]);
        assert!(ran.code != 2 && ran.code != 1, "{ran:#?}");
    }
}

#[test]
fn a_canary_page_of_one_tenant_alarms_no_other() {
    let desk = two_tenants("[tenant.detect]\ncanary_pages = [7]", "");
    import_for_both(&desk, &views([(7, "a.example", "ada")].into_iter()));
    let canary = |tenant: &str| (tenant.into(), "canary-page".into(), "ada".into());
    assert_eq!(found(&desk), [canary("one")]);
}

#[test]
fn a_suppression_of_one_tenant_silences_no_other() {
    let rule =
        "[[tenant.detect.suppress]]\naccount = \"ada\"\nreason = \"known\"\nuntil = \"2099-01-31\"";
    let desk = two_tenants(rule, "[detect]\ncanary_pages = [7]");
    import_for_both(
        &desk,
        &views([(7, "a.example", "ada"), (7, "a.example", "eve")].into_iter()),
    );
    let canary = |tenant: &str, who: &str| (tenant.into(), "canary-page".into(), who.into());
    assert_eq!(
        found(&desk),
        [
            canary("one", "eve"),
            canary("other", "ada"),
            canary("other", "eve")
        ]
    );
}

#[test]
fn page_7_of_two_sites_is_two_pages() {
    let canary =
        "[tenant.detect]\ncanary_pages = [\"https://a.example/wiki/spaces/OPS/pages/7/Bait\"]";
    let desk = two_tenants(canary, "");
    import_for_both(
        &desk,
        &views([(7, "a.example", "ada"), (7, "b.example", "eve")].into_iter()),
    );
    assert_eq!(
        found(&desk),
        [("one".into(), "canary-page".into(), "ada".into())]
    );
}

/// What `check --offline` says where the first tenant has two sites and these settings.
fn problems_of(detect: &str) -> String {
    let site = |name: &str| {
        format!(
            "[[tenant.site]]\nurl = \"https://{name}.example\"\nemail = \"a@b.example\"\napi_token = {{ file = \"{{dir}}/org.key\" }}\n"
        )
    };
    let own = format!("{}{}[tenant.detect]\n{detect}", site("a"), site("b"));
    let desk = two_tenants(&own, "");
    desk.run(&["check", "--offline"]).ended(2).out
}

#[test]
fn a_page_or_space_that_several_sites_may_have_is_asked_about() {
    let said = problems_of("canary_pages = [7]");
    assert!(said.contains("https://SITE/wiki/pages/7"), "{said}");
    assert!(said.contains("`a.example`, `b.example`"), "{said}");
    let rule =
        "[[tenant.detect.suppress]]\nspace = \"HR\"\nreason = \"moved\"\nuntil = \"2099-01-31\"\n";
    let said = problems_of(rule);
    assert!(said.contains("https://SITE/wiki/spaces/HR"), "{said}");
}

#[test]
fn a_page_on_a_site_that_the_tenant_does_not_have_is_a_mistake() {
    let said = problems_of("canary_pages = [\"https://c.example/wiki/pages/7\"]");
    assert!(said.contains("has no site `c.example`"), "{said}");
}
