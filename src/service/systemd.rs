//! systemd's notify protocol: ready, reloading, stopping, and that we are alive. Nothing happens where no systemd listens.

use std::time::Duration;

use sd_notify::NotifyState;

/// Says that the service watches, at its start and after a reload.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Says that the config is being read again; [`ready`] ends that.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "systemd was not notified."),
    }
}

/// Says that the service is being stopped.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How often the unit's `WatchdogSec=` asks for a sign of life, if it does.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Gives systemd's watchdog a sign of life.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not notified.");
    }
}
