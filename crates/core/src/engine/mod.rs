//! The engine: reading events in order of event time become baselines and drafts of findings.
//!
//! A pure function of the events before it, the rules and the roster; it reads no clock and no file. Stopping after any
//! event, storing [`Engine::state`], and going on later gives the same as never having stopped.

mod account;
#[cfg(test)]
mod detector_tests;
mod draft;
#[cfg(test)]
mod evasion_tests;
mod exporting;
mod granted;
mod habit;
mod privileged_weeks;
mod reach;
mod running;
mod scripted;
#[cfg(test)]
mod sentence_tests;
mod shared;
mod signs;
#[cfg(test)]
mod signs_tests;
#[cfg(test)]
mod state_tests;
mod tenant;
#[cfg(test)]
mod tests;
mod verdicts;

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use self::account::AccountState;
pub use self::draft::{Draft, Reported};
use self::habit::Habit;
use self::reach::Reach;
use self::shared::Shared;
use self::tenant::TenantState;
pub use self::verdicts::{Marked, Verdicts};
use crate::baseline::Readers;
use crate::detect::{Single, joining};
use crate::model::settings::Detect;
use crate::model::{AccountId, ActorKind, RosterHistory, WordId};
use crate::session::Read;
use crate::time::{DAY_SECONDS, day_of};

/// Changes when the same events may give another state, or other findings: what was stored before is not gone on from.
pub const STATE_VERSION: u32 = 5;

/// Everything but events that findings depend on.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What is looked for.
    pub detect: Detect,
    /// Who was privileged when.
    pub roster: RosterHistory,
    /// The accounts that the roster names.
    pub rostered: FxHashMap<WordId, AccountId>,
    /// What they are called, where that is known. Untrusted; for sentences alone.
    pub names: FxHashMap<WordId, String>,
    /// A stable number for every account, from a digest of its id.
    pub stable: FxHashMap<WordId, u64>,
    /// The sites that are scored; none where all are.
    pub sites: Option<FxHashSet<WordId>>,
    /// The canary pages.
    pub canaries: FxHashSet<WordId>,
    /// The accounts that are known to be programs.
    pub integrations: FxHashSet<WordId>,
    /// The suppressions in force.
    pub suppressions: Suppressions,
    /// The verdicts of people.
    pub verdicts: Verdicts,
}

/// Suppressions, by the numbers of this state file. Each holds for events before a moment (seconds).
#[derive(Debug, Clone, Default)]
pub struct Suppressions {
    /// Accounts.
    pub accounts: FxHashMap<WordId, i64>,
    /// Spaces.
    pub spaces: FxHashMap<WordId, i64>,
    /// Network addresses.
    pub addresses: FxHashMap<WordId, i64>,
    /// Groups: whoever is privileged by one of them.
    pub groups: Vec<(String, i64)>,
}

impl Rules {
    /// The stable number of an account.
    fn stable(&self, account: WordId) -> u64 {
        self.stable.get(&account).copied().unwrap_or_default()
    }

    /// Whose habits the account of an event is held against.
    fn group(&self, read: &Read) -> PeerGroup {
        if self.integrations.contains(&read.account) {
            PeerGroup::Apps
        } else {
            PeerGroup::of(read.actor)
        }
    }

    /// Why an account is privileged at a moment.
    fn privileged(&self, account: WordId, at: i64) -> Vec<String> {
        self.rostered.get(&account).map_or_else(Vec::new, |id| {
            self.roster
                .privileged(id, at)
                .into_iter()
                .map(|source| source.label().to_owned())
                .collect()
        })
    }

    fn suppresses(&self, read: &Read) -> bool {
        let holds = |list: &FxHashMap<WordId, i64>, id: Option<WordId>| {
            id.and_then(|id| list.get(&id))
                .is_some_and(|until| read.at < *until)
        };
        holds(&self.suppressions.accounts, Some(read.account))
            || holds(&self.suppressions.spaces, read.space)
            || holds(&self.suppressions.addresses, read.address)
            || self.suppressions.groups.iter().any(|(group, until)| {
                read.at < *until
                    && self
                        .privileged(read.account, read.at)
                        .iter()
                        .any(|source| source == group)
            })
    }

    fn scores(&self, read: &Read) -> bool {
        let known_actor = match read.actor {
            ActorKind::Person | ActorKind::Customer | ActorKind::App => true,
            ActorKind::System | ActorKind::Unknown => false,
        };
        known_actor
            && read.site.is_none_or(|site| {
                self.sites
                    .as_ref()
                    .is_none_or(|sites| sites.contains(&site))
            })
    }

    fn gap(&self) -> i64 {
        i64::try_from(self.detect.session_gap.as_secs()).unwrap_or(i64::MAX / 4)
    }
}

/// A stored event that the engine takes.
#[derive(Debug, Clone, Copy)]
pub enum Taken<'a> {
    /// It is of reading.
    Reading(&'a Read),
    /// It is of another class, with its action; rules look at it by itself.
    Single(&'a Read, &'a str),
}

impl Taken<'_> {
    /// Event time, seconds.
    pub const fn at(&self) -> i64 {
        match self {
            Self::Reading(read) | Self::Single(read, _) => read.at,
        }
    }

    /// Event time and key: the order in which events are taken.
    pub const fn place(&self) -> (i64, [u8; 16]) {
        match self {
            Self::Reading(read) | Self::Single(read, _) => (read.at, read.key),
        }
    }
}

/// How many midnights are passed one by one; after a longer silence nothing is left to count in them.
const LONGEST_SILENCE: i64 = 64;

/// Whose habits an account is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum PeerGroup {
    /// Human beings.
    People,
    /// Apps and integrations, each with its own idea of much.
    Apps,
}

impl PeerGroup {
    const fn of(actor: ActorKind) -> Self {
        match actor {
            ActorKind::App => Self::Apps,
            ActorKind::Person | ActorKind::Customer | ActorKind::System | ActorKind::Unknown => {
                Self::People
            }
        }
    }
}

/// The state of an engine, to be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The tenant's part.
    pub tenant: Vec<u8>,
    /// Each account's part.
    pub accounts: BTreeMap<WordId, Vec<u8>>,
    /// Each page's part.
    pub pages: BTreeMap<WordId, Vec<u8>>,
}

/// What one account's day of reading came to, for whoever evaluates the method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayScore {
    /// Whose.
    pub account: WordId,
    /// The UTC day in which its sessions began.
    pub day: i64,
    /// The score of the day when the day was over, in bits.
    pub bits: f64,
    /// How many active person-days a week the threshold counted on when the day began.
    pub person_days_a_week: f64,
}

/// What an engine hands out as it goes.
#[derive(Debug, Clone, Default)]
struct Out {
    /// The drafts of periods that are over.
    drafts: Vec<Draft>,
    /// The days that are over, where somebody asked for them.
    days: Option<Vec<DayScore>>,
}

/// The engine: what is known after the events so far, without the rules. A copy shares memory with the original: it
/// costs little, and so does going on from both.
#[derive(Debug, Clone)]
pub struct Engine {
    tenant: TenantState,
    accounts: Shared<AccountState>,
    pages: Shared<Readers>,
    out: Out,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// Begins before the first event.
    pub fn new() -> Self {
        Self {
            tenant: TenantState::new(),
            accounts: Shared::default(),
            pages: Shared::default(),
            out: Out::default(),
        }
    }

    /// Keeps what every day of reading came to, for [`days`](Self::days).
    #[must_use]
    pub fn keeping_days(mut self) -> Self {
        self.out.days = Some(Vec::new());
        self
    }

    /// The days of reading that ended since the last call, in the order in which they were closed: each when its account
    /// next read, or at the first midnight after it was over. None unless [kept](Self::keeping_days).
    pub fn days(&mut self) -> Vec<DayScore> {
        self.out
            .days
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Goes on from a stored state; none where it cannot be read back, so that one begins anew.
    pub fn resume(state: &State) -> Option<Self> {
        let mut engine = Self::new();
        engine.tenant = postcard::from_bytes(&state.tenant).ok()?;
        for (account, state) in &state.accounts {
            engine
                .accounts
                .insert(*account, postcard::from_bytes(state).ok()?);
        }
        for (page, state) in &state.pages {
            engine
                .pages
                .insert(*page, postcard::from_bytes(state).ok()?);
        }
        Some(engine)
    }

    /// How many accounts it knows.
    pub fn accounts(&self) -> u64 {
        u64::try_from(self.accounts.iter().count()).unwrap_or(u64::MAX)
    }

    /// The whole state, to be stored.
    pub fn state(&self) -> Option<State> {
        Some(State {
            tenant: postcard::to_allocvec(&self.tenant).ok()?,
            accounts: parts(self.accounts.iter())?,
            pages: parts(self.pages.iter())?,
        })
    }

    /// The state to store where that of an earlier copy is stored: the tenant's part, and the parts of what was touched
    /// since. The copy must not have gone on by itself.
    pub fn state_since(&self, base: &Self) -> Option<State> {
        Some(State {
            tenant: postcard::to_allocvec(&self.tenant).ok()?,
            accounts: parts(self.accounts.since(&base.accounts))?,
            pages: parts(self.pages.since(&base.pages))?,
        })
    }

    /// Takes the next event of whatever class; it must not lie before the last one.
    pub fn take_any(&mut self, rules: &Rules, taken: Taken<'_>) {
        match taken {
            Taken::Reading(read) => self.take(rules, read),
            Taken::Single(event, action) => self.take_single(rules, event, action),
        }
    }

    /// Keeps what rules over single events say of an event. No time passes with it: it must not change what is usual.
    fn take_single(&mut self, rules: &Rules, event: &Read, action: &str) {
        let single = Single {
            at: event.at,
            class: event.class,
            action,
            actor: event.actor,
            who: None,
            on_page: event.page.is_some(),
            in_space: event.space.is_some(),
        };
        let signs = joining(&single, Some(&rules.detect));
        if signs.is_empty() || !rules.scores(event) || rules.suppresses(event) {
            return;
        }
        if self.accounts.get(event.account).is_none() {
            self.accounts
                .insert(event.account, AccountState::new(rules.group(event)));
        }
        if let Some(state) = self.accounts.get_mut(event.account) {
            for sign in signs {
                state.note(event.at, sign);
            }
        }
    }

    /// Takes the next reading event; it must not lie before the last one.
    pub fn take(&mut self, rules: &Rules, read: &Read) {
        self.pass(rules, read.at);
        if !rules.scores(read) {
            return;
        }
        if rules.suppresses(read) {
            self.tenant.suppressed += 1;
            return;
        }
        if self.accounts.get(read.account).is_none() {
            self.accounts
                .insert(read.account, AccountState::new(rules.group(read)));
        }
        let mut reach = Reach {
            rules,
            tenant: &mut self.tenant,
            pages: &mut self.pages,
            out: &mut self.out,
        };
        if let Some(state) = self.accounts.get_mut(read.account) {
            state.take(read, &mut reach);
        }
    }

    /// The drafts of periods that are over, since the last call: nothing to come can change them.
    pub fn finished(&mut self) -> Vec<Draft> {
        std::mem::take(&mut self.out.drafts)
    }

    /// The same, without handing them out.
    pub fn unclaimed(&self) -> &[Draft] {
        &self.out.drafts
    }

    /// Drops so many of the first drafts of periods that are over: an earlier copy has handed them out.
    pub fn drop_finished(&mut self, count: usize) {
        self.out.drafts.drain(..count.min(self.out.drafts.len()));
    }

    /// The drafts of periods that may still grow, as they stand, in no particular order.
    pub fn standing(&self, rules: &Rules) -> Vec<Draft> {
        self.accounts
            .iter()
            .flat_map(|(account, state)| state.standing(account, rules, &self.tenant))
            .collect()
    }

    /// How many events the suppressions left out.
    pub const fn suppressed(&self) -> u64 {
        self.tenant.suppressed
    }

    /// Lets time pass without an event, up to a moment. At every midnight until then days that are over are closed, and the
    /// threshold follows how many are active. On Mondays what is usual is learnt from what ended before Sunday; every day while a
    /// tenant is new, for then a day is much.
    pub fn pass(&mut self, rules: &Rules, at: i64) {
        let day = day_of(at);
        let Some(today) = self.tenant.begin(day) else {
            return;
        };
        for next in (today + 1).max(day - LONGEST_SILENCE)..=day {
            self.close(rules, next);
            // 1970-01-01 was a Thursday, so Mondays are 4 modulo 7.
            if next.rem_euclid(7) == 4 || self.tenant.warms_up(next) {
                self.learn(rules, next);
            }
            self.tenant.begin_day(next, rules.detect.alerts_per_week);
            let over = self.tenant.privileged.pass(next, rules);
            self.out.drafts.extend(over);
        }
    }

    /// Closes the days and the weeks of accounts that are over at 00:00 of a day: an open day takes several times the
    /// memory of a closed one.
    fn close(&mut self, rules: &Rules, day: i64) {
        let instant = day * DAY_SECONDS;
        let mut over: Vec<WordId> = self
            .accounts
            .iter()
            .filter(|(account, state)| state.is_over(*account, instant, rules))
            .map(|(account, _)| account)
            .collect();
        over.sort_by_key(|account| rules.stable(*account));
        let mut reach = Reach {
            rules,
            tenant: &mut self.tenant,
            pages: &mut self.pages,
            out: &mut self.out,
        };
        for account in over {
            if let Some(state) = self.accounts.get_mut(account) {
                state.settle(account, instant, &mut reach);
            }
        }
    }

    /// Learns what is usual, at 00:00 of a day.
    fn learn(&mut self, rules: &Rules, day: i64) {
        let mut accounts: Vec<(u64, WordId, &AccountState)> = self
            .accounts
            .iter()
            .map(|(account, state)| (rules.stable(account), account, state))
            .collect();
        accounts.sort_unstable_by_key(|(stable, account, _)| (*stable, *account));
        let people: Vec<&Habit> = accounts
            .into_iter()
            .map(|(.., state)| &state.habit)
            .collect();
        self.tenant.refit(day, &people);
        let left: Vec<WordId> = self
            .pages
            .iter()
            .filter(|(_, readers)| readers.forgets(day))
            .map(|(page, _)| page)
            .collect();
        for page in left {
            if let Some(readers) = self.pages.get_mut(page) {
                readers.forget(day);
            }
        }
    }
}

/// Each part as bytes.
fn parts<'a, T: Serialize + 'a>(
    parts: impl Iterator<Item = (WordId, &'a T)>,
) -> Option<BTreeMap<WordId, Vec<u8>>> {
    parts
        .map(|(id, part)| Some((id, postcard::to_allocvec(part).ok()?)))
        .collect()
}
