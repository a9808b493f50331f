-- What projector and query-api agree on; the tables of the views themselves are made by generation.
create table generations (
    projection text collate "C" not null,
    generation bigint not null,
    version bigint not null,
    constraint generations_by_number primary key (projection, generation)
);

-- Which generation is read: one a projection and version.
create table live_generations (
    projection text collate "C" not null,
    version bigint not null,
    generation bigint not null,
    constraint live_generations_by_version primary key (projection, version)
);

create table checkpoints (
    projection text collate "C" not null,
    generation bigint not null,
    partition integer not null,
    position bigint not null,
    constraint checkpoints_by_partition primary key (projection, generation, partition)
);
