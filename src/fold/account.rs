//! One account's part of the fold: its habits, the day it has open, and what of it is to be told.

use serde::{Deserialize, Serialize};

use super::draft::{Draft, Told, Tracker};
use super::tenant::{TenantState, Usual};
use super::{DayScore, Out, PeerGroup, Rules};
use crate::baseline::{History, Person, Scale, Tail, bits, cap, surprise};
use crate::detect::{self, Detector, REGISTRY, Subject, Unit};
use crate::model::{Expected, WordId};
use crate::sessionize::{OpenDay, Read, Tally};
use crate::time::day_of;

/// What is known of one account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AccountState {
    pub(super) group: PeerGroup,
    session: History,
    day: History,
    /// All sessions and days ever, for the fit of the peer group.
    pub(super) ever_sessions: Person,
    pub(super) ever_days: Person,
    open: Option<Box<Running>>,
    trackers: Vec<Tracker>,
}

/// The day that is open, and how surprising it has become.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Running {
    reading: OpenDay,
    session_tail: Tail,
    day_tail: Tail,
    /// The line in force when the day began: it does not move under a day that grows.
    line: f64,
    /// Which habits the day is judged by: those learnt before it began.
    refits: u32,
    /// Why the account was privileged when its session began.
    session_via: Vec<String>,
    /// Why it was privileged in any session of the day.
    day_via: Vec<String>,
    /// Different pages of the day, opened in sessions that began privileged.
    privileged_pages: u32,
    canaries: u32,
}

/// One of the two units that run, with what is usual for it.
struct View<'a> {
    unit: Unit,
    tally: &'a Tally,
    tail: &'a Tail,
    usual: &'a Usual,
    via: &'a [String],
}

impl AccountState {
    pub(super) fn new(group: PeerGroup) -> Self {
        Self {
            group,
            session: History::default(),
            day: History::default(),
            ever_sessions: Person::default(),
            ever_days: Person::default(),
            open: None,
            trackers: Vec::new(),
        }
    }

    /// Takes an event of the account.
    pub(super) fn take(
        &mut self,
        read: &Read,
        rules: &Rules<'_>,
        tenant: &mut TenantState,
        out: &mut Out,
    ) {
        if self
            .open
            .as_ref()
            .is_some_and(|run| !run.reading.goes_on(read.at, rules.gap()))
        {
            self.close_session(rules, tenant);
            if self
                .open
                .as_ref()
                .is_some_and(|run| run.reading.day != day_of(read.at))
            {
                self.close_day(read.account, rules, tenant, out);
            } else {
                self.begin_session(read, rules, tenant);
            }
        }
        if self.open.is_none() {
            self.begin_day(read, rules, tenant);
        }
        self.extend(read, rules, tenant, out);
    }

    fn begin_day(&mut self, read: &Read, rules: &Rules<'_>, tenant: &mut TenantState) {
        let day = day_of(read.at);
        tenant.count_active(day, rules.detect.alerts_per_week);
        let group = tenant.habits(self.group, tenant.refits());
        let via = rules.privileged(read.account, read.at);
        self.open = Some(Box::new(Running {
            reading: OpenDay::begin(read.at),
            session_tail: Tail::new(&group.session.shape, &self.session.decayed(day)),
            day_tail: Tail::new(&group.day.shape, &self.day.decayed(day)),
            line: tenant.line(),
            refits: tenant.refits(),
            day_via: via.clone(),
            session_via: via,
            privileged_pages: 0,
            canaries: 0,
        }));
    }

    fn begin_session(&mut self, read: &Read, rules: &Rules<'_>, tenant: &TenantState) {
        let Some(run) = self.open.as_mut() else {
            return;
        };
        run.reading.begin_session(read.at);
        let history = self.session.decayed(run.reading.day);
        run.session_tail = Tail::new(
            &tenant.habits(self.group, run.refits).session.shape,
            &history,
        );
        run.session_via = rules.privileged(read.account, read.at);
        if run.day_via.is_empty() {
            run.day_via.clone_from(&run.session_via);
        }
    }

    fn extend(&mut self, read: &Read, rules: &Rules<'_>, tenant: &TenantState, out: &mut Out) {
        let Some(run) = self.open.as_mut() else {
            return;
        };
        let new = run.reading.extend(read);
        let canary = read.page.is_some_and(|page| rules.canaries.contains(&page));
        run.canaries += u32::from(canary);
        if new.to_session && run.reading.session.pages > 1 {
            run.session_tail.advance();
        }
        if new.to_day {
            if run.reading.whole.pages > 1 {
                run.day_tail.advance();
            }
            run.privileged_pages += u32::from(!run.session_via.is_empty());
        }
        if !(new.to_session || canary) {
            return;
        }
        let group = tenant.habits(self.group, run.refits);
        for view in run.views(&group.session, &group.day) {
            let subject = run.subject(&view);
            for detector in REGISTRY
                .into_iter()
                .filter(|detector| detector.enabled(rules.detect))
            {
                if let Some(score) = detector.inspect(&subject, rules.detect) {
                    let stable = rules.stable.get(&read.account).copied().unwrap_or_default();
                    let period = period_of(run.reading.day, stable);
                    let tracker = tracker(&mut self.trackers, detector, period, read, out);
                    tracker.cross(score.severity, run.reading.day, read.at);
                }
            }
        }
    }

    fn close_session(&mut self, rules: &Rules<'_>, tenant: &mut TenantState) {
        let Some(run) = self.open.as_ref() else {
            return;
        };
        let group = tenant.habits(self.group, run.refits);
        let [session, _] = run.views(&group.session, &group.day);
        for told in run.told(&session, rules) {
            merge(&mut self.trackers, told);
        }
        if run.reading.session.pages > 0 {
            let x = run.session_tail.n();
            let cap = cap(&run.session_tail, &group.session.survival);
            self.session.learn(x, run.reading.day, cap);
            self.ever_sessions.add(x);
            tenant.pool(self.group, Scale::Session, run.reading.day, x);
        }
    }

    fn close_day(
        &mut self,
        account: WordId,
        rules: &Rules<'_>,
        tenant: &mut TenantState,
        out: &mut Out,
    ) {
        let Some(run) = self.open.take() else { return };
        let group = tenant.habits(self.group, run.refits);
        let [_, day] = run.views(&group.session, &group.day);
        if let Some(days) = &mut out.days {
            days.push(DayScore {
                account,
                day: run.reading.day,
                bits: surprise(day.tail, &day.usual.survival),
                person_days_a_week: tenant.person_days_a_week(),
            });
        }
        for told in run.told(&day, rules) {
            merge(&mut self.trackers, told);
        }
        if run.reading.whole.pages > 0 {
            let x = run.day_tail.n();
            let cap = cap(&run.day_tail, &group.day.survival);
            self.day.learn(x, run.reading.day, cap);
            self.ever_days.add(x);
            tenant.pool(self.group, Scale::Day, run.reading.day, x);
        }
    }

    /// Closes a day that is over at a moment, and hands out the drafts of periods that are over; tells whether anything changed.
    pub(super) fn settle(
        &mut self,
        account: WordId,
        instant: i64,
        rules: &Rules<'_>,
        tenant: &mut TenantState,
        out: &mut Out,
    ) -> bool {
        let over = self.open.as_ref().is_some_and(|run| {
            run.reading.day < day_of(instant) && !run.reading.goes_on(instant, rules.gap())
        });
        if over {
            self.close_session(rules, tenant);
            self.close_day(account, rules, tenant, out);
        }
        let stable = rules.stable.get(&account).copied().unwrap_or_default();
        let open_period = self
            .open
            .as_ref()
            .map_or(i64::MAX, |run| period_of(run.reading.day, stable));
        let present = period_of(day_of(instant), stable).min(open_period);
        let mut ended = false;
        for tracker in self
            .trackers
            .iter_mut()
            .filter(|tracker| tracker.is_open() && tracker.period() < present)
        {
            out.drafts.extend(tracker.finish(account));
            ended = true;
        }
        over || ended
    }

    /// The drafts that may still grow, as they stand.
    pub(super) fn standing(
        &self,
        account: WordId,
        rules: &Rules<'_>,
        tenant: &TenantState,
    ) -> Vec<Draft> {
        let mut trackers = self.trackers.clone();
        if let Some(run) = &self.open {
            let group = tenant.habits(self.group, run.refits);
            for view in run.views(&group.session, &group.day) {
                for told in run.told(&view, rules) {
                    merge(&mut trackers, told);
                }
            }
        }
        trackers
            .iter_mut()
            .filter_map(|tracker| tracker.finish(account))
            .collect()
    }
}

impl Running {
    fn views<'a>(&'a self, session: &'a Usual, day: &'a Usual) -> [View<'a>; 2] {
        [
            View {
                unit: Unit::Session,
                tally: &self.reading.session,
                tail: &self.session_tail,
                usual: session,
                via: &self.session_via,
            },
            View {
                unit: Unit::Day,
                tally: &self.reading.whole,
                tail: &self.day_tail,
                usual: day,
                via: &self.day_via,
            },
        ]
    }

    fn subject<'a>(&self, view: &View<'a>) -> Subject<'a> {
        Subject {
            unit: view.unit,
            tally: view.tally,
            bits: surprise(view.tail, &view.usual.survival),
            line: self.line,
            privileged: !view.via.is_empty(),
            privileged_pages: self.privileged_pages,
            canaries: self.canaries,
        }
    }

    /// What the detectors tell of a unit as it stands.
    fn told(&self, view: &View<'_>, rules: &Rules<'_>) -> Vec<Told> {
        let subject = self.subject(view);
        let scores = REGISTRY
            .into_iter()
            .filter(|detector| detector.enabled(rules.detect))
            .filter_map(|detector| {
                detector
                    .inspect(&subject, rules.detect)
                    .map(|score| (detector, score))
            });
        scores
            .map(|(detector, score)| {
                let law = view.tail.law();
                let usual = detect::Usual {
                    mean: law.mean() + 1.0,
                    p99: law.quantile(0.99) + 1,
                    colleagues_bits: bits(view.usual.survival.at(view.tail.n())),
                };
                Told {
                    detector: detector.meta().id.to_owned(),
                    family: detector.meta().family,
                    signal: detector.signal(view.unit).to_owned(),
                    bits: score.bits,
                    line: score.line,
                    severity: score.severity,
                    because: detector.because(&subject, &usual, rules.detect),
                    expected: Expected {
                        pages: usual.mean,
                        pages_p99: usual.p99,
                    },
                    via: view.via.to_vec(),
                    tally: view.tally.clone(),
                }
            })
            .collect()
    }
}

/// The tracker of a detector's family for a period; what it held of an earlier period is handed out.
fn tracker<'a>(
    trackers: &'a mut Vec<Tracker>,
    detector: &dyn Detector,
    period: i64,
    read: &Read,
    out: &mut Out,
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
        out.drafts.extend(tracker.finish(read.account));
        tracker.begin(period);
    }
    trackers.push_mut(tracker)
}

fn merge(trackers: &mut [Tracker], told: Told) {
    if let Some(tracker) = trackers
        .iter_mut()
        .find(|tracker| tracker.family() == told.family && tracker.is_open())
    {
        tracker.merge(told);
    }
}

/// The account's own week: not everybody's turns on the same day.
fn period_of(day: i64, stable: u64) -> i64 {
    (day + i64::try_from(stable % 7).unwrap_or_default()).div_euclid(7)
}
