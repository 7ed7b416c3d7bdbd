-- Domains that the organization says are its own. Only a verified one links anybody.

drop table verified_domains; -- nothing could fill it

create table domains (
    domain      text    not null primary key,          -- ASCII, lower case
    challenge   text    not null,                      -- what the TXT record says; public once it is there
    added_at    integer not null,
    added_by    blob    not null,
    verified_at integer,                               -- null: nobody has seen the record yet
    verified_by blob
) strict, without rowid;
