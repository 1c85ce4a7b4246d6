//! The day that an account has open, and what it has come to.

use serde::{Deserialize, Serialize};

use super::draft::Reported;
use super::exporting::ExportDay;
use super::granted;
use super::habit::Habit;
use super::reach::Reach;
use super::scripted::ScriptDay;
use super::tenant::{Habits, TenantState};
use super::{PeerGroup, Rules};
use crate::baseline::{Calibrated, History, Predictive, Readers, Signals, SlowDay, Spread, bits};
use crate::detect::{DayDetector, DayUnderTest, Expectation, Granted, REGISTRY, Score, Unit};
use crate::model::{Expected, Family, WordId};
use crate::session::{OpenDay, Read};
use crate::time::day_of;

/// The day that is open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Running {
    pub(super) reading: OpenDay,
    /// The threshold in force when the day began: it does not move under a day that grows.
    threshold: f64,
    /// How many active person-days a week that threshold counts on.
    pub(super) person_days_a_week: f64,
    /// Which habits the day is compared with: those learnt before it began.
    pub(super) refits: u32,
    /// The spread of the account's sessions when the day began, or of everybody's where it has few; an app has only its own.
    usual: Option<Spread>,
    pub(super) slow: SlowDay,
    /// Pages that the account never opened on an earlier day.
    pub(super) new_pages: u32,
    /// Those among them that nobody had opened in four weeks, though they were there.
    stale_pages: u32,
    /// What the new pages are worth together, in bits (R of equation C).
    rarity: f64,
    /// The strongest signals so far.
    pub(super) signals: Signals,
    pub(super) calibrated: Calibrated,
    /// The roles and groups that made the account privileged when its session began.
    session_grant_sources: Vec<String>,
    /// The roles and groups that made the account privileged in any session of the day.
    day_grant_sources: Vec<String>,
    /// Different pages of the day, opened in sessions that began privileged.
    privileged_pages: u32,
    canaries: u32,
    pub(super) exports: ExportDay,
    pub(super) script: ScriptDay,
    /// Pages that it opened anew on a usual day before this one, where that is known.
    usual_new: Option<f64>,
    pub(super) granted: Option<Granted>,
}

impl Running {
    /// Opens the day of an account with its first event.
    pub(super) fn begin(read: &Read, habit: &Habit, reach: &mut Reach<'_>) -> Self {
        let day = day_of(read.at);
        reach
            .tenant
            .count_active(day, reach.rules.detect.alerts_per_week);
        let refits = reach.tenant.refits();
        let habits = reach.tenant.habits(habit.group, refits);
        let sources = reach.rules.privileged(read.account, read.at);
        let usual_new = granted::usual(&habit.new_pages, day);
        let who = (read.account, read.at);
        Self {
            reading: OpenDay::begin(read.at),
            threshold: reach.tenant.threshold(),
            person_days_a_week: reach.tenant.person_days_a_week(),
            refits,
            usual: habit
                .sessions
                .spread(day)
                .or((habit.group == PeerGroup::People).then_some(habits.session_spread)),
            slow: SlowDay::new(&habits.rarity.shape, &habit.rarity.decayed(day)),
            new_pages: 0,
            stale_pages: 0,
            rarity: 0.0,
            signals: Signals::default(),
            calibrated: Calibrated::default(),
            day_grant_sources: sources.clone(),
            session_grant_sources: sources,
            privileged_pages: 0,
            canaries: 0,
            exports: ExportDay::default(),
            script: ScriptDay::default(),
            usual_new,
            granted: granted::count(reach.rules, who, habit.granted.as_ref(), usual_new),
        }
    }

    /// Begins another session of the day.
    pub(super) fn begin_session(&mut self, read: &Read, rules: &Rules) {
        self.reading.begin_session(read.at);
        self.script.begin_session();
        if self.granted.is_none() {
            let who = (read.account, read.at);
            self.granted = granted::count(rules, who, None, self.usual_new);
        }
        self.session_grant_sources = rules.privileged(read.account, read.at);
        if self.day_grant_sources.is_empty() {
            self.day_grant_sources
                .clone_from(&self.session_grant_sources);
        }
    }

    /// Takes an event; returns whether there is anything new to inspect.
    pub(super) fn extend(&mut self, read: &Read, habit: &Habit, reach: &mut Reach<'_>) -> bool {
        let new = self.reading.extend(read);
        let canary = read
            .page
            .is_some_and(|page| reach.rules.canaries.contains(&page));
        self.canaries += u32::from(canary);
        let known = (habit.group, &habit.script, habit.days());
        self.script
            .take((read, self.reading.day), new, known, reach);
        let weekly = reach.rules.detect.privileged_reading;
        if !self.session_grant_sources.is_empty() && weekly.enabled && weekly.weekly {
            reach.tenant.privileged.note(read, self.reading.day);
        }
        let exported = self.exports.take(
            (read, self.reading.day),
            (&habit.exports, habit.days()),
            &reach.tenant.exports,
        );
        if new.to_day {
            self.privileged_pages += u32::from(!self.session_grant_sources.is_empty());
            if let Some(page) = read.page {
                self.open_page(page, read, habit, reach);
            }
        }
        if new.to_session {
            let habits = reach.tenant.habits(habit.group, self.refits);
            self.update_score(habit, habits);
        }
        new.to_session || canary || exported
    }

    fn open_page(&mut self, page: WordId, read: &Read, habit: &Habit, reach: &mut Reach<'_>) {
        let today = reach.tenant.today();
        // An app that walks through everything makes no page a popular one, and a confirmed bulk collection teaches nothing.
        let teaches = habit.group == PeerGroup::People
            && !reach
                .rules
                .verdicts
                .confirmed(read.account, (read.at, read.at));
        if !habit.seen.holds(page) {
            let (bits, stale) = reach.tenant.opened_first(reach.pages.get(page), teaches);
            self.new_pages += 1;
            if let Some(granted) = &mut self.granted {
                granted.new_pages += 1;
            }
            self.stale_pages += u32::from(stale);
            self.rarity += bits;
            self.slow.reach(self.rarity);
        }
        if teaches {
            if reach.pages.get(page).is_none() {
                reach.pages.insert(page, Readers::new(today));
            }
            if let Some(readers) = reach.pages.get_mut(page) {
                readers.open(read.account, today);
            }
        }
    }

    /// What the day has come to by now.
    fn update_score(&mut self, habit: &Habit, habits: &Habits) {
        let x = |pages: u32| pages.saturating_sub(1);
        let session = x(self.reading.session.pages);
        let peers = bits(habits.session.survival.at(session))
            .max(bits(habits.day.at(x(self.reading.whole.pages))));
        let surprise = self.slow.surprise(&habits.rarity.survival);
        self.signals = Signals {
            peers: self.signals.peers.max(peers),
            own: self
                .usual
                .map_or(0.0, |usual| usual.excess(session))
                .max(self.signals.own),
            new: (1.0 + f64::from(self.new_pages) + self.rarity).log2(),
            rare: (1.0 + self.rarity).log2(),
            slow: habit.slow.signal(self.reading.day, surprise),
        };
        self.calibrated = match habit.group {
            PeerGroup::People => habits.scoring.score(habit.experience(), &self.signals),
            PeerGroup::Apps => habits.scoring.score_alone(&self.signals),
        };
    }

    /// The day as detectors see it.
    pub(super) fn tested(&self) -> DayUnderTest<'_> {
        DayUnderTest {
            session: &self.reading.session,
            day: &self.reading.whole,
            signals: self.signals,
            calibrated: self.calibrated,
            threshold: self.threshold,
            new_pages: self.new_pages,
            stale_pages: self.stale_pages,
            privileged: !self.day_grant_sources.is_empty(),
            privileged_pages: self.privileged_pages,
            canaries: self.canaries,
            exported: self.exports.facts,
            scripted: self.script.facts,
            granted: self.granted.as_ref(),
        }
    }

    /// The scores of the day as it stands, without those that a verdict of expected keeps quiet.
    pub(super) fn scores<'s>(
        &'s self,
        account: WordId,
        tested: &'s DayUnderTest<'s>,
        rules: &'s Rules,
    ) -> impl Iterator<Item = (&'static dyn DayDetector, Score)> + 's {
        let began = self.reading.whole.first;
        REGISTRY
            .into_iter()
            .filter(|detector| detector.enabled(&rules.detect))
            .filter_map(|detector| {
                let score = detector.inspect(tested, &rules.detect)?;
                Some((detector, score))
            })
            .filter(move |(detector, score)| {
                let family = detector.meta().family;
                !rules.verdicts.quiet(account, family, began, score)
            })
    }

    /// What the detectors report of the day as it stands.
    pub(super) fn reported(
        &self,
        id: WordId,
        habit: &Habit,
        rules: &Rules,
        tenant: &TenantState,
    ) -> Vec<Reported> {
        let tested = self.tested();
        let scores: Vec<_> = self.scores(id, &tested, rules).collect();
        if scores.is_empty() {
            return Vec::new();
        }
        let expectation = self.expectation(habit, tenant.habits(habit.group, self.refits));
        scores
            .into_iter()
            .map(|(detector, score)| Reported {
                detector: detector.meta().id.to_owned(),
                family: detector.meta().family,
                bits: score.bits,
                threshold: score.threshold,
                severity: score.severity,
                reason: detector.reason(&tested, &expectation, &rules.detect),
                signals: detector.signals(&tested, &expectation, &rules.detect),
                expected: Expected {
                    pages: expectation.mean.unwrap_or(expectation.newcomer),
                    pages_p99: expectation.p99,
                },
                new_pages: self.new_pages,
                grant_sources: self.day_grant_sources.clone(),
                tally: match (detector.meta().family, expectation.unit) {
                    (Family::Export, _) => self.exports.tally(&self.reading.whole),
                    (_, Unit::Session) => self.reading.session.clone(),
                    (_, Unit::Day) => self.reading.whole.clone(),
                },
            })
            .collect()
    }

    /// What is usual, for the sentence.
    fn expectation(&self, habit: &Habit, habits: &Habits) -> Expectation {
        let law = Predictive::new(
            &habits.session.shape,
            &habit.sessions.history.decayed(self.reading.day),
        );
        let x = |pages: u32| pages.saturating_sub(1);
        let session = habits.session.survival.at(x(self.reading.session.pages));
        let day = habits.day.at(x(self.reading.whole.pages));
        // A session says more than a day, unless the day is clearly the rarer one.
        let (unit, peers) = if bits(session) + 1.0 >= bits(day) {
            (Unit::Session, session)
        } else {
            (Unit::Day, day)
        };
        let mean = |history: &History| (history.m > 0.0).then(|| history.sum / history.m);
        Expectation {
            unit,
            mean: mean(&habit.sessions.history).map(|x| x + 1.0),
            // The mean of an app without a past is infinite; half of its sessions stay under the median.
            newcomer: finite(law.mean(), law.quantile(0.5)) + 1.0,
            new_pages: mean(&habit.new_pages),
            p99: law.quantile(0.99) + 1,
            peers,
            slow: habit.slow.since(),
        }
    }
}

/// A mean, or the median where there is none.
fn finite(mean: f64, median: u32) -> f64 {
    if mean.is_finite() {
        mean
    } else {
        f64::from(median)
    }
}
