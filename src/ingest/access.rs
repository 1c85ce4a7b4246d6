//! The walk along the organisation's events: ascending by processing time, by cursor.

use chrono::{DateTime, Utc};

use super::{Ended, IngestError, Pending, Plan, Progress, Read};
use crate::atlassian::{Error, EventsAsk, EventsPage, Mapper, Organization};
use crate::model::{Checkpoint, Event, Walk};
use crate::store::{Batch, Store, StreamId};
use crate::time::{Window, after, before};

/// How many pages in a row may bring nothing newer before the walk is called endless.
const STALE_PAGES: u32 = 50;

/// Polls live, from where the last poll came to, until caught up. Never sends `to`.
pub async fn poll_access(
    store: &Store,
    stream: StreamId,
    organization: &Organization,
    mapper: &Mapper,
    plan: &Plan,
    progress: Progress<'_>,
) -> Result<(Read, Ended), IngestError> {
    let kept = store.live(stream)?;
    let from = match kept.watermark {
        Some(watermark) => before(watermark, plan.overlap),
        None => first_from(store, stream, plan)?,
    };
    let walk = AccessWalk {
        organization,
        mapper,
        walk: Walk::Live,
        from,
        to: None,
    };
    walk.run(
        Pending::new(store, stream, Walk::Live, plan),
        kept,
        plan,
        progress,
    )
    .await
}

/// Where the very first poll begins: `lookback` ago, or where a backfill that reaches over that moment came to.
fn first_from(store: &Store, stream: StreamId, plan: &Plan) -> Result<DateTime<Utc>, IngestError> {
    let from = before(plan.now, plan.lookback);
    let read = store
        .backfill(stream)?
        .filter(|kept| kept.done && kept.span.from <= from && from <= kept.span.until);
    Ok(read.map_or(from, |kept| before(kept.span.until, plan.overlap).max(from)))
}

/// Reads the events of a span of event time, from where it was left.
pub async fn read_access_span(
    store: &Store,
    stream: StreamId,
    organization: &Organization,
    mapper: &Mapper,
    plan: &Plan,
    span: Window,
    progress: Progress<'_>,
) -> Result<(Read, Ended), IngestError> {
    let kept = store
        .backfill(stream)?
        .map(|kept| kept.checkpoint)
        .unwrap_or_default();
    let from = kept.watermark.map_or(span.from, |watermark| {
        before(watermark, plan.overlap).max(span.from)
    });
    let to = Some(after(span.until, plan.overlap));
    let walk = AccessWalk {
        organization,
        mapper,
        walk: Walk::Backfill(span),
        from,
        to,
    };
    let ended = walk
        .run(
            Pending::new(store, stream, Walk::Backfill(span), plan),
            kept,
            plan,
            progress,
        )
        .await?;
    if ended.1 == Ended::CaughtUp {
        store.finish_backfill(stream)?;
    }
    Ok(ended)
}

/// One walk: where it begins, and which events it keeps.
struct AccessWalk<'a> {
    organization: &'a Organization,
    mapper: &'a Mapper,
    walk: Walk,
    /// Where to begin without a cursor.
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
}

impl AccessWalk<'_> {
    async fn run(
        &self,
        mut pending: Pending<'_>,
        kept: Checkpoint,
        plan: &Plan,
        progress: Progress<'_>,
    ) -> Result<(Read, Ended), IngestError> {
        let ended = self.walk(&mut pending, kept, plan, progress).await;
        // Whatever happened, what was read counts.
        pending.flush()?;
        ended.map(|ended| (pending.read, ended))
    }

    async fn walk(
        &self,
        pending: &mut Pending<'_>,
        kept: Checkpoint,
        plan: &Plan,
        progress: Progress<'_>,
    ) -> Result<Ended, IngestError> {
        let beginning = EventsAsk::From {
            from: self.from,
            to: self.to,
        };
        let mut ask = kept
            .cursor
            .map_or_else(|| beginning.clone(), EventsAsk::Cursor);
        let mut guard = Guard::new();
        let mut fell_back = false;
        loop {
            let page = match self.organization.events(&ask, self.mapper).await {
                Err(Error::CursorRefused) if !fell_back && matches!(ask, EventsAsk::Cursor(_)) => {
                    tracing::info!("The cursor was refused; going on from the watermark.");
                    pending.flush()?;
                    pending.store.forget_cursor(pending.stream, self.walk)?;
                    ask = self.after_refusal(pending, plan)?;
                    fell_back = true;
                    continue;
                }
                page => page?,
            };
            guard.check(&ask, &page)?;
            let EventsPage {
                events,
                unusable,
                received,
                next,
                unresolved,
                ..
            } = page;
            let watermark = guard.newest;
            let moved = Checkpoint {
                began: Some(kept.began.unwrap_or(self.from)),
                watermark,
                cursor: next.clone(),
            };
            pending.add(
                Batch {
                    events: self.keep(events),
                    unusable,
                    unresolved,
                    received,
                },
                Some(moved),
            )?;
            tracing::debug!(received, "Page read.");
            let go_on = progress(&pending.read, watermark);
            match next {
                Some(next) if received > 0 => ask = EventsAsk::Cursor(next),
                Some(_) | None => return Ok(Ended::CaughtUp),
            }
            if !go_on {
                return Ok(Ended::Paused);
            }
        }
    }

    /// Where to begin anew when a cursor was refused: the watermark, which this very walk may have moved.
    fn after_refusal(&self, pending: &Pending<'_>, plan: &Plan) -> Result<EventsAsk, IngestError> {
        let watermark = match self.walk {
            Walk::Live => pending.store.live(pending.stream)?.watermark,
            Walk::Backfill(_) => pending
                .store
                .backfill(pending.stream)?
                .and_then(|kept| kept.checkpoint.watermark),
        };
        let from = watermark.map_or(self.from, |watermark| {
            before(watermark, plan.overlap).max(self.least())
        });
        Ok(EventsAsk::From { from, to: self.to })
    }

    fn least(&self) -> DateTime<Utc> {
        match self.walk {
            Walk::Live => DateTime::<Utc>::MIN_UTC,
            Walk::Backfill(span) => span.from,
        }
    }

    /// A backfill keeps what happened in its span; the live walk keeps everything.
    fn keep(&self, mut events: Vec<Event>) -> Vec<Event> {
        if let Walk::Backfill(span) = self.walk {
            events.retain(|event| span.contains(event.at));
        }
        events
    }
}

/// Sees to it that a walk makes progress and ends, however long it is: it keeps one cursor, not all.
struct Guard {
    /// A cursor that was sent, taken anew after twice as many pages each time, so that any circle comes back to it.
    kept: Option<String>,
    /// How many pages were read, and after how many the kept cursor is taken anew.
    pages: u64,
    renew: u64,
    newest: Option<DateTime<Utc>>,
    stale: u32,
}

impl Guard {
    fn new() -> Self {
        Self {
            kept: None,
            pages: 0,
            renew: 1,
            newest: None,
            stale: 0,
        }
    }

    fn check(&mut self, ask: &EventsAsk, page: &EventsPage) -> Result<(), IngestError> {
        let sent = match ask {
            EventsAsk::Cursor(cursor) => Some(cursor),
            EventsAsk::From { .. } => None,
        };
        self.pages += 1;
        if self.pages == self.renew {
            self.kept = sent.cloned();
            self.renew *= 2;
        }
        let repeats = page
            .next
            .as_ref()
            .is_some_and(|next| Some(next) == sent || Some(next) == self.kept.as_ref());
        if page.received > 0 && repeats {
            return Err(IngestError::Disorder(
                "the organisation's events repeat a cursor, so the walk would never end",
            ));
        }
        if newest_first(&page.events) {
            return Err(IngestError::Disorder(
                "the organisation's events came newest first although oldest first was asked for",
            ));
        }
        let newest = page.events.iter().map(processed).max();
        if newest > self.newest {
            self.newest = newest;
            self.stale = 0;
        } else {
            self.stale += 1;
        }
        if self.stale > STALE_PAGES {
            return Err(IngestError::Disorder(
                "the organisation's events go on without bringing anything newer",
            ));
        }
        Ok(())
    }
}

/// When an event came into the stream: its processing time, else its own.
fn processed(event: &Event) -> DateTime<Utc> {
    event.processed_at.unwrap_or(event.at)
}

/// Whether a page runs backwards throughout. One repeated or odd event is not an order.
fn newest_first(events: &[Event]) -> bool {
    let steps = || {
        events.windows(2).filter_map(|pair| match pair {
            [a, b] => Some((a.processed_at?, b.processed_at?)),
            _ => None,
        })
    };
    let (falling, rising) = (
        steps().filter(|(a, b)| b < a).count(),
        steps().filter(|(a, b)| b > a).count(),
    );
    falling >= 3 && rising == 0
}
