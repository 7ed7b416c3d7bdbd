-- What the organization asks of those who sign in, and what has happened at its door.

-- One row: of whom a second factor is demanded.
create table _stoa_sign_in_rules (
    one           integer not null primary key check (one = 1),
    second_factor text    not null check (second_factor in ('nobody', 'administrators', 'everybody'))
) strict;

insert into _stoa_sign_in_rules (one, second_factor) values (1, 'nobody');

-- An authenticator app that is being added within a login: its secret, sealed, until two codes confirm it.
alter table _stoa_logins add column pending blob;

-- A recovery code was used: the app is to be set up anew at the next login.
alter table _stoa_totp add column renew integer not null default 0 check (renew in (0, 1));

-- Every event of authentication. No secret, no password; of an address that nobody has only a keyed hash.
create table _stoa_sign_ins (
    seq      integer not null primary key autoincrement, -- the order, and the place to go on from
    at       integer not null,
    kind     text    not null,
    cause    text,                                       -- why it failed; null: it did not
    user_id  blob,                                       -- whose way in it is about; null: nobody's
    stranger blob,                                       -- instead: HMAC-SHA-256 of the address, keyed
    network  text,                                       -- a prefix of the visitor's address
    device   text,
    by_id    blob,                                       -- who did it, when it was somebody else
    about    text                                        -- how, or the id of a session or key
) strict;

create index _stoa_sign_ins_by_user on _stoa_sign_ins (user_id, seq) where user_id is not null;
create index _stoa_sign_ins_by_age on _stoa_sign_ins (at);
create index _stoa_sign_ins_failed on _stoa_sign_ins (seq) where cause is not null;

create trigger _stoa_sign_ins_are_not_changed before update on _stoa_sign_ins
begin select raise(abort, 'events of signing in are only added'); end;
