//! What privileged accounts read, summed up by the UTC week.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use super::{Draft, Reported, Rules};
use crate::model::{Class, Expected, Family, Severity, Signal, WordId};
use crate::session::{Read, Tally};
use crate::text;

/// How many accounts are named.
const NAMED: usize = 20;

/// One week, from Monday 00:00 UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Week {
    first: i64,
    last: i64,
    views: u32,
    spaces: FxHashSet<WordId>,
    pages: FxHashSet<WordId>,
    accounts: BTreeMap<WordId, FxHashSet<WordId>>,
}

/// The weeks that are not over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PrivilegedWeeks {
    weeks: BTreeMap<i64, Week>,
    /// The last week that is over, and the last one that came to something.
    over: Option<i64>,
    reported: Option<i64>,
}

impl PrivilegedWeeks {
    /// Notes what an account read on a day while it was privileged.
    pub(super) fn note(&mut self, read: &Read, day: i64) {
        let (Some(page), Class::View | Class::BlogView) = (read.page, read.class) else {
            return;
        };
        // A session that never ended counts in the week that runs.
        let week = self
            .over
            .map_or(week_of(day), |over| week_of(day).max(over + 1));
        let week = self.weeks.entry(week).or_insert_with(|| Week {
            first: read.at,
            ..Week::default()
        });
        week.last = read.at;
        week.views += 1;
        week.pages.insert(page);
        week.spaces.extend(read.space);
        week.accounts.entry(read.account).or_default().insert(page);
    }

    /// Hands out the weeks that are over when a day begins: each a day late, for a session belongs to the day in which it
    /// began.
    pub(super) fn pass(&mut self, today: i64, rules: &Rules) -> Vec<Draft> {
        let running = week_of(today - 1);
        let rest = self.weeks.split_off(&running);
        let over = std::mem::replace(&mut self.weeks, rest);
        self.over = Some(running - 1);
        over.into_iter()
            .map(|(number, week)| {
                let continues = self.reported.replace(number) == Some(number - 1);
                week.draft(number, continues, rules)
            })
            .collect()
    }
}

impl Week {
    fn draft(self, number: i64, continues: bool, rules: &Rules) -> Draft {
        let reason = self.reason(number, rules);
        Draft {
            account: None,
            family: Family::Admin,
            period: number,
            continues,
            revision: 1,
            severity: Severity::Low,
            first_seen: self.first,
            last_seen: self.last,
            reported: vec![Reported {
                detector: crate::detect::PRIVILEGED_READING.to_owned(),
                family: Family::Admin,
                bits: 0.0,
                threshold: 0.0,
                severity: Severity::Low,
                signals: vec![Signal {
                    name: "privileged-week".to_owned(),
                    bits: 0.0,
                    reason: reason.clone(),
                }],
                reason,
                new_pages: 0,
                expected: Expected::default(),
                grant_sources: Vec::new(),
                tally: Tally {
                    first: self.first,
                    last: self.last,
                    pages: amount(self.pages.len()),
                    views: self.views,
                    spaces: self.spaces,
                    ..Tally::default()
                },
            }],
        }
    }

    /// Who read how much, most first; by id where as much, for the numbers of accounts differ between state files.
    fn reason(&self, number: i64, rules: &Rules) -> String {
        let mut accounts: Vec<(usize, &str, WordId)> = self
            .accounts
            .iter()
            .map(|(account, pages)| {
                let id = rules.rostered.get(account);
                (pages.len(), id.map_or("?", |id| id.as_str()), *account)
            })
            .collect();
        accounts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let (named, others) = accounts.split_at_checked(NAMED).unwrap_or((&accounts, &[]));
        let mut list: Vec<String> = named
            .iter()
            .map(|(pages, id, account)| {
                let who = rules.names.get(account).map_or(*id, String::as_str);
                format!("{who} {}", text::number(wide(*pages)))
            })
            .collect();
        if !others.is_empty() {
            list.push(format!("{} more", text::number(wide(others.len()))));
        }
        format!(
            "In the week from {} (UTC) {} opened {} in {}: {}.",
            crate::time::date(first_day(number)),
            text::count(wide(accounts.len()), "privileged account"),
            text::count(wide(self.pages.len()), "different page"),
            text::count(wide(self.spaces.len()), "space"),
            list.join(", "),
        )
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn amount(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The week of a day; 1970-01-05, day 4, was a Monday.
const fn week_of(day: i64) -> i64 {
    (day - 4).div_euclid(7)
}

/// The Monday of a week.
const fn first_day(week: i64) -> i64 {
    week * 7 + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday() {
        assert_eq!(
            (week_of(3), week_of(4), week_of(10), week_of(11)),
            (-1, 0, 0, 1)
        );
        assert_eq!(crate::time::date(first_day(week_of(20_000))), "2024-09-30");
    }
}
