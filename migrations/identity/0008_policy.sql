-- What an organization adds to the shipped policy: roles of its own, and rows. The change log records both tables.

create table roles (
    id          blob    not null primary key check (length(id) = 16),
    name        text    not null unique,               -- lower-case, never changed
    version     integer not null default 1,
    label       text    not null,
    description text    not null,
    inherits    text    not null check (json_valid(inherits)), -- JSON array of role names
    created_at  integer not null,
    created_by  blob    not null,
    updated_at  integer not null,
    updated_by  blob    not null
) strict;

-- Never updated: a row is added and taken away, so that who said what, when and why stays one thing.
create table policies (
    id         blob    not null primary key check (length(id) = 16),
    subject    text    not null,                       -- role:name, team:id, user:id, svc:id
    object     text    not null,
    action     text    not null,
    scope      text    not null,
    condition  text    not null,                       -- JSON, or nothing
    effect     text    not null check (effect in ('allow', 'deny')),
    reason     text    not null,
    created_at integer not null,
    created_by blob    not null,
    unique (subject, object, action, scope, condition, effect)
) strict;
