//! `pagewarden run`: the service.

use tokio_util::sync::CancellationToken;

use super::{Bench, Trouble, load, runtime, signal};
use crate::cli::Global;
use crate::exit::Exit;
use crate::service::{Service, Stopped, serve};
use crate::telemetry::events::ServiceStopping;

/// Watches every tenant until told to stop.
pub fn run(global: &Global) -> Result<Exit, Trouble> {
    let stop = CancellationToken::new();
    let bench = Bench::open(load(global)?, stop.clone())?;
    let Bench {
        config,
        store,
        _lease,
        notifiers,
        watches,
        clock,
        stop,
    } = bench;
    let service = Service {
        watches,
        store,
        notifiers,
        retry: config.retry,
        clock,
    };
    let runtime = runtime()?;
    let stopped = runtime.block_on(async {
        let serving = serve(service, stop.clone());
        tokio::pin!(serving);
        tokio::select! {
            stopped = &mut serving => return stopped,
            name = signal() => {
                ServiceStopping { signal: name }.emit();
                stop.cancel();
            }
        }
        serving.await
    });
    // A refold in progress is abandoned: its transaction never happened.
    runtime.shutdown_background();
    match stopped {
        Stopped::Clean => Ok(Exit::Done),
        Stopped::Late => Err(Trouble::incomplete(
            "stopped before everything was put down; what was committed is safe",
        )),
        Stopped::Failed(why) => Err(Trouble::incomplete(why)),
    }
}
