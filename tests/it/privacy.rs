//! No credential leaves by any way but the one header: not into a log, a state file, a finding or a message.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pagewarden_simulator::{Fault, Faults, Hint, KeyState, Options, SiteState};

use crate::support::kit::{Kit, Ran, contains, holds, small};

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
#[derive(Default)]
struct Told(Vec<(String, Vec<u8>)>);

impl Told {
    /// Runs the binary and keeps what it said.
    fn run(&mut self, kit: &Kit, args: &[&str]) -> Ran {
        let ran = kit.desk.run(args);
        self.0.push((
            format!("standard output of {args:?}"),
            ran.out.clone().into_bytes(),
        ));
        self.0.push((
            format!("standard error of {args:?}"),
            ran.err.clone().into_bytes(),
        ));
        ran
    }

    /// Whether a place whose name begins so holds a text.
    fn holds(&self, place: &str, text: &str) -> bool {
        self.0
            .iter()
            .filter(|(name, _)| name.starts_with(place))
            .any(|(_, bytes)| contains(bytes, text))
    }

    /// Before the first event, and whatever goes wrong on the way to it.
    fn misfortunes(&mut self, kit: &Kit) {
        self.run(kit, &["init", "fresh.toml"]).ended(0);
        self.run(kit, &["check", "--offline"]).ended(0);
        self.run(kit, &["config", "show"]).ended(0);
        kit.show(1, 2);
        let mut credentials = |key, site, ended| {
            kit.simulator.change(|options| {
                options.key = key;
                options.site = site;
            });
            if ended {
                return;
            }
            self.run(kit, &["scan"]).ended(1);
            self.run(kit, &["backfill", "--from", "2023-12-31"])
                .ended(1);
        };
        credentials(KeyState::Refused, SiteState::Refused, false);
        credentials(KeyState::NoScope, SiteState::NoAudit, false);
        credentials(KeyState::Forbidden, SiteState::Forbidden, false);
        credentials(KeyState::Good, SiteState::Good, true);
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
            self.run(kit, &["scan"]).ended(1);
        }
        kit.simulator
            .change(|options| options.faults = Faults::passing(3, 0.2));
        self.run(kit, &["scan"]);
        kit.simulator
            .change(|options| options.faults = Faults::none());
    }

    /// All of it is read, found and sent, to a receiver that refuses, sends elsewhere, breaks off, and takes it in the end.
    fn scan_everything(&mut self, kit: &Kit) {
        kit.show(1, 1);
        for fault in [
            Fault::ServerError(500),
            Fault::Redirect,
            Fault::Reset,
            Fault::HtmlOk,
        ] {
            kit.simulator.fail_next("/webhook", fault, 1);
        }
        self.run(kit, &["backfill", "--from", "2023-12-31"]);
        for _ in 0..6 {
            self.run(kit, &["scan"]);
        }
        for args in [
            &["status"][..],
            &["status", "--format", "json"],
            &["findings", "list", "--all"],
            &["findings", "export", "--format", "json"],
            &["findings", "export", "--format", "ndjson"],
        ] {
            self.run(kit, args).ended(0);
        }
        // The libraries too, which may log addresses when they are asked by name, but never a credential.
        let all = "trace,reqwest=trace,hyper=trace,hyper_util=trace,rustls=trace";
        let ran = kit.desk.run_with_log(&["scan"], Some(all)).done();
        self.0.push((LIBRARIES.to_owned(), ran.err.into_bytes()));
    }

    /// What was sent, and what lies in the folder.
    fn gather(&mut self, kit: &Kit) {
        for message in kit.simulator.received() {
            let headers = format!("{:?}", message.headers);
            self.0
                .push(("headers of a message".into(), headers.into_bytes()));
            self.0.push(("body of a message".into(), message.body));
        }
        for name in ["state.db", "state.db-wal", "state.db-shm", "fresh.toml"] {
            let bytes = std::fs::read(kit.desk.path(name)).unwrap_or_default();
            self.0.push((name.to_owned(), bytes));
        }
    }
}

/// Every secret, in every form in which it might be seen.
fn secrets(kit: &Kit) -> [(&'static str, String); 7] {
    let (key, token) = (kit.simulator.org_key(), kit.simulator.api_token());
    let pair = format!("{}:{token}", kit.simulator.email());
    let bare = SECRET.strip_prefix("whsec_").unwrap();
    let decoded = String::from_utf8(BASE64_STANDARD.decode(bare).unwrap()).unwrap();
    [
        ("the organisation's key", key.to_owned()),
        ("the same in base64", BASE64_STANDARD.encode(key)),
        ("the API token", token.to_owned()),
        ("the Basic credential", BASE64_STANDARD.encode(pair)),
        ("the signing secret", bare.to_owned()),
        ("the signing secret, unpacked", decoded),
        ("the token in the receiver's address", PATH.to_owned()),
    ]
}

#[test]
fn a_whole_run_at_trace_level_shows_no_credential_anywhere() {
    let mut kit = Kit::with(small(1), Options::default(), NOTIFIER);
    kit.desk.log = Some("trace");
    let hook = format!("{}/{PATH}?key={PATH}", kit.simulator.webhook_url());
    kit.desk.keep("soc.url", hook.as_bytes());
    kit.desk.keep("soc.secret", SECRET.as_bytes());
    let mut shown = Told::default();
    shown.misfortunes(&kit);
    shown.scan_everything(&kit);
    shown.gather(&kit);
    for (what, secret) in &secrets(&kit) {
        for (place, bytes) in &shown.0 {
            if place == LIBRARIES && what.contains("address") {
                continue;
            }
            assert!(!contains(bytes, secret), "{what} is in {place}");
        }
    }

    // The controls: the search would find them, and there was something to find them in.
    let (key, token) = (kit.simulator.org_key(), kit.simulator.api_token());
    for (name, secret) in [("org.key", key), ("site.token", token), ("soc.url", PATH)] {
        assert!(holds(&kit.desk.path(name), secret));
    }
    let account = kit.world().truth()[0].account.to_string();
    for place in [
        "state.db",
        "standard output of [\"findings\", \"export\"",
        "body of a message",
    ] {
        assert!(shown.holds(place, &account), "{account} is not in {place}");
    }
    for word in ["DEBUG", "TRACE", "Batch read."] {
        assert!(shown.holds("standard error", word), "no {word} was logged");
    }
}
