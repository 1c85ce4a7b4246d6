//! The commands as people and scripts use them.

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::Stdio;

use pagewarden_simulator::{Fault, Options};
use serde_json::Value;

use crate::support::desk::{Desk, Running, Setup, Tenant, held, planted, small_world, until};

/// A desk whose state holds everything of the small world.
fn scanned() -> (Tenant, Desk) {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    let done = desk.run("-q scan");
    assert!((10..=13).contains(&done.code()), "{done:?}");
    (tenant, desk)
}

/// As much of an id as the list shows.
fn beginning(id: &str) -> &str {
    id.get(..10).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn init_writes_a_config_once() {
    let desk = Desk::new();
    let first = desk.run("init").ends(0);
    assert!(first.out.contains("pagewarden check"), "{}", first.out);
    let written = desk.read("pagewarden.toml");
    assert!(written.contains("[[tenant]]"));
    desk.write("pagewarden.toml", "mine");
    let again = desk.run("init").ends(2);
    assert!(again.err.contains("is left as it is"), "{}", again.err);
    assert_eq!(desk.read("pagewarden.toml"), "mine");
    desk.run("init other.toml").ends(0);
    assert_eq!(desk.read("other.toml"), written);
}

#[test]
fn check_and_config_show_name_places_and_never_secrets() {
    let tenant = Tenant::small();
    let setup = Setup::of(&tenant);
    let desk = Desk::set_up(&setup);
    let check = desk.run("check --offline").ends(0);
    let show = desk.run("config show").ends(0);
    for done in [&check, &show] {
        let all = format!("{}{}", done.out, done.err);
        assert!(
            !all.contains(&setup.key) && !all.contains(&setup.token),
            "{all}"
        );
    }
    assert!(show.out.contains("org.key"), "{}", show.out);
    std::fs::remove_file(desk.path("org.key")).unwrap();
    let check = desk.run("check --offline").ends(2);
    assert!(check.out.contains("org.key"), "{}", check.out);
    assert!(tenant.simulator.requests().is_empty());
    assert!(!desk.path("state.db").exists());
}

#[test]
fn explain_describes_every_detector_and_suggests_a_near_one() {
    let desk = Desk::new();
    let all = desk.run("explain").ends(0);
    for id in ["volume-anomaly", "privileged-reading", "canary-page"] {
        assert!(all.out.contains(id), "{}", all.out);
        let one = desk.run(&format!("explain {id}")).ends(0);
        for heading in ["Looks for", "Needs", "Cannot see", "Settings"] {
            assert!(one.out.contains(heading), "{}", one.out);
        }
    }
    for (typed, meant) in [
        ("volume", "volume-anomaly"),
        ("canary-pages", "canary-page"),
    ] {
        let done = desk.run(&format!("explain {typed}")).ends(2);
        assert!(
            done.err.contains(&format!("did you mean `{meant}`?")),
            "{}",
            done.err
        );
    }
    let done = desk.run("explain zebra").ends(2);
    assert!(
        done.err.contains("`pagewarden explain` lists them"),
        "{}",
        done.err
    );
}

#[test]
fn findings_are_listed_shown_and_exported() {
    let (_tenant, desk) = scanned();
    let findings = desk.findings();
    assert!(findings.len() > 1);
    let ids: Vec<&str> = findings
        .iter()
        .map(|finding| text(&finding["id"]))
        .collect();
    assert!(ids.is_sorted());
    let list = desk.run("findings list").ends(0);
    assert!(list.err.is_empty(), "{}", list.err);
    assert!(!list.out.contains('\u{1b}'), "colour without a terminal");
    let ndjson = desk.run("findings export --format ndjson").ends(0);
    let lines: Vec<Value> = ndjson
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, findings);
    let one = desk
        .run(&format!("findings show {}", beginning(ids[0])))
        .ends(0);
    assert!(one.out.contains(ids[0]), "{}", one.out);
    let common = ids
        .iter()
        .find(|id| id.as_bytes()[0] == ids[0].as_bytes()[0]);
    assert_eq!(common, Some(&ids[0]));
    let unknown = desk.run("findings show zzz").ends(2);
    assert!(
        unknown.err.contains("there is no finding `zzz`"),
        "{}",
        unknown.err
    );
    let several = desk.run_with("findings show", &[""]).ends(2);
    assert!(
        several.err.contains("give more of the id"),
        "{}",
        several.err
    );
    let coloured = desk.run("--color always findings list").ends(0);
    assert!(coloured.out.contains('\u{1b}'));
}

#[test]
fn a_verdict_is_kept_raises_the_revision_and_leaves_the_list() {
    let (_tenant, desk) = scanned();
    let before = desk.findings();
    let id = text(&before[0]["id"]).to_owned();
    let marked = desk
        .run_with(
            &format!("findings mark {} expected --note", beginning(&id)),
            &["we knew of it"],
        )
        .ends(0);
    assert!(marked.out.contains("is now expected"), "{}", marked.out);
    let after = desk.findings();
    assert_eq!(after[0]["status"], "expected");
    assert_eq!(
        number(&after[0]["revision"]),
        number(&before[0]["revision"]) + 1
    );
    assert_eq!(after[1..], before[1..]);
    assert!(
        !desk
            .run("findings list")
            .ends(0)
            .out
            .contains(beginning(&id))
    );
    assert!(
        desk.run("findings list --all")
            .ends(0)
            .out
            .contains(beginning(&id))
    );
    let shown = desk.run(&format!("findings show {id}")).ends(0).out;
    assert!(shown.contains("expected: we knew of it"), "{shown}");
    let status = desk.status();
    let counts = &status["tenants"][0]["findings"];
    assert_eq!(number(&counts["open"]) + 1, number(&counts["total"]));
    // The same verdict again changes nothing, and a scan does not forget it.
    desk.run(&format!("findings mark {id} expected")).ends(0);
    desk.run("-q scan").ends(0);
    assert_eq!(desk.findings()[0]["status"], "expected");
    assert_eq!(desk.findings()[0]["revision"], after[0]["revision"]);
    desk.run(&format!("findings mark {id} fine")).ends(2);
    desk.run("findings mark zzz expected").ends(2);
}

#[test]
fn a_finding_with_a_verdict_that_grows_opens_again() {
    let tenant = Tenant::small();
    let world = small_world();
    let script = planted("script");
    let desk = Desk::set_up(&Setup::of(&tenant));
    let (from, until) = (script.from, script.until);
    let of_script = |desk: &Desk| {
        let all = desk.findings();
        all.into_iter()
            .find(|finding| finding["account"]["id"] == script.account.as_str())
    };
    // In small steps, until it is reported for the first time.
    let mut reported = None;
    let mut step = 0;
    while reported.is_none() {
        step += 1;
        assert!(step <= 40, "never reported");
        tenant
            .simulator
            .show_until(from + (until - from) * step / 40);
        desk.run("-q scan");
        reported = of_script(&desk);
    }
    let reported = reported.unwrap();
    desk.run(&format!("findings mark {} expected", text(&reported["id"])))
        .ends(0);
    assert_eq!(of_script(&desk).unwrap()["status"], "expected");
    tenant.simulator.show_until(world.until());
    let done = desk.run("-q scan");
    assert!((10..=13).contains(&done.code()), "{done:?}");
    let grown = of_script(&desk).unwrap();
    assert_eq!(grown["id"], reported["id"]);
    assert_eq!(grown["status"], "open");
    assert!(
        number(&grown["revision"]) > number(&reported["revision"]) + 1,
        "{grown}"
    );
}

#[test]
fn status_shows_people_and_machines_the_same() {
    let (_tenant, desk) = scanned();
    let (events, records) = held();
    let json = desk.status();
    assert_eq!(json["schema"], "pagewarden.status.v1");
    assert_eq!(desk.counts(), (events, records));
    let counts = small_world().counts();
    let access = &json["tenants"][0]["streams"][0];
    assert_eq!(number(&access["repeated"]), u64::from(counts.repeats));
    assert_eq!(number(&access["unusable"]), u64::from(counts.unusable));
    assert!(access["last_error"].is_null() && access["lag_seconds"].is_number());
    let people = desk.run("status").ends(0);
    assert!(
        people.out.contains("acme") && !people.out.contains('\u{1b}'),
        "{}",
        people.out
    );
    let none = desk
        .run("status --format json --tenant other --config no.toml")
        .ends(2);
    assert!(none.err.contains("no.toml"), "{}", none.err);
}

/// Waits until so many requests for a path have come.
fn asked(tenant: &Tenant, path: &str, times: usize) {
    until("requests", || {
        let requests = tenant.simulator.requests();
        let asked = requests
            .iter()
            .filter(|request| request.path.ends_with(path))
            .count();
        (asked >= times).then_some(())
    });
}

/// A backfill in the middle of the events, whose next page never comes.
fn stuck(tenant: &Tenant, desk: &Desk) -> Running {
    tenant.simulator.change(|options| options.stream_limit = 50);
    let running = desk.start("backfill --from 2023-12-31 --to 2024-02-01");
    asked(tenant, "/events-stream", 10);
    tenant
        .simulator
        .fail_next("/events-stream", Fault::Stall, 1);
    until("the request that stalls", || {
        let requests = tenant.simulator.requests();
        requests
            .iter()
            .any(|request| request.fault == Some(Fault::Stall))
            .then_some(())
    });
    running
}

#[test]
fn a_backfill_that_was_interrupted_goes_on_and_nothing_is_lost_or_stored_twice() {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    let running = stuck(&tenant, &desk);
    running.signal("INT");
    let done = running.wait().ends(130);
    assert!(
        done.err.contains("the same command goes on from there"),
        "{}",
        done.err
    );
    let some = desk.counts().0;
    assert!(some > 0 && some < held().0, "{some}");
    assert!(desk.status()["tenants"][0]["streams"][0]["last_error"].is_null());
    tenant
        .simulator
        .change(|options| *options = Options::default());
    tenant.simulator.forget_requests();
    let done = desk.run("backfill --from 2023-12-31 --to 2024-02-01");
    assert!((10..=13).contains(&done.code()), "{done:?}");
    assert_eq!(desk.counts(), held());
    let whole = Desk::set_up(&Setup::of(&tenant));
    whole.run("backfill --from 2023-12-31 --to 2024-02-01");
    assert_eq!(desk.findings(), whole.findings());
}

#[test]
fn a_stream_that_was_read_to_its_end_is_not_read_again_when_the_rest_goes_on() {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    tenant
        .simulator
        .fail_next("/rest/api/audit", Fault::Stall, 1);
    let running = desk.start("backfill --from 2023-12-31");
    asked(&tenant, "/rest/api/audit", 1);
    running.signal("INT");
    running.wait().ends(130);
    tenant.simulator.forget_requests();
    let done = desk.run("backfill --from 2023-12-31");
    assert!((10..=13).contains(&done.code()), "{done:?}");
    let requests = tenant.simulator.requests();
    let again = requests
        .iter()
        .filter(|request| request.path.ends_with("/events-stream"));
    assert_eq!(again.count(), 0);
    assert_eq!(desk.counts(), held());
}

#[test]
fn ctrl_c_ends_a_scan_with_130_and_the_next_one_goes_on() {
    let tenant = Tenant::small();
    let mut setup = Setup::of(&tenant);
    setup.webhook = Some(tenant.simulator.webhook_url().to_string());
    let desk = Desk::set_up(&setup);
    tenant.simulator.change(|options| options.stream_limit = 50);
    tenant
        .simulator
        .fail_next("/events-stream", Fault::Stall, 1);
    let running = desk.start("scan");
    asked(&tenant, "/events-stream", 1);
    running.signal("INT");
    let done = running.wait().ends(130);
    assert!(!done.err.contains("could not be read"), "{}", done.err);
    assert!(tenant.simulator.received().is_empty());
    let done = desk.run("-q scan");
    assert!((10..=13).contains(&done.code()), "{done:?}");
    assert_eq!(desk.counts(), held());
    // What was interrupted is summed up when it is done, once.
    assert_eq!(tenant.simulator.received().len(), 1);
    desk.run("-q scan").ends(0);
    assert_eq!(tenant.simulator.received().len(), 1);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (_tenant, desk) = scanned();
    for words in [
        "findings export",
        "findings list",
        "status",
        "--help",
        "explain",
        "config show",
    ] {
        let mut command = desk.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The reader goes before a word was said, or after the first bytes of it.
        let mut out = child.stdout.take().unwrap();
        if words == "findings export" {
            out.read_exact(&mut [0; 1]).unwrap();
        }
        drop(out);
        let done = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert_eq!((done.status.code(), err.as_ref()), (Some(0), ""), "{words}");
    }
}

#[test]
fn a_tenant_that_is_not_there_is_reported_by_every_command_that_looks() {
    let (_tenant, desk) = scanned();
    // With a config, it is the config that has no such tenant.
    std::fs::remove_file(desk.path("pagewarden.toml")).unwrap();
    for words in [
        "findings list",
        "findings export",
        "status",
        "status --format json",
        "replay",
        "state check",
    ] {
        let done = desk.run(&format!("--state state.db --tenant acne {words}"));
        assert_eq!((done.code(), done.out.as_str()), (2, ""), "{words}");
        let shown = "the state file has no tenant `acne`; it has `acme`";
        assert!(done.err.contains(shown), "{words}: {}", done.err);
    }
}

#[test]
fn a_scan_that_is_stopped_gives_no_all_clear() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = Setup {
        organization: Some(format!("http://{}", silent.local_addr().unwrap())),
        site: None,
        ..Setup::of(&Tenant::small())
    };
    let desk = Desk::set_up(&setup);
    let running = desk.start("-q scan");
    // It asks, and is never answered.
    let asked = silent.accept().unwrap();
    running.signal("INT");
    let done = running.wait();
    drop(asked);
    assert_eq!(done.code(), 130);
    assert_eq!(done.out, "No new findings in what could be read.\n");
    assert!(
        done.err.contains("stopped before everything was read"),
        "{}",
        done.err
    );
}

#[test]
fn what_was_said_can_be_taken_back() {
    let (_tenant, desk) = scanned();
    let open = || {
        desk.findings()
            .iter()
            .filter(|one| one["status"] == "open")
            .count()
    };
    let before = open();
    let id = desk.findings()[0]["id"].as_str().unwrap().to_owned();
    desk.run(&format!("findings mark {id} expected")).ends(0);
    assert_eq!(open(), before - 1);
    let said = desk.run(&format!("findings mark {id} open")).ends(0);
    assert!(said.out.contains("open again"), "{}", said.out);
    assert_eq!(open(), before);
}

#[test]
fn a_state_that_cannot_be_used_is_reported() {
    let (_tenant, desk) = scanned();
    let mut shown = String::new();
    desk.write("foreign.db", "these are words and no database, and more than a hundred bytes of them, so that they are read as one");
    std::fs::create_dir(desk.path("folder.db")).unwrap();
    for words in [
        "--state foreign.db status",
        "--state foreign.db scan",
        "--state folder.db scan",
        "--state no/such/state.db findings list",
        "--state pagewarden.toml/state.db scan",
    ] {
        let done = desk.run(&format!("-q {words}")).ends(1);
        writeln!(shown, "# {words}\n{}", desk.redacted(&done.err)).unwrap();
    }
    insta::assert_snapshot!("states_that_cannot_be_used", shown);
}
