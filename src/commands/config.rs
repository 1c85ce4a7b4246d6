//! `pagewarden config show`: what is in force.

use crate::config::notifier::NotifierSetting;
use crate::config::{
    Config, Detect, Notifier, PrivilegedMode, SecretSource, Site, SiteRoute, Suppressed,
    Suppression, Tenant, spelt,
};

/// Everything that is in force, defaults included, as a config that could be used as it is. Secrets appear as the place
/// where they are.
pub fn show(config: &Config) -> String {
    let Config {
        state,
        tenants,
        retry,
        detect,
        notifiers,
    } = config;
    let mut page = Page::default();
    page.header("[state]");
    page.set("path", &text(&state.path.to_string_lossy()));
    page.set("retention", &text(&spelt(state.retention)));
    page.set("cache_mib", &state.cache_mib.to_string());
    for each in tenants {
        tenant(each, detect, &mut page);
    }
    page.header("[retry]");
    page.set("base", &text(&spelt(retry.base)));
    page.set("attempts", &retry.attempts.to_string());
    page.set("timeout", &text(&spelt(retry.timeout)));
    detection(detect, ("", 0), &mut page);
    for each in notifiers {
        notifier(each, &mut page);
    }
    page.0
}

/// Lines of TOML.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Begins a table.
    fn header(&mut self, header: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(header);
        self.0.push('\n');
    }

    /// Writes one setting.
    fn set(&mut self, key: &str, value: &str) {
        for part in [key, " = ", value, "\n"] {
            self.0.push_str(part);
        }
    }
}

/// Text as TOML writes it.
fn text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A list of texts as TOML writes it.
fn list<'t>(items: impl IntoIterator<Item = &'t str>) -> String {
    format!(
        "[{}]",
        items.into_iter().map(text).collect::<Vec<_>>().join(", ")
    )
}

/// The place of a secret.
fn source(source: &SecretSource) -> String {
    match source {
        SecretSource::File(path) => format!("{{ file = {} }}", text(&path.to_string_lossy())),
        SecretSource::Env(name) => format!("{{ env = {} }}", text(name)),
        SecretSource::Credential(name) => format!("{{ credential = {} }}", text(name)),
    }
}

/// An origin, without the stroke behind it.
fn origin(url: &url::Url) -> String {
    text(&url.origin().ascii_serialization())
}

/// `[[tenant]]` and what is in it.
fn tenant(tenant: &Tenant, common: &Detect, page: &mut Page) {
    let Tenant {
        name,
        organization,
        sites,
        schedule,
        admins,
        actions,
        detect,
    } = tenant;
    page.header("[[tenant]]");
    page.set("name", &text(name));
    if let Some(organization) = organization {
        page.header("[tenant.organization]");
        page.set("id", &text(&organization.id));
        page.set("api_key", &source(&organization.api_key));
        if let Some(day) = organization.expires {
            page.set("expires", &text(&day.to_string()));
        }
        page.set("url", &origin(&organization.url));
        page.set(
            "requests_per_minute",
            &organization.requests_per_minute.to_string(),
        );
    }
    for each in sites {
        site(each, page);
    }
    page.header("[tenant.schedule]");
    page.set("access", &text(&spelt(schedule.access)));
    page.set("audit", &text(&spelt(schedule.audit)));
    page.set("admins", &text(&spelt(schedule.admins)));
    page.set("lookback", &text(&spelt(schedule.lookback)));
    page.header("[tenant.admins]");
    page.set("roles", &list(admins.roles.iter().map(String::as_str)));
    page.set("groups", &list(admins.groups.iter().map(String::as_str)));
    page.set(
        "accounts",
        &list(
            admins
                .accounts
                .iter()
                .map(pagewarden_core::model::AccountId::as_str),
        ),
    );
    if !actions.is_empty() {
        page.header("[tenant.actions]");
    }
    for (action, class) in actions {
        page.set(&text(action), &text(class.as_str()));
    }
    if detect != common {
        detection(detect, ("tenant.", common.suppress.len()), page);
    }
}

/// `[[tenant.site]]`.
fn site(site: &Site, page: &mut Page) {
    page.header("[[tenant.site]]");
    page.set("url", &origin(&site.url));
    page.set("email", &text(&site.email));
    page.set("api_token", &source(&site.api_token));
    if let Some(day) = site.expires {
        page.set("expires", &text(&day.to_string()));
    }
    let via = match site.via {
        SiteRoute::Site => "site",
        SiteRoute::Gateway => "gateway",
    };
    page.set("via", &text(via));
}

/// An address that a page or space can be named by, or what names it on every site.
fn place(id: &str, site: Option<&String>, behind: &str) -> String {
    site.map_or_else(
        || id.to_owned(),
        |site| format!("https://{site}/wiki/{behind}/{id}"),
    )
}

/// `[detect]`, or `[tenant.detect]`, and what is in it; suppressions but the first `known` ones.
fn detection(detect: &Detect, (within, known): (&str, usize), page: &mut Page) {
    page.header(&format!("[{within}detect]"));
    page.set(
        "alerts_per_week",
        &toml::Value::from(detect.alerts_per_week).to_string(),
    );
    page.set("session_gap", &text(&spelt(detect.session_gap)));
    page.set("lateness", &text(&spelt(detect.lateness)));
    page.set("settle", &text(&spelt(detect.settle)));
    page.set("min_pages", &detect.min_pages.to_string());
    let canaries = detect.canary_pages.iter();
    let canaries: Vec<String> = canaries
        .map(|page| place(page.id.as_str(), page.site.as_ref(), "pages"))
        .collect();
    page.set("canary_pages", &list(canaries.iter().map(String::as_str)));
    detectors(detect, within, page);
    for Suppression {
        what,
        reason,
        until,
    } in detect.suppress.iter().skip(known)
    {
        page.header(&format!("[[{within}detect.suppress]]"));
        match what {
            Suppressed::Account(account) => page.set("account", &text(account.as_str())),
            Suppressed::Group(group) => page.set("group", &text(group)),
            Suppressed::Space(space) => {
                page.set(
                    "space",
                    &text(&place(&space.id, space.site.as_ref(), "spaces")),
                );
            }
            Suppressed::Network(network) => page.set("network", &text(network)),
        }
        page.set("reason", &text(reason));
        page.set("until", &text(&until.to_string()));
    }
}

/// The table of each detector.
fn detectors(detect: &Detect, within: &str, page: &mut Page) {
    let header = |page: &mut Page, name: &str| page.header(&format!("[{within}detect.{name}]"));
    header(page, "volume-anomaly");
    page.set("enabled", &detect.volume_anomaly.enabled.to_string());
    header(page, "privileged-reading");
    page.set("enabled", &detect.privileged_reading.enabled.to_string());
    let mode = match detect.privileged_reading.mode {
        PrivilegedMode::Unusual => "unusual",
        PrivilegedMode::Strict => "strict",
    };
    page.set("mode", &text(mode));
    page.set(
        "pages_per_day",
        &detect.privileged_reading.pages_per_day.to_string(),
    );
    page.set("weekly", &detect.privileged_reading.weekly.to_string());
    header(page, "scripted-reading");
    page.set("enabled", &detect.scripted_reading.enabled.to_string());
    page.set(
        "integrations",
        &list(
            detect
                .scripted_reading
                .integrations
                .iter()
                .map(pagewarden_core::model::AccountId::as_str),
        ),
    );
    header(page, "bulk-export");
    page.set("enabled", &detect.bulk_export.enabled.to_string());
    header(page, "admin-grant");
    page.set("enabled", &detect.admin_grant.enabled.to_string());
    page.set("within", &text(&spelt(detect.admin_grant.within)));
    page.set("pages", &detect.admin_grant.pages.to_string());
    header(page, "canary-page");
    page.set("enabled", &detect.canary_page.enabled.to_string());
    header(page, "token-created");
    page.set("enabled", &detect.token_created.enabled.to_string());
    header(page, "public-link");
    page.set("enabled", &detect.public_link.enabled.to_string());
    header(page, "log-tampering");
    page.set("enabled", &detect.log_tampering.enabled.to_string());
    header(page, "blind-spot");
    page.set("enabled", &detect.blind_spot.enabled.to_string());
}

/// `[[notifier]]`.
fn notifier(notifier: &Notifier, page: &mut Page) {
    let Notifier {
        name,
        kind,
        settings,
        min_severity,
    } = notifier;
    page.header("[[notifier]]");
    page.set("name", &text(name));
    page.set("type", &text(kind));
    for (key, setting) in settings.list() {
        let value = match setting {
            NotifierSetting::Secret(place) => source(place),
            NotifierSetting::Plain(value) => value.to_string(),
        };
        page.set(key, &value);
    }
    page.set("min_severity", &text(min_severity.as_str()));
    page.set("include_titles", "false");
}
