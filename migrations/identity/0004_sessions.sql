-- Signed-in browsers and apps, logins that are under way, and links that were sent by mail. Only hashes of what opens
-- them are kept. Nothing here is of interest to the change log but the act itself, which the log of events carries.

create table _stoa_sessions (
    id          blob    not null primary key check (length(id) = 16),
    hash        blob    not null unique,               -- HMAC-SHA-256 of the cookie, keyed with an installation secret
    user_id     blob    not null references users (id),
    token_epoch integer not null,                      -- the user's when it began: ending their tokens ends it, too
    created_at  integer not null,
    last_seen   integer not null,                      -- written at most once a minute
    auth_time   integer not null,
    methods     text    not null check (json_valid(methods)), -- JSON array of what the person proved
    acr         text    not null,
    device      text    not null,                      -- what people recognize it by
    network     text    not null,                      -- a prefix of the address, not the address
    agent       text    not null,                      -- family of the user agent
    ended_at    integer
) strict;

create index _stoa_sessions_by_user on _stoa_sessions (user_id, created_at) where ended_at is null;
create index _stoa_sessions_by_age on _stoa_sessions (created_at);

-- A login under way, bound to a cookie of its own. What it takes is decided here and nowhere else.
create table _stoa_logins (
    hash       blob    not null primary key,
    user_id    blob,                                   -- null: nobody has the address, and nobody is told
    email_key  text,
    required   text    not null check (json_valid(required)),
    done       text    not null check (json_valid(done)),
    acr        text,                                   -- what another issuer vouched for
    auth_time  integer,
    expires_at integer not null
) strict;

create index _stoa_logins_by_expiry on _stoa_logins (expires_at);

-- Links that were sent by mail. A link of one purpose is never good for another.
create table _stoa_mail_links (
    hash       blob    not null primary key,
    purpose    text    not null check (purpose in ('reset', 'email_confirm', 'email_undo')),
    user_id    blob    not null references users (id),
    email      text,                                   -- the address that it is about
    expires_at integer not null,
    created_at integer not null
) strict;

create index _stoa_mail_links_by_user on _stoa_mail_links (user_id, purpose);
