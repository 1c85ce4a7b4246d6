//! Writes the facts of a world as Atlassian's logs would have them, byte for byte the same every time.

use std::io;

use super::words::word_of;
use super::world::World;
use super::world::audit::{Note, Record};
use super::world::dice::{Dice, index};
use super::world::log::{Act, Doer, Entry, Way};
use super::world::people::{Person, uuid};
use super::world::wiki::{Page, Space};

/// Writes records of one world as seen at one site.
#[derive(Debug)]
pub(crate) struct Pen<'w> {
    /// The world.
    world: &'w World,
    /// The origin of the site, as links have it.
    site: String,
    /// The container of everything that happened on the site, from its id up to its links.
    here: String,
    /// The actor of the integration, up to and without its closing brace.
    integration: String,
    /// The end of every event, up to its id.
    itself: String,
}

/// Appends texts to bytes.
pub(crate) fn put(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

/// The account of the integration.
pub(crate) fn integration_account(world: &World) -> String {
    format!("712020:{}", uuid(world.settings().seed, &[92]))
}

/// The id of the group of everything that the system does.
const SYSTEM: &str = r#"{"id":"confluence","name":"Confluence","email":"Atlassian app","picture":null,"links":{}"#;

/// Where the small scripts of people run.
const SCRIPT_ADDRESS: &str = "192.0.2.250";

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
            itself: format!(r#"{{"self":"https://api.atlassian.com/admin/v1/orgs/{org}/events/"#),
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

    /// Writes one event; the stream also tells when it was processed.
    pub(crate) fn event(&self, entry: &Entry, stream: bool, out: &mut Vec<u8>) {
        let deed = entry.deed;
        let form = Form(entry.form);
        let id = event_id(self.world, entry.serial);
        let broken = match deed.act {
            Act::Unusable(kind) => Some(kind),
            _ => None,
        };
        out.push(b'{');
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
            put(out, &[r#"","action":17"#]);
        } else {
            put(out, &[r#"","action":""#, word.id, "\""]);
        }
        self.actor(entry, out);
        self.matter(deed.act, form, out);
        self.location(entry, out);
        put(out, &["}"]);
        if !form.lacks_links() {
            put(out, &[r#","links":"#, &self.itself, &id, r#""}"#]);
        }
        put(out, &[r#","relations":null,"message":{"content":""#, word.name]);
        self.object(deed.act, out);
        put(out, &[r#"","format":"simple"}}"#]);
    }

    /// Who did it, and how that was proved.
    fn actor(&self, entry: &Entry, out: &mut Vec<u8>) {
        put(out, &[r#","actor":"#]);
        match entry.deed.doer {
            Doer::System => put(out, &[SYSTEM]),
            Doer::Integration => put(out, &[&self.integration]),
            Doer::Person(number) => {
                put(out, &[self.world.people.get(number).map_or("{\"id\":\"unknown\"", |person| &person.actor)]);
            }
        }
        match entry.deed.way {
            Way::Browser if Form(entry.form).names_session() && matches!(entry.deed.doer, Doer::Person(_)) => {
                put(out, &[r#","auth":{"authType":"session"}"#]);
            }
            Way::Browser => {}
            Way::Token => {
                put(out, &[r#","auth":{"authType":"api-token","tokenId":"token-0001","tokenLabel":"reporting"}"#]);
            }
            Way::App => put(out, &[r#","auth":{"authType":"auth-token-for-2LO","tokenId":"token-0002"}"#]),
        }
        out.push(b'}');
    }

    /// What it was done to, and where: `context` and `container`.
    fn matter(&self, act: Act, form: Form, out: &mut Vec<u8>) {
        let wiki = &self.world.wiki;
        match act {
            Act::Viewed(number)
            | Act::PostViewed(number)
            | Act::Created(number)
            | Act::Updated(number)
            | Act::PageExportDownloaded(number)
            | Act::RestrictionRemoved(number) => {
                if let (Some(page), Some(space)) = (wiki.pages.get(index(number)), wiki.space_of(number)) {
                    self.page(page, space, matches!(act, Act::PostViewed(_)), form, out);
                }
            }
            Act::IssueViewed(issue) | Act::IssueUpdated(issue) => {
                let (id, key) = ((280_000 + issue).to_string(), format!("WEB-{issue}"));
                put(out, &[r#","context":[],"container":["#, &self.here, r#","product":"software","issueId":""#, &id]);
                put(out, &[r#"","issueKeyOrId":""#, &key, r#""},"links":{"alt":""#, &self.site, "/browse/", &key]);
                put(out, &[r#""}}]"#]);
            }
            Act::PermissionAdded(number)
            | Act::SpaceExported(number)
            | Act::SpaceExportDownloaded(number)
            | Act::Rebuilt(number) => {
                if let Some(space) = wiki.spaces.get(index(number)) {
                    put(out, &[r#","context":[{"id":""#, &space.id, r#"","type":"space","attributes":{"spaceKey":""#]);
                    put(out, &[&space.key, r#"","name":""#, &space.name, r#""},"links":{"alt":""#, &self.site]);
                    put(out, &["/wiki/spaces/", &space.key, r#""}}]"#]);
                    self.container(out);
                }
            }
            Act::Joined(change) | Act::Left(change) => self.membership(change, out),
            Act::Invited(person) => {
                if let Some(person) = self.world.people.get(person) {
                    put(out, &[r#","context":["#]);
                    user(person, "invited-user", out);
                    out.push(b']');
                    self.container(out);
                }
            }
            Act::SignedIn | Act::SignInFailed | Act::SignedOut | Act::TokenCreated => {
                put(out, &[r#","context":[],"container":[]"#]);
            }
            Act::SettingsChanged | Act::UsersListed => {
                let org = self.world.org_id();
                put(out, &[r#","context":[],"container":[{"id":""#, org]);
                put(out, &[r#"","type":"orgs","attributes":{"name":"Acme"}}]"#]);
            }
            // Nothing but what every event has.
            Act::Strange(_) | Act::Unusable(_) => {}
        }
    }

    /// The site as a container, and nothing else.
    fn container(&self, out: &mut Vec<u8>) {
        put(out, &[r#","container":["#, &self.here, r#""},"links":{"alt":""#, &self.site, r#""}}]"#]);
    }

    /// A page in one of the three shapes: as an object, by ids in the attributes of the site, by its link alone.
    fn page(&self, page: &Page, space: &Space, post: bool, form: Form, out: &mut Vec<u8>) {
        match form.shape() {
            0 => {
                let kind = if post { "blog" } else { "page" };
                put(out, &[r#","context":[{"id":""#, &page.id, r#"","type":""#, kind]);
                put(out, &[r#"","attributes":{"title":""#, &page.title, r#"","spaceKey":""#, &space.key]);
                put(out, &[r#"","spaceId":""#, &space.id, r#""}"#]);
                if form.has_alt() {
                    put(out, &[r#","links":{"alt":""#]);
                    self.link(page, space, form, out);
                    put(out, &[r#""}"#]);
                }
                put(out, &["}]"]);
                self.container(out);
            }
            1 => {
                let name = if form.says_content() { "contentId" } else { "pageId" };
                put(out, &[r#","context":[],"container":["#, &self.here, r#","product":"confluence",""#, name]);
                put(out, &[r#"":""#, &page.id, r#"","spaceKey":""#, &space.key, r#""}"#]);
                if form.has_alt() {
                    put(out, &[r#","links":{"alt":""#]);
                    self.link(page, space, form, out);
                    put(out, &[r#""}"#]);
                }
                put(out, &["}]"]);
            }
            _ => {
                if !form.lacks_context() {
                    put(out, &[r#","context":[]"#]);
                }
                put(out, &[r#","container":["#, &self.here, r#""},"links":{"alt":""#]);
                self.link(page, space, form, out);
                put(out, &[r#""}}]"#]);
            }
        }
    }

    /// The link of a page, with or without its space.
    fn link(&self, page: &Page, space: &Space, form: Form, out: &mut Vec<u8>) {
        if form.has_old_link() {
            put(out, &[&self.site, "/wiki/pages/viewpage.action?pageId=", &page.id]);
        } else {
            put(out, &[&self.site, "/wiki/spaces/", &space.key, "/pages/", &page.id, "/", &page.slug]);
        }
    }

    /// Who joined or left which group.
    fn membership(&self, change: u32, out: &mut Vec<u8>) {
        let people = &self.world.people;
        let Some((change, group)) = people.change(change) else { return };
        let Some(person) = people.get(change.person) else { return };
        put(out, &[r#","context":[{"id":""#, &group.id, r#"","type":"groups","attributes":{"name":""#, group.name]);
        put(out, &[r#"","groupName":""#, group.name, r#""},"links":{"alt":"https://admin.atlassian.com/groups/"#]);
        put(out, &[&group.id, r#""}},"#]);
        user(person, "users", out);
        out.push(b']');
        self.container(out);
    }

    /// Where it was done from; sometimes in part, sometimes not at all.
    fn location(&self, entry: &Entry, out: &mut Vec<u8>) {
        let Doer::Person(number) = entry.deed.doer else { return };
        let Some(person) = self.world.people.get(number) else { return };
        let [country, region, city] = person.place.names;
        match Form(entry.form).location() {
            0 => {}
            1 => {
                put(out, &[r#","location":{"countryName":""#, country, r#"","regionName":""#, region]);
                put(out, &[r#"","city":""#, city, r#""}"#]);
            }
            2 => put(out, &[r#","location":{"ip":"","countryName":"","regionName":"","city":""}"#]),
            _ => {
                let address = address(person, number, entry);
                put(out, &[r#","location":{"ip":""#, address, r#"","geo":"","countryName":""#, country]);
                put(out, &[r#"","regionName":""#, region, r#"","city":""#, city, r#""}"#]);
            }
        }
    }

    /// What the message says it was done to, after the verb.
    fn object(&self, act: Act, out: &mut Vec<u8>) {
        let wiki = &self.world.wiki;
        match act {
            Act::Viewed(page) | Act::PostViewed(page) | Act::Created(page) | Act::Updated(page) => {
                if let Some(page) = wiki.pages.get(index(page)) {
                    put(out, &[" ", &page.title]);
                }
            }
            Act::SpaceExported(space) | Act::PermissionAdded(space) => {
                if let Some(space) = wiki.spaces.get(index(space)) {
                    put(out, &[" ", &space.name]);
                }
            }
            Act::Joined(change) | Act::Left(change) => {
                if let Some((_, group)) = self.world.people.change(change) {
                    put(out, &[" ", group.name]);
                }
            }
            _ => {}
        }
    }

    /// Writes one record of the site audit log.
    pub(crate) fn record(&self, record: &Record, out: &mut Vec<u8>) {
        let people = &self.world.people;
        let author = record.author.and_then(|number| Some((number, people.get(number)?)));
        put(out, &[r#"{"author":{"type":"user","displayName":""#]);
        match author {
            Some((_, person)) => {
                put(out, &[&person.name, r#"","operations":null,"username":"","userKey":"","accountId":""#]);
                put(out, &[person.account.as_str(), r#"","accountType":"","externalCollaborator":false,"#]);
                put(out, &[r#""isExternalCollaborator":false,"isGuest":false,"publicName":"Unknown user"}"#]);
            }
            None => put(out, &[r#"System","operations":null,"isExternalCollaborator":false}"#]),
        }
        let address = author.map_or("", |(_, person)| person.place.office);
        let sys_admin = author.is_some_and(|(number, _)| people.admins.include(number));
        put(out, &[r#","remoteAddress":""#, address, r#"","creationDate":"#, &record.at.to_string()]);
        let (summary, category) = summary(record.note, people.change_is_join(record.note));
        put(out, &[r#","summary":""#, summary, r#"","description":"","category":""#, category]);
        put(out, &[r#"","sysAdmin":"#, if sys_admin { "true" } else { "false" }, r#","superAdmin":false,"#]);
        self.affected(record.note, out);
        out.push(b'}');
    }

    /// What a record is about: the affected object, the changed values, the associated objects.
    fn affected(&self, note: Note, out: &mut Vec<u8>) {
        let (world, wiki) = (self.world, &self.world.wiki);
        let space = |number: u32| wiki.spaces.get(index(number)).map_or("", |space| &space.name);
        let account = |number: u32| world.people.get(number).map_or("", |person| person.account.as_str());
        let plain = |out: &mut Vec<u8>, name: &str, kind: &str| {
            put(out, &[r#""affectedObject":{"name":""#, name, r#"","objectType":""#, kind]);
            put(out, &[r#""},"changedValues":[],"associatedObjects":[]"#]);
        };
        match note {
            Note::SpaceCreated(number) | Note::LogoUploaded(number) | Note::SpaceExported(number) => {
                plain(out, space(number), "Space");
            }
            Note::SpaceConfigured(number) => {
                put(out, &[r#""affectedObject":{"name":""#, space(number), r#"","objectType":"Space"},"#]);
                put(out, &[r#""changedValues":[{"name":"Description","oldValue":"","newValue":"revised","#]);
                put(out, &[r#""hiddenOldValue":"","hiddenNewValue":""}],"associatedObjects":[]"#]);
            }
            Note::PermissionAdded { space: number, person } | Note::PermissionRemoved { space: number, person } => {
                let added = matches!(note, Note::PermissionAdded { .. });
                let (old, new) = if added { ("", "View") } else { ("View", "") };
                put(out, &[r#""affectedObject":{"name":""#, space(number), r#"","objectType":"Space"},"#]);
                put(out, &[r#""changedValues":[{"name":"Type","oldValue":""#, old, r#"","newValue":""#, new]);
                put(out, &[r#""}],"associatedObjects":[{"name":""#, account(person), r#"","objectType":"User"}]"#]);
            }
            Note::PageArchived(page) => {
                plain(out, wiki.pages.get(index(page)).map_or("", |page| &page.title), "Page");
            }
            Note::Membership(number) => self.membership_note(number, out),
            Note::UserCreated(person) | Note::UserUpdated(person) => plain(out, account(person), "User"),
            Note::Purged => plain(out, "", ""),
        }
    }

    /// A change of membership, in one of two shapes: joined as they were in 2022, left as they are in 2026.
    fn membership_note(&self, number: u32, out: &mut Vec<u8>) {
        let people = &self.world.people;
        let Some((change, group)) = people.change(number) else { return };
        let account = people.get(change.person).map_or("", |person| person.account.as_str());
        if change.joined {
            put(out, &[r#""affectedObject":{"name":""#, group.name, ":", &group.id, r#"","objectType":"Group"},"#]);
            put(out, &[r#""changedValues":[],"associatedObjects":[{"name":""#, account, r#"","objectType":"User"}]"#]);
        } else {
            put(out, &[r#""affectedObject":{"name":""#, &group.id, "; User: ", account, r#"","objectType":"Group"},"#]);
            put(out, &[r#""changedValues":[],"associatedObjects":[]"#]);
        }
    }
}

/// The summary and the category of a record.
const fn summary(note: Note, joined: bool) -> (&'static str, &'static str) {
    match note {
        Note::SpaceCreated(_) => ("Space created", "Spaces"),
        Note::SpaceConfigured(_) => ("Space configuration updated", "Spaces"),
        Note::LogoUploaded(_) => ("Space logo uploaded", "Spaces"),
        Note::SpaceExported(_) => ("Space exported", "Import/Export"),
        Note::PermissionAdded { .. } => ("Space permission added", "Permissions"),
        Note::PermissionRemoved { .. } => ("Space permission removed", "Permissions"),
        Note::PageArchived(_) => ("Page archived", "Page"),
        Note::Membership(_) if joined => ("User added to group", "Users and groups"),
        Note::Membership(_) => ("User removed from group", "Users and groups"),
        Note::UserCreated(_) => ("User created", "Users and groups"),
        Note::UserUpdated(_) => ("User details updated", "Users and groups"),
        Note::Purged => ("Audit log purged", "Auditing"),
    }
}

/// A person as an object of a context.
fn user(person: &Person, kind: &str, out: &mut Vec<u8>) {
    put(out, &[r#"{"id":""#, person.account.as_str(), r#"","type":""#, kind, r#"","attributes":{"name":""#]);
    put(out, &[&person.name, r#"","email":""#, &person.email, r#"","accountType":"atlassian"}}"#]);
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

/// The id of an event.
fn event_id(world: &World, serial: u32) -> String {
    let mut dice = Dice::of(world.settings().seed, &[93, u64::from(serial)]);
    let mut bytes = [0; 16];
    let (high, low) = (dice.word().to_be_bytes(), dice.word().to_be_bytes());
    for (to, from) in bytes.iter_mut().zip(high.into_iter().chain(low)) {
        *to = from;
    }
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let mut id = String::with_capacity(36);
    for (byte, place) in bytes.into_iter().zip(0..) {
        if matches!(place, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        id.push(hex(byte >> 4));
        id.push(hex(byte & 15));
    }
    id
}

/// A digit of a hexadecimal number.
const fn hex(digit: u8) -> char {
    match digit {
        0 => '0',
        1 => '1',
        2 => '2',
        3 => '3',
        4 => '4',
        5 => '5',
        6 => '6',
        7 => '7',
        8 => '8',
        9 => '9',
        10 => 'a',
        11 => 'b',
        12 => 'c',
        13 => 'd',
        14 => 'e',
        _ => 'f',
    }
}

/// Writes a moment as RFC 3339, with or without its milliseconds.
fn time(at: i64, exact: bool, out: &mut Vec<u8>) {
    let (seconds, millis) = (at.div_euclid(1_000), at.rem_euclid(1_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to a date, by Howard Hinnant's algorithm.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    digits(year, 1_000, out);
    out.push(b'-');
    digits(month, 10, out);
    out.push(b'-');
    digits(day, 10, out);
    out.push(b'T');
    digits(second / 3_600, 10, out);
    out.push(b':');
    digits(second / 60 % 60, 10, out);
    out.push(b':');
    digits(second % 60, 10, out);
    if exact {
        out.push(b'.');
        digits(millis, 100, out);
    }
    out.push(b'Z');
}

/// Writes the digits of a number, from the place of a power of ten on.
fn digits(number: i64, highest: i64, out: &mut Vec<u8>) {
    let mut place = highest;
    while place > 0 {
        out.push(b'0' + u8::try_from(number / place % 10).unwrap_or_default());
        place /= 10;
    }
}

/// The chance of one event for how it is written, a few bits for each question.
#[derive(Debug, Clone, Copy)]
struct Form(u32);

impl Form {
    /// In which of the three shapes a page is told.
    const fn shape(self) -> u32 {
        (self.0 & 0xff) % 3
    }

    /// Whether the time has milliseconds.
    const fn is_exact(self) -> bool {
        (self.0 >> 8) & 7 != 0
    }

    /// Location: 0 missing, 1 without an address, 2 of empty texts, else whole.
    const fn location(self) -> u32 {
        (self.0 >> 11) & 31
    }

    /// Whether the event lacks its links.
    const fn lacks_links(self) -> bool {
        (self.0 >> 18) & 15 == 0
    }

    /// Whether an attribute says `contentId` for `pageId`.
    const fn says_content(self) -> bool {
        (self.0 >> 22) & 1 == 0
    }

    /// Whether the link is the old one, without a space.
    const fn has_old_link(self) -> bool {
        (self.0 >> 23) & 3 == 0
    }

    /// Whether there is no context at all, not even an empty one.
    const fn lacks_context(self) -> bool {
        (self.0 >> 25) & 3 == 0
    }

    /// Whether there is a link beside the ids.
    const fn has_alt(self) -> bool {
        (self.0 >> 27) & 1 == 0
    }

    /// Whether a browser session is named as such.
    const fn names_session(self) -> bool {
        (self.0 >> 28) & 15 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::world::WorldSettings;

    fn events(world: &World) -> Vec<serde_json::Value> {
        let mut bytes = Vec::new();
        world.write_access_ndjson(&mut bytes).unwrap();
        bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    #[test]
    fn a_moment_is_written_as_chrono_writes_it() {
        for at in [0, 951_782_399_999, 951_868_800_000, 1_785_715_200_123, 4_102_444_799_001] {
            let moment = chrono::DateTime::from_timestamp_millis(at).unwrap();
            for (exact, form) in [(true, chrono::SecondsFormat::Millis), (false, chrono::SecondsFormat::Secs)] {
                let mut out = Vec::new();
                time(at, exact, &mut out);
                assert_eq!(String::from_utf8(out).unwrap(), moment.to_rfc3339_opts(form, true));
            }
        }
    }

    #[test]
    fn views_come_in_three_shapes_and_each_tells_the_page() {
        let world = World::new(WorldSettings::small(1));
        let ids: std::collections::HashSet<_> = world.pages().map(|(id, _)| id.to_owned()).collect();
        let mut shapes = [0; 3];
        for event in events(&world).iter().filter(|event| event["attributes"]["action"] == "confluence_page_viewed") {
            if event["id"].is_null() || event["attributes"]["context"].is_null() && event["attributes"]["container"].is_null() {
                continue;
            }
            let attributes = &event["attributes"];
            let (object, site) = (&attributes["context"][0], &attributes["container"][0]);
            let within = site["attributes"]["contentId"].as_str().or_else(|| site["attributes"]["pageId"].as_str());
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
        let people = || events.iter().filter(|event| event["attributes"]["actor"]["email"].is_string());
        assert!(people().any(|event| event["attributes"]["location"].is_null()));
        assert!(people().any(|event| event["attributes"]["location"]["city"].is_string() && event["attributes"]["location"]["ip"].is_null()));
        assert!(people().any(|event| event["links"].is_null()));
        assert!(people().any(|event| event["attributes"]["context"].is_null()));
        assert!(people().any(|event| event["attributes"]["actor"]["auth"]["authType"] == "api-token"));
        let times = || events.iter().filter_map(|event| event["attributes"]["time"].as_str());
        assert!(times().any(|time| time.contains('.')) && times().any(|time| !time.contains('.')));
    }

    #[test]
    fn ids_are_uuids_and_titles_survive_their_quotes() {
        let world = World::new(WorldSettings::default());
        let id = event_id(&world, 77);
        assert_eq!(crate::model::EventKey::of_id(&id).uuid(), id);
        assert!(world.wiki.pages.iter().any(|page| page.title.contains("\\\"Quoted\\\"")));
    }
}
