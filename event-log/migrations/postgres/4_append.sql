drop function if exists append_if;
drop function if exists write_batch;

-- Writes what was decided. Arrays that begin with the same letter are columns of one table, taken apart by subscripts: that is several
-- times cheaper than unnest. Places are offsets from the heads; the answer is where each head's events begin, and their time.
--
-- x: the streams as the caller assumes them. Heads are locked first, in ascending order, and the streams are looked at second, by a
--    statement of its own and so by a snapshot that is younger than the locks. When one is otherwise, nothing is written and null answered:
--    the caller then reads the facts and decides again. x_stream is null when it has done so, under the locks of this very transaction.
-- h: heads, and how many events each gets; e: events; n: new streams; m: streams that have moved.
-- rare: what few batches have, as JSON, null when there is none of it: claims, links and command keys.
--
-- A stream, a name or a key that a writer of another partition took meanwhile breaks a primary key, and with it the whole transaction:
-- nothing is overwritten.
create function append_batch(
    x_stream uuid[], x_kind text[], x_partition int[], x_version bigint[], x_event uuid[],
    h_partition int[], h_events bigint[],
    e_head int[], e_offset bigint[], e_id uuid[], e_stream uuid[], e_version bigint[],
    e_type text[], e_schema int[], e_payload text[], e_metadata text[],
    n_stream uuid[], n_kind text[], n_partition int[], n_version bigint[],
    m_stream uuid[], m_version bigint[],
    rare jsonb,
    out bases bigint[], out times timestamptz[]
) language plpgsql as $$
#variable_conflict use_column
begin
    with moved as (
        update heads h
        set position = h.position + h_events[i],
            recorded_at = case when h_events[i] > 0 then greatest(h.recorded_at, clock_timestamp()) else h.recorded_at end
        from generate_series(1, cardinality(h_partition)) i
        where h.partition = h_partition[i]
        returning i, h.position - h_events[i] as base, h.recorded_at
    )
    select array_agg(m.base order by m.i), array_agg(m.recorded_at order by m.i) into bases, times from moved m;

    if x_stream is not null and (exists (
        select from generate_series(1, cardinality(x_stream)) i
        left join streams s on s.stream_id = x_stream[i]
        where coalesce(s.version, 0) <> x_version[i]
           or (s.stream_id is not null and x_kind[i] is not null and (s.kind <> x_kind[i] or s.partition <> x_partition[i]))
           or (x_event[i] is not null and not exists (
                   select from events e where e.stream_id = x_stream[i] and e.version = x_version[i] and e.event_id = x_event[i]))
    ) or (rare is not null and not is_as_assumed(rare))) then
        update heads h set position = bases[i]
        from generate_series(1, cardinality(h_partition)) i where h.partition = h_partition[i];
        bases := null;
        return;
    end if;

    insert into events (partition, position, event_id, stream_id, version, type, schema_version, payload, metadata, recorded_at)
    select h_partition[e_head[i]], bases[e_head[i]] + e_offset[i], e_id[i], e_stream[i], e_version[i],
           e_type[i], e_schema[i], e_payload[i], e_metadata[i]::json, times[e_head[i]]
    from generate_series(1, cardinality(e_id)) i;

    if cardinality(n_stream) > 0 then
        insert into streams (stream_id, kind, partition, version)
        select n_stream[i], n_kind[i], n_partition[i], n_version[i] from generate_series(1, cardinality(n_stream)) i;
    end if;
    if cardinality(m_stream) > 0 then
        update streams s set version = m_version[i] from generate_series(1, cardinality(m_stream)) i where s.stream_id = m_stream[i];
    end if;
    if rare is not null then
        perform write_rare(rare, h_partition, bases);
    end if;
end
$$;

-- Whether names are held, links are as few and keys are as new as the caller assumes.
create function is_as_assumed(rare jsonb) returns boolean language plpgsql as $$
begin
    return not exists (
        select from jsonb_to_recordset(rare -> 'held') x(claim bytea, stream_id uuid)
        left join claims c on c.claim = x.claim
        where c.stream_id is distinct from x.stream_id
    ) and not exists (
        select from jsonb_to_recordset(rare -> 'most') x(kind text, key uuid, links bigint)
        where (select count(*) from links l where l.kind = x.kind and l.key = x.key) > x.links
    ) and not exists (
        select from jsonb_to_recordset(rare -> 'keys') x(command_key bytea)
        join command_keys k on k.command_key = x.command_key
    );
end
$$;

create function write_rare(rare jsonb, h_partition int[], bases bigint[]) returns void language plpgsql as $$
begin
    delete from claims c using jsonb_to_recordset(rare -> 'freed') x(claim bytea) where c.claim = x.claim;
    insert into claims (claim, stream_id)
    select x.claim, x.stream_id from jsonb_to_recordset(rare -> 'taken') x(claim bytea, stream_id uuid) order by x.claim;

    delete from links l using jsonb_to_recordset(rare -> 'links') x(kind text, key uuid, stream_id uuid, present boolean)
    where not x.present and l.kind = x.kind and l.key = x.key and l.stream_id = x.stream_id;
    insert into links (kind, key, stream_id)
    select x.kind, x.key, x.stream_id from jsonb_to_recordset(rare -> 'links') x(kind text, key uuid, stream_id uuid, present boolean)
    where x.present on conflict do nothing;

    delete from command_keys k using jsonb_to_recordset(rare -> 'keys') x(command_key bytea)
    where k.command_key = x.command_key and k.expires_at <= extract(epoch from clock_timestamp());
    insert into command_keys (command_key, fingerprint, stream_id, partition, expected, version, position, expires_at)
    select x.command_key, x.fingerprint, x.stream_id, h_partition[x.head], x.expected, x.version, bases[x.head] + x.place, x.expires_at
    from jsonb_to_recordset(rare -> 'keys') x(
        command_key bytea, fingerprint bytea, stream_id uuid, head int, expected bigint, version bigint, place bigint, expires_at bigint)
    order by x.command_key;
end
$$;
