-- Dictionaries of each tenant's own, pages and spaces of a site, findings with a version.

create table term (
    tenant integer not null references tenant,
    no integer not null,
    text text not null,
    primary key (tenant, no),
    unique (tenant, text)
) strict, without rowid;

-- Page 123 of two sites are two pages. `site` is a term; 0 where the log names no site.
create table page (
    tenant integer not null references tenant,
    no integer not null,
    page text not null,
    site integer not null,
    primary key (tenant, no),
    unique (tenant, page, site)
) strict, without rowid;

create table space (
    tenant integer not null references tenant,
    no integer not null,
    space text not null,
    site integer not null,
    primary key (tenant, no),
    unique (tenant, space, site)
) strict, without rowid;

alter table account rename to account_1;
alter table event rename to event_1;

-- Name, e-mail and kind are those of the last day on which an event told them, so the order of arrival does not matter.
create table account (
    tenant integer not null references tenant,
    no integer not null,
    account text not null,
    kind integer not null,
    name text,
    email text,
    -- Days since 1970.
    told_day integer not null,
    primary key (tenant, no),
    unique (tenant, account)
) strict, without rowid;

-- `id` is null where the key is the id's own sixteen bytes. No second index over all events: measured, it costs more than
-- all the rest.
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

-- What is done to the logs: few events, looked for after every analysis.
create index logging_event on event (stream, at) where class = 10;

insert into term (tenant, no, text)
    select tenant, row_number() over (partition by tenant order by word), text
    from (
        select tenant, event_1.action as word from event_1 join stream on stream.id = event_1.stream
        union select tenant, event_1.address from event_1 join stream on stream.id = event_1.stream where event_1.address is not null
        union select tenant, event_1.site from event_1 join stream on stream.id = event_1.stream where event_1.site is not null
    ) as used join word on word.id = used.word;

insert into account (tenant, no, account, kind, name, email, told_day)
    select tenant, row_number() over (partition by tenant order by id), account_1.account, kind, name, email, told_day
    from (
        select distinct tenant, event_1.account as number from event_1 join stream on stream.id = event_1.stream
    ) join account_1 on account_1.id = number;

create table numbered_1 (
    tenant integer not null,
    word integer not null,
    no integer not null,
    primary key (tenant, word)
) strict, without rowid;

insert into numbered_1 (tenant, word, no)
    select tenant, word.id, no from term join word on word.text = term.text;

insert into page (tenant, no, page, site)
    select tenant, row_number() over (partition by tenant order by number, site), text, site
    from (
        select distinct stream.tenant, event_1.page as number, coalesce(numbered_1.no, 0) as site
        from event_1 join stream on stream.id = event_1.stream
        left join numbered_1 on numbered_1.tenant = stream.tenant and numbered_1.word = event_1.site
        where event_1.page is not null
    ) join word on word.id = number;

insert into space (tenant, no, space, site)
    select tenant, row_number() over (partition by tenant order by number, site), text, site
    from (
        select distinct stream.tenant, event_1.space as number, coalesce(numbered_1.no, 0) as site
        from event_1 join stream on stream.id = event_1.stream
        left join numbered_1 on numbered_1.tenant = stream.tenant and numbered_1.word = event_1.site
        where event_1.space is not null
    ) join word on word.id = number;

insert into event (stream, at, key, account, class, actor, auth, action, page, space, address, site, id)
    select old.stream, old.at, old.key, account.no, old.class, old.actor, old.auth, action.no, page.no, space.no, address.no,
        site.no, old.id
    from event_1 as old
    join stream on stream.id = old.stream
    join account_1 on account_1.id = old.account
    join account on account.tenant = stream.tenant and account.account = account_1.account
    join numbered_1 as action on action.tenant = stream.tenant and action.word = old.action
    left join numbered_1 as address on address.tenant = stream.tenant and address.word = old.address
    left join numbered_1 as site on site.tenant = stream.tenant and site.word = old.site
    left join word as page_word on page_word.id = old.page
    left join page on page.tenant = stream.tenant and page.page = page_word.text and page.site = coalesce(site.no, 0)
    left join word as space_word on space_word.id = old.space
    left join space on space.tenant = stream.tenant and space.space = space_word.text and space.site = coalesce(site.no, 0)
    order by old.stream, old.at, old.key;

drop table numbered_1;
drop table event_1;
drop table account_1;
drop table word;

-- The working state of the analysis is computed anew: its numbers were those of the dictionaries.
drop table fold;
drop table fold_account;
drop table fold_page;

-- The engine's state at its settle line: everything before `line` is folded in.
create table engine (
    tenant integer primary key references tenant,
    basis blob not null,
    line integer not null,
    stored integer not null,
    stale integer not null default 0,
    state blob not null
) strict;

create table engine_account (
    tenant integer not null,
    account integer not null,
    state blob not null,
    primary key (tenant, account)
) strict, without rowid;

create table engine_page (
    tenant integer not null,
    page integer not null,
    state blob not null,
    primary key (tenant, page)
) strict, without rowid;

-- Which form the body of a finding has.
alter table finding add column version integer not null default 1;

alter table tenant rename column ignored to suppressed;

-- The newest page view, in seconds.
alter table stream add column last_view integer;
update stream set last_view = (select max(at) from event where event.stream = stream.id and class <= 1);

-- A message carries what it says, and its notifier renders it. Those of schema 1 were rendered when they were stored, and keep
-- their text.
update delivery set body = cast(json_object('version', 1, 'content', json_object('rendered', cast(body as text))) as blob);

-- The destination at which a message was given up, as a digest: at another one it is tried again.
alter table delivery add column given_up_at blob;
