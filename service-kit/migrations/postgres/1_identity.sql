-- Credentials and sessions. No row here is named by a person's name; secrets are stored as hashes only.
create table credentials (
    credential_id uuid primary key,
    subject uuid not null,
    hash text not null,
    created_at timestamptz not null
);

create index credentials_by_subject on credentials (subject);

create table sessions (
    session_id uuid primary key,
    subject uuid not null,
    secret_hash bytea not null,
    started_at timestamptz not null,
    expires_at timestamptz not null
);

create index sessions_by_subject on sessions (subject);
