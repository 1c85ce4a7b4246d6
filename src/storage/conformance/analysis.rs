//! What every store of an analysis promises.

use std::collections::BTreeSet;

use super::*;

pub(in crate::storage) async fn an_account_is_called_as_its_last_day_says_in_whatever_order_events_come(
    store: &dyn Store,
) {
    type Days = [(&'static str, i64, &'static str)];
    let orders: [(&Days, &str); 4] = [
        (&[("a", 1, "X"), ("b", 3, "X"), ("c", 2, "Y")], "X"),
        (&[("b", 3, "X"), ("c", 2, "Y"), ("a", 1, "X")], "X"),
        (&[("a", 1, "X"), ("b", 2, "Z"), ("c", 2, "Y")], "Z"),
        (&[("c", 2, "Y"), ("a", 1, "X"), ("b", 2, "Z")], "Z"),
    ];
    for (number, (order, called)) in orders.into_iter().enumerate() {
        let (tenant, stream) = named(store, &format!("tenant {number}")).await;
        for (id, day, name) in order {
            let events = vec![event(id, day * 86_400, name)];
            store
                .commit(stream, batch(events), None, LATE)
                .await
                .unwrap();
        }
        let account = rows(store, stream).await[0].account;
        let actors = store.actors(tenant, &[account]).await.unwrap();
        assert_eq!(actors[0].name.as_deref(), Some(called), "{order:?}");
    }
}

pub(in crate::storage) async fn what_comes_in_behind_the_settle_line_makes_the_working_state_stale(
    store: &dyn Store,
) {
    let (tenant, stream) = acme(store).await;
    let state = EngineState {
        basis: [1; 16],
        line: 100,
        stored: 200,
        state: Some(State {
            tenant: vec![1],
            accounts: std::iter::once((7, vec![2])).collect(),
            pages: std::iter::once((9, vec![3])).collect(),
        }),
        anew: true,
    };
    store
        .record_analysis(tenant, state.clone(), Changes::default(), moment(0))
        .await
        .unwrap();
    store
        .commit(stream, batch(vec![event("a", 100, "Ada")]), None, LATE)
        .await
        .unwrap();
    let kept = EngineState {
        anew: false,
        ..state
    };
    assert_eq!(store.load_engine(tenant).await.unwrap(), Some(kept));
    store
        .commit(stream, batch(vec![event("b", 99, "Ada")]), None, LATE)
        .await
        .unwrap();
    assert_eq!(store.load_engine(tenant).await.unwrap(), None);
    assert!(store.has_unanalysed(tenant).await.unwrap());
}

pub(in crate::storage) async fn what_arrived_is_told_once_and_so_are_new_names(store: &dyn Store) {
    let (tenant, stream) = acme(store).await;
    let commit = async |id: &str, at, name: &str| {
        let events = vec![event(id, at, name)];
        store
            .commit(stream, batch(events), None, LATE)
            .await
            .unwrap();
    };
    commit("a", 500, "Ada").await;
    commit("b", 400, "Ada").await;
    commit("b", 400, "Ada").await;
    let arrived = |since, renamed| Arrived { since, renamed };
    assert_eq!(store.take_arrived(tenant), arrived(Some(400), false));
    assert_eq!(store.take_arrived(tenant), Arrived::default());
    commit("c", 90_000, "Ada L.").await;
    assert_eq!(store.take_arrived(tenant), arrived(Some(90_000), true));
    commit("d", 180_000, "Ada L.").await;
    assert_eq!(store.take_arrived(tenant), arrived(Some(180_000), false));
}

pub(in crate::storage) async fn dictionaries_belong_to_a_tenant_and_places_to_a_site(
    store: &dyn Store,
) {
    let (acme, of_acme) = named(store, "acme").await;
    let (other, of_other) = named(store, "other").await;
    let on = |id: &str, site: &str| Event {
        site: Some(site.to_owned()),
        ..event(id, 5, "Ada")
    };
    let events = vec![on("a", "one.example"), on("b", "two.example")];
    for stream in [of_acme, of_other] {
        let committed = store
            .commit(stream, batch(events.clone()), None, LATE)
            .await;
        assert_eq!(committed.unwrap().fresh, 2);
    }
    for tenant in [acme, other] {
        let page = (Place::Page, "1");
        let both = store.place_nos(tenant, page, None).await.unwrap();
        let one = store.place_nos(tenant, page, Some("one.example")).await;
        assert_eq!((both.len(), one.unwrap().len()), (2, 1));
        let names = store.places(tenant, Place::Page, &both).await.unwrap();
        assert_eq!(names, ["1", "1"]);
        let terms = store.terms_after(tenant, 0).await.unwrap();
        let texts: BTreeSet<&str> = terms.iter().map(|(_, text)| text.as_str()).collect();
        let expected = [
            "192.0.2.1",
            "confluence_page_viewed",
            "one.example",
            "two.example",
        ];
        assert_eq!(texts, BTreeSet::from(expected));
        let (number, text) = &terms[1];
        assert_eq!(store.term_no(tenant, text).await.unwrap(), Some(*number));
        assert_eq!(
            store.terms_after(tenant, *number).await.unwrap(),
            terms[2..]
        );
        assert_eq!(store.accounts_after(tenant, 0).await.unwrap().len(), 1);
    }
}
