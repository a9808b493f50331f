//! The keys of commands.

use std::collections::BTreeSet;

use super::{facts::hex, *};
use crate::{Remembered, command_key::Key, judge::KeyRow};

/// How many that have expired are forgotten at once.
const MOST: i64 = 1_000;

#[derive(sqlx::FromRow)]
struct Row {
    command_key: Vec<u8>,
    fingerprint: Vec<u8>,
    stream_id: Uuid,
    partition: Partition,
    expected: Version,
    version: Version,
    position: Position,
    expires_at: Option<i64>,
}

/// What is remembered of some keys.
pub async fn rows(db: Connection<'_>, wanted: BTreeSet<Key>) -> Rows<Key, KeyRow> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: Vec<_> = wanted.into_iter().map(|Key(bytes)| hex(&bytes)).collect();
    let sql = db.pick(
        "select k.* from json_each($1) j join command_keys k on k.command_key = unhex(j.value)",
        "select k.* from jsonb_array_elements_text($1) j join command_keys k on k.command_key = decode(j, 'hex')",
    );
    let rows: Vec<Row> = on!(db, |db| sqlx::query_as(sql).bind(Json(wanted)).fetch_all(db).await)?;
    rows.into_iter().map(Row::read).collect()
}

/// What is remembered of a key, unless it has expired.
pub async fn remembered(database: &Database, wanted: Key) -> Result<Option<KeyRow>, sqlx::Error> {
    let mut reader = database.reader.acquire().await?;
    let row = rows(reader.connection(), BTreeSet::from([wanted])).await?.remove(&wanted);
    Ok(row.filter(|row| row.expires_at.is_none_or(|at| at > now().timestamp())))
}

/// Forgets keys that have expired. Nothing is written when there are none.
pub async fn forget_old(database: &Database) -> Result<(), sqlx::Error> {
    let now = now().timestamp();
    let old = "select command_key from command_keys where expires_at <= $1 order by expires_at limit $2";
    let found: Vec<Vec<u8>> = on!(&database.reader, |db| sqlx::query_scalar(old).bind(now).bind(MOST).fetch_all(db).await)?;
    if found.is_empty() {
        return Ok(());
    }
    let sql = "delete from command_keys where command_key in
               (select command_key from command_keys where expires_at <= $1 order by expires_at limit $2)";
    on!(&database.writer, |db| sqlx::query(sql).bind(now).bind(MOST).execute(db).await.map(drop))
}

impl Row {
    fn read(self) -> Result<(Key, KeyRow), sqlx::Error> {
        let Self { stream_id, partition, expected, version, position, expires_at, .. } = self;
        let remembered = Remembered { stream_id, partition, expected, version, position };
        Ok((facts::key(self.command_key)?, KeyRow { fingerprint: facts::key(self.fingerprint)?, remembered, expires_at }))
    }
}
