//! Takes requests, writes them down, lets go wrong what is to go wrong, and asks the right part for an answer.

pub(crate) mod answer;
pub(crate) mod cursor;
pub(crate) mod directory;
pub(crate) mod faults;
pub(crate) mod line;
pub(crate) mod options;
pub(crate) mod organization;
pub(crate) mod site;

use std::io::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request as Incoming, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::answer::Answer;
use self::faults::{Fault, Hint, Plan};
use self::line::{End, Line};
use self::options::Options;
use self::organization::ELSEWHERE;
use self::site::Door;
use crate::world::World;
use pagewarden_core::time::Clock;

/// What a client must know to be let in.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    /// The organisation's key.
    pub(crate) org_key: String,
    /// Whose the tokens are.
    pub(crate) email: String,
    /// The token for the site.
    pub(crate) api_token: String,
    /// The token for the gateway.
    pub(crate) scoped_token: String,
}

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How long after the simulator's start.
    pub at: Duration,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, as it was sent.
    pub query: String,
    /// Whether its credentials were good, or not needed.
    pub authorised: bool,
    /// The status of the answer; 0 where there was none.
    pub status: u16,
    /// What went wrong, if anything was made to.
    pub fault: Option<Fault>,
}

/// A message that the webhook received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The path it was sent to.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it was taken: answered with 200.
    pub accepted: bool,
}

impl Received {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(of, _)| of == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A request as the parts of the simulator see it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The method.
    pub(crate) method: String,
    /// The path.
    pub(crate) path: String,
    /// The query, as it was sent.
    raw_query: String,
    /// The query, decoded.
    query: Vec<(String, String)>,
    /// The headers, names in lower case.
    headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Bytes,
}

impl Asked {
    /// A parameter of the query.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(of, _)| of == name)
            .map(|(_, value)| value.as_str())
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(of, _)| of == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Everything that the requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The world that is shown.
    pub(crate) world: Arc<World>,
    /// Who is let in.
    pub(crate) secrets: Secrets,
    /// Our own origin.
    pub(crate) origin: String,
    /// How it answers.
    options: Mutex<Options>,
    /// What goes wrong.
    plan: Mutex<Plan>,
    /// The simulated now, in milliseconds since 1970, where no clock gives it.
    now: AtomicI64,
    /// The clock of the simulated now, if any.
    clock: OnceLock<Arc<dyn Clock>>,
    /// Requests so far.
    requests: Mutex<Vec<Request>>,
    /// Messages so far.
    received: Mutex<Vec<Received>>,
    /// Audit records that were added, with their times.
    added: Mutex<Vec<(i64, Vec<u8>)>>,
    /// Makes cursors differ.
    counter: AtomicU64,
    /// When the simulator started.
    started: Instant,
    /// The gzip bomb, once it was needed, with the size that it unpacks to.
    bomb: OnceLock<Vec<u8>>,
}

/// Takes a lock; what a panicking holder left is as good as any.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Shows a world at an origin.
    pub(crate) fn new(
        world: Arc<World>,
        secrets: Secrets,
        origin: String,
        options: Options,
    ) -> Self {
        Self {
            now: AtomicI64::new(world.until().timestamp_millis()),
            clock: OnceLock::new(),
            world,
            secrets,
            origin,
            options: Mutex::new(options),
            plan: Mutex::default(),
            requests: Mutex::default(),
            received: Mutex::default(),
            added: Mutex::default(),
            counter: AtomicU64::new(1),
            started: Instant::now(),
            bomb: OnceLock::new(),
        }
    }

    /// The simulated now, in milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.get().map_or_else(
            || self.now.load(Ordering::SeqCst),
            |clock| clock.now().timestamp_millis(),
        )
    }

    /// Takes the simulated now from a clock from now on; the first one stays.
    pub(crate) fn follow(&self, clock: Arc<dyn Clock>) {
        self.clock.set(clock).unwrap_or_default();
    }

    /// Sets the simulated now.
    pub(crate) fn set_now(&self, now: DateTime<Utc>) {
        self.now.store(now.timestamp_millis(), Ordering::SeqCst);
    }

    /// The simulated now as a moment.
    pub(crate) fn moment(&self) -> DateTime<Utc> {
        pagewarden_core::time::moment(self.now().div_euclid(1_000))
    }

    /// The simulated now as RFC 3339.
    pub(crate) fn now_text(&self) -> String {
        pagewarden_core::time::rfc3339(self.moment())
    }

    /// A number that was not given before.
    pub(crate) fn count(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    /// The audit records that were added.
    pub(crate) fn added(&self) -> MutexGuard<'_, Vec<(i64, Vec<u8>)>> {
        hold(&self.added)
    }

    /// Adds an audit record, as it is; one without a time happened now.
    pub(crate) fn add_record(&self, record: &Value) {
        let at = record
            .get("creationDate")
            .and_then(Value::as_i64)
            .unwrap_or_else(|| self.now());
        self.added().push((at, record.to_string().into_bytes()));
    }

    /// Changes how it answers.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Options)) {
        change(&mut hold(&self.options));
    }

    /// Orders a fault.
    pub(crate) fn order(&self, path: &str, fault: Fault, times: u32) {
        hold(&self.plan).order(path, fault, times);
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        hold(&self.requests).clone()
    }

    /// How many requests there were so far.
    pub(crate) fn request_count(&self) -> usize {
        hold(&self.requests).len()
    }

    /// How many messages there were so far.
    pub(crate) fn received_count(&self) -> usize {
        hold(&self.received).len()
    }

    /// The messages so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        hold(&self.received).clone()
    }

    /// Forgets the requests and messages so far.
    pub(crate) fn forget(&self) {
        hold(&self.requests).clear();
        hold(&self.received).clear();
    }

    /// The answer to a request where nothing comes in between.
    fn answer(&self, asked: &Asked, options: &Options, fault: Option<Fault>) -> Answer {
        let segments: Vec<&str> = asked
            .path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect();
        let answer = match (asked.method.as_str(), segments.as_slice()) {
            ("GET", ["admin", "v1", "orgs", org, "events-stream"]) => {
                self.events(asked, org, true, options, fault)
            }
            ("GET", ["admin", "v1", "orgs", org, "events"]) => {
                self.events(asked, org, false, options, fault)
            }
            ("GET", ["admin", "v1", "orgs", org, "event-actions"]) => {
                self.event_actions(asked, org, options)
            }
            (
                "POST",
                [
                    "admin",
                    "v2",
                    "orgs",
                    org,
                    "directories",
                    _,
                    "users",
                    "search",
                ],
            ) => self.users_search(asked, org, options, fault),
            ("GET", ["_edge", "tenant_info"]) => Ok(Answer::json(
                200,
                &json!({ "cloudId": self.world.cloud_id() }),
            )),
            (_, ["wiki", "rest", "api", rest @ ..]) => {
                self.site(asked, Door::Site, rest, options, fault)
            }
            (_, ["ex", "confluence", cloud, "wiki", "rest", "api", rest @ ..])
                if *cloud == self.world.cloud_id() =>
            {
                self.site(asked, Door::Gateway, rest, options, fault)
            }
            ("POST", ["webhook", ..]) => Ok(Answer::json(200, &json!({ "ok": true }))),
            _ => Err(Answer::proxy(404, "Not Found")),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// The answer to a request with what goes wrong on the way, and how it ends where it does not end well; none for silence.
    fn reply(&self, asked: &Asked) -> Option<(Answer, Option<End>)> {
        let options = hold(&self.options).clone();
        let has_cursor = asked.query("cursor").is_some();
        let fault = hold(&self.plan).next(&options.faults, &asked.path, has_cursor);
        let reply = self.spoiled(asked, &options, fault);
        let whole = reply.as_ref().filter(|(_, end)| end.is_none());
        hold(&self.requests).push(Request {
            at: self.started.elapsed(),
            method: asked.method.clone(),
            path: asked.path.clone(),
            query: asked.raw_query.clone(),
            authorised: reply.as_ref().is_some_and(|(answer, _)| answer.authorised),
            status: whole.map_or(0, |(answer, _)| answer.status),
            fault,
        });
        if asked.method == "POST" && asked.path.starts_with("/webhook") {
            let accepted = whole.is_some_and(|(answer, _)| answer.status == 200);
            let Asked {
                path,
                headers,
                body,
                ..
            } = asked;
            let message = Received {
                path: path.clone(),
                headers: headers.clone(),
                body: body.to_vec(),
                accepted,
            };
            hold(&self.received).push(message);
        }
        let (mut answer, end) = reply?;
        let now = self.moment() + options.clock_ahead;
        answer = answer.with("date", http_date(now));
        let accepts = asked
            .header("accept-encoding")
            .is_some_and(|accepted| accepted.contains("gzip"));
        if options.gzip && accepts && fault.is_none() {
            answer.body = gzip(&answer.body, 1);
            answer = answer.with("content-encoding", "gzip");
        }
        Some((answer, end))
    }

    /// The answer to a request as a fault leaves it.
    fn spoiled(
        &self,
        asked: &Asked,
        options: &Options,
        fault: Option<Fault>,
    ) -> Option<(Answer, Option<End>)> {
        let faults = &options.faults;
        let good = || self.answer(asked, options, fault);
        let answer = match fault {
            None
            | Some(
                Fault::ForeignNext
                | Fault::RepeatingCursor
                | Fault::EndlessCursors
                | Fault::RefusedCursor
                | Fault::EmptyRoster
                | Fault::Doubled,
            ) => good(),
            Some(Fault::Throttled(hint)) => self.throttled(hint, options),
            Some(Fault::ServerError(status)) => match status {
                500 => Answer::admin(500, "ADMIN-500-1", "Internal server error"),
                _ => Answer::proxy(status, "upstream connect error"),
            },
            Some(Fault::ServerErrorHtml(status)) => Answer::html(status),
            Some(Fault::Reset) => return Some((good(), Some(End::Cut(0)))),
            Some(Fault::Refused) => return Some((good(), Some(End::Away(faults.away)))),
            Some(Fault::Truncated) => {
                let mut answer = good();
                answer.body.truncate(answer.body.len() / 2);
                answer
            }
            Some(Fault::CutBody | Fault::StalledBody) => {
                let (answer, middle) = with_middle(good());
                let hangs = fault == Some(Fault::StalledBody);
                let end = if hangs { End::Hang } else { End::Cut };
                return Some((answer, Some(end(middle))));
            }
            Some(Fault::Stall) => return None,
            Some(Fault::HtmlOk) => Answer::html(200),
            Some(Fault::PlainText) => Answer::plain(false),
            Some(Fault::PlainAsJson) => Answer::plain(true),
            Some(Fault::OddType) => Answer {
                content_type: "application/octet-stream",
                ..good()
            },
            Some(Fault::Redirect) => Answer {
                status: 302,
                ..Answer::html(302)
            }
            .with(
                "location",
                format!("{ELSEWHERE}/login?continue={}", asked.path),
            ),
            Some(Fault::Oversized) => {
                let mut answer = good();
                answer
                    .body
                    .resize(faults.oversized.max(answer.body.len()), b' ');
                answer
            }
            Some(Fault::GzipBomb) => self.bomb(faults.bomb),
        };
        Some((answer, None))
    }

    /// A small body that unpacks to so many bytes.
    fn bomb(&self, bytes: usize) -> Answer {
        let bomb = self
            .bomb
            .get_or_init(|| gzip(&vec![b' '; 1_048_576], bytes / 1_048_576));
        Answer::written(bomb.clone()).with("content-encoding", "gzip")
    }

    /// 429, with a hint how long to wait.
    fn throttled(&self, hint: Hint, options: &Options) -> Answer {
        let answer = Answer::proxy(429, "Rate limit exceeded");
        let faults = &options.faults;
        let wait = TimeDelta::seconds(i64::from(faults.wait));
        let later = self.moment() + options.clock_ahead + wait;
        match hint {
            Hint::Seconds => answer.with("retry-after", faults.wait.to_string()),
            Hint::HttpDate => answer.with("retry-after", http_date(later)),
            Hint::XRetryAfter => answer.with("x-retry-after", faults.wait.to_string()),
            Hint::Reset => answer
                .with("x-ratelimit-limit", "10")
                .with("x-ratelimit-remaining", "0")
                .with(
                    "x-ratelimit-reset",
                    later.format("%Y-%m-%dT%H:%MZ").to_string(),
                ),
            Hint::None => answer,
        }
    }
}

/// An answer that is long enough to have a middle, and where that is, headers included. White space after JSON is JSON.
fn with_middle(mut answer: Answer) -> (Answer, usize) {
    answer.body.resize(answer.body.len() + 8_192, b' ');
    let middle = 4_096 + answer.body.len() / 4;
    (answer, middle)
}

/// Some bytes so many times, compressed.
fn gzip(bytes: &[u8], times: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..times {
        // Writing to memory does not fail.
        encoder.write_all(bytes).unwrap_or_default();
    }
    encoder.finish().unwrap_or_default()
}

/// A moment as headers have it.
fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Takes one request.
pub(crate) async fn take(State(shared): State<Arc<Shared>>, incoming: Incoming) -> Response {
    let (parts, body) = incoming.into_parts();
    let line = parts.extensions.get::<ConnectInfo<Line>>();
    let body = to_bytes(body, 64 * 1_024 * 1_024).await.unwrap_or_default();
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    let asked = Asked {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(raw_query.as_bytes())
            .into_owned()
            .collect(),
        raw_query,
        headers: parts.headers.iter().map(header).collect(),
        body,
    };
    let Some((answer, end)) = shared.reply(&asked) else {
        return std::future::pending().await;
    };
    let mut response = Response::new(Body::from(answer.body));
    if let Some(end) = end {
        if let Some(ConnectInfo(line)) = line {
            line.end(end);
        }
        response.extensions_mut().insert(end);
    }
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let content_type = ("content-type", answer.content_type.to_owned());
    for (name, value) in answer.headers.into_iter().chain([content_type]) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}
