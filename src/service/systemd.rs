//! systemd's notify protocol: ready, stopping, and that we are alive. Nothing happens where no systemd listens.

use sd_notify::NotifyState;
use tokio::time::sleep;

/// Says that the service watches.
pub(super) fn ready() {
    tell(NotifyState::Ready);
}

/// Says that the service is being stopped.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Says, as often as the unit's `WatchdogSec=` asks, that the program's clockwork runs. Never ends.
pub(super) async fn keep_alive() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    loop {
        tell(NotifyState::Watchdog);
        sleep(limit / 3).await;
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "systemd was not told.");
    }
}
