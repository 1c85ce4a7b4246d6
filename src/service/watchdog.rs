//! systemd's watchdog is fed while every worker shows life, and by nothing else.

use std::collections::BTreeSet;

use tokio::time::{Duration, sleep};

use super::systemd;
use crate::pulse::Pulse;
use crate::telemetry::events::WorkerSilent;

/// How often workers are looked at where no systemd waits.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// A worker and its signs of life.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    /// What it does.
    pub(super) name: String,
    /// Its signs of life.
    pub(super) pulse: Pulse,
}

/// Says that we are alive as often as the unit's `WatchdogSec=` asks, while every worker is. Never ends.
pub(super) async fn feed(workers: &[Watched]) {
    let limit = systemd::watchdog();
    let mut named = BTreeSet::new();
    loop {
        let silent = silent(workers);
        if silent.is_empty() {
            systemd::alive();
        }
        named.retain(|name| silent.iter().any(|(silent, _)| silent == name));
        for (worker, late) in silent {
            if named.insert(worker.to_owned()) {
                WorkerSilent { worker, late }.emit();
            }
        }
        sleep(limit.map_or(LOOK_EVERY, |limit| limit / 3)).await;
    }
}

/// The workers that owe a sign of life, and for how long.
fn silent(workers: &[Watched]) -> Vec<(&str, Duration)> {
    workers
        .iter()
        .filter_map(|worker| Some((worker.name.as_str(), worker.pulse.overdue()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_silent_worker_is_enough_and_all_that_are_silent_are_named() {
        let minute = Duration::from_mins(1);
        let watched = |name: &str| Watched {
            name: name.into(),
            pulse: Pulse::new(minute),
        };
        let workers = [watched("one"), watched("two")];
        assert!(silent(&workers).is_empty());
        tokio::time::advance(minute * 2).await;
        assert_eq!(silent(&workers), [("one", minute), ("two", minute)]);
        workers[0].pulse.beat();
        assert_eq!(silent(&workers), [("two", minute)]);
        workers[1].pulse.quiet_for(minute);
        assert!(silent(&workers).is_empty());
    }
}
