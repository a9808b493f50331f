//! Hearing of what is new in the log, whoever has appended it.

use std::time::Duration;

use database::Pool;
use tokio::sync::Notify;

use crate::{EventLog, Partition, store, writer};

/// How often [`EventLog::follow`] looks on SQLite.
pub const POLL: Duration = Duration::from_millis(100);
/// How often it looks on Postgres, where it is told as well.
const LISTENING_POLL: Duration = Duration::from_millis(250);
/// How often it forgets keys that have expired.
const FORGET: Duration = Duration::from_secs(60);

impl EventLog {
    /// Looks for what other processes append and tells them of what this one does, for ever: run it in a task of its own.
    /// On Postgres processes notify each other; all find out by looking, too.
    pub async fn follow(&self) {
        let heard = Notify::new();
        let poll = self.database.reader.pick(POLL, LISTENING_POLL);
        tokio::join!(self.look(poll, &heard), self.forget_old_keys(), async {
            if let Pool::Postgres(pool) = &self.database.writer {
                tokio::join!(self.told.bell.tell(pool), self.told.bell.hear(pool, &heard));
            }
        });
    }

    async fn look(&self, poll: Duration, heard: &Notify) {
        loop {
            // Too late is no error: then it is looked anyway.
            let _ = tokio::time::timeout(poll, heard.notified()).await;
            match store::heads(&self.database).await {
                Ok(found) => writer::publish(&self.told.heads, Partition::all().zip(found)),
                Err(error) => tracing::warn!(%error, "the log's heads cannot be read"),
            }
        }
    }

    async fn forget_old_keys(&self) {
        while self.presence.is_some() {
            tokio::time::sleep(FORGET).await;
            if let Err(error) = store::forget_old(&self.database).await {
                tracing::warn!(%error, "old command keys are not forgotten");
            }
        }
    }
}
