-- Records that somebody shared with a person or a team. A row is one share; an ended one stays until it is swept or taken
-- back, and counts for nobody. The change log does not record this table: the record's timeline says who shared what.

create table _stoa_shares (
    id         blob    not null primary key check (length(id) = 16),
    entity     text    not null,                       -- the entity's key
    record     blob    not null check (length(record) = 16),
    kind       text    not null check (kind in ('user', 'team')),
    subject    blob    not null check (length(subject) = 16), -- the person or the team
    level      text    not null check (level in ('read', 'update')), -- update: read, too
    expires_at integer,                                -- the first instant it counts no more; null: until taken back
    created_at integer not null,
    created_by blob    not null,
    unique (entity, record, subject)
) strict, without rowid;

create index _stoa_shares_with on _stoa_shares (subject, entity, record);
