-- Merges: which records became one, how everything stood before, and what moved along, so that each can be undone.

-- A merged record stays in the recycle bin of its table; this says which record stands for it. Chains are followed.
create table _stoa_tombstones (
    entity text not null,                              -- the entity's key
    record blob not null check (length(record) = 16),  -- the record that was merged away
    into_record blob not null check (length(into_record) = 16),
    merge  blob not null check (length(merge) = 16),
    primary key (entity, record)
) strict, without rowid;

create index _stoa_tombstones_of_merge on _stoa_tombstones (merge);

-- The merge log, in the file of the merged entity.
create table _stoa_merges (
    id        blob    not null primary key check (length(id) = 16),
    entity    text    not null,
    survivor  blob    not null,
    losers    text    not null check (json_valid(losers)),   -- ids, in the order given
    owner_id  blob,                                          -- the survivor's owner and team at that time: who may read
    team_id   blob,                                          -- of this once the survivor is gone
    choices   text    not null check (json_valid(choices)),  -- as the caller sent them
    origins   text    not null check (json_valid(origins)),  -- field -> where its value came from, unless the survivor's
    before    text    not null check (json_valid(before)),   -- rows by column: {"survivor":{…},"losers":[{…}]}
    after     text    not null check (json_valid(after)),    -- the survivor's row when the merge was done
    broken    text    not null check (json_valid(broken)),   -- references that were emptied
    beside    text    not null check (json_valid(beside)),   -- comments, files, tags … that moved
    state     text    not null check (state in ('pending', 'done', 'undoing', 'undone')),
    at        integer not null,
    by        blob    not null,
    request   blob    not null,
    undone_at integer,
    undone_by blob,
    undo      text    check (undo is null or json_valid(undo)) -- what the undoing kept, and what is gone
) strict;

create index _stoa_merges_of_entity on _stoa_merges (entity, id);
create index _stoa_merges_unfinished on _stoa_merges (state) where state in ('pending', 'undoing');

-- Every record that took part in a merge.
create table _stoa_merge_records (
    entity text not null,
    record blob not null,
    merge  blob not null,
    primary key (entity, record, merge)
) strict, without rowid;

-- What is to be done in the files of other modules: no transaction spans two files.
create table _stoa_merge_steps (
    merge  blob not null,
    module text not null,
    state  text not null check (state in ('pending', 'done', 'undoing', 'undone')),
    primary key (merge, module)
) strict, without rowid;

-- The references that followed a merge; in the file of the records that refer, and also in that of the merge itself.
create table _stoa_merge_moves (
    merge   blob    not null,
    entity  text    not null,
    field   text    not null,
    record  blob    not null,
    old     text    not null check (json_valid(old)),  -- the column's value before
    new     text    not null check (json_valid(new)),  -- and after
    version integer not null,                          -- the record's version after
    state   text    not null check (state in ('moved', 'back', 'refused')),
    reason  text,                                      -- why it was not moved back
    primary key (merge, entity, field, record)
) strict, without rowid;

-- External ids of merged records for which the survivor had no room: they find the survivor still.
create table _stoa_merged_ids (
    entity text not null,
    source text not null,
    value  text not null,
    record blob not null,                              -- the survivor of that merge
    merge  blob not null,
    primary key (entity, source, value)
) strict, without rowid;

create index _stoa_merged_ids_of_merge on _stoa_merged_ids (merge);
