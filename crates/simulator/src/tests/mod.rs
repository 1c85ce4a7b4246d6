//! What the simulator promises over HTTP.

use std::collections::HashSet;

use reqwest::{Client, Response};

use super::*;

mod faults;
mod stream;
mod tenant;

struct Tenant {
    simulator: Simulator,
    client: Client,
}

impl Tenant {
    fn new(options: Options) -> Self {
        let world = World::new(WorldSettings::small(1));
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            simulator: Simulator::start(world, options).unwrap(),
            client,
        }
    }

    fn url(&self, path: &str) -> String {
        let path = path
            .replace("{org}", self.simulator.org_id())
            .replace("{cloud}", self.simulator.cloud_id());
        self.simulator.base_url().join(&path).unwrap().to_string()
    }

    async fn org(&self, path: &str) -> Response {
        self.client
            .get(self.url(path))
            .bearer_auth(self.simulator.org_key())
            .send()
            .await
            .unwrap()
    }

    async fn try_org(&self, path: &str) -> Result<Response, reqwest::Error> {
        self.client
            .get(self.url(path))
            .bearer_auth(self.simulator.org_key())
            .send()
            .await
    }

    async fn site(&self, path: &str) -> Response {
        let token = self.simulator.api_token();
        self.client
            .get(self.url(path))
            .basic_auth(self.simulator.email(), Some(token))
            .send()
            .await
            .unwrap()
    }

    async fn org_json(&self, path: &str) -> Value {
        self.org(path).await.json().await.unwrap()
    }

    async fn site_json(&self, path: &str) -> Value {
        self.site(path).await.json().await.unwrap()
    }

    async fn search(&self, body: &Value) -> Value {
        let url = self.url("/admin/v2/orgs/{org}/directories/-/users/search");
        let sent = self
            .client
            .post(url)
            .bearer_auth(self.simulator.org_key())
            .json(body)
            .send();
        sent.await.unwrap().json().await.unwrap()
    }

    /// Every event from a first path on, until a page says that it is the last one, by `null` or by being empty.
    async fn walk(&self, first: &str) -> Vec<Value> {
        let (mut path, mut events) = (first.to_owned(), Vec::new());
        loop {
            let mut page = self.org_json(&path).await;
            let data = page["data"].as_array_mut().unwrap();
            let empty = data.is_empty();
            events.append(data);
            match page["meta"]["next"].as_str() {
                Some(cursor) if !empty => path = format!("{STREAM}?limit=500&cursor={cursor}"),
                _ => return events,
            }
        }
    }
}

const STREAM: &str = "/admin/v1/orgs/{org}/events-stream";
const AUDIT: &str = "/wiki/rest/api/audit";

fn ids(events: &[Value]) -> HashSet<String> {
    events
        .iter()
        .filter_map(|event| event["id"].as_str())
        .map(str::to_owned)
        .collect()
}
