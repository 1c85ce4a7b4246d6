//! Every number of a sentence, counted again from the events by other means than the engine's.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::tests::{MONDAY, collection, quiet, rules, run_engine, with};
use super::*;
use crate::baseline::{
    Histogram, History, Person, Predictive, Scale, Shape, Survival, bits, fit, week_of,
};
use crate::model::settings::Detect;
use crate::text;

/// One session, counted from the events.
#[derive(Debug)]
struct Session {
    account: WordId,
    day: i64,
    first: i64,
    last: i64,
    pages: BTreeSet<WordId>,
}

impl Session {
    fn x(&self) -> u32 {
        u32::try_from(self.pages.len()).unwrap() - 1
    }
}

/// Cuts every account's events wherever it paused for more than half an hour.
fn sessions(reads: &[Read]) -> Vec<Session> {
    let mut all: Vec<Session> = Vec::new();
    for read in reads {
        let page = read.page.unwrap();
        let open = all
            .iter_mut()
            .rev()
            .find(|session| session.account == read.account)
            .filter(|session| read.at - session.last <= 1_800);
        if let Some(session) = open {
            session.last = read.at;
            session.pages.insert(page);
        } else {
            all.push(Session {
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

/// The pages of a person's day.
fn pages_of(all: &[Session], person: WordId, day: i64) -> BTreeSet<WordId> {
    all.iter()
        .filter(|one| one.account == person && one.day == day)
        .flat_map(|one| one.pages.iter().copied())
        .collect()
}

/// The Monday before a day, on which was learnt what is usual, of the weeks that ended before that Sunday.
fn monday(day: i64) -> i64 {
    day - (day - day_of(MONDAY)).rem_euclid(7)
}

/// How rare a session and a day are among peers, in bits.
fn rarity(all: &[Session], day: i64, (session, whole): (u32, u32)) -> (f64, f64) {
    let monday = monday(day);
    let until = week_of(monday - 1);
    let (mut sessions, mut days) = (Histogram::default(), Histogram::default());
    for one in all.iter().filter(|one| week_of(one.day) < until) {
        sessions.record(one.x());
    }
    for person in 1..=40 {
        for day in (day_of(MONDAY)..monday).filter(|day| week_of(*day) < until) {
            let pages = u32::try_from(pages_of(all, person, day).len()).unwrap();
            if pages > 0 {
                days.record(pages - 1);
            }
        }
    }
    let of = |units: &Histogram, scale, x| {
        let fallback = Survival::of_shape(&Shape::usual(scale));
        bits(Survival::fitted(units, &fallback).at(x))
    };
    (
        of(&sessions, Scale::Session, session),
        of(&days, Scale::Day, whole),
    )
}

/// The mean of an account's sessions before one, and the pages that 99 of 100 stay at.
fn usual(all: &[Session], reported: &Session) -> (f64, u32) {
    let monday = monday(reported.day);
    let mut pool = Histogram::default();
    let mut people = vec![Person::default(); 41];
    for one in all.iter().filter(|one| one.day < monday) {
        pool.record(one.x());
        people[usize::try_from(one.account).unwrap()].add(one.x());
    }
    let shape = fit(&pool, &people, &Shape::usual(Scale::Session));
    let mut past = History::default();
    let own = all.iter().filter(|one| one.account == reported.account);
    for one in own.filter(|one| one.last < reported.first) {
        past.learn(one.x(), one.day, u32::MAX);
    }
    let law = Predictive::new(&shape, &past.decayed(reported.day));
    (past.sum / past.m + 1.0, law.quantile(0.99) + 1)
}

/// The pages that are new to an account on a day, and how many are on an ordinary one.
fn new_pages(all: &[Session], account: WordId, day: i64) -> (Vec<WordId>, f64) {
    let mut habit = History::default();
    let mut known = BTreeSet::new();
    for one_day in day_of(MONDAY)..day {
        let pages = pages_of(all, account, one_day);
        if !pages.is_empty() {
            let new = pages.difference(&known).count();
            habit.learn(u32::try_from(new).unwrap(), one_day, 30);
            known.extend(pages);
        }
    }
    let today = pages_of(all, account, day);
    (
        today.difference(&known).copied().collect(),
        habit.sum / habit.m,
    )
}

/// How many of the pages were there, and opened by nobody in four weeks.
fn stale(reads: &[Read], pages: &[WordId], day: i64) -> String {
    let opened = |page: WordId, from: i64, until: i64| {
        reads
            .iter()
            .any(|read| read.page == Some(page) && (from..until).contains(&day_of(read.at)))
    };
    let stale = pages
        .iter()
        .filter(|page| opened(**page, i64::MIN, day - 28) && !opened(**page, day - 28, day));
    match stale.count() {
        0 => String::new(),
        1 => " One of them had been opened by nobody in the four weeks before.".to_owned(),
        many => format!(" {many} of them had been opened by nobody in the four weeks before."),
    }
}

fn about(mean: f64) -> String {
    let text = if mean < 9.95 {
        format!("{mean:.1}")
    } else {
        format!("{mean:.0}")
    };
    text.trim_end_matches(".0").to_owned()
}

/// The sentence about an account's bulk collection, the last session of its day, with every number counted anew.
fn sentence(reads: &[Read], account: WordId, day: i64) -> String {
    let all = sessions(reads);
    let reported = all
        .iter()
        .rfind(|one| one.account == account && one.day == day)
        .unwrap();
    let today = pages_of(&all, account, day).len();
    let whole = u32::try_from(today).unwrap() - 1;
    let (session, whole) = rarity(&all, day, (reported.x(), whole));
    let strange = if session + 1.0 >= whole {
        format!(
            "{} different pages in {}; of its peers' sessions, {} is",
            reported.pages.len(),
            text::duration(Duration::from_secs(
                (reported.last - reported.first).unsigned_abs()
            )),
            text::one_in(session),
        )
    } else {
        let rare = text::one_in(whole);
        format!("{today} different pages in one day; of its peers' days, {rare} is")
    };
    let (mean, p99) = usual(&all, reported);
    let (new, ordinary) = new_pages(&all, account, day);
    format!(
        "Read {strange} that large. This account usually reads about {} in a session, and 99 of 100 of its sessions stay at {p99} \
         or fewer. {} of the {today} pages of that day were new to it; on an ordinary day it opens about {} new ones.{}",
        about(mean),
        new.len(),
        about(ordinary),
        stale(reads, &new, day),
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
        // Some people read more now and then, and some of what is collected was known for long.
        let mut reads = quiet(35);
        for (day, more) in before {
            let who = 1 + u32::try_from(day).unwrap() % 40;
            reads = with(reads, collection(who, day, more));
        }
        let old = collection(account, day, pages).map(|read| Read {
            page: read.page.map(|page| if page < 10_000 + known { page - 10_000 } else { page }),
            ..read
        });
        let reads = with(reads, old);
        let drafts = run_engine(&rules, &reads, &[]);
        let collection = drafts
            .iter()
            .filter(|draft| draft.account == Some(account))
            .flat_map(|draft| &draft.reported)
            .find(|reported| reported.detector == "volume-anomaly" && day_of(reported.tally.last - MONDAY) == day);
        let Some(reported) = collection else {
            return Err(TestCaseError::fail(format!("not found: {drafts:?}")));
        };
        prop_assert_eq!(&reported.reason, &sentence(&reads, account, day + day_of(MONDAY)));
    }
}
