//! What the engine promises: the same drafts wherever it is stopped, and nothing reported of a quiet week.

use proptest::prelude::*;

use super::*;
use crate::model::settings::{Detect, PrivilegedMode};
use crate::model::{Auth, Class, Family, Severity, Status};

/// 1970-01-05 was a Monday.
pub(super) const MONDAY: i64 = 4 * DAY_SECONDS;

pub(super) fn read(account: WordId, at: i64, page: WordId) -> Read {
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
pub(super) fn quiet(days: i64) -> Vec<Read> {
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

pub(super) fn rules(detect: &Detect, roster: &RosterHistory) -> Rules {
    Rules {
        detect: detect.clone(),
        roster: roster.clone(),
        rostered: std::iter::once((2, AccountId::new("admin"))).collect(),
        names: FxHashMap::default(),
        stable: (0..100)
            .map(|account| (account, u64::from(account) * 31))
            .collect(),
        sites: None,
        canaries: std::iter::once(999).collect(),
        integrations: FxHashSet::default(),
        suppressions: Suppressions::default(),
        verdicts: Verdicts::default(),
    }
}

/// Folds with a stop, a store and a start before each of the places; gives the drafts in a fixed order.
pub(super) fn run_engine(rules: &Rules, reads: &[Read], stops: &[usize]) -> Vec<Draft> {
    let mut engine = Engine::new();
    let mut kept = State::default();
    let mut drafts = Vec::new();
    for (place, read) in reads.iter().enumerate() {
        if stops.contains(&place) {
            drafts.extend(engine.finished());
            let State {
                tenant,
                accounts,
                pages,
            } = engine.state().unwrap();
            kept.tenant = tenant;
            kept.accounts.extend(accounts);
            kept.pages.extend(pages);
            engine = Engine::resume(&kept).unwrap();
        }
        engine.take(rules, read);
    }
    drafts.extend(engine.finished());
    drafts.extend(engine.standing(rules));
    drafts.sort_by_key(|draft| (draft.account, draft.period, draft.family));
    drafts
}

pub(super) fn with(mut reads: Vec<Read>, more: impl IntoIterator<Item = Read>) -> Vec<Read> {
    reads.extend(more);
    reads.sort_by_key(|read| (read.at, read.key));
    reads
}

/// A bulk collection of so many pages by an account on a day, one in two seconds.
pub(super) fn collection(account: WordId, day: i64, pages: u32) -> impl Iterator<Item = Read> {
    (0..pages).map(move |page| {
        read(
            account,
            MONDAY + day * DAY_SECONDS + 70_000 + i64::from(page) * 2,
            10_000 + page,
        )
    })
}

#[test]
fn a_quiet_month_is_not_reported_and_a_bulk_collection_in_it_is() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    assert_eq!(run_engine(&rules, &quiet(28), &[]), vec![]);
    let drafts = run_engine(&rules, &with(quiet(28), collection(7, 24, 200)), &[]);
    let [draft] = drafts.as_slice() else {
        panic!("{drafts:?}")
    };
    assert_eq!(
        (draft.account, draft.severity),
        (Some(7), Severity::Critical)
    );
    assert_eq!(draft.reported[0].tally.pages, 200);
    assert_eq!(draft.reported[0].tally.evidence.len(), 100);
    assert_eq!(draft.reported[0].tally.omitted, 100);
}

#[test]
fn an_account_is_scored_by_what_it_was_at_that_time() {
    let mut detect = Detect::default();
    detect.privileged_reading.mode = PrivilegedMode::Strict;
    detect.privileged_reading.weekly = false;
    let roster = RosterHistory::default().listing(&[AccountId::new("admin")]);
    let rules = rules(&detect, &roster);
    let drafts = run_engine(&rules, &with(quiet(28), collection(2, 24, 26)), &[]);
    assert!(drafts.iter().any(|draft| {
        draft
            .reported
            .iter()
            .any(|reported| reported.detector == "privileged-reading")
    }));
    let nobody = RosterHistory::default();
    let rules = Rules {
        roster: nobody,
        ..rules
    };
    let drafts = run_engine(&rules, &with(quiet(28), collection(2, 24, 26)), &[]);
    assert!(drafts.iter().all(|draft| {
        draft
            .reported
            .iter()
            .all(|reported| reported.detector != "privileged-reading")
    }));
}

#[test]
fn a_canary_is_reported_at_its_first_view_and_a_suppressed_account_never() {
    let (detect, roster) = (
        Detect {
            canary_pages: vec![crate::model::settings::Placed::anywhere(
                crate::model::PageId::new("999"),
            )],
            ..Detect::default()
        },
        RosterHistory::default(),
    );
    let mut rules = rules(&detect, &roster);
    let reads = with(quiet(3), [read(7, MONDAY + 2 * DAY_SECONDS, 999)]);
    assert_eq!(run_engine(&rules, &reads, &[]).len(), 1);
    rules.suppressions.accounts.insert(7, i64::MAX);
    assert_eq!(run_engine(&rules, &reads, &[]), vec![]);
}

#[test]
fn a_second_day_is_a_revision_and_the_next_week_continues() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let reads = (20..30).fold(quiet(31), |reads, day| with(reads, collection(7, day, 150)));
    let drafts: Vec<Draft> = run_engine(&rules, &reads, &[])
        .into_iter()
        .filter(|draft| draft.account == Some(7))
        .collect();
    assert!(drafts.len() >= 2, "{drafts:?}");
    assert!(drafts.iter().skip(1).all(|draft| draft.continues));
    assert!(drafts.iter().any(|draft| draft.revision > 4), "{drafts:?}");
}

/// A verdict on the bulk collection by account 7 on a day, given on the day after.
fn said(status: Status, day: i64, bits: f64) -> Marked {
    let began = MONDAY + day * DAY_SECONDS + 70_000;
    Marked {
        status,
        at: began + 60_000,
        family: Family::Reading,
        span: (began, began + 1_000),
        bits,
        severity: Severity::Critical,
    }
}

/// The reading of account 7 that is reported, by the day of its last event.
fn reported_of_seven(rules: &Rules, reads: &[Read]) -> Vec<(i64, f64)> {
    let drafts = run_engine(rules, reads, &[]).into_iter();
    let drafts = drafts.filter(|draft| draft.account == Some(7));
    drafts
        .map(|draft| {
            let day = day_of(draft.last_seen - MONDAY);
            (day, draft.reported.first().unwrap().bits)
        })
        .collect()
}

#[test]
fn what_was_expected_is_quiet_for_four_weeks_unless_it_is_stranger() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let mut rules = rules(&detect, &roster);
    // Different pages each time, so that every collection is new.
    let again = |day: i64, pages: u32| {
        collection(7, day, pages).map(move |read| Read {
            page: read
                .page
                .map(|page| page + u32::try_from(day).unwrap() * 10_000),
            ..read
        })
    };
    let reads = [(22, 60), (31, 60), (40, 600), (60, 60)]
        .into_iter()
        .fold(quiet(64), |reads, (day, pages)| {
            with(reads, again(day, pages))
        });
    let days = |reported: &[(i64, f64)]| reported.iter().map(|(day, _)| *day).collect::<Vec<_>>();
    let plain = reported_of_seven(&rules, &reads);
    assert_eq!(days(&plain), [22, 31, 40, 60], "{plain:?}");
    rules
        .verdicts
        .add(7, said(Status::Expected, 22, plain[1].1 - 1.5));
    let quieter = reported_of_seven(&rules, &reads);
    assert_eq!(days(&quieter), [22, 40, 60], "{plain:?} {quieter:?}");
    assert_eq!(reported_of_seven(&rules, &reads), quieter);
}

#[test]
fn what_was_confirmed_teaches_nothing() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let mut rules = rules(&detect, &roster);
    let once = with(quiet(40), collection(7, 30, 80));
    let twice = with(once.clone(), collection(7, 22, 80));
    let alone = reported_of_seven(&rules, &once);
    let taught = reported_of_seven(&rules, &twice);
    rules.verdicts.add(7, said(Status::Confirmed, 22, 20.0));
    let untaught = reported_of_seven(&rules, &twice);
    let last = |reported: &[(i64, f64)]| reported.last().unwrap().1;
    let off = |reported: &[(i64, f64)]| (last(reported) - last(&alone)).abs();
    // Not the same to the last bit: the ordinary reading of that day is left out as well.
    assert!(
        off(&untaught) < 0.75 * off(&taught),
        "{alone:?} {taught:?} {untaught:?}"
    );
    rules.verdicts = Verdicts::default();
    assert_eq!(reported_of_seven(&rules, &twice), taught);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn stopping_anywhere_changes_nothing(stops in prop::collection::vec(0_usize..3_600, 0..6), days in prop::collection::vec(0_i64..30, 1..5)) {
        let (detect, roster) = (Detect::default(), RosterHistory::default());
        let rules = rules(&detect, &roster);
        let reads = days.iter().fold(quiet(30), |reads, day| with(reads, collection(3 + u32::try_from(*day).unwrap() % 4, *day, 120)));
        prop_assert_eq!(run_engine(&rules, &reads, &stops), run_engine(&rules, &reads, &[]));
    }
}
