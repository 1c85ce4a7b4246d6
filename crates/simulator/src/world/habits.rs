//! Ordinary days: who reads what, when, and how long.

use super::dice::{Dice, index, millis, whole};
use super::log::{Act, Deed, Doer, Way};
use super::people::People;
use super::person::Person;
use super::settings::WorldSettings;
use super::wiki::Wiki;

/// Milliseconds in a day.
pub(crate) const DAY: i64 = 86_400_000;

/// Milliseconds in a minute.
pub(crate) const MINUTE: i64 = 60_000;

/// The first working days of a newcomer, on which more is read, and more of it new.
const FIRST_DAYS: u32 = 7;

/// Where and when everything happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    /// What the world is made from.
    pub(crate) settings: &'a WorldSettings,
    /// What there is to read.
    pub(crate) wiki: &'a Wiki,
    /// Who is there.
    pub(crate) people: &'a People,
}

impl Stage<'_> {
    /// A moment of somebody's own day, by the hour on their clock.
    pub(crate) fn moment(&self, person: &Person, day: u32, hour: f64) -> i64 {
        self.settings.start_ms() + i64::from(day) * DAY - i64::from(person.place.zone) * MINUTE
            + millis(hour.max(0.0) * 3_600.0)
    }

    /// How busy everybody is on a day: release days, rainy days.
    fn busyness(&self, day: u32) -> f64 {
        Dice::of(self.settings.seed, &[10, u64::from(day)]).log_normal(1.0, 0.1)
    }

    /// Everything that somebody does of their own accord.
    pub(crate) fn live(&self, number: u32, person: &Person, out: &mut Vec<Deed>) {
        let mut dice = Dice::of(self.settings.seed, &[11, u64::from(number)]);
        for day in 0..self.settings.days() {
            let weekend = day % 7 >= 5;
            let active = if weekend {
                person.habit.weekend
            } else {
                person.habit.workday
            };
            let awake = dice.chance(active);
            if !awake || !person.is_there(day) {
                continue;
            }
            self.day(number, person, day, &mut dice, out);
        }
    }

    /// One active day of somebody.
    fn day(&self, number: u32, person: &Person, day: u32, dice: &mut Dice, out: &mut Vec<Deed>) {
        let new = person.started > 0 && day < person.started + FIRST_DAYS;
        let mean = person.habit.sessions * self.busyness(day) * if new { 1.4 } else { 1.0 };
        let sessions = dice.poisson(mean).clamp(1, 14);
        let mut starts: Vec<f64> = (0..sessions).map(|_| hour(dice)).collect();
        starts.sort_unstable_by(f64::total_cmp);
        let first = starts.first().copied().unwrap_or(9.0);
        if dice.chance(0.6) {
            let at = self.moment(person, day, first - 0.01);
            if dice.chance(0.06) {
                out.push(Deed::by(number, at - 20_000, Act::SignInFailed));
            }
            out.push(Deed::by(number, at, Act::SignedIn));
        }
        let mut free = i64::MIN;
        for start in starts {
            // Nobody reads two things at once: a session begins a while after the one before has ended.
            let at = self.moment(person, day, start).max(free);
            free = self.sit(
                number,
                person,
                at,
                session_size(person, new, dice),
                new,
                dice,
                out,
            );
            free += millis(300.0 + dice.exponential(1_500.0));
        }
        self.errands(number, person, day, dice, out);
        if dice.chance(0.15) {
            out.push(Deed::by(number, free, Act::SignedOut));
        }
    }

    /// One session of so many pages from a moment on; returns when it ended.
    #[expect(
        clippy::too_many_arguments,
        reason = "a session is all of this, and nothing else needs it together"
    )]
    fn sit(
        &self,
        number: u32,
        person: &Person,
        at: i64,
        pages: u32,
        new: bool,
        dice: &mut Dice,
        out: &mut Vec<Deed>,
    ) -> i64 {
        let mut at = at;
        let mut last = None;
        let long = pages > 14;
        for _ in 0..pages {
            let mut page = self.choose(person, new || long, dice);
            if last == Some(page) {
                page = self.choose(person, true, dice);
            }
            last = Some(page);
            out.push(Deed::by(number, at, Act::Viewed(page)));
            if dice.chance(0.05) {
                let again = at + 1_000 + millis(dice.exponential(8.0));
                out.push(Deed::by(number, again, Act::Viewed(page)));
            }
            at += millis(dice.log_normal(60.0, 1.2).max(1.5));
            if dice.chance(person.habit.edits) {
                let made = dice.chance(0.12);
                at += millis(dice.log_normal(240.0, 0.7).min(1_500.0));
                out.push(Deed::by(
                    number,
                    at,
                    if made {
                        Act::Created(page)
                    } else {
                        Act::Updated(page)
                    },
                ));
            }
        }
        at
    }

    /// A page that somebody opens: a favourite, one of their own spaces, what everybody reads, or anything.
    fn choose(&self, person: &Person, explores: bool, dice: &mut Dice) -> u32 {
        let revisit = if explores { 0.08 } else { person.habit.revisit };
        if dice.chance(revisit) {
            // The first favourites are the dearest.
            let dear = dice.unit() * dice.unit();
            let place = whole(dear * f64::from(super::dice::count(person.favourites.len())));
            if let Some(page) = person.favourites.get(index(place)) {
                return *page;
            }
        }
        let [home, second, third] = person.homes;
        match dice.below(20) {
            0..=10 => self.wiki.a_page_of(home, dice),
            11..=13 => self.wiki.a_page_of(second, dice),
            14 => self.wiki.a_page_of(third, dice),
            15 | 16 => self.wiki.a_page_of(0, dice),
            17 | 18 => {
                let space = self.wiki.a_space(dice);
                self.wiki.a_page_of(space, dice)
            }
            _ => self.wiki.any_page(dice),
        }
    }

    /// What is done beside reading pages: issues, the blog, a small script, an export now and then.
    fn errands(
        &self,
        number: u32,
        person: &Person,
        day: u32,
        dice: &mut Dice,
        out: &mut Vec<Deed>,
    ) {
        let weekend = day % 7 >= 5;
        for _ in 0..dice.poisson(person.habit.issues) {
            let at = self.moment(person, day, hour(dice));
            let issue = dice.below(9_000);
            out.push(Deed::by(number, at, Act::IssueViewed(issue)));
            if dice.chance(0.25) {
                out.push(Deed::by(number, at + 90_000, Act::IssueUpdated(issue)));
            }
        }
        if dice.chance(0.12) {
            let at = self.moment(person, day, hour(dice));
            out.push(Deed::by(
                number,
                at,
                Act::PostViewed(self.wiki.post_of(day)),
            ));
        }
        if dice.chance(0.004) {
            let page = self.choose(person, false, dice);
            out.push(Deed::by(
                number,
                self.moment(person, day, hour(dice)),
                Act::PageExportDownloaded(page),
            ));
        }
        if dice.chance(0.02) {
            let kind = dice.below(4);
            out.push(Deed::by(
                number,
                self.moment(person, day, hour(dice)),
                Act::Strange(kind),
            ));
        }
        if dice.chance(0.003) {
            out.push(Deed::by(
                number,
                self.moment(person, day, hour(dice)),
                Act::TokenCreated,
            ));
        }
        if person.habit.job && !weekend {
            let at = self.moment(person, day, 7.5) + i64::from(dice.below(4_000));
            for (page, wait) in person.favourites.iter().take(3).zip((0..).step_by(1_300)) {
                let (doer, act) = (Doer::Person(number), Act::Viewed(*page));
                out.push(Deed {
                    at: at + wait,
                    doer,
                    act,
                    way: Way::Token,
                });
            }
        }
    }

    /// The nights of the integration: from the first one on, a few hundred pages, in turn.
    pub(crate) fn index_by_night(&self, out: &mut Vec<Deed>) {
        let mut dice = Dice::of(self.settings.seed, &[12]);
        let mut page = 0;
        for day in 0..self.settings.days() {
            let mut at = self.settings.start_ms()
                + i64::from(day) * DAY
                + 90 * MINUTE
                + i64::from(dice.below(60_000));
            for _ in 0..270 + dice.below(60) {
                out.push(Deed {
                    at,
                    doer: Doer::Integration,
                    act: Act::Viewed(page),
                    way: Way::App,
                });
                page = (page + 1) % self.wiki.ordinary.max(1);
                at += 900 + i64::from(dice.below(700));
            }
        }
    }

    /// What the site does by itself.
    pub(crate) fn work_of_the_site(&self, out: &mut Vec<Deed>) {
        let mut dice = Dice::of(self.settings.seed, &[13]);
        for day in 0..self.settings.days() {
            for _ in 0..4 + dice.below(4) {
                let at = self.settings.start_ms()
                    + i64::from(day) * DAY
                    + millis(dice.unit() * 86_000.0);
                let act = if dice.chance(0.4) {
                    Act::Viewed(self.wiki.any_page(&mut dice))
                } else {
                    Act::Rebuilt(self.wiki.a_space(&mut dice))
                };
                out.push(Deed {
                    at,
                    doer: Doer::System,
                    act,
                    way: Way::Browser,
                });
            }
        }
    }
}

/// The hour at which something is begun: mornings and afternoons, an evening now and then.
fn hour(dice: &mut Dice) -> f64 {
    let (middle, spread) = match dice.below(100) {
        0..=52 => (10.0, 1.2),
        53..=95 => (14.8, 1.5),
        _ => (20.5, 1.0),
    };
    (middle + spread * dice.normal()).clamp(6.0, 23.0)
}

/// How many pages a session has: heavy-tailed, and now and then a long read.
fn session_size(person: &Person, new: bool, dice: &mut Dice) -> u32 {
    let habit = &person.habit;
    if dice.chance(habit.deep) {
        return 15 + dice.below(16);
    }
    let mean = (habit.size - 1.0) * if new { 1.6 } else { 1.0 };
    (1 + dice.negative_binomial(mean.max(0.05), 0.6)).min(habit.most)
}
