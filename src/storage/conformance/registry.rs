//! What every registry promises.

use super::*;

pub(in crate::storage) async fn the_watermark_never_goes_back_and_a_null_cursor_erases_none(
    store: &dyn Store,
) {
    let (_, stream) = acme(store).await;
    let none = Batch::default();
    store
        .commit(
            stream,
            none.clone(),
            Some((Walk::Live, checkpoint(100, Some("c1")))),
            LATE,
        )
        .await
        .unwrap();
    store
        .commit(
            stream,
            none.clone(),
            Some((Walk::Live, checkpoint(50, None))),
            LATE,
        )
        .await
        .unwrap();
    let kept = store.live(stream).await.unwrap();
    assert_eq!(
        (kept.watermark, kept.cursor.as_deref()),
        (Some(moment(100)), Some("c1"))
    );
    store.forget_cursor(stream, Walk::Live).await.unwrap();
    assert_eq!(store.live(stream).await.unwrap().cursor, None);
}

pub(in crate::storage) async fn a_backfill_goes_on_where_it_stopped_and_another_span_begins_anew(
    store: &dyn Store,
) {
    let (tenant, stream) = acme(store).await;
    let span = Window {
        from: moment(0),
        until: moment(1_000),
    };
    store.request_backfill(stream, span).await.unwrap();
    store
        .commit(
            stream,
            Batch::default(),
            Some((Walk::Backfill(span), checkpoint(70, Some("b")))),
            LATE,
        )
        .await
        .unwrap();
    store.request_backfill(stream, span).await.unwrap();
    let kept = store.backfill(stream).await.unwrap().unwrap();
    assert_eq!(
        (kept.span, kept.checkpoint.cursor.as_deref(), kept.done),
        (span, Some("b"), false)
    );
    assert_eq!(store.unread_backfills().await.unwrap(), [tenant]);
    store.finish_backfill(stream, span).await.unwrap();
    assert!(store.backfill(stream).await.unwrap().unwrap().done);
    // Read is not summed up.
    assert_eq!(store.unread_backfills().await.unwrap(), [tenant]);
    let summed_up = store.sum_up_backfills(tenant, Vec::new(), moment(2_000));
    summed_up.await.unwrap();
    assert_eq!(store.unread_backfills().await.unwrap(), []);
    store
        .request_backfill(
            stream,
            Window {
                until: moment(2_000),
                ..span
            },
        )
        .await
        .unwrap();
    assert_eq!(
        store.backfill(stream).await.unwrap().unwrap().checkpoint,
        Checkpoint::default()
    );
}

pub(in crate::storage) async fn a_span_asked_for_meanwhile_is_not_taken_for_read_when_the_old_one_ends(
    store: &dyn Store,
) {
    let (_, stream) = acme(store).await;
    let old = Window {
        from: moment(500),
        until: moment(1_000),
    };
    let new = Window {
        from: moment(0),
        ..old
    };
    store.request_backfill(stream, old).await.unwrap();
    store.request_backfill(stream, new).await.unwrap();
    let read = async |span, at| {
        let moved = Some((Walk::Backfill(span), checkpoint(at, Some("old"))));
        let fresh = batch(vec![event(&format!("a{at}"), at, "Ada")]);
        let committed = store.commit(stream, fresh, moved, LATE).await.unwrap();
        committed.fresh
    };
    // The walk through the old one goes on: what it reads is kept, how far it came is not.
    assert_eq!(read(old, 900).await, 1);
    store.finish_backfill(stream, old).await.unwrap();
    let kept = store.backfill(stream).await.unwrap().unwrap();
    assert_eq!(
        (kept.span, kept.checkpoint, kept.done),
        (new, Checkpoint::default(), false)
    );
    assert_eq!(read(new, 100).await, 1);
    store.finish_backfill(stream, new).await.unwrap();
    let kept = store.backfill(stream).await.unwrap().unwrap();
    assert_eq!(
        (kept.checkpoint.watermark, kept.done),
        (Some(moment(100)), true)
    );
}

pub(in crate::storage) async fn a_roster_that_says_the_same_is_kept_once_and_changes_come_in_order(
    store: &dyn Store,
) {
    let (tenant, stream) = acme(store).await;
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
            .await
            .unwrap();
    }
    assert_eq!(store.rosters(tenant).await.unwrap(), vec![snapshot(10)]);
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
        .commit(stream, batch(vec![with("b", 8), with("a", 4)]), None, LATE)
        .await
        .unwrap();
    let at: Vec<DateTime<Utc>> = store
        .membership_changes(tenant)
        .await
        .unwrap()
        .into_iter()
        .map(|(at, _)| at)
        .collect();
    assert_eq!(at, vec![moment(4), moment(8)]);
}
