//! One record of a stream, in our form.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountId, EventId, EventKey, GrantSource, PageId, SpaceKey};

/// What kind of thing was done: a closed set of ours, to which actions are mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A page was opened.
    View,
    /// A blog post was opened.
    BlogView,
    /// A page, a space or the site was exported.
    Export,
    /// An attachment, an export or a backup was downloaded.
    Download,
    /// Something was searched for.
    Search,
    /// Somebody signed in, out, or failed to.
    SignIn,
    /// Permissions, restrictions or roles changed.
    Permission,
    /// A group, or who is in it, changed.
    Group,
    /// A token or key was created, used, changed or revoked.
    Token,
    /// Everything else, other products included.
    Other,
    /// What is logged, for how long, or who is sent it changed; or the log itself was taken out.
    Logging,
}

impl Class {
    /// Every class, in the order of their numbers in the state file.
    pub const ALL: [Self; 11] = [
        Self::View,
        Self::BlogView,
        Self::Export,
        Self::Download,
        Self::Search,
        Self::SignIn,
        Self::Permission,
        Self::Group,
        Self::Token,
        Self::Other,
        Self::Logging,
    ];

    /// The word used in config and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::BlogView => "blog-view",
            Self::Export => "export",
            Self::Download => "download",
            Self::Search => "search",
            Self::SignIn => "sign-in",
            Self::Permission => "permission",
            Self::Group => "group",
            Self::Token => "token",
            Self::Other => "other",
            Self::Logging => "logging",
        }
    }

    /// Whether content left the wiki with it: only these make sessions, days and active people.
    pub const fn is_reading(self) -> bool {
        match self {
            Self::View | Self::BlogView | Self::Export | Self::Download => true,
            Self::Search
            | Self::SignIn
            | Self::Permission
            | Self::Group
            | Self::Token
            | Self::Other
            | Self::Logging => false,
        }
    }
}

/// What sort of actor did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// An account of a human being, as far as the log shows.
    Person,
    /// A customer of a service project.
    Customer,
    /// An app, a bot, or a service account.
    App,
    /// The site itself: background work, never somebody reading.
    System,
    /// A record that names nobody who could be held to it.
    Unknown,
}

impl ActorKind {
    /// Every kind, in the order of their numbers in the state file.
    pub const ALL: [Self; 5] = [
        Self::Person,
        Self::Customer,
        Self::App,
        Self::System,
        Self::Unknown,
    ];

    /// The word that a finding has for it.
    pub const fn account_type(self) -> &'static str {
        match self {
            Self::Person => "atlassian",
            Self::Customer => "customer",
            Self::App => "app",
            Self::System | Self::Unknown => "unknown",
        }
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What sort of actor.
    pub kind: ActorKind,
    /// The account; empty where the record names none.
    pub id: AccountId,
    /// The display name, as the log had it. Untrusted.
    pub name: Option<String>,
    /// The e-mail address, as the log had it. Untrusted.
    pub email: Option<String>,
}

/// How the actor proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// A browser session: named so, or nothing named (an inference; fact sheet 2.3).
    Session,
    /// A personal API token.
    ApiToken,
    /// OAuth 2.0, or a token of an app or a container.
    Oauth,
    /// Something without a word here.
    Other,
}

impl Auth {
    /// Every way, in the order of their numbers in the state file.
    pub const ALL: [Self; 4] = [Self::Session, Self::ApiToken, Self::Oauth, Self::Other];

    /// The word used in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::ApiToken => "api-token",
            Self::Oauth => "oauth",
            Self::Other => "other",
        }
    }
}

/// Which way a membership went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Membership {
    /// The account is in from then on.
    Joined,
    /// The account is out from then on.
    Left,
}

/// An account joined or left a group, or was granted or lost a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose membership changed.
    pub account: AccountId,
    /// In which group or role.
    pub grant_source: GrantSource,
    /// Which way.
    pub to: Membership,
}

/// One record of a stream, in our form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What makes two copies of it the same.
    pub key: EventKey,
    /// What Atlassian calls it.
    pub id: EventId,
    /// When it happened, says the site.
    pub at: DateTime<Utc>,
    /// When Atlassian had processed it; the access stream only.
    pub processed_at: Option<DateTime<Utc>>,
    /// What was done, in Atlassian's word: an action id, or the summary of a site audit record.
    pub action: String,
    /// What was done, in ours.
    pub class: Class,
    /// Who did it.
    pub actor: Actor,
    /// How the actor proved who it is.
    pub auth: Auth,
    /// The network address, as the log had it. Untrusted.
    pub address: Option<String>,
    /// The host name of the site it happened on, lower case, where the record has it.
    pub site: Option<String>,
    /// The page that was read, where it could be resolved.
    pub page: Option<PageId>,
    /// The space it is in, where it could be resolved.
    pub space: Option<SpaceKey>,
    /// Memberships that changed with it.
    pub changes: Vec<Change>,
}

/// A record that no reader could use, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Why, in a few constant words: `status` counts by it.
    pub reason: &'static str,
    /// The beginning of the record, for whoever looks into it. Untrusted, at most 200 bytes.
    pub sample: String,
    /// A digest of the whole record, so that one that is read again is counted once.
    pub key: EventKey,
}
