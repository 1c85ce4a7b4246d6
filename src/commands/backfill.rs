//! `pagewarden backfill`: reads and analyses history; goes on where it stopped.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::scan::{deliver_all, show_news};
use super::{Bench, Trouble, block_on, exit_of, load, runtime, say, until_signal, watches};
use crate::cli::Global;
use crate::config::Config;
use crate::exit::Exit;
use crate::outcome::Outcome;
use crate::output::progress::Progress;
use crate::storage::sqlite::{Lease, Sqlite};
use crate::storage::{Store, StoreError};
use crate::tenant::Watch;
use pagewarden_core::model::Severity;
use pagewarden_core::time::{Clock, SystemClock, rfc3339};

/// How often the progress of a running service is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Reads the history of every stream, roster first; beside a running service, leaves it to the service.
pub fn backfill(
    global: &Global,
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    fail_on: Severity,
) -> Result<Exit, Trouble> {
    let config = load(global)?;
    let stop = CancellationToken::new();
    match block_on(Bench::open(config.clone(), stop.clone()))? {
        Ok(bench) => own(global, bench, from, to, fail_on),
        Err(trouble) if trouble.exit == Exit::Incomplete && held(&config) => {
            ask_service(&config, from, to, &stop)
        }
        Err(trouble) => Err(trouble),
    }
}

fn held(config: &Config) -> bool {
    matches!(Lease::take(&config.state.path), Err(StoreError::Held(_)))
}

/// Reads it in this process.
fn own(
    global: &Global,
    mut bench: Bench,
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    fail_on: Severity,
) -> Result<Exit, Trouble> {
    let stop = bench.stop.clone();
    bench.show_failures_once(global);
    let outcome = block_on(until_signal(&stop, async {
        let mut outcome = Outcome::default();
        let mut progress = Progress::new();
        for watch in &mut bench.watches {
            outcome.add(watch.refresh_admins().await?);
            outcome.add(watch.learn_actions().await?);
            if watch.request_backfill(from, to).await?.is_empty() {
                say(&format!(
                    "tenant `{}`: nothing lies between --from and where live polling began",
                    watch.name()
                ));
            }
            let (read, _) = watch
                .backfill(&mut |what, span, read, reached| {
                    progress.show(what, span, read.received, reached);
                    true
                })
                .await?;
            outcome.add(read);
            progress.done();
        }
        let config = &bench.config;
        outcome
            .add(deliver_all(&bench.store, &bench.notifiers, config, &bench.clock, &stop).await?);
        Ok::<_, StoreError>(outcome)
    }))?;
    let Some(outcome) = outcome else {
        return Ok(Exit::Interrupted);
    };
    let outcome = outcome?;
    let stopped = stop.is_cancelled();
    if stopped {
        say("stopped; the same command goes on from there");
    }
    block_on(show_news(bench.store.as_ref(), &outcome, stopped, global))??;
    Ok(exit_of(&outcome, fail_on, stopped))
}

/// Leaves a request in the state file.
async fn request(
    config: &Config,
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    stop: &CancellationToken,
) -> Result<Vec<Watch>, Trouble> {
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&config.state.path)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let watches = watches(config, &store, &clock, stop).await?;
    for watch in &watches {
        watch.add_backfill(from, to).await?;
    }
    Ok(watches)
}

/// Leaves a request in the state file, and shows how the service that runs carries it out.
fn ask_service(
    config: &Config,
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    stop: &CancellationToken,
) -> Result<Exit, Trouble> {
    let runtime = runtime()?;
    let watches = runtime.block_on(request(config, from, to, stop))?;
    say(
        "a running service holds the state file; it reads the history behind live polling (Ctrl-C stops watching, not the service)",
    );
    let done = runtime.block_on(until_signal(stop, async {
        let mut progress = Progress::new();
        let mut alone = false;
        loop {
            let mut left = false;
            for watch in &watches {
                for (what, kept) in watch.backfills().await? {
                    progress.show(&what, kept.span, kept.received, kept.checkpoint.watermark);
                    left |= !kept.summed_up;
                }
                // Read is not analysed yet.
                left |= watch.has_unanalysed().await?;
            }
            if !left || stop.is_cancelled() {
                progress.done();
                return Ok::<_, StoreError>(());
            }
            // Looked at once more after the service has ended: it may have been done by then.
            if alone {
                progress.done();
                return Err(StoreError::Abandoned);
            }
            alone = !held(config);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }));
    match done {
        Some(Ok(())) if !stop.is_cancelled() => {
            say(&format!(
                "read at {}; `pagewarden findings list` has what was found",
                rfc3339(SystemClock.now())
            ));
            Ok(Exit::Done)
        }
        Some(Err(error)) => Err(error.into()),
        Some(Ok(())) | None => Ok(Exit::Interrupted),
    }
}
