-- Clients that prove themselves by a key of their own; what their tokens live, and the pages that call for them.

-- Another check takes another column. A rebuilt table would take what people allowed with it.
alter table oauth_clients add column proof text not null default 'none'
    check (proof in ('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'));
update oauth_clients set proof = auth_method;
alter table oauth_clients drop column auth_method;
alter table oauth_clients rename column proof to auth_method;

alter table oauth_clients add column keys text not null default '[]' check (json_valid(keys)); -- public JSON Web Keys
alter table oauth_clients add column origins text not null default '[]' check (json_valid(origins));
-- Seconds: of an access token, of a refresh token that is not used, of everything that comes of one signing in.
alter table oauth_clients add column access_life integer not null default 600;
alter table oauth_clients add column idle_life integer not null default 28800;
alter table oauth_clients add column longest_life integer not null default 86400;
update oauth_clients set idle_life = 2592000, longest_life = 7776000 where kind = 'native';

-- Assertions that were used, as long as they could be used again.
create table _stoa_oauth_assertions (
    hash       blob    not null primary key,
    expires_at integer not null
) strict, without rowid;

create index _stoa_oauth_assertions_by_end on _stoa_oauth_assertions (expires_at);
