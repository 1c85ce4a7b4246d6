//! Clocks that differ, and starts that failed: what happens around the first moment of live polling is not lost.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use pagewarden::storage::Store;
use pagewarden::storage::sqlite::Sqlite;
use pagewarden::tenant::{Resources, Watch};
use pagewarden_core::time::{Clock, SystemClock};
use pagewarden_simulator::{Fault, Faults, Options};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::desk::{Desk, Setup, Tenant, small_world, threads};

/// A clock that stands where it is set.
#[derive(Debug, Clone)]
struct Standing(Arc<Mutex<DateTime<Utc>>>);

impl Clock for Standing {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// Watches a small tenant as the service does, over a clock of its own.
struct Watching {
    tenant: Tenant,
    desk: Desk,
    clock: Standing,
}

impl Watching {
    fn new(now: DateTime<Utc>) -> Self {
        let tenant = Tenant::small();
        let desk = Desk::set_up(&Setup::of(&tenant));
        let clock = Standing(Arc::new(Mutex::new(now)));
        Self {
            tenant,
            desk,
            clock,
        }
    }

    /// What a service does when it starts: one round of everything. It ends as if it were killed.
    fn round(&self) {
        let config = pagewarden::config::load(
            &self.desk.path("pagewarden.toml"),
            &pagewarden::notify::kinds(),
        )
        .unwrap();
        let mut config = config;
        config.state.path = self.desk.path("state.db");
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&config.state.path).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let stop = CancellationToken::new();
        let threads = threads();
        threads.block_on(async {
            let resources = Resources::new(store, clock, stop, &config.state);
            let watch = Watch::open(&resources, &config, &config.tenants[0]).await;
            let watch = watch.unwrap();
            watch.request_lookback().await.unwrap();
            watch.refresh_admins().await.unwrap();
            watch.learn_actions().await.unwrap();
            watch.poll_access(None).await.unwrap();
            watch.poll_audits().await.unwrap();
            watch.analyse().await.unwrap();
            if watch.has_backfill().await.unwrap() {
                watch.backfill(&mut |_, _, _, _| true).await.unwrap();
            }
        });
    }

    fn set(&self, now: DateTime<Utc>) {
        *self.clock.0.lock().unwrap() = now;
    }

    fn stored(&self) -> u64 {
        self.desk.tenant()["streams"][0]["stored"].as_u64().unwrap()
    }
}

#[test]
fn what_happens_between_a_first_start_that_failed_and_the_next_is_not_lost() {
    let world = small_world();
    let start = world.settings().start;
    let began = start + TimeDelta::days(5);
    let watching = Watching::new(began);
    let simulator = &watching.tenant.simulator;
    simulator.show_until(began);
    simulator.change(|options| {
        options.faults = Faults {
            in_a_row: u32::MAX,
            ..Faults::of(1, 1.0, &[Fault::ServerError(503)])
        };
    });
    watching.round();
    assert_eq!(watching.stored(), 0);
    // Days later it is started again, and the server answers.
    simulator.change(|options| *options = Options::default());
    simulator.show_until(world.until());
    watching.set(world.until());
    watching.round();
    assert_eq!(watching.stored(), u64::from(world.counts().events));
}

#[test]
fn clocks_that_differ_lose_nothing() {
    let world = small_world();
    let (start, end) = (world.settings().start, world.until());
    for hours in [-20, -1, 1, 20] {
        // Ours against the server's.
        let apart = TimeDelta::hours(hours);
        let watching = Watching::new(start + TimeDelta::days(5) + apart);
        for day in [5, 6, 9, 14] {
            let now = (start + TimeDelta::days(day)).min(end);
            watching.tenant.simulator.show_until(now);
            watching.set(now + apart);
            watching.round();
        }
        watching.tenant.simulator.show_until(end);
        // When our clock has come to where the server's is now.
        watching.set(end + TimeDelta::hours(24));
        watching.round();
        assert_eq!(
            watching.stored(),
            u64::from(world.counts().events),
            "{hours} hours"
        );
        assert_eq!(
            watching.desk.tenant()["streams"][1]["stored"],
            world.counts().audit,
            "{hours} hours"
        );
    }
}

#[test]
fn a_clock_that_is_behind_is_told_and_the_log_is_read_up_to_the_server_s_time() {
    let world = small_world();
    let end = world.until();
    let behind = TimeDelta::hours(3);
    let watching = Watching::new(end - behind);
    watching.tenant.simulator.show_until(end);
    watching.round();
    assert_eq!(
        watching.desk.tenant()["streams"][1]["stored"],
        world.counts().audit
    );
    let simulator = &watching.tenant.simulator;
    let now = SystemClock.now();
    simulator.change(|options| options.clock_ahead = now - end + behind);
    let said = watching.desk.run("scan").err;
    let told = said.matches("The clock of this machine is behind the server's");
    assert_eq!(told.count(), 1, "{said}");
}

#[test]
fn a_clock_that_is_behind_by_more_than_the_overlap_asks_for_no_window_that_ends_before_it_begins() {
    let end = small_world().until();
    let watching = Watching::new(end - TimeDelta::hours(30));
    let simulator = &watching.tenant.simulator;
    simulator.show_until(end);
    simulator.add_audit_record(&json!({
        "creationDate": (end - TimeDelta::minutes(1)).timestamp_millis(),
        "summary": "Space exported",
        "author": { "type": "user", "accountId": "712020:ada" },
    }));
    for _ in 0..3 {
        watching.round();
        let stream = &watching.desk.tenant()["streams"][1];
        assert!(stream["last_error"].is_null(), "{stream}");
    }
}
