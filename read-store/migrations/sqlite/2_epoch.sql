-- The log's epoch that the checkpoints are of.
create table log_epoch (
    epoch integer not null
) strict;
insert into log_epoch (epoch) values (1);
