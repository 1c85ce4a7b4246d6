//! What can go wrong with a request, by what the caller can do next.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Broken;
use pagewarden_core::text::plain;

/// The longest foreign text in an error, in bytes.
const LONGEST: usize = 300;

/// A client that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The address would carry a credential in the clear.
    #[error("the address must be https; http is for loopback only")]
    Insecure,
    /// The address is not one that can be asked.
    #[error("the address must be an origin without user name, password, query or fragment")]
    Address,
    /// The credential holds characters that no header can carry.
    #[error("the credential holds characters that cannot be sent; is there a line break in it?")]
    Credential,
    /// The TLS stack would not start.
    #[error("TLS could not be set up")]
    Tls,
}

/// Why an answer was not believed. Each of these passes: the request is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// An HTML page.
    #[error("an HTML page in place of JSON")]
    Html,
    /// A content type that is not JSON.
    #[error("a content type other than JSON")]
    ContentType,
    /// Said to be JSON, and is something else.
    #[error("plain text that calls itself JSON")]
    NotJson,
    /// No body.
    #[error("an empty body")]
    Empty,
    /// More bytes, decompressed, than are ever read.
    #[error("a body over the cap")]
    TooLarge,
    /// The connection or the compressed stream ended before the body did.
    #[error("a body that was cut off")]
    Cut,
    /// JSON that ends too early.
    #[error("JSON that ends too early")]
    Truncated,
    /// JSON that is broken in some other way.
    #[error("broken JSON")]
    Syntax,
    /// JSON without something that must be there.
    #[error("JSON without {0}")]
    Missing(&'static str),
    /// A link to somewhere else.
    #[error("a link to another origin, which is never followed")]
    ForeignLink,
    /// A walk that goes round in circles.
    #[error("a page that came before")]
    Repeats,
    /// A success that carries nothing.
    #[error("status {0} where 200 was expected")]
    Status(u16),
}

impl From<&serde_json::Error> for Malformed {
    fn from(error: &serde_json::Error) -> Self {
        if error.is_eof() {
            Self::Truncated
        } else {
            Self::Syntax
        }
    }
}

/// What can go wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server asks to wait.
    #[error("rate limited; the server asks for a pause{}", rest(*wait, *until))]
    Throttled {
        /// How long, where the server says.
        wait: Option<Duration>,
        /// Until when, where the server says.
        until: Option<DateTime<Utc>>,
    },
    /// The server could not do it.
    #[error("the server failed with status {status}{}", said(message))]
    Failed {
        /// The status it answered with.
        status: u16,
        /// What it said. Untrusted; at most 300 bytes.
        message: String,
        /// How long the server asks to wait, where it says.
        wait: Option<Duration>,
    },
    /// No answer came.
    #[error("{unreached}{}", said(detail))]
    Unreachable {
        /// What happened.
        unreached: Unreached,
        /// The deepest cause, as the system says it; names no address.
        detail: String,
    },
    /// The answer was not what was asked for.
    #[error("unexpected answer: {0}")]
    Malformed(#[from] Malformed),
    /// A redirect; never followed.
    #[error(
        "unexpected answer: a redirect to {to}, which is never followed: a renamed site needs its new address in `url`, and a sign-in page means that nobody was signed in"
    )]
    Redirected {
        /// Where to: a host, or words for what is no other host. Untrusted.
        to: String,
    },
    /// The server refuses, and will refuse again.
    #[error("the request was refused with status {status}{}", said(message))]
    Denied {
        /// The status it answered with.
        status: u16,
        /// What it said. Untrusted; at most 300 bytes.
        message: String,
        /// The reason that Atlassian's sign-in layer gives in a header of its own.
        login_reason: Option<String>,
    },
    /// The program stops.
    #[error("stopped")]
    Stopped,
}

/// How no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// Nothing came in time.
    #[error("no answer came in time")]
    Late,
    /// The name has no address.
    #[error("the name of the server is not known: check the address, and DNS")]
    UnknownName,
    /// The certificate is of nobody whom this machine knows.
    #[error(
        "the server's certificate is not trusted: nobody whom this machine knows has issued it; where a proxy inspects TLS, add \
         its CA to the system's store, or name the file in SSL_CERT_FILE"
    )]
    Untrusted,
    /// The certificate is no good.
    #[error(
        "the server's certificate is not valid for it: check the address, the clock of this machine, and who answers there"
    )]
    BadCertificate,
    /// A proxy let nothing through.
    #[error("no connection came about")]
    ByProxy,
    /// There was no connection.
    #[error("the server could not be reached")]
    NoConnection,
    /// The connection ended before the answer did.
    #[error("the connection broke")]
    Cut,
}

impl Unreached {
    /// What the caller can do about it.
    const fn retry(self) -> Reaction {
        match self {
            Self::Late | Self::ByProxy | Self::NoConnection | Self::Cut => Reaction::Backoff,
            Self::UnknownName => Reaction::OnceMore,
            Self::Untrusted | Self::BadCertificate => Reaction::Never,
        }
    }
}

impl From<&Broken> for Unreached {
    fn from(broken: &Broken) -> Self {
        match broken {
            Broken::TimedOut => Self::Late,
            Broken::Proxy(_) => Self::ByProxy,
            Broken::Unreachable(detail) | Broken::Cut(detail)
                if detail.contains("UnknownIssuer") =>
            {
                Self::Untrusted
            }
            Broken::Unreachable(detail) if detail.contains("invalid peer certificate") => {
                Self::BadCertificate
            }
            Broken::Unreachable(detail) if detail.contains("lookup address") => Self::UnknownName,
            Broken::Unreachable(_) => Self::NoConnection,
            Broken::Cut(_) => Self::Cut,
        }
    }
}

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Try again, no sooner than this.
    After(Duration),
    /// Try again, after the usual wait.
    Backoff,
    /// Try again once: it hardly ever passes, and somebody waits for the words.
    OnceMore,
    /// Do not try again: it would be refused again, or the program stops.
    Never,
}

impl Error {
    /// What the caller can do about it.
    pub const fn retry(&self) -> Reaction {
        match self {
            Self::Throttled {
                wait: Some(wait), ..
            }
            | Self::Failed {
                wait: Some(wait), ..
            } => Reaction::After(*wait),
            Self::Throttled { wait: None, .. }
            | Self::Failed { wait: None, .. }
            | Self::Malformed(_) => Reaction::Backoff,
            Self::Unreachable { unreached, .. } => unreached.retry(),
            Self::Redirected { .. } => Reaction::OnceMore,
            Self::Denied { .. } | Self::Stopped => Reaction::Never,
        }
    }

    /// Whether the server does not take the credential.
    pub const fn is_about_credential(&self) -> bool {
        matches!(
            self,
            Self::Denied { status: 401, .. }
                | Self::Denied {
                    login_reason: Some(_),
                    ..
                }
        )
    }

    /// The error for what reqwest reports, without the address.
    pub(super) fn of_transport(error: &reqwest::Error) -> Self {
        Broken::from(error).into()
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        Self::Unreachable {
            unreached: Unreached::from(&broken),
            detail: trimmed(&broken.detail()),
        }
    }
}

/// How long and until when, for a sentence.
fn rest(wait: Option<Duration>, until: Option<DateTime<Utc>>) -> String {
    let wait = wait
        .map(|wait| format!(" of {} s", wait.as_secs()))
        .unwrap_or_default();
    let until = until
        .map(|at| format!(", until {}", pagewarden_core::time::rfc3339(at)))
        .unwrap_or_default();
    wait + &until
}

/// What the server said, for the end of a sentence.
fn said(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(" ({message})")
    }
}

/// A foreign text for an error: one line, nothing that steers a terminal or fools an eye, at most 300 bytes.
pub(super) fn trimmed(text: &str) -> String {
    let mut clean = String::new();
    for word in text.split(|at: char| at.is_whitespace() || at.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !clean.is_empty() {
            clean.push(' ');
        }
        clean.push_str(&plain(word, LONGEST));
        if clean.len() > LONGEST {
            break;
        }
    }
    let mut end = clean.len().min(LONGEST);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean.truncate(end);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_pass_is_tried_again_and_what_cannot_is_not() {
        let wait = Duration::from_secs(7);
        let throttled = Error::Throttled {
            wait: Some(wait),
            until: None,
        };
        assert_eq!(throttled.retry(), Reaction::After(wait));
        assert_eq!(Error::Malformed(Malformed::Html).retry(), Reaction::Backoff);
        let denied = Error::Denied {
            status: 401,
            message: String::new(),
            login_reason: None,
        };
        assert_eq!(denied.retry(), Reaction::Never);
        assert_eq!(Error::Stopped.retry(), Reaction::Never);
    }

    #[test]
    fn a_foreign_text_is_one_short_line() {
        assert_eq!(trimmed(" a\n\u{1b}[31m b\t"), "a [31m b");
        assert_eq!(trimmed(&"é".repeat(400)).len(), 300);
        assert_eq!(trimmed("gpj\u{202e}exe"), "gpj\u{fffd}exe");
    }

    #[test]
    fn the_rest_asked_for_is_reported() {
        let error = Error::Throttled {
            wait: Some(Duration::from_hours(1)),
            until: Some(pagewarden_core::time::moment(1_800_000_000)),
        };
        assert_eq!(
            error.to_string(),
            "rate limited; the server asks for a pause of 3600 s, until 2027-01-15T08:00:00Z"
        );
    }
}
