-- Duplicates: the keys by which records that may be the same find each other, and what became of those that are.

-- What a record has in common with its likes, hashed. Two records are compared only if they share a row here. Kept in
-- step by the host in the same transaction; made anew when an entity's matching rules change.
create table _stoa_block_keys (
    entity   text    not null,                         -- the table
    key_type text    not null,                         -- kind and family: `email.n`
    key_hash integer not null,
    record   blob    not null check (length(record) = 16),
    primary key (entity, key_type, key_hash, record)
) strict, without rowid;

-- Records that are taken for one, until somebody merges or dismisses them.
create table _stoa_duplicate_sets (
    id         blob    not null primary key check (length(id) = 16),
    entity     text    not null,
    status     text    not null check (status in ('building', 'open', 'dismissed')),
    score      integer not null check (score between 0 and 100), -- of the best pair
    rule       text    not null,                       -- which took the best pair for one
    automatic  integer not null check (automatic in (0, 1)), -- 1: every pair could be merged without anybody looking
    job        blob,                                   -- that found it; null: a write that was let through
    created_at integer not null,
    updated_at integer not null
) strict, without rowid;

create index _stoa_duplicate_sets_in_order on _stoa_duplicate_sets (entity, status, score desc, id);

create table _stoa_duplicate_members (
    set_id blob not null,
    record blob not null check (length(record) = 16),
    primary key (set_id, record)
) strict, without rowid;

create index _stoa_duplicate_members_of on _stoa_duplicate_members (record, set_id);

-- Pairs that somebody said are not the same: never reported again. `a` is the smaller id.
create table _stoa_duplicate_dismissals (
    entity text    not null,
    a      blob    not null,
    b      blob    not null,
    at     integer not null,
    by     blob    not null,
    primary key (entity, a, b)
) strict, without rowid;

-- Writes that a rule would have refused, and why they were let through.
create table _stoa_duplicate_bypasses (
    seq     integer primary key,
    entity  text    not null,
    record  blob    not null,
    policy  text    not null check (policy in ('warn', 'block')),
    reason  text    not null,
    matches text    not null check (json_valid(matches)), -- [{entity, id, score, rule}]
    at      integer not null,
    by      blob    not null
) strict;

create index _stoa_duplicate_bypasses_of on _stoa_duplicate_bypasses (record);

-- How far a job that walks a whole table came, and what it found so far. Gone when the sets are made.
create table _stoa_duplicate_walks (
    job      blob    not null primary key,
    key_type text    not null,
    key_hash integer not null,
    walked   integer not null,                         -- keys
    compared integer not null,                         -- pairs
    skipped  integer not null                          -- keys that too many records have
) strict, without rowid;

create table _stoa_duplicate_pairs (
    job       blob    not null,
    a         blob    not null,
    b         blob    not null,
    score     integer not null,
    rule      text    not null,
    automatic integer not null,
    primary key (job, a, b)
) strict, without rowid;
