-- What writing keeps beside the records: answers that can be given again, and what lies in the recycle bin.

-- One row for each `Idempotency-Key` that came with a request that wrote something, added in the same transaction. Kept for
-- a day; a few old ones go with every new one.
create table _stoa_idempotency (
    principal blob    not null check (length(principal) = 16),
    key       text    not null,
    request   blob    not null check (length(request) = 32), -- SHA-256 of method, path, condition and body
    at        integer not null,                        -- unix milliseconds
    status    integer not null,                        -- the answer: its status,
    version   integer,                                 -- what it said as `ETag`,
    location  text,                                    -- as `Location`,
    body      blob    not null,                        -- and its body
    unique (principal, key)
) strict;

create index _stoa_idempotency_by_age on _stoa_idempotency (at);

-- One row for each record in the recycle bin. What was deleted together is a cohort and comes back together.
create table _stoa_trash (
    record   blob    not null primary key check (length(record) = 16),
    entity   text    not null,                         -- its table
    cohort   blob    not null check (length(cohort) = 16),
    root     blob    not null check (length(root) = 16), -- the record whose deletion took the cohort along
    place    integer not null,                         -- order of deletion within the cohort, from 0
    at       integer not null,                         -- unix milliseconds
    by       blob    not null check (length(by) = 16), -- who deleted
    detached text    not null default '[]' check (json_valid(detached)) -- references to it that were emptied:
                                                       -- [{"entity", "record", "field", "was", "version"}]
) strict, without rowid;

create index _stoa_trash_of_cohort on _stoa_trash (cohort, place);
create index _stoa_trash_by_age on _stoa_trash (entity, at, record);
