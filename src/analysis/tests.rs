//! What an analyst promises: after every cycle the store holds what an analysis from the first event on gives.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::findings::{PendingSummary, Recorder};
use crate::storage::sqlite::Sqlite;
use crate::storage::{Batch, EventLog as _, Findings as _, Registry as _};
use pagewarden_core::model::id::digest16;
use pagewarden_core::model::{
    AccountId, Actor, ActorKind, Auth, Class, Event, EventId, EventKey, PageId, Stream, StreamName,
};
use pagewarden_core::time::{DAY_SECONDS, moment};

fn view(number: u32, account: u32, at: i64, page: u32) -> Event {
    let id = EventId::new(format!("event {number}"));
    let mut key = [0; 16];
    key[..4].copy_from_slice(&number.to_be_bytes());
    Event {
        key: EventKey(key),
        id,
        at: moment(at),
        processed_at: None,
        class: Class::View,
        action: "viewed".to_owned(),
        actor: Actor {
            id: AccountId::new(format!("account {account}")),
            kind: ActorKind::Person,
            name: None,
            email: None,
        },
        auth: Auth::Session,
        page: Some(PageId::new(page.to_string())),
        space: None,
        address: None,
        site: None,
        changes: Vec::new(),
    }
}

/// Ten days of six people, each with four pages a day, and two bulk collections.
fn events() -> Vec<Event> {
    let mut events = Vec::new();
    let mut add = |account, at, page| {
        let number = u32::try_from(events.len()).unwrap();
        events.push(view(number, account, at, page));
    };
    for day in 0..10_i64 {
        for account in 0..6_u32 {
            for page in 0..4_u32 {
                let at = day * DAY_SECONDS + 30_000 + i64::from(account * 700 + page * 4_000);
                add(account, at, account * 3 + page);
            }
        }
    }
    // Tokens and public links, near the bulk collections and far from them, one by an account that never reads.
    for (account, at, class, action) in [
        (
            2,
            7 * DAY_SECONDS + 47_000,
            Class::Token,
            "api_token_created",
        ),
        (2, 3 * DAY_SECONDS, Class::Token, "api_token_created"),
        (
            4,
            8 * DAY_SECONDS + 80_000,
            Class::Permission,
            "Public link enabled",
        ),
        (
            4,
            9 * DAY_SECONDS + 50_000,
            Class::Permission,
            "Space permission added",
        ),
        (9, 9 * DAY_SECONDS, Class::Token, "api_token_created"),
    ] {
        let number = u32::try_from(events.len()).unwrap();
        let event = view(number, account, at, 0);
        events.push(Event {
            class,
            action: action.to_owned(),
            page: None,
            ..event
        });
    }
    let mut add = |account, at, page| {
        let number = u32::try_from(events.len()).unwrap();
        events.push(view(number, account, at, page));
    };
    for (account, day) in [(2, 7), (4, 9)] {
        for page in 0..150_u32 {
            add(
                account,
                day * DAY_SECONDS + 40_000 + i64::from(page) * 20,
                1_000 + page,
            );
        }
    }
    events
}

/// Stores the events in this order, cut and restarted where asked, and compares after every cycle.
fn check(jitter: &[i64], cycles: usize, restarts: &[usize]) -> usize {
    check_findings(jitter, cycles, restarts).len()
}

/// The same; gives the findings.
fn check_findings(jitter: &[i64], cycles: usize, restarts: &[usize]) -> Vec<Finding> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.build().unwrap();
    runtime.block_on(checked(jitter, cycles, restarts))
}

async fn checked(jitter: &[i64], cycles: usize, restarts: &[usize]) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("state.db")).unwrap();
    let tenant = store.tenant("one", None, moment(0)).await.unwrap();
    let stream = Stream {
        tenant: "one".to_owned(),
        name: StreamName::Access,
        site: None,
    };
    let stream = store.stream(tenant, &stream).await.unwrap();
    let (admins, detect) = (Admins::default(), Detect::default());
    let subject = Subject {
        tenant,
        name: "one",
        admins: &admins,
        sites: &[],
        detect: &detect,
    };
    let mut events = events();
    events.sort_by_cached_key(|event| {
        let number = u32::from_be_bytes(event.key.0[..4].try_into().unwrap());
        let place = usize::try_from(number).unwrap() % jitter.len();
        event.at.timestamp() + jitter[place]
    });
    let cache = Arc::new(Cache::new(1));
    let mut analyst = Analyst::resident(Arc::clone(&cache));
    let mut found = Vec::new();
    for (cycle, part) in events.chunks(events.len().div_ceil(cycles)).enumerate() {
        if restarts.contains(&cycle) {
            cache.forget(tenant);
            analyst = Analyst::resident(Arc::clone(&cache));
        }
        let batch = Batch {
            events: part.to_vec(),
            received: part.len(),
            ..Batch::default()
        };
        store
            .commit(stream, batch, None, Duration::from_mins(10))
            .await
            .unwrap();
        let recorder = Recorder {
            store: &store,
            notifiers: &[],
            subject,
            now: moment(0),
            pending_summary: &PendingSummary::default(),
            stop: &CancellationToken::new(),
        };
        recorder.analyse_with(&mut analyst).await.unwrap();
        let mut whole = from_scratch(&store, &subject).await.unwrap();
        whole.sort_by(|a, b| a.id.cmp(&b.id));
        let live = store.findings(None).await.unwrap();
        assert_eq!(lines(&live), lines(&whole), "cycle {cycle}");
        found = whole;
    }
    found
}

#[tokio::test]
async fn what_does_not_fit_is_forgotten_least_recently_used_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("state.db")).unwrap();
    let (admins, detect) = (Admins::default(), Detect::default());
    // Room for two tenants of one account.
    let cache = Arc::new(Cache::of_bytes(25_000));
    let stop = CancellationToken::new();
    let mut at = 0;
    let mut kept = async |name: &'static str| {
        let tenant = store.tenant(name, None, moment(0)).await.unwrap();
        let stream = Stream {
            tenant: name.to_owned(),
            name: StreamName::Access,
            site: None,
        };
        let stream = store.stream(tenant, &stream).await.unwrap();
        at += 1;
        let batch = Batch {
            events: vec![view(at, 0, i64::from(at), 0)],
            received: 1,
            ..Batch::default()
        };
        let late = Duration::from_mins(10);
        store.commit(stream, batch, None, late).await.unwrap();
        let recorder = Recorder {
            store: &store,
            notifiers: &[],
            subject: Subject {
                tenant,
                name,
                admins: &admins,
                sites: &[],
                detect: &detect,
            },
            now: moment(0),
            pending_summary: &PendingSummary::default(),
            stop: &stop,
        };
        let mut analyst = Analyst::resident(Arc::clone(&cache));
        recorder.analyse_with(&mut analyst).await.unwrap();
        cache.tenants().len()
    };
    let mut counts = Vec::new();
    for name in ["one", "two", "one", "three", "one"] {
        counts.push(kept(name).await);
    }
    assert_eq!(counts, [1, 2, 2, 2, 2]);
    let names = ["one", "two", "three"];
    let mut numbers = Vec::new();
    for name in names {
        numbers.push(store.tenant(name, None, moment(0)).await.unwrap());
    }
    // The second was used least recently when the third came.
    assert_eq!(cache.tenants(), [numbers[2], numbers[0]]);
}

/// What a person can compare: a line for each field of each finding, without the lists of evidence but for a digest.
fn lines(findings: &[Finding]) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in findings {
        let serde_json::Value::Object(mut fields) = serde_json::to_value(finding).unwrap() else {
            panic!("a finding is an object");
        };
        let evidence = fields.remove("evidence").unwrap().to_string();
        let digest = EventKey(digest16(&[evidence.as_bytes()])).hex();
        lines.push(format!("{}: evidence {digest}", finding.id));
        let name = |field: &str, value| format!("{}: {field} {value}", finding.id);
        lines.extend(fields.iter().map(|(field, value)| name(field, value)));
    }
    lines
}

#[test]
fn each_sign_joins_the_finding_of_its_account() {
    let found = check_findings(&[0], 40, &[]);
    let signs = |account: &str| -> Vec<&str> {
        let of = |finding: &&Finding| {
            let whose = finding.account.as_ref().map(|account| account.id.as_str());
            whose == Some(account)
        };
        let signals = found.iter().filter(of).flat_map(|finding| &finding.signals);
        let names = signals.map(|signal| signal.name.as_str());
        names
            .filter(|name| ["token-created", "public-link"].contains(name))
            .collect()
    };
    assert_eq!(signs("account 2"), ["token-created"]);
    assert_eq!(signs("account 4"), ["public-link"]);
}

#[test]
fn in_order_the_findings_are_those_of_an_analysis_from_scratch() {
    assert!(check(&[0], 40, &[]) >= 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn in_any_order_with_any_cycles_and_restarts_the_findings_are_those_of_an_analysis_from_scratch(
        jitter in prop::collection::vec(prop_oneof![4 => 0_i64..600, 2 => 0_i64..40_000, 1 => 0_i64..200_000], 1..30),
        cycles in 1_usize..40,
        restarts in prop::collection::vec(0_usize..40, 0..4),
    ) {
        check(&jitter, cycles, &restarts);
    }
}
