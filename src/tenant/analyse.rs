//! Analysis of what is stored, beside everything else.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Watch;
use super::source::scored_sites;
use crate::analysis;
use crate::findings::{Recorder, summarised};
use crate::outcome::Outcome;
use crate::output::summary::History;
use crate::storage::{NewDelivery, StoreError};
use pagewarden_core::time::Window;

/// How long an analysis may take before it counts as hanging.
const LONGEST_ANALYSIS: Duration = Duration::from_hours(2);

impl Watch {
    /// Whether events are stored that have not been analysed.
    pub async fn has_unanalysed(&self) -> Result<bool, StoreError> {
        self.store.has_unanalysed(self.tenant).await
    }

    /// Analyses what is stored, records what is new, and puts it into the outbox; only what policy detectors find while the first
    /// history is not read yet.
    pub async fn analyse(&self) -> Result<Outcome, StoreError> {
        let sites = scored_sites(&self.settings);
        let pending_summary = self.pending_summary().await?;
        let lacks_history = self.lacks_history().await?;
        let policies = lacks_history.then(|| self.detect.policies()).flatten();
        if lacks_history && policies.is_none() {
            return Ok(Outcome::default());
        }
        let recorder = Recorder {
            store: self.store.as_ref(),
            notifiers: &self.notifiers,
            subject: analysis::Subject {
                tenant: self.tenant,
                name: &self.settings.name,
                admins: &self.settings.admins,
                sites: &sites,
                detect: policies.as_ref().unwrap_or(&self.detect),
            },
            now: self.clock.now(),
            pending_summary: &pending_summary,
            stop: &self.stop,
        };
        let mut analyst = self.analyst.lock().await;
        if policies.is_some() {
            // What is in memory has not seen the findings of these rules.
            self.cache.forget(self.tenant);
            recorder.analyse_policies().await
        } else {
            recorder.analyse_with(&mut analyst).await
        }
    }

    /// Analyses beside everything else, and reports what was done to the logs of late. Once the program stops, the analysis is
    /// not waited for and records nothing.
    pub async fn analysed(&self) -> Result<Outcome, StoreError> {
        let watch = self.clone();
        let analysed = async move {
            let mut outcome = watch.analyse().await?;
            if !watch.stop.is_cancelled() {
                outcome.add(watch.look_at_deeds(None).await?);
            }
            Ok(outcome)
        };
        self.beside(analysed).await
    }

    /// Checks log health, beside everything else.
    pub async fn looked(&self) -> Result<Outcome, StoreError> {
        let watch = self.clone();
        self.beside(async move { watch.look().await }).await
    }

    /// Runs long work on a thread of its own, until it ends or the program stops; at most a few at a time.
    async fn beside(
        &self,
        work: impl Future<Output = Result<Outcome, StoreError>> + Send + 'static,
    ) -> Result<Outcome, StoreError> {
        self.pulse.quiet_for(LONGEST_ANALYSIS);
        let analyses = Arc::clone(&self.analyses);
        let runtime = tokio::runtime::Handle::current();
        let mut done = tokio::task::JoinSet::new();
        let slot = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(Outcome::default()),
            slot = analyses.acquire_owned() => slot,
        };
        done.spawn_blocking(move || {
            let done = runtime.block_on(work);
            drop(slot);
            done
        });
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
    pub(super) async fn summary(
        &self,
        walk: History,
        span: Window,
    ) -> Result<(Vec<NewDelivery>, DateTime<Utc>), StoreError> {
        let now = self.clock.now();
        let (store, notifiers) = (self.store.as_ref(), &self.notifiers);
        let summary =
            summarised(store, self.tenant, self.name(), notifiers, walk, span, now).await?;
        Ok((summary, now))
    }
}
