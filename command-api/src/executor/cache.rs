//! States that were loaded or decided before, and whose turn it is.

use std::{any::Any, sync::Arc};

use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::{Decider, Known};

/// How many streams are remembered.
const CAPACITY: u64 = 20_000;
/// How many streams can be worked on at once; more share a turn.
const TURNS: usize = 1_024;

/// The last known state of each stream, of whatever kind.
pub struct Cache(moka::sync::Cache<Uuid, Entry>);

#[derive(Clone)]
struct Entry {
    version: i64,
    known: Arc<dyn Any + Send + Sync>,
}

impl Default for Cache {
    fn default() -> Self {
        Self(moka::sync::Cache::new(CAPACITY))
    }
}

impl Cache {
    pub(crate) fn get<A: Decider>(&self, stream_id: Uuid) -> Option<Known<A>> {
        self.0.get(&stream_id)?.known.downcast_ref::<Known<A>>().cloned()
    }

    pub(crate) fn knows(&self, stream_id: Uuid) -> bool {
        self.0.contains_key(&stream_id)
    }

    /// Remembers a state, unless a newer one is known.
    pub(crate) fn put<A: Decider>(&self, stream_id: Uuid, known: Known<A>) {
        let entry = Entry { version: known.version, known: Arc::new(known) };
        self.0.entry(stream_id).and_upsert_with(|old| match old {
            Some(old) if old.value().version > entry.version => old.into_value(),
            _ => entry,
        });
    }

    pub(crate) fn forget(&self, stream_id: Uuid) {
        self.0.invalidate(&stream_id);
    }
}

/// One command at a time on a stream: in one process nobody then loses a race for a version.
pub struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..TURNS).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    pub(crate) async fn take(&self, stream_id: Uuid) -> MutexGuard<'_, ()> {
        self.0[(stream_id.as_u128() % TURNS as u128) as usize].lock().await
    }
}
