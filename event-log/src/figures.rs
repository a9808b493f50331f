//! What is counted while the log is used, for operators. Handles are made when what they count begins; without a recorder they do nothing.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

use crate::{AppendError, Outcome};

/// Looks into a cache, and whether it had what was looked for.
#[derive(Clone, Debug)]
pub struct Looks {
    hits: Counter,
    misses: Counter,
}

impl Looks {
    /// Into a cache of this name.
    #[must_use]
    pub fn into(cache: &'static str) -> Self {
        let counted = |result: &'static str| counter!("tizza_cache_requests_total", "cache" => cache, "result" => result);
        Self { hits: counted("hit"), misses: counted("miss") }
    }

    /// Counts one, and hands on what was found.
    pub fn found<T>(&self, found: Option<T>) -> Option<T> {
        if found.is_some() {
            self.hits.increment(1)
        } else {
            self.misses.increment(1)
        }
        found
    }
}

/// What the writers do.
#[derive(Debug)]
pub struct Appends {
    batches: Counter,
    size: Histogram,
    seconds: Histogram,
    appended: Counter,
    repeated: Counter,
    rejected: Counter,
    lost: Counter,
    refused: Counter,
    failed: Counter,
    overloaded: Counter,
}

impl Default for Appends {
    fn default() -> Self {
        let commands = |outcome: &'static str| counter!("tizza_append_commands_total", "outcome" => outcome);
        Self {
            batches: counter!("tizza_append_batches_total"),
            size: histogram!("tizza_append_batch_size"),
            seconds: histogram!("tizza_append_duration_seconds"),
            appended: commands("appended"),
            repeated: commands("repeated"),
            rejected: commands("rejected"),
            lost: commands("lost"),
            refused: commands("refused"),
            failed: commands("failed"),
            overloaded: commands("overloaded"),
        }
    }
}

impl Appends {
    /// A transaction was written.
    pub fn wrote(&self, commands: usize, took: Duration) {
        self.batches.increment(1);
        self.size.record(commands as f64);
        self.seconds.record(took);
    }

    /// There was no room for a wish.
    pub fn turned_away(&self) {
        self.overloaded.increment(1);
    }

    /// A wish is answered.
    pub fn answered(&self, answer: &Result<Outcome, AppendError>) {
        let counted = match answer {
            Ok(Outcome::Appended { .. }) => &self.appended,
            Ok(Outcome::Replayed(_)) => &self.repeated,
            Ok(Outcome::KeyReused | Outcome::ClaimTaken(_) | Outcome::AnotherStream) => &self.rejected,
            Ok(Outcome::Conflict { .. } | Outcome::Stale(_)) => &self.lost,
            Err(AppendError::Overloaded) => &self.overloaded,
            Err(AppendError::Database(_) | AppendError::Closed) => &self.failed,
            Err(
                AppendError::TooLarge { .. }
                | AppendError::Nul { .. }
                | AppendError::Empty
                | AppendError::NoSubject { .. }
                | AppendError::Erased { .. }
                | AppendError::Refused(_),
            ) => &self.refused,
        };
        counted.increment(1);
    }
}
