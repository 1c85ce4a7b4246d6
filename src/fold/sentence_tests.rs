//! Every number of a sentence, counted again from the events by other means than the fold's.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::tests::{MONDAY, fold, harvest, quiet, rules, with};
use super::*;
use crate::baseline::{
    Histogram, History, Person, Predictive, Scale, Shape, Survival, bits, fit, week_of,
};
use crate::model::settings::Detect;
use crate::text;

/// One sitting, counted from the events.
#[derive(Debug)]
struct Sitting {
    account: WordId,
    day: i64,
    first: i64,
    last: i64,
    pages: BTreeSet<WordId>,
}

impl Sitting {
    fn x(&self) -> u32 {
        u32::try_from(self.pages.len()).unwrap() - 1
    }
}

/// Cuts every account's events wherever it paused for more than half an hour.
fn sittings(reads: &[Read]) -> Vec<Sitting> {
    let mut all: Vec<Sitting> = Vec::new();
    for read in reads {
        let page = read.page.unwrap();
        let open = all
            .iter_mut()
            .rev()
            .find(|sitting| sitting.account == read.account)
            .filter(|sitting| read.at - sitting.last <= 1_800);
        if let Some(sitting) = open {
            sitting.last = read.at;
            sitting.pages.insert(page);
        } else {
            all.push(Sitting {
                account: read.account,
                day: day_of(read.at),
                first: read.at,
                last: read.at,
                pages: std::iter::once(page).collect(),
            });
        }
    }
    all
}

/// The sentence about an account's harvest, the last sitting of its day, with every number counted anew.
fn sentence(reads: &[Read], account: WordId, day: i64) -> String {
    let all = sittings(reads);
    let own: Vec<&Sitting> = all.iter().filter(|one| one.account == account).collect();
    let told = own.iter().rfind(|one| one.day == day).unwrap();
    // What is usual was learnt on the Monday before, of the weeks that ended before that Sunday.
    let monday = day - (day - day_of(MONDAY)).rem_euclid(7);
    let until = week_of(monday - 1);
    let pool = |until: Option<i64>| {
        let mut pool = Histogram::default();
        for one in &all {
            if one.day < monday && until.is_none_or(|until| week_of(one.day) < until) {
                pool.record(one.x());
            }
        }
        pool
    };
    let usual = Shape::usual(Scale::Session);
    let session = Survival::fitted(&pool(Some(until)), &Survival::of_shape(&usual));
    let pages_of = |person: WordId, day: i64| -> BTreeSet<WordId> {
        all.iter()
            .filter(|one| one.account == person && one.day == day)
            .flat_map(|one| one.pages.iter().copied())
            .collect()
    };
    let mut days = Histogram::default();
    for person in 1..=40 {
        for day in (day_of(MONDAY)..monday).filter(|day| week_of(*day) < until) {
            let pages = u32::try_from(pages_of(person, day).len()).unwrap();
            if pages > 0 {
                days.record(pages - 1);
            }
        }
    }
    let day_usual = Shape::usual(Scale::Day);
    let days = Survival::fitted(&days, &Survival::of_shape(&day_usual));
    let people: Vec<Person> = (1..=40)
        .map(|person| {
            let mut sum = Person::default();
            for one in all
                .iter()
                .filter(|one| one.account == person && one.day < monday)
            {
                sum.add(one.x());
            }
            sum
        })
        .collect();
    let shape = fit(&pool(None), &people, &usual);
    let mut past = History::default();
    for one in own.iter().filter(|one| one.last < told.first) {
        past.learn(one.x(), one.day, u32::MAX);
    }
    let before: BTreeSet<WordId> = own
        .iter()
        .filter(|one| one.day < day)
        .flat_map(|one| one.pages.iter().copied())
        .collect();
    let today = pages_of(account, day);
    let whole = u32::try_from(today.len()).unwrap() - 1;
    let (session, whole) = (bits(session.at(told.x())), bits(days.at(whole)));
    let strange = if session + 1.0 >= whole {
        format!(
            "{} different pages in {}; of its colleagues' sittings, {} is",
            told.pages.len(),
            text::duration(Duration::from_secs((told.last - told.first).unsigned_abs())),
            text::one_in(session),
        )
    } else {
        format!(
            "{} different pages in one day; of its colleagues' days, {} is",
            today.len(),
            text::one_in(whole),
        )
    };
    let new: Vec<WordId> = today.difference(&before).copied().collect();
    let opened = |page: WordId, from: i64, until: i64| {
        reads
            .iter()
            .any(|read| read.page == Some(page) && (from..until).contains(&day_of(read.at)))
    };
    let stale = new
        .iter()
        .filter(|page| opened(**page, i64::MIN, day - 28) && !opened(**page, day - 28, day))
        .count();
    let mut habit = History::default();
    let mut known = BTreeSet::new();
    for one_day in day_of(MONDAY)..day {
        let pages = pages_of(account, one_day);
        if !pages.is_empty() {
            let new = pages.difference(&known).count();
            habit.learn(u32::try_from(new).unwrap(), one_day, 30);
            known.extend(pages);
        }
    }
    let stale = match stale {
        0 => String::new(),
        1 => " One of them had been opened by nobody in the four weeks before.".to_owned(),
        many => format!(" {many} of them had been opened by nobody in the four weeks before."),
    };
    let mean = |mean: f64| {
        let text = if mean < 9.95 {
            format!("{mean:.1}")
        } else {
            format!("{mean:.0}")
        };
        text.trim_end_matches(".0").to_owned()
    };
    format!(
        "Read {strange} that large. This account usually reads about {} in a \
         sitting, and 99 of 100 of its sittings stay at {} or fewer. {} of the {} pages of that day were new to it; on an \
         ordinary day it opens about {} new ones.{stale}",
        mean(past.sum / past.m + 1.0),
        Predictive::new(&shape, &past.decayed(day)).quantile(0.99) + 1,
        new.len(),
        today.len(),
        mean(habit.sum / habit.m),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn every_number_of_a_sentence_can_be_counted_from_the_events(
        account in 3_u32..40,
        day in 21_i64..34,
        pages in 30_u32..150,
        known in 0_u32..20,
        before in prop::collection::vec((0_i64..20, 1_u32..6), 0..6),
    ) {
        let (detect, roster) = (Detect::default(), RosterHistory::default());
        let rules = rules(&detect, &roster);
        // Some people read more now and then, and some of what is harvested was known for long.
        let mut reads = quiet(35);
        for (day, more) in before {
            let who = 1 + u32::try_from(day).unwrap() % 40;
            reads = with(reads, harvest(who, day, more));
        }
        let old = harvest(account, day, pages).map(|read| Read {
            page: read.page.map(|page| if page < 10_000 + known { page - 10_000 } else { page }),
            ..read
        });
        let reads = with(reads, old);
        let drafts = fold(&rules, &reads, &[]);
        let harvest = drafts
            .iter()
            .filter(|draft| draft.account == Some(account))
            .flat_map(|draft| &draft.told)
            .find(|told| told.detector == "volume-anomaly" && day_of(told.tally.last - MONDAY) == day);
        let Some(told) = harvest else {
            return Err(TestCaseError::fail(format!("not found: {drafts:?}")));
        };
        prop_assert_eq!(&told.because, &sentence(&reads, account, day + day_of(MONDAY)));
    }
}
