//! Messages to a receiver: signed, tried again, never to an address that nobody set, and not one too many.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tokio::runtime::Runtime;

use crate::support::desk::{Desk, Setup, Tenant, planted, small_world, threads};

/// What signs, in the spelling of Standard Webhooks: "pagewarden-test-key-0001".
const SECRET: &str = "whsec_cGFnZXdhcmRlbi10ZXN0LWtleS0wMDAx";

/// What a receiver was sent.
#[derive(Debug, Clone)]
struct Message {
    path: String,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Message {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    /// Whether a receiver that knows the secret would believe it.
    fn is_signed(&self) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"pagewarden-test-key-0001").unwrap();
        for part in [
            self.header("webhook-id"),
            ".",
            self.header("webhook-timestamp"),
            ".",
        ] {
            mac.update(part.as_bytes());
        }
        mac.update(&self.bytes);
        let signature = self
            .header("webhook-signature")
            .strip_prefix("v1,")
            .unwrap();
        let signature = BASE64_STANDARD.decode(signature).unwrap();
        mac.verify_slice(&signature).is_ok()
    }
}

/// What a receiver and its requests share.
#[derive(Debug, Default)]
struct Desktop {
    script: Mutex<VecDeque<u16>>,
    messages: Mutex<Vec<Message>>,
}

/// A receiver that answers as it is configured, then 204; redirects lead to another path of its own.
struct Receiver {
    shared: Arc<Desktop>,
    url: String,
    _threads: Runtime,
}

impl Receiver {
    fn answering(statuses: &[u16]) -> Self {
        let shared = Arc::new(Desktop::default());
        shared.script.lock().unwrap().extend(statuses);
        let threads = threads();
        let listener = threads
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}/hook/T0KEN", listener.local_addr().unwrap());
        let app = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        threads.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            shared,
            url,
            _threads: threads,
        }
    }

    /// Answers 204 from now on.
    fn recover(&self) {
        self.shared.script.lock().unwrap().clear();
    }

    fn received(&self) -> Vec<Message> {
        self.shared.messages.lock().unwrap().clone()
    }

    /// Settings that send everything here, signed.
    fn of(&self, tenant: &Tenant) -> Setup {
        Setup {
            webhook: Some(self.url.clone()),
            secret: Some(SECRET),
            ..Setup::of(tenant)
        }
    }
}

async fn receive(State(shared): State<Arc<Desktop>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    shared.messages.lock().unwrap().push(Message {
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        bytes,
    });
    let status = shared.script.lock().unwrap().pop_front().unwrap_or(204);
    Response::builder()
        .status(status)
        .header("location", "/elsewhere")
        .body(Body::empty())
        .unwrap()
}

fn deliveries(desk: &Desk) -> (u64, u64, u64) {
    let status = desk.status();
    let counts = &status["tenants"][0]["deliveries"];
    let of = |name: &str| counts[name].as_u64().unwrap();
    (of("waiting"), of("sent"), of("given_up"))
}

#[test]
fn history_is_one_signed_message_tried_again_under_the_same_key() {
    let tenant = Tenant::small();
    let receiver = Receiver::answering(&[500, 503]);
    let desk = Desk::set_up(&receiver.of(&tenant));
    let done = desk.run("-q scan");
    assert!((10..=13).contains(&done.code()), "{done:?}");
    let messages = receiver.received();
    assert_eq!(messages.len(), 3, "{done:?}");
    for message in &messages {
        assert!(message.is_signed());
        assert_eq!(
            message.header("webhook-id"),
            messages[0].header("webhook-id")
        );
        assert_eq!(message.bytes, messages[0].bytes);
        assert_eq!(message.header("content-type"), "application/json");
    }
    let body = messages[0].body();
    assert_eq!(body["schema"], "pagewarden.summary.v1");
    assert_eq!(body["tenant"], "acme");
    assert_eq!(deliveries(&desk), (0, 1, 0));
    desk.run("-q scan").ends(0);
    assert_eq!(receiver.received().len(), 3);
}

/// A tenant of which nothing was seen when the program was installed, and all that happens comes after.
fn from_the_beginning(receiver: &Receiver, min_severity: &'static str) -> (Tenant, Desk) {
    let tenant = Tenant::small();
    let start = small_world().settings().start;
    tenant.simulator.show_until(start);
    let desk = Desk::set_up(&Setup {
        min_severity,
        ..receiver.of(&tenant)
    });
    desk.run("-q scan").ends(0);
    desk.installed(start);
    assert!(receiver.received().is_empty());
    (tenant, desk)
}

#[test]
fn what_happens_after_installation_is_reported_one_by_one_and_history_is_not() {
    let tenant = Tenant::small();
    let installed = planted("patient-collection").until + TimeDelta::hours(2);
    assert!(installed < planted("script").from);
    tenant.simulator.show_until(installed);
    let receiver = Receiver::answering(&[]);
    let desk = Desk::set_up(&Setup {
        min_severity: "low",
        ..receiver.of(&tenant)
    });
    let done = desk.run("-q scan --fail-on low");
    assert!((10..=13).contains(&done.code()), "{done:?}");
    assert_eq!(receiver.received().len(), 1);
    desk.installed(installed);
    let history = desk.findings();
    tenant.simulator.show_until(small_world().until());
    let done = desk.run("-q scan --fail-on low");
    assert!((10..=13).contains(&done.code()), "{done:?}");
    let findings = desk.findings();
    let mut fresh: Vec<String> = findings
        .iter()
        .filter(|finding| !history.contains(finding))
        .map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect();
    let messages = receiver.received().split_off(1);
    let mut reported = Vec::new();
    for message in &messages {
        let body = message.body();
        assert!(message.is_signed());
        assert_eq!(body["schema"], "pagewarden.finding.v1");
        let key = format!("{}:{}", body["id"].as_str().unwrap(), body["revision"]);
        assert_eq!(message.header("webhook-id"), key);
        assert!(findings.contains(&body), "{body}");
        reported.push(body["id"].as_str().unwrap().to_owned());
    }
    fresh.sort_unstable();
    reported.sort_unstable();
    assert_eq!(reported, fresh);
    let of_script =
        |message: &&Message| message.body()["account"]["id"] == planted("script").account.as_str();
    assert_eq!(messages.iter().filter(of_script).count(), 1);
}

#[test]
fn a_finding_is_reported_again_when_it_becomes_more_severe() {
    let receiver = Receiver::answering(&[]);
    let (tenant, desk) = from_the_beginning(&receiver, "low");
    let script = planted("script");
    for step in 0..=40 {
        let now = script.from + (script.until - script.from) * step / 20;
        tenant.simulator.show_until(now);
        desk.run("-q scan");
    }
    let messages: Vec<Message> = receiver
        .received()
        .into_iter()
        .filter(|message| message.body()["account"]["id"] == script.account.as_str())
        .collect();
    let mut keys: Vec<&str> = messages
        .iter()
        .map(|message| message.header("webhook-id"))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), messages.len(), "each key is of one message");
    let severity = |message: &Message| {
        let words = ["low", "medium", "high", "critical"];
        let body = message.body();
        words
            .iter()
            .position(|word| body["severity"] == *word)
            .unwrap()
    };
    let severities: Vec<usize> = messages.iter().map(severity).collect();
    assert!(
        severities.len() >= 2 && severities.is_sorted(),
        "{severities:?}"
    );
    assert!(severities.first() < severities.last(), "{severities:?}");
}

#[test]
fn only_what_is_severe_enough_is_sent() {
    let receiver = Receiver::answering(&[]);
    let (tenant, desk) = from_the_beginning(&receiver, "critical");
    tenant.simulator.show_until(small_world().until());
    desk.run("-q scan");
    let findings = desk.findings();
    let mut severe: Vec<Value> = findings
        .iter()
        .filter(|finding| finding["severity"] == "critical")
        .cloned()
        .collect();
    assert!(!severe.is_empty() && severe.len() < findings.len());
    let id = |body: &Value| body["id"].as_str().unwrap().to_owned();
    let mut sent: Vec<Value> = receiver.received().iter().map(Message::body).collect();
    severe.sort_by_key(id);
    sent.sort_by_key(id);
    assert_eq!(sent, severe);
}

#[test]
fn a_redirect_is_never_followed() {
    let tenant = Tenant::small();
    let receiver = Receiver::answering(&[307, 302]);
    let desk = Desk::set_up(&receiver.of(&tenant));
    let done = desk.run("-q scan");
    assert!((10..=13).contains(&done.code()), "{done:?}");
    let paths: Vec<String> = receiver
        .received()
        .into_iter()
        .map(|message| message.path)
        .collect();
    assert_eq!(paths, ["/hook/T0KEN"; 3]);
    let receiver = Receiver::answering(&[308]);
    let desk = Desk::set_up(&receiver.of(&tenant));
    let done = desk.run("-q scan").ends(1);
    assert_eq!(receiver.received().len(), 1);
    assert!(
        done.err.contains("redirects are not followed"),
        "{}",
        done.err
    );
    assert!(!done.err.contains("T0KEN"), "{}", done.err);
}

#[test]
fn a_receiver_that_is_gone_is_given_up_and_one_that_is_down_is_waited_for() {
    let tenant = Tenant::small();
    let receiver = Receiver::answering(&[410]);
    let desk = Desk::set_up(&receiver.of(&tenant));
    let gone = desk.run("-q scan").ends(1);
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(deliveries(&desk), (0, 0, 1));
    desk.run("-q scan").ends(0);
    assert_eq!(receiver.received().len(), 1);
    // It has another address now.
    let moved = Receiver::answering(&[]);
    desk.settle(&moved.of(&tenant));
    desk.run("-q scan").ends(0);
    assert_eq!(moved.received().len(), 1);
    assert_eq!(deliveries(&desk), (0, 1, 0));
    let receiver = Receiver::answering(&[500; 200]);
    let desk_down = Desk::set_up(&receiver.of(&tenant));
    let down = desk_down.run("-q scan").ends(1);
    assert_eq!(deliveries(&desk_down), (1, 0, 0));
    // The next run sends it, under the same key.
    receiver.recover();
    desk_down.run("-q scan").ends(0);
    let messages = receiver.received();
    let keys: Vec<&str> = messages
        .iter()
        .map(|message| message.header("webhook-id"))
        .collect();
    assert!(
        keys.len() >= 5 && keys.iter().all(|key| *key == keys[0]),
        "{keys:?}"
    );
    assert_eq!(deliveries(&desk_down), (0, 1, 0));
    let mut reported = String::new();
    for (what, done) in [("gone", gone), ("down", down)] {
        let words = done
            .err
            .lines()
            .filter(|line| line.starts_with("pagewarden:"));
        writeln!(
            reported,
            "# {what}\n{}",
            words.collect::<Vec<_>>().join("\n")
        )
        .unwrap();
    }
    insta::assert_snapshot!("messages_not_taken", reported);
}

#[test]
fn a_stored_message_that_cannot_be_read_is_given_up_and_holds_up_no_other() {
    let tenant = Tenant::small();
    let receiver = Receiver::answering(&[500; 200]);
    let desk = Desk::set_up(&receiver.of(&tenant));
    desk.run("-q scan").ends(1);
    assert_eq!(deliveries(&desk), (1, 0, 0));
    receiver.shared.messages.lock().unwrap().clear();
    receiver.recover();
    let state = rusqlite::Connection::open(desk.path("state.db")).unwrap();
    for (id, body) in [
        ("test:torn", "{\"version\":1,\"content\":"),
        ("test:newer", "{\"version\":9,\"content\":{\"poem\":[]}}"),
    ] {
        state
            .execute(
                "insert into delivery (id, notifier, tenant, severity, body, created_ms, due_ms)
                 values (?1, 'soc', 1, 3, cast(?2 as blob), unixepoch() * 1000, 0)",
                (id, body),
            )
            .unwrap();
    }
    let done = desk.run("-q scan").ends(1);
    assert_eq!(deliveries(&desk), (0, 1, 2), "{}", done.err);
    let messages = receiver.received();
    assert_eq!(messages.len(), 1, "{}", done.err);
    assert_eq!(messages[0].body()["schema"], "pagewarden.summary.v1");
    let why = |id: &str| {
        state
            .query_row(
                "select last_error from delivery where id = ?1",
                [id],
                |row| row.get::<_, String>(0),
            )
            .unwrap()
    };
    assert_eq!(
        why("test:torn"),
        "the stored message cannot be read (line 1, column 23)"
    );
    assert_eq!(
        why("test:newer"),
        "the stored message has form 9, this program knows form 1"
    );
}
