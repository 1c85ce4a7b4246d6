//! Harvests: kinds of them, and where and when one is put into a log. This file is fixed: it was not touched after the
//! first figures.
//!
//! A kind is a word like `hour:pages=60,minutes=60`; what can be said is in [`Kind`]. Pages are the log's own, those
//! first opened before the harvest's first day, each taken once; a harvest that wants more takes what there is, as much on each day.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use fastrand::Rng;
use pagewarden_core::time::{DAY_SECONDS, day_of};

use crate::Done;
use crate::log::Log;
use crate::span::Span;
use crate::statistics::float;

/// How many accounts there are that no log knows.
pub(crate) const NEWCOMERS: u32 = 64;

/// The kinds that are tried where none is named.
pub(crate) const STANDARD: [&str; 14] = [
    "script:pages=300,minutes=5",
    "crawl:pages=360,minutes=120",
    "hour:pages=60,minutes=60",
    "forty-a-day:pages=40,minutes=120,days=14",
    "twelve-a-day:pages=12,minutes=60,days=14",
    "six-a-day:pages=6,minutes=60,days=14",
    "dormant:pages=60,minutes=60,who=dormant",
    "new:pages=60,minutes=60,who=new",
    "twenty:pages=20,minutes=40",
    "thirty-at-night:pages=30,minutes=30,start=3",
    "jittered:pages=40,minutes=40,jitter=0.5",
    "popular:pages=40,minutes=40,prefer=popular",
    "popular-slow:pages=15,minutes=60,days=14,prefer=popular",
    "shared:pages=60,minutes=60,share=2",
];

/// Who harvests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// An account, on a day on which it reads anyway.
    Active,
    /// An account with at least five earlier events and none in the last 60 days; 30 where there are too few.
    Dormant,
    /// An account never seen before.
    New,
}

/// Which pages are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefer {
    /// All alike.
    Any,
    /// In proportion to how many people opened each in the 28 days before; the others last.
    Popular,
}

/// A kind of harvest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kind {
    /// What it is called; it also is a part of the seed.
    pub(crate) name: String,
    /// Pages a day.
    pub(crate) pages: usize,
    /// Over so many minutes.
    pub(crate) minutes: f64,
    /// On so many days that follow each other.
    pub(crate) days: usize,
    who: Who,
    prefer: Prefer,
    /// Each gap is longer or shorter by up to this share.
    jitter: f64,
    /// How many accounts take a part each.
    pub(crate) share: usize,
    /// The hour (UTC) in which it starts; else when a random event of the day does.
    start: Option<i64>,
}

impl Kind {
    /// A kind from its word; a standard one by its name alone.
    pub(crate) fn parse(word: &str) -> Done<Self> {
        let standard = STANDARD
            .into_iter()
            .find(|standard| standard.split(':').next() == Some(word));
        let (name, settings) = standard
            .unwrap_or(word)
            .split_once(':')
            .ok_or(format!("no kind is called {word}"))?;
        let mut kind = Self::session(name, 0);
        for setting in settings.split(',') {
            let bad = || format!("{word}: what is {setting}?");
            let (key, value) = setting.split_once('=').ok_or_else(bad)?;
            match (key.trim(), value.trim()) {
                ("pages", value) => kind.pages = value.parse()?,
                ("minutes", value) => kind.minutes = value.parse()?,
                ("days", value) => kind.days = value.parse()?,
                ("jitter", value) => kind.jitter = value.parse()?,
                ("share", value) => kind.share = value.parse()?,
                ("start", value) => kind.start = Some(value.parse()?),
                ("who", "active") => kind.who = Who::Active,
                ("who", "dormant") => kind.who = Who::Dormant,
                ("who", "new") => kind.who = Who::New,
                ("prefer", "any") => kind.prefer = Prefer::Any,
                ("prefer", "popular") => kind.prefer = Prefer::Popular,
                _ => return Err(bad().into()),
            }
        }
        let fits = (0.0..=1.0).contains(&kind.jitter)
            && kind.minutes > 0.0
            && kind.minutes <= 1_440.0
            && (1..=366).contains(&kind.days)
            && (1..=usize::try_from(NEWCOMERS)?).contains(&kind.share)
            && kind.start.is_none_or(|hour| (0..24).contains(&hour));
        if fits {
            Ok(kind)
        } else {
            Err(format!("{word}: a number is out of range").into())
        }
    }

    /// So many pages in one sitting, one a minute.
    pub(crate) fn session(name: &str, pages: usize) -> Self {
        Self {
            name: name.to_owned(),
            pages,
            minutes: float(pages.max(1)),
            days: 1,
            who: Who::Active,
            prefer: Prefer::Any,
            jitter: 0.1,
            share: 1,
            start: None,
        }
    }

    /// So many pages a day in an hour, for two weeks.
    pub(crate) fn slow(name: &str, pages: usize) -> Self {
        Self {
            minutes: 60.0,
            days: 14,
            ..Self::session(name, pages)
        }
    }

    /// When pages are opened from a moment on: spread over the minutes.
    fn times(&self, from: i64, pages: usize, rng: &mut Rng) -> Vec<i64> {
        let gap = self.minutes * 60.0 / float(pages.max(1));
        let mut after = 0.0;
        (0..pages)
            .map(|_| {
                let at = from + whole(after);
                after += gap * (1.0 + self.jitter * (2.0 * rng.f64() - 1.0));
                at
            })
            .collect()
    }
}

/// Whole seconds of a time.
fn whole(seconds: f64) -> i64 {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|time| i64::try_from(time.as_secs()).ok())
        .unwrap_or_default()
}

/// One account's part of a harvest.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Who: a number of the log, or beyond them a newcomer.
    pub(crate) user: u32,
    /// When it opens what, in order of time.
    pub(crate) reads: Vec<(i64, u32)>,
}

impl Part {
    /// The day of its last page.
    pub(crate) fn last_day(&self) -> Option<i64> {
        self.reads.last().map(|(at, _)| day_of(*at))
    }
}

/// A harvest to be put into a log.
#[derive(Debug, Clone)]
pub(crate) struct Injection {
    /// The first day.
    pub(crate) first: i64,
    /// The last day, with what runs over midnight.
    pub(crate) last: i64,
    /// Who takes what.
    pub(crate) parts: Vec<Part>,
}

/// What is known of a harvest before its pages are drawn.
struct Plan {
    index: usize,
    first: i64,
    users: Vec<u32>,
    rng: Rng,
}

/// Draws harvests of a kind for a log: the same for the same seed, kind and log.
pub(crate) fn draw(
    kind: &Kind,
    (log, span): (&Log, &Span),
    seeds: &[u64],
    count: usize,
) -> Done<Vec<Injection>> {
    let chooser = Chooser::new(kind, log, span)?;
    let mut plans = Vec::new();
    for seed in seeds {
        for index in 0..count {
            let mut rng = Rng::with_seed(mix(*seed, &kind.name, u64::try_from(index)?));
            let (first, users) = chooser.choose(&mut rng)?;
            let index = plans.len();
            plans.push(Plan {
                index,
                first,
                users,
                rng,
            });
        }
    }
    plans.sort_by_key(|plan| (plan.first, plan.index));
    let mut shelf = Shelf::default();
    let mut all: Vec<(usize, Injection)> = plans
        .into_iter()
        .map(|plan| (plan.index, fill(kind, log, plan, &mut shelf)))
        .collect();
    all.sort_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, injection)| injection).collect())
}

/// A seed for each harvest of its own.
fn mix(seed: u64, name: &str, index: u64) -> u64 {
    let stir = |number: u64| {
        let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    };
    let named = name.bytes().fold(stir(seed), |hash, byte| {
        stir(hash.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ u64::from(byte))
    });
    stir(named.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// Chooses who harvests, and from which day on.
struct Chooser<'a> {
    kind: &'a Kind,
    log: &'a Log,
    /// Every (day, reader) of the counted span that leaves enough days after it.
    pairs: Vec<(i64, u32)>,
    /// Without an event for so many days an account is dormant.
    silence: i64,
}

impl<'a> Chooser<'a> {
    fn new(kind: &'a Kind, log: &'a Log, span: &Span) -> Done<Self> {
        let until = span.until - i64::try_from(kind.days)? + 1;
        let mut pairs: Vec<(i64, u32)> = log
            .days(span.from, until)
            .iter()
            .map(|event| (day_of(event.at), event.user))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        if pairs.is_empty() {
            return Err(format!("{}: the counted weeks are too short", kind.name).into());
        }
        let mut chooser = Self {
            kind,
            log,
            pairs,
            silence: 60,
        };
        let mut days: Vec<i64> = chooser.pairs.iter().map(|(day, _)| *day).collect();
        days.dedup();
        if kind.who == Who::Dormant {
            let with = days
                .iter()
                .filter(|day| chooser.dormant(**day).len() >= kind.share);
            if with.count() * 2 < days.len() {
                chooser.silence = 30;
            }
        }
        Ok(chooser)
    }

    fn choose(&self, rng: &mut Rng) -> Done<(i64, Vec<u32>)> {
        for _ in 0..10_000 {
            let Some((day, user)) = rng.choice(&self.pairs).copied() else {
                break;
            };
            let mut users = match self.kind.who {
                Who::Active => vec![user],
                Who::Dormant | Who::New => Vec::new(),
            };
            let mut others = match self.kind.who {
                Who::Active if self.kind.share == 1 => Vec::new(),
                Who::Active => self.active(day),
                Who::Dormant => self.dormant(day),
                Who::New => (0..NEWCOMERS)
                    .map(|number| u32::try_from(self.log.users.len()).map(|known| known + number))
                    .collect::<Result<_, _>>()?,
            };
            others.retain(|other| !users.contains(other));
            rng.shuffle(&mut others);
            users.extend(others);
            users.truncate(self.kind.share);
            if users.len() == self.kind.share {
                return Ok((day, users));
            }
        }
        Err(format!("{}: hardly ever are there such accounts", self.kind.name).into())
    }

    /// Who reads on a day.
    fn active(&self, day: i64) -> Vec<u32> {
        let from = self.pairs.partition_point(|(other, _)| *other < day);
        let until = self.pairs.partition_point(|(other, _)| *other <= day);
        let pairs = self.pairs.get(from..until).unwrap_or_default();
        pairs.iter().map(|(_, user)| *user).collect()
    }

    /// Who has read, and then no more for long.
    fn dormant(&self, day: i64) -> Vec<u32> {
        let now = day * DAY_SECONDS;
        let least = now - self.silence * DAY_SECONDS;
        (0..)
            .zip(&self.log.by_user)
            .filter(|(_, own)| {
                let before = own.partition_point(|(at, _)| *at < now);
                before >= 5
                    && before
                        .checked_sub(1)
                        .and_then(|last| own.get(last))
                        .is_some_and(|(at, _)| *at < least)
            })
            .map(|(user, _)| user)
            .collect()
    }
}

/// Draws the pages of a harvest, and the moments of their opening.
fn fill(kind: &Kind, log: &Log, plan: Plan, shelf: &mut Shelf) -> Injection {
    let mut rng = plan.rng;
    let starts: Vec<i64> = (0..kind.days * kind.share)
        .map(|slot| {
            let day = plan.first + i64::try_from(slot / kind.share).unwrap_or_default();
            day * DAY_SECONDS + start(kind, log, day, &mut rng)
        })
        .collect();
    let mut clock = rng.fork();
    let there = log.items_before(plan.first);
    let daily = kind.pages.min(there / kind.days);
    let wanted = daily * kind.days;
    let pages = match kind.prefer {
        Prefer::Any => any(there, wanted, &mut rng),
        Prefer::Popular => popular(shelf.on(log, plan.first), wanted, &mut rng),
    };
    let mut pages = pages.into_iter();
    let mut parts: Vec<Part> = plan
        .users
        .iter()
        .map(|user| Part {
            user: *user,
            reads: Vec::new(),
        })
        .collect();
    for day in starts.chunks(kind.share) {
        for ((place, part), from) in parts.iter_mut().enumerate().zip(day) {
            let own = daily / kind.share + usize::from(place < daily % kind.share);
            let times = kind.times(*from, own, &mut clock);
            part.reads.extend(times.into_iter().zip(pages.by_ref()));
        }
    }
    for part in &mut parts {
        part.reads.sort_unstable();
    }
    let planned = plan.first + i64::try_from(kind.days).unwrap_or_default() - 1;
    let last = parts.iter().filter_map(Part::last_day).max();
    Injection {
        first: plan.first,
        last: last.unwrap_or(planned).max(planned),
        parts,
    }
}

/// The second of a day at which a harvest starts.
fn start(kind: &Kind, log: &Log, day: i64, rng: &mut Rng) -> i64 {
    if let Some(hour) = kind.start {
        return hour * 3_600 + rng.i64(0..3_600);
    }
    let on_day = log.days(day, day + 1);
    let events = if on_day.is_empty() {
        log.events.as_slice()
    } else {
        on_day
    };
    rng.choice(events)
        .map_or(0, |event| event.at.rem_euclid(DAY_SECONDS))
}

/// So many different numbers below a bound; the first ones do not depend on how many are drawn.
fn any(bound: usize, wanted: usize, rng: &mut Rng) -> Vec<u32> {
    let mut moved = HashMap::new();
    (0..wanted.min(bound))
        .filter_map(|place| {
            let other = rng.usize(place..bound);
            let drawn = moved.get(&other).copied().unwrap_or(other);
            let here = moved.get(&place).copied().unwrap_or(place);
            moved.insert(other, here);
            u32::try_from(drawn).ok()
        })
        .collect()
}

/// So many different items, each drawn in proportion to its readers among those that are left.
fn popular(readers: &[u32], wanted: usize, rng: &mut Rng) -> Vec<u32> {
    let mut keyed: Vec<(f64, u32)> = (0..)
        .zip(readers)
        .map(|(item, readers): (u32, &u32)| {
            let wait = -(1.0 - rng.f64()).ln();
            // What nobody reads comes after everything else.
            let late = if *readers == 0 { 1e9 } else { 0.0 };
            (late + wait / f64::from((*readers).max(1)), item)
        })
        .collect();
    keyed.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    keyed.iter().take(wanted).map(|(_, item)| *item).collect()
}

/// How many people opened each item in the 28 days before a day; the day asked for last is kept.
#[derive(Default)]
struct Shelf {
    day: Option<i64>,
    readers: Vec<u32>,
}

impl Shelf {
    fn on(&mut self, log: &Log, day: i64) -> &[u32] {
        if self.day != Some(day) {
            self.day = Some(day);
            self.readers = vec![0; log.items_before(day)];
            let mut seen = HashSet::new();
            for event in log.days(day - 28, day) {
                if seen.insert((event.item, event.user))
                    && let Some(readers) = usize::try_from(event.item)
                        .ok()
                        .and_then(|item| self.readers.get_mut(item))
                {
                    *readers += 1;
                }
            }
        }
        &self.readers
    }
}
