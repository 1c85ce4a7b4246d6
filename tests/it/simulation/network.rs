//! The network of a simulation: carries requests to simulated tenants and receivers, in simulated time, with what goes
//! wrong on the way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use chrono::{DateTime, TimeDelta, Utc};
use pagewarden::http::{Broken, Carrier};
use pagewarden_core::time::{Clock, rfc3339};
use pagewarden_simulator::{End, Simulator};
use reqwest::{Request, Response};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::faults::{Blow, Dice, Plan, Trouble, number};

/// How many events are remembered for a failure.
const REMEMBERED: usize = 40;

/// A clock that stands and goes with tokio's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Simulated {
    start: DateTime<Utc>,
    began: Instant,
}

impl Simulated {
    /// A clock that begins now at a moment.
    pub(crate) fn starting(start: DateTime<Utc>) -> Self {
        Self {
            start,
            began: Instant::now(),
        }
    }

    /// When tokio's clock will be at a moment.
    pub(crate) fn instant(&self, at: DateTime<Utc>) -> Instant {
        self.began + (at - self.start).to_std().unwrap_or_default()
    }
}

impl Clock for Simulated {
    fn now(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(self.began.elapsed()).unwrap()
    }
}

/// A message as a receiver got it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Got {
    /// When it came.
    pub(crate) at: DateTime<Utc>,
    /// Which receiver.
    pub(crate) receiver: usize,
    /// Its idempotency key.
    pub(crate) id: String,
    /// What it says.
    pub(crate) body: Value,
    /// Whether the receiver took it.
    pub(crate) taken: bool,
    /// When the sender got the answer; none where it never did.
    pub(crate) confirmed: Option<DateTime<Utc>>,
}

/// One simulated tenant on the network.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) simulator: Simulator,
    /// The key that the organisation takes, in place of the simulator's own.
    pub(crate) key: Mutex<String>,
    asked: AtomicUsize,
}

impl Host {
    pub(crate) fn new(host: &str, simulator: Simulator) -> Self {
        Self {
            name: host.to_owned(),
            key: Mutex::new(simulator.org_key().to_owned()),
            simulator,
            asked: AtomicUsize::new(0),
        }
    }
}

/// All that is reached.
#[derive(Debug)]
pub(crate) struct Network {
    seed: u64,
    pub(crate) clock: Simulated,
    pub(crate) hosts: Vec<Host>,
    /// The receivers' host names.
    receivers: Vec<String>,
    pub(crate) plan: OnceLock<Plan>,
    got: Mutex<Vec<Got>>,
    events: Mutex<VecDeque<String>>,
    /// How often which fault happened, and in which hours.
    counted: Mutex<BTreeMap<&'static str, (u64, BTreeSet<i64>)>>,
    /// The kill that waits for its moment.
    armed: Mutex<Option<Blow>>,
    /// Told when that moment has come.
    pub(crate) killed: Notify,
}

impl Network {
    pub(crate) fn new(
        seed: u64,
        clock: Simulated,
        hosts: Vec<Host>,
        receivers: Vec<String>,
    ) -> Self {
        Self {
            seed,
            clock,
            hosts,
            receivers,
            plan: OnceLock::new(),
            got: Mutex::default(),
            events: Mutex::default(),
            counted: Mutex::default(),
            armed: Mutex::default(),
            killed: Notify::new(),
        }
    }

    /// The messages so far.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// How often which fault happened, and in how many hours.
    pub(crate) fn counted(&self) -> BTreeMap<&'static str, (u64, u64)> {
        let counted = self.counted.lock().unwrap();
        let row = |(word, (times, hours)): (&&'static str, &(u64, BTreeSet<i64>))| {
            (*word, (*times, number(hours.len())))
        };
        counted.iter().map(row).collect()
    }

    /// Notes that something went wrong.
    pub(crate) fn count(&self, word: &'static str) {
        let hour = self.clock.now().timestamp() / 3_600;
        let mut counted = self.counted.lock().unwrap();
        let (times, hours) = counted.entry(word).or_default();
        *times += 1;
        hours.insert(hour);
    }

    /// Remembers what happened.
    pub(crate) fn note(&self, what: &str) {
        let mut events = self.events.lock().unwrap();
        if events.len() == REMEMBERED {
            events.pop_front();
        }
        events.push_back(format!("{} {what}", rfc3339(self.clock.now())));
    }

    /// The last events, a line each.
    pub(crate) fn last_events(&self) -> String {
        let events = self.events.lock().unwrap();
        events.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// Lets a kill wait for its moment.
    pub(crate) fn arm(&self, blow: Blow) {
        *self.armed.lock().unwrap() = Some(blow);
    }

    /// Takes back a kill whose moment has not come.
    pub(crate) fn disarm(&self) {
        *self.armed.lock().unwrap() = None;
    }

    /// Kills here where that was waited for.
    async fn kill_at(&self, blow: Blow) {
        let strikes = {
            let mut armed = self.armed.lock().unwrap();
            let strikes = *armed == Some(blow);
            if strikes {
                *armed = None;
            }
            strikes
        };
        if strikes {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn troubles(&self, of_receiver: bool, whose: usize) -> Vec<Trouble> {
        let now = self.clock.now();
        let plan = self.plan.get();
        plan.map(|plan| plan.at(now, of_receiver, whose).collect())
            .unwrap_or_default()
    }

    /// A request to a tenant.
    async fn ask(&self, whose: usize, request: Request) -> Result<Response, Broken> {
        let host = &self.hosts[whose];
        let asked = host.asked.fetch_add(1, Ordering::SeqCst);
        let mut dice = Dice::of(self.seed, &[2, number(whose), number(asked)]);
        sleep(Duration::from_millis(dice.within(20, 300))).await;
        let path = request.url().path().to_owned();
        let has_cursor = request
            .url()
            .query_pairs()
            .any(|(name, _)| name == "cursor");
        let events = path.ends_with("/events-stream");
        let mut said = String::new();
        for trouble in self.troubles(false, whose) {
            if trouble == Trouble::Down {
                self.count(trouble.word());
                self.note(&format!("{} {path} unreachable", host.name));
                return Err(Broken::Unreachable("connection refused".into()));
            }
            if trouble == Trouble::Slow {
                self.count(trouble.word());
                sleep(Duration::from_millis(dice.within(2_000, 25_000))).await;
            }
            if let Some(fault) = trouble.fault(&mut dice, has_cursor && events) {
                self.count(trouble.word());
                said = format!("{fault:?}");
                host.simulator.fail_next(&path, fault, 1);
                break;
            }
        }
        let response = host.simulator.answer(host.translated(&request)).await;
        let end = response.extensions().get::<End>().copied();
        self.note(&format!(
            "{} {path} {} {said}",
            host.name,
            response.status()
        ));
        let response = whole(response).await;
        if events {
            self.kill_at(Blow::KillAtPage).await;
        }
        match end {
            None => Ok(response),
            Some(End::Hang(_)) => std::future::pending().await,
            Some(End::Cut(_) | End::Away(_)) => Err(Broken::Cut("connection reset".into())),
        }
    }

    /// A message to a receiver.
    async fn receive(&self, receiver: usize, request: Request) -> Result<Response, Broken> {
        let header = |name: &str| {
            request
                .headers()
                .get(name)?
                .to_str()
                .ok()
                .map(str::to_owned)
        };
        let id = header("webhook-id").unwrap_or_default();
        let body = request
            .body()
            .and_then(reqwest::Body::as_bytes)
            .unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let attempts = number(self.got.lock().unwrap().len());
        let mut dice = Dice::of(self.seed, &[3, number(receiver), attempts]);
        sleep(Duration::from_millis(dice.within(20, 300))).await;
        let troubles = self.troubles(true, receiver);
        if troubles.contains(&Trouble::ReceiverDown) {
            self.count(Trouble::ReceiverDown.word());
            self.note(&format!("receiver {receiver} {id} unreachable"));
            return Err(Broken::Unreachable("connection refused".into()));
        }
        self.kill_at(Blow::KillBeforeMessage).await;
        let fails = troubles.contains(&Trouble::ReceiverFails) && dice.percent(80);
        let place = {
            let mut got = self.got.lock().unwrap();
            got.push(Got {
                at: self.clock.now(),
                receiver,
                id: id.clone(),
                body,
                taken: !fails,
                confirmed: None,
            });
            got.len() - 1
        };
        self.note(&format!(
            "receiver {receiver} {id} {}",
            if fails { 500 } else { 200 }
        ));
        self.kill_at(Blow::KillAfterMessage).await;
        if fails {
            self.count(Trouble::ReceiverFails.word());
            return Ok(answer(500));
        }
        if troubles.contains(&Trouble::ReceiverLate) {
            self.count(Trouble::ReceiverLate.word());
            sleep(Duration::from_millis(dice.within(5_000, 20_000))).await;
        } else {
            sleep(Duration::from_millis(dice.within(5, 100))).await;
        }
        self.got.lock().unwrap()[place].confirmed = Some(self.clock.now());
        Ok(answer(200))
    }
}

impl Host {
    /// A request as the simulator takes it, with its own key in place of the one that is good today.
    fn translated(&self, request: &Request) -> axum::extract::Request {
        let url = request.url();
        let target = url[url::Position::BeforePath..].to_owned();
        let body = request
            .body()
            .and_then(reqwest::Body::as_bytes)
            .unwrap_or_default();
        let mut translated = http::Request::builder()
            .method(request.method().clone())
            .uri(target)
            .body(Body::from(body.to_vec()))
            .unwrap();
        *translated.headers_mut() = request.headers().clone();
        let reported = request.headers().get("authorization");
        let reported = reported
            .and_then(|reported| reported.to_str().ok())
            .unwrap_or_default();
        if let Some(key) = reported.strip_prefix("Bearer ") {
            let good = key == *self.key.lock().unwrap();
            let key = if good {
                self.simulator.org_key()
            } else {
                "refused"
            };
            let value = format!("Bearer {key}").parse().unwrap();
            translated.headers_mut().insert("authorization", value);
        }
        translated
    }
}

#[async_trait::async_trait]
impl Carrier for Network {
    async fn carry(&self, request: Request) -> Result<Response, Broken> {
        let limit = request.timeout().copied().unwrap_or(Duration::from_mins(1));
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let tenant = self.hosts.iter().position(|one| one.name == host);
        let receiver = self.receivers.iter().position(|one| *one == host);
        let going = async {
            match (tenant, receiver) {
                (Some(whose), _) => self.ask(whose, request).await,
                (None, Some(receiver)) => self.receive(receiver, request).await,
                (None, None) => Err(Broken::Unreachable("no such host".into())),
            }
        };
        if let Ok(answer) = tokio::time::timeout(limit, going).await {
            answer
        } else {
            self.note(&format!("{host} did not answer in time"));
            Err(Broken::TimedOut)
        }
    }
}

fn answer(status: u16) -> Response {
    http::Response::builder()
        .status(status)
        .body(Vec::new())
        .unwrap()
        .into()
}

/// An answer of the simulator as the client takes it.
async fn whole(response: axum::response::Response) -> Response {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let mut answer = http::Response::new(bytes.to_vec());
    *answer.status_mut() = parts.status;
    *answer.headers_mut() = parts.headers;
    answer.into()
}
