//! Reading events in order of event time become sessions and days.
//!
//! A session is one account's reading with no pause longer than the gap. It belongs whole to the day in which it began and
//! is never cut; a day is the sessions that began in one UTC day, and those after midnight that follow without a rest.

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::model::{ActorKind, Auth, Class, Extent, WordId};
use crate::time::{DAY_SECONDS, day_of};

/// How many pages and events a unit keeps as evidence; the rest is counted.
pub const EVIDENCE: usize = 100;

/// A pause from which on another day begins, wherever midnight is.
pub const REST_SECONDS: i64 = 4 * 3_600;

/// One stored reading event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Event time, seconds.
    pub at: i64,
    /// Breaks ties of time.
    pub key: [u8; 16],
    /// Whose.
    pub account: WordId,
    /// What.
    pub class: Class,
    /// By what sort of actor.
    pub actor: ActorKind,
    /// How the actor proved who it is.
    pub auth: Auth,
    /// Which page.
    pub page: Option<WordId>,
    /// In which space.
    pub space: Option<WordId>,
    /// From where.
    pub address: Option<WordId>,
    /// On which site.
    pub site: Option<WordId>,
    /// How much was exported or downloaded, if anything.
    pub extent: Option<Extent>,
}

/// An event that is kept as evidence: the first view of a page, an export, a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Event time, seconds.
    pub at: i64,
    /// Which event.
    pub key: [u8; 16],
    /// Which page.
    pub page: Option<WordId>,
    /// In which space.
    pub space: Option<WordId>,
}

/// What was done in a stretch of reading: a session, or the sessions of a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// First event, seconds.
    pub first: i64,
    /// Last event, seconds.
    pub last: i64,
    /// Different pages.
    pub pages: u32,
    /// Page views, repeats included.
    pub views: u32,
    /// Exports and downloads.
    pub exports: u32,
    /// Different spaces.
    pub spaces: FxHashSet<WordId>,
    /// Different addresses.
    pub addresses: FxHashSet<WordId>,
    /// Ways of proving who it is, a bit each in the order of [`Auth::ALL`].
    pub auth: u8,
    /// Evidence, oldest first.
    pub evidence: Vec<Seen>,
    /// Pages and exports that were left out of the evidence.
    pub omitted: u32,
}

impl Tally {
    fn new(at: i64) -> Self {
        Self {
            first: at,
            last: at,
            ..Self::default()
        }
    }

    fn add(&mut self, read: &Read, new_page: bool) {
        self.last = read.at;
        match read.class {
            Class::Export | Class::Download => self.exports += 1,
            _ => self.views += 1,
        }
        if let Some(space) = read.space {
            self.spaces.insert(space);
        }
        if let Some(address) = read.address {
            self.addresses.insert(address);
        }
        self.auth |= auth_bit(read.auth);
        self.pages += u32::from(new_page);
        if new_page || matches!(read.class, Class::Export | Class::Download) {
            self.keep(Seen {
                at: read.at,
                key: read.key,
                page: read.page,
                space: read.space,
            });
        }
    }

    fn keep(&mut self, seen: Seen) {
        if self.evidence.len() < EVIDENCE {
            self.evidence.push(seen);
        } else {
            self.omitted += 1;
        }
    }

    /// Seconds from the first event to the last.
    pub const fn seconds(&self) -> i64 {
        self.last - self.first
    }

    /// The ways of proving who it is, in words, sorted.
    pub fn auth_words(&self) -> Vec<&'static str> {
        let mut words: Vec<_> = Auth::ALL
            .into_iter()
            .filter(|auth| self.auth & auth_bit(*auth) != 0)
            .map(Auth::as_str)
            .collect();
        words.sort_unstable();
        words
    }
}

fn auth_bit(auth: Auth) -> u8 {
    match auth {
        Auth::Session => 1,
        Auth::ApiToken => 2,
        Auth::Oauth => 4,
        Auth::Other => 8,
    }
}

/// The day that an account has open, with the session that runs in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenDay {
    /// The UTC day in which its sessions began.
    pub day: i64,
    /// The session that runs, or ran last.
    pub session: Tally,
    /// All sessions of the day, the running one included.
    pub whole: Tally,
    /// Which session of the day runs, from 1.
    session_number: u32,
    /// Every page of the day, and the last session that opened it.
    pages: FxHashMap<WordId, u32>,
}

/// What an event was new to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct New {
    /// Its page is new to the session.
    pub to_session: bool,
    /// Its page is new to the day.
    pub to_day: bool,
}

impl OpenDay {
    /// Opens a day with the session that begins at a moment.
    pub fn begin(at: i64) -> Self {
        Self {
            day: day_of(at),
            session: Tally::new(at),
            whole: Tally::new(at),
            session_number: 1,
            pages: FxHashMap::default(),
        }
    }

    /// Whether an event at a moment goes on with the running session.
    pub const fn goes_on(&self, at: i64, gap: i64) -> bool {
        at - self.session.last <= gap
    }

    /// Whether a session that begins at a moment belongs to this day: it begins on the same UTC day, or after a pause too
    /// short to be a night's rest and within a day of the first event. So nobody's working day is cut in two because
    /// midnight in Greenwich falls into it.
    pub const fn holds(&self, at: i64) -> bool {
        day_of(at) == self.day
            || (at - self.whole.last < REST_SECONDS && at - self.whole.first < DAY_SECONDS)
    }

    /// Begins another session of the same day.
    pub fn begin_session(&mut self, at: i64) {
        self.session = Tally::new(at);
        self.session_number += 1;
    }

    /// The different pages of the day.
    pub fn pages(&self) -> impl Iterator<Item = WordId> {
        self.pages.keys().copied()
    }

    /// Extends the running session.
    pub fn extend(&mut self, read: &Read) -> New {
        let new = match read.page {
            None => New {
                to_session: false,
                to_day: false,
            },
            Some(page) => {
                let before = self.pages.insert(page, self.session_number);
                New {
                    to_session: before != Some(self.session_number),
                    to_day: before.is_none(),
                }
            }
        };
        self.session.add(read, new.to_session);
        self.whole.add(read, new.to_day);
        new
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(at: i64, page: u32) -> Read {
        Read {
            at,
            key: [0; 16],
            account: 1,
            class: Class::View,
            actor: ActorKind::Person,
            auth: Auth::Session,
            page: Some(page),
            space: Some(page % 3),
            address: None,
            site: None,
            extent: None,
        }
    }

    #[test]
    fn a_page_read_twice_counts_once_in_its_session_and_once_in_its_day() {
        let mut day = OpenDay::begin(0);
        for at in [0, 10, 20] {
            day.extend(&read(at, 7));
        }
        day.begin_session(10_000);
        let again = day.extend(&read(10_000, 7));
        assert_eq!(
            again,
            New {
                to_session: true,
                to_day: false
            }
        );
        assert_eq!(
            (day.session.pages, day.whole.pages, day.whole.views),
            (1, 1, 4)
        );
    }

    #[test]
    fn a_session_over_midnight_belongs_to_the_day_in_which_it_began() {
        let mut day = OpenDay::begin(86_390);
        day.extend(&read(86_390, 1));
        assert!(day.goes_on(86_410, 1_800));
        day.extend(&read(86_410, 2));
        assert_eq!((day.day, day.session.pages), (0, 2));
    }

    #[test]
    fn a_working_day_goes_on_over_midnight_until_somebody_rests() {
        let mut day = OpenDay::begin(80_000);
        day.extend(&read(80_000, 1));
        let three_hours = 80_000 + 3 * 3_600;
        assert!(day.holds(three_hours), "after midnight, without a rest");
        assert!(!day.holds(80_000 + 5 * 3_600), "after a night's rest");
        let mut whole = OpenDay::begin(10);
        whole.extend(&read(10, 1));
        assert!(whole.holds(86_000), "the same day after any pause");
        for at in (0..90_000).step_by(3_000) {
            whole.extend(&read(10 + at, 1));
        }
        assert!(!whole.holds(90_000), "no day is longer than one");
    }

    #[test]
    fn evidence_is_capped_and_what_is_left_out_is_counted() {
        let mut day = OpenDay::begin(0);
        for page in 0..250 {
            day.extend(&read(i64::from(page), page));
        }
        assert_eq!(
            (day.session.evidence.len(), day.session.omitted),
            (EVIDENCE, 150)
        );
    }

    proptest! {
        #[test]
        fn no_session_has_more_pages_than_its_day_and_no_day_more_than_views(pages in prop::collection::vec((0_i64..4_000, 0_u32..30), 1..80)) {
            let mut at = 0;
            let mut day = OpenDay::begin(0);
            for (pause, page) in pages {
                at += pause;
                if !day.goes_on(at, 1_800) {
                    day.begin_session(at);
                }
                day.extend(&read(at, page));
                prop_assert!(day.session.pages <= day.whole.pages && day.whole.pages <= day.whole.views);
            }
        }
    }
}
