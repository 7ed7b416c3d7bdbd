-- People, teams and credentials of one organization. The `identity` file; no plugin ever opens it.
--
-- These tables are the subject of their file, so they have no `_stoa_` prefix and the change log records them. Columns
-- that hold a secret or what one can be guessed from are redacted there (`identity/mod.rs` lists them).

-- Whoever can log in or own records. A person is never deleted, only disabled: records go on naming who did what.
create table users (
    id            blob    not null primary key check (length(id) = 16),
    version       integer not null default 1,          -- grows with every change a person asks for
    name          text    not null,
    email         text,                                -- as it was written; null: cannot log in
    email_key     text    unique,                      -- what is compared, see `people/email.rs`
    external_id   text    unique,                      -- the person's key in another system
    status        text    not null default 'active' check (status in ('active', 'disabled')),
    roles         text    not null check (json_valid(roles)), -- JSON array of role names, sorted
    password_hash text,                                -- PHC string; null: none chosen yet
    token_epoch   integer not null default 0,          -- a token of an earlier epoch is dead
    created_at    integer not null,
    created_by    blob    not null,
    updated_at    integer not null,
    updated_by    blob    not null,
    check ((email is null) = (email_key is null))
) strict;

create index users_by_name on users (name collate nocase);

create table teams (
    id         blob    not null primary key check (length(id) = 16),
    version    integer not null default 1,
    name       text    not null unique collate nocase,
    created_at integer not null,
    created_by blob    not null,
    updated_at integer not null,
    updated_by blob    not null
) strict;

create table team_members (
    id         blob    not null primary key check (length(id) = 16),
    team_id    blob    not null references teams (id),
    user_id    blob    not null references users (id),
    is_primary integer not null check (is_primary in (0, 1)), -- the team that new records of this person get
    unique (user_id, team_id)
) strict;

create unique index team_members_one_primary on team_members (user_id) where is_primary = 1;
create index team_members_by_team on team_members (team_id);

-- Links with which a person chooses a password. One per person: a new one replaces the old one, using it deletes it.
create table setup_tokens (
    id         blob    not null primary key check (length(id) = 16),
    user_id    blob    not null unique references users (id),
    token_hash blob    not null unique,                -- HMAC-SHA-256, keyed with an installation secret
    expires_at integer not null,
    created_at integer not null,
    created_by blob    not null
) strict;

-- Programs that call the API. A revoked key keeps its row: records go on naming it.
create table api_keys (
    id          blob    not null primary key check (length(id) = 16),
    name        text    not null,
    role        text    not null,
    secret_hash blob    not null,                      -- HMAC-SHA-256, keyed with an installation secret
    expires_at  integer,                               -- the first instant it is no longer good; null: until revoked
    revoked_at  integer,
    created_at  integer not null,
    created_by  blob    not null
) strict;

-- The organization's own issuer keys (Ed25519).
create table signing_keys (
    id          blob    not null primary key check (length(id) = 16),
    kid         text    not null unique,               -- RFC 7638 thumbprint of the public key
    state       text    not null check (state in ('active', 'retired')), -- retired: still verifies, no longer signs
    public_key  blob    not null,                      -- 32 bytes
    private_key blob    not null,                      -- PKCS #8, sealed with an installation secret
    created_at  integer not null
) strict;

create unique index signing_keys_one_active on signing_keys (state) where state = 'active';

-- Grows with every change above, so that a host knows when what it remembers is old. One row; not worth a log entry.
create table _stoa_identity_epoch (
    one   integer not null primary key check (one = 1),
    epoch integer not null
) strict;

insert into _stoa_identity_epoch (one, epoch) values (1, 1);
