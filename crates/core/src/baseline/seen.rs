//! The pages that one person has seen.

use serde::{Deserialize, Serialize};

/// How many pages a generation holds.
const GENERATION: usize = 4_096;

/// Pages by their number: exact for the last 4,096 different ones at least, and at most twice as many. What was not
/// opened for so long is forgotten, a generation at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Sorted.
    now: Vec<u32>,
    /// Sorted.
    before: Vec<u32>,
}

impl Seen {
    /// Whether a page was seen.
    pub fn holds(&self, page: u32) -> bool {
        self.now.binary_search(&page).is_ok() || self.before.binary_search(&page).is_ok()
    }

    /// Adds the pages of one day, in whatever order.
    pub fn add(&mut self, pages: impl IntoIterator<Item = u32>) {
        let now = &self.now;
        let mut new: Vec<u32> = pages
            .into_iter()
            .filter(|page| now.binary_search(page).is_err())
            .collect();
        if new.is_empty() {
            return;
        }
        new.sort_unstable();
        new.dedup();
        self.now.extend(new);
        self.now.sort_unstable();
        if self.now.len() >= GENERATION {
            self.before = std::mem::take(&mut self.now);
        }
    }

    /// How many it holds.
    pub fn len(&self) -> usize {
        let again = self
            .before
            .iter()
            .filter(|page| self.now.binary_search(page).is_ok());
        self.now.len() + self.before.len() - again.count()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.now.is_empty() && self.before.is_empty()
    }
}
