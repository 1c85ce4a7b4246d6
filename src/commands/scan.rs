//! `pagewarden scan`: one cycle of every tenant, for a scheduled job.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Bench, Trouble, block_on, exit_of, load, look, program, say, until_signal};
use crate::cli::Global;
use crate::config::Config;
use crate::deliver::{self, Notifiers};
use crate::exit::Exit;
use crate::ingest::Read;
use crate::outcome::Outcome;
use crate::output::progress::Progress;
use crate::output::terminal;
use crate::storage::{Outbox, Store, StoreError};
use pagewarden_core::model::Severity;
use pagewarden_core::text::count;
use pagewarden_core::time::Clock;

/// How long a one-shot command waits for a receiver that is not there, beyond the tries that it makes.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Polls every stream once until caught up, analyses, delivers, stops.
pub fn scan(global: &Global, fail_on: Severity) -> Result<Exit, Trouble> {
    let stop = CancellationToken::new();
    let mut bench = block_on(Bench::open(load(global)?, stop.clone()))??;
    bench.show_failures_once(global);
    let outcome = block_on(until_signal(&stop, async {
        let mut outcome = Outcome::default();
        for watch in &mut bench.watches {
            let mut progress = Progress::new();
            let mut show = |what: &str, span, read: &Read, reached| {
                progress.show(what, span, read.received, reached);
                true
            };
            outcome.add(watch.scan(&mut show).await?);
            progress.done();
        }
        outcome.add(
            deliver_all(
                &bench.store,
                &bench.notifiers,
                &bench.config,
                &bench.clock,
                &stop,
            )
            .await?,
        );
        Ok::<_, StoreError>(outcome)
    }))?;
    let stopped = stop.is_cancelled();
    let Some(outcome) = outcome else {
        return Ok(Exit::Interrupted);
    };
    let outcome = outcome?;
    block_on(coverage(&bench))??;
    if stopped {
        say("stopped before everything was read; the next scan goes on from there");
    }
    block_on(show_news(bench.store.as_ref(), &outcome, stopped, global))??;
    Ok(exit_of(&outcome, fail_on, stopped))
}

/// Says what of each tenant cannot be seen.
async fn coverage(bench: &Bench) -> Result<(), Trouble> {
    let Bench { store, config, .. } = bench;
    let status = super::status::gather(store.as_ref(), Some(config), bench.clock.now()).await?;
    for tenant in status.tenants {
        for note in tenant.coverage.notes {
            say(&format!("tenant `{}`: {note}", tenant.name));
        }
    }
    Ok(())
}

/// Sends everything that is due, waiting a little for receivers that ask for it; what remains waits in the outbox.
pub(super) async fn deliver_all(
    store: &Arc<dyn Store>,
    notifiers: &Notifiers,
    config: &Config,
    clock: &Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Result<Outcome, StoreError> {
    let mut tries = config.retry.attempts;
    let outbox: Arc<dyn Outbox> = Arc::<dyn Store>::clone(store);
    let mut given_up = 0;
    loop {
        let sent = deliver::send_due(&outbox, notifiers, config.retry.base, clock, stop).await?;
        given_up += sent.given_up;
        tries = tries.saturating_sub(1);
        let waiting = store.next_due(None).await?;
        let Some(due) = waiting.filter(|_| !stop.is_cancelled()) else {
            break;
        };
        let pause = (due - clock.now()).to_std().unwrap_or_default();
        if tries == 0 || pause > LONGEST_WAIT {
            break;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    let mut outcome = Outcome::default();
    if store.unsent().await? > 0 && !stop.is_cancelled() {
        outcome.failures.push(
            "some messages were not taken by their receivers; they wait in the state file and are sent by the next run \
             (`pagewarden status` counts them)"
                .to_owned(),
        );
    }
    if given_up > 0 {
        outcome.failures.push(format!(
            "refused by their receivers and given up: {}; the log says why, `pagewarden findings list` \
             has the findings",
            count(given_up.into(), "message")
        ));
    }
    Ok(outcome)
}

/// Lists the findings that are new, on standard output; never says that all is well where not all was read.
pub(super) async fn show_news(
    store: &dyn Store,
    outcome: &Outcome,
    stopped: bool,
    global: &Global,
) -> Result<(), Trouble> {
    let mut findings = store.findings(None).await?;
    findings.retain(|finding| outcome.news.contains(&finding.id));
    let mut out = std::io::stdout().lock();
    let all_read = outcome.failures.is_empty() && !stopped;
    match (findings.is_empty(), all_read) {
        (true, true) => writeln!(out, "No new findings.")?,
        (true, false) => writeln!(out, "No new findings in what could be read.")?,
        (false, _) => {
            let program = program(global, global.state.as_deref());
            terminal::list(&findings, &program, look(global), &mut out)?;
        }
    }
    out.flush()?;
    Ok(())
}
