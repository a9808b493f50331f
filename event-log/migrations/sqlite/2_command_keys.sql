-- What became of commands that were sent with a key, so that a repeat is answered the same.
create table command_keys (
    command_key blob primary key not null,
    fingerprint blob not null,
    stream_id blob not null,
    partition integer not null,
    expected integer not null,
    version integer not null,
    position integer not null,
    -- Seconds since 1970; null: kept for ever.
    expires_at integer
) strict, without rowid;

create index command_keys_by_expiry on command_keys (expires_at) where expires_at is not null;
