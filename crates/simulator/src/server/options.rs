//! How the simulated tenant answers where the documentation leaves it open, and what it refuses.

use chrono::TimeDelta;

use super::faults::Faults;

/// What the last page of the events stream says of a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LastPage {
    /// A cursor, with which to poll for what is new.
    #[default]
    Cursor,
    /// None: `null`.
    Null,
}

/// Which time `from` and `to` of the events stream mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamTime {
    /// When it was processed.
    #[default]
    Processing,
    /// When it happened.
    Event,
}

/// In which shape the site gives the link to the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NextLink {
    /// `/rest/api/…`, to be put behind `_links.base`.
    #[default]
    Rest,
    /// `/wiki/rest/api/…`.
    Wiki,
    /// With scheme and host.
    Absolute,
    /// Not at all.
    None,
}

/// What becomes of the organisation's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyState {
    /// It is good.
    #[default]
    Good,
    /// It is refused, as an expired one: 401.
    Refused,
    /// It lacks the scope: 401 in the gateway's words.
    NoScope,
    /// It may not manage this organisation: 403.
    Forbidden,
}

/// How an organisation's users are managed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserManagement {
    /// In one directory, which can be searched.
    #[default]
    Central,
    /// In the old way, site by site: a search is refused with 400.
    Old,
}

/// What becomes of the site's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SiteState {
    /// It is good, and belongs to an administrator.
    #[default]
    Good,
    /// It is refused: 401.
    Refused,
    /// It may not read the audit log: 403 there, good elsewhere.
    NoAudit,
    /// It may not see how often a page was viewed: 403 there, good elsewhere.
    NoAnalytics,
    /// It may not use Confluence: 403 everywhere.
    Forbidden,
}

/// How a tenant answers where the documentation leaves it open, and what it refuses.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the last page of the events stream says of a cursor.
    pub last_page: LastPage,
    /// Which time `from` and `to` of the events stream mean.
    pub stream_time: StreamTime,
    /// The most events in one page, whatever is asked for.
    pub stream_limit: u32,
    /// The most records in one page of the site audit log, whatever is asked for.
    pub audit_limit: u32,
    /// The farthest `start` of the site audit log; any farther one is refused with 400.
    pub audit_farthest: u32,
    /// In which shape the site audit log gives its next link.
    pub audit_next: NextLink,
    /// Whether `size` of a page of the site audit log is the number of all records, not of those in the page.
    pub audit_size_is_total: bool,
    /// Whether the plan leaves out what people do: no views, no edits, no exports.
    pub plan_without_views: bool,
    /// How the organisation's users are managed.
    pub users: UserManagement,
    /// What becomes of the organisation's key.
    pub key: KeyState,
    /// What becomes of the site's token.
    pub site: SiteState,
    /// Whether answers are compressed for those who accept it.
    pub gzip: bool,
    /// The origin that events name as their site; none for the simulator's own.
    pub site_origin: Option<String>,
    /// How far the clock of the `Date` header is ahead of the simulated now.
    pub clock_ahead: TimeDelta,
    /// What goes wrong.
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            last_page: LastPage::Cursor,
            stream_time: StreamTime::Processing,
            stream_limit: 500,
            audit_limit: 1_000,
            audit_farthest: u32::MAX,
            audit_next: NextLink::Rest,
            audit_size_is_total: false,
            plan_without_views: false,
            users: UserManagement::Central,
            key: KeyState::Good,
            site: SiteState::Good,
            gzip: false,
            site_origin: None,
            clock_ahead: TimeDelta::zero(),
            faults: Faults::none(),
        }
    }
}
