-- The roles that the groups of a provider gave to somebody: only these are taken away when the groups do not give them any more.
alter table federated_identities add column given_roles text not null default '[]' check (json_valid(given_roles));
