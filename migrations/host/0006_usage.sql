-- What plugins used, by day in UTC. Counted in memory and added here once a minute: a killed process loses a minute at most.
create table plugin_usage (
    day             text    not null check (length(day) = 10), -- `2026-11-23`
    organization_id blob    not null references organizations (id),
    plugin          text    not null,                    -- manifest id: `notes`
    version         text    not null,                    -- `1.2.0`
    kind            text    not null check (kind in ('hook', 'action', 'report')),
    calls           integer not null,                    -- calls that were made
    failures        integer not null,                    -- those that were stopped or ended abnormally
    refused         integer not null,                    -- calls that were not made, because too many had failed
    cpu_us          integer not null,                    -- processor time of guest and host, microseconds
    wall_us         integer not null,                    -- time altogether, microseconds
    host_calls      integer not null,
    primary key (day, organization_id, plugin, version, kind)
) strict, without rowid;

-- One organization over time.
create index plugin_usage_of on plugin_usage (organization_id, day);
