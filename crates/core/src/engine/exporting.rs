//! What an account exports and downloads, and how usual that is.

use serde::{Deserialize, Serialize};

use crate::baseline::{
    History, Predictive, Seen as Spaces, Shape, Survival, Tail, Weekly, cap, surprise, week_of,
    weekly::ENOUGH_PERSON_DAYS,
};
use crate::detect::Exported;
use crate::model::{Extent, WordId};
use crate::session::{EVIDENCE, Read, Seen, Tally};

/// What is assumed of the pages and files that somebody takes on a day of reading: mostly none, now and then many.
const PIECES: Shape = Shape {
    r: 0.3,
    a: 3.0,
    b: 0.3,
};

/// How many earlier days of a habit are remembered.
const REMEMBERED: usize = 8;
/// How long back (in days) a habit reaches.
const HABIT_DAYS: i64 = 180;
/// How many earlier days make a habit.
const HABIT: usize = 3;
/// From how many days of reading on it is known what an account reads.
const KNOWN_DAYS: f64 = 5.0;
/// How many days back peers' exports of spaces are counted.
const PEERS_DAYS: i64 = 28;

/// The days on which an account did something that few do often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Rhythm {
    /// Day, and how much; oldest first.
    days: Vec<(i64, u32)>,
}

impl Rhythm {
    /// The earlier days that count.
    fn lately(&self, day: i64) -> impl Iterator<Item = &(i64, u32)> {
        self.days
            .iter()
            .filter(move |(then, _)| day - then <= HABIT_DAYS)
    }

    /// How many earlier days count.
    fn count(&self, day: i64) -> u32 {
        u32::try_from(self.lately(day).count()).unwrap_or(u32::MAX)
    }

    /// Whether doing it so much on a day is what the account always does: on three earlier days or more, not much sooner
    /// after the last one than before, and at most twice as much.
    fn is_routine(&self, day: i64, amount: u32) -> bool {
        let lately: Vec<&(i64, u32)> = self.lately(day).collect();
        let (Some((last, _)), true) = (lately.last(), lately.len() >= HABIT) else {
            return false;
        };
        let most = lately.iter().map(|(_, amount)| *amount).max().unwrap_or(0);
        let shortest = lately
            .iter()
            .zip(lately.iter().skip(1))
            .map(|((before, _), (after, _))| after - before)
            .min()
            .unwrap_or(i64::MAX);
        2 * (day - last) >= shortest && amount <= most.saturating_mul(2)
    }

    fn learn(&mut self, day: i64, amount: u32) {
        if amount > 0 {
            self.days.push((day, amount));
            let over = self.days.len().saturating_sub(REMEMBERED);
            self.days.drain(..over);
        }
    }
}

/// What is known of one account's exports.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ExportHabit {
    backups: Rhythm,
    spaces: Rhythm,
    /// Pages and files on days of reading.
    pieces: History,
    /// The spaces that it has read in.
    read_in: Spaces,
}

impl ExportHabit {
    /// Learns a day that is over.
    pub(super) fn learn(
        &mut self,
        day: i64,
        exports: &ExportDay,
        whole: &Tally,
        peers: &ExportPeers,
    ) {
        self.backups.learn(day, exports.facts.backups);
        self.spaces.learn(day, exports.facts.spaces);
        let tail = exports
            .tail
            .unwrap_or_else(|| Tail::new(&PIECES, &self.pieces.decayed(day)));
        self.pieces
            .learn(exports.facts.pieces, day, cap(&tail, &peers.survival));
        if whole.views > 0 {
            self.read_in.add(whole.spaces.iter().copied());
        }
    }
}

/// What the day that is open has exported.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ExportDay {
    pub(super) facts: Exported,
    spaces: Vec<WordId>,
    /// When a backup, and a space without a name, were exported last: a record and its equal twins are one export.
    last: [Option<i64>; 2],
    tail: Option<Tail>,
    evidence: Vec<Seen>,
    omitted: u32,
}

impl ExportDay {
    /// Takes an event of an account that has read on so many days; returns whether it exported anything.
    pub(super) fn take(
        &mut self,
        (read, day): (&Read, i64),
        (habit, days): (&ExportHabit, f64),
        peers: &ExportPeers,
    ) -> bool {
        let Some(extent) = read.extent else {
            return false;
        };
        match extent {
            Extent::Site => {
                let [backup, _] = &mut self.last;
                self.facts.backups += u32::from(backup.replace(read.at) != Some(read.at));
            }
            Extent::Space => self.take_space(read, habit, days),
            Extent::Piece => {
                self.facts.pieces += 1;
                let tail = self
                    .tail
                    .get_or_insert_with(|| Tail::new(&PIECES, &habit.pieces.decayed(day)));
                tail.advance();
                self.facts.bits = self.facts.bits.max(surprise(tail, &peers.survival));
            }
        }
        let facts = &mut self.facts;
        facts.backup_days = habit.backups.count(day);
        facts.space_days = habit.spaces.count(day);
        facts.backups_routine = habit.backups.is_routine(day, facts.backups);
        facts.spaces_routine = habit.spaces.is_routine(day, facts.spaces);
        facts.usual_pieces = Predictive::new(&PIECES, &habit.pieces.decayed(day)).mean();
        facts.peers_share = peers.survival.at(facts.pieces);
        facts.peers_space_days = peers.spaces_before(day);
        if self.evidence.len() < EVIDENCE {
            self.evidence.push(Seen {
                at: read.at,
                key: read.key,
                page: read.page,
                space: read.space,
            });
        } else {
            self.omitted += 1;
        }
        true
    }

    fn take_space(&mut self, read: &Read, habit: &ExportHabit, days: f64) {
        let Some(space) = read.space else {
            let [_, unnamed] = &mut self.last;
            self.facts.spaces += u32::from(unnamed.replace(read.at) != Some(read.at));
            return;
        };
        if self.spaces.contains(&space) {
            return;
        }
        self.spaces.push(space);
        self.facts.spaces += 1;
        if days >= KNOWN_DAYS && !habit.read_in.holds(space) {
            self.facts.foreign_spaces += 1;
        }
    }

    /// The day with the exports alone as its evidence.
    pub(super) fn tally(&self, whole: &Tally) -> Tally {
        let moment = |seen: Option<&Seen>, otherwise| seen.map_or(otherwise, |seen| seen.at);
        Tally {
            first: moment(self.evidence.first(), whole.first),
            last: moment(self.evidence.last(), whole.last),
            evidence: self.evidence.clone(),
            omitted: self.omitted,
            ..whole.clone()
        }
    }
}

/// What peers export.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ExportPeers {
    /// Pages and files by person-day.
    pieces: Weekly,
    survival: Survival,
    /// How many exported a space, by day.
    spaces: Vec<(i64, u32)>,
}

impl ExportPeers {
    pub(super) fn new() -> Self {
        Self {
            pieces: Weekly::default(),
            survival: Survival::of_shape(&PIECES),
            spaces: Vec::new(),
        }
    }

    /// Counts a day of somebody that is over.
    pub(super) fn record(&mut self, day: i64, exports: &ExportDay) {
        self.pieces.record(week_of(day), exports.facts.pieces);
        if exports.facts.spaces > 0 {
            match self.spaces.iter_mut().find(|(then, _)| *then == day) {
                Some((_, count)) => *count += 1,
                None => self.spaces.push((day, 1)),
            }
        }
    }

    /// On how many person-days of the four weeks before a day somebody exported a space, the account itself included.
    fn spaces_before(&self, day: i64) -> u32 {
        self.spaces
            .iter()
            .filter(|(then, _)| (day - PEERS_DAYS..day).contains(then))
            .map(|(_, count)| count)
            .sum()
    }

    /// Learns from the weeks before `until`.
    pub(super) fn refit(&mut self, until: i64) {
        let from = self.pieces.start(until, ENOUGH_PERSON_DAYS);
        self.survival = Survival::fitted(
            &self.pieces.pooled(from, until),
            &Survival::of_shape(&PIECES),
        );
        self.pieces.forget_before(from);
        let newest = self.spaces.iter().map(|(day, _)| *day).max().unwrap_or(0);
        self.spaces
            .retain(|(day, _)| newest - day <= 2 * PEERS_DAYS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weekly(amounts: &[u32]) -> Rhythm {
        let mut rhythm = Rhythm::default();
        for (week, amount) in (0_i64..).zip(amounts) {
            rhythm.learn(week * 7, *amount);
        }
        rhythm
    }

    #[test]
    fn what_is_done_every_week_is_routine_from_the_fourth_time_on() {
        assert!(!weekly(&[1, 1]).is_routine(14, 1));
        assert!(weekly(&[1, 1, 1]).is_routine(21, 1));
        assert!(weekly(&[1; 30]).is_routine(210, 1));
    }

    #[test]
    fn sooner_than_ever_or_more_than_twice_as_much_is_not_routine() {
        assert!(!weekly(&[1; 5]).is_routine(30, 1));
        assert!(!weekly(&[2; 5]).is_routine(35, 5));
        assert!(weekly(&[2; 5]).is_routine(35, 4));
    }

    #[test]
    fn what_was_done_half_a_year_ago_is_forgotten() {
        assert!(!weekly(&[1; 5]).is_routine(28 + HABIT_DAYS, 1));
    }
}
