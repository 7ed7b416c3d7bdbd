-- Second factors of people.

-- Authenticator apps, one per person. Until it is confirmed with two codes, it proves nothing.
create table _stoa_totp (
    user_id      blob    not null primary key references users (id),
    secret       blob    not null,                     -- sealed with an installation secret
    confirmed_at integer,
    last_step    integer not null default 0,           -- a code of this step or an earlier one is not taken again
    window_start integer not null default 0,
    tries        integer not null default 0,           -- wrong codes since `window_start`
    failures     integer not null default 0,           -- wrong codes since the last right one
    created_at   integer not null
) strict;

create table _stoa_recovery_codes (
    hash       blob    not null primary key,           -- HMAC-SHA-256, keyed with an installation secret
    user_id    blob    not null references users (id),
    created_at integer not null
) strict;

create index _stoa_recovery_codes_by_user on _stoa_recovery_codes (user_id);
