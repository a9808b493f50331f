-- What operators have changed, written down before it is done.
create table operator_actions (
    action_id uuid primary key,
    at timestamptz not null,
    operator text not null,
    action text not null,
    details json not null,
    address text
);
