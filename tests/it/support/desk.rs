//! A desk to run the built program at: a folder of its own, nothing of the developer's environment, deadlines for all.
//!
//! The simulated tenant runs in the test's process, on threads of its own, while the program is a child process.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use pagewarden_simulator::{
    KeyState, Options, Planted, Simulator, SiteState, World, WorldSettings,
};
use serde_json::Value;
use tokio::runtime::Runtime;

/// How long anything may take before a test gives up; generous, since nothing waits for it when all is well.
const DEADLINE: Duration = Duration::from_mins(2);

/// Waits until something is there, or the test fails with these words.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// How many of something a long run was asked for, by a variable of the environment.
pub(crate) fn asked_for(name: &str) -> Option<u32> {
    let asked = std::env::var_os(name)?;
    Some(asked.to_str().unwrap().parse().unwrap())
}

/// Writes a line of a long run's table, past what the test harness keeps to itself.
pub(crate) fn table(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}

/// Threads for servers in the test's process.
pub(crate) fn threads() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// The small world of most stories; made once. Long ago, so that no clock is behind it.
pub(crate) fn small_world() -> Arc<World> {
    static WORLD: OnceLock<Arc<World>> = OnceLock::new();
    let make = || {
        Arc::new(World::new(WorldSettings {
            start: "2024-01-01T00:00:00Z".parse().unwrap(),
            ..WorldSettings::small(7)
        }))
    };
    Arc::clone(WORLD.get_or_init(make))
}

/// What is hidden in the small world under this name.
pub(crate) fn planted(name: &str) -> Planted {
    let world = small_world();
    let planted = world.truth().iter().find(|planted| planted.name == name);
    planted.unwrap().clone()
}

/// A simulated tenant with threads of its own.
pub(crate) struct Tenant {
    /// The tenant.
    pub(crate) simulator: Simulator,
    /// Where it runs; ends after it.
    _threads: Runtime,
}

/// What the small world's logs hold: events, and audit records.
pub(crate) fn held() -> (u64, u64) {
    let counts = small_world().counts();
    (counts.events.into(), counts.audit.into())
}

/// A tenant whose organisation's key is like this.
pub(crate) fn with_key(key: KeyState) -> Options {
    Options {
        key,
        ..Options::default()
    }
}

/// A tenant whose site's token is like this.
pub(crate) fn with_site(site: SiteState) -> Options {
    Options {
        site,
        ..Options::default()
    }
}

impl Tenant {
    /// Shows the small world.
    pub(crate) fn small() -> Self {
        Self::of(small_world(), Options::default())
    }

    /// Shows the small world, answering otherwise.
    pub(crate) fn with(options: Options) -> Self {
        Self::of(small_world(), options)
    }

    /// Shows a world.
    pub(crate) fn of(world: Arc<World>, options: Options) -> Self {
        let threads = threads();
        let within = threads.enter();
        let simulator = Simulator::start(world, options).unwrap();
        drop(within);
        Self {
            simulator,
            _threads: threads,
        }
    }
}

impl Tenant {
    /// Lets time come to so many days after the beginning of the world.
    pub(crate) fn pass(&self, days: i64) {
        let start = self.simulator.world().settings().start;
        self.simulator.show_until(start + TimeDelta::days(days));
    }

    /// A desk whose messages the tenant takes, with what a story changes.
    pub(crate) fn desk(&self, change: impl FnOnce(&mut Setup)) -> Desk {
        let mut setup = Setup {
            webhook: Some(self.simulator.webhook_url().to_string()),
            ..Setup::of(self)
        };
        change(&mut setup);
        Desk::set_up(&setup)
    }
}

/// What is written into a config; everything else is at its default or what tests need.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Where the organisation is; none for no `[tenant.organization]`.
    pub(crate) organization: Option<String>,
    /// Where the site is; none for no `[[tenant.site]]`.
    pub(crate) site: Option<String>,
    /// How the site is asked.
    pub(crate) via: &'static str,
    /// The organisation's id.
    pub(crate) id: String,
    /// The organisation's key.
    pub(crate) key: String,
    /// The site's token.
    pub(crate) token: String,
    /// The site's e-mail.
    pub(crate) email: String,
    /// Where the first poll begins.
    pub(crate) lookback: &'static str,
    /// How often everything is polled.
    pub(crate) every: &'static str,
    /// Where messages go.
    pub(crate) webhook: Option<String>,
    /// What signs them.
    pub(crate) secret: Option<&'static str>,
    /// From which severity on.
    pub(crate) min_severity: &'static str,
    /// How long a request may take.
    pub(crate) timeout: &'static str,
    /// More lines, below everything.
    pub(crate) more: &'static str,
}

impl Setup {
    /// The tenant with everything that it has, read from the beginning of its time.
    pub(crate) fn of(tenant: &Tenant) -> Self {
        let simulator = &tenant.simulator;
        let origin = simulator.base_url().as_str().trim_end_matches('/');
        Self {
            organization: Some(origin.to_owned()),
            site: Some(origin.to_owned()),
            via: "site",
            id: simulator.org_id().to_owned(),
            key: simulator.org_key().to_owned(),
            token: simulator.api_token().to_owned(),
            email: simulator.email().to_owned(),
            lookback: "3650d",
            every: "1s",
            webhook: None,
            secret: None,
            min_severity: "low",
            timeout: "1m",
            more: "",
        }
    }

    /// The config as text.
    fn text(&self) -> String {
        let mut text = String::from("[state]\npath = \"state.db\"\n[[tenant]]\nname = \"acme\"\n");
        if let Some(url) = &self.organization {
            write!(
                text,
                "[tenant.organization]\nid = \"{}\"\napi_key = {{ file = \"org.key\" }}\nurl = \"{url}\"\n\
                 requests_per_minute = 600000\n",
                self.id
            )
            .unwrap();
        }
        if let Some(url) = &self.site {
            write!(
                text,
                "[[tenant.site]]\nurl = \"{url}\"\nemail = \"{}\"\napi_token = {{ file = \"site.token\" }}\nvia = \"{}\"\n",
                self.email, self.via
            )
            .unwrap();
        }
        write!(
            text,
            "[tenant.schedule]\naccess = \"{0}\"\naudit = \"{0}\"\nadmins = \"{0}\"\nlookback = \"{1}\"\n\
             [retry]\nbase = \"10ms\"\ntimeout = \"{2}\"\n",
            self.every, self.lookback, self.timeout
        )
        .unwrap();
        if self.webhook.is_some() {
            write!(
                text,
                "[[notifier]]\nname = \"soc\"\ntype = \"webhook\"\nurl = {{ file = \"soc.url\" }}\nmin_severity = \"{}\"\n",
                self.min_severity
            )
            .unwrap();
        }
        if self.secret.is_some() {
            text.push_str("secret = { file = \"soc.secret\" }\n");
        }
        text + self.more
    }
}

/// A folder of its own to run the program in.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// One with config and secrets for a tenant.
    pub(crate) fn set_up(setup: &Setup) -> Self {
        let desk = Self::new();
        desk.settle(setup);
        desk
    }

    /// Writes config and secrets.
    pub(crate) fn settle(&self, setup: &Setup) {
        self.write("pagewarden.toml", setup.text());
        self.write("org.key", &setup.key);
        self.write("site.token", &setup.token);
        if let Some(url) = &setup.webhook {
            self.write("soc.url", url);
        }
        if let Some(secret) = setup.secret {
            self.write("soc.secret", secret);
        }
    }

    /// Where a file of this desk is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that only its owner can read, whatever the mask is.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        let mut open = OpenOptions::new();
        let open = open.create(true).truncate(true).write(true).mode(0o600);
        open.open(path).unwrap().write_all(bytes.as_ref()).unwrap();
    }

    /// Reads a file; nothing where there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The program with these arguments, in the folder, with nothing of our environment.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pagewarden"));
        command
            .args(words.split_whitespace())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, words: &str) -> Done {
        self.start(words).wait()
    }

    /// Runs it to its end with arguments that hold spaces or nothing, behind the others.
    pub(crate) fn run_with(&self, words: &str, more: &[&str]) -> Done {
        let mut command = self.command(words);
        command.args(more);
        self.spawn(command).wait()
    }

    /// Runs it to its end with something on standard input.
    pub(crate) fn feed(&self, words: &str, bytes: &[u8]) -> Done {
        self.write("fed", bytes);
        let mut command = self.command(words);
        command.stdin(File::open(self.path("fed")).unwrap());
        self.spawn(command).wait()
    }

    /// Starts the program and goes on.
    pub(crate) fn start(&self, words: &str) -> Running {
        self.spawn(self.command(words))
    }

    /// Starts a command that was prepared; what it says goes into files.
    pub(crate) fn spawn(&self, mut command: Command) -> Running {
        let said = tempfile::tempdir_in(self.folder.path()).unwrap();
        let file = |name| File::create(said.path().join(name)).unwrap();
        let child = command
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .unwrap();
        Running { child, said }
    }

    /// Lets the program believe that it was installed at another time: what ended before is history.
    pub(crate) fn installed(&self, at: DateTime<Utc>) {
        let state = rusqlite::Connection::open(self.path("state.db")).unwrap();
        let changed = state
            .execute(
                "update tenant set installed_ms = ?1",
                [at.timestamp_millis()],
            )
            .unwrap();
        assert_eq!(changed, 1);
    }

    /// The status, for machines.
    pub(crate) fn status(&self) -> Value {
        self.run("status --format json").json()
    }

    /// How many events and audit records its state holds.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let tenant = self.tenant();
        let streams = tenant["streams"].as_array().unwrap();
        let of = |name: &str| {
            let stream = streams.iter().find(|stream| stream["name"] == name);
            stream.map_or(0, |stream| stream["stored"].as_u64().unwrap())
        };
        (of("access"), of("audit"))
    }

    /// The status of the only tenant.
    pub(crate) fn tenant(&self) -> Value {
        let status = self.status();
        status.pointer("/tenants/0").cloned().unwrap_or_default()
    }

    /// The findings as bytes to compare.
    pub(crate) fn export(&self) -> String {
        self.run("findings export --format json").ends(0).out
    }

    /// The findings about people, as bytes to compare. Those about log health depend on what went wrong.
    pub(crate) fn found(&self) -> String {
        let mut findings = self.findings();
        findings.retain(|finding| finding["family"] != "blind");
        serde_json::to_string_pretty(&findings).unwrap()
    }

    /// The findings, for machines.
    pub(crate) fn findings(&self) -> Vec<Value> {
        let all = self.run("findings export --format json").json();
        all["findings"].as_array().unwrap().clone()
    }

    /// What was said, without what differs from run to run: the folder, ports, times.
    pub(crate) fn redacted(&self, text: &str) -> String {
        redacted(text, self.folder.path())
    }
}

/// The program at work; killed if nobody waits for it.
pub(crate) struct Running {
    child: Child,
    said: tempfile::TempDir,
}

impl Running {
    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal: `TERM`, `INT`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// What it said on standard error so far.
    pub(crate) fn err(&self) -> String {
        std::fs::read_to_string(self.said.path().join("err")).unwrap()
    }

    /// Waits until it says something on standard error.
    pub(crate) fn says(&mut self, words: &str) {
        until(words, || {
            let err = self.err();
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() || err.contains(words),
                "it ended without saying `{words}`: {err}"
            );
            err.contains(words).then_some(())
        });
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Done {
        let began = Instant::now();
        let status = until("the end of the program", || self.child.try_wait().unwrap());
        let read =
            |name| String::from_utf8(std::fs::read(self.said.path().join(name)).unwrap()).unwrap();
        Done {
            status,
            out: read("out"),
            err: read("err"),
            took: began.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program after its end.
#[derive(Debug)]
pub(crate) struct Done {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error.
    pub(crate) err: String,
    /// How long it was waited for.
    pub(crate) took: Duration,
}

impl Done {
    /// Its exit code.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Itself, if it ended so.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "{}\n{}", self.out, self.err);
        self
    }

    /// Itself, if all was done, whatever was found.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert!(matches!(self.code(), 0 | 10..=13), "{self:?}");
        self
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// Both outputs and the exit code, for a snapshot; log lines without their times.
    pub(crate) fn transcript(&self, desk: &Desk) -> String {
        let (out, err) = (desk.redacted(&self.out), desk.redacted(&self.err));
        let mut transcript = format!("exit code {}\n", self.code());
        for (name, text) in [("standard output", out), ("standard error", err)] {
            if !text.is_empty() {
                write!(transcript, "--- {name}\n{text}").unwrap();
            }
        }
        transcript
    }
}

/// A text without what differs from run to run.
fn redacted(text: &str, folder: &Path) -> String {
    let mut clean = String::new();
    for line in text
        .replace(&folder.display().to_string(), "[folder]")
        .lines()
    {
        clean.push_str(&without_ports(&without_moments(line)));
        clean.push('\n');
    }
    clean
}

/// A line without moments such as `2026-03-01T10:00:00.000001Z`, but for those of the simulated time.
fn without_moments(line: &str) -> String {
    line.split(' ')
        .map(|word| {
            let time = word.trim_end_matches([';', ',', '.']);
            let is_moment = time.len() >= 20 && time.ends_with('Z') && time.contains('T');
            if is_moment && !time.starts_with("2024-01") {
                word.replace(time, "[time]")
            } else {
                word.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// A line without the ports of loopback.
fn without_ports(line: &str) -> String {
    let mut parts = line.split("127.0.0.1:");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str("127.0.0.1:[port]");
        clean.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    clean
}
