-- What projector and query-api agree on; the tables of the views themselves are made by generation.
create table generations (
    projection text not null,
    generation integer not null,
    version integer not null,
    constraint generations_by_number primary key (projection, generation)
) strict, without rowid;

-- Which generation is read: one a projection and version.
create table live_generations (
    projection text not null,
    version integer not null,
    generation integer not null,
    constraint live_generations_by_version primary key (projection, version)
) strict, without rowid;

create table checkpoints (
    projection text not null,
    generation integer not null,
    partition integer not null,
    position integer not null,
    constraint checkpoints_by_partition primary key (projection, generation, partition)
) strict, without rowid;
