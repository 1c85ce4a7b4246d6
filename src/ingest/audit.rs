//! The walk along a site's audit log: windows with a frozen end, newest first, by offset, records without an id.
//!
//! Two records may be equal, so each is named by its digest and its place among equals. A list that shifts while it is
//! read shows records twice at the border of two pages, which looks the same: then the window is read again until two
//! readings agree.

use chrono::{DateTime, TimeDelta, Utc};
use rustc_hash::FxHashMap;

use super::{Ended, IngestError, Pending, Progress, Read, Target};
use crate::atlassian::{AuditPage, AuditRecord, Mapper, Site};
use crate::storage::Batch;
use crate::telemetry::events::CoverageMissing;
use pagewarden_core::model::{Checkpoint, Event, Stream, Walk};
use pagewarden_core::time::{Window, before, moment};

/// How many pages in a row may equal the one before: equal records of one bulk change may fill a few small pages.
const SAME_PAGES: u32 = 8;

/// How often a window that shifts is read before giving up for this time.
const READINGS: usize = 6;

/// By how much clocks may differ and count as the same, with the time that an answer takes.
const SAME_TIME: TimeDelta = TimeDelta::minutes(1);

/// How long a window of a backfill is: after each one the checkpoint moves.
const BACKFILL_WINDOW: TimeDelta = TimeDelta::days(30);

/// How many times each record was seen in one reading.
type Counts = FxHashMap<[u8; 16], u32>;

/// Polls live: one window from before the last one's end up to now.
pub async fn poll_audit(
    target: &Target<'_>,
    site: &Site,
    progress: Progress<'_>,
) -> Result<(Read, Ended), IngestError> {
    let (kept, plan) = (target.store.live(target.id).await?, target.plan);
    let from = match kept.watermark {
        // Behind the newest record too: a log that is late by more than the overlap is not passed over.
        Some(watermark) => {
            let newest = target
                .store
                .extent(target.id)
                .await?
                .map(|(newest, _)| moment(newest));
            // By the server's clock it may lie ahead of ours, by more than the overlap.
            let watermark = watermark.min(plan.now);
            before(
                newest.map_or(watermark, |newest| newest.min(watermark)),
                plan.overlap,
            )
        }
        None => before(plan.now, plan.lookback),
    };
    let window = Window {
        from,
        until: plan.now,
    };
    let began = kept.began.unwrap_or(from);
    let mut pending = Pending::new(target, Walk::Live);
    let mut read = read_window(&mut pending, site, target.mapper, window, began, progress).await;
    // Where our clock is behind, what the server wrote since is after the end of the window.
    if let (Ok(Ended::CaughtUp), Some(until)) = (&read, pending.read.server_time)
        && until > window.until + SAME_TIME
    {
        let from = window.until;
        let rest = Window { from, until };
        read = read_window(&mut pending, site, target.mapper, rest, began, progress).await;
    }
    pending.flush().await?;
    read.map(|ended| (pending.read, ended))
}

/// Reads the records of a span, window by window, from where it was left.
pub async fn read_audit_span(
    target: &Target<'_>,
    site: &Site,
    span: Window,
    progress: Progress<'_>,
) -> Result<(Read, Ended), IngestError> {
    let kept = target.store.backfill(target.id).await?;
    let kept = kept.map(|kept| kept.checkpoint).unwrap_or_default();
    let mut pending = Pending::new(target, Walk::Backfill(span));
    let mut from = kept
        .watermark
        .map_or(span.from, |watermark| watermark.max(span.from));
    while from < span.until {
        let until = (from + BACKFILL_WINDOW).min(span.until);
        let window = Window { from, until };
        let mapper = target.mapper;
        let read = read_window(&mut pending, site, mapper, window, span.from, progress).await;
        pending.flush().await?;
        if read? == Ended::Paused {
            return Ok((pending.read, Ended::Paused));
        }
        from = until;
    }
    target.store.finish_backfill(target.id, span).await?;
    Ok((pending.read, Ended::CaughtUp))
}

/// Reads one window completely and moves the checkpoint to its end.
async fn read_window(
    pending: &mut Pending<'_>,
    site: &Site,
    mapper: &Mapper,
    window: Window,
    began: DateTime<Utc>,
    progress: Progress<'_>,
) -> Result<Ended, IngestError> {
    let mut last: Option<Counts> = None;
    for _ in 0..READINGS {
        let Some(reading) = read_once(pending, site, mapper, window, progress).await? else {
            return Ok(Ended::Paused);
        };
        let agreed = !reading.shifted || last.as_ref() == Some(&reading.counts);
        if agreed {
            // Equal records are stored only now: before, they could have been one record seen twice.
            let moved = Checkpoint {
                began: Some(began),
                // By the server's clock if it is behind ours: what it writes next must not lie before the watermark.
                watermark: Some(
                    reading
                        .began
                        .map_or(window.until, |began| began.min(window.until)),
                ),
                cursor: None,
            };
            let events = reading
                .twins
                .iter()
                .map(|(record, ordinal)| record.event_for(*ordinal))
                .collect();
            pending
                .add(
                    Batch {
                        events,
                        ..Batch::default()
                    },
                    Some(moved),
                )
                .await?;
            return Ok(Ended::CaughtUp);
        }
        last = Some(reading.counts);
    }
    Err(IngestError::Disorder(
        "the site's audit log kept shifting while it was read; it is read again next time",
    ))
}

/// Says that a log of which nothing was ever seen claims to hold records: they may be withheld from us.
async fn report_withheld(
    pending: &Pending<'_>,
    start: usize,
    page: &AuditPage,
) -> Result<(), IngestError> {
    let announced = page.announced;
    let withheld = start == 0 && page.received == 0 && announced > 0;
    if withheld && pending.store.extent(pending.stream).await?.is_none() {
        let Stream { tenant, site, .. } = pending.of;
        let site = site.as_deref().unwrap_or_default();
        let what = format!(
            "the audit log of {site} says that it holds {announced} records, and shows none of them; check the permissions and \
             scopes of its token"
        );
        CoverageMissing {
            tenant,
            what: &what,
        }
        .emit();
    }
    Ok(())
}

/// What one reading of a window found.
#[derive(Default)]
struct Reading {
    counts: Counts,
    /// Records equal to an earlier one, with their place among equals.
    twins: Vec<(AuditRecord, u32)>,
    /// Whether a page showed what an earlier page had shown.
    shifted: bool,
    /// When it began, by the server's clock, where the answer has it.
    began: Option<DateTime<Utc>>,
    /// The time of the last record, and the records of that time.
    oldest: Option<(DateTime<Utc>, Vec<[u8; 16]>)>,
    /// Whether a record came that is newer than the one before it.
    disordered: bool,
}

impl Reading {
    /// Counts records, and gives the events of those that were not seen before.
    fn count(&mut self, records: Vec<AuditRecord>) -> Vec<Event> {
        let mut events = Vec::with_capacity(records.len());
        for record in records {
            self.follow(&record);
            let seen = self.counts.entry(record.digest).or_default();
            if *seen == 0 {
                events.push(record.event_for(0));
            } else {
                self.twins.push((record, *seen));
            }
            *seen += 1;
        }
        events
    }

    /// Follows the order of the records: newest first.
    fn follow(&mut self, record: &AuditRecord) {
        let (at, digest) = (record.event.at, record.digest);
        match &mut self.oldest {
            Some((oldest, same)) if *oldest == at => same.push(digest),
            Some((oldest, _)) if *oldest < at => self.disordered = true,
            _ => self.oldest = Some((at, vec![digest])),
        }
    }

    /// Forgets the records of the time that was read last, which may have been read in part, and gives that time; none
    /// where nothing was read, or not in order.
    fn step_back(&mut self) -> Option<DateTime<Utc>> {
        let (at, records) = self.oldest.take().filter(|_| !self.disordered)?;
        for digest in records {
            self.counts.remove(&digest);
        }
        self.twins.retain(|(record, _)| record.event.at != at);
        Some(at)
    }
}

/// Where in a window a reading is.
struct Place {
    from: i64,
    /// The last millisecond that is asked for; both ends are inclusive in the API, and windows are half-open here.
    last: i64,
    start: usize,
    /// What the page before showed, and how many pages in a row showed that.
    shown: Vec<[u8; 16]>,
    same: u32,
}

impl Place {
    const fn at_newest(window: Window) -> Self {
        Self {
            from: window.from.timestamp_millis(),
            last: window.until.timestamp_millis() - 1,
            start: 0,
            shown: Vec::new(),
            same: 0,
        }
    }

    /// Asks for the page that is here. Where the server leads nobody so far, what is left is asked for as a window of its
    /// own.
    async fn page(
        &mut self,
        pending: &mut Pending<'_>,
        site: &Site,
        mapper: &Mapper,
        reading: &mut Reading,
    ) -> Result<AuditPage, IngestError> {
        loop {
            let page = pending
                .during(site.audit(self.from, self.last, self.start, mapper))
                .await?;
            match page {
                Err(error) if self.start > 0 && error.is_bad_request() => {
                    let oldest = reading.step_back().map(|at| at.timestamp_millis());
                    let Some(oldest) = oldest.filter(|oldest| *oldest < self.last) else {
                        return Err(error.into());
                    };
                    (self.last, self.start) = (oldest, 0);
                    self.shown.clear();
                }
                page => return Ok(page?),
            }
        }
    }

    /// Goes past a page.
    fn pass(&mut self, page: &AuditPage) -> Result<(), IngestError> {
        let read = page.records.iter().map(|record| record.digest);
        let unusable = page.unusable.iter().map(|record| record.key.0);
        let shown: Vec<[u8; 16]> = read.chain(unusable).collect();
        let again = shown == self.shown;
        self.same = if again { self.same + 1 } else { 0 };
        if self.same > SAME_PAGES {
            return Err(IngestError::Disorder(
                "the site's audit log gives the same page again and again",
            ));
        }
        self.shown = shown;
        self.start += page.received;
        Ok(())
    }
}

/// Reads a window once; none where it was asked to pause.
async fn read_once(
    pending: &mut Pending<'_>,
    site: &Site,
    mapper: &Mapper,
    window: Window,
    progress: Progress<'_>,
) -> Result<Option<Reading>, IngestError> {
    let mut reading = Reading::default();
    let mut place = Place::at_newest(window);
    loop {
        let start = place.start;
        let page = place.page(pending, site, mapper, &mut reading).await?;
        pending.latest(page.server_time);
        reading.began = reading.began.or(page.server_time);
        report_withheld(pending, start, &page).await?;
        place.pass(&page)?;
        // Not only on the page before: a burst may push everything further than a page.
        reading.shifted |= page
            .records
            .iter()
            .any(|record| reading.counts.contains_key(&record.digest));
        let events = reading.count(page.records);
        // It comes from the newest end: what is done of the window is what lies behind the oldest record.
        let oldest = events.iter().map(|event| event.at).min();
        let done = oldest.map(|oldest| window.from + (window.until - oldest));
        let batch = Batch {
            events,
            unusable: page.unusable,
            unresolved: 0,
            received: page.received,
        };
        pending.add(batch, None).await?;
        let go_on = progress(&pending.read, done);
        if page.last || page.received == 0 {
            return Ok(Some(reading));
        }
        if !go_on {
            return Ok(None);
        }
    }
}
