//! One of the two databases. Statements that both understand are written once and run with [`on!`](crate::on!); where the databases speak
//! differently, [`Either::pick`] chooses.

use sqlx::{PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};

/// Something of SQLite's or of Postgres's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<S, P> {
    /// Embedded.
    Sqlite(S),
    /// A server.
    Postgres(P),
}

/// Connections.
pub type Pool = Either<SqlitePool, PgPool>;

/// A transaction; dropped, it is rolled back.
pub type Transaction = Either<sqlx::Transaction<'static, Sqlite>, sqlx::Transaction<'static, Postgres>>;

/// A connection out of a pool.
pub type Acquired = Either<PoolConnection<Sqlite>, PoolConnection<Postgres>>;

/// A connection, whether a transaction is open on it or not.
pub type Connection<'c> = Either<&'c mut SqliteConnection, &'c mut PgConnection>;

/// Runs an expression with the pool, or within the transaction, of whichever database it is:
/// `on!(&pool, |db| sqlx::query(sql).execute(db).await)`, `on!(&mut tx, |db| sqlx::query(sql).execute(&mut **db).await)`.
#[macro_export]
macro_rules! on {
    ($either:expr, |$db:ident| $run:expr) => {
        match $either {
            $crate::Either::Sqlite($db) => $run,
            $crate::Either::Postgres($db) => $run,
        }
    };
}

impl<S, P> Either<S, P> {
    /// What fits this database, of two.
    pub fn pick<T>(&self, sqlite: T, postgres: T) -> T {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }
}

impl Pool {
    /// A connection, once one is free.
    ///
    /// # Errors
    /// None is, for a while, or the database's own.
    pub async fn acquire(&self) -> Result<Acquired, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => Either::Sqlite(pool.acquire().await?),
            Self::Postgres(pool) => Either::Postgres(pool.acquire().await?),
        })
    }

    pub(crate) async fn close(&self) {
        on!(self, |db| db.close().await);
    }
}

impl Acquired {
    /// For statements.
    pub fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(db) => Either::Sqlite(&mut **db),
            Self::Postgres(db) => Either::Postgres(&mut **db),
        }
    }
}

impl Connection<'_> {
    /// The same, for one statement of several.
    pub fn again(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(db) => Either::Sqlite(&mut **db),
            Self::Postgres(db) => Either::Postgres(&mut **db),
        }
    }
}

impl Transaction {
    /// For statements.
    pub fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(db) => Either::Sqlite(&mut **db),
            Self::Postgres(db) => Either::Postgres(&mut **db),
        }
    }

    /// Makes all of it durable.
    ///
    /// # Errors
    /// The database's own; nothing of it is done then, but for a lost connection, after which it is not known.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        on!(self, |tx| tx.commit().await)
    }
}
