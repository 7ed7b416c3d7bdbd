-- The control database: what the installation knows about its organizations. One file, `control.sqlite`.
--
-- Applied once, in a transaction, by `storage/migrate.rs`. A merged migration is never edited: write the next.
-- Ids are UUIDv7 in 16 bytes. Instants are unix milliseconds, UTC. JSON is text.
-- Statements that use these tables stay portable ($1, $2, `on conflict (..) do update`, `returning`), because the
-- same tables live in PostgreSQL when the installation is clustered.

-- The customers. A slug is never given to another organization, so links and tokens cannot change their meaning.
create table organizations (
    id         blob    not null primary key check (length(id) = 16),
    slug       text    not null unique,                  -- `acme` in /api/v1 host names and tokens; lower case
    name       text    not null,
    status     text    not null check (status in ('active', 'suspended')),
    zone       text    not null,                         -- IANA time zone: `Europe/Vienna`
    locale     text    not null,                         -- BCP 47: `de-AT`
    currency   text    not null check (length(currency) = 3), -- ISO 4217: `EUR`
    created_at integer not null
) strict, without rowid;

-- What an organization may use. One row per module; licensing a module again replaces the row, revoking deletes it.
create table licences (
    organization_id blob    not null references organizations (id),
    module          text    not null,                    -- as plugin manifests name it: `sales`
    edition         text    not null default 'standard',
    valid_from      integer not null,
    valid_until     integer,                             -- null: until revoked; the instant itself is no longer covered
    created_at      integer not null,
    primary key (organization_id, module),
    check (valid_until is null or valid_until > valid_from)
) strict, without rowid;

-- Values that an organization sets for a plugin. No row: the default of the plugin's manifest.
create table settings (
    organization_id blob    not null references organizations (id),
    plugin          text    not null,                    -- manifest id: `sales`
    key             text    not null,
    value           text    not null check (json_valid(value)),
    updated_at      integer not null,
    primary key (organization_id, plugin, key)
) strict, without rowid;

-- Long-running work. A host that starts puts `running` back to `queued`: whoever ran it is gone, and the work resumes
-- from its own checkpoint in the organization's files.
create table jobs (
    id              blob    not null primary key check (length(id) = 16), -- ordered by the time of creation
    organization_id blob    not null references organizations (id),
    kind            text    not null,                    -- `import`
    state           text    not null default 'queued'
                    check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    spec            text    not null check (json_valid(spec)), -- what to do, as its kind understands it
    done            integer not null default 0,          -- units finished, failures included
    total           integer,                             -- null: not counted yet
    failed          integer not null default 0,
    result          text    check (result is null or json_valid(result)),
    error_code      text,                                -- stable, such as `file_unreadable`; only in `failed`
    error_detail    text,
    cancel          integer not null default 0 check (cancel in (0, 1)), -- asked to stop; the runner decides when
    created_by      blob    not null check (length(created_by) = 16),
    created_at      integer not null,
    started_at      integer,                             -- the latest start, if it was resumed
    finished_at     integer
) strict, without rowid;

create index jobs_of_organization on jobs (organization_id, id);
create index jobs_waiting on jobs (state, id) where state in ('queued', 'running');
