//! One tenant, watched: polling every stream, judging, and putting what is to be told into the outbox.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::admins::{self, Directories};
use crate::analyse::{self, Analysis, Reach};
use crate::atlassian::{Mapper, Organization, Site};
use crate::config::{self, Config, Detect};
use crate::ingest::{self, Ended, IngestError, Plan, Read};
use crate::model::{Finding, FindingId, Severity, Stream, StreamName};
use crate::notify;
use crate::output::{json, summary};
use crate::store::{BackfillState, NewDelivery, Store, StoreError, StreamId, TenantId};
use crate::time::{Clock, Window};

/// Why a tenant cannot be watched at all; nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A secret that the config names cannot be read.
    #[error("tenant `{tenant}`, {key}: {why}")]
    Secret {
        /// Whose.
        tenant: String,
        /// The key in the config.
        key: &'static str,
        /// What to do.
        why: String,
    },
    /// A client cannot be built.
    #[error("tenant `{tenant}`: {why}")]
    Client {
        /// Whose.
        tenant: String,
        /// Why.
        why: String,
    },
    /// The state file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a piece of work came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What could not be done, in words for people.
    pub failures: Vec<String>,
    /// The highest severity of what is new.
    pub highest: Option<Severity>,
    /// Findings that are new or have become graver.
    pub news: Vec<FindingId>,
}

impl Outcome {
    /// Adds what another piece of work came to.
    pub fn add(&mut self, other: Self) {
        self.failures.extend(other.failures);
        self.highest = self.highest.max(other.highest);
        self.news.extend(other.news);
    }

    fn failed(why: impl Into<String>) -> Self {
        Self {
            failures: vec![why.into()],
            ..Self::default()
        }
    }
}

/// Told after each page of a backfill: of what, which span, what was read, and up to when. False pauses it.
pub type SpanProgress<'a> =
    &'a mut (dyn FnMut(&str, Window, &Read, Option<DateTime<Utc>>) -> bool + Send);

/// One site of the tenant.
#[derive(Debug)]
struct WatchedSite {
    stream: StreamId,
    host: String,
}

/// One tenant, ready to be watched.
#[derive(Debug)]
pub struct Watch {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    settings: config::Tenant,
    detect: Detect,
    notifiers: Vec<config::Notifier>,
    tenant: TenantId,
    access: Option<(StreamId, Organization)>,
    audits: Vec<WatchedSite>,
    /// In the order of `audits`, with their host names.
    sites: Vec<(String, Site)>,
    mapper: Mapper,
}

/// The clients of one tenant.
struct Clients {
    organization: Option<Organization>,
    sites: Vec<(String, Site)>,
}

impl Clients {
    /// Reads the secrets and builds the clients.
    fn open(
        retry: config::Retry,
        settings: &config::Tenant,
        stop: &CancellationToken,
    ) -> Result<Self, OpenError> {
        let secret = |key, source: &config::SecretSource| {
            source.read().map_err(|error| OpenError::Secret {
                tenant: settings.name.clone(),
                key,
                why: error.to_string(),
            })
        };
        let client = |error: &dyn std::fmt::Display| OpenError::Client {
            tenant: settings.name.clone(),
            why: error.to_string(),
        };
        let organization = settings.organization.as_ref();
        let organization = organization
            .map(|organization| {
                let key = secret("organization.api_key", &organization.api_key)?;
                Organization::new(organization, key, retry, stop.clone())
                    .map_err(|error| client(&error))
            })
            .transpose()?;
        let sites = settings.sites.iter().map(|site| {
            let token = secret("site.api_token", &site.api_token)?;
            let built = Site::new(site, token, retry, stop.clone());
            Ok((host(site), built.map_err(|error| client(&error))?))
        });
        Ok(Self {
            organization,
            sites: sites.collect::<Result<_, OpenError>>()?,
        })
    }
}

impl Watch {
    /// Reads the secrets, builds the clients, and makes the tenant known to the store.
    pub fn open(
        store: Arc<Store>,
        config: &Config,
        settings: &config::Tenant,
        clock: Arc<dyn Clock>,
        stop: &CancellationToken,
    ) -> Result<Self, OpenError> {
        // Secrets first, so that nothing is written where one is missing.
        let Clients {
            organization,
            sites,
        } = Clients::open(config.retry, settings, stop)?;
        let id = settings.organization.as_ref();
        let id = id.map(|organization| organization.id.as_str());
        let tenant = store.tenant(&settings.name, id, clock.now())?;
        let stream = |name, site: Option<&str>| {
            let stream = Stream {
                tenant: settings.name.clone(),
                name,
                site: site.map(str::to_owned),
            };
            store.stream(tenant, &stream)
        };
        let access = organization
            .map(|organization| {
                stream(StreamName::Access, None).map(|stream| (stream, organization))
            })
            .transpose()?;
        let audits = sites
            .iter()
            .map(|(host, _)| {
                let stream = stream(StreamName::Audit, Some(host))?;
                Ok(WatchedSite {
                    stream,
                    host: host.clone(),
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let (actions, _) = store.actions(tenant)?;
        Ok(Self {
            mapper: Mapper::new(&settings.actions, &actions),
            settings: settings.clone(),
            detect: config.detect.clone(),
            notifiers: config.notifiers.clone(),
            store,
            clock,
            tenant,
            access,
            audits,
            sites,
        })
    }

    /// The tenant's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// When what is polled.
    pub const fn schedule(&self) -> config::Schedule {
        self.settings.schedule
    }

    fn plan(&self) -> Plan {
        Plan {
            now: self.clock.now(),
            lookback: self.settings.schedule.lookback,
            overlap: self.detect.settle,
            lateness: self.detect.lateness,
        }
    }

    /// One cycle: every stream once until caught up, then judged.
    pub async fn scan(&mut self) -> Result<Outcome, StoreError> {
        let began = self.clock.now();
        let first = self.is_first()?;
        let mut outcome = self.refresh_admins().await?;
        outcome.add(self.learn_actions().await?);
        outcome.add(self.poll_access().await?);
        outcome.add(self.poll_audits().await?);
        outcome.add(self.judge(Reach::Now(self.clock.now()))?);
        if first {
            let from = crate::time::before(began, self.settings.schedule.lookback);
            self.summarise(summary::History::Scan, Window { from, until: began })?;
        }
        Ok(outcome)
    }

    /// Whether live polling has yet to begin.
    fn is_first(&self) -> Result<bool, StoreError> {
        let streams = self.streams();
        for stream in streams {
            if self.store.live(stream)?.began.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn streams(&self) -> Vec<StreamId> {
        let access = self.access.iter().map(|(stream, _)| *stream);
        access
            .chain(self.audits.iter().map(|site| site.stream))
            .collect()
    }

    /// Asks the directories who is privileged.
    pub async fn refresh_admins(&self) -> Result<Outcome, StoreError> {
        let directories = Directories {
            organization: self.access.as_ref().map(|(_, organization)| organization),
            sites: &self.sites,
        };
        let now = self.clock.now();
        let refreshed = admins::refresh(
            &self.store,
            self.tenant,
            directories,
            &self.settings.admins,
            now,
        )
        .await;
        match refreshed {
            Ok(accounts) => {
                tracing::info!(tenant = self.name(), accounts, "Roster read.");
                Ok(Outcome::default())
            }
            Err(admins::RosterError::Store(error)) => Err(error),
            Err(error) => {
                let old = self.store.rosters(self.tenant)?.pop();
                let kept = old.map_or(
                    "there is none yet, so nobody counts as privileged".to_owned(),
                    |old| format!("the one of {} is kept", crate::time::rfc3339(old.as_of)),
                );
                Ok(self.failure("the roster", &format!("{error}; {kept}")))
            }
        }
    }

    /// Asks which kinds of event the tenant has, so that ids nobody knows are told by their names.
    pub async fn learn_actions(&mut self) -> Result<Outcome, StoreError> {
        let Some((_, organization)) = &self.access else {
            return Ok(Outcome::default());
        };
        match organization.actions().await {
            Ok(actions) => {
                self.store
                    .keep_actions(self.tenant, &actions, self.clock.now())?;
                self.mapper = Mapper::new(&self.settings.actions, &actions);
                Ok(Outcome::default())
            }
            Err(error) => Ok(self.failure("the kinds of event", &error.to_string())),
        }
    }

    /// Polls the organisation's events once, until caught up; the first poll begins `lookback` ago.
    pub async fn poll_access(&self) -> Result<Outcome, StoreError> {
        self.poll_access_by(self.plan()).await
    }

    /// The same, but the first poll begins now: what lies before is left to a backfill behind it.
    pub async fn poll_access_live(&self) -> Result<Outcome, StoreError> {
        let lookback = std::time::Duration::ZERO;
        self.poll_access_by(Plan {
            lookback,
            ..self.plan()
        })
        .await
    }

    async fn poll_access_by(&self, plan: Plan) -> Result<Outcome, StoreError> {
        let Some((stream, organization)) = &self.access else {
            return Ok(Outcome::default());
        };
        let mut go_on = |_: &Read, _| true;
        let polled = ingest::poll_access(
            &self.store,
            *stream,
            organization,
            &self.mapper,
            &plan,
            &mut go_on,
        )
        .await;
        self.polled(*stream, "the organisation's events", polled)
    }

    /// Polls the audit log of every site once.
    pub async fn poll_audits(&self) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome::default();
        for (watched, (_, site)) in self.audits.iter().zip(&self.sites) {
            let mut go_on = |_: &Read, _| true;
            let polled = ingest::poll_audit(
                &self.store,
                watched.stream,
                site,
                &self.mapper,
                &self.plan(),
                &mut go_on,
            )
            .await;
            outcome.add(self.polled(
                watched.stream,
                &format!("the audit log of {}", watched.host),
                polled,
            )?);
        }
        Ok(outcome)
    }

    /// Notes how a poll ended.
    fn polled(
        &self,
        stream: StreamId,
        what: &str,
        polled: Result<(Read, Ended), IngestError>,
    ) -> Result<Outcome, StoreError> {
        match polled {
            Ok((read, _)) => {
                let fresh = read.committed.fresh;
                tracing::info!(
                    tenant = self.name(),
                    what,
                    fresh,
                    repeated = read.committed.repeated,
                    "Polled."
                );
                self.store.record_poll(stream, Ok(self.clock.now()))?;
                Ok(Outcome::default())
            }
            Err(IngestError::Store(error)) => Err(error),
            Err(error) => {
                self.store.record_poll(stream, Err(&error.to_string()))?;
                Ok(self.failure(what, &error.to_string()))
            }
        }
    }

    fn failure(&self, what: &str, why: &str) -> Outcome {
        tracing::warn!(tenant = self.name(), what, why, "Not read.");
        Outcome::failed(format!(
            "tenant `{}`: {what} could not be read: {why}",
            self.name()
        ))
    }

    /// Asks for the reading of an old window of every stream; without an end, up to where live polling began.
    pub fn request_backfill(
        &self,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
    ) -> Result<Vec<Window>, StoreError> {
        let mut spans = Vec::new();
        for stream in self.streams() {
            let until = match to {
                Some(to) => to,
                None => self.until(stream, from)?,
            };
            let span = Window { from, until };
            if span.from < span.until {
                self.store.request_backfill(stream, span)?;
                spans.push(span);
            }
        }
        Ok(spans)
    }

    /// Where a backfill without an end ends: where live polling began, or now; an unfinished one keeps its end.
    fn until(&self, stream: StreamId, from: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
        let unfinished = self
            .store
            .backfill(stream)?
            .filter(|kept| !kept.done && kept.span.from == from);
        if let Some(kept) = unfinished {
            return Ok(kept.span.until);
        }
        Ok(self
            .store
            .live(stream)?
            .began
            .unwrap_or_else(|| self.clock.now()))
    }

    /// Asks, on the first run of the service, for what lies before live polling.
    pub fn request_lookback(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let from = crate::time::before(now, self.settings.schedule.lookback);
        for stream in self.streams() {
            if self.store.live(stream)?.began.is_none() && self.store.backfill(stream)?.is_none() {
                self.store
                    .request_backfill(stream, Window { from, until: now })?;
            }
        }
        Ok(())
    }

    /// Reads what was asked for and is not read yet, until done or told to pause; then judges and sums up.
    pub async fn backfill(
        &self,
        progress: SpanProgress<'_>,
    ) -> Result<(Outcome, Ended), StoreError> {
        let mut outcome = Outcome::default();
        let mut span: Option<Window> = None;
        let mut paused = false;
        for stream in self.streams() {
            let Some(kept) = self.store.backfill(stream)?.filter(|kept| !kept.done) else {
                continue;
            };
            let what = self.what(stream);
            let mut tell = |read: &Read, reached| progress(&what, kept.span, read, reached);
            let read = self.read_span(stream, kept.span, &mut tell).await;
            paused |= matches!(&read, Ok((_, Ended::Paused)));
            match read {
                Ok(_) => {}
                Err(IngestError::Store(error)) => return Err(error),
                Err(error) => outcome.add(self.failure(&what, &error.to_string())),
            }
            span = Some(span.map_or(kept.span, |span| Window {
                from: span.from.min(kept.span.from),
                until: span.until.max(kept.span.until),
            }));
            if paused {
                break;
            }
        }
        let whole = span.filter(|_| !paused && outcome.failures.is_empty());
        if let Some(span) = whole {
            outcome.add(self.judge(Reach::All)?);
            self.summarise(summary::History::Backfill, span)?;
        }
        Ok((
            outcome,
            if paused {
                Ended::Paused
            } else {
                Ended::CaughtUp
            },
        ))
    }

    /// The backfill of each stream that has one, in words and as it stands.
    pub fn backfills(&self) -> Result<Vec<(String, BackfillState)>, StoreError> {
        let mut all = Vec::new();
        for stream in self.streams() {
            all.extend(
                self.store
                    .backfill(stream)?
                    .map(|kept| (self.what(stream), kept)),
            );
        }
        Ok(all)
    }

    fn what(&self, stream: StreamId) -> String {
        self.audits
            .iter()
            .find(|site| site.stream == stream)
            .map_or_else(
                || "the organisation's events".to_owned(),
                |site| format!("the audit log of {}", site.host),
            )
    }

    async fn read_span(
        &self,
        stream: StreamId,
        span: Window,
        tell: &mut (dyn FnMut(&Read, Option<DateTime<Utc>>) -> bool + Send),
    ) -> Result<(Read, Ended), IngestError> {
        let (store, mapper, plan) = (&self.store, &self.mapper, self.plan());
        if let Some((access, organization)) = &self.access
            && *access == stream
        {
            return ingest::read_access_span(
                store,
                stream,
                organization,
                mapper,
                &plan,
                span,
                tell,
            )
            .await;
        }
        let Some((_, (_, site))) = self
            .audits
            .iter()
            .zip(&self.sites)
            .find(|(watched, _)| watched.stream == stream)
        else {
            return Ok((Read::default(), Ended::CaughtUp));
        };
        ingest::read_audit_span(store, stream, site, mapper, &plan, span, tell).await
    }

    /// Whether a backfill is asked for and not read to its end.
    pub fn has_backfill(&self) -> Result<bool, StoreError> {
        Ok(self.backfills()?.iter().any(|(_, kept)| !kept.done))
    }

    /// Whether events are stored that have not been judged.
    pub fn has_unjudged(&self) -> Result<bool, StoreError> {
        self.store.has_unjudged(self.tenant)
    }

    /// Judges as far as `lateness` allows now.
    pub fn judge_now(&self) -> Result<Outcome, StoreError> {
        self.judge(Reach::Now(self.clock.now()))
    }

    /// Folds what is stored, records what is new, and puts it into the outbox.
    pub fn judge(&self, reach: Reach) -> Result<Outcome, StoreError> {
        let hosts: Vec<String> = self.audits.iter().map(|site| site.host.clone()).collect();
        let judging = Judging {
            store: &self.store,
            notifiers: &self.notifiers,
            subject: analyse::Subject {
                tenant: self.tenant,
                name: &self.settings.name,
                admins: &self.settings.admins,
                sites: &hosts,
                detect: &self.detect,
            },
            now: self.clock.now(),
        };
        judging.judge(reach)
    }

    /// Puts one message about a walk of history into the outbox, if it found anything.
    pub fn summarise(&self, walk: summary::History, span: Window) -> Result<(), StoreError> {
        summarise(
            &self.store,
            self.tenant,
            self.name(),
            &self.notifiers,
            walk,
            span,
            self.clock.now(),
        )
    }
}

/// The host name of a site, as events and streams have it.
pub fn host(site: &config::Site) -> String {
    site.url.host_str().unwrap_or_default().to_lowercase()
}

/// Everything that judging a tenant needs.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    /// Where everything is.
    pub store: &'a Store,
    /// Who is told.
    pub notifiers: &'a [config::Notifier],
    /// Which tenant, by which rules.
    pub subject: analyse::Subject<'a>,
    /// The present moment.
    pub now: DateTime<Utc>,
}

impl Judging<'_> {
    /// Folds what is stored, records what is new, and puts it into the outbox.
    pub fn judge(&self, reach: Reach) -> Result<Outcome, StoreError> {
        let Analysis {
            changed,
            gone,
            state,
        } = analyse::analyse(self.store, &self.subject, reach)?;
        let Some((state, anew)) = state else {
            return Ok(Outcome::default());
        };
        let installed = self.store.installed(self.subject.tenant)?;
        let mut outcome = Outcome::default();
        let mut deliveries = Vec::new();
        for (recorded, before) in &changed {
            let finding = &recorded.finding;
            let rose = before
                .as_ref()
                .is_some_and(|before| finding.severity > before.severity);
            if rose || before.is_none() {
                outcome.highest = outcome.highest.max(Some(finding.severity));
                outcome.news.push(finding.id.clone());
                tracing::info!(tenant = self.subject.name, id = %finding.id, severity = finding.severity.as_str(), "Finding recorded.");
            }
            // History does not page people: a walk through it ends with one summary. A rise in severity always does.
            let history = finding.window.is_some_and(|(_, end)| end < installed);
            let grown = before
                .as_ref()
                .is_none_or(|before| finding.revision > before.revision);
            if grown && (rose || !history) {
                deliveries.extend(self.messages(finding)?);
            }
        }
        let changed: Vec<_> = changed.into_iter().map(|(recorded, _)| recorded).collect();
        self.store.record_analysis(
            self.subject.tenant,
            (&state, anew),
            &changed,
            &gone,
            &deliveries,
            self.now,
        )?;
        Ok(outcome)
    }

    fn messages(&self, finding: &Finding) -> Result<Vec<NewDelivery>, StoreError> {
        let finding = self.store.with_verdicts(finding.clone())?;
        let routes = notify::route(self.notifiers, finding.severity);
        Ok(routes
            .map(|notifier| NewDelivery {
                id: notify::message_id(&finding),
                subject: finding.id.to_string(),
                notifier: notifier.to_owned(),
                severity: finding.severity,
                body: json::one(&finding),
            })
            .collect())
    }
}

/// Puts one message about a walk of history into the outbox, if it found anything.
pub fn summarise(
    store: &Store,
    tenant: TenantId,
    name: &str,
    notifiers: &[config::Notifier],
    walk: summary::History,
    span: Window,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let installed = store.installed(tenant)?;
    let mut findings = store.findings(Some(name))?;
    findings.retain(|finding| {
        finding
            .window
            .is_some_and(|(start, end)| end < installed && start < span.until && end >= span.from)
    });
    let summary = summary::Summary::new(name, walk, span, &findings);
    let Some(severity) = summary.severity() else {
        return Ok(());
    };
    let deliveries: Vec<NewDelivery> = notify::route(notifiers, severity)
        .map(|notifier| NewDelivery {
            id: summary.id(),
            subject: summary.id(),
            notifier: notifier.to_owned(),
            severity,
            body: summary.body(),
        })
        .collect();
    store.record(tenant, &[], &[], &deliveries, now)
}
