//! Messages to people and their systems: one folder per kind of notifier, and the rule who is sent what.
//!
//! A message carries what it says ([`Content`]); the notifier renders it. When and how often a message is tried is decided
//! by whoever delivers; a notifier makes one attempt.

mod answer;
mod content;
mod registry;
pub mod webhook;

#[cfg(test)]
mod kit;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::config::{self, SecretError};
use crate::http::post::BadAddress;
use pagewarden_core::model::{Destination, Finding, FindingId, Severity};

pub use content::{Content, ContentError};
pub use registry::{build, kinds};

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The idempotency key, equal at every attempt: a receiver that has seen it drops the message.
    pub id: String,
    /// The moment of this attempt.
    pub at: DateTime<Utc>,
    /// What it says, equal at every attempt: a notifier renders it to the same bytes each time.
    pub content: Content,
    /// The severity by which it was routed.
    pub severity: Severity,
}

/// The idempotency key of a message about a finding: its id and revision.
pub fn message_id(finding: &Finding) -> String {
    format!("{}:{}", finding.id, finding.revision)
}

/// The idempotency key of the message that takes back what a message about a revision of a finding said.
pub fn retraction_id(finding: &FindingId, revision: u32) -> String {
    format!("{finding}:{revision}:retracted")
}

/// Why a message was not taken, by what to do next. Names no address and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It may work later.
    #[error("{why}")]
    TryAgain {
        /// How long the receiver asks to wait, if it says.
        wait: Option<Duration>,
        /// What happened, for people.
        why: String,
    },
    /// It will not work until somebody changes something.
    #[error("{why}")]
    GiveUp {
        /// What happened and what to change, for people.
        why: String,
    },
}

/// Sends messages to one place.
#[async_trait]
pub trait Notifier: Send + Sync + std::fmt::Debug {
    /// Where it sends to: what was given up at one destination is tried again at another.
    fn destination(&self) -> Destination;

    /// Whether the receiver answers at all; it is sent nothing.
    async fn reach(&self) -> Result<(), SendError>;

    /// Makes one attempt; done when the receiver has said that it took the message.
    async fn send(&self, message: &Message) -> Result<(), SendError>;
}

/// Why a notifier cannot be set up; the config or its secrets have to change.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The address is of no use.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// A secret or setting was read and is of no use; says why.
    #[error("{0}")]
    Refused(&'static str),
    /// The settings are of no kind that there is; never so for a config that was read with [`kinds`].
    #[error("this type of notifier is not in this version")]
    Unknown,
}

/// The names of the notifiers that are sent findings of a severity, in the order of the config.
pub fn route(notifiers: &[config::Notifier], severity: Severity) -> impl Iterator<Item = &str> {
    notifiers
        .iter()
        .filter(move |notifier| severity >= notifier.min_severity)
        .map(|notifier| notifier.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::config::SecretSource;
    use crate::http::Transport;

    fn notifier(name: &str, min_severity: Severity) -> config::Notifier {
        config::Notifier {
            name: name.into(),
            kind: webhook::NAME,
            settings: Arc::new(webhook::Settings {
                url: SecretSource::Env("URL".into()),
                secret: None,
            }),
            min_severity,
        }
    }

    #[test]
    fn a_notifier_is_told_from_its_severity_on() {
        let all = [
            notifier("soc", Severity::Medium),
            notifier("log", Severity::Low),
        ];
        let routed = |severity| route(&all, severity).collect::<Vec<_>>();
        assert_eq!(routed(Severity::Low), ["log"]);
        assert_eq!(routed(Severity::Medium), ["soc", "log"]);
        assert_eq!(routed(Severity::Critical), ["soc", "log"]);
    }

    #[test]
    fn an_address_in_the_clear_is_refused_without_being_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        std::fs::write(&file, "http://hooks.example/T0KEN").unwrap();
        let soc = config::Notifier {
            settings: Arc::new(webhook::Settings {
                url: SecretSource::File(file),
                secret: None,
            }),
            ..notifier("soc", Severity::Low)
        };
        let error = build(&Transport::default(), &soc).unwrap_err();
        assert!(
            matches!(error, BuildError::Address(BadAddress::NotHttps)),
            "{error:?}"
        );
        assert!(!error.to_string().contains("T0KEN"));
    }
}
