//! Strings that repeat, kept once and named by a number.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use rustc_hash::FxHashMap;

use super::{Store, StoreError};
use crate::model::{AccountId, Actor, ActorKind, EventKey, WordId};

/// How many strings are remembered; beyond that they are looked up anew.
const REMEMBERED: usize = 65_536;

/// What was interned lately.
#[derive(Debug, Default)]
pub(super) struct Cache {
    words: FxHashMap<Box<str>, WordId>,
    accounts: FxHashMap<Box<str>, Known>,
}

/// An account as stored, and what is to be written with the batch.
#[derive(Debug)]
struct Known {
    id: WordId,
    told: (i64, [u8; 16]),
    name: Option<String>,
    email: Option<String>,
    kind: ActorKind,
    dirty: bool,
}

impl Cache {
    /// Forgets everything: after a transaction that was rolled back.
    pub(super) fn forget(&mut self) {
        self.words.clear();
        self.accounts.clear();
    }

    /// The number of a string; a new one where it is new.
    pub(super) fn word(
        &mut self,
        transaction: &Transaction<'_>,
        text: &str,
    ) -> rusqlite::Result<WordId> {
        if let Some(id) = self.words.get(text) {
            return Ok(*id);
        }
        if self.words.len() >= REMEMBERED {
            self.words.clear();
        }
        transaction
            .prepare_cached("insert into word (text) values (?1) on conflict do nothing")?
            .execute([text])?;
        let id = transaction
            .prepare_cached("select id from word where text = ?1")?
            .query_row([text], |row| row.get(0))?;
        self.words.insert(text.into(), id);
        Ok(id)
    }

    /// The number of an account, taking over what the event at `at` tells of it.
    pub(super) fn account(
        &mut self,
        transaction: &Transaction<'_>,
        actor: &Actor,
        at: i64,
        key: EventKey,
    ) -> rusqlite::Result<WordId> {
        if !self.accounts.contains_key(actor.id.as_str()) {
            if self.accounts.len() >= REMEMBERED {
                self.flush(transaction)?;
                self.accounts.clear();
            }
            let known = Known::load_or_make(transaction, actor, at, key)?;
            self.accounts.insert(actor.id.as_str().into(), known);
        }
        let Some(known) = self.accounts.get_mut(actor.id.as_str()) else {
            return Ok(0);
        };
        // An event that names the account tells more than one that does not; among equals the newest.
        if (actor.name.is_some(), at, key.0) > (known.name.is_some(), known.told.0, known.told.1) {
            known.told = (at, key.0);
            known.dirty = true;
            known.kind = actor.kind;
            for (kept, told) in [
                (&mut known.name, &actor.name),
                (&mut known.email, &actor.email),
            ] {
                if kept != told {
                    kept.clone_from(told);
                }
            }
        }
        Ok(known.id)
    }

    /// Writes what the batch told of its accounts.
    pub(super) fn flush(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut update = transaction.prepare_cached(
            "update account set kind = ?2, name = ?3, email = ?4, told_at = ?5, told_key = ?6 where id = ?1",
        )?;
        for known in self.accounts.values_mut().filter(|known| known.dirty) {
            let Known {
                id,
                told,
                name,
                email,
                kind,
                dirty: _,
            } = &*known;
            update.execute(params![id, number(*kind), name, email, told.0, told.1])?;
            known.dirty = false;
        }
        Ok(())
    }
}

impl Known {
    fn load_or_make(
        transaction: &Transaction<'_>,
        actor: &Actor,
        at: i64,
        key: EventKey,
    ) -> rusqlite::Result<Self> {
        transaction
            .prepare_cached(
                "insert into account (account, kind, name, email, told_at, told_key) values (?1, ?2, ?3, ?4, ?5, ?6)
                 on conflict do nothing",
            )?
            .execute(params![actor.id.as_str(), number(actor.kind), actor.name, actor.email, at, key.0])?;
        transaction
            .prepare_cached(
                "select id, told_at, told_key, name, email, kind from account where account = ?1",
            )?
            .query_row([actor.id.as_str()], |row| {
                Ok(Self {
                    id: row.get(0)?,
                    told: (row.get(1)?, row.get(2)?),
                    name: row.get(3)?,
                    email: row.get(4)?,
                    kind: kind_of(row.get(5)?),
                    dirty: false,
                })
            })
    }
}

/// An account as stored.
fn actor(row: &Row<'_>) -> rusqlite::Result<Actor> {
    Ok(Actor {
        id: AccountId::new(row.get::<_, String>(0)?),
        kind: kind_of(row.get(1)?),
        name: row.get(2)?,
        email: row.get(3)?,
    })
}

/// The number of a kind in the state file.
pub(super) fn number(kind: ActorKind) -> u8 {
    position(&ActorKind::ALL, &kind)
}

/// The kind behind a number.
pub(super) fn kind_of(number: u8) -> ActorKind {
    ActorKind::ALL
        .get(usize::from(number))
        .copied()
        .unwrap_or(ActorKind::Unknown)
}

/// The place of a value in the list that numbers it.
pub(super) fn position<T: PartialEq>(all: &[T], value: &T) -> u8 {
    all.iter()
        .position(|one| one == value)
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(u8::MAX)
}

/// The text of one word; empty where there is none.
pub(super) fn text_of(database: &Connection, id: WordId) -> rusqlite::Result<String> {
    let text = database
        .prepare_cached("select text from word where id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(text.unwrap_or_default())
}

impl Store {
    /// The strings behind numbers, in the order asked; empty where there is none.
    pub fn words(&self, ids: &[WordId]) -> Result<Vec<String>, StoreError> {
        self.ask(|database| {
            let mut find = database.prepare_cached("select text from word where id = ?1")?;
            ids.iter()
                .map(|id| match find.query_row([id], |row| row.get(0)) {
                    Err(rusqlite::Error::QueryReturnedNoRows) => Ok(String::new()),
                    other => other,
                })
                .collect()
        })
    }

    /// An account as the logs had it last.
    pub fn account(&self, id: WordId) -> Result<Actor, StoreError> {
        self.ask(|database| {
            database
                .prepare_cached("select account, kind, name, email from account where id = ?1")?
                .query_row([id], actor)
        })
    }

    /// The same by its own id; none where no event is of it.
    pub fn account_named(&self, account: &AccountId) -> Result<Option<Actor>, StoreError> {
        self.ask(|database| {
            database
                .prepare_cached(
                    "select account, kind, name, email from account where account = ?1",
                )?
                .query_row([account.as_str()], actor)
                .optional()
        })
    }

    /// Every account and its number.
    pub fn accounts(&self) -> Result<Vec<(WordId, AccountId)>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached("select id, account from account")?;
            let rows = list.query_map([], |row| {
                Ok((row.get(0)?, AccountId::new(row.get::<_, String>(1)?)))
            })?;
            rows.collect()
        })
    }

    /// The number of a string, if it was ever stored.
    pub fn word_id(&self, text: &str) -> Result<Option<WordId>, StoreError> {
        self.ask(|database| {
            database
                .prepare_cached("select id from word where text = ?1")?
                .query_row([text], |row| row.get(0))
                .optional()
        })
    }

    /// The numbers of all strings that a rule picks.
    pub fn word_ids(&self, mut picks: impl FnMut(&str) -> bool) -> Result<Vec<WordId>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached("select id, text from word")?;
            let mut rows = list.query([])?;
            let mut picked = Vec::new();
            while let Some(row) = rows.next()? {
                if picks(row.get_ref(1)?.as_str()?) {
                    picked.push(row.get(0)?);
                }
            }
            Ok(picked)
        })
    }
}
