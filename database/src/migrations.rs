//! Migrations: numbered from 1, run once each, never changed once released. Each has a text for either database.

use sqlx::{
    PgPool, SqlSafeStr, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use crate::{Either, Fault, OpenError, Pool, StoreUrl};

/// A step from one shape of a store to the next.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it does, in a word or two.
    pub name: &'static str,
    /// For SQLite.
    pub sqlite: &'static str,
    /// For Postgres.
    pub postgres: &'static str,
}

/// Brings a store up to `steps`; `schema` is where its tables are on Postgres.
pub(crate) async fn run(pool: &Pool, url: &StoreUrl, schema: &'static str, steps: &[Step]) -> Result<(), OpenError> {
    let numbered = (1..).zip(steps);
    let migrations = numbered.map(|(number, step)| {
        let sql = pool.pick(step.sqlite, step.postgres);
        Migration::new(number, step.name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    let ran = match pool {
        Either::Sqlite(pool) => on_sqlite(&migrator, pool).await,
        Either::Postgres(pool) => on_postgres(&mut migrator, pool, schema).await,
    };
    ran.map_err(|error| refusal(url.clone(), error))
}

/// The migrator has no lock of its own here: of two programs that start at once the second waits for the first one's transaction.
async fn on_sqlite(migrator: &Migrator, pool: &SqlitePool) -> Result<(), MigrateError> {
    let mut tx = pool.begin_with("begin immediate").await?;
    migrator.run_direct(None, &mut *tx, false).await?;
    // A file that is read-only lets everything pass that has nothing to write.
    sqlx::query("delete from _sqlx_migrations where false").execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// A schema that is there may belong to a role that may make none.
async fn on_postgres(migrator: &mut Migrator, pool: &PgPool, schema: &'static str) -> Result<(), MigrateError> {
    let sql = "select exists (select from pg_namespace where nspname = $1)";
    if !sqlx::query_scalar::<_, bool>(sql).bind(schema).fetch_one(pool).await? {
        migrator.create_schema(schema);
    }
    migrator.run(pool).await
}

fn refusal(url: StoreUrl, error: MigrateError) -> OpenError {
    if let MigrateError::VersionMissing(migration) = error {
        return OpenError::Newer { url, migration };
    }
    let (MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _)) = &error else {
        return OpenError::Unusable { url, source: error.into() };
    };
    let code = cause.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    match Fault::of(cause) {
        Fault::Refused => OpenError::Refused { url, source: error.into() },
        // SQLITE_READONLY, with its extended codes.
        Fault::Other if code.is_some_and(|code| code & 0xff == 8) => OpenError::NotWritable { url, source: error.into() },
        Fault::Away | Fault::Clash | Fault::Data | Fault::Other => OpenError::Unusable { url, source: error.into() },
    }
}
