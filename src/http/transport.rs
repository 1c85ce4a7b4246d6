//! How one request reaches its server: over the network, or as whoever builds a client decides.
//!
//! The seam lies below retries, pace, credentials, redirects and caps, so that all of them work the same whatever carries
//! the requests.

use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Request, Response, redirect};
use url::{Host, Url};

use super::{SetupError, proxy};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether an address stays on this machine, by its name or address alone: then no proxy is used.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Why no answer came; all of it may pass. The details name no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// It took longer than the request allows.
    TimedOut,
    /// There was no connection.
    Unreachable(String),
    /// A proxy made no connection; says which, and what it said. Untrusted in part.
    Proxy(String),
    /// The connection ended before the answer did.
    Cut(String),
}

impl Broken {
    /// The deepest cause, as the system says it; empty where there is none.
    pub(super) fn detail(self) -> String {
        match self {
            Self::TimedOut => String::new(),
            Self::Unreachable(detail) | Self::Proxy(detail) | Self::Cut(detail) => detail,
        }
    }

    /// The same; where a proxy was to be used for the address, says what the proxy has to do with it.
    async fn by_proxy(self, url: &Url) -> Self {
        let Self::Unreachable(detail) = &self else {
            return self;
        };
        // What TLS refuses came through.
        if is_loopback(url) || detail.contains("certificate") {
            return self;
        }
        match proxy::explained(url, detail).await {
            Some(words) => Self::Proxy(words),
            None => self,
        }
    }
}

impl From<&reqwest::Error> for Broken {
    fn from(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        let mut cause = error.source();
        while let Some(deeper) = cause.and_then(std::error::Error::source) {
            cause = Some(deeper);
        }
        let detail = cause.map(ToString::to_string).unwrap_or_default();
        if error.is_connect() {
            Self::Unreachable(detail)
        } else {
            Self::Cut(detail)
        }
    }
}

/// Carries requests to servers.
#[async_trait]
pub trait Carrier: Send + Sync + fmt::Debug {
    /// Carries one request, and brings the answer; within the timeout of the request.
    async fn carry(&self, request: Request) -> Result<Response, Broken>;
}

/// How requests reach their servers. The default is the network. Clones share connections, and what TLS trusts: a thousand
/// tenants do not each keep the same certificates.
#[derive(Debug, Clone, Default)]
pub struct Transport {
    carrier: Option<Arc<dyn Carrier>>,
    clients: Arc<Clients>,
}

/// One client for servers on this machine, one for all others; made when first needed.
#[derive(Debug, Default)]
struct Clients {
    loopback: OnceLock<Client>,
    others: OnceLock<Client>,
}

impl Transport {
    /// By this carrier, in place of the network.
    pub fn by(carrier: Arc<dyn Carrier>) -> Self {
        Self {
            carrier: Some(carrier),
            ..Self::default()
        }
    }

    /// The client for servers on this machine, or for others: HTTPS only, no redirect is followed.
    pub(super) fn client(&self, loopback: bool) -> Result<Client, SetupError> {
        let kept = if loopback {
            &self.clients.loopback
        } else {
            &self.clients.others
        };
        if let Some(client) = kept.get() {
            return Ok(client.clone());
        }
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .gzip(true)
            .https_only(!loopback)
            .user_agent(concat!("pagewarden/", env!("CARGO_PKG_VERSION")));
        if loopback {
            builder = builder.no_proxy();
        }
        let built = builder.build().map_err(|_| SetupError::Tls)?;
        Ok(kept.get_or_init(|| built).clone())
    }

    /// Sends one request; over the network, by this client.
    pub(super) async fn send(&self, client: &Client, request: Request) -> Result<Response, Broken> {
        if let Some(carrier) = &self.carrier {
            return carrier.carry(request).await;
        }
        let url = request.url().clone();
        match client.execute(request).await {
            Ok(response) => Ok(response),
            Err(error) => Err(Broken::from(&error).by_proxy(&url).await),
        }
    }
}
