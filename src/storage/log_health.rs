//! What tells how much we see: views and other doings by the hour, and what was done to the logs.

use rusqlite::params;
use rustc_hash::FxHashSet;

use super::commit::stored_id;
use super::finding::read_back;
use super::terms::position;
use super::{Recorded, Store, StoreError, StreamId, TenantId};
use pagewarden_core::detect::blind_spot::Hour;
use pagewarden_core::model::{ActorKind, Class, EventId, StreamName, WordId};

/// An event about a log itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingEvent {
    /// When, in seconds.
    pub at: i64,
    /// What, in Atlassian's words.
    pub action: String,
    /// By whom.
    pub account: WordId,
    /// What Atlassian calls it.
    pub id: EventId,
}

impl Store {
    /// The second of the newest page view of a stream.
    pub fn last_view(&self, stream: StreamId) -> Result<Option<i64>, StoreError> {
        self.ask(|database| {
            database
                .prepare_cached("select last_view from stream where id = ?1")?
                .query_row([stream.0], |row| row.get(0))
        })
    }

    /// The hours of a stream from a second on in which there is a page view, or a person did anything else, in order.
    pub fn hours(&self, stream: StreamId, from: i64) -> Result<Vec<Hour>, StoreError> {
        let person = position(&ActorKind::ALL, &ActorKind::Person);
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select at, class <= 1, account from event
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
                } else {
                    hour.others += 1;
                    hour.people += u64::from(people.insert(row.get(2)?));
                }
            }
            Ok(hours)
        })
    }

    /// The events of a stream from a second on that are about a log itself, oldest first.
    pub fn logging_events(
        &self,
        stream: StreamId,
        name: StreamName,
        from: i64,
    ) -> Result<Vec<LoggingEvent>, StoreError> {
        let class = position(&Class::ALL, &Class::Logging);
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select at, text, account, event.id, key from event
                 join stream on stream.id = stream
                 join term on term.tenant = stream.tenant and term.no = event.action
                 where stream = ?1 and at >= ?2 and class = ?3 order by at, key",
            )?;
            let rows = list.query_map(params![stream.0, from, class], |row| {
                Ok(LoggingEvent {
                    at: row.get(0)?,
                    action: row.get(1)?,
                    account: row.get(2)?,
                    id: stored_id(row.get(3)?, row.get(4)?, name == StreamName::Access),
                })
            })?;
            rows.collect()
        })
    }

    /// The recorded findings of a tenant about our own sight, before verdicts; settled where they are over.
    pub fn blindness(&self, tenant: TenantId) -> Result<Vec<Recorded>, StoreError> {
        let rows: Vec<(bool, String, i64, String)> = self.ask(|database| {
            let mut list = database.prepare_cached(
                "select final, id, version, body from finding where tenant = ?1 and family = 'blind' order by id",
            )?;
            let rows = list.query_map([tenant.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            rows.collect()
        })?;
        Ok(rows
            .into_iter()
            .filter_map(|(settled, id, version, body)| {
                let finding = read_back(&id, version, &body)?;
                Some(Recorded { finding, settled })
            })
            .collect())
    }
}
