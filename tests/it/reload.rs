//! A service that goes on: beside a tenant that fails, a notifier that never answers, with a new config, with a new key.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use pagewarden::notify::Content;
use pagewarden_simulator::{World, WorldSettings};

use crate::support::desk::{Desk, Running, Setup, Tenant, small_world, until};

/// A simulated tenant of another organisation than the small world's.
fn neighbour() -> Tenant {
    let world = World::new(WorldSettings {
        start: "2024-01-01T00:00:00Z".parse().unwrap(),
        ..WorldSettings::small(8)
    });
    Tenant::of(Arc::new(world), pagewarden_simulator::Options::default())
}

/// Adds a tenant that is known by its organisation only.
fn add(desk: &Desk, tenant: &Tenant) {
    let simulator = &tenant.simulator;
    let (id, url) = (simulator.org_id(), simulator.base_url());
    let url = url.as_str().trim_end_matches('/');
    desk.write("neighbour.key", simulator.org_key());
    let text = desk.read("pagewarden.toml");
    desk.write(
        "pagewarden.toml",
        format!(
            "{text}\n[[tenant]]\nname = \"neighbour\"\n[tenant.organization]\nid = \"{id}\"\n\
             api_key = {{ file = \"neighbour.key\" }}\nurl = \"{url}\"\nrequests_per_minute = 600000\n\
             [tenant.schedule]\naccess = \"1s\"\naudit = \"1s\"\nadmins = \"1s\"\nlookback = \"3650d\"\n"
        ),
    );
}

/// The state file as another program sees it.
fn state(desk: &Desk) -> rusqlite::Connection {
    let state = rusqlite::Connection::open(desk.path("state.db")).unwrap();
    state.busy_timeout(Duration::from_secs(30)).unwrap();
    state
}

/// What a question to the state file gives.
fn number(desk: &Desk, question: &str) -> i64 {
    let state = state(desk);
    state.query_row(question, [], |row| row.get(0)).unwrap()
}

/// How many events of a tenant are stored.
fn stored(desk: &Desk, name: &str) -> i64 {
    let question = format!(
        "select coalesce(sum(stored), 0) from stream where tenant = (select id from tenant where name = '{name}')"
    );
    number(desk, &question)
}

fn serving(desk: &Desk) -> Running {
    let mut running = desk.start("run");
    running.says("Service started.");
    running
}

fn stops(running: Running) {
    running.signal("TERM");
    let done = running.wait().ends(0);
    assert!(done.took < Duration::from_secs(5), "{:?}", done.took);
}

#[test]
fn a_tenant_whose_part_of_the_state_fails_is_tried_again_and_stops_no_other() {
    let (tenant, other) = (Tenant::small(), neighbour());
    let desk = Desk::set_up(&Setup::of(&tenant));
    add(&desk, &other);
    desk.run("-q --tenant acme scan");
    let before = stored(&desk, "acme");
    let create = "create trigger broken before update on stream when old.tenant = 1
                  begin select raise(abort, 'broken by a test'); end";
    state(&desk).execute_batch(create).unwrap();
    let mut running = serving(&desk);
    running.says(
        "Worker failed; it will be restarted, the other workers continue. worker=\"tenant `acme`\"",
    );
    let all = i64::from(other.simulator.world().counts().events);
    until("the neighbour's events", || {
        (stored(&desk, "neighbour") == all).then_some(())
    });
    assert!(running.is_running());
    state(&desk).execute_batch("drop trigger broken").unwrap();
    tenant.simulator.forget_requests();
    let asked = || tenant.simulator.requests().len();
    until("the tenant to be read again", || {
        (asked() > 20).then_some(())
    });
    assert_eq!(stored(&desk, "acme"), before);
    stops(running);
}

#[test]
fn a_notifier_that_never_answers_holds_up_no_other() {
    let tenant = Tenant::small();
    // Connections are taken by the system and never answered.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let desk = tenant.desk(|setup| {
        setup.lookback = "1h";
        setup.more =
            "[[notifier]]\nname = \"deaf\"\ntype = \"webhook\"\nurl = { file = \"deaf.url\" }\n";
    });
    let address = format!("http://{}/", deaf.local_addr().unwrap());
    desk.write("deaf.url", address);
    desk.run("-q scan");
    let content = Content::Rendered("{}".into()).to_stored().unwrap();
    let state = state(&desk);
    for message in 0..6 {
        for notifier in ["deaf", "soc"] {
            let put =
                "insert into delivery (id, notifier, tenant, severity, body, created_ms, due_ms)
                       values (?1, ?2, 1, 3, ?3, unixepoch() * 1000, 0)";
            state
                .execute(put, (format!("test:{message}"), notifier, &content))
                .unwrap();
        }
    }
    let running = serving(&desk);
    let of = |notifier: &str, what: &str| {
        let question = format!(
            "select coalesce(sum({what}), 0) from delivery where notifier = '{notifier}' and id like 'test:%'"
        );
        number(&desk, &question)
    };
    until("all messages to the one that answers", || {
        (of("soc", "state = 'sent'") == 6).then_some(())
    });
    assert!(of("deaf", "attempts") < 2, "nobody waited for the other");
    stops(running);
}

#[test]
fn a_bad_config_is_refused_and_a_good_one_is_in_force_without_a_restart() {
    let (tenant, other) = (Tenant::small(), neighbour());
    let desk = Desk::set_up(&Setup::of(&tenant));
    let asked = || tenant.simulator.requests().len();
    let mut running = serving(&desk);
    until("everything", || (stored(&desk, "acme") > 0).then_some(()));
    let good = desk.read("pagewarden.toml");
    desk.write("pagewarden.toml", good.replace("lookback", "lokback"));
    running.signal("HUP");
    running.says("The new config is refused; the old one stays in force.");
    assert!(running.err().contains("lokback"), "{}", running.err());
    let before = asked();
    until("another poll", || (asked() > before + 5).then_some(()));
    desk.write("pagewarden.toml", good);
    add(&desk, &other);
    desk.write("neighbour.key", "");
    running.signal("HUP");
    running.says("neighbour.key` is empty");
    desk.write("neighbour.key", other.simulator.org_key());
    running.signal("HUP");
    running.says("Config reloaded. tenants=2");
    let all = i64::from(other.simulator.world().counts().events);
    until("the new tenant's events", || {
        (stored(&desk, "neighbour") == all).then_some(())
    });
    let counts = small_world().counts();
    let all = i64::from(counts.events) + i64::from(counts.audit);
    until("the old tenant's events", || {
        (stored(&desk, "acme") == all).then_some(())
    });
    stops(running);
}

#[test]
fn a_key_that_is_replaced_while_it_runs_is_used() {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    desk.write("org.key", "an-old-key");
    desk.write("site.token", "an-old-token");
    let mut running = serving(&desk);
    running.says("the organisation's API key is refused");
    running.says("the site refuses e-mail and API token");
    assert_eq!(stored(&desk, "acme"), 0);
    desk.write("org.key", tenant.simulator.org_key());
    desk.write("site.token", tenant.simulator.api_token());
    let counts = small_world().counts();
    let all = i64::from(counts.events) + i64::from(counts.audit);
    until("everything to be read by the new key", || {
        (stored(&desk, "acme") == all).then_some(())
    });
    running.says("A refused key was read again, and the new one is used.");
    let err = running.err();
    assert!(!err.contains(tenant.simulator.org_key()), "{err}");
    stops(running);
}
