//! `pagewarden status`: how far every stream was read, and what cannot be seen.

use std::io::{self, Write as _};

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Trouble, known_tenant, load_if_any, look, state_path};
use crate::analysis::{self, suppression};
use crate::cli::{Global, StatusFormat};
use crate::config::{self, Config};
use crate::coverage::{canary_note, coverage, nobody_privileged};
use crate::exit::Exit;
use crate::output::status::{
    Admins, Backfill, Coverage, Credential, Deliveries, Findings, Reason, Status, StreamStatus,
    Tenant, problems, write_json, write_problems, write_text,
};
use crate::storage::sqlite::Sqlite;
use crate::storage::{DeliveryCounts, Store, StoreError, StreamStatus as StoredStream, TenantRow};
use crate::tenant::{credentials, scored_sites};
use pagewarden_core::model::{Finding, Status as FindingStatus};
use pagewarden_core::text::number;
use pagewarden_core::time::{Clock as _, SystemClock, before};

/// How many bytes have to be free on the disk of the state file, however small it is; else as many as it has.
const LEAST_FREE: u64 = 256 << 20;

/// How far back messages that were given up are a problem.
const LATELY: Duration = Duration::from_hours(7 * 24);

/// Tells it for people or machines.
///
/// With `check`, tells in words only what a person has to see to, and ends with 1 where there is anything.
pub async fn status(global: &Global, format: StatusFormat, check: bool) -> Result<Exit, Trouble> {
    let config = load_if_any(global)?;
    let path = state_path(global)?;
    let store = Sqlite::open_to_read(&path)?;
    known_tenant(global, &store).await?;
    let now = SystemClock.now();
    let mut status = gather(&store, config.as_ref(), now).await?;
    if let Some(name) = &global.tenant {
        status.tenants.retain(|tenant| tenant.name == *name);
    }
    status.problems.extend(disk(&path));
    let mut out = io::stdout().lock();
    match (format, check) {
        (StatusFormat::Json, _) => write_json(&status, &mut out)?,
        (StatusFormat::Text, true) => write_problems(&status, &mut out)?,
        (StatusFormat::Text, false) => write_text(&status, now, look(global), &mut out)?,
    }
    out.flush()?;
    let well = status.problems.is_empty()
        && status
            .tenants
            .iter()
            .all(|tenant| tenant.problems.is_empty());
    Ok(if check && !well {
        Exit::Incomplete
    } else {
        Exit::Done
    })
}

/// Whether the disk of the state file will be full soon, in a sentence.
fn disk(state: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        let size = std::fs::metadata(state).ok()?.len();
        let disk = rustix::fs::statvfs(state).ok()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        (free < LEAST_FREE.max(size)).then(|| {
            format!(
                "the disk of the state file is nearly full: {} MiB are free, and the file has {} MiB",
                number(free >> 20),
                number(size >> 20)
            )
        })
    }
    #[cfg(not(unix))]
    None
}

/// Puts the status together from the state and, where there is one, the config.
pub async fn gather(
    store: &dyn Store,
    config: Option<&Config>,
    now: DateTime<Utc>,
) -> Result<Status, StoreError> {
    let mut tenants = Vec::new();
    for row in store.tenants().await? {
        let settings =
            config.and_then(|config| config.tenants.iter().find(|tenant| tenant.name == row.name));
        let mut told = tenant(store, config, settings, &row, now).await?;
        // What a config does not name any more is nobody's concern.
        if config.is_none() || settings.is_some() {
            let schedule = settings.map(|settings| &settings.schedule);
            told.problems = problems(&told, schedule, now);
        }
        tenants.push(told);
    }
    Ok(Status {
        tenants,
        problems: Vec::new(),
    })
}

async fn tenant(
    store: &dyn Store,
    config: Option<&Config>,
    settings: Option<&config::Tenant>,
    row: &TenantRow,
    now: DateTime<Utc>,
) -> Result<Tenant, StoreError> {
    let stored = store.stream_status(row).await?;
    let (actions, _) = store.actions(row.id).await?;
    let mut seen = coverage(settings, &actions, &stored);
    seen.notes.extend(
        store
            .canary_views(row.id)
            .await?
            .iter()
            .filter_map(canary_note),
    );
    let findings = store.findings(Some(&row.name)).await?;
    let deliveries = store.delivery_counts(row.id, before(now, LATELY)).await?;
    let detect = config::detect_of(config, settings);
    let admins = settings
        .map(|settings| settings.admins.clone())
        .unwrap_or_default();
    let sites = settings.map(scored_sites).unwrap_or_default();
    let subject = analysis::Subject {
        tenant: row.id,
        name: &row.name,
        admins: &admins,
        sites: &sites,
        detect: &detect,
    };
    let privileged = analysis::privileged_count(store, &subject, now).await?;
    let nobody = nobody_privileged(privileged).filter(|_| row.roster_success.is_some());
    seen.notes.extend(nobody.map(str::to_owned));
    let mut streams = Vec::with_capacity(stored.len());
    for stored in stored {
        streams.push(stream(store, stored, now).await?);
    }
    Ok(Tenant {
        name: row.name.clone(),
        streams,
        admins: Admins {
            accounts: u64::try_from(privileged).unwrap_or(u64::MAX),
            as_of: row.roster_success,
            last_error: row.roster_error.clone(),
        },
        coverage: Coverage {
            page_views: seen.page_views,
            notes: seen.notes,
        },
        findings: counted(&findings),
        deliveries: messages(deliveries),
        credentials: settings
            .map(credentials)
            .unwrap_or_default()
            .into_iter()
            .map(|(name, expires)| Credential { name, expires })
            .collect(),
        suppressed: store.suppressed(row.id).await?,
        suppressions: suppression::count(store, &subject, now.date_naive()).await?,
        problems: Vec::new(),
    })
}

const fn messages(counts: DeliveryCounts) -> Deliveries {
    let DeliveryCounts {
        waiting,
        sent,
        given_up,
        given_up_lately,
    } = counts;
    Deliveries {
        waiting,
        sent,
        given_up,
        given_up_lately,
    }
}

fn counted(findings: &[Finding]) -> Findings {
    let open = findings
        .iter()
        .filter(|finding| finding.status == FindingStatus::Open);
    Findings {
        open: count(open),
        total: count(findings.iter()),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}

async fn stream(
    store: &dyn Store,
    stored: StoredStream,
    now: DateTime<Utc>,
) -> Result<StreamStatus, StoreError> {
    let backfill = store.backfill(stored.id).await?.map(|kept| Backfill {
        from: kept.span.from,
        until: kept.span.until,
        reached: kept.checkpoint.watermark,
        done: kept.done,
    });
    Ok(StreamStatus {
        stored: stored.stored,
        repeated: stored.repeated,
        late: stored.late,
        unusable: stored.unusable,
        unusable_reasons: stored
            .unusable_reasons
            .into_iter()
            .map(|(reason, count)| Reason { reason, count })
            .collect(),
        unresolved: stored.unresolved,
        watermark: store.live(stored.id).await?.watermark,
        lag_seconds: stored
            .last_success
            .map(|at| (now - at).num_seconds().max(0).unsigned_abs()),
        last_success: stored.last_success,
        last_error: stored.last_error,
        backfill,
        ..StreamStatus::new(stored.stream.name, stored.stream.site)
    })
}
