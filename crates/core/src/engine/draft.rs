//! What is to be reported of one account, family and period, before names and ids are looked up.

use serde::{Deserialize, Serialize};

use crate::model::{Expected, Family, Severity, Signal, WordId};
use crate::session::Tally;

/// One detector's report of one session or day, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// The detector's id.
    pub detector: String,
    /// What sort of matter.
    pub family: Family,
    /// How surprising, in bits.
    pub bits: f64,
    /// The threshold in force for it, in bits.
    pub threshold: f64,
    /// Severity.
    pub severity: Severity,
    /// Why, in a sentence.
    pub reason: String,
    /// The signals, strongest first.
    pub signals: Vec<Signal>,
    /// Pages of the day that were new to the account.
    pub new_pages: u32,
    /// What is usual.
    pub expected: Expected,
    /// The roles and groups that made the account privileged; empty where it was not.
    pub grant_sources: Vec<String>,
    /// What was done.
    pub tally: Tally,
}

impl Reported {
    /// The order of two reports: severity, then bits over the threshold.
    fn weight(&self) -> (Severity, f64) {
        (self.severity, self.bits - self.threshold)
    }

    fn outweighs(&self, other: &Self) -> bool {
        let ((severity, excess), (other_severity, other_excess)) = (self.weight(), other.weight());
        severity > other_severity || (severity == other_severity && excess > other_excess)
    }
}

/// A finding as the engine knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// Whose; none where it is about nobody in particular.
    pub account: Option<WordId>,
    /// What sort of matter.
    pub family: Family,
    /// Which week of the account.
    pub period: i64,
    /// Whether the week before has a finding too.
    pub continues: bool,
    /// 1, plus one for each rise of severity or crossing on a further day.
    pub revision: u32,
    /// The highest so far.
    pub severity: Severity,
    /// When a threshold was first crossed, seconds.
    pub first_seen: i64,
    /// The last event that was over a threshold, seconds.
    pub last_seen: i64,
    /// The strongest report of each detector, strongest first; never empty.
    pub reported: Vec<Reported>,
}

/// What one account's present period has come to, in one family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tracker {
    family: Family,
    period: i64,
    /// The last period that came to something.
    last: Option<i64>,
    continues: bool,
    open: bool,
    revision: u32,
    severity: Severity,
    crossed_day: i64,
    first_seen: i64,
    last_seen: i64,
    reported: Vec<Reported>,
}

impl Tracker {
    pub(super) fn new(family: Family, period: i64) -> Self {
        Self {
            family,
            period,
            last: None,
            continues: false,
            open: true,
            revision: 0,
            severity: Severity::Low,
            crossed_day: 0,
            first_seen: 0,
            last_seen: 0,
            reported: Vec::new(),
        }
    }

    /// Begins another period.
    pub(super) fn begin(&mut self, period: i64) {
        let last = self.last;
        *self = Self {
            last,
            continues: last == Some(period - 1),
            ..Self::new(self.family, period)
        };
    }

    pub(super) const fn family(&self) -> Family {
        self.family
    }

    pub(super) const fn period(&self) -> i64 {
        self.period
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// The first second of reading that the draft reports.
    pub(super) fn first(&self) -> Option<i64> {
        self.reported
            .iter()
            .map(|reported| reported.tally.first)
            .min()
    }

    /// Notes that an event at a moment was over a threshold; counted in order of event time.
    pub(super) fn cross(&mut self, severity: Severity, day: i64, at: i64) {
        if self.revision == 0 {
            self.first_seen = at;
            self.revision = 1;
            self.severity = severity;
        } else if severity > self.severity || day != self.crossed_day {
            self.revision += 1;
            self.severity = self.severity.max(severity);
        }
        self.crossed_day = day;
        self.last_seen = at;
    }

    /// Keeps a report if it is the strongest of its detector.
    pub(super) fn merge(&mut self, reported: Reported) {
        match self
            .reported
            .iter_mut()
            .find(|kept| kept.detector == reported.detector)
        {
            Some(kept) if reported.outweighs(kept) => *kept = reported,
            Some(_) => {}
            None => self.reported.push(reported),
        }
    }

    /// Ends the period and hands out its draft, if it came to something.
    pub(super) fn finish(&mut self, account: WordId) -> Option<Draft> {
        if !self.open {
            return None;
        }
        self.open = false;
        let mut reported = std::mem::take(&mut self.reported);
        if self.revision == 0 || reported.is_empty() {
            return None;
        }
        self.last = Some(self.period);
        // Stable: equals stay in the order in which they crossed.
        reported.sort_by(|a, b| {
            let ((a_severity, a_excess), (b_severity, b_excess)) = (a.weight(), b.weight());
            b_severity
                .cmp(&a_severity)
                .then(b_excess.total_cmp(&a_excess))
        });
        Some(Draft {
            account: Some(account),
            family: self.family,
            period: self.period,
            continues: self.continues,
            revision: self.revision,
            severity: self.severity,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            reported,
        })
    }
}
