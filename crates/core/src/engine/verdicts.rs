//! The verdicts of people, as far as they change what is reported and learnt.

use rustc_hash::FxHashMap;

use crate::detect::Score;
use crate::model::{Family, Severity, Status, WordId};
use crate::time::DAY_SECONDS;

/// How long the same pattern of the same account is quieter after a verdict of expected, in days.
const QUIET_DAYS: i64 = 28;

/// How many bits more than the finding that was marked expected are reported all the same.
const QUIET_BITS: f64 = 2.0;

/// A finding with a verdict: what a person said, and what the finding was at that time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Marked {
    /// The verdict.
    pub status: Status,
    /// When the verdict was given, seconds.
    pub at: i64,
    /// The finding's family.
    pub family: Family,
    /// The first and the last event of the finding, seconds.
    pub span: (i64, i64),
    /// How surprising it was, in bits.
    pub bits: f64,
    /// Severity.
    pub severity: Severity,
}

/// The findings with a verdict, by account.
#[derive(Debug, Clone, Default)]
pub struct Verdicts(FxHashMap<WordId, Vec<Marked>>);

impl Verdicts {
    /// Adds a verdict on a finding about an account.
    pub fn add(&mut self, account: WordId, marked: Marked) {
        self.0.entry(account).or_default().push(marked);
    }

    fn of(&self, account: WordId) -> impl Iterator<Item = &Marked> {
        self.0.get(&account).into_iter().flatten()
    }

    /// Whether a score of a day that began at a moment is kept quiet: a finding of the same family about the account was
    /// marked expected in the four weeks before, and this score is no more severe and less than two bits higher.
    pub(super) fn quiet(&self, account: WordId, family: Family, began: i64, score: &Score) -> bool {
        self.of(account).any(|marked| {
            marked.status == Status::Expected
                && marked.family == family
                && (marked.at..marked.at + QUIET_DAYS * DAY_SECONDS).contains(&began)
                && score.bits < marked.bits + QUIET_BITS
                && score.severity <= marked.severity
        })
    }

    /// Whether a stretch of reading belongs to what was confirmed: nothing is learnt from it.
    pub(super) fn confirmed(&self, account: WordId, (first, last): (i64, i64)) -> bool {
        self.of(account).any(|marked| {
            marked.status == Status::Confirmed && first <= marked.span.1 && last >= marked.span.0
        })
    }

    /// Whether a finding about an account's reading got a verdict between two moments: what had added up begins anew.
    pub(super) fn closed(&self, account: WordId, from: i64, until: i64) -> bool {
        self.of(account).any(|marked| {
            marked.family == Family::Reading
                && marked.status != Status::Open
                && marked.at >= from
                && marked.at <= until
        })
    }
}
