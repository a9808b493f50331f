//! How far each generation has come, and waiting for it.

use std::{collections::HashMap, time::Duration};

use serde_json::json;
use sqlx::{SqliteConnection, types::Json};

use crate::{Live, PARTITIONS, Partition, ReadError, ReadStore, View};

/// A position for each partition.
pub type Positions = [i64; PARTITIONS as usize];

/// How far each (view, generation) has come, as far as this process knows.
pub type Progress = HashMap<(String, i64), Positions>;

/// How often the database is asked while somebody waits: it is enough by itself, when the projector is another process.
const POLL: Duration = Duration::from_millis(20);

/// Moves the checkpoints of some generations from one position to another, all or none. Done first in a fold's
/// transaction: of two workers on one partition the slower one writes nothing.
///
/// # Errors
/// The database's own.
pub async fn advance(
    db: &mut SqliteConnection,
    generations: &[(&'static str, i64)],
    partition: Partition,
    from: i64,
    to: i64,
) -> Result<bool, sqlx::Error> {
    let names: Vec<_> = generations.iter().map(|(view, generation)| json!([view, generation])).collect();
    let sql = "update checkpoints set position = $3 where partition = $1 and position = $2
               and (projection, generation) in (select value->>0, value->>1 from json_each($4))";
    let moved = sqlx::query(sql).bind(partition).bind(from).bind(to).bind(Json(names)).execute(db).await?;
    Ok(moved.rows_affected() == generations.len() as u64)
}

impl ReadStore {
    /// All checkpoints, as the database has them.
    ///
    /// # Errors
    /// The database's own.
    pub async fn checkpoints(&self) -> Result<Progress, sqlx::Error> {
        let sql = "select projection, generation, partition, position from checkpoints";
        let rows: Vec<(String, i64, Partition, i64)> = sqlx::query_as(sql).fetch_all(&self.database.reader).await?;
        let mut progress = Progress::new();
        for (view, generation, partition, position) in rows {
            progress.entry((view, generation)).or_insert([0; PARTITIONS as usize])[partition.index()] = position;
        }
        Ok(progress)
    }

    /// Tells those who wait in this process that rows up to `position` are there.
    pub fn folded(&self, generations: &[(&'static str, i64)], partition: Partition, position: i64) {
        self.progress.send_modify(|progress| {
            for (view, generation) in generations {
                let positions = progress.entry(((*view).to_owned(), *generation)).or_insert([0; PARTITIONS as usize]);
                positions[partition.index()] = position.max(positions[partition.index()]);
            }
        });
    }

    /// Looks for what a projector in another process has folded while somebody waits, for ever: run it in a task of its own.
    pub async fn follow(&self) {
        loop {
            tokio::time::sleep(POLL).await;
            if self.progress.receiver_count() == 0 {
                continue;
            }
            match self.checkpoints().await {
                Ok(found) => self.progress.send_modify(|progress| {
                    for (key, found) in found {
                        let known = progress.entry(key).or_insert([0; PARTITIONS as usize]);
                        for (known, found) in known.iter_mut().zip(found) {
                            *known = found.max(*known);
                        }
                    }
                }),
                Err(error) => tracing::warn!(%error, "the checkpoints cannot be read"),
            }
        }
    }

    /// Waits until the live generations of `views` include each (partition, position). No connection is held meanwhile.
    ///
    /// # Errors
    /// They do not, after `limit`.
    pub async fn wait(&self, live: &Live, views: &[&View], places: &[(u16, i64)], limit: Duration) -> Result<(), ReadError> {
        if places.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = views.iter().map(|view| (view.name.to_owned(), live.generation(view))).collect();
        let missing = |progress: &Progress| {
            let reached = |key, partition: u16| progress.get(key).map_or(0, |positions| positions[usize::from(partition)]);
            let lags = keys.iter().flat_map(|key| places.iter().map(move |&(partition, position)| (key, partition, position)));
            lags.map(|(key, partition, position)| (partition, position - reached(key, partition))).max_by_key(|(_, lag)| *lag)
        };
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| missing(progress).is_none_or(|(_, lag)| lag <= 0));
        if matches!(tokio::time::timeout(limit, reached).await, Ok(Ok(_))) {
            return Ok(());
        }
        match missing(&progress.borrow()) {
            Some((partition, lag)) if lag > 0 => Err(ReadError::Behind { partition, lag }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use database::StoreUrl;

    use super::*;
    use crate::views;

    async fn store() -> (tempfile::TempDir, ReadStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = ReadStore::open(&StoreUrl::file(folder.path().join("read.db"))).await.unwrap();
        for view in views::ALL {
            let table = format!("create table {{{}}} (id blob primary key not null) strict", view.tables[0]);
            assert_eq!(store.ensure(view, &[table]).await.unwrap(), 1);
        }
        (folder, store)
    }

    #[tokio::test]
    async fn statements_are_for_the_live_generation_and_a_view_is_built_once() {
        let (_folder, store) = store().await;
        assert_eq!(store.ensure(&views::PIZZAS, &[]).await.unwrap(), 1);
        let live = store.live().await.unwrap();
        let sql = live.sql("select count(*) from {pizzas} join {users} using (id)");
        assert_eq!(&*sql.0, "select count(*) from pizzas_g1 join users_g1 using (id)");
        assert_eq!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&store.database.reader).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn of_two_workers_one_moves_the_checkpoints_and_the_other_none() {
        let (_folder, store) = store().await;
        let generations = [("users", 1), ("pizzas", 1)];
        let partition = Partition::new(3).unwrap();
        let mut tx = store.database.begin().await.unwrap();
        assert!(advance(&mut tx, &generations, partition, 0, 7).await.unwrap());
        assert!(!advance(&mut tx, &generations, partition, 0, 9).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(store.checkpoints().await.unwrap()[&("users".into(), 1)][3], 7);
    }

    #[tokio::test]
    async fn a_waiter_is_told_by_this_process_and_finds_out_about_others() {
        let (_folder, store) = store().await;
        let live = store.live().await.unwrap();
        let both = [&views::USERS, &views::PIZZAS];
        let wait = |place| store.wait(&live, &both, place, Duration::from_secs(10));
        let (waited, ()) = tokio::join!(wait(&[(3, 7)]), async {
            store.folded(&[("users", 1)], Partition::new(3).unwrap(), 7);
            store.folded(&[("pizzas", 1)], Partition::new(3).unwrap(), 8);
        });
        waited.unwrap();

        let mut tx = store.database.begin().await.unwrap();
        advance(&mut tx, &[("users", 1), ("pizzas", 1)], Partition::new(4).unwrap(), 0, 5).await.unwrap();
        tx.commit().await.unwrap();
        tokio::select! {
            waited = wait(&[(4, 5)]) => waited.unwrap(),
            () = store.follow() => unreachable!(),
        }
    }

    #[tokio::test]
    async fn rows_that_stay_behind_are_told_with_their_lag() {
        let (_folder, store) = store().await;
        let live = store.live().await.unwrap();
        let behind = store.wait(&live, &[&views::USERS], &[(0, 0), (5, 3)], Duration::ZERO).await;
        assert!(matches!(behind, Err(ReadError::Behind { partition: 5, lag: 3 })), "{behind:?}");
    }
}
