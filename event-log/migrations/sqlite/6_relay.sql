-- How far a topic of Kafka is known to hold the log, without a gap.
create table relay_positions (
    topic text not null,
    partition integer not null,
    position integer not null,
    constraint relay_positions_by_topic primary key (topic, partition)
) strict, without rowid;
