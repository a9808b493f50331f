-- Where each epoch but the first begins: behind this position. A restore from a backup begins one.
create table epochs (
    epoch bigint not null,
    partition int not null,
    start bigint not null,
    constraint epochs_by_number primary key (epoch, partition)
);
