//! What reaches the engine: the access stream, and of the site audit logs the exports that it does not hold.

use rustc_hash::FxHashMap;

use crate::storage::{EventPlace, Store, StoreError, StreamId, Stretch, TWINS_WITHIN, TenantId};
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

    /// Gives every reading event with `from <= at < until` in order of time and key.
    pub(super) fn read(
        &self,
        store: &Store,
        (from, until): (i64, i64),
        mut take: impl FnMut(&Read),
    ) -> Result<(), StoreError> {
        let mut others = Vec::new();
        for stream in &self.audit {
            let stream = *stream;
            for read in store.exports(Stretch {
                stream,
                from,
                until,
            })? {
                if !self.holds_twin(store, &read)? {
                    others.push(read);
                }
            }
        }
        others.sort_by_key(|read| (read.at, read.key));
        let mut others = others.iter().peekable();
        if let Some(stream) = self.access {
            store.read(
                Stretch {
                    stream,
                    from,
                    until,
                },
                |read| {
                    while let Some(other) =
                        others.next_if(|other| (other.at, other.key) < (read.at, read.key))
                    {
                        take(other);
                    }
                    take(read);
                },
            )?;
        }
        others.for_each(take);
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
