//! The measured process: command-api alone, with all its stores in one database.

use std::{path::Path, process::Command};

use anyhow::Context;
use chrono::{DateTime, Utc};
use event_log::Batches;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::{
    people::Client,
    program::{self, Process},
};

/// A running command-api.
#[derive(Debug)]
pub struct CommandApi {
    /// Its process.
    pub process: Process,
    /// Talks to it.
    pub client: Client,
    database: PgPool,
    _secrets: TempDir,
}

/// What was written meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// How many events.
    pub events: u64,
    /// In how many transactions.
    pub transactions: u64,
}

impl CommandApi {
    /// Starts one on a new database. Its request lines are not logged: nobody would read them.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start(binary: &Path, url: &str) -> anyhow::Result<Self> {
        let secrets = tempfile::tempdir()?;
        let mut command = Command::new(binary);
        command.arg("command-api").env_clear().env("DATA_DIR", secrets.path()).env("HTTP_PORT", "0").env("ADMIN_PORT", "0");
        command.env("LOG_URL", url).env("IDENTITY_URL", url).env("KEYS_URL", url);
        command.env("LOG_FORMAT", "json").env("LOG_LEVEL", "warn,command_api=info,event_log=info");
        let (process, listens) = Process::start(&mut command)?;
        let client = Client { http: reqwest::Client::new(), url: program::url(&listens, "address")? };
        Ok(Self { process, client, database: PgPool::connect(url).await?, _secrets: secrets })
    }

    /// The database's clock.
    ///
    /// # Errors
    /// The database's own.
    pub async fn now(&self) -> anyhow::Result<DateTime<Utc>> {
        Ok(sqlx::query_scalar("select clock_timestamp()").fetch_one(&self.database).await?)
    }

    /// What was written since then.
    ///
    /// # Errors
    /// The database's own.
    pub async fn written(&self, since: DateTime<Utc>) -> anyhow::Result<Written> {
        let sql = "select count(*), count(distinct xmin::text) from tizza_log.events where recorded_at >= $1";
        let (events, transactions): (i64, i64) = sqlx::query_as(sql).bind(since).fetch_one(&self.database).await?;
        Ok(Written { events: events.try_into()?, transactions: transactions.try_into()? })
    }

    /// Ends it; the answer is what it says of all it has written.
    ///
    /// # Errors
    /// It does not end, or says nothing.
    pub async fn stop(self) -> anyhow::Result<Batches> {
        self.database.close().await;
        let told = self.process.stop()?;
        let number = |key: &str| told[key].as_u64().with_context(|| format!("no {key} in its line"));
        Ok(Batches { batches: number("batches")?, commands: number("commands")?, micros: number("micros")? })
    }
}
