//! Where a tenant's streams come from: its clients, with their secrets.

use chrono::NaiveDate;
use tokio_util::sync::CancellationToken;
use url::Host;

use crate::atlassian::{Organization, Site};
use crate::config;
use crate::http::Transport;
use crate::storage::StoreError;
use pagewarden_core::model::{Stream, StreamName};

/// Why a tenant cannot be watched at all; nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A secret that the config names cannot be read.
    #[error("tenant `{tenant}`, {key}: {why}")]
    Secret {
        /// Whose.
        tenant: String,
        /// The key in the config.
        key: &'static str,
        /// What to do.
        why: String,
    },
    /// A client cannot be built.
    #[error("tenant `{tenant}`: {why}")]
    Client {
        /// Whose.
        tenant: String,
        /// Why.
        why: String,
    },
    /// The state file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a stream comes from.
#[derive(Debug)]
pub(super) enum Source {
    Organization(Organization),
    Site(Site),
}

/// Reads the secrets of a tenant and builds its clients.
pub(super) fn sources(
    retry: config::Retry,
    settings: &config::Tenant,
    stop: &CancellationToken,
    transport: &Transport,
) -> Result<Vec<(Stream, Source)>, OpenError> {
    let secret = |key, source: &config::SecretSource| {
        source.read().map_err(|error| OpenError::Secret {
            tenant: settings.name.clone(),
            key,
            why: error.to_string(),
        })
    };
    let client = |error: &dyn std::fmt::Display| OpenError::Client {
        tenant: settings.name.clone(),
        why: error.to_string(),
    };
    let stream = |name, site| Stream {
        tenant: settings.name.clone(),
        name,
        site,
    };
    let mut sources = Vec::new();
    if let Some(organization) = &settings.organization {
        let key = secret("organization.api_key", &organization.api_key)?;
        let built = Organization::new(transport, organization, key, retry, stop.clone());
        let built = built.map_err(|error| client(&error))?;
        sources.push((
            stream(StreamName::Access, None),
            Source::Organization(built),
        ));
    }
    for site in &settings.sites {
        let token = secret("site.api_token", &site.api_token)?;
        let built = Site::new(transport, site, token, retry, stop.clone());
        let built = built.map_err(|error| client(&error))?;
        sources.push((
            stream(StreamName::Audit, Some(host(site))),
            Source::Site(built),
        ));
    }
    Ok(sources)
}

/// The host name of a site, as events and streams have it.
pub fn host(site: &config::Site) -> String {
    site.url.host_str().unwrap_or_default().to_lowercase()
}

/// The credentials of a tenant: what each opens, and the last day on which it works, where the config says.
pub fn credentials(settings: &config::Tenant) -> Vec<(String, Option<NaiveDate>)> {
    let organization = settings.organization.iter();
    let organization =
        organization.map(|organization| ("organization".to_owned(), organization.expires));
    let sites = settings.sites.iter().map(|site| (host(site), site.expires));
    organization.chain(sites).collect()
}

/// The host names of the sites whose events are scored; empty where all are. A site on loopback stands for another, whose
/// name its events carry.
pub fn scored_sites(settings: &config::Tenant) -> Vec<String> {
    let loopback = |site: &config::Site| match site.url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if settings.sites.iter().any(loopback) {
        return Vec::new();
    }
    settings.sites.iter().map(host).collect()
}
