//! Which messages are being delivered. One process delivers from a state file, so its memory is the right place: what it had
//! claimed is free again when it has ended, however it ended.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use rustc_hash::FxHashMap;

use super::super::Delivery;

/// For each notifier, the messages that are claimed, and until when.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<FxHashMap<String, FxHashMap<String, DateTime<Utc>>>>);

impl Claims {
    /// Claims those that nobody else has.
    pub(super) fn claim(
        &self,
        notifier: &str,
        due: Vec<Delivery>,
        (now, until): (DateTime<Utc>, DateTime<Utc>),
        at_most: usize,
    ) -> Vec<Delivery> {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = claims.entry(notifier.to_owned()).or_default();
        held.retain(|_, until| *until > now);
        let mut claimed = due;
        claimed.retain(|delivery| !held.contains_key(&delivery.id));
        claimed.truncate(at_most);
        held.extend(claimed.iter().map(|delivery| (delivery.id.clone(), until)));
        claimed
    }

    /// How many are claimed.
    pub(super) fn held(&self, notifier: &str, now: DateTime<Utc>) -> usize {
        let claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = claims.get(notifier);
        held.map_or(0, |held| {
            held.values().filter(|until| **until > now).count()
        })
    }

    /// Gives one back.
    pub(super) fn give_back(&self, delivery: &Delivery) {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = claims.get_mut(&delivery.notifier) {
            held.remove(&delivery.id);
        }
    }

    /// Gives all of a notifier back.
    pub(super) fn release(&self, notifier: &str) {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.remove(notifier);
    }
}
