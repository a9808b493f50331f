-- How far a topic of Kafka is known to hold the log, without a gap.
create table relay_positions (
    topic text not null,
    partition int not null,
    position bigint not null,
    constraint relay_positions_by_topic primary key (topic, partition)
) with (fillfactor = 50);
