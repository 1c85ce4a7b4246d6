//! The walk along the organisation's events: ascending by processing time, by cursor.

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{Ended, IngestError, Pending, Progress, Read, Target};
use crate::atlassian::{Error, EventsAsk, EventsPage, Organization};
use crate::storage::Batch;
use crate::telemetry::events::{CursorRefused, PageRead};
use pagewarden_core::model::{Checkpoint, Event, Walk};
use pagewarden_core::time::{Window, after, before};

/// How many pages in a row may bring nothing newer before the walk is called endless.
const STALE_PAGES: u32 = 50;

/// How often a cursor may be refused without anything newer in between.
const REFUSALS: u32 = 16;
/// How many empty pages in a row are not yet the end of an old window.
const EMPTY_PAGES: u32 = 3;

/// Polls live, from where the last poll came to, until everything is read that was there when it began: on a busy tenant
/// there is always more. Never sends `to`.
pub async fn poll_access(
    target: &Target<'_>,
    organization: &Organization,
    progress: Progress<'_>,
) -> Result<(Read, Ended), IngestError> {
    let kept = target.store.live(target.id).await?;
    let from = match kept.watermark {
        Some(watermark) => before(watermark, target.plan.overlap),
        // Not from that moment itself: the server's clock may be behind ours.
        None => match kept.began {
            Some(began) => before(began, target.plan.overlap),
            None => first_from(target).await?,
        },
    };
    let walk = AccessWalk {
        organization,
        target,
        walk: Walk::Live,
        from,
        to: None,
    };
    walk.run(kept, progress).await
}

/// Where the very first poll begins: `lookback` ago, or where a backfill that reaches over that moment came to.
async fn first_from(target: &Target<'_>) -> Result<DateTime<Utc>, IngestError> {
    let from = before(target.plan.now, target.plan.lookback);
    let reaches = |span: &Window| span.from <= from && from <= span.until;
    let read = target.store.backfill(target.id).await?;
    let read = read.filter(|kept| kept.done && reaches(&kept.span));
    Ok(read.map_or(from, |kept| {
        before(kept.span.until, target.plan.overlap).max(from)
    }))
}

/// Reads the events of a span of event time, from where it was left.
pub async fn read_access_span(
    target: &Target<'_>,
    organization: &Organization,
    span: Window,
    progress: Progress<'_>,
) -> Result<(Read, Ended), IngestError> {
    let kept = target.store.backfill(target.id).await?;
    let kept = kept.map(|kept| kept.checkpoint).unwrap_or_default();
    let overlap = target.plan.overlap;
    let from = kept.watermark.map_or(span.from, |watermark| {
        before(watermark, overlap).max(span.from)
    });
    let walk = AccessWalk {
        organization,
        target,
        walk: Walk::Backfill(span),
        from,
        to: Some(after(span.until, overlap)),
    };
    let ended = walk.run(kept, progress).await?;
    if ended.1 == Ended::CaughtUp {
        target.store.finish_backfill(target.id, span).await?;
    }
    Ok(ended)
}

/// One walk: where it begins, and which events it keeps.
struct AccessWalk<'a> {
    organization: &'a Organization,
    target: &'a Target<'a>,
    walk: Walk,
    /// Where to begin without a cursor.
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
}

impl AccessWalk<'_> {
    async fn run(
        &self,
        kept: Checkpoint,
        progress: Progress<'_>,
    ) -> Result<(Read, Ended), IngestError> {
        let mut pending = Pending::new(self.target, self.walk);
        let ended = self.walk(&mut pending, kept, progress).await;
        // Whatever happened, what was read counts.
        pending.flush().await?;
        ended.map(|ended| (pending.read, ended))
    }

    async fn walk(
        &self,
        pending: &mut Pending<'_>,
        kept: Checkpoint,
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
        let mut refusals = Refusals::default();
        let mut empty = 0;
        let (started, mut present) = (Instant::now(), None);
        loop {
            let began = Instant::now();
            let answer = self.organization.events(&ask, self.target.mapper);
            let page = match pending.during(answer).await? {
                Err(Error::CursorRefused)
                    if matches!(ask, EventsAsk::Cursor(_)) && refusals.may_go_on(guard.newest) =>
                {
                    pending.flush().await?;
                    let store = self.target.store;
                    store.forget_cursor(self.target.id, self.walk).await?;
                    ask = self.after_refusal(refusals.vain).await?;
                    // The server may name its pages as before.
                    guard = Guard::new();
                    continue;
                }
                page => page?,
            };
            let latest = pending.latest(page.server_time);
            let present = *present.get_or_insert(page.server_time.unwrap_or(self.target.plan.now));
            guard.check(&ask, &page, latest)?;
            let (next, received) = (page.next.clone(), page.received);
            PageRead {
                stream: self.target.stream,
                events: received,
                took: began.elapsed(),
            }
            .emit();
            let watermark = guard.newest;
            let moved = Checkpoint {
                began: Some(kept.began.unwrap_or(self.from)),
                watermark,
                cursor: next.clone(),
            };
            pending.add(self.keep(page), Some(moved)).await?;
            let go_on = progress(&pending.read, watermark);
            empty = if received > 0 { 0 } else { empty + 1 };
            ask = match next.map(EventsAsk::Cursor) {
                Some(next) if received > 0 || (empty <= self.patience() && next != ask) => next,
                Some(_) | None => return Ok(Ended::CaughtUp),
            };
            if !go_on {
                return Ok(Ended::Paused);
            }
            if let Some(ended) = self.is_enough(watermark >= Some(present), started) {
                return Ok(ended);
            }
        }
    }

    /// Whether a live walk ends although there is more: at the present of its beginning, or after its time.
    fn is_enough(&self, is_present: bool, started: Instant) -> Option<Ended> {
        let patience = self.target.plan.patience;
        match self.walk {
            Walk::Backfill(_) => None,
            Walk::Live if is_present => Some(Ended::CaughtUp),
            Walk::Live => patience
                .is_some_and(|patience| started.elapsed() >= patience)
                .then_some(Ended::OutOfTime),
        }
    }

    /// Where to begin anew when a cursor was refused: before the watermark, which this very walk may have moved. Refusals in
    /// vain shorten the overlap.
    async fn after_refusal(&self, vain: u32) -> Result<EventsAsk, IngestError> {
        let Target { store, id, .. } = *self.target;
        let watermark = match self.walk {
            Walk::Live => store.live(id).await?.watermark,
            Walk::Backfill(_) => store
                .backfill(id)
                .await?
                .and_then(|kept| kept.checkpoint.watermark),
        };
        let from = watermark.map_or(self.from, |watermark| {
            let overlap = self.target.plan.overlap / 2_u32.saturating_pow(vain.saturating_sub(1));
            before(watermark, overlap).max(self.least())
        });
        CursorRefused {
            stream: self.target.stream,
            from,
        }
        .emit();
        Ok(EventsAsk::From { from, to: self.to })
    }

    /// How many empty pages in a row are passed while the cursor goes on: the live walk asks again at its next poll, a
    /// backfill never.
    const fn patience(&self) -> u32 {
        match self.walk {
            Walk::Live => 0,
            Walk::Backfill(_) => EMPTY_PAGES,
        }
    }

    fn least(&self) -> DateTime<Utc> {
        match self.walk {
            Walk::Live => DateTime::<Utc>::MIN_UTC,
            Walk::Backfill(span) => span.from,
        }
    }

    /// What of a page is stored: a backfill keeps what happened in its span, the live walk keeps everything.
    fn keep(&self, page: EventsPage) -> Batch {
        let EventsPage {
            mut events,
            unusable,
            unresolved,
            received,
            ..
        } = page;
        if let Walk::Backfill(span) = self.walk {
            events.retain(|event| span.contains(event.at));
        }
        Batch {
            events,
            unusable,
            unresolved,
            received,
        }
    }
}

/// Refused cursors since the walk last came further.
#[derive(Default)]
struct Refusals {
    in_a_row: u32,
    /// How often one brought the walk no further: as often is the overlap halved, or its end might never be reached.
    vain: u32,
    /// How far the walk had come.
    newest: Option<DateTime<Utc>>,
}

impl Refusals {
    /// Counts one at this point of the walk, and returns whether another try may help.
    fn may_go_on(&mut self, newest: Option<DateTime<Utc>>) -> bool {
        if newest > self.newest {
            self.newest = newest;
            self.in_a_row = 0;
        } else {
            self.vain += 1;
        }
        self.in_a_row += 1;
        self.in_a_row <= REFUSALS
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

    /// Takes in a page; times after `latest` are not believed.
    fn check(
        &mut self,
        ask: &EventsAsk,
        page: &EventsPage,
        latest: DateTime<Utc>,
    ) -> Result<(), IngestError> {
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
        let newest = page.events.iter().map(processed);
        let newest = newest.filter(|at| *at <= latest).max();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks pages whose cursors are these numbers, each newer than the last; returns after how many it was stopped.
    fn stopped(cursors: impl Iterator<Item = u32>) -> Option<usize> {
        let mut guard = Guard::new();
        let mut ask = EventsAsk::From {
            from: DateTime::UNIX_EPOCH,
            to: None,
        };
        for (place, cursor) in cursors.enumerate() {
            let page = EventsPage {
                events: Vec::new(),
                unusable: Vec::new(),
                received: 1,
                next: Some(cursor.to_string()),
                server_time: None,
                unresolved: 0,
            };
            guard.stale = 0;
            if guard.check(&ask, &page, DateTime::<Utc>::MAX_UTC).is_err() {
                return Some(place);
            }
            ask = EventsAsk::Cursor(cursor.to_string());
        }
        None
    }

    #[test]
    fn a_walk_in_a_circle_is_stopped_wherever_the_circle_begins_and_however_long_it_is() {
        for begins in [0, 1, 5, 40] {
            for length in [1, 2, 7, 100] {
                let circle = (0..begins).chain((begins..begins + length).cycle());
                let stopped = stopped(circle.take(2_000)).unwrap();
                let once = usize::try_from(begins + length).unwrap();
                assert!(
                    (once..=3 * once + 2).contains(&stopped),
                    "{begins} {length} {stopped}"
                );
            }
        }
        assert_eq!(stopped(0..2_000), None);
    }
}
