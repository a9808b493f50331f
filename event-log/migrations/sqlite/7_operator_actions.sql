-- What operators have changed, written down before it is done.
create table operator_actions (
    action_id blob primary key not null,
    at text not null,
    operator text not null,
    action text not null,
    -- JSON.
    details text not null,
    address text
) strict, without rowid;
