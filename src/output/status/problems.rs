//! What a person has to see to, by the status of a tenant.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Admins, Credential, StreamStatus, Tenant};
use crate::config::Schedule;
use pagewarden_core::text::{count, duration};

/// How old the last complete poll may be, however short the interval is: a catch-up may take a while.
const LEAST_LAG: Duration = Duration::from_hours(1);

/// How many intervals in a row may bring no complete poll.
const INTERVALS: u32 = 5;

/// What a person has to see to, a sentence each; none where all is well. `schedule` is that of a tenant of the config;
/// without it, one that was only imported lags behind nothing. May hold untrusted text.
pub fn problems(tenant: &Tenant, schedule: Option<&Schedule>, now: DateTime<Utc>) -> Vec<String> {
    let Tenant {
        streams,
        admins,
        coverage,
        deliveries,
        credentials,
        ..
    } = tenant;
    let mut all: Vec<String> = streams
        .iter()
        .filter_map(|stream| of_stream(stream, schedule))
        .collect();
    all.extend(of_admins(admins, schedule.is_some()));
    if coverage.page_views == Some(false) {
        all.push(
            "page views are not seen, so bulk collection cannot be found; see `coverage`"
                .to_owned(),
        );
    }
    if deliveries.given_up_lately > 0 {
        all.push(format!(
            "{} given up in the last 7 days; the log says why, and a changed address of the notifier tries again",
            count(deliveries.given_up_lately, "message")
        ));
    }
    all.extend(
        credentials
            .iter()
            .filter_map(|credential| of_credential(credential, now)),
    );
    all
}

/// A stream that was refused, or that is behind.
fn of_stream(stream: &StreamStatus, schedule: Option<&Schedule>) -> Option<String> {
    let name = match &stream.site {
        None => "the organisation's events".to_owned(),
        Some(site) => format!("the audit log of {site}"),
    };
    if let Some(why) = &stream.last_error {
        return Some(format!("{name} could not be read: {why}"));
    }
    let Some(lag) = stream.lag_seconds else {
        return schedule.map(|_| format!("{name}: never read to the present yet"));
    };
    let lag = Duration::from_secs(lag);
    let interval = schedule.map_or(Duration::ZERO, |schedule| schedule.of(stream.name));
    (lag > LEAST_LAG.max(interval.saturating_mul(INTERVALS))).then(|| {
        format!(
            "{name}: last read to the present {} ago; is the service running?",
            duration(lag)
        )
    })
}

/// A roster that could not be read, or that never was.
fn of_admins(admins: &Admins, watched: bool) -> Option<String> {
    match (&admins.last_error, admins.as_of) {
        (Some(why), _) => Some(format!("who is privileged could not be read: {why}")),
        (None, None) if watched => Some("who is privileged was not read yet".to_owned()),
        _ => None,
    }
}

/// A key that does not work any more.
fn of_credential(credential: &Credential, now: DateTime<Utc>) -> Option<String> {
    let expires = credential
        .expires
        .filter(|expires| *expires < now.date_naive())?;
    let name = &credential.name;
    Some(format!(
        "the key of {name} expired on {expires}; make a new one and set `expires`"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::Coverage;
    use super::*;
    use pagewarden_core::model::StreamName;
    use pagewarden_core::time::moment;

    fn stream(lag: Option<u64>, last_error: Option<&str>) -> StreamStatus {
        StreamStatus {
            lag_seconds: lag,
            last_error: last_error.map(str::to_owned),
            ..StreamStatus::new(StreamName::Access, None)
        }
    }

    fn tenant(stream: StreamStatus) -> Tenant {
        Tenant {
            streams: vec![stream],
            admins: Admins {
                as_of: Some(moment(0)),
                ..Admins::default()
            },
            ..Tenant::default()
        }
    }

    fn said(tenant: &Tenant) -> Vec<String> {
        problems(tenant, Some(&Schedule::default()), moment(100 * 86_400))
    }

    #[test]
    fn a_tenant_that_is_read_and_sends_has_no_problem() {
        assert!(said(&tenant(stream(Some(70), None))).is_empty());
        assert!(said(&tenant(stream(Some(3_600), None))).is_empty());
    }

    #[test]
    fn without_a_config_one_that_was_only_imported_is_not_behind_and_one_that_was_polled_is() {
        let problems = |stream| problems(&tenant(stream), None, moment(0)).len();
        assert_eq!(problems(stream(None, None)), 0);
        assert_eq!(problems(stream(Some(3_600), None)), 0);
        assert_eq!(problems(stream(Some(3_601), None)), 1);
    }

    #[test]
    fn everything_that_somebody_has_to_see_to_is_a_sentence() {
        let sick = Tenant {
            admins: Admins::default(),
            coverage: Coverage {
                page_views: Some(false),
                notes: Vec::new(),
            },
            deliveries: super::super::Deliveries {
                given_up: 9,
                given_up_lately: 2,
                ..Default::default()
            },
            credentials: vec![
                Credential {
                    name: "organization".to_owned(),
                    expires: moment(99 * 86_400).date_naive().into(),
                },
                Credential {
                    name: "acme.atlassian.net".to_owned(),
                    expires: moment(100 * 86_400).date_naive().into(),
                },
            ],
            ..tenant(stream(Some(7_200), None))
        };
        let mut all = said(&sick);
        all.extend(said(&tenant(stream(None, None))));
        all.extend(said(&tenant(stream(Some(1), Some("status 403: no")))));
        insta::assert_snapshot!(all.join("\n"));
    }
}
