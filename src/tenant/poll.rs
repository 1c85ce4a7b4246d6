//! One poll of everything that a tenant has: its streams, its directories, its kinds of event.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::backfill::SpanProgress;
use super::source::Source;
use super::{Followed, Watch};
use crate::atlassian::Mapper;
use crate::coverage::nobody_privileged;
use crate::ingest::{self, Ended, IngestError, Plan, Read};
use crate::outcome::Outcome;
use crate::output::summary::History;
use crate::roster::{self, Directories};
use crate::storage::StoreError;
use crate::telemetry::events::{
    ActionsUnknown, ClockBehind, CoverageMissing, PollFailed, PollRecovered, RosterKept,
    RosterRead, WalkEnded,
};
use pagewarden_core::model::{Stream, StreamName};
use pagewarden_core::time::{Window, before, rfc3339};

/// By how much the clocks of two machines may differ.
const CLOCKS_DIFFER: Duration = Duration::from_mins(5);

impl Watch {
    /// One cycle: every stream once until caught up, then analysed. The first one that reads all of them sums up history.
    pub async fn scan(&mut self, progress: SpanProgress<'_>) -> Result<Outcome, StoreError> {
        let began = self.clock.now();
        let mut outcome = self.refresh_admins().await?;
        outcome.add(self.learn_actions().await?);
        let plan = self.plan(None);
        let mut polled = self.poll(StreamName::Access, plan, progress).await?.0;
        let plan = self.plan(None);
        polled.add(self.poll(StreamName::Audit, plan, progress).await?.0);
        // One that was interrupted goes on next time, and is summed up then.
        let complete = polled.failures.is_empty() && !self.stop.is_cancelled();
        outcome.add(polled);
        outcome.add(self.analysed().await?);
        if self.stop.is_cancelled() {
            return Ok(outcome);
        }
        outcome.add(self.look().await?);
        outcome.add(self.look_at_canaries().await?);
        if complete && !self.store.is_present(self.tenant).await? {
            let from = before(began, self.settings.schedule.lookback);
            let until = began;
            let (summary, now) = self.summary(History::Scan, Window { from, until }).await?;
            self.store.begin_present(self.tenant, summary, now).await?;
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
        let refreshed =
            roster::refresh(self.store.as_ref(), self.tenant, &directories, admins, now).await;
        match refreshed {
            Ok(roster::Refreshed {
                accounts,
                changed,
                no_directory,
            }) => {
                let tenant = self.name();
                if let Some(what) = no_directory.as_deref().filter(|_| changed) {
                    CoverageMissing { tenant, what }.emit();
                }
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
            Err(error) => self.roster_kept(&error.to_string()).await,
        }
    }

    /// Says why the directories could not be asked, and what is in force instead.
    async fn roster_kept(&self, why: &str) -> Result<Outcome, StoreError> {
        let last = self.store.rosters(self.tenant).await?.pop();
        let (tenant, as_of) = (self.name(), last.map(|last| last.as_of));
        if self.logs_failures {
            RosterKept { tenant, as_of, why }.emit();
        }
        let kept = as_of.map_or(
            "there is none yet, so nobody counts as privileged".to_owned(),
            |as_of| format!("what was known on {} is in force", rfc3339(as_of)),
        );
        Ok(self.failure("the roster", &format!("{why}; {kept}")))
    }

    /// Asks which kinds of event the tenant has, so that unknown ids are classified by their names.
    pub async fn learn_actions(&self) -> Result<Outcome, StoreError> {
        let Some(organization) = self.organization() else {
            return Ok(Outcome::default());
        };
        match organization.actions().await {
            Ok(actions) => {
                self.store
                    .keep_actions(self.tenant, &actions, self.clock.now())
                    .await?;
                let mapper = Arc::new(Mapper::new(&self.settings.actions, &actions));
                *self.mapper.write().unwrap_or_else(PoisonError::into_inner) = mapper;
                Ok(Outcome::default())
            }
            Err(error) if error.is_stop() => Ok(Outcome::default()),
            // Known ids do not need it; what hinders the polls is reported by the polls.
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

    /// Polls the organisation's events once, until caught up or for so long at most; the first poll begins `lookback` ago.
    pub async fn poll_access(
        &self,
        patience: Option<Duration>,
    ) -> Result<(Outcome, Ended), StoreError> {
        let plan = self.plan(patience);
        self.poll(StreamName::Access, plan, &mut |_, _, _, _| true)
            .await
    }

    /// Polls the audit log of every site once.
    pub async fn poll_audits(&self) -> Result<Outcome, StoreError> {
        let plan = self.plan(None);
        let mut unseen = |_: &str, _, _: &Read, _| true;
        let polled = self.poll(StreamName::Audit, plan, &mut unseen);
        Ok(polled.await?.0)
    }

    async fn poll(
        &self,
        name: StreamName,
        plan: Plan,
        progress: SpanProgress<'_>,
    ) -> Result<(Outcome, Ended), StoreError> {
        let (mut outcome, mut ended) = (Outcome::default(), Ended::CaughtUp);
        let named = |followed: &&Followed| followed.stream.name == name;
        for followed in self.streams.iter().filter(named) {
            outcome.add(self.look_back(followed).await?);
            let began = Instant::now();
            let watermark = self.store.live(followed.id).await?.watermark;
            let from = watermark.unwrap_or_else(|| before(plan.now, plan.lookback));
            let (words, until) = (followed.words(), plan.now);
            let mut go_on = |read: &Read, reached| {
                self.pulse.beat();
                progress(&words, Window { from, until }, read, reached)
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
            if let Ok((_, Ended::OutOfTime)) = &polled {
                ended = Ended::OutOfTime;
            }
            outcome.add(self.polled(followed, polled, began).await?);
        }
        Ok((outcome, ended))
    }

    /// Notes how a poll ended.
    async fn polled(
        &self,
        followed: &Followed,
        polled: Result<(Read, Ended), IngestError>,
        began: Instant,
    ) -> Result<Outcome, StoreError> {
        match polled {
            Ok((read, ended)) => {
                WalkEnded {
                    stream: &followed.stream,
                    walk: "live",
                    stored: read.committed.fresh,
                    repeated: read.committed.repeated,
                    took: began.elapsed(),
                }
                .emit();
                self.compare_clocks(&followed.stream, read.server_time);
                // Only what was caught up with is read up to now.
                let caught_up = (ended == Ended::CaughtUp).then(|| self.clock.now());
                if self.store.record_poll(followed.id, Ok(caught_up)).await? {
                    let stream = &followed.stream;
                    PollRecovered { stream }.emit();
                }
                Ok(Outcome::default())
            }
            Err(error) => self.not_read(followed, error).await,
        }
    }

    /// Says so where this machine's clock is behind the server's; once, until it is right again.
    fn compare_clocks(&self, stream: &Stream, server_time: Option<DateTime<Utc>>) {
        let Some(server_time) = server_time else {
            return;
        };
        let by = (server_time - self.clock.now())
            .to_std()
            .unwrap_or_default();
        let behind = by > CLOCKS_DIFFER;
        if behind && !self.clock_behind.swap(behind, Ordering::Relaxed) {
            ClockBehind { stream, by }.emit();
        }
        self.clock_behind.store(behind, Ordering::Relaxed);
    }

    /// Notes why a stream was not read to its end; a stop that was asked for is no failure of the stream.
    pub(super) async fn not_read(
        &self,
        followed: &Followed,
        error: IngestError,
    ) -> Result<Outcome, StoreError> {
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
        self.store.record_poll(followed.id, Err(&why)).await?;
        Ok(self.failure(&followed.words(), &why))
    }

    fn failure(&self, what: &str, why: &str) -> Outcome {
        let words = format!("tenant `{}`: {what} could not be read: {why}", self.name());
        Outcome {
            failures: vec![words],
            ..Outcome::default()
        }
    }
}
