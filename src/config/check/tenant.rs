//! `[[tenant]]` and the tables in it.

use std::path::Path;
use std::time::Duration;

use toml::de::DeValue;
use url::Url;

use super::places::Places;
use super::{Once, secret};
use crate::config::problem::Report;
use crate::config::raw::{Section, kind};
use crate::config::values::{self, DAY, LONGEST, SECOND};
use crate::config::{Admins, Detect, Organization, Schedule, Site, SiteRoute, Tenant};
use pagewarden_core::model::{AccountId, Class};

/// Where Atlassian's admin API and gateway are.
const ATLASSIAN: &str = "https://api.atlassian.com";

/// Where they are for the government cloud.
const GOVERNMENT: &str = "https://api.atlassian-us-gov-mod.com";

/// Which of Atlassian's clouds a site is in; each has a gateway of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cloud {
    Commercial,
    Government,
    Isolated,
}

/// The cloud of a site, by its address.
fn cloud_of(url: &Url) -> Cloud {
    let host = url.host_str().unwrap_or_default();
    if host.ends_with(".atlassian-us-gov-mod.net") {
        Cloud::Government
    } else if host.ends_with(".atlassian-isolated.net") {
        Cloud::Isolated
    } else {
        Cloud::Commercial
    }
}

/// What no two tenants may share.
#[derive(Default)]
struct Shared {
    names: Once,
    organizations: Once,
    sites: Once,
}

/// Every tenant; nothing where one of them could not be read whole, the reasons being in the report.
pub(super) fn all(
    root: &Section<'_>,
    detect: &Detect,
    folder: &Path,
    report: &mut Report<'_>,
) -> Option<Vec<Tenant>> {
    let sections = root.tables("tenant", "tenant", report);
    if sections.is_empty()
        && root
            .get("tenant")
            .is_none_or(|value| value.get_ref().as_array().is_some_and(|all| all.is_empty()))
    {
        let what = "is missing; there is nobody to watch without a `[[tenant]]` table that has a `name` and an \
                    `[tenant.organization]` or a `[[tenant.site]]`";
        report.push(0, "tenant", what);
    }
    let mut shared = Shared::default();
    let tenants: Vec<Option<Tenant>> = sections
        .iter()
        .map(|section| one(section, detect, folder, &mut shared, report))
        .collect();
    tenants.into_iter().collect()
}

/// One tenant.
fn one(
    section: &Section<'_>,
    detect: &Detect,
    folder: &Path,
    shared: &mut Shared,
    report: &mut Report<'_>,
) -> Option<Tenant> {
    let name = section.need("name", "\"acme\"", report, |value| {
        values::name(value, "_.-")
    });
    if let Some(name) = &name {
        shared
            .names
            .note("this name", name, section, "name", report);
    }
    let organization = section
        .table("organization", "tenant.organization", report)
        .map(|table| organization(&table, folder, shared, report));
    let gateway = match &organization {
        Some(Some(organization)) => Some(organization.url.clone()),
        Some(None) | None => Url::parse(ATLASSIAN).ok(),
    };
    let named = gateway
        .as_ref()
        .is_some_and(|gateway| Url::parse(ATLASSIAN).is_ok_and(|usual| *gateway != usual));
    let tables = section.tables("site", "tenant.site", report);
    let sites: Vec<Option<Site>> = tables
        .iter()
        .map(|table| site(table, (gateway.as_ref(), named), folder, shared, report))
        .collect();
    if section.get("organization").is_none() && sites.is_empty() {
        let what = "has neither `[tenant.organization]` (page views, roles) nor `[[tenant.site]]` (site audit log, groups); \
                    at least one is needed";
        report.push(section.at, "tenant", what);
    }
    let schedule = section
        .table("schedule", "tenant.schedule", report)
        .map(|table| schedule(&table, report))
        .unwrap_or_default();
    let admins = section
        .table("admins", "tenant.admins", report)
        .map(|table| admins(&table, report))
        .unwrap_or_default();
    let actions = actions(section, report);
    let global = detect;
    let detect = section
        .table("detect", "tenant.detect", report)
        .map_or_else(
            || global.clone(),
            |table| super::detect::read(&table, global, report),
        );
    Places::new(section, name.as_deref(), &sites).check(&detect, global, report);
    let organization = match organization {
        Some(organization) => Some(organization?),
        None => None,
    };
    Some(Tenant {
        name: name?,
        organization,
        sites: sites.into_iter().collect::<Option<_>>()?,
        schedule,
        admins,
        actions,
        detect,
    })
}

/// `[tenant.organization]`.
fn organization(
    section: &Section<'_>,
    folder: &Path,
    shared: &mut Shared,
    report: &mut Report<'_>,
) -> Option<Organization> {
    let id = section.need(
        "id",
        "\"00000000-0000-0000-0000-000000000000\"",
        report,
        |value| {
            values::name(value, "_-").map_err(|what| {
                format!("{what}; it stands in the address admin.atlassian.com/o/ID")
            })
        },
    );
    if let Some(id) = &id {
        shared
            .organizations
            .note("this organisation", id, section, "id", report);
    }
    let api_key = secret::need(section, "api_key", folder, report);
    let expires = section.take("expires", report, values::date);
    let url = match section.get("url") {
        Some(_) => section.take("url", report, values::origin),
        None => Url::parse(ATLASSIAN).ok(),
    };
    let requests_per_minute = section
        .take("requests_per_minute", report, |value| {
            values::whole(value, 1..=u32::MAX)
        })
        .unwrap_or(10);
    Some(Organization {
        id: id?,
        api_key: api_key?,
        expires,
        url: url?,
        requests_per_minute,
    })
}

/// One `[[tenant.site]]`. `gateway` is the organisation's, and whether the config names it.
fn site(
    section: &Section<'_>,
    (gateway, named): (Option<&Url>, bool),
    folder: &Path,
    shared: &mut Shared,
    report: &mut Report<'_>,
) -> Option<Site> {
    let url = section.need(
        "url",
        "\"https://acme.atlassian.net\"",
        report,
        values::origin,
    );
    if let Some(url) = &url {
        shared.sites.note(
            "this site",
            &url.origin().ascii_serialization(),
            section,
            "url",
            report,
        );
    }
    let email = section.need("email", "\"auditor@acme.example\"", report, values::email);
    let api_token = secret::need(section, "api_token", folder, report);
    let expires = section.take("expires", report, values::date);
    let routes = [("site", SiteRoute::Site), ("gateway", SiteRoute::Gateway)];
    let via = section
        .take("via", report, |value| values::one_of(value, &routes))
        .unwrap_or(SiteRoute::Site);
    let gateway = match url.as_ref().map(cloud_of) {
        Some(Cloud::Government) if !named => Url::parse(GOVERNMENT).ok(),
        Some(Cloud::Isolated) if !named && via == SiteRoute::Gateway => {
            let what = "the gateway of an isolated cloud is not known; set `url` of [tenant.organization] to its address, or use a \
                        token without scopes and `via = \"site\"`";
            report.push(section.at, "tenant.site.via", what.to_owned());
            None
        }
        _ => gateway.cloned(),
    };
    Some(Site {
        url: url?,
        email: email?,
        api_token: api_token?,
        expires,
        via,
        gateway: gateway?,
    })
}

/// `[tenant.schedule]`.
fn schedule(section: &Section<'_>, report: &mut Report<'_>) -> Schedule {
    let default = Schedule::default();
    let mut every = |key, otherwise| {
        section
            .take(key, report, |value| values::duration(value, SECOND..=DAY))
            .unwrap_or(otherwise)
    };
    Schedule {
        access: every("access", default.access),
        audit: every("audit", default.audit),
        admins: every("admins", default.admins),
        lookback: section
            .take("lookback", report, |value| {
                values::duration(value, Duration::ZERO..=LONGEST)
            })
            .unwrap_or(default.lookback),
    }
}

/// `[tenant.admins]`.
fn admins(section: &Section<'_>, report: &mut Report<'_>) -> Admins {
    let default = Admins::default();
    let role = |value: &DeValue<'_>| {
        let word = values::words(value)?;
        let role = word.strip_prefix("atlassian/").unwrap_or(&word);
        let fits = !role.is_empty()
            && role
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter));
        if fits {
            Ok(role.to_owned())
        } else {
            Err("must be the id of a platform role, such as \"org-admin\"".to_owned())
        }
    };
    Admins {
        roles: list(section, "roles", report, role).unwrap_or(default.roles),
        groups: list(section, "groups", report, values::words).unwrap_or(default.groups),
        accounts: list(section, "accounts", report, account).unwrap_or(default.accounts),
    }
}

/// The id of an account.
pub(super) fn account(value: &DeValue<'_>) -> Result<AccountId, String> {
    let word = values::words(value)?;
    if word.contains(char::is_whitespace) || word.contains('@') {
        return Err(
            "must be an account id, such as \"712020:…\", not a name or an e-mail address".into(),
        );
    }
    Ok(AccountId::new(word))
}

/// A list of values; a problem with one of them is noted at its place.
pub(super) fn list<T>(
    section: &Section<'_>,
    key: &str,
    report: &mut Report<'_>,
    read: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> Option<Vec<T>> {
    let items = section.take(key, report, |value| {
        value
            .as_array()
            .ok_or_else(|| format!("must be a list in `[` and `]`, not {}", kind(value)))
    })?;
    let mut all = Vec::new();
    for item in items {
        match read(item.get_ref()) {
            Ok(value) => all.push(value),
            Err(what) => report.push(item.span().start, section.key(key), what),
        }
    }
    Some(all)
}

/// `[tenant.actions]`, in the order of the file.
fn actions(section: &Section<'_>, report: &mut Report<'_>) -> Vec<(String, Class)> {
    let Some(table) = section.table("actions", "tenant.actions", report) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (action, span, value) in table.entries() {
        if action.trim().is_empty() || action.chars().any(char::is_control) {
            report.push(
                span.start,
                table.key(action),
                "must be an action id, or a pattern with `*`",
            );
        } else if value.get_ref().is_table() {
            report.push(
                span.start,
                table.key(action),
                "must be one action; put an id that contains dots in quotes",
            );
        } else if let Some(class) = table.take(action, report, values::class) {
            all.push((action.to_owned(), class));
        }
    }
    all
}
