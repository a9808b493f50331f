//! Jobs, for whoever works on them.

use chrono::{DateTime, Utc};
use database::{Transaction, on};
use uuid::Uuid;

use crate::{
    ReadStore, View,
    jobs::{Job, Kind, Outcome, Phase, Progress, Request, State},
};

/// What an operator wants of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It is to stop, and to be resumed later.
    Pause,
    /// It is to be dropped.
    Abort,
}

impl Progress {
    /// Nothing is done yet.
    #[must_use]
    pub const fn none() -> Self {
        Self { phase: Phase::Waiting, folded: 0, events: 0, events_per_second: 0.0, seconds_left: None, generation: None, second: None }
    }
}

/// A job as it is stored.
type Row = (Uuid, String, String, i64, String, String, String, Option<String>, i64, i64);
const COLUMNS: &str = "id, kind, projection, version, state, request, progress, outcome, started_at, changed_at";

fn job(row: Row) -> Result<Job, sqlx::Error> {
    let (id, kind, projection, version, state, request, progress, outcome, started_at, changed_at) = row;
    let broken = |e: serde_json::Error| sqlx::Error::Decode(e.into());
    let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    Ok(Job {
        id,
        kind: serde_json::from_value(kind.into()).map_err(broken)?,
        projection,
        version,
        state: serde_json::from_value(state.into()).map_err(broken)?,
        request: serde_json::from_str(&request).map_err(broken)?,
        progress: serde_json::from_str(&progress).map_err(broken)?,
        outcome: outcome.map(|text| serde_json::from_str(&text)).transpose().map_err(broken)?,
        started_at: time(started_at),
        changed_at: time(changed_at),
    })
}

impl ReadStore {
    /// Jobs that somebody should work on: those that run, and those that are paused and to be dropped. Oldest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn jobs_to_do(&self) -> Result<Vec<Job>, sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(format!(
            "select {COLUMNS} from jobs where state = 'running' or (state = 'paused' and wanted = 'abort') order by started_at, id"
        ));
        let rows: Vec<Row> = on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)?;
        rows.into_iter().map(job).collect()
    }

    /// All jobs that are not over.
    ///
    /// # Errors
    /// The database's own.
    pub async fn open_jobs(&self) -> Result<Vec<Job>, sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from jobs where state in ('running', 'paused')"));
        let rows: Vec<Row> = on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)?;
        rows.into_iter().map(job).collect()
    }

    /// Asks for something; `false`: the projection has a job that is not over.
    ///
    /// # Errors
    /// The database's own.
    pub async fn ask_for(&self, id: Uuid, kind: Kind, view: &View, request: &Request) -> Result<bool, sqlx::Error> {
        let sql = "insert into jobs (id, kind, projection, version, state, request, progress, started_at, changed_at)
            values ($1, $2, $3, $4, 'running', $5, $6, $7, $7) on conflict do nothing";
        let (kind, now) = (stored(&kind)?, Utc::now().timestamp());
        let (request, progress) = (text(request)?, text(&Progress::none())?);
        let mut tx = self.begin_for_good().await?;
        let asked = on!(&mut tx, |db| {
            let query = sqlx::query(sql).bind(id).bind(kind).bind(view.name).bind(view.version).bind(request).bind(progress).bind(now);
            query.execute(&mut **db).await?.rows_affected()
        });
        tx.commit().await?;
        Ok(asked == 1)
    }

    /// One job.
    ///
    /// # Errors
    /// The database's own.
    pub async fn job(&self, id: Uuid) -> Result<Option<Job>, sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from jobs where id = $1"));
        let row: Option<Row> = on!(&self.database.reader, |db| sqlx::query_as(sql).bind(id).fetch_optional(db).await)?;
        row.map(job).transpose()
    }

    /// The newest jobs first, at most so many.
    ///
    /// # Errors
    /// The database's own.
    pub async fn jobs(&self, limit: i64) -> Result<Vec<Job>, sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from jobs order by started_at desc, id desc limit $1"));
        let rows: Vec<Row> = on!(&self.database.reader, |db| sqlx::query_as(sql).bind(limit).fetch_all(db).await)?;
        rows.into_iter().map(job).collect()
    }

    /// The job of a view that is not over, if there is one.
    ///
    /// # Errors
    /// The database's own.
    pub async fn open_job(&self, view: &View) -> Result<Option<Job>, sqlx::Error> {
        let sql = format!("select {COLUMNS} from jobs where projection = $1 and version = $2 and state in ('running', 'paused')");
        let sql = sqlx::AssertSqlSafe(sql);
        let row: Option<Row> =
            on!(&self.database.reader, |db| sqlx::query_as(sql).bind(view.name).bind(view.version).fetch_optional(db).await)?;
        row.map(job).transpose()
    }

    /// Has a job that is not over paused or dropped; `false`: it is over.
    ///
    /// # Errors
    /// The database's own.
    pub async fn wish(&self, id: Uuid, wish: Wish) -> Result<bool, sqlx::Error> {
        let sql = "update jobs set wanted = $2 where id = $1 and (state = 'running' or (state = 'paused' and $2 = 'abort'))";
        let wanted = if wish == Wish::Pause { "pause" } else { "abort" };
        let mut tx = self.begin_for_good().await?;
        let changed = on!(&mut tx, |db| sqlx::query(sql).bind(id).bind(wanted).execute(&mut **db).await?.rows_affected());
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Has a paused job go on, as it is asked for now; `false`: it is not paused.
    ///
    /// # Errors
    /// The database's own.
    pub async fn resume(&self, id: Uuid, request: &Request) -> Result<bool, sqlx::Error> {
        let sql = "update jobs set state = 'running', wanted = null, request = $2 where id = $1 and state = 'paused'";
        let request = text(request)?;
        let mut tx = self.begin_for_good().await?;
        let changed = on!(&mut tx, |db| sqlx::query(sql).bind(id).bind(request).execute(&mut **db).await?.rows_affected());
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// How far a job is; the answer is what an operator wants of it, if anything.
    ///
    /// # Errors
    /// The database's own; or nobody is to work on it any more.
    pub async fn tell_progress(&self, id: Uuid, progress: &Progress) -> Result<Option<Wish>, sqlx::Error> {
        let mut tx = self.database.begin().await?;
        write_progress(&mut tx, id, progress).await?;
        let sql = "select wanted from jobs where id = $1";
        let wanted: Option<String> = on!(&mut tx, |db| sqlx::query_scalar(sql).bind(id).fetch_one(&mut **db).await?);
        tx.commit().await?;
        Ok(match wanted.as_deref() {
            Some("pause") => Some(Wish::Pause),
            Some("abort") => Some(Wish::Abort),
            _ => None,
        })
    }

    /// Ends a job, or pauses it.
    ///
    /// # Errors
    /// The database's own.
    pub async fn end_job(&self, id: Uuid, state: State, progress: &Progress, outcome: Option<&Outcome>) -> Result<(), sqlx::Error> {
        let sql = "update jobs set state = $2, outcome = coalesce($3, outcome), wanted = null where id = $1";
        let outcome = outcome.map(text).transpose()?;
        let state = stored(&state)?;
        let mut tx = self.begin_for_good().await?;
        write_progress(&mut tx, id, progress).await?;
        on!(&mut tx, |db| sqlx::query(sql).bind(id).bind(state).bind(outcome).execute(&mut **db).await.map(drop))?;
        tx.commit().await
    }

    /// How many events of how many are folded into the first generation of a view, if that is being built.
    ///
    /// # Errors
    /// The database's own.
    pub async fn building(&self, view: &View) -> Result<Option<(i64, i64)>, sqlx::Error> {
        let sql = "select progress from jobs where projection = $1 and version = $2 and state in ('running', 'paused')";
        let found: Option<String> =
            on!(&self.database.reader, |db| sqlx::query_scalar(sql).bind(view.name).bind(view.version).fetch_optional(db).await)?;
        let progress: Option<Progress> = found.and_then(|text| serde_json::from_str(&text).ok());
        Ok(progress.map(|progress| (progress.folded, progress.events)))
    }
}

pub(crate) async fn write_progress(db: &mut Transaction, id: Uuid, progress: &Progress) -> Result<(), sqlx::Error> {
    let sql = "update jobs set progress = $2, changed_at = $3 where id = $1";
    let (progress, now) = (text(progress)?, Utc::now().timestamp());
    on!(db, |db| sqlx::query(sql).bind(id).bind(progress).bind(now).execute(&mut **db).await.map(drop))
}

fn text(value: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|e| sqlx::Error::Encode(e.into()))
}

/// A word of an enum, as it is stored.
fn stored(word: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(other) => Err(sqlx::Error::Encode(format!("{other} is no word").into())),
        Err(error) => Err(sqlx::Error::Encode(error.into())),
    }
}
