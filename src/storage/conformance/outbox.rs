//! What every store of findings, and every outbox, promises.

use super::*;

fn finding(id: &str, revision: u32) -> Finding {
    let id = FindingId::new(id);
    let finding = Finding::about_nobody(id, "acme", Family::Admin, "admin-grant", moment(50));
    Finding {
        revision,
        ..finding
    }
}

fn message(about: &str, revision: u32, notifier: &str, due: i64) -> NewDelivery {
    NewDelivery {
        id: format!("{about}:{revision}"),
        subject: about.to_owned(),
        notifier: notifier.to_owned(),
        severity: Severity::High,
        body: b"body".to_vec(),
        due: moment(due),
    }
}

fn found(id: &str, revision: u32, deliveries: Vec<NewDelivery>) -> Changes {
    Changes {
        changed: vec![Recorded {
            finding: finding(id, revision),
            settled: false,
        }],
        deliveries,
        ..Changes::default()
    }
}

async fn claimed(store: &dyn Store, now: i64, at_most: usize) -> Vec<Delivery> {
    let hold = Duration::from_mins(10);
    let claimed = store.claim("soc", moment(now), hold, at_most).await;
    claimed.unwrap()
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    let ids = deliveries.iter().map(|delivery| delivery.id.as_str());
    ids.collect()
}

pub(in crate::storage) async fn a_finding_and_its_messages_come_and_go_together(store: &dyn Store) {
    let (tenant, _) = acme(store).await;
    let messages = vec![message("f", 1, "soc", 60), message("f", 1, "log", 60)];
    let changes = found("f", 1, messages);
    store.record(tenant, changes, moment(55)).await.unwrap();
    assert_eq!(store.findings(Some("acme")).await.unwrap().len(), 1);
    assert_eq!(store.addressees().await.unwrap().len(), 2);
    let posted = store.posted(&FindingId::new("f")).await.unwrap();
    assert!(
        posted
            .iter()
            .all(|one| one.is_unseen() && one.revision == 1)
    );
    // A later message overtakes the one that waits; the other notifier is not told any more.
    let changes = Changes {
        withdrawn: vec![(FindingId::new("f"), "log".to_owned())],
        ..found("f", 2, vec![message("f", 2, "soc", 70)])
    };
    store.record(tenant, changes, moment(56)).await.unwrap();
    let posted = store.posted(&FindingId::new("f")).await.unwrap();
    assert_eq!((posted.len(), posted[0].revision), (1, 2));
    let revision = store.recorded_revision(&FindingId::new("f")).await;
    assert_eq!(revision.unwrap(), Some(2));
    let changes = Changes {
        gone: vec![FindingId::new("f")],
        ..Changes::default()
    };
    store.record(tenant, changes, moment(57)).await.unwrap();
    assert_eq!(store.findings(None).await.unwrap(), []);
    assert_eq!(store.next_due(None).await.unwrap(), None);
}

pub(in crate::storage) async fn recorded_findings_are_given_in_chunks(store: &dyn Store) {
    let (tenant, _) = acme(store).await;
    let recorded = |number: u32| Recorded {
        finding: finding(&format!("f{number:04}"), 1),
        settled: number.is_multiple_of(2),
    };
    let changes = Changes {
        changed: (0..600).map(recorded).collect(),
        ..Changes::default()
    };
    store.record(tenant, changes, moment(1)).await.unwrap();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let chunk = store.recorded_after(tenant, after.as_ref()).await.unwrap();
        all.extend(chunk.findings);
        after = chunk.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(all, (0..600).map(recorded).collect::<Vec<_>>());
}

pub(in crate::storage) async fn what_is_claimed_is_nobody_elses_until_it_is_answered(
    store: &dyn Store,
) {
    let (tenant, _) = acme(store).await;
    for (number, due) in [(1, 60), (2, 61), (3, 62), (4, 10_000)] {
        let id = format!("f{number}");
        let changes = found(&id, 1, vec![message(&id, 1, "soc", due)]);
        store.record(tenant, changes, moment(50)).await.unwrap();
    }
    let first = claimed(store, 100, 2).await;
    assert_eq!(ids(&first), ["f1:1", "f2:1"]);
    let second = claimed(store, 100, 2).await;
    assert_eq!(ids(&second), ["f3:1"]);
    assert_eq!(claimed(store, 100, 2).await, []);
    store.delivered(&first[0]).await.unwrap();
    store
        .not_delivered(&first[1], "closed", moment(200))
        .await
        .unwrap();
    assert_eq!(claimed(store, 150, 9).await, []);
    let later = claimed(store, 200, 9).await;
    assert_eq!((ids(&later), later[0].attempts), (vec!["f2:1"], 1));
    store.given_up(&later[0], "gone", None).await.unwrap();
    // The third was claimed by somebody who never answers.
    assert_eq!(claimed(store, 699, 9).await, []);
    assert_eq!(ids(&claimed(store, 700, 9).await), ["f3:1"]);
    store.release("soc").await.unwrap();
    assert_eq!(ids(&claimed(store, 701, 9).await), ["f3:1"]);
    let counts = store.delivery_counts(tenant, moment(51)).await.unwrap();
    assert_eq!((counts.waiting, counts.sent, counts.given_up), (2, 1, 1));
    assert_eq!(counts.given_up_lately, 0);
    let counts = store.delivery_counts(tenant, moment(50)).await.unwrap();
    assert_eq!(counts.given_up_lately, 1);
    assert_eq!(store.unsent().await.unwrap(), 0);
}

pub(in crate::storage) async fn what_was_given_up_waits_again_at_another_destination(
    store: &dyn Store,
) {
    let (tenant, _) = acme(store).await;
    let (old, new) = (
        Destination::of("https://old.example/"),
        Destination::of("https://new.example/"),
    );
    for number in 1..=4 {
        let id = format!("f{number}");
        let changes = found(&id, 1, vec![message(&id, 1, "soc", 60)]);
        store.record(tenant, changes, moment(50)).await.unwrap();
    }
    for delivery in claimed(store, 100, 9).await {
        store.given_up(&delivery, "410", Some(old)).await.unwrap();
    }
    // The second has grown since, and the third is gone.
    let changes = found("f2", 2, vec![message("f2", 2, "soc", 60)]);
    store.record(tenant, changes, moment(70)).await.unwrap();
    let gone = Changes {
        gone: vec![FindingId::new("f3")],
        ..Changes::default()
    };
    store.record(tenant, gone, moment(70)).await.unwrap();
    let revive = |to, since| store.revive("soc", to, moment(since), moment(500));
    assert_eq!(revive(old, 0).await.unwrap(), 0);
    assert_eq!(revive(new, 51).await.unwrap(), 0);
    let elsewhere = store.revive("other", new, moment(0), moment(500)).await;
    assert_eq!(elsewhere.unwrap(), 0);
    assert_eq!(revive(new, 0).await.unwrap(), 2);
    let waiting = claimed(store, 500, 9).await;
    assert_eq!(ids(&waiting), ["f2:2", "f1:1", "f4:1"]);
    assert_eq!((waiting[1].attempts, waiting[1].created), (0, moment(500)));
}

pub(in crate::storage) async fn what_people_say_counts_and_growth_opens_again(store: &dyn Store) {
    let (tenant, _) = acme(store).await;
    let changes = found("f", 1, Vec::new());
    store.record(tenant, changes, moment(50)).await.unwrap();
    let said = Verdict {
        finding: FindingId::new("f"),
        status: Status::Expected,
        note: Some("a migration".to_owned()),
        at: moment(90),
        revision: 1,
        matter: (&finding("f", 1)).into(),
    };
    store.mark(&said).await.unwrap();
    store.mark(&said).await.unwrap();
    let verdicts = store.verdicts(Some(&said.finding)).await.unwrap();
    assert_eq!(verdicts, std::slice::from_ref(&said));
    let now = store.findings(None).await.unwrap().remove(0);
    assert_eq!((now.status, now.revision), (Status::Expected, 2));
    let changes = found("f", 2, Vec::new());
    store.record(tenant, changes, moment(99)).await.unwrap();
    let now = store.findings(None).await.unwrap().remove(0);
    assert_eq!((now.status, now.revision), (Status::Open, 3));
}

pub(in crate::storage) async fn the_state_and_the_findings_are_kept_together(store: &dyn Store) {
    let (tenant, stream) = acme(store).await;
    store
        .commit(stream, batch(vec![event("a", 5, "Ada")]), None, LATE)
        .await
        .unwrap();
    assert!(store.has_unanalysed(tenant).await.unwrap());
    let state = EngineState {
        basis: [7; 16],
        line: 3,
        stored: 1,
        state: Some(State {
            tenant: vec![1],
            ..State::default()
        }),
        anew: true,
    };
    let changes = found("f", 1, vec![message("f", 1, "soc", 60)]);
    let recorded = store.record_analysis(tenant, state, changes, moment(9));
    recorded.await.unwrap();
    assert!(!store.has_unanalysed(tenant).await.unwrap());
    assert_eq!(store.load_engine(tenant).await.unwrap().unwrap().line, 3);
    assert_eq!(ids(&claimed(store, 60, 9).await), ["f:1"]);
}
