//! What becomes of parked events.

use chrono::Utc;
use database::{Either, Transaction, on};
use sqlx::types::Json;
use uuid::Uuid;

use super::{ParkedEvent, Place};

/// Holds the checkpoint of a place until the transaction ends: whoever folds there, or changes what is parked there, waits. What is done
/// then is done for good: an operator is told so.
///
/// # Errors
/// The database's own, as for all functions here.
pub async fn hold(db: &mut Transaction, at: Place<'_>) -> Result<(), sqlx::Error> {
    // On SQLite whoever may write is alone.
    if let Either::Postgres(db) = db {
        sqlx::raw_sql("set local synchronous_commit = on").execute(&mut **db).await?;
        let sql = "select from checkpoints where projection = $1 and generation = $2 and partition = $3 for update";
        sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition).execute(&mut **db).await?;
    }
    Ok(())
}

/// $1: the view, $2: the generation, $3: the partition, $4: the events, $5: when.
macro_rules! park {
    ($events:literal) => {
        concat!(
            "insert into parked_events (projection, generation, partition, position, stream_id, subject_id, type, reason, parked_at) ",
            "select $1, $2, $3, ",
            $events
        )
    };
}

/// Parks events.
///
/// # Errors
/// The database's own, as for all functions here.
pub async fn park(db: &mut Transaction, at: Place<'_>, events: &[ParkedEvent]) -> Result<(), sqlx::Error> {
    if events.is_empty() {
        return Ok(());
    }
    let sql = db.pick(
        park!(
            "value->>'position', unhex(value->>'stream_id', '-'), unhex(value->>'subject_id', '-'), value->>'type', value->>'reason', $5
            from json_each($4)"
        ),
        park!(
            "position, stream_id, subject_id, type, reason, $5
            from jsonb_to_recordset($4) as given (position bigint, stream_id uuid, subject_id uuid, type text, reason text)"
        ),
    );
    on!(&mut *db, |db| {
        let query = sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition);
        query.bind(Json(events)).bind(Utc::now().timestamp()).execute(&mut **db).await?;
    });
    count(db, at, events.len() as i64).await
}

/// Forgets what is parked of a person, and of a stream, before a position.
///
/// # Errors
/// The database's own.
pub async fn discard(db: &mut Transaction, at: Place<'_>, subject: Option<Uuid>, stream: Uuid, before: i64) -> Result<(), sqlx::Error> {
    let sql = "delete from parked_events where projection = $1 and generation = $2 and partition = $3
                 and position < $4 and (stream_id = $5 or subject_id = $6)";
    let gone = on!(&mut *db, |db| {
        let query = sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition);
        query.bind(before).bind(stream).bind(subject).execute(&mut **db).await?.rows_affected()
    });
    count(db, at, -(gone as i64)).await
}

/// Takes some away: they are folded, or given up.
///
/// # Errors
/// The database's own.
pub async fn release(db: &mut Transaction, at: Place<'_>, positions: &[i64]) -> Result<(), sqlx::Error> {
    let sql = db.pick(
        "delete from parked_events where projection = $1 and generation = $2 and partition = $3
           and position in (select value from json_each($4))",
        "delete from parked_events where projection = $1 and generation = $2 and partition = $3
           and position in (select value::bigint from jsonb_array_elements($4))",
    );
    let gone = on!(&mut *db, |db| {
        let query = sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition).bind(Json(positions));
        query.execute(&mut **db).await?.rows_affected()
    });
    count(db, at, -(gone as i64)).await
}

/// Says why one cannot be folded.
///
/// # Errors
/// The database's own.
pub async fn blame(db: &mut Transaction, at: Place<'_>, position: i64, reason: &str) -> Result<(), sqlx::Error> {
    let sql = "update parked_events set reason = $5 where projection = $1 and generation = $2 and partition = $3 and position = $4";
    on!(db, |db| {
        let query = sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition);
        query.bind(position).bind(reason).execute(&mut **db).await.map(drop)
    })
}

async fn count(db: &mut Transaction, at: Place<'_>, by: i64) -> Result<(), sqlx::Error> {
    if by == 0 {
        return Ok(());
    }
    let sql = "update checkpoints set parked = parked + $4 where projection = $1 and generation = $2 and partition = $3";
    on!(db, |db| {
        let query = sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition).bind(by);
        query.execute(&mut **db).await.map(drop)
    })
}
