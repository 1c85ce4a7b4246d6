//! Somebody changed what the audit log holds, or took it out.

use super::{Effect, EventRule, Meta, Sign, Single};
use crate::model::settings::Detect;
use crate::model::{Class, Family, Severity};
use crate::time::minute;
use crate::words::{ADDED, CHANGED, REMOVED, SEEN_BEFORE, Words};

/// The rule.
pub(super) struct LogTampering;

const META: Meta = Meta {
    id: "log-tampering",
    family: Family::Blind,
    summary: "Somebody changed what the audit log holds, or exported it.",
    looks_for: "Kinds of event excluded from the audit log, a shorter retention, a webhook of it removed or changed, another \
                change of its settings, the log exported. Each event is a finding by itself, one for each kind of change and \
                week. The severity is fixed: high where kinds of event were excluded; medium for the retention, a webhook and \
                other settings; low for an export.",
    needs: "A plan that logs what administrators do, or the site audit log.",
    cannot_see: "What was done to a log more than 5 weeks before its newest event, unless it was read by `import` or `backfill`. \
                 The ids of these actions are not documented: [tenant.actions] can name more of them as `logging`.",
    settings: &[("detect.log-tampering.enabled", "false switches it off")],
};

/// Who did it, where the log does not say.
const NOBODY: &str = "Somebody whom the log does not name";

/// What was done to a log itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogChange {
    /// It was taken out as a file.
    Exported,
    /// It is kept for another time.
    Retention,
    /// A webhook that receives it was removed or changed.
    Webhook,
    /// Kinds of event were excluded from it.
    Exclusion,
    /// Anything else about what it holds.
    Settings,
}

impl LogChange {
    /// What an action does to a log, if anything: less to see, or the log taken out. What shows more is none.
    pub fn of(words: &Words) -> Option<Self> {
        let nothing = [
            "failed",
            "cancelled",
            "canceled",
            "blocked",
            "denied",
            "record",
        ];
        if words.any(SEEN_BEFORE) || words.any(&nothing) {
            return None;
        }
        let log = words.any(&["auditlog", "auditlogs"])
            || words.row(&["audit", "log"])
            || words.row(&["audit", "logs"])
            || words.row(&["audit", "logging"]);
        let audit = log || words.any(&["audit"]);
        let ended = words.any(&["deleted", "delete", "disabled", "disable", "cleared"]);
        let removed = words.any(REMOVED) || ended;
        let events = words.any(&["event", "events", "activity", "activities"]);
        if audit && words.any(&["retention"]) {
            let longer = words.any(&["extended", "increased", "lengthened"]);
            return (!longer).then_some(Self::Retention);
        }
        if audit && words.any(&["webhook", "webhooks"]) {
            let made = words.any(&["created", "create"]) || words.any(ADDED);
            return (!made && (removed || words.any(CHANGED))).then_some(Self::Webhook);
        }
        if (audit || events) && words.any(&["exclusion", "exclusions", "excluded"]) {
            return (!removed).then_some(Self::Exclusion);
        }
        if log && (words.starting("export") || words.starting("download")) {
            return Some(Self::Exported);
        }
        let kept = words.any(&["setting", "settings", "coverage", "configuration"]);
        (log && ((kept && (removed || words.any(CHANGED))) || ended)).then_some(Self::Settings)
    }

    const fn signal(self) -> &'static str {
        match self {
            Self::Exported => "log-exported",
            Self::Retention => "log-retention",
            Self::Webhook => "log-webhook",
            Self::Exclusion => "log-exclusion",
            Self::Settings => "log-settings",
        }
    }

    const fn severity(self) -> Severity {
        match self {
            Self::Exported => Severity::Low,
            Self::Retention | Self::Webhook | Self::Settings => Severity::Medium,
            Self::Exclusion => Severity::High,
        }
    }

    /// What was done, and what follows from it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Exported => (
                "exported the audit log",
                "It shows who reads what, and what is watched.",
            ),
            Self::Retention => (
                "changed how long the audit log is kept",
                "If that is shorter now, what was not read in time is lost.",
            ),
            Self::Webhook => (
                "removed or changed a webhook that receives the audit log",
                "pagewarden polls and does not need it; anyone who relies on it may no longer receive the log.",
            ),
            Self::Exclusion => (
                "changed which kinds of event are excluded from the audit log",
                "What is excluded is not logged from then on: check that page views are not among them.",
            ),
            Self::Settings => (
                "changed what the audit log holds",
                "Check that page views are still kept.",
            ),
        }
    }
}

impl EventRule for LogTampering {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.log_tampering.enabled
    }

    fn classes(&self) -> &'static [Class] {
        &[Class::Logging]
    }

    fn inspect(&self, event: &Single<'_>) -> Option<Sign> {
        // The config may call any action `logging`, whatever its words.
        let change = LogChange::of(&Words::of(event.action)).unwrap_or(LogChange::Settings);
        let (did, so) = change.words();
        let who = event.who.unwrap_or(NOBODY);
        Some(Sign {
            signal: change.signal(),
            reason: format!("{who} {did} on {} UTC. {so}", minute(event.at)),
            effect: Effect::Finding(change.severity()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::event_rule::kit::single;
    use super::*;

    #[test]
    fn what_is_done_to_a_log_is_named_by_the_words() {
        for (action, expected) in [
            ("organization_audit_log_exported", Some(LogChange::Exported)),
            ("Exported organization audit log", Some(LogChange::Exported)),
            ("Audit log exported", Some(LogChange::Exported)),
            ("Audit log retention changed", Some(LogChange::Retention)),
            (
                "audit_log_retention_period_updated",
                Some(LogChange::Retention),
            ),
            ("audit_log_webhook_deleted", Some(LogChange::Webhook)),
            ("Disabled audit log webhook", Some(LogChange::Webhook)),
            ("Updated event exclusions", Some(LogChange::Exclusion)),
            ("audit_log_event_excluded", Some(LogChange::Exclusion)),
            ("audit_log_settings_updated", Some(LogChange::Settings)),
            ("Audit logging disabled", Some(LogChange::Settings)),
            // Near misses: more to see, another matter, or nothing done.
            ("Audit log retention extended", None),
            ("audit_log_webhook_created", None),
            ("Removed event exclusion from audit log", None),
            ("webhook_deleted", None),
            ("Space retention rule updated", None),
            ("Viewed organization audit log", None),
            ("audit_log_export_failed", None),
            ("confluence_audit_record_removed_content_restriction", None),
            ("confluence_page_exported", None),
            ("page_excluded_from_search", None),
        ] {
            assert_eq!(LogChange::of(&Words::of(action)), expected, "{action}");
        }
    }

    #[test]
    fn each_change_is_a_finding_by_itself_that_says_who_and_what_follows() {
        let words: Vec<String> = [
            "Audit log exported",
            "Audit log retention changed",
            "audit_log_webhook_deleted",
            "Updated event exclusions",
            "audit_log_settings_updated",
            "qwertyed",
        ]
        .into_iter()
        .map(|action| {
            let event = Single {
                who: (action != "qwertyed").then_some("Ada Example"),
                ..single(Class::Logging, action)
            };
            let sign = LogTampering.inspect(&event).unwrap();
            format!("{} {:?}\n{}", sign.signal, sign.effect, sign.reason)
        })
        .collect();
        insta::assert_snapshot!(words.join("\n\n"));
    }
}
