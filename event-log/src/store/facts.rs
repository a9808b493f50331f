//! What a batch needs to know, one statement a table. Lists of ids travel as JSON, on both databases.

use std::collections::BTreeSet;

use super::*;
use crate::{
    StreamRow,
    command_key::Key,
    judge::{Facts, Head, LinkKey, Linked, claims_of, keys_of, links_of, places_of, streams_of},
};

/// All but the heads.
pub async fn read(mut db: Connection<'_>, batch: &[Append]) -> Result<Facts, sqlx::Error> {
    let streams = streams(db.again(), streams_of(batch).into_iter()).await?;
    Ok(Facts {
        heads: std::collections::BTreeMap::new(),
        claims: claims(db.again(), claims_of(batch).into_iter()).await?,
        links: links(db.again(), batch).await?,
        keys: keys::rows(db.again(), keys_of(batch)).await?,
        places: places(db.again(), places_of(batch, &streams)).await?,
        streams,
    })
}

/// The heads, in ascending order; on Postgres they are locked.
pub async fn heads(db: Connection<'_>, partitions: &BTreeSet<Partition>) -> Result<Vec<(Partition, Head)>, sqlx::Error> {
    let numbers: Vec<u16> = partitions.iter().map(|partition| partition.number()).collect();
    let sql = db.pick(
        "select partition, position, recorded_at from heads where partition in (select value from json_each($1)) order by partition",
        "select partition, position, recorded_at from heads
         where partition = any (select jsonb_array_elements_text($1)::int) order by partition for update",
    );
    let rows: Vec<(Partition, Position, DateTime<Utc>)> = on!(db, |db| sqlx::query_as(sql).bind(Json(numbers)).fetch_all(db).await)?;
    Ok(rows.into_iter().map(|(partition, position, recorded_at)| (partition, Head { position, recorded_at })).collect())
}

/// The rows of those streams that exist.
pub async fn streams(db: Connection<'_>, ids: impl Iterator<Item = Uuid>) -> Rows<Uuid, StreamRow> {
    let ids: Vec<_> = ids.map(Uuid::simple).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = db.pick(
        "select s.stream_id, s.kind, s.partition, s.version from json_each($1) j join streams s on s.stream_id = unhex(j.value)",
        "select s.stream_id, s.kind, s.partition, s.version from jsonb_array_elements_text($1) j join streams s on s.stream_id = j::uuid",
    );
    let rows: Vec<(Uuid, String, Partition, Version)> = on!(db, |db| sqlx::query_as(sql).bind(Json(ids)).fetch_all(db).await)?;
    Ok(rows.into_iter().map(|(id, kind, partition, version)| (id, StreamRow { kind, partition, version })).collect())
}

/// The holders of those names that are taken.
pub async fn claims(db: Connection<'_>, names: impl Iterator<Item = Claim>) -> Rows<Claim, Uuid> {
    let names: Vec<_> = names.map(|Claim(bytes)| hex(&bytes)).collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = db.pick(
        "select c.claim, c.stream_id from json_each($1) j join claims c on c.claim = unhex(j.value)",
        "select c.claim, c.stream_id from jsonb_array_elements_text($1) j join claims c on c.claim = decode(j, 'hex')",
    );
    let rows: Vec<(Vec<u8>, Uuid)> = on!(db, |db| sqlx::query_as(sql).bind(Json(names)).fetch_all(db).await)?;
    rows.into_iter().map(|(claim, stream_id)| Ok((Claim(digest(claim)?), stream_id))).collect()
}

/// How many links there are under each key whose number matters, and which of the batch's streams are among them.
async fn links(mut db: Connection<'_>, batch: &[Append]) -> Rows<LinkKey, Linked> {
    let mut found = HashMap::new();
    for (kind, key) in links_of(batch) {
        let sql = "select count(*) from links where kind = $1 and key = $2";
        let count = on!(db.again(), |db| sqlx::query_scalar(sql).bind(kind).bind(key).fetch_one(db).await)?;
        let own = batch.iter().filter(|wish| wish.links.iter().any(|link| (link.kind, link.key) == (kind, key)));
        let own: Vec<_> = own.map(|wish| wish.stream_id.simple()).collect();
        let mut there = vec![];
        if !own.is_empty() {
            let sql = db.pick(
                "select stream_id from links where kind = $1 and key = $2 and stream_id in (select unhex(value) from json_each($3))",
                "select stream_id from links
                 where kind = $1 and key = $2 and stream_id in (select value::uuid from jsonb_array_elements_text($3))",
            );
            there = on!(db.again(), |db| sqlx::query_scalar(sql).bind(kind).bind(key).bind(Json(own)).fetch_all(db).await)?;
        }
        found.insert((kind, key), Linked::new(count, there));
    }
    Ok(found)
}

/// The ids and positions of the events at some places.
async fn places(db: Connection<'_>, places: BTreeSet<(Uuid, Version)>) -> Rows<(Uuid, Version), (Uuid, Position)> {
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let places: Vec<_> = places.into_iter().map(|(stream_id, version)| (stream_id.simple(), version)).collect();
    let sql = db.pick(
        "select e.stream_id, e.version, e.event_id, e.position from json_each($1) j
         join events e on e.stream_id = unhex(j.value->>0) and e.version = j.value->>1",
        "select e.stream_id, e.version, e.event_id, e.position from jsonb_array_elements($1) j
         join events e on e.stream_id = (j->>0)::uuid and e.version = (j->>1)::bigint",
    );
    let rows: Vec<(Uuid, Version, Uuid, Position)> = on!(db, |db| sqlx::query_as(sql).bind(Json(places)).fetch_all(db).await)?;
    Ok(rows.into_iter().map(|(stream_id, version, event_id, position)| ((stream_id, version), (event_id, position))).collect())
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn digest(bytes: Vec<u8>) -> Result<[u8; 32], sqlx::Error> {
    bytes.try_into().map_err(|_| sqlx::Error::Decode("an HMAC is not 32 bytes long".into()))
}

pub fn key(bytes: Vec<u8>) -> Result<Key, sqlx::Error> {
    digest(bytes).map(Key)
}
