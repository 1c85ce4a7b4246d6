//! Maps whose copies share memory until one of them is changed.

use std::sync::Arc;

use crate::model::WordId;

/// How many bits of a number decide at one level of the tree.
const BITS: u32 = 4;

/// How many children a node has.
const WIDTH: usize = 1 << BITS;

/// A part of the tree.
#[derive(Debug)]
enum Node<T> {
    /// Nodes of the level below.
    Branch([Option<Arc<Self>>; WIDTH]),
    /// Entries.
    Leaf([Option<Arc<T>>; WIDTH]),
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Branch(children) => Self::Branch(children.clone()),
            Self::Leaf(entries) => Self::Leaf(entries.clone()),
        }
    }
}

/// A copy-on-write map by dense numbers, as a radix tree: a copy costs one pointer, a change copies one entry and the
/// pointers on the way to it, and a drop visits only what no other copy shares.
#[derive(Debug)]
pub(super) struct Shared<T> {
    root: Arc<Node<T>>,
    /// How many levels of branches lie above the leaves.
    height: u32,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self {
            root: Arc::clone(&self.root),
            height: self.height,
        }
    }
}

impl<T> Node<T> {
    /// An empty one, so many levels above the leaves.
    fn new(height: u32) -> Self {
        if height == 0 {
            Self::Leaf(Default::default())
        } else {
            Self::Branch(Default::default())
        }
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            root: Arc::new(Node::new(0)),
            height: 0,
        }
    }
}

/// Which child holds a number, in a node so many levels above the leaves.
fn child(id: WordId, height: u32) -> usize {
    let rest = id.checked_shr(height * BITS).unwrap_or_default();
    usize::try_from(rest).unwrap_or_default() & (WIDTH - 1)
}

impl<T> Shared<T> {
    /// Whether the tree is high enough to hold a number.
    fn reaches(&self, id: WordId) -> bool {
        id.checked_shr((self.height + 1) * BITS)
            .is_none_or(|rest| rest == 0)
    }

    /// The node on the way to a number, so many levels above the leaves.
    fn node(&self, id: WordId, height: u32) -> Option<&Arc<Node<T>>> {
        if !self.reaches(id) || height > self.height {
            return None;
        }
        let mut node = &self.root;
        for above in (height + 1..=self.height).rev() {
            let Node::Branch(children) = &**node else {
                return None;
            };
            node = children.get(child(id, above))?.as_ref()?;
        }
        Some(node)
    }

    /// The shared entry itself.
    fn entry(&self, id: WordId) -> Option<&Arc<T>> {
        match &**self.node(id, 0)? {
            Node::Branch(_) => None,
            Node::Leaf(entries) => entries.get(child(id, 0))?.as_ref(),
        }
    }

    /// The entry of a number.
    pub(super) fn get(&self, id: WordId) -> Option<&T> {
        self.entry(id).map(|entry| &**entry)
    }

    /// Every entry, by its number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (WordId, &T)> {
        self.walk(|_| false).map(|(id, entry)| (id, &**entry))
    }

    /// The entries that differ from those of an earlier copy, or may: all that were touched since. `base` must have been
    /// kept unchanged since this map was copied from it.
    pub(super) fn since(&self, base: &Self) -> impl Iterator<Item = (WordId, &T)> {
        self.walk(|part| {
            base.node(part.first, part.height)
                .is_some_and(|old| Arc::ptr_eq(old, part.node))
        })
        .filter(|(id, entry)| base.entry(*id).is_none_or(|old| !Arc::ptr_eq(old, entry)))
        .map(|(id, entry)| (id, &**entry))
    }

    /// Every entry but those of parts to be left out, by its number.
    fn walk<'a>(
        &'a self,
        leaves_out: impl Fn(&Part<'a, T>) -> bool,
    ) -> impl Iterator<Item = (WordId, &'a Arc<T>)> {
        let mut left = vec![Part {
            node: &self.root,
            first: 0,
            height: self.height,
        }];
        std::iter::from_fn(move || {
            loop {
                let part = left.pop()?;
                if leaves_out(&part) {
                    continue;
                }
                match &**part.node {
                    Node::Branch(children) => left.extend(part.children(children).rev()),
                    Node::Leaf(entries) => return Some(numbered(part.first, 0, entries)),
                }
            }
        })
        .flatten()
    }
}

/// A part of a map that is yet to be walked.
#[derive(Debug)]
struct Part<'a, T> {
    node: &'a Arc<Node<T>>,
    /// The smallest number that it may hold.
    first: WordId,
    height: u32,
}

impl<'a, T> Part<'a, T> {
    /// What lies below it.
    fn children(
        &self,
        children: &'a [Option<Arc<Node<T>>>; WIDTH],
    ) -> impl DoubleEndedIterator<Item = Self> {
        let height = self.height.saturating_sub(1);
        numbered(self.first, self.height, children).map(move |(first, node)| Self {
            node,
            first,
            height,
        })
    }
}

/// What is there of a node's children, each with the smallest number it may hold.
fn numbered<C>(
    first: WordId,
    height: u32,
    children: &[Option<C>; WIDTH],
) -> impl DoubleEndedIterator<Item = (WordId, &C)> {
    let below = 1 << (height * BITS);
    children.iter().enumerate().filter_map(move |(at, child)| {
        let at = WordId::try_from(at).ok()?;
        Some((first + at * below, child.as_ref()?))
    })
}

impl<T: Clone> Shared<T> {
    /// The entry of a number, to be changed.
    pub(super) fn get_mut(&mut self, id: WordId) -> Option<&mut T> {
        // A question first, so that nothing is copied for what is not there.
        self.entry(id)?;
        self.slot(id)?.as_mut().map(Arc::make_mut)
    }

    /// Puts an entry in the place of whatever was there.
    pub(super) fn insert(&mut self, id: WordId, entry: T) {
        while !self.reaches(id) {
            let mut children: [_; WIDTH] = Default::default();
            let [first, ..] = &mut children;
            *first = Some(Arc::clone(&self.root));
            self.height += 1;
            self.root = Arc::new(Node::Branch(children));
        }
        if let Some(slot) = self.slot(id) {
            *slot = Some(Arc::new(entry));
        }
    }

    /// The place of a number that the tree reaches, with copies of all shared nodes on the way.
    fn slot(&mut self, id: WordId) -> Option<&mut Option<Arc<T>>> {
        let mut node = Arc::make_mut(&mut self.root);
        let mut height = self.height;
        loop {
            match node {
                Node::Leaf(entries) => return entries.get_mut(child(id, 0)),
                Node::Branch(children) => {
                    let below = children.get_mut(child(id, height))?;
                    height = height.saturating_sub(1);
                    node = Arc::make_mut(below.get_or_insert_with(|| Arc::new(Node::new(height))));
                }
            }
        }
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
        for id in 1_000..70_000 {
            map.insert(id, id);
        }
        assert_eq!(map.since(&base).count(), 69_001, "also when it has grown");
    }

    #[test]
    fn every_number_has_a_place_of_its_own() {
        let numbers = [
            0,
            15,
            16,
            255,
            256,
            65_535,
            65_536,
            WordId::MAX - 16,
            WordId::MAX,
        ];
        for last in 0..numbers.len() {
            let mut map = Shared::default();
            let held = &numbers[..=last];
            for id in held.iter().rev() {
                map.insert(*id, *id);
            }
            assert_eq!(map.iter().map(|(id, _)| id).collect::<Vec<_>>(), held);
            for id in numbers {
                let expected = held.contains(&id).then_some(id);
                assert_eq!(map.get(id).copied(), expected);
                assert_eq!(map.get_mut(id).copied(), expected);
            }
        }
    }
}
