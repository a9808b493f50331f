//! Which generation is live: changed by one row, while everybody reads and folds.

use chrono::Utc;
use database::{Either, Transaction, on};

use crate::{Partition, Positions, ReadStore, View, generations::live_generation};

/// What a swap came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The generation is live now, instead of another if there was one.
    Done {
        /// Which was live.
        from: Option<i64>,
    },
    /// It is live already.
    AlreadyLive,
    /// It is not there any more.
    Gone,
    /// It has not folded all that the live one has: somebody might see less than before.
    Behind,
    /// It has parked events that the live one has not.
    Parked(i64),
}

impl ReadStore {
    /// Makes a generation the live one. Whoever reads goes on with the one that it began with, and nobody waits for more than a batch that is
    /// being folded.
    ///
    /// # Errors
    /// The database's own.
    pub async fn swap(&self, view: &View, to: i64, force: bool) -> Result<Swap, sqlx::Error> {
        let mut tx = self.begin_making().await?;
        let from = live_generation(&mut tx, view).await?;
        if from == Some(to) {
            return Ok(Swap::AlreadyLive);
        }
        let there = "select 1 from generations where projection = $1 and generation = $2 and state = 'folded'";
        let there: Option<i32> = on!(&mut tx, |db| sqlx::query_scalar(there).bind(view.name).bind(to).fetch_optional(&mut **db).await)?;
        if there.is_none() {
            return Ok(Swap::Gone);
        }
        if let Some(from) = from {
            // The live one stands still from here on; the other only grows.
            let live = standing_still(&mut tx, view, from).await?;
            let new = positions(&mut tx, view, to).await?;
            if !(0..live.len()).all(|partition| new[partition] >= live[partition]) {
                return Ok(Swap::Behind);
            }
            let parked = parked_anew(&mut tx, view, (from, to)).await?;
            if parked > 0 && !force {
                return Ok(Swap::Parked(parked));
            }
        }
        flip(&mut tx, view, from, to).await?;
        tx.commit().await?;
        self.forget_live();
        Ok(Swap::Done { from })
    }

    /// The generation that was live before, if it is still folded.
    ///
    /// # Errors
    /// The database's own.
    pub async fn last_live(&self, view: &View) -> Result<Option<i64>, sqlx::Error> {
        let sql =
            "select generation from generations where projection = $1 and version = $2 and state = 'folded' and retired_at is not null
            order by retired_at desc, generation desc limit 1";
        on!(&self.database.reader, |db| sqlx::query_scalar(sql).bind(view.name).bind(view.version).fetch_optional(db).await)
    }
}

async fn flip(tx: &mut Transaction, view: &View, from: Option<i64>, to: i64) -> Result<(), sqlx::Error> {
    let point = "insert into live_generations (projection, version, generation) values ($1, $2, $3)
        on conflict (projection, version) do update set generation = excluded.generation";
    on!(tx, |db| sqlx::query(point).bind(view.name).bind(view.version).bind(to).execute(&mut **db).await.map(drop))?;
    // What an older version of the program reads is on its way out, too.
    let retire = "update generations set retired_at = case when generation = $3 then null else $5 end
        where projection = $1 and (generation = $3 or generation = $4 or (version < $2 and retired_at is null))";
    let now = Utc::now().timestamp();
    on!(tx, |db| {
        let query = sqlx::query(retire).bind(view.name).bind(view.version).bind(to).bind(from).bind(now);
        query.execute(&mut **db).await.map(drop)
    })
}

/// Positions of a generation that nobody moves before this transaction ends.
async fn standing_still(tx: &mut Transaction, view: &View, generation: i64) -> Result<Positions, sqlx::Error> {
    if let Either::Postgres(tx) = tx {
        let lock = "select 1 from checkpoints where projection = $1 and generation = $2 order by partition for update";
        sqlx::query(lock).bind(view.name).bind(generation).execute(&mut **tx).await?;
    }
    positions(tx, view, generation).await
}

/// How far a generation is in each partition.
///
/// # Errors
/// The database's own.
pub async fn positions(tx: &mut Transaction, view: &View, generation: i64) -> Result<Positions, sqlx::Error> {
    let sql = "select partition, position from checkpoints where projection = $1 and generation = $2";
    let rows: Vec<(Partition, i64)> = on!(tx, |db| sqlx::query_as(sql).bind(view.name).bind(generation).fetch_all(&mut **db).await)?;
    let mut positions = Positions::default();
    rows.into_iter().for_each(|(partition, position)| positions[partition.index()] = position);
    Ok(positions)
}

async fn parked_anew(tx: &mut Transaction, view: &View, (from, to): (i64, i64)) -> Result<i64, sqlx::Error> {
    let sql = "select count(*) from parked_events p where p.projection = $1 and p.generation = $3 and not exists (
        select 1 from parked_events o where o.projection = p.projection and o.generation = $2
          and o.partition = p.partition and o.position = p.position)";
    on!(tx, |db| sqlx::query_scalar(sql).bind(view.name).bind(from).bind(to).fetch_one(&mut **db).await)
}
