//! `pagewarden findings`: what was found, for people and for machines, and what people say of it.

use std::io::{self, Write as _};

use super::{Trouble, known_tenant, look, print, program, state_path};
use crate::cli::{ExportFormat, Findings, Global};
use crate::exit::Exit;
use crate::output::{json, terminal};
use crate::storage::sqlite::Sqlite;
use crate::storage::{Findings as _, Store};
use pagewarden_core::model::{Finding, FindingId, Status, Verdict};
use pagewarden_core::time::{Clock as _, SystemClock};

/// Lists, shows, exports or marks.
pub async fn findings(global: &Global, what: Findings) -> Result<Exit, Trouble> {
    let store = Sqlite::open_to_read(&state_path(global)?)?;
    known_tenant(global, &store).await?;
    let mut findings = store.findings(global.tenant.as_deref()).await?;
    let program = program(global, global.state.as_deref());
    let mut out = io::stdout().lock();
    match what {
        Findings::List { all } => {
            findings.retain(|finding| all || finding.status == Status::Open);
            terminal::list(&findings, &program, look(global), &mut out)?;
        }
        Findings::Show { id } => {
            let finding = one(&findings, &id)?;
            let said = store.verdicts(Some(&finding.id)).await?;
            terminal::show(finding, &said, &program, look(global), &mut out)?;
        }
        Findings::Export { format } => match format {
            ExportFormat::Json => json::write_json(&findings, &mut out)?,
            ExportFormat::Ndjson => json::write_ndjson(&findings, &mut out)?,
        },
        Findings::Mark { id, verdict, note } => {
            drop(out);
            let finding = one(&findings, &id)?;
            return mark(&store, finding, verdict.into(), note).await;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

async fn mark(
    store: &dyn Store,
    finding: &Finding,
    status: Status,
    note: Option<String>,
) -> Result<Exit, Trouble> {
    let recorded = store
        .recorded_revision(&finding.id)
        .await?
        .unwrap_or(finding.revision);
    let verdict = Verdict {
        finding: finding.id.clone(),
        status,
        note,
        at: SystemClock.now(),
        revision: recorded,
        matter: finding.into(),
    };
    store.mark(&verdict).await?;
    print(&match status {
        Status::Open => format!(
            "{} is open again; earlier verdicts no longer count.\n",
            finding.id
        ),
        said => format!(
            "{} is now {}; a higher revision reopens it.\n",
            finding.id,
            said.as_str()
        ),
    })
}

/// The one finding whose id begins so.
fn one<'a>(findings: &'a [Finding], id: &str) -> Result<&'a Finding, Trouble> {
    let exact = FindingId::new(id);
    let fits: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.id.as_str().starts_with(id))
        .collect();
    match fits.as_slice() {
        [one] => Ok(one),
        [] => Err(Trouble::usage(format!(
            "there is no finding `{}`; `pagewarden findings list --all` shows them",
            id.escape_debug()
        ))),
        several => several
            .iter()
            .find(|finding| finding.id == exact)
            .copied()
            .ok_or_else(|| {
                Trouble::usage(format!(
                    "{} findings begin with `{}`; give more of the id",
                    several.len(),
                    id.escape_debug()
                ))
            }),
    }
}
