//! What the whole tenant's reading says is usual: colleagues, how many are active, the line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PeerGroup;
use super::account::AccountState;
use crate::baseline::line::WARM_UP_DAYS;
use crate::baseline::{Peers, Person, Scale, Shape, Survival, fit, line, line_in_force, week_of};

/// How many days back active people are counted.
const ACTIVE_DAYS: i64 = 28;
/// Days in a week.
const WEEK: f64 = 7.0;

/// What is usual on one scale.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Usual {
    /// The prior of one account.
    pub(super) shape: Shape,
    /// What colleagues do.
    pub(super) survival: Survival,
}

impl Usual {
    fn of(shape: Shape) -> Self {
        Self {
            shape,
            survival: Survival::of_shape(&shape),
        }
    }
}

/// What is usual on both scales.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Habits {
    pub(super) session: Usual,
    pub(super) day: Usual,
}

/// What is usual in one peer group.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct GroupState {
    pooled: Peers,
    now: Habits,
    /// As it was before the last refit: what was open then is judged by it to its end.
    before: Option<Habits>,
}

impl GroupState {
    fn new(session: Shape, day: Shape) -> Self {
        let now = Habits {
            session: Usual::of(session),
            day: Usual::of(day),
        };
        Self {
            pooled: Peers::default(),
            now,
            before: None,
        }
    }
}

/// The tenant's part of the state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TenantState {
    first_day: Option<i64>,
    today: i64,
    /// How many accounts began a day of reading, by day.
    active: BTreeMap<i64, u32>,
    line: f64,
    person_days_a_week: f64,
    pub(super) ignored: u64,
    refits: u32,
    people: GroupState,
    apps: GroupState,
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
            line: f64::INFINITY,
            person_days_a_week: 0.0,
            ignored: 0,
            refits: 0,
            people: GroupState::new(Shape::usual(Scale::Session), Shape::usual(Scale::Day)),
            apps: GroupState::new(app, app),
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

    /// Passes a midnight: the line follows the people active in the four weeks before.
    pub(super) fn begin_day(&mut self, day: i64, alerts_per_week: f64) {
        self.today = day;
        self.active.retain(|active, _| *active >= day - ACTIVE_DAYS);
        let Some(first) = self.first_day else { return };
        let person_days: u32 = self.active.values().sum();
        let days = u32::try_from((day - first).clamp(1, ACTIVE_DAYS)).unwrap_or(1);
        self.person_days_a_week = f64::from(person_days) * WEEK / f64::from(days);
        self.line = line(self.person_days_a_week, alerts_per_week);
    }

    /// Counts an account that begins a day of reading.
    pub(super) fn count_active(&mut self, day: i64, alerts_per_week: f64) {
        let active = self.active.entry(day).or_default();
        *active += 1;
        if self.first_day == Some(day) {
            // Nobody knows how many there are yet: as if as many were active every day as were today.
            self.person_days_a_week = f64::from(*active) * WEEK;
            self.line = line(self.person_days_a_week, alerts_per_week);
        }
    }

    /// How many active person-days a week the line counts on.
    pub(super) const fn person_days_a_week(&self) -> f64 {
        self.person_days_a_week
    }

    /// The line in force today.
    pub(super) fn line(&self) -> f64 {
        line_in_force(self.line, self.today - self.first_day.unwrap_or(self.today))
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

    /// Counts one closed unit among those of its group.
    pub(super) fn pool(&mut self, group: PeerGroup, scale: Scale, day: i64, x: u32) {
        let group = match group {
            PeerGroup::People => &mut self.people,
            PeerGroup::Apps => &mut self.apps,
        };
        group.pooled.record(scale, week_of(day), x);
    }

    /// Learns what is usual from the weeks that ended before the Sunday before a Monday, and in the warm-up from all there
    /// is; accounts in a stable order.
    pub(super) fn refit<'a>(&mut self, day: i64, accounts: impl Iterator<Item = &'a AccountState>) {
        let (sessions, days): (Vec<Person>, Vec<Person>) = accounts
            .filter(|state| state.group == PeerGroup::People)
            .map(|state| (state.ever_sessions, state.ever_days))
            .unzip();
        let warms_up = self.warms_up(day);
        let pooled = &mut self.people.pooled;
        let running = week_of(day - 1);
        let window = pooled.window(if warms_up { running + 1 } else { running });
        let learn = |scale, units, persons: &[Person]| {
            let usual = Shape::usual(scale);
            Usual {
                shape: fit(pooled.ever(scale), persons, &usual),
                survival: Survival::fitted(units, &Survival::of_shape(&usual)),
            }
        };
        let habits = Habits {
            session: learn(Scale::Session, &window.sessions, &sessions),
            day: learn(Scale::Day, &window.days, &days),
        };
        self.people.before = Some(std::mem::replace(&mut self.people.now, habits));
        self.people.pooled.forget_before(window.from);
        self.refits += 1;
    }
}
