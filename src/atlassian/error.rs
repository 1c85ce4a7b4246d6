//! What can go wrong with Atlassian, with words that say what to do.

use crate::http::{self, Malformed, Reaction};

/// Which API was asked, for the words that explain a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// The organisation's events.
    Events,
    /// The organisation's directory.
    Directory,
    /// The site audit log.
    Audit,
    /// The groups of a site.
    Groups,
    /// How often a page was viewed.
    Analytics,
    /// What a site says of itself to everybody.
    TenantInfo,
}

/// What can go wrong with Atlassian.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server does not know the cursor any more: begin again at the watermark.
    #[error("the cursor was refused")]
    CursorRefused,
    /// The server refuses, and will refuse until somebody changes something.
    #[error("{advice} (status {status}{})", said(message))]
    Denied {
        /// The status it answered with.
        status: u16,
        /// What it probably means and what to do, in constant words.
        advice: &'static str,
        /// What the server said. Untrusted; at most 300 bytes.
        message: String,
    },
    /// No answer that can be believed.
    #[error(transparent)]
    Http(http::Error),
}

impl From<Malformed> for Error {
    fn from(word: Malformed) -> Self {
        Self::Http(word.into())
    }
}

impl Error {
    /// What the caller can do about it.
    pub const fn retry(&self) -> Reaction {
        match self {
            Self::CursorRefused | Self::Denied { .. } => Reaction::Never,
            Self::Http(error) => error.retry(),
        }
    }

    /// Whether the only reason is that the program stops.
    pub const fn is_stop(&self) -> bool {
        matches!(self, Self::Http(http::Error::Stopped))
    }

    /// Whether the server says that it was asked wrongly.
    pub const fn is_bad_request(&self) -> bool {
        matches!(self, Self::Denied { status: 400, .. })
    }

    /// Whether the organisation's directory cannot be asked, for reasons that are nobody's mistake.
    pub fn is_no_directory(&self) -> bool {
        matches!(self, Self::Denied { advice, .. } if *advice == OLD_USER_MANAGEMENT)
    }

    /// An error of HTTP, explained.
    pub(super) fn explained(api: Api, error: http::Error) -> Self {
        let http::Error::Denied {
            status,
            message,
            login_reason,
        } = error
        else {
            return Self::Http(error);
        };
        let advice = match login_reason {
            Some(reason) if reason.eq_ignore_ascii_case("AUTHENTICATION_DENIED") => CAPTCHA,
            Some(_) => advice(api, 401, &message),
            None => advice(api, status, &message),
        };
        Self::Denied {
            status,
            advice,
            message,
        }
    }
}

/// What the server said, for the end of a sentence.
fn said(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

/// What to do about a CAPTCHA.
const CAPTCHA: &str = "Confluence asks this account to solve a CAPTCHA after failed sign-ins: sign in once in a browser \
    with the account of the token, then check the token";

/// What a refusal probably means and what to do.
fn advice(api: Api, status: u16, message: &str) -> &'static str {
    match api {
        Api::Events | Api::Directory => organization_advice(api, status, message),
        Api::Audit | Api::Groups | Api::Analytics => site_advice(api, status, message),
        Api::TenantInfo => {
            "the site does not give its cloud id: check the site's url, and that it is a Confluence Cloud site"
        }
    }
}

/// What a refusal of the admin API probably means and what to do.
fn organization_advice(api: Api, status: u16, message: &str) -> &'static str {
    match (api, status) {
        (Api::Directory, 400 | 403) if is_on_old_user_management(message) => OLD_USER_MANAGEMENT,
        (Api::Events, 401) => {
            "the organisation's API key is refused: it has expired (a key lives a year at most), is wrong, or lacks a \
             scope; a key with scopes needs `read:events:admin`, a key without scopes may do everything, and an API \
             token of a site does not work here; make a new key at admin.atlassian.com under Settings, API keys"
        }
        (_, 401) => {
            "the organisation's API key is refused for the directory: it has expired, is wrong, or lacks a scope; a key \
             with scopes needs `read:directories:admin` (and `read:groups:admin`), a key without scopes may do \
             everything; make a new key at admin.atlassian.com under Settings, API keys"
        }
        (Api::Events, 403) => {
            "the key may not read this organisation's events: they need Guard Standard, Guard Premium or Cloud \
             Enterprise (page views: Guard Premium or Cloud Enterprise), and a key made by an organisation admin of \
             this organisation"
        }
        (_, 403) => {
            "the key may not read this organisation's directory: it must be made by an organisation admin of this \
             organisation, without scopes or with `read:directories:admin`"
        }
        (_, 404) => {
            "there is no such organisation for this key: check `id`, it stands in the address \
             admin.atlassian.com/o/ID"
        }
        _ => "the admin API refuses the request: check the organisation's `id` and `url`",
    }
}

/// What to know of an organisation whose directory cannot be asked.
const OLD_USER_MANAGEMENT: &str = "this organisation is not on Atlassian's new user management, so its directory cannot be asked: who is \
    privileged is read from the groups of its sites ([[tenant.site]]), and from `accounts` of [tenant.admins]";

/// Whether a refusal of the directory says that the organisation is on the old user management.
fn is_on_old_user_management(message: &str) -> bool {
    message.starts_with("ADMIN-400-4:") || message.contains("new user management")
}

/// What a refusal of a site probably means and what to do.
fn site_advice(api: Api, status: u16, message: &str) -> &'static str {
    let scope = message.to_ascii_lowercase().contains("scope");
    match (api, status) {
        (_, 503) => {
            "the site is suspended: Atlassian suspends sites that nobody uses or pays for; an organisation admin can reactivate \
             it at admin.atlassian.com"
        }
        (Api::Audit, 401 | 403) if scope => {
            "the token's scopes do not match: a scoped token works through the gateway only (`via = \"gateway\"`) and \
             needs `read:audit-log:confluence`; or use a token without scopes on the site"
        }
        (Api::Analytics, 401 | 403) if scope => {
            "the token's scopes do not match: the number of a page's views needs `read:analytics.content:confluence`"
        }
        (_, 401 | 403) if scope => {
            "the token's scopes do not match: a scoped token works through the gateway only (`via = \"gateway\"`) and \
             needs `read:confluence-groups`; or use a token without scopes on the site"
        }
        (_, 401) => {
            "the site refuses e-mail and API token: the token has expired (tokens live a year at most), belongs to \
             another account, or has scopes, and then works only with `via = \"gateway\"`; make a new one at \
             id.atlassian.com under Security, API tokens. Or the site was renamed: requests to its old address get 401"
        }
        (Api::Audit, 403) => {
            "the account may not read the audit log: it needs the global permission Confluence Administrator, and the \
             Free plan has no audit log"
        }
        (Api::Analytics, 403) => {
            "the account may not see how often a page was viewed: the plan has no analytics, or an administrator has restricted \
             them"
        }
        (Api::Analytics, 404) => {
            "the site gives no view count for this page: it is gone, the account may not see it, or the plan has no analytics"
        }
        (_, 403) => {
            "the account may not see groups: it needs access to Confluence (\"can use\") on this site"
        }
        (_, 404) => "there is no Confluence at this address: check the site's `url` and `via`",
        _ => "the site refuses the request: check its `url` and `via`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(api: Api, status: u16, message: &str, login_reason: Option<&str>) -> String {
        let error = http::Error::Denied {
            status,
            message: message.into(),
            login_reason: login_reason.map(Into::into),
        };
        Error::explained(api, error).to_string()
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for (api, status, message, says) in [
            (Api::Events, 401, "Unauthorized", "read:events:admin"),
            (Api::Directory, 401, "", "read:directories:admin"),
            (Api::Events, 403, "", "Guard Premium"),
            (Api::Directory, 403, "", "organisation admin"),
            (Api::Events, 404, "", "admin.atlassian.com/o/ID"),
            (
                Api::Audit,
                401,
                "Unauthorized; scope does not match",
                "read:audit-log:confluence",
            ),
            (
                Api::Groups,
                401,
                "Unauthorized; scope does not match",
                "read:confluence-groups",
            ),
            (Api::Audit, 401, "", "expired"),
            (
                Api::Audit,
                403,
                "Current user not permitted",
                "Confluence Administrator",
            ),
            (Api::Audit, 404, "", "url"),
            (Api::TenantInfo, 404, "", "cloud id"),
        ] {
            let text = explained(api, status, message, None);
            assert!(text.contains(says), "{api:?} {status}: {text}");
            assert!(text.contains(&format!("(status {status}")), "{text}");
        }
    }

    #[test]
    fn a_captcha_is_distinguished_from_a_wrong_token() {
        assert!(explained(Api::Audit, 401, "", Some("AUTHENTICATION_DENIED")).contains("CAPTCHA"));
        assert!(!explained(Api::Audit, 401, "", Some("AUTHENTICATED_FAILED")).contains("CAPTCHA"));
    }

    #[test]
    fn what_passes_stays_what_it_is() {
        let error = Error::explained(Api::Events, Malformed::Html.into());
        assert_eq!((error.retry(), error.is_stop()), (Reaction::Backoff, false));
        assert!(Error::explained(Api::Events, http::Error::Stopped).is_stop());
    }
}
