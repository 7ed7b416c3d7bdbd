-- What an undo of an import goes by, how far it came, and the trail of exports.

-- The change-log entries of one import. Only imports are in it, so that no other write pays for it.
create index _stoa_changes_of_import on _stoa_changes (request, seq) where source = 'import';

-- How far an undo came: in phase 0 records that the import changed, in 1 those of its entity that it made, in 2 what hooks
-- made along the way; each newest first. Written in the same transaction as what it undid.
create table _stoa_import_undo (
    job        blob    not null primary key,
    phase      integer not null check (phase in (0, 1, 2, 3)), -- 3: done
    round      integer not null,                       -- again for what was left, while a round frees what stood in its way
    freed      integer not null,                       -- records that this round undid
    before_seq integer not null,                       -- the next entry is below this one
    restored   integer not null,
    deleted    integer not null,
    unchanged  integer not null,                       -- were as before already
    updated_at integer not null
) strict, without rowid;

-- Who took which records out. Kept as long as the file.
create table _stoa_exports (
    id          blob    not null primary key check (length(id) = 16),
    at          integer not null,                      -- unix milliseconds
    principal   blob    not null,
    request     blob    not null,
    entity      text    not null,                      -- the entity's key
    query       text    not null,                      -- the query string as it was sent: fields, filters, order
    format      text    not null check (format in ('csv', 'xlsx', 'jsonl')),
    rows        integer,                               -- how many went out; null while it runs
    finished_at integer,
    outcome     text    check (outcome is null or outcome in ('complete', 'broken'))
) strict, without rowid;
