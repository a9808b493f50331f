//! What a batch needs to know, one statement a table.

use super::*;
use crate::judge::{Facts, Head, LinkKey, claims_of, links_of, streams_of};

pub async fn read(db: &mut SqliteConnection, batch: &[Append]) -> Result<Facts, sqlx::Error> {
    let heads: Vec<(Partition, Position, DateTime<Utc>)> =
        sqlx::query_as("select partition, position, recorded_at from heads").fetch_all(&mut *db).await?;
    Ok(Facts {
        heads: heads.into_iter().map(|(partition, position, recorded_at)| (partition, Head { position, recorded_at })).collect(),
        streams: streams(db, streams_of(batch).into_iter()).await?,
        claims: claims(db, claims_of(batch).into_iter()).await?,
        links: links(db, links_of(batch).into_iter()).await?,
    })
}

/// The rows of those streams that exist.
pub async fn streams(db: &mut SqliteConnection, ids: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, StreamRow>, sqlx::Error> {
    let ids: Vec<_> = ids.map(Uuid::simple).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "select s.stream_id, s.kind, s.partition, s.version
               from json_each($1) j join streams s on s.stream_id = unhex(j.value)";
    let rows: Vec<(Uuid, String, Partition, Version)> = sqlx::query_as(sql).bind(sqlx::types::Json(ids)).fetch_all(db).await?;
    Ok(rows.into_iter().map(|(id, kind, partition, version)| (id, StreamRow { kind, partition, version })).collect())
}

/// The holders of those names that are taken.
pub async fn claims(db: &mut SqliteConnection, names: impl Iterator<Item = Claim>) -> Result<HashMap<Claim, Uuid>, sqlx::Error> {
    let names: Vec<_> = names.map(|Claim(bytes)| hex(&bytes)).collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "select c.claim, c.stream_id from json_each($1) j join claims c on c.claim = unhex(j.value)";
    let rows: Vec<(Vec<u8>, Uuid)> = sqlx::query_as(sql).bind(sqlx::types::Json(names)).fetch_all(db).await?;
    rows.into_iter().map(|(claim, stream_id)| Ok((Claim(claim.try_into().map_err(|_| broken_claim())?), stream_id))).collect()
}

fn broken_claim() -> sqlx::Error {
    sqlx::Error::Decode("a claim is not 32 bytes long".into())
}

/// How many links there are under each key.
async fn links(db: &mut SqliteConnection, keys: impl Iterator<Item = LinkKey>) -> Result<HashMap<LinkKey, i64>, sqlx::Error> {
    let mut counts = HashMap::new();
    for (kind, key) in keys {
        let sql = "select count(*) from links where kind = $1 and key = $2";
        counts.insert((kind, key), sqlx::query_scalar(sql).bind(kind).bind(key).fetch_one(&mut *db).await?);
    }
    Ok(counts)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
