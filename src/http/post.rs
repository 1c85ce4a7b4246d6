//! One POST to an address that is itself a secret: for notifiers. Knows nothing of what is sent.
//!
//! Follows nothing, believes nothing but the status and the hint when to come again, and shows the address to nobody.

use std::fmt;
use std::time::Duration;

use chrono::DateTime;
use reqwest::RequestBuilder;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::transport::is_loopback;
use super::{Broken, Transport};
use pagewarden_core::model::Destination;

/// How much of an answer is taken in, so that the connection can be used again, before it is dropped.
const ANSWER_CAP: usize = 64 * 1024;

/// The longest reason that an error keeps.
const REASON_CAP: usize = 200;

/// How long a POST may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// From beginning to end.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(10),
        }
    }
}

/// Why there can be no sender for an address; the config has to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It does not parse, or has no host.
    #[error("the address is not a URL such as https://hooks.example/path")]
    NotAUrl,
    /// It would send in the clear over a network.
    #[error("the address must begin with https:// (http:// is for loopback only)")]
    NotHttps,
    /// The TLS library could not be set up.
    #[error("no HTTP client could be set up")]
    NoClient,
}

/// Why a POST got no answer; all of it may pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// No connection, or it broke. The reason names no address.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// A header cannot be sent as it is.
    #[error("the header {0} has a value that no header can hold")]
    BadHeader(&'static str),
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

/// Posts to one address.
pub struct Sender {
    /// The address, and with it usually the right to post to it.
    url: Url,
    /// The client, which pins what `Sender` promises.
    client: reqwest::Client,
    /// How requests reach it.
    transport: Transport,
    /// How long it may take.
    timeouts: Timeouts,
}

impl Sender {
    /// A sender to an address; HTTPS only, unless it is of this machine.
    pub fn new(address: &SecretString, timeouts: Timeouts) -> Result<Self, BadAddress> {
        let url = Url::parse(address.expose_secret().trim()).map_err(|_| BadAddress::NotAUrl)?;
        let loopback = is_loopback(&url);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(BadAddress::NotHttps),
            _ => return Err(BadAddress::NotAUrl),
        }
        let builder = reqwest::Client::builder()
            .user_agent(concat!("pagewarden/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .https_only(!loopback)
            .connect_timeout(timeouts.connect);
        let builder = if loopback {
            builder.no_proxy()
        } else {
            builder
        };
        let client = builder.build().map_err(|_| BadAddress::NoClient)?;
        Ok(Self {
            url,
            client,
            transport: Transport::default(),
            timeouts,
        })
    }

    /// Where it posts to.
    pub fn destination(&self) -> Destination {
        Destination::of(self.url.as_str())
    }

    /// The same sender, whose requests are carried otherwise.
    #[must_use]
    pub fn over(mut self, transport: &Transport) -> Self {
        self.transport = transport.clone();
        self
    }

    /// Posts a body with headers, and waits for the answer.
    pub async fn post(
        &self,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Answer, NoAnswer> {
        let mut map = HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|_| NoAnswer::BadHeader(name))?;
            map.insert(HeaderName::from_static(name), value);
        }
        self.send(self.client.post(self.url.clone()).headers(map).body(body))
            .await
    }

    /// Asks whether anybody answers, with HEAD, which changes nothing.
    pub async fn head(&self) -> Result<Answer, NoAnswer> {
        self.send(self.client.head(self.url.clone())).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, NoAnswer> {
        let request = request.timeout(self.timeouts.total).build();
        let request = request.map_err(|error| self.no_answer(Broken::from(&error)))?;
        let sent = self.transport.send(&self.client, request).await;
        let mut response = sent.map_err(|broken| self.no_answer(broken))?;
        let answer = Answer {
            status: response.status().as_u16(),
            retry_after: retry_after(response.headers()),
        };
        let mut taken = 0;
        while taken < ANSWER_CAP
            && let Ok(Some(chunk)) = response.chunk().await
        {
            taken += chunk.len();
        }
        Ok(answer)
    }

    /// What went wrong, without the address.
    fn no_answer(&self, broken: Broken) -> NoAnswer {
        match broken {
            Broken::TimedOut => NoAnswer::TimedOut(self.timeouts.total),
            Broken::Unreachable(detail) | Broken::Proxy(detail) | Broken::Cut(detail)
                if detail.is_empty() =>
            {
                NoAnswer::Unreachable("the request could not be sent".to_owned())
            }
            Broken::Unreachable(detail) | Broken::Proxy(detail) | Broken::Cut(detail) => {
                NoAnswer::Unreachable(self.without_address(&detail))
            }
        }
    }

    /// A reason in which no part of the address is left.
    fn without_address(&self, reason: &str) -> String {
        let mut reason = reason.to_owned();
        let path = self.url.path().split('/').filter(|part| part.len() > 3);
        let parts = path
            .chain(self.url.query())
            .chain(self.url.password())
            .chain(self.url.host_str());
        for part in parts {
            reason = reason.replace(part, "[address]");
        }
        reason.chars().take(REASON_CAP).collect()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

/// The wait that a server asks for: seconds, or a date, which is taken against the server's own clock.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let hint = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = hint.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| DateTime::parse_from_rfc2822(text).ok();
    let now = date(headers.get(DATE)?.to_str().ok()?)?;
    Some((date(hint)? - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(address: &str) -> Result<Sender, BadAddress> {
        Sender::new(&SecretString::from(address), Timeouts::default())
    }

    #[test]
    fn only_https_leaves_this_machine() {
        for good in [
            "https://hooks.example/x",
            "http://127.0.0.1:8080/x",
            "http://[::1]/x",
            "http://localhost/x",
            " https://hooks.example/x\n",
        ] {
            assert!(sender(good).is_ok(), "{good}");
        }
        for clear in [
            "http://hooks.example/x",
            "http://localhost.example/",
            "http://10.0.0.1/",
        ] {
            assert_eq!(sender(clear).unwrap_err(), BadAddress::NotHttps, "{clear}");
        }
        for bad in [
            "",
            "hooks.example",
            "ftp://hooks.example/",
            "https://",
            "file:///etc/passwd",
        ] {
            assert_eq!(sender(bad).unwrap_err(), BadAddress::NotAUrl, "{bad}");
        }
    }

    #[test]
    fn a_sender_does_not_show_its_address() {
        let sender = sender("https://ada:hunter22@hooks.example/services/T0KEN?key=k3y").unwrap();
        assert_eq!(
            format!("{sender:?}"),
            "Sender { timeouts: Timeouts { connect: 5s, total: 10s }, .. }"
        );
        let reason =
            "certificate not valid for hooks.example; at /services/T0KEN?key=k3y by hunter22";
        let shown = sender.without_address(reason);
        for part in ["hooks.example", "T0KEN", "k3y", "hunter22"] {
            assert!(!shown.contains(part), "{shown}");
        }
        assert!(shown.starts_with("certificate not valid for [address]"));
    }

    #[test]
    fn a_wait_is_understood_in_seconds_and_as_a_date() {
        let headers = |hint: &'static str, date: &'static str| {
            let mut map = HeaderMap::new();
            map.insert(RETRY_AFTER, HeaderValue::from_static(hint));
            map.insert(DATE, HeaderValue::from_static(date));
            map
        };
        let date = "Fri, 20 Nov 2026 02:14:05 GMT";
        let wait = |hint| retry_after(&headers(hint, date)).map(|wait| wait.as_secs());
        assert_eq!([wait("7"), wait(" 120 ")], [Some(7), Some(120)]);
        assert_eq!(wait("Fri, 20 Nov 2026 02:15:05 GMT"), Some(60));
        assert_eq!(wait("Fri, 20 Nov 2026 02:13:05 GMT"), Some(0));
        assert_eq!([wait("soon"), wait("-1"), wait("")], [None; 3]);
        assert_eq!(
            retry_after(&headers("Fri, 20 Nov 2026 02:15:05 GMT", "yesterday")),
            None
        );
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
