//! What every notifier has to pass, against a real receiver on loopback.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Content, Message, Notifier, SendError};
use crate::http::post::Timeouts;
use crate::output::samples::{blindness, collection, hostile, start};
use crate::output::summary::{History, Summary};
use pagewarden_core::model::Severity;
use pagewarden_core::time::{Window, before};

/// The part of every receiver's address that nobody may see.
pub(super) const TOKEN: &str = "T0KEN-in-the-path";

/// The signing secret that nobody may see.
pub(super) const SECRET: &str = "a-secret-that-signs";

/// Long enough for loopback, short enough to be waited for.
const SHORT: Timeouts = Timeouts {
    connect: Duration::from_millis(150),
    total: Duration::from_millis(150),
};

/// How a receiver answers one request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// With a status, headers and so many bytes.
    Answer {
        /// The status.
        status: u16,
        /// More headers.
        headers: Vec<(&'static str, String)>,
        /// How long the body is.
        length: usize,
    },
    /// Never.
    Never,
}

impl Reply {
    /// An answer with a status and nothing else.
    pub(super) fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: vec![],
            length: 0,
        }
    }

    /// An answer with a status and a header.
    fn with(status: u16, name: &'static str, value: &str) -> Self {
        Self::Answer {
            status,
            headers: vec![(name, value.to_owned())],
            length: 0,
        }
    }
}

/// What a receiver was sent.
#[derive(Debug, Clone)]
pub(super) struct Received {
    /// The path.
    pub(super) path: String,
    /// The headers.
    headers: HeaderMap,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl Received {
    /// A header's value.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().unwrap().to_owned())
    }
}

/// What receiver and test share.
#[derive(Debug, Default)]
struct Shared {
    replies: VecDeque<Reply>,
    received: Vec<Received>,
}

/// An HTTP server on loopback that answers as it is set and remembers what it was sent.
pub(super) struct Receiver {
    shared: Arc<Mutex<Shared>>,
    port: u16,
    /// Ends the server when the receiver is dropped.
    _tasks: JoinSet<()>,
}

impl Receiver {
    /// Starts a receiver with its answers, in order; beyond them it answers 500.
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        let shared = Arc::new(Mutex::new(Shared {
            replies: replies.into(),
            received: vec![],
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            shared,
            port,
            _tasks: tasks,
        }
    }

    /// Its address.
    pub(super) fn url(&self) -> SecretString {
        SecretString::from(format!("http://127.0.0.1:{}/{TOKEN}", self.port))
    }

    /// What it was sent.
    pub(super) fn requests(&self) -> Vec<Received> {
        self.shared.lock().unwrap().received.clone()
    }
}

/// Takes one request.
async fn receive(
    State(shared): State<Arc<Mutex<Shared>>>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    let received = Received {
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body,
    };
    let reply = {
        let mut shared = shared.lock().unwrap();
        shared.received.push(received);
        shared
            .replies
            .pop_front()
            .unwrap_or_else(|| Reply::status(500))
    };
    match reply {
        Reply::Never => std::future::pending().await,
        Reply::Answer {
            status,
            headers,
            length,
        } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(vec![b'x'; length])).unwrap()
        }
    }
}

/// A message.
pub(super) fn message() -> Message {
    Message {
        id: "3f9a1c2e5b7d40618a9c0d1e2f304152:3".into(),
        at: pagewarden_core::time::moment(1_795_140_845),
        content: Content::Finding(collection()),
        severity: Severity::High,
    }
}

/// Everything that a message can say, but for what an older program rendered.
pub(super) fn contents() -> Vec<Content> {
    let span = Window {
        from: before(start(), Duration::from_hours(30 * 24)),
        until: start(),
    };
    let found = [collection(), blindness(), hostile()];
    vec![
        Content::Finding(collection()),
        Content::Finding(hostile()),
        Content::Finding(blindness()),
        Content::Retraction {
            finding: hostile(),
            revision: 4,
            severity: Severity::Low,
        },
        Content::Summary(Summary::new("acme", History::Backfill, span, &found)),
    ]
}

/// Sets up the notifier under test for an address that holds [`TOKEN`], with [`SECRET`] where it takes one.
type Make<'a> = &'a (dyn Fn(SecretString, Timeouts) -> Box<dyn Notifier> + Sync);

/// Puts a notifier to all the tests.
pub(super) async fn passes(make: impl Fn(SecretString, Timeouts) -> Box<dyn Notifier> + Sync) {
    attempts_are_told_as_one(&make).await;
    every_content_has_the_same_bytes_after_a_restart(&make).await;
    what_an_older_program_rendered_is_sent_or_given_up(&make).await;
    redirects_are_not_followed(&make).await;
    silence_ends_and_may_be_tried_again(&make).await;
    a_wait_that_is_asked_for_is_passed_on(&make).await;
    refusals_are_explained_and_nothing_is_given_away(&make).await;
    a_long_answer_does_no_harm(&make).await;
    an_address_where_nobody_listens_may_be_tried_again(&make).await;
}

/// Sends to a receiver that answers so.
async fn send(make: Make<'_>, reply: Reply) -> (Result<(), SendError>, Vec<Received>) {
    let receiver = Receiver::start(vec![reply]).await;
    let outcome = make(receiver.url(), Timeouts::default())
        .send(&message())
        .await;
    if let Err(error) = &outcome {
        hides_secrets(&format!("{error} {error:?}"));
    }
    (outcome, receiver.requests())
}

/// Fails where a text holds what nobody may see.
fn hides_secrets(text: &str) {
    for secret in [TOKEN, SECRET, "127.0.0.1", "http://"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Two attempts are recognizably one message: nothing differs but what belongs to the time.
async fn attempts_are_told_as_one(make: Make<'_>) {
    let receiver = Receiver::start(vec![Reply::status(503), Reply::status(200)]).await;
    let notifier = make(receiver.url(), Timeouts::default());
    let first = message();
    let second = Message {
        at: pagewarden_core::time::moment(1_795_140_905),
        ..message()
    };
    assert!(matches!(
        notifier.send(&first).await,
        Err(SendError::TryAgain { .. })
    ));
    assert_eq!(notifier.send(&second).await, Ok(()));
    let [mut one, mut two] = receiver.requests().try_into().unwrap();
    for changing in ["webhook-timestamp", "webhook-signature"] {
        one.headers.remove(changing);
        two.headers.remove(changing);
    }
    assert_eq!(
        (one.path, one.headers.clone(), one.body.clone()),
        (two.path, two.headers, two.body)
    );
    let sent = format!("{:?} {}", one.headers, String::from_utf8_lossy(&one.body));
    assert!(
        sent.contains(&message().id),
        "the idempotency key is not sent: {sent}"
    );
    hides_secrets(&format!("{notifier:?}"));
}

/// Sends a content as it comes out of the outbox, by a notifier of its own.
async fn sent_body(make: Make<'_>, content: &Content) -> (Result<(), SendError>, Vec<Received>) {
    let receiver = Receiver::start(vec![Reply::status(200)]).await;
    let content = Content::from_stored(&content.to_stored().unwrap()).unwrap();
    let message = Message {
        content,
        ..message()
    };
    let outcome = make(receiver.url(), Timeouts::default())
        .send(&message)
        .await;
    (outcome, receiver.requests())
}

async fn every_content_has_the_same_bytes_after_a_restart(make: Make<'_>) {
    let mut bodies = Vec::new();
    for content in contents() {
        let [(first, one), (second, two)] = [
            sent_body(make, &content).await,
            sent_body(make, &content).await,
        ];
        assert_eq!((first, second), (Ok(()), Ok(())), "{content:?}");
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].body, two[0].body, "{content:?}");
        assert!(!bodies.contains(&one[0].body), "said twice: {content:?}");
        bodies.push(one[0].body.clone());
    }
}

async fn what_an_older_program_rendered_is_sent_or_given_up(make: Make<'_>) {
    let (outcome, requests) = sent_body(make, &Content::Rendered("{\"a\": 1}".into())).await;
    match outcome {
        Ok(()) => assert_eq!(requests[0].body, b"{\"a\": 1}"),
        Err(error) => {
            assert!(matches!(error, SendError::GiveUp { .. }), "{error:?}");
            assert!(requests.is_empty(), "given up, but sent");
        }
    }
}

async fn redirects_are_not_followed(make: Make<'_>) {
    for status in [301, 302, 303, 307, 308] {
        let (outcome, requests) = send(make, Reply::with(status, "location", "/elsewhere")).await;
        assert!(outcome.is_err(), "{status}");
        let paths: Vec<String> = requests.into_iter().map(|request| request.path).collect();
        assert_eq!(paths, [format!("/{TOKEN}")], "{status}");
    }
}

async fn silence_ends_and_may_be_tried_again(make: Make<'_>) {
    let receiver = Receiver::start(vec![Reply::Never]).await;
    let error = make(receiver.url(), SHORT)
        .send(&message())
        .await
        .unwrap_err();
    hides_secrets(&format!("{error} {error:?}"));
    assert!(
        matches!(error, SendError::TryAgain { wait: None, .. }),
        "{error:?}"
    );
}

async fn a_wait_that_is_asked_for_is_passed_on(make: Make<'_>) {
    for status in [429, 503] {
        let (outcome, _) = send(make, Reply::with(status, "retry-after", "7")).await;
        let wait = match outcome.unwrap_err() {
            SendError::TryAgain { wait, .. } => wait,
            error @ SendError::GiveUp { .. } => panic!("gave up: {error:?}"),
        };
        assert_eq!(wait, Some(Duration::from_secs(7)), "{status}");
    }
}

async fn refusals_are_explained_and_nothing_is_given_away(make: Make<'_>) {
    for status in [400, 401, 403, 404, 410, 413, 422] {
        let (outcome, requests) = send(make, Reply::status(status)).await;
        let error = outcome.unwrap_err();
        assert!(
            matches!(error, SendError::GiveUp { .. }),
            "{status}: {error:?}"
        );
        assert!(
            error.to_string().contains(&format!("(HTTP {status})")),
            "{error}"
        );
        assert_eq!(requests.len(), 1);
    }
}

async fn a_long_answer_does_no_harm(make: Make<'_>) {
    let reply = Reply::Answer {
        status: 200,
        headers: vec![],
        length: 4 << 20,
    };
    assert_eq!(send(make, reply).await.0, Ok(()));
}

async fn an_address_where_nobody_listens_may_be_tried_again(make: Make<'_>) {
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = SecretString::from(format!("http://127.0.0.1:{port}/{TOKEN}"));
    let error = make(url, Timeouts::default())
        .send(&message())
        .await
        .unwrap_err();
    hides_secrets(&format!("{error} {error:?}"));
    assert!(matches!(error, SendError::TryAgain { .. }), "{error:?}");
}
