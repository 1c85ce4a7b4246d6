//! What every log of events promises.

use std::task::Poll;

use super::*;

pub(in crate::storage) async fn an_event_that_comes_again_is_stored_once_and_counted(
    store: &dyn Store,
) {
    let (_, stream) = acme(store).await;
    let events = vec![
        event("a", 5, "Ada"),
        event("a", 5, "Ada"),
        event("b", 5, "Ada"),
    ];
    let first = store
        .commit(stream, batch(events.clone()), None, LATE)
        .await
        .unwrap();
    assert_eq!((first.fresh, first.repeated), (2, 1));
    let again = store
        .commit(stream, batch(events), None, LATE)
        .await
        .unwrap();
    assert_eq!((again.fresh, again.repeated), (0, 3));
    assert_eq!(rows(store, stream).await.len(), 2);
}

pub(in crate::storage) async fn an_event_with_and_without_milliseconds_is_the_same(
    store: &dyn Store,
) {
    let (_, stream) = acme(store).await;
    let with = Event {
        at: moment(5) + TimeDelta::milliseconds(250),
        ..event("a", 5, "Ada")
    };
    store
        .commit(stream, batch(vec![event("a", 5, "Ada"), with]), None, LATE)
        .await
        .unwrap();
    assert_eq!(rows(store, stream).await.len(), 1);
}

pub(in crate::storage) async fn an_unusable_record_is_counted_once_however_often_it_is_read(
    store: &dyn Store,
) {
    let (tenant, stream) = acme(store).await;
    let bad = |sample: &str| Unusable {
        reason: "no id",
        sample: sample.into(),
        key: EventKey::digest(&[sample.as_bytes()]),
    };
    let batch = Batch {
        unusable: vec![bad("{1}"), bad("{2}")],
        ..Batch::default()
    };
    store
        .commit(stream, batch.clone(), None, LATE)
        .await
        .unwrap();
    store
        .commit(stream, batch.clone(), None, LATE)
        .await
        .unwrap();
    let row = store.tenants().await.unwrap().remove(0);
    assert_eq!(row.id, tenant);
    let status = store.stream_status(&row).await.unwrap().remove(0);
    assert_eq!(
        (status.unusable, status.unusable_reasons),
        (2, vec![("no id".to_owned(), 2)])
    );
}

pub(in crate::storage) async fn event_ids_are_told_as_they_came(store: &dyn Store) {
    let (_, stream) = acme(store).await;
    let ids = [
        "a1000001-0000-4000-8000-00000000abcd",
        "odd id",
        "A1000001-0000-4000-8000-00000000ABCD",
    ];
    let events: Vec<Event> = ids.iter().map(|id| event(id, 9, "Ada")).collect();
    let keys: Vec<(i64, [u8; 16])> = events.iter().map(|event| (9, event.key.0)).collect();
    store
        .commit(stream, batch(events), None, LATE)
        .await
        .unwrap();
    assert_eq!(
        store.event_ids(stream, &keys).await.unwrap(),
        keys.into_iter()
            .zip(ids.map(EventId::new))
            .collect::<Vec<_>>()
    );
}

pub(in crate::storage) async fn a_stretch_is_given_in_order_and_in_chunks(store: &dyn Store) {
    let (_, stream) = acme(store).await;
    let mut events: Vec<Event> = (0..9_000)
        .map(|number| event(&format!("e{number}"), number / 3, "Ada"))
        .collect();
    events.reverse();
    store
        .commit(stream, batch(events), None, LATE)
        .await
        .unwrap();
    let all = rows(store, stream).await;
    assert_eq!(all.len(), 9_000);
    assert!(all.is_sorted_by_key(|read| (read.at, read.key)));
    let some = Stretch {
        stream,
        from: 10,
        until: 12,
    };
    let chunk = store.events(some, Which::Reading, None).await.unwrap();
    let times: Vec<i64> = chunk.events.iter().map(|event| event.read.at).collect();
    assert_eq!((times, chunk.next), (vec![10, 10, 10, 11, 11, 11], None));
}

pub(in crate::storage) async fn each_kind_of_event_is_given_to_who_asks_for_it(store: &dyn Store) {
    let (_, stream) = acme(store).await;
    let of = |id: &str, at, class, action: &str| Event {
        class,
        action: action.to_owned(),
        ..event(id, at, "Ada")
    };
    let events = vec![
        of("a", 1, Class::View, "viewed"),
        of("b", 2, Class::Export, "exported"),
        of("c", 3, Class::Token, "api_token_created"),
        of("d", 4, Class::Other, "something"),
    ];
    store
        .commit(stream, batch(events), None, LATE)
        .await
        .unwrap();
    let given = async |which| {
        let chunk = store.events(everything(stream), which, None).await.unwrap();
        let given = chunk.events.into_iter();
        given
            .map(|event| (event.read.at, event.action.is_some()))
            .collect::<Vec<_>>()
    };
    assert_eq!(given(Which::Reading).await, [(1, false), (2, false)]);
    assert_eq!(given(Which::Exports).await, [(2, false)]);
    assert_eq!(given(Which::Singles).await, [(3, true)]);
    let takeable = [(1, false), (2, false), (3, true)];
    assert_eq!(given(Which::Takeable).await, takeable);
}

pub(in crate::storage) async fn commits_at_the_same_time_store_everything_once(store: &dyn Store) {
    let mut streams = Vec::new();
    for number in 0..8 {
        let (_, stream) = named(store, &format!("tenant {number}")).await;
        streams.push(stream);
    }
    // Half of what each commit holds was in the one before.
    let commit = async |stream: StreamId, part: i64| {
        let numbers = part * 50..part * 50 + 100;
        let events = numbers.map(|number| event(&format!("e{number}"), number, "Ada"));
        let batch = batch(events.collect());
        store.commit(stream, batch, None, LATE).await.unwrap()
    };
    let all = streams
        .iter()
        .flat_map(|stream| (0..6).map(|part| commit(*stream, part)));
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut fresh = 0;
    // Polled in turn, so that all of them are under way.
    std::future::poll_fn(|context| {
        all.retain_mut(|one| match one.as_mut().poll(context) {
            Poll::Ready(committed) => {
                fresh += committed.fresh;
                false
            }
            Poll::Pending => true,
        });
        if all.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    assert_eq!(fresh, 8 * 350);
    for stream in streams {
        assert_eq!(store.extent(stream).await.unwrap(), Some((349, 350)));
    }
}
