//! One tenant's task: live polling first, history behind it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::later;
use crate::tenant::Watch;
use crate::storage::StoreError;

/// How soon a request for a backfill that somebody left in the state file is seen.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The least time between analyses while history is being read, each of which begins anew.
const RARELY: Duration = Duration::from_mins(10);
/// How many times as long as such an analysis took nothing is analysed after it.
const SHARE: u32 = 20;

/// When what is due next.
struct Due {
    access: Instant,
    audit: Instant,
    admins: Instant,
    /// Not before then is history read, after it could not be.
    history: Instant,
    /// Not before then is anything analysed while history is being read.
    analysis: Instant,
}

impl Due {
    fn next(&self) -> Instant {
        self.access.min(self.audit).min(self.admins)
    }
}

/// Polls on schedule until told to stop; reads history while nothing is due.
pub(super) async fn watch(
    mut watch: Watch,
    wake: Arc<Notify>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let schedule = watch.schedule();
    watch.request_lookback()?;
    let now = Instant::now();
    let mut due = Due {
        access: now,
        audit: now,
        admins: now,
        history: now,
        analysis: now,
    };
    while !stop.is_cancelled() {
        let now = Instant::now();
        let mut fresh = false;
        if due.admins <= now {
            watch.refresh_admins().await?;
            watch.learn_actions().await?;
            watch.warn()?;
            due.admins = later(schedule.admins);
            fresh = true;
        }
        if due.access <= now {
            watch.poll_access().await?;
            due.access = later(schedule.access);
        }
        if due.audit <= now {
            watch.poll_audits().await?;
            due.audit = later(schedule.audit);
        }
        if stop.is_cancelled() {
            break;
        }
        let may_analyse = due.analysis <= now || !watch.reads_history()?;
        if may_analyse && (fresh || watch.has_unjudged()?) {
            let began = Instant::now();
            tokio::task::block_in_place(|| watch.judge())?;
            due.analysis = later(RARELY.max(began.elapsed() * SHARE));
            watch.enter_present()?;
            wake.notify_one();
        }
        if fresh {
            tokio::task::block_in_place(|| watch.look())?;
            watch.look_at_canaries().await?;
            wake.notify_one();
        }
        let next = due.next();
        if due.history <= now && watch.has_backfill()? {
            let stopping = stop.clone();
            let mut go_on =
                |_: &str, _, _: &_, _| Instant::now() < next && !stopping.is_cancelled();
            let (outcome, _) = watch.backfill(&mut go_on).await?;
            watch.enter_present()?;
            wake.notify_one();
            if !outcome.failures.is_empty() {
                // What refuses now is asked no more often than live polling asks.
                due.history = later(schedule.access);
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep_until(next.min(later(LOOK_EVERY))) => {}
        }
    }
    Ok(())
}
