//! `pagewarden check`: the config, the secrets, and everything that they open, before anything is started.

pub mod offline;
mod organization;
mod site;
mod who;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use super::Trouble;
use crate::cli::{Global, StatusFormat, find_config};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::http::Transport;
use crate::notify;
use crate::output::check::{Level, Report, write_json, write_text};
use pagewarden_core::text::duration;
use pagewarden_core::time::{Clock as _, SystemClock};

/// How long each question may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// How questions are asked: once, since a person waits.
const ONCE: config::Retry = config::Retry {
    base: Duration::from_millis(100),
    attempts: 1,
    timeout: Duration::from_secs(6),
};

/// How far clocks may differ unmentioned.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);

/// What is to be checked, and how it is written.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Whether nobody is asked on the network.
    pub offline: bool,
    /// How to write it.
    pub format: StatusFormat,
}

/// Checks, and says what it came to.
pub async fn check(global: &Global, asked: Asked) -> Result<Exit, Trouble> {
    let path = find_config(global.config.as_deref()).map_err(Trouble::usage)?;
    let now = SystemClock.now();
    let looked = offline::look(&path, global.tenant.as_deref(), now);
    let mut exit = looked.exit();
    let mut report = looked.report;
    if let Some(config) = looked.config {
        if asked.offline {
            let text = "no network request was made: `pagewarden check` without --offline asks whether keys are accepted";
            report.say(Level::Note, text);
        } else {
            let found = online(config, now).await;
            if found.has_errors() && exit == Exit::Done {
                exit = Exit::Incomplete;
            }
            report.lines.extend(found.lines);
        }
    }
    let mut out = io::stdout().lock();
    match asked.format {
        StatusFormat::Text => write_text(&report, &mut out)?,
        StatusFormat::Json => write_json(&report, &mut out)?,
    }
    out.flush()?;
    Ok(exit)
}

/// Asks everything that the config names, all at once, and gives what came of it in the order of the config.
async fn online(config: Config, now: DateTime<Utc>) -> Report {
    let mut asking = JoinSet::new();
    let mut number = 0_usize;
    let mut next = || {
        number += 1;
        number
    };
    let config = Arc::new(config);
    for tenant in &config.tenants {
        let tenant = Arc::new(tenant.clone());
        if tenant.organization.is_some() {
            let (place, tenant) = (next(), Arc::clone(&tenant));
            asking.spawn(async move { (place, organization::check(&tenant, now).await) });
        }
        for site in 0..tenant.sites.len() {
            let (place, tenant) = (next(), Arc::clone(&tenant));
            asking.spawn(async move { (place, site::check(&tenant, site, now).await) });
        }
        let place = next();
        asking.spawn(async move { (place, who::check(&tenant).await) });
    }
    for notifier in &config.notifiers {
        let (place, notifier) = (next(), notifier.clone());
        asking.spawn(async move { (place, reach(&notifier).await) });
    }
    let mut parts = asking.join_all().await;
    parts.sort_by_key(|(place, _)| *place);
    Report {
        lines: parts.into_iter().flat_map(|(_, part)| part.lines).collect(),
    }
}

/// Whether a notifier's receiver answers; it is sent nothing.
async fn reach(settings: &config::Notifier) -> Report {
    let mut report = Report::default();
    let name = &settings.name;
    let notifier = match notify::build(&Transport::default(), settings) {
        Ok(notifier) => notifier,
        // That of a secret was said already.
        Err(notify::BuildError::Secret(_)) => return report,
        Err(error) => {
            report.say(Level::Error, format!("notifier `{name}`: {error}"));
            return report;
        }
    };
    match timeout(PATIENCE, notifier.reach()).await {
        Ok(Ok(())) => report.say(
            Level::Ok,
            format!("notifier `{name}`: its receiver answers; no message was sent"),
        ),
        Ok(Err(error)) => report.say(Level::Error, format!("notifier `{name}`: {error}")),
        Err(_) => report.say(Level::Error, format!("notifier `{name}`: {}", late())),
    }
    report
}

/// What is said where an answer takes too long.
fn late() -> String {
    format!("no answer within {}", duration(PATIENCE))
}

/// The host and port of an address, as failures name it.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Says so where this machine's clock differs from a server's.
fn clocks(report: &mut Report, tenant: &str, host: &str, server: Option<DateTime<Utc>>) {
    let Some(server) = server else { return };
    let ours = SystemClock.now();
    let apart = (ours - server).abs().to_std().unwrap_or_default();
    if apart > CLOCKS_DIFFER {
        let which = if ours < server { "behind" } else { "ahead of" };
        let by = duration(apart);
        let text = format!(
            "this machine's clock is {by} {which} that of {host}; set it by NTP: times of polls and findings are compared with it"
        );
        report.say_of(tenant, Level::Warn, text);
    }
}
