//! `[detect]` and the tables in it.

use std::time::Duration;

use super::tenant::{account, list};
use crate::config::problem::Report;
use crate::config::raw::{self, Section};
use crate::config::values::{self, DAY, MINUTE, SECOND};
use crate::config::{
    AdminGrant, BlindSpot, BulkExport, CanaryPage, Detect, LogTampering, PrivilegedMode,
    PrivilegedReading, PublicLink, ScriptedReading, Suppressed, Suppression, TokenCreated,
    VolumeAnomaly,
};

/// The most pages that a number of pages may say.
const MANY_PAGES: u32 = 1_000_000;

/// `[detect]`, or a `[tenant.detect]` over it. Canary pages take the place of those before, suppressions are added to them.
pub(super) fn read(section: &Section<'_>, default: &Detect, report: &mut Report<'_>) -> Detect {
    let [session_gap, lateness, settle] = times(section, default, report);
    let mut switch = |key, default| enabled(section, key, default, report);
    let volume_anomaly = VolumeAnomaly {
        enabled: switch("volume-anomaly", default.volume_anomaly.enabled),
    };
    let bulk_export = BulkExport {
        enabled: switch("bulk-export", default.bulk_export.enabled),
    };
    let canary_page = CanaryPage {
        enabled: switch("canary-page", default.canary_page.enabled),
    };
    let token_created = TokenCreated {
        enabled: switch("token-created", default.token_created.enabled),
    };
    let public_link = PublicLink {
        enabled: switch("public-link", default.public_link.enabled),
    };
    let log_tampering = LogTampering {
        enabled: switch("log-tampering", default.log_tampering.enabled),
    };
    let blind_spot = BlindSpot {
        enabled: switch("blind-spot", default.blind_spot.enabled),
    };
    let tables = section.tables("suppress", section.inner("suppress"), report);
    let own = tables.iter().filter_map(|table| suppression(table, report));
    let suppress = default.suppress.iter().cloned().chain(own).collect();
    Detect {
        alerts_per_week: section
            .take("alerts_per_week", report, |value| {
                values::positive(value, 10_000.0)
            })
            .unwrap_or(default.alerts_per_week),
        session_gap,
        lateness,
        settle,
        min_pages: section
            .take("min_pages", report, |value| {
                values::whole(value, 1..=MANY_PAGES)
            })
            .unwrap_or(default.min_pages),
        canary_pages: list(section, "canary_pages", report, values::page)
            .unwrap_or_else(|| default.canary_pages.clone()),
        volume_anomaly,
        privileged_reading: privileged_reading(section, default.privileged_reading, report),
        scripted_reading: scripted_reading(section, &default.scripted_reading, report),
        bulk_export,
        admin_grant: admin_grant(section, default.admin_grant, report),
        canary_page,
        token_created,
        public_link,
        log_tampering,
        blind_spot,
        suppress,
    }
}

/// `session_gap`, `lateness` and `settle`.
fn times(section: &Section<'_>, default: &Detect, report: &mut Report<'_>) -> [Duration; 3] {
    let mut time = |key, least, most, otherwise| {
        section
            .take(key, report, |value| values::duration(value, least..=most))
            .unwrap_or(otherwise)
    };
    let session_gap = time("session_gap", SECOND, 7 * DAY, default.session_gap);
    let lateness = time("lateness", Duration::ZERO, 7 * DAY, default.lateness);
    let settle = time("settle", MINUTE, 30 * DAY, default.settle);
    if lateness > settle {
        let key = if section.get("lateness").is_some() {
            "lateness"
        } else {
            "settle"
        };
        let (lateness, settle) = (values::spelt(lateness), values::spelt(settle));
        let what = format!("`lateness` ({lateness}) must not be longer than `settle` ({settle})");
        report.push(section.place(key), section.key(key), what);
    }
    [session_gap, lateness, settle]
}

/// The switch of a detector that has no other setting.
fn enabled(section: &Section<'_>, key: &str, default: bool, report: &mut Report<'_>) -> bool {
    section
        .table(key, section.inner(key), report)
        .and_then(|table| table.take("enabled", report, values::switch))
        .unwrap_or(default)
}

/// `[detect.privileged-reading]`.
fn privileged_reading(
    section: &Section<'_>,
    default: PrivilegedReading,
    report: &mut Report<'_>,
) -> PrivilegedReading {
    let path = section.inner("privileged-reading");
    let Some(table) = section.table("privileged-reading", path, report) else {
        return default;
    };
    let modes = [
        ("unusual", PrivilegedMode::Unusual),
        ("strict", PrivilegedMode::Strict),
    ];
    PrivilegedReading {
        enabled: table
            .take("enabled", report, values::switch)
            .unwrap_or(default.enabled),
        mode: table
            .take("mode", report, |value| values::one_of(value, &modes))
            .unwrap_or(default.mode),
        pages_per_day: table
            .take("pages_per_day", report, |value| {
                values::whole(value, 0..=MANY_PAGES)
            })
            .unwrap_or(default.pages_per_day),
        weekly: table
            .take("weekly", report, values::switch)
            .unwrap_or(default.weekly),
    }
}

/// `[detect.scripted-reading]`.
fn scripted_reading(
    section: &Section<'_>,
    default: &ScriptedReading,
    report: &mut Report<'_>,
) -> ScriptedReading {
    let path = section.inner("scripted-reading");
    let Some(table) = section.table("scripted-reading", path, report) else {
        return default.clone();
    };
    ScriptedReading {
        enabled: table
            .take("enabled", report, values::switch)
            .unwrap_or(default.enabled),
        integrations: list(&table, "integrations", report, account)
            .unwrap_or_else(|| default.integrations.clone()),
    }
}

/// `[detect.admin-grant]`.
fn admin_grant(section: &Section<'_>, default: AdminGrant, report: &mut Report<'_>) -> AdminGrant {
    let Some(table) = section.table("admin-grant", section.inner("admin-grant"), report) else {
        return default;
    };
    AdminGrant {
        enabled: table
            .take("enabled", report, values::switch)
            .unwrap_or(default.enabled),
        within: table
            .take("within", report, |value| {
                values::duration(value, DAY..=365 * DAY)
            })
            .unwrap_or(default.within),
        pages: table
            .take("pages", report, |value| {
                values::whole(value, 1..=MANY_PAGES)
            })
            .unwrap_or(default.pages),
    }
}

/// One `[[detect.suppress]]`.
fn suppression(section: &Section<'_>, report: &mut Report<'_>) -> Option<Suppression> {
    let named = ["account", "group", "space", "network"]
        .iter()
        .filter(|key| section.get(key).is_some())
        .count();
    let what = if named == 1 {
        [
            section
                .take("account", report, account)
                .map(Suppressed::Account),
            section
                .take("group", report, values::words)
                .map(Suppressed::Group),
            section
                .take("space", report, values::space)
                .map(Suppressed::Space),
            section
                .take("network", report, values::network)
                .map(Suppressed::Network),
        ]
        .into_iter()
        .find_map(|what| what)
    } else {
        let ways = raw::list(&["account", "group", "space", "network"]);
        let count = if named == 0 {
            "names nothing"
        } else {
            "names more than one thing"
        };
        report.push(
            section.at,
            section.path,
            format!("{count}; exactly one of {ways} is needed"),
        );
        None
    };
    let reason = section.need("reason", "\"search indexer\"", report, values::words);
    let until = section.need("until", "\"2027-01-31\"", report, values::date);
    Some(Suppression {
        what: what?,
        reason: reason?,
        until: until?,
    })
}
