//! Credentials, and the one way out for them.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

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

/// An authorization with its header, as it is used now.
#[derive(Debug)]
pub(super) struct InUse {
    /// How a request proves who asks.
    pub(super) authorization: Authorization,
    /// The header that says so.
    pub(super) header: Option<HeaderValue>,
}

impl InUse {
    fn new(authorization: Authorization) -> Result<Self, SetupError> {
        let header = authorization.header()?;
        Ok(Self {
            authorization,
            header,
        })
    }
}

/// Reads a credential from its source again; none where that cannot be done.
pub(super) type Renew = dyn Fn() -> Option<Authorization> + Send + Sync;

/// The credential of a client and its clones, replaced for all of them where its source holds a new one.
#[derive(Clone)]
pub(super) struct Credential {
    in_use: Arc<RwLock<Arc<InUse>>>,
    renew: Option<Arc<Renew>>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({:?})", self.in_use().authorization)
    }
}

impl Credential {
    /// A credential that stays as it is.
    pub(super) fn new(authorization: Authorization) -> Result<Self, SetupError> {
        Ok(Self {
            in_use: Arc::new(RwLock::new(Arc::new(InUse::new(authorization)?))),
            renew: None,
        })
    }

    /// The same credential with a source from which it can be read again.
    pub(super) fn renewed_by(self, renew: Arc<Renew>) -> Self {
        Self {
            renew: Some(renew),
            ..self
        }
    }

    /// What is used now.
    pub(super) fn in_use(&self) -> Arc<InUse> {
        Arc::clone(&self.in_use.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is another credential than the refused one: from a clone that was faster, or from the source.
    pub(super) fn replace(&self, refused: &InUse) -> bool {
        if self.in_use().header != refused.header {
            return true;
        }
        let fresh = self.renew.as_ref().and_then(|renew| renew());
        let Some(Ok(fresh)) = fresh.map(InUse::new) else {
            return false;
        };
        if fresh.header == refused.header {
            return false;
        }
        let mut in_use = self.in_use.write().unwrap_or_else(PoisonError::into_inner);
        *in_use = Arc::new(fresh);
        tracing::info!("A refused key was read again, and the new one is used.");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_credential_is_replaced_only_by_another_one() {
        let source = Arc::new(RwLock::new("old"));
        let read = Arc::clone(&source);
        let renew = move || {
            let text = *read.read().unwrap();
            (!text.is_empty()).then(|| Authorization::Bearer(text.into()))
        };
        let first = Credential::new(Authorization::Bearer("old".into())).unwrap();
        let first = first.renewed_by(Arc::new(renew));
        let second = first.clone();
        let refused = first.in_use();
        assert!(!first.replace(&refused), "the source holds the same");
        *source.write().unwrap() = "";
        assert!(!first.replace(&refused), "the source holds nothing");
        *source.write().unwrap() = "new";
        assert!(first.replace(&refused));
        assert!(second.replace(&refused), "a clone has replaced it");
        assert_eq!(second.in_use().header.clone().unwrap(), "Bearer new");
        assert!(!second.replace(&second.in_use()));
        assert_eq!(format!("{second:?}"), "Credential(Bearer(..))");
    }

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
