//! What a bulk collector may try: other addresses, midnight, the end of a week, company.

use super::tests::{MONDAY, rules, with};
use super::*;
use crate::model::Auth;
use crate::model::settings::Detect;

/// Days of the world.
const DAYS: i64 = 40;
/// The bulk collector.
const ACCOUNT: WordId = 7;

/// Fifty people who read as people do, some much, some little, on most days, of six hundred pages of which few are popular.
fn lively() -> Vec<Read> {
    let mut dice = fastrand::Rng::with_seed(5);
    let mut reads = Vec::new();
    for day in 0..DAYS {
        for account in 1..=50_u32 {
            if (day + 3) % 7 > 4 || dice.f64() < 0.25 {
                continue;
            }
            let mut at = MONDAY + day * DAY_SECONDS + dice.i64(28_000..60_000);
            for _ in 0..=dice.u32(0..3 + account % 9) {
                // Everybody's own corner, and what is popular with all.
                let page = if dice.bool() {
                    100 + account * 10 + dice.u32(0..10)
                } else {
                    dice.u32(0..100) * dice.u32(0..100) / 100
                };
                at += dice.i64(5..900);
                reads.push(read(account, at, page, 1));
            }
        }
    }
    reads.sort_by_key(|read| (read.at, read.key));
    reads
}

fn read(account: WordId, at: i64, page: WordId, address: WordId) -> Read {
    Read {
        address: Some(address),
        ..tests::read(account, at, page)
    }
}

/// So many pages of other people's corners from a moment on, one in forty seconds.
fn collection(account: WordId, at: i64, pages: std::ops::Range<u32>) -> Vec<Read> {
    pages
        .map(|page| {
            read(
                account,
                at + i64::from(page) * 40,
                150 + (page * 7) % 430,
                1,
            )
        })
        .collect()
}

/// The score of an account's highest day.
fn highest(reads: &[Read], account: WordId) -> f64 {
    let (detect, roster) = (Detect::default(), RosterHistory::default());
    let rules = rules(&detect, &roster);
    let mut engine = Engine::new().keeping_days();
    for read in reads {
        engine.take(&rules, read);
    }
    engine.pass(&rules, MONDAY + (DAYS + 9) * DAY_SECONDS);
    let from = day_of(MONDAY) + 28;
    let days = engine.days().into_iter();
    days.filter(|day| day.account == account && day.day >= from)
        .map(|day| day.bits)
        .fold(0.0, f64::max)
}

/// Ten at night on a day of the fifth week.
const fn evening(day: i64) -> i64 {
    MONDAY + (28 + day) * DAY_SECONDS + 22 * 3_600
}

#[test]
fn other_addresses_and_browsers_change_nothing() {
    let plain = collection(ACCOUNT, evening(1), 0..60);
    let spread = plain.iter().zip(0_u32..).map(|(read, place)| Read {
        address: Some(100 + place % 25),
        auth: if place % 2 == 0 {
            Auth::Session
        } else {
            Auth::Other
        },
        ..*read
    });
    let alone = highest(&with(lively(), plain.clone()), ACCOUNT);
    assert!(alone > 10.0, "{alone}");
    let spread = highest(&with(lively(), spread), ACCOUNT);
    assert!((alone - spread).abs() < f64::EPSILON, "{alone} {spread}");
}

#[test]
fn a_session_over_midnight_or_the_end_of_a_week_moves_nothing_by_more_than_a_bit() {
    let base = highest(
        &with(lively(), collection(ACCOUNT, evening(1), 0..60)),
        ACCOUNT,
    );
    // Twenty to midnight of each day: the account's own week, the week of the refits and the month all end in one of them.
    for day in 0..9 {
        let late = collection(ACCOUNT, evening(day) + 6_000, 0..60);
        let early = collection(ACCOUNT, evening(day) - 6_000, 0..60);
        let (late, early) = (
            highest(&with(lively(), late), ACCOUNT),
            highest(&with(lively(), early), ACCOUNT),
        );
        assert!((late - early).abs() <= 1.0, "{day} {early} {late} {base}");
    }
}

#[test]
fn halves_on_either_side_of_a_days_end_lose_at_most_three_bits() {
    for day in 0..9 {
        let whole = collection(ACCOUNT, evening(day) - 6_000, 0..60);
        let halves = [
            collection(ACCOUNT, evening(day) + 3_600, 0..30),
            collection(ACCOUNT, evening(day) + 3 * 3_600, 30..60),
        ];
        let (whole, halves) = (
            highest(&with(lively(), whole), ACCOUNT),
            highest(&with(lively(), halves.concat()), ACCOUNT),
        );
        assert!(halves >= whole - 3.0, "{day} {whole} {halves}");
    }
}

#[test]
fn two_who_share_a_bulk_collection_are_found_when_each_alone_would_be() {
    let [one, other] = [
        collection(ACCOUNT, evening(2), 0..30),
        collection(9, evening(2) + 20, 30..60),
    ];
    let alone = [
        highest(&with(lively(), one.clone()), ACCOUNT),
        highest(&with(lively(), other.clone()), 9),
    ];
    let both = with(lively(), [one, other].concat());
    let together = [highest(&both, ACCOUNT), highest(&both, 9)];
    for (alone, together) in alone.into_iter().zip(together) {
        assert!(
            alone > 9.0 && (alone - together).abs() < 0.5,
            "{alone} {together}"
        );
    }
}
