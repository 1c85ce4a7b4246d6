//! Canary pages of a tenant whose log holds no page views: the site is asked how often they were opened.
//!
//! Like the check of log health it depends on the clock, so it runs beside live polling only.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Followed, Source, Watch};
use crate::atlassian::{Error, Site};
use crate::coverage::canary_note;
use crate::findings::Messages;
use crate::http;
use crate::outcome::Outcome;
use crate::storage::{CanaryView, Recorded, StoreError};
use crate::telemetry::events::CoverageMissing;
use pagewarden_core::detect::blind_spot::period;
use pagewarden_core::detect::canary_page::{ID, counted_sentence, rise};
use pagewarden_core::model::id::digest16;
use pagewarden_core::model::{
    EventKey, Family, Finding, FindingId, Observed, PageId, Severity, Signal,
};
use pagewarden_core::time::DAY_SECONDS;

/// After how many days of events without a page view the log is taken to hold none.
const VIEWLESS_DAYS: i64 = 14;

/// How many reasons one finding names.
const REASONS: usize = 50;

/// A view count that rose.
struct Rise {
    page: String,
    site: String,
    by: u32,
    since: DateTime<Utc>,
    reason: String,
}

impl Watch {
    /// Asks for the view counts of canary pages where the log holds no page views, and records each count that rose.
    pub async fn look_at_canaries(&self) -> Result<Outcome, StoreError> {
        let known = self.store.canary_views(self.tenant).await?;
        let counts = self.counts_canaries().await?;
        if !counts && known.is_empty() {
            return Ok(Outcome::default());
        }
        let wanted = self.detect.canary_page.enabled;
        let listed = self.detect.canary_pages.iter().filter(|_| wanted);
        let listed: Vec<_> = listed.collect();
        let mut outcome = Outcome::default();
        let (mut views, mut rises) = (Vec::new(), Vec::new());
        for site in self.sites() {
            let host = site.host();
            let mut silent = false;
            let here = |place: &Option<String>| place.as_ref().is_none_or(|place| *place == host);
            let pages = listed.iter().filter(|page| here(&page.site));
            let pages: BTreeSet<&PageId> = pages.map(|page| &page.id).collect();
            for page in pages {
                let before = known
                    .iter()
                    .find(|old| old.site == host && old.page == page.as_str());
                if silent {
                    // Asked again the next time, against what the site said last.
                    views.extend(before.cloned());
                    continue;
                }
                match site.views(page).await {
                    Ok(count) => {
                        let (now, more) = self.counted(&host, page, count, before);
                        views.push(now);
                        rises.extend(more);
                    }
                    Err(error) if error.is_stop() => return Ok(Outcome::default()),
                    Err(error) => {
                        silent = concerns_all(&error);
                        views.push(refused(&host, page, &error, before));
                    }
                }
            }
        }
        if !counts {
            // The log holds page views from now on; this last count reports what was opened since the count before.
            views.clear();
        }
        leave_to_others(&mut views);
        self.log_refusals(&views, &known);
        outcome.add(self.keep_canaries(&views, rises).await?);
        Ok(outcome)
    }

    /// Whether the site is to be asked: canary pages are listed, and the log has held no page view for two weeks.
    async fn counts_canaries(&self) -> Result<bool, StoreError> {
        if !self.detect.canary_page.enabled || self.detect.canary_pages.is_empty() {
            return Ok(false);
        }
        if self.settings.organization.is_none() {
            return Ok(true);
        }
        let access = self
            .streams
            .iter()
            .find(|followed| matches!(followed.source, Source::Organization(_)));
        let Some(Followed { id, .. }) = access else {
            return Ok(true);
        };
        let Some((newest, _)) = self.store.extent(*id).await? else {
            return Ok(true);
        };
        let last = self.store.last_view(*id).await?;
        Ok(last.is_none_or(|last| newest - last > VIEWLESS_DAYS * DAY_SECONDS))
    }

    fn sites(&self) -> impl Iterator<Item = &Site> {
        self.streams
            .iter()
            .filter_map(|followed: &Followed| match &followed.source {
                Source::Site(site) => Some(site),
                Source::Organization(_) => None,
            })
    }

    /// What the site says now, and by how much it is more than before.
    fn counted(
        &self,
        host: &str,
        page: &PageId,
        count: u32,
        before: Option<&CanaryView>,
    ) -> (CanaryView, Option<Rise>) {
        let last = before.and_then(|before| before.counted);
        let more = last.and_then(|(was, since)| {
            let by = rise(Some(was), count)?;
            let of = (self.sites().count() > 1).then_some(host);
            Some(Rise {
                page: page.as_str().to_owned(),
                site: host.to_owned(),
                by,
                since,
                reason: counted_sentence(page.as_str(), of, since, was, count),
            })
        });
        let now = CanaryView {
            site: host.to_owned(),
            page: page.as_str().to_owned(),
            counted: Some((count, self.clock.now())),
            refused: None,
        };
        (now, more)
    }

    /// Says what is not counted, once when it begins; the status goes on saying it.
    fn log_refusals(&self, views: &[CanaryView], known: &[CanaryView]) {
        for view in views {
            let known = known.iter().any(|old| {
                (&old.site, &old.page) == (&view.site, &view.page) && old.refused.is_some()
            });
            if let Some(what) = canary_note(view).filter(|_| !known) {
                let tenant = self.name();
                CoverageMissing {
                    tenant,
                    what: &what,
                }
                .emit();
            }
        }
    }

    /// Keeps the counts together with the findings that follow from them.
    async fn keep_canaries(
        &self,
        views: &[CanaryView],
        rises: Vec<Rise>,
    ) -> Result<Outcome, StoreError> {
        let now = self.clock.now();
        let mut outcome = Outcome::default();
        let mut changed = Vec::new();
        let mut messages = Messages::new(self.store.as_ref(), &self.notifiers, now);
        for rise in rises {
            let id = self.canary_id(&rise, now);
            let before = self.store.recorded_finding(&id).await?;
            let finding = self.opened(id, rise, before.map(|before| before.finding), now);
            if finding.revision == 1 {
                outcome.note(&finding);
            }
            messages.report(&finding, now).await?;
            changed.push(Recorded {
                finding,
                settled: true,
            });
        }
        self.store
            .keep_canary_views(self.tenant, views, messages.with(changed, Vec::new()), now)
            .await?;
        Ok(outcome)
    }

    /// The finding as it stands: one for each page and week, whose revision grows with each rise.
    fn opened(
        &self,
        id: FindingId,
        rise: Rise,
        before: Option<Finding>,
        now: DateTime<Utc>,
    ) -> Finding {
        let (revision, mut signals, views, first) =
            before.map_or((0, Vec::new(), 0, rise.since), |before| {
                let Finding {
                    revision,
                    signals,
                    observed,
                    first_seen,
                    ..
                } = before;
                (revision, signals, observed.views, first_seen)
            });
        signals.truncate(REASONS - 1);
        signals.insert(
            0,
            Signal {
                name: "canary-count".to_owned(),
                bits: 0.0,
                reason: rise.reason.clone(),
            },
        );
        Finding {
            revision: revision + 1,
            severity: Severity::High,
            observed: Observed {
                pages: 1,
                views: views.saturating_add(rise.by),
                ..Observed::default()
            },
            reason: rise.reason,
            signals,
            first_seen: first,
            ..Finding::about_nobody(id, self.name(), Family::Canary, ID, now)
        }
    }

    fn canary_id(&self, rise: &Rise, now: DateTime<Utc>) -> FindingId {
        let digest = digest16(&[
            b"finding",
            self.name().as_bytes(),
            Family::Canary.as_str().as_bytes(),
            b"",
            &period(now).to_le_bytes(),
            rise.page.as_bytes(),
            rise.site.as_bytes(),
        ]);
        FindingId::new(EventKey(digest).hex())
    }
}

/// Whether an error is about the site and not about one page: then no further page is asked for, least of all with a
/// token that is refused.
const fn concerns_all(error: &Error) -> bool {
    match error {
        Error::Denied { status, .. } => *status == 401,
        Error::Http(http::Error::Malformed(_)) => false,
        Error::CursorRefused | Error::Http(_) => true,
    }
}

/// A page that the site does not count for us.
fn refused(host: &str, page: &PageId, error: &Error, before: Option<&CanaryView>) -> CanaryView {
    CanaryView {
        site: host.to_owned(),
        page: page.as_str().to_owned(),
        counted: before.and_then(|before| before.counted),
        refused: Some(error.to_string()),
    }
}

/// A page that one site counts is not missed on the others, where it never was.
fn leave_to_others(views: &mut Vec<CanaryView>) {
    let counted: BTreeSet<String> = views
        .iter()
        .filter(|view| view.refused.is_none())
        .map(|view| view.page.clone())
        .collect();
    views.retain(|view| view.counted.is_some() || !counted.contains(&view.page));
}
