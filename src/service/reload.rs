//! Another config while the service runs: refused as a whole or in force as a whole.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Service, systemd};
use crate::telemetry::events::ReloadRefused;

/// What the service works with next, and what ends just that.
#[derive(Debug)]
pub struct Next {
    /// What it works with.
    pub service: Service,
    /// Ends its workers, not the service; its tenants were opened with it.
    pub drain: CancellationToken,
}

/// Reads config and secrets anew.
pub trait Renew: Send + Sync {
    /// Everything that the service works with, ended by this token; or what is wrong, a problem a line. Called on a
    /// thread that may block.
    fn renew(&self, drain: CancellationToken) -> Result<Next, String>;
}

/// How the service is asked to reload, and how it does.
pub struct Reload {
    /// Notified where it is asked to.
    pub asked: Arc<Notify>,
    /// How it does.
    pub renew: Arc<dyn Renew>,
}

/// Waits until asked to reload and there is something to go on with. What is refused is logged.
pub(super) async fn next(reload: Option<&Reload>, stop: &CancellationToken) -> Next {
    let Some(Reload { asked, renew }) = reload else {
        return std::future::pending().await;
    };
    loop {
        asked.notified().await;
        systemd::reloading();
        let (renew, drain) = (Arc::clone(renew), stop.child_token());
        // Files are read and the state is asked: beside everything else.
        let mut reading = JoinSet::new();
        reading.spawn_blocking(move || renew.renew(drain));
        let why = match reading.join_next().await {
            Some(Ok(Ok(next))) => return next,
            Some(Ok(Err(why))) => why,
            Some(Err(error)) => error.to_string(),
            None => continue,
        };
        for why in why.lines() {
            ReloadRefused { why }.emit();
        }
        systemd::ready();
    }
}
