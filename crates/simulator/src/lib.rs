//! An Atlassian tenant on loopback: real API shapes, people with habits, bulk collectors hidden among them, faults on request.
//!
//! One fake for the demo, the tests and the benchmarks, in two parts. The [`World`] is what is true: pure, made from a
//! seed, without a clock. The [`Simulator`] shows it over HTTP, up to a simulated now, as the organisation's interface,
//! as a Confluence site, as the gateway, and takes what is sent to a webhook, all at one origin. It knows nothing of the
//! detector, and the detector knows nothing of it.
//!
//! Its floors; imports point down:
//!
//! 1. what is true: `world`.
//! 2. how Atlassian writes it: `words`, `render`.
//! 3. what is asked and answered: `server`.

mod render;
mod server;
mod words;
mod world;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::serve::Listener as _;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use self::server::faults::{Fault, Faults, Hint};
pub use self::server::line::End;
pub use self::server::options::{
    KeyState, LastPage, NextLink, Options, SiteState, StreamTime, UserManagement,
};
pub use self::server::{Received, Request};
pub use self::world::{Counts, Planted, SITE, World, WorldSettings};

use self::server::line::{Line, Lines};
use self::server::{Secrets, Shared};
use pagewarden_core::time::Clock;

/// An Atlassian tenant on loopback, for as long as it is held.
#[derive(Debug)]
pub struct Simulator {
    /// What it shares with its requests.
    shared: Arc<Shared>,
    /// Where it is found.
    base: Url,
    /// Ends it.
    stop: CancellationToken,
    /// The task that accepts connections; ends with it.
    tasks: JoinSet<()>,
}

impl Simulator {
    /// Shows a world on a free port of the loopback interface; all of it, until a limit is set.
    ///
    /// Must be called within a tokio runtime.
    pub fn start(world: impl Into<Arc<World>>, options: Options) -> io::Result<Self> {
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let lines = Lines::open()?;
        let origin = format!("http://{}", lines.local_addr()?);
        let mut simulator = Self::apart(world, &origin, options)?;
        let router = Router::new()
            .fallback(server::take)
            .with_state(Arc::clone(&simulator.shared));
        let stopped = simulator.stop.clone().cancelled_owned();
        let serving = async move {
            let service = router.into_make_service_with_connect_info::<Line>();
            // It ends by being stopped, and never fails.
            axum::serve(lines, service)
                .with_graceful_shutdown(stopped)
                .await
                .unwrap_or_default();
        };
        simulator.tasks.spawn_on(serving, &runtime);
        Ok(simulator)
    }

    /// Shows a world at an origin of one's choice to those who call [`answer`](Self::answer); listens nowhere.
    pub fn apart(world: impl Into<Arc<World>>, origin: &str, options: Options) -> io::Result<Self> {
        let base = Url::parse(origin).map_err(io::Error::other)?;
        let world = world.into();
        let seed = world.settings().seed;
        let secret =
            |word: &str, label| format!("{word}-{}", world::person::uuid(seed, &[94, label]));
        let secrets = Secrets {
            org_key: secret("simulated-key", 1),
            email: "auditor@acme.example".to_owned(),
            api_token: secret("simulated-token", 2),
            scoped_token: secret("simulated-scoped", 3),
        };
        Ok(Self {
            shared: Arc::new(Shared::new(world, secrets, origin.to_owned(), options)),
            base,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        })
    }

    /// The answer to one request, without a connection; where it is not to arrive whole, its extensions hold the [`End`].
    pub async fn answer(&self, request: axum::extract::Request) -> axum::response::Response {
        server::take(State(Arc::clone(&self.shared)), request).await
    }

    /// Takes the simulated now from a clock from now on.
    pub fn follow(&self, clock: Arc<dyn Clock>) {
        self.shared.follow(clock);
    }

    /// The origin of everything: the organisation's interface, the site, the gateway.
    pub const fn base_url(&self) -> &Url {
        &self.base
    }

    /// Where messages may be sent.
    pub fn webhook_url(&self) -> Url {
        self.base
            .join("/webhook")
            .unwrap_or_else(|_| self.base.clone())
    }

    /// The id of the organisation.
    pub fn org_id(&self) -> &str {
        self.shared.world.org_id()
    }

    /// The id of the site.
    pub fn cloud_id(&self) -> &str {
        self.shared.world.cloud_id()
    }

    /// The key of the organisation.
    pub fn org_key(&self) -> &str {
        &self.shared.secrets.org_key
    }

    /// Whose the tokens are.
    pub fn email(&self) -> &str {
        &self.shared.secrets.email
    }

    /// The token for the site itself; refused by the gateway.
    pub fn api_token(&self) -> &str {
        &self.shared.secrets.api_token
    }

    /// The scoped token for the gateway; refused by the site itself.
    pub fn scoped_token(&self) -> &str {
        &self.shared.secrets.scoped_token
    }

    /// The world that is shown.
    pub fn world(&self) -> &World {
        &self.shared.world
    }

    /// Sets the simulated now: only what was processed by then is shown, and roles and groups are those of then.
    pub fn show_until(&self, now: DateTime<Utc>) {
        self.shared.set_now(now);
    }

    /// The simulated now, as the `Date` header shows it.
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.moment()
    }

    /// Changes how it answers, from the next request on.
    pub fn change(&self, change: impl FnOnce(&mut Options)) {
        self.shared.change(change);
    }

    /// Lets something go wrong with so many of the next requests whose path contains a text; before anything by chance.
    pub fn fail_next(&self, path: &str, fault: Fault, times: u32) {
        self.shared.order(path, fault, times);
    }

    /// Adds a record to the site audit log as it is, wherever its `creationDate` lies, behind the newest ones too.
    pub fn add_audit_record(&self, record: &Value) {
        self.shared.add_record(record);
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests()
    }

    /// The messages that the webhook received so far, taken or not.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received()
    }

    /// How many requests there were so far.
    pub fn request_count(&self) -> usize {
        self.shared.request_count()
    }

    /// How many messages the webhook received so far.
    pub fn received_count(&self) -> usize {
        self.shared.received_count()
    }

    /// Forgets the requests and messages so far.
    pub fn forget_requests(&self) {
        self.shared.forget();
    }

    /// Writes every delivery of the organisation's log as this simulator serves it, one JSON object a line.
    pub fn write_access_ndjson(&self, to: &mut dyn io::Write) -> io::Result<()> {
        render::Pen::new(self.world(), &self.shared.origin).write_access(&self.world().log, to)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // Idle connections end with it; the task that accepts new ones is aborted with the set.
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
