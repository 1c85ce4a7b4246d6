//! Who viewed a page lately, and how rare that makes a first view (equations A and B).

use serde::{Deserialize, Serialize};

use super::number::{real, whole};
use super::weekly::ENOUGH_PERSON_DAYS;
use super::{Histogram, Weekly};

/// How many days back readers of a page count.
pub const READER_DAYS: i64 = 28;

/// How many readers of a page are counted; a page with as many is rare in no tenant.
const MOST_READERS: usize = 24;

/// How many steps of a view's rarity make one bit.
const STEPS: f64 = 8.0;

/// The highest step that is distinguished.
const LAST_STEP: f64 = 255.0;

/// The most bits that one view can count for.
const MOST_BITS: f64 = 8.0;

/// What to assume of a page that nobody can have opened yet, before views were counted: readers for each active
/// person-day.
const USUAL_RATE: f64 = 1.0 / 64.0;

/// One reader of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Reader {
    /// Who.
    account: u32,
    /// The last day on which the account viewed the page, counted from the page's first.
    last: u16,
    /// How many days before that the account had opened it; 0 if not within the window.
    before: u8,
}

/// The people who opened one page in the last four weeks, at most the 24 last ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readers {
    /// The UTC day of the page's first view by anybody.
    first: i64,
    /// In the order of their last view.
    list: Vec<Reader>,
}

impl Readers {
    /// A page that is opened for the first time, as far as is known.
    pub const fn new(day: i64) -> Self {
        Self {
            first: day,
            list: Vec::new(),
        }
    }

    /// The UTC day of the page's first view.
    pub const fn first(&self) -> i64 {
        self.first
    }

    /// Notes that an account opens the page on a day, which is not before the last one noted.
    pub fn open(&mut self, account: u32, day: i64) {
        let Ok(last) = u16::try_from(day - self.first) else {
            // After 180 years the page begins anew.
            *self = Self::new(day);
            return self.open(account, day);
        };
        if self
            .list
            .last()
            .is_some_and(|reader| reader.account == account && reader.last == last)
        {
            return;
        }
        let oldest = i64::from(last) - READER_DAYS;
        let mut before = 0;
        self.list.retain(|reader| {
            if reader.account == account {
                before = if reader.last == last {
                    reader.before
                } else {
                    u8::try_from(last - reader.last)
                        .ok()
                        .filter(|days| i64::from(*days) <= READER_DAYS)
                        .unwrap_or(0)
                };
                return false;
            }
            i64::from(reader.last) >= oldest
        });
        if self.list.len() >= MOST_READERS {
            self.list.remove(0);
        }
        self.list.push(Reader {
            account,
            last,
            before,
        });
    }

    /// Forgets who opened it more than 28 days before a day, which changes nothing that is asked from then on; returns
    /// whether there was anybody.
    pub fn forget(&mut self, day: i64) -> bool {
        let oldest = day - self.first - READER_DAYS;
        let before = self.list.len();
        self.list.retain(|reader| i64::from(reader.last) >= oldest);
        let forgot = self.list.len() < before;
        if forgot {
            self.list.shrink_to_fit();
        }
        forgot
    }

    /// Whether there is anybody to [`forget`](Self::forget).
    pub fn forgets(&self, day: i64) -> bool {
        let oldest = day - self.first - READER_DAYS;
        self.list
            .iter()
            .any(|reader| i64::from(reader.last) < oldest)
    }

    /// How many different people opened it in the 28 days before a day: that day's own views do not count.
    pub fn before(&self, day: i64) -> u32 {
        let day = day - self.first;
        let counts = |on: i64| on < day && on >= day - READER_DAYS;
        let readers = self.list.iter().filter(|reader| {
            let last = i64::from(reader.last);
            counts(last) || (reader.before > 0 && counts(last - i64::from(reader.before)))
        });
        u32::try_from(readers.count()).unwrap_or(u32::MAX)
    }
}

/// How many weeks show how usual it is to view a page that nobody viewed before: in a log that has just begun, every
/// page is one.
const UNSEEN_WEEKS: i64 = 4;

/// How rare the page views of a tenant are: each person's first views of a page in the last 26 weeks, pooled by week.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstViews {
    /// Of pages that were opened before.
    known: Weekly,
    /// Of pages that nobody had opened before, as far as is known: how often 0.
    unseen: Weekly,
}

impl FirstViews {
    /// Counts a first view of a known page with such a rate (see [`Rarity::rate`]), or of an unseen one, in its week.
    pub fn record(&mut self, week: i64, rate: Option<f64>) {
        match rate {
            Some(rate) => self.known.record(week, step(rate)),
            None => self.unseen.record(week, 0),
        }
    }

    /// What the window before week `until` says is rare. What lies before it is forgotten.
    pub fn rarity(&mut self, until: i64) -> Rarity {
        let start = self.known.start(until, ENOUGH_PERSON_DAYS);
        self.known.forget_before(start);
        self.unseen.forget_before(start);
        let lately = |views: &Weekly| real(views.pooled(until - UNSEEN_WEEKS, until).total());
        let (known, unseen) = (lately(&self.known), lately(&self.unseen));
        Rarity::fitted(
            &self.known.pooled(start, until),
            self.unseen.pooled(start, until).total(),
            (unseen + 1.0) / (known + unseen + 1.0),
        )
    }
}

/// The bits of a first view, by how few people view such a page. Frozen between refits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rarity {
    /// The rate to assume of a page of which nothing is known: the median.
    usual: f64,
    /// Bits by step.
    bits: Vec<f64>,
    /// Bits of a page that nobody opened before.
    unseen: f64,
}

impl Default for Rarity {
    /// Before anything was counted every view is ordinary: one bit.
    fn default() -> Self {
        Self {
            usual: USUAL_RATE,
            bits: vec![1.0],
            unseen: 1.0,
        }
    }
}

impl Rarity {
    /// From the first views of a window.
    fn fitted(known: &Histogram, unseen: u64, unseen_lately: f64) -> Self {
        if known.total() == 0 {
            return Self::default();
        }
        let all = known.total().saturating_add(unseen);
        let rarer = known.at_least(whole(LAST_STEP));
        let bits = rarer
            .iter()
            .map(|rarer| {
                let share = (real(*rarer) + 1.0) / (real(all) + 1.0);
                (0.0 - share.log2()).clamp(0.0, MOST_BITS)
            })
            .collect();
        let median = rarer
            .iter()
            .zip(0_u32..)
            .take_while(|(rarer, _)| **rarer * 2 >= known.total())
            .last();
        Self {
            usual: median.map_or(USUAL_RATE, |(_, step)| {
                (-(f64::from(step) + 0.5) / STEPS).exp2()
            }),
            bits,
            unseen: (0.0 - unseen_lately.log2()).clamp(0.0, MOST_BITS),
        }
    }

    /// The bits of a first view of a page that nobody viewed before.
    pub const fn unseen(&self) -> f64 {
        self.unseen
    }

    /// Readers for each active person-day on which the page could have been opened (equation A): drawn towards the
    /// median where little is known, so that a page that nobody can have opened yet counts as ordinary.
    pub fn rate(&self, readers: u32, active: u32) -> f64 {
        (f64::from(readers) + 0.5) / (f64::from(active) + 0.5 / self.usual)
    }

    /// The bits of a first view with such a rate: its rank among the first views of everybody (B).
    pub fn bits(&self, rate: f64) -> f64 {
        let at = usize::try_from(step(rate)).unwrap_or(usize::MAX);
        self.bits
            .get(at)
            .or(self.bits.last())
            .copied()
            .unwrap_or(1.0)
    }
}

/// The step of a rate: the rarer, the higher.
fn step(rate: f64) -> u32 {
    whole((-rate.log2() * STEPS).clamp(0.0, LAST_STEP))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_forgotten_is_never_asked_for(
            views in prop::collection::vec((0_u32..30, 0_i64..6), 1..200),
            forgets in prop::collection::btree_set(0_i64..400, 0..20),
        ) {
            let (mut kept, mut cut) = (Readers::new(100), Readers::new(100));
            let mut day = 100;
            for (account, later) in views {
                for today in day + 1..=day + later {
                    if forgets.contains(&today) {
                        cut.forget(today);
                    }
                }
                day += later;
                prop_assert_eq!(cut.before(day), kept.before(day));
                kept.open(account, day);
                cut.open(account, day);
            }
            prop_assert_eq!(cut.before(day + 1), kept.before(day + 1));
        }
    }

    #[test]
    fn of_a_page_that_nobody_opens_only_its_first_day_is_left() {
        let mut page = Readers::new(100);
        page.open(1, 100);
        page.open(2, 110);
        assert!(!page.forget(128));
        assert!(page.forget(129) && page.before(129) == 1);
        assert!(page.forget(139));
        assert_eq!(page, Readers::new(100));
    }
}
