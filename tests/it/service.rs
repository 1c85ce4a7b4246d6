//! The service: ready, on schedule, stopped, killed, and others beside it.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use pagewarden_simulator::{Fault, Options};
use serde_json::Value;

use crate::support::desk::{Desk, Running, Setup, Tenant, planted, small_world, until};

/// Where systemd listens, as far as the program can tell.
struct Systemd(UnixDatagram);

impl Systemd {
    fn listen(desk: &Desk) -> Self {
        let socket = UnixDatagram::bind(desk.path("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    /// Waits for a message; others before it are passed over.
    fn hears(&self, words: &str) {
        let mut bytes = [0; 256];
        until(words, || {
            let count = self.0.recv(&mut bytes).ok()?;
            let said = String::from_utf8_lossy(&bytes[..count]).into_owned();
            said.lines().any(|line| line == words).then_some(())
        });
    }
}

/// The service at work; it has said that it is ready.
fn serving(desk: &Desk) -> Running {
    let mut running = desk.start("run");
    running.says("Service started.");
    running
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// What a stream of the only tenant has stored.
fn stored(desk: &Desk, stream: usize) -> u64 {
    let status = desk.status();
    number(&status["tenants"][0]["streams"][stream]["stored"])
}

/// How often a path was asked for.
fn asked(tenant: &Tenant, path: &str) -> usize {
    let requests = tenant.simulator.requests();
    requests
        .iter()
        .filter(|request| request.path.ends_with(path))
        .count()
}

/// Stops it by a signal: within five seconds, with exit code 0.
fn stops(running: Running, signal: &str) {
    running.signal(signal);
    let done = running.wait().ends(0);
    assert!(done.took < Duration::from_secs(5), "{:?}", done.took);
    assert!(done.err.contains("Service stopped."), "{}", done.err);
}

#[test]
fn systemd_is_notified_that_it_is_ready_alive_and_stopping() {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    let systemd = Systemd::listen(&desk);
    let mut command = desk.command("run");
    command
        .env("NOTIFY_SOCKET", desk.path("notify"))
        .env("WATCHDOG_USEC", "300000");
    let running = desk.spawn(command);
    systemd.hears("READY=1");
    systemd.hears("WATCHDOG=1");
    systemd.hears("WATCHDOG=1");
    running.signal("HUP");
    systemd.hears("RELOADING=1");
    systemd.hears("READY=1");
    systemd.hears("WATCHDOG=1");
    running.signal("TERM");
    systemd.hears("STOPPING=1");
    running.wait().ends(0);
}

#[test]
fn it_polls_on_schedule_finds_what_happens_and_reports_it() {
    let (world, script) = (small_world(), planted("script"));
    let tenant = Tenant::small();
    tenant.simulator.show_until(script.from);
    let mut setup = Setup::of(&tenant);
    setup.webhook = Some(tenant.simulator.webhook_url().to_string());
    let desk = Desk::set_up(&setup);
    desk.run("-q scan");
    desk.installed(script.from);
    tenant.simulator.forget_requests();
    let running = serving(&desk);
    until("two polls", || {
        (asked(&tenant, "/events-stream") >= 3).then_some(())
    });
    let before = tenant.simulator.received().len();
    tenant.simulator.show_until(world.until());
    let sent = until("the script to be reported", || {
        let received = tenant.simulator.received();
        received.into_iter().skip(before).find(|message| {
            let body: Value = serde_json::from_slice(&message.body).unwrap();
            body["account"]["id"] == script.account.as_str()
        })
    });
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["schema"], "pagewarden.finding.v1");
    stops(running, "TERM");
    let found = desk.findings();
    assert!(found.iter().any(|finding| finding["id"] == body["id"]));
    assert_eq!(stored(&desk, 0), u64::from(world.counts().events));
}

#[test]
fn it_stops_in_the_middle_of_a_request_that_is_never_answered() {
    for signal in ["TERM", "INT"] {
        for path in ["/events-stream", "/rest/api/audit", "/users/search"] {
            let tenant = Tenant::small();
            tenant.simulator.fail_next(path, Fault::Stall, 1_000);
            let desk = Desk::set_up(&Setup::of(&tenant));
            let running = serving(&desk);
            until("the request that stalls", || {
                (asked(&tenant, path) > 0).then_some(())
            });
            stops(running, signal);
            let status = desk.status();
            let tenant = &status["tenants"][0];
            assert!(tenant["streams"][0]["last_error"].is_null(), "{status}");
            assert!(tenant["streams"][1]["last_error"].is_null(), "{status}");
            assert!(tenant["admins"]["last_error"].is_null(), "{status}");
        }
    }
}

#[test]
fn it_stops_while_it_reads_history_and_goes_on_after_a_restart() {
    let tenant = Tenant::small();
    tenant.simulator.change(|options| options.stream_limit = 20);
    let mut setup = Setup::of(&tenant);
    setup.webhook = Some(tenant.simulator.webhook_url().to_string());
    let desk = Desk::set_up(&setup);
    let running = serving(&desk);
    until("some history", || {
        (asked(&tenant, "/events-stream") > 20).then_some(())
    });
    stops(running, "INT");
    let some = stored(&desk, 0);
    let counts = small_world().counts();
    assert!(some > 0 && some < u64::from(counts.events), "{some}");
    assert!(tenant.simulator.received().is_empty());
    tenant
        .simulator
        .change(|options| *options = Options::default());
    let running = serving(&desk);
    let summary = until("the summary of history", || {
        tenant.simulator.received().into_iter().next()
    });
    stops(running, "TERM");
    let body: Value = serde_json::from_slice(&summary.body).unwrap();
    assert_eq!(body["schema"], "pagewarden.summary.v1");
    assert_eq!(stored(&desk, 0), u64::from(counts.events));
    assert_eq!(stored(&desk, 1), u64::from(counts.audit));
    assert_eq!(tenant.simulator.received().len(), 1);
}

#[test]
fn a_second_process_is_reported_and_looking_and_marking_work_beside_it() {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    let running = serving(&desk);
    // Exports are found from the site audit log, before a page view has come in.
    let reading = || {
        let mut findings = desk.findings().into_iter();
        findings.find(|finding| finding["family"] == "reading")
    };
    let found = until("findings", reading);
    for words in ["scan", "run", "import pagewarden.toml"] {
        let done = desk.run(words).ends(1);
        assert!(
            done.err.contains("another process holds the state file"),
            "{}",
            done.err
        );
    }
    let id = found["id"].as_str().unwrap().to_owned();
    desk.run("findings list").ends(0);
    desk.run(&format!("findings mark {id} confirmed")).ends(0);
    desk.run("status").ends(0);
    let polls = asked(&tenant, "/events-stream");
    until("another poll", || {
        (asked(&tenant, "/events-stream") > polls + 1).then_some(())
    });
    stops(running, "TERM");
    let findings = desk.findings();
    let marked = findings.iter().find(|finding| finding["id"] == id.as_str());
    assert_eq!(marked.unwrap()["status"], "confirmed");
}

#[test]
fn a_backfill_beside_it_is_carried_out_by_the_service() {
    let tenant = Tenant::small();
    let mut setup = Setup::of(&tenant);
    setup.lookback = "1h";
    let desk = Desk::set_up(&setup);
    let running = serving(&desk);
    until("a poll", || {
        (asked(&tenant, "/events-stream") > 0).then_some(())
    });
    let done = desk
        .run("backfill --from 2023-12-31 --to 2024-02-01")
        .ends(0);
    assert!(
        done.err.contains("a running service holds the state file"),
        "{}",
        done.err
    );
    let counts = small_world().counts();
    assert_eq!(stored(&desk, 0), u64::from(counts.events));
    assert_eq!(stored(&desk, 1), u64::from(counts.audit));
    until("findings", || (!desk.findings().is_empty()).then_some(()));
    stops(running, "TERM");
}

#[test]
fn a_request_beside_it_does_not_end_with_another_reading() {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    // The service reads its lookback, and waits for an answer, when somebody asks for more than that.
    tenant
        .simulator
        .change(|options| options.stream_limit = 200);
    let running = serving(&desk);
    until("history", || {
        (asked(&tenant, "/events-stream") > 3).then_some(())
    });
    let done = desk.run("backfill --from 2001-01-01").ends(0);
    assert!(done.err.contains("read at"), "{}", done.err);
    let status = desk.status();
    let backfill = &status["tenants"][0]["streams"][0]["backfill"];
    assert_eq!(backfill["from"], "2001-01-01T00:00:00Z", "{status}");
    assert_eq!(backfill["done"], true);
    assert_eq!(stored(&desk, 0), u64::from(small_world().counts().events));
    stops(running, "TERM");
}

#[test]
fn a_backfill_beside_a_service_that_ends_says_so() {
    let tenant = Tenant::small();
    let mut setup = Setup::of(&tenant);
    setup.lookback = "1h";
    let desk = Desk::set_up(&setup);
    let running = serving(&desk);
    until("a poll", || {
        (asked(&tenant, "/rest/api/audit") > 1).then_some(())
    });
    tenant
        .simulator
        .fail_next("/events-stream", Fault::Stall, 1_000);
    let mut asking = desk.start("backfill --from 2023-12-31 --to 2024-02-01");
    asking.says("a running service holds the state file");
    stops(running, "TERM");
    let done = asking.wait().ends(1);
    assert!(
        done.err.contains("the same command goes on from there"),
        "{}",
        done.err
    );
    tenant
        .simulator
        .change(|options| *options = Options::default());
    let again = Tenant::small();
    desk.settle(&Setup {
        lookback: "1h",
        ..Setup::of(&again)
    });
    desk.run("-q backfill --from 2023-12-31 --to 2024-02-01");
    assert_eq!(stored(&desk, 0), u64::from(small_world().counts().events));
}

#[test]
fn after_a_kill_it_starts_again_at_once() {
    let tenant = Tenant::small();
    tenant.simulator.change(|options| options.stream_limit = 20);
    let desk = Desk::set_up(&Setup::of(&tenant));
    let running = serving(&desk);
    until("some history", || {
        (asked(&tenant, "/events-stream") > 10).then_some(())
    });
    running.signal("KILL");
    drop(running);
    tenant
        .simulator
        .change(|options| *options = Options::default());
    let running = serving(&desk);
    let counts = small_world().counts();
    until("everything", || {
        (stored(&desk, 0) == u64::from(counts.events)).then_some(())
    });
    until("everything", || {
        (stored(&desk, 1) == u64::from(counts.audit)).then_some(())
    });
    until("findings", || (!desk.findings().is_empty()).then_some(()));
    stops(running, "TERM");
    let whole = Desk::set_up(&Setup::of(&tenant));
    whole.run("-q backfill --from 2023-12-31");
    assert_eq!(desk.findings(), whole.findings());
}

#[test]
fn what_cannot_be_read_is_logged_and_tried_again() {
    let tenant = Tenant::small();
    tenant
        .simulator
        .change(|options| options.key = pagewarden_simulator::KeyState::Refused);
    let desk = Desk::set_up(&Setup::of(&tenant));
    let mut running = serving(&desk);
    running.says("the organisation's API key is refused");
    let status = until("the error in the status", || {
        let status = desk.status();
        status["tenants"][0]["streams"][0]["last_error"]
            .is_string()
            .then_some(status)
    });
    assert_eq!(status["tenants"][0]["streams"][0]["stored"], 0);
    tenant
        .simulator
        .change(|options| *options = Options::default());
    until("no error", || {
        let status = desk.status();
        status["tenants"][0]["streams"][0]["last_error"]
            .is_null()
            .then_some(())
    });
    stops(running, "TERM");
}
