//! What every backend promises. Each lists itself with [`conformance`]: a test for each promise, over an empty state.

pub(in crate::storage) mod analysis;
pub(in crate::storage) mod events;
pub(in crate::storage) mod outbox;
pub(in crate::storage) mod registry;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use pagewarden_core::engine::State;
use pagewarden_core::model::{
    AccountId, Actor, ActorKind, Auth, Change, Checkpoint, Class, Destination, Event, EventId,
    EventKey, Family, Finding, FindingId, GrantSource, Group, Membership, PageId, Privilege,
    Severity, Snapshot, Status, Stream, StreamName, Unusable, Verdict, Walk,
};
use pagewarden_core::session::Read;
use pagewarden_core::time::{Window, moment};

/// A test for each promise, over what an expression opens: an empty state, and whatever has to live as long.
macro_rules! conformance {
    ($open:expr) => {
        $crate::storage::conformance::conformance! { @tests $open;
            events::an_event_that_comes_again_is_stored_once_and_counted,
            events::an_event_with_and_without_milliseconds_is_the_same,
            events::an_unusable_record_is_counted_once_however_often_it_is_read,
            events::event_ids_are_told_as_they_came,
            events::a_stretch_is_given_in_order_and_in_chunks,
            events::each_kind_of_event_is_given_to_who_asks_for_it,
            events::commits_at_the_same_time_store_everything_once,
            registry::the_watermark_never_goes_back_and_a_null_cursor_erases_none,
            registry::a_backfill_goes_on_where_it_stopped_and_another_span_begins_anew,
            registry::a_span_asked_for_meanwhile_is_not_taken_for_read_when_the_old_one_ends,
            registry::a_roster_that_says_the_same_is_kept_once_and_changes_come_in_order,
            analysis::an_account_is_called_as_its_last_day_says_in_whatever_order_events_come,
            analysis::what_comes_in_behind_the_settle_line_makes_the_working_state_stale,
            analysis::what_arrived_is_told_once_and_so_are_new_names,
            analysis::dictionaries_belong_to_a_tenant_and_places_to_a_site,
            outbox::a_finding_and_its_messages_come_and_go_together,
            outbox::recorded_findings_are_given_in_chunks,
            outbox::what_is_claimed_is_nobody_elses_until_it_is_answered,
            outbox::what_was_given_up_waits_again_at_another_destination,
            outbox::what_people_say_counts_and_growth_opens_again,
            outbox::the_state_and_the_findings_are_kept_together,
        }
    };
    (@tests $open:expr; $($role:ident::$promise:ident,)*) => {$(
        #[tokio::test]
        async fn $promise() {
            let (_lives, store) = $open;
            $crate::storage::conformance::$role::$promise(&store).await;
        }
    )*};
}
pub(in crate::storage) use conformance;

const LATE: Duration = Duration::from_mins(10);

/// A tenant with a stream.
async fn named(store: &dyn Store, name: &str) -> (TenantId, StreamId) {
    let tenant = store.tenant(name, Some("org"), moment(0)).await.unwrap();
    let stream = Stream {
        tenant: name.to_owned(),
        name: StreamName::Access,
        site: None,
    };
    (tenant, store.stream(tenant, &stream).await.unwrap())
}

async fn acme(store: &dyn Store) -> (TenantId, StreamId) {
    named(store, "acme").await
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

fn everything(stream: StreamId) -> Stretch {
    Stretch {
        stream,
        from: i64::MIN,
        until: i64::MAX,
    }
}

/// Every reading event of a stream.
async fn rows(store: &dyn Store, stream: StreamId) -> Vec<Read> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let stretch = everything(stream);
        let chunk = store.events(stretch, Which::Reading, after).await.unwrap();
        rows.extend(chunk.events.iter().map(|event| event.read));
        after = chunk.next;
        if after.is_none() {
            return rows;
        }
    }
}
