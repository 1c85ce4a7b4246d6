//! The logs are less complete than before.
//!
//! Unlike the other detectors, this one looks at log health instead of an account's reading: polls, keys, and whether
//! views come in. Its findings depend on the clock, so it is not part of replay. When it runs and what is recorded is
//! decided elsewhere.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::Meta;
use crate::model::{EventId, Family, Severity};
use crate::text::{count, duration, number};
use crate::time::{DAY_SECONDS, moment};

/// What `explain` prints.
pub const META: Meta = Meta {
    id: "blind-spot",
    family: Family::Blind,
    summary: "The logs show less than before.",
    looks_for: "Page views that stop while people go on doing other things, that never came in, or that name no page. A key that expires within \
                30 days or has expired. A stream that has not been read for a day, or not for longer than Atlassian keeps its \
                events. The severity is fixed: high where reading is not seen any more, a key has expired or events are lost; \
                medium for a key in its last 7 days; low for a key in its last 30 days, and for a plan that keeps no page \
                views.",
    needs: "What was stored in the last weeks; `expires` beside a key in the config.",
    cannot_see: "Whether single people or spaces are left out of the log. Views that stop in a tenant of a few people, or within \
                 the first week.",
    settings: &[
        ("detect.blind-spot.enabled", "false switches it off"),
        (
            "tenant.organization.expires, tenant.site.expires",
            "the last day on which the key or token works",
        ),
    ],
};

/// How many days before its end a key is first reported.
const ENDING_DAYS: i64 = 30;
/// How many days before its end a key is urgent.
const URGENT_DAYS: i64 = 7;
/// How many events without a page view among them are no accident.
const ENOUGH: u64 = 200;
/// For how many days before a silence its usual length is looked up.
pub const USUAL_DAYS: i64 = 28;
/// How many days of views have to come before a silence, to know what is usual.
const LEAST_DAYS: i64 = 7;
/// The least number of people's actions in a silence that is reported, each person counted once an hour.
const LEAST_DEEDS: u64 = 20;
/// How many times as many actions as in the longest usual silence.
const TIMES_USUAL: u64 = 3;
/// The shortest silence that is reported, in seconds.
const LEAST_SECONDS: i64 = 6 * 3_600;
/// From how long without a complete poll a stream counts as not read.
const UNREAD: TimeDelta = TimeDelta::hours(24);

/// What is known of the health of one tenant's logs.
#[derive(Debug, Clone)]
pub struct LogHealth {
    /// The present moment.
    pub now: DateTime<Utc>,
    /// Since when we watch.
    pub installed: DateTime<Utc>,
    /// What came in of the organisation's events; none where they are not read.
    pub views: Option<Views>,
    /// The keys whose end is known.
    pub keys: Vec<Key>,
    /// The streams that could not be read to their end when last tried.
    pub failing: Vec<Failing>,
}

/// What came in of the organisation's events.
#[derive(Debug, Clone, Default)]
pub struct Views {
    /// Page views, ever.
    pub ever: u64,
    /// Events of all kinds, ever.
    pub stored: u64,
    /// How many kinds of event the tenant says it has, and whether page views are among them; none where it did not say.
    pub kinds: Option<(u64, bool)>,
    /// The hours in which something came in, in order, back to twice [`USUAL_DAYS`] before the newest event and to
    /// [`USUAL_DAYS`] before the last view.
    pub hours: Vec<Hour>,
}

/// One hour of the organisation's events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hour {
    /// Its first second.
    pub at: i64,
    /// The seconds of its first and last page view.
    pub viewed: Option<(i64, i64)>,
    /// Its page views.
    pub views: u64,
    /// Those of them that name no page.
    pub nameless: u64,
    /// What people did beside viewing.
    pub others: u64,
    /// How many people did that.
    pub people: u64,
}

/// A key or token with a known end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What it opens: `organization`, or the host name of a site.
    pub name: String,
    /// The last day on which it works.
    pub expires: NaiveDate,
}

/// A stream that could not be read to its end when last tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// How messages call it.
    pub stream: String,
    /// When it last was.
    pub last_success: Option<DateTime<Utc>>,
    /// Why not since. May hold untrusted text.
    pub why: String,
}

/// One thing that we do not see, or that somebody did to what we see.
#[derive(Debug, Clone, PartialEq)]
pub struct Blindness {
    /// The detector that reports it.
    pub detector: &'static str,
    /// Which: a word of its own for each that may stand beside others.
    pub kind: String,
    /// Severity.
    pub severity: Severity,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The last moment at which it was seen to be so.
    pub seen: DateTime<Utc>,
    /// Whether it is over: nothing to wait for.
    pub over: bool,
    /// Why, in sentences, the first first; never empty. A further one is news.
    pub reasons: Vec<String>,
    /// What it rests on.
    pub events: Vec<EventId>,
}

/// Everything that we do not see.
pub fn inspect(log_health: &LogHealth) -> Vec<Blindness> {
    let mut all = Vec::new();
    if let Some(views) = &log_health.views {
        all.extend(never(log_health, views));
        all.extend(nameless(log_health, views));
        all.extend(silences(&views.hours).iter().map(|one| stopped(one, views)));
    }
    all.extend(
        log_health
            .keys
            .iter()
            .filter_map(|key| ending(key, log_health.now)),
    );
    all.extend(
        log_health
            .failing
            .iter()
            .filter_map(|one| unread(one, log_health)),
    );
    all
}

/// Page views that never came in.
fn never(log_health: &LogHealth, views: &Views) -> Option<Blindness> {
    let Views {
        ever,
        stored,
        kinds,
        hours: _,
    } = views;
    let known = matches!(kinds, Some((_, false)));
    if *ever > 0 || *stored == 0 || (*stored < ENOUGH && !known) {
        return None;
    }
    let among = count(*stored, "event");
    let (severity, why) = match kinds {
        Some((kinds, false)) => (
            Severity::Low,
            format!(
                "none of the {} that the tenant's log can hold is a page view: the plan does not keep them (Atlassian Guard \
                 Premium and Cloud Enterprise do)",
                count(*kinds, "activity")
            ),
        ),
        Some((_, true)) => (
            Severity::Medium,
            "the tenant's list of activities does name them: an administrator may have excluded them (audit log settings, event \
             exclusions)"
                .to_owned(),
        ),
        None => (
            Severity::Low,
            "Atlassian keeps them only for Guard Premium and Cloud Enterprise, and an administrator may have excluded them"
                .to_owned(),
        ),
    };
    Some(Blindness {
        detector: META.id,
        kind: "no-page-views".to_owned(),
        severity,
        since: log_health.installed,
        seen: log_health.now,
        over: false,
        reasons: vec![format!(
            "No page view has ever come in, among {among}; {why}. Reading is not seen, so bulk collection cannot be found."
        )],
        events: Vec::new(),
    })
}

/// Whether so many views name no page that the organisation keeps no page names.
pub fn names_no_pages(nameless: u64, views: u64) -> bool {
    views >= ENOUGH && nameless >= views - views / 10
}

/// Page views that name no page, of late.
fn nameless(log_health: &LogHealth, views: &Views) -> Option<Blindness> {
    let (mut seen, mut without) = (0, 0);
    let mut run = None;
    for hour in views.hours.iter().rev() {
        seen += hour.views;
        without += hour.nameless;
        if names_no_pages(without, seen) {
            run = Some((hour.at, seen, without));
        } else if seen >= ENOUGH && run.is_none() {
            return None;
        }
    }
    let (from, seen, without) = run?;
    let ever = views.hours.first().is_some_and(|first| first.at == from);
    Some(Blindness {
        detector: META.id,
        kind: "no-page-names".to_owned(),
        severity: Severity::High,
        since: if ever {
            log_health.installed
        } else {
            moment(from)
        },
        seen: log_health.now,
        over: false,
        reasons: vec![format!(
            "Since {} UTC, {} of {} name no page: the organisation keeps no page names. How many different pages somebody opens \
             is not seen, so bulk collection cannot be found. An organisation admin can switch them on: admin.atlassian.com, \
             audit log settings, in-app activity data.",
            words(moment(from)),
            number(without),
            count(seen, "page view")
        )],
        events: Vec::new(),
    })
}

/// A time without page views in which people went on doing other things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Silence {
    /// The last view before it.
    from: i64,
    /// The first view after it, if there is one.
    until: Option<i64>,
    /// The end of the last hour in which somebody did something else.
    seen: i64,
    /// What people did meanwhile.
    others: u64,
    /// The same, each person counted once an hour.
    deeds: u64,
    /// The most of it in a usual silence.
    usual: u64,
}

/// The silences of late that are longer than usual. Those are no measure for later ones.
fn silences(hours: &[Hour]) -> Vec<Silence> {
    let mut reported = Vec::new();
    // When each usual one began, and what people did in it.
    let mut usual: Vec<(i64, u64)> = Vec::new();
    let Some(first) = hours.iter().find_map(|hour| hour.viewed) else {
        return reported;
    };
    let mut open: Option<Silence> = None;
    for hour in hours {
        if let Some((began, ended)) = hour.viewed {
            if let Some(mut silence) = open.take() {
                silence.until = Some(began);
                weigh(silence, first.0, &mut usual, &mut reported);
            }
            open = Some(Silence {
                from: ended,
                until: None,
                seen: ended,
                others: 0,
                deeds: 0,
                usual: 0,
            });
        } else if let Some(silence) = &mut open
            && hour.people > 0
        {
            silence.seen = hour.at + 3_600;
            silence.others += hour.others;
            silence.deeds += hour.people;
        }
    }
    if let Some(silence) = open {
        weigh(silence, first.0, &mut usual, &mut reported);
    }
    // What came before an older one is not looked at any more, so what was usual then is not known.
    let newest = hours.last().map(|hour| hour.at).unwrap_or_default();
    reported.retain(|one| one.until.is_none() || one.from >= newest - USUAL_DAYS * DAY_SECONDS);
    reported
}

/// Reports a silence that is longer than usual; any other silence counts as usual from then on.
fn weigh(silence: Silence, first: i64, usual: &mut Vec<(i64, u64)>, reported: &mut Vec<Silence>) {
    let oldest = silence.from - USUAL_DAYS * DAY_SECONDS;
    let lately = usual.iter().filter(|(from, _)| *from >= oldest);
    let most = lately.map(|(_, deeds)| *deeds).max().unwrap_or_default();
    let long = silence.seen - silence.from >= LEAST_SECONDS
        && silence.deeds >= LEAST_DEEDS.max(most.saturating_mul(TIMES_USUAL));
    let known = silence.from - first >= LEAST_DAYS * DAY_SECONDS;
    if long && known {
        reported.push(Silence {
            usual: most,
            ..silence
        });
    } else {
        usual.push((silence.from, silence.deeds));
    }
}

/// A silence in words.
fn stopped(silence: &Silence, views: &Views) -> Blindness {
    let from = moment(silence.from);
    let end = silence.until.unwrap_or(silence.seen);
    let length = (moment(end) - from).to_std().unwrap_or_default();
    let length = duration(length);
    let what = match silence.until {
        Some(until) => format!(
            "Page views were missing from {} to {} UTC, {length}.",
            words(from),
            words(moment(until))
        ),
        None => format!(
            "Page views have stopped: the last one was at {} UTC, {length} before the newest event.",
            words(from)
        ),
    };
    let why = match views.kinds {
        Some((_, false)) => {
            "The tenant's list of activities does not name page views any more: the plan has changed, or an administrator has \
             excluded them."
        }
        Some((_, true)) | None => {
            "Check whether an administrator has excluded them (audit log settings, event exclusions), and check the plan."
        }
    };
    Blindness {
        detector: META.id,
        kind: "page-views".to_owned(),
        severity: Severity::High,
        since: from,
        seen: moment(end),
        over: silence.until.is_some(),
        reasons: vec![format!(
            "{what} Meanwhile people did {} ({}, counting each person once an hour); in the {USUAL_DAYS} days before, no pause \
             between views held more than {}. {why}",
            count(silence.others, "other thing"),
            number(silence.deeds),
            number(silence.usual)
        )],
        events: Vec::new(),
    }
}

/// A key that ends soon or has ended.
fn ending(key: &Key, now: DateTime<Utc>) -> Option<Blindness> {
    let Key { name, expires } = key;
    let today = now.date_naive();
    let days = (*expires - today).num_days();
    if days > ENDING_DAYS {
        return None;
    }
    let whose = if name == "organization" {
        "The organisation's key".to_owned()
    } else {
        format!("The token for {name}")
    };
    let away = count(days.unsigned_abs(), "day");
    let (severity, when) = match days {
        ..0 => (Severity::High, format!("expired on {expires}, {away} ago")),
        0 => (Severity::Medium, format!("expires today, {expires}")),
        1..=URGENT_DAYS => (Severity::Medium, format!("expires on {expires}, in {away}")),
        _ => (Severity::Low, format!("expires on {expires}, in {away}")),
    };
    let after = if days < 0 {
        "Unless it was renewed, nothing is read with it"
    } else {
        "After that day nothing is read with it"
    };
    let since = expires
        .checked_sub_signed(TimeDelta::days(ENDING_DAYS))
        .unwrap_or(*expires);
    Some(Blindness {
        detector: META.id,
        kind: format!("key {name}"),
        severity,
        since: since.and_time(NaiveTime::MIN).and_utc(),
        seen: today.and_time(NaiveTime::MIN).and_utc(),
        over: false,
        reasons: vec![format!(
            "{whose} {when}. {after}: create a new one, and set `expires` in the config."
        )],
        events: Vec::new(),
    })
}

/// A stream that has not been read for a day.
fn unread(failing: &Failing, log_health: &LogHealth) -> Option<Blindness> {
    let since = failing.last_success.unwrap_or(log_health.installed);
    let length = log_health.now - since;
    (length >= UNREAD).then(|| Blindness {
        detector: META.id,
        kind: format!("unread {}", failing.stream),
        severity: Severity::High,
        since,
        seen: log_health.now,
        over: false,
        reasons: vec![format!(
            "No poll of {} has completed since {} UTC, for {}: {}.",
            failing.stream,
            words(since),
            duration(length.to_std().unwrap_or_default()),
            failing.why.trim_end_matches('.')
        )],
        events: Vec::new(),
    })
}

/// A stream that was last read to its end longer ago than Atlassian keeps its events.
pub fn gap(
    stream: &str,
    last_success: DateTime<Utc>,
    now: DateTime<Utc>,
    kept: TimeDelta,
) -> Option<Blindness> {
    let oldest = now - kept;
    (last_success < oldest).then(|| Blindness {
        detector: META.id,
        kind: format!("gap {stream}"),
        severity: Severity::High,
        since: last_success,
        seen: oldest,
        over: true,
        reasons: vec![format!(
            "The last complete poll of {stream} was on {} UTC, the next one not until {} UTC. Atlassian keeps these events for {}, so what \
             happened from {} to {} is lost, unless an export of it exists: read that with `import`.",
            words(last_success),
            words(now),
            count(kept.num_days().unsigned_abs(), "day"),
            last_success.date_naive(),
            oldest.date_naive()
        )],
        events: Vec::new(),
    })
}

/// Which week a moment is in: findings about no account begin their weeks on Thursdays, UTC.
pub fn period(at: DateTime<Utc>) -> i64 {
    crate::time::day_of(at.timestamp()).div_euclid(7)
}

/// The first second of the week that a moment is in.
pub fn week_of(at: DateTime<Utc>) -> i64 {
    period(at) * 7 * DAY_SECONDS
}

/// A moment as sentences write it.
fn words(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
#[path = "blind_spot_tests.rs"]
mod tests;
