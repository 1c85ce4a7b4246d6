//! One tenant, watched: polling every stream, reading history, and analysing both.

mod analyse;
mod backfill;
mod canaries;
mod history;

mod log_health;
mod poll;
mod source;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

pub use self::backfill::SpanProgress;
pub use self::source::{OpenError, credentials, host, scored_sites};
use self::source::{Source, sources};
use crate::analysis;
use crate::atlassian::{Mapper, Organization};
use crate::config::{self, Config, Detect};
use crate::coverage::coverage;
use crate::http::{PATIENCE, Transport};
use crate::ingest::{Plan, Target};
use crate::pulse::Pulse;
use crate::storage::{Store, StoreError, StreamId, TenantId};
use crate::telemetry::events::{CoverageMissing, CredentialEnding};
use pagewarden_core::model::Stream;
use pagewarden_core::time::Clock;

/// From how many days before its end a credential is warned of.
const ENDING_DAYS: i64 = 30;

/// How long a request may take, with all its tries and rests.
fn longest_request(retry: config::Retry) -> Duration {
    (retry.timeout + PATIENCE).saturating_mul(retry.attempts.max(1))
}

/// One stream of the tenant.
#[derive(Debug)]
struct Followed {
    id: StreamId,
    stream: Stream,
    source: Source,
}

impl Followed {
    /// How messages call it.
    fn words(&self) -> String {
        match &self.stream.site {
            None => "the organisation's events".to_owned(),
            Some(site) => format!("the audit log of {site}"),
        }
    }
}

/// How long anything but requests and analyses may take.
const LONGEST_STEP: Duration = Duration::from_mins(5);

/// How many tenants are analysed at a time: each takes a processor, and memory.
const ANALYSES: usize = 2;

/// What all tenants share.
#[derive(Debug, Clone)]
pub struct Resources {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Ends all work.
    pub stop: CancellationToken,
    /// How requests are carried.
    pub transport: Transport,
    /// How many more analyses there may be at a time.
    pub analyses: Arc<Semaphore>,
    /// What analyses keep in memory.
    pub cache: Arc<analysis::Cache>,
}

impl Resources {
    /// With requests over the network.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
        state: &config::State,
    ) -> Self {
        Self {
            cache: Arc::new(analysis::Cache::new(state.cache_mib)),
            store,
            clock,
            stop,
            transport: Transport::default(),
            analyses: Arc::new(Semaphore::new(ANALYSES)),
        }
    }
}

/// One tenant, ready to be watched. Clones watch the same tenant.
#[derive(Debug, Clone)]
pub struct Watch {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    settings: config::Tenant,
    detect: Detect,
    notifiers: Vec<config::Notifier>,
    tenant: TenantId,
    streams: Arc<[Followed]>,
    mapper: Arc<RwLock<Arc<Mapper>>>,
    stop: CancellationToken,
    pulse: Pulse,
    /// How many analyses there may be at a time, over all tenants.
    analyses: Arc<Semaphore>,
    /// What analyses keep in memory, of all tenants.
    cache: Arc<analysis::Cache>,
    /// Analyses it.
    analyst: Arc<Mutex<analysis::Analyst>>,
    /// Whether it was said that the clock of this machine is behind a server's.
    clock_behind: Arc<AtomicBool>,
    /// Whether failures are logged; false where the caller shows them.
    logs_failures: bool,
}

impl Watch {
    /// Reads the secrets, builds the clients, and makes the tenant known to the store.
    pub async fn open(
        resources: &Resources,
        config: &Config,
        settings: &config::Tenant,
    ) -> Result<Self, OpenError> {
        let Resources {
            store,
            clock,
            stop,
            transport,
            analyses,
            cache,
        } = resources.clone();
        // Secrets first, so that nothing is written where one is missing.
        let sources = sources(config.retry, settings, &stop, &transport)?;
        let id = settings.organization.as_ref();
        let id = id.map(|organization| organization.id.as_str());
        let tenant = store.tenant(&settings.name, id, clock.now()).await?;
        let mut streams = Vec::with_capacity(sources.len());
        for (stream, source) in sources {
            streams.push(Followed {
                id: store.stream(tenant, &stream).await?,
                stream,
                source,
            });
        }
        let (actions, _) = store.actions(tenant).await?;
        // Made by another config, or by a worker that failed.
        cache.forget(tenant);
        Ok(Self {
            mapper: Arc::new(RwLock::new(Arc::new(Mapper::new(
                &settings.actions,
                &actions,
            )))),
            pulse: Pulse::new(longest_request(config.retry) + LONGEST_STEP),
            settings: settings.clone(),
            detect: settings.detect.clone(),
            notifiers: config.notifiers.clone(),
            store,
            clock,
            tenant,
            streams: streams.into(),
            stop,
            analyses,
            analyst: Arc::new(Mutex::new(analysis::Analyst::resident(Arc::clone(&cache)))),
            cache,
            clock_behind: Arc::default(),
            logs_failures: true,
        })
    }

    /// The tenant's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its number in the state.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Leaves failures to the caller, which finds them in every [`Outcome`](crate::outcome::Outcome): not twice on one terminal.
    pub const fn leave_failures(&mut self) {
        self.logs_failures = false;
    }

    /// The signs of life of whoever watches the tenant.
    pub const fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// How events are understood, by the kinds of event that the tenant is known to have.
    fn mapper(&self) -> Arc<Mapper> {
        Arc::clone(&self.mapper.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether anything is known of who is privileged.
    pub async fn has_roster(&self) -> Result<bool, StoreError> {
        Ok(!self.store.rosters(self.tenant).await?.is_empty())
    }

    /// When what is polled.
    pub const fn schedule(&self) -> config::Schedule {
        self.settings.schedule
    }

    /// How to poll; the live walk goes on for so long at most.
    fn plan(&self, patience: Option<Duration>) -> Plan {
        Plan {
            now: self.clock.now(),
            lookback: self.settings.schedule.lookback,
            overlap: self.detect.settle,
            lateness: self.detect.lateness,
            patience,
        }
    }

    fn target<'a>(&'a self, followed: &'a Followed, mapper: &'a Mapper, plan: Plan) -> Target<'a> {
        Target {
            store: self.store.as_ref(),
            id: followed.id,
            stream: &followed.stream,
            mapper,
            plan,
        }
    }

    fn organization(&self) -> Option<&Organization> {
        self.streams
            .iter()
            .find_map(|followed| match &followed.source {
                Source::Organization(organization) => Some(organization),
                Source::Site(_) => None,
            })
    }

    /// Says what cannot be seen, and which credentials end soon.
    pub async fn warn(&self) -> Result<(), StoreError> {
        let (tenant, today) = (self.name(), self.clock.now().date_naive());
        for (name, expires) in credentials(&self.settings) {
            let days = expires.map(|expires| (expires - today).num_days());
            if let Some(days) = days.filter(|days| *days <= ENDING_DAYS) {
                let name = &name;
                CredentialEnding { tenant, name, days }.emit();
            }
        }
        let rows = self.store.tenants().await?;
        if let Some(row) = rows.iter().find(|row| row.id == self.tenant) {
            let (actions, streams) = (
                self.store.actions(self.tenant).await?.0,
                self.store.stream_status(row).await?,
            );
            for what in coverage(Some(&self.settings), &actions, &streams).notes {
                CoverageMissing {
                    tenant,
                    what: &what,
                }
                .emit();
            }
        }
        Ok(())
    }
}
