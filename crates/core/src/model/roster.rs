//! Who is privileged as of a moment, and the role or group that makes it so.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountId, Change, Membership};

/// What makes an account privileged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "name")]
pub enum GrantSource {
    /// A platform role, without its `atlassian/` prefix.
    Role(String),
    /// A group, by name (by id, where that is all there is).
    Group(String),
    /// The config lists the account.
    Listed,
}

impl GrantSource {
    /// The word that a finding has for it.
    pub fn label(&self) -> &str {
        match self {
            Self::Role(name) | Self::Group(name) => name,
            Self::Listed => "listed",
        }
    }
}

/// A group that makes its members privileged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group {
    /// Its id, where known.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
}

/// One reason why one account is privileged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Privilege {
    /// Whose.
    pub account: AccountId,
    /// Why.
    #[serde(rename = "via")]
    pub grant_source: GrantSource,
}

/// Everybody who is privileged at one moment, as the directory says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The moment, by the directory's own clock where its answer carries one.
    pub as_of: DateTime<Utc>,
    /// Sorted, without repeats.
    pub privileges: Vec<Privilege>,
    /// The groups that were found to make privileged, members or not. Sorted.
    pub groups: Vec<Group>,
}

/// Who was privileged when: the snapshots, corrected by the membership changes in the logs.
///
/// The first snapshot extends back without limit, less what joined and plus what left before it; a later one holds
/// from its time on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RosterHistory {
    /// Per account and reason, the moments (in seconds) at which it changed, in order; the first entry holds from ever.
    spans: BTreeMap<AccountId, BTreeMap<GrantSource, Vec<(i64, bool)>>>,
}

impl RosterHistory {
    /// Puts together what the directory said (in order of time) and what the logs say (in order of time).
    ///
    /// `privileging` returns whether a membership makes privileged by its name alone; groups of the snapshots do anyway.
    pub fn new(
        snapshots: &[Snapshot],
        changes: &[(DateTime<Utc>, Change)],
        privileging: impl Fn(&GrantSource) -> bool,
    ) -> Self {
        let mut facts: BTreeMap<(AccountId, GrantSource), Vec<(i64, bool)>> = BTreeMap::new();
        let groups: Vec<&Group> = snapshots
            .iter()
            .flat_map(|snapshot| &snapshot.groups)
            .collect();
        for (at, change) in changes {
            let source = canonical(&change.grant_source, &groups);
            if privileging(&source)
                || groups
                    .iter()
                    .any(|group| GrantSource::Group(group.name.clone()) == source)
            {
                facts
                    .entry((change.account.clone(), source))
                    .or_default()
                    .push((at.timestamp(), change.to == Membership::Joined));
            }
        }
        for snapshot in snapshots {
            for Privilege {
                account,
                grant_source: source,
            } in &snapshot.privileges
            {
                facts.entry((account.clone(), source.clone())).or_default();
            }
        }
        let mut history = Self::default();
        for ((account, source), changes) in facts {
            let seen: Vec<(i64, bool)> = snapshots
                .iter()
                .map(|snapshot| {
                    let held = snapshot
                        .privileges
                        .iter()
                        .any(|held| held.account == account && held.grant_source == source);
                    (snapshot.as_of.timestamp(), held)
                })
                .collect();
            history
                .spans
                .entry(account)
                .or_default()
                .insert(source, timeline(&seen, &changes));
        }
        history
    }

    /// Makes accounts privileged at all times, because the config lists them.
    #[must_use]
    pub fn listing(mut self, accounts: &[AccountId]) -> Self {
        for account in accounts {
            self.spans
                .entry(account.clone())
                .or_default()
                .insert(GrantSource::Listed, vec![(i64::MIN, true)]);
        }
        self
    }

    /// What is said of the time before a moment (in seconds), as bytes to compare.
    pub fn before(&self, line: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (account, sources) in &self.spans {
            for (source, spans) in sources {
                for (from, held) in spans.iter().take_while(|(from, _)| *from < line) {
                    bytes.extend(format!("{account}\0{source:?}\0{from}\0{held}\n").bytes());
                }
            }
        }
        bytes
    }

    /// Why the account is privileged at a moment (in seconds); empty where it is not.
    pub fn privileged(&self, account: &AccountId, at: i64) -> Vec<&GrantSource> {
        let Some(sources) = self.spans.get(account) else {
            return Vec::new();
        };
        sources
            .iter()
            .filter(|(_, spans)| holds(spans, at))
            .map(|(source, _)| source)
            .collect()
    }

    /// When (in seconds, later than `after` and not later than `until`) an account that was not privileged first became so,
    /// and why; none where it did not.
    pub fn became_privileged(
        &self,
        account: &AccountId,
        after: i64,
        until: i64,
    ) -> Option<(i64, &GrantSource)> {
        let sources = self.spans.get(account)?;
        let begins = |(source, spans): (_, &Vec<(i64, bool)>)| {
            let begins = spans.iter().filter(|(from, held)| {
                *held
                    && *from > after
                    && *from <= until
                    && !sources.values().any(|spans| holds(spans, from - 1))
            });
            begins
                .map(|(from, _)| *from)
                .min()
                .map(|from| (from, source))
        };
        sources.iter().filter_map(begins).min()
    }

    /// How many accounts are privileged at a moment (in seconds).
    pub fn count(&self, at: i64) -> usize {
        self.spans
            .values()
            .filter(|sources| sources.values().any(|spans| holds(spans, at)))
            .count()
    }

    /// Every account that was ever privileged.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.spans.keys()
    }
}

/// The group's name where the change has only its id.
fn canonical(source: &GrantSource, groups: &[&Group]) -> GrantSource {
    match source {
        GrantSource::Group(word) => groups
            .iter()
            .find(|group| group.id.as_deref() == Some(word))
            .map_or_else(
                || source.clone(),
                |group| GrantSource::Group(group.name.clone()),
            ),
        GrantSource::Role(_) | GrantSource::Listed => source.clone(),
    }
}

fn holds(spans: &[(i64, bool)], at: i64) -> bool {
    spans
        .iter()
        .take_while(|(from, _)| *from <= at)
        .last()
        .is_some_and(|(_, held)| *held)
}

/// One fact over time: what held before everything, then every change of it.
fn timeline(seen: &[(i64, bool)], changes: &[(i64, bool)]) -> Vec<(i64, bool)> {
    let first_seen = seen.first().copied();
    let before = match (first_seen, changes.first()) {
        // Undone backwards: before the first change the opposite held.
        (Some((as_of, _)), Some((at, joined))) if *at <= as_of => !joined,
        (None, Some((_, joined))) => !joined,
        (Some((_, held)), _) => held,
        (None, None) => false,
    };
    let mut all: Vec<(i64, bool)> = changes.iter().chain(seen).copied().collect();
    all.sort_by_key(|(at, _)| *at);
    let mut spans = vec![(i64::MIN, before)];
    for (at, held) in all {
        if spans.last().is_some_and(|(_, last)| *last != held) {
            spans.push((at, held));
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::moment;

    fn privilege(name: &str, group: &str) -> Privilege {
        Privilege {
            account: AccountId::new(name),
            grant_source: GrantSource::Group(group.into()),
        }
    }

    fn change(at: i64, name: &str, group: &str, to: Membership) -> (DateTime<Utc>, Change) {
        (
            moment(at),
            Change {
                account: AccountId::new(name),
                grant_source: GrantSource::Group(group.into()),
                to,
            },
        )
    }

    fn snapshot(at: i64, names: &[&str]) -> Snapshot {
        Snapshot {
            as_of: moment(at),
            privileges: names.iter().map(|name| privilege(name, "admins")).collect(),
            groups: vec![Group {
                id: Some("g-1".into()),
                name: "admins".into(),
            }],
        }
    }

    fn admin(history: &RosterHistory, name: &str, at: i64) -> bool {
        !history.privileged(&AccountId::new(name), at).is_empty()
    }

    #[test]
    fn the_first_roster_extends_back_without_limit() {
        let history = RosterHistory::new(&[snapshot(100, &["ann"])], &[], |_| false);
        assert!(admin(&history, "ann", -1_000_000) && admin(&history, "ann", 5_000));
        assert!(!admin(&history, "bob", 50));
    }

    #[test]
    fn the_logs_correct_the_first_roster_backwards() {
        let changes = [
            change(40, "ann", "g-1", Membership::Joined),
            change(60, "bob", "admins", Membership::Left),
        ];
        let history = RosterHistory::new(&[snapshot(100, &["ann"])], &changes, |_| false);
        assert!(!admin(&history, "ann", 39) && admin(&history, "ann", 40));
        assert!(admin(&history, "bob", 59) && !admin(&history, "bob", 60));
    }

    #[test]
    fn a_later_roster_holds_from_its_time_on_and_the_logs_between() {
        let changes = [change(120, "bob", "admins", Membership::Joined)];
        let history = RosterHistory::new(
            &[snapshot(100, &["ann"]), snapshot(200, &["bob"])],
            &changes,
            |_| false,
        );
        assert!(!admin(&history, "bob", 119) && admin(&history, "bob", 120));
        assert!(admin(&history, "ann", 199) && !admin(&history, "ann", 200));
    }

    #[test]
    fn an_account_becomes_privileged_where_it_was_not_before() {
        let changes = [
            change(40, "ann", "admins", Membership::Joined),
            change(50, "ann", "owners", Membership::Joined),
            change(60, "bob", "owners", Membership::Joined),
        ];
        let history = RosterHistory::new(&[snapshot(100, &["ann", "bob"])], &changes, |_| true);
        let became = |name: &str, after, until| {
            let became = history.became_privileged(&AccountId::new(name), after, until);
            became.map(|(at, source)| (at, source.label().to_owned()))
        };
        assert_eq!(became("ann", 0, 45), Some((40, "admins".to_owned())));
        assert_eq!(became("ann", 0, 39), None);
        // It was privileged already, and so was whoever the first roster has had from ever.
        assert_eq!(became("ann", 40, 100), None);
        assert_eq!(became("bob", i64::MIN, 100), None);
    }

    #[test]
    fn a_group_that_makes_nobody_privileged_is_left_out() {
        let changes = [change(40, "ann", "readers", Membership::Joined)];
        let history = RosterHistory::new(&[snapshot(100, &[])], &changes, |_| false);
        assert!(!admin(&history, "ann", 50));
    }
}
