//! How far everything has been read and what cannot be seen: `pagewarden.status.v1`, as JSON and for people.
//!
//! The structs are filled by whoever reads the state file; this module only writes them.

mod people;
mod problems;

use std::io;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};

use super::json::{At, pretty};
use pagewarden_core::model::StreamName;
use pagewarden_core::text::plain;

pub use people::write_text;
pub use problems::problems;

/// The longest problem that is shown.
const LONGEST: usize = 600;

/// The state of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Every tenant, in the order of the config.
    pub tenants: Vec<Tenant>,
    /// What a person has to see to that is of no tenant, a sentence each.
    pub problems: Vec<String>,
}

/// The state of one tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// Its streams, access first.
    pub streams: Vec<StreamStatus>,
    /// Who is privileged.
    pub admins: Admins,
    /// What can be seen.
    pub coverage: Coverage,
    /// What was found.
    pub findings: Findings,
    /// What was sent.
    pub deliveries: Deliveries,
    /// When keys and tokens end.
    pub credentials: Vec<Credential>,
    /// How many events were left out by suppressions.
    pub suppressed: u64,
    /// The suppressions, in the order of the config.
    pub suppressions: Vec<Suppression>,
    /// What a person has to see to, a sentence each. May hold untrusted text.
    pub problems: Vec<String>,
}

/// The state of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamStatus {
    /// Which log.
    #[serde(serialize_with = "stream_name")]
    pub name: StreamName,
    /// The host name of the site, for an audit stream.
    pub site: Option<String>,
    /// Events kept once, of every class.
    pub stored: u64,
    /// Events that came again.
    pub repeated: u64,
    /// Events that came after their session had settled.
    pub late: u64,
    /// Records that no reader could use.
    pub unusable: u64,
    /// The same, by reason.
    pub unusable_reasons: Vec<Reason>,
    /// Reading events whose page could not be identified.
    pub unresolved: u64,
    /// How far the live walk has read.
    #[serde(serialize_with = "at")]
    pub watermark: Option<DateTime<Utc>>,
    /// The time since the last complete poll.
    pub lag_seconds: Option<u64>,
    /// The end of the last complete poll.
    #[serde(serialize_with = "at")]
    pub last_success: Option<DateTime<Utc>>,
    /// Why the last poll failed, if it did. No URL, no secret; may hold untrusted text.
    pub last_error: Option<String>,
    /// The reading of an old window, if one is asked for or under way.
    pub backfill: Option<Backfill>,
}

impl StreamStatus {
    /// A stream of which nothing has been read.
    pub const fn new(name: StreamName, site: Option<String>) -> Self {
        Self {
            name,
            site,
            stored: 0,
            repeated: 0,
            late: 0,
            unusable: 0,
            unusable_reasons: Vec::new(),
            unresolved: 0,
            watermark: None,
            lag_seconds: None,
            last_success: None,
            last_error: None,
            backfill: None,
        }
    }
}

/// Why records could not be used, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Why, in a few constant words.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// The reading of an old window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Backfill {
    /// The first moment of the window.
    #[serde(serialize_with = "moment")]
    pub from: DateTime<Utc>,
    /// The first moment after it.
    #[serde(serialize_with = "moment")]
    pub until: DateTime<Utc>,
    /// How far it has read; none before it began.
    #[serde(serialize_with = "at")]
    pub reached: Option<DateTime<Utc>>,
    /// Whether it has read all.
    pub done: bool,
}

impl Backfill {
    /// How much of the window has been read, in hundredths.
    pub fn percent(&self) -> u64 {
        let Self {
            from,
            until,
            reached,
            done,
        } = self;
        if *done {
            return 100;
        }
        let Some(reached) = reached else { return 0 };
        let whole = (*until - *from).num_seconds().max(1);
        let read = (*reached - *from).num_seconds().clamp(0, whole);
        u64::try_from(read.saturating_mul(100) / whole)
            .unwrap_or(0)
            .min(99)
    }
}

/// Who is privileged, as far as known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Admins {
    /// How many accounts.
    pub accounts: u64,
    /// When the roster was read; none where there is none.
    #[serde(serialize_with = "at")]
    pub as_of: Option<DateTime<Utc>>,
    /// Why the last refresh failed, if it did. No URL, no secret; may hold untrusted text.
    pub last_error: Option<String>,
}

/// What the configured APIs and the plan let us see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Whether page views arrive; none where that is not known yet.
    pub page_views: Option<bool>,
    /// What cannot be seen, a sentence each.
    pub notes: Vec<String>,
}

/// How many findings there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// No verdict yet, or grown since.
    pub open: u64,
    /// All.
    pub total: u64,
}

/// How many messages there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Deliveries {
    /// To be sent.
    pub waiting: u64,
    /// Sent.
    pub sent: u64,
    /// Never to be sent.
    pub given_up: u64,
    /// Those of them that were put into the outbox in the last 7 days.
    pub given_up_lately: u64,
}

/// A key or token whose end is known or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// What it opens: "organization", or the host name of a site. Never the secret.
    pub name: String,
    /// The last day on which it works, if given.
    pub expires: Option<NaiveDate>,
}

/// One suppression: activity that is not reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// What it names: "account", "group", "space" or "network".
    pub kind: &'static str,
    /// Which.
    pub value: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub until: NaiveDate,
    /// Whether that day has passed.
    pub ended: bool,
    /// How many stored events it leaves out; one that two rules leave out counts for both.
    pub events: u64,
}

/// Writes the status as JSON.
pub fn write_json(status: &Status, out: &mut dyn io::Write) -> io::Result<()> {
    /// The status, as version 1 has it.
    #[derive(Serialize)]
    struct V1<'a> {
        schema: &'static str,
        tenants: &'a [Tenant],
        problems: &'a [String],
    }
    let Status { tenants, problems } = status;
    pretty(
        &V1 {
            schema: "pagewarden.status.v1",
            tenants,
            problems,
        },
        out,
    )
}

/// Writes what a person has to see to, a line each, and the tenant before it; nothing where all is well.
pub fn write_problems(status: &Status, out: &mut dyn io::Write) -> io::Result<()> {
    for problem in &status.problems {
        writeln!(out, "{}", plain(problem, LONGEST))?;
    }
    for tenant in &status.tenants {
        for problem in &tenant.problems {
            let (name, problem) = (plain(&tenant.name, LONGEST), plain(problem, LONGEST));
            writeln!(out, "{name}: {problem}")?;
        }
    }
    Ok(())
}

/// Writes the name of a stream.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn stream_name<S: Serializer>(name: &StreamName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}

/// Writes a moment.
fn moment<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    At(*at).serialize(serializer)
}

/// Writes a moment that may not be.
#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn at<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(At).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::super::Look;
    use super::super::samples::start;
    use super::*;
    use pagewarden_core::time::{after, before};
    use std::time::Duration;

    const DAY: Duration = Duration::from_hours(24);

    fn access() -> StreamStatus {
        StreamStatus {
            stored: 48_210,
            repeated: 12,
            late: 3,
            unusable: 2,
            unusable_reasons: vec![Reason {
                reason: "no time".into(),
                count: 2,
            }],
            unresolved: 5,
            watermark: Some(start()),
            lag_seconds: Some(64),
            last_success: Some(start()),
            backfill: Some(Backfill {
                from: before(start(), 30 * DAY),
                until: start(),
                reached: Some(before(start(), 21 * DAY)),
                done: false,
            }),
            ..StreamStatus::new(StreamName::Access, None)
        }
    }

    fn busy() -> Tenant {
        let refused = StreamStatus {
            last_error: Some("the token was refused\u{1b}[2J (401)".into()),
            ..StreamStatus::new(StreamName::Audit, Some("acme.atlassian.net".into()))
        };
        let credential = |name: &str, expires: Option<DateTime<Utc>>| Credential {
            name: name.into(),
            expires: expires.map(|at| at.date_naive()),
        };
        Tenant {
            name: "acme".into(),
            streams: vec![access(), refused],
            admins: Admins {
                accounts: 4,
                as_of: Some(before(start(), DAY)),
                last_error: Some("no answer".into()),
            },
            coverage: Coverage {
                page_views: Some(true),
                notes: vec!["Sign-ins are not seen: no audit log.".into()],
            },
            findings: Findings { open: 3, total: 5 },
            deliveries: Deliveries {
                waiting: 0,
                sent: 5,
                given_up: 1,
                given_up_lately: 1,
            },
            credentials: vec![
                credential("organization", Some(after(start(), 160 * DAY))),
                credential("acme.atlassian.net", Some(after(start(), 9 * DAY))),
                credential("old.acme.example", Some(before(start(), DAY))),
                credential("other.acme.example", None),
            ],
            suppressed: 1_204,
            suppressions: vec![
                rule("account", "712020:indexer", "search indexer", false, 1_201),
                rule(
                    "network",
                    "192.0.2.0/24",
                    "audit\u{1b}[2J by an outside firm",
                    true,
                    3,
                ),
                rule("space", "HR", "moves house", false, 0),
            ],
            problems: vec!["the key of old.acme.example expired".into()],
        }
    }

    fn rule(
        kind: &'static str,
        value: &str,
        reason: &str,
        ended: bool,
        events: u64,
    ) -> Suppression {
        let days = if ended { -2 } else { 40 };
        Suppression {
            kind,
            value: value.into(),
            reason: reason.into(),
            until: (start() + chrono::TimeDelta::days(days)).date_naive(),
            ended,
            events,
        }
    }

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn machines_read_every_field_of_version_1() {
        let status = Status {
            tenants: vec![busy()],
            problems: vec!["the disk is nearly full".into()],
        };
        insta::assert_snapshot!(text(|out| write_json(&status, out)));
        let problems = text(|out| write_problems(&status, out));
        assert_eq!(
            problems,
            "the disk is nearly full\nacme: the key of old.acme.example expired\n"
        );
    }

    #[test]
    fn people_read_how_far_and_what_is_wrong() {
        let fresh = Tenant {
            name: "new".into(),
            streams: vec![StreamStatus::new(StreamName::Access, None)],
            ..Tenant::default()
        };
        let status = Status {
            tenants: vec![busy(), fresh],
            ..Status::default()
        };
        insta::assert_snapshot!(text(|out| write_text(
            &status,
            start(),
            Look::default(),
            out
        )));
    }

    #[test]
    fn a_backfill_is_not_at_100_before_it_is_done() {
        let window = Backfill {
            from: start(),
            until: after(start(), DAY),
            reached: None,
            done: false,
        };
        assert_eq!(window.percent(), 0);
        assert_eq!(
            Backfill {
                reached: Some(after(start(), DAY / 2)),
                ..window
            }
            .percent(),
            50
        );
        assert_eq!(
            Backfill {
                reached: Some(after(start(), 2 * DAY)),
                ..window
            }
            .percent(),
            99
        );
        assert_eq!(
            Backfill {
                done: true,
                ..window
            }
            .percent(),
            100
        );
    }
}
