//! Maps whose copies share memory until one of them is changed.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::WordId;

/// How many entries a shard holds on average before there are twice as many shards.
const SHARD: usize = 16;

/// One part of a map.
type Shard<T> = FxHashMap<WordId, Arc<T>>;

/// A copy-on-write map: a copy costs one pointer for every 8 to 16 entries, and a change copies one shard's pointers and
/// one entry.
#[derive(Debug, Clone)]
pub(super) struct Shared<T> {
    shards: Vec<Arc<Shard<T>>>,
    entries: usize,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            shards: vec![Arc::default()],
            entries: 0,
        }
    }
}

impl<T> Shared<T> {
    /// Which shard holds an entry; the number of shards is a power of two.
    fn place(&self, id: WordId) -> usize {
        usize::try_from(id).unwrap_or_default() & (self.shards.len() - 1)
    }

    /// The shared entry itself.
    fn entry(&self, id: WordId) -> Option<&Arc<T>> {
        self.shards.get(self.place(id))?.get(&id)
    }

    /// The entry of an id.
    pub(super) fn get(&self, id: WordId) -> Option<&T> {
        self.entry(id).map(|entry| &**entry)
    }

    /// Every entry, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (WordId, &T)> {
        self.shards
            .iter()
            .flat_map(|shard| shard.iter().map(|(id, entry)| (*id, &**entry)))
    }

    /// The entries that differ from those of an earlier copy, or may: all that were touched since. `base` must have been
    /// kept unchanged since this map was copied from it.
    pub(super) fn since(&self, base: &Self) -> impl Iterator<Item = (WordId, &T)> {
        // Shards that were never touched are the same ones, while their number is.
        let same: FxHashSet<_> = if self.shards.len() == base.shards.len() {
            base.shards.iter().map(Arc::as_ptr).collect()
        } else {
            FxHashSet::default()
        };
        self.shards
            .iter()
            .filter(move |shard| !same.contains(&Arc::as_ptr(shard)))
            .flat_map(|shard| shard.iter())
            .filter(|(id, entry)| base.entry(**id).is_none_or(|old| !Arc::ptr_eq(old, entry)))
            .map(|(id, entry)| (*id, &**entry))
    }
}

impl<T: Clone> Shared<T> {
    /// The entry of an id, to be changed.
    pub(super) fn get_mut(&mut self, id: WordId) -> Option<&mut T> {
        let place = self.place(id);
        // A question first, so that nothing is copied for what is not there.
        self.entry(id)?;
        let shard = Arc::make_mut(self.shards.get_mut(place)?);
        shard.get_mut(&id).map(Arc::make_mut)
    }

    /// Puts an entry in the place of whatever was there.
    pub(super) fn insert(&mut self, id: WordId, entry: T) {
        if self.entry(id).is_none() {
            self.entries += 1;
            if self.entries > self.shards.len() * SHARD {
                self.grow();
            }
        }
        let place = self.place(id);
        if let Some(shard) = self.shards.get_mut(place) {
            Arc::make_mut(shard).insert(id, Arc::new(entry));
        }
    }

    /// Doubles the number of shards; the entries stay shared.
    fn grow(&mut self) {
        let mut shards: Vec<Shard<T>> = vec![Shard::default(); self.shards.len() * 2];
        let mask = shards.len() - 1;
        for shard in self.shards.drain(..) {
            for (id, entry) in shard.iter() {
                let place = usize::try_from(*id).unwrap_or_default() & mask;
                if let Some(shard) = shards.get_mut(place) {
                    shard.insert(*id, Arc::clone(entry));
                }
            }
        }
        self.shards = shards.into_iter().map(Arc::new).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_copy_and_one_change_only_one_entry_was_copied() {
        let mut map = Shared::default();
        for id in 0..1_000 {
            map.insert(id, id);
        }
        let base = map.clone();
        assert_eq!(map.since(&base).count(), 0);
        *map.get_mut(7).unwrap() += 1;
        assert!(map.get_mut(5_000).is_none());
        let shared = (0..1_000)
            .filter(|id| Arc::ptr_eq(map.entry(*id).unwrap(), base.entry(*id).unwrap()))
            .count();
        assert_eq!(shared, 999);
        assert_eq!(map.since(&base).collect::<Vec<_>>(), [(7, &8)]);
        assert_eq!((base.get(7), map.iter().count()), (Some(&7), 1_000));
        for id in 1_000..3_000 {
            map.insert(id, id);
        }
        assert_eq!(map.since(&base).count(), 2_001, "also when it has grown");
    }
}
