//! `[detect]` and the tables in it.

use std::time::Duration;

use super::tenant::{account, list};
use crate::config::problem::Report;
use crate::config::raw::{self, Section};
use crate::config::values::{self, DAY, MINUTE, SECOND};
use crate::config::{
    AdminGrant, BlindSpot, BulkExport, CanaryPage, Detect, IgnoreRule, Ignored, PrivilegedMode,
    PrivilegedReading, PublicLink, ScriptedReading, TokenCreated, VolumeAnomaly,
};

/// The most pages that a number of pages may say.
const MANY_PAGES: u32 = 1_000_000;

/// `[detect]`.
pub(super) fn read(section: &Section<'_>, report: &mut Report<'_>) -> Detect {
    let default = Detect::default();
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
        canary_pages: list(section, "canary_pages", report, values::page).unwrap_or_default(),
        volume_anomaly: VolumeAnomaly {
            enabled: enabled(section, "volume-anomaly", "detect.volume-anomaly", report),
        },
        privileged_reading: privileged_reading(section, report),
        scripted_reading: scripted_reading(section, report),
        bulk_export: BulkExport {
            enabled: enabled(section, "bulk-export", "detect.bulk-export", report),
        },
        admin_grant: admin_grant(section, report),
        canary_page: CanaryPage {
            enabled: enabled(section, "canary-page", "detect.canary-page", report),
        },
        token_created: TokenCreated {
            enabled: enabled(section, "token-created", "detect.token-created", report),
        },
        public_link: PublicLink {
            enabled: enabled(section, "public-link", "detect.public-link", report),
        },
        blind_spot: BlindSpot {
            enabled: enabled(section, "blind-spot", "detect.blind-spot", report),
        },
        ignore: section
            .tables("ignore", "detect.ignore", report)
            .iter()
            .filter_map(|table| ignore_rule(table, report))
            .collect(),
    }
}

/// The switch of a detector that has no other setting.
fn enabled(section: &Section<'_>, key: &str, path: &'static str, report: &mut Report<'_>) -> bool {
    section
        .table(key, path, report)
        .and_then(|table| table.take("enabled", report, values::switch))
        .unwrap_or(true)
}

/// `[detect.privileged-reading]`.
fn privileged_reading(section: &Section<'_>, report: &mut Report<'_>) -> PrivilegedReading {
    let default = PrivilegedReading::default();
    let Some(table) = section.table("privileged-reading", "detect.privileged-reading", report)
    else {
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
fn scripted_reading(section: &Section<'_>, report: &mut Report<'_>) -> ScriptedReading {
    let default = ScriptedReading::default();
    let Some(table) = section.table("scripted-reading", "detect.scripted-reading", report) else {
        return default;
    };
    ScriptedReading {
        enabled: table
            .take("enabled", report, values::switch)
            .unwrap_or(default.enabled),
        integrations: list(&table, "integrations", report, account).unwrap_or_default(),
    }
}

/// `[detect.admin-grant]`.
fn admin_grant(section: &Section<'_>, report: &mut Report<'_>) -> AdminGrant {
    let default = AdminGrant::default();
    let Some(table) = section.table("admin-grant", "detect.admin-grant", report) else {
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

/// One `[[detect.ignore]]`.
fn ignore_rule(section: &Section<'_>, report: &mut Report<'_>) -> Option<IgnoreRule> {
    let named = ["account", "group", "space", "network"]
        .iter()
        .filter(|key| section.get(key).is_some())
        .count();
    let what = if named == 1 {
        [
            section
                .take("account", report, account)
                .map(Ignored::Account),
            section
                .take("group", report, values::words)
                .map(Ignored::Group),
            section
                .take("space", report, values::words)
                .map(Ignored::Space),
            section
                .take("network", report, values::network)
                .map(Ignored::Network),
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
    Some(IgnoreRule {
        what: what?,
        reason: reason?,
        until: until?,
    })
}
