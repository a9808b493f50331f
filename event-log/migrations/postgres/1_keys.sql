-- A key for each person, sealed with a key-encryption key.
create table data_keys (
    subject uuid primary key,
    sealed bytea not null,
    made_at timestamptz not null
);

-- Whose key was destroyed: none is made for them again.
create table erased_subjects (
    subject uuid primary key,
    erased_at timestamptz not null
);
