-- Where multi-references are found from their other end, and the counters of auto-numbers.

-- One row for each id in a `references` column; kept in step by the host in the same transaction.
create table _stoa_links (
    entity text not null,                              -- the table of the record that refers
    field  text not null,
    record blob not null check (length(record) = 16),  -- the record that refers
    target blob not null check (length(target) = 16),  -- the record that it refers to
    primary key (entity, field, record, target)
) strict, without rowid;

create index _stoa_links_of_target on _stoa_links (target, entity, field);

create table _stoa_counters (
    entity text    not null,
    field  text    not null,
    scope  text    not null,                           -- the year, or empty
    value  integer not null,
    primary key (entity, field, scope)
) strict, without rowid;
