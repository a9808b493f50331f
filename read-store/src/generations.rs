//! Tables by generation: made, folded, and dropped.

use chrono::Utc;
use database::{Either, Transaction, on};
use event_log::Epochs;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{Partition, ReadStore, View, jobs, live::expand, views, working};

pub use crate::live::table_of;

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

/// What a generation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A job fills it, workers leave it alone.
    Building,
    /// Workers fold everything into it.
    Folded,
    /// The view as it was once: workers fold only deletions of users into it.
    Copy,
    /// It has folded what the log, restored since, does not hold.
    Astray,
    /// Its tables are dropped; its number is never used again.
    Gone,
}

impl Role {
    /// As it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Folded => "folded",
            Self::Copy => "copy",
            Self::Astray => "astray",
            Self::Gone => "gone",
        }
    }

    fn of(name: &str) -> Result<Self, sqlx::Error> {
        let all = [Self::Building, Self::Folded, Self::Copy, Self::Astray, Self::Gone];
        all.into_iter().find(|role| role.name() == name).ok_or_else(|| sqlx::Error::Decode(format!("a generation is {name}").into()))
    }
}

/// One generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its view's name.
    pub projection: String,
    /// Its number.
    pub generation: i64,
    /// The version of its fold.
    pub version: i64,
    /// What it is for.
    pub role: Role,
    /// Whether programs of its version read it.
    pub is_live: bool,
    /// When it ceased to be live, in seconds since 1970.
    pub retired_at: Option<i64>,
    /// When a program of its version last said that it folds it.
    pub folded_at: Option<i64>,
    /// A copy's name.
    pub name: Option<String>,
    /// Its tables, without generation.
    pub tables: Vec<String>,
}

type Row = (String, i64, i64, String, Option<i64>, Option<i64>, Option<i64>, Option<String>, Option<String>);

fn read((projection, generation, version, state, live, retired_at, folded_at, name, tables): Row) -> Result<Generation, sqlx::Error> {
    let tables = match tables {
        Some(tables) => serde_json::from_str(&tables).map_err(|e| sqlx::Error::Decode(e.into()))?,
        None => views::ALL.iter().filter(|view| view.name == projection).flat_map(|view| view.tables).map(|&table| table.into()).collect(),
    };
    let (role, is_live) = (Role::of(&state)?, live.is_some());
    Ok(Generation { projection, generation, version, role, is_live, retired_at, folded_at, name, tables })
}

impl ReadStore {
    /// All generations that have tables.
    ///
    /// # Errors
    /// The database's own.
    pub async fn generations(&self) -> Result<Vec<Generation>, sqlx::Error> {
        let sql = "select g.projection, g.generation, g.version, g.state, l.generation, g.retired_at, g.folded_at, g.name, g.tables
            from generations g
            left join live_generations l on l.projection = g.projection and l.version = g.version and l.generation = g.generation
            where g.state <> 'gone' order by g.projection, g.generation";
        let rows: Vec<Row> = on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)?;
        rows.into_iter().map(read).collect()
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

    /// If the log has begun an epoch since: generations that have folded more than the log still holds are not read and not folded any more. The
    /// answer is whose they were.
    ///
    /// # Errors
    /// The database's own.
    pub async fn follow_epochs(&self, log: &Epochs) -> Result<Vec<String>, sqlx::Error> {
        let Some(kept) = log.kept_since(self.epoch().await?) else { return Ok(vec![]) };
        let mut tx = self.begin_for_good().await?;
        for partition in Partition::all() {
            let sql = "update generations set state = 'astray' where state <> 'gone' and exists (
                           select 1 from checkpoints c where c.projection = generations.projection
                             and c.generation = generations.generation and c.partition = $1 and c.position > $2)";
            let kept = kept[partition.index()];
            on!(&mut tx, |db| sqlx::query(sql).bind(partition).bind(kept).execute(&mut **db).await.map(drop))?;
            // These positions are given to other events.
            let given_up = "delete from skipped_events where partition = $1 and position > $2";
            on!(&mut tx, |db| sqlx::query(given_up).bind(partition).bind(kept).execute(&mut **db).await.map(drop))?;
        }
        let unread = "delete from live_generations where exists (
                          select 1 from generations g where g.projection = live_generations.projection
                            and g.generation = live_generations.generation and g.state = 'astray')
                      returning projection";
        let ahead: Vec<String> = on!(&mut tx, |db| sqlx::query_scalar(unread).fetch_all(&mut **db).await)?;
        let begun = "update log_epoch set epoch = $1";
        on!(&mut tx, |db| sqlx::query(begun).bind(i64::from(log.current())).execute(&mut **db).await.map(drop))?;
        tx.commit().await?;
        self.forget_live();
        Ok(ahead)
    }

    /// The live generation of a view, if there is one of its version.
    ///
    /// # Errors
    /// The database's own.
    pub async fn live_generation(&self, view: &View) -> Result<Option<i64>, sqlx::Error> {
        let mut tx = self.database.snapshot().await?;
        live_generation(&mut tx, view).await
    }

    /// The live generation of a view, made from `tables` where there is none of its version. A number is never used again.
    ///
    /// # Errors
    /// The database's own.
    pub async fn ensure(&self, view: &View, tables: &[Definition]) -> Result<i64, sqlx::Error> {
        let mut tx = self.begin_making().await?;
        if let Some(found) = live_generation(&mut tx, view).await? {
            return Ok(found);
        }
        let generation = make(&mut tx, view, tables, Role::Folded).await?;
        for index in tables.iter().flat_map(|table| &table.indexes) {
            let sql = AssertSqlSafe(expand(index, view, generation));
            on!(&mut tx, |db| sqlx::raw_sql(sql).execute(&mut **db).await.map(drop)?);
        }
        let point = "insert into live_generations (projection, version, generation) values ($1, $2, $3)";
        on!(&mut tx, |db| sqlx::query(point).bind(view.name).bind(view.version).bind(generation).execute(&mut **db).await.map(drop))?;
        tx.commit().await?;
        self.forget_live();
        Ok(generation)
    }

    /// A new generation for a job to fill, which the job then knows of; without the indexes that only readers need.
    ///
    /// # Errors
    /// The database's own.
    pub async fn begin_building(
        &self,
        view: &View,
        tables: &[Definition],
        job: Uuid,
        told: impl FnOnce(i64) -> jobs::Progress + Send,
    ) -> Result<i64, sqlx::Error> {
        let mut tx = self.begin_making().await?;
        let generation = make(&mut tx, view, tables, Role::Building).await?;
        working::write_progress(&mut tx, job, &told(generation)).await?;
        tx.commit().await?;
        Ok(generation)
    }

    /// What a generation is for from now on.
    ///
    /// # Errors
    /// The database's own.
    pub async fn set_role(&self, view: &View, generation: i64, role: Role, name: Option<&str>) -> Result<(), sqlx::Error> {
        let mut tx = self.begin_for_good().await?;
        let sql = "update generations set state = $3, name = $4 where projection = $1 and generation = $2";
        let role = role.name();
        on!(&mut tx, |db| {
            let query = sqlx::query(sql).bind(view.name).bind(generation).bind(role).bind(name);
            query.execute(&mut **db).await.map(drop)
        })?;
        tx.commit().await
    }

    /// Says that a program of this version folds a view's generations.
    ///
    /// # Errors
    /// The database's own.
    pub async fn is_folding(&self, view: &View) -> Result<(), sqlx::Error> {
        let sql = "update generations set folded_at = $3 where projection = $1 and version = $2 and state <> 'gone'";
        let now = Utc::now().timestamp();
        let writer = &self.database.writer;
        on!(writer, |db| sqlx::query(sql).bind(view.name).bind(view.version).bind(now).execute(db).await.map(drop))
    }

    /// A transaction that a crash does not take back: others go by it at once.
    pub(crate) async fn begin_for_good(&self) -> Result<Transaction, sqlx::Error> {
        let mut tx = self.database.begin().await?;
        if let Either::Postgres(tx) = &mut tx {
            sqlx::raw_sql("set local synchronous_commit = on").execute(&mut **tx).await?;
        }
        Ok(tx)
    }

    /// Of two processes that make or drop tables or flip at once one does, and the other finds what it did. On SQLite only one writes anyway.
    pub(crate) async fn begin_making(&self) -> Result<Transaction, sqlx::Error> {
        let mut tx = self.begin_for_good().await?;
        if let Either::Postgres(tx) = &mut tx {
            sqlx::raw_sql("lock table generations in share row exclusive mode").execute(&mut **tx).await?;
        }
        Ok(tx)
    }
}

pub(crate) async fn live_generation(db: &mut Transaction, view: &View) -> Result<Option<i64>, sqlx::Error> {
    let sql = "select generation from live_generations where projection = $1 and version = $2";
    on!(db, |db| sqlx::query_scalar(sql).bind(view.name).bind(view.version).fetch_optional(&mut **db).await)
}

async fn make(db: &mut Transaction, view: &View, tables: &[Definition], role: Role) -> Result<i64, sqlx::Error> {
    let next = "select coalesce(max(generation), 0) + 1 from generations where projection = $1";
    let generation: i64 = on!(db, |db| sqlx::query_scalar(next).bind(view.name).fetch_one(&mut **db).await?);
    for table in tables {
        let sql = AssertSqlSafe(expand(db.pick(&table.sqlite, &table.postgres), view, generation));
        on!(db, |db| sqlx::raw_sql(sql).execute(&mut **db).await.map(drop)?);
    }
    let made = "insert into generations (projection, generation, version, state, tables) values ($1, $2, $3, $4, $5)";
    let names = serde_json::json!(view.tables).to_string();
    on!(db, |db| {
        let query = sqlx::query(made).bind(view.name).bind(generation).bind(view.version).bind(role.name()).bind(names);
        query.execute(&mut **db).await.map(drop)?;
    });
    for partition in Partition::all() {
        let start = "insert into checkpoints (projection, generation, partition, position) values ($1, $2, $3, 0)";
        on!(db, |db| sqlx::query(start).bind(view.name).bind(generation).bind(partition).execute(&mut **db).await.map(drop)?);
    }
    Ok(generation)
}
