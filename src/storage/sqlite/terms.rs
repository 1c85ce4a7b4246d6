//! Strings that repeat, kept once and named by a number: the dictionaries of each tenant.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use rustc_hash::FxHashMap;

use crate::storage::{Place, StreamId, TenantId};
use pagewarden_core::model::{AccountId, Actor, ActorKind, WordId};

/// How many strings of each kind are remembered; beyond that they are looked up anew.
const REMEMBERED: usize = 65_536;

/// The number that stands for no site.
const NO_SITE: WordId = 0;

/// The statements that add a page or space, find one, and give the highest number.
const fn queries(place: Place) -> [&'static str; 3] {
    match place {
        Place::Page => [
            "insert into page (tenant, no, page, site) values (?1, ?2, ?3, ?4)",
            "select no from page where tenant = ?1 and page = ?2 and site = ?3",
            "select coalesce(max(no), 0) + 1 from page where tenant = ?1",
        ],
        Place::Space => [
            "insert into space (tenant, no, space, site) values (?1, ?2, ?3, ?4)",
            "select no from space where tenant = ?1 and space = ?2 and site = ?3",
            "select coalesce(max(no), 0) + 1 from space where tenant = ?1",
        ],
    }
}

/// What was interned lately.
#[derive(Debug, Default)]
pub(super) struct Cache {
    tenants: FxHashMap<i64, Dictionary>,
    /// Whose each stream is.
    streams: FxHashMap<i64, TenantId>,
    /// How many strings all of them hold.
    held: usize,
    /// Whether an account was written that is called differently.
    renamed: bool,
}

/// The dictionaries of one tenant, as far as they are remembered.
#[derive(Debug, Default)]
struct Dictionary {
    terms: FxHashMap<Box<str>, WordId>,
    /// By site, then by id.
    pages: FxHashMap<WordId, FxHashMap<Box<str>, WordId>>,
    spaces: FxHashMap<WordId, FxHashMap<Box<str>, WordId>>,
    accounts: FxHashMap<Box<str>, Known>,
}

/// An account as stored, and what is to be written with the batch.
#[derive(Debug)]
struct Known {
    no: WordId,
    details: Details,
    dirty: bool,
    /// Whether it is called differently since it was last written.
    renamed: bool,
}

/// What an event says of its account. The greatest that ever came holds, so the order of arrival does not matter: one that
/// names the account tells more than one that does not, and a later day more than an earlier one. Days and not events, so
/// that an account is written once a day.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Details {
    named: bool,
    day: i64,
    name: Option<String>,
    email: Option<String>,
    /// Its number in the state file.
    kind: u8,
}

impl Details {
    /// Whether an event of a day says more. Compares what it would become without making it.
    fn yields_to(&self, actor: &Actor, day: i64) -> bool {
        let said = (
            actor.name.is_some(),
            day,
            &actor.name,
            &actor.email,
            number(actor.kind),
        );
        said > (self.named, self.day, &self.name, &self.email, self.kind)
    }

    /// Whether it says the same of the account, of whatever day.
    fn calls_the_same(&self, other: &Self) -> bool {
        (&self.name, &self.email, self.kind) == (&other.name, &other.email, other.kind)
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

    /// Whose a stream is.
    pub(super) fn tenant_of(
        &mut self,
        transaction: &Transaction<'_>,
        stream: StreamId,
    ) -> rusqlite::Result<TenantId> {
        if let Some(tenant) = self.streams.get(&stream.0) {
            return Ok(*tenant);
        }
        let tenant = transaction
            .prepare_cached("select tenant from stream where id = ?1")?
            .query_row([stream.0], |row| row.get(0))
            .map(TenantId)?;
        self.streams.insert(stream.0, tenant);
        Ok(tenant)
    }

    /// The dictionaries of a tenant, for one more string.
    fn dictionary(
        &mut self,
        transaction: &Transaction<'_>,
        tenant: TenantId,
    ) -> rusqlite::Result<&mut Dictionary> {
        if self.held >= REMEMBERED {
            self.flush(transaction)?;
            self.tenants.clear();
            self.held = 0;
        }
        self.held += 1;
        Ok(self.tenants.entry(tenant.0).or_default())
    }

    /// The number of a term; a new one where it is new.
    pub(super) fn term(
        &mut self,
        transaction: &Transaction<'_>,
        tenant: TenantId,
        text: &str,
    ) -> rusqlite::Result<WordId> {
        let known = self.tenants.get(&tenant.0);
        if let Some(no) = known.and_then(|known| known.terms.get(text)) {
            return Ok(*no);
        }
        let found = transaction
            .prepare_cached("select no from term where tenant = ?1 and text = ?2")?
            .query_row(params![tenant.0, text], |row| row.get(0))
            .optional()?;
        let add = || -> rusqlite::Result<WordId> {
            let no = transaction
                .prepare_cached("select coalesce(max(no), 0) + 1 from term where tenant = ?1")?
                .query_row([tenant.0], |row| row.get(0))?;
            transaction
                .prepare_cached("insert into term (tenant, no, text) values (?1, ?2, ?3)")?
                .execute(params![tenant.0, no, text])?;
            Ok(no)
        };
        let no = found.map_or_else(add, Ok)?;
        let dictionary = self.dictionary(transaction, tenant)?;
        dictionary.terms.insert(text.into(), no);
        Ok(no)
    }

    /// The number of a page or space of a site; a new one where it is new.
    pub(super) fn place(
        &mut self,
        transaction: &Transaction<'_>,
        tenant: TenantId,
        (place, id): (Place, &str),
        site: Option<WordId>,
    ) -> rusqlite::Result<WordId> {
        let site = site.unwrap_or(NO_SITE);
        let known = self.tenants.get(&tenant.0).and_then(|known| {
            let kind = match place {
                Place::Page => &known.pages,
                Place::Space => &known.spaces,
            };
            kind.get(&site)?.get(id)
        });
        if let Some(no) = known {
            return Ok(*no);
        }
        let [insert, find, next] = queries(place);
        let found = transaction
            .prepare_cached(find)?
            .query_row(params![tenant.0, id, site], |row| row.get(0))
            .optional()?;
        let add = || -> rusqlite::Result<WordId> {
            let no = transaction
                .prepare_cached(next)?
                .query_row([tenant.0], |row| row.get(0))?;
            transaction
                .prepare_cached(insert)?
                .execute(params![tenant.0, no, id, site])?;
            Ok(no)
        };
        let no = found.map_or_else(add, Ok)?;
        let dictionary = self.dictionary(transaction, tenant)?;
        let kind = match place {
            Place::Page => &mut dictionary.pages,
            Place::Space => &mut dictionary.spaces,
        };
        kind.entry(site).or_default().insert(id.into(), no);
        Ok(no)
    }

    /// The number of an account, taking over what an event of a day tells of it.
    pub(super) fn account(
        &mut self,
        transaction: &Transaction<'_>,
        tenant: TenantId,
        actor: &Actor,
        day: i64,
    ) -> rusqlite::Result<WordId> {
        let known = self.tenants.get_mut(&tenant.0);
        if let Some(known) = known.and_then(|known| known.accounts.get_mut(actor.id.as_str())) {
            known.hear(actor, day);
            return Ok(known.no);
        }
        let mut known = Known::load_or_make(transaction, tenant, actor, day)?;
        known.hear(actor, day);
        let no = known.no;
        let dictionary = self.dictionary(transaction, tenant)?;
        dictionary.accounts.insert(actor.id.as_str().into(), known);
        Ok(no)
    }

    /// Writes what the batch says of its accounts.
    pub(super) fn flush(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut update = transaction.prepare_cached(
            "update account set kind = ?3, name = ?4, email = ?5, told_day = ?6 where tenant = ?1 and no = ?2",
        )?;
        for (tenant, dictionary) in &mut self.tenants {
            for known in dictionary.accounts.values_mut().filter(|known| known.dirty) {
                let Details {
                    named: _,
                    day,
                    name,
                    email,
                    kind,
                } = &known.details;
                update.execute(params![tenant, known.no, kind, name, email, day])?;
                known.dirty = false;
                self.renamed |= std::mem::take(&mut known.renamed);
            }
        }
        Ok(())
    }

    /// Whether an account is called differently since this was last asked.
    pub(super) fn take_renamed(&mut self) -> bool {
        std::mem::take(&mut self.renamed)
    }
}

impl Known {
    /// Takes over what an event of a day tells, where that is more.
    fn hear(&mut self, actor: &Actor, day: i64) {
        if self.details.yields_to(actor, day) {
            let details = Details::of(actor, day);
            self.renamed |= !details.calls_the_same(&self.details);
            self.details = details;
            self.dirty = true;
        }
    }

    fn load_or_make(
        transaction: &Transaction<'_>,
        tenant: TenantId,
        actor: &Actor,
        day: i64,
    ) -> rusqlite::Result<Self> {
        let found = transaction
            .prepare_cached(
                "select no, told_day, name, email, kind from account where tenant = ?1 and account = ?2",
            )?
            .query_row(params![tenant.0, actor.id.as_str()], |row| {
                let name: Option<String> = row.get(2)?;
                Ok(Self {
                    no: row.get(0)?,
                    details: Details {
                        named: name.is_some(),
                        day: row.get(1)?,
                        name,
                        email: row.get(3)?,
                        kind: row.get(4)?,
                    },
                    dirty: false,
                    renamed: false,
                })
            })
            .optional()?;
        if let Some(found) = found {
            return Ok(found);
        }
        let details = Details::of(actor, day);
        let no = transaction
            .prepare_cached("select coalesce(max(no), 0) + 1 from account where tenant = ?1")?
            .query_row([tenant.0], |row| row.get(0))?;
        transaction
            .prepare_cached(
                "insert into account (tenant, no, account, kind, name, email, told_day) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![tenant.0, no, actor.id.as_str(), details.kind, details.name, details.email, day])?;
        Ok(Self {
            no,
            details,
            dirty: false,
            renamed: false,
        })
    }
}

/// An account as stored.
pub(super) fn actor(row: &Row<'_>) -> rusqlite::Result<Actor> {
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

/// The text of one term; empty where there is none.
pub(super) fn text_of(
    database: &Connection,
    tenant: TenantId,
    no: WordId,
) -> rusqlite::Result<String> {
    let text = database
        .prepare_cached("select text from term where tenant = ?1 and no = ?2")?
        .query_row(params![tenant.0, no], |row| row.get(0))
        .optional()?;
    Ok(text.unwrap_or_default())
}
