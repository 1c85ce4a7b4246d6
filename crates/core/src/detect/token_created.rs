//! The account created an API token or key.

use super::{Effect, EventRule, Meta, Sign, Single};
use crate::model::settings::Detect;
use crate::model::{Class, Family};
use crate::time::minute;
use crate::words::Words;

/// The rule.
pub(super) struct TokenCreated;

const META: Meta = Meta {
    id: "token-created",
    family: Family::Reading,
    summary: "The account of a finding created an API token or key at about that time.",
    looks_for: "An API token or key that an account created within a day before or after what a reading or export finding is \
                about: the way from reading by hand to taking by a program. It is a signal of that finding, and never alarms on its \
                own; it changes neither the severity nor the bits.",
    needs: "An audit log that holds what is done to tokens, as the organisation's does.",
    cannot_see: "Tokens that were there before. Ids of actions that do not say in English words that a token or key was created.",
    settings: &[("detect.token-created.enabled", "false switches it off")],
};

/// Words that speak of something else that was done, or of rules about tokens.
const OTHERWISE: &[&str] = &[
    "failed",
    "blocked",
    "denied",
    "cancelled",
    "canceled",
    "viewed",
    "exported",
    "revoked",
    "deleted",
    "expired",
    "policy",
    "permission",
    "permissions",
    "setting",
    "settings",
];

impl EventRule for TokenCreated {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.token_created.enabled
    }

    fn classes(&self) -> &'static [Class] {
        &[Class::Token]
    }

    fn inspect(&self, event: &Single<'_>) -> Option<Sign> {
        let words = Words::of(event.action);
        let token = words.any(&["token", "tokens", "apikey"])
            || words.row(&["api", "key"])
            || words.row(&["api", "keys"]);
        let created = words.any(&["created", "create"]) && !words.any(OTHERWISE);
        (token && created).then(|| Sign {
            signal: META.id,
            reason: format!(
                "The account created an API token or key on {} UTC.",
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
        TokenCreated
            .inspect(&single(Class::Token, action))
            .is_some()
    }

    #[test]
    fn a_token_or_key_that_was_created_is_a_sign() {
        for action in [
            "api_token_created",
            "admin_api_key_created",
            "Created API token",
            "API key created",
            "apiTokenCreated",
        ] {
            assert!(speaks(action), "{action}");
        }
        let sign = TokenCreated
            .inspect(&single(Class::Token, "api_token_created"))
            .unwrap();
        assert_eq!((sign.signal, sign.effect), ("token-created", Effect::Joins));
        assert_eq!(
            sign.reason,
            "The account created an API token or key on 2026-01-05 14:05 UTC."
        );
    }

    #[test]
    fn what_else_is_done_to_tokens_is_not() {
        for action in [
            "api_token_revoked",
            "Viewed API token",
            "Exported API tokens",
            "rotate_scim_directory_token",
            "api_token_used",
        ] {
            assert!(!speaks(action), "{action}");
        }
    }

    #[test]
    fn near_misses_and_unknown_words_are_not() {
        for action in [
            "api_token_create_failed",
            "api_token_policy_created",
            "user_created",
            "api_token_qwertyed",
            "",
        ] {
            assert!(!speaks(action), "{action}");
        }
    }
}
