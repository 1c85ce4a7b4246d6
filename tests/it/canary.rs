//! Canary pages of a tenant whose plan logs no page views: their view counts show that they were opened.

use pagewarden_simulator::{Options, SiteState};
use serde_json::{Value, json};

use crate::support::desk::{Desk, Setup, Tenant, small_world};

/// A page that people open every day: the most popular space's first.
fn page() -> &'static str {
    let world: &'static _ = Box::leak(Box::new(small_world()));
    world.pages().next().unwrap().0
}

/// A tenant of five days, and a desk that watches canary pages.
fn watched(options: Options, change: impl FnOnce(&mut Setup)) -> (Tenant, Desk) {
    let tenant = Tenant::with(options);
    tenant.pass(5);
    let desk = tenant.desk(change);
    (tenant, desk)
}

fn list(desk: &Desk, page: &str, more: &str) {
    let config = desk.read("pagewarden.toml");
    let before = config.split("[detect]").next().unwrap();
    let config = format!("{before}[detect]\ncanary_pages = [\"{page}\"]\n{more}");
    desk.write("pagewarden.toml", config);
}

fn scan(desk: &Desk) {
    let done = desk.run("-q scan");
    assert!(matches!(done.code(), 0 | 10..=13), "{done:?}");
}

fn canaries(desk: &Desk) -> Vec<Value> {
    let mut all = desk.findings();
    all.retain(|finding| finding["family"] == "canary");
    all
}

/// The messages about canary pages.
fn sent(tenant: &Tenant) -> usize {
    let received = tenant.simulator.received();
    let bodies = received
        .iter()
        .map(|one| serde_json::from_slice::<Value>(&one.body).unwrap());
    bodies.filter(|body| body["family"] == "canary").count()
}

/// How often the site was asked for the number of views.
fn asked(tenant: &Tenant) -> usize {
    let requests = tenant.simulator.requests();
    let counts = requests
        .iter()
        .filter(|one| one.path.contains("/analytics/"));
    counts.count()
}

/// Opened between two scans: reported once, and neither a look nor an analysis from scratch changes that.
fn reported_once(tenant: &Tenant, desk: &Desk) {
    // A page that is not there keeps no other from being asked for.
    list(desk, &format!("1\", \"{}", page()), "");
    scan(desk);
    assert_eq!((canaries(desk).len(), asked(tenant)), (0, 2));
    tenant.pass(9);
    scan(desk);
    let [one] = canaries(desk).try_into().unwrap();
    assert_eq!(
        (&one["detector"], &one["account"], &one["severity"]),
        (&json!("canary-page"), &Value::Null, &json!("high"))
    );
    assert_eq!(one["revision"], 1);
    let reason = one["reason"].as_str().unwrap();
    let begins = format!("Canary page {} was opened ", page());
    assert!(
        reason.starts_with(&begins) && reason.contains("view count rose from "),
        "{reason}"
    );
    scan(desk);
    list(desk, &format!("1\", \"{}", page()), "min_pages = 6\n");
    scan(desk);
    assert_eq!(canaries(desk), [one]);
    assert_eq!(sent(tenant), 1);
    // Opened again: news of the same week's finding.
    tenant.pass(13);
    scan(desk);
    let revisions: u64 = canaries(desk)
        .iter()
        .filter_map(|one| one["revision"].as_u64())
        .sum();
    assert_eq!((revisions, sent(tenant)), (2, 2));
}

#[test]
fn a_canary_is_reported_by_its_count_where_no_organisation_is_configured() {
    let (tenant, desk) = watched(Options::default(), |setup| setup.organization = None);
    reported_once(&tenant, &desk);
}

#[test]
fn a_canary_is_reported_by_its_count_through_the_gateway_where_the_plan_logs_no_views() {
    let options = Options {
        plan_without_views: true,
        ..Options::default()
    };
    let (tenant, desk) = watched(options, |setup| setup.via = "gateway");
    desk.write("site.token", tenant.simulator.scoped_token());
    reported_once(&tenant, &desk);
}

#[test]
fn when_the_log_begins_to_hold_page_views_the_last_count_is_reported_and_no_other_asked_for() {
    let options = Options {
        plan_without_views: true,
        ..Options::default()
    };
    let (tenant, desk) = watched(options, |_| {});
    list(&desk, page(), "");
    scan(&desk);
    tenant.pass(9);
    tenant
        .simulator
        .change(|options| options.plan_without_views = false);
    scan(&desk);
    let by_count = || {
        canaries(&desk)
            .iter()
            .filter(|one| one["account"].is_null())
            .count()
    };
    assert_eq!((by_count(), asked(&tenant)), (1, 2));
    tenant.pass(13);
    scan(&desk);
    assert_eq!((by_count(), asked(&tenant)), (1, 2));
}

#[test]
fn no_count_is_asked_for_where_the_log_holds_page_views() {
    let (tenant, desk) = watched(Options::default(), |_| {});
    list(&desk, page(), "");
    scan(&desk);
    tenant.pass(9);
    scan(&desk);
    assert_eq!(asked(&tenant), 0);
    assert!(canaries(&desk).iter().all(|one| one["account"].is_object()));
}

#[test]
fn a_count_that_is_refused_is_a_note_and_no_failure() {
    let (tenant, desk) = watched(Options::default(), |setup| setup.organization = None);
    tenant
        .simulator
        .change(|options| options.site = SiteState::NoAnalytics);
    let notes = || desk.tenant()["coverage"]["notes"].to_string();
    list(&desk, page(), "");
    // A line in the log when it begins, and a sentence at the end of every scan.
    let said = || {
        desk.run("scan")
            .ends(0)
            .err
            .matches("views of canary page")
            .count()
    };
    assert_eq!((said(), said()), (2, 1));
    assert!(notes().contains("the plan has no analytics"), "{}", notes());
    // A page that is not there.
    tenant
        .simulator
        .change(|options| options.site = SiteState::Good);
    list(&desk, "1", "");
    scan(&desk);
    assert!(notes().contains("it is gone"), "{}", notes());
    list(&desk, page(), "");
    scan(&desk);
    assert!(!notes().contains("canary page"), "{}", notes());
}
