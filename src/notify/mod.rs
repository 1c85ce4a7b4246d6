//! Messages to people and their systems: one file per notifier, and the rule who is told what.
//!
//! When and how often a message is tried is decided by whoever delivers; a notifier makes one attempt.

mod webhook;

#[cfg(test)]
mod kit;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::config;
use crate::http::Transport;
use crate::http::post::{BadAddress, Timeouts};
use pagewarden_core::model::{Finding, FindingId, Severity};

pub use webhook::Webhook;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The idempotency key, equal at every attempt: a receiver that has seen it drops the message.
    pub id: String,
    /// The moment of this attempt.
    pub at: DateTime<Utc>,
    /// The JSON text, equal at every attempt.
    pub body: Vec<u8>,
    /// How grave what it tells is.
    pub severity: Severity,
}

/// The idempotency key of a message about a finding: its id and revision.
pub fn message_id(finding: &Finding) -> String {
    format!("{}:{}", finding.id, finding.revision)
}

/// The idempotency key of the message that takes back what a revision of a finding told.
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
    /// Makes one attempt; done when the receiver has said that it took the message.
    async fn send(&self, message: &Message) -> Result<(), SendError>;
}

/// Why a notifier cannot be set up; the config or its secrets have to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The address is of no use.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The signing secret is of no use.
    #[error("the secret begins with whsec_, but base64 does not follow")]
    Secret,
    /// There is no signing secret where one was named.
    #[error("the secret is empty")]
    EmptySecret,
}

/// Sets up the notifier that the settings describe, with its secrets as they were read.
pub fn build(
    settings: &config::Notifier,
    url: &SecretString,
    secret: Option<&SecretString>,
) -> Result<Box<dyn Notifier>, BuildError> {
    build_over(&Transport::default(), settings, url, secret)
}

/// The same, with requests carried otherwise than over the network.
pub fn build_over(
    transport: &Transport,
    settings: &config::Notifier,
    url: &SecretString,
    secret: Option<&SecretString>,
) -> Result<Box<dyn Notifier>, BuildError> {
    build_with(settings, url, secret, (Timeouts::default(), transport))
}

/// The same, with other timeouts.
fn build_with(
    settings: &config::Notifier,
    url: &SecretString,
    secret: Option<&SecretString>,
    (timeouts, transport): (Timeouts, &Transport),
) -> Result<Box<dyn Notifier>, BuildError> {
    match &settings.kind {
        config::NotifierKind::Webhook { url: _, secret: _ } => {
            let webhook = Webhook::new(url, secret, timeouts)?;
            Ok(Box::new(webhook.over(transport)))
        }
    }
}

/// The names of the notifiers that are told of something so grave, in the order of the config.
pub fn route(notifiers: &[config::Notifier], severity: Severity) -> impl Iterator<Item = &str> {
    notifiers
        .iter()
        .filter(move |notifier| severity >= notifier.min_severity)
        .map(|notifier| notifier.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NotifierKind, SecretSource};

    fn notifier(name: &str, min_severity: Severity) -> config::Notifier {
        config::Notifier {
            name: name.into(),
            kind: NotifierKind::Webhook {
                url: SecretSource::Env("URL".into()),
                secret: None,
            },
            min_severity,
        }
    }

    #[test]
    fn a_notifier_is_told_from_its_severity_on() {
        let all = [
            notifier("soc", Severity::Medium),
            notifier("log", Severity::Low),
        ];
        let told = |severity| route(&all, severity).collect::<Vec<_>>();
        assert_eq!(told(Severity::Low), ["log"]);
        assert_eq!(told(Severity::Medium), ["soc", "log"]);
        assert_eq!(told(Severity::Critical), ["soc", "log"]);
    }

    #[test]
    fn an_address_in_the_clear_is_refused_without_being_told() {
        let url = SecretString::from("http://hooks.example/T0KEN");
        let error = build(&notifier("soc", Severity::Low), &url, None).unwrap_err();
        assert_eq!(error, BuildError::Address(BadAddress::NotHttps));
        assert!(!error.to_string().contains("T0KEN"));
    }
}
