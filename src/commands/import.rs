//! `pagewarden import`: the same pipeline over files, without the network.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use rustc_hash::FxHashMap;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::scan::show_news;
use super::{Trouble, chain, exit_of, load_if_any, runtime, say, state_path};
use crate::analysis::Subject;
use crate::atlassian::{FLATTENED, Mapper, is_unresolved};
use crate::cli::{Global, ImportFormat};
use crate::config::{self, Config, Detect};
use crate::exit::Exit;
use crate::findings::{PendingSummary, Recorder, summarise};
use crate::import::{self as files, Format, ImportBatch, ImportError};
use crate::log_health::LogRecorder;
use crate::outcome::Outcome;
use crate::output::summary::History;
use crate::roster::snapshot_of;
use crate::storage::sqlite::{Lease, Sqlite};
use crate::storage::{AHEAD, Batch, Registry as _, Store, StoreError, TenantId};
use crate::tenant;
use pagewarden_core::model::{Severity, Stream, StreamName};
use pagewarden_core::text;
use pagewarden_core::time::{Clock as _, SystemClock, Window};

/// What to read, and of what.
#[derive(Debug)]
pub struct Files {
    /// The files; `-` is standard input.
    pub paths: Vec<PathBuf>,
    /// What they hold.
    pub format: ImportFormat,
    /// Who is privileged.
    pub roster: Option<PathBuf>,
    /// Which site audit records are of.
    pub site: Option<Url>,
}

/// How many records are committed at once.
const COMMIT_EVENTS: usize = 5_000;

/// The name of the tenant where no config names one.
const NAMELESS: &str = "imported";

/// Reads and analyses files.
pub fn import(global: &Global, from: &Files, fail_on: Severity) -> Result<Exit, Trouble> {
    let config = load_if_any(global)?;
    let settings = one_tenant(config.as_ref())?;
    let roster = from.roster.as_deref().map(files::read_roster).transpose();
    let roster = roster.map_err(|error| Trouble::incomplete(chain(&error)))?;
    let state = state_of(global, config.as_ref())?;
    let _lease = Lease::take(&state)?;
    let store = Sqlite::open(&state)?;
    let runtime = runtime()?;
    let whose = Whose::new(global, config.as_ref(), settings);
    let now = SystemClock.now();
    let (tenant, actions) = runtime.block_on(async {
        let tenant = store
            .tenant(&whose.name, whose.organization.as_deref(), now)
            .await?;
        if let Some((as_of, users)) = roster {
            let snapshot = snapshot_of(&users, &whose.admins, as_of.unwrap_or(now));
            store.keep_roster(tenant, &snapshot, Some(now)).await?;
        } else if store.rosters(tenant).await?.is_empty() && whose.admins.accounts.is_empty() {
            say("no roster is known, so nobody counts as privileged; name one with --roster FILE");
        }
        Ok::<_, StoreError>((tenant, store.actions(tenant).await?.0))
    })?;
    let overrides = settings.map(|settings| settings.actions.as_slice());
    let mapper = Mapper::new(overrides.unwrap_or_default(), &actions);
    let mut reader = Reader::new(
        (&store, &runtime),
        tenant,
        &whose,
        (from.site.as_ref(), now),
    );
    let mut outcome = Outcome::default();
    for path in &from.paths {
        outcome
            .failures
            .extend(reader.file(path, format(from.format), &mapper)?);
    }
    let Reader {
        span,
        counts,
        foreign,
        ..
    } = reader;
    say(&counts.words());
    if let Some(note) = foreign.note() {
        say(&note);
    }
    let notifiers = config.as_ref().map_or(&[][..], |config| &config.notifiers);
    runtime.block_on(async {
        outcome.add(whose.found(&store, tenant, notifiers, span, now).await?);
        note_waiting(&store).await?;
        show_news(&store, &outcome, false, global).await
    })?;
    Ok(exit_of(&outcome, fail_on, false))
}

/// The state file that the config names, or the one that the command line names.
fn state_of(global: &Global, config: Option<&Config>) -> Result<PathBuf, Trouble> {
    match config {
        Some(config) => Ok(config.state.path.clone()),
        None => state_path(global),
    }
}

/// An import sends nothing: says so where messages wait.
async fn note_waiting(store: &dyn Store) -> Result<(), StoreError> {
    if store.next_due(None).await?.is_some() {
        say(
            "messages wait for the next `scan` or `run`, which sends them; `pagewarden status` counts them",
        );
    }
    Ok(())
}

/// Whose files they are, and by which rules they are analysed.
struct Whose {
    name: String,
    organization: Option<String>,
    sites: Vec<String>,
    scored: Vec<String>,
    admins: config::Admins,
    detect: Detect,
}

impl Whose {
    /// Analyses what is stored, records what is new, and sums up what was imported.
    async fn found(
        &self,
        store: &dyn Store,
        tenant: TenantId,
        notifiers: &[config::Notifier],
        span: Option<Window>,
        now: DateTime<Utc>,
    ) -> Result<Outcome, StoreError> {
        let pending_summary =
            &PendingSummary::of(store, tenant, span.into_iter().collect()).await?;
        let recorder = Recorder {
            store,
            notifiers,
            subject: self.subject(tenant),
            now,
            stop: &CancellationToken::new(),
            pending_summary,
        };
        let mut outcome = recorder.analyse().await?;
        let logs = LogRecorder {
            store,
            notifiers,
            tenant,
            name: &self.name,
            now,
            pending_summary,
        };
        let from = span.map(|span| span.from);
        outcome.add(logs.record_deeds(&self.detect, from).await?);
        if let Some(span) = span {
            let walk = History::Import;
            summarise(store, tenant, &self.name, notifiers, walk, span, now).await?;
        }
        Ok(outcome)
    }

    /// What is to be analysed, by which rules.
    fn subject(&self, tenant: TenantId) -> Subject<'_> {
        Subject {
            tenant,
            name: &self.name,
            admins: &self.admins,
            sites: &self.scored,
            detect: &self.detect,
        }
    }

    fn new(global: &Global, config: Option<&Config>, settings: Option<&config::Tenant>) -> Self {
        let named = settings.map(|settings| settings.name.clone());
        let organization = settings.and_then(|settings| settings.organization.as_ref());
        Self {
            name: named
                .or_else(|| global.tenant.clone())
                .unwrap_or_else(|| NAMELESS.to_owned()),
            organization: organization.map(|organization| organization.id.clone()),
            sites: settings.map_or_else(Vec::new, |settings| {
                settings.sites.iter().map(tenant::host).collect()
            }),
            scored: settings.map_or_else(Vec::new, tenant::scored_sites),
            admins: settings
                .map_or_else(config::Admins::default, |settings| settings.admins.clone()),
            detect: config::detect_of(config, settings),
        }
    }
}

/// The tenant that files are of: the config's only one, or the one that `--tenant` kept.
fn one_tenant(config: Option<&Config>) -> Result<Option<&config::Tenant>, Trouble> {
    match config.map(|config| config.tenants.as_slice()) {
        None => Ok(None),
        Some([one]) => Ok(Some(one)),
        Some(_) => Err(Trouble::usage(
            "the config has several tenants; say with --tenant NAME whose files these are",
        )),
    }
}

/// The site that audit records are of: the one named, or the tenant's only one.
fn site_of(named: Option<&Url>, sites: &[String]) -> Option<String> {
    let named = named.and_then(Url::host_str).map(str::to_lowercase);
    named.or_else(|| match sites {
        [one] => Some(one.clone()),
        _ => None,
    })
}

const fn format(format: ImportFormat) -> Format {
    match format {
        ImportFormat::Auto => Format::Auto,
        ImportFormat::OrgEvents => Format::OrgEvents,
        ImportFormat::SiteAudit => Format::SiteAudit,
    }
}

/// Stores what files hold.
struct Reader<'a> {
    store: &'a dyn Store,
    /// Files are read by one thread, which waits for the store.
    runtime: &'a Runtime,
    tenant: TenantId,
    whose: &'a Whose,
    site: Option<String>,
    access: Batch,
    audit: Batch,
    /// How often each audit record came in this file: equal ones are distinguished by their place.
    equals: FxHashMap<[u8; 16], u32>,
    span: Option<Window>,
    /// The latest time that is believed.
    latest: DateTime<Utc>,
    counts: Counts,
    foreign: Foreign,
}

/// Site audit records whose summary is in a language of which nothing is known.
#[derive(Debug, Default)]
struct Foreign {
    records: u64,
    /// The first few, to show.
    summaries: BTreeSet<String>,
}

impl Foreign {
    /// How many summaries are shown.
    const SHOWN: usize = 3;

    fn add(&mut self, summary: &str) {
        self.records += 1;
        if self.summaries.len() <= Self::SHOWN {
            self.summaries.insert(summary.to_owned());
        }
    }

    /// What to know of them, if there are any.
    fn note(&self) -> Option<String> {
        let shown = self.summaries.iter().take(Self::SHOWN);
        let shown: Vec<String> = shown
            .map(|one| format!("\"{}\"", text::plain(one, 60)))
            .collect();
        let more = if self.summaries.len() > Self::SHOWN {
            ", …"
        } else {
            ""
        };
        (self.records > 0).then(|| {
            format!(
                "{} of the site audit log: the summary is in a language that is unknown here ({}{more}), so they count as `other`, \
                 and an export among them is not seen; name the summaries in [tenant.actions], or set the language of the site to \
                 English and export the log again",
                text::count(self.records, "record"),
                shown.join(", "),
            )
        })
    }
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    fresh: u64,
    repeated: u64,
    unusable: u64,
    /// Those of the unusable whose objects a tool has written as text.
    flattened: u64,
}

impl Counts {
    /// Whether something came since, and nothing of it was of use.
    const fn only_unusable(self, before: Self) -> bool {
        self.unusable > before.unusable
            && self.fresh == before.fresh
            && self.repeated == before.repeated
    }

    fn words(&self) -> String {
        format!(
            "{} stored, {} repeated, {} unusable",
            text::count(self.fresh, "event"),
            text::number(self.repeated),
            text::number(self.unusable)
        )
    }
}

impl<'a> Reader<'a> {
    fn new(
        (store, runtime): (&'a dyn Store, &'a Runtime),
        tenant: TenantId,
        whose: &'a Whose,
        (site, now): (Option<&Url>, DateTime<Utc>),
    ) -> Self {
        Self {
            store,
            runtime,
            tenant,
            whose,
            site: site_of(site, &whose.sites),
            access: Batch::default(),
            audit: Batch::default(),
            equals: FxHashMap::default(),
            span: None,
            latest: now + AHEAD,
            counts: Counts::default(),
            foreign: Foreign::default(),
        }
    }

    /// Stores what a file holds; what could be read of a broken one counts, and the words say what is wrong with it.
    fn file(
        &mut self,
        path: &Path,
        format: Format,
        mapper: &Mapper,
    ) -> Result<Option<String>, Trouble> {
        let before = self.counts;
        let read = files::read(path, format, mapper, &mut |batch| self.take(batch, mapper));
        self.equals.clear();
        self.flush()?;
        match read {
            Ok(_) if self.counts.flattened > before.flattened => Ok(Some(format!(
                "{} has {} with {FLATTENED}; write the file again with a larger -Depth (20), and import it again",
                path.display(),
                text::count(self.counts.flattened - before.flattened, "record")
            ))),
            Ok(_) if self.counts.only_unusable(before) => Ok(Some(format!(
                "{} holds nothing that can be used: is it a file of organisation events or site audit records?",
                path.display()
            ))),
            Ok(_) => Ok(None),
            Err(ImportError::Sink(trouble)) => Err(trouble),
            Err(error) => Ok(Some(chain(&error))),
        }
    }

    fn take(&mut self, batch: ImportBatch, mapper: &Mapper) -> Result<(), Trouble> {
        let ImportBatch {
            events,
            audit,
            unusable_access,
            unusable_audit,
        } = batch;
        self.access.received += events.len() + unusable_access.len();
        self.access.unresolved += events.iter().filter(|event| is_unresolved(event)).count();
        self.access.events.extend(events);
        self.access.unusable.extend(unusable_access);
        self.audit.received += audit.len() + unusable_audit.len();
        for record in audit {
            if mapper.is_foreign(&record.event) {
                self.foreign.add(&record.event.action);
            }
            let seen = self.equals.entry(record.digest).or_default();
            self.audit.events.push(record.event_for(*seen));
            *seen += 1;
        }
        self.audit.unusable.extend(unusable_audit);
        if self.access.received + self.audit.received >= COMMIT_EVENTS {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), Trouble> {
        let (access, audit) = (
            std::mem::take(&mut self.access),
            std::mem::take(&mut self.audit),
        );
        if !access.is_empty() {
            self.commit(StreamName::Access, None, access)?;
        }
        if !audit.is_empty() {
            if self.whose.sites.len() > 1 && self.site.is_none() {
                return Err(Trouble::usage(
                    "the files hold site audit records and the tenant has several sites; say with --site URL which one they are of",
                ));
            }
            self.commit(StreamName::Audit, self.site.clone(), audit)?;
        }
        Ok(())
    }

    fn commit(
        &mut self,
        name: StreamName,
        site: Option<String>,
        mut batch: Batch,
    ) -> Result<(), StoreError> {
        batch.leave_out_after(self.latest);
        let stream = Stream {
            tenant: self.whose.name.clone(),
            name,
            site,
        };
        for unusable in &batch.unusable {
            self.counts.unusable += 1;
            self.counts.flattened += u64::from(unusable.reason == FLATTENED);
        }
        for event in &batch.events {
            let after = event.at + TimeDelta::seconds(1);
            let span = self.span.get_or_insert(Window {
                from: event.at,
                until: after,
            });
            span.from = span.from.min(event.at);
            span.until = span.until.max(after);
        }
        let committed = self.runtime.block_on(async {
            let stream = self.store.stream(self.tenant, &stream).await?;
            let lateness = self.whose.detect.lateness;
            self.store.commit(stream, batch, None, lateness).await
        })?;
        self.counts.fresh += committed.fresh;
        self.counts.repeated += committed.repeated;
        Ok(())
    }
}
