-- Credentials and sessions. No row here is named by a person's name; secrets are stored as hashes only.
create table credentials (
    credential_id blob primary key not null,
    subject blob not null,
    hash text not null,
    created_at text not null
) strict, without rowid;

create index credentials_by_subject on credentials (subject);

create table sessions (
    session_id blob primary key not null,
    subject blob not null,
    secret_hash blob not null,
    started_at text not null,
    expires_at text not null
) strict, without rowid;

create index sessions_by_subject on sessions (subject);
