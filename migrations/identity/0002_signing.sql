-- The keys with which the organization signs its tokens, for two algorithms, each going through next, active, retired,
-- destroyed. They take the place of `signing_keys`, which knew one algorithm and never let go of a key.
create table issuer_keys (
    id           blob    not null primary key check (length(id) = 16),
    kid          text    not null unique,              -- RFC 7638 thumbprint of the public key
    algorithm    text    not null check (algorithm in ('EdDSA', 'RS256')),
    state        text    not null check (state in ('next', 'active', 'retired', 'destroyed')),
    public_key   blob    not null,                     -- EdDSA: 32 bytes; RS256: the modulus, the exponent is 65537
    private_key  blob,                                 -- PKCS #8, sealed; null as soon as it signs no more
    created_at   integer not null,                     -- also when it was first published
    activated_at integer,
    retired_at   integer,
    destroyed_at integer,
    verifies_until integer                             -- of a retired key: the first instant it verifies nothing
) strict;

create unique index issuer_keys_one_active on issuer_keys (algorithm) where state = 'active';
create unique index issuer_keys_one_next on issuer_keys (algorithm) where state = 'next';

insert into issuer_keys (id, kid, algorithm, state, public_key, private_key, created_at, activated_at)
select id, kid, 'EdDSA', state, public_key, private_key, created_at, created_at from signing_keys
where state = 'active';

drop table signing_keys;
