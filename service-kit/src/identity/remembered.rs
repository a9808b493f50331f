//! The sessions that are asked for, as they were at most a second ago. Those in use are looked at again all together, well before that: many
//! users at once cost one select, not one each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use moka::{ops::compute::Op, sync::Cache};
use uuid::Uuid;

use super::{IdentityStore, store::SessionRow};
use crate::metrics::Looks;

/// How long a session's row may be remembered: what another process ends is over by then.
const REMEMBERED: Duration = Duration::from_secs(1);
/// How often those in use are looked at again.
const REFRESHED: Duration = Duration::from_millis(400);
/// How often a session is looked at again that nobody has asked for meanwhile.
const PATIENCE: u8 = 5;
/// How many there may be.
const CAPACITY: u64 = 10_000;

/// Rows of sessions; clones share them.
#[derive(Clone)]
pub struct Sessions {
    rows: Cache<Uuid, Arc<Entry>>,
    looks: Looks,
}

struct Entry {
    row: Arc<SessionRow>,
    /// How often it was looked at again since somebody asked for it.
    unused: AtomicU8,
}

impl Default for Sessions {
    fn default() -> Self {
        let rows = Cache::builder().max_capacity(CAPACITY).time_to_live(REMEMBERED).build();
        Self { rows, looks: Looks::into("sessions") }
    }
}

impl Sessions {
    /// The row of a session, if it is valid.
    pub async fn find(&self, store: &IdentityStore, session_id: Uuid) -> Result<Option<Arc<SessionRow>>, sqlx::Error> {
        if let Some(entry) = self.looks.found(self.rows.get(&session_id)) {
            entry.unused.store(0, Relaxed);
            return Ok(Some(entry.row.clone()));
        }
        let row = store.session(session_id).await?.map(Arc::new);
        if let Some(row) = &row {
            self.rows.insert(session_id, entry(row.clone(), 0));
        }
        Ok(row)
    }

    /// It has ended.
    pub fn forget(&self, session_id: Uuid) {
        self.rows.invalidate(&session_id);
    }

    /// Looks at those in use again, for ever.
    pub async fn keep_fresh(&self, store: &IdentityStore) {
        loop {
            tokio::time::sleep(REFRESHED).await;
            if let Err(error) = self.refresh(store).await {
                tracing::debug!(%error, "sessions are not looked at again: each is, when it is asked for");
            }
        }
    }

    /// Those that somebody has asked for lately.
    pub(super) fn in_use(&self) -> Vec<Uuid> {
        self.rows.iter().filter(|(_, entry)| entry.unused.load(Relaxed) < PATIENCE).map(|(id, _)| *id).collect()
    }

    /// Looks once: what has ended is forgotten.
    pub(super) async fn refresh(&self, store: &IdentityStore) -> Result<(), sqlx::Error> {
        let in_use = self.in_use();
        if in_use.is_empty() {
            return Ok(());
        }
        let mut rows = store.sessions(&in_use).await?;
        for session_id in in_use {
            let row = rows.remove(&session_id);
            // What was ended here meanwhile does not come back.
            self.rows.entry(session_id).and_compute_with(|known| match (known, row) {
                (Some(known), Some(row)) => Op::Put(entry(row.into(), known.value().unused.load(Relaxed) + 1)),
                (Some(_), None) => Op::Remove,
                (None, _) => Op::Nop,
            });
        }
        Ok(())
    }
}

fn entry(row: Arc<SessionRow>, unused: u8) -> Arc<Entry> {
    Arc::new(Entry { row, unused: AtomicU8::new(unused) })
}
