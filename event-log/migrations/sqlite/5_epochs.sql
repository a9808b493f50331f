-- Where each epoch but the first begins: behind this position. A restore from a backup begins one.
create table epochs (
    epoch integer not null,
    partition integer not null,
    start integer not null,
    constraint epochs_by_number primary key (epoch, partition)
) strict, without rowid;
