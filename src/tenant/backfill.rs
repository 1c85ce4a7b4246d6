//! Old windows of a tenant's streams: asked for, read beside live polling, summed up.

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::source::Source;
use super::{Followed, Watch};
use crate::ingest::{self, Ended, IngestError, Read};
use crate::outcome::Outcome;
use crate::output::summary::History;
use crate::storage::{BackfillState, StoreError, StreamId};
use crate::telemetry::events::WalkEnded;
use pagewarden_core::model::StreamName;
use pagewarden_core::time::{Window, before};

/// Progress callback of a backfill, called after each page: stream, span, what was read, and up to when. Returning `false` pauses the backfill.
pub type SpanProgress<'a> =
    &'a mut (dyn FnMut(&str, Window, &Read, Option<DateTime<Utc>>) -> bool + Send);

impl Watch {
    /// Asks for the reading of an old window of every stream; without an end, up to where live polling began.
    pub async fn request_backfill(
        &self,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
    ) -> Result<Vec<Window>, StoreError> {
        let mut spans = Vec::new();
        let same = |kept: &BackfillState| {
            kept.span.from == from && to.is_none_or(|to| to == kept.span.until)
        };
        let kept = self.backfills().await?;
        let goes_on = kept.iter().any(|(_, kept)| same(kept) && !kept.summed_up);
        for followed in self.streams.iter() {
            let kept = self.store.backfill(followed.id).await?;
            // What was read to its end before the rest was stopped is not read again.
            if let Some(kept) = kept.filter(|kept| goes_on && kept.done && same(kept)) {
                spans.push(kept.span);
                continue;
            }
            let span = self.asked(followed.id, from, to).await?;
            if span.from < span.until {
                self.store.request_backfill(followed.id, span).await?;
                spans.push(span);
            }
        }
        Ok(spans)
    }

    /// The same, beside a service that may be reading an old window of its own: that one is not given up, but widened.
    pub async fn add_backfill(
        &self,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        for followed in self.streams.iter() {
            let asked = self.asked(followed.id, from, to).await?;
            let kept = self.store.backfill(followed.id).await?;
            let unfinished = kept.filter(|kept| !kept.done);
            let span = unfinished.map_or(asked, |kept| Window {
                from: kept.span.from.min(asked.from),
                until: kept.span.until.max(asked.until),
            });
            if asked.from < asked.until {
                self.store.request_backfill(followed.id, span).await?;
            }
        }
        Ok(())
    }

    /// The window of one stream; without an end, up to where live polling began.
    async fn asked(
        &self,
        stream: StreamId,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
    ) -> Result<Window, StoreError> {
        let until = match to {
            Some(to) => to,
            None => self.until(stream, from).await?,
        };
        Ok(Window { from, until })
    }

    /// Where a backfill without an end ends: where live polling began, or now; an unfinished one keeps its end.
    async fn until(
        &self,
        stream: StreamId,
        from: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, StoreError> {
        let kept = self.store.backfill(stream).await?;
        if let Some(kept) = kept.filter(|kept| !kept.summed_up && kept.span.from == from) {
            return Ok(kept.span.until);
        }
        let began = self.store.live(stream).await?.began;
        Ok(began.unwrap_or_else(|| self.clock.now()))
    }

    /// Asks, on the first run of the service, for what lies before live polling.
    pub async fn request_lookback(&self) -> Result<(), StoreError> {
        let until = self.clock.now();
        let from = before(until, self.settings.schedule.lookback);
        for followed in self.streams.iter() {
            let begun = self.store.live(followed.id).await?.began.is_some();
            // The audit log's own first window reaches back as far, in one request.
            let access = followed.stream.name == StreamName::Access;
            if access && !begun {
                self.store
                    .begin_live(followed.id, Window { from, until })
                    .await?;
            }
        }
        Ok(())
    }

    /// Reads what was asked for and is not read yet, until done or asked to pause; then analyses and sums up, also what an
    /// earlier process had read and could not sum up any more.
    pub async fn backfill(
        &self,
        progress: SpanProgress<'_>,
    ) -> Result<(Outcome, Ended), StoreError> {
        let mut outcome = Outcome::default();
        let mut whole: Option<Window> = None;
        for followed in self.streams.iter() {
            let kept = self.store.backfill(followed.id).await?;
            let Some(kept) = kept.filter(|kept| !kept.summed_up) else {
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
            let mut progress = |read: &Read, reached| {
                self.pulse.beat();
                progress(&words, kept.span, read, reached)
            };
            match self.read_span(followed, kept.span, &mut progress).await {
                Ok((_, Ended::Paused | Ended::OutOfTime)) => return Ok((outcome, Ended::Paused)),
                Err(error) if error.is_stop() => return Ok((outcome, Ended::Paused)),
                Ok((read, Ended::CaughtUp)) => WalkEnded {
                    stream: &followed.stream,
                    walk: "backfill",
                    stored: read.committed.fresh,
                    repeated: read.committed.repeated,
                    took: began.elapsed(),
                }
                .emit(),
                Err(error) => outcome.add(self.not_read(followed, error).await?),
            }
        }
        // What was read is analysed in any case; history that is not whole is summed up when it is.
        if let Some(span) = whole {
            let complete = outcome.failures.is_empty();
            outcome.add(self.analysed().await?);
            if complete && !self.stop.is_cancelled() {
                outcome.add(self.look_at_deeds(Some(span.from)).await?);
                outcome.add(self.look_at_history().await?);
                let (summary, now) = self.summary(History::Backfill, span).await?;
                self.store
                    .sum_up_backfills(self.tenant, summary, now)
                    .await?;
            }
        }
        Ok((outcome, Ended::CaughtUp))
    }

    async fn read_span(
        &self,
        followed: &Followed,
        span: Window,
        progress: ingest::Progress<'_>,
    ) -> Result<(Read, Ended), IngestError> {
        let mapper = self.mapper();
        let target = self.target(followed, &mapper, self.plan(None));
        match &followed.source {
            Source::Organization(organization) => {
                ingest::read_access_span(&target, organization, span, progress).await
            }
            Source::Site(site) => ingest::read_audit_span(&target, site, span, progress).await,
        }
    }

    /// The backfill of each stream that has one, in words and as it stands.
    pub async fn backfills(&self) -> Result<Vec<(String, BackfillState)>, StoreError> {
        let mut all = Vec::new();
        for followed in self.streams.iter() {
            let kept = self.store.backfill(followed.id).await?;
            all.extend(kept.map(|kept| (followed.words(), kept)));
        }
        Ok(all)
    }

    /// Whether a backfill is asked for and not read to its end and summed up.
    pub async fn has_backfill(&self) -> Result<bool, StoreError> {
        Ok(self
            .backfills()
            .await?
            .iter()
            .any(|(_, kept)| !kept.summed_up))
    }
}
