//! What the store promises, whatever keeps it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use pagewarden_core::engine::State;
use pagewarden_core::model::{
    AccountId, Actor, ActorKind, Auth, Change, Checkpoint, Class, Event, EventId, EventKey,
    GrantSource, Group, Membership, PageId, Privilege, Snapshot, Stream, StreamName, Unusable,
    Walk,
};
use pagewarden_core::session::Read;
use pagewarden_core::time::{Window, moment};

const LATE: Duration = Duration::from_mins(10);

fn new() -> (tempfile::TempDir, Store, TenantId, StreamId) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("state.db")).unwrap();
    let tenant = store.tenant("acme", Some("org"), moment(0)).unwrap();
    let stream = Stream {
        tenant: "acme".into(),
        name: StreamName::Access,
        site: None,
    };
    let stream = store.stream(tenant, &stream).unwrap();
    (folder, store, tenant, stream)
}

fn event(id: &str, at: i64, name: &str) -> Event {
    Event {
        key: EventKey::of_id(id),
        id: EventId::new(id),
        at: moment(at),
        processed_at: Some(moment(at + 1)),
        action: "confluence_page_viewed".into(),
        class: Class::View,
        actor: Actor {
            kind: ActorKind::Person,
            id: AccountId::new("ada"),
            name: Some(name.into()),
            email: None,
        },
        auth: Auth::Session,
        address: Some("192.0.2.1".into()),
        site: None,
        page: Some(PageId::new("1")),
        space: None,
        changes: Vec::new(),
    }
}

fn batch(events: Vec<Event>) -> Batch {
    Batch {
        received: events.len(),
        events,
        ..Batch::default()
    }
}

fn checkpoint(watermark: i64, cursor: Option<&str>) -> Checkpoint {
    Checkpoint {
        began: Some(moment(1)),
        watermark: Some(moment(watermark)),
        cursor: cursor.map(str::to_owned),
    }
}

fn rows(store: &Store, stream: StreamId) -> Vec<Read> {
    let mut rows = Vec::new();
    store
        .read(
            Stretch {
                stream,
                from: i64::MIN,
                until: i64::MAX,
            },
            |read| rows.push(*read),
        )
        .unwrap();
    rows
}

#[test]
fn an_event_that_comes_again_is_stored_once_and_counted() {
    let (_folder, store, _, stream) = new();
    let events = vec![
        event("a", 5, "Ada"),
        event("a", 5, "Ada"),
        event("b", 5, "Ada"),
    ];
    let first = store
        .commit(stream, &batch(events.clone()), None, LATE)
        .unwrap();
    assert_eq!((first.fresh, first.repeated), (2, 1));
    let again = store.commit(stream, &batch(events), None, LATE).unwrap();
    assert_eq!((again.fresh, again.repeated), (0, 3));
    assert_eq!(rows(&store, stream).len(), 2);
}

#[test]
fn an_event_with_and_without_milliseconds_is_the_same() {
    let (_folder, store, _, stream) = new();
    let with = Event {
        at: moment(5) + TimeDelta::milliseconds(250),
        ..event("a", 5, "Ada")
    };
    store
        .commit(stream, &batch(vec![event("a", 5, "Ada"), with]), None, LATE)
        .unwrap();
    assert_eq!(rows(&store, stream).len(), 1);
}

#[test]
fn the_watermark_never_goes_back_and_a_null_cursor_erases_none() {
    let (_folder, store, _, stream) = new();
    let none = Batch::default();
    store
        .commit(
            stream,
            &none,
            Some((Walk::Live, &checkpoint(100, Some("c1")))),
            LATE,
        )
        .unwrap();
    store
        .commit(
            stream,
            &none,
            Some((Walk::Live, &checkpoint(50, None))),
            LATE,
        )
        .unwrap();
    let kept = store.live(stream).unwrap();
    assert_eq!(
        (kept.watermark, kept.cursor.as_deref()),
        (Some(moment(100)), Some("c1"))
    );
    store.forget_cursor(stream, Walk::Live).unwrap();
    assert_eq!(store.live(stream).unwrap().cursor, None);
}

#[test]
fn a_backfill_goes_on_where_it_stopped_and_another_span_begins_anew() {
    let (_folder, store, _, stream) = new();
    let span = Window {
        from: moment(0),
        until: moment(1_000),
    };
    store.request_backfill(stream, span).unwrap();
    store
        .commit(
            stream,
            &Batch::default(),
            Some((Walk::Backfill(span), &checkpoint(70, Some("b")))),
            LATE,
        )
        .unwrap();
    store.request_backfill(stream, span).unwrap();
    let kept = store.backfill(stream).unwrap().unwrap();
    assert_eq!(
        (kept.span, kept.checkpoint.cursor.as_deref(), kept.done),
        (span, Some("b"), false)
    );
    store.finish_backfill(stream, span).unwrap();
    assert!(store.backfill(stream).unwrap().unwrap().done);
    store
        .request_backfill(
            stream,
            Window {
                until: moment(2_000),
                ..span
            },
        )
        .unwrap();
    assert_eq!(
        store.backfill(stream).unwrap().unwrap().checkpoint,
        Checkpoint::default()
    );
}

#[test]
fn a_span_asked_for_meanwhile_is_not_taken_for_read_when_the_old_one_ends() {
    let (_folder, store, _, stream) = new();
    let old = Window {
        from: moment(500),
        until: moment(1_000),
    };
    let new = Window {
        from: moment(0),
        ..old
    };
    store.request_backfill(stream, old).unwrap();
    store.request_backfill(stream, new).unwrap();
    let read = |span, at| {
        let reached = checkpoint(at, Some("old"));
        let moved = Some((Walk::Backfill(span), &reached));
        let fresh = batch(vec![event(&format!("a{at}"), at, "Ada")]);
        store.commit(stream, &fresh, moved, LATE).unwrap().fresh
    };
    // The walk through the old one goes on: what it reads is kept, how far it came is not.
    assert_eq!(read(old, 900), 1);
    store.finish_backfill(stream, old).unwrap();
    let kept = store.backfill(stream).unwrap().unwrap();
    assert_eq!(
        (kept.span, kept.checkpoint, kept.done),
        (new, Checkpoint::default(), false)
    );
    assert_eq!(read(new, 100), 1);
    store.finish_backfill(stream, new).unwrap();
    let kept = store.backfill(stream).unwrap().unwrap();
    assert_eq!(
        (kept.checkpoint.watermark, kept.done),
        (Some(moment(100)), true)
    );
}

#[test]
fn an_unusable_record_is_counted_once_however_often_it_is_read() {
    let (_folder, store, tenant, stream) = new();
    let bad = |sample: &str| Unusable {
        reason: "no id",
        sample: sample.into(),
        key: EventKey::digest(&[sample.as_bytes()]),
    };
    let batch = Batch {
        unusable: vec![bad("{1}"), bad("{2}")],
        ..Batch::default()
    };
    store.commit(stream, &batch, None, LATE).unwrap();
    store.commit(stream, &batch, None, LATE).unwrap();
    let row = store.tenants().unwrap().remove(0);
    assert_eq!(row.id, tenant);
    let status = store.stream_status(&row).unwrap().remove(0);
    assert_eq!(
        (status.unusable, status.unusable_reasons),
        (2, vec![("no id".to_owned(), 2)])
    );
}

#[test]
fn an_account_is_called_as_its_last_day_says_in_whatever_order_events_come() {
    let names = |orders: [&[(&str, i64, &str)]; 2]| {
        orders.map(|order| {
            let (_folder, store, tenant, stream) = new();
            for (id, day, name) in order {
                let at = day * 86_400;
                store
                    .commit(stream, &batch(vec![event(id, at, name)]), None, LATE)
                    .unwrap();
            }
            let account = rows(&store, stream)[0].account;
            store.account(tenant, account).unwrap().name
        })
    };
    let [forth, back] = names([
        &[("a", 1, "X"), ("b", 3, "X"), ("c", 2, "Y")],
        &[("b", 3, "X"), ("c", 2, "Y"), ("a", 1, "X")],
    ]);
    assert_eq!((forth.as_deref(), back.as_deref()), (Some("X"), Some("X")));
    let [forth, back] = names([
        &[("a", 1, "X"), ("b", 2, "Z"), ("c", 2, "Y")],
        &[("c", 2, "Y"), ("a", 1, "X"), ("b", 2, "Z")],
    ]);
    assert_eq!((forth.as_deref(), back.as_deref()), (Some("Z"), Some("Z")));
}

#[test]
fn event_ids_are_told_as_they_came() {
    let (_folder, store, _, stream) = new();
    let ids = [
        "a1000001-0000-4000-8000-00000000abcd",
        "odd id",
        "A1000001-0000-4000-8000-00000000ABCD",
    ];
    let events: Vec<Event> = ids.iter().map(|id| event(id, 9, "Ada")).collect();
    let keys: Vec<(i64, [u8; 16])> = events.iter().map(|event| (9, event.key.0)).collect();
    store.commit(stream, &batch(events), None, LATE).unwrap();
    assert_eq!(
        store.event_ids(stream, &keys).unwrap(),
        keys.into_iter()
            .zip(ids.map(EventId::new))
            .collect::<Vec<_>>()
    );
}

#[test]
fn what_comes_in_behind_the_settle_line_makes_the_working_state_stale() {
    let (_folder, store, tenant, stream) = new();
    let state = EngineState {
        basis: [1; 16],
        line: 100,
        stored: 200,
        state: Some(State {
            tenant: vec![1],
            accounts: std::iter::once((7, vec![2])).collect(),
            pages: std::iter::once((9, vec![3])).collect(),
        }),
    };
    store
        .record_analysis(tenant, (&state, true), &Changes::default(), moment(0))
        .unwrap();
    store
        .commit(stream, &batch(vec![event("a", 100, "Ada")]), None, LATE)
        .unwrap();
    assert_eq!(store.load_engine(tenant).unwrap(), Some(state));
    store
        .commit(stream, &batch(vec![event("b", 99, "Ada")]), None, LATE)
        .unwrap();
    assert_eq!(store.load_engine(tenant).unwrap(), None);
    assert!(store.has_unanalysed(tenant).unwrap());
}

#[test]
fn a_roster_that_says_the_same_is_kept_once_and_changes_come_in_order() {
    let (_folder, store, tenant, stream) = new();
    let snapshot = |at: i64| Snapshot {
        as_of: moment(at),
        privileges: vec![Privilege {
            account: AccountId::new("ada"),
            grant_source: GrantSource::Role("org-admin".into()),
        }],
        groups: vec![Group {
            id: None,
            name: "admins".into(),
        }],
    };
    for at in [10, 20] {
        store
            .keep_roster(tenant, &snapshot(at), Some(moment(at)))
            .unwrap();
    }
    assert_eq!(store.rosters(tenant).unwrap(), vec![snapshot(10)]);
    let change = Change {
        account: AccountId::new("bob"),
        grant_source: GrantSource::Group("admins".into()),
        to: Membership::Joined,
    };
    let with = |id: &str, at: i64| Event {
        changes: vec![change.clone()],
        ..event(id, at, "Ada")
    };
    store
        .commit(stream, &batch(vec![with("b", 8), with("a", 4)]), None, LATE)
        .unwrap();
    let at: Vec<DateTime<Utc>> = store
        .changes(tenant)
        .unwrap()
        .into_iter()
        .map(|(at, _)| at)
        .collect();
    assert_eq!(at, vec![moment(4), moment(8)]);
}

#[test]
fn a_file_of_another_program_and_one_of_a_newer_version_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("create table t (a)").unwrap();
    drop(other);
    assert!(matches!(Store::open(&path), Err(StoreError::Foreign(_))));
    let path = folder.path().join("newer.db");
    drop(Store::open(&path).unwrap());
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    assert!(matches!(
        Store::open(&path),
        Err(StoreError::Newer { found: 99, .. })
    ));
    assert!(matches!(
        Store::open_to_read(&folder.path().join("none.db")),
        Err(StoreError::Missing(_))
    ));
}

#[test]
fn the_state_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, _store, _, _) = new();
    let mode = std::fs::metadata(folder.path().join("state.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}
