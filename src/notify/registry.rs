//! Every kind of notifier, one line each, and what is done with a notifier whatever its kind.

use std::any::Any;

use super::{BuildError, Notifier, webhook};
use crate::config;
use crate::config::notifier::{NotifierKind, NotifierSettings};
use crate::http::Transport;
use crate::http::post::{BadAddress, Sender, Timeouts};
use secrecy::SecretString;

/// The kinds that this version has, in the order in which problems list them.
const KINDS: &[&dyn Kind] = &[&webhook::KIND];

/// A kind of notifier: its settings, and how one is set up.
pub(super) trait Kind: NotifierKind {
    /// Sets up a notifier, reading its secrets.
    fn build(
        &self,
        settings: &dyn NotifierSettings,
        wire: &Wire<'_>,
    ) -> Result<Box<dyn Notifier>, BuildError>;
}

/// How requests leave.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    /// What carries them.
    pub(super) transport: &'a Transport,
    /// How long one may take.
    pub(super) timeouts: Timeouts,
}

impl Wire<'_> {
    /// A sender to an address.
    pub(super) fn sender(&self, url: &SecretString) -> Result<Sender, BadAddress> {
        Ok(Sender::new(url, self.timeouts)?.over(self.transport))
    }
}

/// The kinds of notifiers, for whoever reads a config.
pub fn kinds() -> Vec<&'static dyn NotifierKind> {
    KINDS
        .iter()
        .map(|kind| {
            let kind: &'static dyn NotifierKind = *kind;
            kind
        })
        .collect()
}

/// Sets up the notifier that the settings describe, reading its secrets; `transport` carries its requests.
pub fn build(
    transport: &Transport,
    settings: &config::Notifier,
) -> Result<Box<dyn Notifier>, BuildError> {
    let wire = Wire {
        transport,
        timeouts: Timeouts::default(),
    };
    let kind = KINDS.iter().find(|kind| kind.name() == settings.kind);
    kind.ok_or(BuildError::Unknown)?
        .build(settings.settings.as_ref(), &wire)
}

/// The settings as the kind that made them knows them.
pub(super) fn settings_of<S: NotifierSettings>(
    settings: &dyn NotifierSettings,
) -> Result<&S, BuildError> {
    let settings: &dyn Any = settings;
    settings.downcast_ref().ok_or(BuildError::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_keys_that_no_notifier_has_already() {
        let kinds = kinds();
        let mut names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), kinds.len());
        for kind in kinds {
            for key in kind.keys() {
                assert!(
                    !["name", "type", "min_severity", "include_titles"].contains(&key.name),
                    "{}: {}",
                    kind.name(),
                    key.name
                );
            }
        }
    }
}
