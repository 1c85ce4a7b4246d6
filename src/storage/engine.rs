//! What the analysis reads, and the working state it keeps at its settle line.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use rustc_hash::FxHashMap;

use super::commit::stored_id;
use super::tenant::name_of;
use super::terms::kind_of;
use super::terms::text_of;
use super::{Store, StoreError, StreamId, TenantId};
use pagewarden_core::detect::watched;
use pagewarden_core::engine::{State, Taken};
use pagewarden_core::model::{Auth, Class, EventId, Extent, StreamName, WordId};
use pagewarden_core::session::Read;

/// The time and the key of an event.
pub type EventPlace = (i64, [u8; 16]);

/// How many events are read at a time.
const CHUNK: usize = 4_096;

/// How far apart (in seconds) two streams may record one export.
pub const TWINS_WITHIN: i64 = 300;

/// Which stored events to read: those of one stream with `from <= at < until`.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// Which stream.
    pub stream: StreamId,
    /// The first second inside.
    pub from: i64,
    /// The first second after it.
    pub until: i64,
}

/// The working state at its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineState {
    /// A digest of everything but events that the state depends on.
    pub basis: [u8; 16],
    /// Everything before this second is folded in.
    pub line: i64,
    /// How many events the streams held when they were last analysed to their end.
    pub stored: u64,
    /// The state itself; none where what is stored already is still it.
    pub state: Option<State>,
}

impl Store {
    /// Gives every reading event of a window in order of time and key. Reads a chunk at a time, so that nothing of the
    /// caller runs while the file is read.
    pub fn read(&self, stretch: Stretch, mut take: impl FnMut(&Read)) -> Result<(), StoreError> {
        self.each("class <= 3", stretch, &mut |taken| match taken {
            Taken::Reading(read) => take(read),
            Taken::Single(..) => {}
        })
    }

    /// Gives every event of a window that the engine takes, likewise: reading, and what rules look at one by one.
    pub fn takeable(
        &self,
        stretch: Stretch,
        mut take: impl FnMut(Taken<'_>),
    ) -> Result<(), StoreError> {
        let which = format!("(class <= 3 or class in ({}))", watched_numbers());
        self.each(&which, stretch, &mut take)
    }

    /// Gives every event of a window that rules look at one by one, likewise.
    pub fn singles(
        &self,
        stretch: Stretch,
        mut take: impl FnMut(Taken<'_>),
    ) -> Result<(), StoreError> {
        let which = format!("class in ({})", watched_numbers());
        self.each(&which, stretch, &mut take)
    }

    /// Every export and download of a window in order of time and key.
    pub fn exports(&self, stretch: Stretch) -> Result<Vec<Read>, StoreError> {
        let mut reads = Vec::new();
        self.each("class in (2, 3)", stretch, &mut |taken| match taken {
            Taken::Reading(read) => reads.push(*read),
            Taken::Single(..) => {}
        })?;
        Ok(reads)
    }

    /// Gives every event of a window for which a condition holds.
    fn each(
        &self,
        which: &str,
        stretch: Stretch,
        take: &mut dyn FnMut(Taken<'_>),
    ) -> Result<(), StoreError> {
        let query = format!(
            "select at, key, account, class, actor, auth, page, space, address, site, action from event
             where stream = ?1 and (at, key) > (?2, ?3) and at < ?4 and {which} order by at, key limit ?5"
        );
        // Keys are sixteen bytes, so the empty one lies before all of them.
        let mut after: (i64, Vec<u8>) = (stretch.from, Vec::new());
        loop {
            let events = self.ask(|database| chunk(database, &query, stretch, &after))?;
            for (event, action) in &events {
                take(match action {
                    Some(action) => Taken::Single(event, action),
                    None => Taken::Reading(event),
                });
            }
            match events.last() {
                Some((last, _)) if events.len() == CHUNK => {
                    after = (last.at, last.key.to_vec());
                }
                _ => return Ok(()),
            }
        }
    }

    /// The newest event time of a stream, in seconds, and how many events it holds; none where it holds none.
    pub fn extent(&self, stream: StreamId) -> Result<Option<(i64, u64)>, StoreError> {
        self.ask(|database| {
            database
                .query_row(
                    "select newest, stored from stream where id = ?1 and newest is not null",
                    [stream.0],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()
        })
    }

    /// What Atlassian calls those of the events with these times and keys that a stream holds.
    pub fn event_ids(
        &self,
        stream: StreamId,
        events: &[EventPlace],
    ) -> Result<Vec<(EventPlace, EventId)>, StoreError> {
        self.ask(|database| {
            let name: String =
                database.query_row("select name from stream where id = ?1", [stream.0], |row| {
                    row.get(0)
                })?;
            let access = name_of(&name) == StreamName::Access;
            let mut find = database.prepare_cached(
                "select id from event where stream = ?1 and at = ?2 and key = ?3",
            )?;
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
        })
    }

    /// Whether events are stored that have not been analysed.
    pub fn has_unanalysed(&self, tenant: TenantId) -> Result<bool, StoreError> {
        self.ask(|database| {
            database.query_row(
                "select coalesce(sum(stored), 0) <> coalesce((select stored from engine where tenant = ?1 and stale = 0), 0)
                 from stream where tenant = ?1",
                [tenant.0],
                |row| row.get(0),
            )
        })
    }

    /// Keeps how many events the ignore rules left out.
    pub fn keep_suppressed(&self, tenant: TenantId, ignored: u64) -> Result<(), StoreError> {
        self.change(|transaction, _| {
            transaction.execute(
                "update tenant set suppressed = ?2 where id = ?1",
                params![tenant.0, ignored],
            )?;
            Ok(())
        })
    }

    /// How many events the ignore rules left out.
    pub fn ignored(&self, tenant: TenantId) -> Result<u64, StoreError> {
        self.ask(|database| {
            database.query_row(
                "select suppressed from tenant where id = ?1",
                [tenant.0],
                |row| row.get(0),
            )
        })
    }

    /// The working state, unless there is none or something came in behind its line.
    pub fn load_engine(&self, tenant: TenantId) -> Result<Option<EngineState>, StoreError> {
        self.ask(|database| {
            let head = database
                .query_row(
                    "select basis, line, stored, state from engine where tenant = ?1 and stale = 0",
                    [tenant.0],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
                )
                .optional()?;
            let Some((basis, line, stored, state)) = head else {
                return Ok(None);
            };
            let parts = |query| -> rusqlite::Result<BTreeMap<WordId, Vec<u8>>> {
                let mut list = database.prepare_cached(query)?;
                let rows = list.query_map([tenant.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect()
            };
            Ok(Some(EngineState {
                basis,
                line,
                stored,
                state: Some(State {
                    tenant: state,
                    accounts: parts("select account, state from engine_account where tenant = ?1")?,
                    pages: parts("select page, state from engine_page where tenant = ?1")?,
                }),
            }))
        })
    }
}

/// The numbers of the classes that rules look at one by one, for a list in a query.
fn watched_numbers() -> String {
    let numbers: Vec<String> = Class::ALL
        .iter()
        .enumerate()
        .filter(|(_, class)| watched(**class))
        .map(|(number, _)| number.to_string())
        .collect();
    numbers.join(", ")
}

/// The next events that a query finds, behind a time and key; those that are not of reading with their action.
fn chunk(
    database: &Connection,
    query: &str,
    stretch: Stretch,
    (at, key): &(i64, Vec<u8>),
) -> rusqlite::Result<Vec<(Read, Option<Arc<str>>)>> {
    let tenant = database
        .prepare_cached("select tenant from stream where id = ?1")?
        .query_row([stretch.stream.0], |row| row.get(0))
        .map(TenantId)?;
    let mut list = database.prepare_cached(query)?;
    let mut rows = list.query(params![stretch.stream.0, at, key, stretch.until, CHUNK])?;
    let mut actions: FxHashMap<WordId, Arc<str>> = FxHashMap::default();
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let mut event = read_of(row)?;
        let exported = matches!(event.class, Class::Export | Class::Download);
        if !exported && event.class.is_reading() {
            events.push((event, None));
            continue;
        }
        let action = match actions.entry(row.get(10)?) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(new) => {
                let text = text_of(database, tenant, *new.key())?;
                Arc::clone(new.insert(text.into()))
            }
        };
        let (on_page, in_space) = (event.page.is_some(), event.space.is_some());
        event.extent = Extent::of(event.class, &action, on_page, in_space);
        events.push((event, (!exported).then_some(action)));
    }
    Ok(events)
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

/// Writes the working state within a transaction.
pub(super) fn save(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    state: &EngineState,
    anew: bool,
) -> rusqlite::Result<()> {
    let Some(parts) = &state.state else {
        transaction.execute(
            "update engine set stored = ?2 where tenant = ?1",
            params![tenant.0, state.stored],
        )?;
        return Ok(());
    };
    if anew {
        transaction.execute("delete from engine_account where tenant = ?1", [tenant.0])?;
        transaction.execute("delete from engine_page where tenant = ?1", [tenant.0])?;
    }
    transaction.execute(
        "insert or replace into engine (tenant, basis, line, stored, state) values (?1, ?2, ?3, ?4, ?5)",
        params![tenant.0, state.basis, state.line, state.stored, parts.tenant],
    )?;
    for (insert, list) in [
        (
            "insert or replace into engine_account (tenant, account, state) values (?1, ?2, ?3)",
            &parts.accounts,
        ),
        (
            "insert or replace into engine_page (tenant, page, state) values (?1, ?2, ?3)",
            &parts.pages,
        ),
    ] {
        let mut insert = transaction.prepare_cached(insert)?;
        for (id, part) in list {
            insert.execute(params![tenant.0, id, part])?;
        }
    }
    Ok(())
}
