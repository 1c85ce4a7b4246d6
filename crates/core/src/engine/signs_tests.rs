//! What single events do to findings: they join those of their account within a day, and do nothing else.

use super::tests::{MONDAY, collection, quiet, rules, with};
use super::*;
use crate::model::Class;
use crate::model::settings::Detect;

/// When the collection of day 24 begins.
const COLLECTION: i64 = MONDAY + 24 * DAY_SECONDS + 70_000;
/// An hour, in seconds.
const HOUR: i64 = 3_600;

/// A token that an account created.
fn token(account: WordId, at: i64) -> (Read, &'static str) {
    let event = Read {
        class: Class::Token,
        page: None,
        space: None,
        ..tests::read(account, at, 0)
    };
    (event, "api_token_created")
}

/// Takes everything in order, with a stop, a store and a start before each of the places; gives the drafts in a fixed order.
fn run_engine(
    rules: &Rules,
    reads: &[Read],
    singles: &[(Read, &str)],
    stops: &[usize],
) -> Vec<Draft> {
    let mut all: Vec<Taken<'_>> = reads.iter().map(Taken::Reading).collect();
    all.extend(
        singles
            .iter()
            .map(|(event, action)| Taken::Single(event, action)),
    );
    all.sort_by_key(Taken::place);
    let mut engine = Engine::new();
    let mut drafts = Vec::new();
    for (place, taken) in all.into_iter().enumerate() {
        if stops.contains(&place) {
            drafts.extend(engine.finished());
            engine = Engine::resume(&engine.state().unwrap()).unwrap();
        }
        engine.take_any(rules, taken);
    }
    drafts.extend(engine.finished());
    drafts.extend(engine.standing(rules));
    drafts.sort_by_key(|draft| (draft.account, draft.period, draft.family));
    drafts
}

/// The names of the signals of the one draft, after a quiet month with a collection by account 7 and these tokens.
fn signals(singles: &[(Read, &str)]) -> Vec<String> {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let drafts = run_engine(
        &rules,
        &with(quiet(28), collection(7, 24, 200)),
        singles,
        &[],
    );
    let [draft] = drafts.as_slice() else {
        panic!("{drafts:?}")
    };
    let signals = draft.reported.iter().flat_map(|reported| &reported.signals);
    signals.map(|signal| signal.name.clone()).collect()
}

fn joins(account: WordId, at: i64) -> bool {
    signals(&[token(account, at)])
        .iter()
        .any(|name| name == "token-created")
}

#[test]
fn a_token_created_two_hours_after_a_bulk_collection_is_a_signal_of_its_finding() {
    let without = signals(&[]);
    let with_it = signals(&[token(7, COLLECTION + 2 * HOUR)]);
    let (last, others) = with_it.split_last().unwrap();
    assert_eq!(
        (last.as_str(), others),
        ("token-created", without.as_slice())
    );
}

#[test]
fn it_joins_from_a_day_before_to_a_day_after_and_only_that_account() {
    let end = COLLECTION + 199 * 2;
    assert!(joins(7, COLLECTION - 20 * HOUR));
    assert!(joins(7, end + 24 * HOUR));
    assert!(!joins(7, end + 24 * HOUR + 1));
    assert!(!joins(7, end + 72 * HOUR));
    assert!(!joins(7, COLLECTION - 72 * HOUR));
    assert!(!joins(8, COLLECTION + 2 * HOUR));
}

#[test]
fn many_tokens_are_one_signal_that_names_the_first() {
    let tokens: Vec<_> = (0..50).map(|n| token(7, COLLECTION + n * 600)).collect();
    let names = signals(&tokens);
    let count = names.iter().filter(|name| *name == "token-created").count();
    assert_eq!(count, 1);
}

#[test]
fn alone_it_is_nothing_and_changes_nothing_else() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let tokens: Vec<_> = (0..200)
        .map(|n| {
            token(
                u32::try_from(n % 50).unwrap(),
                MONDAY - DAY_SECONDS + n * 12_345,
            )
        })
        .collect();
    assert_eq!(run_engine(&rules, &quiet(28), &tokens, &[]), vec![]);
    let reads = with(quiet(28), collection(7, 24, 200));
    let mut drafts = run_engine(&rules, &reads, &tokens, &[]);
    for reported in drafts.iter_mut().flat_map(|draft| &mut draft.reported) {
        reported
            .signals
            .retain(|signal| signal.name != "token-created");
    }
    assert_eq!(drafts, run_engine(&rules, &reads, &[], &[]));
}

#[test]
fn a_token_after_the_week_of_the_finding_is_over_still_joins_it() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    // On one of seven days in a row the account's own week ends.
    for day in 20..27 {
        let reads = with(quiet(40), collection(7, day, 200));
        let at = COLLECTION + (day - 24) * DAY_SECONDS + 20 * HOUR;
        let drafts = run_engine(&rules, &reads, &[token(7, at)], &[]);
        let [draft] = drafts.as_slice() else {
            panic!("{drafts:?}")
        };
        let reported = draft.reported.last().unwrap();
        assert_eq!(
            reported.signals.last().unwrap().name,
            "token-created",
            "{day}"
        );
    }
}

#[test]
fn a_stop_after_any_event_changes_nothing() {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let reads = with(quiet(40), collection(7, 24, 200));
    let tokens = [
        // It has not read yet.
        token(60, MONDAY + HOUR),
        token(7, COLLECTION - HOUR),
        token(7, COLLECTION + 20 * HOUR),
    ];
    let whole = run_engine(&rules, &reads, &tokens, &[]);
    let stops: Vec<usize> = (0..reads.len()).step_by(37).collect();
    assert_eq!(run_engine(&rules, &reads, &tokens, &stops), whole);
}
