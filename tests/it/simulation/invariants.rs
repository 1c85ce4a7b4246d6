//! What must hold in a simulation, checked while it runs and at its end.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use pagewarden::config::Notifier;
use pagewarden::output::json;
use pagewarden::storage::Store;
use pagewarden_core::model::{Finding, Severity, StreamName};
use pagewarden_core::time::rfc3339;
use serde_json::Value;

use super::network::{Got, Host};

/// What can be violated, with the words of the table.
pub(crate) const ALL: [(char, &str); 6] = [
    ('a', "each event stored once"),
    ('b', "each message sent once"),
    ('c', "each finding sent in time"),
    ('d', "no message about what is not so"),
    ('e', "nothing but policy before the lookback is read"),
    ('f', "live equals one reading of the same events"),
];

/// Something that did not hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Violation {
    /// What, by its letter.
    pub(crate) which: char,
    /// How, for people.
    pub(crate) words: String,
}

fn violation(which: char, words: String) -> Violation {
    Violation { which, words }
}

/// When what cannot be blamed on the service was so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    /// Which tenant it concerns; none for all.
    pub(crate) tenant: Option<usize>,
    /// Which receiver it concerns; none for all.
    pub(crate) receiver: Option<usize>,
}

/// What is known of a tenant while it is watched.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// What the config calls it.
    pub(crate) name: String,
    /// When it was first watched.
    pub(crate) began: DateTime<Utc>,
    /// When its lookback was last seen not to be read.
    pub(crate) unread: DateTime<Utc>,
    /// When it was first seen to be read and summed up.
    pub(crate) read: Option<DateTime<Utc>>,
    /// How often events are polled.
    pub(crate) poll: TimeDelta,
}

/// (a) No event more than the world has shown; where everything was read, none fewer.
pub(crate) async fn stored_once(
    store: &dyn Store,
    known: &[Known],
    hosts: &[Host],
    now: DateTime<Utc>,
    whole: bool,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let rows = store.tenants().await.unwrap();
    for (tenant, host) in known.iter().zip(hosts) {
        let Some(row) = rows.iter().find(|row| row.name == tenant.name) else {
            continue;
        };
        let shown = host.simulator.world().counts_until(now);
        for stream in store.stream_status(row).await.unwrap() {
            let (name, most) = match stream.stream.name {
                StreamName::Access => ("access", u64::from(shown.events)),
                StreamName::Audit => ("audit", u64::from(shown.audit)),
            };
            let right = if whole {
                stream.stored == most
            } else {
                stream.stored <= most
            };
            if !right {
                violations.push(violation(
                    'a',
                    format!(
                        "{} {name}: {} of {most} are stored",
                        tenant.name, stream.stored
                    ),
                ));
            }
            if whole
                && stream.stream.name == StreamName::Access
                && stream.unusable != u64::from(shown.unusable)
            {
                violations.push(violation(
                    'a',
                    format!(
                        "{}: {} of {} unusable",
                        tenant.name, stream.unusable, shown.unusable
                    ),
                ));
            }
        }
    }
    violations
}

/// (b) No message comes again after its sender got the answer that it was taken, unless the sender was killed at that moment.
pub(crate) fn sent_once(got: &[Got], blows: &[DateTime<Utc>]) -> Vec<Violation> {
    let mut confirmed: BTreeMap<(usize, &str), DateTime<Utc>> = BTreeMap::new();
    let mut violations = Vec::new();
    let blow_at = |at: DateTime<Utc>| {
        blows
            .iter()
            .any(|blow| (*blow - at).abs() <= TimeDelta::milliseconds(2))
    };
    for one in got {
        let key = (one.receiver, one.id.as_str());
        if let Some(at) = confirmed.get(&key).filter(|at| !blow_at(**at)) {
            violations.push(violation(
                'b',
                format!(
                    "receiver {} got {} again at {}, taken at {}",
                    one.receiver,
                    one.id,
                    rfc3339(one.at),
                    rfc3339(*at)
                ),
            ));
        }
        if let Some(at) = one.confirmed.filter(|_| one.taken) {
            confirmed.insert(key, at);
        }
    }
    violations
}

/// A message about a finding, as the receiver reads it.
struct About<'a> {
    id: &'a str,
    tenant: &'a str,
    family: &'a str,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
    policy: bool,
    weekly: bool,
}

impl<'a> About<'a> {
    fn of(body: &'a Value) -> Option<Self> {
        (body["schema"] == "pagewarden.finding.v1").then_some(())?;
        let time = |key: &str| body[key].as_str()?.parse().ok();
        let family = body["family"].as_str()?;
        Some(Self {
            id: body["id"].as_str()?,
            tenant: body["tenant"].as_str()?,
            family,
            first_seen: time("first_seen")?,
            last_seen: time("last_seen")?,
            policy: matches!(family, "canary" | "blind" | "admin") || body["bits"] == 0.0,
            weekly: body["detector"] == "privileged-reading" && body["account"].is_null(),
        })
    }
}

/// The finding that a message is about, where a statistical detector made it.
pub(crate) fn statistical(body: &Value) -> Option<&str> {
    let about = About::of(body).filter(|about| !about.policy);
    about.map(|about| about.id)
}

/// (c) Each finding of the present is sent to every notifier that it is routed to, within `lateness` and two polls of the event
/// that made it cross, processing time and outages aside; and every finding is sent at least once.
pub(crate) fn sent_in_time(
    got: &[Got],
    known: &[Known],
    notifiers: &[Notifier],
    outages: &[Outage],
    (lateness, processing): (TimeDelta, TimeDelta),
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut seen = BTreeSet::new();
    for one in got.iter().filter(|one| one.taken) {
        let Some(about) = About::of(&one.body) else {
            continue;
        };
        let Some(place) = known.iter().position(|known| known.name == about.tenant) else {
            continue;
        };
        // Those about log health follow from no event, and the weekly sum comes when the week is over.
        if !seen.insert((one.receiver, about.id)) || about.family == "blind" || about.weekly {
            continue;
        }
        let Known {
            began, read, poll, ..
        } = known[place];
        let Some(read) = read.filter(|_| about.last_seen >= began) else {
            continue;
        };
        // A notifier of severe findings only is sent a finding when it escalated, which no message says. What crossed before the
        // service began is in its summary, and sent when it crosses again.
        let all = notifiers[one.receiver].min_severity == Severity::Low;
        let crossed = if all && about.first_seen >= began {
            about.first_seen
        } else {
            about.last_seen
        };
        let from = crossed.max(read);
        let away = away(outages, (place, one.receiver), from, one.at);
        let limit = from + lateness + poll * 2 + processing + away;
        if one.at > limit {
            violations.push(violation(
                'c',
                format!(
                    "{} of {}, crossed {}, last event {}, sent to {} at {}, {} min later than allowed",
                    one.id,
                    about.tenant,
                    rfc3339(about.first_seen),
                    rfc3339(about.last_seen),
                    one.receiver,
                    rfc3339(one.at),
                    (one.at - limit).num_minutes(),
                ),
            ));
        }
    }
    violations
}

/// (c) Every finding with a route is sent: alone or in the summary of history.
pub(crate) fn reported(
    got: &[Got],
    findings: &[Finding],
    known: &[Known],
    notifiers: &[Notifier],
) -> Vec<Violation> {
    let mut reported: BTreeSet<(usize, &str)> = BTreeSet::new();
    for one in got.iter().filter(|one| one.taken) {
        let sums_up = one.body["schema"] == "pagewarden.summary.v1";
        let listed = one.body["most_severe"].as_array().filter(|_| sums_up);
        let listed = listed
            .into_iter()
            .flatten()
            .filter_map(|one| one["id"].as_str());
        let alone = About::of(&one.body).map(|about| about.id);
        reported.extend(listed.chain(alone).map(|id| (one.receiver, id)));
    }
    let mut violations = Vec::new();
    for finding in findings.iter().filter(|finding| finding.is_folded()) {
        let Some(tenant) = known.iter().find(|known| known.name == finding.tenant) else {
            continue;
        };
        for (receiver, notifier) in notifiers.iter().enumerate() {
            let due = finding.severity >= notifier.min_severity;
            if due && !reported.contains(&(receiver, finding.id.as_str())) {
                violations.push(violation(
                    'c',
                    format!(
                        "{} ({}, {}) of {}, crossed {}, last event {}, was never reported to {receiver}; watched from {}, lookback read {}",
                        finding.id,
                        finding.detector,
                        finding.severity.as_str(),
                        finding.tenant,
                        rfc3339(finding.first_seen),
                        rfc3339(finding.last_seen),
                        rfc3339(tenant.began),
                        tenant.read.map(rfc3339).unwrap_or_default(),
                    ),
                ));
            }
        }
    }
    violations
}

/// How long outages lasted that bear on a message, with the time that it takes to come back from them.
fn away(
    outages: &[Outage],
    (tenant, receiver): (usize, usize),
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> TimeDelta {
    let mut all = TimeDelta::zero();
    for outage in outages {
        let bears = outage.tenant.is_none_or(|one| one == tenant)
            && outage.receiver.is_none_or(|one| one == receiver);
        // A message that was not taken waits for up to an hour.
        let end =
            outage.until + TimeDelta::minutes(if outage.receiver.is_some() { 65 } else { 20 });
        if bears && outage.from < until && end > from {
            all += end.min(until) - outage.from.max(from);
        }
    }
    all
}

/// (d) What was sent about a finding that is no more is taken back by a later message.
pub(crate) fn taken_back(got: &[Got], findings: &[Finding]) -> Vec<Violation> {
    let standing: BTreeSet<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
    let mut reported: BTreeMap<(usize, &str), bool> = BTreeMap::new();
    for one in got.iter().filter(|one| one.taken) {
        let retracts = one.body["schema"] == "pagewarden.retraction.v1";
        let id = if retracts {
            one.body["finding"].as_str().or(one.body["id"].as_str())
        } else {
            About::of(&one.body).map(|about| about.id)
        };
        if let Some(id) = id {
            reported.insert((one.receiver, id), retracts);
        }
    }
    reported
        .into_iter()
        .filter(|((_, id), retracted)| !retracted && !standing.contains(id))
        .map(|((receiver, id), _)| {
            violation(
                'd',
                format!("{id} was sent to {receiver}, is no more and was not taken back"),
            )
        })
        .collect()
}

/// (e) Before the lookback of a tenant is read, nothing is sent of it but policy findings.
pub(crate) fn nothing_early(got: &[Got], known: &[Known]) -> Vec<Violation> {
    let early = |one: &&Got| {
        About::of(&one.body).is_some_and(|about| {
            let tenant = known.iter().find(|known| known.name == about.tenant);
            !about.policy && tenant.is_some_and(|tenant| one.at <= tenant.unread)
        })
    };
    got.iter()
        .filter(|one| one.taken)
        .filter(early)
        .map(|one| violation('e', format!("{} was sent at {}", one.id, rfc3339(one.at))))
        .collect()
}

/// (f) What was found live is what one reading of the same events finds.
pub(crate) fn same(live: &[Finding], whole: &[Finding]) -> Vec<Violation> {
    let export = |findings: &[Finding]| -> BTreeMap<String, String> {
        findings
            .iter()
            .filter(|finding| finding.is_folded())
            .map(|finding| {
                let body = String::from_utf8(json::one(finding)).unwrap();
                (finding.id.to_string(), body)
            })
            .collect()
    };
    let (live, whole) = (export(live), export(whole));
    let ids: BTreeSet<&String> = live.keys().chain(whole.keys()).collect();
    ids.into_iter()
        .filter(|id| live.get(*id) != whole.get(*id))
        .map(|id| {
            let one = |of: &BTreeMap<String, String>| {
                of.get(id).map_or("nothing", String::as_str).to_owned()
            };
            violation(
                'f',
                format!("{id}: live {}\n  at once {}", one(&live), one(&whole)),
            )
        })
        .collect()
}
