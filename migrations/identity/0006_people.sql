-- Teams below teams, programs with accounts of their own, and what a key is limited to.

alter table teams add column parent_id blob references teams (id); -- null: at the top
create index teams_by_parent on teams (parent_id);

-- A program that is not a person's: it has roles, and as many credentials as it needs. Never deleted, only disabled.
create table service_accounts (
    id          blob    not null primary key check (length(id) = 16),
    version     integer not null default 1,
    name        text    not null unique collate nocase,
    description text,
    status      text    not null default 'active' check (status in ('active', 'disabled')),
    roles       text    not null check (json_valid(roles)), -- JSON array of role names, sorted
    token_epoch integer not null default 0,            -- a token of an earlier epoch is dead
    created_at  integer not null,
    created_by  blob    not null,
    updated_at  integer not null,
    updated_by  blob    not null
) strict;

-- A key of a service account acts as that account; `role` is empty then. Without one the key is a principal itself.
alter table api_keys add column service_id blob references service_accounts (id);
alter table api_keys add column scopes text check (scopes is null or json_valid(scopes));       -- null: not limited
alter table api_keys add column networks text check (networks is null or json_valid(networks)); -- null: from anywhere
-- Whether it may create and change people. Keys of before could; new ones can when whoever made them said so.
alter table api_keys add column administers integer not null default 1 check (administers in (0, 1));
create index api_keys_by_service on api_keys (service_id);

-- When a key was last used. Written at most once a minute, outside of the epoch and of the change log.
create table _stoa_key_uses (
    key_id  blob    not null primary key references api_keys (id),
    used_at integer not null
) strict;
