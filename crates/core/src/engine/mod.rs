//! The heart: reading events in order of event time become baselines and drafts of findings.
//!
//! A pure function of the events before it, the rules and the roster; it reads no clock and no file. Stopping after any
//! event, storing [`Fold::state`], and going on later gives the same as never having stopped.

mod account;
#[cfg(test)]
mod detector_tests;
mod draft;
#[cfg(test)]
mod evasion_tests;
mod exporting;
mod granted;
mod privileged_weeks;
mod running;
mod scripted;
#[cfg(test)]
mod sentence_tests;
mod tenant;
#[cfg(test)]
mod tests;
mod verdicts;

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use self::account::AccountState;
pub use self::draft::{Draft, Told};
use self::running::Reach;
use self::tenant::TenantState;
pub use self::verdicts::{Judged, Verdicts};
use crate::baseline::Readers;
use crate::model::settings::Detect;
use crate::model::{AccountId, ActorKind, RosterHistory, WordId};
use crate::session::Read;
use crate::time::{DAY_SECONDS, day_of};

/// Everything but events that a fold depends on.
#[derive(Debug)]
pub struct Rules<'a> {
    /// What is looked for.
    pub detect: &'a Detect,
    /// Who was privileged when.
    pub roster: &'a RosterHistory,
    /// The accounts that the roster names.
    pub rostered: FxHashMap<WordId, AccountId>,
    /// What they are called, where that is known. Untrusted; for sentences alone.
    pub names: FxHashMap<WordId, String>,
    /// A stable number for every account, from a digest of its id.
    pub stable: FxHashMap<WordId, u64>,
    /// The sites that are scored; none where all are.
    pub sites: Option<FxHashSet<WordId>>,
    /// The pages that nobody has a reason to open.
    pub canaries: FxHashSet<WordId>,
    /// The accounts that are known to be programs.
    pub integrations: FxHashSet<WordId>,
    /// What is kept from being told.
    pub ignored: Ignored,
    /// What people said of findings.
    pub verdicts: Verdicts,
}

/// What is kept from being told, by the numbers of this state file. Each holds for events before a moment (seconds).
#[derive(Debug, Default)]
pub struct Ignored {
    /// Accounts.
    pub accounts: FxHashMap<WordId, i64>,
    /// Spaces.
    pub spaces: FxHashMap<WordId, i64>,
    /// Network addresses.
    pub addresses: FxHashMap<WordId, i64>,
    /// Groups: whoever is privileged by one of them.
    pub groups: Vec<(String, i64)>,
}

impl Rules<'_> {
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
                .map(|via| via.label().to_owned())
                .collect()
        })
    }

    fn ignores(&self, read: &Read) -> bool {
        let holds = |list: &FxHashMap<WordId, i64>, id: Option<WordId>| {
            id.and_then(|id| list.get(&id))
                .is_some_and(|until| read.at < *until)
        };
        holds(&self.ignored.accounts, Some(read.account))
            || holds(&self.ignored.spaces, read.space)
            || holds(&self.ignored.addresses, read.address)
            || self.ignored.groups.iter().any(|(group, until)| {
                read.at < *until
                    && self
                        .privileged(read.account, read.at)
                        .iter()
                        .any(|via| via == group)
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

/// The state of a fold, to be stored.
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
    /// The score of the ledger when the day was over, in bits.
    pub bits: f64,
    /// How many active person-days a week the line counted on when the day began.
    pub person_days_a_week: f64,
}

/// What a fold hands out as it goes.
#[derive(Debug, Clone, Default)]
struct Out {
    /// The drafts of periods that are over.
    drafts: Vec<Draft>,
    /// The days that are over, where somebody asked for them.
    days: Option<Vec<DayScore>>,
}

/// The fold in progress.
#[derive(Debug, Clone)]
pub struct Fold<'a> {
    rules: &'a Rules<'a>,
    tenant: TenantState,
    accounts: FxHashMap<WordId, Box<AccountState>>,
    pages: FxHashMap<WordId, Readers>,
    touched: FxHashSet<WordId>,
    touched_pages: FxHashSet<WordId>,
    out: Out,
}

impl<'a> Fold<'a> {
    /// Begins before the first event.
    pub fn new(rules: &'a Rules<'a>) -> Self {
        Self {
            rules,
            tenant: TenantState::new(),
            accounts: FxHashMap::default(),
            pages: FxHashMap::default(),
            touched: FxHashSet::default(),
            touched_pages: FxHashSet::default(),
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
    pub fn resume(rules: &'a Rules<'a>, state: &State) -> Option<Self> {
        let mut fold = Self::new(rules);
        fold.tenant = postcard::from_bytes(&state.tenant).ok()?;
        for (account, state) in &state.accounts {
            fold.accounts
                .insert(*account, postcard::from_bytes(state).ok()?);
        }
        for (page, state) in &state.pages {
            fold.pages.insert(*page, postcard::from_bytes(state).ok()?);
        }
        Some(fold)
    }

    /// The state to store: the tenant's part, and the parts of what was touched since the last call.
    pub fn state(&mut self) -> Option<State> {
        Some(State {
            tenant: postcard::to_allocvec(&self.tenant).ok()?,
            accounts: parts(&mut self.touched, &self.accounts)?,
            pages: parts(&mut self.touched_pages, &self.pages)?,
        })
    }

    /// Takes the next event; it must not lie before the last one.
    pub fn take(&mut self, read: &Read) {
        self.pass_midnights(read.at);
        if !self.rules.scores(read) {
            return;
        }
        if self.rules.ignores(read) {
            self.tenant.ignored += 1;
            return;
        }
        self.touched.insert(read.account);
        let state = self
            .accounts
            .entry(read.account)
            .or_insert_with(|| Box::new(AccountState::new(self.rules.group(read))));
        let mut reach = Reach {
            rules: self.rules,
            tenant: &mut self.tenant,
            pages: &mut self.pages,
            touched_pages: &mut self.touched_pages,
            out: &mut self.out,
        };
        state.take(read, &mut reach);
    }

    /// The drafts of periods that are over, since the last call: nothing to come can change them.
    pub fn finished(&mut self) -> Vec<Draft> {
        std::mem::take(&mut self.out.drafts)
    }

    /// The drafts of periods that may still grow, as they stand, in no particular order.
    pub fn standing(&self) -> Vec<Draft> {
        self.accounts
            .iter()
            .flat_map(|(account, state)| state.standing(*account, self.rules, &self.tenant))
            .collect()
    }

    /// How many events the ignore rules left out.
    pub const fn ignored(&self) -> u64 {
        self.tenant.ignored
    }

    /// Lets time pass without an event, up to a moment: what is over at a midnight until then is closed.
    pub fn pass(&mut self, at: i64) {
        self.pass_midnights(at);
    }

    /// Passes every midnight up to a moment: days that are over are closed, and the line follows how many are active. On
    /// Mondays what is usual is learnt from what ended before Sunday; every day while a tenant is new, for then a day is
    /// much.
    fn pass_midnights(&mut self, at: i64) {
        let day = day_of(at);
        let Some(today) = self.tenant.begin(day) else {
            return;
        };
        for next in (today + 1).max(day - LONGEST_SILENCE)..=day {
            self.close(next);
            // 1970-01-01 was a Thursday, so Mondays are 4 modulo 7.
            if next.rem_euclid(7) == 4 || self.tenant.warms_up(next) {
                self.learn(next);
            }
            self.tenant
                .begin_day(next, self.rules.detect.alerts_per_week);
            let over = self.tenant.privileged.pass(next, self.rules);
            self.out.drafts.extend(over);
        }
    }

    /// Closes the days and the weeks of accounts that are over at 00:00 of a day: an open day takes several times the
    /// memory of a closed one.
    fn close(&mut self, day: i64) {
        let instant = day * DAY_SECONDS;
        let mut over: Vec<WordId> = self
            .accounts
            .iter()
            .filter(|(account, state)| state.is_over(**account, instant, self.rules))
            .map(|(account, _)| *account)
            .collect();
        over.sort_by_key(|account| self.rules.stable(*account));
        let mut reach = Reach {
            rules: self.rules,
            tenant: &mut self.tenant,
            pages: &mut self.pages,
            touched_pages: &mut self.touched_pages,
            out: &mut self.out,
        };
        for account in over {
            if let Some(state) = self.accounts.get_mut(&account) {
                state.settle(account, instant, &mut reach);
                self.touched.insert(account);
            }
        }
    }

    /// Learns what is usual, at 00:00 of a day.
    fn learn(&mut self, day: i64) {
        let mut accounts: Vec<(u64, WordId, &AccountState)> = self
            .accounts
            .iter()
            .map(|(account, state)| (self.rules.stable(*account), *account, &**state))
            .collect();
        accounts.sort_unstable_by_key(|(stable, account, _)| (*stable, *account));
        let people: Vec<&AccountState> = accounts.into_iter().map(|(.., state)| state).collect();
        self.tenant.refit(day, &people);
        for (page, readers) in &mut self.pages {
            if readers.forget(day) {
                self.touched_pages.insert(*page);
            }
        }
    }
}

/// What was touched, as bytes.
fn parts<T: Serialize>(
    touched: &mut FxHashSet<WordId>,
    all: &FxHashMap<WordId, T>,
) -> Option<BTreeMap<WordId, Vec<u8>>> {
    touched
        .drain()
        .filter_map(|id| Some((id, all.get(&id)?)))
        .map(|(id, part)| Some((id, postcard::to_allocvec(part).ok()?)))
        .collect()
}
