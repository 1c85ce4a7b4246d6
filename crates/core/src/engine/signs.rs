//! What single events of an account say beside its reading, and the drafts that wait for what is still to come.
//!
//! A sign joins a finding of its account that reports reading within a day of it. It begins no session, no day and no
//! baseline, and lets no time pass, so that everything else is as if it had never been.

use serde::{Deserialize, Serialize};

use super::Draft;
use crate::detect::Sign;
use crate::model::{Family, Signal};
use crate::time::DAY_SECONDS;

/// How far before or after the reading that a finding reports a sign joins the finding, in seconds.
const NEAR: i64 = DAY_SECONDS;

/// Within how many seconds signs of one name are kept as one.
const TOGETHER: i64 = 3_600;

/// One or several signs of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    signal: String,
    first: i64,
    last: i64,
    reason: String,
}

/// One account's signs of the last days, and its drafts that one may still join.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Signs {
    kept: Vec<Kept>,
    waiting: Vec<Draft>,
}

impl Signs {
    /// Notes a sign; `oldest` is the first second of reading that may still be reported.
    pub(super) fn note(&mut self, at: i64, sign: Sign, oldest: i64) {
        let waiting = self.waiting.iter().map(|draft| window(draft).0);
        let oldest = waiting.min().unwrap_or(oldest).min(oldest).min(at);
        self.kept.retain(|kept| kept.last >= oldest - NEAR);
        let same = self
            .kept
            .iter_mut()
            .rfind(|kept| kept.signal == sign.signal && at - kept.first < TOGETHER);
        match same {
            Some(kept) => kept.last = at,
            None => self.kept.push(Kept {
                signal: sign.signal.to_owned(),
                first: at,
                last: at,
                reason: sign.reason,
            }),
        }
    }

    /// Hands out drafts of periods that are over: at once, or when no sign can join them any more.
    pub(super) fn hand_out(&mut self, over: impl IntoIterator<Item = Draft>, out: &mut Vec<Draft>) {
        for draft in over {
            if is_joined(draft.family) {
                self.waiting.push(draft);
            } else {
                out.push(draft);
            }
        }
    }

    /// Whether there is a draft to [`release`](Self::release) at a moment.
    pub(super) fn is_due(&self, instant: i64) -> bool {
        self.waiting.iter().any(|draft| is_due(draft, instant))
    }

    /// Hands out the drafts that no sign from a moment on can join.
    pub(super) fn release(&mut self, instant: i64, out: &mut Vec<Draft>) {
        if !self.is_due(instant) {
            return;
        }
        let (due, waiting): (Vec<Draft>, Vec<Draft>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|draft| is_due(draft, instant));
        self.waiting = waiting;
        out.extend(due.into_iter().map(|draft| self.joined(draft)));
    }

    /// The drafts that wait, as they stand.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Draft> + '_ {
        self.waiting.iter().map(|draft| self.joined(draft.clone()))
    }

    /// A draft with the signs that join it, each name once, behind all other signals.
    pub(super) fn joined(&self, mut draft: Draft) -> Draft {
        if self.kept.is_empty() || !is_joined(draft.family) {
            return draft;
        }
        let (first, last) = window(&draft);
        let mut signals: Vec<Signal> = Vec::new();
        for kept in &self.kept {
            let near = kept.first <= last + NEAR && kept.last >= first - NEAR;
            if near && signals.iter().all(|signal| signal.name != kept.signal) {
                signals.push(Signal {
                    name: kept.signal.clone(),
                    bits: 0.0,
                    reason: kept.reason.clone(),
                });
            }
        }
        if let Some(reported) = draft.reported.last_mut() {
            reported.signals.extend(signals);
        }
        draft
    }
}

/// Whether signs join findings of a family.
const fn is_joined(family: Family) -> bool {
    match family {
        Family::Reading | Family::Export => true,
        Family::Admin | Family::Canary | Family::Blind => false,
    }
}

/// The first and last second of reading that a draft reports, as its finding will.
fn window(draft: &Draft) -> (i64, i64) {
    let otherwise = (draft.first_seen, draft.last_seen);
    let strongest = draft.reported.first();
    strongest.map_or(otherwise, |reported| {
        (reported.tally.first, reported.tally.last)
    })
}

/// Whether no sign from a moment on can join a draft.
fn is_due(draft: &Draft, instant: i64) -> bool {
    window(draft).1 + NEAR < instant
}
