-- What people put beside a record: comments, mentions, tags, followers, files. Of every entity, in one set of tables.
--
-- The change log does not record these tables, so what happens to them is said in `_stoa_companion_events`, in the same
-- transaction. `entity` is the entity's key, `record` the record's id, `principal` whoever did it.

create table _stoa_comments (
    id         blob    not null primary key check (length(id) = 16),
    entity     text    not null,
    record     blob    not null check (length(record) = 16),
    at         integer not null,                       -- unix milliseconds
    principal  blob    not null,
    text       text    not null,
    edited_at  integer,                                -- null: as first written
    deleted_at integer,                                -- not null: shown to nobody, its events are
    version    integer not null default 1
) strict, without rowid;

create index _stoa_comments_of_record on _stoa_comments (entity, record, at, id);

create table _stoa_mentions (
    comment blob not null,
    user    blob not null,
    primary key (comment, user)
) strict, without rowid;

create index _stoa_mentions_of_user on _stoa_mentions (user, comment);

create table _stoa_tags (
    entity    text    not null,
    record    blob    not null check (length(record) = 16),
    fold      text    not null,                        -- the tag as it is compared: in lower case
    tag       text    not null,                        -- the tag as it was first written
    at        integer not null,
    principal blob    not null,
    primary key (entity, record, fold)
) strict, without rowid;

create index _stoa_tags_of_entity on _stoa_tags (entity, fold, record);

create table _stoa_followers (
    entity text    not null,
    record blob    not null check (length(record) = 16),
    user   blob    not null,
    at     integer not null,
    primary key (entity, record, user)
) strict, without rowid;

create index _stoa_followers_of_user on _stoa_followers (user, entity, record);

-- Files. The content is a file of its own, named by its SHA-256; it is kept while a row says its name.
create table _stoa_attachments (
    id         blob    not null primary key check (length(id) = 16),
    entity     text    not null,
    record     blob    check (record is null or length(record) = 16), -- null: uploaded, and no record's yet
    name       text    not null,                       -- cleaned: no path, no control characters
    media_type text    not null,                       -- as the content says, not as the client said
    size       integer not null check (size >= 0),     -- bytes
    sha256     blob    not null check (length(sha256) = 32),
    at         integer not null,
    principal  blob    not null
) strict, without rowid;

create index _stoa_attachments_of_record on _stoa_attachments (entity, record, at, id);
create index _stoa_attachments_of_content on _stoa_attachments (sha256, size);
create index _stoa_attachments_loose on _stoa_attachments (at) where record is null;

-- Contents that a row named and none names any more: to be removed from the disk after the commit that says so.
create table _stoa_contents_left (
    sha256 blob not null primary key check (length(sha256) = 32)
) strict, without rowid;

-- Bytes and files that are stored for this module, each content counted once.
create table _stoa_storage (
    one   integer not null primary key check (one = 1),
    bytes integer not null,
    files integer not null
) strict, without rowid;

insert into _stoa_storage (one, bytes, files) values (1, 0, 0);

create table _stoa_companion_events (
    id        blob    not null primary key check (length(id) = 16),
    entity    text    not null,
    record    blob    not null check (length(record) = 16),
    at        integer not null,
    principal blob    not null,
    kind      text    not null,                        -- `commented`, `tagged`, `file_added`, ...: see `event.rs`
    detail    text    not null check (json_valid(detail))
) strict, without rowid;

create index _stoa_companion_events_of_record on _stoa_companion_events (entity, record, at, id);
