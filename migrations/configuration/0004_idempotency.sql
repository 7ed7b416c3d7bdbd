-- What requests with an `Idempotency-Key` were answered, as in the files of modules (`tenant/0004_writing`).

create table _stoa_idempotency (
    principal blob    not null check (length(principal) = 16),
    key       text    not null,
    request   blob    not null check (length(request) = 32), -- SHA-256 of what makes two requests the same
    at        integer not null,                        -- unix milliseconds
    status    integer not null,                        -- the answer: its status,
    version   integer,                                 -- what it said as `ETag`,
    location  text,                                    -- as `Location`,
    body      blob    not null,                        -- and what it was made of
    unique (principal, key)
) strict;

create index _stoa_idempotency_by_age on _stoa_idempotency (at);
