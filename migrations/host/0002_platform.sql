-- The platform's own administrators: who runs the installation. They are nobody in any organization, and nobody of an
-- organization is one of them. Secrets are sealed or kept as keyed hashes; instants are unix milliseconds.

create table platform_admins (
    id            blob    not null primary key check (length(id) = 16),
    version       integer not null default 1,
    email         text    not null,                     -- as it was given
    email_key     text    not null unique,              -- as it is looked up
    name          text    not null,
    status        text    not null check (status in ('invited', 'active', 'disabled')),
    password_hash text,                                 -- PHC string; null until the invitation is accepted
    totp_secret   blob,                                 -- sealed; null: nothing enrolled
    totp_pending  blob,                                 -- sealed; a new one that nobody has confirmed yet
    totp_step     integer,                              -- the latest step that was used: each is good once
    created_by    blob    check (length(created_by) = 16), -- null: claimed
    created_at    integer not null,
    updated_at    integer not null
) strict, without rowid;

create table platform_admin_roles (
    admin_id blob not null references platform_admins (id),
    role     text not null check (role in ('support', 'operator', 'billing', 'security', 'auditor', 'owner')),
    primary key (admin_id, role)
) strict, without rowid;

-- Codes for whoever has lost the second factor. A used one is deleted.
create table platform_recovery_codes (
    admin_id  blob not null references platform_admins (id),
    code_hash blob not null check (length(code_hash) = 32),
    primary key (admin_id, code_hash)
) strict, without rowid;

-- The code that makes the first owner: at most one, none once there is an administrator.
create table platform_claim (
    only_row   integer not null primary key check (only_row = 1),
    code_hash  blob    not null check (length(code_hash) = 32),
    created_at integer not null,
    expires_at integer not null
) strict;

-- Links with which an administrator chooses a password. One per administrator; a used one is deleted.
create table platform_invitations (
    admin_id   blob    not null primary key references platform_admins (id),
    token_hash blob    not null unique check (length(token_hash) = 32),
    created_by blob    not null check (length(created_by) = 16),
    created_at integer not null,
    expires_at integer not null
) strict, without rowid;

create table platform_sessions (
    id           blob    not null primary key check (length(id) = 16),
    token_hash   blob    not null unique check (length(token_hash) = 32),
    admin_id     blob    not null references platform_admins (id),
    methods      text    not null,                      -- RFC 8176, separated by spaces: `pwd otp mfa`
    strong       integer not null check (strong in (0, 1)), -- 1: with a second factor
    address      text    not null,                      -- where it was begun
    created_at   integer not null,
    last_seen_at integer not null,
    expires_at   integer not null,                      -- the absolute end
    ended_at     integer
) strict, without rowid;

create index platform_sessions_of_admin on platform_sessions (admin_id, id);

create table platform_keys (
    id             blob    not null primary key check (length(id) = 16),
    kid            text    not null unique,             -- RFC 7638 thumbprint
    public_key     blob    not null check (length(public_key) = 32),
    private_key    blob,                                -- sealed PKCS #8; null once it signs no more
    created_at     integer not null,
    verifies_until integer                              -- null: it signs
) strict, without rowid;

create unique index platform_keys_signing on platform_keys ((1)) where verifies_until is null;

-- What administrators did and who was refused. Rows are only ever added.
create table platform_events (
    id         blob    not null primary key check (length(id) = 16), -- ordered by time
    at         integer not null,
    admin_id   blob    check (length(admin_id) = 16),   -- null: nobody who is known
    admin_name text,
    action     text    not null,                        -- the operation, such as `suspend_organization`
    target     text,                                    -- what it was about: an id, a slug and a module
    outcome    text    not null check (outcome in ('done', 'refused', 'failed')),
    code       text,                                    -- the problem's code, when there was one
    request_id blob    not null check (length(request_id) = 16),
    address    text    not null
) strict, without rowid;

create index platform_events_of_admin on platform_events (admin_id, id);

create trigger platform_events_are_not_changed before update on platform_events
begin select raise(abort, 'platform events are only added'); end;

create trigger platform_events_are_not_deleted before delete on platform_events
begin select raise(abort, 'platform events are only added'); end;
