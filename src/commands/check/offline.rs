//! The config and the secrets. Asks nobody on the network.

use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::config::{self, Config, LoadError, SiteRoute, Suppression, Tenant};
use crate::exit::Exit;
use crate::notify;
use crate::output::check::{Level, Report};
use pagewarden_core::text;

/// How many days before a key ends it is warned of.
const WARN_DAYS: i64 = 30;

/// What was looked at without asking anybody.
pub struct Looked {
    /// Every matter.
    pub report: Report,
    /// The config, if it can be used.
    pub config: Option<Config>,
    /// How many secrets cannot be had.
    pub unread: usize,
}

impl Looked {
    /// How a check that asks nobody ends; warnings leave it as it is.
    pub fn exit(&self) -> Exit {
        if self.config.is_some() && self.unread == 0 {
            Exit::Done
        } else {
            Exit::Usage
        }
    }
}

/// Looks at the config and the secrets as of `now`; of the tenants at one, if one is named.
pub fn look(path: &Path, tenant: Option<&str>, now: DateTime<Utc>) -> Looked {
    let mut report = Report::default();
    let mut config = match config::load(path, &notify::kinds()) {
        Ok(config) => config,
        Err(error) => {
            refused(&mut report, &error);
            return Looked {
                report,
                config: None,
                unread: 0,
            };
        }
    };
    if let Some(Err(problem)) = tenant.map(|tenant| config.keep_tenant(tenant)) {
        report.say(Level::Error, problem);
        return Looked {
            report,
            config: None,
            unread: 0,
        };
    }
    let (tenants, notifiers) = (config.tenants.len(), config.notifiers.len());
    report.say(
        Level::Ok,
        format!(
            "{}: {}, {}, valid",
            path.display(),
            counted(tenants, "tenant"),
            counted(notifiers, "notifier")
        ),
    );
    let unread = secrets(&config, &mut report);
    for tenant in &config.tenants {
        untouched(tenant, &mut report);
        endings(tenant, now.date_naive(), &mut report);
        coverage(tenant, &mut report);
    }
    ended_suppressions(&config, now.date_naive(), &mut report);
    if config.notifiers.is_empty() {
        report.say(
            Level::Note,
            "no `[[notifier]]`: findings are kept in the state file and no message is sent; `pagewarden findings list` shows them",
        );
    }
    Looked {
        report,
        config: Some(config),
        unread,
    }
}

/// So many of something.
fn counted(n: usize, noun: &str) -> String {
    text::count(u64::try_from(n).unwrap_or(u64::MAX), noun)
}

/// Tells of suppressions that do not hold any more.
fn ended_suppressions(config: &Config, today: NaiveDate, report: &mut Report) {
    let words = |rule: &Suppression| {
        let (until, reason) = (rule.until, rule.reason.escape_debug());
        format!(
            "the suppression \"{reason}\" ended on {until}; remove it, or give it a new `until`"
        )
    };
    let ended = |rule: &&Suppression| rule.until < today;
    for rule in config.detect.suppress.iter().filter(ended) {
        report.say(Level::Warn, format!("detect.suppress: {}", words(rule)));
    }
    for tenant in &config.tenants {
        // Those of `[detect]` come first.
        let own = tenant.detect.suppress.iter();
        for rule in own.skip(config.detect.suppress.len()).filter(ended) {
            let text = format!("tenant.detect.suppress: {}", words(rule));
            report.say_of(&tenant.name, Level::Warn, text);
        }
    }
}

/// Tries every secret; how many cannot be had.
fn secrets(config: &Config, report: &mut Report) -> usize {
    let mut unread = 0;
    for (key, source) in config.secret_sources() {
        match source.read() {
            Ok(_) => {
                report.say(Level::Ok, format!("{key}: {source} can be read"));
            }
            Err(error) => {
                unread += 1;
                report.say(Level::Error, format!("{key}: {error}"));
            }
        }
    }
    for warning in config.open_files() {
        report.say(Level::Warn, warning);
    }
    unread
}

/// Tells of what still stands as the example config has it.
fn untouched(tenant: &Tenant, report: &mut Report) {
    let name = &tenant.name;
    let blank = |id: &str| id.chars().all(|letter| matches!(letter, '0' | '-'));
    if tenant
        .organization
        .as_ref()
        .is_some_and(|organization| blank(&organization.id))
    {
        report.say_of(
            name,
            Level::Warn,
            "organization.id is the example's; put your organisation's id there",
        );
    }
    for site in &tenant.sites {
        if site.url.host_str() == Some("acme.atlassian.net")
            && site.email.ends_with("@acme.example")
        {
            report.say_of(name, Level::Warn, "site `acme.atlassian.net` is the example's, and `pagewarden scan` sends the token there; put your own site there");
        }
    }
}

/// Tells of keys that have ended or will soon.
fn endings(tenant: &Tenant, today: NaiveDate, report: &mut Report) {
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
            report.say_of(name, Level::Note, format!("{key}: no `expires`, so you are not warned before it expires; keys last a year at most"));
            continue;
        };
        let days = last.signed_duration_since(today);
        if days < TimeDelta::zero() {
            report.say_of(
                name,
                Level::Warn,
                format!("{key}: expired on {last}; make a new one ({place}) and set `expires`"),
            );
        } else if days <= TimeDelta::days(WARN_DAYS) {
            let left = days.num_days();
            let left = if left == 1 {
                "1 day".to_owned()
            } else {
                format!("{left} days")
            };
            report.say_of(name, Level::Warn, format!("{key}: works until {last}, {left} left; make a new one ({place}) and set `expires`"));
        } else {
            report.say_of(
                name,
                Level::Ok,
                format!("{key}: works until {last}, says the config"),
            );
        }
    }
}

/// Tells what a tenant's settings leave unseen.
fn coverage(tenant: &Tenant, report: &mut Report) {
    let name = &tenant.name;
    if tenant.organization.is_none() {
        report.say_of(name, Level::Note, "no `[tenant.organization]`, so page views and platform roles are not seen; only the site audit log is, which holds \
             exports, permissions, groups and public links");
    }
    if tenant.sites.is_empty() {
        report.say_of(
            name,
            Level::Note,
            "no `[[tenant.site]]`, so the site audit log and Confluence groups are not seen",
        );
    }
    let through = tenant
        .sites
        .iter()
        .any(|site| site.via == SiteRoute::Gateway);
    if through {
        report.say_of(
            name,
            Level::Note,
            "`via = \"gateway\"` needs a token with scopes; one without goes with \"site\"",
        );
    }
}

/// Tells why a config cannot be used.
fn refused(report: &mut Report, error: &LoadError) {
    match error {
        LoadError::Invalid(problems) => {
            for problem in &problems.list {
                let text = format!("{}:{problem}", problems.source_name);
                report.say(Level::Error, text);
            }
            let text = "the secrets were not looked at: correct the config first";
            report.say(Level::Note, text);
        }
        LoadError::Unreadable { source, .. } => {
            report.say(Level::Error, format!("{error}: {source}"));
        }
        LoadError::Missing(_) => report.say(Level::Error, error.to_string()),
    }
}
