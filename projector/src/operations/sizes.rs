//! What generations take. SQLite reads a whole table to tell: so whoever watches is told again what was found a while ago.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use read_store::{Generation, ReadStore};

/// How many times as long as it took it is good for.
const GOOD_FOR: u32 = 20;

/// What was found.
#[derive(Clone, Copy)]
struct Found {
    bytes: i64,
    at: Instant,
    took: Duration,
}

/// What was found of each (projection, generation).
#[derive(Default)]
pub struct Sizes(Mutex<HashMap<(String, i64), Found>>);

impl Sizes {
    /// How many bytes a generation takes, now or a little while ago.
    pub async fn of(&self, store: &ReadStore, generation: &Generation) -> Result<i64, sqlx::Error> {
        let key = (generation.projection.clone(), generation.generation);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some(found) = known.filter(|found| found.at.elapsed() < found.took * GOOD_FOR) {
            return Ok(found.bytes);
        }
        let began = Instant::now();
        let bytes = store.bytes(&generation.table_names()).await?;
        let found = Found { bytes, at: Instant::now(), took: began.elapsed() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found);
        Ok(bytes)
    }
}
