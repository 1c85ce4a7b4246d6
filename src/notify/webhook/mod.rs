//! An HTTP endpoint that takes JSON, as Standard Webhooks describes it.

mod render;
mod settings;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;

use super::registry::{Kind, Wire, settings_of};
use super::{BuildError, Message, Notifier, SendError, answer};
use crate::config::SecretSource;
use crate::config::notifier::NotifierSettings;
use crate::http::post::Sender;
use pagewarden_core::model::Destination;

pub use render::body;
pub use settings::Settings;

/// The word for a webhook in `type`.
pub const NAME: &str = "webhook";

/// The entry of the registry.
pub(super) const KIND: WebhookKind = WebhookKind;

/// Webhooks as a kind of notifiers.
#[derive(Debug)]
pub(super) struct WebhookKind;

impl Kind for WebhookKind {
    fn build(
        &self,
        settings: &dyn NotifierSettings,
        wire: &Wire<'_>,
    ) -> Result<Box<dyn Notifier>, BuildError> {
        let Settings { url, secret } = settings_of(settings)?;
        let secret = secret.as_ref().map(SecretSource::read);
        let webhook = Webhook::new(wire.sender(&url.read()?)?, secret.transpose()?.as_ref())?;
        Ok(Box::new(webhook))
    }
}

/// What a signing secret in the spelling of Standard Webhooks begins with.
const SECRET_PREFIX: &str = "whsec_";

/// Why a signing secret is refused that does not keep what its prefix promises.
const BAD_SECRET: &str = "the secret begins with whsec_, but base64 does not follow";

/// Why a signing secret is refused that signs nothing.
const EMPTY_SECRET: &str = "the secret is empty";

/// Posts messages to one address, signed where there is a secret.
struct Webhook {
    /// Where to.
    sender: Sender,
    /// What signs.
    key: Option<SecretSlice<u8>>,
}

impl Webhook {
    /// Sets up a webhook; the secret is `whsec_` and base64, or any other text as it is.
    fn new(sender: Sender, secret: Option<&SecretString>) -> Result<Self, BuildError> {
        let key = secret.map(key).transpose()?;
        Ok(Self { sender, key })
    }

    /// The headers of an attempt: the idempotency key and the time always, the signature where there is a secret.
    fn headers(&self, message: &Message, body: &[u8]) -> Vec<(&'static str, String)> {
        let timestamp = message.at.timestamp().to_string();
        let signature = self
            .key
            .as_ref()
            .and_then(|key| signature(key.expose_secret(), &message.id, &timestamp, body));
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", message.id.clone()),
            ("webhook-timestamp", timestamp),
        ];
        headers.extend(signature.map(|signature| ("webhook-signature", signature)));
        headers
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("signs", &self.key.is_some())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for Webhook {
    fn destination(&self) -> Destination {
        self.sender.destination()
    }

    async fn reach(&self) -> Result<(), SendError> {
        answer::reached(self.sender.head().await)
    }

    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let body = body(&message.content);
        let headers = self.headers(message, &body);
        answer::taken(self.sender.post(&headers, body).await)
    }
}

/// The bytes of a signing secret.
fn key(secret: &SecretString) -> Result<SecretSlice<u8>, BuildError> {
    let text = secret.expose_secret();
    let bytes = match text.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => BASE64_STANDARD
            .decode(encoded.trim_end())
            .map_err(|_| BuildError::Refused(BAD_SECRET))?,
        None => text.as_bytes().to_vec(),
    };
    if bytes.is_empty() {
        return Err(BuildError::Refused(EMPTY_SECRET));
    }
    Ok(SecretSlice::from(bytes))
}

/// The signature header: version 1, HMAC-SHA256 over id, time and body. None only if the key could not be used at all,
/// which HMAC does not know.
fn signature(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(format!(
        "v1,{}",
        BASE64_STANDARD.encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::super::kit;
    use super::*;

    use crate::http::post::Timeouts;

    const SECRET: &str = "whsec_cGFnZXdhcmRlbi10ZXN0LWtleS0wMDAx";

    fn webhook(url: &SecretString, secret: Option<&str>) -> Webhook {
        let sender = Sender::new(url, Timeouts::default()).unwrap();
        Webhook::new(sender, secret.map(SecretString::from).as_ref()).unwrap()
    }

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // Calculated independently, with Python's hmac and with OpenSSL, key "pagewarden-test-key-0001".
        let key = key(&SecretString::from(SECRET)).unwrap();
        let signed = signature(
            key.expose_secret(),
            "3f9a1c2e5b7d40618a9c0d1e2f304152:3",
            "1795140845",
            br#"{"schema":"pagewarden.finding.v1"}"#,
        );
        assert_eq!(
            signed.unwrap(),
            "v1,RMoa9FvOJJ17sh6b+0D+J6ZVloW9GxDdyrfp9sHn70g="
        );
    }

    #[test]
    fn a_secret_is_base64_behind_its_prefix_and_itself_otherwise() {
        let bytes = |secret: &str| {
            key(&SecretString::from(secret))
                .map(|key| key.expose_secret().to_vec())
                .map_err(|error| error.to_string())
        };
        assert_eq!(bytes(SECRET).unwrap(), b"pagewarden-test-key-0001");
        assert_eq!(bytes("plain text").unwrap(), b"plain text");
        assert_eq!(bytes("whsec_%%%").unwrap_err(), BAD_SECRET);
        assert_eq!(
            [bytes("").unwrap_err(), bytes("whsec_").unwrap_err()],
            [EMPTY_SECRET; 2]
        );
    }

    #[test]
    fn a_webhook_shows_neither_address_nor_secret() {
        let url = SecretString::from("https://hooks.example/T0KEN");
        let webhook = webhook(&url, Some("hunter22"));
        assert_eq!(format!("{webhook:?}"), "Webhook { signs: true, .. }");
    }

    #[tokio::test]
    async fn a_webhook_passes_the_kit() {
        kit::passes(|url, timeouts| {
            let secret = SecretString::from(kit::SECRET);
            let sender = Sender::new(&url, timeouts).unwrap();
            Box::new(Webhook::new(sender, Some(&secret)).unwrap())
        })
        .await;
    }

    #[tokio::test]
    async fn a_message_is_signed_only_where_there_is_a_secret() {
        let receiver =
            kit::Receiver::start(vec![kit::Reply::status(204), kit::Reply::status(204)]).await;
        let message = kit::message();
        let unsigned = webhook(&receiver.url(), None);
        unsigned.send(&message).await.unwrap();
        let signed = webhook(&receiver.url(), Some(SECRET));
        signed.send(&message).await.unwrap();
        let [first, second] = receiver.requests().try_into().unwrap();
        assert_eq!(first.header("webhook-signature"), None);
        assert_eq!(
            second.header("content-type").as_deref(),
            Some("application/json")
        );
        assert_eq!(
            second.header("webhook-id").as_deref(),
            Some(message.id.as_str())
        );
        assert_eq!(
            second.header("webhook-timestamp").as_deref(),
            Some("1795140845")
        );
        let expected = signature(
            b"pagewarden-test-key-0001",
            &message.id,
            "1795140845",
            &body(&message.content),
        );
        assert_eq!(second.header("webhook-signature"), expected);
        assert_eq!(second.body, body(&message.content));
    }
}
