//! Findings, and what people said of them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::Sqlite;
use super::registry::millis;
use super::terms::position;
use crate::storage::{
    CanaryView, Changes, Findings, Recorded, RecordedChunk, StoreError, TenantId,
};
use crate::telemetry::events::FindingUnreadable;
use pagewarden_core::model::{
    AccountId, Family, Finding, FindingId, Matter, Severity, Status, Verdict,
};
use pagewarden_core::time::moment;

/// The form in which findings are stored.
const VERSION: i64 = 2;
/// How many findings are read at a time.
const CHUNK: usize = 256;

/// A finding as it lies in the file: whether it is settled, its id, the version of its form, its body.
type Row = (bool, String, i64, String);

#[async_trait]
impl Findings for Sqlite {
    async fn recorded_after(
        &self,
        tenant: TenantId,
        after: Option<&FindingId>,
    ) -> Result<RecordedChunk, StoreError> {
        let after = after.map(|id| id.as_str().to_owned()).unwrap_or_default();
        let rows = self.read(move |database| {
            let mut list = database.prepare_cached(
                "select final, id, version, body from finding where tenant = ?1 and id > ?2 and family <> 'blind'
                 and not (family = 'canary' and json_extract(body, '$.account') is null) order by id limit ?3",
            )?;
            let rows = list.query_map(params![tenant.0, after, CHUNK], row)?;
            rows.collect::<rusqlite::Result<Vec<Row>>>()
        });
        let rows = rows.await?;
        let last = rows.last().filter(|_| rows.len() == CHUNK);
        Ok(RecordedChunk {
            next: last.map(|(_, id, _, _)| FindingId::new(id.clone())),
            findings: rows.iter().filter_map(recorded).collect(),
        })
    }

    async fn recorded_finding(&self, id: &FindingId) -> Result<Option<Recorded>, StoreError> {
        let id = id.clone();
        let found = self.read(move |database| {
            database
                .prepare_cached("select final, id, version, body from finding where id = ?1")?
                .query_row([id.as_str()], row)
                .optional()
        });
        // One that cannot be read back is recorded anew.
        Ok(found.await?.as_ref().and_then(recorded))
    }

    async fn recorded_revision(&self, id: &FindingId) -> Result<Option<u32>, StoreError> {
        let id = id.clone();
        self.read(move |database| {
            database
                .query_row(
                    "select revision from finding where id = ?1",
                    [id.as_str()],
                    |row| row.get(0),
                )
                .optional()
        })
        .await
    }

    async fn blindness(&self, tenant: TenantId) -> Result<Vec<Recorded>, StoreError> {
        let rows = self.read(move |database| {
            let mut list = database.prepare_cached(
                "select final, id, version, body from finding where tenant = ?1 and family = 'blind' order by id",
            )?;
            let rows = list.query_map([tenant.0], row)?;
            rows.collect::<rusqlite::Result<Vec<Row>>>()
        });
        Ok(rows.await?.iter().filter_map(recorded).collect())
    }

    async fn record(
        &self,
        tenant: TenantId,
        changes: Changes,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let bodies = bodies(&changes.changed)?;
        self.write(move |transaction, _| write(transaction, tenant, &bodies, &changes, now))
            .await
    }

    async fn findings(&self, tenant: Option<&str>) -> Result<Vec<Finding>, StoreError> {
        let tenant = tenant.map(str::to_owned);
        let found = self.read(move |database| {
            let mut list = database.prepare_cached(
                "select final, finding.id, version, body from finding join tenant on tenant.id = finding.tenant
                 where ?1 is null or tenant.name = ?1 order by finding.id",
            )?;
            let rows = list.query_map([tenant], row)?;
            let rows = rows.collect::<rusqlite::Result<Vec<Row>>>()?;
            Ok((rows, said(database, None)?))
        });
        let (rows, verdicts) = found.await?;
        Ok(rows
            .iter()
            .filter_map(recorded)
            .map(|Recorded { mut finding, .. }| {
                if let Some(said) = verdicts.get(&finding.id) {
                    apply_verdicts(&mut finding, said);
                }
                finding
            })
            .collect())
    }

    async fn with_verdicts(&self, mut finding: Finding) -> Result<Finding, StoreError> {
        let id = finding.id.clone();
        let verdicts = self.read(move |database| said(database, Some(&id))).await?;
        if let Some(said) = verdicts.get(&finding.id) {
            apply_verdicts(&mut finding, said);
        }
        Ok(finding)
    }

    async fn verdicts(&self, finding: Option<&FindingId>) -> Result<Vec<Verdict>, StoreError> {
        let finding = finding.cloned();
        self.read(move |database| verdicts(database, finding.as_ref()))
            .await
    }

    async fn mark(&self, verdict: &Verdict) -> Result<(), StoreError> {
        let verdict = verdict.clone();
        self.write(move |transaction, _| mark(transaction, &verdict))
            .await
    }

    async fn canary_views(&self, tenant: TenantId) -> Result<Vec<CanaryView>, StoreError> {
        self.read(move |database| super::canary::views(database, tenant))
            .await
    }

    async fn keep_canary_views(
        &self,
        tenant: TenantId,
        views: &[CanaryView],
        changes: Changes,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let bodies = bodies(&changes.changed)?;
        let views = views.to_vec();
        self.write(move |transaction, _| {
            super::canary::keep(transaction, tenant, &views)?;
            write(transaction, tenant, &bodies, &changes, now)
        })
        .await
    }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn recorded((settled, id, version, body): &Row) -> Option<Recorded> {
    Some(Recorded {
        finding: read_back(id, *version, body)?,
        settled: *settled,
    })
}

fn verdicts(database: &Connection, finding: Option<&FindingId>) -> rusqlite::Result<Vec<Verdict>> {
    let mut list = database.prepare_cached(
                "select finding, status, note, at_ms, revision, account, family, from_s, until_s, bits, severity, tenant from verdict
                 where ?1 is null or finding = ?1 order by at_ms, finding",
            )?;
    let rows = list.query_map([finding.map(FindingId::as_str)], |row| {
        Ok(Verdict {
            finding: FindingId::new(row.get::<_, String>(0)?),
            status: status_of(row.get_ref(1)?.as_str()?),
            note: row.get(2)?,
            at: millis(row, 3)?.unwrap_or_default(),
            revision: row.get(4)?,
            matter: Matter {
                tenant: row.get(11)?,
                account: row.get::<_, Option<String>>(5)?.map(AccountId::new),
                family: family_of(row.get_ref(6)?.as_str()?),
                from: moment(row.get(7)?),
                until: moment(row.get(8)?),
                bits: row.get(9)?,
                severity: Severity::ALL
                    .get(row.get::<_, usize>(10)?)
                    .copied()
                    .unwrap_or(Severity::Low),
            },
        })
    })?;
    rows.collect()
}

fn mark(transaction: &Transaction<'_>, verdict: &Verdict) -> rusqlite::Result<()> {
    let Verdict {
        finding,
        status,
        note,
        at,
        revision,
        matter,
    } = verdict;
    transaction.execute(
                "insert or replace into verdict
                 (finding, at_ms, status, note, revision, account, family, from_s, until_s, bits, severity, tenant)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                params![
                    finding.as_str(),
                    at.timestamp_millis(),
                    status.as_str(),
                    note,
                    revision,
                    matter.account.as_ref().map(AccountId::as_str),
                    matter.family.as_str(),
                    matter.from.timestamp(),
                    matter.until.timestamp(),
                    matter.bits,
                    position(&Severity::ALL, &matter.severity),
                    matter.tenant,
                ],
            )?;
    Ok(())
}

/// Each finding in its form of the state file.
pub(super) fn bodies(changed: &[Recorded]) -> Result<Vec<String>, StoreError> {
    changed
        .iter()
        .map(|recorded| serde_json::to_string(&recorded.finding))
        .collect::<Result<_, _>>()
        .map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// Writes what changed within a transaction.
pub(super) fn write(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    bodies: &[String],
    changes: &Changes,
    now: DateTime<Utc>,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "insert or replace into finding (id, tenant, family, detector, severity, revision, final, last_seen, body, version)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for (Recorded { finding, settled }, body) in changes.changed.iter().zip(bodies) {
        insert.execute(params![
            finding.id.as_str(),
            tenant.0,
            finding.family.as_str(),
            finding.detector,
            position(&Severity::ALL, &finding.severity),
            finding.revision,
            settled,
            finding.last_seen.timestamp(),
            body,
            VERSION
        ])?;
    }
    let mut remove = transaction.prepare_cached("delete from finding where id = ?1")?;
    for id in &changes.gone {
        remove.execute([id.as_str()])?;
        super::outbox::withdraw(transaction, id.as_str(), None)?;
    }
    for (id, notifier) in &changes.withdrawn {
        super::outbox::withdraw(transaction, id.as_str(), Some(notifier))?;
    }
    super::outbox::put(transaction, tenant, &changes.deliveries, now)
}

/// The family behind its word.
fn family_of(word: &str) -> Family {
    [
        Family::Reading,
        Family::Export,
        Family::Admin,
        Family::Canary,
    ]
    .into_iter()
    .find(|family| family.as_str() == word)
    .unwrap_or(Family::Blind)
}

/// The status behind its word.
fn status_of(word: &str) -> Status {
    match word {
        "expected" => Status::Expected,
        "confirmed" => Status::Confirmed,
        "resolved" => Status::Resolved,
        _ => Status::Open,
    }
}

/// The verdicts of one finding or of all, oldest first: status, and the recorded revision that each is about.
fn said(
    database: &Connection,
    finding: Option<&FindingId>,
) -> rusqlite::Result<BTreeMap<FindingId, Vec<(Status, u32)>>> {
    let mut list = database.prepare_cached(
        "select finding, status, revision from verdict where ?1 is null or finding = ?1 order by finding, at_ms",
    )?;
    let mut rows = list.query([finding.map(FindingId::as_str)])?;
    let mut said: BTreeMap<FindingId, Vec<(Status, u32)>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let status = status_of(row.get_ref(1)?.as_str()?);
        said.entry(FindingId::new(row.get::<_, String>(0)?))
            .or_default()
            .push((status, row.get(2)?));
    }
    Ok(said)
}

/// Applies verdicts to a recorded finding: each that changed it is a revision, growth reopens it.
fn apply_verdicts(finding: &mut Finding, said: &[(Status, u32)]) {
    let recorded = finding.revision;
    let mut status = Status::Open;
    for (to, revision) in said {
        let was = status;
        status = *to;
        finding.revision += u32::from(was != status);
        if recorded > *revision {
            status = Status::Open;
        }
    }
    finding.status = status;
}

/// A finding in its form of the state file; none, with a warning, where this program does not know the form.
fn read_back(id: &str, version: i64, body: &str) -> Option<Finding> {
    let read = match version {
        // The first form has the same fields, two of them under other names.
        1 | VERSION => serde_json::from_str(body).map_err(|error| error.to_string()),
        _ => Err(format!(
            "its form is {version}, this program knows {VERSION}"
        )),
    };
    read.inspect_err(|why| FindingUnreadable { finding: id, why }.emit())
        .ok()
}
