//! Tenants, receivers and a config, from a seed.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pagewarden::config::{self, Config};
use pagewarden::deliver::Notifiers;
use pagewarden::http::{Carrier, Transport};
use pagewarden::notify::kinds;
use pagewarden::service::{Next, Service};
use pagewarden::storage::Store;
use pagewarden::tenant::{Resources, Watch};
use pagewarden_core::time::Clock;
use pagewarden_simulator::{Options, Simulator, World, WorldSettings};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::faults::Dice;
use super::network::{Host, Network, Simulated};

/// What the service of one seed works with, whichever life it is in.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) network: Arc<Network>,
    pub(super) folder: TempDir,
    pub(super) config: Config,
}

impl Scene {
    /// The tenants, receivers and the config of a seed.
    pub(super) fn of(seed: u64, weeks: u32) -> Self {
        let mut dice = Dice::of(seed, &[0]);
        let folder = in_memory();
        let (tenants, receivers) = (dice.within(2, 4), dice.within(1, 3));
        let mut text = format!("[state]\npath = \"{}/state.db\"\n", folder.path().display());
        let mut hosts = Vec::new();
        for tenant in 0..tenants {
            // In working hours a busy one brings more than four events a minute, and may be asked once in one.
            let busy = dice.percent(12);
            let people = if busy { 300 } else { dice.within(16, 40) };
            let settings = WorldSettings {
                people: u32::try_from(people).unwrap(),
                pages: 400,
                weeks,
                late: dice.pick(&[0.01, 0.03, 0.2]),
                repeats: dice.pick(&[0.005, 0.05]),
                ..WorldSettings::small(seed * 10 + tenant)
            };
            let host = format!("tenant{tenant}.atlassian.example");
            let limit = dice.pick(&[40, 100, 500]);
            let options = Options {
                stream_limit: if busy { 500 } else { limit },
                ..Options::default()
            };
            let origin = format!("https://{host}");
            let simulator = Simulator::apart(World::new(settings), &origin, options).unwrap();
            let access = dice.within(300, 1_200);
            // One a minute takes hours for the lookback, and longer than a poll for a busy hour.
            let pace = if busy { 1 } else { dice.pick(&[1, 2, 10, 60]) };
            text += &tenant_config(&folder, tenant, &simulator, (access, pace, "30d"));
            hosts.push(Host::new(&host, simulator));
        }
        let mut names = Vec::new();
        for receiver in 0..receivers {
            let least = dice.pick(&["low", "medium"]);
            let (host, receiver) = receiver_config(&folder, receiver, least);
            text += &receiver;
            names.push(host);
        }
        let began = first_moment(&mut dice, &hosts);
        Self::assembled((seed, began), folder, &text, hosts, names)
    }

    /// One tenant that is watched from a moment on, by one receiver, at so many requests a minute.
    pub(super) fn of_one(settings: WorldSettings, began: DateTime<Utc>, pace: u64) -> Self {
        let (seed, folder) = (settings.seed, in_memory());
        let host = "tenant0.atlassian.example";
        let options = Options {
            stream_limit: 500,
            ..Options::default()
        };
        let origin = format!("https://{host}");
        let simulator = Simulator::apart(World::new(settings), &origin, options).unwrap();
        let mut text = format!("[state]\npath = \"{}/state.db\"\n", folder.path().display());
        text += &tenant_config(&folder, 0, &simulator, (60, pace, "28d"));
        let (receiver, more) = receiver_config(&folder, 0, "low");
        let hosts = vec![Host::new(host, simulator)];
        Self::assembled(
            (seed, began),
            folder,
            &(text + &more),
            hosts,
            vec![receiver],
        )
    }

    fn assembled(
        (seed, began): (u64, DateTime<Utc>),
        folder: TempDir,
        text: &str,
        hosts: Vec<Host>,
        names: Vec<String>,
    ) -> Self {
        let source = folder.path().join("pagewarden.toml");
        let config = config::parse(text, &source.display().to_string(), &kinds()).unwrap();
        let network = Network::new(seed, Simulated::starting(began), hosts, names);
        let clock: Arc<dyn Clock> = Arc::new(network.clock);
        for host in &network.hosts {
            host.simulator.follow(Arc::clone(&clock));
        }
        Self {
            network: Arc::new(network),
            folder,
            config,
        }
    }

    fn transport(&self) -> Transport {
        let carrier: Arc<dyn Carrier> = Arc::<Network>::clone(&self.network);
        Transport::by(carrier)
    }

    pub(super) async fn watches(
        &self,
        store: &Arc<dyn Store>,
        stop: &CancellationToken,
    ) -> Result<Vec<Watch>, String> {
        let clock: Arc<dyn Clock> = Arc::new(self.network.clock);
        let resources = Resources {
            transport: self.transport(),
            ..Resources::new(Arc::clone(store), clock, stop.clone(), &self.config.state)
        };
        let mut watches = Vec::new();
        for tenant in &self.config.tenants {
            let watch = Watch::open(&resources, &self.config, tenant).await;
            watches.push(watch.map_err(|error| error.to_string())?);
        }
        Ok(watches)
    }

    pub(super) async fn next(
        &self,
        store: &Arc<dyn Store>,
        drain: CancellationToken,
    ) -> Result<Next, String> {
        let notifiers = Notifiers::build_over(&self.transport(), &self.config.notifiers);
        let service = Service {
            watches: self.watches(store, &drain).await?,
            store: Arc::clone(store),
            notifiers: notifiers.map_err(|error| error.to_string())?,
            retry: self.config.retry,
            look_every: Duration::from_hours(1),
            clock: Arc::new(self.network.clock),
        };
        Ok(Next { service, drain })
    }

    pub(super) fn path(&self) -> &Path {
        &self.config.state.path
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.network.clock.now()
    }
}

/// When the service begins: often in the middle of a bulk collection, or just after one.
fn first_moment(dice: &mut Dice, hosts: &[Host]) -> DateTime<Utc> {
    let world = hosts[0].simulator.world();
    let (start, end) = (world.settings().start, world.settings().end());
    let (from, until) = (start + TimeDelta::days(3), end - TimeDelta::days(3));
    let minutes = u64::try_from((until - from).num_minutes()).unwrap();
    let any = from + TimeDelta::minutes(dice.below(minutes).cast_signed());
    let collections = hosts.iter().flat_map(|host| host.simulator.world().truth());
    let ends: Vec<DateTime<Utc>> = collections
        .map(|collection| collection.until)
        .filter(|end| (from..until).contains(end))
        .collect();
    if ends.is_empty() || dice.percent(50) {
        return any;
    }
    let (before, after) = dice.pick(&[(1_200, 600), (5, 90)]);
    dice.pick(&ends)
        + TimeDelta::seconds(dice.below(before + after).cast_signed() - before.cast_signed())
}

/// The settings of one tenant, whose secrets are kept in the folder.
fn tenant_config(
    folder: &TempDir,
    tenant: u64,
    simulator: &Simulator,
    (access, pace, lookback): (u64, u64, &str),
) -> String {
    keep(folder, &format!("{tenant}.key"), simulator.org_key());
    keep(folder, &format!("{tenant}.token"), simulator.api_token());
    let origin = simulator.base_url().as_str().trim_end_matches('/');
    format!(
        "[[tenant]]\nname = \"tenant{tenant}\"\n\
         [tenant.organization]\nid = \"{}\"\napi_key = {{ file = \"{tenant}.key\" }}\nurl = \"{origin}\"\nrequests_per_minute = {pace}\n\
         [[tenant.site]]\nurl = \"{origin}\"\nemail = \"{}\"\napi_token = {{ file = \"{tenant}.token\" }}\n\
         [tenant.schedule]\naccess = \"{access}s\"\naudit = \"{}s\"\nadmins = \"3h\"\nlookback = \"{lookback}\"\n",
        simulator.org_id(),
        simulator.email(),
        access * 2 + 7,
    )
}

/// The host of a receiver, and its settings.
fn receiver_config(folder: &TempDir, receiver: u64, least: &str) -> (String, String) {
    let host = format!("receiver{receiver}.example");
    let url = format!("{receiver}.url");
    keep(folder, &url, &format!("https://{host}/hook"));
    let text = format!(
        "[[notifier]]\nname = \"receiver{receiver}\"\ntype = \"webhook\"\nurl = {{ file = \"{url}\" }}\nmin_severity = \"{least}\"\n"
    );
    (host, text)
}

/// A folder in memory, where there is one: nobody cuts the power here.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Writes a file of its owner's.
pub(super) fn keep(folder: &TempDir, name: &str, text: &str) {
    use std::io::Write as _;
    let mut open = fs::OpenOptions::new();
    open.create(true).truncate(true).write(true).mode(0o600);
    let mut file = open.open(folder.path().join(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
