-- Who may publish plugins on this installation, and what was published.

create table publishers (
    id         text    not null primary key,              -- `acme`: in addresses, never given to another
    name       text    not null,
    trust      text    not null check (trust in ('verified', 'private', 'community')),
    created_by blob    not null check (length(created_by) = 16),
    created_at integer not null
) strict, without rowid;

-- What publishers sign with. A key belongs to one publisher for ever.
create table publisher_keys (
    id           text    not null primary key,            -- the beginning of its SHA-256 sum, as packages name it
    publisher    text    not null references publishers (id),
    public_key   text    not null,                        -- Ed25519, base64
    created_by   blob    not null check (length(created_by) = 16),
    created_at   integer not null,
    revoked_by   blob    check (length(revoked_by) = 16),
    revoked_at   integer,                                 -- nothing that it signed runs any more
    check ((revoked_at is null) = (revoked_by is null))
) strict, without rowid;

create index publisher_keys_of on publisher_keys (publisher);

-- The packages. A version is never changed: other bytes are another version. The bytes are in `plugins/`.
create table plugin_versions (
    plugin        text    not null,                       -- manifest id; belongs to the publisher who came first
    version       text    not null,
    publisher     text    not null references publishers (id),
    key           text    not null references publisher_keys (id),
    sha256        text    not null,                       -- of the package, in hexadecimal
    size          integer not null,                       -- in bytes
    uploaded_by   blob    not null check (length(uploaded_by) = 16),
    uploaded_at   integer not null,
    killed_reason text,                                   -- null: it may run
    killed_by     blob    check (length(killed_by) = 16),
    killed_at     integer,
    primary key (plugin, version),
    check ((killed_at is null) = (killed_by is null) and (killed_at is null) = (killed_reason is null))
) strict, without rowid;
