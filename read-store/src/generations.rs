//! Tables by generation.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use database::{Either, Transaction, on};
use event_log::Epochs;
use sqlx::AssertSqlSafe;

use crate::{Partition, ReadError, ReadStore, View, views};

/// How long which generations are live is taken for granted.
const REMEMBERED: Duration = Duration::from_secs(1);

/// The statements that make a table, with its name in braces.
#[derive(Clone, Debug)]
pub struct Definition {
    /// For SQLite.
    pub sqlite: String,
    /// For Postgres.
    pub postgres: String,
    /// For either: indexes that only readers need. What is filled in bulk gets them in the end; made again, they stay as they are.
    pub indexes: Vec<String>,
}

/// Which generation of each view is read; taken once for a whole request.
#[derive(Debug)]
pub struct Live {
    /// The log's epoch that their rows are of.
    pub epoch: u32,
    generations: BTreeMap<&'static str, i64>,
    /// Statements, expanded once.
    expanded: RwLock<HashMap<&'static str, Arc<str>>>,
}

impl Live {
    /// The live generation of a view.
    #[must_use]
    pub fn generation(&self, view: &View) -> i64 {
        self.generations[view.name]
    }

    /// A statement for these generations: `{pizzas}` becomes `pizzas_g1`. Nothing else is ever put into a statement.
    pub fn sql(&self, template: &'static str) -> AssertSqlSafe<Arc<str>> {
        if let Some(known) = self.expanded.read().expect("no panic while it is held").get(template) {
            return AssertSqlSafe(known.clone());
        }
        let mut sql = template.to_owned();
        for view in views::ALL {
            sql = expand(&sql, view, self.generation(view));
        }
        let sql: Arc<str> = sql.into();
        self.expanded.write().expect("no panic while it is held").insert(template, sql.clone());
        AssertSqlSafe(sql)
    }
}

/// A statement for one generation of one view.
#[must_use]
pub fn expand(template: &str, view: &View, generation: i64) -> String {
    view.tables.iter().fold(template.to_owned(), |sql, table| sql.replace(&format!("{{{table}}}"), &format!("{table}_g{generation}")))
}

impl ReadStore {
    /// The generations to read now.
    ///
    /// # Errors
    /// A view has none yet, or the database failed.
    pub async fn live(&self) -> Result<Arc<Live>, ReadError> {
        let known = self.live.read().expect("no panic while it is held").clone();
        if let Some((read_at, live)) = &known
            && read_at.elapsed() < REMEMBERED
        {
            return Ok(live.clone());
        }
        let mut generations = BTreeMap::new();
        for view in views::ALL {
            let sql = "select generation from live_generations where projection = $1 and version = $2";
            let found =
                on!(&self.database.reader, |db| { sqlx::query_scalar(sql).bind(view.name).bind(view.version).fetch_optional(db).await? });
            generations.insert(view.name, found.ok_or(ReadError::NotBuilt(view.name))?);
        }
        let epoch = self.epoch().await?;
        let same = known.map(|(_, live)| live).filter(|live| live.epoch == epoch && live.generations == generations);
        let live = same.unwrap_or_else(|| Arc::new(Live { epoch, generations, expanded: RwLock::default() }));
        *self.live.write().expect("no panic while it is held") = Some((Instant::now(), live.clone()));
        Ok(live)
    }

    /// The log's epoch that the checkpoints are of.
    ///
    /// # Errors
    /// The database's own.
    pub async fn epoch(&self) -> Result<u32, sqlx::Error> {
        let sql = "select epoch from log_epoch";
        let epoch: i64 = on!(&self.database.reader, |db| sqlx::query_scalar(sql).fetch_one(db).await)?;
        u32::try_from(epoch).map_err(|e| sqlx::Error::Decode(e.into()))
    }

    /// If the log has begun an epoch since: generations that have folded more than the log still holds are no longer live, and are made anew by
    /// [`ReadStore::ensure`]. The answer is whose they were.
    ///
    /// # Errors
    /// The database's own.
    pub async fn follow_epochs(&self, log: &Epochs) -> Result<Vec<String>, sqlx::Error> {
        let Some(kept) = log.kept_since(self.epoch().await?) else { return Ok(vec![]) };
        let mut tx = self.database.begin().await?;
        if let Either::Postgres(tx) = &mut tx {
            sqlx::raw_sql("set local synchronous_commit = on").execute(&mut **tx).await?;
        }
        let mut ahead = vec![];
        for partition in Partition::all() {
            let sql = "delete from live_generations where exists (
                           select 1 from checkpoints c where c.projection = live_generations.projection
                             and c.generation = live_generations.generation and c.partition = $1 and c.position > $2)
                       returning projection";
            let kept = kept[partition.index()];
            let found: Vec<String> = on!(&mut tx, |db| sqlx::query_scalar(sql).bind(partition).bind(kept).fetch_all(&mut **db).await)?;
            ahead.extend(found);
            // These positions are given to other events.
            let given_up = "delete from skipped_events where partition = $1 and position > $2";
            on!(&mut tx, |db| sqlx::query(given_up).bind(partition).bind(kept).execute(&mut **db).await.map(drop))?;
        }
        let begun = "update log_epoch set epoch = $1";
        on!(&mut tx, |db| sqlx::query(begun).bind(i64::from(log.current())).execute(&mut **db).await.map(drop))?;
        tx.commit().await?;
        Ok(ahead)
    }

    /// The live generation of a view, made from `tables` where there is none of its version. A number is never used again.
    ///
    /// # Errors
    /// The database's own.
    pub async fn ensure(&self, view: &View, tables: &[Definition]) -> Result<i64, sqlx::Error> {
        let mut tx = self.database.begin().await?;
        if let Either::Postgres(tx) = &mut tx {
            // Of two processes that start at once one makes the tables, and the other finds them. On SQLite only one writes anyway.
            // A crash must not take the tables from those who write to them.
            let alone = "set local synchronous_commit = on; lock table generations in share row exclusive mode";
            sqlx::raw_sql(alone).execute(&mut **tx).await?;
        }
        let live = "select generation from live_generations where projection = $1 and version = $2";
        let found = on!(&mut tx, |db| sqlx::query_scalar(live).bind(view.name).bind(view.version).fetch_optional(&mut **db).await?);
        if let Some(found) = found {
            return Ok(found);
        }
        let generation = make(&mut tx, view, tables).await?;
        for index in tables.iter().flat_map(|table| &table.indexes) {
            let sql = AssertSqlSafe(expand(index, view, generation));
            on!(&mut tx, |db| sqlx::raw_sql(sql).execute(&mut **db).await.map(drop)?);
        }
        let point = "insert into live_generations (projection, version, generation) values ($1, $2, $3)";
        on!(&mut tx, |db| sqlx::query(point).bind(view.name).bind(view.version).bind(generation).execute(&mut **db).await.map(drop)?);
        tx.commit().await?;
        Ok(generation)
    }

    /// A new generation that is to be filled in bulk: without the indexes that only readers need.
    ///
    /// # Errors
    /// The database's own.
    pub async fn make_bare(&self, view: &View, tables: &[Definition]) -> Result<i64, sqlx::Error> {
        let mut tx = self.database.begin().await?;
        if let Either::Postgres(tx) = &mut tx {
            let alone = "set local synchronous_commit = on; lock table generations in share row exclusive mode";
            sqlx::raw_sql(alone).execute(&mut **tx).await?;
        }
        let generation = make(&mut tx, view, tables).await?;
        let building = "update generations set state = 'building' where projection = $1 and generation = $2";
        on!(&mut tx, |db| sqlx::query(building).bind(view.name).bind(generation).execute(&mut **db).await.map(drop)?);
        tx.commit().await?;
        Ok(generation)
    }
}

async fn make(db: &mut Transaction, view: &View, tables: &[Definition]) -> Result<i64, sqlx::Error> {
    let next = "select coalesce(max(generation), 0) + 1 from generations where projection = $1";
    let generation: i64 = on!(db, |db| sqlx::query_scalar(next).bind(view.name).fetch_one(&mut **db).await?);
    for table in tables {
        let sql = AssertSqlSafe(expand(db.pick(&table.sqlite, &table.postgres), view, generation));
        on!(db, |db| sqlx::raw_sql(sql).execute(&mut **db).await.map(drop)?);
    }
    let made = "insert into generations (projection, generation, version) values ($1, $2, $3)";
    on!(db, |db| sqlx::query(made).bind(view.name).bind(generation).bind(view.version).execute(&mut **db).await.map(drop)?);
    for partition in Partition::all() {
        let start = "insert into checkpoints (projection, generation, partition, position) values ($1, $2, $3, 0)";
        on!(db, |db| sqlx::query(start).bind(view.name).bind(generation).bind(partition).execute(&mut **db).await.map(drop)?);
    }
    Ok(generation)
}
