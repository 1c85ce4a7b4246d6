//! Small HTTP servers on loopback for tests.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Authorization, Client, Pace, Transport};
use crate::config::Retry;

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// The path, as sent.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// A parameter of the query, decoded.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let query = self.uri.query()?;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A server that answers by a function of the request and its number, and remembers what it was asked. Ends when dropped.
pub(crate) struct Server {
    pub(crate) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(
        answer: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let answer = Arc::new(answer);
        let handler = move |method, uri, headers, body| {
            let request = Seen {
                method,
                uri,
                headers,
                body,
            };
            let number = {
                let mut log = log.lock().unwrap();
                log.push(request.clone());
                log.len() - 1
            };
            let answer = Arc::clone(&answer);
            async move { answer(&request, number) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            axum::serve(listener, Router::new().fallback(handler))
                .await
                .unwrap();
        });
        Self {
            url,
            seen,
            _tasks: tasks,
        }
    }

    /// Everything that was asked, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A server that writes these bytes to every connection, whatever is asked, and closes it.
pub(crate) fn raw_server(answer: Vec<u8>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            if stream.read(&mut request).is_err() {
                continue;
            }
            stream.write_all(&answer).unwrap_or_default();
        }
    });
    url
}

/// An answer with this status, these headers and this body.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).unwrap()
}

/// An answer of JSON.
pub(crate) fn json(status: u16, body: impl Into<String>) -> Response {
    reply(
        status,
        &[("content-type", "application/json")],
        Into::<String>::into(body),
    )
}

/// Retries that do not hold up a test.
pub(crate) const QUICK: Retry = Retry {
    base: Duration::from_millis(1),
    attempts: 3,
    timeout: Duration::from_mins(1),
};

/// A secret that must never be seen.
pub(crate) const SECRET: &str = "s3cret-s3cret-s3cret";

/// The secret as a credential.
pub(crate) fn secret() -> SecretString {
    SECRET.into()
}

/// A client with a key, without spacing.
pub(crate) fn client(url: &Url) -> Client {
    let key = Authorization::Bearer(secret());
    Client::new(
        &Transport::default(),
        url,
        key,
        QUICK,
        Pace::unlimited(),
        CancellationToken::new(),
    )
    .unwrap()
}
