//! Findings, what people said of them, and the deliveries that come with them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{EngineState, NewDelivery, Store, StoreError, TenantId};
use crate::telemetry::events::FindingUnreadable;
use pagewarden_core::model::{
    AccountId, Family, Finding, FindingId, Matter, Severity, Status, Verdict,
};
use pagewarden_core::time::moment;

/// The form in which findings are stored.
const VERSION: i64 = 2;

/// A finding as recorded, before verdicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The finding; its revision counts crossings and rises only, its status is open.
    pub finding: Finding,
    /// Whether its period is behind the settle line, so that only a fold from scratch can change it.
    pub settled: bool,
}

/// What an analysis changes: findings and the messages about them, kept together or not at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changes<'a> {
    /// Findings that are new or have changed.
    pub changed: &'a [Recorded],
    /// Findings that no longer hold; the messages about them that wait are withdrawn.
    pub gone: &'a [FindingId],
    /// Findings of which a notifier is not to be told any more.
    pub withdrawn: &'a [(FindingId, String)],
    /// Messages to put into the outbox.
    pub deliveries: &'a [NewDelivery],
}

impl Store {
    /// The ids of a tenant's recorded findings that follow from its events, and whether each is settled. Those about our
    /// own sight do not, nor canary pages that only a count tells of (see [`Finding::is_folded`]).
    pub fn recorded(&self, tenant: TenantId) -> Result<BTreeMap<FindingId, bool>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select id, final from finding where tenant = ?1 and family <> 'blind'
                 and not (family = 'canary' and json_extract(body, '$.account') is null)",
            )?;
            let rows = list.query_map([tenant.0], |row| {
                Ok((FindingId::new(row.get::<_, String>(0)?), row.get(1)?))
            })?;
            rows.collect()
        })
    }

    /// A finding as recorded, before verdicts. One at a time: there are more of them the longer we watch.
    pub fn recorded_finding(&self, id: &FindingId) -> Result<Option<Recorded>, StoreError> {
        let row: Option<(bool, i64, String)> = self.ask(|database| {
            database
                .prepare_cached("select final, version, body from finding where id = ?1")?
                .query_row([id.as_str()], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        })?;
        // One that cannot be read back is recorded anew.
        Ok(row.and_then(|(settled, version, body)| {
            let finding = read_back(id.as_str(), version, &body)?;
            Some(Recorded { finding, settled })
        }))
    }

    /// Writes findings that are new or changed, removes those that are no more, and puts their messages into the outbox.
    pub fn record(
        &self,
        tenant: TenantId,
        changes: &Changes<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let bodies = bodies(changes.changed)?;
        self.change(|transaction, _| write(transaction, tenant, &bodies, changes, now))
    }

    /// The same, and keeps the working state that it came from: what is folded in for good is told for good, or neither.
    pub fn record_analysis(
        &self,
        tenant: TenantId,
        (state, anew): (&EngineState, bool),
        changes: &Changes<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let bodies = bodies(changes.changed)?;
        self.change(|transaction, _| {
            super::engine::save(transaction, tenant, state, anew)?;
            self.arrivals.mark_stale(transaction)?;
            write(transaction, tenant, &bodies, changes, now)
        })
    }

    /// The revision of a finding as recorded, before verdicts.
    pub fn recorded_revision(&self, id: &FindingId) -> Result<Option<u32>, StoreError> {
        self.ask(|database| {
            database
                .query_row(
                    "select revision from finding where id = ?1",
                    [id.as_str()],
                    |row| row.get(0),
                )
                .optional()
        })
    }

    /// Every finding with what people said of it, by id; of one tenant, or of all. One that cannot be read back is left out
    /// with a warning; `state check` names it.
    pub fn findings(&self, tenant: Option<&str>) -> Result<Vec<Finding>, StoreError> {
        let (bodies, verdicts) = self.ask(|database| {
            let mut list = database.prepare_cached(
                "select finding.id, version, body from finding join tenant on tenant.id = finding.tenant
                 where ?1 is null or tenant.name = ?1 order by finding.id",
            )?;
            let bodies = list
                .query_map([tenant], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<rusqlite::Result<Vec<(String, i64, String)>>>()?;
            Ok((bodies, verdicts(database)?))
        })?;
        Ok(bodies
            .iter()
            .filter_map(|(id, version, body)| {
                let mut finding = read_back(id, *version, body)?;
                if let Some(said) = verdicts.get(&finding.id) {
                    apply_verdicts(&mut finding, said);
                }
                Some(finding)
            })
            .collect())
    }

    /// A finding that may not be recorded yet, with what people said of it.
    pub fn with_verdicts(&self, mut finding: Finding) -> Result<Finding, StoreError> {
        let verdicts = self.ask(verdicts)?;
        if let Some(said) = verdicts.get(&finding.id) {
            apply_verdicts(&mut finding, said);
        }
        Ok(finding)
    }

    /// Everything that people said, with its time and note, oldest first; of one finding only, if named. Those of findings
    /// that are no more are among them.
    pub fn verdicts(&self, finding: Option<&FindingId>) -> Result<Vec<Verdict>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select finding, status, note, at_ms, revision, account, family, from_s, until_s, bits, severity, tenant from verdict
                 where ?1 is null or finding = ?1 order by at_ms, finding",
            )?;
            let rows = list.query_map([finding.map(FindingId::as_str)], |row| {
                Ok(Verdict {
                    finding: FindingId::new(row.get::<_, String>(0)?),
                    status: status_of(row.get_ref(1)?.as_str()?),
                    note: row.get(2)?,
                    at: super::tenant::millis(row, 3)?.unwrap_or_default(),
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
        })
    }

    /// Keeps what a person said. Saying the same again of the same revision changes nothing.
    pub fn mark(&self, verdict: &Verdict) -> Result<(), StoreError> {
        let Verdict {
            finding,
            status,
            note,
            at,
            revision,
            matter,
        } = verdict;
        self.change(|transaction, _| {
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
                    super::terms::position(&Severity::ALL, &matter.severity),
                    matter.tenant,
                ],
            )?;
            Ok(())
        })
    }
}

/// Each finding with its form in the state file.
pub(super) fn bodies(changed: &[Recorded]) -> Result<Vec<(&Recorded, String)>, StoreError> {
    changed
        .iter()
        .map(|recorded| Ok((recorded, serde_json::to_string(&recorded.finding)?)))
        .collect::<Result<_, serde_json::Error>>()
        .map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// Writes what changed within a transaction.
pub(super) fn write(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    bodies: &[(&Recorded, String)],
    changes: &Changes<'_>,
    now: DateTime<Utc>,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "insert or replace into finding (id, tenant, family, detector, severity, revision, final, last_seen, body, version)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for (Recorded { finding, settled }, body) in bodies {
        insert.execute(params![
            finding.id.as_str(),
            tenant.0,
            finding.family.as_str(),
            finding.detector,
            super::terms::position(&Severity::ALL, &finding.severity),
            finding.revision,
            settled,
            finding.last_seen.timestamp(),
            body,
            VERSION
        ])?;
    }
    let mut remove = transaction.prepare_cached("delete from finding where id = ?1")?;
    for id in changes.gone {
        remove.execute([id.as_str()])?;
        super::delivery::withdraw(transaction, id.as_str(), None)?;
    }
    for (id, notifier) in changes.withdrawn {
        super::delivery::withdraw(transaction, id.as_str(), Some(notifier))?;
    }
    super::delivery::put(transaction, tenant, changes.deliveries, now)
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

/// The verdicts of all findings, oldest first: status, and the recorded revision that each is about.
fn verdicts(database: &Connection) -> rusqlite::Result<BTreeMap<FindingId, Vec<(Status, u32)>>> {
    let mut list = database
        .prepare_cached("select finding, status, revision from verdict order by finding, at_ms")?;
    let mut rows = list.query([])?;
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
pub(super) fn read_back(id: &str, version: i64, body: &str) -> Option<Finding> {
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
