//! Writes the facts of a world as Atlassian's logs would have them, byte for byte the same every time.

mod form;
mod matter;
mod record;

use std::io;

use pagewarden_core::model::AccountId;

use self::form::{Form, event_id, time};
use super::words::word_of;
use super::world::audit::Record;
use super::world::dice::index;
use super::world::log::{Act, Doer, Entry, Way};
use super::world::person::{Person, uuid};
use super::world::{SITE, World};

/// Writes formatted text to bytes in memory, which does not fail.
macro_rules! say {
    ($out:expr, $($text:tt)*) => {
        std::io::Write::write_fmt($out, format_args!($($text)*)).unwrap_or_default()
    };
}
use say;

/// Appends texts to bytes.
pub(crate) fn put(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Writes records of one world as seen at one site.
#[derive(Debug)]
pub(crate) struct Pen<'w> {
    /// The world.
    world: &'w World,
    /// The origin of the site, as links have it.
    site: String,
    /// The container of everything that happened on the site, from its id up to the attributes' end.
    here: String,
    /// The actor of the integration, up to and without its closing brace.
    integration: String,
    /// The links of every event, up to its id.
    links: String,
}

/// The account of the integration.
pub(crate) fn integration_account(world: &World) -> String {
    format!("712020:{}", uuid(world.settings().seed, &[92]))
}

/// The actor of what the site does by itself, up to and without its closing brace.
const SYSTEM: &str =
    r#"{"id":"confluence","name":"Confluence","email":"Atlassian app","picture":null,"links":{}"#;

/// Where the small scripts of people run.
const SCRIPT_ADDRESS: &str = "192.0.2.250";

impl World {
    /// The account of the integration: an app, not a person.
    pub fn integration(&self) -> AccountId {
        AccountId::new(integration_account(self))
    }

    /// Writes every delivery of the organisation's log in processing order, one JSON object a line.
    pub fn write_access_ndjson(&self, to: &mut dyn io::Write) -> io::Result<()> {
        Pen::new(self, SITE).write_access(&self.log, to)
    }

    /// Writes every record of the site audit log, oldest first, one JSON object a line.
    pub fn write_audit_ndjson(&self, to: &mut dyn io::Write) -> io::Result<()> {
        Pen::new(self, SITE).write_audit(&self.records, to)
    }
}

impl<'w> Pen<'w> {
    /// A pen for a site, by its origin.
    pub(crate) fn new(world: &'w World, site: &str) -> Self {
        let (org, cloud) = (world.org_id(), world.cloud_id());
        let account = integration_account(world);
        Self {
            world,
            site: site.to_owned(),
            here: format!(
                r#"{{"id":"{cloud}","type":"sites","attributes":{{"siteName":"acme","siteHostName":"{site}""#
            ),
            integration: format!(
                r#"{{"id":"{account}","name":"Search Indexer","links":{{"alt":"https://admin.atlassian.com/s/{cloud}/apps","self":"https://api.atlassian.com/users/{account}/manage/profile"}},"app":{{"id":"{account}","type":"apps","attributes":{{"name":"Search Indexer"}}}}"#
            ),
            links: format!(
                r#","links":{{"self":"https://api.atlassian.com/admin/v1/orgs/{org}/events/"#
            ),
        }
    }

    /// Writes deliveries, one JSON object a line.
    pub(crate) fn write_access(&self, entries: &[Entry], to: &mut dyn io::Write) -> io::Result<()> {
        let mut line = Vec::new();
        for entry in entries {
            line.clear();
            self.event(entry, true, &mut line);
            line.push(b'\n');
            to.write_all(&line)?;
        }
        to.flush()
    }

    /// Writes records, one JSON object a line.
    pub(crate) fn write_audit(&self, records: &[Record], to: &mut dyn io::Write) -> io::Result<()> {
        let mut line = Vec::new();
        for record in records {
            line.clear();
            self.record(record, &mut line);
            line.push(b'\n');
            to.write_all(&line)?;
        }
        to.flush()
    }

    /// Writes one event; the stream also decides the processing time.
    pub(crate) fn event(&self, entry: &Entry, stream: bool, out: &mut Vec<u8>) {
        let deed = entry.deed;
        let form = Form(entry.form);
        let id = event_id(self.world, entry.serial);
        let broken = match deed.act {
            Act::Unusable(kind) => Some(kind),
            _ => None,
        };
        put(out, &["{"]);
        if broken != Some(0) {
            put(out, &[r#""id":""#, &id, r#"","#]);
        }
        put(out, &[r#""type":"events","attributes":{"time":""#]);
        if broken == Some(1) {
            put(out, &["yesterday, about noon"]);
        } else {
            time(deed.at, form.is_exact(), out);
        }
        if stream {
            put(out, &[r#"","processedAt":""#]);
            time(entry.processed, true, out);
        }
        let word = word_of(deed.act);
        if broken == Some(2) {
            put(out, &[r#"","action":null"#]);
        } else {
            put(out, &[r#"","action":""#, word.id, "\""]);
        }
        self.actor(entry, out);
        self.matter(deed.act, form, out);
        self.location(entry, out);
        put(out, &["}"]);
        if !form.lacks_links() {
            put(out, &[&self.links, &id, r#""}"#]);
        }
        put(
            out,
            &[r#","relations":null,"message":{"content":""#, word.name],
        );
        self.object(deed.act, out);
        put(out, &[r#"","format":"simple"}}"#]);
    }

    /// Who did it, and how that was proved.
    fn actor(&self, entry: &Entry, out: &mut Vec<u8>) {
        let actor = match entry.deed.doer {
            Doer::System => SYSTEM,
            Doer::Integration => &self.integration,
            Doer::Person(number) => self
                .world
                .people
                .get(number)
                .map_or("{\"id\":\"unknown\"", |person| &person.actor),
        };
        let person = matches!(entry.deed.doer, Doer::Person(_));
        let auth = match entry.deed.way {
            Way::Browser if person && Form(entry.form).names_session() => {
                r#","auth":{"authType":"session"}}"#
            }
            Way::Browser => "}",
            Way::Token => {
                r#","auth":{"authType":"api-token","tokenId":"token-0001","tokenLabel":"reporting"}}"#
            }
            Way::App => r#","auth":{"authType":"auth-token-for-2LO","tokenId":"token-0002"}}"#,
        };
        put(out, &[r#","actor":"#, actor, auth]);
    }

    /// Where it was done from; sometimes in part, sometimes not at all.
    fn location(&self, entry: &Entry, out: &mut Vec<u8>) {
        let Doer::Person(number) = entry.deed.doer else {
            return;
        };
        let Some(person) = self.world.people.get(number) else {
            return;
        };
        let [country, region, city] = person.place.names;
        let place = [
            r#""countryName":""#,
            country,
            r#"","regionName":""#,
            region,
            r#"","city":""#,
            city,
            r#""}"#,
        ];
        match Form(entry.form).location() {
            0 => {}
            1 => {
                put(out, &[r#","location":{"#]);
                put(out, &place);
            }
            2 => put(
                out,
                &[r#","location":{"ip":"","countryName":"","regionName":"","city":""}"#],
            ),
            _ => {
                put(
                    out,
                    &[r#","location":{"ip":""#, address(person, number, entry)],
                );
                put(out, &[r#"","geo":"","#]);
                put(out, &place);
            }
        }
    }

    /// What the message says it was done to, after the verb.
    fn object(&self, act: Act, out: &mut Vec<u8>) {
        let wiki = &self.world.wiki;
        let name = match act {
            Act::Viewed(page) | Act::PostViewed(page) | Act::Created(page) | Act::Updated(page) => {
                wiki.pages.get(index(page)).map(|page| page.title.as_str())
            }
            Act::SpaceExported(space) | Act::PermissionAdded(space) => wiki
                .spaces
                .get(index(space))
                .map(|space| space.name.as_str()),
            Act::Joined(change) | Act::Left(change) => self
                .world
                .people
                .change(change)
                .map(|(_, group)| group.name),
            _ => None,
        };
        if let Some(name) = name {
            put(out, &[" ", name]);
        }
    }
}

/// The address that an event came from: the office or home by the day, somewhere else for a script.
fn address<'a>(person: &'a Person, number: u32, entry: &Entry) -> &'a str {
    let day = entry.deed.at.div_euclid(super::world::habits::DAY);
    match entry.deed.way {
        Way::Token | Way::App => SCRIPT_ADDRESS,
        Way::Browser if (day + i64::from(number)).rem_euclid(3) == 0 => &person.address,
        Way::Browser => person.place.office,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::WorldSettings;

    fn events(world: &World) -> Vec<serde_json::Value> {
        let mut bytes = Vec::new();
        world.write_access_ndjson(&mut bytes).unwrap();
        bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn views_come_in_three_shapes_and_each_names_the_page() {
        let world = World::new(WorldSettings::small(1));
        let ids: std::collections::HashSet<_> =
            world.pages().map(|(id, _)| id.to_owned()).collect();
        let mut shapes = [0; 3];
        for event in events(&world)
            .iter()
            .filter(|event| event["attributes"]["action"] == "confluence_page_viewed")
        {
            if event["id"].is_null()
                || event["attributes"]["context"].is_null()
                    && event["attributes"]["container"].is_null()
            {
                continue;
            }
            let attributes = &event["attributes"];
            let (object, site) = (&attributes["context"][0], &attributes["container"][0]);
            let within = site["attributes"]["contentId"]
                .as_str()
                .or_else(|| site["attributes"]["pageId"].as_str());
            let link = site["links"]["alt"].as_str().unwrap_or_default();
            let (shape, page) = match (object["id"].as_str(), within) {
                (Some(id), _) => (0, id),
                (None, Some(id)) => (1, id),
                _ if link.contains("pageId=") => (2, link.rsplit('=').next().unwrap()),
                _ => (2, link.rsplit('/').nth(1).unwrap()),
            };
            shapes[shape] += 1;
            assert!(ids.contains(page), "{event}");
        }
        assert!(shapes.iter().all(|shape| *shape > 500), "{shapes:?}");
    }

    #[test]
    fn optional_things_are_missing_at_times() {
        let world = World::new(WorldSettings::small(1));
        let events = events(&world);
        let people = || {
            events
                .iter()
                .filter(|event| event["attributes"]["actor"]["email"].is_string())
        };
        assert!(people().any(|event| event["attributes"]["location"].is_null()));
        assert!(
            people().any(|event| event["attributes"]["location"]["city"].is_string()
                && event["attributes"]["location"]["ip"].is_null())
        );
        assert!(people().any(|event| event["links"].is_null()));
        assert!(people().any(|event| event["attributes"]["context"].is_null()));
        assert!(
            people().any(|event| event["attributes"]["actor"]["auth"]["authType"] == "api-token")
        );
        let times = || {
            events
                .iter()
                .filter_map(|event| event["attributes"]["time"].as_str())
        };
        assert!(times().any(|time| time.contains('.')) && times().any(|time| !time.contains('.')));
    }

    #[test]
    fn titles_survive_their_quotes() {
        let world = World::new(WorldSettings::default());
        assert!(
            world
                .wiki
                .pages
                .iter()
                .any(|page| page.title.contains("\\\"Quoted\\\""))
        );
    }
}
