//! Made-up findings for the tests of every format.

use std::time::Duration;

use chrono::{DateTime, Utc};

use pagewarden_core::model::finding::Account;
use pagewarden_core::model::{
    AccountId, ActorKind, EventId, Evidence, Expected, Family, Finding, FindingId, Observed,
    PageId, PageRead, Severity, Signal, SpaceKey, Status,
};
use pagewarden_core::time::after;

/// 2026-11-20 02:14:05 UTC.
pub(crate) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_140_845, 0).unwrap()
}

/// A bulk collection by an administrator's token.
pub(crate) fn collection() -> Finding {
    let end = after(start(), Duration::from_mins(22));
    let page = |n: u32| PageRead {
        id: PageId::new(format!("{}", 98_304 + n)),
        space: (n != 1).then(|| SpaceKey::new(if n < 15 { "ENG" } else { "HR" })),
        at: after(start(), Duration::from_secs(u64::from(n) * 7)),
    };
    Finding {
        id: FindingId::new("3f9a1c2e5b7d40618a9c0d1e2f304152"),
        revision: 3,
        tenant: "acme".into(),
        family: Family::Reading,
        detector: "volume-anomaly".into(),
        severity: Severity::High,
        bits: 15.0612,
        threshold: 10.6491,
        status: Status::Open,
        account: Some(Account {
            id: AccountId::new("712020:0a1b2c3d-0000-4000-8000-000000000001"),
            name: Some("Ada Example".into()),
            email: Some("ada@acme.example".into()),
            kind: ActorKind::Person,
        }),
        privileged_via: vec!["site-admins".into()],
        window: Some((start(), end)),
        observed: Observed {
            pages: 187,
            spaces: 12,
            new_pages: Some(180),
            views: 190,
            exports: 0,
            addresses: 1,
            auth: vec!["api-token".into()],
        },
        expected: Some(Expected { pages: 4.0913, pages_p99: 31 }),
        reason: "Read 187 different pages in 22 minutes; this account usually reads about 4 in a session, and 99 of \
                  100 of its sessions stay under 31."
            .into(),
        signals: vec![
            Signal {
                name: "session-volume".into(),
                bits: 15.0612,
                reason: "187 different pages in one session.".into(),
            },
            Signal {
                name: "day-volume".into(),
                bits: 13.25,
                reason: "187 different pages in one day, where 9 are usual.".into(),
            },
        ],
        evidence: Evidence {
            event_ids: vec![EventId::new("e-1"), EventId::new("e-2")],
            pages: (0..25).map(page).collect(),
            omitted: 162,
        },
        continues: Some(FindingId::new("0b0b0b0b5b7d40618a9c0d1e2f304152")),
        first_seen: start(),
        last_seen: end,
    }
}

/// A finding about no account, with as little in it as there can be.
pub(crate) fn blindness() -> Finding {
    let at = after(start(), Duration::from_hours(24));
    Finding {
        id: FindingId::new("11aa22bb5b7d40618a9c0d1e2f304152"),
        revision: 1,
        tenant: "acme".into(),
        family: Family::Blind,
        detector: "blind-spot".into(),
        severity: Severity::Medium,
        bits: 0.0,
        threshold: 0.0,
        status: Status::Open,
        account: None,
        privileged_via: vec![],
        window: None,
        observed: Observed::default(),
        expected: None,
        reason: "No page view arrived for 3 days, where about 400 a day are usual.".into(),
        signals: vec![],
        evidence: Evidence::default(),
        continues: None,
        first_seen: at,
        last_seen: at,
    }
}

/// A finding whose words try to take over the terminal, with the verdict expected.
pub(crate) fn hostile() -> Finding {
    let account = Account {
        id: AccountId::new("712020:evil\u{1b}]0;owned\u{7}"),
        name: Some("Eve\u{202e}nimda\r\n\u{1b}[2K".into()),
        email: None,
        kind: ActorKind::App,
    };
    Finding {
        id: FindingId::new("77ee66dd5b7d40618a9c0d1e2f304152"),
        revision: 2,
        severity: Severity::Critical,
        detector: "privileged-reading".into(),
        status: Status::Expected,
        account: Some(account),
        privileged_via: vec!["admins\u{1b}[31m".into(), "org-admin".into()],
        reason: "Opened \"Passwords\u{1b}[8m\" and 30 other pages.".into(),
        observed: Observed {
            new_pages: None,
            exports: 2,
            pages: 1,
            views: 1,
            spaces: 1,
            ..collection().observed
        },
        expected: None,
        bits: 0.0,
        signals: vec![Signal {
            name: "pages-per-day".into(),
            bits: 0.0,
            reason: "31 pages, 25 are allowed.".into(),
        }],
        continues: None,
        ..collection()
    }
}
