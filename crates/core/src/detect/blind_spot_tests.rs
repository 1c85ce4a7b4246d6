use super::*;

/// 2026-06-01T00:00:00Z, a Monday.
const START: i64 = 1_780_272_000;

/// So many days in which people view on weekdays from 8 to 18 o'clock, and two do something else every evening.
fn days(days: i64, views: impl Fn(i64, i64) -> bool) -> Vec<Hour> {
    let mut hours = Vec::new();
    for day in 0..days {
        for hour in 0..24 {
            let at = START + day * DAY_SECONDS + hour * 3_600;
            let works = (8..18).contains(&hour) && day % 7 < 5;
            let viewed = (works && views(day, hour)).then_some((at + 60, at + 3_000));
            let people = if works { 6 } else { u64::from(hour == 20) * 2 };
            if viewed.is_some() || people > 0 {
                hours.push(Hour {
                    at,
                    viewed,
                    views: 0,
                    nameless: 0,
                    others: people * 3,
                    people,
                });
            }
        }
    }
    hours
}

fn log_health(views: Views) -> LogHealth {
    LogHealth {
        now: at("2026-07-01T12:00:00Z"),
        installed: at("2026-06-01T00:00:00Z"),
        views: Some(views),
        keys: Vec::new(),
        failing: Vec::new(),
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn seen(hours: Vec<Hour>) -> Vec<Blindness> {
    inspect(&log_health(Views {
        ever: 5_000,
        stored: 9_000,
        kinds: None,
        hours,
    }))
}

#[test]
fn views_that_stop_while_people_go_on_are_reported() {
    let all = seen(days(18, |day, _| day < 17));
    let [one] = all.as_slice() else {
        panic!("{all:#?}")
    };
    assert_eq!(
        (one.kind.as_str(), one.severity, one.over, one.since),
        (
            "page-views",
            Severity::High,
            false,
            at("2026-06-17T17:50:00Z")
        )
    );
    insta::assert_snapshot!(one.reasons.join("\n"));
}

#[test]
fn views_that_came_back_are_reported_with_their_end() {
    let all = seen(days(19, |day, _| day != 16));
    let [one] = all.as_slice() else {
        panic!("{all:#?}")
    };
    assert!(one.over);
    insta::assert_snapshot!(one.reasons.join("\n"));
}

#[test]
fn nights_weekends_and_holidays_are_no_blindness() {
    assert_eq!(seen(days(28, |_, _| true)), []);
    // A holiday: nobody works, and nobody does anything else beside the two in the evening.
    let mut holiday = days(28, |_, _| true);
    holiday.retain(|hour| (hour.at - START) / DAY_SECONDS != 16 || hour.viewed.is_none());
    assert_eq!(seen(holiday), []);
}

#[test]
fn a_silence_counts_from_six_hours_and_twenty_persons_an_hour_on() {
    let last = START + 16 * DAY_SECONDS;
    // On the last day the last view is at 08:50, and so many people do other things in each of the next hours.
    let silent = |hours: i64, people: u64| {
        let mut all = days(17, |day, hour| day < 16 || hour < 9);
        all.retain(|hour| hour.at < last + (9 + hours) * 3_600);
        for hour in all.iter_mut().filter(|hour| hour.at >= last + 9 * 3_600) {
            hour.people = people;
        }
        seen(all).len()
    };
    assert_eq!((silent(6, 4), silent(5, 5)), (1, 0));
    assert_eq!((silent(6, 3), silent(7, 3)), (0, 1));
}

#[test]
fn a_script_of_one_person_at_night_is_no_blindness() {
    let mut hours = days(20, |_, _| true);
    hours.push(Hour {
        at: START + 19 * DAY_SECONDS + 23 * 3_600,
        others: 5_000,
        people: 1,
        ..Hour::default()
    });
    assert_eq!(seen(hours), []);
}

#[test]
fn the_first_week_and_a_silence_long_ago_are_not_reported() {
    assert_eq!(seen(days(5, |day, _| day < 4)), []);
    assert_eq!(seen(days(60, |day, _| day != 16)), []);
}

#[test]
fn views_that_name_no_page_are_reported_while_they_come() {
    let with = |nameless: fn(i64) -> u64| {
        let mut hours = days(20, |_, _| true);
        for hour in hours.iter_mut().filter(|hour| hour.viewed.is_some()) {
            hour.views = 20;
            hour.nameless = nameless((hour.at - START) / DAY_SECONDS);
        }
        seen(hours)
    };
    let all = with(|day| if day < 10 { 1 } else { 19 });
    let [one] = all.as_slice() else {
        panic!("{all:#?}")
    };
    assert_eq!(
        (one.kind.as_str(), one.severity),
        ("no-page-names", Severity::High)
    );
    insta::assert_snapshot!(one.reasons.join("\n"));
    let always = with(|_| 20);
    assert_eq!(always[0].since, at("2026-06-01T00:00:00Z"));
    assert_eq!(
        with(|day| if day < 15 { 20 } else { 0 }),
        [],
        "it was switched on again"
    );
    assert_eq!(
        with(|_| 17),
        [],
        "some pages are deleted, and that is normal"
    );
}

fn never(stored: u64, kinds: Option<(u64, bool)>) -> Vec<Blindness> {
    inspect(&log_health(Views {
        stored,
        kinds,
        ..Views::default()
    }))
}

#[test]
fn views_that_never_came_are_reported_by_what_the_tenant_says_it_has() {
    let severity = |stored, kinds| never(stored, kinds).first().map(|one| one.severity);
    assert_eq!(severity(200, None), Some(Severity::Low));
    assert_eq!(severity(199, None), None);
    assert_eq!(severity(200, Some((41, true))), Some(Severity::Medium));
    assert_eq!(severity(199, Some((41, true))), None);
    assert_eq!(severity(1, Some((41, false))), Some(Severity::Low));
    assert_eq!(severity(0, Some((41, false))), None);
    let words: Vec<String> = [None, Some((41, true)), Some((41, false))]
        .into_iter()
        .flat_map(|kinds| never(1_204, kinds))
        .flat_map(|one| one.reasons)
        .collect();
    insta::assert_snapshot!(words.join("\n"));
}

#[test]
fn a_key_is_reported_in_its_last_30_days_and_after() {
    let key = |expires: &str| {
        let key = Key {
            name: "organization".to_owned(),
            expires: expires.parse().unwrap(),
        };
        ending(&key, at("2026-06-10T23:00:00Z"))
    };
    let severity = |expires| key(expires).map(|one| one.severity);
    assert_eq!(severity("2026-07-11"), None);
    assert_eq!(severity("2026-07-10"), Some(Severity::Low));
    assert_eq!(severity("2026-06-18"), Some(Severity::Low));
    assert_eq!(severity("2026-06-17"), Some(Severity::Medium));
    assert_eq!(severity("2026-06-10"), Some(Severity::Medium));
    assert_eq!(severity("2026-06-09"), Some(Severity::High));
    // However near its end: it is one and the same.
    assert_eq!(key("2026-06-11").unwrap().since, at("2026-05-12T00:00:00Z"));
    let words: Vec<String> = ["2026-07-10", "2026-06-10", "2026-06-09"]
        .into_iter()
        .flat_map(|expires| key(expires).unwrap().reasons)
        .collect();
    insta::assert_snapshot!(words.join("\n"));
}

#[test]
fn a_stream_that_failed_for_a_day_is_reported_and_one_that_failed_an_hour_is_not() {
    let failing = |last: Option<&str>| {
        let failing = Failing {
            stream: "the organisation's events".to_owned(),
            last_success: last.map(at),
            why: "the key was refused (401).".to_owned(),
        };
        unread(&failing, &log_health(Views::default()))
    };
    assert_eq!(failing(Some("2026-07-01T11:00:00Z")), None);
    assert_eq!(failing(Some("2026-06-30T12:00:01Z")), None);
    let one = failing(Some("2026-06-30T12:00:00Z")).unwrap();
    assert_eq!((one.severity, one.over), (Severity::High, false));
    insta::assert_snapshot!(one.reasons.join("\n"));
    // One that was never read is measured from the beginning.
    assert_eq!(failing(None).unwrap().since, at("2026-06-01T00:00:00Z"));
}

#[test]
fn a_gap_longer_than_what_is_kept_is_reported() {
    let gap = |last| {
        gap(
            "the organisation's events",
            at(last),
            at("2026-07-01T12:00:00Z"),
            TimeDelta::days(180),
        )
    };
    assert_eq!(gap("2026-01-02T12:00:00Z"), None);
    let one = gap("2025-12-24T09:30:00Z").unwrap();
    assert_eq!((one.severity, one.over), (Severity::High, true));
    insta::assert_snapshot!(one.reasons.join("\n"));
}
