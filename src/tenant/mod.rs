//! One tenant, watched: polling every stream, reading history, and having it judged.

mod canaries;
mod log_health;

mod source;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::source::{OpenError, credentials, host, scored_sites};
use self::source::{Source, sources};
use crate::analysis;
use crate::atlassian::{Mapper, Organization};
use crate::config::{self, Config, Detect};
use crate::coverage::{coverage, nobody_privileged};
use crate::findings::{Judging, summarised};
use crate::http::{PATIENCE, Transport};
use crate::ingest::{self, Ended, IngestError, Plan, Read, Target};
use crate::outcome::Outcome;
use crate::output::summary::History;
use crate::pulse::Pulse;
use crate::roster::{self, Directories};
use crate::storage::{BackfillState, NewDelivery, Store, StoreError, StreamId, TenantId};
use crate::telemetry::events::{
    ActionsUnknown, CoverageMissing, CredentialEnding, PollFailed, PollRecovered, RosterKept,
    RosterRead, WalkEnded,
};
use pagewarden_core::model::{Stream, StreamName};
use pagewarden_core::time::{Clock, Window, before};

/// From how many days before its end a credential is warned of.
const ENDING_DAYS: i64 = 30;

/// Told after each page of a backfill: of what, which span, what was read, and up to when. False pauses it.
pub type SpanProgress<'a> =
    &'a mut (dyn FnMut(&str, Window, &Read, Option<DateTime<Utc>>) -> bool + Send);

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

/// How long an analysis may take before it counts as hanging.
const LONGEST_ANALYSIS: Duration = Duration::from_hours(2);
/// How long anything but requests and analyses may take.
const LONGEST_STEP: Duration = Duration::from_mins(5);

/// One tenant, ready to be watched. Clones watch the same tenant.
#[derive(Debug, Clone)]
pub struct Watch {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    settings: config::Tenant,
    detect: Detect,
    notifiers: Vec<config::Notifier>,
    tenant: TenantId,
    streams: Arc<[Followed]>,
    mapper: Arc<RwLock<Arc<Mapper>>>,
    stop: CancellationToken,
    pulse: Pulse,
    /// Whether failures are logged; not where whoever asked tells them.
    logs_failures: bool,
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
        Self::open_over(&Transport::default(), store, config, settings, clock, stop)
    }

    /// The same, with requests carried otherwise than over the network.
    pub fn open_over(
        transport: &Transport,
        store: Arc<Store>,
        config: &Config,
        settings: &config::Tenant,
        clock: Arc<dyn Clock>,
        stop: &CancellationToken,
    ) -> Result<Self, OpenError> {
        // Secrets first, so that nothing is written where one is missing.
        let sources = sources(config.retry, settings, stop, transport)?;
        let id = settings.organization.as_ref();
        let id = id.map(|organization| organization.id.as_str());
        let tenant = store.tenant(&settings.name, id, clock.now())?;
        let mut streams = Vec::with_capacity(sources.len());
        for (stream, source) in sources {
            streams.push(Followed {
                id: store.stream(tenant, &stream)?,
                stream,
                source,
            });
        }
        let (actions, _) = store.actions(tenant)?;
        Ok(Self {
            mapper: Arc::new(RwLock::new(Arc::new(Mapper::new(
                &settings.actions,
                &actions,
            )))),
            pulse: Pulse::new(longest_request(config.retry) + LONGEST_STEP),
            settings: settings.clone(),
            detect: config.detect.clone(),
            notifiers: config.notifiers.clone(),
            store,
            clock,
            tenant,
            streams: streams.into(),
            stop: stop.clone(),
            logs_failures: true,
        })
    }

    /// The tenant's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Leaves it to the caller to tell failures, which are in every [`Outcome`]: not twice on one terminal.
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
    pub fn has_roster(&self) -> Result<bool, StoreError> {
        Ok(!self.store.rosters(self.tenant)?.is_empty())
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

    fn target<'a>(&'a self, followed: &'a Followed, mapper: &'a Mapper, plan: Plan) -> Target<'a> {
        Target {
            store: &self.store,
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

    /// One cycle: every stream once until caught up, then judged. The first one that reads all of them sums up history.
    pub async fn scan(&mut self) -> Result<Outcome, StoreError> {
        let began = self.clock.now();
        let mut outcome = self.refresh_admins().await?;
        outcome.add(self.learn_actions().await?);
        let mut polled = self.poll_access().await?;
        polled.add(self.poll_audits().await?);
        // One that was interrupted goes on next time, and is summed up then.
        let complete = polled.failures.is_empty() && !self.stop.is_cancelled();
        outcome.add(polled);
        outcome.add(self.judged().await?);
        if self.stop.is_cancelled() {
            return Ok(outcome);
        }
        outcome.add(self.look()?);
        outcome.add(self.look_at_canaries().await?);
        if complete && !self.store.is_present(self.tenant)? {
            let from = before(began, self.settings.schedule.lookback);
            let until = began;
            let (summary, now) = self.summary(History::Scan, Window { from, until })?;
            self.store.begin_present(self.tenant, &summary, now)?;
        }
        Ok(outcome)
    }

    /// Asks the directories who is privileged.
    pub async fn refresh_admins(&self) -> Result<Outcome, StoreError> {
        let sites = self
            .streams
            .iter()
            .filter_map(|followed| match &followed.source {
                Source::Site(site) => Some(site),
                Source::Organization(_) => None,
            });
        let directories = Directories {
            organization: self.organization(),
            sites: sites.collect(),
        };
        let now = self.clock.now();
        let admins = &self.settings.admins;
        let refreshed = roster::refresh(&self.store, self.tenant, &directories, admins, now).await;
        match refreshed {
            Ok((accounts, changed)) => {
                let tenant = self.name();
                RosterRead {
                    tenant,
                    accounts,
                    changed,
                }
                .emit();
                let listed = !self.settings.admins.accounts.is_empty();
                if let Some(what) = nobody_privileged(accounts).filter(|_| changed && !listed) {
                    CoverageMissing { tenant, what }.emit();
                }
                Ok(Outcome::default())
            }
            Err(roster::RosterError::Store(error)) => Err(error),
            Err(roster::RosterError::Api(error)) if error.is_stop() => Ok(Outcome::default()),
            Err(error) => {
                let as_of = self.store.rosters(self.tenant)?.pop().map(|old| old.as_of);
                let (tenant, why) = (self.name(), error.to_string());
                if self.logs_failures {
                    RosterKept {
                        tenant,
                        as_of,
                        why: &why,
                    }
                    .emit();
                }
                let kept = as_of.map_or(
                    "there is none yet, so nobody counts as privileged".to_owned(),
                    |as_of| {
                        format!(
                            "what was known on {} is in force",
                            pagewarden_core::time::rfc3339(as_of)
                        )
                    },
                );
                Ok(self.failure("the roster", &format!("{why}; {kept}")))
            }
        }
    }

    /// Asks which kinds of event the tenant has, so that ids nobody knows are told by their names.
    pub async fn learn_actions(&self) -> Result<Outcome, StoreError> {
        let Some(organization) = self.organization() else {
            return Ok(Outcome::default());
        };
        match organization.actions().await {
            Ok(actions) => {
                self.store
                    .keep_actions(self.tenant, &actions, self.clock.now())?;
                let mapper = Arc::new(Mapper::new(&self.settings.actions, &actions));
                *self.mapper.write().unwrap_or_else(PoisonError::into_inner) = mapper;
                Ok(Outcome::default())
            }
            Err(error) if error.is_stop() => Ok(Outcome::default()),
            // The ids that are known do without; whatever hinders the polls themselves, they tell.
            Err(error) => {
                let why = error.to_string();
                ActionsUnknown {
                    tenant: self.name(),
                    why: &why,
                }
                .emit();
                Ok(Outcome::default())
            }
        }
    }

    /// Polls the organisation's events once, until caught up; the first poll begins `lookback` ago.
    pub async fn poll_access(&self) -> Result<Outcome, StoreError> {
        self.poll(StreamName::Access, self.plan()).await
    }

    /// Polls the audit log of every site once.
    pub async fn poll_audits(&self) -> Result<Outcome, StoreError> {
        self.poll(StreamName::Audit, self.plan()).await
    }

    async fn poll(&self, name: StreamName, plan: Plan) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome::default();
        let named = |followed: &&Followed| followed.stream.name == name;
        for followed in self.streams.iter().filter(named) {
            outcome.add(self.look_back(followed)?);
            let began = Instant::now();
            let mut go_on = |_: &Read, _| {
                self.pulse.beat();
                true
            };
            self.pulse.beat();
            let mapper = self.mapper();
            let target = self.target(followed, &mapper, plan);
            let polled = match &followed.source {
                Source::Organization(organization) => {
                    ingest::poll_access(&target, organization, &mut go_on).await
                }
                Source::Site(site) => ingest::poll_audit(&target, site, &mut go_on).await,
            };
            outcome.add(self.polled(followed, polled, began)?);
        }
        Ok(outcome)
    }

    /// Notes how a poll ended.
    fn polled(
        &self,
        followed: &Followed,
        polled: Result<(Read, Ended), IngestError>,
        began: Instant,
    ) -> Result<Outcome, StoreError> {
        match polled {
            Ok((read, _)) => {
                WalkEnded {
                    stream: &followed.stream,
                    walk: "live",
                    stored: read.committed.fresh,
                    repeated: read.committed.repeated,
                    took: began.elapsed(),
                }
                .emit();
                let now = self.clock.now();
                if self.store.record_poll(followed.id, Ok(now))? {
                    let stream = &followed.stream;
                    PollRecovered { stream }.emit();
                }
                Ok(Outcome::default())
            }
            Err(error) => self.not_read(followed, error),
        }
    }

    /// Notes why a stream was not read to its end; a stop that was asked for is no failure of the stream.
    fn not_read(&self, followed: &Followed, error: IngestError) -> Result<Outcome, StoreError> {
        if error.is_stop() {
            return Ok(Outcome::default());
        }
        let needs_person = error.needs_person();
        let why = match error {
            IngestError::Store(error) => return Err(error),
            error => error.to_string(),
        };
        if self.logs_failures {
            PollFailed {
                stream: &followed.stream,
                why: &why,
                needs_person,
            }
            .emit();
        }
        self.store.record_poll(followed.id, Err(&why))?;
        Ok(self.failure(&followed.words(), &why))
    }

    fn failure(&self, what: &str, why: &str) -> Outcome {
        let words = format!("tenant `{}`: {what} could not be read: {why}", self.name());
        Outcome {
            failures: vec![words],
            ..Outcome::default()
        }
    }

    /// Asks for the reading of an old window of every stream; without an end, up to where live polling began.
    pub fn request_backfill(
        &self,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
    ) -> Result<Vec<Window>, StoreError> {
        let mut spans = Vec::new();
        let same = |kept: &BackfillState| {
            kept.span.from == from && to.is_none_or(|to| to == kept.span.until)
        };
        let kept = self.backfills()?;
        let goes_on = kept.iter().any(|(_, kept)| same(kept) && !kept.told);
        for followed in self.streams.iter() {
            let kept = self.store.backfill(followed.id)?;
            // What was read to its end before the rest was stopped is not read again.
            if let Some(kept) = kept.filter(|kept| goes_on && kept.done && same(kept)) {
                spans.push(kept.span);
                continue;
            }
            let span = self.asked(followed.id, from, to)?;
            if span.from < span.until {
                self.store.request_backfill(followed.id, span)?;
                spans.push(span);
            }
        }
        Ok(spans)
    }

    /// The same, beside a service that may be reading an old window of its own: that one is not given up, but widened.
    pub fn add_backfill(
        &self,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        for followed in self.streams.iter() {
            let asked = self.asked(followed.id, from, to)?;
            let kept = self.store.backfill(followed.id)?;
            let unfinished = kept.filter(|kept| !kept.done);
            let span = unfinished.map_or(asked, |kept| Window {
                from: kept.span.from.min(asked.from),
                until: kept.span.until.max(asked.until),
            });
            if asked.from < asked.until {
                self.store.request_backfill(followed.id, span)?;
            }
        }
        Ok(())
    }

    /// The window of one stream; without an end, up to where live polling began.
    fn asked(
        &self,
        stream: StreamId,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
    ) -> Result<Window, StoreError> {
        let until = match to {
            Some(to) => to,
            None => self.until(stream, from)?,
        };
        Ok(Window { from, until })
    }

    /// Where a backfill without an end ends: where live polling began, or now; an unfinished one keeps its end.
    fn until(&self, stream: StreamId, from: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
        let kept = self.store.backfill(stream)?;
        if let Some(kept) = kept.filter(|kept| !kept.told && kept.span.from == from) {
            return Ok(kept.span.until);
        }
        let began = self.store.live(stream)?.began;
        Ok(began.unwrap_or_else(|| self.clock.now()))
    }

    /// Asks, on the first run of the service, for what lies before live polling.
    pub fn request_lookback(&self) -> Result<(), StoreError> {
        let until = self.clock.now();
        let from = before(until, self.settings.schedule.lookback);
        for followed in self.streams.iter() {
            let begun = self.store.live(followed.id)?.began.is_some();
            // The audit log's own first window reaches back as far, in one request.
            let access = followed.stream.name == StreamName::Access;
            if access && !begun {
                self.store.begin_live(followed.id, Window { from, until })?;
            }
        }
        Ok(())
    }

    /// Reads what was asked for and is not read yet, until done or told to pause; then judges and sums up, also what an
    /// earlier process had read and could not sum up any more.
    pub async fn backfill(
        &self,
        progress: SpanProgress<'_>,
    ) -> Result<(Outcome, Ended), StoreError> {
        let mut outcome = Outcome::default();
        let mut whole: Option<Window> = None;
        for followed in self.streams.iter() {
            let kept = self.store.backfill(followed.id)?;
            let Some(kept) = kept.filter(|kept| !kept.told) else {
                continue;
            };
            let span = whole.unwrap_or(kept.span);
            whole = Some(Window {
                from: span.from.min(kept.span.from),
                until: span.until.max(kept.span.until),
            });
            if kept.done {
                continue;
            }
            let (began, words) = (Instant::now(), followed.words());
            let mut tell = |read: &Read, reached| {
                self.pulse.beat();
                progress(&words, kept.span, read, reached)
            };
            match self.read_span(followed, kept.span, &mut tell).await {
                Ok((_, Ended::Paused)) => return Ok((outcome, Ended::Paused)),
                Err(error) if error.is_stop() => return Ok((outcome, Ended::Paused)),
                Ok((read, Ended::CaughtUp)) => WalkEnded {
                    stream: &followed.stream,
                    walk: "backfill",
                    stored: read.committed.fresh,
                    repeated: read.committed.repeated,
                    took: began.elapsed(),
                }
                .emit(),
                Err(error) => outcome.add(self.not_read(followed, error)?),
            }
        }
        // What was read is judged in any case; history that is not whole is summed up when it is.
        if let Some(span) = whole {
            let complete = outcome.failures.is_empty();
            outcome.add(self.judged().await?);
            if complete && !self.stop.is_cancelled() {
                let (summary, now) = self.summary(History::Backfill, span)?;
                self.store.tell_backfills(self.tenant, &summary, now)?;
            }
        }
        Ok((outcome, Ended::CaughtUp))
    }

    async fn read_span(
        &self,
        followed: &Followed,
        span: Window,
        tell: ingest::Progress<'_>,
    ) -> Result<(Read, Ended), IngestError> {
        let mapper = self.mapper();
        let target = self.target(followed, &mapper, self.plan());
        match &followed.source {
            Source::Organization(organization) => {
                ingest::read_access_span(&target, organization, span, tell).await
            }
            Source::Site(site) => ingest::read_audit_span(&target, site, span, tell).await,
        }
    }

    /// The backfill of each stream that has one, in words and as it stands.
    pub fn backfills(&self) -> Result<Vec<(String, BackfillState)>, StoreError> {
        let mut all = Vec::new();
        for followed in self.streams.iter() {
            let kept = self.store.backfill(followed.id)?;
            all.extend(kept.map(|kept| (followed.words(), kept)));
        }
        Ok(all)
    }

    /// Says what cannot be seen, and which credentials end soon.
    pub fn warn(&self) -> Result<(), StoreError> {
        let (tenant, today) = (self.name(), self.clock.now().date_naive());
        for (name, expires) in credentials(&self.settings) {
            let days = expires.map(|expires| (expires - today).num_days());
            if let Some(days) = days.filter(|days| *days <= ENDING_DAYS) {
                let name = &name;
                CredentialEnding { tenant, name, days }.emit();
            }
        }
        let rows = self.store.tenants()?;
        if let Some(row) = rows.iter().find(|row| row.id == self.tenant) {
            let (actions, streams) = (
                self.store.actions(self.tenant)?.0,
                self.store.stream_status(row)?,
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

    /// Whether a backfill is asked for and not read to its end and summed up.
    pub fn has_backfill(&self) -> Result<bool, StoreError> {
        Ok(self.backfills()?.iter().any(|(_, kept)| !kept.told))
    }

    /// Whether events are stored that have not been judged.
    pub fn has_unjudged(&self) -> Result<bool, StoreError> {
        self.store.has_unjudged(self.tenant)
    }

    /// Folds what is stored, records what is new, and puts it into the outbox.
    pub fn judge(&self) -> Result<Outcome, StoreError> {
        let sites = scored_sites(&self.settings);
        let judging = Judging {
            store: &self.store,
            notifiers: &self.notifiers,
            subject: analysis::Subject {
                tenant: self.tenant,
                name: &self.settings.name,
                admins: &self.settings.admins,
                sites: &sites,
                detect: &self.detect,
            },
            now: self.clock.now(),
            stop: &self.stop,
        };
        judging.judge()
    }

    /// Does the same beside everything else. Told to stop, it is not waited for and records nothing.
    pub async fn judged(&self) -> Result<Outcome, StoreError> {
        let watch = self.clone();
        self.beside(move || watch.judge()).await
    }

    /// Looks at our own sight, beside everything else.
    pub async fn looked(&self) -> Result<Outcome, StoreError> {
        let watch = self.clone();
        self.beside(move || watch.look()).await
    }

    /// Does long work on a thread of its own, until it ends or we are told to stop.
    async fn beside(
        &self,
        work: impl FnOnce() -> Result<Outcome, StoreError> + Send + 'static,
    ) -> Result<Outcome, StoreError> {
        self.pulse.quiet_for(LONGEST_ANALYSIS);
        let mut done = tokio::task::JoinSet::new();
        done.spawn_blocking(work);
        let done = tokio::select! {
            biased;
            () = self.stop.cancelled() => {
                done.detach_all();
                return Ok(Outcome::default());
            }
            done = done.join_next() => done,
        };
        self.pulse.beat();
        match done {
            Some(Ok(done)) => done,
            Some(Err(error)) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(StoreError::Unreadable(error.to_string())),
            },
            None => Ok(Outcome::default()),
        }
    }

    /// The messages about a walk of history, and when they were made.
    fn summary(
        &self,
        walk: History,
        span: Window,
    ) -> Result<(Vec<NewDelivery>, DateTime<Utc>), StoreError> {
        let now = self.clock.now();
        let (store, notifiers) = (&self.store, &self.notifiers);
        let summary = summarised(store, self.tenant, self.name(), notifiers, walk, span, now)?;
        Ok((summary, now))
    }
}
