//! `pagewarden run`: one worker per tenant that polls on schedule, one per notifier that delivers, and a clean stop.
//!
//! A worker that fails is started again and stops no other; see `supervisor`. A reload drains all workers as a stop
//! does, and starts those of the new config over the same state; see [`Reload`].

mod lane;
mod reload;
mod requests;
mod supervisor;
mod systemd;
mod tenant;
mod watchdog;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

use self::requests::Requests;
use self::supervisor::Supervisor;
use crate::config::Retry;
use crate::deliver::Notifiers;
use crate::pulse::Pulse;
use crate::storage::{Store, StoreError};
use crate::telemetry::events::{ConfigReloaded, ServiceStarted, ServiceStopped};
use crate::tenant::Watch;
use pagewarden_core::time::Clock;

pub use self::reload::{Next, Reload, Renew};

/// How long stopping may take.
const GRACE: Duration = Duration::from_secs(4);

/// How soon a request for history that somebody left in the state file is seen, as a rule.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long it may take to look for one.
const LONGEST_LOOK: Duration = Duration::from_mins(5);

/// What the service works with.
#[derive(Debug)]
pub struct Service {
    /// The tenants.
    pub watches: Vec<Watch>,
    /// The state.
    pub store: Arc<dyn Store>,
    /// Who is told.
    pub notifiers: Notifiers,
    /// How soon messages are tried again.
    pub retry: Retry,
    /// How soon a request for history that somebody left in the state file is seen.
    pub look_every: Duration,
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
    /// The state file is of no use any more: no other try can help.
    Failed(String),
}

/// Why the workers of one config ended.
enum Ended {
    Stopped,
    Reload(Box<Next>),
    Failed(String),
}

/// Watches until asked to stop.
pub async fn serve(service: Service, stop: CancellationToken) -> Stopped {
    let first = Next {
        service,
        drain: stop.clone(),
    };
    serve_reloading(first, stop, None).await
}

/// Watches until asked to stop; where asked to reload, goes on with another config over the same state.
pub async fn serve_reloading(
    first: Next,
    stop: CancellationToken,
    reload: Option<Reload>,
) -> Stopped {
    ServiceStarted {
        tenants: first.service.watches.len(),
        notifiers: first.service.notifiers.len(),
    }
    .emit();
    let mut next = first;
    loop {
        let Next { service, drain } = next;
        let mut workers = Supervisor::new(drain.clone());
        let ended = match hire(service, &mut workers).await {
            Ok(()) => {
                systemd::ready();
                work(&mut workers, &stop, reload.as_ref()).await
            }
            Err(error) => Ended::Failed(error.to_string()),
        };
        if !matches!(ended, Ended::Reload(_)) {
            systemd::stopping();
        }
        drain.cancel();
        let drained = workers.drain(GRACE).await;
        let stopped = match ended {
            Ended::Reload(new) => {
                next = *new;
                ConfigReloaded {
                    tenants: next.service.watches.len(),
                    notifiers: next.service.notifiers.len(),
                }
                .emit();
                continue;
            }
            Ended::Failed(why) => Stopped::Failed(why),
            Ended::Stopped if drained => Stopped::Clean,
            Ended::Stopped => Stopped::Late,
        };
        ServiceStopped {
            clean: matches!(stopped, Stopped::Clean),
        }
        .emit();
        return stopped;
    }
}

/// Starts a worker for every tenant and every notifier.
async fn hire(service: Service, workers: &mut Supervisor) -> Result<(), StoreError> {
    let Service {
        watches,
        store,
        notifiers,
        retry,
        look_every,
        clock,
    } = service;
    let stop = workers.stop().clone();
    let (wake, woken) = watch::channel(());
    let wake = Arc::new(wake);
    let mut tenants = BTreeMap::new();
    for watch in watches {
        let asked = Arc::new(Notify::new());
        tenants.insert(watch.tenant(), Arc::clone(&asked));
        let name = format!("tenant `{}`", watch.name());
        let pulse = watch.pulse().clone();
        let shared = tenant::Shared {
            wake: Arc::clone(&wake),
            asked,
            stop: stop.clone(),
        };
        workers.start(name, pulse, move || {
            tenant::watch(watch.clone(), shared.clone())
        });
    }
    let requests = Requests {
        store: Arc::<dyn Store>::clone(&store),
        every: look_every,
        tenants: Arc::new(tenants),
        pulse: Pulse::new(LONGEST_LOOK),
        stop: stop.clone(),
    };
    workers.start(
        "requests for history".to_owned(),
        requests.pulse.clone(),
        move || requests.clone().watch(),
    );
    for lane in notifiers.lanes(store.as_ref()).await? {
        let name = format!("notifier `{}`", lane.name());
        let pulse = lane.pulse().clone();
        let outbox = lane::Worker {
            lane,
            store: Arc::<dyn Store>::clone(&store),
            base: retry.base,
            clock: Arc::clone(&clock),
            woken: woken.clone(),
            stop: stop.clone(),
        };
        workers.start(name, pulse, move || outbox.clone().deliver());
    }
    Ok(())
}

/// Waits for the end, whatever brings it.
async fn work(
    workers: &mut Supervisor,
    stop: &CancellationToken,
    reload: Option<&Reload>,
) -> Ended {
    let watched = workers.watched();
    tokio::select! {
        why = workers.fatal() => Ended::Failed(why),
        () = stop.cancelled() => Ended::Stopped,
        next = reload::next(reload, stop) => Ended::Reload(Box::new(next)),
        () = watchdog::feed(&watched) => Ended::Stopped,
    }
}
