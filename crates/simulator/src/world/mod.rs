//! A tenant as it is: a wiki, people with habits, what they did, and who hides among them.
//!
//! Pure and made from a seed: no clock, no network. Its people know nothing of the detector. The facts are kept compact;
//! [`render`](super::render) writes them as Atlassian would.

pub(crate) mod audit;
pub(crate) mod dice;
pub(crate) mod habits;
pub(crate) mod log;
pub(crate) mod people;
pub(crate) mod person;
pub(crate) mod planted;
pub(crate) mod settings;
pub(crate) mod wiki;

use chrono::{DateTime, Utc};

use self::audit::{Notes, Record};
use self::dice::count;
use self::habits::Stage;
pub use self::log::Counts;
use self::log::{Deed, Entry, deliver};
use self::people::{CONFLUENCE_ADMINS, People, SITE_ADMINS};
use self::person::uuid;
pub use self::planted::Planted;
pub use self::settings::WorldSettings;
use self::wiki::Wiki;
use pagewarden_core::model::AccountId;

/// The site that exports name.
pub const SITE: &str = "https://acme.atlassian.net";

/// A tenant as it is, whole.
#[derive(Debug)]
pub struct World {
    /// What it was made from.
    settings: WorldSettings,
    /// What there is to read.
    pub(crate) wiki: Wiki,
    /// Who is there.
    pub(crate) people: People,
    /// The deliveries of the organisation's log, in processing order.
    pub(crate) log: Vec<Entry>,
    /// The records of the site audit log, oldest first.
    pub(crate) records: Vec<Record>,
    /// How many of the records are twins of another.
    twins: u32,
    /// What was hidden.
    truth: Vec<Planted>,
    /// The id of the organisation.
    org: String,
    /// The id of the site.
    cloud: String,
}

impl World {
    /// Makes the world of these settings.
    pub fn new(settings: WorldSettings) -> Self {
        let (org, cloud) = (uuid(settings.seed, &[90]), uuid(settings.seed, &[91]));
        let wiki = Wiki::new(&settings);
        let mut people = People::new(&settings, &wiki, &cloud);
        people.changes = Stage {
            settings: &settings,
            wiki: &wiki,
            people: &people,
        }
        .memberships();
        let stage = Stage {
            settings: &settings,
            wiki: &wiki,
            people: &people,
        };
        let mut deeds: Vec<Deed> = Vec::new();
        let mut notes = Notes::new(settings.seed, settings.twins);
        for (person, number) in people.all.iter().zip(0..) {
            stage.live(number, person, &mut deeds);
        }
        stage.index_by_night(&mut deeds);
        stage.work_of_the_site(&mut deeds);
        stage.administer(&mut deeds, &mut notes);
        let truth = if settings.planted {
            stage.plant(&mut deeds, &mut notes)
        } else {
            Vec::new()
        };
        let span = settings.start_ms()..settings.end().timestamp_millis();
        deeds.retain(|deed| span.contains(&deed.at));
        let log = deliver(deeds, &settings);
        let twins = notes.twinned;
        Self {
            wiki,
            people,
            log,
            records: notes.in_order(),
            twins,
            truth,
            org,
            cloud,
            settings,
        }
    }

    /// What it was made from.
    pub const fn settings(&self) -> &WorldSettings {
        &self.settings
    }

    /// What was hidden from the program.
    pub fn truth(&self) -> &[Planted] {
        &self.truth
    }

    /// How many of what both logs hold.
    pub fn counts(&self) -> Counts {
        Counts {
            audit: count(self.records.len()),
            twins: self.twins,
            ..Counts::of(self.log.iter())
        }
    }

    /// How many of what both logs show at a moment; twins are part of the whole only and left at nothing here.
    pub fn counts_until(&self, now: DateTime<Utc>) -> Counts {
        let (entries, records) = self.shown(now.timestamp_millis());
        Counts {
            audit: count(records.len()),
            ..Counts::of(entries.iter())
        }
    }

    /// What both logs show at a moment (in milliseconds).
    pub(crate) fn shown(&self, now: i64) -> (&[Entry], &[Record]) {
        let entries = self.log.partition_point(|entry| entry.processed <= now);
        let records = self.records.partition_point(|record| record.at <= now);
        (
            self.log.get(..entries).unwrap_or_default(),
            self.records.get(..records).unwrap_or_default(),
        )
    }

    /// The first whole second at which everything has happened and been processed.
    pub fn until(&self) -> DateTime<Utc> {
        let processed = self
            .log
            .last()
            .map_or(0, |entry| entry.processed.div_euclid(1_000) + 1);
        pagewarden_core::time::moment(processed.max(self.settings.end().timestamp()))
    }

    /// The id of the organisation.
    pub fn org_id(&self) -> &str {
        &self.org
    }

    /// The id of the site.
    pub fn cloud_id(&self) -> &str {
        &self.cloud
    }

    /// Every account of a person, newcomers included.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.people.all.iter().map(|person| &person.account)
    }

    /// Who is an administrator at a moment, by platform role or by group.
    pub fn administrators(&self, at: DateTime<Utc>) -> Vec<&AccountId> {
        let at = at.timestamp_millis();
        let by_group = |person| {
            [SITE_ADMINS, CONFLUENCE_ADMINS]
                .iter()
                .any(|group| self.people.is_member(person, *group, at))
        };
        (0..)
            .zip(&self.people.all)
            .filter(|(number, person)| !person.roles.is_empty() || by_group(*number))
            .map(|(_, person)| &person.account)
            .collect()
    }

    /// The pages by id and space key, the popular spaces first.
    pub fn pages(&self) -> impl Iterator<Item = (&str, &str)> {
        self.wiki
            .spaces
            .iter()
            .flat_map(|space| {
                space
                    .pages
                    .clone()
                    .map(move |page| (page, space.key.as_str()))
            })
            .filter_map(|(page, key)| {
                Some((self.wiki.pages.get(dice::index(page))?.id.as_str(), key))
            })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashSet};

    use super::log::{Act, Doer};
    use super::person::Person;
    use super::*;

    fn ndjson(settings: WorldSettings) -> Vec<u8> {
        let world = World::new(settings);
        let mut bytes = Vec::new();
        world.write_access_ndjson(&mut bytes).unwrap();
        world.write_audit_ndjson(&mut bytes).unwrap();
        bytes.extend(world.roster_json(world.until()).to_string().into_bytes());
        bytes
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
        let first = ndjson(WorldSettings::small(5));
        assert!(first == ndjson(WorldSettings::small(5)));
        assert!(first != ndjson(WorldSettings::small(6)));
    }

    #[test]
    fn five_bulk_collections_hide_in_five_accounts_of_which_one_is_an_administrator() {
        for seed in 1..=20 {
            let world = World::new(WorldSettings::small(seed));
            let names: Vec<_> = world.truth().iter().map(|planted| planted.name).collect();
            assert_eq!(
                names,
                [
                    "script",
                    "patient-collection",
                    "slow-collection",
                    "admin-browsing",
                    "space-export"
                ]
            );
            let accounts: BTreeSet<_> = world
                .truth()
                .iter()
                .map(|planted| &planted.account)
                .collect();
            assert_eq!(accounts.len(), 5);
            for planted in world.truth() {
                let admin = world
                    .administrators(planted.from)
                    .contains(&&planted.account);
                assert_eq!(admin, planted.name == "admin-browsing", "{planted:?}");
                assert!(
                    world.settings.start <= planted.from && planted.until <= world.settings.end()
                );
            }
        }
    }

    #[test]
    fn an_export_holds_as_many_distinct_ids_as_the_counts_say() {
        let world = World::new(WorldSettings::small(3));
        let mut bytes = Vec::new();
        world.write_access_ndjson(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (mut ids, mut unusable, mut lines) = (HashSet::new(), 0, 0);
        for line in text.lines() {
            lines += 1;
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let attributes = &event["attributes"];
            let time = attributes["time"].as_str().unwrap_or_default();
            match (
                event["id"].as_str(),
                attributes["action"].as_str(),
                DateTime::parse_from_rfc3339(time),
            ) {
                (Some(id), Some(_), Ok(_)) => {
                    ids.insert(id.to_owned());
                }
                _ => unusable += 1,
            }
        }
        let counts = world.counts();
        assert_eq!(
            (count(ids.len()), unusable, lines),
            (counts.events, counts.unusable, counts.delivered())
        );
    }

    #[test]
    fn twins_of_the_audit_log_are_equal_in_every_byte() {
        let world = World::new(WorldSettings::small(3));
        let mut bytes = Vec::new();
        world.write_audit_ndjson(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let distinct: HashSet<_> = lines.iter().collect();
        let counts = world.counts();
        assert_eq!(count(lines.len()), counts.audit);
        assert!(counts.twins > 0);
        assert_eq!(count(lines.len() - distinct.len()), counts.twins);
    }

    #[test]
    fn membership_changes_are_reported_in_both_logs() {
        let world = World::new(WorldSettings::default());
        let joined = world.people.admins.joins;
        let account = &world.people.all[dice::index(joined)].account;
        assert!(
            !world
                .administrators(world.settings.start)
                .contains(&account)
        );
        assert!(world.administrators(world.until()).contains(&account));
        let events = world.log.iter().filter(|entry| {
            !entry.repeat && matches!(entry.deed.act, Act::Joined(_) | Act::Left(_))
        });
        let mut records: Vec<_> = world
            .records
            .iter()
            .filter(|r| matches!(r.note, audit::Note::Membership(_)))
            .collect();
        records.dedup();
        assert_eq!(events.count(), records.len());
        assert_eq!(records.len(), world.people.changes.len());
    }

    /// Pages a session of every person, without what was planted, and the same per day.
    fn readings(world: &World) -> (Vec<usize>, Vec<usize>) {
        let hidden: HashSet<u32> = (0..)
            .zip(&world.people.all)
            .filter(|(_, person): &(u32, &Person)| {
                world
                    .truth
                    .iter()
                    .any(|planted| planted.account == person.account)
            })
            .map(|(number, _)| number)
            .collect();
        let mut reads: BTreeMap<u32, Vec<(i64, u32)>> = BTreeMap::new();
        for entry in world.log.iter().filter(|entry| !entry.repeat) {
            if let (Doer::Person(person), Act::Viewed(page)) = (entry.deed.doer, entry.deed.act)
                && !hidden.contains(&person)
            {
                reads.entry(person).or_default().push((entry.deed.at, page));
            }
        }
        let (mut sessions, mut days) = (Vec::new(), Vec::new());
        for mut views in reads.into_values() {
            views.sort_unstable();
            let mut pages = HashSet::new();
            let mut by_day: BTreeMap<i64, HashSet<u32>> = BTreeMap::new();
            let mut last = views[0].0;
            for (at, page) in views {
                if at - last > 1_800_000 {
                    sessions.push(std::mem::take(&mut pages).len());
                }
                last = at;
                pages.insert(page);
                by_day.entry(at / habits::DAY).or_default().insert(page);
            }
            sessions.push(pages.len());
            days.extend(by_day.values().map(HashSet::len));
        }
        sessions.sort_unstable();
        days.sort_unstable();
        (sessions, days)
    }

    #[test]
    fn a_world_has_about_as_many_events_as_were_asked_for() {
        for wanted in [50_000, 200_000] {
            let events = World::new(WorldSettings::of_events(wanted)).counts().events;
            assert!(
                (wanted * 9 / 10..wanted * 11 / 10).contains(&events),
                "{events} for {wanted}"
            );
        }
    }

    #[test]
    fn an_ordinary_world_has_the_size_and_the_tails_of_a_real_one() {
        let world = World::new(WorldSettings::default());
        let counts = world.counts();
        let (sessions, days) = readings(&world);
        let at = |of: &[usize], share: usize| of[of.len() * share / 1_000];
        println!("{counts:?}");
        for (name, of) in [("session", &sessions), ("day", &days)] {
            let mean = of.iter().sum::<usize>() * 100 / of.len();
            let tail = [500, 900, 990, 999].map(|share| at(of, share));
            println!(
                "pages a {name}: {} of them, mean {mean}/100, p50 p90 p99 p99.9 {tail:?}, most {:?}",
                of.len(),
                of.last()
            );
        }
        for planted in world.truth() {
            println!("{planted:?}");
        }
        let events = f64::from(counts.events);
        assert!((60_000.0..120_000.0).contains(&events), "{events}");
        assert!((0.6..0.85).contains(&(f64::from(counts.views) / events)));
        assert!(
            (10..=30).contains(&at(&sessions, 990)),
            "{}",
            at(&sessions, 990)
        );
    }
}
