-- A key for each person, sealed with a key-encryption key.
create table data_keys (
    subject blob primary key not null,
    sealed blob not null,
    made_at text not null
) strict, without rowid;

-- Whose key was destroyed: none is made for them again.
create table erased_subjects (
    subject blob primary key not null,
    erased_at text not null
) strict, without rowid;
