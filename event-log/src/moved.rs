//! A log that is taken to another database: from then on nothing is appended to it here, by nobody, and whoever would do so is told where it is.

use database::{Either, Presence, Transaction, on};

use crate::{EventLog, LogStore};

/// Where a log went.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Moved {
    /// The other store, without its password.
    pub target: String,
    /// Whether all is there.
    pub finished: bool,
}

/// Why nothing may be appended to a log.
#[derive(Debug, thiserror::Error)]
pub enum AppendingError {
    /// It is elsewhere.
    #[error("this log was moved to {}: use it there", .0.target)]
    Moved(Moved),
    /// It is on its way.
    #[error("this log is being moved to {}: finish that with `tizza move`, or give it up with `tizza move --abandon`", .0.target)]
    Moving(Moved),
    /// Somebody has it for himself: it is being moved, or begins an epoch.
    #[error("an operator's command has this log for itself; it ends soon, or is to be ended")]
    Taken,
    /// The database failed.
    #[error("the log's database failed")]
    Database(#[from] sqlx::Error),
}

impl EventLog {
    /// Shows others that this program appends to the log, until it is closed.
    ///
    /// # Errors
    /// The log is elsewhere, or on its way.
    pub async fn begin_appending(&mut self) -> Result<(), AppendingError> {
        let store = LogStore::of(self.database.clone());
        let presence = self.database.present().await?;
        match store.moved().await? {
            Some(moved) if moved.finished => return Err(AppendingError::Moved(moved)),
            Some(moved) => return Err(AppendingError::Moving(moved)),
            None => {}
        }
        self.presence = Some(presence.ok_or(AppendingError::Taken)?.into());
        Ok(())
    }
}

impl LogStore {
    /// Makes sure that nobody appends meanwhile. `None`: some program is there that does.
    ///
    /// # Errors
    /// The database's own.
    pub async fn alone(&self) -> Result<Option<Presence>, sqlx::Error> {
        self.database.alone().await
    }

    /// Where the log went, if it is not to be used here any more.
    ///
    /// # Errors
    /// The database's own.
    pub async fn moved(&self) -> Result<Option<Moved>, sqlx::Error> {
        if !self.database.has_table("moved").await? {
            return Ok(None);
        }
        on!(&self.database.reader, |db| sqlx::query_as("select target, finished from moved").fetch_optional(db).await)
    }

    /// From now on nobody can append, also who is not seen to be there.
    ///
    /// # Errors
    /// The database's own.
    pub async fn begin_move(&self, target: &str) -> Result<(), sqlx::Error> {
        let mut tx = self.database.begin().await?;
        run(&mut tx, "create table if not exists moved (target text not null, finished boolean not null)").await?;
        on!(&mut tx, |db| sqlx::query("insert into moved values ($1, false)").bind(target).execute(&mut **db).await.map(drop))?;
        if let Either::Postgres(_) = tx {
            let sql = "create function refuse_to_append() returns trigger language plpgsql as
                       'begin raise exception ''this log was moved to another database''; end'";
            run(&mut tx, sql).await?;
            run(&mut tx, "create trigger moved_away before update on heads execute function refuse_to_append()").await?;
        } else {
            let sql = "create trigger moved_away before update on heads
                       begin select raise(abort, 'this log was moved to another database'); end";
            run(&mut tx, sql).await?;
        }
        tx.commit().await
    }

    /// All of it is in the other store.
    ///
    /// # Errors
    /// The database's own.
    pub async fn end_move(&self) -> Result<(), sqlx::Error> {
        on!(&self.database.writer, |db| sqlx::query("update moved set finished = true").execute(db).await.map(drop))
    }

    /// It stays here after all.
    ///
    /// # Errors
    /// The database's own.
    pub async fn abandon_move(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.database.begin().await?;
        if let Either::Postgres(_) = tx {
            run(&mut tx, "drop trigger moved_away on heads").await?;
            run(&mut tx, "drop function refuse_to_append").await?;
        } else {
            run(&mut tx, "drop trigger moved_away").await?;
        }
        // The table stays: somebody may be about to look into it.
        run(&mut tx, "delete from moved").await?;
        tx.commit().await
    }
}

async fn run(tx: &mut Transaction, sql: &'static str) -> Result<(), sqlx::Error> {
    on!(tx, |db| sqlx::query(sql).execute(&mut **db).await.map(drop))
}
