//! What people said of findings, as far as it changes what is told and learnt.

use rustc_hash::FxHashMap;

use crate::detect::Score;
use crate::model::{Family, Severity, Status, WordId};
use crate::time::DAY_SECONDS;

/// How long the same pattern of the same account is quieter after it was expected, in days.
const QUIET_DAYS: i64 = 28;

/// How many bits more than what was expected are told all the same.
const QUIET_BITS: f64 = 2.0;

/// What a person said of one finding, and what the finding was at that time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Marked {
    /// What was said.
    pub status: Status,
    /// When, seconds.
    pub at: i64,
    /// Of what sort of matter.
    pub family: Family,
    /// The first and the last event of the finding, seconds.
    pub span: (i64, i64),
    /// How surprising it was, in bits.
    pub bits: f64,
    /// How grave.
    pub severity: Severity,
}

/// What people said, by account.
#[derive(Debug, Clone, Default)]
pub struct Verdicts(FxHashMap<WordId, Vec<Marked>>);

impl Verdicts {
    /// Adds what was said of a finding about an account.
    pub fn add(&mut self, account: WordId, marked: Marked) {
        self.0.entry(account).or_default().push(marked);
    }

    fn of(&self, account: WordId) -> impl Iterator<Item = &Marked> {
        self.0.get(&account).into_iter().flatten()
    }

    /// Whether a judgement of a day that began at a moment is kept quiet: the same sort of matter was expected of the
    /// account in the four weeks before, and this is neither graver nor two bits more surprising.
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

    /// Whether anything of an account's reading was judged between two moments: what had added up begins anew.
    pub(super) fn closed(&self, account: WordId, from: i64, until: i64) -> bool {
        self.of(account).any(|marked| {
            marked.family == Family::Reading
                && marked.status != Status::Open
                && marked.at >= from
                && marked.at <= until
        })
    }
}
