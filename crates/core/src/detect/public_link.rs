//! A page or a space was opened to everybody.

use super::{Effect, EventRule, Meta, Sign, Single};
use crate::model::settings::Detect;
use crate::model::{Class, Family};
use crate::time::minute;
use crate::words::Words;

/// The rule.
pub(super) struct PublicLink;

const META: Meta = Meta {
    id: "public-link",
    family: Family::Reading,
    summary: "The account of a finding opened a page or a space to everybody at about that time.",
    looks_for: "A public link, or anonymous access, that an account switched on within a day before or after what a reading or \
                export finding reports: a way for content out of the wiki that leaves no further trace. It is a signal of that \
                finding, and never alarms on its own; it changes neither the severity nor the bits.",
    needs: "The site audit log, or the organisation's: both hold public links.",
    cannot_see: "Links that were there before, and what was read through them. Records that do not say in English words that \
                 something was switched on: a change of permissions for public links may be either.",
    settings: &[("detect.public-link.enabled", "false switches it off")],
};

/// Something was switched on.
const ON: &[&str] = &[
    "enabled", "enable", "created", "create", "added", "add", "granted", "grant", "allowed",
];

/// Words that speak of something else that was done, or of a part of it.
const OTHERWISE: &[&str] = &[
    "failed",
    "blocked",
    "denied",
    "cancelled",
    "canceled",
    "viewed",
    "removed",
    "disabled",
    "deleted",
    "revoked",
    "expired",
    "policy",
    "block",
    "not",
];

impl EventRule for PublicLink {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.public_link.enabled
    }

    fn classes(&self) -> &'static [Class] {
        &[Class::Permission]
    }

    fn inspect(&self, event: &Single<'_>) -> Option<Sign> {
        let words = Words::of(event.action);
        let link = words.row(&["public", "link"]) || words.row(&["public", "links"]);
        let anonymous = words.row(&["anonymous", "access"]) || words.row(&["public", "access"]);
        let on = words.any(ON) && !words.any(OTHERWISE);
        let what = if link {
            "public links"
        } else {
            "anonymous access"
        };
        let place = match (event.on_page, event.in_space) {
            (true, _) => " for a page",
            (false, true) => " for a space",
            (false, false) => "",
        };
        ((link || anonymous) && on).then(|| Sign {
            signal: META.id,
            reason: format!(
                "The account switched on {what}{place} on {} UTC.",
                minute(event.at)
            ),
            effect: Effect::Joins,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::event_rule::kit::single;
    use super::*;

    fn speaks(action: &str) -> bool {
        PublicLink
            .inspect(&single(Class::Permission, action))
            .is_some()
    }

    #[test]
    fn what_is_opened_to_everybody_is_a_sign() {
        for action in [
            "Public link enabled",
            "confluence_public_link_created",
            "Public links enabled for space",
            "Anonymous access granted",
            "anonymous_access_enabled",
        ] {
            assert!(speaks(action), "{action}");
        }
        let event = Single {
            in_space: true,
            ..single(Class::Permission, "Public link enabled")
        };
        let sign = PublicLink.inspect(&event).unwrap();
        assert_eq!((sign.signal, sign.effect), ("public-link", Effect::Joins));
        assert_eq!(
            sign.reason,
            "The account switched on public links for a space on 2026-01-05 14:05 UTC."
        );
    }

    #[test]
    fn what_is_closed_again_is_not() {
        for action in [
            "Public link disabled",
            "Anonymous access removed",
            "confluence_public_link_deleted",
        ] {
            assert!(!speaks(action), "{action}");
        }
    }

    #[test]
    fn near_misses_and_unknown_words_are_not() {
        for action in [
            // It may be either.
            "Changed Confluence public link permissions",
            "Space permission added",
            "Link to public page added",
            "Public link qwertyed",
            "",
        ] {
            assert!(!speaks(action), "{action}");
        }
    }
}
