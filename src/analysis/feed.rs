//! What reaches the engine: of the access stream reading and what rules look at one by one; of the site audit logs the
//! latter, and the exports that the access stream does not hold.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::storage::{EventPlace, Store, StoreError, StreamId, Stretch, TWINS_WITHIN, TenantId};
use pagewarden_core::engine::Taken;
use pagewarden_core::model::{EventId, StreamName};
use pagewarden_core::session::Read;

/// The streams of a tenant.
#[derive(Debug)]
pub(super) struct Feed {
    access: Option<StreamId>,
    audit: Vec<StreamId>,
}

impl Feed {
    /// The streams that the store knows.
    pub(super) fn of(store: &Store, tenant: TenantId) -> Result<Self, StoreError> {
        let mut feed = Self {
            access: None,
            audit: Vec::new(),
        };
        for (stream, name) in store.streams(tenant)? {
            match name {
                StreamName::Access => feed.access = Some(stream),
                StreamName::Audit => feed.audit.push(stream),
            }
        }
        Ok(feed)
    }

    /// All of them.
    pub(super) fn streams(&self) -> impl Iterator<Item = StreamId> {
        self.access.iter().chain(&self.audit).copied()
    }

    /// The newest event time of the access stream (of the others where it holds nothing), and how many events all of them
    /// hold; none where none holds any.
    pub(super) fn extent(&self, store: &Store) -> Result<Option<(i64, u64)>, StoreError> {
        let extent = |stream: &StreamId| store.extent(*stream);
        let access = self.access.as_ref().map(extent).transpose()?.flatten();
        let audit: Vec<(i64, u64)> = self
            .audit
            .iter()
            .filter_map(|stream| extent(stream).transpose())
            .collect::<Result<_, _>>()?;
        let newest = access
            .map(|(newest, _)| newest)
            .or_else(|| audit.iter().map(|(newest, _)| *newest).max());
        let stored = access.iter().chain(&audit).map(|(_, stored)| stored).sum();
        Ok(newest.map(|newest| (newest, stored)))
    }

    /// Gives every event that the engine takes with `from <= at < until`, in order of time and key.
    pub(super) fn read(
        &self,
        store: &Store,
        (from, until): (i64, i64),
        mut take: impl FnMut(Taken<'_>),
    ) -> Result<(), StoreError> {
        let stretch = |stream| Stretch {
            stream,
            from,
            until,
        };
        let mut others: Vec<(Read, Option<Arc<str>>)> = Vec::new();
        for stream in &self.audit {
            for read in store.exports(stretch(*stream))? {
                if !self.holds_twin(store, &read)? {
                    others.push((read, None));
                }
            }
            store.singles(stretch(*stream), |taken| {
                if let Taken::Single(event, action) = taken {
                    others.push((*event, Some(action.into())));
                }
            })?;
        }
        others.sort_by_key(|(read, _)| (read.at, read.key));
        let mut others = others.iter().map(|(read, action)| match action {
            Some(action) => Taken::Single(read, action),
            None => Taken::Reading(read),
        });
        let mut next = others.next();
        if let Some(stream) = self.access {
            store.takeable(stretch(stream), |taken| {
                while let Some(other) = next.filter(|other| other.place() < taken.place()) {
                    take(other);
                    next = others.next();
                }
                take(taken);
            })?;
        }
        next.into_iter().chain(others).for_each(take);
        Ok(())
    }

    /// Whether the access stream holds the same export as a site audit log: of the same account, as large, within five
    /// minutes. The records share no id, and do not call a space by the same name.
    fn holds_twin(&self, store: &Store, read: &Read) -> Result<bool, StoreError> {
        let Some(stream) = self.access else {
            return Ok(false);
        };
        let near = store.exports(Stretch {
            stream,
            from: read.at - TWINS_WITHIN,
            until: read.at + TWINS_WITHIN + 1,
        })?;
        Ok(near
            .iter()
            .any(|other| other.account == read.account && other.extent == read.extent))
    }

    /// What Atlassian calls events, whichever stream they came from, in the order asked.
    pub(super) fn event_ids(
        &self,
        store: &Store,
        events: &[EventPlace],
    ) -> Result<Vec<EventId>, StoreError> {
        let mut known: FxHashMap<EventPlace, EventId> = FxHashMap::default();
        for stream in self.access.iter().chain(&self.audit) {
            let left: Vec<_> = events
                .iter()
                .filter(|event| !known.contains_key(*event))
                .copied()
                .collect();
            known.extend(store.event_ids(*stream, &left)?);
        }
        Ok(events
            .iter()
            .filter_map(|event| known.get(event).cloned())
            .collect())
    }
}
