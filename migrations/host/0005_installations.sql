-- Which version of a plugin an organization runs. No row: the newest version that is part of the installation, and none
-- of a plugin that only the catalogue has.
create table installations (
    organization_id blob    not null references organizations (id),
    plugin          text    not null,                    -- manifest id: `notes`
    version         text    not null,                    -- the version that runs: `1.2.0`
    state           text    not null check (state in ('enabled', 'disabled')),
    pinned          integer not null default 0 check (pinned in (0, 1)), -- roll-outs pass it by
    capabilities    text    not null check (json_valid(capabilities)),   -- what was agreed to, sorted words
    fault_version   text,                                -- the version that could not be installed last; null: none
    fault           text,                                -- and why
    installed_at    integer not null,
    updated_at      integer not null,
    primary key (organization_id, plugin),
    check ((fault is null) = (fault_version is null))
) strict, without rowid;

create index installations_of_plugin on installations (plugin, version);

-- What was done with it, one row each, never changed.
create table installation_events (
    organization_id blob    not null references organizations (id),
    plugin          text    not null,
    number          integer not null,                    -- 1, 2, 3 … within organization and plugin
    event           text    not null check (event in
                    ('installed', 'upgraded', 'rolled_back', 'enabled', 'disabled', 'pinned', 'unpinned', 'failed', 'uninstalled')),
    version         text    not null,                    -- the version afterwards; for `failed`, the one that was tried
    detail          text,                                -- why it failed, or the name of the file that was kept
    done_by         blob    not null check (length(done_by) = 16),
    done_at         integer not null,
    primary key (organization_id, plugin, number)
) strict, without rowid;

-- One version brought to every organization that has the plugin.
create table rollouts (
    id              blob    not null primary key check (length(id) = 16), -- ordered by the time of creation
    plugin          text    not null,
    version         text    not null,
    capabilities    text    not null check (json_valid(capabilities)), -- what was agreed to for all of them
    state           text    not null check (state in ('running', 'finished', 'stopped')),
    total           integer not null,                    -- organizations
    done            integer not null default 0,          -- finished, failures included
    failed          integer not null default 0,
    created_by      blob    not null check (length(created_by) = 16),
    created_at      integer not null,
    finished_at     integer
) strict, without rowid;

-- At most one at a time for each plugin.
create unique index rollouts_running on rollouts (plugin) where state = 'running';
