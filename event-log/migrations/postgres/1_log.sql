-- The log. What its columns promise is in design order: store/postgres writes them, ARCHITECTURE.md explains them.
create table store_meta (
    key text primary key,
    value text not null
);

-- One row a partition: the position of its last event. Whoever moves it holds its lock. Room is left in the pages, so that an
-- update stays where it is.
create table heads (
    partition int primary key,
    position bigint not null,
    recorded_at timestamptz not null
) with (fillfactor = 10);

create table streams (
    stream_id uuid primary key,
    kind text not null,
    partition int not null,
    version bigint not null
) with (fillfactor = 80);

create table events (
    partition int not null,
    position bigint not null,
    event_id uuid not null,
    stream_id uuid not null,
    version bigint not null,
    type text not null,
    schema_version int not null,
    payload text not null,
    metadata json not null,
    recorded_at timestamptz not null,
    constraint events_by_position primary key (partition, position),
    constraint events_by_stream unique (stream_id, version)
);

-- Unique names: whoever inserts the row has the name.
create table claims (
    claim bytea primary key,
    stream_id uuid not null
);

-- Entries that the command side looks up: "the pizzerias of this owner".
create table links (
    kind text not null,
    key uuid not null,
    stream_id uuid not null,
    constraint links_by_key primary key (kind, key, stream_id)
);

-- How far a reader that reacts to events has come.
create table policy_checkpoints (
    policy text not null,
    partition int not null,
    position bigint not null,
    constraint policy_checkpoints_by_policy primary key (policy, partition)
);

-- Events that a policy could not deal with, kept for an operator.
create table policy_parked (
    policy text not null,
    partition int not null,
    position bigint not null,
    reason text not null,
    parked_at timestamptz not null,
    constraint policy_parked_by_policy primary key (policy, partition, position)
);

-- Who may work on what, until when. The epoch rises whenever the owner changes.
create table leases (
    name text primary key,
    owner uuid not null,
    epoch bigint not null,
    expires_at bigint not null
);
