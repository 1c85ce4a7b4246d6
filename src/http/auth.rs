//! Credentials, and the one way out for them.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

use super::SetupError;

/// How a request proves who asks.
#[derive(Clone)]
pub enum Authorization {
    /// Not at all.
    None,
    /// An e-mail address and an API token.
    Basic {
        /// Whose token it is.
        email: String,
        /// The token.
        token: SecretString,
    },
    /// A key.
    Bearer(SecretString),
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(..)",
            Self::Bearer(_) => "Bearer(..)",
        })
    }
}

impl Authorization {
    /// The `Authorization` header: the only line that lets the secret out.
    pub(super) fn header(&self) -> Result<Option<HeaderValue>, SetupError> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic { email, token } => {
                let pair = SecretString::from(format!("{email}:{}", token.expose_secret()));
                SecretString::from(format!(
                    "Basic {}",
                    BASE64_STANDARD.encode(pair.expose_secret())
                ))
            }
            Self::Bearer(key) => SecretString::from(format!("Bearer {}", key.expose_secret())),
        };
        let mut value =
            HeaderValue::from_str(text.expose_secret()).map_err(|_| SetupError::Credential)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// A server's text without the credential, should the server have put it there.
    pub(super) fn scrub(&self, text: String) -> String {
        let mut clean = text;
        let (secret, pair) = match self {
            Self::None => return clean,
            Self::Basic { email, token } => {
                let pair = SecretString::from(format!("{email}:{}", token.expose_secret()));
                let encoded = SecretString::from(BASE64_STANDARD.encode(pair.expose_secret()));
                (token, Some(encoded))
            }
            Self::Bearer(key) => (key, None),
        };
        for secret in [Some(secret), pair.as_ref()].into_iter().flatten() {
            if !secret.expose_secret().is_empty() && clean.contains(secret.expose_secret()) {
                clean = clean.replace(secret.expose_secret(), "***");
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic() -> Authorization {
        Authorization::Basic {
            email: "auditor@acme.example".into(),
            token: "t0ken-t0ken".into(),
        }
    }

    #[test]
    fn the_header_is_what_the_servers_expect_and_is_marked_sensitive() {
        let header = basic().header().unwrap().unwrap();
        assert_eq!(
            header.to_str().unwrap(),
            "Basic YXVkaXRvckBhY21lLmV4YW1wbGU6dDBrZW4tdDBrZW4="
        );
        assert!(header.is_sensitive());
        let header = Authorization::Bearer("k3y".into())
            .header()
            .unwrap()
            .unwrap();
        assert_eq!(header.to_str().unwrap(), "Bearer k3y");
        assert!(header.is_sensitive());
    }

    #[test]
    fn debug_shows_neither_the_secret_nor_whose_it_is() {
        let shown = format!("{:?} {:?}", basic(), Authorization::Bearer("k3y".into()));
        assert_eq!(shown, "Basic(..) Bearer(..)");
    }

    #[test]
    fn a_credential_that_is_no_header_is_refused_without_showing_it() {
        let error = Authorization::Bearer("a\nb-secret".into())
            .header()
            .unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn a_secret_that_the_server_repeats_is_blotted_out() {
        let said = "bad token t0ken-t0ken in Basic YXVkaXRvckBhY21lLmV4YW1wbGU6dDBrZW4tdDBrZW4=";
        assert_eq!(basic().scrub(said.into()), "bad token *** in Basic ***");
    }
}
