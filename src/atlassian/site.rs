//! A Confluence site: its audit log and its groups.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::error::Api;
use super::map::clip;
use super::page::{self, End};
use super::{AuditRecord, Error, Mapper, find, wire};
use crate::config::{self, SiteRoute};
use crate::http::{self, Answer, Authorization, Client, Malformed, Pace, SetupError, Transport};
use pagewarden_core::model::{AccountId, Group, PageId, Unusable};

/// How many audit records to ask for; the server may give fewer.
const RECORDS: &str = "1000";

/// How many groups or members to ask for; more than 200 members are refused.
const ENTRIES: &str = "200";

/// How many pages in a row may be empty, with a link to more: all of their members are hidden.
const EMPTY_PAGES: u32 = 100;

/// A Confluence site. Clones share connections and pace.
#[derive(Debug, Clone)]
pub struct Site {
    /// Asked with the credential: the site, or the gateway.
    api: Client,
    /// The site, asked without.
    open: Client,
    route: SiteRoute,
    url: Url,
    cloud_id: Arc<OnceCell<String>>,
}

/// Which level of access to Confluence a group gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessType {
    /// Its members may use Confluence.
    User,
    /// Its members administer Confluence.
    Admin,
    /// Its members administer the site.
    SiteAdmin,
}

impl AccessType {
    /// Atlassian's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::SiteAdmin => "site-admin",
        }
    }
}

/// A page of the site audit log, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The records that can be used.
    pub records: Vec<AuditRecord>,
    /// The records that cannot, each with its reason.
    pub unusable: Vec<Unusable>,
    /// How many records came, usable or not: the next page starts so many further.
    pub received: usize,
    /// Whether there is nothing behind it.
    pub last: bool,
    /// What the server's clock says, where the answer has it.
    pub server_time: Option<DateTime<Utc>>,
    /// How many records there are, as far as the server says; never to be relied on.
    pub announced: usize,
}

/// A whole list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// Everything in it, once.
    pub items: Vec<T>,
    /// How many entries had no id.
    pub unusable: usize,
    /// What the server's clock said at the beginning, where the answer had it.
    pub as_of: Option<DateTime<Utc>>,
}

impl Site {
    /// A site by its settings and its token, whose requests are carried so.
    pub fn new(
        transport: &Transport,
        settings: &config::Site,
        token: SecretString,
        retry: config::Retry,
        stop: CancellationToken,
    ) -> Result<Self, SetupError> {
        let base = match settings.via {
            SiteRoute::Site => &settings.url,
            SiteRoute::Gateway => &settings.gateway,
        };
        let pace = Pace::unlimited();
        let email = settings.email.clone();
        let authorization = move |token| Authorization::Basic {
            email: email.clone(),
            token,
        };
        let source = settings.api_token.clone();
        let api = Client::new(
            transport,
            base,
            authorization(token),
            retry,
            pace.clone(),
            stop.clone(),
        )?
        .renewed_by(move || source.read().ok().map(&authorization));
        Ok(Self {
            api,
            open: Client::new(
                transport,
                &settings.url,
                Authorization::None,
                retry,
                pace,
                stop,
            )?,
            route: settings.via,
            url: settings.url.clone(),
            cloud_id: Arc::default(),
        })
    }

    /// The host name of the site, lower case.
    pub fn host(&self) -> String {
        self.url.host_str().and_then(find::host).unwrap_or_default()
    }

    /// The site's cloud id, asked without a credential and remembered.
    pub async fn cloud_id(&self) -> Result<&str, Error> {
        let ask = || async {
            let ask = self.open.get(&["_edge", "tenant_info"], &[], |answer| {
                read_cloud_id(&answer)
            });
            ask.await
                .map_err(|error| Error::explained(Api::TenantInfo, error))
        };
        self.cloud_id.get_or_try_init(ask).await.map(String::as_str)
    }

    /// One page of the audit log: of a window that includes both ends, from the record with this number on.
    pub async fn audit(
        &self,
        window_start_ms: i64,
        window_end_ms: i64,
        start: usize,
        mapper: &Mapper,
    ) -> Result<AuditPage, Error> {
        let (from, to, skip) = (
            window_start_ms.to_string(),
            window_end_ms.to_string(),
            start.to_string(),
        );
        let query = [
            ("startDate", from.as_str()),
            ("endDate", &to),
            ("start", &skip),
            ("limit", RECORDS),
        ];
        let host = self.host();
        let read = |answer: Answer| {
            let page = page::records(&answer.bytes, mapper)?;
            self.stays_here(&page.end)?;
            let mut records = page.usable;
            for record in &mut records {
                record.event.site = Some(host.clone());
            }
            let last = page.end.is_last(page.received);
            Ok(AuditPage {
                records,
                unusable: page.unusable,
                received: page.received,
                last,
                announced: page.end.announced,
                server_time: answer.server_time,
            })
        };
        self.get(Api::Audit, &["audit"], &query, read).await
    }

    /// The groups of the site, all or of one level of access.
    pub async fn groups(&self, access_type: Option<AccessType>) -> Result<Listed<Group>, Error> {
        let filter: Vec<(&str, &str)> = access_type
            .iter()
            .map(|access| ("accessType", access.as_str()))
            .collect();
        self.list(&["group"], &filter, |json| {
            let wire::Part(group) =
                serde_json::from_str::<wire::Part<wire::Group<'_>>>(json).ok()?;
            let id = group.id.get().map(find::last_part);
            let name = group.name.get().or(id)?;
            Some(Group {
                id: id.map(clip),
                name: clip(name),
            })
        })
        .await
    }

    /// Whether there is a group with this id. To be asked before an empty list of members is believed: an unknown group
    /// has one too.
    pub async fn group_exists(&self, id: &str) -> Result<bool, Error> {
        match self
            .get(Api::Groups, &["group", "by-id"], &[("id", id)], |_| Ok(()))
            .await
        {
            Ok(()) => Ok(true),
            Err(Error::Denied {
                status: 400 | 404, ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The accounts in a group. Empty for an unknown group too, see [`Site::group_exists`].
    pub async fn members(&self, group_id: &str) -> Result<Listed<AccountId>, Error> {
        self.list(&["group", group_id, "membersByGroupId"], &[], |json| {
            let wire::Part(member) =
                serde_json::from_str::<wire::Part<wire::Member<'_>>>(json).ok()?;
            member
                .account_id
                .get()
                .map(|id| AccountId::new(clip(find::account(id))))
        })
        .await
    }

    /// How often a page was viewed, ever, by anybody.
    pub async fn views(&self, page: &PageId) -> Result<u32, Error> {
        let path = ["analytics", "content", page.as_str(), "views"];
        self.get(Api::Analytics, &path, &[], |answer| {
            let text = page::text(&answer.bytes);
            let views: Views =
                serde_json::from_str(&text).map_err(|error| Malformed::from(&error))?;
            Ok(views.count)
        })
        .await
    }

    /// Walks a list to its end, advancing by what came, never by what was asked for.
    async fn list<T: Clone + Eq + Hash>(
        &self,
        path: &[&str],
        filter: &[(&str, &str)],
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Listed<T>, Error> {
        let mut listed = Listed {
            items: Vec::new(),
            unusable: 0,
            as_of: None,
        };
        let mut seen = HashSet::new();
        let mut start = 0;
        let mut empty = 0_u32;
        loop {
            let skip = start.to_string();
            let mut query = vec![("start", skip.as_str()), ("limit", ENTRIES)];
            query.extend(filter);
            let read_page = |answer: Answer| {
                let (rows, unusable, end) = page::result_rows(&answer.bytes, &read)?;
                self.stays_here(&end)?;
                Ok((rows, unusable.len(), end, answer.server_time))
            };
            let ask = || self.get(Api::Groups, path, &query, read_page);
            let (mut rows, mut unusable, mut end, mut server_time) = ask().await?;
            if rows.is_empty() && unusable == 0 {
                // Whoever is not named loses privileges, so nobody is believed only when it is said twice.
                (rows, unusable, end, server_time) = ask().await?;
            }
            let received = rows.len() + unusable;
            let before = listed.items.len();
            listed
                .items
                .extend(rows.into_iter().filter(|row| seen.insert(row.clone())));
            listed.unusable += unusable;
            listed.as_of = listed.as_of.or(server_time);
            // Pages are cut before members who are hidden are left out: a page may be short, or empty, with more behind it.
            let further = end.next_start().filter(|next| *next > start);
            if further.is_none() && end.is_last(received) {
                return Ok(listed);
            }
            // A server that ignores `start` gives the same page for ever.
            let nothing_new = listed.items.len() == before;
            empty = if received == 0 { empty + 1 } else { 0 };
            if (nothing_new && received > 0) || empty > EMPTY_PAGES {
                return Err(Malformed::Repeats.into());
            }
            start = further.unwrap_or(start + received);
        }
    }

    /// Refuses a next link that leads elsewhere. Even a good one is never followed: pages are asked for by number.
    fn stays_here(&self, end: &End) -> Result<(), Malformed> {
        let Some(next) = &end.next else { return Ok(()) };
        let here = page::same_origin(next, &self.url);
        here.or_else(|word| page::same_origin(next, self.api.base()).map_err(|_| word))
            .map(|_| ())
    }

    /// Asks the Confluence API, on the site or through the gateway.
    async fn get<T>(
        &self,
        api: Api,
        path: &[&str],
        query: &[(&str, &str)],
        read: impl Fn(Answer) -> Result<T, Malformed>,
    ) -> Result<T, Error> {
        let mut segments = match self.route {
            SiteRoute::Site => Vec::new(),
            SiteRoute::Gateway => vec!["ex", "confluence", self.cloud_id().await?],
        };
        segments.extend(["wiki", "rest", "api"]);
        segments.extend(path);
        let answer: Result<T, http::Error> = self.api.get(&segments, query, read).await;
        answer.map_err(|error| Error::explained(api, error))
    }
}

/// How often a page was viewed, as the site counts.
#[derive(Deserialize)]
struct Views {
    count: u32,
}

#[derive(Deserialize)]
struct TenantInfo<'a> {
    #[serde(default, borrow, rename = "cloudId")]
    cloud_id: wire::Text<'a>,
}

/// The cloud id that a site gives, if it looks like one: it becomes part of a path.
fn read_cloud_id(answer: &Answer) -> Result<String, Malformed> {
    let text = page::text(&answer.bytes);
    let info: TenantInfo<'_> =
        serde_json::from_str(&text).map_err(|error| Malformed::from(&error))?;
    let plain = |id: &&str| {
        id.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    info.cloud_id
        .get()
        .filter(plain)
        .map(Into::into)
        .ok_or(Malformed::Missing("a cloud id"))
}

#[cfg(test)]
#[path = "site_tests.rs"]
mod tests;
