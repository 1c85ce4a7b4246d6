//! One account's part of the engine: its habit, the day it has open, and what is to be reported of it.

use serde::{Deserialize, Serialize};

use super::draft::{Draft, Tracker};
use super::habit::Habit;
use super::reach::Reach;
use super::running::Running;
use super::signs::Signs;
use super::tenant::TenantState;
use super::{DayScore, PeerGroup, Rules};
use crate::baseline::{Predictive, Scale, Tail, cap};
use crate::detect::{DayDetector, Sign};
use crate::model::WordId;
use crate::session::Read;
use crate::time::{DAY_SECONDS, day_of};

/// How many pages new to an account count on one day towards what is ordinary for it.
const MOST_NEW_PAGES: u32 = 30;

/// What is known of one account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AccountState {
    pub(super) habit: Habit,
    open: Option<Box<Running>>,
    trackers: Vec<Tracker>,
    /// Whether it ever read: single events alone make no reader.
    reads: bool,
    signs: Signs,
}

impl AccountState {
    pub(super) fn new(group: PeerGroup) -> Self {
        Self {
            habit: Habit::new(group),
            open: None,
            trackers: Vec::new(),
            reads: false,
            signs: Signs::default(),
        }
    }

    /// Notes what a single event of the account says.
    pub(super) fn note(&mut self, at: i64, sign: Sign) {
        let open = self.open.as_ref().map(|run| run.reading.whole.first);
        let reported = self.trackers.iter().filter_map(Tracker::first);
        let oldest = reported.chain(open).min().unwrap_or(at);
        self.signs.note(at, sign, oldest);
    }

    /// Takes a reading event of the account.
    pub(super) fn take(&mut self, read: &Read, reach: &mut Reach<'_>) {
        if !self.reads {
            self.reads = true;
            self.habit.group = reach.rules.group(read);
        }
        let goes_on = self
            .open
            .as_ref()
            .map(|run| run.reading.goes_on(read.at, reach.rules.gap()));
        if goes_on == Some(false) {
            self.close_session(read.account, reach);
            let same_day = self
                .open
                .as_ref()
                .is_some_and(|run| run.reading.holds(read.at));
            if same_day {
                if let Some(run) = self.open.as_mut() {
                    run.begin_session(read, reach.rules);
                }
            } else {
                self.close_day(read.account, reach);
            }
        }
        if self.open.is_none() {
            let since = self.habit.slow.day() * DAY_SECONDS;
            if reach.rules.verdicts.closed(read.account, since, read.at) {
                self.habit.slow.reset();
            }
            let run = Running::begin(read, &self.habit, reach);
            self.open = Some(Box::new(run));
        }
        self.extend(read, reach);
    }

    fn extend(&mut self, read: &Read, reach: &mut Reach<'_>) {
        let Some(mut run) = self.open.take() else {
            return;
        };
        if run.extend(read, &self.habit, reach) {
            let tested = run.tested();
            for (detector, score) in run.scores(read.account, &tested, reach.rules) {
                let period = period_of(run.reading.day, reach.rules.stable(read.account));
                let out = (&mut self.signs, &mut reach.out.drafts);
                let tracker = tracker(&mut self.trackers, detector, period, read, out);
                tracker.cross(score.severity, run.reading.day, read.at);
            }
        }
        self.open = Some(run);
    }

    /// Keeps what is reported of the session that ends, and learns from the session.
    fn close_session(&mut self, account: WordId, reach: &mut Reach<'_>) {
        let Some(run) = self.open.take() else {
            return;
        };
        for reported in run.reported(account, &self.habit, reach.rules, reach.tenant) {
            merge(&mut self.trackers, reported);
        }
        let session = &run.reading.session;
        let confirmed = reach
            .rules
            .verdicts
            .confirmed(account, (session.first, session.last));
        if session.pages > 0 && !confirmed {
            let x = session.pages - 1;
            let habits = reach.tenant.habits(self.habit.group, run.refits);
            let law = Predictive::new(
                &habits.session.shape,
                &self.habit.sessions.history.decayed(run.reading.day),
            );
            let cap = cap(&law.tail_from_zero().advanced(x), &habits.session.survival);
            self.habit.sessions.learn(x, run.reading.day, cap);
            self.habit.ever_sessions.add(x);
            reach
                .tenant
                .pool(self.habit.group, Scale::Session, run.reading.day, x);
        }
        self.open = Some(run);
    }

    /// Learns from the day that ends.
    fn close_day(&mut self, account: WordId, reach: &mut Reach<'_>) {
        let Some(run) = self.open.take() else { return };
        if let Some(days) = &mut reach.out.days {
            days.push(DayScore {
                account,
                day: run.reading.day,
                bits: run.calibrated.score,
                person_days_a_week: run.person_days_a_week,
            });
        }
        let whole = &run.reading.whole;
        let confirmed = reach
            .rules
            .verdicts
            .confirmed(account, (whole.first, whole.last));
        if !confirmed {
            self.habit
                .exports
                .learn(run.reading.day, &run.exports, whole, &reach.tenant.exports);
            self.habit
                .script
                .learn(run.reading.day, &run.script, reach.rules.detect.min_pages);
            if self.habit.group == PeerGroup::People {
                reach.tenant.exports.record(run.reading.day, &run.exports);
            }
        }
        if whole.pages > 0 {
            self.habit.granted.clone_from(&run.granted);
        }
        if whole.pages == 0 || confirmed {
            return;
        }
        let (day, x) = (run.reading.day, run.reading.whole.pages - 1);
        let habits = reach.tenant.habits(self.habit.group, run.refits);
        let tail: &Tail = run.slow.tail();
        let rarity = tail.n();
        let surprise = run.slow.surprise(&habits.rarity.survival);
        let cap = cap(tail, &habits.rarity.survival);
        self.habit.slow.close(day, surprise, run.new_pages);
        self.habit.rarity.learn(rarity, day, cap);
        self.habit
            .new_pages
            .learn(run.new_pages, day, MOST_NEW_PAGES);
        let experience = self.habit.experience();
        self.habit.ever_rarities.add(rarity);
        self.habit.seen.add(run.reading.pages());
        reach.tenant.pool(self.habit.group, Scale::Day, day, x);
        reach
            .tenant
            .pool(self.habit.group, Scale::Rarity, day, rarity);
        reach.tenant.pool_day(
            self.habit.group,
            day,
            experience,
            &run.signals,
            &run.calibrated,
        );
    }

    /// Whether there is anything to [`settle`](Self::settle) at a moment.
    pub(super) fn is_over(&self, account: WordId, instant: i64, rules: &Rules) -> bool {
        self.day_is_over(instant, rules)
            || self
                .trackers
                .iter()
                .any(|tracker| tracker.is_open() && self.is_past(tracker, account, instant, rules))
            || self.signs.is_due(instant)
    }

    /// Whether the open day is over at a moment: nothing that comes can belong to it.
    fn day_is_over(&self, instant: i64, rules: &Rules) -> bool {
        self.open.as_ref().is_some_and(|run| {
            !run.reading.holds(instant) && !run.reading.goes_on(instant, rules.gap())
        })
    }

    /// Whether the period of a tracker is over at a moment.
    fn is_past(&self, tracker: &Tracker, account: WordId, instant: i64, rules: &Rules) -> bool {
        let stable = rules.stable(account);
        let day = self.open.as_ref().map_or(i64::MAX, |run| run.reading.day);
        tracker.period() < period_of(day_of(instant).min(day), stable)
    }

    /// Closes the day that is over at a moment, and hands out the drafts of periods that are over.
    pub(super) fn settle(&mut self, account: WordId, instant: i64, reach: &mut Reach<'_>) {
        if self.day_is_over(instant, reach.rules) {
            self.close_session(account, reach);
            self.close_day(account, reach);
        }
        let mut trackers = std::mem::take(&mut self.trackers);
        let over: Vec<Draft> = trackers
            .iter_mut()
            .filter(|tracker| self.is_past(tracker, account, instant, reach.rules))
            .filter_map(|tracker| tracker.finish(account))
            .collect();
        self.trackers = trackers;
        self.signs.hand_out(over, &mut reach.out.drafts);
        self.signs.release(instant, &mut reach.out.drafts);
    }

    /// The drafts that may still grow, as they stand.
    pub(super) fn standing(
        &self,
        account: WordId,
        rules: &Rules,
        tenant: &TenantState,
    ) -> Vec<Draft> {
        let mut trackers = self.trackers.clone();
        if let Some(run) = &self.open {
            for reported in run.reported(account, &self.habit, rules, tenant) {
                merge(&mut trackers, reported);
            }
        }
        trackers
            .iter_mut()
            .filter_map(|tracker| tracker.finish(account))
            .map(|draft| self.signs.joined(draft))
            .chain(self.signs.waiting())
            .collect()
    }
}

/// The tracker of a detector's family for a period; what it held of an earlier period is handed out.
fn tracker<'a>(
    trackers: &'a mut Vec<Tracker>,
    detector: &dyn DayDetector,
    period: i64,
    read: &Read,
    (signs, out): (&mut Signs, &mut Vec<Draft>),
) -> &'a mut Tracker {
    let family = detector.meta().family;
    let at = trackers
        .iter()
        .position(|tracker| tracker.family() == family);
    let mut tracker = at.map_or_else(
        || Tracker::new(family, period),
        |at| trackers.swap_remove(at),
    );
    if tracker.period() != period {
        signs.hand_out(tracker.finish(read.account), out);
        tracker.begin(period);
    }
    trackers.push_mut(tracker)
}

fn merge(trackers: &mut [Tracker], reported: super::Reported) {
    if let Some(tracker) = trackers
        .iter_mut()
        .find(|tracker| tracker.family() == reported.family && tracker.is_open())
    {
        tracker.merge(reported);
    }
}

/// The account's own week: not everybody's turns on the same day.
fn period_of(day: i64, stable: u64) -> i64 {
    (day + i64::try_from(stable % 7).unwrap_or_default()).div_euclid(7)
}
