-- External ids: which record bears the id that another system gave it. The record's own column `external_ids` says the
-- same to readers; this table finds the record, and keeps an id from being given twice. A record in the recycle bin
-- bears none.

create table _stoa_external_ids (
    entity text not null,                              -- the entity's key
    source text not null,                              -- the other system
    value  text not null,                              -- its id there
    record blob not null,                              -- the record's id
    primary key (entity, source, value)
) strict, without rowid;

create index _stoa_external_ids_of_record on _stoa_external_ids (record);
