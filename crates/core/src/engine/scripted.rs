//! How an account reads: at which pace, and with which proof of who it is.

use serde::{Deserialize, Serialize};

use super::PeerGroup;
use super::reach::Reach;
use crate::baseline::Cadence;
use crate::detect::Scripted;
use crate::model::Auth;
use crate::session::{New, Read};

/// How long (in days) a way of proving who it is stays familiar.
const FAMILIAR_DAYS: i64 = 180;
/// On how many days an account must have read before a new way is news.
const KNOWN_DAYS: f64 = 5.0;

/// What is known of how an account reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ScriptHabit {
    /// The ways other than a browser with which it read many pages, and the last day of each.
    ways: Vec<(Auth, i64)>,
}

impl ScriptHabit {
    /// Learns a day that is over; a handful of pages makes nothing familiar.
    pub(super) fn learn(&mut self, day: i64, script: &ScriptDay, least: u32) {
        for (auth, pages) in &script.pages {
            if *pages >= least {
                self.ways.retain(|(known, _)| known != auth);
                self.ways.push((*auth, day));
            }
        }
    }

    fn knows(&self, auth: Auth, day: i64) -> bool {
        self.ways
            .iter()
            .any(|(known, last)| *known == auth && day - last <= FAMILIAR_DAYS)
    }
}

/// How the day that is open is read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ScriptDay {
    pub(super) facts: Scripted,
    cadence: Cadence,
    /// Different pages by way of proving who it is, a browser left out.
    pages: Vec<(Auth, u32)>,
}

impl ScriptDay {
    /// Begins another session of the day.
    pub(super) fn begin_session(&mut self) {
        self.cadence = Cadence::default();
    }

    /// Takes an event of an account of a group, with a habit, that has read on so many days.
    pub(super) fn take(
        &mut self,
        (read, day): (&Read, i64),
        new: New,
        known: (PeerGroup, &ScriptHabit, f64),
        reach: &Reach<'_>,
    ) {
        let (group, ..) = known;
        if reach.rules.integrations.contains(&read.account) {
            return;
        }
        if new.to_session && group == PeerGroup::People {
            self.cadence.open(read.at);
            self.facts.steady = self.cadence.steady().or(self.facts.steady);
            self.facts.hasty = self.cadence.hasty().or(self.facts.hasty);
        }
        if new.to_day && (read.auth != Auth::Session || group == PeerGroup::Apps) {
            self.count((read, day), known, reach);
        }
    }

    fn count(
        &mut self,
        (read, day): (&Read, i64),
        (group, habit, days): (PeerGroup, &ScriptHabit, f64),
        reach: &Reach<'_>,
    ) {
        let place = self.pages.iter().position(|(auth, _)| *auth == read.auth);
        let (auth, pages) = match place.and_then(|place| self.pages.get_mut(place)) {
            Some(known) => known,
            None => self.pages.push_mut((read.auth, 0)),
        };
        *pages += 1;
        let known = habit.knows(*auth, day);
        match group {
            PeerGroup::People if !known && days >= KNOWN_DAYS => {
                self.facts.days_before = days;
                if self.facts.way.is_none_or(|(_, most)| *pages > most) {
                    self.facts.way = Some((*auth, *pages));
                }
            }
            // What is there when we begin to look is not new.
            PeerGroup::Apps if habit.ways.is_empty() => {
                if !reach.tenant.warms_up(day) {
                    self.facts.new_app_pages += 1;
                }
            }
            PeerGroup::People | PeerGroup::Apps => {}
        }
    }
}
