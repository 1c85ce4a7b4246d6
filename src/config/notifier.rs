//! `[[notifier]]`: what every notifier is set to, and what the code of a kind of notifiers promises to the config.
//!
//! The kinds themselves lie above this module, in `notify`: whoever reads a config hands them in.

use std::any::Any;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeValue;

use super::SecretSource;
use super::check::secret;
use super::problem::Report;
use super::raw::Section;
use super::values;
use pagewarden_core::model::Severity;

/// One place that messages are sent to.
#[derive(Debug, Clone)]
pub struct Notifier {
    /// What we call it.
    pub name: String,
    /// The name of its kind, as `type` has it.
    pub kind: &'static str,
    /// How to reach it: the settings that its kind alone has.
    pub settings: Arc<dyn NotifierSettings>,
    /// The least severity that is sent.
    pub min_severity: Severity,
}

/// A kind of notifiers, as far as the config is concerned.
pub trait NotifierKind: Sync {
    /// The word for it in `type`.
    fn name(&self) -> &'static str;

    /// The settings that it has besides those of every notifier, in the order of the documentation.
    fn keys(&self) -> &'static [NotifierKey];

    /// Reads these settings; none where there is a problem, which the table notes.
    fn read(&self, table: &mut NotifierTable<'_, '_, '_>) -> Option<Arc<dyn NotifierSettings>>;
}

/// A setting that a kind of notifiers has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifierKey {
    /// Its name.
    pub name: &'static str,
    /// Whether it is the place of a secret.
    pub secret: bool,
}

impl NotifierKey {
    /// A setting whose value stands in the config.
    pub const fn plain(name: &'static str) -> Self {
        Self {
            name,
            secret: false,
        }
    }

    /// A setting that says where a secret is.
    pub const fn secret(name: &'static str) -> Self {
        Self { name, secret: true }
    }
}

/// The settings of a notifier that its kind alone has.
pub trait NotifierSettings: Any + fmt::Debug + Send + Sync {
    /// Every setting that has a value, in the order in which `config show` prints them.
    fn list(&self) -> Vec<(&'static str, NotifierSetting<'_>)>;
}

/// The value of one setting.
#[derive(Debug, Clone, PartialEq)]
pub enum NotifierSetting<'a> {
    /// The place of a secret.
    Secret(&'a SecretSource),
    /// A value that anybody may see.
    Plain(toml::Value),
}

impl Notifier {
    /// The places of its secrets, each with its setting.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &SecretSource)> {
        let list = self.settings.list().into_iter();
        list.filter_map(|(key, setting)| match setting {
            NotifierSetting::Secret(source) => Some((key, source)),
            NotifierSetting::Plain(_) => None,
        })
    }
}

/// The table of one notifier while the code of its kind reads it. Each method notes what is wrong with its setting.
pub struct NotifierTable<'s, 'd, 't> {
    section: &'s Section<'d>,
    folder: &'s Path,
    report: &'s mut Report<'t>,
}

impl<'s, 'd, 't> NotifierTable<'s, 'd, 't> {
    /// Opens a table; relative secret files begin in `folder`.
    pub(super) const fn new(
        section: &'s Section<'d>,
        folder: &'s Path,
        report: &'s mut Report<'t>,
    ) -> Self {
        Self {
            section,
            folder,
            report,
        }
    }

    /// The place of a secret that may be left out.
    pub fn secret(&mut self, key: &str) -> Option<SecretSource> {
        secret::take(self.section, key, self.folder, self.report)
    }

    /// The place of a secret that has to be set; `why` says in a few words why it is one.
    pub fn required_secret(&mut self, key: &str, why: &str) -> Option<SecretSource> {
        if self.section.get(key).is_none() {
            let what = format!(
                "is missing; write for example `{key} = {{ file = \"PATH\" }}` (it is a secret: {why})"
            );
            self.report
                .push(self.section.at, self.section.key(key), what);
        }
        self.secret(key)
    }

    /// One line of text that may be left out.
    pub fn text(&mut self, key: &str) -> Option<String> {
        self.section.take(key, self.report, values::words)
    }

    /// One line of text that has to be set; `example` is how a right one looks, quotes included.
    pub fn required_text(&mut self, key: &str, example: &str) -> Option<String> {
        self.section.need(key, example, self.report, values::words)
    }

    /// A value that may be left out, read by a function of the kind's own: what it says of a wrong one becomes a problem.
    pub fn value<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        self.section.take(key, self.report, read)
    }
}

#[cfg(test)]
#[path = "notifier_tests.rs"]
mod tests;
