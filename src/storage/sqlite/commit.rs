//! What was read and how far we read, in one transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{CachedStatement, Transaction, params};

use super::terms::{Cache, number, position};
use crate::storage::{Batch, Committed, Place, StreamId, TWINS_WITHIN, TenantId};
use pagewarden_core::detect::{Single, joining, watched};
use pagewarden_core::model::{
    Auth, Checkpoint, Class, Event, EventId, GrantSource, Membership, Walk,
};
use pagewarden_core::time::day_of;

/// What a commit came to, and what it changes in what was analysed.
pub(super) struct Done {
    pub(super) committed: Committed,
    pub(super) tenant: TenantId,
    /// The earliest moment; `i64::MAX` where it changes none.
    pub(super) earliest: i64,
    /// Whether an account is called differently.
    pub(super) renamed: bool,
}

/// Stores a batch and moves the checkpoint with it.
pub(super) fn commit(
    transaction: &Transaction<'_>,
    terms: &mut Cache,
    stream: StreamId,
    batch: &Batch,
    moved: Option<&(Walk, Checkpoint)>,
    late_after: Duration,
) -> rusqlite::Result<Done> {
    let tenant = terms.tenant_of(transaction, stream)?;
    let (committed, earliest) =
        insert_events(transaction, terms, (tenant, stream), batch, late_after)?;
    terms.flush(transaction)?;
    let renamed = terms.take_renamed();
    let mut bad = transaction.prepare_cached(
        "insert into unusable (stream, key, reason, sample) values (?1, ?2, ?3, ?4) on conflict do nothing",
    )?;
    let mut unusable = 0;
    for record in &batch.unusable {
        unusable += bad.execute(params![
            stream.0,
            record.key.0,
            record.reason,
            record.sample
        ])?;
    }
    count(transaction, stream, batch, unusable, committed)?;
    if let Some((walk, checkpoint)) = moved {
        move_checkpoint(transaction, stream, *walk, checkpoint, batch.received)?;
    }
    Ok(Done {
        committed,
        tenant,
        earliest,
        renamed,
    })
}

/// Inserts the events; also tells the earliest moment that they change in what was analysed.
fn insert_events(
    transaction: &Transaction<'_>,
    terms: &mut Cache,
    (tenant, stream): (TenantId, StreamId),
    batch: &Batch,
    late_after: Duration,
) -> rusqlite::Result<(Committed, i64)> {
    let mut committed = Committed::default();
    let mut oldest_fresh = i64::MAX;
    let mut insert = transaction.prepare_cached(
        "insert into event (stream, at, key, account, class, actor, auth, action, page, space, address, site, id)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) on conflict do nothing",
    )?;
    for event in &batch.events {
        if insert_event(&mut insert, (transaction, terms), (tenant, stream), event)? {
            committed.fresh += 1;
            if event.class.is_reading() || is_sign(event) {
                oldest_fresh = oldest_fresh.min(reaches_back(event));
            }
            committed.late += u64::from(is_late(event, late_after));
            insert_changes(transaction, stream, event)?;
        } else {
            committed.repeated += 1;
        }
    }
    // What is already folded in must be folded again, in order.
    transaction
        .prepare_cached(
            "update engine set stale = 1 where line > ?2 and stale = 0 and tenant = ?1",
        )?
        .execute(params![tenant.0, oldest_fresh])?;
    Ok((committed, oldest_fresh))
}

/// Whether a rule over single events has something to say of it, whatever the settings.
fn is_sign(event: &Event) -> bool {
    watched(event.class)
        && !joining(
            &Single {
                at: event.at.timestamp(),
                class: event.class,
                action: &event.action,
                actor: event.actor.kind,
                who: None,
                on_page: event.page.is_some(),
                in_space: event.space.is_some(),
            },
            None,
        )
        .is_empty()
}

/// From when on a fresh event changes what is folded: an export also decides over its twin in another stream.
fn reaches_back(event: &Event) -> i64 {
    let at = event.at.timestamp();
    match event.class {
        Class::Export | Class::Download => at - TWINS_WITHIN,
        _ => at,
    }
}

fn insert_event(
    insert: &mut CachedStatement<'_>,
    (transaction, terms): (&Transaction<'_>, &mut Cache),
    (tenant, stream): (TenantId, StreamId),
    event: &Event,
) -> rusqlite::Result<bool> {
    let at = event.at.timestamp();
    let account = terms.account(transaction, tenant, &event.actor, day_of(at))?;
    let action = terms.term(transaction, tenant, &event.action)?;
    let mut term = |text: &Option<String>| {
        text.as_deref()
            .map(|text| terms.term(transaction, tenant, text))
            .transpose()
    };
    let (address, site) = (term(&event.address)?, term(&event.site)?);
    let mut place = |place: Option<(Place, &str)>| {
        place
            .map(|place| terms.place(transaction, tenant, place, site))
            .transpose()
    };
    let page = place(event.page.as_ref().map(|page| (Place::Page, page.as_str())))?;
    let space = place(
        event
            .space
            .as_ref()
            .map(|space| (Place::Space, space.as_str())),
    )?;
    let fresh = insert.execute(params![
        stream.0,
        at,
        event.key.0,
        account,
        position(&Class::ALL, &event.class),
        number(event.actor.kind),
        position(&Auth::ALL, &event.auth),
        action,
        page,
        space,
        address,
        site,
        unlike_key(event),
    ])?;
    Ok(fresh == 1)
}

/// The id, unless the key alone spells it.
fn unlike_key(event: &Event) -> Option<&str> {
    let id = event.id.as_str();
    (!event.key.spells(id)).then_some(id)
}

/// The id of a stored event: its own spelling, or the one that its key stands for.
pub(super) fn stored_id(id: Option<String>, key: [u8; 16], access: bool) -> EventId {
    let key = pagewarden_core::model::EventKey(key);
    EventId::new(id.unwrap_or_else(|| if access { key.uuid() } else { key.hex() }))
}

fn is_late(event: &Event, late_after: Duration) -> bool {
    event
        .processed_at
        .and_then(|processed| (processed - event.at).to_std().ok())
        .is_some_and(|delay| delay > late_after)
}

fn insert_changes(
    transaction: &Transaction<'_>,
    stream: StreamId,
    event: &Event,
) -> rusqlite::Result<()> {
    for change in &event.changes {
        let (kind, name) = match &change.grant_source {
            GrantSource::Role(name) => ("role", name),
            GrantSource::Group(name) => ("group", name),
            GrantSource::Listed => continue,
        };
        transaction
            .prepare_cached(
                "insert into change (stream, at, key, account, kind, name, joined) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 on conflict do nothing",
            )?
            .execute(params![
                stream.0,
                event.at.timestamp(),
                event.key.0,
                change.account.as_str(),
                kind,
                name,
                change.to == Membership::Joined
            ])?;
    }
    Ok(())
}

fn count(
    transaction: &Transaction<'_>,
    stream: StreamId,
    batch: &Batch,
    unusable: usize,
    committed: Committed,
) -> rusqlite::Result<()> {
    let newest = batch.events.iter().map(|event| event.at.timestamp()).max();
    let reading = batch
        .events
        .iter()
        .filter(|event| matches!(event.class, Class::View | Class::BlogView))
        .count();
    let last_view = batch
        .events
        .iter()
        .filter(|event| matches!(event.class, Class::View | Class::BlogView))
        .map(|event| event.at.timestamp())
        .max();
    transaction
        .prepare_cached(
            "update stream set stored = stored + ?2, repeated = repeated + ?3, late = late + ?4, unusable = unusable + ?5,
             unresolved = unresolved + ?6, reading = reading + ?7,
             newest = case when ?8 is null then newest else max(coalesce(newest, ?8), ?8) end,
             last_view = case when ?9 is null then last_view else max(coalesce(last_view, ?9), ?9) end where id = ?1",
        )?
        .execute(params![
            stream.0,
            committed.fresh,
            committed.repeated,
            committed.late,
            unusable,
            batch.unresolved,
            reading,
            newest,
            last_view
        ])?;
    Ok(())
}

/// Moves a walk's checkpoint: the watermark never back, a null cursor never over a cursor. A backfill of a window that
/// nobody asks for any more moves nothing.
fn move_checkpoint(
    transaction: &Transaction<'_>,
    stream: StreamId,
    walk: Walk,
    to: &Checkpoint,
    received: usize,
) -> rusqlite::Result<()> {
    let ms = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_millis());
    let span = match walk {
        Walk::Live => None,
        Walk::Backfill(span) => Some(span),
    };
    transaction
        .prepare_cached(
            "insert into checkpoint (stream, walk, began_ms, watermark_ms, cursor, received) values (?1, ?2, ?3, ?4, ?5, ?6)
             on conflict do update set
             began_ms = coalesce(began_ms, excluded.began_ms),
             watermark_ms = max(coalesce(watermark_ms, excluded.watermark_ms), coalesce(excluded.watermark_ms, watermark_ms)),
             cursor = coalesce(excluded.cursor, cursor),
             received = received + excluded.received
             where ?7 is null or (span_from_ms = ?7 and span_until_ms = ?8)",
        )?
        .execute(params![
            stream.0,
            walk.word(),
            ms(to.began),
            ms(to.watermark),
            to.cursor,
            received,
            ms(span.map(|span| span.from)),
            ms(span.map(|span| span.until)),
        ])?;
    Ok(())
}
