//! States that were loaded or decided before, and whose turn it is.

use std::{any::Any, sync::Arc};

use moka::policy::EvictionPolicy;
use service_kit::metrics::Looks;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::{Decider, Known};

/// How many streams are remembered.
const CAPACITY: u64 = 20_000;
/// How many of those kinds are remembered beside them of which there are very many: they must not displace what most commands look at.
const CAPACITY_OF_MANY: u64 = 20_000;
/// How many streams can be worked on at once; more share a turn.
const TURNS: usize = 1_024;

/// The last known state of each stream, of whatever kind.
pub struct Cache {
    few: moka::sync::Cache<Uuid, Entry>,
    many: moka::sync::Cache<Uuid, Entry>,
    looks: Looks,
}

#[derive(Clone)]
struct Entry {
    version: i64,
    known: Arc<dyn Any + Send + Sync>,
}

impl Default for Cache {
    fn default() -> Self {
        // Of very many each is asked for again soon or never.
        let many = moka::sync::Cache::builder().max_capacity(CAPACITY_OF_MANY).eviction_policy(EvictionPolicy::lru()).build();
        Self { few: moka::sync::Cache::new(CAPACITY), many, looks: Looks::into("streams") }
    }
}

impl Cache {
    const fn of<A: Decider>(&self) -> &moka::sync::Cache<Uuid, Entry> {
        if A::MANY { &self.many } else { &self.few }
    }

    pub(crate) fn get<A: Decider>(&self, stream_id: Uuid) -> Option<Known<A>> {
        self.looks.found(self.of::<A>().get(&stream_id))?.known.downcast_ref::<Known<A>>().cloned()
    }

    /// Remembers a state, unless a newer one is known.
    pub(crate) fn put<A: Decider>(&self, stream_id: Uuid, known: Known<A>) {
        let entry = Entry { version: known.version, known: Arc::new(known) };
        self.of::<A>().entry(stream_id).and_upsert_with(|old| match old {
            Some(old) if old.value().version > entry.version => old.into_value(),
            _ => entry,
        });
    }

    pub(crate) fn forget(&self, stream_id: Uuid) {
        self.few.invalidate(&stream_id);
        self.many.invalidate(&stream_id);
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
