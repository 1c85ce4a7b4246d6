//! `pagewarden run`: the service.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Bench, Trouble, load, runtime, signal, try_secrets, watches};
use crate::cli::Global;
use crate::deliver::Notifiers;
use crate::exit::Exit;
use crate::service::{LOOK_EVERY, Next, Reload, Renew, Service, Stopped, serve_reloading};
use crate::storage::Store;
use crate::telemetry::events::ServiceStopping;
use pagewarden_core::time::Clock;

/// Watches every tenant until the program stops.
pub fn run(global: &Global) -> Result<Exit, Trouble> {
    let runtime = runtime()?;
    // Before anything else: who asks for a reload too early must not kill.
    let hangups = {
        let _within = runtime.enter();
        tokio::signal::unix::signal(SignalKind::hangup())?
    };
    let stop = CancellationToken::new();
    let drain = stop.child_token();
    let bench = runtime.block_on(Bench::open(load(global)?, drain.clone()))?;
    let renewal = Renewal {
        global: global.clone(),
        state: bench.config.state.path.clone(),
        store: Arc::clone(&bench.store),
        clock: Arc::clone(&bench.clock),
    };
    let first = Next {
        drain,
        service: Service {
            watches: bench.watches,
            store: bench.store,
            notifiers: bench.notifiers,
            retry: bench.config.retry,
            look_every: LOOK_EVERY,
            clock: bench.clock,
        },
    };
    let stopped = runtime.block_on(serve_signals(first, stop, hangups, Arc::new(renewal)));
    // An analysis in progress is abandoned: its transaction never happened.
    runtime.shutdown_background();
    match stopped {
        Stopped::Clean => Ok(Exit::Done),
        Stopped::Late => Err(Trouble::incomplete(
            "stopped before everything was put down; what was committed is safe",
        )),
        Stopped::Failed(why) => Err(Trouble::incomplete(why)),
    }
}

/// Serves, stops at SIGINT or SIGTERM, reloads at SIGHUP.
async fn serve_signals(
    first: Next,
    stop: CancellationToken,
    mut hangups: Signal,
    renew: Arc<dyn Renew>,
) -> Stopped {
    let asked = Arc::new(Notify::new());
    let reload = Reload {
        asked: Arc::clone(&asked),
        renew,
    };
    let serving = serve_reloading(first, stop.clone(), Some(reload));
    let stopping = signal();
    tokio::pin!(serving, stopping);
    loop {
        tokio::select! {
            stopped = &mut serving => return stopped,
            name = &mut stopping, if !stop.is_cancelled() => {
                ServiceStopping { signal: name }.emit();
                stop.cancel();
            }
            Some(()) = hangups.recv() => asked.notify_one(),
        }
    }
}

/// Reads config and secrets as at the start, for the same state file.
struct Renewal {
    global: Global,
    state: PathBuf,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Renew for Renewal {
    fn renew(&self, drain: CancellationToken) -> Result<Next, String> {
        let next = || -> Result<Next, Trouble> {
            let config = load(&self.global)?;
            if config.state.path != self.state {
                return Err(Trouble::usage(
                    "another `state.path` needs a restart; everything else can be reloaded",
                ));
            }
            try_secrets(&config)?;
            let notifiers = Notifiers::build(&config.notifiers).map_err(Trouble::usage)?;
            let watches = watches(&config, &self.store, &self.clock, &drain);
            let service = Service {
                watches: Handle::current().block_on(watches)?,
                store: Arc::clone(&self.store),
                notifiers,
                retry: config.retry,
                look_every: LOOK_EVERY,
                clock: Arc::clone(&self.clock),
            };
            Ok(Next { service, drain })
        };
        next().map_err(|trouble| trouble.to_string())
    }
}
