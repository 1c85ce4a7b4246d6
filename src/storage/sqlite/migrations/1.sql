-- Times are whole seconds since 1970 (UTC) where they order events, milliseconds elsewhere (`_ms`).

create table tenant (
    id integer primary key,
    name text not null unique,
    organization text,
    installed_ms integer not null,
    roster_success_ms integer,
    roster_error text,
    ignored integer not null default 0,
    present integer not null default 0,
    actions text not null default '[]',
    actions_ms integer
) strict;

create table stream (
    id integer primary key,
    tenant integer not null references tenant,
    name text not null check (name in ('access', 'audit')),
    site text not null default '',
    stored integer not null default 0,
    repeated integer not null default 0,
    late integer not null default 0,
    unusable integer not null default 0,
    unresolved integer not null default 0,
    reading integer not null default 0,
    newest integer,
    last_success_ms integer,
    last_error text,
    unique (tenant, name, site)
) strict;

create table checkpoint (
    stream integer not null references stream,
    walk text not null check (walk in ('live', 'backfill')),
    began_ms integer,
    watermark_ms integer,
    cursor text,
    span_from_ms integer,
    span_until_ms integer,
    received integer not null default 0,
    -- Of a backfill: 1 when all of it was read, 2 when it was also summed up.
    done integer not null default 0,
    primary key (stream, walk)
) strict, without rowid;

create table unusable (
    stream integer not null references stream,
    key blob not null,
    reason text not null,
    sample text not null,
    primary key (stream, key)
) strict, without rowid;

create table word (
    id integer primary key,
    text text not null unique
) strict;

-- Name, e-mail and kind are those of the last day on which an event told them, so the order of arrival does not matter.
create table account (
    id integer primary key,
    account text not null unique,
    kind integer not null,
    name text,
    email text,
    -- Days since 1970.
    told_day integer not null
) strict;

-- `id` is null where the key is the id's own sixteen bytes. No second index: measured, it costs more than all the rest.
create table event (
    stream integer not null,
    at integer not null,
    key blob not null,
    account integer not null,
    class integer not null,
    actor integer not null,
    auth integer not null,
    action integer not null,
    page integer,
    space integer,
    address integer,
    site integer,
    id text,
    primary key (stream, at, key)
) strict, without rowid;

create table change (
    stream integer not null references stream,
    at integer not null,
    key blob not null,
    account text not null,
    kind text not null check (kind in ('role', 'group')),
    name text not null,
    joined integer not null,
    primary key (stream, at, key, account, kind, name)
) strict, without rowid;

create table roster (
    tenant integer not null references tenant,
    as_of_ms integer not null,
    body text not null,
    primary key (tenant, as_of_ms)
) strict, without rowid;

-- The working state of the analysis at its settle line: everything before `line` is folded in.
create table fold (
    tenant integer primary key references tenant,
    basis blob not null,
    line integer not null,
    stored integer not null,
    stale integer not null default 0,
    state blob not null
) strict;

create table fold_account (
    tenant integer not null,
    account integer not null,
    state blob not null,
    primary key (tenant, account)
) strict, without rowid;

create table fold_page (
    tenant integer not null,
    page integer not null,
    state blob not null,
    primary key (tenant, page)
) strict, without rowid;

create table finding (
    id text primary key,
    tenant integer not null references tenant,
    family text not null,
    detector text not null,
    severity integer not null,
    revision integer not null,
    final integer not null,
    last_seen integer not null,
    body text not null
) strict, without rowid;

-- How often a site said that a canary page was opened, where the log holds no page views; null where it never told.
create table canary_view (
    tenant integer not null references tenant,
    site text not null,
    page text not null,
    views integer,
    at_ms integer,
    refused text,
    primary key (tenant, site, page)
) strict, without rowid;

create table verdict (
    finding text not null,
    at_ms integer not null,
    status text not null,
    note text,
    revision integer not null,
    -- What the finding was when it was judged.
    tenant text not null,
    account text,
    family text not null,
    from_s integer not null,
    until_s integer not null,
    bits real not null,
    severity integer not null,
    primary key (finding, at_ms)
) strict, without rowid;

create table delivery (
    id text not null,
    notifier text not null,
    tenant integer not null references tenant,
    severity integer not null,
    body blob not null,
    created_ms integer not null,
    attempts integer not null default 0,
    due_ms integer not null,
    state text not null default 'waiting' check (state in ('waiting', 'sent', 'given_up')),
    last_error text,
    primary key (id, notifier)
) strict, without rowid;
