-- The schema that an organization arranges itself: its own fields, objects, option sets and rules, as one JSON document.

-- What is in force, and all that was before. The highest version is in force; a row is never changed. Inserting the next
-- row is the switch: everything it needs (columns, tables, indexes) is in the files by then.
create table versions (
    version          integer not null primary key,          -- 1, 2, 3, ... without gaps
    document         text    not null check (json_valid(document)),
    published_at     integer not null,                      -- unix milliseconds
    published_by     blob    not null,
    note             text    not null default '',           -- why, for people
    rolled_back_from integer references versions (version)  -- whose document this one is again; null: a draft was published
) strict;

-- What is being prepared: one row, or none while nothing was ever edited.
create table draft (
    slot       integer not null primary key check (slot = 1),
    document   text    not null check (json_valid(document)), -- redacted in the change log: it is logged when published
    base       integer not null,                            -- the version that it was made from; 0: from nothing
    revision   integer not null,                            -- grows with every change; the ETag
    updated_at integer not null,
    updated_by blob    not null
) strict;
