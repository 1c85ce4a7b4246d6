//! No credential leaves by any way but the one header: not into a log, a state file, a finding or a message.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pagewarden::simulator::{Fault, Faults, Hint, KeyState, Options, SiteState};

use crate::kit::{Kit, Ran, contains, holds, small};

const NOTIFIER: &str = r#"
[[notifier]]
name = "soc"
type = "webhook"
url = { file = "{dir}/soc.url" }
secret = { file = "{dir}/soc.secret" }
min_severity = "low"
"#;

/// The secret that signs messages, and a token in the address that they are sent to.
const SECRET: &str = "whsec_c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU=";
const PATH: &str = "hook-token-81f3a9";

/// The place of what the libraries said.
const LIBRARIES: &str = "standard error of the libraries";

/// Everything that a whole run said and wrote.
fn whole_run(kit: &Kit) -> Vec<(String, Vec<u8>)> {
    let mut told = Vec::new();
    let mut run = |kit: &Kit, args: &[&str]| -> Ran {
        let ran = kit.desk.run(args);
        told.push((
            format!("standard output of {args:?}"),
            ran.out.clone().into_bytes(),
        ));
        told.push((
            format!("standard error of {args:?}"),
            ran.err.clone().into_bytes(),
        ));
        ran
    };
    run(kit, &["init", "fresh.toml"]).ended(0);
    run(kit, &["check", "--offline"]).ended(0);
    run(kit, &["config", "show"]).ended(0);
    kit.show(1, 2);
    // Every way to fail, with every form of words for it.
    for (key, site) in [
        (KeyState::Refused, SiteState::Refused),
        (KeyState::NoScope, SiteState::NoAudit),
        (KeyState::Forbidden, SiteState::Forbidden),
    ] {
        kit.simulator.change(|options| {
            options.key = key;
            options.site = site;
        });
        run(kit, &["scan"]).ended(1);
        run(kit, &["backfill", "--from", "2023-12-31"]).ended(1);
    }
    kit.simulator.change(|options| {
        options.key = KeyState::Good;
        options.site = SiteState::Good;
    });
    for fault in [
        Fault::Redirect,
        Fault::HtmlOk,
        Fault::PlainAsJson,
        Fault::Reset,
        Fault::CutBody,
        Fault::ForeignNext,
        Fault::RepeatingCursor,
        Fault::RefusedCursor,
        Fault::Throttled(Hint::Seconds),
        Fault::ServerErrorHtml(503),
    ] {
        kit.simulator.change(|options| {
            options.faults = Faults {
                in_a_row: u32::MAX,
                ..Faults::of(1, 1.0, &[fault])
            };
        });
        run(kit, &["scan"]).ended(1);
    }
    kit.simulator
        .change(|options| options.faults = Faults::passing(3, 0.2));
    run(kit, &["scan"]);
    kit.simulator
        .change(|options| options.faults = Faults::none());
    // A receiver that refuses, then one that breaks off, then one that takes it.
    kit.show(1, 1);
    for fault in [
        Fault::ServerError(500),
        Fault::Redirect,
        Fault::Reset,
        Fault::HtmlOk,
    ] {
        kit.simulator.fail_next("/webhook", fault, 1);
    }
    run(kit, &["backfill", "--from", "2023-12-31"]);
    for _ in 0..6 {
        run(kit, &["scan"]);
    }
    for args in [
        &["status"][..],
        &["status", "--format", "json"],
        &["findings", "list", "--all"],
        &["findings", "export", "--format", "json"],
        &["findings", "export", "--format", "ndjson"],
    ] {
        run(kit, args).ended(0);
    }
    // The libraries too, which may tell addresses when they are asked by name, but never a credential.
    let all = "trace,reqwest=trace,hyper=trace,hyper_util=trace,rustls=trace";
    let ran = kit.desk.run_with_log(&["scan"], Some(all)).done();
    told.push((LIBRARIES.to_owned(), ran.err.into_bytes()));
    for message in kit.simulator.received() {
        told.push(("body of a message".into(), message.body.clone()));
        let headers = message
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"));
        told.push((
            "headers of a message".into(),
            headers.collect::<String>().into_bytes(),
        ));
    }
    for name in ["state.db", "state.db-wal", "state.db-shm", "fresh.toml"] {
        let bytes = std::fs::read(kit.desk.path(name)).unwrap_or_default();
        told.push((name.to_owned(), bytes));
    }
    told
}

#[test]
fn a_whole_run_at_trace_level_shows_no_credential_anywhere() {
    let mut kit = Kit::with(small(1), Options::default(), NOTIFIER);
    kit.desk.log = Some("trace");
    let hook = kit.simulator.webhook_url();
    kit.desk
        .keep("soc.url", format!("{hook}/{PATH}?key={PATH}").as_bytes());
    kit.desk.keep("soc.secret", SECRET.as_bytes());
    let told = whole_run(&kit);
    assert!(!kit.simulator.received().is_empty());

    let (email, key, token) = (
        kit.simulator.email().to_owned(),
        kit.simulator.org_key().to_owned(),
        kit.simulator.api_token().to_owned(),
    );
    let bare = SECRET.strip_prefix("whsec_").unwrap();
    let decoded = String::from_utf8(BASE64_STANDARD.decode(bare).unwrap()).unwrap();
    let secrets = [
        ("the organisation's key", key.clone()),
        ("the same in base64", BASE64_STANDARD.encode(&key)),
        ("the API token", token.clone()),
        (
            "the Basic credential",
            BASE64_STANDARD.encode(format!("{email}:{token}")),
        ),
        ("the signing secret", bare.to_owned()),
        ("the signing secret, unpacked", decoded),
        ("the token in the receiver's address", PATH.to_owned()),
    ];
    for (what, secret) in &secrets {
        for (place, bytes) in &told {
            if place == LIBRARIES && what.contains("address") {
                continue;
            }
            assert!(!contains(bytes, secret), "{what} is in {place}");
        }
    }

    // The controls: the search would find them, and there was something to find them in.
    for (name, secret) in [
        ("org.key", &key),
        ("site.token", &token),
        ("soc.url", &PATH.to_owned()),
    ] {
        assert!(holds(&kit.desk.path(name), secret));
    }
    let account = kit.world().truth()[0].account.to_string();
    for place in [
        "state.db",
        "standard output of [\"findings\", \"export\"",
        "body of a message",
    ] {
        let mut those = told.iter().filter(|(name, _)| name.starts_with(place));
        assert!(
            those.any(|(_, bytes)| contains(bytes, &account)),
            "{account} is not in {place}"
        );
    }
    let logs = told
        .iter()
        .filter(|(name, _)| name.starts_with("standard error"));
    let logs: Vec<u8> = logs.flat_map(|(_, bytes)| bytes.clone()).collect();
    assert!(
        contains(&logs, "DEBUG") && contains(&logs, "Page read."),
        "no details were written"
    );
    assert!(
        contains(&logs, "TRACE"),
        "the libraries were asked to tell all"
    );
}
