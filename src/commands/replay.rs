//! `pagewarden replay`: scores the stored events again, and says what would have been found.

use std::io::{self, Write as _};
use std::path::Path;

use super::{Trouble, chain, known_tenant, load_if_any, look, state_path};
use crate::analysis;
use crate::cli::{Global, StatusFormat};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::notify;
use crate::output::replay::{Replay, write_json, write_text};
use crate::storage::sqlite::Sqlite;
use crate::storage::{Registry as _, Store, TenantRow};
use crate::tenant::scored_sites;
use pagewarden_core::model::{Finding, StreamName};

/// Scores every tenant of the state file by another config, or by the one in force. Changes nothing.
pub async fn replay(
    global: &Global,
    with: Option<&Path>,
    format: StatusFormat,
) -> Result<Exit, Trouble> {
    let config = match with {
        Some(path) => Some(
            config::load(path, &notify::kinds()).map_err(|error| Trouble::usage(chain(&error)))?,
        ),
        None => load_if_any(global)?,
    };
    let store = Sqlite::open_to_read(&state_path(global)?)?;
    known_tenant(global, &store).await?;
    let mut rows = store.tenants().await?;
    rows.retain(|row| global.tenant.as_ref().is_none_or(|name| row.name == *name));
    let mut replays = Vec::with_capacity(rows.len());
    for row in &rows {
        replays.push(tenant(&store, config.as_ref(), row).await?);
    }
    let mut out = io::stdout().lock();
    match format {
        StatusFormat::Json => write_json(&replays, &mut out)?,
        StatusFormat::Text => write_text(&replays, look(global), &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// Scores one tenant; one that the config does not name is scored as an import is, with what counts by default as privileged.
async fn tenant(
    store: &dyn Store,
    config: Option<&Config>,
    row: &TenantRow,
) -> Result<Replay, Trouble> {
    let settings =
        config.and_then(|config| config.tenants.iter().find(|tenant| tenant.name == row.name));
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
    let found = analysis::from_scratch(store, &subject).await?;
    let mut recorded = store.findings(Some(&row.name)).await?;
    recorded.retain(Finding::is_folded);
    let streams = store.stream_status(row).await?;
    let events = streams
        .iter()
        .filter(|status| status.stream.name == StreamName::Access)
        .map(|status| status.stored)
        .sum();
    Ok(Replay::compare(&row.name, events, recorded, found))
}
