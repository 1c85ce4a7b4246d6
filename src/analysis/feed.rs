//! What reaches the engine: of the access stream reading and what rules look at one by one; of the site audit logs the
//! latter, and the exports that the access stream does not hold.

use rustc_hash::FxHashMap;

use crate::storage::{
    EventLog, EventPlace, Store, StoreError, StoredEvent, StreamId, Stretch, TWINS_WITHIN,
    TenantId, Which,
};
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
    pub(super) async fn of(store: &dyn Store, tenant: TenantId) -> Result<Self, StoreError> {
        let mut feed = Self {
            access: None,
            audit: Vec::new(),
        };
        for (stream, name) in store.streams(tenant).await? {
            match name {
                StreamName::Access => feed.access = Some(stream),
                StreamName::Audit => feed.audit.push(stream),
            }
        }
        Ok(feed)
    }

    /// The newest event time of the access stream (of the others where it holds nothing), and how many events all of them
    /// hold; none where none holds any.
    pub(super) async fn extent(&self, store: &dyn Store) -> Result<Option<(i64, u64)>, StoreError> {
        let access = match self.access {
            Some(stream) => store.extent(stream).await?,
            None => None,
        };
        let mut audit: Vec<(i64, u64)> = Vec::new();
        for stream in &self.audit {
            audit.extend(store.extent(*stream).await?);
        }
        let newest = access
            .map(|(newest, _)| newest)
            .or_else(|| audit.iter().map(|(newest, _)| *newest).max());
        let stored = access.iter().chain(&audit).map(|(_, stored)| stored).sum();
        Ok(newest.map(|newest| (newest, stored)))
    }

    /// Gives every event that the engine takes with `from <= at < until`, in order of time and key.
    pub(super) async fn read(
        &self,
        store: &dyn Store,
        (from, until): (i64, i64),
        mut take: impl FnMut(Taken<'_>) + Send,
    ) -> Result<(), StoreError> {
        let stretch = |stream| Stretch {
            stream,
            from,
            until,
        };
        let mut others: Vec<StoredEvent> = Vec::new();
        for stream in &self.audit {
            for export in all(store, stretch(*stream), Which::Exports).await? {
                if !self.holds_twin(store, &export.read).await? {
                    others.push(export);
                }
            }
            others.extend(all(store, stretch(*stream), Which::Singles).await?);
        }
        others.sort_by_key(|other| (other.read.at, other.read.key));
        let mut others = others.iter().peekable();
        if let Some(stream) = self.access {
            let mut after = None;
            loop {
                let chunk = store
                    .events(stretch(stream), Which::Takeable, after)
                    .await?;
                for event in &chunk.events {
                    let taken = event.taken();
                    while let Some(other) =
                        others.next_if(|other| other.taken().place() < taken.place())
                    {
                        take(other.taken());
                    }
                    take(taken);
                }
                after = chunk.next;
                if after.is_none() {
                    break;
                }
            }
        }
        others.map(StoredEvent::taken).for_each(take);
        Ok(())
    }

    /// Whether the access stream holds the same export as a site audit log: of the same account, as large, within five
    /// minutes. The records share no id, and do not call a space by the same name.
    async fn holds_twin(&self, store: &dyn Store, read: &Read) -> Result<bool, StoreError> {
        let Some(stream) = self.access else {
            return Ok(false);
        };
        let near = Stretch {
            stream,
            from: read.at - TWINS_WITHIN,
            until: read.at + TWINS_WITHIN + 1,
        };
        let near = all(store, near, Which::Exports).await?;
        Ok(near
            .iter()
            .any(|other| other.read.account == read.account && other.read.extent == read.extent))
    }

    /// What Atlassian calls events, whichever stream they came from, in the order asked.
    pub(super) async fn event_ids(
        &self,
        store: &dyn Store,
        events: &[EventPlace],
    ) -> Result<Vec<EventId>, StoreError> {
        let mut known: FxHashMap<EventPlace, EventId> = FxHashMap::default();
        for stream in self.access.iter().chain(&self.audit) {
            let left: Vec<_> = events
                .iter()
                .filter(|event| !known.contains_key(*event))
                .copied()
                .collect();
            if left.is_empty() {
                break;
            }
            known.extend(store.event_ids(*stream, &left).await?);
        }
        Ok(events
            .iter()
            .filter_map(|event| known.get(event).cloned())
            .collect())
    }
}

/// Every event of a stretch, where there are few.
async fn all(
    store: &dyn EventLog,
    stretch: Stretch,
    which: Which,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut events = Vec::new();
    let mut after = None;
    loop {
        let chunk = store.events(stretch, which, after).await?;
        events.extend(chunk.events);
        after = chunk.next;
        if after.is_none() {
            return Ok(events);
        }
    }
}
