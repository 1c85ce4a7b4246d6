//! Strings that repeat, kept once and named by a number.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use rustc_hash::FxHashMap;

use super::{Store, StoreError};
use pagewarden_core::model::{AccountId, Actor, ActorKind, WordId};

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
    told: Told,
    dirty: bool,
}

/// What an event told of its account. The greatest that ever came holds, so the order of arrival does not matter: one that
/// names the account tells more than one that does not, and a later day more than an earlier one. Days and not events, so
/// that an account is written once a day.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    named: bool,
    day: i64,
    name: Option<String>,
    email: Option<String>,
    /// Its number in the state file.
    kind: u8,
}

impl Told {
    /// Whether an event of a day tells more. Compares what it would become without making it.
    fn yields_to(&self, actor: &Actor, day: i64) -> bool {
        let told = (
            actor.name.is_some(),
            day,
            &actor.name,
            &actor.email,
            number(actor.kind),
        );
        told > (self.named, self.day, &self.name, &self.email, self.kind)
    }

    fn of(actor: &Actor, day: i64) -> Self {
        Self {
            named: actor.name.is_some(),
            day,
            name: actor.name.clone(),
            email: actor.email.clone(),
            kind: number(actor.kind),
        }
    }
}

impl Cache {
    /// Forgets everything, and lets its memory go.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
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

    /// The number of an account, taking over what an event of a day tells of it.
    pub(super) fn account(
        &mut self,
        transaction: &Transaction<'_>,
        actor: &Actor,
        day: i64,
    ) -> rusqlite::Result<WordId> {
        if let Some(known) = self.accounts.get_mut(actor.id.as_str()) {
            if known.told.yields_to(actor, day) {
                known.told = Told::of(actor, day);
                known.dirty = true;
            }
            return Ok(known.id);
        }
        if self.accounts.len() >= REMEMBERED {
            self.flush(transaction)?;
            self.accounts.clear();
        }
        let mut known = Known::load_or_make(transaction, actor, day)?;
        if known.told.yields_to(actor, day) {
            known.told = Told::of(actor, day);
            known.dirty = true;
        }
        let id = known.id;
        self.accounts.insert(actor.id.as_str().into(), known);
        Ok(id)
    }

    /// Writes what the batch told of its accounts.
    pub(super) fn flush(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut update = transaction.prepare_cached(
            "update account set kind = ?2, name = ?3, email = ?4, told_day = ?5 where id = ?1",
        )?;
        for known in self.accounts.values_mut().filter(|known| known.dirty) {
            let Told {
                named: _,
                day,
                name,
                email,
                kind,
            } = &known.told;
            update.execute(params![known.id, kind, name, email, day])?;
            known.dirty = false;
        }
        Ok(())
    }
}

impl Known {
    fn load_or_make(
        transaction: &Transaction<'_>,
        actor: &Actor,
        day: i64,
    ) -> rusqlite::Result<Self> {
        transaction
            .prepare_cached(
                "insert into account (account, kind, name, email, told_day) values (?1, ?2, ?3, ?4, ?5)
                 on conflict do nothing",
            )?
            .execute(params![actor.id.as_str(), number(actor.kind), actor.name, actor.email, day])?;
        transaction
            .prepare_cached(
                "select id, told_day, name, email, kind from account where account = ?1",
            )?
            .query_row([actor.id.as_str()], |row| {
                let name: Option<String> = row.get(2)?;
                Ok(Self {
                    id: row.get(0)?,
                    told: Told {
                        named: name.is_some(),
                        day: row.get(1)?,
                        name,
                        email: row.get(3)?,
                        kind: row.get(4)?,
                    },
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
    /// Lets go of the strings remembered from what was stored: they are looked up again when needed.
    pub fn forget_words(&self) {
        self.lock().words.forget();
    }

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
