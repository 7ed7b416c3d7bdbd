-- Which organization has shown a domain to be its own: one of the installation at most.

create table domain_holders (
    domain          text    not null primary key,
    organization_id blob    not null check (length(organization_id) = 16),
    held_at         integer not null
) strict, without rowid;
