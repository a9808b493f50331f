//! Migrations: numbered from 1, run once each, never changed once released.

use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{MigrateError, MigrationType, Migrator},
};

use crate::{OpenError, StoreUrl};

pub use sqlx::migrate::Migration;

/// Numbers (name, statements) pairs in their order.
#[must_use]
pub fn migrations(list: &[(&'static str, &'static str)]) -> Vec<Migration> {
    let numbered = (1..).zip(list);
    numbered.map(|(n, &(name, sql))| Migration::new(n, name.into(), MigrationType::Simple, sql.into_sql_str(), false)).collect()
}

pub(crate) async fn run(pool: &SqlitePool, url: &StoreUrl, migrations: Vec<Migration>) -> Result<(), OpenError> {
    match Migrator::with_migrations(migrations).run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(migration)) => Err(OpenError::Newer { url: url.clone(), migration }),
        Err(other) => Err(OpenError::Unusable { url: url.clone(), source: other.into() }),
    }
}
