//! What a builder knows of tables that nobody else writes to, so that rows that cannot be there are not looked for.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

/// So many keys are remembered at most, some 80 MB: a builder that has written more looks for all.
const MOST: usize = 4_000_000;

/// What is known of the rows of one partition. A builder that begins with an empty partition knows all that it has written, by the hashes
/// of its keys; one that goes on where another has ended does not.
#[derive(Debug, Default)]
pub struct Bulk {
    written: Option<HashSet<u64>>,
    /// How many rows are in memory.
    pub held: usize,
}

impl Bulk {
    /// Of a partition of which nothing is written yet.
    #[must_use]
    pub fn empty() -> Self {
        Self { written: Some(HashSet::new()), held: 0 }
    }

    /// Whether a row with this key, or of this owner, may be there.
    pub(super) fn may_have(&self, table: &str, key: &impl Hash) -> bool {
        self.written.as_ref().is_none_or(|written| written.contains(&hash(table, key)))
    }

    /// A row with this key, or of this owner, is written.
    pub(super) fn wrote(&mut self, table: &str, key: &impl Hash) {
        if let Some(written) = &mut self.written {
            written.insert(hash(table, key));
        }
        self.written.take_if(|written| written.len() >= MOST);
    }
}

fn hash(table: &str, key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (table, key).hash(&mut hasher);
    hasher.finish()
}
