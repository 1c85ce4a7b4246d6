//! What the service and its files go through.

use std::time::Duration;

use super::Plain;

/// A file with secrets or with the state can be read by more than its owner.
#[derive(Debug)]
pub struct FileOpenToOthers<'a> {
    /// Which, and what to do.
    pub words: &'a str,
}

impl FileOpenToOthers<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { words } = self;
        tracing::warn!(file = %Plain(words), "A file is open to others.");
    }
}

/// The service polls from now on.
#[derive(Debug)]
pub struct ServiceStarted {
    /// How many tenants it watches.
    pub tenants: usize,
    /// How many notifiers it sends to.
    pub notifiers: usize,
}

impl ServiceStarted {
    /// Logs it.
    pub fn emit(self) {
        let Self { tenants, notifiers } = self;
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(version, tenants, notifiers, "Service started.");
    }
}

/// A worker of the service failed; the others go on, and it is started again.
#[derive(Debug)]
pub struct WorkerFailed<'a> {
    /// What it does.
    pub worker: &'a str,
    /// How long until it is started again.
    pub wait: Duration,
    /// What went wrong.
    pub why: &'a str,
}

impl WorkerFailed<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { worker, wait, why } = self;
        tracing::error!(worker, ?wait, why = %Plain(why), "Worker failed; it will be restarted, the other workers continue.");
    }
}

/// A worker of the service shows no sign of life; systemd's watchdog is not fed while that lasts.
#[derive(Debug)]
pub struct WorkerSilent<'a> {
    /// What it does.
    pub worker: &'a str,
    /// How long it has been silent beyond what it may.
    pub late: Duration,
}

impl WorkerSilent<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { worker, late } = self;
        tracing::error!(worker, ?late, "A worker shows no sign of life.");
    }
}

/// The config and the secrets were read again and are in force.
#[derive(Debug)]
pub struct ConfigReloaded {
    /// How many tenants are watched now.
    pub tenants: usize,
    /// How many notifiers it sends to now.
    pub notifiers: usize,
}

impl ConfigReloaded {
    /// Logs it.
    pub fn emit(self) {
        let Self { tenants, notifiers } = self;
        tracing::info!(tenants, notifiers, "Config reloaded.");
    }
}

/// The config or a secret could not be read again; what was in force stays so.
#[derive(Debug)]
pub struct ReloadRefused<'a> {
    /// One of the problems.
    pub why: &'a str,
}

impl ReloadRefused<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::error!(why = %Plain(self.why), "The new config is refused; the old one stays in force.");
    }
}

/// The service got a signal to stop, and finishes what it has begun.
#[derive(Debug)]
pub struct ServiceStopping {
    /// The signal.
    pub signal: &'static str,
}

impl ServiceStopping {
    /// Logs it.
    pub fn emit(self) {
        let Self { signal } = self;
        tracing::info!(signal, "Service stopping.");
    }
}

/// The service has stopped.
#[derive(Debug)]
pub struct ServiceStopped {
    /// Whether everything that was begun could be finished.
    pub clean: bool,
}

impl ServiceStopped {
    /// Logs it.
    pub fn emit(self) {
        if self.clean {
            tracing::info!("Service stopped.");
        } else {
            tracing::warn!("Service stopped with work unfinished; the next start resumes it.");
        }
    }
}
