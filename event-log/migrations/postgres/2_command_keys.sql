-- What became of commands that were sent with a key, so that a repeat is answered the same.
create table command_keys (
    command_key bytea primary key,
    fingerprint bytea not null,
    stream_id uuid not null,
    partition int not null,
    expected bigint not null,
    version bigint not null,
    position bigint not null,
    -- Seconds since 1970; null: kept for ever.
    expires_at bigint
);

create index command_keys_by_expiry on command_keys (expires_at) where expires_at is not null;
