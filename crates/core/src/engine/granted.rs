//! What an account reads that it never read before, since it became privileged.

use super::Rules;
use crate::baseline::History;
use crate::detect::Granted;
use crate::model::WordId;

/// From how many days of reading on it is known what an account usually reads anew.
const KNOWN_DAYS: f64 = 5.0;

/// How many pages that it never read before an account opens on a day of reading; none where too little is known.
pub(super) fn usual(new_pages: &History, day: i64) -> Option<f64> {
    let past = new_pages.decayed(day);
    (past.m >= KNOWN_DAYS).then(|| past.sum / past.m)
}

/// What has been counted since an account became privileged, if it did lately, on a day that begins or goes on.
pub(super) fn count(
    rules: &Rules,
    (account, at): (WordId, i64),
    before: Option<&Granted>,
    usual: Option<f64>,
) -> Option<Granted> {
    let within = i64::try_from(rules.detect.admin_grant.within.as_secs()).unwrap_or(i64::MAX / 4);
    let id = rules.rostered.get(&account)?;
    let (since, source) = rules.roster.became_privileged(id, at - within, at)?;
    Some(match before.filter(|before| before.at == since) {
        Some(before) => Granted {
            days: before.days + 1,
            ..before.clone()
        },
        None => Granted {
            at: since,
            grant_source: source.label().to_owned(),
            days: 1,
            new_pages: 0,
            usual,
        },
    })
}
