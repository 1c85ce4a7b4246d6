//! Who has an account: habits, places, groups and roles.

use std::ops::Range;

use super::dice::{Dice, count, index};
use super::settings::WorldSettings;
use super::wiki::{Wiki, escaped};
use crate::model::AccountId;

/// How somebody reads, on an ordinary day.
#[derive(Debug, Clone)]
pub(crate) struct Habit {
    /// The probability of reading anything on a working day.
    pub(crate) workday: f64,
    /// The same at a weekend.
    pub(crate) weekend: f64,
    /// The mean number of sittings on a day with any.
    pub(crate) sittings: f64,
    /// The mean number of pages in a sitting.
    pub(crate) size: f64,
    /// The most pages in a sitting.
    pub(crate) most: u32,
    /// The probability that a sitting is a long read of 15 to 30 pages.
    pub(crate) deep: f64,
    /// The share of reads that go to a favourite.
    pub(crate) revisit: f64,
    /// The mean number of issues opened in a day.
    pub(crate) issues: f64,
    /// The probability that a page that was read is edited.
    pub(crate) edits: f64,
    /// Whether a small script of their own fetches two or three favourites on working days.
    pub(crate) job: bool,
}

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// The account.
    pub(crate) account: AccountId,
    /// The display name.
    pub(crate) name: String,
    /// The e-mail address.
    pub(crate) email: String,
    /// The beginning of the actor of an event, up to and without its closing brace.
    pub(crate) actor: String,
    /// The place worked from: offset to UTC in minutes, and what a location says.
    pub(crate) place: &'static Place,
    /// The address at home.
    pub(crate) address: String,
    /// The space that most of the reading is in, and two that some of it is in.
    pub(crate) homes: [u32; 3],
    /// Pages that are opened again and again.
    pub(crate) favourites: Vec<u32>,
    /// How they read.
    pub(crate) habit: Habit,
    /// The first day with an account.
    pub(crate) started: u32,
    /// The days of a holiday; empty for most.
    pub(crate) away: Range<u32>,
    /// Platform roles, as the directory spells them.
    pub(crate) roles: Vec<&'static str>,
}

/// A place that people work from.
#[derive(Debug)]
pub(crate) struct Place {
    /// Minutes east of UTC.
    pub(crate) zone: i32,
    /// The office's address.
    pub(crate) office: &'static str,
    /// Country, region, city.
    pub(crate) names: [&'static str; 3],
    /// The name of the time zone.
    pub(crate) zone_name: &'static str,
}

/// The places, with the number of people in sixteen.
static PLACES: [(u32, Place); 3] = [
    (
        8,
        Place {
            zone: 120,
            office: "203.0.113.10",
            names: ["Germany", "Berlin", "Berlin"],
            zone_name: "Europe/Berlin",
        },
    ),
    (
        5,
        Place {
            zone: -240,
            office: "203.0.113.20",
            names: ["United States", "New York", "New York"],
            zone_name: "America/New_York",
        },
    ),
    (
        3,
        Place {
            zone: 330,
            office: "203.0.113.30",
            names: ["India", "Karnataka", "Bengaluru"],
            zone_name: "Asia/Kolkata",
        },
    ),
];

/// Given names.
const GIVEN: [&str; 48] = [
    "Ada", "Alan", "Amina", "Anders", "Anja", "Arun", "Beatriz", "Bela", "Carla", "Chen", "Dana",
    "David", "Divya", "Elif", "Emil", "Eva", "Farid", "Fiona", "Goran", "Grace", "Hana", "Hugo",
    "Ines", "Ivan", "Jana", "Jin", "Kamal", "Katja", "Lars", "Leila", "Luis", "Maja", "Marek",
    "Meera", "Nadia", "Niels", "Olga", "Omar", "Paula", "Pavel", "Rosa", "Sami", "Tara", "Tomas",
    "Uma", "Viktor", "Wanda", "Yusuf",
];

/// Family names that nobody bears.
const FAMILY: [&str; 12] = [
    "Example",
    "Sample",
    "Specimen",
    "Muster",
    "Beispiel",
    "Exemple",
    "Ejemplo",
    "Esempio",
    "Voorbeeld",
    "Exempel",
    "Placeholder",
    "O'Example",
];

/// A UUID of a seed and labels.
pub(crate) fn uuid(seed: u64, labels: &[u64]) -> String {
    let mut dice = Dice::of(seed, labels);
    let (high, low) = (dice.word(), dice.word());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 48) & 0x3fff,
        low & 0xffff_ffff_ffff
    )
}

impl Person {
    /// Somebody of a number, with habits.
    fn new(number: u32, settings: &WorldSettings, wiki: &Wiki, cloud: &str) -> Self {
        let mut dice = Dice::of(settings.seed, &[2, u64::from(number)]);
        let (given, family) = name_of(number);
        let turn = number / count(GIVEN.len() * FAMILY.len());
        let (name, email) = if turn == 0 {
            (
                format!("{given} {family}"),
                format!("{given}.{family}@acme.example"),
            )
        } else {
            (
                format!("{given} {family} {turn}"),
                format!("{given}.{family}{turn}@acme.example"),
            )
        };
        let email = email.to_lowercase().replace('\'', "");
        let account = account_of(number, settings.seed, &mut dice);
        let homes = [
            wiki.a_space(&mut dice),
            wiki.a_space(&mut dice),
            wiki.a_space(&mut dice),
        ];
        let favourites = (0..6 + dice.below(14))
            .map(|_| wiki.a_page_of(homes[0], &mut dice))
            .collect();
        let days = settings.days();
        let mut person = Self {
            actor: actor_of(&account, &name, &email, cloud),
            account: AccountId::new(account),
            name,
            email,
            place: place(&mut dice),
            address: address(number),
            homes,
            favourites,
            habit: Habit::new(&mut dice),
            started: 0,
            away: 0..0,
            roles: Vec::new(),
        };
        if dice.chance(0.07) {
            let first = settings.week(2).max(1);
            person.started = first + dice.below(settings.week(5).saturating_sub(first));
            person.started -= (person.started % 7).saturating_sub(4);
        } else if dice.chance(0.35) {
            let from = dice.below(days);
            person.away = from..from + 5 + dice.below(10);
        }
        person
    }

    /// Whether they have an account and are not on holiday.
    pub(crate) fn is_there(&self, day: u32) -> bool {
        self.started <= day && !self.away.contains(&day)
    }
}

impl Habit {
    /// Habits of anybody: heavy and light readers differ by ten to twenty times.
    fn new(dice: &mut Dice) -> Self {
        Self {
            workday: dice.between(0.55, 0.95),
            weekend: if dice.chance(0.1) { 0.15 } else { 0.015 },
            sittings: dice.log_normal(2.0, 0.65).clamp(0.3, 9.0),
            size: dice.log_normal(2.6, 0.35).clamp(1.3, 6.0),
            most: 32,
            deep: if dice.chance(0.3) { 0.008 } else { 0.002 },
            revisit: dice.between(0.3, 0.6),
            issues: if dice.chance(0.7) {
                dice.between(0.5, 5.0)
            } else {
                0.0
            },
            edits: dice.between(0.01, 0.08),
            job: dice.chance(0.015),
        }
    }

    /// The habits of an administrator: ordinary, light, and never a long read.
    const fn light() -> Self {
        Self {
            workday: 0.8,
            weekend: 0.02,
            sittings: 1.1,
            size: 2.2,
            most: 8,
            deep: 0.0,
            revisit: 0.45,
            issues: 0.4,
            edits: 0.03,
            job: false,
        }
    }

    /// The mean number of pages read in a week, about.
    fn weekly(&self) -> f64 {
        (5.0 * self.workday + 2.0 * self.weekend) * self.sittings * self.size
    }
}

/// The name of a number: every pair once before any comes again.
fn name_of(number: u32) -> (&'static str, &'static str) {
    let given = GIVEN
        .get(index(number) % GIVEN.len())
        .copied()
        .unwrap_or_default();
    let family = FAMILY
        .get((index(number) / GIVEN.len()) % FAMILY.len())
        .copied()
        .unwrap_or_default();
    (given, family)
}

/// The account id of a number, in one of the shapes that old and new tenants have.
fn account_of(number: u32, seed: u64, dice: &mut Dice) -> String {
    let id = uuid(seed, &[3, u64::from(number)]);
    match dice.below(10) {
        0 => id.replace('-', "").chars().take(24).collect(),
        1 | 2 => format!("557058:{id}"),
        _ => format!("712020:{id}"),
    }
}

/// The beginning of an actor, without its closing brace.
fn actor_of(account: &str, name: &str, email: &str, cloud: &str) -> String {
    let name = escaped(name);
    format!(
        r#"{{"id":"{account}","name":"{name}","email":"{email}","links":{{"alt":"https://admin.atlassian.com/s/{cloud}/users/{account}","self":"https://api.atlassian.com/users/{account}/manage/profile"}}"#
    )
}

/// One of the places.
fn place(dice: &mut Dice) -> &'static Place {
    let total: u32 = PLACES.iter().map(|(share, _)| share).sum();
    let mut level = dice.below(total);
    let [(_, first), ..] = &PLACES;
    for (share, place) in &PLACES {
        if level < *share {
            return place;
        }
        level -= share;
    }
    first
}

/// An address at home, out of the blocks kept for documentation.
fn address(number: u32) -> String {
    let last = 1 + (number / 3) % 254;
    match number % 3 {
        0 => format!("198.51.100.{last}"),
        1 => format!("192.0.2.{last}"),
        _ => format!("2001:db8:{:x}::{last:x}", number / 762),
    }
}

/// A group of accounts.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: &'static str,
    /// The permission levels on the site that it gives.
    pub(crate) access: &'static [&'static str],
}

/// The groups by name, with the permission levels that they give. The order is that of the numbers below.
const GROUPS: [(&str, &[&str]); 11] = [
    ("confluence-users-acme", &["user"]),
    ("site-admins", &["user", "admin", "site-admin"]),
    ("confluence-admins-acme", &["user", "admin"]),
    ("org-admins", &[]),
    ("jira-users-acme", &[]),
    ("jira-admins-acme", &[]),
    ("engineering", &["user"]),
    ("sales", &["user"]),
    ("operations", &["user"]),
    ("confluence-guests-acme", &[]),
    ("atlassian-addons", &["user"]),
];

/// The number of the group that everybody is in.
const EVERYBODY: u32 = 0;
/// The number of the group of site administrators.
pub(crate) const SITE_ADMINS: u32 = 1;
/// The number of the group of Confluence administrators.
pub(crate) const CONFLUENCE_ADMINS: u32 = 2;
/// The number of the group that the organisation's administrators are in.
const ORG_ADMINS: u32 = 3;
/// The numbers of groups that give nothing in particular.
pub(crate) const ORDINARY_GROUPS: [u32; 4] = [4, 6, 7, 8];

/// Somebody joined or left a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberChange {
    /// When, in milliseconds since 1970.
    pub(crate) at: i64,
    /// Whose doing it was.
    pub(crate) by: u32,
    /// Who joined or left.
    pub(crate) person: u32,
    /// Which group.
    pub(crate) group: u32,
    /// Whether they joined.
    pub(crate) joined: bool,
}

/// The administrators, by their numbers among the people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admins {
    /// Administrators at the beginning: by role three, then by group four.
    pub(crate) first: [u32; 7],
    /// Who is added to a group of administrators.
    pub(crate) joins: u32,
    /// Who browses one day.
    pub(crate) browses: u32,
}

impl Admins {
    /// Who is removed from a group of administrators.
    pub(crate) const fn leaves(&self) -> u32 {
        let [.., last] = self.first;
        last
    }

    /// Whether somebody is an administrator at any time.
    pub(crate) fn include(&self, person: u32) -> bool {
        self.first.contains(&person) || self.joins == person
    }
}

/// Everybody, and who is what.
#[derive(Debug, Clone)]
pub(crate) struct People {
    /// Everybody with an account, newcomers included.
    pub(crate) all: Vec<Person>,
    /// The groups.
    pub(crate) groups: Vec<Group>,
    /// Who is in which group at the beginning (newcomers: from their first day on), sorted.
    members: Vec<(u32, u32)>,
    /// Who joined or left later, in order of time.
    pub(crate) changes: Vec<MemberChange>,
    /// The administrators.
    pub(crate) admins: Admins,
}

impl People {
    /// The people of a seed.
    pub(crate) fn new(settings: &WorldSettings, wiki: &Wiki, cloud: &str) -> Self {
        let number = settings.people.max(16);
        let mut all: Vec<Person> = (0..number)
            .map(|number| Person::new(number, settings, wiki, cloud))
            .collect();
        let groups = GROUPS
            .iter()
            .zip(0_u64..)
            .map(|((name, access), number)| Group {
                id: uuid(settings.seed, &[4, number]),
                name,
                access,
            });
        let mut dice = Dice::of(settings.seed, &[5]);
        let admins = appoint(&mut all, &mut dice);
        let mut members: Vec<(u32, u32)> = (0..number).map(|person| (EVERYBODY, person)).collect();
        for person in 0..number {
            let place = ORDINARY_GROUPS.get(index(dice.below(4))).copied();
            members.extend(place.map(|group| (group, person)));
        }
        let [org, _, _, a, b, c, d] = admins.first;
        members.extend([(ORG_ADMINS, org), (SITE_ADMINS, a), (SITE_ADMINS, b)]);
        members.extend([(CONFLUENCE_ADMINS, c), (CONFLUENCE_ADMINS, d)]);
        members.sort_unstable();
        Self {
            all,
            groups: groups.collect(),
            members,
            changes: Vec::new(),
            admins,
        }
    }

    /// Somebody by number.
    pub(crate) fn get(&self, person: u32) -> Option<&Person> {
        self.all.get(index(person))
    }

    /// Whether somebody is in a group at a moment.
    pub(crate) fn is_member(&self, person: u32, group: u32, at: i64) -> bool {
        self.changes
            .iter()
            .rfind(|change| change.at <= at && change.person == person && change.group == group)
            .map_or_else(
                || self.members.binary_search(&(group, person)).is_ok(),
                |change| change.joined,
            )
    }

    /// Ordinary people whose reading is light to median, who were there from the beginning and on all of some days.
    pub(crate) fn ordinary(&self, days: &Range<u32>) -> Vec<u32> {
        let mut rates: Vec<f64> = self
            .all
            .iter()
            .map(|person| person.habit.weekly())
            .collect();
        rates.sort_unstable_by(f64::total_cmp);
        let quantile = |of_ten: usize| {
            rates
                .get(rates.len() * of_ten / 10)
                .copied()
                .unwrap_or_default()
        };
        let (light, median) = (quantile(2), quantile(6));
        (0_u32..)
            .zip(&self.all)
            .filter(|(number, person)| {
                !self.admins.include(*number)
                    && person.started == 0
                    && !person.habit.job
                    && (light..=median).contains(&person.habit.weekly())
                    && (person.away.end <= days.start || days.end <= person.away.start)
            })
            .map(|(number, _)| number)
            .collect()
    }
}

/// Makes eight of the people administrators, with the habits of such.
fn appoint(all: &mut [Person], dice: &mut Dice) -> Admins {
    let mut numbers: Vec<u32> = (0..count(all.len())).collect();
    for last in (1..numbers.len()).rev() {
        numbers.swap(last, index(dice.below(count(last) + 1)));
    }
    let mut chosen = [0_u32; 8];
    for (place, number) in chosen.iter_mut().zip(&numbers) {
        *place = *number;
        if let Some(person) = all.get_mut(index(*number)) {
            person.habit = Habit::light();
            person.started = 0;
            person.away = 0..0;
        }
    }
    let [org, site, access, a, b, c, d, joins] = chosen;
    for (number, role) in [
        (org, "atlassian/org-admin"),
        (site, "atlassian/site-admin"),
        (access, "atlassian/user-access-admin"),
    ] {
        if let Some(person) = all.get_mut(index(number)) {
            person.roles.push(role);
        }
    }
    let browses = if dice.chance(0.5) { site } else { a };
    Admins {
        first: [org, site, access, a, b, c, d],
        joins,
        browses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(settings: &WorldSettings) -> People {
        People::new(settings, &Wiki::new(settings), "cloud")
    }

    #[test]
    fn no_two_people_share_an_account_a_name_or_an_address_of_mail() {
        let people = people(&WorldSettings {
            people: 1_300,
            ..WorldSettings::default()
        });
        let all: [fn(&Person) -> String; 3] = [
            |p| p.account.to_string(),
            |p| p.name.clone(),
            |p| p.email.clone(),
        ];
        for word in all {
            let words: std::collections::HashSet<_> = people.all.iter().map(word).collect();
            assert_eq!(words.len(), 1_300);
        }
    }

    #[test]
    fn heavy_readers_read_ten_to_twenty_times_as_much_as_light_ones() {
        let people = people(&WorldSettings::default());
        let mut rates: Vec<f64> = people
            .all
            .iter()
            .map(|person| person.habit.weekly())
            .collect();
        rates.sort_unstable_by(f64::total_cmp);
        let ratio = rates[285] / rates[15];
        assert!((8.0..25.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn newcomers_start_on_a_working_day_in_the_second_to_fourth_week() {
        let people = people(&WorldSettings::default());
        let started: Vec<u32> = people
            .all
            .iter()
            .map(|person| person.started)
            .filter(|day| *day > 0)
            .collect();
        assert!(started.len() > 8, "{}", started.len());
        assert!(
            started
                .iter()
                .all(|day| (7..28).contains(day) && day % 7 < 5),
            "{started:?}"
        );
    }

    #[test]
    fn a_change_of_membership_holds_from_its_moment_on() {
        let mut people = people(&WorldSettings::small(1));
        let who = people.admins.joins;
        people.changes.push(MemberChange {
            at: 50,
            by: 0,
            person: who,
            group: SITE_ADMINS,
            joined: true,
        });
        assert!(!people.is_member(who, SITE_ADMINS, 49));
        assert!(people.is_member(who, SITE_ADMINS, 50));
    }
}
