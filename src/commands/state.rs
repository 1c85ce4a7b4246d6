//! `pagewarden state`: care of the state file.

use std::path::Path;

use super::{Trouble, known_tenant, print, state_path};
use crate::cli::{Global, State};
use crate::exit::Exit;
use crate::storage::sqlite::{Holdings, Sqlite};
use pagewarden_core::text::count;

/// Checks or copies it.
pub async fn state(global: &Global, what: &State) -> Result<Exit, Trouble> {
    let path = state_path(global)?;
    let store = Sqlite::open_to_read(&path)?;
    known_tenant(global, &store).await?;
    match what {
        State::Check => check(&store, &path).await,
        State::Backup { file } => {
            store.back_up(file).await?;
            // What was copied is looked at, not what it was copied from.
            let copy = Sqlite::open_to_read(file)?;
            print(&format!(
                "{} is a copy of {}: {}\n",
                file.display(),
                path.display(),
                holds(copy.holdings().await?)
            ))
        }
    }
}

async fn check(store: &Sqlite, path: &Path) -> Result<Exit, Trouble> {
    let problems = store.problems().await?;
    if problems.is_empty() {
        let holdings = holds(store.holdings().await?);
        return print(&format!("{} is whole: {holdings}\n", path.display()));
    }
    for problem in &problems {
        print(&format!("{problem}\n"))?;
    }
    Err(Trouble::incomplete(format!(
        "{} is not whole: {}; stop what writes to it, move it away and restore a copy, or start anew and run `backfill`",
        path.display(),
        count(u64::try_from(problems.len()).unwrap_or(u64::MAX), "problem")
    )))
}

fn holds(Holdings { events, findings }: Holdings) -> String {
    format!("{}, {}", count(events, "event"), count(findings, "finding"))
}
