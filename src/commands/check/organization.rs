//! An organisation's events: whether they can be read, what the plan delivers, and how long the first read will take.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{ONCE, PATIENCE, clocks, late, place};
use crate::atlassian::{EventsAsk, EventsPage, Mapper, Organization};
use crate::config::{self, Tenant};
use crate::http::Transport;
use crate::output::check::{Level, Report};
use pagewarden_core::detect::blind_spot::names_no_pages;
use pagewarden_core::model::{Class, EventAction};
use pagewarden_core::text::{count, duration, number};
use pagewarden_core::time::before;

/// How far back the sample of events begins.
const SAMPLE: Duration = Duration::from_hours(24);

/// How much of the sample a page covers that holds all of it.
const ALMOST_ALL: Duration = Duration::from_hours(23);

/// The most events of a page; the first read is made of such pages.
const PAGE: u64 = 500;

/// Reads a page of events and the list of their kinds.
pub(super) async fn check(tenant: &Tenant, now: DateTime<Utc>) -> Report {
    let (mut report, name) = (Report::default(), tenant.name.as_str());
    let Some(settings) = &tenant.organization else {
        return report;
    };
    // That a secret cannot be read was said already.
    let Ok(key) = settings.api_key.read() else {
        return report;
    };
    let stop = CancellationToken::new();
    let built = Organization::new(&Transport::default(), settings, key, ONCE, stop);
    let organization = match built {
        Ok(organization) => organization,
        Err(error) => {
            report.say_of(name, Level::Error, format!("organization.url: {error}"));
            return report;
        }
    };
    let host = place(&settings.url);
    let mapper = Mapper::new(&tenant.actions, &[]);
    let ask = EventsAsk::From {
        from: before(now, SAMPLE),
        to: None,
    };
    let (events, actions) = tokio::join!(
        timeout(PATIENCE, organization.events(&ask, &mapper)),
        timeout(PATIENCE, organization.actions())
    );
    match events {
        Ok(Ok(page)) => {
            clocks(&mut report, name, &host, page.server_time);
            sample(&mut report, name, &host, &page);
            estimate(&mut report, tenant, settings, &page, now);
        }
        Ok(Err(error)) => {
            let text = format!("the organisation's events at {host} cannot be read: {error}");
            report.say_of(name, Level::Error, text);
        }
        Err(_) => {
            let text = format!("the organisation's events at {host}: {}", late());
            report.say_of(name, Level::Error, text);
        }
    }
    match actions {
        Ok(Ok(actions)) => kinds(&mut report, tenant, &actions),
        // What hinders both was said.
        Ok(Err(_)) if report.has_errors() => {}
        Ok(Err(error)) => {
            let text = format!(
                "the list of event kinds at {host} cannot be read: {error}; known kinds are recognised all the same"
            );
            report.say_of(name, Level::Warn, text);
        }
        Err(_) => {
            let text = format!("the list of event kinds at {host}: {}", late());
            report.say_of(name, Level::Warn, text);
        }
    }
    report
}

/// What kinds of event the plan has, and how they are understood.
fn kinds(report: &mut Report, tenant: &Tenant, actions: &[EventAction]) {
    let mapper = Mapper::new(&tenant.actions, actions);
    let mut classes: BTreeMap<Class, Vec<&str>> = BTreeMap::new();
    for action in actions {
        let class = mapper.class(&action.id);
        classes.entry(class).or_default().push(&action.id);
    }
    let all = count(u64::try_from(actions.len()).unwrap_or(u64::MAX), "kind");
    let views = classes
        .get(&Class::View)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if views.is_empty() {
        let text = format!(
            "page views are not among the {all} of event that the tenant has: reading is not seen, so bulk collection cannot be \
             found. Atlassian keeps page views for Guard Premium and Cloud Enterprise only"
        );
        report.say_of(&tenant.name, Level::Warn, text);
        return;
    }
    let told: Vec<String> = classes
        .iter()
        .filter(|(class, _)| **class != Class::Other)
        .map(|(class, ids)| format!("{} {}", ids.len(), class.as_str()))
        .collect();
    let text = format!(
        "the tenant has {all} of event, understood as: {}; the rest is `other`. Page views: {}. [tenant.actions] overrides it",
        told.join(", "),
        views.join(", ")
    );
    report.say_of(&tenant.name, Level::Ok, text);
}

/// What came of the last day.
fn sample(report: &mut Report, tenant: &str, host: &str, page: &EventsPage) {
    let views = page
        .events
        .iter()
        .filter(|event| event.class == Class::View);
    let (views, nameless) = views.fold((0_u64, 0_u64), |(views, nameless), event| {
        (views + 1, nameless + u64::from(event.page.is_none()))
    });
    let received = u64::try_from(page.received).unwrap_or(u64::MAX);
    let can = format!("the organisation's events at {host} can be read");
    if received == 0 {
        let text = format!("{can}, and none has come since yesterday");
        report.say_of(tenant, Level::Note, text);
        return;
    }
    let text = format!(
        "{can}: {} since yesterday on the first page, {} among them",
        count(received, "event"),
        count(views, "page view")
    );
    report.say_of(tenant, Level::Ok, text);
    if names_no_pages(nameless, views) {
        let text = format!(
            "{} of {} name no page: page names are switched off, so nobody can be seen to open many. An organisation admin can \
             switch them on: admin.atlassian.com, audit log settings, in-app activity data",
            number(nameless),
            count(views, "page view")
        );
        report.say_of(tenant, Level::Warn, text);
    }
    if let Some(unusable) = page.unusable.first() {
        let of = u64::try_from(page.unusable.len()).unwrap_or(u64::MAX);
        let text = format!(
            "{} of {} cannot be used, the first because: {}",
            number(of),
            count(received, "event"),
            unusable.reason
        );
        report.say_of(tenant, Level::Warn, text);
    }
}

/// How long the first read will take.
fn estimate(
    report: &mut Report,
    tenant: &Tenant,
    settings: &config::Organization,
    page: &EventsPage,
    now: DateTime<Utc>,
) {
    let lookback = tenant.schedule.lookback;
    let processed = page.events.iter().filter_map(|event| event.processed_at);
    let Some(newest) = processed.max() else {
        return;
    };
    // A page that ends long before now is full, and shows how fast they come; any other holds the whole day.
    let covered = (newest - before(now, SAMPLE)).to_std().unwrap_or(SAMPLE);
    let full = page.next.is_some() && covered < ALMOST_ALL;
    let covered = if full { covered } else { SAMPLE };
    let received = u64::try_from(page.received).unwrap_or(u64::MAX);
    let spans = lookback.as_secs().div_ceil(covered.as_secs().max(1));
    let events = rounded(received.saturating_mul(spans));
    let requests = events.div_ceil(if full { received.max(1) } else { PAGE });
    let per_minute = u64::from(settings.requests_per_minute.max(1));
    let takes = Duration::from_secs((requests * 60).div_ceil(per_minute).max(60));
    let text = format!(
        "the first read goes back {}: about {}, {} at {} a minute, about {}",
        duration(lookback),
        count(events, "event"),
        count(requests, "request"),
        count(per_minute, "request"),
        duration(takes)
    );
    report.say_of(&tenant.name, Level::Note, text);
}

/// A number with two digits that say something.
const fn rounded(n: u64) -> u64 {
    let mut unit = 1;
    while n / unit >= 100 {
        unit *= 10;
    }
    n.div_ceil(unit) * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_have_two_digits() {
        assert_eq!([0, 7, 99].map(rounded), [0, 7, 99]);
        assert_eq!([101, 1_234, 99_999].map(rounded), [110, 1_300, 100_000]);
    }
}
