//! `pagewarden check --offline`: the config and the secrets, before anything is started. Asks nobody on the network.

use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::config::{self, Config, LoadError, SiteRoute, Suppression, Tenant};
use crate::exit::Exit;
use crate::notify;

/// How many days before a key ends it is warned of.
const WARN_DAYS: i64 = 30;

/// Looks at the config and the secrets as of `now`. The text has one line per matter, each with what to do; warnings leave
/// the exit code as it is.
pub fn offline(path: &Path, now: DateTime<Utc>) -> (String, Exit) {
    let mut lines = Lines::default();
    let config = match config::load(path, &notify::kinds()) {
        Ok(config) => config,
        Err(error) => {
            lines.refused(&error);
            return (lines.text, Exit::Usage);
        }
    };
    let count = |count: usize, one: &str| {
        if count == 1 {
            format!("1 {one}")
        } else {
            format!("{count} {one}s")
        }
    };
    lines.ok(&format!(
        "{}: {}, {}, valid",
        path.display(),
        count(config.tenants.len(), "tenant"),
        count(config.notifiers.len(), "notifier")
    ));
    let unread = secrets(&config, &mut lines);
    for tenant in &config.tenants {
        untouched(tenant, &mut lines);
        endings(tenant, now.date_naive(), &mut lines);
        coverage(tenant, &mut lines);
    }
    let global = config.detect.suppress.iter();
    let mut rules: Vec<_> = global
        .map(|rule| ("detect.suppress".to_owned(), rule))
        .collect();
    for tenant in &config.tenants {
        // Those of `[detect]` come first.
        let own = tenant.detect.suppress.iter();
        let own = own.skip(config.detect.suppress.len());
        let key = format!("tenant `{}`: tenant.detect.suppress", tenant.name);
        rules.extend(own.map(|rule| (key.clone(), rule)));
    }
    let ended = |(_, rule): &&(String, &Suppression)| rule.until < now.date_naive();
    for (key, rule) in rules.iter().filter(ended) {
        let (until, reason) = (rule.until, rule.reason.escape_debug());
        lines.warn(&format!(
            "{key}: the suppression \"{reason}\" ended on {until}; remove it, or give it a new `until`"
        ));
    }
    if config.notifiers.is_empty() {
        lines.note("no `[[notifier]]`: findings are kept in the state file and no message is sent; `pagewarden findings list` shows them");
    }
    if unread == 0 {
        lines.note("no network request was made: the first `pagewarden scan` shows whether keys are accepted");
        (lines.text, Exit::Done)
    } else {
        (lines.text, Exit::Usage)
    }
}

/// Tries every secret; how many cannot be had.
fn secrets(config: &Config, lines: &mut Lines) -> usize {
    let mut unread = 0;
    for (key, source) in config.secret_sources() {
        match source.read() {
            Ok(_) => {
                lines.ok(&format!("{key}: {source} can be read"));
            }
            Err(error) => {
                unread += 1;
                lines.error(&format!("{key}: {error}"));
            }
        }
    }
    for warning in config.open_files() {
        lines.warn(&warning);
    }
    unread
}

/// Tells of what still stands as the example config has it.
fn untouched(tenant: &Tenant, lines: &mut Lines) {
    let name = &tenant.name;
    let blank = |id: &str| id.chars().all(|letter| matches!(letter, '0' | '-'));
    if tenant
        .organization
        .as_ref()
        .is_some_and(|organization| blank(&organization.id))
    {
        lines.warn(&format!(
            "tenant `{name}`, organization.id: is the example's; put your organisation's id there"
        ));
    }
    for site in &tenant.sites {
        if site.url.host_str() == Some("acme.atlassian.net")
            && site.email.ends_with("@acme.example")
        {
            lines.warn(&format!(
                "tenant `{name}`, site `acme.atlassian.net`: is the example's, and `pagewarden scan` sends the token there; put your own site there"
            ));
        }
    }
}

/// Tells of keys that have ended or will soon.
fn endings(tenant: &Tenant, today: NaiveDate, lines: &mut Lines) {
    let name = &tenant.name;
    let organization = tenant.organization.iter().map(|organization| {
        (
            "organization.api_key".to_owned(),
            organization.expires,
            "admin.atlassian.com, Settings, API keys",
        )
    });
    let sites = tenant.sites.iter().map(|site| {
        let host = site.url.host_str().unwrap_or_default();
        (
            format!("site `{host}`, api_token"),
            site.expires,
            "id.atlassian.com, Security, API tokens",
        )
    });
    for (key, expires, place) in organization.chain(sites) {
        let Some(last) = expires else {
            lines.note(&format!("tenant `{name}`, {key}: no `expires`, so you are not warned before it expires; keys last a year at most"));
            continue;
        };
        let days = last.signed_duration_since(today);
        if days < TimeDelta::zero() {
            lines.warn(&format!("tenant `{name}`, {key}: expired on {last}; make a new one ({place}) and set `expires`"));
        } else if days <= TimeDelta::days(WARN_DAYS) {
            let left = days.num_days();
            let left = if left == 1 {
                "1 day".to_owned()
            } else {
                format!("{left} days")
            };
            lines.warn(&format!("tenant `{name}`, {key}: works until {last}, {left} left; make a new one ({place}) and set `expires`"));
        } else {
            lines.ok(&format!(
                "tenant `{name}`, {key}: works until {last}, says the config"
            ));
        }
    }
}

/// Tells what a tenant's settings leave unseen.
fn coverage(tenant: &Tenant, lines: &mut Lines) {
    let name = &tenant.name;
    if tenant.organization.is_none() {
        lines.note(&format!(
            "tenant `{name}`: no `[tenant.organization]`, so page views and platform roles are not seen; only the site audit \
             log is, which holds exports, permissions, groups and public links"
        ));
    }
    if tenant.sites.is_empty() {
        lines.note(&format!(
            "tenant `{name}`: no `[[tenant.site]]`, so the site audit log and Confluence groups are not seen"
        ));
    }
    let through = tenant
        .sites
        .iter()
        .any(|site| site.via == SiteRoute::Gateway);
    if through {
        lines.note(&format!("tenant `{name}`: `via = \"gateway\"` needs a token with scopes; one without goes with \"site\""));
    }
}

/// The lines of the answer.
#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    /// Adds one line.
    fn line(&mut self, mark: &str, what: &str) {
        for part in [mark, what, "\n"] {
            self.text.push_str(part);
        }
    }

    /// It is as it should be.
    fn ok(&mut self, what: &str) {
        self.line("ok     ", what);
    }

    /// It is as it was asked for, and has a consequence.
    fn note(&mut self, what: &str) {
        self.line("note   ", what);
    }

    /// It works, and should be changed.
    fn warn(&mut self, what: &str) {
        self.line("warn   ", what);
    }

    /// It does not work.
    fn error(&mut self, what: &str) {
        self.line("error  ", what);
    }

    /// The config cannot be used.
    fn refused(&mut self, error: &LoadError) {
        match error {
            LoadError::Invalid(problems) => {
                for problem in &problems.list {
                    self.error(&format!("{}:{problem}", problems.source_name));
                }
                self.note("the secrets were not looked at: correct the config first");
            }
            LoadError::Unreadable { source, .. } => self.error(&format!("{error}: {source}")),
            LoadError::Missing(_) => self.error(&error.to_string()),
        }
    }
}
