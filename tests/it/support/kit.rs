//! A desk to tell stories at: a simulated tenant, a config with its secrets, and the built binary in a clean room.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use axum::{Json, Router};
use chrono::{DateTime, TimeDelta, Utc};
use pagewarden_simulator::{Options, Simulator, World, WorldSettings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// 2024-01-01T00:00:00Z, a Monday: every clock that runs a test is past it.
const START: i64 = 1_704_067_200;

/// The small world of a seed, in the past.
pub(crate) fn small(seed: u64) -> WorldSettings {
    WorldSettings {
        start: pagewarden_core::time::moment(START),
        // Many, so that every seed has some.
        twins: 0.2,
        ..WorldSettings::small(seed)
    }
}

/// A world of so many people and weeks, in the past.
pub(crate) fn world(seed: u64, people: u32, weeks: u32) -> WorldSettings {
    WorldSettings {
        people,
        weeks,
        ..small(seed)
    }
}

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Ran {
    /// Asserts that all was done, whatever was found.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert!(matches!(self.code, 0 | 10..=13), "{self:#?}");
        self
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

/// How much of a stream is stored, as `status` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) stored: u64,
    pub(crate) repeated: u64,
    pub(crate) late: u64,
    pub(crate) unusable: u64,
}

/// A folder with a config, its secrets and a state file.
#[derive(Debug)]
pub(crate) struct Desk {
    folder: TempDir,
    /// Rust's own log filter, where a story needs more than the usual.
    pub(crate) log: Option<&'static str>,
}

impl Desk {
    /// A desk with this config; `{dir}` in it is the folder.
    pub(crate) fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config.replace("{dir}", folder.path().to_str().unwrap());
        let desk = Self { folder, log: None };
        desk.keep("pagewarden.toml", config.as_bytes());
        desk
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of its owner's.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        let mut open = fs::OpenOptions::new();
        let mut file = open
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        file.write_all(bytes).unwrap();
        path
    }

    /// Runs the binary in an environment with nothing in it.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with_log(args, self.log)
    }

    /// The same with another log filter.
    pub(crate) fn run_with_log(&self, args: &[&str], log: Option<&str>) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pagewarden"));
        command
            .env_clear()
            .current_dir(self.folder.path())
            .args(args);
        if let Some(log) = log {
            command.env("RUST_LOG", log);
        }
        let output = command.output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The status of the only tenant, as machines read it.
    pub(crate) fn status(&self) -> Value {
        let ran = self.run(&["status", "--format", "json"]).ended(0);
        let mut status: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(status["schema"], "pagewarden.status.v1");
        status["tenants"][0].take()
    }

    /// How much of a stream is stored.
    pub(crate) fn stored(&self, stream: &str) -> Counted {
        let status = self.status();
        let streams = status["streams"].as_array().unwrap();
        let one = streams.iter().find(|one| one["name"] == stream);
        let one = one.unwrap_or_else(|| panic!("no stream {stream}: {status}"));
        let number = |key: &str| one[key].as_u64().unwrap();
        Counted {
            stored: number("stored"),
            repeated: number("repeated"),
            late: number("late"),
            unusable: number("unusable"),
        }
    }

    /// Everything that was found, as bytes to compare.
    pub(crate) fn findings(&self) -> String {
        let ran = self.run(&["findings", "export", "--format", "json"]);
        ran.ended(0).out
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for suffix in ["", "-wal", "-shm"] {
            drop(fs::remove_file(self.path(&format!("state.db{suffix}"))));
        }
    }
}

/// A simulated tenant, and a desk to watch it from.
#[derive(Debug)]
pub(crate) struct Kit {
    pub(crate) simulator: Simulator,
    pub(crate) desk: Desk,
    _runtime: Runtime,
}

impl Kit {
    /// The tenant with its organisation and its site.
    pub(crate) fn new(world: WorldSettings, options: Options) -> Self {
        Self::with(world, options, "")
    }

    /// The same with more in its config.
    pub(crate) fn with(world: WorldSettings, options: Options, more: &str) -> Self {
        let runtime = runtime();
        let simulator = {
            let _entered = runtime.enter();
            Simulator::start(World::new(world), options).unwrap()
        };
        let origin = simulator.base_url().as_str().trim_end_matches('/');
        let config = format!(
            r#"
[state]
path = "{{dir}}/state.db"
[[tenant]]
name = "acme"
[tenant.organization]
id = "{}"
api_key = {{ file = "{{dir}}/org.key" }}
url = "{origin}"
requests_per_minute = 600000
[[tenant.site]]
url = "{origin}"
email = "{}"
api_token = {{ file = "{{dir}}/site.token" }}
[tenant.schedule]
lookback = "3650d"
[retry]
base = "10ms"
{more}"#,
            simulator.org_id(),
            simulator.email(),
        );
        let desk = Desk::new(&config);
        desk.keep("org.key", simulator.org_key().as_bytes());
        desk.keep("site.token", simulator.api_token().as_bytes());
        Self {
            simulator,
            desk,
            _runtime: runtime,
        }
    }

    /// The world that is shown.
    pub(crate) fn world(&self) -> &World {
        self.simulator.world()
    }

    /// Lets the simulated time come to a share of the whole.
    pub(crate) fn show(&self, part: i32, of: i32) {
        let (start, until) = self.span();
        self.simulator.show_until(if part == of {
            until
        } else {
            start + (until - start) / of * part
        });
    }

    /// From the first moment to the last.
    pub(crate) fn span(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.world().settings().start, self.world().until())
    }

    /// Reads the history from the beginning.
    pub(crate) fn backfill(&self) -> Ran {
        let from = (self.span().0 - TimeDelta::days(1)).format("%Y-%m-%d");
        self.desk.run(&["backfill", "--from", &from.to_string()])
    }

    /// One cycle.
    pub(crate) fn scan(&self) -> Ran {
        self.desk.run(&["scan"])
    }

    /// Asserts that everything there is was stored once.
    #[track_caller]
    pub(crate) fn assert_all_once(&self) {
        let counts = self.world().counts();
        let (access, audit) = (self.desk.stored("access"), self.desk.stored("audit"));
        assert_eq!(
            (access.stored, access.late, access.unusable),
            (
                u64::from(counts.events),
                u64::from(counts.late),
                u64::from(counts.unusable)
            )
        );
        assert!(access.repeated >= u64::from(counts.repeats), "{access:?}");
        assert_eq!((audit.stored, audit.unusable), (u64::from(counts.audit), 0));
        assert!(counts.twins > 0 && counts.late > 0 && counts.repeats > 0);
    }
}

/// A server on loopback that answers as a story wants.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) origin: String,
    _runtime: Runtime,
}

impl Served {
    /// Answers every request with what the story says of its path and query; null is 404, and what holds `errors` is 400.
    pub(crate) fn new(
        answer: impl Fn(&str, &HashMap<String, String>) -> Value + Send + Sync + 'static,
    ) -> Self {
        let runtime = runtime();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(answer);
        let router = Router::new().fallback(
            move |uri: Uri, Query(query): Query<HashMap<String, String>>| {
                let answer = Arc::clone(&answer);
                async move {
                    match answer(uri.path(), &query) {
                        Value::Null => StatusCode::NOT_FOUND.into_response(),
                        value if value.get("errors").is_some() => {
                            (StatusCode::BAD_REQUEST, Json(value)).into_response()
                        }
                        value => Json(value).into_response(),
                    }
                }
            },
        );
        runtime.handle().spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            origin,
            _runtime: runtime,
        }
    }
}

/// A tenant with nothing but an organisation, whose log answers as it likes.
pub(crate) fn odd_organization(
    log: impl Fn(&HashMap<String, String>) -> Value + Send + Sync + 'static,
) -> (Desk, Served) {
    let served = Served::new(move |path, query| {
        if path.ends_with("/events-stream") {
            log(query)
        } else if path.ends_with("/event-actions") {
            json!({ "data": [] })
        } else {
            json!({ "data": [], "links": {} })
        }
    });
    let desk = Desk::new(&format!(
        r#"
[state]
path = "{{dir}}/state.db"
[[tenant]]
name = "acme"
[tenant.organization]
id = "org-1"
api_key = {{ file = "{{dir}}/org.key" }}
url = "{}"
requests_per_minute = 600000
[tenant.schedule]
lookback = "3650d"
[retry]
base = "10ms"
"#,
        served.origin
    ));
    desk.keep("org.key", b"key-of-the-organisation");
    (desk, served)
}

/// The `n`th view of a page.
pub(crate) fn view(n: u32) -> Value {
    let at = format!(
        "2024-01-08T{:02}:{:02}:{:02}Z",
        8 + n / 3_600,
        n / 60 % 60,
        n % 60
    );
    json!({
        "id": format!("00000000-0000-4000-8000-{n:012}"),
        "type": "events",
        "attributes": {
            "time": at,
            "processedAt": at,
            "action": "confluence_page_viewed",
            "actor": { "id": "712020:ada", "name": "Ada Example" },
            "context": [{ "id": n.to_string(), "type": "page" }],
            "container": [],
        },
    })
}

/// A page of views, and the cursor of the next.
pub(crate) fn page(views: impl Iterator<Item = u32>, next: Option<&str>) -> Value {
    json!({ "data": views.map(view).collect::<Vec<_>>(), "meta": { "next": next, "page_size": 10 }, "links": {} })
}

/// A runtime for what listens.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Whether a file that is there holds these bytes.
pub(crate) fn holds(path: &Path, needle: &str) -> bool {
    fs::read(path).is_ok_and(|bytes| contains(&bytes, needle))
}

/// Whether bytes hold a text.
pub(crate) fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}
