//! An HTTP endpoint that takes JSON, as Standard Webhooks describes it.

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;

use super::{BuildError, Message, Notifier, SendError};
use crate::http::Transport;
use crate::http::post::{Answer, NoAnswer, Sender, Timeouts};

/// What a signing secret in the spelling of Standard Webhooks begins with.
const SECRET_PREFIX: &str = "whsec_";

/// Posts messages to one address, signed where there is a secret.
pub struct Webhook {
    /// Where to.
    sender: Sender,
    /// What signs.
    key: Option<SecretSlice<u8>>,
}

impl Webhook {
    /// Sets up a webhook; the secret is `whsec_` and base64, or any other text as it is.
    pub fn new(
        url: &SecretString,
        secret: Option<&SecretString>,
        timeouts: Timeouts,
    ) -> Result<Self, BuildError> {
        let key = secret.map(key).transpose()?;
        Ok(Self {
            sender: Sender::new(url, timeouts)?,
            key,
        })
    }

    /// The same webhook, whose requests are carried otherwise.
    #[must_use]
    pub fn over(mut self, transport: &Transport) -> Self {
        self.sender = self.sender.over(transport);
        self
    }

    /// The headers of an attempt: the idempotency key and the time always, the signature where there is a secret.
    fn headers(&self, message: &Message) -> Vec<(&'static str, String)> {
        let timestamp = message.at.timestamp().to_string();
        let signature = self
            .key
            .as_ref()
            .and_then(|key| signature(key.expose_secret(), &message.id, &timestamp, &message.body));
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
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        match self
            .sender
            .post(&self.headers(message), message.body.clone())
            .await
        {
            Ok(answer) => judge(answer),
            Err(error @ (NoAnswer::TimedOut(_) | NoAnswer::Unreachable(_))) => {
                Err(SendError::TryAgain {
                    wait: None,
                    why: error.to_string(),
                })
            }
            Err(error @ NoAnswer::BadHeader(_)) => Err(SendError::GiveUp {
                why: error.to_string(),
            }),
        }
    }
}

/// The bytes of a signing secret.
fn key(secret: &SecretString) -> Result<SecretSlice<u8>, BuildError> {
    let text = secret.expose_secret();
    let bytes = match text.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => BASE64_STANDARD
            .decode(encoded.trim_end())
            .map_err(|_| BuildError::Secret)?,
        None => text.as_bytes().to_vec(),
    };
    if bytes.is_empty() {
        return Err(BuildError::EmptySecret);
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

/// What an answer means for the message.
fn judge(answer: Answer) -> Result<(), SendError> {
    let Answer {
        status,
        retry_after,
    } = answer;
    let meaning = match status {
        200..=299 => return Ok(()),
        300 | 301 | 308 => "the address has moved, and redirects are not followed: set the new one",
        400 | 422 => {
            "the receiver does not understand the message: is this the right kind of address?"
        }
        401 => "the receiver does not know us: check the address and the signing secret",
        403 => {
            "the receiver forbids it: check the address, the signing secret and its network rules"
        }
        404 => "there is nothing at this address: check it",
        405 | 415 => "the receiver takes no JSON by POST: is this the right kind of address?",
        410 => "the receiver is gone for good: set a new address or remove the notifier",
        413 => "the message is too large for the receiver",
        408 | 425 | 429 | 302 | 303 | 307 | 500..=599 => {
            let why = match status {
                429 => "the receiver asks for a rest",
                302 | 303 | 307 => {
                    "the receiver sends us elsewhere for now, and redirects are not followed"
                }
                _ => "the receiver has trouble",
            };
            let why = format!("{why} (HTTP {status})");
            return Err(SendError::TryAgain {
                wait: retry_after,
                why,
            });
        }
        _ => "the receiver refuses the message",
    };
    Err(SendError::GiveUp {
        why: format!("{meaning} (HTTP {status})"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::kit;
    use super::*;

    const SECRET: &str = "whsec_cGFnZXdhcmRlbi10ZXN0LWtleS0wMDAx";

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
        let bytes =
            |secret: &str| key(&SecretString::from(secret)).map(|key| key.expose_secret().to_vec());
        assert_eq!(bytes(SECRET).unwrap(), b"pagewarden-test-key-0001");
        assert_eq!(bytes("plain text").unwrap(), b"plain text");
        assert_eq!(bytes("whsec_%%%").unwrap_err(), BuildError::Secret);
        assert_eq!(
            [bytes("").unwrap_err(), bytes("whsec_").unwrap_err()],
            [BuildError::EmptySecret; 2]
        );
    }

    #[test]
    fn a_webhook_shows_neither_address_nor_secret() {
        let url = SecretString::from("https://hooks.example/T0KEN");
        let webhook = Webhook::new(
            &url,
            Some(&SecretString::from("hunter22")),
            Timeouts::default(),
        )
        .unwrap();
        assert_eq!(format!("{webhook:?}"), "Webhook { signs: true, .. }");
    }

    #[test]
    fn every_status_has_its_reaction() {
        let reaction = |status| match judge(Answer {
            status,
            retry_after: None,
        }) {
            Ok(()) => "taken",
            Err(SendError::TryAgain { .. }) => "again",
            Err(SendError::GiveUp { .. }) => "give up",
        };
        for status in [200, 201, 202, 204] {
            assert_eq!(reaction(status), "taken", "{status}");
        }
        for status in [302, 307, 408, 425, 429, 500, 502, 503, 504, 529] {
            assert_eq!(reaction(status), "again", "{status}");
        }
        for status in [301, 308, 400, 401, 403, 404, 405, 410, 413, 415, 418, 422] {
            assert_eq!(reaction(status), "give up", "{status}");
        }
    }

    #[tokio::test]
    async fn a_webhook_passes_the_kit() {
        kit::passes(|url, timeouts| {
            let secret = SecretString::from(kit::SECRET);
            Box::new(Webhook::new(&url, Some(&secret), timeouts).unwrap())
        })
        .await;
    }

    #[tokio::test]
    async fn a_message_is_signed_only_where_there_is_a_secret() {
        let receiver =
            kit::Receiver::start(vec![kit::Reply::status(204), kit::Reply::status(204)]).await;
        let message = kit::message();
        let unsigned = Webhook::new(&receiver.url(), None, Timeouts::default()).unwrap();
        unsigned.send(&message).await.unwrap();
        let secret = SecretString::from(SECRET);
        let signed = Webhook::new(&receiver.url(), Some(&secret), Timeouts::default()).unwrap();
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
            &message.body,
        );
        assert_eq!(second.header("webhook-signature"), expected);
        assert_eq!(second.body, message.body);
    }
}
