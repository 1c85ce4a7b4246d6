//! An organisation: its events, what events it can hold, and its directory.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::error::Api;
use super::map::clip;
use super::{Error, Mapper, UserRecord, page, wire};
use crate::config;
use crate::http::{self, Authorization, Client, Malformed, Pace, SetupError, Transport};
use pagewarden_core::model::{Event, EventAction, Unusable};

/// The most events that the stream gives at once.
const EVENTS: &str = "500";

/// The most accounts that the directory gives at once.
const USERS: u32 = 100;

/// The fewest requests a minute that the directory is taken to allow.
const DIRECTORY_PER_MINUTE: u32 = 60;

/// An organisation. Clones share connections and pace.
#[derive(Debug, Clone)]
pub struct Organization {
    id: String,
    events: Client,
    directory: Client,
}

/// What to ask of the organisation's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventsAsk {
    /// The first page of those processed within a stretch of time.
    From {
        /// Not before.
        from: DateTime<Utc>,
        /// Not after; a live walk has no end.
        to: Option<DateTime<Utc>>,
    },
    /// The page behind this cursor, which keeps the rest of what was asked.
    Cursor(String),
}

/// A page of the organisation's events, oldest processed first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsPage {
    /// The events that can be used.
    pub events: Vec<Event>,
    /// The records that cannot, each with its reason.
    pub unusable: Vec<Unusable>,
    /// How many records came, usable or not.
    pub received: usize,
    /// The cursor of the next page. None says nothing: it must not erase an earlier one.
    pub next: Option<String>,
    /// What the server's clock says, where the answer has it.
    pub server_time: Option<DateTime<Utc>>,
    /// How many events are of reading and name nothing that was read.
    pub unresolved: usize,
}

/// A page of the organisation's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsersPage {
    /// The accounts.
    pub users: Vec<UserRecord>,
    /// The records without an account.
    pub unusable: Vec<Unusable>,
    /// The cursor of the next page; none on the last.
    pub next: Option<String>,
    /// What the server's clock says, where the answer has it.
    pub server_time: Option<DateTime<Utc>>,
}

/// What a walk through the directory came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsersWalk {
    /// How many accounts came.
    pub accounts: usize,
    /// How many records had no account.
    pub unusable: usize,
    /// What the server's clock said at the beginning, where the answer had it.
    pub as_of: Option<DateTime<Utc>>,
}

impl Organization {
    /// An organisation by its settings and its key, whose requests are carried so.
    pub fn new(
        transport: &Transport,
        settings: &config::Organization,
        key: SecretString,
        retry: config::Retry,
        stop: CancellationToken,
    ) -> Result<Self, SetupError> {
        let pace = Pace::per_minute(settings.requests_per_minute);
        let source = settings.api_key.clone();
        let events = Client::new(
            transport,
            &settings.url,
            Authorization::Bearer(key),
            retry,
            pace,
            stop,
        )?
        .renewed_by(move || source.read().ok().map(Authorization::Bearer));
        let directory = Pace::per_minute(settings.requests_per_minute.max(DIRECTORY_PER_MINUTE));
        Ok(Self {
            id: settings.id.clone(),
            directory: events.clone().with_pace(directory),
            events,
        })
    }

    /// One page of the organisation's events.
    pub async fn events(&self, ask: &EventsAsk, mapper: &Mapper) -> Result<EventsPage, Error> {
        let (from, to);
        let mut query = vec![("limit", EVENTS)];
        match ask {
            EventsAsk::Cursor(cursor) => query.push(("cursor", cursor)),
            EventsAsk::From {
                from: begin,
                to: end,
            } => {
                query.push(("sortOrder", "asc"));
                from = begin.timestamp_millis().to_string();
                query.push(("from", &from));
                if let Some(end) = end {
                    to = end.timestamp_millis().to_string();
                    query.push(("to", &to));
                }
            }
        }
        let path = ["admin", "v1", "orgs", &self.id, "events-stream"];
        let base = self.events.base();
        let page = self.events.get(&path, &query, |answer| {
            let page = page::events(&answer.bytes, base, mapper)?;
            Ok(EventsPage {
                events: page.usable,
                unusable: page.unusable,
                received: page.received,
                next: page.next,
                server_time: answer.server_time,
                unresolved: page.unresolved,
            })
        });
        page.await.map_err(|error| refused(ask, error))
    }

    /// What kinds of event the organisation's log can hold.
    pub async fn actions(&self) -> Result<Vec<EventAction>, Error> {
        let path = ["admin", "v1", "orgs", &self.id, "event-actions"];
        let read = |json: &str| {
            let wire::Part(action) =
                serde_json::from_str::<wire::Part<wire::Action<'_>>>(json).ok()?;
            let display_name = clip(action.attributes.0.display_name.or_empty());
            Some(EventAction {
                id: clip(action.id.get()?),
                display_name,
            })
        };
        let ask = self
            .directory
            .get(&path, &[], |answer| page::data_rows(&answer.bytes, read));
        let (mut actions, _, _) = ask
            .await
            .map_err(|error| Error::explained(Api::Events, error))?;
        actions.sort_unstable();
        Ok(actions)
    }

    /// One page of the directory, with platform roles and groups.
    pub async fn users(&self, cursor: Option<&str>) -> Result<UsersPage, Error> {
        let path = [
            "admin",
            "v2",
            "orgs",
            &self.id,
            "directories",
            "-",
            "users",
            "search",
        ];
        let mut body = json!({ "limit": USERS, "expand": ["platformRoles", "groups"] });
        if let (Some(cursor), Some(fields)) = (cursor, body.as_object_mut()) {
            fields.insert("cursor".into(), cursor.into());
        }
        let base = self.directory.base();
        let ask = self.directory.post(&path, &body, |answer| {
            let (users, unusable, next) = page::data_rows(&answer.bytes, UserRecord::read)?;
            let next = next.map(|next| bare_cursor(next, base)).transpose()?;
            Ok(UsersPage {
                users,
                unusable,
                next,
                server_time: answer.server_time,
            })
        });
        ask.await
            .map_err(|error| Error::explained(Api::Directory, error))
    }

    /// The whole directory, a page at a time, so that memory stays bounded.
    pub async fn all_users(
        &self,
        each: &mut (dyn FnMut(Vec<UserRecord>) + Send),
    ) -> Result<UsersWalk, Error> {
        let mut walk = UsersWalk::default();
        let mut cursors = HashSet::new();
        let (mut cursor, mut empty_before): (Option<String>, bool) = (None, false);
        loop {
            let mut page = self.users(cursor.as_deref()).await?;
            if page.users.is_empty() && page.unusable.is_empty() {
                // Whoever is not named loses privileges, so nobody is believed only when it is said twice.
                page = self.users(cursor.as_deref()).await?;
            }
            walk.as_of = walk.as_of.or(page.server_time);
            walk.accounts += page.users.len();
            walk.unusable += page.unusable.len();
            let empty = page.users.is_empty();
            each(page.users);
            let Some(next) = page.next else {
                return Ok(walk);
            };
            // Neither a circle nor an endless row of empty pages holds us up.
            if !cursors.insert(next.clone()) || (empty && empty_before) {
                return Err(Malformed::Repeats.into());
            }
            empty_before = empty;
            cursor = Some(next);
        }
    }
}

/// The cursor in a `next` that may be a cursor or a link.
fn bare_cursor(next: String, base: &Url) -> Result<String, Malformed> {
    if next.contains("://") || next.starts_with('/') {
        page::cursor_of_link(&next, base)
    } else {
        Ok(next)
    }
}

/// The error of a page of events: a cursor that is refused has its own error.
fn refused(ask: &EventsAsk, error: http::Error) -> Error {
    if let http::Error::Denied {
        status: status @ (400 | 410),
        message,
        ..
    } = &error
    {
        let bad_cursor =
            *status == 400 && message.starts_with("ADMIN-400-1:") || message == "ADMIN-400-1";
        if bad_cursor || matches!(ask, EventsAsk::Cursor(_)) {
            return Error::CursorRefused;
        }
    }
    Error::explained(Api::Events, error)
}

#[cfg(test)]
#[path = "organization_tests.rs"]
mod tests;
