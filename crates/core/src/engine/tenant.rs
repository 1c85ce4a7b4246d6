//! What the whole tenant's reading says is usual: peers, pages, how many are active, the alert threshold.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::PeerGroup;
use super::exporting::ExportPeers;
use super::habit::Habit;
use super::privileged_weeks::PrivilegedWeeks;
use crate::baseline::readers::READER_DAYS;
use crate::baseline::threshold::WARM_UP_DAYS;
use crate::baseline::{
    Calibrated, Experience, FirstViews, Histogram, Peers, Person, Pooled, Rarity, Readers, Scale,
    Scoring, Shape, Signals, Spread, Survival, fit, threshold, threshold_in_force, week_of,
};

/// How many days back active people are counted.
const ACTIVE_DAYS: i64 = 28;
/// Days in a week.
const WEEK: f64 = 7.0;

/// What is usual on one scale.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ScaleHabits {
    /// The prior of one account.
    pub(super) shape: Shape,
    /// What peers do.
    pub(super) survival: Survival,
}

impl ScaleHabits {
    fn of(shape: Shape) -> Self {
        Self {
            shape,
            survival: Survival::of_shape(&shape),
        }
    }
}

/// What is usual among peers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Habits {
    pub(super) session: ScaleHabits,
    pub(super) day: Survival,
    pub(super) rarity: ScaleHabits,
    /// The sessions of all, for whoever has few of their own.
    pub(super) session_spread: Spread,
    pub(super) scoring: Scoring,
}

/// What is usual in one peer group.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct GroupState {
    pooled: Peers,
    days: Pooled,
    /// Shared by the copies of the engine: it is large, and only a refit replaces it.
    now: Arc<Habits>,
    /// As it was before the last refit: days that were open then are compared with it to their end.
    before: Option<Arc<Habits>>,
}

impl GroupState {
    fn new(session: Shape, day: Shape) -> Self {
        let session = ScaleHabits::of(session);
        let now = Habits {
            session_spread: everybody(&Histogram::default()),
            session,
            day: Survival::of_shape(&day),
            rarity: ScaleHabits::of(Shape::usual(Scale::Rarity)),
            scoring: Scoring::default(),
        };
        Self {
            pooled: Peers::default(),
            days: Pooled::default(),
            now: Arc::new(now),
            before: None,
        }
    }

    /// Learns from the weeks before `until`.
    fn refit(&mut self, until: i64, sessions: &[Person], rarities: &[Person], usual: &Habits) {
        let window = self.pooled.window(until);
        let habits = Habits {
            session: ScaleHabits {
                shape: fit(self.pooled.ever_sessions(), sessions, &usual.session.shape),
                survival: Survival::fitted(&window.sessions, &usual.session.survival),
            },
            day: Survival::fitted(&window.days, &usual.day),
            rarity: ScaleHabits {
                shape: fit(self.pooled.ever_rarities(), rarities, &usual.rarity.shape),
                survival: Survival::fitted(&window.rarities, &usual.rarity.survival),
            },
            session_spread: everybody(&window.sessions),
            scoring: self.days.scoring(until),
        };
        self.before = Some(std::mem::replace(&mut self.now, Arc::new(habits)));
        self.pooled.forget_before(window.from);
        self.days.forget(until);
    }
}

/// The spread of everybody's sessions; as if a few small ones had been seen where there are none.
fn everybody(sessions: &Histogram) -> Spread {
    let (mut count, mut sum, mut squares) = (10.0, 20.0, 100.0);
    for (x, times) in sessions.iter() {
        let times = u32::try_from(times).map_or(f64::from(u32::MAX), f64::from);
        count += times;
        sum += times * x;
        squares += times * x * x;
    }
    Spread::of(count, sum, squares)
}

/// The tenant's part of the state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TenantState {
    first_day: Option<i64>,
    today: i64,
    /// How many accounts began a day of reading, by day.
    active: BTreeMap<i64, u32>,
    /// How many active person-days there were in the last so many days, today not counted.
    exposure: Vec<u32>,
    threshold: f64,
    person_days_a_week: f64,
    pub(super) suppressed: u64,
    refits: u32,
    first_views: FirstViews,
    rarity: Rarity,
    people: GroupState,
    apps: GroupState,
    pub(super) exports: ExportPeers,
    pub(super) privileged: PrivilegedWeeks,
}

impl TenantState {
    pub(super) fn new() -> Self {
        // No two integrations are alike: until one has a past of its own, hardly any number is a surprise.
        let app = Shape {
            r: 0.5,
            a: 0.8,
            b: 4.0,
        };
        Self {
            first_day: None,
            today: 0,
            active: BTreeMap::new(),
            exposure: vec![0],
            threshold: f64::INFINITY,
            person_days_a_week: 0.0,
            suppressed: 0,
            refits: 0,
            first_views: FirstViews::default(),
            rarity: Rarity::default(),
            people: GroupState::new(Shape::usual(Scale::Session), Shape::usual(Scale::Day)),
            apps: GroupState::new(app, app),
            exports: ExportPeers::new(),
            privileged: PrivilegedWeeks::default(),
        }
    }

    /// The day that runs; none where this is the first event of all, which begins it.
    pub(super) fn begin(&mut self, day: i64) -> Option<i64> {
        if self.first_day.is_some() {
            return Some(self.today);
        }
        self.first_day = Some(day);
        self.today = day;
        None
    }

    /// Passes a midnight: the threshold follows the people active in the four weeks before.
    pub(super) fn begin_day(&mut self, day: i64, alerts_per_week: f64) {
        self.today = day;
        self.active.retain(|active, _| *active >= day - ACTIVE_DAYS);
        let Some(first) = self.first_day else { return };
        self.exposure = (0..=READER_DAYS)
            .scan(0, |sum: &mut u32, back| {
                let there = self.active.get(&(day - back)).filter(|_| back > 0);
                *sum = sum.saturating_add(there.copied().unwrap_or(0));
                Some(*sum)
            })
            .collect();
        let person_days: u32 = self.active.values().sum();
        let days = u32::try_from((day - first).clamp(1, ACTIVE_DAYS)).unwrap_or(1);
        self.person_days_a_week = f64::from(person_days) * WEEK / f64::from(days);
        self.threshold = threshold(self.person_days_a_week, alerts_per_week);
    }

    /// Counts an account that begins a day of reading.
    pub(super) fn count_active(&mut self, day: i64, alerts_per_week: f64) {
        let active = self.active.entry(day).or_default();
        *active += 1;
        if self.first_day == Some(day) {
            // Nobody knows how many there are yet: as if as many were active every day as were today.
            self.person_days_a_week = f64::from(*active) * WEEK;
            self.threshold = threshold(self.person_days_a_week, alerts_per_week);
        }
    }

    /// How many active person-days a week the threshold counts on.
    pub(super) const fn person_days_a_week(&self) -> f64 {
        self.person_days_a_week
    }

    /// The threshold in force today.
    pub(super) fn threshold(&self) -> f64 {
        threshold_in_force(
            self.threshold,
            self.today - self.first_day.unwrap_or(self.today),
        )
    }

    /// The day that runs.
    pub(super) const fn today(&self) -> i64 {
        self.today
    }

    /// Whether a day lies in the warm-up of the tenant, when habits are learnt daily.
    pub(super) fn warms_up(&self, day: i64) -> bool {
        self.first_day
            .is_some_and(|first| day - first < WARM_UP_DAYS)
    }

    /// How often habits were learnt anew.
    pub(super) const fn refits(&self) -> u32 {
        self.refits
    }

    /// What is usual in a group, as known after so many refits (the last two are kept).
    pub(super) fn habits(&self, group: PeerGroup, refits: u32) -> &Habits {
        let group = match group {
            PeerGroup::People => &self.people,
            PeerGroup::Apps => &self.apps,
        };
        if refits == self.refits {
            &group.now
        } else {
            group.before.as_ref().unwrap_or(&group.now)
        }
    }

    fn group(&mut self, group: PeerGroup) -> &mut GroupState {
        match group {
            PeerGroup::People => &mut self.people,
            PeerGroup::Apps => &mut self.apps,
        }
    }

    /// Counts one closed unit among those of its group.
    pub(super) fn pool(&mut self, group: PeerGroup, scale: Scale, day: i64, x: u32) {
        self.group(group).pooled.record(scale, week_of(day), x);
    }

    /// Counts what a person-day came to.
    pub(super) fn pool_day(
        &mut self,
        group: PeerGroup,
        day: i64,
        experience: Experience,
        signals: &Signals,
        calibrated: &Calibrated,
    ) {
        self.group(group)
            .days
            .record(week_of(day), experience, signals, calibrated);
    }

    /// How many bits the first view of a page by a person is worth, and whether the page is stale: there for days, and
    /// opened by nobody in four weeks.
    pub(super) fn opened_first(&mut self, page: Option<&Readers>, teaches: bool) -> (f64, bool) {
        let known = page.filter(|page| page.first() < self.today).map(|page| {
            let back = (self.today - page.first()).min(READER_DAYS);
            let active = usize::try_from(back)
                .ok()
                .and_then(|back| self.exposure.get(back))
                .copied();
            let readers = page.before(self.today);
            (self.rarity.rate(readers, active.unwrap_or(0)), readers == 0)
        });
        let rate = known.map(|(rate, _)| rate);
        if teaches {
            self.first_views.record(week_of(self.today), rate);
        }
        let bits = rate.map_or(self.rarity.unseen(), |rate| self.rarity.bits(rate));
        (bits, known.is_some_and(|(_, stale)| stale))
    }

    /// Learns what is usual from the weeks that ended before the Sunday before a Monday, and in the warm-up from all there
    /// is; accounts in a stable order.
    pub(super) fn refit(&mut self, day: i64, habits: &[&Habit]) {
        let running = week_of(day - 1);
        let until = if self.warms_up(day) {
            running + 1
        } else {
            running
        };
        let of = |group: PeerGroup| -> (Vec<Person>, Vec<Person>) {
            habits
                .iter()
                .filter(|habit| habit.group == group)
                .map(|habit| (habit.ever_sessions, habit.ever_rarities))
                .unzip()
        };
        let blank = Self::new();
        for (group, fallback) in [
            (PeerGroup::People, &blank.people.now),
            (PeerGroup::Apps, &blank.apps.now),
        ] {
            let (sessions, rarities) = of(group);
            self.group(group)
                .refit(until, &sessions, &rarities, fallback);
        }
        self.rarity = self.first_views.rarity(until);
        self.exports.refit(until);
        self.refits += 1;
    }
}
