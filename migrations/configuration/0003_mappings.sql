-- Saved import mappings: how columns of a kind of file become fields, for the next file of that kind.

create table import_mappings (
    id         blob    not null primary key check (length(id) = 16),
    version    integer not null,
    name       text    not null,
    name_key   text    not null,                       -- the name without regard to letter case
    entity     text    not null,                       -- `plugin.entity`, or `users`
    spec       text    not null check (json_valid(spec)), -- a specification without what is said of one file
    created_at integer not null,
    created_by blob    not null,
    updated_at integer not null,
    updated_by blob    not null
) strict, without rowid;

create unique index import_mappings_by_name on import_mappings (entity, name_key);
