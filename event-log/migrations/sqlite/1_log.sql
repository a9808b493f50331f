-- The log. What its columns promise is in design order: append.rs writes them, ARCHITECTURE.md explains them.
create table store_meta (
    key text primary key not null,
    value text not null
) strict, without rowid;

-- One row a partition: the position of its last event. Whoever moves it holds the write lock.
create table heads (
    partition integer primary key not null,
    position integer not null,
    recorded_at text not null
) strict;

create table streams (
    stream_id blob primary key not null,
    kind text not null,
    partition integer not null,
    version integer not null
) strict, without rowid;

create table events (
    partition integer not null,
    position integer not null,
    event_id blob not null,
    stream_id blob not null,
    version integer not null,
    type text not null,
    schema_version integer not null,
    payload text not null,
    metadata text not null,
    recorded_at text not null,
    constraint events_by_position primary key (partition, position)
) strict, without rowid;

create unique index events_by_stream on events (stream_id, version);

-- Unique names: whoever inserts the row has the name.
create table claims (
    claim blob primary key not null,
    stream_id blob not null
) strict, without rowid;

-- Entries that the command side looks up: "the pizzerias of this owner".
create table links (
    kind text not null,
    key blob not null,
    stream_id blob not null,
    constraint links_by_key primary key (kind, key, stream_id)
) strict, without rowid;

-- How far a reader that reacts to events has come.
create table policy_checkpoints (
    policy text not null,
    partition integer not null,
    position integer not null,
    constraint policy_checkpoints_by_policy primary key (policy, partition)
) strict, without rowid;

-- Events that a policy could not deal with, kept for an operator.
create table policy_parked (
    policy text not null,
    partition integer not null,
    position integer not null,
    reason text not null,
    parked_at text not null,
    constraint policy_parked_by_policy primary key (policy, partition, position)
) strict, without rowid;

-- Who may work on what, until when. The epoch rises whenever the owner changes.
create table leases (
    name text primary key not null,
    owner blob not null,
    epoch integer not null,
    expires_at integer not null
) strict, without rowid;
