//! What each suppression leaves out, counted over the stored events, so that every suppressed event is accounted for.
//!
//! The same rule as the analysis has, one at a time. It reads every event that the analysis takes, but only where there are
//! rules.

use chrono::NaiveDate;
use rustc_hash::{FxHashMap, FxHashSet};

use super::feed::Feed;
use super::rules::terms_in;
use crate::analysis::{Subject, roster};
use crate::config::{self, Suppressed};
use crate::output::status::Suppression;
use crate::storage::{Place, Store, StoreError};
use pagewarden_core::engine::Taken;
use pagewarden_core::model::{AccountId, ActorKind, RosterHistory, WordId};
use pagewarden_core::session::Read;
use pagewarden_core::time::DAY_SECONDS;

/// Every suppression, in the order of the config, with how many events it leaves out.
pub async fn count(
    store: &dyn Store,
    subject: &Subject<'_>,
    today: NaiveDate,
) -> Result<Vec<Suppression>, StoreError> {
    let rules = &subject.detect.suppress;
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let roster = roster(store, subject).await?;
    let accounts = store.accounts_after(subject.tenant, 0).await?;
    let accounts: FxHashMap<WordId, AccountId> = accounts.into_iter().collect();
    let people = People {
        roster: &roster,
        accounts: &accounts,
    };
    let mut picks = Vec::with_capacity(rules.len());
    for rule in rules {
        let pick = Pick::of(store, subject, rule, &accounts).await?;
        picks.push((pick, 0_u64));
    }
    let mut sites = Vec::with_capacity(subject.sites.len());
    for site in subject.sites {
        sites.push(store.term_no(subject.tenant, site).await?);
    }
    let scored = |read: &Read| {
        let actor = match read.actor {
            ActorKind::Person | ActorKind::Customer | ActorKind::App => true,
            ActorKind::System | ActorKind::Unknown => false,
        };
        let here = |site| sites.is_empty() || sites.contains(&Some(site));
        actor && read.site.is_none_or(here)
    };
    let feed = Feed::of(store, subject.tenant).await?;
    let everything = feed.read(store, (i64::MIN, i64::MAX), |taken| {
        // Single events are counted by nothing.
        let Taken::Reading(read) = taken else { return };
        if scored(read) {
            for (pick, events) in &mut picks {
                *events += u64::from(pick.holds(read, &people));
            }
        }
    });
    everything.await?;
    Ok(rules
        .iter()
        .zip(picks)
        .map(|(rule, (_, events))| described(rule, events, today))
        .collect())
}

/// Who was privileged when, by the numbers of the state file.
struct People<'a> {
    roster: &'a RosterHistory,
    accounts: &'a FxHashMap<WordId, AccountId>,
}

/// What one rule picks, by the numbers of the state file, and the second after its last.
struct Pick<'a> {
    what: What<'a>,
    until: i64,
}

/// What it looks at.
enum What<'a> {
    Account(Option<WordId>),
    Group(&'a str),
    Spaces(FxHashSet<WordId>),
    Addresses(FxHashSet<WordId>),
}

impl<'a> Pick<'a> {
    async fn of(
        store: &dyn Store,
        subject: &Subject<'_>,
        rule: &'a config::Suppression,
        accounts: &FxHashMap<WordId, AccountId>,
    ) -> Result<Self, StoreError> {
        let what = match &rule.what {
            Suppressed::Account(named) => {
                let found = accounts.iter().find(|(_, account)| *account == named);
                What::Account(found.map(|(id, _)| *id))
            }
            Suppressed::Group(group) => What::Group(group),
            Suppressed::Space(space) => {
                let (place, site) = ((Place::Space, space.id.as_str()), space.site.as_deref());
                let ids = store.place_nos(subject.tenant, place, site).await?;
                What::Spaces(ids.into_iter().collect())
            }
            Suppressed::Network(network) => {
                let ids = terms_in(store, subject.tenant, network).await?;
                What::Addresses(ids.into_iter().collect())
            }
        };
        let day = rule.until.signed_duration_since(NaiveDate::default());
        let until = (day.num_days() + 1).saturating_mul(DAY_SECONDS);
        Ok(Self { what, until })
    }

    fn holds(&self, read: &Read, people: &People<'_>) -> bool {
        read.at < self.until
            && match &self.what {
                What::Account(account) => *account == Some(read.account),
                What::Group(group) => people.accounts.get(&read.account).is_some_and(|account| {
                    let sources = people.roster.privileged(account, read.at);
                    sources.iter().any(|source| source.label() == *group)
                }),
                What::Spaces(ids) => read.space.is_some_and(|space| ids.contains(&space)),
                What::Addresses(ids) => read.address.is_some_and(|address| ids.contains(&address)),
            }
    }
}

/// A rule as `status` shows it.
fn described(rule: &config::Suppression, events: u64, today: NaiveDate) -> Suppression {
    let config::Suppression {
        what,
        reason,
        until,
    } = rule;
    let (kind, value) = match what {
        Suppressed::Account(account) => ("account", account.as_str().to_owned()),
        Suppressed::Group(group) => ("group", group.clone()),
        Suppressed::Space(space) => {
            let id = &space.id;
            let site = space.site.as_ref();
            (
                "space",
                site.map_or_else(|| id.clone(), |site| format!("{id} on {site}")),
            )
        }
        Suppressed::Network(network) => ("network", network.clone()),
    };
    Suppression {
        kind,
        value,
        reason: reason.clone(),
        until: *until,
        ended: today > *until,
        events,
    }
}
