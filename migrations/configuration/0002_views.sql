-- Saved views: named filters, orders and columns of one entity, somebody's own or shared.

create table views (
    id         blob    not null primary key check (length(id) = 16),
    version    integer not null,                       -- grows with every change
    name       text    not null,
    entity     text    not null,                       -- `plugin.entity`
    filter     text    check (json_valid(filter)),     -- the JSON form as it was sent; null: all records
    sort       text,                                   -- `-amount,name`; null: newest first
    fields     text    check (json_valid(fields)),     -- JSON array of columns; null: all
    audience   text    not null check (audience in ('private', 'team', 'organization')),
    team_id    blob    check (length(team_id) = 16),   -- whose it is, when it is a team's
    owner_id   blob    not null check (length(owner_id) = 16), -- who made it
    is_default integer not null check (is_default in (0, 1)),  -- what its audience sees first; at most one for each
    created_at integer not null,
    updated_at integer not null,
    updated_by blob    not null check (length(updated_by) = 16),
    check ((audience = 'team') = (team_id is not null))
) strict;

create index views_by_entity on views (entity, id);
create index views_by_owner on views (owner_id);
