//! Jobs as they are stored: asked for, looked at, and what operators wish of them while they run.

use chrono::{DateTime, Utc};
use database::{Either, Transaction, on};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Job, Kind, Phase, Progress, Request};
use crate::ReadStore;

const COLUMNS: &str = "id, kind, projection, version, state, request, progress, outcome, started_at, changed_at";

/// What became of a job that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Submitted {
    /// Somebody will work on it soon.
    New(Job),
    /// This one has to end first.
    Open(Job),
}

/// What an operator wishes of a job that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Stop, and go on later.
    Pause,
    /// Drop it, and what it has made.
    Abort,
    /// Go on.
    Resume,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    projection: String,
    version: i64,
    state: String,
    request: String,
    progress: String,
    outcome: Option<String>,
    started_at: i64,
    changed_at: i64,
}

impl TryFrom<Row> for Job {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let time = |seconds| DateTime::from_timestamp(seconds, 0).ok_or_else(|| sqlx::Error::Decode("no time".into()));
        Ok(Self {
            id: row.id,
            kind: named(row.kind)?,
            projection: row.projection,
            version: row.version,
            state: named(row.state)?,
            request: read(&row.request)?,
            progress: read(&row.progress)?,
            outcome: row.outcome.as_deref().map(read).transpose()?,
            started_at: time(row.started_at)?,
            changed_at: time(row.changed_at)?,
        })
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|e| sqlx::Error::Decode(e.into()))
}

fn named<T: DeserializeOwned>(name: String) -> Result<T, sqlx::Error> {
    serde_json::from_value(Value::String(name)).map_err(|e| sqlx::Error::Decode(e.into()))
}

fn text(value: &impl Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|e| sqlx::Error::Encode(e.into()))
}

/// As it is stored: what serde calls it.
fn name(value: &impl Serialize) -> Result<String, sqlx::Error> {
    Ok(text(value)?.trim_matches('"').to_owned())
}

impl ReadStore {
    /// Asks for a job, unless one for this projection and version is open.
    ///
    /// # Errors
    /// The database's own.
    pub async fn submit(&self, kind: Kind, projection: &str, version: i64, request: &Request) -> Result<Submitted, sqlx::Error> {
        let (id, now) = (Uuid::now_v7(), Utc::now().timestamp());
        let (kind, request, progress) = (name(&kind)?, text(request)?, text(&Progress::waiting())?);
        let mut tx = self.database.begin().await?;
        if let Either::Postgres(tx) = &mut tx {
            // Whoever asked is told that it will be done.
            sqlx::raw_sql("set local synchronous_commit = on").execute(&mut **tx).await?;
        }
        let sql = "insert into jobs (id, kind, projection, version, state, request, progress, started_at, changed_at)
                   values ($1, $2, $3, $4, 'running', $5, $6, $7, $7) on conflict do nothing";
        let made = on!(&mut tx, |db| {
            let query = sqlx::query(sql).bind(id).bind(kind).bind(projection).bind(version);
            query.bind(request).bind(progress).bind(now).execute(&mut **db).await?.rows_affected()
        });
        let open = "where projection = $1 and version = $2 and state in ('running', 'paused')";
        let sql = AssertSqlSafe(format!("select {COLUMNS} from jobs {open}"));
        let row: Row = on!(&mut tx, |db| sqlx::query_as(sql).bind(projection).bind(version).fetch_one(&mut **db).await)?;
        tx.commit().await?;
        let job = row.try_into()?;
        Ok(if made == 1 { Submitted::New(job) } else { Submitted::Open(job) })
    }

    /// A job.
    ///
    /// # Errors
    /// The database's own.
    pub async fn job(&self, id: Uuid) -> Result<Option<Job>, sqlx::Error> {
        let sql = AssertSqlSafe(format!("select {COLUMNS} from jobs where id = $1"));
        let row: Option<Row> = on!(&self.database.reader, |db| sqlx::query_as(sql).bind(id).fetch_optional(db).await)?;
        row.map(TryInto::try_into).transpose()
    }

    /// All jobs that are open, and the last `ended` that have ended; newest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn jobs(&self, ended: usize) -> Result<Vec<Job>, sqlx::Error> {
        let sql = AssertSqlSafe(format!(
            "select {COLUMNS} from jobs where state in ('running', 'paused')
               or id in (select id from jobs where state not in ('running', 'paused') order by id desc limit $1) order by id desc"
        ));
        let rows: Vec<Row> = on!(&self.database.reader, |db| sqlx::query_as(sql).bind(ended as i64).fetch_all(db).await)?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Writes down what is wished of a job. `None`: it is not there, or has ended.
    ///
    /// # Errors
    /// The database's own.
    pub async fn wish(&self, id: Uuid, wish: Wish) -> Result<Option<Job>, sqlx::Error> {
        let set = match wish {
            // Nobody works on one that is paused.
            Wish::Pause => "wanted = case when state = 'running' and wanted is null then 'pause' else wanted end",
            // Whoever works on it takes away what it has made: also of one that is paused.
            Wish::Abort => "wanted = 'abort', state = 'running'",
            Wish::Resume => "wanted = case when wanted = 'abort' then wanted end, state = 'running'",
        };
        let sql = format!("update jobs set {set}, changed_at = $2 where id = $1 and state in ('running', 'paused') returning {COLUMNS}");
        let now = Utc::now().timestamp();
        let mut tx = self.database.begin().await?;
        let row = wished(&mut tx, sql, id, now).await?;
        tx.commit().await?;
        row.map(TryInto::try_into).transpose()
    }
}

async fn wished(db: &mut Transaction, sql: String, id: Uuid, now: i64) -> Result<Option<Row>, sqlx::Error> {
    on!(db, |db| sqlx::query_as(AssertSqlSafe(sql)).bind(id).bind(now).fetch_optional(&mut **db).await)
}

impl Progress {
    /// Of a job that nobody has begun.
    #[must_use]
    pub const fn waiting() -> Self {
        Self { phase: Phase::Waiting, folded: 0, events: 0, events_per_second: 0.0, seconds_left: None, generation: None, second: None }
    }
}
