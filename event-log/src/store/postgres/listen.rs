//! Telling other processes that there are new events, and hearing them. Only to be faster: who hears nothing finds out by looking.

use std::{sync::Arc, time::Duration};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::Notify;
use uuid::Uuid;

const CHANNEL: &str = "tizza_log";
/// Between two notifications of a process.
const PAUSE: Duration = Duration::from_millis(10);
/// Between two tries to connect.
const RETRY: Duration = Duration::from_secs(1);

/// A process that tells.
#[derive(Clone, Debug)]
pub struct Bell {
    own: Uuid,
    rung: Arc<Notify>,
}

impl Default for Bell {
    fn default() -> Self {
        Self { own: Uuid::now_v7(), rung: Arc::default() }
    }
}

impl Bell {
    /// There is something new.
    pub fn ring(&self) {
        self.rung.notify_one();
    }

    /// Tells others, for ever: the first time at once, then once in a while. Never within an append: a notification takes a lock of the whole
    /// server when it commits.
    pub async fn tell(&self, pool: &PgPool) {
        // A notification that is lost in a crash tells nobody anything: its commit need not be waited for.
        let sql = "select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";
        loop {
            self.rung.notified().await;
            if let Err(error) = sqlx::query(sql).bind(CHANNEL).bind(self.own.to_string()).execute(pool).await {
                tracing::debug!(%error, "others are not told of new events");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Hears others, for ever: `heard` is notified, also after a connection was lost and found again.
    pub async fn hear(&self, pool: &PgPool, heard: &Notify) {
        loop {
            if let Err(error) = self.listen(pool, heard).await {
                tracing::debug!(%error, "others are not heard");
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn listen(&self, pool: &PgPool, heard: &Notify) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        heard.notify_one();
        loop {
            match listener.try_recv().await? {
                Some(told) if told.payload() == self.own.to_string() => {}
                Some(_) | None => heard.notify_one(),
            }
        }
    }
}
