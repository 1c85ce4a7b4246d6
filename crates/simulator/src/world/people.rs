//! Everybody who has an account, and who is in which group and has which role when.

use std::ops::Range;

use super::dice::{Dice, count, index};
use super::person::{Habit, Person, uuid};
use super::settings::WorldSettings;
use super::wiki::Wiki;

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
