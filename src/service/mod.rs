//! `pagewarden run`: one task per tenant that polls on schedule, one that delivers, and a clean stop.
//!
//! Every task has this module as its owner, which waits for it; the first to end stops the rest.

mod systemd;
mod tenant;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::Retry;
use crate::deliver::{self, Notifiers};
use crate::storage::{Store, StoreError};
use crate::telemetry::events::{ServiceStarted, ServiceStopped};
use crate::tenant::Watch;
use pagewarden_core::time::Clock;

/// How long stopping may take.
const GRACE: Duration = Duration::from_secs(4);
/// How long at most until the outbox is looked into again.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// What the service works with.
#[derive(Debug)]
pub struct Service {
    /// The tenants.
    pub watches: Vec<Watch>,
    /// The state.
    pub store: Arc<Store>,
    /// Who is told.
    pub notifiers: Notifiers,
    /// How soon messages are tried again.
    pub retry: Retry,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// How the service ended.
#[derive(Debug)]
pub enum Stopped {
    /// It was asked to, and everything was put down in time.
    Clean,
    /// It was asked to, and something did not end in time; what was committed is safe.
    Late,
    /// A task failed.
    Failed(String),
}

/// Watches until asked to stop.
pub async fn serve(service: Service, stop: CancellationToken) -> Stopped {
    let Service {
        watches,
        store,
        notifiers,
        retry,
        clock,
    } = service;
    ServiceStarted {
        tenants: watches.len(),
        notifiers: notifiers.len(),
    }
    .emit();
    let wake = Arc::new(Notify::new());
    let mut tasks: JoinSet<Result<(), StoreError>> = JoinSet::new();
    for watch in watches {
        tasks.spawn(tenant::watch(watch, Arc::clone(&wake), stop.clone()));
    }
    tasks.spawn(deliveries(
        store,
        notifiers,
        retry,
        clock,
        wake,
        stop.clone(),
    ));
    systemd::ready();
    let mut failure = tokio::select! {
        first = tasks.join_next() => first.and_then(failure_of),
        () = stop.cancelled() => None,
        () = systemd::keep_alive() => None,
    };
    systemd::stopping();
    stop.cancel();
    let drained = timeout(GRACE, async {
        while let Some(ended) = tasks.join_next().await {
            failure = failure.take().or_else(|| failure_of(ended));
        }
    })
    .await;
    ServiceStopped {
        clean: failure.is_none() && drained.is_ok(),
    }
    .emit();
    match (failure, drained) {
        (Some(failure), _) => Stopped::Failed(failure),
        (None, Ok(())) => Stopped::Clean,
        (None, Err(_)) => Stopped::Late,
    }
}

fn failure_of(ended: Result<Result<(), StoreError>, tokio::task::JoinError>) -> Option<String> {
    match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

/// Sends what is due whenever something new lies in the outbox, or something old is due again.
async fn deliveries(
    store: Arc<Store>,
    notifiers: Notifiers,
    retry: Retry,
    clock: Arc<dyn Clock>,
    wake: Arc<Notify>,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    loop {
        deliver::send_due(&store, &notifiers, retry.base, clock.as_ref(), &stop).await?;
        let next = store
            .next_due()?
            .map(|due| (due - clock.now()).to_std().unwrap_or_default());
        let pause = next
            .unwrap_or(LOOK_EVERY)
            .clamp(Duration::from_millis(100), LOOK_EVERY);
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = wake.notified() => {}
            () = sleep(pause) => {}
        }
    }
}

/// When something is due again.
fn later(every: Duration) -> Instant {
    Instant::now() + every
}
