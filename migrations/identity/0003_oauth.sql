-- Clients: programs that ask for tokens, on behalf of people or of a service account.
create table oauth_clients (
    id              blob    not null primary key check (length(id) = 16),
    version         integer not null default 1,
    name            text    not null,
    kind            text    not null check (kind in ('web', 'native', 'service')),
    auth_method     text    not null check (auth_method in ('client_secret_basic', 'client_secret_post', 'none')),
    secret_hash     blob,                              -- HMAC-SHA-256, keyed with an installation secret; null: public
    redirect_uris   text    not null check (json_valid(redirect_uris)),
    logout_uris     text    not null check (json_valid(logout_uris)), -- where people may be sent after signing out
    grants          text    not null check (json_valid(grants)),
    scopes          text    not null check (json_valid(scopes)),
    service_id      blob    check (length(service_id) = 16), -- for client_credentials: the service account it acts as
    id_token_alg    text    not null check (id_token_alg in ('RS256', 'EdDSA')),
    trusted         integer not null check (trusted in (0, 1)), -- the organization's own: nobody is asked for consent
    active          integer not null default 1 check (active in (0, 1)),
    created_at      integer not null,
    created_by      blob    not null,
    updated_at      integer not null,
    updated_by      blob    not null
) strict;

-- What people have allowed clients.
create table oauth_consents (
    id         blob    not null primary key check (length(id) = 16),
    user_id    blob    not null references users (id),
    client_id  blob    not null references oauth_clients (id) on delete cascade,
    scopes     text    not null check (json_valid(scopes)),
    created_at integer not null,
    updated_at integer not null,
    unique (user_id, client_id)
) strict;

-- What follows is made and spent at every signing in, and holds hashes: not worth a log entry.

-- One signing in to one client, and the family of all tokens that come of it. They end with it.
create table _stoa_oauth_grants (
    id         blob    not null primary key check (length(id) = 16),
    client_id  blob    not null,
    user_id    blob    not null,                       -- a person, or the client's service account
    session_id blob,
    scope      text    not null,                       -- separated by spaces
    nonce      text,
    auth_time  integer not null,
    amr        text    not null check (json_valid(amr)),
    acr        text    not null,
    user_epoch integer not null,                       -- the person's token_epoch at the time
    created_at integer not null,
    ends_at    integer not null,                       -- never moved
    revoked_at integer,
    reason     text
) strict;

create index _stoa_oauth_grants_by_user on _stoa_oauth_grants (user_id, client_id) where revoked_at is null;

create table _stoa_oauth_requests (
    hash       blob    not null primary key,
    body       text    not null check (json_valid(body)),
    expires_at integer not null
) strict;

create table _stoa_oauth_codes (
    hash         blob    not null primary key,
    grant_id     blob    not null,
    client_id    blob    not null,
    redirect_uri text    not null,
    challenge    text    not null,
    expires_at   integer not null,
    used_at      integer
) strict;

create table _stoa_oauth_refresh (
    hash       blob    not null primary key,
    grant_id   blob    not null,
    generation integer not null,
    state      text    not null check (state in ('live', 'used')),
    expires_at integer not null,
    used_at    integer,
    successor  blob,                                   -- the token of the next generation, sealed; see oauth/grants
    unique (grant_id, generation)
) strict;
