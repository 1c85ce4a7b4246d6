//! A tenant that is not as it should be: each starts or refuses with words that say what is not seen or what to do.

use std::fmt::Write as _;

use pagewarden_simulator::{Fault, KeyState, Options, SiteState};

use crate::support::desk::{Desk, Done, Setup, Tenant, with_key, with_site};

/// One scan of a simulated tenant with these settings.
fn scan(options: Options, change: impl FnOnce(&mut Setup, &Tenant)) -> (Desk, Done) {
    let tenant = Tenant::with(options);
    let mut setup = Setup::of(&tenant);
    change(&mut setup, &tenant);
    let desk = Desk::set_up(&setup);
    let done = desk.run("-q scan");
    (desk, done)
}

/// What a scan says on standard error.
fn words(desk: &Desk, done: &Done) -> String {
    format!("exit code {}\n{}", done.code(), desk.redacted(&done.err))
}

#[test]
fn an_organisation_alone_is_watched_and_what_is_not_seen_is_said() {
    let (desk, done) = scan(Options::default(), |setup, _| setup.site = None);
    insta::assert_snapshot!("only_an_organisation", words(&desk, &done));
    let status = desk.status();
    assert_eq!(status["tenants"][0]["coverage"]["page_views"], true);
    assert!(!desk.findings().is_empty());
}

#[test]
fn a_site_alone_is_watched_and_what_is_not_seen_is_said() {
    let (desk, done) = scan(Options::default(), |setup, _| setup.organization = None);
    insta::assert_snapshot!("only_a_site", words(&desk, &done));
    let status = desk.status();
    let tenant = &status["tenants"][0];
    assert_eq!(tenant["coverage"]["page_views"], false);
    assert!(tenant["streams"][0]["stored"].as_u64().unwrap() > 0);
    assert!(tenant["admins"]["accounts"].as_u64().unwrap() > 0);
}

#[test]
fn a_plan_without_views_is_not_taken_for_quiet() {
    let options = Options {
        plan_without_views: true,
        ..Options::default()
    };
    let (desk, done) = scan(options, |_, _| {});
    insta::assert_snapshot!("a_plan_without_views", words(&desk, &done));
}

#[test]
fn refusals_of_the_organisation_are_explained() {
    for (name, state) in [
        ("an_organisation_key_that_is_refused", KeyState::Refused),
        ("an_organisation_key_without_scope", KeyState::NoScope),
        ("an_organisation_that_is_forbidden", KeyState::Forbidden),
    ] {
        let (desk, done) = scan(with_key(state), |_, _| {});
        assert_eq!(done.code(), 1, "{name}");
        insta::assert_snapshot!(name, words(&desk, &done));
        let status = desk.status();
        assert!(
            status["tenants"][0]["streams"][0]["last_error"].is_string(),
            "{name}"
        );
        // The other half of the tenant is read all the same.
        assert!(
            status["tenants"][0]["streams"][1]["stored"]
                .as_u64()
                .unwrap()
                > 0,
            "{name}"
        );
    }
}

#[test]
fn a_wrong_key_or_id_is_explained_and_never_shown() {
    let (desk, done) = scan(Options::default(), |setup, _| {
        setup.key = "not-the-key-at-all".to_owned();
    });
    assert_eq!(done.code(), 1);
    insta::assert_snapshot!("a_wrong_organisation_key", words(&desk, &done));
    assert!(!done.err.contains("not-the-key-at-all"));
    let (desk, done) = scan(Options::default(), |setup, _| {
        setup.id = "00000000-0000-0000-0000-000000000000".to_owned();
    });
    assert_eq!(done.code(), 1);
    insta::assert_snapshot!("a_wrong_organisation", words(&desk, &done));
}

#[test]
fn refusals_of_a_site_are_explained() {
    for (name, state) in [
        ("a_site_token_that_is_refused", SiteState::Refused),
        ("a_site_without_audit_permission", SiteState::NoAudit),
        ("a_site_that_is_forbidden", SiteState::Forbidden),
    ] {
        let (desk, done) = scan(with_site(state), |_, _| {});
        assert_eq!(done.code(), 1, "{name}");
        insta::assert_snapshot!(name, words(&desk, &done));
        assert!(!desk.findings().is_empty(), "{name}");
    }
}

#[test]
fn a_scoped_token_works_through_the_gateway_only() {
    let scoped = |setup: &mut Setup, tenant: &Tenant| {
        setup.token = tenant.simulator.scoped_token().to_owned();
    };
    let (desk, done) = scan(Options::default(), |setup, tenant| {
        scoped(setup, tenant);
        setup.via = "gateway";
    });
    insta::assert_snapshot!("a_scoped_token_via_gateway", words(&desk, &done));
    let (desk, done) = scan(Options::default(), scoped);
    assert_eq!(done.code(), 1);
    insta::assert_snapshot!("a_scoped_token_via_site", words(&desk, &done));
    let (desk, done) = scan(Options::default(), |setup, _| setup.via = "gateway");
    assert_eq!(done.code(), 1);
    insta::assert_snapshot!("a_plain_token_via_gateway", words(&desk, &done));
}

#[test]
fn a_server_that_is_not_there_is_unreachable_and_not_quiet() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let (desk, done) = scan(Options::default(), |setup, _| {
        setup.organization = Some(nowhere.clone());
        setup.site = Some(nowhere);
    });
    assert_eq!(done.code(), 1);
    insta::assert_snapshot!("nobody_there", words(&desk, &done));
}

#[test]
fn a_page_in_place_of_json_is_not_believed() {
    let tenant = Tenant::small();
    tenant
        .simulator
        .fail_next("/events-stream", Fault::HtmlOk, 20);
    let desk = Desk::set_up(&Setup::of(&tenant));
    let done = desk.run("-q scan").ends(1);
    insta::assert_snapshot!("a_page_in_place_of_json", words(&desk, &done));
    // The next one goes on as if nothing had been.
    tenant
        .simulator
        .change(|options| *options = Options::default());
    let again = Tenant::small();
    let setup = Setup::of(&again);
    desk.settle(&setup);
    let done = desk.run("-q scan");
    assert!((10..=13).contains(&done.code()), "{done:?}");
}

#[test]
fn what_is_missing_or_broken_is_reported_before_anything_is_started() {
    let tenant = Tenant::small();
    let setup = Setup::of(&tenant);
    let mut shown = String::new();
    let mut run = |desk: &Desk, what: &str, words: &str| {
        let done = desk.run(words);
        writeln!(
            shown,
            "# {what}: pagewarden {words}\n{}",
            done.transcript(desk)
        )
        .unwrap();
        assert!(!desk.path("state.db").exists(), "{what}");
    };
    let empty = Desk::new();
    for words in ["scan", "run", "backfill --from 2024-01-01", "status"] {
        run(&empty, "no config", words);
    }
    run(
        &empty,
        "a config that is not there",
        "scan --config no.toml",
    );
    let desk = Desk::set_up(&setup);
    std::fs::remove_file(desk.path("org.key")).unwrap();
    std::fs::remove_file(desk.path("site.token")).unwrap();
    for words in ["scan", "run", "backfill --from 2024-01-01"] {
        run(&desk, "no secrets", words);
    }
    let desk = Desk::set_up(&setup);
    desk.write("org.key", "\n");
    run(&desk, "an empty secret", "scan");
    let desk = Desk::set_up(&setup);
    run(&desk, "a tenant that is not there", "scan --tenant acne");
    let broken =
        desk.read("pagewarden.toml").replace("[retry]", "[retri]") + "[detect]\nmin_page = 5\n";
    desk.write("pagewarden.toml", broken);
    for words in ["scan", "run", "status"] {
        run(&desk, "a broken config", words);
    }
    insta::assert_snapshot!("nothing_was_started", shown);
    assert!(tenant.simulator.requests().is_empty());
}

#[test]
fn the_exit_code_is_that_of_the_most_severe_new_finding_from_fail_on_on() {
    let tenant = Tenant::small();
    let setup = Setup::of(&tenant);
    let code_of = |severity: &str| match severity {
        "low" => 10,
        "medium" => 11,
        "high" => 12,
        _ => 13,
    };
    let desk = Desk::set_up(&setup);
    let first = desk.run("-q scan --fail-on low");
    let severities: Vec<i32> = desk
        .findings()
        .iter()
        .map(|finding| code_of(finding["severity"].as_str().unwrap()))
        .collect();
    let highest = severities.into_iter().max().unwrap();
    assert_eq!(first.code(), highest, "{}", first.err);
    // What was found before is not new.
    desk.run("-q scan --fail-on low").ends(0);
    // The same, by the bar.
    for (bar, floor) in [("low", 10), ("medium", 11), ("high", 12), ("critical", 13)] {
        let desk = Desk::set_up(&setup);
        let expected = if highest >= floor { highest } else { 0 };
        desk.run(&format!("-q scan --fail-on {bar}")).ends(expected);
    }
    // What could not be done wins.
    let desk = Desk::set_up(&setup);
    tenant
        .simulator
        .change(|options| options.site = SiteState::NoAudit);
    desk.run("-q scan --fail-on low").ends(1);
    assert!(!desk.findings().is_empty());
}
