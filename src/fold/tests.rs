//! What the fold promises: the same drafts however it is cut, and nothing told of a quiet week.

use proptest::prelude::*;

use super::*;
use crate::model::settings::{Detect, PrivilegedMode};
use crate::model::{Auth, Change, Class, Extent, Family, Membership, Severity, Via};

/// 1970-01-05 was a Monday.
const MONDAY: i64 = 4 * DAY_SECONDS;

fn read(account: WordId, at: i64, page: WordId) -> Read {
    let mut key = [0; 16];
    for (to, from) in key
        .iter_mut()
        .zip(at.to_be_bytes().into_iter().chain(account.to_be_bytes()))
    {
        *to = from;
    }
    Read {
        at,
        key,
        account,
        class: Class::View,
        actor: ActorKind::Person,
        auth: Auth::Session,
        page: Some(page),
        space: Some(page % 5),
        address: None,
        site: None,
        extent: None,
    }
}

/// Forty people who read three pages on each of so many days.
fn quiet(days: i64) -> Vec<Read> {
    let mut reads = Vec::new();
    for day in 0..days {
        for account in 1..=40 {
            for view in 0..3 {
                let page = (account * 7 + u32::try_from(day + view).unwrap()) % 90;
                reads.push(read(
                    account,
                    MONDAY + day * DAY_SECONDS + 30_000 + i64::from(account) * 60 + view,
                    page,
                ));
            }
        }
    }
    reads.sort_by_key(|read| (read.at, read.key));
    reads
}

fn rules<'a>(detect: &'a Detect, roster: &'a RosterHistory) -> Rules<'a> {
    Rules {
        detect,
        roster,
        rostered: std::iter::once((2, AccountId::new("admin"))).collect(),
        stable: (0..100)
            .map(|account| (account, u64::from(account) * 31))
            .collect(),
        sites: None,
        canaries: std::iter::once(999).collect(),
        integrations: FxHashSet::default(),
        ignored: Ignored::default(),
    }
}

/// Folds with a stop, a store and a start before each of the places; gives the drafts in a fixed order.
fn fold(rules: &Rules<'_>, reads: &[Read], stops: &[usize]) -> Vec<Draft> {
    let mut fold = Fold::new(rules);
    let mut kept = State::default();
    let mut drafts = Vec::new();
    for (place, read) in reads.iter().enumerate() {
        if stops.contains(&place) {
            drafts.extend(fold.finished());
            let State {
                tenant,
                accounts,
                pages,
            } = fold.state().unwrap();
            kept.tenant = tenant;
            kept.accounts.extend(accounts);
            kept.pages.extend(pages);
            fold = Fold::resume(rules, &kept).unwrap();
        }
        fold.take(read);
    }
    drafts.extend(fold.finished());
    drafts.extend(fold.standing());
    drafts.sort_by_key(|draft| (draft.account, draft.period, draft.family));
    drafts
}

fn with(mut reads: Vec<Read>, more: impl IntoIterator<Item = Read>) -> Vec<Read> {
    reads.extend(more);
    reads.sort_by_key(|read| (read.at, read.key));
    reads
}

/// A harvest of so many pages by an account on a day, one in two seconds.
fn harvest(account: WordId, day: i64, pages: u32) -> impl Iterator<Item = Read> {
    (0..pages).map(move |page| {
        read(
            account,
            MONDAY + day * DAY_SECONDS + 70_000 + i64::from(page) * 2,
            10_000 + page,
        )
    })
}

#[test]
fn a_quiet_month_is_not_told_and_a_harvest_in_it_is() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    assert_eq!(fold(&rules, &quiet(28), &[]), vec![]);
    let drafts = fold(&rules, &with(quiet(28), harvest(7, 24, 200)), &[]);
    let [draft] = drafts.as_slice() else {
        panic!("{drafts:?}")
    };
    assert_eq!(
        (draft.account, draft.severity),
        (Some(7), Severity::Critical)
    );
    assert_eq!(draft.told[0].tally.pages, 200);
    assert_eq!(draft.told[0].tally.evidence.len(), 100);
    assert_eq!(draft.told[0].tally.omitted, 100);
}

#[test]
fn an_account_is_judged_by_what_it_was_at_that_time() {
    let mut detect = Detect::default();
    detect.privileged_reading.mode = PrivilegedMode::Strict;
    detect.privileged_reading.weekly = false;
    let roster = RosterHistory::default().listing(&[AccountId::new("admin")]);
    let rules = rules(&detect, &roster);
    let drafts = fold(&rules, &with(quiet(28), harvest(2, 24, 26)), &[]);
    assert!(drafts.iter().any(|draft| {
        draft
            .told
            .iter()
            .any(|told| told.detector == "privileged-reading")
    }));
    let nobody = RosterHistory::default();
    let rules = Rules {
        roster: &nobody,
        ..rules
    };
    let drafts = fold(&rules, &with(quiet(28), harvest(2, 24, 26)), &[]);
    assert!(drafts.iter().all(|draft| {
        draft
            .told
            .iter()
            .all(|told| told.detector != "privileged-reading")
    }));
}

#[test]
fn a_canary_is_told_at_its_first_opening_and_an_ignored_account_never() {
    let (detect, roster) = (
        Detect {
            canary_pages: vec![crate::model::PageId::new("999")],
            ..Detect::default()
        },
        RosterHistory::default(),
    );
    let mut rules = rules(&detect, &roster);
    let reads = with(quiet(3), [read(7, MONDAY + 2 * DAY_SECONDS, 999)]);
    assert_eq!(fold(&rules, &reads, &[]).len(), 1);
    rules.ignored.accounts.insert(7, i64::MAX);
    assert_eq!(fold(&rules, &reads, &[]), vec![]);
}

#[test]
fn a_second_day_is_a_revision_and_the_next_week_continues() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let reads = (20..30).fold(quiet(31), |reads, day| with(reads, harvest(7, day, 150)));
    let drafts: Vec<Draft> = fold(&rules, &reads, &[])
        .into_iter()
        .filter(|draft| draft.account == Some(7))
        .collect();
    assert!(drafts.len() >= 2, "{drafts:?}");
    assert!(drafts.iter().skip(1).all(|draft| draft.continues));
    assert!(drafts.iter().any(|draft| draft.revision > 4), "{drafts:?}");
}

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

/// Whose, how grave, on which day: everything told of a family.
fn told_of(family: Family, drafts: &[Draft]) -> Vec<(WordId, Severity, i64)> {
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
fn a_backup_that_is_made_every_week_is_told_three_times_and_one_out_of_turn_again() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let weekly = (0..8).map(|week| export(7, week * 7 + 1, Extent::Site, None));
    let reads = with(quiet(60), weekly.chain([export(7, 52, Extent::Site, None)]));
    let told = told_of(Family::Export, &fold(&rules, &reads, &[]));
    assert_eq!(
        told,
        [1, 8, 15, 52].map(|day| (7, Severity::High, day)).to_vec()
    );
}

#[test]
fn the_export_of_a_space_is_graver_where_the_account_never_read_in_it() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let reads = with(
        quiet(20),
        [
            export(7, 15, Extent::Space, Some(3)),
            export(8, 15, Extent::Space, Some(77)),
            // A record and its twin, of a space whose key the record does not tell.
            export(9, 15, Extent::Space, None),
            export(9, 15, Extent::Space, None),
        ],
    );
    let drafts = fold(&rules, &reads, &[]);
    assert_eq!(
        told_of(Family::Export, &drafts),
        vec![
            (7, Severity::Medium, 15),
            (8, Severity::High, 15),
            (9, Severity::Medium, 15)
        ]
    );
    let because = &drafts[2].told[0].because;
    assert!(because.starts_with("Exported 1 whole space;"), "{because}");
}

#[test]
fn many_downloads_are_told_and_a_few_are_not() {
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
    let told = told_of(Family::Export, &fold(&rules, &reads, &[]));
    assert!(matches!(told.as_slice(), [(8, _, 20)]), "{told:?}");
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

/// Whose, and on which day: everything that a detector told.
fn by(detector: &str, drafts: &[Draft]) -> Vec<(WordId, i64)> {
    drafts
        .iter()
        .flat_map(|draft| {
            let told = draft.told.iter().filter(|told| told.detector == detector);
            told.map(|told| (draft.account.unwrap(), day_of(told.tally.first - MONDAY)))
        })
        .collect()
}

/// Pauses of a person.
fn uneven(page: u32) -> i64 {
    i64::from([4, 170, 33, 600, 12, 61, 95, 2][usize::try_from(page % 8).unwrap()])
}

#[test]
fn a_crawler_is_told_by_its_pace_and_a_person_who_reads_as_much_is_not() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let crawler = run(7, 20, 40, |page| 19 + i64::from(page % 3), Auth::Session);
    let person = run(8, 20, 40, uneven, Auth::Session);
    let reads = with(quiet(28), crawler.into_iter().chain(person));
    assert_eq!(
        by("scripted-reading", &fold(&rules, &reads, &[])),
        [(7, 20)]
    );
}

#[test]
fn a_log_without_seconds_tells_of_no_pace() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    for pause in [20, 60] {
        let mut reads = with(quiet(28), run(7, 20, 200, |_| pause, Auth::Session));
        for read in &mut reads {
            read.at -= read.at % 60;
        }
        reads.sort_by_key(|read| (read.at, read.key));
        assert_eq!(by("scripted-reading", &fold(&rules, &reads, &[])), []);
    }
}

#[test]
fn a_token_is_told_when_it_is_new_to_the_account_and_not_again() {
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
        by("scripted-reading", &fold(&rules, &reads, &[])),
        [(7, 20)]
    );
}

#[test]
fn an_app_is_told_when_it_first_reads_unless_it_was_there_when_the_log_began_or_is_known() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let mut rules = rules(&detect, &roster);
    let nights = |app, from| (from..42).flat_map(move |day| run(app, day, 40, |_| 2, Auth::Oauth));
    let reads = with(quiet(42), nights(60, 0).chain(nights(61, 20)));
    assert_eq!(
        by("scripted-reading", &fold(&rules, &reads, &[])),
        [(61, 20)]
    );
    rules.integrations.insert(61);
    assert_eq!(by("scripted-reading", &fold(&rules, &reads, &[])), []);
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
                let because = draft.told[0].because.clone();
                (draft.first_seen - MONDAY, draft.continues, because)
            })
            .collect()
    };
    // Monday of the third week: the second is not over, for a sitting may run into it.
    let first = 30_000 + 120;
    let one = "In the week from 1970-01-05 (UTC) 1 privileged account opened 9 different pages in 5 spaces: admin 9.";
    assert_eq!(weeks(fold(&rules, &quiet(8), &[])), vec![]);
    assert_eq!(
        weeks(fold(&rules, &quiet(9), &[])),
        vec![(first, false, one.to_owned())]
    );
    let two = one.replace("01-05", "01-12");
    assert_eq!(
        weeks(fold(&rules, &quiet(20), &[])),
        vec![
            (first, false, one.to_owned()),
            (first + 7 * DAY_SECONDS, true, two)
        ]
    );
    let nobody = RosterHistory::default();
    let rules = Rules {
        roster: &nobody,
        ..rules
    };
    assert_eq!(weeks(fold(&rules, &quiet(20), &[])), vec![]);
}

#[test]
fn who_becomes_privileged_and_then_reads_what_it_never_read_is_told() {
    let detect = Detect::default();
    let joined = |day: i64| {
        let change = Change {
            account: AccountId::new("admin"),
            via: Via::Group("owners".to_owned()),
            to: Membership::Joined,
        };
        let at = crate::time::moment(MONDAY + day * DAY_SECONDS);
        RosterHistory::new(&[], &[(at, change)], |_| true)
    };
    let reads = |pages| {
        let slow = run(2, 22, pages, |page| uneven(page) * 2, Auth::Session);
        with(quiet(28), slow)
    };
    let told = |joined_on: i64, pages| {
        let roster = joined(joined_on);
        let rules = rules(&detect, &roster);
        let mut drafts = fold(&rules, &reads(pages), &[]);
        drafts.retain(|draft| draft.account.is_some());
        by("admin-grant", &drafts)
    };
    assert_eq!(told(20, 22), [(2, 22)]);
    // Too few; too long ago; not yet.
    assert_eq!(told(20, 12), []);
    assert_eq!(told(5, 22), []);
    assert_eq!(told(23, 22), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn stopping_anywhere_changes_nothing(stops in prop::collection::vec(0_usize..3_600, 0..6), days in prop::collection::vec(0_i64..30, 1..5)) {
        let (detect, roster) = (Detect::default(), RosterHistory::default());
        let rules = rules(&detect, &roster);
        let reads = days.iter().fold(quiet(30), |reads, day| with(reads, harvest(3 + u32::try_from(*day).unwrap() % 4, *day, 120)));
        prop_assert_eq!(fold(&rules, &reads, &stops), fold(&rules, &reads, &[]));
    }
}
