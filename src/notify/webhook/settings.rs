//! What a webhook is set to: `url` and `secret`.

use std::sync::Arc;

use crate::config::SecretSource;
use crate::config::notifier::{
    NotifierKey, NotifierKind, NotifierSetting, NotifierSettings, NotifierTable,
};

use super::WebhookKind;

/// How to reach a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where its address is: a secret, because such addresses let anybody in.
    pub url: SecretSource,
    /// Where the signing secret is, if it signs.
    pub secret: Option<SecretSource>,
}

impl NotifierKind for WebhookKind {
    fn name(&self) -> &'static str {
        super::NAME
    }

    fn keys(&self) -> &'static [NotifierKey] {
        const { &[NotifierKey::secret("url"), NotifierKey::secret("secret")] }
    }

    fn read(&self, table: &mut NotifierTable<'_, '_, '_>) -> Option<Arc<dyn NotifierSettings>> {
        let url = table.required_secret("url", "whoever has it can write there");
        let secret = table.secret("secret");
        Some(Arc::new(Settings { url: url?, secret }))
    }
}

impl NotifierSettings for Settings {
    fn list(&self) -> Vec<(&'static str, NotifierSetting<'_>)> {
        let Self { url, secret } = self;
        let secret = secret
            .as_ref()
            .map(|secret| ("secret", NotifierSetting::Secret(secret)));
        [("url", NotifierSetting::Secret(url))]
            .into_iter()
            .chain(secret)
            .collect()
    }
}
