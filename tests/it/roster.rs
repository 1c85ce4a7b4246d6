//! Who is privileged: by role, by group, by name in the config; at that time, and whatever the directory says today.

use chrono::{DateTime, TimeDelta, Utc};
use pagewarden_core::model::AccountId;
use pagewarden_simulator::{Fault, Faults, KeyState, Options, SiteState, UserManagement};
use serde_json::{Value, json};

use crate::support::kit::{Desk, Kit, Served, small, world};

/// Tells every privileged account that reads more than a page a day.
const STRICT: &str = r#"
[detect.volume-anomaly]
enabled = false
[detect.privileged-reading]
mode = "strict"
pages_per_day = 1
"#;

/// Who became an administrator, who ceased to be one, and when, to the hour.
fn changes(kit: &Kit) -> [(AccountId, DateTime<Utc>); 2] {
    let (start, until) = kit.span();
    let world = kit.world();
    let (first, last) = (world.administrators(start), world.administrators(until));
    let joined = last
        .iter()
        .find(|account| !first.contains(account))
        .unwrap();
    let left = first
        .iter()
        .find(|account| !last.contains(account))
        .unwrap();
    let when = |account: &AccountId, is: bool| {
        let mut at = start;
        while world.administrators(at).contains(&account) != is {
            at += TimeDelta::minutes(1);
        }
        at
    };
    [
        ((*joined).clone(), when(joined, true)),
        ((*left).clone(), when(left, false)),
    ]
}

/// The windows in which an account was reported for being privileged, by RFC 3339.
fn reported(desk: &Desk, account: &AccountId) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let export: Value = serde_json::from_str(&desk.findings()).unwrap();
    let all = export["findings"].as_array().unwrap().clone();
    all.iter()
        .filter(|one| {
            one["detector"] == "privileged-reading" && one["account"]["id"] == account.as_str()
        })
        .map(|one| {
            assert_eq!(one["privileged"]["is"], true, "{one}");
            let at = |key: &str| one[key].as_str().unwrap().parse().unwrap();
            (at("first_seen"), at("last_seen"))
        })
        .collect()
}

#[test]
fn a_session_is_scored_by_what_its_account_was_at_that_time() {
    let kit = Kit::with(world(1, 60, 5), Options::default(), STRICT);
    let [(joined, from), (left, until)] = changes(&kit);
    kit.backfill().done();
    let (new, old) = (reported(&kit.desk, &joined), reported(&kit.desk, &left));
    assert!(
        !new.is_empty() && new.iter().all(|(first, _)| *first >= from),
        "{new:?} {from}"
    );
    assert!(!old.is_empty(), "never reported");
    // A session that began before goes on as it was.
    let grace = until + TimeDelta::hours(12);
    assert!(old.iter().all(|(_, last)| *last < grace), "{old:?} {until}");

    // The control: both read before and after, as one sees when they are listed.
    let listed = format!("{STRICT}[tenant.admins]\naccounts = [\"{joined}\", \"{left}\"]\n");
    let kit = Kit::with(world(1, 60, 5), Options::default(), &listed);
    kit.backfill().done();
    let (new, old) = (reported(&kit.desk, &joined), reported(&kit.desk, &left));
    assert!(new.iter().any(|(first, _)| *first < from), "{new:?}");
    assert!(old.iter().any(|(_, last)| *last > grace), "{old:?}");
}

/// How many accounts are privileged now, as of when, and what went wrong since.
fn admins(desk: &Desk) -> (u64, String, Option<String>) {
    let admins = desk.status()["admins"].take();
    (
        admins["accounts"].as_u64().unwrap(),
        admins["as_of"].as_str().unwrap_or_default().to_owned(),
        admins["last_error"].as_str().map(str::to_owned),
    )
}

#[test]
fn roles_and_groups_are_resolved_and_listed_accounts_added() {
    let kit = Kit::new(small(1), Options::default());
    kit.scan().done();
    let known = kit.world().administrators(kit.span().1).len();
    assert!(known >= 4);
    assert_eq!(admins(&kit.desk).0, u64::try_from(known).unwrap());

    let none = "[tenant.admins]\nroles = []\ngroups = []\n";
    let kit = Kit::with(small(1), Options::default(), none);
    kit.scan().done();
    // By the access that a group gives, whatever it is called.
    let by_access = admins(&kit.desk).0;
    assert!(
        0 < by_access && by_access < u64::try_from(known).unwrap(),
        "{by_access}"
    );

    let listed = "[tenant.admins]\naccounts = [\"712020:nobody-else\"]\n";
    let kit = Kit::with(small(1), Options::default(), listed);
    kit.scan().done();
    assert_eq!(admins(&kit.desk).0, u64::try_from(known).unwrap() + 1);
}

#[test]
fn a_directory_that_fails_or_is_empty_leaves_the_old_roster_and_says_how_old_it_is() {
    let kit = Kit::new(small(1), Options::default());
    kit.show(1, 2);
    kit.scan().done();
    let before = admins(&kit.desk);
    assert!(before.0 > 0 && before.2.is_none(), "{before:?}");

    let org = kit.simulator.org_id().to_owned();
    let nobody = |paths: &[&str]| Faults {
        paths: paths
            .iter()
            .map(|path| path.replace("{org}", &org))
            .collect(),
        in_a_row: u32::MAX,
        ..Faults::of(1, 1.0, &[Fault::EmptyRoster])
    };
    let set = |key, site, faults| {
        kit.simulator.change(|options| {
            options.key = key;
            options.site = site;
            options.faults = faults;
        });
    };
    for (key, site, faults) in [
        (KeyState::Refused, SiteState::Refused, Faults::none()),
        (
            KeyState::Good,
            SiteState::Good,
            nobody(&["/admin/", "/wiki/"]),
        ),
        // Half of it: what the other half says is added.
        (
            KeyState::Good,
            SiteState::Good,
            nobody(&["/admin/v1/orgs/{org}/users/search", "/admin/v2/orgs/{org}"]),
        ),
        (KeyState::Good, SiteState::Good, nobody(&["/wiki/"])),
        (KeyState::Forbidden, SiteState::Good, Faults::none()),
        (KeyState::Good, SiteState::Forbidden, Faults::none()),
    ] {
        set(key, site, faults);
        kit.scan().ended(1);
        let after = admins(&kit.desk);
        assert_eq!(
            (after.0, &after.1),
            (before.0, &before.1),
            "{key:?} {site:?}"
        );
        let error = after.2.unwrap();
        assert!(error.len() > 10, "{error}");
        let text = kit.desk.run(&["status"]).ended(0).out;
        assert!(
            error.get(..10).is_some_and(|words| text.contains(words)),
            "{text}\n{error}"
        );
    }
    set(KeyState::Good, SiteState::Good, Faults::none());
    kit.scan().done();
    assert_eq!(admins(&kit.desk).2, None);
}

#[test]
fn a_group_that_is_listed_but_unknown_makes_nobody_privileged_and_stops_nothing() {
    let served = Served::new(|path, query| {
        let groups = |all: Value| json!({ "results": all, "start": 0, "limit": 200, "size": 1, "_links": {} });
        let admins = json!({ "type": "group", "name": "wardens", "id": "g-1" });
        let ghost = json!({ "type": "group", "name": "site-admins", "id": "g-2" });
        if path.ends_with("/group") {
            match query.get("accessType").map(String::as_str) {
                Some("admin") | None => groups(json!([admins, ghost])),
                Some(_) => groups(json!([])),
            }
        } else if path.ends_with("/g-1/membersByGroupId") {
            groups(
                json!([{ "type": "known", "accountId": "712020:ada", "accountType": "atlassian" }]),
            )
        } else if path.ends_with("/group/by-id") {
            // 404.
            Value::Null
        } else {
            groups(json!([]))
        }
    });
    let desk = Desk::new(&format!(
        r#"
[state]
path = "{{dir}}/state.db"
[[tenant]]
name = "acme"
[[tenant.site]]
url = "{}"
email = "auditor@acme.example"
api_token = {{ file = "{{dir}}/site.token" }}
[retry]
base = "10ms"
"#,
        served.origin
    ));
    desk.keep("site.token", b"token-of-the-site");
    desk.run(&["scan"]).done();
    let (accounts, _, error) = admins(&desk);
    assert_eq!((accounts, error), (1, None));
}

#[test]
fn an_organisation_without_a_directory_is_known_by_the_groups_of_its_sites() {
    let kit = Kit::new(
        small(4),
        Options {
            users: UserManagement::Old,
            ..Options::default()
        },
    );
    let ran = kit.scan();
    assert!(matches!(ran.code, 0 | 10..=13), "{ran:#?}");
    assert!(
        ran.err.contains("not on Atlassian's new user management"),
        "{ran:#?}"
    );
    let (accounts, _, failed) = admins(&kit.desk);
    assert!(accounts > 0 && failed.is_none(), "{failed:?}");
}
