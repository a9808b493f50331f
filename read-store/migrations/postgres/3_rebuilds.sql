-- What a generation is for: 'building' (a job fills it, workers leave it alone), 'folded' (workers fold it: the live one, one that waits to be
-- swapped in, one that was live), 'copy' (as it was once: workers fold only deletions of users into it),
-- 'astray' (it has folded what the log, restored since, does not hold), 'gone' (its tables are dropped).
alter table generations add column state text not null default 'folded';
-- Seconds since 1970, as all times here: when it was last read by clients.
alter table generations add column retired_at bigint;
-- When a program of its version last said that it folds it.
alter table generations add column folded_at bigint;
-- A copy's name.
alter table generations add column name text;
-- JSON: its tables, without generation; null: those of its view.
alter table generations add column tables text;

-- How many events of the partition are parked; read together with the position by whoever moves it.
alter table checkpoints add column parked bigint not null default 0;

-- Events that a generation could not fold, and those of their streams behind them: by place, for the events are in the log.
create table parked_events (
    projection text collate "C" not null,
    generation bigint not null,
    partition integer not null,
    position bigint not null,
    stream_id uuid not null,
    subject_id uuid,
    type text not null,
    -- Null: only what is before it of its stream cannot be folded.
    reason text,
    parked_at bigint not null,
    constraint parked_events_by_place primary key (projection, generation, partition, position)
);
create index parked_events_by_stream on parked_events (stream_id);
create index parked_events_by_subject on parked_events (subject_id);

-- Events that an operator has given up on, for all generations of a version.
create table skipped_events (
    projection text collate "C" not null,
    version bigint not null,
    partition integer not null,
    position bigint not null,
    reason text not null,
    skipped_by text not null,
    skipped_at bigint not null,
    constraint skipped_events_by_place primary key (projection, version, partition, position)
);

-- What operators asked for that takes a while: rebuilds, verifications, copies; and generations for a new version.
create table jobs (
    id uuid primary key,
    kind text not null,
    projection text collate "C" not null,
    version bigint not null,
    -- 'running', 'paused', 'done', 'failed', 'aborted'.
    state text not null,
    -- 'pause' or 'abort', until whoever runs it has done so.
    wanted text,
    -- JSON: what was asked for, how far it is, what it came to.
    request text not null,
    progress text not null,
    outcome text,
    started_at bigint not null,
    changed_at bigint not null
);
-- One at a time for each projection and version.
create unique index jobs_open on jobs (projection, version) where state in ('running', 'paused');
