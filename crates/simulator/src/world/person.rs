//! One who has an account: name, place, habits.

use std::ops::Range;

use super::dice::{Dice, count, index};
use super::settings::WorldSettings;
use super::wiki::{Wiki, escaped};
use pagewarden_core::model::AccountId;

/// How somebody reads, on an ordinary day.
#[derive(Debug, Clone)]
pub(crate) struct Habit {
    /// The probability of reading anything on a working day.
    pub(crate) workday: f64,
    /// The same at a weekend.
    pub(crate) weekend: f64,
    /// The mean number of sessions on a day with any.
    pub(crate) sessions: f64,
    /// The mean number of pages in a session.
    pub(crate) size: f64,
    /// The most pages in a session.
    pub(crate) most: u32,
    /// The probability that a session is a long read of 15 to 30 pages.
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
    pub(super) fn new(number: u32, settings: &WorldSettings, wiki: &Wiki, cloud: &str) -> Self {
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
        let size = dice.log_normal(2.6, 0.35).clamp(1.3, 6.0);
        Self {
            workday: dice.between(0.55, 0.95),
            weekend: if dice.chance(0.1) { 0.15 } else { 0.015 },
            // Nobody reads more than so much a day, week after week.
            sessions: dice.log_normal(2.0, 0.65).clamp(0.3, 18.0 / size),
            size,
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
    pub(super) const fn light() -> Self {
        Self {
            workday: 0.8,
            weekend: 0.02,
            sessions: 1.1,
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
    pub(super) fn weekly(&self) -> f64 {
        (5.0 * self.workday + 2.0 * self.weekend) * self.sessions * self.size
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
