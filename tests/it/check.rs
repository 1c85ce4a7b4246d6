//! `pagewarden check` at tenants that are not as they should be: each line says what is wrong, where, and what to do.

use std::fmt::Write as _;
use std::net::TcpListener;

use chrono::TimeDelta;
use pagewarden_core::time::{Clock as _, SystemClock};
use pagewarden_simulator::{
    Fault, Hint, KeyState, Options, SiteState, UserManagement, World, WorldSettings,
};

use crate::support::desk::{Desk, Done, Setup, Tenant, small_world, with_key, with_site};
use crate::support::kit::small;

/// A tenant whose servers' clock is right, although its time is long past.
fn tenant(options: Options) -> Tenant {
    let clock_ahead = options.clock_ahead + (SystemClock.now() - small_world().until());
    Tenant::with(Options {
        clock_ahead,
        ..options
    })
}

/// What a check says, and how it ends.
fn words(desk: &Desk, done: &Done) -> String {
    format!("exit code {}\n{}", done.code(), desk.redacted(&done.out))
}

/// An address at which nobody answers.
fn nowhere() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", free.local_addr().unwrap())
}

/// One line of a story: what is wrong, how the tenant answers, and what the config says.
type Sick<'a> = (&'a str, Options, &'a dyn Fn(&mut Setup, &Tenant));

/// What is said of each, without what is said of a tenant that is as it should be.
fn check_all(sick: &[Sick<'_>]) -> String {
    let mut shown = String::new();
    let well = tenant(Options::default());
    let desk = Desk::set_up(&Setup::of(&well));
    let usual = words(&desk, &desk.run("check").ends(0));
    writeln!(shown, "# as it should be\n{usual}").unwrap();
    for (what, options, change) in sick {
        let tenant = tenant(options.clone());
        let mut setup = Setup::of(&tenant);
        change(&mut setup, &tenant);
        let desk = Desk::set_up(&setup);
        let done = desk.run("check");
        assert!(!desk.path("state.db").exists(), "{what}");
        let said = words(&desk, &done);
        let differs = |line: &&str| !usual.lines().skip(1).any(|usual| usual == *line);
        let said: Vec<&str> = said.lines().filter(differs).collect();
        writeln!(shown, "# {what}\n{}\n", said.join("\n")).unwrap();
    }
    shown
}

fn as_it_is(_: &mut Setup, _: &Tenant) {}

#[test]
fn keys_that_are_not_as_they_should_be() {
    let sick: [Sick<'_>; 8] = [
        ("a refused key", with_key(KeyState::Refused), &as_it_is),
        (
            "a key without scope",
            with_key(KeyState::NoScope),
            &as_it_is,
        ),
        (
            "a forbidden organisation",
            with_key(KeyState::Forbidden),
            &as_it_is,
        ),
        ("a wrong organisation", Options::default(), &|setup, _| {
            setup.id = "00000000-0000-0000-0000-000000000000".to_owned();
        }),
        ("a refused token", with_site(SiteState::Refused), &as_it_is),
        (
            "no audit permission",
            with_site(SiteState::NoAudit),
            &as_it_is,
        ),
        (
            "no use of Confluence",
            with_site(SiteState::Forbidden),
            &as_it_is,
        ),
        (
            "a scoped token on the site",
            Options::default(),
            &|setup, tenant| {
                setup.token = tenant.simulator.scoped_token().to_owned();
            },
        ),
    ];
    insta::assert_snapshot!(check_all(&sick));
}

#[test]
fn what_a_plan_leaves_out_and_what_stands_in_between() {
    let without_views = Options {
        plan_without_views: true,
        ..Options::default()
    };
    let old = Options {
        users: UserManagement::Old,
        ..Options::default()
    };
    let behind = Options {
        clock_ahead: TimeDelta::hours(3),
        ..Options::default()
    };
    let sick: [Sick<'_>; 7] = [
        ("a plan without page views", without_views, &as_it_is),
        ("the old user management", old, &as_it_is),
        ("a clock that is behind", behind, &as_it_is),
        ("nobody at the address", Options::default(), &|setup, _| {
            setup.organization = Some(nowhere());
        }),
        (
            "a receiver that is not there",
            Options::default(),
            &|setup, _| {
                setup.webhook = Some(format!("{}/hook/T0KEN", nowhere()));
            },
        ),
        ("only a site", Options::default(), &|setup, _| {
            setup.organization = None;
        }),
        ("only an organisation", Options::default(), &|setup, _| {
            setup.site = None;
        }),
    ];
    let shown = check_all(&sick);
    assert!(!shown.contains("T0KEN"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn what_a_server_answers_in_place_of_events() {
    let mut shown = String::new();
    for (what, fault) in [
        ("a page in place of JSON", Fault::HtmlOk),
        ("a redirect to a sign-in", Fault::Redirect),
        ("an error of the server", Fault::ServerError(503)),
        ("a connection that breaks", Fault::CutBody),
        ("a pause that is asked for", Fault::Throttled(Hint::None)),
    ] {
        let tenant = tenant(Options::default());
        let desk = Desk::set_up(&Setup::of(&tenant));
        tenant.simulator.fail_next("/events-stream", fault, 1);
        let done = desk.run("check").ends(1);
        let said = desk.redacted(&done.out);
        let errors: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("error"))
            .collect();
        writeln!(shown, "# {what}\n{}\n", errors.join("\n")).unwrap();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_living_tenant_is_told_what_comes_and_how_long_the_first_read_takes() {
    let small = small(3);
    // It ends in an hour.
    let length = TimeDelta::weeks(i64::from(small.weeks)) - TimeDelta::hours(1);
    let settings = WorldSettings {
        start: SystemClock.now() - length,
        ..small
    };
    let tenant = Tenant::of(World::new(settings).into(), Options::default());
    tenant.simulator.show_until(SystemClock.now());
    let desk = tenant.desk(|setup| setup.lookback = "28d");
    let done = desk.run("check --format json").ends(0);
    let report = done.json();
    assert_eq!(report["schema"], "pagewarden.check.v1");
    let says = |level: &str, words: &[&str]| {
        let lines = report["lines"].as_array().unwrap();
        let holds = |text: &str| words.iter().all(|word| text.contains(word));
        assert!(
            lines
                .iter()
                .any(|line| line["level"] == level && holds(line["text"].as_str().unwrap())),
            "{words:?}: {report:#}"
        );
    };
    says(
        "ok",
        &[
            "the organisation's events at 127.0.0.1:",
            "can be read",
            "page view",
        ],
    );
    says(
        "note",
        &[
            "the first read goes back 28 days",
            "requests at 600,000 requests a minute",
        ],
    );
    says("ok", &["the audit log of 127.0.0.1:", "can be read"]);
    says(
        "ok",
        &["would count as privileged", "by the role `org-admin`"],
    );
    says("ok", &["notifier `soc`: its receiver answers"]);
    assert!(tenant.simulator.received().is_empty());
}

#[test]
fn status_tells_monitoring_what_somebody_has_to_see_to() {
    let tenant = tenant(Options::default());
    let desk = Desk::set_up(&Setup::of(&tenant));
    desk.run("-q scan").done();
    let well = desk.run("status --check").ends(0);
    assert_eq!(well.out, "");
    tenant
        .simulator
        .change(|options| options.key = KeyState::Refused);
    desk.run("-q scan").ends(1);
    let sick = desk.run("status --check").ends(1);
    assert!(
        sick.out
            .starts_with("acme: the organisation's events could not be read: ")
            && sick
                .out
                .contains("\nacme: who is privileged could not be read: "),
        "{}",
        sick.out
    );
    assert_eq!(
        desk.run("status --check --tenant acme --format json")
            .ends(1)
            .json()["schema"],
        "pagewarden.status.v1"
    );
    desk.run("status").ends(0);
}
