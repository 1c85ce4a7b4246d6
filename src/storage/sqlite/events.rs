//! The stored events.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Sqlite;
use super::commit::{commit, stored_id};
use super::registry::name_of;
use super::terms::{kind_of, position, text_of};
use crate::storage::{
    Batch, Chunk, Committed, EventLog, EventPlace, LoggingEvent, StoreError, StoredEvent, StreamId,
    Stretch, TenantId, Which,
};
use pagewarden_core::detect::blind_spot::Hour;
use pagewarden_core::detect::watched;
use pagewarden_core::model::{
    AccountId, ActorKind, Auth, Change, Checkpoint, Class, EventId, Extent, GrantSource,
    Membership, StreamName, Walk, WordId,
};
use pagewarden_core::session::Read;
use pagewarden_core::time::moment;

/// How many events are read at a time.
const CHUNK: usize = 4_096;

/// The events of class `logging`, by their index.
pub(super) const LOGGING_EVENTS: &str =
    "select at, text, account, event.id, key from event indexed by logging_event
     join stream on stream.id = stream
     join term on term.tenant = stream.tenant and term.no = event.action
     where stream = ?1 and at >= ?2 and class = 10 order by at, key";

#[async_trait]
impl EventLog for Sqlite {
    async fn commit(
        &self,
        stream: StreamId,
        batch: Batch,
        moved: Option<(Walk, Checkpoint)>,
        late_after: Duration,
    ) -> Result<Committed, StoreError> {
        let (before, after) = (Arc::clone(&self.file), Arc::clone(&self.file));
        let done = self.write_then(
            move |transaction, terms| {
                let done = commit(
                    transaction,
                    terms,
                    stream,
                    &batch,
                    moved.as_ref(),
                    late_after,
                )?;
                // Noted twice: a working state that is written in between must know of it, and so must whoever reads after.
                before.arrivals.note(&done);
                Ok(done)
            },
            move |done| after.arrivals.note(done),
        );
        Ok(done.await?.committed)
    }

    async fn events(
        &self,
        stretch: Stretch,
        which: Which,
        after: Option<EventPlace>,
    ) -> Result<Chunk, StoreError> {
        self.read(move |database| chunk(database, stretch, which, after))
            .await
    }

    async fn extent(&self, stream: StreamId) -> Result<Option<(i64, u64)>, StoreError> {
        self.read(move |database| {
            database
                .prepare_cached(
                    "select newest, stored from stream where id = ?1 and newest is not null",
                )?
                .query_row([stream.0], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .await
    }

    async fn event_ids(
        &self,
        stream: StreamId,
        events: &[EventPlace],
    ) -> Result<Vec<(EventPlace, EventId)>, StoreError> {
        let events = events.to_vec();
        self.read(move |database| event_ids(database, stream, &events))
            .await
    }

    async fn membership_changes(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<(DateTime<Utc>, Change)>, StoreError> {
        self.read(move |database| membership_changes(database, tenant))
            .await
    }

    async fn last_view(&self, stream: StreamId) -> Result<Option<i64>, StoreError> {
        self.read(move |database| {
            database
                .prepare_cached("select last_view from stream where id = ?1")?
                .query_row([stream.0], |row| row.get(0))
        })
        .await
    }

    async fn hours(&self, stream: StreamId, from: i64) -> Result<Vec<Hour>, StoreError> {
        self.read(move |database| hours(database, stream, from))
            .await
    }

    async fn logging_events(
        &self,
        stream: StreamId,
        name: StreamName,
        from: i64,
    ) -> Result<Vec<LoggingEvent>, StoreError> {
        self.read(move |database| {
            let mut list = database.prepare_cached(LOGGING_EVENTS)?;
            let rows = list.query_map(params![stream.0, from], |row| {
                Ok(LoggingEvent {
                    at: row.get(0)?,
                    action: row.get(1)?,
                    account: row.get(2)?,
                    id: stored_id(row.get(3)?, row.get(4)?, name == StreamName::Access),
                })
            })?;
            rows.collect()
        })
        .await
    }
}

/// The condition that picks events, for a query.
fn condition(which: Which) -> String {
    let numbers = || {
        let classes = Class::ALL.iter().enumerate();
        let classes = classes.filter(|(_, class)| watched(**class));
        let numbers: Vec<String> = classes.map(|(number, _)| number.to_string()).collect();
        numbers.join(", ")
    };
    match which {
        Which::Reading => "class <= 3".to_owned(),
        Which::Exports => "class in (2, 3)".to_owned(),
        Which::Singles => format!("class in ({})", numbers()),
        Which::Takeable => format!("(class <= 3 or class in ({}))", numbers()),
    }
}

/// The next events of a stretch; those that are not of reading with their action.
fn chunk(
    database: &Connection,
    stretch: Stretch,
    which: Which,
    after: Option<EventPlace>,
) -> rusqlite::Result<Chunk> {
    let tenant = database
        .prepare_cached("select tenant from stream where id = ?1")?
        .query_row([stretch.stream.0], |row| row.get(0))
        .map(TenantId)?;
    let mut list = database.prepare_cached(&format!(
        "select at, key, account, class, actor, auth, page, space, address, site, action from event
         where stream = ?1 and (at, key) > (?2, ?3) and at < ?4 and {} order by at, key limit ?5",
        condition(which)
    ))?;
    // Keys are sixteen bytes, so the empty one lies before all of them.
    let (at, key) = after.map_or((stretch.from, Vec::new()), |(at, key)| (at, key.to_vec()));
    let mut rows = list.query(params![stretch.stream.0, at, key, stretch.until, CHUNK])?;
    let mut actions: FxHashMap<WordId, Arc<str>> = FxHashMap::default();
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let mut read = read_of(row)?;
        let exported = matches!(read.class, Class::Export | Class::Download);
        if !exported && read.class.is_reading() {
            events.push(StoredEvent { read, action: None });
            continue;
        }
        let action = match actions.entry(row.get(10)?) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(new) => {
                let text = text_of(database, tenant, *new.key())?;
                Arc::clone(new.insert(text.into()))
            }
        };
        let (on_page, in_space) = (read.page.is_some(), read.space.is_some());
        read.extent = Extent::of(read.class, &action, on_page, in_space);
        let action = (!exported).then_some(action);
        events.push(StoredEvent { read, action });
    }
    let is_full = events.len() == CHUNK;
    let next = events.last().map(|last| (last.read.at, last.read.key));
    Ok(Chunk {
        next: next.filter(|_| is_full),
        events,
    })
}

/// One row as an event, but for what only its action says.
fn read_of(row: &Row<'_>) -> rusqlite::Result<Read> {
    Ok(Read {
        at: row.get(0)?,
        key: row.get(1)?,
        account: row.get(2)?,
        class: Class::ALL
            .get(row.get::<_, usize>(3)?)
            .copied()
            .unwrap_or(Class::Other),
        actor: kind_of(row.get(4)?),
        auth: Auth::ALL
            .get(row.get::<_, usize>(5)?)
            .copied()
            .unwrap_or(Auth::Other),
        page: row.get(6)?,
        space: row.get(7)?,
        address: row.get(8)?,
        site: row.get(9)?,
        extent: None,
    })
}

fn event_ids(
    database: &Connection,
    stream: StreamId,
    events: &[EventPlace],
) -> rusqlite::Result<Vec<(EventPlace, EventId)>> {
    let name: String = database
        .prepare_cached("select name from stream where id = ?1")?
        .query_row([stream.0], |row| row.get(0))?;
    let access = name_of(&name) == StreamName::Access;
    let mut find = database
        .prepare_cached("select id from event where stream = ?1 and at = ?2 and key = ?3")?;
    let mut ids = Vec::with_capacity(events.len());
    for (at, key) in events {
        let id = find
            .query_row(params![stream.0, at, key], |row| row.get(0))
            .optional()?;
        if let Some(id) = id {
            ids.push(((*at, *key), stored_id(id, *key, access)));
        }
    }
    Ok(ids)
}

fn membership_changes(
    database: &Connection,
    tenant: TenantId,
) -> rusqlite::Result<Vec<(DateTime<Utc>, Change)>> {
    let mut list = database.prepare_cached(
        "select at, account, kind, name, joined from change
         where stream in (select id from stream where tenant = ?1) order by at, key, account, kind, name",
    )?;
    let rows = list.query_map([tenant.0], |row| {
        let name: String = row.get(3)?;
        let grant_source = if row.get::<_, String>(2)? == "role" {
            GrantSource::Role(name)
        } else {
            GrantSource::Group(name)
        };
        Ok((
            moment(row.get(0)?),
            Change {
                account: AccountId::new(row.get::<_, String>(1)?),
                grant_source,
                to: if row.get(4)? {
                    Membership::Joined
                } else {
                    Membership::Left
                },
            },
        ))
    })?;
    rows.collect()
}

fn hours(database: &Connection, stream: StreamId, from: i64) -> rusqlite::Result<Vec<Hour>> {
    let person = position(&ActorKind::ALL, &ActorKind::Person);
    let mut list = database.prepare_cached(
        "select at, class <= 1, account, page is null from event
                 where stream = ?1 and at >= ?2 and (class <= 1 or actor = ?3) order by at, key",
    )?;
    let mut rows = list.query(params![stream.0, from, person])?;
    let mut hours: Vec<Hour> = Vec::new();
    let mut people: FxHashSet<WordId> = FxHashSet::default();
    while let Some(row) = rows.next()? {
        let (at, view): (i64, bool) = (row.get(0)?, row.get(1)?);
        let begins = at - at.rem_euclid(3_600);
        if hours.last().is_none_or(|hour| hour.at != begins) {
            people.clear();
            hours.push(Hour {
                at: begins,
                ..Hour::default()
            });
        }
        let Some(hour) = hours.last_mut() else {
            continue;
        };
        if view {
            let (first, _) = hour.viewed.unwrap_or((at, at));
            hour.viewed = Some((first, at));
            hour.views += 1;
            hour.nameless += u64::from(row.get::<_, bool>(3)?);
        } else {
            hour.others += 1;
            hour.people += u64::from(people.insert(row.get(2)?));
        }
    }
    Ok(hours)
}
