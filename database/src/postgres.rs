//! Postgres: a server that may be away. Each store has a schema of its own, so that several may share a database.

use std::time::{Duration, Instant};

use sqlx::{
    Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{Durability, Fault, OpenError, StoreUrl, fault::is_of_tls};

/// How many may write at once.
const WRITERS: u32 = 4;
/// How many may read at once.
const READERS: u32 = 8;
/// For statements that look a few rows up by their keys. They are planned once, whatever their values: planning them anew each time doubles
/// the cost of a small one. A plan is kept while its tables grow: one that reads a table of a page from end to end would soon read a
/// million rows.
const BY_KEY: [(&str, &str); 4] =
    [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")];
/// How long a request waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(3);
/// A connection that has been idle for so long is asked whether it is still there before it is used.
const DOUBTFUL: Duration = Duration::from_secs(1);
/// How long until a server that was away is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// How often whoever looks on is told that it still is.
const TELL: Duration = Duration::from_secs(5);

/// The writers and the readers of a database, once it has answered.
pub async fn open(
    url: &StoreUrl,
    text: &str,
    schema: &'static str,
    durability: Durability,
    patience: Duration,
) -> Result<(PgPool, PgPool), OpenError> {
    let options = text.parse::<PgConnectOptions>().map_err(|e| OpenError::Unusable { url: url.clone(), source: e.into() })?;
    let options = options.application_name("tizza").options([
        ("search_path", schema),
        ("default_transaction_isolation", "read committed"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("synchronous_commit", durability.synchronous_commit()),
        ("jit", "off"),
        ("client_min_messages", "warning"),
    ]);
    url.files_are_readable().map_err(|problem| OpenError::Tls { url: url.clone(), source: problem.into() })?;
    wait(url, &options, patience).await?;
    let pool = |connections, planning: &[(&str, &str)]| {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE)
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move {
                    if idle.idle_for > DOUBTFUL {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options.clone().options(planning.iter().copied()))
    };
    Ok((pool(WRITERS, &BY_KEY), pool(READERS, if durability == Durability::Full { &BY_KEY } else { &[] })))
}

/// Connects once, again and again until `patience` is at its end.
async fn wait(url: &StoreUrl, options: &PgConnectOptions, patience: Duration) -> Result<(), OpenError> {
    let (started, mut told) = (Instant::now(), None::<Instant>);
    loop {
        let left = patience.saturating_sub(started.elapsed());
        let connected = tokio::time::timeout(left.max(RETRY), sqlx::PgConnection::connect_with(options)).await;
        let error = match connected {
            Ok(Ok(connection)) => return connection.close().await.map_err(|e| away(url, patience, e)),
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::PoolTimedOut,
        };
        match Fault::of(&error) {
            Fault::Away if started.elapsed() >= patience => return Err(away(url, patience, error)),
            Fault::Away => {}
            Fault::Refused if is_of_tls(&error) => return Err(OpenError::Tls { url: url.clone(), source: error.into() }),
            Fault::Refused => return Err(OpenError::Refused { url: url.clone(), source: error.into() }),
            Fault::Clash | Fault::Data | Fault::Other => return Err(OpenError::Unusable { url: url.clone(), source: error.into() }),
        }
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            tracing::warn!(%url, %error, given_up_after_s = patience.as_secs(), "the database is away; it is tried again");
            told = Some(Instant::now());
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn away(url: &StoreUrl, patience: Duration, error: sqlx::Error) -> OpenError {
    OpenError::Away { url: url.clone(), waited: patience, source: error.into() }
}
