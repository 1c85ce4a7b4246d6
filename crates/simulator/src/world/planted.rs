//! The bulk collectors hidden among the people, and the truth about them.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::audit::{Note, Notes, Record};
use super::dice::{Dice, count, index, millis};
use super::habits::{DAY, MINUTE, Stage};
use super::log::{Act, Deed, Doer, Way};
use super::person::Person;
use pagewarden_core::model::AccountId;

/// A bulk collection that is hidden in the world: what is true, and hidden from the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// Which kind: `script`, `patient-collection`, `slow-collection`, `admin-browsing`, `space-export`.
    pub name: &'static str,
    /// Whose account it was.
    pub account: AccountId,
    /// The event time of its first event.
    pub from: DateTime<Utc>,
    /// The first second after its last event.
    pub until: DateTime<Utc>,
    /// How many pages were carried away: opened, or in the exported space.
    pub pages: u32,
    /// What happened, in a sentence.
    pub note: String,
}

/// Somebody's bulk collection while it is being written.
struct Collection<'a, 'b> {
    /// Where it happens.
    stage: &'a Stage<'b>,
    /// Whose account.
    number: u32,
    /// The same.
    person: &'a Person,
    /// How they prove who they are.
    way: Way,
    /// The pages so far.
    pages: BTreeSet<u32>,
    /// The first and the last event.
    span: Option<(i64, i64)>,
}

impl<'a, 'b> Collection<'a, 'b> {
    /// None yet.
    fn new(stage: &'a Stage<'b>, number: u32, way: Way) -> Option<Self> {
        let person = stage.people.get(number)?;
        Some(Self {
            stage,
            number,
            person,
            way,
            pages: BTreeSet::new(),
            span: None,
        })
    }

    /// Something done.
    fn act(&mut self, at: i64, act: Act, out: &mut Vec<Deed>) {
        out.push(Deed {
            at,
            doer: Doer::Person(self.number),
            act,
            way: self.way,
        });
        self.span = Some(
            self.span
                .map_or((at, at), |(from, until)| (from.min(at), until.max(at))),
        );
        if let Act::Viewed(page) = act {
            self.pages.insert(page);
        }
    }

    /// A page that this bulk collection has not had, out of somebody else's spaces.
    fn foreign_page(&self, dice: &mut Dice) -> u32 {
        let mut page = self.stage.wiki.any_page(dice);
        for _ in 0..64 {
            let known = self.pages.contains(&page) || self.person.favourites.contains(&page);
            let home = self
                .stage
                .wiki
                .pages
                .get(index(page))
                .is_some_and(|page| self.person.homes.contains(&page.space));
            if !known && !home {
                break;
            }
            page = self.stage.wiki.any_page(dice);
        }
        page
    }

    /// So many foreign pages from a moment on, with such pauses (in seconds); returns when it ended.
    fn read(
        &mut self,
        at: i64,
        pages: u32,
        pause: impl Fn(&mut Dice) -> f64,
        dice: &mut Dice,
        out: &mut Vec<Deed>,
    ) -> i64 {
        let mut at = at;
        for _ in 0..pages {
            let page = self.foreign_page(dice);
            self.act(at, Act::Viewed(page), out);
            at += millis(pause(dice));
        }
        at
    }

    /// The truth about it.
    fn truth(self, name: &'static str, pages: Option<u32>, note: String) -> Planted {
        let (from, until) = self.span.unwrap_or_default();
        Planted {
            name,
            account: self.person.account.clone(),
            from: pagewarden_core::time::moment(from.div_euclid(1_000)),
            until: pagewarden_core::time::moment(until.div_euclid(1_000) + 1),
            pages: pages.unwrap_or(count(self.pages.len())),
            note,
        }
    }
}

impl Stage<'_> {
    /// Plants everything there is to find; each in another account.
    pub(crate) fn plant(&self, deeds: &mut Vec<Deed>, notes: &mut Notes) -> Vec<Planted> {
        let mut dice = Dice::of(self.settings.seed, &[30]);
        let [patient_day, script_day, admin_day, export_day] = self.collection_days();
        let slow_days = self.slow_days();
        let mut taken = Vec::new();
        let mut somebody = |days: Range<u32>, dice: &mut Dice| {
            let mut free = self.people.ordinary(&days);
            free.retain(|person| !taken.contains(person));
            if free.is_empty() {
                // A world too small to be choosy in.
                free = (0..count(self.people.all.len()))
                    .filter(|person| {
                        !self.people.admins.include(*person) && !taken.contains(person)
                    })
                    .collect();
            }
            let person = dice.pick(&free).copied().unwrap_or_default();
            taken.push(person);
            person
        };
        let script = somebody(script_day - 1..script_day + 1, &mut dice);
        let patient = somebody(patient_day..patient_day + 1, &mut dice);
        let slow = somebody(slow_days.clone(), &mut dice);
        let export = somebody(export_day..export_day + 1, &mut dice);
        [
            self.script(script, script_day, &mut dice, deeds),
            self.patient(patient, patient_day, &mut dice, deeds),
            self.slow(slow, slow_days, &mut dice, deeds),
            self.admin(admin_day, &mut dice, deeds),
            self.export(export, export_day, &mut dice, deeds, notes),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The days of the patient bulk collection, the script, the administrator and the export.
    fn collection_days(&self) -> [u32; 4] {
        [
            self.settings.week(5) + 1,
            self.settings.week(5) + 2,
            self.settings.week(5) + 3,
            self.settings.week(5) + 4,
        ]
    }

    /// The days of the slow bulk collection: two weeks where there are as many, and not the last one, whose evening is cut off.
    fn slow_days(&self) -> Range<u32> {
        let from = self.settings.week(4) + 1;
        from..(from + 14).min(self.settings.days() - 1)
    }

    /// About 300 pages within ten minutes, one after the other, with a token made the day before.
    fn script(
        &self,
        number: u32,
        day: u32,
        dice: &mut Dice,
        out: &mut Vec<Deed>,
    ) -> Option<Planted> {
        let mut collection = Collection::new(self, number, Way::Token)?;
        let start = self.moment(collection.person, day, dice.between(12.0, 21.0));
        out.push(Deed::by(
            number,
            start - DAY + 40 * MINUTE,
            Act::TokenCreated,
        ));
        let pages = 290 + dice.below(21);
        let first = dice.below(self.wiki.ordinary.saturating_sub(pages).max(1));
        let mut at = start;
        for page in first..first + pages {
            collection.act(at, Act::Viewed(page), out);
            at += 1_650 + i64::from(dice.below(700));
        }
        let note = format!(
            "a script with an API token fetches {pages} pages, one after the other, within ten minutes"
        );
        Some(collection.truth("script", None, note))
    }

    /// 60 to 90 pages by hand over about three hours, across spaces that are not theirs.
    fn patient(
        &self,
        number: u32,
        day: u32,
        dice: &mut Dice,
        out: &mut Vec<Deed>,
    ) -> Option<Planted> {
        let mut collection = Collection::new(self, number, Way::Browser)?;
        let start = self.moment(collection.person, day, dice.between(15.0, 18.5));
        let pages = 60 + dice.below(31);
        // As long for each page as makes three hours in all, more or less.
        let pace = (dice.between(2.5, 3.3) * 3_600.0 / f64::from(pages)).clamp(60.0, 180.0);
        collection.read(
            start,
            pages,
            |dice| (pace * dice.log_normal(0.92, 0.4)).min(600.0),
            dice,
            out,
        );
        let note = format!(
            "a person reads {pages} unfamiliar pages by hand, one after the other, in an evening"
        );
        Some(collection.truth("patient-collection", None, note))
    }

    /// 12 to 18 unfamiliar pages a day beside the usual reading, for two weeks.
    fn slow(
        &self,
        number: u32,
        days: Range<u32>,
        dice: &mut Dice,
        out: &mut Vec<Deed>,
    ) -> Option<Planted> {
        let mut collection = Collection::new(self, number, Way::Browser)?;
        let length = days.end - days.start;
        for day in days {
            let pages = 12 + dice.below(7);
            let noon = self.moment(collection.person, day, dice.between(11.0, 13.5));
            collection.read(
                noon,
                pages / 2,
                |dice| dice.log_normal(70.0, 0.8).min(1_200.0),
                dice,
                out,
            );
            let evening = self.moment(collection.person, day, dice.between(16.5, 20.0));
            collection.read(
                evening,
                pages - pages / 2,
                |dice| dice.log_normal(70.0, 0.8).min(1_200.0),
                dice,
                out,
            );
        }
        let note = format!(
            "a person reads 12 to 18 unfamiliar pages a day beside the usual, for {length} days"
        );
        Some(collection.truth("slow-collection", None, note))
    }

    /// An administrator reads 50 to 70 pages in a day, in every corner.
    fn admin(&self, day: u32, dice: &mut Dice, out: &mut Vec<Deed>) -> Option<Planted> {
        let mut collection = Collection::new(self, self.people.admins.browses, Way::Browser)?;
        let pages = 50 + dice.below(21);
        let mut left = pages;
        let mut at = self.moment(collection.person, day, 8.7);
        while left > 0 {
            let now = (7 + dice.below(7)).min(left);
            left -= now;
            at = collection.read(
                at,
                now,
                |dice| dice.log_normal(55.0, 0.7).min(900.0),
                dice,
                out,
            );
            at += (35 + i64::from(dice.below(40))) * MINUTE;
        }
        let note = format!(
            "an administrator looks into {pages} pages all over the wiki in one working day"
        );
        Some(collection.truth("admin-browsing", None, note))
    }

    /// A space is exported and the export downloaded; the site audit log knows as well.
    fn export(
        &self,
        number: u32,
        day: u32,
        dice: &mut Dice,
        out: &mut Vec<Deed>,
        notes: &mut Notes,
    ) -> Option<Planted> {
        let mut collection = Collection::new(self, number, Way::Browser)?;
        // Not the handbook, and not their own: one of the middling ones.
        let mut space = 4 + dice.below(20);
        while collection.person.homes.contains(&space) {
            space = 4 + dice.below(20);
        }
        let (name, pages) = self
            .wiki
            .spaces
            .get(index(space))
            .map(|space| (&space.name, count(space.pages.len())))?;
        let at = self.moment(collection.person, day, dice.between(16.0, 18.0));
        collection.act(at, Act::SpaceExported(space), out);
        collection.act(
            at + 3 * MINUTE + 411,
            Act::SpaceExportDownloaded(space),
            out,
        );
        notes.add(Record {
            at: at + 1_204,
            author: Some(number),
            note: Note::SpaceExported(space),
        });
        let note =
            format!("a person exports the space {name} ({pages} pages) and downloads the export");
        Some(collection.truth("space-export", Some(pages), note))
    }
}
