//! Two generations that stand at the same place, compared row by row in one snapshot.

use std::{collections::HashSet, time::Duration};

use database::{Either, Transaction, on};
use read_store::{
    Generation, Positions,
    jobs::{Difference, Outcome, Phase},
};
use uuid::Uuid;

use super::{JobError, desk::Desk};
use crate::table::Compared;

/// How long until it is looked again whether they stand at the same place.
const AGAIN: Duration = Duration::from_millis(10);

impl Desk<'_> {
    /// How `old` differs from `new`, once both have folded the same. Nobody is stopped for it.
    pub async fn compared(&self, new: &Generation, old: &Generation) -> Result<Outcome, JobError> {
        self.begin(Phase::Comparing, 0).await?;
        loop {
            let mut snapshot = self.runner.store.database.snapshot().await?;
            if self.positions(&mut snapshot, new).await? == self.positions(&mut snapshot, old).await? {
                // Asked for behind the snapshot: who is erased in it is known.
                let erased = self.runner.log.erased().await?.into_iter().collect();
                return self.compare(&mut snapshot, (new, old), &erased).await;
            }
            drop(snapshot);
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn compare(
        &self,
        snapshot: &mut Transaction,
        (new, old): (&Generation, &Generation),
        erased: &HashSet<Uuid>,
    ) -> Result<Outcome, JobError> {
        if let Either::Postgres(db) = snapshot {
            // What is set for looking a few rows up would look each of these up, too.
            let whole = "set local enable_seqscan = on; set local enable_hashjoin = on; set local enable_mergejoin = on;
                set local plan_cache_mode = auto; set local work_mem = '64MB'";
            sqlx::raw_sql(whole).execute(&mut **db).await?;
        }
        let mut outcome = Outcome::default();
        for table in self.projection.shapes() {
            let found: Compared = table.compare(snapshot, (new.generation, old.generation), erased).await?;
            outcome.rows += found.rows;
            outcome.left_out += found.left_out;
            outcome.differences.extend(found.difference);
        }
        outcome.differences.extend(self.parked_differently(snapshot, (new, old)).await?);
        Ok(outcome)
    }

    /// Which events one has parked and the other has not: told as a table, for so they are kept.
    async fn parked_differently(
        &self,
        snapshot: &mut Transaction,
        (new, old): (&Generation, &Generation),
    ) -> Result<Option<Difference>, JobError> {
        let new = self.parked(snapshot, new).await?;
        let old = self.parked(snapshot, old).await?;
        let (added, removed): (Vec<_>, Vec<_>) = (new.difference(&old).collect(), old.difference(&new).collect());
        if added.is_empty() && removed.is_empty() {
            return Ok(None);
        }
        let keys = added.iter().chain(&removed).take(10).map(|(partition, position)| format!("{partition},{position}")).collect();
        let (added, removed) = (added.len() as i64, removed.len() as i64);
        Ok(Some(Difference { table: "parked_events".into(), added, removed, changed: 0, keys }))
    }

    async fn parked(&self, snapshot: &mut Transaction, of: &Generation) -> Result<HashSet<(i64, i64)>, JobError> {
        let sql = "select cast(partition as bigint), position from parked_events where projection = $1 and generation = $2";
        let rows: Vec<(i64, i64)> =
            on!(snapshot, |db| sqlx::query_as(sql).bind(&of.projection).bind(of.generation).fetch_all(&mut **db).await)?;
        Ok(rows.into_iter().collect())
    }

    async fn positions(&self, snapshot: &mut Transaction, of: &Generation) -> Result<Positions, JobError> {
        Ok(read_store::swap::positions(snapshot, self.projection.view(), of.generation).await?)
    }
}
