//! Who would count as privileged, and why.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{ONCE, PATIENCE};
use crate::atlassian::{Organization, Site};
use crate::config::Tenant;
use crate::coverage::nobody_privileged;
use crate::http::Transport;
use crate::output::check::{Level, Report};
use crate::roster::{Directories, Survey, survey};
use pagewarden_core::model::{AccountId, GrantSource, Privilege};
use pagewarden_core::text::{count, duration};

/// How many reasons are shown.
const SHOWN: usize = 6;

/// Asks the directories of a tenant.
pub(super) async fn check(tenant: &Tenant) -> Report {
    let (mut report, name) = (Report::default(), tenant.name.as_str());
    // What hinders a client was said where its log is read.
    let stop = CancellationToken::new();
    let transport = Transport::default();
    let organization = tenant.organization.as_ref().and_then(|settings| {
        let key = settings.api_key.read().ok()?;
        Organization::new(&transport, settings, key, ONCE, stop.clone()).ok()
    });
    let sites: Vec<Site> = tenant
        .sites
        .iter()
        .filter_map(|settings| {
            let token = settings.api_token.read().ok()?;
            Site::new(&transport, settings, token, ONCE, stop.clone()).ok()
        })
        .collect();
    let directories = Directories {
        organization: organization.as_ref(),
        sites: sites.iter().collect(),
    };
    let Ok(surveyed) = timeout(PATIENCE, survey(&directories, &tenant.admins)).await else {
        let text = format!(
            "who is privileged was not counted: the directory is not read to its end within {}",
            duration(PATIENCE)
        );
        report.say_of(name, Level::Note, text);
        return report;
    };
    let Survey {
        mut privileges,
        no_directory,
        failures,
    } = surveyed;
    if let Some(text) = no_directory {
        report.say_of(name, Level::Note, text);
    }
    for (directory, why) in &failures {
        let text = format!("who is privileged: {directory} cannot be read: {why}");
        report.say_of(name, Level::Error, text);
    }
    privileges.extend(tenant.admins.accounts.iter().map(|account| Privilege {
        account: account.clone(),
        grant_source: GrantSource::Listed,
    }));
    told(&mut report, name, &privileges, failures.is_empty());
    report
}

/// Tells how many are privileged, and by what.
fn told(report: &mut Report, tenant: &str, privileges: &BTreeSet<Privilege>, complete: bool) {
    let accounts: BTreeSet<&AccountId> = privileges.iter().map(|one| &one.account).collect();
    if let Some(text) = nobody_privileged(accounts.len()) {
        if complete {
            report.say_of(tenant, Level::Warn, text);
        }
        return;
    }
    let mut sources: BTreeMap<&GrantSource, u64> = BTreeMap::new();
    for privilege in privileges {
        *sources.entry(&privilege.grant_source).or_default() += 1;
    }
    let mut reasons: Vec<String> = sources
        .iter()
        .take(SHOWN)
        .map(|(source, accounts)| match source {
            GrantSource::Role(role) => format!("{accounts} by the role `{role}`"),
            GrantSource::Group(group) => format!("{accounts} by the group `{group}`"),
            GrantSource::Listed => format!("{accounts} listed in [tenant.admins]"),
        })
        .collect();
    if sources.len() > SHOWN {
        reasons.push(format!("{} more reasons", sources.len() - SHOWN));
    }
    let text = format!(
        "{} would count as privileged: {}",
        count(u64::try_from(accounts.len()).unwrap_or(u64::MAX), "account"),
        reasons.join(", ")
    );
    report.say_of(tenant, Level::Ok, text);
}
