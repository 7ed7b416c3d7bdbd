-- The host's own tables in every file of an organization. Plugin SQL can neither read nor write a name that starts
-- with `_stoa_`, in any letter case, and the change log does not record changes of these tables.
--
-- Applied by `storage/migrate.rs` before anything else in the file. A merged migration is never edited: write the next.

-- The change log: every changed row of every other table, written by the host in the same transaction.
-- `hash` = SHA-256(hash of the row before, then every other column of this row; see `storage/changes.rs`), so that
-- changing or removing a row in the middle breaks every hash after it.
create table _stoa_changes (
    seq       integer primary key,                     -- 1, 2, 3, ... without gaps
    at        integer not null,                        -- unix milliseconds
    principal blob    not null,                        -- who caused it
    request   blob    not null,                        -- in which request
    source    text    not null,                        -- how it came in: `api`, `import`, `job`, `plugin`, `platform`
    as_plugin integer not null check (as_plugin in (0, 1)), -- 1: by plugin code with the plugin's own authority
    entity    text    not null,                        -- the table
    record    blob    not null,                        -- the column `id`; where there is none, text: the primary key
                                                       -- as a JSON array, or the rowid
    operation text    not null check (operation in ('insert', 'update', 'delete')),
    old       text,                                    -- JSON object; update: changed columns only; insert: null
    new       text,                                    -- JSON object; update: changed columns only; delete: null
    hash      blob    not null
) strict;

create index _stoa_changes_of_record on _stoa_changes (record, seq);

-- What the record engine remembers about the file, such as the entity schema the tables were built for.
create table _stoa_schema (
    key   text not null primary key,
    value text not null check (json_valid(value))
) strict, without rowid;

-- How far an import into this file came. Written in the same transaction as the rows, so a crash cannot separate them.
create table _stoa_import (
    job        blob    not null primary key,
    next_row   integer not null,                       -- the first row of the source not yet handled, from 0
    created    integer not null default 0,
    updated    integer not null default 0,
    unchanged  integer not null default 0,
    failed     integer not null default 0,
    updated_at integer not null
) strict, without rowid;

-- The rows an import could not take. `errors` is a JSON array of {pointer, code, detail}.
create table _stoa_import_errors (
    job    blob    not null,
    row    integer not null,                           -- row of the source, from 0
    errors text    not null check (json_valid(errors)),
    source text    check (source is null or json_valid(source)), -- the row as it came: a JSON array of cells
    primary key (job, row)
) strict, without rowid;
