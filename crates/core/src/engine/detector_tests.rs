//! What the detectors beside `volume-anomaly` report of days of reading, and what they do not.

use super::tests::{MONDAY, quiet, read, rules, run_engine, with};
use super::*;
use crate::model::settings::Detect;
use crate::model::{Auth, Change, Class, Extent, Family, GrantSource, Membership, Severity};

/// An export by an account on a day.
fn export(account: WordId, day: i64, extent: Extent, space: Option<WordId>) -> Read {
    Read {
        class: Class::Export,
        page: None,
        space,
        extent: Some(extent),
        ..read(account, MONDAY + day * DAY_SECONDS + 60_000, 0)
    }
}

/// Account, severity and day: everything reported of a family.
fn reported_of(family: Family, drafts: &[Draft]) -> Vec<(WordId, Severity, i64)> {
    drafts
        .iter()
        .filter(|draft| draft.family == family)
        .map(|draft| {
            let day = day_of(draft.first_seen - MONDAY);
            (draft.account.unwrap(), draft.severity, day)
        })
        .collect()
}

#[test]
fn a_backup_that_is_made_every_week_is_reported_three_times_and_one_out_of_turn_again() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let weekly = (0..8).map(|week| export(7, week * 7 + 1, Extent::Site, None));
    let reads = with(quiet(60), weekly.chain([export(7, 52, Extent::Site, None)]));
    let reported = reported_of(Family::Export, &run_engine(&rules, &reads, &[]));
    assert_eq!(
        reported,
        [1, 8, 15, 52].map(|day| (7, Severity::High, day)).to_vec()
    );
}

#[test]
fn the_export_of_a_space_is_more_severe_where_the_account_never_read_in_it() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let reads = with(
        quiet(20),
        [
            export(7, 15, Extent::Space, Some(3)),
            export(8, 15, Extent::Space, Some(77)),
            // A record and its twin, of a space whose key the record does not have.
            export(9, 15, Extent::Space, None),
            export(9, 15, Extent::Space, None),
        ],
    );
    let drafts = run_engine(&rules, &reads, &[]);
    assert_eq!(
        reported_of(Family::Export, &drafts),
        vec![
            (7, Severity::Medium, 15),
            (8, Severity::High, 15),
            (9, Severity::Medium, 15)
        ]
    );
    let reason = &drafts[2].reported[0].reason;
    assert!(reason.starts_with("Exported 1 whole space;"), "{reason}");
}

#[test]
fn many_downloads_are_reported_and_a_few_are_not() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let downloads = |account: WordId, number: i64| {
        (0..number).map(move |n| {
            let mut one = export(account, 20, Extent::Piece, Some(3));
            one.at += n * 20;
            one
        })
    };
    let reads = with(quiet(30), downloads(7, 4).chain(downloads(8, 60)));
    let reported = reported_of(Family::Export, &run_engine(&rules, &reads, &[]));
    assert!(matches!(reported.as_slice(), [(8, _, 20)]), "{reported:?}");
}

/// So many pages on a day, one after the other with such pauses, with such a proof of who it is.
fn run(account: WordId, day: i64, pages: u32, pause: impl Fn(u32) -> i64, auth: Auth) -> Vec<Read> {
    let mut at = MONDAY + day * DAY_SECONDS + 50_003;
    (0..pages)
        .map(|page| {
            at += pause(page);
            Read {
                auth,
                actor: if account > 50 {
                    ActorKind::App
                } else {
                    ActorKind::Person
                },
                ..read(account, at, 20_000 + page)
            }
        })
        .collect()
}

/// Account and day: everything that a detector reported.
fn by(detector: &str, drafts: &[Draft]) -> Vec<(WordId, i64)> {
    drafts
        .iter()
        .flat_map(|draft| {
            let reported = draft
                .reported
                .iter()
                .filter(|reported| reported.detector == detector);
            reported.map(|reported| {
                (
                    draft.account.unwrap(),
                    day_of(reported.tally.first - MONDAY),
                )
            })
        })
        .collect()
}

/// Pauses of a person.
fn uneven(page: u32) -> i64 {
    i64::from([4, 170, 33, 600, 12, 61, 95, 2][usize::try_from(page % 8).unwrap()])
}

#[test]
fn a_crawler_is_reported_by_its_pace_and_a_person_who_reads_as_much_is_not() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let crawler = run(7, 20, 40, |page| 19 + i64::from(page % 3), Auth::Session);
    let person = run(8, 20, 40, uneven, Auth::Session);
    let reads = with(quiet(28), crawler.into_iter().chain(person));
    assert_eq!(
        by("scripted-reading", &run_engine(&rules, &reads, &[])),
        [(7, 20)]
    );
}

#[test]
fn a_log_without_seconds_shows_no_pace() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    for pause in [20, 60] {
        let mut reads = with(quiet(28), run(7, 20, 200, |_| pause, Auth::Session));
        for read in &mut reads {
            read.at -= read.at % 60;
        }
        reads.sort_by_key(|read| (read.at, read.key));
        assert_eq!(by("scripted-reading", &run_engine(&rules, &reads, &[])), []);
    }
}

#[test]
fn a_token_is_reported_when_it_is_new_to_the_account_and_not_again() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let days = [20, 27, 34];
    let token = days.map(|day| run(7, day, 6, uneven, Auth::ApiToken));
    let few = days.map(|day| run(8, day, 4, uneven, Auth::ApiToken));
    let newcomer = days.map(|day| run(45, day, 6, uneven, Auth::ApiToken));
    let reads = with(
        quiet(42),
        [token, few, newcomer].into_iter().flatten().flatten(),
    );
    assert_eq!(
        by("scripted-reading", &run_engine(&rules, &reads, &[])),
        [(7, 20)]
    );
}

#[test]
fn an_app_is_reported_when_it_first_reads_unless_it_was_there_when_the_log_began_or_is_known() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let mut rules = rules(&detect, &roster);
    let nights = |app, from| (from..42).flat_map(move |day| run(app, day, 40, |_| 2, Auth::Oauth));
    let reads = with(quiet(42), nights(60, 0).chain(nights(61, 20)));
    assert_eq!(
        by("scripted-reading", &run_engine(&rules, &reads, &[])),
        [(61, 20)]
    );
    rules.integrations.insert(61);
    assert_eq!(by("scripted-reading", &run_engine(&rules, &reads, &[])), []);
}

#[test]
fn what_privileged_accounts_read_is_summed_up_when_the_week_is_over() {
    let detect = Detect::default();
    let roster = RosterHistory::default().listing(&[AccountId::new("admin")]);
    let rules = rules(&detect, &roster);
    let weeks = |drafts: Vec<Draft>| -> Vec<(i64, bool, String)> {
        drafts
            .into_iter()
            .filter(|draft| draft.account.is_none())
            .map(|draft| {
                let reason = draft.reported[0].reason.clone();
                (draft.first_seen - MONDAY, draft.continues, reason)
            })
            .collect()
    };
    // Monday of the third week: the second is not over, for a session may run into it.
    let first = 30_000 + 120;
    let one = "In the week from 1970-01-05 (UTC) 1 privileged account opened 9 different pages in 5 spaces: admin 9.";
    assert_eq!(weeks(run_engine(&rules, &quiet(8), &[])), vec![]);
    assert_eq!(
        weeks(run_engine(&rules, &quiet(9), &[])),
        vec![(first, false, one.to_owned())]
    );
    let two = one.replace("01-05", "01-12");
    let named = Rules {
        names: std::iter::once((2, "Ada".to_owned())).collect(),
        ..self::rules(&detect, &roster)
    };
    let called = one.replace("admin 9", "Ada 9");
    assert_eq!(
        weeks(run_engine(&named, &quiet(9), &[])),
        vec![(first, false, called)]
    );
    assert_eq!(
        weeks(run_engine(&rules, &quiet(20), &[])),
        vec![
            (first, false, one.to_owned()),
            (first + 7 * DAY_SECONDS, true, two)
        ]
    );
    let nobody = RosterHistory::default();
    let rules = Rules {
        roster: nobody,
        ..rules
    };
    assert_eq!(weeks(run_engine(&rules, &quiet(20), &[])), vec![]);
}

#[test]
fn who_becomes_privileged_and_then_reads_what_it_never_read_is_reported() {
    let detect = Detect::default();
    let joined = |day: i64| {
        let change = Change {
            account: AccountId::new("admin"),
            grant_source: GrantSource::Group("owners".to_owned()),
            to: Membership::Joined,
        };
        let at = crate::time::moment(MONDAY + day * DAY_SECONDS);
        RosterHistory::new(&[], &[(at, change)], |_| true)
    };
    let reads = |pages| {
        let slow = run(2, 22, pages, |page| uneven(page) * 2, Auth::Session);
        with(quiet(28), slow)
    };
    let reported = |joined_on: i64, pages| {
        let roster = joined(joined_on);
        let rules = rules(&detect, &roster);
        let mut drafts = run_engine(&rules, &reads(pages), &[]);
        drafts.retain(|draft| draft.account.is_some());
        by("admin-grant", &drafts)
    };
    assert_eq!(reported(20, 22), [(2, 22)]);
    // Too few; too long ago; not yet.
    assert_eq!(reported(20, 12), []);
    assert_eq!(reported(5, 80), []);
    assert_eq!(reported(23, 22), []);
}
