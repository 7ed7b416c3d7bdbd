-- Other issuers whose people may sign in here, and which of our people is who there.

create table identity_providers (
    id            blob    not null primary key check (length(id) = 16),
    version       integer not null default 1,
    name          text    not null unique collate nocase,
    issuer        text    not null,                    -- exactly as its own discovery document and its ID tokens say
    endpoints     text    not null check (json_valid(endpoints)), -- what its discovery document said when it was asked
    client_id     text    not null,
    client_secret blob,                                -- sealed with an installation secret; null: a public client
    scopes        text    not null check (json_valid(scopes)),
    status        text    not null default 'active' check (status in ('active', 'disabled')),
    authoritative integer not null check (authoritative in (0, 1)), -- its word about addresses of verified domains counts
    provisions    integer not null check (provisions in (0, 1)),    -- makes people whom nobody knows yet
    groups_claim  text    not null,
    group_roles   text    not null check (json_valid(group_roles)), -- [{"group", "role"}]; group * is everybody
    created_at    integer not null,
    created_by    blob    not null,
    updated_at    integer not null,
    updated_by    blob    not null
) strict;

-- Who somebody is elsewhere: the provider and its subject, never an address.
create table federated_identities (
    id          blob    not null primary key check (length(id) = 16),
    provider_id blob    not null references identity_providers (id),
    subject     text    not null,
    user_id     blob    not null references users (id),
    linked_at   integer not null,
    unique (provider_id, subject)
) strict;

create index federated_identities_by_user on federated_identities (user_id);

-- Domains that the organization has shown to be its own; an address of another one links nobody.
create table verified_domains (
    domain      text    not null primary key,
    verified_at integer not null,
    verified_by blob    not null
) strict, without rowid;

-- Somebody on the way to a provider. Used once; not worth a log entry, and not part of the epoch.
create table _stoa_federation_transactions (
    state_hash   blob    not null primary key,         -- HMAC-SHA-256, keyed with an installation secret
    provider_id  blob    not null,
    browser_hash blob    not null,                     -- of the cookie of the browser that began
    nonce        text    not null,
    verifier     text    not null,                     -- PKCE
    link_user    blob,                                 -- who asked to be linked; null: a login
    expires_at   integer not null
) strict;

-- Somebody who came back, until their browser has fetched its token. Used once.
create table _stoa_federation_vouchers (
    voucher_hash  blob    not null primary key,
    browser_hash blob    not null,
    provider_id  blob    not null,
    user_id      blob    not null,
    auth_time    integer not null,
    expires_at   integer not null
) strict;
