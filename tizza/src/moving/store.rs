//! One store, on its way from one database to another.

use anyhow::{Context, ensure};
use database::{Database, Store, moving};
use indicatif::ProgressBar;
use service_kit::config::{ConfigError, Place, or_close};

use super::places::Pair;

/// A store that is moved, open on both sides.
pub struct Moving {
    pub from: Database,
    pub to: Database,
    pub source: Place,
    pub target: Place,
    store: &'static Store,
}

impl Moving {
    pub async fn open(Pair { from: source, to: target }: Pair, store: &'static Store) -> Result<Self, ConfigError> {
        let from = source.open(async |url, patience| Database::open(url, store, patience).await).await?;
        let to = target.open(async |url, patience| Database::open_unfinished(url, store, patience).await).await;
        let to = or_close(to, from.close()).await?;
        Ok(Self { from, to, source, target, store })
    }

    pub async fn close(&self) {
        self.from.close().await;
        self.to.close().await;
    }

    /// Whether its move was begun; else there must be nothing yet where it goes.
    pub async fn is_begun(&self) -> anyhow::Result<bool> {
        let (source, target) = (&self.source.url, &self.target.url);
        if let Some(begun) = self.to.importing().await? {
            ensure!(begun == source.to_string(), "{target} is being filled from {begun}: finish that first, or empty it");
            return Ok(true);
        }
        let used = self.to.first_in_use(self.store.tables).await?;
        ensure!(used.is_none(), "{target} is not empty: there are {} already", used.unwrap_or_default().replace('_', " "));
        Ok(false)
    }

    pub async fn begin(&self) -> anyhow::Result<()> {
        if self.is_begun().await? {
            return Ok(());
        }
        Ok(self.to.begin_import(&self.source.url.to_string(), self.store.tables).await?)
    }

    /// How many rows there are to move, and how many of them are there already.
    pub async fn lengths(&self) -> anyhow::Result<(u64, u64)> {
        let tables = self.store.tables;
        Ok((moving::length(&self.from, tables).await?, moving::length(&self.to, tables).await?))
    }

    pub async fn copy(&self, bar: &ProgressBar) -> anyhow::Result<()> {
        for table in self.store.tables {
            let copied = moving::copy(&self.from, &self.to, table, &|rows| bar.inc(rows)).await;
            copied.with_context(|| format!("the {} cannot be copied to {}", table.name.replace('_', " "), self.target.url))?;
        }
        Ok(())
    }

    pub async fn compare(&self, bar: &ProgressBar) -> anyhow::Result<()> {
        let (source, target) = (&self.source.url, &self.target.url);
        for table in self.store.tables {
            if let Some(row) = moving::difference(&self.from, &self.to, table, &|rows| bar.inc(rows)).await? {
                anyhow::bail!("{target} is not the same as {source}: {row}. Empty it, and move again");
            }
        }
        Ok(())
    }

    /// Whoever waits for it may use it.
    pub async fn end(&self) -> anyhow::Result<()> {
        Ok(self.to.end_import(self.store.tables).await?)
    }
}
