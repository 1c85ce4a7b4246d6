//! What is known of how an account reads, from the days that are over.

use serde::{Deserialize, Serialize};

use super::PeerGroup;
use super::exporting::ExportHabit;
use super::scripted::ScriptHabit;
use crate::baseline::{Experience, History, Person, Seen, SessionSizes, Slow};
use crate::detect::Granted;

/// The habit of one account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Habit {
    pub(super) group: PeerGroup,
    pub(super) sessions: SessionSizes,
    /// The rarity of its days, in steps of two bits.
    pub(super) rarity: History,
    /// Pages new to it, by day.
    pub(super) new_pages: History,
    pub(super) slow: Slow,
    pub(super) seen: Seen,
    /// All sessions and rarities ever, for the fit of the peer group.
    pub(super) ever_sessions: Person,
    pub(super) ever_rarities: Person,
    pub(super) exports: ExportHabit,
    pub(super) script: ScriptHabit,
    /// What it read since it became privileged, where that was lately.
    pub(super) granted: Option<Granted>,
}

impl Habit {
    pub(super) fn new(group: PeerGroup) -> Self {
        Self {
            group,
            sessions: SessionSizes::default(),
            rarity: History::default(),
            new_pages: History::default(),
            slow: Slow::default(),
            seen: Seen::default(),
            ever_sessions: Person::default(),
            ever_rarities: Person::default(),
            exports: ExportHabit::default(),
            script: ScriptHabit::default(),
            granted: None,
        }
    }

    /// On how many days it has read.
    pub(super) const fn days(&self) -> f64 {
        self.ever_rarities.m
    }

    /// The same, as the score takes it.
    pub(super) fn experience(&self) -> Experience {
        Experience::of(self.days())
    }
}
