//! The product's own scores: its engine over a log, clean or with a bulk collection in it.
//!
//! Everything that knows how the product is called is here.

use std::collections::{HashMap, HashSet};

use pagewarden_core::baseline::readers::READER_DAYS;
use pagewarden_core::baseline::threshold_in_force;
use pagewarden_core::engine::{DayScore, Engine, Rules, Suppressions};
use pagewarden_core::model::settings::Detect;
use pagewarden_core::model::{ActorKind, Auth, Class, RosterHistory, WordId};
use pagewarden_core::session::{REST_SECONDS, Read};
use pagewarden_core::time::{DAY_SECONDS, day_of};

use crate::Done;
use crate::injector::{Injection, NEWCOMERS, Part};
use crate::log::{Event, Log};
use crate::span::Active;

/// How many days without events close everything.
const CLOSING: i64 = 9;

/// The numbers of items begin here, so that none is that of an account.
const FIRST_PAGE: u32 = 1 << 24;

/// The places of injected events begin here, so that at equal times the log goes first.
const FIRST_INJECTED: u64 = 1 << 40;

/// What the product's rules borrow.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    detect: Detect,
    roster: RosterHistory,
}

/// The product's rules for a log: its defaults, nobody privileged, no suppression.
pub(crate) fn rules(settings: &Settings, log: &Log) -> Rules {
    let newcomers = (0..NEWCOMERS).map(|number| format!("newcomer {number}"));
    let names = log.users.iter().cloned().chain(newcomers);
    Rules {
        detect: settings.detect.clone(),
        roster: settings.roster.clone(),
        rostered: HashMap::default(),
        names: HashMap::default(),
        stable: (0..)
            .zip(names)
            .map(|(account, name)| (account, stable(&name)))
            .collect(),
        sites: None,
        canaries: HashSet::default(),
        integrations: HashSet::default(),
        suppressions: Suppressions::default(),
        verdicts: pagewarden_core::engine::Verdicts::default(),
    }
}

/// A number of a name that is the same in every run (FNV-1a, stirred).
fn stable(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// The week of an account's own in which a day lies: one alarm in each.
pub(crate) fn period(log: &Log, user: u32, day: i64) -> i64 {
    let name = usize::try_from(user)
        .ok()
        .and_then(|user| log.users.get(user));
    let shift = name.map_or(0, |name| stable(name) % 7);
    (day + i64::try_from(shift).unwrap_or_default()).div_euclid(7)
}

/// How far a day's bits lie above the threshold for 1 alarm per 1,000 active people and week: above `-log2(b)` it is an
/// alarm at a budget of b.
fn excess(score: &DayScore, log: &Log, active: &Active) -> f64 {
    // An active week has one to seven active days; where nobody was active in the four weeks before, seven.
    let days = (score.person_days_a_week / active.a_week(score.day)).clamp(1.0, 7.0);
    let days = if days.is_nan() { 7.0 } else { days };
    score.bits - threshold_in_force((1_000.0 * days).log2(), score.day - log.first_day())
}

/// The least excess that is an alarm at a budget.
pub(crate) fn threshold(budget: f64) -> f64 {
    -budget.log2()
}

/// A day of a clean log, as the product scored it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    /// Whose.
    pub(crate) user: u32,
    /// The day in which its sessions began.
    pub(crate) day: i64,
    /// The product's score.
    pub(crate) bits: f64,
    /// See [`threshold`].
    pub(crate) excess: f64,
}

/// How large the product's state is at the end of a log, in bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Size {
    /// The tenant's part.
    pub(crate) tenant: usize,
    /// Each account's part, sorted.
    pub(crate) accounts: Vec<usize>,
    /// The part of each page that was opened in the last four weeks, sorted.
    pub(crate) pages: Vec<usize>,
    /// Each other page's part, sorted.
    pub(crate) other_pages: Vec<usize>,
    /// How many accounts have more than 200 bytes and 4 for each different page.
    pub(crate) large_accounts: usize,
}

/// Replays a log as it is: every day's score, by day and account, and the size of the state.
pub(crate) fn clean(rules: &Rules, log: &Log, active: &Active) -> Done<(Vec<Scored>, Size)> {
    let mut engine = Engine::new().keeping_days();
    let mut day = log.first_day();
    for event in &log.events {
        engine.take(rules, &read(event));
        if day_of(event.at) > day {
            day = day_of(event.at);
            drop(engine.finished());
        }
    }
    engine.pass(rules, (log.end_day() + CLOSING) * DAY_SECONDS);
    let mut days: Vec<Scored> = engine
        .days()
        .iter()
        .map(|score| Scored {
            user: score.account,
            day: score.day,
            bits: score.bits,
            excess: excess(score, log, active),
        })
        .collect();
    days.sort_unstable_by_key(|scored| (scored.day, scored.user));
    let state = engine.state().ok_or("the state cannot be stored")?;
    let lately = opened_since(log, log.end_day() + CLOSING - READER_DAYS);
    let (pages, other): (Vec<_>, Vec<_>) = state
        .pages
        .iter()
        .partition(|(page, _)| lately.contains(page));
    let large = |(user, part): &(&u32, &Vec<u8>)| part.len() > 200 + 4 * different(log, **user);
    let size = Size {
        tenant: state.tenant.len(),
        accounts: sizes(state.accounts.values()),
        pages: sizes(pages.into_iter().map(|(_, part)| part)),
        other_pages: sizes(other.into_iter().map(|(_, part)| part)),
        large_accounts: state.accounts.iter().filter(large).count(),
    };
    Ok((days, size))
}

/// The days of one reader's part of a bulk collection, each with how far it lies above the threshold for a budget of 1.
pub(crate) type Days = Vec<(i64, f64)>;

/// Replays a log with each of the bulk collections in turn, on so many threads: the days of every part of each.
pub(crate) fn collections(
    rules: &Rules,
    (log, active): (&Log, &Active),
    injections: &[Injection],
    threads: usize,
) -> Vec<Vec<Days>> {
    let mut order: Vec<usize> = (0..injections.len()).collect();
    order.sort_by_key(|place| injections.get(*place).map(|injection| injection.first));
    let work = |thread: usize| {
        let mut replay = Replay::new(rules, log, active);
        order
            .iter()
            .skip(thread)
            .step_by(threads)
            .filter_map(|place| Some((*place, replay.score(injections.get(*place)?))))
            .collect::<Vec<_>>()
    };
    let mut all = vec![Vec::new(); injections.len()];
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        for (place, days) in started
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_default())
        {
            if let Some(slot) = all.get_mut(place) {
                *slot = days;
            }
        }
    });
    all
}

/// A replay that goes forward from midnight to midnight.
struct Replay<'a> {
    log: &'a Log,
    active: &'a Active,
    rules: &'a Rules,
    engine: Engine,
    rest: i64,
    /// The place of the next event.
    next: usize,
}

impl<'a> Replay<'a> {
    fn new(rules: &'a Rules, log: &'a Log, active: &'a Active) -> Self {
        Self {
            log,
            active,
            rules,
            engine: Engine::new().keeping_days(),
            rest: REST_SECONDS,
            next: 0,
        }
    }

    /// Goes on to 00:00 of a day, and scores a bulk collection that begins on it.
    fn score(&mut self, injection: &Injection) -> Vec<Days> {
        let until = self.log.start(injection.first);
        for event in self.log.events.get(self.next..until).unwrap_or_default() {
            self.engine.take(self.rules, &read(event));
        }
        self.next = self.next.max(until);
        drop((self.engine.days(), self.engine.finished()));
        let mut engine = self.engine.clone();
        let events = self.log.days(injection.first, injection.last + 1);
        merge(self.rules, &mut engine, events, injection);
        self.close(&mut engine, injection);
        let mut scores = engine.days();
        let over = |scores: &[DayScore]| {
            injection.parts.iter().all(|part| {
                part.last_day().is_some_and(|last| {
                    scores
                        .iter()
                        .any(|score| score.account == part.user && score.day == last)
                })
            })
        };
        if !over(&scores) {
            // The last session went on over midnight.
            engine.pass(self.rules, (injection.last + CLOSING) * DAY_SECONDS);
            scores.extend(engine.days());
        }
        injection
            .parts
            .iter()
            .map(|part| self.days_of(part, injection, &scores))
            .collect()
    }

    /// Lets every bulk collector open a page after the bulk collection, which closes its day without waiting for a refit.
    fn close(&self, engine: &mut Engine, injection: &Injection) {
        let midnight = (injection.last + 1) * DAY_SECONDS;
        let mut last: Vec<Event> = injection
            .parts
            .iter()
            .zip(0..)
            .filter_map(|(part, ordinal)| {
                let own = self.log.of_user(part.user);
                let before = own.partition_point(|(at, _)| *at < midnight).checked_sub(1);
                let own = before.and_then(|place| own.get(place)).map(|(at, _)| *at);
                let (at, item) = *part.reads.last()?;
                Some(Event {
                    at: midnight.max(own.unwrap_or(at).max(at) + self.rest + 1),
                    user: part.user,
                    item,
                    ordinal,
                })
            })
            .collect();
        last.sort_unstable_by_key(|event| (event.at, event.ordinal));
        for event in &last {
            engine.take(self.rules, &read(event));
        }
    }

    /// The days of a part: from that in which its first page falls, which goes on over midnight until the account rests,
    /// to that of its last page.
    fn days_of(&self, part: &Part, injection: &Injection, scores: &[DayScore]) -> Days {
        let first = part.reads.first().map_or(injection.first, |(at, _)| {
            let own = self.log.of_user(part.user);
            let earlier = own.partition_point(|(own, _)| own < at);
            let mut began = *at;
            for (own, _) in own.get(..earlier).unwrap_or_default().iter().rev() {
                if began - own > self.rest {
                    break;
                }
                began = *own;
            }
            day_of(began)
        });
        let last = part.last_day().unwrap_or(injection.last);
        scores
            .iter()
            .filter(|score| score.account == part.user && (first..=last).contains(&score.day))
            .map(|score| (score.day, excess(score, self.log, self.active)))
            .collect()
    }
}

/// Lets a engine take events and a bulk collection, in order of time.
fn merge(rules: &Rules, engine: &mut Engine, events: &[Event], injection: &Injection) {
    let mut collection: Vec<Event> = Vec::new();
    for part in &injection.parts {
        for (at, item) in &part.reads {
            let ordinal = u64::try_from(collection.len()).unwrap_or_default();
            collection.push(Event {
                at: *at,
                user: part.user,
                item: *item,
                ordinal: FIRST_INJECTED + ordinal,
            });
        }
    }
    collection.sort_unstable_by_key(|event| (event.at, event.ordinal));
    let mut collection = collection.iter().peekable();
    for event in events {
        while let Some(first) = collection.next_if(|read| read.at < event.at) {
            engine.take(rules, &read(first));
        }
        engine.take(rules, &read(event));
    }
    for event in collection {
        engine.take(rules, &read(event));
    }
}

/// An event as the product reads it back from its store.
fn read(event: &Event) -> Read {
    let mut key = [0; 16];
    let bytes = event
        .at
        .to_be_bytes()
        .into_iter()
        .chain(event.ordinal.to_be_bytes());
    for (to, from) in key.iter_mut().zip(bytes) {
        *to = from;
    }
    let account: WordId = event.user;
    Read {
        at: event.at,
        key,
        account,
        class: Class::View,
        actor: ActorKind::Person,
        auth: Auth::Session,
        page: Some(FIRST_PAGE + event.item),
        space: None,
        address: None,
        site: None,
        extent: None,
    }
}

/// The pages that were opened on a day or later.
fn opened_since(log: &Log, day: i64) -> HashSet<u32> {
    let events = log.by_user.iter().flatten();
    events
        .filter(|(at, _)| day_of(*at) >= day)
        .map(|(_, item)| FIRST_PAGE + *item)
        .collect()
}

/// How many different items somebody opened.
pub(crate) fn different(log: &Log, user: u32) -> usize {
    let own = usize::try_from(user)
        .ok()
        .and_then(|user| log.by_user.get(user));
    let items: HashSet<u32> = own.into_iter().flatten().map(|(_, item)| *item).collect();
    items.len()
}

/// How large parts of a state are, sorted.
fn sizes<'a>(parts: impl Iterator<Item = &'a Vec<u8>>) -> Vec<usize> {
    let mut sizes: Vec<usize> = parts.map(Vec::len).collect();
    sizes.sort_unstable();
    sizes
}
