//! The config: a file that people write, turned into values that can be acted on.
//!
//! The text is parsed to tables with their places (`raw`), walked so that every problem is reported at once (`check`), and
//! only then become the values below. What a notifier may be set to is known to the code of its kind ([`notifier`]).
//! Secrets are never in it: [`secrets`] gets them from where it says they are.

mod check;
mod defaults;
mod network;
pub mod notifier;
mod problem;
mod raw;
pub mod secrets;
mod settings;
mod values;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

pub use network::network_holds;
pub use notifier::Notifier;
pub use pagewarden_core::model::settings::{
    AdminGrant, BlindSpot, BulkExport, CanaryPage, Detect, LogTampering, Placed, PrivilegedMode,
    PrivilegedReading, PublicLink, ScriptedReading, Suppressed, Suppression, TokenCreated,
    VolumeAnomaly,
};
pub use problem::{LoadError, Problem, Problems, nearest};
pub use secrets::{SecretError, SecretProblem};
pub use values::{parse_origin, spelt};

use notifier::NotifierKind;
use pagewarden_core::model::{AccountId, Class, StreamName};

/// Reads the config in a file; relative secret files begin in the file's folder. `kinds` are the kinds of notifiers that it
/// may name: they are known above this module.
pub fn load(path: &Path, kinds: &[&'static dyn NotifierKind]) -> Result<Config, LoadError> {
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => LoadError::Missing(path.to_owned()),
        _ => LoadError::Unreadable {
            path: path.to_owned(),
            source,
        },
    })?;
    let name = path.display().to_string();
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error
            .as_bytes()
            .iter()
            .take(good)
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        let what = "this is not UTF-8 text; save the file as UTF-8".to_owned();
        Problems {
            source_name: name.clone(),
            list: vec![Problem {
                line,
                column: 1,
                key: String::new(),
                what,
            }],
        }
    })?;
    Ok(parse(&text, &name, kinds)?)
}

/// Reads the text of a config. `source_name` is the file it comes from: it is named in problems, and relative secret files
/// begin in its folder.
pub fn parse(
    text: &str,
    source_name: &str,
    kinds: &[&'static dyn NotifierKind],
) -> Result<Config, Problems> {
    let folder = Path::new(source_name)
        .parent()
        .unwrap_or_else(|| Path::new(""));
    check::config(text, source_name, folder, kinds)
}

impl Config {
    /// Keeps one tenant only (`--tenant`); where there is none of that name, the words say which there are.
    pub fn keep_tenant(&mut self, name: &str) -> Result<(), String> {
        if self.tenants.iter().all(|tenant| tenant.name != name) {
            let names: Vec<&str> = self
                .tenants
                .iter()
                .map(|tenant| tenant.name.as_str())
                .collect();
            return Err(format!(
                "there is no tenant `{}`; there are {}",
                problem::shown(name),
                raw::list(&names)
            ));
        }
        self.tenants.retain(|tenant| tenant.name == name);
        Ok(())
    }
}

/// Everything that is set, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The local state file.
    pub state: State,
    /// Whom we watch. At least one, names unique.
    pub tenants: Vec<Tenant>,
    /// How often and how soon a request that failed passingly is tried again.
    pub retry: Retry,
    /// What is looked for, where a tenant says nothing else.
    pub detect: Detect,
    /// Where findings are sent.
    pub notifiers: Vec<Notifier>,
}

/// What is looked for in a tenant that the config may not name, with a config that may not be there.
pub fn detect_of(config: Option<&Config>, tenant: Option<&Tenant>) -> Detect {
    let own = tenant.map(|tenant| &tenant.detect);
    let all = config.map(|config| &config.detect);
    own.or(all).cloned().unwrap_or_default()
}

/// The local state file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where it lies.
    pub path: PathBuf,
    /// How long events are kept, counted from the newest event of the stream.
    pub retention: Duration,
    /// How much memory the analyses of all tenants may keep between cycles, in MiB.
    pub cache_mib: u32,
}

/// One Atlassian organisation with its Confluence sites; at least one of the two is there.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// What we call it.
    pub name: String,
    /// The organisation, if we may see it.
    pub organization: Option<Organization>,
    /// Its sites that we may see.
    pub sites: Vec<Site>,
    /// When what is polled.
    pub schedule: Schedule,
    /// What makes an account privileged.
    pub admins: Admins,
    /// Action ids, or patterns with `*`, whose class is set by hand, in the file's order.
    pub actions: Vec<(String, Class)>,
    /// What is looked for in it: `[detect]`, overridden by `[tenant.detect]`.
    pub detect: Detect,
}

/// How to reach an organisation.
#[derive(Debug, Clone)]
pub struct Organization {
    /// Its id.
    pub id: String,
    /// Where the key is.
    pub api_key: SecretSource,
    /// When the key ends, if given: the last day on which it works.
    pub expires: Option<chrono::NaiveDate>,
    /// The origin of the admin API and of the gateway.
    pub url: Url,
    /// The most requests a minute to the organisation's events.
    pub requests_per_minute: u32,
}

/// How to reach a Confluence site.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its origin.
    pub url: Url,
    /// Whose token it is.
    pub email: String,
    /// Where the token is.
    pub api_token: SecretSource,
    /// When the token ends, if given.
    pub expires: Option<chrono::NaiveDate>,
    /// Which way its API is reached.
    pub via: SiteRoute,
    /// The origin of the gateway: the organisation's url, or Atlassian's own.
    pub gateway: Url,
}

/// Which way a site's API is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteRoute {
    /// On the site itself, with an unscoped token.
    Site,
    /// Through the gateway, with a scoped token.
    Gateway,
}

/// When what is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Organisation events.
    pub access: Duration,
    /// Site audit log.
    pub audit: Duration,
    /// Roles and groups.
    pub admins: Duration,
    /// How far back the first poll begins.
    pub lookback: Duration,
}

impl Schedule {
    /// How often a stream is polled.
    pub const fn of(&self, stream: StreamName) -> Duration {
        match stream {
            StreamName::Access => self.access,
            StreamName::Audit => self.audit,
        }
    }
}

/// What makes an account privileged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admins {
    /// Platform roles, without their `atlassian/` prefix.
    pub roles: Vec<String>,
    /// Group names, or patterns with `*`.
    pub groups: Vec<String>,
    /// Accounts, whatever roles and groups say.
    pub accounts: Vec<AccountId>,
}

/// How often and how soon a request that failed passingly is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The first wait; doubles, with jitter.
    pub base: Duration,
    /// Tries in all, at least one.
    pub attempts: u32,
    /// How long one try may take, its answer included.
    pub timeout: Duration,
}

/// Where a secret is: never in the config itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file; its trailing line end is not part of it.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
    /// In a systemd credential, under `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}
