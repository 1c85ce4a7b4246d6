//! A client for one origin.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::auth::{Credential, InUse};
use super::error::trimmed;
use super::hint::{server_time, wait_hint};
use super::retry::persist;
use super::transport::is_loopback;
use super::{Authorization, Error, Malformed, Pace, SetupError, Transport};
use crate::config::Retry;
use pagewarden_core::time::{Clock, SystemClock};

/// The most bytes of an answer that are read, after decompression.
const CAP: usize = 16 << 20;

/// The most bytes of a refusal that are read.
const REFUSAL_CAP: usize = 64 << 10;

/// An answer that is what was asked for, as far as HTTP shows: status 200, and a body that begins like JSON.
#[derive(Debug)]
pub struct Answer {
    /// The status: 200.
    pub status: u16,
    /// The body, decompressed.
    pub bytes: Vec<u8>,
    /// What the server's clock says, where the answer has it.
    pub server_time: Option<DateTime<Utc>>,
}

/// A client for one origin. Clones share connections and pace.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    transport: Transport,
    base: Url,
    credential: Credential,
    retry: Retry,
    pace: Pace,
    stop: CancellationToken,
    cap: usize,
    clock: Arc<dyn ClockDebug>,
}

/// A clock that can stand in a struct that shows itself.
trait ClockDebug: Clock + std::fmt::Debug {}
impl<T: Clock + std::fmt::Debug> ClockDebug for T {}

impl Client {
    /// A client for the origin of `base`, below its path, whose requests are carried so.
    pub fn new(
        transport: &Transport,
        base: &Url,
        authorization: Authorization,
        retry: Retry,
        pace: Pace,
        stop: CancellationToken,
    ) -> Result<Self, SetupError> {
        let loopback = is_loopback(base);
        match base.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => return Err(SetupError::Insecure),
        }
        let nameless = base.username().is_empty() && base.password().is_none();
        if base.cannot_be_a_base() || !nameless || base.fragment().is_some() {
            return Err(SetupError::Address);
        }
        Ok(Self {
            http: transport.client(loopback)?,
            transport: transport.clone(),
            base: base.clone(),
            credential: Credential::new(authorization)?,
            retry,
            pace,
            stop,
            cap: CAP,
            clock: Arc::new(SystemClock),
        })
    }

    /// The same client with another pace.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// The same client, which reads its credential again where a server refuses it with 401.
    #[must_use]
    pub fn renewed_by(
        mut self,
        renew: impl Fn() -> Option<Authorization> + Send + Sync + 'static,
    ) -> Self {
        self.credential = self.credential.renewed_by(Arc::new(renew));
        self
    }

    /// The address below which everything is asked.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Asks for JSON; `segments` are the path below the base, unescaped.
    pub async fn get_json(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer, Error> {
        self.get(segments, query, well_formed).await
    }

    /// Sends JSON and asks for JSON; only for requests that may be repeated.
    pub async fn post_json(
        &self,
        segments: &[&str],
        body: &serde_json::Value,
    ) -> Result<Answer, Error> {
        self.post(segments, body, well_formed).await
    }

    /// Asks for JSON and reads it; an answer that cannot be read is asked for again.
    pub async fn get<T>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        read: impl Fn(Answer) -> Result<T, Malformed>,
    ) -> Result<T, Error> {
        let url = self.url(segments)?;
        self.ask(|| self.http.get(url.clone()).query(query), read)
            .await
    }

    /// Sends JSON, asks for JSON and reads it; only for requests that may be repeated.
    pub async fn post<T>(
        &self,
        segments: &[&str],
        body: &serde_json::Value,
        read: impl Fn(Answer) -> Result<T, Malformed>,
    ) -> Result<T, Error> {
        let url = self.url(segments)?;
        self.ask(|| self.http.post(url.clone()).json(body), read)
            .await
    }

    /// Tries until there is an answer that can be read; once more where the credential is refused and there is a new one.
    async fn ask<T>(
        &self,
        request: impl Fn() -> RequestBuilder,
        read: impl Fn(Answer) -> Result<T, Malformed>,
    ) -> Result<T, Error> {
        let ask = |by: Arc<InUse>| {
            let (request, read) = (&request, &read);
            persist(self.retry, &self.pace, &self.stop, move || {
                let by = Arc::clone(&by);
                async move {
                    let answer = self.once(request(), &by).await?;
                    read(answer).map_err(Error::from)
                }
            })
        };
        let by = self.credential.in_use();
        match ask(Arc::clone(&by)).await {
            Err(error) if error.is_about_credential() && self.credential.replace(&by) => {
                ask(self.credential.in_use()).await
            }
            answer => answer,
        }
    }

    /// One try: an answer that can be believed, or why not.
    async fn once(&self, request: RequestBuilder, by: &InUse) -> Result<Answer, Error> {
        let response = self.send(request, by).await?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            201..=299 => return Err(Malformed::Status(status).into()),
            _ => return Err(self.refusal(response, by).await),
        }
        let kind = content_type(&response);
        if let Some(reason) = login_reason(response.headers(), by) {
            // What is shown is what nobody in particular may see.
            return Err(Error::Denied {
                status,
                message: String::new(),
                login_reason: Some(reason),
            });
        }
        let server_time = server_time(response.headers());
        let bytes = self.body(response).await?;
        believable(kind.as_deref(), &bytes)?;
        Ok(Answer {
            status,
            bytes,
            server_time,
        })
    }

    /// Sends a request with the credential, to the one origin.
    async fn send(&self, request: RequestBuilder, by: &InUse) -> Result<Response, Error> {
        let mut request = request.timeout(self.retry.timeout);
        if let Some(header) = &by.header {
            request = request.header(AUTHORIZATION, header.clone());
        }
        let request = request
            .build()
            .map_err(|error| Error::of_transport(&error))?;
        let response = self.transport.send(&self.http, request).await?;
        Ok(response)
    }

    /// The whole body, chunk by chunk, up to the cap.
    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Error> {
        let length = response.content_length().unwrap_or_default();
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(self.cap));
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(bytes),
                Err(error) if error.is_timeout() => return Err(Error::of_transport(&error)),
                Err(_) => return Err(Malformed::Cut.into()),
            };
            if bytes.len() + chunk.len() > self.cap {
                return Err(Malformed::TooLarge.into());
            }
            bytes.extend_from_slice(&chunk);
        }
    }

    /// The error for an answer without success.
    async fn refusal(&self, mut response: Response, by: &InUse) -> Error {
        let status = response.status().as_u16();
        if response.status().is_redirection() {
            return Error::Redirected {
                to: redirected_to(&response),
            };
        }
        let headers = response.headers().clone();
        let now = server_time(&headers).unwrap_or_else(|| self.clock.now());
        let wait = wait_hint(status, &headers, now);
        if status == 429 {
            return Error::Throttled {
                wait,
                until: wait.map(|wait| pagewarden_core::time::after(now, wait)),
            };
        }
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > REFUSAL_CAP {
                break;
            }
        }
        let message = trimmed(&by.authorization.scrub(message(&body)));
        // Atlassian suspends a site with 503, and that does not pass by itself.
        let suspended = message.starts_with("SUSPENDED");
        if (matches!(status, 408 | 425) || status >= 500) && !suspended {
            return Error::Failed {
                status,
                message,
                wait,
            };
        }
        Error::Denied {
            status,
            message,
            login_reason: login_reason(&headers, by),
        }
    }

    /// The address of a path below the base; every segment is escaped.
    fn url(&self, segments: &[&str]) -> Result<Url, Error> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) => {
                path.pop_if_empty().extend(segments);
            }
            Err(()) => return Err(Malformed::Missing("a path").into()),
        }
        Ok(url)
    }
}

/// Where a redirect leads: the host, or words where it is the same or none.
fn redirected_to(response: &Response) -> String {
    let location = response.headers().get(LOCATION);
    let target = location
        .and_then(|location| location.to_str().ok())
        .and_then(|location| response.url().join(location).ok());
    match target.as_ref().and_then(Url::host_str) {
        Some(host) if response.url().host_str() != Some(host) => trimmed(host),
        Some(_) => "another page of the same host".to_owned(),
        None => "nowhere".to_owned(),
    }
}

/// Why Atlassian's sign-in layer took the request for nobody's, where it says so in its header; it may answer all the same.
fn login_reason(headers: &HeaderMap, by: &InUse) -> Option<String> {
    let reason = headers.get("x-seraph-loginreason")?.to_str().ok()?;
    let failed = ["AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"]
        .iter()
        .any(|failed| reason.trim().eq_ignore_ascii_case(failed));
    failed.then(|| trimmed(&by.authorization.scrub(reason.into())))
}

/// The content type without its parameters, lower case.
fn content_type(response: &Response) -> Option<String> {
    let value = response.headers().get(CONTENT_TYPE)?;
    let text = value.to_str().unwrap_or("unreadable");
    Some(
        text.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase(),
    )
}

/// Whether a body of this type is the JSON that was asked for, by its looks.
fn believable(kind: Option<&str>, bytes: &[u8]) -> Result<(), Malformed> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match kind {
        Some("text/html" | "application/xhtml+xml") => return Err(Malformed::Html),
        Some("application/json" | "text/json") | None => {}
        Some(kind) if kind.starts_with("application/") && kind.ends_with("+json") => {}
        Some(_) => return Err(Malformed::ContentType),
    }
    match first {
        Some(b'{' | b'[') => Ok(()),
        Some(b'<') => Err(Malformed::Html),
        Some(_) => Err(Malformed::NotJson),
        None => Err(Malformed::Empty),
    }
}

/// Takes an answer whose body is one JSON value.
fn well_formed(answer: Answer) -> Result<Answer, Malformed> {
    match serde_json::from_slice::<IgnoredAny>(&answer.bytes) {
        Ok(_) => Ok(answer),
        Err(error) => Err((&error).into()),
    }
}

/// The bodies in which Atlassian's servers refuse.
#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<RefusalPart>,
    message: Option<String>,
    error: Option<serde_json::Value>,
    #[serde(rename = "errorCode")]
    error_code: Option<String>,
    #[serde(rename = "errorMessage")]
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct RefusalPart {
    code: Option<String>,
    title: Option<String>,
    detail: Option<String>,
}

/// What a refusal says, in one short line; nothing where it is a page or unreadable.
pub fn words_of_refusal(body: &[u8]) -> String {
    trimmed(&message(body))
}

/// What a refusal says; nothing where it is a page or unreadable.
fn message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.starts_with('<') {
        return String::new();
    }
    let Ok(refusal) = serde_json::from_str::<Refusal>(text) else {
        return if text.starts_with(['{', '[']) {
            loose_message(text)
        } else {
            text.into()
        };
    };
    if let Some(RefusalPart {
        code,
        title,
        detail,
    }) = refusal.errors.into_iter().next()
    {
        let parts: Vec<String> = [code, title, detail].into_iter().flatten().collect();
        return parts.join(": ");
    }
    let error = refusal.error.as_ref().and_then(|error| error.as_str());
    let message = refusal.message.or(refusal.error_message);
    let parts = [refusal.error_code, message.or(error.map(Into::into))];
    parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// What a refusal of an unknown shape says, where it says it in the usual place.
fn loose_message(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let first = value.pointer("/errors/0").cloned().unwrap_or_default();
    ["code", "title", "detail", "message"]
        .iter()
        .filter_map(|name| first.get(name)?.as_str())
        .chain(value.get("message").and_then(|message| message.as_str()))
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
