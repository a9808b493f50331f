-- Writes what was decided, within the transaction that holds the heads' locks. Places are offsets from the heads; the answer is where
-- each partition's events begin, and their time. A stream, a name or a key that a writer of another partition took meanwhile breaks a
-- primary key, and with it the whole transaction: nothing is overwritten.
create function write_batch(
    h_partition int[], h_events bigint[],
    e_partition int[], e_offset bigint[], e_id uuid[], e_stream uuid[], e_version bigint[],
    e_type text[], e_schema int[], e_payload text[], e_metadata text[],
    s_id uuid[], s_kind text[], s_partition int[], s_version bigint[], s_is_new boolean[],
    c_freed bytea[], c_taken bytea[], c_holder uuid[],
    l_kind text[], l_key uuid[], l_stream uuid[], l_present boolean[],
    k_key bytea[], k_fingerprint bytea[], k_stream uuid[], k_partition int[],
    k_expected bigint[], k_version bigint[], k_offset bigint[], k_expires bigint[]
) returns table (partition int, base bigint, recorded_at timestamptz) language plpgsql as $$
#variable_conflict use_column
declare
    ps int[];
    bases bigint[];
    times timestamptz[];
begin
    with moved as (
        update heads h
        set position = h.position + t.events,
            recorded_at = case when t.events > 0 then greatest(h.recorded_at, clock_timestamp()) else h.recorded_at end
        from unnest(h_partition, h_events) t(partition, events)
        where h.partition = t.partition
        returning h.partition, h.position - t.events as base, h.recorded_at
    )
    select array_agg(m.partition), array_agg(m.base), array_agg(m.recorded_at) into ps, bases, times from moved m;

    insert into events (partition, position, event_id, stream_id, version, type, schema_version, payload, metadata, recorded_at)
    select e.partition, h.base + e.place, e.id, e.stream_id, e.version, e.type, e.schema_version, e.payload, e.metadata::json, h.at
    from unnest(e_partition, e_offset, e_id, e_stream, e_version, e_type, e_schema, e_payload, e_metadata)
           e(partition, place, id, stream_id, version, type, schema_version, payload, metadata)
    join unnest(ps, bases, times) h(partition, base, at) on h.partition = e.partition;

    update streams s set version = t.version
    from unnest(s_id, s_version, s_is_new) t(id, version, is_new)
    where not t.is_new and s.stream_id = t.id;

    insert into streams (stream_id, kind, partition, version)
    select t.id, t.kind, t.partition, t.version
    from unnest(s_id, s_kind, s_partition, s_version, s_is_new) t(id, kind, partition, version, is_new)
    where t.is_new;

    if cardinality(c_freed) > 0 then
        delete from claims where claim = any (c_freed);
    end if;
    if cardinality(c_taken) > 0 then
        insert into claims (claim, stream_id) select t.claim, t.holder from unnest(c_taken, c_holder) t(claim, holder) order by t.claim;
    end if;
    if cardinality(l_key) > 0 then
        delete from links l using unnest(l_kind, l_key, l_stream, l_present) t(kind, key, stream_id, present)
        where not t.present and l.kind = t.kind and l.key = t.key and l.stream_id = t.stream_id;
        insert into links (kind, key, stream_id)
        select t.kind, t.key, t.stream_id from unnest(l_kind, l_key, l_stream, l_present) t(kind, key, stream_id, present)
        where t.present on conflict do nothing;
    end if;
    if cardinality(k_key) > 0 then
        delete from command_keys where command_key = any (k_key) and expires_at <= extract(epoch from clock_timestamp());
        insert into command_keys (command_key, fingerprint, stream_id, partition, expected, version, position, expires_at)
        select k.key, k.fingerprint, k.stream_id, k.partition, k.expected, k.version, h.base + k.place, k.expires_at
        from unnest(k_key, k_fingerprint, k_stream, k_partition, k_expected, k_version, k_offset, k_expires)
               k(key, fingerprint, stream_id, partition, expected, version, place, expires_at)
        join unnest(ps, bases) h(partition, base) on h.partition = k.partition
        order by k.key;
    end if;
    return query select h.partition, h.base, h.at from unnest(ps, bases, times) h(partition, base, at);
end
$$;

-- The same in one call, when the facts are as the caller assumes (the arrays that begin with x_): heads are locked first, in ascending
-- order, and the facts are looked at second, by a statement of its own and so by a snapshot that is younger than the locks. When a fact
-- is otherwise, nothing is written and no row answered: the caller then reads the facts and decides again.
create function append_if(
    x_stream uuid[], x_kind text[], x_partition int[], x_version bigint[], x_event uuid[],
    x_claim bytea[], x_holder uuid[],
    x_link_kind text[], x_link_key uuid[], x_most bigint[],
    h_partition int[], h_events bigint[],
    e_partition int[], e_offset bigint[], e_id uuid[], e_stream uuid[], e_version bigint[],
    e_type text[], e_schema int[], e_payload text[], e_metadata text[],
    s_id uuid[], s_kind text[], s_partition int[], s_version bigint[], s_is_new boolean[],
    c_freed bytea[], c_taken bytea[], c_holder uuid[],
    l_kind text[], l_key uuid[], l_stream uuid[], l_present boolean[],
    k_key bytea[], k_fingerprint bytea[], k_stream uuid[], k_partition int[],
    k_expected bigint[], k_version bigint[], k_offset bigint[], k_expires bigint[]
) returns table (partition int, base bigint, recorded_at timestamptz) language plpgsql as $$
#variable_conflict use_column
begin
    perform 1 from heads h where h.partition = any (h_partition) order by h.partition for update;

    if exists (
        select from unnest(x_stream, x_kind, x_partition, x_version, x_event) x(id, kind, partition, version, event_id)
        left join streams s on s.stream_id = x.id
        where coalesce(s.version, 0) <> x.version
           or (s.stream_id is not null and x.kind is not null and (s.kind <> x.kind or s.partition <> x.partition))
           or (x.event_id is not null and not exists (
                   select from events e where e.stream_id = x.id and e.version = x.version and e.event_id = x.event_id))
    ) then
        return;
    end if;
    if cardinality(x_claim) > 0 and exists (
        select from unnest(x_claim, x_holder) x(claim, holder)
        left join claims c on c.claim = x.claim
        where c.stream_id is distinct from x.holder
    ) then
        return;
    end if;
    if cardinality(x_link_key) > 0 and exists (
        select from unnest(x_link_kind, x_link_key, x_most) x(kind, key, most)
        where (select count(*) from links l where l.kind = x.kind and l.key = x.key) > x.most
    ) then
        return;
    end if;
    if cardinality(k_key) > 0 and exists (select from command_keys k where k.command_key = any (k_key)) then
        return;
    end if;
    return query select * from write_batch(
        h_partition, h_events,
        e_partition, e_offset, e_id, e_stream, e_version, e_type, e_schema, e_payload, e_metadata,
        s_id, s_kind, s_partition, s_version, s_is_new,
        c_freed, c_taken, c_holder,
        l_kind, l_key, l_stream, l_present,
        k_key, k_fingerprint, k_stream, k_partition, k_expected, k_version, k_offset, k_expires
    );
end
$$;
